"""Clients that vanish without a word or read nothing, and more of them than may be; a subscriber that is away for an hour."""

import asyncio
import json
from contextlib import AsyncExitStack
from pathlib import Path
from socket import create_connection

from tests.faults.load import LOG, connected, prepare
from tests.faults.server import PATIENCE, serving, until
from tests.faults.target import Target, agree, listening
from tests.faults.test_clients import GET, HEAD, answer, create, opened, rest
from tests.reliability.faulty import Faults

AWAY = 2000
"""Notifications that wait for the subscriber."""


async def test_who_reads_no_more_is_given_up_and_gives_its_place_back() -> None:
    """To the server a client that has vanished without FIN and one that reads nothing look alike: what was sent is not taken."""
    async with serving("memory:", "--set", "http.idle_timeout=2") as served:
        await prepare(served)
        async with connected(served) as client:
            for _ in range(8):
                await client.put(LOG, "x" * 500_000)
            await client.retrieve(LOG)
            before = served.descriptors()
            ask = f"GET /{LOG}?rcn=4 HTTP/1.1\r\n{HEAD}\r\n".encode()
            async with AsyncExitStack() as parts:
                for _ in range(20):
                    await parts.enter_async_context(opened(served, ask * 5))
                await until(lambda: served.descriptors() >= before + 20, "they are connected")
                await until(lambda: served.descriptors() <= before + 1, "they are given up, though they never close")
            await client.put(LOG, "1")
        assert await served.stop() == 0
        assert "Traceback" not in served.log


async def test_who_comes_when_all_places_are_taken_is_told_to_come_again() -> None:
    async with serving("memory:", "--set", "http.clients=20") as served:
        await prepare(served)
        before = served.descriptors()
        async with AsyncExitStack() as parts:
            readers = [(await parts.enter_async_context(opened(served, GET)))[0] for _ in range(20)]
            assert [(await answer(reader))[:2] for reader in readers] == [(200, 2000)] * 20
            for _ in range(30):
                async with opened(served) as (reader, _):
                    told = await rest(reader)
                    assert told.startswith(b"HTTP/1.1 503 ")
                    assert b"\r\nRetry-After: 5\r\n" in told
            async with connected(served, "coap") as client:
                await client.put(LOG, "1")
        await until(lambda: served.descriptors() <= before, "they are closed")
        async with connected(served) as client:
            await client.put(LOG, "2")
        assert served.log.count("HTTP connections are open") == 1
        assert await served.stop() == 0


async def test_who_connects_behind_a_crowd_has_his_turn() -> None:
    """Each turn of the server's loop is long while a crowd is at work; who waits to be let in must not need a turn for each who was before him."""
    crowd, each = 300, 30
    async with serving("memory:", "--set", "limits.patience=1000") as served, AsyncExitStack() as parts:
        await prepare(served)
        async with connected(served) as client:
            await client.container("cse-in", "other")
        for _ in range(crowd):
            other = parts.enter_context(create_connection(served.address))
            other.sendall(create("x") * each)
        last = parts.enter_context(create_connection(served.address))
        last.sendall(create("x").replace(b"/cse-in/log", b"/cse-in/other"))
        last.settimeout(PATIENCE)
        assert (await asyncio.to_thread(last.recv, 100)).startswith(b"HTTP/1.1 201 ")
        async with connected(served, "coap") as client:
            done = (await client.retrieve(LOG))["cni"]
        assert done < crowd * each / 2, "the crowd has had its turn again and again before"


async def test_a_subscriber_that_is_away_for_an_hour_gets_everything_in_order_and_no_storm(tmp_path: Path) -> None:
    faults = Faults(tmp_path / "faults")
    program = ("-m", "tests.reliability.faulty", str(tmp_path / "faults"))
    quick = ("--set", "notification.first_retry=0.05", "--set", "notification.longest_retry=0.3")
    async with listening() as target, listening() as other, serving(tmp_path / "cse.db", *quick, program=program) as served:
        await prepare(served, target.url, other.url)
        await target.vanish()
        async with AsyncExitStack() as parts:
            pairs = [await parts.enter_async_context(opened(served)) for _ in range(20)]
            await write(pairs, 200)
            memory = served.memory()
            await write(pairs, AWAY - 200)
        faults.tell(jump=3600.0)
        await other.until(lambda: len(other.taken) == AWAY, "the other one has everything meanwhile")
        assert served.memory() < memory + (20 << 20), "what waits is in the store"
        under_way = most = 0

        async def alone(target: Target, writer: asyncio.StreamWriter, rqi: str) -> bool:
            nonlocal under_way, most
            under_way += 1
            most = max(most, under_way)
            await asyncio.sleep(0)
            under_way -= 1
            return await agree(target, writer, rqi)

        target.answer = alone
        await target.listen()
        await target.until(lambda: len(target.taken) == AWAY, "everything is delivered")
        tags = [each.resource["st"] for each in target.got]
        assert tags == sorted(tags)
        assert len(tags) == AWAY, "nothing came twice"
        assert most == 1, "one at a time"
        assert await served.stop() == 0
        assert len(served.lines) == 1, "that it is away is said once"


async def write(pairs: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]], number: int) -> None:
    """Create instances over all connections at the same time."""

    async def some(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, share: int) -> None:
        for _ in range(share):
            writer.write(create("x"))
            status, _, body = await answer(reader)
            assert status == 201, json.loads(body)

    await asyncio.gather(*(some(reader, writer, number // len(pairs)) for reader, writer in pairs))
