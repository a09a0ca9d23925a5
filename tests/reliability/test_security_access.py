"""Attacks on what is somebody else's: each tries to read, change or find out what its originator has no right to. All must fail, and fail in the same way."""

from typing import Any

import pytest

from cse.codes import ResponseStatusCode as RSC
from cse.primitives import Response
from tests.core.tree import AE, ME, OTHER, POWER, container, of, policy, put, register, rule, seen, world
from tests.drive import Driven

EVE = OTHER
SECRET = "the-secret"


@pytest.fixture
def cse() -> Driven:
    """The container of Cmeter holds a secret; Cother is the attacker, a registered AE with a container of its own."""
    cse = world()
    put(cse, SECRET)
    container(cse, "mine", "cse-in/other", EVE)
    return cse


def denied(response: Response) -> None:
    """A refusal that says nothing of what was refused."""
    assert response.rsc == RSC.ORIGINATOR_HAS_NO_PRIVILEGE, response
    assert SECRET not in str(response.pc)


def forms(cse: Driven) -> list[str]:
    """Give every address of the container with the secret."""
    ri = seen(cse, POWER)["ri"]
    paths = [POWER, POWER.replace("cse-in", "-"), ri, f"{ME}/power"]
    return [f"{prefix}{path}" for path in paths for prefix in ("", "/id-in/", "//acme.example.com/id-in/")]


# --- addresses ----------------------------------------------------------------------------------------------------------------------------------------------


def test_no_form_of_an_address_leads_around_a_policy(cse: Driven) -> None:
    for to in forms(cse):
        denied(cse.retrieve(to, EVE))
        denied(cse.retrieve(f"{to}/la", EVE))
        denied(cse.retrieve(f"{to}/ol", EVE))
        denied(cse.retrieve(f"{to}#lbl", EVE))
        denied(cse.update(to, {"m2m:cnt": {"lbl": ["x"]}}, EVE))
        denied(cse.delete(f"{to}/la", EVE))
        denied(cse.delete(to, EVE))
        denied(cse.create(to, 4, {"m2m:cin": {"con": "x"}}, EVE))


@pytest.mark.parametrize("to", [
    "cse-in/other/../meter/power", "cse-in/other/./../../meter", "../cse-in/meter", "cse-in//meter",
    "cse-in/meter/power/", "cse-in/other/mine/../../meter/power",
    "~/id-in/cse-in/meter", "_/acme.example.com/id-in/cse-in/meter", "cse-in/%2e%2e/meter", "cse-in%2Fmeter",
    "cse-in/meter\x00", "cse-in/ｍeter", "cse-in/meter%00",
    "-/-/meter", "//id-in/cse-in/meter", "///cse-in/meter", "cse-in/other/mine/la/../../../meter",
    "cse-in/other/fopt/meter", "id-in/id-in/meter", "CSE-IN/METER",
    "cse-in/" + "meter/" * 300 + "power", "cse-in/" * 400, "#", "cse-in#", "cse-in/meter/power#con#con", "cse-in/meter;power", "cse-in/meter/power?x",
])  # fmt: skip
def test_path_tricks_lead_nowhere(cse: Driven, to: str) -> None:
    for fr in (EVE, "CAdmin"):
        answer = cse.retrieve(to, fr)
        assert answer.rsc in (RSC.NOT_FOUND, RSC.BAD_REQUEST, RSC.TARGET_NOT_REACHABLE), answer


def test_a_refusal_does_not_tell_the_path_of_what_was_asked_for_by_its_identifier(cse: Driven) -> None:
    hidden = container(cse, "hidden-name")
    answer = cse.retrieve(seen(cse, hidden)["ri"], EVE)
    denied(answer)
    assert "hidden-name" not in str(answer.pc)
    for refused in (cse.update(seen(cse, hidden)["ri"], {"m2m:cnt": {"lbl": ["x"]}}, EVE), cse.delete(seen(cse, hidden)["ri"], EVE)):
        denied(refused)
        assert "hidden-name" not in str(refused.pc)


@pytest.mark.parametrize("fr", ["/id-in", "//acme.example.com/id-in", "id-in", "/id-in/", "CAdmin ", "cadmin", "/CAdmin",
    "//acme.example.com/CAdmin", "*", "C*", "all", "C", "S",
                                "/id-in/-", "CAdmin/x", "Cmeter/power", "//other.example/id-in/CAdmin",
                                "//other.example/id-in/Cmeter", "/id-other/Cmeter", "\u0421meter"])  # fmt: skip
