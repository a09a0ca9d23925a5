"""The SQLite store's own structure: rows against what they are made of, and whatever can be derived made anew."""

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import orjson

from cse.record import Record
from cse.storage.contract import Finding
from cse.storage.matching import moment
from cse.storage.sqlite_query import translated
from cse.storage.sqlite_rows import INSTANCE, NOTICE, RESOURCE, Codec, Row, notice_of

_MOST = 100
"""Sentences of SQLite's own check."""


class _Place(NamedTuple):
    """What the rows below a resource depend on."""

    ri: str
    path: str


def examine(connection: sqlite3.Connection, codec: Codec, repair: bool) -> Iterator[Finding]:
    """Give what is wrong with the tables; with ``repair`` indexes, columns and labels are made anew from the resources. Raises StoreError."""
    with translated():
        yield from _file(connection, repair)
        check = _Check(connection, codec)
        for finding, statements in check.run():
            yield Finding(finding.where, finding.what, bool(statements) and repair)
            if repair:
                check.mending += statements
        if check.mending:
            connection.execute("BEGIN IMMEDIATE")
            try:
                for sql, parameters in check.mending:
                    connection.execute(sql, parameters)
                connection.execute("COMMIT")
            except sqlite3.Error:
                connection.execute("ROLLBACK")
                raise


def _file(connection: sqlite3.Connection, repair: bool) -> Iterator[Finding]:
    """Let SQLite look at the file itself: pages, order of the rows, indexes."""

    def look() -> list[str]:
        return [text for (text,) in connection.execute(f"PRAGMA integrity_check({_MOST})") if text != "ok"]

    found = look()
    if found and repair:
        connection.execute("REINDEX")
    left = set(look()) if found and repair else set(found)
    for text in found:
        yield Finding("", f"the file is damaged: {text}", text not in left)


_Statement = tuple[str, Sequence[Any]]
_Found = tuple[Finding, list[_Statement]]


