"""``cse demo --metering --day 2027-10-31``: one local day of a meter with half-hours, collected over the API while the clock of its world is put forward."""

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from rich.console import Console

from apps.client import Client
from apps.demo.process import StartFailed
from apps.metering.clock import SimulatedClock
from apps.metering.intervals import HALF_HOUR, Point, Quality, Series, day_bounds, local_day
from apps.metering.main import interruptible
from apps.metering.tree import Identity
from apps.metering.vocabulary import ae_id, stamp
from apps.metering.world import Plan, World, standing
from cse.datatypes import seconds_of
from cse.errors import CSEError, NotFound

SECONDS = HALF_HOUR.total_seconds()

AFTER = 5.0
"""Seconds after the end of a half-hour at which it is collected."""

PATIENCE, GLANCE = 30.0, 0.05
"""Real seconds for what has to happen, and between two looks."""

Told = Callable[[str], object]


def plan(directory: Path, begin: float, http: str = "127.0.0.1:0", coap: str = "127.0.0.1:0", store: str = "") -> Plan:
    """Give a world that begins at a moment, of one electricity meter that measures and reports every half hour."""
    meter = Identity("M1", period=SECONDS, interval=SECONDS)
    return Plan(directory, (meter,), frozenset(), clock=SimulatedClock(begin), store=store, http=http, coap=coap)


async def pass_to(world: World, moment: float) -> None:
    """Let time pass until a moment, by the control of the simulation as anybody does it, and until it has passed."""
    await world.client(ae_id("sm-test")).put(f"{world.plan.base}/sm-test/control", {"do": "passTime", "target": "clock", "params": {"to": stamp(moment)}})
    async with asyncio.timeout(PATIENCE):
        await world.plan.clock.wait(moment - world.plan.clock.now())


async def collect(world: World, day: date, zone: ZoneInfo, told: Told = len) -> Series:
    """Have the half-hours of a local day collected as the network operator, each soon after its end; give what the CSE has of that day. Raises TimeoutError."""
    dno, base = world.client(ae_id("dno")), world.plan.base
    meter = world.plan.meters[0].name
    ends = [(start + HALF_HOUR).timestamp() for start in local_day(day, zone)]
    name = f"day-{day:%Y%m%d}"
    policy: dict[str, Any] = {"policyId": name, "strategy": "roundRobin", "meters": [meter], "what": ["registers", "profile"]}
    policy |= {"start": stamp(ends[0] + AFTER), "period": SECONDS, "cycles": len(ends), "within": SECONDS / 2}
    await dno.put(f"{base}/sm-collect/policies", policy)
    for number, end in enumerate(ends, 1):
        await pass_to(world, end + AFTER)
        run = await _run(dno, f"{base}/sm-collect/runs", name, number)
        told(f"{run['start']}: cycle {number} of {len(ends)} is {run['state']}")
    return await stored(dno, f"{base}/mtr-{meter}/readings/profile", *(bound.timestamp() for bound in day_bounds(day, zone)), count=len(ends))


async def _run(dno: Client, runs: str, policy: str, cycle: int) -> Mapping[str, Any]:
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                found: Mapping[str, Any] = (await dno.latest(runs)).content
            except NotFound:
                found = {}
            if (found.get("policyId"), found.get("cycle")) == (policy, cycle):
                return found
            await asyncio.sleep(GLANCE)


async def stored(client: Client, series: str, begin: float, end: float, *, count: int) -> Series:
    """Give the half-hours between two times that the CSE has, as soon as there are so many. Raises TimeoutError."""
    async with asyncio.timeout(PATIENCE):
        while True:
            found = (await client.retrieve(series, rcn=8, fc={"ty": [30]})).get("m2m:tsi", [])
            points = [_point(one) for one in found if begin < seconds_of(one["dgt"]) <= end]
            if len(points) >= count:
                return Series(HALF_HOUR, "kWh").add(points)[0]
            await asyncio.sleep(GLANCE)


def _point(instance: Mapping[str, Any]) -> Point:
    """Give a point of the profile, whose time is the end of its interval."""
    content = json.loads(instance["con"])
    start = datetime.fromtimestamp(seconds_of(instance["dgt"]), UTC) - HALF_HOUR
    return Point(start, Decimal(str(content["value"])), Quality(content["quality"]))


def run(http: str, coap: str, store: str | None, day: str, zone: str, console: Console) -> int:
    """Play a day of a time zone and give the exit code: 0 when every half-hour was collected, 1 when not, 2 for a day that cannot be played."""
    try:
        local, place = date.fromisoformat(day), ZoneInfo(zone)
        begin = day_bounds(local, place)[0].timestamp()
    except (ValueError, OverflowError, ZoneInfoNotFoundError) as wrong:
        console.print(f"{day} in {zone} is no day: {wrong}", style="red", markup=False, highlight=False, soft_wrap=True)
        return 2
    if begin % SECONDS:
        console.print(f"{day} in {zone} begins between two half-hours of a meter", style="red", markup=False, highlight=False, soft_wrap=True)
        return 2
    if begin <= time.time():
        # the clock of the CSE is the one on the wall: it would miss every point of a day that has begun
        console.print(f"{day} in {zone} has begun already: a day to come can be played", style="red", markup=False, highlight=False, soft_wrap=True)
        return 2
    with TemporaryDirectory(prefix="onem2m-day-") as directory:
        try:
            return asyncio.run(interruptible(_play(plan(Path(directory), begin, http, coap, store or ""), local, place, console)))
        except (StartFailed, CSEError, TimeoutError) as failed:
            console.print(f"the day was not played: {failed or 'it took too long'}", style="red", markup=False, highlight=False, soft_wrap=True)
            return 1


async def _play(plan: Plan, day: date, zone: ZoneInfo, console: Console) -> int:
    async with standing(plan) as world:
        began = time.monotonic()
        total = (await collect(world, day, zone, lambda said: console.print(said, highlight=False, soft_wrap=True))).day(day, zone)
        expected = total.count + total.missing
        said = f"{day} in {zone}: {total.count} of {expected} half-hours, {total.value} kWh, {total.quality}, in {time.monotonic() - began:.0f} s"
        console.print(said, highlight=False, soft_wrap=True)
        return 0 if total.complete else 1
