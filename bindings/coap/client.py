"""The CoAP client: requests and notifications to ``coap:`` URLs, over aiocoap with its block-wise transfer in both directions."""

import asyncio
import sys

import aiocoap  # type: ignore[import-untyped]
from aiocoap import error as errors
from aiocoap.numbers.optionnumbers import OptionNumber  # type: ignore[import-untyped]

from bindings.coap.mapping import incoming, outgoing, point_of_access
from bindings.coap.message import Answer
from bindings.coap.options import BLOCK1, BLOCK2
from cse.errors import BadRequest, RequestTimeout, TargetNotReachable
from cse.primitives import Request, Response

_TRANSPORT = "udp6" if sys.platform == "linux" else "simple6"
"""The first of aiocoap's transports tells a refused port at once; it exists on Linux only."""


class CoapSender:
    """Sends requests to CoAP servers (bindings.ports.Sender), confirmable, one at a time to each server as RFC 7252 4.7 asks (NSTART).

    One aiocoap context for all of them; it is opened with the first request, in the event loop that sends it.
    """

    def __init__(self) -> None:
        self._context: aiocoap.Context | None = None
        self._opening = asyncio.Lock()

    async def send(self, url: str, request: Request, timeout: float) -> Response:  # noqa: ASYNC109 - the port's signature
        """Deliver a request to a point of access and give the answer; see bindings.ports.Sender for URL, time and errors."""
        to = point_of_access(url)
        written = outgoing(request, to)
        message = aiocoap.Message(code=written.code, payload=written.payload, transport_tuning=aiocoap.Reliable)
        message.unresolved_remote = f"[{to.host}]:{to.port}" if ":" in to.host else f"{to.host}:{to.port}"
        for number, value in written.options:
            message.opt.add_option(OptionNumber(number).create_option(decode=value))
        try:
            async with asyncio.timeout(timeout):
                answer = await (await self._open()).request(message).response
        except TimeoutError as error:
            raise RequestTimeout(f"{url} did not answer within {timeout:g} seconds") from error
        except (errors.NetworkError, OSError, UnicodeError) as error:  # UnicodeError: a name that the DNS has no room for
            raise TargetNotReachable(f"{url} cannot be reached: {error.__cause__ or error}") from error
        except (errors.Error, AttributeError, AssertionError, ValueError) as error:  # aiocoap stumbles over block options that fit no request
            raise BadRequest(f"{url} gave no proper answer: {error!r}") from error
        return incoming(_answer(answer))

    async def close(self) -> None:
        """Give up what is on its way and close the socket."""
        if self._context is not None:
            await self._context.shutdown()
            self._context = None

    async def _open(self) -> aiocoap.Context:
        async with self._opening:
            if self._context is None:
                self._context = await aiocoap.Context.create_client_context(transports=[_TRANSPORT])
            return self._context


def _answer(message: aiocoap.Message) -> Answer:
    """Take an answer out of aiocoap's message; its block options have done their work."""
    options = tuple((int(each.number), each.encode()) for each in message.opt.option_list() if each.number not in (BLOCK1, BLOCK2))
    return Answer(int(message.code), options, message.payload)
