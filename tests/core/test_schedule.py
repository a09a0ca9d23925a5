"""Schedules: which seconds are open, and which is the next one (TS-0004 7.4.9)."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cse.schedule import parse


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("schedule", "moment", "open_"),
    [
        ("* * * * * * *", "2026-05-17T08:15:00", True),
        ("0 15 8 17 5 0 2026", "2026-05-17T08:15:00", True),
        ("0 15 8 17 5 0 2026", "2026-05-17T08:15:01", False),
        ("0 15 8 17 5 0 2026", "2026-05-17T08:15:00.9", True),
        ("0 15 8 17 5 1 2026", "2026-05-17T08:15:00", False),
        ("* * 8-17 * * 1-5 *", "2026-05-18T17:59:59", True),
        ("* * 8-17 * * 1-5 *", "2026-05-18T18:00:00", False),
        ("* * 8-17 * * 1-5 *", "2026-05-17T12:00:00", False),
        ("*/15 * * * * * *", "2026-05-17T12:00:45", True),
        ("*/15 * * * * * *", "2026-05-17T12:00:46", False),
        ("* 10-30/10 * * * * *", "2026-05-17T12:20:00", True),
        ("* 10-30/10 * * * * *", "2026-05-17T12:25:00", False),
        ("* 5,7,20-22 * * * * *", "2026-05-17T12:21:00", True),
        ("* * * 1 * 1 *", "2026-06-01T00:00:00", True),
        ("* * * 1 * 1 *", "2026-06-08T00:00:00", False),
        ("* * * * * * 2025", "2026-06-01T00:00:00", False),
    ],
)
def test_a_moment_is_open_when_all_fields_fit(schedule: str, moment: str, open_: bool) -> None:
    assert parse(schedule).open_at(at(moment)) is open_


@pytest.mark.parametrize(
    ("schedule", "named"),
    [
        ("60 * * * * * *", "second"),
        ("* 60 * * * * *", "minute"),
        ("* * 24 * * * *", "hour"),
        ("* * * 0 * * *", "day of month"),
        ("* * * * 13 * *", "month"),
        ("* * * * * 7 *", "day of week"),
        ("* * * * * * 1066", "year"),
        ("* 30-10 * * * * *", "minute"),
        ("* */0 * * * * *", "minute"),
        ("* * * * * *", "seven fields"),
        ("* * * * * * * *", "seven fields"),
        ("* 5/2 * * * * *", "seven fields"),
        ("* , * * * * *", "seven fields"),
        ("* x * * * * *", "seven fields"),
        ("", "seven fields"),
    ],
)
def test_what_is_no_schedule_is_refused_by_name(schedule: str, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        parse(schedule)


@pytest.mark.parametrize(
    ("schedule", "after", "wanted"),
    [
        ("* * * * * * *", "2026-05-17T08:15:00.5", "2026-05-17T08:15:00.5"),
        ("0 0 * * * * *", "2026-05-17T08:15:00", "2026-05-17T09:00:00"),
        ("0 0 8 * * * *", "2026-05-17T08:15:00", "2026-05-18T08:00:00"),
        ("30 * * * * * *", "2026-05-17T08:15:30.2", "2026-05-17T08:15:30.2"),
        ("30 * * * * * *", "2026-05-17T08:15:31", "2026-05-17T08:16:30"),
        ("0 0 0 1 1 * *", "2026-12-31T23:59:59.5", "2027-01-01T00:00:00"),
        ("0 0 0 31 * * *", "2026-04-01T00:00:00", "2026-05-31T00:00:00"),
        ("0 0 0 29 2 * *", "2026-05-17T00:00:00", "2028-02-29T00:00:00"),
        ("0 0 0 29 2 4 *", "2026-05-17T00:00:00", "2052-02-29T00:00:00"),
        ("0 0 0 29 2 * *", "2097-01-01T00:00:00", "2104-02-29T00:00:00"),
        ("* * * * * * 2030", "2026-05-17T00:00:00", "2030-01-01T00:00:00"),
        ("0 0 0 30 2 * *", "2026-05-17T00:00:00", None),
        ("* * * 29 2 * 2027", "2026-05-17T00:00:00", None),
        ("* * * * * * 2025", "2026-05-17T00:00:00", None),
        ("0 0 0 1 1 * 2026", "2026-01-01T00:00:01", None),
    ],
)
def test_the_next_open_moment(schedule: str, after: str, wanted: str | None) -> None:
    assert parse(schedule).next_open(at(after)) == (None if wanted is None else at(wanted))


def test_moments_outside_of_the_calendar_are_closed() -> None:
    always = parse("* * * * * * *")
    for moment in (-1.0, 1e12, 1e300, float("inf"), float("nan")):
        assert not always.open_at(moment)
    assert always.next_open(-1e300) == 0
    for moment in (1e12, float("inf"), float("nan")):
        assert always.next_open(moment) is None


def field(low: int, high: int) -> st.SearchStrategy[tuple[str, frozenset[int]]]:
    """A part of a field's text with the numbers it stands for, told independently of the reader under test."""

    @st.composite
    def part(draw: st.DrawFn) -> tuple[str, frozenset[int]]:
        first = draw(st.integers(low, high))
        last = draw(st.integers(first, high))
        step = draw(st.integers(1, 9))
        return draw(
            st.sampled_from(
                [
                    ("*", frozenset(range(low, high + 1))),
                    (f"{first}", frozenset({first})),
                    (f"{first}-{last}", frozenset(range(first, last + 1))),
                    (f"*/{step}", frozenset(n for n in range(low, high + 1) if (n - low) % step == 0)),
                    (f"{first}-{last}/{step}", frozenset(n for n in range(first, last + 1) if (n - first) % step == 0)),
                ]
            )
        )

    return st.lists(part(), min_size=1, max_size=3).map(lambda parts: (",".join(text for text, _ in parts), frozenset[int]().union(*(n for _, n in parts))))


