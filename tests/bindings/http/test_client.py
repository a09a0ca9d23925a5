"""The HTTP client against real servers: our own, plain ones, and broken ones."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from bindings.http.client import HttpSender
from bindings.http.server import serve
from bindings.ports import Sender
from cse.codes import Operation, ResponseStatusCode
from cse.errors import BadRequest, RequestTimeout, TargetNotReachable
from cse.primitives import Request, Response

NOTIFY = Request(op=Operation.NOTIFY, to="http://target", fr="/id-in", rqi="n1", rvi="3", pc={"m2m:sgn": {"vrq": True}})
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture
async def sender() -> AsyncIterator[Sender]:
    sender = HttpSender(response_limit=1000)
    yield sender
    await sender.close()


@asynccontextmanager
async def target(talk: Talk) -> AsyncIterator[str]:
    """A server that is no CSE: ``talk`` has each connection after the head of its first request."""

    talks: dict[asyncio.StreamWriter, asyncio.Task[None]] = {}

    async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            await talk(reader, writer)
        writer.close()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talks[writer] = asyncio.create_task(serve_one(reader, writer))

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for writer, task in talks.items():
            task.cancel()
            writer.transport.abort()
            with suppress(ConnectionError):
                await writer.wait_closed()
        await asyncio.gather(*talks.values(), return_exceptions=True)


def saying(data: bytes) -> Talk:
    async def talk(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()

    return talk


async def test_requests_and_answers_cross_the_wire_as_they_are(sender: Sender) -> None:
    seen: list[Request] = []

    def handler(request: Request) -> Response:
        seen.append(request)
        return Response(ResponseStatusCode.NOT_FOUND, request.rqi, {"m2m:dbg": "nö"}, rvi="3")

    listener = await serve(handler, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{listener.address[1]}"
    for media in ("", "?ct=json", "?ct=cbor"):
        request = Request(op=Operation.CREATE, to="/id-in/a b#ä", fr="CÄ", rqi="r1", rvi="3", ty=4, rcn=1, pc={"m2m:cin": {"con": 2**63}})
        answer = await sender.send(url + media, request, 30)
        assert answer == Response(ResponseStatusCode.NOT_FOUND, "r1", {"m2m:dbg": "nö"}, rvi="3")
    assert [(request.to, request.fr, request.ty, request.rcn, request.pc) for request in seen] == [
        ("/id-in/a b#ä", "CÄ", 4, 1, {"m2m:cin": {"con": 2**63}})
    ] * 3
    await sender.close()
    await listener.close(1)


async def test_a_connection_is_used_again(sender: Sender) -> None:
    connections = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        for _ in range(3):
            await reader.readuntil(b"}}")
            writer.write(b"HTTP/1.1 200 OK\r\nX-M2M-RSC: 2000\r\nContent-Length: 0\r\n\r\n")

    async with target(talk) as url:
        for _ in range(3):
            assert (await sender.send(url, NOTIFY, 30)).rsc == 2000
    assert connections == 1


async def test_a_notification_is_sent_again_when_the_kept_connection_was_just_closed(sender: Sender) -> None:
    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"}}")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await reader.read(1)

    async with target(once) as url:
        assert (await sender.send(url, NOTIFY, 30)).ok
        assert (await sender.send(url, NOTIFY, 30)).ok


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"HTTP/1.1 204 No Content\r\n\r\n", 2000),
        (b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>", 2000),
        (b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{", 2000),
        (b"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n", 4000),
        (b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", 5000),
        (b"HTTP/1.1 403 No\r\nX-M2M-RSC: 5105\r\nContent-Length: 0\r\n\r\n", 5105),
    ],
)
async def test_plain_web_servers_are_understood(sender: Sender, data: bytes, code: int) -> None:
    async with target(saying(data)) as url:
        assert (await sender.send(url, NOTIFY, 30)).rsc == code


@pytest.mark.parametrize(
    "data",
    [
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n" + b"x" * 1001,
        b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 100_000,
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX-M2M-RSC: many\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX-M2M-RSC: 2000\r\nContent-Type: application/json\r\nContent-Length: 1\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
    ],
)
async def test_nonsense_is_a_bad_request(sender: Sender, data: bytes) -> None:
    async with target(saying(data)) as url:
        with pytest.raises(BadRequest):
            await sender.send(url, NOTIFY, 30)


async def test_a_target_that_hangs_is_a_timeout(sender: Sender) -> None:
    released = asyncio.Event()

    async def hang(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
        await released.wait()

    async with target(hang) as url:
        with pytest.raises(RequestTimeout, match=url):
            await sender.send(url, NOTIFY, 0.05)
        released.set()
    with pytest.raises(RequestTimeout):
        await sender.send(url, NOTIFY, 0)


async def test_a_target_that_refuses_or_hangs_up_is_not_reachable(sender: Sender) -> None:
    async with target(saying(b"")) as url:
        with pytest.raises(TargetNotReachable, match=url):
            await sender.send(url, NOTIFY, 30)
    with pytest.raises(TargetNotReachable, match=url):
        await sender.send(url, NOTIFY, 30)


@pytest.mark.parametrize("url", ["http://", "http://a..b/", "http://[::1", "nothing", "http://127.0.0.1:0/", "mqtt://127.0.0.1"])
async def test_what_is_no_address_is_not_reachable(sender: Sender, url: str) -> None:
    with pytest.raises(TargetNotReachable):
        await sender.send(url, NOTIFY, 30)


async def test_closing_twice_or_unused_is_fine() -> None:
    sender = HttpSender()
    await sender.close()
    await sender.close()


OK = b"HTTP/1.1 200 OK\r\nX-M2M-RSC: 2000\r\nContent-Length: 0\r\n\r\n"
CREATE = Request(op=Operation.CREATE, to="cse/a", fr="/id-in", rqi="c1", rvi="3", ty=4, pc={"m2m:cin": {"con": "1"}})


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 100 Continue\r\n\r\n" + OK,
        b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + OK,
        b"HTTP/1.1 200 OK\r\nX-M2M-RSC: 2000\r\nTransfer-Encoding: chunked\r\nContent-Type: application/json\r\n\r\n1\r\n{\r\n1;x=y\r\n}\r\n0\r\nT: x\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nX-M2M-RSC: 2000\r\n\r\n",
    ],
)
async def test_every_form_of_an_answer_is_read(sender: Sender, data: bytes) -> None:
    async with target(saying(data)) as url:
        assert (await sender.send(url, NOTIFY, 30)).rsc == 2000


async def test_an_answer_may_come_byte_by_byte(sender: Sender) -> None:
    async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for byte in b"HTTP/1.1 200 OK\r\nX-M2M-RSC: 2000\r\nTransfer-Encoding: chunked\r\nContent-Type: application/json\r\n\r\n2\r\n{}\r\n0\r\n\r\n":
            writer.write(bytes([byte]))
            await asyncio.sleep(0)

    async with target(drip) as url:
        assert (await sender.send(url, NOTIFY, 30)).pc == {}


async def test_the_request_names_the_host_and_what_the_url_holds(sender: Sender) -> None:
    heads: list[bytes] = []

    async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(OK)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve_one, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    for rest in ("", "/a%2Fb?c=d", "?c=d"):
        await sender.send(f"http://us%20er:s%3Aecret@127.0.0.1:{port}{rest}", NOTIFY, 30)
    server.close()
    assert [head.split(b"\r\n")[0] for head in heads] == [b"POST / HTTP/1.1", b"POST /a%2Fb?c=d HTTP/1.1", b"POST /?c=d HTTP/1.1"]
    lines = heads[0].split(b"\r\n")
    assert f"Host: 127.0.0.1:{port}".encode() in lines
    assert b"Authorization: Basic dXMgZXI6czplY3JldA==" in lines


async def test_what_comes_unasked_is_nobodys_answer(sender: Sender) -> None:
    """A second answer on a kept connection must not be taken for that of the next request."""
    twice = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"}}")
        writer.write(OK)
        await twice.wait()
        writer.write(b"HTTP/1.1 403 No\r\nX-M2M-RSC: 4103\r\nContent-Length: 0\r\n\r\n")
        await reader.read(1)

    async with target(talk) as url:
        assert (await sender.send(url, NOTIFY, 30)).rsc == 2000
        twice.set()
        for _ in range(20):
            await asyncio.sleep(0.01)
        assert (await sender.send(url, NOTIFY, 30)).rsc == 2000


async def test_a_create_is_not_repeated_when_the_kept_connection_was_closed(sender: Sender) -> None:
    """Its first sending may have been carried out."""
    got: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        got.append(await reader.readuntil(b"}}"))
        if len(got) == 1:
            writer.write(OK)
            await reader.readuntil(b"}}")

    async with target(talk) as url:
        assert (await sender.send(url, CREATE, 30)).rsc == 2000
        with pytest.raises(TargetNotReachable, match=url):
            await sender.send(url, CREATE, 30)
    assert len(got) == 1


async def test_no_more_connections_are_used_than_allowed() -> None:
    sender, most, now = HttpSender(connections=3), 0, 0

    async def talk(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal most, now
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.02)
        now -= 1
        writer.write(OK.replace(b"Content-Length", b"Connection: close\r\nContent-Length"))

    async with target(talk) as url:
        answers = await asyncio.gather(*(sender.send(url, NOTIFY, 30) for _ in range(12)))
    await sender.close()
    assert [answer.rsc for answer in answers] == [2000] * 12
    assert most == 3


async def test_a_connection_whose_request_was_given_up_is_not_used_again(sender: Sender) -> None:
    connections = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        if connections == 1:
            await reader.read()
        writer.write(OK)

    async with target(talk) as url:
        with pytest.raises(RequestTimeout):
            await sender.send(url, NOTIFY, 0.05)
        assert (await sender.send(url, NOTIFY, 30)).rsc == 2000
    assert connections == 2
