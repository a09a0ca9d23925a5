"""Equipment, demand response and collection in the held world, over sockets (use cases 6 to 8)."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from apps.client import Inbox, NotificationEventType
from apps.metering import flows
from apps.metering.flows.points import point
from apps.metering.flows.stage import Stage
from apps.metering.premises import PRESET
from apps.metering.vocabulary import State
from apps.metering.world import World
from cse.errors import OriginatorHasNoPrivilege
from tests.metering.bench import PATIENCE, until

pytestmark = pytest.mark.asyncio(loop_scope="module")

FACTS = flows.FACTS["UC07-P"]
"""Any flow: a stage needs one."""

SETPOINT, POLICIES = "cse-in/mtr-M1/generation/setpoint", "cse-in/sm-collect/policies"


async def _acknowledged(stage: Stage, want: Callable[[Mapping[str, Any]], bool]) -> Mapping[str, Any]:
    return await stage.see("consumer-P1", "mtr-M1/generation/setpoint", "the acknowledgement", lambda one: "ackBy" in one and want(one))


async def test_the_consumers_own_programme_is_acknowledged_and_followed(world: World) -> None:
    async with Stage(world, FACTS) as stage:
        for level in (3, PRESET):
            programme = {"ts": stage.at(0), "quantity": "generation", "level": level, "unit": "kW"}
            await stage.client("consumer-P1").put(SETPOINT, programme)
            ack = await _acknowledged(stage, lambda one, level=level: one["level"] == level)  # type: ignore[misc]
            assert ack["ackBy"] == "Cgen-P1-1"
            assert "cmdId" not in ack


@pytest.mark.parametrize("actor", ["dno", "eff", "bill", "asset", "esp", "rdr-1", "consumer-P2", "stranger"])
async def test_nobody_else_sets_the_equipment_directly(world: World, actor: str) -> None:
    with pytest.raises(OriginatorHasNoPrivilege):
        await world.client(f"C{actor}").put(SETPOINT, {"quantity": "generation", "level": 1, "unit": "kW"})


async def test_a_generator_that_is_off_fails_the_request_and_does_not_follow_it_later(world: World) -> None:
    async with Stage(world, FACTS) as stage:
        await stage.control("powerOff", "gen-P1-1")
        params = {"quantity": "generation", "direction": "increase", "level": 4, "unit": "kW", "start": stage.at(0), "end": stage.at(50)}
        order = await stage.command("dno", "gen", "adjust", params)
        await stage.status(order, State.FAILED, error="applyFailed")
        await stage.control("powerOn", "gen-P1-1")
        again = await stage.command("dno", "gen", "adjust", {**params, "level": 1, "end": stage.at(12)})  # retried within 5 s
        await stage.status(again, State.EXECUTED)

        async def released() -> bool:
            return world._wires["P1"].sources["gen-P1-1"] == PRESET

        await until(released)


async def test_demand_is_lowered_at_the_appliance(world: World) -> None:
    async with Stage(world, FACTS) as stage:
        await stage.client("consumer-P1").update("cse-in/dev-P1-1/powSe", {"state": True}, root="cod:binSh")
        params = {"quantity": "demand", "direction": "decrease", "level": 1, "unit": "kW", "start": stage.at(0), "end": stage.at(3)}
        order = await stage.command("dno", "gen", "adjust", params)
        await stage.status(order, State.EXECUTED)
        assert (await _acknowledged(stage, lambda one: one.get("cmdId") == order.id))["ackBy"] == "Cdev-P1-1"

        def switched(on: bool) -> Callable[[], Any]:
            async def look() -> bool:
                return (await stage.client("consumer-P1").retrieve("cse-in/dev-P1-1/powSe"))["state"] is on

            return look

        await until(switched(False))
        await until(switched(True))


async def test_power_quality_is_collected_by_policy(world: World) -> None:
    async with Stage(world, FACTS) as stage:
        policy = {"policyId": "quality", "strategy": "roundRobin", "meters": ["M1"], "what": ["pq"], "quantities": ["voltage"], "within": 10}
        await stage.client("dno").put(POLICIES, policy)
        run = await stage.see("dno", "sm-collect/runs", "the run", lambda one: one["policyId"] == "quality")
        assert (run["state"], run["missing"], run["visits"][0]["state"]) == ("complete", [], "executed")
        assert set(run["visits"][0]["result"]) == {"dgt", "evtId"}


async def test_an_event_that_runs_is_overridden_and_one_goes_on_over_a_restart_of_the_meter(world: World) -> None:
    async with Stage(world, FACTS) as stage:
        await stage.client("consumer-P1").update("cse-in/dev-P1-1/powSe", {"state": True}, root="cod:binSh")
        params = {"eventId": "E", "start": stage.at(0), "end": stage.at(40), "action": "off", "target": "dev-P1-1"}
        order = await stage.command("eff", "dr", "demandResponse", params, consent="required")
        item = await stage.item(order)
        await stage.act(item, "accept")
        await stage.status(order, State.ACCEPTED)
        await stage.control("powerOff", "M1")
        await stage.act(item, "override")
        await stage.control("powerOn", "M1")
        await stage.status(order, State.OVERRIDDEN)
        await stage.latest("consumer-P1", "dev-P1-1/acks", "the appliance on again", lambda one: one["module"] == "powSe" and one["value"] is True)


async def test_a_collection_goes_on_over_a_restart_and_says_who_is_missing(world: World) -> None:
    async with Stage(world, FACTS) as stage:
        policy = {"policyId": "both", "strategy": "roundRobin", "meters": ["M1", "M9", "M3"], "window": 3, "within": 2, "what": ["registers"]}
        await stage.client("asset").put(POLICIES, policy)
        await stage.control("powerOff", "sm-collect")
        await stage.control("powerOn", "sm-collect")
        run = await stage.see("asset", "sm-collect/runs", "the run", lambda one: one["policyId"] == "both")
        assert (run["state"], run["missing"]) == ("incomplete", ["M9"])
        assert [visit["meter"] for visit in run["visits"]] == ["M1", "M9", "M3"]
        await stage.see("asset", "asset/alerts", "the alert", lambda one: one["type"] == "reportMissing" and one["meter"] == "M9")


async def test_a_wrong_policy_is_rejected_and_a_forbidden_one_refused(world: World) -> None:
    async with Stage(world, FACTS) as stage:
        await stage.client("dno").put(POLICIES, {"policyId": "bad", "strategy": "whim", "meters": ["M1"]})
        refused = await stage.see("dno", "sm-collect/runs", "the rejection", lambda one: one["policyId"] == "bad")
        assert (refused["state"], refused["error"]["code"]) == ("rejected", "requestInvalid")
        for actor in ("bill", "eff", "esp", "rdr-1", "consumer-P1"):
            with pytest.raises(OriginatorHasNoPrivilege):
                await stage.client(actor).put(POLICIES, {"policyId": "theirs", "strategy": "roundRobin", "meters": ["M1"]})
            with pytest.raises(OriginatorHasNoPrivilege):
                await stage.client(actor).retrieve("cse-in/sm-collect/runs")


async def test_who_gets_generation_is_told_by_the_cse_of_points_that_do_not_come(world: World) -> None:
    """Use case 7, P10-A2: the missing-data notice of the series itself."""
    missing = {"net": [int(NotificationEventType.REPORT_ON_MISSING_DATA_POINTS)], "md": {"num": 1, "dur": "PT60S"}}
    wanted = {f"{name}/{series}" for name in ("dno", "eff", "bill") for series in ("readings/net", "generation/output")}
    async with Stage(world, FACTS) as stage, Inbox.http() as inbox:
        for path in wanted:
            name, _, series = path.partition("/")
            await point(stage, name, f"mtr-M1/{series}", lambda moment, content: True)
            await stage.client(name).subscribe(f"cse-in/mtr-M1/{series}", f"{inbox.url}/{path}", enc=missing, name=f"sub-{name}-missing")
        await stage.control("linkDown", "M1")
        try:
            async with asyncio.timeout(PATIENCE):
                while wanted:
                    notice = await inbox.next()
                    assert notice.resource is not None
                    assert notice.resource["mdlt"]
                    wanted.discard(notice.path.strip("/"))
        finally:
            await stage.control("linkUp", "M1")
