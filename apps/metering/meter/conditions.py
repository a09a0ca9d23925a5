"""What a meter does when it senses something else of its surroundings or of itself."""

from collections.abc import Mapping
from typing import Any

from apps.metering.meter import outages, quality
from apps.metering.meter.body import Body
from apps.metering.meter.physics import CLOCK_OFF, MICRO
from apps.metering.vocabulary import stamp

BATTERY_LOW, MEMORY_HIGH = 20.0, 90.0
"""Percent beyond which something is a malfunction."""


def sense(meter: Body, values: Mapping[str, Any]) -> None:
    """Let a meter sense new values; what is wrong with them is recorded once, when it begins, but tamper each time that it is sensed."""
    before, plant = meter.plant.sensed, meter.plant
    plant.advance(meter.now())
    registers = values.get("registers")
    if isinstance(registers, Mapping):
        plant.registers |= {name: round(float(value) * MICRO) for name, value in registers.items() if name in plant.registers}
    plant.sense(**{name: value for name, value in values.items() if name != "registers"})
    after = plant.sensed
    asset = ("Casset",)
    if values.get("tamper"):
        meter.events.record("tamper", "the meter senses that it was opened or moved", severity="critical", told=asset)
    if after.battery < BATTERY_LOW <= before.battery:
        meter.events.record("battery", f"the battery is at {after.battery:g} percent", severity="warning")
    if after.memory > MEMORY_HIGH >= before.memory:
        meter.events.record("memory", f"{after.memory:g} percent of the memory are used", severity="warning")
    if abs(after.clockOffset) > CLOCK_OFF >= abs(before.clockOffset):
        meter.events.record("clock", f"the clock is {after.clockOffset:g} seconds off", severity="warning")
    if after.battery != before.battery:
        meter.outbox.update(meter.node("battery"), "m2m:bat", {"btl": round(after.battery), "bts": 5 if after.battery < BATTERY_LOW else 1})
    if after.memory != before.memory:
        meter.outbox.update(meter.node("memory"), "m2m:mem", {"mma": round(1_048_576 * (1 - after.memory / 100))})
    quality.judge(meter)
    plant.keep()


def supply(meter: Body, there: bool, at: float | None = None) -> None:
    """Let the network fail or come back, at a time that has passed or now; the meter remembers both times, and tells when it can."""
    if there == meter.plant.sensed.supply:
        return
    meter.plant.advance(meter.now())
    meter.plant.sense(supply=there, voltage=230.0 if there else 0.0)
    ts = meter.ts() if at is None else stamp(at + meter.plant.sensed.clockOffset)
    outages.end(meter, ts) if there else outages.begin(meter, ts)
    quality.judge(meter)
    meter.plant.keep()
    meter.readings.show()
