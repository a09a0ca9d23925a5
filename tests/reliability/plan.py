"""What the long forms of these tests are told, and how a server is watched meanwhile."""

import time
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Plan:
    """How long to go on: for some minutes, or for a number of rounds where that is given."""

    minutes: float = 5.0
    rounds: int | None = None

    def turns(self) -> Iterator[int]:
        """Count the rounds until it is enough; there is one at least."""
        end, number = time.monotonic() + self.minutes * 60, 0
        while number == 0 or (number < self.rounds if self.rounds is not None else time.monotonic() < end):
            yield number
            number += 1
