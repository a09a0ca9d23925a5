"""Tariffs on a meter without sockets (use case 10): ranges, the calendar, what waits for its time, the notice, and all or nothing in a group."""

from collections.abc import Sequence
from typing import Any

import pytest

from apps.metering.accord import GATHER, REMEMBERED, Accord
from apps.metering.memory import Memory
from apps.metering.meter.handlers.tariff import in_force
from apps.metering.meter.records import key_of
from apps.metering.tree import Identity
from cse.datatypes import seconds_of
from tests.metering.bench import Bench

TEXT = {"title": "New prices", "text": "By night you pay less.", "lang": "en"}


def _rate(name: str, **more: Any) -> dict[str, Any]:
    return {"rateId": name, "price": "0.30", "currency": "EUR", "unit": "kWh", **more}


def _tariff(**more: Any) -> dict[str, Any]:
    return {"tariffId": "T1", "scheme": "single", "rates": [_rate("flat")], **more}


def _two(**more: Any) -> dict[str, Any]:
    rates = [_rate("day", register="1.8.1"), _rate("night", price=0.2, register="1.8.2")]
    return _tariff(scheme="dual", rates=rates, calendar=[{"at": "060000", "rateId": "day"}, {"at": "220000", "rateId": "night"}], **more)


def _set(bench: Bench, params: dict[str, Any], consent: str = "none", **more: Any) -> str:
    return bench.order("tariff", "setTariff", params, "Cbill", consent, **more)


def _live(bench: Bench) -> dict[str, Any]:
    found: dict[str, Any] = bench.at_place("live")[-1]
    return found


# --- what is valid -------------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "named"),
    [
        (_tariff(rates=[]), "params.rates"),
        (_tariff(scheme="free"), "params.scheme"),
        (_tariff(rates=[_rate("a", price=0.30001)]), "params.rates[0].price"),
        (_tariff(rates=[_rate("a", price="cheap")]), "params.rates.0.price"),
        (_tariff(rates=[_rate("a", currency="euro")]), "params.rates.0.currency"),
        (_tariff(rates=[_rate("a", register="9.9.9")]), "params.rates[0].register"),
        (_tariff(rates=[_rate("a", register="2.8.0")]), "params.rates"),
        (_tariff(scheme="timeOfUse", rates=[_rate("a"), _rate("a")]), "rateId 'a'"),
        (_tariff(scheme="timeOfUse", rates=[_rate("a"), _rate("b", currency="GBP")]), "EUR and GBP"),
        (_tariff(rates=[_rate("a", register="1.8.1"), _rate("b", register="1.8.2")]), "single"),
        (_tariff(scheme="dual"), "dual"),
        (_tariff(scheme="timeOfUse", rates=[_rate("a"), _rate("b")]), "params.calendar"),
        (_tariff(scheme="timeOfUse", rates=[_rate("a", register="1.8.1"), _rate("b", register="1.8.1")]), "register '1.8.1'"),
        (_tariff(calendar=[{"at": "060000", "rateId": "noon"}]), "params.calendar[0].rateId"),
        (_tariff(calendar=[{"at": "250000", "rateId": "flat"}]), "params.calendar.0.at"),
        (_tariff(calendar=[{"at": "060000", "rateId": "flat"}] * 2), "params.calendar[1].at"),
        (_tariff(rates=[_rate("flat"), _rate("flat", register="2.8.0")]), "rateId 'flat'"),
        (_tariff(rates=[_rate("flat"), _rate("in", register="2.8.0", currency="GBP")]), "EUR and GBP"),
        (_tariff(rates=[_rate("flat"), _rate("in", register="2.8.0")], calendar=[{"at": "060000", "rateId": "in"}]), "params.calendar[0].rateId"),
        (_tariff(effective="20200101T000000"), "params.effective"),
        (_tariff(effective="tomorrow"), "params.effective"),
        (_tariff(colour="red"), "colour"),
        (_tariff(rates=[_rate("flat", unit="m3")]), "params.rates[0].unit"),
        (_tariff(rates=[_rate("flat", unit="MWh")]), "params.rates[0].unit"),
    ],
)
def test_what_is_wrong_is_rejected_with_its_name_and_changes_nothing(bench: Bench, params: dict[str, Any], named: str) -> None:
    order = _set(bench, params, "informed", message=TEXT)
    record = bench.last("tariff")
    assert (record["cmdId"], record["state"], record["error"]["code"]) == (order, "rejected", "requestInvalid")
    assert named in record["error"]["text"]
    assert bench.errors(order) == ["requestInvalid"]
    assert len(bench.alerts("bill")) == 1
    assert {place for place, _ in bench.written} == {"cmd/tariff/out", "events/error", "bill/alerts"}


