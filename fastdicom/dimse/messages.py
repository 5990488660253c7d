"""DIMSE-C messages as values, and their Command Sets. PS3.7 9.3, E.1.

A message says only what stands in its Command Set. Its Data Set travels beside it.
"""

from __future__ import annotations

from typing import NamedTuple

from fastdicom.errors import PeerError
from fastdicom.kernels import command

Field = int | str | tuple[int, ...]
Fields = dict[int, Field]

C_STORE_RQ, C_STORE_RSP = 0x0001, 0x8001
C_GET_RQ, C_GET_RSP = 0x0010, 0x8010
C_FIND_RQ, C_FIND_RSP = 0x0020, 0x8020
C_MOVE_RQ, C_MOVE_RSP = 0x0021, 0x8021
C_ECHO_RQ, C_ECHO_RSP = 0x0030, 0x8030
C_CANCEL_RQ = 0x0FFF

NO_DATASET = 0x0101
MEDIUM = 0
INVALID_PARAMETER = 6
_SHOWN_COMMENT_LENGTH = 256  # what some peers write has more than 64 characters
COMMENT_LENGTH_MAX = 64

# Elements of group 0000
_AFFECTED_CLASS, _COMMAND, _MESSAGE_ID, _RESPONDED_TO = 0x0002, 0x0100, 0x0110, 0x0120
_DESTINATION, _PRIORITY, _DATASET_TYPE, _STATUS = 0x0600, 0x0700, 0x0800, 0x0900
_OFFENDING, _COMMENT, _AFFECTED_INSTANCE = 0x0901, 0x0902, 0x1000
_REMAINING, _COMPLETED, _FAILED, _WARNING = 0x1020, 0x1021, 0x1022, 0x1023
_ORIGINATOR, _ORIGINATOR_ID = 0x1030, 0x1031


class Counters(NamedTuple):
    """Sub-operations of a C-MOVE or C-GET. PS3.7 9.1.4.1.7-10."""

    remaining: int
    completed: int
    failed: int
    warning: int


class EchoRequest(NamedTuple):
    """C-ECHO-RQ. PS3.7 9.3.5.1."""

    message_id: int
    sop_class_uid: str
    has_dataset: bool = False


class CStoreRequest(NamedTuple):
    """C-STORE-RQ. PS3.7 9.3.1.1."""

    message_id: int
    sop_class_uid: str
    sop_instance_uid: str
    has_dataset: bool = True
    priority: int = MEDIUM
    originator_ae_title: str = ""
    originator_message_id: int | None = None


class CFindRequest(NamedTuple):
    """C-FIND-RQ. PS3.7 9.3.2.1."""

    message_id: int
    sop_class_uid: str
    has_dataset: bool = True
    priority: int = MEDIUM


class CMoveRequest(NamedTuple):
    """C-MOVE-RQ. PS3.7 9.3.4.1."""

    message_id: int
    sop_class_uid: str
    destination: str
    has_dataset: bool = True
    priority: int = MEDIUM


class CGetRequest(NamedTuple):
    """C-GET-RQ. PS3.7 9.3.3.1."""

    message_id: int
    sop_class_uid: str
    has_dataset: bool = True
    priority: int = MEDIUM


class CCancelRequest(NamedTuple):
    """C-CANCEL-RQ. PS3.7 9.3.2.3. It has no Message ID of its own."""

    responded_to: int
    has_dataset: bool = False


class UnknownRequest(NamedTuple):
    """A request that no service of ours takes (DIMSE-N and others): answered 0211H. PS3.7 C.5.24."""

    message_id: int
    command_field: int
    sop_class_uid: str
    sop_instance_uid: str
    has_dataset: bool


class Response(NamedTuple):
    """Any DIMSE-C response. PS3.7 9.3.1.2, 9.3.2.2, 9.3.3.2, 9.3.4.2, 9.3.5.2.

    command_field: C_STORE_RSP and so on. sop_instance_uid only in C-STORE; counters in C-MOVE and C-GET.
    """

    command_field: int
    responded_to: int
    status: int
    sop_class_uid: str = ""
    sop_instance_uid: str = ""
    comment: str = ""
    offending: tuple[int, ...] = ()
    counters: Counters | None = None
    has_dataset: bool = False


