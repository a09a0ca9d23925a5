"""The history of interference, malfunction, errors and states (use case 9)."""

from apps.metering.meter import spans
from apps.metering.meter.body import Body
from apps.metering.meter.handler import Handler
from apps.metering.meter.records import Command, Done, Failed, Outcome


def _check(meter: Body, command: Command) -> None:
    spans.check(command.params)


def _get_events(meter: Body, command: Command) -> Outcome:
    """Say which events there are in the span, by their times: they lie in ``events`` already, interference in the node's eventLog too."""
    if meter.faults.use("retrieve"):
        raise Failed("retrievalFailed", f"events/{command.params['kinds'][0]} could not be read")
    found = meter.events.history(command.params["kinds"], *spans.span(command.params))
    return Done({"evtId": [event["evtId"] for event in sorted(found, key=lambda event: str(event["ts"]))]})


HANDLERS = {"getEvents": Handler(_get_events, check=_check, unsent="sendFailed")}
