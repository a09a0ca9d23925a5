"""The rows that most tables share: universal and common attributes (TS-0001 9.6.1.3)."""

from dataclasses import replace

from cse.codes import AnnounceSyncType
from cse.datatypes import ANY_URI, ATTRIBUTE_NAME, ID, LABEL, NH_URI, NON_NEG_INT, RESOURCE_NAME, TIMESTAMP, enum_of, list_of
from cse.schema import Attribute
from cse.structures import GEO_COORDINATES, RESOURCE_TYPE

#                        short   long                                    type                     card    create update announce default
TYPE_ROW = Attribute(   "ty",   "resourceType",                         RESOURCE_TYPE,           "1",    "NP",  "NP",  "NA")
ID_ROW = Attribute(     "ri",   "resourceID",                           ID,                      "1",    "NP",  "NP",  "NA")
NAME = Attribute(       "rn",   "resourceName",                         RESOURCE_NAME,           "1",    "O",   "NP",  "NA")
PARENT = Attribute(     "pi",   "parentID",                             NH_URI,                  "1",    "NP",  "NP",  "NA")
CREATED = Attribute(    "ct",   "creationTime",                         TIMESTAMP,               "1",    "NP",  "NP",  "NA")
MODIFIED = Attribute(   "lt",   "lastModifiedTime",                     TIMESTAMP,               "1",    "NP",  "NP",  "NA")
EXPIRES = Attribute(    "et",   "expirationTime",                       TIMESTAMP,               "1",    "O",   "O",   "MA")
POLICIES = Attribute(   "acpi", "accessControlPolicyIDs",               list_of(ID),             "0..1", "O",   "O",   "MA")
CONSULTED = Attribute(  "daci", "dynamicAuthorizationConsultationIDs",  list_of(ID),             "0..1", "O",   "O",   "OA")
LABELS = Attribute(     "lbl",  "labels",                               list_of(LABEL, 0),       "0..1", "O",   "O",   "MA")
STATE_TAG = Attribute(  "st",   "stateTag",                             NON_NEG_INT,             "1",    "NP",  "NP",  "NA",    0)
ANNOUNCE_TO = Attribute("at",   "announceTo",                           list_of(ANY_URI),        "0..1", "O",   "O",   "NA")
ANNOUNCED = Attribute(  "aa",   "announcedAttribute",                   list_of(ATTRIBUTE_NAME), "0..1", "O",   "O",   "NA")
SYNC = Attribute(       "ast",  "announceSyncType",                     enum_of(AnnounceSyncType), "0..1", "O", "O",   "MA")
CREATOR = Attribute(    "cr",   "creator",                              ID,                      "0..1", "O",   "NP",  "NA")
CUSTODIAN = Attribute(  "cstn", "custodian",                            ID,                      "0..1", "O",   "O",   "NA")
LOCATION = Attribute(   "loc",  "location",                             GEO_COORDINATES,         "0..1", "O",   "O",   "OA")
ONTOLOGY = Attribute(   "or",   "ontologyRef",                          ANY_URI,                 "0..1", "O",   "O",   "OA")

UNIVERSAL = (TYPE_ROW, ID_ROW, NAME, PARENT, CREATED, MODIFIED)
ANNOUNCEABLE = (ANNOUNCE_TO, ANNOUNCED, SYNC)


def fixed(*rows: Attribute) -> tuple[Attribute, ...]:
    """Give rows for a type that cannot be updated."""
    return tuple(replace(row, update="NP") for row in rows)


def unannounced(*rows: Attribute) -> tuple[Attribute, ...]:
    """Give rows for a type that is never announced."""
    return tuple(replace(row, announce="NA") for row in rows)


def kept(*rows: Attribute) -> tuple[Attribute, ...]:
    """Give rows for a type that only the CSE itself writes."""
    return tuple(replace(row, create="NP", update="NP") for row in rows)
