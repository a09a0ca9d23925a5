"""Takes connections, many at a turn of the event loop.

libuv, and with it uvloop, takes one a turn. A turn is long when there is much to do, and then those who are connected already are served at the cost of all who
are not. So an Acceptor takes them beside the loop's own server.
"""

import asyncio
import logging
import os
import socket
from collections.abc import Callable
from ssl import SSLContext

_LOG = logging.getLogger(__name__)

_AT_ONCE = 100
"""Connections taken in one turn of the loop."""
_AGAIN = 0.2
"""Seconds after which connections are taken again when the system had no room for another."""


class Acceptor:
    """Takes the connections of one listening socket, whose descriptor it has a copy of, until it is closed."""

    def __init__(self, loop: asyncio.AbstractEventLoop, factory: Callable[[], asyncio.Protocol], descriptor: int, tls: SSLContext | None) -> None:
        self._loop = loop
        self._factory = factory
        self._tls = tls
        self._socket = socket.socket(fileno=os.dup(descriptor))
        self._socket.setblocking(False)
        self._connecting: set[asyncio.Task[None]] = set()
        self._short = False
        self._timer: asyncio.TimerHandle | None = None
        self._start()

    def close(self) -> None:
        """Take no more."""
        if self._timer is not None:
            self._timer.cancel()
        self._loop.remove_reader(self._socket)
        self._socket.close()

    def _start(self) -> None:
        self._timer = None
        self._loop.add_reader(self._socket, self._accept)

    def _accept(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                connection, _ = self._socket.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:  # no descriptors or no memory: it would be ready, and fail, again and again
                if not self._short:
                    _LOG.warning("no connections can be taken until there is room again: %s", error.strerror)
                self._short = True
                self._loop.remove_reader(self._socket)
                self._timer = self._loop.call_later(_AGAIN, self._start)
                return
            self._short = False
            connection.setblocking(False)
            task = self._loop.create_task(self._connect(connection))
            self._connecting.add(task)
            task.add_done_callback(self._connecting.discard)

    async def _connect(self, connection: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._factory, connection, ssl=self._tls)
        except OSError:  # it has gone, or its TLS handshake failed
            connection.close()
