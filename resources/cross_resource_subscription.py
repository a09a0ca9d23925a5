"""A wish to be told when several resources have changed within a time (TS-0001 9.6.58, 10.2.16; TS-0004 7.4.58, 7.5.1.2.18, 7.5.1.2.20)."""

from collections.abc import Generator, Mapping
from dataclasses import replace as replaced
from typing import Any

from msgspec.structs import replace

from cse.address import same_entity
from cse.codes import AccessControlOperation as Right
from cse.codes import EventEvaluationMode, ResourceTypeID, TimeWindowType
from cse.codes import ResponseStatusCode as RSC
from cse.datatypes import ANY_URI, BOOLEAN, DURATION, EVENT_CAT, POSITIVE_INT, duration_seconds, enum_of, list_of
from cse.errors import (
    BadRequest,
    NotFound,
    OriginatorHasNoPrivilege,
    SubscriptionCreatorHasNoPrivilege,
    SubscriptionHostHasNoPrivilege,
)
from cse.notify import reference, tell, withdraw
from cse.primitives import Effect, Request, Response, Steps, Turn
from cse.record import Record
from cse.schema import Attribute, Change, Host, ResourceType
from cse.storage.contract import Query
from cse.structures import EVENT_NOTIFICATION_CRITERIA_SET, NOTIFICATION_STATS
from resources import _cross_sources as cross
from resources import _cross_windows as windows
from resources._common import CONSULTED, CREATOR, CUSTODIAN, EXPIRES, LABELS, POLICIES, UNIVERSAL, unannounced
from resources._target_removal import remove_target
from resources.subscription import statistics, verify

_TYPES = frozenset({int(ResourceTypeID.CROSS_RESOURCE_SUBSCRIPTION)})
_HEARD = 64
"""Requests of other CSEs that are remembered, so that one that is repeated counts once."""


# --- CREATE and UPDATE --------------------------------------------------------------------------------------------------------------------------------------


def _check(attributes: Mapping[str, Any]) -> None:
    """Check what the table cannot say (TS-0004 7.4.58.2.1). Raises BadRequest."""
    regular, given = attributes.get("rrat"), attributes.get("encs")
    if regular is None and "srat" not in attributes:
        raise BadRequest("rrat or srat is needed: there is nothing to be told of")
    if regular is not None:
        entries = [] if given is None else given.get("encn") or given.get("enc")
        if len(entries) not in (1, len(regular)):
            raise BadRequest(f"encs has {len(entries)} criteria, rrat with {len(regular)} targets needs one, or one for each")
    if attributes["twt"] == TimeWindowType.SLIDING_WINDOW and windows.mode(attributes) in windows.OF_MISSING:
        raise BadRequest(f"eem {windows.mode(attributes)} tells of missing events, which needs periodic windows (twt 1)")
    if duration_seconds(attributes["tws"]) <= 0:
        raise BadRequest(f"tws {attributes['tws']!r} is no time")


def _prepare_create(host: Host, request: Request, parent: Record, given: Mapping[str, Any]) -> Generator[Effect, tuple[Response, ...], Any]:
    """Verify the notification targets, then subscribe at other CSEs; both are told the ri, so that it is chosen before."""
    _check(given)
    wanted = cross.targets(given)
    cross.check(host, wanted)
    yield Turn.WRITE
    with host.write(request) as change:
        ri = change.transaction.identify("crs", parent.ri, TYPE.ty)
    yield from verify(host, request, ri, given["nu"])
    return (yield from cross.join_there(host, request, ri, wanted, given.get("et")))


def _identify(change: Change, draft: dict[str, Any], prepared: cross.Journey) -> str:
    return prepared.ri


def _on_create(change: Change, draft: dict[str, Any], parent: Record, prepared: cross.Journey) -> Mapping[str, Any]:
    _check(draft)
    draft["cr"] = change.request.fr
    draft["nu"] = list(dict.fromkeys(draft["nu"]))
    if draft.get("nse"):
        draft["nsi"] = statistics(draft["nu"], ())
    found = [
        prepared.sources[place] if place in prepared.sources else cross.join_here(change, draft["ri"], target, draft["et"])
        for place, target in enumerate(cross.targets(draft))
    ]
    if prepared.journal is not None:
        change.transaction.drop([prepared.journal.id])
    sources = list({source["at"]: source for source in found}.values())
    if own := [cross.local(change.host, source) or source["at"] for source in sources if source["own"]]:
        draft["rrats"] = own
    return {"sources": sources, "window": windows.first(draft, change.seconds), "heard": []}


def _on_created(change: Change, record: Record) -> None:
    """Its own creation is no event for the subscriptions it has made at its parent."""
    own = {cross.local(change.host, source) for source in record.state["sources"]}
    for place, event in enumerate(change.events):
        if event.resource.ri == record.ri:
            change.events[place] = replaced(event, subscriptions=tuple(found for found in event.subscriptions if found.ri not in own))
    _wake(change, record)


