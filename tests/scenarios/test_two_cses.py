"""Two CSEs that reach each other: requests are handed on, groups and notifications cross over (TS-0004 7.3.2.6, 7.3.2.8, procedures 2)."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio

from bindings.serve import Server
from cse.codes import Operation
from cse.codes import ResponseStatusCode as RSC
from cse.primitives import Request, Response
from tests.scenarios.bed import ADMIN, AE, Client, Receiver, Wire, client, config, content, members, name, receiving, said, url_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOWHERE = "http://127.0.0.1:9"


def free(binding: str) -> int:
    """Give a port that nobody has."""
    with socket.socket(type=socket.SOCK_STREAM if binding == "http" else socket.SOCK_DGRAM) as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@dataclass
class Pair:
    """``here`` speaks to /id-in, ``there`` to /id-mn; ``policy`` at /id-mn lets the AE ``stem`` of /id-in do everything."""

    here: Client
    there: Client
    stem: str
    policy: str

    async def shared(self, **attributes: Any) -> str:
        """Make a container at /id-mn that the AE of /id-in may use; its address for /id-in."""
        made = await self.there.made("cse-mn", "cnt", {"rn": name("cnt"), "acpi": [self.policy], **attributes})
        return f"/id-mn/{made['path']}"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pair(kind: str, wire: Wire, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pair]:
    """Two servers with routes to each other over this wire, and one that leads to nobody."""
    ports = [free(wire.binding) for _ in range(2)]
    urls = [f"{wire.binding}://127.0.0.1:{port}?ct={wire.media}" for port in ports]
    listen = f"{wire.binding}__listen"
    paths = [url_of(kind, tmp_path_factory.mktemp(kind)) for _ in range(2)]
    one = config(paths[0], **{listen: f"127.0.0.1:{ports[0]}"}, registration__routes=[f"/id-mn {urls[1]}", f"/id-gone {NOWHERE}"])
    mn = {"cse__cse_id": "/id-mn", "cse__cse_name": "cse-mn", "cse__cse_type": 2}
    two = config(paths[1], **{listen: f"127.0.0.1:{ports[1]}"}, registration__routes=[f"/id-in {urls[0]}"], **mn)
    async with Server(one) as first, Server(two) as second, client(wire, first) as here, client(wire, second) as there:
        stem = await here.ae()
        rules = {"pv": {"acr": [{"acor": [f"/id-in/{stem}", "/id-in/CAdmin"], "acop": 63}]}, "pvs": {"acr": [{"acor": [ADMIN], "acop": 63}]}}
        policy = await there.made("cse-mn", "acp", {"rn": name("acp"), **rules})
        yield Pair(here, there, stem, policy["ri"])


async def test_every_operation_goes_through(pair: Pair) -> None:
    """The other CSE sees the originator as /id-in/Cxxx and judges for itself; the answer carries the request's own identifier."""
    place = await pair.shared()
    made = await pair.here.create(place, "cin", {"con": "7", "cr": None}, fr=pair.stem, rqi="mine-1")
    assert (made.rsc, made.rqi) == (RSC.CREATED, "mine-1")
    assert made.pc["m2m:cin"]["cr"].endswith(f"/id-in/{pair.stem}")
    assert (await pair.there.seen(f"{place}/la"))["con"] == "7", "its own CSE-ID in front is its own address"
    assert (await pair.here.seen(f"{place}/la", pair.stem))["con"] == "7"
    assert (await pair.here.seen(f"//acme.example.com{place}/la", pair.stem))["con"] == "7"
    assert (await pair.here.changed(place, "cnt", {"lbl": ["far"]}, pair.stem))["lbl"] == ["far"]
    answer = await pair.here.retrieve(place, pair.stem, fc={"fu": 1, "ty": [4]}, drt=2)
    assert answer.pc == {"m2m:uril": [made.pc["m2m:cin"]["ri"]]}
    answer = await pair.here.retrieve(place, pair.stem, rcn=6, fc={"lim": 1})
    assert len(answer.pc["m2m:rrl"]["rrf"]) == 1
    assert (await pair.here.retrieve(place, pair.stem, pc={"m2m:atrl": ["lbl"]})).pc == {"m2m:cnt": {"lbl": ["far"]}}
    assert (await pair.here.delete(f"{place}/la", pair.stem)).rsc == RSC.DELETED
    assert (await pair.here.retrieve(f"{place}/la", pair.stem)).rsc == RSC.NOT_FOUND


