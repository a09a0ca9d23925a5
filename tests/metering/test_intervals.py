"""Interval series: days of 46 and 50 half-hours, sums that are exact, gaps, late points, quality."""

import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.demo.readings import half_hours
from apps.metering.intervals import HALF_HOUR, IntervalFault, Point, Quality, Series, Span, day_bounds, difference, exact_sum, local_day, spread

LONDON, AMSTERDAM, ADELAIDE, KATHMANDU = (ZoneInfo(name) for name in ("Europe/London", "Europe/Amsterdam", "Australia/Adelaide", "Asia/Kathmandu"))
START = datetime(2026, 1, 1, tzinfo=UTC)
EMPTY = Series(HALF_HOUR, "kWh")
DECIMALS = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**9), max_value=10**9, places=4)
QUALITIES = st.sampled_from(Quality)


def at(number: int) -> datetime:
    """Give the start of a half-hour of the year 2026."""
    return START + number * HALF_HOUR


def point(number: int, value: str = "1", quality: Quality = Quality.MEASURED, written: int | None = None) -> Point:
    """Make the value of a half-hour."""
    return Point(at(number), Decimal(value), quality, written=None if written is None else at(written))


def series(*points: Point) -> Series:
    """Make a series of half-hours."""
    return EMPTY.add(points)[0]


@pytest.mark.parametrize(
    ("zone", "day", "count"),
    [
        (LONDON, date(2026, 3, 28), 48),
        (LONDON, date(2026, 3, 29), 46),
        (LONDON, date(2026, 10, 25), 50),
        (AMSTERDAM, date(2026, 3, 29), 46),
        (AMSTERDAM, date(2026, 10, 25), 50),
        (ADELAIDE, date(2026, 4, 5), 50),
        (ADELAIDE, date(2026, 10, 4), 46),
        (KATHMANDU, date(2026, 3, 29), 48),
        (ZoneInfo("America/Havana"), date(2026, 3, 8), 46),
    ],
)
def test_half_hours_of_a_local_day(zone: ZoneInfo, day: date, count: int) -> None:
    starts = local_day(day, zone)
    assert len(starts) == len(set(starts)) == count
    assert all(after - before == HALF_HOUR for before, after in pairwise(starts))
    assert {start.astimezone(zone).date() for start in starts} == {day}
    assert starts[0] == day_bounds(day, zone)[0]
    assert local_day(day, zone, timedelta(minutes=15))[::2] == starts


@given(st.dates(date(2000, 1, 1), date(2037, 12, 30)), st.sampled_from([LONDON, AMSTERDAM, ADELAIDE, KATHMANDU]))
def test_local_days_follow_each_other_without_gap_or_overlap(day: date, zone: ZoneInfo) -> None:
    assert local_day(day, zone)[-1] + HALF_HOUR == local_day(day + timedelta(days=1), zone)[0]


def test_a_year_of_local_days_is_the_year() -> None:
    days = [date(2026, 1, 1) + timedelta(days=number) for number in range(365)]
    points = [Point(start, Decimal("0.1"), written=start) for day in days for start in local_day(day, LONDON)]
    whole = EMPTY.add(points)[0]
    totals = whole.days(LONDON)
    assert list(totals) == days
    assert sorted({total.count for total in totals.values()}) == [46, 48, 50]
    assert totals[date(2026, 3, 29)].value == Decimal("4.6")
    assert totals[date(2026, 10, 25)].value == Decimal("5.0")
    assert exact_sum(total.value for total in totals.values()) == Decimal("0.1") * 365 * 48
    assert all(total.complete for total in totals.values())


def test_a_real_year_adds_up() -> None:
    readings = list(half_hours(0, 365))
    points = [Point(reading.time - HALF_HOUR, Decimal(str(reading.registers[0][1]))) for reading in readings]
    whole, added = EMPTY.add(points)
    assert len(whole) + len(added.kept) == 17_520
    totals = whole.days(LONDON)
    assert exact_sum(total.value for total in totals.values()) == exact_sum(each.value for each in whole)
    # the file keeps one row for either pass of the repeated hour, and has the hour that spring leaves out
    assert whole.day(date(2013, 3, 31), LONDON).count == 46
    assert totals[date(2013, 10, 27)].count + totals[date(2013, 10, 27)].missing == 50


