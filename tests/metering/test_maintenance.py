"""Updates, diagnostics, integrity, visits and exchanges (class ``maint``), and settings, on a meter without sockets."""

import base64
import hashlib
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from apps.metering.keys import public_key, public_text, signed
from apps.metering.meter import conditions
from apps.metering.packages import pack
from apps.metering.tree import Identity, below_node
from cse.errors import TargetNotReachable
from tests.metering.bench import Bench

KEY, STRANGER = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
CONTENT = b"new and better"
ELSEWHERE = "cse-in/sm-images/software-1.1.0"


def package(kind: str = "softwareUpdate", version: str = "1.1.0", key: Ed25519PrivateKey = KEY, url: str = "", **changes: Any) -> dict[str, Any]:
    """Make a package, perhaps one that is not as its issuer signed it."""
    return {**pack(kind, "meter-software", version, CONTENT, key, url), **changes}


@pytest.fixture
def bench() -> Bench:
    found = Bench(Identity("M1", issuer=public_text(KEY)))
    found.write()
    found.written.clear()
    return found


def events(bench: Bench, container: str, kind: str = "") -> list[dict[str, Any]]:
    """Give events of a type."""
    return [event for event in bench.at_place(f"events/{container}") if not kind or event["type"] == kind]


def version(bench: Bench, part: str = "software") -> str:
    """Give what the management object says last."""
    return str(bench.at_place(f"nod-M1/{part}")[-1]["vr"])


# --- updates --------------------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "part", "status", "attribute"), [("firmwareUpdate", "firmware", "uds", "fwv"), ("softwareUpdate", "software", "ins", "swv")])
def test_a_good_package_runs_is_told_and_is_diagnosed_after_the_status(bench: Bench, kind: str, part: str, status: str, attribute: str) -> None:
    order = bench.order("maint", kind, package(kind))
    assert bench.states("maint", order) == ["validated", "executed"]
    assert bench.last("maint")["result"] == {"version": "1.1.0", "previous": "1.0.0"}
    node = bench.at_place(f"nod-M1/{part}")[-1]
    assert node["vr"] == "1.1.0"
    assert node[status]["sus"] == 1
    assert bench.at_place("nod-M1/deviceInfo")[-1] == {attribute: "1.1.0"}
    assert not events(bench, "state")
    bench.later(0.1)
    assert [event["cmdId"] for event in events(bench, "state", "diagnosticPassed")] == [order]
    assert bench.at_place("attest")[-1]["trigger"] == "auto"
    bench.power_on()
    bench.write()
    assert events(bench, "state", "startup")[-1][part] == "1.1.0"


@pytest.mark.parametrize(
    ("changes", "named", "event"),
    [
        ({"sha256": "0" * 64}, "params.sha256", True),
        ({"signature": "00" * 64}, "params.signature", True),
        ({"signature": "not a signature"}, "params.signature", True),
        ({"version": "9.9.9"}, "params.signature", True),
        ({"name": "other"}, "params.signature", True),
        ({"url": "data:application/octet-stream;base64," + base64.b64encode(b"other").decode()}, "params.sha256", True),
        ({"url": "data:application/octet-stream;base64,***"}, "params.url", False),
        ({"url": "data:text/plain,abc"}, "params.url", False),
        ({"url": "ftp://somewhere/package"}, "params.url", False),
        ({"sha256": "short"}, "params.sha256", False),
        ({"signature": ""}, "params.signature", False),
        ({"installAt": "soon"}, "params.installAt", False),
        ({"colour": "red"}, "colour", False),
    ],
)
def test_a_package_that_is_not_as_it_was_signed_is_rejected_and_nothing_changes(bench: Bench, changes: dict[str, Any], named: str, event: bool) -> None:
    order = bench.order("maint", "softwareUpdate", {**package(), **changes})
    record = bench.last("maint")
    assert (record["state"], record["error"]["code"]) == ("rejected", "requestInvalid")
    assert named in record["error"]["text"]
    assert bench.errors(order) == ["requestInvalid"]
    assert [alert["cmdId"] for alert in bench.alerts("asset")] == [order]
    assert [found["cmdId"] for found in events(bench, "security", "integrityFailed")] == [order] * event
    assert not bench.at_place("nod-M1/software")
    bench.later(5)
    assert not events(bench, "state", "diagnosticPassed")