def test_consent_is_none_or_informed_and_nobody_else_sets_a_tariff(bench: Bench) -> None:
    _set(bench, _tariff(), "required", message=TEXT)
    assert "consent" in bench.last("tariff")["error"]["text"]
    bench.send("tariff", bench.envelope("setTariff", _tariff(), "Cbill"), creator="Cdno")
    assert bench.last("tariff")["error"]["code"] == "requestUnauthorised"
    bench.send("tariff", bench.envelope("setTariff", _tariff(), "Cbill", validUntil=bench.at(-1)), creator="Cbill")
    assert bench.last("tariff")["error"]["code"] == "requestStale"
    assert not bench.at_place("tariff/active")


def test_a_repeat_is_not_applied_twice_and_another_body_is_a_duplicate(bench: Bench) -> None:
    envelope = bench.envelope("setTariff", _tariff(), "Cbill")
    for _ in range(2):
        bench.send("tariff", envelope, creator="Cbill")
    bench.send("tariff", {**envelope, "params": _two()}, creator="Cbill")
    assert bench.states("tariff", envelope["cmdId"]) == ["validated", "executed", "rejected"]
    assert bench.last("tariff")["error"]["code"] == "requestDuplicate"
    assert [one["tariffId"] for one in bench.at_place("tariff/active")] == ["T1"]


def test_a_meter_in_prepayment_takes_no_other_currency(bench: Bench) -> None:
    bench.order("payment", "setMode", {"mode": "prepayment"}, "Cbill")
    _set(bench, _tariff(rates=[_rate("a", currency="GBP")]))
    assert "params.rates[0].currency" in bench.last("tariff")["error"]["text"]


# --- what it does --------------------------------------------------------------------------------------------------------------------------------------------


def test_a_tariff_is_in_force_at_once_and_the_display_has_rate_and_price(bench: Bench) -> None:
    order = _set(bench, _two())
    assert bench.states("tariff", order) == ["validated", "executed"]
    active = bench.at_place("tariff/active")[-1]
    assert (active["tariffId"], active["scheme"], active["cmdId"], active["ts"]) == ("T1", "dual", order, bench.at(0))
    assert active["rates"] == _two()["rates"]
    assert (_live(bench)["rate"], _live(bench)["price"]) == ("day", "0.3")
    places = [place for place, _ in bench.written]
    assert places.index("tariff/active") < len(places) - 1 - places[::-1].index("cmd/tariff/out")
    assert not bench.at_place("ihd-P1/inbox")
    assert not bench.states("tariff", f"{order}#info")


def test_what_is_fed_in_has_a_rate_of_its_own(bench: Bench) -> None:
    _set(bench, _tariff(rates=[_rate("flat"), _rate("fed", register="2.8.0")]))
    assert bench.last("tariff")["state"] == "executed"
    assert _live(bench)["rate"] == "flat"
    bench.later(6)
    assert {one["id"]: one.get("rate") for one in bench.at_place("readings/registers")[-1]["registers"]} == {"1.8.1": "flat", "1.8.2": None, "2.8.0": "fed"}


