"""Every attribute that the standard's tables let a request write can be created, updated and removed (TS-0001 9.6, TS-0004 7.4)."""

from typing import Any

import pytest

from cse.codes import ResponseStatusCode as RSC
from tests.core.test_create import CONTENT, NAMES
from tests.core.tree import AE, POWER, of, policy, rule, seen, world
from tests.drive import Driven
from tests.law.facts import fact

SAMPLES: dict[str, Any] = {
    "string": "some text",
    "ID": "CAdmin",
    "boolean": True,
    "anyURI": "cse-in/other",
    "list<anyURI>": ["cse-in/other"],
    "list<ID>": ["cse-in/acp"],
    "list<string>": ["some text"],
    "list<label>": ["key:value", "key"],
    "list<attributeName>": ["lbl"],
    "list<poa>": ["http://host:8080", "coap://[::1]:5683/x"],
    "list<serialization>": ["json", "cbor"],
    "list<releaseVersion>": ["3", "4"],
    "list<mediaCapability>": ["audio:RTP/AVP"],
    "resourceName": "given",
    "timestamp": "20250701T000000",
    "absRelTimestamp": "20250601T120000,5",
    "duration": "PT1H",
    "nonNegInteger": 7,
    "positiveInteger": 7,
    "unsignedInt": 7,
    "anySimple": "21.5",
    "contentInfo": "application/json:0",
    "externalID": "meter@provider.example",
    "triggerRecipientID": 3010,
    "eventCat": 3,
    "enum:announceSyncType": 1,
    "enum:AERegistrationStatus": 1,
    "enum:memberType": 3,
    "enum:consistencyStrategy": 2,
    "enum:pendingNotification": 1,
    "enum:notificationContentType": 3,
    "complex:geoCoordinates": {"typ": 1, "crd": "[13.4, 52.5]"},
    "complex:e2eSecInfo": {"esf": [10]},
    "complex:activityPatternElements": {"ape": [{"se": [{"sce": ["* 0-30 8-17 * * 1-5 *"]}], "sti": 1, "dsi": 100}]},
    "complex:setOfAcrs": {"acr": [rule("all", 2), rule("CAdmin", 63)]},
    "complex:contentRef": {"urir": [{"nm": "here", "uri": "cse-in/other"}]},
    "complex:specializationType": {"cnd": "org.onem2m.home.moduleclass.battery"},
    "complex:eventNotificationCriteria": {"net": [1, 3], "atr": ["lbl"]},
    "complex:batchNotify": {"num": 5, "dur": "PT10S"},
    "complex:rateLimit": {"mnn": 5, "tww": "PT10S"},
}
"""One right value of each data type that a request may write."""

SPECIAL: dict[tuple[str, str], Any] = {
    ("macp", "group"): ["cse-in/acp"],
    ("nu", "subscription"): ["http://sink:80", "http://sink:81"],
    ("cr", "container"): None, ("cr", "contentInstance"): None, ("cr", "subscription"): None, ("cr", "group"): None,
    ("api", "AE"): "Nother",
}  # fmt: skip
"""Attributes whose value has a rule beyond its type."""


def rows(column: str) -> list[tuple[str, dict[str, Any]]]:
    """Give the type and the row of every attribute that a CREATE or UPDATE may have."""
    listed = fact("attributes")["resources"]
    return [(name, row) for name in sorted(NAMES.keys() - {"CSEBase"}) for row in listed[name]["attributes"] if row[column] != "NP"]


def ids(found: list[tuple[str, dict[str, Any]]]) -> list[str]:
    return [f"{name}-{row['short']}" for name, row in found]


def sample(name: str, row: dict[str, Any]) -> Any:
    return SPECIAL.get((row["short"], name), SAMPLES.get(row["type"]))


def place(cse: Driven, ty: int) -> str:
    policy(cse, "acp")
    return "cse-in" if ty == 2 else POWER if ty in (4, 23) else AE


@pytest.mark.parametrize(("name", "row"), rows("create"), ids=ids(rows("create")))
def test_what_may_be_created(name: str, row: dict[str, Any]) -> None:
    cse, ty, short = world(), NAMES[name], row["short"]
    ((root, least),) = CONTENT[ty].items()
    value = sample(name, row)
    made = of(cse.create(place(cse, ty), ty, {root: {**least, short: value}}, "Cnew" if ty == 2 else "CAdmin"))
    assert made[short] == ("CAdmin" if short == "cr" else value)
    assert made.items() >= {key: kept for key, kept in least.items() if key != short}.items()
    assert seen(cse, made["ri"])[short] == (made[short] if short != "dcnt" else made[short] - 1)


@pytest.mark.parametrize(("name", "row"), rows("update"), ids=ids(rows("update")))
def test_what_may_be_updated_and_removed(name: str, row: dict[str, Any]) -> None:
    """Null removes what is there 0..1 times and is refused for the rest; the CSE chooses expirationTime and enc anew (procedures 1.4, 7.1)."""
    cse, ty, short = world(), NAMES[name], row["short"]
    ((root, least),) = CONTENT[ty].items()
    made = of(cse.create(place(cse, ty), ty, {root: least}, "Cnew" if ty == 2 else "CAdmin"))
    value = sample(name, row)
    assert of(cse.update(made["ri"], {root: {short: value}}))[short] == value
    assert seen(cse, made["ri"])[short] == value
    removed = cse.update(made["ri"], {root: {short: None}})
    if short in ("et", "enc"):
        assert of(removed)[short] == made[short]
    elif row["card"].startswith("1"):
        assert removed.rsc == RSC.BAD_REQUEST
    else:
        assert short not in of(removed)


@pytest.mark.parametrize("name", sorted(NAMES.keys() - {"CSEBase", "contentInstance"}))
def test_what_may_not_be_updated_is_refused_by_name(name: str) -> None:
    cse, ty = world(), NAMES[name]
    ((root, least),) = CONTENT[ty].items()
    made = of(cse.create(place(cse, ty), ty, {root: least}, "Cnew" if ty == 2 else "CAdmin"))
    for row in fact("attributes")["resources"][name]["attributes"]:
        if row["update"] == "NP":
            for value in (sample(name, row), None):
                response = cse.update(made["ri"], {root: {row["short"]: value}})
                assert response.rsc == RSC.BAD_REQUEST, row["short"]
                assert f" {row['short']} " in response.pc["m2m:dbg"]
    assert seen(cse, made["ri"]) == made
