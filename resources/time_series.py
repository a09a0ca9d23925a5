"""A place for data that are generated at regular moments, and a watch over those that fail to come (TS-0001 9.6.36, TS-0004 7.4.38)."""

from collections.abc import Generator, Mapping
from typing import Any

from cse.codes import ResourceTypeID
from cse.datatypes import ABS_REL_TIMESTAMP, BOOLEAN, CONTENT_INFO, NON_NEG_INT, POSITIVE_INT, list_of
from cse.errors import BadRequest
from cse.primitives import Effect, Request, Response
from cse.record import Record
from cse.schema import Attribute, Change, Host, ResourceType
from resources import _instances, _missing_data
from resources._common import ANNOUNCEABLE, CONSULTED, CREATOR, CUSTODIAN, EXPIRES, LABELS, LOCATION, ONTOLOGY, POLICIES, UNIVERSAL

INSTANCE = ResourceTypeID.TIME_SERIES_INSTANCE

_SETTINGS = ("mdt", "mdn", "pei", "peid")
"""What missing data are detected by: fixed while they are (TS-0004 7.4.38.2.3)."""


def _complete(draft: dict[str, Any], attributes: Mapping[str, Any]) -> None:
    """Add to a request what the CSE chooses: the widest tolerance that the rules allow, no longer list than it keeps. ``attributes``: as they will be."""
    if attributes.get("pei") is not None and attributes.get("peid") is None:
        most = attributes["pei"] // 2
        draft["peid"] = most if attributes.get("mdt") is None else min(most, attributes["mdt"] - 1)
    if draft.get("mdn") is not None:
        draft["mdn"] = min(draft["mdn"], _missing_data.LONGEST)


def _check(attributes: Mapping[str, Any]) -> None:
    """Check what the table cannot say (TS-0004 7.4.38.2.1). Raises BadRequest."""
    pei, peid, mdt = (attributes.get(name) for name in ("pei", "peid", "mdt"))
    if pei is not None and peid is not None and 2 * peid > pei:
        raise BadRequest(f"peid (periodicIntervalDelta) {peid} is more than half of pei (periodicInterval) {pei}")
    if not attributes.get("mdd"):
        return
    if pei is None:
        raise BadRequest("mdd (missingDataDetect) needs pei (periodicInterval)")
    if mdt is None:
        raise BadRequest("mdd (missingDataDetect) needs mdt (missingDataDetectTimer)")
    if mdt <= peid:
        raise BadRequest(f"mdt (missingDataDetectTimer) {mdt} must be more than peid (periodicIntervalDelta) {peid}")


def _on_create(change: Change, draft: dict[str, Any], parent: Record, _: Any) -> None:
    _complete(draft, draft)
    _check(draft)


def _completed(record: Record, changes: dict[str, Any]) -> None:
    """Check an UPDATE and add what the CSE changes with it (TS-0004 7.4.38.2.3). Raises BadRequest."""
    given = [name for name in _SETTINGS if name in changes]
    if given and "mdd" in changes:
        raise BadRequest(f"mdd (missingDataDetect) must not be updated together with {given[0]}")
    if given and record.get("mdd"):
        raise BadRequest(f"{given[0]} cannot be updated while mdd (missingDataDetect) is true")
    _complete(changes, {**record.attributes, **changes})
    _check({**record.attributes, **changes})
    if changes.get("mdd") and not record.get("mdd"):
        changes |= {"mdc": 0, "mdlt": None} if "mdlt" in record.attributes else {"mdc": 0}
    elif changes.get("mdn") is not None and record.attributes["mdc"] > changes["mdn"]:
        changes |= {"mdc": changes["mdn"], "mdlt": record.attributes["mdlt"][-changes["mdn"] :]}


def _prepare_update(host: Host, request: Request, record: Record, changes: Mapping[str, Any]) -> Generator[Effect, tuple[Response, ...], None]:
    """Refuse what is wrong before a blocking subscriber is asked for it."""
    _completed(record, dict(changes))
    yield from ()


def _on_update(change: Change, record: Record, changes: dict[str, Any], _: Any) -> None:
    _completed(record, changes)


def _on_updated(change: Change, before: Record, after: Record) -> None:
    if bool(before.get("mdd")) != bool(after.get("mdd")):
        after = _missing_data.forgotten(after)
        change.replace(after)
    _instances.limit(change, before, after, INSTANCE)


def _on_child(change: Change, parent: Record, child: Record) -> None:
    if child.ty == INSTANCE:
        # An instance that made room for this one has changed the counters since.
        parent = change.transaction.get(parent.ri) or parent
        _instances.added(change, _missing_data.arrived(change, parent, child), child)


def _on_child_gone(change: Change, parent: Record, child: Record) -> None:
    if child.ty == INSTANCE:
        _instances.gone(change, parent, child)


TYPE = ResourceType(
    ty=29,
    short="m2m:ts",
    name="timeSeries",
    spec="TS-0001 9.6.36",
    attributes=(
        *UNIVERSAL,
        EXPIRES,
        POLICIES,
        CONSULTED,
        LABELS,
        *ANNOUNCEABLE,
        CREATOR,
        CUSTODIAN,
        LOCATION,
        #         short   long                      type                        card    create update announce default
        Attribute("mni",  "maxNrOfInstances",       NON_NEG_INT,                "0..1", "O",   "O",   "OA"),
        Attribute("mbs",  "maxByteSize",            NON_NEG_INT,                "0..1", "O",   "O",   "OA"),
        Attribute("mia",  "maxInstanceAge",         NON_NEG_INT,                "0..1", "O",   "O",   "OA"),
        Attribute("cni",  "currentNrOfInstances",   NON_NEG_INT,                "1",    "NP",  "NP",  "NA",    0),
        Attribute("cbs",  "currentByteSize",        NON_NEG_INT,                "1",    "NP",  "NP",  "NA",    0),
        Attribute("pei",  "periodicInterval",       POSITIVE_INT,               "0..1", "O",   "O",   "OA"),
        Attribute("peid", "periodicIntervalDelta",  NON_NEG_INT,                "0..1", "O",   "O",   "OA"),
        Attribute("mdd",  "missingDataDetect",      BOOLEAN,                    "0..1", "O",   "O",   "NA",    False),
        Attribute("mdn",  "missingDataMaxNr",       POSITIVE_INT,               "0..1", "O",   "O",   "OA"),
        Attribute("mdlt", "missingDataList",        list_of(ABS_REL_TIMESTAMP), "0..1", "NP",  "NP",  "NA"),
        Attribute("mdc",  "missingDataCurrentNr",   NON_NEG_INT,                "1",    "NP",  "NP",  "NA",    0),
        Attribute("mdt",  "missingDataDetectTimer", POSITIVE_INT,               "0..1", "O",   "O",   "OA"),
        ONTOLOGY,
        Attribute("cnf",  "contentInfo",            CONTENT_INFO,               "0..1", "O",   "NP",  "OA"),
    ),
    parents=frozenset({"ae", "aeA", "cb", "cbA", "cnt", "cntA", "csr", "csrA", "fcnt", "fcntA"}),
    virtual=_instances.edges(INSTANCE),
    prepare_update=_prepare_update,
    on_create=_on_create,
    on_update=_on_update,
    on_updated=_on_updated,
    on_child=_on_child,
    on_child_gone=_on_child_gone,
    on_due=_missing_data.report_due,
)  # fmt: skip
