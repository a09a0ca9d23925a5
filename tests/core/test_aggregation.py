"""Subscriptions to all members of a group whose notifications the group gathers (TS-0001 10.2.7, TS-0004 7.4.14, 7.5.1.2; procedures 11.2, 1.7)."""

from typing import Any

import pytest

from cse.codes import Operation
from cse.codes import ResponseStatusCode as RSC
from cse.primitives import Call, Notice, Request, Response
from tests.core.test_fanout import codes, entries
from tests.core.test_group import WATER, change, group
from tests.core.tree import AE, ME, OTHER, POWER, answering, container, of, put, register, seen, world
from tests.drive import Driven

G, FOPT, FAR = f"{AE}/g", f"{AE}/g/fopt", "/id-mn/a"
URL, SECOND = "http://sink.example/", "http://second.example/"
READINGS = {"net": [3]}


@pytest.fixture
def cse() -> Driven:
    """A group g of two containers, power and water; a CSE /id-mn that a route leads to."""
    made = world(routes=("/id-mn http://mn", "/id-other http://other"))
    made.hands_over = False
    container(made, "water")
    of(group(made, POWER, WATER, mt=3))
    return made


def itself(cse: Driven, path: str = G) -> str:
    """Give the address under which members notify a group."""
    return f"/id-in/{seen(cse, path)['ri']}"


def subscribe(cse: Driven, to: str = FOPT, fr: str = ME, rcn: int | None = None, **attributes: Any) -> Response:
    content = {"rn": "s", "nu": [fr], "nfu": URL, "enc": READINGS, **attributes}
    return cse.create(to, 23, {"m2m:sub": {name: value for name, value in content.items() if value is not None}}, fr, rcn=rcn)


def ready(cse: Driven, **attributes: Any) -> None:
    """Subscribe, and forget what that has caused."""
    assert {code for _, code in codes(subscribe(cse, **attributes))} == {2001}
    cse.asked.clear()
    cse.notices.clear()


def notify(cse: Driven, pc: Any, fr: str | None = "/id-mn", to: str | None = None, **more: Any) -> Response:
    """Send a NOTIFY to the group from outside."""
    return cse.request(Request(Operation.NOTIFY, to or itself(cse), fr, cse.cse.fresh(), "4", pc=pc, **more))


def news(con: str = "x", sur: str = "/id-mn/sub1", **more: Any) -> dict[str, Any]:
    return {"sur": sur, "nev": {"net": 3, "rep": {"m2m:cin": {"con": con}}}, **more}


def gathered(notices: list[Notice]) -> list[tuple[str, list[str]]]:
    """Give target and contents of each aggregated notification."""
    assert all(notice.content.keys() == {"m2m:agn"} for notice in notices)
    return [(notice.target, [each["nev"]["rep"]["m2m:cin"]["con"] for each in notice.content["m2m:agn"]["m2m:sgn"]]) for notice in notices]


def sent(cse: Driven) -> list[tuple[str, list[str]]]:
    """Let the members notify the group; give what it has sent since the last call."""
    cse.hand_over()
    return gathered(list(cse.taken()))


# Making them


def test_the_group_takes_the_place_of_the_targets(cse: Driven) -> None:
    """nu is replaced by an address of the group, gpi names it, nfu stays."""
    response = subscribe(cse)
    assert codes(response) == [(POWER, 2001), (WATER, 2001)]
    for place in (POWER, WATER):
        found = seen(cse, f"{place}/s")
        assert (found["nu"], found["gpi"], found["nfu"]) == ([itself(cse)], itself(cse), URL)
    assert "forward" not in seen(cse, G)


def test_the_target_is_verified_once_by_the_group(cse: Driven) -> None:
    subscribe(cse)
    (call,) = cse.asked
    assert (call.request.op, call.request.to, call.request.fr, call.urls) == (Operation.NOTIFY, URL, "/id-in", (URL,))
    assert call.request.pc == {"m2m:sgn": {"vrq": True, "sur": itself(cse), "cr": ME}}


@pytest.mark.parametrize("nfu", [ME, f"/id-in/{ME}", AE])
def test_an_originator_that_is_the_target_is_not_asked(cse: Driven, nfu: str) -> None:
    assert [code for _, code in codes(subscribe(cse, nfu=nfu))] == [2001, 2001]
    assert cse.asked == []


