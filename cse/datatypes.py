"""The data types of oneM2M attributes: one checker each (TS-0004 6.3), and the arithmetic of times."""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import IntEnum
from functools import lru_cache
from ipaddress import IPv4Interface, IPv6Interface
from math import isfinite
from typing import Any, Literal, NamedTuple

Check = Callable[[Any], None]


@dataclass(frozen=True, slots=True)
class DataType:
    """A named type: ``check(value)`` raises ValueError with the end of a sentence ("must be ..."); ``schema`` is the same as JSON Schema.

    The name is that of the standard's tables: ``nonNegInteger``, ``list<ID>``, ``enum:resourceType``, ``complex:setOfAcrs``.
    In ``schema`` the type ``integer`` means a number written without a fraction. ``members`` are the rows of a complex type, ``item`` the type of a
    list's entries.
    """

    name: str
    check: Check
    schema: Mapping[str, Any]
    members: "tuple[Member, ...]" = ()
    item: "DataType | None" = None

    def fits(self, value: Any) -> bool:
        """Tell whether ``check`` has nothing against a value."""
        try:
            self.check(value)
        except ValueError:
            return False
        return True


class Member(NamedTuple):
    """One row of a complex type's table (TS-0004 6.3.5): short and long name, type, and whether it is mandatory (``1``) or optional (``0..1``)."""

    short: str
    long: str
    type: DataType
    card: Literal["1", "0..1"] = "0..1"


def shown(value: Any) -> str:
    """Give a value as an error message shows it: one line, at most 60 characters."""
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    text = "null" if value is None else str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


# Times (TS-0004 6.3.3)

_TIMESTAMP = r"[0-9]{8}T[0-9]{6}(,[0-9]{1,6})?"
_timestamp = re.compile(_TIMESTAMP).fullmatch
_DURATION = (
    r"P(?=[0-9T])(?:([0-9]{1,9})Y)?(?:([0-9]{1,9})M)?(?:([0-9]{1,9})W)?(?:([0-9]{1,9})D)?"
    r"(?:T(?=[0-9])(?:([0-9]{1,9})H)?(?:([0-9]{1,9})M)?(?:([0-9]{1,9}(?:\.[0-9]{1,9})?)S)?)?"
)
_duration = re.compile(_DURATION).fullmatch
_DURATION_SECONDS = (365 * 86400.0, 30 * 86400.0, 7 * 86400.0, 86400.0, 3600.0, 60.0, 1.0)
_EPOCH = datetime(1970, 1, 1)
LAST_SECOND = 253_402_300_799
"""The last second that a timestamp can tell, that of the year 9999, in seconds since the epoch."""
_END = LAST_SECOND * 1_000_000 + 999_999


@lru_cache(maxsize=64)
def _second(whole: int) -> str:
    # isoformat, not strftime: that one does not pad the year on every platform
    return (_EPOCH + timedelta(seconds=whole)).isoformat().replace("-", "").replace(":", "")


def timestamp(seconds: float) -> str:
    """Give the timestamp text (UTC, microseconds) of seconds since the epoch: ``20260517T081500,250000``; what is later than all of them is the last one."""
    whole, fraction = divmod(min(round(seconds * 1_000_000), _END), 1_000_000)
    return f"{_second(whole)},{fraction:06d}"


def seconds_of(text: str) -> float:
    """Give the seconds since the epoch of a timestamp text. Raises ValueError when it is none."""
    if not _timestamp(text):
        raise ValueError(f"must be a timestamp such as 20260517T081500, not {shown(text)}")
    try:
        whole = _whole_seconds(text[:15])
    except ValueError as error:
        raise ValueError(f"must be a timestamp that exists, not {shown(text)} ({error})") from None
    return whole + float("0." + text[16:]) if len(text) > 16 else whole


@lru_cache(maxsize=64)
def microseconds_of(text: str) -> int:
    """Give the microseconds since the epoch of a timestamp text, exactly. Raises ValueError when it is none."""
    seconds_of(text)
    return int(_whole_seconds(text[:15])) * 1_000_000 + int(text[16:].ljust(6, "0"))