def test_each_rate_counts_on_its_register_from_the_moment_that_the_calendar_names(bench: Bench) -> None:
    _set(bench, _two())
    plant = bench.meter.body.plant
    plant.advance(bench.now)
    before = dict(plant.registers)
    switch = seconds_of("20251009T220000")
    bench.later(switch - bench.now - 1)
    assert plant.register == "1.8.1"
    day = plant.registers["1.8.1"]
    assert day > before["1.8.1"]
    assert plant.registers["1.8.2"] == before["1.8.2"]
    bench.later(3600)
    assert (plant.register, _live(bench)["rate"], _live(bench)["price"]) == ("1.8.2", "night", "0.2")
    assert plant.registers["1.8.2"] > before["1.8.2"]
    reading = bench.at_place("readings/registers")[-1]
    assert {one["id"]: one.get("rate") for one in reading["registers"]} == {"1.8.1": "day", "1.8.2": "night", "2.8.0": None}


@pytest.mark.parametrize(
    ("clock", "rate", "following"),
    [
        ("000000", "night", "20260301T060000"),
        ("055959", "night", "20260301T060000"),
        ("060000", "day", "20260301T220000"),
        ("220000", "night", "20260302T060000"),
        ("235959", "night", "20260302T060000"),
    ],
)
def test_the_calendar_is_in_utc_and_each_entry_in_force_until_the_next(clock: str, rate: str, following: str) -> None:
    found, at = in_force(_two(), seconds_of(f"20260301T{clock}"))
    assert (found.id, at) == (rate, seconds_of(following))


def test_a_meter_that_was_off_at_the_switch_has_the_right_rate_afterwards(bench: Bench) -> None:
    _set(bench, _two())
    bench.now = seconds_of("20251009T230000")
    bench.power_on()
    bench.later(1)
    assert _live(bench)["rate"] == "night"


def test_a_tariff_of_later_waits_is_accepted_and_comes_into_force_at_its_time(bench: Bench) -> None:
    order = _set(bench, _tariff(effective=bench.at(30)), "informed", message=TEXT)
    assert bench.states("tariff", order) == ["validated", "accepted"]
    [pending] = bench.at_place("tariff/pending")
    assert (pending["tariffId"], pending["effective"], pending["cmdId"]) == ("T1", bench.at(30), order)
    assert not bench.at_place("tariff/active")
    assert not bench.at_place("ihd-P1/inbox")
    bench.power_on()
    bench.later(31)
    assert bench.states("tariff", order) == ["validated", "accepted", "executed"]
    assert bench.at_place("tariff/active")[-1]["cmdId"] == order
    assert bench.item()["kind"] == "tariff"
    assert any(place.startswith("tariff/pending/") for place, _ in bench.written)


def test_a_tariff_comes_into_force_after_the_validity_of_its_command_and_the_consumer_still_has_time_to_read(bench: Bench) -> None:
    order = _set(bench, _tariff(effective=bench.at(600)), "informed", message=TEXT, validUntil=bench.at(60))
    bench.later(601)
    item = bench.item()
    assert item["validUntil"] > bench.at(0)
    bench.screen(item["msgId"])
    bench.act(item["msgId"], "view")
    bench.act(item["msgId"], "save")
    assert bench.states("tariff", f"{order}#info") == ["displayed", "executed"]


def test_a_change_that_does_not_take_fails_and_the_old_tariff_stays(bench: Bench) -> None:
    _set(bench, _tariff())
    bench.faults.set("apply", count=1)
    order = _set(bench, _tariff(tariffId="T2"), "informed", message=TEXT)
    assert bench.states("tariff", order) == ["validated", "failed"]
    assert bench.errors(order) == ["applyFailed"]
    assert bench.at_place("tariff/active")[-1]["tariffId"] == "T1"
    assert not bench.at_place("ihd-P1/inbox")


# --- the notice ----------------------------------------------------------------------------------------------------------------------------------------------


def _shown(bench: Bench, **more: Any) -> tuple[str, str]:
    order = _set(bench, _tariff(), "informed", **{"message": TEXT, **more})
    item = bench.item()
    assert (item["kind"], item["cmdId"], item["answers"]) == ("tariff", order, [])
    bench.screen(item["msgId"])
    return order, item["msgId"]


