"""Updates that need somebody's consent (TS-0004 7.5.1.2.19; procedures 7.5)."""

from typing import Any

import pytest

from cse.codes import Operation
from cse.codes import ResponseStatusCode as RSC
from cse.primitives import Call, Hold, Request, Response, Steps, Turn
from tests.core.test_notification import sub, told
from tests.core.tree import ME, OTHER, POWER, answering, of, put, register, seen, world
from tests.drive import Driven


@pytest.fixture
def cse() -> Driven:
    """A container whose mni is changed with the consent of Cguard only."""
    cse = world()
    register(cse, "Cguard", rn="guard", poa=["http://guard"])
    sub(cse, nu=["Cguard"], enc={"net": [7], "atr": ["mni", "lbl"]})
    cse.asked.clear()
    return cse


def change(cse: Driven, fr: str = ME, **attributes: Any) -> RSC:
    return cse.update(POWER, {"m2m:cnt": attributes}, fr).rsc


def test_the_guard_is_asked_with_the_changes(cse: Driven) -> None:
    of(cse.update(POWER, {"m2m:cnt": {"lbl": ["a"]}}, ME))
    cse.asked.clear()
    before = seen(cse, POWER)

    def look(call: Call) -> Response:
        assert seen(cse, POWER) == before  # nothing has changed yet
        return Response(RSC.OK, call.request.rqi)

    cse.answer = look
    assert change(cse, mni=3, mbs=9, lbl=None) == RSC.UPDATED
    (call,) = cse.asked
    (subscription,) = cse.store.subscriptions(before["ri"])
    assert (call.request.op, call.request.to, call.request.fr, call.urls) == (Operation.NOTIFY, "Cguard", "/id-in", ("http://guard",))
    assert call.request.pc == {"m2m:sgn": {"nev": {"rep": {"m2m:cnt": {"mni": 3, "mbs": 9, "lbl": None}}, "net": 7}, "sur": f"/id-in/{subscription.ri}"}}
    after = seen(cse, POWER)
    assert (after["mni"], after["mbs"], after["st"]) == (3, 9, before["st"] + 1)
    assert "lbl" not in after
    assert told(cse) == []  # the guard was asked, not notified


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (RSC.OK, RSC.UPDATED),
        (RSC.TARGET_NOT_REACHABLE, RSC.REMOTE_ENTITY_NOT_REACHABLE),
        (RSC.REQUEST_TIMEOUT, RSC.REMOTE_ENTITY_NOT_REACHABLE),
        (RSC.ORIGINATOR_HAS_NO_PRIVILEGE, RSC.OPERATION_DENIED_BY_REMOTE_ENTITY),
        (RSC.BAD_REQUEST, RSC.OPERATION_DENIED_BY_REMOTE_ENTITY),
        (RSC.INTERNAL_SERVER_ERROR, RSC.OPERATION_DENIED_BY_REMOTE_ENTITY),
    ],
)
def test_what_the_guard_says_counts(cse: Driven, code: RSC, expected: RSC) -> None:
    before = seen(cse, POWER)
    cse.answer = answering(code)
    assert change(cse, mni=3) == expected
    assert (seen(cse, POWER) == before) == (expected != RSC.UPDATED)


def test_a_guard_without_point_of_access(cse: Driven) -> None:
    of(cse.update("cse-in/guard", {"m2m:ae": {"poa": None}}, "Cguard"))
    assert change(cse, mni=3) == RSC.REMOTE_ENTITY_NOT_REACHABLE
    assert cse.asked == []


def test_other_attributes_are_free(cse: Driven) -> None:
    cse.answer = answering(RSC.BAD_REQUEST)
    assert change(cse, mbs=9) == RSC.UPDATED
    assert cse.asked == []


def test_without_named_attributes_all_are_blocked() -> None:
    cse = world()
    sub(cse, enc={"net": [7]})
    assert change(cse, mbs=9) == RSC.REMOTE_ENTITY_NOT_REACHABLE


@pytest.mark.parametrize(
    ("fr", "attributes", "code"),
    [(OTHER, {"mni": 3}, RSC.ORIGINATOR_HAS_NO_PRIVILEGE), (ME, {"mni": -3}, RSC.BAD_REQUEST), (ME, {"mni": 3, "cni": 3}, RSC.BAD_REQUEST)],
    ids=str,
)
def test_an_update_that_fails_anyway_does_not_bother_the_guard(cse: Driven, fr: str, attributes: dict[str, Any], code: RSC) -> None:
    assert change(cse, fr, **attributes) == code
    assert cse.asked == []


