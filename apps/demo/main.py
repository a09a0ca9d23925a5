"""Runs the demo from its start to the last word on the screen."""

import asyncio
import signal
from collections.abc import Coroutine, Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console

from apps.demo.process import Running, StartFailed, running_cse
from apps.demo.screen import lines_to_try, shown, summary
from apps.demo.street import street
from cse.errors import CSEError

PATIENCE = 60.0
"""Seconds that notifications may take after the last reading was sent."""


def run(
    store: str | None = None,
    once: bool = False,
    http: str = "127.0.0.1:0",
    coap: str = "127.0.0.1:0",
    meters: int = 14,
    days: int = 2,
    console: Console | None = None,
) -> int:
    """Start a CSE, play the street on it and show it; give the exit code: 0 when all counts are as they must be, else 1.

    store: URL of the store, None for a temporary SQLite file. once: end after the play instead of staying up for a look around.
    http, coap: HOST:PORT to listen at, port 0 for a free one. meters: at least 2, every second one over CoAP. days: of half-hours that each sends.
    Ends early on SIGINT, SIGTERM and SIGHUP, with the CSE and the temporary file gone.
    """
    console = console or Console()
    if meters < 2 or days < 1:
        console.print(f"a street needs two meters or more and one day or more, not {meters} and {days}", style="red")
        return 2
    with TemporaryDirectory(prefix="onem2m-demo-") as directory:
        url = store or f"sqlite:///{Path(directory) / 'cse.db'}"
        try:
            return asyncio.run(_interruptible(_demo(url, once, http, coap, meters, days, console)))
        except StartFailed as failed:
            console.print(str(failed), style="red", markup=False, highlight=False, soft_wrap=True)
            return 1


async def _interruptible(demo: Coroutine[Any, Any, int]) -> int:
    """Cancel the demo on a signal, so that everything it opened is closed on the way out."""
    task = asyncio.create_task(demo)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, task.cancel)
    try:
        return await task
    except asyncio.CancelledError:
        return 130


async def _demo(store: str, once: bool, http: str, coap: str, meters: int, days: int, console: Console) -> int:
    async with running_cse(store, http, coap) as cse:
        console.print(f"A CSE listens at {cse.http} and {cse.coap}, its store is\n{store}", highlight=False, soft_wrap=True)
        good = await _play(cse, meters, days, console)
        if not once:
            console.print("\nThe CSE is still up; look around, and end with Ctrl-C:\n", highlight=False)
            console.print(lines_to_try(cse.http, cse.coap), soft_wrap=True, markup=False, highlight=False)
            with suppress(asyncio.CancelledError):
                await asyncio.wait({cse.ended})
                console.print("the CSE ended", style="red")
                return 1
        return 0 if good else 1


async def _play(cse: Running, meters: int, days: int, console: Console) -> bool:
    """Play, show and sum up; whether all is as it must be."""
    async with street(cse.http, cse.coap, meters, days) as scene:
        failures: list[CSEError] = []
        with shown(console, scene):
            try:
                await scene.play(lambda sentence: console.print(sentence, highlight=False), PATIENCE)
            except* CSEError as failed:
                failures += _leaves(failed)
        for failure in failures:
            console.print(f"{scene.phase} failed: {failure}", style="red", markup=False, highlight=False)
        if not failures:
            summary(console, scene)
        return not failures and not scene.differences()


def _leaves(group: BaseExceptionGroup[CSEError]) -> Iterator[CSEError]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error
