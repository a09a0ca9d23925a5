"""Backups of a CSE that is written to, and what is started from them: one moment, with everything that was acknowledged before it."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

from tests.faults.commands import cse
from tests.faults.load import LOG, WIDE, Ledger, connected, prepare, rows, working
from tests.faults.server import serving, until
from tests.faults.target import Target, agree, listening


async def test_a_copy_that_was_taken_under_load_is_one_moment(tmp_path: Path) -> None:
    store, copy, place, ledger = tmp_path / "cse.db", tmp_path / "copy.db", f"sqlite:///{tmp_path}/other.db", Ledger()
    async with listening() as target, serving(store, *WIDE) as served:
        await prepare(served, target.url)
        target.answer = Target.hang
        async with working(served, ledger, "w") as tasks:
            await until(lambda: ledger.steps >= 100, "the clients get on")
            before, doubtful = set(ledger.logged), set(ledger.doubtful)
            assert (await cse("backup", f"sqlite:///{store}", str(copy)))[0] == 0
            goal = ledger.steps + 50
            await until(lambda: ledger.steps >= goal, "the clients get on")
            assert not any(task.done() for task in tasks)
        assert not ledger.refused, "the backup was in the way"
        assert (await cse("restore", str(copy), place))[0] == 0
        code, text = await cse("check-store", place)
        assert (code, "nothing is wrong" in text) == (0, True), text
        with closing(sqlite3.connect(copy)) as file:
            notified = {json.loads(body)[2]["m2m:sgn"]["nev"]["rep"]["m2m:cin"]["ri"] for (body,) in file.execute("SELECT body FROM notice")}
        target.opened.set()
        target.answer = agree
        async with serving(place, *WIDE) as copied, connected(copied) as client:
            log, logged = await rows(client, LOG)
            assert log["cni"] == len(logged)
            assert log["cbs"] == sum(each["cs"] for each in logged.values())
            assert before - ledger.doubtful <= logged.keys(), "what was acknowledged before the backup is not in it"
            assert len(logged) <= len(ledger.logged) + 6
            assert logged.keys() <= notified, "a create is in the copy without its notification"
            assert notified - logged.keys() <= ledger.doubtful, "a notification is in the copy without its create"
            assert doubtful <= ledger.doubtful
            latest = (await client.retrieve(f"{LOG}/la"))["ri"]
            assert latest == max(logged.values(), key=lambda each: each["st"])["ri"]
            assert (await client.put(LOG, "new")).ri not in ledger.logged, "the copy lives its own life"
            await target.until(lambda: notified <= {each.resource["ri"] for each in target.taken.values()}, "its outbox is delivered")
            assert await copied.stop() == 0
        assert await served.stop() == 0


async def test_a_readable_file_is_copied_while_it_is_written(tmp_path: Path) -> None:
    url, copy = f"tinydb:///{tmp_path}/cse.json", tmp_path / "copy.json"
    async with serving(url) as served:
        async with connected(served) as client:
            for number in range(10):
                await client.container("cse-in", f"box-{number}")
        assert (await cse("backup", url, str(copy)))[0] == 0
        assert await served.stop() == 0
    assert (await cse("restore", str(copy), f"tinydb:///{tmp_path}/other.json"))[0] == 0
    async with serving(f"tinydb:///{tmp_path}/other.json") as restored, connected(restored) as client:
        assert (await client.retrieve("cse-in/box-9"))["rn"] == "box-9"


async def test_into_the_place_of_a_store(tmp_path: Path) -> None:
    url, copy = f"sqlite:///{tmp_path}/cse.db", tmp_path / "copy.db"
    async with serving(url) as served:
        async with connected(served) as client:
            await client.container("cse-in", "early")
        assert (await cse("backup", url, str(copy)))[0] == 0
        async with connected(served) as client:
            await client.container("cse-in", "late")
        code, text = await cse("restore", str(copy), url, "--replace")
        assert (code, "is in use by another process" in text) == (2, True), text
        await served.kill()
    assert (tmp_path / "cse.db-wal").exists(), "the log of a killed process is there, and must not get into the restored store"
    code, text = await cse("restore", str(copy), url)
    assert (code, "exists already" in text) == (2, True), text
    code, text = await cse("restore", str(copy), url, "--replace")
    assert (code, "is kept as" in text) == (0, True), text
    for place, wanted in ((url, ["early"]), (f"{url}.replaced", ["early", "late"])):
        async with serving(place) as served, connected(served) as client:
            found = await client.send(2, "cse-in", rcn=4)  # type: ignore[arg-type]
            assert sorted(each["rn"] for each in found.pc["m2m:cb"]["m2m:cnt"]) == wanted
    code, text = await cse("restore", str(copy), url, "--replace")
    assert (code, "a store that was replaced before" in text) == (2, True), text


async def test_what_cannot_be_copied(tmp_path: Path) -> None:
    store, copy = f"sqlite:///{tmp_path}/cse.db", tmp_path / "copy.db"
    (tmp_path / "text").write_text("no store of any kind", "utf-8")
    with closing(sqlite3.connect(tmp_path / "foreign.db")) as file:
        file.execute("CREATE TABLE x (y)")
    async with serving(store) as served:
        assert await served.stop() == 0
    assert (await cse("backup", store, str(copy)))[0] == 0
    cases = [
        (("backup", store, str(copy)), "exists already"),
        (("backup", f"sqlite:///{tmp_path}/none.db", str(tmp_path / "x")), "there is no store"),
        (("backup", "memory:", str(tmp_path / "x")), "no store in a file"),
        (("backup", f"sqlite:///{tmp_path}/text", str(tmp_path / "x")), "not an SQLite file"),
        (("backup", f"sqlite:///{tmp_path}/foreign.db", str(tmp_path / "x")), "no store of this CSE"),
        (("backup", f"tinydb:///{tmp_path}/text", str(tmp_path / "x")), "is not JSON"),
        (("backup", store, str(tmp_path / "none" / "x")), "cannot be written"),
        (("restore", str(tmp_path / "none"), f"sqlite:///{tmp_path}/y.db"), "there is no backup"),
        (("restore", str(tmp_path / "foreign.db"), f"sqlite:///{tmp_path}/y.db"), "no store of this CSE"),
        (("restore", str(copy), f"sqlite:///{tmp_path}/none/y.db"), "there is no directory"),
    ]
    for arguments, sentence in cases:
        code, text = await cse(*arguments)
        assert (code, sentence in text, "Traceback" in text) == (2, True, False), text
    with closing(sqlite3.connect(copy)) as file:
        file.execute("PRAGMA user_version=99")
    code, text = await cse("restore", str(copy), f"sqlite:///{tmp_path}/y.db")
    assert (code, "schema version 99" in text) == (2, True), text
    left = {path.name for path in tmp_path.iterdir()}  # noqa: ASYNC240
    assert not [name for name in left if name.endswith((".part", ".restored")) or name in ("x", "y.db")]
