"""Datagrams are read and written as RFC 7252 section 3 has it, and what is no message is told apart from what is another version."""

import aiocoap  # type: ignore[import-untyped]
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bindings.coap.message import Message, MessageFormatError, Type, decode, encode

OPTIONS = st.lists(st.tuples(st.integers(0, 65535), st.binary(max_size=300)), max_size=6).map(lambda found: tuple(sorted(found, key=lambda each: each[0])))
MESSAGES = st.builds(Message, st.sampled_from(Type), st.integers(1, 255), st.integers(0, 65535), st.binary(max_size=8), OPTIONS, st.binary(max_size=50))


@given(MESSAGES)
def test_a_message_comes_back_as_it_was(message: Message) -> None:
    assert decode(encode(message)) == message


@given(MESSAGES.filter(lambda message: all(number > 600 for number, _ in message.options)))
def test_aiocoap_reads_what_is_written(message: Message) -> None:
    read = aiocoap.Message.decode(encode(message))
    assert (read.mtype, read.code, read.mid, read.token, read.payload) == (message.type, message.code, message.mid, message.token, message.payload)
    assert [(each.number, each.value) for each in read.opt.option_list()] == [tuple(option) for option in message.options]


@given(st.binary(max_size=40))
def test_any_datagram_is_a_message_or_refused(data: bytes) -> None:
    try:
        message = decode(data)
    except MessageFormatError:
        return
    assert message is None or message.mid == int.from_bytes(data[2:4], "big")


@pytest.mark.parametrize("data", [b"", b"\x40\x01\x00", b"\x00\x01\x00\x01", b"\x80\x01\x00\x01", b"\xff" * 20])
def test_other_versions_and_fragments_are_ignored(data: bytes) -> None:
    assert decode(data) is None


@pytest.mark.parametrize(
    "data",
    [
        b"\x49\x01\x00\x07123456789",  # token length 9
        b"\x44\x01\x00\x07123",  # token cut off
        b"\x40\x01\x00\x07\xff",  # payload marker without payload
        b"\x40\x01\x00\x07\xb5abc",  # option cut off
        b"\x40\x01\x00\x07\xd1",  # extended delta cut off
        b"\x40\x01\x00\x07\xe1\x00",  # extended delta cut off in the middle
        b"\x40\x01\x00\x07\xf1a",  # reserved delta
        b"\x40\x01\x00\x07\x1fa",  # reserved length
        b"\x40\x01\x00\x07\xe0\xff\xff\xe0\xff\xff",  # number over 65535
        b"\x40\x00\x00\x07x",  # empty message with something in it
    ],
)
def test_format_errors_tell_what_to_reset(data: bytes) -> None:
    with pytest.raises(MessageFormatError) as caught:
        decode(data)
    assert (caught.value.type, caught.value.mid) == (Type.CON, 7)


def test_options_out_of_order_are_not_written() -> None:
    with pytest.raises(ValueError, match="ascending"):
        encode(Message(Type.CON, 1, 1, b"", ((12, b""), (11, b"")), b""))
