"""Outages (use case 5): what the meter logs by itself, what it answers, and what is shown of failures."""

from typing import Any

import pytest

from apps.metering.meter import conditions
from tests.metering.bench import Bench

TEXT = {"title": "Work", "text": "We renew a cable.", "lang": "en"}


def _outage(bench: Bench, seconds: float = 60, restart: bool = False) -> dict[str, Any]:
    """Let the supply fail for a time, and give what was logged."""
    with bench.meter.body.kept.turn():
        conditions.supply(bench.meter.body, False)
    if restart:
        bench.power_on()
    bench.later(seconds)
    with bench.meter.body.kept.turn():
        conditions.supply(bench.meter.body, True)
    bench.write()
    found: dict[str, Any] = bench.at_place("outage/log")[-1]
    return found


def _plan(bench: Bench, **change: Any) -> str:
    params = {"outageId": "W1", "start": bench.at(100), "end": bench.at(200), "area": "north", "reason": "new cable", **change}
    return bench.order("outage", "plannedOutage", {name: value for name, value in params.items() if value is not None}, "Cdno", "required", message=TEXT)


def _accept(bench: Bench) -> None:
    item = bench.item()["msgId"]
    bench.screen(item)
    bench.act(item, "accept")


def _banners(bench: Bench) -> list[tuple[str, str]]:
    return [(found["type"], found["text"]) for found in bench.at_place("ihd-P1/inbox") if found["kind"] == "notice"]


# --- unplanned ------------------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("restart", [False, True])
def test_an_outage_is_logged_with_both_times_by_itself(bench: Bench, restart: bool) -> None:
    began = bench.at(0)
    outage = _outage(bench, restart=restart)
    assert outage == {"outageId": "M1-O1", "start": began, "end": bench.at(0), "planned": False, "phases": ["L1"]}
    assert [event["type"] for event in bench.at_place("events/state")][-1] == "restored"


def test_a_supply_that_is_there_cannot_come_back(bench: Bench) -> None:
    conditions.supply(bench.meter.body, True)
    bench.write()
    assert not bench.at_place("outage/log")


def test_outages_are_named_by_their_begins_and_those_that_reach_into_the_span_too(bench: Bench) -> None:
    spans = []
    for _ in range(11):
        found = _outage(bench, 10)
        spans.append((found["outageId"], found["start"], found["end"]))
        bench.later(10)
    bench.order("outage", "getOutages", {}, "Cdno")
    assert bench.last("outage")["result"] == {"outageId": [name for name, _, _ in spans]}
    bench.order("outage", "getOutages", {"from": spans[3][2], "to": spans[5][1]}, "Cdno")
    assert bench.last("outage")["result"] == {"outageId": [name for name, _, _ in spans[3:6]]}


def test_no_outage_is_an_answer_too(bench: Bench) -> None:
    order = bench.order("outage", "getOutages", {}, "Cdno")
    assert bench.states("outage", order) == ["validated", "executed"]
    assert bench.last("outage")["result"] == {"outageId": []}
    assert not bench.at_place("ihd-P1/inbox")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"type": "outages"}, "requestInvalid"),
        ({"params": {"from": "20260102T000000", "to": "20260101T000000"}}, "requestInvalid"),
        ({"params": {"until": "20260102T000000"}}, "requestInvalid"),
        ({"consent": "required"}, "requestInvalid"),
        ({"validUntil": "20200101T000000"}, "requestStale"),
        ({"issuer": "Cbill"}, "requestUnauthorised"),
    ],
)
def test_an_invalid_request_is_shown_to_the_consumer_too(bench: Bench, change: dict[str, Any], code: str) -> None:
    bench.send("outage", {**bench.envelope("getOutages", {}, "Cdno"), **change}, "Cdno")
    (event,) = bench.at_place("events/error")
    assert (bench.last("outage")["error"]["code"], event["type"]) == (code, code)
    assert _banners(bench) == [(code, event["detail"])]
    assert [alert["evtId"] for alert in bench.alerts("dno")] == [event["evtId"]]
    assert not bench.alerts("bill")


@pytest.mark.parametrize("content", ["no JSON", "[]", "{}"])
def test_malformed_content_is_shown_too(bench: Bench, content: str) -> None:
    bench.send("outage", content, "Cdno")
    assert [kind for kind, _ in _banners(bench)] == ["requestInvalid"]
    assert len(bench.alerts("dno")) == 1


def test_a_log_that_cannot_be_read_fails_and_whom_the_request_names_learns_it(bench: Bench) -> None:
    bench.faults.set("retrieve", count=1)
    order = bench.order("outage", "getOutages", {}, "Cdno", notify=["Cbill"])
    assert bench.states("outage", order) == ["validated", "failed"]
    assert bench.errors(order) == ["retrievalFailed"]
    assert [kind for kind, _ in _banners(bench)] == ["retrievalFailed"]
    assert {alert["evtId"] for name in ("dno", "bill") for alert in bench.alerts(name)} == {event["evtId"] for event in bench.at_place("events/error")}


