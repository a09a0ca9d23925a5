"""docs/operations.md: what its backup copies, and the exit codes it promises."""

import asyncio
import sys
from pathlib import Path

import pytest

from apps.client import Client, ResourceTypeID
from apps.demo.process import StartFailed, running_cse
from tests.docs.pages import DOCS, blocks


async def cse(*arguments: str) -> int:
    """Run the command and give its exit code."""
    silent = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "apps.cli", *arguments, stdout=silent, stderr=silent)
    return await process.wait()


async def test_the_backup_of_a_running_cse_has_everything(tmp_path: Path) -> None:
    (backup,) = blocks(DOCS / "operations.md", "sh")
    async with running_cse(f"sqlite:///{tmp_path}/cse-in.db") as running:
        async with Client.connect(running.http, originator="CAdmin") as admin:
            container = await admin.create("cse-in", ResourceTypeID.CONTAINER, {}, name="box")
            for number in range(20):
                await admin.put(container, str(number))
        command = backup.text.replace("cse ", f'"{sys.executable}" -m apps.cli ', 1)
        process = await asyncio.create_subprocess_exec("sh", "-c", command, cwd=tmp_path)
        assert await process.wait() == 0
    async with running_cse(f"sqlite:///{tmp_path}/copy.db") as restored, Client.connect(restored.http, originator="CAdmin") as admin:
        assert (await admin.retrieve("cse-in/box"))["cni"] == 20
        assert (await admin.latest("cse-in/box")).content == "19"


async def test_exit_codes(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/cse-in.db"
    async with running_cse(url) as running:
        assert await cse("serve", "--http", "127.0.0.1:0", "--coap", "", "--store", url) == 2
        assert await cse("serve", "--http", running.http.removeprefix("http://"), "--coap", "", "--store", "memory:") == 2
    assert await running.ended == 0
    assert await cse("serve", "--set", "limits.batsh=3") == 2
    assert await cse("serve", "--no-such-flag") == 2
    wrong = tmp_path / "wrong.toml"
    wrong.write_text("[limits]\nbatsh = 3\n")
    assert await cse("check-config", str(wrong)) == 2
    with pytest.raises(StartFailed, match="no directory"):
        async with running_cse(f"sqlite:///{tmp_path}/none/cse-in.db"):
            pass
