"""Requests that are acknowledged and carried out later (TS-0004 7.3.2.2-7.3.2.5, 7.4.12)."""

import asyncio
from typing import Any

import pytest

from bindings.serve import Server
from cse.codes import Operation
from cse.codes import ResponseStatusCode as RSC
from cse.primitives import Response
from tests.scenarios.bed import PATIENCE, Client, Receiver, Wire, client, config, name, said

pytestmark = pytest.mark.asyncio(loop_scope="module")

CIN = {"m2m:cin": {"con": "7"}}
PENDING = 3


async def ended(cse: Client, uri: str, fr: str) -> dict[str, Any]:
    """Poll a <request> until it has its result, as its originator would."""
    async with asyncio.timeout(PATIENCE):
        while True:
            found = await cse.seen(uri, fr)
            if found["rs"] not in (PENDING, 4):
                return found


async def accepted(cse: Client, rtv: int, op: Operation, to: str, fr: str, **more: Any) -> Response:
    rt = {"rtv": rtv, **({"nu": more.pop("nu")} if "nu" in more else {})}
    answer = await cse.send(op, to, fr, rt=rt, **more)
    assert answer.rsc in (RSC.ACCEPTED_FOR_NONBLOCKINGREQUESTSYNCH, RSC.ACCEPTED_FOR_NONBLOCKINGREQUESTASYNCH), answer
    return answer


async def test_the_result_is_polled(cse: Client) -> None:
    """Every operation; the reference in the acknowledgement leads to the <request> over the same binding."""
    stem = await cse.ae()
    place = (await cse.made(f"cse-in/{stem}", "cnt", {"rn": "c"}, fr=stem))["path"]
    for op, more, rsc in (
        (Operation.CREATE, {"ty": 4, "pc": CIN}, 2001),
        (Operation.RETRIEVE, {}, 2000),
        (Operation.UPDATE, {"pc": {"m2m:cnt": {"lbl": ["a"]}}}, 2004),
        (Operation.NOTIFY, {"pc": {"m2m:sgn": {}}}, 4005),
        (Operation.DELETE, {}, 2002),
    ):
        answer = await accepted(cse, 1, op, place, stem, rqi=f"mine-{op}", **more)
        assert (answer.rsc, answer.rqi, answer.rvi) == (1001, f"mine-{op}", "4")
        found = await ended(cse, answer.pc["m2m:uri"], stem)
        assert (found["ors"]["rsc"], found["ors"]["rqi"], found["op"], found["rid"]) == (rsc, f"mine-{op}", op, f"mine-{op}")
        assert (await cse.delete(answer.pc["m2m:uri"], stem)).rsc == RSC.DELETED
    assert (await cse.retrieve(place, stem)).rsc == RSC.NOT_FOUND


async def test_the_result_is_sent_to_the_originator(cse: Client, receiver: Receiver) -> None:
    stem = await cse.ae(poa=[receiver.poa])
    await cse.made(f"cse-in/{stem}", "cnt", {"rn": "c"}, fr=stem)
    answer = await accepted(cse, 2, Operation.CREATE, f"cse-in/{stem}/c", stem, rqi="mine", ty=4, pc=CIN)
    assert answer.rsc == 1002
    told = (await receiver.request()).pc["m2m:rsp"]
    assert (told["rsc"], told["rqi"], told["pc"]["m2m:cin"]["con"]) == (2001, "mine", "7")


async def test_the_result_is_sent_to_those_named(cse: Client, receiver: Receiver) -> None:
    stem = await cse.ae()
    await accepted(cse, 2, Operation.RETRIEVE, f"cse-in/{stem}", stem, rqi="mine", nu=[receiver.url])
    told = await receiver.request()
    assert (told.op, told.fr) == (Operation.NOTIFY, "/id-in")
    assert (told.pc["m2m:rsp"]["rsc"], told.pc["m2m:rsp"]["rqi"]) == (2000, "mine")


