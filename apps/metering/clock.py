"""Where the time of the world comes from: the real clock, or one on which a day passes in seconds."""

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """Seconds since the epoch, and a way to wait for them."""

    def now(self) -> float:
        """Give the time of the world."""
        ...

    async def wait(self, seconds: float) -> None:
        """Wait as long as so many seconds of the world take."""
        ...


class RealClock:
    """The clock on the wall."""

    def now(self) -> float:
        """Give the time."""
        return time.time()

    async def wait(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(max(0.0, seconds))


class FastClock:
    """A clock that begins at a moment of one's choice and runs ``speed`` times as fast as the real one: at 8,640 a day takes ten seconds."""

    def __init__(self, start: float, speed: float) -> None:
        self._start, self._speed, self._began = start, speed, time.monotonic()

    def now(self) -> float:
        """Give the time."""
        return self._start + (time.monotonic() - self._began) * self._speed

    async def wait(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(max(0.0, seconds) / self._speed)
