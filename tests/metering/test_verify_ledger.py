"""``cse metering verify-ledger`` on files, and on a running CSE over HTTP and CoAP."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from typer.testing import CliRunner

from apps.cli import app
from apps.client import AccessControlOperation, Client, allow
from apps.demo.process import Running, running_cse
from apps.metering.keys import public_text, signing_key
from apps.metering.ledger import Ledger, digest

RUNNER = CliRunner()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running() -> AsyncIterator[Running]:
    """A CSE in a process of its own."""
    async with running_cse("memory:") as found:
        yield found


def verified(*arguments: str) -> tuple[int, str]:
    """Run the command and give its exit code and all it printed."""
    result = RUNNER.invoke(app, ["metering", "verify-ledger", *arguments])
    return result.exit_code, result.output


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """A file with three entries beside the file of their key."""
    ledger = Ledger(signing_key(tmp_path / "key.pem"))
    path = tmp_path / "ledger.jsonl"
    path.write_text("".join(json.dumps(ledger.append({"quantity": f"{number}.5"})) + "\n" for number in range(3)))
    return path


def test_a_good_file(ledger: Path) -> None:
    key = ledger.parent / "key.pem"
    head = digest(json.loads(ledger.read_text().splitlines()[-1]))
    for given in (str(key), public_text(signing_key(key))):
        code, text = verified(str(ledger), "--key", given, "--head", head)
        assert code == 0, text
        assert "3 entries, good" in text


def test_a_file_that_was_tampered_with(ledger: Path) -> None:
    lines = ledger.read_text().splitlines()
    ledger.write_text("\n".join([lines[0].replace("0.5", "5.0"), lines[2]]))
    code, text = verified(str(ledger), "--key", str(ledger.parent / "key.pem"))
    assert code == 1
    assert "entry 1: changed: its signature is not that of its content" in text
    assert "2 entries, 1 faults" in text
    ledger.write_text("\n".join([lines[0], lines[2]]))
    code, text = verified(str(ledger), "--key", str(ledger.parent / "key.pem"))
    assert code == 1
    assert "entry 2: missing: what was before it is not here" in text


def test_an_end_that_is_gone(ledger: Path) -> None:
    lines = ledger.read_text().splitlines()
    ledger.write_text("\n".join(lines[:2]))
    code, text = verified(str(ledger), "--key", str(ledger.parent / "key.pem"), "--head", digest(json.loads(lines[2])))
    assert code == 1
    assert "entry 3: missing: the newest entry that was written is not here" in text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["{ledger}"], "no public key is known"),
        (["{ledger}", "--key", "xyz"], "'xyz' is no public key"),
        (["{ledger}.gone", "--key", "ab" * 32], "No such file or directory"),
        (["{ledger}", "--key", "{ledger}"], "others may use this key"),
        (["ftp://127.0.0.1/cse-in/ledger"], "a CSE is reached by"),
        (["http://127.0.0.1:9/cse-in/ledger"], "(5103)"),
    ],
)
def test_what_cannot_be_checked(ledger: Path, arguments: list[str], said: str) -> None:
    ledger.chmod(0o644)
    code, text = verified(*(argument.format(ledger=ledger) for argument in arguments))
    assert code == 2
    assert said in text


def test_a_file_that_is_no_ledger(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(b"\xff\xfe")
    assert verified(str(path), "--key", "ab" * 32)[0] == 2
    path.write_text("dear diary")
    code, text = verified(str(path), "--key", "ab" * 32)
    assert code == 2
    assert "line 1: is no JSON" in text


async def _settle(url: str, name: str, key: Path) -> list[str]:
    """Keep a ledger of 40 entries in a container that Cbill may read; give the addresses of the entries."""
    async with Client.connect(url, f"C{name}") as settle:
        await settle.register(name, "Nsm.settle")
        reader = allow(["Cbill"], AccessControlOperation.RETRIEVE | AccessControlOperation.DISCOVERY)
        policy = await settle.access_policy(f"cse-in/{name}", "acp", [allow([f"C{name}"]), reader])
        ledger = Ledger(signing_key(key))
        container = await settle.container(f"cse-in/{name}", "ledger", acpi=[policy.ri], lbl=["settlement", ledger.label])
        made = [await settle.put(container, ledger.append({"quantity": 0.25 * number, "meter": "M1"})) for number in range(40)]
    return [entry.address for entry in made]


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("binding", ["http", "coap"])
async def test_a_container_of_a_running_cse(running: Running, binding: str, tmp_path: Path) -> None:
    url, name = getattr(running, binding), f"sm-settle-{binding}"
    addresses = await _settle(url, name, tmp_path / "key.pem")
    source = f"{url}/cse-in/{name}/ledger"
    code, text = await asyncio.to_thread(verified, source)
    assert code == 0, text
    assert "40 entries, good" in text
    assert "the key that the container tells" in text
    assert (await asyncio.to_thread(verified, source, "--key", str(tmp_path / "key.pem")))[0] == 0
    code, text = await asyncio.to_thread(verified, source, "--originator", "Cstranger")
    assert code == 2
    assert "(4103)" in text
    async with Client.connect(url, f"C{name}") as settle:
        taken = (await settle.retrieve(addresses[10])).content
        await settle.delete(addresses[10])
        code, text = await asyncio.to_thread(verified, source)
        assert code == 1
        assert "entry 11: missing" in text
        await settle.put(f"cse-in/{name}/ledger", taken)
    code, text = await asyncio.to_thread(verified, source)
    assert code == 1
    assert "entry 40: reordered: belongs directly after entry 10" in text
