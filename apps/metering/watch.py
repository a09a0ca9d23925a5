"""The overdue watcher of the head-end (section 7): who waits for a confirmation, an acknowledgement or a report that does not come is alerted."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from heapq import heappop, heappush
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from apps.client import Client, MemberAnswer, Notification
from apps.client import ResourceTypeID as Ty
from apps.metering.accord import Accord
from apps.metering.chain import Chain
from apps.metering.device import Setup
from apps.metering.entity import Entity, Watched, container, content
from apps.metering.membership import Membership
from apps.metering.memory import KEPT, Kept
from apps.metering.meter.records import INFO, digest_of, key_of, name_of
from apps.metering.tree import CREATED_BY
from apps.metering.vocabulary import CLASSES, CONCERNED, CONFIRMED, END, ORGANISATIONS, TIMERS, State, organisation
from cse.codes import NotificationEventType as Net
from cse.codes import Operation
from cse.datatypes import seconds_of
from cse.errors import Conflict, CSEError, TargetNotReachable

_AGAIN, _EACH = 0.5, 0.002
"""Seconds until a meter whose tree is not complete yet is looked at again, and more for each meter that there is: looking for all of them has its price."""

_TOGETHER, _CROWD = 4, 50
"""Groups of meters that are subscribed to at the same time, and meters of one."""


class Watch(Entity):
    """The watcher. It remembers what it waits for, so that its own restart loses nothing; what it missed meanwhile the CSE tells it then.

    ``premises`` gives the meters of a premise, whom a refused access to its display or devices concerns too. ``groups`` gives those of a group: a tariff is
    for all of them or none (apps.metering.accord). ``key`` signs the ledger of commands: an entry for each that was sent, and for each of its states.
    ``stamped`` gives the time of the world when the CSE had a time (apps.metering.clock.Clock.of).
    """

    app = "Nsm.watch"

    def __init__(
        self,
        kept: Kept,
        now: Callable[[], float],
        base: str = "cse-in",
        premises: Mapping[str, Sequence[str]] | None = None,
        groups: Mapping[str, Sequence[str]] | None = None,
        key: Ed25519PrivateKey | None = None,
        stamped: Callable[[float], float] = lambda seconds: seconds,
    ) -> None:
        super().__init__("sm-watch", kept, now, base)
        self._premises = premises or {}
        self._membership = Membership(kept, groups or {}, base)
        self._groups = self._membership.groups
        self._stamped = stamped
        self._accord = Accord(kept, now, self._groups, lambda told: self.outbox.put(self.place("accord"), {"ts": self.ts(), **told}))
        self._ledger = None if key is None else Chain("commands", key, kept, self.outbox, self.place("commands"))
        self._waiting: dict[str, dict[str, Any]] = dict(kept.all("waiting"))
        self._times = sorted((wish["at"], key) for key, wish in self._waiting.items())
        """A heap of the times at which to look at what waits; one that was put off is found there twice."""
        self._new = asyncio.Event()
        self.adopted: set[str] = set()
        """The meters that are watched: all subscriptions to them are there."""

    @property
    def own(self) -> Sequence[tuple[str, int, str, Mapping[str, Any], str]]:
        """Where meters of a group vote, and where they hear what is decided; the ledger of commands."""
        accord = [container(name, f"acp-sm-watch-{name}") for name in ("votes", "accord")] if self._groups else []
        return [*accord, *([self._ledger.container("acp-sm-watch-commands")] if self._ledger is not None else [])]

    @property
    def watched(self) -> Sequence[tuple[str, str, Mapping[str, Any]]]:
        """New meters, and what organisations acknowledge."""
        base = [(self.base, "base", {"enc": {"net": [int(Net.CREATE_OF_DIRECT_CHILD_RESOURCE)], "chty": [int(Ty.AE)]}})]
        votes: list[tuple[str, str, Mapping[str, Any]]] = [(self.place("votes"), "votes", {})] if self._groups else []
        return [*base, *votes, *((f"{self.base}/{name}/acks", f"acks/{name}", {}) for name in ORGANISATIONS)]

    async def work(self, setup: Setup) -> None:
        """Find the meters, and subscribe to each as soon as its tree is there."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._membership.run(setup.client))
            tasks.create_task(super().work(setup))
            tasks.create_task(self._find(setup))

    async def _find(self, setup: Setup) -> None:
        self.adopted.clear()
        adopted = self.adopted
        while True:
            self._new.clear()
            found = await setup.client.discover(labels=["meter"], types=[Ty.AE], lvl=1)
            pending = [name for address in found if (name := address.rpartition("/")[2].removeprefix("mtr-")) not in adopted]
            room = asyncio.Semaphore(_TOGETHER)
            async with asyncio.TaskGroup() as tasks:
                for first in range(0, len(pending), _CROWD):
                    tasks.create_task(self._try_to_adopt(setup, pending[first : first + _CROWD], room))
            if adopted.issuperset(pending):
                await self._new.wait()
            await asyncio.sleep(_AGAIN + _EACH * len(found))

    async def _try_to_adopt(self, setup: Setup, meters: Sequence[str], room: asyncio.Semaphore) -> None:
        async with room:
            with suppress(CSEError):
                await self._adopt(setup, meters)
                self._membership.look()

    async def _adopt(self, setup: Setup, meters: Sequence[str]) -> None:
        """Subscribe to many meters with few requests: for as long as that takes they are a group. Those whose tree does not stand yet are left out."""
        client, name = setup.client, f"new-{self.kept.number('group')}"
        group = await self._group(client, name, meters)
        try:
            first, *others = self._wishes(name)
            standing = await self._subscribe_each(setup, group, *first)
            if not standing:
                return
            if len(standing) < len(meters):
                await self._group(client, name, sorted(standing))
            for wish in others:
                standing &= await self._subscribe_each(setup, group, *wish)
            for what, attribute in (("timers", ""), ("reporting", "reports")):
                told = {_meter(answer): answer.resource for answer in await client.fan_out(group, f"config/{what}") if answer.resource is not None}
                standing &= told.keys()
                with self.kept.turn():
                    for meter, found in told.items():
                        self.kept.put(what, meter, found[attribute] if attribute else {key: found.get(key) for key in TIMERS})
            self.adopted |= standing
        finally:
            await client.delete(group)

    async def _group(self, client: Client, name: str, meters: Sequence[str]) -> str:
        await client.group(self.place("").rstrip("/"), name, [f"{self.base}/mtr-{meter}" for meter in meters], mt=int(Ty.AE))
        return self.place(name)

    def _wishes(self, name: str) -> Iterator[Watched]:
        """Give what is subscribed to at each meter of a group: that first which a meter makes last."""
        for kind in reversed(CLASSES):
            # one target for both: a target is told in order, so that no status comes before its command
            yield f"cmd/{kind}/out", f"cmd/{name}/{kind}", {"enc": {"net": [int(Net.CREATE_OF_DIRECT_CHILD_RESOURCE)]}}
            yield f"cmd/{kind}/in", f"cmd/{name}/{kind}", {"enc": CREATED_BY}
        yield "readings/registers", f"reading/{name}", {"enc": {"net": [int(Net.CREATE_OF_DIRECT_CHILD_RESOURCE)]}}
        missing = {"net": [int(Net.REPORT_ON_MISSING_DATA_POINTS)], "md": {"num": 1, "dur": "PT60S"}}
        yield "readings/profile", f"missing/{name}", {"enc": missing}
        for what in ("timers", "reporting"):
            yield f"config/{what}", f"{what}/{name}", {"enc": {"net": [int(Net.UPDATE_OF_RESOURCE)]}}

    async def _subscribe_each(self, setup: Setup, group: str, place: str, path: str, attributes: Mapping[str, Any]) -> set[str]:
        """Subscribe at a place of each meter of a group, and remember which subscription is about which; give the meters where that was possible."""
        given, name = {"nu": [f"{setup.url}/{path}"], "pn": 2, **attributes}, f"sub-{self.name}"
        answers = await setup.client.fan_out(group, place, op=Operation.CREATE, ty=int(Ty.SUBSCRIPTION), pc={"m2m:sub": {"rn": name, **given}})
        if any(isinstance(answer.error, Conflict) for answer in answers):
            answers = await setup.client.fan_out(group, f"{place}/{name}", op=Operation.UPDATE, pc={"m2m:sub": given})
        found = {_meter(answer): answer.resource.ri for answer in answers if answer.resource is not None}
        with self.kept.turn():
            for meter, ri in found.items():
                self.kept.put("about", ri, meter)
        return set(found)

    def _about(self, notification: Notification) -> str:
        """Give the meter that a notification is about. Raises TargetNotReachable for one that comes ahead of the answer to its subscription."""
        found = self.kept.get("about", notification.subscription.rpartition("/")[2])
        if found is None:
            raise TargetNotReachable(f"the subscription {notification.subscription} is not known yet")
        return str(found)

    # --- what is heard ---------------------------------------------------------------------------------------------------------------------------------------

    def hear(self, rest: str, notification: Notification) -> None:
        """Take what happened to a meter or an organisation."""
        what, _, about = rest.partition("/")
        kind, told = about.rpartition("/")[2], content(notification)
        meter = self._about(notification) if what in ("cmd", "reading", "missing", "timers", "reporting") else ""
        attributes = notification.resource.attributes if notification.resource is not None else {}
        match what:
            case "base":
                self._new.set()
            case "cmd" if notification.by:
                self._commanded(meter, kind, told, notification)
            case "cmd":
                ri = notification.resource.ri if notification.resource is not None else ""
                self._enter(meter, kind, str(told.get("cmdId", "")), ri, {"state": told.get("state"), "digest": digest_of(kind, told)})
                self._stated(meter, kind, told)
            case "votes":
                voter = str(told.get("meter"))
                self._accord.voted(voter, str(told.get("issuer")), str(told.get("cmdId")), self._patience(voter))
            case "acks":
                self._acknowledged(about, told)
            case "reading":
                self._reported(meter)
                if told.get("reason") == "startup":
                    self._membership.started(meter, self.now())
            case "missing":
                self._missing(meter, f"points of readings/profile are missing: {', '.join(map(str, attributes.get('mdlt', ())[-3:]))}")
            case "timers" | "reporting":
                self.kept.put(what, meter, attributes["reports"] if what == "reporting" else {key: attributes.get(key) for key in TIMERS})

    def _commanded(self, meter: str, kind: str, told: Mapping[str, Any], notification: Notification) -> None:
        resource = notification.resource
        assert resource is not None
        issuer = str(resource.get("cr") or notification.by).rpartition("/")[2]
        identifier = name_of(told, resource.ri)
        sent = {"issuer": issuer, "type": str(told.get("type", "")), "state": State.SENT, "digest": digest_of(kind, told)}
        self._enter(meter, kind, identifier, resource.ri, sent)
        if self.kept.get("wish", f"{meter}\n{kind}\n{identifier}") is not None:
            return
        if kind == "tariff" and any(meter in members for members in self._groups.values()):
            wait = max(0.0, (_time(told.get("notBefore")) or 0.0) - self.now())
            self._accord.seen(meter, issuer, identifier, wait + self._patience(meter))
        began = self._stamped(seconds_of(str(resource["ct"])))
        until = _time(told.get("validUntil")) or began
        if until < self.now() - KEPT:
            return  # it may be a repeat of what is forgotten here, which the meter does not answer
        named = told.get("notify")
        concerned = [issuer, *(named if isinstance(named, list) else ()), *CONCERNED.get(kind, ())]
        wish: dict[str, Any] = {"meter": meter, "kind": kind, "id": identifier, "issuer": issuer, "told": [aei for aei in concerned if isinstance(aei, str)]}
        wish["until"] = max(until, began)
        wish |= {"ack": told.get("ackRequired") is True, "by": _time(told.get("confirmBy")), "deadline": told.get("consumerDeadline")}
        if kind == "config" and told.get("type") == "setSchedule" and isinstance(told.get("params"), Mapping):
            wish["entry"] = told["params"]
        if kind == "maint" and told.get("type") == "swapOut" and isinstance(told.get("params"), Mapping):
            wish["swap"] = [str(told["params"].get(name, "")).removeprefix("mtr-") for name in ("old", "new")]
        self.kept.put("wish", f"{meter}\n{kind}\n{identifier}", wish)
        self._wait(f"confirm\n{meter}\n{key_of(issuer, identifier)}", wish["by"] or began + self._timer(meter, "confirmWithin"), wish)

    def _stated(self, meter: str, kind: str, told: Mapping[str, Any]) -> None:
        identifier, state = str(told.get("cmdId", "")), told.get("state")
        base = identifier.removesuffix(INFO)
        wish = self.kept.get("wish", f"{meter}\n{kind}\n{base}")
        if wish is None:
            return
        if kind == "tariff" and state in END:
            error = told.get("error")
            self._accord.ended(meter, wish["issuer"], identifier, f"{state}: {error.get('text') if isinstance(error, Mapping) else ''}")
        key = f"confirm\n{meter}\n{key_of(wish['issuer'], identifier)}"
        if identifier != base and state == State.DISPLAYED:
            deadline = wish["deadline"]
            ends = self.now() + float(deadline if isinstance(deadline, int | float) else self._timer(meter, "consumerDeadline"))
            within = self.now() + self._timer(meter, "confirmWithin")
            self._wait(key, max(wish["by"], ends) if wish["by"] else max(within, ends), wish)
        elif state in CONFIRMED:
            self._done(key)
        if state == State.EXECUTED and (entry := wish.get("entry")) is not None:
            self._scheduled(meter, wish["issuer"], entry)
        if state == State.EXECUTED and (swap := wish.get("swap")) is not None:
            self._membership.swapped(swap[0], swap[1], self.now())
        name = organisation(wish["issuer"])
        if state in END and wish["ack"] and name:
            self._wait(f"ack\n{name}\n{identifier}\n{meter}", self.now() + self._timer(meter, "ackWithin"), wish)

    def _acknowledged(self, name: str, told: Mapping[str, Any]) -> None:
        """Take that an organisation knows how a command has ended: at the ``meter`` that it names, at every meter without that."""
        ended, meter = f"ack\n{name}\n{told.get('cmdId')}\n", told.get("meter")
        for key in [ended + meter] if isinstance(meter, str) else [key for key in self._waiting if key.startswith(ended)]:
            self._done(key)

    def _enter(self, meter: str, kind: str, identifier: str, ri: str, facts: Mapping[str, Any]) -> None:
        """Enter into the ledger of commands what has become of one; the digest is that of the instance with the ri (records.digest_of)."""
        if self._ledger is not None:
            self._ledger.add(ri, {"ts": self.ts(), "meter": meter, "class": kind, "cmdId": identifier, "ri": ri, **facts}, self.now())

    def forget(self, before: float) -> None:
        """Forget the commands that were over long ago, and which entries there are of them."""
        self.kept.age("wish", before, "until")
        self.kept.age("move", before, "at")
        if self._ledger is not None:
            self._ledger.forget(before)

    def _scheduled(self, meter: str, issuer: str, entry: Mapping[str, Any]) -> None:
        """Wait for what a meter is to begin by its timetable, as for a command that comes then (use case 12)."""
        concerned = [issuer, *(entry.get("notify") or ()), *CONCERNED["device"]]
        wish = {"meter": meter, "kind": "device", "id": entry["entryId"], "issuer": issuer, "told": concerned, "ack": False, "by": None, "deadline": None}
        wish["until"] = seconds_of(entry["at"])
        self.kept.put("wish", f"{meter}\ndevice\n{entry['entryId']}", wish)
        at = seconds_of(entry["at"]) + self._timer(meter, "confirmWithin")
        self._wait(f"confirm\n{meter}\n{key_of(issuer, entry['entryId'])}", at, wish)

    def _reported(self, meter: str) -> None:
        self.kept.drop("open", meter)
        begun = [report for report in self.kept.get("reporting", meter, []) if (_time(report.get("start")) or 0.0) <= self.now()]
        periods = [float(report["period"]) for report in begun if "registers" in report["what"]]
        if periods:
            self._wait(f"report\n{meter}", self.now() + min(periods) + self._timer(meter, "reportGrace"), {"meter": meter})

    def refused(self, originator: str, operation: str, path: str) -> None:
        """Record an access that the CSE has refused in the events of the meter that it concerns, which is asked by the path of the resource."""
        with self.kept.turn():
            for meter in self._concerned(path):
                detail = f"{originator or 'nobody'} was refused {operation} on {path}"
                self._record(meter, "security", "accessRefused", detail, "warning")

    def _concerned(self, path: str) -> Iterable[str]:
        name = path.split("/")[1] if path.count("/") else ""
        if name.startswith(("mtr-", "nod-")):
            return (name[4:],)
        found = [meters for premise, meters in self._premises.items() if premise in name.split("-")]
        return (found[0] if name.startswith("grp-") else found[0][:1]) if found and not name.startswith("acp-") else ()

    # --- what is overdue -------------------------------------------------------------------------------------------------------------------------------------

    def tick(self, now: float) -> float | None:
        """Alert who has waited long enough."""
        while self._times and self._times[0][0] <= now:
            at, key = heappop(self._times)
            if (wish := self._waiting.get(key, {})).get("at") != at:
                continue
            self._done(key)
            match key.partition("\n")[0]:
                case "confirm":
                    detail = f"{wish['kind']} command {wish['id']} is neither accepted nor ended"
                    self._alert(wish["told"], "noConfirmation", wish["meter"], detail, wish["id"])
                case "ack":
                    self._unacknowledged(wish)
                case "report":
                    self._missing(wish["meter"], "the scheduled register reading has not come")
        moments = [self._accord.due(now), self._times[0][0] if self._times else None]
        return min((moment for moment in moments if moment is not None), default=None)

    def _unacknowledged(self, wish: Mapping[str, Any]) -> None:
        detail = f"{wish['issuer']} has not acknowledged the outcome of {wish['id']}"
        event = self._record(wish["meter"], "error", "notReceived", detail, "error", wish["id"])
        self._alert(wish["told"], "notReceived", wish["meter"], detail, wish["id"], event)

    def _missing(self, meter: str, detail: str) -> None:
        """Alert everybody who gets the reports of a meter, once until the next report comes."""
        if self.kept.get("open", meter) is None:
            self.kept.put("open", meter, True)
            recipients = dict.fromkeys(["Crdr-1", *(str(report["recipient"]) for report in self.kept.get("reporting", meter, []))])
            self._alert(recipients, "reportMissing", meter, detail)

    def _alert(self, told: Iterable[str], kind: str, meter: str, detail: str, command: str = "", event: str = "") -> None:
        for name in dict.fromkeys(organisation(aei) for aei in told):
            if name:
                alert = {"alertId": f"W-A{self.kept.number('alert')}", "type": kind, "ts": self.ts(), "meter": meter}
                alert |= {key: value for key, value in (("cmdId", command), ("evtId", event)) if value}
                self.outbox.put(f"{self.base}/{name}/alerts", {**alert, "detail": detail})

    def _record(self, meter: str, container: str, kind: str, detail: str, severity: str, command: str = "") -> str:
        identifier = f"W-E{self.kept.number('event')}"
        event = {"evtId": identifier, "type": kind, "ts": self.ts(), "severity": severity, **({"cmdId": command} if command else {}), "detail": detail}
        self.outbox.put(f"{self.base}/mtr-{meter}/events/{container}", event)
        return identifier

    def _patience(self, meter: str) -> float:
        """Give the seconds that a meter of a group has to agree: what it has to validate, and as much as an alert may take to come."""
        return self._timer(meter, "validateWithin") + self._timer(meter, "alertWithin")

    def _timer(self, meter: str, name: str) -> float:
        return float(self.kept.get("timers", meter, TIMERS).get(name) or TIMERS[name])

    def _wait(self, key: str, at: float, wish: Mapping[str, Any]) -> None:
        self._waiting[key] = {**wish, "at": at}
        heappush(self._times, (at, key))
        self.kept.put("waiting", key, self._waiting[key])

    def _done(self, key: str) -> None:
        if self._waiting.pop(key, None) is not None:
            self.kept.drop("waiting", key)


def _meter(answer: MemberAnswer) -> str:
    """Give the meter that has answered, by the address of the member."""
    return next(part.removeprefix("mtr-") for part in answer.member.split("/") if part.startswith("mtr-"))


def _time(value: Any) -> float | None:
    try:
        return seconds_of(value) if isinstance(value, str) else None
    except ValueError:
        return None
