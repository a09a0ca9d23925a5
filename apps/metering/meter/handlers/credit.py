"""Credit: paid in, or released for an emergency (use case 3)."""

from decimal import Decimal

from apps.metering.meter import account
from apps.metering.meter.body import Body
from apps.metering.meter.handler import Handler
from apps.metering.meter.records import Command, Done, Outcome, Rejected
from apps.metering.vocabulary import amount, decimal_text


def _amount(command: Command) -> Decimal:
    try:
        found = amount(command.params["amount"])
    except ValueError as wrong:
        raise Rejected("requestInvalid", f"params.amount: {wrong}") from wrong
    if found <= 0:
        raise Rejected("requestInvalid", f"params.amount: must be more than 0, not {decimal_text(found)}")
    return found


def _check(meter: Body, command: Command) -> None:
    found, value = account.account(meter), _amount(command)
    if command.params["currency"] != found.currency:
        raise Rejected("requestInvalid", f"params.currency: the account is in {found.currency}, not in {command.params['currency']}")
    if command.type == "addCredit" and meter.kept.get("token", command.params["token"]) is not None:
        raise Rejected("requestInvalid", f"params.token: {command.params['token']!r} was used before")
    if command.type == "releaseEmergencyCredit" and value > Decimal(found.limit) - Decimal(found.released):
        left = decimal_text(Decimal(found.limit) - Decimal(found.released))
        raise Rejected("requestInvalid", f"params.amount: {decimal_text(value)} is more than the {left} of emergency credit that are left")


def _add(meter: Body, command: Command) -> Outcome:
    """Book a top-up; it pays back emergency credit first, which may then be released again."""
    meter.kept.put("token", command.params["token"], command.id)
    found, value = account.account(meter), amount(command.params["amount"])
    repaid = found.balance + value >= 0
    entry = account.post(meter, "topUp", value, command=command.id, since=meter.now(), **({"released": "0"} if repaid else {}))
    _acted(meter, command)
    return Done({"entryId": entry, "credit": account.account(meter).credit})


def _release(meter: Body, command: Command) -> Outcome:
    value = amount(command.params["amount"])
    released = Decimal(account.account(meter).released) + value
    entry = account.post(meter, "emergencyRelease", value, command=command.id, released=decimal_text(released))
    _acted(meter, command)
    return Done({"entryId": entry, "released": decimal_text(released)})


def _acted(meter: Body, command: Command) -> None:
    """Let a payment notice that the consumer has read be answered by this."""
    if command.issuer == f"Cconsumer-{meter.identity.premise}":
        meter.happened("consumer:credit")


HANDLERS = {"addCredit": Handler(_add, check=_check), "releaseEmergencyCredit": Handler(_release, check=_check)}
