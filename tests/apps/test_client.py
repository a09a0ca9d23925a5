"""The client library against a real CSE, over HTTP and CoAP alike."""

import asyncio
from collections.abc import AsyncIterator
from itertools import count

import pytest
import pytest_asyncio

from apps.client import AccessControlOperation as May
from apps.client import Client, Inbox, NotificationEventType, Operation, ResourceTypeID, allow
from apps.demo.process import Running
from cse.errors import BadRequest, Conflict, NotFound, OriginatorHasNoPrivilege, TargetNotReachable

pytestmark = pytest.mark.asyncio(loop_scope="module")
NUMBERS = count(1)


def fresh() -> str:
    """Give a name that no test used before."""
    return f"ae{next(NUMBERS)}"


@pytest_asyncio.fixture(loop_scope="module")
async def ae(url: str) -> AsyncIterator[Client]:
    """A registered AE; its resource is ``cse-in/NAME`` with NAME after the C of its AE-ID."""
    name = fresh()
    async with Client.connect(url, f"C{name}") as client:
        await client.register(name, "N.test")
        yield client


def home(client: Client) -> str:
    """Give the address of a client's AE."""
    return f"cse-in/{(client.originator or '')[1:]}"


async def test_register_keeps_the_identifier_that_the_cse_assigned(url: str) -> None:
    async with Client.connect(url) as client:
        name = fresh()
        made = await client.register(name, "N.test", labels=["a"])
        assert client.originator == made["aei"]
        assert made["aei"][0] in "CS"
        assert made["lbl"] == ["a"]
        assert (await client.retrieve(made)).name == name


async def test_register_again_takes_what_is_there(ae: Client) -> None:
    async with Client.connect(ae.url, ae.originator) as again:
        found = await again.register("another-name", "N.test")
        assert found.address == home(ae)
        assert again.originator == ae.originator


async def test_a_name_that_another_originator_has_is_a_conflict(ae: Client) -> None:
    async with Client.connect(ae.url, f"C{fresh()}") as other:
        with pytest.raises(Conflict):
            await other.register(home(ae).removeprefix("cse-in/"), "N.test")


async def test_ensure_creates_once(ae: Client) -> None:
    first = await ae.ensure(home(ae), ResourceTypeID.CONTAINER, "box", {"mni": 5})
    second = await ae.ensure(home(ae), ResourceTypeID.CONTAINER, "box", {"mni": 7})
    assert first.ri == second.ri
    assert second["mni"] == 5


async def test_ensure_refuses_a_resource_of_another_type(ae: Client) -> None:
    await ae.container(home(ae), "box")
    with pytest.raises(Conflict):
        await ae.ensure(home(ae), ResourceTypeID.GROUP, "box", {"mnm": 1, "mid": []})


@pytest.mark.parametrize("content", ["plain text", {"value": 21.5, "unit": "°C"}, [1, 2, None], 7, True, "", {"long": "x" * 5000}])
async def test_content_comes_back_as_it_was_put(ae: Client, content: object) -> None:
    box = await ae.container(home(ae), "readings/registers")
    put = await ae.put(box, content)
    latest = await ae.latest(box)
    assert latest.content == content
    assert latest.ri == put.ri


async def test_a_name_of_steps_makes_all_of_them(ae: Client) -> None:
    made = await ae.container(home(ae), "cmd/read/in", lbl=["last"])
    assert made.address == f"{home(ae)}/cmd/read/in"
    assert (await ae.retrieve(f"{home(ae)}/cmd/read")).get("lbl") is None


async def test_update_changes_and_none_removes(ae: Client) -> None:
    box = await ae.container(home(ae), "box", lbl=["a"], mni=3)
    changed = await ae.update(box, {"mni": 9, "lbl": None})
    assert changed["mni"] == 9
    assert (await ae.retrieve(box)).get("lbl") is None
    assert (await ae.update(box.address, {"mni": 4}))["mni"] == 4


async def test_only_the_named_attributes_are_read(ae: Client) -> None:
    box = await ae.container(home(ae), "box", mni=3)
    assert dict((await ae.retrieve(box, "mni", "cni")).attributes) == {"mni": 3, "cni": 0}


async def test_delete_takes_the_subtree(ae: Client) -> None:
    await ae.container(home(ae), "a/b")
    await ae.delete(f"{home(ae)}/a")
    with pytest.raises(NotFound, match="b"):
        await ae.retrieve(f"{home(ae)}/a/b")


async def test_a_refusal_is_the_exception_of_its_status_with_the_sentence_of_the_cse(ae: Client) -> None:
    with pytest.raises(BadRequest, match="colour"):
        await ae.create(home(ae), ResourceTypeID.CONTAINER, {"colour": "red"})


