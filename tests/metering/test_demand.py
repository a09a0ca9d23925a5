"""Demand response and efficiency measures on a meter without sockets (use cases 6 and 13)."""

import json
from typing import Any

import pytest

from apps.metering.tree import Identity
from tests.metering.bench import Bench

HOUSE = Identity("M1", generators=("gen-P1-1",), appliances=("dev-P1-1",))
SWITCH, TARGET = "dev-P1-1/powSe", "dev-P1-1/tarTe"


@pytest.fixture
def bench() -> Bench:
    found = Bench(HOUSE)
    found.write()
    _confirm(found, SWITCH, True)
    _confirm(found, TARGET, 21.0)
    found.written.clear()
    return found


def _confirm(bench: Bench, module: str, value: Any) -> None:
    """Let the appliance say what it has done."""
    bench.tell("device/dev-P1-1", {"con": json.dumps({"module": module.rpartition("/")[2], "value": value}), "cnf": "application/json:0", "ri": "a"})


def _event(bench: Bench, start: float = 0, end: float = 30, issuer: str = "Cdno", consent: str = "required", **params: Any) -> str:
    more = {name: params.pop(name) for name in ("message", "consumerDeadline", "confirmBy") if name in params}
    given = {"eventId": "E1", "start": bench.at(start), "end": bench.at(end), "action": "off", "target": "dev-P1-1", **params}
    return bench.order("dr", "demandResponse", {name: value for name, value in given.items() if value is not None}, issuer, consent, **more)


def _shown(bench: Bench, **more: Any) -> tuple[str, str]:
    order = _event(bench, **more)
    item = bench.item()["msgId"]
    bench.screen(item)
    return order, item


def _told(bench: Bench, order: str, kind: str = "requestInvalid") -> str:
    """Give the text of a rejection, and see that all who buy, sell or carry energy learn of it."""
    record = bench.last("dr")
    assert (record["cmdId"], record["state"], record["error"]["code"]) == (order, "rejected", kind)
    event = bench.at_place("events/error")[-1]
    for name in ("dno", "eff", "bill"):
        assert [alert["evtId"] for alert in bench.alerts(name)] == [event["evtId"]]
    assert not bench.at_place("ihd-P1/inbox")
    return str(record["error"]["text"])


# --- what is valid --------------------------------------------------------------------------------------------------------------------------------------------


def test_an_accepted_event_switches_the_appliance_for_its_span_and_back(bench: Bench) -> None:
    order, item = _shown(bench, start=5, end=30)
    shown = bench.item()
    assert (shown["kind"], shown["answers"], shown["device"], shown["action"]) == ("demandResponse", ["accept", "decline", "override"], "dev-P1-1", "off")
    assert (shown["start"], shown["end"]) == (bench.at(5), bench.at(30))
    assert "dev-P1-1" in shown["text"]
    bench.act(item, "view")
    bench.act(item, "accept")
    bench.act(item, "save")
    assert bench.states("dr", order) == ["validated", "displayed", "accepted"]
    assert not bench.at_place(SWITCH)
    bench.later(6)
    assert bench.at_place(SWITCH) == [{"state": False}]
    _confirm(bench, SWITCH, False)
    bench.later(20)
    assert bench.states("dr", order)[-1] == "accepted"
    bench.later(10)
    assert bench.at_place(SWITCH) == [{"state": False}, {"state": True}]
    assert bench.states("dr", order) == ["validated", "displayed", "accepted", "executed"]
    assert bench.last("dr")["result"] == {"eventId": "E1", "answer": "accept", "device": "dev-P1-1"}
    assert not bench.errors()


def test_a_setpoint_is_a_temperature(bench: Bench) -> None:
    order, item = _shown(bench, action="setpoint", level=18, unit="Cel")
    assert bench.item()["value"] == 18
    bench.act(item, "accept")
    bench.later(0)
    _confirm(bench, TARGET, 18)
    bench.later(40)
    assert bench.at_place(TARGET) == [{"tarTe": 18}, {"tarTe": 21.0}]
    assert bench.states("dr", order)[-1] == "executed"


def test_what_the_consumer_has_set_meanwhile_stays(bench: Bench) -> None:
    _, item = _shown(bench)
    bench.act(item, "accept")
    bench.later(0)
    _confirm(bench, SWITCH, False)
    _confirm(bench, SWITCH, True)
    bench.later(40)
    assert bench.at_place(SWITCH) == [{"state": False}]


