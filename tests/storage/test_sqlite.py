"""The SQLite store keeps the contract, and what it promises beside it: refusals, a full disk, versions, the log, space."""

import os
import sqlite3
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from tempfile import gettempdir
from typing import Any

import pytest

from cse.record import Record
from cse.storage import Query, StoreError, StoreRefused, commit, open_store, sqlite, sqlite_schema
from cse.storage.sqlite import SqliteStore
from tests.storage.contract_suite import StoreContract
from tests.storage.samples import INSTANCES, add, base, notice, planted, record


class TestSqlite(StoreContract):
    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        return f"sqlite:///{tmp_path}/store.db"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    opened = SqliteStore(str(path), INSTANCES, 100)
    yield opened
    opened.close()


def altered(path: Path, *statements: str) -> None:
    """Change a file behind the store's back."""
    connection = sqlite3.connect(path, isolation_level=None)
    for statement in statements:
        connection.execute(statement)
    connection.close()


# ── opening ──


@pytest.mark.parametrize("content", [b"x", b"this is no database, although it is long enough to be one " * 100, b"SQLite format 3\x00" + b"\xff" * 5000])
def test_file_that_is_no_database(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(StoreRefused, match=r"store\.db .*is (not|no) .*"):
        open_store(f"sqlite:///{path}", INSTANCES)
    assert path.read_bytes() == content
    path.unlink()
    open_store(f"sqlite:///{path}", INSTANCES).close()


def test_database_of_another_program(path: Path) -> None:
    altered(path, "CREATE TABLE theirs (x)")
    with pytest.raises(StoreRefused, match="no store of this CSE"):
        open_store(f"sqlite:///{path}", INSTANCES)
    altered(path, "PRAGMA application_id=7")
    with pytest.raises(StoreRefused, match="no store of this CSE"):
        open_store(f"sqlite:///{path}", INSTANCES)


def test_empty_file_becomes_a_store(path: Path) -> None:
    path.touch()
    store = open_store(f"sqlite:///{path}", INSTANCES)
    planted(store)
    store.close()


def test_directory_in_place_of_the_file(path: Path) -> None:
    path.mkdir()
    with pytest.raises(StoreRefused, match="is a directory"):
        open_store(f"sqlite:///{path}", INSTANCES)


def test_newer_version_is_refused(path: Path) -> None:
    open_store(f"sqlite:///{path}", INSTANCES).close()
    altered(path, "PRAGMA user_version=99")
    with pytest.raises(StoreRefused, match=f"schema version 99, this program knows versions up to {len(sqlite_schema.MIGRATIONS)}"):
        open_store(f"sqlite:///{path}", INSTANCES)


def test_older_version_is_brought_forward(path: Path) -> None:
    store = open_store(f"sqlite:///{path}", INSTANCES)
    planted(store)
    store.close()
    released = len(sqlite_schema.MIGRATIONS)
    migrations = (*sqlite_schema.MIGRATIONS, ("ALTER TABLE resource ADD COLUMN more TEXT", "UPDATE resource SET more = rn"), ("CREATE TABLE later (x)",))
    for connection in sqlite_schema.connect(path, migrations):
        assert connection.execute("SELECT more FROM resource ORDER BY number").fetchall() == [("cse-in",), ("cnt",)]
        assert connection.execute("SELECT count(*) FROM later").fetchall() == [(0,)]
        assert connection.execute("PRAGMA user_version").fetchall() == [(released + 2,)]
        connection.close()
    with pytest.raises(StoreRefused, match=f"schema version {released + 2}"):
        open_store(f"sqlite:///{path}", INSTANCES)


def test_what_waits_in_a_file_of_version_1_is_found(path: Path) -> None:
    for connection in sqlite_schema.connect(path, sqlite_schema.MIGRATIONS[:1]):
        connection.close()
    row = "(1, 0, 5, 'id-in', '', 'cse-in', 'cse-in', '', '{}', NULL), (2, 1, 8, 'exin2', 'id-in', 'exin2', 'cse-in/exin2', '', '{}', '{\"due\":2.5}')"
    altered(path, f"INSERT INTO resource (number, parent, ty, ri, pi, rn, path, originator, attributes, state) VALUES {row}")
    store = open_store(f"sqlite:///{path}", INSTANCES)
    assert [found.ri for found in store.waiting(8, 9)] == ["exin2"]
    store.close()


def test_failing_migration_leaves_the_version_before(path: Path) -> None:
    store = open_store(f"sqlite:///{path}", INSTANCES)
    planted(store)
    store.close()
    released = len(sqlite_schema.MIGRATIONS)
    with pytest.raises(StoreRefused, match=f"could not be brought from schema version {released} to {released + 1}: no such table: nowhere"):
        sqlite_schema.connect(path, (*sqlite_schema.MIGRATIONS, ("CREATE TABLE half (x)", "DELETE FROM nowhere")))
    store = open_store(f"sqlite:///{path}", INSTANCES)
    assert store.count() == 2
    store.close()


_OPEN_AS_NOBODY = """
import os, sys
# All modules are loaded first: the interpreter itself may be out of reach for nobody.
import cse.storage.sqlite, cse.storage.tinydb
from cse.storage import StoreRefused, open_store
if os.getuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
try:
    open_store(sys.argv[1], frozenset({4}))
except StoreRefused as refused:
    print(refused)
"""


@pytest.mark.parametrize("scheme", ["sqlite", "tinydb"])
@pytest.mark.parametrize("read_only", ["file", "directory"])
def test_read_only(tmp_path: Path, scheme: str, read_only: str) -> None:
    for directory in (tmp_path, *tmp_path.parents):
        if directory == Path(gettempdir()):
            break
        directory.chmod(0o755)
    path = tmp_path / "data" / "store"
    path.parent.mkdir()
    store = open_store(f"{scheme}:///{path}", INSTANCES)
    planted(store)
    store.close()
    path.chmod(0o444)
    (path.parent / "store-lock").chmod(0o666)
    path.parent.chmod(0o777 if read_only == "file" else 0o555)
    command = [sys.executable, "-c", _OPEN_AS_NOBODY, f"{scheme}:///{path}"]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}).stdout
    path.parent.chmod(0o755)
    assert str(path) in shown
    assert "cannot be" in shown


