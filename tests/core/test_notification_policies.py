"""How often and in what company a subscriber is told: counters, categories, batches, limits, statistics (TS-0004 7.5.1.2; procedures 7.4, 7.6)."""

from typing import Any

import pytest

from cse.codes import ResponseStatusCode as RSC
from tests.core.test_notification import sub, told, waiting
from tests.core.test_subscription import URL
from tests.core.tree import ME, container, of, put, seen, world
from tests.drive import Driven


@pytest.fixture
def cse() -> Driven:
    return world()


# Counting and category


def test_the_expiration_counter(cse: Driven) -> None:
    """Procedures 7.4: one for each event, not for each target; at 0 the subscription goes, and su hears of it last."""
    ri = sub(cse, nu=[ME, URL], su="http://su.example", exc=2, enc={"net": [3]})
    put(cse)
    assert seen(cse, ri)["exc"] == 1
    put(cse)
    assert cse.retrieve(ri).rsc == RSC.NOT_FOUND
    put(cse)
    notices = list(cse.taken())
    assert [notice.target for notice in notices] == [ME, URL, ME, URL, "http://su.example"]
    assert notices[-1].content == {"m2m:sgn": {"sud": True, "sur": f"/id-in/{ri}"}}


def test_the_counter_ends_a_subscription_that_others_watch(cse: Driven) -> None:
    watcher = sub(cse, enc={"net": [4]})
    counted = sub(cse, exc=1, enc={"net": [3]})
    put(cse)
    assert [(each["sur"], each["nev"]["net"]) for each in told(cse)] == [(f"/id-in/{counted}", 3), (f"/id-in/{watcher}", 4)]


def test_events_that_do_not_match_are_not_counted(cse: Driven) -> None:
    ri = sub(cse, exc=1, enc={"net": [3], "chty": [3]})
    put(cse)
    assert seen(cse, ri)["exc"] == 1


def test_without_counter_there_is_no_end(cse: Driven) -> None:
    sub(cse, enc={"net": [3]})
    for _ in range(20):
        put(cse)
    assert len(told(cse)) == 20


@pytest.mark.parametrize("category", [2, 3, 4, 100])
def test_the_event_category(cse: Driven, category: int) -> None:
    sub(cse, nec=category, enc={"net": [3]})
    put(cse)
    assert [notice.ec for notice in cse.taken()] == [category]


@pytest.mark.parametrize(("attributes", "category"), [({}, 4), ({"nec": 3}, 3)], ids=str)
def test_only_the_latest_is_kept(cse: Driven, attributes: dict[str, Any], category: int) -> None:
    """ln (TS-0004 7.5.1.2.5): a pending notification gives way to the newer one, with event category 4; other targets and subscriptions keep theirs."""
    sub(cse, nu=[ME, URL], ln=True, enc={"net": [3]}, **attributes)
    other = sub(cse, enc={"net": [4]})
    latest = [put(cse, con) for con in "abc"][-1]
    assert cse.delete(latest["ri"], ME).ok
    found = waiting(cse)
    assert [(notice.target, notice.ec) for notice in found if notice.subscription != other] == [(ME, category), (URL, category)]
    assert all(notice.content["m2m:sgn"]["nev"]["rep"]["m2m:cin"]["con"] == "c" for notice in found)
    assert len(found) == 3


# Batches


def batches(cse: Driven) -> list[list[str]]:
    """Give the contents of the instances in each aggregated notification since the last call."""
    return [[each["nev"]["rep"]["m2m:cin"]["con"] for each in found["m2m:sgn"]] for found in told(cse)]


def test_a_batch_is_sent_when_it_is_full(cse: Driven) -> None:
    """Procedures 7.6: m2m:agn {"m2m:sgn": [...]}, oldest first; nothing is sent before."""
    ri = sub(cse, bn={"num": 3}, enc={"net": [3]})
    for con in "ab":
        put(cse, con)
    assert told(cse) == []
    put(cse, "c")
    put(cse, "d")
    (notice,) = cse.taken()
    (root,) = notice.content
    assert root == "m2m:agn"
    assert [each["nev"]["rep"]["m2m:cin"]["con"] for each in notice.content[root]["m2m:sgn"]] == ["a", "b", "c"]
    assert all(each["sur"] == f"/id-in/{ri}" for each in notice.content[root]["m2m:sgn"])
    assert (notice.target, notice.fr, notice.held, notice.subscription) == (ME, "/id-in", False, ri)


