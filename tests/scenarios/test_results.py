"""What an answer contains: every resultContent of every operation, and parts of a resource (TS-0001 8.1.2, TS-0004 7.5.2, 7.3.3.17)."""

from typing import Any

import pytest

from cse.codes import Operation
from cse.codes import ResponseStatusCode as RSC
from tests.scenarios.bed import Client, name

pytestmark = pytest.mark.asyncio(loop_scope="module")

ALLOWED = {
    Operation.CREATE: {0, 1, 2, 3, 9},
    Operation.RETRIEVE: {1, 4, 5, 6, 8, 12},
    Operation.UPDATE: {0, 1, 9},
    Operation.DELETE: {0, 1, 4, 5, 6, 8},
}
"""TS-0001 Table 8.1.2-1, for resources that are not announced and without discovery."""


async def tree(cse: Client) -> str:
    """Make a container with a reading, a subordinate container with another, and a subscription-free rest."""
    place = await cse.container(lbl=["top"])
    await cse.made(place, "cin", {"rn": "r1", "con": "1"})
    await cse.made(place, "cnt", {"rn": "sub"})
    await cse.made(f"{place}/sub", "cin", {"rn": "r2", "con": "2"})
    return place


def outline(found: dict[str, Any]) -> Any:
    """Give the names in a tree of representations."""
    return {each["rn"]: outline(each) for kind in ("m2m:cin", "m2m:cnt") for each in found.get(kind, ())}


async def test_create(cse: Client) -> None:
    place = await cse.container()
    answers = {rcn: await cse.create(place, "cnt", {"rn": f"c{rcn}", "lbl": ["x"], "mni": 3}, rcn=rcn) for rcn in (None, 0, 1, 2, 3, 9)}
    assert {answer.rsc for answer in answers.values()} == {RSC.CREATED}
    assert answers[0].pc is None
    whole = answers[1].pc["m2m:cnt"]
    assert await cse.seen(f"{place}/c1") == whole
    assert set(answers[None].pc["m2m:cnt"]) == set(whole), "1 is the default"
    assert answers[2].pc == {"m2m:uri": f"{place}/c2"}
    assert answers[3].pc["m2m:rce"]["uri"] == f"{place}/c3"
    assert set(answers[3].pc["m2m:rce"]["m2m:cnt"]) == set(whole)
    added = answers[9].pc["m2m:cnt"]
    assert {"ri", "pi", "ct", "lt", "et", "st", "cni", "cbs"} <= set(added)
    assert not {"rn", "lbl", "mni"} & set(added), "only what the CSE added or changed (procedures 1.6)"


async def test_retrieve(cse: Client) -> None:
    place = await tree(cse)
    top = place.rpartition("/")[2]
    answers = {rcn: (await cse.retrieve(place, rcn=rcn)).pc for rcn in (None, 1, 4, 5, 6, 8)}
    own = answers[None]["m2m:cnt"]
    assert answers[1] == answers[None]
    assert own["rn"] == top
    assert outline(own) == {}
    below: dict[str, Any] = {"r1": {}, "sub": {"r2": {}}}
    assert outline(answers[4]["m2m:cnt"]) == outline(answers[8]["m2m:cnt"]) == below
    assert {name: value for name, value in answers[4]["m2m:cnt"].items() if not name.startswith("m2m:")} == own
    assert set(answers[8]["m2m:cnt"]) == {"m2m:cin", "m2m:cnt"}, "children without the attributes of the target"
    assert answers[4]["m2m:cnt"]["m2m:cin"] == [await cse.seen(f"{place}/r1")]
    references = answers[6]["m2m:rrl"]["rrf"]
    assert {(each["nm"], each["typ"], each["val"]) for each in references} == {
        ("r1", 4, f"{place}/r1"), ("sub", 3, f"{place}/sub"), ("r2", 4, f"{place}/sub/r2")
    }  # fmt: skip
    assert answers[5]["m2m:cnt"]["ch"] == references
    assert {name: value for name, value in answers[5]["m2m:cnt"].items() if name != "ch"} == own


async def test_retrieve_of_a_part_of_a_tree(cse: Client) -> None:
    """level, limit and offset bound what is shown; contentStatus and contentOffset tell that there is more (TS-0004 7.3.3.6)."""
    place = await tree(cse)
    assert outline((await cse.retrieve(place, rcn=4, fc={"lvl": 1})).pc["m2m:cnt"]) == {"r1": {}, "sub": {}}
    found: list[str] = []
    offset: int | None = 1
    while offset is not None:
        answer = await cse.retrieve(place, rcn=6, fc={"lim": 1, "ofst": offset})
        found += [each["nm"] for each in answer.pc["m2m:rrl"]["rrf"]]
        offset = answer.cnot if answer.cnst == 1 else None
    assert sorted(found) == ["r1", "r2", "sub"]
    assert (await cse.retrieve(place, rcn=6)).cnst in (None, 2)


