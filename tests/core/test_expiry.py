"""Resources end by themselves (procedures 1.2, 1.8; TS-0004 7.3.3.5)."""

from typing import Any

import pytest

from cse.codes import Operation
from cse.codes import ResponseStatusCode as RSC
from cse.datatypes import timestamp
from cse.primitives import Request
from tests.core.tree import AE, ME, POWER, container, contents, of, put, register, seen, world
from tests.drive import Driven


def events(cse: Driven) -> list[Any]:
    """Give what the notices since the last call say: the event type, or "deleted" for the end of a subscription."""
    return [note.get("nev", {}).get("net", "deleted" if note.get("sud") else None) for note in (notice.content["m2m:sgn"] for notice in cse.taken())]


def subscribe(cse: Driven, to: str, *nets: int, **attributes: Any) -> str:
    ri: str = of(cse.create(to, 23, {"m2m:sub": {"nu": ["http://sink:80"], "enc": {"net": list(nets)}, **attributes}}, ME))["ri"]
    return ri


@pytest.mark.parametrize("op", Operation)
def test_a_resource_is_missing_from_the_moment_it_expires(op: Operation) -> None:
    """Whether the CSE has removed it yet or not."""
    cse = world()
    path = container(cse, "brief", et=timestamp(cse.seconds + 10))
    content: dict[str, Any] | None = None if op == Operation.DELETE else {"m2m:cnt": {}}
    request = Request(op, path, ME, "q", "4", ty=3 if op == Operation.CREATE else None, pc=content)
    cse.seconds += 10
    assert cse.request(request).rsc == RSC.NOT_FOUND
    cse.pass_time(0)
    assert cse.request(request).rsc == RSC.NOT_FOUND


def test_the_subtree_goes_too_and_the_rest_stays() -> None:
    cse = world()
    path = container(cse, "brief", et=timestamp(cse.seconds + 10))
    inner = container(cse, "inner", path)
    ri = put(cse, "x", inner)["ri"]
    kept = cse.store.count() - 3
    cse.pass_time(11)
    assert cse.store.count() == kept
    for gone in (path, inner, ri):
        assert cse.retrieve(gone).rsc == RSC.NOT_FOUND
    assert cse.retrieve(POWER).rsc == RSC.OK
    container(cse, "brief")


def test_nothing_goes_before_its_time() -> None:
    cse = world()
    path = container(cse, "brief", et=timestamp(cse.seconds + 10))
    cse.pass_time(9)
    assert cse.retrieve(path, ME).rsc == RSC.OK


def test_a_renewed_resource_stays() -> None:
    cse = world()
    of(register(cse, "Cbrief", rn="brief", et=timestamp(cse.seconds + 10)))
    for _ in range(5):
        cse.pass_time(8)
        of(cse.update("cse-in/brief", {"m2m:ae": {"et": timestamp(cse.seconds + 10)}}, "Cbrief"))
    assert cse.retrieve("cse-in/brief", "Cbrief").rsc == RSC.OK
    cse.pass_time(11)
    assert cse.retrieve("cse-in/brief").rsc == RSC.NOT_FOUND


def test_the_parent_counts_less() -> None:
    cse = world()
    put(cse, "brief", et=timestamp(cse.seconds + 10))
    put(cse, "long")
    before = seen(cse, POWER)
    cse.pass_time(11)
    after = seen(cse, POWER)
    assert (before["cni"], before["cbs"]) == (2, 9)
    assert (after["cni"], after["cbs"], after["st"]) == (1, 4, before["st"] + 1)
    assert contents(cse) == ["long"]


def test_subscribers_are_told_as_of_a_deletion() -> None:
    """The text does not fix it; sending the events 2 and 4 is the safe choice (procedures 1.8)."""
    cse = world()
    path = container(cse, "brief", et=timestamp(cse.seconds + 10))
    subscribe(cse, AE, 4)
    subscribe(cse, path, 2)
    cse.pass_time(11)
    assert sorted(events(cse)) == [2, 4]


def test_the_end_of_a_subscription_is_told_to_its_subscriber() -> None:
    cse = world()
    subscribe(cse, POWER, 3, et=timestamp(cse.seconds + 10), su="http://subscriber:80")
    cse.pass_time(11)
    assert events(cse) == ["deleted"]
    put(cse)
    assert events(cse) == []


def test_the_end_of_an_ae_is_its_deregistration() -> None:
    cse = world()
    of(register(cse, "Cbrief", et=timestamp(cse.seconds + 10)))
    assert cse.retrieve("cse-in", "Cbrief").rsc == RSC.OK
    cse.pass_time(11)
    assert cse.retrieve("cse-in", "Cbrief").rsc == RSC.ORIGINATOR_HAS_NO_PRIVILEGE
    assert register(cse, "Cbrief").rsc == RSC.CREATED


def test_more_than_one_turn_takes_at_once() -> None:
    cse = world(expiration_chunk=3)
    for number in range(10):
        put(cse, str(number), et=timestamp(cse.seconds + 1 + number % 2))
    cse.pass_time(1.5)
    assert seen(cse, POWER)["cni"] == 5
    cse.pass_time(1)
    assert (seen(cse, POWER)["cni"], seen(cse, POWER)["cbs"]) == (0, 0)


def test_the_cse_base_never_ends() -> None:
    cse = world()
    cse.pass_time(10 * 365 * 86400)
    assert "et" not in of(cse.retrieve("cse-in", "CAdmin"))
    assert cse.store.count() == 1


def test_the_next_search_is_due_after_the_interval() -> None:
    cse = world(expiration_check_interval=7.0)
    assert cse.cse.due(cse.seconds) == 7.0
    cse.commit()


@pytest.mark.parametrize("now", [0.0, 253_402_300_000.0])
def test_a_clock_at_either_end_of_all_timestamps_stops_nothing(now: float) -> None:
    """What would end later than the year 9999 ends with it; before, every CREATE was answered with 5000 when the default life reached so far."""
    cse = world()
    cse.seconds = now
    made = of(cse.create("cse-in", 3, {"m2m:cnt": {}}, "CAdmin"))
    assert made["et"] == timestamp(min(now + cse.settings.default_expiration, 253_402_300_799.999999))
    cse.pass_time(1)
