"""Conditions of filterCriteria and eventNotificationCriteria: what a resource must be like to match (TS-0004 6.3.5.7, 6.3.5.8, 7.3.3.17)."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

import orjson
import shapely

from cse import jsonpath
from cse.codes import FilterOperation, GeometryType, GeoSpatialFunctionType
from cse.errors import BadRequest, NotImplementedByCSE
from cse.record import Record


class Relatives(Protocol):
    """What conditions on children and parents look at: a store, or what somebody may see of one."""

    def get(self, ri: str) -> Record | None:
        """Give the resource with this unstructured identifier."""

    def children(self, pi: str, /) -> Iterable[Record]:
        """Give the direct children."""


Predicate = Callable[[Relatives, Record], bool]

Glob = tuple[str, ...]
"""A text with wildcards, split at them: ``C*7`` is ("C", "7")."""

RELATIVES = frozenset({"chty", "pty", "clbl", "palb", "catr", "patr"})
"""Conditions on children and on the parent."""

HANDLING = frozenset({"fu", "fo", "lim", "lvl", "ofst", "arp"})
"""Members of filterCriteria that say how to search, not what to find."""

_UNSUPPORTED = {"smf": "semanticsFilter", "ops": "operations"}


def compile_conditions(criteria: Mapping[str, Any]) -> Predicate | None:
    """Give one predicate for all conditions of a checked filterCriteria or eventNotificationCriteria object, None when it has none.

    Several values of one condition are alternatives; conditions are combined by ``fo`` (AND without it). A resource without the attribute that a condition
    is about does not match it. Raises BadRequest for conditions that cannot be read, NotImplementedByCSE for semantic filters and ``ops``.
    """
    for name, long in _UNSUPPORTED.items():
        if name in criteria:
            raise NotImplementedByCSE(f"the filter criterion {name} ({long}) is not supported")
    found: list[Predicate] = []
    for name, value in criteria.items():
        if name in _SIMPLE:
            found.append(_SIMPLE[name](value))
        elif name in _ATTRIBUTES:
            found.extend(_attribute_predicates(name, value))
    if given := {"cfs", "cfq"} & criteria.keys():
        if len(given) == 1:
            raise BadRequest(f"the filter criterion {given.pop()} needs the other one of cfs and cfq")
        found.append(_content(criteria["cfq"]))
    if given := {"gmty", "geom", "gsf"} & criteria.keys():
        if len(given) < 3:
            raise BadRequest("the filter criteria gmty, geom and gsf only come together")
        found.append(_geometry(criteria["gmty"], criteria["geom"], criteria["gsf"]))
    return _combine(found, criteria.get("fo", FilterOperation.AND))


def _combine(found: list[Predicate], operation: int) -> Predicate | None:
    if len(found) < 2:
        return found[0] if found else None
    if operation == FilterOperation.OR:
        return lambda reader, record: any(test(reader, record) for test in found)
    if operation == FilterOperation.XOR:
        return lambda reader, record: sum(test(reader, record) for test in found) % 2 == 1
    return lambda reader, record: all(test(reader, record) for test in found)


def least(limit: Any) -> Any:
    """Give a limit as the shortest text that means the same: no timestamp of that moment, with however many decimals, comes before it as a text."""
    return limit.rstrip("0").rstrip(",") if isinstance(limit, str) and "," in limit else limit


def _before(name: str) -> Callable[[Any], Predicate]:
    def make(limit: Any) -> Predicate:
        end = least(limit)
        return lambda _, record: (value := record.attributes.get(name)) is not None and value < end

    return make


def _since(name: str) -> Callable[[Any], Predicate]:
    def make(limit: Any) -> Predicate:
        start = least(limit)
        return lambda _, record: (value := record.attributes.get(name)) is not None and value >= start

    return make


def text_test(patterns: Iterable[str]) -> Callable[[str], bool]:
    """Give a test whether a text equals one of some patterns, in which ``*`` stands for any characters."""
    plain = frozenset(found for found in patterns if "*" not in found)
    wild = [tuple(found.split("*")) for found in patterns if "*" in found]
    if not wild:
        return plain.__contains__
    return lambda text: text in plain or any(like(found, text) for found in wild)


def like(glob: Glob, text: str) -> bool:
    """Tell whether a text fits a glob, in time proportional to both: the wildcard stands for any text, none included."""
    if len(glob) == 1:
        return glob[0] == text
    first, *middle, last = glob
    if len(text) < len(first) + len(last) or not text.startswith(first) or not text.endswith(last):
        return False
    place, end = len(first), len(text) - len(last)
    for part in middle:
        place = text.find(part, place, end)
        if place < 0:
            return False
        place += len(part)
    return True


def _labels(wanted: Any) -> Predicate:
    test = text_test(wanted)
    return lambda _, record: any(map(test, record.attributes.get("lbl", ())))


def _types(wanted: Any) -> Predicate:
    numbers = frozenset(wanted)
    return lambda _, record: record.ty in numbers


def _media(wanted: Any) -> Predicate:
    types = frozenset(wanted)
    return lambda _, record: "cnf" in record.attributes and record.attributes["cnf"].partition(":")[0] in types


def _on_child(make: Callable[[Any], Predicate]) -> Callable[[Any], Predicate]:
    def made(wanted: Any) -> Predicate:
        test = make(wanted)
        return lambda reader, record: any(test(reader, child) for child in reader.children(record.ri))

    return made


def _on_parent(make: Callable[[Any], Predicate]) -> Callable[[Any], Predicate]:
    def made(wanted: Any) -> Predicate:
        test = make(wanted)
        return lambda reader, record: (parent := reader.get(record.pi)) is not None and test(reader, parent)

    return made


def listed(criteria: Mapping[str, Any]) -> dict[str, Any]:
    """Give filterCriteria in the standard's form: attribute conditions as ``[{"nm": ..., "val": ...}]``, where bindings give ``{short name: [values]}``."""
    return {
        name: [{"nm": short, "val": wanted} for short, values in attribute_pairs(value).items() for wanted in values]
        if name in _ATTRIBUTES and isinstance(value, Mapping)
        else value
        for name, value in criteria.items()
    }