@lru_cache(maxsize=64)
def _whole_seconds(text: str) -> float:
    return datetime(int(text[:4]), int(text[4:6]), int(text[6:8]), int(text[9:11]), int(text[11:13]), int(text[13:15]), tzinfo=UTC).timestamp()


def duration_seconds(text: str) -> float:
    """Give the seconds of an ISO 8601 duration; a year counts 365 and a month 30 days. Raises ValueError when it is none."""
    found = _duration(text)
    if not found:
        raise ValueError(f"must be a duration such as PT10S, not {shown(text)}")
    return sum(float(number) * unit for number, unit in zip(found.groups(), _DURATION_SECONDS, strict=True) if number)


_SCHEDULE_RANGES = (
    ("second", 0, 59),
    ("minute", 0, 59),
    ("hour", 0, 23),
    ("day of month", 1, 31),
    ("month", 1, 12),
    ("day of week", 0, 6),
    ("year", 1970, 9999),
)
_STEP = r"(?:\*|[0-9]{1,4}-[0-9]{1,4})/[0-9]{1,4}|\*|[0-9]{1,4}(?:-[0-9]{1,4})?"
_FIELD = rf"(?:{_STEP})(?:,(?:{_STEP}))*"
_schedule = re.compile(rf"{_FIELD}(?: {_FIELD}){{6}}").fullmatch


def schedule_fields(text: str) -> tuple[tuple[range, ...], ...]:
    """Give what a schedule entry allows for second, minute, hour, day of month, month, day of week (0: Sunday) and year (TS-0001 9.6.9).

    A moment matches when each of its fields is in one of the ranges of that field. Raises ValueError when it is no schedule entry.
    """
    if not _schedule(text):
        raise ValueError(f"must be a schedule entry with seven fields such as '* 0-30 8-17 * * 1-5 *', not {shown(text)}")
    return tuple(
        tuple(_schedule_range(part, *limits) for part in field.split(",")) for field, limits in zip(text.split(" "), _SCHEDULE_RANGES, strict=True)
    )


def _schedule_range(part: str, unit: str, low: int, high: int) -> range:
    span, _, step = part.partition("/")
    first, _, last = (f"{low}-{high}" if span == "*" else span).partition("-")
    start, end, every = int(first), int(last or first), int(step or 1)
    if not (low <= start <= end <= high and every):
        raise ValueError(f"must be a schedule entry, but {shown(part)} is no {unit} from {low} to {high}")
    return range(start, end + 1, every)


# Makers of types


def _text(name: str, pattern: str, what: str, confirm: Callable[[str], object] | None = None, *, longest: int | None = None) -> DataType:
    """A text that matches ``pattern`` as a whole; ``confirm`` raises ValueError for texts that no pattern can refuse (published as a JSON Schema format)."""
    match = re.compile(pattern).fullmatch

    def check(value: Any) -> None:
        if type(value) is not str or not match(value):
            raise ValueError(f"must be {what}, not {shown(value)}")

    def check_more(value: Any) -> None:
        check(value)
        if longest is not None and len(value) > longest:
            raise ValueError(f"must have at most {longest} characters, not {len(value)}")
        if confirm is not None:
            try:
                confirm(value)
            except ValueError as error:
                raise ValueError(str(error) if str(error).startswith("must ") else f"must be {what}, not {shown(value)}") from None

    schema: dict[str, Any] = {"type": "string", "pattern": f"^(?:{pattern})$"}
    if longest is not None:
        schema["maxLength"] = longest
    if confirm is not None:
        schema["format"] = f"m2m-{name}"
    return DataType(name, check if longest is None and confirm is None else check_more, schema)


