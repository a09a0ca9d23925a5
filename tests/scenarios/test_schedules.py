"""Schedules: what they open and close, over the wire (TS-0001 9.6.9, TS-0004 7.4.9, 7.5.1.2; procedures 7.4, 8)."""

import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from bindings.serve import Server
from cse.codes import Operation
from cse.codes import ResponseStatusCode as RSC
from tests.scenarios.bed import ADMIN, AE, Client, Receiver, Said, Wire, client, config, content, name, receiving, refuse, said

pytestmark = pytest.mark.asyncio(loop_scope="module")

ALWAYS, NEVER = "* * * * * * *", "* * * * * * 2020"
READINGS = {"net": [3], "chty": [4]}
SHUT = ("bindings.courier", "it is closed by its schedule")
"""What the log says when the courier finds a target closed."""


def soon() -> str:
    """Give an entry that opens in one to two seconds, for twenty seconds."""
    start = int(time.time()) + 2
    return f"{','.join(str((start + second) % 60) for second in range(20))} * * * * * *"


async def scheduled(cse: Client, to: str, entry: str, **more: Any) -> str:
    """Make a schedule and give its address."""
    return str((await cse.made(to, "sch", {"se": {"sce": [entry]}, **more}))["path"])


async def subscribed(cse: Client, receiver: Receiver, **attributes: Any) -> str:
    """Make a container that tells a receiver of its readings."""
    place = await cse.container()
    await cse.made(place, "sub", {"rn": "s", "nu": [receiver.url], "enc": READINGS, **attributes})
    await receiver.verification()
    return place


async def readings(cse: Client, place: str, texts: str) -> None:
    """Make one reading after the other."""
    for text in texts:
        await cse.made(place, "cin", {"con": text})


async def got(receiver: Receiver, number: int) -> str:
    """Give the texts of so many readings that a receiver was told of."""
    return "".join([content(await receiver.next())["con"] for _ in range(number)])


@pytest_asyncio.fixture(loop_scope="module")
async def own(url: str, wire: Wire) -> AsyncIterator[Client]:
    """A client of a server for this test alone, which says when it finds a target closed."""
    async with Server(config(url)) as server, client(wire, server) as connected:
        yield connected


@pytest.fixture(autouse=True)
def loud(caplog: pytest.LogCaptureFixture) -> None:
    """Let the courier say what is no trouble too."""
    caplog.set_level("INFO", "bindings.courier")


@pytest.mark.parametrize(("pending", "wanted"), [(None, ""), (1, "c"), (2, "abc")])
async def test_what_happens_outside_of_notification_times_is_told_when_they_begin(cse: Client, receiver: Receiver, pending: int | None, wanted: str) -> None:
    """pendingNotification: nothing, the latest, all; then everything is told as it happens."""
    place = await subscribed(cse, receiver, **({} if pending is None else {"pn": pending}))
    made = await scheduled(cse, f"{place}/s", NEVER)
    assert made == f"{place}/s/notificationSchedule"
    await readings(cse, place, "abc")
    await cse.changed(made, "sch", {"se": {"sce": [ALWAYS]}})
    await readings(cse, place, "d")
    assert await got(receiver, len(wanted) + 1) == f"{wanted}d"
    assert receiver.rest() == []


async def test_notification_times_begin_by_themselves(cse: Client, receiver: Receiver) -> None:
    place = await subscribed(cse, receiver, pn=2)
    await scheduled(cse, f"{place}/s", NEVER)
    await readings(cse, place, "ab")
    await cse.changed(f"{place}/s/notificationSchedule", "sch", {"se": {"sce": [soon()]}})
    assert await got(receiver, 2) == "ab"


async def test_what_is_urgent_is_told_at_any_time(cse: Client, receiver: Receiver) -> None:
    place = await subscribed(cse, receiver, nec=2)
    await scheduled(cse, f"{place}/s", NEVER)
    await readings(cse, place, "a")
    assert await got(receiver, 1) == "a"


async def test_what_was_kept_outlives_the_schedule_and_a_restart(durable: str, wire: Wire, receiver: Receiver) -> None:
    async with Server(config(durable)) as server, client(wire, server) as cse:
        place = await subscribed(cse, receiver, pn=2)
        await scheduled(cse, f"{place}/s", NEVER)
        await readings(cse, place, "ab")
    async with Server(config(durable)) as server, client(wire, server) as cse:
        await readings(cse, place, "c")
        assert receiver.rest() == []
        assert (await cse.delete(f"{place}/s/notificationSchedule")).rsc == RSC.DELETED
        assert await got(receiver, 3) == "abc"


