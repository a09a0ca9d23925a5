"""Control of the simulation (section 10): switches devices, cuts links, changes what is sensed, puts faults on; only where the world was started for it."""

import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from math import isfinite
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from apps.client import Notification
from apps.metering.clock import SimulatedClock
from apps.metering.device import Device
from apps.metering.display import Display
from apps.metering.entity import Entity, container, content
from apps.metering.memory import Kept
from apps.metering.meter import conditions
from apps.metering.meter.core import Meter
from apps.metering.meter.faults import NAMES, Faults
from apps.metering.packages import pack
from apps.metering.vocabulary import HEAD_END
from cse.datatypes import seconds_of

log = logging.getLogger(__name__)

WAN = frozenset({"wan", "WAN", "gateway", "gw-P1"})
"""Targets that stand for the way of everything at the premises to the CSE, with which the head-end shares the data centre."""

PACKAGES = tuple((f"{part}Update", part, f"{major}.{minor}.0") for part, major in (("software", 1), ("firmware", 2)) for minor in (1, 2, 3))
"""What may be ordered: type, part, version."""

_LATE = 1_000
"""Entries that wait for a device to be switched on at most, the newest stay."""

SENSED = frozenset({"voltage", "frequency", "battery", "memory", "clockOffset", "tamper", "registers"})


class Simulation(Entity):
    """The test harness: what ``Csm-test`` writes into ``control`` happens to the devices of this process."""

    app = "Nsm.test"

    def __init__(
        self, devices: Mapping[str, Device], kept: Kept, now: Callable[[], float], later: Callable[[Coroutine[Any, Any, None]], object],
        issuer: Ed25519PrivateKey, clock: SimulatedClock | None = None, base: str = "cse-in",
    ) -> None:  # fmt: skip
        super().__init__("sm-test", kept, now, base)
        self._devices, self._start, self._issuer, self._clock = devices, later, issuer, clock
        self._faults: dict[str, Faults] = {}
        """Those of devices that are off: they stay for their uses and their time."""

    @property
    def own(self) -> Sequence[tuple[str, int, str, Mapping[str, Any], str]]:
        """What to do, and the packages that may be ordered."""
        return [container("control", "acp-sm-test"), container("packages", "acp-sm-test")]

    @property
    def watched(self) -> Sequence[tuple[str, str, Mapping[str, Any]]]:
        """Its control."""
        return [(self.place("control"), "control", {})]

    def start(self) -> None:
        """Lay out packages to order from, signed by their issuer; once."""
        if self.kept.get("packages", "there", False):
            return
        with self.kept.turn():
            self.kept.put("packages", "there", True)
            for kind, part, version in PACKAGES:
                params = pack(kind, f"meter-{part}", version, f"{part} {version} of a simulated meter".encode(), self._issuer)
                self.outbox.put(self.place("packages"), {"type": kind, "params": params})

    def device(self, target: str) -> Device | None:
        """Give the device of a target: a meter by its id, others by the names of their AEs."""
        return self._devices.get(f"mtr-{target}") or self._devices.get(target)

    def hear(self, rest: str, notification: Notification) -> None:
        """Do what an entry says; what cannot be done is said in the log."""
        entry = content(notification)
        target, do = str(entry.get("target", "")), str(entry.get("do", ""))
        if do == "passTime":
            self._pass(entry.get("params"))
            return
        remote = [device for name, device in self._devices.items() if name not in (*HEAD_END, self.name)]
        devices = remote if target in WAN else [found for found in [self.device(target)] if found is not None]
        if not devices:
            log.warning("sm-test/control: there is no device %r for %r", target, do)
        for device in devices:
            self._do(device, do, entry)
            device.poke()

    def _do(self, device: Device, do: str, entry: Mapping[str, Any]) -> None:
        params = entry.get("params") if isinstance(entry.get("params"), Mapping) else {}
        match do, device.core:
            case "powerOn", _:
                self._power_on(device)
            case "powerOff", core:
                if isinstance(core, Meter | Display):
                    self._faults[device.name] = _faults(core)
                self._start(device.power_off())
            case (("linkDown" | "linkUp"), _):
                device.link(do == "linkUp")
            case (("loseSupply" | "restoreSupply"), Meter() as meter):
                conditions.supply(meter.body, do == "restoreSupply", entry.get("at"))
            case "setPhysical", Meter() as meter:
                conditions.sense(meter.body, {name: value for name, value in (params or {}).items() if _sensible(name, value)})
            case "fault", (Meter() | Display()) as core:
                self._fault(core, entry, params or {})
            case (("loseSupply" | "restoreSupply" | "setPhysical" | "fault"), None) if device.name.startswith(("mtr-", "ihd-")):
                # what happens around a device that is off it finds when it is switched on
                late = [*self.kept.get("late", device.name, []), {**entry, "at": self.now()}][-_LATE:]
                self.kept.put("late", device.name, late)
            case _:
                log.warning("sm-test/control: %r does nothing to %s", do, device.name)

    def _power_on(self, device: Device) -> None:
        if device.on:
            return
        device.power_on()
        if isinstance(core := device.core, Meter | Display) and device.name in self._faults:
            _faults(core).go_on(self._faults.pop(device.name))
        late = self.kept.get("late", device.name, [])
        self.kept.drop("late", device.name)
        for entry in late:
            self._do(device, str(entry["do"]), entry)

    def _pass(self, params: Any) -> None:
        """Put the clock of all devices forward: by ``seconds``, or to the time ``to``."""
        given = params if isinstance(params, Mapping) else {}
        seconds: Any
        try:
            seconds = seconds_of(given["to"]) - self.now() if isinstance(given.get("to"), str) else given.get("seconds")
        except ValueError:
            seconds = None
        if self._clock is None or not _number(seconds):
            log.warning("sm-test/control: %r is no time that can pass here", params)
        else:
            self._clock.forward(float(seconds))

    def _fault(self, core: Meter | Display, entry: Mapping[str, Any], params: Mapping[str, Any]) -> None:
        faults, name = _faults(core), str(params.get("name", ""))
        if name not in NAMES:
            log.warning("sm-test/control: there is no fault %r", name)
        elif entry.get("active", True) is False:
            silent = faults.active("silence")
            faults.clear(name)
            if name == "silence" and silent and isinstance(core, Meter):
                core.commands.listen()
        else:
            count, duration = entry.get("count"), entry.get("durationS")
            uses = count if isinstance(count, int) and count > 0 else None
            seconds = float(duration) if isinstance(duration, int | float) and duration > 0 else None
            faults.set(name, count=uses, duration=seconds, after=str(params.get("after", "")))


def _faults(core: Meter | Display) -> Faults:
    return core.body.faults if isinstance(core, Meter) else core.faults


def _sensible(name: str, value: Any) -> bool:
    """Tell whether a value is one that can be sensed; others are said in the log."""
    if name == "registers":
        good = isinstance(value, Mapping) and all(_number(each) for each in value.values())
    else:
        good = name in SENSED and (isinstance(value, bool) if name == "tamper" else _number(value))
    if not good:
        log.warning("sm-test/control: %r cannot be set to %r", name, value)
    return good


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
