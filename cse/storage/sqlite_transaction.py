"""The transactions of the SQLite store."""

import sqlite3
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Any

from msgspec.structs import replace

from cse.datatypes import microseconds_of
from cse.primitives import Notice
from cse.record import Record
from cse.storage.contract import SUBSCRIPTION, Query, StoreError, Transaction
from cse.storage.matching import generation, may_be_generated, moment
from cse.storage.sqlite_batch import Batch
from cse.storage.sqlite_committed import Committed
from cse.storage.sqlite_rows import Kept
from cse.storage.sqlite_write import delete_tree

_WINDOW = 8
"""Instances that are looked ahead for."""

_GONE: Any = object()
"""In place of a value: the key is not there."""


class SqliteTransaction(Transaction):
    """Changes the batch's view and work; each step notes what was there, so that a failing request is undone in memory.

    Once its own work had to be written, a savepoint undoes that part.
    """

    def __init__(self, committed: Committed, batch: Batch) -> None:
        self._committed = committed
        self._batch = batch
        self._view = batch.view
        self._work = batch.work
        self._seen: list[tuple[dict[Any, Any], Any, Any]] = []
        self._noted: list[tuple[dict[Any, Any], Any, Any]] = []
        self._saved = False
        self._count = batch.view.count
        self._given: dict[str, int] = {}
        self._oldest: Kept | None = None

    # ── reading ──

    def get(self, ri: str) -> Record | None:
        found = self._kept(ri)
        return found[0] if found else None

    def _kept(self, ri: str) -> Kept | None:
        changed = self._view.changed
        if ri in changed:
            return changed[ri]
        if self._oldest is not None and self._oldest[0].ri == ri:
            return self._oldest
        found = self._committed.kept(ri)
        return None if found is not None and found[2] in self._view.removed else found

    def _current(self, kept: Kept) -> Kept | None:
        return self._view.changed.get(kept[0].ri, kept)

    def _is_gone(self, pi: str) -> bool:
        return self._view.changed.get(pi, _GONE) is None

    def child(self, pi: str, rn: str) -> Record | None:
        if self._is_gone(pi):
            return None
        if (pi, rn) in self._view.names:
            ri = self._view.names[pi, rn]
            return None if ri is None else self.get(ri)
        found = self._view.changed.get(rn)
        if found is not None and found[0].pi == pi and found[0].rn == rn:
            return found[0]
        published = self._committed.child(pi, rn)
        return None if published is None else self.get(published.ri)

    def children(self, pi: str, types: frozenset[int] | None = None) -> Iterator[Record]:
        self._write()
        parent = self._kept(pi) if pi else None
        if parent is None and pi:
            return iter(())
        return self._records(self._batch.tables.children(parent[1] if parent else 0, types))

    def _records(self, found: Iterator[Kept]) -> Iterator[Record]:
        return (current[0] for kept in found if (current := self._current(kept)) is not None)

    def edge(self, pi: str, ty: int, newest: bool) -> Record | None:
        parent = self._kept(pi)
        if parent is None:
            return None
        found = self._find_newest(pi, parent[1], ty) if newest else self._find_oldest(pi, parent[1], ty)
        if found is None:
            return None
        self._oldest = found
        return found[0]

    def _find_newest(self, pi: str, parent: int, ty: int) -> Kept | None:
        for first in reversed(self._view.added.get(pi, {}).values()):
            current = self._current(first)
            if current is not None and current[0].ty == ty:
                return current
        if (pi, ty) in self._view.touched:
            self._write()
            return self._batch.tables.edge(parent, ty, True)
        published = self._committed.edge(pi, ty, True)
        return self._committed.kept(published.ri) if published else None

    def _find_oldest(self, pi: str, parent: int, ty: int) -> Kept | None:
        window = self._batch.window(pi, ty)
        while not window.kept and window.empty_at != self._batch.written:
            found = self._batch.tables.oldest(parent, ty, window.last, _WINDOW)
            if found:
                window.last = found[-1][1]
                window.kept = [current for kept in found if (current := self._current(kept)) is not None]
            else:
                window.empty_at = self._batch.written
        if window.kept:
            return window.kept[0]
        added = (self._current(first) for first in self._view.added.get(pi, {}).values() if first[0].ty == ty)
        return next((current for current in added if current is not None), None)

    def generated(self, pi: str, dgt: str) -> Record | None:
        if self._is_gone(pi):
            return None
        moment = microseconds_of(dgt)
        ri = self._view.generated.get((pi, moment))
        if ri is not None and (found := self.get(ri)) is not None and generation(found) == moment:
            return found
        published = self._committed.generated(pi, dgt)
        return None if published is None else self.get(published.ri)

    def subscriptions(self, pi: str) -> tuple[Record, ...]:
        if self._is_gone(pi):
            return ()
        published = self._committed.subscriptions(pi)
        touched = self._view.subscribed.get(pi)
        if not touched:
            return published
        changed = self._view.changed
        ordered = dict.fromkeys((*(record.ri for record in published), *(touched[number] for number in sorted(touched))))
        known = {record.ri: record for record in published}
        current = ((found[0] if (found := changed[ri]) else None) if ri in changed else known[ri] for ri in ordered)
        return tuple(record for record in current if record is not None)

    def find(self, query: Query) -> Iterator[Record]:
        self._write()
        return (record for found in self._batch.tables.find(query) if (record := self.get(found.ri)) is not None)

    def expired(self, now: str, limit: int) -> list[Record]:
        self._write()
        due = moment(now)
        return [] if due is None else self._batch.tables.expired(due, limit)

    def waiting(self, ty: int, limit: int) -> Iterator[Record]:
        self._write()
        return self._records(self._batch.tables.waiting(ty, limit))

    def notices(self, after: int = 0, limit: int = 1000, *, held: bool = False, subscription: str | None = None, target: str | None = None) -> list[Notice]:
        self._write()
        return self._batch.tables.notices(after, limit, held, subscription, target)

    def value(self, key: str) -> str | None:
        return self._view.values[key] if key in self._view.values else self._committed.value(key)

    def outbox(self) -> tuple[int, float]:
        self._write()
        return self._batch.tables.outbox()

    def count(self) -> int:
        return self._committed.count() + self._view.count

    # ── writing ──

    def identify(self, prefix: str, pi: str, ty: int) -> str:
        batch, stem = self._batch, prefix
        instance = ty in batch.codec.instances
        parent = self._kept(pi) if instance else None
        if parent is not None:
            batch.codec.prefixes.setdefault(ty, prefix)
            stem = f"{prefix}{parent[1]}-"
        while True:
            number = batch.next()
            ri = f"{stem}{number}"
            # Names of the kind that instances get are in ``retired`` too, so that the busiest path needs no look-up.
            if ri not in batch.retired and (instance or self.child(pi, ri) is None):
                self._given[ri] = number
                return ri

    def insert(self, record: Record) -> None:
        batch, view, work = self._batch, self._view, self._work
        ri, rn, pi = record.ri, record.rn, record.pi
        number = self._given.pop(ri, 0)
        if not number:
            self._retire(ri)
        if rn != ri:
            if "-" in rn:
                self._retire(rn)
            self._put(self._seen, view.names, (pi, rn), ri)
        if number <= batch.last:
            number = batch.next()
        batch.last = number
        parent = self._kept(pi) if pi else None
        if parent is None and pi:
            raise StoreError(f"{record.path} cannot be stored: its parent {pi} is not there")
        kept = (record, number, parent[1] if parent else 0)
        if record.ty in batch.codec.instances:
            work.instances[number] = (batch.codec.encode(kept), record)
            self._noted.append((work.instances, number, _GONE))
            if (made := generation(record)) is not None:
                self._put(self._seen, view.generated, (pi, made), ri)
            added = view.added.setdefault(pi, {})
            added[number] = kept
            self._seen.append((added, number, _GONE))
        else:
            batch.nested = batch.nested or (parent is not None and parent[0].ty in batch.codec.instances)
            self._put(self._noted, work.resources, number, kept)
        self._show(ri, kept, kept)
        view.count += 1

    def _retire(self, name: str) -> None:
        if may_be_generated(name, self._batch.number) and name not in self._batch.retired:
            self._batch.retired.add(name)
            self._put(self._noted, self._work.retired, name, True)

    def replace(self, record: Record) -> None:
        old = self._kept(record.ri)
        if old is None:
            raise StoreError(f"{record.path} cannot be replaced: it is not there")
        before, number, parent = old
        kept = (record, number, parent)
        work = self._work
        if number in work.resources:
            self._put(self._noted, work.resources, number, kept)
        elif number in work.instances:
            self._put(self._noted, work.instances, number, (self._batch.codec.encode(kept), record))
        else:
            known = work.updated.get(number)
            new, was = record.attributes.get, before.attributes.get
            indexed = (known is not None and known[1]) or new("lt") != was("lt") or new("et") != was("et") or new("lbl") != was("lbl")
            indexed = indexed or new("ct") != was("ct")
            self._put(self._noted, work.updated, number, (kept, indexed))
        if record.ty in self._batch.codec.instances:
            self._touch(old, kept)
        self._show(record.ri, kept, kept)

    def delete(self, ri: str) -> list[Record]:
        kept = self._kept(ri)
        if kept is None:
            return []
        if kept[0].ty not in self._batch.codec.instances or self._batch.nested:
            return self._delete_tree(kept)
        record, number, parent = kept
        work = self._work
        if number in work.instances:
            self._put(self._noted, work.instances, number, _GONE)
        else:
            # The row may have labels that were replaced and not written yet: those of any value are looked for.
            labelled = bool(record.attributes.get("lbl")) or number in work.updated
            self._put(self._noted, work.updated, number, _GONE)
            self._put(self._noted, work.deleted, number, (parent, labelled))
        self._hide(kept)
        self._view.count -= 1
        return [record]

    def _delete_tree(self, kept: Kept) -> list[Record]:
        self._write(own=True)
        batch, view = self._batch, self._view
        removed = [kept, *batch.tables.descendants(kept[0].path)]
        try:
            rows = delete_tree(batch.connection, removed, batch.codec)
        except sqlite3.Error as error:
            batch.failure = StoreError(f"the store could not be written: {error}")
            raise batch.failure from error
        batch.written += 1
        for one in removed:
            record, number, _ = one
            if record.ty not in batch.codec.instances:
                self._put(self._seen, view.removed, number, record.ri)
            for first in view.added.get(record.ri, {}).values():
                if self._current(first) is not None:
                    self._hide(first)
            for ty in batch.codec.instances:
                batch.windows.pop((record.ri, ty), None)
            self._hide(one)
        view.count -= rows
        return [record for record, _, _ in removed]

    def _hide(self, kept: Kept) -> None:
        record = kept[0]
        if self._view.names.get((record.pi, record.rn)) == record.ri:
            self._put(self._seen, self._view.names, (record.pi, record.rn), None)
        if record.ty in self._batch.codec.instances:
            self._touch(kept, None)
        self._show(record.ri, kept, None)

    def _show(self, ri: str, kept: Kept, now: Kept | None) -> None:
        self._put(self._seen, self._view.changed, ri, now)
        if kept[0].ty == SUBSCRIPTION:
            self._put(self._seen, self._view.subscribed.setdefault(kept[0].pi, {}), kept[1], ri)

    def _touch(self, kept: Kept, now: Kept | None) -> None:
        """Note that an instance was replaced or deleted."""
        record, number, _ = kept
        key = (record.pi, record.ty)
        self._put(self._seen, self._view.touched, key, True)
        window = self._batch.windows.get(key)
        if window is not None:
            seen = (now if one[1] == number else one for one in window.kept)
            window.kept = [one for one in seen if one is not None]
        if self._oldest is not None and self._oldest[1] == number:
            self._oldest = None

    def enqueue(self, notice: Notice) -> Notice:
        kept = replace(notice, id=self._batch.next())
        self._put(self._noted, self._work.enqueued, kept.id, kept)
        self._put(self._seen, self._view.sent, kept.id, kept)
        return kept

    def drop(self, ids: Sequence[int]) -> None:
        for number in ids:
            if number in self._work.enqueued:
                self._put(self._noted, self._work.enqueued, number, _GONE)
            else:
                self._put(self._noted, self._work.dropped, number, True)
            self._put(self._seen, self._view.sent, number, _GONE)

    def remember(self, key: str, value: str | None) -> None:
        self._put(self._noted, self._work.values, key, value)
        self._put(self._seen, self._view.values, key, value)

    # ── keeping and undoing ──

    @staticmethod
    def _put(steps: list[tuple[dict[Any, Any], Any, Any]], table: dict[Any, Any], key: Any, value: Any) -> None:
        steps.append((table, key, table.get(key, _GONE)))
        if value is _GONE:
            table.pop(key, None)
        else:
            table[key] = value

    def _write(self, own: bool = False) -> None:
        """Bring the tables up to what this transaction sees; ``own``: it is going to change them directly.

        What earlier transactions left goes first, then a savepoint is set for what this one has done and will do.
        """
        batch = self._batch
        if not self._saved and (self._noted or own):
            mine: list[tuple[dict[Any, Any], Any, Any]] = []
            self._undo(self._noted, mine)
            resources, enqueued = set(self._work.resources), set(self._work.enqueued)
            instances = {number: (row[1], record.ri) for number, (row, record) in self._work.instances.items()}
            batch.write()
            try:
                batch.begin()
                batch.connection.execute("SAVEPOINT request")
            except sqlite3.Error as error:
                batch.failure = StoreError(f"the store could not be written: {error}")
                raise batch.failure from error
            self._saved = True
            self._undo(mine, [])
            self._rebase(resources, instances, enqueued)
        batch.write()

    def _rebase(self, resources: set[int], instances: dict[int, tuple[int, str]], enqueued: set[int]) -> None:
        """Make of this transaction's work what it is now that these rows of earlier ones are in the tables: an insert with a new value is an update."""
        work = self._work
        for number in resources & work.resources.keys():
            work.updated[number] = (work.resources.pop(number), True)
        for number, (parent, ri) in instances.items():
            if number in work.instances:
                work.updated[number] = ((work.instances.pop(number)[1], number, parent), True)
            elif self._view.changed[ri] is None:
                work.deleted[number] = (parent, True)
        work.dropped.update(dict.fromkeys(enqueued - self._view.sent.keys(), True))

    @staticmethod
    def _undo(steps: list[tuple[dict[Any, Any], Any, Any]], redo: list[tuple[dict[Any, Any], Any, Any]]) -> None:
        """Go back, the last step first; ``redo`` gets the steps that go forward again when they are undone."""
        for table, key, value in reversed(steps):
            redo.append((table, key, table.get(key, _GONE)))
            if value is _GONE:
                table.pop(key, None)
            else:
                table[key] = value
        steps.clear()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        batch = self._batch
        if kind is None:
            batch.dirty = batch.dirty or bool(self._seen or self._noted or self._saved)
            if self._saved and batch.failure is None:
                batch.connection.execute("RELEASE request")
            return
        self._undo(self._seen, [])
        self._view.count = self._count
        batch.windows.clear()
        if not self._saved:
            self._undo(self._noted, [])
            return
        self._work.clear()
        if batch.failure is not None:
            return
        try:
            batch.connection.execute("ROLLBACK TO request")
            batch.connection.execute("RELEASE request")
            if not batch.dirty:
                batch.connection.execute("ROLLBACK")
        except sqlite3.Error as failed:
            batch.failure = StoreError(f"a request could not be undone: {failed}")
