"""Monitor power quality data."""

from collections.abc import Mapping
from typing import Any

from apps.metering.flows import looks
from apps.metering.flows.stage import Order, Stage
from apps.metering.vocabulary import State

QUANTITIES = ["voltage", "frequency", "harmonics"]
SAMPLES, EVENTS = "mtr-M1/pq/samples", "mtr-M1/pq/events"


async def _asked(stage: Stage, actor: str, **more: Any) -> Order:
    """Play the first two steps."""
    order = await stage.command(actor, "pq", "getPq", {"quantities": QUANTITIES, "from": stage.began}, **more)
    stage.step("UC04-P1", f"{actor}: {order.id}")
    await stage.status(order, State.VALIDATED)
    stage.step("UC04-P2", "validated")
    return order


async def _collected(stage: Stage, order: Order, done: Mapping[str, Any]) -> None:
    """See that all that a result names can be read, with its times."""
    result = done["result"]
    points = await looks.samples(stage, order.actor, SAMPLES)
    looks.demand(bool(result["dgt"]) and set(result["dgt"]) <= points.keys(), f"{order.id} names {result['dgt']} where {SAMPLES} has {sorted(points)}")
    events = {one["evtId"]: one["ts"] for one in await stage.instances(order.actor, EVENTS)}
    looks.demand(set(result["evtId"]) <= events.keys(), f"{order.id} names {result['evtId']} where {EVENTS} has {sorted(events)}")
    stage.step("UC04-P3", f"{len(result['dgt'])} samples until {result['dgt'][-1]}, events {', '.join(result['evtId']) or 'none'}")


async def monitored(stage: Stage) -> None:
    """The voltage rises beyond its tolerance; the operator sees that, asks for the data and gets it, and so may the consumer."""
    await stage.control("setPhysical", "M1", voltage=261.5)
    try:
        began = await stage.see("dno", EVENTS, "the swell", lambda one: one["type"] == "outOfToleranceStart" and one["value"] == 261.5)
        await looks.samples(stage, "dno", SAMPLES)
        order = await _asked(stage, "dno")
        done = await stage.status(order, State.EXECUTED)
        looks.demand(began["evtId"] in done["result"]["evtId"], f"{order.id} does not name {began['evtId']}")
        await _collected(stage, order, done)
    finally:
        await stage.control("setPhysical", "M1", voltage=230.0)
    await stage.see("consumer-P1", EVENTS, "its end", lambda one: one["type"] == "outOfToleranceEnd" and one["of"] == began["evtId"])
    await looks.samples(stage, "consumer-P1", SAMPLES)
    stage.step("UC04-P4", f"executed at {done['ts']}; the consumer reads the same")


async def invalid(stage: Stage) -> None:
    """A quantity that does not exist."""
    order = await stage.command("dno", "pq", "getPq", {"quantities": ["colour"]})
    stage.step("UC04-P1", f"dno: {order.id}")
    refused = await stage.status(order, State.REJECTED, error="requestInvalid")
    stage.step("UC04-P2-A1.1", refused["error"]["text"])
    await _learned(stage, order, "requestInvalid")
    stage.step("UC04-P2-A1.2", f"rejected at {refused['ts']}")


async def not_collected(stage: Stage) -> None:
    """The samples cannot be read."""
    await stage.fault("retrieve", count=1)
    order = await _asked(stage, "asset")
    failed = await stage.status(order, State.FAILED, error="retrievalFailed")
    stage.step("UC04-P3-A2.1", failed["error"]["text"])
    await _learned(stage, order, "retrievalFailed")
    stage.step("UC04-P3-A2.2", f"failed at {failed['ts']}")


async def not_received(stage: Stage) -> None:
    """The answer is out, and nobody acknowledges it; the operator learns of that and asks again."""
    await looks.samples(stage, "dno", SAMPLES)
    order = await _asked(stage, "dno", ackRequired=True)
    await _collected(stage, order, await stage.status(order, State.EXECUTED))
    found = await stage.event("notReceived", command=order)
    stage.step("UC04-P4-A3.1", found["detail"])
    for name in ("dno", "asset"):
        await stage.alert(name, "notReceived", command=order, event=found["evtId"])
    stage.step("UC04-P4-A3.2", f"alerts with {found['evtId']}")
    again = await stage.command("dno", "pq", "getPq", {"quantities": QUANTITIES, "from": stage.began}, ackRequired=True)
    done = await stage.status(again, State.EXECUTED)
    await looks.acknowledge(stage, again, done["state"])
    stage.step("UC04-P4-A3.3", f"asked again: {again.id}")


async def _learned(stage: Stage, order: Order, event: str) -> None:
    """See the error recorded, both organisations told, and the screen left as it was."""
    found = await stage.event(event, command=order)
    for name in ("dno", "asset"):
        await stage.alert(name, "error", event=found["evtId"])
    await stage.gone(order)


FLOWS = {"UC04-P": monitored, "UC04-P2-A1": invalid, "UC04-P3-A2": not_collected, "UC04-P4-A3": not_received}
