"""Notification targets that leave a subscription: ntsr and the policies for it (TS-0001 9.6.31 to 9.6.34, TS-0004 7.4.30 to 7.4.33; procedures 20)."""

from typing import Any

import pytest

from cse.codes import Operation
from cse.codes import ResponseStatusCode as RSC
from cse.datatypes import timestamp
from cse.primitives import Request, Response
from tests.core.tree import AE, ME, OTHER, POWER, answering, container, of, policy, put, rule, seen, world
from tests.drive import Driven

SUB, NTSR = f"{POWER}/sub", f"{POWER}/sub/ntsr"
URL = "http://sink.example/"
ACCEPT, REJECT, ASK, INFORM = 1, 2, 3, 4
NEVER, ALWAYS = "* * * * * * 1999", "* * * * * * *"
HERE, ELSEWHERE = [50.7, 7.1, 1000.0], [0.0, 0.0, 1000.0]


@pytest.fixture
def cse() -> Driven:
    """A subscription of Cmeter that notifies Cother and itself."""
    found = world()
    for stem in (ME, OTHER):
        of(found.update(f"cse-in/{stem[1:]}", {"m2m:ae": {"poa": [f"http://{stem}"], "rr": True}}, stem))
    of(found.create(POWER, 23, {"m2m:sub": {"rn": "sub", "nu": [ME, OTHER], "enc": {"net": [3]}}}, ME))
    found.asked.clear()
    return found


def ntp(cse: Driven, fr: str = "CAdmin", **attributes: Any) -> str:
    """Create a notificationTargetPolicy and give its address."""
    made = of(cse.create("cse-in", 26, {"m2m:ntp": attributes}, fr))
    return f"cse-in/{made['rn']}"


def pdr(cse: Driven, to: str, fr: str = "CAdmin", drr: int | None = None, **contexts: Any) -> Response:
    return cse.create(to, 27, {"m2m:pdr": {"dr": contexts, **({} if drr is None else {"drr": drr})}}, fr)


def refer(cse: Driven, npi: str | None, *ntu: str, to: str = SUB) -> Response:
    return cse.create(to, 25, {"m2m:ntpr": {"ntu": list(ntu or (OTHER,)), **({} if npi is None else {"npi": npi})}}, ME)


def leave(cse: Driven, fr: str = OTHER, to: str = NTSR) -> RSC:
    return cse.delete(to, fr).rsc


def targets(cse: Driven) -> list[str]:
    found: list[str] = seen(cse, SUB)["nu"]
    return found


# --- the resources ------------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ty", "to", "content", "named"),
    [
        (26, "cse-in", {"m2m:ntp": {"acn": 0}}, "acn"),
        (26, "cse-in", {"m2m:ntp": {"acn": 5}}, "acn"),
        (26, "cse-in", {"m2m:ntp": {"rrs": 3}}, "rrs"),
        (26, "cse-in", {"m2m:ntp": {"plbl": " x"}}, "plbl"),
        (26, "cse-in", {"m2m:ntp": {"colour": 1}}, "colour"),
        (25, SUB, {"m2m:ntpr": {}}, "ntu"),
        (25, SUB, {"m2m:ntpr": {"ntu": []}}, "ntu"),
        (25, SUB, {"m2m:ntpr": {"ntu": [OTHER], "npi": "cse-in/nowhere"}}, "npi"),
        (25, SUB, {"m2m:ntpr": {"ntu": [OTHER], "npi": POWER}}, "npi"),
        (25, SUB, {"m2m:ntpr": {"ntu": [OTHER], "cr": None}}, "cr"),
        (27, "cse-in/ntp", {"m2m:pdr": {"dr": {"tod": []}}}, "tod"),
        (27, "cse-in/ntp", {"m2m:pdr": {"dr": {"tod": ["whenever"]}}}, "tod"),
        (27, "cse-in/ntp", {"m2m:pdr": {"dr": {"lr": [{}]}}}, "lr"),
        (27, "cse-in/ntp", {"m2m:pdr": {"dr": {"lr": [{"accr": [1.0]}]}}}, "accr"),
        (27, "cse-in/ntp", {"m2m:pdr": {"drr": 0}}, "drr"),
    ],
    ids=str,
)
def test_representations_that_are_refused(cse: Driven, ty: int, to: str, content: dict[str, Any], named: str) -> None:
    ntp(cse, rn="ntp")
    response = cse.create(to, ty, content, "CAdmin")
    assert response.rsc == RSC.BAD_REQUEST
    assert named in response.pc["m2m:dbg"]


