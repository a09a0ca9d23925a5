"""Containers and what is in them: limits, order and counters, one request at a time and fifty (TS-0001 9.6.6, TS-0004 7.4.6, 7.4.7, 7.4.27, 7.4.28)."""

import asyncio
from collections import Counter
from typing import Any

import pytest

from bindings.serve import Server
from cse.codes import ResponseStatusCode as RSC
from cse.primitives import Response
from tests.scenarios.bed import Client, Wire, client, content, name, said
from tests.scenarios.bed import Receiver as Target

pytestmark = pytest.mark.asyncio(loop_scope="module")

WRITERS = 50


async def counters(cse: Client, place: str) -> tuple[int, int, int]:
    """Give currentNrOfInstances, currentByteSize and stateTag of a container."""
    found = await cse.seen(place)
    return found["cni"], found["cbs"], found["st"]


async def instances(cse: Client, place: str) -> list[dict[str, Any]]:
    """Give the instances of a container in their order."""
    answer = await cse.retrieve(place, rcn=8)
    assert answer.rsc == RSC.OK, answer
    found: list[dict[str, Any]] = answer.pc["m2m:cnt"].get("m2m:cin", [])
    return found


async def test_instances_come_are_counted_and_the_oldest_goes(cse: Client) -> None:
    place = await cse.container(mni=3)
    made = [await cse.made(place, "cin", {"con": text}) for text in ("a", "bb", "ccc")]
    assert [(found["cs"], found["st"]) for found in made] == [(1, 1), (2, 2), (3, 3)], "an instance has its parent's state tag after the increment"
    assert await counters(cse, place) == (3, 6, 3)
    await cse.made(place, "cin", {"con": "dddd"})
    assert await counters(cse, place) == (3, 9, 4)
    assert (await cse.retrieve(made[0]["ri"])).rsc == RSC.NOT_FOUND
    assert (await cse.seen(f"{place}/ol"))["con"] == "bb"
    assert (await cse.seen(f"{place}/la"))["con"] == "dddd"
    assert [found["con"] for found in await instances(cse, place)] == ["bb", "ccc", "dddd"]


async def test_bytes_are_limited_and_what_is_larger_than_all_is_refused(cse: Client) -> None:
    place = await cse.container(mbs=10)
    for text in ("12345", "12345", "äöü"):
        await cse.made(place, "cin", {"con": text})
    assert await counters(cse, place) == (1, 6, 3), "bytes of UTF-8, not characters"
    answer = await cse.create(place, "cin", {"con": "12345678901"})
    assert answer.rsc == RSC.NOT_ACCEPTABLE
    assert "mbs" in said(answer)
    assert (await counters(cse, place))[2] == 3, "what was refused has changed nothing"
    await cse.made(place, "cin", {"con": "1234567890"})
    assert await counters(cse, place) == (1, 10, 4), "the new one stays, whatever has to go"


async def test_lower_limits_push_out_at_once_and_removed_ones_let_grow(cse: Client) -> None:
    place = await cse.container()
    for number in range(6):
        await cse.made(place, "cin", {"con": str(number)})
    changed = await cse.changed(place, "cnt", {"mni": 4})
    assert (changed["cni"], changed["cbs"]) == (4, 4)
    assert (await cse.seen(f"{place}/ol"))["con"] == "2"
    changed = await cse.changed(place, "cnt", {"mbs": 2})
    assert (changed["cni"], changed["cbs"]) == (2, 2)
    await cse.changed(place, "cnt", {"mni": None, "mbs": None})
    await cse.made(place, "cin", {"con": "6"})
    assert [found["con"] for found in await instances(cse, place)] == ["4", "5", "6"]


async def test_latest_and_oldest_are_read_and_deleted_and_nothing_else(cse: Client) -> None:
    """TS-0004 7.4.27, 7.4.28."""
    place = await cse.container()
    for end in ("la", "ol"):
        assert (await cse.retrieve(f"{place}/{end}")).rsc == RSC.NOT_FOUND
        assert (await cse.delete(f"{place}/{end}")).rsc == RSC.NOT_FOUND
        assert (await cse.create(f"{place}/{end}", "cin", {"con": "x"})).rsc == RSC.OPERATION_NOT_ALLOWED
        assert (await cse.update(f"{place}/{end}", "cin", {"lbl": ["x"]})).rsc == RSC.OPERATION_NOT_ALLOWED
        assert (await cse.create(place, "cin", {"rn": end, "con": "x"})).rsc == RSC.CONFLICT, "the name is taken by the virtual child"
    for text in ("a", "bb", "ccc"):
        await cse.made(place, "cin", {"con": text})
    assert (await cse.delete(f"{place}/ol")).rsc == RSC.DELETED
    assert (await cse.delete(f"{place}/la")).rsc == RSC.DELETED
    assert [found["con"] for found in await instances(cse, place)] == ["bb"]
    assert (await counters(cse, place))[:2] == (1, 2)


