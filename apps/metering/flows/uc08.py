"""Manage the distribution network with metering data."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from apps.metering import network
from apps.metering.flows.points import point, points
from apps.metering.flows.stage import Order, Stage, Unobserved
from apps.metering.vocabulary import State

GROUP, METERS = "grp-P1", ("M1", "M2", "M3")
REGISTERS = "readings/registers"


async def _requested(stage: Stage, **more: Any) -> Mapping[str, Order]:
    """Play the first two steps: data of a group of meters are asked for; every member finds it valid."""
    for meter in METERS:
        await point(stage, "dno", f"mtr-{meter}/readings/profile", lambda moment, content: True)
    order = await stage.command("dno", "read", "readNow", {"what": ["registers", "profile"]}, group=GROUP, **more)
    orders = {meter: replace(order, meter=meter) for meter in METERS}
    stage.step("UC08-P1", f"{order.id} to {GROUP}")
    for each in orders.values():
        await stage.status(each, State.VALIDATED)
    stage.step("UC08-P2", f"validated by {', '.join(METERS)}")
    return orders


async def _sent(stage: Stage, orders: Mapping[str, Order]) -> Mapping[str, Mapping[str, Any]]:
    """Play the third step, and give the readings by meter."""
    found: dict[str, Mapping[str, Any]] = {}
    for meter, order in orders.items():
        done = await stage.status(order, State.EXECUTED)
        identifier = done["result"]["readId"]
        found[meter] = await stage.see("dno", f"mtr-{meter}/{REGISTERS}", "the reading", lambda one, wanted=identifier: one["readId"] == wanted)  # type: ignore[misc]
        if not done["result"]["dgt"]:
            raise Unobserved(f"{meter} has given no point of its profile")
    quality = await points(stage, "dno", "mtr-M1/pq/samples")
    if not quality:
        raise Unobserved("there are no samples of power quality")
    stage.step("UC08-P3", f"{', '.join(one['readId'] for one in found.values())}; {len(quality)} points of pq/samples")
    return found


async def managed(stage: Stage) -> None:
    """The operator asks, checks, and orders the regular collection of what it needs for planning."""
    before = await _latest(stage)
    readings = await _sent(stage, await _requested(stage))
    for meter, reading in readings.items():
        if said := network.unsound(reading, before[meter]):
            raise Unobserved(f"the reading of {meter} is unsound: {said}")
    stage.step("UC08-P4", f"complete and plausible after {', '.join(one['readId'] for one in before.values())}")
    policy = {"policyId": f"plan-{stage.began[9:15]}", "strategy": "groupRoundRobin", "groups": [GROUP], "what": ["registers"], "window": 1}
    await stage.client("dno").put(f"{stage.world.plan.base}/sm-collect/policies", policy)
    run = await stage.see("dno", "sm-collect/runs", "the run", lambda one: one["policyId"] == policy["policyId"])
    if run["state"] != "complete" or {visit["meter"] for visit in run["visits"]} != set(METERS):
        raise Unobserved(f"the run is {run}")
    stage.step("UC08-P5", f"regular collection ordered, run {run['runId']} complete")


async def _latest(stage: Stage) -> Mapping[str, Mapping[str, Any]]:
    return {meter: await stage.latest("dno", f"mtr-{meter}/{REGISTERS}", "a reading", lambda one: True) for meter in METERS}


async def invalid(stage: Stage) -> None:
    """Data that do not exist are asked for."""
    order = await stage.command("dno", "read", "readNow", {"what": "weather"})
    stage.step("UC08-P1", order.id)
    refused = await stage.status(order, State.REJECTED, error="requestInvalid")
    await stage.gone(order)
    stage.step("UC08-P2-A1.1", refused["error"]["text"])
    found = await stage.event("requestInvalid", command=order)
    await stage.alert("dno", "error", event=found["evtId"])
    stage.step("UC08-P2-A1.2", f"rejected at {refused['ts']}, alert with {found['evtId']}")


async def not_received(stage: Stage) -> None:
    """The operator does not receive what was sent, and does not acknowledge it."""
    orders = await _requested(stage, ackRequired=True)
    await _sent(stage, orders)
    order = orders["M1"]
    if [one for one in await stage.instances("dno", "dno/acks") if one.get("cmdId") == order.id]:
        raise Unobserved(f"{order.id} was acknowledged")
    stage.step("UC08-P4-A2.1", "no acknowledgement")
    for meter in METERS:
        alert = await stage.alert("dno", "notReceived", command=order, meter=meter)
    stage.step("UC08-P4-A2.2", f"notReceived of {', '.join(METERS)}, the last at {alert['ts']}")


async def unsound(stage: Stage) -> None:
    """A register has gone where it cannot have; the operator finds out, and keeps a record of its own."""
    before = await _latest(stage)
    value = next(one["value"] for one in before["M1"]["registers"] if one["id"] == "1.8.1")
    await stage.control("setPhysical", "M1", registers={"1.8.1": value + 5000})
    readings = await _sent(stage, await _requested(stage))
    await stage.control("setPhysical", "M1", registers={"1.8.1": value})
    said = network.unsound(readings["M1"], before["M1"])
    if not said:
        raise Unobserved(f"nothing is wrong with {readings['M1']}")
    stage.step("UC08-P4-A3.1", said[0])
    record = {"alertId": f"dno-{stage.at(0)}", "type": "error", "ts": stage.at(0), "meter": "M1", "detail": f"dataInvalid: {said[0]}"}
    await stage.client("dno").put(f"{stage.world.plan.base}/dno/alerts", record)
    kept = await stage.see("dno", "dno/alerts", "the record", lambda one: one["alertId"] == record["alertId"])
    stage.step("UC08-P4-A3.2", f"own record {kept['alertId']}: {kept['detail']}")


FLOWS = {"UC08-P": managed, "UC08-P2-A1": invalid, "UC08-P4-A2": not_received, "UC08-P4-A3": unsound}
