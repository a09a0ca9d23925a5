"""A small model of what the standard says about resources, written from its text and not from the server: the oracle of the model-based tests.

It knows CSEBase, AE, container, contentInstance, subscription, group and accessControlPolicy; privileges, limits, counters, expiry, discovery, result
content and fan-out. It answers with the response status code and what must be in the representation, never with bytes. Clauses stand beside the rules.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

Attributes = dict[str, Any]

ACP, AE, CNT, CIN, CB, GRP, SUB = 1, 2, 3, 4, 5, 9, 23
SHORT = {ACP: "m2m:acp", AE: "m2m:ae", CNT: "m2m:cnt", CIN: "m2m:cin", CB: "m2m:cb", GRP: "m2m:grp", SUB: "m2m:sub"}
C, R, U, D, N, LOOK = 1, 2, 4, 8, 16, 32
CHILDREN = {
    CB: {ACP, AE, CNT, GRP, SUB},
    AE: {ACP, CNT, GRP, SUB},
    CNT: {CNT, CIN, SUB},
    GRP: {SUB},
    ACP: {SUB},
    CIN: set[int](),
    SUB: set[int](),
}
"""Which of the types that are played here may be below which (TS-0001 9.6)."""
ADMIN, BASE, YEAR = "CAdmin", "cse-in", 31_536_000
OK, CREATED, DELETED, UPDATED = 2000, 2001, 2002, 2004
BAD, NOT_FOUND, NOT_ALLOWED, DENIED, CONFLICT = 4000, 4004, 4005, 4103, 4105
WRONG_CHILD, NO_MEMBERS, REGISTERED, LOOP, NO_SUBSCRIBING = 4108, 4109, 4117, 4104, 5203
MEMBER_DENIED, TOO_LARGE, TOO_MANY = 5105, 5207, 6010


@dataclass(eq=False)
class Node:
    """One resource. owner: who made it, an AE itself. made: creation time in seconds. ends: expirationTime in seconds, None for the CSEBase."""

    ty: int
    name: str
    parent: "Node | None"
    owner: str
    made: int
    ends: int | None
    attributes: Attributes
    ri: str = ""
    changed: int = 0
    children: "dict[str, Node]" = field(default_factory=dict)

    @property
    def path(self) -> str:
        """The structured CSE-relative address."""
        return self.name if self.parent is None else f"{self.parent.path}/{self.name}"

    def descendants(self, depth: int | None = None) -> "Iterator[Node]":
        """Give what is below, at most ``depth`` levels."""
        if depth != 0:
            for child in self.children.values():
                yield child
                yield from child.descendants(None if depth is None else depth - 1)

    def instances(self) -> "list[Node]":
        """Give the contentInstances, oldest first."""
        return [child for child in self.children.values() if child.ty == CIN]


@dataclass
class Said:
    """An answer: the status code, and what must be in the content: attributes, addresses or status codes of members."""

    rsc: int
    shown: Attributes | None = None
    paths: list[str] | None = None
    members: list[int] | None = None
    node: Node | None = None


class Refused(Exception):
    """A request that is not done, with the status code that says why."""

    def __init__(self, rsc: int) -> None:
        super().__init__(rsc)
        self.rsc = rsc


def answered(operation: Callable[..., Said]) -> Callable[..., Said]:
    """Make a refusal an answer."""

    def answer(*args: Any, **more: Any) -> Said:
        try:
            return operation(*args, **more)
        except Refused as refusal:
            return Said(refusal.rsc)

    return answer


class Model:
    """The resources of one CSE, and what happens to them. ``now`` in whole seconds. ``events``: (path of the subscription, event type), since last cleared."""

    def __init__(self, now: int) -> None:
        self.now = now
        self.base = Node(CB, BASE, None, "/id-in", now, None, {}, "id-in")
        self.events: list[tuple[str, int]] = []

    # --- places ---------------------------------------------------------------------------------------------------------------------------------------------

    def all(self) -> list[Node]:
        """Give every resource."""
        return [self.base, *self.base.descendants()]

    def find(self, path: str) -> Node | None:
        """Give the resource at a structured address."""
        names = path.split("/")
        node: Node | None = self.base if names[0] == BASE else None
        for name in names[1:]:
            node = None if node is None else node.children.get(name)
        return node

    def _at(self, path: str) -> Node:
        node = self.find(path)
        if node is None:
            raise Refused(NOT_FOUND)
        return node

    # --- privileges (TS-0001 9.6.2, TS-0004 7.3.3.15) --------------------------------------------------------------------------------------------------------

    def may(self, fr: str, operation: int, node: Node) -> bool:
        """Tell whether an originator has a privilege: rules only grant, without a policy the owner alone, a contentInstance is judged as its parent."""
        if fr == ADMIN:
            return True
        if node.ty == CIN:
            assert node.parent is not None
            return self.may(fr, operation, node.parent)
        if node.ty == ACP:
            return _granted(fr, operation, node.attributes["pvs"])
        if linked := node.attributes.get("acpi"):
            return any(_granted(fr, operation, policy.attributes["pv"]) for policy in map(self.find, linked) if policy is not None and policy.ty == ACP)
        registered = any(child.ty == AE and child.owner == fr for child in self.base.children.values())
        return node.owner == fr or (node.ty == CB and operation in (R, LOOK) and registered)

    def _need(self, fr: str, operation: int, node: Node) -> None:
        if not self.may(fr, operation, node):
            raise Refused(DENIED)

    # --- CREATE (TS-0004 7.3.3.3, 7.3.3.5) -------------------------------------------------------------------------------------------------------------------

    @answered
    def create(self, fr: str, to: str, ty: int, attributes: Attributes) -> Said:
        """Create a resource; privilege, place, representation, name are looked at in this order (procedures 1.1)."""
        parent = self._at(to)
        if ty == AE and parent.ty == CB:
            if any(child.ty == AE and child.owner == fr for child in parent.children.values()):
                raise Refused(REGISTERED)
        elif ty != AE:
            self._need(fr, C, parent)
            if ty == SUB:
                self._need(fr, R, parent)
        if ty not in CHILDREN[parent.ty]:
            raise Refused(NO_SUBSCRIBING if ty == SUB else WRONG_CHILD)
        given = dict(attributes)
        name, ends = given.pop("rn"), given.pop("ends", None)
        self._check(given, ends)
        if name in parent.children or (parent.ty == CNT and name in ("la", "ol")) or (parent.ty == GRP and name == "fopt"):
            raise Refused(CONFLICT)
        node = Node(ty, name, parent, fr, self.now, self._ends(parent, ends), given, fr if ty == AE else "", self.now)
        self._complete(fr, node)
        parent.children[name] = node
        self._tell(parent, 3, node)
        return Said(CREATED, self.shown(node), node=node)

    def _check(self, given: Attributes, ends: int | None) -> None:
        """Refuse an end that has passed, and policies that are none."""
        if ends is not None and ends <= self.now:
            raise Refused(BAD)
        for policy in given.get("acpi") or ():
            found = self.find(policy)
            if found is None or found.ty != ACP:
                raise Refused(BAD)

    def _ends(self, parent: Node, wanted: int | None) -> int:
        """An absent end is chosen, a later one than the parent's shortened."""
        chosen = self.now + YEAR if wanted is None else wanted
        return chosen if parent.ends is None else min(chosen, parent.ends)

    def _complete(self, fr: str, node: Node) -> None:
        """Add what the type has of its own."""
        given = node.attributes
        if node.ty == CNT:
            given |= {"cni": 0, "cbs": 0, "st": 0}
        elif node.ty == GRP:
            given |= self._members(fr, given)
        elif node.ty == CIN:
            self._fit(node)

    def _fit(self, node: Node) -> None:
        """A contentInstance fits its container: the oldest go, the new one stays (TS-0004 7.4.7)."""
        parent = node.parent
        assert parent is not None
        limits, size = parent.attributes, len(node.attributes["con"].encode())
        if size > limits.get("mbs", size):
            raise Refused(TOO_LARGE)
        limits["st"] += 1
        node.attributes |= {"cs": size, "st": limits["st"]}
        if "mia" in limits:
            node.ends = min(node.ends or 0, self.now + limits["mia"])
        limits["cni"], limits["cbs"] = limits["cni"] + 1, limits["cbs"] + size
        self._evict(parent)

    def _evict(self, parent: Node) -> None:
        """Remove the oldest as long as a limit is exceeded. That is no event, and the stateTag has nothing to do with it."""
        limits = parent.attributes
        for oldest in parent.instances():
            if limits["cni"] <= limits.get("mni", limits["cni"]) and limits["cbs"] <= limits.get("mbs", limits["cbs"]):
                return
            del parent.children[oldest.name]
            limits["cni"], limits["cbs"] = limits["cni"] - 1, limits["cbs"] - oldest.attributes["cs"]

    def _members(self, fr: str, given: Attributes) -> Attributes:
        """Validate memberIDs (TS-0004 7.4.13.2.1): no repetition, of the member type where there is one, readable by the originator."""
        if len(set(given["mid"])) > given["mnm"]:
            raise Refused(TOO_MANY)
        kept = []
        for member in dict.fromkeys(given["mid"]):
            if given.get("mt", 0):
                node = self.find(member.removesuffix("/fopt"))
                if node is not None and member.endswith("/fopt") and node.ty != GRP:
                    node = None
                if node is not None:
                    if not self.may(fr, R, node):
                        raise Refused(MEMBER_DENIED)
                    if (node.attributes.get("mt", 0) if member.endswith("/fopt") else node.ty) != given["mt"]:
                        node = None
                if node is None:
                    continue
            kept.append(member)
        return {"mid": kept, "cnm": len(kept), "mt": given.get("mt", 0)}

    # --- RETRIEVE (TS-0004 7.3.3.6, TS-0001 8.1.2) -----------------------------------------------------------------------------------------------------------

    def shown(self, node: Node) -> Attributes:
        """Give what must be in the representation, None for what must not be there."""
        names = {
            CNT: ("mni", "mbs", "mia", "cni", "cbs", "st"),
            CIN: ("con", "cs", "st"),
            GRP: ("mid", "cnm", "mt", "mnm"),
            AE: ("api", "apn"),
            ACP: ("pv", "pvs"),
        }
        common = () if node.ty == CB else ("lbl", *(() if node.ty in (CIN, ACP) else ("acpi",)))
        return {"ty": node.ty, "rn": node.name, "ends": node.ends, **{name: node.attributes.get(name) for name in (*common, *names.get(node.ty, ()))}}

    @answered
    def retrieve(self, fr: str, to: str) -> Said:
        """Retrieve a resource."""
        node = self._at(to)
        self._need(fr, R, node)
        return Said(OK, self.shown(node))

    @answered
    def children(self, fr: str, to: str, depth: int | None, wanted: "Conditions") -> Said:
        """Retrieve what is below a resource (rcn 4, 5, 6, 8): what the originator may retrieve, of that what matches."""
        node = self._at(to)
        self._need(fr, R, node)
        return Said(OK, self.shown(node), [found.path for found in self._visible(fr, node, depth) if wanted.match(found, self._sees(fr))])

    def _visible(self, fr: str, node: Node, depth: int | None) -> Iterator[Node]:
        if depth != 0:
            for child in node.children.values():
                if self.may(fr, R, child):
                    yield child
                    yield from self._visible(fr, child, None if depth is None else depth - 1)

    @answered
    def discover(self, fr: str, to: str, depth: int | None, wanted: "Conditions") -> Said:
        """Find what may be discovered below a resource; what may not is left out, what is below it is not (TS-0001 10.2.6)."""
        node = self._at(to)
        return Said(OK, None, [found.path for found in node.descendants(depth) if self.may(fr, LOOK, found) and wanted.match(found, self._sees(fr))])

    def _sees(self, fr: str) -> Callable[[Node], bool]:
        return lambda node: self.may(fr, LOOK, node) or self.may(fr, R, node)

    def edge(self, fr: str, operation: int, to: str, newest: bool) -> Said:
        """Retrieve or delete ``la`` or ``ol``; privileges are those of the parent (TS-0004 7.4.27, 7.4.28)."""
        parent = self.find(to)
        if parent is None or parent.ty != CNT:
            return Said(NOT_FOUND)
        if not self.may(fr, operation, parent):
            return Said(DENIED)
        instances = parent.instances()
        if not instances:
            return Said(NOT_FOUND)
        path = instances[-1 if newest else 0].path
        return self.retrieve(fr, path) if operation == R else self.delete(fr, path)

    # --- UPDATE (TS-0004 7.3.3.7) ----------------------------------------------------------------------------------------------------------------------------

    @answered
    def update(self, fr: str, to: str, changes: Attributes) -> Said:
        """Change attributes; None deletes one. ``ends`` is expirationTime."""
        node = self._at(to)
        if node.ty in (CIN, CB):
            raise Refused(NOT_ALLOWED)
        if "acpi" in changes:
            self._need_policies(fr, node)
            if len(changes) > 1:
                raise Refused(BAD)
        else:
            self._need(fr, U, node)
        self._check(changes, changes.get("ends"))
        after = {**node.attributes, **changes}
        if node.ty == GRP and ("mid" in changes or "mnm" in changes):
            if "mid" in changes:
                after |= self._members(fr, after)
            elif len(after["mid"]) > after["mnm"]:
                raise Refused(TOO_MANY)
        if "ends" in changes:
            assert node.parent is not None
            node.ends = self._ends(node.parent, after.pop("ends"))
            for below in node.descendants():
                if below.ty != CIN:
                    below.ends = min(below.ends or 0, node.ends)
        node.attributes = {name: value for name, value in after.items() if value is not None}
        node.changed = self.now
        if node.ty == CNT:
            node.attributes["st"] += 1
            self._limit(node, changes)
        self._tell(node, 1, node)
        return Said(UPDATED, self.shown(node))

    def _need_policies(self, fr: str, node: Node) -> None:
        """Only selfPrivileges of the policies linked now let somebody change the links; without a link the owner may (TS-0001 9.6.2)."""
        if node.ty == ACP:
            raise Refused(DENIED if not self.may(fr, U, node) else BAD)
        linked = node.attributes.get("acpi")
        if not linked:
            self._need(fr, U, node)
        elif fr != ADMIN and not any(_granted(fr, U, found.attributes["pvs"]) for found in map(self.find, linked) if found is not None and found.ty == ACP):
            raise Refused(DENIED)

    def _limit(self, node: Node, changes: Attributes) -> None:
        """A limit that was lowered removes instances at once (TS-0004 7.4.6)."""
        limits = node.attributes
        if changes.get("mia") is not None:
            for instance in node.instances():
                instance.ends = min(instance.ends or 0, instance.made + limits["mia"])
                if instance.ends <= self.now:
                    del node.children[instance.name]
                    limits["cni"], limits["cbs"] = limits["cni"] - 1, limits["cbs"] - instance.attributes["cs"]
        self._evict(node)

    # --- DELETE, expiry (TS-0004 7.3.3.8) --------------------------------------------------------------------------------------------------------------------

    @answered
    def delete(self, fr: str, to: str) -> Said:
        """Remove a resource with all that is below it; those are not asked one by one."""
        node = self._at(to)
        if node.ty == CB:
            raise Refused(NOT_ALLOWED)
        self._need(fr, D, node)
        self._remove(node)
        return Said(DELETED)

    def _remove(self, node: Node) -> None:
        parent = node.parent
        assert parent is not None
        del parent.children[node.name]
        if node.ty == CIN:
            limits = parent.attributes
            limits["cni"], limits["cbs"], limits["st"] = limits["cni"] - 1, limits["cbs"] - node.attributes["cs"], limits["st"] + 1
        self._tell(parent, 4, node)

    def pass_time(self, seconds: int) -> None:
        """Let time go on; what has ended goes, the ends of what is above first."""
        self.now += seconds
        while ended := next((node for node in self.all() if node.ends is not None and node.ends <= self.now), None):
            self._remove(ended)

    # --- groups (TS-0004 7.4.14) -----------------------------------------------------------------------------------------------------------------------------

    def fan_out(self, fr: str, operation: int, to: str, seen: set[Node] | None = None) -> Said:
        """Retrieve or delete the members of a group; a group seen before in the same request ends it there."""
        seen = set() if seen is None else seen
        group = self.find(to)
        if group is None or group.ty != GRP:
            return Said(NOT_FOUND)
        if not self.may(fr, operation, group):
            return Said(DENIED)
        members = list(group.attributes["mid"])
        if not members:
            return Said(NO_MEMBERS)
        if group in seen:
            return Said(LOOP)
        seen.add(group)
        codes: list[int] = []
        there = len(members)
        for member in members:
            if member.endswith("/fopt"):
                said = self.fan_out(fr, operation, member.removesuffix("/fopt"), seen)
                codes += said.members if said.members is not None else [said.rsc]
                continue
            said = self.retrieve(fr, member) if operation == R else self.delete(fr, member)
            codes.append(said.rsc)
            if said.rsc == DELETED:
                group.attributes["mid"] = [left for left in group.attributes["mid"] if left != member]
                group.attributes["cnm"] = len(group.attributes["mid"])
        if group.attributes["cnm"] < there and group in self.all():
            self._tell(group, 1, group)
        return Said(OK, members=codes)

    # --- notifications (TS-0004 7.5.1.2) ---------------------------------------------------------------------------------------------------------------------

    def _tell(self, subject: Node, net: int, about: Node) -> None:
        """Note an event for the subscriptions of a resource, but not for the one that it is about."""
        for found in subject.children.values():
            if found.ty == SUB and found is not about and net in found.attributes["enc"]["net"]:
                self.events.append((found.path, net))


