"""Events and subscriptions become notices in the outbox (TS-0001 10.2.10, TS-0004 7.5.1.2)."""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from cse import reachability
from cse.address import same_entity, sp_relative
from cse.codes import AccessControlOperation as Right
from cse.codes import EventCat, NotificationContentType, Operation, PendingNotification, ResourceTypeID
from cse.codes import NotificationEventType as Net
from cse.criteria import Predicate, compile_conditions
from cse.datatypes import duration_seconds
from cse.primitives import Notice
from cse.record import Record
from cse.results import wrapped
from cse.schema import Change, Event, Host
from cse.storage.contract import Reader, Transaction

_CONTENT_DEFAULT = {Net.TRIGGER_RECEIVED_FOR_AE_RESOURCE: 4, Net.BLOCKING_UPDATE: 2, Net.REPORT_ON_MISSING_DATA_POINTS: 5}

_PAGE = 1000
"""Notices read from the outbox at once, and let go in one transaction."""

_OPERATIONS = {
    Right.CREATE: Operation.CREATE,
    Right.RETRIEVE: Operation.RETRIEVE,
    Right.UPDATE: Operation.UPDATE,
    Right.DELETE: Operation.DELETE,
    Right.NOTIFY: Operation.NOTIFY,
    Right.DISCOVERY: Operation.RETRIEVE,
}


def notify(change: Change) -> None:
    """Put a notice into the outbox for every subscription that an event of this transaction matches, and for every subscription that ended."""
    for happened in change.events:
        event = _settled(change, happened)
        for subscription in event.subscriptions:
            if matches(change, subscription, event):
                _send(change, subscription, event)
    gone = {reference(change.host, subscription) for subscription in change.ended}
    for subscription in change.ended:
        _tell_deletion(change, subscription, gone)


def _settled(change: Change, event: Event) -> Event:
    """Give an event of an UPDATE with the resource as it is at the end of the transaction: limits and counters may have followed."""
    if event.net != Net.UPDATE_OF_RESOURCE or event.operation == Right.DELETE:
        return event
    resource = change.transaction.get(event.resource.ri) or event.resource
    return dataclasses.replace(event, resource=resource, subject=resource if event.subject is event.resource else event.subject)


def events_of(subscription: Record) -> list[int]:
    """Give the event types a subscription is about; update of the resource when it names none (TS-0004 7.4.8)."""
    criteria = subscription.attributes.get("enc", {})
    found: list[int] = criteria.get("net", [] if "om" in criteria else [Net.UPDATE_OF_RESOURCE])
    return found


def content_type_of(subscription: Record, net: int) -> int:
    """Give notificationContentType, or its default for an event type."""
    found: int = subscription.attributes.get("nct", _CONTENT_DEFAULT.get(Net(net), NotificationContentType.ALL_ATTRIBUTES))
    return found


def matches(change: Change, subscription: Record, event: Event) -> bool:
    """Tell whether an event counts for a subscription (TS-0001 9.6.8: event type, attributes, child types, conditions, operations)."""
    criteria: Mapping[str, Any] = subscription.attributes.get("enc", {})
    if event.operation:
        if not any(_monitored(change.host, entry, event, change.request.fr) for entry in criteria.get("om", ())):
            return False
    elif event.net not in events_of(subscription):
        return False
    if event.net == Net.UPDATE_OF_RESOURCE and not event.operation:
        watched = criteria.get("atr")
        if watched is not None and not any(name in event.modified for name in watched):
            return False
    elif "chty" in criteria and event.resource is not event.subject and event.resource.ty not in criteria["chty"]:
        return False
    test = _conditions(criteria)
    return test is None or test(change.transaction, event.resource)


_NO_CONDITIONS = frozenset({"net", "om", "atr", "chty", "md", "fo"})


def _conditions(criteria: Mapping[str, Any]) -> Predicate | None:
    if criteria.keys() <= _NO_CONDITIONS:
        return None
    return compile_conditions({name: value for name, value in criteria.items() if name == "fo" or name not in _NO_CONDITIONS})


