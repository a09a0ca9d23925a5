"""The life of an AE at its registrar (TS-0001 10.2.2, TS-0004 7.4.5), and the CSEBase (7.4.3)."""

import pytest

from bindings.serve import Server
from cse.codes import Operation
from cse.codes import ResponseStatusCode as RSC
from tests.scenarios.bed import ADMIN, AE, Client, name, said

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_an_ae_registers_is_read_changes_itself_leaves_and_comes_back(cse: Client) -> None:
    stem = name("C")
    made = await cse.made("cse-in", "ae", {"rn": f"{stem}.meter", **AE, "poa": ["http://127.0.0.1:9"], "lbl": ["street:1"]}, fr=stem)
    assert (made["ri"], made["aei"], made["pi"], made["ty"]) == (stem, stem, "id-in", 2), "the AE-ID stem is ri and aei (7.4.5.2.1)"
    assert made["ct"] == made["lt"] < made["et"]
    place = made["path"]
    assert await cse.seen(place, stem) == await cse.seen(stem, stem) == {name: value for name, value in made.items() if name != "path"}
    assert (await cse.seen("cse-in", stem))["csi"] == "/id-in", "a registered AE may look at the CSEBase"

    assert (await cse.create("cse-in", "ae", AE, fr=stem)).rsc == RSC.ORIGINATOR_HAS_ALREADY_REGISTERED
    changed = await cse.changed(place, "ae", {"lbl": ["street:2"], "poa": None}, stem)
    assert changed["lbl"] == ["street:2"]
    assert "poa" not in changed, "null removes (7.3.3.7)"
    assert (await cse.update(place, "ae", {"api": "N.other"}, stem)).rsc == RSC.BAD_REQUEST, "App-ID is NP in an UPDATE"

    await cse.made(place, "cnt", {"rn": "readings"}, fr=stem)
    assert (await cse.delete(place, stem)).rsc == RSC.DELETED
    for gone in (place, stem, f"{place}/readings"):
        assert (await cse.retrieve(gone)).rsc == RSC.NOT_FOUND
    again = await cse.made("cse-in", "ae", {"rn": f"{stem}.meter", **AE}, fr=stem)
    assert (again["ri"], "lbl" in again) == (stem, False)
    assert (await cse.retrieve(f"{place}/readings")).rsc == RSC.NOT_FOUND, "nothing of the former registration is left"


@pytest.mark.parametrize(("fr", "letter"), [(None, "C"), ("C", "C"), ("S", "S")], ids=["nobody", "C", "S"])
async def test_an_ae_without_a_stem_is_given_one(cse: Client, fr: str | None, letter: str) -> None:
    """TS-0001 10.2.2.2: no originator, ``C`` or ``S`` ask the CSE to choose."""
    one, other = [await cse.made("cse-in", "ae", AE, fr=fr) for _ in range(2)]
    assert one["aei"] == one["ri"]
    assert one["aei"].startswith(letter)
    assert len(one["aei"]) > 1
    assert one["aei"] != other["aei"]
    assert (await cse.delete(one["ri"], one["aei"])).rsc == RSC.DELETED, "it is this AE that the stem stands for"


@pytest.mark.parametrize(
    ("attributes", "code", "word"),
    [
        ({"rr": True, "srv": ["4"]}, 4000, "api"),
        ({"api": "N.x", "srv": ["4"]}, 4000, "rr"),
        ({"api": "N.x", "rr": True}, 4000, "srv"),
        ({**AE, "api": "x.y"}, 4000, "api"),
        ({**AE, "rr": "true"}, 4000, "rr"),
        ({**AE, "aei": "Cother"}, 4000, "aei"),
        ({**AE, "ri": "Cother"}, 4000, "ri"),
        ({**AE, "cr": None}, 4000, "cr"),
        ({**AE, "colour": "red"}, 4000, "colour"),
        ({**AE, "rn": "a/b"}, 4000, "rn"),
        ({**AE, "et": "20200101T000000"}, 4000, "et"),
        ({**AE, "acpi": []}, 4000, "acpi"),
        ({**AE, "acpi": ["cse-in/nowhere"]}, 4000, "acpi"),
    ],
)
async def test_a_registration_with_a_fault_is_refused_by_name(cse: Client, attributes: dict[str, object], code: int, word: str) -> None:
    stem = name("C")
    answer = await cse.create("cse-in", "ae", attributes, fr=stem)
    assert answer.rsc == code
    assert word in said(answer)
    assert (await cse.retrieve(stem)).rsc == RSC.NOT_FOUND


