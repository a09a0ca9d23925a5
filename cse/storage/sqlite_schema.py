"""The SQLite file: its tables, their versions, and how it is opened."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from cse.storage.contract import StoreRefused

APPLICATION = 0x6D326D31
"""``m2m1`` in the header of the file tells that it is a store of this CSE."""

_MAGIC = b"SQLite format 3\0"

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        # parent: number of the parent, 0 for the CSEBase; it is an instance's number in rare cases (mark "nested").
        # ct, lt, et: cse.storage.matching.moment. Numbers ascend in the order of creation over both tables.
        "CREATE TABLE resource (number INTEGER PRIMARY KEY, parent INTEGER NOT NULL, ty INTEGER NOT NULL, ri TEXT NOT NULL, pi TEXT NOT NULL, rn TEXT NOT NULL,"
        " path TEXT NOT NULL, ct INTEGER, lt INTEGER, et INTEGER, originator TEXT NOT NULL, attributes TEXT NOT NULL, state TEXT)",
        "CREATE UNIQUE INDEX resource_ri ON resource (ri)",
        "CREATE UNIQUE INDEX resource_name ON resource (parent, rn)",
        "CREATE INDEX resource_child ON resource (parent, ty)",
        "CREATE INDEX resource_path ON resource (path)",
        "CREATE INDEX resource_type ON resource (ty, path)",
        "CREATE INDEX resource_ct ON resource (ct)",
        "CREATE INDEX resource_lt ON resource (lt)",
        "CREATE INDEX resource_et ON resource (et) WHERE et IS NOT NULL",
        # ri is there only when it is not that of cse.storage.sqlite_rows.Codec.derived, rn only when it is not ri, lt only when it is not ct.
        # shape and body: Codec.encode.
        "CREATE TABLE instance (parent INTEGER NOT NULL, number INTEGER NOT NULL, ty INTEGER NOT NULL, ri TEXT, rn TEXT, ct INTEGER, lt INTEGER, et INTEGER,"
        " shape INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (parent, number)) WITHOUT ROWID",
        "CREATE UNIQUE INDEX instance_ri ON instance (ri) WHERE ri IS NOT NULL",
        "CREATE UNIQUE INDEX instance_name ON instance (parent, rn) WHERE rn IS NOT NULL",
        "CREATE INDEX instance_ct ON instance (ct)",
        "CREATE INDEX instance_lt ON instance (lt) WHERE lt IS NOT NULL",
        "CREATE INDEX instance_et ON instance (et) WHERE et IS NOT NULL",
        # parent is 0 for a resource and the container's number for an instance.
        "CREATE TABLE label (label TEXT NOT NULL, parent INTEGER NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (label, parent, number)) WITHOUT ROWID",
        "CREATE INDEX label_owner ON label (parent, number)",
        "CREATE TABLE notice (id INTEGER PRIMARY KEY, target TEXT NOT NULL, subscription TEXT NOT NULL, held INTEGER NOT NULL, body TEXT NOT NULL)",
        "CREATE INDEX notice_target ON notice (target)",
        "CREATE INDEX notice_subscription ON notice (subscription)",
        "CREATE TABLE value (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
        # Identifiers that the counting will come to and must leave out.
        "CREATE TABLE retired (ri TEXT PRIMARY KEY) WITHOUT ROWID",
        "CREATE TABLE prefix (ty INTEGER PRIMARY KEY, prefix TEXT NOT NULL)",
        "CREATE TABLE shape (id INTEGER PRIMARY KEY, content TEXT NOT NULL)",
        # next: no number from here on was ever given; nested: an instance has had a child.
        "CREATE TABLE mark (name TEXT PRIMARY KEY, number INTEGER NOT NULL) WITHOUT ROWID",
    ),
    (
        # due: state["due"], the moment in seconds that a resource waits for. generated: cse.storage.matching.generation.
        "ALTER TABLE resource ADD COLUMN due REAL",
        "UPDATE resource SET due = json_extract(state, '$.due') WHERE state IS NOT NULL",
        "CREATE INDEX resource_due ON resource (ty, due) WHERE due IS NOT NULL",
        "ALTER TABLE instance ADD COLUMN generated INTEGER",
        "CREATE INDEX instance_generated ON instance (parent, generated) WHERE generated IS NOT NULL",
    ),
)
"""What makes version n of version n-1, in order; never changed once released, only added to."""


def connect(path: Path, migrations: Sequence[Sequence[str]] = MIGRATIONS) -> tuple[sqlite3.Connection, sqlite3.Connection]:
    """Open a store's file, made or brought to the newest version where needed: one connection to write and one to read what is committed.

    The caller owns the file (cse.storage.lock). Raises StoreRefused when it is no store of this CSE, of a newer version, or cannot be written.
    """
    write = None
    try:
        _look(path)
        write = _connection(path)
        _migrate(write, path, migrations)
        write.execute("PRAGMA journal_mode=WAL")
        write.execute("PRAGMA synchronous=FULL")
        # Nothing reaches the disk before sync(), which has its own thread; the log is emptied there too.
        write.execute("PRAGMA cache_spill=OFF")
        write.execute("PRAGMA wal_autocheckpoint=0")
        write.execute(f"PRAGMA journal_size_limit={64 * 2**20}")
        # Another program may look at the file, and may be in the way of a commit: that one is refused before long, since the event loop waits with it.
        write.execute("PRAGMA busy_timeout=100")
        read = _connection(path)
        read.execute("PRAGMA query_only=ON")
        return write, read
    except sqlite3.Error as error:
        raise _closing(write, StoreRefused(f"{path} cannot be opened: {error}")) from error
    except StoreRefused as refused:
        raise _closing(write, refused) from None


def _look(path: Path) -> None:
    """Refuse what SQLite itself would take for an empty file and overwrite: a few bytes of something else."""
    try:
        with path.open("rb") as file:
            start = file.read(len(_MAGIC))
    except FileNotFoundError:
        return
    except OSError as error:
        raise StoreRefused(f"{path} cannot be opened: {error.strerror}") from error
    if start and start != _MAGIC:
        raise StoreRefused(f"{path} cannot be opened: it is not an SQLite file")


def _closing(connection: sqlite3.Connection | None, refused: StoreRefused) -> StoreRefused:
    if connection is not None:
        connection.close()
    return refused


def _connection(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=1, isolation_level=None, check_same_thread=False, cached_statements=256)
    connection.execute("PRAGMA cache_size=-4096")
    connection.execute("PRAGMA temp_store=MEMORY")
    return connection


def _migrate(write: sqlite3.Connection, path: Path, migrations: Sequence[Sequence[str]]) -> None:
    """Bring the file to the newest version, each step in a transaction of its own."""
    version: int = write.execute("PRAGMA user_version").fetchone()[0]
    application: int = write.execute("PRAGMA application_id").fetchone()[0]
    if application != APPLICATION and (version or application or write.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]):
        raise StoreRefused(f"{path} is an SQLite file but no store of this CSE")
    if version > len(migrations):
        raise StoreRefused(f"{path} has schema version {version}, this program knows versions up to {len(migrations)}: use the newer program that wrote it")
    # A file that cannot be written is found out now, not at the first request.
    write.execute("BEGIN IMMEDIATE")
    write.execute(f"PRAGMA user_version={version}")
    write.execute("ROLLBACK")
    for number, statements in enumerate(migrations[version:], version + 1):
        write.execute("BEGIN IMMEDIATE")
        try:
            for statement in statements:
                write.execute(statement)
            write.execute(f"PRAGMA application_id={APPLICATION}")
            write.execute(f"PRAGMA user_version={number}")
            write.execute("COMMIT")
        except sqlite3.Error as error:
            write.execute("ROLLBACK")
            raise StoreRefused(f"{path} could not be brought from schema version {number - 1} to {number}: {error}") from error
