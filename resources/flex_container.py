"""Data points of one device function, described by a definition, with or without history (TS-0001 9.6.35, TS-0004 7.4.37)."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from cse.codes import ResourceTypeID
from cse.datatypes import ANY_URI, BOOLEAN, NON_NEG_INT
from cse.errors import BadRequest
from cse.record import Record
from cse.schema import Attribute, Change, Definition, ResourceType, Specialisations, specialised
from resources import _instances
from resources._common import (
    ANNOUNCEABLE,
    CONSULTED,
    CREATED,
    CREATOR,
    CUSTODIAN,
    EXPIRES,
    ID_ROW,
    LABELS,
    LOCATION,
    MODIFIED,
    NAME,
    ONTOLOGY,
    PARENT,
    POLICIES,
    STATE_TAG,
    TYPE_ROW,
)

INSTANCE = ResourceTypeID.FLEX_CONTAINER_INSTANCE

_LIMITS = ("mni", "mbs", "mia")

_COPIED = ("lbl", "loc")
"""Attributes that an instance has beside the custom ones, and whose UPDATE makes one."""


def _custom(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Give the custom attributes of a representation: those that the table of the type does not have."""
    return {name: value for name, value in attributes.items() if name not in TYPE.names}


def _check(attributes: Mapping[str, Any]) -> None:
    """Check what the table cannot say: limits belong to a history, and leave room for its newest instance. Raises BadRequest."""
    limits = {name: attributes[name] for name in _LIMITS if attributes.get(name) is not None}
    for name, value in limits.items():
        if attributes.get("fcied") is None:
            raise BadRequest(f"{name} limits the history of a flexContainer, which this one has not: it has no fcied (fcinEnabled)")
        if value == 0:
            raise BadRequest(f"{name} must be more than 0: a history holds at least the newest values")
    if limits.get("mbs", attributes["cs"]) < attributes["cs"]:
        raise BadRequest(f"mbs (maxByteSize) {limits['mbs']} is less than the {attributes['cs']} bytes of the custom attributes (cs)")


def _size(attributes: Mapping[str, Any]) -> int:
    """Give contentSize: the bytes of all custom attributes."""
    return sum(map(_instances.content_size, _custom(attributes).values()))


def _most(record: Record) -> int | None:
    """Give the number of instances of a history that keeps only the newest values (fcinEnabled false), None for others."""
    return 1 if record.attributes.get("fcied") is False else None


def _instance(change: Change, record: Record) -> Record:
    """Make the instance that holds the values of a flexContainer as they are now."""
    found = record.attributes
    ri = change.transaction.identify("fcin", record.ri, INSTANCE)
    et = min(found["et"], _instances.outlived(change.seconds, found["mia"])) if "mia" in found else found["et"]
    names = {"ty": int(INSTANCE), "ri": ri, "rn": ri, "pi": record.ri, "ct": change.time, "lt": change.time, "et": et}
    kept = {name: found[name] for name in (*_COPIED, "cs") if name in found}
    attributes = {**names, **kept, "org": change.request.fr or "", **_custom(found)}
    return Record(int(INSTANCE), ri, record.ri, ri, f"{record.path}/{ri}", attributes, change.request.fr or "", {"cnd": found["cnd"]})


def _on_create(change: Change, draft: dict[str, Any], parent: Record, _: Any) -> None:
    draft["cs"] = _size(draft)
    _check(draft)
    if "fcied" in draft:
        draft |= {"cni": 1, "cbs": draft["cs"]}


def _on_created(change: Change, record: Record) -> None:
    """Begin the history; nobody can have subscribed to it yet."""
    if "fcied" in record.attributes:
        change.transaction.insert(_instance(change, record))


def _complete(record: Record, changes: dict[str, Any]) -> None:
    """Check an UPDATE and add what the CSE changes with it: contentSize, and limits that end with the history. Raises BadRequest."""
    if changes.get("fcied", False) is None:
        changes |= {name: None for name in _LIMITS if name in record.attributes and name not in changes}
    if _custom(changes):
        changes["cs"] = _size(record.with_attributes(changes).attributes)
    _check({**record.attributes, **changes})


