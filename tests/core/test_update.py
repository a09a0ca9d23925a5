"""UPDATE (procedures 1.4; TS-0004 7.3.3.4, 7.3.3.7)."""

from typing import Any

import pytest

from cse.codes import ResponseStatusCode as RSC
from cse.datatypes import timestamp
from tests.core.tree import AE, ME, OTHER, POWER, container, of, policy, put, rule, seen, world


def test_only_the_listed_attributes_change() -> None:
    cse = world()
    path = container(cse, "c", lbl=["a"], mni=5)
    before = seen(cse, path)
    cse.seconds += 7
    response = cse.update(path, {"m2m:cnt": {"mni": 9, "or": "cse-in/other"}}, ME)
    assert response.rsc == RSC.UPDATED
    after = seen(cse, path)
    assert response.pc == {"m2m:cnt": after}
    assert after == {**before, "mni": 9, "or": "cse-in/other", "lt": timestamp(cse.seconds), "st": before["st"] + 1}


def test_null_removes_what_need_not_be_there() -> None:
    cse = world()
    path = container(cse, "c", lbl=["a"], mni=5)
    after = of(cse.update(path, {"m2m:cnt": {"lbl": None, "mni": None, "mbs": None}}, ME))
    assert not {"lbl", "mni", "mbs"} & after.keys()
    assert seen(cse, path) == after


def test_an_empty_update_is_a_modification() -> None:
    cse = world()
    before = seen(cse, POWER)
    assert of(cse.update(POWER, {"m2m:cnt": {}}, ME))["st"] == before["st"] + 1


@pytest.mark.parametrize(
    "content",
    [
        None,
        {},
        [],
        {"m2m:cnt": None},
        {"m2m:ae": {"lbl": ["a"]}},
        {"m2m:cnt": {}, "m2m:ae": {}},
        {"m2m:cnt": {"unknown": 1}},
        {"m2m:cnt": {"unknown": None}},
        {"m2m:cnt": {"lbl": ["b"], "unknown": 1}},
        {"m2m:cnt": {"mni": "5"}},
        {"m2m:cnt": {"mni": -1}},
        {"m2m:cnt": {"ty": 3}},
        {"m2m:cnt": {"rn": "other"}},
        {"m2m:cnt": {"ri": "other"}},
        {"m2m:cnt": {"pi": "other"}},
        {"m2m:cnt": {"ct": "20250101T000000"}},
        {"m2m:cnt": {"st": 7}},
        {"m2m:cnt": {"cni": 0}},
        {"m2m:cnt": {"cr": None}},
        {"m2m:cnt": {"li": "cse-in/place"}},
        {"m2m:cnt": {"et": "20200101T000000"}},
        {"m2m:cnt": {"et": "soon"}},
    ],
)
def test_content_that_is_refused_changes_nothing(content: Any) -> None:
    cse = world()
    before = seen(cse, POWER)
    assert cse.update(POWER, content, ME).rsc == RSC.BAD_REQUEST
    assert seen(cse, POWER) == before


@pytest.mark.parametrize("to", ["cse-in", f"{POWER}/i", f"{POWER}/la", f"{POWER}/ol"])
@pytest.mark.parametrize("fr", [ME, "CAdmin"])
def test_what_can_never_be_updated(to: str, fr: str) -> None:
    """CSEBase, instances, latest and oldest."""
    cse = world()
    put(cse, rn="i")
    assert cse.update(to, {"m2m:cin": {"lbl": ["a"]}}, fr).rsc == RSC.OPERATION_NOT_ALLOWED


def test_who_may_not_update() -> None:
    cse = world()
    policy(cse, "acp", rule(OTHER, 2 + 8 + 1))
    of(cse.update(POWER, {"m2m:cnt": {"acpi": ["cse-in/acp"]}}, ME))
    for fr in (OTHER, ME):
        assert cse.update(POWER, {"m2m:cnt": {"lbl": ["a"]}}, fr).rsc == RSC.ORIGINATOR_HAS_NO_PRIVILEGE
    assert cse.update(f"{AE}/nothing", {"m2m:cnt": {}}, OTHER).rsc == RSC.NOT_FOUND


def test_a_rule_for_some_attributes_lets_only_these_be_changed() -> None:
    cse = world()
    policy(cse, "acp", rule(OTHER, 4, aca=["lbl"]))
    of(cse.update(POWER, {"m2m:cnt": {"acpi": ["cse-in/acp"]}}, ME))
    assert cse.update(POWER, {"m2m:cnt": {"lbl": ["a"]}}, OTHER).rsc == RSC.UPDATED
    for content in ({"mni": 5}, {"lbl": ["b"], "mni": 5}, {"mni": None}):
        assert cse.update(POWER, {"m2m:cnt": content}, OTHER).rsc == RSC.ORIGINATOR_HAS_NO_PRIVILEGE
    assert seen(cse, POWER)["lbl"] == ["a"]


# --- et ----------------------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("given", "kept"), [(50.0, 50.0), (9_999_999.0, 1000.0), (None, 1000.0)])
def test_expiration_time_is_bounded_by_the_parent_and_chosen_anew_for_null(given: float | None, kept: float) -> None:
    cse = world()
    parent = container(cse, "parent", et=timestamp(cse.seconds + 1000))
    child = container(cse, "child", parent, et=timestamp(cse.seconds + 100))
    et = None if given is None else timestamp(cse.seconds + given)
    assert of(cse.update(child, {"m2m:cnt": {"et": et}}, ME))["et"] == timestamp(cse.seconds + kept)


