"""Requests for other CSEs: the next hop, identifiers that are valid outside, what comes back (TS-0004 7.3.2.6, 7.3.2.8; procedures 2)."""

from typing import Any

import pytest

from cse.codes import Operation
from cse.codes import ResponseStatusCode as RSC
from cse.primitives import Ask, Request, Response
from tests.core.tree import ME, answering, register, world
from tests.drive import Driven


@pytest.fixture
def cse() -> Driven:
    return world(routes=("/id-mn http://mn", "/id-mn coap://mn", "//other.example/id-far http://far"))


@pytest.mark.parametrize(
    ("to", "sent"),
    [
        ("/id-mn/mn/ae", "/id-mn/mn/ae"),
        ("/id-mn", "/id-mn"),
        ("/id-mn/-/ae/la", "/id-mn/-/ae/la"),
        ("//acme.example.com/id-mn/mn/ae", "/id-mn/mn/ae"),
        ("/id-mn/mn/ae#lbl", "/id-mn/mn/ae#lbl"),
        ("//other.example/id-far/x", "//other.example/id-far/x"),
    ],
)
def test_addresses(cse: Driven, to: str, sent: str) -> None:
    assert cse.retrieve(to, ME).rsc == RSC.OK
    (call,) = cse.asked
    assert call.request.to == sent
    assert call.urls == (("http://far",) if "other" in to else ("http://mn", "coap://mn"))


@pytest.mark.parametrize(
    ("fr", "near", "far"),
    [
        (ME, f"/id-in/{ME}", f"//acme.example.com/id-in/{ME}"),
        (f"/id-in/{ME}", f"/id-in/{ME}", f"//acme.example.com/id-in/{ME}"),
        ("Sone", "/Sone", "//acme.example.com/Sone"),
        ("/id-in/Sone", "/Sone", "//acme.example.com/Sone"),
        ("/id-else", "/id-else", "//acme.example.com/id-else"),
    ],
)
def test_originators(cse: Driven, fr: str, near: str, far: str) -> None:
    """Procedures 2: a C stem gets the CSE-ID, an S stem a slash; for another service provider both are absolute."""
    cse.retrieve("/id-mn/x", fr)
    cse.retrieve("//other.example/id-far/x", fr)
    assert [call.request.fr for call in cse.asked] == [near, far]


@pytest.mark.parametrize(
    ("operation", "more"),
    [
        (Operation.CREATE, {"ty": 3, "pc": {"m2m:cnt": {}}}),
        (Operation.RETRIEVE, {"fc": {"fu": 1, "lbl": ["a"]}, "drt": 2}),
        (Operation.UPDATE, {"pc": {"m2m:cnt": {"lbl": None}}, "rcn": 9}),
        (Operation.DELETE, {"rcn": 1}),
        (Operation.NOTIFY, {"pc": {"m2m:sgn": {}}}),
    ],
    ids=lambda value: value.name if isinstance(value, Operation) else "",
)
def test_everything_else_is_handed_on(cse: Driven, operation: Operation, more: dict[str, Any]) -> None:
    request = Request(operation, "/id-mn/x", ME, "mine", "3", gid="g", vsi="v", ec=4, **more)
    cse.answer = answering(RSC.OK, pc={"m2m:any": {"a": 1}}, cnst=1, cnot=5, rvi="3")
    response = cse.request(request)
    assert (response.rqi, response.rsc, response.pc, response.cnst, response.cnot) == ("mine", RSC.OK, {"m2m:any": {"a": 1}}, 1, 5)
    (call,) = cse.asked
    assert call.request.rqi != "mine"
    for name in ("op", "ty", "pc", "fc", "drt", "rcn", "gid", "vsi", "ec", "rvi"):
        assert getattr(call.request, name) == getattr(request, name)


@pytest.mark.parametrize("code", [RSC.NOT_FOUND, RSC.ORIGINATOR_HAS_NO_PRIVILEGE, RSC.CREATED, RSC.INTERNAL_SERVER_ERROR])
def test_what_the_other_cse_says_comes_back_unchanged(cse: Driven, code: RSC) -> None:
    cse.answer = answering(code, rvi="4", pc={"m2m:dbg": "said there"})
    response = cse.retrieve("/id-mn/x", ME)
    assert (response.rsc, response.pc) == (code, {"m2m:dbg": "said there"})


@pytest.mark.parametrize("code", [RSC.TARGET_NOT_REACHABLE, RSC.REQUEST_TIMEOUT])
def test_a_next_hop_that_does_not_answer(cse: Driven, code: RSC) -> None:
    """5103 when it cannot be reached, 4008 when the time is over; the debugging text names it."""
    cse.answer = answering(code)
    response = cse.retrieve("/id-mn/x", ME)
    assert response.rsc == code
    assert "/id-mn" in response.pc["m2m:dbg"]


@pytest.mark.parametrize("to", ["/id-nowhere/x", "//acme.example.com/id-nowhere/x", "//other.example/id-mn/x", "//third.example/id-far/x"])
def test_without_route_there_is_no_such_resource(cse: Driven, to: str) -> None:
    """Procedures 2: IN-CSE without match: 4004."""
    response = cse.retrieve(to, ME)
    assert response.rsc == RSC.NOT_FOUND
    assert cse.asked == []


@pytest.mark.parametrize("ty", [2, 16])
def test_registrations_are_no_transit_requests(cse: Driven, ty: int) -> None:
    response = cse.create("/id-mn", ty, {"m2m:ae": {}}, ME)
    assert response.rsc in (RSC.BAD_REQUEST, RSC.NOT_IMPLEMENTED)
    assert cse.asked == []


def test_an_ae_registration_in_transit_is_a_bad_request(cse: Driven) -> None:
    assert cse.create("/id-mn", 2, {"m2m:ae": {}}, ME).rsc == RSC.BAD_REQUEST


def test_the_time_left_goes_with_the_question(cse: Driven) -> None:
    steps = cse.cse.handle(Request(Operation.RETRIEVE, "/id-mn/x", ME, "q", "4", rqet=3000))
    ask = next(steps)
    assert isinstance(ask, Ask)
    assert 2.5 < ask.seconds <= 3


def test_an_expired_request_is_not_sent(cse: Driven) -> None:
    assert cse.retrieve("/id-mn/x", ME, rqet="20200101T000000").rsc == RSC.REQUEST_TIMEOUT
    assert cse.asked == []


def test_an_s_type_ae_is_not_taken_for_a_cse(cse: Driven) -> None:
    """The AE-ID /Sone has the form of a CSE-ID; registered here it is local."""
    assert cse.retrieve("/Sone", "Sone").rsc == RSC.NOT_FOUND
    assert register(cse, "Sone", rn="one").ok
    assert cse.retrieve("/Sone", "Sone").pc["m2m:ae"]["aei"] == "Sone"
    assert cse.asked == []


@pytest.mark.parametrize("to", ["/id-in/cse-in/meter", "//acme.example.com/id-in/-/meter", f"/id-in/{ME}"])
def test_what_names_this_cse_is_local(cse: Driven, to: str) -> None:
    assert cse.retrieve(to, ME).pc["m2m:ae"]["rn"] == "meter"
    assert cse.asked == []


def test_the_answer_of_the_next_hop_without_release(cse: Driven) -> None:
    """rvi of the answer is that of the other CSE, or of the request."""
    cse.answer = lambda call: Response(RSC.OK, call.request.rqi)
    assert cse.retrieve("/id-mn/x", ME).rvi == "4"
    cse.answer = answering(RSC.OK, rvi="3")
    assert cse.retrieve("/id-mn/x", ME).rvi == "3"
