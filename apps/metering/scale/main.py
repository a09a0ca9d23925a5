"""``cse demo --metering --meters 2000``: brings a fleet up, lets it work for some periods, and says what it has found."""

import asyncio
import logging
import resource
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from apps.demo.process import StartFailed
from apps.metering.main import interruptible
from apps.metering.scale.play import Fleet, Play, fleet
from apps.metering.scale.tally import share
from apps.metering.world import Plan
from cse.errors import CSEError

PROGRESS = 10.0
"""Seconds between two words on how far the fleet is set up."""


SHORTEST, EACH = 10.0, 0.05
"""Seconds of a period that is not given: at least, and for each meter; two cores of a machine with other work keep a schedule of these."""


def run(http: str, coap: str, store: str | None, meters: int, period: float | None, periods: int, console: Console) -> int:
    """Play a fleet and give the exit code: 0 when every reading and every answer was there in its time and nothing leaks, 1 when not, 2 for a fleet of none.

    period: seconds between two scheduled readings of a meter, None for what the number of meters allows. periods: how many of them.
    """
    period = max(SHORTEST, round(meters * EACH)) if period is None else period
    if meters < 1 or period < 1 or periods < 1:
        console.print(f"a fleet needs meters, a period of a second or more, and periods, not {meters}, {period:g} and {periods}", style="red")
        return 2
    _open_many_files()
    logging.getLogger("coap").setLevel(logging.CRITICAL)  # aiocoap complains of each request that is given up when the fleet is switched off
    with TemporaryDirectory(prefix="onem2m-fleet-") as directory:
        plan = Plan(Path(directory), fleet(meters, period), frozenset(), simulation=False, store=store or "", http=http, coap=coap)
        try:
            with asyncio.Runner(loop_factory=_loop()) as runner:
                return runner.run(interruptible(_play(plan, period, periods, console)))
        except (StartFailed, CSEError, TimeoutError) as failed:
            console.print(f"the fleet does not stand: {failed or 'it took too long'}", style="red", markup=False, highlight=False, soft_wrap=True)
            return 1


def _open_many_files() -> None:
    """Let this process have as many sockets as the system allows."""
    if sys.platform != "win32":
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Give the fastest event loop of this system, None for the one of Python."""
    if sys.platform == "win32":
        return None
    import uvloop

    return uvloop.new_event_loop


async def _play(plan: Plan, period: float, periods: int, console: Console) -> int:
    loop = asyncio.get_running_loop()
    world, began = Fleet(plan, period), loop.time()
    try:
        progress = asyncio.create_task(_progress(world, console))
        try:
            await world.__aenter__()
            await world.watched()
        finally:
            progress.cancel()
            with suppress(asyncio.CancelledError):
                await progress
        figures = world.tally.take()
        console.print(f"{len(plan.meters)} meters stand after {loop.time() - began:.0f} s and {figures.requests} requests", highlight=False)
        play = Play(world, period, periods)
        await play.run(lambda said: console.print(said, highlight=False, soft_wrap=True))
        _summary(play, console)
        return 1 if play.faults else 0
    finally:
        await world.__aexit__()


async def _progress(world: Fleet, console: Console) -> None:
    while True:
        await asyncio.sleep(PROGRESS)
        console.print(f"{world.standing} of {len(world.plan.meters)} meters stand, {world.tally.requests} requests", highlight=False)


def _summary(play: Play, console: Console) -> None:
    """Print what was found, and what is not as it must be."""
    total, seconds, last = play.total, play.period * play.periods, play.seen[-1]
    coap = sum(play.world.over_coap(meter) for meter in play.meters)
    behind = f"{max(total.behind, default=0.0):.1f} s at most, {share(total.behind, 0.5):.1f} s in the median"
    middle = play.middle
    rows = (
        ("meters", f"{len(play.meters)}, {len(play.meters) - coap} over HTTP and {coap} over CoAP"),
        ("scheduled readings", f"{play.sent} of {play.due}, {total.readings / seconds:,.0f} a second"),
        ("behind schedule", f"{behind}, of a period of {play.period:g} s"),
        ("commands answered", f"{len(play.waited)} of {play.commanded}, p50 {share(play.waited, 0.5):.2f} s, p99 {share(play.waited, 0.99):.2f} s"),
        ("creates", f"{total.creates / seconds:,.0f} a second, of {total.requests / seconds:,.0f} requests"),
        ("latency", f"p50 {share(total.latencies, 0.5) * 1000:.1f} ms, p99 {share(total.latencies, 0.99) * 1000:.1f} ms"),
        ("memory of the meters", f"{last.memory.meters >> 20} MB, {(last.memory.meters - middle.memory.meters) / (1 << 20):+.1f} MB in the second half"),
        ("memory of the CSE", f"{last.memory.cse >> 20} MB, {(last.memory.cse - middle.memory.cse) / (1 << 20):+.1f} MB in the second half"),
        ("processor", f"{_mean([seen.busy[0] for seen in play.seen]):.0%} the meters, {_mean([seen.busy[1] for seen in play.seen]):.0%} the CSE"),
        ("waiting at the end", f"{last.unsent} requests in the entities"),
    )
    console.print()
    for name, value in rows:
        console.print(f"{name:24}{value}", highlight=False, soft_wrap=True)
    for fault in play.faults[:20]:
        console.print(f"differs: {fault}", style="red", markup=False, highlight=False, soft_wrap=True)


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)
