"""One piece of data in a container, never changed (TS-0001 9.6.7, TS-0004 7.4.7)."""

from typing import Any

from cse.datatypes import ABS_REL_TIMESTAMP, ANY_SIMPLE, ANY_URI, CONTENT_INFO, NON_NEG_INT, POSITIVE_INT
from cse.record import Record
from cse.schema import Attribute, Change, ResourceType
from cse.structures import CONTENT_REF
from resources import _instances
from resources._common import ANNOUNCEABLE, CREATOR, EXPIRES, LABELS, LOCATION, STATE_TAG, UNIVERSAL, fixed, unannounced


def _on_create(change: Change, draft: dict[str, Any], parent: Record, _: Any) -> None:
    _instances.fit(change, draft, parent, _instances.content_size(draft["con"]))


def _counts_reads(record: Record) -> bool:
    return "dcnt" in record.attributes


def _on_read(change: Change, record: Record) -> Record:
    """Count a RETRIEVE down and show what is left; at none left the instance goes, shown once more as it was, since zero is no deletionCnt (R4)."""
    left = record.attributes["dcnt"] - 1
    if not left:
        change.remove(record)
        return record
    counted = record.with_attributes({"dcnt": left})
    change.replace(counted)
    return counted


TYPE = ResourceType(
    ty=4,
    short="m2m:cin",
    name="contentInstance",
    spec="TS-0001 9.6.7",
    attributes=(
        *UNIVERSAL,
        *fixed(*unannounced(EXPIRES), LABELS, STATE_TAG, *ANNOUNCEABLE, CREATOR, LOCATION),
        #         short   long                  type               card    create update announce default
        Attribute("cnf",  "contentInfo",        CONTENT_INFO,      "0..1", "O",   "NP",  "OA"),
        Attribute("cs",   "contentSize",        NON_NEG_INT,       "1",    "NP",  "NP",  "NA"),
        Attribute("conr", "contentRef",         CONTENT_REF,       "0..1", "O",   "NP",  "OA"),
        Attribute("or",   "ontologyRef",        ANY_URI,           "0..1", "O",   "NP",  "OA"),
        Attribute("con",  "content",            ANY_SIMPLE,        "1",    "M",   "NP",  "OA"),
        Attribute("dcnt", "deletionCnt",        POSITIVE_INT,      "0..1", "O",   "NP",  "NA"),
        Attribute("dgt",  "dataGenerationTime", ABS_REL_TIMESTAMP, "0..1", "O",   "NP",  "OA"),
    ),
    parents=frozenset({"cnt", "cntA"}),
    instance=True,
    on_create=_on_create,
    counts_reads=_counts_reads,
    on_read=_on_read,
    hidden=_instances.hidden,
)
