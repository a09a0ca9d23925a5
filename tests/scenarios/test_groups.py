"""Groups: members and their types, and requests that go to all of them (TS-0001 9.6.13, 10.2.7, TS-0004 7.4.13, 7.4.14)."""

from collections.abc import Mapping
from typing import Any

import pytest

from cse.codes import Operation
from cse.codes import ResponseStatusCode as RSC
from tests.scenarios.bed import ADMIN, Client, Receiver, content, members, name, said

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def grouped(cse: Client, mid: list[str], fr: str = ADMIN, **attributes: Any) -> str:
    """Make a group; its path."""
    made = await cse.made("cse-in", "grp", {"rn": name("grp"), "mnm": 50, "mid": mid, **attributes}, fr=fr)
    return str(made["path"])


def codes(found: list[dict[str, Any]]) -> list[int]:
    """Give the response status codes of members."""
    return [each["rsc"] for each in found]


def shown(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Give the representation in the response of a member."""
    ((_, found),) = entry["pc"].items()
    assert isinstance(found, dict)
    return found


async def test_every_operation_reaches_every_member_and_answers_come_in_their_order(cse: Client) -> None:
    places = [await cse.container() for _ in range(4)]
    group = await grouped(cse, places, mt=3)
    answer = await cse.create(f"{group}/fopt", "cin", {"con": "7"})
    assert codes(found := members(answer)) == [RSC.CREATED] * 4
    assert [each["fr"] for each in found] == places
    assert [shown(each)["pi"] for each in found] == [(await cse.seen(place))["ri"] for place in places]
    assert len({each["rqi"] for each in found}) == 4

    assert [shown(each)["con"] for each in members(await cse.retrieve(f"{group}/fopt/la"))] == ["7"] * 4
    assert codes(members(await cse.update(f"{group}/fopt", "cnt", {"lbl": ["all"]}))) == [RSC.UPDATED] * 4
    assert [shown(each)["lbl"] for each in members(await cse.retrieve(f"{group}/fopt"))] == [["all"]] * 4
    assert codes(members(await cse.delete(f"{group}/fopt/la"))) == [RSC.DELETED] * 4
    assert codes(members(await cse.retrieve(f"{group}/fopt/la"))) == [RSC.NOT_FOUND] * 4
    found = members(await cse.retrieve(f"{group}/fopt", fc={"fu": 1, "ty": [4]}))
    assert [each["pc"] for each in found] == [{"m2m:uril": []}] * 4, "discovery below each member"

    assert codes(members(await cse.delete(f"{group}/fopt"))) == [RSC.DELETED] * 4
    left = await cse.seen(group)
    assert (left["mid"], left["cnm"]) == ([], 0), "members that were deleted leave the group"
    assert (await cse.retrieve(f"{group}/fopt")).rsc == RSC.NO_MEMBERS


async def test_a_member_that_fails_is_told_among_the_others(cse: Client) -> None:
    """Each member is judged for itself with the originator's rights (TS-0004 7.4.14.2.4)."""
    stem = await cse.ae()
    own = (await cse.made(f"cse-in/{stem}", "cnt", {"rn": "own"}, fr=stem))["path"]
    shut, gone = await cse.container(), await cse.container()
    group = await grouped(cse, [shut, own, gone], acpi=[await everybody(cse)])
    assert (await cse.delete(gone)).rsc == RSC.DELETED
    found = members(await cse.create(f"{group}/fopt", "cin", {"con": "x"}, fr=stem))
    assert codes(found) == [RSC.ORIGINATOR_HAS_NO_PRIVILEGE, RSC.CREATED, RSC.NOT_FOUND]
    assert [each["fr"] for each in found] == [shut, own, gone]
    assert (await cse.seen(shut))["cni"] == 0
    assert codes(members(await cse.delete(f"{group}/fopt", stem))) == [RSC.ORIGINATOR_HAS_NO_PRIVILEGE, RSC.DELETED, RSC.NOT_FOUND]
    assert (await cse.seen(group))["mid"] == [shut, gone]


async def everybody(cse: Client, operations: int = 63) -> str:
    """Make a policy that lets everybody do some operations."""
    rules = {"pv": {"acr": [{"acor": ["all"], "acop": operations}]}, "pvs": {"acr": [{"acor": [ADMIN], "acop": 63}]}}
    return str((await cse.made("cse-in", "acp", {"rn": name("acp"), **rules}))["ri"])


async def test_who_may_fan_out_is_said_by_macp_and_without_it_by_acpi(cse: Client) -> None:
    stem = await cse.ae()
    place = (await cse.made(f"cse-in/{stem}", "cnt", {"rn": "own"}, fr=stem))["path"]
    cases: tuple[tuple[dict[str, Any], RSC], ...] = (
        ({}, RSC.ORIGINATOR_HAS_NO_PRIVILEGE),
        ({"acpi": [await everybody(cse)]}, RSC.OK),
        ({"acpi": [await everybody(cse)], "macp": [await everybody(cse, 1)]}, RSC.ORIGINATOR_HAS_NO_PRIVILEGE),
        ({"macp": [await everybody(cse, 2)]}, RSC.OK),
    )
    for attributes, code in cases:
        group = await grouped(cse, [place], **attributes)
        assert (await cse.retrieve(f"{group}/fopt", stem)).rsc == code


async def test_groups_in_groups_give_one_flat_answer_and_loops_are_cut(cse: Client) -> None:
    """A nested m2m:agr is merged (procedures 11.2); a group that is reached twice answers 4104 and nothing happens."""
    one, two, three = [await cse.container() for _ in range(3)]
    inner = await grouped(cse, [two, three])
    outer = await grouped(cse, [one, f"{inner}/fopt"])
    found = members(await cse.create(f"{outer}/fopt", "cin", {"con": "x"}))
    assert [(each["rsc"], each["fr"]) for each in found] == [(RSC.CREATED, one), (RSC.CREATED, two), (RSC.CREATED, three)]
    await cse.changed(inner, "grp", {"mid": [two, f"{outer}/fopt", three]})
    found = members(await cse.create(f"{outer}/fopt", "cin", {"con": "y"}))
    assert codes(found).count(RSC.CREATED) == 3
    assert codes(found).count(RSC.GROUP_REQUEST_IDENTIFIER_EXISTS) == 1
    assert [(await cse.seen(place))["cni"] for place in (one, two, three)] == [2, 2, 2], "each has it once"
    itself = await grouped(cse, [one])
    await cse.changed(itself, "grp", {"mid": [f"{itself}/fopt", one]})
    assert codes(members(await cse.retrieve(f"{itself}/fopt"))) == [RSC.GROUP_REQUEST_IDENTIFIER_EXISTS, RSC.OK]


async def test_some_members_can_be_chosen(cse: Client) -> None:
    places = [await cse.container() for _ in range(3)]
    group = await grouped(cse, places)
    found = members(await cse.retrieve(f"{group}/fopt", grtm=(places[2], places[0])))
    assert [each["fr"] for each in found] == [places[0], places[2]], "in member order"
    assert (await cse.retrieve(f"{group}/fopt", grtm=(places[0], "cse-in"))).rsc == RSC.BAD_REQUEST
    answer = await cse.create(f"{group}/fopt", "cin", {"con": "x"}, gid="my-own-request")
    assert codes(members(answer)) == [RSC.CREATED] * 3
    again = await cse.create(f"{group}/fopt", "cin", {"con": "x"}, gid="my-own-request")
    assert again.rsc == RSC.GROUP_REQUEST_IDENTIFIER_EXISTS
    assert [(await cse.seen(place))["cni"] for place in places] == [1, 1, 1]


async def test_a_member_is_named_in_every_form(cse: Client) -> None:
    place = await cse.container()
    ri = (await cse.seen(place))["ri"]
    forms = [place, ri, f"-/{place.partition('/')[2]}", f"/id-in/{place}", f"/id-in/{ri}", f"//acme.example.com/id-in/{place}"]
    for form in forms:
        group = await grouped(cse, [form], mt=3)
        found = members(await cse.retrieve(f"{group}/fopt"))
        assert [(each["rsc"], each["fr"], shown(each)["ri"]) for each in found] == [(RSC.OK, form, ri)]
    once = await grouped(cse, forms, mt=3)
    assert (await cse.seen(once))["mid"] == [place], "one resource is one member, however it is named"


async def test_members_must_fit_the_group(cse: Client) -> None:
    """Number and type (TS-0004 7.4.13.2.1)."""
    place, stem = await cse.container(), await cse.ae()
    make = {"rn": name("grp"), "mid": [place, stem]}
    assert (await cse.create("cse-in", "grp", make)).rsc == RSC.BAD_REQUEST, "mnm is mandatory"
    assert (await cse.create("cse-in", "grp", {**make, "mnm": 1})).rsc == RSC.MAX_NUMBER_OF_MEMBER_EXCEEDED
    answer = await cse.create("cse-in", "grp", {**make, "mnm": 5, "mt": 3, "csy": 2})
    assert answer.rsc == RSC.GROUP_MEMBER_TYPE_INCONSISTENT
    assert stem in said(answer)
    for strategy, mid, mt in ((1, [place], 3), (3, [place, stem], 0)):
        made = await cse.made("cse-in", "grp", {"rn": name("grp"), "mid": [place, stem, place], "mnm": 5, "mt": 3, "csy": strategy})
        assert (made["mid"], made["mt"], made["cnm"], made["mtv"]) == (mid, mt, len(mid), True)
    group = await grouped(cse, [place, stem])
    assert (await cse.seen(group))["cnm"] == 2
    assert (await cse.update(group, "grp", {"mnm": 1})).rsc == RSC.MAX_NUMBER_OF_MEMBER_EXCEEDED
    assert (await cse.update(group, "grp", {"mt": 3})).rsc == RSC.BAD_REQUEST
    changed = await cse.changed(group, "grp", {"mid": [stem, stem]})
    assert (changed["mid"], changed["cnm"]) == ([stem], 1)


async def test_children_that_members_cannot_have_are_refused_at_once(cse: Client) -> None:
    place = await cse.container()
    typed, mixed = await grouped(cse, [place], mt=3), await grouped(cse, [place])
    assert (await cse.create(f"{typed}/fopt", "acp", {"pv": {"acr": []}, "pvs": {"acr": []}})).rsc == RSC.INVALID_CHILD_RESOURCE_TYPE
    assert codes(members(await cse.create(f"{mixed}/fopt", "grp", {"mnm": 1, "mid": []}))) == [RSC.INVALID_CHILD_RESOURCE_TYPE]
    assert codes(members(await cse.create(f"{mixed}/fopt", "cin", {"colour": 1}))) == [RSC.BAD_REQUEST]


async def test_a_notification_reaches_all_members(cse: Client, receiver: Receiver) -> None:
    """NOTIFY through a fan-out point, each AE at its point of access (TS-0004 7.3.3.9)."""
    stems = [await cse.ae(poa=[receiver.poa]) for _ in range(3)]
    group = await grouped(cse, stems, mt=2)
    sent = {"m2m:sgn": {"nev": {"rep": {"m2m:cin": {"con": "news"}}, "net": 3}, "sur": "/id-in/x"}}
    found = members(await cse.send(Operation.NOTIFY, f"{group}/fopt", pc=sent))
    assert codes(found) == [RSC.OK] * 3
    assert [content(await receiver.next())["con"] for _ in range(3)] == ["news"] * 3
    await receiver.close()
    assert codes(members(await cse.send(Operation.NOTIFY, f"{group}/fopt", pc=sent))) == [RSC.TARGET_NOT_REACHABLE] * 3


async def test_subscriptions_to_all_members_are_made_at_once(cse: Client, receiver: Receiver) -> None:
    places = [await cse.container() for _ in range(3)]
    group = await grouped(cse, places, mt=3)
    found = members(await cse.create(f"{group}/fopt", "sub", {"rn": "s", "nu": [receiver.url], "enc": {"net": [3]}}))
    assert codes(found) == [RSC.CREATED] * 3
    await cse.create(f"{group}/fopt", "cin", {"con": "x"})
    told = {(await receiver.next())["sur"].rpartition("/")[2] for _ in range(3)}
    assert told == {shown(each)["ri"] for each in found}


async def test_a_large_group_answers_in_one(cse: Client) -> None:
    """Longer than one CoAP block, and in one commit."""
    places = [await cse.container() for _ in range(50)]
    group = await grouped(cse, places)
    found = members(await cse.create(f"{group}/fopt", "cin", {"con": "x" * 200}))
    assert codes(found) == [RSC.CREATED] * 50
    assert [each["fr"] for each in found] == places
