"""The CoAP server on a real socket: what RFC 7252 and RFC 7959 promise to a client, and what strangers may send without harm."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import aiocoap  # type: ignore[import-untyped]
import cbor2
import pytest
import uvloop
from aiocoap.numbers.optionnumbers import OptionNumber  # type: ignore[import-untyped]

from bindings.coap.message import Code, Message, Type, decode, encode
from bindings.coap.server import CoapListener, Limits, serve
from cse.codes import Operation
from cse.codes import ResponseStatusCode as RSC
from cse.primitives import Request, Response
from tests.bindings.coap.wire import NEW, OLD, SECONDS, Wire, get, options, post, rsc, value, wire

ANSWERS = {
    Operation.CREATE: RSC.CREATED, Operation.RETRIEVE: RSC.OK, Operation.UPDATE: RSC.UPDATED, Operation.DELETE: RSC.DELETED, Operation.NOTIFY: RSC.OK
}  # fmt: skip


class Fixture:
    """A server whose handler echoes what was asked, notes it, and waits for ``gate`` where there is one."""

    def __init__(self) -> None:
        self.seen: list[Request] = []
        self.gate: asyncio.Event | None = None
        self.content: Any = None

    def __call__(self, request: Request) -> Response | Awaitable[Response]:
        self.seen.append(request)
        content = self.content or {"m2m:x": {"ri": f"x{len(self.seen)}", "to": request.to, "pc": request.pc}}
        answer = Response(ANSWERS[request.op], request.rqi, None if request.op is Operation.NOTIFY else content, rvi=request.rvi)
        return answer if self.gate is None else self._wait(answer, self.gate)

    async def _wait(self, answer: Response, gate: asyncio.Event) -> Response:
        await gate.wait()
        return answer


@asynccontextmanager
async def serving(handler: Callable[[Request], Any], host: str = "127.0.0.1", **limits: Any) -> AsyncIterator[CoapListener]:
    listener = await serve(handler, host, 0, limits=Limits(**limits), links=b'</cse-in>;rt="onem2m.cb"')
    try:
        yield listener
    finally:
        await listener.close(0)


@asynccontextmanager
async def talking(handler: Callable[[Request], Any], **limits: Any) -> AsyncIterator[Wire]:
    async with AsyncExitStack() as stack:
        listener = await stack.enter_async_context(serving(handler, **limits))
        yield await stack.enter_async_context(wire(listener.address))


@asynccontextmanager
async def aiocoap_client() -> AsyncIterator[aiocoap.Context]:
    context = await aiocoap.Context.create_client_context(transports=["udp6"])
    try:
        yield context
    finally:
        await context.shutdown()


def message(code: int, listener: CoapListener, path: str, payload: bytes = b"", numbers: dict[str, int] = NEW, **more: Any) -> aiocoap.Message:
    found = aiocoap.Message(code=aiocoap.Code(code), payload=payload, uri=f"coap://127.0.0.1:{listener.address[1]}/{path}")
    ty = more.pop("ty", None)
    for number, data in options("x", ty=ty, numbers=numbers)[1:]:
        found.opt.add_option(OptionNumber(number).create_option(decode=data))
    for name, setting in more.items():
        setattr(found.opt, name, setting)
    return found


@pytest.mark.parametrize("numbers", [NEW, OLD], ids=["release 3", "old"])
@pytest.mark.parametrize(
    ("method", "ty", "op", "code", "status"),
    [
        (Code.POST, 3, Operation.CREATE, "2.01", 2001),
        (Code.GET, None, Operation.RETRIEVE, "2.05", 2000),
        (Code.PUT, None, Operation.UPDATE, "2.04", 2004),
        (Code.DELETE, None, Operation.DELETE, "2.02", 2002),
        (Code.POST, None, Operation.NOTIFY, "2.04", 2000),
    ],
)
async def test_every_operation_with_aiocoap(numbers: dict[str, int], method: int, ty: int | None, op: Operation, code: str, status: int) -> None:
    handler = Fixture()
    async with serving(handler) as listener, aiocoap_client() as client:
        payload = b'{"m2m:cnt":{}}' if method in (Code.POST, Code.PUT) else b""
        answer = await client.request(message(method, listener, "~/in/cse-in?rcn=1", payload, numbers, ty=ty)).response
    (request,) = handler.seen
    assert (request.op, request.to, request.fr, request.rqi, request.rcn, request.ty) == (op, "/in/cse-in", "CAdmin", "r1", 1, ty)
    assert (request.peer.address, request.peer.listener, request.peer.identity) == ("127.0.0.1", "coap", None)
    assert answer.code.dotted == code
    told = {int(each.number): each.encode() for each in answer.opt.option_list()}
    assert int.from_bytes(told[numbers["rsc"]], "big") == status
    assert told[numbers["rqi"]] == b"r1"
    assert (answer.payload == b"") is (op is Operation.NOTIFY)


async def test_content_formats() -> None:
    handler = Fixture()
    async with serving(handler) as listener, aiocoap_client() as client:
        body = {"m2m:cnt": {"lbl": ["ä"]}}
        answer = await client.request(message(Code.PUT, listener, "x", cbor2.dumps(body), content_format=60)).response
        assert (cbor2.loads(answer.payload)["m2m:x"]["pc"], int(answer.opt.content_format)) == (body, 60)
        answer = await client.request(message(Code.PUT, listener, "x", cbor2.dumps(body), content_format=60, accept=50)).response
        assert answer.payload.startswith(b'{"m2m:x":')
        answer = await client.request(message(Code.PUT, listener, "x", b"<a/>", content_format=41)).response
        assert (answer.code.dotted, {int(each.number): each.encode() for each in answer.opt.option_list()}[307]) == ("4.15", b"\x0f\xaf")
        answer = await client.request(message(Code.GET, listener, "x", accept=41)).response
        assert (answer.code.dotted, {int(each.number): each.encode() for each in answer.opt.option_list()}[307]) == ("4.06", b"\x14\x57")
    assert len(handler.seen) == 2


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "::", "0.0.0.0"])
async def test_both_internet_protocols(host: str) -> None:
    handler = Fixture()
    async with serving(handler, host) as listener, wire(("::1" if host == "::1" else "127.0.0.1", listener.address[1])) as peer:
        assert rsc(await peer.ask(get(1))) == 2000
    assert handler.seen[0].peer.address == ("::1" if host == "::1" else "127.0.0.1")


async def test_ipv6_alone_and_both_on_one_socket() -> None:
    handler = Fixture()
    async with serving(handler, "::") as listener, wire(("::1", listener.address[1])) as peer:
        assert rsc(await peer.ask(get(1))) == 2000


async def test_a_port_in_use_is_an_error() -> None:
    async with serving(Fixture()) as listener:
        with pytest.raises(OSError, match="in use"):
            await serve(Fixture(), *listener.address)


async def test_100_kb_up_and_down_in_blocks() -> None:
    handler = Fixture()
    handler.content = {"m2m:cin": {"con": "y" * 100_000}}
    async with serving(handler) as listener, aiocoap_client() as client:
        payload = b'{"m2m:cin":{"con":"%s"}}' % (b"x" * 100_000)
        answer = await client.request(message(Code.POST, listener, "cse-in/cnt", payload, ty=4, content_format=50)).response
        assert (answer.code.dotted, len(answer.payload)) == ("2.01", len('{"m2m:cin":{"con":""}}') + 100_000)
        answer = await client.request(message(Code.GET, listener, "cse-in/cnt")).response
        assert (answer.code.dotted, len(answer.payload)) == ("2.05", len('{"m2m:cin":{"con":""}}') + 100_000)
    assert [request.op for request in handler.seen] == [Operation.CREATE, Operation.RETRIEVE]
    assert len(handler.seen[0].pc["m2m:cin"]["con"]) == 100_000


async def test_the_client_chooses_smaller_blocks() -> None:
    handler = Fixture()
    handler.content = {"m2m:cin": {"con": "y" * 100}}
    async with talking(handler) as peer:
        parts = [await peer.ask(get(mid, (23, bytes([mid << 4 | 1])))) for mid in range(4)]
        assert b"".join(part.payload for part in parts) == b'{"m2m:cin":{"con":"%s"}}' % (b"y" * 100)
        assert [value(part, 23) for part in parts] == [b"\x09", b"\x19", b"\x29", b"\x31"]
        assert all(rsc(part) == 2000 and value(part, 283) == b"r1" for part in parts)
        beyond = await peer.ask(get(4, (23, b"\x41")))
        assert beyond.code == Code.REQUEST_ENTITY_INCOMPLETE
    assert len(handler.seen) == 1


@pytest.mark.parametrize(("part", "code"), [((27, b"\x0f"), Code.BAD_REQUEST), ((23, b"\x07"), Code.BAD_REQUEST), ((27, b"\1\0\0\0"), Code.BAD_OPTION)])
async def test_block_options_that_are_none(part: tuple[int, bytes], code: Code) -> None:
    handler = Fixture()
    async with talking(handler) as peer:
        answer = await peer.ask(post(1, part))
    assert (answer.code, rsc(answer), handler.seen) == (code, 4000, [])


async def test_bodies_over_the_limit() -> None:
    handler = Fixture()
    async with serving(handler, body=2000) as listener, aiocoap_client() as client, wire(listener.address) as peer:
        answer = await client.request(message(Code.POST, listener, "x", b"x" * 5000, ty=4)).response
        assert (answer.code.dotted, answer.opt.size1) == ("4.13", 2000)
        answer = await client.request(message(Code.POST, listener, "x", b'{"a":"%s"}' % (b"x" * 1900), ty=4)).response
        assert answer.code.dotted == "2.01"
        whole = await peer.ask(post(1, payload=b"x" * 2001))
        assert (whole.code, rsc(whole), value(whole, 60)) == (Code.REQUEST_ENTITY_TOO_LARGE, 4000, b"\x07\xd0")
    assert len(handler.seen) == 1


async def test_a_block_without_its_beginning() -> None:
    async with talking(Fixture()) as peer:
        answer = await peer.ask(post(1, (27, b"\x10"), payload=b"x" * 16))
        assert (answer.code, rsc(answer)) == (Code.REQUEST_ENTITY_INCOMPLETE, 4000)


async def test_many_uploads_that_never_end_take_bounded_memory() -> None:
    handler = Fixture()
    async with talking(handler, bodies=3) as peer:
        for mid in range(10):
            first = await peer.ask(post(mid, (27, b"\x08"), payload=b'{"a":"0123456789', path=f"x{mid}"))
            assert (first.code, value(first, 27)) == (Code.CONTINUE, b"\x08")
        assert (await peer.ask(post(20, (27, b"\x10"), payload=b'"}', path="x0"))).code == Code.REQUEST_ENTITY_INCOMPLETE
        last = await peer.ask(post(21, (27, b"\x10"), payload=b'"}', path="x9"))
        assert (last.code, value(last, 27)) == (Code.CREATED, b"\x10")
    assert [request.pc for request in handler.seen] == [{"a": "0123456789"}]


async def test_a_repeated_message_is_executed_once_and_answered_every_time() -> None:
    handler = Fixture()
    async with talking(handler) as peer:
        first = await peer.ask(post(7))
        assert [await peer.ask(post(7)) for _ in range(3)] == [first] * 3
        assert (first.type, first.mid, first.token, first.code) == (Type.ACK, 7, b"t7", Code.CREATED)
        assert (await peer.ask(post(8))).payload != first.payload
    assert len(handler.seen) == 2


async def test_the_same_message_id_of_another_port_is_another_message() -> None:
    handler = Fixture()
    async with serving(handler) as listener, wire(listener.address) as one, wire(listener.address) as other:
        await one.ask(post(7))
        await other.ask(post(7))
    assert len(handler.seen) == 2


async def test_a_message_repeated_while_it_is_executed() -> None:
    handler = Fixture()
    handler.gate = asyncio.Event()
    async with talking(handler) as peer:
        for _ in range(3):
            peer.send(encode(post(7)))
        assert await peer.silent()
        handler.gate.set()
        assert (await peer.receive()).mid == 7
    assert len(handler.seen) == 1


async def test_an_answer_that_takes_long_comes_by_itself_until_it_is_acknowledged() -> None:
    handler = Fixture()
    handler.gate = asyncio.Event()
    async with talking(handler, ack_delay=0.0, ack_timeout=0.2) as peer:
        empty = await peer.ask(post(7))
        assert empty == Message(Type.ACK, Code.EMPTY, 7, b"", (), b"")
        assert await peer.ask(post(7)) == empty, "a duplicate is acknowledged again"
        handler.gate.set()
        answer = await peer.receive()
        assert (answer.type, answer.token, answer.code) == (Type.CON, b"t7", Code.CREATED)
        assert await peer.receive() == answer, "it is repeated"
        peer.send(encode(Message(Type.ACK, Code.EMPTY, answer.mid, b"", (), b"")))
        assert await peer.silent()
    assert len(handler.seen) == 1


async def test_a_non_confirmable_request_is_answered_alike_and_once() -> None:
    handler = Fixture()
    async with talking(handler) as peer:
        answer = await peer.ask(post(7, type=Type.NON))
        assert (answer.type, answer.token, answer.code) == (Type.NON, b"t7", Code.CREATED)
        peer.send(encode(post(7, type=Type.NON)))
        assert await peer.silent()
    assert len(handler.seen) == 1


async def test_unknown_critical_options() -> None:
    handler = Fixture()
    async with talking(handler) as peer:
        for mid, (number, named) in {10: (65001, b"65001"), 11: (311, b"oneM2M-GID")}.items():
            answer = await peer.ask(get(mid, (number, b"x" * 256)))
            assert (answer.code, rsc(answer)) == (Code.BAD_OPTION, 4000)
            assert named in answer.payload
        assert (await peer.ask(get(2, (65001, b"x"), type=Type.NON))).type == Type.RST
        assert (await peer.ask(get(3, (35, b"coap://elsewhere/")))).code == Code.PROXYING_NOT_SUPPORTED
        assert (await peer.ask(get(4, (6, b"")))).code == Code.CONTENT, "Observe is elective"
    assert len(handler.seen) == 1


async def test_bad_requests_are_answered_and_named() -> None:
    handler = Fixture()
    async with talking(handler) as peer:
        for mid, (bad, named) in enumerate([
            (get(0, path="a\x01"), b"Uri-Path"),
            (get(0, (15, b"rcn")), b"rcn"),
            (get(0, (331, b"\xff")), b"oneM2M-VSI"),
            (post(0, payload=b"{broken"), b"JSON"),
            (post(0, payload=b'{"a":' + b"[" * 100 + b"]" * 100 + b"}"), b"deep"),
        ]):  # fmt: skip
            answer = await peer.ask(bad._replace(mid=mid))
            assert (answer.code, rsc(answer), value(answer, 283)) == (Code.BAD_REQUEST, 4000, b"r1")
            assert named in answer.payload
        assert (await peer.ask(get(100)._replace(code=5))).code == Code.METHOD_NOT_ALLOWED
    assert handler.seen == []


async def test_pings_and_what_is_no_request_are_reset_or_ignored() -> None:
    async with talking(Fixture()) as peer:
        assert (await peer.ask(Message(Type.CON, Code.EMPTY, 5, b"", (), b""))) == Message(Type.RST, Code.EMPTY, 5, b"", (), b"")
        assert (await peer.ask(Message(Type.CON, Code.CONTENT, 6, b"t", (), b"x"))).type == Type.RST
        for strange in (Message(Type.NON, Code.CONTENT, 7, b"t", (), b""), Message(Type.ACK, 0, 8, b"", (), b""), Message(Type.RST, 0, 9, b"", (), b"")):
            peer.send(encode(strange))
        assert await peer.silent()


async def test_malformed_datagrams_do_no_harm(caplog: pytest.LogCaptureFixture) -> None:
    async with talking(Fixture()) as peer:
        good = encode(post(1))
        for bad in (b"", b"\x00", b"\xff" * 50, b"\x80\x01\x00\x01", b"\x50\x01\x00\x01\xff", b"\x59\x01\x00\x01123456789"):
            peer.send(bad)
        assert await peer.silent()
        peer.send(b"GET / HTTP/1.1\r\n\r\n")
        assert (await peer.receive()).type == Type.RST, "G is what a confirmable message may begin with"
        for end in range(4, len(good)):
            peer.send(good[:1] + b"\x02\x40" + bytes([end]) + good[4:end])
        peer.send(encode(get(50_000)))
        mids = set()
        while 50_000 not in mids:
            mids.add((await peer.receive()).mid)
    assert caplog.records == []


async def test_more_requests_than_can_be_held_are_refused_and_not_executed() -> None:
    handler = Fixture()
    handler.gate = asyncio.Event()
    async with talking(handler, requests=2) as peer:
        for mid in range(2):
            peer.send(encode(post(mid)))
        refused = await peer.ask(post(2))
        assert (refused.mid, refused.code, value(refused, 14)) == (2, Code.SERVICE_UNAVAILABLE, b"\x05")
        handler.gate.set()
        assert {(await peer.receive()).code for _ in range(2)} == {Code.CREATED}
        assert (await peer.ask(post(3))).code == Code.CREATED
    assert len(handler.seen) == 3


async def test_a_full_memory_of_messages_refuses_new_ones_and_still_knows_the_old() -> None:
    handler = Fixture()
    async with talking(handler, exchanges=3) as peer:
        answers = [await peer.ask(post(mid)) for mid in range(3)]
        assert (await peer.ask(post(3))).code == Code.SERVICE_UNAVAILABLE
        assert [await peer.ask(post(mid)) for mid in range(3)] == answers
    assert len(handler.seen) == 3


async def test_the_root_of_discovery() -> None:
    async with talking(Fixture()) as peer:
        answer = await peer.ask(Message(Type.CON, Code.GET, 1, b"", ((11, b".well-known"), (11, b"core")), b""))
        assert (answer.code, value(answer, 12), answer.payload) == (Code.CONTENT, b"\x28", b'</cse-in>;rt="onem2m.cb"')
        asked = [await peer.ask(Message(Type.CON, Code.GET, mid, b"", ((11, b".well-known"), (11, b"core"), (17, bytes([mid]))), b"")) for mid in (40, 50)]
        assert [each.code for each in asked] == [Code.CONTENT, Code.NOT_ACCEPTABLE]


async def test_a_handler_that_fails_is_an_internal_error() -> None:
    failed: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: failed.append(context))

    async def broken(request: Request) -> Response:
        raise ZeroDivisionError("secret")

    async with talking(broken) as peer:
        answer = await peer.ask(get(1))
        assert (answer.code, rsc(answer)) == (Code.INTERNAL_SERVER_ERROR, 5000)
        assert b"secret" not in answer.payload
    assert [type(context["exception"]) for context in failed] == [ZeroDivisionError]


async def test_closing_answers_what_is_in_flight_and_takes_nothing_new() -> None:
    handler = Fixture()
    handler.gate = asyncio.Event()
    listener = await serve(handler, "127.0.0.1", 0)
    async with wire(listener.address) as peer:
        peer.send(encode(post(1)))
        assert await peer.silent()
        closing = asyncio.create_task(listener.close(SECONDS))
        await asyncio.sleep(0)
        peer.send(encode(post(2)))
        assert await peer.silent()
        handler.gate.set()
        assert (await peer.receive()).mid == 1
        await closing
    assert len(handler.seen) == 1


async def test_closing_gives_up_after_its_grace() -> None:
    handler = Fixture()
    handler.gate = asyncio.Event()
    listener = await serve(handler, "127.0.0.1", 0)
    async with wire(listener.address) as peer:
        peer.send(encode(post(1)))
        assert await peer.silent()
        await listener.close(0)
        assert peer.received.empty()


def test_it_runs_on_uvloop() -> None:
    async def run() -> None:
        handler = Fixture()
        handler.content = {"m2m:cin": {"con": "y" * 5000}}
        async with serving(handler, "::") as listener, wire(("127.0.0.1", listener.address[1])) as peer:
            assert (await peer.ask(post(1))).code == Code.CREATED
            async with aiocoap_client() as client:
                answer = await client.request(message(Code.POST, listener, "x", b'{"a":"%s"}' % (b"x" * 3000), ty=4)).response
                assert len(answer.payload) > 5000

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())


def test_the_wire_reads_what_it_wrote() -> None:
    assert decode(encode(get(1))) == get(1)
