"""Enable, disable or limit supply."""

from apps.metering.flows.stage import Order, Stage
from apps.metering.vocabulary import State

CONTROLLERS = ("asset", "bill")
"""Who controls the supply, and learns of failures."""


async def _ordered(stage: Stage, name: str, state: str) -> Order:
    """Play the first four steps."""
    order = await stage.command("asset", "supply", name, {"reason": "flow", **({"value": 2, "unit": "kW"} if name == "limit" else {})})
    stage.step("UC11-P1", f"{name} {order.id}")
    await stage.status(order, State.VALIDATED)
    stage.step("UC11-P2", "validated")
    switch = await stage.switch("M1", state != "disabled")
    stage.step("UC11-P3", f"supplySwitch is {'on' if switch['cus'] else 'off'}")
    await stage.see("asset", "mtr-M1/supply/state", state, lambda one: one.get("cmdId") == order.id and one["state"] == state)
    stage.step("UC11-P4", state)
    return order


async def controlled(stage: Stage) -> None:
    """The supply is disabled; afterwards it is enabled again."""
    order = await _ordered(stage, "disable", "disabled")
    done = await stage.status(order, State.EXECUTED)
    stage.step("UC11-P5", f"executed with {done['result']['state']}")
    await stage.status(await stage.command("asset", "supply", "enable", {"reason": "end of flow"}), State.EXECUTED)


async def invalid(stage: Stage) -> None:
    """A limit for gas is refused (F4)."""
    order = await stage.command("asset", "supply", "limit", {"value": 2, "unit": "m3/h", "reason": "flow"}, meter="M2")
    stage.step("UC11-P1", f"limit {order.id}")
    refused = await stage.status(order, State.REJECTED, error="requestUnsupported")
    stage.step("UC11-P2-A1.1", refused["error"]["text"])
    found = await stage.event("requestUnsupported", command=order, meter="M2")
    for name in CONTROLLERS:
        await stage.alert(name, "error", event=found["evtId"])
    stage.step("UC11-P2-A1.2", f"rejected at {refused['ts']}")


async def not_confirmed(stage: Stage) -> None:
    """The supply is switched, and nobody is told; the watcher is."""
    await stage.fault("confirm", count=1)
    order = await stage.command("asset", "supply", "limit", {"value": 2, "unit": "kW", "reason": "flow"}, confirmBy=stage.at(3))
    stage.step("UC11-P1", f"limit {order.id}")
    await stage.status(order, State.VALIDATED)
    stage.step("UC11-P2", "validated")
    await stage.switch("M1", True)
    stage.step("UC11-P3", "supplySwitch")
    await stage.see("asset", "mtr-M1/supply/state", "limited", lambda one: one.get("cmdId") == order.id and one["state"] == "limited")
    stage.step("UC11-P4", "limited")
    for name in CONTROLLERS:
        alert = await stage.alert(name, "noConfirmation", command=order)
    await stage.silent(order, State.EXECUTED)
    stage.step("UC11-P5-A2.1", "no status executed")
    stage.step("UC11-P5-A2.2", f"noConfirmation at {alert['ts']}")
    await stage.status(await stage.command("asset", "supply", "enable", {"reason": "end of flow"}), State.EXECUTED)


FLOWS = {"UC11-P": controlled, "UC11-P2-A1": invalid, "UC11-P5-A2": not_confirmed}
