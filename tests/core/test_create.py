"""CREATE (procedures 1.2; TS-0004 7.3.3.3, 7.3.3.5; TS-0001 10.1.2)."""

from typing import Any

import pytest

from cse.codes import ResponseStatusCode as RSC
from cse.datatypes import timestamp
from tests.core.tree import AE, ME, OTHER, POWER, container, of, policy, put, register, rule, seen, world
from tests.law.facts import fact

NAMES = {"CSEBase": 5, "AE": 2, "accessControlPolicy": 1, "container": 3, "contentInstance": 4, "subscription": 23, "group": 9}
CONTENT: dict[int, dict[str, Any]] = {
    1: {"m2m:acp": {"pv": {}, "pvs": {"acr": [rule("CAdmin", 63)]}}},
    2: {"m2m:ae": {"api": "Nx", "rr": False, "srv": ["4"]}},
    3: {"m2m:cnt": {}},
    4: {"m2m:cin": {"con": "x"}},
    9: {"m2m:grp": {"mnm": 3, "mid": []}},
    23: {"m2m:sub": {"nu": ["http://sink:80"]}},
}
"""The least that a CREATE of each type must have."""


def test_what_a_new_resource_has() -> None:
    cse = world()
    new = of(cse.create(AE, 3, {"m2m:cnt": {"rn": "new", "lbl": ["a"]}}, ME))
    now = timestamp(cse.seconds)
    assert {name: new[name] for name in ("ty", "rn", "pi", "ct", "lt", "st", "lbl")} == {
        "ty": 3, "rn": "new", "pi": ME, "ct": now, "lt": now, "st": 0, "lbl": ["a"],
    }  # fmt: skip
    assert "/" not in new["ri"]
    assert new["et"] > now
    assert "cr" not in new
    assert seen(cse, f"{AE}/new") == new
    assert seen(cse, new["ri"]) == new


def test_success_is_2001() -> None:
    assert world().create(AE, 3, {"m2m:cnt": {}}, ME).rsc == RSC.CREATED


@pytest.mark.parametrize(
    ("ty", "content"),
    [
        (3, None),
        (3, {}),
        (3, []),
        (3, "m2m:cnt"),
        (3, {"m2m:cnt": None}),
        (3, {"m2m:cnt": []}),
        (3, {"m2m:cnt": {}, "m2m:ae": {}}),
        (3, {"m2m:cin": {"con": "x"}}),
        (3, {"cnt": {}}),
        (3, {"m2m:cnt": {"unknown": 1}}),
        (3, {"m2m:cnt": {"maxNrOfInstances": 1}}),
        (3, {"m2m:cnt": {"mni": "5"}}),
        (3, {"m2m:cnt": {"mni": 5.0}}),
        (3, {"m2m:cnt": {"mni": True}}),
        (3, {"m2m:cnt": {"mni": None}}),
        (3, {"m2m:cnt": {"disr": "true"}}),
        (3, {"m2m:cnt": {"disr": 1}}),
        (3, {"m2m:cnt": {"lbl": "a"}}),
        (3, {"m2m:cnt": {"lbl": [1]}}),
        (3, {"m2m:cnt": {"acpi": []}}),
        (4, {"m2m:cin": {}}),
        (4, {"m2m:cin": {"con": None}}),
        (4, {"m2m:cin": {"con": "x", "acpi": ["acp1"]}}),
        (9, {"m2m:grp": {"mid": []}}),
        (9, {"m2m:grp": {"mnm": 3}}),
        (23, {"m2m:sub": {}}),
        (23, {"m2m:sub": {"nu": []}}),
        (1, {"m2m:acp": {"pv": {}}}),
        (1, {"m2m:acp": {"pvs": {"acr": [rule("CAdmin", 63)]}}}),
    ],
)
def test_content_that_does_not_fit_the_type(ty: int, content: Any) -> None:
    """No content, several roots, another root; unknown, mandatory, not permitted and wrong attributes."""
    cse = world()
    assert cse.create(POWER if ty in (4, 23) else AE, ty, content, ME).rsc == RSC.BAD_REQUEST


@pytest.mark.parametrize("name", sorted(NAMES.keys() - {"CSEBase"}))
def test_attributes_that_only_the_cse_sets_are_refused_by_name(name: str) -> None:
    ty = NAMES[name]
    ((root, least),) = CONTENT[ty].items()
    cse = world()
    kept = [row["short"] for row in fact("attributes")["resources"][name]["attributes"] if row["create"] == "NP"]
    assert {"ty", "ri", "pi", "ct", "lt"} <= set(kept)
    to = "cse-in" if ty == 2 else POWER if ty in (4, 23) else AE
    for short in kept:
        response = cse.create(to, ty, {root: {**least, short: 1}}, "Cnew" if ty == 2 else ME)
        assert response.rsc == RSC.BAD_REQUEST, short
        assert f" {short} " in response.pc["m2m:dbg"]


