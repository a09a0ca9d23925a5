"""CREATE, RETRIEVE, UPDATE, DELETE and NOTIFY on a resource of this CSE (TS-0004 7.3.3)."""

from collections.abc import Callable, Generator, Iterable, Mapping
from typing import Any

from msgspec.structs import replace

from cse import criteria, discovery, notify, reachability, results
from cse.codes import AccessControlOperation as Right
from cse.codes import FilterUsage, Operation, ResourceTypeID, ResultContent
from cse.codes import ResponseStatusCode as RSC
from cse.datatypes import RESOURCE_NAME, timestamp
from cse.errors import (
    BadRequest,
    Conflict,
    CSEError,
    DiscoveryDeniedByIpe,
    InvalidChildResourceType,
    NotFound,
    NotImplementedByCSE,
    OperationDeniedByRemoteEntity,
    OperationNotAllowed,
    OriginatorHasNoPrivilege,
    RemoteEntityNotReachable,
    TargetNotReachable,
    TargetNotSubscribable,
)
from cse.primitives import Ask, Call, Effect, Hold, Request, Response, Steps, Turn
from cse.record import Record
from cse.results import Result
from cse.schema import Change, Host, ResourceType
from cse.storage.contract import Query, Reader
from cse.validate import choose


def answer(request: Request, rsc: RSC, pc: Any = None, status: int | None = None, offset: int | None = None) -> Response:
    """Give the response to a request, with its identifier and release."""
    return Response(rsc=rsc, rqi=request.rqi, rvi=request.rvi, pc=pc, cnst=status, cnot=offset)


def require(host: Host, reader: Reader, request: Request, right: Right, target: Record) -> None:
    """Raise OriginatorHasNoPrivilege naming operation and resource, as the originator does, unless it has the privilege: its path is none of its business."""
    if not host.may(reader, request, right, target):
        raise OriginatorHasNoPrivilege(f"{request.fr or 'nobody'} has no {right.name} privilege on {request.to}")


def _current(reader: Reader, target: Record) -> Record:
    record = reader.get(target.ri)
    if record is None:
        raise NotFound(f"{target.path} does not exist any more")
    return record


# --- CREATE -------------------------------------------------------------------------------------------------------------------------------------------------


def create(host: Host, request: Request, target: Record) -> Steps:
    """Create a child of ``target`` (TS-0004 7.3.3.3, 7.3.3.5): authorise, validate, prepare, and do it all again in the transaction that writes."""
    kind = host.type_named(request.ty or 0)
    if kind is None:
        raise _unknown(request.ty or 0)
    prepared: Any = None
    if kind.prepare_create is not None:
        _, given, _ = _check_create(host, host.reader, request, target, kind)
        prepared = yield from kind.prepare_create(host, request, target, given)
    yield Turn.WRITE
    try:
        with host.write(request) as change:
            record, given = create_within(host, change, request, target, kind, prepared)
    except CSEError:
        if kind.undo_create is not None:
            yield from kind.undo_create(host, request, prepared)
        raise
    return answer(request, RSC.CREATED, results.created(host, request, record, given))


def create_within(
    host: Host, change: Change, request: Request, target: Record, kind: ResourceType, prepared: Any
) -> tuple[Record, dict[str, Any]]:
    """Do a CREATE in an open transaction: check everything, insert the resource, and give it with the attributes of the request. Raises CSEError."""
    transaction = change.transaction
    parent = _current(transaction, target)
    kind, given, expired = _check_create(host, transaction, request, parent, kind)
    if expired is not None:
        change.remove(expired)
        parent = _current(transaction, parent)
    record = _created(host, change, kind, parent, given, prepared)
    change.insert(record, parent)
    if kind.on_created is not None:
        kind.on_created(change, record)
        record = _current(transaction, record)
    subscriptions = transaction.subscriptions(parent.ri)
    if subscriptions:
        notify.monitor(change, Right.CREATE, parent, record, subscriptions)
        record = transaction.get(record.ri) or record
    return record, given


def _unknown(ty: int) -> CSEError:
    try:
        return NotImplementedByCSE(f"resource type {ty} ({ResourceTypeID(ty).name}) is not implemented")
    except ValueError:
        return BadRequest(f"there is no resource type {ty}")


