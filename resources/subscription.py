"""A wish to be told of changes (TS-0001 9.6.8, TS-0004 7.4.8)."""

from cse.codes import NotificationContentType, PendingNotification
from cse.datatypes import ANY_URI, BOOLEAN, DURATION, EVENT_CAT, POSITIVE_INT, enum_of, list_of
from cse.schema import Attribute, ResourceType
from cse.structures import BATCH_NOTIFY, EVENT_NOTIFICATION_CRITERIA, NOTIFICATION_STATS, RATE_LIMIT
from resources._common import CONSULTED, CREATOR, CUSTODIAN, EXPIRES, LABELS, POLICIES, UNIVERSAL, unannounced

TYPE = ResourceType(
    ty=23,
    short="m2m:sub",
    name="subscription",
    spec="TS-0001 9.6.8",
    attributes=(
        *UNIVERSAL,
        *unannounced(EXPIRES, POLICIES, CONSULTED, LABELS, CREATOR, CUSTODIAN),
        #         short   long                                 type                              card    create update announce default
        Attribute("enc",  "eventNotificationCriteria",         EVENT_NOTIFICATION_CRITERIA,      "0..1", "O",   "O",   "NA"),
        Attribute("exc",  "expirationCounter",                 POSITIVE_INT,                     "0..1", "O",   "O",   "NA"),
        Attribute("nu",   "notificationURI",                   list_of(ANY_URI),                 "1",    "M",   "O",   "NA"),
        Attribute("gpi",  "groupID",                           ANY_URI,                          "0..1", "O",   "O",   "NA"),
        Attribute("nfu",  "notificationForwardingURI",         ANY_URI,                          "0..1", "O",   "O",   "NA"),
        Attribute("bn",   "batchNotify",                       BATCH_NOTIFY,                     "0..1", "O",   "O",   "NA"),
        Attribute("rl",   "rateLimit",                         RATE_LIMIT,                       "0..1", "O",   "O",   "NA"),
        Attribute("psn",  "preSubscriptionNotify",             POSITIVE_INT,                     "0..1", "O",   "NP",  "NA"),
        Attribute("pn",   "pendingNotification",               enum_of(PendingNotification),     "0..1", "O",   "O",   "NA"),
        Attribute("nsp",  "notificationStoragePriority",       POSITIVE_INT,                     "0..1", "O",   "O",   "NA"),
        Attribute("ln",   "latestNotify",                      BOOLEAN,                          "0..1", "O",   "O",   "NA"),
        Attribute("nct",  "notificationContentType",           enum_of(NotificationContentType), "1",    "O",   "O",   "NA"),
        Attribute("nec",  "notificationEventCat",              EVENT_CAT,                        "0..1", "O",   "O",   "NA"),
        Attribute("su",   "subscriberURI",                     ANY_URI,                          "0..1", "O",   "NP",  "NA"),
        Attribute("acrs", "associatedCrossResourceSub",        list_of(ANY_URI),                 "0..1", "O",   "O",   "NA"),
        Attribute("nse",  "notificationStatsEnable",           BOOLEAN,                          "0..1", "O",   "O",   "NA"),
        Attribute("nsi",  "notificationStatsInfo",             list_of(NOTIFICATION_STATS),      "0..1", "NP",  "NP",  "NA"),
        Attribute("eeno", "enableEventNotificationOriginator", BOOLEAN,                          "0..1", "O",   "O",   "NA"),
        Attribute("ma",   "maxAge",                            DURATION,                         "0..1", "O",   "O",   "OA"),
    ),
    parents=frozenset(
        {
            "acp", "acpA", "actr", "actrA", "ae", "aeA", "alst", "asar", "auds", "auif", "aupy", "bdt", "cb", "cbA", "cnt", "cntA", "csr", "csrA",
            "dac", "depr", "deprA", "dlv", "evcg", "exin", "fcnt", "fcntA", "grp", "grpA", "lcp", "lcpA", "mgc", "mgo", "mgoA", "mms", "mmsA", "mssp",
            "nod", "nodA", "ntp", "ntpr", "ont", "ontA", "ontr", "ontrA", "pdr", "prmr", "prmrA", "prp", "req", "rol", "sch", "schA", "smd", "smdA",
            "smi", "smiA", "smjp", "smjpA", "smr", "smrA", "stcg", "stcl", "stte", "stteA", "svsn", "tgr", "tk", "trac", "tram", "ts", "tsA", "tsb",
            "tsbA",
        }
    ),
)
