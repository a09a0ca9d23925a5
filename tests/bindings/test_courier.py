"""The courier: everything in the outbox is delivered in order per target or given up by policy, whatever the targets do."""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from socket import socket
from typing import Any

import pytest

from bindings.courier import Courier, Policy
from bindings.driver import Driver
from bindings.http.client import HttpSender
from bindings.http.server import serve
from cse.codes import Operation
from cse.codes import ResponseStatusCode as RSC
from cse.primitives import Call, Notice, Request, Response, Steps, Turn, Work, refused
from cse.storage import StoreError, commit
from cse.storage.memory import MemoryStore
from tests.scenarios.bed import Said

QUICK = Policy(first_retry=0.01, longest_retry=0.02, timeout=5.0, settle_delay=0.001)


class Outbox:
    """A core that only keeps the outbox: what of it the courier needs, over a real store."""

    def __init__(self) -> None:
        self.store = MemoryStore(frozenset({4}))
        self.routes: dict[str, tuple[str, ...]] = {}
        self.outcomes: list[tuple[str, bool]] = []
        self.opens: dict[str, float] = {}
        self.schedules = 0
        self.missed: list[str] = []
        self.miss: Callable[[str], None] = lambda target: None
        self.faults = self.unread = 0
        self.settled = asyncio.Condition()

    def handle(self, request: Request) -> Steps:
        return Response(RSC.NOT_IMPLEMENTED, request.rqi)
        yield Turn.WRITE

    def due(self, now: float) -> float | None:
        return None

    def route(self, target: str) -> tuple[str, ...]:
        if self.unread:
            self.unread -= 1
            raise StoreError("no disk")
        return (target,) if "://" in target else self.routes.get(target, ())

    def begun(self) -> Sequence[Work]:
        return ()

    def settle(self, outcomes: Sequence[tuple[Notice, bool]]) -> None:
        if self.faults:
            self.faults -= 1
            raise StoreError("full")
        with self.store.transaction() as transaction:
            transaction.drop([notice.id for notice, _ in outcomes])
        self.outcomes += [(notice.rqi, delivered) for notice, delivered in outcomes]


class Target:
    """An entity that takes notifications over HTTP; ``reply`` may hold it up, refuse, or answer anything."""

    def __init__(self) -> None:
        self.url = ""
        self.got: list[Request] = []
        self.arrived = asyncio.Event()
        self.reply: Callable[[Request], Any] = lambda request: Response(RSC.OK, request.rqi)

    async def answer(self, request: Request) -> Response:
        self.got.append(request)
        self.arrived.set()
        found = self.reply(request)
        if asyncio.iscoroutine(found):
            found = await found
        return found if isinstance(found, Response) else Response(found, request.rqi)

    @property
    def names(self) -> list[str | None]:
        return [request.rqi for request in self.got]


class Post:
    """An outbox with its courier."""

    def __init__(self, outbox: Outbox, policy: Policy, inside: Callable[[Notice, Request], Awaitable[Response] | None]) -> None:
        self.outbox = outbox
        self.sender = HttpSender()
        self.driver = Driver(outbox, outbox.store, {"http": self.sender}, deliver=lambda notices: self.courier.offer(notices), clock=time.time)
        self.courier = Courier(
            outbox.store,
            route=outbox.route,
            opens=lambda target: outbox.opens.get(target, 0.0),
            rescheduled=lambda: outbox.schedules,
            missed=self.missed,
            send=self.driver.send,
            settle=self.settle,
            policy=policy,
            release="4",
            clock=time.time,
            random=lambda: 0.5,
            inside=inside,
        )

    async def missed(self, target: str) -> None:
        self.outbox.missed.append(target)
        await self.driver.write(lambda: self.outbox.miss(target))

    def reschedule(self, target: str, opens: float) -> None:
        """Let a target have another schedule."""
        self.outbox.opens[target] = opens
        self.outbox.schedules += 1

    async def settle(self, outcomes: Sequence[tuple[Notice, bool]]) -> bool:
        done = await self.driver.settle(outcomes)
        async with self.outbox.settled:
            self.outbox.settled.notify_all()
        return done

    async def put(self, *names: str, to: str, **more: Any) -> list[Notice]:
        """Commit notices to a target."""

        def work() -> list[Notice]:
            with self.outbox.store.transaction() as transaction:
                common: dict[str, Any] = {"created": time.time(), "subscription": "sub1"} | more
                return [transaction.enqueue(Notice(to, name, "/id-in", {"m2m:sgn": {"sur": name}}, **common)) for name in names]

        return await self.driver.write(work)

    async def until(self, **outcomes: bool) -> None:
        """Wait until exactly these notices were settled so, in this order per target, and none is left."""
        async with asyncio.timeout(30), self.outbox.settled:
            await self.outbox.settled.wait_for(lambda: len(self.outbox.outcomes) >= len(outcomes))
        assert dict(self.outbox.outcomes) == outcomes
        assert len(self.outbox.outcomes) == len(outcomes)


