"""Generation and demand set from afar (use case 7): on a meter, and on the equipment, without sockets."""

import json
from typing import Any

import pytest

from apps.client import Notification, Resource
from apps.metering.memory import Memory
from apps.metering.meter.physics import Premise
from apps.metering.premises import POWER, PRESET, Appliance, Generator
from apps.metering.tree import Identity
from apps.metering.vocabulary import stamp
from tests.metering.bench import BEGAN, Bench

HOUSE = Identity("M1", generators=("gen-P1-1",), appliances=("dev-P1-1",))
SETPOINT = "generation/setpoint"
WISH: dict[str, Any] = {"quantity": "generation", "direction": "increase", "level": 2, "unit": "kW"}


def _bench(identity: Identity = HOUSE) -> Bench:
    found = Bench(identity)
    found.write()
    found.written.clear()
    return found


@pytest.fixture
def bench() -> Bench:
    return _bench()


def _adjust(bench: Bench, start: float = 0, end: float = 30, issuer: str = "Cdno", **params: Any) -> str:
    return bench.order("gen", "adjust", {**WISH, "start": bench.at(start), "end": bench.at(end), **params}, issuer)


def _acknowledge(bench: Bench, order: str, device: str = "gen-P1-1", by: str = "") -> None:
    bench.tell("setpoint", {"con": json.dumps({"cmdId": order, "ackBy": f"C{device}"}), "cnf": "application/json:0", "ri": "a"}, by or f"C{device}")


# --- the meter ------------------------------------------------------------------------------------------------------------------------------------------------


def test_it_is_accepted_when_the_equipment_acknowledges_and_executed_when_it_begins(bench: Bench) -> None:
    order = _adjust(bench, start=10)
    assert bench.states("gen", order) == ["validated"]
    [wish] = bench.at_place(SETPOINT)
    assert wish == {**WISH, "ts": bench.at(0), "start": bench.at(10), "until": bench.at(30), "cmdId": order, "device": "gen-P1-1"}
    _acknowledge(bench, order)
    assert bench.states("gen", order) == ["validated", "accepted"]
    bench.later(11)
    assert bench.states("gen", order) == ["validated", "accepted", "executed"]
    assert bench.last("gen")["result"] == {"ackBy": ["Cgen-P1-1"]}
    assert not bench.errors()


@pytest.mark.parametrize("fault", [False, True])
def test_equipment_that_does_not_acknowledge_fails_it_and_the_wish_is_taken_back(bench: Bench, fault: bool) -> None:
    if fault:
        bench.faults.set("noAck", count=1)
    order = _adjust(bench)
    bench.later(6)
    assert bench.states("gen", order) == ["validated", "failed"]
    assert bench.last("gen")["error"]["code"] == "applyFailed"
    assert bench.errors() == ["applyFailed"]
    assert [len(bench.alerts(name)) for name in ("dno", "eff", "bill")] == [1, 1, 1]
    wish, back = bench.at_place(SETPOINT)
    assert wish.get("device") == (None if fault else "gen-P1-1")
    assert (back["cmdId"], back["until"] <= bench.at(0)) == (order, True)
    _acknowledge(bench, order)
    assert bench.states("gen", order) == ["validated", "failed"]


def test_only_the_equipment_itself_can_acknowledge(bench: Bench) -> None:
    order = _adjust(bench)
    _acknowledge(bench, order, by="Cmtr-M1")
    _acknowledge(bench, order, device="gen-P9-1")
    _acknowledge(bench, "another")
    assert bench.states("gen", order) == ["validated"]


def test_several_generators_share_a_level_and_all_must_acknowledge() -> None:
    bench = _bench(Identity("M1", generators=("gen-P1-1", "gen-P1-2")))
    order = _adjust(bench, level=15)
    assert [wish["level"] for wish in bench.at_place(SETPOINT)] == [7.5, 7.5]
    _acknowledge(bench, order, "gen-P1-2")
    assert bench.states("gen", order) == ["validated"]
    _acknowledge(bench, order, "gen-P1-1")
    bench.later(0)
    assert bench.states("gen", order) == ["validated", "accepted", "executed"]


