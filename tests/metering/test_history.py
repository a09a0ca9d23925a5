"""Interference and malfunction (use case 9): what is recorded, what the node's log has, and what the history tells."""

import json
from typing import Any

import pytest

from apps.metering.meter import conditions
from tests.metering.bench import Bench

KINDS = ["security", "malfunction", "error", "state"]


def _sense(bench: Bench, **values: Any) -> None:
    with bench.meter.body.kept.turn():
        conditions.sense(bench.meter.body, values)
    bench.write()


def _log(bench: Bench) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(bench.at_place("nod-M1/eventLog")[-1]["lgd"])
    return found


def _history(bench: Bench, *kinds: str, **span: str) -> list[str]:
    bench.order("log", "getEvents", {"kinds": list(kinds), **span})
    assert bench.last("log")["state"] == "executed"
    found: list[str] = bench.last("log")["result"]["evtId"]
    return found


@pytest.mark.parametrize("restart", [False, True])
def test_three_times_tamper_are_three_events_in_order_with_their_times(bench: Bench, restart: bool) -> None:
    for _ in range(3):
        _sense(bench, tamper=True)
        bench.later(2)
    if restart:
        bench.power_on()
        bench.later(1)
    events = bench.at_place("events/security")
    proof = [("integrityFailed", "critical")] if restart else []  # a start proves the integrity, which a meter that senses tampering cannot
    assert [(event["type"], event["severity"]) for event in events] == [("tamper", "critical")] * 3 + proof
    assert [event["ts"] for event in events] == sorted({event["ts"] for event in events})
    identifiers = [event["evtId"] for event in events]
    assert _history(bench, "security") == identifiers
    assert [(event["evtId"], event["ts"]) for event in _log(bench)] == [(event["evtId"], event["ts"]) for event in events]
    assert bench.at_place("nod-M1/eventLog")[-1]["lgst"] == 1
    assert [alert["evtId"] for alert in bench.alerts("asset")] == identifiers


def test_what_senses_no_tamper_records_none(bench: Bench) -> None:
    _sense(bench, tamper=False)
    _sense(bench, voltage=231.0)
    assert not bench.at_place("events/security")


@pytest.mark.parametrize(
    ("bad", "good", "kind"),
    [({"battery": 11}, {"battery": 100}, "battery"), ({"memory": 97}, {"memory": 20}, "memory"), ({"clockOffset": 90}, {"clockOffset": 0}, "clock")],
)
def test_a_malfunction_is_recorded_when_it_begins(bench: Bench, bad: dict[str, float], good: dict[str, float], kind: str) -> None:
    for values in (bad, bad, good, bad):
        _sense(bench, **values)
    assert [event["type"] for event in bench.at_place("events/malfunction")] == [kind, kind]


def test_history_is_by_kind_and_span(bench: Bench) -> None:
    _sense(bench, tamper=True)
    bench.later(10)
    middle = bench.at(0)
    _sense(bench, battery=5)
    bench.order("supply", "limit", {"value": 1, "unit": "miles"})
    tamper, battery, error = (bench.at_place(f"events/{name}")[-1]["evtId"] for name in ("security", "malfunction", "error"))
    assert _history(bench, "malfunction", "security") == [tamper, battery]
    assert _history(bench, "security", "malfunction", "error", **{"from": middle}) == [battery, error]
    assert _history(bench, "malfunction", **{"from": middle, "to": middle}) == [battery]
    assert _history(bench, "security", **{"from": middle}) == []
    assert set(_history(bench, *KINDS)) > {tamper, battery, error}


def test_a_second_without_a_fraction_is_the_whole_second_on_the_bench_clock(bench: Bench) -> None:
    """The clock of the bench stands on a full second: an end that is written without a fraction has what happened on it."""
    _sense(bench, tamper=True)
    second = bench.at(0)
    assert second.endswith(",000000")
    assert len(_history(bench, "security", **{"from": second[:15], "to": second[:15]})) == 1


def test_what_the_head_end_has_noticed_is_history_too_once(bench: Bench) -> None:
    event = {"evtId": "W-E7", "type": "accessRefused", "ts": bench.at(0), "severity": "warning", "detail": "Cthief was refused CREATE"}
    for _ in range(2):
        bench.tell("events/security", {"con": event, "ri": "e"})
    bench.power_on()
    bench.tell("events/security", {"con": event, "ri": "e"})
    assert _history(bench, "security") == ["W-E7"]
    assert [found["evtId"] for found in _log(bench)] == ["W-E7"]
    assert not bench.at_place("events/security")


def test_an_issuer_that_is_not_the_creator_is_interference(bench: Bench) -> None:
    order = bench.order("log", "getEvents", {"kinds": ["security"]})
    bench.send("log", bench.envelope("getEvents", {"kinds": ["security"]}), creator="Cbill")
    (refused,) = bench.at_place("events/security")
    assert refused["type"] == "accessRefused"
    assert refused["evtId"] in [found["evtId"] for found in _log(bench)]
    assert bench.states("log", order) == ["validated", "executed"]
    assert bench.last("log")["error"]["code"] == "requestUnauthorised"


@pytest.mark.parametrize(
    ("params", "named"),
    [
        ({}, "kinds"),
        ({"kinds": []}, "kinds"),
        ({"kinds": "security"}, "kinds"),
        ({"kinds": ["gossip"]}, "gossip"),
        ({"kinds": ["security"], "from": "20260102T000000", "to": "20260101T000000"}, "params.from"),
        ({"kinds": ["security"], "to": "20261399T000000"}, "params.to"),
        ({"kinds": ["security"], "limit": 3}, "limit"),
    ],
)
def test_a_request_that_makes_no_sense_is_rejected_without_a_banner(bench: Bench, params: dict[str, Any], named: str) -> None:
    order = bench.order("log", "getEvents", params)
    assert bench.states("log", order) == ["rejected"]
    assert (bench.last("log")["error"]["code"], bench.errors(order)) == ("requestInvalid", ["requestInvalid"])
    assert named in bench.last("log")["error"]["text"]
    assert not bench.at_place("ihd-P1/inbox")


@pytest.mark.parametrize(("fault", "after", "code"), [("retrieve", "", "retrievalFailed"), ("send", "validated", "sendFailed")])
def test_history_that_cannot_be_read_or_sent_fails(bench: Bench, fault: str, after: str, code: str) -> None:
    bench.faults.set(fault, count=1, after=after)
    order = bench.order("log", "getEvents", {"kinds": KINDS})
    assert bench.states("log", order) == ["validated", "failed"]
    assert bench.last("log")["error"]["code"] == code
    assert bench.errors(order) == [code]
    assert [alert["evtId"] for alert in bench.alerts("asset")] == [bench.at_place("events/error")[-1]["evtId"]]
