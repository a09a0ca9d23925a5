"""A wish to be told of changes (TS-0001 9.6.8, TS-0004 7.4.8)."""

from collections import deque
from collections.abc import Generator, Mapping, Sequence
from typing import Any

from cse import notify, reachability
from cse.address import same_entity
from cse.codes import AccessControlOperation as Right
from cse.codes import NotificationContentType, Operation, PendingNotification, ResourceTypeID
from cse.codes import NotificationEventType as Net
from cse.codes import ResponseStatusCode as RSC
from cse.datatypes import ANY_URI, BOOLEAN, DURATION, EVENT_CAT, POSITIVE_INT, enum_of, list_of
from cse.errors import (
    BadRequest,
    BlockingSubscriptionAlreadyExists,
    NotImplementedByCSE,
    OriginatorHasNoPrivilege,
    SubscriptionVerificationInitiationFailed,
)
from cse.primitives import INSIDE, Ask, Call, Effect, Request, Response, Turn, Waivable
from cse.record import Record
from cse.schema import Attribute, Change, Event, Host, ResourceType
from cse.storage.contract import Reader
from cse.structures import BATCH_NOTIFY, EVENT_NOTIFICATION_CRITERIA, NOTIFICATION_STATS, RATE_LIMIT
from resources._common import CONSULTED, CREATOR, CUSTODIAN, EXPIRES, LABELS, POLICIES, UNIVERSAL, unannounced
from resources._target_removal import remove_target

_CONTENT: Mapping[int, tuple[int, ...]] = {1: (1, 2, 3), 2: (1, 3), 3: (1, 3), 4: (1, 3), 5: (1, 3), 6: (4,), 7: (2,), 8: (5,)}
"""notificationContentType for each event type, the default first (TS-0004 6.3.4.2.18)."""

_OF_OPERATIONS = (1, 3)
"""The same for operation monitoring, whose events have no modified attributes."""

_WITH_BLOCKING = frozenset({"rn", "et", "acpi", "daci", "lbl", "cr", "cstn", "nu", "enc", "nct", "su"})
"""Attributes that a subscription with a blocking update may have (TS-0004 7.4.8.2.1)."""

_REFUSALS = (RSC.SUBSCRIPTION_CREATOR_HAS_NO_PRIVILEGE, RSC.ORIGINATOR_HAS_NO_PRIVILEGE, RSC.SUBSCRIPTION_HOST_HAS_NO_PRIVILEGE)
"""How a target says that it does not want to be notified; any other failure means that it has not understood the question."""

_PATIENCE = 2.0
"""Seconds for targets that need not answer: one that serves a single request at a time may be waiting for the answer to the very CREATE that asks it."""


def _authorize(host: Host, reader: Reader, request: Request, parent: Record) -> bool:
    """Whoever subscribes must be allowed to read what it will be told (TS-0004 7.4.8.2.1)."""
    return host.may(reader, request, Right.CREATE, parent, ResourceTypeID.SUBSCRIPTION) and host.may(reader, request, Right.RETRIEVE, parent)


def _check(host: Host, parent: Record, attributes: Mapping[str, Any]) -> None:
    """Check what the table cannot say: which members of the criteria go together, and fit the parent (TS-0004 7.4.8.2.1). Raises BadRequest."""
    criteria = attributes.get("enc", {})
    nets = criteria.get("net", [] if "om" in criteria else [Net.UPDATE_OF_RESOURCE])
    if "net" in criteria and "om" in criteria:
        raise BadRequest("enc must not have both net and om")
    if "aq" in criteria:
        raise NotImplementedByCSE("the advanced query (enc.aq) is not supported")
    if unknown := [found for found in nets if found not in _CONTENT]:
        raise BadRequest(f"enc.net names {unknown[0]}, which is no event type")
    possible = host.children_of(host.type_of(parent))
    if wrong := [found for found in criteria.get("chty", ()) if found not in possible]:
        raise BadRequest(f"enc.chty names resource type {wrong[0]}, which cannot be a child of {parent.path}")
    if Net.RETRIEVE_OF_CONTAINER_RESOURCE_WITH_NO_CHILD_RESOURCE in nets and parent.ty != ResourceTypeID.CONTAINER:
        raise BadRequest(f"enc.net 5 is only for containers, {parent.path} is none")
    if Net.TRIGGER_RECEIVED_FOR_AE_RESOURCE in nets and parent.ty != ResourceTypeID.AE:
        raise BadRequest(f"enc.net 6 is only for AEs, {parent.path} is none")
    missing = Net.REPORT_ON_MISSING_DATA_POINTS in nets
    if missing != ("md" in criteria) or (missing and parent.ty != ResourceTypeID.TIME_SERIES):
        raise BadRequest("enc.net 8 and enc.md go together, for a timeSeries")
    _check_content(nets, attributes)
    if Net.BLOCKING_UPDATE in nets:
        _check_blocking(nets, criteria, attributes)


