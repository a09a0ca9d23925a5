"""Management objects: their forms, places and actions (TS-0001 9.6.15, annex D; procedures 13)."""

from typing import Any

import pytest

from cse.codes import ResponseStatusCode as RSC
from tests.core.tree import AE, of, seen, world
from tests.drive import Driven
from tests.law.facts import fact

NODE = "cse-in/gateway"
LINK = [{"val": "cse-in/gateway/x", "nm": "x", "typ": 1013}]
LEAST: dict[int, dict[str, Any]] = {
    1001: {"vr": "1.0", "fwn": "meter", "url": "http://files/1.0", "ud": False},
    1002: {"vr": "1.0", "swn": "app", "url": "http://files/app"},
    1003: {"mma": 100, "mmt": 2**40},
    1004: {"ant": "wM-Bus"},
    1005: {"dvd": "d1", "dvt": "meter", "awi": "cse-in/gateway/net"},
    1006: {"btl": 80, "bts": 1},
    1007: {"dlb": "meter", "man": "Maker", "mod": "M1", "dty": "meter"},
    1008: {"can": "relay", "att": True, "cas": {"acn": "none", "sus": 1}, "cus": True},
    1009: {},
    1010: {"lgt": 1, "lgd": "", "lgst": 2},
    1011: {"cmlk": LINK, "cpn": "policy"},
    1012: {"acmlk": "/id-mn/policy"},
    1013: {"cmlk": LINK},
    1014: {"od": 1, "dev": 2, "ror": ["CAdmin"]},
    1015: {"aec": [0], "dqet": -1, "dset": -1, "doet": -1, "drp": 1000, "dda": False},
    1016: {"od": 1, "ror": ["CAdmin"], "lec": [2], "lqet": [0, -1], "lset": [0, 1], "loet": [0, 1], "lrp": [0, 1], "lda": [False, True]},
    1017: {"aecs": [0]},
    1018: {"cmlk": LINK, "ttn": ["net"], "mrv": 0, "swt": 0, "bop": {"bops": [{"nwa": 5, "ibt": 1, "abt": 1, "mbt": 10}]}},
    1019: {"aec": [0], "mbfs": 1000, "sgp": 10},
    1021: {"cntp": "cse-in/meter/power"},
    1023: {"suids": [40], "mcff": "urn:format", "mcfc": "MII"},
    1028: {"ssid": "home", "scan": False},
    1030: {"icid": "89430000000000000000"},
    1031: {"cnb": 7},
}
"""The mandatory attributes of each specialisation that has some."""

SPECIALISATIONS: list[dict[str, Any]] = fact("resource_types")["mgmtObjSpecialisations"]
NAMES = [entry["name"] for entry in SPECIALISATIONS]


def managed() -> Driven:
    """Give a CSE with a node, whose device the AE Cmeter drives."""
    cse = world()
    of(cse.create("cse-in", 14, {"m2m:nod": {"rn": "gateway", "ni": "urn:dev:gateway"}}))
    return cse


def root_of(mgd: int) -> str:
    roots = {entry["mgd"]: entry["short"] for entry in SPECIALISATIONS}
    return roots.get(mgd) or "m2m:mgo"


def add(cse: Driven, mgd: int, rn: str = "object", to: str = NODE, **attributes: Any) -> dict[str, Any]:
    """Create a management object."""
    return of(cse.create(to, 13, {root_of(mgd): {"rn": rn, "mgd": mgd, **LEAST.get(mgd, {}), **attributes}}))


def change(cse: Driven, mgd: int, **attributes: Any) -> dict[str, Any]:
    """Update the management object."""
    return of(cse.update(f"{NODE}/object", {root_of(mgd): attributes}))


# --- forms ----------------------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("entry", SPECIALISATIONS, ids=NAMES)
def test_every_specialisation_can_be_made_read_and_subscribed_to(entry: dict[str, Any]) -> None:
    cse, mgd = managed(), entry["mgd"]
    made = add(cse, mgd, dc="a description", obis=["urn:oid:1"], obps=["./1"])
    assert made.items() >= {"ty": 13, "mgd": mgd, "dc": "a description", "obis": ["urn:oid:1"], **LEAST.get(mgd, {})}.items()
    (root,) = cse.retrieve(made["ri"]).pc
    assert root == root_of(mgd)
    of(cse.create(made["ri"], 23, {"m2m:sub": {"nu": ["http://sink:80"]}}))
    assert change(cse, mgd, dc="another")["dc"] == "another"
    (notice,) = cse.taken()
    assert notice.content["m2m:sgn"]["nev"]["rep"][root]["dc"] == "another"
    assert cse.delete(made["ri"]).rsc == RSC.DELETED


