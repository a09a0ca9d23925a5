"""The storage contract, run over every store, and what each store promises beside it."""

import pytest

pytest.register_assert_rewrite("tests.storage.contract_suite", "tests.storage.contract_reading")
