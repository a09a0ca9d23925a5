"""Concurrent clients of containers, over HTTP and CoAP, and the histories of what they were told."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from apps.client import Client, Operation
from cse.errors import NotFound
from tests.faults.load import connected
from tests.faults.server import Serving, serving
from tests.reliability.histories import Event, State, order_of
from tests.reliability.plan import Plan

CLIENTS = 8
CONTAINERS = ("plain", "ring", "narrow")
_WEIGHTS = {"put": 8, "read": 3, "latest": 4, "oldest": 2, "list": 1, "limit": 1, "take latest": 1, "take oldest": 1}


class Caller:
    """One client that does one thing after the other in containers that all clients use."""

    def __init__(self, client: Client, name: str, random: Random, histories: Mapping[str, list[Event]]) -> None:
        self._client = client
        self._name = name
        self._random = random
        self._histories = histories

    async def run(self, requests: int) -> None:
        """Do some requests; each is noted with its moments."""
        for number in range(requests):
            container = self._random.choice(CONTAINERS)
            [what] = self._random.choices([*_WEIGHTS], [*_WEIGHTS.values()])
            given: Any = None
            if what == "put":
                content = f"{self._name}-{number}" + "x" * self._random.randrange(20)
                given = content, len(content)
            elif what == "limit":
                what, given = ("limit", self._random.randrange(1, 9)) if container == "narrow" else ("read", None)
            sent = time.monotonic()
            told = await self._do(what, f"cse-in/{container}", given)
            self._histories[container].append(Event(sent, time.monotonic(), what, given, told))

    async def _do(self, what: str, container: str, given: Any) -> Any:
        client = self._client
        try:
            match what:
                case "put":
                    return (await client.put(container, given[0]))["st"]
                case "limit":
                    return _counters((await client.update(container, {"mni": given}, root="m2m:cnt")).attributes)
                case "read":
                    return _counters((await client.retrieve(container)).attributes)
                case "latest" | "oldest":
                    return (await client.retrieve(f"{container}/{'la' if what == 'latest' else 'ol'}")).content
                case "list":
                    [found] = (await client.send(Operation.RETRIEVE, container, rcn=8)).pc.values()
                    return tuple(each["con"] for each in found.get("m2m:cin", ()))
                case _:
                    address = f"{container}/{'la' if what == 'take latest' else 'ol'}"
                    [found] = (await client.send(Operation.DELETE, address, rcn=1)).pc.values()
                    return found["con"]
        except NotFound:
            return None


def _counters(found: Mapping[str, Any]) -> tuple[int, int, int]:
    return found["st"], found["cni"], found["cbs"]


async def histories_of(served: Serving, requests: int, random: Random) -> dict[str, list[Event]]:
    """Let the clients make some requests each in new containers; give the history of each container."""
    histories: dict[str, list[Event]] = {name: [] for name in CONTAINERS}
    async with AsyncExitStack() as parts:
        clients = [await parts.enter_async_context(connected(served, "coap" if number % 4 == 3 else "http")) for number in range(CLIENTS)]
        for name, most in zip(CONTAINERS, (0, 10, 1), strict=True):
            await clients[0].container("cse-in", name, **({"mni": most} if most else {}))
        callers = [Caller(client, f"c{number}", Random(random.random()), histories) for number, client in enumerate(clients)]
        await asyncio.gather(*(caller.run(requests) for caller in callers))
        for name in CONTAINERS:
            await clients[0].delete(f"cse-in/{name}")
    return histories


def overlapping(history: list[Event]) -> int:
    """Count the requests that another one overlaps: without any the clients were not concurrent, and the check says little."""
    ordered = sorted(history, key=lambda event: event.sent)
    return sum(later.sent < earlier.answered for earlier, later in itertools.pairwise(ordered))


def check(histories: Mapping[str, list[Event]]) -> None:
    """Raise AssertionError that names the container whose history is not linearisable."""
    for name, most in zip(CONTAINERS, (0, 10, 1), strict=True):
        assert order_of(histories[name], State(most=most)) is not None, f"{name} is not linearisable: {sorted(histories[name], key=lambda event: event.sent)}"


@asynccontextmanager
async def _on_disk() -> AsyncIterator[Serving]:
    with TemporaryDirectory() as directory:
        async with serving(Path(directory) / "cse.db") as served:
            yield served


async def long(plan: Plan) -> str:
    """Rounds of concurrent clients against one server over SQLite, each history checked."""
    requests = overlaps = rounds = 0
    random = Random()
    async with _on_disk() as served:
        for _ in plan.turns():
            histories = await histories_of(served, 60, random)
            await asyncio.to_thread(check, histories)
            requests += sum(map(len, histories.values()))
            overlaps += sum(map(overlapping, histories.values()))
            rounds += 1
        assert "Traceback" not in served.log
    return f"{rounds} rounds of {CLIENTS} clients, {requests} requests to {len(CONTAINERS) * rounds} containers, {overlaps} overlapped: all linearisable"
