"""A campaign that brings a package to many devices, as a pure state machine: canaries first, no faster than a rate, stopped when too many fail.

``advance`` says what is to be ordered now, ``report`` takes what became of it; the state is a value that is stored after each and goes on after a restart.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from math import ceil
from types import MappingProxyType
from typing import Any


class Stage(StrEnum):
    """How far a device is."""

    WAITING = "waiting"
    UPDATING = "updating"
    INSTALLED = "installed"
    ROLLING_BACK = "rollingBack"
    DONE = "done"
    ROLLED_BACK = "rolledBack"
    FAILED = "failed"


class Phase(StrEnum):
    """How far a campaign is. Stopped: nothing new is ordered until somebody lets it go on; what has begun is brought to its end, roll-backs too."""

    CANARY = "canary"
    ROLLOUT = "rollout"
    STOPPED = "stopped"
    FINISHED = "finished"


class Result(StrEnum):
    """What a device says."""

    INSTALLED = "installed"
    DIAGNOSTIC_PASSED = "diagnosticPassed"
    DIAGNOSTIC_FAILED = "diagnosticFailed"
    FAILED = "failed"
    ROLLED_BACK = "rolledBack"


_FINAL = frozenset({Stage.DONE, Stage.ROLLED_BACK, Stage.FAILED})
_BAD = frozenset({Stage.ROLLING_BACK, Stage.ROLLED_BACK, Stage.FAILED})
_AFTER_UPDATE = {
    Result.INSTALLED: Stage.INSTALLED,
    Result.DIAGNOSTIC_PASSED: Stage.DONE,
    Result.DIAGNOSTIC_FAILED: Stage.ROLLING_BACK,
    Result.FAILED: Stage.FAILED,
}
_NEXT: Mapping[Stage, Mapping[Result, Stage]] = {
    Stage.UPDATING: _AFTER_UPDATE,
    Stage.INSTALLED: {result: stage for result, stage in _AFTER_UPDATE.items() if result is not Result.INSTALLED},
    Stage.ROLLING_BACK: {Result.ROLLED_BACK: Stage.ROLLED_BACK, Result.FAILED: Stage.FAILED},
}
"""Which result leads where; any other comes late or twice, and changes nothing."""


class CampaignFault(Exception):
    """A plan or a stored state that is none; the message names the member and says why."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a campaign is to do. devices: in the order in which they come; the first are the canaries.

    canary, abort: shares from 0 to 1: of the devices that are canaries (one at least), and of the canaries, then of all devices, that may fail without
    the campaign being stopped. rate: updates that are begun within a minute at most. patience: seconds that a device may say nothing.
    """

    id: str
    devices: tuple[str, ...]
    canary: float = 0.05
    rate: int = 60
    abort: float = 0.1
    patience: float = 600.0

    def __post_init__(self) -> None:
        if not self.devices or len(set(self.devices)) != len(self.devices):
            raise CampaignFault("devices: there must be one at least, and none twice")
        for name, share in (("canary", self.canary), ("abort", self.abort)):
            if not 0 <= share <= 1:
                raise CampaignFault(f"{name}: must be a share from 0 to 1, not {share}")
        if self.rate < 1:
            raise CampaignFault(f"rate: must be 1 a minute or more, not {self.rate}")
        if not self.patience > 0:
            raise CampaignFault(f"patience: must be more than 0 seconds, not {self.patience}")

    @property
    def canaries(self) -> tuple[str, ...]:
        """The devices that go first."""
        return self.devices[: max(1, ceil(round(self.canary * len(self.devices), 9)))]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a device is. begun: when its update was ordered. since: when it came to its stage. why: what went wrong. silent: it failed by saying nothing."""

    stage: Stage = Stage.WAITING
    begun: float = 0.0
    since: float = 0.0
    why: str = ""
    silent: Stage | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """What a device is told: ``update`` or ``rollBack``. id: the same however often it is sent, so that the device does it once."""

    device: str
    do: str
    id: str


