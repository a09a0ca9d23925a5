"""What is asked of the SQLite store's tables, on one connection."""

import sqlite3
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from heapq import merge
from typing import Any

from cse.primitives import Notice
from cse.record import Record
from cse.storage.contract import SUBSCRIPTION, Query, StoreError
from cse.storage.matching import matcher, moment
from cse.storage.sqlite_rows import INSTANCE, NOTICE, RESOURCE, Codec, Kept, Row, notice_of, resource_of

_PAGE = 256
"""Rows that are fetched at a time while somebody reads on."""

_MOST_PREFIXES = 200
"""SQLite bounds the depth of an expression; a query with more prefixes is narrowed in Python alone."""

Condition = tuple[str, Sequence[Any]]
Bounds = tuple[int | None, int | None]

_TOGETHER = (4, 16, 64)
"""Resources that are fetched together."""

_ALWAYS: Bounds = (None, None)


@contextmanager
def translated() -> Iterator[None]:
    """Turn the driver's errors into StoreError."""
    try:
        yield
    except sqlite3.Error as error:
        raise StoreError(f"the store failed: {error}") from error


class Tables:
    """Reading on one connection. ``cached`` gives the resource with a number where memory has it; ``parent`` asks it for what never changes (path, ri).

    No cursor stays open between calls: an open one would keep the log from being emptied.
    """

    def __init__(self, connection: sqlite3.Connection, codec: Codec, cached: Callable[[int], Kept | None], *, trusting: bool) -> None:
        self._connection = connection
        self._codec = codec
        self._cached = cached
        self._trusting = trusting
        """True when what memory has is as current as the tables on this connection."""

    def rows(self, sql: str, *parameters: Any) -> list[Row]:
        """Give all rows. Raises StoreError."""
        try:
            return self._connection.execute(sql, parameters).fetchall()
        except sqlite3.Error as error:
            raise StoreError(f"the store failed: {error}") from error

    def row(self, sql: str, *parameters: Any) -> Row | None:
        """Give the first row. Raises StoreError."""
        found = self.rows(sql, *parameters)
        return found[0] if found else None

    # ── one resource ──

    def resource(self, ri: str) -> Kept | None:
        """Give the resource with this ri that is no instance."""
        row = self.row(f"SELECT {RESOURCE} FROM resource WHERE ri = ?", ri)
        return resource_of(row) if row else None

    def numbered(self, number: int) -> Kept | None:
        """Give the resource with this number that is no instance."""
        if self._trusting and (found := self._cached(number)) is not None:
            return found
        row = self.row(f"SELECT {RESOURCE} FROM resource WHERE number = ?", number)
        return resource_of(row) if row else None

    def parent(self, number: int) -> Record | None:
        """Give a container for its ri and path."""
        found = self._cached(number) or self.numbered(number)
        return found[0] if found else None

    def instance(self, ri: str, foreign: bool) -> Kept | None:
        """Give the instance with this ri, which may be one from elsewhere when ``foreign``."""
        place = self._codec.parse(ri)
        found = self.placed(*place) if place else None
        if found is not None and found[0].ri == ri:
            return found
        row = self.row(f"SELECT {INSTANCE} FROM instance WHERE ri = ?", ri) if foreign else None
        return self._decoded(row)

    def placed(self, parent: int, number: int) -> Kept | None:
        """Give the instance at this place."""
        return self._decoded(self.row(f"SELECT {INSTANCE} FROM instance WHERE parent = ? AND number = ?", parent, number))

    def named(self, parent: int, rn: str) -> Kept | None:
        """Give the child with a name that is not an instance's ri."""
        row = self.row(f"SELECT {RESOURCE} FROM resource WHERE parent = ? AND rn = ?", parent, rn)
        if row:
            return resource_of(row)
        return self._decoded(self.row(f"SELECT {INSTANCE} FROM instance WHERE parent = ? AND rn = ?", parent, rn))

    def _decoded(self, row: Row | None) -> Kept | None:
        parent = self.parent(row[1]) if row else None
        return self._codec.decode(row, parent) if row and parent else None

    # ── several ──

    def subscriptions(self, parent: int) -> list[Kept]:
        """Give the subscriptions below a resource."""
        return [resource_of(row) for row in self.rows(f"SELECT {RESOURCE} FROM resource WHERE parent = ? AND ty = ? ORDER BY number", parent, SUBSCRIPTION)]

    def edge(self, parent: int, ty: int, newest: bool) -> Kept | None:
        """Give the newest or the oldest instance."""
        order = "DESC" if newest else "ASC"
        return self._decoded(self.row(f"SELECT {INSTANCE} FROM instance WHERE parent = ? AND ty = ? ORDER BY number {order} LIMIT 1", parent, ty))

    def generated(self, parent: int, microseconds: int) -> Kept | None:
        """Give the timeSeriesInstance that was generated at a moment."""
        # Left to itself the planner takes the primary key and reads all instances of the parent.
        sql = f"SELECT {INSTANCE} FROM instance INDEXED BY instance_generated WHERE parent = ? AND generated = ?"
        return self._decoded(self.row(sql, parent, microseconds))

    def oldest(self, parent: int, ty: int, after: int, limit: int) -> list[Kept]:
        """Give the oldest instances with a number above ``after``."""
        container = self.parent(parent)
        sql = f"SELECT {INSTANCE} FROM instance WHERE parent = ? AND ty = ? AND number > ? ORDER BY number LIMIT ?"
        return [self._codec.decode(row, container) for row in self.rows(sql, parent, ty, after, limit)] if container else []

    def children(self, parent: int, types: frozenset[int] | None) -> Iterator[Kept]:
        """Give the children in order, fetched as they are read."""
        resources = self._packed("SELECT 0, number FROM resource WHERE parent = ?", [parent], types)
        return self._merged(self._listed(*resources), self._paged(parent, types))

    def descendants(self, path: str) -> list[Kept]:
        """Give what is below a path and no instance, parents first."""
        return [resource_of(row) for row in self.rows(f"SELECT {RESOURCE} FROM resource WHERE path > ? AND path < ? ORDER BY number", path + "/", path + "0")]

    def expired(self, now: int, limit: int) -> list[Record]:
        """Give what expires before or at this moment, the earliest first."""
        resources = self.rows("SELECT et, number, 0 FROM resource WHERE et <= ? ORDER BY et, number LIMIT ?", now, limit)
        instances = self.rows("SELECT et, number, parent FROM instance WHERE et <= ? ORDER BY et LIMIT ?", now, limit)
        found = (self.placed(parent, number) if parent else self.numbered(number) for _, number, parent in sorted(resources + instances)[:limit])
        return [kept[0] for kept in found if kept]

    def waiting(self, ty: int, limit: int) -> Iterator[Kept]:
        """Give what waits for a moment, the earliest first."""
        rows = self.rows("SELECT number FROM resource WHERE ty = ? AND due IS NOT NULL ORDER BY due, number LIMIT ?", ty, limit)
        return (found for (number,) in rows if (found := self.numbered(number)) is not None)

    def notices(self, after: int, limit: int, held: bool, subscription: str | None, target: str | None) -> list[Notice]:
        """Give entries of the outbox in order."""
        conditions, parameters = "id > ? AND held = ?", [after, held]
        for column, value in (("subscription", subscription), ("target", target)):
            if value is not None:
                conditions += f" AND {column} = ?"
                parameters.append(value)  # type: ignore[arg-type]
        return [notice_of(row) for row in self.rows(f"SELECT {NOTICE} FROM notice WHERE {conditions} ORDER BY id LIMIT ?", *parameters, limit)]

    def outbox(self) -> tuple[int, float]:
        """Give the number of outbox entries and when the first was created."""
        first = self.row(f"SELECT {NOTICE} FROM notice ORDER BY id LIMIT 1")
        return (self.rows("SELECT count(*) FROM notice")[0][0], notice_of(first).created) if first else (0, 0.0)

    def value(self, key: str) -> str | None:
        """Give a remembered value."""
        found = self.row("SELECT value FROM value WHERE key = ?", key)
        return found[0] if found else None

    def count(self) -> int:
        """Give the number of resources and instances."""
        return sum(number for (number,) in self.rows("SELECT count(*) FROM resource UNION ALL SELECT count(*) FROM instance"))

    def everything(self) -> Iterator[Record]:
        """Give every resource, each followed by the instances below it."""
        for record, number, *_ in self._listed(*self._packed("SELECT 0, number FROM resource WHERE 1", (), None)):
            yield record
            yield from (kept[0] for kept in self._paged(number, None))

    def find(self, query: Query) -> Iterator[Record]:
        """Give what matches, exactly, in order of creation."""
        matches = matcher(query)
        parts = []
        for select in (_resources(query, self._codec.instances), _instances(query, self._codec.instances)):
            if select is not None:
                parts.append(self._listed(*self._packed(*select, None)))
        return (kept[0] for kept in self._merged(*parts) if matches(kept[0].attributes))

    # ── many, a few at a time ──

    def _packed(self, sql: str, parameters: Sequence[Any], types: frozenset[int] | None) -> tuple["array[int]", "array[int]"]:
        """Give (parents, numbers) of what a statement selects, in order: 16 bytes each, however many they are."""
        parents, numbers = array("q"), array("q")
        if types is not None:
            sql += f" AND ty IN ({_marks(types)})"
            parameters = [*parameters, *types]
        with translated():
            for parent, number in self._connection.execute(sql + " ORDER BY number", parameters):
                parents.append(parent)
                numbers.append(number)
        return parents, numbers

    def _listed(self, parents: "array[int]", numbers: "array[int]") -> Iterator[Kept]:
        """Give what is at these places; resources are fetched some at a time, at first few, since often nobody wants more."""
        start, room = 0, _TOGETHER[0]
        while start < len(numbers):
            some = list(zip(parents[start : start + room], numbers[start : start + room], strict=True))
            resources = self._several([number for parent, number in some if not parent])
            for parent, number in some:
                found = self.placed(parent, number) if parent else resources.get(number)
                if found is not None:
                    yield found
            start, room = start + room, min(4 * room, _TOGETHER[-1])

    def _several(self, numbers: list[int]) -> dict[int, Kept]:
        """Give the resources with these numbers, at most as many as are fetched together."""
        known = {number: found for number in numbers if (found := self._cached(number)) is not None} if self._trusting else {}
        missing = [number for number in numbers if number not in known]
        if missing:
            size = next(size for size in _TOGETHER if size >= len(missing))
            filled = missing + missing[-1:] * (size - len(missing))  # few statements, so that they stay compiled
            for row in self.rows(f"SELECT {RESOURCE} FROM resource WHERE number IN ({','.join('?' * size)})", *filled):
                known[row[0]] = resource_of(row)
        return known

    def _paged(self, parent: int, types: frozenset[int] | None) -> Iterator[Kept]:
        wanted = self._codec.instances if types is None else self._codec.instances & types
        container = self.parent(parent) if wanted else None
        after = 0
        sql = f"SELECT {INSTANCE} FROM instance WHERE parent = ? AND number > ? AND ty IN ({_marks(wanted)}) ORDER BY number LIMIT {_PAGE}"
        while container is not None:
            rows = self.rows(sql, parent, after, *wanted)
            for row in rows:
                yield self._codec.decode(row, container)
            if len(rows) < _PAGE:
                return
            after = rows[-1][0]

    @staticmethod
    def _merged(*parts: Iterator[Kept]) -> Iterator[Kept]:
        return merge(*parts, key=lambda kept: kept[1])