def test_what_a_policy_has_without_being_told(cse: Driven) -> None:
    made = of(cse.create("cse-in", 26, {"m2m:ntp": {"cr": None}}))
    assert (made["acn"], made["plbl"], made["cr"]) == (ACCEPT, "Default", "CAdmin")
    assert of(cse.create(made["ri"], 27, {"m2m:pdr": {}}))["drr"] == 2, "OR, the default of the table"


def test_places(cse: Driven) -> None:
    own = ntp(cse)
    for ty, name, to in ((26, "ntp", AE), (27, "pdr", "cse-in"), (25, "ntpr", POWER), (25, "ntpr", own)):
        assert cse.create(to, ty, {f"m2m:{name}": {}}, "CAdmin").rsc == RSC.INVALID_CHILD_RESOURCE_TYPE
    assert cse.create("cse-in", 26, {"m2m:ntp": {}}, ME).rsc == RSC.ORIGINATOR_HAS_NO_PRIVILEGE


def test_a_label_is_unique_for_each_creator(cse: Driven) -> None:
    """Procedures 20.4: 4000 for the same creator and label twice."""
    one = ntp(cse, plbl="a")
    assert cse.create("cse-in", 26, {"m2m:ntp": {"plbl": "a"}}).rsc == RSC.BAD_REQUEST
    two = ntp(cse, plbl="b")
    assert cse.update(two, {"m2m:ntp": {"plbl": "a"}}).rsc == RSC.BAD_REQUEST
    assert of(cse.update(two, {"m2m:ntp": {"plbl": "b"}}))["plbl"] == "b"
    assert cse.delete(one).ok
    assert of(cse.update(two, {"m2m:ntp": {"plbl": "a"}}))["plbl"] == "a"
    assert cse.update(two, {"m2m:ntp": {"acn": REJECT}}).rsc == RSC.BAD_REQUEST, "the action stays"


def test_a_policy_has_at_most_two_rules(cse: Driven) -> None:
    """Procedures 20.4: 4105."""
    own = ntp(cse)
    made = [pdr(cse, own, tod=[ALWAYS]) for _ in range(3)]
    assert [each.rsc for each in made] == [RSC.CREATED, RSC.CREATED, RSC.CONFLICT]
    assert cse.delete(of(made[0])["ri"]).ok
    assert pdr(cse, own).rsc == RSC.CREATED


def test_a_rule_that_is_no_more_told_how_to_join_joins_with_or(cse: Driven) -> None:
    made = of(pdr(cse, ntp(cse), drr=1, tod=[ALWAYS]))
    assert cse.update(made["ri"], {"m2m:pdr": {"dr": None}}).rsc == RSC.BAD_REQUEST
    assert of(cse.update(made["ri"], {"m2m:pdr": {"drr": None}}))["drr"] == 2


def test_a_target_is_in_one_reference_only(cse: Driven) -> None:
    """Procedures 20.3: 4105, in whatever form it is given."""
    of(refer(cse, None, OTHER, URL))
    for same in (f"/id-in/{OTHER}", "cse-in/other", "/id-in/cse-in/other"):
        assert refer(cse, None, same).rsc == RSC.CONFLICT, same
    assert refer(cse, None, "http://else", URL).rsc == RSC.CONFLICT
    second = of(refer(cse, None, ME))
    assert cse.update(second["ri"], {"m2m:ntpr": {"ntu": [ME, URL]}}, ME).rsc == RSC.CONFLICT
    assert of(cse.update(second["ri"], {"m2m:ntpr": {"ntu": [ME, "Cthird"]}}, ME))["ntu"] == [ME, "Cthird"]
    assert cse.update(second["ri"], {"m2m:ntpr": {"npi": POWER}}, ME).rsc == RSC.BAD_REQUEST
    another = of(cse.create(POWER, 23, {"m2m:sub": {"nu": [ME]}}, ME))
    assert refer(cse, None, OTHER, to=another["ri"]).rsc == RSC.CREATED


