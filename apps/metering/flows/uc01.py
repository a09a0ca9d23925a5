"""Obtain meter reading data."""

from collections.abc import Mapping
from typing import Any

from apps.metering.flows import looks
from apps.metering.flows.stage import Stage
from apps.metering.vocabulary import State

REGISTERS, PROFILE, EXPORT = "mtr-M1/readings/registers", "mtr-M1/readings/profile", "mtr-M1/readings/export"


def _reason(reason: str) -> Any:
    return lambda one: one.get("reason") == reason


async def scheduled(stage: Stage) -> None:
    """Readings on the timetable."""
    await stage.subscribe("rdr-1", REGISTERS)
    told = await stage.notified(_reason("scheduled"))
    reading = await stage.see("rdr-1", REGISTERS, "the reading", lambda one: one["readId"] == told["readId"])
    newest = [max(await looks.samples(stage, "rdr-1", series)) for series in (PROFILE, EXPORT)]
    stage.step("UC01-S1", f"{reading['readId']} of {reading['ts']}; profile until {newest[0]}, export until {newest[1]}")
    stage.step("UC01-S2", f"notification of {told['readId']}")


async def requested(stage: Stage) -> None:
    """Readings on request."""
    await stage.subscribe("rdr-1", REGISTERS)
    points = await looks.samples(stage, "rdr-1", PROFILE)
    order = await stage.command("rdr-1", "read", "readNow", {"what": ["registers", "profile"], "from": stage.began})
    stage.step("UC01-R1", order.id)
    await stage.status(order, State.VALIDATED)
    stage.step("UC01-R2", "validated")
    done = await stage.status(order, State.EXECUTED)
    await stage.notified(lambda one: one.get("readId") == done["result"]["readId"])
    looks.demand(points.keys() <= set(done["result"]["dgt"]), f"{order.id} names {done['result']['dgt']} where {PROFILE} has {sorted(points)}")
    stage.step("UC01-R3", f"executed with {done['result']['readId']} and points until {done['result']['dgt'][-1]}")


async def _unread(stage: Stage, flow: str, fault: str, event: str) -> None:
    await stage.fault(fault, count=1)
    found = await stage.event(event)
    stage.step(f"{flow}.1", found["detail"])
    stage.step(f"{flow}.2", f"{event} at {found['ts']}")
    await stage.alert("rdr-1", "error", event=found["evtId"])
    stage.step(f"{flow}.3", f"alert with {found['evtId']}")


async def not_registered(stage: Stage) -> None:
    """The register value cannot be taken."""
    await _unread(stage, "UC01-S1-A1", "register", "readingNotRegistered")


async def not_stored(stage: Stage) -> None:
    """The reading cannot be kept; the error is, since it has a store of its own."""
    await _unread(stage, "UC01-S1-A2", "store", "readingNotStored")


async def not_delivered(stage: Stage) -> None:
    """A scheduled reading cannot be delivered; it is afterwards, with its own time, and the recipient learns of it."""
    await stage.fault("send", count=1)
    found = await stage.event("readingNotSent")
    identifier = found["detail"].split()[1]
    reading = await stage.see("rdr-1", REGISTERS, "the reading afterwards", lambda one: one["readId"] == identifier)
    stage.step("UC01-S1", f"{identifier} of {reading['ts']}")
    stage.step("UC01-S2-A3.1", found["detail"])
    stage.step("UC01-S2-A3.2", f"readingNotSent at {found['ts']}")
    await stage.alert("rdr-1", "error", event=found["evtId"])
    stage.step("UC01-S2-A3.3", f"alert with {found['evtId']}")


async def not_valid(stage: Stage) -> None:
    """A request for readings is not valid."""
    order = await stage.command("rdr-1", "read", "readNow", {"what": "everything"})
    stage.step("UC01-R1", order.id)
    refused = await stage.status(order, State.REJECTED, error="requestInvalid")
    stage.step("UC01-R2-A4.1", refused["error"]["text"])
    found = await stage.event("requestInvalid", command=order)
    stage.step("UC01-R2-A4.2", f"requestInvalid at {found['ts']}")
    await stage.alert("rdr-1", "error", command=order, event=found["evtId"])
    stage.step("UC01-R2-A4.3", f"rejected at {refused['ts']}")


async def not_answered(stage: Stage) -> None:
    """A reading that was asked for cannot be delivered."""
    await stage.fault("send", count=1, after="validated")
    order = await stage.command("rdr-1", "read", "readNow", {"what": "registers"})
    stage.step("UC01-R1", order.id)
    await stage.status(order, State.VALIDATED)
    stage.step("UC01-R2", "validated")
    failed: Mapping[str, Any] = await stage.status(order, State.FAILED, error="readingNotSent")
    stage.step("UC01-R3-A5.1", failed["error"]["text"])
    found = await stage.event("readingNotSent", command=order)
    stage.step("UC01-R3-A5.2", f"readingNotSent at {found['ts']}")
    await stage.alert("rdr-1", "error", command=order, event=found["evtId"])
    stage.step("UC01-R3-A5.3", f"failed at {failed['ts']}, alert with {found['evtId']}")


FLOWS = {
    "UC01-S": scheduled,
    "UC01-R": requested,
    "UC01-S1-A1": not_registered,
    "UC01-S1-A2": not_stored,
    "UC01-S2-A3": not_delivered,
    "UC01-R2-A4": not_valid,
    "UC01-R3-A5": not_answered,
}