def test_no_name_is_that_of_the_cse_the_admin_or_another_ae_but_its_own(cse: Driven, fr: str) -> None:
    answer = cse.retrieve(POWER, fr)
    assert answer.rsc in (RSC.ORIGINATOR_HAS_NO_PRIVILEGE, RSC.BAD_REQUEST), answer
    assert cse.delete(AE, fr).rsc in (RSC.ORIGINATOR_HAS_NO_PRIVILEGE, RSC.BAD_REQUEST)


# --- groups -------------------------------------------------------------------------------------------------------------------------------------------------


def members(cse: Driven, *mid: str, fr: str = EVE, **more: Any) -> str:
    of(cse.create("cse-in/other", 9, {"m2m:grp": {"rn": "g", "mid": list(mid), "mnm": 20, **more}}, fr))
    return "cse-in/other/g"


def test_a_group_lends_no_rights_on_its_members(cse: Driven) -> None:
    group = members(cse, *forms(cse)[:4], "cse-in/other/mine")
    for answer in (
        cse.retrieve(f"{group}/fopt", EVE),
        cse.retrieve(f"{group}/fopt/la", EVE),
        cse.create(f"{group}/fopt", 4, {"m2m:cin": {"con": "x"}}, EVE),
        cse.update(f"{group}/fopt", {"m2m:cnt": {"lbl": ["x"]}}, EVE),
        cse.delete(f"{group}/fopt/la", EVE),
    ):
        assert SECRET not in str(answer.pc)
        told = {each["fr"]: each["rsc"] for each in answer.pc["m2m:agr"]["m2m:rsp"]}
        assert [rsc for member, rsc in told.items() if "mine" not in member] == [4103]
    assert seen(cse, POWER)["cni"] == 1


def test_a_group_within_a_group_within_itself_ends(cse: Driven) -> None:
    group = members(cse, "cse-in/other/g/fopt", "cse-in/other/h/fopt", POWER)
    of(cse.create("cse-in/other", 9, {"m2m:grp": {"rn": "h", "mid": [f"{group}/fopt", "cse-in/other/h/fopt", POWER], "mnm": 9}}, EVE))
    answer = cse.retrieve(f"{group}/fopt", EVE)
    assert sorted(each["rsc"] for each in answer.pc["m2m:agr"]["m2m:rsp"]) == [4103, 4103, 4104, 4104, 4104]


def test_a_group_of_groups_does_not_multiply(cse: Driven) -> None:
    names = [f"b{number}" for number in range(8)]
    for name in names:
        of(cse.create("cse-in/other", 9, {"m2m:grp": {"rn": name, "mid": [f"cse-in/other/{each}/fopt" for each in names], "mnm": 9}}, EVE))
    answer = cse.retrieve("cse-in/other/b0/fopt", EVE)
    assert len(answer.pc["m2m:agr"]["m2m:rsp"]) <= len(names) ** 2


def test_a_stranger_does_not_change_the_members_of_a_group_that_a_rule_names(cse: Driven) -> None:
    of(cse.create(AE, 9, {"m2m:grp": {"rn": "friends", "mid": [AE], "mnm": 5}}, ME))
    of(cse.update(POWER, {"m2m:cnt": {"acpi": [policy(cse, "friendly", rule(f"{AE}/friends", 63))]}}, ME))
    denied(cse.retrieve(POWER, EVE))
    denied(cse.update(f"{AE}/friends", {"m2m:grp": {"mid": [AE, "cse-in/other"]}}, EVE))
    denied(cse.delete(f"{AE}/friends", EVE))
    denied(cse.retrieve(POWER, EVE))


def test_a_type_check_of_members_tells_nothing_of_those_that_may_not_be_read(cse: Driven) -> None:
    for wanted in (2, 3):
        answer = cse.create("cse-in/other", 9, {"m2m:grp": {"mid": [POWER], "mnm": 5, "mt": wanted, "csy": 2}}, EVE)
        assert answer.rsc == RSC.RECEIVER_HAS_NO_PRIVILEGE


# --- discovery and filters ----------------------------------------------------------------------------------------------------------------------------------


def test_discovery_and_trees_leave_out_what_may_not_be_seen(cse: Driven) -> None:
    open_to_all = policy(cse, "open", rule("all", 63))
    of(cse.update(AE, {"m2m:ae": {"acpi": [open_to_all]}}, ME))
    hidden = seen(cse, POWER)["ri"]
    for answer in [cse.retrieve("cse-in", EVE, fc={"fu": 1}), cse.retrieve("cse-in", EVE, fc={"fu": 1}, rcn=6, drt=2)] + [
        cse.retrieve(AE, EVE, rcn=rcn) for rcn in (4, 5, 6, 8)
    ]:
        assert answer.ok
        assert POWER not in str(answer.pc)
        assert f"'{hidden}'" not in str(answer.pc)
        assert SECRET not in str(answer.pc)


