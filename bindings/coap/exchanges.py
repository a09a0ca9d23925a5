"""Memory of answered messages: a retransmission is answered again, and never executed again (RFC 7252 4.2, 4.3 and 4.5)."""

from collections import deque
from collections.abc import Callable

LIFETIME = 247.0
"""EXCHANGE_LIFETIME in seconds (RFC 7252 4.8.2): so long a message ID must not be taken for a new one."""
PATIENCE = 93.0
"""MAX_TRANSMIT_WAIT in seconds: nobody waits longer for an answer to a confirmable message."""
_SLICES = 8
_OVERHEAD = 40


class _Slice:
    """The exchanges that began in one stretch of time."""

    __slots__ = ("answers", "ended", "octets", "started")

    def __init__(self, started: float) -> None:
        self.started = started
        self.ended = started
        self.answers: dict[str, bytes] = {}
        self.octets = 0


class Exchanges:
    """Which messages came within the last EXCHANGE_LIFETIME, and what answered them, in bounded memory.

    A busy server sees some 500,000 messages in that time. So an exchange is two things here: a key (about 150 bytes), kept for the whole time, and the
    answer's datagram, kept for as long as anybody waits for it or until ``octets`` of them are there. A duplicate whose answer is gone is known, thus not
    executed, and not answered. Exchanges are dropped by slices of time, which costs nothing per exchange. When there are ``most`` of them, those that
    nobody can be waiting for are forgotten first; when there are none of these, `begin` refuses: deduplication is never given up for a newer request.

    A key is a text of peer and message ID; a tuple would take three times the memory.
    """

    def __init__(self, clock: Callable[[], float], most: int, octets: int) -> None:
        self._clock = clock
        self._most = most
        self._octets = octets
        self._slices = deque([_Slice(clock())])
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def octets(self) -> int:
        """How many bytes the answers take that are kept now."""
        return sum(each.octets for each in self._slices)

    def find(self, key: str) -> bytes | None:
        """Give the datagram that answered the message: None when the message is new, b"" when it is known but there is nothing to send."""
        current = self._slices[-1]
        if self._clock() - current.started >= LIFETIME / _SLICES or current.octets * 4 > self._octets:
            self._turn()
        for each in reversed(self._slices):
            answer = each.answers.get(key)
            if answer is not None:
                return answer
        return None

    def begin(self, key: str) -> bool:
        """Remember a new message before it is executed; False when there is no room, and it must not be executed."""
        if self._count >= self._most and not self._make_room():
            return False
        self._slices[-1].answers[key] = b""
        self._count += 1
        return True

    def keep(self, key: str, answer: bytes) -> None:
        """Keep the datagram that answers the message and its duplicates; an empty Acknowledgement while the answer is on its way by itself."""
        for each in reversed(self._slices):
            before = each.answers.get(key)
            if before is not None:
                each.answers[key] = answer
                each.octets += len(answer) + _OVERHEAD - (len(before) + _OVERHEAD if before else 0)
                return

    def _turn(self) -> None:
        """Begin a slice; forget the slices that are over, and the answers that nobody waits for or that are too many."""
        now = self._clock()
        self._slices[-1].ended = now
        self._slices.append(_Slice(now))
        while self._slices[0].ended + LIFETIME <= now and len(self._slices) > 1:
            self._count -= len(self._slices.popleft().answers)
        kept = self.octets
        for each in self._slices:
            if each.octets and (each.ended + PATIENCE <= now or kept * 4 > self._octets * 3) and each is not self._slices[-1]:
                kept -= each.octets
                each.answers = dict.fromkeys(each.answers, b"")
                each.octets = 0

    def _make_room(self) -> bool:
        """Forget the oldest slice when nobody can be waiting for an answer to its messages."""
        oldest = self._slices[0]
        if len(self._slices) == 1 or oldest.ended + PATIENCE > self._clock():
            return False
        self._count -= len(self._slices.popleft().answers)
        return True
