"""Enumerations, response status codes and exception classes say what the standard's tables say."""

import re
from enum import IntEnum, IntFlag

import pytest

from cse import codes, errors, management
from tests.law.facts import fact

ENUMS = fact("enums")["enums"]
CODES = {entry["code"]: entry["name"] for entry in fact("response_status_codes")["codes"]}
TABLE_NAMES = {"ResourceTypeID": "resourceType", "EventCat": "stdEventCats", "AccessControlOperation": "accessControlOperations"}
LEFT_OUT = {
    "notificationEventType": {9: "blocking retrieve: an experiment of one implementation, not standard", 10: "blocking retrieve of a direct child: the same"},
}
"""Values of the facts that this CSE leaves out, and why."""
CLASSES = [
    value
    for module in (codes, management)
    for value in vars(module).values()
    if isinstance(value, type) and issubclass(value, IntEnum | IntFlag) and value.__module__ == module.__name__
]


def plain(name: str) -> str:
    """Give a name without case, blanks and separators, since the standard writes the same names in several ways."""
    return re.sub(r"[^A-Z0-9]", "", name.upper())


def table_name(kind: type) -> str:
    return TABLE_NAMES.get(kind.__name__) or next(name for name in ENUMS if name.lower() == kind.__name__.lower())


@pytest.mark.parametrize("kind", [kind for kind in CLASSES if kind is not codes.ResponseStatusCode], ids=lambda kind: kind.__name__)
def test_enumeration_equals_the_fact(kind: type[IntEnum]) -> None:
    ours = {int(value): plain(value.name) for value in kind}
    left_out = LEFT_OUT.get(table_name(kind), {})
    assert ours == {entry["value"]: plain(entry["name"]) for entry in ENUMS[table_name(kind)]["values"] if entry["value"] not in left_out}


def test_response_status_codes_equal_the_fact() -> None:
    assert {int(value): plain(value.name) for value in codes.ResponseStatusCode} == {code: plain(name) for code, name in CODES.items()}


def test_every_failing_code_has_one_class() -> None:
    assert set(errors.BY_CODE) == {code for code in CODES if code >= 4000}
    classes = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.CSEError) and "code" in vars(kind)]
    assert len({kind.code for kind in classes}) == len(classes) - 1  # the root class answers 5000 too


@pytest.mark.parametrize("code", [code for code in CODES if code >= 4000])
def test_class_says_its_number_and_family(code: int) -> None:
    kind = errors.BY_CODE[code]
    assert kind.code == code
    assert f"({code})" in (kind.__doc__ or "")
    assert issubclass(kind, {4: errors.OriginatorError, 5: errors.ReceiverError, 6: errors.NetworkSystemError}[code // 1000])
