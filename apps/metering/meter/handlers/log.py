"""The history of events (use case 9)."""

from apps.metering.meter.body import Body
from apps.metering.meter.handler import Handler
from apps.metering.meter.records import Command, Done, Failed, Outcome, Rejected


def check_span(meter: Body, command: Command) -> None:
    """Refuse a span that ends before it begins."""
    if command.params.get("from", "") > command.params.get("to", "~"):
        raise Rejected("requestInvalid", f"params.from: {command.params['from']} is later than params.to {command.params['to']}")


def _get_events(meter: Body, command: Command) -> Outcome:
    params = command.params
    if meter.faults.use("retrieve"):
        raise Failed("retrievalFailed", "the events could not be read")
    found = meter.events.history(params["kinds"], params.get("from", ""), params.get("to", "~"))
    return Done({"evtId": [event["evtId"] for event in sorted(found, key=lambda event: str(event["ts"]))]})


HANDLERS = {"getEvents": Handler(_get_events, check=check_span, unsent="sendFailed")}
