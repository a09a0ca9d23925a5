"""An application that is registered here (TS-0001 9.6.5, TS-0004 7.4.5)."""

import re
from typing import Any

from cse.address import sp_relative
from cse.codes import AERegistrationStatus, ResourceTypeID
from cse.criteria import text_test
from cse.datatypes import (
    ANY_URI,
    BOOLEAN,
    EXTERNAL_ID,
    ID,
    MEDIA_CAPABILITY,
    POA,
    RELEASE_VERSION,
    SERIALIZATION,
    STRING,
    TRIGGER_RECIPIENT_ID,
    UNSIGNED_INT,
    enum_of,
    list_of,
)
from cse.errors import AppRuleValidationFailed, BadRequest, OriginatorHasAlreadyRegistered
from cse.primitives import Request, Waivable
from cse.record import Record
from cse.schema import Attribute, Change, Host, ResourceType
from cse.storage.contract import Reader
from cse.structures import ACTIVITY_PATTERN_ELEMENTS, E2E_SEC_INFO
from resources import _node_links
from resources._common import ANNOUNCEABLE, CONSULTED, CUSTODIAN, EXPIRES, LABELS, LOCATION, POLICIES, UNIVERSAL

_well_formed = re.compile(r"[CS][A-Za-z0-9._~-]*").fullmatch


def _authorize(host: Host, reader: Reader, request: Request, parent: Record) -> bool:
    """Registration has rules of its own in the place of the policies of the CSEBase (TS-0001 10.2.2.2): an AE that may, and that is not registered yet."""
    if parent.ty != ResourceTypeID.CSE_BASE:
        return True  # refused as a child type
    stem = _stem(host, request)
    if not stem or not text_test(host.settings.allowed_ae_originators)(stem):
        raise AppRuleValidationFailed(f"the originator {request.fr!r} may not register here")
    known = reader.get(stem)
    if known is not None and not host.expired(known):
        raise OriginatorHasAlreadyRegistered(f"{stem} is registered already")
    return True


def _stem(host: Host, request: Request) -> str:
    """Give the AE-ID stem that the originator brings, ``C`` or ``S`` when it asks for one, "" when it is no AE of this CSE (TS-0001 7.1.3)."""
    settings = host.settings
    brought = sp_relative(request.fr or settings.default_ae_stem, settings.cse_id, settings.sp_id)
    stem = brought.rpartition("/")[2]
    return stem if _well_formed(stem) and brought == sp_relative(stem, settings.cse_id) else ""


def _identify(change: Change, draft: dict[str, Any], _: Any) -> str:
    """Give the AE-ID stem (TS-0004 7.4.5.2.1): the one the originator brings, or a fresh one for none, ``C`` or ``S``."""
    stem = _stem(change.host, change.request)
    if stem in ("C", "S"):
        return change.transaction.identify(stem, change.host.settings.cse_id.removeprefix("/"), TYPE.ty)
    expired = change.transaction.get(stem)
    if expired is not None:
        change.remove(expired)
    return stem


def _on_create(change: Change, draft: dict[str, Any], parent: Record, _: Any) -> None:
    app = draft["api"]
    old = change.request.rvi in ("1", "2", "2a", "3")
    if app[:1] not in ("N", "R") and not (old and app[:1] == "r") and not change.request.peer.waives(Waivable.APP_ID):
        raise BadRequest(f"api {app!r} must start with N (not registered) or R (registered)")
    if not text_test(change.host.settings.allowed_app_ids)(app):
        raise AppRuleValidationFailed(f"the App-ID {app!r} may not register here")
    draft["aei"] = draft["ri"]
    _node_links.settle(change, TYPE.ty, draft["ri"], draft.get("nl"))


def _on_update(change: Change, record: Record, changes: dict[str, Any], _: Any) -> None:
    if "nl" in changes:
        _node_links.follow(change, record, changes["nl"])


def _on_delete(change: Change, record: Record) -> None:
    _node_links.follow(change, record, None)


TYPE = ResourceType(
    ty=2,
    short="m2m:ae",
    name="AE",
    spec="TS-0001 9.6.5",
    attributes=(
        *UNIVERSAL,
        EXPIRES,
        POLICIES,
        CONSULTED,
        LABELS,
        *ANNOUNCEABLE,
        CUSTODIAN,
        LOCATION,
        #         short   long                        type                                                   card    create update announce default
        Attribute("apn",  "appName",                  STRING,                                                "0..1", "O",   "O",   "OA"),
        Attribute("api",  "App-ID",                   STRING,                                                "1",    "M",   "NP",  "OA"),
        Attribute("aei",  "AE-ID",                    ID,                                                    "1",    "NP",  "NP",  "OA"),
        Attribute("poa",  "pointOfAccess",            list_of(POA),                                          "0..1", "O",   "O",   "OA"),
        Attribute("or",   "ontologyRef",              ANY_URI,                                               "0..1", "O",   "O",   "OA"),
        Attribute("nl",   "nodeLink",                 ANY_URI,                                               "0..1", "O",   "O",   "OA"),
        Attribute("rr",   "requestReachability",      BOOLEAN,                                               "1",    "M",   "O",   "OA"),
        Attribute("csz",  "contentSerialization",     list_of(SERIALIZATION),                                "0..1", "O",   "O",   "OA"),
        Attribute("esi",  "e2eSecInfo",               E2E_SEC_INFO,                                          "0..1", "O",   "O",   "MA"),
        Attribute("mei",  "M2M-Ext-ID",               EXTERNAL_ID,                                           "0..1", "O",   "O",   "NA"),
        Attribute("srv",  "supportedReleaseVersions", list_of(RELEASE_VERSION),                              "0..1", "M",   "O",   "MA"),
        Attribute("regs", "registrationStatus",       enum_of(AERegistrationStatus, "AERegistrationStatus"), "0..1", "O",   "O",   "OA"),
        Attribute("trps", "trackRegistrationPoints",  BOOLEAN,                                               "0..1", "O",   "O",   "OA"),
        Attribute("scp",  "sessionCapabilities",      list_of(MEDIA_CAPABILITY),                             "0..1", "O",   "O",   "OA"),
        Attribute("tren", "triggerEnable",            BOOLEAN,                                               "0..1", "O",   "O",   "OA",    False),
        Attribute("ape",  "activityPatternElements",  ACTIVITY_PATTERN_ELEMENTS,                             "0..1", "O",   "O",   "OA"),
        Attribute("tri",  "Trigger-Recipient-ID",     TRIGGER_RECIPIENT_ID,                                  "0..1", "O",   "O",   "NA"),
        Attribute("trn",  "triggerReferenceNumber",   UNSIGNED_INT,                                          "0..1", "O",   "O",   "NA"),
    ),
    parents=frozenset({"cb"}),
    authorize=_authorize,
    identify=_identify,
    on_create=_on_create,
    on_update=_on_update,
    on_delete=_on_delete,
)
