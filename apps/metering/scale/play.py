"""A fleet at work for some periods, and what must be true of it: nothing is missing, late, unanswered or leaking."""

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from apps.metering.outbox import DOCUMENT, document
from apps.metering.scale.tally import POINTS, REGISTERS, Counted, Figures, Tally
from apps.metering.tree import Identity
from apps.metering.vocabulary import KINDS, TIMERS, ae_id, stamp
from apps.metering.world import PATIENCE, SETTLING, Plan, World
from bindings.ports import Sender
from cse.codes import Operation, ResourceTypeID
from cse.datatypes import seconds_of
from cse.errors import CSEError

PREMISE = 4
"""Meters at a premise: one of each kind."""

UNDER_WAY = 128
"""Requests of the fleet that are under way at the same time."""

LEAK = 0.1
"""Share by which memory may grow in the second half of a play."""

NEARLY = 0.95
"""Share of a period after which the next one is nearly due."""

LOOKING = 16
"""Premises that are looked at at the same time."""

AGAIN = 0.5
"""Seconds until an answer that is not there is looked for again."""

COMMANDS: Sequence[tuple[str, str, str, Mapping[str, Any]]] = (("dno", "read", "readNow", {"what": "registers"}), ("bill", "supply", "enable", {}))
"""Who commands what, each premise in turn: one request to the group of its meters."""

Told = Callable[[str], object]


