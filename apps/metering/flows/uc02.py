"""Install, configure and maintain the metering system."""

from collections.abc import Mapping
from typing import Any

from apps.metering.flows.stage import Order, Stage, Unobserved
from apps.metering.vocabulary import State

ALWAYS = "20000101T000000"
VISIT = {"title": "Visit to your meter", "text": "Our technician comes to exchange a part. Please be at home.", "lang": "en"}


def _of(order: Order) -> Any:
    return lambda one: one.get("cmdId") == order.id


# --- install --------------------------------------------------------------------------------------------------------------------------------------------------


async def _visit(stage: Stage, begin: float = 3600, **more: Any) -> Order:
    """Tell the resident of a visit by the display."""
    params = {"start": stage.at(begin), "end": stage.at(begin + 3600), **more}
    return await stage.command("asset", "maint", "appointment", params, consent="informed", message=VISIT)


async def installed(stage: Stage) -> None:
    """A meter is put in beside those that are there, and makes itself known."""
    visit = await _visit(stage)
    item = await stage.item(visit)
    await stage.act(item, "view")
    await stage.status(visit, State.EXECUTED)
    stage.step("UC02-I1", f"appointment from {item['start']} to {item['end']}")
    await stage.subscribe("asset", "")
    await stage.control("powerOn", "M9")
    ae = await stage.registration("asset", "mtr-M9")
    plate = await stage.attributes("asset", "nod-M9/deviceInfo", "what the meter is", lambda one: True)
    stage.step("UC02-I2", f"{plate['dty']} {plate['man']} {plate['mod']}")
    stage.step("UC02-I3", f"AE {ae.name} of {ae['api']}, node nod-M9, hardware {plate['hwv']}")
    reading = await stage.see("asset", "mtr-M9/readings/registers", "the start-up reading", lambda one: one["reason"] == "startup")
    started = await stage.event("startup", meter="M9", container="state")
    wanted = await stage.event("updateRequested", meter="M9", container="state")
    stage.step("UC02-I4", f"{reading['readId']}, startup at {started['ts']}, {wanted['detail']}")
    done = await stage.event("installed", meter="M9", container="state")
    stage.step("UC02-I5", f"installed at {done['ts']}")
    await stage.act(item, "clear")
    await stage.control("powerOff", "M9")


# --- configure ------------------------------------------------------------------------------------------------------------------------------------------------


async def configured(stage: Stage) -> None:
    """Settings are changed."""
    label = f"Meter in the hall, {stage.at(0)}"
    order = await stage.command("asset", "config", "applySettings", {"settings": {"label": label}})
    stage.step("UC02-C1", order.id)
    await stage.status(order, State.VALIDATED)
    stage.step("UC02-C2", "validated")
    found = await stage.attributes("asset", "mtr-M1/config/settings", "the new label", lambda one: one["label"] == label)
    stage.step("UC02-C3", f"label {found['label']!r}")
    done = await stage.status(order, State.EXECUTED)
    if done["result"]["version"] != found["version"]:
        raise Unobserved(f"executed tells version {done['result']['version']}, the settings have {found['version']}")
    stage.step("UC02-C4", f"executed with version {found['version']}")


async def refused(stage: Stage) -> None:
    """Settings that nobody may set leave everything as it was."""
    before = await stage.attributes("asset", "mtr-M1/config/settings", "the settings", lambda one: True)
    order = await stage.command("asset", "config", "applySettings", {"settings": {"version": before["version"] + 7, "label": "changed"}})
    stage.step("UC02-C1", order.id)
    record = await stage.status(order, State.REJECTED, error="requestInvalid")
    stage.step("UC02-C2-A1.1", "rejected")
    after = await stage.attributes("asset", "mtr-M1/config/settings", "the settings", lambda one: True)
    if (before["label"], before["version"]) != (after["label"], after["version"]):
        raise Unobserved(f"the settings are {after['label']!r} of version {after['version']}")
    await stage.gone(order)
    stage.step("UC02-C2-A1.2", f"still version {after['version']}")
    event = await stage.event("settingsRejected", command=order)
    stage.step("UC02-C2-A1.3", f"{record['error']['text']}, at {record['ts']}")
    await stage.alert("asset", "error", command=order, event=event["evtId"])
    stage.step("UC02-C2-A1.4", f"alert with {event['evtId']}")


