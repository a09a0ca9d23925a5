"""Growth: the same workloads while there is more and more of everything. Large trees are built by the core in this process, then served."""

import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import replace
from itertools import count, repeat
from pathlib import Path
from time import perf_counter
from typing import Any

from bindings.config import Config
from bindings.serve import configured_types
from cse.codes import Operation
from cse.core import CSE
from cse.primitives import Request
from cse.storage import commit, open_store
from tests.benchmarks.http_load import request
from tests.benchmarks.plan import READING, Figure, Load, Plan
from tests.benchmarks.sink import listening
from tests.benchmarks.workloads import AE, Bench, Failed, bench, creates, fill, serving, size

_COMMIT = 1_000
"""Requests a commit while a tree is built."""

_LABELS = 100
"""Labels of the tree in G1M: each at ten of its thousand containers."""

Made = tuple[str, int, dict[str, Any]]
"""Parent, type and content of a resource that is to be made."""


def build(file: Path, *groups: Iterable[Made]) -> None:
    """Create resources in a store file by the core itself; those of a group have their parents in groups before. Raises Failed."""
    file.parent.mkdir(exist_ok=True)
    config, numbers = Config(), count(1)
    types = configured_types(config)
    with closing(open_store(f"sqlite:///{file}", frozenset(kind.ty for kind in types if kind.instance))) as store:
        core = CSE(store, types, config.settings, time.time, lambda: f"fill-{next(numbers)}")
        core.bootstrap()
        for group in groups:
            for done, (parent, ty, content) in enumerate(group, 1):
                make(core, Request(Operation.CREATE, parent.lstrip("/"), "Cbench", "fill", "4", ty=ty, pc=content))
                if done % _COMMIT == 0:
                    commit(store)
            commit(store)


def make(core: CSE, request: Request) -> None:
    """Carry out a CREATE. Raises Failed."""
    steps = core.handle(request)
    try:
        while True:
            next(steps)
    except StopIteration as end:
        if not end.value.ok:
            raise Failed(f"building the tree: {end.value.pc}") from None


def ae() -> Made:
    """Give the AE that all requests come from."""
    return "cse-in", 2, {"m2m:ae": {"rn": "bench", "api": "Nbench", "rr": False, "srv": ["4"]}}


def container(parent: str, rn: str, **more: Any) -> Made:
    """Give a container."""
    return parent, 3, {"m2m:cnt": {"rn": rn, **more}}


def instances(parents: Iterable[str]) -> Iterable[Made]:
    """Give a reading for each of ``parents``."""
    return ((parent, 4, {"m2m:cin": {"con": READING}}) for parent in parents)


def short(found: Bench, seconds: float = 3.0) -> Bench:
    """Give the same bench with measurements of at most ``seconds``."""
    return replace(found, plan=replace(found.plan, seconds=min(seconds, found.plan.seconds), warm=min(0.5, found.plan.warm)))


def moment(name: str, what: str, seconds: float, cpu: float, **more: float) -> Figure:
    """Give a figure for something that was done once."""
    return Figure(name, what, Load(1, 0, seconds, seconds, seconds), cpu, "get", more=more)


async def g1m(plan: Plan, folder: Path) -> list[Figure]:
    """Measure W1 to W4 and the start-up with more and more contentInstances: half of them in one container, the others over many."""
    file, large = folder / "cse.db", f"{AE}/large"
    spread = [f"{AE}/spread/c{i}" for i in range(plan.containers)]
    branches = [container(AE, name) for name in ("large", "spread", "tree")]
    leaves = [container(f"{AE}/spread", path.rpartition("/")[2]) for path in spread]
    build(file, [ae()], branches, leaves, (container(f"{AE}/tree", f"t{i}", lbl=[f"room:{i % _LABELS}"]) for i in range(10 * _LABELS)))
    figures, there = [], 0
    for total in plan.sizes:
        half = (total - there) // 2
        build(file, instances(repeat(large, half)), instances(spread[i % len(spread)] for i in range(half)))
        there += 2 * half
        begun = perf_counter()
        async with serving(plan, file) as found:
            more = {"size": total, "bytes": found.served.memory(), "disk": size(folder)}
            figures.append(moment("G1M start", f"start-up with {total:,}", perf_counter() - begun, found.served.cpu(), **more))
            measured = await each(short(found), large, spread, total)
            figures += [replace(figure, more={**figure.more, "size": total, "bytes": found.served.memory()}) for figure in measured]
            there += sum(round(figure.more["total"]) for figure in measured if figure.writes)
    return figures


async def each(found: Bench, large: str, spread: list[str], total: int) -> list[Figure]:
    """Measure W1, W1b, W2, W3 and W4 with ``total`` instances."""
    queries = [f"{AE}/tree?fu=1&lbl=room:{i}" for i in range(_LABELS)]
    if (hits := len((await found.call("GET", queries[0]))["m2m:uril"])) != 10:
        raise Failed(f"{queries[0]} gave {hits} hits, not ten")
    before = [await found.instances(large), sum([await found.instances(path) for path in spread])]
    w1 = await found.measure("G1M W1", f"create contentInstance after {total:,}", [creates(large)], "post", writes=True)
    w1b = await found.measure("G1M W1b", f"the same over {len(spread)} containers", [creates(path) for path in spread], "post", writes=True)
    return [
        await found.held(w1, [large], before=before[0]),
        await found.held(w1b, spread, before=before[1]),
        await found.measure("G1M W2", f"retrieve latest of {total:,}", [request("GET", f"{large}/la")], "get"),
        await found.measure("G1M W3", f"retrieve container of {total:,}", [request("GET", large)], "get"),
        await found.measure("G1M W4", f"discover ten beside {total:,}", [request("GET", query) for query in queries], "get"),
    ]


