"""Subscriptions as resources: checks, defaults, verification (TS-0001 9.6.8, TS-0004 7.4.8, 7.5.1.2.1; procedures 7.1)."""

from typing import Any

import pytest

from cse.codes import Operation
from cse.codes import ResponseStatusCode as RSC
from cse.datatypes import timestamp
from cse.primitives import Call, Response
from tests.core.tree import AE, ME, OTHER, POWER, answering, container, of, policy, put, register, rule, world
from tests.drive import Driven

URL = "http://sink.example/"


def subscribe(cse: Driven, to: str = POWER, fr: str = ME, **attributes: Any) -> Response:
    """Create a subscription; its target is the originator itself unless ``nu`` says another."""
    return cse.create(to, 23, {"m2m:sub": {"nu": [fr], **attributes}}, fr)


@pytest.fixture
def cse() -> Driven:
    return world()


# Checks of a CREATE (procedures 7.1, row by row)


@pytest.mark.parametrize(("operations", "code"), [(1, RSC.ORIGINATOR_HAS_NO_PRIVILEGE), (2, RSC.ORIGINATOR_HAS_NO_PRIVILEGE), (3, RSC.CREATED)])
def test_the_originator_needs_retrieve_and_create_on_the_parent(cse: Driven, operations: int, code: RSC) -> None:
    top = container(cse, "top", acpi=[policy(cse, "some", rule(OTHER, operations))])
    assert subscribe(cse, top, OTHER).rsc == code


def test_not_everything_can_be_subscribed_to(cse: Driven) -> None:
    """5203: a contentInstance and a subscription have no subscriptions."""
    instance, subscription = put(cse)["ri"], of(subscribe(cse))["ri"]
    for target in (instance, subscription):
        assert subscribe(cse, target).rsc == RSC.TARGET_NOT_SUBSCRIBABLE


@pytest.mark.parametrize("name", ["la", "ol"])
def test_virtual_instances_cannot_be_subscribed_to(cse: Driven, name: str) -> None:
    put(cse)
    assert subscribe(cse, f"{POWER}/{name}").rsc in (RSC.OPERATION_NOT_ALLOWED, RSC.TARGET_NOT_SUBSCRIBABLE)


@pytest.mark.parametrize("to", ["cse-in", AE, POWER, "cse-in/group", "cse-in/policy"])
def test_what_can_be_subscribed_to(cse: Driven, to: str) -> None:
    of(cse.create("cse-in", 9, {"m2m:grp": {"rn": "group", "mid": [], "mnm": 1}}))
    policy(cse, "policy")
    assert subscribe(cse, to, "CAdmin").rsc == RSC.CREATED


@pytest.mark.parametrize(
    ("attributes", "named"),
    [
        ({"nu": []}, "nu"),
        ({"nu": None}, "nu"),
        ({"nu": "Cmeter"}, "nu"),
        ({"enc": {"net": [1], "om": [{"ops": 4}]}}, "om"),
        ({"enc": {"om": [{}]}}, "enc"),
        ({"enc": {"om": [{"ops": 64}]}}, "enc"),
        ({"enc": {"net": []}}, "enc"),
        ({"enc": {"net": [0]}}, "net"),
        ({"enc": {"net": [99]}}, "net"),
        ({"enc": {"net": [3], "chty": [2]}}, "chty"),
        ({"enc": {"net": [8]}}, "net 8"),
        ({"enc": {"net": [1], "md": {"num": 1, "dur": "PT1S"}}}, "md"),
        ({"enc": {"net": [8], "md": {"num": 1}}}, "md"),
        ({"enc": {"net": [8], "md": {"num": 1, "dur": "PT1S"}}}, "net 8"),
        ({"enc": {"net": [6]}}, "net 6"),
        ({"enc": {"nosuch": 1}}, "nosuch"),
        ({"enc": {"crb": "today"}}, "crb"),
        ({"nct": 4}, "nct"),
        ({"nct": 0}, "nct"),
        ({"enc": {"net": [2]}, "nct": 2}, "nct"),
        ({"enc": {"net": [3]}, "nct": 2}, "nct"),
        ({"enc": {"net": [4]}, "nct": 5}, "nct"),
        ({"enc": {"net": [1, 3]}, "nct": 2}, "nct"),
        ({"enc": {"om": [{"ops": 4}]}, "nct": 4}, "nct"),
        ({"exc": 0}, "exc"),
        ({"exc": -1}, "exc"),
        ({"nec": 1}, "nec"),
        ({"pn": 3}, "pn"),
        ({"bn": {"num": -1}}, "bn"),
        ({"bn": {"dur": "soon"}}, "bn"),
        ({"rl": {"mnn": 1}}, "rl"),
        ({"nsi": []}, "nsi"),
        ({"cr": "Cmeter"}, "cr"),
        ({"et": "20200101T000000"}, "et"),
    ],
    ids=str,
)
def test_representations_that_are_refused(cse: Driven, attributes: dict[str, Any], named: str) -> None:
    response = subscribe(cse, **attributes)
    assert response.rsc == RSC.BAD_REQUEST
    assert named in response.pc["m2m:dbg"]
    assert cse.asked == []


