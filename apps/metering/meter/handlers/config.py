"""Settings, reports, deadlines and the clock (use case 2, configure)."""

from apps.metering import money
from apps.metering.meter import account
from apps.metering.meter.body import Body
from apps.metering.meter.handler import Handler
from apps.metering.meter.handlers import device
from apps.metering.meter.handlers.read import wanted
from apps.metering.meter.records import Command, Done, Outcome, Rejected
from apps.metering.vocabulary import organisation
from cse.datatypes import seconds_of

_MOST = 100
"""General parameters that a meter has room for."""

_SHORTEST = 1.0
"""Seconds between two reports at least."""


def _check_settings(meter: Body, command: Command) -> None:
    settings = command.params["settings"]
    if "version" in settings:
        raise Rejected("requestInvalid", "params.settings.version: the meter counts its versions itself")
    if not isinstance(settings.get("label", ""), str):
        raise Rejected("requestInvalid", f"params.settings.label: {settings['label']!r} is no text")
    if len({*meter.settings.parameters, *settings}) > _MOST:
        raise Rejected("requestInvalid", f"params.settings: the meter keeps at most {_MOST} settings")
    try:
        account.windows(settings.get(account.WINDOWS, ""))
    except money.MoneyFault as wrong:
        raise Rejected("requestInvalid", f"params.settings.{account.WINDOWS}: {wrong}") from wrong


def _apply_settings(meter: Body, command: Command) -> Outcome:
    version = meter.settings.apply(command.params["settings"])
    account.watch(meter)
    return Done({"version": version})


def _check_reporting(meter: Body, command: Command) -> None:
    recipient = command.params["recipient"]
    if not organisation(recipient):
        raise Rejected("requestInvalid", f"params.recipient: {recipient} is no organisation that takes reports")
    if 0 < command.params["period"] < _SHORTEST:
        raise Rejected("requestInvalid", f"params.period: must be 0 for no reports, or {_SHORTEST:g} seconds or more, not {command.params['period']}")
    for what in wanted(command.params):
        if what not in ("registers", "profile") and not meter.identity.electric:
            raise Rejected("requestUnsupported", f"params.what: a {meter.identity.kind} meter has no {what}")


def _set_reporting(meter: Body, command: Command) -> Outcome:
    """Change the timetable; the reports of others go on, and one with a start begins then."""
    params, first = command.params, f"report:{command.params['recipient']}"
    meter.settings.set_report(params["recipient"], wanted(params), params["period"], params.get("start"))
    meter.jobs.drop(first)
    if params["period"] and "start" in params and seconds_of(params["start"]) > meter.now():
        meter.jobs.set(first, seconds_of(params["start"]))
    meter.jobs.set("report", meter.readings.next_report(meter.now()))
    return Done({"recipient": params["recipient"], "period": params["period"]})


def _set_timers(meter: Body, command: Command) -> Outcome:
    meter.settings.set_timers(command.params)
    return Done({"timers": sorted(command.params)})


def _set_time(meter: Body, command: Command) -> Outcome:
    meter.plant.sense(clockOffset=seconds_of(command.params["time"]) - meter.now())
    meter.plant.keep()
    meter.events.record("timeSet", f"the clock was set to {command.params['time']}", severity="info", command=command.id)
    return Done({"time": command.params["time"]})


HANDLERS = {
    "applySettings": Handler(_apply_settings, check=_check_settings, rejection="settingsRejected"),
    "setReporting": Handler(_set_reporting, check=_check_reporting),
    "setTimers": Handler(_set_timers),
    "setTime": Handler(_set_time),
    "setSchedule": Handler(device.set_schedule, check=device.check_schedule),
}
