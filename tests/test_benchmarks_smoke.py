"""A benchmark run of a second or so: every workload works against the real server, whatever its speed."""

import asyncio
from io import StringIO
from pathlib import Path
from xml.etree.ElementTree import fromstring

import orjson
import pytest
from rich.console import Console

from tests.benchmarks.plan import TINY, Results
from tests.benchmarks.plot import write
from tests.benchmarks.report import GOALS, as_json, tables
from tests.benchmarks.run import LARGE, run
from tests.benchmarks.shares import shares
from tests.benchmarks.workloads import NAMES


def measured(only: frozenset[str], directory: Path) -> Results:
    """Run workloads, and see that none of their requests failed."""
    heard: list[str] = []
    results = asyncio.run(run(TINY, only, heard.append, directory))
    assert only <= set(heard)
    for figure in (*results.figures, *(part for ceiling in results.ceilings for part in (ceiling.post, ceiling.get))):
        assert figure.load.requests > 0, figure
        assert figure.load.errors == 0, figure
    assert not list(directory.iterdir())
    screen = Console(file=StringIO(), width=160)
    screen.print(tables(results))
    assert len(orjson.loads(orjson.dumps(as_json(results)))["figures"]) == len(results.figures)
    return results


@pytest.mark.timeout(300)
def test_every_workload_counts_without_an_error(tmp_path: Path) -> None:
    results = measured(frozenset(NAMES), tmp_path)
    assert {figure.name for figure in results.figures} == {"W0", "W1", "W1b", "W2", "W3", "W4", "W5", "W6", "W7", "W1 few", "W1 many"}
    assert results.growth["created"] >= TINY.instances
    assert {goal.text for goal in GOALS if goal.reached(results) is None}.isdisjoint(goal.text for goal in GOALS[:14])


@pytest.mark.timeout(300)
def test_every_large_workload_counts_without_an_error_and_is_drawn(tmp_path: Path) -> None:
    results = measured(frozenset(LARGE), tmp_path)
    assert {figure.name.split()[0] for figure in results.figures} == set(LARGE)
    assert all(goal.reached(results) is not None for goal in GOALS[14:])
    drawn = write(results, tmp_path)
    assert {file.name for file in drawn} == {"growth-rate.svg", "growth-cpu.svg", "growth-memory.svg", "latency.svg"}
    assert {fromstring(file.read_text()).tag for file in drawn} == {"{http://www.w3.org/2000/svg}svg"}


def test_an_unknown_workload_is_named() -> None:
    with pytest.raises(ValueError, match="W99"):
        asyncio.run(run(TINY, frozenset({"W99"})))


def test_a_profile_is_shared_out_by_the_innermost_frame() -> None:
    own = "thread (0x7F): MainThread;run (asyncio/runners.py:118)"
    lines = [
        f"{own};answer (bindings/http/server.py:264);create (cse/operations.py:69) 30",
        f"{own};start (aiohttp/web_protocol.py:684) 40",
        f"{own};_step (bindings/driver.py:300);insert (cse/storage/sqlite_transaction.py:208) 20",
        f"{own} 10",
        "thread (0x7E): commit;_work (bindings/driver.py:407) 900",
    ]
    found = shares("\n".join(lines))
    assert {name: share for name, share in found.items() if share} == {"loop": 0.1, "aiohttp": 0.4, "store": 0.2, "core": 0.3}
