"""Where flows are played: the organisations and the consumer as strangers use them, and eyes on the resources of the data model."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from types import TracebackType
from typing import Any, Self

from apps.client import Client, Inbox, Resource
from apps.metering.vocabulary import END, State, ae_id, stamp
from apps.metering.world import World
from cse.datatypes import seconds_of
from cse.errors import NotFound

PATIENCE = 20.0
"""Seconds for what has to happen."""

GLANCE = 0.1
"""Seconds between two looks."""

LIFE = 60.0
"""Seconds that a command is valid."""

_numbers = count(1)


class Unobserved(Exception):
    """Something that a flow demands was not seen in time, or something was seen that it forbids."""


@dataclass(frozen=True, slots=True)
class Facts:
    """A flow: its steps in their order, with those before the branch, and what each says."""

    id: str
    name: str
    steps: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Order:
    """A command that was issued. actor: resource name of who did. since: when, as the CSE counts."""

    id: str
    actor: str
    meter: str
    kind: str
    since: str
    envelope: Mapping[str, Any] = field(default_factory=dict)

    @property
    def place(self) -> str:
        """The containers of its class."""
        return f"mtr-{self.meter}/cmd/{self.kind}"


class Stage:
    """One flow being played; an async context manager that takes its faults off at the end.

    The verbs look as often as they must and raise Unobserved when their patience is at its end. Actors are resource names: ``bill``, ``consumer-P1``.
    """

    def __init__(self, world: World, facts: Facts, told: Callable[[str], object] = len) -> None:
        self.world, self.facts = world, facts
        self.observed: list[str] = []
        self.began = stamp(world.plan.clock.now())
        self._told = told
        self._clients: dict[str, Client] = {}
        self._faults: list[tuple[str, str]] = []
        self._inbox = Inbox.http()
        self._base = world.plan.base

    async def __aenter__(self) -> Self:
        await self._inbox.__aenter__()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for target, name in self._faults:
            await self._control({"do": "fault", "target": target, "params": {"name": name}, "active": False})
        await self._inbox.__aexit__(None, None, None)

    # --- steps -----------------------------------------------------------------------------------------------------------------------------------------------

    def step(self, identifier: str, seen: str = "") -> None:
        """Say that a step was observed; seen: on what."""
        if identifier not in self.facts.steps:
            raise Unobserved(f"{identifier} is no step of {self.facts.id}")
        self.observed.append(identifier)
        self._told(f"{identifier}  {self.facts.steps[identifier]}" + (f"  [{seen}]" if seen else ""))

    def complete(self) -> None:
        """Raise Unobserved unless all steps were observed, in their order."""
        if self.observed != list(self.facts.steps):
            raise Unobserved(f"observed {', '.join(self.observed)} where {', '.join(self.facts.steps)} are the steps")

    def cra(self, since: str) -> str:
        """Give a time of the world as the CSE had it, for ``createdAfter``: its clock is not put forward."""
        return stamp(seconds_of(since) - self.world.plan.clock.of(0.0))

    # --- acting ----------------------------------------------------------------------------------------------------------------------------------------------

    def client(self, actor: str) -> Client:
        """Give the client of an actor."""
        if actor not in self._clients:
            self._clients[actor] = self.world.client(ae_id(actor), coap=len(self._clients) % 2 == 1)
        return self._clients[actor]

    def at(self, seconds: float) -> str:
        """Give a time so many seconds from now."""
        return stamp(self.world.plan.clock.now() + seconds)

    async def command(
        self, actor: str, kind: str, name: str, params: Mapping[str, Any], *, meter: str = "M1", group: str = "", consent: str = "none", **more: Any
    ) -> Order:
        """Issue a command, to all meters of a group where one is named; more: further members of the envelope, ``issuer`` and ``cmdId`` too."""
        identifier = f"{self.facts.id}-{next(_numbers)}-{self.began[9:15]}"
        envelope: dict[str, Any] = {"cmdId": identifier, "type": name, "issuer": ae_id(actor), "issuedAt": self.at(0), "validUntil": self.at(LIFE)}
        envelope |= {"consent": consent, "params": dict(params), **more}
        order = Order(envelope["cmdId"], actor, meter, kind, self.at(0), envelope)
        await self.client(actor).put(f"{self._base}/{group}/fopt/cmd/{kind}/in" if group else f"{self._base}/{order.place}/in", envelope)
        return order

    async def fan_out(
        self, actor: str, group: str, meters: Sequence[str], kind: str, name: str, params: Mapping[str, Any], *, consent: str = "none", **more: Any
    ) -> list[Order]:
        """Issue one command to all meters of a group, and give it as an order for each."""
        identifier = f"{self.facts.id}-{next(_numbers)}-{self.began[9:15]}"
        envelope: dict[str, Any] = {"cmdId": identifier, "type": name, "issuer": ae_id(actor), "issuedAt": self.at(0), "validUntil": self.at(LIFE)}
        envelope |= {"consent": consent, "params": dict(params), **more}
        since = self.at(0)
        await self.client(actor).put(f"{self._base}/{group}/fopt/cmd/{kind}/in", envelope)
        return [Order(identifier, actor, meter, kind, since, envelope) for meter in meters]

    async def act(self, item: Mapping[str, Any], action: str, premise: str = "P1") -> None:
        """Let the consumer do something with an item of the screen."""
        content = {"msgId": item["msgId"], "action": action, "ts": self.at(0)}
        await self.client(f"consumer-{premise}").put(f"{self._base}/ihd-{premise}/actions", content)

    async def fault(self, name: str, target: str = "M1", *, count: int | None = None, seconds: float | None = None, after: str = "") -> None:
        """Put a fault on a device; it is taken off when the flow ends."""
        self._faults.append((target, name))
        entry = {"do": "fault", "target": target, "params": {"name": name, **({"after": after} if after else {})}, "active": True}
        await self._control(entry | ({"count": count} if count else {}) | ({"durationS": seconds} if seconds else {}))

    async def control(self, do: str, target: str, **params: Any) -> None:
        """Let the simulation do something else to a device."""
        await self._control({"do": do, "target": target, "params": params})

    async def _control(self, entry: Mapping[str, Any]) -> None:
        await self.client("sm-test").put(f"{self._base}/sm-test/control", entry)
        await asyncio.sleep(0.5)

    async def subscribe(self, actor: str, path: str) -> str:
        """Have an actor notified of new instances, for ``notified``; give the path by which they are told."""
        await self.client(actor).subscribe(f"{self._base}/{path}".rstrip("/"), f"{self._inbox.url}/{self.facts.id}", name=f"sub-{actor}-flow", pn=2)
        return self.facts.id

    async def registration(self, actor: str, name: str) -> Resource:
        """Give the AE of a name as an actor is told of it, who has subscribed to the CSEBase (path "")."""
        try:
            async with asyncio.timeout(PATIENCE):
                while True:
                    found = (await self._inbox.next()).resource
                    if found is not None and found.root == "m2m:ae" and found.name == name:
                        return found
        except TimeoutError:
            raise Unobserved(f"{actor} was not told of an AE {name}") from None

    async def notified(self, want: Callable[[Mapping[str, Any]], bool]) -> Mapping[str, Any]:
        """Give the content of the next notification that is as wanted."""
        try:
            async with asyncio.timeout(PATIENCE):
                while True:
                    notification = await self._inbox.next()
                    found = notification.resource.content if notification.resource is not None else None
                    if isinstance(found, Mapping) and want(found):
                        return found
        except TimeoutError:
            raise Unobserved("no such notification has come") from None

    # --- seeing ----------------------------------------------------------------------------------------------------------------------------------------------

    async def instances(self, actor: str, path: str, since: str = "") -> list[Mapping[str, Any]]:
        """Give the contents of the instances of a container that came since a time (the begin of the flow), oldest first, as an actor may read them."""
        found = await self.client(actor).retrieve(f"{self._base}/{path}", rcn=8, fc={"cra": self.cra(since or self.began), "ty": [4]})
        listed = [Resource("", "m2m:cin", one) for one in found.get("m2m:cin", [])]
        return [one.content for one in sorted(listed, key=lambda one: (str(one["ct"]), str(one["rn"]))) if isinstance(one.content, Mapping)]

    async def see(self, actor: str, path: str, what: str, want: Callable[[Mapping[str, Any]], bool], *, since: str = "") -> Mapping[str, Any]:
        """Give the first instance of a container that is as wanted; what: how it is called when it does not come."""

        async def look() -> Mapping[str, Any] | None:
            return next((one for one in await self.instances(actor, path, since) if want(one)), None)

        found: Mapping[str, Any] = await self._until(look, f"{what} in {path}")
        return found

    async def _until(self, look: Callable[[], Any], what: str) -> Any:
        try:
            async with asyncio.timeout(PATIENCE):
                found = await look()
                while found is None:
                    await asyncio.sleep(GLANCE)
                    found = await look()
                return found
        except TimeoutError:
            raise Unobserved(f"{what} was not seen within {PATIENCE:g} seconds") from None

    async def latest(self, actor: str, path: str, what: str, want: Callable[[Mapping[str, Any]], bool]) -> Mapping[str, Any]:
        """Give the newest instance of a container as soon as it is as wanted."""

        async def look() -> Mapping[str, Any] | None:
            try:
                found = (await self.client(actor).latest(f"{self._base}/{path}")).content
            except NotFound:
                return None
            return found if want(found) else None

        found: Mapping[str, Any] = await self._until(look, f"{what} in {path}/la")
        return found

    async def status(self, order: Order, state: State | str, *, info: bool = False, error: str = "") -> Mapping[str, Any]:
        """Give the record of a state of a command, or of its notice; another end raises Unobserved at once, and so does a wrong order."""
        identifier = f"{order.id}#info" if info else order.id

        async def look() -> Mapping[str, Any] | None:
            records = [one for one in await self.instances(order.actor, f"{order.place}/out", order.since) if one.get("cmdId") == identifier]
            found = next((one for one in records if one["state"] == state), None)
            if found is None and records and records[-1]["state"] in END:
                raise Unobserved(f"{identifier} ended as {records[-1]['state']} ({records[-1].get('error')}), not as {state}")
            return found

        found: Mapping[str, Any] = await self._until(look, f"{state} of {identifier}")
        if error and found.get("error", {}).get("code") != error:
            raise Unobserved(f"{identifier} is {state} with {found.get('error')}, not with {error}")
        return found

    async def silent(self, order: Order, state: State | str, *, info: bool = False) -> None:
        """Raise Unobserved when a state of a command was written after all."""
        identifier = f"{order.id}#info" if info else order.id
        if any(one["cmdId"] == identifier and one["state"] == state for one in await self.instances(order.actor, f"{order.place}/out", order.since)):
            raise Unobserved(f"{state} of {identifier} was written, which could not be")

    async def event(self, kind: str, *, command: Order | None = None, meter: str = "M1", container: str = "error") -> Mapping[str, Any]:
        """Give an event of the meter, as asset sees it."""
        want = (lambda one: one["type"] == kind) if command is None else (lambda one: one["type"] == kind and one.get("cmdId", "").startswith(command.id))
        return await self.see("asset", f"mtr-{meter}/events/{container}", f"event {kind}", want)

    async def alert(self, name: str, kind: str, *, command: Order | None = None, event: str = "", meter: str = "") -> Mapping[str, Any]:
        """Give an alert of an organisation, as it finds it."""

        def want(one: Mapping[str, Any]) -> bool:
            about = command is None or str(one.get("cmdId", "")).startswith(command.id)
            return one["type"] == kind and about and (not event or one.get("evtId") == event) and (not meter or one["meter"] == meter)

        return await self.see(name, f"{name}/alerts", f"alert {kind}", want)

    async def switch(self, meter: str, on: bool) -> Mapping[str, Any]:
        """Give the capability supplySwitch of a meter's node as soon as it is on, or off."""

        async def look() -> Mapping[str, Any] | None:
            found = await self.client("asset").retrieve(f"{self._base}/nod-{meter}/supplySwitch")
            return found.attributes if found["cus"] is on else None

        found: Mapping[str, Any] = await self._until(look, f"supplySwitch of {meter} {'on' if on else 'off'}")
        return found

    async def attributes(self, actor: str, path: str, what: str, want: Callable[[Mapping[str, Any]], bool]) -> Mapping[str, Any]:
        """Give the attributes of a resource as soon as they are as wanted; one that is being made anew is waited for."""

        async def look() -> Mapping[str, Any] | None:
            try:
                found = (await self.client(actor).retrieve(f"{self._base}/{path}")).attributes
            except NotFound:
                return None
            return found if want(found) else None

        found: Mapping[str, Any] = await self._until(look, f"{what} in {path}")
        return found

    async def module(self, device: str, module: str, attribute: str, value: Any, premise: str = "P1") -> Mapping[str, Any]:
        """Give a module of a device at the premise, as its consumer reads it, as soon as an attribute has a value."""

        async def look() -> Mapping[str, Any] | None:
            found = await self.client(f"consumer-{premise}").retrieve(f"{self._base}/{device}/{module}")
            return found.attributes if found[attribute] == value else None

        found: Mapping[str, Any] = await self._until(look, f"{attribute} {value} of {device}/{module}")
        return found

    async def item(self, order: Order, want: Callable[[Mapping[str, Any]], bool] = lambda item: True, premise: str = "P1") -> Mapping[str, Any]:
        """Give the item of a command on the consumer's screen, as soon as it is there and as wanted."""
        screen = await self.latest(f"consumer-{premise}", f"ihd-{premise}/screen", f"item of {order.id}", lambda one: _item(one, order, want) is not None)
        found = _item(screen, order, want)
        assert found is not None
        return found

    async def gone(self, order: Order, premise: str = "P1") -> None:
        """See that a command is not on the screen."""
        await self.latest(f"consumer-{premise}", f"ihd-{premise}/screen", f"no item of {order.id}", lambda one: _item(one, order, lambda item: True) is None)


def _item(screen: Mapping[str, Any], order: Order, want: Callable[[Mapping[str, Any]], bool]) -> Mapping[str, Any] | None:
    return next((item for item in screen["items"] if item.get("cmdId") == order.id and want(item)), None)
