"""PDUs of PS3.8 9.3 as bytes, built and read without any DICOM library.

Written for tests: every length can be made to lie, nothing is checked that a test does not ask for.
It shares no code with fastdicom or pynetdicom, so a mistake there cannot hide here.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

ASSOCIATE_RQ, ASSOCIATE_AC, ASSOCIATE_RJ, P_DATA, RELEASE_RQ, RELEASE_RP, ABORT = range(1, 8)

APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"
IMPLEMENTATION_CLASS = "1.2.826.0.1.3680043.10.1561.1"
HEADER_SIZE = 6  # PDU type, reserved byte, 32-bit length
PDV_HEADER_SIZE = 6  # 32-bit length, context ID, message control header
COMMAND_FRAGMENT = 0x01
LAST_FRAGMENT = 0x02


@dataclass(frozen=True)
class Proposal:
    """One presentation context of an A-ASSOCIATE-RQ. PS3.8 9.3.2.2."""

    context_id: int
    abstract_syntax: str
    transfer_syntaxes: tuple[str, ...]


@dataclass(frozen=True)
class Verdict:
    """One presentation context of an A-ASSOCIATE-AC. PS3.8 9.3.3.2; result 0 is acceptance."""

    context_id: int
    result: int
    transfer_syntax: str


@dataclass(frozen=True)
class AssociatePdu:
    """An A-ASSOCIATE-RQ or -AC, read. `user_items` holds the sub-items other than the maximum length."""

    called_ae_title: str
    calling_ae_title: str
    proposals: tuple[Proposal, ...]
    verdicts: tuple[Verdict, ...]
    max_pdu_length: int
    user_items: tuple[tuple[int, bytes], ...] = field(default=())


def item(item_type: int, value: bytes, length: int | None = None) -> bytes:
    """An item of an association PDU; `length` replaces the true one. PS3.8 9.3.1."""
    return struct.pack(">BxH", item_type, len(value) if length is None else length) + value


def pdu(pdu_type: int, body: bytes, length: int | None = None) -> bytes:
    """A whole PDU; `length` replaces the true one."""
    return struct.pack(">BxI", pdu_type, len(body) if length is None else length) + body


def uid_item(item_type: int, uid: str) -> bytes:
    """An item that holds a UID: not padded here, PS3.8 Annex F."""
    return item(item_type, uid.encode("ascii"))


def ae_title_field(title: str) -> bytes:
    """An AE title as the 16 bytes of an association PDU."""
    return title.encode("latin-1").ljust(16, b" ")[:16]


def proposal_item(proposal: Proposal) -> bytes:
    """Presentation Context Item of an A-ASSOCIATE-RQ. PS3.8 9.3.2.2."""
    syntaxes = b"".join(uid_item(0x40, uid) for uid in proposal.transfer_syntaxes)
    head = bytes([proposal.context_id, 0, 0, 0])
    return item(0x20, head + uid_item(0x30, proposal.abstract_syntax) + syntaxes)


def verdict_item(verdict: Verdict) -> bytes:
    """Presentation Context Item of an A-ASSOCIATE-AC. PS3.8 9.3.3.2."""
    head = bytes([verdict.context_id, 0, verdict.result, 0])
    return item(0x21, head + uid_item(0x40, verdict.transfer_syntax))


def user_information(max_pdu_length: int, more: bytes = b"") -> bytes:
    """User Information Item: maximum length, implementation class, and `more` sub-items."""
    maximum = item(0x51, struct.pack(">I", max_pdu_length))
    return item(0x50, maximum + uid_item(0x52, IMPLEMENTATION_CLASS) + more)


def role_item(sop_class: str, scu: bool, scp: bool) -> bytes:
    """SCP/SCU Role Selection sub-item. PS3.7 D.3.3.4."""
    uid = sop_class.encode("ascii")
    return item(0x54, struct.pack(">H", len(uid)) + uid + bytes([scu, scp]))


def associate_body(called: str, calling: str, items: bytes, version: int = 1) -> bytes:
    """The fixed fields of an A-ASSOCIATE-RQ or -AC, and `items`. PS3.8 9.3.2."""
    head = struct.pack(">Hxx", version) + ae_title_field(called) + ae_title_field(calling) + bytes(32)
    return head + items


def associate_rq(
    proposals: Iterable[Proposal],
    called: str = "FASTDICOM",
    calling: str = "RAWPEER",
    max_pdu_length: int = 16384,
    user_items: bytes = b"",
    application_context: str = APPLICATION_CONTEXT,
) -> bytes:
    """An A-ASSOCIATE-RQ. PS3.8 9.3.2."""
    contexts = b"".join(proposal_item(proposal) for proposal in proposals)
    items = uid_item(0x10, application_context) + contexts + user_information(max_pdu_length, user_items)
    return pdu(ASSOCIATE_RQ, associate_body(called, calling, items))


def associate_ac(
    request: AssociatePdu, verdicts: Iterable[Verdict], max_pdu_length: int = 16384, user_items: bytes = b""
) -> bytes:
    """An A-ASSOCIATE-AC that answers `request`. PS3.8 9.3.3."""
    contexts = b"".join(verdict_item(verdict) for verdict in verdicts)
    items = uid_item(0x10, APPLICATION_CONTEXT) + contexts + user_information(max_pdu_length, user_items)
    body = associate_body(request.called_ae_title, request.calling_ae_title, items)
    return pdu(ASSOCIATE_AC, body)


def associate_rj(result: int, source: int, reason: int) -> bytes:
    """An A-ASSOCIATE-RJ. PS3.8 9.3.4."""
    return pdu(ASSOCIATE_RJ, bytes([0, result, source, reason]))


def release_rq() -> bytes:
    """An A-RELEASE-RQ. PS3.8 9.3.6."""
    return pdu(RELEASE_RQ, bytes(4))


def release_rp() -> bytes:
    """An A-RELEASE-RP. PS3.8 9.3.7."""
    return pdu(RELEASE_RP, bytes(4))


def abort(source: int = 0, reason: int = 0) -> bytes:
    """An A-ABORT. PS3.8 9.3.8."""
    return pdu(ABORT, bytes([0, 0, source, reason]))


def pdv(context_id: int, control: int, fragment: bytes, length: int | None = None) -> bytes:
    """A PDV item; `length` replaces the true one. PS3.8 9.3.5.1."""
    true_length = len(fragment) + 2
    return struct.pack(">IBB", true_length if length is None else length, context_id, control) + fragment


def fragments(
    context_id: int, data: bytes, *, command: bool, pdu_max: int = 16384, last: bool = True
) -> Iterator[bytes]:
    """P-DATA-TF PDUs with one PDV each that carry `data`, none longer than `pdu_max`. 0: one PDU."""
    kind = COMMAND_FRAGMENT if command else 0
    size = (pdu_max - PDV_HEADER_SIZE) if pdu_max else max(len(data), 1)
    starts = range(0, max(len(data), 1), size)
    for start in starts:
        final = LAST_FRAGMENT if last and start + size >= len(data) else 0
        yield pdu(P_DATA, pdv(context_id, kind | final, data[start : start + size]))


def items_of(body: bytes) -> Iterator[tuple[int, bytes]]:
    """The items that `body` consists of; raises ValueError where they do not fit."""
    offset = 0
    while offset < len(body):
        item_type, length = struct.unpack_from(">BxH", body, offset)
        offset += 4
        if offset + length > len(body):
            raise ValueError(f"item {item_type:02X}H at {offset - 4} runs past the end")
        yield item_type, body[offset : offset + length]
        offset += length


def uid_text(value: bytes) -> str:
    """A UID without its padding."""
    return value.rstrip(b"\0 ").decode("ascii")


def parse_associate(body: bytes) -> AssociatePdu:
    """Read the body of an A-ASSOCIATE-RQ or -AC. PS3.8 9.3.2, 9.3.3."""
    called, calling = (body[at : at + 16].decode("latin-1").strip() for at in (4, 20))
    proposals: list[Proposal] = []
    verdicts: list[Verdict] = []
    user: list[tuple[int, bytes]] = []
    for item_type, value in items_of(body[68:]):
        if item_type == 0x20:
            proposals.append(_parse_proposal(value))
        elif item_type == 0x21:
            syntaxes = [uid_text(inner) for kind, inner in items_of(value[4:]) if kind == 0x40]
            verdicts.append(Verdict(value[0], value[2], syntaxes[0] if syntaxes else ""))
        elif item_type == 0x50:
            user = list(items_of(value))
    maximum = next((struct.unpack(">I", value)[0] for kind, value in user if kind == 0x51), 0)
    others = tuple(entry for entry in user if entry[0] != 0x51)
    return AssociatePdu(called, calling, tuple(proposals), tuple(verdicts), maximum, others)


def _parse_proposal(value: bytes) -> Proposal:
    inner = list(items_of(value[4:]))
    abstract = next((uid_text(uid) for kind, uid in inner if kind == 0x30), "")
    return Proposal(value[0], abstract, tuple(uid_text(uid) for kind, uid in inner if kind == 0x40))


def pdvs_of(body: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Context ID, message control header and fragment of each PDV of a P-DATA-TF. PS3.8 9.3.5."""
    offset = 0
    while offset < len(body):
        length, context_id, control = struct.unpack_from(">IBB", body, offset)
        if length < 2 or offset + 4 + length > len(body):
            raise ValueError(f"PDV at {offset} does not fit into its PDU")
        yield context_id, control, body[offset + PDV_HEADER_SIZE : offset + 4 + length]
        offset += 4 + length