def test_a_batch_is_sent_when_its_time_is_over(cse: Driven) -> None:
    sub(cse, bn={"dur": "PT30S"}, enc={"net": [3]})
    put(cse, "a")
    cse.pass_time(20)
    put(cse, "b")
    assert told(cse) == []
    cse.pass_time(9.9)
    assert told(cse) == []
    cse.pass_time(0.2)
    assert batches(cse) == [["a", "b"]]
    put(cse, "c")
    cse.pass_time(29)
    assert told(cse) == []
    cse.pass_time(2)
    assert batches(cse) == [["c"]]


def test_number_or_time_whichever_comes_first(cse: Driven) -> None:
    sub(cse, bn={"num": 2, "dur": "PT30S"}, enc={"net": [3]})
    for con in "abc":
        put(cse, con)
    assert batches(cse) == [["a", "b"]]
    cse.pass_time(31)
    assert batches(cse) == [["c"]]


def test_the_time_of_the_provider(cse: Driven) -> None:
    sub(cse, bn={"num": 9}, enc={"net": [3]})
    put(cse, "a")
    cse.pass_time(59)
    assert told(cse) == []
    cse.pass_time(2)
    assert batches(cse) == [["a"]]


def test_a_short_batch_does_not_wait_for_a_long_one(cse: Driven) -> None:
    sub(cse, bn={"dur": "PT1H"}, enc={"net": [3]})
    put(cse, "a")
    cse.pass_time(10)
    sub(cse, nu=[URL], fr="CAdmin", bn={"dur": "PT5S"}, enc={"net": [3], "chty": [4]})
    put(cse, "b")
    cse.pass_time(6)
    assert batches(cse) == [["b"]]


def test_how_long_the_core_wants_to_be_left_alone(cse: Driven) -> None:
    """A batch that is due in 2 s wants a look in 2 s, not at the next search for what has expired."""
    sub(cse, bn={"dur": "PT2S"}, enc={"net": [3]})
    put(cse, "a")
    delay = cse.cse.due(cse.seconds)
    assert delay is not None
    assert 0 < delay <= 2


def test_each_target_has_its_batch(cse: Driven) -> None:
    sub(cse, nu=[ME, URL], bn={"num": 2}, enc={"net": [3]})
    put(cse, "a")
    put(cse, "b")
    notices = list(cse.taken())
    assert [notice.target for notice in notices] == [ME, URL]
    assert notices[0].content == notices[1].content


def test_immediate_notifications_are_not_collected(cse: Driven) -> None:
    sub(cse, bn={"num": 5}, nec=2, enc={"net": [3]})
    put(cse, "a")
    (found,) = told(cse)
    assert found["nev"]["net"] == 3


def test_of_a_batch_only_the_latest(cse: Driven) -> None:
    """bn and ln together: every event counts for the number, the latest is sent, with event category 4."""
    sub(cse, bn={"num": 3}, ln=True, enc={"net": [3]})
    for con in "abc":
        put(cse, con)
    (notice,) = cse.taken()
    assert notice.ec == 4
    assert [each["nev"]["rep"]["m2m:cin"]["con"] for each in notice.content["m2m:agn"]["m2m:sgn"]] == ["c"]


def test_a_batch_survives_its_subscription(cse: Driven) -> None:
    """What was collected is sent when the subscription is deleted, and before the deletion is told."""
    ri = sub(cse, bn={"num": 5}, su=URL, enc={"net": [3]})
    put(cse, "a")
    put(cse, "b")
    assert cse.delete(ri, ME).ok
    collected, ended = told(cse)
    assert [each["nev"]["rep"]["m2m:cin"]["con"] for each in collected["m2m:sgn"]] == ["a", "b"]
    assert ended == {"sud": True, "sur": f"/id-in/{ri}"}
    cse.pass_time(100)
    assert told(cse) == []


def test_each_event_of_a_batch_counts(cse: Driven) -> None:
    ri = sub(cse, bn={"num": 5}, exc=2, enc={"net": [3]})
    put(cse, "a")
    put(cse, "b")
    assert cse.retrieve(ri).rsc == RSC.NOT_FOUND
    assert batches(cse) == [["a", "b"]]


def test_a_large_batch(cse: Driven) -> None:
    """More than one page of the outbox."""
    sub(cse, bn={"num": 1100}, enc={"net": [3]})
    for number in range(1100):
        put(cse, str(number))
    assert batches(cse) == [[str(number) for number in range(1100)]]


# Rate limit


def contents_told(cse: Driven) -> list[str]:
    return [each["nev"]["rep"]["m2m:cin"]["con"] for each in told(cse)]


