"""The life cycle of commands (data-model.md, sections 5, 6 and 12) on a meter without sockets."""

import json
from typing import Any

import pytest

from apps.metering.memory import Memory
from apps.metering.meter import conditions
from apps.metering.tree import Identity
from apps.metering.vocabulary import AFTER, END, State
from tests.metering.bench import Bench

PAID = ("payment", "credit", "supply")
"""Classes whose failures asset and bill learn, whoever has issued the command."""

TEXT = {"title": "Hello", "text": "Do you agree?", "lang": "en"}


def _show(bench: Bench, consent: str = "required", **more: Any) -> tuple[str, str]:
    """Have a message shown and give cmdId and msgId."""
    order = bench.order("message", "show", {}, "Cbill", consent, message=TEXT, **more)
    return order, bench.item()["msgId"]


# --- what is valid --------------------------------------------------------------------------------------------------------------------------------------------


def test_what_needs_nobody_is_validated_and_executed_and_the_effect_stands_before_the_status(bench: Bench) -> None:
    order = bench.order("supply", "disable", {"reason": "unpaid"})
    assert bench.states("supply", order) == ["validated", "executed"]
    places = [place for place, _ in bench.written]
    assert places.index("supply/state") < len(places) - 1 - places[::-1].index("cmd/supply/out")
    state = bench.at_place("supply/state")[-1]
    assert (state["state"], state["cause"], state["cmdId"]) == ("disabled", "unpaid", order)
    assert bench.last("supply")["result"] == {"state": "disabled"}
    assert bench.last("supply")["by"] == "Cmtr-M1"
    assert bench.at_place("nod-M1/supplySwitch")[-1]["cus"] is False


def test_a_repeat_is_not_executed_twice_and_another_body_is_a_duplicate(bench: Bench) -> None:
    envelope = bench.envelope("applySettings", {"settings": {"label": "Kitchen"}})
    bench.send("config", envelope)
    bench.send("config", dict(reversed(envelope.items())))
    assert bench.states("config", envelope["cmdId"]) == ["validated", "executed"]
    assert bench.last("config")["result"] == {"version": 2}
    bench.send("config", {**envelope, "params": {"settings": {"label": "Hall"}}})
    assert bench.last("config")["error"]["code"] == "requestDuplicate"
    bench.send("config", {**envelope, "params": {"settings": {"label": "Hall"}}})
    assert bench.states("config", envelope["cmdId"]) == ["validated", "executed", "rejected"]
    assert bench.errors() == ["requestDuplicate"]
    assert len(bench.at_place("config/settings")) == 1


def test_an_identifier_is_unique_for_its_issuer_alone_and_over_all_classes(bench: Bench) -> None:
    bench.send("supply", bench.envelope("disable", {}, cmdId="same"))
    bench.send("supply", bench.envelope("enable", {}, "Cbill", cmdId="same"), creator="Cbill")
    assert bench.states("supply", "same") == ["validated", "executed"] * 2
    bench.send("config", bench.envelope("setTimers", {"ackWithin": 3}, cmdId="same"))
    assert bench.last("config")["error"]["code"] == "requestDuplicate"


