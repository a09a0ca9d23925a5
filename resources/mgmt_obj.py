"""One aspect of a device that can be managed (TS-0001 9.6.15, annex D; TS-0004 7.4.15).

Its specialisations and their actions are rows of ``resources._mgmt_objects``. The CSE stores; an AE of the device subscribes to the object, does what its
triggers ask for and writes the outcome.
"""

from dataclasses import replace
from typing import Any

from cse.codes import ResourceTypeID
from cse.errors import BadRequest, Conflict, InvalidChildResourceType
from cse.record import Record
from cse.schema import Change, ResourceType, Specialisations
from resources import _executions
from resources._mgmt_objects import BASE, FORMS, NAMELESS, Form

_POLICY, _ACTIVE = 1011, 1012
"""mgmtDefinition of cmdhPolicy and activeCmdhPolicy."""


def _on_create(change: Change, draft: dict[str, Any], parent: Record, _: Any) -> None:
    form = FORMS[draft["mgd"]]
    _check_place(form, parent)
    if form.mgd == _ACTIVE:
        _check_active(change, parent, draft)
        siblings = change.transaction.children(parent.ri, frozenset({int(ResourceTypeID.MGMT_OBJ)}))
        if other := next((found for found in siblings if found.attributes["mgd"] == _ACTIVE), None):
            raise Conflict(f"{parent.path} has an activeCmdhPolicy already, {other.path}: one policy is in force")
    for machine in form.machines:
        machine.create(draft)


def _check_place(form: Form, parent: Record) -> None:
    """Refuse an object below one of which it is no part; a node may have any."""
    if parent.ty == ResourceTypeID.MGMT_OBJ and FORMS[parent.attributes["mgd"]].name not in form.parents:
        raise InvalidChildResourceType(f"{form.name} is not a child of {parent.path} ({FORMS[parent.attributes['mgd']].name})")


def _check_active(change: Change, node: Record, attributes: dict[str, Any]) -> None:
    """Refuse a link to something of this CSE that is no cmdhPolicy."""
    link = attributes["acmlk"]
    policy = change.host.resolve(change.transaction, link)
    if (policy is None or policy.attributes.get("mgd") != _POLICY) and not change.host.remote(link):
        raise BadRequest(f"acmlk (activeCmdhPolicyLink) names {link!r}, which is no cmdhPolicy")


def _start(record: Record, changes: dict[str, Any]) -> None:
    """Add what follows from triggers and outcomes in an UPDATE. Raises BadRequest for contradictory ones."""
    for machine in FORMS[record.attributes["mgd"]].machines:
        machine.update(record.attributes, changes)


def _on_update(change: Change, record: Record, changes: dict[str, Any], _: Any) -> None:
    if "acmlk" in changes:
        _check_active(change, record, changes)
    _start(record, changes)
    _executions.tell(change, record, changes)


def _on_delete(change: Change, record: Record) -> None:
    _executions.lose(change, record)


_BASE = ResourceType(
    ty=13,
    short=NAMELESS,
    name="mgmtObj",
    spec="TS-0001 9.6.15",
    attributes=BASE,
    parents=frozenset({"nod", "mgoA", "mgo"}),
    on_create=_on_create,
    check_update=_start,
    on_update=_on_update,
    on_delete=_on_delete,
)

TYPE = replace(
    _BASE,
    special=Specialisations(
        "mgd", {form.mgd: replace(_BASE, short=form.short, name=form.name, spec=form.spec, attributes=form.attributes) for form in FORMS.values()}
    ),
)
