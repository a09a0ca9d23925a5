"""The base of the contract suite: how a store is opened."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cse.record import Record
from cse.storage import Store, Transaction, open_store
from tests.storage.samples import INSTANCES


class Undone(Exception):
    """Raised inside a transaction to undo it."""


@contextmanager
def undone(store: Store) -> Iterator[Transaction]:
    """Open a transaction that fails at its end."""
    try:
        with store.transaction() as transaction:
            yield transaction
            raise Undone
    except Undone:
        return


def ids(records: Iterable[Record]) -> list[str]:
    return [found.ri for found in records]


def names(records: Iterable[Record]) -> list[str]:
    return [found.rn for found in records]


class Contract:
    """``url`` is overridden; ``lasting`` is False for a store that forgets at close."""

    lasting = True

    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        raise AssertionError("a subclass gives the URL")

    @pytest.fixture
    def store(self, url: str) -> Iterator[Store]:
        opened = self.open(url)
        yield opened
        opened.close()

    def open(self, url: str) -> Store:
        """Open the store, with a small cache so that it has to forget."""
        return open_store(url, INSTANCES, cache=8)
