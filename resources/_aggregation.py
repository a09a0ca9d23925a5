"""A group gathers the notifications of subscriptions that were made through it, and sends them on together (TS-0001 10.2.7, TS-0004 7.4.14, 7.5.1.2).

The group remembers in its state, under ``forward``, what each fan-out has subscribed: by the path below the members, the target (``nfu``), the references of
subscriptions at other CSEs (``of``), since their hosts may leave the target out of what they send, and when the last of them expires (``et``). The target of
what it has not remembered is asked whether it agrees, so that forgetting does no harm.
"""

from collections.abc import Generator, Mapping
from typing import Any

from msgspec.structs import replace

from cse import notify
from cse.address import parse, sp_relative
from cse.codes import EventCat, Operation, ResourceTypeID
from cse.codes import ResponseStatusCode as RSC
from cse.datatypes import timestamp
from cse.errors import (
    BadRequest,
    NotFound,
    OriginatorHasNoPrivilege,
    SubscriptionHostHasNoPrivilege,
    SubscriptionVerificationInitiationFailed,
)
from cse.primitives import Effect, Request, Response, Steps, Turn
from cse.record import Record
from cse.schema import Change, Host
from resources.subscription import verify

_SUB = "m2m:sub"
_KEPT = 1000
"""Fan-outs that a group remembers; the oldest is forgotten first."""


def redirect(host: Host, request: Request, group: Record, rest: str) -> Generator[Effect, tuple[Response, ...], Request]:
    """Give a request as its members are to get it: where it has ``nfu`` the subscriptions notify the group, which has asked the target once for all.

    What is no valid subscription goes on as it is, for the members to refuse. Raises SubscriptionVerificationInitiationFailed.
    """
    creating = request.op == Operation.CREATE
    if not (request.ty == ResourceTypeID.SUBSCRIPTION if creating else request.op == Operation.UPDATE):
        return request
    body = request.pc.get(_SUB) if isinstance(request.pc, Mapping) and len(request.pc) == 1 else None
    if not isinstance(body, Mapping) or not body.get("nu", not creating):
        return request
    nfu, known = body.get("nfu"), _remembered(group)
    if isinstance(nfu, str) and nfu:
        asked = request.nesting or (not creating and _outside(host, nfu) in {entry["nfu"] for entry in known.values()})
        if not asked:  # by a group of this CSE in which this one is nested, or for what is changed
            yield from _agree(host, request, group, [nfu])
    elif "nfu" in body or "nu" not in body or rest not in known:
        return request
    itself = f"{host.settings.cse_id}/{group.ri}"
    return replace(request, pc={_SUB: {**body, "nu": [itself], "gpi": itself}})


def abroad(host: Host, request: Request) -> Request:
    """Give a request with a target that is valid at other CSEs, where a group may have to reach it."""
    body = request.pc.get(_SUB) if isinstance(request.pc, Mapping) else None
    if isinstance(body, Mapping) and isinstance(body.get("nfu"), str):
        return replace(request, pc={**request.pc, _SUB: {**body, "nfu": _outside(host, body["nfu"])}})
    return request


def remember(host: Host, request: Request, group: Record, rest: str, answers: Mapping[str, Response]) -> Generator[Effect, tuple[Response, ...], None]:
    """Keep where the notifications of the subscriptions go that a redirected request has made or changed, and forget those of subscriptions deleted."""
    deleting = request.op == Operation.DELETE
    body = {} if deleting else request.pc[_SUB]
    done = {member: _attributes(answer) for member, answer in answers.items() if answer.rsc in (RSC.CREATED, RSC.UPDATED)}
    gone = len(answers) == len(group.attributes["mid"]) and all(answer.rsc in (RSC.DELETED, RSC.NOT_FOUND) for answer in answers.values())
    if gone if deleting else done and body.get("nfu"):
        name = (body.get("rn") or host.fresh()) if request.op == Operation.CREATE else ""
        key = "/".join(part for part in (rest, name) if part)
        yield Turn.WRITE
        with host.write(request) as change:
            entry = None
            if not deleting:
                of = [f"{_host_of(host, member)}/{made['ri']}" for member, made in done.items() if "ri" in made and host.remote(member)]
                latest = timestamp(change.seconds + host.settings.max_expiration)
                ends = [made["et"] if isinstance(made.get("et"), str) else latest for made in done.values()]
                entry = {"nfu": _outside(host, body["nfu"]), "of": of, "et": max(ends)}
            _store(change, group, key, entry)


def forwards(group: Record, rest: str) -> bool:
    """Tell whether a group remembers the subscriptions at a path below its members."""
    return rest in _remembered(group)


