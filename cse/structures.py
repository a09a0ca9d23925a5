"""The complex types of oneM2M that attributes and request parameters use (TS-0004 6.3.5), one table each."""

from typing import Any

from cse.codes import (
    ContentFilterSyntax,
    ContentStatus,
    DesIdResType,
    EvalCriteriaOperator,
    FilterOperation,
    FilterUsage,
    GeometryType,
    GeoSpatialFunctionType,
    NotificationEventType,
    ResourceTypeID,
    ResponseStatusCode,
    ResponseType,
    ResultContent,
)
from cse.datatypes import (
    ABS_REL_TIMESTAMP,
    ANY,
    ANY_URI,
    ATTRIBUTE_NAME,
    BASE64,
    BOOLEAN,
    COUNTRY_CODE,
    DURATION,
    EVENT_CAT,
    FLOAT,
    GEO_JSON_COORDINATE,
    ID,
    IPV4,
    IPV6,
    JWT,
    LABEL,
    NC_NAME,
    NON_NEG_INT,
    POSITIVE_INT,
    PRIMITIVE_CONTENT,
    RELEASE_VERSION,
    REQUEST_ID,
    ROLE_ID,
    SCHEDULE_ENTRY,
    SIGNATURE,
    SPARQL,
    STRING,
    TIMESTAMP,
    TOKEN_ID,
    TYPE_OF_CONTENT,
    DataType,
    Member,
    either,
    enum_of,
    list_of,
    numbers_of,
    structure,
)

RESOURCE_TYPE = enum_of(ResourceTypeID, "resourceType")
ACCESS_CONTROL_OPERATIONS = numbers_of("accessControlOperations", range(64))
MGMT_DEFINITION = numbers_of("mgmtDefinition", [0, *range(1001, 1032)])
MEMBER_TYPE = numbers_of("memberType", {0, 20001, 20002, 20003} | set(ResourceTypeID) - {ResourceTypeID.LOCAL_MULTICAST_GROUP, ResourceTypeID.CSE_BASE_ANNC})
SUID = numbers_of("suid", [*range(10, 16), *range(21, 26), *range(32, 36), *range(40, 46)])
STATIONARY_INDICATION = numbers_of("stationaryIndication", (1, 2))
ESPRIM_KEY_GEN_ALG_ID = numbers_of("esprimKeyGenAlgID", (1,))
ESPRIM_PROTOCOL_AND_ALG_ID = numbers_of("esprimProtocolAndAlgID", (10, 11, 12))


def _at_least_one(value: Any) -> None:
    if not value:
        raise ValueError("must have at least one member")


ATTRIBUTE = structure("attribute", (Member("nm", "name", NC_NAME, "1"), Member("val", "value", ANY, "1")))

EVAL_CRITERIA = structure(
    "evalCriteria",
    (
        Member("optr", "operator", enum_of(EvalCriteriaOperator), "1"),
        Member("sbjt", "subject", NC_NAME, "1"),
        Member("thld", "threshold", ANY, "1"),
    ),
)

SPECIALIZATION_TYPE = structure(
    "specializationType",
    (Member("cnd", "containerDefinition", ANY_URI), Member("mgd", "mgmtDefinition", MGMT_DEFINITION)),
    {"minProperties": 1},
    _at_least_one,
)

SCHEDULE_ENTRIES = structure("scheduleEntries", (Member("sce", "scheduleEntry", list_of(SCHEDULE_ENTRY), "1"),))

GEO_COORDINATES = structure(
    "geoCoordinates",
    (Member("typ", "type", enum_of(GeometryType), "1"), Member("crd", "coordinates", GEO_JSON_COORDINATE, "1")),
)

LOCATION_REGION = structure(
    "locationRegion",
    (Member("accr", "circRegion", list_of(FLOAT, 3, 3)), Member("accc", "countryCode", list_of(COUNTRY_CODE))),
    {"minProperties": 1},
    _at_least_one,
)
"""``accr`` is latitude, longitude in degrees and radius in metres."""

