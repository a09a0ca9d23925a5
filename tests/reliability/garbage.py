"""What strangers send: values for every parser, random ones and malicious ones, and the one error that each parser may raise for them."""

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import cbor2
from hypothesis import strategies as st

from bindings import query
from bindings.coap import mapping as coap
from bindings.coap import message
from bindings.coap.blockwise import block
from bindings.coap.message import Code, Message, MessageFormatError
from bindings.coap.options import split
from bindings.config import ConfigError
from bindings.config import load as load_config
from bindings.definitions import DefinitionError
from bindings.definitions import load as load_definitions
from bindings.http import mapping as http
from bindings.serialization import Media, choose, decode
from cse import access, criteria, datatypes, geo, jsonpath, parameters, schedule, structures
from cse.address import parse
from cse.errors import BadRequest, CSEError
from cse.primitives import NOBODY, response_from_dict

text = st.text("abTPYMDHS0123456789,.:-+*/#~_%=&() \x00\nü", max_size=40)
wire = text | st.text("a%/=&\udc80\udcff", max_size=9)
"""What HTTP gives: bytes that are no UTF-8 come as surrogates."""
scalar = st.none() | st.booleans() | st.integers() | st.floats() | text
value = st.recursive(scalar, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=3), max_leaves=6)
pairs = st.lists(st.tuples(text, text), max_size=6)


class Parser(NamedTuple):
    """A parser: what it is called with (drawn from ``given``), and what it may raise."""

    parse: Callable[[Any], object]
    given: st.SearchStrategy[Any]
    raises: tuple[type[Exception], ...]


def _query_text(parts: list[tuple[str, str]]) -> object:
    return http.request("GET", "/cse-in", "&".join(f"{key}={value}" for key, value in parts), {}, b"", NOBODY)


def _headers(parts: list[tuple[str, str]]) -> object:
    return http.request("POST", "/cse-in", "", dict(parts), b'{"m2m:cin":{}}', NOBODY)


def _datagram(data: bytes) -> object:
    read = message.decode(data)
    if read is None:
        return None
    found = split(read.options)
    coap.reply(read.code, found)
    return coap.request(read.code, found, read.payload, NOBODY)


def _members(kind: Any) -> Callable[[Any], None]:
    def check(parts: list[tuple[str, Any]]) -> None:
        kind.check(dict(parts))

    return check


def _filter(parts: list[tuple[str, Any]]) -> object:
    given = dict(parts)
    structures.FILTER_CRITERIA.check(criteria.listed(given))
    return criteria.compile_conditions(given)


def _file(load: Callable[[Path], object], name: str) -> Callable[[bytes], object]:
    def read(data: bytes) -> object:
        with TemporaryDirectory() as directory:
            path = Path(directory) / name
            path.write_bytes(data)
            return load(path)

    return read


def _jsonpath(given: tuple[str, Any]) -> object:
    return jsonpath.compile_query(given[0])(given[1])


_CRITERIA = ("crb", "cra", "ms", "us", "sts", "stb", "exb", "exa", "sza", "szb", "lbl", "clbl", "palb", "lbq", "ty", "chty", "pty", "cty", "atr", "catr",
             "patr", "cfs", "cfq", "gmty", "geom", "gsf", "fu", "fo", "lim", "lvl", "ofst", "arp", "ops", "smf")  # fmt: skip
