"""The held world as a whole: its resources, restarts of its parts, the watcher, the simulation, and the command that brings it up."""

import asyncio
import json
import re
import signal
import sys
from typing import Any

import pytest

from apps.client import Client
from apps.client import ResourceTypeID as Ty
from apps.metering import flows
from apps.metering.flows.stage import Stage
from apps.metering.tree import HELD_PLACES
from apps.metering.vocabulary import CLASSES, State
from apps.metering.world import World
from cse.errors import NotFound
from tests.metering.bench import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

FACTS = flows.FACTS["UC11-P"]
"""Any flow: a stage needs one."""


@pytest.mark.parametrize("meter", ["M1", "M2", "M3"])
async def test_the_tree_of_a_meter_is_that_of_the_data_model(world: World, meter: str) -> None:
    admin = world.client("CAdmin")
    for place in (*HELD_PLACES, *(f"cmd/{kind}/{way}" for kind in CLASSES for way in ("in", "out"))):
        assert await admin.retrieve(f"cse-in/mtr-{meter}/{place}"), place
    node = await admin.retrieve(f"cse-in/nod-{meter}")
    assert node["hael"] == [f"Cmtr-{meter}"]
    for name in ("deviceInfo", "firmware", "software", "memory", "battery", "reboot", "supplySwitch", "secureEnvironment", "eventLog"):
        assert (await admin.retrieve(f"cse-in/nod-{meter}/{name}"))["ty"] == Ty.MGMT_OBJ
    assert (await admin.retrieve(f"cse-in/mtr-{meter}"))["api"] == "Nsm.meter"


@pytest.mark.parametrize("meter", ["M1", "M2", "M3"])
async def test_what_only_electricity_has_other_meters_do_not_pretend_to_have(world: World, meter: str) -> None:
    """Use case 7: for electricity; a series that nothing can ever be in would be missed for ever."""
    admin = world.client("CAdmin")
    for place in ("readings/export", "readings/net", "generation/output", "generation/quality", "generation/setpoint", "pq/samples", "pq/limits", "pq/events"):
        if meter == "M1":
            assert await admin.retrieve(f"cse-in/mtr-{meter}/{place}"), place
        else:
            with pytest.raises(NotFound):
                await admin.retrieve(f"cse-in/mtr-{meter}/{place}")


async def test_a_meter_that_is_off_is_provisioned_only(world: World) -> None:
    admin = world.client("CAdmin")
    assert await admin.retrieve("cse-in/nod-M9")
    assert await admin.retrieve("cse-in/acp-mtr-M9")
    with pytest.raises(NotFound):
        await admin.retrieve("cse-in/mtr-M9")


async def test_scheduled_readings_and_points_come_every_period_on_its_grid(world: World) -> None:
    reader = world.client("Crdr-1")

    async def enough() -> bool:
        found = await reader.retrieve("cse-in/mtr-M1/readings/profile", rcn=8)
        return len(found.get("m2m:tsi", [])) >= 2

    await until(enough)
    points = (await reader.retrieve("cse-in/mtr-M1/readings/profile", rcn=8))["m2m:tsi"]
    assert all(int(point["dgt"][13:15]) % 5 == 0 for point in points)
    series = await reader.retrieve("cse-in/mtr-M1/readings/profile")
    assert (series["pei"], series["mdd"], series.get("mdlt")) == (5000, True, None)


async def test_a_meter_that_is_switched_off_and_on_goes_on(world: World) -> None:
    async with Stage(world, FACTS) as stage:
        order = await stage.command("bill", "message", "show", {}, consent="required", message={"text": "Still there?"}, consumerDeadline=50)
        item = await stage.item(order)
        await stage.status(order, State.DISPLAYED)
        await stage.control("powerOff", "M1")
        await until(lambda: _off(world, "mtr-M1"))
        await stage.act(item, "accept")
        waiting = await stage.command("asset", "supply", "limit", {"value": 3, "unit": "kW"})
        await stage.control("powerOn", "M1")
        await stage.status(order, State.EXECUTED)
        await stage.status(waiting, State.EXECUTED)
        await stage.status(await stage.command("asset", "supply", "enable", {}), State.EXECUTED)


async def _off(world: World, name: str) -> bool:
    return not world.devices[name].on


async def test_the_cse_restarts_in_the_middle_and_nothing_is_lost_or_done_twice(world: World) -> None:
    async with Stage(world, FACTS) as stage:
        order = await stage.command("bill", "message", "show", {}, consent="required", message={"text": "Restart?"}, consumerDeadline=50)
        item = await stage.item(order)
        await world.stop_cse()
        await asyncio.sleep(6)
        await world.start_cse()
        await stage.act(item, "accept")
        await stage.status(order, State.EXECUTED)
        readings = await stage.instances("rdr-1", "mtr-M1/readings/registers")
        identifiers = [reading["readId"] for reading in readings]
        assert len(identifiers) == len(set(identifiers))
        late = await stage.event("readingNotSent")
        assert late["detail"].split()[1] in identifiers


async def test_the_watcher_restarts_and_still_alerts(world: World) -> None:
    async with Stage(world, FACTS) as stage:
        await stage.fault("confirm", count=1)
        order = await stage.command("bill", "supply", "enable", {}, confirmBy=stage.at(4))
        await stage.see("bill", "mtr-M1/supply/state", "enabled", lambda one: one.get("cmdId") == order.id)
        await world.devices["sm-watch"].power_off()
        world.devices["sm-watch"].power_on()
        await stage.alert("bill", "noConfirmation", command=order)


