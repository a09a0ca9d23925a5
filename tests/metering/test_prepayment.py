"""Payment in advance on a meter without sockets (use case 3): debits that add up, cuts by amount and by time, times without cuts, emergency credit."""

from decimal import Decimal
from typing import Any

import pytest

from apps.metering.money import wrong_in
from apps.metering.tree import Identity
from cse.datatypes import seconds_of
from tests.metering.bench import BEGAN, Bench

PREPAID = {"mode": "prepayment", "emergencyLimit": "10"}


def meter(identity: Identity | None = None) -> Bench:
    """A meter that has said what it says at its start. It is 08:53:20 UTC."""
    found = Bench() if identity is None else Bench(identity)
    found.write()
    found.written.clear()
    return found


@pytest.fixture
def bench() -> Bench:
    return meter()


def tariff(bench: Bench, *rates: dict[str, Any], **more: Any) -> None:
    listed = [{"currency": "EUR", "unit": "kWh", **rate} for rate in rates] or [{"rateId": "flat", "price": "1000.0001", "currency": "EUR", "unit": "kWh"}]
    scheme = "single" if len(listed) == 1 else "timeOfUse"
    bench.order("tariff", "setTariff", {"tariffId": "T1", "scheme": scheme, "rates": listed, **more})
    assert bench.last("tariff")["state"] == "executed"


def prepay(bench: Bench, **more: Any) -> None:
    bench.order("payment", "setMode", {**PREPAID, **more}, "Cbill")
    assert bench.last("payment")["state"] == "executed"


def pay(bench: Bench, amount: str, token: str = "t", name: str = "addCredit") -> dict[str, Any]:
    bench.order("credit", name, {"amount": amount, "currency": "EUR", **({"token": token} if name == "addCredit" else {})}, "Cbill")
    return bench.last("credit")


def ledger(bench: Bench) -> list[dict[str, Any]]:
    return bench.at_place("payment/ledger")


def state(bench: Bench) -> dict[str, Any]:
    found: dict[str, Any] = bench.at_place("payment/state")[-1]
    return found


def supply(bench: Bench) -> list[tuple[str, str]]:
    return [(each["state"], each["cause"]) for each in bench.at_place("supply/state")]


def imported(bench: Bench) -> Decimal:
    return Decimal(bench.meter.body.plant.totals.imported) / 1_000_000


def spent(bench: Bench) -> Decimal:
    return -sum((Decimal(entry["amount"]) for entry in ledger(bench) if entry["kind"] == "debit"), Decimal(0))


def floor(value: Decimal) -> Decimal:
    return value - value % Decimal("0.0001")


# Debits


def test_each_profile_point_is_one_debit_and_all_adds_up(bench: Bench) -> None:
    tariff(bench)
    before = imported(bench)
    prepay(bench)
    pay(bench, "1000")
    bench.later(50)
    assert [entry["kind"] for entry in ledger(bench)] == ["topUp"] + ["debit"] * 10
    assert len(bench.at_place("readings/profile")) == 10
    assert spent(bench) == floor((imported(bench) - before) * Decimal("1000.0001")) > 0
    assert wrong_in(ledger(bench)) == ""
    assert state(bench)["credit"] == ledger(bench)[-1]["balance"] == bench.at_place("live")[-1]["credit"]
    assert len({entry["entryId"] for entry in ledger(bench)}) == 11


def test_what_was_used_on_credit_or_without_a_tariff_is_not_debited(bench: Bench) -> None:
    bench.later(20)
    prepay(bench)
    bench.later(20)
    assert not ledger(bench)
    before = imported(bench)
    tariff(bench)
    bench.later(10)
    assert spent(bench) <= floor((imported(bench) - before) * Decimal("1000.0001")) + 1
    bench.order("payment", "setMode", {"mode": "credit"}, "Cbill")
    count = len(ledger(bench))
    bench.later(20)
    assert len(ledger(bench)) == count
    prepay(bench)
    assert len(ledger(bench)) == count


@pytest.mark.parametrize("registers", [({"register": "1.8.1"}, {"register": "1.8.2"}), ({}, {})])
def test_each_rate_of_the_calendar_has_its_price_even_within_an_interval(bench: Bench, registers: tuple[dict[str, str], dict[str, str]]) -> None:
    day, noon = {"rateId": "day", "price": "700"} | registers[0], {"rateId": "noon", "price": "5000"} | registers[1]
    tariff(bench, day, noon, calendar=[{"at": "000000", "rateId": "day"}, {"at": "085343", "rateId": "noon"}])
    prepay(bench)
    start = imported(bench)
    bench.later(22.9)
    bench.meter.body.plant.advance(BEGAN + 23)
    middle = imported(bench)
    bench.later(17.1)
    assert spent(bench) == floor((middle - start) * 700 + (imported(bench) - middle) * 5000)
    assert wrong_in(ledger(bench)) == ""


def test_another_tariff_counts_from_when_it_comes(bench: Bench) -> None:
    tariff(bench)
    prepay(bench)
    start = imported(bench)
    bench.later(7)
    tariff(bench, {"rateId": "dear", "price": "3000"})
    middle = imported(bench)
    bench.later(8)
    assert spent(bench) == floor((middle - start) * Decimal("1000.0001") + (imported(bench) - middle) * 3000)


