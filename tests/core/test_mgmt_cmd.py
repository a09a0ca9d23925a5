"""Management commands and their executions (TS-0001 9.6.16, 9.6.17; TS-0004 7.4.16, 7.4.17; procedures 13.1)."""

from typing import Any

import pytest

from cse.codes import ResponseStatusCode as RSC
from tests.core.test_mgmt_obj import NODE, add, change, managed
from tests.core.tree import AE, of, policy, rule, seen
from tests.drive import Driven

INITIATED, PENDING, FINISHED, CANCELLING, CANCELLED, NON_CANCELLABLE = range(1, 7)
SUCCESS, DENIED, INTERNAL_ERROR, NOT_FINISHED = 0, 2, 4, 31
REBOOT, UPLOAD, INSTALL = 2, 3, 5
ARGUMENTS: dict[int, dict[str, Any]] = {
    1: {"rst": [{}]},
    2: {"rbo": [{"any": [{"nm": "delay", "val": 5}]}]},
    3: {"uld": [{"ftyp": "log", "url": "http://files/log", "unm": "me", "pwd": "x"}]},
    4: {"dld": [{
        "ftyp": "1", "url": "http://files/1.0", "unm": "me", "pwd": "x", "fsi": 1000, "tgf": "image", "dss": 1, "surl": "http://done",
        "stt": "20260101T000000", "cpt": "20260101T010000",
    }]},
    5: {"swin": [{"url": "http://files/app", "uuid": "u1", "unm": "me", "pwd": "x", "eer": "main"}]},
    6: {"swun": [{"uuid": "u1", "vr": "1.0", "eer": "main"}]},
    7: {"swup": [{"uuid": "u1", "vr": "1.0", "url": "http://files/app", "unm": "me", "pwd": "x", "eer": "main"}]},
}  # fmt: skip
"""Complete arguments of each command."""


def command(cse: Driven, cmt: int = REBOOT, ext: str = NODE, **attributes: Any) -> str:
    """Create a mgmtCmd and give its address."""
    of(cse.create("cse-in", 12, {"m2m:mgc": {"rn": "command", "cmt": cmt, "ext": ext, "exra": ARGUMENTS[cmt], **attributes}}))
    return "cse-in/command"


def execute(cse: Driven, path: str = "cse-in/command") -> list[dict[str, Any]]:
    """Set execEnable, and give the instances."""
    assert of(cse.update(path, {"m2m:mgc": {"exe": True}}))["exe"] is True
    return instances(cse)


def instances(cse: Driven, path: str = "cse-in/command") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = of(cse.retrieve(path, rcn=8)).get("m2m:exin", [])
    return found


def states(cse: Driven) -> list[tuple[int, int]]:
    return [(each["exs"], each["exr"]) for each in instances(cse)]


def cancel(cse: Driven, ri: str) -> RSC:
    return cse.update(ri, {"m2m:exin": {"exd": True}}).rsc


# --- the command ----------------------------------------------------------------------------------------------------------------------------------------------


def test_a_command_has_its_defaults() -> None:
    cse = managed()
    made = seen(cse, command(cse))
    assert made.items() >= {"ty": 12, "cmt": REBOOT, "ext": NODE, "exe": False, "exm": 1, "exy": "PT0S", "exn": 1}.items()
    assert instances(cse) == []


def test_a_command_is_below_the_csebase_only() -> None:
    assert managed().create(AE, 12, {"m2m:mgc": {"cmt": 2, "ext": NODE}}).rsc == RSC.INVALID_CHILD_RESOURCE_TYPE


@pytest.mark.parametrize("cmt", ARGUMENTS)
def test_each_command_takes_its_arguments(cmt: int) -> None:
    cse = managed()
    assert seen(cse, command(cse, cmt))["exra"] == ARGUMENTS[cmt]


@pytest.mark.parametrize("cmt", [0, 8, -1, 99])
def test_a_command_that_there_is_not(cmt: int) -> None:
    refused = managed().create("cse-in", 12, {"m2m:mgc": {"cmt": cmt, "ext": NODE}})
    assert refused.rsc == RSC.INVALID_CMDTYPE
    assert "cmt" in refused.pc["m2m:dbg"]


@pytest.mark.parametrize("attributes", [{"cmt": "2"}, {"exra": "rbo"}, {"exm": 5}, {"exf": "soon"}, {"exn": -1}, {"exe": 1}, {"dc": "x" * 257}, {"ext": ""}])
def test_content_that_does_not_fit_the_type(attributes: dict[str, Any]) -> None:
    refused = managed().create("cse-in", 12, {"m2m:mgc": {"cmt": 2, "ext": NODE, **attributes}})
    assert refused.rsc == RSC.BAD_REQUEST
    assert next(iter(attributes)) in refused.pc["m2m:dbg"]