@pytest.mark.parametrize("entry", SPECIALISATIONS, ids=NAMES)
def test_what_is_mandatory_must_be_there(entry: dict[str, Any]) -> None:
    cse, least = managed(), LEAST.get(entry["mgd"], {})
    for name in ("mgd", *least):
        content = {key: value for key, value in {"rn": "object", "mgd": entry["mgd"], **least}.items() if key != name}
        refused = cse.create(NODE, 13, {root_of(entry["mgd"]): content})
        assert refused.rsc == RSC.BAD_REQUEST, name
        assert f"{name} (" in refused.pc["m2m:dbg"]
    assert cse.retrieve(f"{NODE}/object").rsc == RSC.NOT_FOUND


@pytest.mark.parametrize("mgd", [1002, 1019, 1020, 0, 999, 1032, "1001", None])
def test_the_number_must_fit_the_root(mgd: Any) -> None:
    """Procedures 13: mgd must fit the root name, else 4000."""
    assert managed().create(NODE, 13, {"m2m:fwr": {"mgd": mgd, **LEAST[1001]}}).rsc == RSC.BAD_REQUEST


def test_the_number_is_fixed() -> None:
    cse = managed()
    add(cse, 1001)
    for mgd in (1001, 1002, None):
        assert cse.update(f"{NODE}/object", {"m2m:fwr": {"mgd": mgd}}).rsc == RSC.BAD_REQUEST
    assert cse.update(f"{NODE}/object", {"m2m:swr": {"dc": "x"}}).rsc == RSC.BAD_REQUEST


def test_a_self_defined_object_has_its_schema() -> None:
    cse = managed()
    made = of(cse.create(NODE, 13, {"m2m:mgo": {"mgd": 0, "mgs": "http://schemas/mine", "dc": "mine"}}))
    assert (made["mgd"], made["mgs"]) == (0, "http://schemas/mine")
    assert of(cse.update(made["ri"], {"m2m:mgo": {"dc": "still mine"}}))["dc"] == "still mine"
    assert cse.update(made["ri"], {"m2m:mgo": {"mgs": "http://schemas/other"}}).rsc == RSC.BAD_REQUEST


@pytest.mark.parametrize(
    ("mgd", "attributes"),
    [
        (1001, {"url": "no url"}),
        (1001, {"ud": "true"}),
        (1001, {"uds": {"sus": 1}}),
        (1001, {"ud": True, "mma": 1}),
        (1002, {"in": True}),
        (1003, {"mma": -1}),
        (1006, {"btl": 101}),
        (1006, {"bts": 0}),
        (1006, {"bts": 8}),
        (1008, {"cas": {"sus": 4}}),
        (1010, {"lgst": 6}),
        (1011, {"cmlk": LINK[0]}),
        (1016, {"lqet": [1]}),
        (1019, {"sgp": 11}),
        (1028, {"wcrds": {"unm": "me"}}),
        (1030, {"imsi": "1"}),
    ],
)
def test_content_that_does_not_fit_the_form(mgd: int, attributes: dict[str, Any]) -> None:
    cse = managed()
    refused = cse.create(NODE, 13, {root_of(mgd): {"rn": "object", "mgd": mgd, **LEAST[mgd], **attributes}})
    assert refused.rsc == RSC.BAD_REQUEST
    assert list(attributes)[-1] in refused.pc["m2m:dbg"]
    assert cse.retrieve(f"{NODE}/object").rsc == RSC.NOT_FOUND


def test_several_objects_of_a_kind_may_be_there() -> None:
    cse = managed()
    add(cse, 1006, "main")
    add(cse, 1006, "backup", btl=20)
    found = of(cse.retrieve(NODE, rcn=4))["m2m:bat"]
    assert [(each["rn"], each["btl"]) for each in found] == [("main", 80), ("backup", 20)]


def test_a_reference_to_an_object_tells_its_kind() -> None:
    cse = managed()
    add(cse, 1006)
    (reference,) = cse.retrieve(NODE, rcn=6).pc["m2m:rrl"]["rrf"]
    assert (reference["typ"], reference["spty"]) == (13, 1006)


def test_discovery_finds_objects_by_type_and_kind() -> None:
    cse = managed()
    add(cse, 1006, "battery")
    add(cse, 1003, "memory")
    assert cse.retrieve("cse-in", fc={"fu": 1, "ty": [13]}).pc == {"m2m:uril": [f"{NODE}/battery", f"{NODE}/memory"]}
    assert cse.retrieve("cse-in", fc={"fu": 1, "atr": [{"nm": "mgd", "val": 1003}]}).pc == {"m2m:uril": [f"{NODE}/memory"]}


# --- places ---------------------------------------------------------------------------------------------------------------------------------------------------


