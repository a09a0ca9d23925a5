"""What is written is read back: exactly, in order, by every way of asking."""

from typing import Any

import pytest
from msgspec.structs import replace

from cse.record import Record
from cse.storage import Query, Store, commit
from tests.storage.contract_base import Contract, ids, names, undone
from tests.storage.samples import add, base, notice, planted, record


class ReadingContract(Contract):
    """The reading half of the contract."""

    def test_empty(self, store: Store) -> None:
        assert store.count() == 0
        assert not store.pending
        assert store.get("id-in") is None
        assert store.child("", "cse-in") is None
        assert list(store.children("nobody")) == []
        assert list(store.find(Query("cse-in"))) == []
        assert store.edge("nobody", 4, True) is None
        assert store.subscriptions("nobody") == ()
        assert store.expired("20990101T000000", 10) == []
        assert store.notices() == []
        assert store.value("identity") is None
        assert commit(store) == []

    def test_resource_is_given_back_exactly(self, store: Store) -> None:
        top, container = planted(store)
        state = {"deep": [{"a": [1, 2.5, None, True, "x"]}], "n": 2**53 + 1}
        attributes: dict[str, Any] = {"zz": 1, "aa": 2, "ratio": 0.1 + 0.2, "tiny": 5e-324, "minus": -0.0, "max": 2**63 - 1, "min": -(2**63)}
        attributes |= {"text": 'quote " back \\ nul \u0000 ü € 😀', "empty": "", "none": [], "nested": {"b": {}, "a": [None]}, "lbl": ["k:v", "ü"]}
        with store.transaction() as transaction:
            made = add(transaction, 9, top, "grp", state=state, originator="/id-mn/Cx", **attributes)
            assert transaction.get(made.ri) == made
        commit(store)
        for found in (store.get(made.ri), store.child(top.ri, "grp"), next(store.children(top.ri, frozenset({9})))):
            assert found == made
            assert list(found.attributes) == list(made.attributes)
            assert str(found.attributes["minus"]) == "-0.0"
        assert store.get(container.ri) == container
        assert store.child("", "cse-in") == top

    @pytest.mark.parametrize(
        "attributes",
        [
            {"cs": 100, "con": "x" * 100, "st": 1, "cnf": "text/plain:0"},
            {"con": 0.1, "cr": "Cme", "lbl": ["a", "b"], "et": "20270101T000000"},
            {"et": "20270101T000000,123456", "ct": "20260101T120000,000001", "lt": "20260101T120000,000001"},
            {"et": "20270101T000000,5", "ct": "20260101T120000,1", "lt": "20260101T120000,25"},
            {"et": None, "con": {"deep": [1, None]}, "state": {"left": 3}, "originator": ""},
            {"ct": None, "lt": None, "et": "never", "con": ""},
            {"ri": "other", "rn": "other", "pi": "other", "ty": 99, "con": "attributes that disagree are nobody's business here"},
        ],
    )
    @pytest.mark.parametrize("rn", [None, "reading", "a-1"])
    @pytest.mark.parametrize("ty", [4, 58])
    def test_instance_is_given_back_exactly(self, store: Store, attributes: dict[str, Any], rn: str | None, ty: int) -> None:
        _, container = planted(store)
        with store.transaction() as transaction:
            ri = transaction.identify("cin" if ty == 4 else "fci", container.ri, ty)
            template = record(ty, ri, container, rn)
            shuffled = {**attributes, **{name: value for name, value in template.attributes.items() if name not in attributes}}
            state, originator = shuffled.pop("state", {}), shuffled.pop("originator", "Cme")
            made = replace(template, attributes={n: v for n, v in shuffled.items() if v is not None}, state=state, originator=originator)
            transaction.insert(made)
            assert transaction.get(made.ri) == made
        commit(store)
        for found in (store.get(ri), store.child(container.ri, made.rn), store.edge(container.ri, ty, True), *store.children(container.ri)):
            assert found == made
            assert list(found.attributes) == list(made.attributes)

    def test_instance_with_a_foreign_identifier(self, store: Store) -> None:
        _, container = planted(store)
        with store.transaction() as transaction:
            first = add(transaction, 4, container)
            foreign = record(4, "reading-7", container, "seven")
            transaction.insert(foreign)
            last = add(transaction, 4, container)
        commit(store)
        assert store.get("reading-7") == foreign
        assert store.child(container.ri, "seven") == foreign
        assert list(store.children(container.ri)) == [first, foreign, last]
        with store.transaction() as transaction:
            assert transaction.delete("reading-7") == [foreign]
        commit(store)
        assert store.get("reading-7") is None
        assert ids(store.children(container.ri)) == [first.ri, last.ri]

    def test_replace(self, store: Store) -> None:
        _, container = planted(store)
        with store.transaction() as transaction:
            instance = add(transaction, 4, container, con="a", dcnt=3, lbl=["old"])
        commit(store)
        with store.transaction() as transaction:
            for number in range(1, 4):
                container = container.with_attributes({"cni": number, "lbl": [f"n{number}"], "et": f"2030010{number}T000000"})
                transaction.replace(container)
            counted = replace(instance.with_attributes({"dcnt": 2, "lbl": ["new"], "lt": "20260202T000000"}), state={"reads": 1})
            transaction.replace(counted)
            assert transaction.get(container.ri) == container
            assert transaction.get(instance.ri) == counted
            assert transaction.edge(container.ri, 4, False) == counted
            assert store.get(instance.ri) == instance
        commit(store)
        assert store.get(container.ri) == container
        assert store.get(instance.ri) == counted
        assert store.child(container.pi, container.rn) == container
        assert store.edge(container.ri, 4, False) == counted
        assert list(store.find(Query("cse-in", labels=frozenset({"n1", "n2", "n3", "old"})))) == [container]
        assert list(store.find(Query("cse-in", labels=frozenset({"new"})))) == [counted]
        assert store.expired("20300103T000000", 5) == [container]
        assert store.count() == 3

    def test_children_in_order_of_creation(self, store: Store) -> None:
        _, container = planted(store)
        made: list[Record] = []
        for ty in (4, 3, 4, 23, 4, 3, 30, 4):
            with store.transaction() as transaction:
                made.append(add(transaction, ty, container, f"z{9 - len(made)}" if ty == 3 else None))
                assert list(transaction.children(container.ri)) == made
            if len(made) % 3 == 0:
                commit(store)
        commit(store)
        with store.transaction() as transaction:
            made[1] = made[1].with_attributes({"lbl": ["changed"]})
            transaction.replace(made[1])
        commit(store)
        assert list(store.children(container.ri)) == made
        assert list(store.children(container.ri, frozenset({3, 23}))) == [made[1], made[3], made[5]]
        assert list(store.children(container.ri, frozenset({4}))) == [made[0], made[2], made[4], made[7]]
        assert list(store.children(container.ri, frozenset({4, 3, 30}))) == [one for one in made if one.ty != 23]
        assert list(store.children(container.ri, frozenset())) == []

    def test_many_children_while_they_change(self, store: Store) -> None:
        _, container = planted(store)
        with store.transaction() as transaction:
            made = [add(transaction, 4, container, con=str(number)) for number in range(1500)]
        commit(store)
        reading = store.children(container.ri)
        first = [next(reading) for _ in range(3)]
        with store.transaction() as transaction:
            transaction.delete(made[1499].ri)
        commit(store)
        rest = list(reading)
        assert first + rest[:1496] == made[:1499]
        assert store.count() == 1501

    def test_edges(self, store: Store) -> None:
        _, container = planted(store)
        with store.transaction() as transaction:
            assert transaction.edge(container.ri, 4, True) is None
            made = [add(transaction, 4, container) for _ in range(3)]
            other = add(transaction, 30, container)
            assert transaction.edge(container.ri, 4, False) == made[0]
            assert transaction.edge(container.ri, 4, True) == made[2]
            assert transaction.edge(container.ri, 30, True) == other
            assert store.edge(container.ri, 4, True) is None
        commit(store)
        assert store.edge(container.ri, 4, False) == made[0]
        assert store.edge(container.ri, 4, True) == made[2]
        with store.transaction() as transaction:
            transaction.delete(made[2].ri)
            assert transaction.edge(container.ri, 4, True) == made[1]
            assert store.edge(container.ri, 4, True) == made[2]
        commit(store)
        assert store.edge(container.ri, 4, True) == made[1]
        assert store.edge(container.ri, 30, False) == other
        assert store.edge(container.ri, 58, False) is None

    @pytest.mark.parametrize("limit", [1, 3, 20])
    def test_full_container_pushes_out_the_oldest(self, store: Store, limit: int) -> None:
        _, container = planted(store)
        made: list[str] = []
        gone: list[str] = []
        for number in range(70):
            with store.transaction() as transaction:
                made.append(add(transaction, 4, container, lbl=[f"n{number}"]).ri)
                if len(made) - len(gone) > limit:
                    oldest = transaction.edge(container.ri, 4, False)
                    assert oldest is not None
                    assert transaction.delete(oldest.ri) == [oldest]
                    gone.append(oldest.ri)
                newest = transaction.edge(container.ri, 4, True)
                assert newest is not None
                assert newest.ri == made[-1]
            if number % 7 == 6:
                commit(store)
            if number % 11 == 10:
                with undone(store) as transaction:
                    while oldest := transaction.edge(container.ri, 4, False):
                        transaction.delete(oldest.ri)
        commit(store)
        assert gone == made[: 70 - limit]
        assert ids(store.children(container.ri)) == made[70 - limit :]
        assert store.count() == 2 + limit
        assert len(list(store.find(Query("cse-in", label_prefixes=frozenset({"n"}))))) == limit

    @pytest.fixture
    def garden(self, store: Store) -> Store:
        with store.transaction() as transaction:
            top = base()
            transaction.insert(top)
            a = add(transaction, 3, top, "a", lbl=["room:1", "warm"], ct="20260101T000000", lt="20260110T000000")
            b = add(transaction, 3, a, "b", lbl=["room:2"], ct="20260102T000000", lt="20260102T000000", et="20270101T000000")
            add(transaction, 4, a, "i1", cs=10, lbl=["warm"], con="x", ct="20260103T000000", lt="20260103T000000")
            add(transaction, 4, b, "i2", cs=20, con="y", ct="20260104T000000", lt="20260104T000000", et="20270101T000000")
            add(transaction, 23, b, "s", ct="20260105T000000", lt="20260111T000000")
            ab = add(transaction, 3, top, "a%", lbl=["cold_", "room:1"], ct="20260106T000000", lt="20260106T000000")
            add(transaction, 4, ab, "i3", cs=30, lbl=["cold", "warm"], con="x", cnf="text/plain:0", ct="20260107T000000", lt="20260107T000000")
            add(transaction, 3, ab, "b", ct="20260108T000000", lt="20260108T000000", et=None)
            late = add(transaction, 4, b, "i4", cs=40, con="z", ct="20260109T000000", lt="20260109T000000", dcnt=1)
        commit(store)
        with store.transaction() as transaction:
            transaction.replace(late.with_attributes({"dcnt": 0, "lt": "20260112T000000"}))
        commit(store)
        return store

    @pytest.mark.parametrize(
        ("members", "expected"),
        [
            ({}, "a b i1 i2 s a% i3 b i4"),
            ({"under": "cse-in/a"}, "b i1 i2 s i4"),
            ({"under": "cse-in/a/b"}, "i2 s i4"),
            ({"under": "cse-in/a%"}, "i3 b"),
            ({"under": "cse-in/a/b/i2"}, ""),
            ({"under": "cse-in/none"}, ""),
            ({"depth": 1}, "a a%"),
            ({"depth": 2}, "a b i1 a% i3 b"),
            ({"under": "cse-in/a", "depth": 1}, "b i1"),
            ({"depth": 0}, ""),
            ({"types": {4}}, "i1 i2 i3 i4"),
            ({"types": {3}}, "a b a% b"),
            ({"types": {4, 23}}, "i1 i2 s i3 i4"),
            ({"types": {3}, "under": "cse-in/a"}, "b"),
            ({"types": {3}, "depth": 1}, "a a%"),
            ({"types": {99}}, ""),
            ({"types": set()}, ""),
            ({"labels": {"warm"}}, "a i1 i3"),
            ({"labels": {"warm"}, "under": "cse-in/a"}, "i1"),
            ({"labels": {"warm"}, "under": "cse-in/a%"}, "i3"),
            ({"labels": {"warm"}, "types": {3}}, "a"),
            ({"labels": {"warm"}, "depth": 1}, "a"),
            ({"labels": {"warm", "room:2", "absent"}}, "a b i1 i3"),
            ({"labels": {"cold"}}, "i3"),
            ({"labels": set()}, ""),
            ({"label_prefixes": {"room:"}}, "a b a%"),
            ({"label_prefixes": {"cold_"}}, "a%"),
            ({"label_prefixes": {"w", "cold"}}, "a i1 a% i3"),
            ({"labels": {"warm"}, "label_prefixes": {"room"}}, "a"),
            ({"label_prefixes": {""}}, "a b i1 a% i3"),
            ({"equals": (("rn", "b"),)}, "b b"),
            ({"equals": (("rn", "b"),), "under": "cse-in/a"}, "b"),
            ({"equals": (("con", "x"),)}, "i1 i3"),
            ({"equals": (("con", "x"), ("cnf", "text/plain:0"))}, "i3"),
            ({"created": ("20260103T000000", "20260107T000000")}, "i1 i2 s a%"),
            ({"created": ("20260107T000000", None)}, "i3 b i4"),
            ({"created": (None, "20260103T000000"), "types": {3}}, "a b"),
            ({"created": (None, "20260105T000000"), "types": {4}}, "i1 i2"),
            ({"modified": ("20260109T000000", None)}, "a s i4"),
            ({"modified": (None, "20260104T000000")}, "b i1"),
            ({"modified": ("20260112T000000", "20260113T000000"), "types": {4}}, "i4"),
            ({"expires": (None, "20280101T000000")}, "b i2"),
            ({"expires": ("20280101T000000", None), "types": {3}}, "a a%"),
            ({"size": (20, 40)}, "i2 i3"),
            ({"size": (None, 20)}, "i1"),
            ({"size": (30, None), "labels": {"warm"}}, "i3"),
        ],
    )
    def test_find(self, garden: Store, members: dict[str, Any], expected: str) -> None:
        sets: dict[str, Any] = {name: frozenset(value) if isinstance(value, set) else value for name, value in members.items()}
        query = Query(**{"under": "cse-in", **sets})
        found = list(garden.find(query))
        top = garden.get("id-in")
        assert top is not None
        exact = names(found)
        assert [name for name in exact if name in expected.split()] == expected.split()
        # A store may give more than what matches, but only by members that it need not have indexed.
        if not {"equals", "created", "modified", "expires", "size"} & set(members):
            assert exact == expected.split()
        with garden.transaction() as transaction:
            assert list(transaction.find(query)) == found

    def test_find_while_the_tree_changes(self, store: Store) -> None:
        top, container = planted(store)
        with store.transaction() as transaction:
            made = [add(transaction, ty, container) for ty in (3, 4) * 400]
        commit(store)
        reading = store.find(Query("cse-in/cnt"))
        first = next(reading)
        with store.transaction() as transaction:
            transaction.delete(made[-1].ri)
            transaction.delete(made[-2].ri)
        commit(store)
        assert [first, *reading][:798] == made[:798]
        assert list(store.find(Query("cse-in/cnt"))) == made[:798]
        assert top.ri == "id-in"

    def test_expired(self, store: Store) -> None:
        _, container = planted(store)
        times = ["20260105T000000", "20260103T000000", "20260103T000000,5", "20260104T235959,999999", "20260103T000000,1", "20270101T000000"]
        with store.transaction() as transaction:
            made = [add(transaction, 4 if number % 2 else 3, container, f"n{number}", et=et) for number, et in enumerate(times)]
            assert names(transaction.expired("20260103T000000,5", 9)) == ["n1", "n4", "n2"]
            assert store.expired("20260103T000000,5", 9) == []
        commit(store)
        assert names(store.expired("20260105T000000", 9)) == ["n1", "n4", "n2", "n3", "n0"]
        assert names(store.expired("20260105T000000", 2)) == ["n1", "n4"]
        assert names(store.expired("20260104T235959", 9)) == ["n1", "n4", "n2"]
        assert store.expired("20260102T235959,999999", 9) == []
        assert store.expired("20260105T000000", 0) == []
        with store.transaction() as transaction:
            transaction.replace(made[1].with_attributes({"et": None}))
            transaction.replace(made[4].with_attributes({"et": "20280101T000000"}))
        commit(store)
        assert names(store.expired("20260105T000000", 9)) == ["n2", "n3", "n0"]

    def test_generated(self, store: Store) -> None:
        """A timeSeriesInstance is found by its dataGenerationTime, whatever decimals it is written with."""
        top, container = planted(store)
        with store.transaction() as transaction:
            other = add(transaction, 3, top, "other")
            made = [add(transaction, 30, container, dgt=f"20260101T00000{second}", con=second) for second in range(5)]
            exact = add(transaction, 30, container, dgt="20260101T000000,000001")
            late = add(transaction, 30, container, dgt="99991231T235959,999999")
            add(transaction, 30, other, dgt="20260101T000000,5")
            add(transaction, 4, container, dgt="20260102T000000")
            add(transaction, 30, container, dgt="never")
            assert transaction.generated(container.ri, "20260101T000003,0") == made[3]
            assert store.generated(container.ri, "20260101T000003") is None
        commit(store)
        with undone(store) as transaction:
            add(transaction, 30, container, dgt="20260103T000000")
            transaction.delete(made[1].ri)
            assert transaction.generated(container.ri, made[1].attributes["dgt"]) is None
            assert transaction.generated(container.ri, "20260103T000000") is not None
        with store.transaction() as transaction:
            assert transaction.generated(container.ri, "20260103T000000") is None
            assert transaction.generated(container.ri, "20260101T000001,000000") == made[1]
            transaction.delete(made[2].ri)
            again = add(transaction, 30, container, dgt=made[2].attributes["dgt"])
            changed = made[4].with_attributes({"lbl": ["l"]})
            transaction.replace(changed)
            transaction.delete(other.ri)
            assert transaction.generated(container.ri, "20260101T000002") == again
            assert transaction.generated(other.ri, "20260101T000000,5") is None
        commit(store)
        moments = ("20260101T000000", "20260101T000000,000001", "20260101T000002", "20260101T000004")
        assert [store.generated(container.ri, moment) for moment in moments] == [made[0], exact, again, changed]
        assert store.generated(container.ri, "99991231T235959,999999") == late
        assert store.generated(container.ri, "99991231T235959") is None
        assert store.generated(container.ri, "20260102T000000") is None, "that of a contentInstance tells nothing apart"
        assert store.generated(other.ri, "20260101T000000,5") is None
        assert store.generated("nobody", "20260101T000000") is None

    def test_waiting(self, store: Store) -> None:
        top, container = planted(store)
        moments = [5.5, 2.25, None, 1_750_000_000.125, 2.5, 0.0]
        with store.transaction() as transaction:
            made = [add(transaction, 3, top, f"n{number}", state={} if due is None else {"due": due}) for number, due in enumerate(moments)]
            add(transaction, 9, top, "group", state={"due": 1.0})
            assert names(transaction.waiting(3, 9)) == ["n5", "n1", "n4", "n0", "n3"]
            assert list(store.waiting(3, 9)) == []
        commit(store)
        assert list(store.waiting(3, 9)) == [made[5], made[1], made[4], made[0], made[3]]
        assert list(store.waiting(3, 2)) == [made[5], made[1]]
        assert names(store.waiting(9, 9)) == ["group"]
        assert list(store.waiting(23, 9)) == []
        with undone(store) as transaction:
            transaction.replace(replace(made[3], state={"due": 1.0}))
            assert names(transaction.waiting(3, 2)) == ["n5", "n3"]
        with store.transaction() as transaction:
            transaction.replace(replace(made[5], state={"left": 1}))
            transaction.replace(replace(made[2], state={"due": 3}))
            transaction.delete(made[1].ri)
            assert names(transaction.waiting(3, 9)) == ["n4", "n2", "n0", "n3"]
            assert names(store.waiting(3, 1)) == ["n5"]
        commit(store)
        assert names(store.waiting(3, 9)) == ["n4", "n2", "n0", "n3"]
        assert container.rn == "cnt"

    def test_outbox_order(self, store: Store) -> None:
        with store.transaction() as transaction:
            one = transaction.enqueue(notice("r1", subscription="s1", ec=2, created=1.25, due=0.1))
            two = transaction.enqueue(notice("r2", target="Cother", subscription="s2"))
        with store.transaction() as transaction:
            three = transaction.enqueue(notice("r3", subscription="s1"))
            assert transaction.notices() == [one, two, three]
        assert one == replace(notice("r1", subscription="s1", ec=2, created=1.25, due=0.1), id=one.id)
        assert 0 < one.id < two.id < three.id
        assert store.notices() == []
        assert commit(store) == [one, two, three]
        assert commit(store) == []
        assert store.notices() == [one, two, three]
        assert store.notices(after=one.id) == [two, three]
        assert store.notices(after=one.id, limit=1) == [two]
        assert store.notices(limit=0) == []
        assert store.notices(target="Cother") == [two]
        assert store.notices(subscription="s1") == [one, three]
        assert store.notices(subscription="s1", target="Cother") == []

    def test_outbox_hold_and_drop(self, store: Store) -> None:
        with store.transaction() as transaction:
            held = [transaction.enqueue(notice(f"h{number}", subscription=f"s{number % 2}", held=True, due=5.0)) for number in range(4)]
            free = transaction.enqueue(notice("f", subscription="s0"))
            brief = transaction.enqueue(notice("b"))
            transaction.drop([brief.id])
        with store.transaction() as transaction:
            assert transaction.notices(held=True, subscription="s0") == [held[0], held[2]]
            transaction.drop([held[0].id, held[2].id])
            batch = transaction.enqueue(notice("batch", subscription="s0"))
            assert transaction.notices(held=True) == [held[1], held[3]]
        assert commit(store) == [free, batch]
        assert store.notices(held=True) == [held[1], held[3]]
        assert store.notices(held=True, target="nobody") == []
        with store.transaction() as transaction:
            transaction.drop([free.id, held[1].id, 10**6])
            assert store.notices() == [free, batch]
        commit(store)
        assert store.notices() == [batch]
        assert store.notices(held=True) == [held[3]]
        with store.transaction() as transaction:
            transaction.drop([batch.id])
            assert transaction.enqueue(notice("later")).id > batch.id
        commit(store)

    def test_values(self, store: Store) -> None:
        with store.transaction() as transaction:
            transaction.remember("a", "1")
            transaction.remember("b", "")
            transaction.remember("c", "3")
            transaction.remember("c", None)
            transaction.remember("never", None)
            assert (transaction.value("a"), transaction.value("b"), transaction.value("c")) == ("1", "", None)
            assert store.value("a") is None
        commit(store)
        with store.transaction() as transaction:
            transaction.remember("a", "2")
            transaction.remember("b", None)
        commit(store)
        assert (store.value("a"), store.value("b"), store.value("c")) == ("2", None, None)