def test_demand_is_asked_of_appliances(bench: Bench) -> None:
    order = _adjust(bench, quantity="demand", direction="decrease", level=1)
    assert bench.at_place(SETPOINT)[0]["device"] == "dev-P1-1"
    _acknowledge(bench, order, "dev-P1-1")
    assert bench.states("gen", order) == ["validated", "accepted"]


def test_it_goes_on_after_the_meter_was_off(bench: Bench) -> None:
    order = _adjust(bench, start=10)
    bench.power_on()
    _acknowledge(bench, order)
    bench.power_on()
    bench.later(11)
    assert bench.states("gen", order) == ["validated", "accepted", "executed"]


@pytest.mark.parametrize(
    ("params", "code", "named"),
    [
        ({"quantity": "heat"}, "requestInvalid", "params.quantity"),
        ({"direction": "sideways"}, "requestInvalid", "params.direction"),
        ({"level": -1}, "requestInvalid", "params.level"),
        ({"level": 11}, "requestInvalid", "params.level"),
        ({"level": 101, "unit": "%"}, "requestInvalid", "params.level"),
        ({"level": "much"}, "requestInvalid", "params.level"),
        ({"unit": "miles"}, "requestInvalid", "params.unit"),
        ({"start": 20, "end": 10}, "requestInvalid", "params.end"),
        ({"start": -20, "end": -10}, "requestInvalid", "params.end"),
    ],
)
def test_what_is_wrong_is_rejected_and_all_concerned_learn(bench: Bench, params: dict[str, Any], code: str, named: str) -> None:
    order = _adjust(bench, **params)
    record = bench.last("gen")
    assert (record["cmdId"], record["state"], record["error"]["code"]) == (order, "rejected", code)
    assert named in record["error"]["text"]
    assert bench.errors() == [code]
    assert [len(bench.alerts(name)) for name in ("dno", "eff", "bill")] == [1, 1, 1]
    assert not bench.at_place(SETPOINT)


@pytest.mark.parametrize(("identity", "named"), [(Identity("M2", "gas"), "gas"), (Identity("M9"), "generation")])
def test_what_has_no_generator_does_not_support_it(identity: Identity, named: str) -> None:
    bench = _bench(identity)
    _adjust(bench)
    assert bench.last("gen")["error"]["code"] == "requestUnsupported"
    assert named in bench.last("gen")["error"]["text"]


# --- the equipment --------------------------------------------------------------------------------------------------------------------------------------------