def test_a_package_of_another_issuer_or_of_another_part_is_rejected(bench: Bench) -> None:
    for params in (package(key=STRANGER), package("firmwareUpdate")):
        bench.order("maint", "softwareUpdate", params)
        assert "params.signature" in bench.last("maint")["error"]["text"]


def test_a_missing_member_is_named(bench: Bench) -> None:
    for name in ("name", "version", "url", "sha256", "signature"):
        bench.order("maint", "firmwareUpdate", {key: value for key, value in package("firmwareUpdate").items() if key != name})
        assert name in bench.last("maint")["error"]["text"]


def test_a_meter_without_a_key_of_an_issuer_takes_no_package() -> None:
    bench = Bench()
    bench.order("maint", "softwareUpdate", package())
    assert bench.last("maint")["error"]["code"] == "requestUnsupported"


def test_an_update_that_does_not_take_leaves_the_version(bench: Bench) -> None:
    bench.faults.set("apply", count=1)
    order = bench.order("maint", "softwareUpdate", package())
    assert bench.states("maint", order) == ["validated", "failed"]
    assert bench.errors(order) == ["applyFailed"]
    assert not bench.at_place("nod-M1/software")


def test_an_update_waits_for_its_time_also_across_a_restart_and_is_accepted_meanwhile(bench: Bench) -> None:
    order = bench.order("maint", "softwareUpdate", package(installAt=bench.at(300)))
    assert bench.states("maint", order) == ["validated", "accepted"]
    bench.later(200)
    bench.power_on()
    assert not bench.at_place("nod-M1/software")
    bench.later(101)
    assert bench.states("maint", order) == ["validated", "accepted", "executed"]
    assert version(bench) == "1.1.0"


def test_the_version_before_comes_back_when_the_diagnostic_fails_and_everybody_learns_of_it(bench: Bench) -> None:
    bench.faults.set("diagnostic", count=2)
    first = bench.order("maint", "runDiagnostic", {})
    cause = events(bench, "malfunction")[-1]["evtId"]
    assert bench.last("maint")["result"] == {"diagnostic": "fail", "evtId": cause}
    order = bench.order("maint", "softwareUpdate", package(), notify=["Cdno"])
    assert bench.states("maint", order) == ["validated", "executed"]
    bench.later(0.1)
    failed = events(bench, "malfunction")[-1]
    assert (failed["cmdId"], failed["first"]) == (order, cause)
    assert cause in failed["detail"]
    assert version(bench) == "1.1.0"
    bench.power_on()
    bench.later(3)
    assert version(bench) == "1.0.0"
    assert bench.at_place("nod-M1/software")[-1]["ins"]["sus"] == 2
    back = events(bench, "state", "restored")[-1]
    assert (back["cmdId"], back["part"], back["version"]) == (order, "software", "1.0.0")
    told = [alert["evtId"] for alert in bench.alerts("asset")]
    assert {cause, failed["evtId"], back["evtId"]} <= set(told)
    assert failed["evtId"] in [alert["evtId"] for alert in bench.alerts("dno")]
    assert bench.states("maint", first) == ["validated", "executed"]


