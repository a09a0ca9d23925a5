"""Serialisations and bad bodies on the wire, and that none of them leaves a trace (issue: bad input; TS-0009 6.4, TS-0008 6.2.2, TS-0004 6.3, 8.3, 8.4)."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import aiocoap  # type: ignore[import-untyped]
import aiohttp
import cbor2
import pytest
import pytest_asyncio
from aiocoap.numbers.optionnumbers import OptionNumber  # type: ignore[import-untyped]

from bindings.coap.server import serve as _serve_coap
from bindings.serve import Server
from cse.codes import ResponseStatusCode as RSC
from tests.scenarios.bed import PATIENCE, Client, Wire, client, config, name

pytestmark = pytest.mark.asyncio(loop_scope="module")

LIMIT = 20_000
"""Bytes of a body that this server takes."""

FORMATS = {
    "application/json": 50,
    "application/cbor": 60,
    "application/xml": 41,
    "text/plain": 0,
    "application/vnd.onem2m-res+json": 10001,
    "application/vnd.onem2m-res+cbor": 10010,
}
NAMES = {number: media for media, number in FORMATS.items()}


class Told(NamedTuple):
    """An answer: response status code, media type and content."""

    rsc: int
    media: str
    pc: Any


class Raw:
    """Sends bytes as they are, over a binding, without the serialisation of our clients."""

    def __init__(self, wire: Wire, base: str, web: aiohttp.ClientSession, constrained: aiocoap.Context) -> None:
        self._wire, self._base, self._web, self._constrained = wire, base, web, constrained

    async def send(self, path: str, body: bytes = b"", media: str | None = None, accept: str | None = None, ty: int | None = None) -> Told:
        """POST a body, or GET without one."""
        async with asyncio.timeout(PATIENCE):
            return await (self._http if self._wire.binding == "http" else self._coap)(path, body, media, accept, ty)

    async def _http(self, path: str, body: bytes, media: str | None, accept: str | None, ty: int | None) -> Told:
        headers = {"X-M2M-Origin": "CAdmin", "X-M2M-RI": "raw", "X-M2M-RVI": "4"}
        if accept is not None:
            headers["Accept"] = accept
        if media is not None:
            headers["Content-Type"] = media if ty is None else f"{media};ty={ty}"
        skip = () if media is not None else ("Content-Type",)
        method = "POST" if media is not None or body else "GET"
        async with self._web.request(method, f"{self._base}/{path}", headers=headers, data=body or None, skip_auto_headers=(*skip, "Accept")) as found:
            content = await found.read()
            kind = found.headers.get("Content-Type", "")
            return Told(int(found.headers["X-M2M-RSC"]), kind, _read(kind, content))

    async def _coap(self, path: str, body: bytes, media: str | None, accept: str | None, ty: int | None) -> Told:
        message = aiocoap.Message(code=aiocoap.POST if media is not None or body else aiocoap.GET, uri=f"{self._base}/{path}", payload=body)
        found = {279: b"CAdmin", 283: b"raw", 271: b"4"}
        if ty is not None:
            found[267] = bytes([ty])
        for number, value in found.items():
            message.opt.add_option(OptionNumber(number).create_option(decode=value))
        if media is not None:
            message.opt.content_format = FORMATS[media]
        if accept is not None:
            message.opt.accept = FORMATS[accept]
        answer = await self._constrained.request(message).response
        code = next(each.encode() for each in answer.opt.option_list() if int(each.number) == 307)
        kind = NAMES.get(int(answer.opt.content_format), "?") if answer.opt.content_format is not None else ""
        return Told(int.from_bytes(code, "big"), kind, _read(kind, answer.payload))


def _read(kind: str, content: bytes) -> Any:
    if not content:
        return None
    return cbor2.loads(content) if "cbor" in kind else json.loads(content)