def test_what_nobody_has_acknowledged_is_shown_once(bench: Bench) -> None:
    order = bench.order("outage", "getOutages", {}, "Cdno", ackRequired=True)
    event = {"evtId": "W-E1", "type": "notReceived", "ts": bench.at(0), "severity": "error", "cmdId": order, "detail": "Cdno has not acknowledged it"}
    for _ in range(2):
        bench.tell("events/error", {"con": event, "ri": "e"})
    assert _banners(bench) == [("notReceived", "Cdno has not acknowledged it")]
    assert bench.states("outage", order) == ["validated", "executed"]


# --- planned --------------------------------------------------------------------------------------------------------------------------------------------------


def test_an_announcement_is_shown_with_its_facts_and_kept_when_it_was_accepted(bench: Bench) -> None:
    order = _plan(bench)
    item = bench.item()
    assert (item["kind"], item["text"], item["title"], item["answers"]) == ("plannedOutage", TEXT["text"], TEXT["title"], ["accept", "decline"])
    assert (item["start"], item["end"], item["area"]) == (bench.at(100), bench.at(200), "north")
    assert not bench.at_place("outage/planned")
    _accept(bench)
    assert bench.states("outage", order) == ["validated", "displayed", "accepted", "executed"]
    facts = {"outageId": "W1", "start": bench.at(100), "end": bench.at(200), "area": "north", "reason": "new cable"}
    assert bench.at_place("outage/planned") == [{**facts, "cmdId": order}]


def test_without_a_text_of_the_operator_the_display_says_what_happens(bench: Bench) -> None:
    params = {"outageId": "W1", "start": bench.at(100), "end": bench.at(200), "area": "north", "reason": "new cable"}
    bench.order("outage", "plannedOutage", params, "Cdno", "required")
    assert bench.item()["text"] == "The supply of north is interrupted from 2025-10-09 08:55 to 2025-10-09 08:56:40 (UTC): new cable"


def test_an_outage_in_an_announced_time_is_planned(bench: Bench) -> None:
    _plan(bench)
    _accept(bench)
    assert _outage(bench, 30)["planned"] is False
    bench.power_on()
    bench.later(90)
    assert _outage(bench, 30)["planned"] is True
    bench.later(200)
    assert _outage(bench, 30)["planned"] is False


def test_a_plan_of_the_same_name_takes_the_place_of_the_earlier_one(bench: Bench) -> None:
    for start in (100, 1000):
        _plan(bench, start=bench.at(start), end=bench.at(start + 100))
        _accept(bench)
    bench.later(120)
    assert _outage(bench, 10)["planned"] is False


def test_an_outage_that_was_declined_is_not_planned(bench: Bench) -> None:
    order = _plan(bench)
    item = bench.item()["msgId"]
    bench.screen(item)
    bench.act(item, "decline")
    assert bench.states("outage", order)[-1] == "declined"
    assert bench.errors(order) == ["notAccepted"]
    bench.later(120)
    assert _outage(bench, 10)["planned"] is False


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"outageId": None}, "outageId"),
        ({"reason": None}, "reason"),
        ({"area": ""}, "params.area"),
        ({"start": "soon"}, "params.start"),
        ({"start": "20991231T000000", "end": "20991231T000000,0"}, "params.end"),
        ({"start": "20991231T000000,5", "end": "20991231T000000,25"}, "params.end"),
        ({"start": "20200101T000000", "end": "20200102T000000"}, "params.end"),
    ],
)
def test_a_plan_that_makes_no_sense_is_rejected_and_only_its_failure_is_shown(bench: Bench, change: dict[str, Any], named: str) -> None:
    order = _plan(bench, **change)
    assert bench.states("outage", order) == ["rejected"]
    assert bench.last("outage")["error"]["code"] == "requestInvalid"
    assert named in bench.last("outage")["error"]["text"]
    assert [found["kind"] for found in bench.at_place("ihd-P1/inbox")] == ["notice"]
    assert not bench.at_place("outage/planned")


def test_a_display_that_refuses_is_a_failure_that_is_shown_later(bench: Bench) -> None:
    order = _plan(bench)
    bench.later(3)
    assert bench.states("outage", order) == ["validated", "failed"]
    assert bench.errors(order) == ["displayFailed"]
    assert [kind for kind, _ in _banners(bench)] == ["displayFailed"]


def test_an_acceptance_that_cannot_be_confirmed_takes_effect_and_is_an_error(bench: Bench) -> None:
    bench.faults.set("confirm", count=1)
    order = _plan(bench)
    _accept(bench)
    assert bench.states("outage", order) == ["validated", "displayed"]
    assert bench.errors(order) == ["confirmationNotSent"]
    assert [kind for kind, _ in _banners(bench)] == ["confirmationNotSent"]
    assert bench.at_place("outage/planned")[-1]["cmdId"] == order


def test_an_announcement_goes_on_over_a_restart(bench: Bench) -> None:
    order = _plan(bench)
    item = bench.item()["msgId"]
    bench.power_on()
    bench.screen(item)
    bench.power_on()
    bench.act(item, "accept")
    assert bench.states("outage", order) == ["validated", "displayed", "accepted", "executed"]
    assert len(bench.at_place("outage/planned")) == 1
