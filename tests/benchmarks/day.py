"""A day of meters: 10,000 that send a reading a quarter of an hour over HTTP as fast as it goes, and 1,000 CoAP endpoints that each keep a pace."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from itertools import chain, count, repeat
from math import inf
from pathlib import Path
from random import Random
from time import perf_counter

from tests.benchmarks import coap_load, http_load
from tests.benchmarks.http_load import Tally, request
from tests.benchmarks.plan import Figure, Load, Plan
from tests.benchmarks.processes import Served
from tests.benchmarks.scale import Scale
from tests.benchmarks.workloads import AE, Bench, bench, creates, fill, size

_PERIOD = 900
"""Seconds between two readings of a meter."""


async def meters(found: Bench, number: int) -> list[str]:
    """Make a container for each meter, and give their paths."""
    await fill(found, [request("POST", AE, f'{{"m2m:cnt":{{"rn":"m{i}"}}}}', 3) for i in range(number)])
    return [f"{AE}/m{i}" for i in range(number)]


async def complete(found: Bench, paths: list[str], readings: int, load: Load) -> Load:
    """Hold the containers against what they should have; what lacks counts as errors."""
    lacking = sum([abs(await found.instances(path) - readings) for path in paths])
    return replace(load, errors=lacking, complaint=f"{lacking} readings are missing or too many") if lacking and not load.errors else load


async def d1(plan: Plan, folder: Path) -> list[Figure]:
    """Send the readings of all meters over HTTP, period after period."""
    async with bench(plan, folder / "cse.db") as found:
        paths = await meters(found, plan.meters)
        cpu, memory = found.served.cpu(), found.served.memory()
        messages = [creates(path) for path in paths]
        load = await http_load.drive(found.served.http, chain.from_iterable(repeat(messages, plan.readings)))
        more = {"bytes": found.served.memory() - memory, "peak": found.served.memory()}
        cpu = (found.served.cpu() - cpu) / max(1, load.requests)
        load = await complete(found, paths, plan.readings, load)
    what = f"{plan.readings} readings of {plan.meters:,} meters over HTTP"
    return [Figure("D1", what, load, cpu, "post", writes=True, more={**more, "disk": size(folder)})]


class Endpoint(coap_load.Exchange):
    """A meter with a socket of its own: a reading each ``plan.pace`` seconds, the first after ``start``."""

    def __init__(self, tally: Tally, rest: bytes, random: Random, closed: asyncio.Event, plan: Plan, start: float) -> None:
        super().__init__(tally, rest, random, closed)
        self.pace, self.at = plan.pace, asyncio.get_running_loop().time() + start
        self.numbers = iter(range(plan.readings))

    def send(self) -> None:
        """Send the next reading when its time has come."""
        self.token = b""
        asyncio.get_running_loop().call_at(self.at, super().send)
        self.at += self.pace


async def play(served: Served, paths: list[str], plan: Plan) -> Load:
    """Let all endpoints send their readings, and give what they saw."""
    loop, random, tally = asyncio.get_running_loop(), Random(1), Tally(repeat(b""), inf)
    exchanges: list[Endpoint] = []

    async def one(path: str) -> None:
        closed = asyncio.Event()

        def make() -> Endpoint:
            return Endpoint(tally, coap_load.create_instance(path), random, closed, plan, random.uniform(0, plan.pace))

        exchanges.append((await loop.create_datagram_endpoint(make, remote_addr=served.addresses["coap"]))[1])
        await closed.wait()
        tally.closed()

    async def watch() -> None:
        for _ in count():
            await asyncio.sleep(0.1)
            for exchange in exchanges:
                exchange.tick(perf_counter())

    for _ in paths:
        tally.opened()
    tasks = [asyncio.create_task(watch()), *(asyncio.create_task(one(path)) for path in paths)]
    try:
        return await tally.wait()
    finally:
        for task in tasks:
            task.cancel()
        for exchange in exchanges:
            exchange.transport.abort()
        await asyncio.gather(*tasks, return_exceptions=True)


async def d2(plan: Plan, folder: Path) -> list[Figure]:
    """Let CoAP endpoints send a day of readings, each at its own pace."""
    async with bench(plan, folder / "cse.db") as found:
        paths = await meters(found, plan.endpoints)
        cpu, memory = found.served.cpu(), found.served.memory()
        load = await play(found.served, paths, plan)
        cpu = found.served.cpu() - cpu
        more = {"bytes": found.served.memory() - memory, "load": cpu / load.seconds}
        load = await complete(found, paths, plan.readings, load)
    what = f"{plan.readings} readings of {plan.endpoints:,} CoAP endpoints, one each {plan.pace:g} s for {_PERIOD} s"
    return [Figure("D2", what, load, cpu / max(1, load.requests), "post", writes=True, more=more)]


DAYS: Mapping[str, Scale] = {"D1": d1, "D2": d2}
"""Each with a server of its own, below a folder that is not there yet."""