@given(st.lists(DECIMALS, max_size=50))
def test_sums_are_exact(values: list[Decimal]) -> None:
    assert Fraction(exact_sum(values)) == sum(map(Fraction, values), Fraction(0))
    whole = series(*(Point(at(number), value) for number, value in enumerate(values)))
    assert Fraction(whole.total(START, at(50)).value) == sum(map(Fraction, values), Fraction(0))


def test_a_sum_of_the_large_and_the_small_is_exact() -> None:
    assert exact_sum([Decimal("1E+30"), Decimal("1E-30"), Decimal("-1E+30")]) == Decimal("1E-30")
    assert Fraction(difference(Decimal("1E+30"), Decimal("1E-30"))) == 10**30 - Fraction(1, 10**30)


@given(st.permutations(range(20)), st.data())
def test_order_does_not_matter(order: list[int], data: st.DataObject) -> None:
    points = [point(number % 10, str(number), data.draw(QUALITIES), written=number) for number in range(20)]
    assert dict(series(*(points[number] for number in order)).points) == dict(series(*points).points)
    assert list(series(*(points[number] for number in order)).points) == [at(number) for number in range(10)]


@given(QUALITIES, QUALITIES, st.none() | st.integers(0, 3), st.none() | st.integers(0, 3))
def test_a_better_value_replaces_a_lesser_one_and_never_the_other_way(first: Quality, second: Quality, early: int | None, late: int | None) -> None:
    one, other = point(0, "1", first, early), point(0, "2", second, late)
    whole, added = series(one).add([other])
    ranks = list(Quality)
    if ranks.index(second) != ranks.index(first):
        wins = ranks.index(second) > ranks.index(first)
    else:
        wins = late is not None and (early is None or late > early)
    assert whole.points[START] == (other if wins else one)
    assert (added.replaced, added.kept) == (((one,), ()) if wins else ((), (other,)))
    assert added.new == ()


def test_a_measured_value_that_comes_late_fills_the_gap_at_its_original_time() -> None:
    whole = series(point(0, "1"), point(3, "4"))
    assert whole.gaps(START, at(5)) == (Span(at(1), at(3), 2), Span(at(4), at(5), 1))
    estimated = whole.estimated(whole.gaps(START, at(4))[0], Decimal("1.001"))
    assert [(each.start, str(each.value), each.quality) for each in estimated if each.quality is Quality.ESTIMATED] == [
        (at(1), "0.500", Quality.ESTIMATED),
        (at(2), "0.501", Quality.ESTIMATED),
    ]
    total = estimated.total(START, at(4))
    assert (total.value, total.quality, total.complete) == (Decimal("6.001"), Quality.ESTIMATED, True)
    refilled, added = estimated.add([point(2, "0.7", written=9), point(1, "0.3", written=9)])
    assert [each.quality for each in added.replaced] == [Quality.ESTIMATED] * 2
    assert refilled.gaps(START, at(4)) == ()
    assert refilled.total(START, at(4)).quality is Quality.MEASURED
    again = refilled.estimated(Span(at(1), at(3), 2), Decimal(9))
    assert again.points == refilled.points


def test_a_total_says_what_is_missing_and_how_good_it_is() -> None:
    whole = series(point(0, "1"), point(1, "2", Quality.EDITED), point(5, "4", Quality.ESTIMATED))
    total = whole.total(START, at(4))
    assert (total.value, total.quality, total.count, total.missing, total.complete) == (Decimal(3), Quality.EDITED, 2, 2, False)
    assert whole.total(START, at(6)).quality is Quality.ESTIMATED
    assert EMPTY.total(START, at(2)).missing == 2


@given(st.sets(st.integers(0, 60)), st.integers(0, 60), st.integers(0, 60))
def test_gaps_and_values_make_up_the_whole(there: set[int], one: int, other: int) -> None:
    since, until = sorted((one, other))
    whole = series(*(point(number) for number in there))
    gaps = whole.gaps(at(since), at(until))
    missing = {start for gap in gaps for start in EMPTY.starts(gap.start, gap.end)}
    assert missing == {at(number) for number in range(since, until) if number not in there}
    assert all(before.end < after.start for before, after in pairwise(gaps))
    assert sum(gap.count for gap in gaps) == whole.total(at(since), at(until)).missing