CLOCK = st.tuples(field(0, 59), field(0, 59), field(0, 23))
CALENDAR = st.tuples(field(1, 31), field(1, 12), field(0, 6))
MOMENTS = st.datetimes(datetime(2024, 1, 1), datetime(2032, 12, 31)).map(lambda moment: moment.replace(tzinfo=UTC))


@given(CLOCK, CALENDAR, MOMENTS)
def test_open_at_agrees_with_the_numbers_of_each_field(
    clock: tuple[tuple[str, frozenset[int]], ...], calendar: tuple[tuple[str, frozenset[int]], ...], moment: datetime
) -> None:
    fields = (*clock, *calendar)
    values = (moment.second, moment.minute, moment.hour, moment.day, moment.month, (moment.weekday() + 1) % 7)
    wanted = all(value in numbers for value, (_, numbers) in zip(values, fields, strict=True))
    assert parse(" ".join(text for text, _ in fields) + " *").open_at(moment.timestamp()) is wanted


@settings(deadline=None)
@given(CLOCK, MOMENTS)
def test_next_open_is_the_first_second_that_brute_force_finds(clock: tuple[tuple[str, frozenset[int]], ...], moment: datetime) -> None:
    seconds, minutes, hours = (numbers for _, numbers in clock)
    start = moment.replace(microsecond=0)
    day = start.replace(hour=0, minute=0, second=0)
    times = (day + timedelta(days=d, hours=h, minutes=m, seconds=s) for d in (0, 1) for h in sorted(hours) for m in sorted(minutes) for s in sorted(seconds))
    wanted = next(time for time in times if time >= start)
    assert parse(" ".join(text for text, _ in clock) + " * * * *").next_open(start.timestamp()) == wanted.timestamp()


@given(CALENDAR, MOMENTS)
def test_next_open_day_is_the_first_that_brute_force_finds(calendar: tuple[tuple[str, frozenset[int]], ...], moment: datetime) -> None:
    days, months, weekdays = (numbers for _, numbers in calendar)
    start = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    candidates = (start + timedelta(days=n) for n in range(41 * 366))
    wanted = next((day for day in candidates if day.day in days and day.month in months and (day.weekday() + 1) % 7 in weekdays), None)
    found = parse("0 0 0 " + " ".join(text for text, _ in calendar) + " *").next_open(start.timestamp())
    assert found == (None if wanted is None else wanted.timestamp())
