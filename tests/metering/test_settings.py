"""Settings, reports, deadlines and the clock (class ``config``) on a meter without sockets."""

from typing import Any

import pytest

from apps.metering.meter import conditions
from apps.metering.tree import Identity
from tests.metering.bench import Bench


def reports(bench: Bench) -> int:
    """Count the scheduled readings."""
    return sum(reading["reason"] == "scheduled" for reading in bench.at_place("readings/registers"))


def test_settings_have_a_version_that_the_meter_counts(bench: Bench) -> None:
    bench.order("config", "applySettings", {"settings": {"label": "Hall", "language": "de", "brightness": 3}})
    assert bench.last("config")["result"] == {"version": 2}
    found = bench.at_place("config/settings")[-1]
    assert (found["label"], found["version"], found["parameters"]) == ("Hall", 2, {"language": "de", "brightness": 3})
    bench.power_on()
    bench.order("config", "applySettings", {"settings": {"brightness": 4}})
    assert bench.at_place("config/settings")[-1]["parameters"] == {"language": "de", "brightness": 4}
    assert bench.last("config")["result"] == {"version": 3}


@pytest.mark.parametrize("settings", [{"version": 2}, {"label": 7}, {}, {"deep": {}}, {str(number): 1 for number in range(101)}, [], {"": 1}])
def test_refused_settings_are_settings_rejected_and_change_nothing(bench: Bench, settings: Any) -> None:
    order = bench.order("config", "applySettings", {"settings": settings})
    assert bench.last("config")["error"]["code"] == "requestInvalid"
    assert "settings" in bench.last("config")["error"]["text"]
    assert bench.errors(order) == ["settingsRejected"]
    assert not bench.at_place("config/settings")
    assert bench.meter.body.settings.version == 1


def test_settings_that_do_not_take_leave_the_old_ones(bench: Bench) -> None:
    bench.faults.set("apply", count=1)
    order = bench.order("config", "applySettings", {"settings": {"label": "Hall"}})
    assert bench.states("config", order) == ["validated", "failed"]
    assert bench.errors(order) == ["applyFailed"]
    assert bench.meter.body.settings.version == 1


def test_a_report_changes_the_timetable_and_zero_ends_it(bench: Bench) -> None:
    bench.order("config", "setReporting", {"recipient": "Cdno", "what": "registers", "period": 2})
    assert {report["recipient"] for report in bench.at_place("config/reporting")[-1]["reports"]} == {"Crdr-1", "Cdno"}
    bench.later(10)
    assert reports(bench) == 5
    bench.order("config", "setReporting", {"recipient": "Cdno", "what": "registers", "period": 0})
    bench.later(10)
    assert reports(bench) == 7


def test_a_report_that_begins_later_leaves_those_of_others_alone(bench: Bench) -> None:
    bench.order("config", "setReporting", {"recipient": "Cdno", "what": ["registers"], "period": 1, "start": bench.at(20)})
    bench.later(15)
    assert reports(bench) == 3
    bench.power_on()
    bench.later(5)
    before = reports(bench)
    bench.later(10)
    assert reports(bench) == before + 10


def test_a_report_that_is_ended_before_it_begins_never_comes(bench: Bench) -> None:
    bench.order("config", "setReporting", {"recipient": "Cdno", "what": ["registers"], "period": 1, "start": bench.at(22)})
    bench.order("config", "setReporting", {"recipient": "Cdno", "what": ["registers"], "period": 0})
    bench.later(30)
    assert reports(bench) == 6


@pytest.mark.parametrize(
    ("kind", "params", "named"),
    [
        ("setReporting", {"recipient": "Cstranger", "what": "registers", "period": 5}, "Cstranger"),
        ("setReporting", {"recipient": "Cdno", "what": "registers", "period": 0.5}, "params.period"),
        ("setReporting", {"recipient": "Cdno", "what": "registers", "period": -1}, "params.period"),
        ("setReporting", {"recipient": "Cdno", "what": "weather", "period": 5}, "params.what"),
        ("setReporting", {"recipient": "Cdno", "what": [], "period": 5}, "params.what"),
        ("setReporting", {"recipient": "Cdno", "what": "registers", "period": 5, "start": "now"}, "params.start"),
        ("setTimers", {}, "params"),
        ("setTimers", {"ackWithin": 0}, "params.ackWithin"),
        ("setTimers", {"ackWithin": "5"}, "params.ackWithin"),
        ("setTimers", {"patience": 5}, "patience"),
        ("setTime", {"time": "noon"}, "params.time"),
        ("setTime", {}, "time"),
        ("explode", {}, "explode"),
    ],
)
def test_what_is_out_of_range_is_rejected_by_name(bench: Bench, kind: str, params: dict[str, Any], named: str) -> None:
    order = bench.order("config", kind, params)
    record = bench.last("config")
    assert (record["state"], record["error"]["code"]) == ("rejected", "requestInvalid")
    assert named in record["error"]["text"]
    assert bench.errors(order) == ["requestInvalid"]
    assert {place for place, _ in bench.written} == {"cmd/config/out", "events/error", "asset/alerts"}


def test_a_gas_meter_reports_no_export() -> None:
    bench = Bench(Identity("M2", "gas"))
    bench.order("config", "setReporting", {"recipient": "Cdno", "what": "export", "period": 5})
    assert bench.last("config")["error"]["code"] == "requestUnsupported"


def test_deadlines_are_in_force_at_once_and_after_a_restart(bench: Bench) -> None:
    bench.order("config", "setTimers", {"displayWithin": 30, "consumerDeadline": 60})
    assert bench.at_place("config/timers")[-1] == {"displayWithin": 30, "consumerDeadline": 60}
    bench.power_on()
    order = bench.order("message", "show", {}, "Cbill", "required", message={"text": "Hello"})
    bench.later(29)
    assert bench.states("message", order) == ["validated"]


def test_what_is_read_by_a_clock_that_is_off_is_marked_until_it_is_set(bench: Bench) -> None:
    """R02, section 9: reports carry clock quality."""
    for offset, clock in ((0.0, "good"), (60.0, "good"), (-61.0, "doubtful")):
        conditions.sense(bench.meter.body, {"clockOffset": offset})
        bench.order("read", "readNow", {"what": "registers"}, "Crdr-1")
        assert bench.at_place("readings/registers")[-1]["clock"] == clock
        bench.later(5)
        for series in ("readings/profile", "readings/export", "generation/output", "pq/samples"):
            assert bench.at_place(series)[-1].get("clock", "good") == clock
    bench.order("config", "setTime", {"time": bench.at(0)})
    bench.order("read", "readNow", {"what": "registers"}, "Crdr-1")
    assert bench.at_place("readings/registers")[-1]["clock"] == "good"


def test_the_clock_is_set_and_everything_is_stamped_by_it(bench: Bench) -> None:
    bench.meter.body.plant.sense(clockOffset=-500.0)
    bench.order("config", "setTime", {"time": bench.at(0)})
    event = bench.at_place("events/state")[-1]
    assert (event["type"], event["ts"]) == ("timeSet", bench.at(0))
    assert bench.last("config")["ts"] == bench.at(0)
