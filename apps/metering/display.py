"""The in-home display (section 8): shows what meters send, and what the consumer does with it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from apps.client import Notification
from apps.metering.entity import Entity, container, content
from apps.metering.memory import Kept
from apps.metering.meter.faults import Faults
from apps.metering.outbox import DOCUMENT, document
from apps.metering.vocabulary import REMOVALS
from cse.codes import NotificationEventType as Net
from cse.datatypes import seconds_of

BANNERS = 10
"""Events that are shown at most; the newest stay."""

SAVED = 1_000
"""Saved messages that are known, as many as ``saved`` has."""

FIGURES = ("consumed", "generated", "power", "credit", "mode", "rate", "price", "supplyState")

_SHOWN = ("cmdId", "start", "end", "device", "action", "value", "area", "priority", "removable", "lang")
"""What an item has of its message beside what every item has."""


class Display(Entity):
    """One display. meters: names of the meters of the premise; the figures are those of the first."""

    app = "Nsm.display"

    def __init__(self, premise: str, meters: Sequence[str], kept: Kept, now: Callable[[], float], base: str = "cse-in") -> None:
        super().__init__(f"ihd-{premise}", kept, now, base)
        self.faults = Faults(now)
        self._meters = tuple(meters)
        self._items: dict[str, dict[str, Any]] = dict(kept.get("screen", "items", {}))
        self._banners: list[dict[str, Any]] = kept.get("screen", "banners", [])
        self._late: list[dict[str, Any]] = kept.get("screen", "late", [])
        self._figures: dict[str, Any] = kept.get("screen", "figures", {})

    @property
    def own(self) -> Sequence[tuple[str, int, str, Mapping[str, Any], str]]:
        """The containers of section 8."""
        shown = f"acp-{self.name}-shown"
        places = [("inbox", f"acp-{self.name}-in"), ("screen", shown), ("actions", f"acp-{self.name}-actions"), ("saved", shown), ("state", shown)]
        return [container(name, policy) for name, policy in places]

    @property
    def watched(self) -> Sequence[tuple[str, str, Mapping[str, Any]]]:
        """What meters send, what the consumer does, and the present values of the first meter."""
        found: list[tuple[str, str, Mapping[str, Any]]] = [(self.place(name), name, {}) for name in ("inbox", "actions")]
        return [*found, *((f"{self.base}/mtr-{meter}/live", "live", {"events": [Net.UPDATE_OF_RESOURCE]}) for meter in self._meters[:1])]

    def start(self) -> None:
        """Show again what was shown, and say that the display is there."""
        with self.kept.turn():
            self.outbox.put(self.place("state"), {"ts": self.ts(), "online": True})
            self._expire()
            self._show()

    def hear(self, rest: str, notification: Notification) -> None:
        """Take a message, an action or figures."""
        if rest == "live":
            values = notification.resource.attributes if notification.resource is not None else {}
            figures = {name: values[name] for name in FIGURES if name in values}
            if figures != self._figures:
                self._figures = figures
                self._show()
            return
        told = content(notification)
        if rest == "actions":
            self._act(told)
        elif self.faults.use("display"):
            # what meters ask to be shown now is lost; what is only to be known is shown when the display works again
            self._late += [dict(told)] if told.get("kind") == "notice" else []
            self.kept.put("screen", "late", self._late)
        else:
            self._take(told)

    def _take(self, message: Mapping[str, Any]) -> None:
        self._catch_up()
        identifier = str(message.get("msgId", ""))
        if message.get("withdraw"):
            if self._items.pop(identifier, None) is None:
                return
        elif message.get("kind") == "notice":
            self._banner(message)
        elif identifier and not self._passed(message):
            shown = {"msgId": identifier, "kind": message.get("kind"), "title": message.get("title"), "text": message.get("text")}
            shown |= {"answers": message.get("answers", []), "shownAt": self.ts(), "validUntil": message.get("validUntil"), "viewed": False, "answer": None}
            for old in [name for name, item in self._items.items() if message.get("replaces") and item.get("cmdId") == message["replaces"]]:
                del self._items[old]
            self._items[identifier] = shown | {name: message[name] for name in _SHOWN if name in message}
        self._show()

    def _banner(self, message: Mapping[str, Any]) -> None:
        banner = {"ts": message.get("ts") or self.ts(), "type": message.get("type", "notice"), "text": message.get("text", "")}
        self._banners = [*self._banners, banner][-BANNERS:]

    def _catch_up(self) -> None:
        """Show what was to be known while the display did not work."""
        if self._late and not self.faults.active("display"):
            for message in self._late:
                self._banner(message)
            self._late = []
            self.kept.put("screen", "late", [])

    def _act(self, told: Mapping[str, Any]) -> None:
        """Do with an item what the consumer wants: mark it, keep it, take it away."""
        identifier, action = str(told.get("msgId", "")), told.get("action")
        item = self._items.get(identifier)
        if action in REMOVALS:
            if item is not None and item.get("removable") is False:
                return
            if identifier in self.kept.get("screen", "saved", {}):
                self._unsave(identifier)
            if self._items.pop(identifier, None) is not None:
                self._show()
            return
        if item is None:
            return
        answered = {} if action in ("view", "save") else {"answer": action}
        # what is saved unread is still unread: viewing is told apart (use case 10)
        self._items[identifier] = item = {**item, "viewed": item["viewed"] or action != "save", **answered}
        if action == "save":
            saved = [*self.kept.get("screen", "saved", {}), identifier][-SAVED:]
            self.kept.put("screen", "saved", dict.fromkeys(saved, True))
            self.outbox.make(self.place("saved"), 4, identifier, "m2m:cin", {"con": document({**item, "savedAt": self.ts()}), "cnf": DOCUMENT})
        self._show()

    def _unsave(self, identifier: str) -> None:
        self.kept.put("screen", "saved", {name: True for name in self.kept.get("screen", "saved", {}) if name != identifier})
        self.outbox.delete(self.place(f"saved/{identifier}"))

    def _passed(self, item: Mapping[str, Any]) -> bool:
        until = item.get("validUntil")
        return isinstance(until, str) and seconds_of(until) <= self.now()

    def _expire(self) -> bool:
        gone = [name for name, item in self._items.items() if self._passed(item)]
        for name in gone:
            del self._items[name]
        return bool(gone)

    def tick(self, now: float) -> float | None:
        """Take away what is no longer valid, and show what was held up."""
        late = len(self._late)
        self._catch_up()
        if self._expire() or late != len(self._late):
            self._show()
        ends = [seconds_of(item["validUntil"]) for item in self._items.values() if item.get("validUntil")]
        return min([*ends, *([self.faults.ends() or now + 0.5] if self._late else [])], default=None)

    def _show(self) -> None:
        """Write the screen as it is now."""
        self.kept.put("screen", "items", self._items)
        self.kept.put("screen", "banners", self._banners)
        self.kept.put("screen", "figures", self._figures)
        self.outbox.put(self.place("screen"), {"ts": self.ts(), "items": list(self._items.values()), "banners": self._banners, "figures": self._figures})