async def test_a_refusal_of_the_other_comes_back_as_it_is(pair: Pair) -> None:
    place = await pair.shared()
    stranger = await pair.here.ae()
    for answer, code in (
        (await pair.here.retrieve(place, stranger), RSC.ORIGINATOR_HAS_NO_PRIVILEGE),
        (await pair.here.retrieve(f"{place}/nowhere", pair.stem), RSC.NOT_FOUND),
        (await pair.here.create(place, "cin", {"colour": 1}, fr=pair.stem), RSC.BAD_REQUEST),
        (await pair.here.create(place, "ae", AE, fr=pair.stem), RSC.BAD_REQUEST),
        (await pair.here.create("/id-mn", "ae", AE, fr=name("C")), RSC.BAD_REQUEST),
    ):
        assert answer.rsc == code
        assert said(answer)


async def test_a_cse_that_is_unknown_or_gone_is_told_apart(pair: Pair) -> None:
    """No route 4004, a route to nobody 5103."""
    assert (await pair.here.retrieve("/id-unknown/x", pair.stem)).rsc == RSC.NOT_FOUND
    assert (await pair.here.retrieve("//other.example.com/id-mn/x", pair.stem)).rsc == RSC.NOT_FOUND
    answer = await pair.here.retrieve("/id-gone/x", pair.stem)
    assert answer.rsc == RSC.TARGET_NOT_REACHABLE
    assert "/id-gone" in said(answer)


async def test_a_group_reaches_members_of_both_and_tells_of_each(pair: Pair) -> None:
    near = (await pair.here.made(f"cse-in/{pair.stem}", "cnt", {"rn": name("cnt")}, fr=pair.stem))["path"]
    far = [await pair.shared() for _ in range(3)]
    mid = [far[0], near, far[1], "/id-gone/x", far[2], "/id-mn/nowhere"]
    made = await pair.here.made(f"cse-in/{pair.stem}", "grp", {"rn": name("grp"), "mnm": 9, "mid": mid}, fr=pair.stem)
    found = members(await pair.here.create(f"{made['path']}/fopt", "cin", {"con": "x"}, fr=pair.stem))
    assert [each["fr"] for each in found] == mid
    good = RSC.CREATED
    assert [each["rsc"] for each in found] == [good, good, good, RSC.TARGET_NOT_REACHABLE, good, RSC.NOT_FOUND]
    assert [(await pair.there.seen(place))["cni"] for place in far] == [1, 1, 1]


async def test_members_of_another_cse_are_typed_by_asking(pair: Pair) -> None:
    """RETRIEVE of their ``ty``; one that cannot be reached leaves mtv false (TS-0004 7.4.13.2.1)."""
    far = await pair.shared()
    group = {"rn": name("grp"), "mnm": 9, "mt": 3}
    made = await pair.here.made(f"cse-in/{pair.stem}", "grp", {**group, "mid": [far]}, fr=pair.stem)
    assert (made["mid"], made["mtv"]) == ([far], True)
    made = await pair.here.made(f"cse-in/{pair.stem}", "grp", {**group, "rn": name("grp"), "mid": [far, "/id-gone/x"]}, fr=pair.stem)
    assert (made["mid"], made["mtv"]) == ([far, "/id-gone/x"], False)
    answer = await pair.here.create(f"cse-in/{pair.stem}", "grp", {**group, "rn": name("grp"), "mt": 2, "csy": 2, "mid": [far]}, fr=pair.stem)
    assert answer.rsc == RSC.GROUP_MEMBER_TYPE_INCONSISTENT


async def test_groups_that_contain_each_other_across_cses_end(pair: Pair) -> None:
    """The group request identifier goes along, so that the loop is cut where it closes (procedures 11.2)."""
    far = await pair.shared()
    outer = (await pair.here.made(f"cse-in/{pair.stem}", "grp", {"rn": name("grp"), "mnm": 9, "mid": []}, fr=pair.stem))["path"]
    inner = (await pair.there.made("cse-mn", "grp", {"rn": name("grp"), "mnm": 9, "acpi": [pair.policy], "mid": [far, f"/id-in/{outer}/fopt"]}))["path"]
    await pair.here.changed(outer, "grp", {"mid": [f"/id-mn/{inner}/fopt"]}, pair.stem)
    found = members(await pair.here.create(f"{outer}/fopt", "cin", {"con": "x"}, fr=pair.stem))
    assert sorted(each["rsc"] for each in found) == [RSC.CREATED, RSC.GROUP_REQUEST_IDENTIFIER_EXISTS]
    assert (await pair.there.seen(far))["cni"] == 1