def test_a_restart_loses_no_debit_and_makes_none_twice(bench: Bench) -> None:
    tariff(bench)
    prepay(bench)
    start = imported(bench)
    for seconds in (5, 7, 11, 1, 30):
        bench.later(seconds)
        bench.power_on()
        bench.write()
    bench.later(5)
    assert spent(bench) == floor((imported(bench) - start) * Decimal("1000.0001")) > 0
    assert wrong_in(ledger(bench)) == ""


def test_an_account_takes_the_currency_of_the_tariff_until_its_first_booking(bench: Bench) -> None:
    tariff(bench, {"rateId": "flat", "price": "1000", "currency": "GBP"})
    prepay(bench)
    assert state(bench)["currency"] == "GBP"
    bench.later(10)
    assert {entry["currency"] for entry in ledger(bench)} == {"GBP"}
    assert pay(bench, "1")["state"] == "rejected"


def test_a_booked_account_has_no_mode_in_another_currency(bench: Bench) -> None:
    pay(bench, "1")
    tariff(bench, {"rateId": "flat", "price": "1000", "currency": "GBP"})
    bench.order("payment", "setMode", PREPAID, "Cbill")
    assert bench.last("payment")["error"] == {"code": "requestInvalid", "text": "params.mode: the tariff is in GBP, and the account in EUR"}


@pytest.mark.parametrize(("more", "name"), [({"emergencyLimit": "-1"}, "params.emergencyLimit"), ({"disconnectAfter": {"amount": "-0.5"}}, "disconnectAfter")])
def test_modes_that_are_none(bench: Bench, more: dict[str, Any], name: str) -> None:
    bench.order("payment", "setMode", {**PREPAID, **more}, "Cbill")
    assert bench.last("payment")["error"]["code"] == "requestInvalid"
    assert name in bench.last("payment")["error"]["text"]


# Disconnection


def test_a_cut_by_amount(bench: Bench) -> None:
    tariff(bench)
    prepay(bench, disconnectAfter={"amount": "2"})
    pay(bench, "1")
    bench.later(600)
    balances = [Decimal(entry["balance"]) for entry in ledger(bench)]
    assert supply(bench) == [("disabled", "prepayment")]
    assert [balance <= -2 for balance in balances] == [False] * (len(balances) - 1) + [True]
    assert bench.at_place("supply/state")[0]["ts"] == ledger(bench)[-1]["ts"]
    assert bench.at_place("live")[-1]["supplyState"] == "disabled"
    assert pay(bench, "1", "t1")["state"] == "executed"
    assert supply(bench) == [("disabled", "prepayment")]
    pay(bench, "100", "t2")
    assert supply(bench)[1:] == [("enabled", "prepayment")]
    assert wrong_in(ledger(bench)) == ""


def test_a_cut_by_time_also_after_a_restart(bench: Bench) -> None:
    tariff(bench)
    prepay(bench, disconnectAfter={"seconds": 60})
    pay(bench, "0.2")
    bench.later(5)
    used_up = next(seconds_of(entry["ts"]) for entry in ledger(bench) if Decimal(entry["balance"]) <= 0)
    bench.later(40)
    bench.power_on()
    assert not [each for each in supply(bench) if each[0] == "disabled"]
    bench.later(60)
    assert [seconds_of(each["ts"]) - used_up for each in bench.at_place("supply/state") if each["cause"] == "prepayment"] == [60]
    bench.power_on()
    bench.later(60)
    pay(bench, "500", "t2")
    assert supply(bench)[-1] == ("enabled", "prepayment")
    bench.later(30)
    assert bench.meter.body.plant.state == "enabled"


def test_a_top_up_in_time_leaves_the_supply_on(bench: Bench) -> None:
    tariff(bench)
    prepay(bench, disconnectAfter={"seconds": 60})
    bench.later(59)
    pay(bench, "1000")
    bench.later(60)
    assert not supply(bench)


@pytest.mark.parametrize("after", [{"amount": "0"}, {"seconds": 30}])
def test_no_cut_in_a_window_but_at_its_end(bench: Bench, after: dict[str, Any]) -> None:
    tariff(bench)
    bench.order("config", "applySettings", {"settings": {"nonDisconnect": "180000-060000, 085000-090000"}})
    prepay(bench, disconnectAfter=after)
    bench.later(300)
    assert not supply(bench)
    bench.power_on()
    bench.later(300)
    cut = bench.at_place("supply/state")[-1]
    assert (cut["state"], cut["cause"], cut["ts"][9:15]) == ("disabled", "prepayment", "090000")


def test_a_window_that_is_taken_away_lets_the_cut_come(bench: Bench) -> None:
    tariff(bench)
    bench.order("config", "applySettings", {"settings": {"nonDisconnect": "085000-090000"}})
    prepay(bench, disconnectAfter={"amount": "0"})
    bench.later(20)
    assert not supply(bench)
    bench.order("config", "applySettings", {"settings": {"nonDisconnect": ""}})
    assert supply(bench) == [("disabled", "prepayment")]


