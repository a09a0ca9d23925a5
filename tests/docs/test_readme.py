"""README.md: its commands are those that the project promises, and the tour answers what it shows."""

import asyncio
import os
import re
import sys
from pathlib import Path

import pytest

from apps.demo.process import Running
from cse import __version__
from tests.docs.pages import ROOT, Block, blocks

README = ROOT / "README.md"
BLOCKS = blocks(README, "sh", "text", "python")


def test_the_two_commands() -> None:
    assert [block.text for block in BLOCKS if block.name == "install"] == [
        "python3 -m venv .venv && .venv/bin/pip install . && .venv/bin/cse demo\n",
        "python3 -m venv .venv && .venv/bin/pip install -e '.[test]' && .venv/bin/pytest\n",
    ]


def test_what_serve_prints() -> None:
    shown = next(BLOCKS[at + 1].text for at, block in enumerate(BLOCKS) if block.text == ".venv/bin/cse serve\n")
    assert shown == f"cse {__version__} serves /id-in at http://127.0.0.1:8080 coap://127.0.0.1:5683\n"


def tour() -> list[tuple[str, str]]:
    """Give what a reader types, each with what the page shows for it."""
    typed = [(at, block) for at, block in enumerate(BLOCKS) if block.language == "sh" and block.name != "install" and "cse serve" not in block.text]
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


@pytest.mark.asyncio(loop_scope="module")
async def test_the_tour_answers_what_it_shows(cse: Running, tmp_path: Path) -> None:
    """One after the other, as a reader pastes them, with a real shell."""
    beside = Path(sys.executable).parent
    tools = tmp_path / "tools"
    tools.mkdir()
    curl = tools / "curl"
    curl.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{Path(__file__).parent / "curl.py"}" "$@"\n')
    curl.chmod(0o755)

    def placed(text: str) -> str:
        here = text.replace("http://127.0.0.1:8080", cse.http).replace("coap://127.0.0.1", cse.coap)
        return here.replace(".venv/bin/", f"{beside}/")

    for block in BLOCKS:
        if block.language == "python":
            (tmp_path / block.name).write_text(placed(block.text))
    environment = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    steps = [*tour(), (".venv/bin/python report.py", "{'watt': 1850}")]
    assert len(steps) > 10
    for typed, shown in steps:
        process = await asyncio.create_subprocess_exec(
            "bash", "-e", "-c", placed(typed), cwd=tmp_path, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        printed, complaints = await process.communicate()
        assert process.returncode == 0, f"{typed}\n{complaints.decode()}"
        assert not shown or fits(shown, printed.decode()), f"{typed}\n{printed.decode()}"
