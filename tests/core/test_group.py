"""Groups as resources: their members, and what is checked of them (TS-0001 9.6.13, TS-0004 7.4.13; procedures 11.1)."""

from typing import Any

import pytest

from cse.codes import Operation
from cse.codes import ResponseStatusCode as RSC
from cse.datatypes import timestamp
from cse.primitives import Call, Response
from tests.core.tree import AE, ME, OTHER, POWER, answering, container, of, policy, put, register, rule, seen, world
from tests.drive import Driven

ABANDON_MEMBER, ABANDON_GROUP, SET_MIXED = 1, 2, 3


def group(cse: Driven, *members: str, fr: str = ME, rn: str = "g", to: str = "cse-in/meter", **attributes: Any) -> Response:
    """Create a group with room for ten members, unless ``mnm`` says otherwise."""
    return cse.create(to, 9, {"m2m:grp": {"rn": rn, "mnm": 10, "mid": list(members), **attributes}}, fr)


def change(cse: Driven, fr: str = ME, to: str = "cse-in/meter/g", **attributes: Any) -> Response:
    return cse.update(to, {"m2m:grp": attributes}, fr)


@pytest.fixture
def cse() -> Driven:
    """Cmeter with the containers power, water and heat; a CSE /id-mn that a route leads to."""
    made = world(routes=("/id-mn http://mn",))
    made.hands_over = False
    for rn in ("water", "heat"):
        container(made, rn)
    return made


WATER, HEAT = f"{AE}/water", f"{AE}/heat"


# Number and repetition


def test_what_a_group_is_like(cse: Driven) -> None:
    made = of(group(cse, POWER, WATER, gn="all"))
    shown = {name: made[name] for name in ("mid", "cnm", "mnm", "mt", "mtv", "csy", "gn")}
    assert shown == {"mid": [POWER, WATER], "cnm": 2, "mnm": 10, "mt": 0, "mtv": True, "csy": ABANDON_MEMBER, "gn": "all"}
    assert seen(cse, f"{AE}/g") == made


def test_a_group_may_be_empty(cse: Driven) -> None:
    made = of(group(cse))
    assert (made["mid"], made["cnm"]) == ([], 0)


@pytest.mark.parametrize("missing", ["mnm", "mid"])
def test_what_is_mandatory(cse: Driven, missing: str) -> None:
    content = {name: value for name, value in {"mnm": 3, "mid": []}.items() if name != missing}
    response = cse.create(AE, 9, {"m2m:grp": content}, ME)
    assert response.rsc == RSC.BAD_REQUEST
    assert missing in response.pc["m2m:dbg"]


@pytest.mark.parametrize(
    "attributes",
    [{"mnm": 0}, {"mnm": -1}, {"mnm": "3"}, {"mid": "x"}, {"mid": None}, {"mt": 99999}, {"csy": 4}, {"csy": 0}, {"cnm": 0}, {"mtv": True}, {"ssi": True}],
    ids=str,
)
def test_representations_that_are_refused(cse: Driven, attributes: dict[str, Any]) -> None:
    response = group(cse, **attributes)
    assert response.rsc == RSC.BAD_REQUEST
    assert next(iter(attributes)) in response.pc["m2m:dbg"]


def test_too_many_members(cse: Driven) -> None:
    """6010, counted without repetitions."""
    assert group(cse, POWER, WATER, mnm=1).rsc == RSC.MAX_NUMBER_OF_MEMBER_EXCEEDED
    assert group(cse, POWER, POWER, mnm=1).rsc == RSC.CREATED


def test_the_cse_bounds_groups_too() -> None:
    cse = world(max_group_members=3)
    assert group(cse, mnm=4).rsc == RSC.BAD_REQUEST
    assert group(cse, mnm=3).rsc == RSC.CREATED
    assert change(cse, mnm=4).rsc == RSC.BAD_REQUEST


@pytest.mark.parametrize(("mnm", "code"), [(1, RSC.MAX_NUMBER_OF_MEMBER_EXCEEDED), (2, RSC.UPDATED), (20, RSC.UPDATED)])
def test_mnm_does_not_go_below_cnm(cse: Driven, mnm: int, code: RSC) -> None:
    of(group(cse, POWER, WATER))
    assert change(cse, mnm=mnm).rsc == code


def test_members_and_their_number_change_together(cse: Driven) -> None:
    of(group(cse, POWER, WATER))
    assert change(cse, mid=[POWER, WATER, HEAT], mnm=2).rsc == RSC.MAX_NUMBER_OF_MEMBER_EXCEEDED
    made = of(change(cse, mid=[HEAT], mnm=1))
    assert (made["mid"], made["cnm"], made["mnm"]) == ([HEAT], 1, 1)
    assert of(change(cse, mid=[]))["cnm"] == 0