@pytest.mark.parametrize(
    ("kind", "change", "code", "named"),
    [
        ("supply", {"type": "explode"}, "requestInvalid", "explode"),
        ("supply", {"consent": "perhaps"}, "requestInvalid", "consent"),
        ("supply", {"consent": "required"}, "requestInvalid", "consent"),
        ("supply", {"validUntil": "tomorrow"}, "requestInvalid", "validUntil"),
        ("supply", {"validUntil": "20269999T000000"}, "requestInvalid", "validUntil"),
        ("supply", {"validUntil": "20200101T000000"}, "requestStale", "validUntil"),
        ("supply", {"notBefore": "20990101T000000"}, "requestInvalid", "notBefore"),
        ("supply", {"issuer": "Cbill"}, "requestUnauthorised", "Cbill"),
        ("supply", {"params": []}, "requestInvalid", "params"),
        ("supply", {"params": {"colour": "red"}}, "requestInvalid", "colour"),
        ("supply", {"type": "limit", "params": {"value": -1, "unit": "kW"}}, "requestInvalid", "params.value"),
        ("supply", {"type": "limit", "params": {"value": 1, "unit": "miles"}}, "requestInvalid", "miles"),
        ("config", {"type": "applySettings", "params": {"settings": {}}}, "requestInvalid", "params.settings"),
        ("config", {"type": "applySettings", "params": {"settings": {"version": 7}}}, "requestInvalid", "version"),
        ("read", {"type": "readNow", "params": {"what": "everything"}}, "requestInvalid", "params.what"),
        ("read", {"type": "readNow", "params": {"what": "profile", "from": "20260102T000000", "to": "20260101T000000"}}, "requestInvalid", "params.from"),
        ("message", {"type": "show", "params": {}, "consent": "required"}, "requestInvalid", "message"),
        ("message", {"type": "show", "params": {}, "consent": "required", "message": {"text": "x" * 20_001}}, "requestInvalid", "message.text"),
        ("payment", {"type": "setMode", "params": {"mode": "prepayment", "emergencyLimit": "1.00001"}}, "requestInvalid", "emergencyLimit"),
        ("credit", {"type": "addCredit", "params": {"amount": "0", "currency": "EUR", "token": "t"}}, "requestInvalid", "amount"),
        ("credit", {"type": "addCredit", "params": {"amount": "1", "currency": "USD", "token": "t"}}, "requestInvalid", "currency"),
    ],
)
def test_what_is_wrong_is_rejected_with_its_name_recorded_and_alerted(bench: Bench, kind: str, change: dict[str, Any], code: str, named: str) -> None:
    envelope = {**bench.envelope("enable", {}), **change}
    bench.send(kind, envelope)
    record = bench.last(kind)
    assert (record["cmdId"], record["state"], record["error"]["code"]) == (envelope["cmdId"], "rejected", code)
    assert named in record["error"]["text"]
    event = bench.at_place("events/error")[-1]
    assert event["type"] == ("settingsRejected" if change.get("type") == "applySettings" else code)
    assert event["cmdId"] == envelope["cmdId"]
    assert [alert["evtId"] for alert in bench.alerts("asset")] == [event["evtId"]]
    noted = {"events/security", "nod-M1/eventLog"} if code == "requestUnauthorised" else set()
    others = {f"{name}/alerts" for name in (("bill",) if kind in PAID else ("bill", "eff", "esp") if kind == "message" else ())}
    assert {place for place, _ in bench.written} == {f"cmd/{kind}/out", "events/error", "asset/alerts", *noted, *others}


@pytest.mark.parametrize("content", ["no JSON", "[1, 2]", '"text"', "{}", '{"cmdId": 7}', "[" * 5000])
def test_malformed_content_is_rejected_under_the_name_of_its_instance(bench: Bench, content: str) -> None:
    bench.send("read", content, creator="Cdno")
    record = bench.last("read")
    assert record["state"] == "rejected"
    assert record["error"]["code"] == "requestInvalid"
    assert record["cmdId"].startswith("cin")
    assert bench.errors() == ["requestInvalid"]
    assert len(bench.alerts("dno")) == 1


def test_a_name_of_the_second_life_cycle_is_not_taken_for_one_of_a_command(bench: Bench) -> None:
    """Section 5: no record follows an end state of the same cmdId, and ``c1#info`` is that of a notice."""
    order = bench.order("payment", "setMode", {"mode": "prepayment"}, "Cbill", "informed", message=TEXT)
    item = bench.item()["msgId"]
    bench.screen(item)
    bench.act(item, "view")
    bench.act(item, "accept")
    assert bench.states("payment", f"{order}#info") == ["displayed", "executed"]
    bench.send("payment", {**bench.envelope("setMode", {"mode": "credit"}, "Cbill"), "cmdId": f"{order}#info"}, "Cbill")
    assert bench.states("payment", f"{order}#info") == ["displayed", "executed"]
    assert bench.last("payment")["cmdId"].startswith("cin")
    assert (bench.last("payment")["state"], bench.last("payment")["error"]["code"]) == ("rejected", "requestInvalid")


def test_a_foreign_creator_is_refused_even_when_the_cse_let_it_pass(bench: Bench) -> None:
    bench.send("supply", bench.envelope("disable", {}), creator="Cstranger")
    assert bench.last("supply")["error"]["code"] == "requestUnauthorised"
    assert "Casset" in bench.last("supply")["error"]["text"]
    assert not bench.at_place("supply/state")


@pytest.mark.parametrize(("identity", "name"), [(Identity("M2", "gas"), "limit"), (Identity("M3", "water", switch=False), "disable")])
def test_what_is_not_fitted_is_not_supported(identity: Identity, name: str) -> None:
    bench = Bench(identity)
    bench.order("supply", name, {"value": 2, "unit": "m3/h"})
    assert bench.last("supply")["error"]["code"] == "requestUnsupported"


