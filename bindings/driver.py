"""Runs the core: steps its generators, commits their writes together, sends what they ask for, and answers when an answer is durable."""

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from queue import SimpleQueue
from time import perf_counter
from typing import Any, Protocol, TypeVar

from msgspec.structs import replace

from bindings.admission import Lateness, Turns, line_of, overloaded
from bindings.calls import Calls, refusal
from bindings.ports import Sender
from cse.codes import Operation
from cse.errors import InternalServerError
from cse.primitives import Ask, Hold, Notice, Pause, Peer, Request, Response, Steps, Turn, Work
from cse.storage import Store, StoreError

log = logging.getLogger(__name__)
T = TypeVar("T")

_LOOPS = 16
"""Turns of the event loop that a request takes from its socket and back to it."""
_AGAIN = 1.0
"""Seconds after which work is begun again whose commit has failed."""


class Core(Protocol):
    """What the driver runs (cse.core.CSE)."""

    def handle(self, request: Request) -> Steps:
        """Answer a request."""

    def due(self, now: float) -> float | None:
        """Do in write transactions what time has come for; give the seconds until the next call is wanted."""

    def settle(self, outcomes: Sequence[tuple[Notice, bool]]) -> None:
        """Take notices out of the outbox: True answered by their targets, False given up."""

    def begun(self) -> Sequence[Work]:
        """Give what is to run once the writes up to here are durable."""


class _Job:
    """A generator on its way: its request (None for work of this process), who waits for it, and what is to happen after the commit.

    ``work`` makes it anew, for one that nobody waits for.
    """

    __slots__ = ("ask", "ended", "future", "holding", "request", "result", "since", "steps", "work")

    def __init__(self, steps: Generator[Any, tuple[Response, ...], Any], request: Request | None, work: Work | None = None, since: float = 0.0) -> None:
        self.steps = steps
        self.request = request
        self.work = work
        self.since = since
        self.future: asyncio.Future[Any] | None = None
        self.result: Any = None
        self.ended = False
        self.holding = ""
        self.ask: Ask | Pause | None = None


