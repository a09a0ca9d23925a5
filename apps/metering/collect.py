"""The collection scheduler of the head-end: reads meters by policies of asset and the network operator, and records each run (use case 8, R08)."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from random import Random
from typing import Any

from apps.client import Notification
from apps.metering import forms
from apps.metering.device import Setup
from apps.metering.entity import Entity, Watched, container, content
from apps.metering.memory import Kept
from apps.metering.strategies import STRATEGIES, Members, length
from apps.metering.tree import CREATED_BY
from apps.metering.vocabulary import END, organisation, stamp
from cse.datatypes import seconds_of
from cse.errors import CSEError, RequestTimeout, TargetNotReachable

_AGAIN = 0.3
"""Seconds until it is looked again for what was not known yet."""

WITHIN = 10.0
"""Seconds that a meter has to answer, unless a policy says else."""


class Collect(Entity):
    """The scheduler. A policy (``policies``, forms.POLICY) is planned anew in each cycle by its strategy; a run ends when every meter has answered or is late,
    and is recorded in ``runs`` with all its visits. Policies and runs under way are remembered, so that a restart loses none and orders nothing twice.
    """

    app = "Nsm.collect"

    def __init__(self, kept: Kept, now: Callable[[], float], base: str = "cse-in", random: Random | None = None) -> None:
        super().__init__("sm-collect", kept, now, base)
        self._random = random or Random()
        self._policies: dict[str, dict[str, Any]] = dict(kept.all("policy"))
        self._runs: dict[str, dict[str, Any]] = dict(kept.all("run"))
        self._members: dict[str, Members] = {}
        self._heard: set[str] = set()
        self._look = asyncio.Event()

    @property
    def own(self) -> Sequence[tuple[str, int, str, Mapping[str, Any], str]]:
        """What is to be collected, and what was."""
        return [container(name, f"acp-{self.name}-{name}", 10_000) for name in ("policies", "runs")]

    @property
    def watched(self) -> Sequence[Watched]:
        """The policies."""
        return [(self.place("policies"), "policies", {"enc": CREATED_BY})]

    # --- who is to be visited --------------------------------------------------------------------------------------------------------------------------------

    async def work(self, setup: Setup) -> None:
        """Find out who is in the groups of policies that are due, and listen to their answers; only then are they visited."""
        await super().work(setup)
        self._look.set()
        while True:
            await self._look.wait()
            self._look.clear()
            try:
                for run in list(self._runs.values()):
                    await self._listen(setup, _class(run["what"]), [visit["meter"] for visit in run["visits"]])
                for identifier, found in list(self._policies.items()):
                    if identifier not in self._members and found["next"] <= self.now():
                        await self._find(setup, identifier, found["policy"])
            except (TargetNotReachable, RequestTimeout):
                await asyncio.sleep(_AGAIN)
                self._look.set()

    async def _find(self, setup: Setup, identifier: str, policy: Mapping[str, Any]) -> None:
        members: list[tuple[str, list[str]]] = [("", list(policy["meters"]))] if "meters" in policy else []
        for group in policy.get("groups", ()):
            try:
                listed = (await setup.client.retrieve(f"{self.base}/{group}"))["mid"]
            except (TargetNotReachable, RequestTimeout):
                raise
            except CSEError:
                listed = []
            members.append((group, [name.removeprefix("mtr-") for address in listed if (name := str(address).rpartition("/")[2]).startswith("mtr-")]))
        await self._listen(setup, _class(policy.get("what", ())), [meter for _, meters in members for meter in meters])
        self._members[identifier] = members

    async def _listen(self, setup: Setup, kind: str, meters: Sequence[str]) -> None:
        """Have the answers of meters told; one that is not there has none."""
        for meter in meters:
            place = f"mtr-{meter}/cmd/{kind}/out"
            if place not in self._heard and not await self._subscribe(setup, [(f"{self.base}/{place}", f"out/{meter}", {})]):
                self._heard.add(place)

    # --- what is heard ---------------------------------------------------------------------------------------------------------------------------------------

    def hear(self, rest: str, notification: Notification) -> None:
        """Take a policy, or the status of a reading that was ordered."""
        told = content(notification)
        if rest == "policies":
            self._adopt(told, notification.by)
        elif rest.startswith("out/") and told.get("state") in END:
            run, _, meter = str(told.get("cmdId", "")).rpartition("/")
            self._answered(run, meter, told)

    def _adopt(self, policy: Mapping[str, Any], issuer: str) -> None:
        """Begin with a policy, in the place of an earlier one of its name; ``cycles`` 0 ends that. What is wrong is said in ``runs`` and to who has sent it."""
        said = wrong(policy)
        if said:
            name = policy.get("policyId")
            refused = {"policyId": name if isinstance(name, str) else "", "ts": self.ts(), "state": "rejected"}
            self.outbox.put(self.place("runs"), {**refused, "error": {"code": "requestInvalid", "text": said}})
            self._alert(issuer, "error", f"requestInvalid: {said}", "")
            return
        identifier = policy["policyId"]
        self._members.pop(identifier, None)
        self._policies.pop(identifier, None)
        self.kept.drop("policy", identifier)
        if policy.get("cycles") != 0:
            start = seconds_of(policy["start"]) if "start" in policy else self.now()
            self._plan(identifier, {"policy": dict(policy), "issuer": issuer, "cycle": 0, "next": max(start, self.now())})

    def _plan(self, identifier: str, found: dict[str, Any]) -> None:
        self._policies[identifier] = found
        self.kept.put("policy", identifier, found)

    def _answered(self, identifier: str, meter: str, told: Mapping[str, Any]) -> None:
        run = self._runs.get(identifier)
        visit = next((visit for visit in run["visits"] if visit["meter"] == meter), None) if run else None
        if run is None or visit is None or visit["state"] != "sent":
            return
        visit |= {"state": told["state"], "ts": told.get("ts")} | {name: told[name] for name in ("result", "error") if name in told}
        self.kept.put("run", identifier, run)

    # --- what is due -----------------------------------------------------------------------------------------------------------------------------------------

    def tick(self, now: float) -> float | None:
        """Begin the cycles that are due, order the readings that are due, and close the runs that are over."""
        for identifier, found in list(self._policies.items()):
            if found["next"] <= now and identifier in self._members:
                self._begin(identifier, found, now)
        for identifier, run in list(self._runs.items()):
            self._visit(identifier, run, now)
        waiting = [now + _AGAIN if found["next"] <= now else found["next"] for found in self._policies.values()]
        if any(found["next"] <= now for found in self._policies.values()):
            self._look.set()
        following = [run["within"] + visit["at"] if visit["state"] == "sent" else visit["at"] for run in self._runs.values() for visit in _open(run)]
        return min([*waiting, *following], default=None)

    def _begin(self, identifier: str, found: dict[str, Any], now: float) -> None:
        policy, members = found["policy"], self._members.pop(identifier)
        visits = STRATEGIES[policy["strategy"]](members, now, float(policy.get("window", 0)), self._random)
        number, issuer = self.kept.number("run"), found["issuer"]
        run = {"policyId": identifier, "cycle": found["cycle"] + 1, "strategy": policy["strategy"], "start": stamp(now), "issuer": issuer}
        run |= {"what": policy.get("what", ["registers"]), "within": float(policy.get("within", WITHIN))}
        if _class(run["what"]) == "pq":
            run["quantities"] = policy.get("quantities", list(forms.QUANTITIES))
        name = f"{self.kept.epoch()}-R{number}"
        self._runs[name] = {**run, "visits": [{**asdict(visit), "state": "planned"} for visit in visits]}
        self.kept.put("run", name, self._runs[name])
        period = float(policy.get("period", 0))
        if not period or run["cycle"] >= policy.get("cycles", float("inf")):
            self._policies.pop(identifier)
            self.kept.drop("policy", identifier)
        else:
            # a cycle that was slept through is not made up for
            self._plan(identifier, {**found, "cycle": run["cycle"], "next": found["next"] + period * max(1, -(-(now - found["next"]) // period))})

    def _visit(self, identifier: str, run: dict[str, Any], now: float) -> None:
        changed = False
        for visit in _open(run):
            if visit["state"] == "planned" and visit["at"] <= now:
                visit |= {"state": "sent", "cmdId": f"{identifier}/{visit['meter']}"}
                kind = _class(run["what"])
                name, params = ("getPq", {"quantities": run["quantities"]}) if kind == "pq" else ("readNow", {"what": run["what"]})
                envelope = {"cmdId": visit["cmdId"], "type": name, "issuer": f"C{self.name}", "issuedAt": self.ts(), "consent": "none"}
                envelope |= {"validUntil": stamp(visit["at"] + run["within"]), "params": params}
                self.outbox.put(f"{self.base}/mtr-{visit['meter']}/cmd/{kind}/in", envelope)
                changed = True
            elif visit["state"] == "sent" and visit["at"] + run["within"] <= now:
                visit["state"] = "silent"
                changed = True
        if _open(run):
            if changed:
                self.kept.put("run", identifier, run)
            return
        self._close(identifier, run)

    def _close(self, identifier: str, run: Mapping[str, Any]) -> None:
        """Record a run, and tell who wanted it of every meter without a reading."""
        missing = [visit["meter"] for visit in run["visits"] if visit["state"] != "executed"]
        told = {name: run[name] for name in ("policyId", "cycle", "strategy", "start", "what", "quantities") if name in run}
        visits = [{**{name: value for name, value in visit.items() if name != "group" or value}, **_times(visit)} for visit in run["visits"]]
        state = "complete" if visits and not missing else "incomplete"
        self.outbox.put(self.place("runs"), {"runId": identifier, "ts": self.ts(), **told, "state": state, "visits": visits, "missing": missing})
        for meter in missing:
            self._alert(run["issuer"], "reportMissing", f"run {identifier} of policy {run['policyId']} has no reading of {meter}", meter)
        if not visits:
            self._alert(run["issuer"], "reportMissing", f"run {identifier} of policy {run['policyId']} has found no meter", "")
        del self._runs[identifier]
        self.kept.drop("run", identifier)

    def _alert(self, issuer: str, kind: str, detail: str, meter: str) -> None:
        if name := organisation(issuer):
            alert = {"alertId": f"C-A{self.kept.number('alert')}", "type": kind, "ts": self.ts(), **({"meter": meter} if meter else {}), "detail": detail}
            self.outbox.put(f"{self.base}/{name}/alerts", alert)


def _class(what: Sequence[str]) -> str:
    """Give the class of the commands that collect something."""
    return "pq" if "pq" in what else "read"


def _open(run: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [visit for visit in run["visits"] if visit["state"] in ("planned", "sent")]


def _times(visit: Mapping[str, Any]) -> dict[str, str]:
    return {name: stamp(float(visit[name])) for name in ("at", "start", "end")}


def wrong(policy: Mapping[str, Any]) -> str:
    """Say what is wrong with a policy, naming the member; "" when nothing is."""
    if said := forms.wrong_policy(policy):
        return said
    takes, period = length(policy["strategy"], len(policy.get("groups", ())) + ("meters" in policy), float(policy.get("window", 0))), policy.get("period", 0)
    if period and takes > period:
        return f"period: {period:g} seconds are less than the {takes:g} that a cycle takes"
    what = policy.get("what", ["registers"])
    if "pq" in what and len(what) > 1:
        return "what: pq stands alone, since it is a command of its own"
    if "quantities" in policy and "pq" not in what:
        return "quantities: are those of power quality, and what has no pq"
    if policy.get("cycles", 1) > 1 and not period:
        return "period: more than one cycle needs a period"
    return ""