async def test_what_is_for_a_closed_ae_waits_until_it_opens(own: Client, receiver: Receiver) -> None:
    """Order is kept, nobody is called before, and the others go on; so for an UPDATE, and when the time comes by itself."""
    stem = await own.ae(poa=[receiver.poa])
    place = await own.container()
    await own.made(place, "sub", {"nu": [stem], "enc": READINGS})
    await receiver.verification()
    for entry in (ALWAYS, soon()):
        made = await scheduled(own, f"cse-in/{stem}", NEVER)
        with Said(*SHUT) as log:
            await readings(own, place, "a")
            await log.heard()
        await readings(own, place, "bc")
        assert receiver.rest() == []
        await own.changed(made, "sch", {"se": {"sce": [entry]}})
        assert await got(receiver, 3) == "abc"
        assert (await own.delete(made)).rsc == RSC.DELETED


@pytest.mark.parametrize("how", ["delete", "expiry", "link"])
async def test_an_ae_opens_when_what_has_closed_it_is_gone(own: Client, receiver: Receiver, how: str) -> None:
    """By the schedule of the node that it links to: deleted, expired, or the link taken away."""
    node = await own.made("cse-in", "nod", {"rn": name("nod"), "ni": name("ni")})
    stem = await own.ae(poa=[receiver.poa], nl=node["ri"])
    place = await own.container()
    await own.made(place, "sub", {"nu": [stem], "enc": READINGS})
    await receiver.verification()
    made = await scheduled(own, node["path"], NEVER, nco=True)
    with Said(*SHUT) as log:
        await readings(own, place, "ab")
        await log.heard()
    assert receiver.rest() == []
    if how == "delete":
        assert (await own.delete(made)).rsc == RSC.DELETED
    elif how == "expiry":
        until = time.strftime("%Y%m%dT%H%M%S", time.gmtime(time.time() + 2))
        await own.changed(made, "sch", {"et": until})
    else:
        await own.changed(f"cse-in/{stem}", "ae", {"nl": None})
    assert await got(receiver, 2) == "ab"


async def test_of_what_waits_for_a_closed_ae_the_latest_alone_may_be_wanted(own: Client, receiver: Receiver) -> None:
    stem = await own.ae(poa=[receiver.poa])
    place = await own.container()
    await own.made(place, "sub", {"nu": [stem], "enc": READINGS, "pn": 1})
    await receiver.verification()
    made = await scheduled(own, f"cse-in/{stem}", NEVER)
    with Said(*SHUT) as log:
        await readings(own, place, "a")
        await log.heard()
    await readings(own, place, "bc")
    assert (await own.delete(made)).rsc == RSC.DELETED
    assert await got(receiver, 1) == "c"
    await readings(own, place, "d")
    assert await got(receiver, 1) == "d"


async def test_of_what_waits_for_a_target_that_is_away_the_latest_alone_may_be_wanted(cse: Client, receiver: Receiver) -> None:
    """pn 1, as soon as the target is found to be away."""
    place = await subscribed(cse, receiver, pn=1)
    with Said("bindings.courier", "wait:") as log:
        await receiver.close()
        await readings(cse, place, "a")
        await log.heard()
    await readings(cse, place, "bcd")
    receiver.answer = refuse(RSC.INTERNAL_SERVER_ERROR)
    await receiver.open()
    while content(await receiver.next())["con"] != "d":
        pass
    receiver.answer = lambda request: refuse(RSC.BAD_REQUEST)(request)
    assert await got(receiver, 1) == "d"


async def test_a_notification_for_a_closed_ae_is_refused_by_name(cse: Client, receiver: Receiver) -> None:
    """5103; it is passed on again when the schedule is gone."""
    rules = {"acr": [{"acor": ["all"], "acop": 63}]}
    policy = await cse.made("cse-in", "acp", {"rn": name("acp"), "pv": rules, "pvs": rules})
    stem = await cse.ae(poa=[receiver.poa], acpi=[policy["ri"]])
    made = await scheduled(cse, f"cse-in/{stem}", NEVER, rn="hours")
    notification = {"m2m:sgn": {"sur": "cse-in/x"}}
    answer = await cse.send(Operation.NOTIFY, f"cse-in/{stem}", pc=notification)
    assert answer.rsc == RSC.TARGET_NOT_REACHABLE
    assert f"cse-in/{stem}/hours never opens" in said(answer)
    assert (await cse.delete(made)).rsc == RSC.DELETED
    assert (await cse.send(Operation.NOTIFY, f"cse-in/{stem}", pc=notification)).rsc == RSC.OK
    assert (await receiver.request()).pc == notification