def test_nu_is_mandatory(cse: Driven) -> None:
    assert cse.create(POWER, 23, {"m2m:sub": {}}, ME).rsc == RSC.BAD_REQUEST


@pytest.mark.parametrize(("to", "code"), [(POWER, RSC.CREATED), (AE, RSC.BAD_REQUEST), ("cse-in/group", RSC.BAD_REQUEST)])
def test_net_5_is_for_containers(cse: Driven, to: str, code: RSC) -> None:
    of(cse.create("cse-in", 9, {"m2m:grp": {"rn": "group", "mid": [], "mnm": 1}}))
    assert subscribe(cse, to, "CAdmin", enc={"net": [5]}).rsc == code


@pytest.mark.parametrize(("attributes", "code"), [({}, RSC.CREATED), ({"nct": 4}, RSC.CREATED), ({"nct": 1}, RSC.BAD_REQUEST)])
def test_net_6_is_for_aes_and_has_a_content_of_its_own(cse: Driven, attributes: dict[str, Any], code: RSC) -> None:
    assert subscribe(cse, AE, enc={"net": [6]}, **attributes).rsc == code


def test_event_types_with_different_defaults_need_nct(cse: Driven) -> None:
    assert subscribe(cse, AE, enc={"net": [1, 6]}).rsc == RSC.BAD_REQUEST
    assert subscribe(cse, AE, enc={"net": [1, 2, 3, 4]}).rsc == RSC.CREATED


def test_advanced_queries_are_not_ignored(cse: Driven) -> None:
    assert subscribe(cse, enc={"net": [1], "aq": "x"}).rsc == RSC.NOT_IMPLEMENTED


@pytest.mark.parametrize(
    "attributes",
    [
        {"enc": {"net": [7, 1]}},
        {"nu": [ME, OTHER]},
        {"nu": [URL]},
        *({name: value} for name, value in {"bn": {"num": 2}, "rl": {"mnn": 1, "tww": "PT1S"}, "pn": 1, "ln": True, "exc": 3, "nec": 2}.items()),
        {"enc": {"net": [7], "crb": "20990101T000000"}},
        {"enc": {"net": [7], "chty": [4]}},
        {"nct": 1},
    ],
    ids=str,
)
def test_a_blocking_update_goes_with_nothing_else(cse: Driven, attributes: dict[str, Any]) -> None:
    whole: dict[str, Any] = {"enc": {"net": [7]}, **attributes}
    assert subscribe(cse, **whole).rsc == RSC.BAD_REQUEST


def test_only_one_may_block(cse: Driven) -> None:
    attributes = of(subscribe(cse, enc={"net": [7], "atr": ["lbl"]}, lbl=["x"], su=URL, cr=None))
    assert attributes["nct"] == 2
    assert subscribe(cse, enc={"net": [7], "atr": ["mni"]}).rsc == RSC.BLOCKING_SUBSCRIPTION_ALREADY_EXISTS
    assert subscribe(cse, AE, enc={"net": [7]}).rsc == RSC.CREATED
    assert cse.delete(f"{POWER}/{attributes['rn']}", ME).ok
    assert subscribe(cse, enc={"net": [7]}).rsc == RSC.CREATED


# Defaults