def _granted(fr: str, operation: int, privileges: Mapping[str, Any]) -> bool:
    return any(rule["acop"] & operation and ("all" in rule["acor"] or fr in rule["acor"]) for rule in privileges["acr"])


@dataclass(frozen=True)
class Conditions:
    """filterCriteria (TS-0004 7.3.3.14): those that are None are not asked; several values of one are alternatives. fo: 1 AND, 2 OR, 3 XOR."""

    fo: int = 1
    ty: tuple[int, ...] | None = None
    lbl: tuple[str, ...] | None = None
    rn: str | None = None
    sza: int | None = None
    szb: int | None = None
    stb: int | None = None
    sts: int | None = None
    pty: tuple[int, ...] | None = None
    chty: tuple[int, ...] | None = None
    clbl: tuple[str, ...] | None = None
    palb: tuple[str, ...] | None = None
    cra: int | None = None
    crb: int | None = None
    exb: int | None = None

    def match(self, node: Node, sees: Callable[[Node], bool]) -> bool:
        """Tell whether a resource matches; one that lacks an attribute does not match the condition on it, nor does a parent or child that nobody ``sees``."""
        names = [name for name in CONDITIONS if getattr(self, name) is not None]
        tests = [getattr(self, f"_{name}")(*((node, sees) if name in RELATIVES else (node,))) for name in names]
        if not tests:
            return True
        return all(tests) if self.fo == 1 else any(tests) if self.fo == 2 else sum(tests) % 2 == 1

    def _ty(self, node: Node) -> bool:
        return node.ty in (self.ty or ())

    def _lbl(self, node: Node, wanted: tuple[str, ...] | None = None) -> bool:
        patterns = self.lbl if wanted is None else wanted
        return any(fnmatchcase(label, pattern) for label in node.attributes.get("lbl") or () for pattern in patterns or ())

    def _rn(self, node: Node) -> bool:
        return fnmatchcase(node.name, self.rn or "")

    def _sza(self, node: Node) -> bool:
        return "cs" in node.attributes and bool(node.attributes["cs"] >= self.sza)

    def _szb(self, node: Node) -> bool:
        return "cs" in node.attributes and bool(node.attributes["cs"] < self.szb)

    def _stb(self, node: Node) -> bool:
        return "st" in node.attributes and bool(node.attributes["st"] >= self.stb)

    def _sts(self, node: Node) -> bool:
        return "st" in node.attributes and bool(node.attributes["st"] < self.sts)

    def _pty(self, node: Node, sees: Callable[[Node], bool]) -> bool:
        return node.parent is not None and sees(node.parent) and node.parent.ty in (self.pty or ())

    def _chty(self, node: Node, sees: Callable[[Node], bool]) -> bool:
        return any(child.ty in (self.chty or ()) for child in node.children.values() if sees(child))

    def _clbl(self, node: Node, sees: Callable[[Node], bool]) -> bool:
        return any(self._lbl(child, self.clbl) for child in node.children.values() if sees(child))

    def _palb(self, node: Node, sees: Callable[[Node], bool]) -> bool:
        return node.parent is not None and sees(node.parent) and self._lbl(node.parent, self.palb)

    def _cra(self, node: Node) -> bool:
        return node.made >= (self.cra or 0)

    def _crb(self, node: Node) -> bool:
        return node.made < (self.crb or 0)

    def _exb(self, node: Node) -> bool:
        return node.ends is not None and node.ends < (self.exb or 0)


RELATIVES = ("pty", "chty", "clbl", "palb")
CONDITIONS = ("ty", "lbl", "rn", "sza", "szb", "stb", "sts", "pty", "chty", "clbl", "palb", "cra", "crb", "exb")
