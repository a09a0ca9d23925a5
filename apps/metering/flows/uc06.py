"""Facilitate demand response."""

from apps.metering import network
from apps.metering.flows.points import point, until
from apps.metering.flows.stage import Order, Stage, Unobserved
from apps.metering.vocabulary import State
from cse.datatypes import seconds_of

APPLIANCE = "dev-P1-1"
AGREED = 6.0
"""Kilowatts that the contract leaves to the premise during an event."""

BUYERS = ("dno", "eff", "bill")


async def _announced(stage: Stage, actor: str, span: float, **more: str) -> Order:
    """Play the first two steps: an event for one appliance is announced, and is with the meter."""
    order = await _event(stage, actor, stage.at(1), stage.at(span), **more)
    stage.step("UC06-P1", f"{actor}: {order.id}")
    await stage.see("sm-watch", f"{order.place}/in", "the command", lambda one: one.get("cmdId") == order.id)
    stage.step("UC06-P2", f"for {APPLIANCE}, received")
    return order


async def _event(stage: Stage, actor: str, start: str, end: str, **more: str) -> Order:
    params = {"eventId": f"E-{stage.began}", "start": start, "end": end, "action": "off", "target": APPLIANCE, "contractual": True}
    text = {"title": "Load control", "text": "Your appliance will be off for a moment. You may override this.", "lang": "en"}
    return await stage.command(actor, "dr", "demandResponse", params, consent="required", message=text, **more)


async def _answered(stage: Stage, order: Order) -> None:
    """Play the next five steps: it is valid, shown, read, accepted, saved."""
    await stage.status(order, State.VALIDATED)
    stage.step("UC06-P3", "validated")
    item = await stage.item(order)
    if (item["kind"], item["device"], item["action"]) != ("demandResponse", APPLIANCE, "off") or not {"accept", "override"} <= set(item["answers"]):
        raise Unobserved(f"the item is {item}")
    await stage.status(order, State.DISPLAYED)
    stage.step("UC06-P4", f"item {item['msgId']}: {item['action']} of {item['device']} from {item['start']} to {item['end']}")
    await stage.act(item, "view")
    await stage.item(order, lambda one: bool(one["viewed"]))
    stage.step("UC06-P5", "action view")
    await stage.act(item, "accept")
    await stage.item(order, lambda one: one["answer"] == "accept")
    stage.step("UC06-P6", "action accept")
    await stage.act(item, "save")
    await stage.see("consumer-P1", "ihd-P1/saved", "the saved message", lambda one: one["msgId"] == item["msgId"])
    stage.step("UC06-P7", f"saved {item['msgId']}")


async def _appliance(stage: Stage, on: bool) -> str:
    """Give when the appliance has acknowledged to be on, or off, as soon as it has, and see that its switch says so."""

    async def look() -> str | None:
        base, consumer = f"{stage.world.plan.base}/{APPLIANCE}", stage.client("consumer-P1")
        told = [one for one in await stage.instances("consumer-P1", f"{APPLIANCE}/acks") if one["module"] == "powSe"]
        done = bool(told) and told[-1]["value"] is on and (await consumer.retrieve(f"{base}/powSe"))["state"] is on
        return str(told[-1]["ts"]) if done else None

    seen: str = await until(stage, look, f"{APPLIANCE} {'on' if on else 'off'}")
    return seen


async def _turned_on(stage: Stage) -> None:
    """Let the consumer switch the appliance on, so that there is something to reduce."""
    await stage.client("consumer-P1").update(f"{stage.world.plan.base}/{APPLIANCE}/powSe", {"state": True}, root="cod:binSh")
    await _appliance(stage, True)


async def responded(stage: Stage) -> None:
    """An event is announced, accepted, carried out, measured, judged."""
    interval = next(meter.interval for meter in stage.world.plan.meters if meter.name == "M1")
    await _turned_on(stage)
    order = await _announced(stage, "dno", 2 * interval + 2)
    await _answered(stage, order)
    told = await stage.status(order, State.ACCEPTED)
    stage.step("UC06-P8", f"accepted at {told['ts']}")
    off = await _appliance(stage, False)
    stage.step("UC06-P9", f"{APPLIANCE} off at {off}")
    start, end = seconds_of(off), seconds_of(order.envelope["params"]["end"])
    profile = await point(stage, "dno", "mtr-M1/readings/profile", lambda moment, content: start <= moment - interval)
    stage.step("UC06-P10", f"{len(profile)} points of readings/profile")
    values = {moment: float(content["value"]) for moment, content in profile.items()}
    if not network.complied(values, interval, start, end, AGREED):
        raise Unobserved(f"the premise has drawn {network.power(values, interval, start, end)} kW during the event")
    stage.step("UC06-P11", f"complied with {network.power(values, interval, start, end):.3f} kW of {AGREED:g}")
    await stage.status(order, State.EXECUTED)
    await _appliance(stage, True)
    await _overridden(stage)


async def _overridden(stage: Stage) -> None:
    """See another event overridden: the appliance stays as it is."""
    order = await _event(stage, "eff", stage.at(1), stage.at(20))
    await stage.act(await stage.item(order), "override")
    await stage.status(order, State.OVERRIDDEN)
    await _appliance(stage, True)


async def invalid(stage: Stage) -> None:
    """An event that ends before it begins."""
    order = await _event(stage, "eff", stage.at(20), stage.at(10))
    stage.step("UC06-P1", f"eff: {order.id}")
    await stage.see("sm-watch", f"{order.place}/in", "the command", lambda one: one.get("cmdId") == order.id)
    stage.step("UC06-P2", "received")
    refused = await stage.status(order, State.REJECTED, error="requestInvalid")
    await stage.gone(order)
    stage.step("UC06-P3-A1.1", refused["error"]["text"])
    found = await stage.event("requestInvalid", command=order)
    for name in BUYERS:
        await stage.alert(name, "error", event=found["evtId"])
    stage.step("UC06-P3-A1.2", f"rejected at {refused['ts']}, alerts with {found['evtId']}")


async def not_confirmed(stage: Stage) -> None:
    """The consumer's choice does not get through; whoever announced, buys or sells is alerted."""
    await stage.fault("confirm", count=1)
    order = await _announced(stage, "dno", 20, confirmBy=stage.at(5))
    await _answered(stage, order)
    await stage.event("confirmationNotSent", command=order)
    await stage.silent(order, State.ACCEPTED)
    stage.step("UC06-P8-A2.1", "no status accepted")
    for name in BUYERS:
        alert = await stage.alert(name, "noConfirmation", command=order)
    stage.step("UC06-P8-A2.2", f"noConfirmation at {alert['ts']}")


FLOWS = {"UC06-P": responded, "UC06-P3-A1": invalid, "UC06-P8-A2": not_confirmed}