# --- leaving ------------------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("op", [Operation.CREATE, Operation.RETRIEVE, Operation.UPDATE, Operation.NOTIFY])
def test_it_can_only_be_deleted(cse: Driven, op: Operation) -> None:
    """Procedures 20.5: 4005."""
    more: dict[str, Any] = {"ty": 3, "pc": {"m2m:cnt": {}}} if op == Operation.CREATE else {"pc": {"m2m:sub": {}}} if op != Operation.RETRIEVE else {}
    assert cse.request(Request(op, NTSR, OTHER, "q", "4", **more)).rsc == RSC.OPERATION_NOT_ALLOWED


def test_its_name_is_reserved(cse: Driven) -> None:
    assert cse.create(SUB, 25, {"m2m:ntpr": {"rn": "ntsr", "ntu": [OTHER]}}, ME).rsc == RSC.CONFLICT


def test_a_target_leaves(cse: Driven) -> None:
    """Without any policy it may, and is not notified any more."""
    put(cse)
    assert len(cse.store.notices(target=OTHER)) == 1
    assert leave(cse) == RSC.DELETED
    assert targets(cse) == [ME]
    assert cse.store.notices(target=OTHER) == [], "what waits for it is dropped"
    cse.notices.clear()
    put(cse)
    assert [notice.target for notice in cse.taken()] == [ME]
    assert leave(cse) == RSC.ORIGINATOR_HAS_NO_PRIVILEGE


@pytest.mark.parametrize("fr", ["CAdmin", "Cthird", "/id-mn/Cother"])
def test_only_targets_leave(cse: Driven, fr: str) -> None:
    assert leave(cse, fr) == RSC.ORIGINATOR_HAS_NO_PRIVILEGE
    assert targets(cse) == [ME, OTHER]


@pytest.mark.parametrize("written", [OTHER, f"/id-in/{OTHER}", f"//acme.example.com/id-in/{OTHER}", "cse-in/other", "/id-in/cse-in/other"])
def test_a_target_is_recognised_however_it_is_written(cse: Driven, written: str) -> None:
    of(cse.update(SUB, {"m2m:sub": {"nu": [written, ME]}}, ME))
    assert leave(cse) == RSC.DELETED
    assert targets(cse) == [ME]


def test_statistics_go_with_the_target(cse: Driven) -> None:
    of(cse.update(SUB, {"m2m:sub": {"nse": True}}, ME))
    assert leave(cse) == RSC.DELETED
    assert [each["tg"] for each in seen(cse, SUB)["nsi"]] == [ME]


def test_the_last_target_takes_the_subscription_along(cse: Driven) -> None:
    """`nu` cannot be empty; `su` hears of the end."""
    sub = of(cse.create(POWER, 23, {"m2m:sub": {"nu": [OTHER], "su": URL}}, ME))["ri"]
    cse.notices.clear()
    assert leave(cse, to=f"{sub}/ntsr") == RSC.DELETED
    assert cse.retrieve(sub).rsc == RSC.NOT_FOUND
    assert [(notice.target, notice.content) for notice in cse.taken()] == [(URL, {"m2m:sgn": {"sud": True, "sur": f"/id-in/{sub}"}})]


def test_a_cross_resource_subscription_is_left_in_the_same_way(cse: Driven) -> None:
    content = {"rrat": [POWER], "encs": {"encn": [{"net": [3]}]}, "twt": 2, "tws": "PT1S", "nu": [ME, OTHER]}
    crs = of(cse.create(AE, 48, {"m2m:crs": content}, ME))["ri"]
    of(refer(cse, ntp(cse, plbl="no", acn=REJECT), ME, to=crs))
    assert leave(cse, ME, f"{crs}/ntsr") == RSC.ORIGINATOR_HAS_NO_PRIVILEGE
    assert leave(cse, OTHER, f"{crs}/ntsr") == RSC.DELETED
    assert seen(cse, crs)["nu"] == [ME]


