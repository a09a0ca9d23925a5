"""A street of meters that report to their network operator: what the demo plays, and what must be true after it."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from time import perf_counter

from apps.client import AccessControlOperation as May
from apps.client import Client, Inbox, MemberAnswer, NotificationEventType, Resource, ResourceTypeID, allow
from apps.demo.readings import Reading, house
from cse.errors import OriginatorHasNoPrivilege

OPERATOR = "dno"
GROUP = "grp-street"
READERS = (allow([f"C{OPERATOR}"], May.RETRIEVE | May.DISCOVERY), allow([f"C{OPERATOR}"], May.CREATE, children=[ResourceTypeID.SUBSCRIPTION]))
"""The rules of a meter's readings for others: the operator, and nobody else, may read, find and subscribe to them."""


class Meter:
    """One house's meter: an AE with its own connection, and how far it is."""

    def __init__(self, name: str, client: Client, readings: tuple[Reading, ...]) -> None:
        self.name = name
        self.client = client
        self.readings = readings
        self.sent = 0
        self.last: Reading | None = None
        self.notified: Counter[str] = Counter()
        self.container = f"{client.base}/mtr-{name}/readings/registers"

    @property
    def protocol(self) -> str:
        """``HTTP`` or ``CoAP``."""
        return "HTTP" if self.client.url.startswith("http") else "CoAP"

    async def set_up(self) -> None:
        """Register, and create the containers and the policy of who may read them."""
        cse = self.client
        ae = await cse.register(f"mtr-{self.name}", "Nsm.meter", labels=["meter", f"meter:{self.name}"])
        policy = await cse.access_policy(ae, "acp-readings", [allow([cse.originator or ""]), *READERS])
        await cse.container(ae, "readings/registers", acpi=[policy.ri], lbl=["readings"])

    async def report(self) -> None:
        """Send every reading, one after the other."""
        for reading in self.readings:
            await self.client.put(self.container, reading.content())
            self.sent += 1
            self.last = reading

    async def pry(self, other: "Meter") -> bool:
        """Try to read another meter; whether it was refused."""
        try:
            await self.client.latest(other.container)
        except OriginatorHasNoPrivilege:
            return True
        return False


