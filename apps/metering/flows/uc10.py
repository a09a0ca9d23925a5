"""Manage tariff settings."""

from collections.abc import Mapping
from typing import Any

from apps.metering.flows.stage import Order, Stage, Unobserved
from apps.metering.vocabulary import State

SHOWN = {"title": "New prices", "text": "Your tariff has changed. By night you pay less.", "lang": "en"}


def _params(name: str, **more: Any) -> dict[str, Any]:
    """Give a tariff of two rates: by night on a register of its own; the day's rate is in force when the flow is played."""
    rates = [
        {"rateId": f"{name}-day", "price": "0.3125", "currency": "EUR", "unit": "kWh", "register": "1.8.1"},
        {"rateId": f"{name}-night", "price": "0.1875", "currency": "EUR", "unit": "kWh", "register": "1.8.2"},
    ]
    return {"tariffId": name, "scheme": "dual", "rates": rates, "calendar": [], **more}


async def _applied(stage: Stage, name: str, *, told: bool = True, **more: Any) -> tuple[Order, Mapping[str, Any]]:
    """Play the first four steps and give the command and its item; told: whether its end is."""
    order = await stage.command("bill", "tariff", "setTariff", _params(name), consent="informed", message=SHOWN, **more)
    stage.step("UC10-P1", order.id)
    await stage.status(order, State.VALIDATED)
    stage.step("UC10-P2", "validated")
    active = await stage.latest("bill", "mtr-M1/tariff/active", name, lambda one: one["tariffId"] == name and one["cmdId"] == order.id)
    if told:
        await stage.status(order, State.EXECUTED)
    stage.step("UC10-P3", f"tariff/active is {active['tariffId']}")
    item = await stage.item(order)
    await stage.status(order, State.DISPLAYED, info=True)
    await stage.latest("consumer-P1", "ihd-P1/screen", "the rate", lambda one: one["figures"].get("rate") == f"{name}-day")
    stage.step("UC10-P4", f"item {item['msgId']} of kind {item['kind']}, figures.rate {name}-day")
    return order, item


async def updated(stage: Stage) -> None:
    """A tariff is applied, shown, read and saved; one that comes later waits until then."""
    order, item = await _applied(stage, "T-now")
    await stage.act(item, "view")
    await stage.item(order, lambda one: bool(one["viewed"]))
    await stage.act(item, "save")
    saved = await stage.see("consumer-P1", "ihd-P1/saved", "the message", lambda one: one["msgId"] == item["msgId"])
    stage.step("UC10-P5", f"actions view and save, saved at {saved['savedAt']}")
    seen = await stage.status(order, State.EXECUTED, info=True)
    if seen["result"].keys() != {"viewedAt", "disposition", "appliedAt"} or seen["result"]["disposition"] != "save":
        raise Unobserved(f"the notice ended with {seen['result']}")
    stage.step("UC10-P6", f"executed, viewed at {seen['result']['viewedAt']}")
    await stage.act(item, "delete")
    later = await stage.command("bill", "tariff", "setTariff", _params("T-later", effective=stage.at(3)))
    await stage.latest("bill", "mtr-M1/tariff/pending", "T-later", lambda one: one["cmdId"] == later.id)
    await stage.status(later, State.ACCEPTED)
    await stage.silent(later, State.EXECUTED)
    await stage.status(later, State.EXECUTED)
    await stage.latest("bill", "mtr-M1/tariff/active", "T-later", lambda one: one["cmdId"] == later.id)
    await _together(stage)


