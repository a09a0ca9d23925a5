"""The CoAP server: messages, deduplication, acknowledgements and blocks on one UDP socket (RFC 7252, RFC 7959).

The message layer is our own. aiocoap's took three to five times the processor time of this one in the same measurement, runs a task and a pipe for every
request, holds about 8 kB a request for 247 seconds without a bound, answers unknown critical options as if they were not there, and cancels a request in
progress when its token comes again.
"""

import asyncio
import socket
from collections.abc import Awaitable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Any, cast

from bindings.coap import blockwise, mapping
from bindings.coap.blockwise import LARGEST, Block, BlockError, Key, Spool
from bindings.coap.exchanges import PATIENCE, Exchanges
from bindings.coap.mapping import Reply
from bindings.coap.message import Answer, Code, Message, MessageFormatError, Type, decode, empty, encode, uint
from bindings.coap.observe import Observers, Observing
from bindings.coap.options import BLOCK1, BLOCK2, CONTENT_FORMAT, NAME, OBSERVE, PROXY_SCHEME, PROXY_URI, SIZE1, SIZE2, Found, split
from bindings.ports import Handler, Lenient
from cse.codes import ResponseStatusCode as RSC
from cse.errors import BadRequest, CSEError, NotAcceptable
from cse.primitives import Peer, Request, Response

Address = Any
"""Where a datagram came from, as the event loop gives it: a tuple of host, port and, for IPv6, two numbers."""

_LINK_FORMAT = 40
"""Content-Format of application/link-format (RFC 6690 7.4)."""

_RETRY = 5
"""Seconds after which a request may come again that found too many in progress."""

ACK_RANDOM_FACTOR, MAX_RETRANSMIT = 1.5, 4
"""How a separate response is repeated until it is acknowledged (RFC 7252 4.8)."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the server holds at most, and two times in seconds.

    ``ack_delay``: a request that takes longer gets an empty Acknowledgement, and its answer by itself. ``ack_timeout`` is ACK_TIMEOUT of RFC 7252 4.8 for
    these answers, which are repeated until they are acknowledged.
    """

    body: int = 1 << 20
    """Bytes of one request body; a longer one is answered with 4.13."""
    requests: int = 2000
    """Requests in progress, and separate responses that are not yet acknowledged; beyond them 5.03."""
    exchanges: int = 500_000
    """Messages remembered for deduplication, some 130 bytes each."""
    answers: int = 32 << 20
    """Bytes of answers kept for retransmissions."""
    bodies: int = 100
    """Bodies of either direction that are between their first and last block; together they take ``spooled`` bytes at most, in each direction."""
    spooled: int = 32 << 20
    observers: int = 10_000
    """Observers at the same time; beyond them a request is answered as if it did not ask for observation."""
    ack_delay: float = 0.5
    ack_timeout: float = 2.0


@dataclass(slots=True)
class _Exchange:
    """A request between its arrival and its answer."""

    message: Message
    address: Address
    key: str
    found: Found
    reply: Reply
    block1: Block | None = None
    acknowledged: bool = False
    observed: Request | None = None
    """What is to be observed."""
    timer: asyncio.TimerHandle | None = field(default=None)


async def serve(
    handler: Handler,
    host: str,
    port: int,
    *,
    limits: Limits | None = None,
    links: bytes = b"",
    lenient: Lenient | None = None,
    observing: Observing | None = None,
) -> "CoapListener":
    """Answer CoAP requests on a UDP socket with ``handler``; ``::`` takes IPv4 as well.

    ``links`` is what ``/.well-known/core`` tells (RFC 6690), such as ``</cse-in>;rt="onem2m.cb";ct="50 60"``; without it that is a path like any other.
    ``lenient`` is what requests are passed through before they are handled. ``observing`` tells of changes; without it nobody observes.
    Raises OSError when the address cannot be bound.
    """
    loop = asyncio.get_running_loop()
    family, _, _, _, address = (await loop.getaddrinfo(host, port, type=socket.SOCK_DGRAM, flags=socket.AI_PASSIVE))[0]
    with ExitStack() as failed:
        sock = failed.enter_context(socket.socket(family, socket.SOCK_DGRAM))
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)  # bursts of many devices wait here; the system gives what it allows
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(host != "::"))
        sock.bind(address)
        _, listener = await loop.create_datagram_endpoint(lambda: CoapListener(loop, handler, limits or Limits(), links, lenient, observing), sock=sock)
        failed.pop_all()
    return listener