def test_water_has_no_export_to_be_read() -> None:
    bench = Bench(Identity("M3", "water", switch=False))
    bench.order("read", "readNow", {"what": ["registers", "export"]})
    assert bench.last("read")["error"]["code"] == "requestUnsupported"


def test_not_before_is_waited_for(bench: Bench) -> None:
    order = bench.order("supply", "disable", {}, notBefore=bench.at(30))
    assert bench.states("supply", order) == ["validated"]
    bench.later(29)
    assert bench.states("supply", order) == ["validated"]
    bench.later(2)
    assert bench.states("supply", order) == ["validated", "executed"]


# --- the consumer ---------------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("action", "after"), [("accept", ["accepted", "executed"]), ("decline", ["declined"])])
def test_what_needs_approval_is_displayed_and_answered(bench: Bench, action: str, after: list[str]) -> None:
    order, item = _show(bench)
    assert bench.item() | {"text": TEXT["text"], "answers": ["accept", "decline"], "kind": "message", "cmdId": order} == bench.item()
    assert bench.states("message", order) == ["validated"]
    bench.screen(item)
    assert bench.states("message", order) == ["validated", "displayed"]
    bench.act(item, "view")
    bench.act(item, action)
    bench.act(item, "decline")
    assert bench.states("message", order) == ["validated", "displayed", *after]
    assert not bench.errors()


def test_an_informed_message_ends_when_it_was_viewed_and_says_when(bench: Bench) -> None:
    order, item = _show(bench, "informed")
    assert bench.item()["answers"] == []
    bench.screen(item)
    bench.act(item, "view")
    assert bench.states("message", order) == ["validated", "displayed", "executed"]
    assert bench.last("message")["result"]["viewedAt"] == bench.at(0)


def test_silence_expires_and_withdraws_the_item(bench: Bench) -> None:
    order, item = _show(bench, consumerDeadline=5, notify=["Cesp"])
    bench.screen(item)
    bench.later(4.9)
    assert bench.states("message", order)[-1] == "displayed"
    bench.later(0.2)
    assert bench.states("message", order) == ["validated", "displayed", "expired"]
    assert bench.errors(order) == ["notRead"]
    assert bench.item()["withdraw"] is True
    assert len(bench.alerts("bill")) == len(bench.alerts("esp")) == 1


def test_reading_without_answering_is_not_acting(bench: Bench) -> None:
    order, item = _show(bench, consumerDeadline=5)
    bench.screen(item)
    bench.act(item, "view")
    bench.later(6)
    assert bench.errors(order) == ["notActed"]


def test_whoever_may_send_messages_learns_of_one_that_fails(bench: Bench) -> None:
    """Use case 14: biller, efficiency entity and services provider must learn, as they all read the status."""
    for issuer in ("Cbill", "Ceff", "Cesp"):
        order = bench.order("message", "show", {}, issuer, "required")
        event = next(one["evtId"] for one in bench.at_place("events/error") if one["cmdId"] == order)
        for name in ("bill", "eff", "esp"):
            assert [alert["evtId"] for alert in bench.alerts(name) if alert["cmdId"] == order] == [event]
    assert not bench.alerts("asset")


@pytest.mark.parametrize("action", ["delete", "clear"])
def test_what_may_not_be_removed_is_not_answered_by_removing_it(bench: Bench, action: str) -> None:
    order = bench.order("message", "show", {"removable": False}, "Cbill", "informed", message=TEXT)
    item = bench.item()["msgId"]
    bench.screen(item)
    bench.act(item, action)
    assert bench.states("message", order) == ["validated", "displayed"]
    bench.act(item, "view")
    assert bench.states("message", order) == ["validated", "displayed", "executed"]


def test_valid_until_ends_the_consumers_time_too(bench: Bench) -> None:
    order, item = _show(bench, consumerDeadline=100, validUntil=bench.at(3))
    bench.screen(item)
    bench.later(4)
    assert bench.states("message", order)[-1] == "expired"


def test_a_display_that_shows_nothing_is_a_failure(bench: Bench) -> None:
    order, item = _show(bench)
    bench.later(2.1)
    assert bench.states("message", order) == ["validated", "failed"]
    assert bench.last("message")["error"]["code"] == "displayFailed"
    bench.screen(item)
    bench.act(item, "accept")
    assert bench.states("message", order) == ["validated", "failed"]


