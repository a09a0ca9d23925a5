"""Money is exact to the last place; the ledger adds up; supply is cut when it should be, and never in a closed window."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.metering.intervals import HALF_HOUR, Point
from apps.metering.money import DAY, ZERO, Account, MoneyFault, Rate, Window, amount, cut_at, product, tariff, text, windows, wrong_in

D = Decimal
AMOUNTS = st.decimals(0, 10**6, places=4).filter(bool)
COSTS = st.decimals(-100, 1_000, places=9)
MIDNIGHT = datetime(2026, 1, 1, tzinfo=UTC)


def params(**changes: Any) -> dict[str, Any]:
    """Describe a tariff with a cheap night and a dear evening."""
    rates = [("night", "0.1"), ("day", "0.25"), ("peak", 0.4)]
    return {
        "tariffId": "T1",
        "scheme": "timeOfUse",
        "rates": [{"rateId": name, "price": price, "currency": "EUR", "unit": "kWh"} for name, price in rates],
        "calendar": [{"at": "170000", "rateId": "peak"}, {"at": "060000", "rateId": "day"}, {"at": "210000", "rateId": "night"}],
        **changes,
    }


def dual() -> dict[str, Any]:
    """Describe a tariff with a rate for each register."""
    rates = params()["rates"][:2]
    return params(rates=[rates[0] | {"register": "1.8.1"}, rates[1] | {"register": "1.8.2"}], calendar=[])


@pytest.mark.parametrize(
    ("value", "wanted"), [("12.5", "12.5"), ("0.0001", "0.0001"), (0.3, "0.3"), (7, "7"), ("-0.2500", "-0.25"), (1e-4, "0.0001"), ("0", "0"), (-0.0, "0")]
)
def test_amounts(value: Any, wanted: str) -> None:
    assert text(amount(value)) == wanted


@given(st.decimals(-(10**14), 10**14, places=4))
def test_amounts_survive_text(value: Decimal) -> None:
    assert amount(text(value)) == value
    assert amount(f"{value:f}") == value


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("0.00001", "must have at most four decimals, not '0.00001'"),
        (0.1 + 0.2, "must have at most four decimals, not 0.30000000000000004"),
        ("1" * 16, "must be less than 1000000000000000"),
        (1e300, "must be less than 1000000000000000"),
        (1e-300, "must have at most four decimals"),
        ("NaN", "must be a decimal number"),
        (float("nan"), "must be a decimal number"),
        (float("inf"), "must be a decimal number"),
        ("", "must be a decimal number"),
        ("1_0", "must be a decimal number"),
        (" 1", "must be a decimal number"),
        ("1,5", "must be a decimal number"),
        (True, "must be a decimal number, not True"),
        (None, "must be a decimal number, not None"),
        ([], "must be a decimal number"),
    ],
)
def test_what_is_no_amount(value: Any, said: str) -> None:
    with pytest.raises(MoneyFault, match=f"^price: {said}"):
        amount(value, "price")


# Tariffs


@pytest.mark.parametrize(
    ("clock", "rate"), [((0, 0), "night"), ((5, 59), "night"), ((6, 0), "day"), ((16, 59), "day"), ((17, 0), "peak"), ((20, 59), "peak"), ((21, 0), "night")]
)
def test_the_rate_in_force(clock: tuple[int, int], rate: str) -> None:
    moment = MIDNIGHT.replace(hour=clock[0], minute=clock[1])
    assert tariff(params()).rate_at(moment).id == rate
    assert tariff(params()).rate_at(moment.astimezone(tz=None)).id == rate


@given(
    st.integers(0, DAY - 1),
    st.lists(st.tuples(st.integers(0, DAY - 1), st.sampled_from(["night", "day", "peak"])), min_size=1, max_size=5, unique_by=lambda each: each[0]),
)
def test_the_next_change_is_the_first_moment_with_another_rate(second: int, calendar: list[tuple[int, str]]) -> None:
    listed = [{"at": f"{at // 3600:02}{at // 60 % 60:02}{at % 60:02}", "rateId": rate} for at, rate in calendar]
    found = tariff(params(calendar=listed))
    moment = MIDNIGHT + timedelta(seconds=second)
    change = found.next_change(moment)
    if change is None:
        assert len({rate for _, rate in calendar}) == 1
        return
    assert moment < change <= moment + timedelta(days=1)
    assert found.rate_at(change) != found.rate_at(moment) == found.rate_at(change - timedelta(seconds=1))
    entries = [MIDNIGHT + timedelta(days=day, seconds=at) for day in (0, 1) for at, _ in calendar]
    assert {found.rate_at(entry).id for entry in entries if moment < entry < change} <= {found.rate_at(moment).id}


def test_one_rate_needs_no_calendar() -> None:
    single = tariff(params(rates=params()["rates"][:1], calendar=None))
    assert single.rate_at(MIDNIGHT) == Rate("night", D("0.1"), "kWh")
    assert single.next_change(MIDNIGHT) is None


def test_registers_have_their_rates() -> None:
    assert tariff(dual()).cost_of_registers({"1.8.1": D("1000.001"), "1.8.2": D("0.5")}) == D("100.1251")
    with pytest.raises(MoneyFault, match=r"register 2\.8\.0: has no rate in tariff T1"):
        tariff(dual()).cost_of_registers({"2.8.0": D(1)})


@given(st.lists(st.decimals(0, 100, places=6), min_size=48, max_size=48))
def test_a_day_costs_what_its_half_hours_cost(values: list[Decimal]) -> None:
    points = [Point(MIDNIGHT + number * HALF_HOUR, value) for number, value in enumerate(values)]
    prices = [Fraction(1, 10)] * 12 + [Fraction(1, 4)] * 22 + [Fraction(4, 10)] * 8 + [Fraction(1, 10)] * 6
    wanted = sum((Fraction(value) * price for value, price in zip(values, prices, strict=True)), Fraction(0))
    assert Fraction(tariff(params()).cost_of_intervals(points)) == wanted


@given(st.decimals(allow_nan=False, allow_infinity=False, places=20), st.decimals(allow_nan=False, allow_infinity=False, places=20))
def test_products_are_exact(one: Decimal, other: Decimal) -> None:
    assert Fraction(product(one, other)) == Fraction(one) * Fraction(other)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"rates": []}, "rates: there must be one at least"),
        ({"rates": [*params()["rates"], params()["rates"][0]]}, "rates: rateId 'night' is there twice"),
        ({"rates": [each | {"register": "1.8.1"} for each in params()["rates"]]}, r"rates: register '1\.8\.1' is there twice"),
        ({"rates": [params()["rates"][0], params()["rates"][1] | {"currency": "GBP"}]}, "rates: one tariff has one currency, not EUR and GBP"),
        ({"rates": [params()["rates"][0], params()["rates"][1] | {"unit": "m3"}]}, "rates: one tariff has one unit, not kWh and m3"),
        ({"rates": [params()["rates"][0] | {"price": "0.12345"}]}, r"rates\[0\]\.price: must have at most four decimals"),
        ({"calendar": [{"at": "000000", "rateId": "noon"}]}, r"calendar\[0\]\.rateId: 'noon' is none of night, day, peak"),
        ({"calendar": [{"at": "240000", "rateId": "day"}]}, r"calendar\[0\]\.at: must be hhmmss, not '240000'"),
        ({"calendar": [{"at": 60000, "rateId": "day"}]}, r"calendar\[0\]\.at: must be hhmmss, not 60000"),
        ({"calendar": [{"at": "060000", "rateId": "day"}, {"at": "060000", "rateId": "night"}]}, r"calendar\[1\]\.at: 060000 is there twice"),
        ({"calendar": []}, "calendar: several rates need a calendar, or a register each"),
    ],
)
def test_tariffs_that_do_not_fit_together(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(MoneyFault, match=said):
        tariff(params(**changes))


# The account


def test_credit_is_used_first_then_emergency_credit() -> None:
    account = Account(limit=D(5)).opened(0)
    account, entry = account.top_up(D("2.5"), 1)
    assert entry.content("M1-L1", "20260101T000000", "EUR", "c1") == {
        "entryId": "M1-L1", "ts": "20260101T000000", "kind": "topUp", "amount": "2.5", "currency": "EUR", "balance": "2.5", "cmdId": "c1",
    }  # fmt: skip
    account, _ = account.release(D(3), 2)
    account, debit = account.debit(D("4.0001"), 3)
    assert debit is not None
    assert (debit.kind, debit.amount, debit.balance) == ("debit", D("-4.0001"), D("-1.5001"))
    assert (account.used, account.left, account.empty) == (D("1.5001"), D("1.4999"), None)
    assert account.state() == {"credit": "-1.5001", "emergency": {"limit": "5", "released": "3", "used": "1.5001"}}
    account, _ = account.debit(D(2), 4)
    assert (account.used, account.left, account.empty) == (D(3), D("-0.5001"), 4)
    account, _ = account.top_up(D(1), 5)
    assert (account.released, account.left, account.empty) == (D(3), D("0.4999"), None)
    account, _ = account.top_up(D(10), 6)
    assert (account.credit, account.released, account.used) == (D("7.4999"), ZERO, ZERO)


def test_emergency_credit_has_a_limit() -> None:
    account, _ = Account(limit=D(5)).release(D("4.5"), 0)
    with pytest.raises(MoneyFault, match=r"amount: 0\.6 is more than the 0\.5 of emergency credit that are left"):
        account.release(D("0.6"), 1)
    assert account.release(D("0.5"), 1)[0].released == 5


@pytest.mark.parametrize("value", [ZERO, D("-1")])
def test_what_is_paid_in_or_released_is_more_than_nothing(value: Decimal) -> None:
    for deed in (Account(limit=D(5)).top_up, Account(limit=D(5)).release):
        with pytest.raises(MoneyFault, match="amount: must be more than 0"):
            deed(value, 0)


def test_less_than_the_smallest_amount_is_not_lost() -> None:
    account, entries = Account(), list[Decimal]()
    for _ in range(10):
        account, entry = account.debit(D("0.00003"), 0)
        entries += [entry.amount] if entry is not None else []
    assert entries == [D("-0.0001")] * 3
    assert (account.credit, account.rest) == (D("-0.0003"), ZERO)


@given(st.lists(st.tuples(st.sampled_from(["top up", "release", "debit"]), AMOUNTS, COSTS), max_size=30))
def test_the_ledger_adds_up(deeds: list[tuple[str, Decimal, Decimal]]) -> None:
    account, ledger, spent, paid = Account(limit=D(1_000)), list[dict[str, Any]](), Fraction(0), Fraction(0)
    for now, (deed, value, cost) in enumerate(deeds):
        entry = None
        if deed == "top up":
            account, entry = account.top_up(value, now)
            paid += Fraction(value)
        elif deed == "debit":
            account, entry = account.debit(cost, now)
            spent += Fraction(cost)
        elif value <= account.limit - account.released:
            account, entry = account.release(value, now)
        ledger += [entry.content(f"L{now}", "", "EUR")] if entry is not None else []
        assert Fraction(account.credit) == paid - spent + Fraction(account.rest)
        assert abs(account.rest) < D("0.0001")
        assert 0 <= account.used <= account.released <= account.limit
        assert account.left == account.credit + account.released
        assert account.empty is None or account.left <= 0
    assert wrong_in(ledger) == ""
    for number, entry_content in enumerate(ledger):
        broken = [*ledger[:number], entry_content | {"balance": text(D(entry_content["balance"]) + 1)}, *ledger[number + 1 :]]
        assert wrong_in(broken).startswith(f"{entry_content['entryId']}: the balance is ")


def test_a_ledger_that_goes_on_from_an_earlier_balance() -> None:
    _, entry = Account(credit=D(3)).top_up(D(2), 0)
    assert wrong_in([entry.content("L7", "", "EUR")], D(3)) == ""
    assert wrong_in([entry.content("L7", "", "EUR")]) == "L7: the balance is 5, and should be 2"


# Disconnection


def at(hour: float) -> float:
    """Give an hour of a day as seconds since the epoch."""
    return MIDNIGHT.timestamp() + hour * 3600


def test_a_cut_by_amount() -> None:
    account = Account(limit=D(5)).opened(at(1))
    assert cut_at(account, {"amount": "2"}, at(1)) is None
    account, _ = account.debit(D("1.9999"), at(2))
    assert cut_at(account, {"amount": "2"}, at(2)) is None
    account, _ = account.debit(D("0.0001"), at(3))
    assert cut_at(account, {"amount": "2"}, at(3)) == at(3)
    released, _ = account.release(D(1), at(4))
    assert cut_at(released, {"amount": "2"}, at(4)) is None
    paid, _ = account.top_up(D(3), at(4))
    assert cut_at(paid, {"amount": 0}, at(4)) is None
    assert cut_at(Account().opened(at(0)), {"amount": 0}, at(5)) == at(5)


def test_a_cut_by_time() -> None:
    account = Account().opened(at(1))
    assert cut_at(account, {"seconds": 3600}, at(1)) == at(2)
    account, _ = account.debit(D(1), at(1.5))
    assert cut_at(account, {"seconds": 3600}, at(1.5)) == at(2)
    assert cut_at(account, {"seconds": 3600}, at(7)) == at(7)
    paid, _ = account.top_up(D(5), at(1.7))
    assert cut_at(paid, {"seconds": 3600}, at(9)) is None
    again, _ = paid.debit(D(4), at(10))
    assert cut_at(again, {"seconds": 3600}, at(10)) == at(11)


@pytest.mark.parametrize("after", [None, {}])
def test_no_cut_unless_one_was_ordered(after: Any) -> None:
    assert cut_at(Account(credit=D(-100)).opened(0), after, at(1)) is None


@pytest.mark.parametrize(
    ("due", "cut"), [(11.99, 11.99), (12, 16), (14.5, 16), (16, 16), (17.99, 17.99), (18, 32), (23.5, 32), (24, 32), (31.99, 32), (32, 32), (37, 40)]
)
def test_no_cut_in_a_closed_window(due: float, cut: float) -> None:
    closed = windows([{"from": "180000", "to": "080000"}, {"from": "120000", "to": "150000"}, {"from": "140000", "to": "160000"}])
    assert cut_at(Account().opened(at(due)), {"amount": 0}, at(due), closed) == at(cut)


WINDOWS = st.lists(st.tuples(st.integers(0, 47), st.integers(0, 47)).filter(lambda pair: pair[0] != pair[1]), max_size=4)


@given(WINDOWS, st.integers(0, 95))
def test_a_cut_is_outside_of_every_window_and_as_early_as_that_allows(pairs: list[tuple[int, int]], due: int) -> None:
    closed = tuple(Window(start * 1800, end * 1800) for start, end in pairs)

    def shut(half_hour: int) -> bool:
        return any((half_hour - start) % 48 < (end - start) % 48 for start, end in pairs)

    wanted = next((half_hour for half_hour in range(due, due + 48) if not shut(half_hour)), None)
    found = cut_at(Account().opened(at(due / 2)), {"amount": 0}, at(due / 2), closed)
    assert found == (None if wanted is None else at(wanted / 2))


@pytest.mark.parametrize(
    ("listed", "said"),
    [
        ([{"from": "180000"}], "to: must be hhmmss, not None"),
        ([{"from": "18:00", "to": "080000"}], "from: must be hhmmss, not '18:00'"),
        ([{"from": "180000", "to": "180000"}], "window: 64800 to 64800 are no two different seconds of a day"),
        ([{"from": "180000", "to": "080000"}, {"from": "080000", "to": "180000"}], "windows: they leave no time of the day"),
    ],
)
def test_windows_that_are_none(listed: list[dict[str, str]], said: str) -> None:
    with pytest.raises(MoneyFault, match=said):
        windows(listed)
