"""Clients over HTTP and CoAP that write at the same time, and a ledger of what was acknowledged to them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from apps.client import Client, Operation, ResourceTypeID
from cse.errors import InternalServerError, RequestTimeout, TargetNotReachable
from tests.faults.server import Serving

LOG, RING = "cse-in/log", "cse-in/ring"
ROOM = 25
"""maxNrOfInstances of ``RING``; ``LOG`` has no limit."""
CLIENTS = 6
WIDE = ("--set", "limits.discovery_limit=1000000")
"""Lets a container be read with all its instances at once."""


@dataclass
class Ledger:
    """What the CSE has acknowledged.

    logged: ri -> stateTag of the instances of ``LOG``; deleted: those that were deleted again; doubtful: those whose DELETE was sent.
    pushed: ri -> stateTag of the instances of ``RING``. labels: address of a container -> number in its label. gone: addresses of deleted containers.
    refused: sentences of 5xxx answers. steps: how many changes were made, by all clients.
    """

    logged: dict[str, int] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)
    doubtful: set[str] = field(default_factory=set)
    pushed: dict[str, int] = field(default_factory=dict)
    labels: dict[str, int] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    refused: list[str] = field(default_factory=list)
    steps: int = 0


class Worker:
    """One client that makes one change after the other, half of them in containers that all clients write to."""

    def __init__(self, client: Client, name: str, ledger: Ledger) -> None:
        self._client = client
        self._name = name
        self._ledger = ledger
        self._number = 0
        self._mine: list[str] = []
        self._own = f"cse-in/own-{name}"

    async def run(self) -> None:
        """Work until the server does not answer any more; what it refuses with 5000 is noted, any other refusal raised."""
        try:
            while True:
                try:
                    await self._step()
                except InternalServerError as error:
                    self._ledger.refused.append(str(error))
                self._ledger.steps += 1
        except (TargetNotReachable, RequestTimeout):
            return

    async def _step(self) -> None:
        """Make one change, and note it when it is acknowledged."""
        client, ledger = self._client, self._ledger
        self._number += 1
        match self._number % 7:
            case 1 | 2 | 3:
                made = await client.put(LOG, f"{self._name} {self._number}", lbl=[self._name])
                ledger.logged[made.ri] = made["st"]
                self._mine.append(made.ri)
            case 4 | 5:
                made = await client.put(RING, "7" * (self._number % 50))
                ledger.pushed[made.ri] = made["st"]
            case 6:
                if self._own not in ledger.labels:
                    await client.ensure("cse-in", ResourceTypeID.CONTAINER, self._own.removeprefix("cse-in/"), {})
                await client.update(self._own, {"lbl": [f"{self._number}"]}, root="m2m:cnt")
                ledger.labels[self._own] = self._number
            case _:
                await self._remove()

    async def _remove(self) -> None:
        """Delete an instance that was acknowledged, and a container with another in it."""
        client, ledger = self._client, self._ledger
        if self._mine:
            ri = self._mine.pop(0)
            ledger.doubtful.add(ri)
            await client.delete(ri)
            ledger.deleted.add(ri)
        there = f"{self._name}-{self._number}"
        await client.container("cse-in", f"{there}/inner")
        await client.delete(f"cse-in/{there}")
        ledger.gone.add(f"cse-in/{there}")


@asynccontextmanager
async def connected(served: Serving, over: str = "http") -> AsyncIterator[Client]:
    """Give a client of a server over ``http`` or ``coap``."""
    async with Client.connect(served.coap if over == "coap" else served.http, "CAdmin") as client:
        yield client


@asynccontextmanager
async def working(served: Serving, ledger: Ledger, run: str) -> AsyncIterator[list["asyncio.Task[None]"]]:
    """Let ``CLIENTS`` work until the block ends, two of three over HTTP and the others over CoAP; ``run`` makes their names differ from those of other runs."""
    async with AsyncExitStack() as parts:
        clients = [await parts.enter_async_context(connected(served, over)) for over in ("http", "http", "coap") * (CLIENTS // 3)]
        tasks = [asyncio.create_task(Worker(client, f"{run}{number}", ledger).run()) for number, client in enumerate(clients)]
        try:
            yield tasks
        finally:
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
        failures = [each for each in ended if isinstance(each, Exception)]
        if failures:
            raise failures[0]


async def prepare(served: Serving, *targets: str) -> None:
    """Make the containers that all write to, and a subscription for the children of ``LOG`` where there are targets."""
    async with connected(served) as client:
        await client.container("cse-in", "log")
        await client.container("cse-in", "ring", mni=ROOM)
        if targets:
            await client.subscribe(LOG, targets, name="sub")


async def rows(client: Client, container: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read a container and all its instances: its attributes, and the instances by ri."""
    response = await client.send(Operation.RETRIEVE, container, rcn=4)
    [found] = response.pc.values()
    return found, {instance["ri"]: instance for instance in found.get("m2m:cin", [])}


async def verify(served: Serving, ledger: Ledger) -> dict[str, Any]:
    """Hold what the CSE has against what it has acknowledged, over its own interface; give the instances of ``LOG`` by ri."""
    async with connected(served) as client:
        log, logged = await rows(client, LOG)
        assert not ledger.logged.keys() - ledger.doubtful - logged.keys(), "acknowledged creates are lost"
        assert not ledger.deleted & logged.keys(), "acknowledged deletes are undone"
        assert all(logged[ri]["st"] == ledger.logged[ri] for ri in ledger.logged.keys() & logged.keys())
        assert log["st"] >= max([len(ledger.logged) + len(ledger.deleted), *ledger.logged.values()])

        ring, pushed = await rows(client, RING)
        assert len(pushed) == min(ROOM, max(len(ledger.pushed), len(pushed)))
        oldest = min((each["st"] for each in pushed.values()), default=0)
        assert all(ri in pushed for ri, st in ledger.pushed.items() if st >= oldest), "an instance was evicted before an older one"
        assert ring["st"] >= len(ledger.pushed)

        for container, instances in ((log, logged), (ring, pushed)):
            assert container["cni"] == len(instances)
            assert container["cbs"] == sum(each["cs"] for each in instances.values())
            tags = [each["st"] for each in instances.values()]
            assert len(set(tags)) == len(tags)
            assert container["st"] >= max(tags, default=0)

        containers = set(await client.discover(types=[ResourceTypeID.CONTAINER]))
        assert not ledger.gone & containers, "acknowledged deletes are undone"
        for address, number in ledger.labels.items():
            [label] = (await client.retrieve(address))["lbl"]
            assert int(label) >= number, "an acknowledged update is lost"
    return logged