@pytest.mark.parametrize("action", ["save", "delete"])
def test_the_notice_ends_when_it_is_saved_or_deleted_and_says_when_it_was_viewed(bench: Bench, action: str) -> None:
    order, item = _shown(bench)
    applied = bench.at(0)
    assert bench.states("tariff", order) == ["validated", "executed"]
    bench.now += 1
    bench.act(item, "view")
    viewed = bench.at(0)
    assert bench.states("tariff", f"{order}#info") == ["displayed"]
    bench.now += 1
    bench.act(item, action)
    assert bench.states("tariff", f"{order}#info") == ["displayed", "executed"]
    assert bench.last("tariff")["result"] == {"appliedAt": applied, "viewedAt": viewed, "disposition": action}
    assert not bench.errors()


def test_what_is_put_aside_unread_was_not_viewed_and_bill_learns_it(bench: Bench) -> None:
    order, item = _shown(bench)
    bench.act(item, "delete")
    assert bench.last("tariff")["result"].keys() == {"appliedAt", "disposition"}
    assert bench.errors(order) == ["notRead"]
    assert bench.alerts("bill")[-1]["evtId"] == bench.at_place("events/error")[-1]["evtId"]


def test_silence_expires_the_notice_and_leaves_tariff_and_item_where_they_are(bench: Bench) -> None:
    order, _ = _shown(bench, consumerDeadline=5)
    bench.later(6)
    assert bench.states("tariff", f"{order}#info") == ["displayed", "expired"]
    assert bench.errors(order) == ["notRead"]
    assert bench.alerts("bill")
    assert not bench.item().get("withdraw")
    assert bench.at_place("tariff/active")[-1]["cmdId"] == order


def test_a_display_that_is_off_fails_the_notice_alone(bench: Bench) -> None:
    order = _set(bench, _tariff(), "informed")
    assert "flat 0.30 EUR/kWh" in bench.item()["text"]
    bench.later(3)
    assert bench.states("tariff", order) == ["validated", "executed"]
    assert bench.states("tariff", f"{order}#info") == ["failed"]
    assert bench.last("tariff")["error"]["code"] == "displayFailed"


# --- all or nothing ------------------------------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def member() -> Bench:
    """A meter of a group."""
    found = Bench(Identity("M1", group="grp-P1"))
    found.write()
    found.written.clear()
    return found


@pytest.mark.parametrize(("unit", "state"), [("kWh", "validated"), ("m3", "validated"), ("unit", "validated"), ("miles", "rejected")])
def test_one_document_may_be_for_unlike_meters_of_a_group(unit: str, state: str) -> None:
    water = Bench(Identity("M3", "water", switch=False, group="grp-P1"))
    order = water.order("tariff", "setTariff", _tariff(rates=[_rate("flat", unit=unit)]), "Cbill")
    assert water.states("tariff", order) == [state]


def _decide(bench: Bench, order: str, decision: str, members: Sequence[str] = ("M1", "M2")) -> None:
    told = {"cmdId": order, "issuer": "Cbill", "members": list(members), "decision": decision, "detail": "M2 rejected: params.rates"}
    bench.tell("accord", {"con": told, "ri": "x"})


def test_a_member_votes_and_applies_nothing_before_all_have_agreed(member: Bench) -> None:
    order = _set(member, _tariff())
    assert member.at_place("sm-watch/votes") == [{"ts": member.at(0), "cmdId": order, "issuer": "Cbill", "meter": "M1"}]
    member.later(1000)
    member.power_on()
    _decide(member, order, "commit", ["M2", "M3"])
    assert member.states("tariff", order) == ["validated"]
    _decide(member, order, "commit")
    _decide(member, order, "abort")
    assert member.states("tariff", order) == ["validated", "executed"]
    assert member.at_place("tariff/active")[-1]["cmdId"] == order


