"""Updates, diagnostics, integrity, visits and exchanges (use case 2, install and maintain)."""

import base64
import json
from collections.abc import Mapping
from typing import Any

from apps.metering.keys import public_key
from apps.metering.meter import equipment
from apps.metering.meter.body import Body
from apps.metering.meter.handler import INFORMED, Handler
from apps.metering.meter.readings import NoReading
from apps.metering.meter.records import Command, Done, Failed, Later, Outcome, Rejected
from apps.metering.meter.secure import SecureEnvironment
from apps.metering.packages import PackageRefused, carried, check
from apps.metering.vocabulary import State, spoken, stamp
from cse.datatypes import seconds_of

SCHEMES = ("http://", "https://", "coap://")
"""Where a package may lie beside in its URL itself and at an address of the meter's CSE."""

# --- updates --------------------------------------------------------------------------------------------------------------------------------------------------


def _check_update(meter: Body, command: Command) -> None:
    """Check a package that comes with its command at once, and the place of another."""
    url = str(command.params["url"])
    if not meter.identity.issuer:
        raise Rejected("requestUnsupported", f"type: {meter.identity.name} has no key of an issuer of packages")
    try:
        content = carried(url)
    except PackageRefused as wrong:
        raise Rejected("requestInvalid", f"params.{wrong}") from wrong
    if content is not None:
        try:
            _verify(meter, command, content)
        except PackageRefused as wrong:
            raise Rejected("requestInvalid", f"params.{wrong}") from wrong
    elif not url.startswith((*SCHEMES, f"{meter.base}/")):
        raise Rejected("requestInvalid", f"params.url: {url[:80]!r} is none of data:, {', '.join(SCHEMES)} and {meter.base}/")


def _verify(meter: Body, command: Command, content: bytes) -> None:
    """Check hash and signature. Raises PackageRefused, and leaves integrityFailed, when the package is not what its issuer has signed."""
    try:
        check(command.type, command.params, content, [public_key(meter.identity.issuer)])
    except PackageRefused as wrong:
        if wrong.code in ("hash", "signature"):
            meter.events.record("integrityFailed", str(wrong), severity="critical", command=command.id)
        raise


def _update(meter: Body, command: Command) -> Outcome:
    content = carried(str(command.params["url"]))
    if content is None:
        meter.kept.put("fetch", command.key, command.params["url"])
        meter.errand()
        return Later(at=seconds_of(command.envelope["validUntil"]), on=(f"fetched:{command.key}",))
    return _ready(meter, command, content)


def _go_on(meter: Body, command: Command, occasion: str) -> Outcome:
    """Go on when the package is there, and when it is to be installed."""
    fetched = meter.kept.get("fetched", command.key)
    if occasion == "time" and "ready" in command.kept:
        content = carried(str(command.params["url"])) if fetched is None else base64.b64decode(fetched["content"])
        assert content is not None
        return _installed(meter, command, content)
    meter.kept.drop("fetch", command.key)
    if fetched is None:
        raise Failed("applyFailed", f"params.url: {command.params['url']} could not be fetched until {command.envelope['validUntil']}")
    try:
        if fetched["content"] is None:
            raise Failed("applyFailed", f"params.url: {command.params['url']} could not be fetched: {fetched['why']}")
        content = base64.b64decode(fetched["content"])
        _verify(meter, command, content)
    except PackageRefused as wrong:
        meter.kept.drop("fetched", command.key)
        raise Failed("applyFailed", f"params.{wrong}") from wrong
    except Failed:
        meter.kept.drop("fetched", command.key)
        raise
    return _ready(meter, command, content)


def _ready(meter: Body, command: Command, content: bytes) -> Outcome:
    """Install a package that is checked, now or at its time; one that waits is accepted."""
    at = seconds_of(command.params["installAt"]) if "installAt" in command.params else 0.0
    if at > meter.now():
        return Later(at=at, state=State.ACCEPTED, kept={"ready": True})
    return _installed(meter, command, content)


