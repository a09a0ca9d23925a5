"""What a meter asks of the equipment at its premise: appliances by their switch and target, generators and demand by setpoints; all of it is acknowledged."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from apps.client import AccessControlOperation, Client, Resource
from apps.metering.meter.body import Body
from apps.metering.meter.records import Rejected
from apps.metering.tree import CREATED_BY, Identity
from apps.metering.vocabulary import ae_id
from cse.errors import NotFound

PARTS: Mapping[str, tuple[str, str]] = {"powSe": ("cod:binSh", "state"), "tarTe": ("cod:tempe", "tarTe")}
"""Root and attribute of the parts of an appliance."""

COLDEST, HOTTEST = 4.0, 95.0
"""Degrees Celsius to which an appliance may be set."""

Step = tuple[str, Any]
"""A part and the value that it is to have."""


async def listen(client: Client, identity: Identity, url: str) -> Mapping[str, Any]:
    """Have it told what equipment does of itself; give the present values of appliances by ``<device>/<part>``."""
    found: dict[str, Any] = {}
    for device in identity.appliances:
        confirmed = {"om": [{"ops": int(AccessControlOperation.UPDATE), "or": ae_id(device)}]}
        for part, (_, attribute) in PARTS.items():
            with suppress(NotFound):
                address = f"{client.base}/{device}/{part}"
                await client.subscribe(address, f"{url}/device/{device}/{part}", enc=confirmed, name=f"sub-{identity.ae}", pn=2)
                found[f"{device}/{part}"] = (await client.retrieve(address)).get(attribute)
    if identity.electric:
        await client.subscribe(f"{client.base}/{identity.ae}/generation/setpoint", f"{url}/setpoint", enc=CREATED_BY, name=f"sub-{identity.ae}", pn=2)
    return found


def remember(meter: Body, values: Mapping[str, Any]) -> None:
    """Remember the present values of appliances."""
    for name, value in values.items():
        meter.kept.put("appliance", name, value)


def heard(meter: Body, rest: str, about: Resource, content: Mapping[str, Any], by: str) -> None:
    """Take what equipment has confirmed (``device/<device>/<part>``) or acknowledged (``setpoint``), and let go on who waits for it."""
    if rest == "setpoint":
        device = by.removeprefix("C")
        if content.get("ackBy") == by and device in (*meter.identity.generators, *meter.identity.appliances):
            meter.happened(acknowledgement(device, str(content.get("cmdId"))))
        return
    name = rest.removeprefix("device/")
    value = about.get(PARTS[name.rpartition("/")[2]][1])
    meter.kept.put("appliance", name, value)
    meter.happened(_confirmation(name, value))


def acknowledgement(device: str, command: str) -> str:
    """Give the occasion of an acknowledged setpoint."""
    return f"setpoint/{device}/{command}"


def _confirmation(name: str, value: Any) -> str:
    return f"device/{name}={value if isinstance(value, bool) else float(value or 0)}"


def step(meter: Body, target: str, action: str, value: Any, named: str) -> Step:
    """Give what an action means for an appliance; raises Rejected with the member that is wrong. named: how the member of the value is called."""
    if target not in meter.identity.appliances:
        raise Rejected("requestInvalid", f"params.target: {target} is no appliance of premise {meter.identity.premise}")
    match action:
        case "on" | "off":
            return "powSe", action == "on"
        case "reduce" | "shift":
            return "powSe", False
        case "setpoint":
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise Rejected("requestInvalid", f"{named}: a setpoint needs a number of degrees, not {value!r}")
            if not COLDEST <= value <= HOTTEST:
                raise Rejected("requestInvalid", f"{named}: must be from {COLDEST:g} to {HOTTEST:g} degrees, not {value:g}")
            return "tarTe", value
    raise Rejected("requestInvalid", f"params.action: an appliance does on, off and setpoint, not {action!r}")


def state(meter: Body, device: str, part: str) -> Any:
    """Give the value that a part of an appliance has as far as the meter knows, None when it does not."""
    return meter.kept.get("appliance", f"{device}/{part}")


def order(meter: Body, device: str, wanted: Step) -> tuple[str, ...]:
    """Have an appliance do something, and give the occasion of its confirmation; none when it will not confirm."""
    part, value = wanted
    root, attribute = PARTS[part]
    meter.outbox.update(f"{meter.base}/{device}/{part}", root, {attribute: value})
    return () if meter.faults.use("noAck") else (_confirmation(f"{device}/{part}", value),)
