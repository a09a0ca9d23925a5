"""Days that pass in seconds: the clock of a world is put forward over the API, and what takes hours happens (data-model.md, section 10; requirement R07)."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio

from apps.client import Resource
from apps.metering import day, flows
from apps.metering.clock import RealClock, SimulatedClock
from apps.metering.flows.stage import Order, Stage
from apps.metering.intervals import HALF_HOUR, day_bounds, local_day
from apps.metering.vocabulary import State, stamp
from apps.metering.world import World, standing
from tests.metering.bench import until

LONDON = ZoneInfo("Europe/London")


def coming(count: int) -> date:
    """Give the next day to come that has so many half-hours in London."""
    today = datetime.now(UTC).date()
    return next(found for n in range(2, 800) if len(local_day(found := today + timedelta(days=n), LONDON)) == count)


# --- the clock -----------------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_a_clock_that_is_put_forward_wakes_who_waits_for_what_has_passed_and_nobody_else() -> None:
    clock = SimulatedClock(1_000_000.0)
    soon, later = asyncio.ensure_future(clock.wait(3600)), asyncio.ensure_future(clock.wait(7200))
    await asyncio.sleep(0)
    clock.forward(3700)
    async with asyncio.timeout(10):
        await soon
    assert not later.done()
    assert 1_003_700 <= clock.now() < 1_003_800
    later.cancel()


def test_time_does_not_go_back() -> None:
    clock = SimulatedClock(1_000_000.0)
    clock.forward(-3600)
    assert clock.now() >= 1_000_000


def test_what_the_cse_has_stamped_is_told_in_the_time_of_the_world() -> None:
    clock = SimulatedClock()
    assert clock.of(5.0) == RealClock().of(5.0) == 5.0
    clock.forward(86_400)
    assert clock.of(5.0) == 86_405.0


# --- a day of half-hours -------------------------------------------------------------------------------------------------------------------------------------


async def _runs(world: World) -> list[Mapping[str, Any]]:
    found = await world.client("Cdno").retrieve("cse-in/sm-collect/runs", rcn=8, fc={"ty": [4]})
    return [Resource("", "m2m:cin", one).content for one in found.get("m2m:cin", [])]


async def _settled(world: World, begin: float, end: float) -> list[Mapping[str, Any]]:
    """Give the entries of the settlement ledger for intervals between two times."""
    found = await world.client("Cbill").retrieve("cse-in/sm-settle/ledger", rcn=8, fc={"ty": [4]})
    entries = [Resource("", "m2m:cin", one).content for one in found.get("m2m:cin", [])]
    return [entry for entry in entries if stamp(begin) <= entry["interval"]["start"] and entry["interval"]["end"] <= stamp(end)]


@pytest.mark.asyncio
@pytest.mark.parametrize("count", [48, 46, 50])
async def test_a_day_is_collected_over_the_api_in_seconds_and_its_half_hours_sum_up(tmp_path: Path, count: int) -> None:
    """Also where the clocks change: 46 and 50 half-hours."""
    local = coming(count)
    begin, end = (bound.timestamp() for bound in day_bounds(local, LONDON))
    async with standing(day.plan(tmp_path, begin)) as world:
        series = await day.collect(world, local, LONDON)
        assert list(series.points) == list(local_day(local, LONDON))
        total = series.day(local, LONDON)
        assert (total.count, total.missing) == (count, 0)
        assert total.value > 0

        runs = sorted(await _runs(world), key=lambda run: int(run["cycle"]))
        assert [(run["cycle"], run["state"], run["missing"]) for run in runs] == [(n, "complete", []) for n in range(1, count + 1)]
        told = [(run["visits"][0]["result"]["readId"], run["visits"][0]["result"]["dgt"]) for run in runs]
        assert len({reading for reading, _ in told}) == count
        for (_, points), start in zip(told, local_day(local, LONDON), strict=True):
            assert stamp((start + HALF_HOUR).timestamp()) in points

        async def settled() -> bool:
            return len(await _settled(world, begin, end)) == count

        await until(settled)
        assert sum(Decimal(str(entry["quantity"])) for entry in await _settled(world, begin, end)) == total.value
        alerts = await world.client("Crdr-1").retrieve("cse-in/rdr-1/alerts", rcn=8, fc={"ty": [4]})
        assert not alerts.get("m2m:cin")
        assert not (await world.client("Cdno").retrieve("cse-in/mtr-M1/readings/profile")).get("mdc")


# --- what happens at an hour of the day ----------------------------------------------------------------------------------------------------------------------


@pytest_asyncio.fixture
async def midnight(tmp_path: Path) -> AsyncIterator[Stage]:
    """A world at the beginning of a day to come, UTC, seen from outside."""
    begin = (time.time() // 86_400 + 2) * 86_400
    async with standing(day.plan(tmp_path, begin)) as world, Stage(world, flows.FACTS["UC10-P"]) as stage:
        yield stage


def _hour(stage: Stage, hours: float) -> float:
    """Give a time of that day."""
    return stage.world.plan.clock.now() // 86_400 * 86_400 + hours * 3600


async def _command(stage: Stage, actor: str, kind: str, name: str, params: Mapping[str, Any]) -> Order:
    return await stage.command(actor, kind, name, params, validUntil=stamp(_hour(stage, 24)))


async def _measured(stage: Stage, moment: float) -> None:
    """Wait until the meter has written the half-hour that ends at a moment: what is due before is decided."""

    async def there() -> bool:
        found = await stage.client("dno").retrieve("cse-in/mtr-M1/readings/profile", rcn=8, fc={"ty": [30]})
        return stamp(moment) in {str(one["dgt"]) for one in found.get("m2m:tsi", [])}

    await until(there)


TARIFF = {"tariffId": "evening", "scheme": "single", "rates": [{"rateId": "flat", "price": "0.30", "currency": "EUR", "unit": "kWh"}]}


@pytest.mark.asyncio
async def test_a_tariff_for_the_evening_is_pending_until_then(midnight: Stage) -> None:
    world, six = midnight.world, _hour(midnight, 18)
    order = await _command(midnight, "bill", "tariff", "setTariff", {**TARIFF, "effective": stamp(six)})
    await midnight.status(order, State.ACCEPTED)
    await day.pass_to(world, six - 60)
    await _measured(midnight, six - 1800)
    await midnight.silent(order, State.EXECUTED)
    assert (await midnight.client("bill").latest("cse-in/mtr-M1/tariff/pending")).content["tariffId"] == "evening"
    await day.pass_to(world, six + 5)
    await midnight.status(order, State.EXECUTED)
    await midnight.latest("bill", "mtr-M1/tariff/active", "the tariff of the evening", lambda one: one["tariffId"] == "evening")


@pytest.mark.asyncio
async def test_a_disconnection_by_time_waits_for_the_end_of_the_night(midnight: Stage) -> None:
    """Two hours after the credit is used up, but in no non-disconnect window."""
    world, six = midnight.world, _hour(midnight, 6)
    for actor, kind, name, params in (
        ("bill", "tariff", "setTariff", TARIFF),
        ("asset", "config", "applySettings", {"settings": {"nonDisconnect": "220000-060000"}}),
        ("bill", "payment", "setMode", {"mode": "prepayment", "disconnectAfter": {"seconds": 7200}}),
    ):
        await midnight.status(await _command(midnight, actor, kind, name, params), State.EXECUTED)
    await day.pass_to(world, six - 60)
    await _measured(midnight, six - 1800)
    assert (await midnight.client("bill").latest("cse-in/mtr-M1/supply/state")).content["state"] == "enabled"
    await day.pass_to(world, six + 5)
    cut = await midnight.latest("bill", "mtr-M1/supply/state", "the cut", lambda one: one["state"] == "disabled")
    assert cut["cause"] == "prepayment"
    assert stamp(six) <= cut["ts"] < stamp(six + 60)


@pytest.mark.asyncio
@pytest.mark.parametrize("params", [{}, {"to": "tomorrow"}, {"seconds": "3600"}, {"seconds": -3600}, None])
async def test_what_is_no_time_passes_none(midnight: Stage, params: Any) -> None:
    began = midnight.world.plan.clock.now()
    await midnight.control("passTime", "clock", **(params or {}))
    await midnight.control("passTime", "clock", seconds=60)
    async with asyncio.timeout(30):
        await midnight.world.plan.clock.wait(began + 60 - midnight.world.plan.clock.now())
    assert began + 60 <= midnight.world.plan.clock.now() < began + 3600


# --- the command ---------------------------------------------------------------------------------------------------------------------------------------------


async def _demo(*options: str) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "apps.cli", "demo", "--metering", *options, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await process.communicate()
    return process.returncode, out.decode() + err.decode()


@pytest.mark.asyncio
async def test_the_command_plays_a_day_of_any_zone() -> None:
    code, said = await _demo("--day", f"{datetime.now(UTC).date() + timedelta(days=3)}", "--zone", "Asia/Kolkata")
    assert code == 0, said
    assert "cycle 48 of 48 is complete" in said
    assert ": 48 of 48 half-hours, " in said


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--day", "2020-01-01"), "has begun already"),
        (("--day", "tomorrow"), "is no day"),
        (("--day", "2099-01-01", "--zone", "Mars/Base"), "is no day"),
        (("--day", "2099-01-01", "--zone", "Asia/Kathmandu"), "begins between two half-hours"),
        (("--day", "2099-01-01", "--hold"), "in a world of its own"),
        (("--day", "2099-01-01", "--meters", "4"), "in a world of their own"),
    ],
)
async def test_a_day_that_cannot_be_played_is_refused(options: tuple[str, ...], words: str) -> None:
    code, said = await _demo(*options)
    assert code == 2
    assert words in said
