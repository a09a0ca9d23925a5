"""One request for every member of a group (TS-0001 10.2.7, TS-0004 7.4.14; procedures 11.2)."""

from typing import Any

import pytest

from cse.codes import Operation
from cse.codes import ResponseStatusCode as RSC
from cse.primitives import Ask, Call, Request, Response
from tests.core.test_group import WATER, group
from tests.core.tree import AE, ME, OTHER, POWER, answering, container, contents, of, policy, put, register, rule, seen, world
from tests.drive import Driven

FOPT = f"{AE}/g/fopt"


@pytest.fixture
def cse() -> Driven:
    """A group g of two containers, power and water; a CSE /id-mn that a route leads to."""
    made = world(routes=("/id-mn http://mn",))
    container(made, "water")
    of(group(made, POWER, WATER, mt=3))
    return made


def entries(response: Response) -> list[dict[str, Any]]:
    """Give the responses of the members."""
    assert response.rsc == RSC.OK, response
    assert response.pc.keys() == {"m2m:agr"}
    assert response.pc["m2m:agr"].keys() == {"m2m:rsp"}
    found = response.pc["m2m:agr"]["m2m:rsp"]
    assert isinstance(found, list)
    return found


def codes(response: Response) -> list[tuple[str, int]]:
    return [(each["fr"], each["rsc"]) for each in entries(response)]


def instances(cse: Driven, **more: Any) -> Response:
    return cse.create(FOPT, 4, {"m2m:cin": {"con": "x"}}, ME, **more)


# All operations


def test_create(cse: Driven) -> None:
    response = instances(cse)
    assert codes(response) == [(POWER, 2001), (WATER, 2001)]
    assert contents(cse) == contents(cse, WATER) == ["x"]
    assert [each["pc"]["m2m:cin"]["pi"] for each in entries(response)] == [seen(cse, POWER)["ri"], seen(cse, WATER)["ri"]]


def test_retrieve(cse: Driven) -> None:
    response = cse.retrieve(FOPT, ME)
    assert codes(response) == [(POWER, 2000), (WATER, 2000)]
    assert [each["pc"]["m2m:cnt"] for each in entries(response)] == [seen(cse, POWER), seen(cse, WATER)]


def test_update(cse: Driven) -> None:
    assert codes(cse.update(FOPT, {"m2m:cnt": {"mni": 7}}, ME)) == [(POWER, 2004), (WATER, 2004)]
    assert seen(cse, POWER)["mni"] == seen(cse, WATER)["mni"] == 7


def test_delete(cse: Driven) -> None:
    """Procedures 11.2: deleted members leave mid."""
    assert codes(cse.delete(FOPT, ME)) == [(POWER, 2002), (WATER, 2002)]
    assert cse.retrieve(POWER).rsc == cse.retrieve(WATER).rsc == RSC.NOT_FOUND
    found = seen(cse, f"{AE}/g")
    assert (found["mid"], found["cnm"]) == ([], 0)
    assert cse.retrieve(FOPT, ME).rsc == RSC.NO_MEMBERS


def test_the_members_that_have_gone_are_an_update_of_the_group(cse: Driven) -> None:
    """TS-0001 9.6.8 net 1: changed by the CSE."""
    of(cse.create(f"{AE}/g", 23, {"m2m:sub": {"nu": [ME], "nct": 2, "enc": {"net": [1], "atr": ["mid"]}}}, ME))
    cse.delete(FOPT, ME, grtm=(WATER,))
    (notice,) = cse.taken()
    shown = notice.content["m2m:sgn"]["nev"]["rep"]["m2m:grp"]
    assert (shown["mid"], shown["cnm"]) == ([POWER], 1)


def test_notify(cse: Driven) -> None:
    register(cse, "Csink", rn="sink", poa=["http://sink"], acpi=[policy(cse, "told", rule(ME, 16))])
    of(group(cse, "Csink", POWER, rn="aes"))
    content = {"m2m:sgn": {"nev": {"net": 1}, "sur": "/id-in/sub1"}}
    response = cse.request(Request(Operation.NOTIFY, f"{AE}/aes/fopt", ME, "n", "4", pc=content))
    assert codes(response) == [("Csink", 2000), (POWER, 4005)]
    assert (cse.asked[-1].urls, cse.asked[-1].request.pc) == (("http://sink",), content)


