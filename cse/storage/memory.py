"""The store that keeps nothing: dictionaries, plain enough to be the measure of the others."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Any, Literal

from msgspec.structs import replace

from cse.datatypes import microseconds_of
from cse.primitives import Notice
from cse.record import Record
from cse.storage.contract import SUBSCRIPTION, TIME_SERIES_INSTANCE, Query, Reader, Store, Transaction
from cse.storage.matching import generation, matcher, may_be_generated, moment

Table = Literal["resource", "notice", "value"]
Step = tuple[Table, Any, Any, Any]
"""One change: table, key, what was there, what is there now (None: nothing)."""


class Tree:
    """Resources, outbox and values with their indexes. ``apply`` is the only thing that changes it, and is its own inverse when old and new are swapped.

    Resources are numbered in the order of their creation; the number outlives a ``replace``, so that order does too.
    """

    def __init__(self) -> None:
        self.resources: dict[int, Record] = {}
        self.notices: dict[int, Notice] = {}
        self.values: dict[str, str] = {}
        self.numbers: dict[str, int] = {}
        self.names: dict[tuple[str, str], int] = {}
        self.below: dict[str, dict[int, list[int]]] = {}
        """pi -> type -> numbers, ascending."""
        self.expiry: list[tuple[int, int]] = []
        """(moment of et, number), ascending."""
        self.dues: dict[int, list[tuple[float, int]]] = {}
        """type -> (moment that is waited for, number), ascending."""
        self.generated: dict[tuple[str, int], int] = {}
        """(pi, generation) -> number."""

    def apply(self, table: Table, key: Any, old: Any, new: Any) -> None:
        """Put ``new`` in the place of ``old``."""
        if table == "resource":
            self._apply_resource(key, old, new)
            return
        target: dict[Any, Any] = self.notices if table == "notice" else self.values
        if new is None:
            target.pop(key, None)
        else:
            target[key] = new

    def _apply_resource(self, number: int, old: Record | None, new: Record | None) -> None:
        if old is not None:
            if (due := moment(old.get("et"))) is not None:
                del self.expiry[bisect_left(self.expiry, (due, number))]
            if (wanted := old.state.get("due")) is not None:
                del self.dues[old.ty][bisect_left(self.dues[old.ty], (wanted, number))]
            if old.ty == TIME_SERIES_INSTANCE and (made := generation(old)) is not None:
                self.generated.pop((old.pi, made), None)
            if new is None:
                del self.resources[number], self.numbers[old.ri], self.names[old.pi, old.rn]
                siblings = self.below[old.pi]
                same = siblings[old.ty]
                del same[bisect_left(same, number)]
                if not same:
                    del siblings[old.ty]
                    if not siblings:
                        del self.below[old.pi]
        if new is not None:
            self.resources[number] = new
            if (due := moment(new.get("et"))) is not None:
                insort(self.expiry, (due, number))
            if (wanted := new.state.get("due")) is not None:
                insort(self.dues.setdefault(new.ty, []), (wanted, number))
            if new.ty == TIME_SERIES_INSTANCE and (made := generation(new)) is not None:
                self.generated[new.pi, made] = number
            if old is None:
                self.numbers[new.ri] = self.names[new.pi, new.rn] = number
                insort(self.below.setdefault(new.pi, {}).setdefault(new.ty, []), number)

    def numbers_below(self, pi: str, types: frozenset[int] | None = None) -> list[int]:
        """Give the numbers of the direct children, in order."""
        found = [number for ty, numbers in self.below.get(pi, {}).items() if types is None or ty in types for number in numbers]
        found.sort()
        return found

    def descendants(self, ri: str, depth: int | None = None) -> Iterator[tuple[int, Record]]:
        """Give what is below a resource down to ``depth`` levels with its numbers, parents before their children."""
        level = [ri]
        while level and depth != 0:
            children = [(number, self.resources[number]) for parent in level for number in self.numbers_below(parent)]
            yield from children
            level = [record.ri for _, record in children]
            depth = None if depth is None else depth - 1

    def at(self, path: str) -> Record | None:
        """Give the resource with this structured address."""
        pi, number = "", None
        for rn in path.split("/"):
            number = self.names.get((pi, rn))
            if number is None:
                return None
            pi = self.resources[number].ri
        return None if number is None else self.resources[number]


class TreeReader(Reader):
    """The reading methods over a Tree."""

    _tree: Tree

    def get(self, ri: str) -> Record | None:
        number = self._tree.numbers.get(ri)
        return None if number is None else self._tree.resources[number]

    def child(self, pi: str, rn: str) -> Record | None:
        number = self._tree.names.get((pi, rn))
        return None if number is None else self._tree.resources[number]

    def children(self, pi: str, types: frozenset[int] | None = None) -> Iterator[Record]:
        for number in self._tree.numbers_below(pi, types):
            if (record := self._tree.resources.get(number)) is not None:
                yield record

    def edge(self, pi: str, ty: int, newest: bool) -> Record | None:
        numbers = self._tree.below.get(pi, {}).get(ty)
        return self._tree.resources[numbers[-1 if newest else 0]] if numbers else None

    def generated(self, pi: str, dgt: str) -> Record | None:
        number = self._tree.generated.get((pi, microseconds_of(dgt)))
        return None if number is None else self._tree.resources[number]

    def subscriptions(self, pi: str) -> tuple[Record, ...]:
        return tuple(self._tree.resources[number] for number in self._tree.below.get(pi, {}).get(SUBSCRIPTION, ()))

    def find(self, query: Query) -> Iterator[Record]:
        top, matches = self._tree.at(query.under), matcher(query)
        numbers = () if top is None else sorted(number for number, record in self._tree.descendants(top.ri, query.depth) if matches(record.attributes))
        for number in numbers:
            if (record := self._tree.resources.get(number)) is not None:
                yield record

    def expired(self, now: str, limit: int) -> list[Record]:
        due = moment(now)
        end = 0 if due is None else bisect_right(self._tree.expiry, due, key=lambda entry: entry[0])
        return [self._tree.resources[number] for _, number in self._tree.expiry[: min(end, limit)]]

    def waiting(self, ty: int, limit: int) -> Iterator[Record]:
        for _, number in self._tree.dues.get(ty, [])[:limit]:
            if (record := self._tree.resources.get(number)) is not None:
                yield record

    def notices(self, after: int = 0, limit: int = 1000, *, held: bool = False, subscription: str | None = None, target: str | None = None) -> list[Notice]:
        found = (
            notice
            for key, notice in sorted(self._tree.notices.items())
            if key > after and notice.held == held and subscription in (None, notice.subscription) and target in (None, notice.target)
        )
        return [notice for notice, _ in zip(found, range(limit), strict=False)]

    def value(self, key: str) -> str | None:
        return self._tree.values.get(key)

    def outbox(self) -> tuple[int, float]:
        notices = self._tree.notices
        return len(notices), notices[min(notices)].created if notices else 0.0

    def count(self) -> int:
        return len(self._tree.resources)


class MemoryTransaction(TreeReader, Transaction):
    """Works on the store's newer tree and notes each step, so that it can go back."""

    def __init__(self, store: "MemoryStore", tree: Tree) -> None:
        self._store = store
        self._tree = tree
        self._steps: list[Step] = []

    def _do(self, table: Table, key: Any, old: Any, new: Any) -> None:
        self._tree.apply(table, key, old, new)
        self._steps.append((table, key, old, new))

    def identify(self, prefix: str, pi: str, ty: int) -> str:
        while True:
            ri = f"{prefix}{self._store.number()}"
            if ri not in self._tree.numbers and (pi, ri) not in self._tree.names and ri not in self._store.retired:
                return ri

    def insert(self, record: Record) -> None:
        number = self._store.number()
        if may_be_generated(record.ri, number):
            self._store.retired.add(record.ri)
        self._do("resource", number, None, record)

    def replace(self, record: Record) -> None:
        number = self._tree.numbers[record.ri]
        self._do("resource", number, self._tree.resources[number], record)

    def delete(self, ri: str) -> list[Record]:
        number = self._tree.numbers.get(ri)
        if number is None:
            return []
        gone = [(number, self._tree.resources[number]), *self._tree.descendants(ri)]
        for key, record in reversed(gone):
            self._do("resource", key, record, None)
        return [record for key, record in gone if key == number or record.ty not in self._store.instances]

    def enqueue(self, notice: Notice) -> Notice:
        kept = replace(notice, id=self._store.number())
        self._do("notice", kept.id, None, kept)
        return kept

    def drop(self, ids: Sequence[int]) -> None:
        for key in ids:
            if (notice := self._tree.notices.get(key)) is not None:
                self._do("notice", key, notice, None)

    def remember(self, key: str, value: str | None) -> None:
        self._do("value", key, self._tree.values.get(key), value)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is None:
            self._store.keep(self._steps)
        else:
            for table, key, old, new in reversed(self._steps):
                self._tree.apply(table, key, new, old)


