"""What is checked before an operation, where a request goes, and NOTIFY (procedures 1.1, 1.6, 1.7, 1.8, 2; TS-0004 7.3.2)."""

from typing import Any

import pytest

from cse.codes import Operation
from cse.codes import ResponseStatusCode as RSC
from cse.datatypes import timestamp
from cse.primitives import Request
from tests.core.tree import AE, ME, OTHER, POWER, answering, of, put, register, world
from tests.drive import Driven

CREATE, RETRIEVE, UPDATE, DELETE, NOTIFY = Operation
CNT: dict[str, Any] = {"m2m:cnt": {}}
NOTE = {"m2m:sgn": {"vrq": True}}
FORMS = ("{0}", "/id-in/{0}", "//acme.example.com/id-in/{0}")
"""CSE-relative, SP-relative, absolute."""


def send(cse: Driven, op: Operation = RETRIEVE, to: str = POWER, fr: str | None = ME, rqi: str | None = "q", rvi: str | None = "4", **more: Any) -> RSC:
    response = cse.request(Request(op, to, fr, rqi, rvi, **more))
    assert response.rqi == rqi
    return response.rsc


def at(cse: Driven, seconds: float) -> str:
    return timestamp(cse.seconds + seconds)


# --- 1.1: parameters ---------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rsc", "wrong"),
    [
        (RSC.BAD_REQUEST, {"rqi": None}),
        (RSC.BAD_REQUEST, {"rqi": ""}),
        (RSC.BAD_REQUEST, {"to": ""}),
        (RSC.BAD_REQUEST, {"to": "cse-in//meter"}),
        (RSC.BAD_REQUEST, {"to": "cse-in/me ter"}),
        (RSC.BAD_REQUEST, {"to": "//acme.example.com"}),
        (RSC.BAD_REQUEST, {"fr": None}),
        (RSC.BAD_REQUEST, {"fr": ""}),
        (RSC.BAD_REQUEST, {"fr": "C with blanks"}),
        (RSC.BAD_REQUEST, {"fr": None, "op": CREATE, "ty": 3, "pc": CNT, "to": AE}),
        (RSC.BAD_REQUEST, {"op": CREATE, "pc": CNT, "to": AE}),
        (RSC.BAD_REQUEST, {"ty": 3}),
        (RSC.BAD_REQUEST, {"ty": 3, "op": UPDATE, "pc": CNT}),
        (RSC.BAD_REQUEST, {"ty": 3, "op": DELETE}),
        (RSC.BAD_REQUEST, {"ty": 3, "op": NOTIFY, "pc": NOTE, "to": AE}),
        (RSC.BAD_REQUEST, {"fc": {"lbl": ["a"]}, "op": CREATE, "ty": 3, "pc": CNT, "to": AE}),
        (RSC.BAD_REQUEST, {"fc": {"nonsense": 1}}),
        (RSC.BAD_REQUEST, {"fc": {"ty": ["3"]}}),
        (RSC.BAD_REQUEST, {"fc": {"fu": 1}, "op": UPDATE, "pc": CNT}),
        (RSC.BAD_REQUEST, {"drt": 3}),
        (RSC.BAD_REQUEST, {"rt": {"rtv": 9}}),
        (RSC.BAD_REQUEST, {"ot": "yesterday"}),
        (RSC.BAD_REQUEST, {"ot": "1000"}),
        (RSC.BAD_REQUEST, {"ec": 0}),
        (RSC.BAD_REQUEST, {"ec": 5}),
        (RSC.BAD_REQUEST, {"ec": 1000}),
        (RSC.BAD_REQUEST, {"op": DELETE, "pc": CNT}),
        (RSC.BAD_REQUEST, {"op": UPDATE}),
        (RSC.BAD_REQUEST, {"op": NOTIFY, "to": AE}),
        (RSC.BAD_REQUEST, {"op": NOTIFY, "to": "cse-in"}),
        *((RSC.BAD_REQUEST, {"op": NOTIFY, "to": AE, "pc": NOTE, **more}) for more in ({"rp": 1000}, {"grtm": (POWER,)}, {"gstn": 1}, {"sqi": True})),
        (RSC.BAD_REQUEST, {"op": NOTIFY, "to": AE, "pc": NOTE, "more": {"asi": True}}),
        (RSC.BAD_REQUEST, {"op": UPDATE, "pc": CNT, "sqi": False}),
        (RSC.NOT_IMPLEMENTED, {"sqi": True}),
        (RSC.NOT_IMPLEMENTED, {"sqi": True, "rcn": 10}),
        (RSC.NOT_FOUND, {"sqi": True, "to": "/id-mn/x"}),
        (RSC.RELEASE_VERSION_NOT_SUPPORTED, {"rvi": None}),
        (RSC.RELEASE_VERSION_NOT_SUPPORTED, {"rvi": "1"}),
        (RSC.RELEASE_VERSION_NOT_SUPPORTED, {"rvi": "99"}),
        (RSC.OK, {"ot": "20260101T000000,5", "ec": 4, "sqi": False}),
        (RSC.OK, {"ec": 100}),
        (RSC.OK, {"ec": 999}),
        (RSC.OK, {"rt": {"rtv": 3}}),
        (RSC.OK, {"rt": {"rtv": 4}}),
        (RSC.OK, {"rvi": "2a"}),
        (RSC.OK, {"rvi": "5"}),
    ],
)
def test_parameters_of_a_request(rsc: RSC, wrong: dict[str, Any]) -> None:
    assert send(world(), **wrong) == rsc


