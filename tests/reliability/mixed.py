"""Clients that do what the ones of tests.faults.load do not: fan-out, time series, non-blocking requests, expiry, one request that evicts many."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from apps.client import Client, Operation, ResourceTypeID
from cse.datatypes import timestamp
from cse.errors import InternalServerError, RequestTimeout, TargetNotReachable
from tests.faults.load import connected
from tests.faults.server import PATIENCE, Serving

GROUP, SERIES, LATER, BRIEF = "cse-in/grp", "cse-in/series", "cse-in/later", "cse-in/brief"
MEMBERS = tuple(f"cse-in/member{number}" for number in range(4))
SLOW = ("--set", "limits.request_timeout=120")
"""Lets what was accepted be carried out however long a restart takes on a busy machine."""
LIFE = 1.0
"""Seconds that what is made to expire lives."""
COMPLETED, CREATED = 1, 2001


@dataclass
class Promises:
    """What the CSE has acknowledged.

    fanned: contents that every member of ``GROUP`` has. points: contents of ``SERIES``. accepted: content -> address of the <request> that is to make an
    instance of ``LATER`` of it. done: those that were seen to be completed. evicted: instances that an update of a limit has pushed out. refused: sentences of
    5xxx answers. steps: how many changes were made.
    """

    fanned: set[str] = field(default_factory=set)
    points: set[str] = field(default_factory=set)
    accepted: dict[str, str] = field(default_factory=dict)
    done: set[str] = field(default_factory=set)
    evicted: set[str] = field(default_factory=set)
    refused: list[str] = field(default_factory=list)
    steps: int = 0


async def prepare(served: Serving) -> None:
    """Make what these clients work on."""
    async with connected(served) as client:
        for address in (*MEMBERS, LATER, BRIEF):
            await client.container("cse-in", address.removeprefix("cse-in/"))
        await client.group("cse-in", GROUP.removeprefix("cse-in/"), MEMBERS)
        await client.ensure("cse-in", ResourceTypeID.TIME_SERIES, SERIES.removeprefix("cse-in/"), {})


class Worker:
    """One client, one change after the other."""

    def __init__(self, client: Client, name: str, moment: float, promises: Promises) -> None:
        self._client = client
        self._name = name
        self._moment = moment
        self._promises = promises
        self._number = 0

    async def run(self) -> None:
        """Work until the server does not answer any more; what it refuses with 5000 is noted, any other refusal raised."""
        try:
            while True:
                try:
                    await self._step()
                except InternalServerError as error:
                    self._promises.refused.append(str(error))
                self._promises.steps += 1
        except (TargetNotReachable, RequestTimeout):
            return

    async def _step(self) -> None:
        client, promises = self._client, self._promises
        self._number += 1
        content = f"{self._name} {self._number}"
        instance = {"m2m:cin": {"con": content}}
        match self._number % 6:
            case 1 | 2:
                told = await client.fan_out(GROUP, op=Operation.CREATE, ty=4, pc=instance)
                assert len(told) == len(MEMBERS)
                if all(each.code == CREATED for each in told):
                    promises.fanned.add(content)
            case 3:
                moment = timestamp(self._moment + self._number * 0.01)
                await client.create(SERIES, ResourceTypeID.TIME_SERIES_INSTANCE, {"dgt": moment, "con": content})
                promises.points.add(content)
            case 4:
                answer = await client.send(Operation.CREATE, LATER, ty=4, pc=instance, rt={"rtv": 1})
                promises.accepted[content] = answer.pc["m2m:uri"]
            case 5:
                await client.put(BRIEF, content, et=timestamp(time.time() + LIFE))
            case _:
                await self._evict()

    async def _evict(self) -> None:
        """Let one request push out all but one of the instances of a container."""
        there = await self._client.container("cse-in", f"cut-{self._name}")
        made = [(await self._client.put(there.address, f"{number}")).ri for number in range(4)]
        await self._client.update(there.address, {"mni": 1}, root="m2m:cnt")
        self._promises.evicted |= set(made[:-1])
        await self._client.update(there.address, {"mni": 100}, root="m2m:cnt")


@asynccontextmanager
async def working(served: Serving, promises: Promises, run: int, clients: int = 3) -> AsyncIterator[None]:
    """Let clients work until the block ends, the last over CoAP; ``run`` makes what they write differ from that of other runs."""
    async with AsyncExitStack() as parts:
        made = [await parts.enter_async_context(connected(served, "coap" if number == clients - 1 else "http")) for number in range(clients)]
        moment = 1.7e9 + run * 10_000
        tasks = [asyncio.create_task(Worker(each, f"m{run}-{number}", moment + number * 0.001, promises).run()) for number, each in enumerate(made)]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
        failures = [each for each in ended if isinstance(each, Exception)]
        if failures:
            raise failures[0]


async def read(client: Client, address: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Read a container or time series with its instances, and hold its counters against them."""
    response = await client.send(Operation.RETRIEVE, address, rcn=4)
    [found] = response.pc.values()
    instances: list[dict[str, Any]] = [*found.get("m2m:cin", []), *found.get("m2m:tsi", [])]
    assert found["cni"] == len(instances), address
    assert found["cbs"] == sum(each["cs"] for each in instances), address
    return found, instances


async def verify(served: Serving, promises: Promises) -> None:
    """Hold what the CSE has against what it has acknowledged."""
    async with connected(served) as client:
        for member in MEMBERS:
            _, instances = await read(client, member)
            found = [each["con"] for each in instances]
            assert promises.fanned <= set(found), "an acknowledged fan-out is lost"
            assert len(set(found)) == len(found), "a fan-out was carried out twice"
        _, instances = await read(client, SERIES)
        assert promises.points <= {each["con"] for each in instances}, "an acknowledged point of a time series is lost"
        await completed(client, promises)
        _, instances = await read(client, LATER)
        found = [each["con"] for each in instances]
        assert promises.accepted.keys() <= set(found), "an accepted request was not carried out"
        assert len(set(found)) == len(found), "an accepted request was carried out twice"
        await read(client, BRIEF)
        for address in await client.discover(types=[ResourceTypeID.CONTAINER]):
            if address.startswith("cse-in/cut-"):
                _, instances = await read(client, address)
                assert not promises.evicted & {each["ri"] for each in instances}, "what was pushed out has come back"


async def completed(client: Client, promises: Promises) -> None:
    """Wait until all that was accepted has been carried out."""
    async with asyncio.timeout(PATIENCE):
        for content in promises.accepted.keys() - promises.done:
            while (found := await client.retrieve(promises.accepted[content]))["rs"] != COMPLETED:  # noqa: ASYNC110 - it is in another process
                await asyncio.sleep(0.02)
            assert found["ors"]["rsc"] == CREATED, found
            promises.done.add(content)


async def expired(served: Serving) -> None:
    """Wait until everything that was made to expire is gone."""
    async with connected(served) as client, asyncio.timeout(PATIENCE):
        while (await read(client, BRIEF))[0]["cni"]:  # noqa: ASYNC110 - it is in another process
            await asyncio.sleep(0.1)
