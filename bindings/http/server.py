"""The HTTP server: sockets, limits and time-outs around the pure mapping (TS-0009 6)."""

import asyncio
import logging
import socket
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from pathlib import Path
from ssl import SSLContext
from typing import Any, cast

from aiohttp import HttpVersion, HttpVersion11, web
from aiohttp.abc import AbstractStreamWriter
from msgspec.structs import replace
from multidict import CIMultiDict

from bindings.credentials import Credentials
from bindings.http import mapping
from bindings.http.accept import Acceptor
from bindings.ports import Handler, Lenient
from bindings.serialization import Media
from cse.errors import BadRequest, CSEError, InternalServerError, RequestTimeout, UnsupportedMediaType
from cse.primitives import NOBODY, Peer, Response

if sys.platform != "win32":
    import resource

_LOG = logging.getLogger(__name__)

Extra = Callable[[str, Mapping[str, str], bytes, Peer], Awaitable[tuple[int, list[tuple[str, str]], bytes]]]
"""A route beside oneM2M: (method, headers, body, peer) to (status, headers, body)."""

_ALLOWED = {
    "Access-Control-Allow-Methods": ", ".join(mapping.METHODS),
    "Access-Control-Allow-Headers": ", ".join(["Accept", "Content-Type", *mapping.REQUEST_HEADERS]),
    "Access-Control-Max-Age": "600",
}
_EXPOSED = ", ".join(["Content-Location", *mapping.RESPONSE_HEADERS])
_SERVER = ("Server", "onem2m-cse")
_NO_CREDENTIALS = Credentials(())
_LINGER = 1.0
"""Seconds for which the rest of a refused body is still taken and thrown away, so that the client gets to read the refusal."""

_PAUSE = 0.5
"""Seconds before a refusal for want of capacity is sent: who comes again at once, whatever Retry-After says, takes nobody's time meanwhile."""


@dataclass(frozen=True, slots=True)
class HttpListener:
    """A listening HTTP server (bindings.ports.Listener)."""

    address: tuple[str, int]
    sockets: asyncio.Server
    acceptors: Sequence[Acceptor]
    connections: web.Server

    @property
    def open(self) -> int:
        """Connections that are open."""
        return len(self.connections.connections)

    async def close(self, grace: float) -> None:
        """Take no new requests, answer those in flight within ``grace`` seconds, then close."""
        for acceptor in self.acceptors:
            acceptor.close()
        self.sockets.close()
        self.connections.pre_shutdown()
        try:
            async with asyncio.timeout(grace):
                await self.connections.shutdown(grace)
        except TimeoutError:
            await self.connections.shutdown(0.001)
        await self.sockets.wait_closed()


async def serve(
    handler: Handler,
    host: str,
    port: int,
    *,
    body_limit: int = 1 << 20,
    line_limit: int = 8190,
    field_limit: int = 8190,
    header_count: int = 100,
    clients: int = 50_000,
    idle_timeout: float = 75.0,
    body_timeout: float = 30.0,
    cors: tuple[str, ...] = (),
    credentials: Credentials = _NO_CREDENTIALS,
    extra: Mapping[str, Extra] | None = None,
    lenient: Lenient | None = None,
    tls: SSLContext | None = None,
    reuse_port: bool | None = None,
) -> HttpListener:
    """Listen on an address. Raises OSError when it cannot be had.

    body_limit: bytes of a body. line_limit, field_limit: bytes of the request line and of one header. header_count: headers of a request.
    clients: connections at the same time, and never more than three quarters of the file descriptors that are left.
    idle_timeout: seconds until a connection without a complete request head is closed, whether it is silent or slow, and one whose peer takes nothing any
    more. body_timeout: the same for a body.
    cors: origins whose pages may use the CSE from a browser (``https://app.example``), ``*`` for all. credentials: who shows which secret.
    extra: routes by their exact path. lenient: what requests are passed through before they are handled, None for none.
    """
    loop = asyncio.get_running_loop()
    exchange = _Exchange(handler, "https" if tls else "http", body_limit, body_timeout, frozenset(cors), credentials, dict(extra or {}), lenient)
    connections = web.Server(exchange.answer, handler_cancellation=False)
    room = _Room(clients)

    def connect() -> web.RequestHandler:
        return _Connection(
            connections,
            loop=loop,
            listener=exchange.listener,
            room=room,
            patience=idle_timeout,
            logger=_LOG,
            access_log=None,
            keepalive_timeout=idle_timeout,
            max_line_size=line_limit,
            max_field_size=field_limit,
            max_headers=header_count,
            lingering_time=_LINGER,
            auto_decompress=False,
        )

    own = sys.platform != "win32"
    sockets = await loop.create_server(connect, host, port, ssl=tls, reuse_port=reuse_port, backlog=1024)
    where = sockets.sockets[0].getsockname()[:2]
    return HttpListener(where, sockets, [Acceptor(loop, connect, found.fileno(), tls) for found in sockets.sockets] if own else [], connections)


