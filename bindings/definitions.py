"""Files that describe specialisations of flexContainer: read, checked, and turned into definitions; every mistake is named with file, line and key."""

import json
import re
from bisect import bisect
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from cse import datatypes
from cse.datatypes import DataType, list_of, shown
from cse.schema import Attribute, Definition

SHIPPED = Path(__file__).resolve().parent.parent / "config" / "flexcontainers"
"""The definition files that belong to this CSE."""

SINGLE = (
    datatypes.ANY,
    datatypes.DICT,
    datatypes.BOOLEAN,
    datatypes.INTEGER,
    datatypes.NON_NEG_INT,
    datatypes.POSITIVE_INT,
    datatypes.FLOAT,
    datatypes.STRING,
    datatypes.TOKEN,
    datatypes.ID,
    datatypes.ANY_URI,
    datatypes.TIMESTAMP,
    datatypes.ABS_REL_TIMESTAMP,
    datatypes.DURATION,
    datatypes.BASIC_DATE,
    datatypes.BASIC_TIME,
    datatypes.BASE64,
    datatypes.HEX_BINARY,
)
"""The types that an attribute may have; it may also be a list of one of them: ``list<float>``."""

TYPES: Mapping[str, DataType] = {kind.name: kind for single in SINGLE for kind in (single, list_of(single, 0))}

_TEXT = {"type": "string", "minLength": 1}
_ATTRIBUTE = {
    "type": "object",
    "required": ["short", "name", "type"],
    "additionalProperties": False,
    "properties": {
        "short": {"type": "string", "pattern": "^[A-Za-z][A-Za-z0-9]{0,31}$"},
        "name": _TEXT,
        "type": {"enum": sorted(TYPES)},
        "mandatory": {"type": "boolean"},
        "unit": _TEXT,
        "note": _TEXT,
    },
}
_CLASS = {
    "type": "object",
    "required": ["cnd", "short", "name", "attributes"],
    "additionalProperties": False,
    "properties": {
        "cnd": {"type": "string", "pattern": "^[^\\x00-\\x20\\x7f]+$"},
        "short": {"type": "string", "pattern": "^[A-Za-z][A-Za-z0-9]*:[A-Za-z][A-Za-z0-9._-]*$"},
        "name": _TEXT,
        "note": _TEXT,
        "attributes": {"type": "array", "items": _ATTRIBUTE},
        "modules": {"type": "array", "items": _TEXT},
    },
}
SCHEMA: Mapping[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "Specialisations of flexContainer",
    "type": "object",
    "required": ["classes"],
    "additionalProperties": False,
    "properties": {"about": _TEXT, "classes": {"type": "array", "items": _CLASS}},
}
"""What a definition file must be like."""

_Path = tuple[str | int, ...]


class DefinitionError(Exception):
    """A definition file cannot be used; the message names file, line and key."""


def load(directory: str = "", reserved: frozenset[str] = frozenset()) -> tuple[Definition, ...]:
    """Read the definitions that are shipped, and those of the files ``*.json`` in ``directory`` when it is not empty.

    ``reserved`` are short names that no custom attribute may have. Raises DefinitionError.
    """
    paths = sorted(SHIPPED.glob("*.json"))
    if directory:
        if not Path(directory).is_dir():
            raise DefinitionError(f"{directory}: is no directory of definition files")
        paths += sorted(Path(directory).glob("*.json"))
    found: dict[str, tuple[Definition, str]] = {}
    for path in paths:
        for definition, place in _read(path, reserved):
            if definition.cnd in found:
                raise DefinitionError(f"{place}.cnd: {definition.cnd} is defined already: {found[definition.cnd][1]}")
            found[definition.cnd] = definition, place
    return tuple(definition for definition, _ in found.values())


def _read(path: Path, reserved: frozenset[str]) -> Iterator[tuple[Definition, str]]:
    """Give the definitions of a file, each with its place."""
    try:
        text = path.read_text("utf-8")
        document = json.loads(text)
    except OSError as error:
        raise DefinitionError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DefinitionError(f"{path}: is not UTF-8: {error.reason}") from error
    except json.JSONDecodeError as error:
        raise DefinitionError(f"{path}:{error.lineno}: is no JSON: {error.msg}") from error
    except RecursionError as error:
        raise DefinitionError(f"{path}: is nested too deep") from error
    source = _Source(path, _lines(path, text))
    mistakes = [(source.place(where), sentence) for where, sentence in _mistakes(document, reserved)]
    if mistakes:
        raise DefinitionError("\n".join(f"{place}: {sentence}" for place, sentence in mistakes))
    for number, entry in enumerate(document["classes"]):
        yield _definition(entry), source.place(("classes", number))


