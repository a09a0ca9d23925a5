"""Register readings and the points of the time series: on the timetable, and on request (use case 1)."""

from collections.abc import Callable, Mapping
from typing import Any

from apps.metering.memory import Kept
from apps.metering.meter.events import Events
from apps.metering.meter.faults import Faults
from apps.metering.meter.physics import MICRO, Flow, Plant
from apps.metering.meter.settings import Settings
from apps.metering.outbox import Outbox
from apps.metering.tree import Identity
from apps.metering.vocabulary import stamp


class NoReading(Exception):
    """A reading that could not be taken or kept: type of the error event, and a sentence. Whoever wanted it records the event."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code, self.text = code, text


SERIES = ("readings/export", "readings/net", "generation/output", "generation/quality", "pq/samples")
"""The series of an electricity meter beside the load profile."""

KEPT = 86_400.0
"""Seconds that the meter itself remembers the points of its series; the CSE keeps them longer."""


class Readings:
    """The readings of one meter."""

    def __init__(
        self, identity: Identity, kept: Kept, plant: Plant, faults: Faults, outbox: Outbox, events: Events, settings: Settings,
        now: Callable[[], float], clock: Callable[[], float], place: Callable[[str], str],
    ) -> None:  # fmt: skip
        self._identity, self._kept, self._plant, self._faults = identity, kept, plant, faults
        self._outbox, self._events, self._settings, self._now, self._clock, self._place = outbox, events, settings, now, clock, place

    def take(self, reason: str) -> str:
        """Take a register reading, write it and give its readId; the tag of what is sent is ``reading:`` and that. Raises NoReading."""
        identifier = f"{self._identity.name}-R{self._kept.number('reading')}"
        for fault, code, said in (
            ("register", "readingNotRegistered", "the registers could not be read"),
            ("store", "readingNotStored", "the reading store refused the reading"),
        ):
            if self._faults.use(fault):
                raise NoReading(code, f"reading {identifier} ({reason}): {said}")
        now = self._now()
        self._plant.advance(now)
        tariff = self._kept.get("tariff", "rates", {})
        registers = [
            {"id": name, "value": value / MICRO, "unit": self._plant.unit, **({"rate": tariff[name]} if name in tariff else {})}
            for name, value in self._plant.registers.items()
        ]
        reading = {"readId": identifier, "ts": stamp(self._clock()), "reason": reason, "registers": registers, "quality": "measured"}
        reading["clock"] = self._plant.clock
        self._outbox.put(self._place("readings/registers"), reading, tag=f"reading:{identifier}")
        self._kept.put("reading", "last", identifier)
        self.show()
        return identifier

    @property
    def last(self) -> str:
        """The readId of the newest register reading, "" when there is none."""
        return str(self._kept.get("reading", "last", ""))

    def point(self, moment: float) -> None:
        """Write the points of the interval that ends at a moment into every series."""
        self._plant.advance(moment)
        flow, ts, judged = self._plant.passed(moment), stamp(moment), self._plant.judged(moment)
        if judged is not None:
            self._series("readings/profile", ts, {"value": flow.imported / MICRO, "unit": self._plant.unit, **judged})
        if self._identity.electric:
            sensed, power = self._plant.sensed, self._plant.generation()
            if judged is not None:
                self._series("readings/export", ts, {"value": flow.exported / MICRO, "unit": "kWh", **judged})
                self._series("readings/net", ts, {"value": _net(flow), "unit": "kWh", **judged})
            self._series("generation/output", ts, {"value": flow.generated / MICRO, "unit": "kWh"})
            self._series("generation/quality", ts, {"voltage": sensed.voltage, "frequency": sensed.frequency, "power": power})
            self._series("pq/samples", ts, self._plant.quality(moment))
            for place in SERIES:
                self._kept.prune(f"points {place}", stamp(moment - KEPT))
        self._kept.prune("points readings/profile", stamp(moment - KEPT))
        self._plant.keep()

    def _series(self, place: str, moment: str, content: Mapping[str, Any]) -> None:
        """Write a point; one whose time comes of a clock that is off says so (R02)."""
        clock = {} if self._plant.clock == "good" else {"clock": self._plant.clock}
        self._outbox.point(self._place(place), moment, {"ts": moment, "quality": "measured", **content, **clock}, tag=f"point:{place}:{moment}")
        self._kept.put(f"points {place}", moment, content)

    def points(self, place: str, since: str, until: str) -> Mapping[str, Any]:
        """Give the points of a series in a span, by their times; those of an hour when the span has no beginning."""
        return self._kept.span(f"points {place}", since or stamp(self._now() - 3600), until)

    def show(self) -> None:
        """Write the present values for the display into ``live``."""
        plant, now = self._plant, self._now()
        values: dict[str, Any] = {
            "power": plant.power(now),
            "importTotal": plant.totals.imported / MICRO,
            "exportTotal": plant.totals.exported / MICRO,
            "generated": plant.totals.generated / MICRO,
            "consumed": plant.totals.consumed / MICRO,
            "supplyState": plant.state,
            **self._kept.get("live", "figures", {}),
        }
        self._outbox.update(self._place("live"), "mtr:live", values)

    def figure(self, **values: Any) -> None:
        """Let the display show something else: rate, price, mode, credit."""
        self._kept.put("live", "figures", {**self._kept.get("live", "figures", {}), **values})
        self.show()

    def next(self, moment: float) -> float:
        """Give the end of the interval after a moment."""
        return (moment // self._identity.interval + 1) * self._identity.interval

    def next_report(self, moment: float) -> float:
        """Give the time of the scheduled register reading after a moment."""
        period = self._settings.period(moment)
        return (moment // period + 1) * period


def _net(flow: Flow) -> float:
    return (flow.imported - flow.exported) / MICRO
