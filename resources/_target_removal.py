"""The virtual resource ntsr: a notification target takes itself out of a subscription, as far as policies let it (TS-0001 9.6.34, 10.2.10; TS-0004 7.4.33)."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from cse import schedule
from cse.address import same_entity
from cse.codes import LogicalOperator, Operation, ResourceTypeID
from cse.codes import NotificationTargetPolicyAction as Action
from cse.codes import ResponseStatusCode as RSC
from cse.errors import NotFound, OperationNotAllowed, OriginatorHasNoPrivilege, TargetNotReachable
from cse.geo import distance, position
from cse.notify import withdraw
from cse.primitives import Notice, Peer, Request, Response, Steps, Turn
from cse.record import Record
from cse.schema import Change, Host

DEFAULT = "Default"
"""policyLabel of the policy that holds where no reference names another."""

_REFERENCES = frozenset({int(ResourceTypeID.NOTIFICATION_TARGET_MGMT_POLICY_REF)})
_POLICIES = frozenset({int(ResourceTypeID.NOTIFICATION_TARGET_POLICY)})
_RULES = frozenset({int(ResourceTypeID.POLICY_DELETION_RULES)})
_AE_OR_BASE = (ResourceTypeID.AE, ResourceTypeID.CSE_BASE)


def remove_target(host: Host, request: Request, subscription: Record, _: str) -> Steps:
    """Take the originator out of the targets of a subscription, if the policy for it agrees; its rules come first, then its action."""
    if request.op != Operation.DELETE:
        raise OperationNotAllowed(f"ntsr of {subscription.path} can only be deleted, by a notification target")
    entries = _entries(host, subscription, request.fr)
    if not entries:
        raise OriginatorHasNoPrivilege(f"{request.fr} is no notification target (nu) of {subscription.path}")
    policy = _policy(host, subscription, request.fr)
    if policy is not None and not _rules_hold(host, request, policy):
        raise OriginatorHasNoPrivilege(f"the rules of {policy.path} do not let {request.fr} leave {subscription.path} now")
    match Action.ACCEPT if policy is None else policy.attributes["acn"]:
        case Action.REJECT:
            raise OriginatorHasNoPrivilege(f"{_named(policy)} does not let notification targets leave {subscription.path}")
        case Action.ASK_SUBSCRIPTION_ORIGINATOR:
            yield from _ask(host, request, subscription, entries[0])
        case Action.INFORM_ONLY:
            yield Turn.WRITE
            with host.write(request) as change:
                _inform(change, subscription, entries[0])
            raise OriginatorHasNoPrivilege(f"{_named(policy)} does not let {request.fr} leave {subscription.path}; its creator was informed")
    yield Turn.WRITE
    with host.write(request) as change:
        current = change.transaction.get(subscription.ri)
        if current is None:
            raise NotFound(f"{subscription.path} does not exist any more")
        _remove(change, current, _entries(host, current, request.fr))
    return Response(RSC.DELETED, request.rqi, rvi=request.rvi)


def _named(policy: Record | None) -> str:
    return "the policy" if policy is None else policy.path


def same_target(host: Host, one: str, other: str | None) -> bool:
    """Tell whether two identifiers of notification targets denote one entity; the address of an AE or of the CSEBase stands for it."""

    def entity(given: str | None) -> str | None:
        record = None if given is None or "://" in given else host.resolve(host.reader, given)
        if record is None or record.ty not in _AE_OR_BASE:
            return given
        return str(record.attributes.get("aei") or host.settings.cse_id)

    return same_entity(entity(one), entity(other), host.settings.cse_id, host.settings.sp_id)


def _entries(host: Host, subscription: Record, originator: str | None) -> list[str]:
    """Give the entries of nu that mean the originator."""
    return [target for target in subscription.attributes["nu"] if same_target(host, target, originator)]


def _policy(host: Host, subscription: Record, originator: str | None) -> Record | None:
    """Give the policy for a target: of the reference that lists it, else the default one of the subscription's creator, else that of the system (the admin)."""
    for found in host.reader.children(subscription.ri, _REFERENCES):
        if "npi" in found.attributes and not host.expired(found) and any(same_target(host, target, originator) for target in found.attributes["ntu"]):
            policy = host.resolve(host.reader, found.attributes["npi"])
            if policy is not None and policy.ty in _POLICIES and not host.expired(policy):
                return policy
    for owner in (subscription.originator, host.settings.admin):
        for found in host.reader.children(host.settings.cse_id.removeprefix("/"), _POLICIES):
            if found.attributes["plbl"] == DEFAULT and not host.expired(found) and same_target(host, found.originator, owner):
                return found
    return None


