"""Conditions of filter criteria: each alone, and all of them against a brute-force oracle over random trees and several stores (procedures 10.2)."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cse.criteria import compile_conditions, listed, text_test
from cse.errors import BadRequest, NotImplementedByCSE
from cse.record import Record
from cse.storage import open_store
from cse.storage.memory import MemoryStore
from tests.drive import Driven
from tests.storage.samples import record

NOWHERE = MemoryStore(frozenset({4}))


def holds(criteria: dict[str, Any], **attributes: Any) -> bool:
    """Tell whether a lone resource with these attributes matches."""
    test = compile_conditions(criteria)
    assert test is not None
    return test(NOWHERE, record(4, "cin1", None, **attributes))


@pytest.mark.parametrize("criteria", [{}, {"fo": 2}, {"fu": 1, "lim": 3, "lvl": 2, "ofst": 1, "arp": "la"}], ids=str)
def test_without_conditions_there_is_nothing_to_test(criteria: dict[str, Any]) -> None:
    assert compile_conditions(criteria) is None


@pytest.mark.parametrize("name", ["crb", "cra", "us", "ms", "exb", "exa"])
def test_a_resource_without_the_attribute_does_not_match(name: str) -> None:
    assert not holds({name: "20260101T000000"}, ct=None, lt=None, et=None)


@pytest.mark.parametrize(
    "criteria",
    [{"sts": 9}, {"stb": 0}, {"sza": 0}, {"szb": 9}, {"lbl": ["*"]}, {"cty": [""]}, {"atr": {"con": ["*"]}}, {"cfs": 1, "cfq": "$"}, {"lbq": "a"}],
    ids=str,
)
def test_nor_does_one_without_any(criteria: dict[str, Any]) -> None:
    assert not holds(criteria)


@pytest.mark.parametrize(
    ("patterns", "text", "expected"),
    [
        (["abc"], "abc", True),
        (["abc"], "abcd", False),
        (["a*c"], "abbc", True),
        (["a*c"], "ac", True),
        (["a*c"], "acb", False),
        (["*"], "", True),
        (["*"], "a\nb", True),
        (["a?c"], "abc", False),
        (["[a]*"], "a", False),
        (["[a]*"], "[a]b", True),
        (["[!a]*"], "b", False),
        (["x", "b*"], "bc", True),
        ([], "x", False),
        (["*a" * 30], "a" * 29 + "b", False),
        (["*" * 40 + "b"], "a" * 5000, False),
    ],
)
def test_a_star_stands_for_any_text_and_nothing_else_does(patterns: list[str], text: str, expected: bool) -> None:
    assert text_test(patterns)(text) is expected


@pytest.mark.parametrize(
    ("value", "wanted", "expected"),
    [
        (True, "true", True),
        (False, "false", True),
        (True, True, True),
        (True, "1", False),
        (1, "1", True),
        (1, 1, True),
        (1, True, False),
        (1.5, "1.5", True),
        (12, "1*", True),
        (["a", "b"], "b", True),
        (["a", "b"], "c", False),
        ([], "*", False),
        ({"a": 1}, "*", False),
        ([["a"]], "a", True),
    ],
)
def test_an_attribute_equals_a_value_as_text(value: Any, wanted: Any, expected: bool) -> None:
    """Bindings give texts; of a list one element must match."""
    assert holds({"atr": [{"nm": "x", "val": wanted}]}, x=value) is expected


def test_both_forms_of_attribute_conditions() -> None:
    assert listed({"atr": {"rn": ["a", "b"]}, "ty": [3]}) == {"atr": [{"nm": "rn", "val": "a"}, {"nm": "rn", "val": "b"}], "ty": [3]}
    standard = {"patr": [{"nm": "rn", "val": "a"}]}
    assert listed(standard) == standard


@pytest.mark.parametrize(
    ("query", "content", "expected"),
    [
        ("$.a", '{"a": 1}', True),
        ("$.a", {"a": 1}, True),
        ("$.a", '{"b": 1}', False),
        ("$.a", "no JSON", False),
        ("$.a", '"text"', False),
        ("$..a", "[" * 400 + "]" * 400, False),
        ("$[?@.v > 3]", '[{"v": 4}]', True),
        ("$[?@.v == 'x']", '[{"v": "y"}]', False),
        ("$[?match(@.v, 'x.*')]", '[{"v": "xyz"}]', True),
        ("$.a", 7, False),
    ],
)
def test_content_filters(query: str, content: Any, expected: bool) -> None:
    """cfs 1: JSONPath on con, which is a JSON text or JSON itself."""
    assert holds({"cfs": 1, "cfq": query}, con=content) is expected


SQUARE = "[[[0,0],[4,0],[4,4],[0,4],[0,0]]]"


@pytest.mark.parametrize(
    ("kind", "place", "wanted", "function", "expected"),
    [
        (1, "[1,1]", (3, SQUARE), 1, True),
        (1, "[9,1]", (3, SQUARE), 1, False),
        (3, SQUARE, (1, "[1,1]"), 2, True),
        (2, "[[1,1],[9,9]]", (3, SQUARE), 1, False),
        (2, "[[1,1],[9,9]]", (3, SQUARE), 3, True),
        (4, "[[1,1],[2,2]]", (3, SQUARE), 1, True),
        (5, "[[[1,1],[2,2]],[[9,9],[8,8]]]", (3, SQUARE), 3, True),
        (6, f"[{SQUARE}]", (1, "[1,1]"), 2, True),
        (1, SQUARE, (3, SQUARE), 1, False),
        (3, "[1,1]", (3, SQUARE), 3, False),
    ],
)
def test_geometry(kind: int, place: str, wanted: tuple[int, str], function: int, expected: bool) -> None:
    """gsf 1 within, 2 contains, 3 intersects; a place that is no geometry does not match."""
    criteria = {"gmty": wanted[0], "geom": wanted[1], "gsf": function}
    assert holds(criteria, loc={"typ": kind, "crd": place}) is expected
    assert not holds(criteria)


@pytest.mark.parametrize(
    "criteria",
    [
        {"gmty": 1, "geom": "[1]", "gsf": 1},
        {"gmty": 1, "geom": "[]", "gsf": 1},
        {"gmty": 2, "geom": "[[1,1]]", "gsf": 1},
        {"gmty": 3, "geom": "[[[0,0],[1,1]]]", "gsf": 1},
        {"gmty": 3, "geom": "[[[0,0],[1,1],[2,0],[5,5]]]", "gsf": 1},
        {"gmty": 1, "geom": "[[[]]]", "gsf": 1},
    ],
    ids=str,
)
def test_a_geometry_that_is_none_is_refused(criteria: dict[str, Any]) -> None:
    with pytest.raises(BadRequest):
        compile_conditions(criteria)


@pytest.mark.parametrize("expression", ["", "a b", "a LIKE b", "a EQ", "a IN b", "a IN (b", "NT", "NT a b", ":", "a EQ b c"])
def test_label_queries_that_cannot_be_read(expression: str) -> None:
    if expression == "NT":
        assert holds({"lbq": expression}, lbl=["NT"])  # a key by itself
    else:
        with pytest.raises(BadRequest, match="lbq"):
            compile_conditions({"lbq": expression})


def test_label_values_may_contain_colons() -> None:
    assert holds({"lbq": "url:http://x"}, lbl=["url:http://x"])
    assert holds({"lbq": "url EQ http://x"}, lbl=["url:http://x"])


@pytest.mark.parametrize("criteria", [{"smf": ["SELECT"]}, {"ops": 4}], ids=str)
def test_what_is_not_implemented_is_not_passed_over(criteria: dict[str, Any]) -> None:
    with pytest.raises(NotImplementedByCSE, match=next(iter(criteria))):
        compile_conditions(criteria)


# The oracle

LABELS = ["a", "b", "k:1", "k:2", "ab"]
NAMES = ["n0", "n1", "m2"]
DAYS = st.integers(1, 6)


def stamp(day: int) -> str:
    return f"2090010{day}T000000"


PATTERNS = st.sampled_from(["a", "b", "a*", "*b", "k:*", "k:1", "*", "z"])
NUMBERS = st.integers(1, 5)
TYPES = st.lists(st.sampled_from([3, 4, 9]), min_size=1, max_size=2)
TEXTS = {"rn": st.sampled_from([*NAMES, "n*", "x"]), "cnf": st.sampled_from(["t/a:0", "t/*"]), "lbl": PATTERNS, "cs": st.sampled_from(["2", "3"])}
ATTRIBUTES = st.fixed_dictionaries({}, optional={name: st.lists(values, min_size=1, max_size=2) for name, values in TEXTS.items()}).filter(bool)
EXPRESSIONS = st.sampled_from(["a", "k", "NT k", "NT a", "k EQ 1", "k:2", "k NE 1", "a NE 1", "k IN (1, 3)", "k NI (1,2)", "k NI (3)"])
CRITERIA = st.fixed_dictionaries(
    {},
    optional={
        **{name: DAYS.map(stamp) for name in ("crb", "cra", "us", "ms", "exb", "exa")},
        **dict.fromkeys(("sts", "stb", "sza", "szb"), NUMBERS),
        **{name: st.lists(PATTERNS, min_size=1, max_size=2) for name in ("lbl", "clbl", "palb")},
        **dict.fromkeys(("ty", "chty", "pty"), TYPES),
        **dict.fromkeys(("atr", "catr", "patr"), ATTRIBUTES),
        "cty": st.lists(st.sampled_from(["t/a", "t/b"]), min_size=1, max_size=1),
        "lbq": EXPRESSIONS,
    },
)


@st.composite
def trees(draw: st.DrawFn) -> list[tuple[int, dict[str, Any]]]:
    """Draw nodes, each with the index of its parent among those before (-1: the top); instances have no children."""
    found: list[tuple[int, dict[str, Any]]] = []
    for number in range(draw(st.integers(1, 7))):
        parent = draw(st.sampled_from([-1, *(index for index, (_, node) in enumerate(found) if node["ty"] == 3)]))
        created = draw(DAYS)
        node: dict[str, Any] = {"ty": draw(st.sampled_from([3, 3, 4])), "ct": stamp(created), "et": stamp(draw(DAYS))}
        node["lt"] = stamp(draw(st.integers(created, 6)))
        node["rn"] = f"{draw(st.sampled_from(NAMES))}" if number < 3 else f"u{number}"
        node["st"] = draw(NUMBERS)
        if draw(st.booleans()):
            node["lbl"] = draw(st.lists(st.sampled_from(LABELS), max_size=3, unique=True))
        if node["ty"] == 4:
            node |= {"cs": draw(NUMBERS), "con": "x", **({"cnf": draw(st.sampled_from(["t/a:0", "t/b:1"]))} if draw(st.booleans()) else {})}
        if any(other["rn"] == node["rn"] and above == parent for above, other in found):
            node["rn"] = f"u{number}"
        found.append((parent, node))
    return found


def like(pattern: str, text: str) -> bool:
    if pattern[:1] == "*":
        return any(like(pattern[1:], text[start:]) for start in range(len(text) + 1))
    return text == "" if pattern == "" else text[:1] == pattern[0] and like(pattern[1:], text[1:])


def labelled(node: dict[str, Any], patterns: list[str]) -> bool:
    return any(like(pattern, label) for pattern in patterns for label in node.get("lbl", []))


def queried(node: dict[str, Any], expression: str) -> bool:
    labels = node.get("lbl", [])
    if expression.startswith("NT "):
        return not any(label.split(":")[0] == expression[3:] for label in labels)
    key = expression.replace(":", " ").split()[0]
    values = [label.split(":")[1] for label in labels if label.startswith(key + ":")]
    wanted = [part for part in "12345" if part in expression]
    if expression == key:
        return key in labels or bool(values)
    if " NE " in expression or " NI " in expression:
        return bool(values) and not set(values) & set(wanted)
    return bool(set(values) & set(wanted))


def equals(node: dict[str, Any], name: str, values: list[str]) -> bool:
    if name not in node:
        return False
    held = node[name] if isinstance(node[name], list) else [node[name]]
    return any(like(value, str(each)) for value in values for each in held)


Relatives = tuple[dict[str, Any], list[dict[str, Any]], dict[str, Any]]
"""A node, its children, its parent."""


def conditions(criteria: dict[str, Any], relatives: Relatives) -> Iterator[bool]:
    """Say of every condition whether it holds, straight from the table of procedures 10.2."""
    node, children, parent = relatives

    def before(name: str, limit: Any) -> bool:
        return name in node and bool(node[name] < limit)

    def since(name: str, limit: Any) -> bool:
        return name in node and bool(node[name] >= limit)

    media = node.get("cnf", ":").split(":")[0]
    table: dict[str, Callable[[Any], bool]] = {
        "crb": lambda v: before("ct", v), "cra": lambda v: since("ct", v), "us": lambda v: before("lt", v), "ms": lambda v: since("lt", v),
        "sts": lambda v: before("st", v), "stb": lambda v: since("st", v), "exb": lambda v: before("et", v), "exa": lambda v: since("et", v),
        "szb": lambda v: before("cs", v), "sza": lambda v: since("cs", v),
        "lbl": lambda v: labelled(node, v), "clbl": lambda v: any(labelled(child, v) for child in children), "palb": lambda v: labelled(parent, v),
        "ty": lambda v: node["ty"] in v, "chty": lambda v: any(child["ty"] in v for child in children), "pty": lambda v: parent["ty"] in v,
        "cty": lambda v: media in v, "lbq": lambda v: queried(node, v),
    }  # fmt: skip
    for name, value in criteria.items():
        if name in table:
            yield table[name](value)
    for name, places in (("atr", [node]), ("catr", children), ("patr", [parent])):
        for short, values in criteria.get(name, {}).items():
            yield any(equals(place, short, values) for place in places)


def matching(nodes: list[tuple[int, dict[str, Any]]], top: dict[str, Any], criteria: dict[str, Any], operation: int) -> list[int]:
    found = []
    for index, (above, node) in enumerate(nodes):
        children = [other for parent, other in nodes if parent == index]
        held = list(conditions(criteria, (node, children, nodes[above][1] if above >= 0 else top)))
        if not held or {1: all(held), 2: any(held), 3: sum(held) % 2 == 1}[operation]:
            found.append(index)
    return found


@pytest.fixture(scope="module", params=["memory:", "sqlite:///{}/tree.db"])
def driven(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driven]:
    place: Path = tmp_path_factory.mktemp("tree")
    store = open_store(request.param.format(place), frozenset({4}))
    yield Driven(store=store)
    store.close()


def plant(cse: Driven, nodes: list[tuple[int, dict[str, Any]]]) -> tuple[Record, list[Record]]:
    """Put the nodes below a container of their own."""
    base = cse.store.get("id-in")
    made: list[Record] = []
    with cse.store.transaction() as transaction:
        ri = transaction.identify("cnt", "id-in", 3)
        top = record(3, ri, base, et="20990101T000000", cni=0, cbs=0, st=0)
        transaction.insert(top)
        for above, node in nodes:
            parent = made[above] if above >= 0 else top
            universal = {name: value for name, value in node.items() if name not in ("ty", "rn")}
            ri = transaction.identify("cnt" if node["ty"] == 3 else "cin", parent.ri, node["ty"])
            made.append(record(node["ty"], ri, parent, node["rn"], **universal))
            transaction.insert(made[-1])
    cse.commit()
    return top, made


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(nodes=trees(), criteria=CRITERIA, operation=st.sampled_from([1, 2, 3]), size=st.integers(1, 4))
def test_discovery_finds_what_the_table_says(
    driven: Driven, nodes: list[tuple[int, dict[str, Any]]], criteria: dict[str, Any], operation: int, size: int
) -> None:
    top, made = plant(driven, nodes)
    expected = [made[index].ri for index in matching(nodes, dict(top.attributes), criteria, operation)]
    whole = driven.retrieve(top.ri, fc={"fu": 1, "fo": operation, **criteria}, drt=2).pc["m2m:uril"]
    assert sorted(whole) == sorted(expected)
    pages: list[str] = []
    for start in range(1, len(whole) + 1, size):
        pages += driven.retrieve(top.ri, fc={"fu": 1, "fo": operation, "lim": size, "ofst": start, **criteria}, drt=2).pc["m2m:uril"]
    assert pages == whole
    assert orjson.dumps(whole)  # identifiers are texts