def test_a_newer_update_takes_the_place_of_a_roll_back_and_goes_back_to_what_was_good(bench: Bench) -> None:
    bench.order("maint", "softwareUpdate", package(version="1.1.0"))
    bench.later(0.1)
    bench.faults.set("diagnostic", count=2)
    bench.order("maint", "softwareUpdate", package(version="1.2.0"))
    bench.later(0.1)
    bench.order("maint", "softwareUpdate", package(version="1.3.0"))
    bench.later(1.9)
    assert version(bench) == "1.3.0"
    bench.later(1)
    assert version(bench) == "1.1.0"
    assert len(events(bench, "state", "restored")) == 1


def test_a_package_that_lies_elsewhere_is_fetched_and_checked_then(bench: Bench) -> None:
    order = bench.order("maint", "softwareUpdate", package(url=ELSEWHERE))
    assert bench.states("maint", order) == ["validated"]
    bench.power_on()
    (name,) = bench.meter.body.kept.all("fetch")
    bench.meter.errands.arrived(name, CONTENT, "")
    bench.write()
    assert bench.states("maint", order) == ["validated", "executed"]
    assert not bench.meter.body.kept.all("fetch")
    assert not bench.meter.body.kept.all("fetched")


def test_a_package_that_waits_keeps_what_was_fetched(bench: Bench) -> None:
    order = bench.order("maint", "softwareUpdate", package(url=ELSEWHERE, installAt=bench.at(30)))
    bench.meter.errands.arrived(next(iter(bench.meter.body.kept.all("fetch"))), CONTENT, "")
    bench.write()
    assert bench.states("maint", order) == ["validated", "accepted"]
    bench.power_on()
    bench.later(31)
    assert bench.states("maint", order) == ["validated", "accepted", "executed"]


@pytest.mark.parametrize(("content", "why", "named"), [(b"other", "", "sha256"), (None, "not there", "not there")])
def test_a_package_that_comes_wrong_or_not_at_all_fails_and_says_why(bench: Bench, content: bytes | None, why: str, named: str) -> None:
    order = bench.order("maint", "softwareUpdate", package(url=ELSEWHERE))
    bench.meter.errands.arrived(next(iter(bench.meter.body.kept.all("fetch"))), content, why)
    bench.write()
    assert bench.states("maint", order) == ["validated", "failed"]
    error = bench.last("maint")["error"]
    assert error["code"] == "applyFailed"
    assert named in error["text"]
    assert bool(events(bench, "security", "integrityFailed")) is (content is not None)
    assert not bench.at_place("nod-M1/software")
    assert not bench.meter.body.kept.all("fetched")


def test_a_package_that_cannot_be_fetched_fails_when_its_time_has_passed(bench: Bench) -> None:
    order = bench.order("maint", "softwareUpdate", package(url=ELSEWHERE))
    name = next(iter(bench.meter.body.kept.all("fetch")))
    bench.later(61)
    assert bench.states("maint", order) == ["validated", "failed"]
    bench.meter.errands.arrived(name, CONTENT, "")
    bench.write()
    assert bench.states("maint", order) == ["validated", "failed"]


def test_a_repeated_update_is_not_done_twice_and_another_body_is_a_duplicate(bench: Bench) -> None:
    envelope = bench.envelope("softwareUpdate", package())
    bench.send("maint", envelope)
    bench.send("maint", envelope)
    bench.power_on()
    bench.send("maint", envelope)
    assert bench.states("maint", envelope["cmdId"]) == ["validated", "executed"]
    bench.send("maint", {**envelope, "params": package(version="1.2.0")})
    assert bench.last("maint")["error"]["code"] == "requestDuplicate"
    assert len(bench.at_place("nod-M1/software")) == 1


# --- diagnostic and integrity ---------------------------------------------------------------------------------------------------------------------------------


