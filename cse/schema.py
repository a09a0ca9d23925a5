"""What a resource type is: its table, its place in the tree, and the hooks where the standard has a procedure."""

from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol

from cse.backlog import Backlog
from cse.codes import NotificationEventType
from cse.datatypes import DataType
from cse.primitives import Call, Effect, Request, Response, Steps, Work
from cse.record import Record
from cse.storage.contract import Reader, Transaction

Presence = Literal["M", "O", "NP"]
"""In a request an attribute is mandatory, optional or not permitted."""

Announced = Literal["MA", "OA", "NA"]
"""In the announced copy an attribute is always, on request (``aa``) or never."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """One row of a resource type's table (TS-0001 9.6, TS-0004 7.4).

    card ``1``: a resource always has it, null is refused; ``0..1``: null in an UPDATE removes it. default: set by the CSE at CREATE when absent.
    """

    short: str
    long: str
    type: DataType
    card: Literal["1", "0..1"]
    create: Presence
    update: Presence
    announce: Announced
    default: Any = None


class Settings(Protocol):
    """The policy values of the CSE that resource types ask for; times in seconds."""

    @property
    def cse_id(self) -> str: ...
    @property
    def cse_name(self) -> str: ...
    @property
    def sp_id(self) -> str: ...
    @property
    def admin(self) -> str: ...
    @property
    def max_expiration(self) -> float: ...
    @property
    def default_expiration(self) -> float: ...
    @property
    def request_timeout(self) -> float: ...
    @property
    def deferred_requests(self) -> int: ...
    @property
    def result_lifetime(self) -> float: ...
    @property
    def discovery_limit(self) -> int: ...
    @property
    def default_batch_seconds(self) -> float: ...
    @property
    def max_stored(self) -> int: ...
    @property
    def default_aggregation_seconds(self) -> float: ...
    @property
    def max_name_length(self) -> int: ...
    @property
    def max_tree_depth(self) -> int: ...
    @property
    def max_group_nesting(self) -> int: ...
    @property
    def max_group_members(self) -> int: ...
    @property
    def member_retry_interval(self) -> float: ...
    @property
    def release(self) -> str: ...
    @property
    def supported_releases(self) -> tuple[str, ...]: ...
    @property
    def points_of_access(self) -> tuple[str, ...]: ...
    @property
    def serializations(self) -> tuple[str, ...]: ...
    @property
    def allowed_ae_originators(self) -> tuple[str, ...]: ...
    @property
    def allowed_app_ids(self) -> tuple[str, ...]: ...
    @property
    def default_ae_stem(self) -> str: ...
    @property
    def acp_create_open(self) -> bool: ...


class Host(Protocol):
    """The service layer as resource types see it."""

    @property
    def settings(self) -> Settings:
        """The policies of this CSE."""

    @property
    def reader(self) -> Reader:
        """What is committed."""

    deferred: int
    """Non-blocking requests under way."""

    def busy(self) -> bool:
        """Whether there is so much to do that requests that may be answered later should be (flexBlocking)."""

    def now(self) -> float:
        """Seconds since the epoch."""

    def time(self) -> str:
        """Now, as timestamp text."""

    def fresh(self) -> str:
        """A new unique request or group identifier."""

    passing: set[str]
    """Identifiers (rqi) of the NOTIFYs that are being passed on to a point of access: one that comes in again is refused."""

    @property
    def backlog(self) -> Backlog:
        """How many notifications may be stored for each target."""

    def tell(self, sentence: str) -> None:
        """Let the operator know of something that no response tells."""

    @property
    def numbers(self) -> tuple[int, ...]:
        """The resource type numbers that this CSE implements."""

    def children_of(self, kind: "ResourceType") -> frozenset[int]:
        """The numbers of the implemented types that may be children of a type."""

    def type_of(self, record: Record) -> "ResourceType":
        """The table of a resource."""

    def type_named(self, ty: int) -> "ResourceType | None":
        """The table of a resource type number, None when it is not implemented."""

    def checker(self, kind: "ResourceType") -> "Checker":
        """The compiled table of a resource type."""

    def remote(self, address: str) -> bool:
        """Whether an address belongs to another CSE. Raises BadRequest when it is none."""

    def may_contain(self, parent: Record, child: "ResourceType") -> bool:
        """Whether the standard's child tables allow a type below a resource."""

    def resolve(self, reader: Reader, address: str) -> Record | None:
        """The local resource at an address in any form; None when it does not exist, is virtual or belongs to another CSE."""

    def urls(self, reader: Reader, target: str) -> tuple[str, ...]:
        """Where a notification target can be reached: a URL itself, the points of access of an AE or CSE, INSIDE for a resource of this CSE whose type
        takes notifications; () when nowhere."""

    def may(self, reader: Reader, request: Request, operation: int, target: Record, child: int | None = None) -> bool:
        """Whether the originator of a request has a privilege (AccessControlOperation) on a resource; ``child`` is the type to be created."""

    def may_fan_out(self, reader: Reader, request: Request, operation: int, group: Record, child: int | None = None) -> bool:
        """Whether the originator may send an operation to the members of a group (TS-0004 7.4.14.2.1)."""

    def may_change_policies(self, reader: Reader, request: Request, target: Record) -> bool:
        """Whether the originator may UPDATE ``acpi`` of a resource (TS-0004 7.3.3.15)."""

    def granted_attributes(self, reader: Reader, request: Request, operation: int, target: Record) -> frozenset[str] | None:
        """The attributes that the policies restrict the originator to, None when they do not."""

    def routes(self, csi: str) -> tuple[str, ...]:
        """The points of access of the next hop towards another CSE, () when no route leads there."""

    def outgoing(self, request: Request) -> Call:
        """Make the call that carries a request for another CSE, with identifiers that are valid there. Raises NotFound when no route leads there."""

    def handle(self, request: Request, accepted: bool = False) -> Steps:
        """Answer a request as if it had come from outside, or as one that was ``accepted`` before; failures are responses."""

    def create(self, change: "Change", request: Request, parent: Record, prepared: Any) -> Record:
        """Do a CREATE inside an open transaction, with every check but the ``prepare_create`` of its type. Raises CSEError."""

    def update(self, change: "Change", request: Request, target: Record, prepared: Any = None) -> Record:
        """Do an UPDATE inside an open transaction, with every check but the ``prepare_update`` of its type. Raises CSEError."""

    def expecting(self, ri: str, originator: str) -> AbstractContextManager[None]:
        """Confirm, while it is open, verification requests to a resource that is being made for ``originator``; other NOTIFYs are to come again."""

    def perform(self, request: Request, target: Record, again: Callable[[Reader], Record] | None = None) -> Steps:
        """Do what a checked request asks for with a resource that was found already. Raises CSEError.

        ``again`` finds what a DELETE is to remove anew, in the transaction that does it, where that may be another by then.
        """

    def expired(self, record: Record) -> bool:
        """Whether the expirationTime of a resource has passed, though it is not removed yet."""

    def write(self, request: Request) -> AbstractContextManager["Change"]:
        """Open the write transaction of a request; leaving it without an exception puts the notifications it causes into the outbox."""

    def once(self, group_request: str, target: str) -> bool:
        """True the first time a group request identifier is seen for a target (TS-0004 7.4.14.2.2); cuts loops of groups."""

    def remaining(self, request: Request) -> float:
        """Seconds until the request expires, at most the request timeout of the CSE."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that subscriptions may be about (TS-0001 9.6.8).

    net: what happened. subscriptions: those of the resource concerned, as they were when it happened. subject: that resource. resource: what a notification
    represents, the subject itself or its child. modified: attributes with their new values (net 1). by: the originator.
    operation: the operation bit of the request, for operation monitoring; 0 for events of ``net``.
    """

    net: NotificationEventType
    subscriptions: tuple[Record, ...]
    subject: Record
    resource: Record
    modified: Mapping[str, Any] = field(default_factory=dict)
    operation: int = 0
    by: str = ""


