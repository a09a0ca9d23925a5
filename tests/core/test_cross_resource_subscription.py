"""crossResourceSubscription (TS-0001 9.6.58, 10.2.16; TS-0004 7.4.58, 7.5.1.2.18, 7.5.1.2.20; procedures 15)."""

from dataclasses import replace as replaced
from typing import Any

import pytest
from msgspec.structs import replace

from cse.codes import Operation
from cse.codes import ResponseStatusCode as RSC
from cse.datatypes import timestamp
from cse.primitives import Call, Notice, Request, Response
from tests.core.tree import AE, ME, OTHER, POWER, answering, container, of, policy, put, register, rule, seen, world
from tests.drive import Driven

URL = "http://sink.example/"
HEAT = f"{AE}/heat"
CHILD = {"encn": [{"net": [3]}]}


def crs(cse: Driven, to: str = AE, fr: str = ME, **attributes: Any) -> Response:
    """Ask for a crossResourceSubscription to both containers with sliding windows of ten seconds, unless ``attributes`` say otherwise; None leaves one out."""
    given = {"rn": "both", "rrat": [POWER, HEAT], "encs": CHILD, "twt": 2, "tws": "PT10S", "nu": [fr], **attributes}
    return cse.create(to, 48, {"m2m:crs": {name: value for name, value in given.items() if value is not None}}, fr)


def sub(cse: Driven, to: str = POWER, fr: str = ME, **attributes: Any) -> str:
    """Create a subscription to new children and give its ri."""
    return str(of(cse.create(to, 23, {"m2m:sub": {"nu": [fr], "enc": {"net": [3]}, **attributes}}, fr))["ri"])


def subscriptions(cse: Driven, *places: str) -> list[dict[str, Any]]:
    """Give the subscriptions below some resources."""
    return [found for place in places for found in of(cse.retrieve(place, rcn=8)).get("m2m:sub", [])]


def told(cse: Driven) -> list[dict[str, Any]]:
    """Give the contents of the notifications of cross resource events since the last call."""
    return [notice.content["m2m:sgn"] for notice in cse.taken() if "nev" not in notice.content.get("m2m:sgn", {"nev": 0})]


def gone(cse: Driven, *paths: str) -> bool:
    """Tell whether nothing is left."""
    return all(cse.retrieve(path).rsc == RSC.NOT_FOUND for path in paths)


@pytest.fixture
def cse() -> Driven:
    found = world()
    container(found, "heat")
    return found


# --- CREATE -------------------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("attributes", "named"),
    [
        ({"rrat": None, "encs": None}, "rrat"),
        ({"rrat": None}, "srat"),
        ({"rrat": []}, "rrat"),
        ({"rrat": None, "srat": []}, "srat"),
        ({"encs": None}, "encs"),
        ({"encs": {}}, "encs"),
        ({"encs": {"encn": []}}, "encs"),
        ({"encs": {"encn": [{"net": [3]}] * 3}}, "encs"),
        ({"encs": {"encn": [{"net": [99]}]}}, "net"),
        ({"encs": {"encn": [{"nosuch": 1}]}}, "nosuch"),
        ({"rrat": [POWER], "encs": {"encn": [{"net": [3]}] * 2}}, "encs"),
        ({"twt": None}, "twt"),
        ({"twt": 0}, "twt"),
        ({"twt": 3}, "twt"),
        ({"twt": "1"}, "twt"),
        ({"tws": None}, "tws"),
        ({"tws": "soon"}, "tws"),
        ({"tws": 10}, "tws"),
        ({"tws": "PT0S"}, "tws"),
        ({"nu": None}, "nu"),
        ({"nu": []}, "nu"),
        ({"rrats": [POWER]}, "rrats"),
        ({"eem": 0}, "eem"),
        ({"eem": 6}, "eem"),
        ({"eem": 3}, "eem"),
        ({"eem": 4}, "eem"),
        ({"eem": 5}, "eem"),
        ({"exc": 0}, "exc"),
        ({"nec": 1}, "nec"),
        ({"nsi": []}, "nsi"),
        ({"cr": ME}, "cr"),
        ({"et": "20200101T000000"}, "et"),
        ({"rrat": ["/id-in//x"], "encs": CHILD}, "/id-in//x"),
        ({"srat": ["/id-in//x"]}, "/id-in//x"),
        ({"colour": 1}, "colour"),
    ],
    ids=str,
)
def test_representations_that_are_refused(cse: Driven, attributes: dict[str, Any], named: str) -> None:
    response = crs(cse, **attributes)
    assert response.rsc == RSC.BAD_REQUEST
    assert named in response.pc["m2m:dbg"]
    assert gone(cse, f"{AE}/both")
    assert subscriptions(cse, POWER, HEAT) == []
    assert cse.asked == []


def test_places(cse: Driven) -> None:
    """Below AE, CSEBase and remoteCSE; it cannot be subscribed to itself."""
    assert crs(cse, POWER).rsc == RSC.INVALID_CHILD_RESOURCE_TYPE
    assert crs(cse, "cse-in").rsc == RSC.ORIGINATOR_HAS_NO_PRIVILEGE
    assert crs(cse, "cse-in", "CAdmin").rsc == RSC.CREATED
    made = of(crs(cse))
    assert cse.create(made["ri"], 23, {"m2m:sub": {"nu": [ME]}}, ME).rsc == RSC.TARGET_NOT_SUBSCRIBABLE