def test_a_diagnostic_that_is_passed_is_a_state_and_a_failure_names_the_first(bench: Bench) -> None:
    bench.order("maint", "runDiagnostic", {"kind": "metrology"})
    assert bench.last("maint")["result"]["diagnostic"] == "pass"
    bench.faults.set("diagnostic", count=3)
    for _ in range(3):
        bench.order("maint", "runDiagnostic", {})
    first, second, third = events(bench, "malfunction", "diagnosticFailed")
    assert "first" not in first
    assert second["first"] == third["first"] == first["evtId"]
    assert first["evtId"] in second["detail"]
    assert first["evtId"] in third["detail"]
    bench.order("maint", "runDiagnostic", {})
    bench.faults.set("diagnostic", count=1)
    bench.order("maint", "runDiagnostic", {})
    assert "first" not in events(bench, "malfunction")[-1]


def test_evidence_is_signed_by_the_meter_over_what_is_installed(bench: Bench) -> None:
    order = bench.order("maint", "validateIntegrity", {"nonce": "n1"})
    proof = bench.at_place("attest")[-1]
    assert (proof["trigger"], proof["result"], proof["nonce"]) == ("query", "pass", "n1")
    assert bench.last("maint")["result"] == {"attest": "pass", "nonce": "n1"}
    evidence = proof["evidence"]
    facts = {"meter": "M1", **{name: proof[name] for name in ("ts", "trigger", "result", "nonce")}, "measured": evidence["measured"]}
    assert signed(public_key(evidence["key"]), facts, evidence["signature"])
    assert not signed(public_key(evidence["key"]), {**facts, "nonce": "n2"}, evidence["signature"])
    bench.order("maint", "softwareUpdate", package())
    bench.order("maint", "validateIntegrity", {})
    later = bench.at_place("attest")[-1]
    assert later["evidence"]["measured"]["software"] == hashlib.sha256(CONTENT).hexdigest()
    assert later["evidence"]["key"] == evidence["key"]
    assert later["nonce"] not in ("", "n1")
    assert bench.states("maint", order) == ["validated", "executed"]


def test_no_output_reveals_the_key(bench: Bench) -> None:
    bench.order("maint", "validateIntegrity", {"nonce": "n1"})
    assert bench.meter.body.kept.get("secure", "key") not in json.dumps(bench.written)


def test_a_nonce_is_good_once(bench: Bench) -> None:
    bench.order("maint", "validateIntegrity", {"nonce": "n1"})
    bench.power_on()
    bench.order("maint", "validateIntegrity", {"nonce": "n1"})
    assert bench.last("maint")["state"] == "rejected"
    assert "params.nonce" in bench.last("maint")["error"]["text"]


def test_a_meter_that_was_opened_does_not_prove_its_integrity(bench: Bench) -> None:
    bench.meter.body.plant.sense(tamper=True)
    order = bench.order("maint", "validateIntegrity", {"nonce": "n1"})
    assert bench.states("maint", order) == ["validated", "executed"]
    assert bench.at_place("attest")[-1]["result"] == "fail"
    assert events(bench, "security", "integrityFailed")
    assert bench.alerts("asset")


def test_what_has_no_secure_environment_is_marked_unsupported_and_works() -> None:
    """R30: devices may lack it; R33: whether there is one is told at the node."""
    bench = Bench(Identity("M1", secure=False))
    bench.write()
    assert bench.at_place("attest")[-1].items() >= {"trigger": "auto", "result": "unsupported", "evidence": None}.items()
    order = bench.order("maint", "validateIntegrity", {"nonce": "n1"})
    assert bench.states("maint", order) == ["validated", "executed"]
    assert bench.last("maint")["result"] == {"attest": "unsupported", "nonce": "n1"}
    bench.meter.body.plant.sense(tamper=True)
    bench.order("maint", "validateIntegrity", {"nonce": "n2"})
    assert bench.at_place("attest")[-1]["result"] == "unsupported"
    assert bench.meter.body.kept.get("secure", "key") is None


@pytest.mark.parametrize("secure", [True, False])
def test_the_node_tells_whether_there_is_a_secure_environment(secure: bool) -> None:
    found = next(node for node in below_node(Identity("M1", secure=secure)) if node.place == "secureEnvironment")
    assert (found.root, found.attributes["can"], found.attributes["att"], found.attributes["cus"]) == ("m2m:dvc", "secureEnvironment", secure, secure)


