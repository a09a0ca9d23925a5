"""The control endpoint for testers, ``POST /__ut__``: resets the CSE and changes its timing. Never for a system in use."""

import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from math import isfinite
from typing import Any, Protocol

from bindings.config import Config, rows
from cse.config import Settings
from cse.errors import BadRequest, CSEError
from cse.primitives import Peer

log = logging.getLogger(__name__)

PATH = "/__ut__"
COMMAND = "X-M2M-UTCMD"
ANSWER = "X-M2M-UTRSP"


class Tunable(Protocol):
    """A core whose policies are replaced while it runs."""

    settings: Settings


class Control:
    """Answers the commands; ``reset`` empties the store and makes a new CSEBase, ``changed`` is called when the timing is another."""

    def __init__(self, config: Config, core: Tunable, reset: Callable[[], Awaitable[None]], changed: Callable[[], None]) -> None:
        self._config = config
        self._core = core
        self._reset = reset
        self._changed = changed
        self._normal = core.settings
        self._commands: Mapping[str, Callable[[str], Awaitable[str]]] = {
            "status": self._status,
            "reset": self._restart,
            "getconfig": self._get,
            "enableshortresourceexpiration": self._short_resources,
            "disableshortresourceexpiration": self._normal_resources,
            "enableshortrequestexpiration": self._short_requests,
            "disableshortrequestexpiration": self._normal_requests,
            "testcasestart": self._test_case_start,
            "testcaseend": self._test_case_end,
        }

    async def answer(self, method: str, headers: Mapping[str, str], body: bytes, peer: Peer) -> tuple[int, list[tuple[str, str]], bytes]:
        """Answer a request to PATH: 200 and X-M2M-RSC 2000 with the result in X-M2M-UTRSP, 400 and 4000 with the reason in the body."""
        if method != "POST":
            return 405, [("Allow", "POST"), ("X-M2M-RSC", "4005")], b""
        try:
            result = await self._run(headers.get(COMMAND, ""))
        except CSEError as error:
            return 400, [("X-M2M-RSC", f"{error.code:d}"), ("Content-Type", "text/plain; charset=utf-8")], f"{error}\n".encode()
        return 200, [("X-M2M-RSC", "2000"), *([(ANSWER, result)] if result else [])], b""

    async def _run(self, text: str) -> str:
        name, _, argument = text.strip().partition(" ")
        command = self._commands.get(name.lower())
        if command is None:
            raise BadRequest(f"there is no command {name!r} in {COMMAND}" if name else f"the header {COMMAND} is missing")
        return await command(argument.strip())

    async def _status(self, _: str) -> str:
        return "RUNNING"

    async def _restart(self, _: str) -> str:
        await self._reset()
        return ""

    async def _get(self, key: str) -> str:
        row = next((row for row in rows() if row.name == key), None)
        if row is None or row.name == "http.credentials":
            raise BadRequest(f"there is no setting {key!r}")
        part = self._core.settings if row.part == "settings" else getattr(self._config, row.part)
        return _text(getattr(part, row.key))

    async def _short_resources(self, argument: str) -> str:
        before = self._core.settings.expiration_check_interval
        self._change(expiration_check_interval=_seconds(argument))
        return f"{_text(before)},{_text(self._core.settings.max_expiration)}"

    async def _normal_resources(self, _: str) -> str:
        self._change(expiration_check_interval=self._normal.expiration_check_interval)
        return ""

    async def _short_requests(self, argument: str) -> str:
        before = self._core.settings.request_timeout
        self._change(request_timeout=_seconds(argument))
        return _text(before)

    async def _normal_requests(self, _: str) -> str:
        self._change(request_timeout=self._normal.request_timeout)
        return ""

    async def _test_case_start(self, name: str) -> str:
        log.info("test case %s starts", name)
        return ""

    async def _test_case_end(self, name: str) -> str:
        log.info("test case %s ends", name)
        return ""

    def _change(self, **values: float) -> None:
        self._core.settings = replace(self._core.settings, **values)  # type: ignore[arg-type]
        self._changed()


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not (isfinite(value) and value > 0):
        raise BadRequest(f"the command needs a number of seconds, not {text!r}")
    return value


def _text(value: Any) -> str:
    """Write a value as testers expect it: whole numbers without a point, texts without quotes, the rest as JSON."""
    if isinstance(value, str):
        return value
    return json.dumps(int(value) if isinstance(value, float) and value.is_integer() else value)
