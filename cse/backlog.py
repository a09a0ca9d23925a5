"""How many notifications may be stored for each target: an upper bound that is known without asking the store."""

from math import inf

_TARGETS = 50_000


class Backlog:
    """Counts what is added; what is taken away shows when somebody counts anew. Of a target that nobody has counted yet there may be any number."""

    def __init__(self) -> None:
        self._most: dict[str, float] = {}

    def add(self, target: str) -> float:
        """Count one more for a target and give how many there are at most."""
        found = self._most[target] = self._most.get(target, inf) + 1
        return found

    def counted(self, target: str, number: int) -> None:
        """Take the number of a target that was counted."""
        if len(self._most) > _TARGETS:
            self._most.clear()
        self._most[target] = number
