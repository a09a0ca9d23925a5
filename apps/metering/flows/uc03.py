"""Support prepayment."""

from collections.abc import Mapping
from typing import Any

from apps.metering.flows.stage import Order, Stage, Unobserved
from apps.metering.vocabulary import State

SHOWN = {"title": "Pay as you go", "text": "Your meter is now in prepayment mode. Add credit before it is used up.", "lang": "en"}


async def _changed(stage: Stage, **more: Any) -> Order:
    """Play the first four steps: the mode is asked for, checked, switched, confirmed."""
    order = await stage.command("bill", "payment", "setMode", {"mode": "prepayment", "emergencyLimit": "10"}, consent="required", message=SHOWN, **more)
    stage.step("UC03-P1", order.id)
    await stage.status(order, State.VALIDATED)
    stage.step("UC03-P2", "validated")
    await stage.latest("bill", "mtr-M1/payment/state", "prepayment mode", lambda one: one["mode"] == "prepayment")
    stage.step("UC03-P3", "payment/state")
    done = await stage.status(order, State.EXECUTED)
    stage.step("UC03-P4", f"executed at {done['ts']}")
    return order


async def _read(stage: Stage, order: Order) -> Mapping[str, Any]:
    """Play the next two: the information is shown, and read."""
    item = await stage.item(order)
    await stage.status(order, State.DISPLAYED, info=True)
    stage.step("UC03-P5", f"item {item['msgId']} of kind {item['kind']}")
    await stage.act(item, "view")
    item = await stage.item(order, lambda one: bool(one["viewed"]))
    stage.step("UC03-P6", "action view")
    return item


async def _paid(stage: Stage) -> Order:
    """Let the consumer add credit."""
    return await stage.command("consumer-P1", "credit", "addCredit", {"amount": "25.50", "currency": "EUR", "token": f"T-{stage.at(0)}"})


async def _learned(stage: Stage, flow: str, order: Order, event: str, first: int) -> None:
    """See the two last steps of every alternative: the error is recorded, and both organisations learn of it."""
    found = await stage.event(event, command=order)
    stage.step(f"{flow}.{first}", f"{event} at {found['ts']}")
    for name in ("asset", "bill"):
        await stage.alert(name, "error", event=found["evtId"])
    stage.step(f"{flow}.{first + 1}", f"alerts with {found['evtId']}")


async def prepayment(stage: Stage) -> None:
    """The mode changes, the consumer reads of it and pays, the organisations see it."""
    order = await _changed(stage)
    item = await _read(stage, order)
    if "accept" not in item["answers"]:
        raise Unobserved(f"the item offers {item['answers']}")
    stage.step("UC03-P7", f"offered: {', '.join(item['answers'])}")
    before = (await stage.latest("bill", "mtr-M1/payment/state", "the state", lambda one: True))["credit"]
    credit = await _paid(stage)
    stage.step("UC03-P8", credit.id)
    done = await stage.status(credit, State.EXECUTED)
    entry = await stage.see("bill", "mtr-M1/payment/ledger", "the entry", lambda one: one.get("cmdId") == credit.id)
    stage.step("UC03-P9", f"executed, ledger entry {entry['entryId']} of {entry['amount']} upon {before}")
    seen = await stage.status(order, State.EXECUTED, info=True)
    if not {"appliedAt", "viewedAt", "disposition"} <= seen["result"].keys():
        raise Unobserved(f"the notice ended with {seen['result']}")
    status = await stage.command("bill", "payment", "status", {})
    await stage.status(status, State.EXECUTED)
    state = await stage.see("bill", "mtr-M1/payment/state", "the state", lambda one: one["credit"] == done["result"]["credit"])
    stage.step("UC03-P10", f"credit {state['credit']} {state['currency']}")