async def test_a_subscriber_of_the_other_cse_is_verified_and_told(pair: Pair, wire: Wire) -> None:
    """A target that is an AE registered elsewhere: through its CSE to its point of access, where that lets the NOTIFY pass."""
    async with receiving(wire) as target:
        stem = await pair.there.ae(poa=[target.poa])
        rules = {"pv": {"acr": [{"acor": ["/id-in"], "acop": 16}]}, "pvs": {"acr": [{"acor": [ADMIN], "acop": 63}]}}
        policy = await pair.there.made("cse-mn", "acp", {"rn": name("acp"), **rules})
        place = (await pair.here.made(f"cse-in/{pair.stem}", "cnt", {"rn": name("cnt")}, fr=pair.stem))["path"]
        subscription = {"nu": [f"/id-mn/{stem}"], "enc": {"net": [3]}}
        answer = await pair.here.create(place, "sub", subscription, fr=pair.stem)
        assert answer.rsc == RSC.SUBSCRIPTION_VERIFICATION_INITIATION_FAILED, "the AE has not permitted it"
        await pair.there.changed(stem, "ae", {"acpi": [policy["ri"]]}, stem)
        await pair.here.made(place, "sub", subscription, fr=pair.stem)
        assert (await target.verification())["vrq"] is True
        await pair.here.made(place, "cin", {"con": "news"}, fr=pair.stem)
        notified = await target.next()
        assert content(notified)["con"] == "news"
        assert notified["sur"].startswith("/id-in/"), "an address that is valid where the notification arrives"


@dataclass
class Peer:
    """A server with a route over this wire to a CSE that is played by ``receiver``."""

    cse: Client
    receiver: Receiver


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def peer(wire: Wire) -> AsyncIterator[Peer]:
    """One for all tests of a module."""
    async with (
        receiving(wire) as receiver,
        Server(config("memory:", registration__routes=[f"/id-mn {receiver.poa}"])) as server,
        client(wire, server) as connected,
    ):
        yield Peer(connected, receiver)


async def test_members_of_other_cses_are_asked_at_the_same_time(wire: Wire) -> None:
    """Nobody answers before all have been asked: one after the other would never end."""
    everybody, asked = asyncio.Event(), list[str]()

    async def together(request: Request) -> Response:
        asked.append(request.to)
        if len(asked) == 8:
            everybody.set()
        await everybody.wait()
        return Response(RSC.OK, request.rqi, {"m2m:cnt": {"rn": request.to}}, rvi=request.rvi)

    async with AsyncExitStack() as parts:
        peers = [await parts.enter_async_context(receiving(wire, together)) for _ in range(8)]
        routes = [f"/p{number} {each.poa}" for number, each in enumerate(peers)]
        server = await parts.enter_async_context(Server(config("memory:", registration__routes=routes)))
        cse = await parts.enter_async_context(client(wire, server))
        mid = [f"/p{number}/x" for number in range(8)]
        made = await cse.made("cse-in", "grp", {"rn": name("grp"), "mnm": 9, "mid": mid})
        found = members(await cse.retrieve(f"{made['path']}/fopt"))
    assert [(each["fr"], each["rsc"], each["pc"]) for each in found] == [(each, RSC.OK, {"m2m:cnt": {"rn": each}}) for each in mid]


async def test_a_cse_that_hangs_is_waited_for_as_long_as_the_request_lives(peer: Peer) -> None:
    release = asyncio.Event()

    async def hang(request: Request) -> Response:
        await release.wait()
        return Response(RSC.OK, request.rqi, rvi=request.rvi)

    peer.receiver.answer = hang
    assert (await peer.cse.retrieve("/id-mn/x", rqet=200)).rsc == RSC.REQUEST_TIMEOUT
    made = await peer.cse.made("cse-in", "grp", {"rn": name("grp"), "mnm": 9, "mid": ["/id-mn/x", "cse-in"]})
    found = members(await peer.cse.retrieve(f"{made['path']}/fopt", rqet=200))
    assert [each["rsc"] for each in found] == [RSC.REQUEST_TIMEOUT, RSC.OK], "what has answered is told"
    alone = await peer.cse.made("cse-in", "grp", {"rn": name("grp"), "mnm": 9, "mid": ["/id-mn/x"]})
    assert (await peer.cse.retrieve(f"{alone['path']}/fopt", rqet=200)).rsc == RSC.GROUP_MEMBERS_NOT_RESPONDED
    release.set()


