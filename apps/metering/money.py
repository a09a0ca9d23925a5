"""Money, exactly: amounts, what a tariff makes of consumption, and the account of a meter that is paid in advance (use cases 3 and 10)."""

import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal, Inexact, localcontext
from typing import Any

from apps.metering.intervals import Point, difference, exact_sum

ZERO = Decimal(0)
UNIT = Decimal("0.0001")
"""The smallest amount."""

DAY = 86_400
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?").fullmatch
_CLOCK = re.compile(r"([01][0-9]|2[0-3])([0-5][0-9])([0-5][0-9])").fullmatch


class MoneyFault(Exception):
    """An amount, a tariff or a booking that cannot be; the message names the member and says why."""


def amount(value: Any, name: str = "amount") -> Decimal:
    """Read a decimal text or a number with at most four decimals and 15 digits before them, exactly. Raises MoneyFault."""
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal) or (isinstance(value, str) and not _NUMBER(value)):
        raise MoneyFault(f"{name}: must be a decimal number, not {value!r}")
    found = Decimal(str(value))
    if not found.is_finite():
        raise MoneyFault(f"{name}: must be a decimal number, not {value!r}")
    if found and found.adjusted() >= 15:
        raise MoneyFault(f"{name}: must be less than 1000000000000000, not {value!r}")
    if found % UNIT:
        raise MoneyFault(f"{name}: must have at most four decimals, not {value!r}")
    return found


def text(value: Decimal) -> str:
    """Give an amount as text without an exponent and needless zeros: ``12.5``."""
    written = f"{value:f}"
    written = written.rstrip("0").rstrip(".") if "." in written else written
    return "0" if written in ("-0", "") else written


def product(value: Decimal, other: Decimal) -> Decimal:
    """Multiply without ever rounding."""
    with localcontext() as context:
        context.prec, context.traps[Inexact] = 1_000, True
        return value * other


# Tariffs


@dataclass(frozen=True, slots=True)
class Rate:
    """What a unit costs. register: identifier of the register that counts at this rate, "" when the calendar decides."""

    id: str
    price: Decimal
    unit: str
    register: str = ""


@dataclass(frozen=True, slots=True)
class Tariff:
    """A tariff. calendar: second of the day (UTC) and the rate from then on until the next; the last of a day goes on until the first of the next."""

    id: str
    currency: str
    rates: tuple[Rate, ...]
    calendar: tuple[tuple[int, Rate], ...] = ()

    def rate_at(self, moment: datetime) -> Rate:
        """Give the rate that is in force at a time; that of the day's end before the first one of the day."""
        if not self.calendar:
            return self.rates[0]
        return self.calendar[bisect_right(self.calendar, _second(moment), key=lambda each: each[0]) - 1][1]

    def next_change(self, moment: datetime) -> datetime | None:
        """Give the next time after a moment at which another rate comes into force, None when there is but one."""
        begin = moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        now = self.rate_at(moment)
        for day in (0, 1):
            for second, rate in self.calendar:
                when = begin + timedelta(days=day, seconds=second)
                if when > moment and rate != now:
                    return when
        return None

    def cost_of_registers(self, consumed: Mapping[str, Decimal]) -> Decimal:
        """Give what registers have counted at the rates that are theirs. Raises MoneyFault for a register without a rate."""
        prices = {rate.register: rate.price for rate in self.rates if rate.register}
        for register in consumed:
            if register not in prices:
                raise MoneyFault(f"register {register}: has no rate in tariff {self.id}")
        return exact_sum(product(quantity, prices[register]) for register, quantity in consumed.items())

    def cost_of_intervals(self, points: Iterable[Point]) -> Decimal:
        """Give what intervals cost at the rates that were in force when each began."""
        return exact_sum(product(point.value, self.rate_at(point.start).price) for point in points)


def _second(moment: datetime) -> float:
    utc = moment.astimezone(UTC)
    return utc.hour * 3600 + utc.minute * 60 + utc.second + utc.microsecond / 1e6