async def test_update(cse: Client) -> None:
    place = await cse.container(lbl=["x"], mni=5)
    assert (await cse.update(place, "cnt", {"lbl": ["y"]}, rcn=0)).pc is None
    whole = (await cse.update(place, "cnt", {"lbl": ["z"]}, rcn=1)).pc["m2m:cnt"]
    assert whole == await cse.seen(place)
    changed = (await cse.update(place, "cnt", {"lbl": ["w"], "mni": None}, rcn=9)).pc["m2m:cnt"]
    assert {"lt", "st"} <= set(changed)
    assert "lbl" not in changed
    assert changed.get("mni") is None
    assert (await cse.seen(place))["st"] == 3, "the state tag counts updates (procedures 1.4)"


async def test_delete(cse: Client) -> None:
    for rcn in (None, 0, 1, 4, 5, 6, 8):
        place = await tree(cse)
        before = (await cse.retrieve(place, rcn=rcn)).pc if rcn else None
        answer = await cse.delete(place, rcn=rcn)
        assert answer.rsc == RSC.DELETED
        assert answer.pc == before, "the representation before the deletion"
        assert (await cse.retrieve(place)).rsc == RSC.NOT_FOUND


@pytest.mark.parametrize("operation", list(ALLOWED), ids=lambda operation: operation.name)
async def test_any_other_value_is_refused_and_changes_nothing(cse: Client, operation: Operation) -> None:
    place = await cse.container()
    before = await cse.seen(place)
    more: dict[str, Any] = {}
    if operation == Operation.CREATE:
        more = {"ty": 3, "pc": {"m2m:cnt": {"rn": "c"}}}
    elif operation == Operation.UPDATE:
        more = {"pc": {"m2m:cnt": {"lbl": ["x"]}}}
    for rcn in {*range(14), 99} - ALLOWED[operation]:
        assert (await cse.send(operation, place, rcn=rcn, **more)).rsc == RSC.BAD_REQUEST, rcn
    assert await cse.seen(place) == before
    assert (await cse.retrieve(f"{place}/c")).rsc == RSC.NOT_FOUND


async def test_some_attributes_of_a_resource(cse: Client) -> None:
    """An attribute list, or one attribute behind ``#`` (procedures 1.3)."""
    place = await cse.container(lbl=["a", "b"], mni=3)

    async def asked(*names: str, **more: Any) -> Any:
        answer = await cse.retrieve(place, pc={"m2m:atrl": list(names)}, **more)
        return answer.pc if answer.ok else answer.rsc

    assert await asked("lbl") == {"m2m:cnt": {"lbl": ["a", "b"]}}
    assert await asked("lbl", "mni", rcn=1) == {"m2m:cnt": {"lbl": ["a", "b"], "mni": 3}}
    assert await asked("mni", "mbs") == {"m2m:cnt": {"mni": 3}}, "what has no value is left out"
    assert await asked("lbl", "colour") == RSC.BAD_REQUEST
    assert await asked("lbl", rcn=4) == RSC.BAD_REQUEST
    if cse.wire.binding == "coap":  # an HTTP client never sends what is behind a #
        assert (await cse.retrieve(f"{place}#mni")).pc == {"m2m:cnt": {"mni": 3}}
        assert (await cse.retrieve(f"{place}#mbs")).rsc == RSC.NOT_FOUND
        assert (await cse.update(f"{place}#mni", "cnt", {"mni": 4})).rsc == RSC.BAD_REQUEST


@pytest.mark.parametrize(
    ("pc", "word"),
    [
        ({"m2m:cnt": {"cni": 5}}, "cni"),
        ({"m2m:cnt": {"ri": "x"}}, "ri"),
        ({"m2m:cnt": {"rn": "x"}}, "rn"),
        ({"m2m:cnt": {"et": "x"}}, "et"),
        ({"m2m:cnt": {"mni": "3"}}, "mni"),
        ({"m2m:cnt": {"mni": -1}}, "mni"),
        ({"m2m:cnt": {"colour": 1}}, "colour"),
        ({"m2m:cnt": {"st": None}}, "st"),
        ({"m2m:ae": {"lbl": ["x"]}}, "m2m:ae"),
        ({"m2m:cnt": {"lbl": ["x"]}, "m2m:ae": {}}, ""),
        ({"cnt": {"lbl": ["x"]}}, "cnt"),
        ({"m2m:cnt": []}, "m2m:cnt"),
        ({}, ""),
    ],
    ids=str,
)
async def test_an_update_with_a_fault_is_refused_by_name(cse: Client, pc: dict[str, Any], word: str) -> None:
    place = await cse.container(rn=name("keep"))
    before = await cse.seen(place)
    answer = await cse.send(Operation.UPDATE, place, pc=pc)
    assert answer.rsc == RSC.BAD_REQUEST
    assert word in answer.pc["m2m:dbg"]
    assert await cse.seen(place) == before