# Access control

ACCESS_CONTROL_IP_ADDRESSES = structure(
    "accessControlIpAddresses",
    (Member("ipv4", "ipv4Addresses", list_of(IPV4)), Member("ipv6", "ipv6Addresses", list_of(IPV6))),
    {"minProperties": 1},
    _at_least_one,
)

ACCESS_CONTROL_CONTEXTS = structure(
    "accessControlContexts",
    (
        Member("actw", "accessControlWindow", list_of(SCHEDULE_ENTRY)),
        Member("acip", "accessControlIpAddresses", ACCESS_CONTROL_IP_ADDRESSES),
        Member("aclr", "accessControlLocationRegion", LOCATION_REGION),
        Member("acui", "accessControlUserIDs", list_of(STRING)),
        Member("acec", "accessControlEvalCriteria", EVAL_CRITERIA),
        Member("acl", "accessControlLimit", NON_NEG_INT),
    ),
)

ACCESS_CONTROL_OBJECT_DETAILS = structure(
    "accessControlObjectDetails",
    (
        Member("ty", "resourceType", RESOURCE_TYPE),
        Member("spty", "specializationType", SPECIALIZATION_TYPE),
        Member("chty", "childResourceType", list_of(RESOURCE_TYPE), "1"),
    ),
)

ACCESS_CONTROL_RULE = structure(
    "accessControlRule",
    (
        Member("acor", "accessControlOriginators", list_of(ANY_URI), "1"),
        Member("acop", "accessControlOperations", ACCESS_CONTROL_OPERATIONS, "1"),
        Member("acco", "accessControlContexts", list_of(ACCESS_CONTROL_CONTEXTS)),
        Member("acaf", "accessControlAuthenticationFlag", BOOLEAN),
        Member("acod", "accessControlObjectDetails", list_of(ACCESS_CONTROL_OBJECT_DETAILS)),
        Member("aca", "accessControlAttributes", list_of(NC_NAME)),
    ),
)

SET_OF_ACRS = structure("setOfAcrs", (Member("acr", "accessControlRule", list_of(ACCESS_CONTROL_RULE, 0)),))
"""Privileges: may be an empty set of rules."""

SELF_PRIVILEGES = structure("setOfAcrs", (Member("acr", "accessControlRule", list_of(ACCESS_CONTROL_RULE), "1"),))
"""The same with at least one rule, since nobody could change the policy otherwise (TS-0004 7.4.2)."""

# AE

RECEIVER_ESPRIM_RAND_OBJECT = structure(
    "receiverESPrimRandObject",
    (
        Member("esri", "esprimRandID", NC_NAME, "1"),
        Member("esrv", "esprimRandValue", NC_NAME, "1"),
        Member("esrx", "esprimRandExpiry", ABS_REL_TIMESTAMP, "1"),
        Member("esks", "esprimKeyGenAlgIDs", list_of(ESPRIM_KEY_GEN_ALG_ID), "1"),
        Member("espa", "esprimProtocolAndAlgIDs", list_of(ESPRIM_PROTOCOL_AND_ALG_ID), "1"),
    ),
)

E2E_SEC_INFO = structure(
    "e2eSecInfo",
    (
        Member("esf", "supportedE2ESecFeatures", list_of(SUID), "1"),
        Member("escert", "certificates", list_of(BASE64)),
        Member("esro", "sharedReceiverESPrimRandObject", RECEIVER_ESPRIM_RAND_OBJECT),
    ),
)

ACTIVITY_PATTERN = structure(
    "activityPattern",
    (
        Member("se", "scheduleElement", list_of(SCHEDULE_ENTRIES), "1"),
        Member("sti", "stationaryIndication", STATIONARY_INDICATION),
        Member("dsi", "dataSizeIndicator", POSITIVE_INT),
    ),
)

