"""An application entity's door to a CSE: register, create, read, subscribe, group, over HTTP or CoAP alike."""

import json
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from apps.client.inbox import Inbox
from apps.client.values import ROOTS, MemberAnswer, Resource, error_of, member_answer, resource
from bindings.coap.client import CoapSender
from bindings.http.client import HttpSender
from bindings.ports import Sender
from cse.codes import AccessControlOperation, ContentStatus, FilterUsage, NotificationEventType, Operation
from cse.codes import ResourceTypeID as Ty
from cse.errors import Conflict, CSEError, NotFound, OriginatorHasAlreadyRegistered
from cse.primitives import Request, Response

ALL = AccessControlOperation(63)
"""Every access control operation."""

Target = Resource | str
"""A resource that the client gave, or its address in any form: ``cse-in/ae/cnt``, ``cnt123``, ``/id-in/cse-in/ae``."""


def allow(originators: Iterable[str], operations: int = ALL, *, children: Iterable[int] = ()) -> Mapping[str, Any]:
    """Give one rule of an access control policy: who may do what, for CREATE perhaps only with these child types (TS-0001 9.6.2)."""
    rule: dict[str, Any] = {"acor": list(originators), "acop": int(operations)}
    if children := [int(child) for child in children]:
        rule["acod"] = [{"chty": children}]
    return rule


def _sender(url: str) -> Sender:
    scheme = urlsplit(url).scheme
    if scheme in {"http", "https"}:
        return HttpSender()
    if scheme in {"coap", "coaps"}:
        return CoapSender()
    raise ValueError(f"a CSE is reached by http, https, coap or coaps, not by {url!r}")


