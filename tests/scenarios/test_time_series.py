"""Time series: data points by their moment, and reports on those that do not come (TS-0001 9.6.36, TS-0004 7.4.38, 7.4.39, 7.5.1.2.9)."""

import time
from collections.abc import Mapping
from typing import Any

import pytest

from bindings.serve import Server
from cse.codes import ResponseStatusCode as RSC
from cse.datatypes import seconds_of, timestamp
from tests.scenarios.bed import Client, Receiver, Wire, client, config, gathered, members, name, said

pytestmark = pytest.mark.asyncio(loop_scope="module")

QUICK = {"pei": 200, "peid": 50, "mdt": 100, "mdd": True}
DAY = "20260101T"


async def series(cse: Client, **attributes: Any) -> str:
    """Make a time series of the administrator below the CSEBase; its structured address."""
    return str((await cse.made("cse-in", "ts", {"rn": name("ts"), **attributes}))["path"])


async def watched(cse: Client, receiver: Receiver, number: int, **attributes: Any) -> str:
    """Make a time series whose missing points are told to a receiver once there are so many."""
    place = await series(cse, **{**QUICK, **attributes})
    await cse.made(place, "sub", {"nu": [receiver.url], "enc": {"net": [8], "md": {"num": number, "dur": "PT1H"}}})
    await receiver.verification()
    return place


def points(content: dict[str, Any], start: float) -> list[int]:
    """Give the points of a list as numbers on the raster."""
    assert content["mdc"] == len(content["mdlt"])
    numbers = [(seconds_of(entry) - start) / 0.2 for entry in content["mdlt"]]
    assert all(abs(number - round(number)) < 1e-3 for number in numbers), "missing points are named by the time at which they were expected"
    return [round(number) for number in numbers]


def in_time(made: Mapping[int, dict[str, Any]], start: float) -> set[int]:
    """Give the points whose instance was created before they counted as missing."""
    return {point for point, instance in made.items() if seconds_of(instance["ct"]) < start + point * 0.2 + 0.1}


async def report(receiver: Receiver, start: float) -> list[int]:
    """Give the points of the next report."""
    event = (await receiver.next())["nev"]
    assert event["net"] == 8
    return points(event["rep"]["m2m:tsn"], start)


async def test_a_series_is_filled_read_and_found(cse: Client) -> None:
    place = await series(cse, mni=4, mbs=20, pei=1000, cnf="text/plain:0")
    for second in (3, 1, 2, 5, 4):
        made = await cse.made(place, "tsi", {"dgt": f"{DAY}00000{second}", "con": f"value{second}"[second == 5 :], "snr": second})
        assert (made["dgt"], made["snr"]) == (f"{DAY}00000{second}", second)
    found = await cse.seen(place)
    assert (found["cni"], found["cbs"], found["mdc"], found["peid"]) == (3, 17, 0, 500)
    assert [(await cse.seen(f"{place}/{edge}"))["snr"] for edge in ("ol", "la")] == [2, 4], "in the order in which they came"
    whole = await cse.seen(place, rcn=4)
    assert [each["snr"] for each in whole["m2m:tsi"]] == [2, 5, 4]
    assert len(await cse.discovered(place, ty=[30], sza=6)) == 2
    assert len(await cse.discovered(place, atr={"dgt": f"{DAY}000005"})) == 1
    assert (await cse.delete(f"{place}/ol")).rsc == RSC.DELETED
    assert (await cse.seen(f"{place}/ol"))["snr"] == 5
    assert (await cse.seen(place))["cni"] == 2


async def test_one_data_point_for_each_moment(cse: Client) -> None:
    place = await series(cse)
    answers = await gathered([cse.create(place, "tsi", {"dgt": f"{DAY}0000{second % 5:02}", "con": "x"}) for second in range(20)])
    assert sorted(answer.rsc for answer in answers) == [RSC.CREATED] * 5 + [RSC.CONFLICT] * 15, "also of those that come together"
    assert (await cse.seen(place))["cni"] == 5
    refused = await cse.create(place, "tsi", {"dgt": f"{DAY}000003,0", "con": "x"})
    assert refused.rsc == RSC.CONFLICT
    assert "dgt" in said(refused)
    assert (await cse.delete(f"{place}/la")).rsc == RSC.DELETED


