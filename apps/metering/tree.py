"""What stands below a meter's AE and its node (sections 3 and 4), made so that a meter which comes back finds it and goes on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from apps.client import AccessControlOperation, Client, NotificationEventType, Resource
from apps.client import ResourceTypeID as Ty
from apps.metering import access
from apps.metering.vocabulary import CLASSES, TIMERS
from cse.errors import Conflict

CREATED_BY: Mapping[str, Any] = {"om": [{"ops": int(AccessControlOperation.CREATE)}], "chty": [int(Ty.CONTENT_INSTANCE)]}
"""Notify of each CREATE, and of who has made it (TS-0001 9.6.8, operationMonitor): an issuer is believed when the CSE says the same."""

CREATED_BY_WATCH: Mapping[str, Any] = {"om": [{"ops": int(AccessControlOperation.CREATE), "or": "Csm-watch"}], "chty": [4]}

WATCHED: Mapping[str, tuple[str, ...]] = {
    "firmware": (),
    "software": (),
    "reboot": (),
    "eventLog": ("lga", "lgo"),
    "supplySwitch": ("ena", "dis"),
}
"""Objects of the node that others may change, and the attributes that are of interest, where the meter itself makes most of the changes."""

LIMITS: Mapping[str, Mapping[str, float]] = {"voltage": {"low": 207, "high": 253}, "frequency": {"low": 49.5, "high": 50.5}}
"""The tolerance of power quality that a meter has at first: a tenth of the nominal voltage, half a hertz (EN 50160)."""

SMALL, LARGE = 1_000, 10_000
"""Instances kept in containers of states and in those of commands, readings and events."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Which meter this is. switch: whether a switch or valve is fitted. serial, manufacturer, model, hardware: what its plate says.

    generators and appliances: names of devices at the premise that this meter measures and commands. classes: the command classes it takes.
    """

    name: str
    kind: str = "electricity"
    premise: str = "P1"
    switch: bool = True
    manufacturer: str = "Example Metering"
    model: str = "EM-1"
    hardware: str = "A1"
    firmware: str = "1.0.0"
    software: str = "1.0.0"
    issuer: str = ""
    """Public key (64 hexadecimal digits) of who signs the packages that the meter installs; without it none is installed."""
    secure: bool = True
    """Whether there is a secure environment; without it integrity cannot be proven."""
    generators: tuple[str, ...] = ()
    appliances: tuple[str, ...] = ()
    classes: tuple[str, ...] = CLASSES
    period: float = 5.0
    """Seconds between two scheduled register readings."""
    interval: float = 5.0
    """Seconds of one point of the load profile."""
    timers: Mapping[str, float] = field(default_factory=lambda: dict(TIMERS))
    recipients: tuple[str, ...] = ("Crdr-1",)
    """Who gets the scheduled readings from the beginning."""
    source: str = ""
    """What it measures (apps.metering.sources): ``nem12:FILE``, ``p1:FILE``, "" for a household."""
    group: str = ""
    """The group within which a tariff is for all members or none, "" for none."""

    @property
    def ae(self) -> str:
        """The resource name of the AE."""
        return f"mtr-{self.name}"

    @property
    def electric(self) -> bool:
        """Whether it measures electricity."""
        return self.kind == "electricity"

    @property
    def display(self) -> str:
        """The resource name of the display's AE."""
        return f"ihd-{self.premise}"


HELD_PLACES = (
    "readings/registers", "readings/profile", "live", "events/error", "events/security", "events/malfunction", "events/state", "config/settings",
    "config/reporting", "config/schedule", "config/timers", "tariff/active", "tariff/pending", "payment/state", "payment/ledger", "supply/state", "attest",
    "outage/log", "outage/planned",
)  # fmt: skip
"""What every meter has, whatever it measures, beside its commands."""


@dataclass(frozen=True, slots=True)
class Node:
    """One resource of the tree: its place below the parent, type, root name, attributes, and the place whose policy it has."""

    place: str
    ty: int
    root: str
    policy: str
    attributes: Mapping[str, Any] = field(default_factory=dict)


def _container(place: str, policy: str, keep: int = LARGE) -> Node:
    return Node(place, Ty.CONTAINER, "m2m:cnt", policy, {"mni": keep})


def _flex(place: str, policy: str, kind: str, **attributes: Any) -> Node:
    return Node(place, Ty.FLEX_CONTAINER, f"mtr:{kind}", policy, {"cnd": f"metering.{kind}", **attributes})


