"""Association PDUs to bytes and back. PS3.8 9.3.2-9.3.8, PS3.7 Annex D.3.3.

These come twice an association, so this is Python. What arrives is checked against what remains of its
parent; anything that does not fit raises PeerError with "invalid PDU parameter value".
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from fastdicom.errors import PeerError
from fastdicom.upperlayer.pdus import (
    Abort,
    AssociationAccept,
    AssociationReject,
    AssociationRequest,
    ContextResult,
    ExtendedNegotiation,
    Pdu,
    PresentationContext,
    ReleaseRequest,
    ReleaseResponse,
    RoleSelection,
    UserIdentity,
    UserInformation,
)

A_ASSOCIATE_RQ, A_ASSOCIATE_AC, A_ASSOCIATE_RJ, P_DATA_TF, A_RELEASE_RQ, A_RELEASE_RP, A_ABORT = range(1, 8)
INVALID_PARAMETER = 6
_REMEMBERED_MAX, _REMEMBERED_LENGTH_MAX = 64, 4096  # requests, and bytes of each
_FIXED_PART = 68  # protocol version, reserved, two AE titles, 32 reserved bytes
_CONTEXTS_MAX = 128


def decode(pdu_type: int, body: bytes) -> Pdu:
    """The PDU of `pdu_type` (1-3, 5-7) whose bytes after the 6-byte head are `body`."""
    if pdu_type == A_ASSOCIATE_RQ:
        return _decode_request(body)
    if pdu_type == A_ASSOCIATE_AC:
        return _decode_accept(body)
    if pdu_type == A_ASSOCIATE_RJ:
        return AssociationReject(*_octets(body))
    if pdu_type == A_ABORT:
        return Abort(*_octets(body)[1:])
    return ReleaseRequest() if pdu_type == A_RELEASE_RQ else ReleaseResponse()


def encode(pdu: Pdu) -> bytes:
    """The whole PDU, head included."""
    if isinstance(pdu, AssociationRequest):
        contexts = b"".join(_encode_context(context) for context in pdu.contexts)
        return _pdu(A_ASSOCIATE_RQ, _associate_body(pdu, pdu.protocol_version, contexts))
    if isinstance(pdu, AssociationAccept):
        return _encode_accept(pdu)
    if isinstance(pdu, AssociationReject):
        return _pdu(A_ASSOCIATE_RJ, bytes((0, pdu.result, pdu.source, pdu.reason)))
    if isinstance(pdu, Abort):
        return _pdu(A_ABORT, bytes((0, 0, pdu.source, pdu.reason)))
    return _RELEASE_RQ if isinstance(pdu, ReleaseRequest) else _RELEASE_RP


# ---------------------------------------------------------------------------------------- decoding


def _octets(body: bytes) -> tuple[int, int, int]:
    return body[1], body[2], body[3]  # the reader lets no body of less than four bytes pass


def _decode_request(body: bytes) -> AssociationRequest:
    """A peer asks for the same again and again: what it asked is remembered, unless it holds a password."""
    request = _remembered.get(body)
    if request is None:
        request = _new_request(body)
        if len(body) <= _REMEMBERED_LENGTH_MAX and request.user.user_identity is None:
            if len(_remembered) >= _REMEMBERED_MAX:
                _remembered.clear()
            _remembered[body] = request
    return request


def _new_request(body: bytes) -> AssociationRequest:
    application_context, items = _associate_items(body)
    contexts = tuple(_decode_context(value) for kind, value in items if kind == 0x20)
    if len(contexts) > _CONTEXTS_MAX:
        raise PeerError(f"{len(contexts)} presentation contexts, at most 128 are possible", INVALID_PARAMETER)
    if len({context.context_id for context in contexts}) != len(contexts):
        raise PeerError("a presentation context ID is used twice", INVALID_PARAMETER)
    return AssociationRequest(
        called_ae_title=_ae_title(body[4:20]),
        calling_ae_title=_ae_title(body[20:36]),
        contexts=contexts,
        user=_user_information(items),
        application_context=application_context,
        protocol_version=int.from_bytes(body[:2], "big"),
    )


_remembered: dict[bytes, AssociationRequest] = {}


def remembers(request: AssociationRequest) -> bool:
    """Whether the same bytes will be decoded to this very object."""
    return any(request is one for one in list(_remembered.values()))


def _decode_accept(body: bytes) -> AssociationAccept:
    application_context, items = _associate_items(body)
    return AssociationAccept(
        called_ae_title=_ae_title(body[4:20]),
        calling_ae_title=_ae_title(body[20:36]),
        results=tuple(_decode_result(value) for kind, value in items if kind == 0x21),
        user=_user_information(items),
        application_context=application_context,
    )


def _associate_items(body: bytes) -> tuple[str, list[tuple[int, bytes]]]:
    if len(body) < _FIXED_PART:
        raise PeerError(f"A-ASSOCIATE PDU of {len(body)} bytes", INVALID_PARAMETER)
    items = list(_items(body[_FIXED_PART:]))
    names = [value for kind, value in items if kind == 0x10]
    return (_text(names[0]) if names else ""), items


def _items(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Items of one byte type, one reserved byte, two bytes of length. PS3.8 9.3.2."""
    at = 0
    while at < len(data):
        if len(data) - at < 4:
            raise PeerError("an item head is cut", INVALID_PARAMETER)
        kind = data[at]
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        at += 4
        if length > len(data) - at:
            raise PeerError(
                f"item {kind:02X}H announces {length} bytes, {len(data) - at} are left", INVALID_PARAMETER
            )
        yield kind, data[at : at + length]
        at += length


