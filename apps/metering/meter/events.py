"""What a meter records of errors, interference, malfunction and state, and who is told of it (sections 6 and 7)."""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from apps.metering.memory import Kept
from apps.metering.outbox import Outbox
from apps.metering.tree import Identity
from apps.metering.vocabulary import CONTAINER_OF, organisation, stamp
from cse.management import LogStatus

KEPT = 10_000
"""Events that the meter itself remembers, as many as each container has."""

_LOGGED = 50
"""Security events in the node's eventLog; all of them are in events/security."""


class Events:
    """The events of one meter."""

    def __init__(self, identity: Identity, kept: Kept, outbox: Outbox, now: Callable[[], float], base: str) -> None:
        self._identity, self._kept, self._outbox, self._now, self._base = identity, kept, outbox, now, base

    def record(
        self,
        kind: str,
        detail: str,
        *,
        severity: str = "error",
        command: str = "",
        flow: str = "",
        told: Iterable[str] = (),
        extra: dict[str, Any] | None = None,
    ) -> str:
        """Record an event of a type and give its evtId; ``told`` are AE-IDs of organisations that get a copy as alert."""
        container = CONTAINER_OF[kind]
        identifier = f"{self._identity.name}-E{self._kept.number('event')}"
        event: dict[str, Any] = {"evtId": identifier, "type": kind, "ts": stamp(self._now()), "severity": severity}
        event |= {name: value for name, value in (("cmdId", command), ("flow", flow)) if value}
        event |= {"detail": detail, **(extra or {})}
        self._outbox.put(f"{self._base}/{self._identity.ae}/events/{container}", event)
        self._remember(self._kept.get("count", "event"), event, container)
        if container == "security":
            self._log(event)
        for name in dict.fromkeys(organisation(aei) for aei in told):
            if name:
                self.alert(name, "error", f"{kind}: {detail}", command=command, event=identifier)
        return identifier

    def adopt(self, event: Mapping[str, Any]) -> bool:
        """Remember an event that the head-end has written already; whether it is new."""
        kind, identifier = CONTAINER_OF.get(str(event.get("type"))), str(event.get("evtId", ""))
        if kind is None or not identifier or self._kept.get("adopted", identifier) is not None:
            return False
        self._kept.put("adopted", identifier, self._now())
        self._remember(self._kept.number("event"), event, kind)
        if kind == "security":
            self._log(dict(event))
        return True

    def alert(self, name: str, kind: str, detail: str, *, command: str = "", event: str = "") -> None:
        """Put an alert into the container of an organisation, where it stays until that is reached again."""
        number = self._kept.number("alert")
        alert = {"alertId": f"{self._identity.name}-A{number}", "type": kind, "ts": stamp(self._now()), "meter": self._identity.name}
        alert |= {key: value for key, value in (("cmdId", command), ("evtId", event)) if value}
        self._outbox.put(f"{self._base}/{name}/alerts", {**alert, "detail": detail})

    def history(self, kinds: Iterable[str], since: str = "", until: str = "~") -> list[dict[str, Any]]:
        """Give the events of some containers in a span of time, oldest first."""
        wanted = frozenset(kinds)
        return [event for event in self._kept.all("event").values() if event["kind"] in wanted and since <= event["ts"] <= until]

    def _remember(self, number: int, event: Mapping[str, Any], container: str) -> None:
        self._kept.put("event", f"{number:012}", {**event, "kind": container})
        self._kept.prune("event", f"{max(0, number - KEPT):012}")

    def _log(self, event: dict[str, Any]) -> None:
        """Put an event into the node's log of interference, the newest last."""
        if not self._kept.get("log", "kept", True):
            return
        log = [*self._kept.get("log", "security", []), {name: event.get(name) for name in ("evtId", "type", "ts", "severity")}][-_LOGGED:]
        self._kept.put("log", "security", log)
        target = f"{self._base}/nod-{self._identity.name}/eventLog"
        self._outbox.update(target, "m2m:evl", {"lgd": json.dumps(log, separators=(",", ":")), "lgst": int(LogStatus.STARTED)})

    def keep_log(self, on: bool) -> None:
        """Start or stop the node's log of interference."""
        self._kept.put("log", "kept", on)
        status = LogStatus.STARTED if on else LogStatus.STOPPED
        self._outbox.update(f"{self._base}/nod-{self._identity.name}/eventLog", "m2m:evl", {"lgst": int(status)})
