"""Executions of management commands: execInstances, from their start to their result (TS-0001 9.6.16, 9.6.17; TS-0004 7.4.16, 7.4.17).

A command is carried out through the management objects of its target: the CSE sets the trigger that belongs to it, and what the device tells there is the
result. Where the target has no such object the instance stays PENDING until it is cancelled: it is then for whoever subscribes to the mgmtCmd.
What an instance remembers in its state: ``run``, executions begun; ``due``, seconds since the epoch at which the next begins; ``object`` and ``trigger``, where
it is being carried out. A management object remembers the instances that it carries out: ``instances``.
"""

from collections.abc import Iterator, Mapping
from typing import Any
from zlib import crc32

from msgspec.structs import replace

from cse.codes import AccessControlOperation as Right
from cse.codes import Operation, ResourceTypeID
from cse.datatypes import duration_seconds, timestamp
from cse.errors import AlreadyComplete, MgmtCommandNotCancellable
from cse.management import ARGUMENTS, CmdType, ExecModeType, Status
from cse.management import ExecResultType as Result
from cse.management import ExecStatusType as State
from cse.primitives import Request
from cse.record import Record
from cse.schema import Change
from cse.storage.contract import Query
from resources._machines import Machine
from resources._mgmt_objects import FORMS

_TRIGGERS: Mapping[int, tuple[int, str]] = {
    CmdType.RESET: (1009, "far"),
    CmdType.REBOOT: (1009, "rbo"),
    CmdType.DOWNLOAD: (1001, "ud"),
    CmdType.SOFTWAREINSTALL: (1002, "in"),
    CmdType.SOFTWAREUPDATE: (1002, "in"),
    CmdType.SOFTWAREUNINSTALL: (1002, "un"),
}
"""mgmtDefinition and trigger that carry out each command; an UPLOAD has none."""

_MUST_FIT = ("url", "vr")
"""Arguments that tell which of several objects is meant, by its attribute of the same name."""

_REPEATING = frozenset({ExecModeType.IMMEDIATEREPEAT, ExecModeType.RANDOMREPEAT})
_RANDOM = frozenset({ExecModeType.RANDOMONCE, ExecModeType.RANDOMREPEAT})
_COPIED = ("exm", "exf", "exy", "exn", "exra")
_LIVE = frozenset({State.INITIATED, State.PENDING, State.CANCELLING, State.STATUS_NON_CANCELLABLE})
_INSTANCES = frozenset({int(ResourceTypeID.EXEC_INSTANCE)})
_CHUNK = 256
"""Instances that are begun in one transaction."""


def instances(change: Change, command: Record) -> list[Record]:
    """Give the instances of a mgmtCmd, in the order of their creation."""
    return list(change.transaction.children(command.ri, _INSTANCES))


def start(change: Change, command: Record) -> None:
    """Make one instance for each target of a command, and begin those that need not wait."""
    for target in _targets(change, command.attributes["ext"]):
        ri = change.transaction.identify("exin", command.ri, ResourceTypeID.EXEC_INSTANCE)
        given = command.attributes
        until = min(timestamp(change.seconds + change.host.settings.default_expiration), given["et"])
        attributes = {"ty": int(ResourceTypeID.EXEC_INSTANCE), "ri": ri, "rn": ri, "pi": command.ri, "ct": change.time, "lt": change.time, "et": until}
        attributes |= {"exs": int(State.INITIATED), "exr": int(Result.STATUS_NOT_FINISHED), "ext": target}
        attributes |= {name: given[name] for name in _COPIED if name in given}
        state = {"run": 0, "due": change.seconds + _delay(ri, attributes)}
        record = Record(ResourceTypeID.EXEC_INSTANCE, ri, command.ri, ri, f"{command.path}/{ri}", attributes, change.request.fr or "", state)
        change.insert(record, command)
        _begin_or_wait(change, record)


def cancel(change: Change, instance: Record) -> dict[str, Any]:
    """Cancel an instance (TS-0004 7.4.17): take its trigger back and give its changes.

    Where the device tells outcomes it is CANCELLING until it has told this one. Raises AlreadyComplete, MgmtCommandNotCancellable.
    """
    match instance.attributes["exs"]:
        case State.FINISHED | State.CANCELLED:
            raise AlreadyComplete(f"{instance.path} has ended already")
        case State.STATUS_NON_CANCELLABLE:
            raise MgmtCommandNotCancellable(f"{instance.path} cannot be cancelled: the device goes on with it")
        case State.CANCELLING:
            return {}
    if instance.attributes["exs"] == State.PENDING and _take_back(change, instance):
        return {"exs": int(State.CANCELLING)}
    return {"exs": int(State.CANCELLED)}


