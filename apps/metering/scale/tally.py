"""What goes over the connections of a fleet: how much, how fast, and how long after its time."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter

from bindings.ports import Sender
from cse.codes import Operation, ResourceTypeID
from cse.codes import ResponseStatusCode as RSC
from cse.datatypes import seconds_of
from cse.primitives import Request, Response

POINTS, REGISTERS = "readings/profile", "readings/registers"
"""What every meter sends on schedule, each once a period."""

_INSTANCES = (ResourceTypeID.CONTENT_INSTANCE, ResourceTypeID.TIME_SERIES_INSTANCE)


def share(values: list[float], of: float) -> float:
    """Give what a share of the values does not exceed: 0.5 the median, 1 the greatest; 0 when there are none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(of * len(ordered)))] if ordered else 0.0


@dataclass(slots=True)
class Figures:
    """What was counted in a stretch of time. latencies: seconds of each answered request. behind: seconds that each reading came after its time."""

    requests: int = 0
    creates: int = 0
    readings: int = 0
    latencies: list[float] = field(default_factory=list)
    behind: list[float] = field(default_factory=list)

    def add(self, other: "Figures") -> None:
        """Count another stretch too."""
        self.requests, self.creates, self.readings = self.requests + other.requests, self.creates + other.creates, self.readings + other.readings
        self.latencies += other.latencies
        self.behind += other.behind


class Tally:
    """Counts what a fleet sends. Its schedules are multiples of ``period`` seconds; ``now`` is its clock."""

    def __init__(self, period: float, now: Callable[[], float]) -> None:
        self._period, self._now = period, now
        self._figures = Figures()
        self.written: Counter[str] = Counter()
        """Instances that were acknowledged, by the address of their parent."""
        self.due: Counter[tuple[str, float]] = Counter()
        """Scheduled readings that were acknowledged, by their kind and the time at which they were due."""

    @property
    def requests(self) -> int:
        """How many requests were answered since ``take`` was last called."""
        return self._figures.requests

    def take(self) -> Figures:
        """Give what was counted since this was last asked."""
        found, self._figures = self._figures, Figures()
        return found

    def count(self, request: Request, response: Response, seconds: float) -> None:
        """Count a request that was answered; what an earlier attempt has written (a conflict) is written."""
        figures = self._figures
        figures.requests += 1
        figures.latencies.append(seconds)
        if request.op is not Operation.CREATE or not (response.ok or response.rsc is RSC.CONFLICT):
            return
        figures.creates += 1
        if request.ty not in _INSTANCES:
            return
        self.written[request.to] += 1
        kind = next((kind for kind in (POINTS, REGISTERS) if request.to.endswith(kind)), "")
        due = self._due(kind, request) if kind else None
        if due is not None:
            figures.readings += 1
            figures.behind.append(self._now() - due)
            self.due[kind, due] += 1

    def _due(self, kind: str, request: Request) -> float | None:
        """Give when a reading was due, None for one that was on no schedule."""
        assert isinstance(request.pc, dict)
        [attributes] = request.pc.values()
        if kind == POINTS:
            return seconds_of(attributes["dgt"])
        if '"reason":"scheduled"' not in attributes["con"]:
            return None
        taken = seconds_of(attributes["con"].partition('"ts":"')[2].partition('"')[0])
        return taken // self._period * self._period


class Counted:
    """A sender (bindings.ports.Sender) whose requests are counted. room: how many are under way at the same time; the others wait, which is no latency."""

    def __init__(self, sender: Sender, tally: Tally, room: asyncio.Semaphore) -> None:
        self._sender, self._tally, self._room = sender, tally, room

    async def send(self, url: str, request: Request, timeout: float) -> Response:  # noqa: ASYNC109 - the port says so
        """Deliver a request."""
        async with self._room:
            began = perf_counter()
            response = await self._sender.send(url, request, timeout)
            self._tally.count(request, response, perf_counter() - began)
        return response

    async def close(self) -> None:
        """Close the connections."""
        await self._sender.close()