def take(host: Host, request: Request, group: Record) -> Steps:
    """Take a NOTIFY to a group: from the hosts of its members only, gathered for the target of the subscription that it is about (TS-0004 7.5.1.2)."""
    given = _notifications(request.pc)
    if not _hosts_member(host, request, group):
        if any(each.get("vrq") for each in given):
            raise SubscriptionHostHasNoPrivilege(f"{request.fr} hosts no member of {group.path}")
        raise OriginatorHasNoPrivilege(f"{request.fr} hosts no member of {group.path}")
    gathered = [(_target(host, group, each), each) for each in given if not each.get("vrq")]
    agreed = {entry["nfu"] for entry in _remembered(group).values()}
    strange = {target: each for target, each in gathered if target not in agreed}
    try:
        yield from _agree(host, request, group, list(strange))
    except SubscriptionVerificationInitiationFailed as error:  # for good: what is tried again would keep others waiting
        raise OriginatorHasNoPrivilege(f"{group.path} does not send to a target that has not agreed: {error}") from error
    if gathered:
        yield Turn.WRITE
        with host.write(request) as change:
            current = change.transaction.get(group.ri)
            if current is None:
                raise NotFound(f"{group.path} does not exist any more")
            for target, each in strange.items():
                until = timestamp(change.seconds + host.settings.default_expiration)
                _store(change, group, each["sur"], {"nfu": target, "of": [each["sur"]], "et": until})
            for target, each in gathered:
                _gather(change, current, target, each)
    return Response(RSC.OK, request.rqi, rvi=request.rvi)


def _agree(host: Host, request: Request, group: Record, targets: list[str]) -> Generator[Effect, tuple[Response, ...], None]:
    """Ask targets whether they take what a group gathers; a group is none, since what it takes may come from its members alone. Raises BadRequest."""
    for target in targets:
        record = None if "://" in target else host.resolve(host.reader, target)
        if record is not None and record.ty == ResourceTypeID.GROUP:
            raise BadRequest(f"nfu {target!r} is a group, which cannot be the target of notifications that {group.path} gathers")
    yield from verify(host, request, group.ri, targets)


def _remembered(group: Record) -> Mapping[str, Mapping[str, Any]]:
    found: Mapping[str, Mapping[str, Any]] = group.state.get("forward", {})
    return found


def _store(change: Change, group: Record, key: str, entry: Mapping[str, Any] | None) -> None:
    """Remember an entry as the newest, or forget it; those whose time is over go too."""
    record = change.transaction.get(group.ri)
    if record is not None:
        known = {path: found for path, found in _remembered(record).items() if path != key and found["et"] > change.time}
        if entry is not None:
            known[key] = entry
        kept = dict(list(known.items())[-_KEPT:])
        change.replace(replace(record, state={**record.state, "forward": kept}))


def _gather(change: Change, group: Record, target: str, notification: Mapping[str, Any]) -> None:
    """Collect a notification for its target as notifyAggregation says, or the provider where there is none; an immediate one does not wait."""
    if change.request.ec == EventCat.IMMEDIATE:
        notify.put(change, group, target, {"m2m:agn": {"m2m:sgn": [notification]}}, EventCat.IMMEDIATE)
    else:
        notify.put(change, group, target, {"m2m:sgn": notification}, None)


def _notifications(content: Any) -> list[Mapping[str, Any]]:
    """Give the notifications in a NOTIFY, each of an aggregated one. Raises BadRequest."""
    root, found = next(iter(content.items())) if isinstance(content, Mapping) and len(content) == 1 else ("", None)
    if root == "m2m:agn" and isinstance(found, Mapping):
        found = found.get("m2m:sgn")
    elif root == "m2m:sgn":
        found = [found]
    if not isinstance(found, list) or not found or not all(isinstance(each, Mapping) and isinstance(each.get("sur"), str) for each in found):
        raise BadRequest('a NOTIFY to a group needs {"m2m:sgn": {...}} or {"m2m:agn": {"m2m:sgn": [...]}}, each with its subscription (sur)')
    return found


def _target(host: Host, group: Record, notification: Mapping[str, Any]) -> str:
    """Give where a notification is to go: it says so itself, or the subscription it refers to is remembered. Raises BadRequest."""
    nfu, reference = notification.get("nfu"), notification["sur"]
    if isinstance(nfu, str) and nfu:
        return _outside(host, nfu)
    for entry in _remembered(group).values():
        if reference in entry["of"]:
            found: str = entry["nfu"]
            return found
    raise BadRequest(f"the notification has no nfu, and its sur {reference!r} is no subscription made through {group.path}")


def _hosts_member(host: Host, request: Request, group: Record) -> bool:
    """Tell whether a request comes from a CSE that hosts a member of a group; from this one only if it has made the request itself."""
    settings = host.settings
    who = sp_relative(request.fr or "", settings.cse_id, settings.sp_id)
    if who == settings.cse_id and not request.peer.internal:
        return False
    return any(_host_of(host, member) == who for member in group.attributes["mid"])


def _host_of(host: Host, member: str) -> str:
    """Give the CSE-ID of the CSE that hosts a member."""
    if not host.remote(member):
        return host.settings.cse_id
    address = parse(member, host.settings.cse_id, host.settings.sp_id)
    return address.sp + address.csi


def _outside(host: Host, target: str) -> str:
    """Give a target in a form that is the same everywhere."""
    return target if "://" in target else sp_relative(target, host.settings.cse_id, host.settings.sp_id)


def _attributes(answer: Response) -> Mapping[str, Any]:
    """Give what an answer shows of a subscription that was made or changed, alone or with its address (rcn 3)."""
    shown = answer.pc if isinstance(answer.pc, Mapping) else {}
    found = shown.get("m2m:rce", shown).get(_SUB) if isinstance(shown.get("m2m:rce", shown), Mapping) else None
    return found if isinstance(found, Mapping) else {}
