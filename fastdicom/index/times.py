"""Moments: values of VR DT, and dates with their times where they are matched as one. PS3.4 C.2.2.2.5.

A value names a span: from the first to the last moment that its digits allow. A single value matches what
begins where it begins; a range takes in all from the first moment of its start to the last of its end.
Offsets from UTC count when both sides have one; otherwise clocks are compared as they stand.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from typing import NamedTuple

_MOMENT = re.compile(
    r"(\d{4})(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:\.(\d{1,6}))?)?)?)?)?)?([+-]\d{4})?"
)
_OFFSET = re.compile(r"([+-])(\d\d)(\d\d)")
_ANY_DAY = "20000101"
_FIRST = datetime.datetime.min
_LAST = datetime.datetime.max


def is_date(digits: str, *, bound: bool) -> bool:
    """True for a day of the calendar as YYYYMMDD.

    bound: of a range, which people end with the 31st of any month, or with nothing but zeros or nines.
    """
    if not (len(digits) == 8 and digits.isascii() and digits.isdigit()):
        return False
    if bound:
        in_order = "01" <= digits[4:6] <= "12" and "01" <= digits[6:] <= "31"
        return in_order or digits in ("00000000", "99999999")
    try:
        datetime.date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        return False
    return True


def is_time(digits: str, *, bound: bool) -> bool:
    """True for a time of day as HH, HHMM and so on, a second more for leap seconds.

    bound: of a range, which may end with 24 hours, or with nothing but nines.
    """
    if not (digits.isascii() and digits.isdigit()):
        return False
    if digits[:2] <= "23" and digits[2:4] < "6" and digits[4:6] <= "60":
        return True
    return bound and (digits.rstrip("0") == "24" or not digits.strip("9"))


class Moment(NamedTuple):
    """A date-time value. first, last: what it may mean, on its own clock. offset: from UTC, or None."""

    first: datetime.datetime
    last: datetime.datetime
    offset: datetime.timedelta | None


def offset_of(text: str) -> datetime.timedelta | None:
    """`+0130` as a duration; None when it is no Timezone Offset From UTC. PS3.3 C.12.1.1.8."""
    match = _OFFSET.fullmatch(text.strip(" \0"))
    if match is None:
        return None
    minutes = int(match[2]) * 60 + int(match[3])
    if minutes > 14 * 60 or (match[1] == "-" and minutes > 12 * 60):
        return None
    return datetime.timedelta(minutes=minutes if match[1] == "+" else -minutes)


def moment_of(text: str) -> Moment | None:
    """One value of VR DT; None when it is none."""
    match = _MOMENT.fullmatch(text)
    if match is None:
        return None
    *fields, fraction, offset_text = match.groups()
    offset = offset_of(offset_text) if offset_text else None
    if offset_text and offset is None:
        return None
    year, month, day, hour, minute, second = (None if one is None else int(one) for one in fields)
    assert year is not None  # the pattern begins with it
    try:  # zeros for a month or a day are no month and no day
        first = datetime.datetime(
            year, 1 if month is None else month, 1 if day is None else day,
            hour or 0, minute or 0, min(second or 0, 59),
            int(fraction.ljust(6, "0")) if fraction else 0,
        )  # fmt: skip
    except ValueError:
        return None
    return Moment(first, _last_moment(first, month, day, hour, minute, second, fraction), offset)


def _last_moment(
    first: datetime.datetime,
    month: int | None,
    day: int | None,
    hour: int | None,
    minute: int | None,
    second: int | None,
    fraction: str | None,
) -> datetime.datetime:
    if fraction is not None:
        span = datetime.timedelta(microseconds=10 ** (6 - len(fraction)))
    elif second is not None:
        span = datetime.timedelta(seconds=1)
    elif minute is not None:
        span = datetime.timedelta(minutes=1)
    elif hour is not None:
        span = datetime.timedelta(hours=1)
    elif day is not None:
        span = datetime.timedelta(days=1)
    elif month is not None:
        return _before(first.year + first.month // 12, first.month % 12 + 1)
    else:
        return _before(first.year + 1, 1)
    return first + (span - datetime.timedelta(microseconds=1))


def _before(year: int, month: int) -> datetime.datetime:
    if year > _LAST.year:
        return _LAST
    return datetime.datetime(year, month, 1) - datetime.timedelta(microseconds=1)


class MomentRange(NamedTuple):
    """What a DT key asks for; None is an open end. single: one value and no range."""

    low: Moment | None
    high: Moment | None
    single: bool

    def holds(self, moment: Moment) -> bool:
        """True when a value of the data matches."""
        if self.single:
            assert self.low is not None
            mine, other = _comparable(self.low, self.low.first, moment)
            return mine == other
        if self.low is not None:
            mine, other = _comparable(self.low, self.low.first, moment)
            if other < mine:
                return False
        if self.high is not None:
            mine, other = _comparable(self.high, self.high.last, moment)
            if other > mine:
                return False
        return True


def _comparable(
    key: Moment, end: datetime.datetime, moment: Moment
) -> tuple[datetime.datetime, datetime.datetime]:
    """The key's end and the data's first moment on one clock."""
    if key.offset is None or moment.offset is None:
        return end, moment.first
    return shifted(end, -key.offset), shifted(moment.first, -moment.offset)


def shifted(moment: datetime.datetime, by: datetime.timedelta) -> datetime.datetime:
    """A moment later by a duration; the calendar's ends stay."""
    try:
        return moment + by
    except OverflowError:
        return _FIRST if by < datetime.timedelta() else _LAST


def moment_range(text: str) -> MomentRange | None:
    """A DT key's value: `a`, `a-b`, `a-` or `-b`. A hyphen that begins a valid offset is part of it.

    None when it is neither. PS3.4 C.2.2.2.5.3.
    """
    single = moment_of(text)
    if single is not None:
        return MomentRange(single, single, True)
    for at in (index for index, one in enumerate(text) if one == "-"):
        low, high = text[:at].strip(), text[at + 1 :].strip()
        ends = [moment_of(low) if low else None, moment_of(high) if high else None]
        if (low or high) and (not low or ends[0]) and (not high or ends[1]):
            return MomentRange(ends[0], ends[1], False)
    return None


def moment_matcher(ranges: list[MomentRange]) -> Callable[[bytes | None], bool]:
    """For the kernel: does an element of VR DT match one of the key's values?"""

    def matches(value: bytes | None) -> bool:
        if value is None:
            return False
        moments = (moment_of(one.strip(" \0")) for one in value.decode("latin_1").split("\\"))
        return any(one is not None and any(each.holds(one) for each in ranges) for one in moments)

    return matches


# A date and its time as one moment.


def moment_from(date: bytes | None, time: bytes | None, offset: bytes | None) -> Moment | None:
    """The moment that a DA and a TM element name, by the first value of each; None when it is none.

    Without a date element the time is one of an arbitrary day.
    """
    day = _first_value(date).replace(".", "") or _ANY_DAY
    clock = _first_value(time).replace(":", "")
    zone = offset_of(_first_value(offset))
    found = moment_of(day + clock) if clock else None
    found = found or moment_of(day)
    return None if found is None else found._replace(offset=zone)


def _first_value(value: bytes | None) -> str:
    return "" if value is None else value.decode("latin_1").split("\\")[0].strip(" \0")
