"""container (procedures 6.1; TS-0001 9.6.6, TS-0004 7.4.6)."""

from typing import Any

import pytest

from cse.codes import Operation
from cse.codes import ResponseStatusCode as RSC
from cse.datatypes import timestamp
from cse.primitives import Request, Turn
from tests.core.tree import AE, ME, OTHER, POWER, container, contents, of, policy, put, rule, seen, world
from tests.drive import Driven


def counted(cse: Driven, path: str = POWER) -> tuple[int, int]:
    found = seen(cse, path)
    return found["cni"], found["cbs"]


def limit(cse: Driven, path: str = POWER, **limits: Any) -> dict[str, Any]:
    return of(cse.update(path, {"m2m:cnt": limits}, ME))


def test_a_new_container_is_empty() -> None:
    cse = world()
    new = seen(cse, container(cse, "new"))
    assert (new["cni"], new["cbs"], new["st"], new["disr"]) == (0, 0, 0, False)


# --- limits ------------------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", ["mni", "mbs", "mia"])
@pytest.mark.parametrize(("value", "right"), [(0, True), (5, True), (2**63 - 1, True), (-1, False), ("5", False), (5.5, False), (True, False), (None, False)])
def test_limits_are_whole_numbers(limit: str, value: Any, right: bool) -> None:
    response = world().create(AE, 3, {"m2m:cnt": {limit: value}}, ME)
    assert response.rsc == (RSC.CREATED if right else RSC.BAD_REQUEST)
    assert not right or of(response)[limit] <= value


@pytest.mark.parametrize("limits", [{"mni": 3}, {"mbs": 9}, {"mni": 3, "mbs": 1000}, {"mni": 1000, "mbs": 11}])
def test_the_oldest_instances_go_when_a_limit_would_be_exceeded(limits: dict[str, Any]) -> None:
    cse = world()
    path = container(cse, "limited", **limits)
    for con in ("aaa", "bbb", "ccc", "ddd", "eee"):
        put(cse, con, path)
        assert counted(cse, path)[0] == len(contents(cse, path)) <= 3
        assert counted(cse, path)[1] == sum(map(len, contents(cse, path))) <= limits.get("mbs", 9)
    assert contents(cse, path) == ["ccc", "ddd", "eee"]


def test_several_small_instances_make_room_for_a_large_one() -> None:
    cse = world()
    path = container(cse, "limited", mbs=10)
    for con in ("aaa", "bbb", "ccc", "dddddddd"):
        put(cse, con, path)
    assert contents(cse, path) == ["dddddddd"]
    assert counted(cse, path) == (1, 8)


def test_the_new_instance_stays_even_where_the_limit_is_none_at_all() -> None:
    cse = world()
    path = container(cse, "limited", mni=0)
    for con in ("1", "2"):
        put(cse, con, path)
        assert contents(cse, path) == [con]
        assert counted(cse, path) == (1, 1)


def test_making_room_is_no_event() -> None:
    """The subscriber to deleted children hears of deletions by request, not of those by limits (procedures 6.2, 7.2)."""
    cse = world()
    path = container(cse, "limited", mni=1)
    of(cse.create(path, 23, {"m2m:sub": {"nu": ["http://sink:80"], "enc": {"net": [4]}}}, ME))
    put(cse, "1", path)
    put(cse, "2", path)
    assert list(cse.taken()) == []
    assert cse.delete(f"{path}/la", ME).rsc == RSC.DELETED
    assert [notice.content["m2m:sgn"]["nev"]["net"] for notice in cse.taken()] == [4]


@pytest.mark.parametrize(
    ("limits", "left"),
    [
        ({"mni": 2}, ["ddd", "ee"]),
        ({"mbs": 5}, ["ddd", "ee"]),
        ({"mbs": 4}, ["ee"]),
        ({"mni": 4, "mbs": 8}, ["ccc", "ddd", "ee"]),
        ({"mni": 99}, ["aaa", "bbb", "ccc", "ddd", "ee"]),
        ({"mbs": 0}, []),
    ],
)
def test_a_lower_limit_counts_at_once(limits: dict[str, Any], left: list[str]) -> None:
    cse = world()
    for con in ("aaa", "bbb", "ccc", "ddd", "ee"):
        put(cse, con)
    shown = limit(cse, **limits)
    assert (shown["cni"], shown["cbs"]) == counted(cse) == (len(left), sum(map(len, left)))
    assert contents(cse) == left


