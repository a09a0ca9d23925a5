"""The collection scheduler (use case 8, R08) without sockets, its strategies, and what the network operator makes of the data."""

import json
from collections.abc import Mapping
from random import Random
from typing import Any

import pytest

from apps.client import Notification, Resource
from apps.metering import network
from apps.metering.collect import Collect
from apps.metering.memory import Memory
from apps.metering.strategies import STRATEGIES, length
from apps.metering.vocabulary import stamp
from tests.metering.bench import BEGAN

TWELVE = [f"M{number}" for number in range(12)]
GROUPS = [("grp-A", TWELVE[:4]), ("grp-B", TWELVE[4:8]), ("grp-C", TWELVE[8:])]


# --- strategies -----------------------------------------------------------------------------------------------------------------------------------------------


def test_round_robin_visits_each_once_in_order() -> None:
    visits = STRATEGIES["roundRobin"](GROUPS, 1000.0, 12.0, Random(1))
    assert [visit.meter for visit in visits] == TWELVE
    assert [visit.at for visit in visits] == [1000.0 + number for number in range(12)]


def test_random_times_are_inside_the_window_and_not_all_equal() -> None:
    visits = STRATEGIES["randomWindow"]([("", TWELVE)], 1000.0, 60.0, Random(1))
    assert sorted(visit.meter for visit in visits) == sorted(TWELVE)
    assert all(1000 <= visit.at <= 1060 for visit in visits)
    assert len({visit.at for visit in visits}) == 12
    assert [visit.at for visit in visits] == sorted(visit.at for visit in visits)


def test_groups_are_taken_in_turn_and_their_members_at_random_inside_the_window_of_each() -> None:
    visits = STRATEGIES["groupRoundRobin"](GROUPS, 1000.0, 10.0, Random(1))
    assert [visit.group for visit in visits] == ["grp-A"] * 4 + ["grp-B"] * 4 + ["grp-C"] * 4
    for number, (group, meters) in enumerate(GROUPS):
        mine = [visit for visit in visits if visit.group == group]
        assert sorted(visit.meter for visit in mine) == sorted(meters)
        assert all(visit.start == 1000 + 10 * number <= visit.at <= visit.end == 1010 + 10 * number for visit in mine)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_meter_of_two_groups_is_visited_once_and_nobody_in_none(strategy: str) -> None:
    visits = STRATEGIES[strategy]([("grp-A", ["M1", "M2"]), ("grp-B", ["M2", "M3"])], 0.0, 5.0, Random(1))
    assert sorted(visit.meter for visit in visits) == ["M1", "M2", "M3"]
    assert STRATEGIES[strategy]([], 0.0, 5.0, Random(1)) == []
    assert STRATEGIES[strategy]([("grp-A", [])], 0.0, 5.0, Random(1)) == []


def test_a_cycle_over_groups_takes_the_windows_of_all() -> None:
    assert (length("groupRoundRobin", 3, 10), length("roundRobin", 3, 10), length("randomWindow", 0, 10)) == (30, 10, 10)


# --- the scheduler --------------------------------------------------------------------------------------------------------------------------------------------


