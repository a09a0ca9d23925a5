"""kill -9 under load: what was acknowledged is there, what is counted agrees with what is there, and the outbox goes on."""

from pathlib import Path
from random import Random
from typing import Any

from tests.faults.load import LOG, WIDE, Ledger, connected, prepare, verify, working
from tests.faults.server import serving, until
from tests.faults.target import Target, agree, listening

ROUNDS = 4


async def test_nothing_acknowledged_is_lost_and_the_outbox_goes_on(tmp_path: Path) -> None:
    ledger, existed, random = Ledger(), dict[str, Any](), Random()
    async with listening() as target:
        for run in range(ROUNDS):
            # Every other time the target does not answer before the kill, so that there is much to go on with.
            target.opened.clear()
            target.answer = target.hang if run % 2 else agree
            async with serving(tmp_path / "cse.db", tmp_path / "log", *WIDE) as served:
                if run == 0:
                    await prepare(served, target.url)
                existed |= await verify(served, ledger)
                goal = ledger.steps + random.randrange(100, 500)
                async with working(served, ledger, f"r{run}w"):
                    await until(lambda goal=goal: ledger.steps >= goal, "the clients get on")  # type: ignore[misc]
                    await served.kill()
            target.opened.set()
        target.answer = agree
        async with serving(tmp_path / "cse.db", tmp_path / "log", *WIDE) as served:
            existed |= await verify(served, ledger)
            wanted = ledger.logged.keys() | existed.keys()
            await target.until(lambda: wanted <= {each.resource["ri"] for each in target.taken.values()}, "every create is notified")
            assert await served.stop() == 0
            assert "Traceback" not in served.log
    assert not ledger.refused
    told(target, set(existed) | ledger.doubtful)


def told(target: Target, existed: set[str]) -> None:
    """Check identifiers and order: one identifier an event however often it was sent, events in the order in which they happened (TS-0001 10.2.10)."""
    identifiers: dict[str, str] = {}
    for notified in target.got:
        ri = notified.resource["ri"]
        assert identifiers.setdefault(ri, notified.rqi) == notified.rqi
        assert ri in existed, "a create was notified that never became durable"
    assert len(set(identifiers.values())) == len(identifiers)
    tags = [each.resource["st"] for each in target.taken.values()]
    assert tags == sorted(tags), "the order of events was not kept"


async def test_what_was_delivered_before_a_kill_is_not_delivered_again_for_ever(tmp_path: Path) -> None:
    async with listening() as target:
        async with serving(tmp_path / "cse.db", tmp_path / "log") as served:
            await prepare(served, target.url)
            async with connected(served) as client:
                await client.put(LOG, "1")
            await target.until(lambda: len(target.taken) == 1, "the first is notified")
            assert await served.stop() == 0
        async with serving(tmp_path / "cse.db", tmp_path / "log") as served:
            async with connected(served, "coap") as client:
                await client.put(LOG, "2")
            await target.until(lambda: len(target.taken) == 2, "the second is notified")
            await served.kill()
        assert [each.resource["con"] for each in target.got] == ["1", "2"]
