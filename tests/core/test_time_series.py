"""timeSeries and timeSeriesInstance as resources (procedures 6.5, 6.6; TS-0001 9.6.36, 9.6.37, TS-0004 7.4.38, 7.4.39)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cse.codes import Operation
from cse.codes import ResponseStatusCode as RSC
from cse.datatypes import timestamp
from cse.primitives import Call, Request, Response
from cse.storage import open_store
from tests.core.tree import AE, ME, OTHER, POWER, answering, of, policy, register, rule, seen, world
from tests.drive import TYPES, Driven

SERIES = f"{AE}/series"
WATCHED: dict[str, Any] = {"pei": 1000, "peid": 100, "mdt": 300, "mdd": True}


def make(cse: Driven, to: str = AE, fr: str = ME, **attributes: Any) -> Response:
    """Create a timeSeries."""
    return cse.create(to, 29, {"m2m:ts": {"rn": "series", **attributes}}, fr)


def add(cse: Driven, dgt: Any, con: Any = "x", to: str = SERIES, fr: str = ME, **attributes: Any) -> Response:
    """Create a timeSeriesInstance."""
    return cse.create(to, 30, {"m2m:tsi": {"dgt": dgt, "con": con, **attributes}}, fr)


def change(cse: Driven, **attributes: Any) -> Response:
    return cse.update(SERIES, {"m2m:ts": attributes}, ME)


def instances(cse: Driven) -> list[dict[str, Any]]:
    """Give the instances, oldest first, and see to it that the counters fit."""
    found = of(cse.retrieve(SERIES, rcn=4))
    instances: list[dict[str, Any]] = found.get("m2m:tsi", [])
    assert (found["cni"], found["cbs"]) == (len(instances), sum(each["cs"] for each in instances))
    return instances


def refused(response: Response, rsc: RSC, *names: str) -> None:
    assert response.rsc == rsc, response
    for name in names:
        assert name in response.pc["m2m:dbg"], response


@pytest.fixture
def cse() -> Driven:
    return world()


@pytest.fixture(params=["memory", "sqlite", "tinydb"])
def stored(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Driven]:
    """A CSE with an AE on a store of each kind."""
    url = "memory:" if request.param == "memory" else f"{request.param}:///{tmp_path}/store"
    store = open_store(url, frozenset(kind.ty for kind in TYPES if kind.instance))
    cse = Driven(store=store)
    register(cse, ME, rn="meter")
    yield cse
    store.close()


# --- timeSeries --------------------------------------------------------------------------------------------------------------------------------------------


def test_what_a_new_time_series_has(cse: Driven) -> None:
    found = of(make(cse, lbl=["a"], cnf="application/json:0", cr=None, **{"or": "http://onto.example/x"}))
    assert (found["ty"], found["rn"], found["cni"], found["cbs"], found["mdc"], found["mdd"]) == (29, "series", 0, 0, 0, False)
    assert found["cnf"] == "application/json:0"
    assert found["cr"] == ME
    assert found["ct"] == found["lt"]
    assert not {"mdlt", "st", "pei", "peid", "mdt", "mdn"} & set(found), "an empty list is not stored, and a timeSeries has no stateTag"


@pytest.mark.parametrize("to", ["cse-in", AE, POWER, f"{AE}/flex"])
def test_where_a_time_series_may_be(cse: Driven, to: str) -> None:
    of(cse.create(AE, 28, {"cod:binSh": {"rn": "flex", "cnd": "org.onem2m.common.moduleclass.binarySwitch", "state": True}}, ME))
    assert of(make(cse, to, "CAdmin"))["rn"] == "series"


def test_where_it_may_not_be_and_what_may_not_be_below(cse: Driven) -> None:
    make(cse)
    of(cse.create("cse-in", 9, {"m2m:grp": {"rn": "group", "mid": [], "mnm": 1}}))
    for to, kind, content in [
        ("cse-in/group", 29, {"m2m:ts": {}}),
        (SERIES, 29, {"m2m:ts": {}}),
        (SERIES, 3, {"m2m:cnt": {}}),
        (SERIES, 4, {"m2m:cin": {"con": "x"}}),
        (POWER, 30, {"m2m:tsi": {"con": "x", "dgt": "20260101T000000"}}),
    ]:
        refused(cse.create(to, kind, content), RSC.INVALID_CHILD_RESOURCE_TYPE)
    assert seen(cse, SERIES)["cni"] == 0


@pytest.mark.parametrize(
    ("attributes", "names"),
    [
        ({"pei": 1000, "peid": 501}, ["peid", "pei"]),
        ({"pei": 999, "peid": 500}, ["peid", "pei"]),
        ({"pei": 0}, ["pei"]),
        ({"pei": -1}, ["pei"]),
        ({"pei": "1000"}, ["pei"]),
        ({"peid": -1}, ["peid"]),
        ({"mdt": 0}, ["mdt"]),
        ({"mdn": 0}, ["mdn"]),
        ({"mdd": "true"}, ["mdd"]),
        ({"mdd": True, "pei": 1000}, ["mdd", "mdt"]),
        ({"mdd": True, "mdt": 300}, ["mdd", "pei"]),
        ({"mdd": True, "pei": 1000, "peid": 300, "mdt": 300}, ["mdt", "peid"]),
        ({"mdd": True, "pei": 1000, "peid": 300, "mdt": 299}, ["mdt", "peid"]),
        ({"mdc": 0}, ["mdc"]),
        ({"mdlt": ["20260101T000000"]}, ["mdlt"]),
        ({"cni": 0}, ["cni"]),
        ({"cbs": 0}, ["cbs"]),
        ({"st": 0}, ["st"]),
        ({"mni": -1}, ["mni"]),
        ({"mbs": "5"}, ["mbs"]),
        ({"cnf": "nonsense"}, ["cnf"]),
        ({"nosuch": 1}, ["nosuch"]),
        ({"rn": "la/x"}, ["rn"]),
    ],
    ids=str,
)
def test_representations_that_are_refused(cse: Driven, attributes: dict[str, Any], names: list[str]) -> None:
    refused(make(cse, **attributes), RSC.BAD_REQUEST, *names)
    assert cse.retrieve(SERIES).rsc == RSC.NOT_FOUND


@pytest.mark.parametrize(
    ("attributes", "peid"),
    [
        ({"pei": 1000}, 500),
        ({"pei": 1001}, 500),
        ({"pei": 1}, 0),
        ({"pei": 1000, "mdt": 200, "mdd": True}, 199),
        ({"pei": 1000, "mdt": 5000, "mdd": True}, 500),
        ({"pei": 1000, "peid": 0, "mdt": 1, "mdd": True}, 0),
        ({"pei": 1000, "peid": 500, "mdt": 501, "mdd": True}, 500),
        ({"peid": 700}, 700),
        ({"mdt": 1}, None),
    ],
    ids=str,
)
def test_the_tolerance_that_is_given_or_else_the_widest_that_is_allowed(cse: Driven, attributes: dict[str, Any], peid: int | None) -> None:
    assert of(make(cse, **attributes)).get("peid") == peid


def test_a_list_is_no_longer_than_the_cse_keeps(cse: Driven) -> None:
    assert of(make(cse, mdn=10**9))["mdn"] == 1000
    assert of(change(cse, mdn=10**6))["mdn"] == 1000
    assert of(change(cse, mdn=7))["mdn"] == 7
    assert "mdn" not in of(change(cse, mdn=None))


@pytest.mark.parametrize("name", ["mdt", "mdn", "pei", "peid"])
@pytest.mark.parametrize("watched", [False, True])
def test_an_update_of_mdd_goes_with_no_other_setting(cse: Driven, name: str, watched: bool) -> None:
    before = of(make(cse, **{**WATCHED, "mdd": watched}))
    for value in (True, False, None):
        refused(change(cse, mdd=value, **{name: 400}), RSC.BAD_REQUEST, "mdd", name)
    assert seen(cse, SERIES) == before


@pytest.mark.parametrize(
    ("name", "value"), [("mdt", 400), ("mdt", None), ("mdn", 4), ("mdn", None), ("pei", 2000), ("pei", None), ("peid", 50), ("peid", None)]
)
def test_settings_are_fixed_while_missing_data_are_detected(cse: Driven, name: str, value: int | None) -> None:
    before = of(make(cse, **WATCHED))
    refused(change(cse, **{name: value}), RSC.BAD_REQUEST, "mdd", name)
    assert seen(cse, SERIES) == before
    of(change(cse, mdd=False))
    of(change(cse, **{name: value}))
    found = seen(cse, SERIES)
    assert found.get(name) == (299 if (name, value) == ("peid", None) else value), "a tolerance that is removed is chosen anew: less than mdt"


@pytest.mark.parametrize(
    ("made", "changes", "names"),
    [
        ({}, {"mdd": True}, ["mdd", "pei"]),
        ({"pei": 1000}, {"mdd": True}, ["mdd", "mdt"]),
        ({"pei": 1000, "mdt": 100, "peid": 100}, {"mdd": True}, ["mdt", "peid"]),
        ({"pei": 1000, "peid": 400}, {"pei": 700}, ["peid", "pei"]),
        ({"pei": 1000, "peid": 400}, {"peid": 501}, ["peid", "pei"]),
        ({}, {"cnf": "text/plain"}, ["cnf"]),
        ({}, {"mdc": 0}, ["mdc"]),
        ({}, {"mdlt": None}, ["mdlt"]),
        ({}, {"cni": 1}, ["cni"]),
        ({}, {"mdt": 0}, ["mdt"]),
        ({"pei": 1000}, {"pei": "x"}, ["pei"]),
    ],
    ids=str,
)
def test_updates_that_are_refused(cse: Driven, made: dict[str, Any], changes: dict[str, Any], names: list[str]) -> None:
    before = of(make(cse, **made))
    refused(change(cse, **changes), RSC.BAD_REQUEST, *names)
    assert seen(cse, SERIES) == before


def test_what_is_wrong_is_refused_before_a_blocking_subscriber_is_asked(cse: Driven) -> None:
    of(make(cse, **WATCHED))
    of(cse.create(SERIES, 23, {"m2m:sub": {"nu": [ME], "enc": {"net": [7]}}}, ME))
    of(cse.update(AE, {"m2m:ae": {"poa": ["http://meter.example"]}}, ME))
    refused(change(cse, pei=5), RSC.BAD_REQUEST, "pei")
    assert cse.asked == []
    assert change(cse, mdd=False).rsc == RSC.UPDATED
    assert len(cse.asked) == 1


# --- instances ---------------------------------------------------------------------------------------------------------------------------------------------


def test_what_a_new_instance_has(cse: Driven) -> None:
    make(cse)
    found = of(add(cse, "20260101T000000,5", "äx", snr=7, lbl=["l"], cr=None))
    assert (found["ty"], found["dgt"], found["con"], found["snr"], found["cs"], found["lbl"], found["cr"]) == (30, "20260101T000000,5", "äx", 7, 3, ["l"], ME)
    assert found["ct"] == found["lt"]
    assert "st" not in found
    assert seen(cse, f"{SERIES}/{found['rn']}") == seen(cse, found["ri"]) == found
    assert (seen(cse, SERIES)["cni"], seen(cse, SERIES)["cbs"]) == (1, 3)


@pytest.mark.parametrize("con", ["", "text", 5, 2.5, True])
def test_contents(cse: Driven, con: Any) -> None:
    make(cse)
    assert of(add(cse, "20260101T000000", con))["con"] == con


@pytest.mark.parametrize(
    ("content", "name"),
    [
        ({"con": "x"}, "dgt"),
        ({"dgt": "20260101T000000"}, "con"),
        ({"con": "x", "dgt": "yesterday"}, "dgt"),
        ({"con": "x", "dgt": "2026-01-01T00:00:00"}, "dgt"),
        ({"con": "x", "dgt": "20260231T000000"}, "dgt"),
        ({"con": "x", "dgt": "20260101T000000Z"}, "dgt"),
        ({"con": "x", "dgt": None}, "dgt"),
        ({"con": "x", "dgt": True}, "dgt"),
        ({"con": "x", "dgt": 1.5}, "dgt"),
        ({"con": "x", "dgt": 10**18}, "dgt"),
        ({"con": "x", "dgt": -(10**18)}, "dgt"),
        ({"con": "x", "dgt": "999999999999999999"}, "dgt"),
        ({"con": None, "dgt": "20260101T000000"}, "con"),
        ({"con": "x", "dgt": "20260101T000000", "snr": -1}, "snr"),
        ({"con": "x", "dgt": "20260101T000000", "snr": "1"}, "snr"),
        ({"con": "x", "dgt": "20260101T000000", "cs": 1}, "cs"),
        ({"con": "x", "dgt": "20260101T000000", "st": 1}, "st"),
        ({"con": "x", "dgt": "20260101T000000", "acpi": ["p"]}, "acpi"),
        ({"con": "x", "dgt": "20260101T000000", "cnf": "text/plain:0"}, "cnf"),
        ({"con": "x", "dgt": "20260101T000000", "et": "20200101T000000"}, "et"),
    ],
    ids=str,
)
def test_instances_that_are_refused(cse: Driven, content: dict[str, Any], name: str) -> None:
    before = of(make(cse, **WATCHED))
    refused(cse.create(SERIES, 30, {"m2m:tsi": content}, ME), RSC.BAD_REQUEST, name)
    assert seen(cse, SERIES) == before
    assert instances(cse) == []


@pytest.mark.parametrize(("dgt", "seconds"), [(0, 0), (-1500, -1.5), ("-1500", -1.5), (2000, 2), ("20260517", 20260.517)])
def test_a_relative_generation_time_counts_from_now(cse: Driven, dgt: Any, seconds: float) -> None:
    """As a moment it means the same at every RETRIEVE, and can be compared with others."""
    make(cse)
    response = cse.create(SERIES, 30, {"m2m:tsi": {"dgt": dgt, "con": "x"}}, ME, rcn=9)
    assert of(response)["dgt"] == timestamp(cse.seconds + seconds), "the originator is told what became of it"
    assert instances(cse)[0]["dgt"] == timestamp(cse.seconds + seconds)
    refused(add(cse, timestamp(cse.seconds + seconds)), RSC.CONFLICT, "dgt")


@pytest.mark.parametrize("again", ["20260101T000000", "20260101T000000,0", "20260101T000000,000000"])
def test_one_instance_for_each_moment(stored: Driven, again: str) -> None:
    of(make(stored))
    first = of(add(stored, "20260101T000000,0"))
    of(add(stored, "20260101T000001"))
    before = seen(stored, SERIES)
    refused(add(stored, again, "other"), RSC.CONFLICT, "dgt", again, first["rn"])
    assert seen(stored, SERIES) == before
    assert [each["con"] for each in instances(stored)] == ["x", "x"]
    of(add(stored, "20260101T000000,000001"))
    of(make(stored, rn="second"))
    of(add(stored, again, to=f"{AE}/second"))


def test_a_moment_is_free_again_when_its_instance_is_gone(stored: Driven) -> None:
    of(make(stored, mni=3))
    for second in range(3):
        of(add(stored, f"20260101T00000{second}"))
    assert stored.delete(f"{SERIES}/la", ME).rsc == RSC.DELETED
    of(add(stored, "20260101T000002", "deleted"))
    of(add(stored, "20260101T000003"))
    refused(add(stored, "20260101T000001"), RSC.CONFLICT, "dgt")
    of(add(stored, "20260101T000000", "pushed out"))
    assert [each["con"] for each in instances(stored)] == ["deleted", "x", "pushed out"]


def test_an_expired_instance_makes_room_for_another_of_its_moment(stored: Driven) -> None:
    """What has expired does not exist, whether it was removed yet or not."""
    of(make(stored))
    of(add(stored, "20260101T000000", "long"))
    of(add(stored, "20260101T000001", "brief", et=timestamp(stored.seconds + 5)))
    stored.seconds += 10
    of(add(stored, "20260101T000001", "new"))
    assert [each["con"] for each in instances(stored)] == ["long", "new"]


def test_many_in_one_commit_are_told_apart(stored: Driven) -> None:
    """Requests that share a commit see each other."""
    of(make(stored))

    def run(dgt: str) -> RSC:
        steps = stored.cse.handle(Request(Operation.CREATE, SERIES, ME, dgt, "4", ty=30, pc={"m2m:tsi": {"dgt": dgt, "con": "x"}}))
        while True:
            try:
                next(steps)
            except StopIteration as end:
                return RSC(end.value.rsc)

    times = [f"20260101T0000{second:02}" for second in (5, 3, 5, 3, 9, 4, 9)]
    assert [run(each) for each in times] == [RSC.CREATED, RSC.CREATED, RSC.CONFLICT, RSC.CONFLICT, RSC.CREATED, RSC.CREATED, RSC.CONFLICT]
    stored.commit()
    assert len(instances(stored)) == 4


def test_order_is_that_of_creation(stored: Driven) -> None:
    of(make(stored))
    for second in (5, 1, 9, 3):
        of(add(stored, f"20260101T00000{second}", second))
    assert [each["con"] for each in instances(stored)] == [5, 1, 9, 3]
    assert seen(stored, f"{SERIES}/la")["con"] == 3
    assert seen(stored, f"{SERIES}/ol")["con"] == 5
    of(change(stored, mni=2))
    assert [each["con"] for each in instances(stored)] == [9, 3]


def test_latest_and_oldest(cse: Driven) -> None:
    make(cse)
    for name in ("la", "ol"):
        assert cse.retrieve(f"{SERIES}/{name}", ME).rsc == RSC.NOT_FOUND
        assert cse.delete(f"{SERIES}/{name}", ME).rsc == RSC.NOT_FOUND
        assert cse.update(f"{SERIES}/{name}", {"m2m:tsi": {"lbl": []}}, ME).rsc == RSC.OPERATION_NOT_ALLOWED
        assert add(cse, "20260101T000000", to=f"{SERIES}/{name}").rsc == RSC.OPERATION_NOT_ALLOWED
        refused(add(cse, "20260101T000000", rn=name), RSC.CONFLICT, name)
    for second in range(4):
        of(add(cse, f"20260101T00000{second}", second))
    assert cse.retrieve(f"{SERIES}/la", OTHER).rsc == RSC.ORIGINATOR_HAS_NO_PRIVILEGE
    assert of(cse.delete(f"{SERIES}/la", ME, rcn=1))["con"] == 3
    assert of(cse.delete(f"{SERIES}/ol", ME, rcn=1))["con"] == 0
    assert [each["con"] for each in instances(cse)] == [1, 2]


def test_an_instance_is_never_updated(cse: Driven) -> None:
    make(cse)
    made = of(add(cse, "20260101T000000"))
    for body in ({"lbl": ["a"]}, {"con": "y"}, {}):
        assert cse.update(made["ri"], {"m2m:tsi": body}, ME).rsc == RSC.OPERATION_NOT_ALLOWED
    assert seen(cse, made["ri"]) == made


def test_the_series_decides_who_may_do_what(cse: Driven) -> None:
    shared = policy(cse, "shared", rule(OTHER, 2))
    make(cse, acpi=[shared])
    made = of(add(cse, "20260101T000000", fr="CAdmin"))
    assert seen(cse, made["ri"], OTHER) == made
    assert add(cse, "20260101T000001", fr=OTHER).rsc == RSC.ORIGINATOR_HAS_NO_PRIVILEGE
    assert cse.delete(made["ri"], OTHER).rsc == RSC.ORIGINATOR_HAS_NO_PRIVILEGE
    assert instances(cse) == [made]


# --- limits ------------------------------------------------------------------------------------------------------------------------------------------------


def test_the_number_of_instances(stored: Driven) -> None:
    of(make(stored, mni=3))
    for second in range(7):
        of(add(stored, f"20260101T00000{second}", second))
    assert [each["con"] for each in instances(stored)] == [4, 5, 6]
    of(change(stored, mni=1))
    assert [each["con"] for each in instances(stored)] == [6]


def test_the_bytes_of_all_instances(cse: Driven) -> None:
    make(cse, mbs=10)
    refused(add(cse, "20260101T000000", "x" * 11), RSC.NOT_ACCEPTABLE, "mbs")
    assert instances(cse) == []
    for second, size in enumerate((4, 4, 4, 10, 3)):
        of(add(cse, f"20260101T00000{second}", "x" * size))
    assert [each["cs"] for each in instances(cse)] == [3]
    of(add(cse, "20260101T000009", "x" * 7))
    of(change(cse, mbs=9))
    assert [each["cs"] for each in instances(cse)] == [7]


def test_the_age_of_instances(cse: Driven) -> None:
    make(cse, mia=10)
    made = of(add(cse, "20260101T000000"))
    assert made["et"] == timestamp(cse.seconds + 10)
    cse.pass_time(5)
    of(add(cse, "20260101T000001"))
    cse.pass_time(6)
    assert [each["dgt"] for each in instances(cse)] == ["20260101T000001"]
    of(change(cse, mia=3))
    assert instances(cse) == []


def test_a_deleted_instance_is_counted(cse: Driven) -> None:
    make(cse)
    made = of(add(cse, "20260101T000000", "abc"))
    of(add(cse, "20260101T000001", "de"))
    assert cse.delete(made["ri"], ME).rsc == RSC.DELETED
    assert [each["con"] for each in instances(cse)] == ["de"]


# --- like any other resource -------------------------------------------------------------------------------------------------------------------------------


def test_discovery(cse: Driven) -> None:
    make(cse, lbl=["kind:series"])
    for second, con in enumerate(("a", "bcd", "efghi")):
        of(add(cse, f"20260101T00000{second}", con, rn=f"i{second}", snr=second, lbl=[f"n:{second}"]))

    def found(**criteria: Any) -> list[str]:
        answer = cse.retrieve(AE, ME, fc={"fu": 1, **criteria})
        assert answer.rsc == RSC.OK, answer
        return [address.rpartition("/")[2] for address in answer.pc["m2m:uril"]]

    assert found(ty=[30]) == ["i0", "i1", "i2"]
    assert found(ty=[29]) == ["series"]
    assert found(sza=3, ty=[30]) == ["i1", "i2"]
    assert found(szb=3, ty=[30]) == ["i0"]
    assert found(atr=[{"nm": "dgt", "val": "20260101T000001"}]) == ["i1"]
    assert found(atr=[{"nm": "snr", "val": "2"}]) == ["i2"]
    assert found(lbl=["n:1"]) == ["i1"]
    assert found(pty=[29]) == ["i0", "i1", "i2"]
    assert found(ty=[29], arp="la") == ["la"]


def test_result_contents(cse: Driven) -> None:
    make(cse)
    made = [of(add(cse, f"20260101T00000{second}")) for second in range(2)]
    assert of(cse.retrieve(SERIES, ME, rcn=8)) == {"m2m:tsi": made}
    assert [each["typ"] for each in of(cse.retrieve(SERIES, ME, rcn=5))["ch"]] == [30, 30]
    assert of(cse.retrieve(made[0]["ri"], ME, pc={"m2m:atrl": ["dgt", "snr"]})) == {"dgt": "20260101T000000"}
    assert cse.retrieve(f"{made[0]['ri']}#dgt", ME).pc == {"m2m:tsi": {"dgt": "20260101T000000"}}


def test_a_fan_out_reaches_series(cse: Driven) -> None:
    make(cse)
    make(cse, rn="second")
    of(cse.create(AE, 9, {"m2m:grp": {"rn": "g", "mt": 29, "mid": [SERIES, f"{AE}/second"], "mnm": 5}}, ME))
    answer = cse.create(f"{AE}/g/fopt", 30, {"m2m:tsi": {"dgt": "20260101T000000", "con": "all"}}, ME)
    assert [each["rsc"] for each in answer.pc["m2m:agr"]["m2m:rsp"]] == [2001, 2001]
    answer = cse.create(f"{AE}/g/fopt", 30, {"m2m:tsi": {"dgt": "20260101T000000", "con": "again"}}, ME)
    assert [each["rsc"] for each in answer.pc["m2m:agr"]["m2m:rsp"]] == [4105, 4105]
    answer = cse.retrieve(f"{AE}/g/fopt/la", ME)
    assert [each["pc"]["m2m:tsi"]["con"] for each in answer.pc["m2m:agr"]["m2m:rsp"]] == ["all", "all"]
    assert cse.create(f"{AE}/g/fopt", 4, {"m2m:cin": {"con": "x"}}, ME).rsc == RSC.INVALID_CHILD_RESOURCE_TYPE


def test_a_subscriber_hears_of_instances_and_changes(cse: Driven) -> None:
    of(cse.update(AE, {"m2m:ae": {"poa": ["http://meter.example"]}}, ME))
    make(cse, mni=2)
    of(cse.create(SERIES, 23, {"m2m:sub": {"nu": [ME], "enc": {"net": [1, 3, 4]}}}, ME))
    for second in range(3):
        of(add(cse, f"20260101T00000{second}"))
    of(change(cse, lbl=["a"]))
    cse.delete(f"{SERIES}/la", ME)
    assert [notice.content["m2m:sgn"]["nev"]["net"] for notice in cse.taken()] == [3, 3, 3, 1, 4], "what a limit pushes out is no event"


def test_nobody_subscribes_to_an_instance(cse: Driven) -> None:
    make(cse)
    made = of(add(cse, "20260101T000000"))
    assert cse.create(made["ri"], 23, {"m2m:sub": {"nu": [ME]}}, ME).rsc == RSC.TARGET_NOT_SUBSCRIBABLE


def test_a_blocking_subscriber_that_refuses(cse: Driven) -> None:
    of(make(cse))
    of(cse.create(SERIES, 23, {"m2m:sub": {"nu": [ME], "enc": {"net": [7]}}}, ME))
    of(cse.update(AE, {"m2m:ae": {"poa": ["http://meter.example"]}}, ME))
    cse.answer = answering(RSC.ORIGINATOR_HAS_NO_PRIVILEGE)
    assert change(cse, pei=5).rsc == RSC.OPERATION_DENIED_BY_REMOTE_ENTITY
    (call,) = cse.asked
    assert isinstance(call, Call)
    assert "pei" not in seen(cse, SERIES)
