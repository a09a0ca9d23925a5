"""Observers of resources (RFC 7641): who asked with Observe is told what has changed, after it is durable, and with the rights that he has then."""

import asyncio
from collections import deque
from collections.abc import Callable, Container
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Any, Protocol

from bindings.coap import mapping
from bindings.coap.mapping import Reply
from bindings.coap.message import Answer, Message, Type, encode, uint
from bindings.coap.options import MAX_AGE, OBSERVE
from bindings.ports import Handler
from cse.errors import CSEError
from cse.primitives import Request, Response

Address = Any

ACK_RANDOM_FACTOR, MAX_RETRANSMIT = 1.5, 4
FRESH = 3600
"""Max-Age in seconds of what is observed: who has heard nothing for so long registers again."""
CONFIRMED = 20
"""Of those who asked without wanting an acknowledgement, the first notification and every so manieth is confirmable, to see that they are there (4.5)."""
DAY = 86_400.0
"""Seconds after which the next notification is confirmable in any case (4.5)."""
_AT_ONCE = 100
"""Observers that are told before others have their turn."""
_AGAIN = 1.0
"""Seconds after which a representation is asked for again that the CSE had no time for."""


class Source(Protocol):
    """What tells of changes (cse.core.CSE). observed: resources of which it is to tell. told: is told of those that have changed, and of others with them."""

    observed: Container[str]
    told: Callable[[set[str]], None]

    def observable(self, request: Request) -> str | None:
        """Give the resource whose changes change what a request retrieves, None for what cannot be observed."""


@dataclass(frozen=True, slots=True)
class Observing:
    """What observation needs of the CSE. settled: gives a future that is done when all is durable, or has failed, that was written before."""

    source: Source
    settled: Callable[[], asyncio.Future[None]]


@dataclass(slots=True, eq=False)
class Observer:
    """One entry of the list of observers. ``shape`` makes a whole answer what goes into one message."""

    address: Address
    token: bytes
    confirmable: bool
    request: Request
    reply: Reply
    ri: str
    shape: Callable[[Answer], Answer]
    said: tuple[int, bytes] = (0, b"")
    """Code and payload of the last notification: what is the same is not told again."""
    told: int = 0
    confirmed: float = 0.0
    """When the last confirmable notification was sent, by the clock of the loop."""
    mid: int = -1
    """Message ID of the last notification; ``waiting`` when it is to be acknowledged."""
    waiting: asyncio.TimerHandle | None = field(default=None)
    dirty: bool = False