@asynccontextmanager
async def posting(
    policy: Policy = QUICK, outbox: Outbox | None = None, inside: Callable[[Notice, Request], Awaitable[Response] | None] = lambda *_: None
) -> AsyncIterator[Post]:
    post = Post(outbox or Outbox(), policy, inside)
    await post.courier.load()
    try:
        yield post
    finally:
        await post.courier.close(5.0)
        await post.driver.close()
        await post.sender.close()


@asynccontextmanager
async def listening() -> AsyncIterator[Target]:
    target = Target()
    listener = await serve(target.answer, "127.0.0.1", 0)
    target.url = f"http://127.0.0.1:{listener.address[1]}/inbox"
    try:
        yield target
    finally:
        await listener.close(0.1)


@pytest.fixture
async def target() -> AsyncIterator[Target]:
    async with listening() as found:
        yield found


@pytest.fixture
def dead() -> str:
    """A URL where nobody listens."""
    with socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}/"


async def test_a_notification_arrives_as_the_subscription_wrote_it(target: Target) -> None:
    async with posting() as post:
        await post.put("n1", to=target.url, ec=3)
        await post.until(n1=True)
        assert post.outbox.store.notices() == []
    [got] = target.got
    assert (got.op, got.fr, got.rqi, got.rvi, got.ec) == (Operation.NOTIFY, "/id-in", "n1", "4", 3)
    assert got.pc == {"m2m:sgn": {"sur": "n1"}}


async def test_order_is_kept_per_target_in_bounded_memory(target: Target) -> None:
    opened = asyncio.Event()

    async def reply(_: Request) -> RSC:
        await opened.wait()
        return RSC.OK

    target.reply = reply
    async with posting(replace(QUICK, memory=3)) as post:
        names = [f"n{number}" for number in range(40)]
        for name in names[:20]:
            await post.put(name, to=target.url)
        await target.arrived.wait()
        opened.set()
        for name in names[20:]:
            await post.put(name, to=target.url)
        await post.until(**dict.fromkeys(names, True))
    assert target.names == names


async def test_what_is_offered_after_it_was_read_from_the_store_is_not_delivered_twice(target: Target) -> None:
    async with posting() as post:
        read = await post.put("n1", "n2", to=target.url)
        post.courier.offer(read)
        await post.put("n3", to=target.url)
        await post.until(n1=True, n2=True, n3=True)
    assert target.names == ["n1", "n2", "n3"]


async def test_a_dead_target_and_a_hanging_one_harm_no_other(target: Target, dead: str) -> None:
    async with listening() as hanging:
        never = asyncio.Event()
        hanging.reply = lambda _: never.wait()
        async with posting() as post:
            await post.put("d1", "d2", to=dead)
            await post.put("h1", "h2", to=hanging.url)
            await hanging.arrived.wait()
            await post.put("n1", "n2", to=target.url)
            await post.until(n1=True, n2=True)
            assert [notice.rqi for notice in post.outbox.store.notices()] == ["d1", "d2", "h1", "h2"]
            never.set()


