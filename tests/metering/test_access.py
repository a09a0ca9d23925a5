"""The access matrix of docs/metering/actors.json: each cell both ways, as the CSE decides it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from apps.client import ResourceTypeID as Ty
from apps.metering import access
from apps.metering.vocabulary import ORGANISATIONS, ae_id
from apps.metering.world import World
from cse.errors import CSEError, OriginatorHasNoPrivilege
from tests.metering.bench import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

ACTORS = {"asset": "asset", "bill": "bill", "dno": "dno", "eff": "eff", "esp": "esp", "rdr": "rdr-1", "consumer": "consumer-P1"}
PREMISE = access.Premise("P1", ("Crdr-1",), access.GRANTS)
CHILDREN = {"config": "config/settings", "payment": "payment/state", "pq": "pq/limits", "outage": "outage/log", "generation": "generation/output",
            "tariff": "tariff/active", "supply": "supply/state", "node": ""}  # fmt: skip
"""What stands for a place."""


def _cells() -> Iterator[tuple[str, str, str, bool]]:
    """Give actor, operation, place and whether it may."""
    for row in access.MATRIX:
        for column, actor in ACTORS.items():
            for place in row.places:
                yield actor, "R", CHILDREN.get(place, place), access.entitled(row, column, "R", place, PREMISE)
            for kind in row.classes:
                yield actor, "R", f"cmd/{kind}/out", access.entitled(row, column, "R", kind, PREMISE)
                yield actor, "C", f"cmd/{kind}/in", access.entitled(row, column, "C", kind, PREMISE)


def _address(place: str) -> str:
    return f"cse-in/mtr-M1/{place}" if place else "cse-in/nod-M1"


async def _may(world: World, actor: str, operation: str, place: str) -> bool:
    """Try it. A command that is wrong in form is refused by the meter, which is no matter of access."""
    client = world.client(ae_id(actor))
    try:
        if operation == "C":
            await client.put(_address(place), "no command")
        else:
            await client.retrieve(_address(place))
            await client.create(_address(place), Ty.SUBSCRIPTION, {"nu": [ae_id(actor)], "enc": {"net": [3]}}, name=f"probe-{actor}")
            await client.delete(f"{_address(place)}/probe-{actor}")
    except OriginatorHasNoPrivilege:
        return False
    return True


@pytest.mark.parametrize(("actor", "operation", "place", "may"), list(_cells()))
async def test_cell(world: World, actor: str, operation: str, place: str, may: bool) -> None:
    assert await _may(world, actor, operation, place) is may


async def test_the_matrix_is_that_of_the_actors() -> None:
    """The rows here are those of the document, but that supply and outage stand apart where their cells do."""
    document = json.loads((Path(__file__).parents[2] / "docs" / "metering" / "actors.json").read_text())["access_control_matrix"]["rows"]
    ours = {row.label: list(row.cells) for row in access.MATRIX}
    for label, cells in document.items():
        if label in ours:
            theirs = [cell.replace("R (own programme W)", "R") for cell in cells[:7]]
            expected = [theirs[COLUMN[name]] for name in access.COLUMNS]
            found = [cell if cell != "-" else "-" for cell in ours[label]]
            assert [_plain(cell) for cell in found] == [_plain(cell) for cell in expected], label


COLUMN = {"asset": 0, "bill": 1, "dno": 2, "eff": 3, "esp": 4, "rdr": 5, "consumer": 6}


def _plain(cell: str) -> str:
    return "-" if cell in ("-", "W own devices", "? (F5a)", "?") else cell


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