async def test_nobody_there_is_not_reachable(url: str) -> None:
    scheme = url.partition(":")[0]
    async with Inbox.http() if scheme == "http" else Inbox.coap() as inbox:
        gone = inbox.url
    async with Client.connect(gone, "Cx") as client:
        with pytest.raises(TargetNotReachable):
            await client.retrieve("cse-in")


async def test_discovery_finds_by_label_and_type_in_pages(ae: Client) -> None:
    made = {(await ae.container(home(ae), f"box{number}", lbl=["warm", str(number)])).address for number in range(5)}
    assert set(await ae.discover(home(ae), labels=["warm"])) == made
    assert await ae.discover(home(ae), labels=["3", "nothing"]) == (f"{home(ae)}/box3",)
    assert await ae.discover(home(ae), types=[ResourceTypeID.GROUP]) == ()
    assert len(await ae.discover(home(ae), types=[ResourceTypeID.CONTAINER], limit=2)) == 2


@pytest.mark.parametrize("kind", ["http", "coap"])
async def test_a_subscription_brings_what_was_put_in_order(ae: Client, kind: str) -> None:
    box = await ae.container(home(ae), "box")
    async with Inbox.http() if kind == "http" else Inbox.coap() as inbox, asyncio.timeout(20):
        await ae.subscribe(box, f"{inbox.url}/here")
        for number in range(5):
            await ae.put(box, {"number": number})
        arrived = [await inbox.next() for _ in range(5)]
    assert [one.resource.content["number"] for one in arrived if one.resource] == [0, 1, 2, 3, 4]
    assert {one.event for one in arrived} == {NotificationEventType.CREATE_OF_DIRECT_CHILD_RESOURCE}
    assert {one.path for one in arrived} == {"here"}
    assert len({one.identifier for one in arrived}) == 5


async def test_subscribing_again_moves_the_subscription(ae: Client) -> None:
    box = await ae.container(home(ae), "box")
    async with Inbox.http() as first, Inbox.http() as second, asyncio.timeout(20):
        await ae.subscribe(box, first)
        await ae.subscribe(box, second, events=[NotificationEventType.UPDATE_OF_RESOURCE])
        await ae.update(box, {"mni": 3})
        moved = await second.next()
    assert moved.event is NotificationEventType.UPDATE_OF_RESOURCE
    assert moved.resource is not None
    assert moved.resource["mni"] == 3


async def test_the_end_of_a_subscription_is_told(ae: Client) -> None:
    box = await ae.container(home(ae), "box")
    async with Inbox.http() as inbox, asyncio.timeout(20):
        await ae.subscribe(box, inbox, su=inbox.url, name="watch")
        await ae.delete(f"{box.address}/watch")
        last = await inbox.next()
    assert last.deleted
    assert last.resource is None


async def test_a_policy_opens_for_others_exactly_what_it_names(ae: Client) -> None:
    async with Client.connect(ae.url, f"C{fresh()}") as other:
        await other.register(fresh(), "N.test")
        rules = [allow([ae.originator or ""]), allow([other.originator or ""], May.RETRIEVE)]
        policy = await ae.access_policy(home(ae), "acp", rules)
        box = await ae.container(home(ae), "box", acpi=[policy.ri])
        await ae.put(box, "seen")
        assert (await other.latest(box)).content == "seen"
        with pytest.raises(OriginatorHasNoPrivilege):
            await other.put(box, "written")
        await ae.access_policy(home(ae), "acp", rules[:1])
        with pytest.raises(OriginatorHasNoPrivilege):
            await other.latest(box)


async def test_a_group_answers_for_all_its_members(ae: Client) -> None:
    boxes = [await ae.container(home(ae), f"box{number}") for number in range(3)]
    for number, box in enumerate(boxes[:2]):
        await ae.put(box, {"number": number})
    group = await ae.group(home(ae), "all", boxes[:1], room=5)
    group = await ae.group(home(ae), "all", boxes)
    answers = await ae.fan_out(group, "la")
    assert [one.resource.content["number"] if one.resource else None for one in answers] == [0, 1, None]
    assert isinstance(answers[2].error, NotFound)
    created = await ae.fan_out(group, op=Operation.CREATE, ty=4, pc={"m2m:cin": {"con": "to all"}})
    assert [one.code for one in created] == [2001] * 3
    assert (await ae.latest(boxes[2])).content == "to all"


async def test_notify_reaches_the_points_of_an_ae(url: str, cse: Running) -> None:
    async with Inbox.http() as inbox, Client.connect(url, f"C{fresh()}") as client, asyncio.timeout(20):
        registered = await client.register(fresh(), "N.test", reachable=True, points=[inbox.url])
        await client.notify(registered, {"m2m:sgn": {"sur": "cse-in/anything", "nev": {"net": 1, "rep": {"m2m:cnt": {"rn": "told"}}}}})
        told = await inbox.next()
    assert told.resource is not None
    assert told.resource.name == "told"
