"""A CSE of its own process for as long as a demo or a test needs it."""

import asyncio
import os
import re
import signal
import sys
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

START = 30.0
"""Seconds that a CSE may take to listen."""

STOP = 20.0
"""Seconds that it may take to finish after SIGTERM, before it is killed."""


class StartFailed(Exception):
    """The CSE ended, or did not listen in time; the message has its last words."""


@dataclass(frozen=True, slots=True)
class Running:
    """A CSE that listens. http, coap: its URLs. ended: completes with the exit code when the process is gone. pid: of the process."""

    http: str
    coap: str
    ended: asyncio.Task[int]
    pid: int


@asynccontextmanager
async def running_cse(
    store: str, http: str = "127.0.0.1:0", coap: str = "127.0.0.1:0", *more: str, heard: Callable[[str], object] = len
) -> AsyncIterator[Running]:
    """Run ``serve`` in a subprocess until the block ends; addresses are HOST:PORT, port 0 takes a free one; ``more`` are further flags.

    ``heard`` is given every line that the CSE writes once it listens.

    Raises StartFailed when it does not come up. The subprocess is in a session of its own, so that Ctrl-C reaches it only through this function.
    """
    command = (sys.executable, "-m", "apps.cli", "serve", "--http", http, "--coap", coap, "--store", store, *more)
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, start_new_session=True
    )
    assert process.stdout is not None
    words: deque[str] = deque(maxlen=20)
    ended = asyncio.create_task(process.wait())
    reading: asyncio.Task[None] | None = None
    try:
        urls = await _addresses(process.stdout, words, ended)
        reading = asyncio.create_task(_drain(process.stdout, words, heard))
        yield Running(urls["http"], urls["coap"], ended, process.pid)
    finally:
        await _stop(process, ended)
        if reading is not None:
            await reading


async def _addresses(output: asyncio.StreamReader, words: deque[str], ended: asyncio.Task[int]) -> dict[str, str]:
    """Read until both addresses were printed."""
    found: dict[str, str] = {}
    try:
        async with asyncio.timeout(START):
            while not {"http", "coap"} <= found.keys():
                line = (await output.readline()).decode(errors="replace")
                if not line:
                    await asyncio.wait({ended})
                    raise StartFailed("the CSE ended before it listened:\n" + "".join(words))
                words.append(line)
                if line.startswith("cse "):  # its log names URLs too: of targets that it tells again what waited
                    found |= {scheme: url for url, scheme in re.findall(r"\b((https?|coaps?)://[^\s,/'\"]+:\d+)", line)}
    except TimeoutError:
        raise StartFailed(f"the CSE did not listen within {START:g} seconds:\n" + "".join(words)) from None
    return found


async def _drain(output: asyncio.StreamReader, words: deque[str], heard: Callable[[str], object]) -> None:
    async for line in output:
        words.append(line.decode(errors="replace"))
        heard(words[-1])


async def _stop(process: asyncio.subprocess.Process, ended: asyncio.Task[int]) -> None:
    if not ended.done():
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGTERM)  # Popen.send_signal polls first, and would take the exit code from the event loop's watcher
    try:
        await asyncio.wait({ended}, timeout=STOP)
    finally:
        if not ended.done():
            process.kill()
    await ended