# --- et ----------------------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (100.0, 100.0),
        (99_999_999.0, 1000.0),  # the parent ends earlier
        (None, 1000.0),
        (-1.0, None),
        (0.0, None),
    ],
)
def test_expiration_time(given: float | None, kept: float | None) -> None:
    """Past: 4000; later than the parent: shortened; absent: chosen (TS-0004 7.3.3.5)."""
    cse = world()
    parent = container(cse, "parent", et=timestamp(cse.seconds + 1000))
    response = cse.create(parent, 3, {"m2m:cnt": {} if given is None else {"et": timestamp(cse.seconds + given)}}, ME)
    if kept is None:
        assert response.rsc == RSC.BAD_REQUEST
    else:
        assert of(response)["et"] == timestamp(cse.seconds + kept)


def test_expiration_time_is_shortened_to_the_policy_of_the_cse() -> None:
    cse = world(max_expiration=500.0, default_expiration=300.0)
    later = timestamp(cse.seconds + 10_000)
    assert of(register(cse, "C1", et=later))["et"] == timestamp(cse.seconds + 500)
    assert of(register(cse, "C2"))["et"] == timestamp(cse.seconds + 300)
    assert of(register(cse, "C3", et="99991231T235959"))["et"] == timestamp(cse.seconds + 500)


@pytest.mark.parametrize("et", ["soon", "2025-01-01T00:00:00", "20250231T000000", 20991231, None])
def test_expiration_time_must_be_a_timestamp(et: Any) -> None:
    assert world().create(AE, 3, {"m2m:cnt": {"et": et}}, ME).rsc == RSC.BAD_REQUEST


# --- cr ----------------------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ty", [3, 4, 9, 23])
def test_creator_is_the_originator_when_asked_for_with_null(ty: int) -> None:
    cse = world()
    ((root, least),) = CONTENT[ty].items()
    to = POWER if ty in (4, 23) else AE
    assert of(cse.create(to, ty, {root: {**least, "cr": None}}, ME))["cr"] == ME
    assert cse.create(to, ty, {root: {**least, "cr": ME}}, ME).rsc == RSC.BAD_REQUEST


@pytest.mark.parametrize("ty", [1, 2])
def test_types_without_creator(ty: int) -> None:
    ((root, least),) = CONTENT[ty].items()
    assert world().create("cse-in", ty, {root: {**least, "cr": None}}, "Cnew").rsc == RSC.BAD_REQUEST


# --- rn ----------------------------------------------------------------------------------------------------------------------------------------------------


def test_a_name_is_unique_among_siblings_only() -> None:
    cse = world()
    assert cse.create(AE, 3, {"m2m:cnt": {"rn": "power"}}, ME).rsc == RSC.CONFLICT
    assert cse.create(AE, 9, {"m2m:grp": {"rn": "power", "mnm": 1, "mid": []}}, ME).rsc == RSC.CONFLICT
    assert cse.create(POWER, 3, {"m2m:cnt": {"rn": "power"}}, ME).rsc == RSC.CREATED
    put(cse, rn="first")
    assert cse.create(POWER, 4, {"m2m:cin": {"rn": "first", "con": "y"}}, ME).rsc == RSC.CONFLICT


@pytest.mark.parametrize("rn", ["la", "ol"])
@pytest.mark.parametrize("ty", [3, 4, 23])
def test_names_of_virtual_children_are_reserved(rn: str, ty: int) -> None:
    ((root, least),) = CONTENT[ty].items()
    assert world().create(POWER, ty, {root: {**least, "rn": rn}}, ME).rsc == RSC.CONFLICT


@pytest.mark.parametrize("rn", ["", "a/b", "a b", "a#b", "a?b", "-", "~", "_", "é", "a\x00", "x" * 10_000, 5, None, ["a"]])
def test_names_that_cannot_be_addressed(rn: Any) -> None:
    assert world().create(AE, 3, {"m2m:cnt": {"rn": rn}}, ME).rsc == RSC.BAD_REQUEST


@pytest.mark.parametrize("rn", ["a", "7", "A-b.c_9", "cse-in", "x" * 255])
def test_names_that_can(rn: str) -> None:
    cse = world()
    assert of(cse.retrieve(container(cse, rn), ME))["rn"] == rn


def test_generated_names_are_unique() -> None:
    cse = world()
    names = [of(cse.create(AE, 3, {"m2m:cnt": {}}, ME))["rn"] for _ in range(20)]
    assert len(set(names)) == 20
    assert all(cse.retrieve(f"{AE}/{name}", ME).rsc == RSC.OK for name in names)


def test_a_name_is_free_again_when_what_had_it_has_expired() -> None:
    """Expired resources do not exist any more, whether the CSE has come round to removing them or not (procedures 1.8)."""
    cse = world()
    put(cse, "old", rn="reading", et=timestamp(cse.seconds + 1))
    cse.seconds += 5
    assert put(cse, "new", rn="reading")["con"] == "new"
    after = seen(cse, POWER)
    assert (after["cni"], after["cbs"]) == (1, 3)


# --- where something may be created ---------------------------------------------------------------------------------------------------------------------------


