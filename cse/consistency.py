"""The invariants of a tree, held against a store that is not in use: what no request may ever find broken."""

from collections.abc import Iterator, Sized
from dataclasses import dataclass, field
from typing import Any

from msgspec.structs import replace

from cse.codes import ResourceTypeID
from cse.primitives import Notice
from cse.record import Record
from cse.registry import Registry
from cse.schema import ResourceType
from cse.storage.contract import SUBSCRIPTION, Finding, Store, StoreError, commit

_PAGE = 1000
_OWN = ("ty", "ri", "pi", "rn")


@dataclass(slots=True)
class _Tally:
    """The instances below a resource, as they were counted."""

    ty: int = 0
    count: int = 0
    size: int = 0
    st: int = 0
    first: str = ""
    last: str = ""

    def add(self, record: Record) -> None:
        self.ty = record.ty
        self.count += 1
        self.size += _number(record, "cs", 0)
        self.st = max(self.st, _number(record, "st", 0))
        self.first = self.first or record.ri
        self.last = record.ri


@dataclass(slots=True)
class _Seen:
    tallies: dict[str, _Tally] = field(default_factory=dict)
    """ri of the parent -> its instances."""
    subscribed: dict[str, list[str]] = field(default_factory=dict)
    """ri of the parent -> its subscriptions."""
    others: list[str] = field(default_factory=list)
    """ri of everything that is no instance."""
    roots: int = 0


def check(store: Store, registry: Registry, repair: bool) -> Iterator[Finding]:
    """Give everything that is wrong with a store; ``repair`` mends what follows from the rest: indexes, counters, entries that nobody would ever deliver.

    Nothing that cannot be derived is changed or deleted. The store must not be in use. Its own structure comes first, then the tree as its readers see it.
    """
    try:
        yield from store.examine(repair)
        seen = _Seen()
        for record in store.everything():
            yield from _resource(store, registry, record, seen)
        if seen.roots != 1:
            yield Finding("", f"there are {seen.roots} resources without a parent, where the CSEBase should be the only one")
        for ri in seen.others:
            if (found := store.get(ri)) is not None:
                yield from _parent(store, found, seen, repair)
        yield from _outbox(store, repair)
        if repair:
            commit(store)
    except StoreError as error:
        yield Finding("", f"the store cannot be read any further: {error}")


def _resource(store: Store, registry: Registry, record: Record, seen: _Seen) -> Iterator[Finding]:
    """Hold one resource against its parent, its siblings and its own attributes."""
    where = record.path
    if record.pi == "":
        seen.roots += 1
        if record.ty != ResourceTypeID.CSE_BASE:
            yield Finding(where, f"has no parent, which only a CSEBase may lack, and is of type {record.ty}")
    elif (parent := store.get(record.pi)) is None:
        yield Finding(where, f"its parent {record.pi} does not exist")
    elif record.path != f"{parent.path}/{record.rn}":
        yield Finding(where, f"its path is not that of its parent, {parent.path}, with its name {record.rn}")
    if registry.get(record.ty) is None:
        yield Finding(where, f"is of resource type {record.ty}, which this program does not have")
    else:
        yield from _attributes(record, registry.of(record))
    for name in _OWN:
        if record.attributes.get(name, "") != getattr(record, name):
            yield Finding(where, f"its attribute {name} is {record.attributes.get(name)!r}, but it is stored as {getattr(record, name)!r}")
    found = store.get(record.ri)
    if found is None or found.path != where:
        yield Finding(where, f"is not found by its identifier {record.ri}" + ("" if found is None else f", {found.path} is"))
    named = store.child(record.pi, record.rn)
    if named is None or named.ri != record.ri:
        yield Finding(where, "is not found by its name below its parent" + ("" if named is None else f", {named.ri} has the same"))
    if record.ty in registry.instances:
        seen.tallies.setdefault(record.pi, _Tally()).add(record)
        return
    seen.others.append(record.ri)
    if record.ty == SUBSCRIPTION:
        seen.subscribed.setdefault(record.pi, []).append(record.ri)