@pytest.mark.parametrize(
    "condition", [{"clbl": ["classified"]}, {"clbl": ["c*"]}, {"chty": [3]}, {"catr": {"rn": ["power"]}}, {"catr": {"lbl": ["classified"]}}]
)
def test_conditions_on_children_say_nothing_of_children_that_may_not_be_seen(cse: Driven, condition: dict[str, Any]) -> None:
    of(cse.update(POWER, {"m2m:cnt": {"lbl": ["classified"]}}, ME))
    of(cse.update(AE, {"m2m:ae": {"acpi": [policy(cse, "open", rule("all", 63))]}}, ME))
    assert AE in cse.retrieve("cse-in", ME, fc={"fu": 1, **condition}).pc["m2m:uril"]
    assert AE not in cse.retrieve("cse-in", EVE, fc={"fu": 1, **condition}).pc["m2m:uril"]
    assert cse.retrieve(AE, EVE, fc=condition).rsc == RSC.NOT_FOUND


@pytest.mark.parametrize("condition", [{"palb": ["classified"]}, {"patr": {"lbl": ["classified"]}}, {"pty": [3]}])
def test_conditions_on_the_parent_say_nothing_of_one_that_may_not_be_seen(cse: Driven, condition: dict[str, Any]) -> None:
    of(cse.update(POWER, {"m2m:cnt": {"lbl": ["classified"]}}, ME))
    inner = container(cse, "inner", POWER, acpi=[policy(cse, "open", rule("all", 63))])
    assert inner in cse.retrieve("cse-in", ME, fc={"fu": 1, **condition}).pc["m2m:uril"]
    assert inner not in cse.retrieve("cse-in", EVE, fc={"fu": 1, **condition}).pc["m2m:uril"]
    assert cse.retrieve(inner, EVE, fc=condition).rsc == RSC.NOT_FOUND


def test_a_condition_does_not_tell_attributes_to_who_may_not_read_them(cse: Driven) -> None:
    of(cse.update(POWER, {"m2m:cnt": {"lbl": ["classified"]}}, ME))
    for label in ("classified", "wrong"):
        denied(cse.retrieve(POWER, EVE, fc={"lbl": [label]}))
        denied(cse.update(POWER, {"m2m:cnt": {"lbl": ["x"]}}, EVE, fc={"lbl": [label]}))
        denied(cse.delete(POWER, EVE, fc={"lbl": [label]}))


def test_what_is_applied_to_hits_is_judged_where_it_leads(cse: Driven) -> None:
    of(cse.update(AE, {"m2m:ae": {"acpi": [policy(cse, "open", rule("all", 63))]}}, ME))
    assert cse.retrieve("cse-in", EVE, fc={"fu": 1, "ty": [2], "arp": "power"}).pc["m2m:uril"] == []
    assert cse.retrieve("cse-in", EVE, fc={"fu": 1, "ty": [2], "arp": "power/la"}).pc["m2m:uril"] == []


def test_attributes_that_a_rule_keeps_back_stay_back(cse: Driven) -> None:
    of(cse.update(POWER, {"m2m:cnt": {"lbl": ["classified"]}}, ME))
    of(cse.update(POWER, {"m2m:cnt": {"acpi": [policy(cse, "few", rule(EVE, 63, aca=["cni"]))]}}, ME))
    assert of(cse.retrieve(POWER, EVE)) == {"cni": 1}
    assert "classified" not in str([cse.retrieve(POWER, EVE, rcn=rcn).pc for rcn in (4, 5)])
    denied(cse.retrieve(POWER, EVE, pc={"m2m:atrl": ["lbl"]}))


# --- policies -----------------------------------------------------------------------------------------------------------------------------------------------


def test_links_to_policies_are_changed_by_their_own_privileges_alone(cse: Driven) -> None:
    everything = policy(cse, "everything", rule(EVE, 63))
    of(cse.update(POWER, {"m2m:cnt": {"acpi": [everything]}}, ME))
    assert cse.retrieve(POWER, EVE).ok
    denied(cse.update(POWER, {"m2m:cnt": {"acpi": None}}, EVE))
    of(cse.create("cse-in/other", 1, {"m2m:acp": {"rn": "own", "pv": {"acr": [rule(EVE, 63)]}, "pvs": {"acr": [rule(EVE, 63)]}}}, EVE))
    denied(cse.update(POWER, {"m2m:cnt": {"acpi": ["cse-in/other/own"]}}, EVE))
    denied(cse.update(POWER, {"m2m:cnt": {"acpi": ["cse-in/other/own"], "lbl": ["x"]}}, EVE))
    denied(cse.update(everything, {"m2m:acp": {"pvs": {"acr": [rule(EVE, 63)]}}}, EVE))
    denied(cse.retrieve(everything, EVE))


