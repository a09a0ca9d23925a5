"""The HTTP client: requests and notifications to CSEs, AEs and plain web servers (TS-0009 6)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.http import HttpProcessingError

from bindings.http import mapping
from bindings.http.connections import Connections, Place, place_of
from cse.codes import Operation
from cse.errors import BadRequest, RequestTimeout, TargetNotReachable
from cse.primitives import Request, Response


class HttpSender:
    """Sends over http and https (bindings.ports.Sender). One pool of connections, opened as they are needed.

    The exchange is our own, on aiohttp's protocol and parser: its ClientSession takes three times the processor time of all the rest of a notification.
    """

    def __init__(self, *, response_limit: int = 1 << 20, connections: int = 256) -> None:
        """``response_limit``: bytes of an answer's body. ``connections``: how many may be used at the same time."""
        self._response_limit = response_limit
        self._places = asyncio.Semaphore(connections)
        self._connections = Connections()

    async def send(self, url: str, request: Request, timeout: float) -> Response:  # noqa: ASYNC109 - the port says so
        """Deliver a request, as bindings.ports.Sender.send says. Redirects are not followed."""
        message = mapping.outgoing(request, url)
        async with _translated(url, timeout), self._places:
            place = place_of(message.url)
            data = head(message, place) + message.body
            connection = self._connections.kept(place)
            if connection is not None:
                try:
                    return await self._exchange(connection, place, data)
                except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
                    # It was kept alive and closed in that moment. All but a CREATE can be repeated, a notification by its identifier.
                    if request.op is Operation.CREATE:
                        raise
            return await self._exchange(await self._connections.open(place), place, data)

    async def _exchange(self, connection: ResponseHandler, place: Place, data: bytes) -> Response:
        transport = connection.transport
        if transport is None:
            raise aiohttp.ServerDisconnectedError
        try:
            connection.set_response_params(read_until_eof=True, auto_decompress=False)
            transport.write(data)
            message, payload = await connection.read()
            while 100 <= message.code < 200 and message.code != 101:
                message, payload = await connection.read()
            answer = mapping.incoming(message.code, message.headers, await self._body(payload))
        except BaseException:
            self._connections.drop(connection)
            raise
        self._connections.keep(place, connection)
        return answer

    async def _body(self, payload: aiohttp.StreamReader) -> bytes:
        pieces, size = [], 0
        while piece := payload.read_nowait() if payload.is_eof() else await payload.readany():
            size += len(piece)
            if size > self._response_limit:
                raise BadRequest(f"the answer is larger than the limit of {self._response_limit} bytes")
            pieces.append(piece)
        return b"".join(pieces)

    async def close(self) -> None:
        """Close every connection."""
        self._connections.close()
        await asyncio.sleep(0)


def head(message: mapping.Outgoing, place: Place) -> bytes:
    """Write request line and headers; the mapping has seen to it that they are printable."""
    fields = "".join([f"{name}: {value}\r\n" for name, value in message.headers.items()])
    length = "" if message.method in ("GET", "DELETE") and not message.body else f"Content-Length: {len(message.body)}\r\n"
    return f"{message.method} {place.target} HTTP/1.1\r\n{place.fields}{fields}{length}\r\n".encode()


@asynccontextmanager
async def _translated(url: str, seconds: float) -> AsyncIterator[None]:
    """Bound the time and turn what aiohttp raises into errors of oneM2M."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise RequestTimeout(f"{url} did not answer within {seconds:g} seconds") from error
    except (aiohttp.ClientPayloadError, HttpProcessingError) as error:
        raise BadRequest(f"{url} gave an answer that is no HTTP: {error}") from error
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise TargetNotReachable(f"{url} cannot be reached: {error}") from error