class CoapListener(asyncio.DatagramProtocol):
    """A CoAP server on its socket (bindings.ports.Listener)."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, handler: Handler, limits: Limits, links: bytes, lenient: Lenient | None, observing: Observing | None
    ) -> None:
        self._loop = loop
        self._handler = handler
        self._limits = limits
        self._links = links
        self._lenient = lenient
        self._random = Random()
        self._next_mid = self._random.randrange(65536)
        self._transport: asyncio.DatagramTransport
        self._exchanges = Exchanges(loop.time, limits.exchanges, limits.answers)
        self._uploads: Spool[bytearray] = Spool(loop.time, limits.bodies, limits.spooled, PATIENCE)
        self._downloads: Spool[Answer] = Spool(loop.time, limits.bodies, limits.spooled, PATIENCE)
        self._running: set[asyncio.Future[Response]] = set()
        self._unacknowledged: dict[tuple[Address, int], asyncio.TimerHandle] = {}
        self._observers: Observers | None = None
        if observing is not None:
            self._observers = Observers(loop, observing, handler, self._transmit, self._number, most=limits.observers, timeout=limits.ack_timeout)
        self._closing = False

    @property
    def address(self) -> tuple[str, int]:
        """Host and port it is bound to."""
        host, port = self._transport.get_extra_info("sockname")[:2]
        return host, port

    async def close(self, grace: float) -> None:
        """Take no new requests, answer those in flight within ``grace`` seconds, then close."""
        self._closing = True
        if self._running:
            _, late = await asyncio.wait(self._running, timeout=grace)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        for timer in self._unacknowledged.values():
            timer.cancel()
        self._unacknowledged.clear()
        if self._observers is not None:
            self._observers.close()
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)  # neither uvloop's nor 3.11's own inherits from it

    def error_received(self, exc: Exception) -> None:
        """An answer could not be sent: whom it was for asks again, or has gone."""

    def datagram_received(self, data: bytes, addr: Address) -> None:
        """Take one message: requests are answered, duplicates answered again, pings and what is no request reset, the rest ignored."""
        try:
            message = decode(data)
        except MessageFormatError as error:
            if error.type == Type.CON:
                self._transport.sendto(empty(Type.RST, error.mid), addr)
            return
        if message is None:
            return
        if message.type >= Type.ACK:
            timer = self._unacknowledged.pop((addr, message.mid), None)
            if timer is not None:
                timer.cancel()
            elif self._observers is not None:
                self._observers.answered(addr, message.mid, message.type == Type.RST)
        elif 0 < message.code < 32:
            self._request(message, addr)
        elif message.type == Type.CON:
            self._transport.sendto(empty(Type.RST, message.mid), addr)

    def _request(self, message: Message, addr: Address) -> None:
        """Answer a request once, whatever number of times it comes (RFC 7252 4.5)."""
        key = f"{addr[0]} {addr[1]} {message.mid}"
        known = self._exchanges.find(key)
        if known is not None:
            if known and message.type == Type.CON:
                self._transport.sendto(known, addr)
            return
        if self._closing:
            return
        found = split(message.options)
        exchange = _Exchange(message, addr, key, found, mapping.reply(message.code, found))
        if len(self._running) + len(self._unacknowledged) >= self._limits.requests or not self._exchanges.begin(key):
            text = "the server has too many requests in progress"
            self._answer(exchange, Response(RSC.INTERNAL_SERVER_ERROR, exchange.reply.rqi, {"m2m:dbg": text}, retry=_RETRY))
            return
        self._begin(exchange)

    def _begin(self, exchange: _Exchange) -> None:
        """Execute a new request as far as that goes at once."""
        message, found = exchange.message, exchange.found
        if found.refused in (PROXY_URI, PROXY_SCHEME):
            self._refuse(exchange, Code.PROXYING_NOT_SUPPORTED, "this is no CoAP proxy")
            return
        if found.refused is not None and message.type == Type.NON:
            self._transport.sendto(empty(Type.RST, message.mid), exchange.address)  # rejected, not answered (RFC 7252 5.4.1)
            return
        try:
            body = message.payload
            if len(body) > self._limits.body:
                raise BlockError(Code.REQUEST_ENTITY_TOO_LARGE, f"the body is larger than {self._limits.body} bytes", self._limits.body)
            if found.refused is None and (found.block1 is not None or found.block2 is not None):
                whole = self._blocks(exchange)
                if whole is None:
                    return
                body = whole
            if self._links and found.refused is None and found.path == [b".well-known", b"core"] and message.code == Code.GET:
                if found.accept not in (None, _LINK_FORMAT):
                    raise NotAcceptable(f"the links are not served in the content format {found.accept}, but in {_LINK_FORMAT}")
                self._finish(exchange, Answer(Code.CONTENT, ((CONTENT_FORMAT, uint(_LINK_FORMAT)),), self._links))
                return
            request = mapping.request(message.code, found, body, Peer(_host(exchange.address), listener="coap"))
            if self._lenient is not None:
                name = next((value for number, value in message.options if number == NAME), b"")
                request = self._lenient(request, name.decode(errors="replace"))
            if found.observe is not None and self._observers is not None and message.code == Code.GET:
                if found.observe == 0:
                    exchange.observed = request
                else:
                    self._observers.forget(exchange.address, message.token)
            answer = self._handler(request)
        except BlockError as error:
            self._refuse(exchange, error.code, str(error), () if error.size is None else ((SIZE1, uint(error.size)),))
            return
        except CSEError as error:
            self._finish(exchange, mapping.failure(error, exchange.reply))
            return
        if isinstance(answer, Response):
            self._answer(exchange, answer)
        else:
            self._wait(exchange, answer)

    def _blocks(self, exchange: _Exchange) -> bytes | None:
        """Do what a request's block options ask for; give its whole body when it is to be executed, None when it has been answered. Raises BlockError."""
        message, found = exchange.message, exchange.found
        piece, wanted = (None if value is None else blockwise.block(value) for value in (found.block1, found.block2))
        if (piece is None) != (found.block1 is None) or (wanted is None) != (found.block2 is None):
            raise BlockError(Code.BAD_REQUEST, "a block option has the reserved block size or is too long")
        if wanted is not None and wanted.number > 0 and piece is None:
            whole = self._downloads.get(_body_key(exchange))
            part = blockwise.cut(whole, wanted) if whole is not None else None
            if part is None:
                raise BlockError(Code.REQUEST_ENTITY_INCOMPLETE, f"there is no block {wanted.number} of an answer to this request")
            self._send(exchange, part)
            return None
        if piece is None:
            return message.payload
        body = blockwise.assemble(self._uploads, _body_key(exchange), piece, message.payload, found.size1, self._limits.body)
        if body is None:
            self._send(exchange, Answer(Code.CONTINUE, ((BLOCK1, piece.encode()),)))
        else:
            exchange.block1 = piece
        return body

    def _wait(self, exchange: _Exchange, answer: Awaitable[Response]) -> None:
        """Answer later; say that the request has come when that takes long."""
        if exchange.message.type == Type.CON:
            exchange.timer = self._loop.call_later(self._limits.ack_delay, self._acknowledge, exchange)
        task = asyncio.ensure_future(answer)
        self._running.add(task)
        task.add_done_callback(partial(self._done, exchange))

    def _acknowledge(self, exchange: _Exchange) -> None:
        exchange.acknowledged = True
        datagram = empty(Type.ACK, exchange.message.mid)
        self._exchanges.keep(exchange.key, datagram)
        self._transport.sendto(datagram, exchange.address)

    def _done(self, exchange: _Exchange, task: asyncio.Future[Response]) -> None:
        self._running.discard(task)
        if exchange.timer is not None:
            exchange.timer.cancel()
        if task.cancelled() or self._transport.is_closing():
            return
        error = task.exception()
        if error is None:
            self._answer(exchange, task.result())
            return
        self._answer(exchange, Response(RSC.INTERNAL_SERVER_ERROR, exchange.reply.rqi, {"m2m:dbg": "the request failed inside the server"}))
        self._loop.call_exception_handler({"message": "the handler of CoAP requests failed", "exception": error, "future": task})

    def _answer(self, exchange: _Exchange, answer: Response) -> None:
        try:
            written = mapping.response(answer, exchange.reply)
            if exchange.observed is not None and self._observers is not None:
                shape = partial(self._shaped, exchange)
                written = self._observers.register(exchange.message, exchange.address, exchange.reply, exchange.observed, written, shape)
            self._finish(exchange, written)
        except CSEError as error:
            self._finish(exchange, mapping.failure(error, exchange.reply))

    def _refuse(self, exchange: _Exchange, code: Code, text: str, more: tuple[tuple[int, bytes], ...] = ()) -> None:
        """Answer with a code that CoAP has and oneM2M has not: its response status code is 4000."""
        answer = mapping.failure(BadRequest(text), exchange.reply)
        self._finish(exchange, Answer(code, tuple(sorted((*answer.options, *more), key=lambda option: option[0])), answer.payload))

    def _finish(self, exchange: _Exchange, answer: Answer) -> None:
        """Send an answer, or its first block when it is longer than one or than the request wants."""
        answer = self._shaped(exchange, answer)
        if exchange.block1 is not None:
            options = (*answer.options, (BLOCK1, exchange.block1.encode()))
            answer = answer._replace(options=tuple(sorted(options, key=lambda option: option[0])))
        self._send(exchange, answer)

    def _shaped(self, exchange: _Exchange, answer: Answer) -> Answer:
        """Give an answer, or its first block, and keep the whole for those who ask for the others."""
        size = 16 << LARGEST
        if exchange.found.block2 is not None or len(answer.payload) > size:
            wanted = blockwise.block(exchange.found.block2 or b"") if exchange.found.block2 is not None else None
            first = Block(0, False, wanted.exponent if wanted is not None else LARGEST)
            if len(answer.payload) > first.size:
                self._downloads.put(_body_key(exchange), answer, len(answer.payload))
            part = blockwise.cut(answer, first)
            assert part is not None
            answer = part
        return answer

    def _send(self, exchange: _Exchange, answer: Answer) -> None:
        """Send an answer in the Acknowledgement, or by itself when that has gone; keep it for duplicates."""
        message = exchange.message
        if message.type == Type.CON and not exchange.acknowledged:
            datagram = encode(Message(Type.ACK, answer.code, message.mid, message.token, answer.options, answer.payload))
            self._exchanges.keep(exchange.key, datagram)
            self._transport.sendto(datagram, exchange.address)
            return
        mid = self._number()
        datagram = encode(Message(message.type, answer.code, mid, message.token, answer.options, answer.payload))
        if message.type == Type.CON:
            self._repeat(datagram, exchange.address, mid, self._limits.ack_timeout * self._random.uniform(1, ACK_RANDOM_FACTOR), MAX_RETRANSMIT)
        else:
            self._transport.sendto(datagram, exchange.address)

    def _transmit(self, datagram: bytes, address: Address) -> None:
        if not self._transport.is_closing():
            self._transport.sendto(datagram, address)

    def _number(self) -> int:
        self._next_mid = (self._next_mid + 1) & 0xFFFF
        return self._next_mid

    def _repeat(self, datagram: bytes, address: Address, mid: int, timeout: float, times: int) -> None:
        """Send a confirmable message, and again with doubled patience until it is acknowledged or was repeated often enough (RFC 7252 4.2)."""
        self._transport.sendto(datagram, address)
        if times == 0:
            self._unacknowledged.pop((address, mid), None)
        else:
            self._unacknowledged[address, mid] = self._loop.call_later(timeout, self._repeat, datagram, address, mid, timeout * 2, times - 1)


def _body_key(exchange: _Exchange) -> Key:
    options = tuple(option for option in exchange.message.options if option[0] not in _NOT_IN_KEY)
    return exchange.address, exchange.message.code, options


_NOT_IN_KEY = frozenset({BLOCK1, BLOCK2, SIZE1, SIZE2, OBSERVE})
"""Options that differ between the requests for one body: the blocks, Size1, Size2 and Observe."""


def _host(address: Address) -> str:
    """Give the peer's IP address without the zone, and an IPv4 one as such where the socket is of IPv6."""
    host: str = address[0].partition("%")[0]
    return host.removeprefix("::ffff:") if "." in host else host