def _check_create(
    host: Host, reader: Reader, request: Request, parent: Record, kind: ResourceType
) -> tuple[ResourceType, dict[str, Any], Record | None]:
    """Check privilege, place and representation of a CREATE, in that order; nobody has the privilege to create what only the CSE does.

    Give the type, specialised where it has forms, the attributes, and what has the name though it has expired.
    """
    if not kind.api_create:
        raise OperationNotAllowed(f"{kind.name} resources are only created by the CSE")
    allowed = kind.authorize(host, reader, request, parent) if kind.authorize is not None else host.may(reader, request, Right.CREATE, parent, kind.ty)
    if not allowed:
        raise OriginatorHasNoPrivilege(f"{request.fr or 'nobody'} has no CREATE privilege for {kind.name} on {request.to}")
    if not host.may_contain(parent, kind):
        where = f"{parent.path} ({host.type_of(parent).name})"
        if kind.ty == ResourceTypeID.SUBSCRIPTION:
            raise TargetNotSubscribable(f"{where} cannot be subscribed to")
        raise InvalidChildResourceType(f"{kind.name} is not a child type of {where}")
    if not kind.instance and parent.path.count("/") >= host.settings.max_tree_depth:
        raise BadRequest(f"{parent.path[:80]}... is at the greatest depth that is allowed, {host.settings.max_tree_depth} levels")
    kind = choose(kind, request.pc)
    given = host.checker(kind).create(request.pc)
    if given.get("cr") is not None:
        raise BadRequest(f"cr must be null, not {given['cr']!r}: the CSE sets it to the originator")
    _check_end(host, given)
    if "acpi" in given:
        check_policies(host, reader, "acpi", given["acpi"])
    taken = None
    name = _fixed_name(host, kind, parent) or given.get("rn")
    if given.get("rn", name) != name:
        raise BadRequest(f"rn of a {kind.name} below {parent.path} must be {name!r}, not {given['rn']!r}")
    if name is not None:
        if len(name) > host.settings.max_name_length:
            raise BadRequest(f"the resource name {name[:40]!r}... has {len(name)} characters, at most {host.settings.max_name_length} are allowed")
        if name in host.type_of(parent).virtual:
            raise Conflict(f"the name {name!r} is reserved below {parent.path}")
        taken = reader.child(parent.ri, name)
        if taken is not None and not host.expired(taken):
            raise Conflict(f"{parent.path} has a child called {name!r} already")
    return kind, given, taken


def _fixed_name(host: Host, kind: ResourceType, parent: Record) -> str | None:
    return kind.fixed_names.get(host.type_of(parent).tag) if kind.fixed_names else None


def _check_end(host: Host, given: Mapping[str, Any]) -> None:
    """Refuse an expirationTime that has passed (TS-0004 7.3.3.5)."""
    end = given.get("et")
    if end is not None and end <= host.time():
        raise BadRequest(f"et {end} has passed")


def check_policies(host: Host, reader: Reader, attribute: str, policies: Iterable[str]) -> None:
    """Refuse a link to a local policy that does not exist; those of other CSEs are looked at when they are used (TS-0004 7.3.3.15). Raises BadRequest."""
    for policy in policies:
        if not host.remote(policy):
            found = host.resolve(reader, policy)
            if found is None or found.ty != ResourceTypeID.ACCESS_CONTROL_POLICY or host.expired(found):
                raise BadRequest(f"{attribute} names {policy!r}, which is no accessControlPolicy")


def _created(host: Host, change: Change, kind: ResourceType, parent: Record, given: Mapping[str, Any], prepared: Any) -> Record:
    """Make the record of a new resource: identifiers, times, defaults, and what the type itself adds."""
    request, transaction = change.request, change.transaction
    draft = {**kind.defaults, **given}
    originator = request.fr or ""
    if "cr" in draft:
        draft["cr"] = originator
    _expire(host, change, draft, parent)
    ri = transaction.identify(kind.tag, parent.ri, kind.ty) if kind.identify is None else kind.identify(change, draft, prepared)
    rn = draft.pop("rn", None) or _fixed_name(host, kind, parent) or ri
    if rn is ri and kind.identify is not None and not (RESOURCE_NAME.fits(rn) and transaction.child(parent.ri, rn) is None):
        rn = transaction.identify(kind.tag, parent.ri, kind.ty)
    draft = {"ty": kind.ty, "ri": ri, "rn": rn, "pi": parent.ri, "ct": change.time, "lt": change.time, **draft}
    state = None
    if kind.on_create is not None:
        state = kind.on_create(change, draft, parent, prepared)
    return Record(kind.ty, ri, parent.ri, rn, f"{parent.path}/{rn}", draft, draft.get("aei") or originator, state or {})