def clock_second(text: Any, name: str) -> int:
    """Read ``hhmmss`` as the second of a day. Raises MoneyFault."""
    match = _CLOCK(text) if isinstance(text, str) else None
    if match is None:
        raise MoneyFault(f"{name}: must be hhmmss, not {text!r}")
    return int(match[1]) * 3600 + int(match[2]) * 60 + int(match[3])


def tariff(params: Mapping[str, Any]) -> Tariff:
    """Read the ``params`` of setTariff, whose form was checked. Raises MoneyFault for what does not fit together."""
    listed = params["rates"]
    if not listed:
        raise MoneyFault("rates: there must be one at least")
    rates = tuple(Rate(each["rateId"], amount(each["price"], f"rates[{n}].price"), each["unit"], each.get("register", "")) for n, each in enumerate(listed))
    for name, values in (("rateId", [rate.id for rate in rates]), ("register", [rate.register for rate in rates if rate.register])):
        if twice := [value for n, value in enumerate(values) if value in values[:n]]:
            raise MoneyFault(f"rates: {name} {twice[0]!r} is there twice")
    for name in ("currency", "unit"):
        if len(found := sorted({each[name] for each in listed})) > 1:
            raise MoneyFault(f"rates: one tariff has one {name}, not {' and '.join(found)}")
    known = {rate.id: rate for rate in rates}
    calendar: dict[int, Rate] = {}
    for n, each in enumerate(params.get("calendar") or ()):
        second = clock_second(each["at"], f"calendar[{n}].at")
        if each["rateId"] not in known:
            raise MoneyFault(f"calendar[{n}].rateId: {each['rateId']!r} is none of {', '.join(known)}")
        if second in calendar:
            raise MoneyFault(f"calendar[{n}].at: {each['at']} is there twice")
        calendar[second] = known[each["rateId"]]
    if len(rates) > 1 and not calendar and not all(rate.register for rate in rates):
        raise MoneyFault("calendar: several rates need a calendar, or a register each")
    return Tariff(params["tariffId"], listed[0]["currency"], rates, tuple(sorted(calendar.items(), key=lambda each: each[0])))


# The account


@dataclass(frozen=True, slots=True)
class Entry:
    """One booking. kind: topUp, debit or emergencyRelease. balance: the credit afterwards; the release of emergency credit does not change it."""

    kind: str
    amount: Decimal
    balance: Decimal

    def content(self, identifier: str, ts: str, currency: str, command: str = "") -> dict[str, Any]:
        """Give the content for ``payment/ledger``."""
        found = {"entryId": identifier, "ts": ts, "kind": self.kind, "amount": text(self.amount), "currency": currency, "balance": text(self.balance)}
        return found | ({"cmdId": command} if command else {})


@dataclass(frozen=True, slots=True)
class Account:
    """An account in advance. credit: negative when emergency credit is used. limit: of emergency credit that may be released; released: what was.

    rest: what was consumed and not booked yet, less than the smallest amount after a debit. empty: seconds since when nothing is left, or None.
    """

    credit: Decimal = ZERO
    limit: Decimal = ZERO
    released: Decimal = ZERO
    rest: Decimal = ZERO
    empty: float | None = None

    @property
    def used(self) -> Decimal:
        """How much of the emergency credit is used."""
        return min(max(self.credit.copy_negate(), ZERO), self.released)

    @property
    def left(self) -> Decimal:
        """What can still be consumed; negative when more was consumed than there was."""
        return exact_sum((self.credit, self.released))

    def opened(self, now: float) -> "Account":
        """Give the account as prepayment begins: if nothing is left, that is so from now on."""
        return replace(self, empty=now if self.left <= 0 else None)

    def top_up(self, value: Decimal, now: float) -> tuple["Account", Entry]:
        """Pay in. Used emergency credit is paid back first, and once it is, none counts as released any more."""
        _positive(value)
        credit = exact_sum((self.credit, value))
        account = replace(self, credit=credit, released=ZERO if credit >= 0 else self.released)
        return account._at(now), Entry("topUp", value, credit)

    def release(self, value: Decimal, now: float) -> tuple["Account", Entry]:
        """Release emergency credit. Raises MoneyFault when that is more than the limit leaves."""
        _positive(value)
        if value > (free := difference(self.limit, self.released)):
            raise MoneyFault(f"amount: {text(value)} is more than the {text(free)} of emergency credit that are left")
        account = replace(self, released=exact_sum((self.released, value)))
        return account._at(now), Entry("emergencyRelease", value, self.credit)

    def debit(self, cost: Decimal, now: float) -> tuple["Account", Entry | None]:
        """Book what was consumed; what is less than the smallest amount waits for the next time. A negative cost (what was fed in) is credited."""
        whole = exact_sum((self.rest, cost))
        with localcontext() as context:
            context.prec = 1_000
            rest = whole % UNIT
        booked = difference(whole, rest)
        if not booked:
            return replace(self, rest=rest), None
        credit = difference(self.credit, booked)
        return replace(self, credit=credit, rest=rest)._at(now), Entry("debit", booked.copy_negate(), credit)

    def owing(self, cost: Decimal) -> "Account":
        """Let a cost wait for the next debit."""
        return replace(self, rest=exact_sum((self.rest, cost)))

    def _at(self, now: float) -> "Account":
        if self.left > 0:
            return replace(self, empty=None)
        return self if self.empty is not None else replace(self, empty=now)

    def state(self) -> dict[str, Any]:
        """Give what ``payment/state`` shows of it."""
        return {"credit": text(self.credit), "emergency": {"limit": text(self.limit), "released": text(self.released), "used": text(self.used)}}


