"""Reading on demand (use cases 1 and 8)."""

from collections.abc import Mapping
from typing import Any

from apps.metering.meter import spans
from apps.metering.meter.body import Body
from apps.metering.meter.handler import Handler
from apps.metering.meter.readings import NoReading
from apps.metering.meter.records import Command, Done, Failed, Later, Outcome, Rejected

SERIES: Mapping[str, str] = {"profile": "readings/profile", "export": "readings/export", "net": "readings/net", "generation": "generation/output"}
"""Where the points of what can be asked for are."""


def wanted(params: Mapping[str, Any]) -> list[str]:
    """Give what is asked for as a list."""
    what = params["what"]
    return [what] if isinstance(what, str) else list(what)


def _check(meter: Body, command: Command) -> None:
    params = command.params
    spans.check(params)
    for what in wanted(params):
        if what in ("export", "net", "generation") and not meter.identity.electric:
            raise Rejected("requestUnsupported", f"params.what: a {meter.identity.kind} meter has no {what}")


def _read_now(meter: Body, command: Command) -> Outcome:
    """Take a reading where registers are asked for, and say which points of the series there are; both are in ``readings`` already or on their way."""
    params, what = command.params, wanted(command.params)
    points: set[str] = set()
    stored = [SERIES[name] for name in what if name in SERIES]
    if stored and meter.faults.use("retrieve"):
        raise Failed("retrievalFailed", f"{stored[0]} could not be read")
    for place in stored:
        points |= meter.readings.points(place, *spans.span(params)).keys()
    result: dict[str, Any] = {"dgt": sorted(points)} if stored else {}
    if "registers" not in what:
        return Done(result)
    if params.get("fresh") is False and meter.readings.last:
        return Done({"readId": meter.readings.last, **result})
    try:
        identifier = meter.readings.take("request")
    except NoReading as failed:
        raise Failed(failed.code, failed.text) from failed
    tag = f"reading:{identifier}"
    return Later(on=(f"delivered:{tag}", f"held:{tag}", f"late:{tag}"), kept={"result": {"readId": identifier, **result}})


def _sent(meter: Body, command: Command, occasion: str) -> Outcome:
    """End when the reading is where it can be read: only then was it delivered."""
    if occasion.startswith("delivered:"):
        return Done(command.kept["result"])
    raise Failed("readingNotSent", f"reading {command.kept['result']['readId']} could not be sent")


HANDLERS = {"readNow": Handler(_read_now, check=_check, resume=_sent, unsent="readingNotSent")}
