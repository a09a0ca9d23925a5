"""The memory store keeps the contract."""

import pytest

from tests.storage.contract_suite import StoreContract


class TestMemory(StoreContract):
    lasting = False

    @pytest.fixture
    def url(self) -> str:
        return "memory:"
