"""Where notifications go: an HTTP server that acknowledges everything and counts what it saw."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import perf_counter
from typing import cast

from tests.benchmarks.http_load import complete


class Sink:
    """What arrived: ``identifiers`` of the notifications (a repetition has the same), ``total`` with repetitions, time of the ``last``, ``url`` to notify."""

    def __init__(self) -> None:
        self.identifiers: set[bytes] = set()
        self.total = 0
        self.last = 0.0
        self.url = ""

    async def gather(self, wanted: int, patience: float = 5.0) -> None:
        """Wait until ``wanted`` different notifications are there, or none has come for ``patience`` seconds."""
        seen = -1
        while len(self.identifiers) < wanted and seen != self.total:
            seen = self.total
            for _ in range(round(patience / 0.05)):
                if len(self.identifiers) >= wanted:
                    break
                await asyncio.sleep(0.05)


class Connection(asyncio.Protocol):
    """One connection of the server that notifies."""

    transport: asyncio.Transport

    def __init__(self, sink: Sink) -> None:
        self.sink = sink
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (found := complete(self.buffer)) is not None:
            head, size = found
            at = head.find(b"\r\nx-m2m-ri:") + 11
            identifier = self.buffer[at : head.find(b"\r\n", at)].strip()
            if b'"vrq"' not in self.buffer[len(head) : size]:
                self.sink.identifiers.add(identifier)
                self.sink.total += 1
                self.sink.last = perf_counter()
            self.buffer = self.buffer[size:]
            self.transport.write(b"HTTP/1.1 200 OK\r\nX-M2M-RSC: 2000\r\nX-M2M-RVI: 4\r\nX-M2M-RI: %s\r\nContent-Length: 0\r\n\r\n" % identifier)


@asynccontextmanager
async def listening() -> AsyncIterator[Sink]:
    """Give a sink that listens on loopback."""
    sink = Sink()
    server = await asyncio.get_running_loop().create_server(lambda: Connection(sink), "127.0.0.1", 0)
    sink.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/inbox"
    try:
        yield sink
    finally:
        server.close()
