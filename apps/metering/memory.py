"""What a device remembers by itself: a small file of its own, which survives its restart, and that of the CSE and of the head-end."""

import json
import secrets
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

DAY = 86_400.0
KEPT = 35 * DAY
"""Seconds that is remembered what is of use for a short time only, such as what a command was after its end and its validUntil."""

_OLDER = "FROM kept WHERE device = ? AND kind = ? AND COALESCE(CAST(json_extract(value, ?) AS REAL), 0) < ?"


class Memory:
    """The memories of the devices of one process in one SQLite file, ``:memory:`` for none that lasts."""

    def __init__(self, path: str) -> None:
        self._file = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        # A device that loses power may lose its last few milliseconds; what was acknowledged survives the end of its process.
        self._file.execute("PRAGMA journal_mode=WAL")
        self._file.execute("PRAGMA synchronous=NORMAL")
        self._file.execute("CREATE TABLE IF NOT EXISTS kept (device TEXT, kind TEXT, name TEXT, value TEXT, PRIMARY KEY (device, kind, name)) WITHOUT ROWID")
        self._depth = 0

    def of(self, device: str) -> "Kept":
        """Give the memory of one device."""
        return Kept(self, device)

    def execute(self, statement: str, values: tuple[Any, ...]) -> sqlite3.Cursor:
        """Run one statement."""
        return self._file.execute(statement, values)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Let all that is remembered until the end of the block be there together, or not at all when the block raises."""
        if self._depth:
            yield
            return
        self._depth = 1
        self._file.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._file.execute("ROLLBACK")
            raise
        else:
            self._file.execute("COMMIT")
        finally:
            self._depth = 0

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class Kept:
    """JSON values of one device, by kind and name."""

    def __init__(self, memory: Memory, device: str) -> None:
        self._memory = memory
        self.device = device
        self.turn = memory.turn

    def put(self, kind: str, name: str, value: Any) -> None:
        """Remember a value, in the place of an earlier one."""
        text = json.dumps(value, separators=(",", ":"))
        self._memory.execute("INSERT OR REPLACE INTO kept VALUES (?, ?, ?, ?)", (self.device, kind, name, text))

    def get(self, kind: str, name: str, default: Any = None) -> Any:
        """Give a value, or a default."""
        row = self._memory.execute("SELECT value FROM kept WHERE device = ? AND kind = ? AND name = ?", (self.device, kind, name)).fetchone()
        return default if row is None else json.loads(row[0])

    def all(self, kind: str) -> Mapping[str, Any]:
        """Give every value of a kind, by names in their order."""
        rows = self._memory.execute("SELECT name, value FROM kept WHERE device = ? AND kind = ? ORDER BY name", (self.device, kind))
        return {name: json.loads(value) for name, value in rows}

    def span(self, kind: str, since: str, until: str) -> Mapping[str, Any]:
        """Give the values of a kind whose names lie between two texts, by names in their order."""
        sql = "SELECT name, value FROM kept WHERE device = ? AND kind = ? AND name >= ? AND name <= ? ORDER BY name"
        return {name: json.loads(value) for name, value in self._memory.execute(sql, (self.device, kind, since, until or "~"))}

    def prune(self, kind: str, before: str) -> None:
        """Forget the values of a kind whose names come before a text."""
        self._memory.execute("DELETE FROM kept WHERE device = ? AND kind = ? AND name < ?", (self.device, kind, before))

    def past(self, kind: str, before: float, member: str = "") -> Mapping[str, Any]:
        """Give the values of a kind that are times (seconds) before a moment, or whose member is; what has no such time counts as old."""
        rows = self._memory.execute(f"SELECT name, value {_OLDER}", (self.device, kind, f"$.{member}" if member else "$", before))
        return {name: json.loads(value) for name, value in rows}

    def age(self, kind: str, before: float, member: str = "") -> None:
        """Forget the values that ``past`` gives."""
        self._memory.execute(f"DELETE {_OLDER}", (self.device, kind, f"$.{member}" if member else "$", before))

    def drop(self, kind: str, name: str) -> None:
        """Forget a value."""
        self._memory.execute("DELETE FROM kept WHERE device = ? AND kind = ? AND name = ?", (self.device, kind, name))

    def number(self, name: str) -> int:
        """Give the next number of a count that never goes back."""
        found: int = self.get("count", name, 0) + 1
        self.put("count", name, found)
        return found

    def epoch(self) -> str:
        """Give a text that is the same as long as this memory lasts, and never that of an earlier one."""
        found = self.get("memory", "epoch")
        if found is None:
            found = secrets.token_hex(3)
            self.put("memory", "epoch", found)
        return str(found)
