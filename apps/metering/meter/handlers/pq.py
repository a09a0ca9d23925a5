"""Power quality: what was measured, and its tolerance (use case 4)."""

import math

from apps.metering.meter import quality, spans
from apps.metering.meter.body import Body
from apps.metering.meter.handler import Handler
from apps.metering.meter.records import Command, Done, Failed, Outcome, Rejected


def _check_electric(meter: Body, command: Command) -> None:
    if not meter.identity.electric:
        raise Rejected("requestUnsupported", f"type: a {meter.identity.kind} meter measures no power quality")


def _check_get(meter: Body, command: Command) -> None:
    _check_electric(meter, command)
    spans.check(command.params)


def _get(meter: Body, command: Command) -> Outcome:
    """Say which samples and which events there are in the span, an hour of samples when it has no begin: they lie in ``pq`` already."""
    if meter.faults.use("retrieve"):
        raise Failed("retrievalFailed", "pq/samples could not be read")
    since, until = spans.span(command.params)
    points = meter.readings.points("pq/samples", since, until)
    return Done({"dgt": sorted(points), "evtId": quality.events(meter, command.params["quantities"], since, until)})


def _check_limits(meter: Body, command: Command) -> None:
    _check_electric(meter, command)
    for name, bounds in command.params.items():
        if not bounds:
            raise Rejected("requestInvalid", f"params.{name}: has neither low nor high")
        for side, value in bounds.items():
            if not math.isfinite(value) or value < 0:
                raise Rejected("requestInvalid", f"params.{name}.{side}: must be a number of 0 or more, not {value}")
        after = {**quality.limits(meter).get(name, {}), **bounds}
        if "low" in after and "high" in after and after["low"] >= after["high"]:
            raise Rejected("requestInvalid", f"params.{name}: low {after['low']:g} is not below high {after['high']:g}")


def _set_limits(meter: Body, command: Command) -> Outcome:
    quality.set_limits(meter, command.params)
    return Done({"quantities": sorted(command.params)})


HANDLERS = {"getPq": Handler(_get, check=_check_get, unsent="sendFailed"), "setLimits": Handler(_set_limits, check=_check_limits)}
