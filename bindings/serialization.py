"""JSON and CBOR to plain Python values and back; what cannot be carried safely is refused with a sentence (TS-0004 8.3, 8.4)."""

import json
from collections.abc import Iterator, Mapping
from enum import StrEnum
from functools import lru_cache
from io import BytesIO
from math import isfinite
from typing import Any, NoReturn

import cbor2
import orjson

from cse.errors import BadRequest, InternalServerError

MAX_DEPTH = 64
"""Objects and lists within each other, the outermost one counted."""

_LOW, _HIGH = -(2**63), 2**64 - 1
_BIG = float(2**63)
_IN_DOUBT = 1 << 62
_TOO_DEEP = f"the content is nested deeper than {MAX_DEPTH} levels"


class Media(StrEnum):
    """A serialisation, by its plain media type."""

    JSON = "application/json"
    CBOR = "application/cbor"


_MEDIA = {f"application/{kind}{suffix}": media for suffix, media in (("json", Media.JSON), ("cbor", Media.CBOR))
          for kind in ("", "vnd.onem2m-res+", "vnd.onem2m-ntfy+", "vnd.onem2m-preq+", "vnd.onem2m-prsp+")}  # fmt: skip


def media_of(content_type: str) -> Media | None:
    """Give the serialisation that a Content-Type names, its parameters ignored; None when it is not served."""
    return _MEDIA.get(content_type) or _MEDIA.get(content_type.partition(";")[0].strip().lower())


@lru_cache(maxsize=128)
def choose(accept: str | None, default: Media) -> Media | None:
    """Pick the serialisation an Accept header likes best, ``default`` among equals; None when it accepts none that is served (RFC 9110 12.5.1)."""
    if accept is None or not accept.strip():
        return default
    best: dict[Media, tuple[int, float]] = {}
    for name, quality in _ranges(accept):
        named = _MEDIA.get(name)
        rank = 2 if named else {"application/*": 1, "*/*": 0}.get(name, -1)
        if rank < 0:
            continue
        for media in (named,) if named else Media:
            best[media] = max(best.get(media, (-1, 0.0)), (rank, quality))
    usable = [media for media in (default, *Media) if best.get(media, (0, 0.0))[1] > 0]
    return max(usable, key=lambda media: best[media][1], default=None)


@lru_cache(maxsize=128)
def name_for(accept: str | None, media: Media) -> str:
    """Give the media type under which a serialisation goes that Accept admits: the plain one, unless it admits others of oneM2M only."""
    qualities = dict(_ranges(accept or ""))
    special = [name for name, quality in qualities.items() if _MEDIA.get(name) is media and quality > 0]
    if not special or qualities.get(media.value, qualities.get("application/*", qualities.get("*/*", 0.0))) > 0:
        return media.value
    return max(special, key=lambda name: qualities[name])


def _ranges(accept: str) -> Iterator[tuple[str, float]]:
    """Give the media ranges of an Accept header with their qualities."""
    for part in accept.split(","):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        yield name, _quality(parameters)


def _quality(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.rstrip() == "q":
            try:
                return min(float(value), 1.0)
            except ValueError:
                return 0.0
    return 1.0


def encode(value: Any, media: Media) -> bytes:
    """Write a value of dicts, lists and scalars. Raises InternalServerError for one that the serialisation cannot carry."""
    try:
        if media is Media.JSON:
            return orjson.dumps(value, default=_as_dict)
        return cbor2.dumps(value, default=_encode_mapping)
    except (TypeError, ValueError, cbor2.CBOREncodeError) as error:
        raise InternalServerError(f"the content cannot be written as {media.value}: {error}") from error


def _as_dict(value: Any) -> dict[str, Any]:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"a value of type {type(value).__name__} has no JSON form")


def _encode_mapping(encoder: cbor2.CBOREncoder, value: Any) -> None:
    encoder.encode(_as_dict(value))


def decode(data: bytes, media: Media) -> dict[str, Any]:
    """Read an object of plain values: dict, list, str, int, float, bool, None.

    Raises BadRequest, naming the reason and where it is known the place, for anything broken or behind the end, invalid UTF-8, duplicate keys, NaN and
    infinities, integers outside of -2**63 to 2**64-1, nesting deeper than 64, CBOR tags, byte strings and undefined, or when it is no object.
    """
    value = _decode_json(data) if media is Media.JSON else _decode_cbor(data)
    if type(value) is not dict:
        raise BadRequest("the content is not an object")
    return value


