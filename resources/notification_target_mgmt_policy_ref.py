"""Which policy decides when a notification target wants to leave a subscription (TS-0001 9.6.31, TS-0004 7.4.30)."""

from collections.abc import Mapping
from typing import Any

from cse.codes import ResourceTypeID
from cse.datatypes import ANY_URI, list_of
from cse.errors import BadRequest, Conflict
from cse.record import Record
from cse.schema import Attribute, Change, ResourceType
from resources._common import CONSULTED, CUSTODIAN, EXPIRES, LABELS, POLICIES, UNIVERSAL, unannounced
from resources._target_removal import same_target


def _check(change: Change, ri: str, pi: str, attributes: Mapping[str, Any]) -> None:
    """Check that each target is in one reference only, and that the policy is one. Raises Conflict, BadRequest."""
    host = change.host
    for other in change.transaction.children(pi, frozenset({TYPE.ty})):
        if other.ri == ri or host.expired(other):
            continue
        for target in attributes.get("ntu", ()):
            if any(same_target(host, target, taken) for taken in other.attributes["ntu"]):
                raise Conflict(f"ntu names {target!r}, which {other.path} names already")
    policy = attributes.get("npi")
    if policy is not None and not host.remote(policy):
        found = host.resolve(change.transaction, policy)
        if found is None or found.ty != ResourceTypeID.NOTIFICATION_TARGET_POLICY:
            raise BadRequest(f"npi names {policy!r}, which is no notificationTargetPolicy")


def _on_create(change: Change, draft: dict[str, Any], parent: Record, _: Any) -> None:
    _check(change, draft["ri"], parent.ri, draft)


def _on_update(change: Change, record: Record, changes: dict[str, Any], _: Any) -> None:
    _check(change, record.ri, record.pi, changes)


TYPE = ResourceType(
    ty=25,
    short="m2m:ntpr",
    name="notificationTargetMgmtPolicyRef",
    spec="TS-0001 9.6.31",
    attributes=(
        *UNIVERSAL,
        *unannounced(EXPIRES, POLICIES, CONSULTED, LABELS, CUSTODIAN),
        #         short  long                     type              card    create update announce default
        Attribute("ntu", "notificationTargetURI", list_of(ANY_URI), "1",    "M",   "O",   "NA"),
        Attribute("npi", "notificationPolicyID",  ANY_URI,          "0..1", "O",   "O",   "NA"),
    ),
    parents=frozenset({"crs", "sub"}),
    on_create=_on_create,
    on_update=_on_update,
)