@dataclass(frozen=True, slots=True)
class Campaign:
    """The state of a campaign. forgiven: failures that were known when somebody let it go on after a stop. why: of the stop."""

    plan: Plan
    phase: Phase = Phase.CANARY
    devices: Mapping[str, Progress] = field(default_factory=dict)
    forgiven: int = 0
    why: str = ""

    def of(self, device: str) -> Progress:
        """Give the progress of a device."""
        return self.devices.get(device, Progress())

    def counts(self) -> Mapping[Stage, int]:
        """Count the devices in every stage."""
        stages = [self.of(device).stage for device in self.plan.devices]
        return {stage: stages.count(stage) for stage in Stage}


def advance(campaign: Campaign, now: float) -> tuple[Campaign, tuple[Order, ...]]:
    """Give the state at a time, and what is to be ordered because of it: store the state first, then send."""
    campaign = _judged(_impatient(campaign, now))
    if campaign.phase not in (Phase.CANARY, Phase.ROLLOUT):
        return campaign, ()
    group = campaign.plan.canaries if campaign.phase is Phase.CANARY else campaign.plan.devices
    waiting = [device for device in group if campaign.of(device).stage is Stage.WAITING]
    chosen = waiting[: _room(campaign, now)]
    begun = {device: Progress(Stage.UPDATING, begun=now, since=now) for device in chosen}
    return _with(campaign, begun), tuple(_update(campaign, device) for device in chosen)


def report(campaign: Campaign, device: str, result: Result, now: float, why: str = "") -> tuple[Campaign, tuple[Order, ...]]:
    """Take what a device says, and give what it is to be told because of it: a device whose diagnostic failed goes back. What comes twice changes nothing."""
    before = campaign.of(device)
    stage = _NEXT.get(before.silent or before.stage, {}).get(result)
    if device not in campaign.plan.devices or stage is None:
        return campaign, ()
    why = before.why if result is Result.ROLLED_BACK else "" if stage in (Stage.INSTALLED, Stage.DONE) else why or result.value
    campaign = _judged(_with(campaign, {device: replace(before, stage=stage, since=now, why=why, silent=None)}))
    return campaign, ((_roll_back(campaign, device),) if stage is Stage.ROLLING_BACK else ())


def stop(campaign: Campaign, why: str) -> Campaign:
    """Order nothing new from now on."""
    return campaign if campaign.phase is Phase.FINISHED else replace(campaign, phase=Phase.STOPPED, why=why)


def go_on(campaign: Campaign) -> Campaign:
    """Let a stopped campaign go on where it was; the failures there are so far do not stop it again."""
    if campaign.phase is not Phase.STOPPED:
        return campaign
    phase = Phase.ROLLOUT if _over(campaign, campaign.plan.canaries) else Phase.CANARY
    failures = len(_failed(campaign, campaign.plan.devices))
    return _judged(replace(campaign, phase=phase, forgiven=failures, why=""))


def outstanding(campaign: Campaign) -> tuple[Order, ...]:
    """Give what was ordered and not answered, to be sent once more after a restart; the ids are the same, so no device does anything twice."""
    made = {Stage.UPDATING: _update, Stage.ROLLING_BACK: _roll_back}
    return tuple(made[stage](campaign, device) for device in campaign.plan.devices if (stage := campaign.of(device).stage) in made)


def next_due(campaign: Campaign, now: float) -> float | None:
    """Give the next time at which ``advance`` has something to do, None when only a report or a person brings the campaign on."""
    times = [each.since + campaign.plan.patience for each in campaign.devices.values() if each.stage in _NEXT]
    group = {Phase.CANARY: campaign.plan.canaries, Phase.ROLLOUT: campaign.plan.devices}.get(campaign.phase, ())
    if any(campaign.of(device).stage is Stage.WAITING for device in group):
        last = sorted(each.begun for each in campaign.devices.values())[-campaign.plan.rate :]
        times.append(last[0] + 60.0 if len(last) == campaign.plan.rate else now)
    return max(now, min(times)) if times else None


