"""What else is at a premise: appliances and generators."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from apps.client import AccessControlOperation, Notification
from apps.client import ResourceTypeID as Ty
from apps.metering.entity import Watched, container
from apps.metering.equipment import Equipment
from apps.metering.memory import Kept
from apps.metering.meter.physics import Premise
from apps.metering.vocabulary import ae_id

POWER, TEMPERATURE = 1.2, 21.0
"""What an appliance draws when it is on, in kilowatts, and its temperature at first, in degrees Celsius."""

PRESET = 0.5
"""What a generator gives of its own, in kilowatts."""

SET_BY: Mapping[str, Any] = {"om": [{"ops": int(AccessControlOperation.UPDATE)}]}
"""Notify of each UPDATE, and of who has made it."""


class Appliance(Equipment):
    """A smart device: ``powSe`` switches it, ``tarTe`` sets its temperature. Whoever may updates these, and it draws power accordingly.

    Having done so it says it in ``acks``.
    """

    app = "Nsm.appliance"
    quantity = "demand"

    def __init__(self, name: str, meter: str, wires: Premise, kept: Kept, now: Callable[[], float], base: str = "cse-in") -> None:
        super().__init__(name, meter, kept, now, base)
        self._wires = wires
        self._told: bool = kept.get("device", "told", self._chosen)
        wires.loads[name] = POWER if self.on else 0.0

    @property
    def own(self) -> Sequence[tuple[str, int, str, Mapping[str, Any], str]]:
        """A switch and a target temperature, as module classes of the home domain have them, and what it says of having done what they say."""
        policy, domain = f"acp-{self.name}", "org.onem2m.common.moduleclass"
        return [
            ("powSe", Ty.FLEX_CONTAINER, "cod:binSh", {"cnd": f"{domain}.binarySwitch", "state": self.on}, policy),
            container("acks", policy),
            ("tarTe", Ty.FLEX_CONTAINER, "cod:tempe", {"cnd": f"{domain}.temperature", "curT0": TEMPERATURE, "tarTe": TEMPERATURE}, policy),
        ]

    @property
    def watched(self) -> Sequence[Watched]:
        """Its own switch and target: whoever may changes them there; and setpoints."""
        return [*((self.place(name), name, {"enc": SET_BY}) for name in ("powSe", "tarTe")), *super().watched]

    @property
    def _chosen(self) -> bool:
        return bool(self.kept.get("device", "on", False))

    @property
    def on(self) -> bool:
        """Whether it is switched on."""
        return self._told

    def hear(self, rest: str, notification: Notification) -> None:
        """Do what the switch, the target or a setpoint says, and acknowledge it."""
        if notification.resource is None or notification.by == ae_id(self.name):
            return
        attributes = notification.resource.attributes
        if rest == "powSe" and isinstance(state := attributes.get("state"), bool):
            self.release()
            self.kept.put("device", "on", state)
            self._switch(state)
            self._acknowledge(rest, state)
        elif rest == "tarTe" and (target := attributes.get("tarTe")) is not None:
            self._acknowledge(rest, target)
        else:
            super().hear(rest, notification)

    def run(self, order: Mapping[str, Any] | None) -> None:
        """Be off where less is to be drawn, on where more is."""
        wanted = self._chosen if order is None else order["direction"] == "increase"
        if wanted != self._told:
            self._switch(wanted)
            self.outbox.update(self.place("powSe"), "cod:binSh", {"state": wanted})
            self._acknowledge("powSe", wanted)

    def _switch(self, on: bool) -> None:
        self._told = on
        self.kept.put("device", "told", on)
        self._wires.loads[self.name] = POWER if on else 0.0

    def _acknowledge(self, module: str, value: Any) -> None:
        self.outbox.put(self.place("acks"), {"ts": self.ts(), "module": module, "value": value})


class Generator(Equipment):
    """Generating equipment: gives what it is set to, and a preset level otherwise."""

    app = "Nsm.generator"
    quantity = "generation"

    def __init__(self, name: str, meter: str, wires: Premise, kept: Kept, now: Callable[[], float], base: str = "cse-in") -> None:
        super().__init__(name, meter, kept, now, base)
        self._wires = wires
        self.tick(now())

    def run(self, order: Mapping[str, Any] | None) -> None:
        """Give what is wanted."""
        self._wires.sources[self.name] = PRESET if order is None else float(order["level"])