Request = (
    EchoRequest | CStoreRequest | CFindRequest | CMoveRequest | CGetRequest | CCancelRequest | UnknownRequest
)
Message = Request | Response


def decode(data: bytes | memoryview) -> Message:
    """The message of a whole Command Set. Raises PeerError when a mandatory field is missing."""
    fields = command.decode(data)
    kind = _number(fields, _COMMAND)
    if kind & 0x8000:
        return _decode_response(kind, fields)
    has_dataset = _number(fields, _DATASET_TYPE) != NO_DATASET
    if kind == C_CANCEL_RQ:
        return CCancelRequest(_number(fields, _RESPONDED_TO), has_dataset)
    message_id = _number(fields, _MESSAGE_ID)
    if kind == C_STORE_RQ:
        return CStoreRequest(
            message_id,
            _text(fields, _AFFECTED_CLASS),
            _text(fields, _AFFECTED_INSTANCE),
            has_dataset,
            _optional_number(fields, _PRIORITY) or MEDIUM,
            _optional_text(fields, _ORIGINATOR),
            _optional_number(fields, _ORIGINATOR_ID),
        )
    if kind == C_ECHO_RQ:
        return EchoRequest(message_id, _text(fields, _AFFECTED_CLASS), has_dataset)
    if kind == C_FIND_RQ:
        return CFindRequest(message_id, _text(fields, _AFFECTED_CLASS), has_dataset)
    if kind == C_MOVE_RQ:
        destination = _optional_text(fields, _DESTINATION)
        return CMoveRequest(message_id, _text(fields, _AFFECTED_CLASS), destination, has_dataset)
    if kind == C_GET_RQ:
        return CGetRequest(message_id, _text(fields, _AFFECTED_CLASS), has_dataset)
    return UnknownRequest(
        message_id,
        kind,
        _optional_text(fields, _AFFECTED_CLASS) or _optional_text(fields, 0x0003),
        _optional_text(fields, _AFFECTED_INSTANCE) or _optional_text(fields, 0x1001),
        has_dataset,
    )


def encode(message: Message) -> bytes:
    """The Command Set of a message, elements in ascending order."""
    if isinstance(message, Response):
        return _encode_response(message)
    if isinstance(message, CStoreRequest):
        return _encode_store(message)
    fields: list[tuple[int, Field]] = []
    if not isinstance(message, CCancelRequest):
        fields.append((_AFFECTED_CLASS, message.sop_class_uid))
    fields.append((_COMMAND, _command_field(message)))
    if isinstance(message, CCancelRequest):
        fields.append((_RESPONDED_TO, message.responded_to))
    else:
        fields.append((_MESSAGE_ID, message.message_id))
    if isinstance(message, CMoveRequest):
        fields.append((_DESTINATION, message.destination))
    if isinstance(message, CFindRequest | CMoveRequest | CGetRequest):
        fields.append((_PRIORITY, message.priority))
    fields.append((_DATASET_TYPE, 1 if message.has_dataset else NO_DATASET))
    return command.encode(fields)


def _encode_store(message: CStoreRequest) -> bytes:
    """The request that is made once an instance: no test that a list in one piece can do without."""
    fields: list[tuple[int, Field]] = [
        (_AFFECTED_CLASS, message.sop_class_uid),
        (_COMMAND, C_STORE_RQ),
        (_MESSAGE_ID, message.message_id),
        (_PRIORITY, message.priority),
        (_DATASET_TYPE, 1 if message.has_dataset else NO_DATASET),
        (_AFFECTED_INSTANCE, message.sop_instance_uid),
    ]
    if message.originator_ae_title:
        fields.append((_ORIGINATOR, message.originator_ae_title))
    if message.originator_message_id is not None:
        fields.append((_ORIGINATOR_ID, message.originator_message_id))
    return command.encode(fields)


