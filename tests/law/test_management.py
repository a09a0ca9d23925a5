"""The table of every management object says what the standard's table says (TS-0001 annex D, TS-0022)."""

import re
from typing import Any

import pytest

from cse.schema import ResourceType
from cse.validate import compile_table, schema_of
from resources import mgmt_obj
from resources._mgmt_objects import FORMS, NAMELESS
from tests.law.facts import fact
from tests.law.test_schemas import bodies, compare
from tests.law.test_tables import ATTRIBUTES, COMPLEX, ENUMS, type_of

FACTS: list[dict[str, Any]] = fact("resource_types")["mgmtObjSpecialisations"]
NAMES = [entry["name"] for entry in FACTS]
SPECIALISED = {} if mgmt_obj.TYPE.special is None else mgmt_obj.TYPE.special.kinds

OWN_DEFAULTS: dict[tuple[str, str], tuple[Any, str]] = {
    ("firmware", "uds"): ({"sus": 0}, "uninitialised: nothing was done yet (TS-0004 6.3.4.2.20)"),
    ("software", "ins"): ({"sus": 0}, "uninitialised: nothing was done yet (TS-0004 6.3.4.2.20)"),
    ("software", "in"): (False, "a trigger that nobody has set; the resource always has it, no CREATE may"),
    ("software", "un"): (False, "a trigger that nobody has set; the resource always has it, no CREATE may"),
    ("reboot", "rbo"): (False, "a trigger that nobody has set; the resource always has it"),
    ("reboot", "far"): (False, "a trigger that nobody has set; the resource always has it"),
    ("eventLog", "lga"): (False, "a trigger that nobody has set; the resource always has it"),
    ("eventLog", "lgo"): (False, "a trigger that nobody has set; the resource always has it"),
    ("wifiClient", "ud"): (False, "a trigger that nobody has set; the resource always has it"),
    ("wifiClient", "trdst"): (False, "a trigger that nobody has set; the resource always has it"),
    ("wifiClient", "cons"): (0, "disconnected until the device tells; the resource always has it"),
    ("wifiClient", "scanr"): ([], "nothing found yet; the resource always has it"),
}
"""Defaults that the facts do not list, and why the tables have them."""


def form_of(name: str) -> ResourceType:
    (mgd,) = (entry["mgd"] for entry in FACTS if entry["name"] == name)
    return SPECIALISED[mgd]


def rows_of(name: str) -> list[dict[str, Any]]:
    """Give the rows of the facts: those of mgmtObj where no source has the attributes of a specialisation."""
    listed = ATTRIBUTES["resources"]
    rows = listed[name]["attributes"] or listed["mgmtObj"]["attributes"]
    return [row for row in rows if row["short"] is not None]


def test_every_specialisation_of_the_facts_is_there_and_the_self_defined_one() -> None:
    theirs = {(entry["mgd"], entry["short"] or NAMELESS, entry["name"]) for entry in FACTS}
    assert {(mgd, kind.short, kind.name) for mgd, kind in SPECIALISED.items()} == theirs | {(0, NAMELESS, "selfDefined")}


def test_the_numbers_are_those_of_the_enumeration() -> None:
    assert {mgd: kind.name for mgd, kind in SPECIALISED.items()} == {entry["value"]: entry["name"] for entry in ENUMS["mgmtDefinition"]["values"]}


def test_no_two_specialisations_have_the_same_root_but_the_nameless() -> None:
    roots = [kind.short for kind in SPECIALISED.values() if kind.short != NAMELESS]
    assert len(roots) == len(set(roots))


@pytest.mark.parametrize("name", NAMES)
def test_each_row_equals_the_fact(name: str) -> None:
    ours = [(row.short, row.long, row.type.name, row.card, row.create, row.update, row.announce) for row in form_of(name).attributes]
    assert ours == [
        (row["short"], row["name"], type_of(row), row["card"].removesuffix("(L)"), row["create"], row["update"], row["annc"]) for row in rows_of(name)
    ]


@pytest.mark.parametrize("name", NAMES)
def test_defaults_are_those_of_the_facts_and_fit_their_type(name: str) -> None:
    expected = {row["short"]: row.get("default", OWN_DEFAULTS.get((name, row["short"]), (None, ""))[0]) for row in rows_of(name)}
    assert {row.short: row.default for row in form_of(name).attributes} == expected
    for row in form_of(name).attributes:
        if row.default is not None:
            row.type.check(row.default)


@pytest.mark.parametrize("name", NAMES)
def test_a_new_object_has_all_that_it_always_has(name: str) -> None:
    """Cardinality 1: given in the CREATE, set by the CSE to a default, or one of those that every resource gets."""
    made = {"ty", "ri", "rn", "pi", "ct", "lt", "et"}
    assert [row.short for row in form_of(name).attributes if row.card == "1" and row.create != "M" and row.default is None and row.short not in made] == []


@pytest.mark.parametrize("entry", FACTS, ids=NAMES)
def test_parents_equal_the_fact(entry: dict[str, Any]) -> None:
    """Below a node each may be, as the links of the cmdh family ask for (procedures 13); below another object those that the facts name."""
    assert FORMS[entry["mgd"]].parents == set(entry["parents"]) - {"node"}


@pytest.mark.parametrize("name", NAMES)
def test_every_type_name_is_in_the_vocabulary(name: str) -> None:
    for row in form_of(name).attributes:
        kind, _, rest = re.sub(r"^list<(.*)>$", r"\1", row.type.name).rpartition(":")
        assert rest in {"": ATTRIBUTES["meta"]["types"], "enum": ENUMS, "complex": COMPLEX}[kind], row


@pytest.mark.parametrize("mgd", FORMS)
def test_machines_are_of_attributes_that_the_object_has(mgd: int) -> None:
    rows = {row.short: row for row in FORMS[mgd].attributes}
    for machine in FORMS[mgd].machines:
        for short, long in machine.triggers.items():
            assert (rows[short].long, rows[short].type.name) == (long, "boolean")
        if machine.status:
            assert rows[machine.status].type.name == ("complex:actionStatus" if machine.progress else "enum:logStatus")


@pytest.mark.parametrize("operation", ["create", "update"])
@pytest.mark.parametrize("name", NAMES)
def test_schema_and_checker_agree(name: str, operation: str) -> None:
    schema = schema_of(form_of(name))[operation]
    checker = compile_table(form_of(name))
    compare(bodies(schema), schema, checker.create if operation == "create" else checker.update, 30)