def test_payment_comes_first_and_its_notice_has_a_life_of_its_own(bench: Bench) -> None:
    order = bench.order("payment", "setMode", {"mode": "prepayment"}, "Cbill", "required", message=TEXT)
    assert bench.states("payment", order) == ["validated", "executed"]
    item = bench.item()["msgId"]
    bench.screen(item)
    bench.act(item, "view")
    assert bench.states("payment", f"{order}#info") == ["displayed"]
    credit = bench.order("credit", "addCredit", {"amount": "12.3400", "currency": "EUR", "token": "t1"}, "Cconsumer-P1")
    assert bench.states("credit", credit) == ["validated", "executed"]
    assert bench.states("payment", f"{order}#info") == ["displayed", "executed"]
    assert bench.last("payment")["result"].keys() == {"appliedAt", "viewedAt", "disposition"}
    assert bench.at_place("payment/state")[-1]["credit"] == "12.34"


def test_without_consent_nothing_is_shown(bench: Bench) -> None:
    order = bench.order("payment", "setMode", {"mode": "prepayment"}, "Cbill")
    assert bench.states("payment", order) == ["validated", "executed"]
    assert not bench.at_place("ihd-P1/inbox")
    assert not bench.states("payment", f"{order}#info")


def test_a_token_is_good_once_and_emergency_credit_has_a_limit(bench: Bench) -> None:
    params = {"amount": 5, "currency": "EUR", "token": "once"}
    bench.order("credit", "addCredit", params, "Cbill")
    bench.order("credit", "addCredit", params, "Cbill")
    assert bench.last("credit")["error"]["code"] == "requestInvalid"
    bench.order("credit", "releaseEmergencyCredit", {"amount": "5.0001", "currency": "EUR"}, "Cbill")
    assert bench.last("credit")["state"] == "rejected"
    bench.order("credit", "releaseEmergencyCredit", {"amount": "3", "currency": "EUR"}, "Cbill")
    assert bench.at_place("payment/state")[-1]["emergency"] == {"limit": "5", "released": "3", "used": "0"}
    assert [entry["kind"] for entry in bench.at_place("payment/ledger")] == ["topUp", "emergencyRelease"]


def test_a_payment_status_comes_every_period_until_zero_ends_it(bench: Bench) -> None:
    bench.order("payment", "status", {"period": 10}, "Cbill")
    before = len(bench.at_place("payment/state"))
    bench.later(35)
    assert len(bench.at_place("payment/state")) == before + 3
    bench.order("payment", "status", {"period": 0}, "Cbill")
    bench.later(30)
    assert len(bench.at_place("payment/state")) == before + 4


# --- outages and history --------------------------------------------------------------------------------------------------------------------------------------


def _plan(bench: Bench, **change: Any) -> str:
    params = {"outageId": "O1", "start": bench.at(3600), "end": bench.at(7200), "area": "north", "reason": "new cable", **change}
    return bench.order("outage", "plannedOutage", params, "Cdno", "required")


def test_a_planned_outage_is_accepted_and_stands_in_the_plan(bench: Bench) -> None:
    order = _plan(bench)
    assert bench.item() | {"kind": "plannedOutage", "area": "north", "reason": "new cable", "start": bench.at(3600)} == bench.item()
    bench.screen(bench.item()["msgId"])
    bench.act(bench.item()["msgId"], "accept")
    assert bench.states("outage", order) == ["validated", "displayed", "accepted", "executed"]
    assert bench.at_place("outage/planned")[-1]["cmdId"] == order


@pytest.mark.parametrize("answer", ["decline", ""])
def test_one_that_is_not_accepted_is_an_error_and_shown(bench: Bench, answer: str) -> None:
    order = _plan(bench)
    item = bench.item()["msgId"]
    bench.screen(item)
    if answer:
        bench.act(item, answer)
    bench.later(11)
    assert bench.states("outage", order)[-1] == ("declined" if answer else "expired")
    assert bench.errors(order) == ["notAccepted"]
    assert bench.alerts("dno")
    assert [found["type"] for found in bench.at_place("ihd-P1/inbox") if found["kind"] == "notice"] == ["notAccepted"]
    assert not bench.at_place("outage/planned")


@pytest.mark.parametrize("change", [{"end": "20200101T000000"}, {"start": "20990101T000000"}, {"area": ""}])
def test_one_that_makes_no_sense_is_rejected_with_a_banner(bench: Bench, change: dict[str, Any]) -> None:
    order = _plan(bench, **change)
    assert bench.states("outage", order) == ["rejected"]
    assert [found["kind"] for found in bench.at_place("ihd-P1/inbox")] == ["notice"]


