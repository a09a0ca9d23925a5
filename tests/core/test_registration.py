"""Registration of AEs (procedures 5.1; TS-0001 10.2.2, TS-0004 7.4.5; identifiers: fromAtAERegistration), and the CSEBase (5.3)."""

from typing import Any

import pytest

from cse.codes import Operation
from cse.codes import ResponseStatusCode as RSC
from cse.config import Settings
from cse.datatypes import timestamp
from cse.primitives import Request, Response
from tests.core.tree import AE, ME, OTHER, container, of, register, seen, world
from tests.drive import Driven


def test_an_ae_with_its_own_stem() -> None:
    cse = world()
    response = register(cse, "Cnew", rn="new", poa=["http://new:80"], lbl=["a"])
    assert response.rsc == RSC.CREATED
    made = of(response)
    assert {name: made[name] for name in ("ty", "ri", "aei", "rn", "pi", "api", "rr", "srv")} == {
        "ty": 2, "ri": "Cnew", "aei": "Cnew", "rn": "new", "pi": "id-in", "api": "Nmeter", "rr": False, "srv": ["4"],
    }  # fmt: skip
    assert seen(cse, "Cnew", "Cnew") == seen(cse, "cse-in/new", "Cnew") == made


@pytest.mark.parametrize(
    ("fr", "stem"),
    [
        ("Cnew", "Cnew"),
        ("Snew", "Snew"),
        ("/id-in/Cnew", "Cnew"),
        ("/Snew", "Snew"),
        ("//acme.example.com/id-in/Cnew", "Cnew"),
        ("//acme.example.com/Snew", "Snew"),
        ("C-new.7_x~", "C-new.7_x~"),
    ],
)
def test_the_stem_that_the_originator_brings_is_kept(fr: str, stem: str) -> None:
    cse = world()
    made = of(register(cse, fr))
    assert (made["ri"], made["aei"]) == (stem, stem)
    assert cse.retrieve(stem, fr).rsc == cse.retrieve(stem, stem).rsc == RSC.OK


def test_a_stem_that_is_no_resource_name_is_not_the_name() -> None:
    """The unreserved ``~`` may be in an AE-ID (TS-0001 7.2), in a resourceName it may not (TS-0004 6.2.3)."""
    cse = world()
    made = of(register(cse, "Cnew~"))
    assert made["ri"] == "Cnew~"
    assert made["rn"].isalnum()
    assert seen(cse, f"cse-in/{made['rn']}", "Cnew~") == made


@pytest.mark.parametrize("fr", [None, "", "C", "S", "/id-in/C", "/S"])
def test_a_stem_is_made_for_an_originator_that_brings_none(fr: str | None) -> None:
    cse = world()
    made = [of(register(cse, fr)) for _ in range(5)]
    letter = fr[-1] if fr else "C"
    stems = {found["aei"] for found in made}
    assert len(stems) == 5
    for found in made:
        assert found["aei"] == found["ri"]
        assert found["aei"][0] == letter
        assert len(found["aei"]) > 1
        assert cse.retrieve(found["ri"], found["aei"]).rsc == RSC.OK


@pytest.mark.parametrize("letter", ["C", "S"])
def test_the_letter_of_stems_for_nobody_is_a_setting(letter: str) -> None:
    cse = world(default_ae_stem=letter)
    for fr in (None, ""):
        assert of(register(cse, fr))["aei"][0] == letter


@pytest.mark.parametrize(
    "fr",
    ["Xnew", "new", "/id-new", "/id-mn/Cnew", "/Cnew", "//other.example/Snew", "//other.example/id-in/Cnew", "/id-in", "C*", "Ca#b", "Ca?", "C/a", "Cé"],
)
def test_who_is_no_ae_of_this_cse(fr: str) -> None:
    assert register(world(), fr).rsc == RSC.APP_RULE_VALIDATION_FAILED