def _expire(host: Host, change: Change, draft: dict[str, Any], parent: Record) -> None:
    """Settle expirationTime: an absent one is chosen, a later one than policy and parent allow shortened (TS-0004 7.3.3.5)."""
    wanted = draft.get("et")
    if wanted is None:
        chosen = timestamp(change.seconds + host.settings.default_expiration)
    else:
        chosen = min(wanted, timestamp(change.seconds + host.settings.max_expiration))
    draft["et"] = min(chosen, parent.attributes.get("et", chosen))


def _shorten(host: Host, change: Change, record: Record, et: str) -> None:
    """Let what is below a resource end with it (TS-0004 7.3.3.5). Instances are left as they are: they are reached through their parent, and go with it."""
    types = frozenset(ty for ty in host.numbers if (kind := host.type_named(ty)) is not None and not kind.instance)
    for below in list(change.transaction.find(Query(record.path, types=types))):
        if not host.type_of(below).instance and below.attributes["et"] > et:
            change.replace(below.with_attributes({"et": et}))


# --- RETRIEVE -----------------------------------------------------------------------------------------------------------------------------------------------


def retrieve(host: Host, request: Request, target: Record, attribute: str | None = None) -> Steps:
    """Give a resource, parts of it, its descendants or what discovery finds below it (TS-0004 7.3.3.6). ``attribute`` comes from ``to`` after a ``#``."""
    if request.sqi:
        raise NotImplementedByCSE("semantic queries (sqi) are not supported")
    reader = host.reader
    filters = request.fc
    if filters:
        usage = filters.get("fu", FilterUsage.CONDITIONAL_OPERATION)
        if usage == FilterUsage.DISCOVERY:
            found = discovery.discover(host, reader, request, target)
            if host.may(reader, request, Right.DISCOVERY, target):
                yield from _monitored(host, request, target, Right.DISCOVERY)
            return _found(request, found)
        if usage == FilterUsage.IPE_ON_DEMAND_DISCOVERY:
            return (yield from _ask_proxy(host, request, target))
        if usage != FilterUsage.CONDITIONAL_OPERATION:
            raise NotImplementedByCSE(f"filterUsage {usage} is not supported")
    rcn = request.rcn
    whole = rcn in results.CHILDREN
    granted = host.granted_attributes(reader, request, Right.RETRIEVE, target)
    if granted is not None and not granted:
        raise OriginatorHasNoPrivilege(f"{request.fr or 'nobody'} has no RETRIEVE privilege on {request.to}")
    if filters and not whole:
        match(host, reader, request, target)
    if results.hidden(host, reader, target):
        raise OperationNotAllowed(f"{target.path} cannot be retrieved: its container has disableRetrieval")
    if rcn not in _PLAIN and not whole:
        raise BadRequest(f"rcn {rcn} needs " + ("filterUsage 1" if rcn == ResultContent.DISCOVERY_RESULT_REFERENCES else f"another target than {target.path}"))
    only = _wanted(host, request, target, attribute, granted)
    if rcn == ResultContent.PERMISSIONS:
        return answer(request, RSC.OK, {host.type_of(target).short: {"acop": _permissions(host, reader, request, target)}})
    response = _found(request, results.tree(host, reader, request, target)) if whole else answer(request, RSC.OK, results.wrapped(host, target, only))
    if _counts(host, reader, target):
        return (yield from _count_read(host, request, target, whole, only, response))
    return response


_PLAIN = frozenset({None, ResultContent.ATTRIBUTES, ResultContent.PERMISSIONS})
_WITH_CHILDREN = frozenset({ResultContent.ATTRIBUTES_AND_CHILD_RESOURCES, ResultContent.CHILD_RESOURCES})


def _found(request: Request, result: Result) -> Response:
    return answer(request, RSC.OK, result.pc, result.status, result.offset)


