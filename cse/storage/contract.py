"""The contract every store keeps; tests/storage runs one suite over all of them."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import TracebackType

from cse.primitives import Notice
from cse.record import Record

SUBSCRIPTION = 23
TIME_SERIES_INSTANCE = 30


class StoreError(Exception):
    """The store could not do what was asked: disk full, I/O error, read-only file. What was being written is gone, nothing else."""


class StoreRefused(Exception):
    """The store cannot be opened: locked by another process, no store at all, or of a newer schema version. The message says which."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong with a store. where: the address of a resource, or another name of the thing, "" for the store as a whole."""

    where: str
    what: str
    mended: bool = False

    def __str__(self) -> str:
        return f"{self.where}: {self.what}" if self.where else self.what


@dataclass(frozen=True, slots=True)
class Query:
    """Where discovery looks. A store gives every record that matches ALL members and may give more: it narrows by what it has indexed.

    under: path whose descendants are searched, the resource itself excluded. depth: levels below it, None for all.
    types: resource type numbers. labels: one of them is in lbl exactly. label_prefixes: some label starts with one of them.
    equals: (short name, value) pairs of text attributes that must be equal; a store has at least rn indexed within a parent.
    created, modified, expires, size: half-open ranges (low, high) of ct, lt, et (texts) and cs (bytes); None is an open end.
    """

    under: str
    depth: int | None = None
    types: frozenset[int] | None = None
    labels: frozenset[str] | None = None
    label_prefixes: frozenset[str] | None = None
    equals: tuple[tuple[str, str], ...] = ()
    created: tuple[str | None, str | None] = (None, None)
    modified: tuple[str | None, str | None] = (None, None)
    expires: tuple[str | None, str | None] = (None, None)
    size: tuple[int | None, int | None] = (None, None)


class Reader(ABC):
    """What can be asked of a store. ``Store`` answers from what is committed, ``Transaction`` from what it has written itself too."""

    @abstractmethod
    def get(self, ri: str) -> Record | None:
        """Give the resource with this unstructured identifier."""

    @abstractmethod
    def child(self, pi: str, rn: str) -> Record | None:
        """Give the child of ``pi`` with this name."""

    @abstractmethod
    def children(self, pi: str, types: frozenset[int] | None = None) -> Iterator[Record]:
        """Give the direct children in order of creation, all or those of some types; large answers are fetched as they are read."""

    @abstractmethod
    def edge(self, pi: str, ty: int, newest: bool) -> Record | None:
        """Give the newest or the oldest instance of type ``ty`` below ``pi``, in order of creation."""

    @abstractmethod
    def generated(self, pi: str, dgt: str) -> Record | None:
        """Give the <timeSeriesInstance> below ``pi`` whose data were generated at a moment (timestamp text); the caller keeps them different."""

    @abstractmethod
    def subscriptions(self, pi: str) -> tuple[Record, ...]:
        """Give the <subscription> children of ``pi`` in order of creation; asked at every change, so it is kept in memory."""

    @abstractmethod
    def find(self, query: Query) -> Iterator[Record]:
        """Give the descendants that match, in a stable order (that of creation); large answers are fetched as they are read."""

    @abstractmethod
    def expired(self, now: str, limit: int) -> list[Record]:
        """Give up to ``limit`` resources whose et is before or at ``now`` (timestamp text), the earliest first."""

    @abstractmethod
    def waiting(self, ty: int, limit: int) -> Iterator[Record]:
        """Give up to ``limit`` resources of a type, no instances, that wait for a moment (``state["due"]``, seconds since the epoch), the earliest first."""

    @abstractmethod
    def notices(self, after: int = 0, limit: int = 1000, *, held: bool = False, subscription: str | None = None, target: str | None = None) -> list[Notice]:
        """Give outbox entries with an id above ``after`` in order of id: those to deliver, or those held for batches; of one subscription or target."""

    @abstractmethod
    def value(self, key: str) -> str | None:
        """Give a remembered value of the CSE itself, such as its identity."""

    @abstractmethod
    def outbox(self) -> tuple[int, float]:
        """Give the number of outbox entries, held ones counted too, and when the oldest was created (seconds since the epoch, 0 when there is none)."""

    @abstractmethod
    def count(self) -> int:
        """Give the number of resources."""