class Head:
    """A scheduler whose groups are known, and what it has written."""

    def __init__(self) -> None:
        self.memory, self.now = Memory(":memory:"), BEGAN
        self.written: list[tuple[str, Any]] = []
        self.members: dict[str, list[str]] = {"grp-A": ["M1", "M2"], "grp-B": ["M3"]}
        self.power_on()

    def power_on(self) -> None:
        """Make it from what it remembers."""
        self.collect = Collect(self.memory.of("sm-collect"), lambda: self.now, random=Random(7))

    def policy(self, by: str = "Cdno", **policy: Any) -> None:
        """Let a policy come."""
        self.tell("policies", policy, by)

    def tell(self, rest: str, content: Any, by: str = "") -> None:
        """Notify it."""
        about = Resource("x", "m2m:cin", {"con": json.dumps(content), "cnf": "application/json:0", "ri": "c"})
        self.collect.receive(rest, Notification("s", None, about, False, "/id-in", "r", rest, by))
        self.later(0)

    def answer(self, order: Mapping[str, Any], meter: str, state: str = "executed", **more: Any) -> None:
        """Let a meter answer."""
        self.tell(f"out/{meter}", {"cmdId": order["cmdId"], "state": state, "ts": stamp(self.now), "by": f"Cmtr-{meter}", **more})

    def later(self, seconds: float) -> None:
        """Let time pass; groups are resolved as soon as they have to be."""
        end = self.now + seconds
        while True:
            following = self.collect.due(self.now)
            for name, found in self.collect._policies.items():
                if found["next"] <= self.now and name not in self.collect._members:
                    named = [("", found["policy"]["meters"])] if "meters" in found["policy"] else []
                    self.collect._members[name] = [*named, *((group, self.members.get(group, [])) for group in found["policy"].get("groups", ()))]
                    following = self.now
            while (item := self.collect.outbox.head()) is not None:
                assert item.attributes is not None
                self.written.append((item.target.removeprefix("cse-in/"), json.loads(item.attributes["con"])))
                self.collect.outbox.acknowledged(item)
            if following is None or following > end:
                break
            self.now = max(self.now, following)
        self.now = end

    def ordered(self) -> list[tuple[str, Any]]:
        """Give meter and content of the readings that were ordered."""
        return [(place.split("/")[0].removeprefix("mtr-"), content) for place, content in self.written if place.endswith("/cmd/read/in")]

    def runs(self) -> list[Any]:
        """Give the records of runs."""
        return [content for place, content in self.written if place == "sm-collect/runs"]

    def alerts(self, name: str = "dno") -> list[Any]:
        """Give the alerts of an organisation."""
        return [content for place, content in self.written if place == f"{name}/alerts"]


def test_a_run_reads_every_meter_and_is_recorded_when_all_have_answered() -> None:
    head = Head()
    head.policy(policyId="night", strategy="roundRobin", groups=["grp-A", "grp-B"], what=["registers", "profile"], window=3)
    head.later(4)
    assert [meter for meter, _ in head.ordered()] == ["M1", "M2", "M3"]
    for meter, order in head.ordered():
        assert (order["type"], order["issuer"], order["params"]) == ("readNow", "Csm-collect", {"what": ["registers", "profile"]})
        head.answer(order, meter, result={"readId": f"{meter}-R1"})
    [run] = head.runs()
    assert (run["policyId"], run["cycle"], run["strategy"], run["state"], run["missing"]) == ("night", 1, "roundRobin", "complete", [])
    assert [(visit["meter"], visit["group"], visit["state"]) for visit in run["visits"]] == [
        ("M1", "grp-A", "executed"), ("M2", "grp-A", "executed"), ("M3", "grp-B", "executed")
    ]  # fmt: skip
    assert run["visits"][0]["result"] == {"readId": "M1-R1"}
    assert not head.alerts()


@pytest.mark.parametrize(
    ("named", "asked"),
    [({"quantities": ["voltage", "flicker"]}, ["voltage", "flicker"]), ({}, ["voltage", "current", "frequency", "powerFactor", "flicker", "harmonics"])],
)
def test_power_quality_is_collected_as_readings_are(named: dict[str, Any], asked: list[str]) -> None:
    head = Head()
    head.policy(policyId="pq", strategy="roundRobin", meters=["M1", "M2"], what=["pq"], **named)
    head.later(1)
    orders = [(place, content) for place, content in head.written if place.endswith("/cmd/pq/in")]
    assert [place for place, _ in orders] == ["mtr-M1/cmd/pq/in", "mtr-M2/cmd/pq/in"]
    for _, order in orders:
        assert (order["type"], order["params"]) == ("getPq", {"quantities": asked})
    assert not head.ordered()
    head.power_on()
    head.answer(orders[0][1], "M1", result={"dgt": ["20260101T000000"], "evtId": ["M1-Q1"]})
    head.answer(orders[1][1], "M2", "rejected", error={"code": "requestUnsupported", "text": "a gas meter measures no power quality"})
    [run] = head.runs()
    assert (run["what"], run["quantities"], run["state"], run["missing"]) == (["pq"], asked, "incomplete", ["M2"])
    assert run["visits"][0]["result"]["evtId"] == ["M1-Q1"]
    assert [alert["meter"] for alert in head.alerts()] == ["M2"]


