"""Series of interval values: exact sums, gaps, late points, and local days that have 46 or 50 half-hours."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, Inexact, localcontext
from enum import StrEnum
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

HALF_HOUR = timedelta(minutes=30)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Quality(StrEnum):
    """What a value is worth, the least first: a better one replaces a lesser one, never the other way. Edited: put right by a person, for good."""

    ESTIMATED = "estimated"
    MEASURED = "measured"
    EDITED = "edited"


_RANK: Mapping[Quality, int] = {quality: rank for rank, quality in enumerate(Quality)}


class IntervalFault(Exception):
    """An interval series that cannot be what is asked of it; the message names the time or the unit and says why."""


def exact_sum(values: Iterable[Decimal]) -> Decimal:
    """Add up without ever rounding."""
    with localcontext() as context:
        context.prec, context.traps[Inexact] = 1_000, True
        return sum(values, Decimal(0))


def difference(value: Decimal, other: Decimal) -> Decimal:
    """Subtract without ever rounding."""
    return exact_sum((value, other.copy_negate()))


@dataclass(frozen=True, slots=True)
class Point:
    """The value of one interval. start: when it begins, UTC. written: when the value came about; the later of two equally good ones counts.

    flag: quality and reason in the words of the source, such as NEM12's ``S14 32 comms fault``.
    """

    start: datetime
    value: Decimal
    quality: Quality = Quality.MEASURED
    flag: str = ""
    written: datetime | None = None

    def __post_init__(self) -> None:
        if self.start.tzinfo is None:
            raise IntervalFault(f"{self.start}: a time without its zone is no point in time")
        if not self.value.is_finite():
            raise IntervalFault(f"{self.start}: the value is {self.value}")
        object.__setattr__(self, "start", self.start.astimezone(UTC))

    def replaces(self, other: "Point") -> bool:
        """Tell whether this value takes the place of another of the same interval."""
        mine, its = _RANK[self.quality], _RANK[other.quality]
        if mine != its:
            return mine > its
        return self.written is not None and (other.written is None or self.written > other.written)

    def content(self, unit: str) -> dict[str, Any]:
        """Give the content of a timeSeriesInstance; the value is a decimal text, so that it stays exact."""
        return {"ts": f"{self.start:%Y%m%dT%H%M%S}", "value": f"{self.value:f}", "unit": unit, "quality": self.quality.value} | (
            {"flag": self.flag} if self.flag else {}
        )


@dataclass(frozen=True, slots=True)
class Total:
    """A sum over intervals. quality: the least good one of its values. missing: how many intervals had none, so that it is no total."""

    value: Decimal
    quality: Quality
    count: int
    missing: int

    @property
    def complete(self) -> bool:
        """Every interval had its value."""
        return not self.missing


@dataclass(frozen=True, slots=True)
class Span:
    """Intervals without a value that follow each other: from ``start`` to before ``end``."""

    start: datetime
    end: datetime
    count: int


@dataclass(frozen=True, slots=True)
class Added:
    """What became of points that came in: new ones filled an empty interval, ``replaced`` are the values that had to go, ``kept`` the points that did not."""

    new: tuple[Point, ...]
    replaced: tuple[Point, ...]
    kept: tuple[Point, ...]


def _least(qualities: Iterable[Quality]) -> Quality:
    """Give the quality of what is made of values: estimated as soon as one is, then edited as soon as one is."""
    found = set(qualities)
    return next((quality for quality in (Quality.ESTIMATED, Quality.EDITED) if quality in found), Quality.MEASURED)


@dataclass(frozen=True, slots=True)
class Series:
    """Values of intervals of one length, at most one an interval, by their start. origin: a time at which an interval begins."""

    length: timedelta
    unit: str
    origin: datetime = EPOCH
    points: Mapping[datetime, Point] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.length <= timedelta(0):
            raise IntervalFault(f"{self.length} is no length of an interval")

    def __iter__(self) -> Iterator[Point]:
        return iter(self.points.values())

    def __len__(self) -> int:
        return len(self.points)

    def add(self, points: Iterable[Point]) -> tuple["Series", Added]:
        """Take in points in any order, late ones and repeated ones too, each at its original time; IntervalFault when one begins between intervals.

        Of two values of an interval the better quality counts, then the later written, then the one that was there.
        """
        there = dict(self.points)
        new: dict[datetime, None] = {}
        replaced: list[Point] = []
        kept: list[Point] = []
        for point in points:
            self._on_grid(point.start)
            other = there.get(point.start)
            if other is not None and not point.replaces(other):
                kept.append(point)
                continue
            if other is None:
                new[point.start] = None
            else:
                replaced.append(other)
            there[point.start] = point
        ordered = MappingProxyType(dict(sorted(there.items())))
        return replace(self, points=ordered), Added(tuple(there[start] for start in new), tuple(replaced), tuple(kept))

    def _on_grid(self, moment: datetime) -> None:
        if (moment - self.origin) % self.length:
            raise IntervalFault(f"{moment:%Y%m%dT%H%M%S}: no interval of {self.length} begins then")

    def starts(self, since: datetime, until: datetime) -> tuple[datetime, ...]:
        """Give the starts of all intervals from a time to before another."""
        since, until = since.astimezone(UTC), until.astimezone(UTC)
        self._on_grid(since)
        self._on_grid(until)
        return tuple(since + number * self.length for number in range((until - since) // self.length))

    def gaps(self, since: datetime, until: datetime) -> tuple[Span, ...]:
        """Find where values are missing, intervals that follow each other together."""
        found: list[Span] = []
        for start in self.starts(since, until):
            if start in self.points:
                continue
            if found and found[-1].end == start:
                found[-1] = replace(found[-1], end=start + self.length, count=found[-1].count + 1)
            else:
                found.append(Span(start, start + self.length, 1))
        return tuple(found)

    def total(self, since: datetime, until: datetime) -> Total:
        """Add up the values from a time to before another, exactly."""
        starts = self.starts(since, until)
        found = [self.points[start] for start in starts if start in self.points]
        return Total(exact_sum(point.value for point in found), _least(point.quality for point in found), len(found), len(starts) - len(found))

    def day(self, day: date, zone: ZoneInfo) -> Total:
        """Add up a local day, which has 23, 24 or 25 hours."""
        return self.total(*day_bounds(day, zone))

    def days(self, zone: ZoneInfo) -> Mapping[date, Total]:
        """Add up every local day of which there is a value."""
        return {day: self.day(day, zone) for day in sorted({point.start.astimezone(zone).date() for point in self})}

    def grouped(self, length: timedelta) -> "Series":
        """Give the series of longer intervals; one of which a part is missing is missing."""
        if length % self.length:
            raise IntervalFault(f"intervals of {length} are not made of intervals of {self.length}")
        parts: dict[datetime, list[Point]] = {}
        for point in self:
            start = point.start - (point.start - self.origin) % length
            parts.setdefault(start, []).append(point)
        whole = length // self.length
        made = (_made(start, exact_sum(point.value for point in found), found) for start, found in parts.items() if len(found) == whole)
        return Series(length, self.unit, self.origin).add(made)[0]

    def net(self, export: "Series") -> "Series":
        """Give import minus export of every interval of which both are known."""
        if (self.length, self.unit) != (export.length, export.unit):
            raise IntervalFault(f"import is in {self.unit} every {self.length}, export in {export.unit} every {export.length}")
        both = ((point, export.points[start]) for start, point in self.points.items() if start in export.points)
        made = (_made(taken.start, difference(taken.value, given.value), (taken, given)) for taken, given in both)
        return Series(self.length, self.unit, self.origin).add(made)[0]

    def estimated(self, span: Span, amount: Decimal, places: int = 3) -> "Series":
        """Fill a gap with equal parts of what the register counted meanwhile, marked as estimated; they add up to the amount exactly."""
        starts = [start for start in self.starts(span.start, span.end) if start not in self.points]
        parts = zip(starts, spread(amount, len(starts), places), strict=True)
        return self.add(Point(start, value, Quality.ESTIMATED, "even share of the register's advance") for start, value in parts)[0]


def _made(start: datetime, value: Decimal, of: Sequence[Point]) -> Point:
    """Give a point made of others: of their least quality, written when the last of them was."""
    return Point(start, value, _least(point.quality for point in of), written=max((point.written for point in of if point.written), default=None))


def spread(amount: Decimal, count: int, places: int = 3) -> tuple[Decimal, ...]:
    """Divide an amount into parts that add up to it exactly and differ by one unit of the last place at most; a finer amount has finer parts."""
    if not count:
        return ()
    sign, digits, exponent = amount.as_tuple()
    if not isinstance(exponent, int):
        raise IntervalFault(f"{amount} cannot be divided")
    places = max(places, -exponent)
    units = int("".join(map(str, digits))) * 10 ** (places + exponent)
    whole, more = divmod(units, count)
    parts = (whole + more * (number + 1) // count - more * number // count for number in range(count))
    return tuple(Decimal((sign, tuple(map(int, str(part))), -places)) for part in parts)


def day_bounds(day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Give beginning and end of a local day, UTC."""
    begin, end = (datetime.combine(each, time(), zone).astimezone(UTC) for each in (day, day + timedelta(days=1)))
    return begin, end


def local_day(day: date, zone: ZoneInfo, length: timedelta = HALF_HOUR) -> tuple[datetime, ...]:
    """Give the starts of the intervals of a local day, UTC: 46 or 50 half-hours where the clocks change, else 48."""
    begin, end = day_bounds(day, zone)
    return Series(length, "", begin).starts(begin, end)
