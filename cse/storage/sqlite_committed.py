"""What is published in the SQLite store: caches over the connection that reads."""

import sqlite3
from collections import OrderedDict
from collections.abc import Iterator

from cse.datatypes import microseconds_of
from cse.primitives import Notice
from cse.record import Record
from cse.storage.contract import Query, Reader
from cse.storage.matching import moment
from cse.storage.sqlite_query import Tables
from cse.storage.sqlite_rows import Codec, Kept
from cse.storage.sqlite_write import View

_SUBSCRIPTIONS = 65_536
_NEWEST = 16_384


class Committed(Reader):
    """The state of the last publish. ``bound`` resources are kept in memory; beside them the newest instances and the subscriptions of as many at most."""

    def __init__(self, connection: sqlite3.Connection, codec: Codec, bound: int) -> None:
        self._codec = codec
        self._bound = bound
        self._tables = Tables(connection, codec, self.peek, trusting=True)
        self.hits = self.misses = 0
        self.forget()

    def forget(self) -> None:
        """Empty the caches."""
        self._cache: OrderedDict[str, Kept] = OrderedDict()
        self._numbers: dict[int, str] = {}
        self._names: dict[tuple[str, str], str] = {}
        self._subscriptions: OrderedDict[str, tuple[Record, ...]] = OrderedDict()
        """pi -> its subscriptions; that there are none is worth knowing too."""
        self._newest: OrderedDict[tuple[str, int], Record] = OrderedDict()
        self._count: int | None = None

    def kept(self, ri: str) -> Kept | None:
        """Give a published resource with its number."""
        found = self._cache.get(ri)
        if found is not None:
            self._cache.move_to_end(ri)
            self.hits += 1
            return found
        self.misses += 1
        if "-" in ri and (found := self._tables.instance(ri, False)) is not None:
            return found
        found = self._tables.resource(ri)
        if found is not None:
            self._remember(found)
            return found
        return self._tables.instance(ri, True)

    def get(self, ri: str) -> Record | None:
        found = self.kept(ri)
        return found[0] if found else None

    def child(self, pi: str, rn: str) -> Record | None:
        known = self._names.get((pi, rn))
        if known is not None:
            return self.get(known)
        parent = self.place(pi)
        if parent is None:
            return None
        found = self._tables.named(parent, rn)
        if found is not None:
            if found[0].ty not in self._codec.instances:
                self._remember(found)
            return found[0]
        instance = self._tables.instance(rn, True)
        return instance[0] if instance and instance[0].pi == pi and instance[0].rn == rn else None

    def place(self, pi: str) -> int | None:
        """Give the number of a published parent, 0 for none."""
        if not pi:
            return 0
        found = self.kept(pi)
        return found[1] if found else None

    def children(self, pi: str, types: frozenset[int] | None = None) -> Iterator[Record]:
        parent = self.place(pi)
        return iter(()) if parent is None else (kept[0] for kept in self._tables.children(parent, types))

    def edge(self, pi: str, ty: int, newest: bool) -> Record | None:
        known = self._newest.get((pi, ty)) if newest else None
        if known is not None:
            return known
        parent = self.place(pi)
        found = self._tables.edge(parent, ty, newest) if parent is not None else None
        if found is not None and newest:
            self._note_newest(pi, ty, found[0])
        return found[0] if found else None

    def generated(self, pi: str, dgt: str) -> Record | None:
        parent = self.place(pi)
        found = self._tables.generated(parent, microseconds_of(dgt)) if parent is not None else None
        return found[0] if found else None

    def subscriptions(self, pi: str) -> tuple[Record, ...]:
        known = self._subscriptions.get(pi)
        if known is None:
            parent = self.place(pi)
            if parent is None:
                return ()
            known = tuple(kept[0] for kept in self._tables.subscriptions(parent))
            self._subscriptions[pi] = known
            if len(self._subscriptions) > min(self._bound, _SUBSCRIPTIONS):
                self._subscriptions.popitem(last=False)
        return known

    def find(self, query: Query) -> Iterator[Record]:
        return self._tables.find(query)

    def expired(self, now: str, limit: int) -> list[Record]:
        due = moment(now)
        return [] if due is None else self._tables.expired(due, limit)

    def waiting(self, ty: int, limit: int) -> Iterator[Record]:
        return (kept[0] for kept in self._tables.waiting(ty, limit))

    def notices(self, after: int = 0, limit: int = 1000, *, held: bool = False, subscription: str | None = None, target: str | None = None) -> list[Notice]:
        return self._tables.notices(after, limit, held, subscription, target)

    def value(self, key: str) -> str | None:
        return self._tables.value(key)

    def outbox(self) -> tuple[int, float]:
        return self._tables.outbox()

    def count(self) -> int:
        if self._count is None:
            self._count = self._tables.count()
        return self._count

    def peek(self, number: int) -> Kept | None:
        """Give the resource with this number when it is in memory."""
        ri = self._numbers.get(number)
        return None if ri is None else self._cache.get(ri)

    def _remember(self, kept: Kept) -> None:
        record = kept[0]
        self._cache[record.ri] = kept
        self._cache.move_to_end(record.ri)
        self._numbers[kept[1]] = record.ri
        self._names[record.pi, record.rn] = record.ri
        if len(self._cache) > self._bound:
            self._evict(next(iter(self._cache)))

    def _evict(self, ri: str) -> None:
        found = self._cache.pop(ri, None)
        if found is not None:
            self._numbers.pop(found[1], None)
            self._names.pop((found[0].pi, found[0].rn), None)

    def _note_newest(self, pi: str, ty: int, record: Record) -> None:
        self._newest[pi, ty] = record
        self._newest.move_to_end((pi, ty))
        if len(self._newest) > min(self._bound, _NEWEST):
            self._newest.popitem(last=False)

    def apply(self, view: View) -> None:
        """Take over what a commit has changed."""
        for number, ri in view.removed.items():
            self._subscriptions.pop(ri, None)
            self._numbers.pop(number, None)
            for ty in self._codec.instances:
                self._newest.pop((ri, ty), None)
        for place in view.touched:
            newest = self._newest.get(place)
            if newest is not None and newest.ri in view.changed:
                del self._newest[place]
        for pi in view.subscribed:
            self._subscriptions.pop(pi, None)
        for ri, kept in view.changed.items():
            if kept is None:
                self._evict(ri)
            elif kept[0].ty not in self._codec.instances:
                self._remember(kept)
        for pi, added in view.added.items():
            for first in added.values():
                current = view.changed[first[0].ri]
                if current is not None:
                    self._note_newest(pi, current[0].ty, current[0])
        if self._count is not None:
            self._count += view.count
