"""What else is at a premise: appliances and generators."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from apps.client import Notification
from apps.client import ResourceTypeID as Ty
from apps.metering.entity import Entity, container
from apps.metering.memory import Kept
from apps.metering.meter.physics import Premise
from cse.codes import NotificationEventType as Net

POWER, TEMPERATURE = 1.2, 21.0
"""What an appliance draws when it is on, in kilowatts, and its temperature at first, in degrees Celsius."""


class Appliance(Entity):
    """A smart device: ``powSe`` switches it, ``tarTe`` sets its temperature. Whoever may updates these, and it draws power accordingly."""

    app = "Nsm.appliance"

    def __init__(self, name: str, wires: Premise, kept: Kept, now: Callable[[], float], base: str = "cse-in") -> None:
        super().__init__(name, kept, now, base)
        self._wires = wires
        wires.loads[name] = POWER if kept.get("device", "on", False) else 0.0

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
    def watched(self) -> Sequence[tuple[str, str, Mapping[str, Any]]]:
        """Its own switch and target: whoever may changes them there."""
        return [(self.place(name), name, {"events": [Net.UPDATE_OF_RESOURCE]}) for name in ("powSe", "tarTe")]

    @property
    def on(self) -> bool:
        """Whether it is switched on."""
        return bool(self.kept.get("device", "on", False))

    def hear(self, rest: str, notification: Notification) -> None:
        """Do what switch and target say, and acknowledge it."""
        if notification.resource is None:
            return
        value = notification.resource.get("state" if rest == "powSe" else "tarTe")
        if rest == "powSe" and isinstance(value, bool):
            self.kept.put("device", "on", value)
            self._wires.loads[self.name] = POWER if value else 0.0
        if value is not None:
            self.outbox.put(self.place("acks"), {"ts": self.ts(), "module": rest, "value": value})


class Generator(Entity):
    """Generating equipment: gives what it is set to."""

    app = "Nsm.generator"

    def __init__(self, name: str, wires: Premise, kept: Kept, now: Callable[[], float], base: str = "cse-in") -> None:
        super().__init__(name, kept, now, base)
        wires.sources[name] = float(kept.get("device", "level", 0.5))
