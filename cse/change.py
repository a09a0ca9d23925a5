"""One write transaction with what it changed, for the notification floor."""

from collections.abc import Mapping
from typing import Any

from cse.codes import NotificationEventType as Net
from cse.codes import ResourceTypeID
from cse.primitives import Request, Work
from cse.record import Record
from cse.schema import Event, Host
from cse.storage.contract import Transaction


class Recorder:
    """The ``Change`` of cse.schema: writes through a store transaction and remembers the events in their order."""

    __slots__ = ("begun", "ended", "events", "host", "request", "seconds", "time", "touched", "transaction", "visits", "waking")

    def __init__(self, host: Host, transaction: Transaction, request: Request, seconds: float, time: str) -> None:
        self.host = host
        self.transaction = transaction
        self.request = request
        self.seconds = seconds
        self.time = time
        self.events: list[Event] = []
        self.ended: list[Record] = []
        """Subscriptions that were deleted."""
        self.begun: list[Work] = []
        """What is to run once this is durable."""
        self.touched: set[str] | None = None
        """Resources (ri) whose representation or children have changed, where somebody wants to know."""
        self.waking: float | None = None
        """The earliest moment at which a resource type wants to be called."""
        self.visits: dict[str, float] = {}
        """When subscriptions and groups that hold something back are to be looked at, by their ri."""

    def insert(self, record: Record, parent: Record) -> None:
        """Add a resource: a creation event for the subscriptions of the parent."""
        subscriptions = self.transaction.subscriptions(parent.ri)
        self.transaction.insert(record)
        hook = self.host.type_of(parent).on_child
        if hook is not None:
            hook(self, parent, record)
        if self.touched is not None:
            self.touched.add(parent.ri)
        if subscriptions:
            self.events.append(Event(Net.CREATE_OF_DIRECT_CHILD_RESOURCE, subscriptions, parent, record))

    def replace(self, new: Record, modified: Mapping[str, Any] | None = None) -> None:
        """Change a resource; ``modified`` attributes count as an update for its subscriptions (net 1), None for counters kept by the CSE."""
        self.transaction.replace(new)
        if self.touched is not None:
            self.touched.add(new.ri)
        if modified is not None:
            subscriptions = self.transaction.subscriptions(new.ri)
            if subscriptions:
                self.events.append(Event(Net.UPDATE_OF_RESOURCE, subscriptions, new, new, modified))

    def remove(self, record: Record) -> None:
        """Delete a resource and its descendants, with the events and hooks that belong to it."""
        parent = self.transaction.get(record.pi)
        siblings = self.transaction.subscriptions(record.pi) if parent is not None else ()
        removed = self.transaction.delete(record.ri)
        gone = {found.ri: found for found in removed}
        if self.touched is not None:
            self.touched.update(gone, (record.pi,))
        for found in removed:
            if found.ty == ResourceTypeID.SUBSCRIPTION:
                self.ended.append(found)
                subject = gone.get(found.pi)
                if subject is not None:
                    self.events.append(Event(Net.DELETE_OF_RESOURCE, (found,), subject, subject))
            on_delete = self.host.type_of(found).on_delete
            if on_delete is not None:
                on_delete(self, found)
        if parent is None:
            return
        on_child_gone = self.host.type_of(parent).on_child_gone
        if on_child_gone is not None:
            on_child_gone(self, parent, record)
        siblings = tuple(found for found in siblings if found.ri != record.ri)
        if siblings:
            self.events.append(Event(Net.DELETE_OF_DIRECT_CHILD_RESOURCE, siblings, parent, record))

    def evict(self, record: Record) -> None:
        """Delete an instance that limits push out of its parent: no event, no hook (TS-0004 7.4.7)."""
        self.transaction.delete(record.ri)

    def begin(self, work: Work) -> None:
        """Have steps run beside the requests as soon as this transaction is durable; they may ask, and are begun again when their commit fails."""
        self.begun.append(work)

    def wake(self, seconds: float) -> None:
        """Have ``on_due`` of the resource types called at a moment, in seconds since the epoch, or before."""
        self.waking = seconds if self.waking is None else min(self.waking, seconds)

    def revisit(self, subscription: str, seconds: float) -> None:
        """Have what a subscription or group (ri) holds back looked at again at a moment, in seconds since the epoch, or before."""
        self.visits[subscription] = min(seconds, self.visits.get(subscription, seconds))