@pytest.mark.parametrize(("answer", "nfu"), [(RSC.SUBSCRIPTION_CREATOR_HAS_NO_PRIVILEGE, URL), (RSC.TARGET_NOT_REACHABLE, URL), (RSC.OK, "Cnobody")])
def test_a_target_that_does_not_agree(cse: Driven, answer: RSC, nfu: str) -> None:
    """5204, and no member has got anything."""
    cse.answer = answering(answer)
    response = subscribe(cse, nfu=nfu)
    assert response.rsc == RSC.SUBSCRIPTION_VERIFICATION_INITIATION_FAILED
    assert nfu in response.pc["m2m:dbg"]
    assert cse.retrieve(f"{POWER}/s").rsc == cse.retrieve(f"{WATER}/s").rsc == RSC.NOT_FOUND


def test_a_request_whose_target_did_not_agree_may_be_sent_again(cse: Driven) -> None:
    cse.answer = answering(RSC.TARGET_NOT_REACHABLE)
    content = {"m2m:sub": {"rn": "s", "nu": [ME], "nfu": URL}}
    assert cse.create(FOPT, 23, content, ME, gid="g1").rsc == RSC.SUBSCRIPTION_VERIFICATION_INITIATION_FAILED
    cse.answer = answering(RSC.OK)
    assert codes(cse.create(FOPT, 23, content, ME, gid="g1")) == [(POWER, 2001), (WATER, 2001)]


def test_members_that_change_while_the_target_is_asked(cse: Driven) -> None:
    """After a question everything is read again."""
    heat = container(cse, "heat")

    def exchange(call: Call) -> Response:
        of(change(cse, mid=[heat]))
        return Response(RSC.OK, call.request.rqi)

    cse.answer = exchange
    assert codes(subscribe(cse)) == [(heat, 2001)]

    def vanish(call: Call) -> Response:
        assert cse.delete(G, ME).ok
        return Response(RSC.OK, call.request.rqi)

    cse.answer = vanish
    assert subscribe(cse, rn="t").rsc == RSC.NOT_FOUND
    assert cse.retrieve(f"{heat}/t").rsc == RSC.NOT_FOUND


@pytest.mark.parametrize("faulty", [{"nu": None}, {"nu": []}, {"nfu": 7}, {"nfu": []}, {"enc": {"net": [7]}}, {"nosuch": 1}], ids=str)
def test_what_is_no_valid_subscription_is_refused_by_each_member(cse: Driven, faulty: dict[str, Any]) -> None:
    response = subscribe(cse, **faulty)
    assert [code for _, code in codes(response)] == [4000, 4000]
    word = "blocking" if "enc" in faulty else next(iter(faulty))
    assert all(word in each["pc"]["m2m:dbg"] for each in entries(response))
    assert cse.retrieve(f"{POWER}/s").rsc == RSC.NOT_FOUND


def test_content_with_two_roots_is_no_subscription(cse: Driven) -> None:
    content = {"rn": "s", "nu": [ME], "nfu": URL}
    assert [code for _, code in codes(cse.create(FOPT, 23, {"m2m:sub": content, "m2m:cnt": {}}, ME))] == [4000, 4000]
    assert cse.asked == []


def test_who_has_no_privilege_on_the_group(cse: Driven) -> None:
    assert subscribe(cse, fr=OTHER).rsc == RSC.ORIGINATOR_HAS_NO_PRIVILEGE
    assert cse.asked == []


def test_without_nfu_members_notify_the_targets_themselves(cse: Driven) -> None:
    ready(cse, nfu=None)
    put(cse, "p")
    (notice,) = cse.taken()
    assert notice.target == ME
    assert "nfu" not in notice.content["m2m:sgn"]


# Gathering


def test_the_notifications_of_all_members_go_to_the_target_together(cse: Driven) -> None:
    """m2m:agn, oldest first, each with its own subscription."""
    ready(cse)
    put(cse, "p")
    put(cse, "w", to=WATER)
    notices = list(cse.taken())
    assert {notice.target for notice in notices} == {itself(cse)}
    assert [notice.content["m2m:sgn"]["nfu"] for notice in notices] == [URL, URL]
    cse.notices = notices
    assert [answer.rsc for answer in cse.hand_over()] == [RSC.OK, RSC.OK]
    assert list(cse.taken()) == []
    cse.pass_time(1)
    (notice,) = cse.taken()
    assert (notice.target, notice.fr, notice.subscription) == (URL, "/id-in", itself(cse).removeprefix("/id-in/"))
    assert notice.content == {"m2m:agn": {"m2m:sgn": [found.content["m2m:sgn"] for found in notices]}}
    assert [each["sur"] for each in notice.content["m2m:agn"]["m2m:sgn"]] == [f"/id-in/{seen(cse, f'{place}/s')['ri']}" for place in (POWER, WATER)]


