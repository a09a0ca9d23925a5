"""A meter as its handlers see it: who it is, what it remembers, measures, writes and tells; everything but the life cycle of commands."""

from collections.abc import Callable
from typing import Any

from apps.metering.memory import Kept
from apps.metering.meter.events import Events
from apps.metering.meter.faults import Faults
from apps.metering.meter.jobs import Jobs
from apps.metering.meter.notices import Notices
from apps.metering.meter.physics import Plant, Premise
from apps.metering.meter.readings import Readings
from apps.metering.meter.settings import Settings
from apps.metering.outbox import Item, Outbox
from apps.metering.tree import Identity
from apps.metering.vocabulary import stamp


class Body:
    """The parts of one meter.

    kept: its memory. plant: registers, switch, sensors. outbox: what it writes to the CSE. events: what it records and whom it alerts. readings, settings,
    notices, jobs, faults: as their classes say. All of it is synchronous: what a call changes is remembered together (``kept.turn``) and sent afterwards.

    ``occasion`` hears of ``delivered:<tag>``, ``held:<tag>`` (not tried) and ``late:<tag>`` (tried) of the outbox, and of what devices and the consumer do;
    commands may wait for them (records.Later). ``errand`` says that there is something to be fetched, or that the meter is to go off (errands.Errands).
    ``issue`` takes a command that the meter makes itself, of a class and for an issuer.
    """

    def __init__(self, identity: Identity, kept: Kept, now: Callable[[], float], premise: Premise, base: str = "cse-in") -> None:
        self.identity, self.kept, self.base = identity, kept, base
        self.faults = Faults(now, lambda: self.outbox.newest)
        self.plant = Plant(identity, kept, premise)
        self.now = now
        self.outbox = Outbox(kept, sent=self._sent, held=self._held, cut=self._cut)
        self.settings = Settings(identity, kept, self.outbox, self.place)
        self.events = Events(identity, kept, self.outbox, self.clock, base)
        self.readings = Readings(identity, kept, self.plant, self.faults, self.outbox, self.events, self.settings, now, self.clock, self.place)
        self.notices = Notices(identity, kept, self.outbox, self.ts, base)
        self.jobs = Jobs(kept)
        self.occasion: Callable[[str], None] = lambda name: None
        self.errand: Callable[[], None] = lambda: None
        self.issue: Callable[[str, Any, str, str], None] = lambda kind, envelope, issuer, identifier: None
        self._happened: list[str] = []

    def clock(self) -> float:
        """Give the time by the meter's own clock, which may be wrong; deadlines do not go by it."""
        return self.now() + self.plant.sensed.clockOffset

    def ts(self) -> str:
        """Give the time by the meter's own clock, as it stands in contents."""
        return stamp(self.clock())

    def place(self, path: str) -> str:
        """Give the address of what is below the meter's AE: ``readings/registers``."""
        return f"{self.base}/{self.identity.ae}/{path}"

    def node(self, name: str) -> str:
        """Give the address of a management object of the meter's node."""
        return f"{self.base}/nod-{self.identity.name}/{name}"

    def happened(self, name: str) -> None:
        """Let an occasion be heard of at the end of this turn, after the statuses of what brought it about."""
        self._happened.append(name)

    def tell(self) -> None:
        """End a turn: tell of what happened in it, and of what could not be sent at once."""
        while self._happened:
            self.occasion(self._happened.pop(0))
        self.outbox.tell()

    def _cut(self, item: Item, new: bool) -> bool:
        """Tell whether an item cannot be written: the meter is silent or sending fails since before it. A reading or a final status counts as a use of that."""
        if self.faults.active("silence") and item.number > self.faults.mark("silence"):
            return True
        if not self.faults.active("send") or item.number <= self.faults.mark("send"):
            return False
        if new and item.tag.startswith(("reading:", "final:")):
            self.faults.use("send")
        return True

    def _sent(self, item: Item) -> None:
        self.occasion(f"delivered:{item.tag}")

    def _held(self, item: Item, tried: bool) -> None:
        self.occasion(f"{'late' if tried else 'held'}:{item.tag}")