class Street:
    """The meters, their operator with an inbox for each protocol, and the counts of one play."""

    def __init__(self, meters: tuple[Meter, ...], operator: Client, inboxes: Mapping[str, Inbox]) -> None:
        self.meters = meters
        self.operator = operator
        self.inboxes = inboxes
        self.phase = "starting"
        self.fan_out: tuple[MemberAnswer, ...] = ()
        self.refused: dict[str, bool] = {}
        self.strays = 0
        self.seconds = 0.0
        self._complete = asyncio.Event()
        self._by_name = {meter.name: meter for meter in meters}
        self._group: Resource | None = None

    @property
    def expected(self) -> int:
        """How many readings the meters have to send."""
        return sum(len(meter.readings) for meter in self.meters)

    @property
    def sent(self) -> int:
        """How many readings were acknowledged."""
        return sum(meter.sent for meter in self.meters)

    @property
    def notified(self) -> int:
        """How many notifications of readings the operator received."""
        return sum(meter.notified.total() for meter in self.meters)

    @property
    def operations(self) -> int:
        """Requests of all entities, and notifications."""
        return sum(meter.client.requests for meter in self.meters) + self.operator.requests + self.notified

    async def play(self, told: Callable[[str], None], patience: float) -> None:
        """Play all acts; ``told`` hears a sentence after each. patience: seconds to wait for the last notifications."""
        began = perf_counter()
        async with asyncio.TaskGroup() as listening:
            readers = [listening.create_task(self._listen(inbox)) for inbox in self.inboxes.values()]
            for phase, act in (
                ("registering", self._register), ("subscribing", self._subscribe), ("reporting", self._report), ("asking everybody", self._ask),
                ("prying", self._pry),
            ):  # fmt: skip
                self.phase = phase
                told(await act(patience))
            self.seconds = perf_counter() - began
            self.phase = "done"
            for reader in readers:
                reader.cancel()

    async def _register(self, patience: float) -> str:
        async with asyncio.TaskGroup() as tasks:
            for meter in self.meters:
                tasks.create_task(meter.set_up())
            tasks.create_task(self.operator.register(OPERATOR, "Nsm.dno", labels=["operator"]))
        count = Counter(meter.protocol for meter in self.meters)
        return f"{len(self.meters)} meters registered: {count['HTTP']} over HTTP, {count['CoAP']} over CoAP"

    async def _subscribe(self, patience: float) -> str:
        event = NotificationEventType.CREATE_OF_DIRECT_CHILD_RESOURCE
        async with asyncio.TaskGroup() as tasks:
            for meter in self.meters:
                target = f"{self.inboxes[meter.protocol].url}/{meter.name}"
                tasks.create_task(self.operator.subscribe(meter.container, target, events=[event], name=f"sub-{OPERATOR}"))
        members = [meter.container for meter in self.meters]
        self._group = await self.operator.group(f"{self.operator.base}/{OPERATOR}", GROUP, members, mt=int(ResourceTypeID.CONTAINER))
        return "the operator subscribed to every meter, and made them a group"

    async def _report(self, patience: float) -> str:
        async with asyncio.TaskGroup() as tasks:
            for meter in self.meters:
                tasks.create_task(meter.report())
        try:
            await asyncio.wait_for(self._complete.wait(), patience)
        except TimeoutError:
            return f"{self.sent} readings sent, only {self.notified} notifications received within {patience:g} seconds"
        return f"{self.sent} readings sent, {self.notified} notifications received"

    async def _ask(self, patience: float) -> str:
        assert self._group is not None
        self.fan_out = await self.operator.fan_out(self._group, "la")
        return f"one request to the group: {sum(one.error is None for one in self.fan_out)} meters answered with their latest reading"

    async def _pry(self, patience: float) -> str:
        first, second = self.meters[0], self.meters[1]
        for one, other in ((first, second), (second, first)):
            self.refused[one.name] = await one.pry(other)
        return f"{sum(self.refused.values())} meters were refused to read their neighbour's readings"

    async def _listen(self, inbox: Inbox) -> None:
        async for notification in inbox:
            meter = self._by_name.get(notification.path.rsplit("/", 1)[-1])
            if meter is None or notification.resource is None:
                self.strays += 1
                continue
            meter.notified[notification.resource.content["readId"]] += 1
            if self.notified >= self.expected:
                self._complete.set()

    def differences(self) -> tuple[str, ...]:
        """Say what is not as it must be, a sentence each."""
        found = []
        for meter in self.meters:
            wanted = Counter(reading.id for reading in meter.readings)
            if meter.sent != len(meter.readings):
                found.append(f"{meter.name} sent {meter.sent} of {len(meter.readings)} readings")
            if meter.notified != wanted:
                lost, extra = wanted - meter.notified, meter.notified - wanted
                found.append(f"{meter.name}: {lost.total()} readings not notified, {extra.total()} notified again or unknown")
        if self.strays:
            found.append(f"{self.strays} notifications were about nothing that was sent")
        latest = sorted(meter.last.id for meter in self.meters if meter.last)
        answered = sorted(str(one.resource.content["readId"]) for one in self.fan_out if one.error is None and one.resource)
        if answered != latest:
            found.append(f"the fan-out gave the latest reading of {len(set(answered) & set(latest))} of {len(self.meters)} meters")
        found += [f"{name} was not refused its neighbour's readings" for name, refused in self.refused.items() if not refused]
        if len(self.refused) != 2:
            found.append("nobody tried to read a neighbour's readings")
        return tuple(found)


@asynccontextmanager
async def street(http: str, coap: str, meters: int, days: int, cse: str = "cse-in") -> AsyncIterator[Street]:
    """Connect ``meters`` meters, every second one over CoAP, with ``days`` days of half-hours each, and their operator, to a CSE's two URLs."""
    async with AsyncExitStack() as stack:
        along = []
        for number in range(meters):
            client = await stack.enter_async_context(Client.connect(coap if number % 2 else http, f"Cmtr-M{number + 1}", cse, timeout=30.0))
            along.append(Meter(f"M{number + 1}", client, house(number, meters, days)))
        operator = await stack.enter_async_context(Client.connect(http, f"C{OPERATOR}", cse, timeout=30.0))
        inboxes = {"HTTP": await stack.enter_async_context(Inbox.http()), "CoAP": await stack.enter_async_context(Inbox.coap())}
        yield Street(tuple(along), operator, inboxes)
