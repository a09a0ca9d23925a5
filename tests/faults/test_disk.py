"""A full disk: changes are refused with 5xxx and nothing acknowledged is lost; when there is space again the CSE goes on."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cse.errors import InternalServerError
from tests.faults.disk import Disk, limited, small
from tests.faults.load import LOG, WIDE, Ledger, connected, prepare, verify, working
from tests.faults.server import serving, until
from tests.faults.target import listening


@pytest.fixture(params=["disk", "quota"])
async def disk(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Disk]:
    if request.param == "quota":
        (tmp_path / "store").mkdir()
        yield limited(tmp_path / "store")
        return
    async with small(tmp_path / "store") as found:
        yield found


async def test_without_space_it_refuses_and_with_space_it_goes_on(disk: Disk, tmp_path: Path) -> None:
    store, ledger = disk.folder / "cse.db", Ledger()
    async with listening() as target, serving(store, tmp_path / "log", *WIDE) as served:
        await prepare(served, target.url)
        async with working(served, ledger, "w") as tasks:
            for _ in range(2):
                goal = len(ledger.logged) + 30
                await until(lambda goal=goal: len(ledger.logged) >= goal, "creates are acknowledged")  # type: ignore[misc]
                disk.fill(served)
                refused = len(ledger.refused) + 30
                await until(lambda refused=refused: len(ledger.refused) >= refused, "changes are refused")  # type: ignore[misc]
                async with connected(served) as client:
                    assert (await client.retrieve(LOG))["rn"] == "log", "reading needs no space"
                disk.clear(served)
            goal = len(ledger.logged) + 30
            await until(lambda: len(ledger.logged) >= goal, "creates are acknowledged again")
            assert not any(task.done() for task in tasks), "a client was not answered"
        await verify(served, ledger)
        await target.until(lambda: ledger.logged.keys() <= {each.resource["ri"] for each in target.taken.values()}, "every create is notified")
        disk.fill(served)
        async with connected(served) as client:
            with pytest.raises(InternalServerError, match="the store"):
                while True:
                    made = await client.put(LOG, "x" * 2000)
                    ledger.logged[made.ri] = made["st"]
        await served.kill()
        assert "commit of" in served.log
        assert "Traceback" not in served.log
    async with serving(store, tmp_path / "log", *WIDE) as served:
        disk.clear(served)
        await verify(served, ledger)
