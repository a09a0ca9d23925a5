"""Many meters at once: the counts of a fleet, a small one at work, and that what goes wrong is said."""

import asyncio
import re
import sys
from collections.abc import AsyncIterator
from itertools import product
from pathlib import Path

import pytest
import pytest_asyncio

from apps.client import Notification, Resource
from apps.metering.memory import Memory as DeviceMemory
from apps.metering.scale.play import Fleet, Memory, Period, Play, fleet
from apps.metering.scale.tally import POINTS, REGISTERS, Counted, Figures, Tally, share
from apps.metering.vocabulary import KINDS, TIMERS, stamp
from apps.metering.watch import Watch
from apps.metering.world import METERS_A_SOCKET, Plan, World
from cse.codes import Operation, ResourceTypeID
from cse.codes import ResponseStatusCode as RSC
from cse.errors import TargetNotReachable
from cse.primitives import Request, Response
from tests.metering.bench import until

PERIOD = 3.0
MOMENT = 1_760_000_010.0
"""A multiple of ten seconds."""


# --- who is in a fleet ---------------------------------------------------------------------------------------------------------------------------------------


def test_a_fleet_has_all_kinds_at_each_premise_and_each_kind_over_both_protocols() -> None:
    meters = fleet(2000, 60)
    assert len({meter.name for meter in meters}) == 2000
    premises = {meter.premise for meter in meters}
    assert len(premises) == 500
    for premise in premises:
        assert sorted(meter.kind for meter in meters if meter.premise == premise) == sorted(KINDS)
    assert {(meter.kind, number % 2) for number, meter in enumerate(meters)} == set(product(KINDS, (0, 1)))
    assert {(meter.period, meter.interval) for meter in meters} == {(60, 60)}


# --- counting ------------------------------------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def tally() -> Tally:
    return Tally(10.0, lambda: MOMENT + 2.5)


def _create(to: str, ty: int, **attributes: str) -> Request:
    return Request(op=Operation.CREATE, to=to, rqi="r", ty=ty, pc={"m2m:any": attributes})


def _register(reason: str, seconds: float) -> str:
    return f'{{"readId":"M1-R1","ts":"{stamp(seconds)}","reason":"{reason}","registers":[]}}'


def test_points_and_scheduled_readings_are_counted_with_how_late_they_came(tally: Tally) -> None:
    tally.count(_create(f"cse-in/mtr-M1/{POINTS}", ResourceTypeID.TIME_SERIES_INSTANCE, dgt=stamp(MOMENT), con="{}"), Response(RSC.CREATED), 0.01)
    tally.count(_create(f"cse-in/mtr-M1/{REGISTERS}", ResourceTypeID.CONTENT_INSTANCE, con=_register("scheduled", MOMENT + 1.2)), Response(RSC.CREATED), 0.03)
    found = tally.take()
    assert (found.requests, found.creates, found.readings) == (2, 2, 2)
    assert found.behind == [2.5, 2.5]
    assert found.latencies == [0.01, 0.03]
    assert tally.due == {(POINTS, MOMENT): 1, (REGISTERS, MOMENT): 1}
    assert tally.take() == Figures()


def test_other_readings_are_written_but_were_not_due(tally: Tally) -> None:
    for reason in ("startup", "request", "final"):
        tally.count(_create(f"cse-in/mtr-M1/{REGISTERS}", ResourceTypeID.CONTENT_INSTANCE, con=_register(reason, MOMENT)), Response(RSC.CREATED), 0.01)
    assert not tally.due
    assert tally.written[f"cse-in/mtr-M1/{REGISTERS}"] == 3


def test_a_repetition_that_was_written_before_is_written_and_a_refusal_is_not(tally: Tally) -> None:
    request = _create(f"cse-in/mtr-M1/{POINTS}", ResourceTypeID.TIME_SERIES_INSTANCE, dgt=stamp(MOMENT), con="{}")
    tally.count(request, Response(RSC.CONFLICT), 0.01)
    tally.count(request, Response(RSC.ORIGINATOR_HAS_NO_PRIVILEGE), 0.01)
    assert tally.written == {f"cse-in/mtr-M1/{POINTS}": 1}
    assert tally.take().requests == 2


def test_shares() -> None:
    values = [float(number) for number in range(100, 0, -1)]
    assert (share(values, 0.5), share(values, 0.99), share(values, 1), share([], 0.5)) == (51, 100, 100, 0)


