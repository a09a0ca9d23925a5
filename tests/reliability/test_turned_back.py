"""What strangers turn against the server: its own addresses, targets that babble into its log, members that hang, and a store that is damaged."""

import asyncio
import json
import logging
import sqlite3
from contextlib import closing
from pathlib import Path
from time import monotonic

import pytest

from apps.client import Client, Operation, ResourceTypeID
from bindings.logs import Json, Text
from cse.codes import ResponseStatusCode as RSC
from cse.errors import BadRequest, InternalServerError, TargetNotReachable
from tests.faults.load import LOG, connected, prepare
from tests.faults.server import refused, serving
from tests.faults.target import listening, say
from tests.faults.test_clients import answer, opened

_SIGNAL = {"m2m:sgn": {"sur": "cse-in/none"}}


async def test_a_point_of_access_that_leads_back_here_is_found_out_at_once() -> None:
    """It would be asked again by its own request until all places for requests to others are taken, and for as long as a request may take."""
    async with serving("memory:") as served, Client.connect(served.http, "Cloop") as client:
        attributes = {"api": "Nloop", "rr": True, "srv": ["4"], "poa": [served.http]}
        await client.send(Operation.CREATE, "cse-in", ty=ResourceTypeID.AE, pc={"m2m:ae": {"rn": "loop", **attributes}})
        before, began = served.descriptors(), monotonic()
        with pytest.raises(TargetNotReachable):
            await client.notify("cse-in/loop", _SIGNAL)
        assert monotonic() - began < 5
        assert served.descriptors() < before + 10
        assert await served.stop() == 0
        assert served.log == ""


async def test_members_that_hang_do_not_hold_a_fan_out_up_one_after_the_other() -> None:
    async with listening() as target, serving("memory:", "--set", "limits.request_timeout=1") as served, connected(served) as client:
        target.verify = target.answer = lambda asked, writer, rqi: asyncio.sleep(60, False)
        names = [f"Chang{number}" for number in range(8)]
        for name in names:
            async with Client.connect(served.http, name) as other:
                attributes = {"api": "Nhang", "rr": True, "srv": ["4"], "poa": [target.url]}
                await other.send(Operation.CREATE, "cse-in", ty=ResourceTypeID.AE, pc={"m2m:ae": attributes})
        await client.group("cse-in", "all", names)
        began = monotonic()
        told = await client.send(Operation.NOTIFY, "cse-in/all/fopt", pc=_SIGNAL)
        assert [entry["rsc"] for entry in told.pc["m2m:agr"]["m2m:rsp"]] == [RSC.REQUEST_TIMEOUT] * 8
        assert monotonic() - began < 4


async def test_answers_to_what_nobody_has_asked_cost_one_look_at_the_outbox() -> None:
    """Each of them was looked for among all notifications that wait for the channel: one body of a megabyte stopped the server for minutes."""
    async with serving("memory:") as served, Client.connect(served.http, "Cpoll") as client:
        attributes = {"rn": "poll", "api": "Npoll", "rr": False, "srv": ["4"]}
        await client.send(Operation.CREATE, "cse-in", ty=ResourceTypeID.AE, pc={"m2m:ae": attributes})
        await client.send(Operation.CREATE, "cse-in/poll", ty=ResourceTypeID.POLLING_CHANNEL, pc={"m2m:pch": {"rn": "ch"}})
        await client.container("cse-in/poll", "c")
        await client.send(Operation.CREATE, "cse-in/poll/c", ty=ResourceTypeID.SUBSCRIPTION, pc={"m2m:sub": {"enc": {"net": [3]}, "nu": ["Cpoll"]}})
        for number in range(500):
            await client.put("cse-in/poll/c", f"{number}")
        answers = [{"rsc": 2000, "rqi": f"none{number}"} for number in range(20_000)]
        began = monotonic()
        with pytest.raises(BadRequest):
            await client.notify("cse-in/poll/ch/pcu", {"m2m:agr": {"m2m:rsp": answers}})
        assert monotonic() - began < 5