def test_they_go_when_there_are_enough(cse: Driven) -> None:
    of(change(cse, nar={"num": 3, "dur": "PT1H"}))
    ready(cse)
    for con in "abcd":
        put(cse, con)
    assert sent(cse) == [(URL, ["a", "b", "c"])]
    cse.pass_time(3600)
    assert sent(cse) == [(URL, ["d"])]


def test_they_go_when_their_time_is_over(cse: Driven) -> None:
    of(change(cse, nar={"dur": "PT30S"}))
    ready(cse)
    put(cse, "a")
    cse.hand_over()
    cse.pass_time(29)
    put(cse, "b")
    assert sent(cse) == []
    cse.pass_time(1)
    assert sent(cse) == [(URL, ["a", "b"])]


def test_how_long_the_core_wants_to_be_left_alone(cse: Driven) -> None:
    of(change(cse, nar={"dur": "PT2S"}))
    ready(cse)
    put(cse, "a")
    cse.pass_time(0.001)
    cse.hand_over()
    cse.cse.settings = world(expiration_check_interval=60.0).settings
    delay = cse.cse.due(cse.seconds)
    assert delay is not None
    assert 1.9 < delay <= 2


@pytest.mark.parametrize(("given", "shown"), [({"num": 3}, {"num": 3, "dur": "PT60S"}), ({"dur": "PT5S"}, {"dur": "PT5S"}), ({}, {"dur": "PT60S"})], ids=str)
def test_an_aggregation_without_duration_gets_that_of_the_provider(cse: Driven, given: dict[str, Any], shown: dict[str, Any]) -> None:
    assert of(group(cse, POWER, rn="h", nar=given))["nar"] == shown
    assert of(change(cse, nar=given))["nar"] == shown
    assert "nar" not in of(change(cse, nar=None))


@pytest.mark.parametrize("nar", [{"num": -1}, {"dur": "soon"}, {"nosuch": 1}, 3], ids=str)
def test_an_aggregation_that_cannot_be(cse: Driven, nar: Any) -> None:
    for response in (group(cse, POWER, rn="h", nar=nar), change(cse, nar=nar)):
        assert response.rsc == RSC.BAD_REQUEST
        assert "nar" in response.pc["m2m:dbg"]


def test_what_was_gathered_is_under_the_policy_as_it_is_now(cse: Driven) -> None:
    of(change(cse, nar={"dur": "PT1H"}))
    ready(cse)
    put(cse, "a")
    assert sent(cse) == []
    of(change(cse, nar={"dur": "PT1H", "num": 2}))
    assert sent(cse) == []
    of(change(cse, nar={"dur": "PT1H", "num": 1}))
    assert sent(cse) == [(URL, ["a"])]
    of(change(cse, nar={"dur": "PT1H"}))
    put(cse, "b")
    assert sent(cse) == []
    of(change(cse, nar={"dur": "PT2S"}))
    cse.pass_time(1)
    put(cse, "c")
    assert sent(cse) == []
    cse.pass_time(1)
    assert sent(cse) == [(URL, ["b", "c"])]
    put(cse, "d")
    assert sent(cse) == []
    of(change(cse, nar=None))
    cse.pass_time(1)
    assert sent(cse) == [(URL, ["d"])], "the time of the provider"


def test_what_was_gathered_counts_as_stored() -> None:
    """Beyond the room for one target the oldest goes, as for subscriptions (notification.max_stored)."""
    cse = world(max_stored=2)
    of(group(cse, POWER, mt=3, nar={"dur": "PT1H"}))
    assert {code for _, code in codes(subscribe(cse))} == {2001}
    for con in "abc":
        put(cse, con)
    cse.pass_time(3600)
    assert gathered(list(cse.taken())) == [(URL, ["b", "c"])]


