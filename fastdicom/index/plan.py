"""Which ordered key leads to the matches by the shortest way.

The keys that an identifier allows race: each collects entities from its range of LMDB's ordered keys, in
turns, and the first whose range ends has won. That costs at most as many steps as there are keys times what
the best one needs, and no statistics. When every range is long, reading all rows in order is faster.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from fastdicom.dataset.identifier import UNIQUE_KEYS
from fastdicom.index.conditions import Condition
from fastdicom.index.keys import (
    ACCESSION_NUMBER,
    KEY_VALUE_LENGTH_MAX,
    KEYED,
    PATIENT_BIRTH_DATE,
    PATIENT_ID,
    PATIENT_NAME,
    STUDY_DATE,
    STUDY_ID,
    STUDY_INSTANCE_UID,
    key_prefix,
    sought,
)
from fastdicom.index.schema import opaque
from fastdicom.kernels.query import ANY_OF, DATE, LIKE, MEMBER, NAME

_FIRST_TO_TRY = (
    STUDY_INSTANCE_UID, ACCESSION_NUMBER, PATIENT_ID, PATIENT_NAME, STUDY_ID, STUDY_DATE, PATIENT_BIRTH_DATE,
)  # fmt: skip
_TURN = 64  # entities that one key collects before the next has its turn
_SCAN_ADVANTAGE = 8  # reading rows in order is so many times faster than fetching them one by one
_CANDIDATES_MAX = 20_000  # collecting them takes some 15 ms, in which nobody looks for a C-CANCEL
_END = b"\xff" * 16
_IMAGE = 3

Range = tuple[bytes, bytes]
"""(first key, the first key behind)."""


class Sieve(NamedTuple):
    """The ranges of one attribute's keys in which all matches are."""

    tag: int
    ranges: tuple[Range, ...]


def sieves(conditions: Mapping[int, Condition], level: int) -> list[Sieve]:
    """What could lead to the matches at the level of a patient (0), study (1) or series (2)."""
    found = []
    for tag in sorted(KEYED[level], key=lambda tag: _FIRST_TO_TRY.index(tag) if tag in _FIRST_TO_TRY else 0):
        if tag in conditions:
            ranges = _ranges(key_prefix(level, tag), KEYED[level][tag], *conditions[tag])
            if ranges is not None:
                found.append(Sieve(tag, tuple(sorted(set(ranges)))))
    return found


def _ranges(prefix: bytes, vr: str, kind: int, operand: Any) -> list[Range] | None:
    """None when the condition gives no beginning to look for."""
    if kind in (ANY_OF, MEMBER):
        return [_exact(prefix, opaque(one) if vr == "UI" else one) for one in operand]
    if kind == DATE:
        return [
            (prefix + low, prefix + high + _END)
            for low, high in zip(operand[::2], operand[1::2], strict=True)
        ]
    if kind == NAME:
        return _all([_pattern(prefix, _longest_group(one)) for one in operand])
    if kind == LIKE:
        return _all([_pattern(prefix, one) for one in operand])
    return None


def _all(ranges: list[Range | None]) -> list[Range] | None:
    known = [one for one in ranges if one is not None]
    return known if len(known) == len(ranges) else None


def _exact(prefix: bytes, value: bytes) -> Range:
    start = prefix + sought(value)
    return start, start + _END


def _pattern(prefix: bytes, pattern: bytes) -> Range | None:
    literal = literal_start(pattern)
    if literal == pattern:
        return _exact(prefix, literal)
    if not literal:
        return None
    start = prefix + literal[:KEY_VALUE_LENGTH_MAX]
    return start, start + _END


def _longest_group(pattern: bytes) -> bytes:
    return max(pattern.split(b"="), key=lambda group: len(literal_start(group)))


def literal_start(pattern: bytes) -> bytes:
    """What stands before the first wild card."""
    for at, byte in enumerate(pattern):
        if byte in b"*?":
            return pattern[:at]
    return pattern


class Candidates(NamedTuple):
    """Where to look. tag: the key that was used, None when all rows are read. entities: values of `keys`."""

    tag: int | None
    entities: list[bytes] | None


def candidates(transaction: Any, keys: Any, found: list[Sieve], total: int | None) -> Candidates:
    """The shortest list of entities that holds all matches, without duplicates and in order of serials.

    total: how many entities there are; None when reading all of them is no choice.
    """
    ceiling = sys.maxsize if total is None else min(max(total // _SCAN_ADVANTAGE, 2 * _TURN), _CANDIDATES_MAX)
    racing: list[tuple[Sieve, list[bytes], Iterator[bytes]]] = [
        (sieve, [], _collect(transaction.cursor(db=keys), sieve)) for sieve in found
    ]
    while racing:
        for runner in list(racing):
            sieve, collected, steps = runner
            for _ in range(_TURN):
                entity = next(steps, None)
                if entity is None:
                    return Candidates(sieve.tag, sorted(set(collected)))
                collected.append(entity)
            if len(collected) > ceiling:
                racing.remove(runner)
    return Candidates(None, None)


def _collect(cursor: Any, sieve: Sieve) -> Iterator[bytes]:
    for first, behind in sieve.ranges:
        if not cursor.set_range(first):
            continue
        for key, entity in cursor:
            if bytes(key) >= behind:
                break
            yield bytes(entity)


def wanted_uids(conditions: Mapping[int, Condition], level: str) -> list[bytes] | None:
    """The UIDs that the unique key of a level lists; None when it does not say which."""
    kind, operand = conditions.get(UNIQUE_KEYS[level], (0, None))
    if kind in (ANY_OF, MEMBER):
        return sorted(operand)  # type: ignore[call-overload, no-any-return]
    return None
