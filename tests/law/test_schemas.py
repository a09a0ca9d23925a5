"""The published JSON Schemas and the compiled checkers give the same verdict on every body, so that neither can drift."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker, ValidationError, validators

from cse import datatypes, management
from cse.datatypes import DataType
from cse.errors import BadRequest
from cse.schema import ResourceType
from cse.structures import STRUCTURES
from cse.validate import compile_table, schema_of
from tests.law.facts import NAMES, TYPES

FORMATS = {
    "m2m-timestamp": (["20260517T081500", "20260517T081500,25"], ["20260230T000000", "20260517T250000", "00000101T000000"]),
    "m2m-scheduleEntry": (
        ["* * * * * * *", "0-30 */5 8-17 1,15 * 1-5 2026"],
        ["0-30 */5 8-27 * * * *", "* * * * * 7 *", "5-1 * * * * * *", "*/0 * * * * * *"],
    ),
    "m2m-ipv4": (["10.0.0.0/8", "192.168.1.1"], ["10.0.0.0/33", "256.1.1.1", "1.1.1.1.1"]),
    "m2m-ipv6": (["::1", "fe80::/10", "2001:db8::1"], ["::1/129", ":::"]),
    "m2m-geoJsonCoordinate": (["[1,2]", "[[1,2],[3,4]]", "[[[1.5,2],[3,4],[1,2]]]"], ["[1]", "[[1,2],3]", "[[]]", "[1,2", "[1,,2]", "[1e999,1]"]),
}
"""Of each format texts that it takes, and texts that it refuses although most have the right pattern."""


def format_checker() -> FormatChecker:
    found = FormatChecker(formats=())
    kinds = {f"m2m-{value.name}": value for value in vars(datatypes).values() if isinstance(value, DataType)}
    for name in FORMATS:
        found.checks(name, raises=ValueError)(accepts(kinds[name].check))
    return found


def accepts(check: Callable[[Any], None]) -> Callable[[object], bool]:
    def accepted(value: object) -> bool:
        if isinstance(value, str):
            check(value)
        return True

    return accepted


def pattern(validator: Any, wanted: str, instance: object, schema: object) -> Iterator[ValidationError]:
    """Match as ECMA 262 does: ``$`` is the end of the text, not the place before a last line end."""
    if isinstance(instance, str) and not re.fullmatch(wanted.removeprefix("^").removesuffix("$"), instance):
        yield ValidationError(f"{instance!r} does not match {wanted!r}")


STRICT = validators.extend(  # type: ignore[no-untyped-call]
    Draft202012Validator,
    {"pattern": pattern},
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine("integer", lambda checker, value: type(value) is int),
)
"""What a published schema asks of its validator: an integer is written without fraction, formats are asserted."""

NUMBERS = st.integers(-(2**63), 2**64 - 1)
SCALARS = st.none() | st.booleans() | NUMBERS | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8)
JUNK = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2), max_leaves=4)


def values(schema: Mapping[str, Any], wild: bool) -> st.SearchStrategy[Any]:
    """Give values that a schema takes; ``wild``: values close by that it may refuse, with one fault somewhere inside."""
    if "anyOf" in schema and "type" not in schema:
        return st.one_of([values(kind, wild) for kind in schema["anyOf"]])
    kind = schema.get("type")
    if isinstance(kind, list):
        return JUNK if wild else JUNK.filter(lambda value: value is not None)
    if kind == "array":
        return lists(schema, wild)
    if kind == "object" and "properties" in schema:
        return JUNK | objects(schema, True) if wild else objects(schema, False)
    if "enum" in schema:
        return st.integers(-1, 70) | JUNK if wild else st.sampled_from(schema["enum"])
    if kind == "integer":
        low, high = schema.get("minimum", 100), schema.get("maximum", 999)
        edges = st.sampled_from([value + step for value in (low, high, 0, 5, 100, 1000) for step in (-1, 0, 1)])
        return edges | st.sampled_from([1.0, True, "1", None]) if wild else st.sampled_from([low, low + 1, high])
    if kind == "string" and "format" in schema:
        right, wrong = FORMATS[schema["format"]]
        return st.sampled_from(wrong) | JUNK if wild else st.sampled_from(right)
    if kind == "string":
        right_text = st.from_regex(schema["pattern"].removeprefix("^").removesuffix("$"), fullmatch=True) if "pattern" in schema else st.text(max_size=8)
        return right_text.map(lambda text: text + "\n") | st.text(max_size=5) | JUNK if wild else right_text
    if wild:
        return JUNK
    if kind == "null":
        return st.none()
    return st.booleans() if kind == "boolean" else st.floats(allow_nan=False, allow_infinity=False) | NUMBERS


@st.composite
def lists(draw: st.DrawFn, schema: Mapping[str, Any], wild: bool) -> Any:
    least, most = schema.get("minItems", 0), schema.get("maxItems", 3)
    found = [draw(values(schema["items"], False)) for _ in range(draw(st.integers(least, most)))]
    if not wild:
        return found
    return draw(st.just(found[:-1]) | st.just(found * 2) | st.just([*found[1:], draw(values(schema["items"], True))]) | JUNK)


@st.composite
def objects(draw: st.DrawFn, schema: Mapping[str, Any], wild: bool) -> dict[str, Any]:
    """Give objects with the required and some other members; ``wild``: one of them is missing, strange or has a strange value."""
    properties, required = schema["properties"], schema.get("required", [])
    least = 0 if required else schema.get("minProperties", 0)
    names = [*required, *(draw(st.lists(st.sampled_from(sorted(properties)), min_size=least, max_size=2)) if properties else ())]
    found = {name: draw(values(properties[name], False)) for name in names}
    if wild:
        name = draw(st.sampled_from([*names, "ri", "ty", "nosuch"]))
        if name in found and draw(st.integers(0, 3)) == 0:
            del found[name]
        else:
            found[name] = draw(values(properties[name], True) if name in properties else JUNK)
    return found


def bodies(schema: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    (root,) = schema["properties"]
    right, wild = objects(schema["properties"][root], False), objects(schema["properties"][root], True)
    rooted: st.SearchStrategy[Any] = st.one_of(right, wild, wild).map(lambda inner: {root: inner})
    strange = [right.map(lambda inner: {"m2m:zzz": inner}), right.map(lambda inner: {root: inner, "m2m:zzz": inner}), JUNK.map(lambda inner: {root: inner})]
    return st.one_of(rooted, rooted, rooted, st.one_of(JUNK, *strange))


def passes(check: Callable[[object], object], body: object) -> bool:
    try:
        check(body)
    except (BadRequest, ValueError):
        return False
    return True


def same_names(body: Any) -> bool:
    """Whether a contentRef repeats a name: the one rule that JSON Schema has no word for."""
    try:
        names = [entry["nm"] for entry in (body["m2m:cin"]["conr"] if "m2m:cin" in body else body)["urir"]]
        return len(set(names)) < len(names)
    except (KeyError, TypeError, IndexError):
        return False


def compare(found: st.SearchStrategy[Any], schema: Mapping[str, Any], check: Callable[[Any], object], examples: int) -> None:
    """Compare the verdicts on generated values, and see to it that both verdicts occurred."""
    STRICT.check_schema(schema)
    validator = STRICT(schema, format_checker=format_checker())
    seen = {True: 0, False: 0}

    @settings(max_examples=examples, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    @given(found)
    def agree(value: Any) -> None:
        if not same_names(value):
            verdict = passes(check, value)
            seen[verdict] += 1
            assert verdict == validator.is_valid(value), value

    agree()
    assert seen[True]
    assert seen[False]


@pytest.mark.parametrize("operation", ["create", "update"])
@pytest.mark.parametrize("resource_type", TYPES, ids=NAMES)
def test_schema_and_checker_agree(resource_type: ResourceType, operation: str) -> None:
    schema = schema_of(resource_type)[operation]
    checker = compile_table(resource_type)
    compare(bodies(schema), schema, checker.create if operation == "create" else checker.update, 100)


@pytest.mark.parametrize("kind", [*STRUCTURES, *management.STRUCTURES], ids=lambda kind: kind.name)
def test_schema_and_check_of_a_complex_type_agree(kind: DataType) -> None:
    compare(values(kind.schema, False) | values(kind.schema, True), kind.schema, kind.check, 40)
