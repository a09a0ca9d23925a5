"""The shell of every simulated entity: power, link, sockets, timers; the entity itself is a core that knows none of them."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from typing import Protocol
from urllib.parse import urlsplit

from apps.client import Client, Inbox, Notification
from apps.metering.clock import Clock
from apps.metering.memory import Kept
from apps.metering.outbox import Outbox
from cse.errors import CSEError, OriginatorError, RequestTimeout, TargetNotReachable

log = logging.getLogger(__name__)

FIRST_PAUSE, LONGEST_PAUSE = 0.2, 2.0
"""Seconds between two attempts to reach the CSE."""


@dataclass(frozen=True, slots=True)
class Setup:
    """What an entity sets itself up with: its client, and the URL where it is notified; a path may be added to it."""

    client: Client
    url: str


class SwitchedOff(Exception):
    """An entity has switched itself off, once everything it had to write was written."""


class Broken(Exception):
    """An entity has made a mistake while it took something."""


class Core(Protocol):
    """An entity without sockets and clocks. All calls are synchronous but ``set_up`` and ``work``.

    ``receive`` takes a notification before it is acknowledged; ``rest`` is the path behind the entity's URL. ``due`` does what is due and gives the time of the
    next call, None for none.
    """

    name: str
    outbox: Outbox

    async def set_up(self, setup: Setup) -> None:
        """Register, and ensure resources and subscriptions."""
        ...

    def start(self) -> None:
        """Begin, once what ``set_up`` makes is there."""
        ...

    async def work(self, setup: Setup) -> None:
        """Do what needs the client beside the outbox, as long as it is on; most have nothing."""
        ...

    def receive(self, rest: str, notification: Notification) -> None:
        """Take a notification."""
        ...

    def due(self, now: float) -> float | None:
        """Do what is due."""
        ...


class Post:
    """Where the entities of one process are notified, over HTTP and CoAP. Who is off or cut off is not reached.

    One listener serves HTTP. Over CoAP a CSE has one notification at a time under way to a port (RFC 7252 4.7, NSTART), so there are several where there are
    many entities. ``kept`` remembers the ports: what a CSE still has to tell when the process has ended goes to where it was.
    """

    def __init__(self, kept: Kept, coaps: int = 1) -> None:
        self._receivers: dict[str, Callable[[str, Notification], None]] = {}
        self._kept = kept
        self._inboxes: list[Inbox] = []
        """That of HTTP first."""
        self._names = ("http", *(f"coap {number}" for number in range(coaps)))
        self._dealt = count()

    async def __aenter__(self) -> "Post":
        for name in self._names:
            self._inboxes.append(await self._listen(Inbox.coap if self._inboxes else Inbox.http, name))
        return self

    async def _listen(self, make: Callable[..., Inbox], name: str) -> Inbox:
        """Listen where it was before, elsewhere when somebody else is there now."""
        try:
            inbox = await make(port=self._kept.get("port", name, 0), receive=self._take).__aenter__()
        except OSError:
            inbox = await make(receive=self._take).__aenter__()
        self._kept.put("port", name, urlsplit(inbox.url).port)
        return inbox

    async def __aexit__(self, *error: object) -> None:
        for inbox in reversed(self._inboxes):
            await inbox.__aexit__(None, None, None)

    def url(self, coap: bool) -> str:
        """Give the URL of a listener, those over CoAP in turn."""
        coaps = self._inboxes[1:]
        return coaps[next(self._dealt) % len(coaps)].url if coap else self._inboxes[0].url

    def open(self, name: str, receive: Callable[[str, Notification], None]) -> None:
        """Let an entity be reached."""
        self._receivers[name] = receive

    def close(self, name: str) -> None:
        """Let it be reached no more."""
        self._receivers.pop(name, None)

    def _take(self, notification: Notification) -> None:
        name, _, rest = notification.path.strip("/").partition("/")
        receive = self._receivers.get(name)
        if receive is None:
            raise TargetNotReachable(f"{name} is off")
        receive(rest, notification)


class Device:
    """One entity that can be switched on and off, and cut off; what it remembers outlives both."""

    def __init__(self, name: str, build: Callable[[], Core], connect: Callable[[], Client], post: Post, clock: Clock, *, coap: bool = False) -> None:
        self.name = name
        self.core: Core | None = None
        self.linked = True
        self.ready = asyncio.Event()
        self._build, self._connect, self._post, self._clock, self.coap = build, connect, post, clock, coap
        self._task: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._mail = asyncio.Event()
        self._broken = asyncio.Event()

    @property
    def on(self) -> bool:
        """Whether it is switched on."""
        return self._task is not None

    def power_on(self) -> None:
        """Switch it on: it finds what it remembers, and goes on."""
        if self._task is None:
            self.core = self._built()
            self._task = asyncio.create_task(self._run(self.core), name=self.name)

    async def power_off(self) -> None:
        """Switch it off at once."""
        task = self._task
        self._off()
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    def _off(self) -> None:
        self._task = None
        self._post.close(self.name)
        self.ready.clear()
        self.core = None

    def link(self, up: bool) -> None:
        """Cut it off from everybody, or join it again."""
        self.linked = up
        if self.core is not None:
            self.core.outbox.linked = up
        self.poke()

    def _built(self) -> Core:
        core = self._build()
        core.outbox.linked = self.linked
        return core

    def poke(self) -> None:
        """Let it look again at what it can do now."""
        self._wake.set()
        self._mail.set()

    async def _run(self, core: Core) -> None:
        """Live; a mistake of its own restarts an entity, since what it remembers is sound where a turn was not finished."""
        while True:
            try:
                await self._live(core)
            except (OSError, CSEError) as error:
                log.warning("%s begins again: %s", self.name, error)
            except ExceptionGroup as failed:
                if failed.subgroup(SwitchedOff) is not None:
                    self._off()
                    return
                log.exception("%s begins again", self.name)
            self._post.close(self.name)
            await asyncio.sleep(LONGEST_PAUSE)
            core = self.core = self._built()

    async def _live(self, core: Core) -> None:
        async with self._connect() as client:
            core.outbox.wake = self._mail.set
            self._post.open(self.name, self._received)
            setup = Setup(client, f"{self._post.url(self.coap)}/{self.name}")
            await self._set_up(core, setup)
            core.start()
            self._broken.clear()
            self.ready.set()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(core.work(setup))
                tasks.create_task(self._mend())
                tasks.create_task(self._time(core))
                tasks.create_task(self._write(core.outbox, client))

    async def _set_up(self, core: Core, setup: Setup) -> None:
        pause = FIRST_PAUSE
        while True:
            try:
                if self.linked:
                    await core.set_up(setup)
                    return
            except (TargetNotReachable, RequestTimeout) as failed:
                log.info("%s waits for the CSE: %s", self.name, failed)
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    def _received(self, rest: str, notification: Notification) -> None:
        if self.core is None or not self.linked:
            raise TargetNotReachable(f"{self.name} is cut off")
        try:
            self.core.receive(rest, notification)
        except CSEError:
            raise
        except Exception:
            # what it holds in hand may differ from what it remembers: it is made anew from its memory, and told again
            self._broken.set()
            raise
        self._wake.set()

    async def _mend(self) -> None:
        await self._broken.wait()
        raise Broken(f"{self.name} could not take a notification")

    async def _time(self, core: Core) -> None:
        while True:
            self._wake.clear()
            following = core.due(self._clock.now())
            waiting = asyncio.ensure_future(self._wake.wait())
            try:
                if following is None:
                    await waiting
                    continue
                passing = asyncio.ensure_future(self._clock.wait(following - self._clock.now()))
                try:
                    await asyncio.wait({waiting, passing}, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    passing.cancel()
            finally:
                waiting.cancel()

    async def _write(self, outbox: Outbox, client: Client) -> None:
        pause = FIRST_PAUSE
        while True:
            self._mail.clear()
            item = outbox.head()
            if item is None:
                await self._mail.wait()
                continue
            try:
                await outbox.send(client, item)
            except OriginatorError as refused:
                if not isinstance(refused, RequestTimeout | TargetNotReachable):
                    log.warning("%s could not write to %s: %s", self.name, item.target, refused)
                    outbox.acknowledged(item)
                    continue
                outbox.failed(item)
            except CSEError as failed:
                log.info("%s waits to write to %s: %s", self.name, item.target, failed)
                outbox.failed(item)
            else:
                outbox.acknowledged(item)
                self._wake.set()
                pause = FIRST_PAUSE
                continue
            self._wake.set()
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)
