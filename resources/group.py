"""Resources that are addressed together (TS-0001 9.6.13, TS-0004 7.4.14)."""

from collections.abc import Generator, Mapping
from typing import Any

from msgspec.structs import replace

from cse import notify
from cse.codes import AccessControlOperation as Right
from cse.codes import ConsistencyStrategy, Operation, ResourceTypeID
from cse.codes import ResponseStatusCode as RSC
from cse.datatypes import ANY_URI, BOOLEAN, NON_NEG_INT, POSITIVE_INT, STRING, enum_of, list_of
from cse.errors import BadRequest, CSEError, GroupMemberTypeInconsistent, MaxNumberOfMemberExceeded, NotFound, ReceiverHasNoPrivilege, TargetNotReachable
from cse.operations import check_policies
from cse.primitives import Ask, Call, Effect, Notice, Request, Response, Steps, Turn
from cse.record import Record
from cse.schema import Attribute, Change, Host, ResourceType
from cse.structures import BATCH_NOTIFY, MEMBER_TYPE, SPECIALIZATION_TYPE
from resources._aggregation import take
from resources._common import ANNOUNCEABLE, CONSULTED, CREATOR, CUSTODIAN, EXPIRES, LABELS, POLICIES, UNIVERSAL
from resources._fanout import fan_out
from resources.subscription import complete_batch

Prepared = Generator[Effect, tuple[Response, ...], Any]

_SPECIAL = frozenset(first + ty for ty in (ResourceTypeID.MGMT_OBJ, ResourceTypeID.FLEX_CONTAINER) for first in (0, 10_000))
"""Types with specialisations, and what is announced of them."""


def _prepare_create(host: Host, request: Request, _: Record, given: Mapping[str, Any]) -> Prepared:
    _check(host, given)
    return (yield from _members(host, request, {**TYPE.defaults, **given}))


def _prepare_update(host: Host, request: Request, record: Record, changes: Mapping[str, Any]) -> Prepared:
    _check(host, changes)
    after = record.with_attributes(changes).attributes
    if "mid" in changes:
        return (yield from _members(host, request, after))
    _check_number(after, after["mid"])
    return None


def _members(host: Host, request: Request, attributes: Mapping[str, Any]) -> Prepared:
    """Validate the members (TS-0004 7.4.13.2.1): give ``mid``, ``cnm``, ``mt`` and ``mtv`` as they are to be stored."""
    members = _distinct(host, attributes["mid"])
    _check_number(attributes, members)
    wanted, validated = attributes["mt"], True
    form = attributes.get("spty", {}) if wanted in _SPECIAL else {}
    remote: dict[str, Call | None] = {}
    types: dict[str, int | None] = {}
    for member in members:
        if host.remote(member):
            remote[member] = _question(host, request, member) if wanted else None
        elif wanted:
            types[member] = _local_type(host, request, member, form)
    if wanted and remote:
        calls = {member: call for member, call in remote.items() if call is not None}
        told = (yield Ask(tuple(calls.values()), host.remaining(request))) if calls else ()
        for member, answer in zip(calls, told, strict=True):
            types[member] = _remote_type(member, answer, form)
        validated = not any(types.get(member) is None for member in remote)
    wrong = [member for member, ty in types.items() if ty != wanted and (ty is not None or member not in remote)] if wanted else []
    if wrong:
        match attributes["csy"]:
            case ConsistencyStrategy.ABANDON_GROUP:
                named = f"memberType {wanted}" + (f" and specializationType {form}" if form else "")
                raise GroupMemberTypeInconsistent(f"the member {wrong[0]!r} is not of {named}")
            case ConsistencyStrategy.SET_MIXED:
                wanted, validated = 0, True
            case _:
                members = [member for member in members if member not in wrong]
    return {"mid": members, "cnm": len(members), "mt": wanted, "mtv": validated}


def _distinct(host: Host, members: list[str]) -> list[str]:
    """Give the members without repetition: several addresses of one resource of this CSE are one member, the first."""
    found: dict[str, str] = {}
    for member in members:
        group = member.endswith("/fopt")
        record = None if host.remote(member) else host.resolve(host.reader, member.removesuffix("/fopt"))
        found.setdefault(member if record is None else f"{record.ri}/fopt" if group else record.ri, member)
    return list(found.values())


