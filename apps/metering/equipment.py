"""Equipment that can be told to draw or give more or less: it hears setpoints, acknowledges them, and keeps to them while they last (use case 7)."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from apps.client import Notification
from apps.metering.entity import Entity, Watched, content
from apps.metering.memory import Kept
from apps.metering.tree import CREATED_BY
from apps.metering.vocabulary import ae_id
from cse.datatypes import seconds_of

RATED = 10.0
"""What one piece of equipment can give or draw at most, in kilowatts."""

UNITS: Mapping[str, float] = {"kW": 1.0, "W": 0.001, "MW": 1000.0, "%": RATED / 100}
"""Units of a level, and what one is in kilowatts."""


class Equipment(Entity):
    """What is common to generators and appliances. quantity: which setpoints are for it. meter: the meter in whose ``generation/setpoint`` they are.

    A setpoint of a meter names the ``device``; one that the consumer has put there is a programme, and for everything of its quantity. It lasts from ``start``
    (or at once) until ``until`` (or the next); of several the newest counts. One that has ended when it comes takes back an earlier one of the same command.
    """

    quantity = ""

    def __init__(self, name: str, meter: str, kept: Kept, now: Callable[[], float], base: str = "cse-in") -> None:
        super().__init__(name, kept, now, base)
        self._place = f"{base}/mtr-{meter}/generation/setpoint"
        self._orders: dict[str, dict[str, Any]] = dict(kept.all("order"))

    @property
    def watched(self) -> Sequence[Watched]:
        """The setpoints."""
        return [(self._place, "setpoint", {"enc": CREATED_BY})]

    def hear(self, rest: str, notification: Notification) -> None:
        """Take a setpoint: keep it, and acknowledge it."""
        told, programme = content(notification), notification.by.startswith("Cconsumer-")
        device = told.get("device", self.name if programme else "")
        if rest != "setpoint" or "ackBy" in told or told.get("quantity") != self.quantity or device != self.name:
            return
        order = _order(told)
        if order is None:
            return
        key = "programme" if programme else str(told.get("cmdId"))
        self._drop(key)
        if order["until"] is None or order["until"] > self.now():
            self._orders[key] = {**order, "number": self.kept.number("order")}
            self.kept.put("order", key, self._orders[key])
            said = {name: told[name] for name in ("quantity", "direction", "level", "unit", "start", "until", "cmdId") if name in told}
            self.outbox.put(self._place, {"ts": self.ts(), **said, "device": self.name, "ackBy": ae_id(self.name)})

    def _drop(self, key: str) -> None:
        if self._orders.pop(key, None) is not None:
            self.kept.drop("order", key)

    def release(self) -> None:
        """Forget every setpoint: somebody has said what to do by hand."""
        for key in list(self._orders):
            self._drop(key)

    def tick(self, now: float) -> float | None:
        """Keep to the setpoint that is in force; give when that changes."""
        for key in [key for key, order in self._orders.items() if order["until"] is not None and order["until"] <= now]:
            self._drop(key)
        begun = [order for order in self._orders.values() if order["start"] <= now]
        self.run(max(begun, key=lambda order: int(order["number"])) if begun else None)
        moments = [order["start"] for order in self._orders.values() if order["start"] > now]
        return min([*moments, *(order["until"] for order in self._orders.values() if order["until"] is not None)], default=None)

    def run(self, order: Mapping[str, Any] | None) -> None:
        """Do what a setpoint says (``level`` in kilowatts, ``direction``); None: what it does of its own."""


def _order(told: Mapping[str, Any]) -> dict[str, Any] | None:
    """Give a setpoint in kilowatts and seconds, None for what is none."""
    level, unit = told.get("level"), told.get("unit")
    if not isinstance(level, int | float) or isinstance(level, bool) or not 0 <= level * UNITS.get(str(unit), -1.0) <= RATED:
        return None
    try:
        start, until = (seconds_of(str(told[name])) if told.get(name) else None for name in ("start", "until"))
    except ValueError:
        return None
    return {"level": level * UNITS[str(unit)], "direction": told.get("direction"), "start": start or 0.0, "until": until}
