"""What a device has to write to the CSE: it waits in the device's memory while the link or the CSE is down, and goes out in order, with its own times."""

import json
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from apps.client import Client, ResourceTypeID
from apps.metering.memory import Kept
from cse.codes import Operation
from cse.errors import Conflict, NotFound

DOCUMENT = "application/json:0"


@dataclass(frozen=True, slots=True)
class Item:
    """One request. number: its place in the order. root and attributes: the representation, None for DELETE.

    tag: what the device itself calls it, such as ``reading:R12``; "" when it need not know what becomes of it.
    """

    number: int
    op: int
    target: str
    ty: int | None
    root: str
    attributes: Mapping[str, Any] | None
    tag: str


class Outbox:
    """The requests of one device that are not yet acknowledged.

    ``cut`` tells whether an item cannot be written now (faults of the simulation); the flag is whether it is new. ``sent`` and ``held`` hear of tagged
    items: that one was acknowledged, and that one could not go out at once, which is told a single time; the flag is whether it was tried, so that nobody can
    say whether it has arrived.
    """

    def __init__(self, kept: Kept, *, sent: Callable[[Item], None], held: Callable[[Item, bool], None], cut: Callable[[Item, bool], bool]) -> None:
        self._kept = kept
        self._sent, self._held, self._cut = sent, held, cut
        self._epoch = kept.epoch()
        self._waiting = deque(Item(**item) for item in kept.all("outbox").values())
        self._told = {int(name) for name in kept.all("held")}
        self._unsaid: deque[Item] = deque()
        self.linked = True
        """Whether the link to the CSE is up."""
        self._down = False
        """Whether the last attempt to write has failed."""
        self.wake: Callable[[], None] = lambda: None

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, container: str, content: Mapping[str, Any], *, tag: str = "", **attributes: Any) -> None:
        """Write a content instance."""
        self._add(Operation.CREATE, container, ResourceTypeID.CONTENT_INSTANCE, "m2m:cin", {"con": document(content), "cnf": DOCUMENT, **attributes}, tag)

    def point(self, series: str, moment: str, content: Mapping[str, Any], *, tag: str = "") -> None:
        """Write a point of a time series with the time at which it was generated."""
        self._add(Operation.CREATE, series, ResourceTypeID.TIME_SERIES_INSTANCE, "m2m:tsi", {"dgt": moment, "con": document(content)}, tag)

    def update(self, target: str, root: str, attributes: Mapping[str, Any], *, tag: str = "") -> None:
        """Change attributes of a resource."""
        self._add(Operation.UPDATE, target, None, root, attributes, tag)

    def make(self, parent: str, ty: int, name: str, root: str, attributes: Mapping[str, Any], *, tag: str = "") -> None:
        """Create a resource under a name; one that is there already stays."""
        self._add(Operation.CREATE, parent, ty, root, {"rn": name, **attributes}, tag)

    def delete(self, target: str, *, tag: str = "") -> None:
        """Delete a resource; one that is not there is as good."""
        self._add(Operation.DELETE, target, None, "", None, tag)

    @property
    def newest(self) -> int:
        """The number of the newest item there ever was."""
        return int(self._kept.get("count", "outbox", 0))

    def withdraw(self, tag: str) -> bool:
        """Take back items that are not sent yet; whether there was one."""
        found = [item for item in self._waiting if item.tag == tag]
        for item in found:
            self._forget(item)
        return bool(found)

    def _add(self, op: Operation, target: str, ty: int | None, root: str, attributes: Mapping[str, Any] | None, tag: str) -> None:
        item = Item(self._kept.number("outbox"), int(op), target, None if ty is None else int(ty), root, attributes, tag)
        self._kept.put("outbox", f"{item.number:012}", asdict(item))
        self._waiting.append(item)
        if self._down or not self.linked or self._cut(item, True):
            self._unsaid.append(item)
        self.wake()

    def tell(self) -> None:
        """Tell of the items that were put while nothing could be written; called at the end of each turn, when everything they belong to is remembered."""
        while self._unsaid:
            item = self._unsaid.popleft()
            if item in self._waiting:
                self._tell_held(item, False)

    def head(self) -> Item | None:
        """Give what is to be sent next, None when there is nothing or nothing can be sent now."""
        return self._waiting[0] if self._waiting and self.linked and not self._cut(self._waiting[0], False) else None

    async def send(self, client: Client, item: Item) -> None:
        """Send an item. What an earlier attempt has done already is done: each new resource has a name of its own. Raises CSEError."""
        if item.op == Operation.DELETE:
            try:
                await client.delete(item.target)
            except NotFound:
                pass
            return
        attributes = dict(item.attributes or {})
        if item.ty is not None:
            attributes = {"rn": f"{self._epoch}-{item.number}", **attributes}
        content = {item.root: attributes}
        try:
            await client.send(Operation(item.op), item.target, pc=content, rcn=0, **({} if item.ty is None else {"ty": item.ty}))
        except Conflict:
            if item.ty is None:
                raise

    def acknowledged(self, item: Item) -> None:
        """Forget an item that is written, and tell."""
        self._down = False
        with self._kept.turn():
            self._forget(item)
            if item.tag:
                self._sent(item)

    def failed(self, item: Item) -> None:
        """Tell that an item could not be sent, nor what waits behind it; all of it stays."""
        self._down = True
        with self._kept.turn():
            self._tell_held(item, True)
            self._unsaid.extend(waiting for waiting in self._waiting if waiting is not item)
            self.tell()

    def _tell_held(self, item: Item, tried: bool) -> None:
        if item.tag and item.number not in self._told:
            self._told.add(item.number)
            self._kept.put("held", str(item.number), True)
            self._held(item, tried)

    def _forget(self, item: Item) -> None:
        self._kept.drop("outbox", f"{item.number:012}")
        if item.number in self._told:
            self._told.discard(item.number)
            self._kept.drop("held", str(item.number))
        try:
            self._waiting.remove(item)
        except ValueError:
            pass


def document(content: Mapping[str, Any]) -> str:
    """Give the text of a JSON object as it stands in contents."""
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False)
