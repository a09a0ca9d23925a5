"""docs/compat.md: its configuration, its request and its rule are those of the program."""

import asyncio
import os
import sys
from pathlib import Path

from apps.demo.process import running_cse
from bindings.compat import LENIENCIES, Profile, entity
from bindings.config import load
from tests.docs.pages import DOCS, blocks, program
from tests.docs.test_readme import fits

PAGE = DOCS / "compat.md"


def test_the_configuration_is_one(tmp_path: Path) -> None:
    (shown,) = blocks(PAGE, "toml")
    path = tmp_path / "cse.toml"
    path.write_text(shown.text)
    assert load(path).compat == Profile(True, False, ("admin:*", "Cold"), ("admin:admin CAdmin",))


def test_every_leniency_is_explained_with_its_own_sentence() -> None:
    table = PAGE.read_text("utf-8").partition("## What it forgives")[2].partition("\n- ")[0]
    rows = [line.split(" | ")[:2] for line in table.splitlines() if line[:3] == "| `"]
    assert rows == [[f"| `{leniency.name}`", leniency.doc] for leniency in LENIENCIES]


def test_the_rule_for_users_is_that_of_the_program() -> None:
    rule = program(PAGE, "who.py").entity
    for user, password in (("admin", "admin"), ("sensor", "secret"), ("a.b-c_d", "x!y")):
        assert rule(user, password) == entity(f"{user}:{password}", {})


async def test_the_request_is_answered_as_shown(tmp_path: Path) -> None:
    (typed,), (shown,) = blocks(PAGE, "sh"), blocks(PAGE, "text")
    curl = tmp_path / "curl"
    curl.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{Path(__file__).parent / "curl.py"}" "$@"\n')
    curl.chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    async with running_cse("memory:", "127.0.0.1:0", "127.0.0.1:0", "--set", "compat.http=true") as cse:
        command = typed.text.replace("http://127.0.0.1:8080", cse.http)
        process = await asyncio.create_subprocess_exec("sh", "-c", command, env=environment, stdout=asyncio.subprocess.PIPE)
        printed, _ = await process.communicate()
    assert fits(shown.text, printed.decode()), printed
