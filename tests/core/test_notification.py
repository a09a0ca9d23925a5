"""What a subscriber is told, when and how often (TS-0001 9.6.8, 10.2.10, TS-0004 7.5.1.2; procedures 7.2 to 7.6)."""

from typing import Any

import pytest

from cse.codes import Operation
from cse.codes import ResponseStatusCode as RSC
from cse.datatypes import timestamp
from cse.primitives import Notice, Request, Response
from tests.core.test_subscription import URL, subscribe
from tests.core.tree import AE, ME, OTHER, POWER, answering, container, of, policy, put, register, rule, seen, world
from tests.drive import Driven


@pytest.fixture
def cse() -> Driven:
    return world()


def sub(cse: Driven, to: str = POWER, fr: str = ME, **attributes: Any) -> str:
    """Subscribe and give the ri."""
    found = of(subscribe(cse, to, fr, **attributes))["ri"]
    assert isinstance(found, str)
    return found


def told(cse: Driven) -> list[dict[str, Any]]:
    """Give the notifications since the last call, without their root."""
    found = []
    for notice in cse.taken():
        (root,) = notice.content
        assert root in ("m2m:sgn", "m2m:agn")
        found.append(notice.content[root])
    return found


def events(cse: Driven) -> list[tuple[int, str]]:
    """Give event type and resource name of the notifications since the last call."""
    return [(each["nev"]["net"], next(iter(each["nev"]["rep"].values()))["rn"]) for each in told(cse) if "nev" in each]


# Event types


def everything(cse: Driven) -> None:
    """Create and delete a child, update the container, read it empty, delete it."""
    container(cse, "child", POWER)
    of(cse.update(POWER, {"m2m:cnt": {"mni": 7}}, ME))
    assert cse.delete(f"{POWER}/child", ME).ok
    assert cse.retrieve(POWER, ME, rcn=4).ok
    assert cse.delete(POWER, ME).ok


@pytest.mark.parametrize(
    ("net", "expected"),
    [
        (None, [(1, "power")]),
        ([1], [(1, "power")]),
        ([2], [(2, "power")]),
        ([3], [(3, "child")]),
        ([4], [(4, "child")]),
        ([5], [(5, "power")]),
        ([1, 2, 3, 4, 5], [(3, "child"), (1, "power"), (4, "child"), (5, "power"), (2, "power")]),
    ],
    ids=str,
)
def test_event_types(cse: Driven, net: list[int] | None, expected: list[tuple[int, str]]) -> None:
    criteria: dict[str, Any] = {} if net is None else {"enc": {"net": net}}
    sub(cse, **criteria)
    everything(cse)
    assert events(cse) == expected


def test_the_shape_of_a_notification(cse: Driven) -> None:
    ri = sub(cse, enc={"net": [3]})
    instance = put(cse, "hello")
    (notice,) = cse.taken()
    assert notice.content == {"m2m:sgn": {"nev": {"rep": {"m2m:cin": instance}, "net": 3}, "sur": f"/id-in/{ri}"}}
    assert (notice.target, notice.fr, notice.subscription, notice.ec, notice.held, notice.due) == (ME, "/id-in", ri, None, False, 0.0)
    assert notice.rqi
    assert notice.created == cse.seconds


def test_the_forwarding_address_of_a_group_goes_along(cse: Driven) -> None:
    """nfu (procedures 7.3): the group that made the subscription forwards the notification to it."""
    sub(cse, enc={"net": [3]}, nfu="http://subscriber.example")
    put(cse)
    (found,) = told(cse)
    assert found["nfu"] == "http://subscriber.example"


def test_every_target_is_told(cse: Driven) -> None:
    sub(cse, nu=[ME, URL], enc={"net": [3]})
    put(cse)
    first, second = cse.taken()
    assert [first.target, second.target] == [ME, URL]
    assert first.content == second.content
    assert first.rqi != second.rqi


def test_every_subscription_is_told_in_order(cse: Driven) -> None:
    first, second = sub(cse, enc={"net": [3]}), sub(cse, enc={"net": [3, 4]})
    cse.notices.clear()  # the second is a child too
    put(cse)
    assert [each["sur"] for each in told(cse)] == [f"/id-in/{first}", f"/id-in/{second}"]


def test_the_representation_is_the_one_a_retrieve_gives(cse: Driven) -> None:
    """Also where the CSE has changed counters after the update: mni lowered, the oldest instances went."""
    for con in "abc":
        put(cse, con)
    sub(cse)
    of(cse.update(POWER, {"m2m:cnt": {"mni": 1}}, ME))
    (found,) = told(cse)
    assert found["nev"]["rep"]["m2m:cnt"] == seen(cse, POWER)
    assert found["nev"]["rep"]["m2m:cnt"]["cni"] == 1


