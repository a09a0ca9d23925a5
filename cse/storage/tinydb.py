"""The store in a readable JSON file, for teaching and inspection: everything in memory, the whole file written at each commit, a few thousand resources."""

import os
from pathlib import Path
from typing import Any

import orjson
from msgspec.structs import asdict
from tinydb import TinyDB
from tinydb.storages import Storage

from cse.primitives import Notice
from cse.record import Record
from cse.storage.contract import StoreError, StoreRefused
from cse.storage.lock import own
from cse.storage.memory import MemoryStore, Tree

VERSION = 1

Tables = dict[str, dict[str, Any]]


class AtomicFile(Storage):
    """A TinyDB storage whose file is the old one or the new one whatever happens: written beside it, brought to the disk, put in its place."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> Tables | None:
        """Give the tables, None when there is no file yet. Raises StoreRefused when it is not JSON or cannot be read."""
        try:
            content = self._path.read_bytes()
            tables: Tables | None = orjson.loads(content) if content else None
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreRefused(f"{self._path} cannot be read: {error.strerror}") from error
        except orjson.JSONDecodeError as error:
            raise StoreRefused(f"{self._path} is not JSON: {error}") from error
        return tables

    @staticmethod
    def written(data: Tables) -> bytes:
        """Give tables as the file has them."""
        return orjson.dumps(data, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)

    def write(self, data: Tables) -> None:
        """Put these tables in the place of the file. Raises StoreError."""
        beside = self._path.with_name(f".{self._path.name}.new")
        try:
            with beside.open("wb") as file:
                file.write(self.written(data))
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self._path)
            if os.name == "posix":
                directory = os.open(self._path.parent, os.O_RDONLY)
                try:
                    os.fsync(directory)
                finally:
                    os.close(directory)
        except (OSError, TypeError) as error:
            raise StoreError(f"{self._path} could not be written: {error}") from error


def examine(path: Path, tables: Tables | None) -> None:
    """Raise StoreRefused when what a file has is no store, or of a newer version."""
    if not tables:
        return
    try:
        versions = [about["version"] for about in tables.get("store", {}).values()]
        newer = [version for version in versions if version > VERSION]
    except (KeyError, TypeError, AttributeError) as error:
        raise StoreRefused(f"{path} is JSON but no store of this CSE ({type(error).__name__}: {error})") from error
    if not versions:
        raise StoreRefused(f"{path} is JSON but no store of this CSE: its table 'store' has no document")
    if newer:
        raise StoreRefused(f"{path} has version {newer[0]}, this program knows versions up to {VERSION}")


class TinyDBStore(MemoryStore):
    """A memory store that begins with what the file has and writes it all at ``sync``.

    Tables: ``resource`` and ``notice`` (documents numbered in the order of creation), ``value``, and ``store`` with one document about the store itself.
    """

    durable = True

    def __init__(self, path: str, instances: frozenset[int]) -> None:
        super().__init__(instances)
        self._path = Path(path)
        self._lock = own(self._path)
        try:
            if self._path.exists() and not os.access(self._path, os.W_OK):
                raise StoreRefused(f"{path} cannot be written")
            self._file = TinyDB(self._path, storage=AtomicFile)
            self._load()
        except BaseException:
            self._lock.close()
            raise

    def _load(self) -> None:
        try:
            examine(self._path, self._file.storage.read())
            for about in self._file.table("store"):
                self._number = about["number"]
                self.retired = set(about["retired"])
            for tree in (self._tree, self._ahead):
                self._fill(tree)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise StoreRefused(f"{self._path} is JSON but no store of this CSE ({type(error).__name__}: {error})") from error

    def _fill(self, tree: Tree) -> None:
        for document in self._file.table("resource"):
            tree.apply("resource", document.doc_id, None, Record(**document))
        for document in self._file.table("notice"):
            tree.apply("notice", document.doc_id, None, Notice(**document, id=document.doc_id))
        for document in self._file.table("value"):
            tree.apply("value", document["key"], None, document["value"])

    def sync(self) -> None:
        """Write the file. Raises StoreError."""
        tree = self._ahead
        tables: Tables = {
            "store": {"1": {"version": VERSION, "number": self._number, "retired": sorted(self.retired)}},
            "value": {str(place): {"key": key, "value": value} for place, (key, value) in enumerate(sorted(tree.values.items()), 1)},
            "notice": {str(number): _plain(notice, "id") for number, notice in sorted(tree.notices.items())},
            "resource": {str(number): _plain(record) for number, record in sorted(tree.resources.items())},
        }
        self._file.storage.write(tables)

    def reset(self) -> None:
        super().reset()
        self.sync()

    def close(self) -> None:
        self._file.close()
        self._lock.close()


def _plain(value: Record | Notice, *without: str) -> dict[str, Any]:
    return {name: member for name, member in asdict(value).items() if name not in without}