SWITCH = {"rn": "it", "cnd": "org.onem2m.common.moduleclass.binarySwitch", "state": True, "fcied": True}
REBOOT = {"rn": "it", "mgd": 1009, "rbo": False, "far": False}


@pytest.mark.parametrize(
    ("parent", "ty", "root", "attributes", "wrong", "right"),
    [
        ("cse-in/meter", 28, "cod:binSh", SWITCH, {"mni": 0}, {"mni": 2}),
        ("cse-in/meter", 28, "cod:binSh", SWITCH, {"fcied": None, "mni": 2}, {"fcied": None}),
        ("cse-in/node", 13, "m2m:rbo", REBOOT, {"rbo": True, "far": True}, {"rbo": True}),
    ],
)
def test_what_a_type_refuses_does_not_bother_the_guard(
    cse: Driven, parent: str, ty: int, root: str, attributes: dict[str, Any], wrong: dict[str, Any], right: dict[str, Any]
) -> None:
    of(cse.create("cse-in", 14, {"m2m:nod": {"rn": "node", "ni": "n"}}))
    of(cse.create(parent, ty, {root: attributes}))
    of(cse.create(f"{parent}/it", 23, {"m2m:sub": {"nu": ["Cguard"], "enc": {"net": [7]}}}))
    cse.asked.clear()
    assert cse.update(f"{parent}/it", {root: wrong}).rsc == RSC.BAD_REQUEST
    assert cse.asked == []
    assert cse.update(f"{parent}/it", {root: right}).rsc == RSC.UPDATED
    assert len(cse.asked) == 1


def test_children_and_retrieval_are_free(cse: Driven) -> None:
    cse.answer = answering(RSC.BAD_REQUEST)
    put(cse)
    of(cse.retrieve(POWER, ME))
    assert cse.delete(f"{POWER}/la", ME).ok
    assert cse.asked == []


def test_what_happened_meanwhile_counts(cse: Driven) -> None:
    """After the question everything is read again."""

    def vanish(call: Call) -> Response:
        cse.answer = answering(RSC.OK)
        with cse.store.transaction() as transaction:
            transaction.delete(seen(cse, POWER)["ri"])
        cse.commit()
        return Response(RSC.OK, call.request.rqi)

    cse.answer = vanish
    assert change(cse, mni=3) == RSC.NOT_FOUND


def test_a_consented_update_is_told_to_others(cse: Driven) -> None:
    sub(cse, enc={"net": [1]})
    assert change(cse, mni=3) == RSC.UPDATED
    (found,) = told(cse)
    assert (found["nev"]["net"], found["nev"]["rep"]["m2m:cnt"]["mni"]) == (1, 3)


# Others wait


def steps(cse: Driven, operation: Operation, pc: Any = None) -> Steps:
    return cse.cse.handle(Request(operation, POWER, ME, "held", "4", pc=pc))


@pytest.mark.parametrize(
    ("operation", "pc"),
    [(Operation.UPDATE, {"m2m:cnt": {"mni": 4}}), (Operation.UPDATE, {"m2m:cnt": {"mbs": 4}}), (Operation.DELETE, None)],
    ids=str,
)
def test_updates_and_deletes_of_the_resource_are_held(cse: Driven, operation: Operation, pc: Any) -> None:
    """Procedures 7.5: the later ones wait until the first has ended."""
    assert next(steps(cse, operation, pc)) == Hold(seen(cse, POWER)["ri"])


def test_nothing_else_is_held(cse: Driven) -> None:
    creation = cse.cse.handle(Request(Operation.CREATE, POWER, ME, "free", "4", ty=4, pc={"m2m:cin": {"con": "x"}}))
    assert not isinstance(next(creation), Hold)
    other = cse.cse.handle(Request(Operation.UPDATE, "cse-in/meter", ME, "free", "4", pc={"m2m:ae": {"apn": "x"}}))
    assert not isinstance(next(other), Hold)


def test_a_held_update_is_judged_by_what_it_finds(cse: Driven) -> None:
    """The subscription went while it was held: nobody is asked."""
    waiting = steps(cse, Operation.UPDATE, {"m2m:cnt": {"mni": 4}})
    next(waiting)
    (subscription,) = cse.store.subscriptions(seen(cse, POWER)["ri"])
    assert cse.delete(subscription.ri, ME).ok
    assert next(waiting) is Turn.WRITE
    with pytest.raises(StopIteration) as ended:
        waiting.send(())
    assert ended.value.value.rsc == RSC.UPDATED