def test_a_member_changes_nothing_when_another_refuses(member: Bench) -> None:
    order = _set(member, _tariff(), "informed", message=TEXT)
    _decide(member, order, "abort")
    assert member.states("tariff", order) == ["validated", "failed"]
    assert "M2 rejected" in member.last("tariff")["error"]["text"]
    assert member.errors(order) == ["applyFailed"]
    assert not member.at_place("tariff/active")
    assert not member.at_place("ihd-P1/inbox")


def test_a_member_that_cannot_apply_does_not_vote(member: Bench) -> None:
    member.faults.set("apply", count=1)
    _set(member, _tariff())
    assert not member.at_place("sm-watch/votes")
    assert member.last("tariff")["state"] == "failed"


class Head:
    """A head-end that decides, with a clock that tests turn."""

    def __init__(self, memory: Memory) -> None:
        self.now, self.told = 1000.0, list[dict[str, Any]]()
        groups = {"grp-P1": ("M1", "M2", "M3"), "grp-all": ("M1", "M2", "M3", "M4")}
        self.accord = Accord(memory.of("sm-watch"), lambda: self.now, groups, lambda told: self.told.append(dict(told)))

    def later(self, seconds: float) -> float | None:
        self.now += seconds
        return self.accord.due(self.now)

    @property
    def last(self) -> tuple[str, list[str], str]:
        return self.told[-1]["decision"], self.told[-1]["members"], self.told[-1]["detail"]


@pytest.fixture
def head() -> Head:
    return Head(Memory(":memory:"))


def test_a_command_for_one_meter_is_decided_by_itself(head: Head) -> None:
    head.accord.seen("M1", "Cbill", "c", 5)
    head.accord.voted("M1", "Cbill", "c", 5)
    assert not head.told
    assert head.later(GATHER) is None
    assert head.last == ("commit", ["M1"], "")


def test_a_group_is_decided_when_all_members_have_voted(head: Head) -> None:
    for meter in ("M1", "M3"):
        head.accord.voted(meter, "Cbill", "c", 5)
    assert head.later(GATHER) == 1005
    assert not head.told
    head.accord.voted("M2", "Cbill", "c", 5)
    head.later(0.1)
    assert head.last == ("commit", ["M1", "M2", "M3"], "")


def test_one_that_refuses_is_enough(head: Head) -> None:
    for meter in ("M1", "M2", "M3"):
        head.accord.seen(meter, "Cbill", "c", 5)
    head.accord.voted("M1", "Cbill", "c", 5)
    head.accord.ended("M2", "Cbill", "c", "rejected: no register 1.8.2")
    head.later(GATHER)
    assert head.last == ("abort", ["M1", "M2", "M3"], "M2 rejected: no register 1.8.2")


def test_one_that_was_never_reached_or_says_nothing_is_refusal(head: Head) -> None:
    for meter in ("M1", "M2"):
        head.accord.seen(meter, "Cbill", "c", 5)
        head.accord.voted(meter, "Cbill", "c", 5)
    head.later(4.9)
    assert not head.told
    head.later(0.2)
    assert head.last == ("abort", ["M1", "M2", "M3"], "M3 did not answer")
    head.accord.voted("M3", "Cbill", "c", 5)
    assert len(head.told) == 2
    assert head.told[0] == head.told[1]


def test_a_decision_stands_also_when_the_head_end_restarts_and_is_forgotten_a_day_later() -> None:
    memory = Memory(":memory:")
    head = Head(memory)
    head.accord.voted("M1", "Cbill", "c", 5)
    head.later(GATHER)
    again = Head(memory)
    again.accord.ended("M1", "Cbill", "c", "failed")
    again.accord.voted("M1", "Cbill", "c", 5)
    assert again.last == ("commit", ["M1"], "")
    again.later(REMEMBERED + 1)
    assert memory.of("sm-watch").get("round", key_of("Cbill", "c")) is None


def test_a_meter_that_is_sent_the_same_command_later_is_decided_for_anew(head: Head) -> None:
    head.accord.voted("M1", "Cbill", "c", 5)
    head.later(GATHER)
    head.later(100)
    head.accord.voted("M2", "Cbill", "c", 5)
    head.later(GATHER)
    assert head.last == ("commit", ["M2"], "")