def test_no_more_than_so_many_in_a_window(cse: Driven) -> None:
    """rl (TS-0004 7.5.1.2.6): what exceeds mnn is kept for the following windows, in order and one by one."""
    sub(cse, rl={"mnn": 2, "tww": "PT10S"}, enc={"net": [3]})
    for con in "abcde":
        put(cse, con)
    assert contents_told(cse) == ["a", "b"]
    cse.pass_time(9)
    assert contents_told(cse) == []
    cse.pass_time(1)
    assert contents_told(cse) == ["c", "d"]
    put(cse, "f")
    assert contents_told(cse) == []
    cse.pass_time(10)
    assert contents_told(cse) == ["e", "f"]
    cse.pass_time(10)
    put(cse, "g")
    assert contents_told(cse) == ["g"]


def test_a_slow_subject_is_not_limited(cse: Driven) -> None:
    sub(cse, rl={"mnn": 1, "tww": "PT10S"}, enc={"net": [3]})
    for con in "abc":
        put(cse, con)
        assert contents_told(cse) == [con]
        cse.pass_time(10)


def test_immediate_notifications_are_not_limited(cse: Driven) -> None:
    sub(cse, rl={"mnn": 1, "tww": "PT10S"}, nec=2, enc={"net": [3]})
    put(cse, "a")
    put(cse, "b")
    assert contents_told(cse) == ["a", "b"]


def test_of_what_exceeds_the_limit_only_the_latest(cse: Driven) -> None:
    sub(cse, nu=[ME, URL], rl={"mnn": 1, "tww": "PT10S"}, ln=True, enc={"net": [3]})
    put(cse, "a")
    assert contents_told(cse) == ["a", "a"]
    for con in "bcd":
        put(cse, con)
    cse.pass_time(10)
    assert contents_told(cse) == ["d", "d"]
    put(cse, "e")
    cse.pass_time(10)
    assert contents_told(cse) == ["e", "e"]


def test_what_was_kept_back_is_sent_when_the_subscription_goes(cse: Driven) -> None:
    ri = sub(cse, rl={"mnn": 1, "tww": "PT10S"}, su=URL, enc={"net": [3]})
    for con in "abc":
        put(cse, con)
    assert cse.delete(ri, ME).ok
    found = told(cse)
    assert [each["nev"]["rep"]["m2m:cin"]["con"] for each in found[:3]] == ["a", "b", "c"]
    assert found[3] == {"sud": True, "sur": f"/id-in/{ri}"}


def test_the_limit_is_not_shown(cse: Driven) -> None:
    ri = sub(cse, rl={"mnn": 1, "tww": "PT10S"}, enc={"net": [3]})
    before = seen(cse, ri)
    put(cse, "a")
    assert seen(cse, ri) == before


def test_a_batch_counts_as_one_notification(cse: Driven) -> None:
    """rl and bn together: no more than mnn messages in a window; while it is full the batch goes on collecting."""
    sub(cse, enc={"net": [3]}, bn={"num": 2}, rl={"mnn": 1, "tww": "PT10S"})
    for con in "abcde":
        put(cse, con)
    assert batches(cse) == [["a", "b"]]
    cse.pass_time(9)
    assert batches(cse) == []
    cse.pass_time(1)
    assert batches(cse) == [["c", "d", "e"]]
    put(cse, "f")
    cse.pass_time(30)
    assert batches(cse) == [], "one alone is no batch before its time"
    cse.pass_time(30)
    assert batches(cse) == [["f"]]


def test_a_batch_whose_time_is_over_waits_for_the_window(cse: Driven) -> None:
    sub(cse, enc={"net": [3]}, bn={"dur": "PT2S"}, rl={"mnn": 1, "tww": "PT10S"})
    put(cse, "a")
    cse.pass_time(2)
    assert batches(cse) == [["a"]]
    put(cse, "b")
    cse.pass_time(2)
    put(cse, "c")
    cse.pass_time(7)
    assert batches(cse) == []
    cse.pass_time(1)
    assert batches(cse) == [["b", "c"]]


def test_of_a_limited_batch_only_the_latest(cse: Driven) -> None:
    """rl, bn and ln, whatever the event category is."""
    sub(cse, enc={"net": [3]}, bn={"num": 2}, rl={"mnn": 1, "tww": "PT10S"}, ln=True, nec=3)
    for con in "abcd":
        put(cse, con)
    assert batches(cse) == [["b"]]
    cse.pass_time(10)
    assert batches(cse) == [["d"]]


