"""The settlement ledger of the head-end (section 12): what each meter has let through in each interval, chained and signed."""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from apps.client import Notification
from apps.client import ResourceTypeID as Ty
from apps.metering.chain import Chain
from apps.metering.device import Setup
from apps.metering.entity import Entity
from apps.metering.memory import Kept
from apps.metering.vocabulary import ae_id, stamp
from cse.codes import NotificationEventType as Net
from cse.datatypes import seconds_of
from cse.errors import CSEError

_AGAIN, _EACH = 0.5, 0.002
"""Seconds until a meter whose tree is not complete yet is looked at again, and more for each meter that there is: looking for all of them has its price."""


class Settle(Entity):
    """The ledger keeper. Electricity is settled by its net flow, so that what was fed in counts for the consumer; everything else by what was used.

    An interval is settled when its point comes, a late one too, and once: a point with the same time is the same point.
    """

    app = "Nsm.settle"

    def __init__(self, key: Ed25519PrivateKey, kept: Kept, now: Callable[[], float], base: str = "cse-in") -> None:
        super().__init__("sm-settle", kept, now, base)
        self._chain = Chain("ledger", key, kept, self.outbox, self.place("ledger"))
        self._new = asyncio.Event()

    @property
    def own(self) -> Sequence[tuple[str, int, str, Mapping[str, Any], str]]:
        """The ledger."""
        return [self._chain.container("acp-sm-settle-ledger")]

    @property
    def watched(self) -> Sequence[tuple[str, str, Mapping[str, Any]]]:
        """New meters."""
        return [(self.base, "base", {"enc": {"net": [int(Net.CREATE_OF_DIRECT_CHILD_RESOURCE)], "chty": [int(Ty.AE)]}})]

    async def work(self, setup: Setup) -> None:
        """Find the meters, and subscribe to the series of each as soon as it is there."""
        await super().work(setup)
        adopted: set[str] = set()
        while True:
            self._new.clear()
            found = await setup.client.discover(labels=["meter"], types=[Ty.AE], lvl=1)
            pending = [address for address in found if address not in adopted]
            for address in pending:
                try:
                    await self._adopt(setup, address)
                except CSEError:
                    continue
                adopted.add(address)
            if adopted.issuperset(pending):
                await self._new.wait()
            await asyncio.sleep(_AGAIN + _EACH * len(found))

    async def _adopt(self, setup: Setup, address: str) -> None:
        _, kind, premise = (await setup.client.retrieve(address))["lbl"]
        meter = address.rpartition("/")[2].removeprefix("mtr-")
        series = f"{self.base}/mtr-{meter}/readings/{'net' if kind == 'electricity' else 'profile'}"
        interval = (await setup.client.retrieve(series))["pei"] / 1000
        known = self.kept.get("meter", meter, {})
        with self.kept.turn():
            self.kept.put("meter", meter, {**known, "interval": interval, "premise": premise})
        points = {"net": [int(Net.CREATE_OF_DIRECT_CHILD_RESOURCE)], "chty": [int(Ty.TIME_SERIES_INSTANCE)]}
        await setup.client.subscribe(series, f"{setup.url}/point/{meter}", enc=points, name=f"sub-{self.name}", pn=2)
        if not known.get("whole"):
            await self._catch_up(setup, meter, series)

    async def _catch_up(self, setup: Setup, meter: str, series: str) -> None:
        """Enter the intervals whose points came before anybody told of them; once, since what is missed later waits in the outbox of the CSE."""
        found = (await setup.client.retrieve(series, rcn=8, fc={"ty": [int(Ty.TIME_SERIES_INSTANCE)]})).get("m2m:tsi", [])
        with self.kept.turn():
            for point in found:
                self._enter(meter, str(point["dgt"]), _point(point["con"]))
            self.kept.put("meter", meter, {**self.kept.get("meter", meter), "whole": True})
            self.outbox.tell()

    def hear(self, rest: str, notification: Notification) -> None:
        """Enter an interval whose point has come."""
        if rest == "base":
            self._new.set()
        elif notification.resource is not None and rest.startswith("point/"):
            self._enter(rest.removeprefix("point/"), str(notification.resource["dgt"]), _point(notification.resource["con"]))

    def forget(self, before: float) -> None:
        """Forget which intervals were settled long ago: their points come no more."""
        self._chain.forget(before)

    def _enter(self, meter: str, end: str, point: Mapping[str, Any]) -> None:
        known = self.kept.get("meter", meter)
        parties = [ae_id("bill"), ae_id(f"consumer-{known['premise']}")]
        interval = {"start": stamp(seconds_of(end) - known["interval"]), "end": end}
        entry = {"ts": self.ts(), "meter": meter, "interval": interval, "quantity": point.get("value"), "unit": point.get("unit"), "parties": parties}
        self._chain.add(f"{meter} {end}", {**entry, "quality": point.get("quality", "measured")}, self.now())


def _point(content: Any) -> Mapping[str, Any]:
    """Give the content of a point, which has no content information; what is no object has no quantity."""
    try:
        found = json.loads(content) if isinstance(content, str) else content
    except ValueError:
        return {}
    return found if isinstance(found, Mapping) else {}
