"""Who may do what (TS-0001 9.6.2, TS-0004 7.4.2)."""

from cse.codes import AccessControlOperation as Right
from cse.codes import ResourceTypeID
from cse.datatypes import ANY_URI, list_of
from cse.primitives import Request
from cse.record import Record
from cse.schema import Attribute, Host, ResourceType
from cse.storage.contract import Reader
from cse.structures import SELF_PRIVILEGES, SET_OF_ACRS
from resources._common import ANNOUNCEABLE, EXPIRES, LABELS, UNIVERSAL


def _authorize(host: Host, reader: Reader, request: Request, parent: Record) -> bool:
    if host.settings.acp_create_open and parent.ty == ResourceTypeID.CSE_BASE:
        return True
    return host.may(reader, request, Right.CREATE, parent, ResourceTypeID.ACCESS_CONTROL_POLICY)


TYPE = ResourceType(
    ty=1,
    short="m2m:acp",
    name="accessControlPolicy",
    spec="TS-0001 9.6.2",
    attributes=(
        *UNIVERSAL,
        EXPIRES,
        LABELS,
        *ANNOUNCEABLE,
        #         short   long                                   type              card    create update announce default
        Attribute("pv",   "privileges",                          SET_OF_ACRS,      "1",    "M",   "O",   "MA"),
        Attribute("pvs",  "selfPrivileges",                      SELF_PRIVILEGES,  "1",    "M",   "O",   "MA"),
        Attribute("adri", "authorizationDecisionResourceIDs",    list_of(ANY_URI), "0..1", "O",   "O",   "MA"),
        Attribute("apri", "authorizationPolicyResourceIDs",      list_of(ANY_URI), "0..1", "O",   "O",   "MA"),
        Attribute("airi", "authorizationInformationResourceIDs", list_of(ANY_URI), "0..1", "O",   "O",   "MA"),
    ),
    parents=frozenset({"ae", "aeA", "cb", "cbA", "csr", "csrA"}),
    authorize=_authorize,
)
