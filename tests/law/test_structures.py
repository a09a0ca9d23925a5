"""Complex types and enumerations by number say what the standard's tables say."""

import pytest

from cse import management, structures
from cse.datatypes import DataType
from tests.law.facts import fact

COMPLEX = fact("complex_types")["types"]
ENUMS = fact("enums")["enums"]

EXTRA_MEMBERS = {"operationMonitor": {"org": "the short name that implementations in the field use for originator (or)"}}
"""Members that are accepted although the table has them not."""

STRICTER = {("SELF_PRIVILEGES", "acr"): "selfPrivileges need at least one rule (TS-0004 7.4.2); privileges and selfPrivileges share one type in the table"}
"""Members that are mandatory for this CSE and optional in the table."""

NAMED = {name: value for module in (structures, management) for name, value in vars(module).items() if isinstance(value, DataType)}
WITH_MEMBERS = {name: value for name, value in NAMED.items() if value.members}
NUMBERS = {name: value for name, value in NAMED.items() if value.name.startswith("enum:")}


@pytest.mark.parametrize("constant", WITH_MEMBERS)
def test_members_equal_the_fact(constant: str) -> None:
    kind = WITH_MEMBERS[constant]
    name = kind.name.removeprefix("complex:")
    extra = EXTRA_MEMBERS.get(name, {})
    ours = [(row.short, row.long, row.type.name, "0..1" if (constant, row.short) in STRICTER else row.card) for row in kind.members if row.short not in extra]
    assert ours == [(row["short"], row["name"], row["type"], row["card"].removesuffix("(L)")) for row in COMPLEX[name]["members"]]


def test_every_copied_complex_type_has_a_structure() -> None:
    assert {kind.name.removeprefix("complex:") for kind in (*structures.STRUCTURES, *management.STRUCTURES)} == set(COMPLEX)


@pytest.mark.parametrize("constant", NUMBERS)
def test_numbers_equal_the_fact(constant: str) -> None:
    name = NUMBERS[constant].name.removeprefix("enum:")
    values = [entry["value"] for entry in ENUMS[name]["values"]]
    expected = range(sum(values) + 1) if "combine" in ENUMS[name] else sorted(values)
    assert NUMBERS[constant].schema["enum"] == list(expected)
