"""accessControlPolicy, and access as requests meet it (procedures 4; TS-0001 9.6.2, TS-0004 7.3.3.15, 7.4.2)."""

from typing import Any

import pytest

from cse.codes import Operation
from cse.codes import ResponseStatusCode as RSC
from cse.config import Settings
from cse.datatypes import timestamp
from cse.primitives import Peer, Request
from tests.core.tree import AE, ME, OTHER, POWER, container, of, policy, put, register, rule, seen, world
from tests.drive import Driven

DENIED = RSC.ORIGINATOR_HAS_NO_PRIVILEGE
CREATE, RETRIEVE, UPDATE, DELETE, NOTIFY, DISCOVERY = 1, 2, 4, 8, 16, 32
STRANGER = "Cstranger"


def acp(**attributes: Any) -> dict[str, Any]:
    return {"m2m:acp": {"pv": {"acr": [rule("all", 2)]}, "pvs": {"acr": [rule("CAdmin", 63)]}, **attributes}}


def link(cse: Driven, *policies: str, to: str = POWER) -> None:
    """Link policies by the admin, whom nothing binds."""
    of(cse.update(to, {"m2m:ae" if to == AE else "m2m:cnt": {"acpi": list(policies)}}))


def attempts(cse: Driven, fr: str, path: str = POWER) -> set[int]:
    """Give the operations that an originator may do on a container; the last one deletes it."""
    answers = {
        RETRIEVE: cse.retrieve(path, fr),
        CREATE: cse.create(path, 3, {"m2m:cnt": {}}, fr),
        UPDATE: cse.update(path, {"m2m:cnt": {"lbl": ["a"]}}, fr),
        DELETE: cse.delete(path, fr),
    }
    assert {answer.rsc for answer in answers.values() if not answer.ok} <= {DENIED}
    return {operation for operation, answer in answers.items() if answer.ok}


# --- the resource ------------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("attributes", "rsc"),
    [
        ({}, RSC.CREATED),
        ({"pv": {}}, RSC.CREATED),
        ({"pv": {"acr": []}}, RSC.CREATED),
        ({"pvs": {}}, RSC.BAD_REQUEST),
        ({"pvs": {"acr": []}}, RSC.BAD_REQUEST),
        ({"pvs": None}, RSC.BAD_REQUEST),
        ({"pv": {"acr": [{"acor": ["all"]}]}}, RSC.BAD_REQUEST),
        ({"pv": {"acr": [{"acop": 2}]}}, RSC.BAD_REQUEST),
        ({"pv": {"acr": [rule("all", 64)]}}, RSC.BAD_REQUEST),
        ({"pv": {"acr": [rule("all", -1)]}}, RSC.BAD_REQUEST),
        ({"pv": {"acr": [{"acor": [], "acop": 2}]}}, RSC.BAD_REQUEST),
        ({"pv": {"acr": [rule("all", 2, unknown=1)]}}, RSC.BAD_REQUEST),
        ({"pv": {"acr": [rule("all", 2, acod=[{"ty": 3}])]}}, RSC.BAD_REQUEST),
        ({"pv": {"acr": [rule("all", 1, acod=[{"chty": [4]}])]}}, RSC.CREATED),
        ({"pv": {"acr": [rule("all", 2, acco=[{"acip": {"ipv4": ["10.0.0.0/8"]}}])]}}, RSC.CREATED),
        ({"pv": {"acr": [rule("all", 2, acco=[{"acip": {"ipv4": ["10.0.0.300"]}}])]}}, RSC.BAD_REQUEST),
        ({"acpi": ["acp1"]}, RSC.BAD_REQUEST),
        ({"cr": None}, RSC.BAD_REQUEST),
    ],
)
def test_rules(attributes: dict[str, Any], rsc: RSC) -> None:
    assert world().create("cse-in", 1, acp(**attributes)).rsc == rsc


@pytest.mark.parametrize("content", [{"pvs": {}}, {"pvs": {"acr": []}}, {"pvs": None}, {"pv": None}, {"ri": "x"}, {"unknown": 1}])
def test_updates_that_are_refused(content: dict[str, Any]) -> None:
    cse = world()
    path = policy(cse, "acp")
    assert cse.update(path, {"m2m:acp": content}).rsc == RSC.BAD_REQUEST


