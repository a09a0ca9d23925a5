"""A meter on a bench: no sockets, a clock that tests turn, and what it writes in one's hand."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from apps.client import Notification, Resource
from apps.metering.memory import Memory
from apps.metering.meter.body import Body
from apps.metering.meter.core import Meter
from apps.metering.meter.physics import Premise
from apps.metering.tree import Identity
from apps.metering.vocabulary import stamp

PATIENCE = 30.0


async def until(look: Callable[[], Awaitable[bool]]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(PATIENCE):
        seen = await look()
        while not seen:
            await asyncio.sleep(0.05)
            seen = await look()


BEGAN = 1_760_000_000.0


@dataclass
class Bench:
    """One meter, and everything it has written: (place below its AE or address, content or attributes)."""

    identity: Identity = field(default_factory=lambda: Identity("M1"))
    memory: Memory = field(default_factory=lambda: Memory(":memory:"))
    now: float = BEGAN
    written: list[tuple[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._numbers = 0
        self.power_on()

    def power_on(self) -> None:
        """Make the meter from what it remembers, and start it."""
        self.meter = Meter(Body(self.identity, self.memory.of(self.identity.ae), lambda: self.now, Premise()))
        self.meter.start()

    @property
    def faults(self) -> Any:
        """Its faults."""
        return self.meter.body.faults

    def write(self) -> None:
        """Let everything be written that can be."""
        outbox = self.meter.outbox
        while (item := outbox.head()) is not None:
            attributes = dict(item.attributes or {})
            content = json.loads(attributes["con"]) if "con" in attributes else attributes
            self.written.append((item.target.removeprefix(f"cse-in/{self.identity.ae}/").removeprefix("cse-in/"), content))
            outbox.acknowledged(item)
            self.meter.body.tell()

    def at(self, seconds: float) -> str:
        """Give a time so many seconds from now."""
        return stamp(self.now + seconds)

    def envelope(self, name: str, params: Mapping[str, Any], issuer: str = "Casset", consent: str = "none", **more: Any) -> dict[str, Any]:
        """Give a command that is valid for a minute."""
        self._numbers += 1
        found = {"cmdId": f"c{self._numbers}", "type": name, "issuer": issuer, "issuedAt": self.at(0), "validUntil": self.at(60), "consent": consent}
        return {**found, "params": dict(params), **more}

    def order(self, kind: str, name: str, params: Mapping[str, Any], issuer: str = "Casset", consent: str = "none", **more: Any) -> str:
        """Issue a command and give its cmdId."""
        envelope = self.envelope(name, params, issuer, consent, **more)
        self.send(kind, envelope, creator=issuer)
        return str(envelope["cmdId"])

    def send(self, kind: str, content: Any, creator: str = "Casset") -> None:
        """Let content arrive in a class, created by somebody."""
        text = content if isinstance(content, str) else json.dumps(content)
        self._numbers += 1
        self.tell(f"cmd/{kind}", {"con": text, "ri": f"cin{self._numbers}"}, creator)

    def tell(self, rest: str, attributes: Mapping[str, Any], by: str = "") -> None:
        """Notify the meter, and let it write."""
        self.meter.receive(rest, Notification("sub", None, Resource("x", "m2m:cin", attributes), False, "/id-in", "r", rest, by))
        self.write()

    def screen(self, *items: str) -> None:
        """Let items be on the screen."""
        self.tell("screen", {"con": {"items": [{"msgId": item} for item in items]}, "ri": "s"})

    def act(self, item: str, action: str) -> None:
        """Let the consumer do something."""
        self.tell("actions", {"con": {"msgId": item, "action": action, "ts": self.at(0)}, "ri": "a"})

    def later(self, seconds: float) -> None:
        """Let time pass."""
        end = self.now + seconds
        while True:
            following = self.meter.due(self.now)
            self.write()
            if following is None or following > end:
                break
            self.now = max(self.now, following)
        self.now = end

    def at_place(self, place: str) -> list[Any]:
        """Give what was written to a place."""
        return [content for target, content in self.written if target == place]

    def states(self, kind: str, identifier: str) -> list[str]:
        """Give the states of a command that were written, in their order."""
        return [record["state"] for record in self.at_place(f"cmd/{kind}/out") if record["cmdId"] == identifier]

    def last(self, kind: str) -> dict[str, Any]:
        """Give the last record of a class."""
        found: dict[str, Any] = self.at_place(f"cmd/{kind}/out")[-1]
        return found

    def errors(self, identifier: str = "") -> list[str]:
        """Give the types of the errors that were recorded, perhaps those of a command."""
        return [event["type"] for event in self.at_place("events/error") if not identifier or event.get("cmdId", "").startswith(identifier)]

    def alerts(self, name: str) -> list[dict[str, Any]]:
        """Give the alerts of an organisation."""
        return self.at_place(f"{name}/alerts")

    def item(self) -> dict[str, Any]:
        """Give the newest message to the display."""
        found: dict[str, Any] = self.at_place("ihd-P1/inbox")[-1]
        return found
