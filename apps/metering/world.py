"""The world (sections 2, 3 and 11): a CSE of its own process, and everybody who lives with it, in this one."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any

from apps.client import AccessControlOperation as May
from apps.client import Client, allow
from apps.client import ResourceTypeID as Ty
from apps.demo.process import Running, running_cse
from apps.metering import access, organisations, tree
from apps.metering.clock import Clock, SimulatedClock
from apps.metering.collect import Collect
from apps.metering.device import Core, Device, Post
from apps.metering.display import Display
from apps.metering.keys import public_text, signing_key
from apps.metering.memory import Memory
from apps.metering.meter.body import Body
from apps.metering.meter.core import Meter
from apps.metering.meter.physics import Premise
from apps.metering.premises import Appliance, Generator
from apps.metering.settle import Settle
from apps.metering.simulation import Simulation
from apps.metering.tree import Identity
from apps.metering.vocabulary import ae_id
from apps.metering.watch import Watch
from bindings.coap.client import CoapSender
from bindings.http.client import HttpSender
from bindings.ports import Sender

ADMIN = "CAdmin"
PATIENCE, SETTLING = 30.0, 1.0
"""Seconds that the world may take to stand: at least, and more for each of its devices."""

ENTERING = 16
"""Premises that are set up at the same time."""

METERS_A_SOCKET = 16
"""Meters that share one CoAP socket."""

HELD = (
    Identity("M1", "electricity", generators=("gen-P1-1",), appliances=("dev-P1-1",), group="grp-P1"),
    Identity("M2", "gas", model="GM-2", group="grp-P1"),
    Identity("M3", "water", model="WM-3", switch=False, group="grp-P1"),
    Identity("M9", "electricity", recipients=(), group="grp-P1"),
)
"""The meters of section 11; the last one is off at first."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to bring up. off: meters that are provisioned only. simulation: whether ``sm-test/control`` is there. store: URL, "" for a file in ``directory``.

    http, coap: HOST:PORT where the CSE listens, port 0 for a free one.
    """

    directory: Path
    meters: Sequence[Identity] = HELD
    off: frozenset[str] = frozenset({"M9"})
    simulation: bool = True
    store: str = ""
    http: str = "127.0.0.1:0"
    coap: str = "127.0.0.1:0"
    base: str = "cse-in"
    clock: Clock = field(default_factory=SimulatedClock)

    @property
    def premises(self) -> Mapping[str, tuple[Identity, ...]]:
        """The meters by premise."""
        found: dict[str, tuple[Identity, ...]] = {}
        for meter in self.meters:
            found[meter.premise] = (*found.get(meter.premise, ()), meter)
        return found

    @property
    def groups(self) -> Mapping[str, tuple[str, ...]]:
        """The names of the meters by the group within which a tariff is for all or none; those that are off are no members yet."""
        named = [meter for meter in self.meters if meter.group and meter.name not in self.off]
        return {group: tuple(meter.name for meter in named if meter.group == group) for group in dict.fromkeys(meter.group for meter in named)}


class World:
    """A world that stands: where its CSE is, and its devices by the names of their AEs."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.devices: dict[str, Device] = {}
        self.memory = Memory(str(plan.directory / "devices.db"))
        self.running: Running | None = None
        self._issuer = signing_key(plan.directory / "issuer.pem")
        self._cse = AsyncExitStack()
        self._http = HttpSender()
        # Over CoAP one request at a time goes from a socket to a server (RFC 7252 4.7, NSTART), so a process of many devices has several, both ways.
        sockets = 1 + len(plan.meters) // METERS_A_SOCKET
        self._post = Post(self.memory.of("post"), sockets)
        self._coaps = [CoapSender() for _ in range(sockets)]
        self._dealt = count()
        self._wires = {name: Premise() for name in plan.premises}
        self._key = signing_key(plan.directory / "head-end.pem")
        self.watcher: Watch | None = None
        """The overdue watcher."""
        self._tasks: set[asyncio.Task[None]] = set()

    # --- the CSE ---------------------------------------------------------------------------------------------------------------------------------------------

    @property
    def cse(self) -> Running:
        """The CSE."""
        assert self.running is not None, "the CSE is not up"
        return self.running

    async def start_cse(self) -> None:
        """Start the CSE, where it was before when it was there before."""
        plan, before = self.plan, self.running
        http, coap = (before.http.rpartition("/")[2], before.coap.rpartition("/")[2]) if before else (plan.http, plan.coap)
        settings = {
            "registration.base_policies": [f"{plan.base}/acp-base"],
            "log.format": "json",
            "log.refusals": True,
            "notification.first_retry": 0.5,
            "notification.longest_retry": 5.0,
        }
        flags = [part for name, value in settings.items() for part in ("--set", f"{name}={json.dumps(value)}")]
        store = plan.store or f"sqlite:///{plan.directory / 'cse.db'}"
        self.running = await self._cse.enter_async_context(running_cse(store, http, coap, *flags, heard=self._heard))

    async def stop_cse(self) -> None:
        """Stop the CSE; everything else goes on and waits for it."""
        await self._cse.aclose()

    def _heard(self, line: str) -> None:
        """Tell the watcher of the accesses that the CSE has refused."""
        if '"refused"' not in line or self.watcher is None:
            return
        try:
            told = json.loads(line)
        except ValueError:
            return
        self.watcher.refused(str(told.get("fr") or ""), str(told.get("op")), str(told.get("refused")))
        self.devices["sm-watch"].poke()

    def client(self, originator: str, *, coap: bool = False) -> Client:
        """Give a client of an originator over a protocol, on the connections of this world."""
        return Client.connect(self.cse.coap if coap else self.cse.http, originator, self.plan.base, sender=self.sender(coap))

    def sender(self, coap: bool) -> Sender:
        """Give connections of this world over a protocol."""
        return self._coaps[next(self._dealt) % len(self._coaps)] if coap else self._http

    # --- who lives here --------------------------------------------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> "World":
        await self._post.__aenter__()
        await self.start_cse()
        async with self.client(ADMIN) as admin:
            await self._provision(admin)
            await organisations.settle_in(self.cse.http, self.plan.base, tuple(self.plan.premises))
            await self._inhabit(admin)
        return self

    async def __aexit__(self, *error: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*(device.power_off() for device in self.devices.values()))
        await self._http.close()
        for sender in self._coaps:
            await sender.close()
        await self.stop_cse()
        await self._post.__aexit__(None, None, None)
        self.memory.close()

    async def _provision(self, admin: Client) -> None:
        """Make the policies, and the nodes of the meters; many premises at the same time."""
        base, room = self.plan.base, asyncio.Semaphore(ENTERING)
        await admin.access_policy(base, "acp-base", access.base_rules())
        await admin.access_policy(base, "acp-group", access.group_rules())
        await organisations.provision(admin)
        for name, rules in access.ledger_policies():
            await admin.access_policy(base, name, rules)
        if grouped := [meter.name for meter in self.plan.meters if meter.group]:
            for name, rules in access.accord_policies(grouped):
                await admin.access_policy(base, name, rules)
        for name, rules in access.collection_policies():
            await admin.access_policy(base, name, rules)
        if self.plan.simulation:
            await admin.access_policy(base, "acp-sm-test", [allow([ae_id("sm-test")], May(63))])
        for recipients in {meter.recipients for meter in self.plan.meters}:
            await tree.provision_parties(admin, recipients)
        async with asyncio.TaskGroup() as tasks:
            for premise, meters in self.plan.premises.items():
                tasks.create_task(self._provision_premise(admin, premise, meters, room))

    async def _provision_premise(self, admin: Client, premise: str, meters: Sequence[Identity], room: asyncio.Semaphore) -> None:
        names = [meter.name for meter in meters]
        async with room:
            await tree.provision_premise(admin, premise, names)
            for meter in meters:
                await tree.provision(admin, meter)
            for device in {name for meter in meters for name in (*meter.generators, *meter.appliances)}:
                for name, rules in access.device_policies(premise, names, device):
                    await admin.access_policy(self.plan.base, name, rules)

    async def _inhabit(self, admin: Client) -> None:
        """Switch everybody on, those first whom the others look for, some premises at a time; then make the groups."""
        plan = self.plan
        self._add("sm-watch", self._watcher)
        self._add("sm-settle", lambda: Settle(self._key, *self._own("sm-settle")))
        self._add("sm-collect", lambda: Collect(*self._own("sm-collect")))
        if plan.simulation:
            clock = plan.clock if isinstance(plan.clock, SimulatedClock) else None
            self._add("sm-test", lambda: Simulation(self.devices, *self._own("sm-test", later=self._start, issuer=self._issuer, clock=clock)))
        central = list(self.devices)
        for number, (premise, meters) in enumerate(plan.premises.items()):
            names = [meter.name for meter in meters]
            self._add(f"ihd-{premise}", lambda premise=premise, names=names: Display(premise, names, *self._own(f"ihd-{premise}")), coap=number % 2 == 0)  # type: ignore[misc]
            wires = self._wires[premise]
            for device, of in {name: meter.name for meter in meters for name in meter.appliances}.items():
                self._add(device, lambda device=device, of=of, wires=wires: Appliance(device, of, wires, *self._own(device)))  # type: ignore[misc]
            for device, of in {name: meter.name for meter in meters for name in meter.generators}.items():
                self._add(device, lambda device=device, of=of, wires=wires: Generator(device, of, wires, *self._own(device)))  # type: ignore[misc]
        for number, meter in enumerate(plan.meters):
            self._add(meter.ae, lambda meter=meter: self._meter(meter), coap=number % 2 == 1)  # type: ignore[misc]
        room = asyncio.Semaphore(ENTERING)
        async with asyncio.timeout(PATIENCE + SETTLING * len(self.devices)):
            await self._all_on(central)
            async with asyncio.TaskGroup() as tasks:
                for premise, meters in plan.premises.items():
                    tasks.create_task(self._premise_on(admin, premise, meters, room))

    async def _premise_on(self, admin: Client, premise: str, meters: Sequence[Identity], room: asyncio.Semaphore) -> None:
        plan = self.plan
        async with room:
            devices = {name for meter in meters for name in (*meter.generators, *meter.appliances)}
            await self._all_on([f"ihd-{premise}", *sorted(devices)])
            on = [meter.ae for meter in meters if meter.name not in plan.off]
            await self._all_on(on)
            if on:
                members = [f"{plan.base}/{name}" for name in on]
                await admin.group(plan.base, f"grp-{premise}", members, room=100, mt=int(Ty.AE), acpi=[f"{plan.base}/acp-group"])

    def _own(self, name: str, **more: Any) -> tuple[Any, ...]:
        return (self.memory.of(name), self.plan.clock.now, *more.values(), self.plan.base)

    def _watcher(self) -> Core:
        premises = {premise: [meter.name for meter in meters] for premise, meters in self.plan.premises.items()}
        clock = self.plan.clock
        self.watcher = Watch(self.memory.of("sm-watch"), clock.now, self.plan.base, premises, self.plan.groups, self._key, clock.of)
        return self.watcher

    def _meter(self, meter: Identity) -> Core:
        meter = replace(meter, issuer=public_text(self._issuer))
        return Meter(Body(meter, self.memory.of(meter.ae), self.plan.clock.now, self._wires[meter.premise], self.plan.base))

    def _add(self, name: str, build: Callable[[], Core], *, coap: bool = False) -> None:
        self.devices[name] = Device(name, build, lambda: self.client(ae_id(name), coap=coap), self._post, self.plan.clock, coap=coap)

    async def _all_on(self, names: Sequence[str]) -> None:
        for name in names:
            self.devices[name].power_on()
        for name in names:
            await self.devices[name].ready.wait()
        await self._written(names)

    async def _written(self, names: Sequence[str]) -> None:
        """Wait until what they have to say at their start is written: who is told that the world is ready finds it."""
        marks = [(core.outbox, core.outbox.newest) for name in names if (core := self.devices[name].core) is not None]
        while marks:
            marks = [(outbox, mark) for outbox, mark in marks if (head := outbox.head()) is not None and head.number <= mark]
            await asyncio.sleep(0.01)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


@asynccontextmanager
async def standing(plan: Plan) -> AsyncIterator[World]:
    """Bring a world up, and take it down at the end of the block, also when it does not come up."""
    world = World(plan)
    try:
        yield await world.__aenter__()
    finally:
        await world.__aexit__()