def test_each_target_has_its_own(cse: Driven) -> None:
    ready(cse)
    ready(cse, rn="t", nfu=SECOND)
    put(cse, "a")
    cse.hand_over()
    cse.pass_time(1)
    assert sent(cse) == [(URL, ["a"]), (SECOND, ["a"])]


def test_what_is_immediate_does_not_wait(cse: Driven) -> None:
    ready(cse, nec=2)
    put(cse, "a")
    cse.hand_over()
    (notice,) = cse.taken()
    assert notice.ec == 2
    assert gathered([notice]) == [(URL, ["a"])]


def test_only_the_latest_of_one_member_does_not_push_out_that_of_another(cse: Driven) -> None:
    ready(cse, ln=True)
    put(cse, "p")
    put(cse, "w", to=WATER)
    cse.hand_over()
    cse.pass_time(1)
    assert sent(cse) == [(URL, ["p", "w"])]


def test_batches_of_members_are_taken_apart(cse: Driven) -> None:
    """Procedures 7.6: each of an m2m:agn is treated as single."""
    of(change(cse, nar={"num": 3}))
    ready(cse, bn={"num": 2})
    for con in "abcd":
        put(cse, con)
    assert sent(cse) == [(URL, ["a", "b", "c"])]


def test_a_target_is_reached_where_it_lives_when_it_is_sent(cse: Driven) -> None:
    register(cse, "Csink", rn="sink", poa=["http://ae.example"])
    ready(cse, nfu="Csink")
    put(cse, "a")
    cse.hand_over()
    cse.pass_time(1)
    (notice,) = cse.taken()
    assert cse.cse.route(notice.target) == ("http://ae.example",)


# Who may notify a group


@pytest.mark.parametrize("fr", ["/id-other", ME, "CAdmin", "/id-in", "/id-mn/Cx", "//else.example/id-mn"])
def test_only_the_hosts_of_members_may_notify(cse: Driven, fr: str) -> None:
    """4103, and 5205 for a verification; this CSE is one, whoever else claims to be it is not."""
    of(change(cse, mid=[POWER, WATER, FAR]))
    ready_far(cse)
    assert notify(cse, {"m2m:sgn": news(nfu=URL)}, fr).rsc == RSC.ORIGINATOR_HAS_NO_PRIVILEGE
    assert notify(cse, {"m2m:sgn": {"vrq": True, "sur": "/id-other/sub"}}, fr).rsc == RSC.SUBSCRIPTION_HOST_HAS_NO_PRIVILEGE
    cse.pass_time(1)
    assert sent(cse) == []


@pytest.mark.parametrize("fr", ["/id-mn", "//acme.example.com/id-mn"])
@pytest.mark.parametrize("member", [FAR, f"//acme.example.com{FAR}"])
def test_the_host_of_a_member_may(cse: Driven, fr: str, member: str) -> None:
    of(change(cse, mid=[POWER, member]))
    ready_far(cse)
    assert notify(cse, {"m2m:sgn": {"vrq": True, "sur": "/id-mn/sub1", "cr": f"/id-in/{ME}"}}, fr).rsc == RSC.OK
    assert notify(cse, {"m2m:sgn": news(nfu=URL)}, fr).rsc == RSC.OK
    cse.pass_time(1)
    assert sent(cse) == [(URL, ["x"])]


def test_a_host_whose_member_has_left_may_not_any_more(cse: Driven) -> None:
    of(change(cse, mid=[POWER, FAR]))
    ready_far(cse)
    of(change(cse, mid=[POWER]))
    assert notify(cse, {"m2m:sgn": news(nfu=URL)}).rsc == RSC.ORIGINATOR_HAS_NO_PRIVILEGE
    of(change(cse, mid=[POWER, "/id-mn/b"]))
    assert notify(cse, {"m2m:sgn": news(nfu=URL)}).rsc == RSC.OK


def test_a_member_that_comes_later_has_no_subscription(cse: Driven) -> None:
    ready(cse)
    heat = container(cse, "heat")
    of(change(cse, mid=[POWER, WATER, heat]))
    put(cse, "h", to=heat)
    put(cse, "w", to=WATER)
    cse.hand_over()
    cse.pass_time(1)
    assert sent(cse) == [(URL, ["w"])]


