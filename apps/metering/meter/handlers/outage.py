"""Outages that were, and outages that are planned (use case 5)."""

from collections.abc import Mapping
from typing import Any

from apps.metering.meter.body import Body
from apps.metering.meter.handler import REQUIRED, Handler
from apps.metering.meter.handlers.log import check_span
from apps.metering.meter.records import Command, Done, Failed, Outcome, Rejected


def _get_outages(meter: Body, command: Command) -> Outcome:
    """Name the outages that were not over before the span, and began before its end."""
    if meter.faults.use("retrieve"):
        raise Failed("retrievalFailed", "the outages could not be read")
    since, until = command.params.get("from", ""), command.params.get("to", "~")
    found = sorted(meter.kept.all("outages").values(), key=lambda outage: str(outage["start"]))
    return Done({"outageId": [outage["outageId"] for outage in found if outage["end"] >= since and outage["start"] <= until]})


def _check_planned(meter: Body, command: Command) -> None:
    if command.params["end"] <= command.params["start"]:
        raise Rejected("requestInvalid", f"params.end: {command.params['end']} is not after params.start {command.params['start']}")
    if command.params["end"] <= meter.ts():
        raise Rejected("requestInvalid", f"params.end: {command.params['end']} has passed")


def _planned(meter: Body, command: Command) -> Outcome:
    meter.outbox.put(meter.place("outage/planned"), {**_details(command), "outageId": command.params["outageId"], "cmdId": command.id})
    return Done({"outageId": command.params["outageId"]})


def _details(command: Command) -> Mapping[str, Any]:
    return {name: command.params[name] for name in ("start", "end", "area", "reason")}


HANDLERS = {
    "getOutages": Handler(_get_outages, check=check_span, unsent="sendFailed", banner=True),
    "plannedOutage": Handler(
        _planned, check=_check_planned, consents=REQUIRED, item="plannedOutage", details=_details, refused="notAccepted", unread="notAccepted", banner=True
    ),
}
