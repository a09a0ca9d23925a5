"""The default store: one SQLite file in WAL mode, one writer, group commit.

Transactions change a ``View`` in memory and list rows in a ``Work``; SQL runs at flush, one statement for many rows, so that a failing request costs none.
What only SQL can answer (listing, finding, deleting a subtree) makes a transaction write out first, its own part behind a savepoint. Readers of the store see
caches and a second connection, which stands at the last published commit while the next is on its way.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from cse.primitives import Notice
from cse.record import Record
from cse.storage.contract import Finding, Store, StoreError, StoreRefused, Transaction
from cse.storage.lock import own
from cse.storage.sqlite_batch import Batch
from cse.storage.sqlite_check import examine
from cse.storage.sqlite_committed import Committed
from cse.storage.sqlite_query import translated
from cse.storage.sqlite_rows import Codec
from cse.storage.sqlite_schema import connect
from cse.storage.sqlite_transaction import SqliteTransaction

_CHECKPOINT = 10_000
"""Changed rows, a commit counting for some, after which the write-ahead log is copied into the file: it stays at some ten megabytes."""

_COMMIT = 8
"""A commit writes whole pages to the log, however little it changes."""


class SqliteStore(Committed, Store):
    """The store in a file. ``cache`` bounds the resources in memory."""

    def __init__(self, path: str, instances: frozenset[int], cache: int) -> None:
        self._lock = own(Path(path))
        try:
            self.connection, self._read = connect(Path(path))
            codec = Codec(instances)
            super().__init__(self._read, codec, max(cache, 1))
            self._batch = Batch(self.connection, codec, self)
        except StoreError as error:
            self._close()
            raise StoreRefused(f"{path} cannot be opened: {error}") from error
        except BaseException:
            self._lock.close()
            raise
        self._changes = self.connection.total_changes
        self._commits = 0
        self._files = {Path(path): _identity(Path(path))}
        """What is written to, and which file that is."""
        self._log = Path(f"{path}-wal")
        self._snapshot = False
        self._short = False
        """A commit has failed, perhaps for want of the space that the log takes: empty it as soon as that can be done."""

    def transaction(self) -> Transaction:
        return SqliteTransaction(self, self._batch)

    @property
    def pending(self) -> bool:
        return self._batch.dirty

    def flush(self) -> None:
        self._batch.write()
        self._commits += 1
        with translated():
            self._batch.begin()
            if not self._checkpoint_due:
                self._read.execute("BEGIN")
                self._snapshot = True
                self._read.execute("SELECT 1 FROM mark").fetchall()

    @property
    def _checkpoint_due(self) -> bool:
        # A reader that stands at an older commit keeps the log from being emptied. So in the one commit of many that empties it there is no snapshot, and
        # reading what is not in memory may see that commit between sync and publish: a moment early, when it is durable already.
        return self._short or self.connection.total_changes - self._changes + self._commits * _COMMIT > _CHECKPOINT

    def sync(self) -> None:
        try:
            self._place()
            self.connection.execute("COMMIT")
        except (sqlite3.Error, StoreError) as error:
            self._short = True
            with suppress(sqlite3.Error):
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")
                self._checkpoint()
            raise StoreError(f"the store could not be written: {error}") from error
        if self._log not in self._files:
            self._files[self._log] = _identity(self._log)
        if self._checkpoint_due:
            self._checkpoint()

    def _place(self) -> None:
        """Hold that what is written to still has its name: the next start would not find the rest. Raises StoreError."""
        for path, known in self._files.items():
            if _identity(path) != known:
                raise StoreError(f"{path} was moved or deleted")

    def _checkpoint(self) -> None:
        try:
            self.connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        except sqlite3.Error:
            # The commits are safe in the log, which just grows on until there is space again.
            return
        self._short = False
        self._changes = self.connection.total_changes
        self._commits = 0

    def publish(self) -> list[Notice]:
        self._end_snapshot()
        view = self._batch.published()
        self.apply(view)
        return [notice for notice in view.sent.values() if not notice.held]

    def _end_snapshot(self) -> None:
        if self._snapshot:
            self._snapshot = False
            if self._read.in_transaction:  # a disk that could not be read has ended it
                self._read.execute("COMMIT")

    def discard(self) -> None:
        self._end_snapshot()
        with translated():
            self._batch.discard()

    def everything(self) -> Iterator[Record]:
        return self._tables.everything()

    def examine(self, repair: bool) -> Iterator[Finding]:
        yield from examine(self.connection, self._codec, repair)
        self.forget()
        self._batch.recount()

    def reset(self) -> None:
        self.discard()
        try:
            self._batch.begin()
            for table in ("resource", "instance", "label", "notice", "value"):
                self.connection.execute(f"DELETE FROM {table}")
            self.connection.execute("COMMIT")
        except sqlite3.Error as error:
            self.discard()
            raise StoreError(f"the store could not be emptied: {error}") from error
        self.forget()

    def close(self) -> None:
        self._end_snapshot()
        self._close()

    def _close(self) -> None:
        self._read.close()
        self.connection.close()
        self._lock.close()


def _identity(path: Path) -> tuple[int, int] | None:
    """Give which file has a name, None when none has."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