def _check(host: Host, given: Mapping[str, Any]) -> None:
    """Check what a request gives, not what the group has: a policy that has gone since must not hold up other changes. Raises BadRequest."""
    if given.get("mnm", 0) > host.settings.max_group_members:
        raise BadRequest(f"mnm {given['mnm']} is more than the {host.settings.max_group_members} that this CSE allows")
    check_policies(host, host.reader, "macp", given.get("macp") or ())


def _check_number(attributes: Mapping[str, Any], members: list[str]) -> None:
    """Raise MaxNumberOfMemberExceeded when there are more members than maxNrOfMembers allows."""
    if len(members) > attributes["mnm"]:
        raise MaxNumberOfMemberExceeded(f"mid has {len(members)} members, mnm allows {attributes['mnm']}")


def _type(attributes: Mapping[str, Any], group: bool, form: Mapping[str, Any]) -> int | None:
    """Give the type of a member with these attributes, of the members of a group; 0 when their specialisation is not that of ``spty``."""
    found = attributes.get("mt" if group else "ty")
    given = attributes.get("spty", {}) if group else attributes
    if not isinstance(found, int):
        return None
    return found if all(given.get(name) == value for name, value in form.items()) else 0


def _local_type(host: Host, request: Request, member: str, form: Mapping[str, Any]) -> int | None:
    """Give the type of a member of this CSE, None when there is none; through a fan-out point it is the member type of that group."""
    group = member.endswith("/fopt")
    record = host.resolve(host.reader, member.removesuffix("/fopt"))
    if record is None or host.expired(record) or (group and record.ty != ResourceTypeID.GROUP):
        return None
    if not host.may(host.reader, request, Right.RETRIEVE, record):
        raise ReceiverHasNoPrivilege(f"{request.fr} has no RETRIEVE privilege on the member {member}")
    return _type(record.attributes, group, form)


def _question(host: Host, request: Request, member: str) -> Call | None:
    """Give the RETRIEVE that tells the type of a member of another CSE, None when no route leads there."""
    try:
        return host.outgoing(Request(Operation.RETRIEVE, member.removesuffix("/fopt"), request.fr, host.fresh(), host.settings.release))
    except (NotFound, TargetNotReachable):
        return None


def _remote_type(member: str, answer: Response, form: Mapping[str, Any]) -> int | None:
    if answer.rsc == RSC.ORIGINATOR_HAS_NO_PRIVILEGE:
        raise ReceiverHasNoPrivilege(f"the type of the member {member} may not be read")
    if answer.rsc != RSC.OK or not isinstance(answer.pc, Mapping):
        return None
    attributes = next(iter(answer.pc.values()), None)
    if not isinstance(attributes, Mapping):
        return None
    return _type(attributes, member.endswith("/fopt"), form)


def _on_create(change: Change, draft: dict[str, Any], parent: Record, prepared: Any) -> None:
    draft |= prepared
    if "nar" in draft:
        draft["nar"] = complete_batch(change.host, draft["nar"])


def _on_update(change: Change, record: Record, changes: dict[str, Any], prepared: Any) -> None:
    if prepared is not None:
        changes |= {name: prepared[name] for name in ("mid", "cnm", "mt", "mtv")}
    after = {**record.attributes, **changes}
    _check_number(after, after["mid"])  # others may have changed the group while its members were asked
    if changes.get("nar") is not None:
        changes["nar"] = complete_batch(change.host, changes["nar"])


def _on_updated(change: Change, _: Record, after: Record) -> None:
    notify.visit(change, after.ri)
    _remind(change, after)


def _on_delete(change: Change, record: Record) -> None:
    """Send on what the group has gathered; it need not be reminded any more."""
    change.transaction.drop([notice.id for notice in _reminders(change, record)])
    notify.let_go(change, record)


# --- members that could not be reached ------------------------------------------------------------------------------------------------------------------------


def _reminder(record: Record) -> dict[str, Any]:
    """Give what a group notifies itself of: the outbox is a clock that survives a restart, and whoever takes a NOTIFY may ask others."""
    return {"sur": record.path}


def _reminders(change: Change, record: Record) -> list[Notice]:
    return change.transaction.notices(held=True, subscription=record.ri, target=record.path)


def _remind(change: Change, record: Record) -> None:
    """Let a group with members whose type is not known yet look at them again later, before it expires (TS-0004 7.4.13.2.1)."""
    if record.attributes["mtv"] is False and not _reminders(change, record):
        settings, content = change.host.settings, {"m2m:sgn": _reminder(record)}
        due = change.seconds + settings.member_retry_interval
        notice = Notice(record.path, change.host.fresh(), settings.cse_id, content, record.ri, created=change.seconds, due=due, held=True)
        change.transaction.enqueue(notice)
        change.revisit(record.ri, due)