async def invalid(stage: Stage) -> None:
    """A mode that does not exist."""
    order = await stage.command("bill", "payment", "setMode", {"mode": "free"}, consent="required", message=SHOWN)
    stage.step("UC03-P1", order.id)
    refused = await stage.status(order, State.REJECTED, error="requestInvalid")
    await stage.gone(order)
    stage.step("UC03-P2-A1.1", refused["error"]["text"])
    await _learned(stage, "UC03-P2-A1", order, "requestInvalid", 2)


async def not_changed(stage: Stage) -> None:
    """The change does not take."""
    await stage.fault("apply", count=1)
    order = await stage.command("bill", "payment", "setMode", {"mode": "prepayment"}, consent="required", message=SHOWN)
    stage.step("UC03-P1", order.id)
    await stage.status(order, State.VALIDATED)
    stage.step("UC03-P2", "validated")
    failed = await stage.status(order, State.FAILED, error="paymentModeNotChanged")
    await stage.gone(order)
    stage.step("UC03-P3-A2.1", failed["error"]["text"])
    await _learned(stage, "UC03-P3-A2", order, "paymentModeNotChanged", 2)


async def not_displayed(stage: Stage) -> None:
    """The display refuses; the mode stays changed."""
    await stage.fault("display", "ihd-P1", count=1)
    order = await _changed(stage)
    failed = await stage.status(order, State.FAILED, info=True, error="displayFailed")
    await stage.gone(order)
    stage.step("UC03-P5-A3.1", failed["error"]["text"])
    await stage.latest("bill", "mtr-M1/payment/state", "prepayment mode", lambda one: one["mode"] == "prepayment")
    stage.step("UC03-P5-A3.2", f"failed at {failed['ts']}")
    await _learned(stage, "UC03-P5-A3", order, "displayFailed", 3)


async def not_read(stage: Stage) -> None:
    """The consumer does not read it in time."""
    order = await _changed(stage, consumerDeadline=2)
    item = await stage.item(order)
    await stage.status(order, State.DISPLAYED, info=True)
    stage.step("UC03-P5", f"item {item['msgId']}")
    expired = await stage.status(order, State.EXPIRED, info=True, error="notRead")
    stage.step("UC03-P6-A4.1", "no action")
    await stage.gone(order)
    stage.step("UC03-P6-A4.2", f"expired at {expired['ts']}")
    await _learned(stage, "UC03-P6-A4", order, "notRead", 3)


async def not_acted(stage: Stage) -> None:
    """The consumer reads, and cannot act."""
    order = await _changed(stage, consumerDeadline=3)
    await _read(stage, order)
    expired = await stage.status(order, State.EXPIRED, info=True, error="notActed")
    stage.step("UC03-P7-A5.1", "action view only")
    await stage.gone(order)
    stage.step("UC03-P7-A5.2", f"expired at {expired['ts']}")
    await _learned(stage, "UC03-P7-A5", order, "notActed", 3)


async def not_confirmed(stage: Stage) -> None:
    """Credit is added, and its confirmation does not get through; the credit stays."""
    order = await _changed(stage)
    await _read(stage, order)
    stage.step("UC03-P7", "offered actions")
    await stage.fault("confirm", count=1)
    credit = await _paid(stage)
    stage.step("UC03-P8", credit.id)
    await stage.see("bill", "mtr-M1/payment/ledger", "the entry", lambda one: one.get("cmdId") == credit.id)
    found = await stage.event("confirmationNotSent", command=credit)
    await stage.silent(credit, State.EXECUTED)
    stage.step("UC03-P9-A6.1", "no status executed")
    stage.step("UC03-P9-A6.2", found["detail"])
    await _learned(stage, "UC03-P9-A6", credit, "confirmationNotSent", 3)


FLOWS = {
    "UC03-P": prepayment,
    "UC03-P2-A1": invalid,
    "UC03-P3-A2": not_changed,
    "UC03-P5-A3": not_displayed,
    "UC03-P6-A4": not_read,
    "UC03-P7-A5": not_acted,
    "UC03-P9-A6": not_confirmed,
}