async def test_an_instance_never_changes_and_has_no_children(cse: Client) -> None:
    place = await cse.container()
    made = await cse.made(place, "cin", {"con": "x", "cnf": "text/plain:0", "lbl": ["a:1"]})
    assert (await cse.update(made["path"], "cin", {"lbl": ["b"]})).rsc == RSC.OPERATION_NOT_ALLOWED
    assert (await cse.create(made["path"], "cin", {"con": "y"})).rsc == RSC.INVALID_CHILD_RESOURCE_TYPE
    assert (await cse.create(made["path"], "sub", {"nu": ["http://127.0.0.1:9"]})).rsc == RSC.TARGET_NOT_SUBSCRIBABLE
    assert await cse.seen(made["ri"]) == {name: value for name, value in made.items() if name != "path"}


async def test_names_are_unique_among_siblings_and_containers_nest_uncounted(cse: Client) -> None:
    place = await cse.container()
    await cse.made(place, "cnt", {"rn": "inner"})
    assert (await cse.create(place, "cnt", {"rn": "inner"})).rsc == RSC.CONFLICT
    assert (await cse.create(place, "cin", {"rn": "inner", "con": "x"})).rsc == RSC.CONFLICT, "whatever its type"
    await cse.made(f"{place}/inner", "cnt", {"rn": "inner"})
    await cse.made(f"{place}/inner/inner", "cin", {"con": "deep"})
    assert (await cse.seen(f"{place}/inner/inner/la"))["con"] == "deep"
    assert await counters(cse, place) == (0, 0, 0), "child containers do not count (7.4.6)"
    assert (await cse.delete(f"{place}/inner")).rsc == RSC.DELETED
    assert (await cse.retrieve(f"{place}/inner/inner")).rsc == RSC.NOT_FOUND
    await cse.made(place, "cnt", {"rn": "inner"})


async def test_disabled_retrieval_hides_instances_and_their_end_deletes_them(cse: Client) -> None:
    """TS-0001 9.6.6 disableRetrieval."""
    place = await cse.container(disr=True)
    made = await cse.made(place, "cin", {"con": "secret", "lbl": [mark := name("secret")]})
    for hidden in (made["path"], made["ri"], f"{place}/la", f"{place}/ol"):
        assert (await cse.retrieve(hidden)).rsc == RSC.OPERATION_NOT_ALLOWED
    assert (await cse.delete(f"{place}/la")).rsc == RSC.OPERATION_NOT_ALLOWED
    assert await instances(cse, place) == []
    assert await cse.discovered(place, lbl=[mark]) == []
    assert (await cse.seen(place))["cni"] == 1
    changed = await cse.changed(place, "cnt", {"disr": False})
    assert (changed["cni"], changed["cbs"]) == (0, 0)
    assert (await cse.retrieve(f"{place}/la")).rsc == RSC.NOT_FOUND
    await cse.made(place, "cin", {"con": "open"})
    assert (await cse.seen(f"{place}/la"))["con"] == "open"


async def test_an_age_limit_bounds_the_life_of_instances(cse: Client) -> None:
    """TS-0004 7.4.7: expirationTime is at most creationTime and maxInstanceAge."""
    place = await cse.container(mia=3600)
    made = await cse.made(place, "cin", {"con": "x"})
    assert made["ct"] < made["et"] < (await cse.seen(place))["et"]


@pytest.mark.parametrize("con", ["", "text", "ä€𝄞", '{"kWh": 7.5}', 7, -1, 2**63, 2.5, True, '\t\n"\\', "x" * 5000])
async def test_content_comes_back_as_it_was(cse: Client, con: object) -> None:
    place = await cse.container()
    await cse.made(place, "cin", {"con": con})
    assert (await cse.seen(f"{place}/la"))["con"] == con