def test_repeated_members_are_removed(cse: Driven) -> None:
    """Also when one resource is named in several ways; the first name stays."""
    ri = seen(cse, POWER)["ri"]
    made = of(group(cse, POWER, WATER, POWER, ri, f"/id-in/{ri}", f"//acme.example.com/id-in/{POWER}", "-/meter/water", "/id-mn/x", "/id-mn/x"))
    assert (made["mid"], made["cnm"]) == ([POWER, WATER, "/id-mn/x"], 3)
    assert of(change(cse, mid=[HEAT, WATER, HEAT]))["mid"] == [HEAT, WATER]


def test_a_group_and_its_fan_out_point_are_two_members(cse: Driven) -> None:
    of(group(cse, rn="inner"))
    assert of(group(cse, f"{AE}/inner", f"{AE}/inner/fopt", f"/id-in/{AE}/inner/fopt"))["mid"] == [f"{AE}/inner", f"{AE}/inner/fopt"]


# Member types


def test_members_of_one_type(cse: Driven) -> None:
    made = of(group(cse, POWER, WATER, mt=3))
    assert (made["mt"], made["mtv"], made["mid"]) == (3, True, [POWER, WATER])


@pytest.mark.parametrize("form", [{"mgd": 1006}, {"cnd": "org.example.x"}], ids=str)
def test_a_specialization_says_nothing_of_types_that_have_none(cse: Driven, form: dict[str, Any]) -> None:
    """TS-0001 9.6.13: spty goes with mgmtObj and flexContainer."""
    assert of(group(cse, POWER, WATER, AE, mt=3, spty=form))["mid"] == [POWER, WATER]


def test_a_mixed_group_is_not_checked(cse: Driven) -> None:
    made = of(group(cse, POWER, AE, "cse-in/nosuch", "/id-mn/x", mt=0))
    assert (made["mt"], made["cnm"]) == (0, 4)
    assert cse.asked == []


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [({}, (3, [POWER])), ({"csy": ABANDON_MEMBER}, (3, [POWER])), ({"csy": SET_MIXED}, (0, [POWER, AE, "cse-in/nosuch"]))],
    ids=str,
)
def test_consistency_strategies(cse: Driven, strategy: dict[str, Any], expected: tuple[int, list[str]]) -> None:
    """1 drops what does not fit, 3 makes the group mixed."""
    made = of(group(cse, POWER, AE, "cse-in/nosuch", mt=3, **strategy))
    assert (made["mt"], made["mid"]) == expected
    assert (made["cnm"], made["mtv"]) == (len(expected[1]), True)


@pytest.mark.parametrize("member", [AE, "cse-in/nosuch"])
def test_an_inconsistent_group_is_abandoned(cse: Driven, member: str) -> None:
    response = group(cse, POWER, member, mt=3, csy=ABANDON_GROUP)
    assert response.rsc == RSC.GROUP_MEMBER_TYPE_INCONSISTENT
    assert member in response.pc["m2m:dbg"]
    assert cse.retrieve(f"{AE}/g").rsc == RSC.NOT_FOUND


@pytest.mark.parametrize(
    ("strategy", "code", "expected"),
    [
        (ABANDON_MEMBER, RSC.UPDATED, (3, [POWER])),
        (ABANDON_GROUP, RSC.GROUP_MEMBER_TYPE_INCONSISTENT, (3, [WATER])),
        (SET_MIXED, RSC.UPDATED, (0, [POWER, AE])),
    ],
)
def test_new_members_are_checked_in_the_same_way(cse: Driven, strategy: int, code: RSC, expected: tuple[int, list[str]]) -> None:
    of(group(cse, WATER, mt=3, csy=strategy))
    assert change(cse, mid=[POWER, AE]).rsc == code
    found = seen(cse, f"{AE}/g")
    assert (found["mt"], found["mid"]) == expected


@pytest.mark.parametrize("attributes", [{"mt": 3}, {"csy": 2}, {"cnm": 1}, {"mtv": False}, {"spty": {"cnd": "x"}}], ids=str)
def test_what_an_update_may_not_change(cse: Driven, attributes: dict[str, Any]) -> None:
    of(group(cse, POWER))
    assert change(cse, **attributes).rsc == RSC.BAD_REQUEST


