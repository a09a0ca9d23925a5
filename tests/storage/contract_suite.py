"""What every store promises (cse.storage.contract); a store's test is a subclass of ``StoreContract``."""

import pytest
from msgspec.structs import replace

from cse.storage import Query, Store, StoreRefused, commit, open_store
from tests.storage.contract_base import ids, names, undone
from tests.storage.contract_reading import ReadingContract
from tests.storage.samples import INSTANCES, add, base, notice, planted, record


class StoreContract(ReadingContract):
    """The whole contract."""

    def test_identifiers_are_fresh_and_plain(self, store: Store) -> None:
        top, container = planted(store)
        given: list[str] = []
        for _ in range(3):
            with store.transaction() as transaction:
                given += [transaction.identify("cin", container.ri, 4), transaction.identify("sub", container.ri, 23), transaction.identify("cnt", top.ri, 3)]
            commit(store)
        assert len(set(given)) == len(given)
        assert all(ri.replace("-", "").isalnum() and ri.isascii() and ri.startswith(("cin", "sub", "cnt")) for ri in given)

    def test_identifiers_are_never_used_again(self, url: str) -> None:
        store = self.open(url)
        _, container = planted(store)
        seen: set[str] = set()
        for _ in range(3):
            with store.transaction() as transaction:
                made = [add(transaction, ty, container) for ty in (4, 23, 3, 4)]
            commit(store)
            assert seen.isdisjoint(ids(made))
            seen.update(ids(made))
            with store.transaction() as transaction:
                for one in made:
                    transaction.delete(one.ri)
            commit(store)
            if self.lasting:
                store.close()
                store = self.open(url)
        store.close()

    @pytest.mark.parametrize("ty", [3, 4])
    def test_identifiers_avoid_names_given_by_users(self, store: Store, ty: int) -> None:
        _, container = planted(store)
        prefix = "cnt" if ty == 3 else "cin"
        with store.transaction() as transaction:
            shown = transaction.identify(prefix, container.ri, ty)
        digits = shown[len(prefix) :]
        head, _, number = digits.rpartition("-")
        coming = [f"{prefix}{head}{'-' if head else ''}{int(number) + step}" for step in range(1, 9)]
        with store.transaction() as transaction:
            for name in coming[:4]:
                add(transaction, ty, container, name)
            for name in coming[4:]:
                add(transaction, 9, container, name)
            generated = add(transaction, ty, container)
            assert generated.rn not in coming
        commit(store)
        with store.transaction() as transaction:
            for _ in range(20):
                add(transaction, ty, container)
        commit(store)
        every = names(store.children(container.ri))
        assert len(every) == 29
        assert len(set(every)) == 29
        for name in every:
            found = store.child(container.ri, name)
            assert found is not None
            assert found.rn == name

    def test_identifiers_avoid_foreign_ones_even_after_their_deletion(self, url: str) -> None:
        store = self.open(url)
        top, _ = planted(store)
        with store.transaction() as transaction:
            number = int(transaction.identify("cnt", top.ri, 3)[3:])
            foreign = [record(16, f"cnt{number + step}", top) for step in range(1, 20)]
            for one in foreign:
                transaction.insert(one)
        commit(store)
        with store.transaction() as transaction:
            for one in foreign[::2]:
                transaction.delete(one.ri)
        commit(store)
        if self.lasting:
            store.close()
            store = self.open(url)
        with store.transaction() as transaction:
            made = {transaction.identify("cnt", top.ri, 3) for _ in range(30)}
        assert made.isdisjoint(ids(foreign))
        store.close()

    def test_store_reads_what_is_published(self, store: Store) -> None:
        top, container = planted(store)
        with store.transaction() as transaction:
            doomed = add(transaction, 3, top, "doomed", lbl=["l"])
            add(transaction, 4, doomed)
            watched = add(transaction, 23, container, "watch")
            kept = transaction.enqueue(notice("r0"))
            transaction.remember("k", "old")
        commit(store)

        def before() -> None:
            assert store.get(container.ri) == container
            assert store.child(top.ri, "cnt") == container
            assert store.get(doomed.ri) == doomed
            assert store.child(top.ri, "doomed") == doomed
            assert len(list(store.children(doomed.ri))) == 1
            assert list(store.children(container.ri)) == [watched]
            assert store.edge(container.ri, 4, True) is None
            assert store.subscriptions(container.ri) == (watched,)
            assert ids(store.find(Query("cse-in", labels=frozenset({"l"})))) == [doomed.ri]
            assert store.notices() == [kept]
            assert store.value("k") == "old"
            assert store.count() == 5
            assert store.expired("20260301T000000", 5) == []

        with store.transaction() as transaction:
            made = add(transaction, 4, container, lbl=["l"], et="20260201T000000")
            transaction.replace(container.with_attributes({"cni": 1}))
            transaction.delete(doomed.ri)
            second = add(transaction, 23, container)
            transaction.drop([kept.id])
            sent = transaction.enqueue(notice("r1"))
            transaction.remember("k", "new")
            before()
        before()
        assert store.pending
        store.flush()
        before()
        store.sync()
        before()
        assert store.publish() == [sent]
        assert not store.pending
        assert store.get(container.ri) == container.with_attributes({"cni": 1})
        assert store.child(top.ri, "doomed") is None
        assert list(store.children(doomed.ri)) == []
        assert list(store.children(container.ri)) == [watched, made, second]
        assert store.edge(container.ri, 4, True) == made
        assert store.subscriptions(container.ri) == (watched, second)
        assert list(store.find(Query("cse-in", labels=frozenset({"l"})))) == [made]
        assert store.notices() == [sent]
        assert store.value("k") == "new"
        assert store.count() == 5
        assert store.expired("20260301T000000", 5) == [made]

    def test_transactions_see_earlier_ones(self, store: Store) -> None:
        top, container = planted(store)
        with store.transaction() as first:
            made = add(first, 4, container, lbl=["l"], et="20260201T000000")
            box = add(first, 3, top, "box")
            inner = add(first, 3, box, "inner", lbl=["l"])
            watch = add(first, 23, container)
            first.replace(container.with_attributes({"cni": 1}))
            sent = first.enqueue(notice("r1"))
            first.remember("k", "v")
        with store.transaction() as second:
            changed = container.with_attributes({"cni": 1})
            assert second.get(container.ri) == changed
            assert second.get(made.ri) == made
            assert second.child(container.ri, made.rn) == made
            assert second.child(top.ri, "box") == box
            assert list(second.children(top.ri)) == [changed, box]
            assert second.edge(container.ri, 4, True) == made
            assert second.subscriptions(container.ri) == (watch,)
            assert list(second.find(Query("cse-in", labels=frozenset({"l"})))) == [made, inner]
            assert list(second.find(Query("cse-in/box"))) == [inner]
            assert second.expired("20260301T000000", 5) == [made]
            assert second.notices() == [sent]
            assert second.value("k") == "v"
            assert second.count() == 6
            assert second.delete(box.ri) == [box, inner]
            assert second.get(inner.ri) is None
            assert second.child(top.ri, "box") is None
            again = add(second, 3, top, "box")
        with store.transaction() as third:
            assert third.child(top.ri, "box") == again
            assert third.child(box.ri, "inner") is None
            assert list(third.find(Query("cse-in/box"))) == []
        commit(store)
        assert store.child(top.ri, "box") == again
        assert store.get(inner.ri) is None

    def test_failing_transaction_harms_no_other(self, store: Store) -> None:
        top, container = planted(store)
        with store.transaction() as transaction:
            first = add(transaction, 4, container)
            changed = container.with_attributes({"cni": 1, "lbl": ["one"]})
            transaction.replace(changed)
            transaction.remember("k", "first")
            sent = transaction.enqueue(notice("r1"))
        with undone(store) as transaction:
            add(transaction, 4, container)
            add(transaction, 23, container)
            transaction.replace(changed.with_attributes({"cni": 2, "lbl": ["two"]}))
            assert len(list(transaction.find(Query("cse-in", labels=frozenset({"two"}))))) == 1
            transaction.delete(first.ri)
            transaction.delete(container.ri)
            transaction.insert(record(3, "other", top, "cnt"))
            assert transaction.count() == 2
            transaction.remember("k", None)
            transaction.drop([sent.id])
            transaction.enqueue(notice("r2"))
            assert [one.rqi for one in transaction.notices()] == ["r2"]
        with store.transaction() as transaction:
            assert transaction.get(container.ri) == changed
            assert transaction.child(top.ri, "cnt") == changed
            assert transaction.subscriptions(container.ri) == ()
            assert transaction.notices() == [sent]
            assert transaction.value("k") == "first"
            second = add(transaction, 4, container)
        assert commit(store) == [sent]
        assert list(store.children(container.ri)) == [first, second]
        assert store.get(container.ri) == changed
        assert store.get("other") is None
        assert list(store.find(Query("cse-in", labels=frozenset({"two"})))) == []
        assert store.notices() == [sent]
        assert store.value("k") == "first"
        assert store.count() == 4

    @pytest.mark.parametrize("stage", ["gathered", "flushed", "synced"])
    def test_discard(self, store: Store, stage: str) -> None:
        top, container = planted(store)
        with store.transaction() as transaction:
            kept = add(transaction, 4, container, lbl=["l"])
            watch = add(transaction, 23, container)
        commit(store)
        if stage == "synced" and store.durable:
            stage = "flushed"
        with store.transaction() as transaction:
            add(transaction, 4, container, lbl=["l"])
            transaction.replace(container.with_attributes({"cni": 9}))
            transaction.delete(kept.ri)
            transaction.delete(watch.ri)
            transaction.enqueue(notice("r1"))
            transaction.remember("k", "v")
            assert len(list(transaction.children(container.ri))) == 1
        if stage != "gathered":
            store.flush()
        if stage == "synced":
            store.sync()
        store.discard()
        assert not store.pending
        with store.transaction() as transaction:
            for reader in (store, transaction):
                assert reader.get(container.ri) == container
                assert list(reader.children(container.ri)) == [kept, watch]
                assert reader.edge(container.ri, 4, True) == kept
                assert reader.edge(container.ri, 4, False) == kept
                assert reader.subscriptions(container.ri) == (watch,)
                assert list(reader.find(Query("cse-in", labels=frozenset({"l"})))) == [kept]
                assert reader.notices() == []
                assert reader.value("k") is None
                assert reader.count() == 4
            later = add(transaction, 4, container)
        commit(store)
        assert list(store.children(container.ri)) == [kept, watch, later]
        assert top == store.get(top.ri)

    def test_reading_alone_leaves_nothing_pending(self, store: Store) -> None:
        _, container = planted(store)
        with store.transaction() as transaction:
            assert list(transaction.children(container.ri)) == []
            assert transaction.count() == 2
        assert not store.pending
        with undone(store) as transaction:
            add(transaction, 4, container)
        assert not store.pending

    def test_delete_gives_what_was_removed(self, store: Store) -> None:
        top, container = planted(store)
        with store.transaction() as transaction:
            inner = add(transaction, 3, container, "inner")
            below = add(transaction, 3, inner, "below", lbl=["l"])
            watch = add(transaction, 23, below)
            unlisted = [add(transaction, 4, parent, f"r{number}", lbl=["l"]) for number, parent in enumerate((container, inner, below))]
            similar = add(transaction, 3, top, "cnt0", lbl=["l"])
            box = add(transaction, 3, similar, "below")
            sent = transaction.enqueue(notice("r1", subscription=watch.ri))
        commit(store)
        with store.transaction() as transaction:
            more = add(transaction, 4, below)
            added = add(transaction, 3, inner)
            changed = below.with_attributes({"cni": 2})
            transaction.replace(changed)
            removed = transaction.delete(container.ri)
            assert removed[0] == container
            assert sorted(ids(removed)) == sorted(ids([container, inner, changed, watch, added]))
            assert changed in removed
            place = {one.ri: number for number, one in enumerate(removed)}
            assert all(place[one.pi] < place[one.ri] for one in removed[1:])
            for one in (*removed, *unlisted, more):
                assert transaction.get(one.ri) is None
                assert transaction.child(one.pi, one.rn) is None
            assert transaction.count() == 3
            assert transaction.subscriptions(below.ri) == ()
            assert transaction.delete(container.ri) == []
        commit(store)
        for one in (*removed, *unlisted, more):
            assert store.get(one.ri) is None
            assert store.child(one.pi, one.rn) is None
        assert list(store.find(Query("cse-in"))) == [similar, box]
        assert list(store.find(Query("cse-in", labels=frozenset({"l"})))) == [similar]
        assert store.subscriptions(below.ri) == ()
        assert store.edge(below.ri, 4, True) is None
        assert store.count() == 3
        assert store.expired("99990101T000000", 10) == [similar, box]
        assert store.notices() == [sent]

    def test_delete_of_one_instance(self, store: Store) -> None:
        _, container = planted(store)
        with store.transaction() as transaction:
            made = [add(transaction, 4, container, name, lbl=["l"]) for name in (None, "x", None)]
            transaction.insert(record(24, "smd1", made[2], "smd"))
        commit(store)
        for position in (0, 1):
            with store.transaction() as transaction:
                assert transaction.delete(made[position].ri) == [made[position]]
                assert transaction.get(made[position].ri) is None
            commit(store)
            assert store.child(container.ri, made[position].rn) is None
        below = store.child(made[2].ri, "smd")
        assert below is not None
        assert list(store.children(made[2].ri)) == [below]
        with store.transaction() as transaction:
            assert transaction.delete(made[2].ri) == [made[2], below]
        commit(store)
        assert store.get("smd1") is None
        assert store.count() == 2

    def test_name_is_free_again(self, store: Store) -> None:
        top, _ = planted(store)
        seen = []
        for _ in range(3):
            with store.transaction() as transaction:
                if found := transaction.child(top.ri, "box"):
                    transaction.delete(found.ri)
                box = add(transaction, 3, top, "box")
                transaction.insert(record(2, "Cae", box, "ae"))
                seen.append(box.ri)
            with store.transaction() as transaction:
                assert ids(transaction.delete("Cae")) == ["Cae"]
                transaction.insert(record(2, "Cae", box, "ae", apn="again"))
            commit(store)
            found = store.get("Cae")
            assert found is not None
            assert found.get("apn") == "again"
        assert len(set(seen)) == 3
        assert store.count() == 4

    def test_subscriptions(self, store: Store) -> None:
        _, container = planted(store)
        assert store.subscriptions(container.ri) == ()
        with store.transaction() as transaction:
            first, second = (add(transaction, 23, container, name) for name in ("z", "a"))
            add(transaction, 4, container)
            assert transaction.subscriptions(container.ri) == (first, second)
            assert store.subscriptions(container.ri) == ()
        commit(store)
        assert store.subscriptions(container.ri) == (first, second)
        with store.transaction() as transaction:
            changed = first.with_attributes({"exc": 3})
            transaction.replace(changed)
            assert transaction.subscriptions(container.ri) == (changed, second)
            transaction.delete(second.ri)
            third = add(transaction, 23, container)
            assert transaction.subscriptions(container.ri) == (changed, third)
            assert store.subscriptions(container.ri) == (first, second)
        commit(store)
        assert store.subscriptions(container.ri) == (changed, third)

    def test_the_outbox_tells_its_depth_and_its_oldest(self, store: Store) -> None:
        assert store.outbox() == (0, 0.0)
        with store.transaction() as transaction:
            first = transaction.enqueue(replace(notice("http://a/"), created=5.0, held=True))
            transaction.enqueue(replace(notice("http://a/"), created=7.0))
            assert transaction.outbox() == (2, 5.0)
            assert store.outbox() == (0, 0.0)
        commit(store)
        assert store.outbox() == (2, 5.0)
        with store.transaction() as transaction:
            transaction.drop([first.id])
        commit(store)
        assert store.outbox() == (1, 7.0)

    def test_everything_is_listed_once_and_nothing_is_wrong_with_it(self, store: Store) -> None:
        top, container = planted(store)
        with store.transaction() as transaction:
            made = [add(transaction, ty, container) for ty in (4, 3, 4, 4, 23)]
            transaction.delete(made[2].ri)
        commit(store)
        found = ids(store.everything())
        assert len(found) == len(set(found)) == store.count()
        assert {top.ri, container.ri, *(one.ri for one in made if one is not made[2])} <= set(found)
        order = [ri for ri in found if ri in (made[0].ri, made[3].ri)]
        assert order == [made[0].ri, made[3].ri]
        assert list(store.examine(repair=False)) == []

    def test_values_are_read_as_they_were_published(self, store: Store) -> None:
        with store.transaction() as transaction:
            transaction.remember("probe", "1")
            assert (transaction.value("probe"), store.value("probe")) == ("1", None)
        commit(store)
        with store.transaction() as transaction:
            transaction.remember("probe", None)
            assert store.value("probe") == "1"
        commit(store)
        assert store.value("probe") is None

    def test_reset(self, store: Store) -> None:
        _, container = planted(store)
        with store.transaction() as transaction:
            old = add(transaction, 4, container, lbl=["l"])
            last = transaction.enqueue(notice("r1"))
            transaction.remember("k", "v")
        commit(store)
        with store.transaction() as transaction:
            add(transaction, 4, container)
        store.reset()
        assert not store.pending
        assert store.count() == 0
        assert store.get(container.ri) is None
        assert store.child("", "cse-in") is None
        assert store.edge(container.ri, 4, True) is None
        assert list(store.find(Query("cse-in"))) == []
        assert store.notices() == []
        assert store.value("k") is None
        _, again = planted(store)
        with store.transaction() as transaction:
            assert add(transaction, 4, again).ri != old.ri
            assert transaction.enqueue(notice("r2")).id > last.id
        commit(store)
        assert store.count() == 3

    def test_reopening(self, url: str) -> None:
        if not self.lasting:
            assert not open_store(url, INSTANCES).durable
            return
        store = self.open(url)
        top, container = planted(store)
        with store.transaction() as transaction:
            made = [add(transaction, 4, container, name, lbl=["l"], con=0.1) for name in (None, "named", None)]
            watch = add(transaction, 23, container, state={"n": 1})
            transaction.insert(record(4, "foreign", container))
            sent = [transaction.enqueue(notice("r1")), transaction.enqueue(notice("r2", held=True))]
            transaction.remember("k", "v")
        commit(store)
        with store.transaction() as transaction:
            transaction.delete(made[0].ri)
            transaction.delete("foreign")
            changed = container.with_attributes({"cni": 2})
            transaction.replace(changed)
        commit(store)
        with store.transaction() as transaction:
            add(transaction, 4, container)
        store.close()
        store = self.open(url)
        assert not store.pending
        assert store.get(top.ri) == top
        assert store.child(top.ri, "cnt") == changed
        assert list(store.children(container.ri)) == [*made[1:], watch]
        assert store.subscriptions(container.ri) == (watch,)
        assert store.child(container.ri, "named") == made[1]
        assert list(store.find(Query("cse-in", labels=frozenset({"l"})))) == made[1:]
        assert store.notices() == sent[:1]
        assert store.notices(held=True) == sent[1:]
        assert store.value("k") == "v"
        assert store.count() == 5
        with store.transaction() as transaction:
            assert add(transaction, 4, container).ri not in {*ids(made), "foreign"}
            assert transaction.enqueue(notice("r3")).id > sent[1].id
        commit(store)
        assert store.edge(container.ri, 4, False) == made[1]
        store.close()

    def test_one_owner(self, url: str) -> None:
        if not self.lasting:
            return
        store = self.open(url)
        with pytest.raises(StoreRefused, match="in use by another process"):
            self.open(url)
        planted(store)
        store.close()
        again = self.open(url)
        assert again.count() == 2
        assert again.get("id-in") is not None
        assert again.get("id-in") == base()
        again.close()

    def test_directory_must_exist(self, url: str) -> None:
        if not self.lasting:
            return
        with pytest.raises(StoreRefused, match="no-such-directory"):
            self.open(url.replace("store.", "no-such-directory/store."))
