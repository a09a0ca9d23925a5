"""What a simulated meter measures: a London household's year, or what a real meter has told in a NEM12 file or a P1 stream."""

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path

from apps.demo.readings import DATA, household
from apps.metering.importers import Telegram, nem12, p1
from apps.metering.intervals import Point, Quality, Series

MICRO = 1_000_000
"""Registers count in millionths of their unit."""

_KILO: Mapping[str, Decimal] = {"W": Decimal("0.001"), "kW": Decimal(1), "Wh": Decimal("0.001"), "kWh": Decimal(1)}
"""Units of power and energy, and what one is in kilowatts or kilowatt-hours."""


class SourceFault(Exception):
    """A source that cannot feed a meter; the message names it and says why."""


@dataclass(frozen=True, slots=True)
class Interval:
    """What a real meter has told of an interval, in millionths of a kilowatt-hour; flag in the words of its file."""

    imported: int
    exported: int
    quality: str
    flag: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """What flows. load: kilowatts drawn at a time. registers: where they begin.

    length: seconds of the intervals, 0.0 for what has none. A meter whose own intervals are as long takes each exactly as it is, at its original time and with
    its quality; one that is missing is missing.
    """

    load: Callable[[float], float]
    registers: Mapping[str, int] = field(default_factory=dict)
    length: float = 0.0
    intervals: Mapping[float, Interval] = field(default_factory=dict)
    ends: Sequence[float] = ()

    def between(self, since: float, until: float) -> list[Interval]:
        """Give the intervals that end after a time and not after another."""
        return [self.intervals[end] for end in self.ends[bisect_right(self.ends, since) : bisect_right(self.ends, until)]]


def household_load(seconds: float) -> float:
    """Give what the household draws at a time of the year, in kilowatts: the same half hour of 2013."""
    year = household()
    moment = datetime.fromtimestamp(seconds, UTC)
    number = (moment.timetuple().tm_yday - 1) * 48 + moment.hour * 2 + moment.minute // 30
    return year[number % len(year)][1] * 2


HOUSEHOLD = Source(household_load)


@cache
def source(name: str) -> Source:
    """Give a source by its name: ``nem12:FILE``, ``p1:FILE`` (a path, or a file of apps/data), "" for the household.

    Raises SourceFault; ImportFault when the file is none of its kind.
    """
    kind, _, file = name.partition(":")
    match kind:
        case "":
            return HOUSEHOLD
        case "nem12":
            return _from_nem12(_bytes("nem12", file), name)
        case "p1":
            return _from_p1(_bytes("telegrams", file), name)
    raise SourceFault(f"{name}: there is no source {kind!r}; there are nem12:FILE and p1:FILE")


def _bytes(folder: str, file: str) -> bytes:
    path = Path(file)
    try:
        return path.read_bytes() if path.is_file() else (DATA / folder / file).read_bytes()
    except OSError as error:
        raise SourceFault(f"{file}: {error.strerror}") from error


# --- NEM12 ---------------------------------------------------------------------------------------------------------------------------------------------------


def _from_nem12(data: bytes, name: str) -> Source:
    """Feed a meter with the energy that a file has: streams E are what was used, B what was fed in. Reactive energy has no register here."""
    streams: dict[str, Series] = {}
    for channel, series in nem12(data).series().items():
        if series.unit in _KILO and channel.suffix[:1] in "EB":
            if channel.suffix[:1] in streams:
                raise SourceFault(f"{name}: more than one channel {channel.suffix[:1]}, where a meter has one")
            streams[channel.suffix[:1]] = series
    used = streams.get("E")
    if used is None:
        raise SourceFault(f"{name}: no channel E tells what was used")
    length = used.length.total_seconds()
    fed = streams.get("B", Series(used.length, used.unit, used.origin))
    if fed.length != used.length:
        raise SourceFault(f"{name}: channel B has intervals of {fed.length}, channel E of {used.length}")
    intervals = {point.start.timestamp() + length: _interval(point, fed.points.get(point.start), used.unit, fed.unit) for point in used}
    ends = tuple(intervals)
    first, span = ends[0] - length, ends[-1] - ends[0] + length

    def load(seconds: float) -> float:
        """Begin anew where the file ends."""
        found = intervals.get(first + (seconds - first) % span // length * length + length)
        return 0.0 if found is None else found.imported / MICRO * 3600 / length

    return Source(load, {}, length, intervals, ends)


def _interval(used: Point, fed: Point | None, unit: str, fed_unit: str) -> Interval:
    given = 0 if fed is None else _micro(fed.value, fed_unit)
    qualities = [used.quality] if fed is None else [used.quality, fed.quality]
    worst = next(quality for quality in (Quality.ESTIMATED, Quality.EDITED, Quality.MEASURED) if quality in qualities)
    return Interval(_micro(used.value, unit), given, worst.value, "" if used.quality == Quality.MEASURED else used.flag)


def _micro(value: Decimal, unit: str) -> int:
    return round(value * _KILO[unit] * MICRO)


# --- P1 ------------------------------------------------------------------------------------------------------------------------------------------------------


def _from_p1(data: bytes, name: str) -> Source:
    """Begin with the registers of a stream's first telegram, and draw what the stream tells: the power of each telegram until the next one."""
    telegrams = p1(data).telegrams
    powers = [(telegram.time.timestamp() if telegram.time else 0.0, power) for telegram in telegrams if (power := _value(telegram, "1.7.0")) is not None]
    if not powers:
        raise SourceFault(f"{name}: no telegram tells the power that is drawn (1.7.0)")
    powers.sort()
    times = [at for at, _ in powers]
    span = times[-1] - times[0]

    def load(seconds: float) -> float:
        """Begin anew where the stream ends."""
        at = times[0] + (seconds - times[0]) % span if span else times[0]
        return float(powers[bisect_right(times, at) - 1][1])

    return Source(load, {code: round(value * MICRO) for code, value in _registers(telegrams[0]).items()})


def _registers(telegram: Telegram) -> dict[str, Decimal]:
    """Give the registers that a meter here has; what a telegram has no total of is the sum of its tariffs."""
    found = {code: value for code in ("1.8.1", "1.8.2", "2.8.0") if (value := _value(telegram, code)) is not None}
    if "1.8.1" not in found and (total := _value(telegram, "1.8.0")) is not None:
        found["1.8.1"] = total
    parts = [value for code in ("2.8.1", "2.8.2") if (value := _value(telegram, code)) is not None]
    return found if "2.8.0" in found or not parts else {**found, "2.8.0": sum(parts, Decimal(0))}


def _value(telegram: Telegram, code: str) -> Decimal | None:
    """Give the value of an object of the meter itself, in kilowatts or kilowatt-hours."""
    found = (item for item in telegram.items if item.object == code and item.channel == 0 and item.unit in _KILO)
    return next((item.value * _KILO[item.unit] for item in found if item.value is not None), None)