async def test_a_closed_cse_is_open_to_its_administrator(own: Client, receiver: Receiver) -> None:
    """All others hear when it opens; deliveries go on, and nobody is locked out."""
    stem = await own.ae()
    place = await subscribed(own, receiver)
    made = await scheduled(own, "cse-in", NEVER, rn="hours")
    for answer in (
        await own.retrieve("cse-in", stem),
        await own.create(f"cse-in/{stem}", "cnt", {}, fr=stem),
        await own.create("cse-in", "ae", AE, fr="Cnew"),
        await own.retrieve("/id-elsewhere/x", stem),
    ):
        assert answer.rsc == RSC.TARGET_NOT_REACHABLE
        assert "cse-in/hours never opens" in said(answer)
    await readings(own, place, "a")
    assert await got(receiver, 1) == "a"
    await own.changed(made, "sch", {"se": {"sce": [soon()]}})
    while not (answer := await own.retrieve(f"cse-in/{stem}", stem)).ok:
        assert "opens next at 20" in said(answer)
    await own.changed(made, "sch", {"se": {"sce": [NEVER]}})
    assert (await own.retrieve(f"cse-in/{stem}", stem)).rsc == RSC.TARGET_NOT_REACHABLE
    assert (await own.delete(made)).rsc == RSC.DELETED
    assert (await own.retrieve(f"cse-in/{stem}", stem)).rsc == RSC.OK


async def test_a_closed_cse_stays_closed_over_a_restart(durable: str, wire: Wire) -> None:
    async with Server(config(durable)) as server, client(wire, server) as cse:
        stem = await cse.ae()
        await scheduled(cse, "cse-in", NEVER, rn="hours")
    async with Server(config(durable)) as server, client(wire, server) as cse:
        assert (await cse.retrieve(f"cse-in/{stem}", stem)).rsc == RSC.TARGET_NOT_REACHABLE
        assert (await cse.delete("cse-in/hours", ADMIN)).rsc == RSC.DELETED
        assert (await cse.retrieve(f"cse-in/{stem}", stem)).rsc == RSC.OK


@pytest.mark.parametrize(
    ("attributes", "code", "word"),
    [
        ({}, RSC.BAD_REQUEST, "se"),
        ({"se": {"sce": []}}, RSC.BAD_REQUEST, "sce"),
        ({"se": {"sce": ["* * 25 * * * *"]}}, RSC.BAD_REQUEST, "hour"),
        ({"se": {"sce": ["* * * * * *"]}}, RSC.BAD_REQUEST, "seven fields"),
        ({"se": {"sce": [ALWAYS]}, "nco": True}, RSC.CONTENTS_UNACCEPTABLE, "nco"),
        ({"se": {"sce": [ALWAYS]}, "rn": "hours"}, RSC.BAD_REQUEST, "notificationSchedule"),
    ],
    ids=str,
)
async def test_a_schedule_with_a_fault_is_refused_by_name(cse: Client, receiver: Receiver, attributes: dict[str, Any], code: RSC, word: str) -> None:
    place = await subscribed(cse, receiver)
    answer = await cse.create(f"{place}/s", "sch", attributes)
    assert (answer.rsc, word in said(answer)) == (code, True)
    assert "m2m:sch" not in await cse.seen(f"{place}/s", rcn=8), "nothing is half created"


async def test_rate_and_batch_together(cse: Client, receiver: Receiver) -> None:
    """No more than one message in the window: the batch goes on collecting while it is full."""
    place = await subscribed(cse, receiver, bn={"num": 2}, rl={"mnn": 1, "tww": "PT1S"})
    await readings(cse, place, "abcde")
    batches = [[content(each)["con"] for each in (await receiver.request()).pc["m2m:agn"]["m2m:sgn"]] for _ in range(2)]
    assert batches[0] == ["a", "b"]
    assert batches[1][:2] == ["c", "d"]


async def test_what_is_of_low_priority_is_dropped_first(url: str, wire: Wire) -> None:
    """notificationStoragePriority, when more waits for a target than the CSE has room for; the log says so."""
    async with Server(config(url, notification__max_stored=3)) as server, client(wire, server) as cse, receiving(wire) as receiver:
        high, low = await subscribed(cse, receiver, nsp=5), await subscribed(cse, receiver, nsp=1)
        for place in (high, low):
            await scheduled(cse, f"{place}/s", NEVER)
            await cse.changed(f"{place}/s", "sub", {"pn": 2})
        with Said("bindings.serve", f"notifications to {receiver.url}: more than 3") as log:
            for text in "abc":
                await readings(cse, high, text.upper())
                await readings(cse, low, text)
            await log.heard()
        for place in (high, low):
            assert (await cse.delete(f"{place}/s/notificationSchedule")).rsc == RSC.DELETED
        assert await got(receiver, 3) == "ABC"
        assert receiver.rest() == []