def test_a_meter_that_does_not_answer_or_refuses_is_missing_and_the_issuer_learns() -> None:
    head = Head()
    head.policy("Casset", policyId="p", strategy="randomWindow", meters=["M1", "M2", "M3"], within=5)
    (_, first), (second_meter, second), _ = head.ordered()
    head.answer(first, head.ordered()[0][0])
    head.answer(second, second_meter, "failed", error={"code": "retrievalFailed", "text": "no"})
    assert not head.runs()
    head.later(6)
    [run] = head.runs()
    assert run["state"] == "incomplete"
    assert len(run["missing"]) == 2
    assert sorted(visit["state"] for visit in run["visits"]) == ["executed", "failed", "silent"]
    assert [alert["type"] for alert in head.alerts("asset")] == ["reportMissing"] * 2
    assert sorted(alert["meter"] for alert in head.alerts("asset")) == sorted(run["missing"])
    head.answer(first, "M1")
    assert len(head.runs()) == 1


def test_cycles_come_every_period_until_there_were_enough_and_one_slept_through_is_left_out() -> None:
    head = Head()
    head.policy(policyId="p", strategy="roundRobin", meters=["M1"], period=10, cycles=3, within=1)
    head.later(2)
    assert [run["cycle"] for run in head.runs()] == [1]
    head.now += 25
    head.power_on()
    head.later(2)
    assert [run["cycle"] for run in head.runs()] == [1, 2]
    head.later(20)
    assert [run["cycle"] for run in head.runs()] == [1, 2, 3]
    head.later(100)
    assert len(head.runs()) == 3


def test_a_later_policy_takes_the_place_of_an_earlier_one_and_none_ends_it() -> None:
    head = Head()
    head.policy(policyId="p", strategy="roundRobin", meters=["M1"], period=10, within=1)
    head.policy(policyId="p", strategy="roundRobin", meters=["M2"], period=10, within=1)
    head.later(12)
    assert [meter for meter, _ in head.ordered()] == ["M1", "M2", "M2"]
    head.policy(policyId="p", strategy="roundRobin", cycles=0)
    head.later(100)
    assert len(head.ordered()) == 3


def test_a_run_goes_on_after_a_restart_and_orders_nothing_twice() -> None:
    head = Head()
    head.policy(policyId="p", strategy="roundRobin", meters=["M1", "M2"], window=10, start=stamp(BEGAN + 5))
    assert not head.ordered()
    head.later(6)
    assert [meter for meter, _ in head.ordered()] == ["M1"]
    head.power_on()
    head.answer(head.ordered()[0][1], "M1")
    head.later(6)
    assert [meter for meter, _ in head.ordered()] == ["M1", "M2"]
    head.answer(head.ordered()[1][1], "M2")
    assert [run["state"] for run in head.runs()] == ["complete"]


