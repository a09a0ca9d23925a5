"""The SQLite store keeps the contract."""

from pathlib import Path

import pytest

from tests.storage.contract_suite import StoreContract


class TestSqlite(StoreContract):
    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        return f"sqlite:///{tmp_path}/store.db"