# --- maintain -------------------------------------------------------------------------------------------------------------------------------------------------


async def _faulty(stage: Stage, failures: int) -> Mapping[str, Any]:
    """Play the first two steps: the diagnostic finds something, and the asset organisation is alerted. failures: diagnostics that fail."""
    await stage.fault("diagnostic", count=failures)
    order = await stage.command("asset", "maint", "runDiagnostic", {})
    done = await stage.status(order, State.EXECUTED)
    event = await stage.event("diagnosticFailed", command=order, container="malfunction")
    stage.step("UC02-M1", f"diagnostic {done['result']['diagnostic']}")
    await stage.alert("asset", "error", event=event["evtId"])
    stage.step("UC02-M2", f"diagnosticFailed {event['evtId']}, alert")
    return event


async def _hardware(stage: Stage) -> str:
    """Judge that hardware has to be replaced and give the version that is fitted."""
    await _faulty(stage, 1)
    plate = await stage.attributes("asset", "nod-M1/deviceInfo", "the hardware", lambda one: True)
    stage.step("UC02-M3", f"decision: visit, hardware {plate['hwv']} is worn out")
    return str(plate["hwv"])


async def _package(stage: Stage) -> tuple[str, Mapping[str, Any]]:
    """Judge that software is needed: a package of another version than the one that runs."""
    runs = await stage.attributes("asset", "nod-M1/software", "the software", lambda one: True)
    offers = await stage.instances("sm-test", "sm-test/packages", ALWAYS)
    params = next((one["params"] for one in offers if one["type"] == "softwareUpdate" and one["params"]["version"] != runs["vr"]), None)
    if params is None:
        raise Unobserved(f"there is no package beside {runs['vr']}")
    stage.step("UC02-M3", f"decision: software {params['version']} in the place of {runs['vr']}")
    return str(runs["vr"]), params


async def _updated(stage: Stage, params: Mapping[str, Any]) -> Order:
    """Order the update and see that it runs."""
    order = await stage.command("asset", "maint", "softwareUpdate", params)
    stage.step("UC02-M4", f"softwareUpdate {order.id}")
    await stage.status(order, State.VALIDATED)
    node = await stage.attributes("asset", "nod-M1/software", "the new version", lambda one: one["vr"] == params["version"])
    done = await stage.status(order, State.EXECUTED)
    stage.step("UC02-M5", f"software {node['vr']}, executed with {done['result']['version']}")
    return order


async def maintained(stage: Stage) -> None:
    """The meter finds a fault, an update cures it."""
    await _faulty(stage, 1)
    _, params = await _package(stage)
    order = await _updated(stage, params)
    passed = await stage.event("diagnosticPassed", command=order, container="state")
    again = [one for one in await stage.instances("asset", "mtr-M1/events/malfunction") if _of(order)(one)]
    if again:
        raise Unobserved(f"{again[0]['evtId']} is a malfunction after the update")
    stage.step("UC02-M6", f"diagnosticPassed at {passed['ts']}")


