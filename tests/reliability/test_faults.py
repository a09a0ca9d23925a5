"""A disk that answers with errors or takes its time, and a clock that jumps: what is acknowledged stays, reading goes on, and so does everything in the end."""

import asyncio
import time
from pathlib import Path

import pytest

from apps.client import Client
from cse.datatypes import timestamp
from cse.errors import NotFound
from tests.faults.load import CLIENTS, LOG, WIDE, Ledger, connected, prepare, verify, working
from tests.faults.server import PATIENCE, serving, until
from tests.faults.target import listening
from tests.reliability.faulty import READ, SYNC, WRITE, Faults

DAY = 86_400.0


@pytest.fixture
def faults(tmp_path: Path) -> Faults:
    return Faults(tmp_path / "faults")


def program(folder: Path) -> tuple[str, ...]:
    """Give what runs as the command, with the faults of a folder."""
    return ("-m", "tests.reliability.faulty", str(folder / "faults"))


@pytest.mark.parametrize("fault", [WRITE, SYNC, WRITE | SYNC | READ], ids=["write", "sync", "all"])
async def test_a_disk_with_errors_refuses_and_a_healthy_one_goes_on(fault: int, faults: Faults, tmp_path: Path) -> None:
    store, ledger = tmp_path / "cse.db", Ledger()
    async with listening() as target, serving(store, *WIDE, program=program(tmp_path)) as served:
        await prepare(served, target.url)
        async with working(served, ledger, "w") as tasks:
            for _ in range(2):
                goal, refusals = len(ledger.logged) + 30, len(ledger.refused) + 30
                await until(lambda goal=goal: len(ledger.logged) >= goal, "creates are acknowledged")  # type: ignore[misc]
                faults.tell(failing=fault)
                await until(lambda goal=refusals: len(ledger.refused) >= goal, "changes are refused")  # type: ignore[misc]
                async with connected(served) as client:
                    assert (await client.retrieve(LOG))["rn"] == "log", "what is in memory can be read"
                faults.tell()
            goal = len(ledger.logged) + 30
            await until(lambda: len(ledger.logged) >= goal, "creates are acknowledged again")
            assert not any(task.done() for task in tasks), "a client was not answered"
        await verify(served, ledger)
        await target.until(lambda: ledger.logged.keys() <= {each.resource["ri"] for each in target.taken.values()}, "every create is notified")
        await served.kill()
    assert "Traceback" not in served.log
    assert 2 <= len(served.lines) < 30, "a disk with errors is said, but not for every request"
    async with serving(store, *WIDE) as served:
        unanswered = (await verify(served, ledger)).keys() - ledger.logged.keys()
        assert len(unanswered) <= CLIENTS, "what was refused has appeared"
        assert await served.stop() == 0


async def test_a_slow_disk_delays_writers_alone_and_shares_its_commits(faults: Faults, tmp_path: Path) -> None:
    async with serving(tmp_path / "cse.db", program=program(tmp_path)) as served:
        await prepare(served)
        async with connected(served) as client, connected(served, "coap") as other:
            await client.put(LOG, "before")
            faults.tell(slow=2.0)
            first = asyncio.create_task(client.put(LOG, "first"))
            for number in range(40):
                assert (await (other if number % 2 else client).retrieve(f"{LOG}/la"))["con"] == "before", "what is not durable cannot be seen"
            assert not first.done(), "reading did not wait for the disk"
            async with asyncio.timeout(PATIENCE):
                await asyncio.gather(first, other.put(LOG, "over CoAP"), *(client.put(LOG, f"{number}") for number in range(100)))
            assert (await client.retrieve(LOG))["cni"] == 103
            faults.tell()
            await client.put(LOG, "after")
        assert await served.stop() == 0
    assert served.log == ""


async def test_a_clock_that_jumps_changes_no_order_and_loses_nothing(faults: Faults, tmp_path: Path) -> None:
    store, contents = tmp_path / "cse.db", []

    async def put(client: Client, content: str) -> None:
        made = await client.put(LOG, content)
        contents.append(content)
        assert made["st"] == len(contents)
        assert (await client.latest(LOG))["con"] == content
        assert (await client.retrieve(f"{LOG}/ol"))["con"] == contents[0]

    async with listening() as target:
        for restart in range(2):
            async with serving(store, *WIDE, program=program(tmp_path)) as served, connected(served) as client:
                if restart == 0:
                    await prepare(served, target.url)
                for jump in (0.0, -DAY, 2 * DAY, -100 * DAY, 0.0):
                    faults.tell(jump=jump)
                    await put(client, f"{restart} {jump}")
                    await target.until(lambda: len(target.taken) == len(contents), "notifications go on")
                faults.tell(jump=-DAY)
                await put(client, f"{restart} before the end")
                await served.kill()
        assert [each.resource["con"] for each in target.taken.values()] == contents, "in the order of events"
        assert "Traceback" not in served.log
        async with serving(store, program=program(tmp_path)) as served, connected(served) as client:
            await put(client, "at last")
            assert (await client.retrieve(LOG))["cni"] == len(contents)


async def test_expiry_goes_by_the_clock_whichever_way_it_jumps(faults: Faults, tmp_path: Path) -> None:
    async with serving(tmp_path / "cse.db", program=program(tmp_path)) as served, connected(served) as client:
        await client.container("cse-in", "short", et=timestamp(time.time() + 3600))
        faults.tell(jump=-DAY)
        await asyncio.sleep(1.5)
        assert (await client.retrieve("cse-in/short"))["rn"] == "short"
        faults.tell(jump=2 * 3600.0)
        with pytest.raises(NotFound):
            await client.retrieve("cse-in/short")
        faults.tell()
        await client.container("cse-in", "brief", et=timestamp(time.time() + 1.0))
        async with asyncio.timeout(PATIENCE):
            while "cse-in/brief" in await client.discover(types=[3]):  # noqa: ASYNC110 - it is in another process
                await asyncio.sleep(0.1)
        assert await served.stop() == 0
    assert "Traceback" not in served.log
