"""Clients that leave, wait, drip, flood and babble: the others are served meanwhile, and nothing of them stays."""

import asyncio
import re
import resource
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import pytest
import pytest_asyncio

from tests.faults.load import LOG, connected, prepare
from tests.faults.server import PATIENCE, Serving, serving, until

pytestmark = pytest.mark.asyncio(loop_scope="module")

HEAD = "Host: x\r\nX-M2M-Origin: CAdmin\r\nX-M2M-RI: r1\r\nX-M2M-RVI: 4\r\n"
QUIET = ("--set", "http.body_limit=100000", "--set", "http.body_timeout=1.5")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Serving]:
    """Give one server to all tests of this file, and hold at the end that it stops cleanly and has complained about nothing."""
    async with serving(tmp_path_factory.mktemp("clients") / "cse.db", *QUIET) as found:
        await prepare(found)
        async with connected(found) as client, connected(found, "coap") as other:
            await client.put(LOG, "0")
            await other.put(LOG, "0")
        yield found
        assert await found.stop() == 0
        assert found.log == ""


@pytest.fixture(autouse=True)
async def nothing_stays(served: Serving) -> AsyncIterator[None]:
    """Hold after each test that the server answers, and that descriptors and memory are what they were."""
    descriptors, memory = served.descriptors(), served.memory()
    yield
    async with connected(served) as client, connected(served, "coap") as other:
        assert (await client.retrieve("cse-in")).root == (await other.retrieve("cse-in")).root == "m2m:cb"
    await until(lambda: served.descriptors() <= descriptors, "connections are closed")
    assert served.memory() < memory + (40 << 20)


def create(content: str) -> bytes:
    """Give the bytes of a CREATE of a contentInstance."""
    body = f'{{"m2m:cin":{{"con":"{content}"}}}}'
    return f"POST /{LOG} HTTP/1.1\r\n{HEAD}Content-Type: application/json;ty=4\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


@asynccontextmanager
async def opened(served: Serving, *content: bytes) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Connect and send."""
    reader, writer = await asyncio.open_connection(*served.address)
    try:
        for piece in content:
            writer.write(piece)
            await writer.drain()
        yield reader, writer
    finally:
        writer.close()


async def count(served: Serving) -> int:
    """Give how many instances there are."""
    async with connected(served) as client:
        found = (await client.retrieve(LOG))["cni"]
    assert isinstance(found, int)
    return found