@pytest.mark.parametrize(
    ("settings", "fr", "api", "rsc"),
    [
        ({"allowed_ae_originators": ("Cmeter*", "S7", "C")}, "Cmeter9", "N1", RSC.CREATED),
        ({"allowed_ae_originators": ("C*",)}, "C", "N1", RSC.CREATED),
        ({"allowed_ae_originators": ("C*",)}, "S9", "N1", RSC.APP_RULE_VALIDATION_FAILED),
        ({"allowed_ae_originators": ("C*",)}, "S", "N1", RSC.APP_RULE_VALIDATION_FAILED),
        ({"allowed_app_ids": ("N*",)}, "Cnew", "N1", RSC.CREATED),
        ({"allowed_app_ids": ("Nm*", "R1.meters.*")}, "Cnew", "R1.meters.example", RSC.CREATED),
        ({"allowed_app_ids": ("Nm*",)}, "Cnew", "N1", RSC.APP_RULE_VALIDATION_FAILED),
    ],
)
def test_who_may_register_by_configuration(settings: dict[str, Any], fr: str, api: str, rsc: RSC) -> None:
    cse = Driven(settings=Settings(**settings))
    assert register(cse, fr, api=api).rsc == rsc


# --- again -------------------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fr", ["Cmeter", "/id-in/Cmeter", "//acme.example.com/id-in/Cmeter"])
@pytest.mark.parametrize("attributes", [{}, {"rn": "meter"}, {"rn": "another"}, {"api": "wrong"}])
def test_a_stem_registers_once(fr: str, attributes: dict[str, Any]) -> None:
    """Told before anything about the content, the name included: the registration rules stand in the place of the privileges."""
    assert register(world(), fr, **attributes).rsc == RSC.ORIGINATOR_HAS_ALREADY_REGISTERED


def test_a_name_that_is_taken() -> None:
    assert register(world(), "Cnew", rn="meter").rsc == RSC.CONFLICT


def test_deregistration_takes_everything_below_and_the_stem_may_come_again() -> None:
    cse = world()
    container(cse, "old")
    assert cse.delete(AE, OTHER).rsc == RSC.ORIGINATOR_HAS_NO_PRIVILEGE
    assert cse.delete(AE, ME).rsc == RSC.DELETED
    assert cse.retrieve(f"{AE}/old").rsc == cse.retrieve(ME).rsc == RSC.NOT_FOUND
    assert cse.retrieve("cse-in", ME).rsc == RSC.ORIGINATOR_HAS_NO_PRIVILEGE
    assert of(register(cse, ME, rn="meter"))["ri"] == ME
    assert cse.retrieve(f"{AE}/old").rsc == RSC.NOT_FOUND


@pytest.mark.parametrize("rn", ["brief", "another"])
def test_expiry_is_deregistration_whether_it_is_carried_out_yet_or_not(rn: str) -> None:
    cse = world()
    of(register(cse, "Cbrief", rn="brief", et=timestamp(cse.seconds + 1)))
    container(cse, "old", "cse-in/brief", "Cbrief")
    cse.seconds += 2
    assert of(register(cse, "Cbrief", rn=rn))["ri"] == "Cbrief"
    assert cse.retrieve(f"cse-in/{rn}/old").rsc == cse.retrieve("cse-in/brief/old").rsc == RSC.NOT_FOUND


# --- content -----------------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("api", "rvi", "rsc"),
    [
        ("N1", "4", RSC.CREATED),
        ("R1.example.meters", "4", RSC.CREATED),
        ("r1.example.meters", "3", RSC.CREATED),
        ("r1.example.meters", "2a", RSC.CREATED),
        ("r1.example.meters", "4", RSC.BAD_REQUEST),
        ("n1", "3", RSC.BAD_REQUEST),
        ("meter", "4", RSC.BAD_REQUEST),
        ("", "4", RSC.BAD_REQUEST),
        (7, "4", RSC.BAD_REQUEST),
    ],
)
def test_app_id(api: Any, rvi: str, rsc: RSC) -> None:
    content = {"m2m:ae": {"api": api, "rr": False, "srv": ["4"]}}
    assert world().request(Request(Operation.CREATE, "cse-in", "Cnew", "q", rvi, ty=2, pc=content)).rsc == rsc


@pytest.mark.parametrize("missing", ["api", "rr", "srv"])
def test_what_is_mandatory(missing: str) -> None:
    content = {name: value for name, value in {"api": "N1", "rr": False, "srv": ["4"]}.items() if name != missing}
    assert world().create("cse-in", 2, {"m2m:ae": content}, "Cnew").rsc == RSC.BAD_REQUEST