# ── faults while it runs ──


def full(store: SqliteStore, more: int) -> None:
    """Let the file grow by so many pages only; they are counted with what is in the log."""
    pages = store.connection.execute("PRAGMA page_count").fetchone()[0]
    store.connection.execute(f"PRAGMA max_page_count={pages + more}")


def test_full_disk(store: SqliteStore) -> None:
    _, container = planted(store)
    with store.transaction() as transaction:
        kept = [add(transaction, 4, container, con="kept")]
        transaction.enqueue(notice("r0"))
    commit(store)
    full(store, 2)
    with store.transaction() as transaction:
        for _ in range(40):
            add(transaction, 4, container, con="x" * 3000, lbl=["lost"])
        transaction.replace(container.with_attributes({"cni": 41}))
        transaction.enqueue(notice("r1"))
    with pytest.raises(StoreError, match="full"):
        commit(store)
    assert not store.pending
    assert list(store.children(container.ri)) == kept
    assert store.get(container.ri) == container
    assert [one.rqi for one in store.notices()] == ["r0"]
    full(store, 10_000)
    with store.transaction() as transaction:
        kept.append(add(transaction, 4, container, con="x" * 3000))
        assert list(transaction.children(container.ri)) == kept
    commit(store)
    assert list(store.children(container.ri)) == kept
    assert store.count() == 4


def test_full_disk_within_a_transaction(store: SqliteStore) -> None:
    _, container = planted(store)
    full(store, 2)
    with store.transaction() as transaction:
        early = add(transaction, 4, container, con="early")
    with pytest.raises(StoreError, match="full"):
        overflow(store, container)
    # What the earlier one wrote may have gone with it, so the batch as a whole must fail.
    with store.transaction() as transaction:
        transaction.remember("k", "v")
    with pytest.raises(StoreError, match="full"):
        commit(store)
    assert store.count() == 2
    assert store.get(early.ri) is None
    assert store.value("k") is None
    full(store, 10_000)
    overflow(store, container)
    commit(store)
    assert store.count() == 42


