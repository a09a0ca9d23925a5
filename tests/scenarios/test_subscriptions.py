"""Subscriptions: what is told to whom, when and how (TS-0001 9.6.8, 10.2.10, TS-0004 7.4.8, 7.5.1.2)."""

from typing import Any

import pytest

from cse.codes import ResponseStatusCode as RSC
from cse.primitives import Request, Response
from tests.scenarios.bed import ADMIN, Client, Receiver, Wire, agree, content, name, receiving, refuse, said

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOWHERE = "http://127.0.0.1:9/"


async def subscribed(cse: Client, place: str, receiver: Receiver, **attributes: Any) -> dict[str, Any]:
    """Subscribe a receiver, which takes the verification."""
    made = await cse.made(place, "sub", {"rn": name("sub"), "nu": [receiver.url], **attributes})
    await receiver.verification()
    return made


async def quiet(cse: Client, receiver: Receiver) -> bool:
    """Tell whether nothing is on its way to a receiver: a notification that was caused now is the only one it gets."""
    place = await cse.container()
    await subscribed(cse, place, receiver, enc={"net": [1]})
    await cse.changed(place, "cnt", {"lbl": ["end"]})
    last = await receiver.next()
    return content(last, "cnt")["lbl"] == ["end"] and receiver.rest() == []


async def test_a_subscription_is_verified_and_then_told_of_every_reading_in_order(cse: Client, receiver: Receiver) -> None:
    place = await cse.container()
    made = await cse.made(place, "sub", {"rn": "s", "nu": [receiver.url], "enc": {"net": [3]}})
    asked = await receiver.verification()
    assert asked["vrq"] is True
    assert asked["cr"] == ADMIN
    assert made["nct"] == 1, "all attributes, the default for net 3 (6.3.4.2.18)"
    for number in range(20):
        await cse.made(place, "cin", {"con": str(number)})
    requests = [await receiver.request() for _ in range(20)]
    assert [content(request.pc["m2m:sgn"])["con"] for request in requests] == [str(number) for number in range(20)]
    assert {request.fr for request in requests} == {"/id-in"}
    assert len({request.rqi for request in requests}) == 20
    one = requests[0].pc["m2m:sgn"]
    assert one["nev"]["net"] == 3
    assert one["sur"] == asked["sur"]
    assert (await cse.seen(one["sur"]))["ri"] == made["ri"], "sur is an address of the subscription"
    assert content(one)["pi"] == (await cse.seen(place))["ri"], "the whole instance is told"


async def test_every_event_type_is_told_of_what_it_is_about(cse: Client, receiver: Receiver) -> None:
    """net 1, 3, 4, 5 and 2, one subscription each."""
    place = await cse.container()
    names = {(await subscribed(cse, place, receiver, enc={"net": [net]}))["ri"]: net for net in (1, 2, 4, 5, 3)}

    async def told(net: int, kind: str) -> dict[str, Any]:
        found = await receiver.next()
        assert found["nev"]["net"] == net
        assert names[found["sur"].rpartition("/")[2]] == net
        return content(found, kind)

    await cse.retrieve(place, rcn=4)
    assert (await told(5, "cnt"))["rn"] == place.rpartition("/")[2], "read with children, and there was no instance"
    await cse.changed(place, "cnt", {"lbl": ["a"]})
    assert (await told(1, "cnt"))["lbl"] == ["a"]
    inner = await cse.made(place, "cnt", {"rn": "inner"})
    assert (await told(3, "cnt"))["ri"] == inner["ri"]
    await cse.made(place, "cin", {"con": "x"})
    assert (await told(3, "cin"))["con"] == "x"
    await cse.retrieve(place, rcn=4)
    await cse.delete(inner["path"])
    assert (await told(4, "cnt"))["ri"] == inner["ri"], "and no net 5, since there is an instance now"
    await cse.delete(f"{place}/la")
    assert (await told(4, "cin"))["con"] == "x"
    await cse.delete(place)
    assert (await told(2, "cnt"))["lbl"] == ["a"]
    assert await quiet(cse, receiver)


