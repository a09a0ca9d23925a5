"""Non-blocking requests: acknowledged, carried out beside, kept as <request> resources (TS-0004 7.3.2.2-7.3.2.5, 7.4.12)."""

from dataclasses import replace
from typing import Any

import pytest

from cse.codes import Operation
from cse.codes import ResponseStatusCode as RSC
from cse.datatypes import timestamp
from cse.primitives import Call, Peer, Request, Response
from cse.record import Record
from cse.schema import Change
from tests.core.tree import AE, ME, OTHER, POWER, answering, contents, of, policy, put, rule, seen, world
from tests.drive import TYPES, Driven

SYNCH, ASYNCH, FLEX, NONE = ({"rtv": number} for number in (1, 2, 4, 5))
CIN = {"m2m:cin": {"con": "7"}}
LATER = 60_000
"""Milliseconds."""


def accepted(cse: Driven, rt: dict[str, Any], op: Operation = Operation.RETRIEVE, to: str = POWER, fr: str | None = ME, **more: Any) -> str:
    """Send a request that must be acknowledged; give the address of its <request>."""
    answer = cse.request(Request(op, to, fr, more.pop("rqi", "mine"), "4", rt=rt, **more))
    assert answer.rsc in (RSC.ACCEPTED_FOR_NONBLOCKINGREQUESTSYNCH, RSC.ACCEPTED_FOR_NONBLOCKINGREQUESTASYNCH), answer
    uri: str = answer.pc["m2m:uri"]
    return uri


def made(cse: Driven, rt: dict[str, Any], to: str = POWER, **more: Any) -> str:
    return accepted(cse, rt, Operation.CREATE, to, ty=4, pc=CIN, **more)


def test_the_originator_finds_the_result_in_the_request() -> None:
    cse = world()
    request = seen(cse, made(cse, SYNCH, rcn=1, ec=2), ME)
    assert (request["op"], request["tg"], request["org"], request["rid"], request["pc"]) == (1, POWER, ME, "mine", CIN)
    assert request["mi"] == {"ty": 4, "rcn": 1, "ec": 2, "rt": SYNCH, "rvi": "4"}
    assert (request["rs"], request["ors"]["rsc"], request["ors"]["rqi"]) == (1, 2001, "mine")
    assert (request["ors"]["to"], request["ors"]["fr"]) == (ME, "/id-in")
    assert request["ors"]["pc"]["m2m:cin"]["con"] == "7"
    assert (request["ty"], request["pi"], request["lbl"]) == (17, "id-in", [ME])
    assert contents(cse) == ["7"]


def test_until_it_is_carried_out_it_is_pending() -> None:
    cse = world()
    uri = made(cse, SYNCH, oet=LATER)
    request = seen(cse, uri, ME)
    assert (request["rs"], request["ors"]) == (3, {"rsc": 1000, "rqi": "mine"})
    assert request["mi"]["oet"] == timestamp(cse.seconds + 60), "relative times are shown as moments"
    cse.pass_time(59)
    assert contents(cse) == []
    cse.pass_time(1)
    assert contents(cse) == ["7"]
    assert seen(cse, uri, ME)["rs"] == 1


@pytest.mark.parametrize(
    ("more", "rsc"),
    [
        ({"to": "cse-in/nowhere"}, RSC.NOT_FOUND),
        ({"fr": OTHER}, RSC.ORIGINATOR_HAS_NO_PRIVILEGE),
        ({"to": "/id-unknown/x"}, RSC.NOT_FOUND),
        ({"op": Operation.UPDATE, "pc": {"m2m:cnt": {"colour": 1}}}, RSC.BAD_REQUEST),
    ],
)
def test_what_fails_after_the_acknowledgement_is_in_the_result(more: dict[str, Any], rsc: RSC) -> None:
    cse = world()
    fr = more.get("fr", ME)
    request = seen(cse, accepted(cse, SYNCH, **more), fr)
    assert (request["rs"], request["ors"]["rsc"]) == (2, rsc)
    assert request["ors"]["pc"]["m2m:dbg"]


