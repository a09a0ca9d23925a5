"""CoAP load: confirmable requests on raw datagrams with an encoder of its own, one outstanding a socket, retransmitted as RFC 7252 4.2 has it."""

import asyncio
from collections.abc import Iterable
from itertools import count, cycle
from random import Random
from time import perf_counter
from typing import cast

from tests.benchmarks.http_load import Address, Tally
from tests.benchmarks.plan import CONNECTIONS, INSTANCE, Load

CON, ACK, RST = 0, 2, 3
URI_PATH, CONTENT_FORMAT, TY, RVI, FR, RQI = 11, 12, 267, 271, 279, 283
JSON = b"\x32"
POST = b"\x44\x02"
"""How a message begins: version 1, confirmable, four bytes of token, method POST."""
ACK_TIMEOUT = 2.0
MAX_RETRANSMIT = 4
MESSAGES = 60_000
"""Messages after which a socket is replaced: message identifiers have 16 bits and may not come again within EXCHANGE_LIFETIME (247 s)."""


def nibble(value: int) -> tuple[int, bytes]:
    """Give an option's delta or length as four bits and the bytes that extend them (RFC 7252 3.1)."""
    if value < 13:
        return value, b""
    return (13, bytes([value - 13])) if value < 269 else (14, (value - 269).to_bytes(2, "big"))


def encode(options: Iterable[tuple[int, bytes]], payload: bytes) -> bytes:
    """Give what follows the token of a message; options in ascending order of their numbers."""
    found = bytearray()
    last = 0
    for number, value in options:
        delta, more = nibble(number - last)
        length, longer = nibble(len(value))
        found += bytes([delta << 4 | length]) + more + longer + value
        last = number
    return bytes(found) + (b"\xff" + payload if payload else b"")


def create_instance(path: str) -> bytes:
    """Give options and payload of a CREATE of a contentInstance in the container at ``path``."""
    names = [(URI_PATH, name.encode()) for name in path.strip("/").split("/")]
    more = [(CONTENT_FORMAT, JSON), (TY, b"\x04"), (RVI, b"4"), (FR, b"Cbench"), (RQI, b"bench")]
    return encode([*names, *more], INSTANCE.encode())


class Exchange(asyncio.DatagramProtocol):
    """One socket with one confirmable request outstanding: its retransmissions, its answer in the acknowledgement or in a message of its own."""

    transport: asyncio.DatagramTransport

    def __init__(self, tally: Tally, rest: bytes, random: Random, closed: asyncio.Event) -> None:
        self.tally, self.rest, self.random, self.closed = tally, rest, random, closed
        self.numbers = iter(range(MESSAGES))
        self.token = self.datagram = b""
        self.begun = self.due = self.timeout = 0.0
        self.tries = 0
        self.acknowledged = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)
        self.send()

    def send(self) -> None:
        """Begin the next exchange, or close the socket when there is none."""
        number = next(self.numbers, None)
        if number is None or self.tally.next() is None:
            self.token = b""
            self.transport.close()
            return
        self.token = self.random.randbytes(4)
        self.datagram = POST + number.to_bytes(2, "big") + self.token + self.rest
        self.tries, self.acknowledged = 0, False
        self.begun = perf_counter()
        self.timeout = ACK_TIMEOUT * self.random.uniform(1, 1.5)
        self.due = self.begun + self.timeout
        self.transport.sendto(self.datagram)

    def tick(self, now: float) -> None:
        """Send the request again when its time has come; give it up after the last time. An acknowledged one waits for its answer as long as all tries take."""
        if not self.token or now < self.due:
            return
        self.tries += 1
        if self.acknowledged or self.tries > MAX_RETRANSMIT:
            self.tally.complain("CoAP: no answer")
            self.send()
            return
        self.timeout *= 2
        self.due = now + self.timeout
        self.transport.sendto(self.datagram)

    def datagram_received(self, data: bytes, addr: tuple[str | None, int]) -> None:
        kind, code = data[0] >> 4 & 3, data[1]
        if kind == CON:
            self.transport.sendto(bytes([0x40 | ACK << 4, 0]) + data[2:4])
        if kind in (ACK, RST) and data[2:4] != self.datagram[2:4]:
            return
        if kind == ACK and code == 0:
            self.acknowledged, self.due = True, perf_counter() + ACK_TIMEOUT * 31
            return
        if kind != RST and data[4 : 4 + (data[0] & 15)] != self.token:
            return
        self.tally.latencies.append(perf_counter() - self.begun)
        if kind == RST or code >> 5 != 2:
            self.tally.complain(f"CoAP {code >> 5}.{code & 31:02}: {data[4:].decode(errors='replace')}")
        self.send()

    def error_received(self, exc: Exception) -> None:
        self.tally.complain(f"CoAP: {exc}")
        self.token = b""
        self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed.set()


async def worker(address: Address, tally: Tally, rest: bytes, random: Random, exchanges: dict[int, Exchange], slot: int) -> None:
    """Keep one request outstanding, on a socket after the other."""
    loop = asyncio.get_running_loop()
    tally.opened()
    try:
        while perf_counter() < tally.deadline and not tally.errors:
            closed = asyncio.Event()
            _, exchanges[slot] = await loop.create_datagram_endpoint(lambda: Exchange(tally, rest, random, closed), remote_addr=address)  # noqa: B023
            await closed.wait()
    finally:
        tally.closed()


async def drive(address: Address, path: str, seconds: float) -> Load:
    """Create instances in the container at ``path`` for ``seconds``, 16 requests outstanding; answers are waited for."""
    tally = Tally(cycle([b""]), seconds)
    random = Random(1)
    exchanges: dict[int, Exchange] = {}
    rest = create_instance(path)
    workers = [asyncio.create_task(worker(address, tally, rest, random, exchanges, slot)) for slot in range(CONNECTIONS)]

    async def watch() -> None:
        for _ in count():
            await asyncio.sleep(0.1)
            for exchange in exchanges.values():
                exchange.tick(perf_counter())

    watcher = asyncio.create_task(watch())
    try:
        return await tally.wait()
    finally:
        for task in (watcher, *workers):
            task.cancel()
        for exchange in exchanges.values():
            exchange.transport.abort()
        await asyncio.gather(watcher, *workers, return_exceptions=True)
