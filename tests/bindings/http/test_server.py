"""The HTTP server over real sockets: what it hands on, what it refuses, and what it survives."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest

from bindings.credentials import Credentials
from bindings.http.server import HttpListener, serve
from bindings.ports import Listener
from bindings.serialization import Media, decode
from cse.codes import Operation, ResponseStatusCode
from cse.primitives import Peer, Request, Response

CIN = b'{"m2m:cin":{"con":"1"}}'
CREATE = b"POST /x HTTP/1.1\r\nHost: h\r\nX-M2M-RI: r1\r\nX-M2M-RVI: 3\r\nContent-Type: application/json;ty=4\r\n"


@dataclass
class Recorder:
    """A handler that keeps what it was handed and answers at once, or when ``gate`` opens."""

    requests: list[Request] = field(default_factory=list)
    gate: asyncio.Event | None = None
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    finished: asyncio.Event = field(default_factory=asyncio.Event)
    pc: Any = None

    def __call__(self, request: Request) -> Response | Awaitable[Response]:
        self.requests.append(request)
        self.arrived.set()
        answer = Response(ResponseStatusCode.OK, request.rqi, self.pc, rvi=request.rvi)
        return self._later(self.gate, answer) if self.gate else answer

    async def _later(self, gate: asyncio.Event, answer: Response) -> Response:
        await gate.wait()
        self.finished.set()
        return answer


@asynccontextmanager
async def listening(handler: Callable[[Request], Response | Awaitable[Response]], **options: Any) -> AsyncIterator[HttpListener]:
    listener = await serve(handler, "127.0.0.1", 0, **options)
    try:
        yield listener
    finally:
        await listener.close(1)


@asynccontextmanager
async def connected(listener: Listener) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(*listener.address)
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def answer_of(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], Any]:
    """Read one HTTP response."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:-2])}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return int(head[0].split()[1]), headers, decode(body, Media(headers["content-type"])) if body else None


async def tell(listener: Listener, data: bytes) -> tuple[int, dict[str, str], Any]:
    async with connected(listener) as (reader, writer):
        writer.write(data)
        return await answer_of(reader)


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture(autouse=True)
def _no_noise(caplog: pytest.LogCaptureFixture) -> Any:
    """Nothing that a client does to the server is an error of the server."""
    with caplog.at_level(logging.WARNING):
        yield
    assert not [record for record in caplog.get_records("call") if record.levelno >= logging.ERROR]


async def test_a_request_is_handed_on_and_its_answer_written(recorder: Recorder) -> None:
    recorder.pc = {"m2m:cin": {"con": "ä"}}
    async with listening(recorder) as listener:
        status, headers, pc = await tell(listener, CREATE + b"X-M2M-Origin: CAE\r\nContent-Length: %d\r\n\r\n" % len(CIN) + CIN)
    assert (status, pc) == (200, recorder.pc)
    assert (headers["x-m2m-rsc"], headers["x-m2m-ri"], headers["x-m2m-rvi"], headers["content-type"]) == ("2000", "r1", "3", "application/json")
    peer = Peer(address="127.0.0.1", listener="http")
    assert recorder.requests == [
        Request(op=Operation.CREATE, to="x", fr="CAE", rqi="r1", rvi="3", ty=4, pc={"m2m:cin": {"con": "1"}}, peer=peer),
    ]


async def test_an_answer_without_content_has_neither_body_nor_media_type(recorder: Recorder) -> None:
    async with listening(recorder) as listener:
        status, headers, pc = await tell(listener, b"GET /x HTTP/1.1\r\nHost: h\r\n\r\n")
    assert (status, pc, headers["content-length"]) == (200, None, "0")
    assert "content-type" not in headers
    assert "x-m2m-ri" not in headers


async def test_a_connection_serves_one_request_after_the_other_and_pipelined_ones_in_order(recorder: Recorder) -> None:
    async with listening(recorder) as listener, connected(listener) as (reader, writer):
        writer.write(b"".join(b"GET /x HTTP/1.1\r\nHost: h\r\nX-M2M-RI: %d\r\n\r\n" % number for number in range(3)))
        assert [(await answer_of(reader))[1]["x-m2m-ri"] for _ in range(3)] == ["0", "1", "2"]
        writer.write(b"GET /x HTTP/1.1\r\nHost: h\r\nX-M2M-RI: 3\r\n\r\n")
        assert (await answer_of(reader))[1]["x-m2m-ri"] == "3"