def test_integrity_is_proven_unasked_at_every_start(bench: Bench) -> None:
    bench.power_on()
    bench.write()
    assert bench.at_place("attest")[-1]["trigger"] == "auto"


# --- visits ---------------------------------------------------------------------------------------------------------------------------------------------------


def appointment(bench: Bench, **more: Any) -> tuple[str, str]:
    """Tell of a visit in an hour and give cmdId and msgId."""
    order = bench.order("maint", "appointment", {"start": bench.at(3600), "end": bench.at(7200), **more}, consent="informed", consumerDeadline=5)
    return order, bench.item()["msgId"]


def test_an_appointment_is_shown_without_an_end_and_executed_when_it_was_read(bench: Bench) -> None:
    order, item = appointment(bench)
    shown = bench.item()
    assert (shown["kind"], shown["start"], shown["end"], shown["cmdId"]) == ("appointment", bench.at(3600), bench.at(7200), order)
    assert "validUntil" not in shown
    assert "UTC" in shown["text"]
    bench.screen(item)
    bench.act(item, "view")
    assert bench.states("maint", order) == ["validated", "displayed", "executed"]


def test_the_text_of_the_message_is_shown_where_there_is_one(bench: Bench) -> None:
    params = {"start": bench.at(3600), "end": bench.at(7200)}
    bench.order("maint", "appointment", params, consent="informed", message={"title": "Visit", "text": "We come.", "lang": "en"})
    assert (bench.item()["title"], bench.item()["text"]) == ("Visit", "We come.")


def test_an_appointment_that_nobody_reads_stays_on_the_screen(bench: Bench) -> None:
    order, item = appointment(bench)
    bench.screen(item)
    bench.later(6)
    assert bench.states("maint", order) == ["validated", "displayed", "expired"]
    assert not [found for found in bench.at_place("ihd-P1/inbox") if found.get("withdraw")]


def test_a_new_appointment_takes_the_place_of_the_earlier_one_and_ends_it(bench: Bench) -> None:
    first, item = appointment(bench)
    bench.screen(item)
    second, other = appointment(bench, replaces=first)
    assert bench.item()["replaces"] == first
    assert bench.states("maint", first) == ["validated", "displayed"]
    bench.screen(other)
    assert bench.states("maint", first) == ["validated", "displayed", "executed"]
    assert next(record for record in bench.at_place("cmd/maint/out") if record["state"] == "executed")["result"]["replacedBy"] == second
    bench.act(other, "clear")
    assert bench.states("maint", second) == ["validated", "displayed", "executed"]
    bench.later(60)
    assert not bench.errors()


@pytest.mark.parametrize(
    ("kind", "params", "named"),
    [
        ("appointment", {"start": "20991231T120000", "end": "20991231T110000"}, "params.end"),
        ("appointment", {"start": "20200101T100000", "end": "20200101T110000"}, "params.end"),
        ("appointment", {"start": "20991231T100000", "end": "20991231T110000", "replaces": "unknown"}, "params.replaces"),
        ("appointment", {"start": "20991231T100000"}, "end"),
        ("note", {"kind": "gossip"}, "params.kind"),
        ("note", {"kind": "answer"}, "params.answer"),
        ("hardwareReplaced", {"part": "battery", "old": "B1", "new": "B1"}, "params.new"),
        ("hardwareReplaced", {"part": "battery", "old": "B1"}, "new"),
        ("swapOut", {"old": "M2", "new": "M9"}, "params.old"),
        ("swapOut", {"old": "M1", "new": "M1"}, "params.new"),
        ("validateIntegrity", {"nonce": ""}, "params.nonce"),
        ("runDiagnostic", {"kind": 7}, "params.kind"),
        ("explode", {}, "explode"),
    ],
)
def test_what_is_out_of_range_is_rejected_by_name(bench: Bench, kind: str, params: dict[str, Any], named: str) -> None:
    bench.order("maint", kind, params, consent="informed" if kind == "appointment" else "none")
    record = bench.last("maint")
    assert (record["state"], record["error"]["code"]) == ("rejected", "requestInvalid")
    assert named in record["error"]["text"]
    assert {place for place, _ in bench.written} == {"cmd/maint/out", "events/error", "asset/alerts"}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"issuer": "Cbill"}, "requestUnauthorised"),
        ({"validUntil": "20200101T000000"}, "requestStale"),
        ({"consent": "required"}, "requestInvalid"),
    ],
)
def test_foreign_issuers_stale_ids_and_wrong_consents_are_rejected(bench: Bench, change: dict[str, Any], code: str) -> None:
    bench.send("maint", {**bench.envelope("runDiagnostic", {}), **change})
    assert bench.last("maint")["error"]["code"] == code
    assert not events(bench, "state")