def overflow(store: SqliteStore, container: Record) -> None:
    """Write more than there is space for, and look at it."""
    with store.transaction() as transaction:
        for _ in range(40):
            add(transaction, 4, container, con="x" * 3000)
        assert len(list(transaction.children(container.ri))) >= 40


@pytest.mark.parametrize("value", [{1, 2}, 2**64, "\ud800", object()])
def test_value_that_cannot_be_stored(store: SqliteStore, value: Any) -> None:
    top, container = planted(store)
    with store.transaction() as transaction:
        transaction.replace(container.with_attributes({"con": value}))
    with pytest.raises(StoreError):
        commit(store)
    assert store.get(container.ri) == container
    with pytest.raises((StoreError, TypeError)):
        insert(store, top, value)
    store.discard()
    with store.transaction() as transaction:
        add(transaction, 4, container)
    commit(store)
    assert store.count() == 3


def insert(store: SqliteStore, parent: Record, value: Any) -> None:
    with store.transaction() as transaction:
        add(transaction, 4, parent, con=value)
    commit(store)


def test_caller_who_breaks_a_name_twice(store: SqliteStore) -> None:
    top, _ = planted(store)
    with store.transaction() as transaction:
        transaction.insert(record(3, "second", top, "cnt"))
    with pytest.raises(StoreError, match="UNIQUE"):
        commit(store)
    assert store.get("second") is None


def test_orphan_and_stranger_are_refused(store: SqliteStore) -> None:
    top, _ = planted(store)
    nobody = record(3, "nobody", top)
    with pytest.raises(StoreError, match="parent nobody is not there"), store.transaction() as transaction:
        transaction.insert(record(4, "lonely", nobody))
    with pytest.raises(StoreError, match="nobody cannot be replaced"), store.transaction() as transaction:
        transaction.replace(nobody)


# ── what only this store has ──


def test_earlier_rows_changed_after_they_were_written(store: SqliteStore) -> None:
    """What an earlier transaction of the batch inserted is changed by a later one that then makes the store write."""
    top, container = planted(store)
    with store.transaction() as transaction:
        box = add(transaction, 3, top, "box", lbl=["old"])
        instances = [add(transaction, 4, container, lbl=["old"]) for _ in range(3)]
        sent = [transaction.enqueue(notice(f"r{number}")) for number in range(2)]
    with store.transaction() as transaction:
        box = box.with_attributes({"lbl": ["new"]})
        transaction.replace(box)
        instances[1] = instances[1].with_attributes({"lbl": ["new"]})
        transaction.replace(instances[1])
        transaction.delete(instances[0].ri)
        transaction.drop([sent[0].id])
        assert list(transaction.find(Query("cse-in", labels=frozenset({"old", "new"})))) == [box, *instances[1:]]
        assert transaction.notices() == sent[1:]
    assert commit(store) == sent[1:]
    assert list(store.find(Query("cse-in", labels=frozenset({"new"})))) == [box, instances[1]]
    assert list(store.children(container.ri)) == instances[1:]
    assert store.notices() == sent[1:]


def test_log_is_emptied(store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "_CHECKPOINT", 200)
    _, container = planted(store)
    sizes = []
    for _ in range(12):
        for _ in range(40):
            with store.transaction() as transaction:
                made = [add(transaction, 4, container, con="x" * 500) for _ in range(8)]
            commit(store)
        sizes.append(path.with_name("store.db-wal").stat().st_size)
        assert store.get(made[0].ri) == made[0]
    written = 12 * 40 * 8 * 500
    assert sizes[-1] < written + sizes[0]
    assert sizes[-1] < 2 * sizes[1]


