"""Concurrent clients see one container that does one thing after the other; and the checker sees when that is not so."""

from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from tests.faults.server import serving
from tests.reliability.concurrent import check, histories_of, overlapping
from tests.reliability.histories import Event, State, order_of

# Two clients: the first put overlaps the second, a read comes after both.
SOUND = [
    Event(0.0, 2.0, "put", ("a", 1), 1),
    Event(1.0, 3.0, "put", ("b", 1), 2),
    Event(2.5, 4.0, "latest", None, "a"),
    Event(5.0, 6.0, "read", None, (2, 2, 2)),
    Event(7.0, 8.0, "latest", None, "b"),
    Event(8.5, 9.0, "take oldest", None, "a"),
    Event(9.5, 9.9, "list", None, ("b",)),
]


def test_a_sound_history_has_an_order() -> None:
    order = order_of(SOUND, State())
    assert order is not None
    assert [event.told for event in order] == [1, "a", 2, (2, 2, 2), "b", "a", ("b",)]


@pytest.mark.parametrize(
    ("place", "told"),
    [
        pytest.param(1, 1, id="two instances have the same stateTag"),
        pytest.param(3, (2, 1, 1), id="an update of the counters is lost"),
        pytest.param(3, (1, 1, 1), id="a read gives what was before an acknowledged change"),
        pytest.param(4, "a", id="la is stale"),
        pytest.param(5, "b", id="ol is not the oldest"),
        pytest.param(6, ("a", "b"), id="what was deleted is there again"),
        pytest.param(3, (2, 2, 3), id="the bytes are counted wrong"),
    ],
)
def test_a_doctored_history_has_none(place: int, told: object) -> None:
    doctored = [replace(event, told=told) if index == place else event for index, event in enumerate(SOUND)]
    assert order_of(doctored, State()) is None


def test_a_limit_that_is_not_kept_is_seen() -> None:
    history = [Event(0.0, 1.0, "put", ("a", 1), 1), Event(2.0, 3.0, "put", ("b", 1), 2)]
    assert order_of([*history, Event(4.0, 5.0, "read", None, (2, 1, 1))], State(most=1)) is not None
    assert order_of([*history, Event(4.0, 5.0, "read", None, (2, 2, 2))], State(most=1)) is None


async def test_concurrent_clients_see_linearisable_containers(tmp_path: Path) -> None:
    async with serving(tmp_path / "cse.db") as served:
        histories = await histories_of(served, 40, Random())
        assert sum(map(overlapping, histories.values())) > 0
        check(histories)
        # the same histories with one answer of each changed: the checker is not blind to what a real server says
        for name, history in histories.items():
            doctored = list(history)
            place = next(index for index, event in enumerate(doctored) if event.what == "put")
            doctored[place] = replace(doctored[place], told=doctored[place].told + 1)
            with pytest.raises(AssertionError, match=name):
                check({**histories, name: doctored})
        assert "Traceback" not in served.log
