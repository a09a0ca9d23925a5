"""Empties the outbox: every notice is delivered at least once, in order per target, or given up by policy and said so."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from cse.codes import Operation
from cse.codes import ResponseStatusCode as RSC
from cse.config import setting
from cse.primitives import CHANNEL, Call, Notice, Request, Response, refused
from cse.storage import Reader, StoreError

log = logging.getLogger(__name__)

PAGE = 1000
LOOK = 1.0
"""Longest time in seconds after which a change of schedules is noticed."""
_POLLED = f"{CHANNEL}:"


@dataclass(frozen=True, slots=True)
class Policy:
    """How notifications are delivered; times in seconds."""

    timeout: float = setting(10.0, "Time a target has to answer a notification.")
    first_retry: float = setting(1.0, "Pause after the first failure of a target.")
    retry_factor: float = setting(2.0, "Every further failure makes the pause longer by this factor.")
    longest_retry: float = setting(60.0, "Longest pause between two attempts.")
    jitter: float = setting(0.25, "Share of a pause that is random, so that targets are not retried in step: 0.25 is 25 % up or down.")
    max_age: float = setting(86_400.0, "A notification is given up when its target fails and it is older than this.")
    max_attempts: int = setting(0, "A notification is given up after so many attempts; 0 for no limit but its age.")
    concurrency: int = setting(512, "Targets that are delivered to at the same time; a quarter as many failing ones beside them.")
    memory: int = setting(128, "Notifications held in memory for one target; the rest stays in the store until its turn.")
    settle_delay: float = setting(0.05, "Longest time after which a delivered notification leaves the outbox; a crash within it means a repetition.")
    settle_batch: int = setting(200, "So many delivered notifications leave the outbox without waiting for that time.")

    def pause(self, failures: int, random: float) -> float:
        """Give the seconds to wait after so many failures in a row; ``random`` is in [0, 1)."""
        pause = min(self.first_retry * self.retry_factor ** min(failures - 1, 30), self.longest_retry)
        return pause * (1 + self.jitter * (2 * random - 1))


class _Line:
    """The notices of one target. ``last``: id of the newest taken from the store; ``more``: there are newer ones in the store.

    ``late``: its target was closed until now.
    """

    __slots__ = ("attempts", "failures", "head", "last", "late", "more", "queue", "resting", "target", "task")

    def __init__(self, target: str, last: int, late: bool = False) -> None:
        self.target = target
        self.last = last
        self.late = late
        self.more = late
        self.queue: deque[Notice] = deque()
        self.failures = 0
        self.head = 0
        self.attempts = 0
        self.resting = False
        self.task: asyncio.Task[None] | None = None

    def rewind(self) -> None:
        """Let what waits be read from the store again, where it may have changed."""
        if self.queue:
            self.last = self.queue[0].id - 1
            self.more = True
            self.queue.clear()


@dataclass(frozen=True, slots=True)
class _Shut:
    """A target that is closed by its schedule. look: when to look at it again. last: id of the newest notice that is done. schedules: their number then."""

    look: float
    last: int
    schedules: int


async def _nothing(_: str) -> None:
    """Keep everything."""


class Courier:
    """Delivers what the outbox holds.

    reader: the store. route: the URLs of a target, in order of preference. send: delivers a call within seconds and answers with a Response whatever
    happens. inside: delivers a notice that is for this process itself, and takes it out of the outbox by that; None when it is for others.
    settle: takes outcomes (True answered by the target, False given up) out of the outbox, False when it could not. random: in [0, 1). park: takes a target
    over, with its URL, that fetches its notices from a polling channel. opens: when a target can be reached by its schedule, 0.0 when it can now.
    rescheduled: another number when schedules have changed. missed: told of a target that could not be reached, before it is tried again, when more than one
    notice waits: it may drop some.

    One notice a target is under way at a time; what this CSE hosts itself takes all that wait, and after a failure those behind it once more. A 2xxx answer
    is a delivery. When the target cannot be reached, does not answer in time or answers 5xxx or 6xxx, the notice is tried again after a pause that grows, and
    its successors wait behind it. A 4xxx answer (but 4008) refuses this very notice: repeating it would change nothing, so it is given up at once and the
    next one has its turn. A target that is closed by its schedule is neither tried nor handed to its channel before it opens; no more than its address is kept
    in memory until then, and only what grows too old is given up.
    """

    def __init__(
        self,
        reader: Reader,
        *,
        route: Callable[[str], tuple[str, ...]],
        send: Callable[[Call, float], Awaitable[Response]],
        settle: Callable[[Sequence[tuple[Notice, bool]]], Awaitable[bool]],
        policy: Policy,
        release: str,
        clock: Callable[[], float],
        random: Callable[[], float],
        opens: Callable[[str], float] = lambda _: 0.0,
        rescheduled: Callable[[], int] = lambda: 0,
        missed: Callable[[str], Awaitable[object]] = _nothing,
        park: Callable[[str, str], None] = lambda url, target: None,
        inside: Callable[[Notice, Request], Response | Awaitable[Response] | None] = lambda notice, request: None,
    ) -> None:
        self._reader = reader
        self._route = route
        self._send = send
        self._settle = settle
        self._policy = policy
        self._release = release
        self._clock = clock
        self._random = random
        self._opens = opens
        self._rescheduled = rescheduled
        self._missed = missed
        self._shut: dict[str, _Shut] = {}
        self._watching: asyncio.Task[None] | None = None
        self._park = park
        self._inside = inside
        self.outcomes = {"delivered": 0, "failed": 0, "given_up": 0}
        """How often each has happened."""
        self._lines: dict[str, _Line] = {}
        self._healthy = asyncio.Semaphore(policy.concurrency)
        self._doubtful = asyncio.Semaphore(max(1, policy.concurrency // 4))
        self._outcomes: list[tuple[Notice, bool]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._settling: asyncio.Task[None] | None = None
        self._loading = False
        self._closing = False

    @property
    def failing(self) -> int:
        """Targets whose last delivery failed."""
        return sum(line.failures > 0 for line in self._lines.values())

    async def load(self) -> None:
        """Take up what an earlier process left in the outbox. Deliveries begin when all of it was looked at: none may run ahead of the looking."""
        self._loading, after = True, 0
        while page := self._reader.notices(after, PAGE):
            self._take(page)
            after = page[-1].id
            await asyncio.sleep(0)
        self._loading = False
        for line in self._lines.values():
            self._begin(line)

    def offer(self, notices: Sequence[Notice]) -> None:
        """Take notices that were just committed, in order of their id."""
        if not self._loading:
            self._take(notices)

    def recheck(self, url: str) -> None:
        """Give up the targets that are waited with after a failure and are reached at the URL of a polling channel by now."""
        now = self._clock()
        for line in [line for line in self._lines.values() if line.resting and self._route(line.target) == (url,) and self._opens(line.target) <= now]:
            if line.task is not None:
                line.task.cancel()
            del self._lines[line.target]
            self._park(url, line.target)

    def resume(self, target: str) -> None:
        """Take up all that waits in the outbox for a target, which another has cared for."""
        if target not in self._lines and target not in self._shut and not self._closing:
            line = self._lines[target] = _Line(target, 0)
            line.more = True
            self._begin(line)

    def forget(self) -> None:
        """Drop everything: the outbox was emptied."""
        for line in self._lines.values():
            if line.task is not None:
                line.task.cancel()
        self._lines.clear()
        self._shut.clear()
        self._outcomes.clear()

    async def close(self, grace: float) -> None:
        """Let deliveries under way end within ``grace`` seconds, and settle what was delivered; the rest waits in the outbox for the next start."""
        self._closing = True
        if self._watching is not None:
            self._watching.cancel()
        tasks = [line.task for line in self._lines.values() if line.task is not None]
        for line in self._lines.values():
            if line.resting and line.task is not None:
                line.task.cancel()
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=grace)
            for task in late:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if self._settling is not None:
            await self._settling
        if self._timer is not None:
            self._timer.cancel()
        if self._outcomes:
            await self._settle(self._outcomes)

    def _take(self, notices: Sequence[Notice]) -> None:
        if self._closing:
            return
        for notice in notices:
            if notice.target in self._shut:
                continue  # it is read from the store when the target opens
            line = self._lines.get(notice.target)
            if line is None:
                line = self._lines[notice.target] = _Line(notice.target, notice.id - 1)
                if not self._loading:
                    self._begin(line)
            if notice.id <= line.last:
                continue  # read from the store already, which may show a commit a moment before it is told
            if line.more or len(line.queue) >= self._policy.memory:
                line.more = True
            else:
                line.queue.append(notice)
                line.last = notice.id

    def _begin(self, line: _Line) -> None:
        line.task = asyncio.get_running_loop().create_task(self._run(line))

    async def _run(self, line: _Line) -> None:
        """Deliver to one target until nothing is left for it; a store that cannot be read is asked again after a pause."""
        said = False
        try:
            while not self._closing:
                try:
                    await self._deliver(line)
                    return
                except StoreError as error:
                    if not said:
                        log.error("notifications to %s wait: the store cannot be read: %s", line.target, error)
                    said = True
                    line.rewind()
                    await self._rest(line, self._policy.longest_retry)
        finally:
            if self._lines.get(line.target) is line:
                del self._lines[line.target]

    async def _deliver(self, line: _Line) -> None:
        while not self._closing and self._next(line) and not self._shuts(line):
            if line.late:
                line.late = False
                await self._missed(line.target)
                line.rewind()
                continue
            pool = self._doubtful if line.failures else self._healthy
            notice = line.queue[0]
            urls = self._route(line.target)
            if urls and urls[0].startswith(_POLLED):
                self._park(urls[0], line.target)
                return
            if notice.due > self._clock():
                await self._rest(line, notice.due - self._clock())
            async with pool:
                line.resting = False
                answers, settled = await self._attempts(line)
            for answer in answers:
                notice = line.queue[0]
                if answer.ok:
                    line.failures = 0
                    line.queue.popleft()
                    self.outcomes["delivered"] += 1
                    log.info("notified %s for %s: %d", notice.target, notice.subscription, answer.rsc)
                    if not settled:
                        self._settled(notice, True)
                elif refused(answer):
                    line.failures = 0
                    self._give_up(line, notice, answer, None if settled else True)
                else:
                    await self._failed(line, notice, answer)
                    break

    def _next(self, line: _Line) -> bool:
        """Make sure the line has a notice at its head, from the store where there are more; False when it is done. Raises StoreError."""
        if not line.queue and line.more:
            page = self._reader.notices(line.last, self._policy.memory, target=line.target)
            line.queue.extend(page)
            line.more = len(page) == self._policy.memory
            if page:
                line.last = page[-1].id
        return bool(line.queue)

    def _shuts(self, line: _Line) -> bool:
        """End a line whose target is closed by its schedule: it begins anew when the target opens, schedules change, or its oldest notice grows too old."""
        now, opens = self._clock(), self._opens(line.target)
        if opens <= now:
            return False
        answer = Response(RSC.TARGET_NOT_REACHABLE, pc={"m2m:dbg": "closed by its schedule"})
        while self._next(line) and line.queue[0].created <= now - self._policy.max_age:
            self._give_up(line, line.queue[0], answer)
        if line.queue:
            oldest = line.queue[0]
            look = min(opens, oldest.created + self._policy.max_age, now + self._policy.longest_retry)
            self._shut[line.target] = _Shut(look, oldest.id - 1, self._rescheduled())
            if not line.late:
                log.info("notifications to %s wait: it is closed by its schedule", line.target)
            if self._watching is None:
                self._watching = asyncio.get_running_loop().create_task(self._watch())
        return True

    async def _watch(self) -> None:
        """Begin the lines of closed targets anew when it is time to look at them."""
        try:
            while self._shut:
                await asyncio.sleep(min(max(min(shut.look for shut in self._shut.values()) - self._clock(), 0.001), LOOK))
                try:
                    now, schedules = self._clock(), self._rescheduled()
                except StoreError:
                    continue  # requests tell of it; it is looked at again
                for target, shut in list(self._shut.items()):
                    if shut.look <= now or shut.schedules != schedules:
                        del self._shut[target]
                        line = self._lines[target] = _Line(target, shut.last, late=True)
                        self._begin(line)
        finally:
            self._watching = None

    async def _attempts(self, line: _Line) -> tuple[Sequence[Response], bool]:
        """Deliver the notice at the head of a line; give its answer, and whether a final one has left the outbox already.

        What this CSE hosts itself gets as many as wait, which it takes in their order and in one commit.
        """
        head = line.queue[0]
        told = self._inside(head, self._request(head))
        if told is None:
            return (await self._send(Call(self._request(head), self._route(line.target)), self._policy.timeout),), False
        begun = [told, *(self._inside(notice, self._request(notice)) for notice in list(line.queue)[1:] if notice.due <= head.due)]
        return [each if isinstance(each, Response) else await each for each in begun if each is not None], True

    def _request(self, notice: Notice) -> Request:
        return Request(op=Operation.NOTIFY, to=notice.target, fr=notice.fr, rqi=notice.rqi, rvi=self._release, pc=notice.content, ec=notice.ec)

    async def _failed(self, line: _Line, notice: Notice, answer: Response) -> None:
        """Give up what the policy no longer bears; otherwise rest, and read the line anew, because the core may have replaced notices meanwhile."""
        line.attempts = line.attempts + 1 if line.head == notice.id else 1
        line.head = notice.id
        line.failures += 1
        self.outcomes["failed"] += 1
        if line.failures == 1:
            log.warning("notifications to %s wait: %s", line.target, _reason(answer))
        if line.attempts == self._policy.max_attempts:
            self._give_up(line, notice, answer)
        while self._next(line) and line.queue[0].created < self._clock() - self._policy.max_age:
            self._give_up(line, line.queue[0], answer)
        if line.more or len(line.queue) > 1:
            await self._missed(line.target)
        if line.queue and not self._closing:
            line.rewind()
            await self._rest(line, self._policy.pause(line.failures, self._random()))

    async def _rest(self, line: _Line, seconds: float) -> None:
        line.resting = True
        await asyncio.sleep(seconds)

    def _give_up(self, line: _Line, notice: Notice, answer: Response, answered: bool | None = False) -> None:
        """Let the next one have its turn; ``answered`` is None for a notice that has left the outbox already."""
        line.queue.popleft()
        self.outcomes["given_up"] += 1
        log.warning("gave up notifying %s for %s: %s", notice.target, notice.subscription or "no subscription", _reason(answer))
        if answered is not None:
            self._settled(notice, answered)

    def _settled(self, notice: Notice, answered: bool) -> None:
        self._outcomes.append((notice, answered))
        if len(self._outcomes) >= self._policy.settle_batch:
            self._flush()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._policy.settle_delay, self._flush)

    def _flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._settling is None and self._outcomes:
            self._settling = asyncio.get_running_loop().create_task(self._settle_all())

    async def _settle_all(self) -> None:
        try:
            outcomes, self._outcomes = self._outcomes, []
            if not await self._settle(outcomes):
                self._outcomes[:0] = outcomes
        finally:
            self._settling = None
        if self._outcomes and self._timer is None and not self._closing:
            self._timer = asyncio.get_running_loop().call_later(max(self._policy.settle_delay, 0.05), self._flush)


def _reason(answer: Response) -> str:
    """Give an answer's code and its debugging text, where it has one."""
    text = answer.pc.get("m2m:dbg") if isinstance(answer.pc, dict) else None
    return f"{answer.rsc:d} {text}" if text else f"{answer.rsc:d} {answer.rsc.name}"
