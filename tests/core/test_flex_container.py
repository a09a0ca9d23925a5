"""flexContainer and flexContainerInstance (procedures 6.4; TS-0001 9.6.35, TS-0004 7.4.37)."""

from pathlib import Path
from typing import Any

import pytest

from bindings.serve import resource_types
from cse.codes import ResponseStatusCode as RSC
from cse.core import CSE
from cse.datatypes import timestamp
from cse.primitives import Response
from cse.storage import open_store
from tests.core.tree import AE, ME, OTHER, POWER, container, contents, of, policy, register, rule, seen, world
from tests.drive import Driven

MODULE = "org.onem2m.common.moduleclass."
SWITCH, CONSUMPTION, BATTERY = ("cod:binSh", f"{MODULE}binarySwitch"), ("cod:eneCn", f"{MODULE}energyConsumption"), ("cod:bat", f"{MODULE}battery")
METER = ("cid:dSEMr", "org.onem2m.city.device.deviceSmartElectricMeter")
FLEX = f"{AE}/flex"


def make(cse: Driven, form: tuple[str, str] = SWITCH, to: str = AE, fr: str = ME, **attributes: Any) -> Response:
    """Create a flexContainer of a class; a switch is off unless the attributes say more."""
    given = {"state": False} if form is SWITCH else {}
    return cse.create(to, 28, {form[0]: {"rn": "flex", "cnd": form[1], **given, **attributes}}, fr)


def change(cse: Driven, root: str = "cod:binSh", to: str = FLEX, **attributes: Any) -> Response:
    return cse.update(to, {root: attributes}, ME)


def history(cse: Driven, name: str = "state", to: str = FLEX, root: str = "cod:binSh") -> list[Any]:
    """Give one value of each instance, oldest first, and see to it that the counters fit."""
    found = of(cse.retrieve(to, rcn=4))
    instances = [each for each in found.get(root, []) if each["ty"] == 58]
    assert (found["cni"], found["cbs"]) == (len(instances), sum(each["cs"] for each in instances))
    return [each.get(name) for each in instances]


# --- definition and root -----------------------------------------------------------------------------------------------------------------------------------


def test_the_root_is_that_of_the_specialisation_everywhere() -> None:
    cse = world()
    created = make(cse, lbl=["a"])
    assert created.rsc == RSC.CREATED
    answers = [
        created,
        cse.retrieve(FLEX, ME),
        cse.retrieve(of(created)["ri"], ME),
        cse.retrieve(FLEX, ME, pc={"m2m:atrl": ["state"]}),
        cse.retrieve(FLEX, ME, rcn=4),
        change(cse, state=True),
        cse.update(FLEX, {"cod:binSh": {"state": True}}, ME, rcn=9),
        cse.delete(FLEX, ME, rcn=1),
    ]
    assert all(list(answer.pc) == ["cod:binSh"] for answer in answers), answers


def test_what_a_new_flex_container_has() -> None:
    found = of(make(world()))
    assert (found["ty"], found["rn"], found["cnd"], found["st"], found["state"]) == (28, "flex", SWITCH[1], 0, False)
    assert found["cs"] == len("false")
    assert (found["cni"], found["cbs"]) == (0, 0)
    assert "fcied" not in found
    assert found["ct"] == found["lt"]