def test_each_regular_target_gets_a_subscription(cse: Driven) -> None:
    """`nu` and `acrs` are the CRS, `enc` that of the target; `rrats` tells of them, and they are the originator's."""
    given = [{"net": [3], "chty": [4]}, {"net": [1], "atr": ["lbl"]}]
    made = of(crs(cse, encs={"encn": given}))
    found = subscriptions(cse, POWER, HEAT)
    address = f"/id-in/{made['ri']}"
    assert [(each["nu"], each["acrs"], each["enc"]) for each in found] == [([address], [address], criteria) for criteria in given]
    assert made["rrats"] == [each["ri"] for each in found]
    assert made["cr"] == ME
    assert [each["et"] for each in found] == [made["et"]] * 2
    assert cse.asked == [], "nobody is asked: both are here, and the only target is the originator"
    assert cse.update(found[0]["ri"], {"m2m:sub": {"lbl": ["mine"]}}, ME).ok


def test_one_criteria_entry_is_for_all_targets(cse: Driven) -> None:
    of(crs(cse, encs={"enc": [{"net": [4]}]}))
    assert [each["enc"] for each in subscriptions(cse, POWER, HEAT)] == [{"net": [4]}] * 2


def test_existing_subscriptions_are_extended(cse: Driven) -> None:
    one = sub(cse, nse=True)
    made = of(crs(cse, rrat=None, encs=None, srat=[f"{POWER}/{seen(cse, one)['rn']}", one]))
    found = seen(cse, one)
    address = f"/id-in/{made['ri']}"
    assert (found["nu"], found["acrs"]) == ([ME, address], [address])
    assert [each["tg"] for each in found["nsi"]] == [ME, address]
    assert "rrats" not in made
    assert made["srat"] == [f"{POWER}/{found['rn']}", one]


def refused(cse: Driven, case: str) -> dict[str, Any]:
    """Give targets of which the second one fails."""
    foreign = of(cse.create("cse-in/other", 3, {"m2m:cnt": {"rn": "shut"}}, OTHER))["ri"]
    match case:
        case "nowhere":
            return {"rrat": [POWER, f"{AE}/nowhere"]}
        case "forbidden":
            return {"rrat": [POWER, foreign]}
        case "not subscribable":
            return {"rrat": [POWER, put(cse)["ri"]]}
        case "virtual":
            return {"rrat": [POWER, f"{HEAT}/la"]}
        case "criteria":
            return {"encs": {"encn": [{"net": [3]}, {"net": [3], "chty": [2]}]}}
        case "expired":
            container(cse, "brief", et=timestamp(cse.seconds + 1))
            cse.seconds += 2
            return {"rrat": [POWER, f"{AE}/brief"]}
        case "srat nowhere":
            return {"srat": [sub(cse, HEAT), f"{HEAT}/nosub"]}
        case "srat no subscription":
            return {"srat": [sub(cse, HEAT), HEAT]}
        case "srat forbidden":
            return {"srat": [sub(cse, HEAT), sub(cse, foreign, OTHER)]}
        case _:
            guard = {"nu": [OTHER], "enc": {"net": [7]}}
            return {"srat": [sub(cse, HEAT), of(cse.create(POWER, 23, {"m2m:sub": guard}, "CAdmin"))["ri"]]}


CASES = [
    "nowhere",
    "forbidden",
    "not subscribable",
    "virtual",
    "criteria",
    "expired",
    "srat nowhere",
    "srat no subscription",
    "srat forbidden",
    "srat blocking",
]


@pytest.mark.parametrize("case", CASES)
def test_when_one_target_fails_nothing_is_left(cse: Driven, case: str) -> None:
    of(cse.update("cse-in/other", {"m2m:ae": {"poa": ["http://other"]}}, OTHER))
    given = refused(cse, case)
    before = subscriptions(cse, POWER, HEAT, "cse-in/other/shut")
    response = crs(cse, **given)
    assert response.rsc == RSC.CROSS_RESOURCE_OPERATION_FAILURE
    failing = given.get("srat", given.get("rrat", [POWER, HEAT]))[1]
    assert repr(failing) in response.pc["m2m:dbg"]
    assert gone(cse, f"{AE}/both")
    assert subscriptions(cse, POWER, HEAT, "cse-in/other/shut") == before
    assert told(cse) == []


def test_a_name_that_is_taken_leaves_nothing(cse: Driven) -> None:
    assert crs(cse, rn="power").rsc == RSC.CONFLICT
    assert subscriptions(cse, POWER, HEAT) == []


def test_the_notification_targets_are_verified(cse: Driven) -> None:
    made = of(crs(cse, nu=[ME, URL]))
    (call,) = cse.asked
    assert (call.urls, call.request.pc) == ((URL,), {"m2m:sgn": {"vrq": True, "sur": f"/id-in/{made['ri']}", "cr": ME}})
    assert call.request.fr == "/id-in"


