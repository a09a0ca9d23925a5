"""Resources that are addressed together (TS-0001 9.6.13, TS-0004 7.4.14)."""

from cse.codes import ConsistencyStrategy
from cse.datatypes import ANY_URI, BOOLEAN, NON_NEG_INT, POSITIVE_INT, STRING, enum_of, list_of
from cse.schema import Attribute, ResourceType
from cse.structures import BATCH_NOTIFY, MEMBER_TYPE, SPECIALIZATION_TYPE
from resources._common import ANNOUNCEABLE, CONSULTED, CREATOR, CUSTODIAN, EXPIRES, LABELS, POLICIES, UNIVERSAL

TYPE = ResourceType(
    ty=9,
    short="m2m:grp",
    name="group",
    spec="TS-0001 9.6.13",
    attributes=(
        *UNIVERSAL,
        EXPIRES,
        POLICIES,
        CONSULTED,
        LABELS,
        *ANNOUNCEABLE,
        CREATOR,
        CUSTODIAN,
        #         short   long                             type                          card    create update announce default
        Attribute("mt",   "memberType",                    MEMBER_TYPE,                  "1",    "O",   "NP",  "OA",    0),
        Attribute("spty", "specializationType",            SPECIALIZATION_TYPE,          "0..1", "O",   "NP",  "OA"),
        Attribute("cnm",  "currentNrOfMembers",            NON_NEG_INT,                  "1",    "NP",  "NP",  "OA"),
        Attribute("mnm",  "maxNrOfMembers",                POSITIVE_INT,                 "1",    "M",   "O",   "OA"),
        Attribute("mid",  "memberIDs",                     list_of(ANY_URI, 0),          "1",    "M",   "O",   "OA"),
        Attribute("macp", "membersAccessControlPolicyIDs", list_of(ANY_URI),             "0..1", "O",   "O",   "OA"),
        Attribute("mtv",  "memberTypeValidated",           BOOLEAN,                      "0..1", "NP",  "NP",  "OA"),
        Attribute("csy",  "consistencyStrategy",           enum_of(ConsistencyStrategy), "1",    "O",   "NP",  "OA",    1),
        Attribute("gn",   "groupName",                     STRING,                       "0..1", "O",   "O",   "OA"),
        Attribute("ssi",  "semanticSupportIndicator",      BOOLEAN,                      "0..1", "NP",  "NP",  "OA"),
        Attribute("nar",  "notifyAggregation",             BATCH_NOTIFY,                 "0..1", "O",   "O",   "OA"),
    ),
    parents=frozenset({"ae", "aeA", "cb", "cbA", "csr", "csrA"}),
)
