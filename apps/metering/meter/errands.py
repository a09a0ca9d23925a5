"""What takes a meter time and a client of its own: fetching packages, and going off once everything is written."""

import asyncio
import base64
import json
from contextlib import suppress
from urllib.parse import urlsplit

from apps.client import Client
from apps.metering.device import SwitchedOff
from apps.metering.meter.body import Body
from cse.errors import CSEError, RequestTimeout, TargetNotReachable

_AGAIN = 0.2
"""Seconds until it is tried again."""


class Errands:
    """The errands of one meter. They are remembered, so that they are done after a restart too; ``fetched:<name>`` is the occasion that tells the end."""

    def __init__(self, body: Body) -> None:
        self._body = body
        self._new = asyncio.Event()
        body.errand = self._new.set

    async def run(self, client: Client) -> None:
        """Do them as they come. Raises SwitchedOff when the meter has gone off."""
        body = self._body
        while True:
            self._new.clear()
            if body.outbox.linked and not body.faults.active("silence"):
                for name, url in body.kept.all("fetch").items():
                    await self._fetch(client, name, url)
            if body.kept.get("meter", "retired") and not len(body.outbox):
                body.kept.drop("meter", "retired")
                raise SwitchedOff(f"{body.identity.name} was taken out")
            busy = bool(body.kept.all("fetch")) or body.kept.get("meter", "retired")
            with suppress(TimeoutError):
                await asyncio.wait_for(self._new.wait(), _AGAIN if busy else None)

    async def _fetch(self, client: Client, name: str, url: str) -> None:
        try:
            content = await _content(client, url)
        except (RequestTimeout, TargetNotReachable):
            return
        except CSEError as refused:
            self.arrived(name, None, str(refused))
        except ValueError as wrong:
            self.arrived(name, None, f"its content is not what its content information says: {wrong}")
        else:
            self.arrived(name, content, "")

    def arrived(self, name: str, content: bytes | None, why: str) -> None:
        """Remember what came of a fetch, and tell who waits for it."""
        body = self._body
        with body.kept.turn():
            if body.kept.get("fetch", name) is None:
                return  # given up meanwhile
            body.kept.drop("fetch", name)
            body.kept.put("fetched", name, {"content": None if content is None else base64.b64encode(content).decode(), "why": why})
            body.occasion(f"fetched:{name}")
            body.tell()


async def _content(client: Client, url: str) -> bytes:
    """Read the content of an instance at an address of the meter's CSE, or at a URL of another one: base64 unless contentInfo says plain (encodingType 0)."""
    parts = urlsplit(url)
    if parts.scheme in ("http", "https", "coap"):
        path = parts.path.strip("/")
        async with Client.connect(f"{parts.scheme}://{parts.netloc}", client.originator, path.partition("/")[0]) as other:
            found = await other.retrieve(path)
    else:
        found = await client.retrieve(url)
    content, encoding = found.get("con", ""), str(found.get("cnf", ":1")).partition(":")[2]
    if encoding[:1] in ("1", "2"):
        return base64.b64decode(str(content), validate=True)
    return (content if isinstance(content, str) else json.dumps(content)).encode()