def test_a_verification_that_fails(cse: Driven) -> None:
    cse.answer = answering(RSC.SUBSCRIPTION_CREATOR_HAS_NO_PRIVILEGE)
    response = crs(cse, nu=[URL])
    assert response.rsc == RSC.SUBSCRIPTION_VERIFICATION_INITIATION_FAILED
    assert URL in response.pc["m2m:dbg"]
    assert gone(cse, f"{AE}/both")
    assert subscriptions(cse, POWER, HEAT) == []


def test_its_own_creation_is_no_event(cse: Driven) -> None:
    of(crs(cse, rrat=[AE], encs=CHILD))
    assert told(cse) == []
    container(cse, "third")
    assert len(told(cse)) == 1


def test_others_hear_of_it_as_it_is(cse: Driven) -> None:
    sub(cse, AE)
    made = of(crs(cse))
    (notice,) = cse.taken()
    assert notice.content["m2m:sgn"]["nev"]["rep"] == {"m2m:crs": made}


# --- windows ------------------------------------------------------------------------------------------------------------------------------------------------


def test_a_notification_when_all_targets_have_reported(cse: Driven) -> None:
    made = of(crs(cse))
    put(cse)
    assert told(cse) == []
    put(cse, to=HEAT)
    assert told(cse) == [{"sur": f"/id-in/{made['ri']}"}]


def test_regular_targets_and_subscriptions_go_together(cse: Driven) -> None:
    of(crs(cse, rrat=[POWER], encs=CHILD, srat=[sub(cse, HEAT)]))
    put(cse, to=HEAT)
    assert told(cse) == []
    put(cse)
    assert len(told(cse)) == 1


@pytest.mark.parametrize("twt", [1, 2])
def test_several_events_of_one_target_are_not_enough(cse: Driven, twt: int) -> None:
    of(crs(cse, twt=twt))
    for _ in range(3):
        put(cse)
    cse.pass_time(60)
    assert told(cse) == []


@pytest.mark.parametrize(
    ("twt", "first", "second", "number"), [(1, 9, 0.5, 1), (1, 9, 2, 0), (2, 9, 2, 1), (2, 9, 9.5, 1), (2, 9, 10, 0), (1, 0, 9.5, 1), (1, 0, 10, 0)]
)
def test_where_windows_begin_and_end(cse: Driven, twt: int, first: float, second: float, number: int) -> None:
    """Periodic ones follow each other from the creation on, a sliding one begins with the first event; both last ten seconds."""
    of(crs(cse, twt=twt))
    cse.pass_time(first)
    put(cse)
    cse.pass_time(second)
    put(cse, to=HEAT)
    assert len(told(cse)) == number


def test_a_sliding_window_that_has_ended_makes_way_for_the_next(cse: Driven) -> None:
    of(crs(cse))
    put(cse)
    cse.pass_time(11)
    put(cse, to=HEAT)
    cse.pass_time(9)
    put(cse)
    assert len(told(cse)) == 1


def test_a_full_set_ends_a_sliding_window(cse: Driven) -> None:
    of(crs(cse))
    for to in (POWER, HEAT, POWER, HEAT, POWER):
        put(cse, to=to)
    assert len(told(cse)) == 2


def test_a_periodic_window_is_told_of_once(cse: Driven) -> None:
    of(crs(cse, twt=1))
    for to in (POWER, HEAT, POWER, HEAT):
        put(cse, to=to)
    assert len(told(cse)) == 1
    cse.pass_time(10)
    assert told(cse) == []
    put(cse, to=HEAT)
    put(cse)
    assert len(told(cse)) == 1


@pytest.mark.parametrize(
    ("eem", "numbers"),
    [(None, (0, 0, 1)), (1, (0, 0, 1)), (2, (0, 1, 1)), (3, (1, 1, 0)), (4, (1, 0, 0)), (5, (0, 1, 0))],
)
@pytest.mark.parametrize("events", [0, 1, 2])
def test_event_evaluation_modes_of_periodic_windows(cse: Driven, eem: int | None, numbers: tuple[int, int, int], events: int) -> None:
    """Of two targets: how many notifications there are when none, one and both have reported, in each of three windows."""
    of(crs(cse, twt=1, eem=eem))
    for _ in range(3):
        cse.pass_time(5)
        for to in (POWER, HEAT)[:events]:
            put(cse, to=to)
        assert len(told(cse)) == (1 if events == 2 and numbers[2] else 0), "only a full set is told of before the end of the window"
        cse.pass_time(5)
        assert len(told(cse)) == (0 if events == 2 else numbers[events])


@pytest.mark.parametrize(("eem", "numbers"), [(None, (0, 0, 1)), (1, (0, 0, 1)), (2, (0, 1, 1))])
@pytest.mark.parametrize("events", [0, 1, 2])
def test_event_evaluation_modes_of_sliding_windows(cse: Driven, eem: int | None, numbers: tuple[int, int, int], events: int) -> None:
    of(crs(cse, eem=eem))
    for _ in range(3):
        for to in (POWER, HEAT)[:events]:
            put(cse, to=to)
        cse.pass_time(9)
        assert len(told(cse)) == (1 if events == 2 else 0)
        cse.pass_time(4)
        assert len(told(cse)) == (0 if events == 2 else numbers[events])


def test_windows_that_pass_while_the_cse_is_down_are_not_judged(cse: Driven) -> None:
    of(crs(cse, twt=1, eem=4))
    cse.pass_time(35)
    assert len(told(cse)) == 1, "the one that was observed"
    cse.pass_time(5)
    assert len(told(cse)) == 1, "the next one ends forty seconds after the beginning"