class Change(Protocol):
    """One write transaction with what it changed; everything a hook does goes through it, so that subscriptions see it."""

    @property
    def host(self) -> Host:
        """The service layer."""

    @property
    def transaction(self) -> Transaction:
        """Reading here sees what this request has written."""

    @property
    def request(self) -> Request:
        """The request that is served."""

    @property
    def seconds(self) -> float:
        """The moment of the change, in seconds since the epoch."""

    @property
    def time(self) -> str:
        """The same as timestamp text."""

    @property
    def events(self) -> list[Event]:
        """What subscriptions may be about, in its order; more may be added."""

    @property
    def ended(self) -> list[Record]:
        """Subscriptions that were deleted."""

    def insert(self, record: Record, parent: Record) -> None:
        """Add a resource: a creation event for the subscriptions of the parent."""

    def replace(self, new: Record, modified: Mapping[str, Any] | None = None) -> None:
        """Change a resource; ``modified`` attributes count as an update for its subscriptions (net 1), None for counters kept by the CSE."""

    def remove(self, record: Record) -> None:
        """Delete a resource and its descendants, with the events and hooks that belong to it."""

    def evict(self, record: Record) -> None:
        """Delete an instance that limits push out of its parent: no event, no hook (TS-0004 7.4.7)."""

    def begin(self, work: Work) -> None:
        """Have steps run beside the requests as soon as this transaction is durable; they may ask, and are begun again when their commit fails."""

    def wake(self, seconds: float) -> None:
        """Have ``on_due`` of the resource types called at a moment, in seconds since the epoch, or before."""

    def revisit(self, subscription: str, seconds: float) -> None:
        """Have what a subscription or group (ri) holds back looked at again at a moment, in seconds since the epoch, or before."""