def test_limits_that_are_removed_do_not_count_any_more() -> None:
    cse = world()
    path = container(cse, "limited", mni=1, mbs=3)
    limit(cse, path, mni=None, mbs=None)
    for con in ("aaaa", "bbbb"):
        put(cse, con, path)
    assert contents(cse, path) == ["aaaa", "bbbb"]


def test_the_age_of_instances_is_limited() -> None:
    """maxInstanceAge: an instance expires that many seconds after its creation, or earlier when it says so itself."""
    cse = world()
    path = container(cse, "limited", mia=60)
    assert put(cse, "1", path)["et"] == timestamp(cse.seconds + 60)
    assert put(cse, "2", path, et=timestamp(cse.seconds + 600))["et"] == timestamp(cse.seconds + 60)
    assert put(cse, "3", path, et=timestamp(cse.seconds + 30))["et"] == timestamp(cse.seconds + 30)
    cse.pass_time(31)
    assert contents(cse, path) == ["1", "2"]
    cse.pass_time(30)
    assert counted(cse, path) == (0, 0)


@pytest.mark.parametrize("age", [2**31, 2**40, 2**63 - 1])
def test_an_age_that_is_never_reached(age: int) -> None:
    cse = world()
    path = container(cse, "limited", mia=age)
    parent = seen(cse, path)["et"]
    assert put(cse, "1", path)["et"] == parent
    limit(cse, path, mia=age - 1)
    assert contents(cse, path) == ["1"]


def test_a_new_age_counts_for_the_instances_that_are_there() -> None:
    cse = world()
    put(cse, "old")
    cse.seconds += 100
    young = put(cse, "young")
    shown = limit(cse, mia=50)
    assert (shown["cni"], shown["cbs"]) == counted(cse) == (1, 5)
    assert contents(cse) == ["young"]
    assert seen(cse, young["ri"])["et"] == timestamp(cse.seconds + 50)


# --- counters ----------------------------------------------------------------------------------------------------------------------------------------------


def test_only_instances_count() -> None:
    cse = world()
    inner = container(cse, "inner", POWER)
    of(cse.create(POWER, 23, {"m2m:sub": {"nu": ["http://sink:80"]}}, ME))
    put(cse, "12345", inner)
    assert counted(cse) == (0, 0)
    put(cse, "123")
    assert counted(cse) == (1, 3)
    cse.delete(inner, ME)
    assert counted(cse) == (1, 3)


def test_counters_agree_with_what_is_there_after_any_change() -> None:
    cse = world()
    limit(cse, mni=4, mbs=30)
    for number in range(12):
        put(cse, "x" * (number % 7), rn=f"i{number}")
        if number % 3 == 2:
            assert cse.delete(f"{POWER}/{('la', 'ol', f'i{number - 1}')[number % 9 // 3]}", ME).rsc == RSC.DELETED
        found = contents(cse)
        assert counted(cse) == (len(found), sum(map(len, found)))


def test_the_state_tag_counts_every_modification() -> None:
    """stateTag: 0 at first, one more for every UPDATE and every instance that comes or is deleted; lastModifiedTime is for UPDATEs alone."""
    cse = world()
    created = seen(cse, POWER)["lt"]
    cse.seconds += 5
    assert [put(cse)["st"] for _ in range(3)] == [1, 2, 3]
    assert (seen(cse, POWER)["st"], seen(cse, POWER)["lt"]) == (3, created)
    cse.delete(f"{POWER}/ol", ME)
    assert seen(cse, POWER)["st"] == 4
    assert limit(cse, lbl=["a"])["st"] == 5
    assert seen(cse, POWER)["lt"] == timestamp(cse.seconds)
    assert put(cse)["st"] == 6


# --- disableRetrieval --------------------------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def closed() -> Driven:
    """power has two instances and disableRetrieval."""
    cse = world()
    put(cse, "1", rn="first")
    put(cse, "2")
    limit(cse, disr=True)
    return cse


@pytest.mark.parametrize("name", ["first", "la", "ol", "la#con", "first#con"])
@pytest.mark.parametrize("fr", [ME, "CAdmin"])
def test_instances_cannot_be_retrieved(closed: Driven, name: str, fr: str) -> None:
    assert closed.retrieve(f"{POWER}/{name}", fr).rsc == RSC.OPERATION_NOT_ALLOWED


