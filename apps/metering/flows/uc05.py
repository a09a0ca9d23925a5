"""Manage outage data."""

from collections.abc import Mapping
from typing import Any

from apps.metering.flows import looks
from apps.metering.flows.stage import Order, Stage
from apps.metering.vocabulary import State

LOG, PLANNED = "mtr-M1/outage/log", "mtr-M1/outage/planned"
TEXT = {"title": "Work on the network", "text": "We renew a cable in your street. Your supply is interrupted meanwhile.", "lang": "en"}

# --- what has happened ----------------------------------------------------------------------------------------------------------------------------------------


async def _outage(stage: Stage) -> Mapping[str, Any]:
    """Let the supply fail and come back, and give what the meter has logged of it by itself."""
    await stage.control("loseSupply", "M1")
    await stage.control("restoreSupply", "M1")
    return await stage.see("dno", LOG, "the outage", lambda one: bool(one["start"] < one["end"]) and one["planned"] is False)


async def _asked(stage: Stage, **more: Any) -> Order:
    """Play the first two steps."""
    order = await stage.command("dno", "outage", "getOutages", {"from": stage.began}, notify=["Cbill"], **more)
    stage.step("UC05-U1", order.id)
    await stage.status(order, State.VALIDATED)
    stage.step("UC05-U2", "validated")
    return order


async def _collected(stage: Stage, outage: Mapping[str, Any], order: Order) -> Mapping[str, Any]:
    """Play the next two: operator and biller read the outages that the answer names."""
    done = await stage.status(order, State.EXECUTED)
    identifiers = done["result"]["outageId"]
    looks.demand(outage["outageId"] in identifiers, f"{order.id} names {identifiers}, not {outage['outageId']}")
    for name in ("dno", "bill"):
        found = {one["outageId"] for one in await stage.instances(name, LOG)}
        looks.demand(set(identifiers) <= found, f"{order.id} names {identifiers} where {name} reads {sorted(found)}")
    stage.step("UC05-U3", f"{outage['outageId']} from {outage['start']} to {outage['end']}")
    stage.step("UC05-U4", f"executed with {', '.join(identifiers)}")
    return done


async def unplanned(stage: Stage) -> None:
    """The supply fails and comes back; the operator asks for it."""
    outage = await _outage(stage)
    order = await _asked(stage, ackRequired=True)
    done = await _collected(stage, outage, order)
    await looks.acknowledge(stage, order, done["state"])
    stage.step("UC05-U5", "ack")


async def _learned(stage: Stage, flow: str, order: Order, event: str, first: int, seen: str) -> None:
    """See the two last steps of every alternative: the operator is told, and the display shows the event."""
    found = await stage.event(event, command=order)
    await stage.alert("dno", "notReceived" if event == "notReceived" else "error", command=order, event=found["evtId"])
    stage.step(f"{flow}.{first}", f"{seen}, alert with {found['evtId']}")
    shown = await looks.banner(stage, found)
    stage.step(f"{flow}.{first + 1}", f"banner {shown['type']} of {shown['ts']}")


async def invalid(stage: Stage) -> None:
    """A span that ends before it begins."""
    order = await stage.command("dno", "outage", "getOutages", {"from": stage.at(60), "to": stage.began})
    stage.step("UC05-U1", order.id)
    refused = await stage.status(order, State.REJECTED, error="requestInvalid")
    stage.step("UC05-U2-A1.1", refused["error"]["text"])
    await _learned(stage, "UC05-U2-A1", order, "requestInvalid", 2, f"rejected at {refused['ts']}")


async def not_collected(stage: Stage) -> None:
    """The log cannot be read."""
    await stage.fault("retrieve", count=1)
    order = await _asked(stage)
    failed = await stage.status(order, State.FAILED, error="retrievalFailed")
    stage.step("UC05-U3-A2.1", failed["error"]["text"])
    stage.step("UC05-U3-A2.2", "failed")
    await _learned(stage, "UC05-U3-A2", order, "retrievalFailed", 3, f"failed at {failed['ts']}")


async def not_sent(stage: Stage) -> None:
    """The log is read, and the answer cannot be sent."""
    outage = await _outage(stage)
    await stage.fault("send", count=1, after="validated")
    order = await _asked(stage)
    failed = await stage.status(order, State.FAILED, error="sendFailed")
    stage.step("UC05-U3", f"{outage['outageId']} from {outage['start']} to {outage['end']}")
    await stage.silent(order, State.EXECUTED)
    stage.step("UC05-U4-A3.1", failed["error"]["text"])
    stage.step("UC05-U4-A3.2", "failed")
    await _learned(stage, "UC05-U4-A3", order, "sendFailed", 3, f"failed at {failed['ts']}")


async def not_received(stage: Stage) -> None:
    """The answer is out, and nobody acknowledges it."""
    outage = await _outage(stage)
    order = await _asked(stage, ackRequired=True)
    await _collected(stage, outage, order)
    found = await stage.event("notReceived", command=order)
    stage.step("UC05-U5-A4.1", "no ack")
    await stage.silent(order, State.FAILED)
    stage.step("UC05-U5-A4.2", f"notReceived at {found['ts']}, no status after executed")
    await _learned(stage, "UC05-U5-A4", order, "notReceived", 3, f"noticed at {found['ts']}")


# --- what is planned ------------------------------------------------------------------------------------------------------------------------------------------