class Transaction(Reader, AbstractContextManager["Transaction"]):
    """The writes of one request. Leaving it with an exception undoes them and nothing else; leaving it without keeps them for the next commit.

    Only one is open at a time. Its changes are seen by later transactions at once and by the ``Store``'s own reading methods after the commit.
    """

    @abstractmethod
    def identify(self, prefix: str, pi: str, ty: int) -> str:
        """Give a fresh ri for a child of ``pi``: ``prefix`` (a type's short name without ``m2m:``) and letters, digits or ``-``.

        It was never the ri of a resource and is not, nor will it become by a name given earlier, the rn of a sibling: it serves as generated name too.
        """

    @abstractmethod
    def insert(self, record: Record) -> None:
        """Add a resource. The caller has made sure that ri and the name below the parent are free."""

    @abstractmethod
    def replace(self, record: Record) -> None:
        """Put a new value in the place of the resource with this ri. ty, ri, pi, rn and path are as before."""

    @abstractmethod
    def delete(self, ri: str) -> list[Record]:
        """Remove a resource with all its descendants and give what was removed, parents first; instances below a removed container are not listed."""

    @abstractmethod
    def enqueue(self, notice: Notice) -> Notice:
        """Put a notice into the outbox and give it back with its id."""

    @abstractmethod
    def drop(self, ids: Sequence[int]) -> None:
        """Take notices out of the outbox: delivered, given up or replaced."""

    @abstractmethod
    def remember(self, key: str, value: str | None) -> None:
        """Keep a value of the CSE itself; None forgets it."""

    @abstractmethod
    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None: ...


class Store(Reader):
    """A tree on some medium. All methods are called from one thread, but for ``sync``.

    Transactions gather until a commit, which has three steps, so that the one in the middle can wait for the disk in another thread:
    ``flush()`` hands over what was gathered, ``sync()`` makes it durable, ``publish()`` lets readers see it and gives the notices that it enqueued.
    No transaction is opened between flush and publish; reading goes on and sees the last published state. ``discard()`` in place of publish (or after a
    failed flush or sync) undoes everything gathered since the last publish.
    """

    durable: bool = True
    """False when sync has nothing to wait for, so that a driver may call it in its own thread."""

    hits: int = 0
    misses: int = 0
    """How often a resource was found in memory, and how often it was looked for on the medium."""

    @abstractmethod
    def transaction(self) -> Transaction:
        """Open the transaction of one request."""

    @property
    @abstractmethod
    def pending(self) -> bool:
        """True when something was written since the last publish."""

    @abstractmethod
    def flush(self) -> None:
        """Hand over what was gathered. Raises StoreError."""

    @abstractmethod
    def sync(self) -> None:
        """Make it durable; may be called in another thread. Raises StoreError."""

    @abstractmethod
    def publish(self) -> list[Notice]:
        """Let readers see the commit; give the notices it enqueued that are still there, held ones left out, in order."""

    @abstractmethod
    def discard(self) -> None:
        """Undo everything since the last publish."""

    @abstractmethod
    def everything(self) -> Iterator[Record]:
        """Give every resource that is published, whether its parent is there or not; instances of one parent in order of creation."""

    def examine(self, repair: bool) -> Iterator[Finding]:
        """Give what is wrong with the store's own structure, and with ``repair`` mend what can be derived; before anything else was read or written.

        A store that keeps nothing twice has nothing to add. Raises StoreError.
        """
        return iter(())

    @abstractmethod
    def reset(self) -> None:
        """Remove everything, durably: resources, outbox and values (for test systems)."""

    @abstractmethod
    def close(self) -> None:
        """Close it; afterwards another process may open it."""


def commit(store: Store) -> list[Notice]:
    """Do the three steps of a commit in this thread: for tests, start-up and tools. Raises StoreError after undoing."""
    if not store.pending:
        return []
    try:
        store.flush()
        store.sync()
    except BaseException:
        store.discard()
        raise
    return store.publish()
