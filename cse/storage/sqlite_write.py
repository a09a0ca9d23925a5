"""What a batch of transactions has changed in the SQLite store: as it is seen, and as it is still to be written."""

import sqlite3
from collections.abc import Iterable
from typing import Any

from cse.primitives import Notice
from cse.record import Record
from cse.storage.matching import moment
from cse.storage.sqlite_rows import INSTANCE, NOTICE, RESOURCE, Codec, Kept, Row, notice_row, resource_change, resource_row


class View:
    """What is different from the published state. Everything but the number of resources is a dictionary, so that one kind of step undoes all."""

    __slots__ = ("added", "changed", "count", "generated", "names", "removed", "sent", "subscribed", "touched", "values")

    def __init__(self) -> None:
        self.changed: dict[str, Kept | None] = {}
        """ri -> what it is now, None when deleted."""
        self.names: dict[tuple[str, str], str | None] = {}
        """(pi, rn) -> ri of what was inserted with a name of its own, None when it was deleted again."""
        self.added: dict[str, dict[int, Kept]] = {}
        """pi -> number -> instances as they were inserted, in order; ``changed`` tells what has become of them."""
        self.generated: dict[tuple[str, int], str] = {}
        """(pi, generation) -> ri of what was inserted; ``changed`` tells what has become of it."""
        self.subscribed: dict[str, dict[int, str]] = {}
        """pi -> number -> ri of subscriptions that were inserted, replaced or deleted."""
        self.touched: dict[tuple[str, int], bool] = {}
        """(pi, ty) of instances that were replaced or deleted."""
        self.removed: dict[int, str] = {}
        """Numbers and ri of deleted resources that can have children."""
        self.sent: dict[int, Notice] = {}
        self.values: dict[str, str | None] = {}
        self.count = 0


class Work:
    """What the tables do not have yet: one entry a row, however often it was changed."""

    __slots__ = ("deleted", "dropped", "enqueued", "instances", "resources", "retired", "updated", "values")

    def __init__(self) -> None:
        self.resources: dict[int, Kept] = {}
        self.instances: dict[int, tuple[Row, Record]] = {}
        self.updated: dict[int, tuple[Kept, bool]] = {}
        """number -> (value, whether more than the attributes changed: times or labels)."""
        self.deleted: dict[int, tuple[int, bool]] = {}
        """Instances: number -> (parent, whether it had labels)."""
        self.enqueued: dict[int, Notice] = {}
        self.dropped: dict[int, bool] = {}
        self.values: dict[str, str | None] = {}
        self.retired: dict[str, bool] = {}

    def __bool__(self) -> bool:
        return any(getattr(self, name) for name in self.__slots__)

    def clear(self) -> None:
        """Forget everything."""
        for name in self.__slots__:
            getattr(self, name).clear()

    def write(self, connection: sqlite3.Connection, codec: Codec) -> None:
        """Bring the tables up to date and forget. Raises sqlite3.Error, and TypeError for values that JSON cannot have."""
        many = connection.executemany
        if self.deleted:
            gone = [(parent, number) for number, (parent, _) in self.deleted.items()]
            many("DELETE FROM instance WHERE parent = ? AND number = ?", gone)
            many("DELETE FROM label WHERE parent = ? AND number = ?", [(parent, number) for number, (parent, labelled) in self.deleted.items() if labelled])
        if self.resources:
            many(f"INSERT INTO resource ({RESOURCE}, due, ct, lt, et) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)", map(resource_row, self.resources.values()))
            _label(connection, ((0, number, kept[0]) for number, kept in self.resources.items()))
        if self.instances:
            many(f"INSERT INTO instance ({INSTANCE}, generated) VALUES (?,?,?,?,?,?,?,?,?,?,?)", [row for row, _ in self.instances.values()])
            _label(connection, ((row[1], number, record) for number, (row, record) in self.instances.items()))
        if self.updated:
            self._update(connection, codec)
        if self.enqueued:
            many(f"INSERT INTO notice ({NOTICE}) VALUES (?,?,?,?,?)", map(notice_row, self.enqueued.values()))
        if self.dropped:
            many("DELETE FROM notice WHERE id = ?", [(number,) for number in self.dropped])
        if self.values:
            many("INSERT OR REPLACE INTO value VALUES (?, ?)", [(key, value) for key, value in self.values.items() if value is not None])
            many("DELETE FROM value WHERE key = ?", [(key,) for key, value in self.values.items() if value is None])
        if self.retired:
            many("INSERT OR IGNORE INTO retired VALUES (?)", [(ri,) for ri in self.retired])
        self.clear()

    def _update(self, connection: sqlite3.Connection, codec: Codec) -> None:
        many = connection.executemany
        instances = [kept for kept, _ in self.updated.values() if kept[0].ty in codec.instances]
        resources = [kept for kept, _ in self.updated.values() if kept[0].ty not in codec.instances]
        whole = [kept for kept, all_of_it in self.updated.values() if all_of_it]
        # Times and labels have indexes; a container that only counts must not pay for them.
        many("UPDATE resource SET originator = ?, attributes = ?, state = ?, due = ? WHERE number = ?", map(resource_change, resources))
        if instances:
            rows = [codec.encode(kept) for kept in instances]
            many(
                "UPDATE instance SET ct = ?, lt = ?, et = ?, shape = ?, body = ?, generated = ? WHERE parent = ? AND number = ?",
                [(*row[5:], row[1], row[0]) for row in rows],
            )
        if whole:
            places = [(kept[2] if kept[0].ty in codec.instances else 0, kept[1], kept[0]) for kept in whole]
            times = [(*_times(record), number) for parent, number, record in places if record.ty not in codec.instances]
            many("UPDATE resource SET ct = ?, lt = ?, et = ? WHERE number = ?", times)
            many("DELETE FROM label WHERE parent = ? AND number = ?", [(parent, number) for parent, number, _ in places])
            _label(connection, places)


def _times(record: Record) -> tuple[int | None, ...]:
    return tuple(moment(record.attributes.get(name)) for name in ("ct", "lt", "et"))


def _label(connection: sqlite3.Connection, places: Iterable[tuple[int, int, Record]]) -> None:
    rows: list[tuple[Any, ...]] = []
    for parent, number, record in places:
        labels = record.attributes.get("lbl")
        if labels:
            rows += [(label, parent, number) for label in labels]
    if rows:
        connection.executemany("INSERT OR IGNORE INTO label VALUES (?, ?, ?)", rows)


def delete_tree(connection: sqlite3.Connection, removed: list[Kept], codec: Codec) -> int:
    """Delete these resources, whose descendants are among them, with the instances below them and all labels; give the number of rows."""
    numbers = [(number,) for record, number, _ in removed if record.ty not in codec.instances]
    own = [(parent, number) for record, number, parent in removed if record.ty in codec.instances]
    many = connection.executemany
    many("DELETE FROM label WHERE parent = ?", numbers)
    many("DELETE FROM label WHERE parent = 0 AND number = ?", numbers)
    many("DELETE FROM label WHERE parent = ? AND number = ?", own)
    below: int = many("DELETE FROM instance WHERE parent = ?", numbers).rowcount
    many("DELETE FROM instance WHERE parent = ? AND number = ?", own)
    many("DELETE FROM resource WHERE number = ?", numbers)
    return len(removed) + max(below, 0)