def _whole(name: str, low: int, high: int, limits: str) -> DataType:
    def check(value: Any) -> None:
        if type(value) is not int or not low <= value <= high:
            raise ValueError(f"must be {limits}, not {shown(value)}")

    return DataType(name, check, {"type": "integer", "minimum": low, "maximum": high})


def _number(value: Any) -> None:
    if type(value) is not float and type(value) is not int:
        raise ValueError(f"must be a number, not {shown(value)}")
    _json(value, 0)


def _one_of(name: str, texts: Sequence[str]) -> DataType:
    known = frozenset(texts)

    def check(value: Any) -> None:
        if type(value) is not str or value not in known:
            raise ValueError(f"must be one of {', '.join(texts)}, not {shown(value)}")

    return DataType(name, check, {"enum": list(texts)})


def numbers_of(name: str, values: Iterable[int]) -> DataType:
    """Give the type of an enumeration by its numbers, where no class names them; ``name`` as in the standard, without ``enum:``."""
    ordered = sorted(values)
    known = frozenset(ordered)
    wanted = f"one of {', '.join(map(str, ordered))}" if len(ordered) <= 12 else f"a number that {name} defines"

    def check(value: Any) -> None:
        if type(value) is not int or value not in known:
            raise ValueError(f"must be {wanted}, not {shown(value)}")

    return DataType(f"enum:{name}", check, {"type": "integer", "enum": ordered})


def enum_of(kind: type[IntEnum], name: str = "") -> DataType:
    """Give the type of an enumeration; its name is that of the class with a small first letter unless ``name`` says otherwise."""
    return numbers_of(name or kind.__name__[0].lower() + kind.__name__[1:], (int(value) for value in kind))


def list_of(item: DataType, least: int = 1, most: int | None = None) -> DataType:
    """Give the type of a list with ``least`` to ``most`` entries: without ``least=0`` an empty list is refused, null is the way to remove an attribute."""
    item_check = item.check

    def check(value: Any) -> None:
        if type(value) is not list:
            raise ValueError(f"must be a list of {item.name}, not {shown(value)}")
        if len(value) < least:
            raise ValueError("must not be an empty list" if least == 1 else f"must have at least {least} entries, not {len(value)}")
        if most is not None and len(value) > most:
            raise ValueError(f"must have at most {most} entries, not {len(value)}")
        number = 1
        try:
            for entry in value:
                item_check(entry)
                number += 1
        except ValueError as error:
            raise ValueError(f"has entry {number}, which {error}") from None

    schema: dict[str, Any] = {"type": "array", "items": item.schema}
    if least:
        schema["minItems"] = least
    if most is not None:
        schema["maxItems"] = most
    return DataType(f"list<{item.name}>", check, schema, item=item)


def structure(name: str, members: Sequence[Member], extra: Mapping[str, Any] | None = None, confirm: Check | None = None) -> DataType:
    """Give a complex type: an object whose members are known, complete and right; ``name`` as in the standard, without ``complex:``.

    ``confirm`` gets the object after that and raises ValueError for what concerns several members; ``extra`` says the same as JSON Schema keywords.
    """
    checks = {member.short: member.type.check for member in members}
    required = frozenset(member.short for member in members if member.card == "1")

    def check(value: Any) -> None:
        if type(value) is not dict:
            raise ValueError(f"must be an object ({name}), not {shown(value)}")
        for key, content in value.items():
            member_check = checks.get(key)
            if member_check is None:
                raise ValueError(f"has the member {shown(key)}, which {name} does not know (it has {', '.join(checks)})")
            try:
                member_check(content)
            except ValueError as error:
                raise ValueError(f"has member {key}, which {error}") from None
        if missing := required - value.keys():
            raise ValueError(f"must have the mandatory member {', '.join(sorted(missing))} of {name}")
        if confirm is not None:
            confirm(value)

    schema: dict[str, Any] = {
        "type": "object",
        "properties": {member.short: {"title": member.long, **member.type.schema} for member in members},
        "additionalProperties": False,
    }
    if required:
        schema["required"] = sorted(required)
    return DataType(f"complex:{name}", check, schema | dict(extra or {}), tuple(members))