def test_a_window_goes_on_after_a_restart(cse: Driven) -> None:
    of(crs(cse, twt=1, eem=5))
    put(cse)
    again = Driven(settings=cse.settings, store=cse.store, seconds=cse.seconds + 9)
    again.pass_time(0)
    assert told(again) == []
    again.pass_time(1)
    assert len(told(again)) == 1


# --- what it shares with subscriptions ----------------------------------------------------------------------------------------------------------------------


def test_the_expiration_counter(cse: Driven) -> None:
    made = of(crs(cse, exc=2, su=URL))
    for to in (POWER, HEAT):
        put(cse, to=to)
    assert seen(cse, made["ri"])["exc"] == 1
    for to in (POWER, HEAT):
        put(cse, to=to)
    assert told(cse) == [{"sur": f"/id-in/{made['ri']}"}] * 2 + [{"sud": True, "sur": f"/id-in/{made['ri']}"}]
    assert gone(cse, made["ri"], *made["rrats"])
    assert cse.failed == []


def test_the_event_category_and_statistics(cse: Driven) -> None:
    made = of(crs(cse, nec=100, nse=True, nu=[ME, URL]))
    zero = {"rqs": 0, "rsr": 0, "noec": 0}
    assert made["nsi"] == [{"tg": ME, **zero}, {"tg": URL, **zero}]
    for to in (POWER, HEAT):
        put(cse, to=to)
    notices = list(cse.taken())
    assert [(notice.target, notice.ec, notice.subscription) for notice in notices] == [(ME, 100, made["ri"]), (URL, 100, made["ri"])]
    cse.cse.settle([(notices[0], True), (notices[1], False)])
    cse.commit()
    assert seen(cse, made["ri"])["nsi"] == [{"tg": ME, "rqs": 1, "rsr": 1, "noec": 1}, {"tg": URL, "rqs": 1, "rsr": 0, "noec": 1}]


def test_the_statistics_of_a_source_count_what_was_delivered_inside(cse: Driven) -> None:
    one = sub(cse, nse=True)
    made = of(crs(cse, rrat=[HEAT], srat=[one]))
    put(cse)
    counted = {each["tg"]: each for each in seen(cse, one)["nsi"]}
    assert counted[f"/id-in/{made['ri']}"] == {"tg": f"/id-in/{made['ri']}", "rqs": 1, "rsr": 1, "noec": 1}


def test_batches_of_a_source_are_taken_apart(cse: Driven) -> None:
    of(crs(cse, rrat=[HEAT], srat=[sub(cse, bn={"num": 2})]))
    put(cse, to=HEAT)
    put(cse)
    assert told(cse) == []
    put(cse)
    assert len(told(cse)) == 1


# --- UPDATE -------------------------------------------------------------------------------------------------------------------------------------------------


def change(cse: Driven, fr: str = ME, **changes: Any) -> Response:
    return cse.update(f"{AE}/both", {"m2m:crs": changes}, fr)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"rrat": [POWER]}, "rrat"),
        ({"srat": [POWER]}, "srat"),
        ({"rrats": None}, "rrats"),
        ({"encs": CHILD}, "encs"),
        ({"nec": 2}, "nec"),
        ({"su": URL}, "su"),
        ({"cr": ME}, "cr"),
        ({"nsi": []}, "nsi"),
        ({"twt": None}, "twt"),
        ({"tws": None}, "tws"),
        ({"nu": None}, "nu"),
        ({"nu": []}, "nu"),
        ({"eem": 3}, "eem"),
        ({"tws": "PT0S"}, "tws"),
        ({"exc": 0}, "exc"),
    ],
    ids=str,
)
def test_updates_that_are_refused(cse: Driven, changes: dict[str, Any], named: str) -> None:
    before = of(crs(cse))
    response = change(cse, **changes)
    assert response.rsc == RSC.BAD_REQUEST
    assert named in response.pc["m2m:dbg"]
    assert seen(cse, f"{AE}/both") == before


def test_missing_events_need_periodic_windows_after_an_update_too(cse: Driven) -> None:
    of(crs(cse))
    assert of(change(cse, twt=1, eem=3))["eem"] == 3
    assert change(cse, twt=2).rsc == RSC.BAD_REQUEST
    assert "eem" not in of(change(cse, twt=2, eem=None))


def test_only_new_notification_targets_are_verified(cse: Driven) -> None:
    of(crs(cse, nu=[URL], nse=True))
    cse.asked.clear()
    assert of(change(cse, nu=[URL, "http://more", "http://more"]))["nu"] == [URL, "http://more"]
    assert [call.urls for call in cse.asked] == [("http://more",)]
    assert [each["tg"] for each in seen(cse, f"{AE}/both")["nsi"]] == [URL, "http://more"]
    cse.answer = answering(RSC.TARGET_NOT_REACHABLE)
    assert change(cse, nu=["http://worse"]).rsc == RSC.SUBSCRIPTION_VERIFICATION_INITIATION_FAILED
    assert "nsi" not in of(change(cse, nse=None))