@pytest.mark.parametrize(
    ("to", "given", "content"),
    [
        (POWER, None, 1),
        (POWER, {"atr": ["lbl"]}, 1),
        *((POWER, {"net": [net]}, content) for net, content in ((1, 1), (2, 1), (3, 1), (4, 1), (5, 1), (7, 2))),
        (AE, {"net": [6]}, 4),
        (POWER, {"om": [{"ops": 4}]}, 1),
    ],
    ids=str,
)
def test_defaults(cse: Driven, to: str, given: dict[str, Any] | None, content: int) -> None:
    """net {1}, nct by procedures 7.3; no expirationCounter, no event category, no batch."""
    criteria: dict[str, Any] = {} if given is None else {"enc": given}
    attributes = of(subscribe(cse, to, **criteria))
    assert attributes["nct"] == content
    assert attributes["enc"] == (given if given and ("net" in given or "om" in given) else {"net": [1], **(given or {})})
    assert not {"exc", "nec", "bn", "ln", "pn", "rl", "su"} & attributes.keys()
    assert attributes["nu"] == [ME]


@pytest.mark.parametrize(("given", "expected"), [({"num": 3}, {"num": 3, "dur": "PT60S"}), ({"dur": "PT5S"}, {"dur": "PT5S"}), ({}, {"dur": "PT60S"})], ids=str)
def test_a_batch_without_duration_gets_that_of_the_provider(cse: Driven, given: dict[str, Any], expected: dict[str, Any]) -> None:
    attributes = of(subscribe(cse, bn=given))
    assert attributes["bn"] == expected
    assert of(cse.update(attributes["ri"], {"m2m:sub": {"bn": {"num": 9}}}, ME))["bn"] == {"num": 9, "dur": "PT60S"}
    assert "bn" not in of(cse.update(attributes["ri"], {"m2m:sub": {"bn": None}}, ME))


def test_targets_are_kept_once(cse: Driven) -> None:
    attributes = of(subscribe(cse, nu=[ME, URL, ME]))
    assert attributes["nu"] == [ME, URL]
    assert of(cse.update(attributes["ri"], {"m2m:sub": {"nu": [URL, URL]}}, ME))["nu"] == [URL]


def test_the_identifier_told_in_the_verification_is_the_one_it_gets(cse: Driven) -> None:
    attributes = of(subscribe(cse, nu=[URL]))
    assert cse.asked[0].request.pc["m2m:sgn"]["sur"] == f"/id-in/{attributes['ri']}"


# Verification


def test_a_verification_request(cse: Driven) -> None:
    """TS-0004 7.5.1.2.1: NOTIFY with vrq, the creator, the subscription."""
    register(cse, "Csink", rn="sink", poa=["http://ae.example", "coap://ae.example"])
    attributes = of(subscribe(cse, nu=[URL, "Csink", "cse-in/sink"]))
    by_url, by_id, by_path = cse.asked
    for call, to in ((by_url, URL), (by_id, "Csink"), (by_path, "cse-in/sink")):
        assert (call.request.op, call.request.to, call.request.fr) == (Operation.NOTIFY, to, "/id-in")
        assert call.request.pc == {"m2m:sgn": {"vrq": True, "sur": f"/id-in/{attributes['ri']}", "cr": ME}}
        assert call.request.rqi
    assert len({call.request.rqi for call in cse.asked}) == 3
    assert (by_url.urls, by_id.urls) == ((URL,), ("http://ae.example", "coap://ae.example"))
    assert by_path.urls == by_id.urls


@pytest.mark.parametrize("target", [ME, f"/id-in/{ME}", f"//acme.example.com/id-in/{ME}", AE, f"/id-in/{AE}", "-/meter"])
def test_the_originator_itself_is_not_verified(cse: Driven, target: str) -> None:
    """In any form of its name, and by the address of its AE; it need not be reachable either."""
    assert subscribe(cse, nu=[target]).rsc == RSC.CREATED
    assert cse.asked == []


@pytest.mark.parametrize(
    ("target", "asked"), [("http://me.example/in/cmd", False), ("http://me.example/inside", True), ("http://me.example/", True), (URL, True)]
)
def test_what_is_below_a_registered_point_of_access_is_the_originator_itself(cse: Driven, target: str, asked: bool) -> None:
    of(cse.update(AE, {"m2m:ae": {"poa": ["http://me.example/in"], "rr": True}}, ME))
    assert subscribe(cse, nu=[target]).rsc == RSC.CREATED
    assert bool(cse.asked) is asked


def test_a_point_of_access_that_is_a_whole_server_is_asked(cse: Driven) -> None:
    of(cse.update(AE, {"m2m:ae": {"poa": ["http://me.example/"], "rr": True}}, ME))
    subscribe(cse, nu=["http://me.example/in"])
    assert [call.request.to for call in cse.asked] == ["http://me.example/in"]


