"""Drive the core without a loop: for tests of the service layer itself."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from msgspec.structs import replace

from bindings.definitions import load
from bindings.serve import resource_types
from cse.codes import Operation
from cse.codes import ResponseStatusCode as RSC
from cse.config import Settings
from cse.core import CSE
from cse.primitives import INSIDE, Ask, Call, Notice, Pause, Peer, Request, Response, Steps, Work
from cse.storage import Store, commit, open_store

Answer = Callable[[Call], Response]

TYPES = resource_types(load())
"""The resource types as they are served, with the classes of flexContainer that are shipped."""


def agree(call: Call) -> Response:
    """Answer every call with 2000."""
    return Response(RSC.OK, call.request.rqi)


@dataclass
class Driven:
    """A CSE on a store with a clock that tests turn, and everything it asked and notified."""

    settings: Settings = field(default_factory=lambda: Settings(acp_create_open=True, expiration_check_interval=0.001))
    store: Store = field(default_factory=lambda: open_store("memory:", frozenset(kind.ty for kind in TYPES if kind.instance)))
    answer: Answer = agree
    seconds: float = 1_750_000_000.0
    asked: list[Call] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    paused: list[tuple[float, Steps]] = field(default_factory=list)
    """What waits for a time, and until when."""
    hands_over: bool = True
    """Whether notices for the CSE itself are delivered at each commit, not by ``hand_over``."""
    handed: list[Response] = field(default_factory=list)
    waiting: list[Notice] = field(default_factory=list)
    """Notices for the CSE itself that are not due yet."""
    failed: list[Notice] = field(default_factory=list)
    """Notices for the CSE itself that could not be delivered."""

    def __post_init__(self) -> None:
        self._numbers = count(1)
        self.cse = CSE(self.store, TYPES, self.settings, lambda: self.seconds, lambda: f"r{next(self._numbers)}")
        self.cse.bootstrap()

    def request(self, request: Request) -> Response:
        """Answer one request, with a commit before each question and at the end."""
        response = self._run(self.cse.handle(request))
        assert response is not None, "a request that pauses is for ``begin``"
        return response

    def begin(self, work: Work) -> None:
        """Run what nobody waits for; when it pauses it goes on with the time that passes."""
        self._run(work())

    def _run(self, steps: Steps) -> Response | None:
        told: tuple[Response, ...] = ()
        try:
            while True:
                effect = steps.send(told) if told else next(steps)
                told = ()
                if isinstance(effect, Pause):
                    self.paused.append((self.seconds + effect.seconds, steps))
                    return None
                if isinstance(effect, Ask):
                    self.commit()
                    self.asked.extend(call for call in effect.calls if call.urls != (INSIDE,))
                    told = tuple(self._inside(call.request) if call.urls == (INSIDE,) else self.answer(call) for call in effect.calls)
        except StopIteration as end:
            self.commit()
            response: Response = end.value
            return response

    def _inside(self, request: Request) -> Response:
        return self.request(replace(request, peer=Peer(internal=True)))

    def hand_over(self) -> list[Response]:
        """Deliver what is for the CSE itself, where that is not done by itself; give the answers."""
        self.handed = []
        notices, self.notices, self.hands_over = self.notices, [], True
        self._deliver(notices)
        self.hands_over = False
        return self.handed

    def commit(self) -> None:
        """Make what was written visible; collect the notices, deliver those that are for the CSE itself, as the courier does, and run what was begun."""
        self._deliver(commit(self.store))
        for work in self.cse.begun():
            self.begin(work)

    def _deliver(self, notices: list[Notice]) -> None:
        for notice in notices:
            steps = self.cse.inside(notice)
            if steps is None or not self.hands_over:
                self.notices.append(notice)
            elif notice.due > self.seconds:
                self.waiting.append(notice)
            else:
                told = self._run(steps)
                assert told is not None
                self.handed.append(told)
                self.failed += [] if told.ok else [notice]

    def pass_time(self, seconds: float) -> None:
        """Turn the clock and let the CSE do what is due."""
        self.seconds += seconds
        while self.cse.due(self.seconds) == 0.0:
            self.commit()
        self.commit()
        ready = [steps for moment, steps in self.paused if moment <= self.seconds]
        self.paused = [(moment, steps) for moment, steps in self.paused if moment > self.seconds]
        for steps in ready:
            self._run(steps)
        due, self.waiting = self.waiting, []
        self._deliver(due)

    def create(self, to: str, ty: int, pc: Any, fr: str | None = "CAdmin", **more: Any) -> Response:
        return self.request(Request(Operation.CREATE, to, fr, f"q{next(self._numbers)}", "4", ty=ty, pc=pc, **more))

    def retrieve(self, to: str, fr: str = "CAdmin", **more: Any) -> Response:
        return self.request(Request(Operation.RETRIEVE, to, fr, f"q{next(self._numbers)}", "4", **more))

    def update(self, to: str, pc: Any, fr: str = "CAdmin", **more: Any) -> Response:
        return self.request(Request(Operation.UPDATE, to, fr, f"q{next(self._numbers)}", "4", pc=pc, **more))

    def delete(self, to: str, fr: str = "CAdmin", **more: Any) -> Response:
        return self.request(Request(Operation.DELETE, to, fr, f"q{next(self._numbers)}", "4", **more))

    def taken(self) -> Iterator[Notice]:
        """Give the notices since the last call."""
        found, self.notices = self.notices, []
        return iter(found)
