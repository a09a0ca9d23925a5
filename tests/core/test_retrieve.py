"""RETRIEVE (procedures 1.3, 1.6; TS-0004 7.3.3.6, 7.5.2): result content, parts of a resource, trees and their limits."""

from typing import Any

import pytest

from cse.codes import ResponseStatusCode as RSC
from cse.datatypes import timestamp
from cse.primitives import Response
from tests.core.tree import AE, ME, OTHER, POWER, container, of, policy, put, rule, seen, world
from tests.drive import TYPES, Driven


@pytest.fixture
def cse() -> Driven:
    """meter: power (three instances), heat: inlet (one), sub."""
    made = world()
    for con in ("1", "22", "333"):
        put(made, con, rn=f"i{con}", lbl=[f"size:{len(con)}"])
    container(made, "heat", lbl=["warm"])
    container(made, "inlet", f"{AE}/heat")
    put(made, "4", f"{AE}/heat/inlet", rn="i4")
    of(made.create(AE, 23, {"m2m:sub": {"rn": "sub", "nu": ["http://sink:80"]}}, ME))
    return made


def get(cse: Driven, path: str = AE, fr: str = ME, **more: Any) -> Any:
    response = cse.retrieve(path, fr, **more)
    assert response.rsc == RSC.OK, response
    return response.pc


def names(references: list[dict[str, Any]]) -> list[str]:
    return [found["val"].removeprefix(f"{AE}/") for found in references]


def listed(cse: Driven, path: str = AE, fr: str = ME, **more: Any) -> list[str]:
    """Give the structured addresses below the AE that rcn 6 lists."""
    return names(get(cse, path, fr, rcn=6, **more)["m2m:rrl"]["rrf"])


EVERYTHING = ["power", "power/i1", "power/i22", "power/i333", "heat", "heat/inlet", "heat/inlet/i4", "sub"]


# --- a resource itself -------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rcn", [None, 1])
def test_attributes(cse: Driven, rcn: int | None) -> None:
    found = get(cse, POWER, rcn=rcn)
    assert list(found) == ["m2m:cnt"]
    assert {name: found["m2m:cnt"][name] for name in ("ty", "rn", "pi", "cni", "cbs", "st")} == {
        "ty": 3, "rn": "power", "pi": ME, "cni": 3, "cbs": 6, "st": 3,
    }  # fmt: skip
    assert None not in found["m2m:cnt"].values()


def test_the_cse_base_tells_what_this_cse_is_and_the_time_now() -> None:
    cse = world(points_of_access=("http://here:8080",))
    cse.seconds += 60
    found = of(cse.retrieve("cse-in", ME))
    assert (found["ty"], found["pi"], found["rn"], found["csi"], found["cst"]) == (5, "", "cse-in", "/id-in", 1)
    assert (found["poa"], found["csz"], found["srv"]) == (["http://here:8080"], ["json", "cbor"], ["2a", "3", "4", "5"])
    assert found["srt"] == sorted(kind.ty for kind in TYPES)
    assert {1, 2, 3, 4, 5, 9, 23, 28, 58} <= set(found["srt"])
    assert found["ctm"] == timestamp(cse.seconds)
    assert "et" not in found


def test_permissions(cse: Driven) -> None:
    """rcn 12: the operations that the originator may do, as a sum of accessControlOperations."""
    policy(cse, "acp", rule(OTHER, 2), rule(OTHER, 32), rule("all", 16))
    of(cse.update(f"{AE}/heat", {"m2m:cnt": {"acpi": ["cse-in/acp"]}}, ME))
    assert get(cse, f"{AE}/heat", OTHER, rcn=12) == {"m2m:cnt": {"acop": 2 + 32 + 16}}
    assert get(cse, f"{AE}/heat", "CAdmin", rcn=12) == {"m2m:cnt": {"acop": 63}}


@pytest.mark.parametrize("rcn", [7, 10, 11])
def test_result_content_that_needs_another_target_or_filter(cse: Driven, rcn: int) -> None:
    """7 needs an announced resource, 10 a semantic query, 11 discovery."""
    assert cse.retrieve(POWER, ME, rcn=rcn).rsc == RSC.BAD_REQUEST


def test_nobody_reads_what_is_not_there_or_not_theirs(cse: Driven) -> None:
    assert cse.retrieve(f"{AE}/nothing", ME).rsc == RSC.NOT_FOUND
    assert cse.retrieve(POWER, OTHER).rsc == RSC.ORIGINATOR_HAS_NO_PRIVILEGE
    assert cse.retrieve(f"{POWER}/i1", OTHER).rsc == RSC.ORIGINATOR_HAS_NO_PRIVILEGE


