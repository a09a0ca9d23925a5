"""The CoAP client: requests and notifications to ``coap:`` URLs, over aiocoap with its block-wise transfer in both directions."""

import asyncio
import ipaddress
import select
import sys
from typing import Any

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

_KNOWN = 10_000
"""Addresses that are remembered at most."""


class CoapSender:
    """Sends requests to CoAP servers (bindings.ports.Sender), confirmable, one at a time to each server as RFC 7252 4.7 asks (NSTART).

    One aiocoap context for all of them; it is opened with the first request, in the event loop that sends it.
    """

    def __init__(self) -> None:
        self._context: aiocoap.Context | None = None
        self._opening = asyncio.Lock()
        self._watch: _Watch | None = None
        self._known: dict[str, Any] = {}
        """aiocoap's addresses of the servers that have answered, by numeric host and port: it would look each up anew, in a thread, for every request."""

    async def send(self, url: str, request: Request, timeout: float) -> Response:  # noqa: ASYNC109 - the port's signature
        """Deliver a request to a point of access and give the answer; see bindings.ports.Sender for URL, time and errors."""
        to = point_of_access(url)
        written = outgoing(request, to)
        message = aiocoap.Message(code=written.code, payload=written.payload, transport_tuning=aiocoap.Reliable)
        peer = f"[{to.host}]:{to.port}" if ":" in to.host else f"{to.host}:{to.port}"
        if peer in self._known:
            message.remote = self._known[peer]
        else:
            message.unresolved_remote = peer
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
        if peer not in self._known and _numeric(to.host):
            if len(self._known) >= _KNOWN:
                self._known.clear()
            self._known[peer] = message.remote
        return incoming(_answer(answer))

    async def close(self) -> None:
        """Give up what is on its way and close the socket."""
        if self._watch is not None:
            self._watch.close()
            self._watch = None
        self._known.clear()
        if self._context is not None:
            await self._context.shutdown()
            self._context = None

    async def _open(self) -> aiocoap.Context:
        async with self._opening:
            if self._context is None:
                self._context = await aiocoap.Context.create_client_context(transports=[_TRANSPORT])
                if _TRANSPORT == "udp6":
                    self._watch = _Watch(self._context)
            return self._context


class _Watch:
    """Reads aiocoap's socket when an epoll of its own says so.

    libuv, and so uvloop, stops watching a socket for good when it has an error to tell; here each refused port leaves one in the socket's error queue, and
    from the first on no answer of any server would be read. An epoll is merely readable then.
    """

    def __init__(self, context: aiocoap.Context) -> None:
        transport = context.request_interfaces[0].token_interface.message_interface.transport
        socket = transport.get_extra_info("socket")
        self._loop = asyncio.get_running_loop()
        self._epoll = select.epoll()
        self._epoll.register(socket, select.EPOLLIN)
        self._loop.remove_reader(socket)
        self._loop.add_reader(self._epoll, transport._read_ready)

    def close(self) -> None:
        """Watch no more; the socket is aiocoap's to close."""
        self._loop.remove_reader(self._epoll)
        self._epoll.close()


def _numeric(host: str) -> bool:
    """Tell whether a host is an address that means the same for ever; names and zones are looked up each time."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return "%" not in host


def _answer(message: aiocoap.Message) -> Answer:
    """Take an answer out of aiocoap's message; its block options have done their work."""
    options = tuple((int(each.number), each.encode()) for each in message.opt.option_list() if each.number not in (BLOCK1, BLOCK2))
    return Answer(int(message.code), options, message.payload)