def test_a_fan_out_point_is_judged_by_the_members_behind_it(cse: Driven) -> None:
    of(group(cse, POWER, rn="containers", mt=3))
    of(group(cse, AE, rn="aes", mt=2))
    made = of(group(cse, WATER, f"{AE}/containers/fopt", f"{AE}/aes/fopt", f"{POWER}/fopt", f"{AE}/containers", mt=3))
    assert made["mid"] == [WATER, f"{AE}/containers/fopt"]
    assert of(group(cse, f"{AE}/containers", POWER, rn="groups", mt=9))["mid"] == [f"{AE}/containers"]


def test_members_whose_type_may_not_be_read(cse: Driven) -> None:
    """5105 RECEIVER_HAS_NO_PRIVILEGE."""
    mine = container(cse, "mine", "cse-in/other", OTHER)
    assert group(cse, POWER, mine, mt=3).rsc == RSC.RECEIVER_HAS_NO_PRIVILEGE
    assert group(cse, POWER, mine).rsc == RSC.CREATED


def test_policies_must_exist(cse: Driven) -> None:
    assert group(cse, macp=["cse-in/nosuch"]).rsc == RSC.BAD_REQUEST
    assert group(cse, macp=[POWER]).rsc == RSC.BAD_REQUEST
    assert group(cse, macp=[policy(cse, "p", rule("all", 2)), "/id-mn/acp"]).rsc == RSC.CREATED
    assert change(cse, macp=["cse-in/nosuch"]).rsc == RSC.BAD_REQUEST
    assert "macp" not in of(change(cse, macp=None))


def test_a_policy_that_has_gone_does_not_hold_up_the_group(cse: Driven) -> None:
    """Its reference remains (TS-0004 7.4.2); only what a request gives is checked."""
    path = policy(cse, "p", rule("all", 2))
    of(group(cse, POWER, macp=[path]))
    of(cse.delete(path, rcn=1))
    assert of(change(cse, lbl=["x"]))["macp"] == [path]
    assert of(change(cse, mid=[POWER, WATER]))["cnm"] == 2
    assert change(cse, macp=[path]).rsc == RSC.BAD_REQUEST


def test_a_policy_that_has_expired_cannot_be_linked(cse: Driven) -> None:
    content = {"rn": "p", "et": timestamp(cse.seconds + 10), "pv": {}, "pvs": {"acr": [rule("all", 63)]}}
    of(cse.create("cse-in", 1, {"m2m:acp": content}))
    cse.seconds += 10
    assert group(cse, macp=["cse-in/p"]).rsc == RSC.BAD_REQUEST


def test_a_member_that_has_expired_fits_no_type(cse: Driven) -> None:
    short = container(cse, "short", et=timestamp(cse.seconds + 10))
    cse.seconds += 10
    assert of(group(cse, POWER, short, mt=3))["mid"] == [POWER]


# Members at other CSEs


def far(**types: int) -> Any:
    """Answer a RETRIEVE with a resource of a type, by the last segment of its address."""

    def answer(call: Call) -> Response:
        name = call.request.to.rpartition("/")[2]
        return Response(RSC.OK, call.request.rqi, {"m2m:any": {"ty": types[name], "mt": 3}}) if name in types else Response(RSC.NOT_FOUND, call.request.rqi)

    return answer


def test_remote_members_are_asked_for_their_type_at_once(cse: Driven) -> None:
    cse.answer = far(a=3, b=3)
    made = of(group(cse, "/id-mn/a", POWER, "/id-mn/b", mt=3))
    assert (made["mid"], made["mtv"]) == (["/id-mn/a", POWER, "/id-mn/b"], True)
    assert [(call.request.op, call.request.to, call.request.fr, call.urls) for call in cse.asked] == [
        (Operation.RETRIEVE, "/id-mn/a", f"/id-in/{ME}", ("http://mn",)),
        (Operation.RETRIEVE, "/id-mn/b", f"/id-in/{ME}", ("http://mn",)),
    ]


def test_the_group_behind_a_remote_fan_out_point_is_asked(cse: Driven) -> None:
    cse.answer = far(sub=9)
    assert of(group(cse, "/id-mn/sub/fopt", mt=3))["mtv"] is True
    assert cse.asked[0].request.to == "/id-mn/sub"


@pytest.mark.parametrize(
    ("strategy", "code", "mid"),
    [(ABANDON_MEMBER, RSC.CREATED, ["/id-mn/a"]), (ABANDON_GROUP, RSC.GROUP_MEMBER_TYPE_INCONSISTENT, []), (SET_MIXED, RSC.CREATED, ["/id-mn/a", "/id-mn/b"])],
)
def test_remote_members_of_another_type(cse: Driven, strategy: int, code: RSC, mid: list[str]) -> None:
    cse.answer = far(a=3, b=2)
    response = group(cse, "/id-mn/a", "/id-mn/b", mt=3, csy=strategy)
    assert response.rsc == code
    assert not response.ok or of(response)["mid"] == mid