@pytest.mark.parametrize(
    "wrong", [{"rt": {**ASYNCH, "nu": ["with blanks"]}}, {"gstn": 0}, {"more": {"rids": "no list"}}, {"more": {"msu": ""}}, {"drt": 3}, {"ec": 7}]
)
def test_parameters_that_cannot_be_kept_are_refused_at_once(wrong: dict[str, Any]) -> None:
    assert world().retrieve(POWER, ME, **{"rt": SYNCH, **wrong}).rsc == RSC.BAD_REQUEST


def test_a_primitive_profile_is_no_part_of_what_is_kept() -> None:
    cse = world()
    assert "ppi" not in seen(cse, accepted(cse, SYNCH, more={"ppi": "p"}), ME)["mi"]


def test_a_fault_of_the_cse_is_a_result_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody would ever be told otherwise; nothing of what was begun remains, and whoever runs it is given the fault to log."""
    def stumble(change: Change, record: Record) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("tests.drive.TYPES", [replace(kind, on_created=stumble) if kind.ty == 4 else kind for kind in TYPES])
    cse = world()
    uri = made(cse, ASYNCH, oet=LATER)
    with pytest.raises(ZeroDivisionError):
        cse.pass_time(60)
    cse.commit()
    request = seen(cse, uri, ME)
    assert (request["rs"], request["ors"]["rsc"]) == (2, RSC.INTERNAL_SERVER_ERROR)
    assert [notice.target for notice in cse.taken()] == [ME]
    assert contents(cse) == []
    assert cse.cse.deferred == 0


@pytest.mark.parametrize(("rt", "targets"), [(ASYNCH, [ME]), ({**ASYNCH, "nu": ["http://a/x", OTHER]}, ["http://a/x", OTHER]), ({**ASYNCH, "nu": []}, [])])
def test_the_result_is_sent_to_whom_the_request_names(rt: dict[str, Any], targets: list[str]) -> None:
    """The originator without notification targets, nobody with an empty list (TS-0004 6.3.5.30)."""
    cse = world()
    assert seen(cse, made(cse, rt), ME)["rs"] == 1
    told = list(cse.taken())
    assert [notice.target for notice in told] == targets
    for notice in told:
        result = notice.content["m2m:rsp"]
        assert (result["rsc"], result["rqi"], result["pc"]["m2m:cin"]["con"]) == (2001, "mine", "7")


def test_acknowledgements() -> None:
    cse = world()
    for rt, rsc in ((SYNCH, 1001), (ASYNCH, 1002), (NONE, 1000)):
        answer = cse.create(POWER, 4, CIN, ME, rt=rt)
        assert (answer.rsc, answer.rqi is not None, answer.rvi) == (rsc, True, "4")
        assert (answer.pc is None) == (rsc == 1000)
    assert contents(cse) == ["7"] * 3


def test_no_response_tells_neither_success_nor_failure() -> None:
    cse = world()
    assert cse.retrieve("cse-in/nowhere", ME, rt=NONE).rsc == RSC.ACCEPTED
    assert cse.create(POWER, 4, CIN, ME, rt=NONE, oet=LATER).rsc == RSC.ACCEPTED
    assert contents(cse) == []
    cse.pass_time(60)
    assert contents(cse) == ["7"]
    assert list(cse.taken()) == []
    assert cse.retrieve("cse-in", fc={"fu": 1, "ty": [17]}).pc == {"m2m:uril": []}


def test_only_the_originator_sees_its_request() -> None:
    cse = world()
    uri = made(cse, SYNCH)
    assert cse.retrieve(uri, OTHER).rsc == RSC.ORIGINATOR_HAS_NO_PRIVILEGE
    assert cse.delete(uri, OTHER).rsc == RSC.ORIGINATOR_HAS_NO_PRIVILEGE
    assert cse.retrieve("cse-in", OTHER, fc={"fu": 1, "ty": [17]}).pc == {"m2m:uril": []}
    assert cse.delete(uri, ME).rsc == RSC.DELETED


def test_an_ae_that_registers_this_way_sees_its_request() -> None:
    cse = world()
    body = {"m2m:ae": {"api": "Nmeter", "rr": False, "srv": ["4"]}}
    uri = accepted(cse, SYNCH, Operation.CREATE, "cse-in", "C", ty=2, pc=body)
    stem = seen(cse, uri)["ors"]["pc"]["m2m:ae"]["aei"]
    assert seen(cse, uri, stem)["rs"] == 1


def test_what_only_the_cse_may_do() -> None:
    cse = world()
    uri = made(cse, SYNCH)
    assert cse.create("cse-in", 17, {"m2m:req": {}}).rsc == RSC.OPERATION_NOT_ALLOWED
    for name in ("rs", "ors", "op", "et", "lbl"):
        assert name in cse.update(uri, {"m2m:req": {name: 1}}, ME).pc["m2m:dbg"]


def test_a_pending_request_can_be_recalled() -> None:
    cse = world()
    uri = made(cse, SYNCH, oet=LATER)
    assert cse.delete(uri, ME).rsc == RSC.DELETED
    cse.pass_time(61)
    assert contents(cse) == []


def test_a_forwarded_request_cannot_be_recalled() -> None:
    cse = world(routes=("/id-mn http://mn",))
    statuses: list[int] = []

    def answer(call: Call) -> Response:
        (uri,) = cse.retrieve("cse-in", fc={"fu": 1, "ty": [17]}).pc["m2m:uril"]
        statuses.append(seen(cse, uri, ME)["rs"])
        statuses.append(cse.delete(uri, ME).rsc)
        return Response(RSC.OK, call.request.rqi, {"m2m:cnt": {}})

    cse.answer = answer
    uri = accepted(cse, SYNCH, to="/id-mn/x")
    assert statuses == [4, RSC.UNABLE_TO_RECALL_REQUEST]
    request = seen(cse, uri, ME)
    assert (request["rs"], request["ors"]["rsc"], request["ors"]["rqi"]) == (1, 2000, "mine")
    assert cse.asked[-1].request.rt is None, "the next CSE is asked for its result"
    assert cse.delete(uri, ME).rsc == RSC.DELETED


@pytest.mark.parametrize("rt", [SYNCH, ASYNCH])
def test_a_request_about_a_request_is_served_blocking_only(rt: dict[str, Any]) -> None:
    cse = world()
    uri = made(cse, SYNCH)
    for op in (Operation.RETRIEVE, Operation.UPDATE, Operation.DELETE):
        assert cse.request(Request(op, uri, ME, "q", "4", rt=rt, pc={"m2m:req": {}} if op == Operation.UPDATE else None)).rsc == RSC.BAD_REQUEST
    assert of(cse.retrieve(uri, ME, rt=FLEX))["rs"] == 1


@pytest.mark.parametrize("rtv", [0, 6, 99])
def test_there_is_no_such_response_type(rtv: int) -> None:
    answer = world().retrieve(POWER, ME, rt={"rtv": rtv})
    assert answer.rsc == RSC.BAD_REQUEST
    assert str(rtv) in answer.pc["m2m:dbg"]


@pytest.mark.parametrize("rtv", [1, 3, 5])
def test_notification_targets_go_with_asynchronous_and_flexible_requests(rtv: int) -> None:
    assert world().retrieve(POWER, ME, rt={"rtv": rtv, "nu": [ME]}).rsc == RSC.BAD_REQUEST


def test_flexible_requests_block_while_there_is_little_to_do() -> None:
    cse = world()
    assert cse.retrieve(POWER, ME, rt=FLEX).rsc == RSC.OK
    cse.cse.busy = lambda: True
    assert cse.retrieve(POWER, ME, rt=FLEX).rsc == RSC.ACCEPTED_FOR_NONBLOCKINGREQUESTSYNCH
    assert cse.retrieve(POWER, ME, rt={**FLEX, "nu": [ME]}).rsc == RSC.ACCEPTED_FOR_NONBLOCKINGREQUESTASYNCH


def test_flexible_requests_for_others_do_not_block() -> None:
    cse = world(routes=("/id-mn http://mn",))
    of(cse.create(AE, 9, {"m2m:grp": {"rn": "all", "mnm": 9, "mid": [POWER]}}, ME))
    of(cse.create(AE, 15, {"m2m:pch": {}}, ME))
    for to, op, pc in (("/id-mn/x", Operation.RETRIEVE, None), (f"{AE}/all/fopt", Operation.RETRIEVE, None), (AE, Operation.NOTIFY, {"m2m:sgn": {}})):
        assert cse.request(Request(op, to, ME, "q", "4", rt=FLEX, pc=pc)).rsc == RSC.ACCEPTED_FOR_NONBLOCKINGREQUESTSYNCH


def test_the_life_of_a_request_and_its_result() -> None:
    """rset, else rp after the execution, else as this CSE keeps results (TS-0004 7.4.12)."""
    cse = world(result_lifetime=100.0)
    now = cse.seconds
    kept: list[tuple[dict[str, Any], int]] = [
        ({"rset": 5000}, 5),
        ({"rp": 7000}, 7),
        ({"oet": LATER, "rp": 7000}, 67),
        ({}, 100),
        ({"rqet": 50_000}, 150),
        ({"rp": timestamp(now + 9)}, 9),
    ]
    for more, seconds in kept:
        assert seen(cse, made(cse, SYNCH, **more), ME)["et"] == timestamp(now + seconds), more
    uri = made(cse, SYNCH, rset=5000)
    cse.pass_time(5)
    assert cse.retrieve(uri, ME).rsc == RSC.NOT_FOUND


def test_a_result_that_has_expired_is_not_sent_any_more() -> None:
    """It waits for its target no longer than rset (procedures 1.8); without one it outlives the <request>."""
    cse = world(result_lifetime=3.0)
    made(cse, ASYNCH, rqi="short", rset=5000)
    made(cse, ASYNCH, rqi="kept")
    made(cse, ASYNCH, rqi="long", rset=9000)
    for seconds, told in ((0, ["short", "kept", "long"]), (5, ["kept", "long"]), (5, ["kept"])):
        cse.pass_time(seconds)
        assert [notice.content["m2m:rsp"]["rqi"] for notice in cse.cse.reader.notices()] == told


def test_a_request_that_expires_before_its_time_is_not_carried_out() -> None:
    cse = world()
    uri = made(cse, ASYNCH, rqet=30_000, rset=90_000, oet=LATER)
    cse.pass_time(60)
    assert contents(cse) == []
    assert seen(cse, uri, ME)["ors"]["rsc"] == RSC.REQUEST_TIMEOUT
    assert [notice.content["m2m:rsp"]["rsc"] for notice in cse.taken()] == [RSC.REQUEST_TIMEOUT]


def test_bad_times_are_refused_before_the_acknowledgement() -> None:
    cse = world()
    for more in ({"rp": "soon"}, {"oet": "20260231T000000"}, {"rqet": 6000, "rset": 5000}):
        answer = cse.create(POWER, 4, CIN, ME, rt=SYNCH, **more)
        assert answer.rsc == RSC.BAD_REQUEST
        assert next(iter(more)) in answer.pc["m2m:dbg"] or "rset" in answer.pc["m2m:dbg"]


def test_a_blocking_request_waits_for_its_time_as_long_as_it_lives() -> None:
    cse = world()
    answer = cse.create(POWER, 4, CIN, ME, oet=LATER)
    assert answer.rsc == RSC.REQUEST_TIMEOUT, "without rqet it lives for the time of this CSE"
    assert contents(cse) == []
    assert of(cse.create(POWER, 4, CIN, ME, oet=-LATER))["con"] == "7", "a time that has passed is now"


def test_a_restart_takes_up_what_was_accepted() -> None:
    cse = world()
    later = made(cse, ASYNCH, oet=LATER)
    again = Driven(settings=cse.settings, store=cse.store, seconds=cse.seconds)
    for work in again.cse.resumed():
        again.begin(work)
    assert seen(again, later, ME)["rs"] == 3
    again.pass_time(60)
    assert contents(again) == ["7"]
    assert [notice.target for notice in again.taken()] == [ME]
    assert again.cse.resumed() == []


@pytest.mark.parametrize(("op", "outcome"), [(Operation.RETRIEVE, (1, 2000)), (Operation.CREATE, (2, RSC.TARGET_NOT_REACHABLE))])
def test_a_restart_repeats_of_what_was_forwarded_only_what_changes_nothing(op: Operation, outcome: tuple[int, int]) -> None:
    cse = world(routes=("/id-mn http://mn",))
    creating = op == Operation.CREATE
    steps = cse.cse.handle(Request(op, "/id-mn/x", ME, "mine", "4", rt=SYNCH, ty=4 if creating else None, pc=CIN if creating else None))
    next(steps)
    with pytest.raises(StopIteration) as end:
        next(steps)
    cse.notices.clear()
    (work,) = cse.cse.begun()
    cse.commit()
    on_its_way = work()
    next(on_its_way)  # the turn in which it is noted as forwarded
    next(on_its_way)  # the question to the next CSE; here the process ends
    cse.commit()
    again = Driven(settings=cse.settings, store=cse.store, seconds=cse.seconds, answer=answering(RSC.OK, pc={"m2m:cnt": {}}))
    for work in again.cse.resumed():
        again.begin(work)
    request = seen(again, end.value.value.pc["m2m:uri"], ME)
    assert (request["rs"], request["ors"]["rsc"]) == outcome


def test_too_many_at_the_same_time_are_refused() -> None:
    cse = world(deferred_requests=2)
    for _ in range(2):
        made(cse, SYNCH, oet=LATER)
    answer = cse.create(POWER, 4, CIN, ME, rt=SYNCH)
    assert answer.rsc == RSC.INTERNAL_SERVER_ERROR
    cse.pass_time(60)
    made(cse, SYNCH)


def test_every_parameter_is_kept_for_the_execution() -> None:
    cse = world()
    for number in range(3):
        put(cse, str(number), lbl=["odd"] if number % 2 else ["even"])
    uri = accepted(cse, SYNCH, rcn=4, fc={"lbl": ["odd"], "atr": {"cs": ["1"]}, "lim": 1}, drt=2)
    request = seen(cse, uri, ME)
    assert request["mi"]["fc"] == {"lbl": ["odd"], "atr": [{"nm": "cs", "val": "1"}], "lim": 1}
    assert [found["con"] for found in request["ors"]["pc"]["m2m:cnt"]["m2m:cin"]] == ["1"]


def test_conditions_of_policies_hold_for_whom_it_was() -> None:
    """The source address that a policy asks for is that of the request as it came."""
    cse = world()
    acp = policy(cse, "acp", rule(OTHER, 1, acco=[{"acip": {"ipv4": ["10.0.0.0/8"]}}]))
    of(cse.update(POWER, {"m2m:cnt": {"acpi": [acp]}}, ME))
    for address, rsc in (("10.1.2.3", 2001), ("192.168.0.1", 4103)):
        uri = made(cse, SYNCH, fr=OTHER, peer=Peer(address=address), oet=LATER)
        cse.pass_time(60)
        assert seen(cse, uri, OTHER)["ors"]["rsc"] == rsc


def test_subscribers_of_a_request_hear_of_its_result() -> None:
    cse = world()
    uri = made(cse, SYNCH, oet=LATER)
    of(cse.create(uri, 23, {"m2m:sub": {"nu": ["http://a/x"], "enc": {"net": [1]}}}, ME))
    cse.pass_time(60)
    told = [notice.content["m2m:sgn"]["nev"]["rep"]["m2m:req"]["rs"] for notice in cse.taken() if "nev" in notice.content["m2m:sgn"]]
    assert told == [1]


def test_what_was_accepted_is_carried_out_though_the_cse_is_closed_by_then() -> None:
    """The schedule of the CSEBase says when others reach it; this work is its own (TS-0001 9.6.9)."""
    cse = world()
    uri = made(cse, ASYNCH, oet=LATER)
    of(cse.create("cse-in", 18, {"m2m:sch": {"se": {"sce": ["* * * * * * 1999"]}}}))
    cse.pass_time(60)
    assert cse.retrieve(POWER, ME).rsc == RSC.TARGET_NOT_REACHABLE
    assert seen(cse, uri)["rs"] == 1
    assert [notice.target for notice in cse.taken()] == [ME]