@pytest.mark.parametrize(
    ("content", "rsc", "words"),
    [
        ({"cod:binSh": {"state": True}}, RSC.BAD_REQUEST, "lacks the mandatory attribute cnd (containerDefinition)"),
        ({"cod:binSh": {"cnd": 5, "state": True}}, RSC.BAD_REQUEST, "attribute cnd (containerDefinition)"),
        ({"cod:binSh": {"cnd": "", "state": True}}, RSC.BAD_REQUEST, "attribute cnd (containerDefinition)"),
        ({"cod:binSh": {"cnd": ["x"], "state": True}}, RSC.BAD_REQUEST, "attribute cnd (containerDefinition)"),
        ({"cod:binSh": {"cnd": "org.example.none", "state": True}}, RSC.SPECIALIZATION_SCHEMA_NOT_FOUND, "'org.example.none'"),
        ({"my:own": {"cnd": "org.example.none"}}, RSC.SPECIALIZATION_SCHEMA_NOT_FOUND, "'org.example.none'"),
        ({"cod:binSh": {"cnd": f"{MODULE}binarySwich", "state": True}}, RSC.SPECIALIZATION_SCHEMA_NOT_FOUND, f"the nearest is {SWITCH[1]}"),
        ({"cod:bat": {"cnd": SWITCH[1], "state": True}}, RSC.BAD_REQUEST, "whose root is cod:binSh"),
        ({"m2m:fcnt": {"cnd": SWITCH[1], "state": True}}, RSC.BAD_REQUEST, "whose root is cod:binSh"),
        ({"m2m:cnt": {}}, RSC.BAD_REQUEST, "cnd"),
        ({}, RSC.BAD_REQUEST, "one root"),
        (None, RSC.BAD_REQUEST, "one root"),
        ("text", RSC.BAD_REQUEST, "one root"),
        ([], RSC.BAD_REQUEST, "one root"),
        ({5: {"cnd": SWITCH[1]}}, RSC.BAD_REQUEST, "one root"),
        ({"cod:binSh": None}, RSC.BAD_REQUEST, "one root"),
        ({"cod:binSh": {}, "cod:bat": {}}, RSC.BAD_REQUEST, "one root"),
    ],
)
def test_root_and_definition_must_fit(content: Any, rsc: RSC, words: str) -> None:
    cse = world()
    response = cse.create(AE, 28, content, ME)
    assert response.rsc == rsc
    assert words in response.pc["m2m:dbg"]
    assert "m2m:cnt" in of(cse.retrieve(AE, rcn=4))
    assert len(of(cse.retrieve(AE, rcn=6))["rrf"]) == 1


@pytest.mark.parametrize(
    ("form", "attributes", "words"),
    [
        (SWITCH, {"state": "on"}, "attribute state (state) of cod:binSh must be true or false, not 'on'"),
        (SWITCH, {"state": None}, "state (state)"),
        (SWITCH, {"stat": True}, "has no attribute 'stat'; the nearest it has is state (state)"),
        (SWITCH, {"cs": 5}, "cs (contentSize)"),
        (SWITCH, {"cni": 5}, "cni (currentNrOfInstances)"),
        (CONSUMPTION, {}, "cod:eneCn lacks the mandatory attribute abECn (absoluteEnergyConsumption)"),
        (CONSUMPTION, {"abECn": "5"}, "abECn (absoluteEnergyConsumption)"),
        (CONSUMPTION, {"abECn": 5, "roECn": 1.5}, "roECn (roundingEnergyConsumption)"),
        (CONSUMPTION, {"abECn": 5, "dgt": "today"}, "dgt (dataGenerationTime)"),
        (CONSUMPTION, {"abECn": 5, "state": True}, "state"),
        (METER, {"flNLk": 5}, "flNLk (flexNodeLink)"),
    ],
)
def test_custom_attributes_are_those_of_the_definition(form: tuple[str, str], attributes: dict[str, Any], words: str) -> None:
    cse = world()
    response = make(cse, form, **attributes)
    assert response.rsc == RSC.BAD_REQUEST
    assert words in response.pc["m2m:dbg"]
    assert cse.retrieve(FLEX).rsc == RSC.NOT_FOUND


def test_privilege_and_place_come_before_the_definition() -> None:
    cse = world()
    unknown = {"x:y": {"cnd": "none"}}
    assert cse.create(AE, 28, unknown, OTHER).rsc == RSC.ORIGINATOR_HAS_NO_PRIVILEGE
    of(cse.create("cse-in", 9, {"m2m:grp": {"rn": "grp", "mnm": 1, "mid": []}}))
    assert cse.create("cse-in/grp", 28, unknown).rsc == RSC.INVALID_CHILD_RESOURCE_TYPE
    assert cse.create(AE, 28, unknown, ME).rsc == RSC.SPECIALIZATION_SCHEMA_NOT_FOUND