def _monitored(host: Host, entry: Mapping[str, Any], event: Event, originator: str | None) -> bool:
    if "ops" in entry and not entry["ops"] & event.operation:
        return False
    wanted = entry.get("or", entry.get("org"))
    return wanted is None or same_entity(wanted, originator or "", host.settings.cse_id, host.settings.sp_id)


def _send(change: Change, subscription: Record, event: Event) -> None:
    """Queue one event for all targets of a subscription and count it: ``exc`` what is told or will be, ``nsi`` every event."""
    current = change.transaction.get(subscription.ri)
    if current is None and event.net != Net.DELETE_OF_RESOURCE and event.operation != Right.DELETE:
        return
    subscription = current or subscription
    signal = {"nev": _event(change.host, subscription, event), "sur": reference(change.host, subscription)}
    if "nfu" in subscription.attributes:
        signal["nfu"] = subscription.attributes["nfu"]
    if current is not None:
        tell(change, current, {"m2m:sgn": signal})
    elif not _missed(change, subscription):
        queue(change, subscription, {"m2m:sgn": signal})


def tell(change: Change, subscription: Record, content: Mapping[str, Any]) -> None:
    """Queue a notification for all targets of a subscription and count it: ``exc`` what is told or will be, ``nsi`` every event.

    The last one that ``exc`` allows ends the subscription.
    """
    told = not _missed(change, subscription)
    counted = queue(change, subscription, content) if told else subscription
    left = subscription.attributes.get("exc") if told else None
    if left == 1:
        change.remove(subscription)
        return
    if left is not None:
        counted = counted.with_attributes({"exc": left - 1})
    if subscription.attributes.get("nse"):
        statistics = [{**each, "noec": each["noec"] + 1} for each in subscription.attributes.get("nsi", ())]
        counted = counted.with_attributes({"nsi": statistics})
    if counted is not subscription:
        change.replace(counted)


def _event(host: Host, subscription: Record, event: Event) -> dict[str, Any]:
    match content_type_of(subscription, event.net):
        case NotificationContentType.MODIFIED_ATTRIBUTES:
            shown: Any = {host.type_of(event.resource).short: {name: event.resource.attributes.get(name) for name in event.modified}}
        case NotificationContentType.RESOURCE_ID:
            shown = {"m2m:uri": event.resource.ri}
        case NotificationContentType.TIME_SERIES_NOTIFICATION:
            shown = {"m2m:tsn": {name: event.resource.attributes[name] for name in ("mdlt", "mdc")}}
        case _:
            shown = wrapped(host, event.resource)
    if event.operation:
        return {"rep": shown, "om": {"op": int(_OPERATIONS[Right(event.operation)]), "or": event.by}}
    return {"rep": shown, "net": int(event.net)}


def reference(host: Host, subscription: Record) -> str:
    """Give subscriptionReference: the SP-relative address, valid wherever the notification arrives."""
    return f"{host.settings.cse_id}/{subscription.ri}"


def queue(change: Change, subscription: Record, content: Mapping[str, Any]) -> Record:
    """Put one notification for each target of a subscription into the outbox; give the subscription with what is to be remembered of it."""
    category = subscription.attributes.get("nec")
    if category is None and subscription.attributes.get("ln"):
        category = EventCat.LATEST
    for target in subscription.attributes["nu"]:
        subscription = put(change, subscription, target, content, category)
    return subscription


def put(change: Change, record: Record, target: str, content: Mapping[str, Any], category: int | None) -> Record:
    """Put one notification of a subscription or group into the outbox: alone, in the place of older ones (``ln``), or held by batch, rate limit, schedule.

    Give the subscription or group with what is to be remembered of it.
    """
    host, attributes = change.host, record.attributes
    batched = _batch(host, record, target) is not None
    held = category != EventCat.IMMEDIATE and (batched or "rl" in attributes or reachability.governed(record))
    notice = Notice(target, host.fresh(), host.settings.cse_id, content, record.ri, category, change.seconds, held=held)
    if attributes.get("ln") and not (held and batched):
        _drop_older(change, notice)
    change.transaction.enqueue(notice)
    if held:
        record = _release(change, record, target)
    _bound(change, target)
    return record