def test_outages_are_named_in_the_order_of_time(bench: Bench) -> None:
    for _ in range(2):
        conditions.supply(bench.meter.body, False)
        bench.later(60)
        conditions.supply(bench.meter.body, True)
        bench.later(60)
    bench.order("outage", "getOutages", {}, "Cdno")
    assert bench.last("outage")["result"] == {"outageId": ["M1-O1", "M1-O2"]}
    assert [found["outageId"] for found in bench.at_place("outage/log")] == ["M1-O1", "M1-O2"]
    bench.order("outage", "getOutages", {"from": bench.at(-100)}, "Cdno")
    assert bench.last("outage")["result"] == {"outageId": ["M1-O2"]}


def test_an_answer_that_cannot_be_sent_is_failed_in_its_place(bench: Bench) -> None:
    bench.faults.set("send", count=1, after="validated")
    order = bench.order("outage", "getOutages", {}, "Cdno")
    assert bench.states("outage", order) == ["validated", "failed"]
    assert bench.last("outage")["error"]["code"] == "sendFailed"
    assert bench.errors(order) == ["sendFailed"]


def test_history_is_given_by_kind(bench: Bench) -> None:
    conditions.sense(bench.meter.body, {"tamper": True})
    bench.order("log", "getEvents", {"kinds": ["security"]})
    (tamper,) = bench.at_place("events/security")
    assert bench.last("log")["result"] == {"evtId": [tamper["evtId"]]}
    bench.faults.set("retrieve", count=1)
    bench.order("log", "getEvents", {"kinds": ["state"]})
    assert bench.last("log")["error"]["code"] == "retrievalFailed"


# --- faults ---------------------------------------------------------------------------------------------------------------------------------------------------


def test_a_change_that_does_not_take_fails_and_changes_nothing(bench: Bench) -> None:
    bench.faults.set("apply", count=1)
    order = bench.order("supply", "disable", {})
    assert bench.states("supply", order) == ["validated", "failed"]
    assert bench.errors(order) == ["applyFailed"]
    assert not bench.at_place("supply/state")
    assert bench.meter.body.plant.state == "enabled"


def test_confirm_keeps_back_all_results_of_one_command_and_says_so(bench: Bench) -> None:
    bench.faults.set("confirm", count=1)
    order, item = _show(bench)
    bench.screen(item)
    bench.act(item, "accept")
    assert bench.states("message", order) == ["validated", "displayed"]
    assert bench.errors(order) == ["confirmationNotSent"]
    following = bench.order("supply", "disable", {})
    assert bench.states("supply", following) == ["validated", "executed"]


def test_a_reading_that_cannot_go_out_fails_its_command_and_goes_out_afterwards(bench: Bench) -> None:
    bench.faults.set("send", duration=10, after="validated")
    order = bench.order("read", "readNow", {"what": "registers"}, "Cdno")
    taken = bench.at(0)
    assert bench.states("read", order) == ["validated"]
    bench.later(11)
    assert bench.states("read", order) == ["validated", "failed"]
    assert bench.last("read")["error"]["code"] == "readingNotSent"
    reading = next(found for found in bench.at_place("readings/registers") if found["reason"] == "request")
    assert reading["ts"] == taken == next(event["ts"] for event in bench.at_place("events/error") if event.get("cmdId") == order)


def test_stored_data_that_cannot_be_read_is_a_retrieval_failure(bench: Bench) -> None:
    bench.faults.set("retrieve", count=1)
    order = bench.order("read", "readNow", {"what": "profile"}, "Cdno")
    assert bench.last("read")["error"]["code"] == "retrievalFailed"
    assert bench.errors(order) == ["retrievalFailed"]


def test_a_silent_meter_does_nothing_and_what_passes_meanwhile_expires(bench: Bench) -> None:
    bench.faults.set("silence", duration=20)
    early = bench.order("supply", "disable", {}, validUntil=bench.at(10))
    late = bench.order("supply", "enable", {}, validUntil=bench.at(60))
    bench.later(19)
    assert not bench.written
    bench.later(2)
    assert bench.states("supply", early) == ["expired"]
    assert bench.states("supply", late) == ["validated", "executed"]


# --- memory ---------------------------------------------------------------------------------------------------------------------------------------------------