def test_a_new_instance_is_shown_as_it_is_kept(cse: Driven) -> None:
    sub(cse, enc={"net": [3]})
    put(cse, "x")
    (found,) = told(cse)
    assert found["nev"]["rep"]["m2m:cin"] == seen(cse, f"{POWER}/la")


def test_a_deleted_resource_is_shown_as_it_was(cse: Driven) -> None:
    sub(cse, enc={"net": [2, 4]})
    instance = put(cse)
    assert cse.delete(instance["ri"], ME).ok
    whole = seen(cse, POWER)
    assert cse.delete(POWER, ME).ok
    assert [each["nev"] for each in told(cse)] == [{"rep": {"m2m:cin": instance}, "net": 4}, {"rep": {"m2m:cnt": whole}, "net": 2}]


def test_instances_that_limits_push_out_are_no_event(cse: Driven) -> None:
    """Procedures 7.2."""
    of(cse.update(POWER, {"m2m:cnt": {"mni": 1}}, ME))
    sub(cse, enc={"net": [4]})
    put(cse)
    put(cse)
    of(cse.update(POWER, {"m2m:cnt": {"mni": 0}}, ME))
    assert told(cse) == []


def test_deleting_the_latest_is_a_deletion(cse: Driven) -> None:
    sub(cse, enc={"net": [4]})
    instance = put(cse)
    assert cse.delete(f"{POWER}/la", ME).ok
    assert events(cse) == [(4, instance["rn"])]


def test_only_direct_children_count(cse: Driven) -> None:
    inner = container(cse, "inner", POWER)
    sub(cse, enc={"net": [1, 3, 4]})
    put(cse, to=inner)
    container(cse, "deep", inner)
    of(cse.update(inner, {"m2m:cnt": {"mni": 3}}, ME))
    assert cse.delete(f"{inner}/deep", ME).ok
    assert told(cse) == []


def test_counters_that_the_cse_keeps_are_no_update(cse: Driven) -> None:
    sub(cse, enc={"net": [1]})
    put(cse)
    assert told(cse) == []


def test_a_request_that_fails_is_no_event(cse: Driven) -> None:
    sub(cse, enc={"net": [1, 2, 3, 4]})
    assert not cse.update(POWER, {"m2m:cnt": {"cni": 3}}, ME).ok
    assert not cse.update(POWER, {"m2m:cnt": {"mni": 3}}, OTHER).ok
    assert not cse.create(POWER, 4, {"m2m:cin": {}}, ME).ok
    assert not cse.delete(POWER, OTHER).ok
    assert told(cse) == []


def test_a_subscription_is_not_told_of_itself(cse: Driven) -> None:
    """Procedures 7.2: neither of its creation nor of its deletion nor of its update; of other subscriptions it is."""
    ri = sub(cse, enc={"net": [1, 3, 4]})
    of(cse.update(ri, {"m2m:sub": {"lbl": ["x"]}}, ME))
    assert told(cse) == []
    other = sub(cse, enc={"net": [1]})
    assert cse.delete(other, ME).ok
    assert events(cse) == [(3, other), (4, other)]
    assert cse.delete(ri, ME).ok
    assert told(cse) == []


def test_expiry_is_a_deletion(cse: Driven) -> None:
    """Procedures 1.8: sending net 2 and 4 is the safe choice."""
    top = container(cse, "top", et=timestamp(cse.seconds + 50))
    sub(cse, AE, enc={"net": [4]})
    sub(cse, top, enc={"net": [2]})
    cse.pass_time(60)
    assert sorted(events(cse)) == [(2, "top"), (4, "top")]


# Net 5


@pytest.mark.parametrize(("rcn", "expected"), [(4, 1), (8, 1), (1, 0), (None, 0), (5, 0), (6, 0), (12, 0)])
def test_reading_an_empty_container(cse: Driven, rcn: int | None, expected: int) -> None:
    """Procedures 7.2: with rcn 4 and 8 only."""
    sub(cse, enc={"net": [5]})
    assert cse.retrieve(POWER, ME, rcn=rcn).ok
    assert len(told(cse)) == expected


def test_a_container_is_empty_when_no_instance_is_valid(cse: Driven) -> None:
    sub(cse, enc={"net": [5]})
    put(cse, et=timestamp(cse.seconds + 5))
    assert cse.retrieve(POWER, ME, rcn=4).ok
    assert told(cse) == []
    cse.seconds += 6
    assert cse.retrieve(POWER, ME, rcn=4).ok
    assert events(cse) == [(5, "power")]
    container(cse, "child", POWER)
    assert cse.retrieve(POWER, ME, rcn=4).ok
    assert events(cse) == [(5, "power")]