async def test_an_ae_registers_below_the_csebase_alone_and_under_an_ae_id(cse: Client) -> None:
    place = await cse.container()
    assert (await cse.create(place, "ae", AE, fr=name("C"))).rsc == RSC.INVALID_CHILD_RESOURCE_TYPE
    assert (await cse.create("cse-in", "ae", AE, fr=name("x"))).rsc == RSC.APP_RULE_VALIDATION_FAILED
    taken = await cse.ae()
    assert (await cse.create("cse-in", "ae", {**AE, "rn": taken}, fr=name("C"))).rsc == RSC.CONFLICT


async def test_the_csebase_tells_what_it_is_and_never_changes(cse: Client, server: Server) -> None:
    base = await cse.seen("cse-in")
    assert (base["ty"], base["ri"], base["rn"], base["csi"], base["cst"], base["spi"]) == (5, "id-in", "cse-in", "/id-in", 1, "//acme.example.com")
    assert {1, 2, 3, 4, 5, 9, 23} <= set(base["srt"])
    assert base["poa"] == list(server.urls)
    assert {"2a", "3", "4"} <= set(base["srv"])
    assert "et" not in base, "the CSEBase has no expirationTime (TS-0001 9.6.3)"
    assert (await cse.update("cse-in", "cb", {"lbl": ["x"]})).rsc == RSC.OPERATION_NOT_ALLOWED
    assert (await cse.delete("cse-in")).rsc == RSC.OPERATION_NOT_ALLOWED
    assert (await cse.create("cse-in", "cb", {"rn": "other"})).rsc == RSC.OPERATION_NOT_ALLOWED


@pytest.mark.parametrize(("ty", "code"), [(24, RSC.NOT_IMPLEMENTED), (99, RSC.BAD_REQUEST)])
async def test_a_create_of_a_type_that_is_not_served_is_refused(cse: Client, ty: int, code: RSC) -> None:
    """TS-0004 7.3.3.3: a type of the standard that is not implemented 5001, a number that is none 4000."""
    assert (await cse.send(Operation.CREATE, "cse-in", ADMIN, ty=ty, pc={"m2m:nod": {"ni": "x"}})).rsc == code


@pytest.mark.parametrize("release", ["2a", "3", "4", "5"])
async def test_releases_are_answered_in_kind(cse: Client, release: str) -> None:
    assert (await cse.retrieve("cse-in", rvi=release)).rvi == release


@pytest.mark.parametrize("release", ["1", "2", "9", "x"])
async def test_a_release_that_is_not_supported_is_refused(cse: Client, release: str) -> None:
    """TS-0004 7.3.2.2."""
    assert (await cse.retrieve("cse-in", rvi=release)).rsc == RSC.RELEASE_VERSION_NOT_SUPPORTED


async def test_a_request_without_its_parameters_is_refused(cse: Client) -> None:
    answer = await cse.retrieve("cse-in", rqi=None)
    assert (answer.rsc, answer.rqi) == (RSC.BAD_REQUEST, None)
    assert (await cse.retrieve("cse-in", None)).rsc == RSC.BAD_REQUEST
    assert (await cse.retrieve("cse-in", rvi=None)).rsc == RSC.RELEASE_VERSION_NOT_SUPPORTED
    answer = await cse.retrieve("cse-in", rqi="my-own-1")
    assert (answer.rsc, answer.rqi) == (RSC.OK, "my-own-1")
