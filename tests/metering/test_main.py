"""What a person sees of ``cse demo --metering``, and options that do not go together."""

import io

import pytest
from rich.console import Console
from typer.testing import CliRunner

from apps.cli import app
from apps.metering import flows, main
from apps.metering.flows.stage import Stage, Unobserved
from apps.metering.world import World

WIDTH = 80


async def _seen(world: World, *chosen: str) -> tuple[int, str]:
    console = Console(file=(file := io.StringIO()), width=WIDTH)
    return await main.play(world, chosen, console), file.getvalue()


@pytest.mark.asyncio(loop_scope="module")
async def test_each_flow_is_numbered_and_the_last_word_is_the_verdict(world: World) -> None:
    failures, said = await _seen(world, "UC11-P2-A1", "UC14-P2-A1")
    assert failures == 0
    assert "[1/2] UC11-P2-A1 Supply instruction invalid" in said
    assert said.splitlines()[-1].startswith("2 of 2 flows were observed in ")
    failures, said = await _seen(world, "UC11-P2-A1")
    assert "[1/1]" not in said
    assert said.splitlines()[-1].startswith("1 of 1 flow was observed in ")


@pytest.mark.asyncio(loop_scope="module")
async def test_what_was_not_observed_is_in_the_last_words_with_its_reason(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails(stage: Stage) -> None:
        stage.step("UC11-P1", "asked")
        raise Unobserved("the switch did not move")

    async def hangs(stage: Stage) -> None:
        raise TimeoutError

    monkeypatch.setattr(flows, "FLOWS", {**flows.FLOWS, "UC11-P": fails, "UC11-P5-A2": hangs})
    failures, said = await _seen(world, "UC11-P", "UC11-P5-A2", "UC11-P2-A1")
    assert failures == 2
    assert "  not observed: the switch did not move" in said.splitlines()
    assert "  not observed: it took too long" in said.splitlines()
    words = said.splitlines()[-1]
    assert words.startswith("1 of 3 flows were observed in ")
    assert words.endswith("; not observed: UC11-P, UC11-P5-A2")


@pytest.mark.parametrize("options", [["--flow", "UC01-S"], ["--all-flows"], ["--hold"], ["--day", "2099-01-01"], ["--period", "10"]])
def test_what_is_about_metering_does_not_play_the_street(options: list[str]) -> None:
    result = CliRunner().invoke(app, ["demo", *options])
    assert result.exit_code == 2
    assert f"{options[0]} is about the smart-metering use cases: add --metering" in result.output


def test_one_flow_and_all_of_them_do_not_go_together() -> None:
    result = CliRunner().invoke(app, ["demo", "--metering", "--flow", "UC01-S", "--all-flows"])
    assert result.exit_code == 2
    assert "--flow plays one, --all-flows all of them" in result.output


def test_a_world_that_does_not_stand_says_why() -> None:
    console = Console(file=(file := io.StringIO()), width=WIDTH)
    assert main.run("127.0.0.1:0", "127.0.0.1:0", "nonsense://", "UC01-S", False, False, console) == 1
    assert "nonsense" in file.getvalue()