def test_each_place_that_the_tables_allow() -> None:
    cse = world()
    for place in ("cse-in", AE, POWER, FLEX):
        assert make(cse, to=place, fr="CAdmin").rsc == RSC.CREATED, place


def test_a_device_holds_its_modules_and_other_children() -> None:
    cse = world()
    of(make(cse, METER, rn="device"))
    device = f"{AE}/device"
    of(make(cse, CONSUMPTION, device, rn="energy", abECn=5.5, power=230))
    of(make(cse, SWITCH, device, rn="switch"))
    of(make(cse, BATTERY, device, rn="battery", lvl=90))
    container(cse, "raw", device)
    found = of(cse.retrieve(device, rcn=4))
    assert [found[root][0]["rn"] for root in ("cod:eneCn", "cod:binSh", "cod:bat", "m2m:cnt")] == ["energy", "switch", "battery", "raw"]
    listed = of(cse.retrieve(device, rcn=6))["rrf"]
    assert [(each["nm"], each["typ"], each.get("spty")) for each in listed] == [
        ("energy", 28, CONSUMPTION[1]),
        ("switch", 28, SWITCH[1]),
        ("battery", 28, BATTERY[1]),
        ("raw", 3, None),
    ]
    assert cse.create(device, 4, {"m2m:cin": {"con": "x"}}, ME).rsc == RSC.INVALID_CHILD_RESOURCE_TYPE
    assert cse.delete(device, ME).rsc == RSC.DELETED
    assert cse.retrieve(f"{device}/energy").rsc == RSC.NOT_FOUND


def test_a_class_without_attributes_of_its_own() -> None:
    found = of(make(world(), ("cod:togge", "org.onem2m.common.action.toggle")))
    assert found["cs"] == 0


def test_without_definitions_every_class_is_unknown_and_what_is_stored_can_be_seen_and_deleted() -> None:
    cse = world()
    ri = of(make(cse, fcied=True))["ri"]
    cse.cse = CSE(cse.store, resource_types(()), cse.settings, lambda: cse.seconds, lambda: "fresh")
    assert make(cse, rn="more").rsc == RSC.SPECIALIZATION_SCHEMA_NOT_FOUND
    answer = cse.retrieve(FLEX, ME)
    assert (list(answer.pc), of(answer)["ri"], of(answer)["state"]) == (["m2m:fcnt"], ri, False)
    assert list(cse.retrieve(f"{FLEX}/la", ME).pc) == ["m2m:fcin"]
    assert cse.update(FLEX, {"m2m:fcnt": {"state": True}}, ME).rsc == RSC.BAD_REQUEST
    assert cse.delete(FLEX, ME).rsc == RSC.DELETED


# --- UPDATE ------------------------------------------------------------------------------------------------------------------------------------------------


def test_an_update_of_custom_attributes_sets_time_state_and_size() -> None:
    cse = world()
    before = of(make(cse, CONSUMPTION, abECn=5))
    cse.seconds += 10
    after = of(change(cse, "cod:eneCn", abECn=5.25, meaSe="house"))
    assert (after["abECn"], after["meaSe"], after["ct"]) == (5.25, "house", before["ct"])
    assert after["lt"] == timestamp(cse.seconds) > before["lt"]
    assert after["st"] == before["st"] + 1
    assert (before["cs"], after["cs"]) == (len("5"), len("5.25") + len("house"))


def test_null_removes_an_optional_custom_attribute_and_no_mandatory_one() -> None:
    cse = world()
    of(make(cse, CONSUMPTION, abECn=5, power=7))
    after = of(change(cse, "cod:eneCn", power=None))
    assert ("power" in after, after["cs"]) == (False, 1)
    response = change(cse, "cod:eneCn", abECn=None)
    assert response.rsc == RSC.BAD_REQUEST
    assert "abECn (absoluteEnergyConsumption)" in response.pc["m2m:dbg"]


