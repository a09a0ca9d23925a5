"""The reference is what the code says, and says everything."""

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from apps.cli import app
from bindings.config import load, rows
from bindings.serve import TYPES
from cse.codes import ResponseStatusCode
from tests.docs.pages import DOCS, ROOT
from tests.docs.reference import documents

WANTED = documents()
REFERENCE = DOCS / "reference"


@pytest.mark.parametrize("name", WANTED)
def test_it_is_what_the_code_says(name: str) -> None:
    assert (REFERENCE / name).read_text("utf-8") == WANTED[name], "write it anew: python -m tests.docs.generate"


def test_there_is_nothing_else() -> None:
    assert {str(path.relative_to(REFERENCE)) for path in REFERENCE.rglob("*") if path.is_file()} == set(WANTED)


def test_every_setting_is_there() -> None:
    for row in rows():
        section = WANTED["settings.md"].partition(f"\n## {row.section}\n")[2].partition("\n## ")[0]
        assert f"| `{row.key}` |" in section, row.name
        assert row.doc in section, row.name


def test_settings_that_pages_name_exist() -> None:
    known = {row.name for row in rows()}
    sections = {row.section for row in rows()} - {"cse"}
    for page in ("operations.md", "architecture.md", "howto-store.md"):
        named = re.findall(r"`([a-z]+\.[a-z_]+)(?: = [^`]*)?`", (DOCS / page).read_text("utf-8"))
        assert [name for name in named if name.partition(".")[0] in sections and name not in known] == [], page


def test_every_command_and_flag_is_there() -> None:
    names = [command.name or command.callback.__name__.replace("_", "-") for command in app.registered_commands if command.callback]
    assert {"serve", "demo", "check-config"} <= set(names)
    for name in names:
        assert f"\n## cse {name}\n" in WANTED["commands.md"]
    for flag in ("--config", "--http", "--coap", "--store", "--cse-id", "--cse-name", "--admin", "--set", "--once", "--version"):
        assert re.search(rf"`(?:cse )?{flag}[ `]", WANTED["commands.md"]), flag


def test_every_attribute_of_every_type_is_there() -> None:
    for kind in TYPES:
        section = WANTED["types.md"].partition(f"\n## {kind.name}\n")[2].partition("\n## ")[0]
        for row in kind.attributes:
            assert f"| `{row.short}` | {row.long} | `{row.type.name}` |" in section, (kind.name, row.short)


def test_every_type_of_a_value_is_explained() -> None:
    text = WANTED["data-types.md"]
    for kind in TYPES:
        for row in kind.attributes:
            bare = re.sub(r"^list<(.*)>$", r"\1", row.type.name)
            family, _, name = bare.rpartition(":")
            if family == "complex":
                assert f"\n### {name}\n" in text, row
            elif family == "enum":
                assert f"| `enum:{name}` |" in text or re.search(rf"(?m)^{name}\b", text), row
            else:
                assert f"| `{name}` |" in text, row


def test_every_status_code_is_there() -> None:
    for code in ResponseStatusCode:
        assert f"| {int(code)} | {code.name} |" in WANTED["status-codes.md"]


SCHEMAS: Mapping[str, Any] = {name: json.loads(text) for name, text in WANTED.items() if name.endswith(".json")}


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_schemas_are_schemas(name: str) -> None:
    Draft202012Validator.check_schema(SCHEMAS[name])


def test_a_schema_tells_right_from_wrong() -> None:
    validator = Draft202012Validator(SCHEMAS["schemas/container.create.json"])
    assert validator.is_valid({"m2m:cnt": {"rn": "readings", "mni": 100}})
    assert not validator.is_valid({"m2m:cnt": {"rn": "readings", "mni": -1}})
    assert not validator.is_valid({"m2m:cnt": {"cni": 5}})  # kept by the CSE
    assert not Draft202012Validator(SCHEMAS["schemas/contentInstance.create.json"]).is_valid({"m2m:cin": {}})  # con is mandatory


def test_the_configuration_files_load() -> None:
    for path in (ROOT / "config").glob("*.toml"):
        load(path)