@pytest.mark.parametrize(
    ("attributes", "word"),
    [({}, "con"), ({"con": None}, "con"), ({"con": "x", "cs": 1}, "cs"), ({"con": "x", "cnf": "nonsense"}, "cnf"), ({"con": "x", "dcnt": 0}, "dcnt")],
)
async def test_an_instance_with_a_fault_is_refused_by_name(cse: Client, attributes: dict[str, object], word: str) -> None:
    place = await cse.container()
    answer = await cse.create(place, "cin", attributes)
    assert answer.rsc == RSC.BAD_REQUEST
    assert word in said(answer)
    assert await counters(cse, place) == (0, 0, 0)


async def writing(wire: Wire, server: Server, place: str, each: int) -> list[Response]:
    """Let fifty clients write at the same time, each one instance after the other."""

    async def write(number: int) -> list[Response]:
        async with client(wire, server) as writer:
            return [await writer.create(place, "cin", {"con": f"{number}.{turn}".rjust(2 + number % 7, ".")}) for turn in range(each)]

    return [answer for answers in await asyncio.gather(*map(write, range(WRITERS))) for answer in answers]


async def test_fifty_writers_lose_nothing(cse: Client, server: Server, wire: Wire) -> None:
    """Counters, state tags, names and order are exact whoever writes at the same time (TS-0004 7.4.7)."""
    place = await cse.container()
    answers = await writing(wire, server, place, 2)
    assert Counter(answer.rsc for answer in answers) == {RSC.CREATED: 2 * WRITERS}
    made = sorted((answer.pc["m2m:cin"] for answer in answers), key=lambda found: found["st"])
    assert [found["st"] for found in made] == list(range(1, 2 * WRITERS + 1))
    assert len({found["ri"] for found in made}) == len({found["rn"] for found in made}) == 2 * WRITERS
    assert await instances(cse, place) == made
    assert await counters(cse, place) == (2 * WRITERS, sum(found["cs"] for found in made), 2 * WRITERS)
    assert await cse.seen(f"{place}/la") == made[-1]
    assert await cse.seen(f"{place}/ol") == made[0]


async def test_fifty_writers_at_a_limit_leave_the_newest(cse: Client, server: Server, wire: Wire) -> None:
    place = await cse.container(mni=10, mbs=60)
    answers = await writing(wire, server, place, 1)
    made = sorted((answer.pc["m2m:cin"] for answer in answers), key=lambda found: found["st"])
    assert [found["st"] for found in made] == list(range(1, WRITERS + 1))
    kept: list[dict[str, Any]] = []
    size = 0
    for found in reversed(made):
        if len(kept) == 10 or size + found["cs"] > 60:
            break
        kept.insert(0, found)
        size += found["cs"]
    assert await instances(cse, place) == kept, "the longest run of the newest that fits"
    assert await counters(cse, place) == (len(kept), size, WRITERS)


async def test_writers_readers_and_deleters_at_the_same_time_leave_counters_that_agree(cse: Client, server: Server, wire: Wire) -> None:
    place = await cse.container(mni=20)

    async def disturb(number: int) -> Counter[RSC]:
        found: Counter[RSC] = Counter()
        async with client(wire, server) as other:
            for _ in range(4):
                end = "la" if number % 2 else "ol"
                answer = await (other.delete(f"{place}/{end}") if number % 3 else other.update(place, "cnt", {"lbl": [f"l{number}"]}))
                found[answer.rsc] += 1
        return found

    answers, others = await asyncio.gather(writing(wire, server, place, 2), asyncio.gather(*map(disturb, range(6))))
    assert all(answer.rsc == RSC.CREATED for answer in answers)
    told = sum(others, Counter[RSC]())
    assert set(told) <= {RSC.DELETED, RSC.UPDATED, RSC.NOT_FOUND}
    left = await instances(cse, place)
    cni, cbs, st = await counters(cse, place)
    assert (cni, cbs) == (len(left), sum(int(found["cs"]) for found in left))
    assert st >= 2 * WRITERS + told[RSC.UPDATED]
    assert [found["st"] for found in left] == sorted(found["st"] for found in left)


async def test_an_eviction_is_no_event(cse: Client, receiver: Target) -> None:
    """TS-0004 7.4.7: instances that limits push out are not notified of; those that are deleted are."""
    place = await cse.container(mni=1)
    await cse.made(place, "sub", {"nu": [receiver.url], "enc": {"net": [4]}})
    for text in ("a", "b", "c"):
        await cse.made(place, "cin", {"con": text})
    assert (await cse.delete(f"{place}/la")).rsc == RSC.DELETED
    assert content(await receiver.next())["con"] == "c"
    assert receiver.rest() == []