def fleet(meters: int, period: float) -> tuple[Identity, ...]:
    """Give so many meters, four to a premise, of all kinds; each kind is met over both protocols, which the world gives out in turn.

    A report is missing when it has not come by the time of the next one.
    """
    schedule = Identity("", period=period, interval=period, timers={**TIMERS, "reportGrace": period})
    return tuple(
        replace(schedule, name=f"M{number + 1}", kind=KINDS[(number + number // PREMISE) % len(KINDS)], premise=f"P{number // PREMISE + 1}")
        for number in range(meters)
    )


class Fleet(World):
    """A world of many meters, whose requests are counted."""

    def __init__(self, plan: Plan, period: float) -> None:
        super().__init__(plan)
        self.tally = Tally(period, plan.clock.now)
        self._room = asyncio.Semaphore(UNDER_WAY)

    def sender(self, coap: bool) -> Sender:
        """Give connections whose requests are counted."""
        return Counted(super().sender(coap), self.tally, self._room)

    async def watched(self) -> None:
        """Wait until the watcher knows every meter."""
        async with asyncio.timeout(PATIENCE + SETTLING * len(self.plan.meters)):
            while len(self.watcher.adopted if self.watcher is not None else ()) < len(self.plan.meters):
                await self.plan.clock.wait(0.1)

    def over_coap(self, meter: Identity) -> bool:
        """Tell whether a meter talks CoAP."""
        return self.devices[meter.ae].coap

    @property
    def standing(self) -> int:
        """How many meters have their trees, and report."""
        return sum(self.devices[meter.ae].ready.is_set() for meter in self.plan.meters if meter.ae in self.devices)

    @property
    def unsent(self) -> int:
        """How many requests wait in the entities."""
        return sum(len(device.core.outbox) for device in self.devices.values() if device.core is not None)


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident memory in bytes: of the process with the meters, and of that with the CSE."""

    meters: int
    cse: int


@dataclass(slots=True)
class Period:
    """What one period has shown. behind: seconds that its last reading came after its time. tasks, unsent: of the event
    loop, and requests that wait in the entities, at its end. busy: the share of a processor that the process with the meters had, and that with the CSE.
    """

    figures: Figures
    memory: Memory
    behind: float
    tasks: int
    unsent: int
    busy: tuple[float, float]


@dataclass(slots=True)
class Play:
    """A play and its outcome. commanded, answered: commands to single meters. waited: seconds from a command to its ``executed``."""

    world: Fleet
    period: float
    periods: int
    seen: list[Period] = field(default_factory=list)
    total: Figures = field(default_factory=Figures)
    begin: float = 0.0
    commanded: int = 0
    waited: list[float] = field(default_factory=list)
    gaps: int = 0
    faults: list[str] = field(default_factory=list)
    _busy: tuple[float, float] = (0.0, 0.0)
    _issued: dict[tuple[str, str], tuple[str, float]] = field(default_factory=dict)

    @property
    def meters(self) -> Sequence[Identity]:
        """The meters."""
        return self.world.plan.meters

    @property
    def due(self) -> int:
        """How many scheduled readings the periods ask for: a register reading and a point of the load profile of each meter in each."""
        return 2 * len(self.meters) * self.periods

    @property
    def sent(self) -> int:
        """How many of them were acknowledged."""
        return sum(self.world.tally.due[kind, moment] for kind in (POINTS, REGISTERS) for moment in self.moments)

    @property
    def middle(self) -> Period:
        """The period that ends the first half."""
        return self.seen[(len(self.seen) - 1) // 2]

    @property
    def moments(self) -> tuple[float, ...]:
        """When the readings of the periods are due."""
        return tuple(self.begin + (number + 1) * self.period for number in range(self.periods))

    async def run(self, told: Told) -> None:
        """Let the periods pass, command in the meantime, then look at what the CSE has."""
        now = self.world.plan.clock.now
        self.begin = (now() // self.period + 1) * self.period
        await self._until(self.begin)
        self.world.tally.take()
        self._busy = self._processors()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._command())
            for number, moment in enumerate(self.moments):
                await self._until(moment)
                self.seen.append(self._look())
                told(f"period {number + 1} of {self.periods}: {self._say(self.seen[-1])}")
        await self._answers()
        await self._stored()
        self.faults += self.wrong()

    async def _until(self, moment: float) -> None:
        """Wait for what is due at a moment to be there, until the next is nearly due."""
        await self.world.plan.clock.wait(moment + self.period * NEARLY - self.world.plan.clock.now())

    def _look(self) -> Period:
        figures = self.world.tally.take()
        self.total.add(figures)
        memory = Memory(resident(os.getpid()), resident(self.world.cse.pid))
        before, self._busy = self._busy, self._processors()
        busy = (self._busy[0] - before[0]) / self.period, (self._busy[1] - before[1]) / self.period
        return Period(figures, memory, max(figures.behind, default=0.0), len(asyncio.all_tasks()), self.world.unsent, busy)

    def _processors(self) -> tuple[float, float]:
        return processor(os.getpid()), processor(self.world.cse.pid)

    def _say(self, seen: Period) -> str:
        figures = seen.figures
        memory = f"{seen.memory.meters >> 20} + {seen.memory.cse >> 20} MB"
        return f"{figures.readings} readings, {figures.creates / self.period:.0f} creates/s, the last reading {seen.behind:.1f} s after its time, {memory}"

    # --- commands --------------------------------------------------------------------------------------------------------------------------------------------

    async def _command(self) -> None:
        """Command the meters of one premise after another, evenly over the periods."""
        world, now = self.world, self.world.plan.clock.now
        premises = list(world.plan.premises.items())
        for number, (premise, meters) in enumerate(premises):
            await world.plan.clock.wait(self.begin + self.period * (1 + number * self.periods / len(premises)) - now())
            actor, kind, name, params = COMMANDS[number % len(COMMANDS)]
            identifier, since = f"fleet-{premise}-{self.begin:.0f}", now()
            envelope = {"cmdId": identifier, "type": name, "issuer": ae_id(actor), "issuedAt": stamp(since), "validUntil": stamp(since + 60), "consent": "none"}
            content = {"m2m:cin": {"con": document({**envelope, "params": params}), "cnf": DOCUMENT}}
            client = world.client(ae_id(actor), coap=number % 2 == 1)
            group = f"{world.plan.base}/grp-{premise}"
            answers = await client.fan_out(group, f"cmd/{kind}/in", op=Operation.CREATE, ty=int(ResourceTypeID.CONTENT_INSTANCE), pc=content)
            self.commanded += len(meters)
            self.faults += [f"{answer.member}: {answer.error}" for answer in answers if answer.error is not None]
            self._issued[premise, kind] = (identifier, since)

    async def _answers(self) -> None:
        """Read what each meter has answered."""
        room = asyncio.Semaphore(LOOKING)
        async with asyncio.TaskGroup() as tasks:
            for number, ((premise, kind), (identifier, since)) in enumerate(self._issued.items()):
                tasks.create_task(self._answer(COMMANDS[number % len(COMMANDS)][0], premise, kind, identifier, since, room))

    async def _answer(self, actor: str, premise: str, kind: str, identifier: str, since: float, room: asyncio.Semaphore) -> None:
        """Look until every meter of the premise has executed the command, a period long at most: the last ones are commanded when the play is nearly over."""
        clock, group = self.world.plan.clock, f"{self.world.plan.base}/grp-{premise}"
        until = clock.now() + self.period
        async with room:
            while True:
                answers = await self.world.client(ae_id(actor)).fan_out(group, f"cmd/{kind}/out/la")
                told = [(answer, answer.resource.content if answer.resource is not None else {}) for answer in answers]
                late = [(answer, status) for answer, status in told if (status.get("cmdId"), status.get("state")) != (identifier, "executed")]
                if not late or clock.now() >= until:
                    break
                await clock.wait(AGAIN)
        self.waited += [seconds_of(status["ts"]) - since for answer, status in told if (answer, status) not in late]
        self.faults += [f"{answer.member}: {identifier} is {status.get('state') or answer.error}" for answer, status in late]

    # --- what the CSE has ------------------------------------------------------------------------------------------------------------------------------------

    async def _stored(self) -> None:
        """Compare what the CSE holds with what it has acknowledged, and count the gaps that it has found by itself."""
        room = asyncio.Semaphore(LOOKING)
        async with asyncio.TaskGroup() as tasks:
            for meter in self.meters:
                for kind in (POINTS, REGISTERS):
                    tasks.create_task(self._compare(meter, kind, room))

    async def _compare(self, meter: Identity, kind: str, room: asyncio.Semaphore) -> None:
        address = f"{self.world.plan.base}/{meter.ae}/{kind}"
        async with room:
            least = self.world.tally.written[address]
            try:
                found = await self.world.client("Crdr-1").retrieve(address)
            except CSEError as failed:
                self.faults.append(f"{address} could not be read: {failed}")
                return
        if not least <= found["cni"] <= self.world.tally.written[address] + 1:
            self.faults.append(f"{address} has {found['cni']} instances, {least} were acknowledged")
        self.gaps += found.get("mdc") or 0

    def wrong(self) -> list[str]:
        """Say what is not as it must be."""
        found = []
        if self.sent != self.due:
            found.append(f"{self.due - self.sent} of {self.due} scheduled readings are missing")
        if self.gaps:
            found.append(f"the CSE has found {self.gaps} gaps")
        if (behind := max(self.total.behind, default=0.0)) > self.period:
            found.append(f"a reading came {behind:.1f} seconds after its time, later than the next one was due")
        middle, last = self.middle, self.seen[-1]
        if last.unsent > max(middle.unsent, len(self.meters)):
            found.append(f"{last.unsent} requests wait in the entities, there were {middle.unsent} half way")
        for name, before, after in (("meters", middle.memory.meters, last.memory.meters), ("CSE", middle.memory.cse, last.memory.cse)):
            if after > before * (1 + LEAK):
                found.append(f"the memory of the {name} has grown from {before >> 20} to {after >> 20} MB in the second half")
        return found


def resident(pid: int) -> int:
    """Give the resident memory of a process in bytes, 0 where the system does not tell."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def processor(pid: int) -> float:
    """Give the seconds of processor time that a process has had, 0 where the system does not tell."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