def _check_content(nets: list[int], attributes: Mapping[str, Any]) -> None:
    kind = attributes.get("nct")
    if kind is None:
        if len({_CONTENT[net][0] for net in nets}) > 1:
            raise BadRequest("nct is needed, since the event types of enc.net have different ones as default")
    elif not nets and kind not in _OF_OPERATIONS:
        raise BadRequest(f"nct {kind} is not allowed for the monitoring of operations (enc.om)")
    elif refused := [net for net in nets if kind not in _CONTENT[net]]:
        raise BadRequest(f"nct {kind} is not allowed for event type {refused[0]}")


def _check_blocking(nets: list[int], criteria: Mapping[str, Any], attributes: Mapping[str, Any]) -> None:
    if len(nets) > 1:
        raise BadRequest("enc.net 7 must be the only event type")
    if len(attributes["nu"]) != 1 or "://" in attributes["nu"][0]:
        raise BadRequest("a subscription to blocking updates needs exactly one nu, a resource identifier")
    if other := sorted(attributes.keys() & TYPE.names - _WITH_BLOCKING - set(TYPE.defaults) - {"ty", "ri", "pi", "ct", "lt"}):
        raise BadRequest(f"a subscription to blocking updates must not have {other[0]}")
    if other := sorted(criteria.keys() - {"net", "atr"}):
        raise BadRequest(f"enc.{other[0]} does not go together with enc.net 7")


def _prepare_create(host: Host, request: Request, parent: Record, given: Mapping[str, Any]) -> Generator[Effect, tuple[Response, ...], Any]:
    """Ask every target other than the originator whether it takes notifications; the ri is chosen before, since it is told to them."""
    _check(host, parent, given)
    _check_single(host.reader, parent, given)
    yield Turn.WRITE
    with host.write(request) as change:
        ri = change.transaction.identify("sub", parent.ri, ResourceTypeID.SUBSCRIPTION)
    # the group through which the request comes has agreed by handing it on
    handed_on = request.nesting and host.urls(host.reader, given.get("gpi", "")) == (INSIDE,)
    yield from verify(host, request, ri, [target for target in given["nu"] if not (handed_on and target == given["gpi"])])
    return ri


def _check_single(reader: Reader, parent: Record, given: Mapping[str, Any]) -> None:
    if Net.BLOCKING_UPDATE in given.get("enc", {}).get("net", ()):
        for other in reader.subscriptions(parent.ri):
            if Net.BLOCKING_UPDATE in other.attributes.get("enc", {}).get("net", ()):
                raise BlockingSubscriptionAlreadyExists(f"{other.path} has subscribed to blocking updates of {parent.path} already")


def _prepare_update(host: Host, request: Request, record: Record, changes: Mapping[str, Any]) -> Generator[Effect, tuple[Response, ...], Any]:
    _check_update(host, host.reader, record, changes)
    yield from verify(host, request, record.ri, [target for target in changes.get("nu", ()) if target not in record.attributes["nu"]])


def verify(host: Host, request: Request, ri: str, targets: list[str]) -> Generator[Effect, tuple[Response, ...], None]:
    """Send the verification request to targets other than the originator (TS-0004 7.5.1.2.1), for the subscription, or the group, ``ri``.

    Raises SubscriptionVerificationInitiationFailed.
    """
    settings = host.settings
    content = {"m2m:sgn": {"vrq": True, "sur": f"{settings.cse_id}/{ri}", "cr": request.fr}}
    own = _points(host, request.fr) if any("://" in target for target in targets) else ()
    asked = [
        target
        for target in dict.fromkeys(targets)
        if not target.startswith(own) and not same_entity(entity(host, target), request.fr, settings.cse_id, settings.sp_id)
    ]
    calls: dict[str, Call] = {}
    for target in asked:
        if refusal := reachability.target_closed(host, host.reader, target):
            raise SubscriptionVerificationInitiationFailed(f"the notification target {target!r} cannot be asked: {refusal}")
        urls = host.urls(host.reader, target)
        if urls:
            calls[target] = Call(Request(Operation.NOTIFY, target, settings.cse_id, host.fresh(), settings.release, pc=content), urls)
        elif not request.peer.waives(Waivable.VERIFICATION):
            raise SubscriptionVerificationInitiationFailed(f"the notification target {target!r} has no point of access")
    if not calls:
        return
    seconds = host.remaining(request)
    answers = yield Ask(tuple(calls.values()), min(seconds, _PATIENCE) if request.peer.lenient else seconds)
    for target, told in zip(calls, answers, strict=True):
        if not told.ok and (told.rsc in _REFUSALS or not request.peer.waives(Waivable.VERIFICATION)):
            raise SubscriptionVerificationInitiationFailed(f"the notification target {target!r} answered its verification with {int(told.rsc)}")


