"""Display messages."""

from typing import Any

from apps.metering.flows.stage import Order, Stage
from apps.metering.vocabulary import State

TEXT = {"title": "Meter reading day", "text": "Do you want a paper bill from now on?", "lang": "en"}


SENDERS = ("bill", "esp", "eff")
"""Who may send messages, and learns of failures."""


async def _shown(stage: Stage, actor: str, **more: Any) -> tuple[Order, str]:
    """Play the first three steps and give the command and its msgId."""
    order = await stage.command(actor, "message", "show", {"answers": ["accept", "decline"]}, consent="required", message=TEXT, **more)
    stage.step("UC14-P1", f"{actor}: {order.id}")
    await stage.status(order, State.VALIDATED)
    stage.step("UC14-P2", "validated")
    item = await stage.item(order)
    await stage.status(order, State.DISPLAYED)
    stage.step("UC14-P3", f"item {item['msgId']} of kind {item['kind']}")
    return order, item["msgId"]


async def approved(stage: Stage) -> None:
    """A message is shown and approved; another one is declined."""
    order, item = await _shown(stage, "esp")
    await stage.act({"msgId": item}, "accept")
    await stage.item(order, lambda one: one["answer"] == "accept")
    stage.step("UC14-P4", "action accept")
    told = await stage.status(order, State.ACCEPTED)
    await stage.status(order, State.EXECUTED)
    other = await stage.command("bill", "message", "show", {}, consent="required", message=TEXT)
    await stage.act(await stage.item(other), "decline")
    refused = await stage.status(other, State.DECLINED)
    stage.step("UC14-P5", f"accepted at {told['ts']}; another one declined at {refused['ts']}")


async def invalid(stage: Stage) -> None:
    """There is nothing to show."""
    order = await stage.command("bill", "message", "show", {"answers": ["accept", "decline"]}, consent="required")
    stage.step("UC14-P1", f"bill: {order.id}")
    refused = await stage.status(order, State.REJECTED, error="requestInvalid")
    await stage.gone(order)
    stage.step("UC14-P2-A1.1", refused["error"]["text"])
    found = await stage.event("requestInvalid", command=order)
    for name in SENDERS:
        await stage.alert(name, "error", event=found["evtId"])
    stage.step("UC14-P2-A1.2", f"rejected at {refused['ts']}")


async def not_confirmed(stage: Stage) -> None:
    """The consumer's choice does not get through; whoever may send messages is alerted."""
    await stage.fault("confirm", count=1)
    order, item = await _shown(stage, "eff", confirmBy=stage.at(6))
    await stage.act({"msgId": item}, "accept")
    await stage.item(order, lambda one: one["answer"] == "accept")
    stage.step("UC14-P4", "action accept")
    for name in SENDERS:
        alert = await stage.alert(name, "noConfirmation", command=order)
    await stage.silent(order, State.ACCEPTED)
    stage.step("UC14-P5-A2.1", "no status accepted")
    stage.step("UC14-P5-A2.2", f"noConfirmation at {alert['ts']}")


FLOWS = {"UC14-P": approved, "UC14-P2-A1": invalid, "UC14-P5-A2": not_confirmed}