def test_a_policy_that_is_not_there_cannot_be_linked_and_grants_nothing_when_it_goes(cse: Driven) -> None:
    assert cse.create("cse-in/other", 3, {"m2m:cnt": {"acpi": ["cse-in/nowhere"]}}, EVE).rsc == RSC.BAD_REQUEST
    gone = policy(cse, "gone", rule("all", 63))
    of(cse.update(POWER, {"m2m:cnt": {"acpi": [gone]}}, ME))
    assert cse.retrieve(POWER, EVE).ok
    of(cse.delete(gone, rcn=1))
    denied(cse.retrieve(POWER, EVE))
    denied(cse.retrieve(POWER, ME))
    assert cse.retrieve(POWER).ok


def test_nobody_creates_in_the_name_of_another(cse: Driven) -> None:
    assert cse.create("cse-in/other", 3, {"m2m:cnt": {"cr": ME}}, EVE).rsc == RSC.BAD_REQUEST
    made = of(cse.create("cse-in/other", 3, {"m2m:cnt": {"cr": None}}, EVE))
    assert made["cr"] == EVE
    for wrong in ({"ri": "x"}, {"pi": "x"}, {"ct": "20200101T000000"}, {"st": 7}, {"cni": 7}):
        assert cse.create("cse-in/other", 3, {"m2m:cnt": wrong}, EVE).rsc == RSC.BAD_REQUEST
        assert cse.update("cse-in/other/mine", {"m2m:cnt": wrong}, EVE).rsc == RSC.BAD_REQUEST


def test_a_custodian_is_not_made_by_a_stranger(cse: Driven) -> None:
    denied(cse.update(POWER, {"m2m:cnt": {"cstn": EVE}}, EVE))
    denied(cse.retrieve(POWER, EVE))


# --- registration -------------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fr", [ME, f"/id-in/{ME}", f"//acme.example.com/id-in/{ME}"])
def test_the_name_of_an_ae_is_not_taken_while_it_is_there(cse: Driven, fr: str) -> None:
    assert register(cse, fr, rn="again").rsc == RSC.ORIGINATOR_HAS_ALREADY_REGISTERED


@pytest.mark.parametrize("fr", ["id-in", "cse-in", "cnt1", "/id-other/Cx", "C/../x", "C*", "Cmeter/power", "-", "la"])
def test_an_ae_is_not_registered_under_a_name_that_is_none(cse: Driven, fr: str) -> None:
    assert not register(cse, fr, rn="strange").ok


def test_an_address_of_an_ae_that_has_gone_does_not_lead_to_the_next_one(cse: Driven) -> None:
    assert cse.retrieve(POWER, ME).ok
    assert cse.delete(AE, ME).ok
    register(cse, "Cnew", rn="meter")
    assert cse.retrieve(POWER, "Cnew").rsc == RSC.NOT_FOUND
    assert seen(cse, AE)["aei"] == "Cnew"
    register(cse, ME, rn="moved")
    assert seen(cse, AE)["aei"] == "Cnew"
    denied(cse.update(AE, {"m2m:ae": {"apn": "x"}}, ME))


# --- requests of others -------------------------------------------------------------------------------------------------------------------------------------


def test_the_result_of_a_request_is_for_its_originator(cse: Driven) -> None:
    accepted = cse.retrieve(POWER, ME, rt={"rtv": 1})
    assert accepted.rsc == RSC.ACCEPTED_FOR_NONBLOCKINGREQUESTSYNCH
    request = accepted.pc["m2m:uri"]
    assert cse.retrieve(request, ME).ok
    denied(cse.retrieve(request, EVE))
    denied(cse.delete(request, EVE))
    assert request not in str(cse.retrieve("cse-in", EVE, fc={"fu": 1}, drt=2).pc)
    assert SECRET not in str(cse.retrieve("cse-in", EVE, rcn=4).pc)


def test_a_request_that_is_answered_later_has_no_more_rights(cse: Driven) -> None:
    accepted = cse.retrieve(f"{POWER}/la", EVE, rt={"rtv": 1})
    result = of(cse.retrieve(accepted.pc["m2m:uri"], EVE))
    assert result["ors"]["rsc"] == RSC.ORIGINATOR_HAS_NO_PRIVILEGE
    assert SECRET not in str(result)


