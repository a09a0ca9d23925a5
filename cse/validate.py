"""Bodies of CREATE and UPDATE against the table of their resource type (TS-0004 7.3.3.3, 7.3.3.4), and the same table as JSON Schema."""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from cse.datatypes import Check, shown
from cse.errors import BadRequest, SpecializationSchemaNotFound
from cse.schema import Attribute, ResourceType


@dataclass(frozen=True, slots=True)
class Checker:
    """The table of one resource type, made ready for the requests that write it. Made by ``compile_table``."""

    type: ResourceType
    short: str
    rows: Mapping[str, Attribute]
    on_create: Mapping[str, Check]
    on_update: Mapping[str, Check]
    required: frozenset[str]
    removable: frozenset[str]

    def create(self, body: object) -> dict[str, Any]:
        """Give the attributes of a CREATE's content ``{"m2m:cnt": {...}}``, without defaults.

        Raises BadRequest that names the attribute, the type and what is wrong: unknown, not permitted, missing, or not of its data type.
        A null is refused except for ``cr``, where it asks for the originator.
        """
        attributes = body.get(self.short) if type(body) is dict and len(body) == 1 else None
        if type(attributes) is not dict:
            raise self._malformed(body)
        checks = self.on_create
        for name, value in attributes.items():
            check = checks.get(name)
            if check is None:
                raise self._forbidden(name, "CREATE")
            try:
                check(value)
            except ValueError as error:
                raise self._wrong(name, error) from None
        for name in self.required:
            if name not in attributes:
                raise self._incomplete(attributes)
        return dict(attributes)

    def update(self, body: object) -> dict[str, Any]:
        """Give the attributes of an UPDATE's content; None is the value of those to be removed (for ``et``: to be chosen again).

        Raises BadRequest as ``create`` does, and for a null where a resource of this type always has the attribute.
        """
        attributes = body.get(self.short) if type(body) is dict and len(body) == 1 else None
        if type(attributes) is not dict:
            raise self._malformed(body)
        checks = self.on_update
        for name, value in attributes.items():
            check = checks.get(name)
            if check is None:
                raise self._forbidden(name, "UPDATE")
            if value is None:
                if name not in self.removable:
                    raise BadRequest(f"attribute {name} ({self.rows[name].long}) of {self.short} cannot be removed by null")
                continue
            try:
                check(value)
            except ValueError as error:
                raise self._wrong(name, error) from None
        return dict(attributes)

    def _malformed(self, body: object) -> BadRequest:
        short = self.short
        if type(body) is not dict:
            if body is None:
                return BadRequest(f"the request has no content, it needs an object with the root {short}")
            return BadRequest(f"the content must be an object with the root {short}, not {shown(body)}")
        if len(body) != 1:
            return BadRequest(f"the content must have exactly one root, {short}, not {len(body)}")
        if short not in body:
            root = next(iter(body))
            return BadRequest(f"{root if type(root) is str and len(root) < 60 else shown(root)} does not fit resource type {self.type.ty} ({short})")
        return BadRequest(f"{short} must be an object with attributes, not {shown(body[short])}")

    def _incomplete(self, attributes: Mapping[str, Any]) -> BadRequest:
        missing = [f"{name} ({row.long})" for name, row in self.rows.items() if name in self.required and name not in attributes]
        return BadRequest(f"{self.short} lacks the mandatory {'attributes' if len(missing) > 1 else 'attribute'} {', '.join(missing)}")

    def _wrong(self, name: str, error: ValueError) -> BadRequest:
        return BadRequest(f"attribute {name} ({self.rows[name].long}) of {self.short} {error}")

    def _forbidden(self, name: object, operation: str) -> BadRequest:
        if type(name) is str:
            if row := self.rows.get(name):
                why = "it is kept by the CSE" if row.create == "NP" else "it cannot be changed"
                return BadRequest(f"attribute {name} ({row.long}) of {self.short} is not permitted in {operation}: {why}")
            if hint := self._nearest(name):
                return BadRequest(f"{self.short} has no attribute {shown(name)}; the nearest it has is {hint}")
        return BadRequest(f"{self.short} has no attribute {shown(name)}")

    def _nearest(self, name: str) -> str:
        if len(name) > 60:
            return ""
        long_names = {row.long.lower(): row.short for row in self.rows.values()}
        near = get_close_matches(name, self.rows, 1, 0.65) or [long_names[found] for found in get_close_matches(name.lower(), long_names, 1, 0.7)]
        return f"{near[0]} ({self.rows[near[0]].long})" if near else ""