def test_an_appointment_needs_the_consumer(bench: Bench) -> None:
    bench.order("maint", "appointment", {"start": bench.at(60), "end": bench.at(120)})
    assert "consent" in bench.last("maint")["error"]["text"]


def test_notes_tell_what_happened_outside(bench: Bench) -> None:
    bench.order("maint", "note", {"kind": "answer", "answer": "accepted", "channel": "post", "text": "private", "about": "a1"})
    assert bench.last("maint")["result"] == {"kind": "answer", "answer": "accepted", "channel": "post", "about": "a1"}
    bench.order("maint", "note", {"kind": "noAccess", "about": "a1"})
    event = events(bench, "state", "noAccess")[-1]
    assert event["about"] == "a1"
    assert bench.last("maint")["result"]["evtId"] == event["evtId"]
    assert not bench.at_place("ihd-P1/inbox")


# --- exchanges ------------------------------------------------------------------------------------------------------------------------------------------------


def test_new_hardware_is_in_device_info_which_is_made_anew(bench: Bench) -> None:
    bench.meter.outbox.linked = False
    bench.order("maint", "hardwareReplaced", {"part": "mainBoard", "old": "A1", "new": "A2"})
    waiting = bench.meter.body.kept.all("outbox").values()
    about = [item for item in waiting if "deviceInfo" in item["target"] or (item["attributes"] or {}).get("rn") == "deviceInfo"]
    assert [item["op"] for item in about] == [4, 1]
    assert about[1]["attributes"]["hwv"] == "A2"
    bench.meter.outbox.linked = True
    bench.write()
    event = events(bench, "state", "hardwareReplaced")[-1]
    assert (event["part"], event["old"], event["new"]) == ("mainBoard", "A1", "A2")
    assert bench.last("maint")["result"]["new"] == "A2"
    bench.power_on()
    bench.write()
    assert events(bench, "state", "startup")[-1]["hardware"] == "A2"


def test_an_exchange_is_diagnosed(bench: Bench) -> None:
    bench.faults.set("diagnostic", count=1)
    bench.order("maint", "runDiagnostic", {})
    bench.order("maint", "hardwareReplaced", {"part": "mainBoard", "old": "A1", "new": "A2"})
    bench.later(0.1)
    assert events(bench, "state", "diagnosticPassed")


def test_a_meter_that_is_swapped_out_reads_a_last_time_and_does_nothing_more(bench: Bench) -> None:
    order = bench.order("maint", "swapOut", {"old": "M1", "new": "M9"})
    final = bench.at_place("readings/registers")[-1]
    assert final["reason"] == "final"
    assert bench.states("maint", order) == ["validated", "executed"]
    assert bench.last("maint")["result"]["readId"] == final["readId"]
    event = events(bench, "state", "swapped")[-1]
    assert (event["old"], event["new"], event["cmdId"]) == ("M1", "M9", order)
    bench.power_on()
    count = len(bench.written)
    bench.later(30)
    assert len(bench.written) == count
    with pytest.raises(TargetNotReachable):
        bench.order("supply", "disable", {})