def test_other_windows_begin_anew(cse: Driven) -> None:
    of(crs(cse))
    put(cse)
    of(change(cse, tws="PT20S"))
    put(cse, to=HEAT)
    assert told(cse) == []
    cse.pass_time(15)
    put(cse)
    assert len(told(cse)) == 1


def test_an_update_of_something_else_leaves_the_window_alone(cse: Driven) -> None:
    of(crs(cse))
    put(cse)
    of(change(cse, lbl=["a"], exc=5))
    put(cse, to=HEAT)
    assert len(told(cse)) == 1


def test_a_mode_that_waits_for_missing_events_can_be_switched_on(cse: Driven) -> None:
    of(crs(cse, twt=1))
    cse.pass_time(5)
    of(change(cse, eem=4))
    cse.pass_time(9)
    assert told(cse) == []
    cse.pass_time(1)
    assert len(told(cse)) == 1


def test_its_subscriptions_live_as_long(cse: Driven) -> None:
    made = of(crs(cse, et=timestamp(cse.seconds + 60)))
    later = timestamp(cse.seconds + 600)
    of(change(cse, et=later))
    assert [seen(cse, ri)["et"] for ri in made["rrats"]] == [later] * 2
    cse.pass_time(120)
    assert not gone(cse, made["ri"])


def test_only_who_may_changes_it(cse: Driven) -> None:
    of(crs(cse))
    assert change(cse, OTHER, exc=3).rsc == RSC.ORIGINATOR_HAS_NO_PRIVILEGE


# --- the end ------------------------------------------------------------------------------------------------------------------------------------------------


def by_request(cse: Driven, made: dict[str, Any], one: str) -> None:
    assert cse.delete(made["ri"], ME).rsc == RSC.DELETED


def by_expiry(cse: Driven, made: dict[str, Any], one: str) -> None:
    cse.pass_time(100)


def with_a_subscription_it_made(cse: Driven, made: dict[str, Any], one: str) -> None:
    assert cse.delete(made["rrats"][0], ME).rsc == RSC.DELETED


def with_one_of_its_targets(cse: Driven, made: dict[str, Any], one: str) -> None:
    assert cse.delete(f"{AE}/third", ME).rsc == RSC.DELETED


@pytest.mark.parametrize("end", [by_request, by_expiry, with_a_subscription_it_made, with_one_of_its_targets])
def test_when_it_ends_all_sources_are_left_and_su_hears_of_it(cse: Driven, end: Any) -> None:
    """Procedures 15: own subscriptions removed, those of srat as they were, `su` informed; also when a source is deleted (`sud`)."""
    one = sub(cse, HEAT, nse=True)
    before = seen(cse, one)
    third = container(cse, "third")
    made = of(crs(cse, rrat=[POWER, third], srat=[one], su=URL, et=timestamp(cse.seconds + 60)))
    put(cse)
    end(cse, made, one)
    assert gone(cse, made["ri"], *made["rrats"])
    after = seen(cse, one)
    assert {name: value for name, value in after.items() if name != "lt"} == {name: value for name, value in before.items() if name != "lt"}
    assert told(cse) == [{"sud": True, "sur": f"/id-in/{made['ri']}"}]
    assert cse.failed == []
    put(cse, to=HEAT)
    assert [notice.target for notice in cse.taken()] == [ME]


def test_the_end_of_an_existing_subscription_is_its_end_too(cse: Driven) -> None:
    one = sub(cse, HEAT, exc=1)
    made = of(crs(cse, rrat=[POWER], srat=[one], su=URL))
    put(cse, to=HEAT)
    assert gone(cse, one, made["ri"], *made["rrats"])
    assert told(cse) == [{"sud": True, "sur": f"/id-in/{made['ri']}"}]


def test_everything_may_go_at_once(cse: Driven) -> None:
    of(crs(cse, srat=[sub(cse, HEAT)], su=URL))
    put(cse)
    assert cse.delete(AE).rsc == RSC.DELETED
    assert len(told(cse)) == 1
    assert (cse.failed, cse.notices) == ([], [])


def test_an_existing_subscription_without_another_target_ends_with_it(cse: Driven) -> None:
    """`nu` cannot be empty."""
    one = sub(cse, HEAT)
    made = of(crs(cse, rrat=[POWER], srat=[one]))
    of(cse.update(one, {"m2m:sub": {"nu": [f"/id-in/{made['ri']}"]}}, ME))
    assert cse.delete(made["ri"], ME).ok
    assert gone(cse, one)


# --- NOTIFY -------------------------------------------------------------------------------------------------------------------------------------------------


def notify(cse: Driven, to: str, content: Any, fr: str = ME, rqi: str = "n1") -> Response:
    return cse.request(Request(Operation.NOTIFY, to, fr, rqi, "4", pc=content))


@pytest.mark.parametrize(
    ("content", "fr", "code"),
    [
        ({"m2m:sgn": {"sur": "/id-in/sub999", "nev": {}}}, OTHER, RSC.ORIGINATOR_HAS_NO_PRIVILEGE),
        ({"m2m:sgn": {"sur": "/id-in/sub999", "nev": {}}}, ME, RSC.BAD_REQUEST),
        ({"m2m:sgn": {"nev": {}}}, ME, RSC.BAD_REQUEST),
        ({"m2m:sgn": []}, ME, RSC.BAD_REQUEST),
        ({"m2m:agn": {"m2m:sgn": []}}, ME, RSC.BAD_REQUEST),
        ({"m2m:agn": {}}, ME, RSC.BAD_REQUEST),
        ({"m2m:rsp": {}}, ME, RSC.BAD_REQUEST),
        ({}, ME, RSC.BAD_REQUEST),
        (None, ME, RSC.BAD_REQUEST),
    ],
    ids=str,
)
def test_notifications_that_are_refused(cse: Driven, content: Any, fr: str, code: RSC) -> None:
    assert notify(cse, of(crs(cse))["ri"], content, fr).rsc == code


