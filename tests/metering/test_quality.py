"""Power quality (use case 4): what is answered, what leaves its tolerance, and what is refused."""

from typing import Any

import pytest

from apps.metering.meter import conditions
from apps.metering.tree import LIMITS, Identity
from tests.metering.bench import Bench

ALL = ["voltage", "current", "frequency", "powerFactor", "flicker", "harmonics"]


def _sense(bench: Bench, **values: Any) -> None:
    with bench.meter.body.kept.turn():
        conditions.sense(bench.meter.body, values)
    bench.write()


def _supply(bench: Bench, there: bool) -> None:
    with bench.meter.body.kept.turn():
        conditions.supply(bench.meter.body, there)
    bench.write()


def _types(bench: Bench) -> list[tuple[str, str]]:
    return [(event["type"], event["quantity"]) for event in bench.at_place("pq/events")]


def _asked(bench: Bench, quantities: list[str], issuer: str = "Cdno", **span: str) -> dict[str, Any]:
    bench.order("pq", "getPq", {"quantities": quantities, **span}, issuer)
    found: dict[str, Any] = bench.last("pq")
    return found


# --- what is asked for ----------------------------------------------------------------------------------------------------------------------------------------


def test_samples_and_events_of_a_span_are_named_in_time_order(bench: Bench) -> None:
    bench.later(12)
    _sense(bench, voltage=260)
    bench.later(12)
    points = [point["ts"] for point in bench.at_place("pq/samples")]
    told = _asked(bench, ["voltage"])
    assert told["state"] == "executed"
    assert told["result"] == {"dgt": points, "evtId": [event["evtId"] for event in bench.at_place("pq/events")]}
    assert len(points) >= 4
    assert _asked(bench, ["voltage"], **{"from": bench.at(60)})["result"] == {"dgt": [], "evtId": []}
    assert _asked(bench, ["frequency"])["result"] == {"dgt": points, "evtId": []}


def test_a_span_has_both_its_ends_however_its_times_are_written(bench: Bench) -> None:
    bench.later(30)
    first, second, *_ = (point["ts"] for point in bench.at_place("pq/samples"))
    assert first.endswith(",000000")
    assert _asked(bench, ALL, **{"from": first[:15], "to": second[:15]})["result"]["dgt"] == [first, second]
    assert _asked(bench, ALL, **{"from": first[:15] + ",0", "to": first})["result"]["dgt"] == [first]


def test_a_sample_has_every_quantity_and_its_time(bench: Bench) -> None:
    bench.later(6)
    point = bench.at_place("pq/samples")[-1]
    assert {*ALL, "ts"} <= point.keys()


@pytest.mark.parametrize(
    ("params", "named"),
    [
        ({}, "quantities"),
        ({"quantities": []}, "quantities"),
        ({"quantities": ["colour"]}, "colour"),
        ({"quantities": ["voltage", "voltage"]}, "quantities"),
        ({"quantities": ["voltage"], "from": "yesterday"}, "params.from"),
        ({"quantities": ["voltage"], "from": "20260102T000000", "to": "20260101T000000"}, "params.from"),
    ],
)
def test_a_request_that_makes_no_sense_is_rejected_and_both_organisations_learn_it(bench: Bench, params: dict[str, Any], named: str) -> None:
    order = bench.order("pq", "getPq", params, "Cdno")
    assert bench.states("pq", order) == ["rejected"]
    assert bench.last("pq")["error"]["code"] == "requestInvalid"
    assert named in bench.last("pq")["error"]["text"]
    (event,) = bench.at_place("events/error")
    assert [alert["evtId"] for name in ("dno", "asset") for alert in bench.alerts(name)] == [event["evtId"]] * 2
    assert not bench.at_place("ihd-P1/inbox")


@pytest.mark.parametrize(("name", "params"), [("getPq", {"quantities": ["voltage"]}), ("setLimits", {"voltage": {"low": 200}})])
def test_a_gas_meter_measures_no_power_quality(name: str, params: dict[str, Any]) -> None:
    bench = Bench(Identity("M2", "gas"))
    bench.write()
    bench.order("pq", name, params, "Cdno")
    assert bench.last("pq")["error"]["code"] == "requestUnsupported"
    bench.later(20)
    assert not bench.at_place("pq/events")


def test_a_foreign_issuer_is_refused_and_leaves_a_trace(bench: Bench) -> None:
    bench.send("pq", bench.envelope("getPq", {"quantities": ["voltage"]}, "Cdno"), creator="Cbill")
    assert bench.last("pq")["error"]["code"] == "requestUnauthorised"
    (refused,) = bench.at_place("events/security")
    assert refused["type"] == "accessRefused"
    assert "Cdno" in refused["detail"]


def test_a_stale_request_and_a_duplicate_are_rejected(bench: Bench) -> None:
    bench.order("pq", "getPq", {"quantities": ["voltage"]}, "Cdno", validUntil="20200101T000000")
    assert bench.last("pq")["error"]["code"] == "requestStale"
    envelope = bench.envelope("getPq", {"quantities": ["voltage"]}, "Cdno")
    bench.send("pq", envelope, "Cdno")
    bench.send("pq", envelope, "Cdno")
    assert bench.states("pq", envelope["cmdId"]) == ["validated", "executed"]
    bench.send("pq", {**envelope, "params": {"quantities": ["flicker"]}}, "Cdno")
    assert bench.last("pq")["error"]["code"] == "requestDuplicate"


