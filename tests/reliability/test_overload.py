"""A flood on a disk that takes 20 requests each 0.1 seconds: refused early with the word when to come again, and others do not notice."""

import asyncio
from pathlib import Path

from bindings.coap.message import Code, Message, encode
from tests.bindings.coap import wire
from tests.faults.server import PATIENCE, serving
from tests.faults.test_clients import _udp, answer, opened
from tests.reliability.faulty import Faults
from tests.reliability.overload import Outcome, Wire, prepare, wires

SMALL = ("--set", "limits.batch=20", "--set", "limits.patience=0.5")
FLOOD = 250


async def test_a_flood_is_refused_early_and_others_are_served(tmp_path: Path) -> None:
    faults = Faults(tmp_path / "faults")
    program = ("-m", "tests.reliability.faulty", str(tmp_path / "faults"))
    async with serving(tmp_path / "cse.db", *SMALL, program=program) as served:
        flood, victim = await prepare(served, "flood", "victim")
        faults.tell(slow=0.1)
        crowd, one = Outcome(), Outcome()
        async with wires(served, FLOOD, crowd) as free, wires(served, 1, one) as own, wire.wire(_udp(served)) as socket:
            flooding = asyncio.create_task(again_and_again(free, flood))
            async with asyncio.timeout(PATIENCE):
                while len(crowd.refused) < FLOOD:  # noqa: ASYNC110 - the server takes its time
                    await asyncio.sleep(0.01)
                for number in range(5):
                    own.pop().send(victim, 0.0)
                    while len(one.done) + len(one.refused) <= number:  # noqa: ASYNC110 - as above
                        await asyncio.sleep(0.01)
            told = await refused_over_coap(socket)
            flooding.cancel()
        assert (told.code, wire.rsc(told)) == (Code.SERVICE_UNAVAILABLE, 5000)
        assert wire.value(told, 14), "Max-Age says when to come again"
        assert not one.refused, "who asks for little is served"
        assert crowd.done, "a part of the flood is served"
        assert min(crowd.hints) >= 1
        assert not crowd.lost
        faults.tell()
        async with opened(served) as (reader, writer), asyncio.timeout(PATIENCE):
            status = 503
            while status == 503:
                writer.write(flood)
                status = (await answer(reader))[0]
            assert status == 201, "afterwards all are served"
        assert await served.stop() == 0
        assert "Traceback" not in served.log


async def refused_over_coap(socket: wire.Wire) -> Message:
    """Send more requests of the flooder at once over CoAP than may wait for him; give the first refusal."""
    for mid in range(FLOOD):
        socket.send(encode(wire.post(mid, (271, b"4"), path="cse-in/flood/log")).replace(b"CAdmin", b"Cflood"))
    async with asyncio.timeout(PATIENCE):
        while (told := await socket.receive()).code >> 5 != 5:
            pass
    return told


async def again_and_again(free: list[Wire], message: bytes) -> None:
    """Send on each connection as soon as it has its answer."""
    while True:
        while free:
            free.pop().send(message, 0.0)
        await asyncio.sleep(0.005)
