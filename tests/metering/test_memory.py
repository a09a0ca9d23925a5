"""The memory of devices over the years: what is of no more use is forgotten, and no command is ever executed twice for that."""

import json
from typing import Any

import pytest

from apps.client import Notification, Resource
from apps.metering.memory import DAY, KEPT, Memory
from apps.metering.meter import conditions, forget
from apps.metering.meter.events import KEPT as EVENTS
from apps.metering.meter.records import key_of
from apps.metering.outbox import DOCUMENT
from apps.metering.vocabulary import stamp
from apps.metering.watch import Watch
from tests.metering.bench import BEGAN, Bench

PASSING = ("command", "active", "kind", "duplicate", "accord", "fired", "appointment", "adopted", "planned")
"""What a meter remembers because of a command, and not for ever."""


def _rows(bench: Bench, *kinds: str) -> dict[str, int]:
    kept = bench.meter.body.kept
    return {kind: found for kind in kinds if (found := len(kept.all(kind)))}


def _sleep(bench: Bench, seconds: float) -> None:
    """Let a meter be off for a time, and the day's work be done after that."""
    bench.now += seconds
    bench.power_on()
    bench.later(1)


def _year(bench: Bench, commands: int) -> list[dict[str, Any]]:
    """Issue commands of several classes, and give them."""
    found = []
    for number in range(commands):
        end = bench.at(3600)
        found += [
            {"kind": "supply", **bench.envelope("limit", {"value": number + 1, "unit": "kW"})},
            {"kind": "log", **bench.envelope("getEvents", {"kinds": ["security"]})},
            {"kind": "maint", **bench.envelope("appointment", {"start": bench.at(60), "end": end}, consent="informed")},
        ]
    for envelope in found:
        bench.send(str(envelope["kind"]), {name: value for name, value in envelope.items() if name != "kind"})
    bench.later(120)
    return found


def test_what_commands_were_is_forgotten_after_a_time_but_that_they_were(bench: Bench) -> None:
    _year(bench, 20)
    assert _rows(bench, *PASSING)["command"] == 60
    _sleep(bench, KEPT - DAY)
    assert _rows(bench, *PASSING)["command"] == 60
    _sleep(bench, 3 * DAY)
    assert not _rows(bench, *PASSING)
    assert _rows(bench, "spent") == {"spent": 60}


@pytest.mark.parametrize("years", [0.0, 0.2, 5.0])
def test_a_command_is_never_executed_twice_however_long_ago_it_was(bench: Bench, years: float) -> None:
    bench.order("supply", "limit", {"value": 4, "unit": "kW"}, cmdId="limit-4")
    envelope = {**bench.envelope("limit", {"value": 9, "unit": "kW"}), "cmdId": "limit-9"}
    bench.send("supply", envelope)
    for _ in range(3):
        _sleep(bench, years * 365 * DAY / 3)
    bench.written.clear()
    bench.send("supply", envelope)
    assert not bench.written  # a repeat, after which nothing follows
    bench.send("supply", {**envelope, "issuedAt": bench.at(0), "validUntil": bench.at(60)})
    assert (bench.last("supply")["state"], bench.last("supply")["error"]["code"]) == ("rejected", "requestDuplicate")
    assert not bench.at_place("supply/state")


def test_an_entry_of_the_timetable_may_not_have_the_name_of_a_command_of_long_ago(bench: Bench) -> None:
    order = bench.order("supply", "limit", {"value": 4, "unit": "kW"})
    _sleep(bench, 2 * KEPT)
    assert not _rows(bench, "command")
    device = Bench(bench.identity.__class__("M1", appliances=("dev-P1-1",)), bench.memory, bench.now)
    device.order("config", "setSchedule", {"entryId": order, "at": device.at(60), "target": "dev-P1-1", "action": "on"})
    assert device.last("config")["error"]["code"] == "requestDuplicate"


def test_what_is_under_way_is_not_forgotten(bench: Bench) -> None:
    tariff = {"tariffId": "T9", "scheme": "single", "rates": [{"rateId": "flat", "price": "0.3", "currency": "EUR", "unit": "kWh"}]}
    order = bench.order("tariff", "setTariff", {**tariff, "effective": bench.at(3 * KEPT)})
    assert bench.states("tariff", order) == ["validated", "accepted"]
    _sleep(bench, 2 * KEPT)
    assert bench.meter.body.kept.get("command", key_of("Casset", order)) is not None
    _sleep(bench, 2 * KEPT)
    assert bench.states("tariff", order)[-1] == "executed"


def test_events_are_as_many_as_their_containers_have(bench: Bench) -> None:
    for _ in range(EVENTS + 50):
        bench.meter.body.events.record("clock", "the clock is off", severity="warning")
    newest = bench.meter.body.kept.get("count", "event")
    kept = bench.meter.body.kept.all("event")
    assert len(kept) <= EVENTS + 1
    assert json.dumps(list(kept)[-1]) == json.dumps(f"{newest:012}")


def test_outages_are_as_many_as_their_container_has(bench: Bench) -> None:
    for _ in range(forget.OUTAGES + 20):
        with bench.meter.body.kept.turn():
            conditions.supply(bench.meter.body, False)
            bench.now += 10
            conditions.supply(bench.meter.body, True)
    last = bench.meter.body.kept.get("count", "outage")
    _sleep(bench, 2 * DAY)
    kept = bench.meter.body.kept.all("outages")
    assert len(kept) == forget.OUTAGES
    assert f"M1-O{last}" in kept
    assert "M1-O1" not in kept


def test_credit_is_never_paid_in_twice_with_a_token(bench: Bench) -> None:
    bench.order("credit", "addCredit", {"amount": "5", "currency": "EUR", "token": "t-1"}, "Cbill")
    _sleep(bench, 20 * KEPT)
    bench.order("credit", "addCredit", {"amount": "5", "currency": "EUR", "token": "t-1"}, "Cbill")
    assert bench.last("credit")["state"] == "rejected"


def test_the_watcher_forgets_what_was_over_long_ago() -> None:
    now = [BEGAN]
    kept = Memory(":memory:").of("sm-watch")
    watch = Watch(kept, lambda: now[0])
    kept.put("about", "sub", "M1")
    for number in range(10):
        command = {"cmdId": f"c{number}", "type": "enable", "issuer": "Casset", "validUntil": stamp(BEGAN + 60)}
        for content, by in ((command, "Casset"), ({"cmdId": f"c{number}", "state": "executed"}, "")):
            told = {"con": json.dumps(content), "cnf": DOCUMENT, "ri": f"{number}{by}", "ct": stamp(BEGAN)}
            watch.receive("cmd/M1/supply", Notification("cse-in/sub", None, Resource("x", "m2m:cin", told), False, "/id-in", "q", "", by))
    assert (len(kept.all("wish")), len(kept.all("waiting"))) == (10, 0)
    for days, left in ((1, 10), (30, 10), (40, 0)):
        now[0] = BEGAN + days * DAY
        watch.due(now[0])
        assert len(kept.all("wish")) == left