def _with(campaign: Campaign, changed: Mapping[str, Progress]) -> Campaign:
    return replace(campaign, devices=MappingProxyType({**campaign.devices, **changed})) if changed else campaign


def _update(campaign: Campaign, device: str) -> Order:
    return Order(device, "update", f"{campaign.plan.id}-{device}")


def _roll_back(campaign: Campaign, device: str) -> Order:
    return Order(device, "rollBack", f"{campaign.plan.id}-{device}-back")


def _room(campaign: Campaign, now: float) -> int:
    """Give how many updates may begin now."""
    return max(0, campaign.plan.rate - sum(each.begun > now - 60.0 for each in campaign.devices.values()))


def _impatient(campaign: Campaign, now: float) -> Campaign:
    """Give up devices that have said nothing for too long; should they speak later, they are heard."""
    patience = campaign.plan.patience
    late = {device: each for device, each in campaign.devices.items() if each.stage in _NEXT and now >= each.since + patience}
    why = {Stage.ROLLING_BACK: "the roll-back was not confirmed", Stage.INSTALLED: "the diagnostic was not confirmed"}
    return _with(
        campaign,
        {
            device: replace(each, stage=Stage.FAILED, since=now, why=why.get(each.stage, "the device says nothing"), silent=each.stage)
            for device, each in late.items()
        },
    )


def _failed(campaign: Campaign, devices: Iterable[str]) -> list[str]:
    return [device for device in devices if campaign.of(device).stage in _BAD]


def _over(campaign: Campaign, devices: Iterable[str]) -> bool:
    return all(campaign.of(device).stage in _FINAL for device in devices)


def _judged(campaign: Campaign) -> Campaign:
    """Stop when too many failed, go from the canaries to all when they are over, and finish."""
    plan = campaign.plan
    if _over(campaign, plan.devices):
        return replace(campaign, phase=Phase.FINISHED)
    if campaign.phase is Phase.FINISHED:  # a device that was given up speaks after the end
        return replace(campaign, phase=Phase.ROLLOUT)
    if campaign.phase is Phase.STOPPED:
        return campaign
    group, name = (plan.canaries, "canaries") if campaign.phase is Phase.CANARY else (plan.devices, "devices")
    failed = _failed(campaign, group)
    new = len(failed) - campaign.forgiven
    if new > plan.abort * len(group):
        return stop(campaign, f"{new} of {len(group)} {name} failed, more than {plan.abort:.0%}: the last is {failed[-1]}, {campaign.of(failed[-1]).why}")
    if campaign.phase is Phase.CANARY and _over(campaign, group):
        return replace(campaign, phase=Phase.ROLLOUT)
    return campaign


def stored(campaign: Campaign) -> dict[str, Any]:
    """Give the state as JSON, to be kept across a restart."""
    return {
        "plan": {**asdict(campaign.plan), "devices": list(campaign.plan.devices)},
        "phase": campaign.phase.value,
        "devices": {device: asdict(each) for device, each in campaign.devices.items()},
        "forgiven": campaign.forgiven,
        "why": campaign.why,
    }


def restored(state: Mapping[str, Any]) -> Campaign:
    """Give the campaign that was stored. Raises CampaignFault."""
    try:
        plan = Plan(**{**state["plan"], "devices": tuple(state["plan"]["devices"])})
        devices = {device: _progress(each) for device, each in state["devices"].items()}
        if strange := set(devices) - set(plan.devices):
            raise CampaignFault(f"devices: {min(strange)!r} is not in the plan")
        return Campaign(plan, Phase(state["phase"]), MappingProxyType(devices), int(state["forgiven"]), str(state["why"]))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CampaignFault(f"the stored state of a campaign is none: {error!r}") from error


def _progress(state: Mapping[str, Any]) -> Progress:
    silent = Stage(state["silent"]) if state["silent"] else None
    return Progress(Stage(state["stage"]), float(state["begun"]), float(state["since"]), str(state["why"]), silent)
