"""The one door of the service layer: ``CSE`` answers requests, does what is due and settles notifications; it knows neither sockets nor clocks."""

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import islice
from typing import Any

from msgspec.structs import replace

from cse import deferred, expiry, notify, operations, parameters, reachability
from cse.access import Access
from cse.address import Address, Located, locate, parse, same_entity, sp_relative
from cse.backlog import Backlog
from cse.change import Recorder
from cse.codes import Operation, ResourceTypeID, ResponseType
from cse.codes import ResponseStatusCode as RSC
from cse.config import Settings
from cse.datatypes import seconds_of, timestamp
from cse.errors import (
    BadRequest,
    CSEError,
    NotFound,
    NotImplementedByCSE,
    OriginatorHasNoPrivilege,
    OriginatorNotAuthenticated,
    TargetNotReachable,
)
from cse.forwarding import forward, outgoing
from cse.primitives import CHANNEL, INSIDE, Call, Notice, Peer, Request, Response, Steps, Turn, Work, refused
from cse.record import Record
from cse.registry import Registry
from cse.schema import Change, Checker, Host, ResourceType
from cse.storage.contract import Reader, Store, StoreError, StoreRefused, commit
from cse.validate import compile_table

_GROUP_REQUESTS = 10_000
"""Group request identifiers remembered to cut loops; the oldest are forgotten first."""

_PLACES = 20_000
"""Addresses whose resources are remembered."""

_INTERNAL = Peer(internal=True)

_OPERATIONS: Mapping[Operation, Callable[[Host, Request, Record], Steps]] = {
    Operation.CREATE: operations.create,
    Operation.RETRIEVE: operations.retrieve,
    Operation.UPDATE: operations.update,
    Operation.DELETE: operations.delete,
    Operation.NOTIFY: operations.receive,
}


def _in_form(url: str, chosen: str) -> str:
    """Let a point of access say how it is written to (TS-0004 7.5.1.2), unless it does so itself."""
    return url if url.rpartition("ct=")[0][-1:] in ("?", "&") else f"{url}{'&' if '?' in url else '?'}ct={chosen}"


