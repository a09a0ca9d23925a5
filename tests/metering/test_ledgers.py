"""The ledgers of the head-end in the held world: chained, signed, traceable, and the same after a restart (section 12)."""

import copy
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from apps.client import Client, Notification, Resource
from apps.client import ResourceTypeID as Ty
from apps.metering import flows
from apps.metering.flows.stage import Stage
from apps.metering.keys import public_key, signing_key
from apps.metering.ledger import LABEL, verify
from apps.metering.memory import Memory
from apps.metering.meter.records import digest_of
from apps.metering.settle import Settle
from apps.metering.vocabulary import State, stamp
from apps.metering.world import World
from cse.datatypes import seconds_of
from cse.errors import OriginatorHasNoPrivilege
from tests.metering.bench import until

FACTS = flows.FACTS["UC11-P"]

LEDGER, COMMANDS = "cse-in/sm-settle/ledger", "cse-in/sm-watch/commands"


async def _read(client: Client, address: str) -> tuple[list[Any], Any]:
    """Give the entries of a ledger in their order, and the key that it tells."""
    container = await client.retrieve(address)
    key = next(label for label in container["lbl"] if label.startswith(LABEL)).removeprefix(LABEL)
    entries = [(await client.retrieve(one)).content for one in await client.discover(address, types=[Ty.CONTENT_INSTANCE], lvl=1)]
    return entries, public_key(key)


def _of(entries: Sequence[Any], meter: str) -> list[Any]:
    return [entry for entry in entries if entry["meter"] == meter]


@pytest.mark.asyncio(loop_scope="module")
async def test_every_interval_of_every_meter_is_settled_once_and_bill_can_trace_it(world: World) -> None:
    bill = world.client("Cbill")

    async def enough() -> bool:
        entries, _ = await _read(bill, LEDGER)
        return all(len(_of(entries, meter)) >= 2 for meter in ("M1", "M2", "M3"))

    await until(enough)
    entries, key = await _read(bill, LEDGER)
    assert not verify(entries, key)
    for meter in ("M1", "M2", "M3"):
        ends = [entry["interval"]["end"] for entry in _of(entries, meter)]
        assert len(ends) == len(set(ends))
    entry = _of(entries, "M1")[0]
    assert entry.keys() == {"ts", "meter", "interval", "quantity", "unit", "quality", "parties", "prev", "signature"}
    assert seconds_of(entry["interval"]["end"]) - seconds_of(entry["interval"]["start"]) == 5
    assert entry["parties"] == ["Cbill", "Cconsumer-P1"]
    points = (await bill.retrieve("cse-in/mtr-M1/readings/net", rcn=8))["m2m:tsi"]
    traced = {point["dgt"]: json.loads(point["con"])["value"] for point in points}
    assert traced[entry["interval"]["end"]] == entry["quantity"]


@pytest.mark.asyncio(loop_scope="module")
async def test_an_entry_that_was_changed_taken_out_or_moved_is_found(world: World) -> None:
    entries, key = await _read(world.client("Cbill"), LEDGER)
    changed = copy.deepcopy(entries)
    changed[1]["quantity"] = 99
    assert [(fault.kind, fault.place) for fault in verify(changed, key)] == [("changed", 2)]
    assert "missing" in {fault.kind for fault in verify([entries[0], *entries[2:]], key)}
    assert "reordered" in {fault.kind for fault in verify([entries[1], entries[0], *entries[2:]], key)}


@pytest.mark.asyncio(loop_scope="module")
async def test_nobody_but_its_keeper_adds_and_not_even_he_takes_out(world: World) -> None:
    for name in ("Cbill", "Casset", "Cmtr-M1"):
        with pytest.raises(OriginatorHasNoPrivilege):
            await world.client(name).put(LEDGER, {"quantity": 1})
    with pytest.raises(OriginatorHasNoPrivilege):
        await world.client("Casset").retrieve(LEDGER)
    with pytest.raises(OriginatorHasNoPrivilege):
        await world.client("Csm-settle").delete(LEDGER)


@pytest.mark.asyncio(loop_scope="module")
async def test_the_ledger_goes_on_where_it_was_after_a_restart(world: World) -> None:
    bill = world.client("Cbill")
    before, key = await _read(bill, LEDGER)
    await world.devices["sm-settle"].power_off()
    world.devices["sm-settle"].power_on()

    async def more() -> bool:
        return len((await _read(bill, LEDGER))[0]) > len(before) + 3

    await until(more)
    after, _ = await _read(bill, LEDGER)
    assert after[: len(before)] == before
    assert not verify(after, key)


@pytest.mark.asyncio(loop_scope="module")
async def test_every_command_and_each_of_its_states_is_in_the_ledger_of_commands(world: World) -> None:
    keeper = world.client("Csm-watch")
    async with Stage(world, FACTS) as stage:
        order = await stage.command("bill", "supply", "enable", {})
        await stage.status(order, State.EXECUTED)

    async def entered() -> bool:
        entries, _ = await _read(keeper, COMMANDS)
        return "executed" in [entry["state"] for entry in entries if entry["cmdId"] == order.id]

    await until(entered)
    entries, key = await _read(keeper, COMMANDS)
    assert not verify(entries, key)
    found = [entry for entry in entries if entry["cmdId"] == order.id]
    assert sorted(entry["state"] for entry in found) == ["executed", "sent", "validated"]
    sent = next(entry for entry in found if entry["state"] == "sent")
    assert (sent["meter"], sent["class"], sent["issuer"], sent["type"]) == ("M1", "supply", "Cbill", "enable")
    assert sent["digest"] == digest_of("supply", order.envelope)
    with pytest.raises(OriginatorHasNoPrivilege):
        await world.client("Cbill").retrieve(COMMANDS)


def test_a_point_that_is_told_again_is_not_settled_again_and_a_late_one_has_its_own_time(tmp_path: Path) -> None:
    memory, key = Memory(":memory:"), signing_key(tmp_path / "k.pem")
    written: list[Any] = []

    def keeper() -> Settle:
        found = Settle(key, memory.of("sm-settle"), lambda: 1_760_000_000.0)
        found.kept.put("meter", "M1", {"interval": 5.0, "premise": "P1"})
        return found

    def hear(settle: Settle, seconds: float, value: float) -> None:
        point = {"dgt": stamp(1_760_000_000 + seconds), "con": json.dumps({"value": value, "unit": "kWh", "quality": "measured"}), "ri": "t"}
        settle.receive("point/M1", Notification("s", None, Resource("x", "m2m:tsi", point), False, "/id-in", "r", "point/M1", ""))
        while (item := settle.outbox.head()) is not None:
            written.append(item.attributes)
            settle.outbox.acknowledged(item)

    settle = keeper()
    hear(settle, 5, 0.1)
    hear(settle, 15, -0.3)
    settle = keeper()
    hear(settle, 15, -0.3)
    hear(settle, 10, 0.2)
    entries = [Resource("", "m2m:cin", one).content for one in written]
    assert [entry["quantity"] for entry in entries] == [0.1, -0.3, 0.2]
    assert [entry["interval"]["end"] for entry in entries] == [stamp(1_760_000_000 + seconds) for seconds in (5, 15, 10)]
    assert not verify(entries, key.public_key())
