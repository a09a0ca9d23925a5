"""Settings, reports, deadlines and the clock (use case 2, configure)."""

from apps.metering.meter.body import Body
from apps.metering.meter.handler import Handler
from apps.metering.meter.handlers import device
from apps.metering.meter.handlers.read import wanted
from apps.metering.meter.records import Command, Done, Outcome, Rejected
from apps.metering.vocabulary import organisation
from cse.datatypes import seconds_of

_MOST = 100
"""General parameters that a meter has room for."""


def _check_settings(meter: Body, command: Command) -> None:
    settings = command.params["settings"]
    if "version" in settings:
        raise Rejected("requestInvalid", "params.settings.version: the meter counts its versions itself")
    if not isinstance(settings.get("label", ""), str):
        raise Rejected("requestInvalid", f"params.settings.label: {settings['label']!r} is no text")
    if len({*meter.settings.parameters, *settings}) > _MOST:
        raise Rejected("requestInvalid", f"params.settings: the meter keeps at most {_MOST} settings")


def _apply_settings(meter: Body, command: Command) -> Outcome:
    return Done({"version": meter.settings.apply(command.params["settings"])})


def _check_reporting(meter: Body, command: Command) -> None:
    recipient = command.params["recipient"]
    if not organisation(recipient):
        raise Rejected("requestInvalid", f"params.recipient: {recipient} is no organisation that takes reports")


def _set_reporting(meter: Body, command: Command) -> Outcome:
    params = command.params
    meter.settings.set_report(params["recipient"], wanted(params), params["period"], params.get("start"))
    start = max(meter.now(), seconds_of(params["start"])) if "start" in params else meter.now()
    meter.jobs.set("report", meter.readings.next_report(start))
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