async def test_an_answer_that_is_not_acknowledged_is_told(world: World) -> None:
    async with Stage(world, FACTS) as stage:
        order = await stage.command("rdr-1", "read", "readNow", {"what": "registers"}, ackRequired=True)
        await stage.status(order, State.EXECUTED)
        event = await stage.event("notReceived", command=order)
        await stage.alert("rdr-1", "notReceived", command=order, event=event["evtId"])
        heard = await stage.command("rdr-1", "read", "readNow", {"what": "registers"}, ackRequired=True)
        await stage.status(heard, State.EXECUTED)
        await stage.client("rdr-1").put("cse-in/rdr-1/acks", {"cmdId": heard.id, "state": "executed"})
        await asyncio.sleep(6)
        alerts = await stage.instances("rdr-1", "rdr-1/alerts")
        assert [alert["cmdId"] for alert in alerts if alert["type"] == "notReceived"] == [order.id]


async def test_a_report_that_does_not_come_is_missed(world: World) -> None:
    async with Stage(world, FACTS) as stage:
        await stage.control("linkDown", "M3")
        alert = await stage.see("rdr-1", "rdr-1/alerts", "reportMissing", lambda one: one["type"] == "reportMissing" and one["meter"] == "M3")
        assert alert["detail"]
        await stage.control("linkUp", "M3")
        held = await stage.event("readingNotSent", meter="M3")
        await stage.see("rdr-1", "mtr-M3/readings/registers", "the late reading", lambda one: one["readId"] == held["detail"].split()[1])


async def test_physical_changes_are_sensed_and_recorded(world: World) -> None:
    async with Stage(world, FACTS) as stage:
        await stage.control("setPhysical", "M1", tamper=True, battery=12)
        tamper = await stage.event("tamper", container="security")
        await stage.event("battery", container="malfunction")
        await until(lambda: _logged(stage, tamper["evtId"]))
        await until(lambda: _level(stage, 12))
        await stage.control("setPhysical", "M1", tamper=False, battery=100)
        await stage.control("loseSupply", "M1")
        await stage.control("restoreSupply", "M1")
        outage = await stage.see("dno", "mtr-M1/outage/log", "the outage", lambda one: True)
        assert outage["start"] < outage["end"]


async def _logged(stage: Stage, identifier: str) -> bool:
    return identifier in (await stage.client("asset").retrieve("cse-in/nod-M1/eventLog"))["lgd"]


async def _level(stage: Stage, percent: int) -> bool:
    found: bool = (await stage.client("asset").retrieve("cse-in/nod-M1/battery"))["btl"] == percent
    return found


async def test_saved_messages_stay_until_they_are_deleted(world: World) -> None:
    async with Stage(world, FACTS) as stage:
        order = await stage.command("esp", "message", "show", {}, consent="informed", message={"text": "Keep me"})
        item = await stage.item(order)
        await stage.act(item, "save")
        saved = await stage.see("consumer-P1", "ihd-P1/saved", "the message", lambda one: one["cmdId"] == order.id)
        assert saved["text"] == "Keep me"
        await stage.act(item, "delete")
        await stage.gone(order)

        async def unsaved() -> bool:
            return not [one for one in await stage.instances("consumer-P1", "ihd-P1/saved") if one["cmdId"] == order.id]

        await until(unsaved)


async def test_the_display_shows_figures_of_the_first_meter(world: World) -> None:
    screen = (await world.client("Cconsumer-P1").latest("cse-in/ihd-P1/screen")).content
    assert {"consumed", "generated", "power", "credit", "mode", "supplyState"} <= screen["figures"].keys()


async def test_unsupported_classes_say_so(world: World) -> None:
    async with Stage(world, FACTS) as stage:
        envelope: dict[str, Any] = {"url": "https://example.com/fw", "name": "fw", "version": "2", "sha256": "0" * 64, "signature": "x"}
        if ("maint", "firmwareUpdate") not in _built():
            order = await stage.command("asset", "maint", "firmwareUpdate", envelope)
            await stage.status(order, State.REJECTED, error="requestUnsupported")


def _built() -> frozenset[tuple[str, str]]:
    from apps.metering.meter.handlers import ALL

    return frozenset(ALL)


async def test_the_command_holds_a_world_until_sigterm() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "apps.cli", "demo", "--metering", "--hold", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    line = (await process.stdout.readline()).decode()
    found = re.fullmatch(r"READY (http://\S+) (coap://\S+)\n", line)
    assert found, line
    for url in found.groups():
        async with Client.connect(url, "Crdr-1") as outside:
            assert (await outside.latest("cse-in/mtr-M1/readings/registers")).content["readId"]
    process.send_signal(signal.SIGTERM)
    _, said = await process.communicate()
    assert process.returncode == 0, said.decode()


async def test_an_unknown_flow_is_refused() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "apps.cli", "demo", "--metering", "--flow", "UC99-P", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    assert process.returncode == 2
    assert "UC03-P6-A4" in out.decode()


async def test_contents_are_json(world: World) -> None:
    found = await world.client("CAdmin").latest("cse-in/mtr-M1/readings/registers")
    assert found["cnf"].startswith("application/json")
    assert isinstance(json.loads(found["con"]), dict)


async def test_an_unknown_flow_has_its_near_ones_named() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "apps.cli", "demo", "--metering", "--flow", "uc3-p6-a4", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    assert process.returncode == 2
    said = out.decode()
    assert "UC03-P6-A4" in said.partition("all of them")[0]