class Checker(Protocol):
    """The compiled table of a resource type: what a representation in a request must be like."""

    def create(self, body: object) -> dict[str, Any]:
        """Give the attributes of ``{"m2m:cnt": {...}}`` in a CREATE. Raises BadRequest naming what is wrong."""

    def update(self, body: object) -> dict[str, Any]:
        """Give the attributes of an UPDATE, None for those to be removed. Raises BadRequest naming what is wrong."""


Prepare = Callable[[Host, Request, Record, Mapping[str, Any]], Generator[Effect, tuple[Response, ...], Any]]
"""(host, request, target or parent, given attributes): outside any transaction; may Ask; its result is ``prepared`` of the hook that follows."""

Virtual = Callable[[Host, Request, Record, str], Steps]
"""(host, request, parent resource, rest of the path below the virtual child): the procedure of a virtual resource."""


@dataclass(frozen=True, slots=True)
class Definition:
    """A specialisation of flexContainer as its definition file has it (TS-0023 6.2).

    cnd: the containerDefinition that names it. short: its root name. attributes: the custom attributes, as a request may give them.
    """

    cnd: str
    short: str
    name: str
    attributes: tuple[Attribute, ...]


@dataclass(frozen=True, slots=True)
class Specialisations:
    """The forms of a resource type whose root name and further attributes are defined apart from it (flexContainer, mgmtObj).

    by: the attribute that names the form (``cnd``, ``mgd``), also looked for in the state of a record whose type has no such attribute.
    kinds: the form of each of its values; each is made of its base type with ``specialised``.
    """

    by: str
    kinds: Mapping[Any, "ResourceType"]

    def of(self, record: Record, base: "ResourceType") -> "ResourceType":
        """Give the form of a stored resource, its base type when nothing defines the form any more."""
        return self.kinds.get(record.attributes.get(self.by, record.state.get(self.by)), base)


