"""contentInstance, latest and oldest (procedures 6.2, 6.3; TS-0001 9.6.7, TS-0004 7.4.7, 7.4.27, 7.4.28)."""

from typing import Any

import pytest

from cse.codes import ResponseStatusCode as RSC
from cse.datatypes import timestamp
from tests.core.tree import AE, ME, OTHER, POWER, container, contents, of, policy, put, rule, seen, world
from tests.drive import Driven


def create(cse: Driven, attributes: dict[str, Any], to: str = POWER, fr: str = ME) -> RSC:
    return cse.create(to, 4, {"m2m:cin": attributes}, fr).rsc


def test_what_a_new_instance_has() -> None:
    cse = world()
    new = put(cse, "21.5", rn="first", cnf="text/plain:0", lbl=["a"])
    parent = seen(cse, POWER)
    expected = {"ty": 4, "rn": "first", "pi": parent["ri"], "con": "21.5", "cnf": "text/plain:0", "cs": 4, "st": 1, "lbl": ["a"]}
    assert new.items() >= expected.items()
    assert new["ct"] == new["lt"] == timestamp(cse.seconds)
    assert new["et"] <= parent["et"]
    assert not {"acpi", "cr", "dcnt"} & new.keys()
    assert seen(cse, f"{POWER}/first") == new


@pytest.mark.parametrize(
    ("con", "size"), [("", 0), ("abc", 3), ("20 °C", 6), ("電力", 6), ("a\nb", 3), ('{"v": 1}', 8), (21, 2), (21.5, 4), (True, 4), ({"v": 1}, 7), ([1, 2], 5)]
)
def test_content_is_kept_as_it_came_and_measured_in_bytes(con: Any, size: int) -> None:
    cse = world()
    new = put(cse, con)
    assert (new["con"], new["cs"]) == (con, size)
    assert type(seen(cse, new["ri"])["con"]) is type(con)
    assert seen(cse, POWER)["cbs"] == size


@pytest.mark.parametrize(
    ("cnf", "right"),
    [
        ("text/plain", True),
        ("text/plain:0", True),
        ("application/json:1", True),
        ("application/cbor:2:0", True),
        ("application/vnd.onem2m-res+json:0", True),
        ("text", False),
        ("text/plain:x", False),
        ("text/plain:3", False),
        (":0", False),
        ("", False),
        (0, False),
    ],
)
def test_content_info(cnf: Any, right: bool) -> None:
    assert create(world(), {"con": "x", "cnf": cnf}) == (RSC.CREATED if right else RSC.BAD_REQUEST)


@pytest.mark.parametrize(
    "wrong",
    [{"con": None}, {"cs": 1}, {"st": 1}, {"acpi": ["acp1"]}, {"cr": ME}, {"dcnt": 0}, {"lbl": "a"}, {"unknown": 1}],
)
def test_content_that_is_refused(wrong: dict[str, Any]) -> None:
    cse = world()
    assert create(cse, {"con": "x", **wrong}) == RSC.BAD_REQUEST
    assert seen(cse, POWER)["cni"] == 0


@pytest.mark.parametrize(("size", "rsc"), [(9, RSC.CREATED), (10, RSC.CREATED), (11, RSC.NOT_ACCEPTABLE)])
def test_an_instance_larger_than_its_container_is_not_acceptable(size: int, rsc: RSC) -> None:
    cse = world()
    path = container(cse, "small", mbs=10)
    put(cse, "before", path)
    assert create(cse, {"con": "x" * size}, path) == rsc
    assert contents(cse, path) == (["before"] if rsc == RSC.NOT_ACCEPTABLE else ["x" * size])


def test_the_size_is_that_of_the_bytes() -> None:
    cse = world()
    path = container(cse, "small", mbs=4)
    assert create(cse, {"con": "ééé"}, path) == RSC.NOT_ACCEPTABLE
    assert create(cse, {"con": "éé"}, path) == RSC.CREATED


