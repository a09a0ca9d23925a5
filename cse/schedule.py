"""Schedules: seven fields that say which seconds are open time (TS-0004 6.3.5.11, 7.4.9)."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from cse.datatypes import schedule_fields

_EPOCH = date(1970, 1, 1)
_END = (date(9999, 12, 31) - _EPOCH).days * 86_400 + 86_400
# the calendar repeats after 400 years: what has not come by then in any year never comes
_CYCLE = 400


@dataclass(frozen=True, slots=True)
class Schedule:
    """One schedule string: all fields must fit; times are UTC. The sets of numbers are bits (bit n is set when n is allowed), the years are ranges."""

    second: int
    minute: int
    hour: int
    day: int
    month: int
    weekday: int
    years: tuple[range, ...]

    def open_at(self, epoch_seconds: float) -> bool:
        """Tell whether a moment lies in a second that matches."""
        if not 0 <= epoch_seconds < _END:
            return False
        at = datetime.fromtimestamp(math.floor(epoch_seconds), UTC)
        return bool(
            self.second >> at.second & self.minute >> at.minute & self.hour >> at.hour & 1
            and self.day >> at.day & self.month >> at.month & self.weekday >> at.isoweekday() % 7 & 1
            and self._in_year(at.year)
        )

    def next_open(self, after: float) -> float | None:
        """Give the first moment at or after ``after`` (seconds since the epoch) that is open: itself, or the start of a second; None when there is none."""
        if self.open_at(after):
            return after
        if not after < _END:
            return None
        start = max(0, math.ceil(after))
        first, seconds = divmod(start, 86_400)
        today = _EPOCH + timedelta(days=first)
        for day in self._days(today):
            time = self._time(seconds if day == today else 0)
            if time is not None:
                return float((day - _EPOCH).days * 86_400 + time)
        return None

    def _in_year(self, year: int) -> bool:
        return any(year in years for years in self.years)

    def _days(self, start: date) -> Iterator[date]:
        """Give the days that match, from ``start`` on."""
        months, days = _numbers(self.month), _numbers(self.day)
        for year in range(start.year, min(start.year + _CYCLE, 9999) + 1):
            if not self._in_year(year):
                continue
            for month in months:
                for day in days:
                    if (year, month, day) < (start.year, start.month, start.day) or day > _days_in(year, month):
                        continue
                    found = date(year, month, day)
                    if self.weekday >> found.isoweekday() % 7 & 1:
                        yield found

    def _time(self, least: int) -> int | None:
        """Give the first second of a day that matches and is not before ``least``, None when there is none."""
        minutes, seconds = _numbers(self.minute), _numbers(self.second)
        for hour in _numbers(self.hour):
            if hour * 3600 + 3599 < least:
                continue
            for minute in minutes:
                start = hour * 3600 + minute * 60
                if start + 59 < least:
                    continue
                for second in seconds:
                    if start + second >= least:
                        return start + second
        return None


def parse(text: str) -> Schedule:
    """Read a schedule string such as ``* 0-30 8-17 * * 1-5 *``. Raises ValueError naming the field that is wrong."""
    second, minute, hour, day, month, weekday, years = schedule_fields(text)
    return Schedule(_bits(second), _bits(minute), _bits(hour), _bits(day), _bits(month), _bits(weekday), years)


def _bits(ranges: tuple[range, ...]) -> int:
    bits = 0
    for numbers in ranges:
        for number in numbers:
            bits |= 1 << number
    return bits


def _numbers(bits: int) -> tuple[int, ...]:
    return tuple(value for value in range(bits.bit_length()) if bits >> value & 1)


def _days_in(year: int, month: int) -> int:
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 if month in (4, 6, 9, 11) else 31