@pytest.mark.parametrize(
    ("root", "attributes", "words"),
    [
        ("cod:binSh", {"cnd": SWITCH[1]}, "cnd (containerDefinition)"),
        ("cod:binSh", {"state": 1}, "state (state)"),
        ("cod:binSh", {"other": 1}, "other"),
        ("cod:binSh", {"cs": 1}, "cs (contentSize)"),
        ("cod:bat", {"state": True}, "cod:bat does not fit"),
        ("m2m:fcnt", {"state": True}, "m2m:fcnt does not fit"),
    ],
)
def test_an_update_that_does_not_fit(root: str, attributes: dict[str, Any], words: str) -> None:
    cse = world()
    before = of(make(cse))
    response = cse.update(FLEX, {root: attributes}, ME)
    assert response.rsc == RSC.BAD_REQUEST
    assert words in response.pc["m2m:dbg"]
    assert seen(cse, FLEX) == before


def test_policies_are_changed_by_their_own_rule() -> None:
    cse = world()
    path = policy(cse, "acp", rule(OTHER, 2), pvs=[rule(ME, 63)])
    of(make(cse))
    assert change(cse, acpi=[path], state=True).rsc == RSC.BAD_REQUEST
    assert change(cse, acpi=[path]).rsc == RSC.UPDATED
    assert cse.retrieve(FLEX, OTHER).rsc == RSC.OK
    assert cse.retrieve(FLEX, ME).rsc == RSC.ORIGINATOR_HAS_NO_PRIVILEGE


# --- history -----------------------------------------------------------------------------------------------------------------------------------------------


def on(url: str) -> Driven:
    """Give a CSE with the AE Cmeter on a store of its own."""
    cse = Driven(store=open_store(url, frozenset({4, 58})))
    register(cse, ME, rn="meter")
    return cse


@pytest.mark.parametrize("store", ["memory:", "sqlite:///{}/s.db", "tinydb:///{}/s.json"])
def test_a_history_on_every_store(store: str, tmp_path: Path) -> None:
    url = store.format(tmp_path)
    cse = on(url)
    of(make(cse, CONSUMPTION, abECn=1, fcied=True, lbl=["l"], mni=3))
    for number in range(2, 6):
        cse.seconds += 1
        of(change(cse, "cod:eneCn", abECn=number, meaSe="x" * number))
    if url != "memory:":
        cse.store.close()
        cse = Driven(store=open_store(url, frozenset({4, 58})), seconds=cse.seconds)
    assert history(cse, "abECn", root="cod:eneCn") == [3, 4, 5]
    newest, oldest = of(cse.retrieve(f"{FLEX}/la", ME)), of(cse.retrieve(f"{FLEX}/ol", ME))
    assert (newest["abECn"], newest["meaSe"], newest["lbl"], newest["cs"]) == (5, "xxxxx", ["l"], 6)
    assert (oldest["abECn"], oldest["ty"], oldest["org"], oldest["pi"]) == (3, 58, ME, seen(cse, FLEX)["ri"])
    assert list(cse.retrieve(newest["ri"], ME).pc) == ["cod:eneCn"]
    assert len(cse.retrieve("cse-in", fc={"fu": 1, "ty": [58]}).pc["m2m:uril"]) == 3
    assert cse.delete(FLEX, ME).rsc == RSC.DELETED
    assert cse.retrieve(newest["ri"], ME).rsc == RSC.NOT_FOUND
    cse.store.close()


def test_without_fcin_enabled_there_is_no_history() -> None:
    cse = world()
    of(make(cse))
    of(change(cse, state=True))
    assert history(cse) == []
    assert cse.retrieve(f"{FLEX}/la", ME).rsc == RSC.NOT_FOUND
    assert cse.retrieve(f"{FLEX}/ol", ME).rsc == RSC.NOT_FOUND