async def hardware_replaced(stage: Stage) -> None:
    """A part is exchanged on site."""
    old = await _hardware(stage)
    new = f"{old[:1]}{int(old[1:] or 0) + 1}"
    start = stage.at(7200)
    stage.step("UC02-M4-A2.1", f"visit at {start}")
    visit = await _visit(stage, 7200)
    await stage.status(visit, State.VALIDATED)
    stage.step("UC02-M4-A2.2", visit.id)
    item = await stage.item(visit)
    await stage.status(visit, State.DISPLAYED)
    await stage.act(item, "view")
    await stage.status(visit, State.EXECUTED)
    item = await stage.item(visit, lambda one: bool(one["viewed"]))
    stage.step("UC02-M4-A2.3", f"item of kind {item['kind']} from {item['start']} to {item['end']}")
    order = await stage.command("asset", "maint", "hardwareReplaced", {"part": "mainBoard", "old": old, "new": new})
    plate = await stage.attributes("asset", "nod-M1/deviceInfo", "the new hardware", lambda one: one.get("hwv") == new)
    stage.step("UC02-M4-A2.4", f"deviceInfo has hardware {plate['hwv']}")
    done = await stage.status(order, State.EXECUTED)
    event = await stage.event("hardwareReplaced", command=order, container="state")
    if (event["old"], event["new"]) != (old, new):
        raise Unobserved(f"the event tells {event['old']} and {event['new']}")
    stage.step("UC02-M4-A2.5", f"executed with {done['result']['part']} {done['result']['new']}")
    await stage.act(item, "clear")
    await stage.gone(visit)


async def visit_rearranged(stage: Stage) -> None:
    """Nobody lets the visit in: there is a new date."""
    await _hardware(stage)
    visit = await _visit(stage, 60)
    await stage.item(visit)
    await stage.status(visit, State.DISPLAYED)
    await stage.command("asset", "maint", "note", {"kind": "noAccess", "about": visit.id, "text": "nobody was at home"})
    missed = await stage.see("asset", "mtr-M1/events/state", "noAccess", lambda one: one["type"] == "noAccess" and one.get("about") == visit.id)
    stage.step("UC02-M4-A3.1", f"noAccess at {missed['ts']}")
    later = await _visit(stage, 86400, replaces=visit.id)
    await stage.status(later, State.VALIDATED)
    stage.step("UC02-M4-A3.2", f"{later.id} replaces {visit.id}")
    item = await stage.item(later)
    await stage.gone(visit)
    await stage.status(later, State.DISPLAYED)
    replaced = await stage.status(visit, State.EXECUTED)
    stage.step("UC02-M4-A3.3", f"item from {item['start']}, the earlier one is {replaced['result']['disposition']}")
    await stage.act(item, "view")
    await stage.act(item, "clear")
    await stage.gone(later)


async def told_otherwise(stage: Stage) -> None:
    """The appointment is made by telephone, and only noted."""
    await _hardware(stage)
    stage.step("UC02-M4-A4.1", "by voice, outside the system")
    note = await stage.command("asset", "maint", "note", {"kind": "answer", "channel": "voice", "answer": "accepted", "text": "Thursday at ten"})
    done = await stage.status(note, State.EXECUTED)
    await stage.gone(note)
    stage.step("UC02-M4-A4.2", f"noted: {done['result']['answer']} by {done['result']['channel']}")


async def not_cured(stage: Stage) -> None:
    """The diagnostic fails after the update too: alert again, and the version before comes back."""
    first = await _faulty(stage, 2)
    before, params = await _package(stage)
    order = await _updated(stage, params)
    event = await stage.event("diagnosticFailed", command=order, container="malfunction")
    if first["evtId"] not in event["detail"]:
        raise Unobserved(f"{event['detail']!r} does not name {first['evtId']}")
    stage.step("UC02-M6-A5.1", event["detail"])
    await stage.alert("asset", "error", event=event["evtId"])
    await stage.event("restored", command=order, container="state")
    await stage.attributes("asset", "nod-M1/software", "the version before", lambda one: one["vr"] == before)
    stage.step("UC02-M6-A5.2", f"alert with {event['evtId']}; software {before} is back")


FLOWS = {
    "UC02-I": installed,
    "UC02-C": configured,
    "UC02-M": maintained,
    "UC02-C2-A1": refused,
    "UC02-M4-A2": hardware_replaced,
    "UC02-M4-A3": visit_rearranged,
    "UC02-M4-A4": told_otherwise,
    "UC02-M6-A5": not_cured,
}