WRONG: list[tuple[int, Any]] = [
    (2, {"rst": [{}]}),
    (2, {"rbo": [{}], "rst": [{}]}),
    (2, {"nothing": 1}),
    (2, {"rbo": {}}),
    (2, {"rbo": [{}, {}]}),
    (2, {"rbo": [{"any": [{"nm": "x"}]}]}),
    (3, {"uld": [{**ARGUMENTS[3]["uld"][0], "url": "no url"}]}),
    (3, {"uld": [{**ARGUMENTS[3]["uld"][0], "fsi": 1}]}),
]
FEW: list[tuple[int, Any]] = [
    *((cmt, {name: [{key: value for key, value in element.items() if key != missing}]})
      for cmt, given in ARGUMENTS.items() if cmt > 2 for name, (element,) in given.items() for missing in element),
    (3, {}),
    (3, {"uld": []}),
]  # fmt: skip


@pytest.mark.parametrize(("cmt", "given", "code"), [(*each, RSC.INVALID_ARGUMENTS) for each in WRONG] + [(*each, RSC.INSUFFICIENT_ARGUMENTS) for each in FEW])
def test_arguments_that_do_not_fit_the_command(cmt: int, given: Any, code: RSC) -> None:
    """Wrong ones 6023, too few 6024, in a CREATE and in an UPDATE."""
    cse = managed()
    refused = cse.create("cse-in", 12, {"m2m:mgc": {"rn": "command", "cmt": cmt, "ext": NODE, "exra": given}})
    assert refused.rsc == code
    assert "exra" in refused.pc["m2m:dbg"]
    assert cse.retrieve("cse-in/command").rsc == RSC.NOT_FOUND
    path = command(cse, cmt)
    assert cse.update(path, {"m2m:mgc": {"exra": given}}).rsc == code
    assert seen(cse, path)["exra"] == ARGUMENTS[cmt]


def test_a_command_that_needs_arguments_is_not_started_without() -> None:
    cse = managed()
    of(cse.create("cse-in", 12, {"m2m:mgc": {"rn": "command", "cmt": UPLOAD, "ext": NODE}}))
    assert cse.update("cse-in/command", {"m2m:mgc": {"exe": True}}).rsc == RSC.INSUFFICIENT_ARGUMENTS
    assert instances(cse) == []
    assert seen(cse, "cse-in/command")["exe"] is False
    of(cse.update("cse-in/command", {"m2m:mgc": {"exe": True, "exra": ARGUMENTS[UPLOAD]}}))
    assert len(instances(cse)) == 1


def test_the_kind_of_a_command_is_fixed() -> None:
    cse = managed()
    assert cse.update(command(cse), {"m2m:mgc": {"cmt": 1}}).rsc == RSC.BAD_REQUEST


# --- execution ------------------------------------------------------------------------------------------------------------------------------------------------


def test_setting_exec_enable_makes_an_instance() -> None:
    cse = managed()
    path = command(cse, exf="PT1H", exn=3)
    of(cse.create(path, 23, {"m2m:sub": {"nu": ["http://device:80"], "enc": {"net": [3]}}}))
    (made,) = execute(cse)
    assert made.items() >= {"ty": 8, "ext": NODE, "exs": PENDING, "exr": NOT_FINISHED, "exm": 1, "exf": "PT1H", "exy": "PT0S", "exn": 3}.items()
    assert made["exra"] == ARGUMENTS[REBOOT]
    (notice,) = cse.taken()
    assert notice.content["m2m:sgn"]["nev"]["rep"]["m2m:exin"]["exs"] == INITIATED


def test_false_starts_nothing() -> None:
    cse = managed()
    of(cse.update(command(cse), {"m2m:mgc": {"exe": False, "dc": "not yet"}}))
    assert instances(cse) == []


def test_each_start_makes_an_instance() -> None:
    cse = managed()
    command(cse)
    execute(cse)
    assert len(execute(cse)) == 2


def test_a_group_of_nodes_has_an_instance_for_each() -> None:
    cse = managed()
    of(cse.create("cse-in", 14, {"m2m:nod": {"rn": "second", "ni": "urn:dev:second"}}))
    of(cse.create("cse-in", 9, {"m2m:grp": {"rn": "all", "mt": 14, "mnm": 5, "mid": [NODE, "cse-in/second"]}}))
    add(cse, 1009, to=NODE)
    add(cse, 1009, to="cse-in/second")
    command(cse, ext="cse-in/all")
    assert [each["ext"] for each in execute(cse)] == [NODE, "cse-in/second"]
    assert [seen(cse, f"{each}/object")["rbo"] for each in (NODE, "cse-in/second")] == [True, True]
    change(cse, 1009, rbo=False)
    assert states(cse) == [(FINISHED, SUCCESS), (PENDING, NOT_FINISHED)]