def test_samples_that_cannot_be_read_or_sent_fail_the_request(bench: Bench) -> None:
    bench.faults.set("retrieve", count=1)
    order = bench.order("pq", "getPq", {"quantities": ["voltage"]}, "Cdno")
    assert bench.states("pq", order) == ["validated", "failed"]
    assert bench.errors(order) == ["retrievalFailed"]
    bench.faults.set("send", count=1, after="validated")
    order = bench.order("pq", "getPq", {"quantities": ["voltage"]}, "Cdno")
    assert bench.states("pq", order) == ["validated", "failed"]
    assert bench.errors(order) == ["sendFailed"]


# --- tolerance ------------------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("value", "kind"), [(199.5, "sag"), (261, "swell")])
def test_voltage_out_of_tolerance_is_recorded_when_it_begins_and_when_it_ends(bench: Bench, value: float, kind: str) -> None:
    _sense(bench, voltage=value)
    bench.later(20)
    _sense(bench, voltage=value)
    assert _types(bench) == [("outOfToleranceStart", "voltage"), (kind, "voltage")]
    start = bench.at_place("pq/events")[0]
    assert (start["value"], start["limit"]) == (value, LIMITS["voltage"])
    _sense(bench, voltage=230)
    bench.later(20)
    assert _types(bench)[2:] == [("outOfToleranceEnd", "voltage")]
    end = bench.at_place("pq/events")[-1]
    assert (end["of"], end["start"], end["value"]) == (start["evtId"], start["ts"], 230)
    assert end["ts"] > start["ts"]


@pytest.mark.parametrize(("value", "out"), [(49.5, False), (50.5, False), (49.49, True), (50.51, True)])
def test_the_limits_themselves_are_tolerated(bench: Bench, value: float, out: bool) -> None:
    _sense(bench, frequency=value)
    assert _types(bench) == ([("outOfToleranceStart", "frequency")] if out else [])


def test_from_one_side_to_the_other_one_excursion_ends_and_another_begins(bench: Bench) -> None:
    _sense(bench, voltage=150)
    _sense(bench, voltage=300)
    assert [kind for kind, _ in _types(bench)] == ["outOfToleranceStart", "sag", "outOfToleranceEnd", "outOfToleranceStart", "swell"]


def test_an_excursion_goes_on_over_a_restart(bench: Bench) -> None:
    _sense(bench, voltage=260)
    bench.power_on()
    bench.later(20)
    assert len(_types(bench)) == 2
    _sense(bench, voltage=230)
    assert _types(bench)[2:] == [("outOfToleranceEnd", "voltage")]
    assert len(_asked(bench, ["voltage"])["result"]["evtId"]) == 3


def test_an_outage_is_no_sag_and_ends_an_excursion(bench: Bench) -> None:
    _supply(bench, False)
    bench.later(20)
    _supply(bench, True)
    assert not _types(bench)
    _sense(bench, frequency=48)
    _supply(bench, False)
    assert _types(bench) == [("outOfToleranceStart", "frequency"), ("outOfToleranceEnd", "frequency")]
    assert "value" not in bench.at_place("pq/events")[-1]


def test_new_limits_are_shown_and_judged_by_at_once_and_keep_what_they_do_not_name(bench: Bench) -> None:
    bench.order("pq", "setLimits", {"voltage": {"high": 225}, "flicker": {"high": 0.1}}, "Casset")
    assert bench.last("pq")["result"] == {"quantities": ["flicker", "voltage"]}
    assert bench.at_place("pq/limits") == [{"voltage": {"low": 207, "high": 225}, "flicker": {"high": 0.1}}]
    assert _types(bench) == [("outOfToleranceStart", "voltage"), ("swell", "voltage"), ("outOfToleranceStart", "flicker")]
    bench.power_on()
    bench.order("pq", "setLimits", {"voltage": {"high": 253}}, "Cdno")
    assert _types(bench)[3:] == [("outOfToleranceEnd", "voltage")]


@pytest.mark.parametrize(
    ("params", "named"),
    [
        ({}, "params"),
        ({"colour": {"low": 1}}, "colour"),
        ({"voltage": {}}, "params.voltage"),
        ({"voltage": {"low": "much"}}, "params.voltage.low"),
        ({"voltage": {"low": -1}}, "params.voltage.low"),
        ({"voltage": {"high": float("inf")}}, "params.voltage.high"),
        ({"voltage": {"high": float("nan")}}, "params.voltage.high"),
        ({"voltage": {"low": 250, "high": 210}}, "params.voltage"),
        ({"voltage": {"high": 207}}, "params.voltage"),
        ({"voltage": {"middle": 230}}, "middle"),
    ],
)
def test_limits_that_make_no_sense_change_nothing(bench: Bench, params: dict[str, Any], named: str) -> None:
    bench.order("pq", "setLimits", params, "Cdno")
    assert (bench.last("pq")["state"], bench.last("pq")["error"]["code"]) == ("rejected", "requestInvalid")
    assert named in bench.last("pq")["error"]["text"]
    assert not bench.at_place("pq/limits")
    _sense(bench, voltage=253)
    assert not _types(bench)


def test_limits_that_do_not_take_fail(bench: Bench) -> None:
    bench.faults.set("apply", count=1)
    order = bench.order("pq", "setLimits", {"voltage": {"high": 240}}, "Cdno")
    assert bench.states("pq", order) == ["validated", "failed"]
    assert bench.errors(order) == ["applyFailed"]
    assert not bench.at_place("pq/limits")
