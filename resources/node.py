"""A device and what is managed of it (TS-0001 9.6.18, TS-0004 7.4.19)."""

from typing import Any

from cse.datatypes import BOOLEAN, ID, NODE_ID, NON_NEG_INT, STRING, list_of
from cse.record import Record
from cse.schema import Attribute, Change, ResourceType
from resources import _node_links
from resources._common import ANNOUNCEABLE, CONSULTED, CUSTODIAN, EXPIRES, LABELS, POLICIES, UNIVERSAL


def _on_create(change: Change, draft: dict[str, Any], parent: Record, _: Any) -> None:
    _node_links.claim(change, draft["ri"], {}, draft)


def _on_update(change: Change, record: Record, changes: dict[str, Any], _: Any) -> None:
    if changes.keys() & {"hael", "hcl"}:
        _node_links.claim(change, record.ri, record.attributes, record.with_attributes(changes).attributes)


TYPE = ResourceType(
    ty=14,
    short="m2m:nod",
    name="node",
    spec="TS-0001 9.6.18",
    attributes=(
        *UNIVERSAL,
        EXPIRES,
        POLICIES,
        CONSULTED,
        LABELS,
        *ANNOUNCEABLE,
        CUSTODIAN,
        #         short   long                  type         card    create update announce
        Attribute("ni",   "nodeID",             NODE_ID,     "1",    "M",   "O",   "MA"),
        Attribute("hcl",  "hostedCSELink",      ID,          "0..1", "O",   "O",   "OA"),
        Attribute("hael", "hostedAELinks",      list_of(ID), "0..1", "O",   "O",   "OA"),
        Attribute("hsl",  "hostedServiceLinks", list_of(ID), "0..1", "O",   "O",   "OA"),
        Attribute("mgca", "mgmtClientAddress",  STRING,      "0..1", "O",   "O",   "OA"),
        Attribute("rms",  "roamingStatus",      BOOLEAN,     "0..1", "NP",  "NP",  "OA"),
        Attribute("nid",  "networkID",          STRING,      "0..1", "NP",  "NP",  "OA"),
        Attribute("nty",  "nodeType",           NON_NEG_INT, "0..1", "O",   "O",   "OA"),
    ),
    parents=frozenset({"cb"}),
    on_create=_on_create,
    on_update=_on_update,
    on_delete=_node_links.release,
)