@pytest.mark.parametrize("ext", [NODE, "/id-in/cse-in/gateway", "urn:dev:gateway"])
def test_a_target_is_named_by_address_or_node_id(ext: str) -> None:
    cse = managed()
    add(cse, 1009)
    command(cse, ext=ext)
    (made,) = execute(cse)
    assert made["ext"] == ext
    assert seen(cse, f"{NODE}/object")["rbo"] is True


def test_a_target_without_management_objects_stays_pending() -> None:
    cse = managed()
    command(cse, ext="urn:dev:elsewhere")
    execute(cse)
    assert states(cse) == [(PENDING, NOT_FINISHED)]


@pytest.mark.parametrize(
    ("cmt", "mgd", "trigger", "outcome"),
    [
        (1, 1009, "far", {"far": False}),
        (2, 1009, "rbo", {"rbo": False}),
        (4, 1001, "ud", {"uds": {"sus": 1}}),
        (5, 1002, "in", {"ins": {"sus": 1}}),
        (6, 1002, "un", {"ins": {"sus": 1}}),
        (7, 1002, "in", {"ins": {"sus": 1}}),
    ],
)
def test_a_command_drives_the_management_object_of_its_target(cmt: int, mgd: int, trigger: str, outcome: dict[str, Any]) -> None:
    cse = managed()
    add(cse, mgd)
    of(cse.create(f"{NODE}/object", 23, {"m2m:sub": {"nu": ["http://device:80"], "enc": {"net": [1], "atr": [trigger]}}}))
    command(cse, cmt)
    execute(cse)
    assert seen(cse, f"{NODE}/object")[trigger] is True
    assert len(list(cse.taken())) == 1
    assert states(cse) == [(PENDING, NOT_FINISHED)]
    change(cse, mgd, **outcome)
    assert states(cse) == [(FINISHED, SUCCESS)]
    assert seen(cse, f"{NODE}/object")[trigger] is False


def test_a_device_that_fails_is_the_result() -> None:
    cse = managed()
    add(cse, 1002)
    command(cse, INSTALL)
    execute(cse)
    change(cse, 1002, ins={"acn": "install", "sus": 3})
    assert states(cse) == [(PENDING, NOT_FINISHED)]
    change(cse, 1002, ins={"acn": "install", "sus": 2})
    assert states(cse) == [(FINISHED, INTERNAL_ERROR)]


def test_arguments_tell_which_of_several_objects_is_meant() -> None:
    cse = managed()
    add(cse, 1002, "another", url="http://files/another")
    add(cse, 1002, "app")
    command(cse, INSTALL)
    execute(cse)
    assert [seen(cse, f"{NODE}/{name}")["in"] for name in ("another", "app")] == [False, True]


def test_who_takes_the_trigger_back_denies_the_command() -> None:
    cse = managed()
    add(cse, 1002)
    command(cse, INSTALL)
    execute(cse)
    change(cse, 1002, un=True)
    assert states(cse) == [(FINISHED, DENIED)]


def test_a_management_object_that_is_gone_ends_the_command() -> None:
    cse = managed()
    add(cse, 1002)
    command(cse, INSTALL)
    execute(cse)
    assert cse.delete(NODE).rsc == RSC.DELETED
    assert states(cse) == [(FINISHED, INTERNAL_ERROR)]


@pytest.mark.parametrize("attributes", [{"ext": "cse-in/other"}, {"ext": NODE}, {"exm": 2}, {"exm": None}])
def test_target_and_mode_stay_as_long_as_there_are_instances(attributes: dict[str, Any]) -> None:
    cse = managed()
    path = command(cse)
    of(cse.update(path, {"m2m:mgc": attributes}))
    (made,) = execute(cse)
    assert cse.update(path, {"m2m:mgc": attributes}).rsc == RSC.OPERATION_NOT_ALLOWED
    assert cse.delete(made["ri"]).rsc == RSC.DELETED
    of(cse.update(path, {"m2m:mgc": attributes}))


# --- modes: exm 1 immediate once, 2 immediate repeat, 3 random once, 4 random repeat --------------------------------------------------------------------------