def test_an_event_without_a_target_is_the_consumers_own(bench: Bench) -> None:
    order, item = _shown(bench, target=None, action="reduce", level=2, unit="kW", contractual=True)
    bench.act(item, "accept")
    bench.later(40)
    assert bench.states("dr", order) == ["validated", "displayed", "accepted", "executed"]
    assert not bench.at_place(SWITCH)


@pytest.mark.parametrize(("accept", "during"), [(False, False), (True, False), (True, True)])
def test_the_consumer_may_override_before_and_while_it_runs(bench: Bench, accept: bool, during: bool) -> None:
    order, item = _shown(bench, start=0 if during else 20)
    if accept:
        bench.act(item, "accept")
    if during:
        bench.later(0)
        _confirm(bench, SWITCH, False)
        bench.later(5)
    bench.act(item, "override")
    bench.later(60)
    assert bench.states("dr", order) == ["validated", "displayed", *(["accepted"] if accept else []), "overridden"]
    assert bench.at_place(SWITCH) == ([{"state": False}, {"state": True}] if during else [])
    assert not bench.errors()


def test_declining_is_a_choice_and_no_error(bench: Bench) -> None:
    order, item = _shown(bench)
    bench.act(item, "decline")
    bench.later(60)
    assert bench.states("dr", order) == ["validated", "displayed", "declined"]
    assert not bench.errors()
    assert not bench.at_place(SWITCH)


def test_silence_lets_an_event_lapse(bench: Bench) -> None:
    order, item = _shown(bench, consumerDeadline=5)
    bench.later(10)
    assert bench.states("dr", order) == ["validated", "displayed", "expired"]
    assert bench.errors() == ["notRead"]
    assert bench.item() | {"msgId": item, "withdraw": True} == bench.item()
    assert [len(bench.alerts(name)) for name in ("dno", "eff", "bill")] == [1, 1, 1]
    assert not bench.at_place(SWITCH)


def test_silence_is_consent_where_the_event_says_so(bench: Bench) -> None:
    order, item = _shown(bench, consumerDeadline=5, onSilence="apply")
    bench.later(6)
    assert bench.states("dr", order) == ["validated", "displayed", "accepted"]
    assert bench.at_place(SWITCH) == [{"state": False}]
    _confirm(bench, SWITCH, False)
    bench.later(40)
    assert bench.last("dr")["result"]["answer"] == "silence"
    assert not bench.errors()
    del item


def test_silence_may_still_be_overridden(bench: Bench) -> None:
    order, item = _shown(bench, consumerDeadline=5, onSilence="apply", start=20)
    bench.later(6)
    bench.act(item, "override")
    assert bench.states("dr", order) == ["validated", "displayed", "accepted", "overridden"]


def test_without_a_text_the_display_says_in_words_what_will_happen(bench: Bench) -> None:
    _shown(bench, start=40, end=100)
    assert (bench.item()["title"], bench.item()["text"]) == ("Load control", "Load control: off of dev-P1-1 from 2025-10-09 08:54 to 2025-10-09 08:55 UTC")
    _shown(bench, start=40, end=100, action="priceNotice", target=None, level=0.42, unit="EUR/kWh")
    assert (bench.item()["title"], bench.item()["text"]) == ("New price", "New price: 0.42 EUR/kWh from 2025-10-09 08:54 to 2025-10-09 08:55 UTC")
    _shown(bench, action="priceNotice", target=None, message={"text": "Peak"})
    assert (bench.item()["title"], bench.item()["text"]) == ("New price", "Peak")
    _shown(bench, action="priceNotice", target=None, message={"title": "Today", "text": "Peak"})
    assert bench.item()["title"] == "Today"


@pytest.mark.parametrize("consent", ["required", "informed"])
def test_a_price_notice_ends_when_it_was_viewed(bench: Bench, consent: str) -> None:
    order, item = _shown(bench, action="priceNotice", target=None, level=0.42, unit="EUR/kWh", consent=consent, onSilence="apply")
    assert bench.item()["answers"] == []
    bench.act(item, "view")
    assert bench.states("dr", order) == ["validated", "displayed", "executed"]
    assert bench.last("dr")["result"].keys() == {"eventId", "viewedAt", "disposition", "appliedAt"}


def test_a_price_notice_that_nobody_reads_expires_whatever_silence_means(bench: Bench) -> None:
    order, _ = _shown(bench, action="priceNotice", target=None, onSilence="apply", consumerDeadline=5)
    bench.later(6)
    assert bench.states("dr", order) == ["validated", "displayed", "expired"]


