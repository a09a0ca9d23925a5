"""Definition files of flexContainer: those that are shipped, those of a user, and what is said about mistakes in them."""

import json
import tomllib
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from bindings.definitions import SCHEMA, SHIPPED, SINGLE, DefinitionError, load
from bindings.serve import Server, StartError, configured_types
from cse.codes import Operation
from cse.codes import ResponseStatusCode as RSC
from cse.schema import Definition
from resources.flex_container import TYPE
from resources.flex_container_instance import TYPE as INSTANCE
from tests.bindings.test_serve import command
from tests.law.facts import fact
from tests.scenarios.bed import Wire, client, config

ROOT = Path(__file__).parents[2]
MODEL = fact("sdt_metering")
CLASSES = [*MODEL["devices"], *MODEL["subDevices"], *MODEL["modules"], *(action for module in MODEL["modules"] for action in module.get("actions", ()))]
LAMP = """{
 "classes": [
  {
   "cnd": "org.example.lamp",
   "short": "my:lamp",
   "name": "lamp",
   "attributes": [
    {"short": "level", "name": "brightness", "type": "float", "mandatory": true, "unit": "lm"},
    {"short": "names", "name": "names", "type": "list<string>"}
   ]
  }
 ]
}
"""


def written(directory: Path, text: str, name: str = "own.json") -> Path:
    path = directory / name
    path.write_text(text, "utf-8")
    return path


def by_cnd(found: tuple[Definition, ...]) -> dict[str, Definition]:
    return {each.cnd: each for each in found}


# --- what is shipped ---------------------------------------------------------------------------------------------------------------------------------------

SHIPPED_CLASSES = by_cnd(load())


@pytest.mark.parametrize("entry", CLASSES, ids=lambda entry: entry["name"])
def test_each_class_of_the_model_is_shipped_as_it_is(entry: dict[str, Any]) -> None:
    """TS-0023: root, names, types and which data points a CREATE needs; the model writes date and time in the basic form."""
    found = SHIPPED_CLASSES[entry["cnd"]]
    rows = entry.get("dataPoints", entry.get("attributes", entry.get("arguments", ())))
    basic = {"date": "basicDate", "time": "basicTime"}
    assert (found.short, found.name) == (entry["short"], entry["name"])
    assert [(row.short, row.long, row.type.name, row.create) for row in found.attributes] == [
        (row["short"], row["name"], basic.get(row["type"], row["type"]), "O" if row["optional"] else "M") for row in rows
    ]
    assert all((row.card == "1") == (row.create == "M") and row.update == "O" and row.announce == "OA" for row in found.attributes)


@pytest.mark.parametrize(
    ("cnd", "names"),
    [
        ("metering.live", ["power", "importTotal", "exportTotal", "generated", "consumed", "rate", "price", "mode", "credit", "supplyState"]),
        ("metering.timers", ["validateWithin", "displayWithin", "consumerDeadline", "confirmWithin", "ackWithin", "reportGrace", "alertWithin"]),
        ("metering.settings", ["label", "version", "parameters"]),
        ("metering.reporting", ["reports"]),
        ("metering.limits", ["voltage", "current", "frequency", "powerFactor", "flicker", "harmonics"]),
    ],
)
def test_the_classes_of_a_smart_meter_are_shipped(cnd: str, names: list[str]) -> None:
    assert [row.short for row in SHIPPED_CLASSES[cnd].attributes] == names


def test_nothing_else_is_shipped() -> None:
    others = SHIPPED_CLASSES.keys() - {entry["cnd"] for entry in CLASSES}
    assert others == {f"metering.{each}" for each in ("live", "timers", "settings", "reporting", "limits")}


def test_modules_that_a_shipped_class_names_are_shipped() -> None:
    roots = {found.short for found in SHIPPED_CLASSES.values()}
    for path in SHIPPED.glob("*.json"):
        for entry in json.loads(path.read_text("utf-8"))["classes"]:
            assert set(entry.get("modules", ())) <= roots, entry["cnd"]


def test_the_files_are_package_data() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]
    assert "config*" in project["packages"]["find"]["include"]
    assert SHIPPED == ROOT / "config" / "flexcontainers"
    for path in SHIPPED.iterdir():
        assert any(fnmatch(str(path.relative_to(SHIPPED.parent)), pattern) for pattern in project["package-data"]["config"]), path


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)


