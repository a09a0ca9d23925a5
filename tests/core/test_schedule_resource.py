"""<schedule> as a resource, and what it opens and closes (TS-0001 9.6.9, TS-0004 7.4.9; procedures 7.4, 8)."""

from typing import Any

import pytest

from bindings.serve import TYPES
from cse.codes import Operation
from cse.codes import ResponseStatusCode as RSC
from cse.core import CSE
from cse.datatypes import ANY_URI, ID, POA, list_of, timestamp
from cse.primitives import Peer, Request, Response
from cse.schema import Attribute, ResourceType
from resources._common import CUSTODIAN, EXPIRES, UNIVERSAL
from tests.core.test_notification import sub, told, waiting
from tests.core.test_subscription import URL, subscribe
from tests.core.tree import AE, ME, OTHER, POWER, answering, container, of, policy, put, register, rule, seen, world
from tests.drive import Driven

OPEN = "* 0-9 * * * * *"
"""Open in the first ten minutes of each hour. The tests begin at 15:06:40: it closes after 200 seconds."""

SHUT = "* 10-19 * * * * *"
"""Closed at the beginning: opens after 200 seconds, closes 600 seconds later."""

NEVER = "* * * * * * 2020"
NAME = "notificationSchedule"


@pytest.fixture
def cse() -> Driven:
    return world()


def schedule(cse: Driven, to: str, *entries: str, fr: str = "CAdmin", **more: Any) -> Response:
    return cse.create(to, 18, {"m2m:sch": {"se": {"sce": list(entries)}, **more}}, fr)


def change(cse: Driven, to: str, *entries: str, **more: Any) -> Response:
    return cse.update(to, {"m2m:sch": {"se": {"sce": list(entries)}, **more}})


def contents_told(cse: Driven) -> list[str]:
    return [each["nev"]["rep"]["m2m:cin"]["con"] for each in told(cse)]


def node(cse: Driven, *entries: str, **more: Any) -> str:
    """Create a node with a schedule for each entry and give its structured address."""
    of(cse.create("cse-in", 14, {"m2m:nod": {"rn": "nod", "ni": "n1", **more}}))
    for number, entry in enumerate(entries):
        of(schedule(cse, "cse-in/nod", entry, rn=f"s{number}"))
    return "cse-in/nod"


def reachable(cse: Driven, target: str = ME) -> bool:
    return cse.cse.opens(target) == 0.0


# The resource


def test_what_a_schedule_has(cse: Driven) -> None:
    made = of(schedule(cse, "cse-in", OPEN, SHUT, rn="hours", lbl=["a"]))
    assert (made["ty"], made["rn"], made["se"], made["lbl"]) == (18, "hours", {"sce": [OPEN, SHUT]}, ["a"])
    assert seen(cse, "cse-in/hours") == made
    assert of(change(cse, "cse-in/hours", OPEN))["se"] == {"sce": [OPEN]}
    assert cse.delete("cse-in/hours").rsc == RSC.DELETED
    assert cse.retrieve("cse-in/hours").rsc == RSC.NOT_FOUND


@pytest.mark.parametrize(
    ("entries", "named"),
    [
        (None, "se"),
        ({}, "sce"),
        ({"sce": []}, "sce"),
        ({"sce": "* * * * * * *"}, "sce"),
        ({"sce": [OPEN, "60 * * * * * *"]}, "'60' is no second from 0 to 59"),
        ({"sce": ["* 60 * * * * *"]}, "'60' is no minute from 0 to 59"),
        ({"sce": ["* * 24 * * * *"]}, "'24' is no hour from 0 to 23"),
        ({"sce": ["* * * 0 * * *"]}, "'0' is no day of month from 1 to 31"),
        ({"sce": ["* * * * 13 * *"]}, "'13' is no month from 1 to 12"),
        ({"sce": ["* * * * * 7 *"]}, "'7' is no day of week from 0 to 6"),
        ({"sce": ["* * * * * * 99"]}, "'99' is no year from"),
        ({"sce": ["* * * * * *"]}, "seven fields"),
        ({"sce": [5]}, "sce"),
        ({"sce": [OPEN], "often": 1}, "often"),
    ],
    ids=str,
)
def test_bad_entries_are_refused_by_name(cse: Driven, entries: Any, named: str) -> None:
    of(schedule(cse, "cse-in", OPEN, rn="good"))
    assert cse.delete("cse-in/good").ok
    for answer in (cse.create("cse-in", 18, {"m2m:sch": {"rn": "bad", "se": entries}}), cse.create("cse-in", 18, {"m2m:sch": {"rn": "bad"}})):
        assert answer.rsc == RSC.BAD_REQUEST
        assert "se (scheduleElement)" in answer.pc["m2m:dbg"]
    assert named in cse.create("cse-in", 18, {"m2m:sch": {"rn": "bad", "se": entries}}).pc["m2m:dbg"]
    assert cse.retrieve("cse-in/bad").rsc == RSC.NOT_FOUND
    of(schedule(cse, "cse-in", OPEN, rn="good"))
    assert cse.update("cse-in/good", {"m2m:sch": {"se": entries}}).rsc == RSC.BAD_REQUEST
    assert seen(cse, "cse-in/good")["se"] == {"sce": [OPEN]}


