"""What containers of instances have in common: limits, counters, latest and oldest (TS-0001 9.6.6, TS-0004 7.4.6, 7.4.27, 7.4.28)."""

from collections.abc import Mapping
from typing import Any

import orjson

from cse.codes import AccessControlOperation as Right
from cse.codes import Operation
from cse.datatypes import LAST_SECOND, seconds_of, timestamp
from cse.errors import NotAcceptable, NotFound, OperationNotAllowed, OriginatorHasNoPrivilege
from cse.primitives import Request, Steps, Turn
from cse.record import Record
from cse.schema import Change, Host, Virtual
from cse.storage.contract import Reader


def content_size(content: Any) -> int:
    """Give the bytes of a content: of the text itself, or of its JSON form when it is not a text (TS-0001 9.6.7 contentSize)."""
    return len(content.encode()) if isinstance(content, str) else len(orjson.dumps(content))


def fit(change: Change, draft: dict[str, Any], parent: Record, size: int) -> None:
    """Make a new instance fit its parent: size, stateTag (where the parent has one) and life. Raises NotAcceptable when it is larger than maxByteSize."""
    limits = parent.attributes
    if size > limits.get("mbs", size):
        raise NotAcceptable(f"the content has {size} bytes, maxByteSize (mbs) of {parent.path} is {limits['mbs']}")
    draft["cs"] = size
    if "st" in limits:
        draft["st"] = limits["st"] + 1
    if "mia" in limits:
        draft["et"] = min(draft["et"], outlived(change.seconds, limits["mia"]))


def outlived(created: float, age: int) -> str:
    """Give the timestamp at which an instance reaches maxInstanceAge (seconds), the last one that can be written when it never does."""
    return timestamp(min(created + age, LAST_SECOND))


def added(change: Change, parent: Record, child: Record, *, step: int = 1, most: int | None = None) -> None:
    """Count a new instance and push the oldest out while a limit is exceeded; the new one stays.

    step: what stateTag goes up. most: the number of instances that is allowed in the place of maxNrOfInstances.
    """
    attributes = parent.attributes
    count, size = attributes["cni"] + 1, attributes["cbs"] + child.attributes["cs"]
    count, size = _evict(change, parent, child.ty, count, size, most, keep=child.ri)
    change.replace(parent.with_attributes(_counters(attributes, count, size, step)))


def gone(change: Change, parent: Record, child: Record) -> None:
    """Count an instance that was deleted by request or has expired."""
    attributes = parent.attributes
    change.replace(parent.with_attributes(_counters(attributes, attributes["cni"] - 1, attributes["cbs"] - child.attributes["cs"], 1)))


def _counters(attributes: Mapping[str, Any], count: int, size: int, step: int) -> dict[str, int]:
    counters = {"cni": count, "cbs": size}
    if "st" in attributes:
        counters["st"] = attributes["st"] + step
    return counters


def _evict(change: Change, parent: Record, ty: int, count: int, size: int, most: int | None, keep: str = "") -> tuple[int, int]:
    most = parent.attributes.get("mni", count) if most is None else most
    bytes_ = parent.attributes.get("mbs", size)
    while count > most or size > bytes_:
        oldest = change.transaction.edge(parent.ri, ty, newest=False)
        if oldest is None or oldest.ri == keep:
            break
        change.evict(oldest)
        count, size = count - 1, size - oldest.attributes["cs"]
    return count, size


def limit(change: Change, before: Record, after: Record, ty: int, most: int | None = None) -> None:
    """Apply limits that an UPDATE has changed to the instances that are there (TS-0004 7.4.6); ``most`` as for ``added``."""
    new, old = after.attributes, before.attributes
    count, size = new["cni"], new["cbs"]
    if "mia" in new and new["mia"] != old.get("mia"):
        for instance in list(change.transaction.children(after.ri, frozenset({ty}))):
            until = outlived(seconds_of(instance.attributes["ct"]), new["mia"])
            if until <= change.time:
                change.evict(instance)
                count, size = count - 1, size - instance.attributes["cs"]
            elif until < instance.attributes["et"]:
                change.replace(instance.with_attributes({"et": until}))
    count, size = _evict(change, after, ty, count, size, most)
    if count != new["cni"]:
        change.replace(after.with_attributes({"cni": count, "cbs": size}))


def clear(change: Change, record: Record, changes: dict[str, Any], ty: int) -> None:
    """Delete all instances when disableRetrieval goes from true to false (TS-0001 9.6.6)."""
    if record.attributes.get("disr") and changes.get("disr", True) in (False, None):
        empty(change, record, changes, ty)


def empty(change: Change, record: Record, changes: dict[str, Any], ty: int) -> None:
    """Delete all instances in an UPDATE of their parent."""
    for instance in list(change.transaction.children(record.ri, frozenset({ty}))):
        change.evict(instance)
    changes |= {"cni": 0, "cbs": 0}


def hidden(reader: Reader, record: Record) -> bool:
    """Tell whether an instance must not be shown since its parent has disableRetrieval."""
    parent = reader.get(record.pi)
    return parent is not None and bool(parent.attributes.get("disr"))


def edges(ty: int) -> Mapping[str, Virtual]:
    """Give the procedures of ``la`` and ``ol`` for instances of type ``ty``."""

    def procedure(newest: bool) -> Virtual:
        return lambda host, request, parent, _: _edge(host, request, parent, ty, newest)

    return {"la": procedure(newest=True), "ol": procedure(newest=False)}


_RIGHTS = {Operation.RETRIEVE: Right.RETRIEVE, Operation.DELETE: Right.DELETE}


def _edge(host: Host, request: Request, parent: Record, ty: int, newest: bool) -> Steps:
    """Treat a request to the newest or oldest instance as one to that instance (TS-0004 7.4.27, 7.4.28)."""
    name = "latest" if newest else "oldest"
    right = _RIGHTS.get(request.op)
    if right is None:
        raise OperationNotAllowed(f"{name} can only be retrieved and deleted")
    if not host.may(host.reader, request, right, parent):
        raise OriginatorHasNoPrivilege(f"{request.fr or 'nobody'} has no {right.name} privilege on {request.to}")
    if parent.attributes.get("disr"):
        raise OperationNotAllowed(f"{parent.path} has disableRetrieval")
    record = host.reader.edge(parent.ri, ty, newest)
    if record is not None and host.expired(record):
        yield Turn.WRITE
        with host.write(request) as change:
            while (record := change.transaction.edge(parent.ri, ty, newest)) is not None and host.expired(record):
                change.remove(record)
    if record is None:
        raise NotFound(f"{parent.path} has no {name} instance")

    def again(reader: Reader) -> Record:
        """Others may have added and deleted instances while this one waited for its turn to write."""
        found = reader.edge(parent.ri, ty, newest)
        if found is None:
            raise NotFound(f"{parent.path} has no {name} instance")
        return found

    return (yield from host.perform(request, record, again))