class Observers:
    """All observers of one socket, ``most`` at the same time.

    Changes are told when they are durable; several that come together are told once, and to an observer who has not acknowledged the last notification the next
    goes when he has (4.5.1): he is told of the last state, not of each. Who answers with Reset, acknowledges nothing, deregisters, or may no longer read what
    he observes is forgotten; so are all when the process ends, and register again when what they have is no longer fresh.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        observing: Observing,
        handler: Handler,
        send: Callable[[bytes, Address], None],
        number: Callable[[], int],
        *,
        most: int,
        timeout: float,
    ) -> None:
        self._loop = loop
        self._source = observing.source
        self._settled = observing.settled
        self._handler = handler
        self._send = send
        self._number = number
        self._most = most
        self._timeout = timeout
        self._random = Random()
        self._sequence = 1
        self._found: dict[tuple[Address, bytes], Observer] = {}
        self._of: dict[str, dict[tuple[Address, bytes], Observer]] = {}
        self._sent: dict[tuple[Address, int], Observer] = {}
        self._dirty: deque[Observer] = deque()
        self._scheduled = False
        self._source.observed = self._of
        self._source.told = self._changed

    def __len__(self) -> int:
        return len(self._found)

    def register(self, message: Message, address: Address, reply: Reply, request: Request, answer: Answer, shape: Callable[[Answer], Answer]) -> Answer:
        """Enter who asked for a representation and gets ``answer``; give it with Observe, or as it is when he cannot be entered (4.1)."""
        key = (address, message.token)
        self.forget(*key)
        ri = self._source.observable(request) if answer.code >> 5 == 2 and len(self._found) < self._most else None
        if ri is None:
            return answer
        observer = Observer(address, message.token, message.type == Type.CON, request, reply, ri, shape, (answer.code, answer.payload))
        self._found[key] = observer
        self._of.setdefault(ri, {})[key] = observer
        self._settled().add_done_callback(partial(self._check, observer))  # what was being committed as he came was not noted for anybody
        return self._numbered(answer)

    def forget(self, address: Address, token: bytes) -> None:
        """Take an observer out, if he is there."""
        observer = self._found.pop((address, token), None)
        if observer is None:
            return
        others = self._of[observer.ri]
        del others[address, token]
        if not others:
            del self._of[observer.ri]
        self._settle(observer)

    def answered(self, address: Address, mid: int, reset: bool) -> None:
        """Take an Acknowledgement or a Reset; most are of no notification."""
        observer = self._sent.get((address, mid))
        if observer is None:
            return
        if reset:
            self.forget(address, observer.token)
            return
        self._settle(observer)
        if observer.dirty:
            self._enqueue(observer)

    def close(self) -> None:
        """Forget all."""
        for address, token in list(self._found):
            self.forget(address, token)

    def _settle(self, observer: Observer) -> None:
        """Wait for no answer to the last notification any more."""
        self._sent.pop((observer.address, observer.mid), None)
        if observer.waiting is not None:
            observer.waiting.cancel()
            observer.waiting = None

    def _numbered(self, answer: Answer) -> Answer:
        self._sequence = (self._sequence + 1) & 0xFFFFFF
        options = [option for option in answer.options if option[0] != MAX_AGE]
        options += [(OBSERVE, uint(self._sequence)), (MAX_AGE, uint(FRESH))]
        return answer._replace(options=tuple(sorted(options, key=lambda option: option[0])))

    def _changed(self, touched: set[str]) -> None:
        for ri in touched:
            for observer in self._of.get(ri, {}).values():
                self._spoil(observer)

    def _check(self, observer: Observer, settled: asyncio.Future[None]) -> None:
        if not settled.cancelled() and settled.exception() is None:
            self._spoil(observer)

    def _spoil(self, observer: Observer) -> None:
        if not observer.dirty:
            observer.dirty = True
            if observer.waiting is None:
                self._enqueue(observer)

    def _enqueue(self, observer: Observer) -> None:
        self._dirty.append(observer)
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._look)

    def _look(self) -> None:
        """Tell some of those for whom something may have changed."""
        for _ in range(min(_AT_ONCE, len(self._dirty))):
            observer = self._dirty.popleft()
            if self._found.get((observer.address, observer.token)) is not observer:
                continue
            observer.dirty = False
            told = self._handler(observer.request)
            if isinstance(told, Response):
                self._tell(observer, told)
            else:
                asyncio.ensure_future(told).add_done_callback(partial(self._told, observer))
        self._scheduled = bool(self._dirty)
        if self._scheduled:
            self._loop.call_soon(self._look)

    def _told(self, observer: Observer, task: asyncio.Future[Response]) -> None:
        if not task.cancelled() and task.exception() is None:
            self._tell(observer, task.result())

    def _tell(self, observer: Observer, told: Response) -> None:
        """Send what has changed; a refusal ends the observation (4.2)."""
        if self._found.get((observer.address, observer.token)) is not observer:
            return
        if told.retry is not None:
            observer.dirty = True
            self._loop.call_later(_AGAIN, self._enqueue, observer)
            return
        try:
            answer = mapping.response(told, observer.reply)
        except CSEError as error:
            answer = mapping.failure(error, observer.reply)
        if (answer.code, answer.payload) == observer.said:
            return
        if observer.waiting is not None:
            observer.dirty = True
            return
        observer.said = answer.code, answer.payload
        ended = answer.code >> 5 != 2
        part = observer.shape(answer if ended else self._numbered(answer))
        now = self._loop.time()
        confirmable = observer.confirmable or ended or observer.told % CONFIRMED == 0 or now - observer.confirmed >= DAY
        observer.confirmed = now if confirmable else observer.confirmed
        observer.told += 1
        self._sent.pop((observer.address, observer.mid), None)
        observer.mid = self._number()
        self._sent[observer.address, observer.mid] = observer
        datagram = encode(Message(Type.CON if confirmable else Type.NON, part.code, observer.mid, observer.token, part.options, part.payload))
        if ended:
            self.forget(observer.address, observer.token)
            self._send(datagram, observer.address)
        elif confirmable:
            self._repeat(observer, datagram, self._timeout * self._random.uniform(1, ACK_RANDOM_FACTOR), MAX_RETRANSMIT)
        else:
            self._send(datagram, observer.address)

    def _repeat(self, observer: Observer, datagram: bytes, timeout: float, times: int) -> None:
        """Send a confirmable notification, again until it is acknowledged, and forget who does not acknowledge it (4.5)."""
        self._send(datagram, observer.address)
        if times:
            observer.waiting = self._loop.call_later(timeout, self._repeat, observer, datagram, timeout * 2, times - 1)
        else:
            observer.waiting = self._loop.call_later(timeout, self.forget, observer.address, observer.token)