_ACTIVITY_PATTERN_OBJECT = structure("activityPatternElements", (Member("ape", "activityPatternElements", list_of(ACTIVITY_PATTERN)),))
ACTIVITY_PATTERN_ELEMENTS = either(_ACTIVITY_PATTERN_OBJECT.name, _ACTIVITY_PATTERN_OBJECT, list_of(ACTIVITY_PATTERN))
"""An object in the text; newer implementations write its list alone."""

# contentInstance

URI_REFERENCE = structure("URIReference", (Member("nm", "name", NC_NAME, "1"), Member("uri", "URI", ANY_URI, "1")))


def _names_differ(value: Any) -> None:
    names = [reference["nm"] for reference in value["urir"]]
    if len(set(names)) < len(names):
        raise ValueError("must have references with different names (nm)")


CONTENT_REF = structure("contentRef", (Member("urir", "URIReference", list_of(URI_REFERENCE), "1"),), None, _names_differ)

# Subscriptions and groups

OPERATION_MONITOR = structure(
    "operationMonitor",
    (
        Member("ops", "operations", ACCESS_CONTROL_OPERATIONS),
        Member("or", "originator", ID),
        Member("org", "originator", ID),
    ),
    {"minProperties": 1},
    _at_least_one,
)
"""``or`` in the text, ``org`` in the field."""

MISSING_DATA = structure("missingData", (Member("num", "number", POSITIVE_INT, "1"), Member("dur", "duration", DURATION, "1")))

EVENT_NOTIFICATION_CRITERIA = structure(
    "eventNotificationCriteria",
    (
        Member("crb", "createdBefore", TIMESTAMP),
        Member("cra", "createdAfter", TIMESTAMP),
        Member("ms", "modifiedSince", TIMESTAMP),
        Member("us", "unmodifiedSince", TIMESTAMP),
        Member("sts", "stateTagSmaller", POSITIVE_INT),
        Member("stb", "stateTagBigger", NON_NEG_INT),
        Member("exb", "expireBefore", TIMESTAMP),
        Member("exa", "expireAfter", TIMESTAMP),
        Member("sza", "sizeAbove", NON_NEG_INT),
        Member("szb", "sizeBelow", POSITIVE_INT),
        Member("om", "operationMonitor", list_of(OPERATION_MONITOR)),
        Member("atr", "attribute", list_of(ATTRIBUTE_NAME)),
        Member("net", "notificationEventType", list_of(enum_of(NotificationEventType))),
        Member("chty", "childResourceType", list_of(RESOURCE_TYPE)),
        Member("md", "missingData", MISSING_DATA),
        Member("fo", "filterOperation", enum_of(FilterOperation)),
        Member("aq", "advancedQuery", STRING),
    ),
)

EVENT_NOTIFICATION_CRITERIA_SET = either(
    "complex:eventNotificationCriteriaSet",
    structure("eventNotificationCriteriaSet", (Member("encn", "eventNotificationCriteriaEntry", list_of(EVENT_NOTIFICATION_CRITERIA), "1"),)),
    structure("eventNotificationCriteriaSet", (Member("enc", "eventNotificationCriteriaEntry", list_of(EVENT_NOTIFICATION_CRITERIA), "1"),)),
)
"""``encn`` in the text, ``enc`` in the field."""

DELETION_CONTEXTS = structure(
    "deletionContexts",
    (Member("tod", "timeOfDay", list_of(SCHEDULE_ENTRY)), Member("lr", "locationRegions", list_of(LOCATION_REGION))),
)

BATCH_NOTIFY = structure("batchNotify", (Member("num", "number", NON_NEG_INT), Member("dur", "duration", DURATION)))

TIME_SERIES_NOTIFICATION = structure(
    "timeSeriesNotification",
    (Member("mdlt", "missingDataList", list_of(ABS_REL_TIMESTAMP), "1"), Member("mdc", "missingDataCurrentNr", NON_NEG_INT, "1")),
)

