"""The account of a meter that is paid in advance: exact decimals, and a ledger that adds up (use case 3)."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from typing import Any

from apps.metering.meter.body import Body
from apps.metering.vocabulary import decimal_text


@dataclass(frozen=True, slots=True)
class Account:
    """What a meter remembers of payment; amounts are decimal texts. used_since: what was consumed for money since the last top-up.

    since: when the mode was set or credit last added, in seconds. disconnect: ``{"seconds"}`` or ``{"amount"}``, None for never.
    """

    mode: str = "credit"
    credit: str = "0"
    currency: str = "EUR"
    limit: str = "5"
    released: str = "0"
    disconnect: Mapping[str, Any] | None = None
    since: float = 0.0

    @property
    def balance(self) -> Decimal:
        """The credit, negative when emergency credit is used."""
        return Decimal(self.credit)

    @property
    def used(self) -> Decimal:
        """How much of the emergency credit is used."""
        return min(max(-self.balance, Decimal(0)), Decimal(self.released))

    @property
    def left(self) -> Decimal:
        """What can still be used: credit, and emergency credit that was released."""
        return self.balance + Decimal(self.released)


def account(meter: Body) -> Account:
    """Give the account as it stands."""
    return Account(**meter.kept.get("payment", "account", {}))


def change(meter: Body, **changes: Any) -> Account:
    """Change the account and write its state."""
    found = replace(account(meter), **changes)
    meter.kept.put("payment", "account", asdict(found))
    show(meter)
    return found


def show(meter: Body) -> None:
    """Write the state of the account, and let the display have mode and credit."""
    found = account(meter)
    emergency = {"limit": found.limit, "released": found.released, "used": decimal_text(found.used)}
    state = {"ts": meter.ts(), "mode": found.mode, "credit": found.credit, "currency": found.currency, "emergency": emergency}
    meter.outbox.put(meter.place("payment/state"), {**state, **({"disconnectAfter": found.disconnect} if found.disconnect else {})})
    meter.readings.figure(mode=found.mode, credit=found.credit)


def post(meter: Body, kind: str, value: Decimal, *, command: str = "", **changes: Any) -> str:
    """Book an amount (topUp, debit, emergencyRelease) and give the number of the ledger's entry; only what moves credit changes the balance."""
    before = account(meter)
    balance = before.balance + (Decimal(0) if kind == "emergencyRelease" else value)
    number = meter.kept.number("ledger")
    entry = {"entryId": f"{meter.identity.name}-L{number}", "ts": meter.ts(), "kind": kind, "amount": decimal_text(value), "currency": before.currency}
    entry |= {"balance": decimal_text(balance), **({"cmdId": command} if command else {})}
    meter.outbox.put(meter.place("payment/ledger"), entry)
    change(meter, credit=decimal_text(balance), **changes)
    return str(entry["entryId"])
