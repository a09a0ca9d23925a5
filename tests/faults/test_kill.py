"""kill -9 under load: what was acknowledged is there, what is counted agrees with what is there, and the outbox goes on."""

import sqlite3
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

from tests.faults.commands import cse
from tests.faults.load import WIDE, Ledger, prepare, verify, working
from tests.faults.server import serving, until
from tests.faults.target import Target, agree, listening

ROUNDS = 3


async def test_nothing_acknowledged_is_lost_and_the_outbox_goes_on(tmp_path: Path) -> None:
    store, ledger, existed, random = tmp_path / "cse.db", Ledger(), dict[str, Any](), Random()
    async with listening() as target:
        for run in range(ROUNDS):
            # In one round the target does not answer before the kill, so that there is much to go on with.
            target.opened.clear()
            target.answer = Target.hang if run == 1 else agree
            async with serving(store, *WIDE) as served:
                if run == 0:
                    await prepare(served, target.url)
                existed |= await verify(served, ledger)
                goal = ledger.steps + random.randrange(50, 300)
                async with working(served, ledger, f"r{run}w"):
                    await until(lambda goal=goal: ledger.steps >= goal, "the clients get on")  # type: ignore[misc]
                    await served.kill()
            target.opened.set()
        target.answer = agree
        async with serving(store, *WIDE) as served:
            existed |= await verify(served, ledger)
            wanted = ledger.logged.keys() | existed.keys()
            await target.until(lambda: wanted <= {each.resource["ri"] for each in target.taken.values()}, "every create is notified")
            # What was acknowledged a moment before a kill is sent once more, and leaves the outbox then.
            await until(lambda: waiting(store) == 0, "the outbox is empty")
            assert await served.stop() == 0
            assert "Traceback" not in served.log
    assert not ledger.refused
    told(target, set(existed) | ledger.doubtful)
    assert waiting(store) == 0, "what was delivered would be delivered again"
    code, text = await cse("check-store", f"sqlite:///{store}")
    assert code == 0, text


def waiting(store: Path) -> int:
    """Count the notifications in the outbox of a store."""
    with closing(sqlite3.connect(store)) as file:
        [count] = file.execute("SELECT count(*) FROM notice").fetchone()
    return int(count)


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
