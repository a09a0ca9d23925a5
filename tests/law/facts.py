"""The copied facts of the standard (tests/data/spec) and the resource types of this CSE, side by side."""

import json
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

import resources
from cse.schema import ResourceType

SPEC = Path(__file__).parent.parent / "data" / "spec"


def fact(name: str) -> dict[str, Any]:
    """Give one file of facts."""
    content: dict[str, Any] = json.loads((SPEC / f"{name}.json").read_text(encoding="utf-8"))
    return content


def implemented() -> list[ResourceType]:
    """Give the TYPE of every public module of the package: a new file is held against the facts without being listed anywhere."""
    names = sorted(found.name for found in iter_modules(resources.__path__) if not found.name.startswith("_"))
    return [import_module(f"resources.{name}").TYPE for name in names]


TYPES = implemented()
NAMES = [found.name for found in TYPES]
