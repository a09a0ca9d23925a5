"""Campaigns over a group of meters, and packages that lie elsewhere, in a world of real sockets."""

import asyncio
import base64
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from apps.cli import app
from apps.client import AccessControlOperation as May
from apps.client import allow
from apps.metering.campaign import Campaign, CampaignFault, Phase, Plan, Stage
from apps.metering.flows import FACTS
from apps.metering.flows import stage as player
from apps.metering.packages import carried
from apps.metering.rollout import Rollout, Runner, members
from apps.metering.vocabulary import State
from apps.metering.world import ADMIN, World
from tests.metering.bench import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

METERS = ("M1", "M2", "M3")


async def package(world: World, number: int) -> Mapping[str, Any]:
    """Give one of the packages that may be ordered: 0 to 2 for software, 3 to 5 for firmware."""
    async with stage(world) as found:
        offers = await found.instances("sm-test", "sm-test/packages", "20000101T000000")
        return offers[number]


def stage(world: World) -> player.Stage:
    """Give a stage; the flow is that of maintenance."""
    return player.Stage(world, FACTS["UC02-M"])


def runner(world: World, rollout: Rollout, path: Path, lines: list[str] | None = None) -> Runner:
    """Give who runs a campaign as asset."""
    return Runner(world.client("Casset"), rollout, path, world.plan.clock, (lines if lines is not None else []).append)


def plan(name: str, **more: Any) -> Plan:
    """Plan a campaign over the group, M1 being the canary."""
    return Plan(name, METERS, **{"canary": 0.3, "abort": 0.0, "patience": 60.0, **more})


async def versions(world: World, part: str) -> list[str]:
    """Give what runs on the meters of the group."""
    client = world.client("Casset")
    return [str((await client.retrieve(f"cse-in/nod-{meter}/{part}"))["vr"]) for meter in METERS]


async def test_packages_to_order_from_have_distinct_versions_and_are_the_harness_own(world: World) -> None:
    async with stage(world) as found:
        offers = await found.instances("sm-test", "sm-test/packages", "20000101T000000")
    assert len({(one["type"], one["params"]["version"]) for one in offers}) == 6
    assert all(carried(one["params"]["url"]) for one in offers)


async def test_a_campaign_updates_every_meter_of_the_group_the_canary_first(world: World, tmp_path: Path) -> None:
    assert await members(world.client("Casset"), "cse-in/grp-P1") == METERS
    offer, lines = await package(world, 0), list[str]()
    done = await runner(world, Rollout.plan(plan("all"), offer), tmp_path / "all.json", lines).run()
    assert done.phase is Phase.FINISHED
    assert done.counts()[Stage.DONE] == 3
    assert await versions(world, "software") == [offer["params"]["version"]] * 3
    assert lines[0] == "M1: updating"
    assert lines.index("campaign all: rollout") < lines.index("M2: updating")
    assert Rollout.load(tmp_path / "all.json").campaign == done


async def test_a_canary_that_goes_back_stops_the_campaign_until_somebody_lets_it_go_on(world: World, tmp_path: Path) -> None:
    before, offer = await versions(world, "firmware"), await package(world, 3)
    async with stage(world) as found:
        await found.fault("diagnostic", count=1)
        done = await runner(world, Rollout.plan(plan("bad"), offer), tmp_path / "bad.json").run()
    assert done.phase is Phase.STOPPED
    assert done.of("M1").stage is Stage.ROLLED_BACK
    assert "diagnostic" in done.of("M1").why
    assert await versions(world, "firmware") == before
    again = Rollout.load(tmp_path / "bad.json").resumed()
    done = await runner(world, again, tmp_path / "bad.json").run()
    assert done.phase is Phase.FINISHED
    assert [done.of(meter).stage for meter in METERS] == [Stage.ROLLED_BACK, Stage.DONE, Stage.DONE]
    assert await versions(world, "firmware") == [before[0], *[offer["params"]["version"]] * 2]


