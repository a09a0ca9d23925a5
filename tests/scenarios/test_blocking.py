"""Blocking updates: a change waits for the consent of a subscriber (TS-0001 9.6.8, TS-0004 7.5.1.2.19)."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio

from bindings.serve import Server
from cse.codes import ResponseStatusCode as RSC
from cse.primitives import Request, Response
from tests.scenarios.bed import Client, Receiver, Wire, agree, client, name, refuse

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass
class Guarded:
    """A container whose updates a subscriber at ``receiver`` has to agree to."""

    cse: Client
    place: str
    receiver: Receiver
    guard: str

    async def labels(self) -> list[str]:
        """Give the labels of the container."""
        found: list[str] = (await self.cse.seen(self.place)).get("lbl", [])
        return found


@pytest_asyncio.fixture(loop_scope="module")
async def guarded(cse: Client, receiver: Receiver) -> AsyncIterator[Guarded]:
    """A fresh one for every test."""
    guard = await cse.ae(poa=[receiver.poa])
    place = await cse.container()
    await cse.made(place, "sub", {"rn": "guard", "nu": [guard], "enc": {"net": [7], "atr": ["lbl"]}})
    assert (await receiver.verification())["vrq"] is True
    yield Guarded(cse, place, receiver, guard)


async def test_a_target_that_agrees_lets_the_change_happen(guarded: Guarded) -> None:
    changed = await guarded.cse.changed(guarded.place, "cnt", {"lbl": ["a"]})
    asked = await guarded.receiver.next()
    assert asked["nev"] == {"rep": {"m2m:cnt": {"lbl": ["a"]}}, "net": 7}, "what is to be changed is told, nothing else (nct 2)"
    assert changed["lbl"] == await guarded.labels() == ["a"]
    assert guarded.receiver.rest() == []


async def test_a_target_that_refuses_keeps_everything_as_it_was(guarded: Guarded) -> None:
    before = await guarded.cse.seen(guarded.place)
    guarded.receiver.answer = refuse(RSC.ORIGINATOR_HAS_NO_PRIVILEGE)
    assert (await guarded.cse.update(guarded.place, "cnt", {"lbl": ["a"]})).rsc == RSC.OPERATION_DENIED_BY_REMOTE_ENTITY
    assert await guarded.cse.seen(guarded.place) == before
    guarded.receiver.answer = agree
    await guarded.cse.changed(guarded.place, "cnt", {"lbl": ["b"]})
    assert await guarded.labels() == ["b"]


async def test_a_target_that_is_gone_keeps_everything_as_it_was(guarded: Guarded) -> None:
    before = await guarded.cse.seen(guarded.place)
    await guarded.receiver.close()
    assert (await guarded.cse.update(guarded.place, "cnt", {"lbl": ["a"]})).rsc == RSC.REMOTE_ENTITY_NOT_REACHABLE
    assert (await guarded.cse.delete(guarded.guard, guarded.guard)).rsc == RSC.DELETED
    assert (await guarded.cse.update(guarded.place, "cnt", {"lbl": ["a"]})).rsc == RSC.REMOTE_ENTITY_NOT_REACHABLE, "not even registered any more"
    assert await guarded.cse.seen(guarded.place) == before
    assert (await guarded.cse.delete(f"{guarded.place}/guard")).rsc == RSC.DELETED
    await guarded.cse.changed(guarded.place, "cnt", {"lbl": ["a"]})


async def test_a_target_that_says_nothing_in_time_keeps_everything_as_it_was(guarded: Guarded) -> None:
    never = asyncio.Event()

    async def hang(request: Request) -> Response:
        await never.wait()
        return agree(request)

    guarded.receiver.answer = hang
    answer = await guarded.cse.update(guarded.place, "cnt", {"lbl": ["a"]}, rqet=200)
    assert answer.rsc == RSC.REMOTE_ENTITY_NOT_REACHABLE
    never.set()
    assert await guarded.labels() == []


async def test_nobody_is_asked_about_other_attributes_or_changes_that_fail_anyway(guarded: Guarded) -> None:
    cse, place = guarded.cse, guarded.place
    await cse.changed(place, "cnt", {"mni": 5})
    assert (await cse.update(place, "cnt", {"lbl": "no list"})).rsc == RSC.BAD_REQUEST
    assert (await cse.update(place, "cnt", {"lbl": ["x"]}, await cse.ae())).rsc == RSC.ORIGINATOR_HAS_NO_PRIVILEGE
    await cse.made(place, "cin", {"con": "readings are no update"})
    await cse.changed(place, "cnt", {"lbl": ["y"], "mni": 6})
    assert (await guarded.receiver.next())["nev"]["rep"]["m2m:cnt"]["lbl"] == ["y"]
    assert guarded.receiver.rest() == []


async def test_changes_wait_for_each_other_and_reading_goes_on(guarded: Guarded, server: Server, wire: Wire) -> None:
    """All later UPDATE and DELETE on the resource are held until the target has answered; nothing else is."""
    cse, place = guarded.cse, guarded.place
    consent: asyncio.Queue[RSC] = asyncio.Queue()

    async def ponder(request: Request) -> Response:
        return Response(await consent.get(), request.rqi, rvi=request.rvi)

    guarded.receiver.answer = ponder
    async with client(wire, server) as one, client(wire, server) as two, client(wire, server) as three:
        updates = {text: asyncio.ensure_future(each.update(place, "cnt", {"lbl": [text]})) for each, text in ((one, "a"), (two, "b"))}
        (first,) = (await guarded.receiver.next())["nev"]["rep"]["m2m:cnt"]["lbl"]
        gone = asyncio.ensure_future(three.delete(place))
        await cse.made(place, "cin", {"con": "meanwhile"})
        assert await guarded.labels() == [], "readers see what was before"
        assert guarded.receiver.rest() == [], "the second change is not asked about before the first is decided"
        consent.put_nowait(RSC.OK)
        consent.put_nowait(RSC.BAD_REQUEST)
        answers = dict(zip(updates, await asyncio.gather(*updates.values()), strict=True))
        assert answers.pop(first).rsc == RSC.UPDATED
        (other,) = answers.values()
        assert other.rsc in (RSC.OPERATION_DENIED_BY_REMOTE_ENTITY, RSC.NOT_FOUND), "refused, or the DELETE came first"
        assert (await gone).rsc == RSC.DELETED


async def test_there_is_one_at_most_and_it_is_made_as_such(guarded: Guarded) -> None:
    """TS-0004 7.4.8.2.1, 7.4.8.2.3."""
    cse, place = guarded.cse, guarded.place
    other = {"nu": [guarded.guard], "enc": {"net": [7]}}
    assert (await cse.create(place, "sub", {"rn": name("sub"), **other})).rsc == RSC.BLOCKING_SUBSCRIPTION_ALREADY_EXISTS
    assert (await cse.update(f"{place}/guard", "sub", {"enc": {"net": [1]}})).rsc == RSC.BAD_REQUEST
    plain = await cse.made(place, "sub", {"rn": "plain", "nu": [guarded.guard], "enc": {"net": [3]}})
    assert (await cse.update(plain["path"], "sub", {"enc": {"net": [7]}})).rsc == RSC.BAD_REQUEST
