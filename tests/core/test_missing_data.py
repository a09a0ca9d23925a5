"""Detection of missing data points and the reports on them (procedures 6.5, 7.2; TS-0001 9.6.36, TS-0004 7.4.38, 7.5.1.2.9)."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cse.codes import ResponseStatusCode as RSC
from cse.datatypes import seconds_of, timestamp
from cse.primitives import Response
from cse.storage import Store, open_store
from cse.structures import TIME_SERIES_NOTIFICATION
from tests.core.tree import AE, ME, POWER, of, register, seen, world
from tests.drive import TYPES, Driven

SERIES = f"{AE}/series"
START = 1_750_000_000.0
"""When the CSE starts, and the generation time of the first instance."""


@pytest.fixture
def cse() -> Driven:
    """A CSE with a series: a point each second within 100 ms, waited for for 300 ms."""
    driven = world()
    of(driven.update(AE, {"m2m:ae": {"poa": ["http://meter.example"]}}, ME))
    watch(driven)
    return driven


def watch(cse: Driven, rn: str = "series", **attributes: Any) -> dict[str, Any]:
    return of(cse.create(AE, 29, {"m2m:ts": {"rn": rn, "pei": 1000, "peid": 100, "mdt": 300, "mdd": True, **attributes}}, ME))


def change(cse: Driven, **attributes: Any) -> dict[str, Any]:
    return of(cse.update(SERIES, {"m2m:ts": attributes}, ME))


def come(cse: Driven, *points: float, to: str = SERIES) -> None:
    """Let instances come whose data were generated so many seconds after the start."""
    for point in points:
        of(cse.create(to, 30, {"m2m:tsi": {"dgt": timestamp(START + point), "con": "x"}}, ME))


def go(cse: Driven, until: float) -> None:
    """Turn the clock to so many seconds after the start, and let the CSE do what is due when it wants to."""
    while cse.seconds < START + until:
        cse.pass_time(min(0.05, START + until - cse.seconds))


def missing(cse: Driven, to: str = SERIES) -> list[float]:
    """Give what is in the list, as seconds after the start."""
    found = seen(cse, to)
    entries = found.get("mdlt", [])
    assert found["mdc"] == len(entries)
    assert entries or "mdlt" not in found, "an empty list is not stored"
    return [round(seconds_of(entry) - START, 6) for entry in entries]


def subscribe(cse: Driven, number: int, duration: str, rn: str = "sub", to: str = SERIES, **more: Any) -> dict[str, Any]:
    criteria = {"net": [8], "md": {"num": number, "dur": duration}, **more.pop("enc", {})}
    return of(cse.create(to, 23, {"m2m:sub": {"rn": rn, "nu": [ME], "enc": criteria, **more}}, ME))


def told(cse: Driven) -> list[list[float]]:
    """Give the lists that were told since the last call."""
    found = []
    for notice in cse.taken():
        event = notice.content["m2m:sgn"]["nev"]
        assert event["net"] == 8
        (content,) = event["rep"].values()
        assert content["mdc"] == len(content["mdlt"])
        found.append([round(seconds_of(entry) - START, 6) for entry in content["mdlt"]])
    return found


# --- the raster --------------------------------------------------------------------------------------------------------------------------------------------


def test_monitoring_starts_with_the_first_instance(cse: Driven) -> None:
    go(cse, 50)
    assert missing(cse) == []
    come(cse, 50.4)
    go(cse, 51.6)
    assert missing(cse) == []
    go(cse, 54)
    assert missing(cse) == [51.4, 52.4, 53.4], "the first instance fixes the raster: its own time and multiples of pei after it"


def test_a_point_is_missing_when_mdt_has_passed_after_its_time(cse: Driven) -> None:
    come(cse, 0)
    go(cse, 1.299)
    assert missing(cse) == []
    cse.pass_time(0.002)
    assert missing(cse) == [1]
    assert seen(cse, SERIES)["mdlt"] == [timestamp(START + 1)]


def test_what_comes_on_time_is_not_missing(cse: Driven) -> None:
    for point in range(6):
        go(cse, point + 0.02)
        come(cse, point)
    go(cse, 6.2)
    assert missing(cse) == []


@pytest.mark.parametrize(("shift", "fits"), [(-0.1, True), (-0.05, True), (0.05, True), (0.1, True), (-0.100001, False), (0.100001, False), (0.5, False)])
def test_the_tolerance(cse: Driven, shift: float, fits: bool) -> None:
    """An instance between the points is kept, and is none of them; one within the tolerance does not move the raster."""
    come(cse, 0)
    go(cse, 0.95)
    come(cse, 1 + shift)
    go(cse, 2.2)
    come(cse, 2)
    go(cse, 3.2)
    assert missing(cse) == ([] if fits else [1])
    assert seen(cse, SERIES)["cni"] == 3


def test_an_instance_may_be_slow_to_come(cse: Driven) -> None:
    come(cse, 0)
    go(cse, 1.25)
    come(cse, 1)
    go(cse, 2.1)
    assert missing(cse) == []


def test_what_comes_when_its_time_is_over_is_missing_however_late_that_is_noticed(cse: Driven) -> None:
    """The moment of detection is that of the clock, not of the last look at it."""
    come(cse, 0)
    cse.seconds = START + 1.3
    come(cse, 1)
    assert missing(cse) == [1]
    cse.seconds = START + 4.5
    come(cse, 4)
    assert missing(cse) == [1, 2, 3, 4]


def test_what_was_reported_stays_in_the_list_when_it_comes_at_last(cse: Driven) -> None:
    come(cse, 0)
    go(cse, 2.5)
    come(cse, 1)
    assert missing(cse) == [1, 2]
    assert seen(cse, SERIES)["cni"] == 2
    assert seen(cse, f"{SERIES}/la")["dgt"] == timestamp(START + 1)


def test_instances_out_of_order_and_ahead_of_time(cse: Driven) -> None:
    come(cse, 0, 3, 2, 6, 7, 5)
    go(cse, 4.2)
    assert missing(cse) == [1]
    go(cse, 7.9)
    assert missing(cse) == [1, 4]
    come(cse, 8, 9, 11)
    go(cse, 12.4)
    assert missing(cse) == [1, 4, 10, 12]


def test_points_before_the_first_are_nobodys(cse: Driven) -> None:
    come(cse, 0, -1, -2, -0.5)
    go(cse, 1.2)
    assert missing(cse) == []


def test_two_instances_of_one_point_are_one_point(cse: Driven) -> None:
    come(cse, 0, 1, 1.01, 0.99, 3, 3.02)
    go(cse, 4.2)
    assert missing(cse) == [2]


def test_relative_generation_times_are_on_the_raster(cse: Driven) -> None:
    for point in range(3):
        go(cse, point + 0.05)
        of(cse.create(SERIES, 30, {"m2m:tsi": {"dgt": -50, "con": "x"}}, ME))
    go(cse, 3.4)
    assert missing(cse) == [3]


@pytest.mark.parametrize("end", ["delete", "push out", "expire"])
def test_a_point_that_has_come_is_not_missing_when_its_instance_goes(cse: Driven, end: str) -> None:
    limits = {"delete": {}, "push out": {"mni": 1}, "expire": {"mia": 1}}
    change(cse, lbl=["limited"], **limits[end])
    come(cse, 0, 1, 2)
    if end == "delete":
        for _ in range(3):
            cse.delete(f"{SERIES}/la", ME)
    go(cse, 2.9)
    assert missing(cse) == []
    assert seen(cse, SERIES)["cni"] == (1 if end == "push out" else 0)


def test_an_instance_that_is_refused_is_no_point(cse: Driven) -> None:
    change(cse, mbs=5)
    come(cse, 0)
    assert cse.create(SERIES, 30, {"m2m:tsi": {"dgt": timestamp(START + 1), "con": "x" * 6}}, ME).rsc == RSC.NOT_ACCEPTABLE
    assert cse.create(SERIES, 30, {"m2m:tsi": {"dgt": timestamp(START), "con": "x"}}, ME).rsc == RSC.CONFLICT
    go(cse, 1.4)
    assert missing(cse) == [1]


def test_without_detection_nothing_is_missing(cse: Driven) -> None:
    watch(cse, "off", mdd=False)
    of(cse.create(AE, 29, {"m2m:ts": {"rn": "bare"}}, ME))
    for rn in ("off", "bare"):
        come(cse, 0, to=f"{AE}/{rn}")
    go(cse, 5)
    assert missing(cse, f"{AE}/off") == missing(cse, f"{AE}/bare") == []


# --- the list ----------------------------------------------------------------------------------------------------------------------------------------------


def test_of_a_full_list_the_oldest_entry_goes(cse: Driven) -> None:
    change(cse, mdd=False)
    change(cse, mdn=3)
    change(cse, mdd=True)
    come(cse, 0)
    go(cse, 5.4)
    assert missing(cse) == [3, 4, 5]
    change(cse, mdd=False)
    change(cse, mdn=2)
    assert missing(cse) == [4, 5]


def test_the_list_of_a_series_without_limit_and_a_long_silence(cse: Driven) -> None:
    """After days of silence, or with a clock that was wrong, the newest thousand points are looked at."""
    subscribe(cse, 1, "PT1S")
    come(cse, 0)
    days = 20 * 86400
    cse.pass_time(days + 0.5)
    assert missing(cse) == list(range(days - 999, days + 1))
    assert told(cse) == [missing(cse)], "points that are found missing together are told together"
    go(cse, days + 1.4)
    assert missing(cse) == list(range(days - 998, days + 2))
    come(cse, days + 2)
    go(cse, days + 3.2)
    assert missing(cse)[-1] == days + 1


def test_data_of_long_ago_are_missing_at_once(cse: Driven) -> None:
    """The raster is that of the generation times."""
    come(cse, -3.5)
    go(cse, 0.1)
    assert missing(cse) == [-2.5, -1.5, -0.5]


def test_a_clock_that_is_put_back_waits_until_the_time_comes_again(cse: Driven) -> None:
    come(cse, 0)
    go(cse, 2.5)
    assert missing(cse) == [1, 2]
    cse.seconds = START - 3600
    go(cse, -3590)
    assert missing(cse) == [1, 2]
    go(cse, 3.5)
    assert missing(cse) == [1, 2, 3]


def test_switching_off_and_on(cse: Driven) -> None:
    """To false: it stops and the list stays. To true: the list is emptied and monitoring begins anew with the next instance."""
    come(cse, 0)
    go(cse, 2.5)
    found = change(cse, mdd=False)
    assert (found["mdc"], len(found["mdlt"])) == (2, 2)
    come(cse, 2.7)
    go(cse, 6)
    assert missing(cse) == [1, 2]
    found = change(cse, mdd=True)
    assert (found["mdc"], found.get("mdlt")) == (0, None)
    go(cse, 9)
    assert missing(cse) == []
    come(cse, 9.25)
    go(cse, 11.6)
    assert missing(cse) == [10.25, 11.25]


@pytest.mark.parametrize("value", [False, None])
def test_switching_off_by_removal_too(cse: Driven, value: bool | None) -> None:
    come(cse, 0)
    change(cse, mdd=value)
    go(cse, 5)
    assert missing(cse) == []


def test_switching_on_what_is_on_changes_nothing(cse: Driven) -> None:
    come(cse, 0)
    go(cse, 1.5)
    change(cse, mdd=True)
    go(cse, 2.5)
    assert missing(cse) == [1, 2]


def test_other_settings_count_from_the_next_monitoring(cse: Driven) -> None:
    come(cse, 0)
    change(cse, mdd=False)
    change(cse, pei=2000, peid=1000, mdt=1001)
    change(cse, mdd=True)
    come(cse, 0.5)
    go(cse, 3)
    come(cse, 3.4)
    go(cse, 7.6)
    assert missing(cse) == [4.5, 6.5], "3.4 is within a second of 2.5"


def test_a_series_that_has_expired_or_gone_reports_nothing(cse: Driven) -> None:
    watch(cse, "brief", et=timestamp(START + 1.2))
    watch(cse, "gone")
    for rn in ("brief", "gone"):
        subscribe(cse, 1, "PT1S", to=f"{AE}/{rn}")
        come(cse, 0, to=f"{AE}/{rn}")
    assert cse.delete(f"{AE}/gone", ME).rsc == RSC.DELETED
    cse.pass_time(5)
    assert told(cse) == []
    assert cse.retrieve(f"{AE}/brief").rsc == RSC.NOT_FOUND


def test_many_series_at_once(cse: Driven) -> None:
    """More than are looked at in one transaction."""
    for number in range(600):
        watch(cse, f"s{number}")
        come(cse, 0, to=f"{AE}/s{number}")
    cse.pass_time(1.5)
    assert all(missing(cse, f"{AE}/s{number}") == [1] for number in range(600))


def test_series_that_wait_for_long_are_left_alone_when_one_is_due(cse: Driven) -> None:
    for number in range(50):
        watch(cse, f"s{number}", pei=10**9, peid=0)
        come(cse, 0, to=f"{AE}/s{number}")
    come(cse, 0)
    before = [cse.cse.reader.get(seen(cse, f"{AE}/s{number}")["ri"]) for number in range(50)]
    go(cse, 1.4)
    assert missing(cse) == [1]
    after = [cse.cse.reader.get(seen(cse, f"{AE}/s{number}")["ri"]) for number in range(50)]
    assert after == before


# --- restart -----------------------------------------------------------------------------------------------------------------------------------------------


Restart = Callable[[Driven], Driven]


@pytest.fixture(params=["memory", "sqlite", "tinydb"])
def restart(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Restart]:
    """Stop a CSE, if there is one, and start it again on its store."""
    url = "memory:" if request.param == "memory" else f"{request.param}:///{tmp_path}/store"
    instances = frozenset(kind.ty for kind in TYPES if kind.instance)
    stores: list[Store] = []

    def again(before: Driven | None) -> Driven:
        if stores and request.param != "memory":
            stores.pop().close()
        if not stores:
            stores.append(open_store(url, instances))
        return Driven(store=stores[0], seconds=before.seconds if before else START)

    first = again(None)
    register(first, ME, rn="meter", poa=["http://meter.example"])
    watch(first)
    yield again
    stores[0].close()


def test_detection_goes_on_after_a_restart(restart: Restart) -> None:
    cse = restart(Driven())
    subscribe(cse, 3, "PT10S")
    come(cse, 0, 3)
    go(cse, 2.1)
    assert missing(cse) == [1]
    cse = restart(cse)
    cse.pass_time(0)
    assert missing(cse) == [1]
    go(cse, 4.2)
    assert missing(cse) == [1, 2]
    cse.seconds += 2
    cse = restart(cse)
    cse.pass_time(0)
    assert missing(cse) == [1, 2, 4, 5], "and what was missed while it was stopped"
    assert told(cse) == [[1, 2, 4, 5]]
    come(cse, 6)
    with_duplicate = cse.create(SERIES, 30, {"m2m:tsi": {"dgt": timestamp(START + 3), "con": "x"}}, ME)
    assert with_duplicate.rsc == RSC.CONFLICT
    go(cse, 7.4)
    assert told(cse) == [[1, 2, 4, 5, 7]]


# --- reports -----------------------------------------------------------------------------------------------------------------------------------------------


def test_what_a_report_looks_like(cse: Driven) -> None:
    made = subscribe(cse, 1, "PT1M")
    assert made["nct"] == 5
    come(cse, 0)
    go(cse, 1.4)
    (notice,) = cse.taken()
    event = notice.content["m2m:sgn"]["nev"]
    assert notice.content["m2m:sgn"]["sur"] == f"/id-in/{made['ri']}"
    assert event == {"net": 8, "rep": {"m2m:tsn": {"mdlt": [timestamp(START + 1)], "mdc": 1}}}
    TIME_SERIES_NOTIFICATION.check(event["rep"]["m2m:tsn"])


def test_a_report_comes_when_enough_points_are_missing_and_with_each_that_follows(cse: Driven) -> None:
    subscribe(cse, 3, "PT1M")
    come(cse, 0)
    go(cse, 2.9)
    assert told(cse) == []
    go(cse, 3.4)
    assert told(cse) == [[1, 2, 3]]
    go(cse, 4.4)
    assert told(cse) == [[1, 2, 3, 4]]
    come(cse, 5)
    go(cse, 5.9)
    assert told(cse) == []
    go(cse, 6.4)
    assert told(cse) == [[1, 2, 3, 4, 6]]


def test_after_its_window_the_count_begins_anew_with_the_next_missing_point(cse: Driven) -> None:
    """Windows of 2.5 seconds, opened at 1, 5 and 9."""
    subscribe(cse, 3, "PT2.5S")
    come(cse, 0, 4, 8)
    go(cse, 3.9)
    assert told(cse) == [[1, 2, 3]]
    go(cse, 6.9)
    assert told(cse) == []
    go(cse, 7.9)
    assert told(cse) == [[1, 2, 3, 5, 6, 7]]
    come(cse, 10, 11)
    go(cse, 12.9)
    assert told(cse) == [], "9 and 12 are in two windows"


def test_a_point_at_the_end_of_the_window_is_in_it(cse: Driven) -> None:
    subscribe(cse, 3, "PT2S")
    come(cse, 0)
    go(cse, 3.4)
    assert told(cse) == [[1, 2, 3]]
    go(cse, 5.4)
    assert told(cse) == [], "the second window was opened by 4"
    go(cse, 6.4)
    assert len(told(cse)) == 1


def test_every_subscription_has_a_window_of_its_own(cse: Driven) -> None:
    subscribe(cse, 1, "PT1S", "each")
    subscribe(cse, 2, "PT0.5S", "never")
    come(cse, 0)
    go(cse, 2.4)
    subscribe(cse, 2, "PT1M", "two")
    go(cse, 4.4)
    names = {seen(cse, f"{SERIES}/{rn}")["ri"]: rn for rn in ("each", "never", "two")}
    heard = [(names[notice.subscription], notice.content["m2m:sgn"]["nev"]["rep"]["m2m:tsn"]["mdc"]) for notice in cse.taken()]
    assert heard == [("each", 1), ("each", 2), ("each", 3), ("each", 4), ("two", 4)]


def test_a_report_is_due_when_an_instance_shows_what_is_missing(cse: Driven) -> None:
    subscribe(cse, 2, "PT1M")
    come(cse, 0)
    cse.seconds = START + 2.5
    come(cse, 3)
    assert told(cse) == [[1, 2]]


def test_new_windows_after_switching_on(cse: Driven) -> None:
    subscribe(cse, 3, "PT1H")
    come(cse, 0)
    go(cse, 2.4)
    change(cse, mdd=False)
    change(cse, mdd=True)
    come(cse, 3)
    go(cse, 5.4)
    assert told(cse) == []
    go(cse, 6.4)
    assert told(cse) == [[4, 5, 6]]


def test_a_subscription_that_is_used_up(cse: Driven) -> None:
    subscribe(cse, 1, "PT1M", exc=2)
    come(cse, 0)
    go(cse, 5)
    assert told(cse) == [[1], [1, 2]]
    assert cse.retrieve(f"{SERIES}/sub").rsc == RSC.NOT_FOUND


def test_policies_of_subscriptions_apply(cse: Driven) -> None:
    subscribe(cse, 1, "PT1M", bn={"num": 2})
    come(cse, 0)
    go(cse, 2.4)
    (notice,) = cse.taken()
    assert [each["nev"]["rep"]["m2m:tsn"]["mdc"] for each in notice.content["m2m:agn"]["m2m:sgn"]] == [1, 2]


def test_conditions_are_tested_on_the_series(cse: Driven) -> None:
    subscribe(cse, 1, "PT1M", "before", enc={"crb": timestamp(START - 1)})
    subscribe(cse, 1, "PT1M", "after", enc={"cra": timestamp(START - 1)})
    come(cse, 0)
    go(cse, 1.4)
    assert [notice.subscription for notice in cse.taken()] == [seen(cse, f"{SERIES}/after")["ri"]]


def test_missing_points_are_no_update(cse: Driven) -> None:
    """The list and its number are kept by the CSE as counters are."""
    of(cse.create(SERIES, 23, {"m2m:sub": {"nu": [ME], "enc": {"net": [1]}}}, ME))
    come(cse, 0)
    before = seen(cse, SERIES)
    go(cse, 2.4)
    assert missing(cse) == [1, 2]
    assert seen(cse, SERIES)["lt"] == before["lt"]
    assert list(cse.taken()) == []


def test_a_subscriber_to_changes_sees_that_the_list_was_emptied(cse: Driven) -> None:
    come(cse, 0)
    go(cse, 1.4)
    change(cse, mdd=False)
    of(cse.create(SERIES, 23, {"m2m:sub": {"nu": [ME], "enc": {"net": [1]}, "nct": 2}}, ME))
    change(cse, mdd=True)
    (notice,) = cse.taken()
    shown = notice.content["m2m:sgn"]["nev"]["rep"]["m2m:ts"]
    assert (shown["mdd"], shown["mdc"], shown["mdlt"]) == (True, 0, None)


@pytest.mark.parametrize(
    ("to", "attributes", "named"),
    [
        (SERIES, {"enc": {"net": [8]}}, "enc.md"),
        (SERIES, {"enc": {"net": [8], "md": {"num": 1}}}, "dur"),
        (SERIES, {"enc": {"net": [8], "md": {"dur": "PT1S"}}}, "num"),
        (SERIES, {"enc": {"net": [8], "md": {"num": 0, "dur": "PT1S"}}}, "num"),
        (SERIES, {"enc": {"net": [8], "md": {"num": 1, "dur": "1 second"}}}, "dur"),
        (SERIES, {"enc": {"net": [1], "md": {"num": 1, "dur": "PT1S"}}}, "enc.md"),
        (SERIES, {"enc": {"net": [8], "md": {"num": 1, "dur": "PT1S"}}, "nct": 1}, "nct"),
        (SERIES, {"enc": {"net": [3], "chty": [4]}}, "chty"),
        (SERIES, {"enc": {"net": [5]}}, "net 5"),
        (SERIES, {"enc": {"net": [1, 8], "md": {"num": 1, "dur": "PT1S"}}}, "nct"),
        (POWER, {"enc": {"net": [8], "md": {"num": 1, "dur": "PT1S"}}}, "timeSeries"),
    ],
    ids=str,
)
def test_subscriptions_that_are_refused(cse: Driven, to: str, attributes: dict[str, Any], named: str) -> None:
    response: Response = cse.create(to, 23, {"m2m:sub": {"rn": "sub", "nu": [ME], **attributes}}, ME)
    assert response.rsc == RSC.BAD_REQUEST
    assert named in response.pc["m2m:dbg"]
    assert cse.retrieve(f"{to}/sub").rsc == RSC.NOT_FOUND