async def filled(found: Bench, name: str, what: str, messages: list[bytes]) -> Figure:
    """Send every message once, and give that as a figure."""
    cpu, begun = found.served.cpu(), perf_counter()
    await fill(found, messages)
    seconds = perf_counter() - begun
    return Figure(name, what, Load(len(messages), 0, seconds, 0, 0), (found.served.cpu() - cpu) / len(messages), "post", writes=True)


async def gae(plan: Plan, folder: Path) -> list[Figure]:
    """Register many AEs, and create instances from each of them in turn."""
    names = range(plan.many)
    async with bench(plan, folder / "cse.db") as found:
        few = found.served.memory()
        bodies = [f'{{"m2m:ae":{{"rn":"ae{i}","api":"Nbench","rr":false,"srv":["4"]}}}}' for i in names]
        messages = [request("POST", "/cse-in", body, 2, f"Cae{i}") for i, body in enumerate(bodies)]
        tenth = max(1, len(messages) // 10)
        figures = [await filled(found, "GAE few", f"register the first {tenth:,} AEs", messages[:tenth])]
        await fill(found, messages[tenth:-tenth])
        figures.append(await filled(found, "GAE many", f"register the last {tenth:,} of {plan.many:,} AEs", messages[-tenth:]))
        await fill(found, [request("POST", f"/cse-in/ae{i}", '{"m2m:cnt":{"rn":"c"}}', 3, f"Cae{i}") for i in names])
        short_ = short(found)
        for name, some in (("GAE W1 few", list(names)[:tenth]), ("GAE W1 many", list(names))):
            what = f"create contentInstance from {len(some):,} AEs in turn"
            figure = await short_.measure(name, what, [creates(f"/cse-in/ae{i}/c", f"Cae{i}") for i in some], "post", writes=True)
            figures.append(replace(figure, more={**figure.more, "bytes": found.served.memory() - few}))
    return figures


async def gsub(plan: Plan, folder: Path) -> list[Figure]:
    """Create instances over many containers that each have a subscription, beside the same over few of them."""
    figures = []
    async with bench(plan, folder / "cse.db") as found, listening() as sink:
        paths = [f"{AE}/c{i}" for i in range(plan.many)]
        await fill(found, [request("POST", AE, f'{{"m2m:cnt":{{"rn":"c{i}"}}}}', 3) for i in range(plan.many)])
        body = f'{{"m2m:sub":{{"rn":"s","nu":["{sink.url}"],"enc":{{"net":[3]}},"nct":1}}}}'
        figures.append(await filled(found, "GSUB subscribe", f"subscribe to {plan.many:,} containers", [request("POST", path, body, 23) for path in paths]))
        brief = short(found)
        for name, some in (("GSUB few", paths[: max(1, plan.many // 100)]), ("GSUB many", paths)):
            seen = len(sink.identifiers)
            figure = await brief.measure(name, f"create and notify over {len(some):,} containers", [creates(path) for path in some], "post", writes=True)
            wanted = seen + round(figure.more["total"])
            await sink.gather(wanted)
            missing = max(0, wanted - len(sink.identifiers))
            if missing and plan.wrk is None:
                figure = replace(figure, load=replace(figure.load, errors=missing, complaint=f"{missing} notifications did not come"))
            figures.append(figure)
    return figures


async def gmni(plan: Plan, folder: Path) -> list[Figure]:
    """Create instances in a container that pushes one out each time, beside one without a limit."""
    async with bench(plan, folder / "cse.db") as found:
        await found.create(AE, 3, "m2m:cnt", rn="free")
        await found.create(AE, 3, "m2m:cnt", rn="full", mni=plan.limit)
        figures = []
        for name, rn, what in (("GMNI free", "free", "no limit"), ("GMNI full", "full", f"mni {plan.limit:,}")):
            await fill(found, list(repeat(creates(f"{AE}/{rn}"), plan.limit)))
            figures.append(await short(found, 10).measure(name, f"create contentInstance, {what}", [creates(f"{AE}/{rn}")], "post", writes=True))
        if (there := await found.instances(f"{AE}/full")) != plan.limit:
            raise Failed(f"the full container has {there} instances, not {plan.limit}")
        return [replace(figure, more={**figure.more, "bytes": found.served.memory()}) for figure in figures]


async def gmem(plan: Plan, folder: Path) -> list[Figure]:
    """Read a large tree from one end to the other, with a cache that has room for a hundredth of it and with one that has room for all."""
    branches = [f"{AE}/b{i}" for i in range(max(1, plan.tree // 1_000))]
    paths = [f"{branches[i % len(branches)]}/c{i}" for i in range(plan.tree)]
    above, below = ([container(*path.rsplit("/", 1)) for path in some] for some in (branches, paths))
    build(folder / "cse.db", [ae()], above, below, instances(paths))
    figures = []
    for room in (max(1, plan.tree // 100), 2 * plan.tree):
        async with serving(plan, folder / "cse.db", f"store.cache={room}") as found:
            empty = found.served.memory()
            messages = [request("GET", way) for path in paths for way in (path, f"{path}/la")]
            figure = await filled(found, f"GMEM {room}", f"retrieve {plan.tree:,} containers and their latest, cache {room:,}", messages)
            figures.append(replace(figure, against="get", writes=False, more={"bytes": found.served.memory() - empty}))
    return figures


Scale = Callable[[Plan, Path], Awaitable[list[Figure]]]

SCALES: Mapping[str, Scale] = {"G1M": g1m, "GAE": gae, "GSUB": gsub, "GMNI": gmni, "GMEM": gmem}
"""Each with servers of its own, below a folder that is not there yet."""
