"""Demand response: a change of what is drawn for a span of time, announced to the consumer, who may override it (use case 6)."""

from collections.abc import Mapping
from typing import Any

from apps.metering.meter import appliances
from apps.metering.meter.body import Body
from apps.metering.meter.handler import INFORMED, REQUIRED, Handler
from apps.metering.meter.records import Command, Done, Failed, Later, Outcome, Rejected
from apps.metering.vocabulary import Consent, State, spoken
from cse.datatypes import seconds_of

_PRICE = "New price"
"""What stands above a price notice whose issuer has given no title."""


def _span(command: Command) -> tuple[float, float]:
    return seconds_of(command.params["start"]), seconds_of(command.params["end"])


def _notice(command: Command) -> bool:
    """Tell whether there is nothing to do but to read, whatever its consent."""
    return bool(command.params["action"] == "priceNotice")


def _check(meter: Body, command: Command) -> None:
    params, (start, end) = command.params, _span(command)
    if end <= start:
        raise Rejected("requestInvalid", f"params.end: {params['end']} is not later than params.start {params['start']}")
    if end <= meter.now():
        raise Rejected("requestInvalid", f"params.end: {params['end']} has passed")
    if command.envelope["consent"] == Consent.INFORMED and not _notice(command):
        raise Rejected("requestInvalid", f"consent: {params['action']} needs required, only a priceNotice may be informed")
    if params["action"] in ("reduce", "shift"):
        _check_level(params)
    if "target" in params:
        _step(meter, command)
    elif params["action"] == "setpoint" and "level" not in params:
        raise Rejected("requestInvalid", "params.level: a setpoint needs a level")


def _check_level(params: Mapping[str, Any]) -> None:
    level = params.get("level", 0)
    if level < 0:
        raise Rejected("requestInvalid", f"params.level: must not be negative, not {level:g}")
    if params.get("unit") in ("%", "percent") and level > 100:
        raise Rejected("requestInvalid", f"params.level: must be at most 100 percent, not {level:g}")


def _apply(meter: Body, command: Command) -> Outcome:
    """Begin when the event does; a price notice that was read is all there was."""
    if _notice(command):
        return Done({"eventId": command.params["eventId"]})
    return Later(at=max(meter.now(), _span(command)[0]), kept={"phase": "start"})


def _silence(meter: Body, command: Command) -> Outcome | None:
    """Take silence for consent where the event says so."""
    if command.params.get("onSilence") != "apply" or _notice(command):
        return None
    return Later(at=max(meter.now(), _span(command)[0]), state=State.ACCEPTED, kept={"phase": "start", "silent": True})


def _resume(meter: Body, command: Command, occasion: str) -> Outcome:
    """Go through the event: ``start`` is waited for, ``acting`` until the appliance has, ``on`` until the end. The consumer may override any time."""
    phase, end = command.kept["phase"], _span(command)[1]
    match phase, occasion:
        case _, "override":
            _release(meter, command)
            return Done()
        case "start", _:
            return _begin(meter, command, end)
        case "acting", "time":
            _release(meter, command)
            raise Failed("applyFailed", f"{command.params['target']} has not acknowledged {command.params['action']} in time")
        case "acting", _:
            return Later(at=end, kept={"phase": "on"})
    _release(meter, command)
    result = {"eventId": command.params["eventId"], "answer": "silence" if command.kept.get("silent") else "accept"}
    return Done({**result, **({"device": command.params["target"]} if "target" in command.params else {})})


def _begin(meter: Body, command: Command, end: float) -> Outcome:
    if meter.now() >= end:
        raise Failed("applyFailed", f"event {command.params['eventId']} was over at {command.params['end']}, before it could begin")
    if command.kept.get("silent") and meter.faults.use("apply"):
        raise Failed("applyFailed", f"{command.type} was attempted and did not succeed")
    if "target" not in command.params:
        return Later(at=end, kept={"phase": "on"})
    module, value = _step(meter, command)
    before = appliances.state(meter, command.params["target"], module)
    done = appliances.order(meter, command.params["target"], (module, value))
    return Later(at=meter.now() + meter.settings.timer("ackWithin"), on=done, kept={"phase": "acting", "before": before})


def _step(meter: Body, command: Command) -> appliances.Step:
    """Give what the action means for the appliance: to draw less, now or later, is to be off."""
    params = command.params
    action = "off" if params["action"] in ("reduce", "shift") else params["action"]
    return appliances.step(meter, params["target"], action, params.get("level"), named="level")


def _release(meter: Body, command: Command) -> None:
    """Give the appliance back what it had before, unless the consumer has set it otherwise meanwhile."""
    if "target" not in command.params or command.kept["phase"] == "start":
        return
    device, (module, value), before = command.params["target"], _step(meter, command), command.kept.get("before")
    unchanged = command.kept["phase"] == "acting" or appliances.state(meter, device, module) == value
    if unchanged and before is not None and before != value:
        appliances.order(meter, device, (module, before))


def _details(command: Command) -> Mapping[str, Any]:
    """Give what the consumer is told of the action that is about to take place."""
    params = command.params
    found = {"start": params["start"], "end": params["end"], "action": params["action"]}
    found |= {name: params[member] for name, member in (("device", "target"), ("value", "level")) if member in params}
    message = command.envelope.get("message") or {}
    found |= {"title": _PRICE} if _notice(command) and not message.get("title") else {}
    return found if message else {**found, "text": _text(params)}


def _text(params: Mapping[str, Any]) -> str:
    level = f" {params['level']:g} {params.get('unit', '')}".rstrip() if "level" in params else ""
    what = f"{_PRICE}:{level}" if params["action"] == "priceNotice" else f"Load control: {params['action']}{level}"
    return f"{what}{' of ' + params['target'] if 'target' in params else ''} from {spoken(params['start'])} to {spoken(params['end'])} UTC"


HANDLERS = {
    "demandResponse": Handler(
        _apply,
        check=_check,
        resume=_resume,
        consents=REQUIRED | INFORMED,
        item="demandResponse",
        informs=_notice,
        details=_details,
        override=True,
        silence=_silence,
    )
}