def test_creation_and_each_update_of_values_labels_or_location_make_one_instance() -> None:
    cse = world()
    found = of(make(cse, fcied=True))
    assert (found["cni"], found["cbs"], found["st"]) == (1, len("false"), 0)
    states = [of(change(cse, **attributes))["st"] for attributes in ({"state": True}, {"state": True}, {"lbl": ["x"]}, {"loc": {"typ": 1, "crd": "[1,2]"}})]
    assert states == [1, 2, 3, 4]
    assert history(cse) == [False, True, True, True, True]
    of(change(cse, mni=100))
    of(change(cse, nl="node"))
    assert history(cse) == [False, True, True, True, True]
    newest = of(cse.retrieve(f"{FLEX}/la", ME))
    assert (newest["lbl"], newest["loc"]) == (["x"], {"typ": 1, "crd": "[1,2]"})


def test_what_an_instance_has() -> None:
    cse = world()
    parent = of(make(cse, CONSUMPTION, abECn=5, power=1.5, fcied=True, lbl=["l"]))
    cse.seconds += 5
    found = of(cse.retrieve(f"{FLEX}/la", ME))
    assert (found["ty"], found["pi"], found["cs"], found["org"], found["lbl"]) == (58, parent["ri"], 4, ME, ["l"])
    assert (found["abECn"], found["power"]) == (5, 1.5)
    assert found["ct"] == found["lt"] == parent["ct"]
    assert found["et"] == parent["et"]
    assert found.keys() & {"cnd", "fcied", "cni", "cbs", "mni", "st", "acpi"} == set()


@pytest.mark.parametrize(
    ("attributes", "word"),
    [
        ({"mni": 5}, "mni"),
        ({"mbs": 500}, "mbs"),
        ({"mia": 5}, "mia"),
        ({"fcied": True, "mni": 0}, "mni"),
        ({"fcied": True, "mbs": 0}, "mbs"),
        ({"fcied": True, "mia": 0}, "mia"),
        ({"fcied": False, "mni": 0}, "mni"),
        ({"fcied": True, "mbs": 4}, "mbs"),
        ({"fcied": True, "mni": -1}, "mni"),
        ({"fcied": True, "mni": "5"}, "mni"),
        ({"fcied": "true"}, "fcied"),
    ],
)
def test_limits_that_make_no_sense(attributes: dict[str, Any], word: str) -> None:
    cse = world()
    response = make(cse, **attributes)
    assert response.rsc == RSC.BAD_REQUEST
    assert word in response.pc["m2m:dbg"]
    assert cse.retrieve(FLEX).rsc == RSC.NOT_FOUND
    of(make(cse))
    before = seen(cse, FLEX)
    assert change(cse, **attributes).rsc == RSC.BAD_REQUEST
    assert seen(cse, FLEX) == before


def test_values_larger_than_max_byte_size_are_refused() -> None:
    cse = world()
    of(make(cse, CONSUMPTION, abECn=1, fcied=True, mbs=5))
    assert change(cse, "cod:eneCn", meaSe="four").rsc == RSC.UPDATED
    before = seen(cse, FLEX)
    response = change(cse, "cod:eneCn", meaSe="fifth")
    assert response.rsc == RSC.BAD_REQUEST
    assert "mbs (maxByteSize)" in response.pc["m2m:dbg"]
    assert seen(cse, FLEX) == before


def test_the_oldest_instances_go_over_the_limits() -> None:
    cse = world()
    of(make(cse, CONSUMPTION, abECn=10, fcied=True, mni=3))
    for value in range(11, 15):
        of(change(cse, "cod:eneCn", abECn=value))
    assert history(cse, "abECn", root="cod:eneCn") == [12, 13, 14]
    of(change(cse, "cod:eneCn", mni=2))
    assert history(cse, "abECn", root="cod:eneCn") == [13, 14]
    of(change(cse, "cod:eneCn", mni=None, mbs=5))
    for value in (15, 16, 17):
        of(change(cse, "cod:eneCn", abECn=value))
    assert history(cse, "abECn", root="cod:eneCn") == [16, 17]
    of(change(cse, "cod:eneCn", mbs=3))
    assert history(cse, "abECn", root="cod:eneCn") == [17]


