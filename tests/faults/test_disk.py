"""A full disk: changes are refused with 5xxx and nothing acknowledged is lost; when there is space again the CSE goes on."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from apps.client import Client
from cse.errors import InternalServerError
from tests.faults.disk import Disk, limited, small
from tests.faults.load import CLIENTS, LOG, WIDE, Ledger, connected, prepare, verify, working
from tests.faults.server import Serving, serving, until
from tests.faults.target import listening


@pytest.fixture(params=["disk", "limit"])
async def disk(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Disk]:
    async with small(tmp_path) if request.param == "disk" else limited(tmp_path) as found:
        yield found


async def test_without_space_it_refuses_and_with_space_it_goes_on(disk: Disk) -> None:
    store, ledger = disk.folder / "cse.db", Ledger()
    async with listening() as target, serving(store, *WIDE) as served:
        await prepare(served, target.url)
        async with working(served, ledger, "w") as tasks:
            for _ in range(2):
                goal, refusals = len(ledger.logged) + 30, len(ledger.refused) + 30
                await until(lambda goal=goal: len(ledger.logged) >= goal, "creates are acknowledged")  # type: ignore[misc]
                disk.fill(served)
                await until(lambda goal=refusals: len(ledger.refused) >= goal, "changes are refused")  # type: ignore[misc]
                async with connected(served) as client:
                    assert (await client.retrieve(LOG))["rn"] == "log", "reading needs no space"
                assert await health(served) == 503
                disk.clear(served)
            goal = len(ledger.logged) + 30
            await until(lambda: len(ledger.logged) >= goal, "creates are acknowledged again")
            assert not any(task.done() for task in tasks), "a client was not answered"
            assert await health(served) == 200
        await verify(served, ledger)
        await target.until(lambda: ledger.logged.keys() <= {each.resource["ri"] for each in target.taken.values()}, "every create is notified")
        disk.fill(served)
        async with connected(served) as client:
            with pytest.raises(InternalServerError, match="the store"):
                await flood(client, ledger)
        assert await served.stop() == 0, "it stops cleanly"
    assert "Traceback" not in served.log
    assert 3 <= len(served.lines) < 30, "a full disk is said, but not for every request"
    disk.clear(served)
    async with serving(store, *WIDE) as served:
        unanswered = (await verify(served, ledger)).keys() - ledger.logged.keys()
        assert len(unanswered) <= CLIENTS, "what was refused has appeared"
        assert await served.stop() == 0


async def health(served: Serving) -> int:
    """Give the status of ``/health``."""
    async with aiohttp.ClientSession() as session, session.get(f"{served.http}/health") as answer:
        return answer.status


async def flood(client: Client, ledger: Ledger) -> None:
    """Create instances until one is refused."""
    while True:
        made = await client.put(LOG, "x" * 2000)
        ledger.logged[made.ri] = made["st"]
