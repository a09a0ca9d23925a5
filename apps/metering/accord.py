"""All or nothing for a group of meters: each votes for what it could do, the head-end decides once, and all obey (data model, section 12).

It is a two-phase commit. A meter that has voted waits for the decision however long that takes; so nothing is in force at one member and not at another.
Who belongs together is known by the cmdId: a command that a group fans out is the same at all of its members.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from apps.metering.memory import Kept
from apps.metering.meter.records import key_of

GATHER = 0.7
"""Seconds in which the command is looked for at other meters, after it was seen at the first."""

REMEMBERED = 86_400.0
"""Seconds that a decision is remembered for a meter that votes late."""


class Accord:
    """The rounds of a head-end. A round is {"at", "meters", "voted", "refused", "due", "decision", "detail"}: one command of one issuer.

    groups: names of meters by group. publish: writes a decision where the meters hear of it.
    """

    def __init__(self, kept: Kept, now: Callable[[], float], groups: Mapping[str, Sequence[str]], publish: Callable[[Mapping[str, Any]], None]) -> None:
        self._kept, self._now, self._groups, self._publish = kept, now, groups, publish
        self._rounds: dict[str, dict[str, Any]] = dict(kept.all("round"))

    def seen(self, meter: str, issuer: str, identifier: str, patience: float) -> None:
        """Hear that a meter was sent a command, and in how many seconds it has to have voted."""
        self._round(meter, key_of(issuer, identifier), patience)

    def voted(self, meter: str, issuer: str, identifier: str, patience: float) -> None:
        """Hear that a meter could do it; who votes once more has missed the decision."""
        key = key_of(issuer, identifier)
        found = self._round(meter, key, patience)
        if found["decision"]:
            self._tell(key, found)
        elif meter not in found["voted"]:
            found["voted"].append(meter)
            self._kept.put("round", key, found)

    def ended(self, meter: str, issuer: str, identifier: str, why: str) -> None:
        """Hear that a meter has done with a command: before the decision it has refused."""
        found = self._rounds.get(key := key_of(issuer, identifier))
        if found is not None and not found["decision"]:
            found["refused"][meter] = why
            self._kept.put("round", key, found)

    def due(self, now: float) -> float | None:
        """Decide what can be decided, and give the time when this is to be called again."""
        for key, found in list(self._rounds.items()):
            if found["decision"]:
                if found["at"] + REMEMBERED <= now:
                    del self._rounds[key]
                    self._kept.drop("round", key)
            elif found["at"] + GATHER <= now:
                self._decide(key, found, now)
        waiting = [found for found in self._rounds.values() if not found["decision"]]
        return min((found["due"] if found["at"] + GATHER <= now else found["at"] + GATHER for found in waiting), default=None)

    def _round(self, meter: str, key: str, patience: float) -> dict[str, Any]:
        """Give the round of a command. A meter that is sent a command after that was decided for others has a round with those that are so too."""
        found = self._rounds.get(key)
        if found is None or (found["decision"] and meter not in found["meters"]):
            now = self._now()
            found = {"at": now, "meters": [], "voted": [], "refused": {}, "due": now + max(patience, GATHER), "decision": "", "detail": ""}
        if meter not in found["meters"]:
            found["meters"].append(meter)
        self._rounds[key] = found
        self._kept.put("round", key, found)
        return found

    def _decide(self, key: str, found: dict[str, Any], now: float) -> None:
        members = self._members(found["meters"])
        silent = [meter for meter in members if meter not in found["voted"] and meter not in found["refused"]]
        if found["refused"]:
            detail = "; ".join(f"{meter} {why}" for meter, why in found["refused"].items())
        elif not silent:
            detail = ""
        elif now < found["due"]:
            return
        else:
            detail = f"{', '.join(silent)} did not answer"
        found |= {"meters": members, "decision": "abort" if detail else "commit", "detail": detail}
        self._kept.put("round", key, found)
        if found["voted"]:
            self._tell(key, found)

    def _members(self, meters: Sequence[str]) -> list[str]:
        """Give who belongs together: all of the smallest group that has these meters; a meter alone is no group."""
        having = [list(group) for group in self._groups.values() if set(meters) <= set(group)] if len(meters) > 1 else []
        return min(having, key=len, default=list(meters))

    def _tell(self, key: str, found: Mapping[str, Any]) -> None:
        issuer, _, identifier = key.partition("\n")
        self._publish({"cmdId": identifier, "issuer": issuer, "members": found["meters"], "decision": found["decision"], "detail": found["detail"]})
