"""SIGTERM: what is in flight is answered, what was answered is durable, exit code 0, also when it comes twice and while others hang."""

import asyncio
import signal
from pathlib import Path

import pytest

from cse.errors import TargetNotReachable
from tests.faults.load import LOG, WIDE, Ledger, connected, prepare, verify, working
from tests.faults.server import serving, until
from tests.faults.target import Target, listening

GRACE = ("--set", "limits.shutdown_grace=2")


async def test_under_load_everything_answered_is_durable(tmp_path: Path) -> None:
    ledger = Ledger()
    async with listening() as target:
        async with serving(tmp_path / "cse.db", *WIDE) as served:
            await prepare(served, target.url)
            async with working(served, ledger, "w"):
                await until(lambda: ledger.steps >= 100, "the clients get on")
                served.child.send_signal(signal.SIGTERM)
                served.child.send_signal(signal.SIGTERM)
                assert await served.ended() == 0
            assert served.log == ""
        async with serving(tmp_path / "cse.db", *WIDE) as served:
            existed = await verify(served, ledger)
            wanted = ledger.logged.keys() | existed.keys()
            await target.until(lambda: wanted <= {each.resource["ri"] for each in target.taken.values()}, "every create is notified")
            assert await served.stop() == 0
    assert not ledger.refused
    assert len(target.got) == len(target.taken), "after a clean stop nothing is delivered again"


async def test_a_request_that_waits_for_a_target_without_end_does_not_hold_the_stop_up(tmp_path: Path) -> None:
    async with listening() as target, serving(tmp_path / "cse.db", *GRACE) as served:
        await prepare(served, target.url)
        target.answer = Target.hang
        async with connected(served) as client, connected(served) as idle:
            await idle.retrieve(LOG)
            await client.put(LOG, "1")
            await target.until(lambda: len(target.got) == 1, "the target is notified")
            silent = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
            async with silent:
                url = f"http://127.0.0.1:{silent.sockets[0].getsockname()[1]}/"
                waiting = asyncio.create_task(client.subscribe(LOG, url, name="never"))
                await until(lambda: bool(silent._transports()), "the new target is asked")  # type: ignore[attr-defined]
                assert await served.stop() == 0
                with pytest.raises(TargetNotReachable):
                    await waiting
        assert "Traceback" not in served.log
    async with listening() as target, serving(tmp_path / "cse.db") as served, connected(served) as client:
        assert await client.discover(types=[23]) == ("cse-in/log/sub",), "what was not acknowledged was not done"
