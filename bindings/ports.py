"""What bindings and the driver know of each other."""

from collections.abc import Awaitable, Callable
from typing import Protocol

from cse.primitives import Request, Response

Handler = Callable[[Request], Response | Awaitable[Response]]
"""Answers a request, at once where nothing has to be waited for: ``answer if isinstance(answer, Response) else await answer``. Never raises a CSEError."""

Lenient = Callable[[Request, str | None], Request]
"""Makes a request in another platform's dialect what the standard wants (bindings.compat); the text is the name for a new resource that X-M2M-NM tells."""


class Sender(Protocol):
    """The client half of a binding: one per process, for every peer of its URL schemes."""

    async def send(self, url: str, request: Request, timeout: float) -> Response:  # noqa: ASYNC109 - bounds several steps of a protocol
        """Deliver a request to a point of access and give the answer.

        ``url`` is a point of access (scheme, host, port, optional path). A notification (op NOTIFY) to a URL target goes to exactly that URL; any other
        request goes to the URL's path followed by ``request.to`` as the binding writes it. ``?ct=json|cbor`` at the end of ``url`` picks the
        serialisation and is not sent.
        ``timeout`` in seconds bounds everything. Raises CSEError: TargetNotReachable when nobody could be reached, RequestTimeout when no answer came in
        time, BadRequest for an answer that is no oneM2M response. An answer with an error status is a Response, not an exception.
        """

    async def close(self) -> None:
        """Close every connection."""


class Listener(Protocol):
    """The server half of a binding, listening."""

    @property
    def address(self) -> tuple[str, int]:
        """Host and port it is bound to (the real port when 0 was asked for)."""

    async def close(self, grace: float) -> None:
        """Take no new requests, answer those in flight within ``grace`` seconds, then close."""