@pytest.mark.parametrize(("to", "code"), [("cse-in", RSC.CREATED), (AE, RSC.CREATED), ("cse-in/nod", RSC.CREATED), (POWER, RSC.INVALID_CHILD_RESOURCE_TYPE)])
def test_where_schedules_may_be(cse: Driven, to: str, code: RSC) -> None:
    node(cse)
    assert schedule(cse, to, OPEN).rsc == code


@pytest.mark.parametrize("value", [True, False])
def test_only_the_schedule_of_a_node_is_coordinated_by_the_network(cse: Driven, value: bool) -> None:
    """4102 (procedures 8), in CREATE and UPDATE; false says nothing."""
    node(cse)
    assert of(schedule(cse, "cse-in/nod", OPEN, nco=value))["nco"] is value
    refused = RSC.CONTENTS_UNACCEPTABLE if value else RSC.CREATED
    answer = schedule(cse, "cse-in", OPEN, rn="s", nco=value)
    assert answer.rsc == refused
    if value:
        assert "nco" in answer.pc["m2m:dbg"]
        assert cse.retrieve("cse-in/s").rsc == RSC.NOT_FOUND
        of(schedule(cse, "cse-in", OPEN, rn="s"))
        assert cse.update("cse-in/s", {"m2m:sch": {"nco": True}}).rsc == RSC.CONTENTS_UNACCEPTABLE
        assert seen(cse, "cse-in/s")["nco"] is False


def test_the_schedule_of_a_subscription_has_a_fixed_name(cse: Driven) -> None:
    """notificationSchedule (child table of <subscription>): given or not; another is refused, and so is a second schedule."""
    ri = sub(cse)
    wrong = schedule(cse, ri, OPEN, fr=ME, rn="hours")
    assert wrong.rsc == RSC.BAD_REQUEST
    assert "'notificationSchedule', not 'hours'" in wrong.pc["m2m:dbg"]
    made = of(schedule(cse, ri, OPEN, fr=ME))
    assert made["rn"] == NAME
    assert seen(cse, f"{ri}/{NAME}") == made
    for more in ({}, {"rn": NAME}):
        assert schedule(cse, ri, OPEN, fr=ME, **more).rsc == RSC.CONFLICT
    assert cse.delete(f"{ri}/{NAME}", ME).ok
    assert of(schedule(cse, ri, SHUT, fr=ME, rn=NAME))["rn"] == NAME


@pytest.mark.parametrize("to", ["cse-in", AE])
def test_there_is_one_at_most_but_for_nodes(cse: Driven, to: str) -> None:
    of(schedule(cse, to, OPEN, rn="first"))
    again = schedule(cse, to, OPEN, rn="second")
    assert again.rsc == RSC.CONFLICT
    assert f"{to}/first" in again.pc["m2m:dbg"]
    node(cse, OPEN, OPEN, SHUT)


def test_an_expired_schedule_is_in_nobodys_way() -> None:
    cse = world(expiration_check_interval=1e6)
    ri = sub(cse)
    for to in ("cse-in", ri):
        of(schedule(cse, to, NEVER, et=timestamp(cse.seconds + 5)))
    cse.seconds += 6
    for to in ("cse-in", ri):
        of(schedule(cse, to, OPEN))