_COMMAND_FIELDS: dict[type, int] = {
    EchoRequest: C_ECHO_RQ,
    CFindRequest: C_FIND_RQ,
    CMoveRequest: C_MOVE_RQ,
    CGetRequest: C_GET_RQ,
    CCancelRequest: C_CANCEL_RQ,
}


def _command_field(message: Request) -> int:
    return message.command_field if isinstance(message, UnknownRequest) else _COMMAND_FIELDS[type(message)]


def _decode_response(kind: int, fields: Fields) -> Response:
    dataset_type = fields.get(_DATASET_TYPE)
    counters = None
    if _COMPLETED in fields or _REMAINING in fields:
        counters = Counters(
            *(_optional_number(fields, number) or 0 for number in (_REMAINING, _COMPLETED, _FAILED, _WARNING))
        )
    offending = fields.get(_OFFENDING, ())
    return Response(
        kind,
        _number(fields, _RESPONDED_TO),
        _number(fields, _STATUS),
        _optional_text(fields, _AFFECTED_CLASS),
        _optional_text(fields, _AFFECTED_INSTANCE),
        _shown(_optional_text(fields, _COMMENT)),
        offending if isinstance(offending, tuple) else (),
        counters,
        isinstance(dataset_type, int) and dataset_type != NO_DATASET,
    )


def _encode_response(response: Response) -> bytes:
    fields: list[tuple[int, Field]] = []
    if response.sop_class_uid:
        fields.append((_AFFECTED_CLASS, response.sop_class_uid))
    fields.append((_COMMAND, response.command_field))
    fields.append((_RESPONDED_TO, response.responded_to))
    fields.append((_DATASET_TYPE, 1 if response.has_dataset else NO_DATASET))
    fields.append((_STATUS, response.status))
    if response.offending:
        fields.append((_OFFENDING, response.offending))
    if response.comment:
        fields.append((_COMMENT, comment_value(response.comment)))
    if response.sop_instance_uid:
        fields.append((_AFFECTED_INSTANCE, response.sop_instance_uid))
    if response.counters is not None:
        remaining, *others = response.counters
        if response.status == 0xFF00 or response.status == 0xFE00:  # PS3.7 9.1.4.1.7: only while some remain
            fields.append((_REMAINING, min(remaining, 0xFFFF)))
        fields.extend(
            zip((_COMPLETED, _FAILED, _WARNING), (min(count, 0xFFFF) for count in others), strict=True)
        )
    return command.encode(fields)


def comment_value(text: str) -> str:
    """`text` as VR LO in the default repertoire: at most 64 characters, no controls, no backslash. PS3.5 6.2.

    A comment may quote what a peer sent; what cannot stand in it becomes "?", a backslash "/".
    """
    printed = (sign if " " <= sign <= "~" else "?" for sign in text[:COMMENT_LENGTH_MAX])
    return "".join(printed).replace("\\", "/")


def _shown(comment: str) -> str:
    """A peer's comment for our log and our host's, in which it must not write lines of its own."""
    if comment.isprintable():  # most often there is none
        return comment[:_SHOWN_COMMENT_LENGTH]
    return "".join(sign if sign.isprintable() else "?" for sign in comment[:_SHOWN_COMMENT_LENGTH])


def _number(fields: Fields, element: int) -> int:
    value = fields.get(element)
    if not isinstance(value, int):
        raise PeerError(f"Command Set without (0000,{element:04X})", INVALID_PARAMETER)
    return value


def _text(fields: Fields, element: int) -> str:
    value = fields.get(element)
    if not isinstance(value, str) or not value:
        raise PeerError(f"Command Set without (0000,{element:04X})", INVALID_PARAMETER)
    return value


def _optional_number(fields: Fields, element: int) -> int | None:
    value = fields.get(element)
    return value if isinstance(value, int) else None


def _optional_text(fields: Fields, element: int) -> str:
    value = fields.get(element)
    return value if isinstance(value, str) else ""
