"""Entities that nobody can reach fetch what is for them from their polling channel (TS-0001 10.2.5.14, TS-0004 7.4.21, 7.4.22)."""

import asyncio
from typing import Any

import pytest

from bindings.serve import Server
from cse.codes import Operation
from cse.codes import ResponseStatusCode as RSC
from cse.primitives import Response
from tests.scenarios.bed import ADMIN, Client, Receiver, Wire, client, config, name, said

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOTE = {"m2m:sgn": {"nev": {"rep": {"m2m:cin": {"con": "hello"}}}}}
SOON = 200
"""Milliseconds after which nothing came."""


class Polled:
    """An AE without a point of access, that has a polling channel."""

    def __init__(self, cse: Client, stem: str) -> None:
        self.cse = cse
        self.stem = stem
        self.pcu = f"cse-in/{stem}/pch/pcu"

    async def poll(self, milliseconds: int = 20_000) -> Response:
        return await self.cse.retrieve(self.pcu, self.stem, rqet=milliseconds)

    async def fetched(self) -> dict[str, Any]:
        """Give the next request (m2m:rqp)."""
        answer = await self.poll()
        assert answer.rsc == RSC.OK, answer
        found: dict[str, Any] = answer.pc["m2m:rqp"]
        return found

    async def answer(self, rqi: str, rsc: int = 2000, **more: Any) -> Response:
        return await self.cse.send(Operation.NOTIFY, self.pcu, self.stem, pc={"m2m:rsp": {"rsc": rsc, "rqi": rqi, "rvi": "4", **more}})

    async def subscribe(self, to: str, **attributes: Any) -> dict[str, Any]:
        """Subscribe itself to new children: its own target is not verified."""
        return await self.cse.made(to, "sub", {"nu": [self.stem], "enc": {"net": [3]}, **attributes}, fr=self.stem)


async def polled(cse: Client, **attributes: Any) -> Polled:
    stem = await cse.ae(rr=False)
    await cse.made(f"cse-in/{stem}", "pch", {"rn": "pch", **attributes}, fr=stem)
    return Polled(cse, stem)


async def allowed(cse: Client, one: Polled, who: str, operations: int) -> None:
    """Let somebody send requests to the AE."""
    rules = [{"acor": [who], "acop": operations}, {"acor": [one.stem], "acop": 63}]
    acp = await cse.made("cse-in", "acp", {"rn": name("acp"), "pv": {"acr": rules}, "pvs": {"acr": rules}})
    await cse.changed(f"cse-in/{one.stem}", "ae", {"acpi": [acp["ri"]]}, one.stem)


async def test_a_request_is_fetched_and_answered(cse: Client) -> None:
    """Who sent it gets the answer of the AE, whether the AE polls before or after."""
    one = await polled(cse)
    for early in (True, False):
        sent = asyncio.create_task(cse.send(Operation.NOTIFY, f"cse-in/{one.stem}", ADMIN, pc=NOTE)) if early else None
        fetching = asyncio.create_task(one.fetched())
        sent = sent or asyncio.create_task(cse.send(Operation.NOTIFY, f"cse-in/{one.stem}", ADMIN, pc=NOTE))
        request = await fetching
        assert (request["op"], request["fr"], request["pc"]) == (5, ADMIN, NOTE)
        assert (await one.answer(request["rqi"], pc={"m2m:dbg": "fine"})).rsc == RSC.OK
        told = await sent
        assert (told.rsc, told.pc) == (RSC.OK, {"m2m:dbg": "fine"})


async def test_an_answer_of_refusal_comes_back(cse: Client) -> None:
    one = await polled(cse)
    sent = asyncio.create_task(cse.send(Operation.NOTIFY, f"cse-in/{one.stem}", ADMIN, pc=NOTE))
    await one.answer((await one.fetched())["rqi"], 4103)
    assert (await sent).rsc == RSC.ORIGINATOR_HAS_NO_PRIVILEGE


