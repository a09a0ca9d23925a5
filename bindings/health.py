"""Whether the CSE works: a probe that really writes, waits for the disk and reads back, for load balancers and supervisors."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from cse.storage import Store, StoreError

KEY = "probe"
"""The value of the store that a probe writes; no resource, so nobody sees it in the tree."""


@dataclass(frozen=True, slots=True)
class _Check:
    """One step of a probe: how long it took in seconds, and why it failed."""

    seconds: float
    error: str = ""

    def told(self) -> dict[str, Any]:
        found = {"status": "fail" if self.error else "pass", "ms": round(self.seconds * 1000, 3)}
        return {**found, "error": self.error} if self.error else found


class Health:
    """Probes the way of every change: queue, transaction, commit, disk, reader.

    write: runs a plain function while the store takes writes, and is done when that is durable (``Driver.write``). fresh: unique texts. clock: seconds.
    Whoever asks while a probe is on its way gets that one's result, so that probes cost one commit at a time; one that hangs is waited for at most
    ``patience`` seconds by each, and no other is begun.
    """

    def __init__(self, store: Store, write: Callable[[Callable[[], None]], Awaitable[None]], fresh: Callable[[], str], patience: float) -> None:
        self._store = store
        self._write = write
        self._fresh = fresh
        self._patience = patience
        self._probe: asyncio.Task[dict[str, _Check]] | None = None

    async def report(self) -> tuple[bool, dict[str, Any]]:
        """Give whether all is well, and the checks: ``{"status": "pass", "checks": {"write": {"status": "pass", "ms": 1.2}, ...}}``."""
        if self._probe is None:
            self._probe = asyncio.get_running_loop().create_task(self._probing())
        probe = self._probe
        await asyncio.wait({probe}, timeout=self._patience)
        checks = probe.result() if probe.done() else {"write": _Check(self._patience, f"nothing was written durably within {self._patience:g} seconds")}
        well = not any(check.error for check in checks.values())
        return well, {"status": "pass" if well else "fail", "checks": {name: check.told() for name, check in checks.items()}}

    async def close(self) -> None:
        """End a probe that is on its way."""
        if self._probe is not None:
            self._probe.cancel()
            await asyncio.gather(self._probe, return_exceptions=True)

    async def _probing(self) -> dict[str, _Check]:
        try:
            token, clock = self._fresh(), asyncio.get_running_loop().time
            started = clock()
            try:
                await self._write(lambda: self._note(token))
            except StoreError as error:
                return {"write": _Check(clock() - started, str(error))}
            written = clock()
            return {"write": _Check(written - started), "read": _Check(clock() - written, self._look(token))}
        finally:
            self._probe = None

    def _note(self, token: str) -> None:
        with self._store.transaction() as transaction:
            transaction.remember(KEY, token)

    def _look(self, token: str) -> str:
        """Read what was written; give what is wrong with it."""
        try:
            return "" if self._store.value(KEY) == token else "what was written a moment ago is not what is read"
        except StoreError as error:
            return str(error)