@pytest.mark.parametrize(
    "pc",
    [
        None,
        "text",
        {},
        {"m2m:cin": {}},
        {"m2m:sgn": []},
        {"m2m:sgn": {"nev": {}}},
        {"m2m:sgn": {"nev": {}, "sur": 7}},
        {"m2m:agn": []},
        {"m2m:agn": {}},
        {"m2m:agn": {"m2m:sgn": []}},
        {"m2m:agn": {"m2m:sgn": [news(nfu=URL), "text"]}},
        {"m2m:sgn": news(nfu=URL), "m2m:agn": {}},
    ],
    ids=str,
)
def test_what_is_no_notification(cse: Driven, pc: Any) -> None:
    of(change(cse, mid=[POWER, FAR]))
    response = notify(cse, pc)
    assert response.rsc == RSC.BAD_REQUEST
    assert "m2m:sgn" in response.pc["m2m:dbg"]
    cse.pass_time(1)
    assert sent(cse) == []


# Members at other CSEs


def ready_far(cse: Driven, **attributes: Any) -> None:
    """Subscribe with members at /id-mn, each of which answers with sub1, sub2 and so on."""
    numbers = iter(range(1, 10))

    def answer(call: Call) -> Response:
        if call.request.op != Operation.CREATE:
            return Response(RSC.OK, call.request.rqi)
        return Response(RSC.CREATED, call.request.rqi, {"m2m:sub": {"ri": f"sub{next(numbers)}", "rn": "s", "et": "20990101T000000"}})

    cse.answer = answer
    ready(cse, **attributes)


def test_members_at_other_cses_get_addresses_that_hold_there(cse: Driven) -> None:
    register(cse, "Csink", rn="sink", poa=["http://ae.example"])
    of(change(cse, mid=[FAR, POWER]))
    cse.answer = answering(RSC.CREATED)
    subscribe(cse, nfu="Csink")
    body = cse.asked[-1].request.pc["m2m:sub"]
    assert cse.asked[-1].request.to == FAR
    assert (body["nu"], body["gpi"], body["nfu"], body["enc"]) == ([itself(cse)], itself(cse), "/id-in/Csink", READINGS)
    assert seen(cse, f"{POWER}/s")["nfu"] == "Csink"


def test_what_they_send_is_gathered_with_the_rest(cse: Driven) -> None:
    of(change(cse, mid=[FAR, POWER]))
    ready_far(cse)
    put(cse, "near")
    cse.hand_over()
    assert notify(cse, {"m2m:agn": {"m2m:sgn": [news("far", nfu=URL), news("away", nfu=URL)]}}).rsc == RSC.OK
    cse.pass_time(1)
    assert sent(cse) == [(URL, ["near", "far", "away"])]


@pytest.mark.parametrize("rcn", [None, 3])
def test_a_host_that_leaves_the_target_out_is_known_by_its_subscription(cse: Driven, rcn: int | None) -> None:
    of(change(cse, mid=[FAR, "/id-mn/b"]))
    if rcn == 3:
        cse.answer = answering(RSC.CREATED, pc={"m2m:rce": {"uri": "x", "m2m:sub": {"ri": "sub1"}}})
        assert [code for _, code in codes(subscribe(cse, rcn=rcn))] == [2001, 2001]
    else:
        ready_far(cse)
    assert notify(cse, {"m2m:sgn": news()}).rsc == RSC.OK
    response = notify(cse, {"m2m:sgn": news(sur="/id-mn/unknown")})
    assert response.rsc == RSC.BAD_REQUEST
    assert "/id-mn/unknown" in response.pc["m2m:dbg"]
    cse.pass_time(1)
    assert sent(cse) == [(URL, ["x"])]


@pytest.mark.parametrize("pc", [None, "text", {}, {"m2m:sub": 7}, {"m2m:rce": []}, {"m2m:sub": {"ri": None, "et": 7}}], ids=str)
def test_answers_that_say_nothing_of_the_subscription(cse: Driven, pc: Any) -> None:
    """The target is known nevertheless, for notifications that name it."""
    of(change(cse, mid=[FAR, POWER]))
    cse.answer = answering(RSC.CREATED, pc=pc)
    assert codes(subscribe(cse)) == [(FAR, 2001), (POWER, 2001)]
    cse.asked.clear()
    assert notify(cse, {"m2m:sgn": news(nfu=URL)}).rsc == RSC.OK
    assert cse.asked == []