# --- which policy -------------------------------------------------------------------------------------------------------------------------------------------


def test_the_policy_of_the_reference_that_lists_the_target_decides(cse: Driven) -> None:
    of(refer(cse, ntp(cse, plbl="no", acn=REJECT)))
    assert leave(cse) == RSC.ORIGINATOR_HAS_NO_PRIVILEGE
    assert leave(cse, ME) == RSC.DELETED, "it is not listed"


@pytest.mark.parametrize("owner", [ME, "CAdmin"])
def test_the_default_policy_of_the_creator_or_else_of_the_system_decides(cse: Driven, owner: str) -> None:
    allow(cse)
    ntp(cse, owner, acn=REJECT)
    assert leave(cse) == RSC.ORIGINATOR_HAS_NO_PRIVILEGE


def allow(cse: Driven) -> None:
    """Let everybody create policies: there is an ACP for the CSEBase."""
    shared = policy(cse, "everybody", rule("all", 63))
    base = cse.cse.reader.get("id-in")
    assert base is not None
    with cse.store.transaction() as transaction:
        transaction.replace(base.with_attributes({"acpi": [shared]}))
    cse.commit()


def test_a_default_policy_of_the_creator_goes_before_that_of_the_system(cse: Driven) -> None:
    allow(cse)
    ntp(cse, acn=REJECT)
    ntp(cse, OTHER, acn=REJECT)
    assert leave(cse) == RSC.ORIGINATOR_HAS_NO_PRIVILEGE
    ntp(cse, ME, acn=ACCEPT)
    assert leave(cse) == RSC.DELETED


def test_policies_with_another_label_are_for_references_only(cse: Driven) -> None:
    ntp(cse, plbl="strict", acn=REJECT)
    assert leave(cse) == RSC.DELETED


def test_a_reference_whose_policy_is_gone_leaves_the_default(cse: Driven) -> None:
    own = ntp(cse, plbl="no", acn=REJECT)
    of(refer(cse, own))
    ntp(cse, acn=ACCEPT)
    assert cse.delete(own).ok
    assert leave(cse) == RSC.DELETED


def test_a_reference_without_policy_leaves_the_default(cse: Driven) -> None:
    of(refer(cse, None))
    ntp(cse, acn=REJECT)
    assert leave(cse) == RSC.ORIGINATOR_HAS_NO_PRIVILEGE


# --- rules --------------------------------------------------------------------------------------------------------------------------------------------------


def place(cse: Driven) -> None:
    of(cse.update("cse-in/other", {"m2m:ae": {"loc": {"typ": 1, "crd": "[7.1, 50.7]"}}}, OTHER))


@pytest.mark.parametrize(
    ("contexts", "drr", "holds"),
    [
        ({}, None, True),
        ({"tod": [ALWAYS]}, None, True),
        ({"tod": [NEVER]}, None, False),
        ({"tod": [NEVER, ALWAYS]}, None, True),
        ({"tod": [NEVER, ALWAYS]}, 1, True),
        ({"lr": [{"accr": HERE}]}, None, True),
        ({"lr": [{"accr": ELSEWHERE}]}, None, False),
        ({"lr": [{"accr": ELSEWHERE}, {"accr": HERE}]}, 1, True),
        ({"lr": [{"accc": ["DE"]}]}, None, False),
        ({"lr": [{"accr": [99.0, 0.0, 1.0]}]}, None, False),
        ({"tod": [NEVER], "lr": [{"accr": HERE}]}, None, True),
        ({"tod": [NEVER], "lr": [{"accr": HERE}]}, 2, True),
        ({"tod": [NEVER], "lr": [{"accr": HERE}]}, 1, False),
        ({"tod": [ALWAYS], "lr": [{"accr": ELSEWHERE}]}, 1, False),
        ({"tod": [ALWAYS], "lr": [{"accr": HERE}]}, 1, True),
        ({"tod": [NEVER], "lr": [{"accr": ELSEWHERE}]}, 2, False),
    ],
    ids=str,
)
def test_a_rule(cse: Driven, contexts: dict[str, Any], drr: int | None, holds: bool) -> None:
    """Times and places are joined by `drr`, OR when it is absent; of several times or places one is enough."""
    place(cse)
    of(pdr(cse, ntp(cse), drr=drr, **contexts))
    assert leave(cse) == (RSC.DELETED if holds else RSC.ORIGINATOR_HAS_NO_PRIVILEGE)