def _marks(values: frozenset[Any]) -> str:
    return ",".join("?" * len(values))


def _joined(conditions: list[Condition]) -> Condition:
    return " AND ".join(text for text, _ in conditions) or "1", [value for _, values in conditions for value in values]


def _range(column: str, low: int | None, high: int | None) -> list[Condition]:
    """Bound a column on both sides, ends included: texts tell apart what is one moment (``T12`` and ``T12,0``), so the narrowing gives a little more."""
    return [(f"{column} {sign} ?", [end]) for sign, end in ((">=", low), ("<=", high)) if end is not None]


def _labelled(query: Query) -> Condition | None:
    """Give the condition on label l; None when labels are not asked for or the answer is too large an expression."""
    if query.labels is not None:
        return f"l.label IN ({_marks(query.labels)})", list(query.labels)
    if query.label_prefixes is None or len(query.label_prefixes) > _MOST_PREFIXES:
        return None
    texts, values = [], []
    for prefix in query.label_prefixes:
        end = _after(prefix)
        texts.append("l.label >= ?" if end is None else "(l.label >= ? AND l.label < ?)")
        values += [prefix] if end is None else [prefix, end]
    return f"({' OR '.join(texts) or '0'})", values


def _free(query: Query) -> str:
    """Give the sign that keeps the planner from searching labels by their owner: between prefixes it would take all labels there are."""
    return "+" if query.labels is None else ""


