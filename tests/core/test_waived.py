"""Checks that a listener waives for those it serves: App-IDs, and targets that do not answer their verification."""

from typing import Any

import pytest

from cse.codes import Operation
from cse.codes import ResponseStatusCode as RSC
from cse.primitives import Ask, Peer, Request, Response, Waivable
from tests.core.tree import ME, POWER, answering, of, put, world
from tests.drive import Driven

URL = "http://sink.example/"


class Waiving:
    """A listener's peer that waives everything, and what it was asked."""

    def __init__(self, *checks: Waivable) -> None:
        self.asked: list[Waivable] = []
        self._checks = checks
        self.peer = Peer(waives=self._waives)

    def _waives(self, check: Waivable) -> bool:
        self.asked.append(check)
        return check in self._checks


LENIENT = Waiving(*Waivable).peer


@pytest.fixture
def cse() -> Driven:
    return world()


def register(cse: Driven, peer: Peer, api: str) -> Response:
    return cse.create("cse-in", 2, {"m2m:ae": {"rn": "new", "api": api, "rr": False, "srv": ["4"]}}, "Cnew", peer=peer)


def subscribe(cse: Driven, peer: Peer, **attributes: Any) -> Response:
    return cse.create(POWER, 23, {"m2m:sub": {"rn": "sub", "nu": [URL], "enc": {"net": [3]}, **attributes}}, ME, peer=peer)


def test_an_app_id_of_any_form(cse: Driven) -> None:
    waiving = Waiving(Waivable.APP_ID)
    assert of(register(cse, waiving.peer, "thermometer"))["api"] == "thermometer"
    assert waiving.asked == [Waivable.APP_ID]


def test_a_check_that_holds_is_not_asked_for(cse: Driven) -> None:
    waiving = Waiving(*Waivable)
    of(register(cse, waiving.peer, "Nthermometer"))
    of(subscribe(cse, waiving.peer))
    assert waiving.asked == []


def test_each_check_is_waived_by_itself(cse: Driven) -> None:
    assert register(cse, Waiving(Waivable.VERIFICATION).peer, "thermometer").rsc == RSC.BAD_REQUEST
    cse.answer = answering(RSC.TARGET_NOT_REACHABLE)
    assert subscribe(cse, Waiving(Waivable.APP_ID).peer).rsc == RSC.SUBSCRIPTION_VERIFICATION_INITIATION_FAILED
    assert subscribe(cse, Peer()).rsc == RSC.SUBSCRIPTION_VERIFICATION_INITIATION_FAILED


def test_the_app_ids_that_may_register_stay_those_of_the_settings() -> None:
    cse = world(allowed_app_ids=("N*",))
    assert register(cse, Waiving(*Waivable).peer, "thermometer").rsc == RSC.APP_RULE_VALIDATION_FAILED


@pytest.mark.parametrize("code", [RSC.TARGET_NOT_REACHABLE, RSC.REQUEST_TIMEOUT, RSC.BAD_REQUEST, RSC.INTERNAL_SERVER_ERROR, RSC.NOT_FOUND])
def test_a_target_that_does_not_answer_its_verification_is_notified_all_the_same(cse: Driven, code: RSC) -> None:
    cse.answer = answering(code)
    waiving = Waiving(Waivable.VERIFICATION)
    of(subscribe(cse, waiving.peer))
    assert [call.request.to for call in cse.asked] == [URL], "it was asked"
    assert waiving.asked == [Waivable.VERIFICATION]
    put(cse)
    assert [notice.target for notice in cse.taken()] == [URL]


@pytest.mark.parametrize("code", [RSC.SUBSCRIPTION_CREATOR_HAS_NO_PRIVILEGE, RSC.SUBSCRIPTION_HOST_HAS_NO_PRIVILEGE, RSC.ORIGINATOR_HAS_NO_PRIVILEGE])
def test_a_target_that_refuses_is_respected(cse: Driven, code: RSC) -> None:
    """TS-0004 7.5.1.2.1: 4101 and 5205 are how a receiver says that it does not want to be told."""
    cse.answer = answering(code)
    waiving = Waiving(*Waivable)
    assert subscribe(cse, waiving.peer).rsc == RSC.SUBSCRIPTION_VERIFICATION_INITIATION_FAILED
    assert waiving.asked == []
    assert cse.retrieve(f"{POWER}/sub").rsc == RSC.NOT_FOUND


def test_a_target_that_nobody_can_ask_is_waived_too_and_the_others_are_asked(cse: Driven) -> None:
    """Cother has no point of access."""
    waiving = Waiving(Waivable.VERIFICATION)
    assert of(subscribe(cse, waiving.peer, nu=["Cother", URL]))["nu"] == ["Cother", URL]
    assert [call.request.to for call in cse.asked] == [URL]
    assert waiving.asked == [Waivable.VERIFICATION]
    assert subscribe(cse, Peer(), rn="other", nu=["Cother", URL]).rsc == RSC.SUBSCRIPTION_VERIFICATION_INITIATION_FAILED


@pytest.mark.parametrize(("peer", "rqet", "seconds"), [(Peer(), None, 10.0), (LENIENT, None, 2.0), (LENIENT, 500, 0.5), (Peer(), 500, 0.5)])
def test_who_need_not_answer_is_not_waited_for_long(cse: Driven, peer: Peer, rqet: int | None, seconds: float) -> None:
    """Its server may serve one request at a time, and be waiting for the answer to this one."""
    content = {"m2m:sub": {"nu": [URL]}}
    steps = cse.cse.handle(Request(Operation.CREATE, POWER, ME, "1", "4", 23, content, rqet=rqet, peer=peer))
    asked = next(effect for effect in steps if isinstance(effect, Ask))
    steps.close()
    assert asked.seconds == pytest.approx(seconds)


def test_new_targets_of_an_update_are_waived_in_the_same_way(cse: Driven) -> None:
    of(subscribe(cse, Peer()))
    cse.answer = answering(RSC.TARGET_NOT_REACHABLE)
    content = {"m2m:sub": {"nu": [URL, "http://other.example/"]}}
    assert cse.update(f"{POWER}/sub", content, ME).rsc == RSC.SUBSCRIPTION_VERIFICATION_INITIATION_FAILED
    assert cse.update(f"{POWER}/sub", content, ME, peer=Waiving(Waivable.VERIFICATION).peer).rsc == RSC.UPDATED