def test_a_parent_that_ends_earlier_takes_its_children_with_it() -> None:
    """No resource outlives its parent; those that would are shortened, the others left alone."""
    cse = world()
    child, brief = container(cse, "child", POWER), container(cse, "brief", POWER, et=timestamp(cse.seconds + 5))
    grandchild = container(cse, "child", child)
    put(cse, rn="i")
    before = seen(cse, child)
    et = timestamp(cse.seconds + 10)
    of(cse.update(POWER, {"m2m:cnt": {"et": et}}, ME))
    assert seen(cse, child) == {**before, "et": et}
    assert seen(cse, grandchild)["et"] == et
    assert seen(cse, brief)["et"] < et
    cse.seconds += 11
    for path in (POWER, child, grandchild, f"{POWER}/la"):
        assert cse.retrieve(path, ME).rsc == RSC.NOT_FOUND
    cse.pass_time(0)
    assert cse.retrieve(f"{POWER}/i", ME).rsc == RSC.NOT_FOUND


# --- result content ------------------------------------------------------------------------------------------------------------------------------------------


def test_result_content() -> None:
    cse = world(max_expiration=1000.0)
    assert cse.update(POWER, {"m2m:cnt": {"lbl": ["a"]}}, ME, rcn=0).pc is None
    assert cse.update(POWER, {"m2m:cnt": {"lbl": ["b"]}}, ME, rcn=1).pc == {"m2m:cnt": seen(cse, POWER)}
    cse.seconds += 1
    changed = of(cse.update(POWER, {"m2m:cnt": {"lbl": ["c"], "mni": 5, "et": timestamp(cse.seconds + 99_999)}}, ME, rcn=9))
    after = seen(cse, POWER)
    assert after["lbl"] == ["c"]
    assert changed == {name: after[name] for name in ("lt", "st", "et")}


def test_counters_that_an_update_changes_are_modified_attributes() -> None:
    cse = world()
    for con in "123":
        put(cse, con)
    changed = of(cse.update(POWER, {"m2m:cnt": {"mni": 1}}, ME, rcn=9))
    assert (changed["cni"], changed["cbs"]) == (1, 1)
    assert "mni" not in changed


def test_attributes_that_the_cse_removes_are_modified_attributes() -> None:
    cse = world()
    switch = {"rn": "switch", "cnd": "org.onem2m.common.moduleclass.binarySwitch", "state": True, "fcied": True, "mni": 5, "mbs": 900}
    of(cse.create(AE, 28, {"cod:binSh": switch}, ME))
    changed = of(cse.update(f"{AE}/switch", {"cod:binSh": {"fcied": None, "mbs": None}}, ME, rcn=9))
    after = seen(cse, f"{AE}/switch")
    assert not {"fcied", "mbs", "mni"} & after.keys()
    assert changed == {**{name: after[name] for name in ("st", "cni", "cbs")}, "mni": None}


# --- conditions ---------------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("criteria", "rsc"), [({"lbl": ["a"]}, RSC.UPDATED), ({"lbl": ["b"]}, RSC.NOT_FOUND), ({"fu": 2, "ty": [2]}, RSC.NOT_FOUND)])
def test_only_a_target_that_matches_is_updated(criteria: dict[str, Any], rsc: RSC) -> None:
    cse = world()
    path = container(cse, "c", lbl=["a"])
    assert cse.update(path, {"m2m:cnt": {"mni": 3}}, ME, fc=criteria).rsc == rsc
    assert ("mni" in seen(cse, path)) == (rsc == RSC.UPDATED)


# --- acpi (TS-0001 9.6.2, TS-0004 7.3.3.15) -----------------------------------------------------------------------------------------------------------------


def test_policies_must_be_the_only_attribute() -> None:
    cse = world()
    policy(cse, "acp")
    for content in ({"acpi": ["cse-in/acp"], "lbl": ["a"]}, {"acpi": None, "lbl": ["a"]}):
        assert cse.update(POWER, {"m2m:cnt": content}, ME).rsc == RSC.BAD_REQUEST
    assert not {"acpi", "lbl"} & seen(cse, POWER).keys()


@pytest.mark.parametrize("acpi", [["nowhere"], ["cse-in/acp", "nowhere"], [], [POWER], "cse-in/acp"])
def test_policies_must_exist(acpi: Any) -> None:
    cse = world()
    policy(cse, "acp")
    assert cse.update(POWER, {"m2m:cnt": {"acpi": acpi}}, ME).rsc == RSC.BAD_REQUEST


def test_the_self_privileges_of_the_policies_linked_now_decide_who_may_change_them() -> None:
    cse = world()
    policy(cse, "first", rule(ME, 63), pvs=[rule(OTHER, 4)])
    policy(cse, "second", rule(OTHER, 63), pvs=[rule(ME, 4)])
    link = {name: {"m2m:cnt": {"acpi": [f"cse-in/{name}"]}} for name in ("first", "second")}
    assert cse.update(POWER, link["first"], OTHER).rsc == RSC.ORIGINATOR_HAS_NO_PRIVILEGE
    assert cse.update(POWER, link["first"], ME).rsc == RSC.UPDATED
    # full privileges (pv) are not enough for the policies themselves, and the new ones do not count yet
    assert cse.update(POWER, link["second"], ME).rsc == RSC.ORIGINATOR_HAS_NO_PRIVILEGE
    assert cse.update(POWER, {"m2m:cnt": {"acpi": None}}, ME).rsc == RSC.ORIGINATOR_HAS_NO_PRIVILEGE
    assert cse.update(POWER, link["second"], OTHER).rsc == RSC.UPDATED
    assert cse.update(POWER, {"m2m:cnt": {"acpi": None}}, OTHER).rsc == RSC.ORIGINATOR_HAS_NO_PRIVILEGE
    assert cse.update(POWER, {"m2m:cnt": {"acpi": None}}, ME).rsc == RSC.UPDATED
    assert "acpi" not in seen(cse, POWER)