def test_subscriptions_are_made_at_the_members(cse: Driven) -> None:
    response = cse.create(FOPT, 23, {"m2m:sub": {"rn": "s", "nu": [ME], "enc": {"net": [3]}}}, ME)
    assert [code for _, code in codes(response)] == [2001, 2001]
    cse.notices.clear()
    put(cse, to=WATER)
    (notice,) = cse.taken()
    assert notice.content["m2m:sgn"]["sur"] == f"/id-in/{seen(cse, f'{WATER}/s')['ri']}"


# The path below


def test_the_rest_of_the_path_is_added_to_each_member(cse: Driven) -> None:
    put(cse, "p")
    put(cse, "w", to=WATER)
    assert [each["pc"]["m2m:cin"]["con"] for each in entries(cse.retrieve(f"{FOPT}/la", ME))] == ["p", "w"]
    container(cse, "deep", POWER)
    put(cse, "d", to=f"{POWER}/deep")
    response = cse.retrieve(f"{FOPT}/deep/ol", ME)
    assert codes(response) == [(POWER, 2000), (WATER, 4004)]


def test_deleting_below_the_members_keeps_the_members(cse: Driven) -> None:
    put(cse)
    put(cse, to=WATER)
    assert codes(cse.delete(f"{FOPT}/la", ME)) == [(POWER, 2002), (WATER, 2002)]
    assert seen(cse, f"{AE}/g")["mid"] == [POWER, WATER]


def test_creating_below_the_members(cse: Driven) -> None:
    for path in (POWER, WATER):
        container(cse, "deep", path)
    assert codes(cse.create(f"{FOPT}/deep", 4, {"m2m:cin": {"con": "x"}}, ME)) == [(POWER, 2001), (WATER, 2001)]


@pytest.mark.parametrize("parameters", [{"rcn": 4}, {"pc": {"m2m:atrl": ["rn"]}}, {"fc": {"fu": 1}}, {"fc": {"ty": [4]}}], ids=str)
def test_parameters_reach_the_members(cse: Driven, parameters: dict[str, Any]) -> None:
    put(cse)
    put(cse, to=WATER)
    assert [each.get("pc") for each in entries(cse.retrieve(FOPT, ME, **parameters))] == [cse.retrieve(path, ME, **parameters).pc for path in (POWER, WATER)]


@pytest.mark.parametrize("member", ["name", "ri", "/id-in/ri", "absolute", "-"])
def test_members_in_every_form(cse: Driven, member: str) -> None:
    ri = seen(cse, POWER)["ri"]
    address = {"name": POWER, "ri": ri, "/id-in/ri": f"/id-in/{ri}", "absolute": f"//acme.example.com/id-in/{POWER}", "-": "-/meter/power"}[member]
    of(group(cse, address, rn="one"))
    put(cse, "p")
    assert codes(cse.retrieve(f"{AE}/one/fopt/la", ME)) == [(address, 2000)]


# The answers


def test_failures_are_inside_the_answer(cse: Driven) -> None:
    """Each member answers for itself: what it may not, what does not exist, what is of another type."""
    theirs = container(cse, "theirs", "cse-in/other", OTHER)
    of(group(cse, WATER, theirs, "cse-in/nosuch", AE, POWER, rn="mixed"))
    response = cse.create(f"{AE}/mixed/fopt", 4, {"m2m:cin": {"con": "x"}}, ME)
    assert codes(response) == [(WATER, 2001), (theirs, 4103), ("cse-in/nosuch", 4004), (AE, 4108), (POWER, 2001)]
    assert all("m2m:dbg" in each["pc"] for each in entries(response)[1:4])


def test_each_member_has_a_request_of_its_own(cse: Driven) -> None:
    response = instances(cse)
    identifiers = [each["rqi"] for each in entries(response)]
    assert len({*identifiers, response.rqi}) == 3


def test_when_every_member_refuses_the_answer_is_still_2000(cse: Driven) -> None:
    assert [code for _, code in codes(cse.update(FOPT, {"m2m:cnt": {"cni": 1}}, ME))] == [4000, 4000]


# Checks at the group


def test_no_members(cse: Driven) -> None:
    of(group(cse, rn="empty"))
    assert cse.retrieve(f"{AE}/empty/fopt", ME).rsc == RSC.NO_MEMBERS


def test_who_has_no_privilege_on_the_group(cse: Driven) -> None:
    assert cse.retrieve(FOPT, OTHER).rsc == RSC.ORIGINATOR_HAS_NO_PRIVILEGE


