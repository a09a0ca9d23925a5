"""Events and subscriptions become notices in the outbox (TS-0001 10.2.10, TS-0004 7.5.1.2)."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.structs import replace

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

_OPERATIONS = {Right.CREATE: Operation.CREATE, Right.RETRIEVE: Operation.RETRIEVE, Right.UPDATE: Operation.UPDATE, Right.DELETE: Operation.DELETE}


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
    """Queue one event for all targets of a subscription and count it (``exc``)."""
    current = change.transaction.get(subscription.ri)
    if current is None and event.net != Net.DELETE_OF_RESOURCE and event.operation != Right.DELETE:
        return
    subscription = current or subscription
    notification = {"nev": _event(change.host, subscription, event), "sur": reference(change.host, subscription)}
    if "nfu" in subscription.attributes:
        notification["nfu"] = subscription.attributes["nfu"]
    counted = queue(change, subscription, {"m2m:sgn": notification})
    if current is not None:
        _count(change, current, counted)


def tell(change: Change, subscription: Record, content: Mapping[str, Any]) -> None:
    """Queue a notification for all targets of a subscription and count it; the last one that ``exc`` allows ends the subscription."""
    _count(change, subscription, queue(change, subscription, content))


def _count(change: Change, subscription: Record, counted: Record) -> None:
    """Count an event that was queued (``exc``, ``nse``); ``counted`` is the subscription with what queueing remembers of it."""
    left = subscription.attributes.get("exc")
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
    """Put one notification for each target into the outbox: alone, in the place of older ones (``ln``), into a batch (``bn``), or for a later window (``rl``).

    Give the subscription with what is to be remembered of it.
    """
    attributes = subscription.attributes
    due = 0.0
    if "rl" in attributes and "bn" not in attributes and attributes.get("nec") != EventCat.IMMEDIATE:
        subscription, due = _limit(change, subscription)
    for target in attributes["nu"]:
        notice = Notice(
            target=target,
            rqi=change.host.fresh(),
            fr=change.host.settings.cse_id,
            content=content,
            subscription=subscription.ri,
            ec=attributes.get("nec"),
            created=change.seconds,
        )
        if attributes.get("ln"):
            notice = replace(notice, ec=EventCat.LATEST if notice.ec is None else notice.ec)
        if "bn" in attributes and notice.ec != EventCat.IMMEDIATE:
            collect(change, notice, attributes["bn"])
            continue
        if attributes.get("ln") or attributes.get("pn") == PendingNotification.SEND_LATEST:
            _drop_older(change, notice, 0.0 if attributes.get("ln") else change.host.settings.request_timeout)
        change.transaction.enqueue(replace(notice, due=due, held=due > 0))
    return subscription


def _drop_older(change: Change, notice: Notice, patience: float) -> None:
    """Drop what waits for a target once the oldest of it waits longer than ``patience`` seconds: then the target cannot be reached (TS-0001 9.6.8 pn)."""
    older = [found for held in (False, True) for found in change.transaction.notices(held=held, subscription=notice.subscription, target=notice.target)]
    if older and older[0].created <= notice.created - patience:
        change.transaction.drop([found.id for found in older])


def _limit(change: Change, subscription: Record) -> tuple[Record, float]:
    """Count a notification against the rate limit (TS-0004 7.5.1.2.6): give the subscription and the time at which its window begins, 0 for the window now.

    Windows follow one another as long as something waits; what exceeds ``mnn`` in one is sent at the beginning of the next that has room.
    """
    most = max(1, subscription.attributes["rl"]["mnn"])
    length = max(0.001, duration_seconds(subscription.attributes["rl"]["tww"]))
    start, sent = subscription.state.get("window", (change.seconds, 0))
    passed = int((change.seconds - start) // length)
    start, sent = start + passed * length, max(0, sent - passed * most)
    if not sent:
        start = change.seconds
    if subscription.attributes.get("ln"):
        sent = min(sent, most)  # what waits gives way
    counted = replace(subscription, state={**subscription.state, "window": [start, sent + 1]})
    return counted, start + sent // most * length if sent >= most else 0.0


def batches(record: Record) -> bool:
    """Tell whether what is held for a resource goes out as one m2m:agn: for a subscription with batchNotify, and for a group, which only aggregates."""
    return record.ty != ResourceTypeID.SUBSCRIPTION or "bn" in record.attributes


def collect(change: Change, notice: Notice, batch: Mapping[str, Any]) -> float:
    """Hold a notification for its batch, and let the batch go when it is full (TS-0004 7.5.1.2.7); give the time in seconds at which it goes otherwise."""
    held = change.transaction.notices(limit=max(1000, batch.get("num", 0)), held=True, subscription=notice.subscription, target=notice.target)
    duration = duration_seconds(batch["dur"]) if "dur" in batch else change.host.settings.default_batch_seconds
    due = held[0].due if held else notice.created + duration
    last = change.transaction.enqueue(replace(notice, due=due, held=True))
    if batch.get("num") and len(held) + 1 >= batch["num"]:
        release(change, [*held, last])
    return due


def release(change: Change, held: list[Notice], batched: bool = True) -> None:
    """Send what was collected for one target as one m2m:agn, oldest first; of event category 4 only the latest (``ln``).

    What a rate limit has kept back, of a subscription without batches, is sent one by one.
    """
    change.transaction.drop([found.id for found in held])
    if not batched:
        for notice in held:
            change.transaction.enqueue(replace(notice, due=0.0, held=False, id=0))
        return
    sent = held[-1:] if held[-1].ec == EventCat.LATEST else held
    content = {"m2m:agn": {"m2m:sgn": [found.content["m2m:sgn"] for found in sent]}}
    change.transaction.enqueue(replace(sent[0], content=content, due=0.0, held=False, id=0))


def withdraw(change: Change, target: str, subscription: str | None = None) -> None:
    """Drop what waits for a target, of one subscription or of all."""
    for held in (False, True):
        while waiting := change.transaction.notices(held=held, subscription=subscription, target=target):
            change.transaction.drop([notice.id for notice in waiting])


def let_go(change: Change, record: Record) -> None:
    """Send what is held for a subscription or group that is deleted."""
    waiting: dict[str, list[Notice]] = {}
    for notice in change.transaction.notices(held=True, subscription=record.ri):
        waiting.setdefault(notice.target, []).append(notice)
    for held in waiting.values():
        release(change, held, batches(record))


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


def count_deliveries(transaction: Transaction, outcomes: Sequence[tuple[Notice, bool]]) -> None:
    """Count requests and responses in the statistics of subscriptions that keep them (TS-0001 9.6.8 nse); True is a notice that was delivered."""
    of_subscription: dict[str, list[tuple[str, bool]]] = {}
    for notice, delivered in outcomes:
        of_subscription.setdefault(notice.subscription, []).append((notice.target, delivered))
    for ri, found in of_subscription.items():
        record = transaction.get(ri)
        if record is not None and record.attributes.get("nse"):
            statistics = [
                {
                    **each,
                    "rqs": each["rqs"] + sum(target == each["tg"] for target, _ in found),
                    "rsr": each["rsr"] + sum(target == each["tg"] and delivered for target, delivered in found),
                }
                for each in record.attributes.get("nsi", ())
            ]
            transaction.replace(record.with_attributes({"nsi": statistics}))


def counts_reads(subscription: Record) -> bool:
    """Tell whether a subscription may be about a RETRIEVE (net 5 or operation monitoring)."""
    criteria = subscription.attributes.get("enc", {})
    return "om" in criteria or Net.RETRIEVE_OF_CONTAINER_RESOURCE_WITH_NO_CHILD_RESOURCE in criteria.get("net", ())


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
