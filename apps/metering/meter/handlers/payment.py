"""Payment mode and its status (use case 3)."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from apps.metering import money
from apps.metering.meter import account
from apps.metering.meter.body import Body
from apps.metering.meter.handler import INFORMED, NONE, REQUIRED, Handler
from apps.metering.meter.records import Command, Done, Outcome, Rejected

_ACTIONS = frozenset({"accept", "decline", "override", "save", "delete", "clear"})


def _check_mode(meter: Body, command: Command) -> None:
    try:
        _limit(command), _disconnect(command)
    except money.MoneyFault as wrong:
        raise Rejected("requestInvalid", str(wrong)) from wrong
    tariff, has = meter.kept.get("tariff", "active"), account.currency_of(meter)
    if command.params["mode"] == "prepayment" and tariff is not None and (wants := tariff["rates"][0]["currency"]) != has:
        raise Rejected("requestInvalid", f"params.mode: the tariff is in {wants}, and the account in {has}")


def _positive(value: Any, name: str) -> Decimal:
    found = money.amount(value, name)
    if found < 0:
        raise money.MoneyFault(f"{name}: must be 0 or more, not {money.text(found)}")
    return found


def _limit(command: Command) -> Decimal | None:
    value = command.params.get("emergencyLimit")
    return None if value is None else _positive(value, "params.emergencyLimit")


def _disconnect(command: Command) -> Mapping[str, Any] | None:
    found: Mapping[str, Any] = command.params.get("disconnectAfter", {})
    if "amount" in found:
        return {"amount": money.text(_positive(found["amount"], "params.disconnectAfter.amount"))}
    return found or None


def _set_mode(meter: Body, command: Command) -> Outcome:
    mode = command.params["mode"]
    account.begin(meter, mode, _limit(command), _disconnect(command))
    meter.events.record("modeChanged", f"the payment mode is {mode}", severity="info", command=command.id)
    return Done({"mode": mode})


def _status(meter: Body, command: Command) -> Outcome:
    """Write the state once, or every ``period`` seconds; 0 ends that."""
    account.show(meter)
    period = command.params.get("period")
    if period:
        meter.jobs.set("payment:status", meter.now() + period, {"period": period})
    elif period == 0:
        meter.jobs.drop("payment:status")
    return Done({"mode": account.payment(meter).mode})


def _report(meter: Body, job: Mapping[str, Any]) -> None:
    account.show(meter)
    meter.jobs.set("payment:status", job["now"] + job["period"], {"period": job["period"]})


def _due(meter: Body, job: Mapping[str, Any]) -> None:
    """Cut the supply now that its time has come, unless things stand otherwise."""
    account.watch(meter)


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

JOBS = {"payment": _report, account.CAUSE: _due}
