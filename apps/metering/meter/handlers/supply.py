"""Enable, disable and limit the supply (use case 11)."""

from apps.metering.meter import account
from apps.metering.meter.body import Body
from apps.metering.meter.handler import Handler
from apps.metering.meter.records import Command, Done, Outcome, Rejected
from apps.metering.meter.supply import UNITS, switch


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
    account.ordered(meter, state)
    return Done({"state": state})


def install(meter: Body) -> None:
    """Write the first state."""
    meter.outbox.put(meter.place("supply/state"), {"ts": meter.ts(), "state": meter.plant.state, "cause": "startup"})


HANDLERS = {name: Handler(_control, check=_check, stuck=True) for name in ("enable", "disable", "limit")}
