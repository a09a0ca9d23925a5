"""One piece of data of a timeSeries with the moment it was generated, never changed (TS-0001 9.6.37, TS-0004 7.4.39)."""

from typing import Any

from cse.datatypes import ABS_REL_TIMESTAMP, ANY_SIMPLE, LAST_SECOND, NON_NEG_INT, microseconds_of, timestamp
from cse.errors import BadRequest, Conflict
from cse.record import Record
from cse.schema import Attribute, Change, ResourceType
from resources import _instances
from resources._common import ANNOUNCEABLE, CREATOR, EXPIRES, LABELS, LOCATION, UNIVERSAL, fixed, unannounced


def _on_create(change: Change, draft: dict[str, Any], parent: Record, _: Any) -> None:
    draft["dgt"] = _generated(change, draft["dgt"])
    _instances.fit(change, draft, parent, _instances.content_size(draft["con"]))
    # What is newer than everything there ever was, as nearly all is, needs no look-up.
    newest = parent.state.get("newest")
    if newest is not None and microseconds_of(draft["dgt"]) <= newest:
        _check_unique(change, parent, draft["dgt"])


def _generated(change: Change, given: str | int) -> str:
    """Give dataGenerationTime as a moment: milliseconds count from now, and mean nothing later on. Raises BadRequest."""
    if isinstance(given, str) and "T" in given:
        return given
    seconds = change.seconds + int(given) / 1000
    if not 0 <= seconds <= LAST_SECOND:
        raise BadRequest(f"dgt (dataGenerationTime) {given} milliseconds from now is no moment that can be written")
    return timestamp(seconds)


def _check_unique(change: Change, parent: Record, dgt: str) -> None:
    """Refuse a second instance of one moment (TS-0004 7.4.39); one that has expired makes room."""
    other = change.transaction.generated(parent.ri, dgt)
    if other is None:
        return
    if not change.host.expired(other):
        raise Conflict(f"{parent.path} has an instance with dgt (dataGenerationTime) {dgt} already: {other.rn}")
    change.remove(other)


TYPE = ResourceType(
    ty=30,
    short="m2m:tsi",
    name="timeSeriesInstance",
    spec="TS-0001 9.6.37",
    attributes=(
        *UNIVERSAL,
        *fixed(*unannounced(EXPIRES), LABELS, *ANNOUNCEABLE, CREATOR, LOCATION),
        #         short   long                  type               card    create update announce default
        Attribute("dgt",  "dataGenerationTime", ABS_REL_TIMESTAMP, "1",    "M",   "NP",  "OA"),
        Attribute("con",  "content",            ANY_SIMPLE,        "1",    "M",   "NP",  "OA"),
        Attribute("snr",  "sequenceNr",         NON_NEG_INT,       "0..1", "O",   "NP",  "OA"),
        Attribute("cs",   "contentSize",        NON_NEG_INT,       "1",    "NP",  "NP",  "NA"),
    ),
    parents=frozenset({"ts", "tsA"}),
    instance=True,
    on_create=_on_create,
)
