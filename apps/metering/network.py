"""What a network operator makes of the data it receives: whether they are complete, plausible and sound, and whether an event was complied with."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cse.datatypes import seconds_of

QUALITIES = frozenset({"measured", "estimated", "edited"})
STRONGEST = 100.0
"""Kilowatts, or units per hour, beyond which no connection of a premise lets anything through."""


def unsound(reading: Mapping[str, Any], before: Mapping[str, Any] | None = None, *, expected: Iterable[str] = ()) -> list[str]:
    """Say what is wrong with a register reading, alone and after an earlier one of the same meter; nothing for one that can be used.

    expected: registers that it must have; by default those of the earlier reading.
    """
    values = {str(one.get("id")): one.get("value") for one in reading.get("registers", ()) if isinstance(one, Mapping)}
    former = {} if before is None else {str(one["id"]): float(one["value"]) for one in before["registers"]}
    found = [f"register {name} is missing" for name in (expected or former) if name not in values]
    found += [f"register {name} has no number but {value!r}" for name, value in values.items() if not _number(value)]
    found += [f"quality {reading.get('quality')!r} is none"] if reading.get("quality") not in QUALITIES else []
    try:
        hours = 0.0 if before is None else (seconds_of(str(reading["ts"])) - seconds_of(str(before["ts"]))) / 3600
    except (KeyError, ValueError):
        return [*found, f"time {reading.get('ts')!r} is none"]
    if hours < 0:
        return [*found, f"time {reading['ts']} is before that of the earlier reading"]
    for name, value in values.items():
        if name in former and _number(value) and not 0 <= float(value or 0) - former[name] <= STRONGEST * hours:
            found.append(f"register {name} went from {former[name]:g} to {value:g} in {hours * 3600:.1f} seconds")
    return found


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < float("inf")


def missing(points: Sequence[str], interval: float, since: float, until: float) -> list[float]:
    """Give the ends of intervals of a series between two times of which there is no point."""
    there = {round(seconds_of(moment) / interval) for moment in points}
    first, last = round(-(-since // interval)), round(until // interval)
    return [number * interval for number in range(first, last + 1) if number not in there]


def power(points: Mapping[str, float], interval: float, start: float, end: float) -> float | None:
    """Give the average power in kilowatts over the intervals that lie wholly between two times, None without one. points: kWh by the end of the interval."""
    inside = [value for moment, value in points.items() if start <= seconds_of(moment) - interval and seconds_of(moment) <= end]
    return sum(inside) / len(inside) * 3600 / interval if inside else None


def complied(points: Mapping[str, float], interval: float, start: float, end: float, most: float) -> bool | None:
    """Tell whether a premise has drawn no more than so many kilowatts during an event (use case 6), None when there are no data to tell by."""
    found = power(points, interval, start, end)
    return None if found is None else found <= most
