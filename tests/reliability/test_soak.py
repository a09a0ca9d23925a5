"""The short form of ``python -m tests.reliability soak``."""

from pathlib import Path

from tests.reliability.soak import flat, soak


async def test_nothing_grows(tmp_path: Path) -> None:
    looks = await soak(tmp_path / "cse.db", 16.0, 2.5)
    flat(looks[1:])
