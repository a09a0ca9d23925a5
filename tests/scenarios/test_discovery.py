"""Discovery in a street of meters: every filter criterion, their combination, pages and privileges (TS-0001 10.2.6, TS-0004 7.3.3.14)."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import pytest_asyncio

from cse.codes import ResponseStatusCode as RSC
from tests.scenarios.bed import Client, name

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass
class Street:
    """A container with meters below it; ``moment`` lies between the creation of the first and the second half."""

    cse: Client
    path: str
    moment: str = ""
    places: dict[str, dict[str, Any]] = field(default_factory=dict)

    async def add(self, to: str, kind: str, **attributes: Any) -> None:
        """Make a resource below another."""
        parent = f"{self.path}/{to}" if to else self.path
        self.places[f"{to}/{attributes['rn']}".lstrip("/")] = await self.cse.made(parent, kind, attributes)

    async def find(self, **criteria: Any) -> set[str]:
        """Discover; the paths relative to the street."""
        found = await self.cse.discovered(self.path, **criteria)
        assert len(found) == len(set(found))
        assert all(each.startswith(f"{self.path}/") for each in found), "structured and CSE-relative by default (drt 1)"
        return {each.removeprefix(f"{self.path}/") for each in found}


PLACE = {"typ": 1, "crd": "[9.7,52.3]"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def street(cse: Client) -> AsyncIterator[Street]:
    """Three meters: m1 with two readings and a note, m2 with one reading, m3 with nothing; a policy and a group beside them."""
    made = Street(cse, await cse.container())
    await made.add("", "cnt", rn="m1", lbl=["kind:power", "phase:3", "old"], mni=10, loc=PLACE)
    await made.add("m1", "cin", rn="r1", con='{"kWh": 7}', cnf="application/json:0", lbl=["kind:reading"])
    await made.add("m1", "cin", rn="r2", con="x" * 100, cnf="text/plain:0", lbl=["kind:reading", "checked"])
    await made.add("m1", "cnt", rn="notes", lbl=["kind:notes"])
    await made.add("", "cnt", rn="m2", lbl=["kind:gas"], mni=20, et="20900101T000000")
    await made.add("m2", "cin", rn="r3", con='{"kWh": 70, "m3": 4}', cnf="application/json:0", lbl=["kind:reading"])
    await made.add("", "cnt", rn="m3", disr=False)
    await made.add("m1/notes", "cnt", rn="deep", lbl=["kind:notes", "old"])
    await made.add("m1/notes/deep", "cin", rn="r4", con="note")
    yield made


ALL = {"m1", "m1/r1", "m1/r2", "m1/notes", "m2", "m2/r3", "m3", "m1/notes/deep", "m1/notes/deep/r4"}
INSTANCES = {"m1/r1", "m1/r2", "m2/r3", "m1/notes/deep/r4"}


@pytest.mark.parametrize(
    ("criteria", "wanted"),
    [
        ({}, ALL),
        ({"ty": [4]}, INSTANCES),
        ({"ty": [3, 4]}, ALL),
        ({"ty": [2]}, set()),
        ({"lvl": 1}, {"m1", "m2", "m3"}),
        ({"lvl": 2}, ALL - {"m1/notes/deep", "m1/notes/deep/r4"}),
        ({"lbl": ["kind:gas"]}, {"m2"}),
        ({"lbl": ["kind:gas", "kind:power"]}, {"m1", "m2"}),
        ({"lbl": ["kind:*"]}, ALL - {"m3", "m1/notes/deep/r4"}),
        ({"lbl": ["*ed"]}, {"m1/r2"}),
        ({"lbl": ["kin"]}, set()),
        ({"lbl": ["nowhere"]}, set()),
        ({"ty": [4], "lbl": ["kind:*"]}, {"m1/r1", "m1/r2", "m2/r3"}),
        ({"ty": [4], "lbl": ["kind:gas"]}, set()),
        ({"ty": [4], "lbl": ["kind:gas"], "fo": 2}, INSTANCES | {"m2"}),
        ({"lbl": ["old"], "atr": {"mni": [10]}, "fo": 1}, {"m1"}),
        ({"lbl": ["old"], "atr": {"mni": [20]}, "fo": 2}, {"m1", "m2", "m1/notes/deep"}),
        ({"lbl": ["old"], "atr": {"mni": [10]}, "fo": 3}, {"m1/notes/deep"}),
        ({"atr": {"rn": ["m2"]}}, {"m2"}),
        ({"atr": {"rn": ["m*"]}}, {"m1", "m2", "m3"}),
        ({"atr": {"rn": ["m1", "r3"]}}, {"m1", "m2/r3"}),
        ({"atr": {"mni": ["10"]}}, {"m1"}),
        ({"atr": {"con": ["note"]}}, {"m1/notes/deep/r4"}),
        ({"atr": {"cnf": ["text/plain:0"]}}, {"m1/r2"}),
        ({"atr": {"xyz": ["1"]}}, set()),
        ({"catr": {"cnf": ["text/plain:0"]}}, {"m1"}),
        ({"patr": {"mni": [20]}}, {"m2/r3"}),
        ({"clbl": ["kind:reading"]}, {"m1", "m2"}),
        ({"palb": ["kind:gas"]}, {"m2/r3"}),
        ({"chty": [4]}, {"m1", "m2", "m1/notes/deep"}),
        ({"pty": [3], "lbl": ["old"]}, {"m1", "m1/notes/deep"}),
        ({"cty": ["application/json"]}, {"m1/r1", "m2/r3"}),
        ({"cty": ["application/json", "text/plain"]}, {"m1/r1", "m1/r2", "m2/r3"}),
        ({"sza": 11}, {"m1/r2", "m2/r3"}),
        ({"sza": 100}, {"m1/r2"}),
        ({"szb": 5}, {"m1/notes/deep/r4"}),
        ({"sza": 5, "szb": 100}, {"m1/r1", "m2/r3"}),
        ({"stb": 2, "ty": [3]}, {"m1"}),
        ({"sts": 1}, {"m1/notes", "m3"}),
        ({"exa": "20890101T000000"}, set()),
        ({"crb": "20200101T000000"}, set()),
        ({"cra": "20200101T000000"}, ALL),
        ({"us": "20200101T000000"}, set()),
        ({"ms": "20200101T000000"}, ALL),
        ({"exb": "20250101T000000"}, set()),
        ({"lbq": "phase"}, {"m1"}),
        ({"lbq": "kind:gas"}, {"m2"}),
        ({"lbq": "NT kind"}, {"m3", "m1/notes/deep/r4"}),
        ({"lbq": "kind NE power", "ty": [3]}, {"m2", "m1/notes", "m1/notes/deep"}),
        ({"lbq": "kind IN (power, gas)"}, {"m1", "m2"}),
        ({"cfs": 1, "cfq": "$.m3"}, {"m2/r3"}),
        ({"cfs": 1, "cfq": "$[?@ > 6]"}, {"m1/r1", "m2/r3"}),
        ({"gmty": 3, "geom": "[[[9,52],[10,52],[10,53],[9,53],[9,52]]]", "gsf": 1}, {"m1"}),
        ({"gmty": 3, "geom": "[[[1,52],[2,52],[2,53],[1,53],[1,52]]]", "gsf": 1}, set()),
        ({"lbl": ["kind:power", "kind:gas"], "arp": "la"}, {"m1/la", "m2/la"}),
        ({"lbl": ["kind:power", "kind:gas"], "arp": "notes"}, {"m1/notes"}),
        ({"lbl": ["kind:power"], "arp": "notes/deep"}, {"m1/notes/deep"}),
    ],
    ids=lambda value: str(sorted(value)) if isinstance(value, set) else str(value),  # the same in every process
)
async def test_a_filter_finds_what_it_says(street: Street, criteria: dict[str, Any], wanted: set[str]) -> None:
    assert await street.find(**criteria) == wanted


async def test_times_of_creation_change_and_end_divide(street: Street) -> None:
    """crb and cra, us and ms, exb and exa are half-open: every resource is on exactly one side (TS-0004 7.3.3.17)."""
    for early, late, attribute in (("crb", "cra", "ct"), ("us", "ms", "lt"), ("exb", "exa", "et")):
        moments = [found[attribute] for found in street.places.values()]
        for moment in (street.places["m2"][attribute], street.places["m1/r1"][attribute]):
            before, since = await street.find(**{early: moment}), await street.find(**{late: moment})
            assert before | since == ALL
            assert before & since == set()
            assert len(before) == sum(each < moment for each in moments)


@pytest.mark.parametrize("lim", [1, 2, 4, 9, 100])
async def test_pages_add_up_to_the_whole(street: Street, lim: int) -> None:
    """lim, ofst, contentStatus and contentOffset lead through all results, each once (TS-0004 7.3.3.14)."""
    whole = await street.cse.discovered(street.path)
    assert len(whole) == len(ALL)
    found: list[str] = []
    offset = 1
    while True:
        answer = await street.cse.retrieve(street.path, fc={"fu": 1, "lim": lim, "ofst": offset})
        page = answer.pc["m2m:uril"]
        assert len(page) <= lim
        found += page
        if answer.cnst != 1:
            break
        assert len(page) == lim
        assert answer.cnot == offset + lim
        offset = answer.cnot
    assert found == whole, "the order is stable"
    beyond = await street.cse.retrieve(street.path, fc={"fu": 1, "ofst": 50})
    assert (beyond.rsc, beyond.pc) == (RSC.OK, {"m2m:uril": []})


async def test_results_have_the_form_that_was_asked_for(street: Street) -> None:
    wanted = {street.places[each]["ri"] for each in ALL}
    answer = await street.cse.retrieve(street.path, fc={"fu": 1}, drt=2)
    assert set(answer.pc["m2m:uril"]) == wanted, "drt 2: unstructured"
    for drt in (1, 2):
        answer = await street.cse.retrieve(street.path, fc={"fu": 1, "lbl": ["kind:gas"]}, rcn=6, drt=drt)
        made = street.places["m2"]
        assert answer.pc == {"m2m:rrl": {"rrf": [{"nm": "m2", "typ": 3, "val": made["path"] if drt == 1 else made["ri"]}]}}
    answer = await street.cse.retrieve(street.path, fc={"fu": 1, "lbl": ["kind:gas"]}, rcn=11)
    assert answer.pc == {"m2m:uril": [street.places["m2"]["path"]]}


async def test_every_address_that_is_found_leads_to_its_resource(street: Street) -> None:
    for drt in (1, 2):
        answer = await street.cse.retrieve(street.path, fc={"fu": 1}, drt=drt)
        for found in answer.pc["m2m:uril"]:
            assert (await street.cse.retrieve(found)).rsc == RSC.OK


async def test_only_what_may_be_discovered_is_found(street: Street) -> None:
    """DISCOVERY on each hit; what is below something hidden is searched all the same (TS-0001 10.2.6)."""
    cse = street.cse
    reader, stranger = await cse.ae(), await cse.ae()
    rules = {"pv": {"acr": [{"acor": [reader], "acop": 32}]}, "pvs": {"acr": [{"acor": ["CAdmin"], "acop": 63}]}}
    policy = await cse.made("cse-in", "acp", {"rn": name("acp"), **rules})
    place = await cse.container()
    await cse.made(place, "cnt", {"rn": "shut", "lbl": ["here"]})
    await cse.made(f"{place}/shut", "cnt", {"rn": "open", "lbl": ["here"], "acpi": [policy["ri"]]})
    await cse.made(f"{place}/shut/open", "cin", {"rn": "reading", "con": "1", "lbl": ["here"]})
    assert await cse.discovered(place, stranger) == []
    wanted = [f"{place}/shut/open", f"{place}/shut/open/reading"]
    assert await cse.discovered(place, reader) == await cse.discovered(place, reader, lbl=["here"]) == wanted
    assert (await cse.retrieve(wanted[0], reader)).rsc == RSC.ORIGINATOR_HAS_NO_PRIVILEGE, "DISCOVERY is not RETRIEVE"


async def test_conditions_without_discovery_decide_over_the_target(street: Street) -> None:
    """filterUsage absent or 2: a target that does not match counts as missing; children are chosen (procedures 10.1)."""
    cse, meter = street.cse, f"{street.path}/m1"
    assert (await cse.retrieve(meter, fc={"lbl": ["kind:power"]})).rsc == RSC.OK
    assert (await cse.retrieve(meter, fc={"lbl": ["kind:gas"]})).rsc == RSC.NOT_FOUND
    assert (await cse.retrieve(meter, fc={"fu": 2, "lbl": ["kind:gas"]})).rsc == RSC.NOT_FOUND
    answer = await cse.retrieve(meter, rcn=8, fc={"ty": [4], "lvl": 1})
    assert [found["rn"] for found in answer.pc["m2m:cnt"]["m2m:cin"]] == ["r1", "r2"]
    assert (await cse.delete(meter, fc={"lbl": ["kind:gas"]})).rsc == RSC.NOT_FOUND
    assert (await cse.update(meter, "cnt", {"mni": 11}, fc={"lbl": ["kind:gas"]})).rsc == RSC.NOT_FOUND
    assert (await cse.seen(meter))["mni"] == 10


@pytest.mark.parametrize(
    ("criteria", "code"),
    [
        ({"fu": 9}, RSC.BAD_REQUEST),
        ({"fu": 1, "ty": [77]}, RSC.BAD_REQUEST),
        ({"fu": 1, "crb": "yesterday"}, RSC.BAD_REQUEST),
        ({"fu": 1, "lvl": 0}, RSC.BAD_REQUEST),
        ({"fu": 1, "ofst": 0}, RSC.BAD_REQUEST),
        ({"fu": 1, "fo": 7}, RSC.BAD_REQUEST),
        ({"fu": 1, "cfq": "$.x"}, RSC.BAD_REQUEST),
        ({"fu": 1, "cfs": 1, "cfq": "[["}, RSC.BAD_REQUEST),
        ({"fu": 1, "gmty": 1}, RSC.BAD_REQUEST),
        ({"fu": 1, "gmty": 3, "geom": "[1,2]", "gsf": 1}, RSC.BAD_REQUEST),
        ({"fu": 1, "lbq": "a b c d"}, RSC.BAD_REQUEST),
        ({"fu": 1, "smf": ["SELECT"]}, RSC.NOT_IMPLEMENTED),
    ],
    ids=str,
)
async def test_criteria_that_cannot_be_used_are_refused(street: Street, criteria: dict[str, Any], code: RSC) -> None:
    assert (await street.cse.retrieve(street.path, fc=criteria)).rsc == code


async def test_discovery_allows_two_kinds_of_result(street: Street) -> None:
    """TS-0001 Table 8.1.2-1."""
    for rcn in (1, 4, 5, 8):
        assert (await street.cse.retrieve(street.path, fc={"fu": 1}, rcn=rcn)).rsc == RSC.BAD_REQUEST
    assert (await street.cse.retrieve(street.path, rcn=11)).rsc == RSC.BAD_REQUEST
