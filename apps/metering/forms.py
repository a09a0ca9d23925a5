"""The form of commands as JSON Schema: the envelope, and the parameters of every type; published in docs/metering/schemas."""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker, ValidationError

from cse.datatypes import seconds_of

TIME = {"title": "a time: YYYYMMDDThhmmss in UTC, perhaps ,ffffff", "type": "string", "format": "m2m-time", "pattern": "^[0-9]{8}T[0-9]{6}(,[0-9]{1,6})?$"}
CLOCK = {"title": "a time of the day: hhmmss in UTC", "type": "string", "pattern": "^([01][0-9]|2[0-3])[0-5][0-9][0-5][0-9]$"}
TEXT = {"type": "string", "minLength": 1, "maxLength": 20_000}
NAME = {"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[^\\x00-\\x1f\\x7f]+$"}
NUMBER = {"type": "number"}
SECONDS = {"type": "number", "exclusiveMinimum": 0, "maximum": 31_536_000}
AMOUNT = {
    "title": "an amount: at most four decimals, 0 or more",
    "anyOf": [{"type": "string", "pattern": "^[0-9]{1,12}(\\.[0-9]{1,4})?$"}, {"type": "number", "minimum": 0, "maximum": 999_999_999_999}],
}
PRICE = {
    "title": "a price: at most four decimals",
    "anyOf": [{"type": "string", "pattern": "^-?[0-9]{1,12}(\\.[0-9]{1,4})?$"}, {"type": "number"}],
}
CURRENCY = {"title": "a currency: three capital letters", "type": "string", "pattern": "^[A-Z]{3}$"}
SCALAR = {"type": ["string", "number", "boolean"]}
ACTION = {"type": "string", "minLength": 1, "maxLength": 64}
AE_ID = {"title": "an AE-ID: Cname", "type": "string", "pattern": "^[CS][A-Za-z0-9._~-]+$"}

WHAT = ("registers", "profile", "export", "net", "generation")
QUANTITIES = ("voltage", "current", "frequency", "powerFactor", "flicker", "harmonics")
TIMED = ("validateWithin", "displayWithin", "consumerDeadline", "confirmWithin", "ackWithin", "reportGrace", "alertWithin")


