"""Manage interference and malfunction."""

import json
from collections.abc import Mapping
from typing import Any

from apps.metering.flows import looks
from apps.metering.flows.stage import Order, Stage
from apps.metering.vocabulary import State

KINDS = ["security", "malfunction"]


async def _detected(stage: Stage) -> Mapping[str, Mapping[str, Any]]:
    """Play the first step: somebody opens the meter, and its battery is low; give both events as they were told to asset, by their types."""
    for kind in KINDS:
        await stage.subscribe("asset", f"mtr-M1/events/{kind}")
    await stage.control("setPhysical", "M1", tamper=True, battery=11)
    try:
        found = {name: await stage.notified(lambda one, name=name: one.get("type") == name) for name in ("tamper", "battery")}  # type: ignore[misc]
    finally:
        await stage.control("setPhysical", "M1", tamper=False, battery=100)
    stage.step("UC09-P1", "; ".join(f"{one['type']} {one['evtId']} at {one['ts']}" for one in found.values()))
    return found


async def _asked(stage: Stage, **more: Any) -> Order:
    """Play the next two: asset asks for the history of this flow."""
    order = await stage.command("asset", "log", "getEvents", {"kinds": KINDS, "from": stage.began}, **more)
    stage.step("UC09-P2", order.id)
    await stage.status(order, State.VALIDATED)
    stage.step("UC09-P3", "validated")
    return order


async def history(stage: Stage) -> None:
    """Asset is told of interference and malfunction, asks for the history, and acts."""
    events = await _detected(stage)
    order = await _asked(stage)
    done = await stage.status(order, State.EXECUTED)
    named = done["result"]["evtId"]
    listed = [one["evtId"] for kind in KINDS for one in await stage.instances("asset", f"mtr-M1/events/{kind}")]
    wanted = {one["evtId"] for one in events.values()}
    looks.demand(wanted <= set(named) <= set(listed), f"{order.id} names {named} where events has {listed}")
    log = await stage.client("asset").retrieve(f"{stage.world.plan.base}/nod-M1/eventLog")
    logged = [one["evtId"] for one in json.loads(log["lgd"])]
    looks.demand((log["lgt"], log["lgst"]) == (2, 1) and events["tamper"]["evtId"] in logged, f"eventLog has {logged}")
    stage.step("UC09-P4", f"executed with {', '.join(named)}; eventLog has {events['tamper']['evtId']}")
    follow = await stage.command("asset", "config", "applySettings", {"settings": {"label": f"inspected {stage.began}"}})
    settings = await stage.status(follow, State.EXECUTED)
    stage.step("UC09-P5", f"{follow.id} made version {settings['result']['version']}")


async def invalid(stage: Stage) -> None:
    """A kind of events that does not exist."""
    await _detected(stage)
    order = await stage.command("asset", "log", "getEvents", {"kinds": ["gossip"]})
    stage.step("UC09-P2", order.id)
    refused = await stage.status(order, State.REJECTED, error="requestInvalid")
    stage.step("UC09-P3-A1.1", refused["error"]["text"])
    found = await stage.event("requestInvalid", command=order)
    await stage.alert("asset", "error", event=found["evtId"])
    await stage.gone(order)
    stage.step("UC09-P3-A1.2", f"rejected at {refused['ts']}")


async def not_received(stage: Stage) -> None:
    """The history is out, and asset does not acknowledge it."""
    await _detected(stage)
    order = await _asked(stage, ackRequired=True)
    await stage.status(order, State.EXECUTED)
    found = await stage.event("notReceived", command=order)
    stage.step("UC09-P4-A2.1", found["detail"])
    alert = await stage.alert("asset", "notReceived", command=order, event=found["evtId"])
    stage.step("UC09-P4-A2.2", f"notReceived at {alert['ts']}")


FLOWS = {"UC09-P": history, "UC09-P3-A1": invalid, "UC09-P4-A2": not_received}