class Driver:
    """Answers requests with a core, in one event loop; ``submit`` is the Handler of the bindings.

    Requests that neither write nor ask are answered inside ``submit``. Writers run one after the other and gather until the loop has no other runnable
    writer; then one commit makes all of them durable in a thread of its own, while reading goes on and new writers queue for the next one. ``batch`` bounds
    the writers of one commit, ``waiting`` those that queue, ``patience`` the seconds that they can be expected to wait: beyond it a request from outside is
    refused at once, and originators have their turns in fair shares (bindings.admission). ``calls`` bounds the requests on their way to others;
    those to the schemes of ``unbounded`` stay in this process: they are not counted, and their senders keep the time.
    With ``flexible`` requests in progress it is ``busy``. ``answered`` hears of each request, its answer and when it came;
    ``committed`` of each commit: how many requests it was for, when it began, whether it succeeded. Both times are those of ``time.perf_counter``.
    """

    def __init__(
        self,
        core: Core,
        store: Store,
        senders: Mapping[str, Sender],
        *,
        deliver: Callable[[Sequence[Notice]], None],
        clock: Callable[[], float],
        batch: int = 256,
        waiting: int = 20_000,
        patience: float = 1.0,
        calls: int = 256,
        flexible: int = 512,
        unbounded: frozenset[str] = frozenset(),
        answered: Callable[[Request, Response, float], None] = lambda request, response, since: None,
        committed: Callable[[int, float, bool], None] = lambda requests, since, well: None,
    ) -> None:
        self._core = core
        self._store = store
        self._calls = Calls(senders, self._inside, calls, unbounded)
        self.send = self._calls.send
        self._deliver = deliver
        self._clock = clock
        self._limit = batch
        self._flexible = flexible
        self._loop = asyncio.get_running_loop()
        self._batch: list[_Job] = []
        self._syncing: list[_Job] = []
        self._begun: Sequence[Work] = ()
        """What the writes that are being committed have begun."""
        self._queue: Turns[_Job] = Turns(batch, waiting, patience)
        self._lateness = Lateness(self._loop.call_later, patience / _LOOPS)
        self._holds: dict[str, deque[_Job]] = {}
        self._committing = False
        self._answered = answered
        self._heard = committed
        self._since = 0.0
        """When the commit that is on its way began."""
        self._failed = 0
        """Commits that have failed since the last that did not."""
        self._scheduled = False
        self._held = 0
        self._open = 0
        self._watchers: list[asyncio.Future[None]] = []
        self._asking: dict[asyncio.Task[None], _Job] = {}
        self._wake = asyncio.Event()
        self._orders: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def submit(self, request: Request) -> Response | asyncio.Future[Response]:
        """Answer a request: at once, or with a future that is resolved when everything it wrote is durable. Never raises."""
        if (self._lateness.late or self._queue.waiting >= self._limit) and not request.peer.internal and (seconds := self._refused(request)):
            return self._told(request, overloaded(request, seconds), perf_counter())
        return self.run(self._core.handle(request), request)

    def _refused(self, request: Request) -> int:
        """Give the seconds after which a request from outside may come again while there is much to do, 0 when it may stay."""
        line = line_of(request)
        if self._lateness.late and (seconds := self._lateness.refused(line)):
            return seconds
        return 0 if request.op is Operation.RETRIEVE else self._queue.refused(line)

    def run(self, steps: Steps, request: Request) -> Response | asyncio.Future[Response]:
        """Run what answers a request, as ``submit`` does."""
        since = perf_counter()
        try:
            effect = next(steps)
        except StopIteration as stop:
            return self._told(request, stop.value, since)
        except Exception as error:
            return self._told(request, self._calls.failed(request, error), since)
        if effect is Turn.WRITE and not request.peer.internal and (seconds := self._queue.refused(line_of(request))):
            steps.close()
            return self._told(request, overloaded(request, seconds), since)
        started: Response | asyncio.Future[Response] = self._start(_Job(steps, request, None, since), effect)
        return started

    def _told(self, request: Request, answer: Response, since: float) -> Response:
        self._answered(request, answer, since)
        return answer

    def begin(self, work: Work) -> None:
        """Run steps beside the requests. When what they wrote cannot be committed they are made anew after a moment."""
        job = _Job(work(), None, work)
        try:
            effect = next(job.steps)
        except StopIteration:
            return
        except Exception:
            log.exception("work beside the requests failed")
            return
        self._advance(job, effect)

    def busy(self) -> bool:
        """Tell whether so many requests are in progress that those that may be answered later should be."""
        return self._open >= self._flexible

    @property
    def queued(self) -> int:
        """Writers that wait for their turn."""
        return self._queue.waiting

    @property
    def progress(self) -> int:
        """Requests that are not answered yet."""
        return self._open

    def _inside(self, request: Request) -> Response | asyncio.Future[Response]:
        """Answer a request of this CSE to what it hosts itself."""
        return self.submit(replace(request, peer=Peer(internal=True)))

    def write(self, work: Callable[[], T]) -> asyncio.Future[T]:
        """Run a plain function while the store takes writes; the future has its result when that is durable, or its exception."""

        def steps() -> Generator[Turn, tuple[Response, ...], T]:
            yield Turn.WRITE
            return work()

        job = _Job(steps(), None)
        started = self._start(job, next(job.steps))
        if isinstance(started, asyncio.Future):
            return started
        future: asyncio.Future[T] = self._loop.create_future()
        if isinstance(started, Exception):
            future.set_exception(started)
        else:
            future.set_result(started)
        return future

    async def exclusive(self, work: Callable[[], T]) -> T:
        """Run a function that commits by itself (start-up, reset) while nothing is written or being committed."""
        self._held += 1
        try:
            while self._committing or self._batch:
                await self._watch()
            return work()
        finally:
            self._held -= 1
            self._resume()

    async def settle(self, outcomes: Sequence[tuple[Notice, bool]]) -> bool:
        """Take notices out of the outbox; False when the store refused it (the log says why) and they are still there."""
        try:
            await self.write(lambda: self._core.settle(outcomes))
        except StoreError:
            return False
        except Exception:
            log.exception("%d notifications could not be taken out of the outbox", len(outcomes))
            return False
        return True

    async def timers(self) -> None:
        """Let the core do what is due, for ever: when it said, at ``wake()``, and once a second, because a request may have set an earlier time."""
        while True:
            self._wake.clear()
            try:
                delay = await self.write(lambda: self._core.due(self._clock()))
            except StoreError as error:
                log.error("what was due could not be done: %s", error)
                delay = None
            except Exception:
                log.exception("what was due could not be done")
                delay = None
            try:
                async with asyncio.timeout(1.0 if delay is None else min(max(delay, 0.01), 1.0)):
                    await self._wake.wait()
            except TimeoutError:
                pass

    def wake(self) -> None:
        """Let ``timers`` look at once."""
        self._wake.set()

    async def drain(self, grace: float) -> bool:
        """Wait up to ``grace`` seconds until nothing is on its way; False when something still is."""
        try:
            async with asyncio.timeout(grace):
                while self._open or self._committing or self._batch:
                    await self._watch()
        except TimeoutError:
            return False
        return True

    async def close(self) -> None:
        """End what is still being asked, and the thread; no request may follow."""
        self._lateness.close()
        asking = dict(self._asking)
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
        for job in asking.values():
            job.steps.close()
            if job.request is not None and not job.ended:
                job.result = refusal(job.request, InternalServerError("the CSE is stopping"))
                self._resolve(job)
        while self._committing:
            await self._watch()
        if self._thread is not None:
            self._orders.put(None)
            await asyncio.to_thread(self._thread.join)

    def _advance(self, job: _Job, effect: Any) -> None:
        """Let a job go on from its first effect."""
        if isinstance(effect, Hold):
            if self._taken(job, effect.key):
                self._step(job, (), False)
        elif self._granted(job, effect, False):
            self._step(job, (), True)

    def _start(self, job: _Job, effect: Any) -> Any:
        self._advance(job, effect)
        if job.ended:
            return job.result
        job.future = self._loop.create_future()
        self._open += 1
        return job.future

    def _step(self, job: _Job, value: tuple[Response, ...], wrote: bool) -> None:
        """Run a job until it waits or ends. ``wrote``: it has the write turn, so its answer belongs to the next commit."""
        while True:
            try:
                effect = job.steps.send(value)
            except StopIteration as stop:
                job.result = stop.value
            except Exception as error:
                job.result = error if job.request is None else self._calls.failed(job.request, error)
                if job.work is not None:
                    log.error("work beside the requests failed", exc_info=error)
            else:
                value = ()
                if isinstance(effect, Hold):
                    if self._taken(job, effect.key):
                        continue
                    return
                if not self._granted(job, effect, wrote):
                    return
                wrote = True
                continue
            if wrote and self._store.pending:
                self._join(job)
            else:
                self._resolve(job)
            return

    def _granted(self, job: _Job, effect: Any, wrote: bool) -> bool:
        """Give the write turn now if it can be had; otherwise arrange for the job to go on later."""
        if effect is Turn.WRITE:
            if wrote or not (self._committing or self._held or len(self._batch) >= self._limit):
                return True
            self._queue.append(line_of(job.request), job)
        elif wrote and self._store.pending:
            job.ask = effect
            self._join(job)
        else:
            self._ask(job, effect)
        return False

    def _taken(self, job: _Job, key: str) -> bool:
        """Let a job hold a key, or wait for it. One that holds another does not wait: two of them could wait for each other for ever."""
        waiting = self._holds.get(key)
        if waiting is None:
            if not job.holding:
                self._holds[key] = deque()
                job.holding = key
            return True
        if job.holding:
            return True
        waiting.append(job)
        return False

    def _release(self, key: str) -> None:
        waiting = self._holds[key]
        if waiting:
            job = waiting.popleft()
            job.holding = key
            self._loop.call_soon(self._step, job, (), False)
        else:
            del self._holds[key]

    def _join(self, job: _Job) -> None:
        self._batch.append(job)
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._commit)

    def _resolve(self, job: _Job) -> None:
        job.ended = True
        if job.request is not None:
            self._answered(job.request, job.result, job.since)
        if job.holding:
            self._release(job.holding)
        if job.future is None:
            return
        self._open -= 1
        if not job.future.done():
            if isinstance(job.result, Exception):
                job.future.set_exception(job.result)
            else:
                job.future.set_result(job.result)
        if not self._open:
            self._notify()

    def _commit(self) -> None:
        """Begin the commit of the batch: the disk is waited for in the thread."""
        self._scheduled = False
        if self._committing or not self._batch:
            return
        self._committing = True
        self._queue.committing()
        self._since = perf_counter()
        self._syncing, self._batch = self._batch, []
        self._begun = self._core.begun()
        try:
            self._store.flush()
            if not self._store.durable:
                self._store.sync()
        except Exception as error:
            self._committed(error)
            return
        if not self._store.durable:
            self._committed(None)
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="commit", daemon=True)
            self._thread.start()
        self._orders.put(self._store.sync)

    def _work(self) -> None:
        while (order := self._orders.get()) is not None:
            failure: Exception | None = None
            try:
                order()
            except Exception as error:
                failure = error
            self._loop.call_soon_threadsafe(self._committed, failure)

    def _committed(self, error: Exception | None) -> None:
        """End a commit: answer its requests, and let the writers run that have queued meanwhile."""
        jobs, self._syncing = self._syncing, []
        begun, self._begun = self._begun, ()
        notices: list[Notice] = []
        try:
            if error is None:
                notices = self._store.publish()
            else:
                self._store.discard()
        except Exception as another:
            error = error or another
        self._committing = False
        self._queue.committed()
        self._heard(len(jobs), self._since, error is None)
        self._resume()
        if self._batch and self._store.durable:
            self._commit()
        if error is not None:
            self._undone(jobs, error)
        else:
            if self._failed:
                log.warning("changes are committed again; %d commits have failed", self._failed)
                self._failed = 0
            if notices:
                self._deliver(notices)
            for job in jobs:
                if job.ask is not None:
                    asked, job.ask = job.ask, None
                    self._ask(job, asked)
                else:
                    self._resolve(job)
            for work in begun:
                self.begin(work)
        self._notify()

    def _undone(self, jobs: Sequence[_Job], error: Exception) -> None:
        self._failed += 1
        if not isinstance(error, StoreError):
            log.error("a commit of %d requests failed", len(jobs), exc_info=error)
        elif self._failed == 1:
            log.error("a commit of %d requests failed; others that follow are not told: %s", len(jobs), error)
        for job in jobs:
            job.steps.close()
            job.result = error if job.request is None else refusal(job.request, error)
            self._resolve(job)
            if job.work is not None:
                self._loop.call_later(_AGAIN, self.begin, job.work)

    def _resume(self) -> None:
        while self._queue.waiting and not (self._committing or self._held or len(self._batch) >= self._limit):
            job, started = self._queue.next(), perf_counter()
            self._step(job, (), True)
            self._queue.charge(perf_counter() - started)

    def _watch(self) -> asyncio.Future[None]:
        """Give a future for the next end of a commit or of all requests."""
        future: asyncio.Future[None] = self._loop.create_future()
        self._watchers.append(future)
        return future

    def _notify(self) -> None:
        if self._watchers:
            watchers, self._watchers = self._watchers, []
            for watcher in watchers:
                if not watcher.done():
                    watcher.set_result(None)

    def _ask(self, job: _Job, ask: Ask | Pause) -> None:
        task = self._loop.create_task(self._carried(job, ask))
        self._asking[task] = job
        task.add_done_callback(self._asking.pop)

    async def _carried(self, job: _Job, ask: Ask | Pause) -> None:
        if isinstance(ask, Pause):
            await asyncio.sleep(ask.seconds)
            self._step(job, (), False)
            return
        deadline = self._loop.time() + ask.seconds
        self._step(job, await self._calls.ask(ask.calls, deadline), False)