@given(st.dictionaries(st.integers(0, 20), DECIMALS), st.dictionaries(st.integers(0, 20), DECIMALS))
def test_net_is_import_minus_export(taken: dict[int, Decimal], given_back: dict[int, Decimal]) -> None:
    imported = series(*(Point(at(number), value) for number, value in taken.items()))
    exported = series(*(Point(at(number), value, Quality.ESTIMATED) for number, value in given_back.items()))
    net = imported.net(exported)
    assert set(net.points) == {at(number) for number in taken.keys() & given_back.keys()}
    for each in net:
        number = (each.start - START) // HALF_HOUR
        assert Fraction(each.value) == Fraction(taken[number]) - Fraction(given_back[number])
        assert each.quality is Quality.ESTIMATED


def test_net_of_what_does_not_fit() -> None:
    with pytest.raises(IntervalFault, match="import is in kWh every 0:30:00, export in Wh every 0:30:00"):
        EMPTY.net(Series(HALF_HOUR, "Wh"))


@given(DECIMALS, st.integers(1, 60), st.integers(0, 4))
def test_parts_add_up(amount: Decimal, count: int, places: int) -> None:
    parts = spread(amount, count, places)
    assert len(parts) == count
    assert exact_sum(parts) == amount
    assert max(parts) - min(parts) <= Decimal(1).scaleb(-max(places, 4))


def test_parts_of_nothing() -> None:
    assert spread(Decimal(5), 0) == ()
    assert spread(Decimal("1E+3"), 3) == (Decimal("333.333"), Decimal("333.333"), Decimal("333.334"))
    with pytest.raises(IntervalFault, match="NaN cannot be divided"):
        spread(Decimal("NaN"), 2)


def test_longer_intervals() -> None:
    fine = Series(timedelta(minutes=15), "kWh").add(Point(START + number * timedelta(minutes=15), Decimal("0.1"), written=at(number)) for number in range(5))[0]
    half = fine.grouped(HALF_HOUR)
    assert {each.start: each.value for each in half} == {at(0): Decimal("0.2"), at(1): Decimal("0.2")}
    assert half.points[at(1)].written == at(3)
    with pytest.raises(IntervalFault, match="intervals of 0:20:00 are not made of intervals of 0:15:00"):
        fine.grouped(timedelta(minutes=20))


def test_intervals_begin_where_the_origin_says() -> None:
    starts = local_day(date(2026, 1, 1), KATHMANDU)
    whole = Series(HALF_HOUR, "kWh", starts[0]).add(Point(start, Decimal(1)) for start in starts)[0]
    assert whole.day(date(2026, 1, 1), KATHMANDU).value == 48
    with pytest.raises(IntervalFault, match="20251231T181500: no interval of 0:30:00 begins then"):
        EMPTY.add([Point(starts[0], Decimal(1))])
    with pytest.raises(IntervalFault, match="no interval"):
        EMPTY.total(START + timedelta(minutes=1), at(1))


def test_values_and_times_that_are_none() -> None:
    with pytest.raises(IntervalFault, match="a time without its zone"):
        Point(datetime(2026, 1, 1), Decimal(1))
    with pytest.raises(IntervalFault, match="the value is NaN"):
        Point(START, Decimal("NaN"))
    with pytest.raises(IntervalFault, match="is no length of an interval"):
        Series(timedelta(0), "kWh")


def test_times_are_universal() -> None:
    assert Point(datetime(2026, 7, 1, 2, tzinfo=AMSTERDAM), Decimal(1)).start == datetime(2026, 7, 1, tzinfo=UTC)
    assert Point(datetime(2026, 7, 1, 2, tzinfo=AMSTERDAM), Decimal("1E+2")).content("kWh") == {
        "ts": "20260701T000000",
        "value": "100",
        "unit": "kWh",
        "quality": "measured",
    }
    assert Point(START, Decimal("0.10"), Quality.EDITED, "F14 32").content("kWh")["flag"] == "F14 32"


def test_many_points_in_any_order() -> None:
    order = random.Random(7).sample(range(2_000), 2_000)
    whole, added = EMPTY.add(point(number, str(number)) for number in order)
    assert [each.value for each in whole] == list(range(2_000))
    assert len(added.new) == 2_000
