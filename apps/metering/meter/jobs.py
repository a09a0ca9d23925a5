"""What a meter has to do at certain times, remembered across restarts."""

from collections.abc import Mapping
from typing import Any

from apps.metering.memory import Kept


class Jobs:
    """The times of one meter: each has a name and, where it needs one, a value."""

    def __init__(self, kept: Kept) -> None:
        self._kept = kept
        self._jobs: dict[str, tuple[float, Mapping[str, Any]]] = {name: (job["at"], job["value"]) for name, job in kept.all("job").items()}

    def set(self, name: str, at: float, value: Mapping[str, Any] | None = None) -> None:
        """Have something done at a time, in the place of an earlier one of that name. What stands before a colon says what: ``report:once``."""
        self._jobs[name] = (at, value or {})
        self._kept.put("job", name, {"at": at, "value": value or {}})

    def drop(self, name: str) -> None:
        """Have it not done any more."""
        if self._jobs.pop(name, None) is not None:
            self._kept.drop("job", name)

    def has(self, name: str) -> bool:
        """Tell whether something is to be done."""
        return name in self._jobs

    def names(self) -> list[str]:
        """Give the names of what is to be done."""
        return list(self._jobs)

    def take(self, now: float) -> list[tuple[str, Mapping[str, Any]]]:
        """Give what is due, by its time, and forget it."""
        found = sorted((at, name) for name, (at, _) in self._jobs.items() if at <= now)
        taken = [(name, self._jobs[name][1]) for _, name in found]
        for _, name in found:
            self.drop(name)
        return taken

    def following(self) -> float | None:
        """Give the next time."""
        return min((at for at, _ in self._jobs.values()), default=None)
