"""The root of the tree: what this CSE is and can (TS-0001 9.6.3, TS-0004 7.4.3)."""

from collections.abc import Mapping
from typing import Any

from cse.codes import CseTypeID
from cse.datatypes import ANY_URI, ID, LABEL, POA, RELEASE_VERSION, SERIALIZATION, STRING, TIMESTAMP, enum_of, list_of
from cse.record import Record
from cse.schema import Attribute, Host, ResourceType
from cse.structures import E2E_SEC_INFO, GEO_COORDINATES, RESOURCE_TYPE
from resources._common import UNIVERSAL, kept


def _on_retrieve(host: Host, _: Record) -> Mapping[str, Any]:
    settings = host.settings
    return {
        "srt": list(host.numbers),
        "poa": list(settings.points_of_access),
        "csz": list(settings.serializations),
        "srv": list(settings.supported_releases),
        "ctm": host.time(),
        "spi": settings.sp_id,
    }


TYPE = ResourceType(
    ty=5,
    short="m2m:cb",
    name="CSEBase",
    spec="TS-0001 9.6.3",
    attributes=(
        *kept(*UNIVERSAL),
        #         short   long                                   type                      card    create update announce default
        Attribute("acpi", "accessControlPolicyIDs",              list_of(ID),              "0..1", "NP",  "NP",  "MA"),
        Attribute("daci", "dynamicAuthorizationConsultationIDs", list_of(ANY_URI),         "0..1", "NP",  "NP",  "NA"),
        Attribute("lbl",  "labels",                              list_of(LABEL, 0),        "0..1", "NP",  "NP",  "MA"),
        Attribute("cstn", "custodian",                           ID,                       "0..1", "NP",  "NP",  "NA"),
        Attribute("loc",  "location",                            GEO_COORDINATES,          "0..1", "NP",  "NP",  "NA"),
        Attribute("cst",  "cseType",                             enum_of(CseTypeID),       "0..1", "NP",  "NP",  "NA"),
        Attribute("csi",  "CSE-ID",                              ID,                       "1",    "NP",  "NP",  "NA"),
        Attribute("srt",  "supportedResourceType",               list_of(RESOURCE_TYPE),   "1",    "NP",  "NP",  "NA"),
        Attribute("poa",  "pointOfAccess",                       list_of(POA),             "1",    "NP",  "NP",  "NA"),
        Attribute("nl",   "nodeLink",                            ANY_URI,                  "0..1", "NP",  "NP",  "NA"),
        Attribute("csz",  "contentSerialization",                list_of(SERIALIZATION),   "0..1", "NP",  "NP",  "NA"),
        Attribute("esi",  "e2eSecInfo",                          E2E_SEC_INFO,             "0..1", "NP",  "NP",  "MA"),
        Attribute("srv",  "supportedReleaseVersions",            list_of(RELEASE_VERSION), "0..1", "NP",  "NP",  "MA"),
        Attribute("ncp",  "notificationCongestionPolicy",        STRING,                   "0..1", "NP",  "NP",  "NA"),
        Attribute("ctm",  "currentTime",                         TIMESTAMP,                "0..1", "NP",  "NP",  "NA"),
        Attribute("spi",  "SP-ID",                               ID,                       "1",    "NP",  "NP",  "OA"),
        Attribute("ici",  "IN-CSE-ID",                           ID,                       "0..1", "NP",  "NP",  "OA"),
    ),
    parents=frozenset(),
    api_create=False,
    on_retrieve=_on_retrieve,
)
