"""Nodes and what they host: nodeLink on one side, hostedCSELink and hostedAELinks on the other, kept consistent (TS-0001 9.6.18, procedures 13).

What is linked belongs to one node: a link to another one moves it. Links to other CSEs, and to what is not there, are kept as they are and lead nowhere.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from cse.address import same_entity
from cse.codes import ResourceTypeID
from cse.errors import BadRequest
from cse.record import Record
from cse.schema import Change

_CSES = frozenset({ResourceTypeID.CSE_BASE, ResourceTypeID.REMOTE_CSE})


def claim(change: Change, node: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    """Let what a node (ri) newly names link to it, and what it does not name any more forget it. Raises BadRequest for what is neither AE nor CSE."""
    old, new = dict(_hosted(change, before)), dict(_hosted(change, after, strict=True))
    for ri, record in old.items():
        if ri not in new:
            _link(change, record, None)
    for ri, record in new.items():
        if ri not in old:
            left = _node(change, record.attributes.get("nl"))
            if left is not None and left.ri != node:
                _forget(change, left, record)
            _link(change, record, node)


def release(change: Change, node: Record) -> None:
    """Let what a node that is gone has hosted forget it."""
    for _, record in _hosted(change, node.attributes):
        _link(change, record, None)


def follow(change: Change, hosted: Record, link: str | None) -> None:
    """Let nodes follow the nodeLink of an AE or CSE, which becomes ``link``: the one it leaves forgets it, the one it names has it."""
    old, new = _node(change, hosted.attributes.get("nl")), _node(change, link)
    if old is not None and (new is None or new.ri != old.ri):
        _forget(change, old, hosted)
    if new is not None and (old is None or new.ri != old.ri):
        _join(change, new, hosted.ty, hosted.ri)


def settle(change: Change, ty: int, ri: str, link: str | None) -> None:
    """Let the node that a new AE or CSE (ri) names have it."""
    node = _node(change, link)
    if node is not None:
        _join(change, node, ty, ri)


def _join(change: Change, node: Record, ty: int, ri: str) -> None:
    """Let a node name an AE or CSE; its CSE takes the place of another one."""
    if ty == ResourceTypeID.AE:
        _amend(change, node, {"hael": [*node.attributes.get("hael", ()), ri]})
        return
    for _, record in _hosted(change, {"hcl": node.attributes.get("hcl")}):
        _link(change, record, None)
    _amend(change, node, {"hcl": ri})


def _node(change: Change, link: str | None) -> Record | None:
    """Give the node of this CSE that a nodeLink names."""
    record = change.host.resolve(change.transaction, link) if link else None
    return record if record is not None and record.ty == ResourceTypeID.NODE else None


def _hosted(change: Change, attributes: Mapping[str, Any], *, strict: bool = False) -> Iterator[tuple[str, Record]]:
    """Give what a node names of this CSE, by ri. ``strict``: raise BadRequest for an address of this CSE that is no AE, or no CSE."""
    linked = [("hael", link) for link in attributes.get("hael") or ()] + [("hcl", link) for link in (attributes.get("hcl"),) if link]
    for name, link in linked:
        record = change.host.resolve(change.transaction, link)
        if record is None and name == "hcl":
            record = _remote_cse(change, link)
        if record is not None and (record.ty in _CSES if name == "hcl" else record.ty == ResourceTypeID.AE):
            yield record.ri, record
        elif strict and not change.host.remote(link):
            raise BadRequest(f"{name} names {link!r}, which is no {'CSE' if name == 'hcl' else 'AE'} of this CSE")


def _remote_cse(change: Change, link: str) -> Record | None:
    """Give the remoteCSE of a CSE-ID."""
    settings = change.host.settings
    base = change.host.resolve(change.transaction, settings.cse_name)
    peers = change.transaction.children(base.ri, frozenset({int(ResourceTypeID.REMOTE_CSE)})) if base is not None else ()
    return next((peer for peer in peers if same_entity(peer.attributes.get("csi"), link, settings.cse_id, settings.sp_id)), None)


def _forget(change: Change, node: Record, hosted: Record) -> None:
    """Take an AE or CSE, which may be gone already, out of the links of a node."""
    settings = change.host.settings

    def named(link: str) -> bool:
        known = (hosted.ri, hosted.path, hosted.attributes.get("csi"))
        found = change.host.resolve(change.transaction, link)
        return (found is not None and found.ri == hosted.ri) or any(same_entity(link, name, settings.cse_id, settings.sp_id) for name in known)

    links = node.attributes.get("hael", [])
    left = [link for link in links if not named(link)]
    changes: dict[str, Any] = {} if len(left) == len(links) else {"hael": left or None}
    if "hcl" in node.attributes and named(node.attributes["hcl"]):
        changes["hcl"] = None
    if changes:
        _amend(change, node, changes)


def _link(change: Change, hosted: Record, node: str | None) -> None:
    current = change.transaction.get(hosted.ri)
    if current is not None:
        _amend(change, current, {"nl": node})


def _amend(change: Change, record: Record, changes: Mapping[str, Any]) -> None:
    change.replace(record.with_attributes({**changes, "lt": change.time}), modified=changes)
