"""The forms of commands, and that they are published as they are used."""

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from apps.metering import forms
from apps.metering.vocabulary import CLASSES

PUBLISHED = Path(__file__).parents[2] / "docs" / "metering" / "schemas"
WHAT = ["registers", "profile", "export", "net", "generation"]
NO_TIME, NO_AMOUNT = "is not a time: YYYYMMDDThhmmss in UTC, perhaps ,ffffff", "is not an amount: at most four decimals, 0 or more"
GOOD = {"cmdId": "c1", "type": "readNow", "issuer": "Cdno", "issuedAt": "20260101T000000", "validUntil": "20260101T000000,5", "consent": "none"}


def test_what_is_published_is_what_is_used() -> None:
    assert {path.name: path.read_text() for path in PUBLISHED.glob("*.json")} == dict(forms.documents())


@pytest.mark.parametrize(("name", "text"), list(forms.documents()))
def test_every_schema_is_one(name: str, text: str) -> None:
    Draft202012Validator.check_schema(json.loads(text))


def test_every_class_has_types() -> None:
    assert set(forms.PARAMS) == set(CLASSES)


@pytest.mark.parametrize("missing", sorted(forms.ENVELOPE["required"]))
def test_every_mandatory_member_is(missing: str) -> None:
    envelope = {**GOOD, "params": {"what": "registers"}}
    assert forms.wrong("read", envelope) == ""
    del envelope[missing]
    assert missing in forms.wrong("read", envelope)


@pytest.mark.parametrize("name", ["issuedAt", "validUntil", "notBefore", "confirmBy"])
@pytest.mark.parametrize("time", ["2026-01-01T00:00:00Z", "20261301T000000", "20260101T000000,1234567", 20260101, None])
def test_times_are_in_basic_format_and_exist(name: str, time: object) -> None:
    assert name in forms.wrong("read", {**GOOD, "params": {"what": "registers"}, name: time})


def test_a_price_notice_has_no_target() -> None:
    params = {"eventId": "e", "start": "20260101T000000", "end": "20260101T000001", "action": "priceNotice"}
    envelope = {**GOOD, "type": "demandResponse", "params": params}
    assert forms.wrong("dr", envelope) == ""
    assert forms.wrong("dr", {**envelope, "params": {**params, "target": "dev-P1-1"}})
    assert forms.wrong("dr", {**envelope, "params": {**params, "action": "off", "target": "dev-P1-1"}}) == ""


@pytest.mark.parametrize(
    ("kind", "name", "params", "said"),
    [
        ("read", "readNow", {"what": "weather"}, f"params.what: 'weather' is not one of {WHAT}"),
        ("read", "readNow", {"what": ["registers", "weather"]}, f"params.what.1: 'weather' is not one of {WHAT}"),
        ("read", "readNow", {"what": "registers", "from": "2026-01-01"}, f"params.from: '2026-01-01' {NO_TIME}"),
        ("read", "readNow", {"what": "registers", "from": "20261301T000000"}, f"params.from: '20261301T000000' {NO_TIME}"),
        ("credit", "addCredit", {"amount": "1.00001", "currency": "EUR", "token": "t"}, f"params.amount: '1.00001' {NO_AMOUNT}"),
        ("credit", "addCredit", {"amount": None, "currency": "EUR", "token": "t"}, f"params.amount: None {NO_AMOUNT}"),
        ("credit", "addCredit", {"amount": "1", "currency": "euro", "token": "t"}, "params.currency: 'euro' is not a currency: three capital letters"),
        ("payment", "setMode", {"mode": "credit", "disconnectAfter": {"days": 1}}, "params.disconnectAfter: this is not either seconds or an amount"),
        ("payment", "setMode", {"mode": "credit", "disconnectAfter": {"seconds": 0}}, "params.disconnectAfter.seconds: 0 is less than or equal to "),
    ],
)
def test_what_is_wrong_is_said_in_words(kind: str, name: str, params: dict[str, object], said: str) -> None:
    assert forms.wrong(kind, {**GOOD, "type": name, "params": params}).startswith(said)


def test_a_target_of_a_price_notice_is_named() -> None:
    params = {"eventId": "e", "start": "20260101T000000", "end": "20260101T000001", "action": "priceNotice", "target": "dev-P1-1"}
    assert forms.wrong("dr", {**GOOD, "type": "demandResponse", "params": params}) == "params: must not be a priceNotice with a target"
