"""A non-blocking request that this CSE has accepted, and its result (TS-0001 9.6.12, TS-0004 7.4.12)."""

from dataclasses import replace

from cse.codes import Operation, RequestStatus
from cse.datatypes import ANY_URI, ID, PRIMITIVE_CONTENT, REQUEST_ID, enum_of
from cse.errors import UnableToRecallRequest
from cse.notify import withdraw
from cse.record import Record
from cse.schema import Attribute, Change, ResourceType
from cse.structures import META_INFORMATION, OPERATION_RESULT
from resources._common import CONSULTED, CUSTODIAN, EXPIRES, LABELS, POLICIES, UNIVERSAL, kept, unannounced

_BEYOND_RECALL = frozenset({RequestStatus.FORWARDED, RequestStatus.PARTIALLY_COMPLETED})


def _on_delete(change: Change, record: Record) -> None:
    """Recall a request that is not carried out yet; one that others are at cannot be recalled (TS-0004 7.4.12.2.4). An expired result is not sent any more."""
    if record.attributes["rs"] in _BEYOND_RECALL and not change.request.peer.internal and not change.host.expired(record):
        raise UnableToRecallRequest(f"{record.path} was passed on already")
    if change.host.expired(record):
        withdraw(change, None, record.ri)


TYPE = ResourceType(
    ty=17,
    short="m2m:req",
    name="request",
    spec="TS-0001 9.6.12",
    attributes=(
        *kept(*UNIVERSAL),
        *kept(*unannounced(EXPIRES)),
        *(replace(row, create="NP") for row in unannounced(POLICIES, CONSULTED)),
        *kept(*unannounced(LABELS)),
        replace(CUSTODIAN, create="NP"),
        #         short  long               type                    card    create update announce
        Attribute("op",  "operation",       enum_of(Operation),     "1",    "NP",  "NP",  "NA"),
        Attribute("tg",  "target",          ANY_URI,                "1",    "NP",  "NP",  "NA"),
        Attribute("org", "originator",      ID,                     "1",    "NP",  "NP",  "NA"),
        Attribute("rid", "requestID",       REQUEST_ID,             "1",    "NP",  "NP",  "NA"),
        Attribute("mi",  "metaInformation", META_INFORMATION,       "1",    "NP",  "NP",  "NA"),
        Attribute("pc",  "primitiveContent", PRIMITIVE_CONTENT,     "0..1", "NP",  "NP",  "NA"),
        Attribute("rs",  "requestStatus",   enum_of(RequestStatus), "1",    "NP",  "NP",  "NA"),
        Attribute("ors", "operationResult", OPERATION_RESULT,       "1",    "NP",  "NP",  "NA"),
    ),
    parents=frozenset({"cb"}),
    api_create=False,
    on_delete=_on_delete,
)