_DATES = st.from_regex(r"[0-9]{8}T[0-9]{6}(,[0-9]{1,6})?", fullmatch=True) | st.from_regex(
    r"P([0-9]{1,12}[YMD]){0,3}(T([0-9]{1,9}[HMS]){1,3})?", fullmatch=True
)
_FIELD = r"(\*|[0-9]{1,4}(-[0-9]{1,4})?|\*/[0-9]{1,4})(,(\*|[0-9]{1,4}))?"
_ADDRESS = st.from_regex(r"(//[a-z.0-9]{0,9}|/|~|_)?(/?[A-Za-z0-9._~-]{0,9}){0,5}(#[a-z]{0,5})?", fullmatch=True)
_NUMBERS = st.recursive(st.integers() | st.floats(), lambda inner: st.lists(inner, max_size=4), max_leaves=12).map(json.dumps)
_PATHS = st.lists(
    st.sampled_from(("$", "..", "*", "[0]", "[?", "@", "a", "]", "match(@,'", "(a|b)*", "')", "==", "1", "[0,0]", ".", "count(", ")", "!")), max_size=10
)
_NAMES = [*http.REQUEST_HEADERS, "Content-Type", "Accept", "Content-Length"]
_WIRE = st.binary(max_size=80) | st.builds(
    lambda kind, code, options, payload: message.encode(Message(kind, code, 7, b"t", tuple(sorted(options, key=lambda option: option[0])), payload)),
    st.integers(0, 3),
    st.sampled_from((Code.GET, Code.POST, Code.PUT, Code.DELETE, Code.CONTENT)),
    st.lists(
        st.tuples(
            st.integers(0, 600) | st.sampled_from((11, 12, 15, 17, 23, 27, 60)), st.binary(max_size=20) | text.map(lambda found: found.encode(errors="replace"))
        ),
        max_size=6,
    ),
    st.binary(max_size=20) | value.map(lambda found: json.dumps(found, default=str).encode("utf-8", "replace")),
)
_DEFINITIONS = st.builds(
    lambda classes: json.dumps({"classes": classes}).encode("utf-8", "replace"),
    st.lists(st.dictionaries(st.sampled_from(("cnd", "short", "name", "attributes", "modules", "note")), value, max_size=5), max_size=3) | value,
)
_ERROR = (CSEError,)
_FORMAT = (ValueError,)
PARSERS: Mapping[str, Parser] = {
    "JSON": Parser(
        lambda data: decode(data, Media.JSON), st.binary(max_size=60) | value.map(lambda found: json.dumps(found).encode("utf-8", "replace")), _ERROR
    ),
    "CBOR": Parser(lambda data: decode(data, Media.CBOR), st.binary(max_size=60) | value.map(lambda found: cbor2.dumps(found, timezone=None)), _ERROR),
    "Accept": Parser(
        lambda found: choose(found, Media.JSON), text | st.from_regex(r"(application/(json|cbor|\*)(;q=[0-9.e]{0,5})?,? ?){0,4}", fullmatch=True), ()
    ),
    "response": Parser(response_from_dict, value, _FORMAT),
    "address": Parser(lambda found: parse(found, "/id-in", "//acme.example.com"), text | _ADDRESS, _ERROR),
    "query": Parser(_query_text, st.lists(st.tuples(st.sampled_from(_CRITERIA) | wire, wire), max_size=6), _ERROR),
    "query of pairs": Parser(
        lambda found: query.read((key, [one]) for key, one in found), st.lists(st.tuples(st.sampled_from(_CRITERIA), text), max_size=6), _ERROR
    ),
    "HTTP headers": Parser(_headers, st.lists(st.tuples(st.sampled_from(_NAMES), wire), max_size=6), _ERROR),
    "HTTP path": Parser(lambda found: http.request("GET", found, "", {}, b"", NOBODY), wire.map("/".__add__) | _ADDRESS.map("/".__add__), _ERROR),
    "CoAP datagram": Parser(_datagram, _WIRE, (MessageFormatError, *_ERROR)),
    "CoAP block": Parser(block, st.binary(max_size=5), ()),
    "CoAP point of access": Parser(coap.point_of_access, text.map("coap://".__add__), _ERROR),
    "filter criteria": Parser(_filter, st.lists(st.tuples(st.sampled_from(_CRITERIA), value | _DATES | _NUMBERS), max_size=5), (ValueError, *_ERROR)),
    "JSONPath": Parser(_jsonpath, st.tuples(_PATHS.map("".join) | text, value), _ERROR),
    "notification criteria": Parser(_members(structures.EVENT_NOTIFICATION_CRITERIA), pairs, _FORMAT),
    "privileges": Parser(
        lambda found: list(access.compile_rules({"acr": [found]}, "/id-in", "//a.b")),
        st.dictionaries(st.sampled_from(("acor", "acop", "acco", "acod", "aca")), value, max_size=5),
        (),
    ),
    "timestamp": Parser(datatypes.seconds_of, text | _DATES, _FORMAT),
    "microseconds": Parser(datatypes.microseconds_of, text | _DATES, _FORMAT),
    "moment": Parser(lambda found: parameters.moment(found, "rqet", 1e9), text | _DATES | st.integers(0, 10**18), _ERROR),
    "duration": Parser(datatypes.duration_seconds, text | _DATES, _FORMAT),
    "schedule": Parser(schedule.parse, text | st.from_regex(rf"{_FIELD}( {_FIELD}){{6}}", fullmatch=True), _FORMAT),
    "GeoJSON": Parser(datatypes.GEO_JSON_COORDINATE.check, text | _NUMBERS | st.just("[" + "9" * 400 + ",1]"), _FORMAT),
    "geometry": Parser(lambda found: criteria.geometry(*found), st.tuples(st.integers(0, 8), text | _NUMBERS | value), (BadRequest,)),
    "position": Parser(geo.position, st.fixed_dictionaries({"typ": st.just(1), "crd": _NUMBERS | value}) | value, ()),
    "class definitions": Parser(_file(lambda path: load_definitions(str(path.parent)), "x.json"), _DEFINITIONS | st.binary(max_size=40), (DefinitionError,)),
    "configuration": Parser(
        _file(load_config, "x.toml"),
        st.binary(max_size=60) | pairs.map(lambda found: "".join(f"{k} = {v}\n" for k, v in found).encode("utf-8", "replace")),
        (ConfigError,),
    ),
    "settings": Parser(
        lambda found: load_config(None, sets=found),
        st.lists(text | st.from_regex(r"(http|limits|storage)\.[a-z_]{1,12}=.{0,9}", fullmatch=True), max_size=3),
        (ConfigError,),
    ),
}
"""Every parser that reads what others write."""

