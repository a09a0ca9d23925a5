"""Interaction with devices at the premise, at once or on a timetable (use case 12)."""

from collections.abc import Mapping
from typing import Any

from apps.metering.meter import appliances
from apps.metering.meter.body import Body
from apps.metering.meter.handler import NONE, REQUIRED, Handler
from apps.metering.meter.records import Command, Done, Failed, Later, Outcome, Rejected, key_of, known
from apps.metering.vocabulary import Consent, spoken, stamp
from cse.datatypes import seconds_of

LATE = 60.0
"""Seconds that ``start`` may have passed when the command comes; it is meant to be at once then."""


# --- what is valid -------------------------------------------------------------------------------------------------------------------------------------------


def _check(meter: Body, command: Command) -> None:
    if command.envelope["consent"] == Consent.NONE and (not _entry(meter, command) or approved(meter)):
        raise Rejected("requestInvalid", "consent: interact needs the consumer's approval, so it is required")
    _step(meter, command)
    if "start" in command.params and seconds_of(command.params["start"]) < meter.now() - LATE:
        raise Rejected("requestInvalid", f"params.start: {command.params['start']} has passed")


def _step(meter: Body, command: Command) -> appliances.Step:
    return appliances.step(meter, command.params["target"], command.params["action"], command.params.get("value"))


def approved(meter: Body) -> bool:
    """Tell whether interactions on the timetable need the consumer's approval: they do unless the setting ``timedApproval`` is false."""
    return meter.settings.parameters.get("timedApproval") is not False


def _entry(meter: Body, command: Command) -> Mapping[str, Any] | None:
    """Give the entry of the timetable that has made a command, None when an organisation did."""
    found: Mapping[str, Any] | None = meter.kept.get("fired", command.key)
    return found


# --- what is done --------------------------------------------------------------------------------------------------------------------------------------------


def _begin(meter: Body, command: Command) -> None:
    """See that what was to be at a certain time is begun then; nothing is shown of what is not."""
    entry = _entry(meter, command)
    if entry is not None and meter.now() > seconds_of(entry["at"]) + meter.settings.timer("confirmWithin"):
        raise Failed("interactionNotStarted", f"{command.params['target']} was to {command.params['action']} at {entry['at']}, when the meter was off")
    if (entry is not None or "notBefore" in command.envelope) and meter.faults.use("interact"):
        raise _not_started(command)


def _not_started(command: Command) -> Failed:
    return Failed("interactionNotStarted", f"{command.params['target']} was to {command.params['action']}, and this was not started")


def _interact(meter: Body, command: Command) -> Outcome:
    start = seconds_of(command.params["start"]) if "start" in command.params else 0.0
    return Later(at=start) if start > meter.now() else _drive(meter, command)


def _resume(meter: Body, command: Command, occasion: str) -> Outcome:
    """Begin when it is time; end when the device has acknowledged, or when it should have."""
    target = command.params["target"]
    if "driven" in command.kept:
        if occasion == "time":
            # what was not sent until now is not to happen later
            meter.outbox.withdraw(f"device:{command.key}")
            raise Failed("applyFailed", f"{target} has not acknowledged {command.params['action']} in time")
        return Done({"target": target})
    late = meter.now() > seconds_of(command.params["start"]) + meter.settings.timer("confirmWithin")
    if late or meter.faults.use("interact"):
        raise _not_started(command)
    return _drive(meter, command)


def _drive(meter: Body, command: Command) -> Outcome:
    done = appliances.order(meter, command.params["target"], _step(meter, command), f"device:{command.key}")
    return Later(at=meter.now() + meter.settings.timer("ackWithin"), on=done, kept={"driven": True})


def _details(command: Command) -> Mapping[str, Any]:
    params = command.params
    found = {"device": params["target"], **{name: params[name] for name in ("action", "value", "start") if name in params}}
    if "message" in command.envelope:
        return found
    value = f" {params['value']}" if "value" in params else ""
    return {**found, "text": f"{params['target']}: {params['action']}{value}" + (f" at {spoken(params['start'])} UTC" if "start" in params else "")}


# --- the timetable -------------------------------------------------------------------------------------------------------------------------------------------


def check_schedule(meter: Body, command: Command) -> None:
    """Check an entry of the timetable: its identifier is that of a command to come. Raises Rejected."""
    params = command.params
    _step(meter, command)
    if seconds_of(params["at"]) <= meter.now():
        raise Rejected("requestInvalid", f"params.at: {params['at']} has passed")
    if "#" in params["entryId"]:
        raise Rejected("requestInvalid", f"params.entryId: {params['entryId']!r} has a #, which is for the second life cycle")
    if known(meter.kept, key_of(command.issuer, params["entryId"])) is not None:
        raise Rejected("requestDuplicate", f"params.entryId: {params['entryId']!r} is that of a command of {command.issuer} already")


def set_schedule(meter: Body, command: Command) -> Outcome:
    """Enter what is to be done at a time, in the place of an entry of that name."""
    entry = {**command.params, "notify": list(command.params.get("notify", ())), "cmdId": command.id}
    meter.outbox.put(meter.place("config/schedule"), {"ts": meter.ts(), **entry})
    job = f"schedule:{key_of(command.issuer, entry['entryId'])}"
    meter.jobs.set(job, seconds_of(entry["at"]), {"issuer": command.issuer, "issuedAt": command.envelope["issuedAt"], "entry": entry})
    return Done({"entryId": entry["entryId"]})


def _fire(meter: Body, job: Mapping[str, Any]) -> None:
    """Make the command that an entry of the timetable means; its life is that of any other, in ``cmd/device``."""
    entry, issuer = job["entry"], job["issuer"]
    life = sum(meter.settings.timer(name) for name in ("displayWithin", "consumerDeadline", "confirmWithin"))
    envelope = {
        "cmdId": entry["entryId"],
        "type": "interact",
        "issuer": issuer,
        "issuedAt": job["issuedAt"],
        "validUntil": stamp(job["now"] + life),
        "consent": str(Consent.REQUIRED if approved(meter) else Consent.NONE),
        "notify": entry["notify"],
        "params": {name: entry[name] for name in ("target", "action", "value") if name in entry},
    }
    meter.kept.put("fired", key_of(issuer, entry["entryId"]), {**entry, "fired": job["now"]})
    meter.issue("device", envelope, issuer, entry["entryId"])


HANDLERS = {"interact": Handler(_interact, check=_check, resume=_resume, consents=REQUIRED | NONE, item="deviceInteraction", details=_details, begin=_begin)}

JOBS = {"schedule": _fire}