@pytest.mark.parametrize("fr", [OTHER, "/id-in", "/id-mn"])
def test_nobody_pretends_to_be_a_source(cse: Driven, fr: str) -> None:
    made = of(crs(cse, su=URL))
    events: list[dict[str, Any]] = [{"nev": {}}, {"sud": True}]
    for ri in made["rrats"]:
        for event in events:
            assert notify(cse, made["ri"], {"m2m:sgn": {"sur": f"/id-in/{ri}", **event}}, fr).rsc == RSC.ORIGINATOR_HAS_NO_PRIVILEGE
    assert told(cse) == []
    assert not gone(cse, made["ri"])


def test_its_owner_may_have_it_notified_by_another_subscription_which_does_not_count(cse: Driven) -> None:
    made = of(crs(cse))
    third = container(cse, "third")
    sub(cse, third, nu=[f"/id-in/{made['ri']}"])
    assert cse.asked == [], "it is asked inside"
    put(cse)
    put(cse, to=third)
    assert told(cse) == []
    assert len(cse.failed) == 1, "its sur is not known"
    assert cse.store.notices() == [], "and the notification is given up"


def test_somebody_else_may_not(cse: Driven) -> None:
    made = of(crs(cse))
    response = cse.create("cse-in/other", 23, {"m2m:sub": {"nu": [made["ri"]]}}, OTHER)
    assert response.rsc == RSC.SUBSCRIPTION_VERIFICATION_INITIATION_FAILED
    asked = {"m2m:sgn": {"vrq": True, "sur": "/id-mn/sub1", "cr": f"/id-in/{OTHER}"}}
    assert notify(cse, made["ri"], asked, "/id-mn").rsc == RSC.SUBSCRIPTION_CREATOR_HAS_NO_PRIVILEGE
    asked["m2m:sgn"]["cr"] = f"/id-in/{ME}"
    assert notify(cse, made["ri"], asked, "/id-else").rsc == RSC.SUBSCRIPTION_HOST_HAS_NO_PRIVILEGE
    assert notify(cse, made["ri"], asked, "/id-mn").rsc == RSC.OK


def test_policies_may_allow_others_to_be_its_sources(cse: Driven) -> None:
    made = of(crs(cse, acpi=[policy(cse, "open", rule(OTHER, 16))]))
    assert cse.create("cse-in/other", 23, {"m2m:sub": {"nu": [made["ri"]]}}, OTHER).rsc == RSC.CREATED


def test_one_may_be_told_by_another(cse: Driven) -> None:
    """A CRS is a subscription of its kind: it may notify a CRS, which does not know it as a source."""
    inner = of(crs(cse))
    outer = of(crs(cse, rn="outer", nu=[f"/id-in/{inner['ri']}"]))
    assert outer["nu"] == [f"/id-in/{inner['ri']}"]


# --- two CSEs -----------------------------------------------------------------------------------------------------------------------------------------------

FAR = "/id-mn/cse-mn/meter/power"


class Pair:
    """Two CSEs with a line between them that tests may cut."""

    def __init__(self) -> None:
        self.near = world(routes=("/id-mn http://mn",))
        self.far = Driven(settings=replaced(self.near.settings, cse_id="/id-mn", cse_name="cse-mn", routes=("/id-in http://in",)))
        self.near.answer = lambda call: self.carry(call, self.far)
        self.far.answer = lambda call: self.carry(call, self.near)
        self.cut = False
        self.carried: list[tuple[Operation, str]] = []
        self.lost: set[tuple[Operation, str]] = set()
        """Answers to requests of an operation with a word in their address that do not arrive."""
        of(register(self.far, "Cmeter", "cse-mn", rn="meter"))
        rules = [rule(f"/id-in/{ME}", 63), rule("Cmeter", 63)]
        allowed = self.far.create("cse-mn", 1, {"m2m:acp": {"rn": "shared", "pv": {"acr": rules}, "pvs": {"acr": rules}}})
        of(self.far.create("cse-mn/meter", 3, {"m2m:cnt": {"rn": "power", "acpi": [of(allowed)["ri"]]}}, "Cmeter"))

    def carry(self, call: Call, to: Driven) -> Response:
        if self.cut:
            return Response(RSC.TARGET_NOT_REACHABLE, call.request.rqi)
        if call.urls not in (("http://mn",), ("http://in",)):
            return Response(RSC.OK, call.request.rqi)
        self.carried.append((call.request.op, call.request.to))
        told = to.request(call.request)
        lost = any(call.request.op == op and word in call.request.to for op, word in self.lost)
        return Response(RSC.REQUEST_TIMEOUT, call.request.rqi) if lost else told

    def post(self) -> list[Notice]:
        """Deliver what the far CSE has to tell the near one."""
        found = list(self.far.taken())
        for notice in found:
            assert self.near.request(Request(Operation.NOTIFY, notice.target, notice.fr, notice.rqi, "4", pc=notice.content)).ok
        return found