@pytest.mark.parametrize(
    ("criteria", "wanted"),
    [
        ({"net": [3], "chty": [4]}, ["cin"]),
        ({"net": [3], "chty": [3]}, ["cnt"]),
        ({"net": [1]}, ["lbl", "mni"]),
        ({}, ["lbl", "mni"]),
        ({"net": [1], "atr": ["lbl"]}, ["lbl"]),
        ({"net": [1], "atr": ["mni"]}, ["mni"]),
        ({"net": [1, 3]}, ["cin", "cnt", "lbl", "mni"]),
        ({"net": [3], "sza": 3}, ["cin"]),
        ({"net": [3], "szb": 3}, []),
        ({"net": [3], "crb": "20200101T000000"}, []),
        ({"net": [3], "cra": "20200101T000000"}, ["cin", "cnt"]),
        ({"net": [1], "stb": 3}, ["mni"]),
        ({"net": [1], "exb": "20200101T000000"}, []),
        ({"om": [{"ops": 1}]}, ["cin", "cnt"]),
        ({"om": [{"ops": 4}]}, ["lbl", "mni"]),
        ({"om": [{"ops": 5}]}, ["cin", "cnt", "lbl", "mni"]),
        ({"om": [{"or": "Cnobody"}]}, []),
        ({"om": [{"or": ADMIN, "ops": 1}]}, ["cin", "cnt"]),
    ],
    ids=str,
)
async def test_criteria_choose_among_events(cse: Client, receiver: Receiver, criteria: dict[str, Any], wanted: list[str]) -> None:
    """eventNotificationCriteria: attributes, child types, times, sizes, state tags, operations (TS-0001 9.6.8)."""
    place = await cse.container()
    await subscribed(cse, place, receiver, enc={"net": [2]})
    await subscribed(cse, place, receiver, **({"enc": criteria} if criteria else {}))
    await cse.made(place, "cin", {"con": "four"})
    await cse.made(place, "cnt", {"rn": "inner"})
    await cse.changed(place, "cnt", {"lbl": ["lbl"]})
    await cse.changed(place, "cnt", {"mni": 5})
    await cse.retrieve(place)
    await cse.delete(place)
    found = []
    while (one := await receiver.next())["nev"].get("net") != 2:
        ((kind, shown),) = one["nev"]["rep"].items()
        itself = place.endswith(f"/{shown['rn']}")
        found.append(("mni" if "mni" in shown else "lbl") if itself else kind.removeprefix("m2m:"))
    assert found == wanted


@pytest.mark.parametrize(("net", "nct"), [(1, 1), (1, 2), (1, 3), (3, 1), (3, 3)])
async def test_the_content_is_what_was_asked_for(cse: Client, receiver: Receiver, net: int, nct: int) -> None:
    """notificationContentType 1 all attributes, 2 modified ones, 3 the identifier."""
    place = await cse.container(mni=7)
    await subscribed(cse, place, receiver, nct=nct, enc={"net": [net]})
    if net == 1:
        await cse.changed(place, "cnt", {"lbl": ["a"]})
        ri, kind = (await cse.seen(place))["ri"], "cnt"
    else:
        ri, kind = (await cse.made(place, "cin", {"con": "x"}))["ri"], "cin"
    shown = (await receiver.next())["nev"]["rep"]
    if nct == 3:
        assert shown["m2m:uri"].rpartition("/")[2] == ri
    elif nct == 2:
        assert shown["m2m:cnt"]["lbl"] == ["a"]
        assert not {"ri", "rn", "mni", "ct", "cni"} & set(shown["m2m:cnt"]), "what was not modified is left out"
    else:
        assert shown[f"m2m:{kind}"]["ri"] == ri


async def test_a_target_that_does_not_agree_is_not_subscribed(cse: Client, wire: Wire) -> None:
    """TS-0004 7.4.8.2.1: refused, silent or absent, the CREATE fails with 5204 and leaves nothing."""
    place = await cse.container()
    async with receiving(wire, refuse(RSC.SUBSCRIPTION_CREATOR_HAS_NO_PRIVILEGE)) as unwilling:
        answer = await cse.create(place, "sub", {"rn": "s", "nu": [unwilling.url]})
        assert answer.rsc == RSC.SUBSCRIPTION_VERIFICATION_INITIATION_FAILED
        assert unwilling.url in said(answer)
    answer = await cse.create(place, "sub", {"rn": "s", "nu": [unwilling.url]})
    assert answer.rsc == RSC.SUBSCRIPTION_VERIFICATION_INITIATION_FAILED, "nobody is there any more"
    for nowhere in ("cse-in/nowhere", await cse.ae()):
        assert (await cse.create(place, "sub", {"rn": "s", "nu": [nowhere]})).rsc == RSC.SUBSCRIPTION_VERIFICATION_INITIATION_FAILED
    assert (await cse.retrieve(f"{place}/s")).rsc == RSC.NOT_FOUND


