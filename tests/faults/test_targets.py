"""Notification targets that hang, refuse or answer nonsense: others and those who change resources do not notice, and nothing is lost."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from socket import SOCK_DGRAM, socket

from apps.client import Inbox
from tests.faults.load import LOG, connected, prepare
from tests.faults.server import PATIENCE, serving
from tests.faults.target import Answer, Target, agree, drip, listening, pour, reset, say

QUICK = (
    *("--set", "notification.first_retry=0.05", "--set", "notification.longest_retry=0.4", "--set", "notification.timeout=0.5"),
    *("--set", "limits.shutdown_grace=1.0"),
)
FAULTS: dict[str, Answer | None] = {
    "hangs": Target.hang,
    "refuses": None,
    "resets": reset,
    "fails": say(b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 5\r\n\r\nsorry"),
    "says 5106": say(b"HTTP/1.1 500 Internal Server Error\r\nX-M2M-RSC: 5106\r\nContent-Length: 0\r\n\r\n"),
    "babbles": say(b"\x00\xff\x16\x03\x01 what?\r\n\r\n"),
    "knows no such code": say(b"HTTP/1.1 200 OK\r\nX-M2M-RSC: yes\r\nContent-Length: 0\r\n\r\n"),
    "says nothing": say(b""),
    "closes in its head": say(b"HTTP/1.1 200 OK\r\nX-M2M-RS"),
    "closes in its body": say(b"HTTP/1.1 200 OK\r\nX-M2M-RSC: 2000\r\nContent-Length: 100\r\n\r\n{"),
    "breaks its chunks": say(b"HTTP/1.1 200 OK\r\nX-M2M-RSC: 2000\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
    "has endless headers": say(b"HTTP/1.1 200 OK\r\n" + b"X-Much: more\r\n" * 100_000 + b"\r\n"),
    "has an endless body": pour,
    "drips": drip,
}
EVENTS = 8


async def test_bad_targets_harm_nobody_and_lose_nothing(tmp_path: Path) -> None:
    async with AsyncExitStack() as parts:
        good = await parts.enter_async_context(listening())
        bad = {name: await parts.enter_async_context(listening()) for name in FAULTS}
        async with serving(tmp_path / "cse.db", *QUICK) as served:
            async with Inbox.coap() as inbox:
                port = int(inbox.url.rpartition(":")[2])
                # The good one is the last of its subscription.
                await prepare(served, inbox.url, *(target.url for target in bad.values()), good.url)
            for name, answer in FAULTS.items():
                if answer is None:
                    await bad[name].vanish()
                else:
                    bad[name].answer = answer
            await asyncio.sleep(0)  # now the socket of the inbox is closed
            silent = parts.enter_context(socket(type=SOCK_DGRAM))
            silent.bind(("127.0.0.1", port))
            async with connected(served) as over_http, connected(served, "coap") as over_coap:
                for number in range(EVENTS):
                    await (over_coap if number % 2 else over_http).put(LOG, f"{number}")
            assert not any(target.taken for target in bad.values())
            await good.until(lambda: len(good.taken) == EVENTS, "the good target has all")
            assert [each.resource["con"] for each in good.got] == [f"{number}" for number in range(EVENTS)]
            for name, target in bad.items():
                if FAULTS[name] is not None:
                    await target.until(lambda target=target: len(target.got) >= 3, f"it is tried again, though it {name}")  # type: ignore[misc]
            await paused(bad["fails"])
            assert not any(target.taken for target in bad.values())
            await served.kill()
            assert "Traceback" not in served.log
            assert len(served.lines) == len(bad) + 1, "each target in trouble is told once"
        silent.close()
        await returned(tmp_path / "cse.db", bad, port)
        assert len(good.got) == EVENTS, "what was delivered before the restart is not delivered again"


async def paused(target: Target) -> None:
    """Check that the pauses before repetitions grow: 0.05, 0.1, 0.2, 0.4, 0.4 seconds, up to a quarter less each."""
    await target.until(lambda: len(target.got) >= 6, "it is tried again and again")
    moments = [each.moment for each in target.got]
    assert moments[5] - moments[0] >= 1.15 / 2
    assert moments[5] - moments[3] > moments[2] - moments[0]


async def returned(store: Path, bad: dict[str, Target], port: int) -> None:
    """Start the server again with targets that are well now, and check that each gets everything, in order, under the identifiers of before."""
    for name, target in bad.items():
        target.answer = agree
        target.opened.set()
        if FAULTS[name] is None:
            await target.listen()
    async with Inbox.coap(port=port) as inbox, serving(store, *QUICK) as served:
        wanted = [f"{number}" for number in range(EVENTS)]
        for name, target in bad.items():
            await target.until(lambda target=target: len(target.taken) == EVENTS, f"what has waited comes to the target that {name}")  # type: ignore[misc]
            assert [each.resource["con"] for each in target.taken.values()] == wanted
            assert len({each.rqi for each in target.got}) == EVENTS
        async with asyncio.timeout(PATIENCE):
            assert [found.resource["con"] for _ in wanted if (found := await inbox.next()).resource] == wanted
        assert await served.stop() == 0


async def test_what_is_refused_or_fails_too_often_is_given_up_and_said(tmp_path: Path) -> None:
    async with listening() as refusing, listening() as failing, serving("memory:", *QUICK, "--set", "notification.max_attempts=2") as served:
        await prepare(served, refusing.url, failing.url)
        refusing.answer = say(b"HTTP/1.1 403 Forbidden\r\nX-M2M-RSC: 4103\r\nContent-Length: 0\r\n\r\n")
        failing.answer = say(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
        async with connected(served) as client:
            await client.put(LOG, "1")
            await refusing.until(lambda: len(refusing.got) == 1, "the first is refused")
            await failing.until(lambda: len(failing.got) == 2, "the first fails twice")
            refusing.answer = failing.answer = agree
            await client.put(LOG, "2")
        for target in (refusing, failing):
            await target.until(lambda target=target: len(target.taken) == 1, "the second is delivered")  # type: ignore[misc]
            [taken] = target.taken.values()
            assert taken.resource["con"] == "2"
        assert await served.stop() == 0
        assert f"gave up notifying {refusing.url} for sub" in served.log
        assert f"gave up notifying {failing.url} for sub" in served.log
