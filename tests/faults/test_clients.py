"""Clients that leave, wait, drip, flood and babble: the others are served meanwhile, and nothing of them stays."""

import asyncio
import json
import re
import resource
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from random import Random

import pytest
import pytest_asyncio

from bindings.coap.message import encode
from tests.bindings.coap import wire
from tests.faults.load import LOG, connected, prepare
from tests.faults.server import PATIENCE, Serving, serving, until

pytestmark = pytest.mark.asyncio(loop_scope="module")

LIMIT = 100_000
HEAD = "Host: x\r\nX-M2M-Origin: CAdmin\r\nX-M2M-RI: r1\r\nX-M2M-RVI: 4\r\n"
CREATE = f"POST /{LOG} HTTP/1.1\r\n{HEAD}Content-Type: application/json;ty=4\r\n"
GET = f"GET /{LOG}?rcn=1 HTTP/1.1\r\n{HEAD}\r\n".encode()


@contextmanager
def many_files() -> Iterator[None]:
    """Let this process, and those that it starts, have as many files and sockets as they may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard if 0 < hard < 8192 else max(soft, 8192), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served() -> AsyncIterator[Serving]:
    """Give one server to all tests of this file, and hold at the end that it stops cleanly and has complained about nothing."""
    with many_files():
        async with serving("memory:", "--set", f"http.body_limit={LIMIT}", "--set", f"coap.body_limit={LIMIT}", "--set", "http.body_timeout=2") as found:
            await prepare(found)
            async with working(found):
                yield found
            assert await found.stop() == 0
            assert [line for line in found.lines if "connections" not in line] == []


@asynccontextmanager
async def working(served: Serving) -> AsyncIterator[None]:
    """Hold that clients over HTTP and CoAP are served, before and after the block."""
    async with connected(served) as client, connected(served, "coap") as other:
        assert (await client.put(LOG, "0")).root == (await other.put(LOG, "0")).root == "m2m:cin"
        yield
        assert (await client.put(LOG, "0")).root == (await other.put(LOG, "0")).root == "m2m:cin"


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def nothing_stays(served: Serving) -> AsyncIterator[None]:
    """Hold after each test that the server answers, and that descriptors and memory are what they were."""
    descriptors, memory = served.descriptors(), served.memory()
    yield
    async with working(served):
        pass
    await until(lambda: served.descriptors() <= descriptors, "all connections are closed")
    assert served.memory() < memory + (100 << 20)


def create(content: str, extra: str = "") -> bytes:
    """Give the bytes of a CREATE of a contentInstance."""
    body = json.dumps({"m2m:cin": {"con": content}})
    return f"{CREATE}{extra}Content-Length: {len(body)}\r\n\r\n{body}".encode()


@asynccontextmanager
async def opened(served: Serving, *content: bytes) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Connect and send."""
    reader, writer = await asyncio.open_connection(*served.address)
    try:
        for piece in content:
            writer.write(piece)
            with suppress(ConnectionError):
                await writer.drain()
        yield reader, writer
    finally:
        writer.close()


async def answer(reader: asyncio.StreamReader) -> tuple[int, int, bytes]:
    """Read one answer: HTTP status, response status code, body."""
    async with asyncio.timeout(PATIENCE):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = re.search(r"\r\nContent-Length: (\d+)\r\n", head)
        body = await reader.readexactly(int(length[1]) if length else 0)
    rsc = re.search(r"\r\nX-M2M-RSC: (\d+)\r\n", head)
    return int(head.split()[1]), int(rsc[1]) if rsc else 0, body


async def rest(reader: asyncio.StreamReader) -> bytes:
    """Read until the server closes."""
    async with asyncio.timeout(PATIENCE):
        with suppress(ConnectionError):
            return await reader.read()
    return b""


async def instances(served: Serving) -> int:
    """Give how many instances there are."""
    async with connected(served) as client:
        found: int = (await client.retrieve(LOG))["cni"]
    return found


async def test_who_leaves_in_mid_request_has_asked_for_nothing_and_who_leaves_after_it_is_served(served: Serving) -> None:
    whole, before = create("7"), await instances(served)
    for cut in range(1, len(whole), 5):
        async with opened(served, whole[:cut]) as (_, writer):
            if cut % 2:
                writer.transport.abort()
    async with opened(served, f"{CREATE}Transfer-Encoding: chunked\r\n\r\n5\r\n{{".encode()):
        pass
    assert await instances(served) == before
    for _ in range(20):
        async with opened(served, whole) as (reader, writer):
            assert (await answer(reader))[:2] == (201, 2001)
            writer.write(whole)
        async with opened(served, whole) as (_, writer):
            writer.transport.abort()
    assert before + 20 <= await instances(served) <= before + 60


async def test_a_thousand_idle_connections_are_in_nobodys_way(served: Serving) -> None:
    before = served.descriptors()
    async with AsyncExitStack() as parts:
        for _ in range(10):
            await asyncio.gather(*(parts.enter_async_context(opened(served)) for _ in range(100)))
        await until(lambda: served.descriptors() >= before + 1000, "all are connected")
        async with working(served):
            pass


async def test_without_descriptors_who_is_connected_is_served_and_later_all_are(served: Serving) -> None:
    assert sys.platform == "linux"
    _, hard = resource.prlimit(served.child.pid, resource.RLIMIT_NOFILE)
    async with connected(served) as client, connected(served, "coap") as other:
        await client.put(LOG, "1")
        room = served.descriptors() + 20
        soft, hard = resource.prlimit(served.child.pid, resource.RLIMIT_NOFILE, (room, hard))
        async with AsyncExitStack() as parts:
            await asyncio.gather(*(parts.enter_async_context(opened(served)) for _ in range(100)))
            await until(lambda: "HTTP connections are open" in served.log, "it says that its descriptors are used up")
            await client.put(LOG, "2")
            await other.put(LOG, "3")
            assert served.log.count("HTTP connections are open") == 1
            before = served.processor()
            await asyncio.sleep(1.0)
            assert served.processor() - before < 0.5, "it waits for descriptors without spinning"
        resource.prlimit(served.child.pid, resource.RLIMIT_NOFILE, (soft, hard))


