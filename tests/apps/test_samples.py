"""The sample AEs: short, and doing what they say against a real CSE."""

import asyncio
import sys
from pathlib import Path

import pytest

from apps import samples

SCRIPTS = sorted(path for directory in samples.__path__ for path in Path(directory).glob("*.py") if path.stem != "__init__")


def test_there_are_three_of_at_most_40_lines() -> None:
    assert [path.stem for path in SCRIPTS] == ["dashboard", "group_reader", "thermometer"]
    assert {path.stem: lines for path in SCRIPTS if (lines := len(path.read_text().splitlines())) > 40} == {}


async def start(name: str, *arguments: str) -> asyncio.subprocess.Process:
    """Run a sample as its reader would."""
    return await asyncio.create_subprocess_exec(sys.executable, "-m", f"apps.samples.{name}", *arguments, stdout=asyncio.subprocess.PIPE)


async def words(process: asyncio.subprocess.Process) -> str:
    """Wait for the end of a sample and give what it printed."""
    printed, _ = await process.communicate()
    assert process.returncode == 0
    return printed.decode()


@pytest.mark.asyncio(loop_scope="module")
async def test_they_play_together(url: str) -> None:
    protocol = url.partition(":")[0]
    room = f"{protocol}-room"
    assert f"{room}: " in await words(await start("thermometer", url, room, "2"))
    dashboard = await start("dashboard", url, "3")
    assert dashboard.stdout is not None
    assert b"watching" in await dashboard.stdout.readline()
    assert await words(await start("thermometer", url, room, "3"))
    shown = await words(dashboard)
    assert shown.count(f"cse-in/thermometer-{room}/temperature: ") == 3
    asked = await words(await start("group_reader", url))
    assert "°C" in asked
    assert "temperatures" in asked