class _Room:
    """How many connections there are, and whether there may be one more."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._others = _open()
        self._taken = 0
        self._told = False

    def enter(self) -> bool:
        """Take a place; False when there is none, which the log says once until there are places again."""
        most = self._places()
        if self._taken >= most:
            if not self._told:
                self._told = True
                _LOG.warning("%d HTTP connections are open, as many as may be: others are refused until some are closed", self._taken)
            return False
        self._taken += 1
        return True

    def leave(self) -> None:
        """Give a place back."""
        self._taken -= 1
        self._told = self._told and self._taken > self._places() * 0.9

    def _places(self) -> int:
        return min(self._most, (_descriptors() - self._others) * 3 // 4)


def _open() -> int:
    """Give how many files and sockets this process has open, about as many as one needs where the system does not tell."""
    there = Path("/proc/self/fd")
    return sum(1 for _ in there.iterdir()) if there.is_dir() else 32


def _descriptors() -> int:
    """Give how many files and sockets this process may have open."""
    if sys.platform == "win32":
        return sys.maxsize
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if soft == resource.RLIM_INFINITY else soft


_FULL = b"HTTP/1.1 503 Service Unavailable\r\nX-M2M-RSC: 5000\r\nRetry-After: 5\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class _Connection(web.RequestHandler):
    """One connection: it knows its peer and answers broken HTTP in the words of oneM2M, without noise in the log."""

    __slots__ = ("inside", "listener", "patience", "peer", "room")

    def __init__(self, manager: web.Server, *, listener: str, room: _Room, patience: float, **options: Any) -> None:
        super().__init__(manager, **options)
        self.room = room
        self.inside = False
        self.patience = patience
        self.listener = listener
        self.peer = NOBODY

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.inside = self.room.enter()
        if not self.inside:
            cast(asyncio.Transport, transport).write(_FULL)
            transport.close()
            self.force_close()
            return
        if sys.platform == "linux":  # who vanished without a word, or reads no more, is given up by the system (RFC 5482)
            transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(self.patience * 1000))
        name = transport.get_extra_info("peername")
        self.peer = Peer(address=name[0] if name else None, listener=self.listener)
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        if self.inside:
            self.room.leave()
            super().connection_lost(exc)

    def handle_error(self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None) -> web.StreamResponse:
        if status < 500:
            reason = (message or "").strip().partition("\n")[0].partition(" when reading")[0].rstrip(": ")
            error: CSEError = BadRequest(f"the HTTP message cannot be read: {reason}")
        else:
            _LOG.error("an HTTP request failed", exc_info=exc)
            error = InternalServerError("the request could not be served")
        answer = _write(mapping.refusal(error, request.headers), Media.JSON)
        answer.force_close()
        return answer


class _Gone(Exception):
    """The client went away before its request was complete."""


class _TooLarge(BadRequest):
    """The body is larger than what is taken: 4000 for oneM2M, 413 for HTTP."""


class _Late(RequestTimeout):
    """The body did not come in time: 4008 for oneM2M, 408 for HTTP."""


_OWN_STATUS: Mapping[type[CSEError], int] = {_TooLarge: 413, _Late: 408}


@dataclass(frozen=True, slots=True)
class _Exchange:
    """Answers HTTP requests through a handler."""

    handler: Handler
    listener: str
    body_limit: int
    body_timeout: float
    cors: frozenset[str]
    credentials: Credentials
    extra: Mapping[str, Extra]
    lenient: Lenient | None

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Read, hand on and write. A request that is not complete is never handed on; one that was handed on is carried through."""
        headers = request.headers
        origin = headers.get("Origin") if self.cors else None
        if origin is not None and origin not in self.cors and "*" not in self.cors:
            origin = None
        if origin and request.method == "OPTIONS" and "Access-Control-Request-Method" in headers:
            answer: web.StreamResponse = web.Response(status=204, headers=_ALLOWED)
        else:
            try:
                answer = await self._answer(request)
            except _Gone:
                answer = web.Response(status=400)
                answer.force_close()
        if answer.status == 405 and "Allow" not in answer.headers:
            answer.headers["Allow"] = mapping.allowed(request.method)
        if origin:
            answer.headers["Access-Control-Allow-Origin"] = origin
            answer.headers["Access-Control-Expose-Headers"] = _EXPOSED
            answer.headers["Vary"] = "Origin"
        return answer

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        headers = request.headers
        media, name = Media.JSON, ""
        try:
            body = await self._body(request)
            path, _, query = _origin_form(request.raw_path).partition("?")
            connection = request.protocol
            peer = connection.peer if isinstance(connection, _Connection) else NOBODY
            if path in self.extra:
                status, fields, content = await self.extra[path](request.method, headers, body, peer)
                return web.Response(status=status, headers=CIMultiDict(fields), body=content)
            media = mapping.accepted(headers)
            name = mapping.content_type(headers, media)
            authorization = headers.get("Authorization")
            if authorization and (identity := self.credentials.holder(authorization)):
                peer = replace(peer, identity=identity)
            primitive = mapping.request(request.method, path, query, headers, body, peer)
            if self.lenient is not None:
                primitive = self.lenient(primitive, headers.get("X-M2M-NM"))
        except CSEError as error:
            answer = _write(mapping.refusal(error, headers), media, name)
            if type(error) in _OWN_STATUS:
                answer.set_status(_OWN_STATUS[type(error)])
                answer.force_close()
            return answer
        result = self.handler(primitive)
        try:
            told = result if isinstance(result, Response) else await result
            if told.retry is not None:
                await asyncio.sleep(_PAUSE)
            return _write(told, media, name)
        except InternalServerError as error:
            return _write(mapping.refusal(error, headers), Media.JSON)

    async def _body(self, request: web.BaseRequest) -> bytes:
        """Read the body. Raises _TooLarge, _Late, _Gone, BadRequest (broken transfer coding), UnsupportedMediaType (content coding)."""
        content = request.content
        length = request.headers.get("Content-Length")
        if length is not None and int(length) > self.body_limit:
            raise _TooLarge(f"the body has {length} bytes, more than the limit of {self.body_limit}")
        if request.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise UnsupportedMediaType(f"the content coding {request.headers['Content-Encoding']!r} is not served")
        try:
            if content.is_eof():
                body = content.read_nowait(-1)
                if len(body) > self.body_limit:
                    raise _TooLarge(f"the body is larger than the limit of {self.body_limit} bytes")
                return body
            if request.headers.get("Expect", "").lower() == "100-continue":
                await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                request.writer.output_size = 0
            pieces, size = [], 0
            async with asyncio.timeout(self.body_timeout):
                while piece := await content.readany():
                    size += len(piece)
                    if size > self.body_limit:
                        raise _TooLarge(f"the body is larger than the limit of {self.body_limit} bytes")
                    pieces.append(piece)
            return b"".join(pieces)
        except TimeoutError as error:
            raise _Late(f"the body was not complete after {self.body_timeout:g} seconds") from error
        except web.RequestPayloadError as error:
            raise BadRequest("the body cannot be read: its transfer coding is broken") from error
        except ConnectionError as error:
            raise _Gone from error


