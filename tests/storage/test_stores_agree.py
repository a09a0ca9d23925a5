"""Every store answers as the memory store does, whatever is done to it, by whatever random sequence of transactions."""

import tempfile
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from cse.record import Record
from cse.storage import Query, Store, Transaction, commit, open_store
from cse.storage.contract import Reader
from tests.storage.contract_base import Undone
from tests.storage.samples import INSTANCES, add, base, notice

LABELS = st.sampled_from([None, ["a"], ["b", "ab"], ["a", "b"]])
TIMES = st.sampled_from(["20270101T000000", "20270102T000000,5", "20280101T000000,000001", "99991231T235959", None])
PLACES = st.integers(0, 40)
DUES = st.sampled_from([None, 1.5, 2.25, 1_750_000_000.125])
OPERATION = st.one_of(
    st.tuples(st.just("add"), st.sampled_from([3, 4, 4, 4, 23, 30]), PLACES, st.booleans(), LABELS, TIMES),
    st.tuples(st.just("replace"), PLACES, LABELS, TIMES, DUES),
    st.tuples(st.just("delete"), PLACES),
    st.tuples(st.just("evict"), PLACES),
    st.tuples(st.just("evict"), PLACES),
    st.tuples(st.just("enqueue"), st.booleans()),
    st.tuples(st.just("drop"), PLACES),
    st.tuples(st.just("remember"), st.sampled_from("kl"), st.sampled_from([None, "1", "2"])),
    st.tuples(st.just("look")),
)
TRANSACTION = st.tuples(st.just("transaction"), st.lists(OPERATION, min_size=1, max_size=8), st.booleans() | st.just(True))
STEPS = st.lists(st.one_of(TRANSACTION, TRANSACTION, st.tuples(st.sampled_from(["commit", "discard", "reopen", "look"]))), max_size=14)


