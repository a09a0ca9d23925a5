"""Interaction with devices on a meter without sockets (use case 12): ranges, approval, acknowledgement, and the timetable."""

from typing import Any

import pytest

from apps.metering.tree import Identity
from tests.metering.bench import Bench

TEXT = {"title": "Cheap energy", "text": "May the boiler be switched on?", "lang": "en"}
DEVICE = "dev-P1-1"
POWER = f"{DEVICE}/powSe"


@pytest.fixture
def bench() -> Bench:
    """The meter of the held world that has an appliance, after its start."""
    found = Bench(Identity("M1", appliances=(DEVICE,)))
    found.write()
    found.written.clear()
    return found


def _interact(bench: Bench, issuer: str = "Cbill", consent: str = "required", *, params: dict[str, Any] | None = None, **more: Any) -> str:
    return bench.order("device", "interact", params or {"target": DEVICE, "action": "on"}, issuer, consent, **more)


def _accept(bench: Bench) -> None:
    item = bench.item()["msgId"]
    bench.screen(item)
    bench.act(item, "accept")


def _acknowledge(bench: Bench, module: str = "powSe", value: Any = True) -> None:
    bench.tell(f"device/{DEVICE}", {"con": {"ts": bench.at(0), "module": module, "value": value}, "ri": "x"})


def _schedule(bench: Bench, **more: Any) -> str:
    params = {"entryId": "night", "at": bench.at(30), "target": DEVICE, "action": "on", "notify": ["Cbill"], **more}
    return bench.order("config", "setSchedule", params)


# --- what is valid -------------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "named"),
    [
        ({"target": "dev-P1-9", "action": "on"}, "params.target"),
        ({"target": "dev-P2-1", "action": "on"}, "params.target"),
        ({"target": DEVICE, "action": "explode"}, "params.action"),
        ({"target": DEVICE, "action": "switch"}, "params.value"),
        ({"target": DEVICE, "action": "switch", "value": 1}, "params.value"),
        ({"target": DEVICE, "action": "setpoint", "value": "warm"}, "params.value"),
        ({"target": DEVICE, "action": "setpoint", "value": 101}, "params.value"),
        ({"target": DEVICE, "action": "setpoint", "value": True}, "params.value"),
        ({"target": DEVICE}, "action"),
        ({"target": DEVICE, "action": "on", "start": "20200101T000000"}, "params.start"),
        ({"target": DEVICE, "action": "on", "colour": "red"}, "colour"),
    ],
)
def test_what_is_wrong_is_rejected_and_both_organisations_learn(bench: Bench, params: dict[str, Any], named: str) -> None:
    order = _interact(bench, params=params, message=TEXT)
    record = bench.last("device")
    assert (record["cmdId"], record["state"], record["error"]["code"]) == (order, "rejected", "requestInvalid")
    assert named in record["error"]["text"]
    assert bench.errors(order) == ["requestInvalid"]
    assert len(bench.alerts("asset")) == len(bench.alerts("bill")) == 1
    assert {place for place, _ in bench.written} == {"cmd/device/out", "events/error", "asset/alerts", "bill/alerts"}


@pytest.mark.parametrize("consent", ["none", "informed"])
def test_an_interaction_needs_the_consumer(bench: Bench, consent: str) -> None:
    _interact(bench, consent=consent)
    assert "consent" in bench.last("device")["error"]["text"]


def test_stale_duplicate_and_foreign_are_rejected(bench: Bench) -> None:
    envelope = bench.envelope("interact", {"target": DEVICE, "action": "on"}, "Cbill", "required")
    bench.send("device", envelope, creator="Cdno")
    assert bench.last("device")["error"]["code"] == "requestUnauthorised"
    bench.send("device", {**envelope, "validUntil": bench.at(-1)}, creator="Cbill")
    assert bench.last("device")["error"]["code"] == "requestStale"
    bench.send("device", envelope, creator="Cbill")
    assert bench.last("device")["error"]["code"] == "requestDuplicate"
    assert not bench.at_place("ihd-P1/inbox")


# --- at once -------------------------------------------------------------------------------------------------------------------------------------------------