def test_the_point_of_access_of_somebody_else_is_asked(cse: Driven) -> None:
    of(cse.update("cse-in/other", {"m2m:ae": {"poa": ["http://other.example/"], "rr": True}}, OTHER))
    subscribe(cse, nu=["http://other.example/in"])
    assert [call.request.to for call in cse.asked] == ["http://other.example/in"]


def test_all_targets_are_asked_at_once(cse: Driven) -> None:
    subscribe(cse, nu=[URL, ME, "coap://b", URL])
    assert [call.request.to for call in cse.asked] == [URL, "coap://b"]


@pytest.mark.parametrize(
    "code",
    [
        RSC.SUBSCRIPTION_CREATOR_HAS_NO_PRIVILEGE,
        RSC.SUBSCRIPTION_HOST_HAS_NO_PRIVILEGE,
        RSC.TARGET_NOT_REACHABLE,
        RSC.REQUEST_TIMEOUT,
        RSC.BAD_REQUEST,
        RSC.INTERNAL_SERVER_ERROR,
    ],
)
def test_a_verification_that_fails(cse: Driven, code: RSC) -> None:
    cse.answer = answering(code)
    response = subscribe(cse, rn="sub", nu=[URL])
    assert response.rsc == RSC.SUBSCRIPTION_VERIFICATION_INITIATION_FAILED
    assert URL in response.pc["m2m:dbg"]
    assert cse.retrieve(f"{POWER}/sub").rsc == RSC.NOT_FOUND


def test_one_target_that_fails_is_enough(cse: Driven) -> None:
    cse.answer = lambda call: Response(RSC.OK if call.request.to == URL else RSC.BAD_REQUEST, call.request.rqi)
    assert subscribe(cse, nu=[URL, "http://other"]).rsc == RSC.SUBSCRIPTION_VERIFICATION_INITIATION_FAILED


@pytest.mark.parametrize("target", [OTHER, "cse-in/other", "Cnobody", POWER, "/id-nowhere/Cx", "cse-in/nosuch"])
def test_a_target_that_cannot_be_asked(cse: Driven, target: str) -> None:
    """5204: no point of access, no AE, no such resource, no route."""
    assert subscribe(cse, nu=[target]).rsc == RSC.SUBSCRIPTION_VERIFICATION_INITIATION_FAILED
    assert cse.asked == []


def test_a_target_at_another_cse_is_asked_through_its_route() -> None:
    cse = world(routes=("/id-mn http://mn.example",))
    assert subscribe(cse, nu=["/id-mn/Cfar"]).rsc == RSC.CREATED
    (call,) = cse.asked
    assert (call.request.to, call.urls) == ("/id-mn/Cfar", ("http://mn.example",))


def test_nothing_is_asked_for_a_request_that_fails_anyway(cse: Driven) -> None:
    of(subscribe(cse, rn="sub"))
    assert subscribe(cse, rn="sub", nu=[URL]).rsc == RSC.CONFLICT
    assert subscribe(cse, POWER, OTHER, nu=[URL]).rsc == RSC.ORIGINATOR_HAS_NO_PRIVILEGE
    assert cse.asked == []


def test_the_parent_may_go_while_the_target_is_asked(cse: Driven) -> None:
    """After a question everything is read again."""

    def vanish(call: Call) -> Response:
        assert cse.delete(POWER, ME).ok
        return Response(RSC.OK, call.request.rqi)

    cse.answer = vanish
    assert subscribe(cse, nu=[URL]).rsc == RSC.NOT_FOUND


def test_another_may_begin_to_block_while_the_target_is_asked(cse: Driven) -> None:
    register(cse, "Csink", rn="sink", poa=[URL])

    def block(call: Call) -> Response:
        cse.answer = answering(RSC.OK)
        assert subscribe(cse, enc={"net": [7]}).ok
        return Response(RSC.OK, call.request.rqi)

    cse.answer = block
    assert subscribe(cse, nu=["Csink"], enc={"net": [7]}).rsc == RSC.BLOCKING_SUBSCRIPTION_ALREADY_EXISTS


