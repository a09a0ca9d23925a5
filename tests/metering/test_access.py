"""The access matrix of docs/metering/actors.json: each cell both ways, as the CSE decides it."""

import json
import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path

import pytest

from apps.client import ResourceTypeID as Ty
from apps.metering.vocabulary import ORGANISATIONS, ae_id
from apps.metering.world import World
from cse.errors import CSEError, OriginatorHasNoPrivilege
from tests.metering.bench import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

MATRIX = json.loads((Path(__file__).parents[2] / "docs" / "metering" / "actors.json").read_text())["access_control_matrix"]

ACTORS = {"Asset": "asset", "Bill": "bill", "DNO": "dno", "Efficiency": "eff", "ESP": "esp", "RDR": "rdr-1", "Consumer(own premise)": "consumer-P1",
          "Interference": "intruder"}  # fmt: skip
"""Who stands for a column of the matrix; the last one is registered nowhere."""

GRANTED = {
    "Asset": {"readings/registers"},
    "Bill": {"readings/export", "readings/net"},
    "Efficiency": {"readings/export", "readings/net", "readings/profile"},
    "RDR": {"readings/registers", "readings/profile", "readings/export", "readings/net"},
}
"""What the held world grants where the matrix says g (data-model.md, sections 11 and 12); asset has the start-up readings."""

_ALERTS = {"R": ("{owner}/alerts", "{owner}/acks"), "W": ("{owner}/acks",)}