def test_who_may_set_the_schedule_of_a_subscription(cse: Driven) -> None:
    ri = sub(cse)
    assert schedule(cse, ri, OPEN, fr=OTHER).rsc == RSC.ORIGINATOR_HAS_NO_PRIVILEGE
    of(schedule(cse, ri, OPEN, fr=ME))
    assert cse.retrieve(f"{ri}/{NAME}", OTHER).rsc == RSC.ORIGINATOR_HAS_NO_PRIVILEGE


def test_a_schedule_can_be_subscribed_to_and_is_no_event_of_what_is_subscribed(cse: Driven) -> None:
    """Procedures 7.2: events of the schedule below a subscription do not count for it."""
    ri = sub(cse, enc={"net": [1, 3, 4]})
    of(schedule(cse, ri, OPEN, fr=ME))
    cse.notices.clear()
    watcher = sub(cse, f"{ri}/{NAME}")
    of(change(cse, f"{ri}/{NAME}", OPEN, lbl=["x"]))
    assert [each["sur"] for each in told(cse)] == [f"/id-in/{watcher}"]


def test_nothing_of_it_shows_in_the_parent(cse: Driven) -> None:
    before = seen(cse, AE)
    of(schedule(cse, AE, OPEN))
    assert seen(cse, AE) == before


# Below a subscription


def test_inside_of_open_time_everything_is_as_without(cse: Driven) -> None:
    ri = sub(cse, enc={"net": [3]})
    of(schedule(cse, ri, OPEN, fr=ME))
    put(cse, "a")
    assert contents_told(cse) == ["a"]


@pytest.mark.parametrize(("pending", "expected"), [(None, []), (1, ["c"]), (2, ["a", "b", "c"])])
def test_outside_of_open_time_pn_decides(cse: Driven, pending: int | None, expected: list[str]) -> None:
    """Procedures 7.4 step 6: 1 keeps the latest, 2 keeps all, without it they are dropped; what is kept is sent when the schedule opens."""
    more: dict[str, Any] = {} if pending is None else {"pn": pending}
    ri = sub(cse, enc={"net": [3]}, **more)
    of(schedule(cse, ri, SHUT, fr=ME))
    for con in "abc":
        put(cse, con)
    cse.pass_time(199.5)
    assert contents_told(cse) == []
    cse.pass_time(0.5)
    assert contents_told(cse) == expected
    put(cse, "d")
    assert contents_told(cse) == ["d"]
    cse.pass_time(600)
    put(cse, "e")
    assert contents_told(cse) == []


def test_each_target_gets_what_was_kept(cse: Driven) -> None:
    ri = sub(cse, nu=[ME, URL], enc={"net": [3]}, pn=1)
    of(schedule(cse, ri, SHUT, fr=ME))
    put(cse, "a")
    put(cse, "b")
    cse.pass_time(200)
    assert [(notice.target, notice.content["m2m:sgn"]["nev"]["rep"]["m2m:cin"]["con"]) for notice in cse.taken()] == [(ME, "b"), (URL, "b")]


def test_immediate_notifications_do_not_wait_for_the_schedule(cse: Driven) -> None:
    ri = sub(cse, enc={"net": [3]}, nec=2)
    of(schedule(cse, ri, NEVER, fr=ME))
    put(cse, "a")
    assert contents_told(cse) == ["a"]


def test_what_is_not_told_is_not_counted(cse: Driven) -> None:
    """exc counts notifications that are sent; nsi counts events."""
    dropping = sub(cse, enc={"net": [3], "chty": [4]}, exc=2, nse=True)
    keeping = sub(cse, enc={"net": [3], "chty": [4]}, exc=2, pn=2)
    for ri in (dropping, keeping):
        of(schedule(cse, ri, SHUT, fr=ME))
    put(cse, "a")
    assert (seen(cse, dropping)["exc"], seen(cse, keeping)["exc"]) == (2, 1)
    assert seen(cse, dropping)["nsi"] == [{"tg": ME, "rqs": 0, "rsr": 0, "noec": 1}]