def _prepare_update(host: Host, request: Request, record: Record, changes: Mapping[str, Any]) -> Generator[Effect, tuple[Response, ...], Any]:
    _check(record.with_attributes(changes).attributes)
    yield from verify(host, request, record.ri, [target for target in changes.get("nu", ()) if target not in record.attributes["nu"]])
    if "et" in changes:
        yield from cross.extend(host, request, record, changes["et"])


def _on_update(change: Change, record: Record, changes: dict[str, Any], _: Any) -> None:
    _check(record.with_attributes(changes).attributes)
    targets = changes.get("nu", record.attributes["nu"])
    if "nu" in changes:
        changes["nu"] = targets = list(dict.fromkeys(targets))
    if changes.get("nse"):
        changes["nsi"] = statistics(targets, ())
    elif "nse" in changes and changes["nse"] is None:
        changes["nsi"] = None
    elif "nu" in changes and "nsi" in record.attributes:
        changes["nsi"] = statistics(targets, record.attributes["nsi"])


def _on_updated(change: Change, before: Record, record: Record) -> None:
    """Begin anew when the windows are others, and let the subscriptions made here live as long."""
    if any(before.get(name) != record.get(name) for name in ("twt", "tws", "eem")):
        record = replace(record, state={**record.state, "window": windows.first(record.attributes, change.seconds)})
        change.replace(record)
        _wake(change, record)
    if before.get("et") != record.get("et"):
        for source in record.state["sources"]:
            made = change.transaction.get(cross.local(change.host, source)) if source["own"] else None
            parent = change.transaction.get(made.pi) if made is not None else None
            if made is not None and parent is not None:
                change.replace(made.with_attributes({"et": min(record.attributes["et"], parent.attributes.get("et", record.attributes["et"]))}))


def _on_delete(change: Change, record: Record) -> None:
    """Leave the sources, drop what they have still told, and let ``su`` hear of the end (TS-0004 7.4.58.2.4)."""
    withdraw(change, reference(change.host, record))
    change.ended.append(record)
    cross.depart(change, record)


# --- events -------------------------------------------------------------------------------------------------------------------------------------------------


def _on_notify(host: Host, request: Request, record: Record) -> Steps:
    """Take what the sources tell: an event, or that a source is gone, with which this subscription ends (TS-0004 7.5.1.2.18)."""
    told = _notifications(request)
    if any(each.get("vrq") for each in told):
        for each in told:
            _check_subscriber(host, request, record, each)
        return _done(request)
    names = [_source(host, request, record, each) for each in told]
    if None in names and not host.may(host.reader, request, Right.NOTIFY, record):
        raise OriginatorHasNoPrivilege(f"{request.fr or 'nobody'} has no NOTIFY privilege on {request.to}")
    if None in names:
        raise BadRequest(f"sur {told[names.index(None)]['sur']!r} is no subscription of {record.path}")
    yield Turn.WRITE
    with host.write(request) as change:
        current = change.transaction.get(record.ri)
        if current is None:
            raise NotFound(f"{record.path} does not exist any more")
        _take(change, current, [(str(name), bool(each.get("sud"))) for name, each in zip(names, told, strict=True)])
    return _done(request)


def _done(request: Request) -> Response:
    return Response(RSC.OK, request.rqi, rvi=request.rvi)


def _notifications(request: Request) -> list[Mapping[str, Any]]:
    """Give the notifications in the content of a NOTIFY, one or those of a batch. Raises BadRequest."""
    content = request.pc if isinstance(request.pc, Mapping) and len(request.pc) == 1 else {}
    batch = content.get("m2m:agn")
    found = batch.get("m2m:sgn") if isinstance(batch, Mapping) else [content.get("m2m:sgn")]
    if not isinstance(found, list) or not found or not all(isinstance(each, Mapping) and isinstance(each.get("sur"), str) for each in found):
        raise BadRequest("a crossResourceSubscription takes m2m:sgn, or m2m:agn with a list of them, each with its sur")
    return found


def _check_subscriber(host: Host, request: Request, record: Record, asked: Mapping[str, Any]) -> None:
    """Agree to be the target of a subscription when its creator has the privilege and the sender hosts it (TS-0004 7.5.1.2.1)."""
    creator = str(asked.get("cr", request.fr))
    if not host.may(host.reader, Request(request.op, record.ri, creator, request.rqi), Right.NOTIFY, record):
        raise SubscriptionCreatorHasNoPrivilege(f"{creator} has no NOTIFY privilege on {request.to}")
    if not _hosts(host, request, asked["sur"]):
        raise SubscriptionHostHasNoPrivilege(f"{request.fr} does not host the subscription {asked['sur']}")


def _hosts(host: Host, request: Request, subscription: str) -> bool:
    """Tell whether the originator of a request is the CSE of a subscription."""
    sender = cross.canonical(host, request.fr or "")
    return cross.canonical(host, subscription).startswith(f"{sender}/") and (sender != host.settings.cse_id or request.peer.internal)


def _source(host: Host, request: Request, record: Record, told: Mapping[str, Any]) -> str | None:
    """Give the source that a notification is from, None when it is from nobody known."""
    settings = host.settings
    if not _hosts(host, request, told["sur"]):
        return None
    found = host.resolve(host.reader, told["sur"])
    sur = told["sur"] if found is None else found.ri
    return next((source["at"] for source in record.state["sources"] if same_entity(source["at"], sur, settings.cse_id, settings.sp_id)), None)