@pytest.fixture
def pair() -> Pair:
    return Pair()


def there(pair: Pair) -> list[dict[str, Any]]:
    return subscriptions(pair.far, "cse-mn/meter/power")


def test_a_target_at_another_cse(pair: Pair) -> None:
    made = of(crs(pair.near, rrat=[POWER, FAR]))
    (found,) = there(pair)
    assert (found["nu"], found["acrs"], found["enc"]) == ([f"/id-in/{made['ri']}"], [f"/id-in/{made['ri']}"], {"net": [3]})
    assert made["rrats"] == [subscriptions(pair.near, POWER)[0]["ri"], f"/id-mn/{found['ri']}"]
    put(pair.near)
    put(pair.far, to="cse-mn/meter/power", fr="Cmeter")
    assert told(pair.near) == []
    pair.post()
    assert told(pair.near) == [{"sur": f"/id-in/{made['ri']}"}]


def test_a_notification_that_is_repeated_counts_once(pair: Pair) -> None:
    """The other CSE sends it again when the answer was lost; by then its window is over."""
    of(crs(pair.near, rrat=[POWER, FAR]))
    put(pair.far, to="cse-mn/meter/power", fr="Cmeter")
    (notice,) = pair.post()
    pair.near.pass_time(20)
    put(pair.near)
    assert pair.near.request(Request(Operation.NOTIFY, notice.target, notice.fr, notice.rqi, "4", pc=notice.content)).ok
    assert told(pair.near) == []


def test_an_existing_subscription_at_another_cse(pair: Pair) -> None:
    one = sub(pair.far, "cse-mn/meter/power", "Cmeter", rn="one", acpi=[seen(pair.far, "cse-mn/shared")["ri"]])
    before = seen(pair.far, one)
    made = of(crs(pair.near, rrat=[POWER], srat=[f"{FAR}/one"]))
    found = seen(pair.far, one)
    assert (found["nu"], found["acrs"]) == (["Cmeter", f"/id-in/{made['ri']}"], [f"/id-in/{made['ri']}"])
    put(pair.near)
    put(pair.far, to="cse-mn/meter/power", fr="Cmeter")
    for notice in pair.far.taken():
        if notice.target != "Cmeter":
            assert pair.near.request(Request(Operation.NOTIFY, notice.target, notice.fr, notice.rqi, "4", pc=notice.content)).ok
    assert len(told(pair.near)) == 1
    assert pair.near.delete(made["ri"], ME).ok
    assert {**seen(pair.far, one), "lt": ""} == {**before, "lt": ""}


@pytest.mark.parametrize(
    ("given", "failing"),
    [
        ({"rrat": [FAR, f"{AE}/nowhere"]}, f"{AE}/nowhere"),
        ({"rrat": [FAR, f"{FAR}/nowhere"]}, f"{FAR}/nowhere"),
        ({"rrat": [FAR, "/id-mn/cse-mn"]}, "/id-mn/cse-mn"),
        ({"rrat": [POWER, "/id-unknown/x"]}, "/id-unknown/x"),
        ({"rrat": [POWER, FAR], "srat": [FAR]}, FAR),
        ({"rrat": [POWER, FAR], "srat": [f"{FAR}/nosub"]}, f"{FAR}/nosub"),
        ({"rrat": [POWER, FAR], "encs": {"encn": [{"net": [3]}, {"net": [3], "chty": [2]}]}}, FAR),
    ],
    ids=str,
)
def test_when_one_fails_nothing_is_left_at_either_cse(pair: Pair, given: dict[str, Any], failing: str) -> None:
    response = crs(pair.near, **given)
    assert response.rsc == RSC.CROSS_RESOURCE_OPERATION_FAILURE
    assert repr(failing) in response.pc["m2m:dbg"]
    assert there(pair) == subscriptions(pair.near, POWER) == []
    assert gone(pair.near, f"{AE}/both")


def test_a_name_that_is_taken_leaves_nothing_at_the_other_cse(pair: Pair) -> None:
    assert crs(pair.near, rn="power", rrat=[POWER, FAR]).rsc == RSC.CONFLICT
    assert there(pair) == []


def test_an_answer_that_is_lost_is_undone_too(pair: Pair) -> None:
    """The subscription was made, and nobody knows its identifier."""
    pair.lost = {(Operation.CREATE, "power")}
    assert crs(pair.near, rrat=[POWER, FAR]).rsc == RSC.CROSS_RESOURCE_OPERATION_FAILURE
    assert there(pair) == []


def test_what_cannot_be_undone_now_is_undone_later(pair: Pair) -> None:
    pair.lost = {(Operation.CREATE, "power")}

    def until_it_is_made(call: Call) -> Response:
        told = pair.carry(call, pair.far)
        pair.cut = call.request.op == Operation.CREATE
        return told

    pair.near.answer = until_it_is_made
    assert crs(pair.near, rrat=[POWER, FAR]).rsc == RSC.CROSS_RESOURCE_OPERATION_FAILURE
    assert len(there(pair)) == 1
    pair.cut, pair.lost = False, set()
    pair.near.pass_time(60)
    assert there(pair) == []


