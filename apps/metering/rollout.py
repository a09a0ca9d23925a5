"""A campaign at work: brings a package to the meters of a group, as the asset organisation, over the oneM2M API alone (requirement R17)."""

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from apps.client import Client, Resource
from apps.metering.campaign import Campaign, CampaignFault, Order, Phase, Plan, Result, Stage, advance, go_on, next_due, outstanding, report, restored, stored
from apps.metering.clock import Clock
from apps.metering.packages import KINDS
from apps.metering.vocabulary import State, stamp
from cse.errors import CSEError, RequestTimeout, TargetNotReachable

GLANCE = 0.3
"""Seconds between two looks at the meters that are being updated."""

AT_ONCE = 16
"""Requests that are under way at the same time."""

_STATES: Mapping[str, Result] = {State.EXECUTED: Result.INSTALLED, State.REJECTED: Result.FAILED, State.FAILED: Result.FAILED, State.EXPIRED: Result.FAILED}
_EVENTS = {"diagnosticPassed": Result.DIAGNOSTIC_PASSED, "diagnosticFailed": Result.DIAGNOSTIC_FAILED, "restored": Result.ROLLED_BACK}
Each = TypeVar("Each")
Answer = TypeVar("Answer")

_BUSY = frozenset({Stage.UPDATING, Stage.INSTALLED, Stage.ROLLING_BACK})


