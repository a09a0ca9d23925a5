"""Garbage for the ports of a real server: random bytes, mutated good requests, and HTTP that two readers understand differently."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import suppress
from random import Random

from tests.faults.load import connected
from tests.faults.server import Serving, serving
from tests.reliability.plan import Plan

PATIENCE = 10.0
_HEAD = b"Host: h\r\nX-M2M-Origin: CAdmin\r\nX-M2M-RI: r\r\nX-M2M-RVI: 4\r\n"
_BODY = b'{"m2m:cnt":{"rn":"made","lbl":["a"]}}'
GOOD_HTTP = (
    b"GET /cse-in?rcn=4&lbl=a+b&fu=1&lim=3 HTTP/1.1\r\n" + _HEAD + b"Accept: application/cbor\r\n\r\n",
    b"GET /cse-in?fu=1&cfs=1&cfq=$..[?match(@,'a*')] HTTP/1.1\r\n" + _HEAD + b"\r\n",
    b"POST /~/id-in/cse-in HTTP/1.1\r\n" + _HEAD + b"Content-Type: application/json;ty=3\r\nContent-Length: %d\r\n\r\n" % len(_BODY) + _BODY,
    b"POST /cse-in HTTP/1.1\r\n"
    + _HEAD
    + b"Content-Type: application/json;ty=3\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(_BODY), _BODY),
    b"PUT /cse-in/made HTTP/1.1\r\n" + _HEAD + b"Content-Type: application/cbor\r\nContent-Length: 18\r\n\r\n\xa1gm2m:cnt\xa1clbl\x81ab",
    b"DELETE /cse-in/made HTTP/1.1\r\n" + _HEAD + b"X-M2M-RET: 5000\r\nX-M2M-RTU: http://127.0.0.1:9/x\r\n\r\n",
)
GOOD_COAP = (
    bytes.fromhex("44010001aabbccdd") + b"\xb6cse-in" + b"\xd2\xf4CA\x11r\x31\x34" + b"",
    bytes.fromhex("44020002aabbccdd") + b"\xb6cse-in\x11\x32\xd1\xe7\x03\x01r\xff" + _BODY,
    bytes.fromhex("44030003aabbccdd") + b"\xb6cse-in\x04made\xd1\x03\x08\xff" + _BODY,
    bytes.fromhex("54010004aabbccdd") + b"\xb6cse-in\xd1\x01\x06\xd1\x01\x16",
)


def mutations(good: tuple[bytes, ...], random: Random) -> Iterator[bytes]:
    """Give messages without end: good ones with bytes changed, cut, doubled or put in, and some that are random altogether."""
    while True:
        if random.random() < 0.1:
            yield random.randbytes(random.randrange(200))
            continue
        data = bytearray(random.choice(good))
        for _ in range(random.choice((1, 1, 2, 5, 20))):
            place = random.randrange(len(data) + 1)
            match random.randrange(5):
                case 0:
                    data[place : place + 1] = random.randbytes(1)
                case 1:
                    del data[place : place + random.randrange(1, 9)]
                case 2:
                    data[place:place] = data[place : place + random.randrange(40)] * random.randrange(1, 5)
                case 3:
                    data[place:place] = random.choice(
                        (b"\r\n", b"\x00", b"%00", b"../", b"9" * 30, b"\xff" * 4, b'{"a":' * 70, b"[" * 90, b"\x9b\x7f\xff\xff\xff\xff\xff\xff\xff")
                    )
                case _:
                    data[place : place + 1] = bytes((data[place] ^ 1 << random.randrange(8),)) if place < len(data) else b"\xff"
        yield bytes(data)


async def exchange(served: Serving, data: bytes, patience: float = PATIENCE, *, last: bool = False) -> bytes:
    """Send bytes to the HTTP port; give all that comes back until the server closes the connection. ``last``: say that there will be no more."""
    reader, writer = await asyncio.open_connection(*served.address)
    told = b""
    with suppress(OSError, TimeoutError):
        writer.write(data)
        if last:
            writer.write_eof()
        async with asyncio.timeout(patience):
            while piece := await reader.read(65536):
                told += piece
    writer.close()
    with suppress(OSError, TimeoutError):
        async with asyncio.timeout(patience):
            await writer.wait_closed()
    return told


async def throw(served: Serving, count: int, random: Random) -> list[bytes]:
    """Throw some mutated messages at both ports; give the answers over HTTP."""
    host, _, port = served.coap.removeprefix("coap://").partition(":")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.setblocking(False)
        for data, _ in zip(mutations(GOOD_COAP, random), range(count), strict=False):
            with suppress(OSError):
                sender.sendto(data, (host, int(port)))
    told = []
    for data, _ in zip(mutations(GOOD_HTTP, random), range(count), strict=False):
        told.append(await exchange(served, data, 0.3, last=True))
    return told


async def alive(served: Serving) -> None:
    """Raise unless the server still serves over both ports, has no trace in its log, and gave nobody 5000."""
    for over in ("http", "coap"):
        async with connected(served, over) as client:
            assert (await client.retrieve("cse-in"))["ri"] == "id-in"
    assert "Traceback" not in served.log, served.log[-4000:]
    assert served.child.returncode is None


def blame(answers: list[bytes]) -> None:
    """Raise when an answer is that of a server that has failed inside."""
    for answer in answers:
        assert b"X-M2M-RSC: 5000" not in answer, answer
        assert not answer.startswith(b"HTTP/1.1 500"), answer


async def long(plan: Plan) -> str:
    """Throw garbage at one server; its memory must not grow with it."""
    random, thrown, memory = Random(), 0, list[int]()
    async with serving("memory:") as served:
        for _ in plan.turns():
            blame(await throw(served, 200, random))
            await alive(served)
            thrown += 400
            memory.append(served.memory())
        assert memory[-1] < memory[len(memory) // 4] * 1.5 + (32 << 20), memory
    return f"{thrown} messages thrown at HTTP and CoAP, resident memory {memory[0] >> 20} to {memory[-1] >> 20} MiB"