def test_a_final_reading_that_cannot_be_taken_keeps_the_meter(bench: Bench) -> None:
    bench.faults.set("register", count=1)
    order = bench.order("maint", "swapOut", {"old": "M1", "new": "M9"})
    assert bench.states("maint", order) == ["validated", "failed"]
    assert bench.errors(order) == ["readingNotRegistered"]
    bench.later(6)
    assert bench.at_place("readings/registers")


def test_a_new_meter_asks_whether_there_is_something_newer() -> None:
    bench = Bench()
    bench.write()
    kinds = [event["type"] for event in bench.at_place("events/state")]
    assert kinds == ["startup", "updateRequested", "installed"]
    bench.power_on()
    bench.write()
    assert [event["type"] for event in bench.at_place("events/state")][3:] == ["startup"]


# --- management objects ---------------------------------------------------------------------------------------------------------------------------------------


def trigger(bench: Bench, content: Any, part: str = "software") -> None:
    """Let the asset organisation start an update at the object, and the content of its URL arrive."""
    bench.tell(f"node/{part}", {"in" if part == "software" else "ud": True, "url": "cse-in/images/p", "vr": "7"})
    (name,) = bench.meter.body.kept.all("fetch")
    bench.meter.errands.arrived(name, None if content is None else json.dumps(content).encode(), "not there")
    bench.write()


@pytest.mark.parametrize(("part", "kind", "status"), [("software", "softwareUpdate", "ins"), ("firmware", "firmwareUpdate", "uds")])
def test_an_update_that_is_started_at_the_object_is_checked_and_done_as_one_by_command(bench: Bench, part: str, kind: str, status: str) -> None:
    trigger(bench, {"type": kind, "params": package(kind)}, part)
    node = bench.at_place(f"nod-M1/{part}")[-1]
    assert (node["vr"], node[status]["sus"]) == ("1.1.0", 1)
    assert [record["state"] for record in bench.at_place("cmd/maint/out")] == ["validated", "executed"]
    bench.later(0.1)
    assert events(bench, "state", "diagnosticPassed")


@pytest.mark.parametrize(
    "content",
    [
        None,
        "no package",
        {"type": "firmwareUpdate", "params": {}},
        {"type": "softwareUpdate", "params": {}},
        {"type": "softwareUpdate", "params": package(key=STRANGER)},
        {"type": "softwareUpdate"},
    ],
)
def test_what_is_no_signed_package_is_a_failure_at_the_object_which_says_what_runs(bench: Bench, content: Any) -> None:
    trigger(bench, content)
    node = bench.at_place("nod-M1/software")[-1]
    assert (node["vr"], node["ins"]) == ("1.0.0", {"acn": "install", "sus": 2})
    assert "executed" not in [record["state"] for record in bench.at_place("cmd/maint/out")]


def test_other_changes_of_the_object_start_nothing(bench: Bench) -> None:
    bench.tell("node/firmware", {"ud": False, "url": "cse-in/images/p"})
    assert not bench.meter.body.kept.all("fetch")


def test_a_meter_restarts_when_it_is_told_to(bench: Bench) -> None:
    bench.tell("node/reboot", {"rbo": True})
    assert bench.at_place("nod-M1/reboot")[-1] == {"rbo": False}
    assert events(bench, "state", "startup")
    assert bench.at_place("readings/registers")[-1]["reason"] == "startup"


