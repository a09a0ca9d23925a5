"""The overdue watcher without sockets: who has answered of a group, and who of it was acknowledged (data model, section 7)."""

import json
from typing import Any

from apps.client import Notification, Resource
from apps.metering.memory import Memory
from apps.metering.outbox import DOCUMENT
from apps.metering.vocabulary import TIMERS, stamp
from apps.metering.watch import Watch
from tests.metering.bench import BEGAN

GROUP = ("M1", "M2", "M3")


class Head:
    """A watcher, and what it has written."""

    def __init__(self) -> None:
        self.now = BEGAN
        self.memory = Memory(":memory:")
        self.watch = Watch(self.memory.of("sm-watch"), lambda: self.now)
        self._number = 0

    def restart(self) -> None:
        """Make it from what it remembers."""
        self.watch = Watch(self.memory.of("sm-watch"), lambda: self.now)

    def tell(self, rest: str, content: Any, by: str = "") -> None:
        """Notify it of an instance."""
        self._number += 1
        meter = rest.split("/")[1]
        self.memory.of("sm-watch").put("about", f"sub-{meter}", meter)
        about = Resource("x", "m2m:cin", {"con": json.dumps(content), "cnf": DOCUMENT, "ri": f"r{self._number}", "ct": stamp(self.now)})
        self.watch.receive(rest, Notification(f"cse-in/sub-{meter}", None, about, False, "/id-in", "q", rest, by))

    def command(self, **more: Any) -> None:
        """Have a group commanded by asset."""
        command = {"cmdId": "g1", "type": "enable", "issuer": "Casset", "validUntil": stamp(self.now + 60), "ackRequired": True, **more}
        for meter in GROUP:
            self.tell(f"cmd/{meter}/supply", command, "Casset")

    def ended(self, *meters: str) -> None:
        """Have meters end it."""
        for meter in meters:
            self.tell(f"cmd/{meter}/supply", {"cmdId": "g1", "state": "executed", "by": f"Cmtr-{meter}"})

    def alerts(self, seconds: float) -> list[tuple[str, str]]:
        """Let time pass, and give type and meter of the alerts of asset."""
        self.now += seconds
        self.watch.due(self.now)
        found = []
        while (item := self.watch.outbox.head()) is not None:
            self.watch.outbox.acknowledged(item)
            if item.target == "cse-in/asset/alerts" and item.attributes is not None:
                alert = json.loads(item.attributes["con"])
                found.append((alert["type"], alert["meter"]))
        return found


def test_an_acknowledgement_that_names_a_meter_is_about_that_one_alone() -> None:
    head = Head()
    head.command()
    head.ended(*GROUP)
    head.tell("acks/asset", {"cmdId": "g1", "state": "executed", "meter": "M2"})
    head.restart()
    assert head.alerts(TIMERS["ackWithin"] + 1) == [("notReceived", "M1"), ("notReceived", "M3")]
    assert head.alerts(60) == []


def test_an_acknowledgement_without_a_meter_is_about_all_that_have_ended() -> None:
    head = Head()
    head.command()
    head.ended("M1", "M3")
    head.tell("acks/asset", {"cmdId": "g1", "state": "executed"})
    head.ended("M2")
    assert head.alerts(TIMERS["ackWithin"] + 1) == [("notReceived", "M2")]


def test_who_of_a_group_says_nothing_is_named() -> None:
    head = Head()
    head.command()
    head.ended("M1")
    head.tell("acks/asset", {"cmdId": "g1", "state": "executed", "meter": "M1"})
    assert head.alerts(TIMERS["confirmWithin"] + 1) == [("noConfirmation", "M2"), ("noConfirmation", "M3")]


def test_an_acknowledgement_of_something_else_changes_nothing() -> None:
    head = Head()
    head.command()
    head.ended("M1")
    for told in ({"cmdId": "g2"}, {"cmdId": "g1", "meter": "M9"}, {}, {"cmdId": ["g1"], "meter": 7}):
        head.tell("acks/asset", told)
    head.tell("acks/bill", {"cmdId": "g1"})
    assert ("notReceived", "M1") in head.alerts(TIMERS["ackWithin"] + 1)


def test_what_is_refused_under_the_name_of_its_instance_was_answered() -> None:
    head = Head()
    head.tell("cmd/M1/supply", {"cmdId": "g1#info", "type": "enable", "issuer": "Casset"}, "Casset")
    head.tell("cmd/M1/supply", {"cmdId": "r1", "state": "rejected", "by": "Cmtr-M1"})
    assert head.alerts(60) == []
