"""docs/howto-store.md: its store keeps the whole contract, and finds its way back after a torn commit."""

from pathlib import Path

import pytest

from cse.storage import Store, StoreRefused, commit
from tests.docs.pages import DOCS, program
from tests.storage.contract_suite import StoreContract
from tests.storage.samples import INSTANCES, planted

PAGE = DOCS / "howto-store.md"


def opened(url: str) -> Store:
    store: Store = program(PAGE, "cse/storage/journal.py").JournalStore(url.removeprefix("journal:///"), INSTANCES)
    return store


class TestJournal(StoreContract):
    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        return f"journal:///{tmp_path}/store.jsonl"

    def open(self, url: str) -> Store:
        return opened(url)


def test_the_test_on_the_page_is_this_one() -> None:
    shown = program(PAGE, "tests/storage/test_journal.py").TestJournal
    assert issubclass(shown, StoreContract)


def test_a_commit_that_was_cut_off_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "store.jsonl"
    store = opened(str(path))
    planted(store)
    whole = path.read_bytes()
    with store.transaction() as transaction:
        transaction.remember("k", "v")
    commit(store)
    store.close()
    path.write_bytes(path.read_bytes()[:-3])
    store = opened(str(path))
    assert store.count() == 2
    assert store.value("k") is None
    with store.transaction() as transaction:
        transaction.remember("k", "again")
    commit(store)
    store.close()
    assert path.read_bytes().startswith(whole)
    store = opened(str(path))
    assert store.value("k") == "again"
    store.close()


def test_another_file_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "store.jsonl"
    path.write_text("no journal\n")
    with pytest.raises(StoreRefused, match=r"store\.jsonl is no journal"):
        opened(str(path))
