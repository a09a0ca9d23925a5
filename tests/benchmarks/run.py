"""A run from one end to the other: workloads on fresh stores, ceilings sampled before the first and after each."""

import os
import platform
import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

from aiohttp import ClientSession

from tests.benchmarks import ceilings, http_load
from tests.benchmarks.day import DAYS
from tests.benchmarks.plan import INSTANCE, Ceilings, Figure, Plan, Results
from tests.benchmarks.processes import process
from tests.benchmarks.scale import SCALES
from tests.benchmarks.workloads import AE, NAMES, WORKLOADS, Bench, bench, growth, size, w4

Say = Callable[[str], None]

LARGE = {**SCALES, **DAYS}
"""Workloads that take minutes each and run only when they are asked for."""


def machine(folder: Path, plan: Plan) -> dict[str, str]:
    """Give what the figures depend on: processor, cores, versions, the file system the stores are on."""
    cpus = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in cpus if line.startswith("model name")), platform.machine())
    mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text().splitlines()]
    inside = [(point, kind) for point, kind in mounts if folder.resolve().is_relative_to(point)]
    return {
        "processor": model,
        "cores": str(len(os.sched_getaffinity(0))),
        "kernel": platform.release(),
        "file system": max(inside, key=lambda found: len(found[0]))[1] if inside else "unknown",
        "python": platform.python_version(),
        **{name: version(name) for name in ("aiohttp", "uvloop", "orjson", "aiocoap")},
        "sqlite": sqlite3.sqlite_version,
        "load generator": "own client" if plan.wrk is None else "wrk",
    }


async def sample(bare: Bench, file: Path) -> Ceilings:
    """Measure both ceilings, each for at most two seconds."""
    seconds = min(2.0, bare.plan.seconds)
    short = replace(bare, plan=replace(bare.plan, seconds=seconds, warm=min(0.3, bare.plan.warm)))
    post = await short.measure("aiohttp", "POST, the request of W1", [http_load.request("POST", f"{AE}/w1", INSTANCE, 4)], "post")
    get = await short.measure("aiohttp", "GET, the request of W0", [http_load.request("GET", "/cse-in")], "get")
    return Ceilings(post, get, ceilings.sqlite(file, seconds / 2))


class Run:
    """What grows while a run goes on: figures, and the ceilings sampled around them."""

    def __init__(self, plan: Plan, folder: Path, say: Say) -> None:
        self.plan, self.folder, self.say = plan, folder, say
        self.samples: list[Ceilings] = []
        self.figures: list[Figure] = []
        self.growth: dict[str, float] = {}

    async def sample(self, bare: Bench) -> None:
        """Sample the ceilings; SQLite on a new file each time."""
        self.samples.append(await sample(bare, self.folder / f"ceiling-{len(self.samples)}.db"))

    async def take(self, bare: Bench, name: str, workload: Awaitable[list[Figure]]) -> None:
        """Run one workload, and sample the ceilings after it."""
        self.say(name)
        self.figures += [replace(figure, sample=len(self.samples) - 1) for figure in await workload]
        await self.sample(bare)

    async def grow(self, found: Bench) -> list[Figure]:
        """Run the growth workload and keep what it has beside figures."""
        figures, self.growth = await growth(found)
        return figures

    async def all(self, only: frozenset[str]) -> None:
        """Run everything that ``only`` names."""
        async with process(("-m", "tests.benchmarks.ceilings"), frozenset({"http"})) as served, ClientSession() as session:
            bare = Bench(self.plan, served, session)
            self.say("ceilings")
            await self.sample(bare)
            if shared := [key for key in WORKLOADS if key in only]:
                async with bench(self.plan, self.folder / "shared" / "cse.db") as found:
                    for key in shared:
                        await self.take(bare, key, WORKLOADS[key](found))
            if "W4" in only:
                async with bench(self.plan, self.folder / "tree" / "cse.db") as found:
                    await self.take(bare, "W4", w4(found))
            if "growth" in only:
                async with bench(self.plan, self.folder / "empty" / "cse.db"):
                    pass
                async with bench(self.plan, self.folder / "growth" / "cse.db") as found:
                    await self.take(bare, "growth", self.grow(found))
                more = size(self.folder / "growth") - size(self.folder / "empty")
                self.growth["disk"] = more / self.growth["created"]
            for key in LARGE:
                if key in only:
                    await self.take(bare, key, LARGE[key](self.plan, self.folder / key))


async def run(plan: Plan, only: frozenset[str] = frozenset(NAMES), say: Say = lambda _: None, directory: Path | None = None) -> Results:
    """Run the workloads named by ``only``; ``say`` hears what is being done. Stores are made below ``directory`` and removed.

    Raises Failed when a workload cannot be set up, RuntimeError when a server does not start or does not end well, ValueError for an unknown name.
    """
    if unknown := only - {*NAMES, *LARGE}:
        raise ValueError(f"no workload {sorted(unknown)[0]!r}: there are {', '.join((*NAMES, *LARGE))}")
    with TemporaryDirectory(dir=directory, prefix="cse-bench-") as name:
        folder = Path(name)
        work = Run(plan, folder, say)
        await work.all(only)
        return Results(plan, machine(folder, plan), tuple(work.samples), tuple(work.figures), work.growth)