@dataclass(frozen=True, slots=True)
class _Source:
    path: Path
    lines: Mapping[_Path, int]

    def place(self, where: _Path) -> str:
        """Give ``file:line: key`` of a value, the line of what it would be in when it is not there."""
        known = next(where[:length] for length in range(len(where), -1, -1) if where[:length] in self.lines)
        return f"{self.path}:{self.lines[known]}: {_written(where)}"


def _written(where: _Path) -> str:
    """Write a path as ``classes[2].cnd``."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in where).lstrip(".") or "the file"


_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]:,]|[^\s{}\[\]:,"]+')


def _lines(path: Path, text: str) -> dict[_Path, int]:
    """Give the line of every value of a well-formed JSON text, by its path. Raises DefinitionError for a key that comes twice."""
    ends = [match.start() for match in re.finditer("\n", text)]
    found: dict[_Path, int] = {}
    where: list[Any] = []
    for match in _TOKEN.finditer(text):
        token, line = match.group(), bisect(ends, match.start()) + 1
        if token in "{[":
            found.setdefault(tuple(where), line)
            where.append(0 if token == "[" else None)
        elif token in "}]":
            where.pop()
        elif token == ",":
            where[-1] = where[-1] + 1 if type(where[-1]) is int else None
        elif where and where[-1] is None:
            where[-1] = json.loads(token)
            if tuple(where) in found:
                raise DefinitionError(f"{path}:{line}: {_written(tuple(where))}: comes twice")
            found[tuple(where)] = line
        elif token != ":":
            found.setdefault(tuple(where), line)
    return found


def _mistakes(document: Any, reserved: frozenset[str]) -> Iterator[tuple[_Path, str]]:
    """Give path and sentence of all that is wrong in a file: what the schema says, or when that says nothing, which names go wrong."""
    schematic = False
    for error in Draft202012Validator(SCHEMA).iter_errors(document):
        schematic = True
        yield from _sentences(error)
    if schematic:
        return
    for number, entry in enumerate(document["classes"]):
        seen: set[str] = set()
        for position, row in enumerate(entry["attributes"]):
            where = ("classes", number, "attributes", position, "short")
            if row["short"] in seen:
                yield where, f"{row['short']!r} comes twice in {entry['short']}"
            elif row["short"] in reserved:
                yield where, f"{row['short']!r} is an attribute of every flexContainer or of its instances"
            seen.add(row["short"])


def _sentences(error: ValidationError) -> Iterator[tuple[_Path, str]]:
    where: _Path = tuple(error.absolute_path)
    instance: Any = error.instance
    schema: Any = error.schema
    wanted: Any = error.validator_value
    match error.validator:
        case "required":
            yield where, f"lacks the key {error.message.partition(' is a required')[0]}"
        case "additionalProperties":
            known = schema["properties"]
            for name in sorted(instance.keys() - known.keys()):
                yield (*where, name), f"is no key here{_nearest(name, known)}; there are {', '.join(known)}"
        case "enum":
            yield where, f"{shown(instance)} is no type{_nearest(instance, TYPES)}; there are {', '.join(kind.name for kind in SINGLE)} and lists of them"
        case "pattern":
            yield where, f"{shown(instance)} has not the form {wanted}"
        case "type":
            yield where, f"has to be of the JSON type {wanted}, not {shown(instance)}"
        case _:
            yield where, error.message


def _nearest(name: object, known: Iterable[str]) -> str:
    near = get_close_matches(name, known, 1) if isinstance(name, str) else []
    return f", did you mean {near[0]!r}?" if near else ""


def _definition(entry: Mapping[str, Any]) -> Definition:
    return Definition(entry["cnd"], entry["short"], entry["name"], tuple(map(_attribute, entry["attributes"])))


def _attribute(row: Mapping[str, Any]) -> Attribute:
    mandatory = row.get("mandatory", False)
    return Attribute(row["short"], row["name"], TYPES[row["type"]], "1" if mandatory else "0..1", "M" if mandatory else "O", "O", "OA")
