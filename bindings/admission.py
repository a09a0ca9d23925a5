"""Whose turn it is to write, and who has to come again later: what waits stays bounded in time, and no originator waits for the crowd of another."""

from collections import OrderedDict, deque
from collections.abc import Callable
from math import ceil, inf
from time import perf_counter, thread_time
from typing import Generic, Protocol, TypeVar

from cse.codes import ResponseStatusCode as RSC
from cse.primitives import Request, Response

T = TypeVar("T")

_QUANTUM = 0.002
"""Seconds that the writers of one originator take before those of the next have their turn."""
_SMOOTHING = 0.25
"""Weight of the newest commit in the average."""
_LOOK = 0.1
"""Seconds between two looks at how late the event loop is."""
_FEW = 64
"""Requests between two looks that are not why the loop is late, so that none of them is refused."""
_LESS, _MORE = 0.5, 1.25
"""By how much shares change from one look to the next, at most."""


class Turns(Generic[T]):
    """Writers that wait for their turn, in a line for each originator.

    A line keeps its order. Between lines the turn goes around, by the time that the writers take: one request that changes a thousand resources counts as much
    as a thousand that change one. ``most`` writers wait at most, and no more than ``batch`` a commit and recent commits say can be served within ``patience``
    seconds. When that becomes tight, a line may be as long as there is room left: who has many waiting is refused first, who has few last.
    """

    def __init__(self, batch: int, most: int, patience: float, clock: Callable[[], float] = perf_counter) -> None:
        self._lines: OrderedDict[str, deque[T]] = OrderedDict()
        self._credit: dict[str, float] = {}
        self._batch = batch
        self._most = most
        self._patience = patience
        self._clock = clock
        self._cycle = 0.0
        self._since = 0.0
        self._current = ""
        self.waiting = 0
        """How many wait."""

    def append(self, line: str, writer: T) -> None:
        """Let a writer wait at the end of a line."""
        waiting = self._lines.get(line)
        if waiting is None:
            waiting = self._lines[line] = deque()
        waiting.append(writer)
        self.waiting += 1

    def next(self) -> T:
        """Give the writer whose turn it is; some have to wait."""
        while True:
            line, waiting = next(iter(self._lines.items()))
            credit = self._credit.get(line, _QUANTUM)
            if credit > 0:
                break
            self._credit[line] = credit + _QUANTUM
            self._lines.move_to_end(line)
        self.waiting -= 1
        self._current = line
        writer = waiting.popleft()
        if not waiting:
            del self._lines[line]
            self._credit.pop(line, None)
        return writer

    def charge(self, seconds: float) -> None:
        """Tell how long the writer took whose turn it was."""
        if self._current in self._lines:
            self._credit[self._current] = self._credit.get(self._current, _QUANTUM) - seconds

    def committing(self) -> None:
        """Tell that a commit begins. When writers waited already as the last one ended, this one takes the time since then."""
        if not self._since:
            self._since = self._clock()

    def committed(self) -> None:
        """Tell that a commit has ended, before those that waited for it have their turn."""
        now = self._clock()
        if self._since:
            self._cycle += (now - self._since - self._cycle) * _SMOOTHING
        self._since = now if self.waiting else 0.0

    def refused(self, line: str) -> int:
        """Give the seconds after which one more writer of a line may come again; 0 when it may wait here."""
        if self.waiting < self._batch and self.waiting < self._most:
            return 0
        room = self._batch * max(2.0, self._patience / self._cycle if self._cycle else self._most)
        waiting = self._lines.get(line)
        if (0 if waiting is None else len(waiting)) < min(room, self._most) - self.waiting:
            return 0
        return max(1, ceil(self.waiting / self._batch * self._cycle))


class _Timer(Protocol):
    def cancel(self) -> None: ...


class Lateness:
    """How late the event loop is, which is how long everything waits when there is more to compute than can be computed, reading included.

    It looks ten times a second; nothing is counted while the loop is in time. When it is later than ``bound`` seconds, originators have equal shares of what is
    served between two looks: less until it is in time again, then more until nobody has to be refused. A loop that is late because the machine has given its
    time to other processes is not late for that: ``used`` gives the processor time of this thread.
    """

    def __init__(
        self,
        later: Callable[[float, Callable[[], None]], _Timer],
        bound: float,
        clock: Callable[[], float] = perf_counter,
        used: Callable[[], float] = thread_time,
    ) -> None:
        self._later = later
        self._bound = bound
        self._clock = clock
        self._used = used
        self._began = used()
        self._seen: dict[str, int] = {}
        self._served = self._refused = 0
        self._share = inf
        self._due = 0.0
        self._timer = self._next()
        self.late = False
        """Whether requests have to be counted."""

    def refused(self, line: str) -> int:
        """Count a request of an originator while it is late; give the seconds after which it may come again, 0 when it may stay."""
        seen = self._seen[line] = self._seen.get(line, 0) + 1
        if seen > self._share and self._served >= _FEW:
            self._refused += 1
            return 1
        self._served += 1
        return 0

    def close(self) -> None:
        """Look no more."""
        self._timer.cancel()

    def _next(self) -> _Timer:
        self._due = self._clock() + _LOOK
        return self._later(_LOOK, self._look)

    def _look(self) -> None:
        late, used = self._clock() - self._due, self._used()
        lateness = late * min(1.0, (used - self._began) / (late + _LOOK))
        self._began = used
        if lateness > self._bound:
            if self.late and self._seen:
                self._share = max(1.0, self._served / len(self._seen) * max(self._bound / lateness, _LESS))
            self.late = True
        elif self._refused:
            self._share *= _MORE
        else:
            self.late, self._share = False, inf
        self._seen.clear()
        self._served = self._refused = 0
        self._timer = self._next()


def line_of(request: Request | None) -> str:
    """Give who waits in one line: an originator, whoever has no name yet by his address, and this CSE itself."""
    if request is None or request.peer.internal:
        return ""
    return request.peer.identity or request.fr or request.peer.address or ""


def overloaded(request: Request, seconds: int) -> Response:
    """Give the refusal of a request that may come again after some seconds."""
    text = f"too many requests are waiting, try again in {seconds} s"
    return Response(RSC.INTERNAL_SERVER_ERROR, request.rqi, {"m2m:dbg": text}, rvi=request.rvi, retry=seconds)