async def test_one_unwilling_target_of_several_is_enough_to_fail(cse: Client, wire: Wire, receiver: Receiver) -> None:
    place = await cse.container()
    async with receiving(wire, refuse(RSC.BAD_REQUEST)) as unwilling:
        assert (await cse.create(place, "sub", {"rn": "s", "nu": [receiver.url, unwilling.url]})).rsc == RSC.SUBSCRIPTION_VERIFICATION_INITIATION_FAILED
    await cse.changed(place, "cnt", {"lbl": ["x"]})
    assert await quiet(cse, receiver)


async def test_an_originator_that_is_its_own_target_is_not_asked_and_is_told_at_its_point_of_access(cse: Client, receiver: Receiver) -> None:
    stem = await cse.ae(poa=[receiver.poa])
    place = (await cse.made(f"cse-in/{stem}", "cnt", {"rn": "c"}, fr=stem))["path"]
    await cse.made(place, "sub", {"nu": [stem], "enc": {"net": [3]}}, fr=stem)
    await cse.made(place, "cin", {"con": "x"}, fr=stem)
    assert content(await receiver.next())["con"] == "x"
    assert receiver.verifications.empty()
    async with receiving(receiver.wire) as moved:
        await cse.changed(stem, "ae", {"poa": [moved.poa]}, stem)
        await cse.made(place, "cin", {"con": "y"}, fr=stem)
        assert content(await moved.next())["con"] == "y", "poa is looked up when it is sent"


@pytest.mark.parametrize("form", ["{0}", "cse-in/{0}", "/id-in/{0}", "/id-in/cse-in/{0}", "//acme.example.com/id-in/{0}"])
async def test_a_target_is_named_in_every_form(cse: Client, receiver: Receiver, form: str) -> None:
    stem = await cse.ae(poa=[receiver.poa])
    place = await cse.container()
    await cse.made(place, "sub", {"nu": [form.format(stem)], "enc": {"net": [3]}})
    await receiver.verification()
    await cse.made(place, "cin", {"con": "x"})
    assert content(await receiver.next())["con"] == "x"


async def test_all_targets_are_told_and_targets_change(cse: Client, wire: Wire, receiver: Receiver) -> None:
    place = await cse.container()
    async with receiving(wire) as second, receiving(wire) as third, receiving(wire, refuse(RSC.BAD_REQUEST)) as unwilling:
        made = await cse.made(place, "sub", {"nu": [receiver.url, second.url], "enc": {"net": [3]}})
        await cse.made(place, "cin", {"con": "1"})
        assert [content(await each.next())["con"] for each in (receiver, second)] == ["1", "1"]
        assert (await cse.update(made["path"], "sub", {"nu": [unwilling.url]})).rsc == RSC.SUBSCRIPTION_VERIFICATION_INITIATION_FAILED
        second.verifications.get_nowait()
        await cse.changed(made["path"], "sub", {"nu": [second.url, third.url]})
        await third.verification()
        assert second.verifications.empty(), "only new targets are asked"
        await cse.made(place, "cin", {"con": "2"})
        assert [content(await each.next())["con"] for each in (second, third)] == ["2", "2"]
        assert receiver.rest() == []


async def test_a_batch_is_sent_when_it_is_full(cse: Client, receiver: Receiver) -> None:
    """batchNotify: m2m:agn, oldest first (TS-0004 7.5.1.2.7)."""
    place = await cse.container()
    made = await subscribed(cse, place, receiver, enc={"net": [3]}, bn={"num": 3, "dur": "PT1H"})
    for text in "abcdefg":
        await cse.made(place, "cin", {"con": text})
    batches = [(await receiver.request()).pc["m2m:agn"]["m2m:sgn"] for _ in range(2)]
    assert [[content(one)["con"] for one in batch] for batch in batches] == [["a", "b", "c"], ["d", "e", "f"]]
    await cse.delete(made["path"])
    (last,) = (await receiver.request()).pc["m2m:agn"]["m2m:sgn"]
    assert content(last)["con"] == "g", "nothing that was collected is lost"


