"""The short form of ``python -m tests.reliability crash``."""

from pathlib import Path
from random import Random

from tests.reliability.crash import crash


async def test_nothing_acknowledged_is_lost_under_mixed_load(tmp_path: Path) -> None:
    ledger, promises, came = await crash(tmp_path / "cse.db", 3, Random())
    assert ledger.logged
    assert promises.fanned
    assert promises.points
    assert promises.done == promises.accepted.keys()
    assert came >= len(ledger.logged)
