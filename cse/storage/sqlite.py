"""The default store: one SQLite file in WAL mode, one writer, group commit.

Transactions change a ``View`` in memory and list rows in a ``Work``; SQL runs at flush, one statement for many rows, so that a failing request costs none.
What only SQL can answer (listing, finding, deleting a subtree) makes a transaction write out first, its own part behind a savepoint. Readers of the store see
caches and a second connection, which stands at the last published commit while the next is on its way.
"""

import sqlite3
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path

from cse.primitives import Notice
from cse.record import Record
from cse.storage.contract import Query, Store, StoreError, Transaction
from cse.storage.lock import own
from cse.storage.matching import moment
from cse.storage.sqlite_query import Tables, translated
from cse.storage.sqlite_rows import Codec, Kept
from cse.storage.sqlite_schema import connect
from cse.storage.sqlite_transaction import SqliteTransaction
from cse.storage.sqlite_write import View, Work

_LEASE = 100_000
"""Numbers that are taken at once; those of a lease that are not used are lost when the process ends."""

_CHECKPOINT = 10_000
"""Changed rows after which the write-ahead log is copied into the file."""

_SUBSCRIPTIONS = 65_536
_NEWEST = 16_384


class SqliteStore(Store):
    """The store in a file. ``cache`` bounds the resources in memory, instances are not kept but for the newest of a container."""

    def __init__(self, path: str, instances: frozenset[int], cache: int) -> None:
        self.path = Path(path)
        self.instances = instances
        self.codec = Codec(instances)
        self.view = View()
        self.work = Work()
        self.dirty = False
        """Whether a transaction has left something for the next commit."""
        self.failure: StoreError | None = None
        """Why nothing of this batch can be committed any more: a part of it is lost."""
        self._bound = max(cache, 1)
        self._forget()
        self._lock = own(self.path)
        try:
            self.connection, self._read = connect(self.path)
        except BaseException:
            self._lock.close()
            raise
        self.working = Tables(self.connection, self.codec, self._peek, trusting=False)
        self._committed = Tables(self._read, self.codec, self._peek, trusting=True)
        self._changes = 0
        self._snapshot = False
        self._load()

    def _load(self) -> None:
        """Read what is always in memory: values, marks, prefixes, shapes."""
        rows = self._committed.rows
        self._values: dict[str, str] = dict(rows("SELECT key, value FROM value"))
        self.retired: set[str] = {ri for (ri,) in rows("SELECT ri FROM retired")}
        marks: dict[str, int] = dict(rows("SELECT name, number FROM mark"))
        self.number = self.last = marks.get("next", 0)
        """The last number given, and the last that was used for a resource."""
        self.nested = "nested" in marks
        self.foreign = "foreign" in marks
        """Whether an instance has had a child; whether one has had an ri from elsewhere."""
        self._marks = marks
        self._new_marks = marks
        self.codec.prefixes.update(rows("SELECT ty, prefix FROM prefix"))
        for (content,) in rows("SELECT content FROM shape ORDER BY id"):
            self.codec.learn_saved(content)
        self._saved = (len(self.codec.prefixes), len(self.codec.shapes))
        self._new_saved = self._saved
        self._count: int | None = None

    def _forget(self) -> None:
        """Empty the caches."""
        self._cache: OrderedDict[str, Kept] = OrderedDict()
        self._numbers: dict[int, str] = {}
        self._names: dict[tuple[str, str], str] = {}
        self._subscriptions: OrderedDict[str, tuple[Record, ...]] = OrderedDict()
        self._newest: OrderedDict[tuple[str, int], Record] = OrderedDict()
        self.windows: OrderedDict[tuple[str, int], Window] = OrderedDict()

    # ── what is published ──

    def kept(self, ri: str) -> Kept | None:
        """Give a published resource with its number."""
        found = self._cache.get(ri)
        if found is not None:
            self._cache.move_to_end(ri)
            return found
        if "-" in ri and (found := self._committed.instance(ri, self.foreign)) is not None:
            return found
        found = self._committed.resource(ri)
        if found is not None:
            self._remember(found)
            return found
        return self._committed.instance(ri, True) if self.foreign else None

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
        found = self._committed.named(parent, rn)
        if found is not None:
            if found[0].ty not in self.instances:
                self._remember(found)
            return found[0]
        instance = self._committed.instance(rn, self.foreign)
        return instance[0] if instance and instance[0].pi == pi and instance[0].rn == rn else None

    def place(self, pi: str) -> int | None:
        """Give the number of a published parent, 0 for none."""
        if not pi:
            return 0
        found = self.kept(pi)
        return found[1] if found else None

    def children(self, pi: str, types: frozenset[int] | None = None) -> Iterator[Record]:
        parent = self.place(pi)
        return iter(()) if parent is None else (kept[0] for kept in self._committed.children(parent, types))

    def edge(self, pi: str, ty: int, newest: bool) -> Record | None:
        known = self._newest.get((pi, ty)) if newest else None
        if known is not None:
            return known
        parent = self.place(pi)
        found = self._committed.edge(parent, ty, newest) if parent is not None else None
        if found is not None and newest:
            self._note_newest(pi, ty, found[0])
        return found[0] if found else None

    def subscriptions(self, pi: str) -> tuple[Record, ...]:
        known = self._subscriptions.get(pi)
        if known is None:
            parent = self.place(pi)
            if parent is None:
                return ()
            known = tuple(kept[0] for kept in self._committed.subscriptions(parent))
            self._subscriptions[pi] = known
            if len(self._subscriptions) > _SUBSCRIPTIONS:
                self._subscriptions.popitem(last=False)
        return known

    def find(self, query: Query) -> Iterator[Record]:
        return self._committed.find(query)

    def expired(self, now: str, limit: int) -> list[Record]:
        due = moment(now)
        return [] if due is None else self._committed.expired(due, limit)

    def notices(self, after: int = 0, limit: int = 1000, *, held: bool = False, subscription: str | None = None, target: str | None = None) -> list[Notice]:
        return self._committed.notices(after, limit, held, subscription, target)

    def value(self, key: str) -> str | None:
        return self._values.get(key)

    def count(self) -> int:
        if self._count is None:
            self._count = self._committed.count()
        return self._count

    def _peek(self, number: int) -> Kept | None:
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
        if len(self._newest) > _NEWEST:
            self._newest.popitem(last=False)

    # ── the batch ──

    def transaction(self) -> Transaction:
        return SqliteTransaction(self)

    def next(self) -> int:
        """Give the next number; none is given twice, even after a restart."""
        self.number += 1
        return self.number

    def write_out(self) -> None:
        """Run the SQL for what is waiting. When it fails the whole batch is lost: raises StoreError now and at every flush until ``discard``."""
        if self.failure is not None:
            raise StoreError(str(self.failure)) from self.failure
        try:
            if not self.connection.in_transaction:
                self.connection.execute("BEGIN IMMEDIATE")
            self._write_marks()
            self.work.write(self.connection, self.codec)
        except sqlite3.Error as error:
            self.failure = StoreError(f"the store could not be written: {error}")
            raise self.failure from error

    def _write_marks(self) -> None:
        """Write what the rows to come depend on. Once more at each time until it is published: a savepoint may have undone it."""
        marks = {"next": self._marks.get("next", 0)}
        if self.number >= marks["next"]:
            marks["next"] = self.number + _LEASE
        marks |= {"nested": 1} if self.nested else {}
        marks |= {"foreign": 1} if self.foreign else {}
        if marks != self._marks:
            self.connection.executemany("INSERT OR REPLACE INTO mark VALUES (?, ?)", marks.items())
            self._new_marks = marks
        prefixes, shapes = self._saved
        if len(self.codec.prefixes) > prefixes:
            self.connection.executemany("INSERT OR IGNORE INTO prefix VALUES (?, ?)", self.codec.prefixes.items())
        new = range(shapes + 1, len(self.codec.shapes) + 1)
        if new:
            self.connection.executemany("INSERT OR IGNORE INTO shape VALUES (?, ?)", [(number, self.codec.saved(number)) for number in new])
        self._new_saved = (len(self.codec.prefixes), len(self.codec.shapes))

    @property
    def pending(self) -> bool:
        return self.dirty

    def flush(self) -> None:
        self.write_out()
        if not self._checkpoint_due:
            with translated():
                self._read.execute("BEGIN")
                self._read.execute("SELECT 1 FROM mark").fetchall()
            self._snapshot = True

    @property
    def _checkpoint_due(self) -> bool:
        # A reader that stands at an older commit keeps the log from being emptied. So in the one commit of many that empties it there is no snapshot, and
        # reading what is not in memory may see that commit between sync and publish: a moment early, when it is durable already.
        return self.connection.total_changes - self._changes > _CHECKPOINT

    def sync(self) -> None:
        try:
            self.connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise StoreError(f"the store could not be written: {error}") from error
        if self._checkpoint_due:
            try:
                self.connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
            except sqlite3.Error:
                # The commit is safe in the log, which just grows on until there is space again.
                return
            self._changes = self.connection.total_changes

    def publish(self) -> list[Notice]:
        view, self.view, self.dirty = self.view, View(), False
        self._end_snapshot()
        self._marks, self._saved = self._new_marks, self._new_saved
        for number, ri in view.removed.items():
            self._subscriptions.pop(ri, None)
            self._numbers.pop(number, None)
            for ty in self.instances:
                self._newest.pop((ri, ty), None)
        for key in view.touched:
            newest = self._newest.get(key)
            if newest is not None and newest.ri in view.changed:
                del self._newest[key]
        for pi in view.subscribed:
            self._subscriptions.pop(pi, None)
        for ri, kept in view.changed.items():
            if kept is None:
                self._evict(ri)
            elif kept[0].ty not in self.instances:
                self._remember(kept)
        for pi, added in view.added.items():
            for first in added.values():
                current = view.changed[first[0].ri]
                if current is not None:
                    self._note_newest(pi, current[0].ty, current[0])
        for key, value in view.values.items():
            if value is None:
                self._values.pop(key, None)
            else:
                self._values[key] = value
        if self._count is not None:
            self._count += view.count.get(None, 0)
        return [notice for notice in view.sent.values() if not notice.held]

    def _end_snapshot(self) -> None:
        if self._snapshot:
            self._snapshot = False
            self._read.execute("COMMIT")

    def discard(self) -> None:
        self._end_snapshot()
        self.view, self.dirty, self.failure = View(), False, None
        self.work.clear()
        self.windows.clear()
        self._new_marks, self._new_saved = self._marks, self._saved
        if self.connection.in_transaction:
            with translated():
                self.connection.execute("ROLLBACK")

    def reset(self) -> None:
        self.discard()
        tables = ("resource", "instance", "label", "notice", "value")
        with translated():
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                for table in tables:
                    self.connection.execute(f"DELETE FROM {table}")
                self.connection.execute("INSERT OR REPLACE INTO mark VALUES ('next', ?)", (self.number + _LEASE,))
                self.connection.execute("COMMIT")
            except sqlite3.Error:
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")
                raise
        self._marks = self._new_marks = self._marks | {"next": self.number + _LEASE}
        self._forget()
        self._values, self._count = {}, 0

    def close(self) -> None:
        self._end_snapshot()
        self._read.close()
        self.connection.close()
        self._lock.close()


class Window:
    """The oldest instances of a container as transactions see them, a few at a time, for limits that push one out at every CREATE."""

    __slots__ = ("empty_at", "kept", "last")

    def __init__(self) -> None:
        self.kept: list[Kept] = []
        self.last = 0
        """Number of the last instance that was looked at."""
        self.empty_at = -1
        """How much had been written when the tables had no more."""