def test_who_may_not_read_causes_nothing(cse: Driven) -> None:
    sub(cse, enc={"net": [5]})
    assert cse.retrieve(POWER, OTHER, rcn=4).rsc == RSC.ORIGINATOR_HAS_NO_PRIVILEGE
    assert told(cse) == []


# NotificationContentType


def test_modified_attributes(cse: Driven) -> None:
    """nct 2: what the request and the CSE changed, and nothing else; what was removed is null."""
    of(cse.update(POWER, {"m2m:cnt": {"mbs": 99}}, ME))
    sub(cse, nct=2)
    after = of(cse.update(POWER, {"m2m:cnt": {"mni": 3, "lbl": ["a"], "mbs": None}}, ME))
    (found,) = told(cse)
    changed = found["nev"]["rep"]["m2m:cnt"]
    assert changed == {"mni": 3, "lbl": ["a"], "mbs": None, "st": after["st"], "lt": after["lt"]}


@pytest.mark.parametrize("net", [1, 2, 3, 4, 5])
def test_resource_identifiers(cse: Driven, net: int) -> None:
    """nct 3: m2m:uri."""
    sub(cse, enc={"net": [net]}, nct=3)
    power, child = seen(cse, POWER)["ri"], ""
    if net in (3, 4):
        child = of(cse.create(POWER, 3, {"m2m:cnt": {"rn": "child"}}, ME))["ri"]
        assert cse.delete(child, ME).ok
    else:
        everything(cse)
    (found,) = told(cse)
    assert found["nev"] == {"rep": {"m2m:uri": child or power}, "net": net}


# EventNotificationCriteria


@pytest.mark.parametrize(
    ("watched", "changes", "expected"),
    [
        (["lbl"], {"lbl": ["a"]}, 1),
        (["lbl"], {"mni": 3}, 0),
        (["lbl", "mni"], {"mni": 3}, 1),
        (["lbl"], {"lbl": None, "mni": 3}, 1),
        (["lt"], {"mni": 3}, 1),
        (["st"], {"mni": 3}, 1),
        (["cr"], {"mni": 3}, 0),
    ],
    ids=str,
)
def test_watched_attributes(cse: Driven, watched: list[str], changes: dict[str, Any], expected: int) -> None:
    """Procedures 7.2: at least one listed attribute in the request or changed by the CSE."""
    sub(cse, enc={"net": [1], "atr": watched})
    of(cse.update(POWER, {"m2m:cnt": changes}, ME))
    assert len(told(cse)) == expected


def test_watched_attributes_limit_updates_only(cse: Driven) -> None:
    sub(cse, enc={"net": [1, 3], "atr": ["lbl"]})
    put(cse)
    assert len(told(cse)) == 1


@pytest.mark.parametrize(("types", "expected"), [([4], [3, 4]), ([3], []), ([3, 4], [3, 4])], ids=str)
def test_child_types(cse: Driven, types: list[int], expected: list[int]) -> None:
    """chty limits net 3 and 4, and no other."""
    sub(cse, enc={"net": [1, 3, 4], "chty": types})
    instance = put(cse)
    assert cse.delete(instance["ri"], ME).ok
    of(cse.update(POWER, {"m2m:cnt": {"mni": 3}}, ME))
    assert [each["nev"]["net"] for each in told(cse)] == [*expected, 1]


NOW = 1_750_000_000.0


@pytest.mark.parametrize(
    ("condition", "on_child", "on_parent"),
    [
        ({"crb": timestamp(NOW + 50)}, 0, 1),
        ({"cra": timestamp(NOW + 50)}, 1, 0),
        ({"us": timestamp(NOW + 101)}, 1, 1),
        ({"ms": timestamp(NOW + 101)}, 0, 0),
        ({"sts": 2}, 1, 0),
        ({"stb": 2}, 0, 1),
        ({"exb": timestamp(NOW + 1000)}, 1, 0),
        ({"exa": timestamp(NOW + 1000)}, 0, 1),
        ({"sza": 5}, 1, 0),
        ({"sza": 6}, 0, 0),
        ({"szb": 6}, 1, 0),
        ({"szb": 5}, 0, 0),
        ({"sza": 5, "szb": 6}, 1, 0),
        ({"sza": 5, "szb": 5}, 0, 0),
        ({"sza": 5, "szb": 5, "fo": 2}, 1, 0),
    ],
    ids=str,
)
def test_conditions_are_tested_on_the_child_or_on_the_parent(cse: Driven, condition: dict[str, Any], on_child: int, on_parent: int) -> None:
    """Procedures 7.2: on the resource itself for net 1 and 2, on the child for 3 and 4; joined by AND."""
    sub(cse, enc={"net": [1, 3], **condition})
    cse.seconds += 100
    put(cse, "hello", et=timestamp(NOW + 500))
    assert len(told(cse)) == on_child
    of(cse.update(POWER, {"m2m:cnt": {"mni": 3}}, ME))
    assert len(told(cse)) == on_parent