def _after(prefix: str) -> str | None:
    """Give the least text above every text with this prefix, None when there is none."""
    stem = prefix.rstrip("\U0010ffff")
    if not stem:
        return None
    following = ord(stem[-1]) + 1
    return stem[:-1] + chr(0xE000 if following == 0xD800 else following)


def _level(query: Query, more: int) -> list[Condition]:
    if query.depth is None:
        return []
    return [("length(r.path) - length(replace(r.path, '/', '')) <= ?", [query.under.count("/") + query.depth + more])]


def _times(query: Query) -> dict[str, Bounds]:
    members = {"ct": query.created, "lt": query.modified, "et": query.expires}
    return {name: (moment(low), moment(high)) for name, (low, high) in members.items() if low is not None or high is not None}


def _resources(query: Query, instances: frozenset[int]) -> tuple[str, Sequence[Any]] | None:
    """Give the statement that selects the resources to look at, driven by the index that should have the fewest."""
    types = None if query.types is None else query.types - instances
    if types is not None and not types:
        return None
    conditions: list[Condition] = [("r.path > ? AND r.path < ?", [query.under + "/", query.under + "0"]), *_level(query, 0)]
    times = _times(query)
    conditions += [condition for column, bounds in times.items() for condition in _range(f"r.{column}", *bounds)]
    if types is not None:
        conditions.append((f"r.ty IN ({_marks(types)})", list(types)))
    conditions += [("r.rn = ?", [value]) for name, value in query.equals if name == "rn"]
    labels = _labelled(query)
    if labels is not None:
        text, values = _joined([labels, (f"{_free(query)}l.parent = 0", []), *conditions])
        return f"SELECT DISTINCT 0, r.number AS number FROM label l CROSS JOIN resource r ON r.number = l.number WHERE {text}", values
    index = "type" if types is not None else _timely(query, times) or "path"
    text, values = _joined(conditions)
    return f"SELECT 0, r.number AS number FROM resource r INDEXED BY resource_{index} WHERE {text}", values