def test_an_execution_waits_for_its_delay() -> None:
    cse = managed()
    add(cse, 1009)
    command(cse, exy="PT10M")
    execute(cse)
    assert states(cse) == [(INITIATED, NOT_FINISHED)]
    cse.pass_time(599)
    assert seen(cse, f"{NODE}/object")["rbo"] is False
    cse.pass_time(1)
    assert states(cse) == [(PENDING, NOT_FINISHED)]
    assert seen(cse, f"{NODE}/object")["rbo"] is True


def test_a_delay_outlives_a_restart() -> None:
    cse = managed()
    add(cse, 1009)
    command(cse, exy="PT10M")
    execute(cse)
    again = Driven(settings=cse.settings, store=cse.store, seconds=cse.seconds)
    again.pass_time(600)
    assert states(again) == [(PENDING, NOT_FINISHED)]


@pytest.mark.parametrize("mode", [2, 4])
def test_a_repeating_mode_executes_as_often_as_asked_for(mode: int) -> None:
    cse = managed()
    add(cse, 1009)
    command(cse, exm=mode, exn=3, exf="PT1H")
    execute(cse)
    for _ in range(2):
        assert states(cse) == [(PENDING, NOT_FINISHED)]
        change(cse, 1009, rbo=False)
        assert states(cse) == [(INITIATED, NOT_FINISHED)]
        cse.pass_time(3599)
        assert seen(cse, f"{NODE}/object")["rbo"] is False
        cse.pass_time(1)
        assert seen(cse, f"{NODE}/object")["rbo"] is True
    change(cse, 1009, rbo=False)
    assert states(cse) == [(FINISHED, SUCCESS)]
    cse.pass_time(7200)
    assert seen(cse, f"{NODE}/object")["rbo"] is False


@pytest.mark.parametrize("mode", [1, 3])
def test_other_modes_execute_once(mode: int) -> None:
    cse = managed()
    add(cse, 1009)
    command(cse, exm=mode, exn=3, exf="PT1H")
    execute(cse)
    change(cse, 1009, rbo=False)
    assert states(cse) == [(FINISHED, SUCCESS)]


def test_a_random_mode_spreads_the_executions_over_the_delay() -> None:
    cse = managed()
    command(cse, ext="urn:dev:elsewhere", exm=3, exy="PT1H")
    for _ in range(20):
        execute(cse)
    assert {exs for exs, _ in states(cse)} == {INITIATED}
    cse.pass_time(1800)
    assert {exs for exs, _ in states(cse)} == {INITIATED, PENDING}
    cse.pass_time(1800)
    assert {exs for exs, _ in states(cse)} == {PENDING}


# --- cancelling: exd true; nothing pending 6028, not cancellable 6029 -----------------------------------------------------------------------------------------


def test_instances_are_made_by_the_cse_only() -> None:
    cse = managed()
    assert cse.create(command(cse), 8, {"m2m:exin": {}}).rsc == RSC.OPERATION_NOT_ALLOWED
    (made,) = execute(cse)
    for name, value in (("exs", 3), ("exr", 0), ("ext", "x"), ("exra", {})):
        assert cse.update(made["ri"], {"m2m:exin": {name: value}}).rsc == RSC.BAD_REQUEST
    assert of(cse.update(made["ri"], {"m2m:exin": {"lbl": ["mine"], "exd": False}}))["exs"] == PENDING


@pytest.mark.parametrize("delay", ["PT0S", "PT1H"])
def test_what_has_not_reached_a_device_is_cancelled_at_once(delay: str) -> None:
    cse = managed()
    command(cse, exy=delay)
    (made,) = execute(cse)
    assert of(cse.update(made["ri"], {"m2m:exin": {"exd": True}})).items() >= {"exd": True, "exs": CANCELLED}.items()
    assert cancel(cse, made["ri"]) == RSC.ALREADY_COMPLETE
    cse.pass_time(7200)
    assert states(cse) == [(CANCELLED, NOT_FINISHED)]


def test_what_has_ended_cannot_be_cancelled() -> None:
    cse = managed()
    add(cse, 1009)
    command(cse)
    (made,) = execute(cse)
    change(cse, 1009, rbo=False)
    assert cancel(cse, made["ri"]) == RSC.ALREADY_COMPLETE
    assert states(cse) == [(FINISHED, SUCCESS)]
    assert "exd" not in seen(cse, made["ri"])


def test_cancelling_takes_the_trigger_back() -> None:
    cse = managed()
    add(cse, 1009)
    command(cse)
    (made,) = execute(cse)
    assert cancel(cse, made["ri"]) == RSC.UPDATED
    assert seen(cse, f"{NODE}/object")["rbo"] is False
    assert states(cse) == [(CANCELLED, NOT_FINISHED)]