def test_what_an_unreachable_member_did_not_get(cse: Driven) -> None:
    of(change(cse, mid=[FAR, POWER]))
    cse.answer = lambda call: Response(RSC.TARGET_NOT_REACHABLE if call.request.to == FAR else RSC.OK, call.request.rqi)
    assert codes(subscribe(cse)) == [(FAR, 5103), (POWER, 2001)]


# Changing and deleting them


def test_a_new_target_through_the_group(cse: Driven) -> None:
    """It is asked once, and is told from then on; whatever nu the request has, the group stays in its place."""
    ready(cse)
    assert [code for _, code in codes(cse.update(f"{FOPT}/s", {"m2m:sub": {"nfu": SECOND, "nu": [ME]}}, ME))] == [2004, 2004]
    assert [(call.request.to, call.request.pc["m2m:sgn"]["vrq"]) for call in cse.asked] == [(SECOND, True)]
    assert (seen(cse, f"{WATER}/s")["nu"], seen(cse, f"{WATER}/s")["nfu"]) == ([itself(cse)], SECOND)
    put(cse, "a")
    cse.hand_over()
    cse.pass_time(1)
    assert sent(cse) == [(SECOND, ["a"])]
    assert len(cse.asked) == 1
    cse.update(f"{FOPT}/s", {"m2m:sub": {"nfu": SECOND}}, ME)
    assert len(cse.asked) == 1, "it has agreed already"


def test_a_new_target_that_does_not_agree_changes_nothing(cse: Driven) -> None:
    ready(cse)
    cse.answer = answering(RSC.BAD_REQUEST)
    assert cse.update(f"{FOPT}/s", {"m2m:sub": {"nfu": SECOND}}, ME).rsc == RSC.SUBSCRIPTION_VERIFICATION_INITIATION_FAILED
    assert seen(cse, f"{POWER}/s")["nfu"] == URL


def test_other_changes_leave_the_group_in_its_place(cse: Driven) -> None:
    ready(cse)
    assert [code for _, code in codes(cse.update(f"{FOPT}/s", {"m2m:sub": {"nu": [SECOND], "enc": {"net": [4]}}}, ME))] == [2004, 2004]
    assert (seen(cse, f"{POWER}/s")["nu"], seen(cse, f"{POWER}/s")["enc"]) == ([itself(cse)], {"net": [4]})
    assert cse.asked == []
    assert [code for _, code in codes(cse.update(f"{FOPT}/s", {"m2m:sub": {"nu": []}}, ME))] == [4000, 4000]


def test_without_nfu_it_is_an_ordinary_subscription_again(cse: Driven) -> None:
    ready(cse)
    assert [code for _, code in codes(cse.update(f"{FOPT}/s", {"m2m:sub": {"nfu": None, "gpi": None, "nu": [ME]}}, ME))] == [2004, 2004]
    put(cse, "a")
    (notice,) = cse.taken()
    assert (notice.target, notice.content["m2m:sgn"].get("nfu")) == (ME, None)


def test_a_target_that_was_given_to_the_member_itself_is_asked_when_it_is_needed(cse: Driven) -> None:
    ready(cse)
    of(cse.update(f"{POWER}/s", {"m2m:sub": {"nfu": SECOND}}, ME))
    cse.answer = answering(RSC.BAD_REQUEST)
    put(cse, "a")
    (answer,) = cse.hand_over()
    assert answer.rsc == RSC.ORIGINATOR_HAS_NO_PRIVILEGE
    assert SECOND in answer.pc["m2m:dbg"]
    cse.answer = answering(RSC.OK)
    for con in "bc":
        put(cse, con)
        cse.hand_over()
    assert [call.request.to for call in cse.asked] == [SECOND, SECOND]
    cse.pass_time(1)
    assert sent(cse) == [(SECOND, ["b", "c"])]


def test_deleting_them_through_the_group(cse: Driven) -> None:
    of(change(cse, mid=[FAR, POWER]))
    ready_far(cse)
    cse.answer = answering(RSC.DELETED)
    assert [code for _, code in codes(cse.delete(f"{FOPT}/s", ME))] == [2002, 2002]
    put(cse, "a")
    assert sent(cse) == []
    assert notify(cse, {"m2m:sgn": news()}).rsc == RSC.BAD_REQUEST, "nobody knows that subscription any more"