def test_a_meter_that_loses_power_goes_on_where_it_was(bench: Bench) -> None:
    order, item = _show(bench, consumerDeadline=30)
    bench.screen(item)
    bench.power_on()
    bench.act(item, "accept")
    assert bench.states("message", order) == ["validated", "displayed", "accepted", "executed"]
    envelope = bench.envelope("disable", {})
    bench.send("supply", envelope)
    bench.power_on()
    bench.send("supply", envelope)
    assert bench.states("supply", envelope["cmdId"]) == ["validated", "executed"]
    assert bench.meter.body.plant.state == "disabled"


def test_what_waited_to_be_written_is_written_after_a_restart_with_its_own_time(bench: Bench) -> None:
    bench.meter.outbox.linked = False
    order = bench.order("supply", "disable", {})
    then = bench.at(0)
    assert not bench.states("supply", order)
    bench.now += 100
    bench.power_on()
    bench.write()
    assert bench.states("supply", order) == ["validated", "executed"]
    assert {record["ts"] for record in bench.at_place("cmd/supply/out")} == {then}


def test_a_turn_that_breaks_is_forgotten_whole() -> None:
    memory = Memory(":memory:")
    kept = memory.of("m")

    def broken() -> None:
        with kept.turn():
            kept.put("a", "b", 1)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        broken()
    assert kept.get("a", "b") is None


@pytest.mark.parametrize("seed", range(20))
def test_no_record_follows_an_end_and_every_order_of_states_is_allowed(seed: int) -> None:
    """Whatever the consumer, the display and the clock do, states follow each other as section 5 says."""
    import random

    chance, bench = random.Random(seed), Bench()
    items: list[str] = []
    for _ in range(60):
        match chance.randrange(6):
            case 0:
                bench.order("message", "show", {}, "Cbill", chance.choice(["required", "informed"]), message=TEXT, consumerDeadline=5)
            case 1:
                bench.order("payment", "setMode", {"mode": chance.choice(["credit", "prepayment"])}, "Cbill", "required", message=TEXT)
            case 2:
                bench.screen(*items[-3:])
            case 3 if items:
                bench.act(chance.choice(items), chance.choice(["view", "accept", "decline", "override", "save", "delete"]))
            case 4:
                bench.later(chance.choice([0.5, 3, 12]))
            case _:
                bench.faults.set(chance.choice(["apply", "confirm", "send"]), count=1)
        items = [item["msgId"] for item in bench.at_place("ihd-P1/inbox") if not item.get("withdraw")]
    bench.faults.clear("send")
    bench.later(100)
    histories: dict[str, list[str]] = {}
    for place, record in bench.written:
        if place.endswith("/out"):
            histories.setdefault(record["cmdId"], []).append(record["state"])
    assert histories
    for identifier, history in histories.items():
        before = State.SENT
        for state in map(State, history):
            assert before not in END, (identifier, history)
            assert before in AFTER[state], (identifier, history)
            before = state


def test_contents_are_json_objects_with_a_time(bench: Bench) -> None:
    bench.later(11)
    for place, content in bench.written:
        if place.startswith(("readings/", "events/", "supply/", "payment/", "cmd/")):
            assert json.dumps(content)
            assert content["ts"][8] == "T"


@pytest.mark.parametrize(("meter", "part"), [(Identity("M1"), "switch"), (Identity("M2", "gas"), "valve")])
def test_a_switch_that_does_not_move_is_a_malfunction_an_alert_and_told_at_the_node(meter: Identity, part: str) -> None:
    bench = Bench(meter)
    bench.write()
    bench.faults.set("apply", count=1)
    order = bench.order("supply", "disable", {})
    assert bench.states("supply", order) == ["validated", "failed"]
    assert bench.last("supply")["error"]["code"] == "applyFailed"
    assert "the supply is enabled" in bench.last("supply")["error"]["text"]
    event = bench.at_place("events/malfunction")[-1]
    assert (event["type"], event["severity"], event["cmdId"]) == (part, "critical", order)
    for name in ("asset", "bill"):
        assert event["evtId"] in [alert["evtId"] for alert in bench.alerts(name)]
    node = bench.at_place(f"nod-{meter.name}/supplySwitch")[-1]
    assert node == {"cas": {"acn": "disable", "sus": 2}, "cus": True}
    assert bench.at_place("supply/state")[-1]["state"] == "enabled"
    assert bench.states("supply", bench.order("supply", "disable", {})) == ["validated", "executed"]