@pytest.mark.parametrize(
    ("rsc", "wrong"),
    [
        # each fails at two steps; the earlier one tells
        (RSC.REQUEST_TIMEOUT, {"rqet": "20200101T000000", "to": "cse-in/nowhere"}),
        (RSC.BAD_REQUEST, {"rcn": 2, "to": "cse-in/nowhere"}),
        (RSC.NOT_FOUND, {"to": "cse-in/nowhere", "fr": OTHER}),
        # not as in the text, where conditions come before the privilege: the difference would tell attributes to who may not read them
        (RSC.ORIGINATOR_HAS_NO_PRIVILEGE, {"fc": {"lbl": ["none"]}, "fr": OTHER}),
        (RSC.NOT_FOUND, {"op": UPDATE, "fc": {"lbl": ["none"]}, "pc": {"m2m:cnt": {"cni": 1}}}),
        (RSC.ORIGINATOR_HAS_NO_PRIVILEGE, {"op": CREATE, "ty": 3, "pc": {"m2m:cnt": {"mni": "5"}}, "fr": OTHER}),
        (RSC.ORIGINATOR_HAS_NO_PRIVILEGE, {"op": UPDATE, "pc": {"m2m:cnt": {"cni": 1}}, "fr": OTHER}),
        (RSC.NOT_FOUND, {"op": CREATE, "ty": 29, "pc": {"m2m:ts": {}}, "to": "cse-in/nowhere"}),
        (RSC.INVALID_CHILD_RESOURCE_TYPE, {"op": CREATE, "ty": 4, "pc": {"m2m:cin": {}}, "to": AE}),
    ],
)
def test_the_first_check_that_fails_gives_the_answer(rsc: RSC, wrong: dict[str, Any]) -> None:
    assert send(world(), **wrong) == rsc


@pytest.mark.parametrize("wrong", [{"fr": None}, {"rvi": "1"}, {"to": "cse-in/nowhere"}, {"rcn": 2}, {"fc": {"nonsense": 1}}, {"ty": 3}])
def test_errors_say_which_parameter_is_wrong_and_keep_release_and_identifier(wrong: dict[str, Any]) -> None:
    response = world().request(Request(**{"op": RETRIEVE, "to": POWER, "fr": ME, "rqi": "q7", "rvi": "4", **wrong}))
    assert (response.rqi, response.rvi) == ("q7", wrong.get("rvi", "4"))
    (name,) = {"fr": ["(fr)"], "rvi": ["'1'"], "to": ["cse-in/nowhere"], "rcn": ["rcn 2"], "fc": ["nonsense"], "ty": ["(ty)"]}[next(iter(wrong))]
    assert name in response.pc["m2m:dbg"]


def test_success_carries_identifier_and_release() -> None:
    response = world().retrieve(POWER, ME)
    assert (response.rsc, response.rvi) == (RSC.OK, "4")
    assert response.rqi


# --- 1.6: result content -----------------------------------------------------------------------------------------------------------------------------------

ALLOWED = {
    CREATE: {0, 1, 2, 3, 9},
    RETRIEVE: {1, 4, 5, 6, 8, 12},
    UPDATE: {0, 1, 9},
    DELETE: {0, 1, 4, 5, 6, 8},
    NOTIFY: {0, 1},
}


@pytest.mark.parametrize("rcn", range(14))
@pytest.mark.parametrize("op", Operation)
def test_result_content_that_an_operation_allows(op: Operation, rcn: int) -> None:
    cse = world()
    of(cse.update(AE, {"m2m:ae": {"poa": ["http://meter:80"]}}, ME))
    content = {CREATE: CNT, UPDATE: CNT, NOTIFY: NOTE}.get(op)
    to = AE if op == NOTIFY else POWER
    rsc = send(cse, op, to, ME, ty=3 if op == CREATE else None, pc=content, rcn=rcn)
    assert (rsc < 3000) == (rcn in ALLOWED[op])
    assert rsc < 3000 or rsc == RSC.BAD_REQUEST


