"""What the tests speak to the server with: one UDP socket and one datagram at a time, and requests made of oneM2M options."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

from bindings.coap.message import Code, Message, Options, Type, decode, encode

SECONDS = 10.0
"""Patience with an answer that must come."""


class Wire(asyncio.DatagramProtocol):
    """A connected UDP socket that keeps what it receives."""

    def __init__(self) -> None:
        self.received: asyncio.Queue[bytes] = asyncio.Queue()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: object) -> None:
        self.received.put_nowait(data)

    def send(self, data: bytes) -> None:
        """Send a datagram."""
        self.transport.sendto(data)

    async def receive(self) -> Message:
        """Give the next message."""
        message = decode(await asyncio.wait_for(self.received.get(), SECONDS))
        assert message is not None
        return message

    async def ask(self, message: Message) -> Message:
        """Send a message and give the next that comes."""
        self.send(encode(message))
        return await self.receive()

    async def silent(self) -> bool:
        """Whether nothing came for all that was sent: a ping that was sent last is answered first."""
        self.send(b"\x40\x00\xff\xfe")
        return await asyncio.wait_for(self.received.get(), SECONDS) == b"\x70\x00\xff\xfe" and self.received.empty()


@asynccontextmanager
async def wire(address: tuple[str, int]) -> AsyncIterator[Wire]:
    """Connect a socket to a server."""
    transport, protocol = await asyncio.get_running_loop().create_datagram_endpoint(Wire, remote_addr=address)
    try:
        yield protocol
    finally:
        transport.close()


OLD = {"fr": 256, "rqi": 257, "rsc": 265, "ty": 267}
NEW = {"fr": 279, "rqi": 283, "rsc": 307, "ty": 267}


def options(path: str, *more: tuple[int, bytes], ty: int | None = None, numbers: dict[str, int] = NEW, fr: str = "CAdmin", rqi: str = "r1") -> Options:
    """Give the options of a oneM2M request, in order."""
    found = [(11, name.encode()) for name in path.split("/")]
    found += [(numbers["fr"], fr.encode()), (numbers["rqi"], rqi.encode()), *more]
    if ty is not None:
        found.append((numbers["ty"], bytes([ty])))
    return tuple(sorted(found, key=lambda option: option[0]))


def get(mid: int, *more: tuple[int, bytes], path: str = "cse-in", type: Type = Type.CON) -> Message:
    """Give a RETRIEVE."""
    return Message(type, Code.GET, mid, b"t%d" % mid, options(path, *more), b"")


def post(mid: int, *more: tuple[int, bytes], payload: bytes = b'{"m2m:cin":{"con":"1"}}', path: str = "cse-in/ae/cnt", type: Type = Type.CON) -> Message:
    """Give a CREATE of a contentInstance."""
    return Message(type, Code.POST, mid, b"t%d" % mid, options(path, (12, b"\x32"), *more, ty=4), payload)


def value(message: Message, number: int) -> bytes | None:
    """Give the value of an option, None when it is not there."""
    return dict(message.options).get(number)


def rsc(message: Message) -> int:
    """Give the response status code of an answer."""
    return int.from_bytes(value(message, 307) or value(message, 265) or b"", "big")
