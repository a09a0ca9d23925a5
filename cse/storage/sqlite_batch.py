"""The batch that the SQLite store's transactions gather in until the next commit."""

import sqlite3
from collections import OrderedDict

from cse.storage.contract import StoreError
from cse.storage.sqlite_committed import Committed
from cse.storage.sqlite_query import Tables
from cse.storage.sqlite_rows import Codec, Kept
from cse.storage.sqlite_write import View, Work

_LEASE = 10_000
"""Numbers that are taken at once; those of a lease that are not used are lost when the process ends."""

_WINDOWS = 1024


class Window:
    """The oldest instances of a container as transactions see them, a few at a time, for limits that push one out at every CREATE."""

    __slots__ = ("empty_at", "kept", "last")

    def __init__(self) -> None:
        self.kept: list[Kept] = []
        self.last = 0
        """Number of the last instance that was looked at."""
        self.empty_at = -1
        """``Batch.written`` when the tables had no more."""


class Batch:
    """What transactions have gathered since the last publish, and the numbers they draw.

    ``number`` is the last that was given, ``last`` the last that a resource has. ``retired`` are identifiers that counting must leave out.
    """

    def __init__(self, connection: sqlite3.Connection, codec: Codec, committed: Committed) -> None:
        self.connection = connection
        self.codec = codec
        self.tables = Tables(connection, codec, committed.peek, trusting=False)
        rows = self.tables.rows
        codec.prefixes.update(rows("SELECT ty, prefix FROM prefix"))
        for (content,) in rows("SELECT content FROM shape ORDER BY id"):
            codec.learn_saved(content)
        self.retired: set[str] = {ri for (ri,) in rows("SELECT ri FROM retired")}
        self._saved = (len(codec.prefixes), len(codec.shapes))
        self.recount()
        self.written = 0
        """How often rows were written."""
        self.windows: OrderedDict[tuple[str, int], Window] = OrderedDict()
        self.start()

    def start(self) -> None:
        """Begin a new batch."""
        self.view = View()
        self.work = Work()
        self.dirty = False
        """Whether a transaction has left something for the next commit."""
        self.failure: StoreError | None = None
        """Why nothing of this batch can be committed any more: a part of it is lost."""
        self._new_marks, self._new_saved = self._marks, self._saved

    def recount(self) -> None:
        """Take up the counting from the tables."""
        self._marks: dict[str, int] = dict(self.tables.rows("SELECT name, number FROM mark"))
        self.number = self.last = self._marks.get("next", 0)
        self.nested = "nested" in self._marks
        """Whether an instance has ever had a child."""
        self._new_marks = self._marks

    def published(self) -> View:
        """Give what was committed and begin a new batch."""
        view = self.view
        self._marks, self._saved = self._new_marks, self._new_saved
        self.start()
        return view

    def discard(self) -> None:
        """Forget the batch and undo its SQL."""
        self.start()
        self.windows.clear()
        if self.connection.in_transaction:
            self.connection.execute("ROLLBACK")

    def next(self) -> int:
        """Give the next number; none is given twice, even after a restart."""
        self.number += 1
        return self.number

    def write(self) -> None:
        """Run the SQL for what is waiting. When it fails the whole batch is lost: raises StoreError now and at every flush until ``discard``."""
        if self.failure is not None:
            raise StoreError(str(self.failure)) from self.failure
        if not self.work:
            return
        try:
            self.begin()
            self._write_marks()
            self.work.write(self.connection, self.codec)
        except (sqlite3.Error, TypeError, ValueError, OverflowError) as error:
            # The last three are values that cannot be stored; the rows before them are in the tables already.
            self.failure = StoreError(f"the store could not be written: {error}")
            raise self.failure from error
        self.written += 1

    def begin(self) -> None:
        """Begin the transaction of the tables unless it has begun."""
        if not self.connection.in_transaction:
            self.connection.execute("BEGIN IMMEDIATE")

    def _write_marks(self) -> None:
        """Write what the rows to come depend on; again each time until it is published, as a savepoint may have undone it."""
        marks = dict(self._marks)
        if self.number >= marks.get("next", 0):
            marks["next"] = self.number + _LEASE
        if self.nested:
            marks["nested"] = 1
        if marks != self._marks:
            self.connection.executemany("INSERT OR REPLACE INTO mark VALUES (?, ?)", marks.items())
            self._new_marks = marks
        prefixes, shapes = self._saved
        if len(self.codec.prefixes) > prefixes:
            self.connection.executemany("INSERT OR IGNORE INTO prefix VALUES (?, ?)", self.codec.prefixes.items())
        if len(self.codec.shapes) > shapes:
            rows = [(number, self.codec.saved(number)) for number in range(shapes + 1, len(self.codec.shapes) + 1)]
            self.connection.executemany("INSERT OR IGNORE INTO shape VALUES (?, ?)", rows)
        self._new_saved = (len(self.codec.prefixes), len(self.codec.shapes))

    def window(self, pi: str, ty: int) -> Window:
        """Give the window of a container, a new one when there is none."""
        found = self.windows.setdefault((pi, ty), Window())
        if len(self.windows) > _WINDOWS:
            self.windows.popitem(last=False)
        return found