def either(name: str, *types: DataType) -> DataType:
    """Give a type that accepts what one of several types accepts; the error is that of the first."""

    def check(value: Any) -> None:
        refused: list[ValueError] = []
        for kind in types:
            try:
                return kind.check(value)
            except ValueError as error:
                refused.append(error)
        raise refused[0]

    return DataType(name, check, {"anyOf": [kind.schema for kind in types]}, types[0].members)


def renamed(name: str, kind: DataType) -> DataType:
    """Give a type under another name."""
    return DataType(name, kind.check, kind.schema)


# Values that are any JSON

_DEEPEST = 100
_I64, _U64 = 2**63, 2**64


def _json(value: Any, depth: int) -> None:
    kind = type(value)
    if kind is str or kind is bool:
        return
    if kind is int:
        if not -_I64 <= value < _U64:
            raise ValueError(f"must not hold a number beyond 64 bit: {shown(value)}")
    elif kind is float:
        if not isfinite(value):
            raise ValueError(f"must not hold {value}, which JSON does not have")
    elif kind is dict or kind is list:
        if depth >= _DEEPEST:
            raise ValueError(f"must not be nested deeper than {_DEEPEST} levels")
        for entry in value.values() if kind is dict else value:
            if entry is not None:
                _json(entry, depth + 1)
        if kind is dict and not all(type(key) is str for key in value):
            raise ValueError("must only have texts as names of members")
    else:
        raise ValueError(f"must be a JSON value, not {shown(value)}")


def _any_value(value: Any) -> None:
    if type(value) is not str:
        _json(value, 0)


def _object(value: Any) -> None:
    if type(value) is not dict:
        raise ValueError(f"must be an object, not {shown(value)}")
    _json(value, 0)


def _one_root(value: Any) -> None:
    _object(value)
    if len(value) != 1:
        raise ValueError(f"must be an object with exactly one root member, not {len(value)}")


_NOT_NULL = {"type": ["string", "boolean", "number", "object", "array"]}
ANY = DataType("any", _any_value, _NOT_NULL)
ANY_SIMPLE = DataType("anySimple", _any_value, _NOT_NULL)
"""Content: the text types it as any simple type, clients send objects and lists too; both are kept as they are, null is no content."""
DICT = DataType("dict", _object, {"type": "object"})
PRIMITIVE_CONTENT = DataType("primitiveContent", _one_root, {"type": "object", "minProperties": 1, "maxProperties": 1})
CUSTOM_ATTRIBUTE = renamed("customAttribute", ANY)


# Booleans and numbers


def _boolean(value: Any) -> None:
    if type(value) is not bool:
        raise ValueError(f"must be true or false, not {shown(value)}")


BOOLEAN = DataType("boolean", _boolean, {"type": "boolean"})
INTEGER = _whole("integer", -_I64, _I64 - 1, "a whole number of at most 64 bit")
LONG = _whole("long", -_I64, _I64 - 1, "a whole number of at most 64 bit")
NON_NEG_INT = _whole("nonNegInteger", 0, _I64 - 1, "a whole number >= 0 (at most 2^63-1)")
POSITIVE_INT = _whole("positiveInteger", 1, _I64 - 1, "a whole number >= 1 (at most 2^63-1)")
UNSIGNED_INT = _whole("unsignedInt", 0, 2**32 - 1, "a whole number from 0 to 2^32-1")
UNSIGNED_LONG = _whole("unsignedLong", 0, _U64 - 1, "a whole number from 0 to 2^64-1")
UNSIGNED_SHORT = _whole("unsignedShort", 0, 65535, "a whole number from 0 to 65535")
TRIGGER_RECIPIENT_ID = _whole("triggerRecipientID", 0, 65535, "a port number from 0 to 65535")
FLOAT = DataType("float", _number, {"type": "number"})
DOUBLE = renamed("double", FLOAT)
DECIMAL = renamed("decimal", FLOAT)