def test_each_target_has_its_window(cse: Driven) -> None:
    ri = sub(cse, enc={"net": [3]}, rl={"mnn": 1, "tww": "PT10S"})
    put(cse, "a")
    of(cse.update(ri, {"m2m:sub": {"nu": [ME, URL]}}, ME))
    cse.notices.clear()
    put(cse, "b")
    assert [notice.target for notice in cse.taken()] == [URL]
    cse.pass_time(10)
    assert [notice.target for notice in cse.taken()] == [ME]


def test_many_that_wait_are_sent_in_order(cse: Driven) -> None:
    """More than one page of the outbox, when the limit is taken away."""
    ri = sub(cse, enc={"net": [3]}, rl={"mnn": 1, "tww": "P1D"})
    for number in range(1200):
        put(cse, str(number))
    assert contents_told(cse) == ["0"]
    of(cse.update(ri, {"m2m:sub": {"rl": None}}, ME))
    cse.pass_time(1)
    assert contents_told(cse) == [str(number) for number in range(1, 1200)]


def test_what_waits_goes_on_waiting_after_a_restart(cse: Driven) -> None:
    sub(cse, enc={"net": [3]}, rl={"mnn": 1, "tww": "PT10S"})
    put(cse, "a")
    put(cse, "b")
    again = Driven(settings=cse.settings, store=cse.store, seconds=cse.seconds + 5)
    again.pass_time(1)
    assert contents_told(again) == []
    again.pass_time(4)
    assert contents_told(again) == ["b"]


# Pending notifications


@pytest.mark.parametrize(("pending", "expected"), [(1, ["c"]), (2, ["a", "b", "c"]), (None, ["a", "b", "c"])])
def test_what_is_kept_for_a_target_that_cannot_be_reached(cse: Driven, pending: int | None, expected: list[str]) -> None:
    """pn 1 keeps the latest, 2 all (TS-0001 9.6.8), as soon as the courier has found out; for each subscription and target by itself."""
    attributes: dict[str, Any] = {} if pending is None else {"pn": pending}
    ri = sub(cse, nu=[ME, URL], enc={"net": [3], "chty": [4]}, **attributes)
    sub(cse, nu=[ME], enc={"net": [3], "chty": [4]}, pn=2)
    for con in "abc":
        put(cse, con)
    assert len(waiting(cse)) == 9, "who is reachable gets all of them"
    cse.cse.miss(ME)
    cse.commit()
    found = [(notice.target, notice.subscription == ri, notice.content["m2m:sgn"]["nev"]["rep"]["m2m:cin"]["con"]) for notice in waiting(cse)]
    assert [con for target, its, con in found if its and target == ME] == expected
    assert [con for target, its, con in found if its and target == URL] == ["a", "b", "c"]
    assert [con for _, its, con in found if not its] == ["a", "b", "c"]


def test_what_a_deleted_subscription_has_sent_is_not_reduced(cse: Driven) -> None:
    ri = sub(cse, enc={"net": [3]}, pn=1)
    put(cse, "a")
    put(cse, "b")
    assert cse.delete(ri, ME).ok
    cse.cse.miss(ME)
    cse.commit()
    assert len(waiting(cse)) == 2


# What may be stored


def stored(cse: Driven, target: str = ME) -> list[str]:
    return [each.content["m2m:sgn"]["nev"]["rep"]["m2m:cin"]["con"] for each in waiting(cse) if each.target == target]


@pytest.mark.parametrize(
    ("high", "low", "expected"),
    [
        ({"nsp": 9}, {"nsp": 2}, ["a9", "b9", "c9"]),
        ({"nsp": 9}, {}, ["a9", "b9", "c9"]),
        ({}, {}, ["b2", "c9", "c2"]),
        ({"nsp": 1}, {"nsp": 1}, ["b2", "c9", "c2"]),
    ],
    ids=str,
)
def test_what_is_dropped_when_too_much_waits_for_a_target(high: dict[str, Any], low: dict[str, Any], expected: list[str]) -> None:
    """nsp (TS-0001 9.6.8): the lowest priority goes first, of one priority the oldest; none is the lowest. The operator is told."""
    cse = world(max_stored=3)
    said: list[str] = []
    cse.cse.tell = said.append
    others = [container(cse, "one"), container(cse, "two")]
    for place, attributes in zip(others, (high, low), strict=True):
        sub(cse, place, nu=[ME], enc={"net": [3], "chty": [4]}, **attributes)
    sub(cse, others[0], nu=[URL], enc={"net": [3], "chty": [4]})
    for con in "abc":
        put(cse, f"{con}9", others[0])
        put(cse, f"{con}2", others[1])
    assert stored(cse) == expected
    assert stored(cse, URL) == ["a9", "b9", "c9"], "each target has its room"
    assert said == [f"dropped 1 notifications to {ME}: more than 3 (notification.max_stored) wait for it"] * 3


