"""The short form of ``python -m tests.reliability observe``."""

from tests.faults.load import prepare
from tests.faults.server import serving
from tests.reliability.observing import observe


async def test_hundreds_observe_one_container() -> None:
    async with serving("memory:") as served:
        await prepare(served)
        assert len(await observe(served, 300, 3)) == 3
        assert await served.stop() == 0
        assert served.log == ""
