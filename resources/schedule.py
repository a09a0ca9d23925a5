"""When an entity can be reached, or wants to be told (TS-0001 9.6.9, TS-0004 7.4.9)."""

from collections.abc import Mapping
from typing import Any

from cse import notify, reachability
from cse.codes import ResourceTypeID
from cse.datatypes import BOOLEAN
from cse.errors import Conflict, ContentsUnacceptable
from cse.record import Record
from cse.schema import Attribute, Change, ResourceType
from cse.structures import SCHEDULE_ENTRIES
from resources._common import ANNOUNCEABLE, CONSULTED, CUSTODIAN, EXPIRES, LABELS, POLICIES, UNIVERSAL, unannounced

_NAME = "notificationSchedule"


def _check(parent: Record, attributes: Mapping[str, Any]) -> None:
    """The network coordinates the schedules of nodes alone (TS-0004 7.4.9.2.1). Raises ContentsUnacceptable."""
    if attributes.get("nco") and parent.ty != ResourceTypeID.NODE:
        raise ContentsUnacceptable(f"nco (networkCoordinated) is only for a schedule of a node, {parent.path} is none")


def _on_create(change: Change, draft: dict[str, Any], parent: Record, _: Any) -> None:
    _check(parent, draft)
    if parent.ty != ResourceTypeID.NODE:
        for other in change.transaction.children(parent.ri, frozenset({int(ResourceTypeID.SCHEDULE)})):
            if not change.host.expired(other):
                raise Conflict(f"{parent.path} has a schedule already: {other.path}")


def _on_update(change: Change, record: Record, changes: dict[str, Any], _: Any) -> None:
    parent = change.transaction.get(record.pi)
    if parent is not None:
        _check(parent, changes)


def _on_created(change: Change, record: Record) -> None:
    reachability.follow(change, record)
    notify.visit(change, record.pi)


def _on_updated(change: Change, _: Record, after: Record) -> None:
    _on_created(change, after)


def _on_delete(change: Change, record: Record) -> None:
    reachability.follow(change, record, gone=True)
    notify.visit(change, record.pi)


TYPE = ResourceType(
    ty=18,
    short="m2m:sch",
    name="schedule",
    spec="TS-0001 9.6.9",
    attributes=(
        *UNIVERSAL,
        EXPIRES,
        *unannounced(POLICIES, CONSULTED),
        LABELS,
        *ANNOUNCEABLE,
        CUSTODIAN,
        #         short  long                  type              card    create update announce default
        Attribute("se",  "scheduleElement",    SCHEDULE_ENTRIES, "1",    "M",   "O",   "OA"),
        Attribute("nco", "networkCoordinated", BOOLEAN,          "0..1", "O",   "O",   "OA",    False),
    ),
    parents=frozenset({"ae", "cb", "crs", "csr", "nod", "sub"}),
    fixed_names={"sub": _NAME, "crs": _NAME},
    on_create=_on_create,
    on_created=_on_created,
    on_update=_on_update,
    on_updated=_on_updated,
    on_delete=_on_delete,
)