def _event_cat(name: str, *standard: int) -> DataType:
    def check(value: Any) -> None:
        if type(value) is not int or not (value in standard or 100 <= value <= 999):
            raise ValueError(f"must be an event category ({', '.join(map(str, standard))} or 100 to 999), not {shown(value)}")

    return DataType(name, check, {"type": "integer", "anyOf": [{"enum": list(standard)}, {"minimum": 100, "maximum": 999}]})


EVENT_CAT = _event_cat("eventCat", 2, 3, 4)
EVENT_CAT_WITH_DEF = _event_cat("eventCatWithDef", 0, 2, 3, 4)


# Texts


def _string(value: Any) -> None:
    if type(value) is not str:
        raise ValueError(f"must be a text, not {shown(value)}")


_VISIBLE = r"[^\x00-\x20\x7f]"
_MEDIA = r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]*/[A-Za-z0-9*][A-Za-z0-9!#$&^_.+-]*(?: ?; ?[A-Za-z0-9!#$&^_.+-]+=[^\x00-\x1f\x7f:;]+)*"
_B64 = r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?"

STRING = DataType("string", _string, {"type": "string"})
SPARQL = renamed("sparql", STRING)
SESSION_DESCRIPTION = renamed("sessionDescription", STRING)
TOKEN = _text("token", rf"(?:{_VISIBLE}+(?: {_VISIBLE}+)*)?", "a text without leading, trailing or double blanks and control characters")
LABEL = _text("label", rf"{_VISIBLE}+(?: {_VISIBLE}+)*", "a label (key or key:value, no double or outer blanks)")
NC_NAME = _text("ncname", "[A-Za-z_\u00c0-\uffff][A-Za-z0-9._\u00b7-\uffff-]*", "a name (a letter or _, then letters, digits, ., _ and -)")
ATTRIBUTE_NAME = _text("attributeName", "[A-Za-z][A-Za-z0-9]*", "the short name of an attribute")
ANY_URI = _text("anyURI", rf"{_VISIBLE}+", "a URI or resource identifier without blanks")
ID = _text("ID", rf"{_VISIBLE}+", "an identifier without blanks")
NH_URI = _text("nhURI", r"[^\x00-\x20\x7f/]*", "an unstructured resource identifier (no slash)")
NODE_ID = _text("nodeID", rf"{_VISIBLE}+", "a node identifier without blanks")
DEVICE_ID = _text("deviceID", rf"urn:{_VISIBLE}+", "a device URN")
EXTERNAL_ID = _text("externalID", r"[^\x00-\x20\x7f@]+@[^\x00-\x20\x7f@]+", "an external identifier (local@domain)")
REQUEST_ID = _text("requestID", r"[^\x00-\x1f\x7f]+", "a request identifier")
RESOURCE_NAME = _text("resourceName", "[A-Za-z0-9][A-Za-z0-9._-]*", "a resource name (a letter or digit, then letters, digits, -, . and _)", longest=255)
"""The text sets no length; 255 keeps addresses within what paths, options and indexes take."""
BASE64 = _text("base64", _B64, "base64 text")
HEX_BINARY = _text("hexBinary", "(?:[0-9A-Fa-f]{2})*", "hexadecimal text")
SIGNATURE = _text("signature", "[A-Za-z0-9_-]+={0,2}", "base64url text")
JWT = _text("jwt", r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*){2}(?:(?:\.[A-Za-z0-9_-]*){2})?", "a JWS or JWE in compact serialisation")
ROLE_ID = _text("roleID", r"[^\x00-\x20\x7f@]+@[^\x00-\x20\x7f@]+", "a role identifier (name@issuer)")
TOKEN_ID = _text("tokenID", r"[^\x00-\x20\x7f@]+@[^\x00-\x20\x7f@]+", "a token identifier (name@issuer)")
IMSI = _text("imsi", "[0-9]{15}", "an IMSI of 15 digits")
ICCID = _text("iccid", "[0-9A-Fa-f]{18,22}", "an ICCID")
TMGI = renamed("tmgi", TOKEN)
LOCATION_TARGET_ID = _text("locationTargetID", rf"{_VISIBLE}+", "a node identifier, external identifier or MSISDN")
POA = _text("poa", rf"[A-Za-z][A-Za-z0-9+.-]*://{_VISIBLE}+", "a point of access such as http://host:8080")
CONTENT_INFO = _text("contentInfo", rf"{_MEDIA}(?::[0-2](?::[0-5])?)?", "mediaType[:encoding[:security]] such as application/json:0")
TYPE_OF_CONTENT = _text("typeOfContent", _MEDIA, "a media type")
MIME_PROTOCOL = _text("mimeProtocol", _MEDIA, "a media type that names a protocol")
MEDIA_CAPABILITY = _text("mediaCapability", rf"[^\x00-\x20\x7f:]+:{_VISIBLE}+", "media:protocol such as audio:RTP/AVP")
COUNTRY_CODE = _text("countryCode", "[A-Z]{2}", "a country code of two capital letters")
RELEASE_VERSION = _one_of("releaseVersion", ("1", "2", "2a", "3", "4", "5"))
SERIALIZATION = _one_of("serialization", ("json", "cbor", "xml", "application/json", "application/cbor", "application/xml"))
"""The text has ``json``; entities in the field write the media type."""
IPV4 = _text("ipv4", r"[0-9.]{7,15}(?:/[0-9]{1,2})?", "an IPv4 address, with or without /prefix", IPv4Interface)
IPV6 = _text("ipv6", r"[0-9A-Fa-f:.]{2,45}(?:/[0-9]{1,3})?", "an IPv6 address, with or without /prefix", IPv6Interface)


def _coordinates(text: str) -> None:
    def numbers(part: Any) -> bool:
        return bool(part) and (
            all(type(entry) is list and numbers(entry) for entry in part)
            or (2 <= len(part) <= 3 and all(type(entry) in (int, float) and isfinite(entry) for entry in part))
        )

    try:
        right = numbers(json.loads(text))
    except (OverflowError, RecursionError):
        right = False
    if not right:
        raise ValueError("no coordinates")


GEO_JSON_COORDINATE = _text("geoJsonCoordinate", r"\[[ \t\r\n0-9eE+.,\[\]-]{1,100000}\]", "the JSON text of GeoJSON coordinates", _coordinates)
TIMESTAMP = _text("timestamp", _TIMESTAMP, "a timestamp such as 20260517T081500", seconds_of)
DURATION = _text("duration", _DURATION, "a duration such as PT10S")
SCHEDULE_ENTRY = _text("scheduleEntry", rf"{_FIELD}(?: {_FIELD}){{6}}", "a schedule entry of seven fields", schedule_fields)
DATE = _text("date", "[0-9]{4}-[0-9]{2}-[0-9]{2}", "a date such as 2026-05-17", date.fromisoformat)
BASIC_DATE = _text("basicDate", "[0-9]{8}", "a date such as 20260517", date.fromisoformat)
BASIC_TIME = _text("basicTime", "[0-9]{6}(?:,[0-9]{1,6})?", "a time of day such as 081500", time.fromisoformat)
TIME = _text("time", r"[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?", "a time of day such as 08:15:00", time.fromisoformat)
DATE_TIME = _text(
    "dateTime",
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?(?:Z|[+-][0-9]{2}:[0-9]{2})?",
    "a date and time such as 2026-05-17T08:15:00Z",
    datetime.fromisoformat,
)
_MILLISECONDS = _text("milliseconds", "-?[0-9]{1,18}", "a whole number of milliseconds as text")
ABS_REL_TIMESTAMP = either("absRelTimestamp", TIMESTAMP, LONG, _MILLISECONDS)
"""A moment, or milliseconds from now; those are a number, or their text as in protocol headers."""
