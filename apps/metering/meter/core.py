"""A meter without its sockets: what arrives goes in, what time it is goes in, what it writes waits in its outbox."""

from collections.abc import Mapping
from typing import Any

from apps.client import Notification
from apps.metering import tree
from apps.metering.device import Setup
from apps.metering.meter import account, appliances, equipment, forget, handlers, management, quality
from apps.metering.meter.body import Body
from apps.metering.meter.commands import Commands
from apps.metering.meter.errands import Errands
from apps.metering.meter.handlers import maint
from apps.metering.meter.readings import NoReading
from apps.metering.meter.records import key_of
from apps.metering.vocabulary import State
from cse.errors import TargetNotReachable


class Meter:
    """One meter (apps.metering.device.Core). ``start`` is called once it is powered and its tree is there; ``receive`` and ``due`` as things happen."""

    def __init__(self, body: Body) -> None:
        self.body = body
        self.name = body.identity.ae
        self.outbox = body.outbox
        self.commands = Commands(body, handlers.ALL)
        self.errands = Errands(body)
        body.occasion = self._occasion
        body.issue = self.commands.arrive
        self._jobs = {**handlers.JOBS, "point": self._point, "report": self._report, forget.JOB: forget.forget}

    async def set_up(self, setup: Setup) -> None:
        """Register, and ensure tree and subscriptions."""
        await tree.grow(setup.client, equipment.plate(self.body), [setup.url])
        await tree.listen(setup.client, self.body.identity, setup.url)
        values = await appliances.listen(setup.client, self.body.identity, setup.url)
        with self.body.kept.turn():
            appliances.remember(self.body, values)

    async def work(self, setup: Setup) -> None:
        """Do what takes time."""
        await self.errands.run(setup.client)

    def start(self) -> None:
        """Begin to measure: facts of the start go out, timetables begin anew."""
        body = self.body
        if body.kept.get("meter", "retired"):
            return
        with body.kept.turn():
            now = body.now()
            body.plant.advance(now)
            first = not body.kept.get("meter", "installed", False)
            self._startup(first)
            if first:
                body.kept.put("meter", "installed", True)
                handlers.install(body)
                body.events.record("installed", f"{body.identity.kind} meter {body.identity.name} is installed", severity="info")
            body.jobs.set("point", body.readings.next(now))
            body.jobs.set("report", body.readings.next_report(now))
            forget.begin(body)
            body.plant.keep()
            body.tell()

    def _startup(self, first: bool) -> None:
        body, identity = self.body, equipment.plate(self.body)
        plate = {"serial": identity.name, "model": identity.model, "hardware": identity.hardware, "firmware": identity.firmware}
        plate |= {"software": identity.software}
        body.events.record("startup", f"{identity.kind} meter {identity.name} has started", severity="info", extra={**plate, "first": first})
        self._read("startup")
        handlers.start(body, first)

    def receive(self, rest: str, notification: Notification) -> None:
        """Take what the CSE tells: a command (``cmd/<class>``), the consumer's ``actions``, the ``screen``, what a device or the head-end did."""
        body, about = self.body, notification.resource
        if about is None:
            return
        if body.kept.get("meter", "retired"):
            raise TargetNotReachable(f"{self.name} was taken out")
        with body.kept.turn():
            if rest.startswith("cmd/"):
                creator = str(about.get("cr") or notification.by)
                self.commands.arrive(rest.removeprefix("cmd/"), about.get("con"), creator.rpartition("/")[2], about.ri)
            elif rest.startswith("node/"):
                self._managed(rest.removeprefix("node/"), about.attributes)
            elif rest.startswith(("device/", "setpoint")):
                appliances.heard(body, rest, _content(about), notification.by)
            else:
                self._heard(rest, _content(about))
            body.tell()

    def _heard(self, rest: str, content: Mapping[str, Any]) -> None:
        match rest:
            case "actions":
                if isinstance(content.get("msgId"), str) and isinstance(content.get("action"), str):
                    self.commands.acted(content["msgId"], content["action"], str(content.get("ts") or self.body.ts()))
            case "screen":
                items = content.get("items")
                self.commands.shown([str(item.get("msgId")) for item in items if isinstance(item, Mapping)] if isinstance(items, list) else [])
            case "accord":
                self._decided(content)
            case _ if rest.startswith("events/"):
                self._noticed(content)

    def _managed(self, name: str, attributes: Mapping[str, Any]) -> None:
        """Do what a trigger of a management object asks for."""
        match name:
            case "eventLog":
                management.log(self.body, attributes)
            case "supplySwitch":
                management.switch(self.body, attributes)
            case "reboot":
                self._reboot("far" if attributes.get("far") is True else "rbo" if attributes.get("rbo") is True else "")
            case _:
                maint.asked(self.body, name, attributes)

    def _reboot(self, trigger: str) -> None:
        """Start anew, after a factory reset with the settings that the meter came with."""
        if trigger == "far":
            management.reset(self.body)
        if trigger:
            self.body.outbox.update(self.body.node("reboot"), "m2m:rbo", {trigger: False})
            self.start()

    def _delivered(self, name: str) -> None:
        """Carry out a package that was fetched for a management object, as a command of the asset organisation would be; say so when it is not to be had."""
        envelope = maint.ordered(self.body, name)
        if envelope is not None:
            self.commands.arrive("maint", envelope, "Casset", envelope["cmdId"])
        if envelope is None or self.body.kept.get("command", key_of("Casset", envelope["cmdId"]))["state"] != State.EXECUTED:
            equipment.refuse(self.body, equipment.PARTS[f"{name}Update"])

    def _decided(self, told: Mapping[str, Any]) -> None:
        """Let go on what the members of a group have agreed on, or what one of them has refused (apps.metering.accord)."""
        members = told.get("members")
        if isinstance(members, list) and self.body.identity.name in members:
            key = key_of(str(told.get("issuer")), str(told.get("cmdId")))
            self.body.kept.put("accord", key, {"detail": str(told.get("detail", "")), "at": self.body.now()})
            self.body.happened(f"{'agreed' if told.get('decision') == 'commit' else 'refused'}:{key}")

    def _noticed(self, event: Mapping[str, Any]) -> None:
        """Remember an event that the head-end has recorded about this meter: a refused access, an answer that nobody has acknowledged."""
        if self.body.events.adopt(event) and self.commands.banner(str(event.get("cmdId", ""))):
            self.body.notices.banner(str(event.get("type")), str(event.get("detail", "")))

    def due(self, now: float) -> float | None:
        """Do what is due, and give the time when this is to be called again."""
        body = self.body
        if body.faults.active("silence"):
            return body.faults.ends()
        if body.kept.get("meter", "retired"):
            body.outbox.wake()
            return body.faults.ends()
        with body.kept.turn():
            for name, value in body.jobs.take(now):
                self._jobs[name.partition(":")[0]](body, {"name": name, "now": now, **value})
            following = self.commands.due(now)
            body.tell()
        moments = [moment for moment in (following, body.jobs.following(), body.faults.ends()) if moment is not None]
        return min(moments, default=None)

    # --- readings --------------------------------------------------------------------------------------------------------------------------------------------

    def _point(self, body: Body, job: Mapping[str, Any]) -> None:
        moment = float(job.get("moment", job["now"]))
        grid = body.readings.next(moment - body.identity.interval)
        body.readings.point(grid)
        account.debit(body)
        quality.judge(body)
        body.jobs.set("point", body.readings.next(grid))

    def _report(self, body: Body, job: Mapping[str, Any]) -> None:
        self._read("scheduled")
        body.jobs.set("report", body.readings.next_report(float(job["now"])))

    def _read(self, reason: str) -> None:
        """Take a reading that nobody has asked for; who gets the reports learns when it cannot be had."""
        try:
            self.body.readings.take(reason)
        except NoReading as failed:
            self.body.events.record(failed.code, failed.text, told=self.body.settings.recipients)

    def _occasion(self, name: str) -> None:
        """Let go on who waits for an occasion; a reading that nobody waits for and that could not go out is an error."""
        if name.startswith("fetched:node:"):
            self._delivered(name.removeprefix("fetched:node:"))
            return
        found, _, tag = name.partition(":")
        if not self.commands.occasion(name) and found in ("held", "late") and tag.startswith("reading:"):
            identifier = tag.removeprefix("reading:")
            self.body.events.record("readingNotSent", f"reading {identifier} could not be sent when it was due", told=self.body.settings.recipients)


def _content(resource: Any) -> Mapping[str, Any]:
    try:
        content = resource.content
    except ValueError:
        return {}
    return content if isinstance(content, Mapping) else {}