def test_instances_live_as_long_as_max_instance_age() -> None:
    cse = world()
    of(make(cse, fcied=True, mia=60))
    cse.seconds += 40
    of(change(cse, state=True))
    assert of(cse.retrieve(f"{FLEX}/la", ME))["et"] == timestamp(cse.seconds + 60)
    cse.pass_time(30)
    assert history(cse) == [True]
    cse.pass_time(40)
    assert history(cse) == []
    assert cse.retrieve(f"{FLEX}/la", ME).rsc == RSC.NOT_FOUND
    assert seen(cse, FLEX)["state"] is True


def test_an_end_that_comes_nearer_holds_for_later_instances() -> None:
    cse = world()
    of(make(cse, fcied=True))
    end = timestamp(cse.seconds + 100)
    of(change(cse, et=end))
    of(change(cse, state=True))
    assert of(cse.retrieve(f"{FLEX}/la", ME))["et"] == end


def test_fcin_enabled_false_keeps_only_the_newest_values() -> None:
    cse = world()
    of(make(cse, fcied=True))
    of(change(cse, state=True))
    of(change(cse, fcied=False))
    assert history(cse) == [True]
    of(change(cse, state=False))
    assert history(cse) == [False]
    assert of(cse.retrieve(f"{FLEX}/la", ME))["state"] is of(cse.retrieve(f"{FLEX}/ol", ME))["state"] is False
    of(change(cse, fcied=True))
    of(change(cse, state=True))
    assert history(cse) == [False, True]


def test_fcin_enabled_removed_takes_history_and_limits_away() -> None:
    cse = world()
    of(make(cse, fcied=True, mni=10, mbs=1000, mia=1000))
    of(change(cse, state=True))
    assert change(cse, fcied=None, mni=5).rsc == RSC.BAD_REQUEST
    assert history(cse) == [False, True]
    after = of(change(cse, fcied=None))
    assert after.keys() & {"fcied", "mni", "mbs", "mia"} == set()
    assert history(cse) == []
    of(change(cse, state=False))
    assert history(cse) == []


def test_a_history_may_begin_later_with_the_values_of_then() -> None:
    cse = world()
    of(make(cse))
    of(change(cse, state=True))
    of(change(cse, fcied=True, mni=5))
    assert history(cse) == [True]
    of(change(cse, state=False))
    assert history(cse) == [True, False]


def test_instances_are_made_by_the_cse_only_and_never_updated() -> None:
    cse = world()
    of(make(cse, fcied=True))
    newest = of(cse.retrieve(f"{FLEX}/la", ME))
    assert cse.create(FLEX, 58, {"cod:binSh": {"state": True}}, ME).rsc == RSC.OPERATION_NOT_ALLOWED
    assert cse.create(FLEX, 58, {"m2m:fcin": {}}, ME).rsc == RSC.OPERATION_NOT_ALLOWED
    for path in (newest["ri"], f"{FLEX}/{newest['rn']}", f"{FLEX}/la", f"{FLEX}/ol"):
        assert cse.update(path, {"cod:binSh": {"state": True}}, ME).rsc == RSC.OPERATION_NOT_ALLOWED, path
    assert cse.create(f"{FLEX}/la", 23, {"m2m:sub": {"nu": [ME]}}, ME).rsc == RSC.OPERATION_NOT_ALLOWED
    assert history(cse) == [False]


def test_an_instance_may_be_deleted() -> None:
    cse = world()
    of(make(cse, fcied=True))
    of(change(cse, state=True))
    assert cse.delete(f"{FLEX}/la", ME).rsc == RSC.DELETED
    assert history(cse) == [False]
    assert cse.delete(f"{FLEX}/la", OTHER).rsc == RSC.ORIGINATOR_HAS_NO_PRIVILEGE


def test_names_of_the_edges_are_reserved() -> None:
    cse = world()
    of(make(cse, METER))
    for name in ("la", "ol"):
        assert make(cse, to=FLEX, rn=name).rsc == RSC.CONFLICT


