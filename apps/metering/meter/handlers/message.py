"""Messages for the consumer (use case 14)."""

from collections.abc import Mapping
from typing import Any

from apps.metering.meter.body import Body
from apps.metering.meter.handler import INFORMED, REQUIRED, Handler
from apps.metering.meter.records import Command, Done, Outcome, Rejected


def _check(meter: Body, command: Command) -> None:
    if "message" not in command.envelope:
        raise Rejected("requestInvalid", "message: there is nothing to show")


def _show(meter: Body, command: Command) -> Outcome:
    """Do no more: it was shown, and read or accepted."""
    return Done()


def _details(command: Command) -> Mapping[str, Any]:
    return {name: command.params[name] for name in ("answers", "removable", "priority") if name in command.params}


HANDLERS = {"show": Handler(_show, check=_check, consents=REQUIRED | INFORMED, item="message", details=_details)}