def _class(name: str, *places: str, **more: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """Give the probes of a row about a command class, and about containers below the meter."""
    return {"C": (f"cmd/{name}/in",), "R": (f"cmd/{name}/out", *places), **more}


PROBES: dict[str, dict[str, tuple[str, ...]]] = {
    "readings/* (incl. export, net)": {"R": ("readings/registers", "readings/profile", "readings/export", "readings/net")},
    "live": {"R": ("live",)},
    "cmd/read": _class("read"),
    "cmd/config, config/*": _class("config", "config/settings", "config/reporting", "config/schedule", "config/timers"),
    "cmd/maint, node/*": _class("maint", "nod-M1", "nod-M1/firmware", "nod-M1/eventLog", W=("nod-M1/software",)),
    "cmd/payment, payment/*": _class("payment", "payment/state", "payment/ledger"),
    "cmd/credit": _class("credit"),
    "cmd/pq, pq/*": _class("pq", "pq/samples", "pq/limits", "pq/events"),
    "cmd/outage": _class("outage"),
    "outage/*": {"R": ("outage/log", "outage/planned")},
    "cmd/dr": _class("dr"),
    "cmd/gen, generation/*": _class("gen", "generation/output", "generation/quality", "generation/setpoint", W=("generation/setpoint",)),
    "cmd/log, events/security, events/malfunction": _class("log", "events/security", "events/malfunction"),
    "cmd/tariff, tariff/*": _class("tariff", "tariff/active", "tariff/pending"),
    "cmd/supply, supply/state": _class("supply", "supply/state"),
    "cmd/device": _class("device", W=("dev-P1-1/powSe",)),
    "cmd/efficiency": _class("efficiency"),
    "cmd/message": _class("message"),
    "ihd screen, saved": {"R": ("ihd-P1/screen", "ihd-P1/saved")},
    "ihd actions": {"W": ("ihd-P1/actions",)},
    "<own>/alerts, <own>/acks": _ALERTS,
    "<other>/alerts, acks": _ALERTS,
    "events/error (others get copies in own alerts)": {"R": ("events/error",)},
    "sm-test/control": {"R": ("sm-test/control",), "C": ("sm-test/control",)},
    "attest": {"R": ("attest",), "C": ("attest",)},
}
"""What is tried for each letter of a row: R read and subscribe, C create, W write other."""

UPDATED = {"nod-M1/software": "m2m:swr", "dev-P1-1/powSe": "cod:binSh"}
"""What is written by an update, and the root of its representation; everything else by a new instance."""


def _letters(cell: str) -> set[str]:
    """Give the rights of a cell; those with a question mark are off by default."""
    return set(re.findall(r"\b[RCW]\b(?!\?)", cell))


def _may(row: str, column: str, cell: str, letter: str, place: str) -> bool:
    """Tell what the matrix says of one probe."""
    granted = not cell.startswith("g") or place in GRANTED.get(column, set())
    only_state = cell == "R state" and place != "supply/state"
    return letter in _letters(cell) and granted and not only_state


def _cells() -> Iterator[tuple[str, str, str, bool]]:
    """Give actor, letter, address and whether it may, for each cell of the matrix."""
    for row, cells in MATRIX["rows"].items():
        for column, cell in zip(MATRIX["columns"], cells, strict=True):
            actor = ACTORS[column]
            if row.startswith("<own>") and actor not in ORGANISATIONS:
                continue  # has no alerts of its own; those of others are in the next row
            other = "bill" if actor != "bill" else "dno"
            for letter, places in PROBES[row].items():
                for place in places:
                    owner = actor if row.startswith("<own>") else other
                    yield actor, letter, _address(place.format(owner=owner)), _may(row, column, cell, letter, place)


def _address(place: str) -> str:
    top = place.partition("/")[0].partition("-")[0]
    elsewhere = top in {"nod", "dev", "ihd", "sm", "consumer", *(name.partition("-")[0] for name in ORGANISATIONS)}
    return f"cse-in/{place}" if elsewhere else f"cse-in/mtr-M1/{place}"


async def _done(world: World, actor: str, letter: str, address: str) -> set[bool]:
    """Try all that a letter means, and say what came of it. A command that is wrong in form is refused by the meter, which is no matter of access."""
    client, done = world.client(ae_id(actor)), set()
    steps: Sequence[Callable[[], Awaitable[object]]] = {
        "R": [
            lambda: client.retrieve(address),
            lambda: client.create(address, Ty.SUBSCRIPTION, {"nu": [ae_id(actor)], "enc": {"net": [3]}}, name=f"probe-{actor}"),
        ],
        "C": [lambda: client.put(address, "no command")],
        "W": [lambda: client.put(address, {"cmdId": "probe"})],
    }[letter]
    if (root := UPDATED.get(address.removeprefix("cse-in/"))) is not None:
        steps = [lambda: client.update(address, {"lbl": ["probe"]}, root=root)]
    for step in steps:
        try:
            await step()
        except OriginatorHasNoPrivilege:
            done.add(False)
        else:
            done.add(True)
    if letter == "R" and True in done:
        await client.delete(f"{address}/probe-{actor}")
    return done


@pytest.mark.parametrize(("actor", "letter", "address", "may"), list(_cells()))
async def test_cell(world: World, actor: str, letter: str, address: str, may: bool) -> None:
    assert await _done(world, actor, letter, address) == {may}


async def test_every_cell_is_tried() -> None:
    assert set(PROBES) == set(MATRIX["rows"])
    assert set(ACTORS) == set(MATRIX["columns"])
    for row, cells in MATRIX["rows"].items():
        for cell in cells:
            assert _letters(cell) <= set(PROBES[row]), f"{row}: {cell}"
    assert {may for _, _, _, may in _cells()} == {True, False}


@pytest.mark.parametrize("actor", [*ORGANISATIONS, "consumer-P1", "stranger"])
@pytest.mark.parametrize(("place", "reader"), [("ihd-P1/screen", "consumer-P1"), ("ihd-P1/saved", "consumer-P1"), ("mtr-M1/live", "consumer-P1")])
async def test_what_is_shown_is_the_consumers(world: World, actor: str, place: str, reader: str) -> None:
    try:
        await world.client(ae_id(actor)).retrieve(f"cse-in/{place}")
    except OriginatorHasNoPrivilege:
        assert actor != reader
    else:
        assert actor == reader


@pytest.mark.parametrize("actor", [*ORGANISATIONS, "stranger", "mtr-M1"])
async def test_nobody_else_acts_for_the_consumer(world: World, actor: str) -> None:
    with pytest.raises(OriginatorHasNoPrivilege):
        await world.client(ae_id(actor)).put("cse-in/ihd-P1/actions", {"msgId": "x", "action": "accept"})


@pytest.mark.parametrize("owner", ORGANISATIONS)
@pytest.mark.parametrize("place", ["alerts", "acks"])
async def test_alerts_and_acks_are_everybodys_own(world: World, owner: str, place: str) -> None:
    await world.client(ae_id(owner)).put(f"cse-in/{owner}/{place}", {"cmdId": "probe", "state": "executed"})
    assert (await world.client(ae_id(owner)).latest(f"cse-in/{owner}/{place}")).content["cmdId"] == "probe"
    for other in (*ORGANISATIONS, "consumer-P1", "stranger"):
        if other != owner:
            with pytest.raises(OriginatorHasNoPrivilege):
                await world.client(ae_id(other)).retrieve(f"cse-in/{owner}/{place}")


@pytest.mark.parametrize("actor", [*ORGANISATIONS, "consumer-P1", "stranger"])
async def test_the_simulation_is_the_harness_alone(world: World, actor: str) -> None:
    with pytest.raises(OriginatorHasNoPrivilege):
        await world.client(ae_id(actor)).put("cse-in/sm-test/control", {"do": "powerOff", "target": "M1"})


async def test_a_stranger_may_nothing(world: World) -> None:
    stranger = world.client("Cintruder")
    for address in ("cse-in", "cse-in/mtr-M1", "cse-in/nod-M1", "cse-in/mtr-M1/readings/registers", "cse-in/grp-P1"):
        with pytest.raises(CSEError):
            await stranger.retrieve(address)
    with pytest.raises(OriginatorHasNoPrivilege):
        await stranger.put("cse-in/mtr-M1/cmd/supply/in", {"cmdId": "x"})


async def test_only_asset_hears_of_new_entities(world: World) -> None:
    given = {"nu": ["Casset"], "enc": {"net": [3]}}
    await world.client("Casset").create("cse-in", Ty.SUBSCRIPTION, given, name="probe")
    await world.client("Casset").delete("cse-in/probe")
    with pytest.raises(OriginatorHasNoPrivilege):
        await world.client("Cbill").create("cse-in", Ty.SUBSCRIPTION, {**given, "nu": ["Cbill"]}, name="probe")


async def _refusals(world: World, originator: str) -> dict[str, int]:
    """Count the refusals of an originator that each meter has recorded."""
    counted = {}
    for meter in ("M1", "M2", "M3"):
        found = await world.client("Casset").retrieve(f"cse-in/mtr-{meter}/events/security", rcn=8)
        events = [json.loads(one["con"]) for one in found.get("m2m:cin", [])]
        counted[meter] = sum(event["type"] == "accessRefused" and event["detail"].startswith(f"{originator} ") for event in events)
    return counted


@pytest.mark.parametrize("originator", ["Cesp-probe", "Crdr-probe"])
@pytest.mark.parametrize(("address", "meter"), [("mtr-M1/supply/state", "M1"), ("mtr-M2/cmd/supply/in/la", "M2"), ("nod-M3", "M3"), ("ihd-P1/screen", "M1")])
async def test_each_refusal_leaves_one_event_with_the_meter_and_in_its_log(world: World, originator: str, address: str, meter: str) -> None:
    before = await _refusals(world, originator)
    with pytest.raises(OriginatorHasNoPrivilege):
        await world.client(originator).retrieve(f"cse-in/{address}")

    async def recorded() -> bool:
        return await _refusals(world, originator) == before | {meter: before[meter] + 1}

    async def logged() -> bool:
        return "accessRefused" in (await world.client("Casset").retrieve(f"cse-in/nod-{meter}/eventLog"))["lgd"]

    await until(recorded)
    await until(logged)


async def test_a_refusal_within_a_group_is_told_by_the_member(world: World) -> None:
    before = await _refusals(world, "Cesp")
    answers = await world.client("Cesp").fan_out("cse-in/grp-P1", "supply/state/la")
    assert [answer.code for answer in answers] == [4103] * 3

    async def recorded() -> bool:
        return await _refusals(world, "Cesp") == {meter: number + 1 for meter, number in before.items()}

    await until(recorded)
