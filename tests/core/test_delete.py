"""DELETE (procedures 1.5; TS-0004 7.3.3.8)."""

from typing import Any

import pytest

from cse.codes import ResponseStatusCode as RSC
from cse.datatypes import timestamp
from tests.core.tree import ME, OTHER, POWER, container, of, policy, put, rule, seen, world
from tests.drive import Driven


@pytest.fixture
def cse() -> Driven:
    """power: inlet (one instance), two instances."""
    made = world()
    container(made, "inlet", POWER)
    put(made, "1", f"{POWER}/inlet", rn="i")
    put(made, "22", rn="first")
    put(made, "333", rn="second")
    return made


def test_the_whole_subtree_goes(cse: Driven) -> None:
    ris = [seen(cse, path)["ri"] for path in (POWER, f"{POWER}/inlet", f"{POWER}/inlet/i", f"{POWER}/first")]
    response = cse.delete(POWER, ME)
    assert (response.rsc, response.pc) == (RSC.DELETED, None)
    for path in (POWER, f"{POWER}/inlet", f"{POWER}/inlet/i", f"{POWER}/first", f"{POWER}/la", *ris):
        assert cse.retrieve(path).rsc == RSC.NOT_FOUND
    assert cse.delete(POWER, ME).rsc == RSC.NOT_FOUND
    container(cse, "power")


def test_children_are_not_asked_one_by_one(cse: Driven) -> None:
    policy(cse, "nobody", rule("Cnobody", 63))
    of(cse.update(f"{POWER}/inlet", {"m2m:cnt": {"acpi": ["cse-in/nobody"]}}, ME))
    assert cse.delete(f"{POWER}/inlet", ME).rsc == RSC.ORIGINATOR_HAS_NO_PRIVILEGE
    assert cse.delete(POWER, ME).rsc == RSC.DELETED
    assert cse.retrieve(f"{POWER}/inlet").rsc == RSC.NOT_FOUND


def test_the_parent_counts_less(cse: Driven) -> None:
    before = seen(cse, POWER)
    assert cse.delete(f"{POWER}/first", ME).rsc == RSC.DELETED
    after = seen(cse, POWER)
    assert (before["cni"], before["cbs"]) == (2, 5)
    assert (after["cni"], after["cbs"], after["st"]) == (1, 3, before["st"] + 1)
    cse.delete(f"{POWER}/inlet", ME)
    assert (seen(cse, POWER)["cni"], seen(cse, POWER)["cbs"]) == (1, 3)


@pytest.mark.parametrize("to", ["cse-in", "-", "/id-in"])
@pytest.mark.parametrize("fr", [ME, "CAdmin"])
def test_the_cse_base_stays(cse: Driven, to: str, fr: str) -> None:
    assert cse.delete(to, fr).rsc == RSC.OPERATION_NOT_ALLOWED


def test_who_may_not_delete(cse: Driven) -> None:
    policy(cse, "acp", rule(OTHER, 63 - 8))
    of(cse.update(POWER, {"m2m:cnt": {"acpi": ["cse-in/acp"]}}, ME))
    for path in (POWER, f"{POWER}/first", f"{POWER}/la", f"{POWER}/ol"):
        assert cse.delete(path, OTHER).rsc == RSC.ORIGINATOR_HAS_NO_PRIVILEGE
    assert cse.delete(f"{POWER}/nothing", OTHER).rsc == RSC.NOT_FOUND
    assert seen(cse, POWER)["cni"] == 2


@pytest.mark.parametrize("rcn", [1, 4, 5, 6, 8])
def test_the_answer_shows_what_was_there(cse: Driven, rcn: int) -> None:
    expected = cse.retrieve(POWER, ME, rcn=rcn).pc
    assert cse.delete(POWER, ME, rcn=rcn).pc == expected
    assert cse.retrieve(POWER).rsc == RSC.NOT_FOUND


@pytest.mark.parametrize("rcn", [1, 4, 5])
def test_who_may_delete_sees_what_the_target_was(cse: Driven, rcn: int) -> None:
    """TS-0004 7.3.3.8: DELETE is the privilege of this operation; what is below is shown as far as it may be read."""
    policy(cse, "acp", rule(OTHER, 8))
    of(cse.update(POWER, {"m2m:cnt": {"acpi": ["cse-in/acp"]}}, ME))
    expected = seen(cse, POWER)
    assert of(cse.delete(POWER, OTHER, rcn=rcn)) == (expected if rcn != 5 else {**expected, "ch": []})


@pytest.mark.parametrize("rcn", [None, 0])
def test_the_answer_shows_nothing_unless_asked(cse: Driven, rcn: int | None) -> None:
    assert cse.delete(POWER, ME, rcn=rcn).pc is None


@pytest.mark.parametrize(
    ("criteria", "rsc"), [({"ty": [3]}, RSC.DELETED), ({"ty": [2]}, RSC.NOT_FOUND), ({"fu": 2, "lbl": ["a"]}, RSC.NOT_FOUND), ({"fu": 1}, RSC.BAD_REQUEST)]
)
def test_only_a_target_that_matches_is_deleted(cse: Driven, criteria: dict[str, Any], rsc: RSC) -> None:
    assert cse.delete(POWER, ME, fc=criteria).rsc == rsc
    assert (cse.retrieve(POWER).rsc == RSC.NOT_FOUND) == (rsc == RSC.DELETED)


def test_what_has_expired_cannot_be_deleted(cse: Driven) -> None:
    put(cse, "x", rn="brief", et=timestamp(cse.seconds + 1))
    cse.seconds += 2
    assert cse.delete(f"{POWER}/brief", ME).rsc == RSC.NOT_FOUND