def test_what_is_held_back_counts_too() -> None:
    cse = world(max_stored=2)
    sub(cse, enc={"net": [3]}, bn={"num": 5, "dur": "PT1M"})
    for con in "abc":
        put(cse, con)
    cse.pass_time(61)
    assert batches(cse) == [["b", "c"]]


def test_delivered_notifications_make_room() -> None:
    cse = world(max_stored=2)
    said: list[str] = []
    cse.cse.tell = said.append
    sub(cse, enc={"net": [3]})
    for con in "abcdef":
        put(cse, con)
        cse.cse.settle([(notice, True) for notice in waiting(cse)])
        cse.commit()
    assert said == []


def test_without_bound_everything_is_stored() -> None:
    cse = world(max_stored=0)
    sub(cse, enc={"net": [3]})
    for number in range(30):
        put(cse, str(number))
    assert len(waiting(cse)) == 30


def test_a_large_room_is_cleared_by_a_sixteenth() -> None:
    """So that a target that is gone for good costs a count now and then, not with each notification."""
    cse = world(max_stored=160)
    sub(cse, enc={"net": [3]})
    for number in range(161):
        put(cse, str(number))
    assert stored(cse) == [str(number) for number in range(11, 161)]


# Statistics


def test_statistics(cse: Driven) -> None:
    """nse: for each target the events, the requests sent and the responses received."""
    ri = sub(cse, nu=[ME, URL], nse=True, exc=9, enc={"net": [3]})
    zero = {"rqs": 0, "rsr": 0, "noec": 0}
    assert seen(cse, ri)["nsi"] == [{"tg": ME, **zero}, {"tg": URL, **zero}]
    put(cse)
    put(cse)
    first, second, third, fourth = waiting(cse)
    cse.cse.settle([(first, True), (second, False), (third, True)])
    cse.commit()
    assert seen(cse, ri)["nsi"] == [{"tg": ME, "rqs": 2, "rsr": 2, "noec": 2}, {"tg": URL, "rqs": 1, "rsr": 0, "noec": 2}]
    assert seen(cse, ri)["exc"] == 7
    of(cse.update(ri, {"m2m:sub": {"nu": [URL, "http://new"]}}, ME))
    assert seen(cse, ri)["nsi"] == [{"tg": URL, "rqs": 1, "rsr": 0, "noec": 2}, {"tg": "http://new", **zero}]
    of(cse.update(ri, {"m2m:sub": {"nse": False}}, ME))
    put(cse)
    cse.cse.settle([(fourth, True)])
    cse.commit()
    assert seen(cse, ri)["nsi"] == [{"tg": URL, "rqs": 1, "rsr": 0, "noec": 2}, {"tg": "http://new", **zero}]
    of(cse.update(ri, {"m2m:sub": {"nse": True}}, ME))
    assert seen(cse, ri)["nsi"] == [{"tg": URL, **zero}, {"tg": "http://new", **zero}]
    of(cse.update(ri, {"m2m:sub": {"nse": None}}, ME))
    assert "nsi" not in seen(cse, ri)


def test_without_nse_there_are_no_statistics(cse: Driven) -> None:
    ri = sub(cse, enc={"net": [3]})
    put(cse)
    cse.cse.settle([(notice, True) for notice in waiting(cse)])
    cse.commit()
    assert "nsi" not in seen(cse, ri)


# What happened before


@pytest.mark.parametrize(
    ("earlier", "criteria", "expected"),
    [
        (2, {"net": [3]}, ["b", "c"]),
        (9, {"net": [3]}, ["a", "b", "c"]),
        (2, {"net": [1]}, []),
        (2, {"net": [3], "chty": [3]}, []),
        (1, {"net": [3], "sza": 2}, ["bb"]),
    ],
    ids=str,
)
def test_earlier_notifications(cse: Driven, earlier: int, criteria: dict[str, Any], expected: list[str]) -> None:
    """psn: the last creations before the subscription that it is about are told when it is made, oldest first."""
    for con in ("bb", "a", "b", "c") if "sza" in criteria else "abc":
        put(cse, con)
    ri = sub(cse, psn=earlier, enc=criteria)
    found = told(cse)
    assert [each["nev"]["rep"]["m2m:cin"]["con"] for each in found] == expected
    assert all(each["sur"] == f"/id-in/{ri}" for each in found)
