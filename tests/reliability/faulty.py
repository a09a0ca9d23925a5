"""``python -m tests.reliability.faulty CONTROL serve ...``: the server on a disk that fails or is slow, and by a clock that jumps, when a test says so.

The disk is that of SQLite: ctypes puts functions in front of its own for files, in the process of the server, so that no compiler is needed (a library for
LD_PRELOAD would need one) and only the store is meant. The clock is ``time.time``, the one wall clock there is in the server.
"""

import ctypes
import mmap
import struct
import sys
import time
from pathlib import Path
from typing import Any

_FORM = "ddd"
WRITE, SYNC, READ = 1, 2, 4
"""What fails, as bits."""
_IOERR = {WRITE: 10 | 3 << 8, SYNC: 10 | 4 << 8, READ: 10 | 1 << 8}
"""SQLITE_IOERR_WRITE, _FSYNC and _READ."""


class Faults:
    """What a test tells the server: through a file that both have in memory."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(bytes(struct.calcsize(_FORM)))
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), struct.calcsize(_FORM))

    def tell(self, *, failing: int = 0, slow: float = 0.0, jump: float = 0.0) -> None:
        """Let writing, syncing or reading fail from now on, each sync take so many seconds more, and the clock be so many seconds ahead."""
        struct.pack_into(_FORM, self._memory, 0, float(failing), slow, jump)

    def told(self) -> tuple[int, float, float]:
        """Give what fails, the seconds of a sync and those of the clock."""
        failing, slow, jump = struct.unpack_from(_FORM, self._memory)
        return int(failing), slow, jump


_File = ctypes.c_void_p
_Access = ctypes.CFUNCTYPE(ctypes.c_int, _File, ctypes.c_void_p, ctypes.c_int, ctypes.c_int64)
_Sync = ctypes.CFUNCTYPE(ctypes.c_int, _File, ctypes.c_int)
_Open = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, _File, ctypes.c_int, ctypes.c_void_p)


class _Methods(ctypes.Structure):
    """sqlite3_io_methods."""

    _fields_ = [
        ("version", ctypes.c_int),
        ("close", ctypes.c_void_p),
        ("read", ctypes.c_void_p),
        ("write", ctypes.c_void_p),
        ("truncate", ctypes.c_void_p),
        ("sync", ctypes.c_void_p),
        ("rest", ctypes.c_void_p * 13),
    ]


class _Vfs(ctypes.Structure):
    """sqlite3_vfs, up to what is changed."""

    _fields_ = [
        ("version", ctypes.c_int),
        ("file_size", ctypes.c_int),
        ("longest_path", ctypes.c_int),
        ("next", ctypes.c_void_p),
        ("name", ctypes.c_char_p),
        ("data", ctypes.c_void_p),
        ("open", ctypes.c_void_p),
    ]


def spoil(faults: Faults) -> list[Any]:
    """Put the faults before SQLite's default file system; give what must live as long as it is used."""
    library = ctypes.CDLL("libsqlite3.so.0")
    library.sqlite3_vfs_find.restype = ctypes.POINTER(_Vfs)
    vfs = library.sqlite3_vfs_find(None).contents
    really_open = _Open(vfs.open)
    spoiled: dict[int, _Methods] = {}
    kept: list[Any] = [spoiled, really_open]

    def opened(this: int, name: int, file: int, flags: int, out: int) -> int:
        code = int(really_open(this, name, file, flags, out))
        methods = ctypes.cast(file, ctypes.POINTER(ctypes.c_void_p))
        original = methods[0]
        if original:
            if original not in spoiled:
                spoiled[original] = _spoiled(_Methods.from_address(original), faults, kept)
            methods[0] = ctypes.addressof(spoiled[original])
        return code

    kept.append(_Open(opened))
    vfs.open = ctypes.cast(kept[-1], ctypes.c_void_p)
    return kept


def _spoiled(original: _Methods, faults: Faults, kept: list[Any]) -> _Methods:
    changed = _Methods.from_buffer_copy(original)
    really_read, really_write, really_sync = _Access(original.read), _Access(original.write), _Sync(original.sync)

    def read(file: int, into: int, size: int, at: int) -> int:
        return _IOERR[READ] if faults.told()[0] & READ else int(really_read(file, into, size, at))

    def write(file: int, what: int, size: int, at: int) -> int:
        return _IOERR[WRITE] if faults.told()[0] & WRITE else int(really_write(file, what, size, at))

    def sync(file: int, flags: int) -> int:
        failing, slow, _ = faults.told()
        if slow:
            time.sleep(slow)
        return _IOERR[SYNC] if failing & SYNC else int(really_sync(file, flags))

    for name, form, method in (("read", _Access, read), ("write", _Access, write), ("sync", _Sync, sync)):
        kept.append(form(method))
        setattr(changed, name, ctypes.cast(kept[-1], ctypes.c_void_p))
    return changed


def main() -> None:
    """Run the command ``cse`` with faults."""
    faults = Faults(Path(sys.argv.pop(1)))
    kept = spoil(faults)
    really = time.time
    time.time = lambda: really() + faults.told()[2]
    from apps.cli import main as cse

    cse()
    del kept


if __name__ == "__main__":
    main()
