"""Block-wise transfer for the server (RFC 7959): bodies that come in pieces, bodies that go in pieces, both in bounded memory."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

from bindings.coap.message import Answer, Code, uint
from bindings.coap.options import BLOCK2

LARGEST = 6
"""Size exponent of the largest block, 1024 bytes; 7 is reserved for reliable transports (RFC 8323)."""

Key = tuple[object, ...]
"""What the blocks of one body have in common: peer, method, and all options but the block ones (RFC 7959 2.2)."""
T = TypeVar("T")


class Block(NamedTuple):
    """Value of a Block1 or Block2 option (RFC 7959 2.2)."""

    number: int
    more: bool
    exponent: int

    @property
    def size(self) -> int:
        """Bytes of a block."""
        return 16 << self.exponent

    def encode(self) -> bytes:
        """Write the option's value."""
        return uint(self.number << 4 | self.more << 3 | self.exponent)


def block(value: bytes) -> Block | None:
    """Read the value of a block option; None when it has more than three bytes or the reserved size exponent."""
    number = int.from_bytes(value, "big")
    return Block(number >> 4, bool(number & 8), number & 7) if len(value) <= 3 and number & 7 <= LARGEST else None


class Spool(Generic[T]):
    """Bodies that are on their way. The least recently used one goes first when they are too many or too large, and after ``lifetime`` seconds of silence."""

    def __init__(self, clock: Callable[[], float], most: int, octets: int, lifetime: float) -> None:
        self._clock = clock
        self._most = most
        self._octets = octets
        self._lifetime = lifetime
        self._bodies: OrderedDict[Key, tuple[T, int, float]] = OrderedDict()
        self._held = 0

    def __len__(self) -> int:
        return len(self._bodies)

    def put(self, key: Key, body: T, size: int) -> None:
        """Hold a body of ``size`` bytes, in the place of an older one with this key."""
        self.pop(key)
        now = self._clock()
        while self._bodies:
            oldest, (_, _, used) = next(iter(self._bodies.items()))
            if used + self._lifetime > now and len(self._bodies) < self._most and self._held + size <= self._octets:
                break
            self.pop(oldest)
        self._bodies[key] = body, size, now
        self._held += size

    def get(self, key: Key) -> T | None:
        """Give a body that is held, and hold it longer."""
        found = self._bodies.get(key)
        if found is None or found[2] + self._lifetime <= self._clock():
            return None
        self._bodies[key] = found[0], found[1], self._clock()
        self._bodies.move_to_end(key)
        return found[0]

    def pop(self, key: Key) -> None:
        """Drop a body, if it is there."""
        found = self._bodies.pop(key, None)
        if found is not None:
            self._held -= found[1]


class BlockError(Exception):
    """A block cannot be taken: the code says why, the text for whom reads it; ``size`` is the largest body for 4.13 (RFC 7959 2.9)."""

    def __init__(self, code: Code, text: str, size: int | None = None) -> None:
        super().__init__(text)
        self.code = code
        self.size = size


def assemble(spool: Spool[bytearray], key: Key, piece: Block, payload: bytes, announced: int, limit: int) -> bytes | None:
    """Take one block of a request; give the whole body with the last one, None before.

    ``announced`` is the request's Size1 in bytes, 0 for none. Raises BlockError: 4.13 for a body over ``limit`` bytes, 4.08 for a block that does not
    continue what was received, 4.00 for a block that has not the size it claims.
    """
    body = bytearray() if piece.number == 0 else spool.get(key)
    if body is None or piece.number * piece.size != len(body):
        raise BlockError(Code.REQUEST_ENTITY_INCOMPLETE, f"block {piece.number} does not continue what was received")
    if len(payload) > piece.size or (piece.more and len(payload) < piece.size):
        raise BlockError(Code.BAD_REQUEST, f"block {piece.number} has {len(payload)} bytes and claims {piece.size}")
    if max(len(body) + len(payload), announced) > limit:
        spool.pop(key)
        raise BlockError(Code.REQUEST_ENTITY_TOO_LARGE, f"the body is larger than {limit} bytes", limit)
    body += payload
    if piece.more:
        spool.put(key, body, len(body))
        return None
    spool.pop(key)
    return bytes(body)


def cut(answer: Answer, wanted: Block) -> Answer | None:
    """Give one block of an answer, its option among the others; None when the body ends before it."""
    start = wanted.number * wanted.size
    if start >= len(answer.payload) and start > 0:
        return None
    more = start + wanted.size < len(answer.payload)
    options = [*answer.options, (BLOCK2, Block(wanted.number, more, wanted.exponent).encode())]
    return Answer(answer.code, tuple(sorted(options, key=lambda option: option[0])), answer.payload[start : start + wanted.size])