# --- rules --------------------------------------------------------------------------------------------------------------------------------------------------


def _rules_hold(host: Host, request: Request, policy: Record) -> bool:
    """Tell whether the rules of a policy let its action happen now; both must when it does not say how two are joined (rrs)."""
    rules = [found for found in host.reader.children(policy.ri, _RULES) if not host.expired(found)]
    joined = _joiner(policy.attributes.get("rrs", LogicalOperator.AND))
    return not rules or joined(_rule_holds(host, request, rule.attributes) for rule in rules)


def _joiner(operator: int) -> Callable[[Iterable[bool]], bool]:
    return all if operator == LogicalOperator.AND else any


def _rule_holds(host: Host, request: Request, rule: Mapping[str, Any]) -> bool:
    given = rule.get("dr", {})
    found = []
    if "tod" in given:
        found.append(any(schedule.parse(entry).open_at(host.now()) for entry in given["tod"]))
    if "lr" in given:
        found.append(_is_in(host, request, given["lr"]))
    return not found or _joiner(rule["drr"])(found)


def _is_in(host: Host, request: Request, regions: Iterable[Mapping[str, Any]]) -> bool:
    """Tell whether the originator is in one of the regions; where it is unknown, or in which country, it is in none."""
    record = host.resolve(host.reader, request.fr or "")
    place = None if record is None else position(record.attributes.get("loc"))
    circles = [region["accr"] for region in regions if "accr" in region]
    return place is not None and any(abs(circle[0]) <= 90 and distance(circle[0], circle[1], *place) <= circle[2] for circle in circles)


# --- actions ------------------------------------------------------------------------------------------------------------------------------------------------


def _question(host: Host, subscription: Record, target: str) -> dict[str, Any]:
    return {"m2m:sgn": {"sur": f"{host.settings.cse_id}/{subscription.ri}", "ntt": target, "trr": True}}


def _ask(host: Host, request: Request, subscription: Record, target: str) -> Steps:
    """Ask the creator of a subscription whether a target may leave it. Raises OriginatorHasNoPrivilege, TargetNotReachable."""
    creator, settings = subscription.originator, host.settings
    content = _question(host, subscription, target)
    told = yield from host.handle(
        Request(Operation.NOTIFY, creator, settings.cse_id, host.fresh(), settings.release, pc=content, rqet=request.rqet, peer=Peer(internal=True))
    )
    if told.rsc in (RSC.NOT_FOUND, RSC.TARGET_NOT_REACHABLE, RSC.REQUEST_TIMEOUT):
        raise TargetNotReachable(f"{creator}, the creator of {subscription.path}, has to agree and cannot be reached")
    answer = told.pc.get("m2m:sgn") if told.ok and isinstance(told.pc, Mapping) else None
    if not isinstance(answer, Mapping) or answer.get("tra") is not True:
        raise OriginatorHasNoPrivilege(f"{creator}, the creator of {subscription.path}, does not let {request.fr} leave it")
    return told


def _inform(change: Change, subscription: Record, target: str) -> None:
    host = change.host
    content = _question(host, subscription, target)
    change.transaction.enqueue(Notice(subscription.originator, host.fresh(), host.settings.cse_id, content, created=change.seconds))


def _remove(change: Change, subscription: Record, entries: list[str]) -> None:
    """Take entries out of nu, with what waits for them; a subscription without targets ends."""
    for target in entries:
        withdraw(change, target, subscription.ri)
    left = [target for target in subscription.attributes["nu"] if target not in entries]
    if not left:
        change.remove(subscription)
        return
    changes: dict[str, Any] = {"nu": left, "lt": change.time}
    if "nsi" in subscription.attributes:
        changes["nsi"] = [each for each in subscription.attributes["nsi"] if each["tg"] in left]
    change.replace(subscription.with_attributes(changes))
