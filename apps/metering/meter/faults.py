"""Faults that the simulation puts on a device (section 10): each for a number of uses or a time, perhaps only after a status."""

from collections.abc import Callable
from dataclasses import dataclass, replace

NAMES = frozenset({"register", "store", "send", "apply", "retrieve", "display", "confirm", "interact", "silence", "noAck", "diagnostic"})


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. left: uses that remain, None for any number. until: when it ends, None for never. after: the status that starts it, "" when it has started.

    mark: what was there when it started: the number of the newest thing to be written.
    """

    name: str
    left: int | None = None
    duration: float | None = None
    until: float | None = None
    after: str = ""
    mark: int = 0


class Faults:
    """The faults of one device. ``newest`` gives the number of the newest thing to be written: what was put before a fault still goes out."""

    def __init__(self, now: Callable[[], float], newest: Callable[[], int] = lambda: 0) -> None:
        self._now, self._newest = now, newest
        self._faults: dict[str, Fault] = {}

    def set(self, name: str, *, count: int | None = None, duration: float | None = None, after: str = "") -> None:
        """Put a fault on; without count and duration it stays until it is cleared."""
        until = None if duration is None or after else self._now() + duration
        self._faults[name] = Fault(name, count, duration, until, after, self._newest())

    def go_on(self, before: "Faults") -> None:
        """Have the faults that the device had before it was switched off."""
        self._faults |= before._faults

    def clear(self, name: str) -> None:
        """Take a fault off."""
        self._faults.pop(name, None)

    def active(self, name: str) -> bool:
        """Tell whether a fault is on."""
        fault = self._faults.get(name)
        if fault is None or fault.after:
            return False
        if fault.until is not None and self._now() >= fault.until:
            del self._faults[name]
            return False
        return True

    def use(self, name: str) -> bool:
        """Tell whether a fault is on, and count one use of it."""
        if not self.active(name):
            return False
        fault = self._faults[name]
        if fault.left is not None:
            if fault.left <= 1:
                del self._faults[name]
            else:
                self._faults[name] = replace(fault, left=fault.left - 1)
        return True

    def mark(self, name: str) -> int:
        """Give what was there when a fault started."""
        return self._faults[name].mark

    def happened(self, status: str) -> None:
        """Start the faults that wait for a status."""
        for name, fault in list(self._faults.items()):
            if fault.after == status:
                until = None if fault.duration is None else self._now() + fault.duration
                self._faults[name] = replace(fault, after="", until=until, mark=self._newest())

    def ends(self) -> float | None:
        """Give when the next fault ends by itself, so that what it held up goes on."""
        moments = [fault.until for fault in self._faults.values() if fault.until is not None]
        return min(moments, default=None)