@pytest.mark.parametrize(
    ("monitors", "expected"),
    [
        ([{"ops": 1}], [Operation.CREATE]),
        ([{"ops": 2}], [Operation.RETRIEVE]),
        ([{"ops": 4}], [Operation.UPDATE]),
        ([{"ops": 8}], [Operation.DELETE]),
        ([{"ops": 12}], [Operation.UPDATE, Operation.DELETE]),
        ([{"ops": 1}, {"ops": 2}], [Operation.CREATE, Operation.RETRIEVE]),
        ([{"or": ME}], [Operation.CREATE, Operation.UPDATE]),
        ([{"org": f"/id-in/{ME}", "ops": 4}], [Operation.UPDATE]),
        ([{"or": "CAdmin"}], [Operation.RETRIEVE, Operation.DELETE]),
        ([{"or": OTHER}], []),
        ([{"or": ME, "ops": 8}], []),
    ],
    ids=str,
)
def test_operation_monitoring(cse: Driven, monitors: list[dict[str, Any]], expected: list[Operation]) -> None:
    """enc.om: requests of a kind, of an originator; nev.om says which and by whom."""
    sub(cse, enc={"om": monitors})
    put(cse)
    of(cse.update(POWER, {"m2m:cnt": {"mni": 3}}, ME))
    of(cse.retrieve(POWER))
    assert cse.delete(POWER).ok
    found = [each["nev"] for each in told(cse)]
    assert [each["om"]["op"] for each in found] == expected
    by = {Operation.CREATE: ME, Operation.UPDATE: ME, Operation.RETRIEVE: "CAdmin", Operation.DELETE: "CAdmin"}
    assert [each["om"]["or"] for each in found] == [f"/id-in/{by[operation]}" for operation in expected]
    assert all("net" not in each for each in found)
    assert [next(iter(each["rep"])) for each in found] == ["m2m:cin" if operation == Operation.CREATE else "m2m:cnt" for operation in expected]


def test_discovery_and_notification_are_monitored_too(cse: Driven) -> None:
    """enc.om with the bits of DISCOVERY (a RETRIEVE) and NOTIFY; one that has no privilege on the resource, or fails, is no event."""
    register(cse, "Csink", rn="sink", poa=[URL], acpi=[policy(cse, "some", rule(ME, 16 + 32), rule("Csink", 63))])
    sub(cse, "cse-in/sink", "Csink", enc={"om": [{"ops": 16 + 32}]})
    content = {"m2m:sgn": {"sur": "x"}}
    for who, operations in ((ME, [2, 5]), (OTHER, [])):
        cse.retrieve("cse-in/sink", who, fc={"fu": 1})
        cse.retrieve("cse-in/sink", who, fc={"fu": 1, "smf": ["x"]})
        cse.request(Request(Operation.NOTIFY, "cse-in/sink", who, "q", "4", pc=content))
        found = [each["nev"] for each in told(cse)]
        assert [each["om"] for each in found] == [{"op": operation, "or": f"/id-in/{who}"} for operation in operations]
        assert all(list(each["rep"]) == ["m2m:ae"] for each in found)
    cse.answer = answering(RSC.BAD_REQUEST)
    assert not cse.request(Request(Operation.NOTIFY, "cse-in/sink", ME, "q", "4", pc=content)).ok
    assert told(cse) == []


def test_monitored_requests_that_fail_are_no_event(cse: Driven) -> None:
    sub(cse, enc={"om": [{"ops": 63}]})
    assert not cse.retrieve(POWER, OTHER).ok
    assert not cse.update(POWER, {"m2m:cnt": {"mni": -3}}, ME).ok
    assert told(cse) == []


def waiting(cse: Driven) -> list[Notice]:
    """Give what is in the outbox and may be delivered."""
    return cse.store.notices()


# Deletion notices


def gone_by_request(cse: Driven, ri: str) -> None:
    assert cse.delete(ri, ME).ok


def gone_with_the_parent(cse: Driven, ri: str) -> None:
    assert cse.delete(POWER, ME).ok


