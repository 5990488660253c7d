"""What the value of one key means: the kind of matching and what the kernel needs for it. PS3.4 C.2.2.2."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Final, cast

from fastdicom.dataset.attributes import BY_TAG
from fastdicom.dataset.identifier import BINARY_VRS, NUMBER_FORMATS, Key
from fastdicom.dataset.terms import DEFAULT_TERMS, Terms
from fastdicom.errors import Refused
from fastdicom.index.folding import canonical_name, fold, fold_case, trimmed_values
from fastdicom.index.keys import PATIENT_NAME
from fastdicom.index.phonetic import fuzzy_matcher
from fastdicom.index.times import MomentRange, is_date, is_time, moment_matcher, moment_range
from fastdicom.kernels.query import ANY_OF, CALL, DATE, LIKE, MEMBER, NAME, TIME, UNIVERSAL, Selector
from fastdicom.standard.status import DOES_NOT_MATCH_SOP_CLASS

Condition = tuple[int, object]
"""(kind of matching, operand) of kernels/query.pyi."""

ValueMatcher = Callable[[bytes | None], bool]
"""Does the value of an element match? None: it is absent."""

EVERYTHING: Final[Condition] = (UNIVERSAL, None)
_ANY_LEVEL = 3
_MANY = 8  # from so many values on a set is faster than a list
_TIME_DIGITS = 12
_WILD_CARD_VRS = frozenset({"AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"})  # PS3.4 C.2.2.2.4
_NUMBERS = frozenset(("DS", "IS", *NUMBER_FORMATS))


def has_wild_card(value: str) -> bool:
    """True for `*` or `?`."""
    return "*" in value or "?" in value


def is_universal(key: Key) -> bool:
    """True when a key that is no sequence matches everything: empty, or nothing but `*`.

    PS3.4 C.2.2.2.3, C.2.2.2.4.
    """
    return not key.values or any(not value.strip("*") for value in key.values)


def condition_of(key: Key, terms: Terms = DEFAULT_TERMS) -> Condition:
    """How a key that is no sequence matches. Raises Refused(A900H) for a value that means nothing."""
    values = key.values
    if is_universal(key):
        return EVERYTHING
    if key.vr == "PN":
        return (CALL, fuzzy_matcher(values)) if terms.fuzzy else (NAME, name_patterns(values))
    if key.vr == "DA":
        return DATE, flat(date_ends(key))
    if key.vr == "TM":
        return TIME, flat(time_ends(key))
    if key.vr == "DT":
        return CALL, moment_matcher([_moment_range(key, value) for value in values])
    if key.vr in _NUMBERS:
        return CALL, _number_matcher(key.vr, values)
    if key.vr in BINARY_VRS or key.vr == "AT":
        return CALL, _binary_matcher(key.vr, values)
    encoded = tuple(value.encode("utf-8", "surrogatepass") for value in values)
    if key.vr in _WILD_CARD_VRS and any(has_wild_card(value) for value in values):
        return LIKE, encoded
    return (MEMBER, frozenset(encoded)) if len(encoded) > _MANY else (ANY_OF, encoded)


def name_patterns(values: tuple[str, ...]) -> tuple[bytes, ...]:
    """Patterns for kind NAME: folded."""
    return tuple(_name_pattern(value, fold) for value in values)


def case_matcher(values: tuple[str, ...]) -> ValueMatcher:
    """Names without regard to case but with their accents: where folding accents is not wanted."""
    return _name_matcher(tuple(_name_pattern(one, fold_case) for one in values), fold_case)


def value_matcher(key: Key, terms: Terms) -> ValueMatcher | None:
    """A key's condition on a value that does not stand in a row; None when everything matches."""
    kind, operand = condition_of(key, terms)
    if kind == UNIVERSAL:
        return None
    if kind == CALL:
        return cast(ValueMatcher, operand)
    if kind == NAME:
        folding = fold if terms.accent_folding else fold_case
        return _name_matcher(tuple(_name_pattern(one, folding) for one in key.values), folding)
    return _slot_matcher(key, kind, operand)


