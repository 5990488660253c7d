"""A date and its time looked at together: combined date-time matching and timezone adjustment, where they
were negotiated. PS3.4 C.2.2.2.5, C.5.1.1.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from fastdicom.dataset.identifier import Identifier, Key
from fastdicom.index.conditions import EVERYTHING, Condition, date_ends, is_universal, time_ends
from fastdicom.index.times import moment_from, moment_of, offset_of, shifted
from fastdicom.kernels.query import DATE, Selector

PAIRS = (
    (0x00080020, 0x00080030),  # Study Date and Time
    (0x00080021, 0x00080031),  # Series
    (0x00080012, 0x00080013),  # Instance Creation
    (0x00080022, 0x00080032),  # Acquisition
    (0x00080023, 0x00080033),  # Content
    (0x00100030, 0x00100032),  # Patient's Birth
    (0x00400244, 0x00400245),  # Performed Procedure Step Start
    (0x00700082, 0x00700083),  # Presentation Creation
)
Ends = tuple[str, str]
"""The first and the last that match, "" for an open end."""

_DAY = datetime.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Pair:
    """One date with its time. sieve: a condition on the date alone that lets all matches pass.

    dates, times: the ranges that match, None when that key has no value.
    combined: as one moment; else the date and the time of day each by itself. offset: of the asker's clock.
    """

    date: int
    time: int
    sieve: Condition
    dates: list[Ends] | None
    times: list[Ends] | None
    combined: bool
    offset: datetime.timedelta | None

    def check(self, index: Mapping[int, int], zone: int | None) -> Callable[[Selector], bool]:
        """The Check of index/query.py. index: tag -> slot. zone: the slot of the data's own offset."""
        date_slot, time_slot = index[self.date], index[self.time]

        def check(selector: Selector) -> bool:
            offset = None if zone is None else selector.value(zone)
            return self.matches(selector.value(date_slot), selector.value(time_slot), offset)

        return check

    def matches(self, date: bytes | None, time: bytes | None, zone: bytes | None) -> bool:
        """True when a date, its time and the clock that they are on match."""
        found = moment_from(date, time, zone)
        if found is None or (self.dates is not None and not date) or (self.times is not None and not time):
            return False
        moment = found.first
        if self.offset is not None and found.offset is not None and time:
            moment = shifted(moment, self.offset - found.offset)
        day = moment.strftime("%Y%m%d").rjust(8, "0")
        clock = moment.strftime("%H%M%S%f")
        if self.combined and self.dates is not None and self.times is not None:
            joined = [_joined(dates, times) for dates in self.dates for times in self.times]
            return _within(day + clock, joined)
        if self.dates is not None and not _within(day, self.dates):
            return False
        return self.times is None or _within(clock, self.times)


def _joined(dates: Ends, times: Ends) -> Ends:
    low = dates[0] and dates[0] + (times[0] or "0" * 12)
    high = dates[1] and dates[1] + (times[1] or "9" * 12)
    return low, high


def _within(value: str, ranges: list[Ends]) -> bool:
    return any(value >= low and (not high or value <= high) for low, high in ranges)


def pairs_of(identifier: Identifier, tags: set[int]) -> list[Pair]:
    """The pairs that have to be looked at together. tags: the keys that the index matches."""
    terms = identifier.terms
    offset = offset_of(identifier.timezone) if terms.timezone else None
    if not terms.datetime and offset is None:
        return []
    found = []
    for date_tag, time_tag in PAIRS:
        date, time = _valued(identifier, date_tag, tags), _valued(identifier, time_tag, tags)
        combined = terms.datetime and date is not None and time is not None
        if combined or (offset is not None and (date is not None or time is not None)):
            found.append(_pair(date_tag, time_tag, date, time, combined, offset))
    return found


def _valued(identifier: Identifier, tag: int, tags: set[int]) -> Key | None:
    key = identifier.key(tag)
    return None if key is None or tag not in tags or is_universal(key) else key


def _pair(
    date_tag: int,
    time_tag: int,
    date: Key | None,
    time: Key | None,
    combined: bool,
    offset: datetime.timedelta | None,
) -> Pair:
    dates = None if date is None else _texts(date_ends(date))
    times = None if time is None else _texts(time_ends(time))
    sieve: Condition = EVERYTHING if dates is None else (DATE, _widened(dates, offset is not None))
    return Pair(date_tag, time_tag, sieve, dates, times, combined, offset)


def _texts(ranges: list[tuple[bytes, bytes]]) -> list[Ends]:
    return [(low.decode("ascii"), high.decode("ascii")) for low, high in ranges]


def _widened(dates: list[Ends], widen: bool) -> tuple[bytes, ...]:
    """A day more at both ends: clocks are at most a day apart."""
    moved = [(_moved(low, -_DAY), _moved(high, _DAY)) for low, high in dates] if widen else dates
    return tuple(end.encode("ascii") for ends in moved for end in ends)


def _moved(date: str, by: datetime.timedelta) -> str:
    moment = moment_of(date) if date else None
    return date if moment is None else shifted(moment.first, by).strftime("%Y%m%d").rjust(8, "0")