def places() -> dict[str, str]:
    return {
        "CSEBase": "cse-in", "AE": AE, "accessControlPolicy": "cse-in/acp", "container": POWER,
        "contentInstance": f"{POWER}/cin", "subscription": f"{POWER}/sub", "group": f"{AE}/grp",
    }  # fmt: skip


@pytest.mark.parametrize("parent", sorted(NAMES))
@pytest.mark.parametrize("child", sorted(NAMES))
def test_the_child_tables_of_the_standard(parent: str, child: str) -> None:
    cse = world()
    policy(cse, "acp")
    put(cse, rn="cin")
    of(cse.create(POWER, 23, {"m2m:sub": {"rn": "sub", "nu": ["http://sink:80"]}}, ME))
    of(cse.create(AE, 9, {"m2m:grp": {"rn": "grp", "mnm": 3, "mid": []}}, ME))
    entry = next(found for found in fact("resource_types")["types"] if found["name"] == child)
    ty = NAMES[child]
    rsc = cse.create(places()[parent], ty, CONTENT.get(ty, {"m2m:cb": {}}), "Cnew" if child == "AE" else "CAdmin").rsc
    if child == "CSEBase":
        assert rsc == RSC.OPERATION_NOT_ALLOWED
    elif parent in entry["parents"]:
        assert rsc == RSC.CREATED
    else:
        assert rsc == (RSC.TARGET_NOT_SUBSCRIBABLE if child == "subscription" else RSC.INVALID_CHILD_RESOURCE_TYPE)


@pytest.mark.parametrize("ty", [6, 24, 52, 999, -1, 0])
def test_types_that_this_cse_does_not_have(ty: int) -> None:
    known = {entry["ty"] for entry in fact("resource_types")["types"]}
    assert world().create(AE, ty, {"m2m:x": {}}, ME).rsc == (RSC.NOT_IMPLEMENTED if ty in known else RSC.BAD_REQUEST)


def test_a_missing_parent() -> None:
    assert world().create("cse-in/nowhere", 3, {"m2m:cnt": {}}).rsc == RSC.NOT_FOUND


# --- acpi --------------------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("acpi", "rsc"),
    [
        (["cse-in/acp"], RSC.CREATED),
        (["/id-in/cse-in/acp"], RSC.CREATED),
        (["/id-mn/acp7"], RSC.CREATED),
        (["nowhere"], RSC.BAD_REQUEST),
        (["cse-in/acp", "nowhere"], RSC.BAD_REQUEST),
        ([POWER], RSC.BAD_REQUEST),
    ],
)
def test_policies_that_are_linked_must_exist_when_they_are_here(acpi: list[str], rsc: RSC) -> None:
    cse = world()
    policy(cse, "acp")
    assert cse.create(AE, 3, {"m2m:cnt": {"acpi": acpi}}, ME).rsc == rsc


# --- what the answer contains --------------------------------------------------------------------------------------------------------------------------------


def test_result_content() -> None:
    """TS-0004 7.5.2; with rcn 9 what the CSE added, not what the originator sent."""
    cse = world()

    def create(rn: str, rcn: int | None) -> Any:
        return cse.create(AE, 3, {"m2m:cnt": {"rn": rn, "lbl": ["a"], "cr": None}}, ME, rcn=rcn).pc

    assert create("c0", 0) is None
    for rcn in (None, 1):
        rn = f"c1{rcn}"
        assert create(rn, rcn) == {"m2m:cnt": seen(cse, f"{AE}/{rn}")}
    assert create("c2", 2) == {"m2m:uri": f"{AE}/c2"}
    assert create("c3", 3) == {"m2m:rce": {"uri": f"{AE}/c3", "m2m:cnt": seen(cse, f"{AE}/c3")}}
    changed = create("c9", 9)["m2m:cnt"]
    everything = seen(cse, f"{AE}/c9")
    assert changed == {name: value for name, value in everything.items() if name not in ("rn", "lbl")}
    assert changed["cr"] == ME


def test_a_shortened_expiration_time_is_a_modified_attribute() -> None:
    cse = world(max_expiration=500.0)
    changed = of(cse.create(AE, 3, {"m2m:cnt": {"et": timestamp(cse.seconds + 9000)}}, ME, rcn=9))
    assert changed["et"] == timestamp(cse.seconds + 500)
    kept = of(cse.create(AE, 3, {"m2m:cnt": {"et": timestamp(cse.seconds + 90)}}, ME, rcn=9))
    assert "et" not in kept


def test_nothing_is_left_of_a_create_that_fails() -> None:
    cse = world()
    before = seen(cse, POWER), cse.store.count()
    of(cse.update(POWER, {"m2m:cnt": {"mbs": 5}}, ME))
    assert cse.create(POWER, 4, {"m2m:cin": {"con": "too long"}}, ME).rsc == RSC.NOT_ACCEPTABLE
    assert cse.create(POWER, 4, {"m2m:cin": {"con": "x", "cr": OTHER}}, ME).rsc == RSC.BAD_REQUEST
    assert (seen(cse, POWER)["cni"], cse.store.count()) == (before[0]["cni"], before[1])
