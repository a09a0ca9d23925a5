"""What happens when a notification target wants to leave a subscription (TS-0001 9.6.32, TS-0004 7.4.31)."""

from typing import Any

from cse.address import same_entity
from cse.codes import LogicalOperator, NotificationTargetPolicyAction
from cse.datatypes import TOKEN, enum_of
from cse.errors import BadRequest
from cse.record import Record
from cse.schema import Attribute, Change, ResourceType
from resources._common import CONSULTED, CREATOR, CUSTODIAN, EXPIRES, LABELS, POLICIES, UNIVERSAL, unannounced
from resources._target_removal import DEFAULT


def _check_label(change: Change, ri: str, pi: str, originator: str, label: str) -> None:
    """Refuse a second policy of one creator with the same label."""
    settings = change.host.settings
    for other in change.transaction.children(pi, frozenset({TYPE.ty})):
        own = same_entity(other.originator, originator, settings.cse_id, settings.sp_id)
        if own and other.ri != ri and other.attributes["plbl"] == label and not change.host.expired(other):
            raise BadRequest(f"plbl {label!r} is the label of {other.path} already, which has the same creator")


def _on_create(change: Change, draft: dict[str, Any], parent: Record, _: Any) -> None:
    draft.setdefault("acn", int(NotificationTargetPolicyAction.ACCEPT))
    draft.setdefault("plbl", DEFAULT)
    _check_label(change, draft["ri"], parent.ri, change.request.fr or "", draft["plbl"])


def _on_update(change: Change, record: Record, changes: dict[str, Any], _: Any) -> None:
    if "plbl" in changes:
        _check_label(change, record.ri, record.pi, record.originator, changes["plbl"])


TYPE = ResourceType(
    ty=26,
    short="m2m:ntp",
    name="notificationTargetPolicy",
    spec="TS-0001 9.6.32",
    attributes=(
        *UNIVERSAL,
        *unannounced(EXPIRES, POLICIES, CONSULTED, LABELS, CREATOR, CUSTODIAN),
        #         short   long                 type                                     card    create update announce default
        Attribute("acn",  "action",            enum_of(NotificationTargetPolicyAction), "1",    "O",   "NP",  "NA"),
        Attribute("plbl", "policyLabel",       TOKEN,                                   "1",    "O",   "O",   "NA"),
        Attribute("rrs",  "rulesRelationship", enum_of(LogicalOperator),                "0..1", "O",   "O",   "NA"),
    ),
    parents=frozenset({"cb"}),
    on_create=_on_create,
    on_update=_on_update,
)