@pytest.mark.parametrize("how", ["update", "delete", "expiry", "shorter"])
def test_a_change_of_the_schedule_takes_effect_on_what_waits(cse: Driven, how: str) -> None:
    ri = sub(cse, enc={"net": [3]}, pn=2)
    of(schedule(cse, ri, NEVER, fr=ME, **({"et": timestamp(cse.seconds + 50)} if how == "expiry" else {})))
    put(cse, "a")
    put(cse, "b")
    cse.pass_time(49)
    assert contents_told(cse) == []
    if how == "update":
        of(change(cse, f"{ri}/{NAME}", OPEN))
    elif how == "delete":
        assert cse.delete(f"{ri}/{NAME}").ok
    elif how == "expiry":
        cse.pass_time(2)
    else:
        of(cse.update(f"{ri}/{NAME}", {"m2m:sch": {"et": timestamp(cse.seconds + 10)}}))
        cse.pass_time(9)
        assert contents_told(cse) == []
        cse.pass_time(2)
    assert contents_told(cse) == ["a", "b"]


def test_a_new_schedule_holds_back_what_a_rate_limit_has_kept(cse: Driven) -> None:
    ri = sub(cse, enc={"net": [3]}, rl={"mnn": 1, "tww": "PT10S"}, pn=2)
    for con in "abc":
        put(cse, con)
    assert contents_told(cse) == ["a"]
    of(schedule(cse, ri, SHUT, fr=ME))
    cse.pass_time(100)
    assert contents_told(cse) == []
    cse.pass_time(100)
    assert contents_told(cse) == ["b"]
    cse.pass_time(10)
    assert contents_told(cse) == ["c"]


def test_a_new_time_for_what_waits(cse: Driven) -> None:
    ri = sub(cse, enc={"net": [3]}, pn=2)
    of(schedule(cse, ri, SHUT, fr=ME))
    put(cse, "a")
    of(change(cse, f"{ri}/{NAME}", "* 30 * * * * *"))
    cse.pass_time(300)
    assert contents_told(cse) == []
    of(change(cse, f"{ri}/{NAME}", "* 13 * * * * *"))
    cse.pass_time(79)
    assert contents_told(cse) == []
    cse.pass_time(1)
    assert contents_told(cse) == ["a"]


def test_a_batch_is_not_sent_in_closed_time(cse: Driven) -> None:
    """What is complete outside of open time follows pn as well: with 2 the batch goes on collecting, and is one m2m:agn when it opens."""
    ri = sub(cse, enc={"net": [3]}, bn={"num": 2, "dur": "PT1H"}, pn=2)
    of(schedule(cse, ri, SHUT, fr=ME))
    for con in "abc":
        put(cse, con)
    assert told(cse) == []
    cse.pass_time(200)
    (batch,) = told(cse)
    assert [each["nev"]["rep"]["m2m:cin"]["con"] for each in batch["m2m:sgn"]] == ["a", "b", "c"]


@pytest.mark.parametrize(("pending", "expected"), [(None, ["e", "f"]), (1, ["d", "e"])])
def test_of_a_batch_in_closed_time(cse: Driven, pending: int | None, expected: list[str]) -> None:
    """Without pn a batch whose time is over in closed time is dropped, with 1 its latest is kept; one that is collected into open time is sent whole."""
    more: dict[str, Any] = {} if pending is None else {"pn": pending}
    ri = sub(cse, enc={"net": [3]}, bn={"num": 2, "dur": "PT1H"}, **more)
    of(schedule(cse, ri, SHUT, fr=ME))
    for con in "abcd":
        put(cse, con)
    cse.pass_time(200)
    put(cse, "e")
    put(cse, "f")
    (batch,) = told(cse)
    assert [each["nev"]["rep"]["m2m:cin"]["con"] for each in batch["m2m:sgn"]] == expected


def test_what_is_kept_is_sent_when_subscription_and_schedule_go(cse: Driven) -> None:
    ri = sub(cse, enc={"net": [3]}, pn=2, su=URL)
    of(schedule(cse, ri, NEVER, fr=ME))
    put(cse, "a")
    assert cse.delete(ri, ME).ok
    kept, ended = told(cse)
    assert kept["nev"]["rep"]["m2m:cin"]["con"] == "a"
    assert ended["sud"] is True