def _points(host: Host, originator: str | None) -> tuple[str, ...]:
    """Give the URLs below which the originator itself is notified, as it has registered: its points of access that have a path, each closed by a slash."""
    record = host.resolve(host.reader, originator) if originator else None
    if record is None or record.ty != ResourceTypeID.AE:
        return ()
    points = [point.rstrip("/") for point in record.attributes.get("poa", ())]
    return tuple(f"{point}/" for point in points if "/" in point.partition("://")[2])


def entity(host: Host, target: str) -> str:
    """Give the AE-ID of a target that is the address of an AE, anything else as it is."""
    record = None if "://" in target else host.resolve(host.reader, target)
    return target if record is None else record.attributes.get("aei", record.ri)


def _identify(change: Change, draft: dict[str, Any], prepared: Any) -> str:
    found: str = prepared
    return found


def _on_create(change: Change, draft: dict[str, Any], parent: Record, _: Any) -> None:
    _check(change.host, parent, draft)
    _check_single(change.transaction, parent, draft)
    draft["nu"] = list(dict.fromkeys(draft["nu"]))
    draft.setdefault("nct", _default_content(draft))
    draft["enc"] = _complete_criteria(draft.get("enc"))
    if "bn" in draft:
        draft["bn"] = complete_batch(change.host, draft["bn"])
    if draft.get("nse"):
        draft["nsi"] = statistics(draft["nu"], ())
    if "psn" in draft:
        _tell_earlier(change, draft, parent)


def _check_update(host: Host, reader: Reader, record: Record, changes: Mapping[str, Any]) -> None:
    """Check the subscription as it will be; blocking cannot be switched on or off (TS-0004 7.4.8.2.3)."""
    after = record.with_attributes(changes).attributes
    parent = reader.get(record.pi)
    blocking = [Net.BLOCKING_UPDATE in found.get("enc", {}).get("net", ()) for found in (record.attributes, after)]
    if "enc" in changes and any(blocking):
        raise BadRequest("a subscription to blocking updates can neither be made nor changed by an UPDATE of enc")
    if parent is None:
        raise OriginatorHasNoPrivilege(f"{record.path} has no parent any more")
    _check(host, parent, after)


def _on_update(change: Change, record: Record, changes: dict[str, Any], _: Any) -> None:
    _check_update(change.host, change.transaction, record, changes)
    if "nu" in changes:
        changes["nu"] = list(dict.fromkeys(changes["nu"]))
    if "enc" in changes:
        changes["enc"] = _complete_criteria(changes["enc"])
    if changes.get("bn") is not None:
        changes["bn"] = complete_batch(change.host, changes["bn"])
    if changes.get("nse"):
        changes["nsi"] = statistics(changes.get("nu", record.attributes["nu"]), ())
    elif "nse" in changes and changes["nse"] is None:
        changes["nsi"] = None
    elif "nu" in changes and "nsi" in record.attributes:
        changes["nsi"] = statistics(changes["nu"], record.attributes["nsi"])


def _on_updated(change: Change, before: Record, after: Record) -> None:
    """What waits is under the policies as they are now, and free for targets that are none any more."""
    notify.visit(change, after.ri, [target for target in before.attributes["nu"] if target not in after.attributes["nu"]])