def _plan(stage: Stage, start: float = 3600, end: float = 7200) -> dict[str, Any]:
    name = f"W-{stage.facts.id}-{stage.began[9:15]}"
    return {"outageId": name, "start": stage.at(start), "end": stage.at(end), "area": "P1 street", "reason": "a cable is renewed"}


async def _announced(stage: Stage, **more: Any) -> Order:
    """Play the first two steps."""
    order = await stage.command("dno", "outage", "plannedOutage", _plan(stage), consent="required", message=TEXT, **more)
    stage.step("UC05-N1", order.id)
    await stage.status(order, State.VALIDATED)
    stage.step("UC05-N2", "validated")
    return order


async def _shown(stage: Stage, order: Order) -> Mapping[str, Any]:
    """Play the third, and give the item."""
    item = await stage.item(order)
    params = order.envelope["params"]
    looks.demand((item["kind"], item["text"]) == ("plannedOutage", TEXT["text"]), f"the item of {order.id} is {item}")
    looks.demand((item["start"], item["end"]) == (params["start"], params["end"]), f"the item of {order.id} tells of {item['start']} to {item['end']}")
    await stage.status(order, State.DISPLAYED)
    stage.step("UC05-N3", f"item {item['msgId']} of kind {item['kind']}")
    return item


async def _recorded(stage: Stage, order: Order) -> bool:
    """Tell whether the outage is known as planned, as the consumer sees it."""
    return any(one["cmdId"] == order.id for one in await stage.instances("consumer-P1", PLANNED))


async def planned(stage: Stage) -> None:
    """An outage is announced, shown and accepted."""
    order = await _announced(stage)
    item = await _shown(stage, order)
    await stage.act(item, "accept")
    told = await stage.status(order, State.ACCEPTED)
    stage.step("UC05-N4", f"action accept, accepted at {told['ts']}")
    done = await stage.status(order, State.EXECUTED)
    found = await stage.see("dno", PLANNED, "the planned outage", lambda one: one["cmdId"] == order.id)
    looks.demand(found == {**order.envelope["params"], "cmdId": order.id} and await _recorded(stage, order), f"{PLANNED} tells of {found}")
    stage.step("UC05-N5", f"executed at {done['ts']}")


async def plan_invalid(stage: Stage) -> None:
    """An outage that ends before it begins."""
    order = await stage.command("dno", "outage", "plannedOutage", _plan(stage, 7200, 3600), consent="required", message=TEXT)
    stage.step("UC05-N1", order.id)
    refused = await stage.status(order, State.REJECTED, error="requestInvalid")
    await stage.gone(order)
    stage.step("UC05-N2-A1.1", refused["error"]["text"])
    await _learned(stage, "UC05-N2-A1", order, "requestInvalid", 2, f"rejected at {refused['ts']}")


async def plan_not_shown(stage: Stage) -> None:
    """The display refuses it; when it works again it shows that."""
    await stage.fault("display", "ihd-P1", seconds=4)
    order = await _announced(stage)
    failed = await stage.status(order, State.FAILED, error="displayFailed")
    await stage.gone(order)
    stage.step("UC05-N3-A2.1", failed["error"]["text"])
    stage.step("UC05-N3-A2.2", "failed")
    await _learned(stage, "UC05-N3-A2", order, "displayFailed", 3, f"failed at {failed['ts']}")


async def plan_not_accepted(stage: Stage) -> None:
    """The consumer declines one announcement, and does not answer another."""
    silent = await stage.command("dno", "outage", "plannedOutage", _plan(stage), consent="required", message=TEXT, consumerDeadline=1)
    order = await _announced(stage)
    item = await _shown(stage, order)
    await stage.act(item, "decline")
    declined = await stage.status(order, State.DECLINED)
    stage.step("UC05-N4-A3.1", "action decline; for another one none")
    expired = await stage.status(silent, State.EXPIRED, error="notAccepted")
    await stage.event("notAccepted", command=silent)
    looks.demand(not await _recorded(stage, order) and not await _recorded(stage, silent), f"{PLANNED} has what was not accepted")
    stage.step("UC05-N4-A3.2", f"declined at {declined['ts']}; expired at {expired['ts']}")
    await _learned(stage, "UC05-N4-A3", order, "notAccepted", 3, f"declined at {declined['ts']}")


async def plan_not_confirmed(stage: Stage) -> None:
    """The consumer accepts, and the operator cannot be told."""
    await stage.fault("confirm", count=1)
    order = await _announced(stage)
    item = await _shown(stage, order)
    await stage.act(item, "accept")
    await stage.item(order, lambda one: one["answer"] == "accept")
    found = await stage.event("confirmationNotSent", command=order)
    stage.step("UC05-N4", "action accept")
    await stage.silent(order, State.ACCEPTED)
    await stage.silent(order, State.EXECUTED)
    stage.step("UC05-N5-A4.1", found["detail"])
    stage.step("UC05-N5-A4.2", f"confirmationNotSent at {found['ts']}")
    await _learned(stage, "UC05-N5-A4", order, "confirmationNotSent", 3, f"noticed at {found['ts']}")


FLOWS = {
    "UC05-U": unplanned,
    "UC05-U2-A1": invalid,
    "UC05-U3-A2": not_collected,
    "UC05-U4-A3": not_sent,
    "UC05-U5-A4": not_received,
    "UC05-N": planned,
    "UC05-N2-A1": plan_invalid,
    "UC05-N3-A2": plan_not_shown,
    "UC05-N4-A3": plan_not_accepted,
    "UC05-N5-A4": plan_not_confirmed,
}
