"""What the small entities have in common: resources of their own, subscriptions, and notices that are made of JSON."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from apps.client import Notification
from apps.client import ResourceTypeID as Ty
from apps.metering.device import Setup
from apps.metering.memory import DAY, KEPT, Kept
from apps.metering.outbox import Item, Outbox
from apps.metering.vocabulary import stamp
from cse.errors import NotFound, ReceiverError

Watched = tuple[str, str, Mapping[str, Any]]
"""Address, path behind the entity's URL, attributes of the subscription."""

_AGAIN = 0.5
"""Seconds until it is looked again for what is not there yet."""


class Entity:
    """A core (apps.metering.device.Core) that stands on its own: subclasses say what they are, what they own, what they hear.

    own: containers and flexContainers below the AE as (name, type, root, attributes, policy). watched: (address, path of the URL, attributes of the
    subscription); what does not exist yet is subscribed to as soon as it does.
    """

    app = "Nsm.entity"

    def __init__(self, name: str, kept: Kept, now: Callable[[], float], base: str = "cse-in") -> None:
        self.name, self.kept, self.now, self.base = name, kept, now, base
        self._later: Sequence[Watched] = ()
        self._aged = 0.0
        self.outbox = Outbox(kept, sent=self._sent, held=lambda item, tried: None, cut=self._cut)

    def _sent(self, item: Item) -> None:
        """Hear that a tagged item is written."""

    def _cut(self, item: Item, new: bool) -> bool:
        return False

    def place(self, path: str) -> str:
        """Give the address of what is below the AE."""
        return f"{self.base}/{self.name}/{path}"

    def ts(self) -> str:
        """Give the time as it stands in contents."""
        return stamp(self.now())

    @property
    def own(self) -> Sequence[tuple[str, int, str, Mapping[str, Any], str]]:
        """The resources below the AE."""
        return ()

    @property
    def watched(self) -> Sequence[Watched]:
        """What is subscribed to."""
        return ()

    async def set_up(self, setup: Setup) -> None:
        """Register, and ensure resources and subscriptions."""
        client = setup.client
        ae = await client.register(self.name, self.app, reachable=True, points=[setup.url])
        if ae.get("poa") != [setup.url]:
            await client.update(ae.address, {"poa": [setup.url], "rr": True}, root="m2m:ae")
        for name, ty, root, attributes, policy in self.own:
            await client.ensure(f"{self.base}/{self.name}", ty, name, {**attributes, "acpi": [f"{self.base}/{policy}"]}, root=root)
        self._later = await self._subscribe(setup, self.watched)

    async def work(self, setup: Setup) -> None:
        """Subscribe to what was not there yet, as soon as it is."""
        while self._later:
            await asyncio.sleep(_AGAIN)
            with suppress(ReceiverError):
                self._later = await self._subscribe(setup, self._later)

    async def _subscribe(self, setup: Setup, wanted: Sequence[Watched]) -> Sequence[Watched]:
        """Subscribe, and give what does not exist yet."""
        missing = []
        for address, path, attributes in wanted:
            try:
                await setup.client.subscribe(address, f"{setup.url}/{path}", name=f"sub-{self.name}", pn=2, **attributes)
            except NotFound:
                missing.append((address, path, attributes))
        return missing

    def start(self) -> None:
        """Begin."""

    def receive(self, rest: str, notification: Notification) -> None:
        """Take a notification in one turn of the memory."""
        if notification.resource is not None:
            with self.kept.turn():
                self.hear(rest, notification)
                self.outbox.tell()

    def hear(self, rest: str, notification: Notification) -> None:
        """Take what a notification tells."""

    def due(self, now: float) -> float | None:
        """Do what is due in one turn of the memory."""
        with self.kept.turn():
            following = self.tick(now)
            if now >= self._aged + DAY:
                self._aged = now
                self.forget(now - KEPT)
            self.outbox.tell()
        return following

    def forget(self, before: float) -> None:
        """Forget what was of use until a time; called once a day, and after the start."""

    def tick(self, now: float) -> float | None:
        """Do what is due; give the next time."""
        return None


def container(name: str, policy: str, keep: int = 1000) -> tuple[str, int, str, Mapping[str, Any], str]:
    """Give a container for ``own``."""
    return name, Ty.CONTAINER, "m2m:cnt", {"mni": keep}, policy


def content(notification: Notification) -> Mapping[str, Any]:
    """Give the JSON object of a content instance, an empty one for anything else."""
    try:
        found = notification.resource.content if notification.resource is not None else None
    except ValueError:
        return {}
    return found if isinstance(found, Mapping) else {}