async def test_nobody_polls_or_nothing_comes(cse: Client) -> None:
    one = await polled(cse)
    assert (await one.poll(SOON)).rsc == RSC.REQUEST_TIMEOUT
    answer = await cse.send(Operation.NOTIFY, f"cse-in/{one.stem}", ADMIN, pc=NOTE, rqet=SOON)
    assert answer.rsc == RSC.REQUEST_TIMEOUT
    assert "polling channel" in said(answer)
    assert (await one.poll(SOON)).rsc == RSC.REQUEST_TIMEOUT, "what nobody waits for any more is not given out"


async def test_notifications_wait_in_their_order_until_they_are_answered(cse: Client) -> None:
    one = await polled(cse)
    place = (await cse.made(f"cse-in/{one.stem}", "cnt", {"rn": "c"}, fr=one.stem))["path"]
    await one.subscribe(place)
    for text in "abc":
        await cse.made(place, "cin", {"con": text}, fr=one.stem)
    for text in "abc":
        request = await one.fetched()
        assert request["pc"]["m2m:sgn"]["nev"]["rep"]["m2m:cin"]["con"] == text
        assert request["to"] == one.stem
        assert (await one.poll(SOON)).rsc == RSC.REQUEST_TIMEOUT, "the next one follows when this one is answered"
        assert (await one.answer(request["rqi"])).rsc == RSC.OK
    assert (await one.poll(SOON)).rsc == RSC.REQUEST_TIMEOUT


async def test_a_notification_wakes_who_polls(cse: Client) -> None:
    one = await polled(cse)
    place = (await cse.made(f"cse-in/{one.stem}", "cnt", {"rn": "c"}, fr=one.stem))["path"]
    await one.subscribe(place)
    fetching = asyncio.create_task(one.fetched())
    await cse.made(place, "cin", {"con": "x"}, fr=one.stem)
    assert (await fetching)["pc"]["m2m:sgn"]["nev"]["net"] == 3


async def test_aggregated_requests(cse: Client) -> None:
    """With requestAggregation one answer holds all that waits, and the results may be aggregated too."""
    one = await polled(cse, rqag=True)
    place = (await cse.made(f"cse-in/{one.stem}", "cnt", {"rn": "c"}, fr=one.stem))["path"]
    await one.subscribe(place)
    for text in "abc":
        await cse.made(place, "cin", {"con": text}, fr=one.stem)
    answer = await one.poll()
    found = answer.pc["m2m:agrp"]["m2m:rqp"]
    assert [each["pc"]["m2m:sgn"]["nev"]["rep"]["m2m:cin"]["con"] for each in found] == ["a", "b", "c"]
    results = [{"rsc": 2000, "rqi": each["rqi"], "rvi": "4"} for each in found]
    answer = await cse.send(Operation.NOTIFY, one.pcu, one.stem, pc={"m2m:agr": {"m2m:rsp": results}})
    assert answer.rsc == RSC.OK
    assert (await one.poll(SOON)).rsc == RSC.REQUEST_TIMEOUT


async def test_a_closed_entity_finds_nothing_before_it_opens(cse: Client) -> None:
    """By its schedule (TS-0004 7.4.9): neither what waits in the channel already nor what comes then; nothing is lost."""
    one = await polled(cse)
    place = (await cse.made(f"cse-in/{one.stem}", "cnt", {"rn": "c"}, fr=one.stem))["path"]
    await one.subscribe(place)
    for text in "ab":
        await cse.made(place, "cin", {"con": text}, fr=one.stem)
    request = await one.fetched()
    for text in "bc":
        closing = await cse.made(f"cse-in/{one.stem}", "sch", {"se": {"sce": ["* * * * * * 2020"]}})
        assert (await one.answer(request["rqi"])).rsc == RSC.OK
        assert (await one.poll(SOON)).rsc == RSC.REQUEST_TIMEOUT
        if text == "b":
            await cse.made(place, "cin", {"con": "c"}, fr=one.stem)
        fetching = asyncio.create_task(one.fetched())
        assert (await cse.delete(closing["path"])).rsc == RSC.DELETED
        request = await fetching
        assert request["pc"]["m2m:sgn"]["nev"]["rep"]["m2m:cin"]["con"] == text
    assert (await one.answer(request["rqi"])).rsc == RSC.OK
    assert (await one.poll(SOON)).rsc == RSC.REQUEST_TIMEOUT