# --- what goes wrong ------------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "named"),
    [
        ({"action": "explode"}, "params.action"),
        ({"end": -5, "start": -10}, "params.end"),
        ({"end": 10, "start": 20}, "params.end"),
        ({"end": 10, "start": 10}, "params.end"),
        ({"target": "dev-P2-1"}, "dev-P2-1"),
        ({"action": "setpoint"}, "params.level"),
        ({"action": "setpoint", "target": None}, "params.level"),
        ({"action": "setpoint", "level": 400}, "params.level"),
        ({"action": "reduce", "level": -1}, "params.level"),
        ({"action": "reduce", "level": 101, "unit": "%"}, "params.level"),
        ({"action": "priceNotice"}, "params"),
        ({"consent": "informed"}, "consent"),
        ({"consent": "none"}, "consent"),
        ({"onSilence": "perhaps"}, "params.onSilence"),
        ({"eventId": None}, "eventId"),
    ],
)
def test_an_event_that_is_wrong_is_rejected_and_all_concerned_learn(bench: Bench, params: dict[str, Any], named: str) -> None:
    assert named in _told(bench, _event(bench, **params))


def test_an_appliance_that_does_not_confirm_lets_the_event_fail_and_is_given_back(bench: Bench) -> None:
    order, item = _shown(bench)
    bench.act(item, "accept")
    bench.later(6)
    assert bench.states("dr", order) == ["validated", "displayed", "accepted", "failed"]
    assert bench.errors() == ["applyFailed"]
    assert bench.at_place(SWITCH) == [{"state": False}, {"state": True}]


def test_the_fault_no_ack_keeps_a_confirmation_from_counting(bench: Bench) -> None:
    bench.faults.set("noAck", count=1)
    order, item = _shown(bench)
    bench.act(item, "accept")
    bench.later(0)
    _confirm(bench, SWITCH, False)
    bench.later(6)
    assert bench.states("dr", order)[-1] == "failed"


@pytest.mark.parametrize("silent", [False, True])
def test_the_fault_apply_lets_an_event_fail(bench: Bench, silent: bool) -> None:
    bench.faults.set("apply", count=1)
    order, item = _shown(bench, onSilence="apply", consumerDeadline=5)
    if not silent:
        bench.act(item, "accept")
    bench.later(6)
    assert bench.states("dr", order)[-1] == "failed"
    assert not bench.at_place(SWITCH)


def test_an_event_that_is_over_when_the_consumer_accepts_has_failed(bench: Bench) -> None:
    order, item = _shown(bench, end=5)
    bench.later(6)
    bench.act(item, "accept")
    bench.later(0)
    assert bench.states("dr", order) == ["validated", "displayed", "accepted", "failed"]
    assert "over" in bench.last("dr")["error"]["text"]


def test_an_answer_that_cannot_be_told_is_an_error_that_all_learn_of_and_the_effect_comes(bench: Bench) -> None:
    bench.faults.set("confirm", count=1)
    order, item = _shown(bench)
    bench.act(item, "accept")
    bench.later(0)
    assert bench.states("dr", order) == ["validated", "displayed"]
    assert bench.errors() == ["confirmationNotSent"]
    assert [len(bench.alerts(name)) for name in ("dno", "eff", "bill")] == [1, 1, 1]
    assert bench.at_place(SWITCH) == [{"state": False}]


@pytest.mark.parametrize("seconds", [2, 60])
def test_an_event_goes_on_after_the_meter_was_off(bench: Bench, seconds: float) -> None:
    order, item = _shown(bench)
    bench.act(item, "accept")
    bench.later(0)
    _confirm(bench, SWITCH, False)
    bench.now += seconds
    bench.power_on()
    bench.later(0)
    bench.write()
    assert bench.at_place(SWITCH) == [{"state": False}] + [{"state": True}] * (seconds > 30)
    bench.later(60)
    assert bench.at_place(SWITCH) == [{"state": False}, {"state": True}]
    assert bench.states("dr", order) == ["validated", "displayed", "accepted", "executed"]


def test_a_repeated_event_is_not_executed_twice(bench: Bench) -> None:
    envelope = bench.envelope("demandResponse", {"eventId": "E", "start": bench.at(0), "end": bench.at(9), "action": "off"}, "Cdno", "required")
    bench.send("dr", envelope, "Cdno")
    bench.send("dr", envelope, "Cdno")
    assert bench.states("dr", envelope["cmdId"]) == ["validated"]
    assert len(bench.at_place("ihd-P1/inbox")) == 1
    bench.send("dr", {**envelope, "issuer": "Ceff"}, "Cdno")
    assert bench.last("dr")["error"]["code"] == "requestDuplicate"