def test_a_crash_while_the_others_are_asked_leaves_nothing(pair: Pair) -> None:
    """The errand was committed before the question."""

    class Crash(Exception):
        pass

    def crash(call: Call) -> Response:
        pair.carry(call, pair.far)
        raise Crash

    pair.near.answer = crash
    with pytest.raises(Crash):
        crs(pair.near, rrat=[POWER, FAR])
    assert len(there(pair)) == 1
    again = Driven(settings=pair.near.settings, store=pair.near.store, answer=lambda call: pair.carry(call, pair.far), seconds=pair.near.seconds)
    again.waiting = again.store.notices()
    assert len(again.waiting) == 1
    again.pass_time(60)
    assert there(pair) == []
    assert again.store.notices() == []


def test_the_errand_of_a_creation_that_went_well_does_nothing(pair: Pair) -> None:
    of(crs(pair.near, rrat=[POWER, FAR]))
    assert pair.near.store.notices() == [], "it is gone with the creation"
    pair.near.pass_time(60)
    assert len(there(pair)) == 1


@pytest.mark.parametrize("end", [by_request, by_expiry])
def test_its_end_removes_subscriptions_at_the_other_cse(pair: Pair, end: Any) -> None:
    made = of(crs(pair.near, rrat=[POWER, FAR], et=timestamp(pair.near.seconds + 60)))
    pair.carried.clear()
    end(pair.near, made, "")
    assert there(pair) == []
    assert (Operation.DELETE, made["rrats"][1]) in pair.carried


def test_the_end_waits_for_a_cse_that_cannot_be_reached(pair: Pair) -> None:
    made = of(crs(pair.near, rrat=[POWER, FAR]))
    pair.cut = True
    assert pair.near.delete(made["ri"], ME).rsc == RSC.DELETED
    (errand,) = pair.near.failed
    assert pair.near.store.notices() == [errand], "for another attempt"
    pair.cut = False
    pair.near.waiting = [errand]
    pair.near.pass_time(1)
    assert there(pair) == []
    assert pair.near.store.notices() == []


def test_a_source_at_another_cse_that_is_gone_ends_it(pair: Pair) -> None:
    made = of(crs(pair.near, rrat=[POWER, FAR], su=URL))
    assert pair.far.delete("cse-mn/meter/power", "Cmeter").ok
    pair.post()
    assert gone(pair.near, made["ri"], made["rrats"][0])
    assert told(pair.near) == [{"sud": True, "sur": f"/id-in/{made['ri']}"}]


def test_subscriptions_at_the_other_cse_live_as_long(pair: Pair) -> None:
    of(crs(pair.near, rrat=[POWER, FAR], et=timestamp(pair.near.seconds + 60)))
    assert there(pair)[0]["et"] == timestamp(pair.near.seconds + 60)
    later = timestamp(pair.near.seconds + 600)
    of(change(pair.near, et=later))
    assert there(pair)[0]["et"] == later
    pair.cut = True
    assert change(pair.near, et=timestamp(pair.near.seconds + 700)).rsc == RSC.CROSS_RESOURCE_OPERATION_FAILURE
    assert seen(pair.near, f"{AE}/both")["et"] == later


def test_only_verification_is_answered_while_it_is_made(pair: Pair) -> None:
    """An event that is too early comes again; a verification for somebody else is not confirmed."""
    answers: list[RSC] = []

    def meanwhile(call: Call) -> Response:
        if call.request.op == Operation.CREATE:
            (address,) = call.request.pc["m2m:sub"]["nu"]
            contents: list[dict[str, Any]] = [{"nev": {}}, {"vrq": True, "cr": f"/id-in/{OTHER}"}, {"vrq": True, "cr": f"/id-in/{ME}"}]
            for content in contents:
                answers.append(notify(pair.near, address, {"m2m:sgn": {"sur": "/id-mn/s", **content}}, "/id-mn").rsc)
            answers.append(pair.near.retrieve(address).rsc)
        return pair.carry(call, pair.far)

    pair.near.answer = meanwhile
    made = of(crs(pair.near, rrat=[POWER, FAR]))
    assert answers == [RSC.TARGET_NOT_REACHABLE, RSC.TARGET_NOT_REACHABLE, RSC.OK, RSC.NOT_FOUND]
    assert not gone(pair.near, made["ri"])


def test_targets_at_other_cses_are_asked_at_once(pair: Pair) -> None:
    of(crs(pair.near, rrat=[FAR, FAR, FAR]))
    assert len(there(pair)) == 3


def test_absolute_addresses(pair: Pair) -> None:
    made = of(crs(pair.near, rrat=[POWER, f"//acme.example.com{FAR}"]))
    assert made["rrats"][1] == f"/id-mn/{there(pair)[0]['ri']}"
    far = replace(Request(Operation.NOTIFY, f"//acme.example.com/id-in/{made['ri']}"), fr="//acme.example.com/id-mn", rqi="a", rvi="4")
    put(pair.near)
    assert pair.near.request(replace(far, pc={"m2m:sgn": {"sur": f"//acme.example.com{made['rrats'][1]}", "nev": {}}})).ok
    assert len(told(pair.near)) == 1