def test_its_self_privileges_alone_decide_about_itself() -> None:
    cse = world()
    path = policy(cse, "acp", rule(ME, 63), pvs=[rule(OTHER, RETRIEVE + UPDATE)])
    assert cse.retrieve(path, ME).rsc == cse.update(path, {"m2m:acp": {"lbl": ["a"]}}, ME).rsc == cse.delete(path, ME).rsc == DENIED
    assert cse.retrieve(path, OTHER).rsc == RSC.OK
    assert cse.update(path, {"m2m:acp": {"pvs": {"acr": [rule(ME, 63)]}}}, OTHER).rsc == RSC.UPDATED
    assert cse.retrieve(path, OTHER).rsc == cse.delete(path, OTHER).rsc == DENIED
    assert cse.delete(path, ME).rsc == RSC.DELETED


def test_who_made_a_policy_has_no_other_rights_on_it() -> None:
    cse = world()
    of(cse.create(AE, 1, acp(rn="acp"), ME))
    assert cse.retrieve(f"{AE}/acp", ME).rsc == DENIED
    assert cse.retrieve(f"{AE}/acp", "CAdmin").rsc == RSC.OK


@pytest.mark.parametrize(("openly", "rsc"), [(True, RSC.CREATED), (False, DENIED)])
@pytest.mark.parametrize("fr", [STRANGER, ME, "/id-mn"])
def test_who_may_create_policies_under_the_cse_base_is_a_setting(openly: bool, rsc: RSC, fr: str) -> None:
    cse = Driven(settings=Settings(acp_create_open=openly))
    register(cse, ME)
    assert cse.create("cse-in", 1, acp(), fr).rsc == rsc
    assert cse.create("cse-in", 1, acp(), "CAdmin").rsc == RSC.CREATED


def test_the_setting_is_for_policies_under_the_cse_base_only() -> None:
    cse = world()
    assert cse.create("cse-in", 3, {"m2m:cnt": {}}, ME).rsc == cse.create(AE, 1, acp(), OTHER).rsc == DENIED


# --- without policies --------------------------------------------------------------------------------------------------------------------------------------


def test_without_policies_the_creator_has_all_rights_and_nobody_else() -> None:
    cse = world()
    for fr, path in ((OTHER, POWER), (STRANGER, POWER), (ME, "cse-in/other")):
        assert cse.retrieve(path, fr).rsc == cse.delete(path, fr).rsc == DENIED
    assert attempts(cse, OTHER) == set()
    assert attempts(cse, ME) == {CREATE, RETRIEVE, UPDATE, DELETE}


def test_there_is_no_inheritance_from_the_parent() -> None:
    """The creator of the parent has no right on what others made below it."""
    cse = world()
    policy(cse, "acp", rule(OTHER, 63), rule(ME, 63))
    link(cse, "cse-in/acp")
    path = container(cse, "theirs", POWER, OTHER)
    assert cse.retrieve(path, ME).rsc == DENIED
    assert attempts(cse, OTHER, path) == {CREATE, RETRIEVE, UPDATE, DELETE}


def test_a_custodian_stands_in_the_place_of_the_creator() -> None:
    """custodian (R4): when it is set and no policies are linked."""
    cse = world()
    path = container(cse, "kept", cstn=OTHER)
    assert cse.retrieve(path, ME).rsc == DENIED
    policy(cse, "acp", rule(ME, RETRIEVE), pvs=[rule(OTHER, UPDATE)])
    assert cse.update(path, {"m2m:cnt": {"acpi": ["cse-in/acp"]}}, OTHER).rsc == RSC.UPDATED
    assert cse.retrieve(path, ME).rsc == RSC.OK
    assert cse.retrieve(path, OTHER).rsc == DENIED
    assert cse.update(path, {"m2m:cnt": {"acpi": None}}, OTHER).rsc == RSC.UPDATED
    assert attempts(cse, OTHER, path) == {CREATE, RETRIEVE, UPDATE, DELETE}


def test_the_creator_is_known_without_the_attribute_too() -> None:
    cse = world()
    for content in ({}, {"cr": None}):
        path = of(cse.create(AE, 3, {"m2m:cnt": content}, ME))["ri"]
        assert cse.retrieve(path, ME).rsc == RSC.OK
        assert cse.retrieve(path, OTHER).rsc == DENIED


# --- with policies -----------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("operations", [CREATE, RETRIEVE, UPDATE, DELETE, NOTIFY, DISCOVERY, CREATE + UPDATE, RETRIEVE + DELETE, 63, 0])
def test_every_operation_needs_its_own_bit(operations: int) -> None:
    cse = world()
    policy(cse, "acp", rule(OTHER, operations))
    link(cse, "cse-in/acp")
    assert attempts(cse, OTHER) == {bit for bit in (CREATE, RETRIEVE, UPDATE, DELETE) if bit & operations}


