"""What a meter has shown to the consumer, by way of the premise's display (section 8)."""

from collections.abc import Callable, Mapping
from typing import Any

from apps.metering.memory import Kept
from apps.metering.meter.records import Command
from apps.metering.outbox import Outbox
from apps.metering.tree import Identity

TITLES: Mapping[str, str] = {
    "message": "Message",
    "plannedOutage": "Planned outage",
    "demandResponse": "Load control",
    "tariff": "New tariff",
    "payment": "Payment mode",
    "deviceInteraction": "Your appliance",
    "efficiency": "Save energy",
    "appointment": "Appointment",
    "notice": "Notice",
}
"""What stands above an item whose issuer has given no title."""


class Notices:
    """The messages of one meter to its display."""

    def __init__(self, identity: Identity, kept: Kept, outbox: Outbox, ts: Callable[[], str], base: str) -> None:
        self._identity, self._kept, self._outbox, self._ts = identity, kept, outbox, ts
        self._inbox = f"{base}/{identity.display}/inbox"

    def show(self, command: Command, kind: str, answers: tuple[str, ...], details: Mapping[str, Any]) -> str:
        """Have a command shown and give the msgId."""
        message, identifier = command.envelope.get("message", {}), self._identifier()
        item = {
            "msgId": identifier,
            "kind": kind,
            "cmdId": command.id.removesuffix("#info"),
            "title": message.get("title") or TITLES[kind],
            "text": message.get("text") or details.get("text") or TITLES[kind],
            "lang": message.get("lang", "en"),
            "answers": list(answers),
            "removable": True,
            "priority": "normal",
            **({} if kind == "appointment" else {"validUntil": command.envelope["validUntil"]}),
            **details,
        }
        self._outbox.put(self._inbox, item)
        return identifier

    def withdraw(self, item: str, kind: str) -> None:
        """Have an item taken from the screen."""
        if item:
            self._outbox.put(self._inbox, {"msgId": item, "kind": kind, "withdraw": True})

    def banner(self, kind: str, text: str) -> None:
        """Have an event shown that nobody has to answer."""
        self._outbox.put(self._inbox, {"msgId": self._identifier(), "kind": "notice", "type": kind, "text": text, "ts": self._ts()})

    def _identifier(self) -> str:
        return f"{self._identity.name}-N{self._kept.number('notice')}"
