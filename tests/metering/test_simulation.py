"""Simulation control (data model, section 10): what happens to a meter that is off is found when it is switched on."""

import pytest

from apps.metering import flows
from apps.metering.flows.stage import Stage
from apps.metering.vocabulary import State
from apps.metering.world import World
from tests.metering.bench import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

FACTS = flows.FACTS["UC05-U"]
"""Any flow: a stage needs one."""


async def _off(world: World, stage: Stage, meter: str) -> None:
    await stage.control("powerOff", meter)

    async def off() -> bool:
        return not world.devices[f"mtr-{meter}"].on

    await until(off)


async def test_an_outage_while_a_meter_is_off_is_logged_with_both_times_when_it_is_on(world: World) -> None:
    async with Stage(world, FACTS) as stage:
        await _off(world, stage, "M1")
        lost = stage.at(0)
        await stage.control("loseSupply", "M1")
        await stage.control("restoreSupply", "M1")
        back = stage.at(0)
        await stage.control("powerOn", "M1")
        outage = await stage.see("dno", "mtr-M1/outage/log", "the outage", lambda one: one["start"] > lost)
        assert lost < outage["start"] < outage["end"] < back


async def test_a_meter_that_is_switched_on_without_supply_measures_none_until_it_is_back(world: World) -> None:
    async with Stage(world, FACTS) as stage:
        await _off(world, stage, "M1")
        await stage.control("loseSupply", "M1")
        await stage.control("powerOn", "M1")
        began = stage.at(0)
        await stage.attributes("consumer-P1", "mtr-M1/live", "no load", lambda one: one["power"] == 0)
        await stage.control("restoreSupply", "M1")
        outage = await stage.see("dno", "mtr-M1/outage/log", "the outage", lambda one: one["end"] > began)
        assert outage["start"] < began


async def test_a_meter_that_was_opened_while_it_was_off_says_so_when_it_is_on(world: World) -> None:
    async with Stage(world, FACTS) as stage:
        await _off(world, stage, "M2")
        await stage.control("setPhysical", "M2", tamper=True, battery=5, nonsense=1)
        await stage.control("powerOn", "M2")
        await stage.event("tamper", meter="M2", container="security")
        await stage.event("battery", meter="M2", container="malfunction")
        await stage.control("setPhysical", "M2", tamper=False, battery=100)


async def test_a_fault_stays_for_its_uses_though_the_meter_is_switched_off_and_on(world: World) -> None:
    async with Stage(world, FACTS) as stage:
        await stage.fault("apply", "M3", count=2)
        for _ in range(2):
            order = await stage.command("asset", "config", "applySettings", {"settings": {"label": "x"}}, meter="M3")
            await stage.status(order, State.FAILED, error="applyFailed")
            await _off(world, stage, "M3")
            await stage.control("powerOn", "M3")
        await stage.status(await stage.command("asset", "config", "applySettings", {"settings": {"label": "x"}}, meter="M3"), State.EXECUTED)


async def test_a_fault_of_a_meter_that_is_off_is_there_when_it_is_on(world: World) -> None:
    async with Stage(world, FACTS) as stage:
        await _off(world, stage, "M3")
        await stage.fault("apply", "M3", count=1)
        await stage.control("powerOn", "M3")
        order = await stage.command("asset", "config", "applySettings", {"settings": {"label": "x"}}, meter="M3")
        await stage.status(order, State.FAILED, error="applyFailed")
        await stage.status(await stage.command("asset", "config", "applySettings", {"settings": {"label": "x"}}, meter="M3"), State.EXECUTED)


async def test_a_meter_that_is_no_longer_silent_goes_on_with_what_it_was_told_meanwhile(world: World) -> None:
    async with Stage(world, FACTS) as stage:
        await stage.fault("silence", "M1")
        order = await stage.command("asset", "config", "applySettings", {"settings": {"label": "x"}})
        await stage.silent(order, State.VALIDATED)
        await stage.client("sm-test").put("cse-in/sm-test/control", {"do": "fault", "target": "M1", "params": {"name": "silence"}, "active": False})
        await stage.status(order, State.EXECUTED)


@pytest.mark.parametrize("target", ["WAN", "gateway"])
async def test_a_way_to_the_cse_that_fails_comes_back_and_what_waited_goes_out(world: World, target: str) -> None:
    async with Stage(world, FACTS) as stage:
        await stage.control("linkDown", target)
        order = await stage.command("asset", "config", "applySettings", {"settings": {"label": target}})
        await stage.silent(order, State.VALIDATED)
        await stage.control("linkUp", target)
        await stage.status(order, State.EXECUTED)
        await stage.see("rdr-1", "mtr-M2/readings/registers", "a reading", lambda one: one["ts"] > stage.began)
