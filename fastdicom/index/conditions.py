"""What the value of one key means: the kind of matching and what the kernel needs for it. PS3.4 C.2.2.2."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Final

from fastdicom.dataset.identifier import NUMBER_FORMATS, Key
from fastdicom.errors import Refused
from fastdicom.index.folding import canonical_name, fold, folded_name, trimmed_values
from fastdicom.kernels.query import ANY_OF, CALL, DATE, LIKE, MEMBER, NAME, TIME, UNIVERSAL
from fastdicom.standard.status import DOES_NOT_MATCH_SOP_CLASS

Condition = tuple[int, object]
"""(kind of matching, operand) of kernels/query.pyi."""

EVERYTHING: Final[Condition] = (UNIVERSAL, None)
_MANY = 8  # from so many values on a set is faster than a list
_TIME_DIGITS = 12
_WILD_CARD_VRS = frozenset({"AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"})  # PS3.4 C.2.2.2.4
_NUMBERS = frozenset(("DS", "IS", *NUMBER_FORMATS))


def has_wild_card(value: str) -> bool:
    """True for `*` or `?`."""
    return "*" in value or "?" in value


def condition_of(key: Key) -> Condition:
    """How a key that is no sequence matches. Raises Refused(A900H) for a value that means nothing."""
    values = key.values
    if not values or any(not value.strip("*") for value in values):
        return EVERYTHING  # empty, or nothing but `*`: universal matching, C.2.2.2.3, C.2.2.2.4
    if key.vr == "PN":
        return NAME, tuple(_name_pattern(value) for value in values)
    if key.vr == "DA":
        return _date(key)
    if key.vr == "TM":
        return _time(key)
    if key.vr in _NUMBERS:
        return CALL, _number_matcher(key.vr, values)
    encoded = tuple(value.encode("utf-8") for value in values)
    if key.vr in _WILD_CARD_VRS and any(has_wild_card(value) for value in values):
        return LIKE, encoded
    return (MEMBER, frozenset(encoded)) if len(encoded) > _MANY else (ANY_OF, encoded)


def _name_pattern(value: str) -> bytes:
    if has_wild_card(value):
        return canonical_name(fold(value)).encode("utf-8")
    return folded_name(value).encode("utf-8")


def is_range(value: str) -> bool:
    """True for `a-b`, `a-` and `-b` of dates and times."""
    return "-" in value


def date_ends(key: Key) -> tuple[bytes, bytes]:
    """The first and the last date of a DA key, b"" for an open end. Raises Refused."""
    low, high = _ends(key)
    for end in (low, high):
        if end and not (len(end) == 8 and end.isascii() and end.isdigit()):
            raise _unreadable(key, "date")
    return low.encode("ascii"), high.encode("ascii")


def _ends(key: Key) -> tuple[str, str]:
    if len(key.values) != 1:
        raise _unreadable(key, "range")
    value = key.values[0].replace(".", "") if key.vr == "DA" else key.values[0].replace(":", "")
    low, dash, high = value.partition("-")
    return (low.strip(), high.strip()) if dash else (value, value)


def _date(key: Key) -> Condition:
    if len(key.values) > 1 and not any(is_range(value) for value in key.values):
        return ANY_OF, tuple(value.encode("utf-8") for value in key.values)
    return DATE, date_ends(key)


def _time(key: Key) -> Condition:
    low, high = (_time_digits(key, end) for end in _ends(key))
    # A single value is a point; the end of a range means all of the second, minute or hour that it names.
    fill = b"9" if is_range(key.values[0]) else b"0"
    return TIME, (
        low.ljust(_TIME_DIGITS, b"0") if low else b"",
        high.ljust(_TIME_DIGITS, fill) if high else b"",
    )


def _time_digits(key: Key, end: str) -> bytes:
    digits = end.replace(".", "")
    if end and not (digits.isascii() and digits.isdigit() and 2 <= len(digits) <= _TIME_DIGITS):
        raise _unreadable(key, "time")
    return digits.encode("ascii")


def _unreadable(key: Key, what: str) -> Refused:
    tag = key.tag
    comment = f"({tag >> 16:04X},{tag & 0xFFFF:04X}) is no {what} that can be matched"
    return Refused(DOES_NOT_MATCH_SOP_CLASS, comment, (tag,))


def _number_matcher(vr: str, values: tuple[str, ...]) -> Callable[[bytes | None], bool]:
    """Numbers match by value: IS and DS may be written in several ways. PS3.5 6.2."""
    wanted = {_as_number(value) for value in values}

    def matches(value: bytes | None) -> bool:
        return value is not None and not wanted.isdisjoint(numbers_in(vr, value))

    return matches


def numbers_in(vr: str, value: bytes) -> list[float | str]:
    """The numbers in the value of a row's element; text that is none stays text."""
    if vr in ("IS", "DS"):
        return [_as_number(one.decode("latin_1")) for one in trimmed_values(value)]
    one = struct.Struct("<" + NUMBER_FORMATS[vr])
    return [number for (number,) in one.iter_unpack(value[: len(value) // one.size * one.size])]


def _as_number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text
