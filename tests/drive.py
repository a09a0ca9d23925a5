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
        """Deliver the notices for resources of this CSE, as the courier does; give their answers."""
        answers: list[Response] = []
        while inner := [notice for notice in self.notices if self.cse.route(notice.target) == (INSIDE,)]:
            self.notices = [notice for notice in self.notices if notice not in inner]
            for notice in inner:
                answers.append(self._inside(Request(Operation.NOTIFY, notice.target, notice.fr, notice.rqi, "4", pc=notice.content, ec=notice.ec)))
                self.cse.settle([(notice, answers[-1].ok)])
                self.commit()
        return answers

    def commit(self) -> None:
        """Make what was written visible; collect the notices, and run what it has begun."""
        self.notices.extend(commit(self.store))
        for work in self.cse.begun():
            self.begin(work)

    def pass_time(self, seconds: float) -> None:
        """Turn the clock and let the CSE do what is due."""
        self.seconds += seconds
        while self.cse.due(self.seconds) == 0.0:
            self.commit()
        self.commit()
        due = [steps for moment, steps in self.paused if moment <= self.seconds]
        self.paused = [(moment, steps) for moment, steps in self.paused if moment > self.seconds]
        for steps in due:
            self._run(steps)

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