def test_what_was_approved_is_executed_when_the_device_has_acknowledged(bench: Bench) -> None:
    order = _interact(bench, message=TEXT)
    item = bench.item()
    assert (item["kind"], item["device"], item["action"], item["text"]) == ("deviceInteraction", DEVICE, "on", TEXT["text"])
    assert not bench.at_place(POWER)
    _accept(bench)
    assert bench.states("device", order) == ["validated", "displayed", "accepted"]
    assert bench.at_place(POWER) == [{"state": True}]
    _acknowledge(bench, value=False)
    assert bench.last("device")["state"] == "accepted"
    _acknowledge(bench)
    assert bench.states("device", order) == ["validated", "displayed", "accepted", "executed"]


def test_a_target_temperature_is_set(bench: Bench) -> None:
    order = _interact(bench, params={"target": DEVICE, "action": "setpoint", "value": 19.5})
    assert "setpoint 19.5" in bench.item()["text"]
    _accept(bench)
    assert bench.at_place(f"{DEVICE}/tarTe") == [{"tarTe": 19.5}]
    _acknowledge(bench, "tarTe", 19.5)
    assert bench.states("device", order)[-1] == "executed"


def test_without_a_text_the_display_says_when_in_words(bench: Bench) -> None:
    _interact(bench, params={"target": DEVICE, "action": "on", "start": bench.at(40)})
    assert bench.item()["text"] == f"{DEVICE}: on at 2025-10-09 08:54 UTC"


def test_what_was_declined_or_not_answered_is_not_done(bench: Bench) -> None:
    declined = _interact(bench)
    item = bench.item()["msgId"]
    bench.screen(item)
    bench.act(item, "decline")
    assert bench.states("device", declined) == ["validated", "displayed", "declined"]
    assert not bench.errors()
    silent = _interact(bench, consumerDeadline=5)
    bench.screen(bench.item()["msgId"])
    bench.later(6)
    assert bench.states("device", silent) == ["validated", "displayed", "expired"]
    assert bench.errors(silent) == ["notRead"]
    assert not bench.at_place(POWER)


@pytest.mark.parametrize("fault", [True, False])
def test_a_device_that_does_not_acknowledge_is_a_failure(bench: Bench, fault: bool) -> None:
    order = _interact(bench)
    if fault:
        bench.faults.set("noAck", count=1)
    _accept(bench)
    if fault:
        _acknowledge(bench)
    bench.later(6)
    assert bench.states("device", order) == ["validated", "displayed", "accepted", "failed"]
    assert bench.errors(order) == ["applyFailed"]
    assert len(bench.alerts("asset")) == len(bench.alerts("bill")) == 1


def test_what_could_not_be_sent_in_time_is_not_sent_later(bench: Bench) -> None:
    order = _interact(bench)
    item = bench.item()["msgId"]
    bench.screen(item)
    bench.meter.outbox.linked = False
    bench.act(item, "accept")
    bench.later(6)
    bench.meter.outbox.linked = True
    bench.write()
    assert bench.states("device", order)[-1] == "failed"
    assert not bench.at_place(POWER)


def test_a_later_start_is_waited_for_also_without_power(bench: Bench) -> None:
    order = _interact(bench, params={"target": DEVICE, "action": "on", "start": bench.at(40)})
    assert bench.item()["start"] == bench.at(40)
    _accept(bench)
    assert bench.states("device", order) == ["validated", "displayed", "accepted"]
    bench.later(39)
    assert not bench.at_place(POWER)
    bench.power_on()
    bench.later(2)
    assert bench.at_place(POWER) == [{"state": True}]
    _acknowledge(bench)
    assert bench.states("device", order)[-1] == "executed"


@pytest.mark.parametrize("how", ["fault", "off"])
def test_a_start_that_was_missed_is_told(bench: Bench, how: str) -> None:
    order = _interact(bench, params={"target": DEVICE, "action": "on", "start": bench.at(40)})
    _accept(bench)
    if how == "fault":
        bench.faults.set("interact", count=1)
        bench.later(41)
    else:
        bench.now += 300
        bench.power_on()
        bench.later(1)
    assert bench.states("device", order)[-1] == "failed"
    assert bench.errors(order) == ["interactionNotStarted"]
    assert not bench.at_place(POWER)