async def test_parameters_go_along(peer: Peer) -> None:
    seen: list[Request] = []

    def take(request: Request) -> Response:
        seen.append(request)
        return Response(RSC.OK, request.rqi, {"m2m:cnt": {}}, rvi=request.rvi)

    peer.receiver.answer = take
    fc = {"fu": 2, "lbl": ["a", "b"], "lim": 3}
    answer = await peer.cse.send(Operation.RETRIEVE, "/id-mn/x", rqi="mine", rcn=4, fc=fc, rvi="3", ec=2)
    assert (answer.rsc, answer.rqi) == (RSC.OK, "mine")
    one = next(each for each in seen if each.rcn == 4)  # beside it a request of the story before may still arrive, over CoAP
    assert (one.op, one.to, one.fr, one.rcn, one.fc, one.rvi, one.ec) == (Operation.RETRIEVE, "/id-mn/x", f"/id-in/{ADMIN}", 4, fc, "3", 2)
    assert one.rqi != "mine", "unique at this hop"


async def test_a_group_gathers_the_notifications_of_members_of_both(pair: Pair, wire: Wire) -> None:
    """Subscriptions with nfu notify the group where they are; the target is asked once, by the group, and told by it alone (procedures 11.2)."""
    near = (await pair.here.made(f"cse-in/{pair.stem}", "cnt", {"rn": name("cnt")}, fr=pair.stem))["path"]
    far = await pair.shared()
    group = {"rn": name("grp"), "mnm": 9, "mid": [near, far], "nar": {"num": 2, "dur": "PT1H"}}
    made = await pair.here.made(f"cse-in/{pair.stem}", "grp", group, fr=pair.stem)
    async with receiving(wire) as target, receiving(wire) as other:
        subscription = {"rn": name("sub"), "nu": [pair.stem], "nfu": target.url, "enc": {"net": [3]}}
        found = members(await pair.here.create(f"{made['path']}/fopt", "sub", subscription, fr=pair.stem))
        assert [each["rsc"] for each in found] == [RSC.CREATED, RSC.CREATED], found
        assert (await target.verification())["sur"] == f"/id-in/{made['ri']}"
        assert found[1]["pc"]["m2m:sub"]["nu"] == [f"/id-in/{made['ri']}"]

        async def told(receiver: Receiver) -> list[tuple[str, str]]:
            await pair.here.made(near, "cin", {"con": "near"}, fr=pair.stem)
            await pair.there.made(far, "cin", {"con": "far"})
            each = (await receiver.request()).pc["m2m:agn"]["m2m:sgn"]
            return sorted((content(one)["con"], one["sur"].rpartition("/")[0]) for one in each)

        assert await told(target) == [("far", "/id-mn"), ("near", "/id-in")]
        found = members(await pair.here.update(f"{made['path']}/fopt/{subscription['rn']}", "sub", {"nfu": other.url}, pair.stem))
        assert [each["rsc"] for each in found] == [RSC.UPDATED, RSC.UPDATED]
        assert (await other.verification())["vrq"] is True
        assert await told(other) == [("far", "/id-mn"), ("near", "/id-in")]
        await pair.here.changed(made["path"], "grp", {"mid": [near, near]}, pair.stem)
        notified = {"m2m:sgn": {"nev": {"net": 3, "rep": {}}, "sur": "/id-mn/x", "nfu": other.url}}
        answer = await pair.there.send(Operation.NOTIFY, f"/id-in/{made['ri']}", "/id-mn", pc=notified)
        assert answer.rsc == RSC.ORIGINATOR_HAS_NO_PRIVILEGE, "it hosts no member any more"
        assert target.rest() == other.rest() == []
        assert target.verifications.empty()
        assert other.verifications.empty()


async def test_a_member_that_comes_back_is_typed_then(wire: Wire) -> None:
    """mtv false for now; the group looks again until it knows (TS-0004 7.4.13.2.1)."""
    async with receiving(wire) as peer, receiving(wire) as subscriber:
        peer.answer = lambda request: Response(RSC.OK, request.rqi, {"m2m:cnt": {"ty": 3, "ri": "x"}}, rvi=request.rvi)
        await peer.close()
        routes = [f"/id-mn {peer.poa}"]
        async with Server(config("memory:", registration__routes=routes, limits__member_retry_interval=0.1)) as server, client(wire, server) as cse:
            made = await cse.made("cse-in", "grp", {"rn": "g", "mnm": 9, "mt": 3, "mid": ["/id-mn/x"]})
            assert (made["mtv"], made["mid"]) == (False, ["/id-mn/x"])
            await cse.made(made["path"], "sub", {"nu": [subscriber.url], "enc": {"net": [1]}})
            await peer.open()
            shown = content(await subscriber.next(), "grp")
            assert (shown["mtv"], shown["mid"], shown["mt"]) == (True, ["/id-mn/x"], 3)
