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
    """A folder that has no space any more after ``fill``, as a server sees it, and has some again after ``clear``."""

    folder: Path
    fill: Callable[[Serving], None]
    clear: Callable[[Serving], None]


@asynccontextmanager
async def small(folder: Path) -> AsyncIterator[Disk]:
    """Make the folder a real disk of 4 MB, in memory (ENOSPC); where that may not be done, ``limited``."""
    if not await _run("mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)):
        async with limited(folder) as found:
            yield found
        return
    try:
        yield Disk(folder, lambda _: _stuff(folder / "ballast"), lambda _: (folder / "ballast").unlink())
    finally:
        await _run("umount", "--lazy", str(folder))


@asynccontextmanager
async def limited(folder: Path) -> AsyncIterator[Disk]:
    """Leave the folder as it is, and give limits to the server: no file may have more than a page (EFBIG)."""

    def limit(served: Serving, size: int) -> None:
        assert sys.platform == "linux"
        if served.child.returncode is None:
            resource.prlimit(served.child.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    yield Disk(folder, lambda served: limit(served, 4096), lambda served: limit(served, resource.RLIM_INFINITY))


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
