"""The server as a process of its own, watched through its log and /proc, and ended by signals."""

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PATIENCE = 30.0
"""Seconds after which what must happen is taken for what never will."""
PROGRAM = ("-m", "apps.cli")

_WEAKER = (
    "import ctypes, os, sys\n"
    "for capability in (1, 2): ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)\n"  # PR_CAPBSET_DROP of CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH
    "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
)
"""Makes permissions of files count for root too; for anybody else they do anyway."""


@dataclass(frozen=True, slots=True)
class Serving:
    """A server that listens. http, coap: its URLs."""

    child: asyncio.subprocess.Process
    http: str
    coap: str
    lines: list[str]
    reading: "asyncio.Task[None]"

    @property
    def address(self) -> tuple[str, int]:
        """Where it takes HTTP, for a socket."""
        host, _, port = self.http.removeprefix("http://").partition(":")
        return host, int(port)

    @property
    def log(self) -> str:
        """What it has written to standard error."""
        return "".join(self.lines)

    async def kill(self) -> None:
        """End it as kill -9 does."""
        self.child.kill()
        await self.ended()

    async def stop(self) -> int:
        """Ask it to end with SIGTERM; its exit code."""
        self.child.send_signal(signal.SIGTERM)
        return await self.ended()

    async def ended(self) -> int:
        """Wait for its end; its exit code."""
        async with asyncio.timeout(PATIENCE):
            await self.reading
            return await self.child.wait()

    def descriptors(self) -> int:
        """Give the number of its open files and sockets."""
        return len(os.listdir(f"/proc/{self.child.pid}/fd"))

    def processor(self) -> float:
        """Give the seconds of processor time that it has used."""
        fields = Path(f"/proc/{self.child.pid}/stat").read_text("utf-8").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self) -> int:
        """Give its resident memory in bytes."""
        found = re.search(r"^VmRSS:\s+(\d+) kB", Path(f"/proc/{self.child.pid}/status").read_text("utf-8"), re.MULTILINE)
        assert found is not None, "the server has ended"
        return int(found[1]) * 1024


@asynccontextmanager
async def serving(store: str | Path, *more: str, program: tuple[str, ...] = PROGRAM) -> AsyncIterator[Serving]:
    """Run ``cse serve`` on a store (a path is one of SQLite) and wait until it listens; at the end of the block it is killed if it still runs.

    ``program``: what runs as the command ``cse``.
    """
    pipe, lines = asyncio.subprocess.PIPE, list[str]()
    child = await asyncio.create_subprocess_exec(sys.executable, *program, *_serve(store), *more, cwd=ROOT, stdout=pipe, stderr=pipe)
    assert child.stdout is not None
    assert child.stderr is not None
    reading = asyncio.create_task(_read(child.stderr, lines))
    try:
        async with asyncio.timeout(PATIENCE):
            line = (await child.stdout.readline()).decode()
        found = {scheme: url for url, scheme in re.findall(r"\b((http|coap)://[\d.]+:\d+)", line)}
        assert found.keys() == {"http", "coap"}, "".join([line, *lines])
        yield Serving(child, found["http"], found["coap"], lines, reading)
    finally:
        if child.returncode is None:
            child.kill()
        await reading
        await child.wait()


async def _read(stream: asyncio.StreamReader, lines: list[str]) -> None:
    async for line in stream:
        lines.append(line.decode())


async def refused(store: str | Path, *, weaker: bool = False) -> tuple[int, str, str]:
    """Run ``cse serve`` where it must not come up: exit code, standard output and error. ``weaker``: without root's right to all files."""
    wrapped = ("-c", _WEAKER) if weaker else ()
    pipe = asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_exec(sys.executable, *wrapped, *PROGRAM, *_serve(store), cwd=ROOT, stdout=pipe, stderr=pipe)
    try:
        async with asyncio.timeout(PATIENCE):
            out, err = await child.communicate()
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    assert child.returncode is not None
    return child.returncode, out.decode(), err.decode()


def _serve(store: str | Path) -> tuple[str, ...]:
    url = store if isinstance(store, str) else f"sqlite:///{store}"
    return ("serve", "--http", "127.0.0.1:0", "--coap", "127.0.0.1:0", "--store", url)


async def until(holds: Callable[[], bool], what: str) -> None:
    """Wait until a condition outside this process holds; AssertionError with ``what`` it is when it never does."""
    try:
        async with asyncio.timeout(PATIENCE):
            while not holds():  # noqa: ASYNC110 - what is waited for is in another process
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"never: {what}") from None