def _on_notify(host: Host, request: Request, record: Record) -> Steps:
    if request.peer.internal and request.pc == {"m2m:agn": {"m2m:sgn": [_reminder(record)]}}:
        return (yield from _validate_again(host, request, record))
    return (yield from take(host, request, record))


def _validate_again(host: Host, request: Request, record: Record) -> Steps:
    """Ask the members at other CSEs for their type, and do with those that do not fit what the strategy says: an abandoned group is deleted."""
    attributes, told = record.attributes, Response(RSC.OK, request.rqi, rvi=request.rvi)
    if attributes["mtv"] is not False:
        return told
    remote = [member for member in attributes["mid"] if host.remote(member)]
    asking, inconsistent, found = replace(request, fr=record.originator or None), False, None
    try:
        found = yield from _members(host, asking, {**attributes, "mid": remote})
    except GroupMemberTypeInconsistent:
        inconsistent = True
    except CSEError:
        pass  # what is not permitted now may be the next time
    yield Turn.WRITE
    with host.write(request) as change:
        current = change.transaction.get(record.ri)
        if current is not None and current.attributes["mid"] == attributes["mid"]:
            if inconsistent:
                change.remove(current)
            else:
                _revised(change, current, remote, found)
    return told


def _revised(change: Change, record: Record, remote: list[str], found: Mapping[str, Any] | None) -> None:
    """Change a group as the validation of its remote members has found, and remind it if some are still not known."""
    if found is not None:
        mid = [member for member in record.attributes["mid"] if member not in remote or member in found["mid"]]
        after = {"mid": mid, "cnm": len(mid), "mt": found["mt"], "mtv": found["mtv"]}
        if changes := {name: value for name, value in after.items() if record.attributes[name] != value}:
            changes["lt"] = change.time
            record = record.with_attributes(changes)
            change.replace(record, modified=changes)
    _remind(change, record)


TYPE = ResourceType(
    ty=9,
    short="m2m:grp",
    name="group",
    spec="TS-0001 9.6.13",
    attributes=(
        *UNIVERSAL,
        EXPIRES,
        POLICIES,
        CONSULTED,
        LABELS,
        *ANNOUNCEABLE,
        CREATOR,
        CUSTODIAN,
        #         short   long                             type                          card    create update announce default
        Attribute("mt",   "memberType",                    MEMBER_TYPE,                  "1",    "O",   "NP",  "OA",    0),
        Attribute("spty", "specializationType",            SPECIALIZATION_TYPE,          "0..1", "O",   "NP",  "OA"),
        Attribute("cnm",  "currentNrOfMembers",            NON_NEG_INT,                  "1",    "NP",  "NP",  "OA"),
        Attribute("mnm",  "maxNrOfMembers",                POSITIVE_INT,                 "1",    "M",   "O",   "OA"),
        Attribute("mid",  "memberIDs",                     list_of(ANY_URI, 0),          "1",    "M",   "O",   "OA"),
        Attribute("macp", "membersAccessControlPolicyIDs", list_of(ANY_URI),             "0..1", "O",   "O",   "OA"),
        Attribute("mtv",  "memberTypeValidated",           BOOLEAN,                      "0..1", "NP",  "NP",  "OA"),
        Attribute("csy",  "consistencyStrategy",           enum_of(ConsistencyStrategy), "1",    "O",   "NP",  "OA",    1),
        Attribute("gn",   "groupName",                     STRING,                       "0..1", "O",   "O",   "OA"),
        Attribute("ssi",  "semanticSupportIndicator",      BOOLEAN,                      "0..1", "NP",  "NP",  "OA"),
        Attribute("nar",  "notifyAggregation",             BATCH_NOTIFY,                 "0..1", "O",   "O",   "OA"),
    ),
    parents=frozenset({"ae", "aeA", "cb", "cbA", "csr", "csrA"}),
    virtual={"fopt": fan_out},
    prepare_create=_prepare_create,
    prepare_update=_prepare_update,
    on_create=_on_create,
    on_created=_remind,
    on_update=_on_update,
    on_updated=_on_updated,
    on_delete=_on_delete,
    on_notify=_on_notify,
)