def compile_table(resource_type: ResourceType) -> Checker:
    """Make the checker of a resource type; once a type, at start."""
    rows = resource_type.rows
    return Checker(
        type=resource_type,
        short=resource_type.short,
        rows=rows,
        on_create={name: _or_null(row.type.check) if name == "cr" else row.type.check for name, row in rows.items() if row.create != "NP"},
        on_update={name: row.type.check for name, row in rows.items() if row.update != "NP"},
        required=frozenset(name for name, row in rows.items() if row.create == "M"),
        removable=frozenset(name for name, row in rows.items() if row.card == "0..1" or name == "et"),
    )


def choose(kind: ResourceType, body: object) -> ResourceType:
    """Give the form of ``kind`` that the content of a CREATE is of; a type without forms is its own.

    Raises BadRequest when nothing names the form or the root is that of another, SpecializationSchemaNotFound when this CSE has no such form.
    """
    special = kind.special
    if special is None:
        return kind
    root = next(iter(body)) if type(body) is dict and len(body) == 1 else None
    attributes = body[root] if type(body) is dict and type(root) is str else None
    if type(attributes) is not dict:
        raise BadRequest(f"the content must be an object with one root, the name of a specialisation of {kind.name}")
    row = next(found for found in kind.attributes if found.short == special.by)
    name = f"{row.short} ({row.long})"
    if row.short not in attributes:
        raise BadRequest(f"{shown(root)} lacks the mandatory attribute {name}")
    value = attributes[row.short]
    try:
        row.type.check(value)
    except ValueError as error:
        raise BadRequest(f"attribute {name} of {shown(root)} {error}") from None
    found = special.kinds.get(value)
    if found is None:
        near = get_close_matches(value, special.kinds, 1, 0.8) if type(value) is str else ()
        raise SpecializationSchemaNotFound(f"{name} is {shown(value)}, which nobody has defined here" + (f"; the nearest is {near[0]}" if near else ""))
    if found.short != root:
        raise BadRequest(f"the root {shown(root)} does not fit {row.short} {shown(value)}, whose root is {found.short}")
    return found


def _or_null(check: Check) -> Check:
    def checked(value: Any) -> None:
        if value is not None:
            check(value)

    return checked


def schema_of(resource_type: ResourceType) -> dict[str, dict[str, Any]]:
    """Give the JSON Schemas (draft 2020-12) of the contents of ``create`` and ``update`` requests, as they are published.

    They say what ``Checker`` says, on two conditions: the type ``integer`` means a number written without fraction, and the formats ``m2m-...`` are asserted.
    """
    checker = compile_table(resource_type)
    return {
        "create": _document(checker, "CREATE", {name: _property(checker, name, null=name == "cr") for name in checker.on_create}, checker.required),
        "update": _document(
            checker, "UPDATE", {name: _property(checker, name, null=name in checker.removable) for name in checker.on_update}, frozenset()
        ),
    }


def _property(checker: Checker, name: str, *, null: bool) -> dict[str, Any]:
    row = checker.rows[name]
    return {"title": row.long, **({"anyOf": [row.type.schema, {"type": "null"}]} if null else row.type.schema)}


def _document(checker: Checker, operation: str, properties: dict[str, Any], required: frozenset[str]) -> dict[str, Any]:
    attributes: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
    if required:
        attributes["required"] = sorted(required)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"{checker.short}: {operation} {checker.type.name} ({checker.type.spec})",
        "type": "object",
        "properties": {checker.short: attributes},
        "required": [checker.short],
        "additionalProperties": False,
    }
