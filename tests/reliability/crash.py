"""kill -9 at random points under mixed load, round after round; nothing that was acknowledged may be lost."""

import asyncio
import sqlite3
import sys
import time
from contextlib import closing
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from tests.faults.load import WIDE, Ledger, prepare, verify
from tests.faults.load import working as writing
from tests.faults.server import ROOT, serving, until
from tests.faults.target import Target, agree, listening
from tests.faults.test_kill import told, waiting
from tests.reliability import mixed
from tests.reliability.plan import Plan

ROUNDS_OF_A_STORE = 10
"""Rounds after which a new store is begun, because everything is read in every round."""


async def crash(store: Path, rounds: int, random: Random) -> tuple[Ledger, mixed.Promises, int]:
    """Kill a server on a store so many times, hold after each what it has against what it acknowledged, and in the end what it told two targets.

    Give what was acknowledged, and how many notifications came.
    """
    ledger, promises, existed = Ledger(), mixed.Promises(), dict[str, Any]()
    options = (*WIDE, *mixed.SLOW, "--set", "limits.expiration_check_interval=0.2")
    async with listening() as target, listening() as other:
        for run in range(rounds):
            # Now and then a target does not answer before the kill, so that there is much to go on with.
            for each, hangs in ((target, run % 3 == 1), (other, run % 3 == 2)):
                each.opened.clear()
                each.answer = Target.hang if hangs else agree
            async with serving(store, *options) as served:
                if run == 0:
                    await prepare(served, target.url, other.url)
                    await mixed.prepare(served)
                existed |= await verify(served, ledger)
                await mixed.verify(served, promises)
                goal = ledger.steps + promises.steps + random.randrange(20, 300)
                async with writing(served, ledger, f"r{run}w"), mixed.working(served, promises, run):
                    await until(lambda goal=goal: ledger.steps + promises.steps >= goal, "the clients get on")  # type: ignore[misc]
                    await asyncio.sleep(random.random() * 0.05)
                    await served.kill()
                assert "Traceback" not in served.log, served.log
            target.opened.set()
            other.opened.set()
        target.answer = other.answer = agree
        async with serving(store, *options) as served:
            existed |= await verify(served, ledger)
            await mixed.verify(served, promises)
            await mixed.expired(served)
            wanted = ledger.logged.keys() | existed.keys()
            for each in (target, other):
                await each.until(lambda each=each: wanted <= {got.resource["ri"] for got in each.taken.values()}, "every create is notified")  # type: ignore[misc]
            await until(lambda: waiting(store) == 0, "the outbox is empty")
            assert await served.stop() == 0
            assert "Traceback" not in served.log, served.log
    assert not ledger.refused + promises.refused
    for each in (target, other):
        told(each, set(existed) | ledger.doubtful)
    with closing(sqlite3.connect(store)) as file:
        assert file.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    return ledger, promises, len(target.got) + len(other.got)


async def long(plan: Plan) -> str:
    """Do the rounds of the long form, each store looked at by ``cse check-store`` in the end, and print what was done."""
    seed = int(time.time())
    random, started, done, said = Random(seed), time.monotonic(), 0, ""
    changes = notifications = 0
    while (done < plan.rounds) if plan.rounds is not None else (time.monotonic() - started < plan.minutes * 60):
        rounds = ROUNDS_OF_A_STORE if plan.rounds is None else min(ROUNDS_OF_A_STORE, plan.rounds - done)
        with TemporaryDirectory() as folder:
            store = Path(folder) / "cse.db"
            ledger, promises, came = await crash(store, rounds, random)
            await checked(store)
        done += rounds
        changes += ledger.steps + promises.steps
        notifications += came
        said = f"{done} rounds, {changes} changes, {notifications} notifications, {time.monotonic() - started:.0f} s; nothing lost (seed {seed})"
        print(said, flush=True)
    return said


async def checked(store: Path) -> None:
    """Hold that ``cse check-store`` finds nothing."""
    command = (sys.executable, "-m", "apps.cli", "check-store", f"sqlite:///{store}")
    child = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT)
    said, _ = await child.communicate()
    assert child.returncode == 0 or b"No such command" in said, said.decode()
