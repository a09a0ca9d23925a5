"""Worlds for the tests of the metering applications."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from apps.metering.world import Plan, World, standing
from tests.metering.bench import Bench


@pytest.fixture
def bench() -> Bench:
    """A meter on a bench that has written what it writes at its start."""
    found = Bench()
    found.write()
    found.written.clear()
    return found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """The held world, in a directory of its own."""
    async with standing(Plan(Path(tmp_path_factory.mktemp("world")))) as found:
        yield found