def _on_update(change: Change, record: Record, changes: dict[str, Any], _: Any) -> None:
    _complete(record, changes)
    if changes.get("fcied", False) is None:
        _instances.empty(change, record, changes, INSTANCE)


def _on_updated(change: Change, before: Record, after: Record) -> None:
    """Go on with the history: an UPDATE of custom attributes, labels or location is remembered, and so is what a new history begins with."""
    if "fcied" not in after.attributes:
        return
    _instances.limit(change, before, after, INSTANCE, _most(after))
    (given,) = change.request.pc.values()
    if "fcied" not in before.attributes or _custom(given) or any(name in given for name in _COPIED):
        current = change.transaction.get(after.ri) or after
        change.insert(_instance(change, current), current)


def _on_child(change: Change, parent: Record, child: Record) -> None:
    if child.ty == INSTANCE:
        _instances.added(change, parent, child, step=0, most=_most(parent))


def _on_child_gone(change: Change, parent: Record, child: Record) -> None:
    if child.ty == INSTANCE:
        _instances.gone(change, parent, child)


TYPE = ResourceType(
    ty=28,
    short="m2m:fcnt",
    name="flexContainer",
    spec="TS-0001 9.6.35",
    attributes=(
        TYPE_ROW,
        ID_ROW,
        NAME,
        PARENT,
        replace(CREATED, card="0..1"),
        replace(MODIFIED, card="0..1"),
        replace(EXPIRES, card="0..1"),
        POLICIES,
        CONSULTED,
        LABELS,
        STATE_TAG,
        *ANNOUNCEABLE,
        CREATOR,
        CUSTODIAN,
        LOCATION,
        #         short    long                    type         card    create update announce default
        Attribute("cnd",   "containerDefinition",  ANY_URI,     "1",    "M",   "NP",  "MA"),
        ONTOLOGY,
        Attribute("cs",    "contentSize",          NON_NEG_INT, "1",    "NP",  "NP",  "NA"),
        Attribute("nl",    "nodeLink",             ANY_URI,     "0..1", "O",   "O",   "OA"),
        Attribute("mni",   "maxNrOfInstances",     NON_NEG_INT, "0..1", "O",   "O",   "OA"),
        Attribute("mia",   "maxInstanceAge",       NON_NEG_INT, "0..1", "O",   "O",   "OA"),
        Attribute("mbs",   "maxByteSize",          NON_NEG_INT, "0..1", "O",   "O",   "OA"),
        Attribute("cbs",   "currentByteSize",      NON_NEG_INT, "1",    "NP",  "NP",  "NA",    0),
        Attribute("cni",   "currentNrOfInstances", NON_NEG_INT, "1",    "NP",  "NP",  "NA",    0),
        Attribute("fcied", "fcinEnabled",          BOOLEAN,     "0..1", "O",   "O",   "OA"),
    ),
    parents=frozenset({"ae", "aeA", "cb", "cbA", "cnt", "cntA", "csr", "csrA", "fcnt", "fcntA", "nod"}),
    virtual=_instances.edges(INSTANCE),
    on_create=_on_create,
    on_created=_on_created,
    check_update=_complete,
    on_update=_on_update,
    on_updated=_on_updated,
    on_child=_on_child,
    on_child_gone=_on_child_gone,
    special=Specialisations("cnd", {}),
)


def defined(definitions: Iterable[Definition]) -> ResourceType:
    """Give the type with the specialisations that definitions make; without any it accepts none."""
    return replace(TYPE, special=Specialisations("cnd", {each.cnd: _form(each) for each in definitions}))


def _form(definition: Definition) -> ResourceType:
    return specialised(TYPE, definition.short, definition.name, f"cnd {definition.cnd}", definition.attributes)
