"""Bodies in blocks: the spool has bounds, blocks that do not fit are refused (RFC 7959)."""

import pytest

from bindings.coap.blockwise import Block, BlockError, Spool, assemble, block, cut
from bindings.coap.message import Answer, Code


def spool(most: int = 10, octets: int = 10_000) -> Spool[bytearray]:
    return Spool(lambda: 0.0, most, octets, 93.0)


@pytest.mark.parametrize("found", [Block(0, False, 0), Block(0, True, 6), Block(5, True, 2), Block(1 << 19, False, 6)])
def test_a_block_option_comes_back_as_it_was(found: Block) -> None:
    assert block(found.encode()) == found


@pytest.mark.parametrize("value", [b"\x07", b"\x0f", b"\x01\x00\x00\x00"])
def test_reserved_sizes_and_long_values_are_no_blocks(value: bytes) -> None:
    assert block(value) is None


def test_a_body_is_put_together() -> None:
    held = spool()
    assert assemble(held, ("k",), Block(0, True, 0), b"a" * 16, 0, 100) is None
    assert assemble(held, ("other",), Block(0, True, 0), b"x" * 16, 0, 100) is None
    assert assemble(held, ("k",), Block(1, True, 0), b"b" * 16, 0, 100) is None
    assert assemble(held, ("k",), Block(2, False, 0), b"c", 0, 100) == b"a" * 16 + b"b" * 16 + b"c"
    assert len(held) == 1


@pytest.mark.parametrize(
    ("piece", "payload", "announced", "code"),
    [
        (Block(2, True, 0), b"x" * 16, 0, Code.REQUEST_ENTITY_INCOMPLETE),
        (Block(1, True, 1), b"x" * 32, 0, Code.REQUEST_ENTITY_INCOMPLETE),
        (Block(1, True, 0), b"x" * 15, 0, Code.BAD_REQUEST),
        (Block(1, False, 0), b"x" * 17, 0, Code.BAD_REQUEST),
        (Block(0, True, 0), b"x" * 16, 41, Code.REQUEST_ENTITY_TOO_LARGE),
    ],
)
def test_blocks_that_do_not_fit(piece: Block, payload: bytes, announced: int, code: Code) -> None:
    held = spool()
    assemble(held, ("k",), Block(0, True, 0), b"a" * 16, 0, 40)
    with pytest.raises(BlockError) as caught:
        assemble(held, ("k",), piece, payload, announced, 40)
    assert caught.value.code == code


def test_a_body_that_grows_over_the_limit_is_dropped() -> None:
    held = spool()
    assemble(held, ("k",), Block(0, True, 0), b"a" * 16, 0, 40)
    assemble(held, ("k",), Block(1, True, 0), b"a" * 16, 0, 40)
    with pytest.raises(BlockError) as caught:
        assemble(held, ("k",), Block(2, True, 0), b"a" * 16, 0, 40)
    assert (caught.value.code, caught.value.size, len(held)) == (Code.REQUEST_ENTITY_TOO_LARGE, 40, 0)


def test_the_least_recently_used_body_goes_first() -> None:
    held = spool(most=2)
    held.put(("a",), bytearray(), 0)
    held.put(("b",), bytearray(), 0)
    assert held.get(("a",)) is not None
    held.put(("c",), bytearray(), 0)
    assert [held.get((name,)) is not None for name in "abc"] == [True, False, True]


def test_bodies_together_have_a_bound() -> None:
    held = spool(octets=100)
    for name in "abcd":
        held.put((name,), bytearray(40), 40)
    assert [held.get((name,)) is not None for name in "abcd"] == [False, False, True, True]


def test_a_body_is_forgotten_when_nobody_asks_for_it() -> None:
    now = [0.0]
    held: Spool[bytearray] = Spool(lambda: now[0], 10, 100, 93.0)
    held.put(("a",), bytearray(), 0)
    now[0] = 90.0
    assert held.get(("a",)) is not None
    now[0] = 180.0
    assert held.get(("a",)) is not None
    now[0] = 274.0
    assert held.get(("a",)) is None
    held.put(("b",), bytearray(), 0)
    assert len(held) == 1


def test_an_answer_is_cut_to_its_end() -> None:
    answer = Answer(Code.CONTENT, ((14, b""), (307, b"\x07\xd0")), b"x" * 40)
    parts = [cut(answer, Block(number, False, 0)) for number in range(4)]
    assert [part and (len(part.payload), dict(part.options)[23]) for part in parts] == [
        (16, Block(0, True, 0).encode()), (16, Block(1, True, 0).encode()), (8, Block(2, False, 0).encode()), None
    ]  # fmt: skip
    assert parts[0] is not None
    assert [number for number, _ in parts[0].options] == [14, 23, 307]
