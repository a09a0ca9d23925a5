"""The forms of commands, and that they are published as they are used."""

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from apps.metering import forms
from apps.metering.vocabulary import CLASSES

PUBLISHED = Path(__file__).parents[2] / "docs" / "metering" / "schemas"
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
