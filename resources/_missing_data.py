"""Which data points of a timeSeries have failed to come, and who is told (TS-0001 9.6.36, TS-0004 7.4.38, 7.5.1.2.9).

The first instance begins a raster: point n is expected ``n * pei`` after it, and is missing when no instance has come until ``mdt`` later. What is remembered
of it is in ``Record.state`` of the timeSeries, so that a restart changes nothing; moments are in microseconds since the epoch, but for ``due``:

newest: the greatest dataGenerationTime that ever was (of every timeSeries).
start: the moment of point 0. next: the first point that has neither come nor been found missing. early: runs [first, last] of points after it that have come.
due: when ``next`` will be missing, in seconds, by which the store finds what waits.
windows: of each subscription to missing data [moment of the first missing point, number of missing points].
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from cse.codes import NotificationEventType as Net
from cse.codes import ResourceTypeID
from cse.datatypes import duration_seconds, microseconds_of, timestamp
from cse.record import Record
from cse.schema import Change, Event

LONGEST = 1000
"""Entries of missingDataList at most, also without missingDataMaxNr; and how many missing points are looked at at once, the newest."""

_CHUNK = 256
"""Series that are looked at in one transaction."""

_OF_MONITORING = frozenset({"start", "next", "early", "due", "windows"})

Runs = list[list[int]]


def arrived(change: Change, record: Record, instance: Record) -> Record:
    """Give a timeSeries after an instance has come; what is missing by now is found first, so that it does not matter when ``report_due`` was called last."""
    moment = microseconds_of(instance.attributes["dgt"])
    if moment > record.state.get("newest", moment - 1):
        record = replace(record, state={**record.state, "newest": moment})
    if not record.get("mdd"):
        return record
    if "start" not in record.state:
        return _waiting(change, record, {"start": moment, "next": 1, "early": []})
    record = _brought_forward(change, record)
    following, number = record.state["next"], _point(record, moment)
    if number is None or number < following:
        return record
    return _waiting(change, record, _advanced(following, _with(record.state["early"], number)))


def report_due(change: Change) -> float | None:
    """Find the points that are missing by now; give the moment of the next one, None when nothing is monitored."""
    left = _CHUNK
    for record in change.transaction.waiting(ResourceTypeID.TIME_SERIES, _CHUNK):
        due: float = record.state["due"]
        if due > change.seconds:
            return due
        change.replace(forgotten(record) if change.host.expired(record) else _brought_forward(change, record))
        left -= 1
    return None if left else change.seconds


def forgotten(record: Record) -> Record:
    """Give a timeSeries without anything that monitoring has remembered: it begins anew with the next instance, or not at all."""
    return replace(record, state={name: value for name, value in record.state.items() if name not in _OF_MONITORING})


def _waiting(change: Change, record: Record, news: Mapping[str, Any]) -> Record:
    """Give a timeSeries that waits for its next point."""
    state = {**record.state, **news}
    state["due"] = (_expected(record.attributes, state["start"], state["next"]) + record.attributes["mdt"] * 1000) / 1_000_000
    change.wake(state["due"])
    return replace(record, state=state)


def _expected(attributes: Mapping[str, Any], start: int, number: int) -> int:
    moment: int = start + number * attributes["pei"] * 1000
    return moment


def _point(record: Record, moment: int) -> int | None:
    """Give the point whose tolerance a moment is in, None when it is between two."""
    interval = record.attributes["pei"] * 1000
    after = moment - record.state["start"]
    number: int = (after + interval // 2) // interval
    return number if abs(after - number * interval) <= record.attributes["peid"] * 1000 else None


def _with(runs: Runs, number: int) -> Runs:
    """Add a number to ascending runs [first, last] that do not touch; what exceeds their bound is the farthest ahead, and forgotten."""
    place = bisect_right(runs, number, key=lambda run: run[0])
    first, last = number, number
    low = high = place
    if place and runs[place - 1][1] >= number - 1:
        low, first, last = place - 1, runs[place - 1][0], max(number, runs[place - 1][1])
    if place < len(runs) and runs[place][0] == number + 1:
        high, last = place + 1, runs[place][1]
    return [*runs[:low], [first, last], *runs[high:]][:LONGEST]


def _advanced(following: int, runs: Runs) -> dict[str, Any]:
    """Give the first point from ``following`` on that has not come, and the runs after it."""
    while runs and runs[0][0] <= following:
        following, runs = max(following, runs[0][1] + 1), runs[1:]
    return {"next": following, "early": runs}


def _brought_forward(change: Change, record: Record) -> Record:
    """Give a monitored timeSeries with every point in its list that is missing by now, and tell its subscribers."""
    if record.state["due"] > change.seconds:
        return record
    attributes, state = record.attributes, record.state
    over = round(change.seconds * 1_000_000) - attributes["mdt"] * 1000 - state["start"]
    last = max(state["next"], over // (attributes["pei"] * 1000))
    missing = [_expected(attributes, state["start"], number) for number in _absent(state["next"], last, state["early"])]
    most = attributes.get("mdn", LONGEST)
    entries = [*attributes.get("mdlt", ()), *(timestamp(moment / 1_000_000) for moment in missing)][-most:]
    record = record.with_attributes({"mdlt": entries, "mdc": len(entries)})
    windows, reached = _counted(change, record, missing)
    if reached:
        change.events.append(Event(Net.REPORT_ON_MISSING_DATA_POINTS, reached, record, record))
    return _waiting(change, record, {**_advanced(last + 1, state["early"]), "windows": windows})


def _absent(first: int, last: int, runs: Runs) -> list[int]:
    """Give the newest numbers from ``first`` to ``last`` that are in no run, in ascending order."""
    gaps = []
    for begin, end in runs:
        if begin > last:
            break
        gaps.append(range(first, begin))
        first = end + 1
    gaps.append(range(first, last + 1))
    found: list[int] = []
    while gaps and len(found) < LONGEST:
        found = [*gaps.pop()[-(LONGEST - len(found)) :], *found]
    return found


def _counted(change: Change, record: Record, missing: Sequence[int]) -> tuple[dict[str, list[int]], tuple[Record, ...]]:
    """Count missing points for each subscription; give the windows, and the subscriptions that are to be told (TS-0004 7.5.1.2.9).

    A window opens with the first missing point after the one before has ended; once it has ``num`` points, each of its points is told.
    """
    windows: dict[str, list[int]] = {}
    reached = []
    for subscription in change.transaction.subscriptions(record.ri):
        wanted = subscription.attributes.get("enc", {}).get("md")
        if wanted is None:
            continue
        length = round(duration_seconds(wanted["dur"]) * 1_000_000)
        opened, count = record.state.get("windows", {}).get(subscription.ri, (0, 0))
        tell = False
        for moment in missing:
            opened, count = (opened, count + 1) if count and moment <= opened + length else (moment, 1)
            tell = tell or count >= wanted["num"]
        windows[subscription.ri] = [opened, count]
        if tell:
            reached.append(subscription)
    return windows, tuple(reached)
