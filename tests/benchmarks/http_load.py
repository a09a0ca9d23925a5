"""HTTP load: a closed loop over keep-alive connections, by wrk where it is installed, else by the protocol below; the same for ceiling and server."""

import asyncio
import math
from array import array
from collections.abc import Iterator, Sequence
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import cast

import orjson

from tests.benchmarks.plan import CONNECTIONS, QUANTILES, Load, Plan

PATIENCE = 30.0
"""Seconds without any answer after which a load is given up."""

Address = tuple[str, int]


def request(method: str, path: str, body: str = "", ty: int | None = None, fr: str = "Cbench") -> bytes:
    """Give the bytes of an HTTP request with the oneM2M headers; ``ty`` makes a POST a CREATE (TS-0009 6.4)."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"X-M2M-Origin: {fr}", "X-M2M-RI: bench", "X-M2M-RVI: 4", "Accept: application/json"]
    if body:
        kind = "" if ty is None else f";ty={ty}"
        lines += [f"Content-Type: application/json{kind}", f"Content-Length: {len(body.encode())}"]
    return "\r\n".join([*lines, "", body]).encode()


def complete(data: bytes) -> tuple[bytes, int] | None:
    """Give the head of an HTTP message in small letters, its last CRLF included, and the length of head and body; None when more has to come.

    Only Content-Length is understood. Raises ValueError for a chunked body or a length that is none.
    """
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return None
    head = data[: end + 2].lower()
    at = head.find(b"\r\ncontent-length:")
    if at < 0:
        if b"\r\ntransfer-encoding:" in head:
            raise ValueError("an answer without Content-Length")
        return head, end + 4
    size = end + 4 + int(head[at + 17 : head.find(b"\r\n", at + 17)])
    return None if len(data) < size else (head, size)


class Tally:
    """What all connections of one load share: where their messages come from and what came back."""

    def __init__(self, messages: Iterator[bytes], seconds: float) -> None:
        self.messages = messages
        self.latencies = array("d")
        self.errors = 0
        self.complaint = ""
        self.active = 0
        self.idle = asyncio.Event()
        self.start = perf_counter()
        self.deadline = self.start + seconds

    def next(self) -> bytes | None:
        """Give the next message; None when time or messages are over."""
        return next(self.messages, None) if perf_counter() < self.deadline else None

    def complain(self, what: str) -> None:
        """Count an error and keep the words of the first one."""
        self.errors += 1
        self.complaint = self.complaint or what[:500]

    def opened(self) -> None:
        """Count a worker that begins."""
        self.active += 1

    def closed(self) -> None:
        """Count a worker that has nothing left to do."""
        self.active -= 1
        if not self.active:
            self.idle.set()

    async def wait(self) -> Load:
        """Wait until every worker is through, and give what was seen; gives up after ``PATIENCE`` seconds without an answer."""
        seen = -1
        while not self.idle.is_set():
            try:
                async with asyncio.timeout(PATIENCE):
                    await self.idle.wait()
            except TimeoutError:
                if seen == len(self.latencies):
                    self.complain(f"no answer for {PATIENCE:.0f} s")
                    break
                seen = len(self.latencies)
        seconds = perf_counter() - self.start
        found = sorted(self.latencies)
        parts = tuple(quantile(found, part) for part in QUANTILES)
        return Load(max(len(found), self.errors), self.errors, seconds, quantile(found, 0.5), quantile(found, 0.99), self.complaint, parts)


def quantile(ascending: Sequence[float], part: float) -> float:
    """Give the value below which ``part`` of the others lie; 0 when there are none."""
    return ascending[min(len(ascending) - 1, int(len(ascending) * part))] if ascending else 0.0


class Connection(asyncio.Protocol):
    """One keep-alive connection with one request outstanding."""

    transport: asyncio.Transport

    def __init__(self, tally: Tally) -> None:
        self.tally = tally
        self.buffer = b""
        self.sent = 0.0
        self.waiting = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.tally.opened()
        self.send()

    def send(self) -> None:
        """Send the next message, or close when there is none."""
        message = self.tally.next()
        self.waiting = message is not None
        if message is None:
            self.transport.close()
        else:
            self.sent = perf_counter()
            self.transport.write(message)

    def data_received(self, data: bytes) -> None:
        data = self.buffer + data if self.buffer else data
        try:
            found = complete(data)
        except ValueError as error:
            self.tally.complain(str(error))
            self.waiting = False
            self.transport.abort()
            return
        if found is None:
            self.buffer = data
            return
        self.tally.latencies.append(perf_counter() - self.sent)
        if data[9:10] != b"2":
            self.tally.complain(data.decode(errors="replace"))
        self.buffer = data[found[1] :]
        self.send()

    def connection_lost(self, error: Exception | None) -> None:
        if self.waiting:
            self.tally.complain(f"connection lost: {error}")
        self.tally.closed()


async def drive(address: Address, messages: Iterator[bytes], seconds: float = math.inf) -> Load:
    """Send ``messages``, each when a connection is free, until they or ``seconds`` are over; every one sent is waited for."""
    loop = asyncio.get_running_loop()
    tally = Tally(messages, seconds)
    made = await asyncio.gather(*(loop.create_connection(lambda: Connection(tally), *address) for _ in range(CONNECTIONS)))
    try:
        return await tally.wait()
    finally:
        for transport, _ in made:
            transport.abort()


async def measure(plan: Plan, address: Address, messages: Sequence[bytes], seconds: float) -> Load:
    """Send ``messages`` over and over for ``seconds``, with wrk when the plan has it."""
    if plan.wrk is None:
        return await drive(address, cycle(messages), seconds)
    return await wrk(plan.wrk, address, messages, seconds)


SCRIPT = """local messages = { %s }
local at = 0
request = function() at = at %% #messages + 1; return messages[at] end
done = function(summary, latency)
  local e = summary.errors
  io.write(string.format('{"requests":%%d,"us":%%d,"status":%%d,"lost":%%d,"p50":%%d,"p99":%%d}\\n', summary.requests, summary.duration, e.status,
    e.connect + e.read + e.write + e.timeout, latency:percentile(50), latency:percentile(99)))
end
"""


def lua(message: bytes) -> str:
    """Give a Lua string literal of any bytes."""
    return '"' + "".join(chr(byte) if 32 <= byte < 127 and byte not in b'"\\' else f"\\{byte:03}" for byte in message) + '"'


async def wrk(path: str, address: Address, messages: Sequence[bytes], seconds: float) -> Load:
    """Let wrk do it: one thread, whole seconds, at least one. Requests in flight at the end are not in its count; 3xx is no error to it."""
    with TemporaryDirectory() as folder:
        script = Path(folder) / "load.lua"
        script.write_text(SCRIPT % ",\n".join(map(lua, messages)))
        length = max(1, round(seconds))
        arguments = ("-t1", f"-c{CONNECTIONS}", f"-d{length}s", "-s", str(script), f"http://{address[0]}:{address[1]}/")
        process = await asyncio.create_subprocess_exec(path, *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT)
        try:
            async with asyncio.timeout(length + PATIENCE):
                output, _ = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    lines = [line for line in output.splitlines() if line.startswith(b'{"requests"')]
    if not lines:
        return Load(0, 1, length, 0, 0, output.decode(errors="replace")[-500:])
    said = orjson.loads(lines[-1])
    errors = said["status"] + said["lost"]
    complaint = f"wrk: {said['status']} bad answers, {said['lost']} lost" if errors else ""
    return Load(said["requests"] + said["lost"], errors, said["us"] / 1e6, said["p50"] / 1e6, said["p99"] / 1e6, complaint)
