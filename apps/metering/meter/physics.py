"""The physical side of a simulated meter: what flows through it, fed from a real household's year, and what it senses of itself."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from apps.metering.memory import Kept
from apps.metering.sources import MICRO as MICRO
from apps.metering.sources import source
from apps.metering.tree import Identity

UNITS: Mapping[str, str] = {"electricity": "kWh", "gas": "m3", "water": "m3", "heat": "kWh"}
REGISTERS: Mapping[str, tuple[str, ...]] = {
    "electricity": ("1.8.1", "1.8.2", "2.8.0"),
    "gas": ("7-0:3.0.0",),
    "water": ("8-0:1.0.0",),
    "heat": ("6-0:1.0.0",),
}
"""Register identifiers by kind; 2.8.0 is what is fed into the network."""

_FLOW: Mapping[str, float] = {"electricity": 1.0, "gas": 0.1, "water": 0.02, "heat": 0.8}
"""How much of each medium goes with a kilowatt of the household's load: its unit per hour."""


CLOCK_OFF = 60.0
"""Seconds beyond which a clock is not trusted."""


@dataclass(frozen=True, slots=True)
class Sensed:
    """What the meter measures of its surroundings and of itself; battery and memory in percent, clock offset in seconds."""

    voltage: float = 230.0
    frequency: float = 50.0
    battery: float = 100.0
    memory: float = 25.0
    clockOffset: float = 0.0
    tamper: bool = False
    supply: bool = True
    """Whether the network gives any."""


@dataclass(frozen=True, slots=True)
class Flow:
    """What has passed since the last look, in millionths of the unit."""

    imported: int = 0
    exported: int = 0
    generated: int = 0
    consumed: int = 0


@dataclass(slots=True)
class Premise:
    """The wires of a premise: what each appliance draws and each generator gives, in kilowatts, beside the household's own load."""

    loads: dict[str, float] = field(default_factory=dict)
    sources: dict[str, float] = field(default_factory=dict)


class Plant:
    """Registers, switch and sensors of one meter; they survive its restart."""

    def __init__(self, identity: Identity, kept: Kept, premise: Premise) -> None:
        self._identity, self._kept, self._premise, self._source = identity, kept, premise, source(identity.source)
        self._exact = self._source.length == identity.interval
        found = kept.get("plant", "state", {})
        self.registers: dict[str, int] = found.get("registers") or {name: self._source.registers.get(name, 0) for name in REGISTERS[identity.kind]}
        self.totals = Flow(**found.get("totals", {}))
        self.sensed = Sensed(**found.get("sensed", {}))
        self.state: str = found.get("state", "enabled")
        self.limit: float | None = found.get("limit")
        self.register: str = found.get("register", REGISTERS[identity.kind][0])
        self._since = Flow(**found.get("since", {}))
        self._at: float | None = None

    def keep(self) -> None:
        """Write everything down."""
        state = {"registers": self.registers, "totals": asdict(self.totals), "since": asdict(self._since), "sensed": asdict(self.sensed)}
        self._kept.put("plant", "state", {**state, "state": self.state, "limit": self.limit, "register": self.register})

    @property
    def unit(self) -> str:
        """The unit of the registers."""
        return UNITS[self._identity.kind]

    @property
    def clock(self) -> str:
        """The quality of the clock: ``good`` or ``doubtful``."""
        return "good" if abs(self.sensed.clockOffset) <= CLOCK_OFF else "doubtful"

    def load(self, now: float) -> float:
        """Give what the premise draws now, in kilowatts or units per hour: nothing when the supply is off, no more than its limit."""
        if self.state == "disabled" or not self.sensed.supply:
            return 0.0
        drawn = self._source.load(now) * _FLOW[self._identity.kind]
        if self._identity.electric:
            drawn += sum(self._premise.loads.get(name, 0.0) for name in self._identity.appliances)
        return drawn if self.limit is None else min(drawn, self.limit)

    def generation(self) -> float:
        """Give what the generators give now, in kilowatts; without the network they are off."""
        if not self._identity.electric or not self.sensed.supply:
            return 0.0
        return sum(self._premise.sources.get(name, 0.0) for name in self._identity.generators)

    def power(self, now: float) -> float:
        """Give what is drawn from the network now, in watts, negative when it is fed."""
        return round((self.load(now) - self.generation()) * 1000, 1)

    def quality(self, now: float) -> Mapping[str, float]:
        """Give what is measured of the quality of supply now."""
        sensed = self.sensed
        current = round(abs(self.power(now)) / sensed.voltage, 3) if sensed.voltage else 0.0
        measured = {"voltage": sensed.voltage, "frequency": sensed.frequency, "current": current}
        return {**measured, "powerFactor": 0.97, "flicker": 0.2, "harmonics": 1.5}

    def advance(self, now: float) -> None:
        """Let time pass until ``now``; what passed while the meter was off was not measured."""
        before = now if self._at is None else self._at
        hours = 0.0 if self._at is None else max(0.0, now - self._at) / 3600
        self._at = now if self._at is None else max(now, self._at)
        consumed, generated = round(self.load(now) * hours * MICRO), round(self.generation() * hours * MICRO)
        net = consumed - generated
        imported, exported = max(net, 0), max(-net, 0)
        if self._exact:
            told = self._source.between(before, now) if self.state != "disabled" and self.sensed.supply else []
            imported = consumed = sum(interval.imported for interval in told)
            exported = generated = sum(interval.exported for interval in told)
        self.registers[self.register] += imported
        if "2.8.0" in self.registers:
            self.registers["2.8.0"] += exported
        self.totals = _sum(self.totals, imported, exported, generated, consumed)
        self._since = _sum(self._since, imported, exported, generated, consumed)

    def judged(self, end: float) -> Mapping[str, str] | None:
        """Give the quality of the interval that ends at a moment, with its flag; None where the source has no value for it."""
        if not self._exact:
            return {"quality": "measured"}
        found = self._source.intervals.get(end)
        return None if found is None else {"quality": found.quality, **({"flag": found.flag} if found.flag else {})}

    def passed(self, end: float) -> Flow:
        """Give what has passed since the last time this was asked; of a source with intervals of its own, the one that ends then."""
        found, self._since = self._since, Flow()
        told = self._source.intervals.get(end) if self._exact and self.state != "disabled" and self.sensed.supply else None
        return found if told is None else Flow(told.imported, told.exported, told.exported, told.imported)

    def switch(self, state: str, limit: float | None = None) -> None:
        """Set switch or valve: enabled, disabled, or limited to so many kilowatts or units per hour."""
        self.state, self.limit = state, limit

    def sense(self, **values: Any) -> None:
        """Let the meter sense something else."""
        self.sensed = replace(self.sensed, **values)


def _sum(flow: Flow, imported: int, exported: int, generated: int, consumed: int) -> Flow:
    return Flow(flow.imported + imported, flow.exported + exported, flow.generated + generated, flow.consumed + consumed)
