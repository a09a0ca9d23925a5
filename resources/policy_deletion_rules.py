"""When and where a notificationTargetPolicy holds (TS-0001 9.6.33, TS-0004 7.4.32)."""

from typing import Any

from cse.codes import LogicalOperator
from cse.datatypes import enum_of
from cse.errors import Conflict
from cse.record import Record
from cse.schema import Attribute, Change, ResourceType
from cse.structures import DELETION_CONTEXTS
from resources._common import CONSULTED, CUSTODIAN, EXPIRES, LABELS, POLICIES, UNIVERSAL, unannounced

_MOST = 2


def _on_create(change: Change, draft: dict[str, Any], parent: Record, _: Any) -> None:
    others = [other for other in change.transaction.children(parent.ri, frozenset({TYPE.ty})) if not change.host.expired(other)]
    if len(others) >= _MOST:
        raise Conflict(f"{parent.path} has {len(others)} policyDeletionRules already, more are not allowed")


def _on_update(change: Change, record: Record, changes: dict[str, Any], _: Any) -> None:
    if "drr" in changes and changes["drr"] is None:
        changes["drr"] = TYPE.defaults["drr"]


TYPE = ResourceType(
    ty=27,
    short="m2m:pdr",
    name="policyDeletionRules",
    spec="TS-0001 9.6.33",
    attributes=(
        *UNIVERSAL,
        *unannounced(EXPIRES, POLICIES, CONSULTED, LABELS, CUSTODIAN),
        #         short  long                     type                      card    create update announce default
        Attribute("dr",  "deletionRules",         DELETION_CONTEXTS,        "0..1", "O",   "NP",  "NA"),
        Attribute("drr", "deletionRulesRelation", enum_of(LogicalOperator), "0..1", "O",   "O",   "NA",    int(LogicalOperator.OR)),
    ),
    parents=frozenset({"ntp"}),
    on_create=_on_create,
    on_update=_on_update,
)