@pytest.mark.parametrize(
    ("form", "attributes", "rsc", "named"),
    [
        ("ts", {"pei": 1000, "peid": 501}, RSC.BAD_REQUEST, "peid"),
        ("ts", {"mdd": True}, RSC.BAD_REQUEST, "pei"),
        ("ts", {"mdd": True, "pei": 1000}, RSC.BAD_REQUEST, "mdt"),
        ("ts", {"mdd": True, "pei": 1000, "peid": 5, "mdt": 5}, RSC.BAD_REQUEST, "mdt"),
        ("ts", {"mdlt": []}, RSC.BAD_REQUEST, "mdlt"),
        ("tsi", {"con": "x"}, RSC.BAD_REQUEST, "dgt"),
        ("tsi", {"dgt": f"{DAY}000000"}, RSC.BAD_REQUEST, "con"),
        ("tsi", {"con": "x", "dgt": "noon"}, RSC.BAD_REQUEST, "dgt"),
        ("tsi", {"con": "x" * 11, "dgt": f"{DAY}000000"}, RSC.NOT_ACCEPTABLE, "mbs"),
        ("cin", {"con": "x"}, RSC.INVALID_CHILD_RESOURCE_TYPE, "contentInstance"),
    ],
    ids=str,
)
async def test_what_is_refused_leaves_nothing(cse: Client, form: str, attributes: dict[str, Any], rsc: RSC, named: str) -> None:
    place = await series(cse, mbs=10)
    parent = await cse.container() if form == "ts" else place
    answer = await cse.create(parent, form, {"rn": "refused", **attributes})
    assert answer.rsc == rsc
    assert named in said(answer)
    assert (await cse.retrieve(f"{parent}/refused")).rsc == RSC.NOT_FOUND
    assert (await cse.seen(place))["cni"] == 0


async def test_settings_are_fixed_while_missing_data_are_detected(cse: Client) -> None:
    place = await series(cse, pei=10000, mdt=9000)
    await cse.changed(place, "ts", {"mdn": 5})
    await cse.changed(place, "ts", {"mdd": True})
    for attribute in ("pei", "peid", "mdt", "mdn"):
        for more in ({}, {"mdd": False}):
            answer = await cse.update(place, "ts", {attribute: 4000, **more})
            assert answer.rsc == RSC.BAD_REQUEST
            assert attribute in said(answer)
    await cse.changed(place, "ts", {"mdd": False})
    assert (await cse.changed(place, "ts", {"pei": 12000}))["pei"] == 12000
    made = await cse.made(place, "tsi", {"dgt": 0, "con": "x"})
    assert (await cse.update(made["ri"], "tsi", {"con": "y"})).rsc == RSC.OPERATION_NOT_ALLOWED


async def test_missing_data_are_reported_until_the_detection_is_switched_off(cse: Client, receiver: Receiver) -> None:
    place = await watched(cse, receiver, 2)
    start = time.time()
    await cse.made(place, "tsi", {"dgt": timestamp(start), "con": "first"})
    near = await cse.made(place, "tsi", {"dgt": timestamp(start + 0.23), "con": "near enough to the first point"})
    await cse.made(place, "tsi", {"dgt": timestamp(start + 0.5), "con": "between two points"})
    ahead = await cse.made(place, "tsi", {"dgt": timestamp(start + 0.8), "con": "ahead of time"})
    came = in_time({1: near, 4: ahead}, start)
    told = await report(receiver, start)
    assert len(told) >= 2, "the first report has as many as the subscriber asked for"
    while told[-1] < 5:
        told = await report(receiver, start)
    assert told == [point for point in range(1, told[-1] + 1) if point not in came]
    later = await report(receiver, start)
    assert later[: len(told)] == told
    assert len(later) > len(told)
    await cse.changed(place, "ts", {"mdd": False})
    kept = await cse.seen(place)
    assert points(kept, start)[: len(later)] == later, "the list stays"
    await cse.made(place, "tsi", {"dgt": timestamp(start + 0.4), "con": "late"})
    assert await cse.seen(place, rcn=1) | {"cni": 0, "cbs": 0} == kept | {"cni": 0, "cbs": 0}, "what comes too late is kept, and the list is as it was"
    again = await cse.changed(place, "ts", {"mdd": True})
    assert (again["mdc"], again.get("mdlt")) == (0, None)