def _name_matcher(patterns: tuple[bytes, ...], folding: Callable[[str], str]) -> ValueMatcher:
    selector = Selector([(PATIENT_NAME, "PN", _ANY_LEVEL, False, NAME, patterns)])

    def matches(value: bytes | None) -> bool:
        if value is None:
            return False
        names = (canonical_name(folding(one)) for one in value.decode("utf-8", "replace").split("\\"))
        return any(selector.name_matches(0, one.encode("utf-8")) for one in names)

    return matches


def _slot_matcher(key: Key, kind: int, operand: object) -> ValueMatcher:
    """The kernel's rules, through a Selector with one slot."""
    selector = Selector([(key.tag, key.vr, _ANY_LEVEL, False, kind, operand)])

    def matches(value: bytes | None) -> bool:
        selector.set(0, value)
        return selector.matches(0)

    return matches


def _name_pattern(value: str, folding: Callable[[str], str]) -> bytes:
    return canonical_name(folding(value)).encode("utf-8", "surrogatepass")


def is_range(value: str) -> bool:
    """True for `a-b`, `a-` and `-b` of dates and times."""
    return "-" in value


def date_ends(key: Key) -> list[tuple[bytes, bytes]]:
    """The first and the last date of each value of a DA key, b"" for an open end. Raises Refused."""
    found = []
    for value in key.values:
        low, high = _ends(value.replace(".", ""))
        if not all(not end or is_date(end, bound=is_range(value)) for end in (low, high)):
            raise _unreadable(key, "is no date or range of dates")
        if low > high > "":
            raise _unreadable(key, "ends before it begins")
        found.append((low.encode("ascii"), high.encode("ascii")))
    return found


def time_ends(key: Key) -> list[tuple[bytes, bytes]]:
    """The first and the last time of each value of a TM key as 12 digits, b"" for an open end.

    A single value is a point; the end of a range is all of the second, minute or hour that it names.
    Raises Refused.
    """
    found = []
    for value in key.values:
        bound = is_range(value)
        low, high = (_time_digits(key, end, bound) for end in _ends(value.replace(":", "")))
        fill = b"9" if bound else b"0"
        found.append((low and low.ljust(_TIME_DIGITS, b"0"), high and high.ljust(_TIME_DIGITS, fill)))
    return found


def _ends(value: str) -> tuple[str, str]:
    low, dash, high = value.partition("-")
    return (low.strip(), high.strip()) if dash else (value, value)


def flat(ranges: list[tuple[bytes, bytes]]) -> tuple[bytes, ...]:
    """Ranges as the kernel takes them."""
    return tuple(end for ends in ranges for end in ends)


def _time_digits(key: Key, end: str, bound: bool) -> bytes:
    digits = end.replace(".", "")
    if end and not (2 <= len(digits) <= _TIME_DIGITS and is_time(digits, bound=bound)):
        raise _unreadable(key, "is no time or range of times")
    return digits.encode("ascii")


def _moment_range(key: Key, value: str) -> MomentRange:
    found = moment_range(value)
    if found is None:
        raise _unreadable(key, "is no date-time or range of them")
    return found


def _unreadable(key: Key, fault: str) -> Refused:
    """The value itself stays out of the comment: it may be about a patient, and comments are logged."""
    tag = key.tag
    row = BY_TAG.get(tag)
    name = row.keyword if row is not None else f"({tag >> 16:04X},{tag & 0xFFFF:04X})"
    return Refused(DOES_NOT_MATCH_SOP_CLASS, f"{name} {fault}", (tag,))


def _number_matcher(vr: str, values: tuple[str, ...]) -> ValueMatcher:
    """Numbers match by value: IS and DS may be written in several ways. PS3.5 6.2."""
    wanted = {_as_number(value) for value in values}

    def matches(value: bytes | None) -> bool:
        return value is not None and not wanted.isdisjoint(numbers_in(vr, value))

    return matches


def _binary_matcher(vr: str, values: tuple[str, ...]) -> ValueMatcher:
    """AT and bytes, which an identifier has as hexadecimal text."""
    wanted = set(values)

    def matches(value: bytes | None) -> bool:
        if value is None:
            return False
        if vr != "AT":
            return value.hex() in wanted
        pairs = struct.iter_unpack("<HH", value[: len(value) // 4 * 4])
        return any(f"{group:04X}{number:04X}" in wanted for group, number in pairs)

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