# UPDATE


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"enc": {"net": [3]}}, RSC.UPDATED),
        ({"enc": {"net": [3], "chty": [2]}}, RSC.BAD_REQUEST),
        ({"enc": {"net": [6]}}, RSC.BAD_REQUEST),
        ({"enc": {"net": [7]}}, RSC.BAD_REQUEST),
        ({"enc": None}, RSC.UPDATED),
        ({"nct": 2}, RSC.UPDATED),
        ({"nct": None}, RSC.BAD_REQUEST),
        ({"nct": 4}, RSC.BAD_REQUEST),
        ({"nct": 2, "enc": {"net": [3]}}, RSC.BAD_REQUEST),
        ({"nu": []}, RSC.BAD_REQUEST),
        ({"nu": None}, RSC.BAD_REQUEST),
        ({"exc": 5}, RSC.UPDATED),
        ({"su": URL}, RSC.BAD_REQUEST),
        ({"psn": 3}, RSC.BAD_REQUEST),
        ({"cr": None}, RSC.BAD_REQUEST),
        ({"ln": True, "nec": 2, "pn": 1}, RSC.UPDATED),
    ],
    ids=str,
)
def test_an_update_repeats_the_checks(cse: Driven, changes: dict[str, Any], code: RSC) -> None:
    found = of(subscribe(cse))
    assert cse.update(found["ri"], {"m2m:sub": changes}, ME).rsc == code


def test_an_update_changes_what_it_lists_and_nothing_else(cse: Driven) -> None:
    """TS-0004 7.3.3.7: notificationContentType stays when the criteria change."""
    found = of(subscribe(cse, nct=3))
    assert of(cse.update(found["ri"], {"m2m:sub": {"enc": {"net": [3, 4]}}}, ME))["nct"] == 3
    assert of(cse.update(found["ri"], {"m2m:sub": {"enc": None}}, ME))["enc"] == {"net": [1]}


def test_a_content_type_that_new_criteria_do_not_allow(cse: Driven) -> None:
    found = of(subscribe(cse, nct=2))
    assert cse.update(found["ri"], {"m2m:sub": {"enc": {"net": [3]}}}, ME).rsc == RSC.BAD_REQUEST
    assert of(cse.update(found["ri"], {"m2m:sub": {"enc": {"net": [3]}, "nct": 1}}, ME))["nct"] == 1


def test_only_new_targets_are_verified(cse: Driven) -> None:
    found = of(subscribe(cse, nu=[URL]))
    cse.asked.clear()
    of(cse.update(found["ri"], {"m2m:sub": {"nu": [URL, ME, "http://new"]}}, ME))
    (call,) = cse.asked
    assert call.request.to == "http://new"
    assert call.request.pc["m2m:sgn"] == {"vrq": True, "sur": f"/id-in/{found['ri']}", "cr": ME}


def test_a_new_target_that_fails_changes_nothing(cse: Driven) -> None:
    found = of(subscribe(cse))
    cse.answer = answering(RSC.TARGET_NOT_REACHABLE)
    assert cse.update(found["ri"], {"m2m:sub": {"nu": [URL]}}, ME).rsc == RSC.SUBSCRIPTION_VERIFICATION_INITIATION_FAILED
    assert of(cse.retrieve(found["ri"], ME))["nu"] == [ME]


def test_no_target_is_asked_for_an_update_that_is_refused(cse: Driven) -> None:
    found = of(subscribe(cse))
    assert cse.update(found["ri"], {"m2m:sub": {"nu": [URL], "nct": 4}}, ME).rsc == RSC.BAD_REQUEST
    assert cse.asked == []


def test_a_blocking_subscription_stays_one(cse: Driven) -> None:
    found = of(subscribe(cse, enc={"net": [7]}))
    for changes in ({"enc": {"net": [1]}}, {"enc": {"net": [7], "atr": ["lbl"]}}, {"enc": None}, {"nu": [ME, URL]}, {"exc": 3}, {"nct": 1}):
        assert cse.update(found["ri"], {"m2m:sub": changes}, ME).rsc == RSC.BAD_REQUEST, changes
    assert cse.update(found["ri"], {"m2m:sub": {"lbl": ["x"]}}, ME).rsc == RSC.UPDATED


def test_a_subscription_ends_with_its_parent_at_the_latest(cse: Driven) -> None:
    soon = timestamp(cse.seconds + 100)
    top = container(cse, "top", et=soon)
    assert of(subscribe(cse, top))["et"] == soon