def test_a_factory_reset_brings_back_the_settings_and_keeps_what_was_measured_and_paid(bench: Bench) -> None:
    bench.order("config", "applySettings", {"settings": {"label": "Kitchen", "lamp": True}})
    bench.order("config", "setTimers", {"ackWithin": 3})
    bench.order("config", "setReporting", {"recipient": "Cdno", "what": ["registers"], "period": 60})
    bench.order("pq", "setLimits", {"voltage": {"low": 220}, "flicker": {"high": 1}})
    bench.order("credit", "addCredit", {"amount": "5", "currency": "EUR", "token": "t"}, "Cbill")
    supply = bench.envelope("limit", {"value": 3, "unit": "kW"})
    bench.send("supply", supply)
    before = dict(bench.meter.body.plant.registers)
    bench.written.clear()
    bench.tell("node/reboot", {"far": True, "rbo": False})
    assert bench.at_place("nod-M1/reboot") == [{"far": False}]
    assert bench.at_place("config/settings") == [{"label": "electricity meter M1", "version": 3, "parameters": None}]
    assert bench.at_place("config/timers")[-1]["ackWithin"] == 5
    assert [(report["recipient"], report["period"]) for report in bench.at_place("config/reporting")[-1]["reports"]] == [("Crdr-1", 5)]
    assert bench.at_place("pq/limits") == [{"voltage": {"low": 207, "high": 253}, "flicker": None}]
    assert bench.at_place("readings/registers")[-1]["reason"] == "startup"
    bench.power_on()
    assert bench.meter.body.settings.timer("ackWithin") == 5
    assert bench.meter.body.plant.registers == before
    bench.order("payment", "status", {}, "Cbill")
    assert bench.at_place("payment/state")[-1]["credit"] == "5"
    bench.send("supply", supply)
    assert not bench.at_place("supply/state")


def test_the_log_of_interference_is_stopped_and_started_at_the_object(bench: Bench) -> None:
    def tamper() -> None:
        with bench.meter.body.kept.turn():
            conditions.sense(bench.meter.body, {"tamper": True})
        bench.write()

    tamper()
    bench.tell("node/eventLog", {"lgo": True, "lga": False, "lgst": 1})
    assert bench.at_place("nod-M1/eventLog")[-1] == {"lgst": 2}
    bench.power_on()
    tamper()
    tamper()
    assert bench.at_place("nod-M1/eventLog")[-1] == {"lgst": 2}
    assert len(events(bench, "security", "tamper")) == 3  # events/security has all of them
    bench.tell("node/eventLog", {"lga": True, "lgo": False, "lgst": 2})
    assert bench.at_place("nod-M1/eventLog")[-1] == {"lgst": 1}
    tamper()
    logged = [event["evtId"] for event in json.loads(bench.at_place("nod-M1/eventLog")[-1]["lgd"]) if event["type"] == "tamper"]
    every = [event["evtId"] for event in events(bench, "security", "tamper")]
    assert logged == [every[0], every[3]]
    bench.tell("node/eventLog", {"lga": False, "lgo": False, "lgst": 1})
    assert bench.at_place("nod-M1/eventLog")[-1] != {"lgst": 2}


def test_the_switch_follows_its_capability_as_it_follows_a_command(bench: Bench) -> None:
    bench.tell("node/supplySwitch", {"dis": True, "cus": True})
    assert bench.at_place("supply/state")[-1]["state"] == "disabled"
    assert (bench.at_place("nod-M1/supplySwitch")[-1]["cus"], bench.last("supply")["state"]) == (False, "executed")
    bench.tell("node/supplySwitch", {"ena": True, "cus": False})
    assert bench.at_place("nod-M1/supplySwitch")[-1]["cus"] is True


def test_a_switch_that_is_not_there_is_a_failure_at_its_capability() -> None:
    water = Bench(Identity("M3", "water", switch=False))
    water.write()
    water.tell("node/supplySwitch", {"dis": True, "cus": False})
    assert water.at_place("nod-M3/supplySwitch")[-1]["cas"] == {"acn": "disable", "sus": 2}
    assert water.last("supply")["error"]["code"] == "requestUnsupported"
