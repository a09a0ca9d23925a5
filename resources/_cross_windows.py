"""The time windows of a crossResourceSubscription, and what counts at their end (TS-0001 9.6.58, 10.2.16; TS-0004 7.5.1.2.18).

A window is ``{"from": seconds since the epoch, "seen": sources that have reported, "told": whether it was notified of}``, a value of JSON. Periodic windows
follow one another; a sliding one starts with the first event (before it ``from`` is None), and a full set ends it.
"""

from collections.abc import Mapping
from typing import Any

from cse.codes import EventEvaluationMode as Mode
from cse.codes import TimeWindowType
from cse.datatypes import duration_seconds

Window = Mapping[str, Any]

OF_MISSING = frozenset({Mode.ALL_OR_SOME_EVENTS_MISSING, Mode.ALL_EVENTS_MISSING, Mode.SOME_EVENTS_MISSING})
"""Modes that only the end of a periodic window can decide."""


def first(attributes: Mapping[str, Any], now: float) -> Window:
    """Give the window that a subscription begins with."""
    return _empty(now if attributes["twt"] == TimeWindowType.PERIODIC_WINDOW else None)


def _empty(start: float | None) -> Window:
    return {"from": start, "seen": [], "told": False}


def mode(attributes: Mapping[str, Any]) -> int:
    """Give eventEvaluationMode, all events present unless it says another."""
    found: int = attributes.get("eem", Mode.ALL_EVENTS_PRESENT)
    return found


def turned(attributes: Mapping[str, Any], window: Window, sources: int, now: float) -> tuple[Window, bool]:
    """Give the window of the moment, and whether the one that has ended by now is to be notified of.

    Windows that have passed unobserved, while the CSE was down, are not judged.
    """
    start, size = window["from"], duration_seconds(attributes["tws"])
    if start is None or now < start + size:
        return window, False
    met = not window["told"] and _met(mode(attributes), len(window["seen"]), sources)
    periodic = attributes["twt"] == TimeWindowType.PERIODIC_WINDOW
    return _empty(start + (now - start) // size * size if periodic else None), met


def _met(mode: int, seen: int, sources: int) -> bool:
    match mode:
        case Mode.ALL_EVENTS_PRESENT:
            return seen == sources
        case Mode.ALL_OR_SOME_EVENTS_PRESENT:
            return seen > 0
        case Mode.ALL_OR_SOME_EVENTS_MISSING:
            return seen < sources
        case Mode.ALL_EVENTS_MISSING:
            return seen == 0
        case _:
            return 0 < seen < sources


def reported(attributes: Mapping[str, Any], window: Window, source: str, sources: int, now: float) -> tuple[Window, bool]:
    """Give the window after an event of a source, and whether it is to be notified of at once: the set is full, and that decides."""
    if window["told"] or source in window["seen"]:
        return window, False
    seen = [*window["seen"], source]
    full = len(seen) == sources and mode(attributes) not in OF_MISSING
    if full and attributes["twt"] == TimeWindowType.SLIDING_WINDOW:
        return _empty(None), True
    return {"from": now if window["from"] is None else window["from"], "seen": seen, "told": full}, full


def decides(attributes: Mapping[str, Any], window: Window) -> float | None:
    """Give the end of the window when something is decided there, None when only events decide."""
    partial = mode(attributes) == Mode.ALL_OR_SOME_EVENTS_PRESENT and window["seen"] and not window["told"]
    if window["from"] is None or not (partial or mode(attributes) in OF_MISSING):
        return None
    end: float = window["from"] + duration_seconds(attributes["tws"])
    return end