def test_the_creator_has_no_rights_beside_the_policies() -> None:
    cse = world()
    policy(cse, "acp", rule(OTHER, 63))
    link(cse, "cse-in/acp")
    assert attempts(cse, ME) == set()


def test_one_rule_of_one_policy_that_fits_is_enough_and_rules_do_not_add_up() -> None:
    cse = world()
    policy(cse, "first", rule(OTHER, RETRIEVE), rule("Cnobody", 63))
    policy(cse, "second", rule(OTHER, UPDATE))
    link(cse, "cse-in/first", "cse-in/second")
    assert attempts(cse, OTHER) == {RETRIEVE, UPDATE}


@pytest.mark.parametrize(
    ("originator", "fr", "granted"),
    [
        (OTHER, OTHER, True),
        ("/id-in/Cother", OTHER, True),
        (OTHER, "/id-in/Cother", True),
        ("all", STRANGER, True),
        ("Co*", OTHER, True),
        ("*", STRANGER, True),
        ("/id-in/*", OTHER, True),
        ("//acme.example.com", OTHER, True),
        ("/id-mn", "/id-mn", True),
        ("cse-in/group", OTHER, True),
        ("cse-in/group", ME, False),
        ("Coth", OTHER, False),
        ("C?ther", OTHER, False),
        ("/id-mn/Cother", OTHER, False),
        ("//other.example", OTHER, False),
        ("ALL", OTHER, False),
        (STRANGER, OTHER, False),
    ],
)
def test_originators(originator: str, fr: str, granted: bool) -> None:
    cse = world()
    of(cse.create("cse-in", 9, {"m2m:grp": {"rn": "group", "mnm": 3, "mid": ["cse-in/other"]}}))
    policy(cse, "acp", rule(originator, RETRIEVE))
    link(cse, "cse-in/acp")
    assert cse.retrieve(POWER, fr).rsc == (RSC.OK if granted else DENIED)


def test_which_types_may_be_created() -> None:
    """accessControlObjectDetails: child types, for targets of a type; looked at for CREATE alone."""
    cse = world()
    policy(cse, "acp", rule(OTHER, CREATE + RETRIEVE, acod=[{"ty": 3, "chty": [4]}]))
    link(cse, "cse-in/acp")
    link(cse, "cse-in/acp", to=AE)
    put(cse, fr=OTHER)
    assert cse.create(POWER, 3, {"m2m:cnt": {}}, OTHER).rsc == DENIED
    assert cse.create(AE, 3, {"m2m:cnt": {}}, OTHER).rsc == DENIED
    assert cse.retrieve(AE, OTHER).rsc == RSC.OK


@pytest.mark.parametrize(("address", "granted"), [("10.1.2.3", True), ("192.168.0.1", False), (None, False)])
def test_where_a_request_comes_from(address: str | None, granted: bool) -> None:
    cse = world()
    policy(cse, "acp", rule(OTHER, RETRIEVE, acco=[{"acip": {"ipv4": ["10.0.0.0/8"]}}]))
    link(cse, "cse-in/acp")
    response = cse.request(Request(Operation.RETRIEVE, POWER, OTHER, "q", "4", peer=Peer(address=address)))
    assert response.rsc == (RSC.OK if granted else DENIED)


@pytest.mark.parametrize(("identity", "rsc"), [(OTHER, RSC.OK), ("/id-in/Cother", RSC.OK), (None, DENIED), (ME, RSC.ORIGINATOR_NOT_AUTHENTICATED)])
def test_originators_that_must_be_authenticated(identity: str | None, rsc: RSC) -> None:
    """accessControlAuthenticationFlag; who is authenticated as another than the originator is refused in any case (procedures 19.1)."""
    cse = world()
    policy(cse, "acp", rule(OTHER, RETRIEVE, acaf=True))
    link(cse, "cse-in/acp")
    assert cse.request(Request(Operation.RETRIEVE, POWER, OTHER, "q", "4", peer=Peer(identity=identity))).rsc == rsc


def test_a_policy_counts_as_it_is_now() -> None:
    cse = world()
    path = policy(cse, "acp", rule(OTHER, RETRIEVE))
    link(cse, path)
    assert cse.retrieve(POWER, OTHER).rsc == RSC.OK
    of(cse.update(path, {"m2m:acp": {"pv": {"acr": [rule(STRANGER, RETRIEVE)]}}}))
    assert cse.retrieve(POWER, OTHER).rsc == DENIED
    assert cse.retrieve(POWER, STRANGER).rsc == RSC.OK


