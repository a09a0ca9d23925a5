"""The end of resources by time (TS-0001 9.6.1.3, TS-0004 7.3.3.5, procedures 1.8): waited for by the notification that tells of it."""

from datetime import UTC, datetime, timedelta

import pytest

from cse.codes import ResponseStatusCode as RSC
from tests.scenarios.bed import Client, Receiver, content, name

pytestmark = pytest.mark.asyncio(loop_scope="module")


def soon(seconds: float) -> str:
    """Give a timestamp some time from now."""
    return (datetime.now(UTC) + timedelta(seconds=seconds)).strftime("%Y%m%dT%H%M%S,%f")


async def watched(cse: Client, receiver: Receiver) -> str:
    """Make a container whose children's end is told."""
    place = await cse.container()
    await cse.made(place, "sub", {"nu": [receiver.url], "enc": {"net": [4]}})
    await receiver.verification()
    return place


async def test_a_resource_ends_with_all_that_is_below_and_it_is_told(cse: Client, receiver: Receiver) -> None:
    place = await watched(cse, receiver)
    made = await cse.made(place, "cnt", {"rn": "brief", "et": (end := soon(0.3))})
    assert made["et"] == end
    inner = await cse.made(made["path"], "cnt", {"rn": "inner"})
    reading = await cse.made(inner["path"], "cin", {"con": "x"})
    assert made["et"] >= inner["et"] >= reading["et"], "a child ends with its parent at the latest"
    ended = await receiver.next()
    assert content(ended, "cnt")["ri"] == made["ri"]
    for gone in (made["path"], made["ri"], inner["path"], inner["ri"], reading["ri"], f"{inner['path']}/la"):
        assert (await cse.retrieve(gone)).rsc == RSC.NOT_FOUND
    assert await cse.discovered(place, ty=[3, 4]) == []
    await cse.made(place, "cnt", {"rn": "brief"})


async def test_instances_end_and_are_counted(cse: Client, receiver: Receiver) -> None:
    place = await watched(cse, receiver)
    await cse.made(place, "cin", {"con": "long"})
    await cse.made(place, "cin", {"con": "brief", "et": soon(0.3)})
    assert content(await receiver.next())["con"] == "brief"
    found = await cse.seen(place)
    assert (found["cni"], found["cbs"]) == (1, 4)
    assert (await cse.seen(f"{place}/la"))["con"] == "long"


async def test_an_age_limit_ends_instances(cse: Client, receiver: Receiver) -> None:
    """maxInstanceAge in seconds (TS-0001 9.6.6)."""
    place = await watched(cse, receiver)
    await cse.changed(place, "cnt", {"mia": 1})
    await cse.made(place, "cin", {"con": "brief"})
    assert content(await receiver.next())["con"] == "brief"
    assert (await cse.seen(place))["cni"] == 0


async def test_a_subscription_ends_and_its_subscriber_is_told(cse: Client, receiver: Receiver) -> None:
    place = await cse.container()
    made = await cse.made(place, "sub", {"nu": [receiver.url], "enc": {"net": [3]}, "su": receiver.url, "et": soon(0.3)})
    ended = await receiver.next()
    assert (ended["sud"], ended["sur"].rpartition("/")[2]) == (True, made["ri"])
    await cse.made(place, "cin", {"con": "unheard"})
    assert receiver.rest() == []


async def test_an_ae_that_does_not_renew_its_registration_may_come_back(cse: Client, receiver: Receiver) -> None:
    stem = name("C")
    await cse.made("cse-in", "ae", {"rn": stem, "api": "N.x", "rr": True, "srv": ["4"], "et": soon(0.3)}, fr=stem)
    made = await cse.made(f"cse-in/{stem}", "sub", {"nu": [receiver.url], "su": receiver.url}, fr=stem)
    assert (await receiver.next())["sur"].endswith(made["ri"])
    assert (await cse.retrieve(stem)).rsc == RSC.NOT_FOUND
    await cse.made("cse-in", "ae", {"rn": stem, "api": "N.x", "rr": True, "srv": ["4"]}, fr=stem)


async def test_a_life_is_lengthened_by_an_update(cse: Client, receiver: Receiver) -> None:
    place = await watched(cse, receiver)
    one = await cse.made(place, "cnt", {"rn": "kept", "et": soon(0.4)})
    await cse.changed(one["path"], "cnt", {"et": soon(3600)})
    await cse.made(place, "cnt", {"rn": "brief", "et": soon(0.6)})
    assert content(await receiver.next(), "cnt")["rn"] == "brief", "and nothing of the one that was to end before it"
    assert (await cse.retrieve(one["path"])).rsc == RSC.OK


async def test_times_that_cannot_be_are_refused_or_shortened(cse: Client) -> None:
    place = await cse.container(et=soon(1000))
    end = (await cse.seen(place))["et"]
    for past in ("20200101T000000", soon(-1)):
        assert (await cse.create(place, "cnt", {"et": past})).rsc == RSC.BAD_REQUEST
        assert (await cse.update(place, "cnt", {"et": past})).rsc == RSC.BAD_REQUEST
    for wrong in ("tomorrow", "2030-01-01T00:00:00", "20301301T000000", 5):
        assert (await cse.create(place, "cnt", {"et": wrong})).rsc == RSC.BAD_REQUEST
    assert (await cse.made(place, "cnt", {"et": soon(100_000)}))["et"] == end, "no child outlives its parent"
    assert (await cse.made("cse-in", "cnt", {"rn": name("cnt"), "et": "99990101T000000"}))["et"] < "9999", "the CSE bounds it"
    assert soon(0) < (await cse.changed(place, "cnt", {"et": None}))["et"], "null lets the CSE choose anew"


async def test_a_request_ends_too(cse: Client) -> None:
    """requestExpirationTimestamp passed: 4008 (TS-0004 7.3.2.2); resultExpirationTimestamp not before it."""
    place = await cse.container()
    assert (await cse.create(place, "cnt", {"rn": "late"}, rqet=soon(-1))).rsc == RSC.REQUEST_TIMEOUT
    assert (await cse.retrieve(f"{place}/late")).rsc == RSC.NOT_FOUND
    assert (await cse.create(place, "cnt", {"rn": "early"}, rqet=soon(20))).rsc == RSC.CREATED
    assert (await cse.retrieve(place, rqet=5000)).rsc == RSC.OK, "milliseconds from its reception"
    assert (await cse.retrieve(place, rset=soon(5), rqet=soon(10))).rsc == RSC.BAD_REQUEST
    assert (await cse.retrieve(place, rqet="soon")).rsc == RSC.BAD_REQUEST
