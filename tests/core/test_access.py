"""Access decisions, clause by clause (TS-0001 9.6.2, TS-0003 7.1, TS-0004 7.3.3.15)."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cse.access import Access
from cse.codes import AccessControlOperation as Right
from cse.codes import Operation
from cse.config import Settings
from cse.criteria import like
from cse.geo import distance, position
from cse.primitives import NOBODY, Peer, Request
from cse.record import Record
from cse.storage.contract import commit
from cse.storage.memory import MemoryStore

SETTINGS = Settings(cse_id="/id-in", cse_name="cse-in", sp_id="//sp.example", admin="CAdmin")
ALL = 63
SUNDAY_MORNING = datetime(2026, 5, 17, 8, 15, tzinfo=UTC).timestamp()
BERLIN, HAMBURG = {"typ": 1, "crd": "[13.4, 52.5]"}, {"typ": 1, "crd": "[10.0, 53.55]"}
INSIDE = Peer(internal=True)


def has_acpi(ty: int) -> bool:
    return ty in {2, 3, 5, 9, 16, 18, 23, 28}


def never(_: Record) -> bool:
    """Tell that nothing expires."""
    return False


class World:
    """A small tree with the access decisions over it."""

    def __init__(self) -> None:
        self.store = MemoryStore(frozenset({4}))
        self.access = Access(SETTINGS, has_acpi, lambda: SUNDAY_MORNING, never)
        self.add(5, "id-in", None, "cse-in", "/id-in")
        self.add(2, "Cmeter", "id-in", "meter", "Cmeter", loc=BERLIN)
        self.add(2, "Cother", "id-in", "other", "Cother", loc=HAMBURG)
        self.add(2, "Sdash", "id-in", "dash", "Sdash")
        self.add(16, "csr1", "id-in", "mn", "/id-mn", csi="/id-mn")

    def add(self, ty: int, ri: str, pi: str | None, rn: str, originator: str, **attributes: Any) -> Record:
        parent = None if pi is None else self.store.get(pi)
        path = rn if parent is None else f"{parent.path}/{rn}"
        record = Record(ty, ri, pi or "", rn, path, {"ty": ty, "ri": ri, "pi": pi or "", "rn": rn, **attributes}, originator)
        with self.store.transaction() as transaction:
            transaction.insert(record)
        commit(self.store)
        return record

    def change(self, ri: str, **attributes: Any) -> Record:
        record = self.get(ri).with_attributes(attributes)
        with self.store.transaction() as transaction:
            transaction.replace(record)
        commit(self.store)
        return record

    def get(self, ri: str) -> Record:
        record = self.store.get(ri)
        assert record is not None
        return record

    def policy(self, *rules: Mapping[str, Any], own: tuple[Mapping[str, Any], ...] = (), ri: str = "acp1", pi: str = "id-in") -> Record:
        return self.add(1, ri, pi, ri, "CAdmin", pv={"acr": list(rules)}, pvs={"acr": list(own)})

    def container(self, ri: str = "cnt1", originator: str = "Cmeter", **attributes: Any) -> Record:
        return self.add(3, ri, "Cmeter", ri, originator, **attributes)

    def may(self, fr: str | None, target: str | Record, right: int = Right.RETRIEVE, child: int | None = None, peer: Peer = NOBODY) -> bool:
        request = Request(Operation.RETRIEVE, "x", fr, peer=peer)
        return self.access.may(self.store, request, right, self.get(target) if isinstance(target, str) else target, child)


@pytest.fixture
def world() -> World:
    return World()


def rule(*originators: str, acop: int = ALL, **more: Any) -> dict[str, Any]:
    return {"acor": list(originators), "acop": acop, **more}


def test_the_admin_may_do_everything_in_any_form_of_its_name(world: World) -> None:
    world.container(acpi=["gone"])
    for fr in ("CAdmin", "/id-in/CAdmin", "//sp.example/id-in/CAdmin"):
        assert world.may(fr, "cnt1", ALL, 4)
        assert world.access.attributes(world.store, Request(Operation.RETRIEVE, "x", fr), Right.RETRIEVE, world.get("cnt1")) is None
    for fr in ("/id-mn/CAdmin", "SAdmin", "CAdmin2", "admin"):
        assert not world.may(fr, "cnt1")


@pytest.mark.parametrize("admin", ["", "CAdmin"])
def test_nobody_may_do_nothing(admin: str) -> None:
    world = World()
    world.access = Access(Settings(cse_id="/id-in", cse_name="cse-in", sp_id="//sp.example", admin=admin), has_acpi, lambda: 0.0, never)
    world.policy(rule("all", "", "*"))
    linked, bare = world.container(acpi=["acp1"]), world.container("cnt2", originator="")
    for fr in (None, ""):
        request = Request(Operation.UPDATE, "x", fr)
        for target in (linked, bare, world.get("id-in")):
            assert not world.may(fr, target)
            assert not world.access.may_change_policies(world.store, request, target)
            assert world.access.attributes(world.store, request, Right.RETRIEVE, target) == frozenset()


def test_the_cse_is_trusted_only_from_within(world: World) -> None:
    world.policy(rule("all"))
    for target in (world.container(), world.container("cnt2", acpi=["gone"]), world.get("id-in")):
        assert world.may("/id-in", target, ALL, peer=INSIDE)
        for fr in ("/id-in", "//sp.example/id-in"):
            assert not world.may(fr, target)
    assert not world.may("/id-mn", "cnt1", peer=INSIDE)


def test_without_policy_only_the_creator(world: World) -> None:
    world.container()
    assert all(world.may(fr, "cnt1", ALL) for fr in ("Cmeter", "/id-in/Cmeter", "//sp.example/id-in/Cmeter"))
    assert not any(world.may(fr, "cnt1") for fr in ("Cother", "/id-mn/Cmeter", "/id-mn", "Sdash", "meter"))


def test_the_parent_lends_no_rights_to_a_type_with_its_own_policies(world: World) -> None:
    world.container(originator="Cother")
    assert world.may("Cmeter", "Cmeter")
    assert not world.may("Cmeter", "cnt1")


def test_the_custodian_takes_the_place_of_the_creator(world: World) -> None:
    world.container(cstn="/id-in/Cother")
    assert world.may("Cother", "cnt1", ALL)
    assert not world.may("Cmeter", "cnt1")


def test_with_policies_the_creator_has_no_rights_of_its_own(world: World) -> None:
    world.policy(rule("Cother"))
    world.container(acpi=["acp1"], cstn="Cmeter")
    assert world.may("Cother", "cnt1")
    assert not world.may("Cmeter", "cnt1")


def test_types_without_acpi_are_judged_by_their_nearest_ancestor_that_has_it(world: World) -> None:
    world.policy(rule("Cother", acop=Right.RETRIEVE))
    world.container(acpi=["acp1"])
    world.add(4, "cin1", "cnt1", "cin1", "Cmeter")
    assert world.may("Cother", "cin1")
    assert not world.may("Cother", "cin1", Right.DELETE)
    assert not world.may("Cmeter", "cin1")
    world.container("cnt2")
    world.add(4, "cin2", "cnt2", "cin2", "Cother")
    assert world.may("Cmeter", "cin2")
    assert not world.may("Cother", "cin2")
    world.add(30, "x1", "cnt2", "x1", "Cother")
    world.add(30, "x2", "x1", "x2", "Cother")
    assert world.may("Cmeter", "x2")
    assert not world.may("Cmeter", Record(4, "cin9", "gone", "cin9", "gone/cin9", {}, "Cmeter"))


def test_registrees_may_look_at_the_csebase(world: World) -> None:
    for fr in ("Cmeter", "/id-in/Cmeter", "Sdash", "/Sdash", "/id-mn"):
        assert world.may(fr, "id-in", Right.RETRIEVE)
        assert world.may(fr, "id-in", Right.DISCOVERY)
        for right in (Right.CREATE, Right.UPDATE, Right.DELETE, Right.NOTIFY, ALL):
            assert not world.may(fr, "id-in", right)
    for fr in ("Cstranger", "/Sstranger", "/id-xx", "/id-mn/Cmeter", "csr1"):
        assert not world.may(fr, "id-in")


def test_a_cse_may_have_a_name_that_begins_like_a_stem(world: World) -> None:
    assert not world.may("/Station", "id-in")
    world.add(16, "csr2", "id-in", "station", "/Station", csi="/Station")
    assert world.may("/Station", "id-in")


def test_a_policy_on_the_csebase_replaces_that(world: World) -> None:
    world.policy(rule("Cstranger", acop=Right.RETRIEVE))
    world.change("id-in", acpi=["acp1"])
    assert world.may("Cstranger", "id-in")
    assert not world.may("Cmeter", "id-in")


@pytest.mark.parametrize("address", ["acp1", "cse-in/acp1", "-/acp1", "/id-in/acp1", "/id-in/-/acp1", "//sp.example/id-in/cse-in/acp1"])
def test_policies_are_linked_by_any_local_address(world: World, address: str) -> None:
    world.policy(rule("Cother"))
    world.container(acpi=[address])
    assert world.may("Cother", "cnt1")


@pytest.mark.parametrize("address", ["gone", "/id-mn/acp1", "//other.example/id-in/acp1", "acp1#pv", "acp1/x", "a b", "a /b", "", "Cother", "cse-in", "/"])
def test_what_is_no_local_policy_grants_nothing(world: World, address: str) -> None:
    world.policy(rule("all"))
    world.container(acpi=[address])
    assert not world.may("Cother", "cnt1")
    assert not world.may("Cmeter", "cnt1")
    world.change("cnt1", acpi=[address, "acp1"])
    assert world.may("Cother", "cnt1")


def test_other_resources_are_no_policies_whatever_their_attributes(world: World) -> None:
    world.add(28, "fcnt1", "Cother", "fcnt1", "Cother", pv={"acr": [rule("Cother")]}, pvs={"acr": [rule("Cother")]})
    container = world.container(acpi=["fcnt1"])
    assert not world.may("Cother", container)
    assert not world.access.may_change_policies(world.store, Request(Operation.UPDATE, "x", "Cother"), container)


def test_one_rule_of_one_policy_suffices(world: World) -> None:
    world.policy(rule("Cother", acop=Right.RETRIEVE), rule("Cother", acop=Right.DELETE))
    world.policy(rule("Cother", acop=Right.NOTIFY), ri="acp2")
    world.container(acpi=["acp1", "acp2"])
    assert [right for right in Right if world.may("Cother", "cnt1", right)] == [Right.RETRIEVE, Right.DELETE, Right.NOTIFY]
    assert not world.may("Cother", "cnt1", Right.RETRIEVE | Right.DELETE)


@pytest.mark.parametrize("right", list(Right))
def test_each_operation_has_its_bit(world: World, right: Right) -> None:
    world.policy(rule("Cother", acop=int(right)))
    world.container(acpi=["acp1"])
    assert [each for each in Right if world.may("Cother", "cnt1", each, 3)] == [right]


def test_a_changed_policy_counts_at_once(world: World) -> None:
    world.policy(rule("Cother"))
    world.container(acpi=["acp1"])
    assert world.may("Cother", "cnt1")
    world.change("acp1", pv={"acr": []})
    assert not world.may("Cother", "cnt1")
    with world.store.transaction() as transaction:
        transaction.replace(world.get("acp1").with_attributes({"pv": {"acr": [rule("Cother")]}}))
        assert world.access.may(transaction, Request(Operation.RETRIEVE, "x", "Cother"), Right.RETRIEVE, world.get("cnt1"))
        assert not world.may("Cother", "cnt1")


def test_more_policies_than_are_kept_compiled(world: World) -> None:
    with world.store.transaction() as transaction:
        for number in range(4200):
            attributes = {"pv": {"acr": [rule(f"C{number}")]}, "pvs": {"acr": []}}
            transaction.insert(Record(1, f"p{number}", "id-in", f"p{number}", f"cse-in/p{number}", attributes, "CAdmin"))
    commit(world.store)
    container = world.container(acpi=[f"p{number}" for number in range(4200)])
    for fr in ("C4199", "C0", "C4199"):
        assert world.may(fr, container)
    assert not world.may("C4200", container)


def test_a_policy_itself_is_judged_by_its_self_privileges(world: World) -> None:
    world.policy(rule("Cother"), own=(rule("Cmeter", acop=Right.RETRIEVE),))
    assert world.may("Cmeter", "acp1")
    assert not world.may("Cmeter", "acp1", Right.UPDATE)
    assert not world.may("Cother", "acp1")


def test_linked_policies_decide_who_may_change_the_links(world: World) -> None:
    def may_change(fr: str, peer: Peer = NOBODY) -> bool:
        return world.access.may_change_policies(world.store, Request(Operation.UPDATE, "x", fr, peer=peer), world.get("cnt1"))

    world.policy(rule("Cother"), own=(rule("Sdash", acop=Right.UPDATE), rule("Cmeter", acop=Right.RETRIEVE)))
    world.container()
    assert (may_change("Cmeter"), may_change("Sdash")) == (True, False)
    world.change("cnt1", acpi=["acp1"])
    assert (may_change("Cmeter"), may_change("Sdash"), may_change("Cother"), may_change("CAdmin")) == (False, True, False, True)
    world.change("cnt1", acpi=["gone"])
    assert (may_change("Cmeter"), may_change("Sdash"), may_change("CAdmin"), may_change("/id-in", INSIDE)) == (False, False, True, True)
    world.change("acp1", pvs={"acr": [rule("Sdash", aca=["lbl"]), rule("Cother", aca=["acpi"])]})
    world.change("cnt1", acpi=["acp1"])
    assert (may_change("Sdash"), may_change("Cother")) == (False, True)


ORIGINATORS = ("Cmeter", "Cother", "Sdash", "/id-mn", "/id-mn/Cfar", "/id-asn/Cfar", "//other.example/id-x/Cfar", "//other.example/Sfar", "/id-mn2")


@pytest.mark.parametrize(
    ("entry", "wanted"),
    [
        ("all", ORIGINATORS),
        ("Cmeter", ["Cmeter"]),
        ("/id-in/Cmeter", ["Cmeter"]),
        ("//sp.example/id-in/Cmeter", ["Cmeter"]),
        ("/Sdash", ["Sdash"]),
        ("Sdash", ["Sdash"]),
        ("//sp.example/Sdash", ["Sdash"]),
        ("/id-mn", ["/id-mn"]),
        ("//sp.example/id-mn", ["/id-mn"]),
        ("/id-mn/Cfar", ["/id-mn/Cfar"]),
        ("//other.example/Sfar", ["//other.example/Sfar"]),
        ("C*", ["Cmeter", "Cother"]),
        ("C*er", ["Cmeter", "Cother"]),
        ("Cm*t*r", ["Cmeter"]),
        ("Cmeter*", ["Cmeter"]),
        ("S*", ["Sdash"]),
        ("*", ["Cmeter", "Cother", "Sdash"]),
        ("*e*er", ["Cmeter"]),
        ("/id-in/C*", ["Cmeter", "Cother"]),
        ("//sp.example/id-in/C*", ["Cmeter", "Cother"]),
        ("/S*", ["Sdash"]),
        ("/id-mn*", ["/id-mn", "/id-mn2"]),
        ("/id-mn/*", ["/id-mn/Cfar"]),
        ("/*/Cfar", ["/id-mn/Cfar", "/id-asn/Cfar"]),
        ("//other.example/*", ["//other.example/Sfar"]),
        ("//sp.example", ["Cmeter", "Cother", "Sdash", "/id-mn", "/id-mn/Cfar", "/id-asn/Cfar", "/id-mn2"]),
        ("//other.example", ["//other.example/id-x/Cfar", "//other.example/Sfar"]),
        ("//*.example", ORIGINATORS),
        ("//oth*", ["//other.example/id-x/Cfar", "//other.example/Sfar"]),
        ("cmeter", []),
        ("Cmete", []),
        ("meter", []),
        ("//example", []),
        ("Cmeter@sp.example", []),
        ("*@*", []),
        ("al", []),
        ("", []),
        ("cnt1", []),
        ("/id-mn/grp1", []),
    ],
)
def test_originators(world: World, entry: str, wanted: tuple[str, ...]) -> None:
    world.policy(rule(entry))
    world.container(acpi=["acp1"])
    assert [fr for fr in ORIGINATORS if world.may(fr, "cnt1")] == list(wanted)


@given(st.text("ab*", max_size=12), st.text("ab", max_size=12))
@example("a*a", "a")
@example("ab*b*ba", "abba")
def test_wildcards_stand_for_any_text(pattern: str, text: str) -> None:
    oracle = re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), text) is not None
    assert like(tuple(pattern.split("*")), text) is oracle


def test_wildcards_cannot_be_made_to_take_forever() -> None:
    assert not like(tuple("*".join("a" * 1000).split("*")), "a" * 999 + "b" * 1000)


@pytest.mark.parametrize(
    ("mid", "wanted"),
    [
        (["Cmeter"], ["Cmeter"]),
        (["/id-in/Cmeter", "Sdash"], ["Cmeter", "Sdash"]),
        (["/Sdash"], ["Sdash"]),
        (["cse-in/meter"], ["Cmeter"]),
        (["-/other", "/id-in/-/dash"], ["Cother", "Sdash"]),
        (["//sp.example/id-in/cse-in/mn"], ["/id-mn"]),
        (["csr1"], ["/id-mn"]),
        (["/id-mn/Cfar"], ["/id-mn/Cfar"]),
        (["grp2"], ["Cother"]),
        (["grp2/fopt"], ["Cother"]),
        (["cse-in/grp2/fopt", "gone", "/id-mn/cse-mn/x", "a b"], ["Cother"]),
        (["grp1", "grp2"], ["Cother"]),
        (["grp3"], []),
        (["cnt1", "cse-in/meter/x"], []),
        ([], []),
    ],
)
@pytest.mark.parametrize("entry", ["grp1", "cse-in/grp1", "/id-in/-/grp1"])
def test_members_of_a_group(world: World, entry: str, mid: list[str], wanted: list[str]) -> None:
    world.add(9, "grp1", "id-in", "grp1", "CAdmin", mid=mid, mt=0)
    world.add(9, "grp2", "id-in", "grp2", "CAdmin", mid=["grp1", "Cother", "grp2/fopt"], mt=0)
    world.add(9, "grp3", "id-in", "grp3", "CAdmin", mid=["grp2"], mt=3)
    world.policy(rule(entry))
    world.container(acpi=["acp1"])
    assert [fr for fr in ORIGINATORS if world.may(fr, "cnt1")] == wanted


@pytest.mark.parametrize(("mid", "wanted"), [(["grp2/fopt"], ["Cother"]), (["Cmeter", "cse-in/grp2/fopt"], ["Cmeter", "Cother"]), (["grp2"], [])])
def test_members_of_a_group_of_aes_are_those_behind_a_fan_out_point_too(world: World, mid: list[str], wanted: list[str]) -> None:
    """TS-0004 7.4.13.2.1: such a member is of the member type of the group behind it."""
    world.add(9, "grp1", "id-in", "grp1", "CAdmin", mid=mid, mt=2)
    world.add(9, "grp2", "id-in", "grp2", "CAdmin", mid=["Cother", "grp1/fopt"], mt=2)
    world.policy(rule("grp1"))
    world.container(acpi=["acp1"])
    assert [fr for fr in ORIGINATORS if world.may(fr, "cnt1")] == wanted


def test_who_leaves_a_group_loses_its_rights(world: World) -> None:
    world.add(9, "grp1", "id-in", "grp1", "CAdmin", mid=["Cmeter", "Cother"], mt=2)
    world.policy(rule("grp1"))
    world.container(acpi=["acp1"])
    assert world.may("Cother", "cnt1")
    world.change("grp1", mid=["Cmeter"])
    assert not world.may("Cother", "cnt1")


@pytest.mark.parametrize(
    ("entry", "fr"), [("reader@sp.example", "reader@sp.example"), ("C*", "/id-in/Cmeter/x"), ("C*", "Cmeter/x"), ("/id-in/C*", "Cmeter/x")]
)
def test_what_is_no_entity_cannot_pass_for_one(world: World, entry: str, fr: str) -> None:
    world.policy(rule(entry))
    world.container(acpi=["acp1"])
    assert not world.may(fr, "cnt1")


def test_wildcards_name_no_groups(world: World) -> None:
    world.add(9, "grp1", "id-in", "grp1", "CAdmin", mid=["Cother"], mt=2)
    world.policy(rule("grp*", "cse-in/grp*"))
    world.container(acpi=["acp1"])
    assert not world.may("Cother", "cnt1")


@pytest.mark.parametrize(
    ("acod", "ty", "child", "wanted"),
    [
        ([{"chty": [3]}], 3, 3, True),
        ([{"chty": [3]}], 3, 4, False),
        ([{"chty": [4, 3]}], 3, 4, True),
        ([{"ty": 3, "chty": [4]}], 3, 4, True),
        ([{"ty": 2, "chty": [4]}], 3, 4, False),
        ([{"ty": 2, "chty": [4]}, {"ty": 3, "chty": [4]}], 3, 4, True),
        ([{"ty": 28, "spty": {"cnd": "org.x"}, "chty": [3]}], 28, 3, True),
        ([{"ty": 28, "spty": {"cnd": "org.y"}, "chty": [3]}], 28, 3, False),
        ([{"spty": {"cnd": "org.x"}, "chty": [3]}], 3, 3, False),
        ([{"ty": 3}], 3, 4, False),
        ([{"chty": [3]}], 3, None, False),
        ([], 3, 4, False),
    ],
)
def test_object_details_are_looked_at_for_create_only(world: World, acod: list[Any], ty: int, child: int | None, wanted: bool) -> None:
    world.policy(rule("Cother", acod=acod))
    target = world.add(ty, "x", "Cmeter", "x", "Cmeter", acpi=["acp1"], **({"cnd": "org.x"} if ty == 28 else {}))
    assert world.may("Cother", target, Right.CREATE, child) is wanted
    well_formed = all("chty" in entry for entry in acod)
    assert world.may("Cother", target, Right.RETRIEVE) is well_formed


V4, V6 = Peer(address="192.0.2.7"), Peer(address="2001:db8::7")
MAPPED, LINK = Peer(address="::ffff:192.0.2.7"), Peer(address="fe80::1%eth0")


@pytest.mark.parametrize(
    ("acco", "peer", "wanted"),
    [
        ([{"actw": ["* * 8-9 * * * *"]}], Peer(), True),
        ([{"actw": ["* * 9 * * * *"]}], Peer(), False),
        ([{"actw": ["* * 9 * * * *", "* * * * * 0 *"]}], Peer(), True),
        ([{"actw": [{"sce": ["* * 8 * * * *"]}]}], Peer(), True),
        ([{"actw": ["nonsense", "* * 8 * * * *"]}], Peer(), True),
        ([{"actw": ["nonsense"]}], Peer(), False),
        ([{"actw": []}], Peer(), False),
        ([{"actw": [7]}], Peer(), False),
        ([{"acip": {"ipv4": ["192.0.2.7"]}}], V4, True),
        ([{"acip": {"ipv4": ["192.0.2.7"]}}], MAPPED, True),
        ([{"acip": {"ipv4": ["192.0.2.7"]}}], Peer(), False),
        ([{"acip": {"ipv4": ["192.0.2.7"]}}], Peer(address="localhost"), False),
        ([{"acip": {"ipv4": ["192.0.2.7"]}}], V6, False),
        ([{"acip": {"ipv4": ["192.0.2.8"]}}], V4, False),
        ([{"acip": {"ipv4": ["192.0.2.1/24"]}}], V4, True),
        ([{"acip": {"ipv4": ["192.0.3.0/24", "192.0.2.0/29"]}}], V4, True),
        ([{"acip": {"ipv4": ["0.0.0.0/0"]}}], V6, False),
        ([{"acip": {"ipv6": ["2001:db8::/32"]}}], V6, True),
        ([{"acip": {"ipv6": ["2001:db9::/32"]}}], V6, False),
        ([{"acip": {"ipv6": ["::ffff:192.0.2.0/125"]}}], V4, True),
        ([{"acip": {"ipv6": ["::ffff:192.0.2.0/120"]}}], MAPPED, True),
        ([{"acip": {"ipv6": ["fe80::/64"]}}], LINK, True),
        ([{"acip": {"ipv4": ["192.0.3.0/24"], "ipv6": ["2001:db8::7"]}}], V6, True),
        ([{"acip": {"ipv4": ["300.0.0.1"]}}], V4, False),
        ([{"acip": {}}], V4, False),
        ([{"aclr": {"accr": [53.55, 10.0, 1000]}}], Peer(), True),
        ([{"aclr": {"accr": [52.5, 13.4, 1000]}}], Peer(), False),
        ([{"aclr": {"accr": [52.5, 13.4, 260_000.0]}}], Peer(), True),
        ([{"aclr": {"accr": [52.5, 13.4]}}], Peer(), False),
        ([{"aclr": {"accr": [52.5, float("inf"), 1.0]}}], Peer(), False),
        ([{"aclr": {"accc": ["DE"]}}], Peer(), False),
        ([{"aclr": {"accr": [53.55, 10.0, 1000], "accc": ["DE"]}}], Peer(), False),
        ([{"actw": ["* * 8 * * * *"], "acip": {"ipv4": ["192.0.2.7"]}}], V4, True),
        ([{"actw": ["* * 9 * * * *"], "acip": {"ipv4": ["192.0.2.7"]}}], V4, False),
        ([{"actw": ["* * 8 * * * *"], "acip": {"ipv4": ["192.0.2.8"]}}], V4, False),
        ([{"actw": ["* * 9 * * * *"]}, {"acip": {"ipv4": ["192.0.2.7"]}}], V4, True),
        ([{"acui": ["user"]}], V4, False),
        ([{"acec": {"optr": 1, "sbjt": "cni", "thld": 0}}], V4, False),
        ([{"acl": 5}], V4, False),
        ([{"actw": ["* * * * * * *"], "acl": 5}], V4, False),
        ([{"unknown": 1}], V4, False),
        ([{"acl": 5}, {"actw": ["* * * * * * *"]}], V4, True),
        ([{}], V4, True),
        ([], V4, False),
        (["nonsense"], V4, False),
        ("nonsense", V4, False),
    ],
)
def test_contexts(world: World, acco: Any, peer: Peer, wanted: bool) -> None:
    world.policy(rule("Cother", acco=acco))
    world.container(acpi=["acp1"])
    assert world.may("Cother", "cnt1", peer=peer) is wanted


def test_a_region_needs_the_position_of_the_originator(world: World) -> None:
    world.policy(rule("all", acco=[{"aclr": {"accr": [0, 0, 1e9]}}]))
    world.container(acpi=["acp1"])
    assert world.may("Cmeter", "cnt1")
    assert not any(world.may(fr, "cnt1") for fr in ("Sdash", "Cstranger", "/id-mn", "/id-mn/Cfar"))


def test_the_authentication_flag_asks_for_the_identity_of_the_originator(world: World) -> None:
    world.policy(rule("all", acaf=True))
    world.container(acpi=["acp1"])
    for identity in ("Cother", "/id-in/Cother", "//sp.example/id-in/Cother"):
        assert world.may("Cother", "cnt1", peer=Peer(identity=identity))
    for peer in (Peer(), Peer(identity="Cmeter"), Peer(identity=""), Peer(identity="/id-mn")):
        assert not world.may("Cother", "cnt1", peer=peer)
    world.change("acp1", pv={"acr": [rule("all", acaf=False)]})
    assert world.may("Cother", "cnt1")


@pytest.mark.parametrize(
    ("rules", "wanted"),
    [
        ([rule("Cother")], None),
        ([rule("Cother", aca=["con", "lbl"])], frozenset({"con", "lbl"})),
        ([rule("Cother", aca=["con"]), rule("all", aca=["lbl"])], frozenset({"con", "lbl"})),
        ([rule("Cother", aca=["con"]), rule("all")], None),
        ([rule("Cother", aca=["con"]), rule("all", acop=Right.UPDATE)], frozenset({"con"})),
        ([rule("Cother", aca=["con"]), rule("Cmeter")], frozenset({"con"})),
        ([rule("Cmeter")], frozenset()),
    ],
)
def test_attributes_granted(world: World, rules: list[dict[str, Any]], wanted: frozenset[str] | None) -> None:
    world.policy(*rules)
    container = world.container(acpi=["acp1"])
    assert world.access.attributes(world.store, Request(Operation.RETRIEVE, "x", "Cother"), Right.RETRIEVE, container) == wanted
    assert world.may("Cother", container) is (wanted != frozenset())


def test_a_creator_is_not_restricted_to_attributes(world: World) -> None:
    container = world.container()
    assert world.access.attributes(world.store, Request(Operation.RETRIEVE, "x", "Cmeter"), Right.RETRIEVE, container) is None


def test_members_policies_rule_the_fan_out(world: World) -> None:
    world.policy(rule("Cother", acop=Right.RETRIEVE))
    world.policy(rule("Sdash"), ri="acp2")
    group = world.add(9, "grp1", "id-in", "grp1", "Cmeter", mid=[], macp=["acp1"], acpi=["acp2"])

    def may(fr: str | None, right: Right, group: Record) -> bool:
        return world.access.may_fan_out(world.store, Request(Operation.RETRIEVE, "x", fr), right, group)

    assert may("Cother", Right.RETRIEVE, group)
    assert may("CAdmin", Right.DELETE, group)
    assert not may("Cother", Right.DELETE, group)
    assert not may("Sdash", Right.RETRIEVE, group)
    assert not may(None, Right.RETRIEVE, group)
    plain = world.add(9, "grp2", "id-in", "grp2", "Cmeter", mid=[], acpi=["acp2"])
    assert may("Sdash", Right.RETRIEVE, plain)
    assert not may("Cother", Right.RETRIEVE, plain)


@pytest.mark.parametrize(
    "value",
    [
        None,
        "nonsense",
        [],
        {},
        {"acr": None},
        {"acr": "all"},
        {"acr": ["all"]},
        {"acr": [{}]},
        {"acr": [{"acor": ["all"]}]},
        {"acr": [{"acor": "all", "acop": 63}]},
        {"acr": [{"acor": [7], "acop": 63}]},
        {"acr": [{"acor": ["all"], "acop": "many"}]},
        {"acr": [{"acor": ["all"], "acop": 63, "acod": 7}]},
        {"acr": [{"acor": ["all"], "acop": 63, "acod": [{"chty": 7}]}]},
        {"acr": [{"acor": ["all"], "acop": 63, "aca": 7}]},
        {"acr": [{"acor": ["all"], "acop": 63, "acco": 7}]},
        {"acr": [{"acor": ["all"], "acop": 63, "acco": [{"actw": [{}]}]}]},
        {"acr": [{"acor": ["all"], "acop": 63, "acco": [{"acip": 7}]}]},
        {"acr": [{"acor": ["all"], "acop": 63, "acco": [{"aclr": 7}]}]},
    ],
)
def test_ill_formed_privileges_grant_nothing_and_break_nothing(world: World, value: Any) -> None:
    world.add(1, "acp1", "id-in", "acp1", "CAdmin", pv=value, pvs=value)
    container = world.container(acpi=["acp1"])
    assert not world.may("Cother", container, Right.CREATE, 3)
    assert not world.may("Cother", "acp1")
    assert not world.access.may_change_policies(world.store, Request(Operation.UPDATE, "x", "Cother"), container)


@pytest.mark.parametrize(
    ("location", "wanted"),
    [
        (BERLIN, (52.5, 13.4)),
        ([BERLIN], (52.5, 13.4)),
        ({"typ": 1, "crd": "[13.4, 52.5, 34.0]"}, (52.5, 13.4)),
        ([BERLIN, HAMBURG], None),
        ({"typ": 2, "crd": "[[1, 2], [3, 4]]"}, None),
        ({"typ": 1, "crd": "[13.4]"}, None),
        ({"typ": 1, "crd": "[Infinity, 1]"}, None),
        ({"typ": 1, "crd": "[1, 91]"}, None),
        ({"typ": 1, "crd": "[[1, 2], [3, 4]]"}, None),
        ({"typ": 1, "crd": "{}"}, None),
        ({"typ": 1, "crd": "nonsense"}, None),
        ({"typ": 1, "crd": "[" * 100_000}, None),
        ({"typ": 1}, None),
        ("here", None),
        (None, None),
    ],
)
def test_a_location_is_a_position_when_it_is_one_point(location: Any, wanted: tuple[float, float] | None) -> None:
    assert position(location) == wanted


@pytest.mark.parametrize(
    ("places", "metres"),
    [((52.5, 13.4, 52.5, 13.4), 0), ((0, 0, 0, 180), 20_015_115), ((90, 0, -90, 77), 20_015_115), ((0, 179.5, 0, -179.5), 111_195)],
)
def test_great_circle_distances(places: tuple[float, float, float, float], metres: float) -> None:
    assert distance(*places) == pytest.approx(metres, abs=1)


@given(st.lists(st.sampled_from(["Cmeter", "Cother", "Sdash", "/id-mn"]), max_size=4), st.integers(0, 63), st.sampled_from(list(Right)))
def test_a_rule_grants_exactly_its_originators_its_operations(originators: list[str], acop: int, right: Right) -> None:
    world = World()
    world.policy(rule(*originators, acop=acop))
    world.container(acpi=["acp1"])
    for fr in ("Cmeter", "Cother", "Sdash", "/id-mn"):
        assert world.may(fr, "cnt1", right, 3) is (fr in originators and bool(acop & right))


def test_time_is_only_asked_for_when_a_rule_does() -> None:
    def clock() -> float:
        raise AssertionError("nobody asked for the time")

    world = World()
    world.access = Access(SETTINGS, has_acpi, clock, never)
    world.policy(rule("Cother", acop=Right.RETRIEVE))
    world.container(acpi=["acp1"])
    assert world.may("Cother", "cnt1")
