"""README.md: its commands are those that the project promises, and the tour answers what it shows."""

import asyncio
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from apps.demo.process import Running
from cse import __version__
from tests.docs.pages import ROOT, Block, blocks

README = ROOT / "README.md"
BLOCKS = blocks(README, "sh", "text", "python")


def test_the_two_commands() -> None:
    assert [block.text for block in BLOCKS if block.name == "install"] == [
        "python3 -m venv .venv && .venv/bin/pip install -c config/constraints.txt . && .venv/bin/cse demo\n",
        "python3 -m venv .venv && .venv/bin/pip install -c config/constraints.txt -e '.[test]' && .venv/bin/pytest\n",
    ]


def test_what_serve_prints() -> None:
    shown = next(BLOCKS[at + 1].text for at, block in enumerate(BLOCKS) if block.text == ".venv/bin/cse serve\n")
    assert shown == f"cse {__version__} serves /id-in at http://127.0.0.1:8080 coap://127.0.0.1:5683\n"


def tour(name: str = "") -> list[tuple[str, str]]:
    """Give what a reader types in the blocks of a name, each with what the page shows for it."""
    typed = [(at, block) for at, block in enumerate(BLOCKS) if block.language == "sh" and block.name == name and "cse serve" not in block.text]
    following = [BLOCKS[at + 1] if at + 1 < len(BLOCKS) else Block("", "", "") for at, _ in typed]
    return [(block.text, shown.text if shown.language == "text" else "") for (_, block), shown in zip(typed, following, strict=True)]


def fits(shown: str, printed: str) -> bool:
    """Tell whether what was printed is what is shown, where ``...`` stands for anything and white space for nothing."""
    pieces = ["".join(piece.split()) for piece in shown.split("...")]
    return re.fullmatch(".*".join(re.escape(piece) for piece in pieces), "".join(printed.split())) is not None


def test_the_comparison_sees_a_difference() -> None:
    assert fits('{"a": {"b": 1, ... "d": "x y"}}', '{"a":{"b":1,"c":2,"d":"x y"}}')
    assert not fits('{"a": {"b": 1, ... "d": 4}}', '{"a":{"b":1,"c":2,"d":5}}')
    assert not fits('{"a": 1}', '{"a":1}\n{"a":2}')


class Desk:
    """Where a reader sits: a directory of its own, and a shell with curl. places: what stands for the addresses of the page."""

    def __init__(self, directory: Path, places: Mapping[str, str]) -> None:
        self._directory, self._places = directory, {**places, ".venv/bin/": f"{Path(sys.executable).parent}/"}
        tools = directory / "tools"
        tools.mkdir(exist_ok=True)
        curl = tools / "curl"
        curl.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{Path(__file__).parent / "curl.py"}" "$@"\n')
        curl.chmod(0o755)
        self._environment = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}

    def placed(self, text: str) -> str:
        """Give a text with the addresses and tools of here."""
        for shown, here in self._places.items():
            text = text.replace(shown, here)
        return text

    async def start(self, typed: str) -> asyncio.subprocess.Process:
        """Start what a reader types."""
        return await asyncio.create_subprocess_exec(
            "bash", "-e", "-c", self.placed(typed), cwd=self._directory, env=self._environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )

    async def type(self, typed: str) -> str:
        """Run what a reader types and give what it prints."""
        process = await self.start(typed)
        printed, complaints = await process.communicate()
        assert process.returncode == 0, f"{typed}\n{complaints.decode()}"
        return printed.decode()


@pytest.mark.asyncio(loop_scope="module")
async def test_the_tour_answers_what_it_shows(cse: Running, tmp_path: Path) -> None:
    """One after the other, as a reader pastes them, with a real shell."""
    desk = Desk(tmp_path, {"http://127.0.0.1:8080": cse.http, "coap://127.0.0.1": cse.coap})
    for block in BLOCKS:
        if block.language == "python":
            (tmp_path / block.name).write_text(desk.placed(block.text))
    steps = [*tour(), (".venv/bin/python report.py", "{'watt': 1850}")]
    assert len(steps) > 10
    for typed, shown in steps:
        printed = await desk.type(typed)
        assert not shown or fits(shown, printed), f"{typed}\n{printed}"


@pytest.mark.asyncio(loop_scope="module")
async def test_the_held_world_answers_what_the_page_shows(tmp_path: Path) -> None:
    [(hold, ready)] = tour("hold")
    world = await Desk(tmp_path, {"127.0.0.1:8081": "127.0.0.1:0", "127.0.0.1:5684": "127.0.0.1:0"}).start(f"exec {hold}")
    assert world.stdout is not None
    line = (await world.stdout.readline()).decode()
    urls = line.split()[1:]
    assert fits(ready.replace("127.0.0.1:8081", "...").replace("127.0.0.1:5684", "..."), line), (await world.communicate())[1].decode()
    desk = Desk(tmp_path, {"http://127.0.0.1:8081": urls[0]})
    try:
        for typed, shown in tour("held"):
            async with asyncio.timeout(30):
                # the meter answers when it has acted; the same command again is the same command
                while not fits(shown, await desk.type(typed)):
                    pass
    finally:
        world.terminate()
        await world.communicate()
    assert world.returncode == 0


def test_options_that_the_page_names_exist() -> None:
    known = set(re.findall(r"`(--[\w-]+)", (ROOT / "docs" / "reference" / "commands.md").read_text("utf-8")))
    named = set(re.findall(r"(?<![\w-])--[a-z][\w-]*", "\n".join(line for line in README.read_text("utf-8").splitlines() if "cse " in line or "`--" in line)))
    assert named
    assert named <= known