def _object(required: str = "", /, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": required.split(), "additionalProperties": False, "properties": properties}


def _one_of(*values: str) -> dict[str, Any]:
    return {"enum": list(values)}


def _some_of(*values: str) -> dict[str, Any]:
    return {"type": "array", "items": _one_of(*values), "minItems": 1, "uniqueItems": True}


_WHAT = {"anyOf": [_one_of(*WHAT), _some_of(*WHAT)]}
_SPAN = {"from": TIME, "to": TIME}
_LIMIT = _object("", low=NUMBER, high=NUMBER)
_PACKAGE = _object(
    "name version url sha256 signature",
    name=NAME,
    version=NAME,
    url={"type": "string", "minLength": 1, "maxLength": 200_000},
    sha256={"type": "string", "pattern": "^[0-9a-fA-F]{64}$"},
    signature={"type": "string", "minLength": 1, "maxLength": 500},
    installAt=TIME,
)
_STEP = _object("target action", target=NAME, action=ACTION, value=SCALAR)
_RATE = _object("rateId price currency unit", rateId=NAME, price=PRICE, currency=CURRENCY, unit=NAME, register=NAME)
_DISCONNECT = {"title": "either seconds or an amount", "anyOf": [_object("seconds", seconds=SECONDS), _object("amount", amount=AMOUNT)]}

PARAMS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "read": {"readNow": _object("what", what=_WHAT, fresh={"type": "boolean"}, **_SPAN)},
    "config": {
        "applySettings": _object("settings", settings={"type": "object", "minProperties": 1, "additionalProperties": SCALAR, "propertyNames": NAME}),
        "setReporting": _object(
            "recipient what period", recipient=AE_ID, what=_WHAT, period={"type": "number", "minimum": 0, "maximum": 31_536_000}, start=TIME
        ),
        "setTimers": {"type": "object", "minProperties": 1, "additionalProperties": False, "properties": dict.fromkeys(TIMED, SECONDS)},
        "setTime": _object("time", time=TIME),
        "setSchedule": _object(
            "entryId at target action", entryId=NAME, at=TIME, target=NAME, action=ACTION, value=SCALAR, notify={"type": "array", "items": AE_ID}
        ),
    },
    "maint": {
        "firmwareUpdate": _PACKAGE,
        "softwareUpdate": _PACKAGE,
        "runDiagnostic": _object("", kind=NAME),
        "validateIntegrity": _object("", nonce=NAME),
        "appointment": _object("start end", start=TIME, end=TIME, replaces=NAME),
        "hardwareReplaced": _object("part old new", part=NAME, old=NAME, new=NAME),
        "swapOut": _object("old new", old=NAME, new=NAME),
        "note": _object("kind", kind=_one_of("noAccess", "answer"), text=TEXT, channel=NAME, answer=NAME, about=NAME),
    },
    "payment": {
        "setMode": _object("mode", mode=_one_of("credit", "prepayment"), emergencyLimit=AMOUNT, disconnectAfter=_DISCONNECT),
        "status": _object("", period={"type": "number", "minimum": 0, "maximum": 31_536_000}),
    },
    "credit": {
        "addCredit": _object("amount currency token", amount=AMOUNT, currency=CURRENCY, token=NAME),
        "releaseEmergencyCredit": _object("amount currency", amount=AMOUNT, currency=CURRENCY),
    },
    "pq": {
        "getPq": _object("quantities", quantities=_some_of(*QUANTITIES), **_SPAN),
        "setLimits": {"type": "object", "minProperties": 1, "additionalProperties": False, "properties": dict.fromkeys(QUANTITIES, _LIMIT)},
    },
    "outage": {
        "getOutages": _object("", **_SPAN),
        "plannedOutage": _object("outageId start end area reason", outageId=NAME, start=TIME, end=TIME, area=NAME, reason=TEXT),
    },
    "dr": {
        "demandResponse": {
            **_object(
                "eventId start end action",
                eventId=NAME,
                start=TIME,
                end=TIME,
                action=_one_of("reduce", "shift", "off", "on", "setpoint", "priceNotice"),
                level=NUMBER,
                unit=NAME,
                target=NAME,
                contractual={"type": "boolean"},
                onSilence=_one_of("lapse", "apply"),
            ),
            "not": {"title": "a priceNotice with a target", "required": ["target"], "properties": {"action": {"const": "priceNotice"}}},
        }
    },
    "gen": {
        "adjust": _object(
            "quantity direction level unit start end",
            quantity=_one_of("demand", "generation"),
            direction=_one_of("increase", "decrease"),
            level={"type": "number", "minimum": 0},
            unit=NAME,
            start=TIME,
            end=TIME,
        )
    },
    "log": {"getEvents": _object("kinds", kinds=_some_of("security", "malfunction", "error", "state"), **_SPAN)},
    "tariff": {
        "setTariff": _object(
            "tariffId scheme rates",
            tariffId=NAME,
            scheme=_one_of("single", "dual", "timeOfUse", "criticalPeak", "realTime"),
            rates={"type": "array", "items": _RATE, "minItems": 1, "maxItems": 48},
            calendar={"type": "array", "items": _object("at rateId", at=CLOCK, rateId=NAME), "maxItems": 288},
            effective=TIME,
        )
    },
    "supply": {
        "enable": _object("", value=NUMBER, unit=NAME, reason=TEXT),
        "disable": _object("", value=NUMBER, unit=NAME, reason=TEXT),
        "limit": _object("value unit", value={"type": "number", "exclusiveMinimum": 0}, unit=NAME, reason=TEXT),
    },
    "device": {"interact": _object("target action", target=NAME, action=ACTION, value=SCALAR, start=TIME)},
    "efficiency": {"measure": _object("measureId mode text", measureId=NAME, mode=_one_of("propose", "instigate"), text=TEXT, action=_STEP)},
    "message": {
        "show": _object(
            "",
            answers={"type": "array", "items": _one_of("accept", "decline"), "uniqueItems": True},
            removable={"type": "boolean"},
            priority={"type": ["string", "number"]},
        )
    },
}
"""Schemas of ``params`` by class and type (section 12)."""

MESSAGE = _object("text", title={"type": "string", "maxLength": 200}, text=TEXT, lang={"type": "string", "pattern": "^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*$"})

ENVELOPE: Mapping[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "Command envelope",
    "type": "object",
    "required": ["cmdId", "type", "issuer", "issuedAt", "validUntil", "consent", "params"],
    "properties": {
        "cmdId": {**NAME, "description": "unique for the issuer; # is for the second life cycle", "pattern": "^[^\\x00-\\x1f\\x7f#]+$"},
        "type": NAME,
        "issuer": AE_ID,
        "issuedAt": TIME,
        "validUntil": TIME,
        "notBefore": TIME,
        "consent": _one_of("none", "informed", "required"),
        "consumerDeadline": SECONDS,
        "confirmBy": TIME,
        "ackRequired": {"type": "boolean"},
        "notify": {"type": "array", "items": AE_ID, "maxItems": 20},
        "params": {"type": "object"},
        "message": MESSAGE,
    },
}
"""What every command is like (sections 5 and 12). Members that are not named are left alone: issuers may keep notes of their own there."""

