"""A run from one end to the other: ceilings, workloads each on a fresh store, ceilings again."""

import os
import platform
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

from aiohttp import ClientSession

from tests.benchmarks import ceilings, http_load
from tests.benchmarks.plan import INSTANCE, Ceilings, Figure, Plan, Results
from tests.benchmarks.processes import cse, process
from tests.benchmarks.workloads import AE, NAMES, WORKLOADS, Bench, growth, w4

Say = Callable[[str], None]


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
        "load generator": "own client" if plan.wrk is None else plan.wrk,
    }


async def ceiling(plan: Plan, folder: Path, name: str) -> Ceilings:
    """Measure both ceilings."""
    async with process(("-m", "tests.benchmarks.ceilings"), frozenset({"http"})) as served, ClientSession() as session:
        bench = Bench(plan, served, session)
        post = await bench.measure("aiohttp", "POST, the request of W1", [http_load.request("POST", f"{AE}/w1", INSTANCE, 4)], "post")
        get = await bench.measure("aiohttp", "GET, the request of W0", [http_load.request("GET", "/cse-in")], "get")
    return Ceilings(post, get, ceilings.sqlite(folder / f"{name}.db", plan.seconds))


@asynccontextmanager
async def bench(plan: Plan, store: Path) -> AsyncIterator[Bench]:
    """Start the server on ``store`` and give it with the AE registered that all requests come from."""
    store.parent.mkdir(exist_ok=True)
    async with process(cse(store), frozenset({"http", "coap"})) as served, ClientSession() as session:
        found = Bench(plan, served, session)
        await found.create("/cse-in", 2, "m2m:ae", rn="bench", api="Nbench", rr=False, srv=["4"])
        yield found


def size(folder: Path) -> int:
    """Give the bytes of all files of a store."""
    return sum(file.stat().st_size for file in folder.iterdir())


async def run(plan: Plan, only: frozenset[str] = frozenset(NAMES), say: Say = lambda _: None, directory: Path | None = None) -> Results:
    """Run the workloads named by ``only``; ``say`` hears what is being done. Stores are made below ``directory`` and removed.

    Raises Failed when a workload cannot be set up, RuntimeError when a server does not start or does not end well.
    """
    if unknown := only - set(NAMES):
        raise ValueError(f"no workload {sorted(unknown)[0]!r}: there are {', '.join(NAMES)}")
    figures: list[Figure] = []
    grown: dict[str, float] = {}
    with TemporaryDirectory(dir=directory, prefix="cse-bench-") as name:
        folder = Path(name)
        say("ceilings")
        before = await ceiling(plan, folder, "before")
        if shared := [key for key in WORKLOADS if key in only]:
            async with bench(plan, folder / "shared" / "cse.db") as found:
                for key in shared:
                    say(key)
                    figures += await WORKLOADS[key](found)
        if "W4" in only:
            say("W4")
            async with bench(plan, folder / "tree" / "cse.db") as found:
                figures += await w4(found)
        if "growth" in only:
            say("growth")
            store = folder / "growth" / "cse.db"
            async with bench(plan, folder / "empty" / "cse.db"):
                pass
            async with bench(plan, store) as found:
                more, grown = await growth(found)
            figures += more
            grown["disk"] = (size(store.parent) - size(folder / "empty")) / grown["created"]
        say("ceilings again")
        after = await ceiling(plan, folder, "after")
        return Results(plan, machine(folder, plan) | {"system": sys.platform}, (before, after), tuple(figures), grown)
