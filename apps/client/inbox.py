"""Where notifications arrive: a small listener over HTTP or CoAP that hands them out one by one."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from types import TracebackType
from typing import Self

from apps.client.values import Notification, notifications
from bindings.coap.server import serve as serve_coap
from bindings.http.server import serve as serve_http
from bindings.ports import Handler, Listener
from cse.codes import Operation
from cse.codes import ResponseStatusCode as RSC
from cse.errors import CSEError
from cse.primitives import Request, Response

REMEMBERED = 10_000
"""How many request identifiers are kept to recognise repetitions."""

Receiver = Callable[[Notification], None]
"""What takes a notification before it is answered."""

WAITING = 1_000
"""How many notifications wait for a reader before senders have to wait too."""


class Inbox:
    """A notification target: an async context manager that listens, and an async iterator over what arrives.

    It answers verification requests, and takes a repeated notification (same originator and request identifier) once. When ``WAITING`` notifications were not
    read yet, further ones are answered only as they are taken out. Iteration ends when the inbox is closed and empty.

    With ``receive`` each notification goes to that function before it is answered, and none waits in the inbox: what it has written down by then is
    acknowledged. A CSEError that it raises is the answer; after TargetNotReachable the CSE tries again.
    """

    def __init__(self, scheme: str, listen: Callable[[Handler], Awaitable[Listener]], receive: Receiver | None = None) -> None:
        self._scheme = scheme
        self._receive = receive
        self._listen = listen
        self._listener: Listener | None = None
        self._queue: asyncio.Queue[Notification | None] = asyncio.Queue()
        self._room = asyncio.Semaphore(WAITING)
        self._seen: OrderedDict[tuple[str, str], None] = OrderedDict()

    @classmethod
    def http(cls, host: str = "127.0.0.1", port: int = 0, *, receive: Receiver | None = None) -> Self:
        """Listen for notifications over HTTP; port 0 takes a free one."""
        return cls("http", lambda handler: serve_http(handler, host, port), receive)

    @classmethod
    def coap(cls, host: str = "127.0.0.1", port: int = 0, *, receive: Receiver | None = None) -> Self:
        """Listen for notifications over CoAP; port 0 takes a free one."""
        return cls("coap", lambda handler: serve_coap(handler, host, port), receive)

    @property
    def url(self) -> str:
        """What to give as a notification target; a path may be added to it, it is found in ``Notification.path``."""
        if self._listener is None:
            raise RuntimeError("the inbox does not listen: use it in 'async with'")
        host, port = self._listener.address
        return f"{self._scheme}://{f'[{host}]' if ':' in host else host}:{port}"

    async def __aenter__(self) -> Self:
        self._listener = await self._listen(self._handle)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._listener is not None:
            await self._listener.close(1.0)
        self._queue.put_nowait(None)

    async def __aiter__(self) -> AsyncIterator[Notification]:
        while (found := await self._take()) is not None:
            yield found

    async def next(self) -> Notification:
        """Give the next notification, as soon as it is there (bound it by ``asyncio.timeout``); EOFError when the inbox is closed and empty."""
        found = await self._take()
        if found is None:
            raise EOFError("the inbox is closed")
        return found

    async def _take(self) -> Notification | None:
        found = await self._queue.get()
        if found is None:
            self._queue.put_nowait(None)
        else:
            self._room.release()
        return found

    async def _handle(self, request: Request) -> Response:
        if request.op is not Operation.NOTIFY:
            return Response(RSC.OPERATION_NOT_ALLOWED, request.rqi, {"m2m:dbg": "an inbox only takes notifications"})
        origin, identifier = request.fr or "", request.rqi or ""
        if isinstance(request.pc, dict) and isinstance(request.pc.get("m2m:sgn"), dict) and request.pc["m2m:sgn"].get("vrq"):
            return Response(RSC.OK, request.rqi)
        try:
            arrived = notifications(request.pc, origin, identifier, request.to)
        except ValueError as wrong:
            return Response(RSC.BAD_REQUEST, request.rqi, {"m2m:dbg": f"not a notification: {wrong}"})
        if (origin, identifier) not in self._seen:
            if self._receive is not None:
                try:
                    for one in arrived:
                        self._receive(one)
                except CSEError as refused:
                    return Response(refused.code, request.rqi, {"m2m:dbg": str(refused)})
            self._seen[origin, identifier] = None
            if len(self._seen) > REMEMBERED:
                self._seen.popitem(last=False)
            for one in arrived if self._receive is None else ():
                self._queue.put_nowait(one)
                await self._room.acquire()
        return Response(RSC.OK, request.rqi)