def _attributes(record: Record, kind: ResourceType) -> Iterator[Finding]:
    """Hold the attributes of a resource against the table of its type; those of a form that nobody defines any more may be any."""
    where, rows = record.path, kind.rows
    for name, value in record.attributes.items():
        row = rows.get(name)
        if row is None:
            if kind.special is None:
                yield Finding(where, f"has the attribute {name}, which {kind.short} does not have")
            continue
        try:
            row.type.check(value)
        except ValueError as error:
            yield Finding(where, f"its attribute {name} ({row.long}) {error}")
    for name, row in rows.items():
        if row.card == "1" and name not in record.attributes and kind.on_retrieve is None:
            yield Finding(where, f"lacks the attribute {name} ({row.long}), which every {kind.short} has")


def _parent(store: Store, record: Record, seen: _Seen, repair: bool) -> Iterator[Finding]:
    """Hold what a resource says of what is below it against that."""
    where, attributes = record.path, record.attributes
    tally = seen.tallies.get(record.ri, _Tally())
    changes: dict[str, Any] = {}
    if tally.count or "cni" in attributes:
        for name, long, right in (("cni", "currentNrOfInstances", tally.count), ("cbs", "currentByteSize", tally.size)):
            if name in attributes and attributes[name] != right:
                changes[name] = right
                yield Finding(where, f"{name} ({long}) is {attributes[name]}, its instances make it {right}", repair)
        if "st" in attributes and _number(record, "st", -1) < tally.st:
            changes["st"] = tally.st
            yield Finding(where, f"st (stateTag) is {attributes['st']}, one of its instances has {tally.st}", repair)
    for limit, long, count, least in (("mni", "maxNrOfInstances", tally.count, 1), ("mbs", "maxByteSize", tally.size, 0)):
        if count > max(_number(record, limit, count), least):  # the newest instance stays, whatever mni is
            yield Finding(where, f"{limit} ({long}) is {attributes[limit]}, its instances make {count}")
    if tally.count:
        for newest, word, right_ri in ((True, "latest", tally.last), (False, "oldest", tally.first)):
            found = store.edge(record.ri, tally.ty, newest)
            if found is None or found.ri != right_ri:
                yield Finding(where, f"its {word} instance is told to be {found.ri if found else 'none'}, but it is {right_ri}")
    if [each.ri for each in store.subscriptions(record.ri)] != seen.subscribed.get(record.ri, []):
        yield Finding(where, "its subscriptions are not those that changes of it would look at")
    members = attributes.get("mid", ()) if record.ty == ResourceTypeID.GROUP else None
    if isinstance(members, Sized) and attributes.get("cnm") != len(members):
        changes["cnm"] = len(members)
        yield Finding(where, f"cnm (currentNrOfMembers) is {attributes.get('cnm')}, mid has {changes['cnm']} members", repair)
    if changes and repair:
        with store.transaction() as transaction:
            transaction.replace(record.with_attributes(changes))


def _number(record: Record, name: str, default: int) -> int:
    """Give an attribute that should be a number; that it is none is told elsewhere."""
    value = record.attributes.get(name, default)
    return value if isinstance(value, int) else default


def _outbox(store: Store, repair: bool) -> Iterator[Finding]:
    """Hold the outbox against the tree: who holds a notification back must be there to let it go."""
    for held in (False, True):
        after = 0
        while page := store.notices(after, _PAGE, held=held):
            after = page[-1].id
            for notice in page:
                yield from _notice(store, notice, repair)


def _notice(store: Store, notice: Notice, repair: bool) -> Iterator[Finding]:
    where = f"outbox entry {notice.id}"
    if not notice.target:
        yield Finding(where, "has no target")
    if not isinstance(notice.content, dict) or len(notice.content) != 1:
        yield Finding(where, f"for {notice.target} has no content with one root")
    if notice.held and store.get(notice.subscription) is None:
        yield Finding(where, f"for {notice.target} is held back by {notice.subscription or 'nobody'}, which does not exist and will never let it go", repair)
        if repair:
            with store.transaction() as transaction:
                transaction.drop([notice.id])
                transaction.enqueue(replace(notice, held=False, due=0.0, id=0))
