"""The switch or valve of a meter: setting it, and saying what was reached (use cases 3 and 11)."""

from collections.abc import Mapping
from typing import Any

from apps.metering.meter.body import Body
from apps.metering.meter.records import Failed
from apps.metering.tree import supply_switch
from apps.metering.vocabulary import CONCERNED
from cse.management import Status

UNITS: Mapping[str, Mapping[str, float]] = {
    "electricity": {"kW": 1.0, "W": 0.001, "A": 0.23},
    "water": {"m3/h": 1.0, "l/h": 0.001, "l/min": 0.06},
    "heat": {"kW": 1.0, "W": 0.001},
}
"""Units of a limit, and what one is in kilowatts or cubic metres an hour. Gas is not limited (F4)."""


def switch(meter: Body, state: str, cause: str, *, command: str = "", limit: float | None = None, shown: Mapping[str, Any] | None = None) -> None:
    """Set switch or valve, look whether it has moved, and write the state that was reached. limit: as the plant counts it; shown: the member of
    the state that tells it.

    Raises Failed when the switch stays where it was: whoever controls the supply is alerted that it is not as it should be.
    """
    meter.plant.advance(meter.now())
    stuck = meter.faults.use("apply")
    if not stuck:
        meter.plant.switch(state, limit)
    if stuck or meter.plant.state != state:
        part, has = "switch" if meter.identity.electric else "valve", meter.plant.state
        said = f"the {part} did not move: the supply is {has}, where {state} was wanted"
        meter.events.record(part, said, severity="critical", command=command, told=CONCERNED["supply"])
        wanted = "disable" if state == "disabled" else "enable"
        meter.outbox.update(meter.node("supplySwitch"), "m2m:dvc", {"cas": {"acn": wanted, "sus": int(Status.FAILURE)}, "cus": has != "disabled"})
        raise Failed("applyFailed", said)
    meter.plant.keep()
    record = {"ts": meter.ts(), "state": state, "cause": cause}
    meter.outbox.put(meter.place("supply/state"), {**record, **(shown or {}), **({"cmdId": command} if command else {})})
    meter.outbox.update(meter.node("supplySwitch"), "m2m:dvc", _capability(state != "disabled"))
    meter.events.record("supplyChanged", f"the supply is {state}: {cause}", severity="info", command=command)
    meter.readings.show()


def _capability(closed: bool) -> Mapping[str, object]:
    told = supply_switch(True, closed)
    return {"cas": told["cas"], "cus": told["cus"]}