def _installed(meter: Body, command: Command, content: bytes) -> Outcome:
    part = equipment.PARTS[command.type]
    before = equipment.installed(meter, part)["version"]
    meter.kept.drop("fetched", command.key)
    equipment.install(meter, part, command.params, content)
    # the diagnostic comes after the status: first it is said that the update is there, then whether it has cured (steps 5 and 6)
    meter.jobs.set(f"diagnostic:{part.name}", meter.now(), {"type": command.type, "command": command.id, "told": list(command.concerned)})
    return Done({"version": command.params["version"], "previous": before})


def _after_update(meter: Body, job: Mapping[str, Any]) -> None:
    """Repeat the diagnostic once something was exchanged; when it fails after an update, the version before comes back."""
    part = equipment.PARTS.get(job.get("type", ""))
    what = f"after {part.name} {equipment.installed(meter, part)['version']}" if part else "after the exchange"
    passed, _ = equipment.diagnose(meter, what, command=job["command"], told=("Casset", *job["told"]))
    if part is None:
        return
    if passed:
        equipment.trust(meter, part)
        equipment.attest(meter, "auto")
    else:
        value = {name: job[name] for name in ("type", "command", "told")}
        meter.jobs.set(f"rollback:{part.name}", job["now"] + equipment.ROLL_BACK, value)


def _roll_back(meter: Body, job: Mapping[str, Any]) -> None:
    equipment.roll_back(meter, equipment.PARTS[job["type"]], job["command"], ("Casset", *job["told"]))
    equipment.attest(meter, "auto")


def asked(meter: Body, name: str, attributes: Mapping[str, Any]) -> None:
    """Take an update that the asset organisation starts at a management object: the URL of that is where a package lies, ``{"type", "params"}``."""
    part = next(part for part in equipment.PARTS.values() if part.name == name)
    if attributes.get(part.trigger) is True:
        meter.kept.put("fetch", f"node:{name}", str(attributes.get("url", "")))
        meter.errand()


def ordered(meter: Body, name: str) -> Mapping[str, Any] | None:
    """Give the command that a package which was fetched for a management object stands for, None when it is none."""
    kind, fetched = f"{name}Update", meter.kept.get("fetched", f"node:{name}")
    meter.kept.drop("fetched", f"node:{name}")
    try:
        package = json.loads(base64.b64decode(fetched["content"] or ""))
        params = {key: value for key, value in package["params"].items() if key != "installAt"}
        if package["type"] != kind:
            return None
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None
    known = {"cmdId": f"{name}-{meter.identity.name}-{meter.kept.number('node')}", "type": kind, "issuer": "Casset", "issuedAt": stamp(meter.now())}
    return {**known, "validUntil": stamp(meter.now() + 60), "consent": "none", "params": params}


# --- diagnostic and integrity ---------------------------------------------------------------------------------------------------------------------------------


def _run_diagnostic(meter: Body, command: Command) -> Outcome:
    what = f"of {command.params['kind']}" if "kind" in command.params else "of the meter"
    passed, event = equipment.diagnose(meter, what, command=command.id, told=("Casset", *command.concerned))
    return Done({"diagnostic": "pass" if passed else "fail", "evtId": event})


def _check_nonce(meter: Body, command: Command) -> None:
    nonce = command.params.get("nonce", "")
    if nonce and SecureEnvironment(meter.kept).used(nonce):
        raise Rejected("requestInvalid", f"params.nonce: {nonce!r} was used before")


def _validate_integrity(meter: Body, command: Command) -> Outcome:
    proof = equipment.attest(meter, "query", command.params.get("nonce", ""))
    return Done({"attest": proof["result"], "nonce": proof["nonce"]})


# --- visits ---------------------------------------------------------------------------------------------------------------------------------------------------


def _check_appointment(meter: Body, command: Command) -> None:
    params, replaced = command.params, command.params.get("replaces")
    if seconds_of(params["end"]) <= seconds_of(params["start"]):
        raise Rejected("requestInvalid", f"params.end: {params['end']} is not after params.start {params['start']}")
    if seconds_of(params["end"]) <= meter.now():
        raise Rejected("requestInvalid", f"params.end: {params['end']} has passed")
    if replaced is not None and meter.kept.get("appointment", f"{command.issuer}\n{replaced}") is None:
        raise Rejected("requestInvalid", f"params.replaces: {replaced!r} is no appointment of {command.issuer} that this meter knows")
    meter.kept.put("appointment", f"{command.issuer}\n{command.id}", {"at": seconds_of(params["end"])})