def attribute_pairs(value: Any) -> dict[str, list[Any]]:
    """Bring the condition ``atr`` (catr, patr) into one form: ``{short name: [values]}``, from that or from ``[{"nm": ..., "val": ...}]``."""
    if isinstance(value, Mapping):
        return {name: found if isinstance(found, list) else [found] for name, found in value.items()}
    pairs: dict[str, list[Any]] = {}
    for entry in value:
        pairs.setdefault(entry["nm"], []).append(entry["val"])
    return pairs


def _equal(wanted: list[Any]) -> Callable[[Any], bool]:
    test = text_test([str(found) for found in wanted if not isinstance(found, bool)])
    flags = {"true" if found else "false" for found in wanted if isinstance(found, bool)}

    def equal(value: Any) -> bool:
        if isinstance(value, bool):
            text = "true" if value else "false"
            return text in flags or test(text)
        if isinstance(value, list):
            return any(map(equal, value))
        if isinstance(value, Mapping):
            return False
        return test(str(value))

    return equal


def _attribute_predicates(name: str, value: Any) -> list[Predicate]:
    made: list[Predicate] = []
    for short, wanted in attribute_pairs(value).items():
        equal = _equal(wanted)

        def has(_: Relatives, record: Record, short: str = short, equal: Callable[[Any], bool] = equal) -> bool:
            return short in record.attributes and equal(record.attributes[short])

        made.append(_ATTRIBUTES[name](has))
    return made


def _content(query: str) -> Predicate:
    finds = jsonpath.compile_query(query)

    def matches(_: Relatives, record: Record) -> bool:
        content = record.attributes.get("con")
        if isinstance(content, str):
            try:
                content = orjson.loads(content)
            except orjson.JSONDecodeError:
                return False
        return isinstance(content, dict | list) and finds(content)

    return matches