def _timely(query: Query, times: dict[str, Bounds]) -> str | None:
    """Give a time that drives the search, when the whole tree is searched: a part of it is narrow enough by its path."""
    return next((column for column, bounds in times.items() if bounds != _ALWAYS), None) if "/" not in query.under else None


def _instances(query: Query, instances: frozenset[int]) -> tuple[str, Sequence[Any]] | None:
    """Give the statement that selects the instances to look at; r is their container."""
    types = instances if query.types is None else query.types & instances
    if not types or (query.depth is not None and query.depth < 1):
        return None
    conditions: list[Condition] = [("(r.path = ? OR (r.path > ? AND r.path < ?))", [query.under, query.under + "/", query.under + "0"]), *_level(query, -1)]
    times = _times(query)
    conditions += [condition for column in ("ct", "et") for condition in _range(f"i.{column}", *times.get(column, _ALWAYS))]
    if times.get("lt", _ALWAYS) != _ALWAYS:
        # lt has a value only where it is not ct.
        (first, values), (second, _) = (_joined(_range(f"i.{column}", *times["lt"])) for column in ("ct", "lt"))
        conditions.append((f"(({first}) OR ({second}))", [*values, *values]))
    conditions.append((f"i.ty IN ({_marks(types)})", list(types)))
    labels = _labelled(query)
    if labels is not None:
        text, values = _joined([labels, (f"{_free(query)}l.parent > 0", []), *conditions])
        source = "label l CROSS JOIN instance i ON i.parent = l.parent AND i.number = l.number CROSS JOIN resource r ON r.number = i.parent"
        return f"SELECT DISTINCT i.parent, i.number AS number FROM {source} WHERE {text}", values
    text, values = _joined(conditions)
    if _timely(query, times):
        source = "instance i CROSS JOIN resource r ON r.number = i.parent"
    else:
        source = "resource r CROSS JOIN instance i ON i.parent = r.number"
    return f"SELECT i.parent, i.number AS number FROM {source} WHERE {text}", values
