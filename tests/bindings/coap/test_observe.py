"""Observers of resources over real sockets: aiocoap's client, and one that does what no client should (RFC 7641)."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiocoap  # type: ignore[import-untyped]
import pytest
from aiocoap.numbers import OptionNumber  # type: ignore[import-untyped]

from apps.client import Client, allow
from bindings.coap import observe
from bindings.coap.message import Code, Message, Type, encode
from bindings.serve import Server
from tests.bindings.coap.wire import Wire, get, rsc, value, wire
from tests.scenarios.bed import PATIENCE, config

OBSERVE, MAX_AGE, BLOCK2 = 6, 14, 23
RVI = (271, b"4")


@pytest.fixture(params=["memory", "sqlite"])
async def server(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Server]:
    url = "memory:" if request.param == "memory" else f"sqlite:///{tmp_path}/cse.db"
    async with Server(config(url, coap__observers=5)) as found:
        yield found


@pytest.fixture
async def admin(server: Server) -> AsyncIterator[Client]:
    async with Client.connect(server.urls[0], "CAdmin") as found:
        await found.container("cse-in", "box")
        yield found


def asking(path: str, token: bytes = b"obs", mid: int = 7, fr: str = "CAdmin", type: Type = Type.CON, observe: bytes = b"") -> Message:
    """Give a registration, or with ``observe`` 1 its end."""
    message = get(mid, (OBSERVE, observe), RVI, path=path, type=type)
    options = tuple((number, fr.encode() if number == 279 else given) for number, given in message.options)
    return message._replace(token=token, options=options)


async def acknowledged(peer: Wire) -> Message:
    """Give the next notification, and acknowledge it."""
    told = await peer.receive()
    if told.type == Type.CON:
        peer.send(encode(Message(Type.ACK, 0, told.mid, b"", (), b"")))
    return told


def coap(server: Server) -> tuple[str, int]:
    assert server.coap is not None
    return server.coap


async def test_a_client_of_aiocoap_sees_every_state_that_lasts(server: Server, admin: Client) -> None:
    message = aiocoap.Message(code=aiocoap.GET, uri=f"{server.urls[1]}/cse-in/box/la", observe=0)
    for number, given in ((279, b"CAdmin"), (283, b"r1"), (271, b"4")):
        message.opt.add_option(OptionNumber(number).create_option(decode=given))
    await admin.put("cse-in/box", "0")
    context = await aiocoap.Context.create_client_context()
    try:
        request = context.request(message)
        first = await asyncio.wait_for(request.response, PATIENCE)
        assert b'"con":"0"' in first.payload
        assert first.opt.observe is not None
        seen = aiter(request.observation)
        for number in range(1, 6):
            await admin.put("cse-in/box", f"{number}")
            told: Any = await asyncio.wait_for(anext(seen), PATIENCE)
            assert b'"con":"%d"' % number in told.payload
            assert told.opt.max_age
        request.observation.cancel()
    finally:
        await context.shutdown()


async def test_registration_order_acknowledgement_and_end(server: Server, admin: Client) -> None:
    async with wire(coap(server)) as peer:
        first = await peer.ask(asking("cse-in/box"))
        assert (first.type, first.code, first.token) == (Type.ACK, Code.CONTENT, b"obs")
        numbers = [value(first, OBSERVE)]
        for label in ("a", "b", "c"):
            await admin.update("cse-in/box", {"lbl": [label]})
            told = await acknowledged(peer)
            assert (told.type, told.code, told.token, rsc(told)) == (Type.CON, Code.CONTENT, b"obs", 2000)
            assert f'"lbl":["{label}"]'.encode() in told.payload
            assert int.from_bytes(value(told, MAX_AGE) or b"", "big") > 0
            numbers.append(value(told, OBSERVE))
        found = [int.from_bytes(number or b"", "big") for number in numbers]
        assert found == sorted(set(found)), "the order can be told from the option"
        last = await peer.ask(asking("cse-in/box", mid=8, observe=b"\x01"))
        assert value(last, OBSERVE) is None
        await admin.update("cse-in/box", {"lbl": ["d"]})
        assert await peer.silent()


async def test_who_does_not_acknowledge_gets_the_last_state_when_he_does(server: Server, admin: Client) -> None:
    async with wire(coap(server)) as peer:
        await peer.ask(asking("cse-in/box"))
        await admin.update("cse-in/box", {"lbl": ["1"]})
        held = await peer.receive()
        for label in "234":
            await admin.update("cse-in/box", {"lbl": [label]})
        assert await peer.silent(), "one notification is under way at a time"
        peer.send(encode(Message(Type.ACK, 0, held.mid, b"", (), b"")))
        told = await acknowledged(peer)
        assert b'"lbl":["4"]' in told.payload
        assert await peer.silent(), "states in between are left out"


async def test_a_reset_ends_it_and_a_new_registration_takes_the_place_of_the_old(server: Server, admin: Client) -> None:
    async with wire(coap(server)) as peer:
        await peer.ask(asking("cse-in/box", mid=1, type=Type.CON))
        await peer.ask(asking("cse-in/box", mid=2, type=Type.CON))
        await admin.update("cse-in/box", {"lbl": ["1"]})
        told = await peer.receive()
        peer.send(encode(Message(Type.RST, 0, told.mid, b"", (), b"")))
        assert await peer.silent(), "it is told once"
        await admin.update("cse-in/box", {"lbl": ["2"]})
        assert await peer.silent()


async def test_non_confirmable_observers_are_asked_whether_they_are_there(server: Server, admin: Client) -> None:
    async with wire(coap(server)) as peer:
        assert (await peer.ask(asking("cse-in/box", type=Type.NON))).type == Type.NON
        types = []
        for number in range(25):
            await admin.update("cse-in/box", {"lbl": [f"{number}"]})
            types.append((await acknowledged(peer)).type)
        assert [index for index, each in enumerate(types) if each == Type.CON] == [0, 20]


async def test_a_non_confirmable_observer_of_rare_changes_is_asked_every_day(server: Server, admin: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    async with wire(coap(server)) as peer:
        await peer.ask(asking("cse-in/box", type=Type.NON))
        types = []
        for number in range(4):
            await admin.update("cse-in/box", {"lbl": [f"{number}"]})
            types.append((await acknowledged(peer)).type)
            if number == 1:
                monkeypatch.setattr(observe, "DAY", 0.0)
        assert types == [Type.CON, Type.NON, Type.CON, Type.CON]


async def test_rights_count_at_each_change_and_deletion_ends_it(server: Server, admin: Client) -> None:
    await admin.access_policy("cse-in", "policy", [allow(["CAdmin", "Cguest"])])
    await admin.update("cse-in/box", {"acpi": ["cse-in/policy"]})
    async with wire(coap(server)) as peer, wire(coap(server)) as guest, wire(coap(server)) as stranger:
        refused = await stranger.ask(asking("cse-in/box", fr="Cstranger"))
        assert (rsc(refused), value(refused, OBSERVE)) == (4103, None)
        assert value(await guest.ask(asking("cse-in/box", fr="Cguest")), OBSERVE)
        assert value(await peer.ask(asking("cse-in/box")), OBSERVE)
        await admin.update("cse-in/policy", {"pv": {"acr": [{"acor": ["CAdmin"], "acop": 63}]}})
        await admin.update("cse-in/box", {"lbl": ["secret"]})
        told = await acknowledged(guest)
        assert (rsc(told), value(told, OBSERVE), b"secret" in told.payload) == (4103, None, False)
        assert b"secret" in (await acknowledged(peer)).payload
        await admin.delete("cse-in/box")
        told = await acknowledged(peer)
        assert (told.code, rsc(told), value(told, OBSERVE)) == (Code.NOT_FOUND, 4004, None)
        await admin.container("cse-in", "box")
        assert await guest.silent()
        assert await stranger.silent()
        assert await peer.silent()


async def test_what_cannot_be_observed_is_answered_once(server: Server, admin: Client) -> None:
    async with wire(coap(server)) as peer:
        for mid, query in ((1, b"fu=1"), (2, b"rcn=4")):
            message = get(mid, (OBSERVE, b""), (15, query), RVI, path="cse-in/box")
            told = await peer.ask(message)
            assert (told.code, value(told, OBSERVE)) == (Code.CONTENT, None)
        for number in range(6):
            told = await peer.ask(asking("cse-in/box", token=b"t%d" % number, mid=10 + number))
            assert (value(told, OBSERVE) is None) == (number == 5), "there are places for five"


async def test_a_long_representation_comes_in_blocks(server: Server, admin: Client) -> None:
    async with wire(coap(server)) as peer:
        await admin.put("cse-in/box", "x")
        await peer.ask(asking("cse-in/box/la"))
        await admin.put("cse-in/box", "y" * 3000)
        told = await acknowledged(peer)
        assert value(told, OBSERVE)
        assert value(told, BLOCK2) == b"\x0e"
        body = told.payload
        for number in (1, 2, 3):
            message = get(20 + number, (BLOCK2, bytes([number << 4 | 6])), RVI, path="cse-in/box/la")
            body += (await peer.ask(message)).payload
        assert b"y" * 3000 in body


async def test_who_came_while_a_change_was_on_its_way_to_the_disk_is_told_of_it(server: Server, admin: Client) -> None:
    async with wire(coap(server)) as peer:
        for number in range(30):
            changing = asyncio.create_task(admin.update("cse-in/box", {"lbl": [f"{number}"]}))
            peer.send(encode(asking("cse-in/box", token=b"%d" % number, mid=100 + number)))
            seen = (await peer.receive()).payload
            await changing
            if f'"lbl":["{number}"]'.encode() not in seen:
                told = await acknowledged(peer)
                assert f'"lbl":["{number}"]'.encode() in told.payload
            await peer.ask(asking("cse-in/box", token=b"%d" % number, mid=200 + number, observe=b"\x01"))