def geometry(kind: int, coordinates: Any) -> shapely.Geometry:
    """Give the shape of a geometryType number and GeoJSON coordinates (JSON text or the list itself). Raises BadRequest."""
    try:
        listed = orjson.loads(coordinates) if isinstance(coordinates, str) else coordinates
        name = {found.value: found.name.title().replace("_String", "String").replace("_", "") for found in GeometryType}[kind]
        shape = shapely.from_geojson(orjson.dumps({"type": name.replace("Linestring", "LineString"), "coordinates": listed}))
    except (orjson.JSONDecodeError, orjson.JSONEncodeError, shapely.errors.ShapelyError, KeyError) as error:
        raise BadRequest(f"{coordinates!r} are no GeoJSON coordinates of geometry type {kind}: {error}") from error
    if shape.is_empty:
        raise BadRequest(f"{coordinates!r} are no GeoJSON coordinates of geometry type {kind}: they are empty")
    return shape


_RELATIONS: dict[GeoSpatialFunctionType, Callable[[shapely.Geometry, shapely.Geometry], bool]] = {
    GeoSpatialFunctionType.WITHIN: lambda place, wanted: bool(shapely.within(place, wanted)),
    GeoSpatialFunctionType.CONTAINS: lambda place, wanted: bool(shapely.contains(place, wanted)),
    GeoSpatialFunctionType.INTERSECTS: lambda place, wanted: bool(shapely.intersects(place, wanted)),
}


def _geometry(kind: int, coordinates: Any, function: int) -> Predicate:
    wanted = geometry(kind, coordinates)
    related = _RELATIONS[GeoSpatialFunctionType(function)]

    def fits(place: Mapping[str, Any]) -> bool:
        try:
            return related(geometry(place["typ"], place["crd"]), wanted)
        except BadRequest:
            return False

    def matches(_: Relatives, record: Record) -> bool:
        place = record.attributes.get("loc")
        return any(map(fits, place if isinstance(place, list) else [place] if place else []))

    return matches


_EXPRESSION = re.compile(
    r"\s*(?:NT\s+(?P<absent>\S+)|(?P<key>[^\s:]+)"
    r"(?:\s*:\s*(?P<short>\S+)|\s+(?P<op>EQ|NE)\s+(?P<value>\S+)|\s+(?P<many>IN|NI)\s*\((?P<values>[^)]*)\))?)\s*$"
)


def _label_query(expressions: Any) -> Predicate:
    """Compile labelsQuery: expressions over the key and value parts of labels, one of which suffices."""
    tests = [_label_expression(found) for found in ([expressions] if isinstance(expressions, str) else expressions)]

    def matches(_: Relatives, record: Record) -> bool:
        labels: dict[str, set[str]] = {}
        for label in record.attributes.get("lbl", ()):
            key, colon, value = label.partition(":")
            labels.setdefault(key, set()).update({value} if colon else ())
        return any(test(labels) for test in tests)

    return matches


def _label_expression(text: str) -> Callable[[dict[str, set[str]]], bool]:
    found = _EXPRESSION.match(text)
    if found is None:
        raise BadRequest(f"the filter criterion lbq has an expression that cannot be read: {text!r}")
    if absent := found["absent"]:
        return lambda labels: absent not in labels
    key = found["key"]
    values = {part.strip() for part in found["values"].split(",")} if found["values"] is not None else {found["short"] or found["value"]}
    if found["op"] == "NE" or found["many"] == "NI":
        return lambda labels: bool(labels.get(key)) and not labels[key] & values
    if values == {None}:
        return lambda labels: key in labels
    return lambda labels: bool(labels.get(key, set()) & values)


_SIMPLE: dict[str, Callable[[Any], Predicate]] = {
    "crb": _before("ct"), "cra": _since("ct"), "us": _before("lt"), "ms": _since("lt"), "sts": _before("st"), "stb": _since("st"),
    "exb": _before("et"), "exa": _since("et"), "szb": _before("cs"), "sza": _since("cs"),
    "lbl": _labels, "clbl": _on_child(_labels), "palb": _on_parent(_labels), "lbq": _label_query,
    "ty": _types, "chty": _on_child(_types), "pty": _on_parent(_types), "cty": _media,
}  # fmt: skip

_ATTRIBUTES: dict[str, Callable[[Predicate], Predicate]] = {
    "atr": lambda test: test,
    "catr": lambda test: lambda reader, record: any(test(reader, child) for child in reader.children(record.ri)),
    "patr": lambda test: lambda reader, record: (parent := reader.get(record.pi)) is not None and test(reader, parent),
}