@pytest.mark.parametrize(
    "wrong",
    [{"srv": []}, {"srv": ["x"]}, {"srv": "4"}, {"rr": "false"}, {"rr": None}, {"csz": ["wrong"]}, {"poa": ["host:80"]}, {"aei": "Cnew"}, {"cr": None}],
)
def test_what_is_wrong(wrong: dict[str, Any]) -> None:
    assert register(world(), "Cnew", **wrong).rsc == RSC.BAD_REQUEST


def test_a_failed_registration_leaves_the_stem_free() -> None:
    cse = world()
    register(cse, "Cnew", api="wrong")
    assert cse.retrieve("Cnew").rsc == RSC.NOT_FOUND
    assert register(cse, "Cnew").rsc == RSC.CREATED


@pytest.mark.parametrize("to", [AE, f"{AE}/power", ME])
@pytest.mark.parametrize("fr", ["Cnew", ME])
def test_only_the_cse_base_takes_registrations(to: str, fr: str) -> None:
    assert register(world(), fr, to).rsc == RSC.INVALID_CHILD_RESOURCE_TYPE


def test_no_privilege_on_the_cse_base_is_needed() -> None:
    """But it is for everything else that a stranger would create there."""
    cse = Driven()
    assert cse.create("cse-in", 3, {"m2m:cnt": {}}, "Cnew").rsc == RSC.ORIGINATOR_HAS_NO_PRIVILEGE
    assert register(cse, "Cnew").rsc == RSC.CREATED


# --- afterwards --------------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [{"apn": "Meter"}, {"poa": ["http://new:80"]}, {"rr": True}, {"csz": ["cbor"]}, {"lbl": ["a"]}, {"srv": ["3", "4"]}])
def test_what_an_ae_may_change(content: dict[str, Any]) -> None:
    assert of(world().update(AE, {"m2m:ae": content}, ME)).items() >= content.items()


@pytest.mark.parametrize("content", [{"aei": "Cx"}, {"api": "Nx"}, {"ri": "Cx"}, {"rr": None}])
def test_what_an_ae_may_not_change(content: dict[str, Any]) -> None:
    assert world().update(AE, {"m2m:ae": content}, ME).rsc == RSC.BAD_REQUEST


def test_an_ae_is_its_own_master() -> None:
    """The registration belongs to the AE-ID it was given, also when the originator had none (procedures 4: creator)."""
    cse = world()
    made = of(register(cse, None))
    assert cse.update(made["ri"], {"m2m:ae": {"lbl": ["a"]}}, made["aei"]).rsc == RSC.UPDATED
    assert cse.update(made["ri"], {"m2m:ae": {"lbl": ["b"]}}, OTHER).rsc == RSC.ORIGINATOR_HAS_NO_PRIVILEGE
    assert cse.create(made["ri"], 3, {"m2m:cnt": {}}, made["aei"]).rsc == RSC.CREATED
    assert cse.create(made["ri"], 3, {"m2m:cnt": {}}, OTHER).rsc == RSC.ORIGINATOR_HAS_NO_PRIVILEGE


def test_who_is_registered_may_look_at_the_cse_base() -> None:
    cse = world()
    assert cse.retrieve("cse-in", ME).rsc == RSC.OK
    assert cse.retrieve("cse-in", "Cstranger").rsc == RSC.ORIGINATOR_HAS_NO_PRIVILEGE


@pytest.mark.parametrize("fr", [ME, "CAdmin"])
def test_the_cse_base_is_not_made_changed_or_deleted_by_requests(fr: str) -> None:
    cse = world()
    answers: list[Response] = [
        cse.create("cse-in", 5, {"m2m:cb": {"csi": "/id-x"}}, "CAdmin"),
        cse.update("cse-in", {"m2m:cb": {"lbl": ["a"]}}, fr),
        cse.delete("cse-in", fr),
    ]
    assert {answer.rsc for answer in answers} == {RSC.OPERATION_NOT_ALLOWED}


def test_the_place_of_an_ae_that_is_gone_does_not_lead_to_it_under_another_name() -> None:
    cse = world()
    assert cse.retrieve(AE).rsc == RSC.OK
    assert cse.delete(AE).rsc == RSC.DELETED
    register(cse, ME, rn="renamed")
    assert cse.retrieve(AE).rsc == RSC.NOT_FOUND
    register(cse, "Cthird", rn="meter")
    assert seen(cse, AE)["ri"] == "Cthird"
    assert seen(cse, ME)["rn"] == "renamed"