async def _together(stage: Stage) -> None:
    """See a tariff for a group come into force at all of its meters, and one that a meter has to refuse at none."""
    meters = ("M1", "M2", "M3")
    one = {"rateId": "flat", "price": "0.25", "currency": "EUR", "unit": "unit"}
    refused = await stage.fan_out("bill", "grp-P1", meters, "tariff", "setTariff", _params("T-none"))
    for order in refused:
        await stage.status(order, State.FAILED if order.meter == "M1" else State.REJECTED)
    for order in await stage.fan_out("bill", "grp-P1", meters, "tariff", "setTariff", {"tariffId": "T-all", "scheme": "single", "rates": [one]}):
        await stage.status(order, State.EXECUTED)
        active = await stage.instances("bill", f"mtr-{order.meter}/tariff/active")
        if active[-1]["cmdId"] != order.id or any(one["tariffId"] == "T-none" for one in active):
            raise Unobserved(f"{order.meter} has {[one['tariffId'] for one in active]}")


async def invalid(stage: Stage) -> None:
    """A calendar names a rate that does not exist."""
    order = await stage.command(
        "bill", "tariff", "setTariff", _params("T-wrong", calendar=[{"at": "060000", "rateId": "noon"}]), consent="informed", message=SHOWN
    )
    stage.step("UC10-P1", order.id)
    refused = await stage.status(order, State.REJECTED, error="requestInvalid")
    await stage.gone(order)
    stage.step("UC10-P2-A1.1", refused["error"]["text"])
    found = await stage.event("requestInvalid", command=order)
    await stage.alert("bill", "error", command=order, event=found["evtId"])
    stage.step("UC10-P2-A1.2", f"rejected at {refused['ts']}")


async def not_confirmed(stage: Stage) -> None:
    """The tariff is applied and read, and no word of it comes through; the watcher says so."""
    await stage.fault("confirm", count=2)
    order, item = await _applied(stage, "T-mute", told=False, confirmBy=stage.at(4), consumerDeadline=3)
    await stage.act(item, "view")
    await stage.act(item, "save")
    await stage.see("consumer-P1", "ihd-P1/saved", "the message", lambda one: one["msgId"] == item["msgId"])
    stage.step("UC10-P5", "actions view and save")
    alert = await stage.alert("bill", "noConfirmation", command=order)
    await stage.silent(order, State.EXECUTED)
    await stage.silent(order, State.EXECUTED, info=True)
    stage.step("UC10-P6-A2.1", "no status executed")
    stage.step("UC10-P6-A2.2", f"noConfirmation at {alert['ts']}")
    await stage.act(item, "delete")


async def not_viewed(stage: Stage) -> None:
    """The consumer puts the message aside without viewing it, and another not even that; the tariff stays."""
    order, item = await _applied(stage, "T-unread")
    await stage.act(item, "save")
    await stage.see("consumer-P1", "ihd-P1/saved", "the message", lambda one: one["msgId"] == item["msgId"])
    stage.step("UC10-P5", "action save alone")
    seen = await stage.status(order, State.EXECUTED, info=True)
    if "viewedAt" in seen["result"]:
        raise Unobserved(f"{order.id} was viewed at {seen['result']['viewedAt']}")
    await stage.item(order, lambda one: not one["viewed"])
    stage.step("UC10-P6-A3.1", "no action view, the item is there unviewed")
    found = await stage.event("notRead", command=order)
    await stage.alert("bill", "error", event=found["evtId"])
    other = await stage.command("bill", "tariff", "setTariff", _params("T-unread"), consent="informed", message=SHOWN, consumerDeadline=2)
    expired = await stage.status(other, State.EXPIRED, info=True, error="notRead")
    found = await stage.event("notRead", command=other)
    await stage.alert("bill", "error", event=found["evtId"])
    ignored = await stage.item(other, lambda one: not one["viewed"])
    await stage.latest("bill", "mtr-M1/tariff/active", "the tariff", lambda one: one["cmdId"] == other.id)
    stage.step("UC10-P6-A3.2", f"notRead; where nothing was done expired at {expired['ts']}")
    for each in (item, ignored):
        await stage.act(each, "delete")


FLOWS = {"UC10-P": updated, "UC10-P2-A1": invalid, "UC10-P6-A2": not_confirmed, "UC10-P6-A3": not_viewed}