@dataclass(frozen=True, slots=True, eq=False)
class ResourceType:
    """A resource type. Validation, serialisation, documentation and the law tests derive from ``attributes``.

    short: ``m2m:cnt``, the root name of its representation. parents: tags of the types whose child it may be (``cb``, ``ae``).
    instance: kept as content of its parent, never updated. api_create: whether a request may create it.
    tag: the short name without prefix (``cnt``), which the forms of a type share with it. special: its forms, where it has some.
    """

    ty: int
    short: str
    name: str
    spec: str
    attributes: tuple[Attribute, ...]
    parents: frozenset[str]
    instance: bool = False
    api_create: bool = True
    virtual: Mapping[str, Virtual] = field(default_factory=dict)
    authorize: Callable[[Host, Reader, Request, Record], bool] | None = None
    """(host, reader, request, parent): whether the originator may create one here, where more or less than the parent's policies decides."""
    identify: Callable[[Change, dict[str, Any], Any], str] | None = None
    """(change, attributes given, prepared): the ri, where it is not simply a fresh one; raises a CSEError when it is taken."""
    prepare_create: Prepare | None = None
    prepare_update: Prepare | None = None
    check_update: Callable[[Record, dict[str, Any]], None] | None = None
    """(resource, changes, may be modified) raises a CSEError for what the table cannot say, before a blocking subscriber is asked."""
    undo_create: Callable[[Host, Request, Any], Generator[Effect, tuple[Response, ...], Any]] | None = None
    """(host, request, prepared): takes back what ``prepare_create`` did elsewhere, when the resource could not be inserted after it."""
    on_create: Callable[[Change, dict[str, Any], Record, Any], Mapping[str, Any] | None] | None = None
    """(change, attributes to be stored, may be modified; parent; prepared) before the resource is inserted; may give the state it begins with."""
    on_created: Callable[[Change, Record], None] | None = None
    """(change, resource) after it was inserted."""
    on_update: Callable[[Change, Record, dict[str, Any], Any], None] | None = None
    """(change, resource as it was; changes with None for removals, may be modified; prepared) before the resource is replaced."""
    on_updated: Callable[[Change, Record, Record], None] | None = None
    """(change, resource as it was, as it is) after it was replaced."""
    on_delete: Callable[[Change, Record], None] | None = None
    """(change, resource) before it is deleted by request, with its parent or by expiry."""
    on_child: Callable[[Change, Record, Record], None] | None = None
    """(change, parent as it is in the transaction, new child) after a child was inserted."""
    on_child_gone: Callable[[Change, Record, Record], None] | None = None
    """(change, parent, child) after a direct child was deleted."""
    on_read: Callable[[Change, Record], Record] | None = None
    """(change, resource) in a write transaction of its own, for a RETRIEVE for which ``counts_reads`` is true; gives the resource as it is to be shown."""
    counts_reads: Callable[[Record], bool] | None = None
    """(resource): whether a RETRIEVE changes it."""
    hidden: Callable[[Reader, Record], bool] | None = None
    """(reader, resource): whether it must not be shown (TS-0001 9.6.6 disableRetrieval)."""
    on_due: Callable[[Change], float | None] | None = None
    """(change) in a write transaction of its own, at start, when it said so and after ``Change.wake``: do what time has come for; gives the next moment."""
    on_notify: Callable[[Host, Request, Record], Steps] | None = None
    """(host, request, resource): the procedure of a NOTIFY to the resource, with all its checks; without it the type takes none."""
    errand: Callable[[Host, Mapping[str, Any]], Steps] | None = None
    """(host, content): work at other CSEs that a transaction left in the outbox: a notice whose content has the root of this type, done until it succeeds."""
    on_retrieve: Callable[[Host, Record], Mapping[str, Any]] | None = None
    """(host, resource): attributes that are only known at the moment of a RETRIEVE."""
    fixed_names: Mapping[str, str] = field(default_factory=dict)
    """The resource name that the standard fixes below some parents, by the tag of the parent."""
    special: Specialisations | None = None
    tag: str = ""
    defaults: Mapping[str, Any] = field(init=False)
    """Values of attributes that a new resource gets when they are absent."""
    rows: Mapping[str, Attribute] = field(init=False)
    """The attributes by their short names."""
    names: frozenset[str] = field(init=False)
    """Short names of all attributes."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "tag", self.tag or self.short.removeprefix("m2m:"))
        object.__setattr__(self, "defaults", {found.short: found.default for found in self.attributes if found.default is not None})
        object.__setattr__(self, "rows", {found.short: found for found in self.attributes})
        object.__setattr__(self, "names", frozenset(self.rows))


def specialised(base: ResourceType, short: str, name: str, spec: str, attributes: tuple[Attribute, ...]) -> ResourceType:
    """Make a form of a resource type: its root and name are others, ``attributes`` come after those of the base; everything else is the same.

    Raises ValueError when it would have two attributes of one short name.
    """
    if clash := base.names & {row.short for row in attributes}:
        raise ValueError(f"{name} has an attribute {min(clash)}, which is one of {base.name}")
    return replace(base, short=short, name=name, spec=spec, attributes=(*base.attributes, *attributes), special=None)
