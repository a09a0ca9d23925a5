"""Enable, disable and limit the supply (use case 11)."""

from collections.abc import Mapping
from typing import Any

from apps.metering.meter.body import Body
from apps.metering.meter.handler import Handler
from apps.metering.meter.records import Command, Done, Failed, Outcome, Rejected
from apps.metering.tree import supply_switch

UNITS: Mapping[str, Mapping[str, float]] = {
    "electricity": {"kW": 1.0, "W": 0.001, "A": 0.23},
    "water": {"m3/h": 1.0, "l/h": 0.001, "l/min": 0.06},
    "heat": {"kW": 1.0, "W": 0.001},
}
"""Units of a limit, and what one is in kilowatts or cubic metres an hour. Gas is not limited (F4)."""


def _check(meter: Body, command: Command) -> None:
    if not meter.identity.switch:
        raise Rejected("requestUnsupported", f"type: {meter.identity.name} has no switch or valve to {command.type}")
    if command.type != "limit":
        return
    if meter.identity.kind not in UNITS:
        raise Rejected("requestUnsupported", f"type: the supply of {meter.identity.kind} cannot be limited")
    if command.params["unit"] not in UNITS[meter.identity.kind]:
        raise Rejected("requestInvalid", f"params.unit: {command.params['unit']!r} is none of {', '.join(UNITS[meter.identity.kind])}")


def _control(meter: Body, command: Command) -> Outcome:
    state = {"enable": "enabled", "disable": "disabled", "limit": "limited"}[command.type]
    params, limit, shown = command.params, None, {}
    if state == "limited":
        limit = params["value"] * UNITS[meter.identity.kind][params["unit"]]
        shown = {"limit": {"value": params["value"], "unit": params["unit"]}}
    switch(meter, state, str(params.get("reason", command.type)), command=command.id, limit=limit, shown=shown)
    return Done({"state": state})


def switch(meter: Body, state: str, cause: str, *, command: str = "", limit: float | None = None, shown: Mapping[str, Any] | None = None) -> None:
    """Set switch or valve, look whether it has moved, and write the state that was reached. limit: as the plant counts it; shown: the member of
    the state that tells it.

    Raises Failed when the switch stays where it was.
    """
    meter.plant.advance(meter.now())
    meter.plant.switch(state, limit)
    if meter.plant.state != state:
        part = "switch" if meter.identity.electric else "valve"
        meter.events.record(part, f"the supply is {meter.plant.state}, it should be {state}", severity="critical", command=command)
        raise Failed("applyFailed", f"the supply is {meter.plant.state}, it should be {state}")
    meter.plant.keep()
    record = {"ts": meter.ts(), "state": state, "cause": cause}
    meter.outbox.put(meter.place("supply/state"), {**record, **(shown or {}), **({"cmdId": command} if command else {})})
    meter.outbox.update(meter.node("supplySwitch"), "m2m:dvc", _capability(state != "disabled"))
    meter.events.record("supplyChanged", f"the supply is {state}: {cause}", severity="info", command=command)
    meter.readings.show()


def _capability(closed: bool) -> Mapping[str, object]:
    told = supply_switch(True, closed)
    return {"cas": told["cas"], "cus": told["cus"]}


def install(meter: Body) -> None:
    """Write the first state."""
    meter.outbox.put(meter.place("supply/state"), {"ts": meter.ts(), "state": meter.plant.state, "cause": "startup"})


HANDLERS = {name: Handler(_control, check=_check) for name in ("enable", "disable", "limit")}
