"""A place for data: content instances and further containers (TS-0001 9.6.6, TS-0004 7.4.6)."""

from typing import Any

from cse.codes import ResourceTypeID
from cse.datatypes import ANY_URI, BOOLEAN, NON_NEG_INT, STRING, list_of
from cse.record import Record
from cse.schema import Attribute, Change, ResourceType
from resources import _instances
from resources._common import ANNOUNCEABLE, CONSULTED, CREATOR, CUSTODIAN, EXPIRES, LABELS, LOCATION, POLICIES, STATE_TAG, UNIVERSAL

INSTANCE = ResourceTypeID.CONTENT_INSTANCE


def _on_update(change: Change, record: Record, changes: dict[str, Any], _: Any) -> None:
    _instances.clear(change, record, changes, INSTANCE)


def _on_updated(change: Change, before: Record, after: Record) -> None:
    _instances.limit(change, before, after, INSTANCE)


def _on_child(change: Change, parent: Record, child: Record) -> None:
    if child.ty == INSTANCE:
        _instances.added(change, parent, child)


def _on_child_gone(change: Change, parent: Record, child: Record) -> None:
    if child.ty == INSTANCE:
        _instances.gone(change, parent, child)


TYPE = ResourceType(
    ty=3,
    short="m2m:cnt",
    name="container",
    spec="TS-0001 9.6.6",
    attributes=(
        *UNIVERSAL,
        EXPIRES,
        POLICIES,
        CONSULTED,
        LABELS,
        STATE_TAG,
        *ANNOUNCEABLE,
        CREATOR,
        CUSTODIAN,
        LOCATION,
        #         short   long                    type             card    create update announce default
        Attribute("mni",  "maxNrOfInstances",     NON_NEG_INT,     "0..1", "O",   "O",   "OA"),
        Attribute("mbs",  "maxByteSize",          NON_NEG_INT,     "0..1", "O",   "O",   "OA"),
        Attribute("mia",  "maxInstanceAge",       NON_NEG_INT,     "0..1", "O",   "O",   "OA"),
        Attribute("cni",  "currentNrOfInstances", NON_NEG_INT,     "1",    "NP",  "NP",  "NA",    0),
        Attribute("cbs",  "currentByteSize",      NON_NEG_INT,     "1",    "NP",  "NP",  "NA",    0),
        Attribute("li",   "locationID",           ANY_URI,         "0..1", "NP",  "NP",  "OA"),
        Attribute("or",   "ontologyRef",          ANY_URI,         "0..1", "O",   "O",   "OA"),
        Attribute("disr", "disableRetrieval",     BOOLEAN,         "0..1", "O",   "O",   "OA",    False),
        Attribute("subi", "subscriptionIDs",      list_of(STRING), "0..1", "O",   "O",   "NA"),
    ),
    parents=frozenset({"ae", "aeA", "cb", "cbA", "cnt", "cntA", "csr", "csrA", "fcnt", "fcntA"}),
    virtual=_instances.edges(INSTANCE),
    on_update=_on_update,
    on_updated=_on_updated,
    on_child=_on_child,
    on_child_gone=_on_child_gone,
)
