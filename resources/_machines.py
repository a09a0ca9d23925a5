"""The actions of a management object as state machines: a manager starts them, the AE of the device tells their outcome (TS-0001 annex D)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cse.errors import BadRequest
from cse.management import Status


@dataclass(frozen=True, slots=True)
class Machine:
    """Actions that exclude each other.

    triggers: the attribute that starts each, with its long name; it is true from the start of the action until its outcome is known.
    status: the attribute in which the device tells the outcome; "" when there is none and setting the trigger to false tells it.
    progress: whether ``status`` is an actionStatus, in which the CSE says that the action has started.
    """

    triggers: Mapping[str, str]
    status: str = ""
    progress: bool = True

    def create(self, draft: dict[str, Any]) -> None:
        """Start the action that a new object asks for, unless it comes with the status of that action. Raises BadRequest for two."""
        wanted = self._wanted(draft)
        if wanted and self._tells_progress and draft.get(self.status, {}).get("sus", Status.UNINITIALIZED) == Status.UNINITIALIZED:
            draft[self.status] = self._started(wanted)

    def update(self, before: Mapping[str, Any], changes: dict[str, Any]) -> None:
        """Add to the changes of an UPDATE what follows from them.

        An action that is started takes the place of another one, which has its trigger set to false. An outcome sets all of them to false.
        Raises BadRequest when two are started, or one is started and its outcome told.
        """
        wanted = self._wanted(changes)
        if changes.get(self.status) is not None:
            if wanted and not before.get(wanted):
                raise BadRequest(f"{wanted} ({self.triggers[wanted]}) cannot be started by the request that tells its outcome ({self.status})")
            if self._ended(changes[self.status]):
                changes |= {name: False for name in self.triggers if before.get(name)}
        elif wanted:
            changes |= {name: False for name in self.triggers if name != wanted and before.get(name)}
            if self._tells_progress:
                changes[self.status] = self._started(wanted)

    @property
    def _tells_progress(self) -> bool:
        return bool(self.status) and self.progress

    def _wanted(self, attributes: Mapping[str, Any]) -> str:
        wanted = [name for name in self.triggers if attributes.get(name) is True]
        if len(wanted) > 1:
            raise BadRequest(f"{' and '.join(f'{name} ({self.triggers[name]})' for name in wanted)} contradict each other")
        return wanted[0] if wanted else ""

    def _started(self, name: str) -> dict[str, Any]:
        return {"acn": self.triggers[name], "sus": int(Status.IN_PROCESS)}

    def _ended(self, told: Any) -> bool:
        return not self.progress or told.get("sus", Status.IN_PROCESS) != Status.IN_PROCESS
