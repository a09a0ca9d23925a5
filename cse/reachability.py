"""Open times: what the schedules below a resource, and below the node it links to, say of it (TS-0001 9.6.9, TS-0004 7.4.9; procedures 8).

A resource keeps in its state what the schedules below it say, so that whoever has it in hand knows at once whether it is open: ``schedules`` has their
expirationTime and entries by their ri. A schedule that has expired governs nothing any more, so that what never opens is closed at most until then.
The CSEBase counts in its state how often a schedule of an entity or node has changed (``rescheduled``): while it has no state there is none at all.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from msgspec.structs import replace

from cse.address import parse, same_entity, sp_relative
from cse.codes import ResourceTypeID
from cse.datatypes import seconds_of, timestamp
from cse.errors import BadRequest, TargetNotReachable
from cse.primitives import Request
from cse.record import Record
from cse.schedule import Schedule
from cse.schedule import parse as parse_schedule
from cse.schema import Change, Host
from cse.storage.contract import Reader

_KEPT, _CHANGES = "schedules", "rescheduled"
_NOTIFYING = frozenset({ResourceTypeID.SUBSCRIPTION, ResourceTypeID.CROSS_RESOURCE_SUBSCRIPTION})
_PEERS = frozenset({int(ResourceTypeID.REMOTE_CSE)})
_STEPS = 100
"""Open times of an entity and of its node are compared so often; two that do not meet by then are compared again at that time."""

_compiled = lru_cache(maxsize=4096)(parse_schedule)


def follow(change: Change, schedule: Record, gone: bool = False) -> None:
    """Let the parent of a schedule keep what it says now, or forget it when it is ``gone``."""
    parent = change.transaction.get(schedule.pi)
    if parent is not None:
        kept = {ri: said for ri, said in parent.state.get(_KEPT, {}).items() if ri != schedule.ri}
        if not gone:
            kept[schedule.ri] = {"et": schedule.attributes["et"], "sce": schedule.attributes["se"]["sce"]}
        others = {name: value for name, value in parent.state.items() if name != _KEPT}
        change.replace(replace(parent, state={**others, _KEPT: kept} if kept else others))
    base = _base(change.host, change.transaction)
    if base is not None and (parent is None or parent.ty not in _NOTIFYING):
        change.replace(replace(base, state={**base.state, _CHANGES: base.state.get(_CHANGES, 0) + 1}))


def governed(record: Record) -> bool:
    """Tell whether there are schedules below a resource."""
    return _KEPT in record.state


def opens(record: Record, now: float) -> float:
    """Give the first moment from ``now`` on (seconds since the epoch) at which a resource is open: ``now`` itself when it is, or has no schedule."""
    living = _living(record, now)
    if not living:
        return now
    found = _fires(living, now)
    return max(end for end, _ in living) if found is None else found


def entity_opens(host: Host, reader: Reader, entity: Record, now: float) -> float:
    """Give the first moment from ``now`` on at which an AE or CSE can be reached: it is open, and the node that it links to (``nl``) is."""
    node = _node(host, reader, entity)
    moment = opens(entity, now)
    if node is None:
        return moment
    for _ in range(_STEPS):
        later = opens(node, moment)
        moment = opens(entity, later)
        if moment == later:
            break
    return moment


def target_opens(host: Host, reader: Reader, target: str) -> float:
    """Give when an entity can be reached by its address, 0.0 when it can now. A URL always can."""
    if "://" in target or not changes(host, reader):
        return 0.0
    entity, now = _entity(host, reader, target), host.now()
    moment = now if entity is None else entity_opens(host, reader, entity, now)
    return moment if moment > now else 0.0


def closed(host: Host, reader: Reader, entity: Record) -> str:
    """Say by which schedule an AE or CSE cannot be reached now, "" when it can."""
    now = host.now()
    for record, whose in ((entity, "its schedule"), (_node(host, reader, entity), "the schedule of its node")):
        if record is not None and opens(record, now) > now:
            return f"{entity.path} cannot be reached: {_said(reader, record, now, whose)}"
    return ""


def target_closed(host: Host, reader: Reader, target: str) -> str:
    """Say by which schedule an entity cannot be reached by its address now, "" when it can."""
    if "://" in target or not changes(host, reader):
        return ""
    entity = _entity(host, reader, target)
    return "" if entity is None else closed(host, reader, entity)


def changes(host: Host, reader: Reader) -> int:
    """Give how often a schedule of an entity or node has changed, 0 when there never was one."""
    base = _base(host, reader)
    found: int = base.state.get(_CHANGES, 0) if base is not None else 0
    return found


def admit(host: Host, reader: Reader, request: Request, base: Record) -> None:
    """Refuse a request while the CSE is closed by the schedule of its CSEBase; the administrator and the CSE itself always get through.

    Raises TargetNotReachable, which says when it opens next.
    """
    settings, now = host.settings, host.now()
    if not governed(base) or request.peer.internal or same_entity(request.fr, settings.admin, settings.cse_id, settings.sp_id):
        return
    if opens(base, now) > now:
        raise TargetNotReachable(f"{settings.cse_id} cannot be reached: {_said(reader, base, now, 'its schedule')}")


def _living(record: Record, now: float) -> list[tuple[float, list[str]]]:
    """Give end and entries of the schedules below a resource that have not expired."""
    kept: dict[str, Any] = record.state.get(_KEPT, {})
    found = ((seconds_of(said["et"]), said["sce"]) for said in kept.values())
    return [(end, entries) for end, entries in found if end > now]


def _fires(living: list[tuple[float, list[str]]], now: float) -> float | None:
    """Give the first open moment from ``now`` on of any entry, None when no schedule has one before it ends."""
    found = ((end, entry.next_open(now)) for end, entry in _entries(living))
    return min((moment for end, moment in found if moment is not None and moment < end), default=None)


def _entries(living: list[tuple[float, list[str]]]) -> Iterator[tuple[float, Schedule]]:
    return ((end, _compiled(text)) for end, entries in living for text in entries)


def _said(reader: Reader, record: Record, now: float, whose: str) -> str:
    schedules = (reader.get(ri) for ri, said in record.state[_KEPT].items() if seconds_of(said["et"]) > now)
    names = " and ".join(found.path for found in schedules if found is not None)
    moment = _fires(_living(record, now), now)
    return f"{whose} {names} " + ("never opens" if moment is None else f"opens next at {timestamp(moment)}")


def _base(host: Host, reader: Reader) -> Record | None:
    return reader.get(host.settings.cse_id.removeprefix("/"))


def _node(host: Host, reader: Reader, entity: Record) -> Record | None:
    link = entity.attributes.get("nl")
    return host.resolve(reader, link) if link else None


def _entity(host: Host, reader: Reader, target: str) -> Record | None:
    """Give the AE or remoteCSE that a notification target or transit request goes to, None when nothing is known of it here.

    The schedule of a subscription that is notified itself says when it notifies.
    """
    record = host.resolve(reader, target)
    if record is not None:
        return None if record.ty in _NOTIFYING else record
    settings = host.settings
    try:
        address = parse(target, settings.cse_id, settings.sp_id)
    except BadRequest:
        return None
    base = _base(host, reader) if address.csi else None
    csi = sp_relative(address.sp + address.csi, settings.cse_id, settings.sp_id)
    peers = reader.children(base.ri, _PEERS) if base is not None else ()
    return next((peer for peer in peers if same_entity(peer.attributes.get("csi"), csi, settings.cse_id, settings.sp_id)), None)