async def test_a_campaign_goes_on_after_a_restart_and_no_meter_does_anything_twice(world: World, tmp_path: Path) -> None:
    offer, path = await package(world, 4), tmp_path / "again.json"
    first = asyncio.ensure_future(runner(world, Rollout.plan(plan("again", canary=1.0), offer), path).run())

    async def begun() -> bool:
        return path.exists() and bool(Rollout.load(path).campaign.devices)

    await until(begun)
    first.cancel()
    with suppress(asyncio.CancelledError):
        await first
    done = await runner(world, Rollout.load(path), path).run()
    assert done.counts()[Stage.DONE] == 3
    async with stage(world) as found:
        for meter in METERS:
            records = await found.instances("asset", f"mtr-{meter}/cmd/maint/out", "20000101T000000")
            assert [one["state"] for one in records if one["cmdId"] == f"again-{meter}"] == [State.VALIDATED, State.EXECUTED]


async def test_a_package_that_is_refused_and_a_meter_that_is_not_there_are_failures(world: World, tmp_path: Path) -> None:
    offer = await package(world, 5)
    forged = {**offer, "params": {**offer["params"], "signature": "00" * 64}}
    there = replace(plan("forged", canary=1.0, abort=1.0), devices=("M1", "M77"))
    done = await runner(world, Rollout.plan(there, forged), tmp_path / "forged.json").run()
    assert done.phase is Phase.FINISHED
    assert "signature" in done.of("M1").why
    assert "M77" in done.of("M77").why