def test_it_ends_with_its_container_at_the_latest() -> None:
    cse = world()
    path = container(cse, "brief", et=timestamp(cse.seconds + 100))
    assert put(cse, "x", path)["et"] == timestamp(cse.seconds + 100)
    assert put(cse, "x", path, et=timestamp(cse.seconds + 1000))["et"] == timestamp(cse.seconds + 100)
    assert put(cse, "x", path, et=timestamp(cse.seconds + 10))["et"] == timestamp(cse.seconds + 10)
    assert create(cse, {"con": "x", "et": timestamp(cse.seconds - 1)}, path) == RSC.BAD_REQUEST


@pytest.mark.parametrize("content", [{"lbl": ["a"]}, {"con": "y"}, {}, {"unknown": 1}])
def test_it_never_changes(content: dict[str, Any]) -> None:
    cse = world()
    new = put(cse)
    assert cse.update(new["ri"], {"m2m:cin": content}, ME).rsc == RSC.OPERATION_NOT_ALLOWED
    assert seen(cse, new["ri"]) == new


def test_it_is_only_a_child_of_containers() -> None:
    cse = world()
    for to in ("cse-in", AE):
        assert create(cse, {"con": "x"}, to, "CAdmin") == RSC.INVALID_CHILD_RESOURCE_TYPE


def test_what_has_expired_is_not_there() -> None:
    cse = world()
    put(cse, "x", rn="brief", et=timestamp(cse.seconds + 10))
    assert cse.retrieve(f"{POWER}/brief", ME).rsc == RSC.OK
    cse.seconds += 10
    assert cse.retrieve(f"{POWER}/brief", ME).rsc == RSC.NOT_FOUND


def test_the_container_decides_who_may_do_what() -> None:
    """Types without accessControlPolicyIDs: the parent's policies count (procedures 4)."""
    cse = world()
    put(cse, "x", rn="i")
    policy(cse, "read", rule(OTHER, 2))
    of(cse.update(POWER, {"m2m:cnt": {"acpi": ["cse-in/read"]}}, ME))
    for name in ("i", "la", "ol"):
        assert cse.retrieve(f"{POWER}/{name}", OTHER).rsc == RSC.OK
        assert cse.retrieve(f"{POWER}/{name}", ME).rsc == RSC.ORIGINATOR_HAS_NO_PRIVILEGE
        assert cse.delete(f"{POWER}/{name}", OTHER).rsc == RSC.ORIGINATOR_HAS_NO_PRIVILEGE


# --- deletionCnt (R4) ----------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["i", "la", "ol"])
def test_an_instance_goes_after_so_many_retrieves(name: str) -> None:
    cse = world()
    assert put(cse, "x", rn="i", dcnt=3)["dcnt"] == 3
    found = [of(cse.retrieve(f"{POWER}/{name}", ME)) for _ in range(3)]
    assert [entry["con"] for entry in found] == ["x"] * 3
    assert [entry["dcnt"] for entry in found[:2]] == [2, 1]
    assert cse.retrieve(f"{POWER}/{name}", ME).rsc == RSC.NOT_FOUND
    assert (seen(cse, POWER)["cni"], seen(cse, POWER)["cbs"]) == (0, 0)


def test_only_a_retrieve_that_succeeds_counts() -> None:
    cse = world()
    put(cse, "x", rn="i", dcnt=1)
    assert cse.retrieve(f"{POWER}/i", OTHER).rsc == RSC.ORIGINATOR_HAS_NO_PRIVILEGE
    assert cse.retrieve(f"{POWER}/i", ME, fc={"lbl": ["none"]}).rsc == RSC.NOT_FOUND
    assert cse.retrieve(f"{POWER}/i", ME, rcn=7).rsc == RSC.BAD_REQUEST
    assert contents(cse) == contents(cse) == ["x"]
    assert cse.retrieve(f"{POWER}/i#con", ME).pc == {"m2m:cin": {"con": "x"}}
    assert cse.retrieve(f"{POWER}/i", ME).rsc == RSC.NOT_FOUND


