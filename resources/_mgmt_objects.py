"""The management objects of TS-0001 annex D and TS-0022: the table of each specialisation of mgmtObj, and the actions that it has."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from cse.datatypes import (
    ANY,
    ANY_URI,
    BOOLEAN,
    EVENT_CAT,
    EVENT_CAT_WITH_DEF,
    ICCID,
    ID,
    IMSI,
    INTEGER,
    LONG,
    MIME_PROTOCOL,
    NON_NEG_INT,
    POSITIVE_INT,
    STRING,
    TIMESTAMP,
    UNSIGNED_LONG,
    enum_of,
    list_of,
)
from cse.management import (
    ACTION_STATUS,
    BACK_OFF_PARAMETERS,
    CELLULAR_NETWORK_BEARER,
    COVERAGE_ENHANCEMENT_LEVEL,
    IP_ADDRESS,
    MGMT_LINK_REF,
    PERCENT,
    SIM_STATUS,
    SIM_TYPE,
    STORAGE_PRIORITY,
    WIFI_CONNECTION_STATUS,
    WIFI_CREDENTIALS,
    BatteryStatus,
    LogStatus,
    LogTypeId,
    Status,
)
from cse.schema import Attribute
from cse.structures import MGMT_DEFINITION, SCHEDULE_ENTRIES, SUID
from resources._common import ANNOUNCE_TO, ANNOUNCED, CONSULTED, CUSTODIAN, EXPIRES, LABELS, NAME, POLICIES, SYNC, UNIVERSAL
from resources._machines import Machine


@dataclass(frozen=True, slots=True)
class Form:
    """One specialisation of mgmtObj.

    mgd: its number. short: the root name of its representation. machines: its actions. parents: names of the forms below which it may be, beside the node.
    """

    mgd: int
    short: str
    name: str
    spec: str
    attributes: tuple[Attribute, ...]
    machines: tuple[Machine, ...] = ()
    parents: frozenset[str] = field(default_factory=frozenset)


NAMELESS = "m2m:mgo"
"""The root of a self-defined object, and of specialisations whose short name and attributes no source tells."""

_START: Mapping[str, Any] = {"sus": int(Status.UNINITIALIZED)}
"""The status of an action before it was started for the first time."""

#                        short   long                   type                 card    create update announce default
_MGD = Attribute(       "mgd",  "mgmtDefinition",      MGMT_DEFINITION,     "1",    "M",   "NP",  "MA")
_OBIS = Attribute(      "obis", "objectIDs",           list_of(ANY_URI),    "0..1", "O",   "NP",  "OA")
_OBPS = Attribute(      "obps", "objectPaths",         list_of(ANY_URI),    "0..1", "O",   "NP",  "OA")
_DC = Attribute(        "dc",   "description",         STRING,              "0..1", "O",   "O",   "OA")
_MGS = Attribute(       "mgs",  "mgmtSchema",          ANY_URI,             "0..1", "O",   "NP",  "MA")
_CMLK = Attribute(      "cmlk", "mgmtLink",            list_of(MGMT_LINK_REF), "0..1", "O", "O",  "OA")
_LINKS = replace(_CMLK, create="M")
_ORDER = Attribute(     "od",   "order",               POSITIVE_INT,        "1",    "M",   "O",   "NA")
_ORIGIN = Attribute(    "ror",  "requestOrigin",       list_of(ID),         "1",    "M",   "O",   "NA")
_CONTEXT = Attribute(   "rct",  "requestContext",      ANY,                 "0..1", "O",   "O",   "NA")
_CONTEXT_TOLD = Attribute("rctn", "requestContextNotification", BOOLEAN,    "0..1", "O",   "O",   "NA")
_CHARACTER = Attribute( "rch",  "requestCharacteristics", ANY,              "0..1", "O",   "O",   "NA")
_CATEGORY = Attribute(  "aec",  "applicableEventCategory", list_of(EVENT_CAT_WITH_DEF), "1", "M", "O", "NA")

_COMMON = (*UNIVERSAL, EXPIRES, POLICIES, CONSULTED, LABELS, ANNOUNCE_TO, ANNOUNCED)
_NEWER = (*(replace(row, announce="OA") if row is NAME else row for row in _COMMON), SYNC, CUSTODIAN)
_DEFINED = (_MGD, _OBIS, _OBPS, _DC)

BASE = (*_COMMON, *_DEFINED, _MGS, _CMLK)
"""What a management object has whose own attributes nobody has defined."""


def _object(*rows: Attribute, place: tuple[Attribute, ...] = ()) -> tuple[Attribute, ...]:
    return (*_NEWER, *place, *_DEFINED, *rows)


def _policy(*rows: Attribute) -> tuple[Attribute, ...]:
    return (*_COMMON, *_DEFINED, *rows)


def _configuration(mgd: int, *rows: Attribute) -> tuple[Attribute, ...]:
    return (*_NEWER, replace(_MGD, default=mgd), _OBIS, _OBPS, _DC, _MGS, _CMLK, *rows)


def _limits(short: str, long: str) -> Attribute:
    return Attribute(short, long, list_of(LONG, 2, 2), "1", "M", "O", "NA")


def _under(*names: str) -> frozenset[str]:
    return frozenset(names)


_DEVICE = (
    Form(1001, "m2m:fwr", "firmware", "TS-0001 D.2", _object(
        #         short   long                      type                   card    create update announce default
        Attribute("vr",   "version",                STRING,                "1",    "M",   "O",   "OA"),
        Attribute("fwn",  "firmwareName",           STRING,                "1",    "M",   "O",   "OA"),
        Attribute("url",  "URL",                    ANY_URI,               "1",    "M",   "O",   "OA"),
        Attribute("ud",   "update",                 BOOLEAN,               "1",    "M",   "O",   "OA"),
        Attribute("uds",  "updateStatus",           ACTION_STATUS,         "1",    "NP",  "O",   "OA",    _START),
    ), (Machine({"ud": "update"}, "uds"),)),
    Form(1002, "m2m:swr", "software", "TS-0001 D.3", _object(
        Attribute("vr",   "version",                STRING,                "1",    "M",   "O",   "OA"),
        Attribute("swn",  "softwareName",           STRING,                "1",    "M",   "O",   "OA"),
        Attribute("url",  "URL",                    ANY_URI,               "1",    "M",   "O",   "OA"),
        Attribute("in",   "install",                BOOLEAN,               "1",    "NP",  "O",   "OA",    False),
        Attribute("un",   "uninstall",              BOOLEAN,               "1",    "NP",  "O",   "OA",    False),
        Attribute("ins",  "installStatus",          ACTION_STATUS,         "1",    "NP",  "O",   "NA",    _START),
        Attribute("act",  "activate",               BOOLEAN,               "0..1", "NP",  "O",   "OA"),
        Attribute("dea",  "deactivate",             BOOLEAN,               "0..1", "NP",  "O",   "OA"),
        Attribute("acts", "activeStatus",           ACTION_STATUS,         "0..1", "NP",  "O",   "NA"),
    ), (Machine({"in": "install", "un": "uninstall"}, "ins"), Machine({"act": "activate", "dea": "deactivate"}, "acts"))),
    Form(1003, "m2m:mem", "memory", "TS-0001 D.4", _object(
        Attribute("mma",  "memAvailable",           UNSIGNED_LONG,         "1",    "M",   "O",   "OA"),
        Attribute("mmt",  "memTotal",               UNSIGNED_LONG,         "1",    "M",   "O",   "OA"),
    )),
    Form(1004, "m2m:ani", "areaNwkInfo", "TS-0001 D.5", _object(
        Attribute("ant",  "areaNwkType",            STRING,                "1",    "M",   "O",   "OA"),
        Attribute("ldv",  "listOfDevices",          list_of(ANY_URI),      "0..1", "O",   "O",   "OA"),
    )),
    Form(1005, "m2m:andi", "areaNwkDeviceInfo", "TS-0001 D.6", _object(
        Attribute("dvd",  "devID",                  STRING,                "1",    "M",   "O",   "OA"),
        Attribute("dvt",  "devType",                STRING,                "1",    "M",   "O",   "OA"),
        Attribute("awi",  "areaNwkId",              ANY_URI,               "1",    "M",   "O",   "OA"),
        Attribute("sli",  "sleepInterval",          NON_NEG_INT,           "0..1", "O",   "O",   "OA"),
        Attribute("sld",  "sleepDuration",          NON_NEG_INT,           "0..1", "O",   "O",   "OA"),
        Attribute("ss",   "devStatus",              STRING,                "0..1", "O",   "O",   "OA"),
        Attribute("lnh",  "listOfNeighbors",        list_of(ANY_URI),      "0..1", "O",   "O",   "OA"),
    )),
    Form(1006, "m2m:bat", "battery", "TS-0001 D.7", _object(
        Attribute("btl",  "batteryLevel",           PERCENT,               "1",    "M",   "O",   "OA"),
        Attribute("bts",  "batteryStatus",          enum_of(BatteryStatus), "1",   "M",   "O",   "OA"),
    )),
    Form(1007, "m2m:dvi", "deviceInfo", "TS-0001 D.8", _object(
        Attribute("dlb",  "deviceLabel",            STRING,                "1",    "M",   "O",   "OA"),
        Attribute("man",  "manufacturer",           STRING,                "1",    "M",   "NP",  "OA"),
        Attribute("mfdl", "manufacturerDetailsLink", STRING,               "0..1", "O",   "O",   "OA"),
        Attribute("mfd",  "manufacturingDate",      TIMESTAMP,             "0..1", "O",   "NP",  "OA"),
        Attribute("mod",  "model",                  STRING,                "1",    "M",   "NP",  "OA"),
        Attribute("smod", "subModel",               STRING,                "0..1", "O",   "NP",  "OA"),
        Attribute("dty",  "deviceType",             STRING,                "1",    "M",   "O",   "OA"),
        Attribute("dvnm", "deviceName",             STRING,                "0..1", "O",   "O",   "OA"),
        Attribute("fwv",  "fwVersion",              STRING,                "0..1", "O",   "O",   "OA"),
        Attribute("swv",  "swVersion",              STRING,                "0..1", "O",   "O",   "OA"),
        Attribute("hwv",  "hwVersion",              STRING,                "0..1", "O",   "NP",  "OA"),
        Attribute("osv",  "osVersion",              STRING,                "0..1", "O",   "O",   "OA"),
        Attribute("cnty", "country",                STRING,                "0..1", "O",   "NP",  "OA"),
        Attribute("syst", "systemTime",             TIMESTAMP,             "0..1", "O",   "O",   "OA"),
        Attribute("spur", "supportURL",             ANY_URI,               "0..1", "O",   "O",   "OA"),
        Attribute("purl", "presentationURL",        ANY_URI,               "0..1", "O",   "O",   "OA"),
        Attribute("ptl",  "protocol",               list_of(MIME_PROTOCOL), "0..1", "O",  "O",   "OA"),
        place=(Attribute("loc", "location",         STRING,                "0..1", "O",   "O",   "OA"),),
    )),
    Form(1008, "m2m:dvc", "deviceCapability", "TS-0001 D.9", _object(
        Attribute("can",  "capabilityName",         STRING,                "1",    "M",   "O",   "OA"),
        Attribute("att",  "attached",               BOOLEAN,               "1",    "M",   "O",   "OA"),
        Attribute("cas",  "capabilityActionStatus", ACTION_STATUS,         "1",    "M",   "O",   "OA"),
        Attribute("cus",  "currentState",           BOOLEAN,               "1",    "M",   "O",   "OA"),
        Attribute("ena",  "enable",                 BOOLEAN,               "0..1", "O",   "O",   "OA"),
        Attribute("dis",  "disable",                BOOLEAN,               "0..1", "O",   "O",   "OA"),
    ), (Machine({"ena": "enable", "dis": "disable"}, "cas"),)),
    Form(1009, "m2m:rbo", "reboot", "TS-0001 D.10", _object(
        Attribute("rbo",  "reboot",                 BOOLEAN,               "1",    "O",   "O",   "OA",    False),
        Attribute("far",  "factoryReset",           BOOLEAN,               "1",    "O",   "O",   "OA",    False),
    ), (Machine({"rbo": "reboot", "far": "factoryReset"}),)),
    Form(1010, "m2m:evl", "eventLog", "TS-0001 D.11", _object(
        Attribute("lgt",  "logTypeId",              enum_of(LogTypeId),    "1",    "M",   "O",   "OA"),
        Attribute("lgd",  "logData",                STRING,                "1",    "M",   "O",   "OA"),
        Attribute("lgst", "logStatus",              enum_of(LogStatus),    "1",    "M",   "O",   "OA"),
        Attribute("lga",  "logStart",               BOOLEAN,               "1",    "O",   "O",   "OA",    False),
        Attribute("lgo",  "logStop",                BOOLEAN,               "1",    "O",   "O",   "OA",    False),
    ), (Machine({"lga": "logStart", "lgo": "logStop"}, "lgst", progress=False),)),
)  # fmt: skip

_CMDH = (
    Form(1011, "m2m:cmp", "cmdhPolicy", "TS-0001 D.12", _policy(
        #         short   long                        type                        card    create update announce default
        _LINKS,
        Attribute("cpn",  "cmdhPolicyName",           STRING,                     "1",    "M",   "O",   "NA"),
    )),
    Form(1012, "m2m:acmp", "activeCmdhPolicy", "TS-0001 D.12.1", _policy(
        Attribute("acmlk", "activeCmdhPolicyLink",    ID,                         "1",    "M",   "O",   "NA"),
    )),
    Form(1013, "m2m:cmdf", "cmdhDefaults", "TS-0001 D.12.2", _policy(_LINKS), parents=_under("cmdhPolicy")),
    Form(1014, "m2m:cmdv", "cmdhDefEcValue", "TS-0001 D.12.3", _policy(
        _ORDER,
        Attribute("dev",  "defEcValue",               EVENT_CAT,                  "1",    "M",   "O",   "NA"),
        _ORIGIN,
        _CONTEXT,
        _CONTEXT_TOLD,
        _CHARACTER,
    ), parents=_under("cmdhDefaults")),
    Form(1015, "m2m:cmpv", "cmdhEcDefParamValues", "TS-0001 D.12.4", _policy(
        _CATEGORY,
        Attribute("dqet", "defaultRequestExpTime",    LONG,                       "1",    "M",   "O",   "NA"),
        Attribute("dset", "defaultResultExpTime",     LONG,                       "1",    "M",   "O",   "NA"),
        Attribute("doet", "defaultOpExecTime",        LONG,                       "1",    "M",   "O",   "NA"),
        Attribute("drp",  "defaultRespPersistence",   LONG,                       "1",    "M",   "O",   "NA"),
        Attribute("dda",  "defaultDelAggregation",    BOOLEAN,                    "1",    "M",   "O",   "NA"),
    ), parents=_under("cmdhDefaults")),
    Form(1016, "m2m:cml", "cmdhLimits", "TS-0001 D.12.5", _policy(
        _ORDER,
        _ORIGIN,
        _CONTEXT,
        _CONTEXT_TOLD,
        _CHARACTER,
        Attribute("lec",  "limitsEventCategory",      list_of(EVENT_CAT),         "1",    "M",   "O",   "NA"),
        _limits("lqet", "limitsRequestExpTime"),
        _limits("lset", "limitsResultExpTime"),
        _limits("loet", "limitsOpExecTime"),
        _limits("lrp", "limitsRespPersistence"),
        Attribute("lda",  "limitsDelAggregation",     list_of(BOOLEAN, 1, 2),     "1",    "M",   "O",   "NA"),
    ), parents=_under("cmdhPolicy")),
    Form(1017, "m2m:cmnr", "cmdhNetworkAccessRules", "TS-0001 D.12.6", _policy(
        _CMLK,
        Attribute("aecs", "applicableEventCategories", list_of(EVENT_CAT_WITH_DEF), "1",  "M",   "O",   "NA"),
    ), parents=_under("cmdhPolicy")),
    Form(1018, "m2m:cmwr", "cmdhNwAccessRule", "TS-0001 D.12.7", _policy(
        _LINKS,
        Attribute("ttn",  "targetNetwork",            list_of(ID),                "1",    "M",   "O",   "NA"),
        Attribute("mrv",  "minReqVolume",             NON_NEG_INT,                "1",    "M",   "O",   "NA"),
        Attribute("swt",  "spreadingWaitTime",        NON_NEG_INT,                "1",    "M",   "O",   "NA"),
        Attribute("bop",  "backOffParameters",        BACK_OFF_PARAMETERS,        "1",    "M",   "O",   "NA"),
        Attribute("ohc",  "otherConditions",          list_of(ANY),               "0..1", "O",   "O",   "NA"),
    ), parents=_under("cmdhNetworkAccessRules")),
    Form(1019, "m2m:cmbf", "cmdhBuffer", "TS-0001 D.12.8", _policy(
        _CATEGORY,
        Attribute("mbfs", "maxBufferSize",            NON_NEG_INT,                "1",    "M",   "O",   "NA"),
        Attribute("sgp",  "storagePriority",          STORAGE_PRIORITY,           "1",    "M",   "O",   "NA"),
    ), parents=_under("cmdhPolicy")),
)  # fmt: skip

_CONFIGURATION = (
    Form(1020, NAMELESS, "registration", "TS-0022", BASE),
    Form(1021, "dcfg:datc", "dataCollection", "TS-0022", _configuration(1021,
        #         short    long                       type                        card    create update announce default
        Attribute("cntp",  "containerPath",           STRING,                     "1",    "M",   "O",   "OA"),
        Attribute("rpsc",  "reportingSchedule",       list_of(SCHEDULE_ENTRIES),  "0..1", "O",   "O",   "OA"),
        Attribute("mesc",  "measurementSchedule",     list_of(SCHEDULE_ENTRIES),  "0..1", "O",   "O",   "OA"),
        Attribute("meil",  "measurementInterval",     POSITIVE_INT,               "0..1", "O",   "O",   "OA"),
    )),
    Form(1022, NAMELESS, "authenticationProfile", "TS-0022", BASE),
    Form(1023, "dcfg:nycfc", "myCertFileCred", "TS-0022", _configuration(1023,
        Attribute("suids", "SUIDs",                   list_of(SUID),              "1",    "M",   "O",   "OA"),
        Attribute("mcff",  "myCertFileFormat",        ANY_URI,                    "1",    "M",   "NP",  "OA"),
        Attribute("mcfc",  "myCertFileContent",       STRING,                     "1",    "M",   "NP",  "OA"),
    ), parents=_under("authenticationProfile")),
    Form(1024, NAMELESS, "trustAnchorCred", "TS-0022", BASE, parents=_under("authenticationProfile")),
    Form(1025, NAMELESS, "MAFClientRegCfg", "TS-0022", BASE, parents=_under("authenticationProfile")),
    Form(1026, NAMELESS, "MEFClientRegCfg", "TS-0022", BASE),
    Form(1027, NAMELESS, "OAuth2Authentication", "TS-0022", BASE),
    Form(1028, "dcfg:wific", "wifiClient", "TS-0022", _configuration(1028,
        Attribute("ssid",  "ssid",                    STRING,                     "1",    "M",   "O",   "OA"),
        Attribute("wcrds", "credentials",             WIFI_CREDENTIALS,           "0..1", "O",   "O",   "OA"),
        Attribute("maca",  "macAddress",              STRING,                     "0..1", "O",   "O",   "OA"),
        Attribute("chanl", "channel",                 STRING,                     "0..1", "O",   "O",   "OA"),
        Attribute("cons",  "connectionStatus",        WIFI_CONNECTION_STATUS,     "1",    "O",   "O",   "OA",    0),
        Attribute("scan",  "scan",                    BOOLEAN,                    "1",    "M",   "O",   "OA"),
        Attribute("scanr", "scanResult",              list_of(STRING, 0),         "1",    "O",   "O",   "OA",    []),
        Attribute("ud",    "update",                  BOOLEAN,                    "1",    "O",   "O",   "OA",    False),
        Attribute("trdst", "toggleRadioStatus",       BOOLEAN,                    "1",    "O",   "O",   "OA",    False),
        Attribute("rdst",  "radioStatus",             BOOLEAN,                    "0..1", "O",   "O",   "OA"),
        Attribute("uds",   "updateStatus",            ACTION_STATUS,              "0..1", "NP",  "O",   "OA"),
    ), (Machine({"ud": "update"}, "uds"),)),
    Form(1029, "dcfg:crds", "credentials", "TS-0022", _configuration(1029,
        Attribute("pur",   "purpose",                 STRING,                     "0..1", "O",   "O",   "OA"),
        Attribute("crid",  "credentialID",            STRING,                     "0..1", "O",   "O",   "OA"),
        Attribute("crse",  "credentialSecret",        STRING,                     "0..1", "O",   "O",   "OA"),
        Attribute("crtk",  "credentialToken",         STRING,                     "0..1", "O",   "O",   "OA"),
    )),
    Form(1030, "dcfg:sim", "SIM", "TS-0022", _configuration(1030,
        Attribute("imsi",  "imsi",                    IMSI,                       "0..1", "O",   "O",   "OA"),
        Attribute("icid",  "iccid",                   ICCID,                      "1",    "M",   "O",   "OA"),
        Attribute("sist",  "simStatus",               SIM_STATUS,                 "0..1", "O",   "O",   "OA"),
        Attribute("sity",  "simType",                 SIM_TYPE,                   "0..1", "O",   "O",   "OA"),
        Attribute("spn",   "serviceProviderName",     STRING,                     "0..1", "O",   "O",   "OA"),
    )),
    Form(1031, "dcfg:mnwk", "mobileNetwork", "TS-0022", _configuration(1031,
        Attribute("cnb",   "cellularNetworkBearer",   CELLULAR_NETWORK_BEARER,    "0..1", "M",   "O",   "OA"),
        Attribute("rss",   "radioSignalStrength",     INTEGER,                    "0..1", "O",   "O",   "OA"),
        Attribute("liqu",  "linkQuality",             INTEGER,                    "0..1", "O",   "O",   "OA"),
        Attribute("ipad",  "ipAddresses",             list_of(IP_ADDRESS),        "0..1", "O",   "O",   "OA"),
        Attribute("ripa",  "routerIPAddresses",       list_of(IP_ADDRESS),        "0..1", "O",   "O",   "OA"),
        Attribute("apna",  "apn",                     list_of(STRING),            "0..1", "O",   "O",   "OA"),
        Attribute("ceid",  "cellID",                  INTEGER,                    "0..1", "O",   "O",   "OA"),
        Attribute("smnc",  "smnc",                    INTEGER,                    "0..1", "O",   "O",   "OA"),
        Attribute("smcc",  "smcc",                    INTEGER,                    "0..1", "O",   "O",   "OA"),
        Attribute("lac",   "lac",                     INTEGER,                    "0..1", "O",   "O",   "OA"),
        Attribute("coel",  "coverageEnhancementLevel", COVERAGE_ENHANCEMENT_LEVEL, "0..1", "O",  "O",   "OA"),
    )),
)  # fmt: skip

_SELF_DEFINED = Form(0, NAMELESS, "selfDefined", "TS-0001 9.6.15", BASE)

FORMS: Mapping[int, Form] = {form.mgd: form for form in (_SELF_DEFINED, *_DEVICE, *_CMDH, *_CONFIGURATION)}
"""Every specialisation by its number."""