@dataclass(frozen=True, slots=True)
class Rollout:
    """A campaign and the package that it brings: type of the command and its params."""

    campaign: Campaign
    type: str
    params: Mapping[str, Any]

    def save(self, path: Path) -> None:
        """Write the state into a file, whole or not at all."""
        part = path.with_name(f".{path.name}.part")
        with part.open("w", encoding="utf-8") as file:
            json.dump({"campaign": stored(self.campaign), "type": self.type, "params": dict(self.params)}, file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)

    @classmethod
    def load(cls, path: Path) -> "Rollout":
        """Read what ``save`` wrote. Raises CampaignFault."""
        try:
            found = json.loads(path.read_text("utf-8"))
            return cls(restored(found["campaign"]), str(found["type"]), dict(found["params"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise CampaignFault(f"{path}: the stored state of a campaign is none: {error}") from error

    @classmethod
    def plan(cls, plan: Plan, package: Any) -> "Rollout":
        """Begin a campaign with a package as it lies in ``sm-test/packages``: ``{"type", "params"}``. Raises CampaignFault."""
        known = isinstance(package, Mapping) and package.get("type") in KINDS and isinstance(package.get("params"), Mapping)
        if not known:
            raise CampaignFault('package: must be {"type": "firmwareUpdate" or "softwareUpdate", "params": {…}}')
        return cls(Campaign(plan), package["type"], dict(package["params"]))

    def resumed(self) -> "Rollout":
        """Let a stopped campaign go on; the failures there are so far do not stop it again."""
        return replace(self, campaign=go_on(self.campaign))


async def members(client: Client, group: str) -> tuple[str, ...]:
    """Give the meter ids of a group, in the order of its members. Raises CSEError."""
    found = await client.retrieve(group)
    names = await _all(lambda member: client.retrieve(str(member), "rn"), found.get("mid") or ())
    return tuple(str(name["rn"]).removeprefix("mtr-") for name in names if str(name["rn"]).startswith("mtr-"))


class Runner:
    """Does what a campaign says until it is finished or stopped. ``path`` holds its state, which is written before anything is sent.

    ``told`` hears a line for everything that happens to a meter. A CSE that cannot be reached is waited for.
    """

    def __init__(self, client: Client, rollout: Rollout, path: Path, clock: Clock, told: Callable[[str], object] = len) -> None:
        self._client, self._path, self._clock, self._told = client, path, clock, told
        self.rollout = rollout

    async def run(self) -> Campaign:
        """Run it; after a restart, what was ordered and not answered is ordered again under the same cmdId. Raises CSEError when the asset may not."""
        self.rollout.save(self._path)
        waiting = [order for order in outstanding(self.rollout.campaign) if order.do == "update"]
        while True:
            campaign, orders = advance(self.rollout.campaign, self._clock.now())
            self._take(campaign)
            waiting = await self._send([*waiting, *orders])
            await self._look()
            campaign = self.rollout.campaign
            busy = any(campaign.of(device).stage in _BUSY for device in campaign.plan.devices)
            if campaign.phase is Phase.FINISHED or (campaign.phase is Phase.STOPPED and not busy):
                return campaign
            following = next_due(campaign, self._clock.now())
            pause = GLANCE if busy or waiting or following is None else max(0.0, following - self._clock.now())
            await self._clock.wait(pause)

    def _take(self, campaign: Campaign) -> None:
        """Remember a state, and tell what is new in it."""
        before = self.rollout.campaign
        if campaign == before:
            return
        self.rollout = replace(self.rollout, campaign=campaign)
        self.rollout.save(self._path)
        for device, progress in campaign.devices.items():
            if progress.stage is not before.of(device).stage:
                self._told(f"{device}: {progress.stage}" + (f" ({progress.why})" if progress.why else ""))
        if campaign.phase is not before.phase:
            self._told(f"campaign {campaign.plan.id}: {campaign.phase}" + (f" ({campaign.why})" if campaign.why else ""))

    async def _send(self, orders: Sequence[Order]) -> list[Order]:
        """Order updates, and give those that could not be sent now. A meter goes back by itself, so a roll-back is only waited for."""
        left: list[Order] = []
        for order in orders:
            if order.do != "update":
                continue
            try:
                await self._client.put(f"{self._client.base}/mtr-{order.device}/cmd/maint/in", self._envelope(order))
            except (RequestTimeout, TargetNotReachable):
                left.append(order)
            except CSEError as refused:
                self._take(report(self.rollout.campaign, order.device, Result.FAILED, self._clock.now(), str(refused))[0])
        return left

    def _envelope(self, order: Order) -> Mapping[str, Any]:
        """Give the command; it is the same however often it is sent, so that the meter does it once."""
        begun = self.rollout.campaign.of(order.device).begun
        until = stamp(begun + self.rollout.campaign.plan.patience)
        known = {"cmdId": order.id, "type": self.rollout.type, "issuer": self._client.originator, "issuedAt": stamp(begun), "validUntil": until}
        return {**known, "consent": "none", "confirmBy": until, "params": dict(self.rollout.params)}

    async def _look(self) -> None:
        """Hear what the meters say that are being updated."""
        campaign = self.rollout.campaign
        devices = [device for device in campaign.plan.devices if campaign.of(device).stage in _BUSY or campaign.of(device).silent]
        try:
            answers = await _all(self._heard, devices)
        except (RequestTimeout, TargetNotReachable):
            return
        for device, results in zip(devices, answers, strict=True):
            for result, why in results:
                self._take(report(self.rollout.campaign, device, result, self._clock.now(), why)[0])

    async def _heard(self, device: str) -> list[tuple[Result, str]]:
        """Give everything that a meter has said of the update so far, in its order; what is known already changes nothing."""
        top, identifier = f"{self._client.base}/mtr-{device}", f"{self.rollout.campaign.plan.id}-{device}"
        since = stamp(self.rollout.campaign.of(device).begun - 60)
        found = [(_STATES.get(str(one.get("state"))), one.get("error")) for one in await self._contents(f"{top}/cmd/maint/out", identifier, since)]
        results = [(result, str(error.get("text", "")) if isinstance(error, Mapping) else "") for result, error in found if result is not None]
        for place in ("malfunction", "state"):
            for one in await self._contents(f"{top}/events/{place}", identifier, since):
                if (result := _EVENTS.get(str(one.get("type")))) is not None:
                    results.append((result, str(one.get("detail", ""))))
        return results

    async def _contents(self, container: str, identifier: str, since: str) -> list[Mapping[str, Any]]:
        answer = await self._client.retrieve(container, rcn=8, fc={"cra": since, "ty": [4]})
        listed = sorted((Resource("", "m2m:cin", one) for one in answer.get("m2m:cin", [])), key=lambda one: (str(one["ct"]), str(one["rn"])))
        return [one.content for one in listed if isinstance(one.content, Mapping) and one.content.get("cmdId") == identifier]


async def _all(work: Callable[[Each], Awaitable[Answer]], items: Iterable[Each]) -> list[Answer]:
    """Do something for many, some at once, and give the answers in order."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(each: Each) -> Answer:
        async with gate:
            return await work(each)

    return await asyncio.gather(*(one(each) for each in items))