def _batch(host: Host, record: Record, target: str) -> Mapping[str, Any] | None:
    """Give by what number and duration notifications are collected: batchNotify; a group has notifyAggregation, or the provider a duration for it.

    What a group holds for itself is a reminder, which has a time of its own.
    """
    if record.ty != ResourceTypeID.GROUP:
        found: Mapping[str, Any] | None = record.attributes.get("bn")
        return found
    if target == record.path:
        return {}
    return record.attributes.get("nar") or {"dur": f"PT{host.settings.default_aggregation_seconds:g}S"}


def _drop_older(change: Change, notice: Notice) -> None:
    """Drop what waits for a target and gives way to a newer notification of the same subscription (TS-0004 7.5.1.2.5)."""
    for held in (False, True):
        older = change.transaction.notices(held=held, subscription=notice.subscription, target=notice.target)
        change.transaction.drop([found.id for found in older])


def _missed(change: Change, subscription: Record) -> bool:
    """Tell whether an event is not told to anybody: outside of the schedule of a subscription that keeps nothing (no ``pn``, TS-0001 9.6.8)."""
    attributes = subscription.attributes
    if not reachability.governed(subscription) or "pn" in attributes or "bn" in attributes or attributes.get("nec") == EventCat.IMMEDIATE:
        return False
    return reachability.opens(subscription, change.seconds) > change.seconds


def visit(change: Change, ri: str, departed: Iterable[str] = ()) -> None:
    """Let go what the policies of a subscription or group no longer hold back, all of it for targets that have ``departed``."""
    record = change.transaction.get(ri)
    if record is None:
        return
    for target in departed:
        _send_on(change, record, target, list(_waiting(change.transaction, subscription=ri, target=target, held=True)))
    counted = record
    for target in _targets(change.transaction, record):
        counted = _release(change, counted, target)
    if counted is not record:
        change.replace(counted)


def _targets(reader: Reader, record: Record) -> Iterable[str]:
    """Give for whom a resource may hold notifications: what a subscription names, what a group has gathered for."""
    if record.ty != ResourceTypeID.GROUP:
        named: Iterable[str] = record.attributes.get("nu", ())
        return named
    return dict.fromkeys(found.target for found in _waiting(reader, held=True, subscription=record.ri))


def _release(change: Change, record: Record, target: str) -> Record:
    """Let go what is held for a target, oldest first, as far as batch, schedule and rate limit allow now, and say when to look again.

    What limits is the sending: one aggregated notification counts as one. While a window is full or the schedule closed a batch goes on collecting.
    Give the subscription or group with what has been counted of its window.
    """
    ri, attributes, now = record.ri, record.attributes, change.seconds
    batch = _batch(change.host, record, target)
    if batch is not None:
        number = batch.get("num", 0)
        collected = change.transaction.notices(limit=max(1, number), held=True, subscription=ri, target=target)
        if not collected:
            return record
        ends = collected[0].created + duration_seconds(batch["dur"]) if "dur" in batch else collected[0].due
        if ends > now and not (number and len(collected) >= number):
            change.revisit(ri, ends)
            return record
    opens = reachability.opens(record, now)
    if opens > now:
        _keep(change, record, target)
        change.revisit(ri, opens)
        return record
    room, start, sent = _window(record, target, now)
    if not room:
        change.revisit(ri, start + _length(record))
        return record
    if batch is not None:
        going = list(_waiting(change.transaction, subscription=ri, target=target, held=True))
    else:
        going = change.transaction.notices(limit=min(room, _PAGE), held=True, subscription=ri, target=target)
        if len(going) == min(room, _PAGE):
            change.revisit(ri, now if room > _PAGE else start + _length(record))
    _send_on(change, record, target, going)
    if "rl" not in attributes or not going:
        return record
    windows = {name: kept for name, kept in record.state.get("windows", {}).items() if name in attributes["nu"]}
    return replace(record, state={**record.state, "windows": {**windows, target: [start, sent + (1 if batch is not None else len(going))]}})


def _keep(change: Change, subscription: Record, target: str) -> None:
    """Keep of what would be sent while the schedule is closed what ``pn`` wants: all (2), the latest (1), nothing (TS-0001 9.6.8)."""
    pending = subscription.attributes.get("pn")
    if pending != PendingNotification.SEND_ALL_PENDING:
        ids = [found.id for found in _waiting(change.transaction, subscription=subscription.ri, target=target, held=True)]
        change.transaction.drop(ids if pending is None else ids[:-1])