def _origin_form(target: str) -> str:
    """Give path and query of a request target, which a proxy gets as a whole URL (RFC 9112 3.2.2)."""
    if target[:1] == "/":
        return target
    _, mark, rest = target.partition("://")
    slash = rest.find("/")
    return rest[slash:] if mark and slash >= 0 else target


def _write(answer: Response, media: Media, name: str = "") -> "_Answer":
    return _Answer(*mapping.response(answer, media, name))


class _Answer(web.StreamResponse):
    """A response whose head and body go out in one piece: the steps that aiohttp takes for a response of any kind cost twice the time of these.

    What is put into ``headers`` afterwards goes out too.
    """

    def __init__(self, status: int, fields: list[tuple[str, str]], body: bytes) -> None:
        super().__init__(status=status)
        self._fields = fields
        self._content = body
        self._done = False

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        if self._done:
            return None
        self._done = True
        if self._keep_alive is None:
            self._keep_alive = request.keep_alive
        version, writer = request.version, request.writer
        fields = (*self._fields, _SERVER, *self.headers.items())
        head = _status_line(version, self.status) + "".join([f"{name}: {value}\r\n" for name, value in fields])
        if not self._keep_alive:
            head += "Connection: close\r\n"
        elif version < HttpVersion11:
            head += "Connection: keep-alive\r\n"
        content = self._content if request.method != "HEAD" else b""
        await writer.write(f"{head}{_date(int(time.time()))}Content-Length: {len(self._content)}\r\n\r\n".encode() + content)
        return writer

    async def write_eof(self, data: bytes = b"") -> None:
        """Do nothing: all of it was written."""


@lru_cache(maxsize=128)
def _status_line(version: HttpVersion, status: int) -> str:
    return f"HTTP/{version.major}.{version.minor} {status} {HTTPStatus(status).phrase}\r\n"


@lru_cache(maxsize=2)
def _date(now: int) -> str:
    return f"Date: {formatdate(now, usegmt=True)}\r\n"