def test_objects_are_below_nodes_only() -> None:
    cse = managed()
    for to in ("cse-in", AE):
        assert cse.create(to, 13, {"m2m:bat": {"mgd": 1006, **LEAST[1006]}}).rsc == RSC.INVALID_CHILD_RESOURCE_TYPE


@pytest.mark.parametrize("entry", SPECIALISATIONS, ids=NAMES)
def test_below_another_object_there_is_what_belongs_to_it(entry: dict[str, Any]) -> None:
    """The children of the specialisations (TS-0001 annex D, TS-0022)."""
    cse = managed()
    for above in SPECIALISATIONS:
        add(cse, above["mgd"], above["name"])
        body = {root_of(entry["mgd"]): {"mgd": entry["mgd"], **LEAST.get(entry["mgd"], {})}}
        wanted = RSC.CREATED if above["name"] in entry["parents"] else RSC.INVALID_CHILD_RESOURCE_TYPE
        assert cse.create(f"{NODE}/{above['name']}", 13, body).rsc == wanted, above["name"]


def test_one_cmdh_policy_is_in_force() -> None:
    cse = managed()
    add(cse, 1011, "policy")
    assert add(cse, 1012, "active", acmlk=f"{NODE}/policy")["acmlk"] == f"{NODE}/policy"
    assert cse.create(NODE, 13, {"m2m:acmp": {"mgd": 1012, "acmlk": f"{NODE}/policy"}}).rsc == RSC.CONFLICT
    refused = cse.update(f"{NODE}/active", {"m2m:acmp": {"acmlk": NODE}})
    assert refused.rsc == RSC.BAD_REQUEST
    assert "acmlk" in refused.pc["m2m:dbg"]


# --- actions (procedures 13: writing true starts, reading gives the state; sus 0 uninitialised, 1 successful, 2 failure, 3 in process) ------------------------

ACTIONS = [
    (1001, "ud", "uds", "update"),
    (1002, "in", "ins", "install"),
    (1002, "un", "ins", "uninstall"),
    (1002, "act", "acts", "activate"),
    (1002, "dea", "acts", "deactivate"),
    (1008, "ena", "cas", "enable"),
    (1008, "dis", "cas", "disable"),
    (1028, "ud", "uds", "update"),
]
PAIRS = [(1002, "in", "un"), (1002, "act", "dea"), (1008, "ena", "dis"), (1009, "rbo", "far"), (1010, "lga", "lgo")]


def test_nothing_is_going_on_at_first() -> None:
    cse = managed()
    assert add(cse, 1001, "firmware")["uds"] == {"sus": 0}
    software = add(cse, 1002, "software")
    assert (software["in"], software["un"], software["ins"]) == (False, False, {"sus": 0})
    assert add(cse, 1009, "reboot").items() >= {"rbo": False, "far": False}.items()
    assert add(cse, 1010, "log").items() >= {"lga": False, "lgo": False}.items()


@pytest.mark.parametrize(("mgd", "trigger", "status", "name"), ACTIONS)
@pytest.mark.parametrize("outcome", [1, 2])
def test_an_action_is_in_process_until_the_device_tells_its_outcome(mgd: int, trigger: str, status: str, name: str, outcome: int) -> None:
    cse = managed()
    add(cse, mgd)
    started = change(cse, mgd, **{trigger: True})
    assert started[trigger] is True
    assert started[status] == {"acn": name, "sus": 3}
    going_on = change(cse, mgd, **{status: {"acn": name, "sus": 3}})
    assert going_on[trigger] is True
    ended = change(cse, mgd, **{status: {"acn": name, "sus": outcome}})
    assert ended[trigger] is False
    assert ended[status] == {"acn": name, "sus": outcome}
    assert change(cse, mgd, **{trigger: True})[status]["sus"] == 3


def test_the_device_hears_of_it_and_tells() -> None:
    """The whole way: manager, subscription of the device AE, outcome, subscription of the manager."""
    cse = managed()
    made = add(cse, 1001)
    of(cse.create(made["ri"], 23, {"m2m:sub": {"rn": "device", "nu": ["http://device:80"], "enc": {"net": [1], "atr": ["ud"]}, "nct": 1}}))
    of(cse.create(made["ri"], 23, {"m2m:sub": {"rn": "manager", "nu": ["http://manager:80"], "enc": {"net": [1], "atr": ["uds"]}, "nct": 2}}))
    change(cse, 1001, url="http://files/2.0", vr="2.0", ud=True)
    told = {notice.target: notice.content["m2m:sgn"]["nev"]["rep"]["m2m:fwr"] for notice in cse.taken()}
    assert told["http://device:80"].items() >= {"ud": True, "url": "http://files/2.0", "uds": {"acn": "update", "sus": 3}}.items()
    assert told["http://manager:80"]["uds"] == {"acn": "update", "sus": 3}
    change(cse, 1001, uds={"acn": "update", "sus": 1})
    told = {notice.target: notice.content["m2m:sgn"]["nev"]["rep"]["m2m:fwr"] for notice in cse.taken()}
    assert told["http://manager:80"]["uds"] == {"acn": "update", "sus": 1}
    assert told["http://device:80"]["ud"] is False