def test_a_policy_that_is_taken_away_lets_go(cse: Driven) -> None:
    """UPDATE of the subscription: what waits is under the policies as they are now."""
    ri = sub(cse, nu=[ME, URL], enc={"net": [3]}, bn={"num": 9})
    put(cse, "a")
    of(cse.update(ri, {"m2m:sub": {"nu": [URL]}}, ME))
    (departed,) = cse.taken()
    assert (departed.target, list(departed.content)) == (ME, ["m2m:agn"])
    of(cse.update(ri, {"m2m:sub": {"bn": None, "rl": {"mnn": 1, "tww": "PT10S"}}}, ME))
    assert contents_told(cse) == ["a"]
    put(cse, "b")
    put(cse, "c")
    assert contents_told(cse) == []
    of(cse.update(ri, {"m2m:sub": {"rl": None}}, ME))
    assert contents_told(cse) == ["b", "c"]


def test_another_duration_holds_for_what_is_collected(cse: Driven) -> None:
    ri = sub(cse, enc={"net": [3]}, bn={"dur": "PT1H"})
    put(cse, "a")
    of(cse.update(ri, {"m2m:sub": {"bn": {"dur": "PT10S"}}}, ME))
    cse.pass_time(9)
    assert list(cse.taken()) == []
    cse.pass_time(1)
    assert [list(notice.content) for notice in cse.taken()] == [["m2m:agn"]]


# Below a crossResourceSubscription


def crs(cse: Driven, **attributes: Any) -> str:
    """Subscribe to new readings of two containers together, within 300 seconds; give its ri."""
    made = {"rrat": [POWER, container(cse, "heat")], "encs": {"encn": [{"net": [3]}]}, "twt": 2, "tws": "PT300S", "nu": [URL], **attributes}
    ri = str(of(cse.create(AE, 48, {"m2m:crs": {"rn": "both", **made}}, ME))["ri"])
    cse.notices.clear()
    return ri


def ends_told(cse: Driven) -> list[tuple[str, dict[str, Any]]]:
    return [(notice.target, notice.content["m2m:sgn"]) for notice in cse.taken()]


@pytest.mark.parametrize(("attributes", "tells"), [({}, False), ({"nec": 3}, False), ({"nec": 2}, True)])
def test_a_cross_resource_subscription_does_not_tell_in_closed_time(cse: Driven, attributes: dict[str, Any], tells: bool) -> None:
    """It has no pn, so that nothing is kept, nor counted by exc; what is immediate does not wait."""
    ri = crs(cse, exc=2, nse=True, **attributes)
    assert of(schedule(cse, ri, SHUT, fr=ME))["rn"] == NAME
    for to in (POWER, f"{AE}/heat"):
        put(cse, to=to)
    told_of = (URL, {"sur": f"/id-in/{ri}"})
    assert ends_told(cse) == [told_of] * tells
    found = seen(cse, ri)
    assert (found["exc"], found["nsi"][0]["noec"]) == (2 - tells, 1)
    cse.pass_time(200)
    assert ends_told(cse) == []
    for to in (POWER, f"{AE}/heat"):
        put(cse, to=to)
    assert ends_told(cse) == [told_of]
    assert (cse.retrieve(ri).rsc == RSC.NOT_FOUND) is tells


def test_the_schedule_of_a_cross_resource_subscription_is_not_for_its_sources(cse: Driven) -> None:
    """What they tell in closed time counts for a window that ends in open time: it can be reached, and asked for its consent."""
    ri = crs(cse)
    of(schedule(cse, ri, SHUT, fr=ME))
    assert reachable(cse, f"/id-in/{ri}")
    of(cse.create(container(cse, "water"), 23, {"m2m:sub": {"nu": [f"/id-in/{ri}"]}}, ME))
    put(cse)
    cse.pass_time(250)
    put(cse, to=f"{AE}/heat")
    assert ends_told(cse) == [(URL, {"sur": f"/id-in/{ri}"})]


def test_what_is_kept_survives_a_restart(cse: Driven) -> None:
    ri = sub(cse, enc={"net": [3]}, pn=2)
    of(schedule(cse, ri, SHUT, fr=ME))
    put(cse, "a")
    again = Driven(settings=cse.settings, store=cse.store, seconds=cse.seconds + 10)
    again.pass_time(100)
    put(again, "b")
    assert contents_told(again) == []
    again.pass_time(100)
    assert contents_told(again) == ["a", "b"]


# Below an AE and its node