def _positive(value: Decimal) -> None:
    if value <= 0:
        raise MoneyFault(f"amount: must be more than 0, not {text(value)}")


def wrong_in(entries: Sequence[Mapping[str, Any]], opening: Decimal = ZERO) -> str:
    """Tell what does not add up in the entries of ``payment/ledger``, oldest first; "" when all does."""
    balance = opening
    for entry in entries:
        balance = balance if entry["kind"] == "emergencyRelease" else exact_sum((balance, Decimal(entry["amount"])))
        if balance != Decimal(entry["balance"]):
            return f"{entry['entryId']}: the balance is {entry['balance']}, and should be {text(balance)}"
    return ""


# Disconnection


@dataclass(frozen=True, slots=True)
class Window:
    """A time of the day in which no supply is cut: seconds of the day, UTC; over midnight when the end is before the beginning."""

    start: int
    end: int

    def __post_init__(self) -> None:
        if not (0 <= self.start < DAY and 0 <= self.end < DAY and self.start != self.end):
            raise MoneyFault(f"window: {self.start} to {self.end} are no two different seconds of a day")


def windows(listed: Iterable[Mapping[str, Any]]) -> tuple[Window, ...]:
    """Read ``[{"from":"hhmmss","to":"hhmmss"}]``. Raises MoneyFault, also when no time of the day is left in which supply may be cut."""
    found = tuple(Window(clock_second(each.get("from"), "from"), clock_second(each.get("to"), "to")) for each in listed)
    if found and _outside(0.0, found) is None:
        raise MoneyFault("windows: they leave no time of the day")
    return found


def _outside(second: float, closed: Sequence[Window]) -> float | None:
    """Give the first second, of this day or the next, that is in no window; None when there is none."""
    spans = sorted((start + day * DAY, start + day * DAY + (end - start) % DAY) for day in (-1, 0, 1, 2) for start, end in ((w.start, w.end) for w in closed))
    reached = second
    for start, end in spans:
        if start <= reached < end:
            reached = end
    return reached if reached - second < DAY else None


def cut_at(account: Account, after: Mapping[str, Any] | None, now: float, closed: Sequence[Window] = ()) -> float | None:
    """Give the time, now or later, at which supply is to be cut as things stand; None when it is not, or only more consumption could bring it about.

    after: ``disconnectAfter``: ``{"amount"}`` consumed, or ``{"seconds"}`` gone, since nothing was left, emergency credit included; None cuts never.
    A cut that would come in a closed window waits for its end.
    """
    if not after or account.empty is None:
        return None
    due = account.empty + float(after["seconds"]) if "seconds" in after else now
    if "amount" in after and account.left.copy_negate() < amount(after["amount"], "disconnectAfter.amount"):
        return None
    due = max(due, now)
    midnight = due // DAY * DAY
    free = _outside(due - midnight, closed)
    return None if free is None else midnight + free
