"""What a resource type is: its table, its place in the tree, and the hooks where the standard has a procedure."""

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from cse.datatypes import DataType
from cse.primitives import Effect, Request, Response, Steps
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

    cse_id: str
    cse_name: str
    sp_id: str
    admin: str
    max_expiration: float
    default_expiration: float
    request_timeout: float


class Host(Protocol):
    """The service layer as resource types see it."""

    @property
    def settings(self) -> Settings:
        """The policies of this CSE."""

    @property
    def reader(self) -> Reader:
        """What is committed."""

    def now(self) -> float:
        """Seconds since the epoch."""

    def fresh(self) -> str:
        """A new unique request or group identifier."""

    def type_of(self, record: Record) -> "ResourceType":
        """The table of a resource."""

    def type_named(self, ty: int) -> "ResourceType | None":
        """The table of a resource type number, None when it is not implemented."""

    def resolve(self, reader: Reader, address: str) -> Record | None:
        """The local resource at an address in any form; None when it does not exist, is virtual or belongs to another CSE."""

    def urls(self, reader: Reader, target: str) -> tuple[str, ...]:
        """Where a notification target can be reached: a URL itself, or the points of access of an AE or CSE; () when nowhere."""

    def may(self, reader: Reader, request: Request, operation: int, target: Record, child: int | None = None) -> bool:
        """Whether the originator of a request has a privilege (AccessControlOperation) on a resource; ``child`` is the type to be created."""

    def handle(self, request: Request) -> Steps:
        """Answer a request as if it had come from outside."""


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
    def time(self) -> str:
        """The moment of the change, as timestamp text."""

    def insert(self, record: Record, parent: Record) -> None:
        """Add a resource: a creation event for the subscriptions of the parent."""

    def replace(self, old: Record, new: Record, *, event: bool = False) -> None:
        """Change a resource; ``event`` when the attributes count as an update for its subscriptions (net 1)."""

    def remove(self, record: Record, *, event: bool = True) -> None:
        """Delete a resource and its descendants; without event when limits push an instance out (TS-0004 7.4.7)."""


Prepare = Callable[[Host, Request, Record, Mapping[str, Any]], Generator[Effect, tuple[Response, ...], Any]]
"""(host, request, target or parent, given attributes): outside any transaction; may Ask; its result is ``prepared`` of the hook that follows."""

Virtual = Callable[[Host, Request, Record, str], Steps]
"""(host, request, parent resource, rest of the path below the virtual child): the procedure of a virtual resource."""


@dataclass(frozen=True, slots=True)
class ResourceType:
    """A resource type. Validation, serialisation, documentation and the law tests derive from ``attributes``.

    short: ``m2m:cnt``. parents: short names without prefix (``cb``, ``ae``) whose child it may be. instance: kept as content of its parent, never updated.
    api_create: whether a request may create it.
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
    prepare_create: Prepare | None = None
    prepare_update: Prepare | None = None
    on_create: Callable[[Change, dict[str, Any], Record, Any], None] | None = None
    """(change, attributes to be stored, may be modified; parent; prepared) before the resource is inserted."""
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
    on_retrieve: Callable[[Host, Record], Mapping[str, Any]] | None = None
    """(host, resource): attributes that are only known at the moment of a RETRIEVE."""
