"""Play random requests against the model: in process for the short form, for minutes and over HTTP too for the long one."""

import asyncio
import tempfile
import time
from pathlib import Path

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from bindings.http.client import HttpSender
from tests.faults.server import serving
from tests.faults.target import listening
from tests.reliability.machine import InProcess, Machine, OnDisk, OverHttp
from tests.reliability.plan import Plan


def play(machine: type[Machine], examples: int, *, repeatable: bool = False, shortest: bool = True) -> None:
    """Play a number of runs of up to 50 steps. Raises AssertionError with the ``shortest`` run found in which CSE and model differ, or the first."""
    chosen = settings(
        max_examples=examples,
        stateful_step_count=50,
        deadline=None,
        derandomize=repeatable,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink) if shortest else (Phase.generate,),
        report_multiple_bugs=False,
    )
    run_state_machine_as_test(machine, settings=chosen)


async def long(plan: Plan) -> str:
    """Play all machines in turn, each for a third of the time; over HTTP against ``cse serve`` with SQLite."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as directory:
        async with serving(Path(directory) / "cse.db") as served, listening() as target:
            OverHttp.target = target.url
            await asyncio.to_thread(_play_all, plan, served.http)
            assert "Traceback" not in served.log
    seconds = time.monotonic() - began
    requests = {kind.__name__: kind.steps for kind in (InProcess, OnDisk, OverHttp)}
    return f"{requests} requests in {seconds:.0f} s: CSE and model agree"


def _play_all(plan: Plan, url: str) -> None:
    OverHttp.url, OverHttp.sender = url, HttpSender()
    with asyncio.Runner() as OverHttp.loop:
        try:
            for number in plan.turns():
                play((InProcess, OnDisk, OverHttp)[number % 3], 30)
        finally:
            OverHttp.loop.run(OverHttp.sender.close())
