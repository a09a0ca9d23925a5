"""Several thousand endpoints that observe one container over CoAP (RFC 7641)."""

import asyncio
import time
from contextlib import AsyncExitStack

from bindings.coap.message import Message, Type, decode, encode
from tests.bindings.coap import wire
from tests.bindings.coap.test_observe import OBSERVE, RVI
from tests.faults.load import LOG, connected, prepare
from tests.faults.server import PATIENCE, Serving, serving
from tests.faults.test_clients import _udp, many_files
from tests.reliability.plan import Plan

CHANGES = 10


async def observe(served: Serving, endpoints: int, changes: int = CHANGES) -> list[float]:
    """Let so many endpoints observe the latest instance of ``LOG``; give the seconds from each change until the last of them knew of it."""
    async with AsyncExitStack() as parts, connected(served) as client:
        await client.put(LOG, "first")
        sockets = [await parts.enter_async_context(wire.wire(_udp(served))) for _ in range(endpoints)]
        registration = encode(wire.get(1, (OBSERVE, b""), RVI, path=f"{LOG}/la"))
        for start in range(0, endpoints, 50):
            for socket in sockets[start : start + 50]:
                socket.send(registration)
            for socket in sockets[start : start + 50]:
                answer = await socket.receive()
                assert wire.value(answer, OBSERVE) is not None, answer
        spent = []
        for number in range(changes):
            started = time.perf_counter()
            await client.put(LOG, f"change {number}")
            async with asyncio.timeout(PATIENCE):
                await asyncio.gather(*(told(socket, f'"con":"change {number}"'.encode()) for socket in sockets))
            spent.append(time.perf_counter() - started)
    return spent


async def told(socket: wire.Wire, content: bytes) -> None:
    """Acknowledge notifications until one has a content."""
    while True:
        message = decode(await socket.received.get())
        assert message is not None
        socket.send(encode(Message(Type.ACK, 0, message.mid, b"", (), b"")))
        if content in message.payload:
            return


async def long(plan: Plan, endpoints: int = 5000) -> str:
    """Print how long it takes until all know, and what one of them costs."""
    with many_files():
        async with serving("memory:") as served:
            await prepare(served)
            memory = served.memory()
            spent = await observe(served, endpoints)
            each = (served.memory() - memory) / endpoints / 1024
            assert await served.stop() == 0
            assert served.log == ""
    return f"{endpoints} observers: {each:.1f} kB each; a change is known to all after {min(spent):.2f} to {max(spent):.2f} s"
