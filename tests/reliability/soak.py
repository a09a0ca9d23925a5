"""Long running: memory, descriptors and tasks stay what they were; ten thousand idle connections; CoAP at a steady rate."""

import asyncio
import re
import time
from contextlib import AsyncExitStack
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory

from bindings.coap.message import Type, decode, empty, encode
from tests.bindings.coap import wire
from tests.faults.load import LOG, WIDE, Ledger, connected, prepare, working
from tests.faults.server import Serving, serving, until
from tests.faults.target import agree, listening
from tests.faults.test_clients import many_files, opened
from tests.reliability import mixed
from tests.reliability.plan import Plan

COUNTING = ("-m", "tests.reliability.counting")
"""Runs the command ``cse`` and tells the number of its tasks at SIGUSR1."""
OPTIONS = (*WIDE, "--set", "limits.expiration_check_interval=0.2", "--set", "limits.result_lifetime=2", "--set", "store.cache=2000")


class Growth:
    """Looks at a server from time to time."""

    def __init__(self, served: Serving) -> None:
        self.served = served
        self.looks: list[tuple[int, int, int]] = []

    async def look(self) -> tuple[int, int, int]:
        """Give its memory in bytes, its descriptors and its tasks, and remember them."""
        before = len(self.tasks())
        self.served.child.send_signal(10)
        await until(lambda: len(self.tasks()) > before, "it tells its tasks")
        self.looks.append((self.served.memory(), self.served.descriptors(), self.tasks()[-1]))
        return self.looks[-1]

    def tasks(self) -> list[int]:
        """Give every number of tasks that it has told."""
        return [int(found) for found in re.findall(r"^tasks: (\d+)$", self.served.log, re.MULTILINE)]


async def soak(store: Path, seconds: float, every: float) -> list[tuple[int, int, int]]:
    """Let clients do everything there is, with containers that are bounded; give what was seen: at rest, then after each round at rest again."""
    async with listening() as target, serving(store, *OPTIONS, program=COUNTING) as served:
        await prepare(served, target.url)
        await mixed.prepare(served)
        async with connected(served) as client:
            for address in (*mixed.MEMBERS, mixed.LATER):
                await client.update(address, {"mni": 500}, root="m2m:cnt")
            await client.update(mixed.SERIES, {"mni": 500}, root="m2m:ts")
        growth, run, steps = Growth(served), 0, 0
        target.answer = agree
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            ledger, promises = Ledger(), mixed.Promises()
            async with working(served, ledger, f"s{run}w"), mixed.working(served, promises, run):
                await asyncio.sleep(every)
            run += 1
            async with connected(served) as client:
                await client.delete(LOG)
            await prepare(served, target.url)
            await asyncio.sleep(min(3.0, every))
            memory, descriptors, tasks = await growth.look()
            target.got.clear()
            target.taken.clear()
            steps += ledger.steps + promises.steps
            print(f"{steps} changes, {memory / (1 << 20):.1f} MB, {descriptors} descriptors, {tasks} tasks", flush=True)
        assert not [line for line in served.lines if not line.startswith("tasks: ")], served.log
        assert await served.stop() == 0
    return growth.looks