# --- those of a user ---------------------------------------------------------------------------------------------------------------------------------------


def test_a_file_adds_a_class(tmp_path: Path) -> None:
    written(tmp_path, LAMP)
    written(tmp_path, "no definition", "notes.txt")
    found = by_cnd(load(str(tmp_path)))
    assert found.keys() - SHIPPED_CLASSES.keys() == {"org.example.lamp"}
    lamp = found["org.example.lamp"]
    assert (lamp.short, lamp.name) == ("my:lamp", "lamp")
    assert [(row.short, row.long, row.type.name, row.create) for row in lamp.attributes] == [
        ("level", "brightness", "float", "M"),
        ("names", "names", "list<string>", "O"),
    ]


@pytest.mark.parametrize("kind", [name for single in SINGLE for name in (single.name, f"list<{single.name}>")])
def test_every_type_may_be_used(kind: str, tmp_path: Path) -> None:
    written(tmp_path, LAMP.replace('"float"', json.dumps(kind)))
    assert by_cnd(load(str(tmp_path)))["org.example.lamp"].attributes[0].type.name == kind


@pytest.mark.parametrize(
    ("before", "after", "line", "words"),
    [
        ('"cnd": "org.example.lamp",\n', "\n", 3, "classes[0]: lacks the key 'cnd'"),
        ('"name": "brightness", ', "", 8, "classes[0].attributes[0]: lacks the key 'name'"),
        ('"short": "my:lamp"', '"short": "lamp"', 5, "classes[0].short: 'lamp' has not the form"),
        ('"short": "level"', '"short": "lev el"', 8, "classes[0].attributes[0].short: 'lev el' has not the form"),
        ('"type": "float"', '"type": "flaot"', 8, "classes[0].attributes[0].type: 'flaot' is no type, did you mean 'float'?"),
        ('"type": "float"', '"type": 5', 8, "classes[0].attributes[0].type: 5 is no type"),
        ('"mandatory": true', '"mandatory": "yes"', 8, "classes[0].attributes[0].mandatory: has to be of the JSON type boolean, not 'yes'"),
        ('"mandatory": true', '"mandatori": true', 8, "classes[0].attributes[0].mandatori: is no key here, did you mean 'mandatory'?"),
        ('"name": "lamp",', '"name": "lamp",\n   "colour": 5,', 7, "classes[0].colour: is no key here; there are cnd, short, name"),
        ('"short": "names"', '"short": "level"', 9, "classes[0].attributes[1].short: 'level' comes twice in my:lamp"),
        ('"short": "names"', '"short": "lbl"', 9, "classes[0].attributes[1].short: 'lbl' is an attribute of every flexContainer"),
        ('"short": "names"', '"short": "org"', 9, "classes[0].attributes[1].short: 'org' is an attribute of every flexContainer or of its instances"),
        ('"name": "lamp",', '"name": "lamp",\n   "name": "light",', 7, "classes[0].name: comes twice"),
        ('"cnd": "org.example.lamp"', f'"cnd": "{TYPE.name} {{}}"', 4, "classes[0].cnd: 'flexContainer {}' has not the form"),
        ('"cnd": "org.example.lamp"', '"cnd": "metering.live"', 3, "metering.live is defined already: "),
        ('"my:lamp",', '"my:lamp"', 6, "is no JSON: Expecting ',' delimiter"),
    ],
)
def test_a_mistake_is_named_with_file_line_and_key(before: str, after: str, line: int, words: str, tmp_path: Path) -> None:
    assert LAMP.count(before) == 1
    path = written(tmp_path, LAMP.replace(before, after))
    with pytest.raises(DefinitionError) as caught:
        load(str(tmp_path), TYPE.names | INSTANCE.names)
    assert str(caught.value).startswith(f"{path}:{line}: "), caught.value
    assert words in str(caught.value)


