"""``python -m tests.benchmarks``: measure the speed of this server beside its ceilings. Needs Linux (/proc) and loopback only."""

import asyncio
import shutil
import signal
import sys
from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
import uvloop
from rich.console import Console

from tests.benchmarks.plan import FULL, QUICK, Results
from tests.benchmarks.plot import write
from tests.benchmarks.report import as_json, tables
from tests.benchmarks.run import LARGE, run
from tests.benchmarks.workloads import NAMES, Failed


async def stoppable(work: Coroutine[Any, Any, Results]) -> Results:
    """Do the work; SIGTERM cancels it, so that the servers are ended too."""
    task = asyncio.ensure_future(work)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await task


def main(
    quick: Annotated[bool, typer.Option(help="Two seconds a workload and smaller trees, in place of ten seconds.")] = False,
    json: Annotated[Path | None, typer.Option(help="Write everything to this file too.")] = None,
    only: Annotated[str, typer.Option(help=f"Workloads to run, with commas between; minutes each take {', '.join(LARGE)}.")] = ",".join(NAMES),
    client: Annotated[str, typer.Option(help="What makes the HTTP load: wrk, own, or auto for wrk where it is installed.")] = "auto",
    plot: Annotated[Path | None, typer.Option(help="Draw growth curves and latency distributions into this directory, as SVG.")] = None,
    directory: Annotated[Path | None, typer.Option(help="Where the stores are made: a real disk, or the figures mean little.")] = None,
) -> None:
    """Measure the speed of the server. Exit code 1 when a workload failed or saw errors, 2 when asked for something that is not there."""
    screen, status = Console(width=None if sys.stdout.isatty() else 160), Console(stderr=True)
    if client not in ("auto", "wrk", "own"):
        status.print(f"no client {client!r}: there are auto, wrk and own")
        raise typer.Exit(2)
    wrk = None if client == "own" else shutil.which("wrk")
    if client == "wrk" and wrk is None:
        status.print("wrk is not installed")
        raise typer.Exit(2)
    plan = replace(QUICK if quick else FULL, wrk=wrk)
    try:
        results = uvloop.run(stoppable(run(plan, frozenset(only.split(",")), lambda what: status.print(f"measuring {what}"), directory)))
    except ValueError as error:
        status.print(str(error))
        raise typer.Exit(2) from None
    except (Failed, RuntimeError, OSError) as error:
        status.print(f"{type(error).__name__}: {error}", markup=False)
        raise typer.Exit(1) from None
    except asyncio.CancelledError:
        raise typer.Exit(143) from None
    screen.print(tables(results))
    if json is not None:
        json.write_bytes(orjson.dumps(as_json(results), option=orjson.OPT_INDENT_2))
    if plot is not None:
        write(results, plot)
    if any(figure.load.errors for figure in results.figures):
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