def test_a_closed_ae_cannot_be_reached(cse: Driven) -> None:
    made = of(schedule(cse, AE, SHUT, rn="s"))
    for target in (ME, AE, f"/id-in/{ME}", f"//acme.example.com/id-in/{ME}", "-/meter"):
        assert cse.cse.opens(target) == cse.seconds + 200, target
    assert reachable(cse, OTHER)
    assert reachable(cse, URL)
    assert reachable(cse, "Cnobody")
    of(change(cse, made["ri"], OPEN))
    assert reachable(cse)
    of(change(cse, made["ri"], NEVER))
    assert cse.cse.opens(ME) > cse.seconds + 86_400
    assert cse.delete(made["ri"]).ok
    assert reachable(cse)


def test_the_courier_hears_of_every_change(cse: Driven) -> None:
    """rescheduled is another number after CREATE, UPDATE, DELETE and expiry; notification schedules are none of its business."""
    numbers = [cse.cse.rescheduled()]
    of(schedule(cse, AE, SHUT, rn="s"))
    numbers.append(cse.cse.rescheduled())
    of(change(cse, f"{AE}/s", OPEN))
    numbers.append(cse.cse.rescheduled())
    assert cse.delete(f"{AE}/s").ok
    numbers.append(cse.cse.rescheduled())
    of(schedule(cse, AE, SHUT, rn="s", et=timestamp(cse.seconds + 5)))
    numbers.append(cse.cse.rescheduled())
    cse.pass_time(6)
    numbers.append(cse.cse.rescheduled())
    assert len(set(numbers)) == len(numbers)
    of(schedule(cse, sub(cse), SHUT, fr=ME))
    assert cse.cse.rescheduled() == numbers[-1]


def test_a_schedule_that_has_expired_closes_nothing() -> None:
    """Though it is not removed yet."""
    cse = world(expiration_check_interval=1e6)
    of(schedule(cse, AE, NEVER, et=timestamp(cse.seconds + 5)))
    assert not reachable(cse)
    assert cse.cse.opens(ME) == pytest.approx(cse.seconds + 5)
    cse.seconds += 6
    assert reachable(cse)


def test_the_node_that_an_ae_links_with_closes_it_too(cse: Driven) -> None:
    node(cse, SHUT)
    assert reachable(cse)
    of(cse.update(AE, {"m2m:ae": {"nl": "cse-in/nod"}}))
    assert cse.cse.opens(ME) == cse.seconds + 200
    of(schedule(cse, AE, "* 15-30 * * * * *"))
    assert cse.cse.opens(ME) == cse.seconds + 500, "both have to be open"
    of(cse.update(AE, {"m2m:ae": {"nl": None}}))
    of(change(cse, "cse-in/nod/s0", NEVER))
    assert cse.cse.opens(ME) == cse.seconds + 500


def test_a_node_is_open_when_one_of_its_schedules_is(cse: Driven) -> None:
    node(cse, SHUT, NEVER, OPEN, hael=[ME])
    assert reachable(cse)
    assert cse.delete("cse-in/nod/s2").ok
    assert cse.cse.opens(ME) == cse.seconds + 200
    assert cse.delete("cse-in/nod").ok
    assert reachable(cse)


def test_schedules_that_never_meet(cse: Driven) -> None:
    node(cse, "0-29 * * * * * *", hael=[ME])
    of(schedule(cse, AE, "30-59 * * * * * *"))
    assert not reachable(cse)


def test_a_forwarded_notification_to_a_closed_ae_is_refused(cse: Driven) -> None:
    """5103 naming the schedule; nobody is asked."""
    register(cse, "Csink", rn="sink", poa=[URL], acpi=[policy(cse, "all", rule("all", 63))])
    of(schedule(cse, "cse-in/sink", SHUT, rn="s"))
    content = {"m2m:sgn": {"sur": "x"}}
    answer = cse.request(Request(Operation.NOTIFY, "cse-in/sink", ME, "q", "4", pc=content))
    assert answer.rsc == RSC.TARGET_NOT_REACHABLE
    assert "cse-in/sink/s" in answer.pc["m2m:dbg"]
    assert timestamp(cse.seconds + 200) in answer.pc["m2m:dbg"]
    assert cse.asked == []
    cse.pass_time(200)
    assert cse.request(Request(Operation.NOTIFY, "cse-in/sink", ME, "q", "4", pc=content)).ok


