"""Outages: what has happened, and what is planned (use case 5). Failures are shown to the consumer."""

from collections.abc import Mapping
from typing import Any

from apps.metering.meter import outages, spans
from apps.metering.meter.body import Body
from apps.metering.meter.handler import REQUIRED, Handler
from apps.metering.meter.records import Command, Done, Failed, Outcome, Rejected
from apps.metering.vocabulary import spoken
from cse.datatypes import seconds_of


def _check_get(meter: Body, command: Command) -> None:
    spans.check(command.params)


def _get(meter: Body, command: Command) -> Outcome:
    """Say which outages there were in the span: they lie in ``outage/log`` already."""
    if meter.faults.use("retrieve"):
        raise Failed("retrievalFailed", "outage/log could not be read")
    return Done({"outageId": outages.logged(meter, *spans.span(command.params))})


def _check_plan(meter: Body, command: Command) -> None:
    start, end = (command.params[name] for name in ("start", "end"))
    if seconds_of(end) <= seconds_of(start):
        raise Rejected("requestInvalid", f"params.end: {end} is not later than params.start {start}")
    if seconds_of(end) <= meter.now():
        raise Rejected("requestInvalid", f"params.end: {end} has passed, nothing of this outage is still planned")


def _plan(meter: Body, command: Command) -> Outcome:
    outages.announce(meter, command.params, command.id)
    return Done({"outageId": command.params["outageId"]})


def _details(command: Command) -> Mapping[str, Any]:
    """Give what the display's item says of the outage, all of it when the network operator has written no text."""
    params = command.params
    facts = {name: params[name] for name in ("start", "end", "area", "reason")}
    said = f"The supply of {params['area']} is interrupted from {spoken(params['start'])} to {spoken(params['end'])} (UTC): {params['reason']}"
    return facts if "message" in command.envelope else {**facts, "text": said}


HANDLERS = {
    "getOutages": Handler(_get, check=_check_get, unsent="sendFailed", banner=True),
    "plannedOutage": Handler(
        _plan, check=_check_plan, consents=REQUIRED, item="plannedOutage", details=_details, refused="notAccepted", unread="notAccepted", banner=True
    ),
}