def _appointment(command: Command) -> Mapping[str, Any]:
    shown = {name: command.params[name] for name in ("start", "end", "replaces") if name in command.params}
    return shown if "message" in command.envelope else {**shown, "text": f"A visit is planned between {spoken(shown['start'])} and {spoken(shown['end'])} UTC."}


def _read(meter: Body, command: Command) -> Outcome:
    """Do no more: the appointment was shown, and read."""
    return Done()


def _check_note(meter: Body, command: Command) -> None:
    if command.params["kind"] == "answer" and "answer" not in command.params:
        raise Rejected("requestInvalid", "params.answer: a note of an answer has one")


def _note(meter: Body, command: Command) -> Outcome:
    """Record what happened outside the system: that nobody was there, or what the resident has answered by another channel."""
    params = command.params
    told = {name: params[name] for name in ("kind", "answer", "channel", "about") if name in params}
    if params["kind"] == "answer":
        return Done(told)
    about = f" for {params['about']}" if "about" in params else ""
    extra = {"about": params["about"]} if "about" in params else None
    event = meter.events.record("noAccess", params.get("text") or f"nobody let the visit in{about}", severity="warning", command=command.id, extra=extra)
    return Done({**told, "evtId": event})


# --- exchanges ------------------------------------------------------------------------------------------------------------------------------------------------


def _check_part(meter: Body, command: Command) -> None:
    if command.params["old"] == command.params["new"]:
        raise Rejected("requestInvalid", f"params.new: {command.params['new']!r} is the old one")


def _replaced(meter: Body, command: Command) -> Outcome:
    record = {name: command.params[name] for name in ("part", "old", "new")}
    equipment.put_in(meter, record["new"])
    said = f"{record['part']} {record['old']} was replaced by {record['new']}"
    event = meter.events.record("hardwareReplaced", said, severity="info", command=command.id, extra=record)
    meter.jobs.set("diagnostic", meter.now(), {"command": command.id, "told": list(command.concerned)})
    return Done({**record, "hardware": record["new"], "evtId": event})


def _check_swap(meter: Body, command: Command) -> None:
    if command.params["old"] not in (meter.identity.name, meter.identity.ae):
        raise Rejected("requestInvalid", f"params.old: {command.params['old']!r} is not this meter, which is {meter.identity.name}")
    _check_part(meter, command)


def _swap_out(meter: Body, command: Command) -> Outcome:
    """Take the last reading; once all is written the meter is off, and when it is put in again somewhere it is installed again."""
    try:
        reading = meter.readings.take("final")
    except NoReading as failed:
        raise Failed(failed.code, failed.text) from failed
    swap = {name: command.params[name] for name in ("old", "new")}
    said = f"{swap['old']} was taken out, {swap['new']} is in its place"
    event = meter.events.record("swapped", said, severity="info", command=command.id, extra=swap)
    meter.kept.put("meter", "installed", False)
    meter.kept.put("meter", "retired", True)
    meter.errand()
    return Done({**swap, "readId": reading, "evtId": event})


def start(meter: Body, first: bool) -> None:
    """Prove integrity unasked; a meter that is new asks whether there is something newer than what it came with."""
    equipment.attest(meter, "auto")
    if first:
        now = equipment.plate(meter)
        versions = {"firmware": now.firmware, "software": now.software}
        said = f"is there anything newer than firmware {now.firmware} and software {now.software}?"
        meter.events.record("updateRequested", said, severity="info", extra=versions)


_UPDATE = Handler(_update, check=_check_update, resume=_go_on)

HANDLERS = {
    "firmwareUpdate": _UPDATE,
    "softwareUpdate": _UPDATE,
    "runDiagnostic": Handler(_run_diagnostic),
    "validateIntegrity": Handler(_validate_integrity, check=_check_nonce),
    "appointment": Handler(_read, check=_check_appointment, consents=INFORMED, item="appointment", details=_appointment, stays=True),
    "hardwareReplaced": Handler(_replaced, check=_check_part),
    "swapOut": Handler(_swap_out, check=_check_swap),
    "note": Handler(_note, check=_check_note),
}

JOBS = {"diagnostic": _after_update, "rollback": _roll_back}
