"""Clients of other platforms on a server with the compatibility profile: over HTTP and CoAP, on every store, and after a restart."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from aiocoap import POST, Context, Message  # type: ignore[import-untyped]
from aiocoap.numbers import OptionNumber  # type: ignore[import-untyped]

from bindings.serve import Server
from cse.codes import Operation
from cse.codes import ResponseStatusCode as RSC
from cse.primitives import Request, Response
from tests.scenarios.bed import AE, Client, Receiver, Wire, agree, client, config, content, name, refuse, said, url_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

ON: dict[str, Any] = {"compat__http": True, "compat__coap": True}
OLD: dict[str, Any] = {"rvi": None, "rqi": None}
"""A request without release and identifier."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(kind: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    """A lenient server on an empty store of each kind."""
    async with Server(config(url_of(kind, tmp_path_factory.mktemp(kind)), **ON)) as running:
        yield running


async def register(cse: Client, user: str) -> dict[str, Any]:
    """Register an AE as clients of other platforms do."""
    attributes = {"rn": name("ae"), "api": "app-meter", "rr": "true", "lbl": "Type/meter"}
    return await cse.made("/id-in/cse-in", "ae", attributes, fr=user, **OLD)


async def test_a_client_of_another_platform_registers_stores_data_and_lets_another_read_it(cse: Client) -> None:
    user, guest = f"{name('user')}:secret", f"{name('user')}:guest"
    ae = await register(cse, user)
    assert (ae["rr"], ae["lbl"], ae["srv"], ae["api"]) == (True, ["Type/meter"], ["4"], "app-meter")
    place = f"id-in/cse-in/{ae['rn']}"
    box = await cse.made(place, "cnt", {"rn": "box", "mni": "2", "cr": None}, fr=user, **OLD)
    assert (box["mni"], box["cr"]) == (2, ae["aei"])
    for value in ("1", "2", "3"):
        await cse.made(f"/id-in/{ae['rn']}/box", "cin", {"con": value}, fr=user, **OLD)
    assert (await cse.seen(f"/cse-in/{ae['rn']}/box", user, **OLD))["cni"] == 2, "mni counts as a number"
    assert (await cse.seen(f"id-in/{ae['ri']}/box/la", user, **OLD))["con"] == "3", "content that looks like a number stays text"

    assert (await cse.retrieve(f"{place}/box", guest, **OLD)).rsc == RSC.ORIGINATOR_HAS_NO_PRIVILEGE
    rules = {"acr": [{"acor": [user], "acop": "63"}, {"acor": guest, "acop": "34"}]}
    policy = await cse.made(place, "acp", {"pv": rules, "pvs": rules}, fr=user, **OLD)
    assert (await cse.send(Operation.UPDATE, f"{place}/box", user, pc={"m2m:cnt": {"acpi": policy["ri"]}}, **OLD)).rsc == RSC.UPDATED
    assert (await cse.seen(f"{place}/box", guest, **OLD))["acpi"] == [policy["ri"]]
    assert (await cse.retrieve(f"{place}/box", f"{user}x", **OLD)).rsc == RSC.ORIGINATOR_HAS_NO_PRIVILEGE


async def test_a_subscriber_that_does_not_understand_its_verification_is_notified(cse: Client, receiver: Receiver) -> None:
    """It answers 5000 to what it does not know; when it refuses, there is no subscription."""
    place = await cse.container()
    receiver.answer = refuse(RSC.INTERNAL_SERVER_ERROR)
    await cse.made(place, "sub", {"rn": "sub", "nu": receiver.url, "enc": {"net": "3"}, "nct": "1"}, **OLD)
    assert (await receiver.verification())["vrq"]
    receiver.answer = refuse(RSC.SUBSCRIPTION_HOST_HAS_NO_PRIVILEGE)
    refused = await cse.create(place, "sub", {"rn": "other", "nu": [receiver.url]}, **OLD)
    assert refused.rsc == RSC.SUBSCRIPTION_VERIFICATION_INITIATION_FAILED
    assert (await cse.retrieve(f"{place}/other")).rsc == RSC.NOT_FOUND
    receiver.answer = agree
    await cse.made(place, "cin", {"con": "x"})
    assert content(await receiver.next())["con"] == "x"


async def test_a_subscriber_that_waits_for_its_answer_before_it_answers_is_not_waited_for(cse: Client, receiver: Receiver) -> None:
    """As a client does that serves one request at a time."""
    place = await cse.container()
    created = asyncio.Event()

    async def after(request: Request) -> Response:
        await created.wait()
        return agree(request)

    receiver.answer = after
    await cse.made(place, "sub", {"rn": "sub", "nu": receiver.url, "enc": {"net": 3}}, rqet=300)
    created.set()
    await cse.made(place, "cin", {"con": "x"})
    assert content(await receiver.next())["con"] == "x"


async def test_who_is_not_in_the_list_is_served_strictly(url: str, wire: Wire) -> None:
    async with Server(config(url, compat__originators=["old:*", "Cold"])) as server, client(wire, server) as cse:
        assert (await cse.create("cse-in", "ae", {"api": "app", "rr": "false"}, fr="old:one", **OLD)).rsc == RSC.CREATED
        assert (await cse.create("cse-in", "ae", {"api": "app", "rr": "false"}, fr="Cold", **OLD)).rsc == RSC.CREATED
        strict = await cse.create("cse-in", "ae", {"api": "app", "rr": "false"}, fr="Cnew")
        assert strict.rsc == RSC.BAD_REQUEST
        assert "rr" in said(strict)
        assert (await cse.create("cse-in", "ae", AE, fr="new:one")).rsc == RSC.APP_RULE_VALIDATION_FAILED
        assert len(await cse.discovered("cse-in", ty=[2])) == 2


async def test_a_user_is_the_same_after_a_restart_and_when_the_profile_is_off_again(durable: str, wire: Wire) -> None:
    """What was made is as the standard has it, whoever reads it later."""
    user = "meter:secret"
    async with Server(config(durable, **ON)) as server, client(wire, server) as cse:
        ae = await register(cse, user)
        await cse.made(ae["ri"], "cnt", {"rn": "box"}, fr=user, **OLD)
    async with Server(config(durable, **ON)) as server, client(wire, server) as cse:
        assert (await cse.create("cse-in", "ae", {"api": "a", "rr": "1"}, fr=user)).rsc == RSC.ORIGINATOR_HAS_ALREADY_REGISTERED
        await cse.made(f"{ae['ri']}/box", "cin", {"con": "1"}, fr=user, **OLD)
    async with Server(config(durable)) as server, client(wire, server) as cse:
        assert (await cse.seen(f"{ae['ri']}/box/la", ae["aei"]))["con"] == "1"
        assert (await cse.retrieve(f"{ae['ri']}/box", user)).rsc == RSC.ORIGINATOR_HAS_NO_PRIVILEGE
        assert (await cse.retrieve(ae["ri"], ae["aei"], rvi=None)).rsc == RSC.RELEASE_VERSION_NOT_SUPPORTED


async def test_a_coap_client_of_release_1() -> None:
    """Its option numbers have no release version, and a name."""
    context = await Context.create_client_context()
    try:
        async with Server(config("memory:", compat__coap=True)) as server:
            assert server.coap is not None
            host, port = server.coap
            request = Message(code=POST, uri=f"coap://{host}:{port}/cse-in", content_format=50, payload=b'{"m2m:cnt": {"mni": "7"}}')
            for number, value in ((256, b"CAdmin"), (257, b"r1"), (258, b"named"), (267, b"\x03")):
                request.opt.add_option(OptionNumber(number).create_option(decode=value))
            answer = await context.request(request).response
            assert {leniency for leniency, count in server.leniencies.items() if count} == {"release", "text", "name-header"}
    finally:
        await context.shutdown()
    assert str(answer.code) == "2.01 Created"
    assert b'"rn":"named"' in answer.payload
    assert b'"mni":7' in answer.payload
