"""The CoAP client against this server and against peers that do not behave."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
import uvloop

from bindings.coap.client import CoapSender
from bindings.coap.message import Code, Message, Type, decode, encode
from bindings.coap.server import serve
from cse.codes import Operation
from cse.codes import ResponseStatusCode as RSC
from cse.errors import BadRequest, RequestTimeout, TargetNotReachable
from cse.primitives import Request, Response
from tests.bindings.coap.wire import SECONDS

READ = Request(Operation.RETRIEVE, "cse-in/ae", fr="CAdmin", rqi="r1", rvi="3")


@asynccontextmanager
async def sending() -> AsyncIterator[CoapSender]:
    sender = CoapSender()
    try:
        yield sender
    finally:
        await sender.close()


class Peer(asyncio.DatagramProtocol):
    """A CoAP server that answers everything with one message, or not at all."""

    def __init__(self, answer: Message | None) -> None:
        self.answer = answer
        self.asked: list[Message] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        message = decode(data)
        assert message is not None
        self.asked.append(message)
        if self.answer is not None:
            token = b"" if self.answer.code == Code.EMPTY else message.token
            self.transport.sendto(encode(self.answer._replace(mid=message.mid, token=token)), addr)


@asynccontextmanager
async def peer(answer: Message | None) -> AsyncIterator[tuple[Peer, str]]:
    transport, protocol = await asyncio.get_running_loop().create_datagram_endpoint(lambda: Peer(answer), local_addr=("127.0.0.1", 0))
    try:
        yield protocol, f"coap://127.0.0.1:{transport.get_extra_info('sockname')[1]}"
    finally:
        transport.close()


@pytest.mark.parametrize("ct", ["", "?ct=json", "?ct=cbor"])
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_a_request_and_its_answer_in_blocks_both_ways(host: str, ct: str) -> None:
    seen: list[Request] = []

    def handler(request: Request) -> Response:
        seen.append(request)
        return Response(RSC.CREATED, request.rqi, {"m2m:cin": {"con": "y" * 20_000}}, rvi="3")

    listener = await serve(handler, host, 0)
    url = f"coap://{f'[{host}]' if ':' in host else host}:{listener.address[1]}/base{ct}"
    request = Request(Operation.CREATE, "/in/cse-in/cnt", fr="CAdmin", rqi="r1", rvi="3", ty=4, rcn=1, pc={"m2m:cin": {"con": "x" * 20_000}})
    async with sending() as sender:
        answer = await sender.send(url, request, SECONDS)
    await listener.close(0)
    assert answer == Response(RSC.CREATED, "r1", {"m2m:cin": {"con": "y" * 20_000}}, rvi="3")
    (asked,) = seen
    assert (asked.op, asked.to, asked.ty, asked.rcn, asked.pc) == (Operation.CREATE, "base/~/in/cse-in/cnt", 4, 1, request.pc)


async def test_an_error_of_the_other_side_is_an_answer() -> None:
    listener = await serve(lambda request: Response(RSC.NOT_FOUND, request.rqi, {"m2m:dbg": "gone"}), "127.0.0.1", 0)
    async with sending() as sender:
        answer = await sender.send(f"coap://127.0.0.1:{listener.address[1]}", READ, SECONDS)
    await listener.close(0)
    assert answer == Response(RSC.NOT_FOUND, "r1", {"m2m:dbg": "gone"}, rvi=READ.rvi)


async def test_a_notification_goes_to_exactly_its_url() -> None:
    async with peer(Message(Type.ACK, Code.CHANGED, 0, b"", (), b"")) as (server, url), sending() as sender:
        answer = await sender.send(f"{url}/a/b?c=d", Request(Operation.NOTIFY, f"{url}/a/b?c=d", fr="/in", rqi="n1", pc={"m2m:sgn": {"vrq": True}}), SECONDS)
        assert answer.rsc == RSC.OK
        (asked,) = server.asked
        assert (asked.type, asked.code, asked.payload) == (Type.CON, Code.POST, b'{"m2m:sgn":{"vrq":true}}')
        assert [found for number, found in asked.options if number in (11, 15)] == [b"a", b"b", b"c=d"]
        assert 267 not in dict(asked.options)


async def test_nobody_there() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    async with sending() as sender:
        with pytest.raises(TargetNotReachable, match=str(port)):
            await sender.send(f"coap://127.0.0.1:{port}", READ, SECONDS)


@pytest.mark.parametrize("url", ["coap://no-such-host.invalid", f"coap://{'x' * 70}.invalid", "coap://[::1%nozone]/", "http://127.0.0.1/"])
async def test_urls_that_lead_nowhere(url: str) -> None:
    async with sending() as sender:
        with pytest.raises(TargetNotReachable):
            await sender.send(url, READ, SECONDS)


async def test_a_server_that_says_nothing() -> None:
    async with peer(None) as (_, url), sending() as sender:
        with pytest.raises(RequestTimeout):
            await sender.send(url, READ, 0.05)


async def test_a_server_that_resets() -> None:
    async with peer(Message(Type.RST, Code.EMPTY, 0, b"", (), b"")) as (_, url), sending() as sender:
        with pytest.raises(TargetNotReachable):
            await sender.send(url, READ, SECONDS)


@pytest.mark.parametrize(
    "answer",
    [
        Message(Type.ACK, Code.CONTENT, 0, b"", ((307, b"\x07\xd0"),), b"nonsense"),
        Message(Type.ACK, Code.CONTENT, 0, b"", ((307, b"\x09\x09"),), b""),
        Message(Type.ACK, Code.CONTENT, 0, b"", ((23, b"\x1e"),), b"x"),
        Message(Type.ACK, Code.CONTENT, 0, b"", ((27, b"\x18"),), b"x"),
    ],
)
async def test_a_server_that_answers_nonsense(answer: Message) -> None:
    async with peer(answer) as (_, url), sending() as sender:
        with pytest.raises(BadRequest):
            await sender.send(url, READ, SECONDS)


async def test_many_at_once_over_one_socket() -> None:
    listener = await serve(lambda request: Response(RSC.OK, request.rqi, {"a": request.to}), "127.0.0.1", 0)
    async with sending() as sender:
        url = f"coap://127.0.0.1:{listener.address[1]}"
        answers = await asyncio.gather(*(sender.send(url, Request(Operation.RETRIEVE, f"x{n}", fr="C", rqi=str(n)), SECONDS) for n in range(50)))
    await listener.close(0)
    assert [(answer.rqi, answer.pc) for answer in answers] == [(str(n), {"a": f"x{n}"}) for n in range(50)]


@pytest.mark.parametrize(("host", "lookups"), [("127.0.0.1", 1), ("::1", 1), ("localhost", 3)])
async def test_a_numeric_address_is_looked_up_once_and_a_name_each_time(host: str, lookups: int, monkeypatch: pytest.MonkeyPatch) -> None:
    loop, asked = asyncio.get_running_loop(), []
    real = loop.getaddrinfo

    async def counted(host: str, *rest: Any, **more: Any) -> Any:
        asked.append(host)
        return await real(host, *rest, **more)

    monkeypatch.setattr(loop, "getaddrinfo", counted)
    listener = await serve(lambda request: Response(RSC.OK, request.rqi, rvi="3"), host, 0)
    url = f"coap://{f'[{host}]' if ':' in host else host}:{listener.address[1]}"
    asked.clear()
    async with sending() as sender:
        for _ in range(3):
            assert (await sender.send(url, READ, SECONDS)).rsc is RSC.OK
    await listener.close(0)
    assert len(asked) == lookups


async def test_who_comes_back_at_its_address_is_found_there() -> None:
    port = 0
    async with sending() as sender:
        for _ in range(3):
            listener = await serve(lambda request: Response(RSC.OK, request.rqi, rvi="3"), "127.0.0.1", port)
            port = listener.address[1]
            assert (await sender.send(f"coap://127.0.0.1:{port}", READ, SECONDS)).rsc is RSC.OK
            await listener.close(0)
            with pytest.raises(TargetNotReachable):
                await sender.send(f"coap://127.0.0.1:{port}", READ, SECONDS)


async def test_it_can_be_closed_without_having_sent() -> None:
    await CoapSender().close()


def test_a_dead_server_does_no_harm_to_others_on_the_loop_of_the_process() -> None:
    """A port that is closed leaves an error in the one socket for all servers, after which uvloop would not read it any more."""

    async def story() -> list[RSC | None]:
        alive, gone = [await serve(lambda request: Response(RSC.OK, request.rqi), "127.0.0.1", 0) for _ in range(2)]
        ports = [alive.address[1], gone.address[1]]
        await gone.close(0)
        async with sending() as sender:

            async def told(port: int) -> RSC | None:
                try:
                    return (await sender.send(f"coap://127.0.0.1:{port}", READ, SECONDS)).rsc
                except TargetNotReachable:
                    return None

            found = [await told(port) for port in (*ports, *ports, ports[0])]
        await alive.close(0)
        return found

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(story()) == [RSC.OK, None, RSC.OK, None, RSC.OK]