RATE_LIMIT = structure("rateLimit", (Member("mnn", "maxNrOfNotify", NON_NEG_INT, "1"), Member("tww", "timeWindow", DURATION, "1")))

NOTIFICATION_STATS = structure(
    "setOfNotificationStatsInfo",
    (
        Member("tg", "target", ID, "1"),
        Member("rqs", "requestsSent", NON_NEG_INT, "1"),
        Member("rsr", "responsesReceived", NON_NEG_INT, "1"),
        Member("noec", "notificationEventCount", NON_NEG_INT, "1"),
    ),
)

# Request parameters

RESPONSE_TYPE_INFO = structure(
    "responseTypeInfo",
    (Member("rtv", "responseTypeValue", enum_of(ResponseType), "1"), Member("nu", "notificationURI", list_of(ANY_URI, 0))),
)
"""An empty ``nu`` asks for no notification, an absent one for the originator (TS-0004 6.3.5.30)."""

FILTER_CRITERIA = structure(
    "filterCriteria",
    (
        Member("crb", "createdBefore", TIMESTAMP),
        Member("cra", "createdAfter", TIMESTAMP),
        Member("ms", "modifiedSince", TIMESTAMP),
        Member("us", "unmodifiedSince", TIMESTAMP),
        Member("sts", "stateTagSmaller", POSITIVE_INT),
        Member("stb", "stateTagBigger", NON_NEG_INT),
        Member("exb", "expireBefore", TIMESTAMP),
        Member("exa", "expireAfter", TIMESTAMP),
        Member("lbl", "labels", list_of(LABEL)),
        Member("clbl", "childLabels", list_of(LABEL)),
        Member("palb", "parentLabels", list_of(LABEL)),
        Member("lbq", "labelsQuery", STRING),
        Member("ty", "resourceType", list_of(RESOURCE_TYPE)),
        Member("chty", "childResourceType", list_of(RESOURCE_TYPE)),
        Member("pty", "parentResourceType", list_of(RESOURCE_TYPE)),
        Member("sza", "sizeAbove", NON_NEG_INT),
        Member("szb", "sizeBelow", POSITIVE_INT),
        Member("cty", "contentType", list_of(TYPE_OF_CONTENT)),
        Member("atr", "attribute", list_of(ATTRIBUTE)),
        Member("catr", "childAttribute", list_of(ATTRIBUTE)),
        Member("patr", "parentAttribute", list_of(ATTRIBUTE)),
        Member("fu", "filterUsage", enum_of(FilterUsage)),
        Member("lim", "limit", NON_NEG_INT),
        Member("smf", "semanticsFilter", list_of(SPARQL)),
        Member("fo", "filterOperation", enum_of(FilterOperation)),
        Member("cfs", "contentFilterSyntax", enum_of(ContentFilterSyntax)),
        Member("cfq", "contentFilterQuery", STRING),
        Member("lvl", "level", POSITIVE_INT),
        Member("ofst", "offset", POSITIVE_INT),
        Member("arp", "applyRelativePath", ANY_URI),
        Member("ops", "operations", NON_NEG_INT),
        Member("gmty", "geometryType", enum_of(GeometryType)),
        Member("geom", "geometry", GEO_JSON_COORDINATE),
        Member("gsf", "geoSpatialFunction", enum_of(GeoSpatialFunctionType)),
    ),
)