def series(place: str, policy: str, interval: float, grace: float) -> Node:
    """Give a time series in which the CSE finds missing points by itself: late by more than the grace, or half an interval when that is longer."""
    period = round(interval * 1000)
    timer = max(round(grace * 1000), period // 2 + 1)
    return Node(place, Ty.TIME_SERIES, "m2m:ts", policy, {"pei": period, "mdd": True, "mdt": timer, "mdn": 1000, "mni": 100_000})


def below_ae(meter: Identity) -> Sequence[Node]:
    """Give what is below the AE of a meter, parents first."""
    grace, every = meter.timers["reportGrace"], meter.interval
    found = [
        *(_container(place, "ae") for place in ("readings", "events", "config", "cmd")),
        _container("readings/registers", "readings/registers"),
        series("readings/profile", "readings/profile", every, grace),
        _flex("live", "live", "live"),
        *(_container(f"events/{name}", f"events/{name}") for name in ("error", "security", "malfunction", "state")),
        _flex("config/settings", "config", "settings", label=label(meter), version=1),
        _flex("config/reporting", "config", "reporting", reports=reports(meter)),
        _container("config/schedule", "config", SMALL),
        _flex("config/timers", "config", "timers", **meter.timers),
        *(_container(place, place.partition("/")[0], SMALL) for place in ("tariff", "tariff/active", "tariff/pending")),
        *(_container(place, place.partition("/")[0], SMALL) for place in ("payment", "payment/state")),
        _container("payment/ledger", "payment"),
        *(_container(place, place.partition("/")[0], SMALL) for place in ("supply", "supply/state", "attest", "outage", "outage/log", "outage/planned")),
    ]
    if meter.electric:
        found += [
            *(series(f"readings/{name}", f"readings/{name}", every, grace) for name in ("export", "net")),
            *(_container(place, place.partition("/")[0]) for place in ("generation", "pq")),
            series("generation/output", "generation", every, grace),
            series("generation/quality", "generation", every, grace),
            _container("generation/setpoint", "generation/setpoint", SMALL),
            series("pq/samples", "pq", every, grace),
            _flex("pq/limits", "pq", "limits", **LIMITS),
            _container("pq/events", "pq"),
        ]
    for kind in meter.classes:
        found += [_container(f"cmd/{kind}", "ae"), _container(f"cmd/{kind}/in", f"cmd/{kind}/in"), _container(f"cmd/{kind}/out", f"cmd/{kind}/out")]
    return found


def label(meter: Identity) -> str:
    """Give the label that a meter has at first."""
    return f"{meter.kind} meter {meter.name}"


def reports(meter: Identity) -> list[dict[str, Any]]:
    """Give the reports that a meter makes at first."""
    return [{"recipient": recipient, "what": ["registers", "profile"], "period": meter.period} for recipient in meter.recipients]


def below_node(meter: Identity) -> Sequence[Node]:
    """Give the management objects of a meter's node."""
    facts: dict[str, tuple[int, str, dict[str, Any]]] = {
        "deviceInfo": (1007, "m2m:dvi", device_info(meter)),
        "firmware": (1001, "m2m:fwr", {"vr": meter.firmware, "fwn": "meter-firmware", "url": "about:installed", "ud": False}),
        "software": (1002, "m2m:swr", {"vr": meter.software, "swn": "meter-software", "url": "about:installed"}),
        "memory": (1003, "m2m:mem", {"mma": 786_432, "mmt": 1_048_576}),
        "battery": (1006, "m2m:bat", {"btl": 100, "bts": 1}),
        "reboot": (1009, "m2m:rbo", {"rbo": False, "far": False}),
        "supplySwitch": (1008, "m2m:dvc", supply_switch(meter.switch, meter.switch)),
        "secureEnvironment": (1008, "m2m:dvc", _capability("secureEnvironment", meter.secure, meter.secure)),
        "eventLog": (1010, "m2m:evl", {"lgt": 2, "lgd": "[]", "lgst": 1}),
    }
    return [Node(name, Ty.MGMT_OBJ, root, "node", {"mgd": mgd, **attributes}) for name, (mgd, root, attributes) in facts.items()]


def device_info(meter: Identity) -> dict[str, Any]:
    """Give the attributes of deviceInfo."""
    plate = {"man": meter.manufacturer, "mod": meter.model, "fwv": meter.firmware, "swv": meter.software, "hwv": meter.hardware}
    return {"dlb": f"serial={meter.name}", "dty": f"{meter.kind} meter", "dvnm": meter.name, **plate}


def supply_switch(fitted: bool, closed: bool) -> dict[str, Any]:
    """Give the attributes of the capability ``supplySwitch``: whether it is fitted, and whether it lets through."""
    return _capability("supplySwitch", fitted, closed)


def _capability(name: str, fitted: bool, on: bool) -> dict[str, Any]:
    return {"can": name, "att": fitted, "cas": {"acn": "enable" if on else "disable", "sus": 1}, "cus": on}


async def grow(client: Client, meter: Identity, points: Sequence[str]) -> Resource:
    """Register the AE of a meter where it is reached at ``points``, and ensure its tree and node objects; what is there stays as it is."""
    base = client.base
    ae = await client.register(
        meter.ae, "Nsm.meter", reachable=True, points=points, labels=["meter", meter.kind, meter.premise],
        nl=f"{base}/nod-{meter.name}", acpi=acpi(base, meter, "ae"),
    )  # fmt: skip
    if ae.get("poa") != list(points):
        await client.update(ae.address, {"poa": list(points), "rr": True}, root="m2m:ae")
    for node in below_ae(meter):
        await ensure(client, f"{base}/{meter.ae}", node, meter)
    for node in below_node(meter):
        await ensure(client, f"{base}/nod-{meter.name}", node, meter)
    return ae


def acpi(base: str, meter: Identity, place: str) -> list[str]:
    """Give the addresses of the policies of a place below the AE of a meter, or of ``node``."""
    return [f"{base}/{name}" for name in access.policies(meter.name, meter.premise, meter.recipients, place)]


async def ensure(client: Client, top: str, node: Node, meter: Identity) -> bool:
    """Create one resource of the tree unless it is there; whether it was made."""
    parent, _, name = f"{top}/{node.place}".rpartition("/")
    attributes = {**node.attributes, "acpi": acpi(client.base, meter, node.policy)}
    try:
        await client.create(parent, node.ty, attributes, name=name, root=node.root, rcn=0)
    except Conflict:
        return False
    return True


async def listen(client: Client, meter: Identity, url: str) -> None:
    """Have commands and the consumer's actions notified to a URL; commands with the originator that the CSE has seen (operation monitoring)."""
    base = client.base
    for kind in meter.classes:
        await client.subscribe(f"{base}/{meter.ae}/cmd/{kind}/in", f"{url}/cmd/{kind}", enc=CREATED_BY, name=f"sub-{meter.ae}", pn=2)
    for name in ("error", "security"):
        await client.subscribe(f"{base}/{meter.ae}/events/{name}", f"{url}/events/{name}", enc=CREATED_BY_WATCH, name=f"sub-{meter.ae}", pn=2)
    for name, attributes in WATCHED.items():
        update: Mapping[str, Any] = {"net": [int(NotificationEventType.UPDATE_OF_RESOURCE)], **({"atr": list(attributes)} if attributes else {})}
        await client.subscribe(f"{base}/nod-{meter.name}/{name}", f"{url}/node/{name}", enc=update, name=f"sub-{meter.ae}", pn=2)
    if meter.group:
        await client.subscribe(f"{base}/sm-watch/accord", f"{url}/accord", name=f"sub-{meter.ae}", pn=2)
    for place in ("actions", "screen"):
        await client.subscribe(f"{base}/{meter.display}/{place}", f"{url}/{place}", name=f"sub-{meter.ae}", pn=2)


async def provision_parties(admin: Client, recipients: tuple[str, ...]) -> None:
    """Make the policies that meters with the same recipients share."""
    for place, rules in access.shared_policies(recipients).items():
        await admin.access_policy(admin.base, access.shared(recipients, place), rules)


async def provision_premise(admin: Client, premise: str, meters: Sequence[str]) -> None:
    """Make the policies of a premise and of its display."""
    for name, rules in (*access.premise_policies(premise), *access.display_policies(premise, meters)):
        await admin.access_policy(admin.base, name, rules)


async def provision(admin: Client, meter: Identity) -> None:
    """Make what stands before a meter comes: its policy, and its node (section 11)."""
    await admin.access_policy(admin.base, *access.meter_policy(meter.name))
    acpis = acpi(admin.base, meter, "node")
    await admin.ensure(admin.base, Ty.NODE, f"nod-{meter.name}", {"ni": f"urn:meter:{meter.name}", "acpi": acpis})