async def test_a_body_in_pieces_is_put_together(recorder: Recorder) -> None:
    async with listening(recorder) as listener:
        assert (await tell(listener, CREATE + b"Transfer-Encoding: chunked\r\n\r\n" + b"".join(b"1\r\n%c\r\n" % byte for byte in CIN) + b"0\r\n\r\n"))[0] == 200
        async with connected(listener) as (reader, writer):
            writer.write(CREATE + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(CIN))
            assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            writer.write(CIN)
            assert (await answer_of(reader))[0] == 200
    assert [request.pc for request in recorder.requests] == [{"m2m:cin": {"con": "1"}}] * 2


async def test_a_request_line_with_a_whole_url_is_served(recorder: Recorder) -> None:
    async with listening(recorder) as listener:
        await tell(listener, b"GET http://h:80/~/id-in/x?rcn=4 HTTP/1.1\r\nHost: h\r\n\r\n")
    assert [(request.to, request.rcn) for request in recorder.requests] == [("/id-in/x", 4)]


@pytest.mark.parametrize(
    ("data", "status", "code", "reason"),
    [
        (b"GET /x?rcn=abc HTTP/1.1\r\nHost: h\r\nX-M2M-RI: r1\r\n\r\n", 400, "4000", "rcn"),
        (b"GET /x%2Fy HTTP/1.1\r\nHost: h\r\nX-M2M-RI: r1\r\n\r\n", 400, "4000", "slash"),
        (b"GET /x%01 HTTP/1.1\r\nHost: h\r\nX-M2M-RI: r1\r\n\r\n", 400, "4000", "control"),
        (b"GET /x%ff HTTP/1.1\r\nHost: h\r\nX-M2M-RI: r1\r\n\r\n", 400, "4000", "UTF-8"),
        (b"PATCH /x HTTP/1.1\r\nHost: h\r\nX-M2M-RI: r1\r\n\r\n", 405, "4005", "PATCH"),
        (b"OPTIONS * HTTP/1.1\r\nHost: h\r\nX-M2M-RI: r1\r\n\r\n", 405, "4005", "OPTIONS"),
        (b"GET /x HTTP/1.1\r\nHost: h\r\nX-M2M-RI: r1\r\nX-M2M-Origin: \xff\r\n\r\n", 400, "4000", "X-M2M-Origin"),
        (b"GET /x HTTP/1.1\r\nHost: h\r\nX-M2M-RI: r1\r\nAccept: application/xml\r\n\r\n", 406, "5207", "application/xml"),
        (b"POST /x HTTP/1.1\r\nHost: h\r\nX-M2M-RI: r1\r\nContent-Length: 2\r\n\r\n{}", 415, "4015", "Content-Type"),
        (b"POST /x HTTP/1.1\r\nHost: h\r\nX-M2M-RI: r1\r\nContent-Type: application/xml;ty=3\r\nContent-Length: 2\r\n\r\n{}", 415, "4015", "xml"),
        (CREATE + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}", 415, "4015", "gzip"),
        (CREATE + b"Content-Length: 1\r\n\r\n{", 400, "4000", "broken"),
        (CREATE + b"Content-Length: 2\r\n\r\n[]", 400, "4000", "not an object"),
        (CREATE + b'Content-Length: 13\r\n\r\n{"a":1,"a":2}', 400, "4000", "more than once"),
        (CREATE + b'Content-Length: 9\r\n\r\n{"a":NaN}', 400, "4000", "NaN"),
        (CREATE + b'Content-Length: 9\r\n\r\n{"a":"\xff"}', 400, "4000", "UTF-8"),
        (CREATE + b'Content-Length: 26\r\n\r\n{"a":99999999999999999999}', 400, "4000", "64 bits"),
        (CREATE + b'Content-Length: 806\r\n\r\n{"a":' + b"[" * 400 + b"]" * 400 + b"}", 400, "4000", "64 levels"),
        (CREATE.replace(b"json", b"cbor") + b"Content-Length: 1\r\n\r\n\xa1", 400, "4000", "CBOR"),
        (CREATE.replace(b"ty=4", b"ty=x") + b"Content-Length: 2\r\n\r\n{}", 400, "4000", "ty"),
    ],
)
async def test_bad_requests_are_refused_by_name(recorder: Recorder, data: bytes, status: int, code: str, reason: str) -> None:
    async with listening(recorder) as listener:
        answer, headers, pc = await tell(listener, data)
    assert (answer, headers["x-m2m-rsc"], headers["x-m2m-ri"]) == (status, code, "r1")
    assert reason in pc["m2m:dbg"]
    assert recorder.requests == []


