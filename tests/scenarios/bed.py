"""The test side of a story: a client that speaks oneM2M over one binding, and a receiver of notifications on the same one."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from bindings.coap.client import CoapSender
from bindings.coap.server import serve as serve_coap
from bindings.config import Config, load
from bindings.http.client import HttpSender
from bindings.http.server import serve as serve_http
from bindings.ports import Handler, Listener, Sender
from bindings.serve import Server
from cse.codes import Operation
from cse.codes import ResponseStatusCode as RSC
from cse.primitives import Request, Response

ADMIN = "CAdmin"
PATIENCE = 20.0
"""Seconds for what must happen: a test that waits so long has failed."""

TYPES = {"acp": 1, "ae": 2, "cnt": 3, "cin": 4, "cb": 5, "grp": 9, "sub": 23, "exin": 8, "mgc": 12, "fwr": 13, "nod": 14, "pch": 15, "req": 17, "sch": 18}
TYPES |= {"ntpr": 25, "ntp": 26, "pdr": 27, "crs": 48, "ts": 29, "tsi": 30}
AE = {"api": "N.test", "rr": True, "srv": ["4"]}
"""What every AE needs."""

QUICK = {
    "http.listen": "127.0.0.1:0",
    "coap.listen": "127.0.0.1:0",
    "notification.first_retry": 0.02,
    "notification.longest_retry": 0.1,
    "notification.settle_delay": 0.01,
    "limits.expiration_check_interval": 0.05,
}
"""A server at free ports whose pauses are short."""


def config(store: str, **more: Any) -> Config:
    """Give the configuration of a server for tests; ``more`` has ``section__key`` for ``section.key``."""
    return load(flags={**QUICK, "store.url": store, **{name.replace("__", "."): value for name, value in more.items()}})


def url_of(kind: str, path: Any) -> str:
    """Give the URL of a store of a kind in a directory."""
    return "memory:" if kind == "memory" else f"{kind}:///{path}/cse.db"


@dataclass(frozen=True)
class Wire:
    """A binding and a serialisation."""

    binding: str
    media: str

    def sender(self) -> Sender:
        """Give a new client."""
        return HttpSender() if self.binding == "http" else CoapSender()

    def url(self, server: Server) -> str:
        """Give the URL of a server on this wire."""
        return f"{self.base(server)}?ct={self.media}"

    def base(self, server: Server) -> str:
        """Give the URL of a server on this wire without the serialisation."""
        found = server.http if self.binding == "http" else server.coap
        assert found is not None
        return f"{self.binding}://{found[0]}:{found[1]}"


_numbers = count(1)


def name(prefix: str = "n") -> str:
    """Give a name that no other test has."""
    return f"{prefix}{next(_numbers):x}"


class Client:
    """Requests to one server over one wire. Answers are given back whatever their status; those with ``made`` and ``seen`` must be good."""

    def __init__(self, wire: Wire, url: str, sender: Sender) -> None:
        self.wire = wire
        self.url = url
        self._sender = sender

    async def send(self, op: Operation, to: str, fr: str | None = ADMIN, **more: Any) -> Response:
        """Send a request with a fresh identifier and release 4, unless ``more`` says otherwise."""
        request = Request(op, to, fr, **{"rqi": name("q"), "rvi": "4", **more})
        return await self._sender.send(self.url, request, PATIENCE)

    async def create(self, to: str, kind: str, attributes: Mapping[str, Any], fr: str | None = ADMIN, **more: Any) -> Response:
        """Send a CREATE of a resource type by its short name."""
        return await self.send(Operation.CREATE, to, fr, ty=TYPES[kind], pc={f"m2m:{kind}": dict(attributes)}, **more)

    async def retrieve(self, to: str, fr: str | None = ADMIN, **more: Any) -> Response:
        """Send a RETRIEVE."""
        return await self.send(Operation.RETRIEVE, to, fr, **more)

    async def update(self, to: str, kind: str, attributes: Mapping[str, Any], fr: str | None = ADMIN, **more: Any) -> Response:
        """Send an UPDATE."""
        return await self.send(Operation.UPDATE, to, fr, pc={f"m2m:{kind}": dict(attributes)}, **more)

    async def delete(self, to: str, fr: str | None = ADMIN, **more: Any) -> Response:
        """Send a DELETE."""
        return await self.send(Operation.DELETE, to, fr, **more)

    async def made(self, to: str, kind: str, attributes: Mapping[str, Any] | None = None, fr: str | None = ADMIN, **more: Any) -> dict[str, Any]:
        """CREATE what must succeed; give its representation with the structured address as ``path`` beside its attributes."""
        answer = await self.create(to, kind, attributes or {}, fr, **more)
        assert answer.rsc == RSC.CREATED, answer
        found: dict[str, Any] = answer.pc[f"m2m:{kind}"]
        return {**found, "path": f"{to}/{found['rn']}"}

    async def seen(self, to: str, fr: str | None = ADMIN, **more: Any) -> dict[str, Any]:
        """RETRIEVE what must be there; give its attributes."""
        answer = await self.retrieve(to, fr, **more)
        assert answer.rsc == RSC.OK, answer
        ((_, found),) = answer.pc.items()
        assert isinstance(found, dict)
        return found

    async def changed(self, to: str, kind: str, attributes: Mapping[str, Any], fr: str | None = ADMIN) -> dict[str, Any]:
        """UPDATE what must succeed; give its attributes."""
        answer = await self.update(to, kind, attributes, fr)
        assert answer.rsc == RSC.UPDATED, answer
        found: dict[str, Any] = answer.pc[f"m2m:{kind}"]
        return found

    async def ae(self, **attributes: Any) -> str:
        """Register an AE; its identifier, which is its resource name too."""
        stem = name("C")
        await self.made("-", "ae", {"rn": stem, **AE, **attributes}, fr=stem)
        return stem

    async def container(self, **attributes: Any) -> str:
        """Make a container of the administrator below the CSEBase; its structured address."""
        return str((await self.made("cse-in", "cnt", {"rn": name("cnt"), **attributes}))["path"])

    async def discovered(self, to: str, fr: str | None = ADMIN, **criteria: Any) -> list[str]:
        """Discover what must not fail; the addresses found."""
        answer = await self.retrieve(to, fr, fc={"fu": 1, **criteria})
        assert answer.rsc == RSC.OK, answer
        found: list[str] = answer.pc["m2m:uril"]
        return found


def said(answer: Response) -> str:
    """Give the sentence of a refusal."""
    assert not answer.ok, answer
    return str(answer.pc["m2m:dbg"])


def members(answer: Response) -> list[dict[str, Any]]:
    """Give the responses that a fan-out has gathered."""
    assert answer.rsc == RSC.OK, answer
    found: list[dict[str, Any]] = answer.pc["m2m:agr"]["m2m:rsp"]
    return found


@dataclass
class Receiver:
    """Someone who is notified: every request it gets is in a queue, verifications in one of their own, and ``answer`` is what it says.

    ``answer`` may be exchanged at any time; it may wait, for a target that hangs.
    """

    wire: Wire
    answer: Callable[[Request], Response | Awaitable[Response]]
    got: asyncio.Queue[Request] = field(default_factory=asyncio.Queue)
    verifications: asyncio.Queue[Request] = field(default_factory=asyncio.Queue)
    port: int = 0
    _listener: Listener | None = None

    @property
    def url(self) -> str:
        """Where it is notified."""
        return f"{self.wire.binding}://127.0.0.1:{self.port}/n?ct={self.wire.media}"

    @property
    def poa(self) -> str:
        """The point of access of an AE that lives here."""
        return f"{self.wire.binding}://127.0.0.1:{self.port}?ct={self.wire.media}"

    async def open(self) -> None:
        """Listen, at the port it had before if it had one."""
        serve: Callable[[Handler, str, int], Awaitable[Any]] = serve_http if self.wire.binding == "http" else serve_coap
        listener: Listener = await serve(self._take, "127.0.0.1", self.port)
        self._listener, self.port = listener, listener.address[1]

    async def close(self) -> None:
        """Listen no more."""
        if self._listener is not None:
            listener, self._listener = self._listener, None
            await listener.close(0.0)

    def _take(self, request: Request) -> Response | Awaitable[Response]:
        content = request.pc.get("m2m:sgn", {}) if isinstance(request.pc, dict) else {}
        (self.verifications if content.get("vrq") else self.got).put_nowait(request)
        return self.answer(request)

    async def next(self) -> dict[str, Any]:
        """Give the next notification (the content of m2m:sgn)."""
        request = await self.request()
        found: dict[str, Any] = request.pc["m2m:sgn"]
        return found

    async def request(self) -> Request:
        """Give the next request that is no verification."""
        async with asyncio.timeout(PATIENCE):
            return await self.got.get()

    async def verification(self) -> dict[str, Any]:
        """Give the next verification request (the content of m2m:sgn)."""
        async with asyncio.timeout(PATIENCE):
            found: dict[str, Any] = (await self.verifications.get()).pc["m2m:sgn"]
            return found

    def rest(self) -> list[Request]:
        """Give what has come and was not asked for."""
        return [self.got.get_nowait() for _ in range(self.got.qsize())]


def agree(request: Request) -> Response:
    """Answer with success."""
    return Response(RSC.OK, request.rqi, rvi=request.rvi)


def refuse(rsc: RSC) -> Callable[[Request], Response]:
    """Answer with a failure."""
    return lambda request: Response(rsc, request.rqi, {"m2m:dbg": "no"}, rvi=request.rvi)


@asynccontextmanager
async def receiving(wire: Wire, answer: Callable[[Request], Response | Awaitable[Response]] = agree) -> AsyncIterator[Receiver]:
    """Run a receiver."""
    receiver = Receiver(wire, answer)
    await receiver.open()
    try:
        yield receiver
    finally:
        await receiver.close()


@asynccontextmanager
async def client(wire: Wire, server: Server) -> AsyncIterator[Client]:
    """Run a client of a server."""
    sender = wire.sender()
    try:
        yield Client(wire, wire.url(server), sender)
    finally:
        await sender.close()


def content(notification: Mapping[str, Any], kind: str = "cin") -> dict[str, Any]:
    """Give the representation in a notification."""
    found: dict[str, Any] = notification["nev"]["rep"][f"m2m:{kind}"]
    return found


class Said(logging.Handler):
    """Waits for a line of the log: an event where a server tells the outside nothing."""

    def __init__(self, logger: str, text: str) -> None:
        super().__init__()
        self._text = text
        self._heard = asyncio.Event()
        self._logger = logging.getLogger(logger)

    def emit(self, record: logging.LogRecord) -> None:
        if self._text in record.getMessage():
            self._heard.set()

    def __enter__(self) -> "Said":
        self._logger.addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._logger.removeHandler(self)

    async def heard(self) -> None:
        """Wait until the line was written."""
        async with asyncio.timeout(PATIENCE):
            await self._heard.wait()


async def gathered(calls: Sequence[Awaitable[Response]]) -> list[Response]:
    """Run requests at the same time."""
    return await asyncio.gather(*calls)