@pytest.mark.parametrize(
    ("status", "expected"),
    [(0, (CANCELLED, NOT_FINISHED)), (2, (CANCELLED, NOT_FINISHED)), (1, (FINISHED, SUCCESS)), (3, (NON_CANCELLABLE, NOT_FINISHED))],
)
def test_where_the_device_tells_outcomes_it_tells_that_of_a_cancellation(status: int, expected: tuple[int, int]) -> None:
    cse = managed()
    add(cse, 1002)
    command(cse, INSTALL)
    (made,) = execute(cse)
    for _ in range(2):
        assert cancel(cse, made["ri"]) == RSC.UPDATED
        assert states(cse) == [(CANCELLING, NOT_FINISHED)]
        assert seen(cse, f"{NODE}/object")["in"] is False
    change(cse, 1002, ins={"acn": "install", "sus": status})
    assert states(cse) == [expected]


def test_what_the_device_goes_on_with_is_not_cancellable() -> None:
    cse = managed()
    add(cse, 1002)
    path = command(cse, INSTALL)
    (made,) = execute(cse)
    cancel(cse, made["ri"])
    change(cse, 1002, ins={"acn": "install", "sus": 3})
    for refused in (cancel(cse, made["ri"]), cse.delete(made["ri"]).rsc, cse.delete(path).rsc):
        assert refused == RSC.MGMT_COMMAND_NOT_CANCELLABLE
    assert states(cse) == [(NON_CANCELLABLE, NOT_FINISHED)]
    change(cse, 1002, ins={"acn": "install", "sus": 1})
    assert states(cse) == [(FINISHED, SUCCESS)]
    assert cse.delete(path).rsc == RSC.DELETED


@pytest.mark.parametrize("whole", [True, False])
def test_deleting_cancels_what_is_pending(whole: bool) -> None:
    cse = managed()
    add(cse, 1009)
    path = command(cse)
    (made,) = execute(cse)
    assert cse.delete(path if whole else made["ri"]).rsc == RSC.DELETED
    assert seen(cse, f"{NODE}/object")["rbo"] is False


def test_an_expired_command_takes_everything_along() -> None:
    cse = managed()
    add(cse, 1002)
    command(cse, INSTALL, et="20250701T000000")
    (made,) = execute(cse)
    cancel(cse, made["ri"])
    change(cse, 1002, ins={"acn": "install", "sus": 3})
    cse.pass_time(60 * 86400)
    assert cse.retrieve("cse-in/command").rsc == RSC.NOT_FOUND
    assert cse.retrieve(made["ri"]).rsc == RSC.NOT_FOUND


def test_two_commands_for_one_object_end_together_and_are_cancelled_apart() -> None:
    cse = managed()
    add(cse, 1009)
    command(cse)
    execute(cse)
    first, second = execute(cse)
    assert cancel(cse, first["ri"]) == RSC.UPDATED
    assert seen(cse, f"{NODE}/object")["rbo"] is True
    change(cse, 1009, rbo=False)
    assert states(cse) == [(CANCELLED, NOT_FINISHED), (FINISHED, SUCCESS)]
    assert first["ri"] != second["ri"]


@pytest.mark.parametrize("delay", ["PT0S", "PT1H"])
@pytest.mark.parametrize(("restriction", "allowed"), [({}, True), ({"aca": ["rbo", "far"]}, True), ({"aca": ["dc"]}, False), (None, False)])
def test_a_command_does_what_its_originator_may_do(delay: str, restriction: dict[str, Any] | None, allowed: bool) -> None:
    """Who may write the command, but not the management object, gets nothing done by it (TS-0004 7.3.3.15)."""
    cse = managed()
    rules = [rule("CAdmin", 63)] if restriction is None else [rule("CAdmin", 63), rule("Cmeter", 4, **restriction)]
    add(cse, 1009, acpi=[policy(cse, "device", *rules)])
    command(cse, exy=delay, acpi=[policy(cse, "commands", rule("Cmeter", 6))])
    of(cse.update("cse-in/command", {"m2m:mgc": {"exe": True}}, "Cmeter"))
    cse.pass_time(3600)
    assert states(cse) == [(PENDING, NOT_FINISHED) if allowed else (FINISHED, DENIED)]
    assert seen(cse, f"{NODE}/object")["rbo"] is allowed


def test_starting_and_cancelling_need_the_update_privilege() -> None:
    cse = managed()
    acp = policy(cse, "readers", rule("Cmeter", 2))
    command(cse, acpi=[acp])
    assert cse.update("cse-in/command", {"m2m:mgc": {"exe": True}}, "Cmeter").rsc == RSC.ORIGINATOR_HAS_NO_PRIVILEGE
    assert instances(cse) == []
