"""Memory of answered messages: a retransmission is answered again, and never executed again (RFC 7252 4.2, 4.3 and 4.5)."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

LIFETIME = 247.0
"""EXCHANGE_LIFETIME in seconds (RFC 7252 4.8.2): so long a message ID must not be taken for a new one."""
PATIENCE = 93.0
"""MAX_TRANSMIT_WAIT in seconds: nobody waits longer for an answer to a confirmable message."""
_SLICE = LIFETIME / 8
_OVERHEAD = 140
"""Bytes that keeping an answer takes beside the answer."""


@dataclass(slots=True)
class _Seen:
    """Keys of the messages that came in one stretch of time; ``ended`` is when it was over."""

    started: float
    ended: float = 0.0
    keys: set[str] = field(default_factory=set)


@dataclass(slots=True)
class _Answers:
    """Answers by key that were given in one stretch of time, and the memory they take."""

    started: float
    ended: float = 0.0
    datagrams: dict[str, bytes] = field(default_factory=dict)
    octets: int = 0


class Exchanges:
    """Which messages came within the last EXCHANGE_LIFETIME, and what answered them, in bounded memory.

    A busy server sees some 500,000 messages in that time. So an exchange is two things here: a key (about 130 bytes), kept for the whole time, and the
    answer's datagram, kept for as long as anybody waits for it or until ``octets`` of them are there. A duplicate whose answer is gone is known, thus not
    executed, and not answered. Both are dropped by slices of time, which costs nothing per exchange. When there are ``most`` keys, those that nobody can
    be waiting for are forgotten first; when there are none of these, `begin` refuses: deduplication is never given up for a newer request.

    A key is a text of peer and message ID; a tuple would take three times the memory.
    """

    def __init__(self, clock: Callable[[], float], most: int, octets: int) -> None:
        self._clock = clock
        self._most = most
        self._octets = octets
        self._seen = deque([_Seen(clock())])
        self._answers = deque([_Answers(clock())])
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def octets(self) -> int:
        """How many bytes the answers take that are kept now."""
        return sum(each.octets for each in self._answers)

    def find(self, key: str) -> bytes | None:
        """Give the datagram that answered the message: None when the message is new, b"" when it is known but there is nothing to send."""
        now = self._clock()
        if now - self._seen[-1].started >= _SLICE:
            self._turn(now)
        for seen in self._seen:
            if key in seen.keys:
                return next((each.datagrams[key] for each in reversed(self._answers) if key in each.datagrams), b"")
        return None

    def begin(self, key: str) -> bool:
        """Remember a new message before it is executed; False when there is no room, and it must not be executed."""
        if self._count >= self._most:
            if self._seen[0].ended + PATIENCE > self._clock() or len(self._seen) == 1:
                return False
            self._count -= len(self._seen.popleft().keys)
        self._seen[-1].keys.add(key)
        self._count += 1
        return True

    def keep(self, key: str, answer: bytes) -> None:
        """Keep the datagram that answers a message that was begun and its duplicates; an empty Acknowledgement while the answer goes by itself."""
        if not any(key in seen.keys for seen in self._seen):
            return
        current = self._answers[-1]
        if current.octets * 4 > self._octets:
            current = self._turn_answers(self._clock())
        current.datagrams[key] = answer
        current.octets += len(answer) + _OVERHEAD

    def _turn(self, now: float) -> None:
        """Begin new slices, and forget the messages whose lifetime is over."""
        self._seen[-1].ended = now
        self._seen.append(_Seen(now))
        while self._seen[0].ended + LIFETIME <= now and len(self._seen) > 1:
            self._count -= len(self._seen.popleft().keys)
        self._turn_answers(now)

    def _turn_answers(self, now: float) -> _Answers:
        """Begin a new slice of answers, and drop those that nobody waits for or that are too many."""
        self._answers[-1].ended = now
        while self._answers and (self._answers[0].ended + PATIENCE <= now or self.octets * 4 > self._octets * 3):
            self._answers.popleft()
        self._answers.append(_Answers(now))
        return self._answers[-1]
