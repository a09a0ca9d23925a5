"""One owner for a store's file: a lock that the operating system drops when the process ends, however it ends."""

import sqlite3
from pathlib import Path

from cse.storage.contract import StoreRefused


def own(path: Path) -> sqlite3.Connection:
    """Take the lock of a store, an empty file beside it (``street.db-lock``), until the connection given back is closed.

    It is a lock of SQLite, which works where there is no ``flock``, and between two stores of one process too. The file stays: removing it would race.
    Raises StoreRefused when the directory does not exist or cannot be written, or when somebody else has the store.
    """
    if not path.parent.is_dir():
        raise StoreRefused(f"{path} cannot be opened: there is no directory {path.parent}")
    if path.is_dir():
        raise StoreRefused(f"{path} cannot be opened: it is a directory")
    lock = None
    try:
        lock = sqlite3.connect(path.with_name(path.name + "-lock"), timeout=0, isolation_level=None)
        lock.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        if lock is not None:
            lock.close()
        if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
            raise StoreRefused(f"{path} is in use by another process") from error
        raise StoreRefused(f"{path} cannot be opened: its lock {path.name}-lock cannot be taken ({error})") from error
    return lock