@pytest.mark.parametrize(("operations", "expected"), [(2, RSC.OK), (63 - 2, RSC.ORIGINATOR_HAS_NO_PRIVILEGE)])
def test_members_access_control_policies(cse: Driven, operations: int, expected: RSC) -> None:
    """macp rules the fan-out in the place of acpi; each member still decides for itself."""
    of(cse.update(f"{AE}/g", {"m2m:grp": {"macp": [policy(cse, "fan", rule(OTHER, operations))]}}, ME))
    response = cse.retrieve(FOPT, OTHER)
    assert response.rsc == expected
    assert not response.ok or [code for _, code in codes(response)] == [4103, 4103]
    assert cse.retrieve(f"{AE}/g", OTHER).rsc == RSC.ORIGINATOR_HAS_NO_PRIVILEGE
    assert cse.retrieve(FOPT, ME).rsc == RSC.ORIGINATOR_HAS_NO_PRIVILEGE


def test_a_type_that_the_members_cannot_contain(cse: Driven) -> None:
    """4108, unless the group is mixed: then each member says so."""
    assert cse.create(FOPT, 2, {"m2m:ae": {}}, ME).rsc == RSC.INVALID_CHILD_RESOURCE_TYPE
    of(group(cse, POWER, rn="mixed"))
    body = {"m2m:grp": {"mnm": 1, "mid": []}}
    assert codes(cse.create(f"{AE}/mixed/fopt", 9, body, ME)) == [(POWER, 4108)]


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"grtm": (WATER,)}, [(WATER, 2000)]),
        ({"grtm": (WATER, POWER)}, [(POWER, 2000), (WATER, 2000)]),
        ({"gstn": 1}, [(POWER, 2000)]),
        ({"gstn": 5}, [(POWER, 2000), (WATER, 2000)]),
    ],
    ids=str,
)
def test_some_members_only(cse: Driven, parameters: dict[str, Any], expected: list[tuple[str, int]]) -> None:
    """grtm names them, gstn says how many."""
    assert codes(cse.retrieve(FOPT, ME, **parameters)) == expected


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"grtm": (AE,)}, RSC.BAD_REQUEST),
        ({"grtm": (WATER, AE)}, RSC.BAD_REQUEST),
        ({"grtm": (WATER,), "gstn": 1}, RSC.BAD_REQUEST),
        ({"gstn": 0}, RSC.BAD_REQUEST),
        ({"gstn": -1}, RSC.BAD_REQUEST),
    ],
    ids=str,
)
def test_choices_that_are_refused(cse: Driven, parameters: dict[str, Any], code: RSC) -> None:
    assert cse.retrieve(FOPT, ME, **parameters).rsc == code


def test_a_member_that_stays_is_kept(cse: Driven) -> None:
    theirs = container(cse, "theirs", "cse-in/other", OTHER)
    of(cse.update(f"{AE}/g", {"m2m:grp": {"mid": [POWER, WATER]}}, ME))
    of(group(cse, POWER, theirs, WATER, rn="some"))
    assert [code for _, code in codes(cse.delete(f"{AE}/some/fopt", ME, grtm=(POWER, theirs)))] == [2002, 4103]
    assert seen(cse, f"{AE}/some")["mid"] == [theirs, WATER]


# Nested groups


def test_the_answers_of_a_nested_group_are_merged(cse: Driven) -> None:
    heat = container(cse, "heat")
    of(group(cse, heat, f"{FOPT}", rn="outer"))
    assert codes(cse.retrieve(f"{AE}/outer/fopt", ME)) == [(heat, 2000), (POWER, 2000), (WATER, 2000)]


def test_the_path_goes_through_nested_groups(cse: Driven) -> None:
    put(cse)
    of(group(cse, FOPT, rn="outer"))
    assert codes(cse.retrieve(f"{AE}/outer/fopt/la", ME)) == [(POWER, 2000), (WATER, 4004)]


def test_deleting_through_nested_groups(cse: Driven) -> None:
    of(group(cse, FOPT, rn="outer"))
    assert codes(cse.delete(f"{AE}/outer/fopt", ME)) == [(POWER, 2002), (WATER, 2002)]
    assert seen(cse, f"{AE}/outer")["mid"] == [FOPT]
    assert seen(cse, f"{AE}/g")["mid"] == []