def test_child_flex_containers_do_not_count_as_history() -> None:
    cse = world()
    of(make(cse, METER, fcied=True))
    of(make(cse, to=FLEX, rn="switch"))
    of(make(cse, BATTERY, to=FLEX, rn="battery", lvl=5, fcied=True))
    assert seen(cse, FLEX)["cni"] == 1
    cse.delete(f"{FLEX}/switch", ME)
    assert seen(cse, FLEX)["cni"] == 1


# --- subscriptions -----------------------------------------------------------------------------------------------------------------------------------------


def subscribe(cse: Driven, **attributes: Any) -> None:
    of(cse.create(FLEX, 23, {"m2m:sub": {"nu": [ME], **attributes}}, ME))
    list(cse.taken())


def told(cse: Driven) -> list[tuple[int, Any]]:
    return [(event["net"], event["rep"]) for notice in cse.taken() if (event := notice.content["m2m:sgn"].get("nev"))]


def test_an_update_is_told_with_the_root_of_the_specialisation() -> None:
    cse = world()
    of(make(cse))
    subscribe(cse, enc={"net": [1]}, nct=1)
    of(change(cse, state=True))
    ((net, shown),) = told(cse)
    assert net == 1
    assert shown == {"cod:binSh": seen(cse, FLEX)}


def test_only_modified_attributes_are_told_when_asked_for() -> None:
    cse = world()
    of(make(cse, CONSUMPTION, abECn=5, power=1))
    subscribe(cse, enc={"net": [1], "atr": ["power"]}, nct=2)
    of(change(cse, "cod:eneCn", abECn=6))
    assert told(cse) == []
    of(change(cse, "cod:eneCn", power=2))
    ((net, shown),) = told(cse)
    assert (net, list(shown)) == (1, ["cod:eneCn"])
    assert shown["cod:eneCn"]["power"] == 2
    assert "abECn" not in shown["cod:eneCn"]


def test_a_new_instance_is_told_as_a_child_and_one_that_limits_push_out_is_not() -> None:
    cse = world()
    of(make(cse, fcied=True, mni=1))
    subscribe(cse, enc={"net": [3, 4], "chty": [58]}, nct=1)
    of(change(cse, state=True))
    ((net, shown),) = told(cse)
    assert (net, list(shown), shown["cod:binSh"]["ty"], shown["cod:binSh"]["state"]) == (3, ["cod:binSh"], 58, True)


def test_a_blocking_update_shows_what_is_wanted() -> None:
    cse = world()
    of(cse.update(AE, {"m2m:ae": {"poa": ["http://meter:1"]}}, ME))
    of(make(cse))
    subscribe(cse, enc={"net": [7]})
    of(change(cse, state=True))
    assert cse.asked[-1].request.pc["m2m:sgn"]["nev"] == {"rep": {"cod:binSh": {"state": True}}, "net": 7}


# --- discovery and groups ----------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("criteria", "found"),
    [
        ({"ty": [28]}, ["device", "device/energy", "device/switch"]),
        ({"atr": {"cnd": [SWITCH[1]]}}, ["device/switch"]),
        ({"atr": {"cnd": [f"{MODULE}*"]}}, ["device/energy", "device/switch"]),
        ({"atr": {"state": ["true"]}}, ["device/switch", "device/switch/INSTANCE"]),
        ({"ty": [28], "atr": {"abECn": [12.5]}}, ["device/energy"]),
        ({"atr": [{"nm": "meaSe", "val": "ho*"}]}, ["device/energy"]),
        ({"ty": [58]}, ["device/switch/INSTANCE"]),
        ({"ty": [28], "lbl": ["mine"]}, ["device/energy"]),
        ({"ty": [28], "catr": {"cnd": [SWITCH[1]]}}, ["device"]),
        ({"ty": [28], "patr": {"cnd": [METER[1]]}}, ["device/energy", "device/switch"]),
    ],
)
@pytest.mark.parametrize("url", ["memory:", "sqlite:///{}/s.db"])
def test_discovery(criteria: dict[str, Any], found: list[str], url: str, tmp_path: Path) -> None:
    cse = on(url.format(tmp_path))
    of(make(cse, METER, rn="device"))
    of(make(cse, CONSUMPTION, f"{AE}/device", rn="energy", abECn=12.5, meaSe="house", lbl=["mine"]))
    of(make(cse, SWITCH, f"{AE}/device", rn="switch", state=True, fcied=True))
    instance = of(cse.retrieve(f"{AE}/device/switch/la"))["rn"]
    response = cse.retrieve("cse-in", fc={"fu": 1, **criteria})
    assert sorted(response.pc["m2m:uril"]) == sorted(f"{AE}/{each}".replace("INSTANCE", instance) for each in found)
    cse.store.close()