class _Check:
    """One pass over all tables."""

    def __init__(self, connection: sqlite3.Connection, codec: Codec) -> None:
        self._connection = connection
        self._codec = codec
        self._places: dict[int, _Place] = {}
        self._numbers: dict[str, int] = {}
        self._last = 0
        self.mending: list[_Statement] = []

    def run(self) -> Iterator[_Found]:
        """Give what is wrong, each with the statements that mend it, none where it cannot be derived what is right."""
        rows = self._connection.execute
        self._numbers = dict(rows("SELECT ri, number FROM resource"))
        for row in rows(f"SELECT {RESOURCE}, due, ct, lt, et FROM resource ORDER BY number"):
            yield from self._resource(row)
        for row in rows(f"SELECT {INSTANCE}, generated FROM instance ORDER BY parent, number"):
            yield from self._instance(row)
        for label, parent, number in rows(
            "SELECT label, parent, number FROM label l WHERE NOT EXISTS (SELECT 1 FROM resource r WHERE l.parent = 0 AND r.number = l.number)"
            " AND NOT EXISTS (SELECT 1 FROM instance i WHERE i.parent = l.parent AND i.number = l.number)"
        ):
            what = f"the label {label!r} is indexed for a resource that does not exist"
            yield Finding("", what), [("DELETE FROM label WHERE label = ? AND parent = ? AND number = ?", (label, parent, number))]
        for row in rows(f"SELECT {NOTICE} FROM notice ORDER BY id"):
            self._last = max(self._last, row[0])
            try:
                notice_of(row)
            except (ValueError, TypeError):
                yield Finding(f"outbox entry {row[0]}", f"for {row[1]} cannot be read"), []
        marks = dict(rows("SELECT name, number FROM mark"))
        if self._last >= marks.get("next", 0):
            what = f"the next number to be given is {marks.get('next', 0)}, but {self._last} is taken"
            yield Finding("", what), [("INSERT OR REPLACE INTO mark VALUES ('next', ?)", (self._last + 1,))]

    def _resource(self, row: Row) -> Iterator[_Found]:
        number, parent, ty, ri, pi, rn, path, _, text, state_text, due, ct, lt, et = row
        self._last = max(self._last, number)
        self._places[number] = _Place(ri, path)
        try:
            attributes, state = orjson.loads(text), orjson.loads(state_text) if state_text else {}
            if not isinstance(attributes, dict) or not isinstance(state, dict):
                raise ValueError("no object")
        except ValueError as error:
            yield Finding(path, f"its attributes cannot be read: {error}"), []
            return
        yield from self._place(number, parent, ri, pi, rn, path)
        own = {"ty": ty, "ri": ri, "pi": pi, "rn": rn}
        if wrong := [name for name, value in own.items() if attributes.get(name, "") != value]:
            right = orjson.dumps(attributes | {name: own[name] for name in wrong}).decode()
            what = f"its attribute {wrong[0]} is {attributes.get(wrong[0])!r}, but it is stored as {own[wrong[0]]!r}"
            yield Finding(path, what), [("UPDATE resource SET attributes = ? WHERE number = ?", (right, number))]
        times = {name: moment(attributes.get(name)) for name in ("ct", "lt", "et")}
        for name, found, wanted in (*((n, f, times[n]) for n, f in (("ct", ct), ("lt", lt), ("et", et))), ("due", due, state.get("due"))):
            if found != wanted:
                yield Finding(path, f"the index of {name} has another value than the resource"), [_set("resource", name, wanted, "number = ?", number)]
        yield from self._labels(0, number, path, attributes)

    def _place(self, number: int, parent: int, ri: str, pi: str, rn: str, path: str) -> Iterator[_Found]:
        """Hold number, identifier and path of the parent against each other."""
        known = self._numbers.get(pi, 0)
        if pi and known and known != parent:
            yield Finding(path, f"is not stored below its parent {pi}"), [_set("resource", "parent", known, "number = ?", number)]
            parent = known
        above = self._places.get(parent)
        wanted = rn if not pi else f"{above.path}/{rn}" if above is not None else path
        if path != wanted:
            yield Finding(path, f"its path is not {wanted}, which its parents make it"), [_set("resource", "path", wanted, "number = ?", number)]
            self._places[number] = _Place(ri, wanted)

    def _instance(self, row: Row) -> Iterator[_Found]:
        number, parent, ty, own_ri, _, _, _, _, shape, _, _ = row
        self._last = max(self._last, number)
        above = self._places.get(parent)
        where = f"instance {own_ri or number}" if above is None else f"{above.path}/{own_ri or number}"
        if above is None:
            yield Finding(where, f"its parent, number {parent}, does not exist"), []
            return
        try:
            record, _, _ = self._codec.decode(row[:-1], Record(0, above.ri, "", "", above.path, {}))
            written = self._codec.encode((record, number, parent))
        except (ValueError, TypeError, LookupError) as error:
            yield Finding(where, f"cannot be read ({type(error).__name__}: {error}); its type is {ty}, its shape {shape}"), []
            return
        for name, place in (("ct", 5), ("lt", 6), ("et", 7), ("generated", 10)):
            if row[place] != written[place]:
                what = f"the index of {name} has another value than the resource"
                yield Finding(record.path, what), [_set("instance", name, written[place], "parent = ? AND number = ?", parent, number)]
        yield from self._labels(parent, number, record.path, record.attributes)

    def _labels(self, parent: int, number: int, path: str, attributes: Any) -> Iterator[_Found]:
        found = {label for (label,) in self._connection.execute("SELECT label FROM label WHERE parent = ? AND number = ?", (parent, number))}
        wanted = set(attributes.get("lbl") or ())
        if found != wanted:
            statements: list[_Statement] = [("DELETE FROM label WHERE parent = ? AND number = ?", (parent, number))]
            statements += [("INSERT INTO label VALUES (?, ?, ?)", (label, parent, number)) for label in sorted(wanted)]
            yield Finding(path, f"its labels {sorted(wanted)} are indexed as {sorted(found)}"), statements


def _set(table: str, column: str, value: Any, condition: str, *where: int) -> _Statement:
    return f"UPDATE {table} SET {column} = ? WHERE {condition}", (value, *where)