def test_the_sentence_names_the_node(cse: Driven) -> None:
    register(cse, "Csink", rn="sink", poa=[URL], acpi=[policy(cse, "all", rule("all", 63))])
    node(cse, NEVER, hael=["Csink"])
    answer = cse.request(Request(Operation.NOTIFY, "cse-in/sink", ME, "q", "4", pc={"m2m:sgn": {"sur": "x"}}))
    assert "the schedule of its node cse-in/nod/s0 never opens" in answer.pc["m2m:dbg"]


def test_a_closed_target_cannot_be_asked_for_its_consent(cse: Driven) -> None:
    """A subscription to it is not verified (5204); a blocking update fails (5107)."""
    register(cse, "Csink", rn="sink", poa=[URL])
    of(subscribe(cse, nu=["Csink"], enc={"net": [7]}, rn="b"))
    cse.asked.clear()
    of(schedule(cse, "cse-in/sink", SHUT, rn="s"))
    refused = subscribe(cse, nu=["Csink"])
    assert refused.rsc == RSC.SUBSCRIPTION_VERIFICATION_INITIATION_FAILED
    assert "cse-in/sink/s" in refused.pc["m2m:dbg"]
    assert cse.update(POWER, {"m2m:cnt": {"lbl": ["x"]}}, ME).rsc == RSC.REMOTE_ENTITY_NOT_REACHABLE
    assert cse.asked == []
    cse.pass_time(200)
    assert cse.update(POWER, {"m2m:cnt": {"lbl": ["x"]}}, ME).ok


# Below another CSE


PEER = ResourceType(
    ty=16,
    short="m2m:csr",
    name="remoteCSE",
    spec="TS-0001 9.6.4",
    attributes=(
        *UNIVERSAL,
        EXPIRES,
        CUSTODIAN,
        Attribute("csi", "CSE-ID", ID, "1", "M", "NP", "OA"),
        Attribute("poa", "pointOfAccess", list_of(POA), "0..1", "O", "O", "OA"),
        Attribute("nl", "nodeLink", ANY_URI, "0..1", "O", "O", "OA"),
    ),
    parents=frozenset({"cb"}),
)
"""What of a remoteCSE counts here."""


@pytest.mark.parametrize("below", ["cse-in/far", "cse-in/nod"])
def test_a_closed_cse_cannot_be_reached(below: str) -> None:
    """Transit requests: 5103, and for a group a member that does not answer; notifications to it and to what is behind it wait."""
    cse = world(routes=("/id-far http://far", "/id-mn http://mn"))
    cse.cse = CSE(cse.store, [*(kind for kind in TYPES if kind.ty != 16), PEER], cse.settings, lambda: cse.seconds, lambda: "fresh")
    cse.cse.bootstrap()
    of(cse.create("cse-in", 16, {"m2m:csr": {"rn": "far", "csi": "/id-far", **({"nl": "cse-in/nod"} if below.endswith("nod") else {})}}))
    of(cse.create("cse-in", 14, {"m2m:nod": {"rn": "nod", "ni": "n1"}}))
    of(schedule(cse, below, SHUT, rn="s"))
    answer = cse.retrieve("/id-far/cse-far/x", ME)
    assert answer.rsc == RSC.TARGET_NOT_REACHABLE
    assert f"{below}/s" in answer.pc["m2m:dbg"]
    of(cse.create("cse-in", 9, {"m2m:grp": {"rn": "g", "mnm": 5, "mid": ["/id-far/x", "/id-mn/y"]}}))
    cse.asked.clear()
    far, near = of(cse.retrieve("cse-in/g/fopt"))["m2m:rsp"]
    assert (far["rsc"], near["rsc"]) == (5103, 2000)
    assert [call.urls for call in cse.asked] == [("http://mn",)]
    for target in ("/id-far", "/id-far/Cx", "//acme.example.com/id-far/Cx"):
        assert cse.cse.opens(target) == cse.seconds + 200
    assert reachable(cse, "/id-mn/Cx")
    cse.pass_time(200)
    assert cse.retrieve("/id-far/cse-far/x", ME).ok


# Below the CSEBase