_BIG = 200_000
BOMBS: Mapping[str, tuple[str, Any]] = {
    "a coordinate of more than 64 bits": ("geometry", (1, [-(2**63) - 1, 1])),
    "deep JSON list": ("JSON", b'{"a":' + b"[" * _BIG + b"]" * _BIG + b"}"),
    "deep JSON object": ("JSON", b'{"a":' * _BIG + b"1" + b"}" * _BIG),
    "long JSON number": ("JSON", b'{"a":' + b"9" * _BIG + b"}"),
    "long JSON fraction": ("JSON", b'{"a":0.' + b"9" * _BIG + b"e-9}"),
    "many JSON keys with colons": ("JSON", b'{"\\u0061":{' + b",".join(b'"k%d:":1' % n for n in range(20_000)) + b"}}"),
    "deep CBOR": ("CBOR", b"\xa1\x61a" * _BIG),
    "CBOR list that claims 2^63 items": ("CBOR", b"\xa1\x61a\x9b\x7f" + b"\xff" * 7),
    "CBOR text that claims 2^62 bytes": ("CBOR", b"\xa1\x61a\x7b\x3f" + b"\xff" * 7),
    "CBOR bytes that claim 2^31 bytes": ("CBOR", b"\xa1\x61a\x5a\x7f\xff\xff\xff"),
    "CBOR map that claims 2^32 pairs": ("CBOR", b"\xba\xff\xff\xff\xff"),
    "nested CBOR tags": ("CBOR", b"\xa1\x61a" + b"\xc1" * _BIG + b"\x00"),
    "CBOR shared references": ("CBOR", cbor2.dumps({"a": cbor2.CBORTag(28, [cbor2.CBORTag(29, 0)] * 9)})),
    "CBOR bignum": ("CBOR", b"\xa1\x61a" + cbor2.dumps(1 << 80_000)),
    "endless CBOR text": ("CBOR", b"\xa1\x61a\x7f" + b"\x61a" * _BIG),
    "long address": ("address", "a/" * _BIG),
    "address of hyphens": ("address", "//" + "a-" * _BIG),
    "address that fits for long": ("address", "//" + "a" * 2000 + "!/b"),
    "long path": ("HTTP path", "/" + "%41" * _BIG),
    "many slashes": ("HTTP path", "/" + "a/" * _BIG),
    "many query keys": ("query", [("lbl", "a" * 9)] * 20_000),
    "query of plus": ("query", [("lbl", "+" * _BIG)]),
    "Accept of commas": ("Accept", "," * _BIG),
    "Accept of weights": ("Accept", "application/json;q=0.1," * 20_000),
    "long timestamp": ("timestamp", "20260101T000000," + "9" * _BIG),
    "long duration": ("duration", "P" + "9" * _BIG + "Y"),
    "long schedule": ("schedule", ",".join(["0-59/1"] * 20_000) + " * * * * * *"),
    "schedule that almost fits": ("schedule", "* * * * * * " + "1-2," * 40_000),
    "deep GeoJSON": ("GeoJSON", "[" * 50_000 + "1,2" + "]" * 49_999),
    "GeoJSON of digits": ("GeoJSON", "[" + "9" * 90_000 + ",1]"),
    "deep geometry": ("geometry", (1, "[" * 50_000 + "]" * 50_000)),
    "labels query of blanks": ("filter criteria", [("lbq", "a" + " " * 50_000 + "!")]),
    "labels query of a list": ("filter criteria", [("lbq", "a IN (" + "b," * 50_000)]),
    "wildcards": ("filter criteria", [("lbl", ["*a" * 20_000])]),
    "JSONPath that backtracks": ("JSONPath", ("$[?match(@, '(a|aa)+b')]", ["a" * 5000])),
    "JSONPath that counts repetitions": ("JSONPath", ("$[?search(@, '((a{1,30}){1,30}){1,30}b')]", ["a" * 5000])),
    "JSONPath of descents": ("JSONPath", ("$" + "..*" * 12 + ".x", json.loads("[" * 60 + "]" * 60))),
    "JSONPath of doubles": ("JSONPath", ("$" + "[0,0]" * 60 + ".x", json.loads("[" * 90 + "1,1" + "]" * 90))),
    "JSONPath that counts in a filter": ("JSONPath", ("$[?count($..*) < 1]", [[]] * 20_000)),
    "JSONPath that compares": ("JSONPath", ("$[?$ == $]", list(range(20_000)))),
    "deep JSONPath": ("JSONPath", ("$[?" + "(" * 490 + "@" + ")" * 490 + "]", [1])),
    "JSONPath of nots": ("JSONPath", ("$[?" + "!" * 990 + "@]", [1])),
    "long JSONPath": ("JSONPath", ("$" + ".a" * _BIG, {})),
    "many CoAP options": ("CoAP datagram", b"\x40\x01\x00\x01" + b"\x00" * 60_000),
    "long CoAP query": ("CoAP datagram", b"\x40\x01\x00\x01\xde\x00\x00\xff\xff" + b"a" * 60_000),
    "deep definitions": ("class definitions", b"[" * _BIG),
    "deep configuration": ("configuration", b"a = " + b"[" * 5000),
}
"""A parser, and what is to take its time or memory."""


def feed(name: str, given: Any) -> None:
    """Parse; the documented errors are answers, everything else is a failure."""
    parser = PARSERS[name]
    with suppress(*parser.raises):
        parser.parse(given)