def _window(subscription: Record, target: str, now: float) -> tuple[int, float, int]:
    """Give how many notifications may be sent to a target now (TS-0004 7.5.1.2.6), when its window began, and how many were sent in it.

    A window begins with the first notification after the one before; without a rate limit everything may be sent.
    """
    if "rl" not in subscription.attributes:
        return _PAGE + 1, now, 0
    most = max(1, subscription.attributes["rl"]["mnn"])
    start, sent = subscription.state.get("windows", {}).get(target, (now, 0))
    if not start <= now < start + _length(subscription):
        start, sent = now, 0
    return max(0, most - sent), start, sent


def _length(subscription: Record) -> float:
    limit: Mapping[str, Any] | None = subscription.attributes.get("rl")
    return 0.0 if limit is None else max(0.001, duration_seconds(limit["tww"]))


def _send_on(change: Change, record: Record, target: str, held: Sequence[Notice]) -> None:
    """Send what was held for one target: one by one, or what was collected as one m2m:agn, oldest first, of which ``ln`` leaves the latest."""
    change.transaction.drop([found.id for found in held])
    if held and _batch(change.host, record, target) is not None:
        sent = held[-1:] if record.attributes.get("ln") else held
        held = [replace(sent[0], content={"m2m:agn": {"m2m:sgn": [found.content["m2m:sgn"] for found in sent]}})]
    for notice in held:
        change.transaction.enqueue(replace(notice, due=0.0, held=False, id=0))


def _waiting(reader: Reader, *, held: bool, subscription: str | None = None, target: str | None = None) -> Iterator[Notice]:
    """Give all that is in the outbox, page by page."""
    after = 0
    while page := reader.notices(after, _PAGE, held=held, subscription=subscription, target=target):
        after = page[-1].id
        yield from page


def holding(reader: Reader) -> set[str]:
    """Give the subscriptions and groups that hold notifications back (for the start)."""
    return {found.subscription for found in _waiting(reader, held=True)}


def keep_latest(transaction: Transaction, target: str) -> None:
    """Keep of what waits for a target that cannot be reached only the latest of each subscription that wants no more (pn 1, TS-0001 9.6.8)."""
    newest: dict[str, int] = {}
    older = []
    for found in _waiting(transaction, held=False, target=target):
        if found.subscription in newest:
            older.append((found.subscription, newest[found.subscription]))
        newest[found.subscription] = found.id
    wanting = {ri for ri, _ in older if (record := transaction.get(ri)) is not None and record.attributes.get("pn") == PendingNotification.SEND_LATEST}
    transaction.drop([number for ri, number in older if ri in wanting])