def test_a_closed_cse_serves_its_administrator_alone(cse: Driven) -> None:
    of(schedule(cse, "cse-in", SHUT, rn="s"))
    for answer in (
        cse.retrieve("cse-in", ME),
        cse.retrieve("cse-in/nosuch", ME),
        cse.create(POWER, 4, {"m2m:cin": {"con": "x"}}, ME),
        cse.update(POWER, {"m2m:cnt": {"lbl": []}}, ME),
        cse.delete(POWER, ME),
        cse.retrieve(f"{POWER}/la", ME),
        cse.retrieve("/id-far/x", ME),
        register(cse, None),
        cse.request(Request(Operation.NOTIFY, "cse-in", ME, "q", "4", pc={"m2m:sgn": {"sur": "x"}})),
    ):
        assert answer.rsc == RSC.TARGET_NOT_REACHABLE
        assert answer.pc["m2m:dbg"] == f"/id-in cannot be reached: its schedule cse-in/s opens next at {timestamp(cse.seconds + 200)}"
    for admin in ("CAdmin", "/id-in/CAdmin", "//acme.example.com/id-in/CAdmin"):
        assert cse.retrieve("cse-in", admin).ok
    put(cse, "x", fr="CAdmin")
    cse.pass_time(200)
    assert cse.retrieve(AE, ME).ok
    cse.pass_time(600)
    assert cse.retrieve(AE, ME).rsc == RSC.TARGET_NOT_REACHABLE


def test_a_request_with_a_fault_hears_of_its_fault(cse: Driven) -> None:
    of(schedule(cse, "cse-in", NEVER))
    assert cse.request(Request(Operation.RETRIEVE, "cse-in", ME, "", "4")).rsc == RSC.BAD_REQUEST


def test_a_schedule_that_never_fires_locks_nobody_out_for_good(cse: Driven) -> None:
    of(schedule(cse, "cse-in", NEVER, "0 0 0 30 2 * *", rn="s"))
    assert "cse-in/s never opens" in cse.retrieve(AE, ME).pc["m2m:dbg"]
    of(change(cse, "cse-in/s", OPEN))
    assert cse.retrieve(AE, ME).ok
    of(change(cse, "cse-in/s", NEVER))
    assert cse.delete("cse-in/s").ok
    assert cse.retrieve(AE, ME).ok
    of(schedule(cse, "cse-in", NEVER, rn="s", et=timestamp(cse.seconds + 60)))
    cse.pass_time(61)
    assert cse.retrieve(AE, ME).ok


def test_several_entries_are_alternatives(cse: Driven) -> None:
    of(schedule(cse, "cse-in", NEVER, SHUT, OPEN))
    assert cse.retrieve(AE, ME).ok
    cse.pass_time(200)
    assert cse.retrieve(AE, ME).ok
    cse.pass_time(600)
    assert cse.retrieve(AE, ME).rsc == RSC.TARGET_NOT_REACHABLE


def test_what_the_cse_does_itself_goes_on(cse: Driven) -> None:
    """Expiry, batches, notifications; and requests of this CSE itself."""
    sub(cse, bn={"dur": "PT30S"}, enc={"net": [3, 4]})
    brief = container(cse, "brief", POWER, et=timestamp(cse.seconds + 10))
    of(schedule(cse, "cse-in", NEVER))
    cse.pass_time(31)
    assert cse.retrieve(brief).rsc == RSC.NOT_FOUND
    assert len(told(cse)) == 1
    internal = Request(Operation.RETRIEVE, "cse-in", "/id-in", "q", "4", peer=Peer(internal=True))
    assert cse.request(internal).ok
    assert cse.request(Request(Operation.RETRIEVE, "cse-in", "/id-in", "q", "4")).rsc == RSC.TARGET_NOT_REACHABLE


def test_a_closed_cse_stays_closed_over_a_restart(cse: Driven) -> None:
    of(schedule(cse, "cse-in", SHUT))
    again = Driven(settings=cse.settings, store=cse.store, seconds=cse.seconds)
    assert again.retrieve(AE, ME).rsc == RSC.TARGET_NOT_REACHABLE
    again.seconds += 200
    assert again.retrieve(AE, ME).ok


def test_a_transaction_that_fails_leaves_no_schedule(cse: Driven) -> None:
    """What a parent keeps of its schedules goes with the transaction."""
    cse.answer = answering(RSC.OK)
    assert schedule(cse, "cse-in", NEVER, nco=True).rsc == RSC.CONTENTS_UNACCEPTABLE
    assert cse.retrieve(AE, ME).ok
    assert waiting(cse) == []
