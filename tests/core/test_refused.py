"""What the core tells of requests whose originator had no privilege, and the policies of the CSEBase."""

from cse.codes import Operation
from cse.codes import ResponseStatusCode as RSC
from cse.config import Settings
from cse.core import CSE
from cse.datatypes import timestamp
from cse.primitives import Request
from tests.core.tree import AE, OTHER, POWER, of, policy, register, rule, seen, world
from tests.drive import TYPES, Driven

BASE = Settings(acp_create_open=True, base_policies=("cse-in/acp-base",))


def _told(driven: Driven) -> list[tuple[str | None, Operation, str]]:
    """Let a core over the same store tell of refusals."""
    told: list[tuple[str | None, Operation, str]] = []
    driven.cse = CSE(
        driven.store,
        TYPES,
        driven.settings,
        lambda: driven.seconds,
        driven.cse.fresh,
        refused=lambda request, path: told.append((request.fr, request.op, path)),
    )
    driven.cse.bootstrap()
    return told


def test_a_refusal_is_told_with_the_path_whatever_form_the_address_had() -> None:
    cse = world()
    ri = seen(cse, POWER)["ri"]
    told = _told(cse)
    for to in (POWER, ri, f"/id-in/{ri}", f"{POWER}/la", f"-/{POWER.removeprefix('cse-in/')}"):
        assert cse.retrieve(to, OTHER).rsc == RSC.ORIGINATOR_HAS_NO_PRIVILEGE
    assert [path for _, _, path in told] == [POWER, POWER, POWER, f"{POWER}/la", POWER]
    assert {(fr, op) for fr, op, _ in told} == {(OTHER, Operation.RETRIEVE)}


def test_a_member_of_a_group_is_told_each_and_a_success_not_at_all() -> None:
    cse = world()
    told = _told(cse)
    of(cse.create("cse-in/other", 9, {"m2m:grp": {"rn": "all", "mid": [AE, "cse-in/other"], "mnm": 2}}, OTHER))
    cse.request(Request(Operation.RETRIEVE, "cse-in/other/all/fopt", OTHER, "r", "4"))
    assert told == [(OTHER, Operation.RETRIEVE, AE)]
    assert cse.retrieve("cse-in/nowhere", OTHER).rsc == RSC.NOT_FOUND
    assert len(told) == 1


def test_policies_of_the_cse_base_come_from_the_settings_and_go_with_them() -> None:
    cse = Driven(settings=BASE)
    register(cse, OTHER, rn="other")
    assert cse.retrieve("cse-in", OTHER).rsc == RSC.ORIGINATOR_HAS_NO_PRIVILEGE
    policy(cse, "acp-base", rule(OTHER, 2 | 1))
    assert of(cse.retrieve("cse-in", OTHER))["acpi"] == ["cse-in/acp-base"]
    of(cse.create("cse-in", 23, {"m2m:sub": {"nu": [f"/id-in/{OTHER}"], "enc": {"net": [3]}}}, OTHER))
    cse.settings = Settings(acp_create_open=True)
    _told(cse)
    assert "acpi" not in seen(cse, "cse-in")
    assert cse.create("cse-in", 3, {"m2m:cnt": {}}, OTHER).rsc == RSC.ORIGINATOR_HAS_NO_PRIVILEGE
    assert cse.retrieve("cse-in", OTHER).ok


def test_they_can_be_given_to_a_store_that_is_there() -> None:
    cse = Driven()
    cse.settings = BASE
    _told(cse)
    assert seen(cse, "cse-in")["acpi"] == ["cse-in/acp-base"]


def test_who_is_refused_is_told_when_and_why() -> None:
    cse = world()
    refused = cse.retrieve(POWER, OTHER)
    assert (refused.rsc, refused.ot) == (RSC.ORIGINATOR_HAS_NO_PRIVILEGE, timestamp(cse.seconds))
    assert OTHER in refused.pc["m2m:dbg"]
    assert cse.retrieve("cse-in/nowhere", OTHER).ot is None