async def test_what_was_fetched_and_not_answered_is_given_out_again(wire: Wire, url: str) -> None:
    async with Server(config(url, notification__timeout=0.1)) as server, client(wire, server) as cse:
        one = await polled(cse)
        place = (await cse.made(f"cse-in/{one.stem}", "cnt", {"rn": "c"}, fr=one.stem))["path"]
        await one.subscribe(place)
        await cse.made(place, "cin", {"con": "x"}, fr=one.stem)
        request = await one.fetched()
        assert await one.fetched() == request, "the same, recognisable by its identifier"
        assert (await one.answer(request["rqi"], 5000)).rsc == RSC.OK
        assert await one.fetched() == request, "an error of the receiver is no delivery"
        assert (await one.answer(request["rqi"], 4103)).rsc == RSC.OK
        assert (await one.poll(SOON)).rsc == RSC.REQUEST_TIMEOUT, "a refusal is the end of it"


async def test_notifications_wait_over_a_restart(durable: str, wire: Wire) -> None:
    async with Server(config(durable)) as server, client(wire, server) as cse:
        one = await polled(cse)
        place = (await cse.made(f"cse-in/{one.stem}", "cnt", {"rn": "c"}, fr=one.stem))["path"]
        await one.subscribe(place)
        for text in "ab":
            await cse.made(place, "cin", {"con": text}, fr=one.stem)
        fetched = await one.fetched()
    async with Server(config(durable)) as server, client(wire, server) as cse:
        one = Polled(cse, one.stem)
        assert (await one.answer(fetched["rqi"])).rsc == RSC.OK, "fetched before, answered after"
        request = await one.fetched()
        assert request["pc"]["m2m:sgn"]["nev"]["rep"]["m2m:cin"]["con"] == "b"
        assert (await one.answer(request["rqi"])).rsc == RSC.OK


async def test_verification_and_non_blocking_results_come_this_way_too(cse: Client) -> None:
    one = await polled(cse)
    await allowed(cse, one, ADMIN, 16)
    place = await cse.container()
    subscribing = asyncio.create_task(cse.create(place, "sub", {"nu": [one.stem], "enc": {"net": [3]}}))
    request = await one.fetched()
    assert request["pc"]["m2m:sgn"]["vrq"] is True
    await one.answer(request["rqi"])
    assert (await subscribing).rsc == RSC.CREATED
    answer = await cse.send(Operation.RETRIEVE, f"cse-in/{one.stem}", one.stem, rqi="mine", rt={"rtv": 2})
    assert answer.rsc == RSC.ACCEPTED_FOR_NONBLOCKINGREQUESTASYNCH
    result = (await one.fetched())["pc"]["m2m:rsp"]
    assert (result["rsc"], result["rqi"]) == (2000, "mine")


async def test_what_waited_for_a_point_of_access_is_fetched_from_a_channel_made_later(cse: Client) -> None:
    stem = await cse.ae(rr=False)
    place = (await cse.made(f"cse-in/{stem}", "cnt", {"rn": "c"}, fr=stem))["path"]
    one = Polled(cse, stem)
    await one.subscribe(place)
    await cse.made(place, "cin", {"con": "x"}, fr=stem)
    await cse.made(f"cse-in/{stem}", "pch", {"rn": "pch"}, fr=stem)
    request = await one.fetched()
    assert request["pc"]["m2m:sgn"]["nev"]["rep"]["m2m:cin"]["con"] == "x"
    await one.answer(request["rqi"])


async def test_without_its_channel_an_ae_is_reached_at_its_point_of_access(cse: Client, receiver: Receiver) -> None:
    stem = await cse.ae(poa=[receiver.poa])
    await cse.made(f"cse-in/{stem}", "pch", {"rn": "pch"}, fr=stem)
    one = Polled(cse, stem)
    place = (await cse.made(f"cse-in/{stem}", "cnt", {"rn": "c"}, fr=stem))["path"]
    await one.subscribe(place)
    await cse.made(place, "cin", {"con": "a"}, fr=stem)
    request = await one.fetched()
    await one.answer(request["rqi"], 5000)
    waiting = asyncio.create_task(one.poll(60_000))
    sent = asyncio.create_task(cse.send(Operation.NOTIFY, f"cse-in/{stem}", ADMIN, pc=NOTE))
    await asyncio.gather(waiting)
    assert (await cse.delete(f"cse-in/{stem}/pch", stem)).rsc == RSC.DELETED
    assert (await sent).rsc == RSC.TARGET_NOT_REACHABLE
    assert (await receiver.next())["nev"]["rep"]["m2m:cin"]["con"] == "a", "what waited there goes the other way"


