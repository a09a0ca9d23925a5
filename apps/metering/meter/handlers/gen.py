"""Generation and demand of the premise, set to a level for a span of time; the equipment acknowledges (use case 7)."""

from collections.abc import Mapping
from typing import Any

from apps.metering.equipment import RATED, UNITS
from apps.metering.meter.appliances import acknowledgement
from apps.metering.meter.body import Body
from apps.metering.meter.handler import Handler
from apps.metering.meter.records import Command, Done, Failed, Later, Outcome, Rejected
from apps.metering.vocabulary import State, stamp
from cse.datatypes import seconds_of


def _devices(meter: Body, quantity: str) -> tuple[str, ...]:
    return meter.identity.generators if quantity == "generation" else meter.identity.appliances


def _check(meter: Body, command: Command) -> None:
    params = command.params
    if not meter.identity.electric:
        raise Rejected("requestUnsupported", f"type: a {meter.identity.kind} meter has no generation to adjust")
    devices = _devices(meter, params["quantity"])
    if not devices:
        raise Rejected("requestUnsupported", f"params.quantity: nothing at premise {meter.identity.premise} could adjust its {params['quantity']}")
    if seconds_of(params["end"]) <= seconds_of(params["start"]):
        raise Rejected("requestInvalid", f"params.end: {params['end']} is not later than params.start {params['start']}")
    if seconds_of(params["end"]) <= meter.now():
        raise Rejected("requestInvalid", f"params.end: {params['end']} has passed")
    if params["unit"] not in UNITS:
        raise Rejected("requestInvalid", f"params.unit: {params['unit']!r} is none of {', '.join(UNITS)}")
    most = RATED / UNITS[params["unit"]] * (1 if params["unit"] == "%" else len(devices))
    if params["level"] > most:
        raise Rejected("requestInvalid", f"params.level: {params['level']:g} {params['unit']} is more than the {most:g} that are fitted")


def _apply(meter: Body, command: Command) -> Outcome:
    """Ask every piece of equipment at once, though it may be for later: whoever asked wants to know whether it can be counted upon."""
    devices = _devices(meter, command.params["quantity"])
    # equipment that does not acknowledge has not been reached: what was asked for is on record, addressed to none
    reached = not meter.faults.use("noAck")
    for device in devices:
        _put(meter, command, {"device": device} if reached else {}, until=command.params["end"])
    by = meter.now() + meter.settings.timer("ackWithin")
    return Later(at=by, on=tuple(acknowledgement(device, command.id) for device in devices), kept={"missing": list(devices), "by": by})


def _put(meter: Body, command: Command, device: Mapping[str, Any], *, until: str) -> None:
    """Write what is wanted of one device: its share of a level, or the same share of what it is fitted for."""
    params, devices = command.params, _devices(meter, command.params["quantity"])
    level = params["level"] if params["unit"] == "%" else round(params["level"] / len(devices), 6)
    wanted = {"quantity": params["quantity"], "direction": params["direction"], "level": level, "unit": params["unit"]}
    record = {"ts": meter.ts(), **wanted, "start": params["start"], "until": until, "cmdId": command.id, **device}
    meter.outbox.put(meter.place("generation/setpoint"), record)


def _resume(meter: Body, command: Command, occasion: str) -> Outcome:
    """Wait for everybody, then for the start: from then on the equipment keeps to it by itself."""
    if not command.kept["missing"]:
        return Done({"ackBy": [f"C{device}" for device in _devices(meter, command.params["quantity"])]})
    if occasion == "time":
        for device in _devices(meter, command.params["quantity"]):
            _put(meter, command, {"device": device}, until=stamp(meter.now()))
        raise Failed("applyFailed", f"{', '.join(command.kept['missing'])} has not acknowledged {command.id} in time")
    missing = [device for device in command.kept["missing"] if acknowledgement(device, command.id) != occasion]
    if missing:
        return Later(at=command.kept["by"], on=command.waits, kept={"missing": missing})
    return Later(at=max(meter.now(), seconds_of(command.params["start"])), state=State.ACCEPTED, kept={"missing": []})


HANDLERS = {"adjust": Handler(_apply, check=_check, resume=_resume)}