def match(host: Host, reader: Reader, request: Request, target: Record) -> None:
    """Treat a target that does not match the conditions of a request as missing (TS-0004 7.3.3.14).

    This comes behind the privilege and not before it, as in the text: else who has none would find out attributes by asking for them.
    """
    test = results.conditions(host, reader, request)
    if test is not None and not test(target):
        raise NotFound(f"{target.path} does not match the filter criteria")


def _permissions(host: Host, reader: Reader, request: Request, target: Record) -> int:
    return sum(right for right in Right if host.may(reader, request, right, target))


def _wanted(host: Host, request: Request, target: Record, attribute: str | None, granted: frozenset[str] | None) -> frozenset[str] | None:
    """Give the attributes to be shown: those asked for, of those the policies grant; None for all."""
    only = results.selected(request, attribute)
    kind = host.type_of(target)
    if only is not None:
        if unknown := sorted(only - kind.names):
            raise BadRequest(f"{kind.short} has no attribute {unknown[0]!r}")
        if granted is not None and granted.isdisjoint(only):
            raise OriginatorHasNoPrivilege(f"{request.fr or 'nobody'} has no RETRIEVE privilege on {min(only)!r} of {request.to}")
        if attribute is not None and attribute not in target.attributes and attribute not in results.representation(host, target):
            raise NotFound(f"{target.path} has no value of {attribute!r}")
    if granted is None:
        return only
    return granted if only is None else only & granted


def _counts(host: Host, reader: Reader, target: Record) -> bool:
    """Tell whether this RETRIEVE changes something: the resource itself, or that subscribers hear of it."""
    test = host.type_of(target).counts_reads
    if test is not None and test(target):
        return True
    subscriptions = reader.subscriptions(target.ri)
    return bool(subscriptions) and any(notify.counts_reads(found) for found in subscriptions)


def _count_read(host: Host, request: Request, target: Record, whole: bool, only: frozenset[str] | None, response: Response) -> Steps:
    yield Turn.WRITE
    with host.write(request) as change:
        current = _current(change.transaction, target)
        on_read = host.type_of(current).on_read
        subscriptions = change.transaction.subscriptions(current.ri)
        if subscriptions:
            notify.monitor(change, Right.RETRIEVE, current, current, subscriptions)
            if request.rcn in _WITH_CHILDREN:
                notify.read_empty(change, current, subscriptions)
        if on_read is not None:
            current = on_read(change, current)
            response = response if whole else answer(request, RSC.OK, results.wrapped(host, current, only))
    return response


def _monitored(host: Host, request: Request, target: Record, operation: Right) -> Generator[Effect, tuple[Response, ...], None]:
    """Let subscribers that monitor operations (``enc.om``) hear of one that changes nothing."""
    if any(map(notify.monitors, host.reader.subscriptions(target.ri))):
        yield Turn.WRITE
        with host.write(request) as change:
            current = _current(change.transaction, target)
            notify.monitor(change, operation, current, current, change.transaction.subscriptions(current.ri))


def _ask_proxy(host: Host, request: Request, target: Record) -> Steps:
    """Let an interworking proxy AE create what discovery did not find (filterUsage 3, TS-0004 7.3.3.14, 7.5.1.2.7)."""
    if target.ty != ResourceTypeID.AE:
        raise BadRequest(f"filterUsage 3 needs an AE of an interworking proxy as target, {target.path} is none")
    result = discovery.discover(host, host.reader, request, target)
    if not result.pc.get("m2m:uril") and not result.pc.get("m2m:rrl", {}).get("rrf"):
        sought = {name: value for name, value in (request.fc or {}).items() if name != "fu"}
        content = {"m2m:sgn": {"idr": {"or": request.fr, "fc": criteria.listed(sought)}}}
        told = yield from _deliver(host, replace(request, fr=host.settings.cse_id), target, content)
        if not told.ok:
            raise DiscoveryDeniedByIpe(f"{target.path} refused the discovery with {int(told.rsc)}")
        result = discovery.discover(host, host.reader, request, target)
    return _found(request, result)


# --- UPDATE -------------------------------------------------------------------------------------------------------------------------------------------------