@pytest.mark.parametrize("code", [RSC.INTERNAL_SERVER_ERROR, RSC.TARGET_NOT_REACHABLE, RSC.REQUEST_TIMEOUT, RSC.EXTERNAL_OBJECT_NOT_REACHABLE])
async def test_a_target_in_trouble_gets_the_same_notification_again_and_its_successors_wait(target: Target, code: RSC) -> None:
    answers = iter([code, code, RSC.OK, code, RSC.OK])
    target.reply = lambda _: next(answers)
    async with posting() as post:
        await post.put("n1", "n2", to=target.url)
        await post.until(n1=True, n2=True)
    assert target.names == ["n1", "n1", "n1", "n2", "n2"]


async def test_a_target_that_answers_nonsense_gets_it_again() -> None:
    answers = iter([b"HTTP/1.1 200 OK\r\nX-M2M-RSC: yes\r\nContent-Length: 0\r\n\r\n", b"what?\r\n\r\n", b"HTTP/1.1 204 No Content\r\n\r\n"])

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(next(answers))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server, posting() as post:
        await post.put("n1", to=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
        await post.until(n1=True)
    assert next(answers, None) is None


async def test_a_notification_that_is_refused_is_given_up_at_once_and_the_next_has_its_turn(target: Target, caplog: pytest.LogCaptureFixture) -> None:
    target.reply = lambda request: RSC.OK if request.rqi == "n2" else RSC.ORIGINATOR_HAS_NO_PRIVILEGE
    async with posting() as post:
        await post.put("n1", "n2", to=target.url)
        await post.until(n1=True, n2=True)  # both were answered
    assert target.names == ["n1", "n2"]
    [line] = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert target.url in line
    assert "sub1" in line
    assert "4103" in line


async def test_attempts_are_limited_where_the_policy_says_so(dead: str, caplog: pytest.LogCaptureFixture) -> None:
    async with posting(replace(QUICK, max_attempts=2)) as post:
        await post.put("n1", "n2", to=dead)
        await post.until(n1=False, n2=False)
    assert f"notifications to {dead} wait" in caplog.text
    assert f"gave up notifying {dead} for sub1: 5103" in caplog.text


async def test_what_is_too_old_is_given_up_when_its_target_fails_but_not_before_it_was_tried(target: Target, dead: str) -> None:
    old = time.time() - 2 * QUICK.max_age
    async with posting() as post:
        await post.put("d1", "d2", to=dead, created=old)
        await post.put("d3", to=dead)
        await post.put("n1", to=target.url, created=old)
        await post.until(d1=False, d2=False, n1=True)
        assert [notice.rqi for notice in post.outbox.store.notices()] == ["d3"]


def test_the_pause_grows_to_its_longest_and_is_spread() -> None:
    policy = Policy(first_retry=1.0, retry_factor=2.0, longest_retry=60.0, jitter=0.25)
    assert [policy.pause(failures, 0.5) for failures in (1, 2, 3, 6, 7, 10_000)] == [1.0, 2.0, 4.0, 32.0, 60.0, 60.0]
    assert policy.pause(1, 0.0) == 0.75
    assert policy.pause(1, 0.75) == 1.125


async def test_what_an_earlier_process_left_is_delivered_first(target: Target, dead: str) -> None:
    outbox = Outbox()
    outbox.routes["Cae"] = (dead,)
    async with posting(outbox=outbox) as post:
        await post.put("n1", "n2", to="Cae")
    assert [notice.rqi for notice in outbox.store.notices()] == ["n1", "n2"]
    outbox.routes["Cae"] = (target.url,)
    async with posting(outbox=outbox) as post:
        await post.put("n3", to="Cae")
        await post.until(n1=True, n2=True, n3=True)
    assert target.names == ["n1", "n2", "n3"]


async def test_a_large_outbox_is_delivered_once_each_however_fast_the_targets_are() -> None:
    outbox, sent, empty = Outbox(), list[tuple[str, str | None]](), asyncio.Event()
    with outbox.store.transaction() as transaction:
        for number in range(2500):
            transaction.enqueue(Notice(f"http://{number % 3}/", f"n{number}", "/id-in", {"m2m:sgn": {}}, created=time.time()))
    commit(outbox.store)

    async def send(call: Call, _: float) -> Response:
        sent.append((call.request.to, call.request.rqi))
        return Response(RSC.OK, call.request.rqi)

    async def settle(outcomes: Sequence[tuple[Notice, bool]]) -> bool:
        outbox.settle(outcomes)
        commit(outbox.store)
        if not outbox.store.notices():
            empty.set()
        return True

    courier = Courier(outbox.store, route=outbox.route, send=send, settle=settle, policy=QUICK, release="4", clock=time.time, random=lambda: 0.5)
    await courier.load()
    await empty.wait()
    await courier.close(20)
    assert len(sent) == len(set(sent))
    for target in range(3):
        assert [name for to, name in sent if to == f"http://{target}/"] == [f"n{number}" for number in range(target, 2500, 3)]


async def test_closing_waits_for_the_delivery_under_way_and_leaves_the_rest(target: Target) -> None:
    closing = asyncio.Event()

    async def reply(_: Request) -> RSC:
        await closing.wait()
        return RSC.OK

    target.reply = reply
    outbox = Outbox()
    async with posting(outbox=outbox) as post:
        await post.put("n1", "n2", to=target.url)
        await target.arrived.wait()
        asyncio.get_running_loop().call_soon(closing.set)
    assert target.names == ["n1"]
    assert [notice.rqi for notice in outbox.store.notices()] == ["n2"]


async def test_a_notice_that_was_replaced_while_its_target_was_away_is_not_sent_any_more(target: Target) -> None:
    replaced = asyncio.Event()

    async def reply(_: Request) -> RSC:
        if not replaced.is_set():
            await replaced.wait()
            return RSC.INTERNAL_SERVER_ERROR
        return RSC.OK

    target.reply = reply
    async with posting() as post:
        first, second = await post.put("n1", "n2", to=target.url)
        await target.arrived.wait()

        def drop() -> None:
            with post.outbox.store.transaction() as transaction:
                transaction.drop([first.id, second.id])

        await post.driver.write(drop)
        await post.put("n3", to=target.url)
        replaced.set()
        await post.until(n3=True)
    assert target.names == ["n1", "n3"]


async def test_a_target_without_an_address_is_served_as_soon_as_it_has_one(target: Target) -> None:
    async with posting() as post:
        post.outbox.routes = defaultdict(tuple)
        await post.put("n1", to="Cae")
        post.outbox.routes["Cae"] = (target.url,)
        await post.until(n1=True)


async def test_a_notice_is_not_delivered_before_it_is_due(target: Target) -> None:
    moments: list[float] = []

    def reply(_: Request) -> RSC:
        moments.append(time.time())
        return RSC.OK

    target.reply = reply
    async with posting() as post:
        due = time.time() + 0.1
        await post.put("n1", to=target.url, due=due)
        await post.put("n2", to=target.url)
        await post.until(n1=True, n2=True)
    assert target.names == ["n1", "n2"]
    assert moments[0] >= due


async def test_many_deliveries_leave_the_outbox_in_few_transactions_even_when_it_refuses_at_first(target: Target) -> None:
    async with posting(replace(QUICK, settle_delay=30.0, settle_batch=50)) as post:
        post.outbox.faults = 1
        names = [f"n{number}" for number in range(100)]
        await post.put(*names, to=target.url)
        async with asyncio.timeout(30):
            while len(target.got) < 100:
                target.arrived.clear()
                await target.arrived.wait()
    assert target.names == names
    assert sorted(post.outbox.outcomes) == sorted((name, True) for name in names)


async def test_a_store_that_cannot_be_read_for_a_while_strands_no_notification(target: Target, caplog: pytest.LogCaptureFixture) -> None:
    async with posting() as post:
        post.outbox.unread = 3
        await post.put("1", "2", to=target.url)
        await post.until(**{"1": True, "2": True})
    assert target.names == ["1", "2"]
    assert [record.getMessage() for record in caplog.records] == [f"notifications to {target.url} wait: the store cannot be read: no disk"]


async def test_forgetting_drops_all_that_waits(target: Target, dead: str) -> None:
    async with posting() as post:
        await post.put("d1", to=dead)
        post.courier.forget()
        post.outbox.store.reset()
        await post.put("n1", to=target.url)
        await post.until(n1=True)


# Targets that are closed by their schedule


def closing(target: Target) -> Said:
    """Wait for the courier to find a target closed."""
    return Said("bindings.courier", f"notifications to {target.url} wait: it is closed by its schedule")


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> None:
    """Let the courier say what is no trouble too."""
    caplog.set_level(logging.INFO)


async def shut(post: Post, target: Target, *names: str) -> None:
    """Put notices to a target that is closed, and wait until the courier has found out."""
    post.outbox.opens[target.url] = float("inf")
    with closing(target) as log:
        await post.put(*names, to=target.url)
        await log.heard()


@pytest.mark.usefixtures("told")
async def test_a_closed_target_is_not_tried_before_schedules_change(target: Target) -> None:
    async with posting(replace(QUICK, max_attempts=1)) as post:
        await shut(post, target, "n1", "n2")
        await post.put("n3", to=target.url)
        assert target.got == []
        post.reschedule(target.url, 0.0)
        await post.until(n1=True, n2=True, n3=True)
    assert target.names == ["n1", "n2", "n3"]


async def test_a_closed_target_is_served_when_it_opens(target: Target) -> None:
    moments: list[float] = []

    def reply(_: Request) -> RSC:
        moments.append(time.time())
        return RSC.OK

    target.reply = reply
    async with posting() as post:
        post.outbox.opens[target.url] = opens = time.time() + 0.2
        await post.put("n1", "n2", to=target.url)
        await post.until(n1=True, n2=True)
    assert target.names == ["n1", "n2"]
    assert moments[0] >= opens


@pytest.mark.usefixtures("told")
async def test_a_closed_target_harms_no_other(target: Target) -> None:
    async with listening() as closed, posting() as post:
        await shut(post, closed, "c1", "c2")
        await post.put("n1", to=target.url)
        await post.until(n1=True)
        assert [notice.rqi for notice in post.outbox.store.notices()] == ["c1", "c2"]
    assert closed.got == []


async def test_what_grows_too_old_while_its_target_is_closed_is_given_up(target: Target, caplog: pytest.LogCaptureFixture) -> None:
    async with posting(replace(QUICK, max_age=0.3)) as post:
        post.outbox.opens[target.url] = float("inf")
        await post.put("n1", to=target.url, created=time.time() - 1)
        await post.put("n2", "n3", to=target.url)
        await post.until(n1=False, n2=False, n3=False)
    assert target.got == []
    assert f"gave up notifying {target.url} for sub1: 5103 closed by its schedule" in caplog.text


@pytest.mark.usefixtures("told")
async def test_what_waits_for_a_closed_target_waits_over_a_restart(target: Target) -> None:
    outbox = Outbox()
    async with posting(outbox=outbox) as post:
        await shut(post, target, "n1")
    with closing(target) as log:
        async with posting(outbox=outbox) as post:
            await log.heard()
            assert target.got == []
            await post.put("n2", to=target.url)
            post.reschedule(target.url, 0.0)
            await post.until(n1=True, n2=True)
    assert target.names == ["n1", "n2"]


@pytest.mark.usefixtures("told")
async def test_of_what_waits_for_a_closed_target_some_may_be_dropped_when_it_opens(target: Target) -> None:
    async with posting() as post:

        def miss(to: str) -> None:
            with post.outbox.store.transaction() as transaction:
                transaction.drop([notice.id for notice in transaction.notices(target=to)][:-1])

        post.outbox.miss = miss
        await shut(post, target, "n1", "n2")
        await post.put("n3", to=target.url)
        assert post.outbox.missed == []
        post.reschedule(target.url, 0.0)
        await post.until(n3=True)
        assert post.outbox.missed == [target.url]


async def test_of_what_waits_for_a_target_that_fails_some_may_be_dropped(target: Target) -> None:
    answers = iter([RSC.TARGET_NOT_REACHABLE, RSC.OK, RSC.OK])
    target.reply = lambda _: next(answers)
    async with posting() as post:

        def miss(to: str) -> None:
            with post.outbox.store.transaction() as transaction:
                transaction.drop([notice.id for notice in transaction.notices(target=to)][:-1])

        post.outbox.miss = miss
        await post.put("n1", "n2", "n3", to=target.url)
        await post.until(n3=True)
        assert post.outbox.missed == [target.url]
    assert target.names == ["n1", "n3"]


async def test_nobody_is_asked_what_to_drop_of_a_single_notice(target: Target) -> None:
    answers = iter([RSC.TARGET_NOT_REACHABLE, RSC.OK])
    target.reply = lambda _: next(answers)
    async with posting() as post:
        await post.put("n1", to=target.url)
        await post.until(n1=True)
        assert post.outbox.missed == []


@pytest.mark.usefixtures("told")
async def test_forgetting_drops_what_waits_for_closed_targets(target: Target) -> None:
    async with posting() as post:
        await shut(post, target, "n1")
        post.courier.forget()
        post.outbox.store.reset()
        post.outbox.opens.clear()
        await post.put("n2", to=target.url)
        await post.until(n2=True)
    assert target.names == ["n2"]


class Inside(Outbox):
    """An outbox whose core takes notifications itself, out of the outbox in the same commit, and refuses some."""

    def __init__(self, **refusals: list[RSC]) -> None:
        super().__init__()
        self.refusals = refusals
        self.taken: list[str] = []
        self.emptied = asyncio.Event()

    def take(self, notice: Notice) -> Steps:
        yield Turn.WRITE
        waiting = self.refusals.get(notice.rqi)
        told = Response(waiting.pop(0) if waiting else RSC.OK, notice.rqi)
        if told.ok:
            self.taken.append(notice.rqi)
        if told.ok or refused(told):
            with self.store.transaction() as transaction:
                transaction.drop([notice.id])
        return told


@asynccontextmanager
async def hosting(outbox: Inside, policy: Policy = QUICK) -> AsyncIterator[Post]:
    """Deliver to an outbox that takes what is for ``grp1`` itself."""

    def inside(notice: Notice, request: Request) -> Awaitable[Response] | None:
        return waited(outbox, post.driver.run(outbox.take(notice), request)) if notice.target == "grp1" else None

    async with posting(policy, outbox, inside) as post:
        yield post


async def waited(outbox: Inside, told: Response | Awaitable[Response]) -> Response:
    answer = told if isinstance(told, Response) else await told
    if not outbox.store.notices():
        outbox.emptied.set()
    return answer


async def test_what_this_cse_hosts_takes_all_that_waits_in_order() -> None:
    outbox, names = Inside(), [f"n{number}" for number in range(300)]
    async with hosting(outbox, replace(QUICK, memory=20)) as post:
        for start in range(0, 300, 50):
            await post.put(*names[start : start + 50], to="grp1")
        outbox.emptied.clear()
        await post.put("last", to="grp1")
        async with asyncio.timeout(30):
            await outbox.emptied.wait()
    assert outbox.taken == [*names, "last"]


async def test_what_this_cse_refuses_is_given_up_and_what_fails_is_tried_again() -> None:
    """Each counts once: what has left the outbox with its effect does not come again."""
    outbox = Inside(n1=[RSC.BAD_REQUEST], n2=[RSC.INTERNAL_SERVER_ERROR, RSC.REQUEST_TIMEOUT])
    async with hosting(outbox) as post:
        await post.put("n0", "n1", "n2", "n3", to="grp1")
        async with asyncio.timeout(30):
            await outbox.emptied.wait()
    assert sorted(outbox.taken) == ["n0", "n2", "n3"]
