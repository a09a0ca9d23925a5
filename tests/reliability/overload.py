"""More requests than can be served: an open loop over HTTP, which sends when it is time to and not when there was an answer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import cast

from apps.client import Client
from tests.benchmarks.http_load import complete, drive, quantile, request
from tests.benchmarks.plan import CONNECTIONS as CLOSED
from tests.benchmarks.plan import INSTANCE
from tests.faults.server import Serving, serving
from tests.reliability.faulty import Faults
from tests.reliability.plan import Plan

CONNECTIONS = 1000
SECONDS = 8.0
BATCH, SYNC = 32, 0.1
"""Requests of a commit, and seconds that the disk takes for it."""
_TICK = 0.002


@dataclass
class Outcome:
    """What came of requests: seconds to the answer of those that were done and of those that were refused, and how many could not be sent or were lost.

    hints: seconds of Retry-After that the refusals told.
    """

    done: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    hints: set[int] = field(default_factory=set)
    unsent: int = 0
    lost: int = 0

    def row(self, name: str, seconds: float) -> str:
        """Give it as a row of a table."""
        done, refused = sorted(self.done), sorted(self.refused)
        cells = [f"{len(done) / seconds:,.0f}", *(f"{quantile(done, part) * 1000:,.0f}" for part in (0.5, 0.99))]
        cells += [f"{len(refused) / seconds:,.0f}", *(f"{quantile(refused, part) * 1000:,.0f}" for part in (0.5, 0.99)), f"{self.unsent / seconds:,.0f}"]
        return f"| {name} | {' | '.join(cells)} | {self.lost} |"


HEAD = """| offered | done/s | p50 ms | p99 ms | refused/s | p50 ms | p99 ms | no free connection/s | lost |
|---|---|---|---|---|---|---|---|---|"""


class Wire(asyncio.Protocol):
    """One keep-alive connection with at most one request under way."""

    transport: asyncio.Transport

    def __init__(self, free: list["Wire"], outcome: Outcome) -> None:
        self.free = free
        self.outcome = outcome
        self.buffer = b""
        self.due: float | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.free.append(self)

    def send(self, message: bytes, due: float) -> None:
        """Send a request that was due at a time."""
        self.due = due
        self.transport.write(message)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        found = complete(self.buffer)
        if found is None or self.due is None:
            return
        head, size = found
        status, self.buffer = head[9:12], self.buffer[size:]
        if status == b"503":
            self.outcome.refused.append(perf_counter() - self.due)
            self.outcome.hints.add(int(head.partition(b"\r\nretry-after:")[2].partition(b"\r\n")[0] or -1))
        elif status[:1] == b"2":
            self.outcome.done.append(perf_counter() - self.due)
        else:
            self.outcome.lost += 1
        self.due = None
        self.free.append(self)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.due is not None:
            self.outcome.lost += 1


@asynccontextmanager
async def wires(served: Serving, number: int, outcome: Outcome) -> AsyncIterator[list[Wire]]:
    """Give so many connections, of which those are in the list that are free."""
    free: list[Wire] = []
    loop = asyncio.get_running_loop()
    made = [await loop.create_connection(lambda: Wire(free, outcome), *served.address) for _ in range(number)]
    try:
        yield free
    finally:
        for _, wire in made:
            wire.due = None
            wire.transport.abort()


async def offer(free: list[Wire], outcome: Outcome, message: bytes, rate: float, seconds: float) -> None:
    """Send requests at a rate, whatever the answers; one for which no connection is free is not sent."""
    start, sent = perf_counter(), 0
    while (now := perf_counter() - start) < seconds:
        while sent < rate * now:
            if free:
                free.pop().send(message, start + sent / rate)
            else:
                outcome.unsent += 1
            sent += 1
        await asyncio.sleep(_TICK)
    async with asyncio.timeout(60):
        connections = len(free)
        while connections != (connections := len(free)) or not free:  # noqa: ASYNC110 - the last answers come when they come
            await asyncio.sleep(0.5)


async def prepare(served: Serving, *names: str) -> list[bytes]:
    """Register AEs with a container each; give for each a request that creates an instance there."""
    for name in names:
        async with Client.connect(served.http, f"C{name}") as client:
            await client.register(name, "Nload")
            await client.container(f"cse-in/{name}", "log")
    return [request("POST", f"/cse-in/{name}/log", INSTANCE, 4, f"C{name}") for name in names]


async def beside(free: list[Wire], outcome: Outcome, message: bytes, seconds: float) -> None:
    """Send one request after the other, twenty a second at most."""
    end = perf_counter() + seconds
    while perf_counter() < end:
        if free:
            free.pop().send(message, perf_counter())
        await asyncio.sleep(0.05)


async def table(served: Serving, capacity: float, flood: bytes, victim: bytes, limit: int) -> None:
    """Offer half to eight times of a capacity; then a flood of four times by one originator with another beside it. Print what came of it."""
    print(f"\n{HEAD}", flush=True)
    for times in (0.5, 1, 2, 4, 8):
        outcome = Outcome()
        async with wires(served, limit, outcome) as free:
            await offer(free, outcome, flood, capacity * times, SECONDS)
        print(outcome.row(f"{times:g} x", SECONDS), flush=True)
    for name, times in (("alone", 0.0), ("beside 4 x", 4.0)):
        crowd, one = Outcome(), Outcome()
        async with wires(served, limit, crowd) as free, wires(served, 1, one) as own:
            jobs = [beside(own, one, victim, SECONDS)]
            if times:
                jobs.append(offer(free, crowd, flood, capacity * times, SECONDS))
            await asyncio.gather(*jobs)
        if times:
            print(crowd.row("flooder, 4 x", SECONDS))
        print(one.row(f"another, {name}", SECONDS), flush=True)


async def long(plan: Plan) -> str:
    """Overload a disk that takes 32 requests each 0.1 s, which any machine can, and then the processor, which wants a quiet machine."""
    with TemporaryDirectory() as folder:
        faults = Faults(Path(folder) / "faults")
        program = ("-m", "tests.reliability.faulty", str(Path(folder) / "faults"))
        async with serving(Path(folder) / "slow.db", "--set", f"limits.batch={BATCH}", program=program) as served:
            flood, victim = await prepare(served, "flood", "victim")
            faults.tell(slow=SYNC)
            capacity = (load := await drive(served.address, iter([flood] * 1000), SECONDS)).requests / load.seconds
            capacity *= BATCH / CLOSED
            print(f"a slow disk: {capacity:,.0f} creates/s, {BATCH} a commit")
            await table(served, capacity, flood, victim, CONNECTIONS)
        async with serving(Path(folder) / "cse.db") as served:
            flood, victim = await prepare(served, "flood", "victim")
            capacity = (load := await drive(served.address, iter([flood] * 40_000), SECONDS)).requests / load.seconds
            print(f"\nthe processor: {capacity:,.0f} creates/s by {CLOSED} connections, p50 {load.p50 * 1000:.1f} ms, p99 {load.p99 * 1000:.1f} ms")
            await table(served, capacity, flood, victim, CONNECTIONS)
            return f"\nmemory {served.memory() >> 20} MB; log: {served.log or 'empty'}"
