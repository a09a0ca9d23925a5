"""Connections of the HTTP client: opened, kept alive and used again; the protocol and the parser on them are aiohttp's."""

import asyncio
import socket
import ssl
from base64 import b64encode
from collections import deque
from functools import lru_cache
from typing import NamedTuple

import aiohappyeyeballs
from aiohttp.client_proto import ResponseHandler
from yarl import URL

_IDLE = 15.0
"""Seconds for which a connection is kept that nobody uses; servers close them after some time of their own, too."""

_NEXT_ADDRESS = 0.25
"""Seconds after which the next address of a host is tried beside the one that does not answer (RFC 8305)."""


class Place(NamedTuple):
    """Where a URL leads: what is connected to, and what the request has from it: its target and its first header lines."""

    host: str
    port: int
    tls: bool
    target: str
    fields: str


@lru_cache(maxsize=4096)
def place_of(url: str) -> Place:
    """Take a URL apart; its path and query stay as they are. Raises ValueError."""
    origin, mark, rest = url.partition("://")
    end = min((at for sign in "/?" if (at := rest.find(sign)) >= 0), default=len(rest))
    target = rest[end:]
    parsed = URL(origin + mark + rest[:end])
    if not parsed.raw_host or not parsed.port:
        raise ValueError(f"{url} names no host")
    fields = f"Host: {parsed.host_port_subcomponent}\r\n"
    if parsed.user is not None:
        shown = f"{parsed.user}:{parsed.password or ''}".encode()
        fields += f"Authorization: Basic {b64encode(shown).decode()}\r\n"
    return Place(parsed.raw_host, parsed.port, parsed.scheme == "https", target if target[:1] == "/" else f"/{target}", fields)


class Connections:
    """All connections of one client; each carries one exchange at a time."""

    def __init__(self) -> None:
        self._idle: dict[tuple[str, int, bool], deque[tuple[ResponseHandler, float]]] = {}
        self._all: set[ResponseHandler] = set()
        self._sweeping: asyncio.TimerHandle | None = None
        self._context: ssl.SSLContext | None = None

    def kept(self, place: Place) -> ResponseHandler | None:
        """Give the connection that was used last and is fit to be used again, None when there is none."""
        idle = self._idle.get(place[:3])
        while idle:
            connection, until = idle.pop()
            # What came unasked may be the answer to nobody's or to another's request: such a connection should close.
            if connection.is_connected() and not connection.should_close and until > asyncio.get_running_loop().time():
                return connection
            self.drop(connection)
        return None

    async def open(self, place: Place) -> ResponseHandler:
        """Connect. Raises OSError."""
        loop = asyncio.get_running_loop()
        addresses = await loop.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)
        made = await aiohappyeyeballs.start_connection(addresses, happy_eyeballs_delay=_NEXT_ADDRESS)
        try:
            if place.tls:
                name, context = place.host.rstrip("."), self._tls()
                _, connection = await loop.create_connection(lambda: ResponseHandler(loop), sock=made, ssl=context, server_hostname=name)
            else:
                _, connection = await loop.create_connection(lambda: ResponseHandler(loop), sock=made)
        except BaseException:
            made.close()
            raise
        self._all.add(connection)
        return connection

    def keep(self, place: Place, connection: ResponseHandler) -> None:
        """Take back a connection whose exchange is complete."""
        if connection.should_close or connection not in self._all:
            self.drop(connection)
            return
        loop = asyncio.get_running_loop()
        self._idle.setdefault(place[:3], deque()).append((connection, loop.time() + _IDLE))
        if self._sweeping is None:
            self._sweeping = loop.call_later(_IDLE, self._sweep)

    def drop(self, connection: ResponseHandler) -> None:
        """Close a connection, whatever is on its way there."""
        self._all.discard(connection)
        connection.abort()

    def close(self) -> None:
        """Close all."""
        if self._sweeping is not None:
            self._sweeping.cancel()
            self._sweeping = None
        self._idle.clear()
        for connection in list(self._all):
            self.drop(connection)

    def _sweep(self) -> None:
        """Close what has not been used for some time, or was closed by its server."""
        loop = asyncio.get_running_loop()
        for key, idle in list(self._idle.items()):
            fit = [(connection, until) for connection, until in idle if until > loop.time() and connection.is_connected()]
            for connection in {connection for connection, _ in idle} - {connection for connection, _ in fit}:
                self.drop(connection)
            self._idle[key] = deque(fit)
            if not fit:
                del self._idle[key]
        self._sweeping = loop.call_later(_IDLE, self._sweep) if self._idle else None

    def _tls(self) -> ssl.SSLContext:
        if self._context is None:
            self._context = ssl.create_default_context()
            self._context.set_alpn_protocols(["http/1.1"])
        return self._context
