"""What the client library gives back: resources, notifications and the answers of group members as frozen values."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cse.codes import NotificationEventType
from cse.codes import ResourceTypeID as Ty
from cse.errors import BY_CODE, CSEError

ROOTS: Mapping[int, str] = {
    Ty.ACCESS_CONTROL_POLICY: "m2m:acp", Ty.AE: "m2m:ae", Ty.CONTAINER: "m2m:cnt", Ty.CONTENT_INSTANCE: "m2m:cin", Ty.CSE_BASE: "m2m:cb", Ty.GROUP: "m2m:grp",
    Ty.NODE: "m2m:nod", Ty.POLLING_CHANNEL: "m2m:pch", Ty.REMOTE_CSE: "m2m:csr", Ty.REQUEST: "m2m:req", Ty.SCHEDULE: "m2m:sch", Ty.SUBSCRIPTION: "m2m:sub",
    Ty.TIME_SERIES: "m2m:ts", Ty.TIME_SERIES_INSTANCE: "m2m:tsi", Ty.ROLE: "m2m:rol", Ty.TOKEN: "m2m:tk", Ty.CROSS_RESOURCE_SUBSCRIPTION: "m2m:crs",
}  # fmt: skip
"""Root member of the representation of each type; mgmtObj and flexContainer have one per specialisation."""


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource as the CSE showed it.

    address: where it can be addressed again (``cse-in/mtr-M1/readings``).
    root: ``m2m:cnt``, empty when nothing was shown. attributes: what the answer carried, by short names; what was not asked for is not there.
    """

    address: str
    root: str
    attributes: Mapping[str, Any]

    def __getitem__(self, name: str) -> Any:
        """Give an attribute by its short name; KeyError names it when the answer did not carry it."""
        return self.attributes[name]

    def get(self, name: str, default: Any = None) -> Any:
        """Give an attribute by its short name, or a default."""
        return self.attributes.get(name, default)

    @property
    def ri(self) -> str:
        """The unstructured resource identifier."""
        return str(self.attributes["ri"])

    @property
    def name(self) -> str:
        """The resource name."""
        return str(self.attributes["rn"])

    @property
    def content(self) -> Any:
        """Content of an instance; text that its content information calls JSON is decoded (ValueError when it is none)."""
        content = self.attributes.get("con")
        return json.loads(content) if isinstance(content, str) and str(self.attributes.get("cnf", "")).startswith("application/json") else content


def resource(content: Any, address: str) -> Resource:
    """Read a representation, ``{"m2m:cnt": {...}}`` or nothing, as the resource at an address; CSEError when it is neither."""
    if not content:
        return Resource(address, "", {})
    if not isinstance(content, Mapping) or len(content) != 1:
        raise CSEError(f"the answer for {address} is no representation with one root: {str(content)[:100]}")
    [(root, attributes)] = content.items()
    return Resource(address, root, attributes if isinstance(attributes, Mapping) else {root: attributes})


@dataclass(frozen=True, slots=True)
class Notification:
    """One event that a subscription reported (TS-0004 6.3.5.13).

    subscription: its address as the CSE wrote it. event: None when it is not about an event. resource: what the event is about, None when not sent.
    deleted: True for the last word of a subscription that is gone. identifier: request identifier, the same in a repetition.
    by: AE-ID of who made the request, told where a subscription monitors operations (``enc.om``), else empty.
    """

    subscription: str
    event: NotificationEventType | None
    resource: Resource | None
    deleted: bool
    originator: str
    identifier: str
    path: str
    by: str = ""


@dataclass(frozen=True, slots=True)
class MemberAnswer:
    """What one member of a group answered to a fan-out. member: its address as the CSE wrote it. error: None when it succeeded."""

    member: str
    code: int
    resource: Resource | None
    error: CSEError | None


def error_of(code: int, content: Any) -> CSEError:
    """Give the exception of an error status, with the sentence of its ``m2m:dbg``."""
    sentence = content.get("m2m:dbg") if isinstance(content, Mapping) else None
    return BY_CODE.get(code, CSEError)(str(sentence or f"refused with response status code {code}"))


def member_answer(response: Mapping[str, Any]) -> MemberAnswer:
    """Read one ``m2m:rsp`` of an aggregated response."""
    code, content, member = int(response["rsc"]), response.get("pc"), str(response.get("fr") or response.get("to") or "")
    if code >= 3000:
        return MemberAnswer(member, code, None, error_of(code, content))
    return MemberAnswer(member, code, resource(content, member) if content else None, None)


def notifications(content: Any, originator: str, identifier: str, path: str) -> tuple[Notification, ...]:
    """Read a notification or a batch of them, oldest first; ValueError when it is neither."""
    match content:
        case {"m2m:sgn": Mapping() as single}:
            found: list[Any] = [single]
        case {"m2m:agn": {"m2m:sgn": [*batch]}} | {"m2m:agn": {"sgn": [*batch]}}:
            found = batch
        case _:
            raise ValueError("content is neither m2m:sgn nor m2m:agn")
    return tuple(_notification(one, originator, identifier, path) for one in found)


def _notification(sgn: Any, originator: str, identifier: str, path: str) -> Notification:
    event = sgn.get("nev", {}) if isinstance(sgn, Mapping) else None
    if not isinstance(event, Mapping):
        raise ValueError("m2m:sgn and its nev must be objects")
    representation = event.get("rep")
    subscription = str(sgn.get("sur", ""))
    about = None
    if isinstance(representation, Mapping) and representation:
        [(root, attributes), *_] = representation.items()
        given = attributes if isinstance(attributes, Mapping) else {root: attributes}
        about = Resource(str(given.get("ri", attributes if root == "m2m:uri" else "")), root, given)
    kind = NotificationEventType(event["net"]) if "net" in event else None
    monitored = event.get("om")
    by = str(monitored.get("or", "")).rpartition("/")[2] if isinstance(monitored, Mapping) else ""
    return Notification(subscription, kind, about, bool(sgn.get("sud")), originator, identifier, path, by)
