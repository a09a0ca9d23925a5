"""A benchmark run of a second or so: every workload works against the real server, whatever its speed."""

import asyncio
from io import StringIO
from pathlib import Path

import orjson
import pytest
from rich.console import Console

from tests.benchmarks.plan import TINY
from tests.benchmarks.report import GOALS, as_json, tables
from tests.benchmarks.run import run
from tests.benchmarks.workloads import NAMES


def test_every_workload_counts_without_an_error(tmp_path: Path) -> None:
    heard: list[str] = []
    results = asyncio.run(run(TINY, say=heard.append, directory=tmp_path))
    assert set(NAMES) <= set(heard)
    assert {figure.name for figure in results.figures} == {"W0", "W1", "W1b", "W2", "W3", "W4", "W5", "W6", "W7", "W1 few", "W1 many"}
    for figure in (*results.figures, *(part for ceiling in results.ceilings for part in (ceiling.post, ceiling.get))):
        assert figure.load.requests > 0, figure
        assert figure.load.errors == 0, figure
    assert all(goal.reached(results) is not None for goal in GOALS)
    assert results.growth["created"] >= TINY.instances
    assert not list(tmp_path.iterdir())
    screen = Console(file=StringIO(), width=160)
    screen.print(tables(results))
    assert len(orjson.loads(orjson.dumps(as_json(results)))["figures"]) == len(results.figures)


def test_an_unknown_workload_is_named() -> None:
    with pytest.raises(ValueError, match="W99"):
        asyncio.run(run(TINY, frozenset({"W99"})))
