"""What a meter is made of: its plate, what is installed, the diagnostic, and the proof that nothing was changed (use case 2; requirements R17, R30, R31)."""

import base64
import hashlib
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from apps.metering.meter.body import Body
from apps.metering.meter.secure import SecureEnvironment
from apps.metering.tree import Identity, acpi, device_info
from cse.management import Status

ROLL_BACK = 2.0
"""Seconds that a meter takes until it runs the version again that it had before, when the diagnostic of a new one has failed."""


@dataclass(frozen=True, slots=True)
class Part:
    """What can be updated: its management object, the root and the attributes of that for name, trigger and status, the action, its version in deviceInfo."""

    name: str
    root: str
    title: str
    trigger: str
    status: str
    action: str
    version: str


FIRMWARE = Part("firmware", "m2m:fwr", "fwn", "ud", "uds", "update", "fwv")
SOFTWARE = Part("software", "m2m:swr", "swn", "in", "ins", "install", "swv")
PARTS: Mapping[str, Part] = {"firmwareUpdate": FIRMWARE, "softwareUpdate": SOFTWARE}
"""Parts by the type of the command that updates them."""


def plate(meter: Body) -> Identity:
    """Give who the meter is now: with the hardware that was put in and the versions that were installed."""
    return replace(meter.identity, **meter.kept.get("equipment", "plate", {}))


def _engrave(meter: Body, **changes: str) -> Identity:
    meter.kept.put("equipment", "plate", {**meter.kept.get("equipment", "plate", {}), **changes})
    return plate(meter)


def put_in(meter: Body, hardware: str) -> None:
    """Have another hardware version in deviceInfo, which is made anew, since that attribute cannot be updated (TS-0001 D.8)."""
    facts = device_info(_engrave(meter, hardware=hardware))
    target = meter.node("deviceInfo")
    meter.outbox.delete(target)
    parent, _, name = target.rpartition("/")
    meter.outbox.make(parent, 13, name, "m2m:dvi", {"mgd": 1007, **facts, "acpi": acpi(meter.base, meter.identity, "node")})


# --- packages -------------------------------------------------------------------------------------------------------------------------------------------------


def installed(meter: Body, part: Part) -> Mapping[str, str]:
    """Give what runs: name, version, url, and the content itself as ``image`` (base64)."""
    version = meter.identity.firmware if part is FIRMWARE else meter.identity.software
    first = {"name": f"meter-{part.name}", "version": version, "url": "about:installed", "image": base64.b64encode(version.encode()).decode()}
    found: Mapping[str, str] = meter.kept.get("equipment", part.name, first)
    return found


def install(meter: Body, part: Part, params: Mapping[str, Any], content: bytes) -> None:
    """Let a checked package run from now on; all of it in one turn of the memory, so that a loss of power leaves the old one or the new one."""
    meter.jobs.drop(f"rollback:{part.name}")
    if not meter.kept.get("equipment", f"good {part.name}"):
        meter.kept.put("equipment", f"good {part.name}", installed(meter, part))
    package = {name: str(params[name]) for name in ("name", "version", "url")}
    _run(meter, part, {**package, "image": base64.b64encode(content).decode()}, Status.SUCCESSFUL)


def _run(meter: Body, part: Part, package: Mapping[str, str], status: Status) -> None:
    meter.kept.put("equipment", part.name, package)
    _engrave(meter, **{part.name: package["version"]})
    told = {"vr": package["version"], part.title: package["name"], "url": package["url"], part.status: {"acn": part.action, "sus": int(status)}}
    meter.outbox.update(meter.node(part.name), part.root, told)
    meter.outbox.update(meter.node("deviceInfo"), "m2m:dvi", {part.version: package["version"]})


def refuse(meter: Body, part: Part) -> None:
    """Have the management object say that an update was not made, and what runs."""
    _run(meter, part, installed(meter, part), Status.FAILURE)


def trust(meter: Body, part: Part) -> None:
    """Take what runs for good: it is what a later roll-back goes back to."""
    meter.kept.put("equipment", f"good {part.name}", installed(meter, part))


def roll_back(meter: Body, part: Part, command: str, told: Iterable[str]) -> None:
    """Let the last version run whose diagnostic was passed."""
    bad, good = installed(meter, part), meter.kept.get("equipment", f"good {part.name}")
    _run(meter, part, good, Status.FAILURE)
    facts = {"part": part.name, "version": good["version"]}
    said = f"{part.name} {good['version']} is back in the place of {bad['version']}, whose diagnostic has failed"
    meter.events.record("restored", said, severity="warning", command=command, told=told, extra=facts)


# --- diagnostic and integrity ---------------------------------------------------------------------------------------------------------------------------------


def diagnose(meter: Body, what: str, *, command: str = "", told: Iterable[str] = ()) -> tuple[bool, str]:
    """Run the diagnostic; give whether it is passed, and the evtId of what says so. A failure that was there before names the first event and the last."""
    before = meter.kept.get("diagnostic", "failed", {})
    if not meter.faults.use("diagnostic"):
        meter.kept.drop("diagnostic", "failed")
        return True, meter.events.record("diagnosticPassed", f"the diagnostic {what} is passed", severity="info", command=command, extra=before)
    again = f" again, as in {' and '.join(dict.fromkeys(before.values()))}" if before else ""
    event = meter.events.record("diagnosticFailed", f"the diagnostic {what} has failed{again}", command=command, told=told, extra=before)
    meter.kept.put("diagnostic", "failed", {"first": before.get("first", event), "previous": event})
    return False, event


def attest(meter: Body, trigger: str, nonce: str = "") -> Mapping[str, Any]:
    """Measure what is installed, write the proof of it and give that: ``pass`` when it is what was installed, and nobody has opened the meter.

    A meter without a secure environment proves nothing: ``unsupported``, without evidence; what to make of it is for asset to decide (R30).
    """
    if not meter.identity.secure:
        nothing = {"ts": meter.ts(), "trigger": trigger, "result": "unsupported", "nonce": nonce}
        meter.outbox.put(meter.place("attest"), {**nothing, "evidence": None})
        return nothing
    secure = SecureEnvironment(meter.kept)
    if nonce:
        secure.use(nonce)
    nonce = nonce or secrets.token_hex(16)
    measured = {part.name: hashlib.sha256(base64.b64decode(installed(meter, part)["image"])).hexdigest() for part in PARTS.values()}
    measured |= {"hardware": plate(meter).hardware}
    sound = not meter.plant.sensed.tamper
    proof = {"ts": meter.ts(), "trigger": trigger, "result": "pass" if sound else "fail", "nonce": nonce}
    signature = secure.sign({"meter": meter.identity.name, **proof, "measured": measured})
    meter.outbox.put(meter.place("attest"), {**proof, "evidence": {"measured": measured, "key": secure.public, "signature": signature}})
    if not sound:
        meter.events.record("integrityFailed", "the meter was opened or moved: its integrity is not proven", severity="critical", told=("Casset",))
    return proof