@pytest.mark.parametrize(
    ("method", "allowed"),
    [("HEAD", "GET, POST, PUT, DELETE"), ("PATCH", "GET, POST, PUT, DELETE"), ("PUT", "GET, POST, DELETE"), ("POST", "GET, POST, PUT, DELETE")],
)
async def test_what_is_not_allowed_tells_what_may_be(method: str, allowed: str) -> None:
    async with listening(lambda request: Response(ResponseStatusCode.OPERATION_NOT_ALLOWED, request.rqi)) as listener, connected(listener) as (reader, writer):
        writer.write(f"{method} /x HTTP/1.1\r\nHost: h\r\n\r\n".encode())
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    assert head[0] == "HTTP/1.1 405 Method Not Allowed"
    assert f"Allow: {allowed}" in head


async def test_the_answer_has_the_media_type_that_was_asked_for(recorder: Recorder) -> None:
    recorder.pc = {"m2m:cnt": {}}
    async with listening(recorder) as listener, connected(listener) as (reader, writer):
        writer.write(b"GET /x HTTP/1.1\r\nHost: h\r\nAccept: application/xml\r\nAccept: application/vnd.onem2m-res+json\r\n\r\n")
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    assert "Content-Type: application/vnd.onem2m-res+json" in head


@pytest.mark.parametrize(
    "data",
    [
        b"nonsense\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
        b"GET /x HTTP/9.9\r\n\r\n",
        b"GET /x HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET /x HTTP/1.1\r\nHost: h\r\nX-M2M-Origin: a\x00b\r\n\r\n",
        b"GET /" + b"n" * 10_000 + b" HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET /x HTTP/1.1\r\nHost: h\r\nX-M2M-Origin: " + b"C" * 10_000 + b"\r\n\r\n",
        b"GET /x HTTP/1.1\r\nHost: h\r\n" + b"X-M2M-EC: 1\r\n" * 200 + b"\r\n",
        CREATE + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        CREATE + b"Content-Length: -1\r\n\r\n",
        CREATE + b"Content-Length: 99999999999999999999\r\n\r\n",
        CREATE + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n",
    ],
)
async def test_what_is_no_http_gets_400_and_the_end_of_the_connection(recorder: Recorder, data: bytes) -> None:
    async with listening(recorder) as listener, connected(listener) as (reader, writer):
        writer.write(data)
        status, headers, pc = await answer_of(reader)
        assert (status, headers["x-m2m-rsc"]) == (400, "4000")
        assert "HTTP message" in pc["m2m:dbg"]
        assert await reader.read() == b""
    assert recorder.requests == []


@pytest.mark.parametrize(
    "body",
    [
        b"Content-Length: 1001\r\n\r\n",
        b"Content-Length: 1001\r\n\r\n" + b" " * 1001,
        b"Transfer-Encoding: chunked\r\n\r\n" + b"190\r\n" + b" " * 0x190 + b"\r\n190\r\n" + b" " * 0x190 + b"\r\n190\r\n" + b" " * 0x190 + b"\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n" + b"400\r\n" + b" " * 0x400 + b"\r\n0\r\n\r\n",
    ],
)
async def test_a_body_over_the_limit_is_refused_without_reading_it(recorder: Recorder, body: bytes) -> None:
    async with listening(recorder, body_limit=1000) as listener, connected(listener) as (reader, writer):
        writer.write(CREATE + body)
        status, headers, pc = await answer_of(reader)
        assert (status, headers["x-m2m-rsc"], headers["x-m2m-ri"], headers["connection"]) == (413, "4000", "r1", "close")
        assert "1000" in pc["m2m:dbg"]
    assert recorder.requests == []


async def test_a_body_of_the_limit_is_taken(recorder: Recorder) -> None:
    async with listening(recorder, body_limit=1000) as listener:
        assert (await tell(listener, CREATE + b"Content-Length: 1000\r\n\r\n" + CIN.ljust(1000)))[0] == 200