class _Slow:
    """A sender that answers when it is told to, and fails when it is to."""

    def __init__(self) -> None:
        self.under_way, self.most = 0, 0
        self.go = asyncio.Event()
        self.broken = False

    async def send(self, url: str, request: Request, timeout: float) -> Response:  # noqa: ASYNC109 - the port says so
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            await self.go.wait()
            if self.broken:
                raise TargetNotReachable("nobody is there")
            return Response(RSC.OK)
        finally:
            self.under_way -= 1

    async def close(self) -> None:
        """Have nothing to close."""


@pytest.mark.asyncio
async def test_so_many_requests_are_under_way_and_what_fails_is_not_counted(tally: Tally) -> None:
    slow = _Slow()
    sender = Counted(slow, tally, asyncio.Semaphore(3))
    request = Request(op=Operation.RETRIEVE, to="cse-in", rqi="r")
    sending = [asyncio.create_task(sender.send("http://x", request, 1.0)) for _ in range(10)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    slow.go.set()
    await asyncio.gather(*sending)
    assert slow.most == 3
    assert tally.take().requests == 10
    slow.broken = True
    with pytest.raises(TargetNotReachable):
        await sender.send("http://x", request, 1.0)
    assert tally.take().requests == 0


# --- the watcher looks at what is due, and at nothing else ---------------------------------------------------------------------------------------------------


def test_what_is_put_off_is_not_missed_and_what_is_not_put_off_is() -> None:
    now = [MOMENT]
    watch = Watch(DeviceMemory(":memory:").of("sm-watch"), lambda: now[0])
    for meter in ("M1", "M2"):
        watch.kept.put("timers", meter, TIMERS)
        watch.kept.put("reporting", meter, [{"recipient": "Crdr-1", "what": ["registers"], "period": 10.0}])
        watch.kept.put("about", f"sub-{meter}", meter)
        watch.receive("reading/new-1", _reading(meter))
    now[0] += 12
    assert watch.due(now[0]) == MOMENT + 15
    watch.receive("reading/new-1", _reading("M1"))
    now[0] = MOMENT + 15
    assert watch.due(now[0]) == MOMENT + 27
    [item] = [found for found in watch.kept.all("outbox").values() if found["target"].endswith("/alerts")]
    assert item["target"] == "cse-in/rdr-1/alerts"
    assert '"type":"reportMissing"' in item["attributes"]["con"]
    assert '"meter":"M2"' in item["attributes"]["con"]


def test_what_comes_ahead_of_the_answer_to_its_subscription_is_told_again() -> None:
    watch = Watch(DeviceMemory(":memory:").of("sm-watch"), lambda: MOMENT)
    with pytest.raises(TargetNotReachable, match="sub-M1"):
        watch.receive("reading/new-1", _reading("M1"))


def _reading(meter: str) -> Notification:
    return Notification(f"/id-in/sub-{meter}", None, Resource("x", "m2m:cin", {"con": "{}", "ri": "x"}), False, "/id-in", "r", "x")


# --- a fleet at work -----------------------------------------------------------------------------------------------------------------------------------------


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def small(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Fleet]:
    """Two premises of four meters that stand."""
    world = Fleet(Plan(Path(tmp_path_factory.mktemp("fleet")), fleet(8, PERIOD), frozenset(), simulation=False), PERIOD)
    try:
        await world.__aenter__()
        await world.watched()
        yield world
    finally:
        await world.__aexit__()


@pytest.mark.asyncio(loop_scope="module")
async def test_a_fleet_keeps_its_schedule_and_answers_groups_while_reports_come(small: Fleet) -> None:
    said: list[str] = []
    play = Play(small, PERIOD, 2)
    await play.run(said.append)
    assert play.faults == []
    assert play.sent == play.due == 2 * 8 * 2
    assert play.gaps == 0
    assert len(play.waited) == play.commanded == 8
    assert len(said) == len(play.seen) == 2
    assert small.standing == 8
    assert {small.over_coap(meter) for meter in small.plan.meters} == {True, False}
    assert all(seen.memory.meters > 0 and seen.memory.cse > 0 for seen in play.seen)
    readings = [await small.client("Cdno").latest(f"cse-in/{meter.ae}/readings/registers") for meter in small.plan.meters]
    assert all(reading.content["readId"] for reading in readings)


@pytest.mark.asyncio(loop_scope="module")
async def test_a_reading_on_request_has_the_form_of_the_scheduled_one_and_leaves_the_timetable(small: Fleet) -> None:
    dno = small.client("Cdno")
    found = await dno.retrieve("cse-in/mtr-M1/readings/registers", rcn=8)
    readings = [Resource("", "m2m:cin", one).content for one in found["m2m:cin"]]
    asked = [reading for reading in readings if reading["reason"] == "request"]
    scheduled = [reading for reading in readings if reading["reason"] == "scheduled"]
    assert len(asked) == 1
    assert all(reading.keys() == asked[0].keys() for reading in readings)
    assert [register["id"] for register in asked[0]["registers"]] == [register["id"] for register in scheduled[0]["registers"]]


@pytest.mark.asyncio(loop_scope="module")
async def test_what_a_cut_off_meter_does_not_send_is_missing_and_comes_later(small: Fleet) -> None:
    small.devices["mtr-M1"].link(False)
    play = Play(small, PERIOD, 1)
    try:
        await play.run(len)
    finally:
        small.devices["mtr-M1"].link(True)
    assert f"2 of {play.due} scheduled readings are missing" in play.faults
    [silent] = [fault for fault in play.faults if "mtr-M1" in fault]
    assert re.match(r"cse-in/mtr-M1: fleet-P1-\d+ is ", silent)

    async def there() -> bool:
        return small.tally.due[POINTS, play.moments[0]] == 8

    await until(there)


@pytest.mark.asyncio(loop_scope="module")
async def test_lateness_growth_and_what_piles_up_are_said(small: Fleet) -> None:
    play = Play(small, PERIOD, 2)
    play.seen = [
        Period(Figures(), Memory(100 << 20, 100 << 20), 0.0, 10, 0, (0.0, 0.0)),
        Period(Figures(), Memory(112 << 20, 109 << 20), 4.0, 10, 9, (0.0, 0.0)),
    ]
    play.total = Figures(behind=[4.0])
    play.gaps = 3
    assert play.wrong() == [
        "32 of 32 scheduled readings are missing",
        "the CSE has found 3 gaps",
        "a reading came 4.0 seconds after its time, later than the next one was due",
        "9 requests wait in the entities, there were 0 half way",
        "the memory of the meters has grown from 100 to 112 MB in the second half",
    ]


@pytest.mark.asyncio(loop_scope="module")
async def test_meters_over_coap_share_some_sockets(small: Fleet, tmp_path: Path) -> None:
    world = World(Plan(tmp_path, fleet(METERS_A_SOCKET * 3, PERIOD)))
    try:
        assert len({id(world.sender(True)) for _ in range(100)}) == 4
        assert len({id(world.sender(False)) for _ in range(100)}) == 1
    finally:
        world.memory.close()


# --- the command ---------------------------------------------------------------------------------------------------------------------------------------------


async def _command(*options: str) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "apps.cli", "demo", "--metering", *options, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await process.communicate()
    return process.returncode, out.decode() + err.decode()


@pytest.mark.asyncio
async def test_the_command_plays_a_fleet_and_sums_up() -> None:
    code, said = await _command("--meters", "5", "--period", "3", "--periods", "1")
    assert code == 0, said
    for line in (
        r"5 meters stand after \d+ s and \d+ requests",
        r"period 1 of 1: 10 readings, .*",
        r"meters +5, 3 over HTTP and 2 over CoAP",
        r"scheduled readings +10 of 10, \d+ a second",
        r"behind schedule +\d+\.\d s at most, .*",
        r"commands answered +5 of 5, p50 .*",
        r"latency +p50 .* ms, p99 .* ms",
        r"memory of the meters +\d+ MB, .*",
        r"memory of the CSE +\d+ MB, .*",
    ):
        assert re.search(f"^{line}$", said, re.MULTILINE), f"{line}\n{said}"
    assert "differs" not in said


@pytest.mark.asyncio
@pytest.mark.parametrize("options", [("--meters", "0"), ("--meters", "4", "--period", "0"), ("--meters", "4", "--periods", "0")])
async def test_a_fleet_of_none_is_refused(options: tuple[str, ...]) -> None:
    code, said = await _command(*options)
    assert code == 2
    assert "a fleet needs meters" in said


@pytest.mark.asyncio
@pytest.mark.parametrize("option", [("--flow", "UC11-P"), ("--all-flows",), ("--hold",)])
async def test_a_fleet_plays_no_flows(option: tuple[str, ...]) -> None:
    code, said = await _command("--meters", "4", *option)
    assert code == 2
    assert "--meters" in said


@pytest.mark.asyncio
async def test_a_fleet_whose_cse_cannot_listen_says_so() -> None:
    code, said = await _command("--meters", "4", "--http", "127.0.0.1:none")
    assert code == 1
    assert "the fleet does not stand: " in said
    assert "Traceback" not in said