async def test_nobody_is_told_the_result_when_the_list_of_targets_is_empty(cse: Client, receiver: Receiver) -> None:
    stem = await cse.ae(poa=[receiver.poa])
    silent = await accepted(cse, 2, Operation.RETRIEVE, f"cse-in/{stem}", stem, rqi="silent", nu=[])
    assert (await ended(cse, silent.pc["m2m:uri"], stem))["mi"]["rt"] == {"rtv": 2, "nu": []}
    await accepted(cse, 2, Operation.RETRIEVE, f"cse-in/{stem}", stem, rqi="told")
    assert (await receiver.request()).pc["m2m:rsp"]["rqi"] == "told"


async def test_nothing_is_told_where_no_response_is_wished(cse: Client) -> None:
    stem = await cse.ae()
    await cse.made(f"cse-in/{stem}", "cnt", {"rn": "c"}, fr=stem)
    answer = await cse.send(Operation.CREATE, f"cse-in/{stem}/c", stem, rt={"rtv": 5}, ty=4, pc=CIN)
    assert (answer.rsc, answer.pc) == (RSC.ACCEPTED, None)
    assert (await cse.seen(f"cse-in/{stem}/c/la", stem))["con"] == "7"


async def test_a_flexible_request_is_answered_at_once_when_that_is_easy(cse: Client) -> None:
    stem = await cse.ae()
    assert (await cse.send(Operation.RETRIEVE, f"cse-in/{stem}", stem, rt={"rtv": 4})).rsc == RSC.OK


async def test_what_is_wrong_is_told_at_once(cse: Client) -> None:
    stem = await cse.ae()
    for rt, more in (({"rtv": 7}, {}), ({"rtv": 3, "nu": [stem]}, {}), ({"rtv": 1}, {"rp": "soon"}), ({"rtv": 1}, {"fc": {"lvl": 0}})):
        answer = await cse.send(Operation.RETRIEVE, "cse-in", stem, rt=rt, **more)
        assert answer.rsc == RSC.BAD_REQUEST
        assert said(answer)
    assert (await cse.send(Operation.RETRIEVE, "cse-in", stem, rt={"rtv": 1}, rqet=0)).rsc == RSC.REQUEST_TIMEOUT
    assert (await cse.create("cse-in", "req", {})).rsc == RSC.OPERATION_NOT_ALLOWED


async def test_a_blocking_request_waits_for_its_time(cse: Client) -> None:
    stem = await cse.ae()
    assert (await cse.send(Operation.RETRIEVE, f"cse-in/{stem}", stem, oet=50)).rsc == RSC.OK
    answer = await cse.send(Operation.RETRIEVE, f"cse-in/{stem}", stem, oet=60_000, rqet=1000)
    assert answer.rsc == RSC.REQUEST_TIMEOUT


async def test_results_and_what_waits_survive_a_restart(durable: str, wire: Wire, receiver: Receiver) -> None:
    stem = name("C")
    async with Server(config(durable)) as server, client(wire, server) as cse:
        await cse.made("cse-in", "ae", {"rn": stem, "api": "N.x", "rr": True, "srv": ["4"]}, fr=stem)
        await cse.made(f"cse-in/{stem}", "cnt", {"rn": "c"}, fr=stem)
        done = (await accepted(cse, 1, Operation.CREATE, f"cse-in/{stem}/c", stem, ty=4, pc=CIN)).pc["m2m:uri"]
        before = await ended(cse, done, stem)
        late = {"oet": 1500, "nu": [receiver.url], "rp": 60_000}
        waits = (await accepted(cse, 2, Operation.CREATE, f"cse-in/{stem}/c", stem, ty=4, pc=CIN, **late)).pc["m2m:uri"]
        recalled = (await accepted(cse, 1, Operation.CREATE, f"cse-in/{stem}/c", stem, ty=4, pc=CIN, oet=1500)).pc["m2m:uri"]
        assert (await cse.seen(waits, stem))["rs"] == PENDING
        assert (await cse.delete(recalled, stem)).rsc == RSC.DELETED
    async with Server(config(durable)) as server, client(wire, server) as cse:
        assert await cse.seen(done, stem) == before
        assert (await receiver.request()).pc["m2m:rsp"]["rsc"] == 2001
        assert (await ended(cse, waits, stem))["rs"] == 1
        assert (await cse.seen(f"cse-in/{stem}/c", stem))["cni"] == 2, "each was carried out once, the recalled one never"
