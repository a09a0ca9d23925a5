"""``python -m tests.benchmarks.shares``: in which part of the server the time of each workload goes, by py-spy, which has to be installed."""

import asyncio
import shutil
import subprocess
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
import uvloop
from rich.console import Console
from rich.table import Table

from tests.benchmarks.plan import FULL, Figure
from tests.benchmarks.processes import Served
from tests.benchmarks.workloads import WORKLOADS, Bench, bench, w4

_SECONDS, _RATE = 8.0, 250
PARTS = {
    "loop": ("asyncio/", "uvloop/"),
    "aiohttp": ("aiohttp/", "multidict/", "yarl/"),
    "HTTP": ("bindings/http/",),
    "CoAP": ("bindings/coap/",),
    "driver": ("bindings/",),
    "store": ("cse/storage/",),
    "core": ("cse/", "resources/"),
}
"""Where the innermost frame is. ``loop`` is uvloop and the system behind it, which have no frames of their own; ``driver`` is the rest of the bindings."""


@dataclass(frozen=True)
class Watched(Served):
    """A server whose profile is taken from the first question for its processor time on, which is where a workload begins to measure."""

    file: Path = Path()
    watching: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def cpu(self) -> float:
        if not self.watching:
            times = ("--duration", f"{_SECONDS - 2:.0f}", "--rate", f"{_RATE}")
            command = ("py-spy", "record", "--pid", f"{self.pid}", *times, "--threads", "--format", "raw", "--output", f"{self.file}")
            self.watching.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        return super().cpu()


def part_of(stack: str) -> str | None:
    """Give the part that a stack of the event loop's thread belongs to, None for those of other threads; ``stack``: frames, the innermost last, with ``;``."""
    frames = stack.split(";")
    if "MainThread" not in frames[0]:
        return None
    inner = frames[-1].rpartition("(")[2]
    return next((name for name, places in PARTS.items() if any(place in inner for place in places)), "other")


def shares(text: str) -> dict[str, float]:
    """Give the share of each part in a profile."""
    counted: Counter[str] = Counter()
    for line in text.splitlines():
        stack, _, number = line.rpartition(" ")
        if (part := part_of(stack)) is not None:
            counted[part] += int(number)
    return {name: counted[name] / max(1, counted.total()) for name in (*PARTS, "other")}


async def profile(name: str, folder: Path) -> tuple[Figure, dict[str, float]]:
    """Run a workload on a server of its own, and give its figure and the shares."""
    plan = replace(FULL, seconds=_SECONDS, warm=0.0, trees=(10_000,))
    async with bench(plan, folder / "cse.db") as found:
        served = Watched(found.served.pid, found.served.addresses, file=folder / "profile")
        watched: Bench = replace(found, served=served)
        figure = (await (w4 if name == "W4" else WORKLOADS[name])(watched))[-1]
        for recorder in served.watching:
            await asyncio.to_thread(recorder.wait)
    return figure, shares((folder / "profile").read_text())


async def run(names: list[str]) -> Table:
    """Profile workloads, one after the other."""
    table = Table("workload", "CPU µs", *PARTS, "other", title="Shares of the event loop's thread")
    for name in names:
        with TemporaryDirectory() as folder:
            figure, found = await profile(name, Path(folder))
        table.add_row(name, f"{figure.cpu * 1e6:.0f}", *(f"{share:.0%}" for share in found.values()))
    return table


def main(only: Annotated[str, typer.Option(help="Workloads, separated by commas.")] = ",".join([*WORKLOADS, "W4"])) -> None:
    """Print where the time of each workload goes."""
    if shutil.which("py-spy") is None:
        raise typer.BadParameter("py-spy is not installed")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        Console().print(runner.run(run(only.split(","))))


if __name__ == "__main__":
    typer.run(main)
