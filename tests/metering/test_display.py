"""The display without sockets (data model, section 8)."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from apps.client import Notification, Resource
from apps.metering.display import Display
from apps.metering.memory import Memory
from apps.metering.outbox import DOCUMENT
from apps.metering.vocabulary import stamp
from tests.metering.bench import BEGAN


class Panel:
    """A display, and what it shows."""

    def __init__(self) -> None:
        self.now = BEGAN
        self.display = Display("P1", ["M1"], Memory(":memory:").of("ihd-P1"), lambda: self.now)
        self.display.start()
        self.screen: Mapping[str, Any] = {}
        self.look()

    def look(self) -> list[str]:
        """Write what it has to write, and give the msgIds of the items."""
        while (item := self.display.outbox.head()) is not None:
            if item.target.endswith("/screen") and item.attributes is not None:
                self.screen = json.loads(item.attributes["con"])
            self.display.outbox.acknowledged(item)
        return [item["msgId"] for item in self.screen["items"]]

    def tell(self, rest: str, **told: Any) -> list[str]:
        """Send it a message, or let the consumer act."""
        resource = Resource("x", "m2m:cin", {"con": json.dumps(told), "cnf": DOCUMENT, "ri": "r"})
        self.display.receive(rest, Notification("s", None, resource, False, "/id-in", "q", rest, ""))
        return self.look()

    def show(self, identifier: str, **more: Any) -> list[str]:
        """Have a message shown for a minute."""
        return self.tell("inbox", msgId=identifier, kind="message", title="T", text="t", validUntil=stamp(self.now + 60), **more)


@pytest.mark.parametrize("action", ["delete", "clear"])
def test_what_may_be_removed_is_and_what_may_not_stays_until_its_time_has_passed(action: str) -> None:
    panel = Panel()
    panel.show("n1", removable=True)
    assert panel.show("n2", removable=False) == ["n1", "n2"]
    assert panel.tell("actions", msgId="n1", action=action) == ["n2"]
    assert panel.tell("actions", msgId="n2", action=action) == ["n2"]
    panel.tell("actions", msgId="n2", action="accept")
    assert panel.screen["items"][0]["answer"] == "accept"
    panel.now += 61
    panel.display.due(panel.now)
    assert panel.look() == []


def test_what_may_not_be_removed_is_withdrawn_by_who_has_sent_it() -> None:
    panel = Panel()
    panel.show("n1", removable=False)
    assert panel.tell("inbox", msgId="n1", kind="message", withdraw=True) == []
