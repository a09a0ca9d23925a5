"""Histories of concurrent clients of one container, and whether they are linearisable (Herlihy and Wing 1990).

A history is linearisable when each request can be given one moment between its sending and its answer, so that all answers are those of one client that does
one thing after the other at these moments. The search is that of Wing and Gong with Lowe's memory of what was tried.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class State:
    """A container as the standard has it: contents with their sizes, oldest first; stateTag; maxNrOfInstances, 0 for none."""

    instances: tuple[tuple[str, int], ...] = ()
    tag: int = 0
    most: int = 0

    def counters(self) -> tuple[int, int, int]:
        """Give stateTag, currentNrOfInstances and currentByteSize."""
        return self.tag, len(self.instances), sum(size for _, size in self.instances)

    def limited(self) -> "State":
        """Drop the oldest until the limit is kept."""
        return replace(self, instances=self.instances[-self.most :]) if self.most else self


@dataclass(frozen=True, slots=True)
class Event:
    """One request and its answer. sent, answered: moments of one clock. what: a key of ``DO``. given: what was sent. told: what the answer said."""

    sent: float
    answered: float
    what: str
    given: Any
    told: Any


def _put(state: State, given: tuple[str, int]) -> tuple[State, Any]:
    after = replace(state, instances=(*state.instances, given), tag=state.tag + 1).limited()
    return after, after.tag


def _limit(state: State, given: int) -> tuple[State, Any]:
    after = replace(state, most=given, tag=state.tag + 1).limited()
    return after, after.counters()


def _read(state: State, _: None) -> tuple[State, Any]:
    return state, state.counters()


def _latest(state: State, _: None) -> tuple[State, Any]:
    return state, state.instances[-1][0] if state.instances else None


def _oldest(state: State, _: None) -> tuple[State, Any]:
    return state, state.instances[0][0] if state.instances else None


def _list(state: State, _: None) -> tuple[State, Any]:
    return state, tuple(content for content, _ in state.instances)


def _take_latest(state: State, _: None) -> tuple[State, Any]:
    if not state.instances:
        return state, None
    return replace(state, instances=state.instances[:-1], tag=state.tag + 1), state.instances[-1][0]


def _take_oldest(state: State, _: None) -> tuple[State, Any]:
    if not state.instances:
        return state, None
    return replace(state, instances=state.instances[1:], tag=state.tag + 1), state.instances[0][0]


DO: dict[str, Callable[[State, Any], tuple[State, Any]]] = {
    "put": _put,
    "limit": _limit,
    "read": _read,
    "latest": _latest,
    "oldest": _oldest,
    "list": _list,
    "take latest": _take_latest,
    "take oldest": _take_oldest,
}
"""What each request does to a container, and what its answer says: ``put`` the new stateTag, ``limit`` and ``read`` the counters, the others contents."""


def order_of(history: Sequence[Event], start: State) -> list[Event] | None:
    """Give an order in which the requests of a history can have happened, None when there is none: then it is not linearisable."""
    events = sorted(history, key=lambda event: event.sent)
    tried: set[tuple[int, State]] = set()
    order: list[int] = []
    stack = [(0, start, _possible(events, 0, start))]
    while len(order) < len(events):
        done, state, candidates = stack[-1]
        if not candidates:
            stack.pop()
            if not stack:
                return None
            order.pop()
            continue
        index = candidates.pop()
        after, _ = DO[events[index].what](state, events[index].given)
        key = (done | 1 << index, after)
        if key not in tried:
            tried.add(key)
            order.append(index)
            stack.append((*key, _possible(events, *key)))
    return [events[index] for index in order]


def _possible(events: Sequence[Event], done: int, state: State) -> list[int]:
    """Give the requests that can be next: sent before every answer that is still to come, and answered as this state would; one that changes nothing alone."""
    found: list[tuple[int, bool]] = []
    horizon = float("inf")
    index = (~done & (done + 1)).bit_length() - 1  # everything before the first one that is left has happened
    while index < len(events) and events[index].sent <= horizon:
        event = events[index]
        if not done >> index & 1:
            horizon = min(horizon, event.answered)
            after, told = DO[event.what](state, event.given)
            if told == event.told:
                found.append((index, after == state))
        index += 1
    possible = [(each, idle) for each, idle in found if events[each].sent <= horizon]
    return next(([each] for each, idle in possible if idle), [each for each, _ in possible])
