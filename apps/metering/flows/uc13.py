"""Manage efficiency measures."""

from typing import Any

from apps.metering.flows.stage import Order, Stage, Unobserved
from apps.metering.vocabulary import State

APPLIANCE, DEGREES = "dev-P1-1", 18.5


async def _proposed(stage: Stage, mode: str = "propose", **more: Any) -> Order:
    """Play the first three steps: a measure is proposed, valid, and on the display."""
    params = {"measureId": f"S-{stage.began}", "mode": mode, "text": "Heat to 18.5 degrees at night", "action": _action(DEGREES)}
    order = await stage.command("eff", "efficiency", "measure", params, consent="required", **more)
    stage.step("UC13-P1", order.id)
    await stage.status(order, State.VALIDATED)
    stage.step("UC13-P2", "validated")
    item = await stage.item(order, lambda one: one["kind"] == "efficiency" and one["device"] == APPLIANCE and one["value"] == DEGREES)
    await stage.status(order, State.DISPLAYED)
    stage.step("UC13-P3", f"item {item['msgId']}: {item['text']}")
    return order


def _action(value: float) -> dict[str, Any]:
    return {"target": APPLIANCE, "action": "setpoint", "value": value}


async def _approved(stage: Stage, order: Order) -> None:
    item = await stage.item(order)
    await stage.act(item, "accept")
    await stage.item(order, lambda one: one["answer"] == "accept")
    stage.step("UC13-P4", "action accept")


async def _target(stage: Stage) -> None:
    """See that the appliance has acknowledged the target, and shows it."""
    await stage.see("consumer-P1", f"{APPLIANCE}/acks", "the acknowledgement", lambda one: (one["module"], one["value"]) == ("tarTe", DEGREES))
    found = await stage.client("consumer-P1").retrieve(f"{stage.world.plan.base}/{APPLIANCE}/tarTe")
    if found["tarTe"] != DEGREES:
        raise Unobserved(f"the target of {APPLIANCE} is {found['tarTe']}")


async def approved(stage: Stage) -> None:
    """A measure is approved and put into action; another one is declined."""
    order = await _proposed(stage)
    await _approved(stage, order)
    done = await stage.status(order, State.EXECUTED)
    await _target(stage)
    params = {"measureId": f"T-{stage.began}", "mode": "instigate", "text": "Heat to 5 degrees", "action": _action(5)}
    other = await stage.command("eff", "efficiency", "measure", params, consent="required")
    await stage.act(await stage.item(other), "decline")
    await stage.status(other, State.DECLINED)
    stage.step("UC13-P5", f"executed with {done['result']['measureId']} at {DEGREES:g} degrees, the other one declined")


async def invalid(stage: Stage) -> None:
    """A measure for an appliance that is not there."""
    params = {"measureId": "S-none", "mode": "propose", "text": "Heat less", "action": {**_action(19), "target": "dev-P7-1"}}
    order = await stage.command("eff", "efficiency", "measure", params, consent="required")
    stage.step("UC13-P1", order.id)
    refused = await stage.status(order, State.REJECTED, error="requestInvalid")
    await stage.gone(order)
    stage.step("UC13-P2-A1.1", refused["error"]["text"])
    found = await stage.event("requestInvalid", command=order)
    await stage.alert("eff", "error", event=found["evtId"])
    stage.step("UC13-P2-A1.2", f"rejected at {refused['ts']}")


async def not_confirmed(stage: Stage) -> None:
    """The consumer's choice does not get through; the efficiency entity is alerted, and the measure stands."""
    await stage.fault("confirm", count=1)
    order = await _proposed(stage, "instigate", confirmBy=stage.at(5))
    await _approved(stage, order)
    await stage.event("confirmationNotSent", command=order)
    await stage.silent(order, State.ACCEPTED)
    await stage.silent(order, State.EXECUTED)
    stage.step("UC13-P5-A2.1", "no status accepted")
    alert = await stage.alert("eff", "noConfirmation", command=order)
    await _target(stage)
    stage.step("UC13-P5-A2.2", f"noConfirmation at {alert['ts']}")


FLOWS = {"UC13-P": approved, "UC13-P2-A1": invalid, "UC13-P5-A2": not_confirmed}
