"""A CSE in a process of its own for what the documentation shows, one per module."""

from collections.abc import AsyncIterator

import pytest_asyncio

from apps.demo.process import Running, running_cse


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cse() -> AsyncIterator[Running]:
    """A CSE that listens at free ports and keeps everything in memory."""
    async with running_cse("memory:") as running:
        yield running