def test_an_object_may_start_with_an_action() -> None:
    assert add(managed(), 1001, ud=True)["uds"] == {"acn": "update", "sus": 3}


def test_a_status_that_comes_with_a_new_object_stands() -> None:
    made = add(managed(), 1008, ena=True, cas={"acn": "enable", "sus": 1})
    assert (made["ena"], made["cas"]) == (True, {"acn": "enable", "sus": 1})


@pytest.mark.parametrize(("mgd", "one", "other"), PAIRS)
def test_contradictory_triggers_are_refused(mgd: int, one: str, other: str) -> None:
    cse = managed()
    before = add(cse, mgd)
    refused = cse.update(f"{NODE}/object", {root_of(mgd): {one: True, other: True}})
    assert refused.rsc == RSC.BAD_REQUEST
    assert one in refused.pc["m2m:dbg"]
    assert other in refused.pc["m2m:dbg"]
    assert seen(cse, f"{NODE}/object") == before


@pytest.mark.parametrize(("mgd", "one", "other"), [pair for pair in PAIRS if pair[0] != 1002])
def test_contradictory_triggers_are_refused_in_a_create_too(mgd: int, one: str, other: str) -> None:
    body = {root_of(mgd): {"mgd": mgd, **LEAST[mgd], one: True, other: True}}
    assert managed().create(NODE, 13, body).rsc == RSC.BAD_REQUEST


@pytest.mark.parametrize(("mgd", "one", "other"), PAIRS)
def test_a_later_action_takes_the_place_of_its_opposite(mgd: int, one: str, other: str) -> None:
    cse = managed()
    add(cse, mgd)
    change(cse, mgd, **{one: True})
    later = change(cse, mgd, **{other: True})
    assert (later[one], later[other]) == (False, True)


def test_installing_and_activating_do_not_exclude_each_other() -> None:
    cse = managed()
    add(cse, 1002)
    both = change(cse, 1002, act=True, **{"in": True})
    assert (both["ins"], both["acts"]) == ({"acn": "install", "sus": 3}, {"acn": "activate", "sus": 3})
    one = change(cse, 1002, ins={"acn": "install", "sus": 1})
    assert (one["in"], one["act"], one["acts"]["sus"]) == (False, True, 3)


@pytest.mark.parametrize(("mgd", "trigger", "status", "name"), ACTIONS)
def test_an_action_is_not_started_by_the_request_that_tells_its_outcome(mgd: int, trigger: str, status: str, name: str) -> None:
    cse = managed()
    add(cse, mgd)
    assert cse.update(f"{NODE}/object", {root_of(mgd): {trigger: True, status: {"acn": name, "sus": 1}}}).rsc == RSC.BAD_REQUEST


def test_a_device_may_send_the_whole_object_with_the_outcome() -> None:
    cse = managed()
    add(cse, 1001)
    change(cse, 1001, ud=True)
    assert change(cse, 1001, ud=True, vr="2.0", uds={"acn": "update", "sus": 1}).items() >= {"ud": False, "vr": "2.0"}.items()


@pytest.mark.parametrize("trigger", ["rbo", "far"])
def test_a_reboot_is_asked_for_until_the_device_has_done_it(trigger: str) -> None:
    cse = managed()
    add(cse, 1009)
    assert change(cse, 1009, **{trigger: True})[trigger] is True
    assert seen(cse, f"{NODE}/object")[trigger] is True
    assert change(cse, 1009, **{trigger: False})[trigger] is False


@pytest.mark.parametrize(("trigger", "status"), [("lga", 1), ("lgo", 2), ("lga", 5)])
def test_a_log_is_asked_for_until_the_device_tells_its_status(trigger: str, status: int) -> None:
    cse = managed()
    add(cse, 1010)
    asked = change(cse, 1010, **{trigger: True})
    assert (asked[trigger], asked["lgst"]) == (True, LEAST[1010]["lgst"])
    told = change(cse, 1010, lgst=status)
    assert (told[trigger], told["lgst"]) == (False, status)


def test_other_attributes_may_change_while_an_action_goes_on() -> None:
    cse = managed()
    add(cse, 1001)
    change(cse, 1001, ud=True)
    assert change(cse, 1001, dc="updating").items() >= {"ud": True, "uds": {"acn": "update", "sus": 3}}.items()
