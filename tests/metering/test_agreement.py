"""What the head-end sees to in the held world: a tariff for a group is in force at all members or none, and a timetable that nobody follows is noticed."""

import pytest

from apps.metering import flows
from apps.metering.flows.stage import Stage
from apps.metering.vocabulary import State
from apps.metering.world import World
from cse.errors import NotFound
from tests.metering.bench import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

FACTS = flows.FACTS["UC10-P"]

METERS = ("M1", "M2", "M3")
FLAT = {"rateId": "flat", "price": "0.25", "currency": "EUR", "unit": "unit"}


async def _active(stage: Stage, meter: str) -> str:
    try:
        found = await stage.client("bill").latest(f"cse-in/mtr-{meter}/tariff/active")
    except NotFound:
        return ""
    return str(found.content["tariffId"])


async def _set(stage: Stage, name: str) -> list[str]:
    """Set a tariff for the group and give how it ended at each meter."""
    ended = []
    for order in await stage.fan_out("bill", "grp-P1", METERS, "tariff", "setTariff", {"tariffId": name, "scheme": "single", "rates": [FLAT]}):
        done = await stage.see("bill", f"{order.place}/out", "its end", lambda one, order=order: one["cmdId"] == order.id and one["state"] != "validated")  # type: ignore[misc]
        ended.append(done["state"])
    return ended


async def test_all_meters_of_a_group_have_a_new_tariff_or_none_has(world: World) -> None:
    async with Stage(world, FACTS) as stage:
        assert await _set(stage, "T1") == ["executed"] * 3
        assert [await _active(stage, meter) for meter in METERS] == ["T1"] * 3
        await stage.fault("apply", "M2", count=1)
        assert await _set(stage, "T2") == ["failed"] * 3
        assert [await _active(stage, meter) for meter in METERS] == ["T1"] * 3
        assert (await stage.alert("bill", "error"))["meter"] in METERS


async def test_a_meter_that_is_cut_off_is_waited_for_a_short_time_and_obeys_when_it_is_back(world: World) -> None:
    async with Stage(world, FACTS) as stage:
        before = [await _active(stage, meter) for meter in METERS]
        await stage.control("linkDown", "M3")
        orders = await stage.fan_out("bill", "grp-P1", METERS, "tariff", "setTariff", {"tariffId": "T3", "scheme": "single", "rates": [FLAT]})
        for order in orders[:2]:
            failed = await stage.status(order, State.FAILED, error="applyFailed")
            assert "M3" in failed["error"]["text"]
        await stage.control("linkUp", "M3")
        await stage.status(orders[2], State.FAILED, error="applyFailed")
        assert [await _active(stage, meter) for meter in METERS] == before


async def test_a_decision_waits_for_the_head_end_to_come_back(world: World) -> None:
    async with Stage(world, FACTS) as stage:
        await world.devices["sm-watch"].power_off()
        orders = await stage.fan_out("bill", "grp-P1", METERS, "tariff", "setTariff", {"tariffId": "T4", "scheme": "single", "rates": [FLAT]})
        for order in orders:
            await stage.status(order, State.VALIDATED)
            await stage.silent(order, State.EXECUTED)
        world.devices["sm-watch"].power_on()
        for order in orders:
            await stage.status(order, State.EXECUTED)


async def test_a_timetable_that_a_meter_without_power_does_not_follow_is_noticed(world: World) -> None:
    async with Stage(world, FACTS) as stage:
        await stage.status(await stage.command("asset", "config", "setTimers", {"confirmWithin": 2}), State.EXECUTED)
        params = {"entryId": f"off-{stage.began}", "at": stage.at(1.5), "target": "dev-P1-1", "action": "on", "notify": ["Cbill"]}
        await stage.status(await stage.command("asset", "config", "setSchedule", params), State.EXECUTED)
        await stage.control("powerOff", "M1")

        for name in ("asset", "bill"):
            alert = await stage.see(name, f"{name}/alerts", "the alert", lambda one: one["type"] == "noConfirmation" and one["cmdId"] == params["entryId"])
            assert alert["meter"] == "M1"
        await stage.control("powerOn", "M1")
        failed = await stage.see("asset", "mtr-M1/cmd/device/out", "its end", lambda one: one["cmdId"] == params["entryId"] and one["state"] == "failed")
        assert failed["error"]["code"] == "interactionNotStarted"
        await until(lambda: _ready(world))
        await stage.status(await stage.command("asset", "config", "setTimers", {"confirmWithin": 15}), State.EXECUTED)


async def _ready(world: World) -> bool:
    return world.devices["mtr-M1"].ready.is_set()
