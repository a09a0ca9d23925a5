"""Payment of a meter: its account, what is debited from it, and the supply that is cut when nothing is left (use case 3)."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from apps.metering import money
from apps.metering.meter.body import Body
from apps.metering.meter.records import Failed
from apps.metering.meter.supply import UNITS, switch

CAUSE = "prepayment"
"""What ``supply/state`` names as cause, and the name of the job that cuts."""

WINDOWS = "nonDisconnect"
"""The setting that says at which times of the day nothing is cut."""

_MICRO = Decimal("0.000001")


@dataclass(frozen=True, slots=True)
class Payment:
    """What a meter remembers of payment. disconnect: ``{"seconds"}`` or ``{"amount"}``, None for never.

    counted: what was imported in all, in millionths, when a cost was last worked out. cut: switch state and limit from before the supply was cut, None when it
    was not cut for want of credit. waived: the supply was enabled by order although nothing is left, so it is not cut until there was credit again.
    """

    mode: str = "credit"
    currency: str = "EUR"
    disconnect: Mapping[str, Any] | None = None
    counted: int = 0
    cut: Mapping[str, Any] | None = None
    waived: bool = False
    account: money.Account = field(default_factory=lambda: money.Account(limit=Decimal(5)))

    @property
    def ahead(self) -> bool:
        """Whether it is paid in advance."""
        return self.mode == "prepayment"


_AMOUNTS = ("credit", "limit", "released", "rest")


def payment(meter: Body) -> Payment:
    """Give payment as it stands."""
    found = meter.kept.get("payment", "account")
    if found is None:
        return Payment()
    amounts = {name: Decimal(found.get(name, "0")) for name in _AMOUNTS}
    rest = {name: found[name] for name in ("mode", "currency", "disconnect", "counted", "cut", "waived") if name in found}
    return Payment(**rest, account=money.Account(**amounts, empty=found.get("empty")))


def _keep(meter: Body, found: Payment) -> None:
    account = found.account
    kept = {"mode": found.mode, "currency": found.currency, "disconnect": found.disconnect, "counted": found.counted, "cut": found.cut}
    amounts = {name: money.text(getattr(account, name)) for name in _AMOUNTS}
    meter.kept.put("payment", "account", {**kept, "waived": found.waived, **amounts, "empty": account.empty})


def show(meter: Body) -> None:
    """Write the state of the account, and let the display have mode and credit."""
    found = payment(meter)
    state = {"ts": meter.ts(), "mode": found.mode, "currency": found.currency, **found.account.state()}
    meter.outbox.put(meter.place("payment/state"), {**state, **({"disconnectAfter": found.disconnect} if found.disconnect else {})})
    meter.readings.figure(mode=found.mode, credit=money.text(found.account.credit))


# --- bookings ------------------------------------------------------------------------------------------------------------------------------------------------


def post(meter: Body, account: money.Account, entry: money.Entry, command: str = "") -> str:
    """Keep an account after a booking, write the ledger's entry and give its number; the supply follows."""
    found = payment(meter)
    identifier = f"{meter.identity.name}-L{meter.kept.number('ledger')}"
    meter.outbox.put(meter.place("payment/ledger"), entry.content(identifier, meter.ts(), found.currency, command))
    _keep(meter, replace(found, account=account, waived=found.waived and account.empty is not None))
    show(meter)
    watch(meter)
    return identifier


def _count(meter: Body) -> Payment:
    """Work out what was imported since the last time at the price that was in force; it waits for the next debit. Nothing costs anything without a tariff."""
    found, imported = payment(meter), meter.plant.totals.imported
    if not found.ahead or imported == found.counted:
        return found
    quantity = money.product(Decimal(imported - found.counted), _MICRO)
    cost = money.product(quantity, Decimal(meter.kept.get("payment", "price", "0")))
    found = replace(found, counted=imported, account=found.account.owing(cost))
    _keep(meter, found)
    meter.plant.keep()  # what was counted and what it cost must never part, whenever the power fails
    return found