# --- on the timetable ----------------------------------------------------------------------------------------------------------------------------------------


def test_an_entry_becomes_a_command_of_its_own_when_its_time_comes(bench: Bench) -> None:
    order = _schedule(bench)
    assert bench.states("config", order) == ["validated", "executed"]
    entry = bench.at_place("config/schedule")[-1]
    assert entry == {"ts": bench.at(0), "entryId": "night", "at": bench.at(30), "target": DEVICE, "action": "on", "notify": ["Cbill"], "cmdId": order}
    bench.power_on()
    bench.later(29)
    assert not bench.states("device", "night")
    bench.later(1.5)
    assert bench.states("device", "night") == ["validated"]
    assert (bench.item()["kind"], bench.item()["device"], bench.item()["cmdId"]) == ("deviceInteraction", DEVICE, "night")
    _accept(bench)
    _acknowledge(bench)
    assert bench.states("device", "night") == ["validated", "displayed", "accepted", "executed"]
    bench.later(100)
    assert bench.states("device", "night")[-1] == "executed"


def test_an_entry_of_the_same_name_takes_the_place_of_one_that_waits(bench: Bench) -> None:
    _schedule(bench)
    _schedule(bench, at=bench.at(60), action="off")
    bench.later(40)
    assert not bench.states("device", "night")
    bench.later(21)
    assert bench.item()["action"] == "off"


@pytest.mark.parametrize("how", ["fault", "off"])
def test_an_entry_that_is_not_begun_shows_nothing_and_all_concerned_learn(bench: Bench, how: str) -> None:
    _schedule(bench)
    if how == "fault":
        bench.faults.set("interact", count=1)
        bench.later(31)
    else:
        bench.now += 300
        bench.power_on()
        bench.later(1)
    assert bench.states("device", "night") == ["validated", "failed"]
    assert bench.last("device")["error"]["code"] == "interactionNotStarted"
    assert bench.errors("night") == ["interactionNotStarted"]
    assert len(bench.alerts("asset")) == len(bench.alerts("bill")) == 1
    assert not bench.at_place("ihd-P1/inbox")


@pytest.mark.parametrize(
    ("change", "code", "named"),
    [
        ({"at": "20200101T000000"}, "requestInvalid", "params.at"),
        ({"target": "dev-P1-9"}, "requestInvalid", "params.target"),
        ({"action": "explode"}, "requestInvalid", "params.action"),
        ({"action": "setpoint", "value": 500}, "requestInvalid", "params.value"),
        ({"entryId": "a#info"}, "requestInvalid", "params.entryId"),
        ({"notify": ["nobody"]}, "requestInvalid", "params.notify"),
    ],
)
def test_a_wrong_entry_is_rejected_and_not_entered(bench: Bench, change: dict[str, Any], code: str, named: str) -> None:
    _schedule(bench, **change)
    assert bench.last("config")["error"]["code"] == code
    assert named in bench.last("config")["error"]["text"]
    bench.later(60)
    assert not bench.at_place("config/schedule")
    assert not bench.at_place("cmd/device/out")


def test_the_name_of_an_entry_is_that_of_no_other_command(bench: Bench) -> None:
    _interact(bench, "Casset", cmdId="night")
    _schedule(bench)
    assert bench.last("config")["error"]["code"] == "requestDuplicate"


def test_the_timetable_needs_no_approval_where_the_settings_say_so_but_nobody_may_pretend_to_be_it(bench: Bench) -> None:
    bench.order("config", "applySettings", {"settings": {"timedApproval": False}})
    _schedule(bench)
    bench.later(31)
    assert bench.at_place(POWER) == [{"state": True}]
    _acknowledge(bench)
    assert bench.states("device", "night") == ["validated", "executed"]
    assert not bench.at_place("ihd-P1/inbox")
    _interact(bench, consent="none", entryId="night")
    assert bench.last("device")["state"] == "rejected"