def withdraw(change: Change, instance: Record) -> None:
    """Cancel what an instance that is deleted has begun. Raises MgmtCommandNotCancellable for a request that deletes what the device goes on with."""
    refusable = not change.request.peer.internal and not change.host.expired(instance)
    if refusable and instance.attributes["exs"] == State.STATUS_NON_CANCELLABLE:
        raise MgmtCommandNotCancellable(f"{instance.path} cannot be cancelled: the device goes on with it")
    if instance.attributes["exs"] == State.PENDING:
        _take_back(change, instance)


def tell(change: Change, record: Record, changes: Mapping[str, Any]) -> None:
    """Let the instances that a management object carries out follow the changes of its UPDATE."""
    for instance in _carried_out(change, record):
        trigger = instance.state["trigger"]
        machine = _machine(record, trigger)
        told = changes.get(machine.status) if machine.status and machine.progress else None
        status = told.get("sus") if isinstance(told, Mapping) else None
        cancelling = instance.attributes["exs"] == State.CANCELLING
        started = any(changes.get(name) is True for name in machine.triggers)
        reset = bool(record.get(trigger)) and changes.get(trigger, True) in (False, None)
        if status == Status.SUCCESSFUL or (reset and not started and not machine.status):
            _succeed(change, instance)
        elif cancelling and (started or status in (Status.UNINITIALIZED, Status.FAILURE)):
            _end(change, instance, State.CANCELLED)
        elif status == Status.FAILURE:
            _end(change, instance, State.FINISHED, Result.STATUS_INTERNAL_ERROR)
        elif reset:
            _end(change, instance, State.FINISHED, Result.STATUS_REQUEST_DENIED)
        elif cancelling and status == Status.IN_PROCESS:
            _end(change, instance, State.STATUS_NON_CANCELLABLE)


def lose(change: Change, record: Record) -> None:
    """End the instances that a management object, which is gone, has carried out."""
    for instance in _carried_out(change, record):
        cancelling = instance.attributes["exs"] == State.CANCELLING
        _end(change, instance, State.CANCELLED if cancelling else State.FINISHED, None if cancelling else Result.STATUS_INTERNAL_ERROR)


def begin_due(change: Change) -> float | None:
    """Begin the executions whose time has come; give the time in seconds of the next one, None without any."""
    left = _CHUNK
    for instance in change.transaction.waiting(ResourceTypeID.EXEC_INSTANCE, _CHUNK):
        due: float = instance.state["due"]
        if due > change.seconds:
            return due
        if instance.attributes["exs"] == State.INITIATED:
            _begin(change, instance)
        else:
            change.replace(replace(instance, state={name: value for name, value in instance.state.items() if name != "due"}))
        left -= 1
    return None if left else change.seconds


def _targets(change: Change, target: str) -> Iterator[str]:
    """Give the nodes that a command is for: itself, or the members of a group."""
    record = change.host.resolve(change.transaction, target)
    if record is not None and record.ty == ResourceTypeID.GROUP:
        yield from record.attributes["mid"]
    else:
        yield target


def _node(change: Change, target: str) -> Record | None:
    """Give the node of this CSE with an address or an M2M-Node-ID."""
    record = change.host.resolve(change.transaction, target)
    if record is not None and record.ty == ResourceTypeID.NODE:
        return record
    query = Query(change.host.settings.cse_name, depth=1, types=frozenset({int(ResourceTypeID.NODE)}), equals=(("ni", target),))
    return next((node for node in change.transaction.find(query) if node.attributes["ni"] == target), None)


def _object(change: Change, instance: Record, command: Record) -> tuple[Record, str] | None:
    """Give the management object of the target that can carry out a command, and its trigger."""
    node = _node(change, instance.attributes["ext"])
    mgd, trigger = _TRIGGERS.get(command.attributes["cmt"], (None, ""))
    member, _ = ARGUMENTS[CmdType(command.attributes["cmt"])]
    (given, *_) = instance.attributes.get("exra", {}).get(member) or [{}]
    if node is None:
        return None
    for record in change.transaction.children(node.ri, frozenset({int(ResourceTypeID.MGMT_OBJ)})):
        if record.attributes["mgd"] == mgd and all(given[name] == record.attributes[name] for name in _MUST_FIT if name in given and name in record.attributes):
            return record, trigger
    return None


