"""docs/howto-type.md: its resource type says what the standard's table says, and a CSE serves it."""

import json
from pathlib import Path
from typing import Any

import pytest

from bindings.serve import TYPES
from cse.codes import ResponseStatusCode as RSC
from cse.config import Settings
from cse.core import CSE
from cse.schema import ResourceType
from cse.storage import open_store
from tests.docs.pages import DOCS, program
from tests.drive import Driven
from tests.law import test_tables

FACTS: dict[str, Any] = json.loads((Path(__file__).parent / "role.json").read_text("utf-8"))
"""The rows of <role> (TS-0001 9.6.38), as the page tells its reader to bring them into tests/data/spec."""


@pytest.fixture
def kind() -> ResourceType:
    found: ResourceType = program(DOCS / "howto-type.md", "resources/role.py").TYPE
    return found


def test_its_table_equals_the_facts(kind: ResourceType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(test_tables.ATTRIBUTES["resources"], "role", FACTS)
    test_tables.test_no_attribute_is_missing_invented_or_out_of_order(kind)
    test_tables.test_each_row_equals_the_fact(kind)
    test_tables.test_defaults_are_those_of_the_facts(kind)
    test_tables.test_number_and_names_equal_the_fact(kind)
    test_tables.test_parents_equal_the_fact(kind)
    test_tables.test_virtual_children_equal_the_fact(kind)
    test_tables.test_every_type_name_is_in_the_vocabulary(kind)


def test_a_cse_serves_it(kind: ResourceType) -> None:
    store = open_store("memory:", frozenset({4}))
    driven = Driven(settings=Settings(), store=store)
    driven.cse = CSE(store, [each for each in TYPES if each.ty != kind.ty] + [kind], Settings(), lambda: driven.seconds, lambda: "fresh")
    driven.cse.bootstrap()
    given = {"rlid": "1234-5@acme.example.com", "tkis": "CAdmin", "tkhd": "Cmeter", "tknb": "20260101T000000", "tkna": "20270101T000000"}
    made = driven.create("cse-in", 31, {"m2m:rol": {"rn": "reader", **given}})
    assert made.rsc == RSC.CREATED
    assert driven.retrieve("cse-in/reader").pc["m2m:rol"]["tkhd"] == "Cmeter"
    wrong = driven.create("cse-in", 31, {"m2m:rol": {**given, "tknb": "tomorrow"}})
    assert wrong.rsc == RSC.BAD_REQUEST
    assert "notBefore" in wrong.pc["m2m:dbg"]
    refused = driven.create("cse-in", 31, {"m2m:rol": {**given, "tkna": given["tknb"]}})
    assert refused.rsc == RSC.BAD_REQUEST
    assert "notAfter" in refused.pc["m2m:dbg"]
    assert driven.update("cse-in/reader", {"m2m:rol": {"tkhd": "Cother"}}).rsc == RSC.BAD_REQUEST  # it cannot be changed