def test_a_policy_of_nobody_ends_in_a_run_without_visits() -> None:
    head = Head()
    head.policy(policyId="p", strategy="groupRoundRobin", groups=["grp-Z"])
    assert [(run["state"], run["visits"]) for run in head.runs()] == [("incomplete", [])]
    assert len(head.alerts()) == 1


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"policyId": "a b"}, "policyId"),
        ({"policyId": None}, "policyId"),
        ({"strategy": "whim"}, "strategy"),
        ({"meters": []}, "meters"),
        ({"meters": ["M1", "M1"]}, "meters"),
        ({"meters": None}, "the policy: this is not a collection policy: meters or groups to collect"),
        ({"groups": ["M1"]}, "groups"),
        ({"what": ["everything"]}, "what"),
        ({"what": ["registers", "pq"]}, "what"),
        ({"what": ["registers"], "quantities": ["voltage"]}, "quantities"),
        ({"what": ["pq"], "quantities": ["smell"]}, "quantities"),
        ({"start": "tomorrow"}, "start"),
        ({"window": -1}, "window"),
        ({"window": 20, "period": 10}, "period"),
        ({"window": 6, "period": 10, "groups": ["grp-A"], "strategy": "groupRoundRobin"}, "period"),
        ({"cycles": 3}, "period"),
        ({"within": 0}, "within"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_policy_that_is_wrong_is_refused_with_its_name(change: dict[str, Any], named: str) -> None:
    head = Head()
    given = {"policyId": "p", "strategy": "roundRobin", "meters": ["M1"], **change}
    head.policy(**{name: value for name, value in given.items() if value is not None})
    [refused] = head.runs()
    assert (refused["state"], refused["error"]["code"]) == ("rejected", "requestInvalid")
    assert named in refused["error"]["text"]
    assert [alert["type"] for alert in head.alerts()] == ["error"]
    assert named in head.alerts()[0]["detail"]
    assert not head.ordered()


def test_content_that_is_no_policy_is_refused() -> None:
    head = Head()
    head.tell("policies", ["no", "object"], "Cdno")
    assert head.runs()[0]["state"] == "rejected"
    head.tell("out/M1", {"cmdId": 7, "state": "executed"})
    assert len(head.runs()) == 1


# --- what is made of the data ---------------------------------------------------------------------------------------------------------------------------------


def _reading(seconds: float = 0, quality: str = "measured", **values: Any) -> dict[str, Any]:
    listed = [{"id": name.replace("r", "1.8."), "value": value, "unit": "kWh"} for name, value in values.items()]
    return {"readId": "R", "ts": stamp(BEGAN + seconds), "registers": listed, "quality": quality}


def test_a_sound_reading_has_nothing_wrong() -> None:
    assert network.unsound(_reading(3600, r1=12.5), _reading(r1=10)) == []
    assert network.unsound(_reading(r1=0), expected=["1.8.1"]) == []


@pytest.mark.parametrize(
    ("reading", "words"),
    [
        (_reading(3600, r1=9.9), "went from 10 to 9.9"),
        (_reading(3600, r1=111), "went from 10 to 111"),
        (_reading(3600, r2=12), "1.8.1 is missing"),
        (_reading(3600, r1="much"), "no number"),
        (_reading(3600, r1=-1), "no number"),
        (_reading(3600, r1=11, quality="guessed"), "guessed"),
        (_reading(-5, r1=11), "before"),
        ({**_reading(r1=11), "ts": "noon"}, "noon"),
        ({"registers": [], "quality": "measured"}, "time None"),
    ],
)
def test_what_cannot_be_is_said(reading: dict[str, Any], words: str) -> None:
    assert any(words in said for said in network.unsound(reading, _reading(r1=10)))


def test_missing_points_are_found() -> None:
    base = 1_000_000.0
    points = [stamp(base + offset) for offset in (5, 10, 20)]
    assert network.missing(points, 5, base + 1, base + 24) == [base + 15]
    assert network.missing(points, 5, base + 1, base + 10) == []


def test_compliance_is_judged_by_the_intervals_inside_the_event() -> None:
    base = 1_000_000.0
    points = {stamp(base + 5): 0.01, stamp(base + 10): 0.001, stamp(base + 15): 0.002, stamp(base + 20): 0.01}
    assert network.power(points, 5, base + 4, base + 16) == pytest.approx(0.0015 * 720)
    assert network.complied(points, 5, base + 4, base + 16, 1.2) is True
    assert network.complied(points, 5, base + 4, base + 16, 1.0) is False
    assert network.complied(points, 5, base + 6, base + 9, 1.0) is None
