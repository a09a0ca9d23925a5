"""``cse demo --metering``: brings the world up, plays flows in it, or holds it for somebody outside."""

import asyncio
import signal
import time
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console
from rich.table import Table

from apps.demo.process import StartFailed
from apps.metering import flows
from apps.metering.flows.stage import Stage, Unobserved
from apps.metering.world import Plan, World, standing
from cse.errors import CSEError

INTERRUPTED = 130


def run(http: str, coap: str, store: str | None, flow: str | None, everything: bool, hold: bool, console: Console) -> int:
    """Bring a world up and play a flow, all of them, or none; give the exit code: 0 when every step was observed, 1 when not, 2 for an unknown flow.

    hold: stay up until SIGTERM or SIGINT, after a line that begins with READY and has the addresses; so does a call that plays nothing.
    """
    if flow is not None and flow not in flows.FLOWS:
        near = get_close_matches(flow.upper(), flows.FLOWS, 3)
        meant = f"did you mean {' or '.join(near)}? " if near else ""
        console.print(f"there is no flow {flow!r}; {meant}all of them are {', '.join(flows.FLOWS)}", style="red", markup=False, highlight=False)
        return 2
    chosen = [flow] if flow else list(flows.FLOWS) if everything else []
    with TemporaryDirectory(prefix="onem2m-metering-") as directory:
        plan = Plan(Path(directory), http=http, coap=coap, store=store or "")
        try:
            return asyncio.run(interruptible(_play(plan, chosen, hold or not chosen, console)))
        except (StartFailed, CSEError, TimeoutError) as failed:
            console.print(f"the world does not stand: {failed or 'it took too long'}", style="red", markup=False, highlight=False, soft_wrap=True)
            return 1


async def interruptible(demo: Coroutine[Any, Any, int]) -> int:
    """Cancel the demo on a signal, so that everything it opened is closed on the way out."""
    task = asyncio.create_task(demo)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, task.cancel)
    try:
        return await task
    except asyncio.CancelledError:
        return INTERRUPTED


async def _play(plan: Plan, chosen: list[str], hold: bool, console: Console) -> int:
    began = time.monotonic()
    if chosen:
        console.print(f"a CSE comes up, {_listed(plan)} and everybody who lives with them", highlight=False, soft_wrap=True)
    async with standing(plan) as world:
        if chosen:
            console.print(f"they stand after {time.monotonic() - began:.0f} s at {world.cse.http} and {world.cse.coap}", highlight=False, soft_wrap=True)
        failures = await play(world, chosen, console)
        if not hold:
            return 1 if failures else 0
        console.print(f"READY {world.cse.http} {world.cse.coap}", highlight=False, soft_wrap=True)
        with suppress(asyncio.CancelledError):
            await asyncio.wait({world.cse.ended})
            console.print("the CSE ended", style="red")
            return 1
        return 0


def _listed(plan: Plan) -> str:
    """Give the meters of a plan as people name them."""
    return ", ".join(f"{meter.kind} meter {meter.name}{' (off)' if meter.name in plan.off else ''}" for meter in plan.meters)


async def play(world: World, chosen: Sequence[str], console: Console) -> int:
    """Play flows one after another, each step as it is observed, and give the number of those that failed.

    The last line says how many were observed and names the others; a table of all comes before it when there are several.
    """
    table = Table("flow", "name", "steps", "outcome")
    began, failures = time.monotonic(), dict[str, str]()
    for number, identifier in enumerate(chosen, 1):
        facts = flows.FACTS[identifier]
        place = f"[{number}/{len(chosen)}] " if len(chosen) > 1 else ""
        console.print(f"{place}{identifier} {facts.name}", style="bold", markup=False, highlight=False)
        said = ""
        async with Stage(world, facts, lambda text: console.print(f"  {text}", markup=False, highlight=False, soft_wrap=True)) as stage:
            try:
                await flows.FLOWS[identifier](stage)
                stage.complete()
            except (Unobserved, CSEError, TimeoutError) as failed:
                said = str(failed) or "it took too long"
        if said:
            failures[identifier] = said
            console.print(f"  not observed: {said}", style="red", markup=False, highlight=False, soft_wrap=True)
        table.add_row(identifier, facts.name, f"{len(stage.observed)}/{len(facts.steps)}", said or "observed", style="red" if said else None)
    if len(chosen) > 1:
        console.print(table)
    if chosen:
        _verdict(len(chosen), list(failures), time.monotonic() - began, console)
    return len(failures)


def _verdict(count: int, failures: Sequence[str], seconds: float, console: Console) -> None:
    flow = "1 flow was" if count == 1 else f"{count} flows were"
    said = f"{count - len(failures)} of {flow} observed in {seconds:.0f} s" + (f"; not observed: {', '.join(failures)}" if failures else "")
    console.print(said, style="red" if failures else "green", markup=False, highlight=False, soft_wrap=True)