def update(host: Host, request: Request, target: Record) -> Steps:
    """Change attributes of a resource (TS-0004 7.3.3.7); held while a blocking subscriber is asked (7.5.1.2.19)."""
    kind = host.type_of(target)
    prepared: Any = None
    if kind.prepare_update is not None:
        changes = _check_update(host, host.reader, request, target)
        prepared = yield from kind.prepare_update(host, request, target, changes)
    if notify.blocking(host.reader, target) is not None:
        yield Hold(target.ri)
        target = _current(host.reader, target)
        changes = _check_update(host, host.reader, request, target)
        if kind.check_update is not None:
            kind.check_update(target, dict(changes))
        yield from _ask_blocking(host, request, target, changes)
    yield Turn.WRITE
    with host.write(request) as change:
        after, before, given = update_within(host, change, request, target, prepared)
    return answer(request, RSC.UPDATED, results.updated(host, request, after, before, given))


def update_within(host: Host, change: Change, request: Request, target: Record, prepared: Any) -> tuple[Record, Record, dict[str, Any]]:
    """Do an UPDATE in an open transaction; give the resource as it is and as it was, and the changes of the request. Raises CSEError."""
    kind = host.type_of(target)
    before = _current(change.transaction, target)
    given = _check_update(host, change.transaction, request, before)
    changes = dict(given)
    if "et" in changes:
        _expire(host, change, changes, _parent(change, before))
        if changes["et"] < before.attributes["et"]:
            _shorten(host, change, before, changes["et"])
    if kind.on_update is not None:
        kind.on_update(change, before, changes, prepared)
    changes |= {"lt": change.time, "st": before.attributes["st"] + 1} if "st" in before.attributes else {"lt": change.time}
    after = before.with_attributes(changes)
    change.replace(after, modified=changes)
    if kind.on_updated is not None:
        kind.on_updated(change, before, after)
        after = _current(change.transaction, after)
    notify.monitor(change, Right.UPDATE, after, after, change.transaction.subscriptions(after.ri))
    return after, before, given


def _parent(change: Change, record: Record) -> Record:
    found = change.transaction.get(record.pi)
    if found is None:
        raise NotFound(f"the parent of {record.path} does not exist any more")
    return found


def _check_update(host: Host, reader: Reader, request: Request, target: Record) -> dict[str, Any]:
    """Check privilege, conditions and representation of an UPDATE, in that order, and give the changes."""
    kind = host.type_of(target)
    if kind.instance or not kind.parents:
        raise OperationNotAllowed(f"a {kind.name} cannot be updated")
    body = request.pc.get(kind.short) if isinstance(request.pc, Mapping) else None
    granted: frozenset[str] | None = None
    if isinstance(body, Mapping) and "acpi" in body:
        if not host.may_change_policies(reader, request, target):
            raise OriginatorHasNoPrivilege(f"{request.fr or 'nobody'} may not change the policies of {request.to}")
        if len(body) > 1:
            raise BadRequest(f"acpi must be the only attribute of its UPDATE, not together with {next(name for name in body if name != 'acpi')!r}")
    else:
        require(host, reader, request, Right.UPDATE, target)
        granted = host.granted_attributes(reader, request, Right.UPDATE, target)
    if request.fc:
        match(host, reader, request, target)
    given = host.checker(kind).update(request.pc)
    if granted is not None and (refused := sorted(given.keys() - granted)):
        raise OriginatorHasNoPrivilege(f"{request.fr or 'nobody'} has no UPDATE privilege on {refused[0]!r} of {request.to}")
    _check_end(host, given)
    if given.get("acpi"):
        check_policies(host, reader, "acpi", given["acpi"])
    return given


