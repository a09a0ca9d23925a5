"""``python -m tests.reliability NAME``: the long form of a reliability test. Needs Linux (/proc) and loopback only."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated

import typer
import uvloop

from tests.reliability import concurrent, crash, fuzz, model, observing, overload, soak, sockets
from tests.reliability.plan import Plan

RUNS: Mapping[str, Callable[[Plan], Awaitable[str]]] = {
    "crash": crash.long,
    "overload": overload.long,
    "idle": soak.idle,
    "soak": soak.long,
    "coap": soak.coap,
    "observe": observing.long,
    "model": model.long,
    "linearisability": concurrent.long,
    "fuzz": fuzz.long,
    "sockets": sockets.long,
}
"""Each gives a sentence with its figure, and raises AssertionError for what it finds."""


def main(
    name: Annotated[str, typer.Argument(help=f"What to run: {', '.join(RUNS)}.")],
    minutes: Annotated[float, typer.Option(help="How long to go on.")] = 5.0,
    rounds: Annotated[int | None, typer.Option(help="How many rounds, in place of the time.")] = None,
) -> None:
    """Run the long form of a reliability test. Exit code 1 when it finds something, 2 when there is no such test."""
    if name not in RUNS:
        raise typer.BadParameter(f"no run {name!r}: there are {', '.join(RUNS)}")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        typer.echo(runner.run(_run(name, Plan(minutes, rounds))))


async def _run(name: str, plan: Plan) -> str:
    return await RUNS[name](plan)


if __name__ == "__main__":
    typer.run(main)