def test_a_target_whose_place_is_unknown_is_nowhere(cse: Driven) -> None:
    of(pdr(cse, ntp(cse), lr=[{"accr": HERE}]))
    assert leave(cse) == RSC.ORIGINATOR_HAS_NO_PRIVILEGE


def test_the_time_is_that_of_the_request(cse: Driven) -> None:
    """1_750_000_000 is 2025-06-15 15:06:40 UTC."""
    of(pdr(cse, ntp(cse), tod=["* * 16-17 * * * *"]))
    assert leave(cse) == RSC.ORIGINATOR_HAS_NO_PRIVILEGE
    cse.pass_time(3600)
    assert leave(cse) == RSC.DELETED


@pytest.mark.parametrize(
    ("rrs", "first", "second", "holds"),
    [
        (1, ALWAYS, ALWAYS, True),
        (1, ALWAYS, NEVER, False),
        (2, NEVER, ALWAYS, True),
        (2, NEVER, NEVER, False),
        (None, ALWAYS, NEVER, False),
        (None, ALWAYS, ALWAYS, True),
    ],
)
def test_two_rules_are_joined_by_rrs(cse: Driven, rrs: int | None, first: str, second: str, holds: bool) -> None:
    joined: dict[str, Any] = {} if rrs is None else {"rrs": rrs}
    own = ntp(cse, **joined)
    for time in (first, second):
        of(pdr(cse, own, tod=[time]))
    assert leave(cse) == (RSC.DELETED if holds else RSC.ORIGINATOR_HAS_NO_PRIVILEGE)


@pytest.mark.parametrize("acn", [ACCEPT, REJECT, ASK, INFORM])
def test_when_the_rules_do_not_hold_nobody_is_asked_or_informed(cse: Driven, acn: int) -> None:
    of(pdr(cse, ntp(cse, acn=acn), tod=[NEVER]))
    assert leave(cse) == RSC.ORIGINATOR_HAS_NO_PRIVILEGE
    assert cse.asked == []
    assert cse.notices == []
    assert targets(cse) == [ME, OTHER]


# --- actions ------------------------------------------------------------------------------------------------------------------------------------------------

QUESTION = {"ntt": OTHER, "trr": True}


def question(cse: Driven) -> dict[str, Any]:
    return {"m2m:sgn": {"sur": f"/id-in/{seen(cse, SUB)['ri']}", **QUESTION}}


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ({"m2m:sgn": {"tra": True, "sur": "x"}}, RSC.DELETED),
        ({"m2m:sgn": {"tra": False, "sur": "x"}}, RSC.ORIGINATOR_HAS_NO_PRIVILEGE),
        ({"m2m:sgn": {}}, RSC.ORIGINATOR_HAS_NO_PRIVILEGE),
        ({"m2m:sgn": {"tra": 1}}, RSC.ORIGINATOR_HAS_NO_PRIVILEGE),
        (None, RSC.ORIGINATOR_HAS_NO_PRIVILEGE),
    ],
    ids=str,
)
def test_the_creator_of_the_subscription_is_asked(cse: Driven, answer: Any, code: RSC) -> None:
    """NOTIFY with `trr` and the target; it leaves when the answer has `tra` true."""
    ntp(cse, acn=ASK)
    cse.answer = answering(RSC.OK, pc=answer)
    assert leave(cse) == code
    (call,) = cse.asked
    assert (call.urls, call.request.op, call.request.fr, call.request.pc) == ((f"http://{ME}",), Operation.NOTIFY, "/id-in", question(cse))
    assert targets(cse) == ([ME] if code == RSC.DELETED else [ME, OTHER])