META_INFORMATION = structure(
    "metaInformation",
    (
        Member("ty", "resourceType", RESOURCE_TYPE),
        Member("ot", "originatingTimestamp", TIMESTAMP),
        Member("rqet", "requestExpirationTimestamp", ABS_REL_TIMESTAMP),
        Member("rset", "resultExpirationTimestamp", ABS_REL_TIMESTAMP),
        Member("oet", "operationExecutionTime", ABS_REL_TIMESTAMP),
        Member("rt", "responseType", RESPONSE_TYPE_INFO),
        Member("rp", "resultPersistence", ABS_REL_TIMESTAMP),
        Member("rcn", "resultContent", enum_of(ResultContent)),
        Member("ec", "eventCategory", EVENT_CAT),
        Member("da", "deliveryAggregation", BOOLEAN),
        Member("gid", "groupRequestIdentifier", STRING),
        Member("fc", "filterCriteria", FILTER_CRITERIA),
        Member("drt", "desiredIdentifierResultType", enum_of(DesIdResType)),
        Member("rids", "roleIDs", list_of(ROLE_ID)),
        Member("tqi", "tokenRequestIndicator", BOOLEAN),
        Member("tkns", "tokens", list_of(JWT)),
        Member("tids", "tokenIDs", list_of(TOKEN_ID)),
        Member("ltids", "localTokenIDs", list_of(NC_NAME)),
        Member("grtm", "groupRequestTargetMembers", list_of(ANY_URI)),
        Member("asi", "authorSignIndicator", BOOLEAN),
        Member("aus", "authorSigns", list_of(SIGNATURE)),
        Member("auri", "authorRelIndicator", BOOLEAN),
        Member("sqi", "semanticQueryIndicator", BOOLEAN),
        Member("rvi", "releaseVersionIndicator", RELEASE_VERSION, "1"),
        Member("vsi", "vendorInformation", STRING),
        Member("gstn", "groupSomecastTargetNumber", POSITIVE_INT),
        Member("omr", "ontologyMappingResources", list_of(ID)),
        Member("msu", "m2mServiceUser", ID),
    ),
)

OPERATION_RESULT = structure(
    "operationResult",
    (
        Member("rsc", "responseStatusCode", enum_of(ResponseStatusCode), "1"),
        Member("rqi", "requestIdentifier", REQUEST_ID, "1"),
        Member("pc", "primitiveContent", PRIMITIVE_CONTENT),
        Member("to", "to", ANY_URI),
        Member("fr", "from", ID),
        Member("ot", "originatingTimestamp", TIMESTAMP),
        Member("rset", "resultExpirationTimestamp", ABS_REL_TIMESTAMP),
        Member("ec", "eventCategory", EVENT_CAT),
        Member("cnst", "contentStatus", enum_of(ContentStatus)),
        Member("cnot", "contentOffset", POSITIVE_INT),
    ),
)

STRUCTURES: tuple[DataType, ...] = (
    ACCESS_CONTROL_CONTEXTS,
    ACCESS_CONTROL_IP_ADDRESSES,
    ACCESS_CONTROL_OBJECT_DETAILS,
    ACCESS_CONTROL_RULE,
    ACTIVITY_PATTERN,
    _ACTIVITY_PATTERN_OBJECT,
    ATTRIBUTE,
    BATCH_NOTIFY,
    CONTENT_REF,
    DELETION_CONTEXTS,
    E2E_SEC_INFO,
    EVAL_CRITERIA,
    EVENT_NOTIFICATION_CRITERIA,
    EVENT_NOTIFICATION_CRITERIA_SET,
    FILTER_CRITERIA,
    GEO_COORDINATES,
    LOCATION_REGION,
    META_INFORMATION,
    MISSING_DATA,
    NOTIFICATION_STATS,
    OPERATION_MONITOR,
    OPERATION_RESULT,
    RATE_LIMIT,
    RECEIVER_ESPRIM_RAND_OBJECT,
    RESPONSE_TYPE_INFO,
    SCHEDULE_ENTRIES,
    SELF_PRIVILEGES,
    SET_OF_ACRS,
    SPECIALIZATION_TYPE,
    TIME_SERIES_NOTIFICATION,
    URI_REFERENCE,
)
"""Every complex type, for the reference and the law tests."""