def _text(raw: bytes) -> str:
    return raw.decode("latin-1").strip(" \0")


def _ae_title(raw: bytes) -> str:
    """Without padding. Behind a NUL some requestors leave what was in their memory."""
    return raw.strip(b" \0").partition(b"\0")[0].decode("latin-1").rstrip(" ")


def _decode_context(value: bytes) -> PresentationContext:
    if len(value) < 4:
        raise PeerError("a presentation context item is cut", INVALID_PARAMETER)
    context_id = value[0]
    if not context_id & 1:
        raise PeerError(f"presentation context ID {context_id} is even", INVALID_PARAMETER)
    items = list(_items(value[4:]))
    abstract = [_text(raw) for kind, raw in items if kind == 0x30]
    if len(abstract) != 1:
        raise PeerError(f"context {context_id} has {len(abstract)} abstract syntaxes", INVALID_PARAMETER)
    transfer = tuple(_text(raw) for kind, raw in items if kind == 0x40)
    return PresentationContext(context_id, abstract[0], transfer)


def _decode_result(value: bytes) -> ContextResult:
    if len(value) < 4:
        raise PeerError("a presentation context item is cut", INVALID_PARAMETER)
    transfer = [_text(raw) for kind, raw in _items(value[4:]) if kind == 0x40] if value[2] == 0 else []
    return ContextResult(value[0], value[2], transfer[0] if transfer else "")


def _user_information(items: list[tuple[int, bytes]]) -> UserInformation:
    fields: dict[str, object] = {}
    roles: list[RoleSelection] = []
    extended: list[ExtendedNegotiation] = []
    for sub_kind, sub_value in (sub for kind, value in items if kind == 0x50 for sub in _items(value)):
        if sub_kind == 0x51:
            fields["max_length"] = _number(sub_value, 4)
        elif sub_kind == 0x52:
            fields["implementation_class_uid"] = _text(sub_value)
        elif sub_kind == 0x53:
            fields["asynchronous_operations"] = _number(sub_value[:2], 2), _number(sub_value[2:], 2)
        elif sub_kind == 0x54:
            roles.append(_decode_role(sub_value))
        elif sub_kind == 0x55:
            fields["implementation_version_name"] = sub_value.decode("latin-1").strip(" \0")
        elif sub_kind == 0x56:
            extended.append(ExtendedNegotiation(*_uid_and_rest(sub_value)))
        elif sub_kind == 0x58:
            fields["user_identity"] = _decode_user_identity(sub_value)
        elif sub_kind == 0x59:
            fields["user_identity_response"] = _sized(sub_value)[0]
    return UserInformation(roles=tuple(roles), extended=tuple(extended), **fields)  # type: ignore[arg-type]


def _number(raw: bytes, size: int) -> int:
    if len(raw) != size:
        raise PeerError(f"a number of {len(raw)} bytes, not {size}", INVALID_PARAMETER)
    return int.from_bytes(raw, "big")


def _sized(value: bytes) -> tuple[bytes, bytes]:
    """A field behind its two-byte length, and what follows it."""
    if len(value) < 2 or int.from_bytes(value[:2], "big") > len(value) - 2:
        raise PeerError("a user information sub-item is cut", INVALID_PARAMETER)
    end = 2 + int.from_bytes(value[:2], "big")
    return value[2:end], value[end:]


