"""``python -m tests.benchmarks.parts``: where the microseconds of a request go: each step by itself, in this process, the least of many repetitions."""

import time
from collections.abc import Callable
from contextlib import closing
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from timeit import repeat

from multidict import CIMultiDict, CIMultiDictProxy
from rich.console import Console
from rich.table import Table

from bindings.config import Config
from bindings.http import mapping
from bindings.http.client import head
from bindings.http.connections import place_of
from bindings.serialization import Media
from bindings.serve import configured_types
from cse.codes import Operation
from cse.core import CSE
from cse.primitives import NOBODY, Request, Response
from cse.storage import Store, commit, open_store
from tests.benchmarks.plan import CONNECTIONS, INSTANCE, READING
from tests.benchmarks.workloads import AE

_ROUNDS, _CALLS = 500, 20
"""Short rounds, since a long one would hold what other processes take on a machine that is not quiet."""
_URL = "http://127.0.0.1:8080/inbox"
_COMMON = {"Host": "127.0.0.1", "X-M2M-Origin": "Cbench", "X-M2M-RI": "bench", "X-M2M-RVI": "4", "Accept": "application/json"}
_GET = CIMultiDictProxy(CIMultiDict(_COMMON))
_POST = CIMultiDictProxy(CIMultiDict({**_COMMON, "Content-Type": "application/json;ty=4", "Content-Length": f"{len(INSTANCE)}"}))
_ANSWERED = CIMultiDictProxy(CIMultiDict({"X-M2M-RSC": "2000", "X-M2M-RVI": "4", "X-M2M-RI": "bench", "Content-Length": "0"}))


def answer(core: CSE, request: Request) -> Response:
    """Carry out a request that asks nobody."""
    steps = core.handle(request)
    try:
        while True:
            next(steps)
    except StopIteration as end:
        response: Response = end.value
        return response


def least(step: Callable[[], object]) -> float:
    """Give the seconds of one call."""
    return min(repeat(step, number=_CALLS, repeat=_ROUNDS)) / _CALLS


def world(core: CSE, store: Store) -> None:
    """Make an AE with a container that has a reading."""
    made = (
        ("cse-in", 2, {"m2m:ae": {"rn": "bench", "api": "Nbench", "rr": False, "srv": ["4"]}}),
        (AE[1:], 3, {"m2m:cnt": {"rn": "c"}}),
        (f"{AE[1:]}/c", 4, {"m2m:cin": {"con": READING}}),
    )
    for to, ty, content in made:
        answer(core, Request(Operation.CREATE, to, "Cbench", "r", "4", ty=ty, pc=content))
        commit(store)


def writing(core: CSE, store: Store, create: Request) -> dict[str, float]:
    """Give the seconds a CREATE of the steps that a commit for 16 of them has; the fsync is in none of them."""
    found: dict[str, list[float]] = {"CREATE in the core": [], "SQL of the commit": [], "publishing": []}
    for _ in range(_ROUNDS):
        moments = [time.perf_counter()]
        for _ in range(CONNECTIONS):
            answer(core, create)
        moments.append(time.perf_counter())
        store.flush()
        moments.append(time.perf_counter())
        store.sync()
        synced = time.perf_counter()
        store.publish()
        spans = (moments[1] - moments[0], moments[2] - moments[1], time.perf_counter() - synced)
        for values, span in zip(found.values(), spans, strict=True):
            values.append(span)
    return {name: min(values) / CONNECTIONS for name, values in found.items()}


def parts(file: Path) -> dict[str, float]:
    """Measure every step, on a store in ``file``; seconds."""
    numbers, types = count(1), configured_types(Config())
    with closing(open_store(f"sqlite:///{file}", frozenset(kind.ty for kind in types if kind.instance))) as store:
        core = CSE(store, types, Config().settings, time.time, lambda: f"p{next(numbers)}")
        core.bootstrap()
        world(core, store)
        base, latest = (mapping.request("GET", path, "", _GET, b"", NOBODY) for path in ("/cse-in", f"{AE}/c/la"))
        create = mapping.request("POST", f"{AE}/c", "", _POST, INSTANCE.encode(), NOBODY)
        response = answer(core, base)
        instance = answer(core, latest).pc
        notify = Request(Operation.NOTIFY, _URL, "/id-in", "n", "4", pc={"m2m:sgn": {"nev": {"net": 3, "rep": instance}, "sur": f"{AE[1:]}/c/s"}})
        message, place = mapping.outgoing(notify, _URL), place_of(_URL)
        return {
            "reading a RETRIEVE from HTTP": least(lambda: mapping.request("GET", "/cse-in", "", _GET, b"", NOBODY)),
            "reading a CREATE from HTTP": least(lambda: mapping.request("POST", f"{AE}/c", "", _POST, INSTANCE.encode(), NOBODY)),
            "RETRIEVE of the CSEBase in the core": least(lambda: answer(core, base)),
            "RETRIEVE of the latest in the core": least(lambda: answer(core, latest)),
            **writing(core, store, create),
            "writing a response for HTTP": least(lambda: mapping.response(response, Media.JSON)),
            "writing a notification for HTTP": least(lambda: mapping.outgoing(notify, _URL)),
            "its head": least(lambda: head(message, place)),
            "reading its answer": least(lambda: mapping.incoming(200, _ANSWERED, b"")),
        }


def main() -> None:
    """Print a table."""
    table = Table("step", "µs")
    with TemporaryDirectory() as folder:
        for name, seconds in parts(Path(folder) / "cse.db").items():
            table.add_row(name, f"{seconds * 1e6:.1f}")
    Console().print(table)


if __name__ == "__main__":
    main()