async def test_a_client_that_never_ends_its_headers_is_cut_off(recorder: Recorder) -> None:
    async with listening(recorder, idle_timeout=0.1) as listener, connected(listener) as (reader, writer):
        writer.write(b"GET /x HTTP/1.1\r\nHost: h\r\nX-M2M-")
        assert await reader.read() == b""
    assert recorder.requests == []


async def test_a_client_that_drips_its_headers_is_cut_off(recorder: Recorder) -> None:
    async def drip(writer: asyncio.StreamWriter, gone: asyncio.Event) -> None:
        while not gone.is_set():
            writer.write(b"X: 1\r\n")
            try:
                await asyncio.wait_for(gone.wait(), 0.01)
            except TimeoutError:
                pass

    gone = asyncio.Event()
    async with listening(recorder, idle_timeout=0.3, header_count=10_000) as listener, connected(listener) as (reader, writer):
        writer.write(b"GET /x HTTP/1.1\r\nHost: h\r\n")
        dripping = asyncio.create_task(drip(writer, gone))
        try:
            assert await reader.read() == b""
        except ConnectionResetError:
            pass
        gone.set()
        await dripping
    assert recorder.requests == []


async def test_a_client_that_never_ends_its_body_is_answered_and_cut_off(recorder: Recorder) -> None:
    async with listening(recorder, body_timeout=0.1) as listener, connected(listener) as (reader, writer):
        writer.write(CREATE + b"Content-Length: 100\r\n\r\n{")
        status, headers, pc = await answer_of(reader)
        assert (status, headers["x-m2m-rsc"], headers["x-m2m-ri"]) == (408, "4008", "r1")
        assert "0.1 seconds" in pc["m2m:dbg"]
        assert await reader.read() == b""
    assert recorder.requests == []