def test_a_deleted_policy_grants_nothing_and_its_reference_remains() -> None:
    """The last one gone, only the admin reaches the resource (procedures 4)."""
    cse = world()
    policy(cse, "first", rule(OTHER, RETRIEVE))
    policy(cse, "second", rule(STRANGER, RETRIEVE))
    link(cse, "cse-in/first", "cse-in/second")
    assert cse.delete("cse-in/first").rsc == RSC.DELETED
    assert cse.retrieve(POWER, OTHER).rsc == DENIED
    assert cse.retrieve(POWER, STRANGER).rsc == RSC.OK
    assert cse.delete("cse-in/second").rsc == RSC.DELETED
    assert attempts(cse, STRANGER) | attempts(cse, ME) == set()
    assert seen(cse, POWER)["acpi"] == ["cse-in/first", "cse-in/second"]
    of(cse.update(POWER, {"m2m:cnt": {"acpi": None}}))
    assert cse.retrieve(POWER, ME).rsc == RSC.OK


def test_an_expired_policy_grants_nothing_from_that_moment_on() -> None:
    """TS-0004 7.3.3.5: it is missing, removed yet or not; nor can it be linked any more."""
    cse = world()
    content = {"rn": "acp", "et": timestamp(cse.seconds + 10), "pv": {"acr": [rule(OTHER, RETRIEVE)]}, "pvs": {"acr": [rule(OTHER, UPDATE)]}}
    of(cse.create("cse-in", 1, {"m2m:acp": content}))
    link(cse, "cse-in/acp")
    assert cse.retrieve(POWER, OTHER).rsc == RSC.OK
    cse.seconds += 10
    assert cse.retrieve(POWER, OTHER).rsc == DENIED
    assert cse.update(POWER, {"m2m:cnt": {"acpi": None}}, OTHER).rsc == DENIED
    assert cse.create(AE, 3, {"m2m:cnt": {"acpi": ["cse-in/acp"]}}, ME).rsc == RSC.BAD_REQUEST


def test_an_expired_group_has_no_originators() -> None:
    cse = world()
    of(cse.create("cse-in", 9, {"m2m:grp": {"rn": "friends", "mnm": 1, "mid": [OTHER], "et": timestamp(cse.seconds + 10)}}))
    policy(cse, "acp", rule("cse-in/friends", RETRIEVE))
    link(cse, "cse-in/acp")
    assert cse.retrieve(POWER, OTHER).rsc == RSC.OK
    cse.seconds += 10
    assert cse.retrieve(POWER, OTHER).rsc == DENIED


def test_who_is_expired_is_no_registree() -> None:
    """TS-0001 10.2.2: its end is its deregistration."""
    cse = world()
    of(register(cse, "Cshort", et=timestamp(cse.seconds + 10)))
    assert cse.retrieve("cse-in", "Cshort").rsc == RSC.OK
    cse.seconds += 10
    assert cse.retrieve("cse-in", "Cshort").rsc == DENIED


def test_a_policy_of_another_cse_that_cannot_be_read_grants_nothing() -> None:
    cse = world()
    link(cse, "/id-mn/acp7")
    assert attempts(cse, ME) == set()


@pytest.mark.parametrize(("operations", "rsc"), [(CREATE, DENIED), (RETRIEVE, DENIED), (CREATE + RETRIEVE, RSC.CREATED)])
def test_a_subscriber_must_be_allowed_to_read_what_it_is_told(operations: int, rsc: RSC) -> None:
    cse = world()
    policy(cse, "acp", rule(OTHER, operations))
    link(cse, "cse-in/acp")
    assert cse.create(POWER, 23, {"m2m:sub": {"nu": ["http://sink:80"]}}, OTHER).rsc == rsc


def test_the_right_to_create_is_that_on_the_parent() -> None:
    cse = world()
    policy(cse, "acp", rule(OTHER, CREATE))
    link(cse, "cse-in/acp")
    assert cse.create(POWER, 3, {"m2m:cnt": {"rn": "theirs", "acpi": ["cse-in/acp"]}}, OTHER).rsc == RSC.CREATED
    assert cse.retrieve(f"{POWER}/theirs", OTHER).rsc == DENIED


@pytest.mark.parametrize("fr", ["CAdmin", "/id-in/CAdmin", "//acme.example.com/id-in/CAdmin"])
def test_the_admin_may_do_everything(fr: str) -> None:
    cse = world()
    policy(cse, "acp")
    link(cse, "cse-in/acp")
    assert attempts(cse, fr) == {CREATE, RETRIEVE, UPDATE, DELETE}


def test_nobody_acts_under_the_name_of_this_cse() -> None:
    """Requests from outside with the CSE's own identifier have no rights by it."""
    assert attempts(world(), "/id-in") == set()
