"""What a meter asks of the equipment at its premise: appliances by their switch and target, generators and demand by setpoints; all of it is acknowledged."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from apps.client import Client
from apps.metering.meter.body import Body
from apps.metering.meter.records import Rejected
from apps.metering.tree import CREATED_BY, Identity
from cse.errors import NotFound

MODULES: Mapping[str, tuple[str, str]] = {"powSe": ("cod:binSh", "state"), "tarTe": ("cod:tempe", "tarTe")}
"""Root and attribute of the modules of an appliance."""

ACTIONS: Mapping[str, tuple[str, bool | None]] = {
    "on": ("powSe", True),
    "off": ("powSe", False),
    "switch": ("powSe", None),
    "powSe": ("powSe", None),
    "setpoint": ("tarTe", None),
    "setTemperature": ("tarTe", None),
    "tarTe": ("tarTe", None),
}
"""What an appliance can be asked to do: the module that does it, and the state where the action itself says it; elsewhere a value does."""

COLDEST, HOTTEST = 0.0, 100.0
"""Target temperatures that are possible, in degrees Celsius."""

Step = tuple[str, Any]
"""A module and the value that it is to have."""


async def listen(client: Client, identity: Identity, url: str) -> Mapping[str, Any]:
    """Have it told what equipment acknowledges; give the present values of appliances by ``<device>/<module>``."""
    found: dict[str, Any] = {}
    for device in identity.appliances:
        with suppress(NotFound):
            await client.subscribe(f"{client.base}/{device}/acks", f"{url}/device/{device}", name=f"sub-{identity.ae}", pn=2)
            for module, (_, attribute) in MODULES.items():
                found[f"{device}/{module}"] = (await client.retrieve(f"{client.base}/{device}/{module}")).get(attribute)
    if identity.electric:
        await client.subscribe(f"{client.base}/{identity.ae}/generation/setpoint", f"{url}/setpoint", enc=CREATED_BY, name=f"sub-{identity.ae}", pn=2)
    return found


def remember(meter: Body, values: Mapping[str, Any]) -> None:
    """Remember the present values of appliances."""
    for name, value in values.items():
        meter.kept.put("appliance", name, value)


def heard(meter: Body, rest: str, content: Mapping[str, Any], by: str) -> None:
    """Take what equipment has acknowledged (``device/<device>``, ``setpoint``), and let go on who waits for it."""
    if rest == "setpoint":
        device = by.removeprefix("C")
        if content.get("ackBy") == by and device in (*meter.identity.generators, *meter.identity.appliances):
            meter.happened(acknowledgement(device, str(content.get("cmdId"))))
        return
    value = content.get("value")
    if isinstance(value, bool | int | float):
        name = f"{rest.removeprefix('device/')}/{content.get('module')}"
        meter.kept.put("appliance", name, value)
        meter.happened(_done(name, value))


def acknowledgement(device: str, command: str) -> str:
    """Give the occasion of an acknowledged setpoint."""
    return f"setpoint/{device}/{command}"


def _done(name: str, value: Any) -> str:
    return f"device/{name}={float(value):g}"


def step(meter: Body, target: str, action: str, value: Any, place: str = "params", named: str = "value") -> Step:
    """Give what an action means for an appliance; raises Rejected with the member that is wrong. place, named: where the members stand, and the value among
    them.
    """
    if target not in meter.identity.appliances:
        raise Rejected("requestInvalid", f"{place}.target: {target} is no appliance that {meter.identity.name} reaches")
    if action not in ACTIONS:
        raise Rejected("requestInvalid", f"{place}.action: {target} cannot {action}, it can {', '.join(ACTIONS)}")
    module, fixed = ACTIONS[action]
    if fixed is not None:
        return module, fixed
    if module == "powSe" and not isinstance(value, bool):
        raise Rejected("requestInvalid", f"{place}.{named}: {action} needs true or false, not {value!r}")
    if module == "tarTe" and (isinstance(value, bool) or not isinstance(value, int | float) or not COLDEST <= value <= HOTTEST):
        raise Rejected("requestInvalid", f"{place}.{named}: {action} needs {COLDEST:g} to {HOTTEST:g} degrees Celsius, not {value!r}")
    return module, value


def state(meter: Body, device: str, module: str) -> Any:
    """Give the value that a module of an appliance has as far as the meter knows, None when it does not."""
    return meter.kept.get("appliance", f"{device}/{module}")


def order(meter: Body, device: str, wanted: Step, tag: str = "") -> tuple[str, ...]:
    """Have an appliance do something, and give the occasion of its acknowledgement; none when it will not acknowledge. tag: by which it may be withdrawn."""
    module, value = wanted
    root, attribute = MODULES[module]
    meter.outbox.update(f"{meter.base}/{device}/{module}", root, {attribute: value}, tag=tag)
    return () if meter.faults.use("noAck") else (_done(f"{device}/{module}", value),)
