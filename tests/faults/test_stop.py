"""SIGTERM: what is in flight is answered, what was answered is durable, exit code 0, also when it comes twice and while others hang."""

import asyncio
import signal
from pathlib import Path

import pytest

from cse.errors import TargetNotReachable
from tests.faults.load import LOG, WIDE, Ledger, connected, prepare, verify, working
from tests.faults.server import serving, until
from tests.faults.target import Target, listening


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


async def test_who_hangs_does_not_hold_the_stop_up_beyond_the_grace(tmp_path: Path) -> None:
    store, grace = tmp_path / "cse.db", 1.0
    async with listening() as target, listening() as silent, serving(store, "--set", f"limits.shutdown_grace={grace}") as served:
        await prepare(served, target.url)
        target.answer = silent.verify = Target.hang
        async with connected(served) as client, connected(served) as idle:
            await idle.retrieve(LOG)
            await client.put(LOG, "1")
            await target.until(lambda: len(target.got) == 1, "the target is notified")
            verified = asyncio.create_task(client.subscribe(LOG, silent.url, name="never"))
            await silent.asked.wait()
            _, writer = await asyncio.open_connection(*served.address)
            writer.write(b"POST /cse-in/log HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
            await writer.drain()
            assert await served.stop() == 0
            with pytest.raises(TargetNotReachable):
                await verified
            writer.close()
        assert "Traceback" not in served.log
        target.opened.set()
        async with serving(store) as again, connected(again) as client:
            assert await client.discover(types=[23]) == ("cse-in/log/sub",), "what was not acknowledged was not done"
            await target.until(lambda: len(target.got) == 2, "what was not acknowledged is delivered again")
            assert target.got[0].rqi == target.got[1].rqi