def test_a_group_as_member_is_itself_addressed(cse: Driven) -> None:
    of(group(cse, f"{AE}/g", rn="outer"))
    (entry,) = entries(cse.retrieve(f"{AE}/outer/fopt", ME))
    assert entry["pc"]["m2m:grp"]["rn"] == "g"


def test_loops_are_cut(cse: Driven) -> None:
    """4104: a group that has handled the request already does nothing."""
    of(group(cse, f"{AE}/b/fopt", POWER, rn="a"))
    of(group(cse, f"{AE}/a/fopt", WATER, rn="b"))
    response = cse.create(f"{AE}/a/fopt", 4, {"m2m:cin": {"con": "once"}}, ME)
    assert codes(response) == [(f"{AE}/a/fopt", 4104), (WATER, 2001), (POWER, 2001)]
    assert contents(cse) == contents(cse, WATER) == ["once"]


def test_a_group_in_itself(cse: Driven) -> None:
    of(group(cse, f"{AE}/a/fopt", POWER, rn="a"))
    assert codes(cse.retrieve(f"{AE}/a/fopt", ME)) == [(f"{AE}/a/fopt", 4104), (POWER, 2000)]


def test_a_group_request_identifier_counts_once(cse: Driven) -> None:
    """Procedures 11.2: a known gid for the same target again is 4104 and nothing happens; another target is another matter."""
    of(group(cse, POWER, rn="other"))
    assert instances(cse, gid="g1").rsc == RSC.OK
    assert instances(cse, gid="g1").rsc == RSC.GROUP_REQUEST_IDENTIFIER_EXISTS
    assert contents(cse, WATER) == ["x"]
    assert cse.retrieve(f"{AE}/other/fopt", ME, gid="g1").rsc == RSC.OK
    assert instances(cse, gid="g2").rsc == instances(cse).rsc == instances(cse).rsc == RSC.OK


def test_a_request_that_was_refused_may_be_sent_again(cse: Driven) -> None:
    assert instances(cse, gid="g1", grtm=(AE,)).rsc == RSC.BAD_REQUEST
    assert instances(cse, gid="g1").rsc == RSC.OK


def test_nesting_is_bounded(cse: Driven) -> None:
    """A long chain of groups ends with an answer, not with the patience of the server."""
    inner = POWER
    for number in range(300):
        of(group(cse, inner, rn=f"n{number}"))
        inner = f"{AE}/n{number}/fopt"
    ((member, code),) = codes(cse.retrieve(inner, ME))
    assert (member.endswith("/fopt"), code) == (True, RSC.NOT_IMPLEMENTED)
    deepest = cse.settings.max_group_nesting
    assert codes(cse.retrieve(f"{AE}/n{deepest}/fopt", ME)) == [(POWER, 2000)]


# Members at other CSEs


def test_remote_members_are_asked_at_once(cse: Driven) -> None:
    """One Ask for all of them; identifiers are valid outside; the answers are in member order."""
    of(group(cse, "/id-mn/a", POWER, "//acme.example.com/id-mn/b", WATER, rn="far"))
    put(cse)
    asks: list[Ask] = []
    told: tuple[Response, ...] = ()
    steps = cse.cse.handle(Request(Operation.RETRIEVE, f"{AE}/far/fopt/la", ME, "q", "4"))
    try:
        while True:
            effect = steps.send(told) if told else next(steps)
            assert isinstance(effect, Ask)
            asks.append(effect)
            told = tuple(Response(RSC.OK, call.request.rqi, {"m2m:cin": {"con": call.request.to}}) for call in effect.calls)
    except StopIteration as ended:
        response = ended.value
    (ask,) = asks
    assert [(call.request.to, call.request.fr, call.urls) for call in ask.calls] == [
        ("/id-mn/a/la", f"/id-in/{ME}", ("http://mn",)),
        ("/id-mn/b/la", f"/id-in/{ME}", ("http://mn",)),
    ]
    assert ask.calls[0].request.gid == ask.calls[1].request.gid
    assert ask.calls[0].request.gid
    assert ask.calls[0].request.rqi != ask.calls[1].request.rqi
    assert codes(response) == [("/id-mn/a", 2000), (POWER, 2000), ("//acme.example.com/id-mn/b", 2000), (WATER, 4004)]


def test_the_group_request_identifier_goes_on(cse: Driven) -> None:
    of(group(cse, "/id-mn/a", rn="far"))
    cse.retrieve(f"{AE}/far/fopt", ME, gid="mine", grtm=("/id-mn/a",))
    assert (cse.asked[0].request.gid, cse.asked[0].request.grtm) == ("mine", None)


