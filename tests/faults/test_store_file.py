"""Store files that cannot be used: one clear line, exit code 2, and the file as it was; an empty one is new."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from cse.errors import InternalServerError
from tests.faults.load import LOG, connected, prepare
from tests.faults.server import refused, serving


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def store(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Give the content of a store file that began empty and has been used."""
    path = tmp_path_factory.mktemp("store") / "cse.db"
    path.touch()
    async with serving(path) as served:
        await prepare(served)
        async with connected(served) as client:
            for number in range(50):
                await client.put(LOG, f"{number}")
        assert await served.stop() == 0
    assert [each.name for each in path.parent.iterdir() if each.name not in ("cse.db", "cse.db-lock")] == []
    return path.read_bytes()


def text(path: Path, store: bytes) -> None:
    path.write_text("meter readings of 2026\n" * 1000)


def newer(path: Path, store: bytes) -> None:
    path.write_bytes(store)
    with closing(sqlite3.connect(path)) as file:
        file.execute("PRAGMA user_version=999")


def overwritten(path: Path, store: bytes) -> None:
    path.write_bytes(store[:4096] + b"\xff" * (len(store) - 4096))


def read_only(path: Path, store: bytes) -> None:
    path.write_bytes(store)
    path.chmod(0o444)


def read_only_folder(path: Path, store: bytes) -> None:
    path.write_bytes(store)
    path.parent.chmod(0o555)


CASES = {
    text: "it is not an SQLite file",
    newer: "has schema version 999, this program knows versions up to",
    overwritten: "malformed",
    read_only: "readonly database",
    read_only_folder: "its lock cse.db-lock cannot be taken",
}


async def test_what_cannot_be_a_store_ends_the_start(store: bytes, tmp_path: Path) -> None:
    paths = {spoil: tmp_path / spoil.__name__ / "cse.db" for spoil in CASES}
    for spoil, path in paths.items():
        path.parent.mkdir()
        spoil(path, store)
    before = {path: path.read_bytes() for path in paths.values() if path.is_file()}
    ends = await asyncio.gather(*(refused(path, weaker=True) for path in paths.values()))
    paths[read_only_folder].parent.chmod(0o755)
    for (spoil, path), (code, out, err) in zip(paths.items(), ends, strict=True):
        assert (code, out) == (2, ""), (spoil, err)
        assert err.startswith(f"cse: {path} "), spoil
        assert CASES[spoil] in err, spoil
        assert len(err.splitlines()) == 1, spoil
    assert {path: path.read_bytes() for path in before} == before


async def test_a_file_that_another_program_writes_to_is_refused_and_while_running_refuses_changes(store: bytes, tmp_path: Path) -> None:
    path = tmp_path / "cse.db"
    path.write_bytes(store)
    with locked(path):
        code, _, err = await refused(path)
    assert (code, err) == (2, f"cse: {path} cannot be opened: database is locked\n")
    async with serving(path) as served, connected(served) as client:
        with locked(path):
            with pytest.raises(InternalServerError, match="locked"):
                await client.put(LOG, "x")
            assert (await client.latest(LOG))["con"] == "49"
        await client.put(LOG, "50")
        assert (await client.latest(LOG))["con"] == "50"
        assert await served.stop() == 0
        assert "Traceback" not in served.log


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Let another program write to the file as long as the block lasts."""
    with closing(sqlite3.connect(path, isolation_level=None)) as file:
        file.execute("BEGIN IMMEDIATE")
        yield
        file.execute("ROLLBACK")