async def test_a_target_does_not_write_long_lines_into_the_log() -> None:
    async with listening() as target, serving("memory:") as served:
        await prepare(served, target.url)
        body = json.dumps({"m2m:dbg": "A" * 500_000}).encode()
        head = f"HTTP/1.1 404 Not Found\r\nX-M2M-RSC: 4004\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        target.answer = say(head.encode() + body)
        async with connected(served) as client:
            await client.put(LOG, "1")
        await target.until(lambda: bool(target.got), "it is notified")
        assert await served.stop() == 0
        assert "gave up notifying" in served.log
        assert "characters more" in served.log
        assert len(served.log) < 6000


def test_neither_form_of_the_log_has_longer_lines_than_others_are_granted() -> None:
    record = logging.LogRecord("x", logging.WARNING, "x", 1, "to %s", ("b" * 100_000,), None)
    record.fields = {"to": "b" * 100_000, "rsc": 2000}
    assert len(Text().format(record)) < 5000
    line = Json().format(record)
    assert json.loads(line)["rsc"] == 2000
    assert len(line) < 10_000


async def test_a_damaged_store_is_named_and_told_of_and_metrics_go_on(tmp_path: Path) -> None:
    """The pages of instances and of an index are overwritten: what needs them is refused, what does not is served, and the log is told once."""
    path = tmp_path / "cse.db"
    async with serving(path) as served, connected(served) as client:
        await prepare(served)
        for number in range(20):
            await client.put(LOG, f"{number}")
        assert await served.stop() == 0
    spoil(path, "instance", "instance_ct")
    async with serving(path) as served, connected(served) as client:
        for _ in range(5):
            with pytest.raises(InternalServerError):
                await client.latest(LOG)
        assert (await client.retrieve(LOG))["rn"] == "log"
        for _ in range(3):
            async with opened(served, b"GET /metrics HTTP/1.1\r\nHost: cse\r\n\r\n") as (reader, _):
                status, _, text = await answer(reader)
                assert status == 200
                assert b"cse_requests_total" in text
        assert served.log.count("malformed") <= 2
        assert f"RETRIEVE {LOG}/la failed" in served.log
        assert "Traceback" not in served.log
    spoil(path, "resource_ri")
    code, out, err = await refused(path)
    assert (code, out) == (2, "")
    assert str(path) in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("name", ["cse.db", "cse.db-wal"])
async def test_nothing_is_acknowledged_into_a_file_that_was_taken_away(name: str, tmp_path: Path) -> None:
    """Writing would go on into a file that has no name any more, and the next start would not find it."""
    path = tmp_path / "cse.db"
    async with serving(path) as served, connected(served) as client:
        await prepare(served)
        aside = (tmp_path / name).rename(tmp_path / "aside")
        with pytest.raises(InternalServerError, match=f"{name} was moved or deleted"):
            await client.put(LOG, "lost")
        async with opened(served, b"GET /health HTTP/1.1\r\nHost: cse\r\n\r\n") as (reader, _):
            assert (await answer(reader))[0] == 503
        assert (await client.retrieve(LOG))["cni"] == 0
        aside.rename(tmp_path / name)
        await client.put(LOG, "kept")
        assert "Traceback" not in served.log
        await served.kill()
    async with serving(path) as served, connected(served) as client:
        assert (await client.latest(LOG))["con"] == "kept"


def spoil(path: Path, *names: str) -> None:
    """Overwrite the root pages of tables or indexes."""
    with closing(sqlite3.connect(path)) as file:
        pages = [file.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (name,)).fetchone()[0] for name in names]
        size = file.execute("PRAGMA page_size").fetchone()[0]
    with path.open("r+b") as raw:
        for page in pages:
            raw.seek((page - 1) * size)
            raw.write(b"\xa5" * size)
