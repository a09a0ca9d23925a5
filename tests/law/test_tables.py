"""The table of every resource type says what the standard's table says."""

import re
from typing import Any

import pytest

from cse import datatypes
from cse.datatypes import DataType
from cse.schema import ResourceType
from tests.law.facts import NAMES, TYPES, fact

ATTRIBUTES = fact("attributes")
COMPLEX = fact("complex_types")["types"]
ENUMS = fact("enums")["enums"]
RESOURCE_TYPES = fact("resource_types")

OWN_DEFAULTS = {
    "st": (0, "procedures: 0 on CREATE; the facts have it as a note"),
    "cni": (0, "a counter of an empty container"),
    "cbs": (0, "a counter of an empty container"),
    "mdc": (0, "the number of entries of an empty list"),
    "exe": (False, "a command that nobody has started yet"),
}
"""Defaults that the facts do not list as such, and why the tables have them."""


CSE_CHOOSES = "cseDefault"
"""In the facts: the CSE chooses a value, by a rule of its own that is no value of a table."""

LISTS = {"cmlk", "ohc", "apna"}
"""Attributes of management objects whose facts say by their cardinality alone, (L), that they are lists."""

OWN_PARENTS = {"mgmtObj": {"mgo"}, "schedule": {"ae", "csr"}}
"""Parents that the facts have elsewhere or not: some mgmtObjSpecialisations are children of others; schedules say when an AE or another CSE can be reached."""


def type_of(row: dict[str, Any]) -> str:
    """Give the name of the type of a row."""
    name: str = row["type"]
    return f"list<{name}>" if row["short"] in LISTS and not name.startswith("list<") else name


def rows_of(resource_type: ResourceType) -> list[dict[str, Any]]:
    """Give the rows of a type; one without a short name stands for what its specialisations add."""
    rows: list[dict[str, Any]] = ATTRIBUTES["resources"][resource_type.name]["attributes"]
    return [row for row in rows if row["short"] is not None]


def short_names() -> dict[str, str]:
    listed = [entry for group in ("types", "announcedTypes", "virtualTypes") for entry in RESOURCE_TYPES[group]]
    return {entry["name"]: entry["short"].removeprefix("m2m:") for entry in listed if entry["short"]}


def test_the_types_of_the_main_job_are_there() -> None:
    assert {"CSEBase", "AE", "accessControlPolicy", "container", "contentInstance", "subscription", "group"} <= set(NAMES)


@pytest.mark.parametrize("resource_type", TYPES, ids=NAMES)
def test_no_attribute_is_missing_invented_or_out_of_order(resource_type: ResourceType) -> None:
    assert [row.short for row in resource_type.attributes] == [row["short"] for row in rows_of(resource_type)]


@pytest.mark.parametrize("resource_type", TYPES, ids=NAMES)
def test_each_row_equals_the_fact(resource_type: ResourceType) -> None:
    ours = [(row.short, row.long, row.type.name, row.card, row.create, row.update, row.announce) for row in resource_type.attributes]
    theirs = [
        (row["short"], row["name"], type_of(row), row["card"].removesuffix("(L)"), row["create"], row["update"], row["annc"]) for row in rows_of(resource_type)
    ]
    assert ours == theirs


@pytest.mark.parametrize("resource_type", TYPES, ids=NAMES)
def test_defaults_are_those_of_the_facts(resource_type: ResourceType) -> None:
    expected = {row["short"]: row.get("default", OWN_DEFAULTS.get(row["short"], (None, ""))[0]) for row in rows_of(resource_type)}
    expected = {name: None if value == CSE_CHOOSES else value for name, value in expected.items()}
    assert {row.short: row.default for row in resource_type.attributes} == expected


@pytest.mark.parametrize("resource_type", TYPES, ids=NAMES)
def test_defaults_fit_their_own_type(resource_type: ResourceType) -> None:
    for row in resource_type.attributes:
        if row.default is not None:
            row.type.check(row.default)


@pytest.mark.parametrize("resource_type", TYPES, ids=NAMES)
def test_number_and_names_equal_the_fact(resource_type: ResourceType) -> None:
    entry = next(entry for entry in RESOURCE_TYPES["types"] if entry["name"] == resource_type.name)
    assert (resource_type.ty, resource_type.short) == (entry["ty"], entry["short"])
    assert resource_type.spec.startswith("TS-0001 9.6.")


@pytest.mark.parametrize("resource_type", TYPES, ids=NAMES)
def test_parents_equal_the_fact(resource_type: ResourceType) -> None:
    entry = next(entry for entry in RESOURCE_TYPES["types"] if entry["name"] == resource_type.name)
    names = short_names()
    assert resource_type.parents == {names[parent] for parent in entry["parents"]} | OWN_PARENTS.get(resource_type.name, set())


@pytest.mark.parametrize("resource_type", TYPES, ids=NAMES)
def test_virtual_children_equal_the_fact(resource_type: ResourceType) -> None:
    known = {entry["resourceName"] for entry in RESOURCE_TYPES["virtualTypes"] if resource_type.name in entry["parents"]}
    assert set(resource_type.virtual) <= known


@pytest.mark.parametrize("resource_type", TYPES, ids=NAMES)
def test_every_type_name_is_in_the_vocabulary(resource_type: ResourceType) -> None:
    for row in resource_type.attributes:
        name = re.sub(r"^list<(.*)>$", r"\1", row.type.name)
        kind, _, rest = name.rpartition(":")
        assert rest in {"": ATTRIBUTES["meta"]["types"], "enum": ENUMS, "complex": COMPLEX}[kind], row


def test_every_type_of_the_vocabulary_has_a_checker() -> None:
    found = {value.name for value in vars(datatypes).values() if isinstance(value, DataType)}
    assert set(ATTRIBUTES["meta"]["types"]) - found == set()