def test_a_polling_channel_is_for_its_owner(cse: Driven) -> None:
    of(cse.create(AE, 15, {"m2m:pch": {"rn": "channel"}}, ME))
    for fr in (EVE, "/id-in"):
        denied(cse.retrieve(f"{AE}/channel/pcu", fr))
        denied(cse.retrieve(f"{AE}/channel", fr))
        denied(cse.delete(f"{AE}/channel", fr))
    assert not cse.create(AE, 15, {"m2m:pch": {}}, EVE).ok
    assert not cse.create("cse-in/other", 15, {"m2m:pch": {}}, ME).ok


# --- subscriptions ------------------------------------------------------------------------------------------------------------------------------------------


def test_nobody_subscribes_to_what_he_may_not_read(cse: Driven) -> None:
    denied(cse.create(POWER, 23, {"m2m:sub": {"nu": ["http://eve.example"]}}, EVE))
    of(cse.update(POWER, {"m2m:cnt": {"acpi": [policy(cse, "writer", rule(EVE, 1))]}}, ME))
    denied(cse.create(POWER, 23, {"m2m:sub": {"nu": ["http://eve.example"]}}, EVE))


def test_notifications_go_only_to_who_has_agreed(cse: Driven) -> None:
    cse.answer = lambda call: Response(RSC.SUBSCRIPTION_CREATOR_HAS_NO_PRIVILEGE, call.request.rqi)
    answer = cse.create("cse-in/other/mine", 23, {"m2m:sub": {"rn": "flood", "nu": ["http://victim.example"]}}, EVE)
    assert answer.rsc == RSC.SUBSCRIPTION_VERIFICATION_INITIATION_FAILED
    put(cse, "x", "cse-in/other/mine", EVE)
    assert list(cse.taken()) == []


def test_the_targets_of_a_subscription_are_not_changed_by_a_stranger(cse: Driven) -> None:
    of(cse.create(POWER, 23, {"m2m:sub": {"rn": "sub", "nu": ["http://meter.example"]}}, ME))
    denied(cse.update(f"{POWER}/sub", {"m2m:sub": {"nu": ["http://eve.example"]}}, EVE))
    denied(cse.retrieve(f"{POWER}/sub", EVE))


# --- bombs --------------------------------------------------------------------------------------------------------------------------------------------------


def test_a_tree_does_not_become_deeper_than_can_be_shown() -> None:
    cse = world()
    to, depth = seen(cse, POWER)["ri"], 2
    while (answer := cse.create(to, 3, {"m2m:cnt": {"rn": "d"}}, ME)).ok and depth < 500:
        to, depth = of(answer)["ri"], depth + 1
    assert depth < 500
    assert answer.rsc == RSC.BAD_REQUEST
    of(cse.create(to, 4, {"m2m:cin": {"con": "deep"}}, ME))
    for rcn in (4, 5, 6, 8):
        assert cse.retrieve("cse-in", rcn=rcn).ok
    assert cse.delete(POWER, ME).ok


@pytest.mark.parametrize("time", ["rqet", "rset", "oet", "rp"])
def test_a_time_beyond_all_time_is_an_end_like_others(cse: Driven, time: str) -> None:
    assert cse.retrieve(AE, ME, **{time: 10**18 - 1}).rsc in (RSC.OK, RSC.REQUEST_TIMEOUT)


def test_a_condition_is_not_a_program(cse: Driven) -> None:
    put(cse, '["' + "a" * 5000 + '"]')
    put(cse, "[" * 60 + "]" * 60)
    for path in ("$[?match(@, '(a|aa)+b')]", "$" + "..*" * 12 + ".x", "$[?" + "(" * 400 + "@" + ")" * 400 + "]", "$" + "[0,0]" * 60):
        assert cse.retrieve(POWER, ME, fc={"fu": 1, "cfs": 1, "cfq": path}).rsc in (RSC.OK, RSC.BAD_REQUEST)


def test_a_place_is_not_a_number_without_end(cse: Driven) -> None:
    far = "[" + "9" * 400 + ",1]"
    assert cse.create("cse-in/other", 3, {"m2m:cnt": {"loc": {"typ": 1, "crd": far}}}, EVE).rsc == RSC.BAD_REQUEST
    assert cse.retrieve("cse-in", EVE, fc={"fu": 1, "gmty": 1, "geom": far, "gsf": 1}).rsc == RSC.BAD_REQUEST