class Twin:
    """One of the two stores. Resources are known by a number, ``tag``, because identifiers differ between stores."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.store = open_store(url, INSTANCES, cache=4)
        self.ri = {0: "id-in"}
        self.sent: dict[int, int] = {}
        self.unsure: set[int] = set()
        """Not committed yet: when the process ends first, their identifiers may be given again."""
        with self.store.transaction() as transaction:
            transaction.insert(replace(base(), attributes={**base().attributes, "tag": 0}))
        commit(self.store)

    def run(self, transaction: Transaction, operation: tuple[Any, ...], tag: int, alive: list[int], queued: list[int]) -> Any:
        """Do one operation; give what can be compared."""
        match operation:
            case "add", ty, place, named, labels, expires:
                parents = [found for one in alive if (found := transaction.get(self.ri[one])) is not None and found.ty in (3, 5)]
                parent = parents[place % len(parents)]
                if parent.ty == 5 and ty in INSTANCES:
                    ty = 3
                generated = f"20260101T00{tag // 60 % 60:02}{tag % 60:02}" if ty == 30 else None
                made = add(transaction, ty, parent, f"n{tag}" if named else None, tag=tag, lbl=labels, et=expires, dgt=generated)
                self.ri[tag] = made.ri
                self.unsure.add(tag)
            case "replace", place, labels, expires, due:
                old = transaction.get(self.ri[alive[place % len(alive)]])
                if old is not None:
                    state = {} if due is None or old.ty in INSTANCES else {"due": due}
                    transaction.replace(replace(old.with_attributes({"lbl": labels, "et": expires, "last": tag}), state=state))
            case "delete", place:
                chosen = alive[place % len(alive)]
                return sorted(tags(transaction.delete(self.ri[chosen]))) if chosen else None
            case "evict", place:
                oldest = transaction.edge(self.ri[alive[place % len(alive)]], 4, False)
                return tags(transaction.delete(oldest.ri)) if oldest else None
            case "enqueue", held:
                self.sent[tag] = transaction.enqueue(notice(f"r{tag}", subscription="s", held=held)).id
            case "drop", place:
                if queued:
                    transaction.drop([self.sent[queued[place % len(queued)]]])
            case "remember", key, value:
                transaction.remember(key, value)
            case _:
                return self.look(transaction, alive)
        return None

    def look(self, reader: Reader, alive: list[int]) -> list[Any]:
        """Ask everything that can be asked."""
        seen: list[Any] = [reader.count(), reader.value("k"), reader.value("l"), tags(reader.expired("20280101T000000", 99))]
        seen += [[one.rqi for one in reader.notices(held=held)] for held in (True, False)]
        for one in [*alive, *(tag for tag in self.ri if tag not in alive)]:
            ri = self.ri[one]
            found = reader.get(ri)
            seen.append((one, comparable(found)))
            seen.append([comparable(child) for child in reader.children(ri)])
            seen += [comparable(reader.edge(ri, ty, newest)) for ty in (4, 30) for newest in (True, False)]
            seen.append(tags(reader.subscriptions(ri)))
            seen.append([comparable(reader.generated(ri, f"20260101T00{minute:02}{second:02}")) for minute in (1, 3, 5) for second in (40, 41, 42)])
            if found is not None:
                assert reader.child(found.pi, found.rn) == found
        seen += [tags(reader.waiting(ty, most)) for ty in (3, 5, 23) for most in (1, 99)]
        for query in (Query("cse-in"), Query("cse-in", labels=frozenset({"a"})), Query("cse-in", types=frozenset({4}), label_prefixes=frozenset({"a"}))):
            seen.append([comparable(found) for found in reader.find(query)])
        seen.append(tags(reader.find(Query("cse-in", depth=2, expires=("20270101T000000", "20280101T000000")))))
        return seen

    def sure(self) -> None:
        """Note that what is there is durable; the ri of what was undone may be given again once the store was closed."""
        self.unsure = {tag for tag in self.unsure if self.store.get(self.ri[tag]) is None}

    def reopen(self) -> None:
        """Close it with what is not committed, and open it again."""
        for tag in self.unsure:
            del self.ri[tag]
        self.unsure.clear()
        if self.url == "memory:":
            self.store.discard()
        else:
            self.store.close()
            self.store = open_store(self.url, INSTANCES, cache=4)


def tags(records: Iterable[Record]) -> list[int]:
    return [found.attributes["tag"] for found in records]


def comparable(found: Record | None) -> Any:
    if found is None:
        return None
    return found.ty, found.path.count("/"), [(name, value) for name, value in found.attributes.items() if name not in ("ri", "pi", "rn")]


def both(twins: tuple[Twin, Twin], operations: list[tuple[Any, ...]], keep: bool, tag: int) -> None:
    """Run a transaction on both and compare what each operation gives."""
    measure: Store = twins[0].store
    transactions = [twin.store.transaction() for twin in twins]
    with suppress(Undone), transactions[0], transactions[1]:
        for number, operation in enumerate(operations):
            top = transactions[0].get("id-in")
            assert top is not None
            alive = [0, *tags(transactions[0].find(Query("cse-in")))]
            queued = [int(one.rqi[1:]) for held in (True, False) for one in transactions[0].notices(held=held)]
            results = [twin.run(writing, operation, tag + number, alive, queued) for twin, writing in zip(twins, transactions, strict=True)]
            assert results[0] == results[1], operation
        if not keep:
            raise Undone
    assert twins[0].store is measure


@pytest.mark.parametrize("scheme", ["sqlite", "tinydb"])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=STEPS)
def test_store_agrees_with_memory(scheme: str, steps: list[tuple[Any, ...]]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        twins = (Twin("memory:"), Twin(f"{scheme}:///{directory}/store"))
        try:
            for number, step in enumerate(steps, 1):
                if step[0] == "transaction":
                    both(twins, step[1], step[2], number * 100)
                elif step[0] == "commit":
                    given = [[one.rqi for one in commit(twin.store)] for twin in twins]
                    for twin in twins:
                        twin.sure()
                    assert given[0] == given[1]
                elif step[0] == "discard":
                    for twin in twins:
                        twin.store.discard()
                elif step[0] == "reopen":
                    for twin in twins:
                        twin.reopen()
                alive = [0, *tags(twins[0].store.find(Query("cse-in")))]
                seen = [twin.look(twin.store, alive) for twin in twins]
                assert seen[0] == seen[1], step
                assert twins[0].store.pending == twins[1].store.pending
        finally:
            twins[1].store.close()
