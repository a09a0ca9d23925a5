"""The servers under load: started as processes of their own, watched through /proc, always ended."""

import asyncio
import os
import re
import sys
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.http_load import Address

ROOT = Path(__file__).parents[2]
START = 30.0
STOP = 20.0
ADDRESS = re.compile(r"\b(http|coap)://([\d.]+):(\d+)")


@dataclass(frozen=True, slots=True)
class Served:
    """A running server: its process identifier and its addresses by scheme."""

    pid: int
    addresses: dict[str, Address]

    @property
    def http(self) -> Address:
        """Where it takes HTTP."""
        return self.addresses["http"]

    def cpu(self) -> float:
        """Give the CPU seconds its threads have used (user and system)."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self) -> int:
        """Give its resident memory in bytes."""
        found = re.search(r"^VmRSS:\s+(\d+) kB", Path(f"/proc/{self.pid}/status").read_text(), re.MULTILINE)
        if found is None:
            raise RuntimeError(f"process {self.pid} has ended")
        return int(found[1]) * 1024


async def addresses(stream: asyncio.StreamReader, schemes: frozenset[str], lines: deque[str]) -> dict[str, Address]:
    """Read lines until every scheme's address was in one. Raises RuntimeError when the output ends before."""
    found: dict[str, Address] = {}
    while not schemes <= found.keys():
        line = (await stream.readline()).decode(errors="replace")
        if not line:
            raise RuntimeError("the server ended before it printed its addresses:\n" + "".join(lines))
        lines.append(line)
        found |= {scheme: (host, int(port)) for scheme, host, port in ADDRESS.findall(line)}
    return found


async def drain(stream: asyncio.StreamReader, lines: deque[str]) -> None:
    """Read what else is printed, so that the server never waits for us; ``lines`` keeps the end of it."""
    async for line in stream:
        lines.append(line.decode(errors="replace"))


@asynccontextmanager
async def process(arguments: tuple[str, ...], schemes: frozenset[str]) -> AsyncIterator[Served]:
    """Run Python with ``arguments`` until the block ends: SIGTERM first, SIGKILL after 20 seconds.

    Raises RuntimeError with its last words when it does not print an address for each of ``schemes`` within 30 seconds, or ends with another code than 0.
    """
    environment = os.environ | {"PYTHONUNBUFFERED": "1", "COLUMNS": "200"}
    pipe, joined, nothing = asyncio.subprocess.PIPE, asyncio.subprocess.STDOUT, asyncio.subprocess.DEVNULL
    child = await asyncio.create_subprocess_exec(sys.executable, *arguments, cwd=ROOT, env=environment, stdin=nothing, stdout=pipe, stderr=joined)
    assert child.stdout is not None
    lines: deque[str] = deque(maxlen=60)
    drained: asyncio.Task[None] | None = None
    try:
        async with asyncio.timeout(START):
            found = await addresses(child.stdout, schemes, lines)
        drained = asyncio.create_task(drain(child.stdout, lines))
        yield Served(child.pid, found)
    finally:
        if child.returncode is None:
            child.terminate()
        try:
            async with asyncio.timeout(STOP):
                await child.wait()
        except TimeoutError:
            child.kill()
            await child.wait()
        await (drained or drain(child.stdout, lines))
    if child.returncode:
        raise RuntimeError(f"{' '.join(arguments)} ended with code {child.returncode}:\n" + "".join(lines))


def cse(store: Path, *settings: str) -> tuple[str, ...]:
    """Give the command of the server on a store file, with the defaults that a user has but for ``settings``, on free ports of loopback."""
    more = tuple(text for setting in settings for text in ("--set", setting))
    return ("-m", "apps.cli", "serve", "--http", "127.0.0.1:0", "--coap", "127.0.0.1:0", "--store", f"sqlite:///{store}", *more)