def test_a_group_of_flex_containers_is_read_and_switched_at_once() -> None:
    cse = world()
    paths = [f"{AE}/{of(make(cse, rn=f'switch{number}'))['rn']}" for number in range(3)]
    group = of(cse.create("cse-in", 9, {"m2m:grp": {"rn": "grp", "mnm": 5, "mid": paths, "mt": 28}}))
    assert (group["mt"], group["mtv"]) == (28, True)
    changed = cse.update("cse-in/grp/fopt", {"cod:binSh": {"state": True}})
    assert [answer["rsc"] for answer in changed.pc["m2m:agr"]["m2m:rsp"]] == [2004] * 3
    assert all(seen(cse, path)["state"] for path in paths)
    mixed = cse.create("cse-in", 9, {"m2m:grp": {"rn": "mixed", "mnm": 5, "mid": [paths[0], POWER], "mt": 28, "csy": 1}})
    assert POWER not in of(mixed)["mid"]


def test_a_group_may_be_of_one_specialisation_only() -> None:
    """Procedures 11.1: spty restricts the specialisation too."""
    cse = world()
    of(make(cse, rn="switch"))
    of(make(cse, BATTERY, rn="battery", lvl=5))
    both = [f"{AE}/switch", f"{AE}/battery"]
    wanted = {"mnm": 5, "mt": 28, "spty": {"cnd": SWITCH[1]}}
    assert of(cse.create("cse-in", 9, {"m2m:grp": {"rn": "one", **wanted, "mid": both}}))["mid"] == both[:1]
    refused = cse.create("cse-in", 9, {"m2m:grp": {**wanted, "mid": both, "csy": 2}})
    assert refused.rsc == RSC.GROUP_MEMBER_TYPE_INCONSISTENT
    assert both[1] in refused.pc["m2m:dbg"]
    nested = {"mid": ["cse-in/one/fopt"], "mnm": 5, "mt": 28, "csy": 2}
    assert cse.create("cse-in", 9, {"m2m:grp": {**nested, "spty": {"cnd": SWITCH[1]}}}).rsc == RSC.CREATED
    assert cse.create("cse-in", 9, {"m2m:grp": {**nested, "spty": {"cnd": BATTERY[1]}}}).rsc == RSC.GROUP_MEMBER_TYPE_INCONSISTENT


def test_a_policy_may_be_about_one_specialisation_only() -> None:
    """accessControlObjectDetails with spty (procedures 4)."""
    cse = world()
    details = {"ty": 28, "spty": {"cnd": METER[1]}, "chty": [28]}
    acp = policy(cse, "acp", rule(OTHER, 1, acod=[details]))
    of(make(cse, METER, rn="meter", acpi=[acp]))
    of(make(cse, rn="switch", acpi=[acp]))
    assert make(cse, to=f"{AE}/meter", fr=OTHER).rsc == RSC.CREATED
    assert make(cse, to=f"{AE}/switch", fr=OTHER).rsc == RSC.ORIGINATOR_HAS_NO_PRIVILEGE


def test_contents_of_other_types_are_untouched() -> None:
    cse = world()
    of(cse.create(POWER, 4, {"m2m:cin": {"con": "1"}}, ME))
    of(make(cse, to=POWER))
    assert contents(cse) == ["1"]
    assert seen(cse, POWER)["cni"] == 1
