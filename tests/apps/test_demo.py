"""The demo as a person or CI runs it, and what it makes of counts that are wrong."""

import asyncio
import io
import re
import signal
import sys
from pathlib import Path

import pytest
from rich.console import Console

from apps.client import Client
from apps.demo.main import run
from apps.demo.process import Running
from apps.demo.screen import WIDTH, lines_to_try, picture, summary
from apps.demo.street import OPERATOR, street
from cse.errors import TargetNotReachable


async def test_once_ends_by_itself_with_0_when_everything_arrived() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "apps.cli", "demo", "--once", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    printed = (await process.communicate())[0].decode()
    assert process.returncode == 0, printed
    assert "7 over HTTP, 7 over CoAP" in printed
    assert re.search(r"readings sent +(\d+) of \1\n", printed)
    assert re.search(r"notifications received +(\d+) of \1\n", printed)
    assert re.search(r"fan-out members answered +14 of 14\n", printed)
    assert max(len(line) for line in printed.splitlines() if "://" not in line) <= WIDTH
    assert "\x1b" not in printed


def test_a_store_of_its_own_is_played_again(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path / 'kept.db'}"
    for _ in range(2):
        console = Console(file=io.StringIO(), width=WIDTH)
        assert run(store, once=True, meters=4, days=1, console=console) == 0, console.file.getvalue()  # type: ignore[attr-defined]


async def test_sigterm_ends_it_and_its_cse() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "import sys; from apps.demo import run; sys.exit(run(meters=2, days=1))", stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    printed = ""
    while "aiocoap-client" not in printed:
        line = (await process.stdout.readline()).decode()
        assert line, printed
        printed += line
    found = re.search(r"http://127\.0\.0\.1:\d+", printed)
    assert found
    async with Client.connect(found[0], f"C{OPERATOR}") as cse:
        assert (await cse.latest("cse-in/mtr-M1/readings/registers")).content["readId"]
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
        with pytest.raises(TargetNotReachable):
            await cse.retrieve("cse-in")


@pytest.mark.asyncio(loop_scope="module")
async def test_what_differs_is_said(cse: Running) -> None:
    console = Console(file=io.StringIO(), width=WIDTH)
    async with street(cse.http, cse.coap, 3, 1) as scene:
        await scene.play(lambda sentence: None, 20.0)
        assert scene.differences() == ()
        scene.meters[0].notified.popitem()
        scene.meters[1].sent -= 1
        scene.fan_out = scene.fan_out[1:]
        scene.refused = {"M1": False}
        summary(console, scene)
    printed = console.file.getvalue()  # type: ignore[attr-defined]
    for words in ("M1: 1 readings not notified", "M2 sent", "latest reading of 2 of 3 meters", "M1 was not refused"):
        assert words in printed


@pytest.mark.asyncio(loop_scope="module")
async def test_a_terminal_of_80_columns_is_enough(cse: Running) -> None:
    console = Console(file=io.StringIO(), width=WIDTH, force_terminal=True, color_system=None)
    async with street(cse.http, cse.coap, 14, 1) as scene:
        console.print(picture(scene))
        for meter in scene.meters:
            meter.last, meter.sent = meter.readings[-1], len(meter.readings)
        console.print(picture(scene))
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert len(lines) == 2 * (1 + 14 + 2)
    assert max(map(len, lines)) <= WIDTH
    assert any("M14" in line and "48/48" in line and "kWh" in line for line in lines)


def test_the_lines_to_try_fit_and_are_for_this_server() -> None:
    text = lines_to_try("http://127.0.0.1:49152", "coap://127.0.0.1:49153")
    assert max(len(line) for line in text.splitlines() if line.startswith(("curl", "#", " "))) <= WIDTH
    assert text.count("curl") == 4
    assert "http://127.0.0.1:49152/cse-in" in text
    assert "aiocoap-client coap://127.0.0.1:49153/" in text
    assert "apps.client coap://127.0.0.1:49153 " in text


def test_a_street_of_one_is_refused() -> None:
    console = Console(file=io.StringIO())
    assert run(once=True, meters=1, console=console) == 2


def test_a_cse_that_does_not_start_is_said() -> None:
    console = Console(file=io.StringIO(), width=WIDTH)
    assert run("nonsense://", once=True, console=console) == 1
    assert "nonsense" in console.file.getvalue()  # type: ignore[attr-defined]
