"""What comes in is refused with a sentence or comes out as it was."""

import json
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bindings.serialization import MAX_DEPTH, Media, choose, decode, encode, media_of
from cse.codes import Operation
from cse.errors import BadRequest, InternalServerError

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
SCALAR = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False) | TEXT
OBJECT = st.dictionaries(TEXT, st.recursive(SCALAR, lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner), max_leaves=20))


@given(OBJECT)
@pytest.mark.parametrize("media", list(Media))
def test_a_value_comes_back_as_it_was(media: Media, value: dict[str, Any]) -> None:
    again = decode(encode(value, media), media)
    assert again == value
    assert json.dumps(again) == json.dumps(value), "types are kept too"


@given(OBJECT)
def test_json_that_others_wrote_is_read_as_the_standard_library_reads_it(value: dict[str, Any]) -> None:
    for text in (json.dumps(value), json.dumps(value, ensure_ascii=False, indent=1)):
        assert decode(text.encode(), Media.JSON) == json.loads(text)


@given(st.dictionaries(TEXT, TEXT, min_size=1), st.data())
def test_a_duplicate_key_is_found_whatever_the_texts_are(value: dict[str, str], data: st.DataObject) -> None:
    key = data.draw(st.sampled_from(sorted(value)))
    for ensure_ascii in (True, False):
        text = json.dumps(value, ensure_ascii=ensure_ascii)[:-1] + f", {json.dumps(key, ensure_ascii=ensure_ascii)}: 1}}"
        with pytest.raises(BadRequest, match="more than once"):
            decode(text.encode(), Media.JSON)


@given(st.binary(max_size=200))
@pytest.mark.parametrize("media", list(Media))
def test_garbage_is_a_bad_request_or_an_object(media: Media, data: bytes) -> None:
    try:
        value = decode(data, media)
    except BadRequest:
        return
    assert isinstance(value, dict)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b'{"a":', "broken"),
        (b'{"a":1,}', r"broken.*char 6"),
        (b'{"a":1} {}', "unexpected content after document.*char 8"),
        (b'{"a":"\xff"}', "not valid UTF-8 at byte 6"),
        (b'{"a":"\\ud800"}', "broken"),
        (b'{"a":1,"a":1}', "'a' occurs more than once"),
        (b'{"m2m:cin":{"con":"a:b","con":"c"}}', "'con' occurs more than once"),
        (b'{"a":"\\u003a","b":1,"b":2}', "'b' occurs more than once"),
        (b'{"a":1,"\\u0061":2}', "'a' occurs more than once"),
        (b'{"a":NaN}', "NaN and Infinity are no JSON numbers .character 5"),
        (b'{"a":-Infinity}', "NaN and Infinity"),
        (b'{"a":1e999}', "infinity"),
        (b'{"a":18446744073709551616}', "18446744073709551616' does not fit into 64 bits"),
        (b'{"a":-9223372036854775809}', "does not fit into 64 bits"),
        (b'{"a":' + b"9" * 5000 + b"}", "infinity"),
        (b"[]", "not an object"),
        (b'"a"', "not an object"),
        (b"null", "not an object"),
        (b'{"a":' + b"[" * MAX_DEPTH + b"]" * MAX_DEPTH + b"}", "deeper than 64"),
        (b'{"a":"\\u0061","b":' + b"[" * MAX_DEPTH + b"]" * MAX_DEPTH + b"}", "deeper than 64"),
        (b'{"a":' * 500 + b"1" + b"}" * 500, "deeper than 64"),
        (b'{"a":' + b"[" * 1_000_000, "deeper than 64"),
    ],
)
def test_bad_json_is_refused_with_the_reason(data: bytes, reason: str) -> None:
    with pytest.raises(BadRequest, match=reason):
        decode(data, Media.JSON)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("", "empty"),
        ("a1", "premature end"),
        ("a16161", "premature end"),
        ("a161617b00000000ffffffff", "premature end"),
        ("a161619bffffffffffffffff", "broken"),
        ("a1616101ff", "behind its end at byte 4"),
        ("a1616161ff", "utf-8"),
        ("a26161016161f6", "Duplicate map key: 'a'"),
        ("a10102", "text string"),
        ("a14161f6", "key b'a'.* is not a text"),
        ("a161614101", "byte string"),
        ("a16161f7", "undefined"),
        ("a16161e0", "no plain value"),
        ("a16161fb7ff8000000000000", "nan"),
        ("a16161f97c00", "inf"),
        ("a161613bffffffffffffffff", "does not fit into 64 bits"),
        ("a16161c249ffffffffffffffffff", "tag"),
        ("a16161c24101", "tag"),
        ("a16161d81c80", "tag"),
        ("a16161d9d9f701", "tag"),
        ("a16161da7fffffff01", "tag"),
        ("80", "not an object"),
        ("a16161" + "81" * MAX_DEPTH + "01", "deeper than 64"),
        ("a16161" + "81" * 1_000_000 + "01", "deeper than 64"),
    ],
)
def test_bad_cbor_is_refused_with_the_reason(data: str, reason: str) -> None:
    with pytest.raises(BadRequest, match=reason):
        decode(bytes.fromhex(data), Media.CBOR)