def _delay(ri: str, attributes: Mapping[str, Any]) -> float:
    """Give the seconds until an execution: execDelay, of a random mode a part of it that is different for each instance."""
    delay = duration_seconds(attributes.get("exy", "PT0S"))
    return delay * crc32(ri.encode()) / 2**32 if attributes.get("exm") in _RANDOM else delay


def _begin_or_wait(change: Change, instance: Record) -> None:
    if instance.state["due"] <= change.seconds:
        _begin(change, instance)
    else:
        change.wake(instance.state["due"])


def _begin(change: Change, instance: Record) -> None:
    """Carry a command out at its target once."""
    command = change.transaction.get(instance.pi)
    found = _object(change, instance, command) if command is not None else None
    state: dict[str, Any] = {"run": instance.state["run"] + 1}
    if found is not None:
        record, trigger = found
        if not _may(change, instance, record, trigger):
            _end(change, instance, State.FINISHED, Result.STATUS_REQUEST_DENIED)
            return
        state |= {"object": record.ri, "trigger": trigger}
        changes: dict[str, Any] = {trigger: True}
        _machine(record, trigger).update(record.attributes, changes)
        tell(change, record, changes)
        carried = [other.ri for other in _carried_out(change, record)]
        after = replace(record.with_attributes({**changes, "lt": change.time}), state={**record.state, "instances": [*carried, instance.ri]})
        change.replace(after, modified=changes)
    _amend(change, replace(instance, state=state), {"exs": int(State.PENDING)})


def _may(change: Change, instance: Record, record: Record, trigger: str) -> bool:
    """Tell whether who started an execution may set the trigger itself."""
    request = change.request
    if request.peer.internal:
        request = Request(Operation.UPDATE, record.ri, instance.originator, request.rqi, change.host.settings.release)
    granted = change.host.granted_attributes(change.transaction, request, Right.UPDATE, record)
    return granted is None or trigger in granted


def _succeed(change: Change, instance: Record) -> None:
    """End an execution, or wait for the next one of a repeating mode; an execNumber of 0 repeats until it is cancelled."""
    attributes = instance.attributes
    most = attributes.get("exn", 1)
    again = attributes["exs"] == State.PENDING and attributes.get("exm") in _REPEATING and (not most or instance.state["run"] < most)
    if not again:
        _end(change, instance, State.FINISHED, Result.STATUS_SUCCESS)
        return
    due = change.seconds + duration_seconds(attributes.get("exf", "PT0S"))
    _amend(change, replace(instance, state={"run": instance.state["run"], "due": due}), {"exs": int(State.INITIATED)})
    change.wake(due)


def _end(change: Change, instance: Record, state: State, result: Result | None = None) -> None:
    _amend(change, instance, {"exs": int(state)} if result is None else {"exs": int(state), "exr": int(result)})


def _amend(change: Change, instance: Record, changes: Mapping[str, Any]) -> None:
    change.replace(instance.with_attributes({**changes, "lt": change.time}), modified=changes)


def _machine(record: Record, trigger: str) -> Machine:
    return next(machine for machine in FORMS[record.attributes["mgd"]].machines if trigger in machine.triggers)


def _carried_out(change: Change, record: Record) -> Iterator[Record]:
    """Give the instances that a management object carries out at the moment."""
    for ri in record.state.get("instances", ()):
        instance = change.transaction.get(ri)
        if instance is not None and instance.attributes["exs"] in _LIVE and instance.state.get("object") == record.ri:
            yield instance


def _take_back(change: Change, instance: Record) -> bool:
    """Set the trigger of an instance to false, unless another instance needs it; tell whether the device will tell an outcome."""
    record = change.transaction.get(instance.state.get("object", ""))
    if record is None:
        return False
    trigger = instance.state["trigger"]
    others = [found.ri for found in _carried_out(change, record) if found.ri != instance.ri and found.state["trigger"] == trigger]
    if others:
        return False
    if record.get(trigger):
        _amend(change, record, {trigger: False})
    return bool(_machine(record, trigger).status)