async def test_a_batch_is_sent_when_its_time_is_over(cse: Client, receiver: Receiver) -> None:
    place = await cse.container()
    await subscribed(cse, place, receiver, enc={"net": [3]}, bn={"dur": "PT0.2S"})
    for text in "ab":
        await cse.made(place, "cin", {"con": text})
    got: list[str] = []
    while len(got) < 2:
        got += [content(one)["con"] for one in (await receiver.request()).pc["m2m:agn"]["m2m:sgn"]]
    assert got == ["a", "b"]


async def test_only_the_latest_waits_for_a_target_that_is_busy(cse: Client, receiver: Receiver) -> None:
    """latestNotify: older ones that still wait are dropped, event category 4 (TS-0004 7.5.1.2.5)."""
    place = await cse.container()
    await subscribed(cse, place, receiver, enc={"net": [3]}, ln=True)
    receiver.answer = refuse(RSC.INTERNAL_SERVER_ERROR)
    for text in "abcde":
        await cse.made(place, "cin", {"con": text})
    accepted: list[Request] = []

    def accept(request: Request) -> Response:
        accepted.append(request)
        return agree(request)

    receiver.answer = accept
    while content((await receiver.request()).pc["m2m:sgn"])["con"] != "e" or not accepted:
        pass
    assert [(content(each.pc["m2m:sgn"])["con"], each.ec) for each in accepted] == [("e", 4)], "one attempt may be of an older one; it was refused"
    assert await quiet(cse, receiver)


async def test_a_counter_ends_a_subscription_and_its_subscriber_hears_of_it(cse: Client, wire: Wire, receiver: Receiver) -> None:
    """expirationCounter counts events; at none left the subscription goes and subscriberURI is told (TS-0001 9.6.8)."""
    place = await cse.container()
    async with receiving(wire) as subscriber:
        made = await subscribed(cse, place, receiver, enc={"net": [3]}, exc=2, su=subscriber.url)
        await cse.made(place, "cin", {"con": "a"})
        assert (await cse.seen(made["path"]))["exc"] == 1
        await cse.made(place, "cin", {"con": "b"})
        assert (await cse.retrieve(made["path"])).rsc == RSC.NOT_FOUND
        await cse.made(place, "cin", {"con": "c"})
        assert [content(await receiver.next())["con"] for _ in range(2)] == ["a", "b"]
        ended = await subscriber.next()
        assert ended["sud"] is True
        assert ended["sur"].endswith(made["ri"])
    assert await quiet(cse, receiver)


@pytest.mark.parametrize("how", ["itself", "parent", "ancestor"])
async def test_the_subscriber_is_told_that_its_subscription_was_deleted(cse: Client, wire: Wire, receiver: Receiver, how: str) -> None:
    """TS-0004 7.4.8.2.4, once, however it went."""
    top = await cse.container()
    place = (await cse.made(top, "cnt", {"rn": "inner"}))["path"]
    made = await subscribed(cse, place, receiver, enc={"net": [3]}, su=receiver.url)
    assert (await cse.delete({"itself": made["path"], "parent": place, "ancestor": top}[how])).rsc == RSC.DELETED
    ended = await receiver.next()
    assert (ended["sud"], ended["sur"].rpartition("/")[2]) == (True, made["ri"])
    assert await quiet(cse, receiver)


async def test_the_event_category_goes_along(cse: Client, receiver: Receiver) -> None:
    place = await cse.container()
    await subscribed(cse, place, receiver, enc={"net": [3]}, nec=2)
    await cse.made(place, "cin", {"con": "x"})
    assert (await receiver.request()).ec == 2