def _ask_blocking(host: Host, request: Request, target: Record, changes: Mapping[str, Any]) -> Steps:
    subscription = notify.blocking(host.reader, target)
    if subscription is None or not notify.blocks(subscription, changes):
        return answer(request, RSC.OK)
    content = {
        "m2m:sgn": {"nev": {"rep": {host.type_of(target).short: dict(changes)}, "net": 7}, "sur": notify.reference(host, subscription)},
    }
    to = subscription.attributes["nu"][0]
    urls = () if reachability.target_closed(host, host.reader, to) else host.urls(host.reader, to)
    call = Call(Request(Operation.NOTIFY, to, host.settings.cse_id, host.fresh(), host.settings.release, pc=content), urls)
    (told,) = (yield Ask((call,), host.remaining(request))) if urls else (answer(request, RSC.TARGET_NOT_REACHABLE),)
    if told.rsc in (RSC.TARGET_NOT_REACHABLE, RSC.REQUEST_TIMEOUT):
        raise RemoteEntityNotReachable(f"the UPDATE of {target.path} needs the consent of {to}, which cannot be reached")
    if not told.ok:
        raise OperationDeniedByRemoteEntity(f"{to} refused the UPDATE of {target.path} with {int(told.rsc)}")
    return told


# --- DELETE -------------------------------------------------------------------------------------------------------------------------------------------------


def delete(host: Host, request: Request, target: Record, again: Callable[[Reader], Record] | None = None) -> Steps:
    """Remove a resource with all that is below it (TS-0004 7.3.3.8); with ``again`` what it finds in the transaction, in the place of ``target``."""
    if not host.type_of(target).parents:
        raise OperationNotAllowed("the CSEBase cannot be deleted")
    if notify.blocking(host.reader, target) is not None:
        yield Hold(target.ri)
    yield Turn.WRITE
    with host.write(request) as change:
        transaction = change.transaction
        record = _current(transaction, target) if again is None else again(transaction)
        require(host, transaction, request, Right.DELETE, record)
        if request.fc:
            match(host, transaction, request, record)
        result = Result(None)
        if request.rcn in results.CHILDREN:
            result = results.tree(host, transaction, request, record)
        elif request.rcn == ResultContent.ATTRIBUTES:
            result = Result(results.wrapped(host, record))
        notify.monitor(change, Right.DELETE, record, record, transaction.subscriptions(record.ri))
        change.remove(record)
    return _deleted(request, result)


def _deleted(request: Request, result: Result) -> Response:
    return answer(request, RSC.DELETED, result.pc, result.status, result.offset)


# --- NOTIFY -------------------------------------------------------------------------------------------------------------------------------------------------


def receive(host: Host, request: Request, target: Record) -> Steps:
    """Take a NOTIFY: for an AE it is passed on to it, for the CSEBase the CSE is meant itself, other types have a rule of their own (TS-0004 7.3.3.9)."""
    on_notify = host.type_of(target).on_notify
    if on_notify is not None:
        told = yield from on_notify(host, request, target)
        if told.ok and not request.peer.internal:  # what the CSE tells itself would be told of for ever
            yield from _monitored(host, request, target, Right.NOTIFY)
        return told
    if target.ty not in (ResourceTypeID.AE, ResourceTypeID.CSE_BASE):
        raise OperationNotAllowed(f"{target.path} takes no NOTIFY")
    require(host, host.reader, request, Right.NOTIFY, target)
    if not isinstance(request.pc, Mapping) or len(request.pc) != 1:
        raise BadRequest('a NOTIFY needs content with one root, such as {"m2m:sgn": {...}}')
    told = answer(request, RSC.OK)
    if target.ty != ResourceTypeID.CSE_BASE:
        told = yield from _deliver(host, request, target, request.pc)
    if told.ok:
        yield from _monitored(host, request, target, Right.NOTIFY)
    return answer(request, told.rsc, told.pc)


def _deliver(host: Host, request: Request, target: Record, content: Any) -> Steps:
    """Send a NOTIFY to an AE and give its answer. Raises TargetNotReachable when it has no point of access or none answers."""
    if refusal := reachability.target_closed(host, host.reader, target.ri):
        raise TargetNotReachable(refusal)
    urls = host.urls(host.reader, target.ri)
    if not urls:
        raise TargetNotReachable(f"{target.path} has no point of access")
    told_on = replace(request, op=Operation.NOTIFY, to=target.ri, rqi=host.fresh(), pc=content, fc=None, rcn=None, drt=None)
    host.passing.add(told_on.rqi or "")
    try:
        (told,) = yield Ask((Call(told_on, urls),), host.remaining(request))
    finally:
        host.passing.discard(told_on.rqi or "")
    if told.rsc == RSC.TARGET_NOT_REACHABLE:
        raise TargetNotReachable(f"{target.path} cannot be reached at {', '.join(urls)}")
    return told