@pytest.mark.parametrize("setting", [5, True, "180000", "18:00-08:00", "180000-180000", "000000-120000,120000-000000", "250000-080000"])
def test_windows_that_are_none_are_refused(bench: Bench, setting: Any) -> None:
    order = bench.order("config", "applySettings", {"settings": {"nonDisconnect": setting}})
    assert bench.last("config")["error"]["code"] == "requestInvalid"
    assert "params.settings.nonDisconnect" in bench.last("config")["error"]["text"]
    assert bench.errors(order) == ["settingsRejected"]


def test_without_an_order_nothing_is_cut(bench: Bench) -> None:
    tariff(bench)
    prepay(bench)
    bench.later(300)
    assert Decimal(state(bench)["credit"]) < 0
    assert not supply(bench)


def test_what_has_no_valve_is_not_cut_but_debited() -> None:
    bench = meter(Identity("M3", kind="water", switch=False))
    tariff(bench, {"rateId": "flat", "price": "9000", "unit": "m3"})
    prepay(bench, disconnectAfter={"amount": "0"})
    bench.later(600)
    assert spent(bench) > 0
    assert not supply(bench)


def test_a_limit_is_back_with_the_credit(bench: Bench) -> None:
    tariff(bench)
    bench.order("supply", "limit", {"value": 500, "unit": "W", "reason": "network"})
    prepay(bench, disconnectAfter={"seconds": 10})
    bench.later(20)
    pay(bench, "100")
    assert supply(bench) == [("limited", "network"), ("disabled", "prepayment"), ("limited", "prepayment")]
    assert bench.at_place("supply/state")[-1]["limit"] == {"value": 0.5, "unit": "kW"}
    assert bench.meter.body.plant.limit == 0.5


def test_an_order_to_enable_holds_until_there_was_credit(bench: Bench) -> None:
    tariff(bench)
    prepay(bench, disconnectAfter={"amount": "0"})
    assert supply(bench) == [("disabled", "prepayment")]
    bench.order("supply", "enable", {"reason": "hardship"})
    bench.later(100)
    assert supply(bench)[1:] == [("enabled", "hardship")]
    pay(bench, str(-Decimal(state(bench)["credit"]) + Decimal("0.5")))
    bench.later(100)
    assert supply(bench)[2:] == [("disabled", "prepayment")]


def test_credit_does_not_enable_what_an_order_has_disabled(bench: Bench) -> None:
    tariff(bench)
    prepay(bench, disconnectAfter={"amount": "0"})
    bench.order("supply", "disable", {"reason": "works"})
    pay(bench, "100")
    assert supply(bench) == [("disabled", "prepayment"), ("disabled", "works")]


def test_who_pays_afterwards_again_is_not_cut(bench: Bench) -> None:
    tariff(bench)
    prepay(bench, disconnectAfter={"amount": "0"})
    bench.order("payment", "setMode", {"mode": "credit"}, "Cbill")
    assert supply(bench) == [("disabled", "prepayment"), ("enabled", "prepayment")]


@pytest.mark.parametrize("more", [{}, {"disconnectAfter": {"seconds": 60}}])
def test_other_terms_that_do_not_cut_give_the_supply_back(bench: Bench, more: dict[str, Any]) -> None:
    tariff(bench)
    prepay(bench, disconnectAfter={"amount": "0"})
    prepay(bench, disconnectAfter={"amount": "0"})
    assert supply(bench) == [("disabled", "prepayment")]
    prepay(bench, **more)
    assert supply(bench)[1:] == [("enabled", "prepayment")]
    bench.later(100)
    assert supply(bench)[2:] == [("disabled", "prepayment")] * len(more)


# Emergency credit


def test_emergency_credit_is_released_used_and_paid_back_first(bench: Bench) -> None:
    tariff(bench)
    prepay(bench, disconnectAfter={"amount": "0"})
    assert supply(bench) == [("disabled", "prepayment")]
    assert pay(bench, "10.0001", name="releaseEmergencyCredit")["state"] == "rejected"
    assert pay(bench, "4", name="releaseEmergencyCredit")["result"]["released"] == "4"
    assert supply(bench)[1:] == [("enabled", "prepayment")]
    bench.later(5)
    used = spent(bench)
    assert 0 < used < 4
    assert state(bench)["emergency"] == {"limit": "10", "released": "4", "used": f"{used.normalize():f}"}
    bench.power_on()
    bench.later(600)
    assert spent(bench) > 4
    assert state(bench)["emergency"]["used"] == "4"
    assert supply(bench)[-1] == ("disabled", "prepayment")
    assert pay(bench, "6.0001", name="releaseEmergencyCredit")["state"] == "rejected"
    owed = -Decimal(state(bench)["credit"])
    pay(bench, str(owed + 3))
    assert (state(bench)["credit"], state(bench)["emergency"]) == ("3", {"limit": "10", "released": "0", "used": "0"})
    assert supply(bench)[-1] == ("enabled", "prepayment")
    assert pay(bench, "10", name="releaseEmergencyCredit")["state"] == "executed"
    assert wrong_in(ledger(bench)) == ""
