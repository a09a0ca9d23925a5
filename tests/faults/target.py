"""A notification target over raw TCP that answers as it is told to, and remembers what came."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import monotonic
from typing import Any

from tests.faults.server import PATIENCE

Answer = Callable[["Target", asyncio.StreamWriter, str], Awaitable[bool]]
"""Answers the notification with this request identifier and tells whether that was a 2xxx; the connection is kept unless it is closed."""


@dataclass(frozen=True, slots=True)
class Notified:
    """One attempt: identifier, body, and when it came."""

    rqi: str
    body: Any
    moment: float

    @property
    def resource(self) -> Any:
        """The representation of the resource that the notification is about."""
        [found] = self.body["m2m:sgn"]["nev"]["rep"].values()
        return found


async def agree(target: "Target", writer: asyncio.StreamWriter, rqi: str) -> bool:
    """Acknowledge (TS-0009 6.2: X-M2M-RSC 2000)."""
    writer.write(b"HTTP/1.1 200 OK\r\nX-M2M-RSC: 2000\r\nX-M2M-RVI: 4\r\nX-M2M-RI: %s\r\nContent-Length: 0\r\n\r\n" % rqi.encode())
    return True


def say(content: bytes) -> Answer:
    """Answer with these bytes and close."""

    async def answer(target: "Target", writer: asyncio.StreamWriter, rqi: str) -> bool:
        writer.write(content)
        await writer.drain()
        writer.close()
        return False

    return answer


async def reset(target: "Target", writer: asyncio.StreamWriter, rqi: str) -> bool:
    """Reset the connection."""
    writer.transport.abort()
    return False


async def pour(target: "Target", writer: asyncio.StreamWriter, rqi: str) -> bool:
    """Send a body without end."""
    writer.write(b"HTTP/1.1 200 OK\r\nX-M2M-RSC: 2000\r\nContent-Length: 1000000000000\r\n\r\n")
    while not writer.is_closing():
        writer.write(bytes(1 << 16))
        await writer.drain()
    return False


async def drip(target: "Target", writer: asyncio.StreamWriter, rqi: str) -> bool:
    """Begin an answer, and send a byte of it from time to time."""
    writer.write(b"HTTP/1.1 200 OK\r\nX-M2M-RSC: 2000\r\nX-Slow: ")
    while not writer.is_closing():
        writer.write(b"a")
        await writer.drain()
        await asyncio.sleep(0.1)
    return False


class Target:
    """What came (``got``, verifications left out), what of it was acknowledged (``taken``, by identifier, the first time of each), and how it answers."""

    def __init__(self) -> None:
        self.got: list[Notified] = []
        self.taken: dict[str, Notified] = {}
        self.answer: Answer = agree
        self.verify: Answer = agree
        """How it answers verifications, and whether there was one."""
        self.asked = asyncio.Event()
        self.opened = asyncio.Event()
        """Ends the hanging of ``hang``."""
        self.port = 0
        self._came = asyncio.Condition()
        self._server: asyncio.Server | None = None
        self._open: dict[asyncio.StreamWriter, asyncio.Task[None]] = {}

    @property
    def url(self) -> str:
        """Where it is notified."""
        return f"http://127.0.0.1:{self.port}/inbox"

    async def hang(self, writer: asyncio.StreamWriter, rqi: str) -> bool:
        """Acknowledge when ``opened``."""
        await self.opened.wait()
        return await agree(self, writer, rqi)

    async def listen(self) -> None:
        """Take connections, at the same port as before."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def vanish(self) -> None:
        """Refuse connections, and close those there are."""
        assert self._server is not None
        self._server.close()
        for writer in self._open:
            writer.transport.abort()
        self.opened.set()
        await asyncio.gather(*self._open.values())
        await self._server.wait_closed()

    async def until(self, holds: Callable[[], bool], what: str) -> None:
        """Wait until something holds of what came; AssertionError with ``what`` it is when it never does."""
        try:
            async with asyncio.timeout(PATIENCE), self._came:
                await self._came.wait_for(holds)
        except TimeoutError:
            raise AssertionError(f"never: {what}; {len(self.got)} notifications came, {len(self.taken)} different ones were acknowledged") from None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open[writer] = task
        try:
            while not writer.is_closing():
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length, rqi = (re.search(rf"\r\n{name}: *(.+)\r\n", head, re.IGNORECASE) for name in ("content-length", "x-m2m-ri"))
                assert length is not None
                assert rqi is not None
                await self._take(writer, rqi[1], json.loads(await reader.readexactly(int(length[1]))))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            del self._open[writer]
            writer.close()

    async def _take(self, writer: asyncio.StreamWriter, rqi: str, body: Any) -> None:
        if body["m2m:sgn"].get("vrq"):
            self.asked.set()
            await self.verify(self, writer, rqi)
            return
        notified = Notified(rqi, body, monotonic())
        self.got.append(notified)
        await self._tell()
        if await self.answer(self, writer, rqi):
            self.taken.setdefault(rqi, notified)
            await self._tell()

    async def _tell(self) -> None:
        async with self._came:
            self._came.notify_all()


@asynccontextmanager
async def listening() -> AsyncIterator[Target]:
    """Give a target on a free port of loopback."""
    target = Target()
    await target.listen()
    try:
        yield target
    finally:
        await target.vanish()