@pytest.mark.parametrize("name", ["la", "ol"])
def test_latest_and_oldest_cannot_be_deleted(closed: Driven, name: str) -> None:
    assert closed.delete(f"{POWER}/{name}", ME).rsc == RSC.OPERATION_NOT_ALLOWED
    assert counted(closed) == (2, 2)


def test_instances_are_not_shown(closed: Driven) -> None:
    container(closed, "inner", POWER)
    for path, key in ((POWER, "m2m:cnt"), (AE, "m2m:ae")):
        for rcn in (4, 8):
            assert "m2m:cin" not in str(closed.retrieve(path, ME, rcn=rcn).pc)
        assert {found["typ"] for found in closed.retrieve(path, ME, rcn=5).pc[key]["ch"]} == {3}
        assert {found["typ"] for found in closed.retrieve(path, ME, rcn=6).pc["m2m:rrl"]["rrf"]} == {3}
        assert closed.retrieve(path, ME, fc={"fu": 1, "ty": [4]}).pc == {"m2m:uril": []}


def test_who_has_no_privilege_does_not_learn_of_it(closed: Driven) -> None:
    for name in ("first", "la", "ol"):
        assert closed.retrieve(f"{POWER}/{name}", OTHER).rsc == RSC.ORIGINATOR_HAS_NO_PRIVILEGE


def test_instances_still_come_and_count(closed: Driven) -> None:
    assert put(closed, "333")["con"] == "333"
    assert counted(closed) == (3, 5)


@pytest.mark.parametrize("value", [False, None])
def test_what_was_hidden_is_deleted_before_retrieval_is_enabled_again(closed: Driven, value: bool | None) -> None:
    shown = limit(closed, disr=value)
    assert (shown["cni"], shown["cbs"]) == counted(closed) == (0, 0)
    assert closed.retrieve(f"{POWER}/first", ME).rsc == closed.retrieve(f"{POWER}/la", ME).rsc == RSC.NOT_FOUND
    put(closed, "new")
    assert contents(closed) == ["new"]


@pytest.mark.parametrize("attributes", [{"disr": True}, {"lbl": ["a"]}])
def test_other_updates_keep_what_is_hidden(closed: Driven, attributes: dict[str, Any]) -> None:
    limit(closed, **attributes)
    assert counted(closed) == (2, 2)


def test_an_update_that_leaves_retrieval_enabled_keeps_the_instances() -> None:
    cse = world()
    put(cse, "1")
    limit(cse, disr=False)
    assert contents(cse) == ["1"]


# --- children ----------------------------------------------------------------------------------------------------------------------------------------------


def test_without_policies_only_the_creator_writes() -> None:
    cse = world()
    assert cse.create(POWER, 4, {"m2m:cin": {"con": "x"}}, OTHER).rsc == RSC.ORIGINATOR_HAS_NO_PRIVILEGE
    policy(cse, "acp", rule(OTHER, 1))
    of(cse.update(POWER, {"m2m:cnt": {"acpi": ["cse-in/acp"]}}, ME))
    assert cse.create(POWER, 4, {"m2m:cin": {"con": "x"}}, OTHER).rsc == RSC.CREATED
    assert cse.create(POWER, 4, {"m2m:cin": {"con": "x"}}, ME).rsc == RSC.ORIGINATOR_HAS_NO_PRIVILEGE


def test_delete_of_the_latest_takes_the_one_that_is_latest_when_it_writes() -> None:
    cse = world()
    put(cse, "old")
    steps = cse.cse.handle(Request(Operation.DELETE, f"{POWER}/la", ME, "d1", "4"))
    assert next(steps) is Turn.WRITE
    put(cse, "new")
    with pytest.raises(StopIteration) as ended:
        next(steps)
    cse.commit()
    assert ended.value.value.rsc == RSC.DELETED
    assert contents(cse) == ["old"]


def test_delete_of_the_oldest_finds_another_when_the_oldest_went_before_it_writes() -> None:
    cse = world()
    first = put(cse, "first")
    put(cse, "second")
    steps = cse.cse.handle(Request(Operation.DELETE, f"{POWER}/ol", ME, "d1", "4"))
    assert next(steps) is Turn.WRITE
    assert cse.delete(first["ri"], ME).rsc == RSC.DELETED
    with pytest.raises(StopIteration) as ended:
        next(steps)
    cse.commit()
    assert ended.value.value.rsc == RSC.DELETED
    assert contents(cse) == []
