"""Interact with devices at the premise."""

from collections.abc import Mapping
from typing import Any

from apps.metering.flows.stage import Order, Stage, Unobserved
from apps.metering.vocabulary import State

DEVICE = "dev-P1-1"
SHOWN = {"title": "Cheap energy", "text": "May the boiler be switched on now?", "lang": "en"}


async def _asked(stage: Stage, actor: str, action: str, **more: Any) -> tuple[Order, Mapping[str, Any]]:
    """Play the first two steps: an instruction arrives, and the consumer sees it."""
    order = await stage.command(actor, "device", "interact", {"target": DEVICE, "action": action}, consent="required", message=SHOWN, **more)
    stage.step("UC12-P1", f"{actor}: {order.id}")
    await stage.status(order, State.VALIDATED)
    return order, await _shown(stage, order, action)


async def _shown(stage: Stage, order: Order, action: str) -> Mapping[str, Any]:
    item = await stage.item(order)
    await stage.status(order, State.DISPLAYED)
    if (item["kind"], item["device"], item["action"]) != ("deviceInteraction", DEVICE, action):
        raise Unobserved(f"the item is {item}")
    return item


async def _entered(stage: Stage, name: str, action: str, seconds: float) -> Order:
    """Enter an interaction in the timetable, and give it as the order that it becomes."""
    identifier, at = f"{name}-{stage.began}", stage.at(seconds)
    params = {"entryId": identifier, "at": at, "target": DEVICE, "action": action, "notify": ["Cbill"]}
    await stage.status(await stage.command("asset", "config", "setSchedule", params), State.EXECUTED)
    await stage.latest("asset", "mtr-M1/config/schedule", identifier, lambda one: one["entryId"] == identifier and one["at"] == at)
    return Order(identifier, "asset", "M1", "device", stage.began)


async def interaction(stage: Stage) -> None:
    """An interaction is approved and carried out; another one, whose time comes, is declined."""
    order, item = await _asked(stage, "bill", "on")
    stage.step("UC12-P2", f"item {item['msgId']} of kind {item['kind']}")
    await stage.act(item, "accept")
    await stage.item(order, lambda one: one["answer"] == "accept")
    stage.step("UC12-P3", "action accept")
    told = await stage.status(order, State.ACCEPTED)
    await stage.status(order, State.EXECUTED)
    await stage.module(DEVICE, "powSe", "state", True)
    stage.step("UC12-P4", f"accepted at {told['ts']}, executed, {DEVICE} is on")
    timed = await _entered(stage, "night", "off", 2)
    await stage.status(timed, State.VALIDATED)
    item = await _shown(stage, timed, "off")
    await stage.act(item, "decline")
    await stage.status(timed, State.DECLINED)
    order, item = await _again(stage, "asset", "off")
    await stage.act(item, "accept")
    await stage.status(order, State.EXECUTED)
    await stage.module(DEVICE, "powSe", "state", False)


async def _again(stage: Stage, actor: str, action: str) -> tuple[Order, Mapping[str, Any]]:
    order = await stage.command(actor, "device", "interact", {"target": DEVICE, "action": action}, consent="required")
    return order, await _shown(stage, order, action)


async def invalid(stage: Stage) -> None:
    """A device that is not there."""
    order = await stage.command("bill", "device", "interact", {"target": "dev-P1-9", "action": "on"}, consent="required", message=SHOWN)
    stage.step("UC12-P1", f"bill: {order.id}")
    refused = await stage.status(order, State.REJECTED, error="requestInvalid")
    await stage.gone(order)
    stage.step("UC12-P2-A1.1", refused["error"]["text"])
    found = await stage.event("requestInvalid", command=order)
    for name in ("asset", "bill"):
        await stage.alert(name, "error", event=found["evtId"])
    stage.step("UC12-P2-A1.2", f"rejected at {refused['ts']}")


async def not_started(stage: Stage) -> None:
    """The time of an interaction comes, and it is not begun."""
    await stage.fault("interact", count=1)
    order = await _entered(stage, "missed", "on", 2)
    failed = await stage.status(order, State.FAILED, error="interactionNotStarted")
    stage.step("UC12-P1", f"{order.id} was due")
    await stage.gone(order)
    await stage.silent(order, State.DISPLAYED)
    stage.step("UC12-P2-A2.1", failed["error"]["text"])
    found = await stage.event("interactionNotStarted", command=order)
    for name in ("asset", "bill"):
        await stage.alert(name, "error", event=found["evtId"])
    stage.step("UC12-P2-A2.2", f"interactionNotStarted at {found['ts']}")


async def not_confirmed(stage: Stage) -> None:
    """The consumer's choice does not get through; both organisations are alerted."""
    await stage.fault("confirm", count=1)
    order, item = await _asked(stage, "asset", "off", confirmBy=stage.at(6))
    stage.step("UC12-P2", f"item {item['msgId']}")
    await stage.act(item, "decline")
    await stage.item(order, lambda one: one["answer"] == "decline")
    stage.step("UC12-P3", "action decline")
    alerts = [await stage.alert(name, "noConfirmation", command=order) for name in ("asset", "bill")]
    await stage.silent(order, State.DECLINED)
    stage.step("UC12-P4-A3.1", "no status declined")
    stage.step("UC12-P4-A3.2", f"noConfirmation at {alerts[0]['ts']}")


FLOWS = {"UC12-P": interaction, "UC12-P2-A1": invalid, "UC12-P2-A2": not_started, "UC12-P4-A3": not_confirmed}
