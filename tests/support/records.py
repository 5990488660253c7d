"""Instance records made from a few keywords, without files."""

from __future__ import annotations

from collections.abc import Mapping

from fastdicom.dataset.attributes import ATTRIBUTES, LEVELS, Attribute
from fastdicom.dataset.recoded import element, item
from fastdicom.dataset.record import FileEntry, InstanceRecord, Put

CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
CHARSET = 0x00080005


def dataset(rows: Mapping[Attribute, object], charset: str = "", codec: str = "ascii") -> bytes:
    """A Data Set of a record; values are text, bytes, or lists of dicts for sequences."""
    found = {row.tag: element(row.tag, row.vr, _value(row, value, codec)) for row, value in rows.items()}
    if charset:
        found[CHARSET] = element(CHARSET, "CS", charset.encode("ascii"))
    return b"".join(found[tag] for tag in sorted(found))


def _value(row: Attribute, value: object, codec: str) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, list):
        return b"".join(item(dataset(one, codec=codec)) for one in value)
    if isinstance(value, int) and row.vr == "US":
        return value.to_bytes(2, "little")
    return str(value).encode(codec)


def record(
    sop: str,
    series: str,
    study: str,
    *,
    sop_class: str = CT,
    charset: str = "",
    codec: str = "ascii",
    **keys: object,
) -> InstanceRecord:
    """A record; `keys` are keywords of attributes.py, put at their levels."""
    values = {
        "SOPInstanceUID": sop, "SOPClassUID": sop_class, "SeriesInstanceUID": series,
        "StudyInstanceUID": study,
    } | keys  # fmt: skip
    levels: dict[str, dict[Attribute, object]] = {level: {} for level in LEVELS}
    for row in ATTRIBUTES:
        if row.keyword in values:
            levels[row.level][row] = values[row.keyword]
    datasets = [dataset(levels[level], charset, codec) for level in LEVELS]
    return InstanceRecord(sop_class, sop, study, series, *datasets)


def put(
    sop: str,
    series: str,
    study: str,
    *,
    path: str = "",
    size: int = 1000,
    replace: bool = False,
    **keys: object,
) -> Put:
    """A Put of `record`, with a file named after the instance."""
    file = FileEntry(path or f"b0/{sop}.dcm", size, 300, 0x1234, EXPLICIT, 1700000000.5, "SENDER")
    return Put(record(sop, series, study, **keys), file, replace)  # type: ignore[arg-type]