def test_an_issuer_that_is_not_the_creator_is_unauthorised(bench: Bench) -> None:
    bench.send("dr", bench.envelope("demandResponse", {"eventId": "E", "start": bench.at(0), "end": bench.at(9), "action": "off"}, "Cdno", "required"), "Ceff")
    assert bench.last("dr")["error"]["code"] == "requestUnauthorised"


# --- efficiency measures --------------------------------------------------------------------------------------------------------------------------------------

STEP = {"target": "dev-P1-1", "action": "setpoint", "value": 19}


def _measure(bench: Bench, consent: str = "required", **params: Any) -> str:
    message = {"message": params.pop("message")} if "message" in params else {}
    return bench.order("efficiency", "measure", {"measureId": "S1", "mode": "propose", "text": "Heat less at night", **params}, "Ceff", consent, **message)


@pytest.mark.parametrize("mode", ["propose", "instigate"])
def test_a_measure_is_approved_before_it_is_put_into_action(bench: Bench, mode: str) -> None:
    order = _measure(bench, mode=mode, action=STEP)
    shown = bench.item()
    assert (shown["kind"], shown["text"], shown["answers"]) == ("efficiency", "Heat less at night", ["accept", "decline"])
    assert (shown["device"], shown["action"], shown["value"]) == ("dev-P1-1", "setpoint", 19)
    bench.screen(shown["msgId"])
    bench.later(5)
    assert not bench.at_place(TARGET)
    bench.act(shown["msgId"], "accept")
    assert bench.states("efficiency", order) == ["validated", "displayed", "accepted"]
    _confirm(bench, TARGET, 19.0)
    assert bench.states("efficiency", order) == ["validated", "displayed", "accepted", "executed"]
    assert bench.last("efficiency")["result"] == {"measureId": "S1", "device": "dev-P1-1"}


def test_a_measure_without_an_action_is_the_consumers_own_and_shows_its_message(bench: Bench) -> None:
    order = _measure(bench, message={"title": "Tip", "text": "Close the window"})
    assert (bench.item()["title"], bench.item()["text"]) == ("Tip", "Close the window")
    bench.screen(bench.item()["msgId"])
    bench.act(bench.item()["msgId"], "accept")
    assert bench.states("efficiency", order) == ["validated", "displayed", "accepted", "executed"]


def test_a_measure_that_is_declined_does_nothing(bench: Bench) -> None:
    order = _measure(bench, action=STEP)
    bench.screen(bench.item()["msgId"])
    bench.act(bench.item()["msgId"], "decline")
    assert bench.states("efficiency", order) == ["validated", "displayed", "declined"]
    assert not bench.at_place(TARGET)
    assert not bench.errors()


@pytest.mark.parametrize(
    ("params", "named"),
    [
        ({"mode": "force"}, "params.mode"),
        ({"text": ""}, "params.text"),
        ({"action": {**STEP, "target": "dev-P7-1"}}, "dev-P7-1"),
        ({"action": {**STEP, "action": "dance"}}, "dance"),
        ({"action": {**STEP, "value": "warm"}}, "params.action.value"),
        ({"action": {**STEP, "value": 200}}, "params.action.value"),
        ({"action": {**STEP, "action": "switch", "value": 1}}, "params.action.value"),
        ({"action": {"target": "dev-P1-1", "action": "setpoint"}}, "params.action.value"),
        ({"consent": "none"}, "consent"),
        ({"consent": "informed"}, "consent"),
    ],
)
def test_a_measure_that_is_wrong_is_rejected_with_its_name(bench: Bench, params: dict[str, Any], named: str) -> None:
    order = _measure(bench, **params)
    record = bench.last("efficiency")
    assert (record["cmdId"], record["state"], record["error"]["code"]) == (order, "rejected", "requestInvalid")
    assert named in record["error"]["text"]
    assert len(bench.alerts("eff")) == 1
    assert not bench.at_place("ihd-P1/inbox")


def test_a_measure_whose_appliance_does_not_confirm_has_failed(bench: Bench) -> None:
    order = _measure(bench, action=STEP)
    bench.screen(bench.item()["msgId"])
    bench.act(bench.item()["msgId"], "accept")
    bench.later(6)
    assert bench.states("efficiency", order)[-1] == "failed"
    assert bench.errors() == ["applyFailed"]


def test_a_measure_nobody_reads_expires(bench: Bench) -> None:
    order = _measure(bench, action=STEP)
    bench.screen(bench.item()["msgId"])
    bench.later(11)
    assert bench.states("efficiency", order) == ["validated", "displayed", "expired"]
    assert bench.errors() == ["notRead"]
