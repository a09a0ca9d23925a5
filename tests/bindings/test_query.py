"""The query that HTTP and CoAP share."""

from typing import Any

import pytest

from bindings.query import read, write
from cse.codes import Operation
from cse.errors import BadRequest
from cse.primitives import Request


@pytest.mark.parametrize(
    ("pairs", "fields"),
    [
        ([], {}),
        ([("rcn", ["4"]), ("da", ["true"]), ("sqi", ["0"]), ("rp", ["5000"])], {"rcn": 4, "da": True, "sqi": False, "rp": 5000}),
        ([("rp", ["20260101T000000"])], {"rp": "20260101T000000"}),
        ([("rt", ["3"])], {"rt": {"rtv": 3}}),
        ([("atrl", ["lbl", "et"])], {"pc": {"m2m:atrl": ["lbl", "et"]}}),
        ([("rids", ["a"]), ("rids", ["b"]), ("tqi", ["1"])], {"more": {"rids": ["a", "b"], "tqi": True}}),
        ([("lbl", ["a", "b"]), ("lbl", ["c"]), ("ty", ["3", "4"])], {"fc": {"lbl": ["a", "b", "c"], "ty": [3, 4]}}),
        ([("crb", ["20260101T000000"]), ("lim", ["5"])], {"fc": {"crb": "20260101T000000", "lim": 5}}),
        ([("cfq", ["$.a", "b"])], {"fc": {"cfq": "$.a+b"}}),
        ([("rn", ["x*"]), ("c.cr", ["C1", "C2"]), ("p.ri", ["y"])], {"fc": {"atr": {"rn": ["x*"]}, "catr": {"cr": ["C1", "C2"]}, "patr": {"ri": ["y"]}}}),
    ],
)
def test_a_query_has_the_types_of_its_parameters(pairs: list[tuple[str, list[str]]], fields: dict[str, Any]) -> None:
    assert read(pairs) == fields


@pytest.mark.parametrize(
    ("key", "texts"),
    [("rcn", ["x"]), ("rcn", [""]), ("rcn", ["-1"]), ("rcn", ["1", "2"]), ("rcn", ["9" * 30]), ("da", ["yes"]), ("lbl", ["a", ""]), ("crb", [""]),
     ("ty", ["cnt"]), ("atr", ["x"]), ("", ["x"]), ("a b", ["x"]), ("x" * 40, ["x"]), ("c.", ["x"])],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_by_name(key: str, texts: list[str]) -> None:
    with pytest.raises(BadRequest, match=f"'{key[:30]}"):
        read([(key, texts)])


def test_a_single_value_may_be_there_once() -> None:
    with pytest.raises(BadRequest, match="more than once"):
        read([("rcn", ["1"]), ("rcn", ["1"])])


def test_what_is_written_is_read_again() -> None:
    fields: dict[str, Any] = {
        "rcn": 4, "drt": 2, "da": True, "rp": 100, "rt": {"rtv": 3}, "more": {"rids": ["a"], "tqi": False}, "pc": {"m2m:atrl": ["lbl"]},
        "fc": {"fu": 1, "lbl": ["a", "b"], "ty": [3], "atr": {"rn": ["x"]}, "catr": {"cr": ["y"]}},
    }  # fmt: skip
    assert read(write(Request(Operation.RETRIEVE, "x", **fields))) == fields


def test_conditions_as_a_list_of_attributes_are_written_too() -> None:
    assert list(write(Request(Operation.RETRIEVE, "x", fc={"atr": [{"nm": "rn", "val": "x"}]}))) == [("rn", ["x"])]


def test_criteria_that_have_no_key_are_refused() -> None:
    with pytest.raises(BadRequest, match="zzz"):
        list(write(Request(Operation.RETRIEVE, "x", fc={"zzz": 1})))
