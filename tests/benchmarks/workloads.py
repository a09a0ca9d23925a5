"""The workloads: each sets its resources up over the API, checks that one request does what it should, then puts the server under load."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from itertools import repeat
from pathlib import Path
from time import perf_counter
from typing import Any

import orjson
from aiohttp import ClientError, ClientSession

from tests.benchmarks import coap_load, http_load
from tests.benchmarks.http_load import request
from tests.benchmarks.plan import CONNECTIONS, INSTANCE, READING, Figure, Load, Plan
from tests.benchmarks.processes import Served, cse, process
from tests.benchmarks.sink import listening

AE = "/cse-in/bench"


class Failed(Exception):
    """The server did not do what a workload needs; the message has what it said."""


@dataclass(frozen=True, slots=True)
class Bench:
    """A server under load and the means to set it up: one HTTP session."""

    plan: Plan
    served: Served
    session: ClientSession

    async def call(self, method: str, path: str, content: Mapping[str, Any] | None = None, ty: int | None = None, fr: str = "Cbench") -> Any:
        """Make one request and give the content of its answer. Raises Failed when that is no success."""
        headers = {"X-M2M-Origin": fr, "X-M2M-RI": "setup", "X-M2M-RVI": "4", "Accept": "application/json"}
        if content is not None:
            headers["Content-Type"] = "application/json" + ("" if ty is None else f";ty={ty}")
        host, port = self.served.http
        data = None if content is None else orjson.dumps(content)
        try:
            async with self.session.request(method, f"http://{host}:{port}{path}", data=data, headers=headers) as answer:
                body = await answer.read()
        except ClientError as error:
            raise Failed(f"{method} {path}: {error}") from error
        if answer.status // 100 != 2:
            raise Failed(f"{method} {path}: {answer.status} {body.decode(errors='replace')[:500]}")
        return orjson.loads(body) if body else None

    async def create(self, parent: str, ty: int, root: str, **attributes: Any) -> None:
        """Create a resource."""
        await self.call("POST", parent, {root: attributes}, ty)

    async def container(self, name: str) -> str:
        """Create a container below the AE and give its path."""
        await self.create(AE, 3, "m2m:cnt", rn=name)
        return f"{AE}/{name}"

    async def instances(self, container: str) -> int:
        """Give the number of instances that a container says it has."""
        return int((await self.call("GET", container))["m2m:cnt"]["cni"])

    async def load(self, messages: Sequence[bytes], seconds: float | None = None) -> Load:
        """Send ``messages`` over and over for ``seconds``, or for as long as the plan says."""
        return await http_load.measure(self.plan, self.served.http, messages, self.plan.seconds if seconds is None else seconds)

    async def measure(self, name: str, what: str, messages: Sequence[bytes], against: str, *, writes: bool = False, units: int = 1) -> Figure:
        """Warm up, then measure; ``more`` has the number of requests of both as ``total``."""
        warm = (await self.load(messages, self.plan.warm)).requests if self.plan.warm else 0
        cpu = self.served.cpu()
        load = await self.load(messages)
        cpu = (self.served.cpu() - cpu) / max(1, load.requests)
        return Figure(name, what, load, cpu, against, writes, units, {"total": warm + load.requests})

    async def held(self, figure: Figure, containers: Sequence[str], factor: int = 1, before: int = 0) -> Figure:
        """Hold what was acknowledged against what the containers say they have; a difference counts as errors.

        ``factor`` instances come from a request; ``before`` were there. wrk leaves up to 16 requests unanswered at the end of each of its runs.
        """
        wanted = before + factor * round(figure.more.get("total", figure.load.requests))
        found = sum([await self.instances(path) for path in containers])
        slack = 0 if self.plan.wrk is None or figure.against == "coap" else 2 * CONNECTIONS * factor
        if wanted <= found <= wanted + slack or figure.load.errors:
            return figure
        load = replace(figure.load, errors=abs(found - wanted), complaint=f"{wanted} instances were acknowledged, the containers say {found}")
        return replace(figure, load=load)


@asynccontextmanager
async def serving(plan: Plan, store: Path, *settings: str) -> AsyncIterator[Bench]:
    """Start the server on ``store``, with ``settings`` in place of defaults (``store.cache=100``)."""
    store.parent.mkdir(exist_ok=True)
    async with process(cse(store, *settings), frozenset({"http", "coap"})) as served, ClientSession() as session:
        yield Bench(plan, served, session)


@asynccontextmanager
async def bench(plan: Plan, store: Path) -> AsyncIterator[Bench]:
    """Start the server on a new ``store``, with the AE registered that all requests come from."""
    async with serving(plan, store) as found:
        await found.create("/cse-in", 2, "m2m:ae", rn="bench", api="Nbench", rr=False, srv=["4"])
        yield found


def size(folder: Path) -> int:
    """Give the bytes of all files of a store."""
    return sum(file.stat().st_size for file in folder.iterdir())


def creates(container: str, fr: str = "Cbench") -> bytes:
    """Give the CREATE of one instance."""
    return request("POST", container, INSTANCE, 4, fr)


async def w0(bench: Bench) -> list[Figure]:
    """Retrieve the CSEBase."""
    return [await bench.measure("W0", "retrieve CSEBase", [request("GET", "/cse-in")], "get")]


async def w1(bench: Bench) -> list[Figure]:
    """Create instances in one container."""
    path = await bench.container("w1")
    return [await bench.held(await bench.measure("W1", "create contentInstance", [creates(path)], "post", writes=True), [path])]


async def w1b(bench: Bench) -> list[Figure]:
    """Create instances in many containers, in turn."""
    paths = [await bench.container(f"w1b-{i}") for i in range(bench.plan.containers)]
    figure = await bench.measure("W1b", f"create contentInstance over {len(paths)} containers", [creates(path) for path in paths], "post", writes=True)
    return [await bench.held(figure, paths)]


async def w2(bench: Bench) -> list[Figure]:
    """Retrieve the latest instance."""
    path = await bench.container("w2")
    for i in range(3):
        await bench.create(path, 4, "m2m:cin", con=f"{i}")
    if (got := (await bench.call("GET", f"{path}/la"))["m2m:cin"]["con"]) != "2":
        raise Failed(f"the latest instance has con {got!r}, not '2'")
    return [await bench.measure("W2", "retrieve latest", [request("GET", f"{path}/la")], "get")]


async def w3(bench: Bench) -> list[Figure]:
    """Retrieve a container."""
    path = await bench.container("w3")
    return [await bench.measure("W3", "retrieve container", [request("GET", path)], "get")]


async def w4(bench: Bench) -> list[Figure]:
    """Discover ten containers by their label while the tree grows: ten branches a block, a label at the same place in each."""
    root = await bench.container("tree")
    width = bench.plan.width
    figures = []
    built = 0
    for size in bench.plan.trees:
        blocks = range(built, size // (10 * width))
        built = blocks.stop
        branches = [(b, a, f"{root}/b{b}-{a}") for b in blocks for a in range(10)]
        await fill(bench, [request("POST", root, f'{{"m2m:cnt":{{"rn":"b{b}-{a}"}}}}', 3) for b, a, _ in branches])
        await fill(bench, [request("POST", path, f'{{"m2m:cnt":{{"rn":"c{i}","lbl":["room:{b}-{i}"]}}}}', 3) for b, _, path in branches for i in range(width)])
        labels = [f"room:{block}-{i}" for i in range(width) for block in range(0, built, max(1, built // 10))]
        queries = [f"{root}?fu=1&lbl={label}" for label in labels]
        for query in (queries[0], queries[-1]):
            if (hits := len((await bench.call("GET", query))["m2m:uril"])) != 10:
                raise Failed(f"{query} gave {hits} hits, not ten")
        figures.append(await bench.measure("W4", f"discover ten of {size:,} by label", [request("GET", query) for query in queries], "get"))
        figures[-1] = replace(figures[-1], more={"size": size})
    return figures


async def fill(bench: Bench, messages: Sequence[bytes]) -> None:
    """Send every message once, with the client of this package. Raises Failed at an error."""
    load = await http_load.drive(bench.served.http, iter(messages))
    if load.errors or load.requests != len(messages):
        raise Failed(f"setting up: {load.requests} of {len(messages)} answered, {load.errors} errors: {load.complaint}")


async def w5(bench: Bench) -> list[Figure]:
    """Create an instance in every member of a group with one request."""
    size = bench.plan.members
    paths = [await bench.container(f"w5-{i}") for i in range(size)]
    await bench.create(AE, 9, "m2m:grp", rn="w5", mt=3, mnm=size, mid=[path.lstrip("/") for path in paths])
    answer = await bench.call("POST", f"{AE}/w5/fopt", {"m2m:cin": {"con": READING}}, 4)
    codes = [member["rsc"] for member in members(answer)]
    if codes != [2001] * size:
        raise Failed(f"the fan-out to {size} members answered {codes}")
    figure = await bench.measure("W5", f"fan-out create to {size}, members", [creates(f"{AE}/w5/fopt")], "post", writes=True, units=size)
    return [await bench.held(figure, paths, size, before=size)]


def members(answer: Any) -> list[Any]:
    """Give the responses in an aggregated response (TS-0004 6.5: m2m:agr)."""
    found = answer["m2m:agr"]
    return list(found["m2m:rsp"] if isinstance(found, dict) else found)


async def w6(bench: Bench) -> list[Figure]:
    """Create instances in a container with one subscription, and wait until every notification has come."""
    path = await bench.container("w6")
    async with listening() as sink:
        await bench.create(path, 23, "m2m:sub", rn="s", nu=[sink.url], enc={"net": [3]}, nct=1)
        cpu = bench.served.cpu()
        begun = perf_counter()
        load = await bench.load([creates(path)])
        wanted = await bench.instances(path)
        await sink.gather(wanted)
        cpu = (bench.served.cpu() - cpu) / max(1, load.requests)
        got = len(sink.identifiers)
        if got != wanted and not load.errors:
            load = replace(load, errors=abs(wanted - got), complaint=f"{wanted} instances, but {got} notifications")
        more = {"notifications": got, "notified": got / (sink.last - begun) if got else 0.0, "repeated": sink.total - got}
        figure = Figure("W6", "create and notify", load, cpu, "post", writes=True, more=more)
        figure = await bench.held(figure, [path])
        await bench.call("DELETE", f"{path}/s")
    return [figure]


async def w7(bench: Bench) -> list[Figure]:
    """Create instances over CoAP."""
    path = await bench.container("w7")
    address = bench.served.addresses["coap"]
    warm = (await coap_load.drive(address, path, bench.plan.warm)).requests if bench.plan.warm else 0
    cpu = bench.served.cpu()
    load = await coap_load.drive(address, path, bench.plan.seconds)
    cpu = (bench.served.cpu() - cpu) / max(1, load.requests)
    figure = Figure("W7", f"CoAP create, {CONNECTIONS} outstanding", load, cpu, "post", writes=True, more={"total": warm + load.requests})
    return [await bench.held(figure, [path])]


async def again(bench: Bench, name: str, path: str, before: int) -> Figure:
    """Measure W1 for at most two seconds in a container that has ``before`` instances."""
    short = replace(bench, plan=replace(bench.plan, seconds=min(2.0, bench.plan.seconds)))
    figure = await short.measure(name, f"create contentInstance after {before:,}", [creates(path)], "post", writes=True)
    return await bench.held(figure, [path], before=before)


async def growth(bench: Bench) -> tuple[list[Figure], dict[str, float]]:
    """Measure W1 in a container with a thousand instances and again with many; give the memory that they took, and how many there are in all."""
    small, large = await bench.container("small"), await bench.container("large")
    many = bench.plan.instances
    few = min(1_000, many // 10)
    await fill(bench, list(repeat(creates(small), few)))
    figures = [await again(bench, "W1 few", small, few)]
    memory = bench.served.memory()
    await fill(bench, list(repeat(creates(large), many)))
    memory = bench.served.memory() - memory
    figures.append(await again(bench, "W1 many", large, many))
    created = await bench.instances(small) + await bench.instances(large)
    return figures, {"memory": memory / many, "filled": many, "created": created}


Workload = Callable[[Bench], Awaitable[list[Figure]]]

WORKLOADS: Mapping[str, Workload] = {"W0": w0, "W1": w1, "W1b": w1b, "W2": w2, "W3": w3, "W5": w5, "W6": w6, "W7": w7}
"""Those that share one server; W4 and growth have one of their own."""

NAMES = (*WORKLOADS, "W4", "growth")