def _decode_json(data: bytes) -> Any:
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        _refuse_json(data, error)
    # Every key has one colon behind it: more colons than were found mean a key that was overwritten, unless escapes hide some.
    if type(value) is dict and (b"\\u" in data or _colons(value, 1) != data.count(b":")):
        _colons(value, 1)
        json.loads(data, object_pairs_hook=_unique, parse_int=_integer)
    return value


def _colons(value: Any, depth: int) -> int:
    """Count the colons that belong to ``value``: one a key and those in texts. Far too many when a number may have been rounded."""
    if depth > MAX_DEPTH:
        raise BadRequest(_TOO_DEEP)
    total = 0
    items = value
    if type(value) is dict:
        items = value.values()
        total = len(value)
        for key in value:
            if ":" in key:
                total += key.count(":")
    for item in items:
        kind = type(item)
        if kind is str:
            if ":" in item:
                total += item.count(":")
        elif kind is dict or kind is list:
            total += _colons(item, depth + 1)
        elif kind is float and not -_BIG < item < _BIG:
            total += _IN_DOUBT
    return total


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise BadRequest(f"the key {_short(twice)} occurs more than once in an object")
    return found


def _integer(text: str) -> int:
    if len(text) > 20 or not _LOW <= int(text) <= _HIGH:
        raise BadRequest(f"the number {_short(text)} does not fit into 64 bits")
    return int(text)


def _short(text: str) -> str:
    return repr(text) if len(text) <= 60 else repr(text[:60]) + "..."


def _refuse_json(data: bytes, error: orjson.JSONDecodeError) -> NoReturn:
    if not data.strip():
        raise BadRequest("the content is empty") from error
    try:
        text = data.decode()
    except UnicodeDecodeError as cause:
        raise BadRequest(f"the JSON content is not valid UTF-8 at byte {cause.start}") from cause
    if text[error.pos :].lstrip("-").startswith(("NaN", "Infinity")):
        raise BadRequest(f"NaN and Infinity are no JSON numbers (character {error.pos})") from error
    reason = _TOO_DEEP if "depth" in error.msg else f"the JSON content is broken: {error}"
    raise BadRequest(reason) from error


def _decode_cbor(data: bytes) -> Any:
    stream = BytesIO(data)
    try:
        value = cbor2.CBORDecoder(
            stream, tag_hook=_refuse_tag, semantic_decoders=_NO_TAGS, max_depth=MAX_DEPTH, allow_duplicate_keys=False, strict_hashable_types=True
        ).decode()
    except cbor2.CBORDecodeError as error:
        if isinstance(error.__cause__, BadRequest):
            raise error.__cause__ from error
        cause = f" ({error.__cause__})" if error.__cause__ else ""
        raise BadRequest(_TOO_DEEP if "depth" in str(error) else f"the CBOR content is broken: {error}{cause}" if data else "the content is empty") from error
    if stream.tell() != len(data):
        raise BadRequest(f"the CBOR content goes on behind its end at byte {stream.tell()}")
    _check_plain(value)
    return value


def _refuse_tag(*_: Any) -> NoReturn:
    raise BadRequest("the CBOR content has a tag, which no oneM2M value has")


_NO_TAGS = dict.fromkeys((*range(2048), 43000, 55799), _refuse_tag)
"""Every tag that cbor2 could have a decoder for: a shared reference, for one, makes a small message a huge value."""


def _check_plain(value: Any) -> None:
    kind = type(value)
    if kind is dict:
        for key, item in value.items():
            if type(key) is not str:
                raise BadRequest(f"the key {key!r} of a CBOR map is not a text")
            if type(item) is not str:
                _check_plain(item)
    elif kind is list:
        for item in value:
            _check_plain(item)
    elif kind is int:
        if not _LOW <= value <= _HIGH:
            raise BadRequest(f"the number {value} does not fit into 64 bits")
    elif kind is float:
        if not isfinite(value):
            raise BadRequest(f"the CBOR content holds {value}, which is no number")
    elif kind is bytes:
        raise BadRequest("the CBOR content holds a byte string; binary data goes into a base64 text")
    elif kind is not str and kind is not bool and value is not None:
        raise BadRequest(f"the CBOR content holds {value!r}, which is no plain value")
