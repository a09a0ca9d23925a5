"""The HTTP client: requests and notifications to CSEs, AEs and plain web servers (TS-0009 6)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from yarl import URL

from bindings.http import mapping
from cse.codes import Operation
from cse.errors import BadRequest, RequestTimeout, TargetNotReachable
from cse.primitives import Request, Response


class HttpSender:
    """Sends over http and https (bindings.ports.Sender). One pool of connections, opened with the first request."""

    def __init__(self, *, response_limit: int = 1 << 20, connections: int = 256) -> None:
        """``response_limit``: bytes of an answer's body. ``connections``: how many may be open at the same time."""
        self._response_limit = response_limit
        self._connections = connections
        self._session: aiohttp.ClientSession | None = None

    async def send(self, url: str, request: Request, timeout: float) -> Response:  # noqa: ASYNC109 - the port says so
        """Deliver a request, as bindings.ports.Sender.send says. Redirects are not followed."""
        message = mapping.outgoing(request, url)
        async with _translated(url, timeout):
            try:
                return await self._exchange(message)
            except aiohttp.ServerDisconnectedError:
                # The connection was kept alive and closed in that moment. aiohttp repeats what is idempotent; a notification is too, by its identifier.
                if request.op is not Operation.NOTIFY:
                    raise
                return await self._exchange(message)

    async def _exchange(self, message: mapping.Outgoing) -> Response:
        async with self._open().request(
            message.method,
            URL(message.url, encoded=True),
            headers=message.headers,
            data=message.body or None,
            allow_redirects=False,
            skip_auto_headers=("Accept-Encoding", "Content-Type", "User-Agent"),
        ) as answer:
            pieces, size = [], 0
            async for piece in answer.content.iter_any():
                size += len(piece)
                if size > self._response_limit:
                    answer.close()
                    raise BadRequest(f"the answer is larger than the limit of {self._response_limit} bytes")
                pieces.append(piece)
            return mapping.incoming(answer.status, answer.headers, b"".join(pieces))

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self._connections),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
            )
        return self._session

    async def close(self) -> None:
        """Close every connection."""
        if self._session is not None:
            session, self._session = self._session, None
            await session.close()


@asynccontextmanager
async def _translated(url: str, seconds: float) -> AsyncIterator[None]:
    """Bound the time and turn what aiohttp raises into errors of oneM2M."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise RequestTimeout(f"{url} did not answer within {seconds:g} seconds") from error
    except (aiohttp.ClientPayloadError, aiohttp.ClientResponseError) as error:
        raise BadRequest(f"{url} gave an answer that is no HTTP: {error}") from error
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise TargetNotReachable(f"{url} cannot be reached: {error}") from error
