"""Every way to write an address, on the wire (TS-0001 7.2, TS-0004 6.2.3; TS-0009 6.2.2 and TS-0008 6.2.3 for ``~`` and ``_``)."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import pytest_asyncio

from cse.codes import ResponseStatusCode as RSC
from tests.scenarios.bed import Client, name, said

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass
class Place:
    """A container ``c`` of an AE, which has a reading."""

    ae: str
    ri: str


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(cse: Client) -> Place:
    """One for all tests of a module; every test that changes it puts it back."""
    stem = await cse.ae()
    made = await cse.made(f"cse-in/{stem}", "cnt", {"rn": "c"}, fr=stem)
    await cse.made(f"cse-in/{stem}/c", "cin", {"con": "7"}, fr=stem)
    return Place(stem, made["ri"])


RELATIVE: dict[str, Callable[[Place], str]] = {
    "structured": lambda at: f"cse-in/{at.ae}/c",
    "dash": lambda at: f"-/{at.ae}/c",
    "unstructured": lambda at: at.ri,
    "hybrid": lambda at: f"{at.ae}/c",
    "hybrid of the base": lambda at: f"id-in/{at.ae}/c",
}
FORMS = {
    f"{prefix}{label}": (prefix, make)
    for prefix in ("", "/id-in/", "//acme.example.com/id-in/")
    for label, make in RELATIVE.items()
}  # fmt: skip


@pytest.fixture(params=FORMS)
def to(request: pytest.FixtureRequest, place: Place) -> str:
    """The address of the container in each form: CSE-relative, SP-relative and absolute."""
    prefix, make = FORMS[request.param]
    return prefix + make(place)


async def test_every_operation_takes_every_form(cse: Client, place: Place, to: str) -> None:
    assert (await cse.seen(to, place.ae))["ri"] == place.ri
    assert (await cse.seen(f"{to}/la", place.ae))["con"] == "7", "virtual children below it"
    made = await cse.create(to, "cnt", {"rn": (inner := name("inner"))}, fr=place.ae)
    assert made.rsc == RSC.CREATED
    assert made.pc["m2m:cnt"]["pi"] == place.ri
    assert (await cse.update(f"{to}/{inner}", "cnt", {"lbl": ["x"]}, fr=place.ae)).rsc == RSC.UPDATED
    assert (await cse.delete(f"{to}/{inner}", place.ae)).rsc == RSC.DELETED
    assert await cse.discovered(to, place.ae, ty=[4]) == [f"cse-in/{place.ae}/c/{(await cse.seen(f'{to}/la', place.ae))['rn']}"]


@pytest.mark.parametrize("to", ["cse-in", "-", "id-in", "/id-in", "/id-in/cse-in", "/id-in/-", "//acme.example.com/id-in", "//acme.example.com/id-in/-"])
async def test_the_csebase_has_many_addresses(cse: Client, to: str) -> None:
    assert (await cse.seen(to))["csi"] == "/id-in"


@pytest.mark.parametrize("fr", ["{0}", "/id-in/{0}", "//acme.example.com/id-in/{0}"])
async def test_an_originator_may_name_itself_in_every_form(cse: Client, place: Place, fr: str) -> None:
    assert (await cse.retrieve(place.ri, fr.format(place.ae))).rsc == RSC.OK
    assert (await cse.retrieve(place.ri, fr.format(place.ae).replace("id-in", "id-mn") + "x")).rsc == RSC.ORIGINATOR_HAS_NO_PRIVILEGE


async def test_an_ae_with_an_s_stem_is_the_same_everywhere(cse: Client) -> None:
    """AE-ID-Stem of the service provider: ``/Sxxx`` is SP-relative without a CSE-ID."""
    stem = name("S")
    await cse.made("cse-in", "ae", {"rn": stem, "api": "N.x", "rr": True, "srv": ["4"]}, fr=stem)
    for to in (stem, f"/id-in/{stem}", f"cse-in/{stem}"):
        for fr in (stem, f"/{stem}"):
            assert (await cse.seen(to, fr))["aei"] == stem


@pytest.mark.parametrize(
    "to",
    [
        *("cse-in/nowhere", "nowhere", "nowhere/at/all", "cse-in/{ae}/c/nowhere", "{ae}/c/la/x"),
        *("/id-in/nowhere", "/nobody/cse-in", "//other.example.com/id-in/cse-in"),
    ],
)
async def test_what_is_nowhere_is_not_found(cse: Client, place: Place, to: str) -> None:
    """Another CSE that no route leads to as well (procedures 2: IN-CSE without match)."""
    address = to.format(ae=place.ae)
    for answer in (await cse.retrieve(address), await cse.delete(address), await cse.create(address, "cnt", {})):
        assert answer.rsc == RSC.NOT_FOUND


@pytest.mark.parametrize(
    "to", ["cse-in/a b", "cse-in/ä", "cse-in/<x>", "cse-in/a\\b", "cse-in/a%2Fb", "cse-in/" + "/".join("z" * 250 for _ in range(20))], ids=range(6)
)
async def test_what_is_no_address_is_refused(cse: Client, to: str) -> None:
    answer = await cse.retrieve(to)
    assert answer.rsc == RSC.BAD_REQUEST
    assert len(said(answer)) < 500


@pytest.mark.parametrize("rn", ["a/b", "a b", "", ".", "..", "a#b", "ä", "a\nb", "\x00", "x" * 10_000, "la ", "-", "~", "_"])
async def test_names_that_could_not_be_addressed_are_refused(cse: Client, place: Place, rn: str) -> None:
    """Whatever name is taken can be used; a name with a slash, a control character or ten thousand characters is refused (4000)."""
    answer = await cse.create(place.ri, "cnt", {"rn": rn}, fr=place.ae)
    if answer.rsc == RSC.CREATED:
        assert (await cse.seen(f"cse-in/{place.ae}/c/{rn}", place.ae))["rn"] == rn
        assert (await cse.delete(answer.pc["m2m:cnt"]["ri"], place.ae)).rsc == RSC.DELETED
    else:
        assert answer.rsc == RSC.BAD_REQUEST
        assert len(said(answer)) < 500
    if "/" in rn or any(ord(each) < 32 for each in rn) or len(rn) > 255:
        assert answer.rsc == RSC.BAD_REQUEST
