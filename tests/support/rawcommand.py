"""DIMSE Command Sets of PS3.7 as bytes: Implicit VR Little Endian, group 0000. No DICOM library."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum

NO_DATA_SET = 0x0101
DATA_SET_FOLLOWS = 0x0000
RESPONSE = 0x8000

Value = int | str | bytes | list[int] | list[str]


class Element(IntEnum):
    """Element numbers of group 0000. PS3.7 E.1."""

    GROUP_LENGTH = 0x0000
    AFFECTED_SOP_CLASS_UID = 0x0002
    REQUESTED_SOP_CLASS_UID = 0x0003
    COMMAND_FIELD = 0x0100
    MESSAGE_ID = 0x0110
    MESSAGE_ID_RESPONDED_TO = 0x0120
    MOVE_DESTINATION = 0x0600
    PRIORITY = 0x0700
    DATA_SET_TYPE = 0x0800
    STATUS = 0x0900
    OFFENDING_ELEMENT = 0x0901
    ERROR_COMMENT = 0x0902
    ERROR_ID = 0x0903
    AFFECTED_SOP_INSTANCE_UID = 0x1000
    REMAINING = 0x1020
    COMPLETED = 0x1021
    FAILED = 0x1022
    WARNING = 0x1023
    MOVE_ORIGINATOR_AE_TITLE = 0x1030
    MOVE_ORIGINATOR_MESSAGE_ID = 0x1031


class Field(IntEnum):
    """Command Field values of the requests. PS3.7 E.1; responses have bit 8000H set."""

    C_STORE = 0x0001
    C_GET = 0x0010
    C_FIND = 0x0020
    C_MOVE = 0x0021
    C_ECHO = 0x0030
    C_CANCEL = 0x0FFF


UID_ELEMENTS = frozenset({0x0002, 0x0003, 0x1000, 0x1001})


@dataclass(frozen=True)
class Message:
    """A DIMSE message as it came: its context, the values of its Command Set, its Data Set's bytes."""

    context_id: int
    command: dict[int, bytes]
    data: bytes | None = None

    def number(self, element: int) -> int:
        """An unsigned short of the Command Set; KeyError when it is absent."""
        return int(struct.unpack("<H", self.command[element][:2])[0])

    def text(self, element: int) -> str:
        """A text or UID without padding; empty when it is absent."""
        return self.command.get(element, b"").decode("latin-1").strip(" \0")

    @property
    def status(self) -> int:
        """(0000,0900)."""
        return self.number(Element.STATUS)

    @property
    def comment(self) -> str:
        """Error Comment (0000,0902), empty when there is none."""
        return self.text(Element.ERROR_COMMENT)

    @property
    def field(self) -> int:
        """(0000,0100)."""
        return self.number(Element.COMMAND_FIELD)

    @property
    def has_data(self) -> bool:
        """Whether the Command Set announces a Data Set."""
        return self.number(Element.DATA_SET_TYPE) != NO_DATA_SET


def encode_value(element: int, value: Value) -> bytes:
    """The bytes of one value, padded to even length; `bytes` are taken as they are."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, int):
        return struct.pack("<H", value)
    if isinstance(value, list):
        if all(isinstance(one, int) for one in value):
            return b"".join(struct.pack("<H", one) for one in value)
        value = "\\".join(str(one) for one in value)
    raw = value.encode("latin-1")
    pad = b"\0" if element in UID_ELEMENTS else b" "
    return raw + pad * (len(raw) % 2)


def encode_element(element: int, value: Value, length: int | None = None) -> bytes:
    """An element of group 0000; `length` replaces the true one."""
    raw = encode_value(element, value)
    return struct.pack("<HHI", 0, element, len(raw) if length is None else length) + raw


def command_set(values: dict[int, Value], *, group_length: int | None = None) -> bytes:
    """A Command Set in ascending order with its group length in front. PS3.7 6.3.1."""
    body = b"".join(encode_element(element, value) for element, value in sorted(values.items()))
    total = len(body) if group_length is None else group_length
    return struct.pack("<HHII", 0, 0, 4, total) + body


def parse_command(raw: bytes) -> dict[int, bytes]:
    """The values of a Command Set by element number; raises ValueError when it does not parse."""
    values: dict[int, bytes] = {}
    offset = 0
    while offset < len(raw):
        group, element, length = struct.unpack_from("<HHI", raw, offset)
        offset += 8
        if group or offset + length > len(raw):
            raise ValueError(f"command element ({group:04X},{element:04X}) does not fit")
        values[element] = raw[offset : offset + length]
        offset += length
    return values


def request(
    field: int, sop_class: str, message_id: int, *, data: bool, more: dict[int, Value] | None = None
) -> bytes:
    """A request's Command Set; `more` adds or replaces elements."""
    values: dict[int, Value] = {
        Element.AFFECTED_SOP_CLASS_UID: sop_class,
        Element.COMMAND_FIELD: field,
        Element.MESSAGE_ID: message_id,
        Element.DATA_SET_TYPE: DATA_SET_FOLLOWS if data else NO_DATA_SET,
    }
    if field not in (Field.C_ECHO, Field.C_CANCEL):
        values[Element.PRIORITY] = 0
    return command_set(values | (more or {}))


def response(to: Message, status: int, *, data: bool = False, more: dict[int, Value] | None = None) -> bytes:
    """The Command Set of a response to the request `to`."""
    values: dict[int, Value] = {
        Element.AFFECTED_SOP_CLASS_UID: to.text(Element.AFFECTED_SOP_CLASS_UID),
        Element.COMMAND_FIELD: to.field | RESPONSE,
        Element.MESSAGE_ID_RESPONDED_TO: to.number(Element.MESSAGE_ID),
        Element.DATA_SET_TYPE: DATA_SET_FOLLOWS if data else NO_DATA_SET,
        Element.STATUS: status,
    }
    instance = to.text(Element.AFFECTED_SOP_INSTANCE_UID)
    if instance:
        values[Element.AFFECTED_SOP_INSTANCE_UID] = instance
    return command_set(values | (more or {}))


def cancel(message_id: int) -> bytes:
    """A C-CANCEL-RQ. PS3.7 9.3.2.3."""
    return command_set(
        {
            Element.COMMAND_FIELD: Field.C_CANCEL,
            Element.MESSAGE_ID_RESPONDED_TO: message_id,
            Element.DATA_SET_TYPE: NO_DATA_SET,
        }
    )