def statistics(targets: list[str], kept: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Give notificationStatsInfo for targets: what is kept of them, zero for the others."""
    known = {each["tg"]: dict(each) for each in kept}
    return [known.get(target, {"tg": target, "rqs": 0, "rsr": 0, "noec": 0}) for target in targets]


def _tell_earlier(change: Change, draft: Mapping[str, Any], parent: Record) -> None:
    """Let the last ``psn`` creations of children that match be told as if they happened now (preSubscriptionNotify)."""
    subscription = Record(TYPE.ty, draft["ri"], parent.ri, draft["rn"], f"{parent.path}/{draft['rn']}", draft)
    children = (child for child in change.transaction.children(parent.ri) if not change.host.expired(child))
    events = (Event(Net.CREATE_OF_DIRECT_CHILD_RESOURCE, (subscription,), parent, child) for child in children)
    change.events.extend(deque((event for event in events if notify.matches(change, subscription, event)), draft["psn"]))


def _complete_criteria(criteria: Mapping[str, Any] | None) -> dict[str, Any]:
    """Add the event type that criteria without one mean: update of the resource."""
    given = dict(criteria or {})
    return given if "om" in given else {"net": [int(Net.UPDATE_OF_RESOURCE)], **given}


def _default_content(attributes: Mapping[str, Any]) -> int:
    nets = attributes.get("enc", {}).get("net") or [Net.UPDATE_OF_RESOURCE]
    return _CONTENT[nets[0]][0]


def complete_batch(host: Host, batch: Mapping[str, Any]) -> dict[str, Any]:
    """Add the duration of the CSE to a batchNotify without one (TS-0004 6.3.5.6)."""
    return {"dur": f"PT{host.settings.default_batch_seconds:g}S", **batch}


TYPE = ResourceType(
    ty=23,
    short="m2m:sub",
    name="subscription",
    spec="TS-0001 9.6.8",
    attributes=(
        *UNIVERSAL,
        *unannounced(EXPIRES, POLICIES, CONSULTED, LABELS, CREATOR, CUSTODIAN),
        #         short   long                                 type                              card    create update announce default
        Attribute("enc",  "eventNotificationCriteria",         EVENT_NOTIFICATION_CRITERIA,      "0..1", "O",   "O",   "NA"),
        Attribute("exc",  "expirationCounter",                 POSITIVE_INT,                     "0..1", "O",   "O",   "NA"),
        Attribute("nu",   "notificationURI",                   list_of(ANY_URI),                 "1",    "M",   "O",   "NA"),
        Attribute("gpi",  "groupID",                           ANY_URI,                          "0..1", "O",   "O",   "NA"),
        Attribute("nfu",  "notificationForwardingURI",         ANY_URI,                          "0..1", "O",   "O",   "NA"),
        Attribute("bn",   "batchNotify",                       BATCH_NOTIFY,                     "0..1", "O",   "O",   "NA"),
        Attribute("rl",   "rateLimit",                         RATE_LIMIT,                       "0..1", "O",   "O",   "NA"),
        Attribute("psn",  "preSubscriptionNotify",             POSITIVE_INT,                     "0..1", "O",   "NP",  "NA"),
        Attribute("pn",   "pendingNotification",               enum_of(PendingNotification),     "0..1", "O",   "O",   "NA"),
        Attribute("nsp",  "notificationStoragePriority",       POSITIVE_INT,                     "0..1", "O",   "O",   "NA"),
        Attribute("ln",   "latestNotify",                      BOOLEAN,                          "0..1", "O",   "O",   "NA"),
        Attribute("nct",  "notificationContentType",           enum_of(NotificationContentType), "1",    "O",   "O",   "NA"),
        Attribute("nec",  "notificationEventCat",              EVENT_CAT,                        "0..1", "O",   "O",   "NA"),
        Attribute("su",   "subscriberURI",                     ANY_URI,                          "0..1", "O",   "NP",  "NA"),
        Attribute("acrs", "associatedCrossResourceSub",        list_of(ANY_URI),                 "0..1", "O",   "O",   "NA"),
        Attribute("nse",  "notificationStatsEnable",           BOOLEAN,                          "0..1", "O",   "O",   "NA"),
        Attribute("nsi",  "notificationStatsInfo",             list_of(NOTIFICATION_STATS),      "0..1", "NP",  "NP",  "NA"),
        Attribute("eeno", "enableEventNotificationOriginator", BOOLEAN,                          "0..1", "O",   "O",   "NA"),
        Attribute("ma",   "maxAge",                            DURATION,                         "0..1", "O",   "O",   "OA"),
    ),
    parents=frozenset(
        {
            "acp", "acpA", "actr", "actrA", "ae", "aeA", "alst", "asar", "auds", "auif", "aupy", "bdt", "cb", "cbA", "cnt", "cntA", "csr", "csrA",
            "dac", "depr", "deprA", "dlv", "evcg", "exin", "fcnt", "fcntA", "grp", "grpA", "lcp", "lcpA", "mgc", "mgo", "mgoA", "mms", "mmsA", "mssp",
            "nod", "nodA", "ntp", "ntpr", "ont", "ontA", "ontr", "ontrA", "pdr", "prmr", "prmrA", "prp", "req", "rol", "sch", "schA", "smd", "smdA",
            "smi", "smiA", "smjp", "smjpA", "smr", "smrA", "stcg", "stcl", "stte", "stteA", "svsn", "tgr", "tk", "trac", "tram", "ts", "tsA", "tsb",
            "tsbA",
        }
    ),
    virtual={"ntsr": remove_target},
    authorize=_authorize,
    identify=_identify,
    prepare_create=_prepare_create,
    prepare_update=_prepare_update,
    on_create=_on_create,
    on_update=_on_update,
    on_updated=_on_updated,
)