def test_many_shapes(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cse.storage.sqlite_rows._MOST_SHAPES", 3)
    store = open_store(f"sqlite:///{path}", INSTANCES)
    _, container = planted(store)
    with store.transaction() as transaction:
        made = [add(transaction, 4, container, **{f"a{number}": number, "con": "x"}) for number in range(6)]
    commit(store)
    store.close()
    store = open_store(f"sqlite:///{path}", INSTANCES)
    assert list(store.children(container.ri)) == made
    with store.transaction() as transaction:
        made.append(add(transaction, 4, container, a9=9))
    commit(store)
    assert list(store.children(container.ri)) == made
    store.close()


def test_space_of_an_instance(path: Path) -> None:
    """Issue 2: under 400 bytes of disk for an instance with a reading of 100 bytes, here in 100 containers that grow together."""
    store = open_store(f"sqlite:///{path}", INSTANCES)
    with store.transaction() as transaction:
        top = base()
        transaction.insert(top)
        containers = [add(transaction, 3, top) for _ in range(100)]
    for number in range(40):
        with store.transaction() as transaction:
            for container in containers:
                ri = transaction.identify("cin", container.ri, 4)
                now = f"20260101T120000,{number:06}"
                made = record(4, ri, container, cs=100, con="x" * 100, st=number, ct=now, lt=now, et="20270101T120000,123456", cnf="text/plain:0")
                transaction.insert(made)
        commit(store)
    store.close()
    assert path.stat().st_size / 4000 < 400


@pytest.mark.parametrize("prefix", ["", "z", "\ud7ff", "a\U0010ffff", "\U0010ffff", "ü", "b_", "%"])
def test_label_prefixes_at_the_edges_of_unicode(store: SqliteStore, prefix: str) -> None:
    top, container = planted(store)
    labels = ["z", "zz", "\ud7ffx", "\ue000", "a\U0010ffff", "a\U0010ffffb", "b", "\U0010ffff\U0010ffff", "ü1", "v", "b_1", "ba1", "%"]
    with store.transaction() as transaction:
        made = [add(transaction, ty, top if ty == 3 else container, lbl=[label]) for label in labels for ty in (3, 4)]
    commit(store)
    expected = [one for one in made if one.attributes["lbl"][0].startswith(prefix)]
    assert list(store.find(Query("cse-in", label_prefixes=frozenset({prefix})))) == expected
    assert list(store.find(Query("cse-in", label_prefixes=frozenset({prefix, *(f"none{n}" for n in range(300))})))) == expected


def test_memory_is_bounded_by_the_cache_and_not_by_the_tree(path: Path) -> None:
    """Containers, their newest instances and their subscriptions: 12 MB of content in all, of which the cache has room for a fiftieth."""
    store = open_store(f"sqlite:///{path}", INSTANCES, cache=20)
    top, _ = planted(store)
    tracemalloc.start()
    try:
        for _ in range(20):
            with store.transaction() as transaction:
                made = [add(transaction, 3, top, lbl=["x" * 4_000]) for _ in range(50)]
                for container in made:
                    add(transaction, 4, container, con="y" * 4_000)
                    add(transaction, 23, container, lbl=["z" * 4_000])
            commit(store)
            for container in made:
                assert store.get(container.ri) == container
                assert store.edge(container.ri, 4, True) is not None
                assert len(store.subscriptions(container.ri)) == 1
        del made, container, transaction
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        store.close()
    assert held < 2_000_000


def test_reading_goes_on_while_another_thread_commits(store: SqliteStore) -> None:
    _, container = planted(store)
    made: list[Record] = []
    for number in range(30):
        with store.transaction() as transaction:
            more = [add(transaction, 4, container, con="x" * 500) for _ in range(20)]
            transaction.replace(container.with_attributes({"cni": len(made) + 20}))
        store.flush()
        waiting = threading.Thread(target=store.sync)
        waiting.start()
        looks = 0
        while waiting.is_alive() or not looks:
            looks += 1
            assert sum(1 for _ in store.children(container.ri)) == len(made)
            assert store.get(more[0].ri) is None
        waiting.join()
        assert store.edge(container.ri, 4, False) == (made[0] if made else None)
        store.publish()
        made += more
        container = container.with_attributes({"cni": len(made)})
        assert store.get(container.ri) == container, number
    assert list(store.children(container.ri)) == made
