"""Which attributes the rows of an index hold: written when it is made, for everybody who opens it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fastdicom.dataset.attributes import BY_TAG, Attribute


def packed(attributes: Sequence[Attribute]) -> bytes:
    """Attributes as `meta` has them: a line of tag, VR, level and keyword each."""
    lines = (f"{row.tag:08X} {row.vr} {row.level} {row.keyword}" for row in attributes)
    return "\n".join(lines).encode("ascii")


def unpacked(data: bytes) -> tuple[Attribute, ...]:
    """What `packed` packed."""
    return tuple(_row(*line.split(" ")) for line in data.decode("ascii").split("\n") if line)


def _row(tag: str, vr: str, level: str, keyword: str = "") -> Attribute:
    number = int(tag, 16)
    known = BY_TAG.get(number)
    if known is not None and (known.vr, known.level) == (vr, level):
        return known
    return Attribute(number, vr, keyword or tag, level)


def lacking(wanted: Iterable[Attribute], kept: Iterable[Attribute]) -> tuple[Attribute, ...]:
    """Those of `wanted` that rows do not hold, or hold at another level."""
    there = {(row.tag, row.vr, row.level) for row in kept}
    return tuple(row for row in wanted if (row.tag, row.vr, row.level) not in there)