def _uid_and_rest(value: bytes) -> tuple[str, bytes]:
    uid, rest = _sized(value)
    return _text(uid), rest


def _decode_role(value: bytes) -> RoleSelection:
    uid, rest = _uid_and_rest(value)
    if len(rest) < 2:
        raise PeerError("a role selection sub-item is cut", INVALID_PARAMETER)
    return RoleSelection(uid, rest[0] == 1, rest[1] == 1)


def _decode_user_identity(value: bytes) -> UserIdentity:
    if len(value) < 2:
        raise PeerError("a user identity sub-item is cut", INVALID_PARAMETER)
    primary, rest = _sized(value[2:])
    secondary = _sized(rest)[0] if rest else b""
    return UserIdentity(value[0], value[1] == 1, primary, secondary)


# ---------------------------------------------------------------------------------------- encoding


def _pdu(pdu_type: int, body: bytes) -> bytes:
    return struct.pack(">BBI", pdu_type, 0, len(body)) + body


_RELEASE_RQ, _RELEASE_RP = _pdu(A_RELEASE_RQ, bytes(4)), _pdu(A_RELEASE_RP, bytes(4))


def _encode_accept(accept: AssociationAccept) -> bytes:
    """The answer to a remembered request comes as the same object again."""
    found = _encoded.get(id(accept))
    if found is not None and found[0] is accept:
        return found[1]
    results = b"".join(_encode_result(result) for result in accept.results)
    out = _pdu(A_ASSOCIATE_AC, _associate_body(accept, 1, results))
    if len(out) <= _REMEMBERED_LENGTH_MAX and accept.user.user_identity_response is None:
        if len(_encoded) >= _REMEMBERED_MAX:
            _encoded.clear()
        _encoded[id(accept)] = accept, out  # the object with it: its id is not given to another
    return out


_encoded: dict[int, tuple[AssociationAccept, bytes]] = {}


def _item(kind: int, value: bytes) -> bytes:
    return struct.pack(">BBH", kind, 0, len(value)) + value


def _padded(ae_title: str) -> bytes:
    return ae_title.encode("latin-1", "replace")[:16].ljust(16)


def _associate_body(pdu: AssociationRequest | AssociationAccept, version: int, contexts: bytes) -> bytes:
    fixed = struct.pack(
        ">HH16s16s32x", version, 0, _padded(pdu.called_ae_title), _padded(pdu.calling_ae_title)
    )
    application_context = _item(0x10, pdu.application_context.encode("latin-1"))
    return fixed + application_context + contexts + _item(0x50, _encode_user(pdu.user))


def _encode_context(context: PresentationContext) -> bytes:
    value = bytes((context.context_id, 0, 0, 0)) + _item(0x30, context.abstract_syntax.encode("latin-1"))
    for uid in context.transfer_syntaxes:
        value += _item(0x40, uid.encode("latin-1"))
    return _item(0x20, value)


def _encode_result(result: ContextResult) -> bytes:
    transfer = _item(0x40, result.transfer_syntax.encode("latin-1"))
    return _item(0x21, bytes((result.context_id, 0, result.result, 0)) + transfer)


def _encode_user(user: UserInformation) -> bytes:
    out = _item(0x51, struct.pack(">I", user.max_length))
    out += _item(0x52, user.implementation_class_uid.encode("latin-1"))
    if user.asynchronous_operations is not None:
        out += _item(0x53, struct.pack(">HH", *user.asynchronous_operations))
    for role in user.roles:
        out += _item(0x54, _with_size(role.sop_class_uid.encode("latin-1")) + bytes((role.scu, role.scp)))
    if user.implementation_version_name:
        out += _item(0x55, user.implementation_version_name.encode("latin-1"))
    for extended in user.extended:
        out += _item(0x56, _with_size(extended.sop_class_uid.encode("latin-1")) + extended.information)
    if user.user_identity is not None:
        identity = user.user_identity
        head = bytes((identity.kind, identity.response_requested))
        out += _item(0x58, head + _with_size(identity.primary) + _with_size(identity.secondary))
    if user.user_identity_response is not None:
        out += _item(0x59, _with_size(user.user_identity_response))
    return out


def _with_size(raw: bytes) -> bytes:
    return struct.pack(">H", len(raw)) + raw