async def test_who_may_use_a_channel(cse: Client) -> None:
    one = await polled(cse)
    other = await cse.ae()
    await allowed(cse, one, other, 63)
    for who in (other, ADMIN):
        answer = await cse.retrieve(one.pcu, who, rqet=SOON)
        assert answer.rsc == RSC.ORIGINATOR_HAS_NO_PRIVILEGE
        assert who in said(answer)
        assert (await cse.send(Operation.NOTIFY, one.pcu, who, pc={"m2m:rsp": {}})).rsc == RSC.ORIGINATOR_HAS_NO_PRIVILEGE
    assert (await cse.retrieve(f"cse-in/{one.stem}/pch", other)).rsc == RSC.ORIGINATOR_HAS_NO_PRIVILEGE, "policies have no say"
    assert (await cse.create(f"cse-in/{one.stem}", "pch", {}, fr=other)).rsc == RSC.ORIGINATOR_HAS_NO_PRIVILEGE
    assert (await cse.create(f"cse-in/{one.stem}", "pch", {}, fr=one.stem)).rsc == RSC.CONFLICT
    assert (await cse.create("cse-in", "pch", {}, fr=one.stem)).rsc in (RSC.INVALID_CHILD_RESOURCE_TYPE, RSC.ORIGINATOR_HAS_NO_PRIVILEGE)
    assert (await cse.changed(f"cse-in/{one.stem}/pch", "pch", {"rqag": True}, one.stem))["rqag"] is True
    assert (await cse.update(f"cse-in/{one.stem}/pch", "pch", {"rqag": "yes"}, one.stem)).rsc == RSC.BAD_REQUEST


async def test_what_a_channel_refuses(cse: Client) -> None:
    one = await polled(cse)
    assert (await cse.create(one.pcu, "cin", {"con": "x"}, fr=one.stem)).rsc == RSC.OPERATION_NOT_ALLOWED
    assert (await cse.update(one.pcu, "pch", {}, one.stem)).rsc == RSC.OPERATION_NOT_ALLOWED
    assert (await cse.delete(one.pcu, one.stem)).rsc == RSC.OPERATION_NOT_ALLOWED
    assert (await cse.retrieve(f"{one.pcu}/x", one.stem)).rsc == RSC.NOT_FOUND
    wrong = [{"rsc": 2000, "rqi": "unknown"}, {"rsc": 2000}, {"rsc": 77, "rqi": "x"}, 1]
    for pc in ({"m2m:sgn": {}}, {"m2m:agr": {}}, *({"m2m:rsp": each} for each in wrong)):
        answer = await cse.send(Operation.NOTIFY, one.pcu, one.stem, pc=pc)
        assert answer.rsc == RSC.BAD_REQUEST, pc
        assert said(answer)


async def test_a_poller_does_not_hold_up_the_end_of_the_server(wire: Wire, url: str) -> None:
    async with Server(config(url)) as server, client(wire, server) as cse:
        one = await polled(cse)
        waiting = asyncio.create_task(one.poll(3_600_000))
        fetching = asyncio.create_task(cse.send(Operation.NOTIFY, f"cse-in/{one.stem}", ADMIN, pc=NOTE))
        assert (await waiting).rsc == RSC.OK
        await one.answer((await waiting).pc["m2m:rqp"]["rqi"])
        await fetching
        waiting = asyncio.create_task(one.poll(15_000))
        assert (await cse.seen("cse-in"))["csi"] == "/id-in"
        await server.stop()
        assert (await waiting).rsc == RSC.REQUEST_TIMEOUT