@pytest.mark.parametrize("rcn", range(13))
def test_result_content_of_discovery(rcn: int) -> None:
    assert send(world(), to=AE, fc={"fu": 1}, rcn=rcn) == (RSC.OK if rcn in (6, 11) else RSC.BAD_REQUEST)


# --- 1.7: NOTIFY -------------------------------------------------------------------------------------------------------------------------------------------


def test_a_notify_to_an_ae_goes_to_its_points_of_access_in_order_and_its_answer_comes_back() -> None:
    cse = world()
    of(cse.update(AE, {"m2m:ae": {"poa": ["coap://meter:5683", "http://meter:80"], "rr": True}}, ME))
    cse.answer = answering(RSC.OK, pc={"m2m:sgn": {"vrq": True}})
    response = cse.request(Request(NOTIFY, AE, ME, "q", "4", pc=NOTE))
    (call,) = cse.asked
    assert call.urls == ("coap://meter:5683", "http://meter:80")
    assert (call.request.op, call.request.to, call.request.pc) == (NOTIFY, ME, NOTE)
    assert (response.rsc, response.rqi, response.pc) == (RSC.OK, "q", {"m2m:sgn": {"vrq": True}})


def test_the_refusal_of_an_ae_is_passed_back() -> None:
    cse = world()
    of(cse.update(AE, {"m2m:ae": {"poa": ["http://meter:80"]}}, ME))
    cse.answer = answering(RSC.SUBSCRIPTION_HOST_HAS_NO_PRIVILEGE)
    assert send(cse, NOTIFY, AE, ME, pc=NOTE) == RSC.SUBSCRIPTION_HOST_HAS_NO_PRIVILEGE


@pytest.mark.parametrize("to", ["/Sdash", "Sdash", "cse-in/dash", "/id-in/Sdash"])
def test_an_ae_with_an_s_stem_is_also_reached_by_its_sp_relative_identifier(to: str) -> None:
    cse = world()
    of(register(cse, "Sdash", rn="dash", poa=["http://dash:80"]))
    assert send(cse, NOTIFY, to, "Sdash", pc=NOTE) == RSC.OK
    assert cse.asked[0].urls == ("http://dash:80",)


@pytest.mark.parametrize(
    ("rsc", "to", "fr", "content"),
    [
        (RSC.TARGET_NOT_REACHABLE, AE, ME, NOTE),
        (RSC.ORIGINATOR_HAS_NO_PRIVILEGE, AE, OTHER, NOTE),
        (RSC.BAD_REQUEST, AE, ME, None),
        (RSC.BAD_REQUEST, AE, ME, {}),
        (RSC.BAD_REQUEST, AE, ME, {**NOTE, "m2m:agn": {}}),
        (RSC.OPERATION_NOT_ALLOWED, POWER, ME, NOTE),
        (RSC.OPERATION_NOT_ALLOWED, f"{POWER}/la", ME, NOTE),
        (RSC.OPERATION_NOT_ALLOWED, f"{POWER}/sub", ME, NOTE),
        (RSC.NOT_FOUND, "cse-in/nowhere", ME, NOTE),
        (RSC.OK, "cse-in", "CAdmin", NOTE),
        (RSC.ORIGINATOR_HAS_NO_PRIVILEGE, "cse-in", OTHER, NOTE),
    ],
)
def test_notify_to_other_targets(rsc: RSC, to: str, fr: str, content: Any) -> None:
    cse = world()
    of(cse.create(POWER, 23, {"m2m:sub": {"rn": "sub", "nu": ["http://sink:80"]}}, ME))
    assert send(cse, NOTIFY, to, fr, pc=content) == rsc


def test_an_ae_that_does_not_answer_is_not_reachable() -> None:
    cse = world()
    of(cse.update(AE, {"m2m:ae": {"poa": ["http://meter:80"]}}, ME))
    cse.answer = answering(RSC.TARGET_NOT_REACHABLE)
    assert send(cse, NOTIFY, AE, ME, pc=NOTE) == RSC.TARGET_NOT_REACHABLE


