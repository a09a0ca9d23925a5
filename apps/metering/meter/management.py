"""What is asked of a meter at the management objects of its node: log, switch, factory reset. Updates are in apps.metering.meter.handlers.maint."""

from collections.abc import Mapping
from typing import Any

from apps.metering.meter import account, quality
from apps.metering.meter.body import Body
from apps.metering.meter.records import key_of
from apps.metering.tree import supply_switch
from apps.metering.vocabulary import State, stamp
from cse.management import LogStatus, Status

VALID = 60.0
"""Seconds that a command is valid which is made of a trigger."""


def log(meter: Body, attributes: Mapping[str, Any]) -> None:
    """Start or stop the log of interference; ``events/security`` has everything in any case."""
    for trigger, status in (("lga", LogStatus.STARTED), ("lgo", LogStatus.STOPPED)):
        if attributes.get(trigger) is True:
            meter.events.keep_log(status is LogStatus.STARTED)


def switch(meter: Body, attributes: Mapping[str, Any]) -> None:
    """Enable or disable the supply as by command of the asset organisation; where that is refused the object says so."""
    for trigger, name in (("ena", "enable"), ("dis", "disable")):
        if attributes.get(trigger) is not True:
            continue
        identifier = f"supplySwitch-{meter.identity.name}-{meter.kept.number('node')}"
        envelope = {"cmdId": identifier, "type": name, "issuer": "Casset", "issuedAt": stamp(meter.now()), "validUntil": stamp(meter.now() + VALID)}
        meter.issue("supply", {**envelope, "consent": "none", "params": {"reason": f"supplySwitch {name}"}}, "Casset", identifier)
        if meter.kept.get("command", key_of("Casset", identifier))["state"] != State.EXECUTED:
            told = supply_switch(meter.identity.switch, meter.plant.state != "disabled")
            meter.outbox.update(meter.node("supplySwitch"), "m2m:dvc", {"cas": {"acn": name, "sus": int(Status.FAILURE)}, "cus": told["cus"]})


def reset(meter: Body) -> None:
    """Have the settings again that the meter came with: parameters, timers, reports, tolerances, timetable. What was measured, paid and recorded stays, and so
    does what is installed; commands that were there are not executed again.
    """
    meter.settings.reset()
    quality.reset(meter)
    for name in meter.jobs.names():
        if name.startswith(("schedule:", "report:", "payment:status")):
            meter.jobs.drop(name)
    account.watch(meter)