class MemoryStore(TreeReader, Store):
    """Two trees: what is published and, a few steps ahead, what transactions work on."""

    durable = False

    def __init__(self, instances: frozenset[int]) -> None:
        self.instances = instances
        self.retired: set[str] = set()
        """Identifiers of others that this store would come to by counting: it never gives them."""
        self._tree = Tree()
        self._ahead = Tree()
        self._steps: list[Step] = []
        self._number = 0

    def number(self) -> int:
        """Give the next of the numbers that tell the order of resources and notices; none is given twice."""
        self._number += 1
        return self._number

    def keep(self, steps: list[Step]) -> None:
        """Take over what a transaction did."""
        self._steps += steps

    def transaction(self) -> Transaction:
        return MemoryTransaction(self, self._ahead)

    @property
    def pending(self) -> bool:
        return bool(self._steps)

    def flush(self) -> None:
        """Nothing to hand over."""

    def sync(self) -> None:
        """Nothing to wait for."""

    def publish(self) -> list[Notice]:
        steps, self._steps = self._steps, []
        for step in steps:
            self._tree.apply(*step)
        enqueued = (self._tree.notices.get(key) for table, key, old, _ in steps if table == "notice" and old is None)
        return [notice for notice in enqueued if notice is not None and not notice.held]

    def discard(self) -> None:
        steps, self._steps = self._steps, []
        for table, key, old, new in reversed(steps):
            self._ahead.apply(table, key, new, old)

    def everything(self) -> Iterator[Record]:
        return iter([record for _, record in sorted(self._tree.resources.items())])

    def reset(self) -> None:
        self._tree, self._ahead, self._steps = Tree(), Tree(), []

    def close(self) -> None:
        """Forget nothing: there is nothing to release."""