# --- parts of it -------------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (["cni"], {"cni": 3}),
        (["cni", "cbs", "rn"], {"cni": 3, "cbs": 6, "rn": "power"}),
        (["cni", "lbl"], {"cni": 3}),
        (["cni", "cni"], {"cni": 3}),
    ],
)
@pytest.mark.parametrize("rcn", [None, 1])
def test_only_the_attributes_of_a_list(cse: Driven, wanted: list[str], found: dict[str, Any], rcn: int | None) -> None:
    assert get(cse, POWER, pc={"m2m:atrl": wanted}, rcn=rcn) == {"m2m:cnt": found}


@pytest.mark.parametrize(
    "wrong",
    [
        {"pc": {"m2m:atrl": ["nonsense"]}},
        {"pc": {"m2m:atrl": ["cni", "con"]}},
        {"pc": {"m2m:atrl": []}},
        {"pc": {"m2m:atrl": "cni"}},
        {"pc": {"m2m:atrl": [1]}},
        {"pc": {"atrl": ["cni"]}},
        {"pc": {"m2m:cnt": {}}},
        *({"pc": {"m2m:atrl": ["cni"]}, "rcn": rcn} for rcn in (4, 5, 6, 8, 12)),
    ],
)
def test_lists_of_attributes_that_cannot_be_served(cse: Driven, wrong: dict[str, Any]) -> None:
    assert cse.retrieve(POWER, ME, **wrong).rsc == RSC.BAD_REQUEST


@pytest.mark.parametrize(
    ("to", "found"),
    [
        (f"{POWER}#cni", {"m2m:cnt": {"cni": 3}}),
        (f"/id-in/{POWER}#cni", {"m2m:cnt": {"cni": 3}}),
        (f"{AE}#api", {"m2m:ae": {"api": "Nmeter"}}),
        ("cse-in#csi", {"m2m:cb": {"csi": "/id-in"}}),
        ("/id-in#ctm", {"m2m:cb": {"ctm": "20250615T150640,000000"}}),
        (f"{POWER}/la#con", {"m2m:cin": {"con": "333"}}),
        (f"{POWER}/ol#con", {"m2m:cin": {"con": "1"}}),
    ],
)
def test_one_attribute_after_a_hash(cse: Driven, to: str, found: dict[str, Any]) -> None:
    assert get(cse, to) == found


def test_one_attribute_that_cannot_be_served(cse: Driven) -> None:
    assert cse.retrieve(f"{POWER}#nonsense", ME).rsc == RSC.BAD_REQUEST
    assert cse.retrieve(f"{POWER}#lbl", ME).rsc == RSC.NOT_FOUND
    assert cse.retrieve(f"{POWER}#", ME).rsc == RSC.BAD_REQUEST
    for rcn in (4, 5, 6, 8, 12):
        assert cse.retrieve(f"{POWER}#cni", ME, rcn=rcn).rsc == RSC.BAD_REQUEST


# --- trees -------------------------------------------------------------------------------------------------------------------------------------------------


def test_attributes_and_children(cse: Driven) -> None:
    """rcn 4: descendants of all levels as arrays named by their type, inside their parents."""
    root = get(cse, rcn=4)["m2m:ae"]
    own = seen(cse, AE)
    assert {name: root[name] for name in own} == own
    assert root.keys() - own.keys() == {"m2m:cnt", "m2m:sub"}
    assert [found["rn"] for found in root["m2m:cnt"]] == ["power", "heat"]
    assert [found["con"] for found in root["m2m:cnt"][0]["m2m:cin"]] == ["1", "22", "333"]
    (inlet,) = root["m2m:cnt"][1]["m2m:cnt"]
    assert [found["con"] for found in inlet["m2m:cin"]] == ["4"]
    without = {name: value for name, value in inlet.items() if name != "m2m:cin"}
    assert without == seen(cse, f"{AE}/heat/inlet")


def test_children_alone(cse: Driven) -> None:
    """rcn 8: as rcn 4, but the target shows no attributes of its own."""
    root = get(cse, rcn=8)["m2m:ae"]
    assert root.keys() == {"m2m:cnt", "m2m:sub"}
    assert root["m2m:cnt"] == get(cse, rcn=4)["m2m:ae"]["m2m:cnt"]


