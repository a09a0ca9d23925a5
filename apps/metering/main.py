"""``cse demo --metering``: brings the world up, plays flows in it, or holds it for somebody outside."""

import asyncio
import signal
from collections.abc import Coroutine
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
        except StartFailed as failed:
            console.print(str(failed), style="red", markup=False, highlight=False, soft_wrap=True)
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
    async with standing(plan) as world:
        failures = await _flows(world, chosen, console)
        if not hold:
            return 1 if failures else 0
        console.print(f"READY {world.cse.http} {world.cse.coap}", highlight=False, soft_wrap=True)
        with suppress(asyncio.CancelledError):
            await asyncio.wait({world.cse.ended})
            console.print("the CSE ended", style="red")
            return 1
        return 0


async def _flows(world: World, chosen: list[str], console: Console) -> int:
    """Play flows one after another, each step as it is observed; then give a table of them, and the number of those that failed."""
    table = Table("flow", "name", "steps", "outcome")
    failures = 0
    for identifier in chosen:
        facts = flows.FACTS[identifier]
        console.print(f"{identifier} {facts.name}", style="bold", markup=False, highlight=False)
        said = ""
        async with Stage(world, facts, lambda text: console.print(f"  {text}", markup=False, highlight=False, soft_wrap=True)) as stage:
            try:
                await flows.FLOWS[identifier](stage)
                stage.complete()
            except (Unobserved, CSEError) as failed:
                said = str(failed)
        failures += bool(said)
        table.add_row(identifier, facts.name, f"{len(stage.observed)}/{len(facts.steps)}", said or "observed", style="red" if said else None)
    if len(chosen) > 1:
        console.print(table)
    elif failures:
        console.print(f"  not observed: {said}", style="red", markup=False, highlight=False)
    return failures
