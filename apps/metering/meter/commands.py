"""The life cycle of commands (section 5): written once for all classes. What a type means is in its handler.

A command waits in one step at a time: ``begin`` to be looked at, ``start`` for notBefore, ``screen`` to be shown, ``consumer`` for the consumer,
``handler`` for what its handler waits for, ``telling`` for its answer to be written. All that a call changes (state, effect, status record) is remembered in
one turn of the memory, so that a command is never executed twice, and never reported executed before it is, whatever restarts in between.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from typing import Any

from apps.metering import forms
from apps.metering.meter.body import Body
from apps.metering.meter.handler import Handler
from apps.metering.meter.records import Command, Failed, Later, Outcome, Rejected, digest_of, key_of, known, name_of
from apps.metering.vocabulary import CONCERNED, END, REMOVALS, TOLD, Consent, State, stamp
from cse.datatypes import seconds_of

Handlers = Mapping[tuple[str, str], Handler]
"""Handlers by class and type."""


class Commands:
    """The commands of one meter."""

    def __init__(self, body: Body, handlers: Handlers) -> None:
        self._body, self._handlers = body, handlers
        self._bannered = frozenset(kind for (kind, _), handler in handlers.items() if handler.banner)
        self._active = {key: Command(**value) for key, value in body.kept.all("active").items()}

    # --- what comes in ---------------------------------------------------------------------------------------------------------------------------------------

    def arrive(self, kind: str, content: Any, creator: str, instance: str) -> None:
        """Take a command of a class. creator: who has made the instance by what the CSE says, "" when it does not say. instance: its ri."""
        envelope = _decoded(content)
        named = name_of(envelope, instance)
        key, digest = key_of(creator, named), digest_of(kind, envelope)
        before = known(self._body.kept, key)
        given = dict(envelope) if isinstance(envelope, Mapping) else {}
        command = Command(key, named, kind, creator, given, digest, self._body.now(), step="begin", wake=self._body.now())
        if before is None:
            self._begin(self._keep(command), envelope)
        elif not digest.startswith(before) and self._body.kept.get("duplicate", f"{key}\n{digest}") is None:
            self._body.kept.put("duplicate", f"{key}\n{digest}", self._body.now())
            self._refuse(command, Rejected("requestDuplicate", f"cmdId: {named!r} is that of another command of {creator or 'its issuer'}"))

    def shown(self, items: list[str]) -> None:
        """Hear which items are on the screen."""
        for command in [found for found in self._active.values() if found.step == "screen" and found.item in items]:
            self._displayed(command)

    def acted(self, item: str, action: str, ts: str) -> None:
        """Hear what the consumer did with an item."""
        command = next((found for found in self._active.values() if found.item == item), None)
        if command is None or (action in REMOVALS and command.params.get("removable") is False):
            return
        if command.step == "screen":
            command = self._displayed(command)
        viewed = command.viewed or ("" if self._handler(command).stays and action != "view" else ts)
        command = self._keep(replace(command, viewed=viewed, answer=command.answer if action == "view" else action))
        handler = self._handler(command)
        if command.step == "handler" and action == "override" and handler.override:
            self._overridden(command)
        elif command.step == "consumer":
            self._answered(command, handler, action)

    def occasion(self, name: str) -> bool:
        """Let go on what waits for an occasion; whether anything did. What the consumer did elsewhere (``consumer:credit``) may answer a notice."""
        waiting = [found for found in self._active.values() if name in found.waits]
        for command in waiting:
            if command.step != "telling":
                self._resume(command, name)
            elif name.startswith("delivered:"):
                self._forget(command)
            else:
                self._body.outbox.withdraw(f"final:{command.key}")
                self._fail(command, self._handler(command).unsent, f"{command.type}: the answer could not be sent")
        for command in [found for found in self._active.values() if found.info and found.step == "consumer" and found.viewed]:
            if name in self._handler(command).acts:
                self._status(command, State.EXECUTED, result=_seen(command, name.partition(":")[2]))
        return bool(waiting)

    def banner(self, identifier: str) -> bool:
        """Tell whether failures of a command are shown to the consumer."""
        kind = self._body.kept.get("kind", identifier)
        return kind is not None and kind["kind"] in self._bannered

    def listen(self) -> None:
        """Look now at the commands that nothing was done with while the meter was silent."""
        for command in [found for found in self._active.values() if found.step == "begin"]:
            self._keep(replace(command, wake=self._body.now()))

    def due(self, now: float) -> float | None:
        """Do what is due, and give the time when this is to be called again."""
        for command in [found for found in self._active.values() if found.wake is not None and found.wake <= now]:
            if command.key in self._active:
                self._wake(self._active[command.key])
        return min((found.wake for found in self._active.values() if found.wake is not None), default=None)

    # --- steps -----------------------------------------------------------------------------------------------------------------------------------------------

    def _wake(self, command: Command) -> None:
        match command.step:
            case "begin":
                self._begin(command, command.envelope)
            case "start":
                self._start(command)
            case "screen":
                self._fail(command, "displayFailed", f"{command.id} could not be shown within {self._body.settings.timer('displayWithin'):g} seconds")
            case "consumer":
                self._lapse(command)
            case "handler":
                self._resume(command, "time")

    def _begin(self, command: Command, envelope: Any) -> None:
        body, now = self._body, self._body.now()
        until = _time(command.envelope.get("validUntil"))
        if body.faults.use("silence"):
            self._keep(replace(command, wake=body.faults.ends() or until))
            return
        if until is not None and command.arrived < until <= now:
            self._expire(command, "requestStale", f"validUntil: {command.envelope['validUntil']} has passed before the meter looked at the command")
            return
        try:
            self._validate(command, envelope)
        except Rejected as wrong:
            self._refuse(command, wrong)
            return
        start = _time(command.envelope.get("notBefore"))
        body.kept.put("kind", command.id, {"kind": command.kind, "at": now})
        command = self._keep(replace(self._status(command, State.VALIDATED), step="start", wake=start))
        if start is None or start <= now:
            self._start(command)

    def _validate(self, command: Command, envelope: Any) -> None:
        """Check form, issuer, time, type and range, in that order. Raises Rejected."""
        if said := forms.wrong(command.kind, envelope):
            raise Rejected("requestInvalid", said)
        if command.envelope["issuer"] != command.issuer:
            raise Rejected("requestUnauthorised", f"issuer: {command.envelope['issuer']} is not {command.issuer or 'known as'} who created the command")
        if seconds_of(command.envelope["validUntil"]) <= self._body.now():
            raise Rejected("requestStale", f"validUntil: {command.envelope['validUntil']} has passed")
        handler = self._handlers.get((command.kind, command.type))
        if handler is None:
            raise Rejected("requestUnsupported", f"type: this meter does not support {command.kind}/{command.type}")
        if command.envelope["consent"] not in handler.consents:
            raise Rejected("requestInvalid", f"consent: {command.type} allows {', '.join(sorted(handler.consents))}, not {command.envelope['consent']}")
        if command.envelope.get("notBefore", "") >= command.envelope["validUntil"]:
            raise Rejected("requestInvalid", f"notBefore: {command.envelope['notBefore']} is not before validUntil")
        handler.check(self._body, command)

    def _start(self, command: Command) -> None:
        handler = self._handler(command)
        try:
            handler.begin(self._body, command)
        except Failed as failed:
            self._fail(command, failed.code, failed.text)
            return
        if handler.first or command.envelope["consent"] == Consent.NONE:
            self._run(command, self._attempt)
        else:
            self._show(command)

    def _attempt(self, body: Body, command: Command) -> Outcome:
        handler = self._handler(command)
        if not handler.unsent and not handler.stuck and body.faults.use("apply"):
            raise Failed(handler.failure, f"{command.type} was attempted and did not succeed")
        return handler.apply(body, command)

    def _resume(self, command: Command, occasion: str) -> None:
        handler = self._handler(command)
        self._run(command, lambda body, it: handler.resume(body, it, occasion))

    def _run(self, command: Command, step: Callable[[Body, Command], Outcome]) -> None:
        """Let the handler act, and do what it says."""
        try:
            outcome = step(self._body, command)
        except Failed as failed:
            self._fail(command, failed.code, failed.text)
            return
        self._settle(command, outcome)

    def _settle(self, command: Command, outcome: Outcome) -> None:
        if isinstance(outcome, Later):
            if outcome.state is not None and outcome.state != command.state:
                command = self._status(command, outcome.state)
            kept = {**command.kept, **outcome.kept}
            self._keep(replace(command, step="handler", wake=outcome.at, waits=outcome.on, kept=kept))
            return
        handler = self._handler(command)
        command = replace(command, applied=self._body.ts())
        if handler.unsent:
            command = replace(command, step="telling", wake=None, waits=(f"delivered:final:{command.key}", f"held:final:{command.key}"))
            self._keep(command)
        read = _seen(command, command.answer or "view") if (command.viewed or command.answer) and handler.informs(command) and not handler.first else {}
        command = self._status(command, State.EXECUTED, result={**outcome.result, **read})
        if handler.first and command.envelope["consent"] != Consent.NONE:
            notice = replace(command, key=f"{command.key}#info", id=f"{command.id}#info", state=State.SENT, info=True, muted=False, waits=())
            self._show(self._keep(replace(notice, envelope=self._prolonged(command.envelope))))

    def _prolonged(self, envelope: Mapping[str, Any]) -> Mapping[str, Any]:
        """Give the consumer time to read of an effect that came after the validUntil of its command."""
        if seconds_of(envelope["validUntil"]) > self._body.now():
            return envelope
        wanted = envelope.get("consumerDeadline", self._body.settings.timer("consumerDeadline"))
        return {**envelope, "validUntil": stamp(self._body.now() + self._body.settings.timer("displayWithin") + float(wanted))}

    # --- the consumer ----------------------------------------------------------------------------------------------------------------------------------------

    def _show(self, command: Command) -> None:
        handler = self._handler(command)
        required = command.envelope["consent"] == Consent.REQUIRED and not handler.informs(command)
        answers = (("accept", "decline", "override") if handler.override else ("accept", "decline")) if required else ()
        item = self._body.notices.show(command, handler.item, answers, handler.details(command))
        self._keep(replace(command, step="screen", item=item, wake=self._body.now() + self._body.settings.timer("displayWithin"), waits=()))

    def _displayed(self, command: Command) -> Command:
        replaced = self._active.get(key_of(command.issuer, str(command.params.get("replaces", ""))))
        if replaced is not None and replaced.kind == command.kind and replaced.step in ("screen", "consumer"):
            self._status(replaced, State.EXECUTED, result={"disposition": "replaced", "replacedBy": command.id})
        wanted = command.envelope.get("consumerDeadline", self._body.settings.timer("consumerDeadline"))
        due = min(self._body.now() + float(wanted), seconds_of(command.envelope["validUntil"]))
        return self._keep(replace(self._status(command, State.DISPLAYED), step="consumer", due=due, wake=due))

    def _answered(self, command: Command, handler: Handler, action: str) -> None:
        """Go on with what the consumer did: with a notice, with what was to be read, with what was to be approved."""
        if command.info:
            if action in handler.ends or (action == "view" and not handler.ends):
                self._status(command, State.EXECUTED, result=_seen(command, action))
                if not command.viewed:
                    self._tell(command, "notRead", f"the consumer did {action} what {command.id} tells without viewing it")
        elif handler.informs(command):
            self._run(command, self._attempt)
        elif action == "accept":
            self._run(self._status(command, State.ACCEPTED), self._attempt)
        elif action == "decline":
            self._status(command, State.DECLINED)
            if handler.refused:
                self._tell(command, handler.refused, f"the consumer has declined {command.id}")
        elif action == "override" and handler.override:
            self._status(command, State.OVERRIDDEN)

    def _overridden(self, command: Command) -> None:
        """End what was accepted and is now overridden: the handler takes its effect back."""
        try:
            self._handler(command).resume(self._body, command, "override")
        except Failed as failed:
            self._fail(command, failed.code, failed.text)
            return
        self._status(command, State.OVERRIDDEN)

    def _lapse(self, command: Command) -> None:
        """End what the consumer has not answered in time, or go on where silence is consent."""
        handler = self._handler(command)
        if handler.silence is not None and not command.info and (outcome := handler.silence(self._body, command)) is not None:
            self._settle(command, outcome)
            return
        kind = handler.unread or ("notActed" if command.viewed else "notRead")
        said = "read, but not answered" if command.viewed else "not read"
        if not handler.stays:
            self._body.notices.withdraw(command.item, handler.item)
        self._expire(command, kind, f"the consumer has {said} {command.id} in time")

    # --- ends ------------------------------------------------------------------------------------------------------------------------------------------------

    def _refuse(self, command: Command, wrong: Rejected) -> None:
        handler = self._handlers.get((command.kind, command.type))
        event = wrong.event if wrong.event != wrong.code or wrong.code != "requestInvalid" else (handler.rejection if handler else "") or wrong.event
        self._status(command, State.REJECTED, error=(wrong.code, wrong.text), other=wrong.code == "requestDuplicate")
        self._tell(command, event, wrong.text)
        if wrong.code == "requestUnauthorised":
            self._body.events.record("accessRefused", wrong.text, severity="warning", command=command.id)

    def _fail(self, command: Command, code: str, text: str) -> None:
        if command.item and command.step == "screen":
            self._body.notices.withdraw(command.item, self._handler(command).item)
        self._status(replace(command, step="", wake=None, waits=()), State.FAILED, error=(code, text))
        self._tell(command, code, text)

    def _expire(self, command: Command, code: str, text: str) -> None:
        self._status(command, State.EXPIRED, error=(code, text))
        self._tell(command, code, text)

    def _tell(self, command: Command, kind: str, text: str) -> None:
        """Record an error, alert whoever is concerned, and show it where the type says so."""
        told = (*command.concerned, *CONCERNED.get(command.kind, ()))
        self._body.events.record(kind, text, command=command.id, told=told, severity="warning" if kind in ("notRead", "notActed", "notAccepted") else "error")
        if command.kind in self._bannered:
            self._body.notices.banner(kind, text)

    def _status(
        self, command: Command, state: State, *, error: tuple[str, str] | None = None, result: Mapping[str, Any] | None = None, other: bool = False
    ) -> Command:
        """Write a status and remember it; other: it is about another command with the identifier of one that is known, which stays as it is."""
        body = self._body
        muting = state in TOLD and not command.muted and body.faults.use("confirm")
        command = replace(command, state=state, muted=command.muted or muting)
        if not (command.muted and state in TOLD):
            record: dict[str, Any] = {"cmdId": command.id, "state": state, "ts": body.ts(), "by": f"C{body.identity.ae}"}
            record |= {} if error is None else {"error": {"code": error[0], "text": error[1]}}
            record |= {"result": dict(result)} if result else {}
            body.outbox.put(body.place(f"cmd/{command.kind}/out"), record, tag=f"{'final' if state in END else 'status'}:{command.key}")
            body.faults.happened(state)
        if not other:
            ended = state in END and (command.step != "telling" or state != State.EXECUTED or command.muted)
            self._forget(command) if ended else self._keep(command)
        if muting:
            self._tell(command, "confirmationNotSent", f"{state} of {command.id} could not be confirmed")
        return command

    # --- memory ----------------------------------------------------------------------------------------------------------------------------------------------

    def _handler(self, command: Command) -> Handler:
        return self._handlers[command.kind, command.type]

    def _keep(self, command: Command) -> Command:
        self._active[command.key] = command
        self._body.kept.put("active", command.key, asdict(command))
        self._remember(command)
        return command

    def _forget(self, command: Command) -> None:
        self._active.pop(command.key, None)
        self._body.kept.drop("active", command.key)
        self._remember(command)

    def _remember(self, command: Command) -> None:
        until = max(self._body.now(), _time(command.envelope.get("validUntil")) or 0.0)
        self._body.kept.put("command", command.key, {"digest": command.digest, "state": command.state, "until": until})


def _decoded(content: Any) -> Any:
    if not isinstance(content, str):
        return content
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return content


def _time(value: Any) -> float | None:
    """Give the seconds of a time in an envelope that is not checked yet, None when it is none."""
    try:
        return seconds_of(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _seen(command: Command, disposition: str) -> dict[str, Any]:
    """Give what the end of a notice tells: when the effect came, when it was read, and what was done with it."""
    return {"appliedAt": command.applied, **({"viewedAt": command.viewed} if command.viewed else {}), "disposition": disposition}
