"""Who may do what: access control policies, and what holds without any (TS-0001 9.6.2, TS-0003 7.1, TS-0004 7.3.3.15).

Rules only grant. What cannot be evaluated (a missing policy, an unknown location, a condition this CSE does not know) grants nothing.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from math import isfinite
from typing import Any, Generic, TypeVar

from cse import schedule
from cse.address import absolute, locate, parse, same_entity, sp_relative
from cse.codes import AccessControlOperation as Right
from cse.codes import ResourceTypeID
from cse.criteria import Glob, like
from cse.errors import BadRequest
from cse.geo import distance, position
from cse.primitives import Request
from cse.record import Record
from cse.schedule import Schedule
from cse.schema import Settings
from cse.storage.contract import Reader

T = TypeVar("T")

# plain numbers: arithmetic with enumerations costs a microsecond, and this is done for every resource that discovery finds
_POLICY, _AE, _BASE, _GROUP = map(int, (ResourceTypeID.ACCESS_CONTROL_POLICY, ResourceTypeID.AE, ResourceTypeID.CSE_BASE, ResourceTypeID.GROUP))
_CREATE, _UPDATE, _LOOK = int(Right.CREATE), int(Right.UPDATE), int(Right.RETRIEVE | Right.DISCOVERY)
_REMOTE_CSES = frozenset({int(ResourceTypeID.REMOTE_CSE)})
_CHANNEL = int(ResourceTypeID.POLLING_CHANNEL)
_MIXED = frozenset({None, 0, _GROUP})
_EVALUABLE = frozenset({"actw", "acip", "aclr"})
_KEPT = 4096


@dataclass(frozen=True, slots=True)
class Context:
    """One entry of accessControlContexts: every member that is not None must hold. circle: latitude, longitude, radius in metres."""

    windows: tuple[Schedule, ...] | None
    networks: tuple[IPv4Network | IPv6Network, ...] | None
    circle: tuple[float, float, float] | None


@dataclass(frozen=True, slots=True)
class Target:
    """One entry of accessControlObjectDetails. ty and specialisation (an attribute and its value) are those of the target, children those to be created."""

    ty: int | None
    specialization: tuple[tuple[str, Any], ...]
    children: frozenset[int]


@dataclass(frozen=True, slots=True)
class Rule:
    """One accessControlRule, ready to be applied.

    entities: originators in SP-relative form. stems: globs of AE-ID stems of this CSE or of its provider. patterns: globs of the parts of the absolute form,
    the domain alone for a whole service provider. groups: addresses of groups. contexts and targets: None when the rule does not ask.
    attributes: those that it grants, None for all.
    """

    operations: int
    everyone: bool
    entities: frozenset[str]
    stems: tuple[Glob, ...]
    patterns: tuple[tuple[Glob, ...], ...]
    groups: tuple[tuple[str, ...], ...]
    authenticated: bool
    targets: tuple[Target, ...] | None
    contexts: tuple[Context, ...] | None
    attributes: frozenset[str] | None


@dataclass(frozen=True, slots=True)
class Members:
    """The memberIDs of a group. entities: in SP-relative form. places: local addresses, the CSEBase written as ``-``.

    groups: those that may be groups. fanned: groups whose fan-out point is a member.
    """

    entities: frozenset[str]
    places: frozenset[tuple[str, ...]]
    groups: tuple[tuple[str, ...], ...]
    fanned: tuple[tuple[str, ...], ...]


class Kept(Generic[T]):
    """What was made of attribute values, by resource, as long as the value is the same; bounded."""

    def __init__(self, make: Callable[[Any], T]) -> None:
        self._make = make
        self._kept: dict[str, tuple[Any, T]] = {}

    def of(self, ri: str, value: Any) -> T:
        """Give what is made of ``value``, an attribute of the resource ``ri``."""
        found = self._kept.get(ri)
        if found is not None and (found[0] is value or found[0] == value):
            return found[1]
        made = self._make(value)
        self._kept.pop(ri, None)
        if len(self._kept) >= _KEPT:
            del self._kept[next(iter(self._kept))]
        self._kept[ri] = (value, made)
        return made


class Access:
    """The access decisions of one CSE.

    ``has_acpi`` tells whether a resource type has accessControlPolicyIDs, ``now`` gives seconds since the epoch, ``expired`` tells whether a resource has: what
    has expired grants nothing, removed yet or not.
    """

    def __init__(self, settings: Settings, has_acpi: Callable[[int], bool], now: Callable[[], float], expired: Callable[[Record], bool]) -> None:
        self._cse, self._sp, self._name = settings.cse_id, settings.sp_id, settings.cse_name
        self._has_acpi = has_acpi
        self._now = now
        self._expired = expired
        self._admin = settings.admin
        self._admin_id = sp_relative(settings.admin, self._cse, self._sp)
        self._privileges: Kept[tuple[Rule, ...]] = Kept(self._compile)
        self._self_privileges: Kept[tuple[Rule, ...]] = Kept(self._compile)
        self._members: Kept[Members] = Kept(lambda mid: members(mid, self._cse, self._sp, self._name))

    def may(self, reader: Reader, request: Request, operation: int, target: Record, child: int | None = None) -> bool:
        """Tell whether the originator has a privilege (AccessControlOperation) on a resource; ``child`` is the type that a CREATE is to make.

        A virtual resource is judged as its parent: give that as ``target``.
        """
        if self._evident(request.fr, target):
            return True
        for _ in self._grants(reader, request, int(operation), target, child):
            return True
        return False

    def _evident(self, fr: str | None, target: Record) -> bool:
        """Tell whether everything is granted at a glance: to the admin, and to the AE that made the resource when it gives its stem."""
        if not fr:
            return False
        # CSEs begin with a slash and go the long way
        return fr == self._admin or (fr == target.originator and fr[0] != "/" and _unruled(target.attributes) and self._has_acpi(target.ty))

    def attributes(self, reader: Reader, request: Request, operation: int, target: Record) -> frozenset[str] | None:
        """Give the attributes (short names) that the originator may retrieve or update: None for all, an empty set without any privilege (rule: aca)."""
        if self._evident(request.fr, target):
            return None
        granted: frozenset[str] = frozenset()
        for attributes in self._grants(reader, request, int(operation), target, None):
            if attributes is None:
                return None
            granted |= attributes
        return granted

    def may_change_policies(self, reader: Reader, request: Request, target: Record) -> bool:
        """Tell whether the originator may UPDATE acpi: the selfPrivileges of the policies linked now decide, without any its owner (TS-0001 9.6.2)."""
        linked = target.attributes.get("acpi")
        if not linked:
            return self.may(reader, request, _UPDATE, target)
        who = self._originator(request)
        rules = (rule for policy in self._policies(reader, linked) for rule in self._self_privileges.of(policy.ri, policy.attributes.get("pvs")))
        granted = self._by_rules(reader, request, who, rules, _UPDATE, target, None)
        return self._everything(who) or any(attributes is None or "acpi" in attributes for attributes in granted)

    def may_fan_out(self, reader: Reader, request: Request, operation: int, group: Record, child: int | None = None) -> bool:
        """Tell whether the originator may send an operation to the members of a group: membersAccessControlPolicyIDs decide, without any its acpi."""
        linked = group.attributes.get("macp")
        if not linked:
            return self.may(reader, request, operation, group, child)
        who = self._originator(request)
        return self._everything(who) or any(True for _ in self._by_policies(reader, request, who, linked, int(operation), group, child))

    def _grants(self, reader: Reader, request: Request, operation: int, target: Record, child: int | None) -> Iterable[frozenset[str] | None]:
        """Give what each ground for a privilege grants: a set of attributes, or None for all of them; nothing at all when there is no ground."""
        who = self._originator(request)
        if self._everything(who):
            return (None,)
        if target.ty == _CHANNEL:
            return (None,) if self._reached_by(reader, who, target) else ()
        decider = self._decider(reader, target)
        if decider is None:
            return ()
        if decider.ty == _POLICY:
            rules = self._self_privileges.of(decider.ri, decider.attributes.get("pvs"))
            return self._by_rules(reader, request, who, rules, operation, target, child)
        if linked := decider.attributes.get("acpi"):
            return self._by_policies(reader, request, who, linked, operation, target, child)
        return (None,) if who and self._owns(reader, who, operation, decider) else ()

    def _by_policies(
        self, reader: Reader, request: Request, who: str, linked: Iterable[str], operation: int, target: Record, child: int | None
    ) -> Iterator[frozenset[str] | None]:
        for policy in self._policies(reader, linked):
            rules = self._privileges.of(policy.ri, policy.attributes.get("pv"))
            yield from self._by_rules(reader, request, who, rules, operation, target, child)

    def _by_rules(
        self, reader: Reader, request: Request, who: str, rules: Iterable[Rule], operation: int, target: Record, child: int | None
    ) -> Iterator[frozenset[str] | None]:
        for rule in rules:
            if rule.operations & operation == operation and who and self._allows(reader, request, who, rule, operation, target, child):
                yield rule.attributes

    def _originator(self, request: Request) -> str:
        """Give who asks in SP-relative form, "" for nobody and for a stranger under the name of this CSE."""
        who = sp_relative(request.fr or "", self._cse, self._sp)
        return "" if who == self._cse and not request.peer.internal else who

    def _everything(self, who: str) -> bool:
        return who != "" and who in (self._admin_id, self._cse)

    def _decider(self, reader: Reader, target: Record) -> Record | None:
        """Give the resource whose policies or owner count: the nearest that is a policy or has the attribute acpi."""
        record: Record | None = target
        while record is not None and record.ty != _POLICY and not self._has_acpi(record.ty):
            record = reader.get(record.pi)
        return record

    def _reached_by(self, reader: Reader, who: str, channel: Record) -> bool:
        """Tell whether a polling channel is that of an entity: no other may touch it, whatever policies say (TS-0001 9.6.21)."""
        entity = reader.get(channel.pi)
        return who != "" and entity is not None and sp_relative(entity.attributes.get("aei", entity.attributes.get("csi", "")), self._cse, self._sp) == who

    def _owns(self, reader: Reader, who: str, operation: int, record: Record) -> bool:
        """Tell what holds without a policy: only the custodian, else the creator; every registree may look at the CSEBase."""
        if sp_relative(record.attributes.get("cstn") or record.originator, self._cse, self._sp) == who:
            return True
        looking = record.ty == _BASE and operation | _LOOK == _LOOK
        return looking and self._registration(reader, who) is not None

    def _registration(self, reader: Reader, who: str) -> Record | None:
        """Give the <AE> or <remoteCSE> that represents an entity here, None when it is not registered."""
        record = reader.get(stem) if (stem := self._stem(who)) else None
        if record is not None and record.ty == _AE:
            return None if self._expired(record) else record
        base = reader.child("", self._name)
        peers = reader.children(base.ri, _REMOTE_CSES) if base is not None and who.count("/") == 1 else ()
        return next((peer for peer in peers if same_entity(peer.attributes.get("csi"), who, self._cse, self._sp) and not self._expired(peer)), None)

    def _stem(self, who: str) -> str:
        """Give the AE-ID stem of an AE that may be registered here, "" for a CSE or an AE of another CSE."""
        stem = who[len(self._cse) + 1 :] if who.startswith(self._cse + "/") else who[1:] if who.startswith("/S") else ""
        return "" if "/" in stem else stem

    def _policies(self, reader: Reader, linked: Iterable[str]) -> Iterator[Record]:
        for address in linked:
            record = self._find(reader, address if "/" in address else (address,))
            if record is not None and record.ty == _POLICY:
                yield record

    def _find(self, reader: Reader, address: str | tuple[str, ...]) -> Record | None:
        """Give the local resource at an address, as text or already taken apart; None for remote and ill-formed ones, and for what has expired."""
        segments = _local(address, self._cse, self._sp) if isinstance(address, str) else address
        if not segments:
            return None
        if len(segments) == 1:
            record = reader.get(segments[0])
        else:
            base = reader.child("", self._name)
            found = locate(reader, segments, base.ri if base is not None else "", self._name, lambda _: ())
            record = None if found is None else found.record
        return None if record is None or self._expired(record) else record

    def _compile(self, value: Any) -> tuple[Rule, ...]:
        return tuple(compile_rules(value, self._cse, self._sp))

    def _allows(self, reader: Reader, request: Request, who: str, rule: Rule, operation: int, target: Record, child: int | None) -> bool:
        """Tell whether a rule that has the operation grants a request: authentication, object, originator and context, all of them."""
        return (
            (not rule.authenticated or same_entity(request.peer.identity, who, self._cse, self._sp))
            and (rule.targets is None or not operation & _CREATE or any(_fits(details, target, child) for details in rule.targets))
            and (rule.everyone or who in rule.entities or self._matches(reader, who, rule))
            and (rule.contexts is None or any(self._holds(reader, request, who, context) for context in rule.contexts))
        )

    def _matches(self, reader: Reader, who: str, rule: Rule) -> bool:
        """Tell whether an originator fits a wildcard or is in a group of a rule."""
        if rule.stems and (stem := self._stem(who)) and any(like(glob, stem) for glob in rule.stems):
            return True
        if rule.patterns:
            parts = absolute(who, self._cse, self._sp)[2:].split("/")
            for pattern in rule.patterns:
                if len(pattern) in (1, len(parts)) and all(like(glob, part) for glob, part in zip(pattern, parts, strict=False)):
                    return True
        if rule.groups:
            record = self._registration(reader, who)
            places = () if record is None else ((record.ri,), ("-", *record.path.split("/")[1:]))
            seen: set[str] = set()
            return any(self._in_group(reader, who, places, group, seen) for group in rule.groups)
        return False

    def _in_group(self, reader: Reader, who: str, places: tuple[tuple[str, ...], ...], group: tuple[str, ...], seen: set[str]) -> bool:
        """Tell whether an entity, or the resource at ``places`` that represents it, is in a group or in a group within it."""
        waiting = [group]
        while waiting:
            record = self._find(reader, waiting.pop())
            if record is None or record.ty != _GROUP or record.ri in seen:
                continue
            seen.add(record.ri)
            found = self._members.of(record.ri, record.attributes.get("mid"))
            if who in found.entities or not found.places.isdisjoint(places):
                return True
            waiting.extend(found.fanned)  # of whatever type: its members are judged by that of those behind it (TS-0004 7.4.13.2.1)
            if record.attributes.get("mt") in _MIXED:
                waiting.extend(found.groups)
        return False

    def _holds(self, reader: Reader, request: Request, who: str, context: Context) -> bool:
        """Tell whether time, source address and location of a request are as a context wants them."""
        if context.windows is not None:
            now = self._now()
            if not any(window.open_at(now) for window in context.windows):
                return False
        if context.networks is not None:
            source = _source(request.peer.address)
            if source is None or not any(source in network for network in context.networks):
                return False
        if context.circle is not None:
            record = self._registration(reader, who)
            place = None if record is None else position(record.attributes.get("loc"))
            latitude, longitude, radius = context.circle
            return place is not None and distance(latitude, longitude, *place) <= radius
        return True


def _unruled(attributes: Mapping[str, Any]) -> bool:
    """Tell whether a resource names neither policies nor a custodian."""
    return not attributes.get("acpi") and not attributes.get("cstn")


def compile_rules(value: Any, cse_id: str, sp_id: str) -> Iterator[Rule]:
    """Give the rules of a setOfAcrs (``{"acr": [...]}``); those that are ill-formed grant nothing and are left out."""
    entries = value.get("acr") if isinstance(value, Mapping) else None
    for entry in entries if isinstance(entries, list | tuple) else ():
        try:
            yield _rule(entry, cse_id, sp_id)
        except (AttributeError, KeyError, TypeError, ValueError):
            continue


def _rule(entry: Mapping[str, Any], cse_id: str, sp_id: str) -> Rule:
    exact = []
    stems: list[Glob] = []
    patterns: list[tuple[Glob, ...]] = []
    groups: list[tuple[str, ...]] = []
    originators = list(entry["acor"])
    for text in originators:
        if text == "all" or "@" in text:
            continue  # roles (local@domain) are held by nobody as long as this CSE has no <role> resources
        if "*" in text and "/" not in text:
            stems.append(tuple(text.split("*")))
        elif "*" in text or (text.startswith("//") and "/" not in text[2:]):
            whole = absolute(sp_relative(text, cse_id, sp_id), cse_id, sp_id)
            patterns.append(tuple(tuple(part.split("*")) for part in whole[2:].split("/")))
        else:
            exact.append(sp_relative(text, cse_id, sp_id))
            segments = _local(text, cse_id, sp_id)
            if _group_like(segments):
                groups.append(segments)
    targets, contexts, attributes = entry.get("acod"), entry.get("acco"), entry.get("aca")
    return Rule(
        operations=int(entry["acop"]),
        everyone="all" in originators,
        entities=frozenset(exact),
        stems=tuple(stems),
        patterns=tuple(patterns),
        groups=tuple(groups),
        authenticated=bool(entry.get("acaf")),
        targets=None if targets is None else tuple(_target(details) for details in targets),
        contexts=None if contexts is None else tuple(_contexts(contexts)),
        attributes=None if attributes is None else frozenset(attributes),
    )


def _local(text: str, cse_id: str, sp_id: str) -> tuple[str, ...]:
    """Give the segments of an address of this CSE, () for anything else."""
    try:
        address = parse(text, cse_id, sp_id)
    except BadRequest:
        return ()
    return () if address.csi or address.attribute is not None else address.segments


def _group_like(segments: tuple[str, ...]) -> bool:
    """Tell whether a local address may be that of a group: one segment that begins as an AE-ID stem is the ri of an AE."""
    return len(segments) > 1 or (bool(segments) and segments[0][0] not in "CS")


def members(mid: Any, cse_id: str, sp_id: str, name: str) -> Members:
    """Take the memberIDs of a group apart; ``x/fopt`` stands for the members of the group ``x``."""
    entities, places, groups, fanned = [], [], [], []
    for text in mid if isinstance(mid, list | tuple) else ():
        entities.append(sp_relative(text, cse_id, sp_id))
        segments = _local(text, cse_id, sp_id)
        if segments[-1:] == ("fopt",):
            fanned.append(segments[:-1])
        elif segments:
            places.append(("-", *segments[1:]) if segments[0] == name else segments)
            if _group_like(segments):
                groups.append(segments)
    return Members(frozenset(entities), frozenset(places), tuple(groups), tuple(fanned))


def _target(details: Mapping[str, Any]) -> Target:
    return Target(details.get("ty"), tuple((details.get("spty") or {}).items()), frozenset(details["chty"]))


def _fits(details: Target, target: Record, child: int | None) -> bool:
    """Tell whether the target of a CREATE and the type to be made are those of an entry of accessControlObjectDetails."""
    return (
        child in details.children and details.ty in (None, target.ty) and all(target.attributes.get(name) == wanted for name, wanted in details.specialization)
    )


def _contexts(entries: Any) -> Iterator[Context]:
    """Give the contexts this CSE can evaluate; an entry with anything else never holds and is left out."""
    for entry in entries:
        region = entry.get("aclr")
        if entry.keys() <= _EVALUABLE and (region is None or region.keys() == {"accr"}):
            windows, addresses = entry.get("actw"), entry.get("acip")
            try:
                yield Context(
                    windows=None if windows is None else tuple(_schedules(windows)),
                    networks=None if addresses is None else tuple(_networks(addresses)),
                    circle=None if region is None else _circle(region["accr"]),
                )
            except (AttributeError, OverflowError, TypeError, ValueError):
                continue


def _schedules(entries: Iterable[Any]) -> Iterator[Schedule]:
    """Give the windows that can be read, written as schedule strings or as m2m:scheduleEntries."""
    for entry in entries:
        for text in entry["sce"] if isinstance(entry, Mapping) else (entry,):
            try:
                yield schedule.parse(text)
            except ValueError:
                continue


def _networks(addresses: Mapping[str, Any]) -> Iterator[IPv4Network | IPv6Network]:
    for text in (*addresses.get("ipv4", ()), *addresses.get("ipv6", ())):
        try:
            network = ip_network(text, strict=False)
        except ValueError:
            continue
        mapped = network.network_address.ipv4_mapped if isinstance(network, IPv6Network) and network.prefixlen >= 96 else None
        yield network if mapped is None else IPv4Network((mapped, network.prefixlen - 96))


def _circle(values: Iterable[Any]) -> tuple[float, float, float]:
    latitude, longitude, radius = map(float, values)
    if not (abs(latitude) <= 90 and isfinite(longitude) and isfinite(radius)):
        raise ValueError("no circle on the earth")
    return latitude, longitude, radius


def _source(text: str | None) -> IPv4Address | IPv6Address | None:
    """Give the address a request came from, an IPv4-mapped one as IPv4; None when it is not known."""
    try:
        address = ip_address((text or "").partition("%")[0])
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address