async def test_pipelined_requests_are_answered_in_their_order(served: Serving) -> None:
    async with opened(served, b"".join(create(f"{number}") for number in range(200)), b"NONSENSE\r\n\r\n") as (reader, _):
        answers = [await answer(reader) for _ in range(200)]
        last = await answer(reader)
        assert await rest(reader) == b""
    assert {found[:2] for found in answers} == {(201, 2001)}
    assert [json.loads(body)["m2m:cin"]["con"] for _, _, body in answers] == [f"{number}" for number in range(200)]
    assert last[0] == 400


async def test_who_does_not_read_his_answers_costs_no_memory(served: Serving) -> None:
    async with connected(served) as client:
        await client.container("cse-in", "big")
        for _ in range(8):
            await client.put("cse-in/big", "x" * 90_000)
    ask = f"GET /cse-in/big?rcn=4 HTTP/1.1\r\n{HEAD}\r\n".encode() * 500
    memory = served.memory()
    async with AsyncExitStack() as parts:
        writers = [(await parts.enter_async_context(opened(served)))[1] for _ in range(20)]
        for writer in writers:
            writer.write(ask)
        async with working(served):
            pass
        assert served.memory() < memory + (100 << 20), "20 clients asked for 7 GB"


async def test_bodies_beyond_the_limit_are_refused(served: Serving) -> None:
    before = await instances(served)
    chunk = b"8000\r\n" + b"x" * 0x8000 + b"\r\n"
    for head, body in (
        (f"{CREATE}Content-Length: {LIMIT + 1}\r\n\r\n", b""),
        (f"{CREATE}Content-Length: {10**12}\r\n\r\n", b"x" * LIMIT),
        (f"{CREATE}Content-Length: {LIMIT + 1}\r\nExpect: 100-continue\r\n\r\n", b""),
        (f"{CREATE}Transfer-Encoding: chunked\r\n\r\n", chunk * 10),
    ):
        async with opened(served, head.encode(), body) as (reader, _):
            assert (await answer(reader))[:2] == (413, 4000), head
    async with wire.wire(_udp(served)) as socket:
        socket.send(encode(wire.post(1, payload=b'{"m2m:cin":{"con":"' + b"x" * 60_000, path=LOG)))
        assert wire.rsc(await socket.receive()) == 4000
    assert await instances(served) == before


async def test_a_hundred_clients_that_babble_at_the_same_time(served: Serving) -> None:
    random, before = Random(7), await instances(served)
    broken = [
        *(random.randbytes(random.randrange(1, 3000)) for _ in range(60)),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET " + b"/x" * 50_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 10_000 + b"\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        f"{CREATE}Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n".encode(),
        *(create("7")[:-1] + byte for byte in (b"\xff", b"]", b"\x00", b",")),
        *(f"{CREATE}Content-Length: {len(body)}\r\n\r\n".encode() + body for body in (b"[" * 50_000, b'{"a":' * 10_000, b"\xff" * 1000, b"1" * 5000)),
    ]

    async def babble(content: bytes) -> None:
        async with opened(served, content, b"\r\n\r\n") as (reader, _), asyncio.timeout(PATIENCE):
            with suppress(ConnectionError):  # the rest of what was sent may make the system reset the connection
                line = await reader.readline()
                assert re.match(rb"HTTP/1.[01] 4\d\d ", line), (content[:80], line)

    async with working(served), wire.wire(_udp(served)) as socket:
        babbling = [asyncio.create_task(babble(content)) for content in (broken * 2)[:100] + broken]
        for _ in range(300):
            socket.send(random.randbytes(random.randrange(1, 1000)))
        await asyncio.gather(*babbling)
    assert await instances(served) == before + 4


def _udp(served: Serving) -> tuple[str, int]:
    host, _, port = served.coap.removeprefix("coap://").partition(":")
    return host, int(port)


async def test_slow_clients_are_closed_while_others_are_served() -> None:
    head = b"POST /cse-in/log HTTP/1.1\r\nX-Slow: "
    body, chunked = (f"{CREATE}{how}\r\n\r\n".encode() for how in ("Content-Length: 1000", "Transfer-Encoding: chunked"))
    async with serving("memory:", "--set", "http.idle_timeout=1", "--set", "http.body_timeout=1") as served:
        before, dripping = served.descriptors(), asyncio.Semaphore(0)

        async def drip(begin: bytes) -> bytes:
            async with opened(served, begin) as (reader, writer):
                reading = asyncio.create_task(rest(reader))
                dripping.release()
                while not reading.done():
                    writer.write(b"1")
                    await asyncio.wait({reading}, timeout=0.1)
                return await reading

        await prepare(served)
        drips = [asyncio.create_task(drip(begin)) for begin in (head, body, chunked) * 30]
        for _ in drips:
            await dripping.acquire()
        async with working(served):
            ends = await asyncio.gather(*drips)
        assert all(not end or re.match(rb"HTTP/1.1 4\d\d ", end) for end in ends)
        assert sum(end.startswith(b"HTTP/1.1 408 ") for end in ends) >= 30, "a slow body is told why"
        await until(lambda: served.descriptors() <= before + 3, "all connections are closed")
        assert await served.stop() == 0
        assert served.log == ""