def test_what_a_member_still_has_is_not_forgotten(cse: Driven) -> None:
    of(change(cse, mid=[FAR, POWER]))
    ready_far(cse)
    cse.answer = answering(RSC.TARGET_NOT_REACHABLE)
    assert [code for _, code in codes(cse.delete(f"{FOPT}/s", ME))] == [5103, 2002]
    cse.answer = answering(RSC.OK)
    assert cse.delete(f"{FOPT}/s", ME, grtm=(POWER,)).ok
    assert notify(cse, {"m2m:sgn": news()}).rsc == RSC.OK


def test_su_hears_of_each_end(cse: Driven) -> None:
    ready(cse, su=SECOND)
    ends = [{"m2m:sgn": {"sud": True, "sur": f"/id-in/{seen(cse, f'{place}/s')['ri']}"}} for place in (POWER, WATER)]
    assert cse.delete(f"{POWER}/s", ME).ok
    assert cse.delete(f"{FOPT}/s", ME).ok
    assert [(notice.target, notice.content) for notice in cse.taken()] == [(SECOND, end) for end in ends]


def test_a_group_that_is_told_of_an_end_hands_it_on(cse: Driven) -> None:
    of(change(cse, mid=[POWER, FAR]))
    ready_far(cse)
    end = {"sud": True, "sur": "/id-mn/sub1"}
    assert notify(cse, {"m2m:sgn": end}).rsc == RSC.OK
    cse.pass_time(1)
    assert [notice.content for notice in cse.taken()] == [{"m2m:agn": {"m2m:sgn": [end]}}]


# The life of the group


@pytest.mark.parametrize("how", ["itself", "parent", "expiry"])
def test_what_was_gathered_is_sent_when_the_group_goes(cse: Driven, how: str) -> None:
    of(change(cse, nar={"dur": "PT1H"}))
    of(change(cse, et="20250615T151000"))
    ready(cse)
    put(cse, "a")
    cse.hand_over()
    if how == "expiry":
        cse.pass_time(10_000)
    else:
        assert cse.delete(G if how == "itself" else AE, "CAdmin").ok
    assert sent(cse) == [(URL, ["a"])]
    cse.pass_time(7200)
    assert sent(cse) == []


def test_what_comes_for_a_group_that_has_gone(cse: Driven) -> None:
    ready(cse)
    put(cse, "a")
    assert cse.delete(G, ME).ok
    assert cse.hand_over() == []
    assert all(cse.cse.route(notice.target) == () for notice in cse.taken())
    assert notify(cse, {"m2m:sgn": news(nfu=URL)}, to="/id-in/grp1").rsc == RSC.NOT_FOUND


def test_a_group_that_goes_while_a_target_is_asked(cse: Driven) -> None:
    of(change(cse, mid=[POWER, FAR]))

    def vanish(call: Call) -> Response:
        assert cse.delete(G, ME).ok
        return Response(RSC.OK, call.request.rqi)

    cse.answer = vanish
    assert notify(cse, {"m2m:sgn": news(nfu=URL)}).rsc == RSC.NOT_FOUND


def test_a_restart_in_the_middle(cse: Driven) -> None:
    """What was gathered, what is still on its way to the group and what it knows of its subscriptions is in the store."""
    of(change(cse, mid=[POWER, FAR], nar={"num": 4, "dur": "PT30S"}))
    ready_far(cse)
    put(cse, "a")
    cse.hand_over()
    put(cse, "b")
    again = Driven(settings=cse.settings, store=cse.store, seconds=cse.seconds + 10)
    again.notices = again.store.notices()
    again.hand_over()
    assert notify(again, {"m2m:sgn": news("c")}).rsc == RSC.OK
    assert again.asked == []
    again.pass_time(19)
    assert sent(again) == []
    again.pass_time(1)
    assert sent(again) == [(URL, ["a", "b", "c"])]


