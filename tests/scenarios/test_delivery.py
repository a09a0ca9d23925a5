"""Notifications on their way: targets that are down, hang, refuse or talk nonsense; nothing is lost, order is kept (TS-0001 10.2.10, TS-0004 7.5.1.2.2)."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from bindings.serve import Server
from cse.codes import ResponseStatusCode as RSC
from cse.primitives import Request, Response
from tests.scenarios.bed import PATIENCE, Client, Receiver, Said, Wire, agree, client, config, content, name, receiving, refuse

pytestmark = pytest.mark.asyncio(loop_scope="module")

READINGS = {"net": [3], "chty": [4]}
WAITS = ("bindings.courier", "wait:")
"""What the log says when a target fails for the first time."""


async def subscribed(cse: Client, receiver: Receiver, **attributes: Any) -> str:
    """Make a container that tells a receiver of its readings."""
    place = await cse.container()
    await cse.made(place, "sub", {"rn": "s", "nu": [receiver.url], "enc": READINGS, **attributes})
    await receiver.verification()
    return place


async def readings(cse: Client, place: str, texts: str) -> None:
    """Make one reading after the other."""
    for text in texts:
        await cse.made(place, "cin", {"con": text})


async def got(receiver: Receiver, number: int) -> str:
    """Give the texts of so many readings that a receiver was told of."""
    return "".join([content(await receiver.next())["con"] for _ in range(number)])


async def told_of(receiver: Receiver, number: int) -> str:
    """Give the texts of so many readings that a receiver was told of, each once: what comes again has the same request identifier."""
    texts: dict[str | None, str] = {}
    while len(texts) < number:
        request = await receiver.request()
        texts[request.rqi] = content(request.pc["m2m:sgn"])["con"]
    return "".join(texts.values())


async def test_a_target_that_was_down_gets_everything_in_order_when_it_is_back(cse: Client, receiver: Receiver) -> None:
    place = await subscribed(cse, receiver)
    await readings(cse, place, "a")
    assert await got(receiver, 1) == "a"
    with Said(*WAITS) as log:
        await receiver.close()
        await readings(cse, place, "bcdef")
        await log.heard()
    await readings(cse, place, "ghij")
    await receiver.open()
    await readings(cse, place, "klm")
    assert await got(receiver, 12) == "bcdefghijklm"
    assert receiver.rest() == []


async def test_a_target_that_is_unwell_is_asked_again_with_the_same_identifier(cse: Client, receiver: Receiver) -> None:
    """A 5xxx is no delivery; a repetition can be told by its request identifier."""
    place = await subscribed(cse, receiver)
    receiver.answer = refuse(RSC.INTERNAL_SERVER_ERROR)
    await readings(cse, place, "ab")
    tries = [await receiver.request() for _ in range(3)]
    assert len({each.rqi for each in tries}) == 1
    receiver.answer = agree
    last = await receiver.request()
    while last.rqi == tries[0].rqi:
        last = await receiver.request()
    assert content(last.pc["m2m:sgn"])["con"] == "b"


async def test_a_notification_that_is_refused_is_not_repeated_and_the_next_is_sent(cse: Client, receiver: Receiver) -> None:
    place = await subscribed(cse, receiver)
    receiver.answer = lambda request: refuse(RSC.BAD_REQUEST)(request) if content(request.pc["m2m:sgn"])["con"] == "b" else agree(request)
    await readings(cse, place, "abc")
    assert await got(receiver, 3) == "abc"
    await readings(cse, place, "d")
    assert await got(receiver, 1) == "d"


async def test_a_target_that_is_dead_harms_no_other(cse: Client, wire: Wire, receiver: Receiver) -> None:
    async with receiving(wire) as dead:
        place = await subscribed(cse, dead)
        await cse.made(place, "sub", {"nu": [receiver.url, dead.url], "enc": READINGS})
        await receiver.verification()
    await readings(cse, place, "abcdefgh")
    assert await got(receiver, 8) == "abcdefgh"
    assert (await cse.delete(place)).rsc == RSC.DELETED


async def test_what_waits_for_a_subscription_is_still_told_after_its_end(cse: Client, receiver: Receiver) -> None:
    """Events that happened before a DELETE are told before the DELETE is (TS-0004 7.4.8.2.4)."""
    place = await subscribed(cse, receiver, su=receiver.url)
    with Said(*WAITS) as log:
        await receiver.close()
        await readings(cse, place, "ab")
        await log.heard()
    assert (await cse.delete(f"{place}/s")).rsc == RSC.DELETED
    await readings(cse, place, "c")
    await receiver.open()
    assert await got(receiver, 2) == "ab"
    assert (await receiver.next())["sud"] is True
    assert receiver.rest() == []


@pytest_asyncio.fixture(loop_scope="module")
async def hasty(url: str, wire: Wire) -> AsyncIterator[Client]:
    """A client of a server that waits for a target a quarter of a second."""
    async with Server(config(url, notification__timeout=0.25)) as server, client(wire, server) as connected:
        yield connected


async def test_a_target_that_hangs_gets_it_again_and_harms_no_other(hasty: Client, wire: Wire, receiver: Receiver) -> None:
    release = asyncio.Event()

    async def hang(request: Request) -> Response:
        await release.wait()
        return agree(request)

    async with receiving(wire) as slow:
        place = await subscribed(hasty, slow)
        slow.answer = hang
        await hasty.made(place, "sub", {"nu": [receiver.url], "enc": READINGS})
        await receiver.verification()
        await readings(hasty, place, "abc")
        assert await told_of(receiver, 3) == "abc", "the other one may be slow to answer too, on a busy machine"
        first = await slow.request()
        again = await slow.request()
        assert (first.rqi, content(again.pc["m2m:sgn"])["con"]) == (again.rqi, "a")
        slow.answer = agree
        release.set()
        told = {first.rqi: "a"}
        while len(told) < 3:
            each = await slow.request()
            told[each.rqi] = content(each.pc["m2m:sgn"])["con"]
        assert "".join(told.values()) == "abc", "in order, repetitions aside"


@pytest.mark.parametrize(
    "nonsense",
    [
        b"220 this is a mail server\r\n",
        b"HTTP/1.1 200 OK\r\nX-M2M-RSC: 7777\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX-M2M-RSC: 2000\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nX-M2M-RSC: 2000\r\nContent-Type: application/json\r\nContent-Length: 1\r\n\r\n{",
        b"HTTP/1.1 503 Down\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n",
        b"",
    ],
    ids=["mail", "code", "cut", "json", "503", "302", "nothing"],
)
async def test_a_target_that_answers_nonsense_is_asked_again(cse: Client, nonsense: bytes) -> None:
    """No answer of oneM2M is no delivery: the notification is there when the target has come to its senses."""
    good = b"HTTP/1.1 200 OK\r\nX-M2M-RSC: 2000\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    answers: asyncio.Queue[bytes] = asyncio.Queue()
    asked: asyncio.Queue[bytes] = asyncio.Queue()
    own = name("t")

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(int(line.partition(b":")[2]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
            await reader.readexactly(length)
            mine = own.encode() in head  # another may be for a target before, whose port this one has got
            if mine:
                asked.put_nowait(head)
            writer.write(answers.get_nowait() if mine and answers.qsize() else good)
            await writer.drain()
        finally:
            writer.close()

    target = await asyncio.start_server(take, "127.0.0.1", 0)
    async with target, asyncio.timeout(PATIENCE):
        place = await cse.container()
        await cse.made(place, "sub", {"nu": [f"http://127.0.0.1:{target.sockets[0].getsockname()[1]}/{own}"], "enc": READINGS})
        await asked.get()
        for _ in range(2):
            answers.put_nowait(nonsense)
        await readings(cse, place, "a")
        heads = [await asked.get() for _ in range(3)]
        assert len({line for head in heads for line in head.split(b"\r\n") if line.lower().startswith(b"x-m2m-ri")}) == 1