@pytest.mark.parametrize("code", [RSC.TARGET_NOT_REACHABLE, RSC.REQUEST_TIMEOUT])
def test_remote_members_that_do_not_answer_are_not_validated(cse: Driven, code: RSC) -> None:
    """mtv false for now; they stay."""
    cse.answer = answering(code)
    made = of(group(cse, POWER, "/id-mn/a", mt=3))
    assert (made["mtv"], made["mid"]) == (False, [POWER, "/id-mn/a"])
    cse.answer = far(a=3)
    assert of(change(cse, mid=[POWER, "/id-mn/a"]))["mtv"] is True


def test_nor_are_those_that_no_route_leads_to(cse: Driven) -> None:
    made = of(group(cse, "/id-far/a", mt=3))
    assert (made["mtv"], made["mid"]) == (False, ["/id-far/a"])
    assert cse.asked == []


def test_remote_members_whose_type_may_not_be_read(cse: Driven) -> None:
    cse.answer = answering(RSC.ORIGINATOR_HAS_NO_PRIVILEGE)
    assert group(cse, "/id-mn/a", mt=3).rsc == RSC.RECEIVER_HAS_NO_PRIVILEGE


@pytest.mark.parametrize("pc", [None, "text", [], {}, {"m2m:cnt": 3}, {"m2m:cnt": {}}, {"m2m:cnt": {"ty": "3"}}], ids=str)
def test_remote_answers_that_say_nothing(cse: Driven, pc: Any) -> None:
    cse.answer = answering(RSC.OK, pc=pc)
    assert of(group(cse, "/id-mn/a", mt=3))["mtv"] is False


# Members that could not be reached are looked at again


def later(cse: Driven) -> list[Response]:
    """Let the time pass after which a group looks again."""
    cse.pass_time(60)
    return cse.hand_over()


def unknown(cse: Driven, *members: str, **attributes: Any) -> None:
    """Make a group of containers whose members at /id-mn could not be reached."""
    cse.answer = answering(RSC.TARGET_NOT_REACHABLE)
    assert of(group(cse, *members, mt=3, **attributes))["mtv"] is False
    cse.asked.clear()
    cse.notices.clear()


def test_members_are_validated_when_they_can_be_reached(cse: Driven) -> None:
    """TS-0004 7.4.13.2.1: later, before the group expires; in the name of who made it, and the members of other CSEs only."""
    unknown(cse, POWER, "/id-mn/a")
    assert cse.delete(POWER, ME).ok
    cse.pass_time(59)
    assert cse.hand_over() == []
    cse.pass_time(1)
    assert [answer.rsc for answer in cse.hand_over()] == [RSC.OK]
    assert seen(cse, f"{AE}/g")["mtv"] is False
    cse.answer = far(a=3)
    later(cse)
    found = seen(cse, f"{AE}/g")
    assert (found["mtv"], found["mid"], found["mt"]) == (True, [POWER, "/id-mn/a"], 3)
    assert [(call.request.op, call.request.to, call.request.fr) for call in cse.asked] == [(Operation.RETRIEVE, "/id-mn/a", f"/id-in/{ME}")] * 2
    assert later(cse) == []


@pytest.mark.parametrize(("strategy", "expected"), [(ABANDON_MEMBER, (3, [POWER, "/id-mn/b"])), (SET_MIXED, (0, [POWER, "/id-mn/a", "/id-mn/b"]))])
def test_those_that_do_not_fit_are_treated_as_at_first(cse: Driven, strategy: int, expected: tuple[int, list[str]]) -> None:
    unknown(cse, POWER, "/id-mn/a", "/id-mn/b", csy=strategy)
    cse.answer = far(a=2, b=3)
    later(cse)
    found = seen(cse, f"{AE}/g")
    assert ((found["mt"], found["mid"]), found["cnm"], found["mtv"]) == (expected, len(expected[1]), True)


def test_an_inconsistent_group_is_deleted(cse: Driven) -> None:
    unknown(cse, POWER, "/id-mn/a", csy=ABANDON_GROUP)
    cse.answer = far(a=2)
    later(cse)
    assert cse.retrieve(f"{AE}/g").rsc == RSC.NOT_FOUND
    assert later(cse) == []