class Site:
    """Two pieces of equipment, and what they have written."""

    def __init__(self) -> None:
        self.memory, self.wires, self.now = Memory(":memory:"), Premise(), BEGAN
        self.written: list[tuple[str, Any]] = []
        self.power_on()

    def power_on(self) -> None:
        """Make them from what they remember."""
        made: dict[str, Any] = {}
        for name, kind in (("gen-P1-1", Generator), ("dev-P1-1", Appliance)):
            made[name] = kind(name, "M1", self.wires, self.memory.of(name), lambda: self.now)
        self.devices = made

    def tell(self, device: str, rest: str, by: str, **attributes: Any) -> None:
        """Notify one, and let it do what is due."""
        self.devices[device].receive(rest, Notification("s", None, Resource("x", "r", {**attributes, "ri": "r"}), False, "/id-in", "r", rest, by))
        self.later(0)

    def wish(self, by: str = "Cmtr-M1", device: str = "gen-P1-1", **changes: Any) -> None:
        """Let a setpoint come."""
        named = {} if by.startswith("Cconsumer") else {"device": device}
        given = {**WISH, "cmdId": "c1", "ts": self.at(0), "until": self.at(30), **named, **changes}
        self.tell(device, "setpoint", by, con=json.dumps({name: value for name, value in given.items() if value is not None}), cnf="application/json:0")

    def at(self, seconds: float) -> str:
        """Give a time so many seconds from now."""
        return stamp(self.now + seconds)

    def later(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds
        for device in self.devices.values():
            device.due(self.now)
            while (item := device.outbox.head()) is not None:
                self.written.append((item.target, json.loads(item.attributes["con"]) if "con" in item.attributes else item.attributes))
                device.outbox.acknowledged(item)

    @property
    def acknowledged(self) -> list[Any]:
        """The acknowledgements."""
        return [content for target, content in self.written if target == "cse-in/mtr-M1/generation/setpoint"]

    @property
    def given(self) -> float:
        """What is generated."""
        return self.wires.sources["gen-P1-1"]

    @property
    def drawn(self) -> float:
        """What is drawn."""
        return self.wires.loads["dev-P1-1"]


def test_a_generator_acknowledges_and_keeps_to_a_level_for_its_span() -> None:
    site = Site()
    assert site.given == PRESET
    site.wish(start=site.at(10))
    [ack] = site.acknowledged
    assert ack["ackBy"] == "Cgen-P1-1"
    assert (ack["quantity"], ack["level"], ack["unit"], ack["cmdId"]) == ("generation", 2, "kW", "c1")
    assert site.given == PRESET
    site.later(11)
    assert site.given == 2
    site.power_on()
    assert site.given == 2
    site.later(20)
    assert site.given == PRESET


def test_the_newest_setpoint_counts_and_may_be_taken_back() -> None:
    site = Site()
    site.wish()
    site.wish(cmdId="c2", level=500, unit="W")
    assert site.given == 0.5
    site.wish(cmdId="c2", until=site.at(0))
    assert site.given == 2
    assert [ack["cmdId"] for ack in site.acknowledged] == ["c1", "c2"]


def test_the_consumers_own_programme_lasts_until_the_next() -> None:
    site = Site()
    site.wish("Cconsumer-P1", cmdId=None, until=None, level=3)
    assert site.acknowledged[0].keys().isdisjoint({"cmdId", "until"})
    site.later(10_000)
    assert site.given == 3
    site.wish("Cconsumer-P1", cmdId=None, until=None, level=1)
    assert site.given == 1


@pytest.mark.parametrize(
    "changes",
    [{"level": -1}, {"level": 11}, {"level": True}, {"level": "2"}, {"unit": "miles"}, {"until": "soon"}, {"quantity": "demand"}, {"ackBy": "Cgen-P1-1"}],
)
def test_what_is_no_setpoint_for_it_is_left_alone(changes: dict[str, Any]) -> None:
    site = Site()
    site.wish(**changes)
    site.tell("gen-P1-1", "setpoint", "Cmtr-M1", con="no JSON", cnf="application/json:0")
    assert not site.acknowledged
    assert site.given == PRESET


def test_a_setpoint_for_another_device_is_left_alone() -> None:
    site = Site()
    site.tell("gen-P1-1", "setpoint", "Cmtr-M1", con=json.dumps({**WISH, "device": "gen-P1-2"}), cnf="application/json:0")
    site.tell("gen-P1-1", "setpoint", "Cmtr-M1", con=json.dumps(WISH), cnf="application/json:0")
    assert not site.acknowledged


@pytest.mark.parametrize("on", [False, True])
def test_an_appliance_draws_less_or_more_for_a_span_and_shows_it(on: bool) -> None:
    site = Site()
    site.tell("dev-P1-1", "powSe", "Cconsumer-P1", state=not on)
    site.wish(device="dev-P1-1", quantity="demand", direction="increase" if on else "decrease")
    assert site.drawn == (POWER if on else 0)
    assert site.acknowledged[0]["ackBy"] == "Cdev-P1-1"
    site.power_on()
    assert site.drawn == (POWER if on else 0)
    site.later(31)
    assert site.drawn == (0 if on else POWER)
    assert [content["state"] for target, content in site.written if target == "cse-in/dev-P1-1/powSe"] == ([on, not on])
    assert [content["value"] for target, content in site.written if target == "cse-in/dev-P1-1/acks"] == [not on, on, not on]


def test_what_is_switched_by_hand_comes_before_a_setpoint_and_is_acknowledged() -> None:
    site = Site()
    site.wish(device="dev-P1-1", quantity="demand", direction="decrease")
    site.tell("dev-P1-1", "powSe", "Cconsumer-P1", state=True)
    site.tell("dev-P1-1", "tarTe", "Cmtr-M1", tarTe=19.0)
    site.tell("dev-P1-1", "powSe", "Cdev-P1-1", state=True)
    assert site.drawn == POWER
    assert [content for target, content in site.written if target == "cse-in/dev-P1-1/acks"] == [
        {"ts": site.at(0), "module": module, "value": value} for module, value in (("powSe", True), ("tarTe", 19.0))
    ]