def gone_with_the_grandparent(cse: Driven, ri: str) -> None:
    assert cse.delete(AE).ok


def gone_by_expiry(cse: Driven, ri: str) -> None:
    of(cse.update(ri, {"m2m:sub": {"et": timestamp(cse.seconds + 5)}}, ME))
    cse.pass_time(10)


def gone_by_expiry_of_the_parent(cse: Driven, ri: str) -> None:
    of(cse.update(POWER, {"m2m:cnt": {"et": timestamp(cse.seconds + 5)}}, ME))
    cse.pass_time(10)


@pytest.mark.parametrize("end", [gone_by_request, gone_with_the_parent, gone_with_the_grandparent, gone_by_expiry, gone_by_expiry_of_the_parent])
def test_su_and_acrs_hear_that_the_subscription_is_gone(cse: Driven, end: Any) -> None:
    """Procedures 7.1 DELETE: however it went."""
    ri = sub(cse, su=URL, acrs=["/id-in/crs1", "http://crs"], enc={"net": [3]})
    end(cse, ri)
    notices = list(cse.taken())
    assert [notice.target for notice in notices] == [URL, "/id-in/crs1", "http://crs"]
    assert all(notice.content == {"m2m:sgn": {"sud": True, "sur": f"/id-in/{ri}"}} for notice in notices)
    assert cse.retrieve(ri).rsc == RSC.NOT_FOUND


def test_without_su_nobody_is_told(cse: Driven) -> None:
    assert cse.delete(sub(cse), ME).ok
    assert told(cse) == []


# What does not harm the request


def test_a_target_that_is_gone_is_no_error_of_the_request(cse: Driven) -> None:
    cse.answer = lambda call: Response(RSC.OK, call.request.rqi)
    sub(cse, nu=[URL], enc={"net": [3]})
    cse.answer = lambda call: Response(RSC.TARGET_NOT_REACHABLE, call.request.rqi)
    assert cse.create(POWER, 4, {"m2m:cin": {"con": "x"}}, ME).rsc == RSC.CREATED
    assert len(told(cse)) == 1


def test_delivered_notices_leave_the_outbox(cse: Driven) -> None:
    sub(cse, enc={"net": [3]})
    put(cse)
    put(cse)
    first, second = waiting(cse)
    cse.cse.settle([(first, True)])
    cse.commit()
    assert waiting(cse) == [second]
    cse.cse.settle([(second, False)])
    cse.commit()
    assert waiting(cse) == []


def test_whoever_subscribed_is_told_even_when_others_write(cse: Driven) -> None:
    open_ = container(cse, "open", acpi=[policy(cse, "all", rule("all", 63))])
    ri = sub(cse, open_, OTHER, enc={"net": [3]})
    put(cse, to=open_, fr=ME)
    assert [each["sur"] for each in told(cse)] == [f"/id-in/{ri}"]


@pytest.mark.parametrize(
    ("csz", "urls"),
    [
        (["cbor"], ("http://meter?ct=cbor", "coap://meter/x?a=b&ct=cbor", "http://own?ct=json")),
        (["application/xml", "application/cbor", "application/json"], ("http://meter?ct=cbor", "coap://meter/x?a=b&ct=cbor", "http://own?ct=json")),
        (["json", "cbor"], ("http://meter", "coap://meter/x?a=b", "http://own?ct=json")),
        (["xml"], ("http://meter", "coap://meter/x?a=b", "http://own?ct=json")),
    ],
    ids=str,
)
def test_an_ae_gets_the_first_serialisation_that_it_names(cse: Driven, csz: list[str], urls: tuple[str, ...]) -> None:
    """Of those that are served; a point of access with one of its own (ct) keeps it."""
    of(cse.update(AE, {"m2m:ae": {"poa": ["http://meter", "coap://meter/x?a=b", "http://own?ct=json"], "csz": csz}}, ME))
    assert cse.cse.route(ME) == urls


def test_where_a_notice_goes(cse: Driven) -> None:
    """A URL itself, the points of access of an AE; of one without, nowhere."""
    of(cse.update(AE, {"m2m:ae": {"poa": ["http://meter", "coap://meter"]}}, ME))
    for target in (ME, f"/id-in/{ME}", AE, f"//acme.example.com/id-in/{ME}"):
        assert cse.cse.route(target) == ("http://meter", "coap://meter")
    assert cse.cse.route(URL) == (URL,)
    assert cse.cse.route(OTHER) == cse.cse.route("Cnobody") == cse.cse.route(POWER) == cse.cse.route("/id-nowhere/x") == ()