@pytest.mark.parametrize(
    ("data", "media"),
    [
        (b'{"a":' + b"[" * (MAX_DEPTH - 1) + b"]" * (MAX_DEPTH - 1) + b"}", Media.JSON),
        (bytes.fromhex("a16161" + "81" * (MAX_DEPTH - 1) + "01"), Media.CBOR),
    ],
)
def test_the_deepest_nesting_that_is_allowed_is_read(data: bytes, media: Media) -> None:
    assert list(decode(data, media)) == ["a"]


def test_a_shared_reference_cannot_make_a_small_message_large() -> None:
    value: list[Any] = []
    for _ in range(30):
        value = [value, value]
    with pytest.raises(BadRequest, match="tag"):
        decode(cbor2.dumps({"a": value}, value_sharing=True), Media.CBOR)


def test_large_floats_are_numbers_of_their_own() -> None:
    assert decode(b'{"a":1e19,"b":-1E300}', Media.JSON) == {"a": 1e19, "b": -1e300}


def test_short_and_indefinite_cbor_of_other_writers_is_read() -> None:
    assert decode(bytes.fromhex("bf6161f93c00ff"), Media.CBOR) == {"a": 1.0}


@pytest.mark.parametrize("media", list(Media))
def test_enumerations_and_tuples_are_written_as_numbers_and_lists(media: Media) -> None:
    assert decode(encode({"op": Operation.CREATE, "l": ("a",)}, media), media) == {"op": 1, "l": ["a"]}


@pytest.mark.parametrize("media", list(Media))
def test_what_cannot_be_written_is_an_internal_error(media: Media) -> None:
    with pytest.raises(InternalServerError, match="cannot be written as application/"):
        encode({"a": object()}, media)


@pytest.mark.parametrize(
    ("text", "media"),
    [
        ("application/json", Media.JSON),
        ("Application/JSON ; charset=utf-8;ty=4", Media.JSON),
        ("application/cbor", Media.CBOR),
        ("application/vnd.onem2m-res+json; ty=3", Media.JSON),
        ("application/vnd.onem2m-ntfy+cbor", Media.CBOR),
        ("application/vnd.onem2m-prsp+json", Media.JSON),
        ("application/xml", None),
        ("text/plain", None),
        ("", None),
    ],
)
def test_media_types_of_the_standard_are_known(text: str, media: Media | None) -> None:
    assert media_of(text) is media


@pytest.mark.parametrize(
    ("accept", "default", "media"),
    [
        (None, Media.CBOR, Media.CBOR),
        ("", Media.JSON, Media.JSON),
        ("*/*", Media.CBOR, Media.CBOR),
        ("application/*", Media.CBOR, Media.CBOR),
        ("application/cbor", Media.JSON, Media.CBOR),
        ("application/json;q=0.4, application/cbor;q=0.5", Media.JSON, Media.CBOR),
        ("application/vnd.onem2m-res+json, application/cbor", Media.CBOR, Media.CBOR),
        ("application/json;q=0, */*", Media.JSON, Media.CBOR),
        ("*/*;q=1, application/json;q=0.2", Media.JSON, Media.CBOR),
        ("text/html, */*;q=0.1", Media.JSON, Media.JSON),
        ("application/json;q=0", Media.JSON, None),
        ("application/json;q=high", Media.JSON, None),
        ("application/xml", Media.JSON, None),
        (",;,;q", Media.JSON, None),
    ],
)
def test_accept_is_honoured(accept: str | None, default: Media, media: Media | None) -> None:
    assert choose(accept, default) is media
