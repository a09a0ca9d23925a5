"""Payment mode and its status (use case 3)."""

from collections.abc import Mapping
from typing import Any

from apps.metering.meter import account
from apps.metering.meter.body import Body
from apps.metering.meter.handler import INFORMED, NONE, REQUIRED, Handler
from apps.metering.meter.records import Command, Done, Outcome, Rejected
from apps.metering.vocabulary import amount, decimal_text

_ACTIONS = frozenset({"accept", "decline", "override", "save", "delete", "clear"})


def _check_mode(meter: Body, command: Command) -> None:
    for name, value in (("emergencyLimit", command.params.get("emergencyLimit")), ("disconnectAfter.amount", _disconnect(command).get("amount"))):
        if value is not None:
            try:
                amount(value)
            except ValueError as wrong:
                raise Rejected("requestInvalid", f"params.{name}: {wrong}") from wrong


def _disconnect(command: Command) -> Mapping[str, Any]:
    found: Mapping[str, Any] = command.params.get("disconnectAfter", {})
    return found


def _set_mode(meter: Body, command: Command) -> Outcome:
    params, after = command.params, dict(_disconnect(command))
    if "amount" in after:
        after["amount"] = decimal_text(amount(after["amount"]))
    limit = {"limit": decimal_text(amount(params["emergencyLimit"]))} if "emergencyLimit" in params else {}
    account.change(meter, mode=params["mode"], disconnect=after or None, since=meter.now(), **limit)
    meter.events.record("modeChanged", f"the payment mode is {params['mode']}", severity="info", command=command.id)
    return Done({"mode": params["mode"]})


def _status(meter: Body, command: Command) -> Outcome:
    """Write the state once, or every ``period`` seconds; 0 ends that."""
    account.show(meter)
    period = command.params.get("period")
    if period:
        meter.jobs.set("payment:status", meter.now() + period, {"period": period})
    elif period == 0:
        meter.jobs.drop("payment:status")
    return Done({"mode": account.account(meter).mode})


def _report(meter: Body, job: Mapping[str, Any]) -> None:
    account.show(meter)
    meter.jobs.set("payment:status", job["now"] + job["period"], {"period": job["period"]})


def install(meter: Body) -> None:
    """Write the first state."""
    account.show(meter)


HANDLERS = {
    "setMode": Handler(
        _set_mode,
        check=_check_mode,
        consents=NONE | INFORMED | REQUIRED,
        item="payment",
        first=True,
        ends=_ACTIONS,
        acts=frozenset({"consumer:credit"}),
        failure="paymentModeNotChanged",
    ),
    "status": Handler(_status),
}

JOBS = {"payment": _report}