def _take(change: Change, record: Record, told: list[tuple[str, bool]]) -> None:
    """Put the events of a request into their window; a source that is gone ends everything."""
    state = record.state
    if not change.request.peer.internal:
        key = f"{change.request.fr} {change.request.rqi}"
        if key in state["heard"]:
            return
        state = {**state, "heard": [*state["heard"], key][-_HEARD:]}
    if gone := [source for source, ended in told if ended]:
        state = {**state, "sources": [source for source in state["sources"] if source["at"] not in gone]}
        record = replace(record, state=state)
        change.replace(record)
        change.remove(record)
        return
    left: Record | None = replace(record, state=state)
    for source, _ in told:
        left = None if left is None else _turn(change, left)
        if left is not None:
            window, full = windows.reported(left.attributes, left.state["window"], source, len(left.state["sources"]), change.seconds)
            left = _keep(change, left, window, full)
    if left is not None:
        _wake(change, left)


def _turn(change: Change, record: Record) -> Record | None:
    """End a window whose time is over; give the resource as it is then, None when its last notification has ended it."""
    window, met = windows.turned(record.attributes, record.state["window"], len(record.state["sources"]), change.seconds)
    return _keep(change, record, window, met)


def _keep(change: Change, record: Record, window: windows.Window, met: bool) -> Record | None:
    """Store the window, and notify when its condition is met."""
    after = replace(record, state={**record.state, "window": window})
    if after != change.transaction.get(record.ri):
        change.replace(after)
    if not met:
        return after
    tell(change, after, {"m2m:sgn": {"sur": reference(change.host, after)}})
    return change.transaction.get(record.ri)


def _wake(change: Change, record: Record) -> None:
    moment = windows.decides(record.attributes, record.state["window"])
    if moment is not None:
        change.wake(moment)


def _on_due(change: Change) -> float | None:
    """End the windows whose time is over; give the time of the next end that decides something."""
    following: list[float] = []
    for found in list(change.transaction.find(Query(change.host.settings.cse_name, depth=2, types=_TYPES))):
        record = change.transaction.get(found.ri)
        if record is None or change.host.expired(record):
            continue
        after = _turn(change, record)
        moment = None if after is None else windows.decides(after.attributes, after.state["window"])
        following += [] if moment is None else [moment]
    return min(following, default=None)


TYPE = ResourceType(
    ty=48,
    short="m2m:crs",
    name="crossResourceSubscription",
    spec="TS-0001 9.6.58",
    attributes=(
        *UNIVERSAL,
        *unannounced(EXPIRES, POLICIES, CONSULTED, LABELS),
        replaced(CREATOR, card="1"),
        CUSTODIAN,
        #         short    long                                     type                             card    create update announce default
        Attribute("rrat",  "regularResourcesAsTarget",              list_of(ANY_URI),                "0..1", "O",   "NP",  "NA"),
        Attribute("srat",  "subscriptionResourcesAsTarget",         list_of(ANY_URI),                "0..1", "O",   "NP",  "NA"),
        Attribute("rrats", "regularResourcesAsTargetSubscriptions", list_of(ANY_URI),                "0..1", "NP",  "NP",  "NA"),
        Attribute("twt",   "timeWindowType",                        enum_of(TimeWindowType),         "1",    "M",   "O",   "NA"),
        Attribute("tws",   "timeWindowSize",                        DURATION,                        "1",    "M",   "O",   "NA"),
        Attribute("encs",  "eventNotificationCriteriaSet",          EVENT_NOTIFICATION_CRITERIA_SET, "0..1", "O",   "NP",  "NA"),
        Attribute("nec",   "notificationEventCat",                  EVENT_CAT,                       "0..1", "O",   "NP",  "NA"),
        Attribute("exc",   "expirationCounter",                     POSITIVE_INT,                    "0..1", "O",   "O",   "NA"),
        Attribute("nu",    "notificationURI",                       list_of(ANY_URI),                "1",    "M",   "O",   "NA"),
        Attribute("su",    "subscriberURI",                         ANY_URI,                         "0..1", "O",   "NP",  "NA"),
        Attribute("eem",   "eventEvaluationMode",                   enum_of(EventEvaluationMode),    "0..1", "O",   "O",   "NA"),
        Attribute("nse",   "notificationStatsEnable",               BOOLEAN,                         "0..1", "O",   "O",   "NA"),
        Attribute("nsi",   "notificationStatsInfo",                 list_of(NOTIFICATION_STATS),     "0..1", "NP",  "NP",  "NA"),
    ),
    parents=frozenset({"ae", "cb", "csr"}),
    virtual={"ntsr": remove_target},
    identify=_identify,
    prepare_create=_prepare_create,
    undo_create=cross.undo,
    prepare_update=_prepare_update,
    on_create=_on_create,
    on_created=_on_created,
    on_update=_on_update,
    on_updated=_on_updated,
    on_delete=_on_delete,
    on_notify=_on_notify,
    errand=cross.errand,
    on_due=_on_due,
)