class CSE:
    """A common service entity over a store (the ``Host`` of cse.schema).

    ``handle`` must be driven as cse.primitives.Steps says; ``due`` and ``settle`` are called while the store takes writes. After each of them the caller
    commits, and runs what ``begun`` gives. ``clock`` gives seconds since the epoch, ``fresh`` unique texts, ``busy`` whether there is much to do; they are
    injected so that tests are deterministic. ``tell`` takes sentences for the operator: what no response tells anybody. ``refused`` hears of each request whose
    originator had no privilege, also one that a group passed on to a member, and the path of the resource that it was about.
    """

    observed: Container[str] = ()
    """Resources (ri) of which ``told`` is to be told what has changed, once it is durable."""

    def __init__(
        self,
        store: Store,
        types: Iterable[ResourceType],
        settings: Settings,
        clock: Callable[[], float],
        fresh: Callable[[], str],
        busy: Callable[[], bool] = lambda: False,
        tell: Callable[[str], None] = lambda _: None,
        refused: Callable[[Request, str], None] = lambda request, path: None,
    ) -> None:
        self.registry = Registry(types)
        self.settings = settings
        self.base = settings.cse_id.removeprefix("/")
        """The ri of the CSEBase."""
        self.reader: Reader = store
        self.now = clock
        self.fresh = fresh
        self.busy = busy
        self.tell = tell
        self.backlog = Backlog()
        self._refused = refused
        self.deferred, self.passing = 0, set[str]()
        self._store = store
        self._checkers: Mapping[ResourceType, Checker] = {kind: compile_table(kind) for kind in self.registry.forms}
        self._virtual = {kind.ty: kind.virtual for kind in self.registry.types}
        self._access = Access(settings, lambda ty: ty not in self.registry.inheriting, clock, self.expired)
        self._authenticated = frozenset(sp_relative(found, settings.cse_id, settings.sp_id) for found in settings.authenticated)
        self._seen: dict[tuple[str, str], None] = {}
        self._expected: dict[str, str] = {}
        """Originators of resources that are being made, by ri, as long as others are asked about them."""
        self._places: dict[tuple[str, ...], tuple[str, str, str, tuple[str, ...]]] = {}
        self._horizon = (0.0, "")
        """A moment at most a second ahead, as seconds and text: what lives longer has not expired."""
        self._searched = 0.0
        """When expired resources were last looked for."""
        self._visits: dict[str, float] = {}
        """When subscriptions that hold notifications back are looked at, by their ri."""
        self._types_due: float | None = None
        self._begun: list[Work] = []
        self.told: Callable[[set[str]], None] = lambda touched: None
        self.may = self._access.may
        self.may_fan_out = self._access.may_fan_out
        self.may_change_policies = self._access.may_change_policies
        self.granted_attributes = self._access.attributes
        self.type_of = self.registry.of
        self.type_named = self.registry.get
        self.may_contain = self.registry.may_contain
        self.children_of = self.registry.children_of
        self.numbers = self.registry.numbers

    # --- for resource types (cse.schema.Host) ---------------------------------------------------------------------------------------------------------------

    def time(self) -> str:
        """Now, as timestamp text."""
        return timestamp(self.now())

    def checker(self, kind: ResourceType) -> Checker:
        """Give the compiled table of a resource type."""
        return self._checkers[kind]

    def parse(self, address: str) -> Address:
        """Take an address apart. Raises BadRequest."""
        return parse(address, self.settings.cse_id, self.settings.sp_id)

    def remote(self, address: str) -> bool:
        """Tell whether an address belongs to another CSE. Raises BadRequest when it is none."""
        parsed = self.parse(address)
        return not parsed.local and (not parsed.stem or self.reader.get(parsed.stem) is None)

    def outgoing(self, request: Request) -> Call:
        """Make the call that carries a request for another CSE, with identifiers that are valid there. Raises NotFound when no route leads there."""
        return outgoing(self, request, self.parse(request.to))

    def resolve(self, reader: Reader, address: str) -> Record | None:
        """Give the local resource at an address in any form, None when there is none."""
        try:
            parsed = self.parse(address)
        except BadRequest:
            return None
        if not parsed.local:
            return reader.get(parsed.stem) if parsed.stem else None
        found = locate(reader, parsed.segments, self.base, self.settings.cse_name, self._names)
        return None if found is None or found.virtual else found.record

    def _names(self, record: Record) -> Mapping[str, object]:
        return self._virtual[record.ty]

    def urls(self, reader: Reader, target: str) -> tuple[str, ...]:
        """Give where a notification target can be reached: a URL itself, an AE by its polling channel or points of access, other CSEs, INSIDE what is here."""
        if "://" in target:
            return (target,)
        record = self.resolve(reader, target)
        if record is not None:
            if channel := record.state.get("channel"):
                return (f"{CHANNEL}:{channel}",)
            if record.ty == ResourceTypeID.AE:
                return self._points_of_access(record)
            return (INSIDE,) if self.registry.of(record).on_notify is not None else ()
        try:
            parsed = self.parse(target)
        except BadRequest:
            return ()
        return self.routes(parsed.sp + parsed.csi) if parsed.csi else ()

    def _points_of_access(self, entity: Record) -> tuple[str, ...]:
        """Give where an AE listens, with the first serialisation that it names (``csz``, TS-0001 9.6.5) and this CSE has; JSON needs no word."""
        points, named = entity.attributes.get("poa", ()), (each.rpartition("/")[2] for each in entity.attributes.get("csz", ()))
        chosen = next((each for each in named if each in self.settings.serializations), "json")
        return tuple(points if chosen == "json" else (_in_form(url, chosen) for url in points))

    def routes(self, csi: str) -> tuple[str, ...]:
        """Give the points of access of the next hop towards another CSE, () when no route leads there."""
        return tuple(url for peer, _, url in (route.partition(" ") for route in self.settings.routes) if peer == csi)

    def route(self, target: str) -> tuple[str, ...]:
        """Give where a notice can be delivered now (for the courier)."""
        return self.urls(self.reader, target)

    def opens(self, target: str) -> float:
        """Give when a notification target can be reached by its schedule, in seconds since the epoch, 0.0 when it can now (for the courier)."""
        return reachability.target_opens(self, self.reader, target)

    def rescheduled(self) -> int:
        """Give a number that is another one when schedules of targets have changed (for the courier)."""
        return reachability.changes(self, self.reader)

    @contextmanager
    def expecting(self, ri: str, originator: str) -> Iterator[None]:
        """Confirm, while it is open, verification requests to a resource that is being made for ``originator``; other NOTIFYs are to come again."""
        self._expected[ri] = originator
        try:
            yield
        finally:
            del self._expected[ri]

    def create(self, change: Change, request: Request, parent: Record, prepared: Any) -> Record:
        """Do a CREATE inside an open transaction, with every check but the ``prepare_create`` of its type. Raises CSEError."""
        kind = self.registry.get(request.ty or 0)
        if kind is None:
            raise NotImplementedByCSE(f"resource type {request.ty} is not implemented")
        return operations.create_within(self, change, request, parent, kind, prepared)[0]

    def update(self, change: Change, request: Request, target: Record, prepared: Any = None) -> Record:
        """Do an UPDATE inside an open transaction, with every check but the ``prepare_update`` of its type. Raises CSEError."""
        return operations.update_within(self, change, request, target, prepared)[0]

    @contextmanager
    def write(self, request: Request) -> Iterator[Recorder]:
        """Open the write transaction of a request; leaving it without an exception puts the notifications it causes into the outbox."""
        seconds = self.now()
        with self._store.transaction() as transaction:
            change = Recorder(self, transaction, request, seconds, timestamp(seconds))
            if self.observed:
                change.touched = set()
            yield change
            if change.touched and any(ri in self.observed for ri in change.touched):
                self._begun.append(partial(self._tell, change.touched))
            if change.events or change.ended:
                notify.notify(change)
            self._wake(change.waking)
            for ri, moment in change.visits.items():
                self._visits[ri] = min(moment, self._visits.get(ri, moment))
            self._begun += change.begun

    def _tell(self, touched: set[str]) -> Steps:
        """Tell who observes what has become durable."""
        self.told(touched)
        yield from ()
        return Response(RSC.OK)

    def observable(self, request: Request) -> str | None:
        """Give the resource (ri) whose changes change what a request retrieves; None for what cannot be observed.

        That is a resource of this CSE by itself, or the latest or oldest instance of one.
        """
        if request.op != Operation.RETRIEVE or request.fc or request.rt or request.rcn not in (None, 1):
            return None
        try:
            address = self.parse(request.to)
            found = self._locate(address.segments) if address.local else None
        except (BadRequest, StoreError):
            return None
        return found.record.ri if found is not None and found.virtual in ("", "la", "ol") else None

    def begun(self) -> list[Work]:
        """Give what is to run once the writes up to here are durable, and is to be forgotten when they fail."""
        begun, self._begun = self._begun, []
        return begun

    def resumed(self) -> list[Work]:
        """Give what an earlier process has begun and not ended; asked once, at start."""
        return deferred.resumed(self, self.reader)

    def _wake(self, moment: float | None) -> None:
        """Call the resource types at a moment, if that is not done before."""
        if moment is not None:
            self._types_due = moment if self._types_due is None else min(self._types_due, moment)

    def once(self, group_request: str, target: str) -> bool:
        """Tell whether a group request identifier is seen for the first time for a target (TS-0004 7.4.14.2.2)."""
        key = (group_request, target)
        if key in self._seen:
            return False
        self._seen[key] = None
        if len(self._seen) > _GROUP_REQUESTS:
            for old in list(islice(self._seen, _GROUP_REQUESTS // 10)):
                del self._seen[old]
        return True

    def remaining(self, request: Request) -> float:
        """Give the seconds until a request or its result expires: the request timeout of the CSE when it does not say, never more than the longest."""
        ends = [parameters.moment(value, name, self.now()) for name, value in (("rqet", request.rqet), ("rset", request.rset)) if value is not None]
        if not ends:
            return self.settings.request_timeout
        return max(0.0, min(min(ends) - self.now(), self.settings.longest_request))

    # --- the door -------------------------------------------------------------------------------------------------------------------------------------------

    def bootstrap(self) -> None:
        """Make the CSEBase in an empty store, or take up the one that is there. Raises StoreRefused when the store belongs to another CSE."""
        owner = self._store.value("cse-id")
        wanted = f"{self.settings.cse_id} {self.settings.cse_name}"
        if owner is not None and owner != wanted:
            raise StoreRefused(f"the store belongs to the CSE {owner}, not to {wanted}")
        request = Request(Operation.CREATE, self.settings.cse_name, self.settings.cse_id, peer=_INTERNAL)
        policies = {"acpi": list(self.settings.base_policies) or None}
        if owner is None:
            with self.write(request) as change:
                change.transaction.remember("cse-id", wanted)
                names = {"ty": 5, "ri": self.base, "rn": self.settings.cse_name, "pi": "", "ct": change.time, "lt": change.time}
                attributes = {**names, "cst": self.settings.cse_type, "csi": self.settings.cse_id, **({} if policies["acpi"] is None else policies)}
                change.transaction.insert(Record(5, self.base, "", self.settings.cse_name, self.settings.cse_name, attributes, self.settings.cse_id))
        elif (base := self.reader.get(self.base)) is not None and base.attributes.get("acpi") != policies["acpi"]:
            with self.write(request) as change:
                change.replace(base.with_attributes({**policies, "lt": change.time}))
        commit(self._store)
        self._types_due = 0.0
        self._visits = dict.fromkeys(notify.holding(self.reader), 0.0)
        self.backlog = Backlog()

    def handle(self, request: Request, accepted: bool = False) -> Steps:
        """Answer a request; a failure is a response too (TS-0004 7.3.2). ``accepted``: one that this CSE has accepted before, when it could be reached."""
        try:
            return (yield from self._dispatch(request, accepted))
        except CSEError as error:
            denied = isinstance(error, OriginatorHasNoPrivilege | OriginatorNotAuthenticated)
            if denied:
                self._refused(request, self._path(request.to))
            # who is refused is told when, as the log has it
            ot = self.time() if denied else None
            return Response(rsc=error.code, rqi=request.rqi, rvi=request.rvi or self.settings.release, pc={"m2m:dbg": str(error)}, ot=ot)

    def _path(self, to: str) -> str:
        """Give the structured path of what an address means here, the address itself when it means nothing."""
        address = self.parse(to)
        found = self._locate((address.stem,) if not address.local and address.stem else address.segments)
        return to if found is None else "/".join((found.record.path, *([found.virtual] if found.virtual else ()), *found.rest))

    def _dispatch(self, request: Request, accepted: bool) -> Steps:
        parameters.check(request, self.settings, self._authenticated)
        base = self.reader.get(self.base)
        if base is not None and base.state and not accepted:
            reachability.admit(self, self.reader, request, base)
        if request.rqet is not None or request.rset is not None or request.oet is not None or request.rp is not None:
            request = parameters.timed(request, self.now())
        if request.rt is not None or request.oet is not None:
            mode = deferred.mode_of(self, request)
            later = request.oet is not None and seconds_of(str(request.oet)) > self.now()
            if mode == ResponseType.NO_RESPONSE and not later:
                yield from self.handle(replace(request, rt=None))
                return Response(RSC.ACCEPTED, request.rqi, rvi=request.rvi)
            if mode != ResponseType.BLOCKING_REQUEST:
                return (yield from deferred.accept(self, request, mode))
            if later:
                yield from deferred.wait(self, request)
        return (yield from self._serve(request))

    def _serve(self, request: Request) -> Steps:
        if request.rqi in self.passing and request.op == Operation.NOTIFY and not request.peer.internal:
            raise TargetNotReachable(f"{request.to} is where this CSE itself has passed this NOTIFY on to: a point of access leads back to it")
        address = self.parse(request.to)
        segments = address.segments
        if not address.local:
            if not address.stem or self.reader.get(address.stem) is None:
                return (yield from forward(self, request, address))
            segments = (address.stem,)
        found = self._locate(segments)
        if found is None and request.op == Operation.NOTIFY and segments[0] in self._expected:
            return self._confirmed(request, self._expected[segments[0]])
        if found is None or self.expired(found.record):
            raise NotFound(f"{request.to} does not exist")
        target = found.record
        if found.virtual:
            if address.attribute is not None:
                request = replace(request, pc={"m2m:atrl": [address.attribute]})
            return (yield from self._virtual[target.ty][found.virtual](self, request, target, "/".join(found.rest)))
        if request.op == Operation.RETRIEVE:
            return (yield from operations.retrieve(self, request, target, address.attribute))
        return (yield from self.perform(request, target))

    def _confirmed(self, request: Request, originator: str) -> Response:
        """Answer a NOTIFY to a resource that is still being made."""
        content = request.pc.get("m2m:sgn") if isinstance(request.pc, Mapping) else None
        asked = content if isinstance(content, Mapping) and content.get("vrq") is True else {}
        if not same_entity(str(asked.get("cr", "")), originator, self.settings.cse_id, self.settings.sp_id):
            raise TargetNotReachable(f"{request.to} is not ready yet")
        return operations.answer(request, RSC.OK)

    def _locate(self, segments: tuple[str, ...]) -> Located | None:
        """Find a resource by what is committed. A place once found is remembered, with the path: the ri of an AE comes again when it registers anew."""
        place = self._places.get(segments)
        if place is not None:
            ri, path, virtual, rest = place
            record = self.reader.get(ri)
            if record is not None and record.path == path:
                return Located(record, virtual, rest)
            del self._places[segments]
        found = locate(self.reader, segments, self.base, self.settings.cse_name, self._names)
        if found is not None and not self.registry.of(found.record).instance:
            if len(self._places) >= _PLACES:
                self._places.clear()
            self._places[segments] = (found.record.ri, found.record.path, found.virtual, found.rest)
        return found

    def perform(self, request: Request, target: Record, again: Callable[[Reader], Record] | None = None) -> Steps:
        """Do what a checked request asks for with a resource that was found already; a DELETE finds it ``again`` in its transaction. Raises CSEError."""
        if again is not None and request.op == Operation.DELETE:
            return operations.delete(self, request, target, again)
        return _OPERATIONS[request.op](self, request, target)

    def expired(self, record: Record) -> bool:
        """Tell whether the expirationTime of a resource has passed, though it is not removed yet."""
        et: str | None = record.attributes.get("et")
        if et is None:
            return False
        now = self.now()
        if not self._horizon[0] - 1 <= now < self._horizon[0]:
            self._horizon = (now + 1, timestamp(now + 1))
        return et <= self._horizon[1] and et <= timestamp(now)

    def due(self, now: float) -> float | None:
        """Do what is due at ``now``: expiry in chunks, batches, what resource types wait for; give the seconds until this is to be called again.

        The caller commits afterwards.
        """
        request = Request(Operation.DELETE, self.settings.cse_name, self.settings.cse_id, self.fresh(), peer=_INTERNAL)
        interval, more = self.settings.expiration_check_interval, False
        if not self._searched <= now < self._searched + interval:
            with self.write(request) as change:
                more = expiry.expire(change, self.settings.expiration_chunk) == self.settings.expiration_chunk
            self._searched = self._searched if more else now
        more = self._visit(request, now) or more
        if self._types_due is not None and self._types_due <= now:
            self._types_due = None
            with self.write(request) as change:
                for kind in self.registry.types:
                    if kind.on_due is not None and (moment := kind.on_due(change)) is not None:
                        change.wake(moment)
            if self._store.pending:
                self._wake(now + interval)  # the commit of what was done now may fail
        if more:
            return 0.0
        following = [self._searched + interval, *(moment for moment in (self._types_due, *self._visits.values()) if moment is not None)]
        return max(0.0, min(following) - now)

    def _visit(self, request: Request, now: float) -> bool:
        """Look at subscriptions and groups whose batches, windows or schedules time has come for; tell whether there are more."""
        chunk, interval = self.settings.expiration_chunk, self.settings.expiration_check_interval
        due = list(islice((ri for ri, moment in self._visits.items() if moment <= now), chunk))
        if not due:
            return False
        self._visits.update(dict.fromkeys(due, now + interval))  # this, or the commit of it, may fail
        with self.write(request) as change:
            for ri in due:
                notify.visit(change, ri)
        if not self._store.pending:
            for ri in due:
                del self._visits[ri]
            self._visits.update(change.visits)
        return len(due) == chunk

    def miss(self, target: str) -> None:
        """Keep of what waits for a target that cannot be reached only what its subscriptions want (pn). The caller commits afterwards."""
        with self._store.transaction() as transaction:
            notify.keep_latest(transaction, target)

    def inside(self, notice: Notice) -> Steps | None:
        """Deliver a notice that is for this CSE itself: to a resource that takes a NOTIFY, or the errand of a resource type; None when it goes elsewhere.

        It leaves the outbox in the commit of what it has changed, so that it counts once.
        """
        (root,) = notice.content
        if root in ("m2m:sgn", "m2m:agn"):
            if self.route(notice.target) != (INSIDE,):
                return None
            request = Request(Operation.NOTIFY, notice.target, notice.fr, notice.rqi, self.settings.release, pc=notice.content, ec=notice.ec, peer=_INTERNAL)
            return self._delivered(notice, self.handle(request))
        kind = self.registry.named(root)
        return None if kind is None or kind.errand is None else self._delivered(notice, kind.errand(self, notice.content[root]))

    def _delivered(self, notice: Notice, steps: Steps) -> Steps:
        told = yield from steps
        if told.ok or refused(told):
            yield Turn.WRITE
            self.settle([(notice, True)])
        return told

    def settle(self, outcomes: Sequence[tuple[Notice, bool]]) -> None:
        """Take notices that their targets have answered (True) or that were given up (False) out of the outbox. The caller commits afterwards."""
        with self._store.transaction() as transaction:
            transaction.drop([notice.id for notice, _ in outcomes])
            notify.count_deliveries(transaction, outcomes)