async def test_a_subscriber_must_be_allowed_to_read_what_it_will_be_told(cse: Client, receiver: Receiver) -> None:
    """TS-0004 7.4.8.2.1: CREATE and RETRIEVE on the parent."""
    stem, place = await cse.ae(), await cse.container()
    assert (await cse.create(place, "sub", {"nu": [receiver.url]}, fr=stem)).rsc == RSC.ORIGINATOR_HAS_NO_PRIVILEGE
    for operations, code in ((1, RSC.ORIGINATOR_HAS_NO_PRIVILEGE), (2, RSC.ORIGINATOR_HAS_NO_PRIVILEGE), (3, RSC.CREATED)):
        rules = {"pv": {"acr": [{"acor": [stem], "acop": operations}]}, "pvs": {"acr": [{"acor": [ADMIN], "acop": 63}]}}
        policy = await cse.made("cse-in", "acp", {"rn": name("acp"), **rules})
        await cse.changed(place, "cnt", {"acpi": [policy["ri"]]})
        assert (await cse.create(place, "sub", {"nu": [receiver.url]}, fr=stem)).rsc == code


@pytest.mark.parametrize(
    ("attributes", "word"),
    [
        ({}, "nu"),
        ({"nu": []}, "nu"),
        ({"nu": [NOWHERE], "enc": {"net": [99]}}, "net"),
        ({"nu": [NOWHERE], "enc": {"net": [1], "om": [{"ops": 1}]}}, "om"),
        ({"nu": [NOWHERE], "enc": {"net": [3], "chty": [2]}}, "chty"),
        ({"nu": [NOWHERE], "enc": {"net": [8]}}, "net 8"),
        ({"nu": [NOWHERE], "enc": {"net": [6]}}, "net 6"),
        ({"nu": [NOWHERE], "enc": {"net": [3]}, "nct": 2}, "nct"),
        ({"nu": [NOWHERE], "enc": {"net": [7]}}, "nu"),
        ({"nu": [NOWHERE], "enc": {"net": [7, 1]}}, "net"),
        ({"nu": ["Cx"], "enc": {"net": [7]}, "exc": 1}, "exc"),
        ({"nu": [NOWHERE], "exc": 0}, "exc"),
        ({"nu": [NOWHERE], "cr": "Cme"}, "cr"),
        ({"nu": [NOWHERE], "et": "20200101T000000"}, "et"),
        ({"nu": [NOWHERE], "enc": {"colour": 1}}, "colour"),
    ],
    ids=str,
)
async def test_a_subscription_with_a_fault_is_refused_by_name(cse: Client, attributes: dict[str, Any], word: str) -> None:
    """TS-0004 7.4.8.2.1; before anybody is asked to verify it."""
    place = await cse.container()
    answer = await cse.create(place, "sub", {"rn": "s", **attributes})
    assert answer.rsc == RSC.BAD_REQUEST
    assert word in said(answer)
    assert (await cse.retrieve(f"{place}/s")).rsc == RSC.NOT_FOUND


async def test_what_may_be_subscribed_to(cse: Client, receiver: Receiver) -> None:
    """AE, policy, group and CSEBase as well; not a subscription nor la (procedures 7.1, 22)."""
    stem = await cse.ae()
    policy = await cse.made("cse-in", "acp", {"rn": name("acp"), "pv": {"acr": []}, "pvs": {"acr": [{"acor": [ADMIN], "acop": 63}]}})
    group = await cse.made("cse-in", "grp", {"rn": name("grp"), "mnm": 2, "mid": []})
    for place in (f"cse-in/{stem}", policy["path"], group["path"], "cse-in"):
        made = await subscribed(cse, place, receiver, enc={"net": [1]})
        assert (await cse.create(made["path"], "sub", {"nu": [receiver.url]})).rsc == RSC.TARGET_NOT_SUBSCRIBABLE
    place = await cse.container()
    await cse.made(place, "cin", {"con": "x"})
    assert (await cse.create(f"{place}/la", "sub", {"nu": [receiver.url]})).rsc in (RSC.OPERATION_NOT_ALLOWED, RSC.TARGET_NOT_SUBSCRIBABLE)
    await cse.changed(group["path"], "grp", {"mid": [stem]})
    assert content(await receiver.next(), "grp")["mid"] == [stem]


async def test_serialisation_is_that_of_the_target(cse: Client) -> None:
    """``?ct=`` at the end of a target chooses (procedures 7.4), whatever the wire of the change."""
    place = await cse.container()
    for binding in ("http", "coap"):
        for media in ("json", "cbor"):
            async with receiving(Wire(binding, media)) as target:
                made = await subscribed(cse, place, target, enc={"net": [3]})
                await cse.made(place, "cin", {"con": "ä"})
                assert content(await target.next())["con"] == "ä"
                await cse.delete(made["path"])