def _bound(change: Change, target: str) -> None:
    """Store no more for a target than the CSE has room for: the lowest storage priority goes first, of these the oldest (nsp, TS-0001 9.6.8).

    A sixteenth more than needed goes, so that a target that is gone for good does not cost a count for each notification.
    """
    host, transaction = change.host, change.transaction
    most = host.settings.max_stored
    if not most or host.backlog.add(target) <= most:
        return
    stored = [found for held in (False, True) for found in _waiting(transaction, held=held, target=target)]
    if len(stored) > most:
        records = ((ri, transaction.get(ri)) for ri in {found.subscription for found in stored})
        priorities = {ri: record.attributes.get("nsp", 0) if record is not None else 0 for ri, record in records}
        stored.sort(key=lambda found: (priorities[found.subscription], found.id))
        dropped = stored[: len(stored) - most + most // 16]
        stored = stored[len(dropped) :]
        transaction.drop([found.id for found in dropped])
        host.tell(f"dropped {len(dropped)} notifications to {target}: more than {most} (notification.max_stored) wait for it")
    host.backlog.counted(target, len(stored))


def withdraw(change: Change, target: str | None, subscription: str | None = None) -> None:
    """Drop what waits for a target or for all (None), of one subscription or of all."""
    for held in (False, True):
        while waiting := change.transaction.notices(held=held, subscription=subscription, target=target):
            change.transaction.drop([notice.id for notice in waiting])


def let_go(change: Change, record: Record) -> None:
    """Send what is held for a subscription or group that is deleted."""
    waiting: dict[str, list[Notice]] = {}
    for notice in _waiting(change.transaction, held=True, subscription=record.ri):
        waiting.setdefault(notice.target, []).append(notice)
    for target, held in waiting.items():
        _send_on(change, record, target, held)


def _tell_deletion(change: Change, subscription: Record, gone: set[str]) -> None:
    """Let waiting batches of a deleted subscription go and tell ``su`` and ``acrs``, but those that are gone too, that it is (TS-0004 7.4.8.2.4)."""
    let_go(change, subscription)
    targets = [subscription.attributes[name] for name in ("su",) if name in subscription.attributes]
    targets += [target for target in subscription.attributes.get("acrs", ()) if target not in gone]
    for target in targets:
        content = {"m2m:sgn": {"sud": True, "sur": reference(change.host, subscription)}}
        change.transaction.enqueue(Notice(target, change.host.fresh(), change.host.settings.cse_id, content, subscription.ri, created=change.seconds))


def monitor(change: Change, operation: Right, target: Record, resource: Record, subscriptions: tuple[Record, ...]) -> None:
    """Record the event of a request for subscriptions of ``target`` that monitor operations (``enc.om``), but one that the request has just made."""
    watching = tuple(found for found in subscriptions if "om" in found.attributes.get("enc", ()) and found.ri != resource.ri)
    if watching:
        by = sp_relative(change.request.fr or "", change.host.settings.cse_id)
        change.events.append(Event(Net.UPDATE_OF_RESOURCE, watching, target, resource, operation=operation, by=by))


def monitors(subscription: Record) -> bool:
    """Tell whether a subscription monitors operations."""
    return "om" in subscription.attributes.get("enc", {})


def count_deliveries(transaction: Transaction, outcomes: Sequence[tuple[Notice, bool]]) -> None:
    """Count requests and responses in the statistics of subscriptions that keep them (TS-0001 9.6.8 nse); True is a notice that its target has answered."""
    of_subscription: dict[str, list[tuple[str, bool]]] = {}
    for notice, answered in outcomes:
        of_subscription.setdefault(notice.subscription, []).append((notice.target, answered))
    for ri, found in of_subscription.items():
        record = transaction.get(ri)
        if record is not None and record.attributes.get("nse"):
            statistics = [
                {
                    **each,
                    "rqs": each["rqs"] + sum(target == each["tg"] for target, _ in found),
                    "rsr": each["rsr"] + sum(target == each["tg"] and answered for target, answered in found),
                }
                for each in record.attributes.get("nsi", ())
            ]
            transaction.replace(record.with_attributes({"nsi": statistics}))


def counts_reads(subscription: Record) -> bool:
    """Tell whether a subscription may be about a RETRIEVE (net 5 or operation monitoring)."""
    criteria = subscription.attributes.get("enc", {})
    return monitors(subscription) or Net.RETRIEVE_OF_CONTAINER_RESOURCE_WITH_NO_CHILD_RESOURCE in criteria.get("net", ())


def read_empty(change: Change, target: Record, subscriptions: tuple[Record, ...]) -> None:
    """Record that a container was read with its children and had no valid instance to show (net 5, TS-0001 9.6.8)."""
    instances = change.transaction.children(target.ri, frozenset({ResourceTypeID.CONTENT_INSTANCE}))
    if all(map(change.host.expired, instances)):
        change.events.append(Event(Net.RETRIEVE_OF_CONTAINER_RESOURCE_WITH_NO_CHILD_RESOURCE, subscriptions, target, target))


def blocking(reader: Reader, target: Record) -> Record | None:
    """Give the subscription whose target must consent to an UPDATE of a resource (net 7), None when there is none."""
    return next((found for found in reader.subscriptions(target.ri) if Net.BLOCKING_UPDATE in found.attributes.get("enc", {}).get("net", ())), None)


def blocks(subscription: Record, changes: Mapping[str, Any]) -> bool:
    """Tell whether a blocking subscription is about one of these attributes."""
    watched = subscription.attributes["enc"].get("atr")
    return watched is None or any(name in changes for name in watched)