def test_what_has_expired_is_forgotten_and_asked_for_again(cse: Driven) -> None:
    """A target is remembered no longer than its subscriptions live; one that still sends for it has it asked."""
    of(change(cse, mid=[POWER, FAR]))
    cse.answer = lambda call: Response(RSC.CREATED, call.request.rqi, {"m2m:sub": {"ri": "sub1", "et": "20250615T151000"}})
    assert [code for _, code in codes(subscribe(cse, et="20250615T151000"))] == [2001, 2001]
    cse.answer = answering(RSC.OK)
    cse.pass_time(3600)
    cse.asked.clear()
    assert notify(cse, {"m2m:sgn": news(nfu=SECOND)}).rsc == RSC.OK
    assert notify(cse, {"m2m:sgn": news(nfu=URL, sur="/id-mn/sub2")}).rsc == RSC.OK
    assert [call.request.to for call in cse.asked] == [SECOND, URL]


# Groups in groups


def test_a_nested_group_gathers_for_its_own_members(cse: Driven) -> None:
    """Whatever group a subscription was made through, its target is asked once and told by the group that hosts are members of."""
    of(group(cse, f"{G}/fopt", rn="outer"))
    assert codes(subscribe(cse, f"{AE}/outer/fopt")) == [(POWER, 2001), (WATER, 2001)]
    assert [call.request.to for call in cse.asked] == [URL]
    assert seen(cse, f"{POWER}/s")["nu"] == [itself(cse)]
    put(cse, "a")
    cse.hand_over()
    cse.pass_time(1)
    assert sent(cse) == [(URL, ["a"])]


@pytest.mark.parametrize("other", [False, True])
def test_a_group_is_no_target(cse: Driven, other: bool) -> None:
    """It would notify itself for ever."""
    of(group(cse, POWER, rn="second"))
    target = f"{AE}/second" if other else G
    response = subscribe(cse, nfu=target)
    assert response.rsc == RSC.BAD_REQUEST
    assert "nfu" in response.pc["m2m:dbg"]
    of(change(cse, mid=[POWER, FAR]))
    assert notify(cse, {"m2m:sgn": news(nfu=itself(cse, target))}).rsc == RSC.BAD_REQUEST


# A group as an ordinary target


def test_a_subscription_made_at_a_member_may_name_the_group_too(cse: Driven) -> None:
    """The group answers its verification; where it says nfu, its target is asked when the first notification comes."""
    of(cse.create(POWER, 23, {"m2m:sub": {"nu": [G], "nfu": URL, "enc": READINGS}}, ME))
    assert cse.asked == []
    put(cse, "a")
    assert [answer.rsc for answer in cse.hand_over()] == [RSC.OK]
    assert [call.request.to for call in cse.asked] == [URL]
    cse.pass_time(1)
    assert sent(cse) == [(URL, ["a"])]


def test_a_group_without_members_here_does_not_take_it(cse: Driven) -> None:
    of(group(cse, FAR, rn="far"))
    response = cse.create(POWER, 23, {"m2m:sub": {"nu": [f"{AE}/far"], "nfu": URL}}, ME)
    assert response.rsc == RSC.SUBSCRIPTION_VERIFICATION_INITIATION_FAILED
    of(cse.create(POWER, 23, {"m2m:sub": {"nu": [G], "enc": READINGS}}, ME))
    put(cse, "a")
    assert [answer.rsc for answer in cse.hand_over()] == [RSC.BAD_REQUEST], "it does not say for whom"


def test_a_notification_to_the_group_is_monitored(cse: Driven) -> None:
    """enc.om, as for an AE; what the CSE tells itself is no request of anybody."""
    of(change(cse, mid=[POWER, FAR]))
    ready_far(cse)
    of(cse.create(G, 23, {"m2m:sub": {"nu": [ME], "enc": {"om": [{"ops": 16}]}}}, ME))
    put(cse, "a")
    cse.hand_over()
    assert list(cse.taken()) == []
    assert notify(cse, {"m2m:sgn": news()}).rsc == RSC.OK
    (notice,) = cse.taken()
    assert (notice.target, notice.content["m2m:sgn"]["nev"]["om"]) == (ME, {"op": 5, "or": "/id-mn"})


def test_a_refusal_of_the_group_is_a_response_too(cse: Driven) -> None:
    made = of(cse.create(POWER, 23, {"m2m:sub": {"nu": [G], "enc": READINGS, "nse": True}}, ME))
    put(cse, "a")
    assert [answer.rsc for answer in cse.hand_over()] == [RSC.BAD_REQUEST]
    assert seen(cse, made["ri"])["nsi"] == [{"tg": G, "rqs": 1, "rsr": 1, "noec": 1}]
