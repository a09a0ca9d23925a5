"""Efficiency measures: proposed or instigated, and in both cases the consumer's to approve (use case 13)."""

from collections.abc import Mapping
from typing import Any

from apps.metering.meter import appliances
from apps.metering.meter.body import Body
from apps.metering.meter.handler import REQUIRED, Handler
from apps.metering.meter.records import Command, Done, Failed, Later, Outcome


def _action(command: Command) -> Mapping[str, Any] | None:
    found: Mapping[str, Any] | None = command.params.get("action")
    return found


def _step(meter: Body, action: Mapping[str, Any]) -> appliances.Step:
    return appliances.step(meter, action["target"], action["action"], action.get("value"), "params.action")


def _check(meter: Body, command: Command) -> None:
    if (action := _action(command)) is not None:
        _step(meter, action)


def _apply(meter: Body, command: Command) -> Outcome:
    """Put the measure into action: an appliance does it, where there is one to do it, otherwise the consumer."""
    if (action := _action(command)) is None:
        return Done({"measureId": command.params["measureId"]})
    done = appliances.order(meter, action["target"], _step(meter, action))
    return Later(at=meter.now() + meter.settings.timer("ackWithin"), on=done)


def _resume(meter: Body, command: Command, occasion: str) -> Outcome:
    action = _action(command)
    assert action is not None, "only an appliance is waited for"
    if occasion == "time":
        raise Failed("applyFailed", f"{action['target']} has not acknowledged {action['action']} in time")
    return Done({"measureId": command.params["measureId"], "device": action["target"]})


def _details(command: Command) -> Mapping[str, Any]:
    found = {} if command.envelope.get("message") else {"text": command.params["text"]}
    action = _action(command) or {}
    return found | {name: action[member] for name, member in (("device", "target"), ("action", "action"), ("value", "value")) if member in action}


HANDLERS = {"measure": Handler(_apply, check=_check, resume=_resume, consents=REQUIRED, item="efficiency", details=_details)}