# --- 1.8: time ---------------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rsc", "times"),
    [
        (RSC.OK, {"rqet": 1}),
        (RSC.OK, {"rqet": 5000, "rset": 5000}),
        (RSC.OK, {"rqet": 5.0}),
        (RSC.OK, {"rqet": 5.0, "rset": 6000}),
        (RSC.REQUEST_TIMEOUT, {"rqet": 0}),
        (RSC.REQUEST_TIMEOUT, {"rqet": -1}),
        (RSC.REQUEST_TIMEOUT, {"rqet": -5.0}),
        (RSC.REQUEST_TIMEOUT, {"rset": -1000}),
        (RSC.REQUEST_TIMEOUT, {"rset": -1.0}),
        (RSC.BAD_REQUEST, {"rqet": 6000, "rset": 5000}),
        (RSC.BAD_REQUEST, {"rqet": "tomorrow"}),
        (RSC.BAD_REQUEST, {"rset": "20260231T000000"}),
        (RSC.BAD_REQUEST, {"oet": "soon"}),
        (RSC.OK, {"oet": -1000}),
        (RSC.OK, {"oet": -1.0}),
        (RSC.REQUEST_TIMEOUT, {"oet": 60_000}),
        (RSC.REQUEST_TIMEOUT, {"oet": 60.0}),
    ],
)
def test_times_of_a_request(rsc: RSC, times: dict[str, Any]) -> None:
    """Whole numbers are relative milliseconds; the fractions here become timestamps that many seconds from now."""
    cse = world()
    given: dict[str, Any] = {name: at(cse, value) if isinstance(value, float) else value for name, value in times.items()}
    assert send(cse, **given) == rsc


def test_a_request_that_came_too_late_changes_nothing() -> None:
    cse = world()
    assert send(cse, DELETE, rqet=0) == RSC.REQUEST_TIMEOUT
    assert send(cse) == RSC.OK


# --- 2: addressing -----------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("relative", ["cse-in/meter/power", "-/meter/power", "{1}", "Cmeter/power"])
def test_every_form_of_an_address_finds_the_resource(form: str, relative: str) -> None:
    """Structured, with a dash, unstructured, hybrid: each CSE-relative, SP-relative and absolute (TS-0001 7.2)."""
    cse = world()
    ri = cse.retrieve(POWER, ME).pc["m2m:cnt"]["ri"]
    assert of(cse.retrieve(form.format(relative).replace("{1}", ri), ME))["ri"] == ri


@pytest.mark.parametrize(
    "to", ["cse-in", "-", "id-in", "/id-in", "/id-in/-", "/id-in/cse-in", "/id-in/id-in", "//acme.example.com/id-in", "//acme.example.com/id-in/-"]
)
def test_every_form_of_the_cse_base(to: str) -> None:
    assert of(world().retrieve(to, ME))["csi"] == "/id-in"


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("relative", [f"{POWER}/la", "-/meter/power/ol", "Cmeter/power/la", "{1}/la", "{1}/ol"])
def test_virtual_resources_in_every_form(form: str, relative: str) -> None:
    cse = world()
    put(cse, "21.5")
    ri = cse.retrieve(POWER, ME).pc["m2m:cnt"]["ri"]
    assert of(cse.retrieve(form.format(relative).replace("{1}", ri), ME))["con"] == "21.5"


@pytest.mark.parametrize(
    "to",
    ["nowhere", "cse-in/nowhere", "cse-in/meter/power/nowhere", "meter", "cse-in/la", "cse-in/meter/la", "power/la", f"{POWER}/la/more", "cse-in/cse-in",
     "/id-in/nowhere", "/id-other/cse-in", "//other.example/id-in/cse-in", f"{POWER}/la", f"{POWER}/fopt", "Cse-In/meter", "-/-/meter"],
)  # fmt: skip
@pytest.mark.parametrize("op", [RETRIEVE, DELETE])
def test_what_an_address_does_not_find_is_missing(to: str, op: Operation) -> None:
    assert send(world(), op, to, "CAdmin") == RSC.NOT_FOUND


@pytest.mark.parametrize("op", [CREATE, UPDATE, DELETE, NOTIFY])
def test_only_a_retrieve_may_name_an_attribute(op: Operation) -> None:
    assert send(world(), op, f"{POWER}#lbl", ME, ty=3 if op == CREATE else None, pc=CNT) == RSC.BAD_REQUEST


@pytest.mark.parametrize("fr", ["Cmeter", "/id-in/Cmeter", "//acme.example.com/id-in/Cmeter"])
def test_an_ae_is_the_same_in_every_form_of_its_identifier(fr: str) -> None:
    assert send(world(), fr=fr) == RSC.OK


