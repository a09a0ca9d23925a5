"""Outages of one meter (use case 5): what was announced, and what has happened; both survive its restart."""

from collections.abc import Mapping
from typing import Any

from apps.metering.meter.body import Body
from apps.metering.vocabulary import stamp
from cse.datatypes import seconds_of


def begin(meter: Body, ts: str) -> None:
    """Remember that the supply is lost since a time; who is without power writes it down later."""
    meter.kept.put("outage", "open", {"outageId": f"{meter.identity.name}-O{meter.kept.number('outage')}", "start": ts})


def end(meter: Body, ends: str) -> None:
    """Log the outage that is over since a time, with both times."""
    found = meter.kept.get("outage", "open")
    if found is None:
        return
    outage = {**found, "end": ends, "planned": _planned(meter, found["start"], ends), "phases": ["L1"] if meter.identity.electric else []}
    meter.kept.put("outages", found["outageId"], outage)
    meter.kept.drop("outage", "open")
    meter.outbox.put(meter.place("outage/log"), outage)
    meter.events.record("restored", f"the supply is back after outage {found['outageId']}", severity="info")


def announce(meter: Body, facts: Mapping[str, Any], command: str) -> None:
    """Write down a planned outage; one of the same outageId that was announced before is replaced."""
    meter.kept.put("planned", facts["outageId"], {"start": facts["start"], "end": facts["end"], "until": seconds_of(facts["end"])})
    meter.outbox.put(meter.place("outage/planned"), {**facts, "cmdId": command})


def logged(meter: Body, since: str, until: str) -> list[str]:
    """Give the outageIds of what was logged and lies in a span, or reaches into it, by their begins."""
    found = [outage for outage in meter.kept.all("outages").values() if outage["start"] <= until and outage["end"] >= since]
    return [str(outage["outageId"]) for outage in sorted(found, key=lambda outage: str(outage["start"]))]


def _planned(meter: Body, start: str, ends: str) -> bool:
    """Tell whether an outage overlaps one that was announced."""
    announced = meter.kept.all("planned").values()
    return any(stamp(seconds_of(plan["start"])) <= ends and start <= stamp(seconds_of(plan["end"])) for plan in announced)
