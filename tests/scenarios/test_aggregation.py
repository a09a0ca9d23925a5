"""Subscriptions to all members of a group at once, whose notifications the group gathers (TS-0001 10.2.7, TS-0004 7.4.14; procedures 11.2)."""

from typing import Any

import pytest

from bindings.serve import Server
from cse.codes import Operation
from cse.codes import ResponseStatusCode as RSC
from tests.scenarios.bed import ADMIN, Client, Receiver, Wire, client, config, content, members, name, receiving, refuse, said

pytestmark = pytest.mark.asyncio(loop_scope="module")

READINGS = {"net": [3], "chty": [4]}
HOUR = {"dur": "PT1H"}


async def grouped(cse: Client, places: list[str], **attributes: Any) -> dict[str, Any]:
    """Make a group."""
    return await cse.made("cse-in", "grp", {"rn": name("grp"), "mnm": 50, "mid": places, **attributes})


async def subscribed(cse: Client, group: dict[str, Any], receiver: Receiver, **attributes: Any) -> None:
    """Subscribe a receiver to all members through their group, which asks it once."""
    given = {"rn": "s", "nu": ["http://127.0.0.1:9/"], "nfu": receiver.url, "enc": READINGS, **attributes}
    answer = await cse.create(f"{group['path']}/fopt", "sub", given)
    assert {each["rsc"] for each in members(answer)} == {RSC.CREATED}, answer
    assert (await receiver.verification())["sur"] == f"/id-in/{group['ri']}"
    assert receiver.verifications.empty()


async def batch(receiver: Receiver) -> list[str]:
    """Give the contents of the next aggregated notification, in the order of their names."""
    request = await receiver.request()
    assert request.fr == "/id-in"
    return sorted(content(each)["con"] for each in request.pc["m2m:agn"]["m2m:sgn"])


async def test_readings_of_all_members_come_together(cse: Client, receiver: Receiver) -> None:
    """One subscription, one verification, one notification for as many readings as the group is to gather."""
    places = [await cse.container() for _ in range(4)]
    group = await grouped(cse, places, mt=3, nar={"num": 4, **HOUR})
    await subscribed(cse, group, receiver)
    itself = f"/id-in/{group['ri']}"
    for place in places:
        found = await cse.seen(f"{place}/s")
        assert (found["nu"], found["gpi"], found["nfu"]) == ([itself], itself, receiver.url)
    for turn in range(2):
        for number, place in enumerate(places):
            await cse.made(place, "cin", {"con": f"{turn}{number}"})
    assert await batch(receiver) == ["00", "01", "02", "03"]
    assert await batch(receiver) == ["10", "11", "12", "13"]
    assert receiver.rest() == []


async def test_they_come_when_their_time_is_over(cse: Client, receiver: Receiver) -> None:
    """By the notifyAggregation of the group, and without one by that of the provider."""
    for nar in ({"dur": "PT0.2S"}, None):
        places = [await cse.container() for _ in range(2)]
        group = await grouped(cse, places, **({"nar": nar} if nar else {}))
        await subscribed(cse, group, receiver)
        for place in places:
            await cse.made(place, "cin", {"con": place})
        got: list[str] = []
        while len(got) < 2:
            got += await batch(receiver)
        assert sorted(got) == sorted(places)


async def test_a_target_that_does_not_agree_is_not_subscribed(cse: Client, wire: Wire) -> None:
    places = [await cse.container() for _ in range(2)]
    group = await grouped(cse, places)
    given = {"rn": "s", "nu": [ADMIN], "enc": READINGS}
    async with receiving(wire, refuse(RSC.SUBSCRIPTION_CREATOR_HAS_NO_PRIVILEGE)) as unwilling:
        answer = await cse.create(f"{group['path']}/fopt", "sub", {**given, "nfu": unwilling.url})
        assert answer.rsc == RSC.SUBSCRIPTION_VERIFICATION_INITIATION_FAILED
        assert unwilling.url in said(answer)
    assert unwilling.verifications.qsize() == 1
    assert [(await cse.retrieve(f"{place}/s")).rsc for place in places] == [RSC.NOT_FOUND] * 2
    answer = await cse.create(f"{group['path']}/fopt", "sub", {**given, "nfu": group["path"]})
    assert answer.rsc == RSC.BAD_REQUEST
    assert "nfu" in said(answer)


async def test_an_ae_is_told_at_its_point_of_access(cse: Client, receiver: Receiver) -> None:
    stem = await cse.ae(poa=[receiver.poa])
    places = [(await cse.made(f"cse-in/{stem}", "cnt", {"rn": rn}, fr=stem))["path"] for rn in ("a", "b")]
    made = await cse.made(f"cse-in/{stem}", "grp", {"rn": "g", "mnm": 5, "mid": places, "nar": {"num": 2}}, fr=stem)
    answer = await cse.create(f"{made['path']}/fopt", "sub", {"nu": [stem], "nfu": stem, "enc": READINGS}, fr=stem)
    assert [each["rsc"] for each in members(answer)] == [RSC.CREATED] * 2
    assert receiver.verifications.empty(), "it has asked for it itself"
    for place in places:
        await cse.made(place, "cin", {"con": place}, fr=stem)
    assert await batch(receiver) == places


