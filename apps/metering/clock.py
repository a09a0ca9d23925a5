"""Where the time of the world comes from: the clock on the wall, or one that is put forward, so that a day passes in seconds."""

import asyncio
import time
from contextlib import suppress
from typing import Protocol


class Clock(Protocol):
    """Seconds since the epoch, and a way to wait for them."""

    def now(self) -> float:
        """Give the time of the world."""
        ...

    def of(self, stamped: float) -> float:
        """Give the time of the world when the CSE, whose clock is the one on the wall, had a time."""
        ...

    async def wait(self, seconds: float) -> None:
        """Wait as long as so many seconds of the world take."""
        ...


class RealClock:
    """The clock on the wall."""

    def now(self) -> float:
        """Give the time."""
        return time.time()

    def of(self, stamped: float) -> float:
        """Give the same time."""
        return stamped

    async def wait(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(max(0.0, seconds))


class SimulatedClock:
    """A clock that begins at a moment of one's choice (now by default), runs as the one on the wall does, and can be put forward.

    It is put forward rather than sped up: what happens between two leaps has the time that it has in the world, on a busy machine too.
    """

    def __init__(self, start: float | None = None) -> None:
        self._ahead = 0.0 if start is None else start - time.time()
        self._moved = asyncio.Event()

    def now(self) -> float:
        """Give the time."""
        return time.time() + self._ahead

    def of(self, stamped: float) -> float:
        """Give the time here when it was a time on the wall, as far ahead as this clock is now."""
        return stamped + self._ahead

    def forward(self, seconds: float) -> None:
        """Let so many seconds pass at once: who waits for a moment among them is woken."""
        self._ahead += max(0.0, seconds)
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()

    async def wait(self, seconds: float) -> None:
        """Wait."""
        until = self.now() + seconds
        while (left := until - self.now()) > 0:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._moved.wait(), left)