async def long(plan: Plan) -> str:
    """Soak for some minutes, and hold that nothing has grown since the first quarter."""
    with TemporaryDirectory() as folder:
        looks = await soak(Path(folder) / "cse.db", plan.minutes * 60, max(10.0, plan.minutes * 60 / 20))
    flat(looks[len(looks) // 4 :])
    return f"{len(looks)} looks, nothing grows: {looks[len(looks) // 4]} and {looks[-1]} bytes, descriptors and tasks"


def flat(looks: list[tuple[int, int, int]]) -> None:
    """Hold that nothing grows from look to look."""
    (memory, descriptors, tasks), last = looks[0], looks[-1]
    assert last[0] < memory * 1.1 + (8 << 20), f"memory: {looks}"
    assert last[1] <= descriptors + 4, f"descriptors: {looks}"
    assert last[2] <= tasks + 4, f"tasks: {looks}"


async def idle(plan: Plan, number: int = 10_000) -> str:
    """Hold ten thousand idle connections beside a client that works, and print what one of them costs."""
    with many_files():
        async with serving("memory:") as served:
            descriptors = served.descriptors()
            await prepare(served)
            await until(lambda: served.descriptors() == descriptors, "who prepared it has gone")
            memory = served.memory()
            async with AsyncExitStack() as parts:
                for _ in range(0, number, 100):
                    await asyncio.gather(*(parts.enter_async_context(opened(served)) for _ in range(100)))
                await until(lambda: served.descriptors() >= descriptors + number, "all are connected")
                each = (served.memory() - memory) / number
                async with connected(served) as client:
                    started = time.perf_counter()
                    for count in range(200):
                        await client.put("cse-in/log", f"{count}")
                    spent = (time.perf_counter() - started) / 200
                before = served.processor()
                await asyncio.sleep(5.0)
                used = (served.processor() - before) / 5
            await until(lambda: served.descriptors() <= descriptors + 1, "all are closed")
            assert await served.stop() == 0
    return f"{number} idle connections: {each / 1024:.1f} kB each, {used:.1%} of a processor, {spent * 1000:.1f} ms a create meanwhile"


async def coap(plan: Plan, rate: float = 2000.0) -> str:
    """Send confirmable creates at a steady rate for some minutes from a hundred endpoints; print what was answered and the memory every half minute."""
    with TemporaryDirectory() as folder:
        async with serving(Path(folder) / "cse.db", "--set", "log.level=info") as served:
            await prepare(served)
            async with connected(served) as client:
                await client.update("cse-in/log", {"mni": 10_000}, root="m2m:cnt")
            host, _, port = served.coap.removeprefix("coap://").partition(":")
            async with AsyncExitStack() as parts:
                sockets = [await parts.enter_async_context(wire.wire((host, int(port)))) for _ in range(100)]
                said = await steady(served, sockets, rate, plan.minutes * 60)
            assert await served.stop() == 0
    return said


async def steady(served: Serving, sockets: list[wire.Wire], rate: float, seconds: float) -> str:
    """Send at a rate over sockets in turn, message IDs and tokens going up; answers are counted, repetitions are left out."""
    counts = {"2": 0, "5": 0, "other": 0}

    def taken() -> None:
        for socket in sockets:
            while not socket.received.empty():
                message = decode(socket.received.get_nowait())
                assert message is not None
                if message.type == Type.CON:  # an answer by itself, after an empty Acknowledgement
                    socket.send(empty(Type.ACK, message.mid))
                if message.code:
                    kind = str(message.code >> 5)
                    counts[kind if kind in counts else "other"] += 1

    start, sent, told = time.monotonic(), 0, 30.0
    turn = cycle(enumerate(sockets))
    mids = [0] * len(sockets)
    payload = encode(wire.post(0, (271, b"4"), path="cse-in/log"))[4 + 2 :]
    while (now := time.monotonic() - start) < seconds:
        while sent < rate * now:
            index, socket = next(turn)
            mids[index] = mid = (mids[index] + 1) & 0xFFFF
            socket.send(b"\x42\x02" + mid.to_bytes(2, "big") + mid.to_bytes(2, "big") + payload)
            sent += 1
        taken()
        if now >= told:
            told += 30.0
            print(f"{now:.0f} s: {sent} sent, {counts}, {served.memory() >> 20} MB, {served.processor():.0f} s of processor", flush=True)
        await asyncio.sleep(0.002)
    await asyncio.sleep(3.0)
    taken()
    answers = f"{counts['2']} answered 2.xx, {counts['5']} refused 5.xx, {sent - sum(counts.values())} not answered"
    return f"{sent} sent at {rate:.0f}/s: {answers}; {served.memory() >> 20} MB"