_GROUP = {"type": "string", "pattern": "^grp-[A-Za-z0-9._~-]+$"}
_METER = {"type": "string", "pattern": "^[A-Za-z0-9._~-]+$"}

POLICY: Mapping[str, Any] = {
    "$schema": ENVELOPE["$schema"],
    "title": "a collection policy: meters or groups to collect, or cycles 0 to end it",
    **_object(
        "policyId strategy",
        policyId={"type": "string", "pattern": "^[A-Za-z0-9._~-]{1,64}$", "description": "a later policy of the same name takes the place of this one"},
        strategy=_one_of("roundRobin", "randomWindow", "groupRoundRobin"),
        meters={"type": "array", "items": _METER, "minItems": 1, "maxItems": 10_000, "uniqueItems": True},
        groups={"type": "array", "items": _GROUP, "minItems": 1, "maxItems": 1000, "uniqueItems": True},
        what={**_some_of(*WHAT, "pq"), "description": "pq stands alone: power quality, of the quantities"},
        quantities=_some_of(*QUANTITIES),
        start=TIME,
        window={"type": "number", "minimum": 0, "maximum": 31_536_000, "description": "seconds over which a cycle is spread, or the turn of a group"},
        period={"type": "number", "minimum": 0, "maximum": 31_536_000, "description": "seconds from one cycle to the next; 0 for one cycle"},
        cycles={"type": "integer", "minimum": 0, "description": "how many cycles; 0 ends the policy; without it, as many as there is time"},
        within={**SECONDS, "description": "seconds that a meter has to answer"},
    ),
    "anyOf": [{"required": ["meters"]}, {"required": ["groups"]}, {"properties": {"cycles": {"const": 0}}, "required": ["cycles"]}],
}
"""What asset and dno put into ``sm-collect/policies``."""

_formats = FormatChecker(formats=())


@_formats.checks("m2m-time", raises=ValueError)
def _is_time(value: object) -> bool:
    if isinstance(value, str):
        seconds_of(value)
    return True


def _built(schema: Mapping[str, Any]) -> Draft202012Validator:
    return Draft202012Validator(schema, format_checker=_formats)


_ENVELOPE = _built(ENVELOPE)
_POLICY = _built(POLICY)
_PARAMS = {kind: {name: _built(schema) for name, schema in types.items()} for kind, types in PARAMS.items()}


def _first(validator: Draft202012Validator, value: Any, place: str, whole: str = "the command") -> str:
    error = next(iter(sorted(validator.iter_errors(value), key=lambda found: (len(found.absolute_path), str(found.absolute_path)))), None)
    if error is None:
        return ""
    error, said = _in_words(error)
    where = ".".join([*([place] if place else []), *map(str, error.absolute_path)])
    return f"{where or whole}: {said if len(said) <= 160 else said[:157] + '...'}"


def _in_words(error: ValidationError) -> tuple[ValidationError, str]:
    """Give the part of an error that somebody can mend, and what is wrong: by the title of its schema, where the schema itself says patterns only."""
    schema: Any = error.schema
    title, inner = schema.get("title"), [found for found in error.context or () if found.validator != "type"]
    if error.validator == "not":
        return error, f"must not be {schema['not']['title']}"
    if error.validator == "anyOf" and (deeper := next((found for found in inner if found.path), None)):
        return deeper, deeper.message
    if title and error.validator in ("pattern", "format", "anyOf"):
        return error, f"{'this' if isinstance(error.instance, Mapping) else repr(error.instance)} is not {title}"
    return error, inner[0].message if error.validator == "anyOf" and inner else error.message


def wrong(kind: str, envelope: Any) -> str:
    """Say what is wrong with the form of a command of a class, naming the member; "" when nothing is."""
    if said := _first(_ENVELOPE, envelope, ""):
        return said
    params = _PARAMS[kind].get(envelope["type"])
    if params is None:
        return f"type: {envelope['type']!r} is no command of class {kind}; it has {', '.join(_PARAMS[kind])}"
    return _first(params, envelope["params"], "params")


def wrong_policy(policy: Any) -> str:
    """Say what is wrong with the form of a collection policy, naming the member; "" when nothing is."""
    return _first(_POLICY, policy, "", "the policy") if policy else "the policy: there is no JSON object"


def documents() -> Iterator[tuple[str, str]]:
    """Give every schema as it is published: file name and text."""
    schemas = {"envelope": ENVELOPE, "policy": POLICY}
    for kind, types in PARAMS.items():
        schemas |= {f"{kind}.{name}": {"$schema": ENVELOPE["$schema"], "title": f"params of {kind}/{name}", **schema} for name, schema in types.items()}
    for name, schema in schemas.items():
        yield f"{name}.json", json.dumps(schema, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for file, text in documents():
        (Path(sys.argv[1]) / file).write_text(text, "utf-8")