@pytest.mark.parametrize("data", [b"GET /x HT", CREATE + b"Content-Length: 100\r\n\r\n{", CREATE + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{"])
async def test_a_truncated_request_is_not_handed_on(recorder: Recorder, data: bytes) -> None:
    async with listening(recorder) as listener:
        async with connected(listener) as (reader, writer):
            writer.write(data)
            writer.write_eof()
            assert await reader.read() == b""
        assert (await tell(listener, b"GET /after HTTP/1.1\r\nHost: h\r\n\r\n"))[0] == 200
    assert [request.to for request in recorder.requests] == ["after"]


async def test_a_request_is_carried_through_when_its_client_goes(recorder: Recorder) -> None:
    recorder.gate = asyncio.Event()
    async with listening(recorder) as listener:
        async with connected(listener) as (_, writer):
            writer.write(CREATE + b"Content-Length: %d\r\n\r\n" % len(CIN) + CIN)
            await recorder.arrived.wait()
            writer.transport.abort()
        async with connected(listener) as (reader, writer):
            writer.write(b"GET /other HTTP/1.1\r\nHost: h\r\n\r\n")
            recorder.gate.set()
            await recorder.finished.wait()
            assert (await answer_of(reader))[0] == 200


async def test_closing_answers_what_is_in_flight_and_takes_nothing_new(recorder: Recorder) -> None:
    recorder.gate = asyncio.Event()
    listener = await serve(recorder, "127.0.0.1", 0)
    async with connected(listener) as (reader, writer), connected(listener) as (idle, _):
        writer.write(b"GET /x HTTP/1.1\r\nHost: h\r\nX-M2M-RI: r1\r\n\r\n")
        await recorder.arrived.wait()
        closing = asyncio.create_task(listener.close(30))
        assert await idle.read() == b""
        with pytest.raises(OSError, match=r"refused|Connect call failed"):
            await asyncio.open_connection(*listener.address)
        assert not closing.done()
        recorder.gate.set()
        assert (await answer_of(reader))[1]["x-m2m-ri"] == "r1"
        assert await reader.read() == b""
        await closing


async def test_closing_ends_although_a_request_never_does(recorder: Recorder) -> None:
    recorder.gate = asyncio.Event()
    listener = await serve(recorder, "127.0.0.1", 0)
    async with connected(listener) as (reader, writer):
        writer.write(b"GET /x HTTP/1.1\r\nHost: h\r\n\r\n")
        await recorder.arrived.wait()
        await listener.close(0.05)
        assert await reader.read() == b""


async def test_a_port_in_use_is_an_error() -> None:
    async with listening(Recorder()) as listener:
        with pytest.raises(OSError, match="in use"):
            await serve(Recorder(), *listener.address)


async def test_a_result_that_cannot_be_written_is_an_internal_error(recorder: Recorder) -> None:
    recorder.pc = {"m2m:cin": object()}
    async with listening(recorder) as listener:
        status, headers, _ = await tell(listener, b"GET /x HTTP/1.1\r\nHost: h\r\nX-M2M-RI: r1\r\n\r\n")
    assert (status, headers["x-m2m-rsc"], headers["x-m2m-ri"]) == (500, "5000", "r1")


async def test_browsers_are_refused_unless_their_origin_is_configured(recorder: Recorder) -> None:
    preflight = b"OPTIONS /x HTTP/1.1\r\nHost: h\r\nOrigin: https://app.example\r\nAccess-Control-Request-Method: POST\r\n\r\n"
    plain = b"GET /x HTTP/1.1\r\nHost: h\r\nOrigin: https://app.example\r\n\r\n"
    for cors, welcome in (((), False), (("https://other.example",), False), (("https://app.example",), True), (("*",), True)):
        async with listening(recorder, cors=cors) as listener:
            status, headers, _ = await tell(listener, preflight)
            assert status == (204 if welcome else 405)
            assert ("X-M2M-Origin" in headers.get("access-control-allow-headers", "")) == welcome
            status, headers, _ = await tell(listener, plain)
            assert status == 200
            assert headers.get("access-control-allow-origin") == ("https://app.example" if welcome else None)
            assert ("X-M2M-RSC" in headers.get("access-control-expose-headers", "")) == welcome


async def test_routes_beside_onem2m_are_served_by_their_exact_path(recorder: Recorder) -> None:
    seen: list[tuple[str, str | None, bytes, Peer]] = []

    async def control(method: str, headers: Mapping[str, str], body: bytes, peer: Peer) -> tuple[int, list[tuple[str, str]], bytes]:
        seen.append((method, headers.get("x-m2m-utcmd"), body, peer))
        return 200, [("X-M2M-RSC", "2000"), ("X-M2M-UTRSP", "done")], b""

    async with listening(recorder, extra={"/__ut__": control}) as listener:
        status, headers, _ = await tell(listener, b"POST /__ut__ HTTP/1.1\r\nHost: h\r\nX-M2M-UTCMD: Status\r\nContent-Length: 1\r\n\r\nb")
        await tell(listener, b"GET /__ut__/x HTTP/1.1\r\nHost: h\r\n\r\n")
    assert (status, headers["x-m2m-rsc"], headers["x-m2m-utrsp"]) == (200, "2000", "done")
    assert seen == [("POST", "Status", b"b", Peer(address="127.0.0.1", listener="http"))]
    assert [request.to for request in recorder.requests] == ["__ut__/x"]


async def test_many_clients_at_the_same_time_get_their_own_answers(recorder: Recorder) -> None:
    async with listening(recorder) as listener, aiohttp.ClientSession() as session:

        async def ask(number: int) -> None:
            async with session.get(f"http://127.0.0.1:{listener.address[1]}/x", headers={"X-M2M-RI": str(number)}) as answer:
                assert answer.headers["X-M2M-RI"] == str(number)

        await asyncio.gather(*(ask(number) for number in range(50)))


async def test_a_bearer_secret_authenticates_and_a_wrong_one_is_refused() -> None:
    recorder = Recorder()
    listener = await serve(recorder, "127.0.0.1", 0, credentials=Credentials(["Cmeter1 open-sesame"]))
    url = f"http://127.0.0.1:{listener.address[1]}/cse-in"
    headers = {"X-M2M-RI": "1", "X-M2M-RVI": "4", "X-M2M-Origin": "Cmeter1"}
    try:
        async with aiohttp.ClientSession() as session:
            for authorization in ("Bearer open-sesame", "Bearer guess", "Basic open-sesame"):
                async with session.get(url, headers={**headers, "Authorization": authorization}) as answer:
                    assert answer.headers["X-M2M-RSC"] == ("4106" if "guess" in authorization else "2000")
                    assert "guess" not in await answer.text()
    finally:
        await listener.close(1)
    assert [request.peer.identity for request in recorder.requests] == ["Cmeter1", None]
