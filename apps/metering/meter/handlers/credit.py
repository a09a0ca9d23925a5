"""Credit: paid in, or released for an emergency (use case 3)."""

from decimal import Decimal

from apps.metering import money
from apps.metering.meter import account
from apps.metering.meter.body import Body
from apps.metering.meter.handler import Handler
from apps.metering.meter.records import Command, Done, Outcome, Rejected


def _amount(command: Command) -> Decimal:
    try:
        found = money.amount(command.params["amount"], "params.amount")
    except money.MoneyFault as wrong:
        raise Rejected("requestInvalid", str(wrong)) from wrong
    if found <= 0:
        raise Rejected("requestInvalid", f"params.amount: must be more than 0, not {money.text(found)}")
    return found


def _check(meter: Body, command: Command) -> None:
    value, currency = _amount(command), account.payment(meter).currency
    if command.params["currency"] != currency:
        raise Rejected("requestInvalid", f"params.currency: the account is in {currency}, not in {command.params['currency']}")
    if command.type == "addCredit" and meter.kept.get("token", command.params["token"]) is not None:
        raise Rejected("requestInvalid", f"params.token: {command.params['token']!r} was used before")
    if command.type == "releaseEmergencyCredit":
        try:
            account.payment(meter).account.release(value, meter.now())
        except money.MoneyFault as wrong:
            raise Rejected("requestInvalid", f"params.{wrong}") from wrong


def _add(meter: Body, command: Command) -> Outcome:
    """Book a top-up; it pays back emergency credit first, which may then be released again."""
    meter.kept.put("token", command.params["token"], command.id)
    paid, entry = account.payment(meter).account.top_up(_amount(command), meter.now())
    identifier = account.post(meter, paid, entry, command.id)
    _acted(meter, command)
    return Done({"entryId": identifier, "credit": money.text(paid.credit)})


def _release(meter: Body, command: Command) -> Outcome:
    released, entry = account.payment(meter).account.release(_amount(command), meter.now())
    identifier = account.post(meter, released, entry, command.id)
    _acted(meter, command)
    return Done({"entryId": identifier, "released": money.text(released.released)})


def _acted(meter: Body, command: Command) -> None:
    """Let a payment notice that the consumer has read be answered by this."""
    if command.issuer == f"Cconsumer-{meter.identity.premise}":
        meter.happened("consumer:credit")


HANDLERS = {"addCredit": Handler(_add, check=_check), "releaseEmergencyCredit": Handler(_release, check=_check)}