class Client:
    """One application entity talking to one CSE; an async context manager, and safe for concurrent requests of its event loop.

    Every method raises the CSEError subclass of the response status code, with the sentence the CSE gave, when the CSE refuses;
    TargetNotReachable when nobody listens, RequestTimeout when no answer came within ``timeout`` seconds.
    """

    def __init__(self, url: str, originator: str | None, cse: str, *, release: str, timeout: float, sender: Sender | None) -> None:
        self.url = url.rstrip("/")
        self.originator = originator
        self.base = cse
        self.timeout = timeout
        self.requests = 0
        self._release = release
        self._prefix = secrets.token_hex(4)
        self._own = sender is None
        self._sender = sender or _sender(url)

    @classmethod
    def connect(
        cls, url: str, originator: str | None = None, cse: str = "cse-in", *, release: str = "4", timeout: float = 10.0, sender: Sender | None = None
    ) -> Self:
        """Prepare to talk to the CSE at ``url`` (``http://127.0.0.1:8080``, ``coap://127.0.0.1``); nothing is sent before the first request.

        originator: AE-ID of requests (``Cmeter1``); None lets the CSE assign one at ``register``. cse: name of the CSEBase.
        sender: a binding's client to share among several clients; the caller closes it.
        """
        return cls(url, originator, cse, release=release, timeout=timeout, sender=sender)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections, unless the sender is shared."""
        if self._own:
            await self._sender.close()

    async def send(self, op: Operation, target: Target, **parameters: Any) -> Response:
        """Send any request and give its answer as it came, parameters by their short names; an error status is raised."""
        self.requests += 1
        request = Request(op=op, to=_address(target), fr=self.originator, rqi=f"{self._prefix}{self.requests}", rvi=self._release, **parameters)
        response = await self._sender.send(self.url, request, self.timeout)
        if not response.ok:
            raise error_of(response.rsc, response.pc)
        return response

    async def register(
        self, name: str, api: str, *, reachable: bool = False, points: Sequence[str] = (), labels: Sequence[str] = (), **attributes: Any
    ) -> Resource:
        """Register as an AE under the CSEBase and go on with the AE-ID that the CSE assigned; an AE of this originator that is there is taken.

        api: App-ID, begins with N or R. reachable: the CSE may send requests to ``points`` (URLs). Further attributes by short names.
        """
        given = {"api": api, "rr": reachable, "srv": [self._release], **({"poa": list(points)} if points else {}), **attributes}
        try:
            found = await self.create(self.base, Ty.AE, given | ({"lbl": list(labels)} if labels else {}), name=name)
        except (Conflict, OriginatorHasAlreadyRegistered) as taken:
            if not self.originator:
                raise
            try:
                there = await self.retrieve(self.originator)
            except NotFound:
                raise taken from None
            found = replace(there, address=f"{self.base}/{there.name}")
        self.originator = str(found["aei"])
        return found

    async def create(
        self, parent: Target, ty: int, attributes: Mapping[str, Any], *, name: str | None = None, root: str | None = None, rcn: int | None = None
    ) -> Resource:
        """Create a child of ``parent`` and give it as the CSE completed it, with ``rcn`` 0 without attributes.

        root: for types with specialisations, such as ``hd:powerMeter``.
        """
        label = _root(ty, root)
        given = {"rn": name, **attributes} if name else dict(attributes)
        response = await self.send(Operation.CREATE, parent, ty=int(ty), pc={label: given}, rcn=rcn)
        made = resource(response.pc, "")
        return replace(made, address=f"{_address(parent)}/{made.get('rn') or name}", root=label)

    async def ensure(self, parent: Target, ty: int, name: str, attributes: Mapping[str, Any], *, root: str | None = None) -> Resource:
        """Create a child under a name, or give the one that has it already (4105) as it is; Conflict when that one is of another type."""
        try:
            return await self.create(parent, ty, attributes, name=name, root=root)
        except Conflict:
            there = await self.retrieve(f"{_address(parent)}/{name}")
            if there.root != _root(ty, root):
                raise
            return there

    async def retrieve(self, target: Target, *attributes: str, **parameters: Any) -> Resource:
        """Read a resource, or only the named attributes of it; parameters such as ``rcn`` by short names."""
        if attributes:
            parameters["pc"] = {"m2m:atrl": list(attributes)}
        response = await self.send(Operation.RETRIEVE, target, **parameters)
        return resource(response.pc, _address(target))

    async def update(self, target: Target, attributes: Mapping[str, Any], *, root: str | None = None) -> Resource:
        """Change attributes, None removes one; where the type is not known from a Resource or ``root`` the target is read first."""
        if root is None:
            root = target.root if isinstance(target, Resource) and target.root else (await self.retrieve(target)).root
        response = await self.send(Operation.UPDATE, target, pc={root: dict(attributes)})
        return resource(response.pc, _address(target))

    async def delete(self, target: Target) -> None:
        """Delete a resource and everything below it."""
        await self.send(Operation.DELETE, target)

    async def notify(self, target: Target, content: Mapping[str, Any]) -> None:
        """Send a notification, ``{"m2m:sgn": {...}}``, to an AE or another resource that takes them."""
        await self.send(Operation.NOTIFY, target, pc=content)

    async def discover(
        self, target: Target | None = None, *, labels: Sequence[str] = (), types: Sequence[int] = (), limit: int | None = None, **criteria: Any
    ) -> tuple[str, ...]:
        """Find what is below a resource (the CSEBase): the addresses of all matches, in as many requests as the CSE needs.

        Of several labels or types one suffices; further criteria by short names (``lvl=1``, ``cra="20130101T000000"``).
        """
        wanted = {"lbl": list(labels), "ty": [int(ty) for ty in types], "fu": int(FilterUsage.DISCOVERY), "lim": limit, **criteria}
        wanted = {name: value for name, value in wanted.items() if value not in (None, [])}
        found: list[str] = []
        while True:
            response = await self.send(Operation.RETRIEVE, target or self.base, fc=wanted)
            page = response.pc.get("m2m:uril", []) if isinstance(response.pc, Mapping) else []
            found += page
            if response.cnst != ContentStatus.PARTIAL_CONTENT or response.cnot is None or not page or (limit and len(found) >= limit):
                return tuple(found)
            wanted["ofst"] = response.cnot
            if limit:
                wanted["lim"] = limit - len(found)

    async def container(self, parent: Target, name: str, **attributes: Any) -> Resource:
        """Ensure a container; ``readings/registers`` makes both, with the attributes (``mni=100``, ``acpi=[...]``) on the last."""
        *above, last = name.split("/")
        for step in above:
            parent = await self.ensure(parent, Ty.CONTAINER, step, {})
        return await self.ensure(parent, Ty.CONTAINER, last, attributes)

    async def put(self, container: Target, content: Any, **attributes: Any) -> Resource:
        """Add a content instance: text as it is, anything else as JSON with its content information."""
        given = {"con": content} if isinstance(content, str) else {"con": json.dumps(content, separators=(",", ":")), "cnf": "application/json:0"}
        return await self.create(container, Ty.CONTENT_INSTANCE, given | attributes)

    async def latest(self, container: Target) -> Resource:
        """Read the newest content instance of a container; NotFound when there is none."""
        return await self.retrieve(f"{_address(container)}/la")

    async def subscribe(
        self,
        target: Target,
        to: Inbox | str | Sequence[str],
        *,
        events: Iterable[int] = (NotificationEventType.CREATE_OF_DIRECT_CHILD_RESOURCE,),
        name: str | None = None,
        **attributes: Any,
    ) -> Resource:
        """Have the events of a resource notified to an inbox, a URL or several targets.

        A subscription of that name (default: one for this originator) is redirected instead, so that a restarted AE goes on.
        """
        targets = [to.url] if isinstance(to, Inbox) else [to] if isinstance(to, str) else list(to)
        given = {"nu": targets, "enc": {"net": [int(event) for event in events]}, **attributes}
        name = name or f"sub-{(self.originator or '').rsplit('/', 1)[-1]}"
        try:
            return await self.create(target, Ty.SUBSCRIPTION, given, name=name)
        except Conflict:
            return await self.update(f"{_address(target)}/{name}", given, root=ROOTS[Ty.SUBSCRIPTION])

    async def group(self, parent: Target, name: str, members: Iterable[Target], *, room: int = 0, **attributes: Any) -> Resource:
        """Ensure a group with exactly these members. room: how many it may have later on (``maxNrOfMembers``)."""
        addresses = [_address(member) for member in members]
        given = {"mid": addresses, "mnm": max(len(addresses), room, 1)}
        try:
            return await self.create(parent, Ty.GROUP, given | attributes, name=name)
        except Conflict:
            return await self.update(f"{_address(parent)}/{name}", given, root=ROOTS[Ty.GROUP])

    async def fan_out(self, group: Target, path: str = "", *, op: Operation = Operation.RETRIEVE, **parameters: Any) -> tuple[MemberAnswer, ...]:
        """Send one request to all members, or to what is at ``path`` below each (``la``), and give every member's answer."""
        response = await self.send(op, f"{_address(group)}/fopt" + (f"/{path}" if path else ""), **parameters)
        answer = response.pc.get("m2m:agr", {}) if isinstance(response.pc, Mapping) else {}
        listed = answer.get("m2m:rsp", []) if isinstance(answer, Mapping) else answer
        return tuple(member_answer(one) for one in listed)

    async def access_policy(self, parent: Target, name: str, rules: Sequence[Mapping[str, Any]], *, self_rules: Sequence[Mapping[str, Any]] = ()) -> Resource:
        """Ensure an access control policy with exactly these rules (see ``allow``); the policy itself is this originator's unless ``self_rules`` say else."""
        own = list(self_rules) or [allow([self.originator or ""])]
        given = {"pv": {"acr": list(rules)}, "pvs": {"acr": own}}
        try:
            return await self.create(parent, Ty.ACCESS_CONTROL_POLICY, given, name=name)
        except Conflict:
            there = f"{_address(parent)}/{name}"
            await self.update(there, given, root=ROOTS[Ty.ACCESS_CONTROL_POLICY])
            return await self.retrieve(there)


def _address(target: Target) -> str:
    return target.address if isinstance(target, Resource) else target


def _root(ty: int, root: str | None) -> str:
    found = root or ROOTS.get(ty)
    if found is None:
        raise CSEError(f"resource type {ty} needs the root of its representation, such as root='hd:powerMeter'")
    return found