def test_a_remote_nested_group_is_merged(cse: Driven) -> None:
    of(group(cse, POWER, "/id-mn/g/fopt", rn="far"))
    cse.answer = answering(RSC.OK, pc={"m2m:agr": {"m2m:rsp": [{"rsc": 2000, "fr": "/id-mn/x"}, {"rsc": 4004, "fr": "/id-mn/y"}]}})
    assert codes(cse.retrieve(f"{AE}/far/fopt", ME)) == [(POWER, 2000), ("/id-mn/x", 2000), ("/id-mn/y", 4004)]


@pytest.mark.parametrize("pc", [{"m2m:agr": None}, {"m2m:agr": {}}, {"m2m:agr": {"m2m:rsp": "x"}}, "text", None], ids=str)
def test_a_remote_answer_that_is_no_aggregation(cse: Driven, pc: Any) -> None:
    of(group(cse, "/id-mn/g/fopt", rn="far"))
    cse.answer = answering(RSC.OK, pc=pc)
    assert codes(cse.retrieve(f"{AE}/far/fopt", ME)) == [("/id-mn/g/fopt", 2000)]


def test_a_deleted_remote_member_leaves_the_group(cse: Driven) -> None:
    of(group(cse, POWER, "/id-mn/a", "/id-mn/b", rn="far"))
    cse.answer = lambda call: Response(RSC.DELETED if call.request.to.endswith("a") else RSC.NOT_FOUND, call.request.rqi)
    assert [code for _, code in codes(cse.delete(f"{AE}/far/fopt", ME))] == [2002, 2002, 4004]
    assert seen(cse, f"{AE}/far")["mid"] == ["/id-mn/b"]


@pytest.mark.parametrize("code", [RSC.TARGET_NOT_REACHABLE, RSC.REQUEST_TIMEOUT])
@pytest.mark.parametrize("members", [("/id-mn/a", "/id-mn/b"), ("/id-mn/a", "/id-far/x"), ("/id-far/x",)])
def test_no_member_has_answered(cse: Driven, code: RSC, members: tuple[str, ...]) -> None:
    """5209: unreachable, silent, or no route leads there."""
    of(group(cse, *members, rn="far"))
    cse.answer = answering(code)
    assert cse.retrieve(f"{AE}/far/fopt", ME).rsc == RSC.GROUP_MEMBERS_NOT_RESPONDED


def test_one_that_answers_is_enough(cse: Driven) -> None:
    of(group(cse, "/id-mn/a", "/id-far/x", "/id-mn/b", rn="far"))
    cse.answer = lambda call: Response(RSC.NOT_FOUND if call.request.to.endswith("b") else RSC.REQUEST_TIMEOUT, call.request.rqi)
    assert codes(cse.retrieve(f"{AE}/far/fopt", ME)) == [("/id-mn/a", 4008), ("/id-far/x", 5103), ("/id-mn/b", 4004)]


@pytest.mark.parametrize("parameters", [{"rqet": 2500}, {"rset": 2500}, {"rqet": 2500, "rset": 5000}], ids=str)
def test_the_deadline_of_the_request_is_that_of_the_question(cse: Driven, parameters: dict[str, Any]) -> None:
    """Procedures 11.2: wait until rset or rqet."""
    of(group(cse, "/id-mn/a", rn="far"))
    steps = cse.cse.handle(Request(Operation.RETRIEVE, f"{AE}/far/fopt", ME, "q", "4", **parameters))
    ask = next(steps)
    assert isinstance(ask, Ask)
    assert 2 < ask.seconds <= 2.5


def test_an_update_that_a_guard_must_allow_waits_for_it(cse: Driven) -> None:
    """Members go through the whole pipeline: TS-0004 7.5.1.2.19 holds for each."""
    register(cse, "Cguard", rn="guard", poa=["http://guard"])
    of(cse.create(POWER, 23, {"m2m:sub": {"nu": ["Cguard"], "enc": {"net": [7]}}}, ME))

    def refuse(call: Call) -> Response:
        return Response(RSC.BAD_REQUEST, call.request.rqi)

    cse.answer = refuse
    assert codes(cse.update(FOPT, {"m2m:cnt": {"mni": 7}}, ME)) == [(POWER, 4127), (WATER, 2004)]
