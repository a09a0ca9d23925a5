"""Copies of a store: taken while a CSE writes to it, and put into the place of one that is stopped."""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

from cse.storage.contract import StoreError, StoreRefused
from cse.storage.lock import own
from cse.storage.sqlite_schema import APPLICATION, MIGRATIONS
from cse.storage.tinydb import AtomicFile, examine

_BESIDE = ("-wal", "-shm")
"""What SQLite may have beside a file; of another file it would damage it."""


def backup(url: str, target: Path) -> int:
    """Copy the store at ``url``, as it is at one moment, into a new file; give its size in bytes. The CSE may run.

    Raises StoreRefused when there is no such store, it is of a newer version or the target exists, StoreError when it cannot be copied; then nothing is left.
    """
    scheme, source = located(url)
    if target.exists():
        raise StoreRefused(f"{target} exists already: a backup overwrites nothing")
    if not source.is_file():
        raise StoreRefused(f"there is no store {source}")
    return _placed(_COPIES[scheme], source, target)


def restore(copy: Path, url: str, replace: bool) -> Path | None:
    """Put a backup into the place of the store at ``url``, whose CSE is stopped. With ``replace`` a store that is there is kept beside, and its path given.

    Raises StoreRefused when the backup is no store or of a newer version, when the store is in use, or is there and not to be replaced; StoreError when the
    copy cannot be made. Then the store is as it was.
    """
    scheme, target = located(url)
    if not copy.is_file():
        raise StoreRefused(f"there is no backup {copy}")
    with closing(own(target)):
        there = [path for path in (target, *(target.with_name(target.name + end) for end in _BESIDE)) if path.exists()]
        aside = target.with_name(target.name + ".replaced")
        if there and not replace:
            raise StoreRefused(f"{there[0]} exists already: move it away, or have it replaced (--replace keeps it as {aside.name})")
        if there and aside.exists():
            raise StoreRefused(f"{aside} exists already, a store that was replaced before: move it away")
        fresh = target.with_name(f".{target.name}.restored")
        fresh.unlink(missing_ok=True)
        _placed(_COPIES[scheme], copy, fresh)
        try:
            # The file goes last: were its log alone left behind, a store of that name would take it for its own.
            for path in reversed(there):
                path.replace(aside.with_name(aside.name + path.name.removeprefix(target.name)))
            fresh.replace(target)
            _settle(target.parent)
        except OSError as error:
            raise StoreError(f"{target} could not be put into place: {error.strerror}") from error
        return aside if there else None


def located(url: str) -> tuple[str, Path]:
    """Give scheme and file of a store that is one. Raises StoreRefused."""
    scheme, _, rest = url.partition(":")
    if scheme not in _COPIES or not rest.startswith("///") or len(rest) < 4:
        raise StoreRefused(f"{url} is no store in a file: it has to be sqlite:///path or tinydb:///path.json")
    return scheme, Path(rest[3:])


def _placed(make: Callable[[Path, Path], None], source: Path, target: Path) -> int:
    """Have a copy made beside its place, durably, and put it there: a copy that is cut short never looks like one."""
    if not target.parent.is_dir():
        raise StoreRefused(f"{target} cannot be written: there is no directory {target.parent}")
    beside = target.with_name(f".{target.name}.part")
    try:
        beside.unlink(missing_ok=True)
        make(source, beside)
        with beside.open("rb+") as file:
            os.fsync(file.fileno())
        size = beside.stat().st_size
        beside.replace(target)
        _settle(target.parent)
    except OSError as error:
        raise StoreError(f"{target} cannot be written: {error.strerror}") from error
    finally:
        for end in ("", *_BESIDE, "-journal"):
            with suppress(OSError):
                beside.with_name(beside.name + end).unlink(missing_ok=True)
    return size


def _settle(directory: Path) -> None:
    """Bring the names in a directory to the disk, where that can be done."""
    if os.name == "posix":
        number = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


def _copy_sqlite(source: Path, target: Path) -> None:
    try:
        # Opened to be read alone: the store of a running CSE is not ours. In one step, because the copy is begun anew with every commit between two.
        with closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)) as read, closing(sqlite3.connect(target)) as write:
            version: int = read.execute("PRAGMA user_version").fetchone()[0]
            if read.execute("PRAGMA application_id").fetchone()[0] != APPLICATION:
                raise StoreRefused(f"{source} is an SQLite file but no store of this CSE")
            if version > len(MIGRATIONS):
                raise StoreRefused(f"{source} has schema version {version}, this program knows versions up to {len(MIGRATIONS)}: use the newer program")
            read.backup(write, pages=-1)
            if (found := write.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
                raise StoreError(f"{source} is damaged, and so would be its copy: {found}")
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_NOTADB:
            raise StoreRefused(f"{source} is not an SQLite file") from error
        raise StoreError(f"{source} could not be copied: {error}") from error


def _copy_tinydb(source: Path, target: Path) -> None:
    tables = AtomicFile(source).read()
    examine(source, tables)
    target.write_bytes(AtomicFile.written(tables or {}))


_COPIES: dict[str, Callable[[Path, Path], None]] = {"sqlite": _copy_sqlite, "tinydb": _copy_tinydb}