async def test_who_sends_regularly_has_nothing_missing(cse: Client, receiver: Receiver) -> None:
    """Its points come while those of another, which are missing, are reported."""
    regular = await series(cse, **QUICK)
    silent = await watched(cse, receiver, 1)
    start = time.time()
    for place in (regular, silent):
        await cse.made(place, "tsi", {"dgt": timestamp(start), "con": "x"})
    sent = range(1, 41)
    answers = await gathered([cse.create(regular, "tsi", {"dgt": timestamp(start + point / 5), "con": "x"}) for point in sent])
    came = in_time({point: answer.pc["m2m:tsi"] for point, answer in zip(sent, answers, strict=True)}, start)
    while len(await report(receiver, start)) < 4:
        pass
    found = await cse.seen(regular)
    assert found["cni"] == 41
    assert not came & set(points(found, start) if found["mdc"] else ())
    await cse.delete(silent)


async def test_a_short_list_has_the_newest_points(cse: Client, receiver: Receiver) -> None:
    place = await watched(cse, receiver, 1, mdn=2)
    start = time.time()
    await cse.made(place, "tsi", {"dgt": timestamp(start), "con": "x"})
    while (told := await report(receiver, start))[-1] < 3:
        pass
    assert len(told) == 2
    assert told[1] == told[0] + 1
    await cse.delete(place)


async def test_detection_goes_on_after_a_restart(durable: str, wire: Wire, receiver: Receiver) -> None:
    async with Server(config(durable)) as server, client(wire, server) as cse:
        place = await watched(cse, receiver, 2)
        start = time.time()
        await cse.made(place, "tsi", {"dgt": timestamp(start), "con": "x"})
        first = await report(receiver, start)
    async with Server(config(durable)) as server, client(wire, server) as cse:
        while len(told := await report(receiver, start)) <= len(first):
            pass
        assert told[: len(first)] == first, "what was found before is still in the list"
        assert told == list(range(1, told[-1] + 1)), "and no point was lost while it was stopped"
        assert (await cse.create(place, "tsi", {"dgt": timestamp(start), "con": "x"})).rsc == RSC.CONFLICT


async def test_a_group_of_series(cse: Client) -> None:
    places = [await series(cse) for _ in range(3)]
    group = await cse.made("cse-in", "grp", {"rn": name("g"), "mt": 29, "mid": places, "mnm": 5})
    answer = await cse.create(f"{group['path']}/fopt", "tsi", {"dgt": f"{DAY}000000", "con": "all"})
    assert [each["rsc"] for each in members(answer)] == [RSC.CREATED] * 3
    await cse.made(places[1], "tsi", {"dgt": f"{DAY}000001", "con": "one"})
    answer = await cse.create(f"{group['path']}/fopt", "tsi", {"dgt": f"{DAY}000001", "con": "again"})
    assert [each["rsc"] for each in members(answer)] == [RSC.CREATED, RSC.CONFLICT, RSC.CREATED]
    answer = await cse.retrieve(f"{group['path']}/fopt/la")
    assert [each["pc"]["m2m:tsi"]["con"] for each in members(answer)] == ["again", "one", "again"]