async def test_a_state_that_is_none_and_a_package_that_is_none_are_named(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text("{}")
    for path in (tmp_path / "state.json", tmp_path / "missing.json"):
        with pytest.raises(CampaignFault, match=path.name):
            Rollout.load(path)
    with pytest.raises(CampaignFault, match="package"):
        Rollout.plan(plan("x"), {"type": "readNow", "params": {}})


async def test_a_state_is_as_it_was(tmp_path: Path) -> None:
    rollout = Rollout(Campaign(plan("kept")), "softwareUpdate", {"version": "1"})
    rollout.save(tmp_path / "kept.json")
    assert Rollout.load(tmp_path / "kept.json") == rollout


@pytest.mark.parametrize("far", [False, True])
async def test_a_package_that_lies_at_a_cse_is_fetched_over_the_meters_own_protocol_or_by_its_url(world: World, far: bool) -> None:
    offer = await package(world, 1)
    async with world.client(ADMIN) as admin:
        await admin.access_policy("cse-in", "acp-images", [allow([ADMIN], May(63)), allow(["Cmtr-*"], May.RETRIEVE)])
        await admin.container("cse-in", "images", acpi=["cse-in/acp-images"])
        image = await admin.create("cse-in/images", 4, {"con": base64.b64encode(carried(offer["params"]["url"]) or b"").decode()})
    for meter in ("M1", "M2"):
        url = f"{world.cse.http}/{image.address}" if far else image.address
        async with stage(world) as found:
            order = await found.command("asset", "maint", "softwareUpdate", {**offer["params"], "url": url}, meter=meter)
            await found.status(order, State.EXECUTED)
            await found.attributes("asset", f"nod-{meter}/software", "the version", lambda one: one["vr"] == offer["params"]["version"])


async def test_an_update_is_started_at_the_management_object_too(world: World) -> None:
    offer = await package(world, 0)
    async with world.client(ADMIN) as admin:
        await admin.access_policy("cse-in", "acp-images", [allow([ADMIN], May(63)), allow(["Cmtr-*"], May.RETRIEVE)])
        await admin.container("cse-in", "images", acpi=["cse-in/acp-images"])
        document = await admin.put("cse-in/images", offer)
    asset = world.client("Casset")
    await asset.update("cse-in/nod-M2/software", {"url": document.address, "in": True}, root="m2m:swr")
    async with stage(world) as found:
        node = await found.attributes("asset", "nod-M2/software", "the version", lambda one: one["ins"]["sus"] == 1 and one["vr"] == offer["params"]["version"])
        assert node["in"] is False
        await asset.update("cse-in/nod-M2/software", {"url": "cse-in/images/nothing", "vr": "99", "in": True}, root="m2m:swr")
        node = await found.attributes("asset", "nod-M2/software", "the failure", lambda one: one["ins"]["sus"] == 2)
        assert (node["vr"], node["in"]) == (offer["params"]["version"], False)


async def test_a_package_that_is_not_where_it_should_be_fails(world: World) -> None:
    offer = await package(world, 1)
    async with stage(world) as found:
        order = await found.command("asset", "maint", "softwareUpdate", {**offer["params"], "url": "cse-in/images/nothing"})
        failed = await found.status(order, State.FAILED, error="applyFailed")
        assert "cse-in/images/nothing" in failed["error"]["text"]
        await found.alert("asset", "error", command=order)


async def test_a_meter_that_is_swapped_out_is_off_and_comes_back_when_it_is_put_in_again(world: World) -> None:
    async with stage(world) as found:
        order = await found.command("asset", "maint", "swapOut", {"old": "M3", "new": "M9"}, meter="M3")
        await found.status(order, State.EXECUTED)

        async def off() -> bool:
            return not world.devices["mtr-M3"].on

        await until(off)
        await found.see("asset", "mtr-M3/readings/registers", "the last reading", lambda one: one["reason"] == "final")
        await found.control("powerOn", "M3")
        await found.event("installed", meter="M3", container="state")
        assert world.devices["mtr-M3"].on


async def test_the_meter_in_the_place_of_another_is_in_its_group_and_one_that_is_put_in_again_too(world: World) -> None:
    def having(*meters: str) -> Callable[[Mapping[str, Any]], bool]:
        return lambda one: [member.rpartition("/")[2] for member in one["mid"]] == [f"mtr-{meter}" for meter in meters]

    async with stage(world) as found:
        await found.attributes("asset", "grp-P1", "M3 again", lambda one: len(one["mid"]) == 3)
        began = await found.instances("asset", "mtr-M2/readings/registers", "20200101T000000")
        await found.status(await found.command("asset", "maint", "swapOut", {"old": "M2", "new": "M9"}, meter="M2"), State.EXECUTED)
        await found.attributes("asset", "grp-P1", "without M2", having("M1", "M3"))
        await found.control("powerOn", "M9")
        await found.attributes("asset", "grp-P1", "M9 too", having("M1", "M3", "M9"))
        kept = await found.instances("asset", "mtr-M2/readings/registers", "20200101T000000")
        assert kept[: len(began)] == began
        assert kept[-1]["reason"] == "final"
        flat = {"tariffId": "TS", "scheme": "single", "rates": [{"rateId": "flat", "price": "0.2", "currency": "EUR", "unit": "unit"}]}
        for order in await found.fan_out("bill", "grp-P1", ("M1", "M3", "M9"), "tariff", "setTariff", flat):
            await found.status(order, State.EXECUTED)
        await found.fault("apply", "M9", count=1)
        for order in await found.fan_out("bill", "grp-P1", ("M1", "M3", "M9"), "tariff", "setTariff", {**flat, "tariffId": "TT"}):
            await found.status(order, State.FAILED)
        await found.status(await found.command("asset", "maint", "swapOut", {"old": "M9", "new": "mtr-M2"}, meter="M9"), State.EXECUTED)
        await found.control("powerOn", "M2")
        await found.attributes("asset", "grp-P1", "M2 again", having("M1", "M3", "M2"))


@pytest.mark.parametrize(("arguments", "code", "said"), [(["--abort", "2"], 2, "abort"), ([], 0, "3 done"), (["--go-on"], 0, "3 done")])
async def test_the_command_of_the_asset_organisation(
    world: World, tmp_path_factory: pytest.TempPathFactory, arguments: list[str], code: int, said: str
) -> None:
    state = tmp_path_factory.getbasetemp() / "campaign.json"
    offer = tmp_path_factory.getbasetemp() / "offer.json"
    offer.write_text(json.dumps(await package(world, 2)))
    given = ["metering", "campaign", f"{world.cse.http}/cse-in/grp-P1", "--state", str(state), "--package", str(offer), *arguments]
    result = await asyncio.to_thread(CliRunner().invoke, app, given)
    assert result.exit_code == code, result.output
    assert said in result.output


async def test_the_command_needs_a_package_to_begin(world: World, tmp_path: Path) -> None:
    given = ["metering", "campaign", f"{world.cse.coap}/cse-in/grp-P1", "--state", str(tmp_path / "none.json")]
    result = await asyncio.to_thread(CliRunner().invoke, app, given)
    assert result.exit_code == 2
    assert "--package" in result.output