def price(meter: Body, value: Decimal) -> None:
    """Have another price from now on."""
    _count(meter)
    meter.kept.put("payment", "price", money.text(value))


def debit(meter: Body) -> None:
    """Book what was used, and look after the supply."""
    found = _count(meter)
    if not found.ahead:
        return
    account, entry = found.account.debit(money.ZERO, meter.now())
    if entry is None:
        watch(meter)
    else:
        post(meter, account, entry)


def begin(meter: Body, mode: str, limit: Decimal | None, disconnect: Mapping[str, Any] | None) -> None:
    """Set how it is paid. What was used in advance payment is booked before; what was used before it is not."""
    meter.plant.advance(meter.now())
    debit(meter)
    found = payment(meter)
    account = found.account if limit is None else replace(found.account, limit=limit)
    if mode == "prepayment" and not found.ahead:
        account = account.opened(meter.now())
    meter.plant.keep()
    found = replace(found, mode=mode, disconnect=disconnect, waived=False, account=account)
    _keep(meter, replace(found, currency=currency_of(meter), counted=meter.plant.totals.imported))
    show(meter)
    due = money.cut_at(account, disconnect, meter.now())
    if found.ahead and found.cut is not None and (due is None or due > meter.now()):
        _restore(meter, payment(meter), found.cut)  # the new terms do not cut it, or not yet
    watch(meter)


def currency_of(meter: Body) -> str:
    """Give the currency of the account: until its first booking it is that of the tariff."""
    tariff = meter.kept.get("tariff", "active")
    if tariff is None or meter.kept.get("count", "ledger", 0):
        return payment(meter).currency
    return str(tariff["rates"][0]["currency"])


# --- the supply ----------------------------------------------------------------------------------------------------------------------------------------------


def windows(setting: Any) -> tuple[money.Window, ...]:
    """Read ``hhmmss-hhmmss``, several with commas between them, "" for none: the times of the day (UTC) in which nothing is cut. Raises MoneyFault."""
    if not isinstance(setting, str):
        raise money.MoneyFault(f"must be text such as 180000-080000, not {setting!r}")
    spans = [each.strip().partition("-") for each in setting.split(",")] if setting.strip() else []
    return money.windows([{"from": start, "to": end} for start, _, end in spans])


def watch(meter: Body) -> None:
    """Cut the supply when that is due, see to it that it is looked at again when it will be, and restore what was cut when there is credit again."""
    if not meter.identity.switch:
        return
    found, now = payment(meter), meter.now()
    if found.cut is not None:
        meter.jobs.drop(CAUSE)
        if not found.ahead or found.account.empty is None:
            _restore(meter, found, found.cut)
        return
    due = None
    if found.ahead and not found.waived and meter.plant.state != "disabled":
        due = money.cut_at(found.account, found.disconnect, now, windows(meter.settings.parameters.get(WINDOWS, "")))
    if due is None:
        meter.jobs.drop(CAUSE)
    elif due > now:
        meter.jobs.set(CAUSE, due)
    else:
        meter.jobs.drop(CAUSE)
        _cut(meter, found)


def _cut(meter: Body, found: Payment) -> None:
    before = {"state": meter.plant.state, "limit": meter.plant.limit}
    with suppress(Failed):  # the event says it; the next profile point tries again
        switch(meter, "disabled", CAUSE)
        _keep(meter, replace(found, cut=before))


def _restore(meter: Body, found: Payment, before: Mapping[str, Any]) -> None:
    limit, shown = before["limit"], {}
    if limit is not None:
        shown = {"limit": {"value": limit, "unit": next(iter(UNITS[meter.identity.kind]))}}
    with suppress(Failed):
        switch(meter, before["state"], CAUSE, limit=limit, shown=shown)
        _keep(meter, replace(found, cut=None))


def ordered(meter: Body, state: str) -> None:
    """Take note that the supply was set by order: that stands, whatever was cut; one that has it on though nothing is left holds until there was credit."""
    found = payment(meter)
    _keep(meter, replace(found, cut=None, waived=state != "disabled" and found.ahead and found.account.empty is not None))
    watch(meter)
