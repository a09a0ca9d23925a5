"""No parser says anything but yes or its own no, whatever it is given; and none takes long for it."""

import time
import tracemalloc
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bindings.coap import message
from bindings.coap.blockwise import Block, block
from bindings.coap.message import Message
from bindings.http import mapping as http
from bindings.serialization import Media, decode, encode
from cse.address import parse, sp_relative
from cse.codes import Operation
from cse.datatypes import microseconds_of, seconds_of, timestamp
from cse.primitives import NOBODY, Request
from tests.reliability.fuzz import fuzz
from tests.reliability.garbage import BOMBS, PARSERS, feed

QUICK = settings(max_examples=30, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
PATIENCE = 20.0
"""Seconds that are a hang. What is measured takes milliseconds, some of it two seconds."""


@pytest.mark.parametrize("name", PARSERS)
def test_a_parser_raises_nothing_but_its_own_error(name: str) -> None:
    fuzz(name, 30, repeatable=True)


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_does_not_go_off(name: str) -> None:
    began = time.monotonic()
    feed(*BOMBS[name])
    assert time.monotonic() - began < PATIENCE


@pytest.mark.parametrize("name", [name for name, (parser, _) in BOMBS.items() if parser == "CBOR"])
def test_a_message_does_not_take_the_memory_that_it_claims(name: str) -> None:
    tracemalloc.start()
    try:
        feed(*BOMBS[name])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 32 << 20


plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=15,
)


@QUICK
@given(st.dictionaries(st.text(), plain, max_size=4), st.sampled_from(Media))
def test_what_is_encoded_is_decoded(found: dict[str, Any], media: Media) -> None:
    assert decode(encode(found, media), media) == found


options = st.lists(st.tuples(st.integers(0, 65535), st.binary(max_size=300)), max_size=8).map(lambda found: tuple(sorted(found, key=lambda option: option[0])))


@QUICK
@given(st.integers(0, 3), st.integers(1, 255), st.integers(0, 65535), st.binary(max_size=8), options, st.binary(max_size=50))
def test_a_coap_message_comes_back(kind: int, code: int, mid: int, token: bytes, found: tuple[tuple[int, bytes], ...], payload: bytes) -> None:
    sent = Message(kind, code, mid, token, found, payload)
    assert message.decode(message.encode(sent)) == sent


@QUICK
@given(st.integers(0, (1 << 20) - 1), st.booleans(), st.integers(0, 6))
def test_a_block_option_comes_back(number: int, more: bool, exponent: int) -> None:
    assert block(Block(number, more, exponent).encode()) == Block(number, more, exponent)


@QUICK
@given(st.integers(0, 253_402_300_799))
def test_a_timestamp_comes_back(seconds: int) -> None:
    assert seconds_of(timestamp(seconds)) == seconds
    assert microseconds_of(timestamp(seconds)) == seconds * 1_000_000


segment = st.text("abcXYZ019._~-", min_size=1, max_size=8)


@QUICK
@given(st.lists(segment, min_size=1, max_size=4), segment)
def test_every_form_of_an_address_means_the_same(segments: list[str], cse: str) -> None:
    own, sp = f"/{cse}", "//acme.example.com"
    relative = "/".join(segments)
    assert parse(relative, own, sp) == parse(f"{own}/{relative}", own, sp) == parse(f"{sp}{own}/{relative}", own, sp)
    assert sp_relative(sp_relative(relative, own, sp), own, sp) == sp_relative(relative, own, sp)


labels = st.lists(st.text(min_size=1, max_size=9), min_size=1, max_size=3)


@QUICK
@given(labels, st.none() | st.integers(0, 99), st.sampled_from(("cse-in/a", "/id-in/-/a", "//x.example/id-in/a")), st.text(min_size=1, max_size=9))
def test_a_request_crosses_http(found: list[str], limit: int | None, to: str, content: str) -> None:
    criteria = {"lbl": found} | ({} if limit is None else {"lim": limit})
    sent = Request(Operation.RETRIEVE, to, "Ca", "r1", "4", rcn=4, fc=criteria)
    out = http.outgoing(sent, "http://h")
    path, _, query = out.url.removeprefix("http://h").partition("?")
    assert http.request(out.method, path, query, out.headers, out.body, NOBODY) == sent
    made = Request(Operation.CREATE, to, "Ca", "r1", "4", ty=4, pc={"m2m:cin": {"con": content}})
    out = http.outgoing(made, "http://h")
    assert http.request(out.method, out.url.removeprefix("http://h"), "", out.headers, out.body, NOBODY) == made
