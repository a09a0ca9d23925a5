"""What comes in through the ports of a real server: garbage, smuggled requests, compressed bombs, secrets."""

import gzip
from collections.abc import AsyncIterator
from random import Random

import pytest

from tests.faults.load import connected
from tests.faults.server import Serving, serving
from tests.reliability.sockets import alive, blame, exchange, throw

INNER = (
    b"POST /cse-in HTTP/1.1\r\nHost: h\r\nX-M2M-Origin: CAdmin\r\nX-M2M-RI: s\r\nX-M2M-RVI: 4\r\nContent-Type: application/json;ty=3\r\n"
    b'Content-Length: 29\r\n\r\n{"m2m:cnt":{"rn":"smuggled"}}'
)
ONCE = b"Connection: close\r\n"
HEAD = b"Host: h\r\nX-M2M-Origin: Ceve\r\nX-M2M-RI: r\r\nX-M2M-RVI: 4\r\nContent-Type: application/json;ty=3\r\n"
SECRET = "s3cr3t-of-cmeter"


@pytest.fixture
async def served() -> AsyncIterator[Serving]:
    async with serving("memory:", "--set", f'http.credentials=["Cmeter {SECRET}"]') as served:
        yield served


async def test_a_server_that_is_thrown_garbage_at_goes_on(served: Serving) -> None:
    before = served.memory()
    blame(await throw(served, 150, Random(4711)))
    await alive(served)
    assert served.memory() < before + (64 << 20)


FRAMINGS = {
    "both lengths": b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "both lengths, the other way": b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
    "two lengths": b"Content-Length: 0\r\nContent-Length: %d\r\n\r\n" % len(INNER),
    "a list of lengths": b"Content-Length: 0, %d\r\n\r\n" % len(INNER),
    "a length with a sign": b"Content-Length: +0\r\n\r\n",
    "a negative length": b"Content-Length: -1\r\n\r\n",
    "a hexadecimal length": b"Content-Length: 0x0\r\n\r\n",
    "a blank before the colon": b"Content-Length : 0\r\n\r\n",
    "an unknown coding": b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunked not last": b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "two codings": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    "a chunk size with a sign": b"Transfer-Encoding: chunked\r\n\r\n-0\r\n\r\n",
    "chunks that end in a bare LF": b"Transfer-Encoding: chunked\r\n\r\n0\n\n",
    "a header that ends in a bare LF": b"X-M2M-OT: a\n\n",
    "a header that ends in a bare CR": b"X-M2M-OT: a\r\r",
    "a folded header": b" folded: a\r\nContent-Length: 0\r\n\r\n",
    "a null in a header": b"X-M2M-OT: a\x00b\r\nContent-Length: 0\r\n\r\n",
    "a header without colon": b"X-M2M-OT\r\nContent-Length: 0\r\n\r\n",
}
"""How a body is said to end that two readers may understand differently; behind it comes ``INNER``."""


async def test_no_request_is_smuggled_in_the_body_of_another(served: Serving) -> None:
    for name, framing in FRAMINGS.items():
        answer = await exchange(served, b"POST /cse-in HTTP/1.1\r\n" + HEAD + framing + INNER, 5)
        assert answer.count(b"HTTP/1.") <= 1, (name, answer)
        assert answer == b"" or answer.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4")), (name, answer)
    async with connected(served) as client:
        assert not [each for each in await client.discover() if "smuggled" in each]


PATHS = ["/cse-in/../cse-in", "/%2e%2e/cse-in", "/cse-in%2fx", "/cse-in/%00", "/..%c0%af", "/~/~/id-in", "/~", "/_", "/_/x", "//cse-in", "/cse-in/%zz", "/%ff",
                                "/cse-in\\..", "http://evil.example/../cse-in/x", "*", "/" + "a/" * 3000]  # fmt: skip


async def test_path_tricks_find_nothing(served: Serving) -> None:
    head = HEAD.replace(b"Ceve", b"CAdmin").partition(b"Content-Type")[0] + ONCE
    for path in PATHS:
        answer = await exchange(served, b"GET " + path.encode() + b" HTTP/1.1\r\n" + head + b"\r\n")
        assert answer == b"" or answer.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4")), (path, answer)
    await alive(served)


async def test_a_compressed_body_is_not_unpacked(served: Serving) -> None:
    bomb = gzip.compress(b'{"m2m:cnt":{"lbl":["' + b"a" * 50_000_000 + b'"]}}')
    for coding in (b"gzip", b"GZip", b"deflate", b"br", b"gzip, gzip"):
        answer = await exchange(
            served, b"POST /cse-in HTTP/1.1\r\n" + HEAD + ONCE + b"Content-Encoding: %b\r\nContent-Length: %d\r\n\r\n" % (coding, len(bomb)) + bomb
        )
        assert answer.startswith(b"HTTP/1.1 415"), answer
    await alive(served)


async def test_no_header_is_injected_through_one_that_comes_back(served: Serving) -> None:
    for name in ("X-M2M-RI", "X-M2M-OT", "X-M2M-Origin", "X-M2M-RVI", "X-M2M-VSI", "X-M2M-RST"):
        lines = {"Host": "h", "X-M2M-Origin": "CAdmin", "X-M2M-RI": "r", "X-M2M-RVI": "4", "Connection": "close"} | {
            name: "a%0d%0aX-Evil: 1\u0085\u2028X-Evil: 1"
        }
        head = "".join(f"{key}: {value}\r\n" for key, value in lines.items())
        answer = await exchange(served, b"GET /cse-in HTTP/1.1\r\n" + head.encode() + b"\r\n")
        assert not [line for line in answer.split(b"\r\n") if line.startswith(b"X-Evil")], (name, answer)


async def test_long_identifiers_and_headers_are_refused(served: Serving) -> None:
    for line in (b"X-M2M-RI: " + b"r" * 100_000, b"\r\n".join(b"X-%d: a" % number for number in range(5000)), b"X-M2M-Origin: C" + b"a" * 5000):
        answer = await exchange(served, b"GET /cse-in HTTP/1.1\r\nHost: h\r\nConnection: close\r\n" + line + b"\r\n\r\n")
        assert answer == b"" or answer.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4")), answer
    await alive(served)


async def test_a_secret_is_asked_for_and_never_told(served: Serving) -> None:
    body = b'{"m2m:ae":{"rn":"meter","api":"N1","rr":false,"srv":["4"]}}'
    head = HEAD.replace(b"Ceve", b"Cmeter").replace(b"ty=3", b"ty=2") + ONCE + b"Content-Length: %d\r\n" % len(body)
    answers = []
    for authorization in (
        b"",
        b"Authorization: Bearer wrong\r\n",
        b"Authorization: Basic %b\r\n" % SECRET.encode(),
        b"Authorization: Bearer %b\r\n" % SECRET.encode(),
    ):
        answers.append(await exchange(served, b"POST /cse-in HTTP/1.1\r\n" + head + authorization + b"\r\n" + body))
    assert [b"201 Created" in answer for answer in answers] == [False, False, False, True], answers
    answers += [
        await exchange(served, b"GET %b HTTP/1.1\r\n" % path + head.split(b"Content-Type")[0] + ONCE + b"\r\n")
        for path in (b"/cse-in?rcn=4", b"/__UT__", b"/cse-in/meter")
    ]
    assert not [answer for answer in answers if SECRET.encode() in answer]
    assert SECRET not in served.log
    assert "wrong" not in served.log