@pytest.mark.parametrize("fr", ["/Cmeter", "/id-mn/Cmeter", "//other.example/id-in/Cmeter", "cmeter"])
def test_an_identifier_of_elsewhere_is_somebody_else(fr: str) -> None:
    assert send(world(), fr=fr) == RSC.ORIGINATOR_HAS_NO_PRIVILEGE


# --- 2: transit --------------------------------------------------------------------------------------------------------------------------------------------

ROUTES = ("/id-mn http://gateway:8080", "//other.example/id-in coap://elsewhere:5683")


@pytest.mark.parametrize(
    ("to", "sent_to", "fr", "sent_from", "url"),
    [
        ("/id-mn/cse-mn/ae", "/id-mn/cse-mn/ae", "Cmeter", "/id-in/Cmeter", "http://gateway:8080"),
        ("/id-mn/-/ae", "/id-mn/-/ae", "Sdash", "/Sdash", "http://gateway:8080"),
        ("/id-mn", "/id-mn", "/id-in/Cmeter", "/id-in/Cmeter", "http://gateway:8080"),
        ("/id-mn/cnt1#lbl", "/id-mn/cnt1#lbl", "/id-other", "/id-other", "http://gateway:8080"),
        ("//acme.example.com/id-mn/cnt1", "/id-mn/cnt1", "Cmeter", "/id-in/Cmeter", "http://gateway:8080"),
        ("//other.example/id-in/cnt1", "//other.example/id-in/cnt1", "Cmeter", "//acme.example.com/id-in/Cmeter", "coap://elsewhere:5683"),
        ("//other.example/id-in/cnt1", "//other.example/id-in/cnt1", "Sdash", "//acme.example.com/Sdash", "coap://elsewhere:5683"),
    ],
)
def test_a_transit_request_leaves_with_identifiers_that_hold_outside(to: str, sent_to: str, fr: str, sent_from: str, url: str) -> None:
    """TS-0004 7.3.2.6, 7.3.2.8: the answer comes back under the identifier of the request."""
    cse = world(routes=ROUTES)
    cse.answer = answering(RSC.OK, pc={"m2m:cnt": {"rn": "there"}}, rvi="3")
    response = cse.request(Request(RETRIEVE, to, fr, "q", "4"))
    (call,) = cse.asked
    assert (call.urls, call.request.to, call.request.fr) == ((url,), sent_to, sent_from)
    assert (response.rsc, response.rqi, response.pc) == (RSC.OK, "q", {"m2m:cnt": {"rn": "there"}})


@pytest.mark.parametrize(
    "request_",
    [
        Request(CREATE, "/id-mn/cse-mn", ME, "q", "4", ty=3, pc={"m2m:cnt": {"unknown": 1}}),
        Request(CREATE, "/id-mn/cse-mn", ME, "q", "4", ty=29, pc={"m2m:ts": {}}, rcn=9),
        Request(UPDATE, "/id-mn/x", ME, "q", "4", pc={"m2m:grp": {"mnm": 3}}),
        Request(DELETE, "/id-mn/x", ME, "q", "4", fc={"lbl": ["a"]}),
        Request(NOTIFY, "/id-mn/x", ME, "q", "4", pc=NOTE),
    ],
)
def test_the_host_judges_what_a_transit_request_contains(request_: Request) -> None:
    cse = world(routes=ROUTES)
    assert cse.request(request_).rsc == RSC.OK
    sent = cse.asked[0].request
    assert (sent.op, sent.ty, sent.pc, sent.rcn, sent.fc) == (request_.op, request_.ty, request_.pc, request_.rcn, request_.fc)


@pytest.mark.parametrize("ty", [2, 16])
def test_a_registration_is_no_transit_request(ty: int) -> None:
    cse = world(routes=ROUTES)
    assert send(cse, CREATE, "/id-mn", "C", ty=ty, pc={}) == RSC.BAD_REQUEST
    assert cse.asked == []


@pytest.mark.parametrize(
    ("told", "rsc"),
    [
        (answering(RSC.TARGET_NOT_REACHABLE), RSC.TARGET_NOT_REACHABLE),
        (answering(RSC.REQUEST_TIMEOUT), RSC.REQUEST_TIMEOUT),
        (answering(RSC.ORIGINATOR_HAS_NO_PRIVILEGE, rvi="4"), RSC.ORIGINATOR_HAS_NO_PRIVILEGE),
        (answering(RSC.NOT_FOUND, rvi="4"), RSC.NOT_FOUND),
    ],
)
def test_failures_on_the_way(told: Any, rsc: RSC) -> None:
    cse = world(routes=ROUTES)
    cse.answer = told
    assert send(cse, to="/id-mn/x") == rsc