def test_what_one_of_them_is_counts_though_another_stays_unknown(cse: Driven) -> None:
    unknown(cse, "/id-mn/a", "/id-mn/b")

    def answer(call: Call) -> Response:
        found: Response = far(a=2)(call)
        return found if call.request.to.endswith("a") else Response(RSC.TARGET_NOT_REACHABLE, call.request.rqi)

    cse.answer = answer
    later(cse)
    found = seen(cse, f"{AE}/g")
    assert (found["mid"], found["mtv"]) == (["/id-mn/b"], False)
    cse.answer = far(b=3)
    later(cse)
    assert seen(cse, f"{AE}/g")["mtv"] is True


def test_a_member_whose_type_may_not_be_read_stays_unknown(cse: Driven) -> None:
    unknown(cse, "/id-mn/a")
    cse.answer = answering(RSC.ORIGINATOR_HAS_NO_PRIVILEGE)
    later(cse)
    assert seen(cse, f"{AE}/g")["mtv"] is False
    cse.answer = far(a=3)
    later(cse)
    assert seen(cse, f"{AE}/g")["mtv"] is True


def test_a_group_looks_again_once_at_a_time_and_not_after_its_end(cse: Driven) -> None:
    unknown(cse, "/id-mn/a")
    assert of(change(cse, mid=["/id-mn/a", "/id-mn/b"]))["mtv"] is False
    assert of(change(cse, gn="x"))["mtv"] is False
    assert len(later(cse)) == 1
    assert cse.delete(f"{AE}/g", ME).ok
    assert later(cse) == []
    assert list(cse.taken()) == []


def test_a_group_that_gathers_does_not_look_again_earlier(cse: Driven) -> None:
    """Neither number nor duration of notifyAggregation count for it."""
    unknown(cse, "/id-mn/a", nar={"num": 1, "dur": "PT1S"})
    of(change(cse, nar={"num": 1, "dur": "PT2S"}))
    cse.pass_time(59)
    assert cse.hand_over() == []
    cse.pass_time(1)
    assert [answer.rsc for answer in cse.hand_over()] == [RSC.OK]


def test_members_that_change_while_they_are_asked(cse: Driven) -> None:
    unknown(cse, "/id-mn/a", csy=ABANDON_GROUP)

    def exchange(call: Call) -> Response:
        cse.answer = far(b=3)
        assert of(change(cse, mid=["/id-mn/b"]))["mtv"] is True
        found: Response = far(a=2)(call)
        return found

    cse.answer = exchange
    later(cse)
    found = seen(cse, f"{AE}/g")
    assert (found["mid"], found["mtv"]) == (["/id-mn/b"], True)


def test_room_that_is_taken_away_while_members_are_asked(cse: Driven) -> None:
    of(group(cse, POWER, mt=3))

    def exchange(call: Call) -> Response:
        assert of(change(cse, mnm=1))["mnm"] == 1
        found: Response = far(a=3)(call)
        return found

    cse.answer = exchange
    assert change(cse, mid=[POWER, "/id-mn/a"]).rsc == RSC.MAX_NUMBER_OF_MEMBER_EXCEEDED
    assert seen(cse, f"{AE}/g")["mid"] == [POWER]


def test_a_restart_does_not_forget_it(cse: Driven) -> None:
    unknown(cse, "/id-mn/a")
    again = Driven(settings=cse.settings, store=cse.store, seconds=cse.seconds, answer=far(a=3))
    later(again)
    assert seen(again, f"{AE}/g")["mtv"] is True


def test_subscribers_of_the_group_hear_of_it(cse: Driven) -> None:
    unknown(cse, POWER, "/id-mn/a")
    of(cse.create(f"{AE}/g", 23, {"m2m:sub": {"nu": [ME], "enc": {"net": [1], "atr": ["mid"]}}}, ME))
    cse.answer = far(a=2)
    later(cse)
    (notice,) = cse.taken()
    assert notice.content["m2m:sgn"]["nev"]["rep"]["m2m:grp"]["mid"] == [POWER]


# The rest


def test_an_s_type_ae_is_a_member_of_this_cse_by_its_bare_identifier(cse: Driven) -> None:
    register(cse, "Sone", rn="one")
    assert of(group(cse, "/Sone", "cse-in/one", mt=2, fr="CAdmin"))["mid"] == ["/Sone"]


@pytest.mark.parametrize("member", ["", "a b", "//", "a//b"])
def test_members_that_are_no_addresses(cse: Driven, member: str) -> None:
    assert group(cse, POWER, member).rsc == RSC.BAD_REQUEST


def test_a_group_that_grows_in_one_update(cse: Driven) -> None:
    of(group(cse, POWER, mnm=1, mt=3))
    put(cse)
    made = of(change(cse, mnm=3, mid=[POWER, WATER, HEAT]))
    assert (made["cnm"], made["mnm"], made["mtv"]) == (3, 3, True)
