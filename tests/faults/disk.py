"""Disks that are full when a test says so."""

import asyncio
import os
import resource
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.faults.server import Serving


@dataclass(frozen=True, slots=True)
class Disk:
    """A folder whose disk ``fill`` leaves without space, as the server sees it, and ``clear`` gives space again."""

    folder: Path
    fill: Callable[[Serving], None]
    clear: Callable[[Serving], None]


@asynccontextmanager
async def small(folder: Path) -> AsyncIterator[Disk]:
    """Give a real disk of 6 MB in memory where one may be mounted (ENOSPC), else ``limited``."""
    folder.mkdir()
    if not await _run("mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(folder)):
        yield limited(folder)
        return
    try:
        yield Disk(folder, lambda _: _stuff(folder / "ballast"), lambda _: (folder / "ballast").unlink())
    finally:
        await _run("umount", "--lazy", str(folder))


def limited(folder: Path) -> Disk:
    """Give a folder in which files of the server cannot grow (EFBIG), as with a quota."""

    def limit(served: Serving, size: int) -> None:
        assert sys.platform == "linux"
        resource.prlimit(served.child.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    def fill(served: Serving) -> None:
        limit(served, max(each.stat().st_size for each in folder.iterdir()))

    return Disk(folder, fill, lambda served: limit(served, resource.RLIM_INFINITY))


def _stuff(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        size = 1 << 16
        while size:
            try:
                file.write(bytes(size))
            except OSError:
                size //= 2
        os.fsync(file.fileno())


async def _run(*command: str) -> bool:
    try:
        child = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.DEVNULL)
    except FileNotFoundError:
        return False
    return await child.wait() == 0
