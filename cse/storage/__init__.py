"""Stores: where the tree is kept, chosen by URL."""

from cse.storage.contract import Finding, Query, Reader, Store, StoreError, StoreRefused, Transaction, commit

__all__ = ["Finding", "Query", "Reader", "Store", "StoreError", "StoreRefused", "Transaction", "commit", "open_store"]


def open_store(url: str, instances: frozenset[int], cache: int = 50_000) -> Store:
    """Open the store at ``url``: ``memory:``, ``sqlite:///path`` or ``tinydb:///path.json``.

    ``instances`` are the numbers of the types whose resources are instances of a container (kept compactly, ordered by creation); ``cache`` bounds the number
    of other resources held in memory. Raises StoreRefused with a sentence that says why it cannot be opened, ValueError for an unknown URL.
    """
    scheme, _, rest = url.partition(":")
    if scheme == "memory":
        from cse.storage.memory import MemoryStore

        return MemoryStore(instances)
    path = rest[3:]
    if scheme == "sqlite" and rest.startswith("///"):
        from cse.storage.sqlite import SqliteStore

        return SqliteStore(path, instances, cache)
    if scheme == "tinydb" and rest.startswith("///"):
        from cse.storage.tinydb import TinyDBStore

        return TinyDBStore(path, instances)
    raise ValueError(f"unknown store URL {url!r}: use memory:, sqlite:///path or tinydb:///path.json (four slashes for an absolute path)")