def test_every_mistake_of_a_file_is_named(tmp_path: Path) -> None:
    path = written(tmp_path, LAMP.replace('"float"', '"flaot"').replace("my:lamp", "lamp").replace("list<string>", "list<text>"))
    with pytest.raises(DefinitionError) as caught:
        load(str(tmp_path))
    assert [message.split(": ")[0] for message in str(caught.value).splitlines()] == [f"{path}:{line}" for line in (5, 8, 9)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ":1: is no JSON"),
        ("[]", ":1: the file: has to be of the JSON type object, not a list"),
        ("5", ":1: the file: has to be of the JSON type object, not 5"),
        ("{}", ":1: the file: lacks the key 'classes'"),
        ('{"classes": {}}', ":1: classes: has to be of the JSON type array, not an object"),
        ('{"classes": [\n\n5]}', ":3: classes[0]: has to be of the JSON type object, not 5"),
        ("[" * 100_000, ": is nested too deep"),
    ],
)
def test_a_file_that_is_something_else(text: str, words: str, tmp_path: Path) -> None:
    path = written(tmp_path, text)
    with pytest.raises(DefinitionError) as caught:
        load(str(tmp_path))
    assert str(caught.value).startswith(f"{path}{words}")


def test_a_file_that_is_no_text_and_a_directory_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "own.json").write_bytes(b'{"about": "\xff"}')
    with pytest.raises(DefinitionError, match=r"own\.json: is not UTF-8"):
        load(str(tmp_path))
    with pytest.raises(DefinitionError, match="none: is no directory of definition files"):
        load(str(tmp_path / "none"))


def test_a_class_that_two_files_define_is_named_with_both_places(tmp_path: Path) -> None:
    first, second = written(tmp_path, LAMP, "a.json"), written(tmp_path, LAMP, "b.json")
    with pytest.raises(DefinitionError) as caught:
        load(str(tmp_path))
    assert str(caught.value) == f"{second}:3: classes[0].cnd: org.example.lamp is defined already: {first}:3: classes[0]"


# --- in a server -------------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wire", [Wire("http", "json"), Wire("coap", "cbor")], ids=lambda wire: wire.binding)
async def test_a_server_takes_the_class_of_a_user_and_those_that_are_shipped(wire: Wire, tmp_path: Path) -> None:
    written(tmp_path, LAMP)
    async with Server(config("memory:", models__flexcontainers=str(tmp_path))) as server, client(wire, server) as admin:

        async def made(root: str, **attributes: Any) -> Any:
            return await admin.send(Operation.CREATE, "cse-in", "CAdmin", ty=28, pc={root: attributes})

        lamp = await made("my:lamp", rn="lamp", cnd="org.example.lamp", level=20, fcied=True)
        assert (lamp.rsc, lamp.pc["my:lamp"]["level"]) == (RSC.CREATED, 20)
        wrong = await made("my:lamp", cnd="org.example.lamp", level="bright")
        assert (wrong.rsc, "level (brightness)" in wrong.pc["m2m:dbg"]) == (RSC.BAD_REQUEST, True)
        unknown = await made("my:sun", cnd="org.example.sun")
        assert unknown.rsc == RSC.SPECIALIZATION_SCHEMA_NOT_FOUND
        assert (await made("cod:eneCn", cnd="org.onem2m.common.moduleclass.energyConsumption", abECn=7)).rsc == RSC.CREATED
        changed = await admin.send(Operation.UPDATE, "cse-in/lamp", "CAdmin", pc={"my:lamp": {"level": 30}})
        assert (changed.rsc, changed.pc["my:lamp"]["cni"]) == (RSC.UPDATED, 2)
        newest = await admin.send(Operation.RETRIEVE, "cse-in/lamp/la", "CAdmin")
        assert (newest.pc["my:lamp"]["level"], newest.pc["my:lamp"]["ty"]) == (30, 58)
        found = await admin.send(Operation.RETRIEVE, "cse-in", "CAdmin", fc={"fu": 1, "atr": {"cnd": ["org.example.lamp"]}})
        assert found.pc["m2m:uril"] == ["cse-in/lamp"]


async def test_a_server_does_not_start_with_a_mistake(tmp_path: Path) -> None:
    path = written(tmp_path, LAMP.replace('"float"', '"flaot"'))
    mistaken = config("memory:", models__flexcontainers=str(tmp_path))
    with pytest.raises(StartError, match=r"own\.json:8: classes\[0\]\.attributes\[0\]\.type: 'flaot' is no type"):
        async with Server(mistaken):
            raise AssertionError("it has started")
    with pytest.raises(StartError):
        configured_types(mistaken)
    setting = written(tmp_path, f"[models]\nflexcontainers = {json.dumps(str(tmp_path))}\n", "cse.toml")
    async with command("check-config", str(setting)) as process:
        code, _, said = await process.end()
    assert (code, said.startswith(f"cse: {path}:8: classes[0].attributes[0].type: ")) == (2, True)
