"""Notifications about several resources at once, also of two CSEs, and targets that leave (TS-0001 9.6.58, 10.2.16; TS-0004 7.4.30 to 7.4.33, 7.4.58)."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio

from bindings.serve import Server
from cse.codes import ResponseStatusCode as RSC
from cse.primitives import Request, Response
from tests.scenarios.bed import ADMIN, Client, Receiver, Wire, client, config, name, receiving, said, url_of
from tests.scenarios.test_two_cses import free

pytestmark = pytest.mark.asyncio(loop_scope="module")

READINGS = {"encn": [{"net": [3], "chty": [4]}]}


async def watched(cse: Client, receiver: Receiver, *places: str, **attributes: Any) -> dict[str, Any]:
    """Make a crossResourceSubscription to places, with windows of an hour; the receiver takes the verification."""
    given = {"rn": name("crs"), "rrat": list(places), "encs": READINGS, "twt": 2, "tws": "PT1H", "nu": [receiver.url], **attributes}
    made = await cse.made("cse-in", "crs", {key: value for key, value in given.items() if value is not None})
    asked = await receiver.verification()
    assert (asked["vrq"], asked["sur"], asked["cr"]) == (True, f"/id-in/{made['ri']}", ADMIN)
    return made


async def subscribers(cse: Client, place: str) -> list[dict[str, Any]]:
    """Give the subscriptions of a resource."""
    return list((await cse.seen(place, rcn=8)).get("m2m:sub", []))


async def until_gone(cse: Client, *paths: str) -> None:
    """Wait until resources do not exist any more."""
    async with asyncio.timeout(20):
        for path in paths:
            while (await cse.retrieve(path)).rsc != RSC.NOT_FOUND:
                pass


@pytest.mark.parametrize("twt", [1, 2])
async def test_one_notification_when_all_of_them_have_changed(cse: Client, receiver: Receiver, twt: int) -> None:
    one, two = await cse.container(), await cse.container()
    made = await watched(cse, receiver, one, two, twt=twt)
    for place in (one, one, two):
        await cse.made(place, "cin", {"con": "x"})
    request = await receiver.request()
    assert (request.fr, request.pc) == ("/id-in", {"m2m:sgn": {"sur": f"/id-in/{made['ri']}"}})
    assert len(made["rrats"]) == 2
    assert receiver.rest() == []


async def test_existing_subscriptions_take_part_and_are_as_before_afterwards(cse: Client, receiver: Receiver) -> None:
    one, two = await cse.container(), await cse.container()
    async with receiving(receiver.wire) as other:
        own = await cse.made(two, "sub", {"rn": "s", "nu": [other.url], "enc": READINGS["encn"][0]})
        made = await watched(cse, receiver, one, srat=[own["path"]], su=receiver.url)
        extended = await cse.seen(own["path"])
        assert (extended["nu"], extended["acrs"]) == ([other.url, f"/id-in/{made['ri']}"], [f"/id-in/{made['ri']}"])
        for place in (two, one):
            await cse.made(place, "cin", {"con": "x"})
        assert await receiver.next() == {"sur": f"/id-in/{made['ri']}"}
        assert (await other.next())["sur"] == f"/id-in/{own['ri']}"
    assert (await cse.delete(made["path"])).rsc == RSC.DELETED
    assert await receiver.next() == {"sud": True, "sur": f"/id-in/{made['ri']}"}
    assert await subscribers(cse, one) == []
    after = await cse.seen(own["path"])
    assert after["nu"] == [other.url]
    assert "acrs" not in after


async def test_silence_is_told_of_window_by_window(cse: Client, receiver: Receiver) -> None:
    """eem 4: nobody has reported; the end of each window decides."""
    made = await watched(cse, receiver, await cse.container(), await cse.container(), twt=1, tws="PT0.2S", eem=4, exc=3, su=receiver.url)
    told = [await receiver.next() for _ in range(4)]
    assert told == [{"sur": f"/id-in/{made['ri']}"}] * 3 + [{"sud": True, "sur": f"/id-in/{made['ri']}"}]
    await until_gone(cse, made["path"], *made["rrats"])


@pytest.mark.parametrize("twt", [1, 2])
async def test_a_part_of_them_is_told_of_at_the_end_of_the_window(cse: Client, receiver: Receiver, twt: int) -> None:
    one = await cse.container()
    made = await watched(cse, receiver, one, await cse.container(), twt=twt, tws="PT0.2S", eem=2, exc=1)
    await cse.made(one, "cin", {"con": "x"})
    assert await receiver.next() == {"sur": f"/id-in/{made['ri']}"}
    await until_gone(cse, made["path"])


async def test_one_target_that_fails_leaves_nothing(cse: Client, receiver: Receiver) -> None:
    one = await cse.container()
    given = {"rn": name("crs"), "encs": READINGS, "twt": 1, "tws": "PT1H", "nu": [receiver.url]}
    for wrong, code in (
        ({"rrat": [one, f"{one}/nowhere"]}, RSC.CROSS_RESOURCE_OPERATION_FAILURE),
        ({"rrat": [one], "srat": [one]}, RSC.CROSS_RESOURCE_OPERATION_FAILURE),
        ({"rrat": [one, "/id-unknown/x"]}, RSC.CROSS_RESOURCE_OPERATION_FAILURE),
        ({"rrat": [one], "encs": {"encn": [{"net": [3]}] * 2}}, RSC.BAD_REQUEST),
        ({"rrat": [one], "twt": 2, "eem": 3}, RSC.BAD_REQUEST),
        ({}, RSC.BAD_REQUEST),
    ):
        answer = await cse.create("cse-in", "crs", {**given, **wrong})
        assert answer.rsc == code
        assert said(answer)
    assert await subscribers(cse, one) == []
    assert (await cse.retrieve(f"cse-in/{given['rn']}")).rsc == RSC.NOT_FOUND


async def test_a_source_that_goes_takes_everything_along(cse: Client, receiver: Receiver) -> None:
    one, two = await cse.container(), await cse.container()
    made = await watched(cse, receiver, one, two, su=receiver.url)
    assert (await cse.delete(one)).rsc == RSC.DELETED
    assert await receiver.next() == {"sud": True, "sur": f"/id-in/{made['ri']}"}
    await until_gone(cse, made["path"])
    assert await subscribers(cse, two) == []


async def test_what_the_window_has_seen_outlives_a_restart(durable: str, wire: Wire, receiver: Receiver) -> None:
    async with Server(config(durable)) as server, client(wire, server) as cse:
        one, two = await cse.container(), await cse.container()
        made = await watched(cse, receiver, one, two, twt=1)
        await cse.made(one, "cin", {"con": "x"})
    async with Server(config(durable)) as server, client(wire, server) as cse:
        await cse.made(two, "cin", {"con": "x"})
        assert await receiver.next() == {"sur": f"/id-in/{made['ri']}"}


async def test_the_end_of_a_window_outlives_a_restart(durable: str, wire: Wire, receiver: Receiver) -> None:
    async with Server(config(durable)) as server, client(wire, server) as cse:
        one, two = await cse.container(), await cse.container()
        made = await watched(cse, receiver, one, two, tws="PT1S", eem=2)
        await cse.made(one, "cin", {"con": "x"})
    async with Server(config(durable)):
        assert await receiver.next() == {"sur": f"/id-in/{made['ri']}"}


@dataclass
class Pair:
    """Two CSEs; containers of the far one may be used by the administrator of the near one."""

    near: Client
    far: Client
    policy: str

    async def shared(self) -> str:
        """Make a container at the far CSE; its address there."""
        return str((await self.far.made("cse-mn", "cnt", {"rn": name("cnt"), "acpi": [self.policy]}))["path"])


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pair(kind: str, wire: Wire, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pair]:
    """Two servers with routes to each other over this wire."""
    ports = [free(wire.binding) for _ in range(2)]
    urls = [f"{wire.binding}://127.0.0.1:{port}?ct={wire.media}" for port in ports]
    paths = [url_of(kind, tmp_path_factory.mktemp(kind)) for _ in range(2)]
    listen = f"{wire.binding}__listen"
    one = config(paths[0], **{listen: f"127.0.0.1:{ports[0]}"}, registration__routes=[f"/id-mn {urls[1]}"])
    mn = {"cse__cse_id": "/id-mn", "cse__cse_name": "cse-mn", "cse__cse_type": 2}
    two = config(paths[1], **{listen: f"127.0.0.1:{ports[1]}"}, registration__routes=[f"/id-in {urls[0]}"], **mn)
    async with Server(one) as first, Server(two) as second, client(wire, first) as near, client(wire, second) as far:
        rules = {"acr": [{"acor": [f"/id-in/{ADMIN}"], "acop": 63}]}
        policy = await far.made("cse-mn", "acp", {"rn": name("acp"), "pv": rules, "pvs": rules})
        yield Pair(near, far, policy["ri"])


async def test_resources_of_two_cses_together(pair: Pair, receiver: Receiver) -> None:
    """The other CSE verifies the subscription while it is made, tells of its events, and is left when the end has come."""
    here, there = await pair.near.container(), await pair.shared()
    made = await watched(pair.near, receiver, here, f"/id-mn/{there}")
    (far,) = await subscribers(pair.far, there)
    assert (far["nu"], far["acrs"]) == ([f"/id-in/{made['ri']}"], [f"/id-in/{made['ri']}"])
    assert made["rrats"][1] == f"/id-mn/{far['ri']}"
    for _ in range(3):
        await pair.far.made(there, "cin", {"con": "x"})
        await pair.near.made(here, "cin", {"con": "x"})
        assert await receiver.next() == {"sur": f"/id-in/{made['ri']}"}
    assert (await pair.near.delete(made["path"])).rsc == RSC.DELETED
    await until_gone(pair.far, f"{there}/{far['rn']}")


async def test_existing_subscriptions_of_the_other_cse(pair: Pair, receiver: Receiver) -> None:
    here, there = await pair.near.container(), await pair.shared()
    own = await pair.far.made(there, "sub", {"rn": "s", "nu": [ADMIN], "enc": {"net": [3]}, "acpi": [pair.policy]})
    made = await watched(pair.near, receiver, here, srat=[f"/id-mn/{own['path']}"])
    assert (await pair.far.seen(own["path"]))["nu"] == [ADMIN, f"/id-in/{made['ri']}"]
    await pair.far.made(there, "cin", {"con": "x"})
    await pair.near.made(here, "cin", {"con": "x"})
    assert await receiver.next() == {"sur": f"/id-in/{made['ri']}"}
    assert (await pair.near.delete(made["path"])).rsc == RSC.DELETED
    async with asyncio.timeout(20):
        while (await pair.far.seen(own["path"]))["nu"] != [ADMIN]:
            pass


async def test_the_end_of_a_subscription_there_is_the_end_here(pair: Pair, receiver: Receiver) -> None:
    here, there = await pair.near.container(), await pair.shared()
    made = await watched(pair.near, receiver, here, f"/id-mn/{there}", su=receiver.url)
    assert (await pair.far.delete(there)).rsc == RSC.DELETED
    assert await receiver.next() == {"sud": True, "sur": f"/id-in/{made['ri']}"}
    await until_gone(pair.near, made["path"])
    assert await subscribers(pair.near, here) == []


async def test_nothing_is_left_there_when_something_here_fails(pair: Pair, receiver: Receiver) -> None:
    there = await pair.shared()
    given = {"rn": name("crs"), "rrat": [f"/id-mn/{there}", "cse-in/nowhere"], "encs": READINGS, "twt": 1, "tws": "PT1H", "nu": [receiver.url]}
    assert (await pair.near.create("cse-in", "crs", given)).rsc == RSC.CROSS_RESOURCE_OPERATION_FAILURE
    assert await subscribers(pair.far, there) == []


async def test_a_target_leaves_as_policies_have_it(cse: Client, wire: Wire) -> None:
    """No policy: it goes. Asked, the creator of the subscription decides. Informed, it hears of it only (TS-0004 7.4.33)."""
    answer: dict[str, Any] = {}

    def decide(request: Request) -> Response:
        return Response(RSC.OK, request.rqi, answer or None, rvi=request.rvi)

    async with receiving(wire, decide) as creator:
        me, leaver = await cse.ae(poa=[creator.poa]), await cse.ae(poa=[creator.poa])
        place = (await cse.made(f"cse-in/{me}", "cnt", {"rn": "c"}, me))["path"]
        made = await cse.made(place, "sub", {"rn": "s", "nu": [me, leaver], "enc": {"net": [3]}}, me)
        policies = {action: (await cse.made("cse-in", "ntp", {"plbl": name("p"), "acn": action}))["ri"] for action in (2, 3, 4)}
        refers = await cse.made(made["path"], "ntpr", {"ntu": [leaver], "npi": policies[2]}, me)
        question = {"sur": f"/id-in/{made['ri']}", "ntt": leaver, "trr": True}
        assert (await cse.delete(f"{made['path']}/ntsr", leaver)).rsc == RSC.ORIGINATOR_HAS_NO_PRIVILEGE
        assert creator.rest() == []
        await cse.changed(refers["path"], "ntpr", {"npi": policies[4]}, me)
        assert (await cse.delete(f"{made['path']}/ntsr", leaver)).rsc == RSC.ORIGINATOR_HAS_NO_PRIVILEGE
        assert await creator.next() == question
        await cse.changed(refers["path"], "ntpr", {"npi": policies[3]}, me)
        assert (await cse.delete(f"{made['path']}/ntsr", leaver)).rsc == RSC.ORIGINATOR_HAS_NO_PRIVILEGE
        assert await creator.next() == question
        answer["m2m:sgn"] = {"sur": question["sur"], "tra": True}
        assert (await cse.delete(f"{made['path']}/ntsr", leaver)).rsc == RSC.DELETED
        assert (await cse.seen(made["path"], me))["nu"] == [me]
        assert (await cse.retrieve(f"{made['path']}/ntsr", me)).rsc == RSC.OPERATION_NOT_ALLOWED
