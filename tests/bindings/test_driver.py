"""The driver: answers at once what it can, makes durable before it answers, asks others, and survives what fails."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest

from bindings.driver import Driver
from bindings.ports import Sender
from cse.codes import Operation
from cse.codes import ResponseStatusCode as RSC
from cse.errors import Conflict, RequestTimeout, TargetNotReachable
from cse.primitives import INSIDE, Ask, Call, Hold, Notice, Pause, Request, Response, Steps, Turn, Work
from cse.storage import StoreError
from cse.storage.memory import MemoryStore


class Disk(MemoryStore):
    """A store whose commits wait in the thread until the test opens the gate, and can be told to fail."""

    durable = True

    def __init__(self) -> None:
        super().__init__(frozenset({4}))
        self.gate = threading.Event()
        self.gate.set()
        self.waits = threading.Event()
        self.commits = 0
        self.fault: Exception | None = None
        self.flush_fault: Exception | None = None

    def flush(self) -> None:
        if self.flush_fault is not None:
            raise self.flush_fault
        super().flush()

    def sync(self) -> None:
        self.commits += 1
        self.waits.set()
        self.gate.wait(20)
        if self.fault is not None:
            raise self.fault
        super().sync()


Procedure = Callable[[Request], Steps]


class Core:
    """A core whose procedures the test gives, by target."""

    def __init__(self, store: MemoryStore, **procedures: Procedure) -> None:
        self.store = store
        self.procedures = procedures
        self.called = asyncio.Event()
        self.dues = 0
        self.delay: float | None = None
        self.settled: list[tuple[Notice, bool]] = []
        self.following: list[Work] = []

    def handle(self, request: Request) -> Steps:
        return self.procedures[request.to.partition("/")[0]](request)

    def due(self, now: float) -> float | None:
        self.dues += 1
        with self.store.transaction() as transaction:
            transaction.remember("due", str(now))
        self.called.set()
        return self.delay

    def settle(self, outcomes: Sequence[tuple[Notice, bool]]) -> None:
        with self.store.transaction() as transaction:
            transaction.drop([notice.id for notice, _ in outcomes])
        self.settled += outcomes

    def begun(self) -> Sequence[Work]:
        begun, self.following = self.following, []
        return begun


def ok(request: Request, pc: Any = None) -> Response:
    return Response(RSC.OK, request.rqi, pc)


def read(store: MemoryStore) -> Procedure:
    """Answer with the value of the key that the target names."""

    def procedure(request: Request) -> Steps:
        return ok(request, store.value(request.to.partition("/")[2]))
        yield Turn.WRITE

    return procedure


def write(store: MemoryStore) -> Procedure:
    """Count up the key that the target names, in a write turn, and put a notice into the outbox."""

    def procedure(request: Request) -> Steps:
        yield Turn.WRITE
        key = request.to.partition("/")[2]
        with store.transaction() as transaction:
            count = int(transaction.value(key) or 0) + 1
            transaction.remember(key, str(count))
            transaction.enqueue(Notice(f"http://{key}", f"n{count}", "/id-in", {"m2m:sgn": {}}))
        return ok(request, count)

    return procedure


@contextmanager
def closed(disk: Disk) -> Iterator[None]:
    """Let no commit end within the block."""
    disk.gate.clear()
    disk.waits.clear()
    try:
        yield
    finally:
        disk.gate.set()


async def committing(disk: Disk) -> None:
    """Wait until a commit waits at the gate."""
    assert await asyncio.to_thread(disk.waits.wait, 20)


def request(to: str, rqi: str = "1") -> Request:
    return Request(Operation.RETRIEVE, to, "CAdmin", rqi, "4")


async def answer(found: Response | asyncio.Future[Response]) -> Response:
    return found if isinstance(found, Response) else await found


@asynccontextmanager
async def driving(core: Core, senders: Mapping[str, Sender] | None = None, taken: list[Notice] | None = None, **limits: Any) -> AsyncIterator[Driver]:
    notices = [] if taken is None else taken
    driver = Driver(core, core.store, senders or {}, deliver=notices.extend, clock=lambda: 1000.0, **limits)
    try:
        yield driver
    finally:
        await driver.close()


async def test_a_read_is_answered_without_waiting_for_anything() -> None:
    store = MemoryStore(frozenset())
    async with driving(Core(store, read=read(store))) as driver:
        assert driver.submit(request("read/key")) == Response(RSC.OK, "1", None)


async def test_a_write_is_answered_only_when_it_is_durable() -> None:
    disk = Disk()
    async with driving(Core(disk, write=write(disk), read=read(disk))) as driver:
        with closed(disk):
            written = driver.submit(request("write/key"))
            await committing(disk)
            assert isinstance(written, asyncio.Future)
            assert not written.done()
            assert driver.submit(request("read/key")) == Response(RSC.OK, "1", None), "reading goes on, and sees what is committed"
        assert (await answer(written)).pc == 1
        assert driver.submit(request("read/key")) == Response(RSC.OK, "1", "1")


async def test_writers_of_one_moment_share_a_commit_and_those_that_come_meanwhile_the_next() -> None:
    disk = Disk()
    async with driving(Core(disk, write=write(disk))) as driver:
        with closed(disk):
            first = [driver.submit(request("write/key", str(n))) for n in range(20)]
            await committing(disk)
            second = [driver.submit(request("write/key", str(n))) for n in range(20, 50)]
        answers = [await answer(found) for found in first + second]
        assert [found.pc for found in answers] == list(range(1, 51))
        assert [found.rqi for found in answers] == [str(n) for n in range(50)]
        assert disk.commits == 2


@pytest.mark.parametrize("durable", [True, False])
async def test_no_update_is_lost_however_small_the_commits_are(durable: bool) -> None:
    store = Disk() if durable else MemoryStore(frozenset())
    async with driving(Core(store, write=write(store)), batch=7) as driver:

        async def client(name: int) -> None:
            for turn in range(10):
                assert (await answer(driver.submit(request("write/key", f"{name}.{turn}")))).ok

        await asyncio.gather(*(client(name) for name in range(40)))
        assert store.value("key") == "400"


async def test_notices_are_handed_over_after_the_commit_in_their_order() -> None:
    disk, taken = Disk(), list[Notice]()
    async with driving(Core(disk, write=write(disk)), taken=taken) as driver:
        with closed(disk):
            waiting = [driver.submit(request("write/key")) for _ in range(3)]
            await committing(disk)
            assert not taken
        for found in waiting:
            await answer(found)
        assert [notice.rqi for notice in taken] == ["n1", "n2", "n3"]
        assert [notice.id for notice in taken] == sorted(notice.id for notice in taken)


async def test_a_writer_that_changes_nothing_needs_no_commit() -> None:
    disk = Disk()

    def refuse(_: Request) -> Steps:
        yield Turn.WRITE
        raise Conflict("the name is used")

    async with driving(Core(disk, refuse=refuse)) as driver:
        assert driver.submit(request("refuse")) == Response(RSC.CONFLICT, "1", {"m2m:dbg": "the name is used"}, rvi="4")
        assert disk.commits == 0


async def test_an_error_in_one_request_harms_no_other_and_its_trace_stays_inside(caplog: pytest.LogCaptureFixture) -> None:
    disk = Disk()

    def broken(_: Request) -> Steps:
        yield Turn.WRITE
        with disk.transaction() as transaction:
            transaction.remember("secret", "half done")
            raise KeyError("inner detail")

    async with driving(Core(disk, write=write(disk), broken=broken)) as driver:
        found = [driver.submit(request(to)) for to in ("write/key", "broken", "write/key")]
        answers = [await answer(each) for each in found]
        assert [each.rsc for each in answers] == [2000, 5000, 2000]
        assert "inner detail" not in str(answers[1])
        assert disk.value("secret") is None
        assert disk.value("key") == "2"
    assert "inner detail" in caplog.text


@pytest.mark.parametrize("moment", ["flush", "sync"])
async def test_a_commit_that_fails_is_told_to_each_of_its_requests_and_to_no_other(moment: str, caplog: pytest.LogCaptureFixture) -> None:
    disk = Disk()
    async with driving(Core(disk, write=write(disk))) as driver:
        fault = StoreError("no space left on the device")
        if moment == "sync":
            disk.fault = fault
            with closed(disk):
                failing = [driver.submit(request("write/key")) for _ in range(3)]
                await committing(disk)
                behind = driver.submit(request("write/key"))
            answers = [await answer(found) for found in failing]
            disk.fault = None
            await answer(behind)
        else:
            disk.flush_fault = fault
            answers = await asyncio.gather(*(answer(driver.submit(request("write/key"))) for _ in range(3)))
            disk.flush_fault = None
        assert {found.rsc for found in answers} == {RSC.INTERNAL_SERVER_ERROR}
        assert answers[0].pc == {"m2m:dbg": "the store refused the change: no space left on the device"}
        before = int(disk.value("key") or 0)
        assert (await answer(driver.submit(request("write/key")))).pc == before + 1, "nothing is left of the refused ones"
    assert "no space left" in caplog.text


async def test_requests_that_queue_behind_a_failing_commit_run_normally() -> None:
    disk = Disk()
    async with driving(Core(disk, write=write(disk))) as driver:
        disk.fault = StoreError("a passing fault")
        with closed(disk):
            failing = driver.submit(request("write/key"))
            await committing(disk)
            behind = driver.submit(request("write/key"))
            original = disk.discard

            def discard() -> None:
                disk.fault = None
                original()

            disk.discard = discard  # type: ignore[method-assign]
        assert (await answer(failing)).rsc == 5000
        assert (await answer(behind)).pc == 1


async def test_a_store_that_refuses_a_single_write_is_a_refusal_of_that_request() -> None:
    disk = Disk()

    def refused(_: Request) -> Steps:
        yield Turn.WRITE
        raise StoreError("read-only file")

    async with driving(Core(disk, refused=refused)) as driver:
        found = await answer(driver.submit(request("refused")))
        assert (found.rsc, found.pc) == (5000, {"m2m:dbg": "the store refused the change: read-only file"})


async def test_too_many_waiting_writers_are_refused_at_once_while_reading_goes_on() -> None:
    disk = Disk()
    async with driving(Core(disk, write=write(disk), read=read(disk)), waiting=2) as driver:
        with closed(disk):
            running = [driver.submit(request("write/key"))]
            await committing(disk)
            running += [driver.submit(request("write/key")) for _ in range(2)]
            refused = driver.submit(request("write/key"))
            assert isinstance(refused, Response)
            assert refused.rsc == RSC.INTERNAL_SERVER_ERROR
            assert isinstance(driver.submit(request("read/key")), Response)
        assert [(await answer(found)).pc for found in running] == [1, 2, 3]


async def test_a_client_that_goes_away_disturbs_nobody() -> None:
    disk = Disk()
    async with driving(Core(disk, write=write(disk))) as driver:
        with closed(disk):
            gone = driver.submit(request("write/key"))
            stays = driver.submit(request("write/key"))
            await committing(disk)
            late = driver.submit(request("write/key"))
            for found in (gone, late):
                assert isinstance(found, asyncio.Future)
                found.cancel()
        assert (await answer(stays)).pc == 2
        assert await driver.drain(20)
        assert disk.value("key") == "3", "what was accepted is done"


class Peer:
    """Another CSE: keeps what it was sent, and answers as the test wants."""

    def __init__(self, reply: Callable[[str, Request], Response | Exception] | None = None, meet: asyncio.Barrier | None = None) -> None:
        self.reply = reply or (lambda _, request: ok(request))
        self.meet = meet
        self.sent: list[str] = []

    async def send(self, url: str, request: Request, timeout: float) -> Response:  # noqa: ASYNC109 - the port says so
        self.sent.append(url)
        if self.meet is not None:
            await self.meet.wait()
        found = self.reply(url, request)
        if isinstance(found, Exception):
            raise found
        return found

    async def close(self) -> None:
        pass


def asking(*calls: Call, seconds: float = 20.0) -> Procedure:
    def procedure(request: Request) -> Steps:
        answers = yield Ask(calls, seconds)
        return ok(request, [(int(found.rsc), found.rqi) for found in answers])

    return procedure


def call(name: str, *urls: str) -> Call:
    return Call(request(name, name), urls)


async def test_what_is_asked_goes_out_at_the_same_time_and_is_answered_in_order() -> None:
    peer = Peer(meet=asyncio.Barrier(3))
    core = Core(MemoryStore(frozenset()), ask=asking(*(call(name, f"http://{name}/") for name in "abc")))
    async with driving(core, {"http": peer}) as driver:
        assert (await answer(driver.submit(request("ask")))).pc == [(2000, "a"), (2000, "b"), (2000, "c")]


async def test_points_of_access_are_tried_in_their_order_until_one_answers() -> None:
    peer = Peer(lambda url, request: TargetNotReachable("refused") if "dead" in url else ok(request))
    core = Core(MemoryStore(frozenset()), ask=asking(call("a", "mqtt://x", "http://dead/", "http://alive/", "http://other/")))
    async with driving(core, {"http": peer}) as driver:
        assert (await answer(driver.submit(request("ask")))).pc == [(2000, "a")]
    assert peer.sent == ["http://dead/", "http://alive/"]


@pytest.mark.parametrize(
    ("failure", "code"),
    [(TargetNotReachable("refused"), 5103), (RequestTimeout("silent"), 4008), (TimeoutError(), 4008), (ZeroDivisionError(), 5103)],
)
async def test_every_failure_of_a_call_is_an_answer_to_the_core(failure: Exception, code: int) -> None:
    core = Core(MemoryStore(frozenset()), ask=asking(call("a", "http://a/"), call("b"), call("c", "http://c/")))
    peer = Peer(lambda url, request: ok(request) if url == "http://c/" else failure)
    async with driving(core, {"http": peer}) as driver:
        assert (await answer(driver.submit(request("ask")))).pc == [(code, "a"), (5103, "b"), (2000, "c")]


async def test_the_deadline_of_what_is_asked_holds_for_a_peer_that_hangs_and_for_those_not_yet_sent() -> None:
    peer = Peer(meet=asyncio.Barrier(5))
    core = Core(MemoryStore(frozenset()), ask=asking(call("a", "http://a/"), call("b", "http://b/"), seconds=0.05))
    async with driving(core, {"http": peer}, calls=1) as driver:
        assert (await answer(driver.submit(request("ask")))).pc == [(4008, "a"), (4008, "b")]
    assert peer.sent == ["http://a/"]


async def test_what_a_request_wrote_is_durable_before_it_asks_and_after_the_answer_it_may_write_again() -> None:
    disk = Disk()
    seen: list[tuple[str | None, int]] = []

    def reply(_: str, request: Request) -> Response:
        seen.append((disk.value("state"), disk.commits))
        return ok(request)

    def procedure(request: Request) -> Steps:
        for state in ("asking", "done"):
            yield Turn.WRITE
            with disk.transaction() as transaction:
                transaction.remember("state", state)
            if state == "asking":
                yield Ask((call("a", "http://a/"),), 20)
        return ok(request)

    async with driving(Core(disk, both=procedure), {"http": Peer(reply)}) as driver:
        assert (await answer(driver.submit(request("both")))).ok
    assert seen == [("asking", 1)]
    assert (disk.value("state"), disk.commits) == ("done", 2)


def holding(store: MemoryStore, *keys: str) -> Procedure:
    """Hold the keys one after the other with a question after each, then append the request identifier to a value."""

    def procedure(request: Request) -> Steps:
        for key in keys:
            yield Hold(key)
            yield Ask((call(request.rqi or "", "http://a/"),), 20)
        yield Turn.WRITE
        with store.transaction() as transaction:
            transaction.remember("order", (transaction.value("order") or "") + (request.rqi or ""))
        return ok(request)

    return procedure


async def test_a_request_waits_for_the_one_that_holds_the_same_key_and_no_other() -> None:
    store, opened, asked = MemoryStore(frozenset()), asyncio.Event(), asyncio.Event()

    class Slow(Peer):
        async def send(self, url: str, request: Request, timeout: float) -> Response:  # noqa: ASYNC109 - the port says so
            self.sent.append(request.rqi or "")
            asked.set()
            if request.rqi == "1":
                await opened.wait()
            return ok(request)

    peer = Slow()
    core = Core(store, held=holding(store, "a"), other=holding(store, "b"))
    async with driving(core, {"http": peer}) as driver:
        first, second = driver.submit(request("held", "1")), driver.submit(request("held", "2"))
        await asked.wait()
        assert (await answer(driver.submit(request("other", "3")))).ok
        assert peer.sent == ["1", "3"], "the second of the same key has not even asked"
        opened.set()
        assert (await answer(first)).ok
        assert (await answer(second)).ok
        assert (await answer(driver.submit(request("held", "4")))).ok, "the key is free again"
    assert store.value("order") == "3124"


async def test_requests_that_hold_several_keys_do_not_wait_for_each_other_for_ever() -> None:
    store = MemoryStore(frozenset())
    core = Core(store, one=holding(store, "a", "b"), two=holding(store, "b", "a"))
    async with driving(core, {"http": Peer(meet=asyncio.Barrier(2))}) as driver:
        async with asyncio.timeout(20):
            both = await asyncio.gather(*(answer(driver.submit(request(name, name))) for name in ("one", "two")))
        assert all(found.ok for found in both)


async def test_a_request_whose_commit_fails_does_not_ask() -> None:
    disk, peer = Disk(), Peer()

    def procedure(request: Request) -> Steps:
        yield Turn.WRITE
        with disk.transaction() as transaction:
            transaction.remember("state", "asking")
        yield Ask((call("a", "http://a/"),), 20)
        return ok(request)

    async with driving(Core(disk, both=procedure), {"http": peer}) as driver:
        disk.fault = StoreError("the disk is gone")
        assert (await answer(driver.submit(request("both")))).rsc == 5000
    assert peer.sent == []


async def test_work_of_this_process_runs_in_a_write_turn_and_tells_its_failures() -> None:
    disk = Disk()

    def work() -> str:
        with disk.transaction() as transaction:
            transaction.remember("key", "value")
        return "done"

    def fail() -> str:
        raise ValueError("no")

    async with driving(Core(disk)) as driver:
        with closed(disk):
            first, second = driver.write(work), driver.write(fail)
            await committing(disk)
            assert not first.done()
        assert await first == "done"
        with pytest.raises(ValueError, match="no"):
            await second
        disk.fault = StoreError("full")
        with pytest.raises(StoreError):
            await driver.write(work)


async def test_settling_reports_whether_the_outbox_took_it(caplog: pytest.LogCaptureFixture) -> None:
    disk, taken = Disk(), list[Notice]()
    core = Core(disk, write=write(disk))
    async with driving(core, taken=taken) as driver:
        await answer(driver.submit(request("write/key")))
        disk.fault = StoreError("full")
        assert not await driver.settle([(taken[0], True)])
        assert disk.notices() == taken
        disk.fault = None
        assert await driver.settle([(taken[0], True)])
        assert disk.notices() == []
    assert "a commit of 1 requests failed; others that follow are not told: full" in caplog.text


async def test_the_core_does_what_is_due_when_it_said_and_when_woken() -> None:
    store = MemoryStore(frozenset())
    core = Core(store)
    core.delay = 0.0
    async with driving(core) as driver:
        timers = asyncio.create_task(driver.timers())
        for _ in range(3):
            await core.called.wait()
            core.called.clear()
        core.delay = 1e9
        await core.called.wait()
        core.called.clear()
        driver.wake()
        await core.called.wait()
        assert store.value("due") == "1000.0"
        timers.cancel()
        await asyncio.gather(timers, return_exceptions=True)


async def test_the_timers_outlive_a_store_that_fails(caplog: pytest.LogCaptureFixture) -> None:
    disk = Disk()
    core = Core(disk)
    async with driving(core) as driver:
        disk.fault = StoreError("full")
        timers = asyncio.create_task(driver.timers())
        await core.called.wait()
        assert await driver.drain(20)
        disk.fault = None
        core.called.clear()
        driver.wake()
        await core.called.wait()
        timers.cancel()
        await asyncio.gather(timers, return_exceptions=True)
    assert "what was due could not be done: full" in caplog.text


async def test_exclusive_work_waits_for_the_commit_and_lets_writers_wait() -> None:
    disk = Disk()

    async with driving(Core(disk, write=write(disk), read=read(disk))) as driver:
        with closed(disk):
            before = driver.submit(request("write/key"))
            await committing(disk)
            work = asyncio.create_task(driver.exclusive(disk.reset))
            await asyncio.sleep(0)
            after = driver.submit(request("write/key"))
        await work
        assert (await answer(before)).pc == 1
        assert (await answer(after)).pc == 1, "it ran after the store was emptied"
        assert driver.submit(request("read/key")) == Response(RSC.OK, "1", "1")


async def test_draining_waits_for_all_that_is_on_its_way_but_not_for_ever() -> None:
    disk = Disk()
    core = Core(disk, write=write(disk), ask=asking(call("a", "http://a/")))
    meet = asyncio.Barrier(2)
    async with driving(core, {"http": Peer(meet=meet)}) as driver:
        written, asked = driver.submit(request("write/key")), driver.submit(request("ask"))
        assert not await driver.drain(0.05), "the peer has not answered"
        await meet.wait()
        assert await driver.drain(20)
        assert isinstance(written, asyncio.Future)
        assert isinstance(asked, asyncio.Future)
        assert written.done()
        assert asked.done()


async def test_closing_gives_up_what_is_still_asked(caplog: pytest.LogCaptureFixture) -> None:
    core = Core(MemoryStore(frozenset()), ask=asking(call("a", "http://a/")))
    async with driving(core, {"http": Peer(meet=asyncio.Barrier(2))}) as driver:
        asked = driver.submit(request("ask"))
    assert isinstance(asked, asyncio.Future)
    assert (await asked).rsc == 5000
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_a_call_to_what_this_cse_hosts_is_answered_inside_and_does_not_wait_for_its_own_end() -> None:
    """In its own name, durably, and beside the bound of calls: what is handled inside may ask in turn."""
    disk, seen = Disk(), list[Request]()

    def outer(request: Request) -> Steps:
        (told,) = yield Ask((Call(Request(Operation.NOTIFY, "inner/x", "/id-in", "2", "4"), (INSIDE,)),), 20)
        return ok(request, told.pc)

    def inner(request: Request) -> Steps:
        seen.append(request)
        (told,) = yield Ask((Call(Request(Operation.NOTIFY, "write/key", "/id-in", "3", "4"), (INSIDE,)),), 20)
        return ok(request, told.pc)

    async with driving(Core(disk, outer=outer, inner=inner, write=write(disk)), calls=1) as driver:
        assert [found.pc for found in await asyncio.gather(*(answer(driver.submit(request("outer/x", str(n)))) for n in range(5)))] == [1, 2, 3, 4, 5]
        assert disk.value("key") == "5"
        assert (await driver.send(Call(Request(Operation.NOTIFY, "write/key", "/id-in", "4", "4"), (INSIDE,)), 20)).pc == 6
    assert all(found.peer.internal for found in seen)


# --- work beside the requests ----------------------------------------------------------------------------------------------------------------------------


def beginning(core: Core, work: Work) -> Procedure:
    """Write, and have work begun once that is durable."""

    def procedure(request: Request) -> Steps:
        yield Turn.WRITE
        with core.store.transaction() as transaction:
            transaction.remember("accepted", "yes")
        core.following.append(work)
        return ok(request)

    return procedure


async def test_work_begins_when_what_began_it_is_durable() -> None:
    disk, done = Disk(), asyncio.Event()
    seen: list[str | None] = []

    def work() -> Steps:
        seen.append(disk.value("accepted"))
        yield Pause(0.0)
        yield Turn.WRITE
        with disk.transaction() as transaction:
            transaction.remember("done", "yes")
        done.set()
        return Response(RSC.OK)

    core = Core(disk)
    core.procedures["begin"] = beginning(core, work)
    async with driving(core) as driver:
        with closed(disk):
            future = driver.submit(request("begin"))
            await committing(disk)
            assert seen == []
        assert (await answer(future)).rsc == RSC.OK
        async with asyncio.timeout(20):
            await done.wait()
        assert seen == ["yes"]
        assert await driver.drain(20)
    assert disk.value("done") == "yes"


async def test_what_could_not_be_committed_begins_nothing() -> None:
    disk = Disk()
    begun: list[str] = []

    def work() -> Steps:
        begun.append("no")
        return Response(RSC.OK)
        yield Turn.WRITE

    core = Core(disk)
    core.procedures["begin"] = beginning(core, work)
    async with driving(core) as driver:
        disk.fault = StoreError("disk full")
        assert (await answer(driver.submit(request("begin")))).rsc == RSC.INTERNAL_SERVER_ERROR
        disk.fault = None
        assert await driver.write(lambda: "nothing") == "nothing"
    assert begun == []


async def test_work_whose_commit_fails_is_begun_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bindings.driver._AGAIN", 0.0)
    disk, tries, again = Disk(), list[int](), asyncio.Event()

    def work() -> Steps:
        yield Turn.WRITE
        with disk.transaction() as transaction:
            transaction.remember("done", "yes")
        disk.fault = None if tries else StoreError("disk full")
        tries.append(1)
        if len(tries) == 2:
            again.set()
        return Response(RSC.OK)

    async with driving(Core(disk)) as driver:
        driver.begin(work)
        async with asyncio.timeout(20):
            await again.wait()
        assert await driver.drain(20)
    assert disk.value("done") == "yes"


async def test_many_requests_in_progress_make_it_busy() -> None:
    core = Core(MemoryStore(frozenset()))

    def waits(request: Request) -> Steps:
        yield Pause(3600.0)
        return ok(request)

    core.procedures["wait"] = waits
    async with driving(core, flexible=2) as driver:
        futures = [driver.submit(request("wait"))]
        assert not driver.busy()
        futures.append(driver.submit(request("wait")))
        assert driver.busy()
    assert [(await answer(future)).rsc for future in futures] == [RSC.INTERNAL_SERVER_ERROR] * 2, "it stops, and says so"