def test_child_references(cse: Driven) -> None:
    """rcn 6: a list of references with name, type and address."""
    found = get(cse, POWER, rcn=6)
    assert found == {"m2m:rrl": {"rrf": [{"nm": f"i{con}", "typ": 4, "val": f"{POWER}/i{con}"} for con in ("1", "22", "333")]}}
    assert listed(cse) == EVERYTHING


def test_attributes_and_child_references(cse: Driven) -> None:
    """rcn 5: the target's own attributes, references in ch."""
    root = get(cse, rcn=5)["m2m:ae"]
    assert names(root.pop("ch")) == EVERYTHING
    assert root == seen(cse, AE)


def test_references_in_the_desired_form(cse: Driven) -> None:
    ris = [found["ri"] for found in get(cse, POWER, rcn=8)["m2m:cnt"]["m2m:cin"]]
    assert [found["val"] for found in get(cse, POWER, rcn=6, drt=2)["m2m:rrl"]["rrf"]] == ris
    assert [found["val"] for found in get(cse, POWER, rcn=5, drt=2)["m2m:cnt"]["ch"]] == ris
    assert names(get(cse, rcn=6, drt=1)["m2m:rrl"]["rrf"]) == EVERYTHING


@pytest.mark.parametrize(("rcn", "pc"), [(4, None), (5, {"ch": []}), (6, {"m2m:rrl": {"rrf": []}}), (8, {"m2m:cnt": {}})])
def test_a_resource_without_children(rcn: int, pc: Any) -> None:
    cse = world()
    found = get(cse, POWER, rcn=rcn)
    if rcn in (4, 5):
        assert found == {"m2m:cnt": {**seen(cse, POWER), **(pc or {})}}
    else:
        assert found == pc


@pytest.mark.parametrize(
    ("criteria", "expected"),
    [
        ({"lvl": 1}, ["power", "heat", "sub"]),
        ({"lvl": 2}, ["power", "power/i1", "power/i22", "power/i333", "heat", "heat/inlet", "sub"]),
        ({"lvl": 9}, EVERYTHING),
        ({"lim": 3}, EVERYTHING[:3]),
        ({"lim": 3, "ofst": 4}, EVERYTHING[3:6]),
        ({"ofst": 7}, EVERYTHING[6:]),
        ({"ofst": 99}, []),
        ({"ty": [4]}, ["power/i1", "power/i22", "power/i333", "heat/inlet/i4"]),
        ({"ty": [4], "lim": 2, "ofst": 2}, ["power/i22", "power/i333"]),
        ({"lbl": ["size:2", "warm"]}, ["power/i22", "heat"]),
        ({"ty": [3], "lvl": 1}, ["power", "heat"]),
        ({"fu": 2, "ty": [23]}, ["sub"]),
        ({"lbl": ["none"]}, []),
    ],
)
def test_filters_and_limits_choose_among_the_descendants(cse: Driven, criteria: dict[str, Any], expected: list[str]) -> None:
    assert listed(cse, fc=criteria) == expected
    assert names(get(cse, rcn=5, fc=criteria)["m2m:ae"]["ch"]) == expected


def pages(cse: Driven, rcn: int, size: int) -> list[Response]:
    found, offset = [], 1
    while True:
        response = cse.retrieve(POWER, ME, rcn=rcn, fc={"lim": size, "ofst": offset})
        found.append(response)
        if response.cnst != 1:
            return found
        assert response.cnot is not None
        assert response.cnot > offset
        offset = response.cnot


@pytest.mark.parametrize("rcn", [4, 5, 6, 8])
def test_what_does_not_fit_is_told_and_found_with_the_next_offset(cse: Driven, rcn: int) -> None:
    """contentStatus 1 is partial, contentOffset where to go on."""
    first, last = pages(cse, rcn, 2)
    assert (first.cnst, first.cnot) == (1, 3)
    assert last.cnst in (None, 2)
    assert last.cnot is None


def test_the_limit_of_the_cse_counts_when_it_is_smaller() -> None:
    cse = world(discovery_limit=2)
    for con in "123":
        put(cse, con)
    response = cse.retrieve(POWER, ME, rcn=8, fc={"lim": 100})
    assert [found["con"] for found in of(response)["m2m:cin"]] == ["1", "2"]
    assert (response.cnst, response.cnot) == (1, 3)