# --- latest and oldest ---------------------------------------------------------------------------------------------------------------------------------------


def test_they_are_the_youngest_and_the_oldest_instance_as_if_addressed_directly() -> None:
    """The order is that of creation, also within one moment of the clock."""
    cse = world()
    made = [put(cse, con) for con in ("1", "2", "3")]
    assert cse.retrieve(f"{POWER}/la", ME).pc == cse.retrieve(made[2]["ri"], ME).pc == {"m2m:cin": made[2]}
    assert cse.retrieve(f"{POWER}/ol", ME).pc == cse.retrieve(made[0]["ri"], ME).pc == {"m2m:cin": made[0]}


def test_deleting_them_deletes_the_instance() -> None:
    cse = world()
    for con in ("1", "2", "3", "4"):
        put(cse, con)
    assert cse.delete(f"{POWER}/la", ME).rsc == RSC.DELETED
    assert contents(cse) == ["1", "2", "3"]
    assert cse.delete(f"{POWER}/ol", ME, rcn=1).pc["m2m:cin"]["con"] == "1"
    assert contents(cse) == ["2", "3"]
    assert (seen(cse, POWER)["cni"], seen(cse, POWER)["cbs"]) == (2, 2)


@pytest.mark.parametrize("name", ["la", "ol"])
def test_they_are_missing_in_an_empty_container(name: str) -> None:
    cse = world()
    container(cse, "inner", POWER)
    assert cse.retrieve(f"{POWER}/{name}", ME).rsc == cse.delete(f"{POWER}/{name}", ME).rsc == RSC.NOT_FOUND


@pytest.mark.parametrize("name", ["la", "ol"])
@pytest.mark.parametrize("filled", [True, False])
def test_they_cannot_be_created_or_updated(name: str, filled: bool) -> None:
    cse = world()
    if filled:
        put(cse)
    path = f"{POWER}/{name}"
    assert cse.update(path, {"m2m:cin": {"lbl": ["a"]}}, ME).rsc == RSC.OPERATION_NOT_ALLOWED
    for ty, content in ((4, {"m2m:cin": {"con": "x"}}), (3, {"m2m:cnt": {}}), (23, {"m2m:sub": {"nu": ["http://sink:80"]}})):
        assert cse.create(path, ty, content, ME).rsc == RSC.OPERATION_NOT_ALLOWED


@pytest.mark.parametrize("name", ["la", "ol"])
def test_they_pass_over_what_has_expired(name: str) -> None:
    cse = world()
    put(cse, "lasting") if name == "la" else None
    put(cse, "brief", et=timestamp(cse.seconds + 10))
    put(cse, "lasting") if name == "ol" else None
    cse.seconds += 20
    assert of(cse.retrieve(f"{POWER}/{name}", ME))["con"] == "lasting"


@pytest.mark.parametrize(("criteria", "rsc"), [({"lbl": ["a"]}, RSC.OK), ({"lbl": ["b"]}, RSC.NOT_FOUND)])
def test_conditions_are_those_of_the_instance(criteria: dict[str, Any], rsc: RSC) -> None:
    cse = world()
    put(cse, lbl=["a"])
    assert cse.retrieve(f"{POWER}/la", ME, fc=criteria).rsc == rsc


@pytest.mark.parametrize("name", ["la", "ol"])
def test_part_of_an_instance(name: str) -> None:
    cse = world()
    put(cse, "x")
    assert cse.retrieve(f"{POWER}/{name}", ME, pc={"m2m:atrl": ["con", "cs"]}).pc == {"m2m:cin": {"con": "x", "cs": 1}}
    assert cse.retrieve(f"{POWER}/{name}", ME, pc={"m2m:atrl": ["cni"]}).rsc == RSC.BAD_REQUEST


def test_other_types_have_neither() -> None:
    cse = world()
    for to in ("cse-in/la", f"{AE}/ol"):
        assert cse.retrieve(to).rsc == RSC.NOT_FOUND