async def test_its_life_through_the_group(cse: Client, wire: Wire, receiver: Receiver) -> None:
    """UPDATE exchanges the target at all members, DELETE ends it; those who asked for it are told of the ends."""
    places = [await cse.container() for _ in range(2)]
    group = await grouped(cse, places, nar={"num": 2, **HOUR})
    async with receiving(wire) as second:
        await subscribed(cse, group, receiver, su=second.url)
        fan = f"{group['path']}/fopt/s"
        assert {each["rsc"] for each in members(await cse.update(fan, "sub", {"nfu": second.url}))} == {RSC.UPDATED}
        assert (await second.verification())["vrq"] is True
        for place in places:
            await cse.made(place, "cin", {"con": place})
        assert await batch(second) == sorted(places)
        assert {each["rsc"] for each in members(await cse.delete(fan))} == {RSC.DELETED}
        ended = [await second.next() for _ in places]
        assert all(each["sud"] for each in ended)
        for place in places:
            await cse.made(place, "cin", {"con": "unheard"})
        await subscribed(cse, group, second, rn="t")
        for place in places:
            await cse.made(place, "cin", {"con": place})
        assert await batch(second) == sorted(places), "and nothing of what came between"
        assert receiver.rest() == second.rest() == []


async def test_what_was_gathered_is_sent_when_the_group_goes(cse: Client, wire: Wire, receiver: Receiver) -> None:
    """What is immediate does not wait for the rest; it shows here that the rest has come."""
    places = [await cse.container() for _ in range(2)]
    group = await grouped(cse, places, nar=HOUR)
    await subscribed(cse, group, receiver)
    async with receiving(wire) as hurried:
        await subscribed(cse, group, hurried, rn="t", nec=2)
        await cse.made(places[0], "cin", {"con": "last"})
        assert await batch(hurried) == ["last"]
    assert receiver.rest() == []
    assert (await cse.delete(group["path"])).rsc == RSC.DELETED
    assert await batch(receiver) == ["last"]


async def test_nobody_but_the_hosts_of_members_notifies_a_group(cse: Client, receiver: Receiver) -> None:
    """4103 (procedures 11.2); this CSE does, but no one from outside in its name."""
    place = await cse.container()
    group = await grouped(cse, [place], nar={"num": 1})
    await subscribed(cse, group, receiver)
    sent = {"m2m:sgn": {"nev": {"net": 3, "rep": {"m2m:cin": {"con": "false"}}}, "sur": "/id-in/x", "nfu": receiver.url}}
    for fr in (ADMIN, "/id-in", "/id-mn"):
        answer = await cse.send(Operation.NOTIFY, group["ri"], fr, pc=sent)
        assert answer.rsc == RSC.ORIGINATOR_HAS_NO_PRIVILEGE
        assert said(answer)
    await cse.made(place, "cin", {"con": "true"})
    assert await batch(receiver) == ["true"]
    assert receiver.rest() == []


async def test_a_restart_in_the_middle_of_a_collection_loses_nothing(durable: str, wire: Wire, receiver: Receiver) -> None:
    async with Server(config(durable)) as server, client(wire, server) as cse:
        places = [await cse.container() for _ in range(2)]
        group = await grouped(cse, places, nar={"num": 3, **HOUR})
        await subscribed(cse, group, receiver)
        await cse.made(places[0], "cin", {"con": "1"})
    async with Server(config(durable)) as server, client(wire, server) as cse:
        await cse.made(places[1], "cin", {"con": "2"})
    async with Server(config(durable)) as server, client(wire, server) as cse:
        await cse.made(places[0], "cin", {"con": "3"})
        assert await batch(receiver) == ["1", "2", "3"]
    assert receiver.verifications.empty(), "it is not asked again"


async def test_a_target_that_is_away_gets_it_later(cse: Client, receiver: Receiver) -> None:
    place = await cse.container()
    group = await grouped(cse, [place], nar={"num": 2, **HOUR})
    await subscribed(cse, group, receiver)
    await receiver.close()
    for con in "ab":
        await cse.made(place, "cin", {"con": con})
    await receiver.open()
    assert await batch(receiver) == ["a", "b"]


async def test_a_large_group(cse: Client, receiver: Receiver) -> None:
    places = [await cse.container() for _ in range(50)]
    group = await grouped(cse, places, nar={"num": 50, **HOUR})
    await subscribed(cse, group, receiver)
    assert {each["rsc"] for each in members(await cse.create(f"{group['path']}/fopt", "cin", {"con": "x"}))} == {RSC.CREATED}
    assert await batch(receiver) == ["x"] * 50
