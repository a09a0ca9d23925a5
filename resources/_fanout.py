"""The fanOutPoint of a group: one request becomes one for each member (TS-0001 10.2.7, TS-0004 7.4.14)."""

from collections.abc import Generator, Mapping
from typing import Any

from msgspec.structs import replace

from cse.codes import AccessControlOperation as Right
from cse.codes import Operation
from cse.codes import ResponseStatusCode as RSC
from cse.errors import (
    BadRequest,
    GroupMembersNotResponded,
    GroupRequestIdentifierExists,
    InvalidChildResourceType,
    NoMembers,
    NotFound,
    NotImplementedByCSE,
    OriginatorHasNoPrivilege,
    TargetNotReachable,
)
from cse.primitives import Ask, Call, Effect, Request, Response, Steps, Turn, response_to_dict
from cse.record import Record
from cse.schema import Host
from resources._aggregation import abroad, forwards, redirect, remember

_RIGHTS = {
    Operation.CREATE: Right.CREATE,
    Operation.RETRIEVE: Right.RETRIEVE,
    Operation.UPDATE: Right.UPDATE,
    Operation.DELETE: Right.DELETE,
    Operation.NOTIFY: Right.NOTIFY,
}


def fan_out(host: Host, request: Request, group: Record, rest: str) -> Steps:
    """Send a request to every member, or those of ``grtm``, and give their answers in member order, failed ones too.

    Members of this CSE go through the whole pipeline one after another and share one commit; those of other CSEs are asked at the same time, under the
    deadline of the request. ``rest`` is the path below the fan-out point, added to each member. A group request identifier seen before ends the request here.
    """
    members = _checked(host, request, group, rest)
    passed_on = yield from redirect(host, request, group, rest)
    if passed_on is not request:
        group = _current(host, group)
        members = _checked(host, request, group, rest)
    identifier = request.gid or host.fresh()
    if not host.once(identifier, group.ri):
        raise GroupRequestIdentifierExists(f"{group.path} has handled the group request {identifier} already")
    answers = yield from _answers(host, passed_on, group, members, rest, identifier)
    if passed_on is not request or (request.op == Operation.DELETE and forwards(group, rest)):
        yield from remember(host, passed_on, group, rest, answers)
    if request.op == Operation.DELETE and not rest:
        deleted = [member for member in members if answers[member].rsc == RSC.DELETED]
        if deleted:
            yield from _forget(host, request, group, deleted)
    shown = [entry for member in members for entry in _entries(member, answers[member])]
    return Response(RSC.OK, request.rqi, {"m2m:agr": {"m2m:rsp": shown}}, rvi=request.rvi)


def _checked(host: Host, request: Request, group: Record, rest: str) -> list[str]:
    """Give the members that a request is for. Raises a CSEError when it may not be sent to them."""
    if not host.may_fan_out(host.reader, request, _RIGHTS[request.op], group, request.ty):
        raise OriginatorHasNoPrivilege(f"{request.fr} has no {request.op.name} privilege on the members of {request.to}")
    members = _members(request, group)
    if request.op == Operation.CREATE and group.attributes["mt"] and not rest:
        _check_child(host, request, group)
    if request.nesting > host.settings.max_group_nesting:
        raise NotImplementedByCSE(f"{group.path} is nested in more than {host.settings.max_group_nesting} groups")
    return members


def _current(host: Host, group: Record) -> Record:
    record = host.reader.get(group.ri)
    if record is None:
        raise NotFound(f"{group.path} does not exist any more")
    return record


def _answers(
    host: Host, request: Request, group: Record, members: list[str], rest: str, identifier: str
) -> Generator[Effect, tuple[Response, ...], dict[str, Response]]:
    """Send a request to members and give the answer of each. Raises GroupMembersNotResponded when there is none."""
    answers: dict[str, Response] = {}
    calls: dict[str, Call] = {}
    silent: set[str] = set()
    deadline = host.now() + host.remaining(request)
    for member in members:
        passed_on = _request(host, request, member, rest, identifier)
        if host.remote(member):
            try:
                calls[member] = host.outgoing(abroad(host, passed_on))
            except (NotFound, TargetNotReachable) as error:
                silent.add(member)
                answers[member] = Response(RSC.TARGET_NOT_REACHABLE, passed_on.rqi, {"m2m:dbg": str(error)}, rvi=request.rvi)
        elif host.now() > deadline:  # those before it have been waited for
            answers[member] = Response(RSC.REQUEST_TIMEOUT, passed_on.rqi, {"m2m:dbg": f"{member} was not asked in time"}, rvi=request.rvi)
        else:
            answers[member] = yield from host.handle(passed_on)
    if calls:
        told = yield Ask(tuple(calls.values()), host.remaining(request))
        answers.update(zip(calls, told, strict=True))
        silent.update(member for member in calls if answers[member].rsc in (RSC.REQUEST_TIMEOUT, RSC.TARGET_NOT_REACHABLE))
    if len(silent) == len(members):
        raise GroupMembersNotResponded(f"no member of {group.path} has answered")
    return answers


def _members(request: Request, group: Record) -> list[str]:
    members: list[str] = group.attributes["mid"]
    if request.grtm is not None:
        if request.gstn is not None:
            raise BadRequest("grtm and gstn do not go together")
        if foreign := [member for member in request.grtm if member not in members]:
            raise BadRequest(f"grtm names {foreign[0]!r}, which is no member of {group.path}")
        members = [member for member in members if member in request.grtm]
    if request.gstn is not None:
        if request.gstn < 1:
            raise BadRequest(f"gstn {request.gstn} is no number of members")
        members = members[: request.gstn]
    if not members:
        raise NoMembers(f"{group.path} has no members")
    return members


def _check_child(host: Host, request: Request, group: Record) -> None:
    kind = host.type_named(group.attributes["mt"])
    if kind is not None and request.ty not in host.children_of(kind):
        raise InvalidChildResourceType(f"resource type {request.ty} is not a child type of {kind.name}, the members of {group.path}")


def _request(host: Host, request: Request, member: str, rest: str, identifier: str) -> Request:
    to = f"{member}/{rest}" if rest else member
    return replace(request, to=to, rqi=host.fresh(), gid=identifier, grtm=None, gstn=None, nesting=request.nesting + 1)


def _forget(host: Host, request: Request, group: Record, deleted: list[str]) -> Steps:
    """Take members that were deleted out of the group."""
    yield Turn.WRITE
    with host.write(request) as change:
        record = change.transaction.get(group.ri)
        if record is not None:
            left = [member for member in record.attributes["mid"] if member not in deleted]
            changes = {"mid": left, "cnm": len(left), "lt": change.time}
            change.replace(record.with_attributes(changes), modified=changes)
    return Response(RSC.OK)


def _entries(member: str, response: Response) -> list[dict[str, Any]]:
    """Give the entries of one member; the aggregated answer of a nested group is merged."""
    content = response.pc.get("m2m:agr") if response.rsc == RSC.OK and isinstance(response.pc, Mapping) else None
    nested = content.get("m2m:rsp") if isinstance(content, Mapping) else None
    if isinstance(nested, list):
        return nested
    return [{**response_to_dict(response), "fr": member}]