@pytest.mark.parametrize("criteria", [{"lvl": 0}, {"lvl": -1}, {"lim": -1}, {"ofst": 0}, {"lim": "3"}])
def test_limits_that_make_no_sense(cse: Driven, criteria: dict[str, Any]) -> None:
    assert cse.retrieve(AE, ME, rcn=6, fc=criteria).rsc == RSC.BAD_REQUEST


def test_descendants_that_the_originator_may_not_read_are_left_out(cse: Driven) -> None:
    policy(cse, "acp", rule(OTHER, 2))
    of(cse.update(AE, {"m2m:ae": {"acpi": ["cse-in/acp"]}}, ME))
    of(cse.update(f"{AE}/heat/inlet", {"m2m:cnt": {"acpi": ["cse-in/acp"]}}, ME))
    assert listed(cse, fr=OTHER) == []
    of(cse.update(f"{AE}/heat", {"m2m:cnt": {"acpi": ["cse-in/acp"]}}, ME))
    assert listed(cse, fr=OTHER) == ["heat", "heat/inlet", "heat/inlet/i4"]


@pytest.mark.parametrize("rcn", [4, 5, 8])
def test_a_rule_for_some_attributes_shows_only_these_in_a_tree_too(cse: Driven, rcn: int) -> None:
    """accessControlAttributes (R4, procedures 4)."""
    policy(cse, "acp", rule(OTHER, 2, aca=["rn", "lbl"]))
    for path in (f"{AE}/heat", f"{AE}/heat/inlet"):
        of(cse.update(path, {"m2m:cnt": {"acpi": ["cse-in/acp"]}}, ME))
    assert get(cse, f"{AE}/heat", OTHER)["m2m:cnt"] == {"rn": "heat", "lbl": ["warm"]}
    root = get(cse, f"{AE}/heat", OTHER, rcn=rcn)["m2m:cnt"]
    own = {} if rcn == 8 else {"rn": "heat", "lbl": ["warm"]}
    inlet = {"rn": "inlet"}
    assert {name: value for name, value in root.items() if not name.startswith("m2m:") and name != "ch"} == own
    if rcn != 5:
        assert [{name: value for name, value in found.items() if name != "m2m:cin"} for found in root["m2m:cnt"]] == [inlet]


def test_attributes_asked_for_by_name_that_no_rule_grants(cse: Driven) -> None:
    """Of several those that are granted are shown; where none is, no rule lets the request pass, whether the attribute has a value or not."""
    policy(cse, "acp", rule(OTHER, 2, aca=["rn", "lbl"]))
    path = f"{AE}/heat"
    of(cse.update(path, {"m2m:cnt": {"acpi": ["cse-in/acp"]}}, ME))
    assert of(cse.retrieve(path, OTHER, pc={"m2m:atrl": ["lbl", "cni"]})) == {"lbl": ["warm"]}
    assert of(cse.retrieve(f"{path}#rn", OTHER)) == {"rn": "heat"}
    assert cse.retrieve(path, OTHER, pc={"m2m:atrl": ["cni", "st"]}).rsc == RSC.ORIGINATOR_HAS_NO_PRIVILEGE
    for name in ("cni", "mni"):
        assert cse.retrieve(f"{path}#{name}", OTHER).rsc == RSC.ORIGINATOR_HAS_NO_PRIVILEGE


def test_expired_descendants_are_left_out(cse: Driven) -> None:
    put(cse, "brief", rn="brief", et=timestamp(cse.seconds + 10))
    cse.seconds += 20
    assert "power/brief" not in listed(cse)


# --- conditions on the target ---------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("criteria", "rsc"),
    [
        ({"lbl": ["warm"]}, RSC.OK),
        ({"lbl": ["cold"]}, RSC.NOT_FOUND),
        ({"ty": [3]}, RSC.OK),
        ({"ty": [2]}, RSC.NOT_FOUND),
        ({"ty": [2], "lbl": ["warm"], "fo": 2}, RSC.OK),
        ({"fu": 2, "lbl": ["cold"]}, RSC.NOT_FOUND),
        ({"cra": "20200101T000000"}, RSC.OK),
        ({"crb": "20200101T000000"}, RSC.NOT_FOUND),
    ],
)
@pytest.mark.parametrize("rcn", [None, 1])
def test_a_target_that_does_not_match_counts_as_missing(cse: Driven, criteria: dict[str, Any], rsc: RSC, rcn: int | None) -> None:
    assert cse.retrieve(f"{AE}/heat", ME, fc=criteria, rcn=rcn).rsc == rsc
