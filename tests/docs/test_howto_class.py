"""docs/howto-class.md: its definition is taken, its request is served, its mistake is told as it says."""

import json
from pathlib import Path

import pytest

from bindings.definitions import SINGLE, DefinitionError, load
from bindings.serve import resource_types
from cse.codes import ResponseStatusCode as RSC
from cse.config import Settings
from cse.core import CSE
from tests.docs.pages import DOCS, blocks
from tests.drive import Driven

PAGE = DOCS / "howto-class.md"
BLOCKS = {block.name: block.text for block in blocks(PAGE, "json")}


def test_the_class_is_served(tmp_path: Path) -> None:
    (tmp_path / "lamp.json").write_text(BLOCKS["lamp.json"], "utf-8")
    driven = Driven()
    driven.cse = CSE(driven.store, resource_types(load(str(tmp_path))), Settings(), lambda: driven.seconds, lambda: "fresh")
    assert driven.create("cse-in", 28, json.loads(BLOCKS["request"])).rsc == RSC.CREATED
    assert driven.retrieve("cse-in/lamp1/la").pc["my:lamp"]["level"] == 800


def test_the_mistake_is_told_as_the_page_says(tmp_path: Path) -> None:
    (tmp_path / "lamp.json").write_text(BLOCKS["lamp.json"].replace("float", "flaot"), "utf-8")
    with pytest.raises(DefinitionError) as caught:
        load(str(tmp_path))
    shown = str(caught.value).removeprefix(f"{tmp_path}/").partition("any, dict, ")[0]
    assert f"    {shown}any, dict, ...\n" in PAGE.read_text("utf-8")


def test_every_type_is_named() -> None:
    text = PAGE.read_text("utf-8")
    assert [kind.name for kind in SINGLE if f"`{kind.name}`" not in text] == []