@pytest.mark.parametrize(
    ("rsc", "code"),
    [
        (RSC.TARGET_NOT_REACHABLE, RSC.TARGET_NOT_REACHABLE),
        (RSC.REQUEST_TIMEOUT, RSC.TARGET_NOT_REACHABLE),
        (RSC.OPERATION_NOT_ALLOWED, RSC.ORIGINATOR_HAS_NO_PRIVILEGE),
    ],
)
def test_a_creator_that_does_not_answer(cse: Driven, rsc: RSC, code: RSC) -> None:
    ntp(cse, acn=ASK)
    cse.answer = answering(rsc, pc={"m2m:sgn": {"tra": True}})
    assert leave(cse) == code
    assert targets(cse) == [ME, OTHER]


def test_a_creator_without_point_of_access_cannot_be_asked(cse: Driven) -> None:
    ntp(cse, acn=ASK)
    of(cse.update(AE, {"m2m:ae": {"poa": None}}, ME))
    assert leave(cse) == RSC.TARGET_NOT_REACHABLE
    sub = of(cse.create(POWER, 23, {"m2m:sub": {"nu": [OTHER]}}))["ri"]
    assert leave(cse, to=f"{sub}/ntsr") == RSC.TARGET_NOT_REACHABLE, "made by the admin, who is no AE"


def test_a_subscription_that_ends_while_its_creator_is_asked(cse: Driven) -> None:
    ntp(cse, acn=ASK)

    def end(_: Any) -> Response:
        assert cse.delete(SUB, ME).ok
        return Response(RSC.OK, pc={"m2m:sgn": {"tra": True}})

    cse.answer = end
    assert leave(cse) == RSC.NOT_FOUND


def test_the_creator_is_informed_only(cse: Driven) -> None:
    ntp(cse, acn=INFORM)
    assert leave(cse) == RSC.ORIGINATOR_HAS_NO_PRIVILEGE
    assert targets(cse) == [ME, OTHER]
    assert [(notice.target, notice.content) for notice in cse.taken()] == [(ME, question(cse))]
    assert cse.asked == []


def test_a_target_at_another_cse() -> None:
    cse = world(routes=("/id-mn http://mn",))
    far = "/id-mn/Cfar"
    of(cse.create(POWER, 23, {"m2m:sub": {"rn": "sub", "nu": [far, ME, "/id-mn"], "enc": {"net": [3]}}}, ME))
    assert leave(cse, far) == RSC.DELETED
    assert leave(cse, "/id-mn") == RSC.DELETED
    assert targets(cse) == [ME]


def test_a_creator_at_another_cse_is_asked_there() -> None:
    cse = world(routes=("/id-mn http://mn",))
    of(cse.update("cse-in/other", {"m2m:ae": {"poa": ["http://other"]}}, OTHER))
    place = container(cse, "open", acpi=[policy(cse, "far", rule("/id-mn/Cfar", 63))])
    of(cse.create(place, 23, {"m2m:sub": {"rn": "sub", "nu": [OTHER]}}, "/id-mn/Cfar"))
    ntp(cse, acn=ASK)
    cse.asked.clear()
    cse.answer = answering(RSC.OK, rvi="4", pc={"m2m:sgn": {"tra": True}})
    assert leave(cse, to=f"{place}/sub/ntsr") == RSC.DELETED
    (call,) = cse.asked
    assert (call.urls, call.request.to, call.request.fr) == (("http://mn",), "/id-mn/Cfar", "/id-in")


def test_policies_that_have_expired_count_no_more(cse: Driven) -> None:
    ntp(cse, acn=REJECT, et=timestamp(cse.seconds + 10))
    cse.seconds += 20
    assert leave(cse) == RSC.DELETED
