"""The DICOM file format around a Data Set: preamble and File Meta Information. PS3.10 7.1.

Writes our own and reads anybody's, also files without a preamble, group length or File Meta Information
at all. Opens no files but in `scan_file`, the one step from a path to a record.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import cache, lru_cache
from io import SEEK_CUR, SEEK_END, BufferedIOBase, RawIOBase
from os import PathLike

from fastdicom.dataset.inflate import Inflater
from fastdicom.dataset.record import InstanceRecord
from fastdicom.dataset.scanned import byte_coding, record_from, wanted_table
from fastdicom.errors import UsageError
from fastdicom.kernels.scan import Scanner, WantedTable
from fastdicom.standard.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from fastdicom.standard.sop_classes import MEDIA_STORAGE_DIRECTORY
from fastdicom.standard.transfer_syntaxes import (
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    KNOWN,
)

PREAMBLE_LENGTH = 128
PREFIX = b"DICM"
HEAD_LENGTH_MAX = 1024 * 1024  # File Meta Information that is longer is none
READ_LENGTH = 64 * 1024
SEAL_LENGTH = 16  # the last bytes of a sealable File Meta Information: see `encode_seal`

_GROUP_LENGTH = 0x0000
_SOP_CLASS_UID = 0x0002
_SOP_INSTANCE_UID = 0x0003
_TRANSFER_SYNTAX_UID = 0x0010
_SOURCE_AE_TITLE = 0x0016
_PRIVATE_CREATOR, _PRIVATE = 0x0100, 0x0102
_FIRST_GROUPS = range(0x0004, 0x0021, 2)  # where a Data Set without File Meta Information begins
_FIRST_VRS = frozenset((b"AE", b"CS", b"DA", b"LO", b"OB", b"SH", b"SQ", b"TM", b"UI", b"UL", b"UN", b"US"))
_META_VRS = frozenset((b"AE", b"OB", b"SH", b"UI", b"UL", b"UN", b"UR"))
_LONG_VRS = frozenset((b"OB", b"OW", b"UN", b"UT", b"SQ", b"UC", b"UR", b"OD", b"OF", b"OL"))


@dataclass(frozen=True, slots=True)
class FileMeta:
    """What stands in front of a Data Set. UIDs and AE title without padding, "" where missing.

    dataset_offset: where the Data Set begins. guessed: the transfer syntax was not stated but inferred from
    the Data Set's first bytes. seal: (length, checksum) of the Data Set as `encode_seal` wrote them, (0, 0)
    when it was never whole, None in files that are not ours; note: what `encode_file_meta` was given.
    """

    transfer_syntax_uid: str
    sop_class_uid: str
    sop_instance_uid: str
    dataset_offset: int
    source_ae_title: str = ""
    guessed: bool = False
    seal: tuple[int, int] | None = None
    note: bytes = b""


def encode_file_meta(
    sop_class_uid: str,
    sop_instance_uid: str,
    transfer_syntax_uid: str,
    source_ae_title: str = "",
    receiving_ae_title: str = "",
    *,
    sealable: bool = False,
    note: bytes = b"",
) -> bytes:
    """A preamble of zeros, DICM, and File Meta Information: all that precedes the Data Set in a file.

    source_ae_title: who wrote the content, (0002,0016). receiving_ae_title: who took it, (0002,0018). ""
    leaves an element out.
    sealable: it ends with Private Information (0002,0102) that holds `note`, of even length, and SEAL_LENGTH
    zeros, which are to be replaced by `encode_seal` once the Data Set is whole.
    """
    before, after = _around_instance(sop_class_uid, transfer_syntax_uid, source_ae_title, receiving_ae_title)
    if sealable:
        after += _PRIVATE_HEAD + (SEAL_LENGTH + len(note)).to_bytes(4, "little") + note + bytes(SEAL_LENGTH)
    instance = _ui(_SOP_INSTANCE_UID, sop_instance_uid)
    length = len(before) + len(instance) + len(after)
    return b"".join((_START, length.to_bytes(4, "little"), before, instance, after))


def encode_seal(length: int, checksum: int) -> bytes:
    """What marks a file as whole: length and XXH3-64 of its Data Set."""
    return _SEAL.pack(length, checksum)


def _short(element: int, vr: bytes, value: bytes) -> bytes:
    return struct.pack("<HH2sH", 0x0002, element, vr, len(value)) + value


def _ui(element: int, uid: str) -> bytes:
    value = uid.encode("ascii")
    return _short(element, b"UI", value + b"\0" * (len(value) & 1))


def _text(element: int, vr: bytes, text: str) -> bytes:
    value = text.encode("ascii", "replace")
    return _short(element, vr, value + b" " * (len(value) & 1)) if value else b""


_START = bytes(PREAMBLE_LENGTH) + PREFIX + struct.pack("<HH2sH", 0x0002, _GROUP_LENGTH, b"UL", 4)
_SEAL = struct.Struct("<QQ")
_PRIVATE_HEAD = _ui(_PRIVATE_CREATOR, IMPLEMENTATION_CLASS_UID) + struct.pack(
    "<HH2sH", 0x0002, _PRIVATE, b"OB", 0
)
_VERSION = struct.pack("<HH2sHI", 0x0002, 0x0001, b"OB", 0, 2) + b"\x00\x01"


@lru_cache(maxsize=1024)
def _around_instance(
    sop_class_uid: str, transfer_syntax_uid: str, source: str, receiving: str
) -> tuple[bytes, bytes]:
    """The elements before and after the SOP Instance UID: the same for all instances of a series."""
    after = (
        _ui(_TRANSFER_SYNTAX_UID, transfer_syntax_uid),
        _ui(0x0012, IMPLEMENTATION_CLASS_UID),
        _text(0x0013, b"SH", IMPLEMENTATION_VERSION_NAME),
        _text(_SOURCE_AE_TITLE, b"AE", source),
        _text(0x0018, b"AE", receiving),
    )
    return _VERSION + _ui(_SOP_CLASS_UID, sop_class_uid), b"".join(after)


def read_file_meta(source: RawIOBase | BufferedIOBase | bytes | bytearray | memoryview) -> FileMeta:
    """Preamble and File Meta Information from a file's start, or what can be inferred without them.

    source: a file object at its start, or the file's first bytes (as many as the caller has; HEAD_LENGTH_MAX
    are always enough). Raises UsageError when this is no DICOM file, saying why.
    """
    if isinstance(source, (bytes, bytearray, memoryview)):
        return _read_head(bytes(source[:HEAD_LENGTH_MAX]))
    head = source.read(READ_LENGTH) or b""
    try:
        return _read_head(head)
    except HeadTooShort:
        return _read_head(head + (source.read(HEAD_LENGTH_MAX - len(head)) or b""))


class HeadTooShort(UsageError):
    """The File Meta Information goes on behind the bytes that we have."""


def _read_head(head: bytes) -> FileMeta:
    start = _start_of_meta(head)
    values, offset = _meta_elements(head, start)
    uid = _text_of(values, _TRANSFER_SYNTAX_UID)
    guessed = "" if uid else _guess_transfer_syntax(head[offset : offset + 8], has_meta=offset > start)
    return FileMeta(
        transfer_syntax_uid=uid or guessed,
        sop_class_uid=_text_of(values, _SOP_CLASS_UID),
        sop_instance_uid=_text_of(values, _SOP_INSTANCE_UID),
        dataset_offset=offset,
        source_ae_title=_text_of(values, _SOURCE_AE_TITLE),
        guessed=bool(guessed),
        seal=_seal_of(values),
        note=_ours(values)[:-SEAL_LENGTH],
    )


def _text_of(values: dict[int, bytes], element: int) -> str:
    return values.get(element, b"").decode("latin-1").strip("\0 ")


def _ours(values: dict[int, bytes]) -> bytes:
    """Private Information that we wrote; b"" in files that are not ours."""
    mine = _text_of(values, _PRIVATE_CREATOR) == IMPLEMENTATION_CLASS_UID
    information = values.get(_PRIVATE, b"") if mine else b""
    return information if len(information) >= SEAL_LENGTH else b""


def _seal_of(values: dict[int, bytes]) -> tuple[int, int] | None:
    information = _ours(values)
    if not information:
        return None
    length, checksum = _SEAL.unpack(information[-SEAL_LENGTH:])
    return length, checksum


def _start_of_meta(head: bytes) -> int:
    """Behind DICM where that is a prefix; 0 where the letters only happen to stand at byte 128."""
    behind = PREAMBLE_LENGTH + len(PREFIX)
    if head[PREAMBLE_LENGTH:behind] == PREFIX and head[4:6] not in _FIRST_VRS:
        return behind
    if head[: len(PREFIX)] == PREFIX:
        return len(PREFIX)
    if len(head) < 8:
        raise UsageError(f"no DICOM file: it has only {len(head)} bytes")
    return 0


def _meta_elements(head: bytes, start: int) -> tuple[dict[int, bytes], int]:
    """The values of group 0002 from `start` on, and where it ends.

    The stated group length only decides when what stands there does not look like one more element: real
    ones lie, but behind a right one deflated bytes may begin as group 0002 does.
    """
    values: dict[int, bytes] = {}
    at = start
    stated_end = -1
    while head[at : at + 2] == b"\x02\x00" and (at != stated_end or head[at + 4 : at + 6] in _META_VRS):
        element, value, at = _meta_element(head, at)
        if element == _GROUP_LENGTH and len(value) == 4:
            stated_end = at + int.from_bytes(value, "little")
        else:
            values.setdefault(element, value)
    return values, at


def _meta_element(head: bytes, at: int) -> tuple[int, bytes, int]:
    """(element number, value, where the next one begins) of the element at `at`."""
    if at + 12 > len(head):
        raise HeadTooShort("no DICOM file: its File Meta Information is cut short")
    _, element, vr, length = struct.unpack_from("<HH2sH", head, at)
    begin = at + 8
    if vr in _LONG_VRS:
        length = int.from_bytes(head[at + 8 : at + 12], "little")
        begin = at + 12
    elif not (vr.isalpha() and vr.isupper()):
        raise UsageError(f"no DICOM file: (0002,{element:04X}) of its File Meta Information has no VR")
    if length > len(head) - begin:
        if len(head) >= HEAD_LENGTH_MAX:
            raise UsageError(f"no DICOM file: (0002,{element:04X}) has {length} bytes")
        raise HeadTooShort("no DICOM file: its File Meta Information is cut short")
    return element, head[begin : begin + length], begin + length


def _guess_transfer_syntax(first: bytes, has_meta: bool) -> str:
    """The native transfer syntax whose first element's head `first` can be.

    Without File Meta Information that element has to be one that Data Sets begin with. Raises UsageError.
    """
    if len(first) < 8:
        raise UsageError("no DICOM file: there is no Data Set")
    little, big = int.from_bytes(first[:2], "little"), int.from_bytes(first[:2], "big")
    if first[4:6] in _FIRST_VRS and little in _FIRST_GROUPS:
        return EXPLICIT_VR_LITTLE_ENDIAN
    if first[4:6] in _FIRST_VRS and big in _FIRST_GROUPS:
        return EXPLICIT_VR_BIG_ENDIAN
    if has_meta or (little in _FIRST_GROUPS and int.from_bytes(first[4:8], "little") <= READ_LENGTH):
        return IMPLICIT_VR_LITTLE_ENDIAN
    raise UsageError("no DICOM file: neither DICM at byte 128 nor a Data Element at its start")


def is_deflated(transfer_syntax_uid: str) -> bool:
    """Whether Data Sets in this transfer syntax have to be inflated before they can be read. PS3.5 A.5."""
    syntax = KNOWN.get(transfer_syntax_uid)
    return syntax is not None and syntax.deflated


def scan_file(
    path: str | PathLike[str], wanted: WantedTable | None = None
) -> tuple[InstanceRecord, FileMeta]:
    """The record of the instance in a file, and its File Meta Information.

    Reads only the parts of the file that are not values of no interest. wanted: without `extra` attributes
    when None. Raises UsageError (no DICOM file, a DICOMDIR), MalformedDataset, Refused (UIDs), OSError.
    """
    with open(path, "rb", buffering=0) as file:
        meta = read_file_meta(file)
        if meta.sop_class_uid == MEDIA_STORAGE_DIRECTORY:
            raise UsageError("a DICOMDIR lists files and is no instance itself")
        scanner = Scanner(wanted or _default_table(), *byte_coding(meta.transfer_syntax_uid))
        length = file.seek(0, SEEK_END) - meta.dataset_offset
        file.seek(meta.dataset_offset)
        if is_deflated(meta.transfer_syntax_uid):
            _scan_deflated(file, scanner)
        else:
            _scan_plain(file, length, scanner)
    return record_from(scanner, None, None), meta


@cache
def _default_table() -> WantedTable:
    return wanted_table()


def _scan_plain(file: RawIOBase, left: int, scanner: Scanner) -> None:
    """Scan the `left` bytes that follow, seeking over long values."""
    while left > 0:
        inside = min(scanner.skippable(), left)
        if inside > READ_LENGTH:
            file.seek(inside, SEEK_CUR)
            scanner.skip(inside)
            left -= inside
            continue
        piece = file.read(min(left, READ_LENGTH))
        if not piece:
            break
        scanner.feed(piece)
        left -= len(piece)
    scanner.finish()


def _scan_deflated(file: RawIOBase, scanner: Scanner) -> None:
    inflater = Inflater()
    while piece := file.read(READ_LENGTH):
        for inflated in inflater.feed(piece):
            scanner.feed(inflated)
    inflater.finish()
    scanner.finish()
