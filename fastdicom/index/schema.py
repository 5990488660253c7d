"""How the index lies in LMDB: databases, keys, rows. No transactions here.

Every patient, study, series and instance has a serial of 64 bits that is never used again.

| database | key | value |
|---|---|---|
| meta | name | version, fingerprint, serials, totals |
| patients, studies | block number | 16 rows (`packed.py`) |
| series | study, series | row |
| series_keys | series | key in `series` |
| instances | series, instance | row; its head says where the file is |
| tallies | level, serials | `Tally`: what is below, and the values that C-FIND collects |
| patient_studies | patient, study | - |
| keys | level, tag, folded value, NUL, serial | serials of the entity |
| uids | SOP Instance UID | key in `instances` |
| paths | path | key in `instances` |
| arrivals | sequence of arrival, study | when, seconds since the epoch |
| damaged | key in `instances` | when it was found, what is wrong (`damage.py`) |
| trash | path of a file to unlink | - |
| notes | what the archive likes | what the archive likes |
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass, field

from fastdicom.dataset.record import Compression, FileEntry
from fastdicom.kernels.rows import packed_tally

VERSION = 2  # 2: arrivals, damaged
DATABASES = (
    "meta", "patients", "studies", "series", "series_keys", "instances", "tallies", "patient_studies",
    "keys", "uids", "paths", "arrivals", "damaged", "trash", "notes",
)  # fmt: skip
KEY_LENGTH_MAX = 511  # of LMDB
PATH_LENGTH_MAX = 500
_OPAQUE_LENGTH_MAX = 128

SERIAL = struct.Struct(">Q")
PAIR = struct.Struct(">QQ")
TOTALS = struct.Struct("<QQQQQ")
SERIALS = struct.Struct("<QQQQ")
_PARTS = struct.Struct("<IIII")
_FILE = struct.Struct("<QIQdHBB")
_COMPRESSION = struct.Struct("<QQQQ")
_TALLY = struct.Struct("<IIIQIIII")
_ARRIVAL = struct.Struct("<Qd")
_DISTINCT_MAX = 1024  # modalities or classes that one entity lists; a peer that sends more lists no more


def opaque_key(text: str) -> bytes:
    """A key for a UID that a peer chose: itself, or its hash where LMDB could not hold it."""
    return opaque(text.encode("utf-8", "surrogatepass"))


def opaque(data: bytes) -> bytes:
    """As `opaque_key`, of bytes."""
    if 0 < len(data) <= _OPAQUE_LENGTH_MAX:
        return data
    return b"\xff" + hashlib.sha256(data).digest()


def path_key(path: str) -> bytes:
    """The key of a file; ours are short. Raises ValueError."""
    data = path.encode("utf-8", "surrogateescape")
    if not 0 < len(data) <= PATH_LENGTH_MAX:
        raise ValueError(f"a path in the archive has 1 to {PATH_LENGTH_MAX} bytes, not {len(data)}")
    return data


def pack_row(head: bytes, upper: bytes, own: bytes, folded: bytes) -> bytes:
    """A row as ext/row.pxd describes it."""
    return b"".join((_PARTS.pack(len(head), len(upper), len(own), len(folded)), head, upper, own, folded))


def pack_file(file: FileEntry) -> bytes:
    """The head of an instance's row."""
    path = path_key(file.path)
    syntax = file.transfer_syntax_uid.encode("ascii")
    source = file.source_ae_title.encode("utf-8")
    fixed = _FILE.pack(
        file.size, file.dataset_offset, file.checksum, file.received_at, len(path), len(syntax), len(source)
    )
    return b"".join((fixed, path, syntax, source, _pack_compression(file.compression)))


def _pack_compression(compression: Compression | None) -> bytes:
    """Behind the rest, and nothing at all for most instances."""
    if compression is None:
        return b""
    numbers = _COMPRESSION.pack(
        compression.received_size,
        compression.received_checksum,
        compression.pixels_before,
        compression.pixels_after,
    )
    return numbers + compression.received_as.encode("ascii")


def _unpack_compression(data: bytes) -> Compression | None:
    if not data:
        return None
    return Compression(data[_COMPRESSION.size :].decode("ascii"), *_COMPRESSION.unpack_from(data))


def unpack_file(head: bytes) -> FileEntry:
    """What `pack_file` packed."""
    size, offset, checksum, received_at, path_length, syntax_length, source_length = _FILE.unpack_from(head)
    path_end = _FILE.size + path_length
    syntax_end = path_end + syntax_length
    source_end = syntax_end + source_length
    return FileEntry(
        head[_FILE.size : path_end].decode("utf-8", "surrogateescape"),
        size,
        offset,
        checksum,
        head[path_end:syntax_end].decode("ascii"),
        received_at,
        head[syntax_end:source_end].decode("utf-8"),
        _unpack_compression(head[source_end:]),
    )


@dataclass(slots=True)
class Tally:
    """What is below an entity. modalities: series of each. sop_classes: instances of each. length: bytes.

    arrival, received: of a study, its place in the order of arrival and its time (`arrivals.py`).
    """

    studies: int = 0
    series: int = 0
    instances: int = 0
    length: int = 0
    modalities: dict[bytes, int] = field(default_factory=dict)
    sop_classes: dict[bytes, int] = field(default_factory=dict)
    arrival: int = 0
    received: float = 0.0

    def pack(self) -> bytes:
        """The value in `tallies`: fixed part, the two lists as C-FIND answers them, their counts.

        The query kernel reads it too (Selector.count).
        """
        packed = packed_tally(
            self.studies, self.series, self.instances, self.length, self.modalities, self.sop_classes
        )
        return packed + _ARRIVAL.pack(self.arrival, self.received) if self.arrival else packed

    @classmethod
    def unpack(cls, data: bytes) -> Tally:
        """What `pack` packed."""
        studies, series, instances, length, *lengths = _TALLY.unpack_from(data)
        modality_count, class_count, modality_length, class_length = lengths
        at = _TALLY.size
        modalities = data[at : at + modality_length].split(b"\\")[:modality_count]
        at += modality_length
        sop_classes = data[at : at + class_length].split(b"\\")[:class_count]
        at += class_length
        counts = struct.unpack_from(f"<{modality_count + class_count}I", data, at)
        at += 4 * len(counts)
        arrival, received = _ARRIVAL.unpack_from(data, at) if len(data) > at else (0, 0.0)
        return cls(
            studies,
            series,
            instances,
            length,
            dict(zip(modalities, counts[:modality_count], strict=True)),
            dict(zip(sop_classes, counts[modality_count:], strict=True)),
            arrival,
            received,
        )


def count_in(counts: dict[bytes, int], value: bytes) -> None:
    """One more of `value`; beyond _DISTINCT_MAX values a new one is not listed."""
    if value in counts or (value and len(counts) < _DISTINCT_MAX):
        counts[value] = counts.get(value, 0) + 1


def count_out(counts: dict[bytes, int], value: bytes) -> None:
    """One fewer of `value`; the last takes the entry along."""
    left = counts.get(value, 0) - 1
    if left > 0:
        counts[value] = left
    else:
        counts.pop(value, None)
