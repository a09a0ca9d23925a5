"""Two meters and a utility: who may do what (TS-0001 9.6.2, TS-0003 7.1, TS-0004 7.3.3.15)."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio

from cse.codes import ResponseStatusCode as RSC
from tests.scenarios.bed import ADMIN, Client, name, said

pytestmark = pytest.mark.asyncio(loop_scope="module")

CREATE, RETRIEVE, UPDATE, DELETE, NOTIFY, DISCOVERY, ALL = 1, 2, 4, 8, 16, 32, 63
DENIED = RSC.ORIGINATOR_HAS_NO_PRIVILEGE


@dataclass
class People:
    """A meter with a container, another meter, and a utility."""

    cse: Client
    meter: str
    other: str
    utility: str
    place: str

    async def policy(self, *rules: dict[str, Any], own: list[dict[str, Any]] | None = None) -> str:
        """Make a policy of the meter; its ri."""
        pvs = own or [{"acor": [self.meter], "acop": ALL}]
        made = await self.cse.made(f"cse-in/{self.meter}", "acp", {"rn": name("acp"), "pv": {"acr": list(rules)}, "pvs": {"acr": pvs}}, fr=self.meter)
        return str(made["ri"])

    async def shared(self, *rules: dict[str, Any], own: list[dict[str, Any]] | None = None) -> str:
        """Put the meter's container under a policy with these rules; the policy's ri."""
        policy = await self.policy(*rules, own=own)
        await self.cse.changed(self.place, "cnt", {"acpi": [policy]}, self.meter)
        return policy

    async def can(self, who: str) -> int:
        """Tell which operations somebody can really do with the container."""
        cse, found = self.cse, 0
        child = name("c")
        tried = {
            CREATE: await cse.create(self.place, "cnt", {"rn": child}, fr=who),
            RETRIEVE: await cse.retrieve(self.place, who),
            UPDATE: await cse.update(self.place, "cnt", {"lbl": ["x"]}, who),
            DISCOVERY: await cse.retrieve(f"cse-in/{self.meter}", who, fc={"fu": 1, "atr": {"rn": [self.place.rpartition("/")[2]]}}),
        }
        assert tried[DISCOVERY].rsc == RSC.OK
        found = sum(right for right, answer in tried.items() if answer.ok and (right != DISCOVERY or answer.pc["m2m:uril"]))
        assert {answer.rsc for answer in tried.values() if not answer.ok} <= {DENIED}
        return found


@pytest_asyncio.fixture(loop_scope="module")
async def people(cse: Client) -> AsyncIterator[People]:
    """Fresh ones for every test."""
    meter, other, utility = [await cse.ae() for _ in range(3)]
    made = await cse.made(f"cse-in/{meter}", "cnt", {"rn": name("data")}, fr=meter)
    yield People(cse, meter, other, utility, made["path"])


MAKE, READ, CHANGE, FIND = CREATE, RETRIEVE, UPDATE, DISCOVERY
EVERYTHING = MAKE | READ | CHANGE | FIND


async def test_without_a_policy_a_resource_is_its_creators_alone(people: People) -> None:
    """procedures 4: no acpi, only the creator; no inheritance from the parent; the administrator of the CSE besides."""
    assert [await people.can(who) for who in (people.meter, people.other, people.utility, ADMIN)] == [EVERYTHING, 0, 0, EVERYTHING]
    inner = await people.cse.made(people.place, "cnt", {"rn": "inner"}, fr=ADMIN)
    assert (await people.cse.retrieve(inner["path"], people.meter)).rsc == DENIED, "made by another, though below its own"
    assert (await people.cse.delete(people.place, people.other)).rsc == DENIED
    assert (await people.cse.delete(people.place, people.meter)).rsc == RSC.DELETED, "the subtree goes without being asked (7.3.3.8)"
    assert (await people.cse.retrieve(people.place, people.other)).rsc == RSC.NOT_FOUND, "existence is told before privilege"


async def test_a_policy_grants_what_its_rules_say_and_only_that(people: People) -> None:
    await people.shared({"acor": [people.utility], "acop": RETRIEVE | DISCOVERY}, {"acor": [people.meter], "acop": ALL})
    assert [await people.can(who) for who in (people.meter, people.other, people.utility)] == [EVERYTHING, 0, READ | FIND]
    cse = people.cse
    await cse.made(people.place, "cin", {"con": "7"}, fr=people.meter)
    assert (await cse.seen(f"{people.place}/la", people.utility))["con"] == "7", "instances and la are judged as their container"
    assert (await cse.retrieve(f"{people.place}/la", people.other)).rsc == DENIED
    assert (await cse.delete(f"{people.place}/la", people.utility)).rsc == DENIED
    assert (await cse.create(people.place, "cin", {"con": "8"}, fr=people.utility)).rsc == DENIED
    answer = await cse.delete(people.place, people.utility)
    assert answer.rsc == DENIED
    assert "DELETE" in said(answer)
    assert people.place in said(answer)


@pytest.mark.parametrize("pattern", ["{0}", "/id-in/{0}", "//acme.example.com/id-in/{0}", "C*", "/id-in/C*", "//acme.example.com/id-in/*", "all"])
async def test_originators_are_named_in_every_form_and_with_wildcards(people: People, pattern: str) -> None:
    await people.shared({"acor": [pattern.format(people.utility)], "acop": RETRIEVE})
    assert await people.can(people.utility) == READ


@pytest.mark.parametrize("pattern", ["S*", "{0}x", "/id-mn/{0}", "//other.example.com/id-in/{0}", "/id-mn/*", "C*x"])
async def test_originators_that_fit_no_name_are_denied(people: People, pattern: str) -> None:
    await people.shared({"acor": [pattern.format(people.utility)], "acop": ALL})
    assert await people.can(people.utility) == 0


async def test_the_members_of_a_group_have_its_rights(people: People) -> None:
    group = await people.cse.made("cse-in", "grp", {"rn": name("grp"), "mnm": 5, "mid": [people.utility]})
    await people.shared({"acor": [f"/id-in/{group['path']}"], "acop": RETRIEVE})
    assert [await people.can(who) for who in (people.utility, people.other)] == [READ, 0]
    await people.cse.changed(group["path"], "grp", {"mid": [people.other]})
    assert [await people.can(who) for who in (people.utility, people.other)] == [0, READ]


async def test_a_rule_may_be_about_types_of_children(people: People) -> None:
    """accessControlObjectDetails."""
    await people.shared({"acor": [people.utility], "acop": CREATE | RETRIEVE, "acod": [{"chty": [4]}, {"ty": 2, "chty": [3]}]})
    cse = people.cse
    assert (await cse.create(people.place, "cin", {"con": "1"}, fr=people.utility)).rsc == RSC.CREATED
    assert (await cse.create(people.place, "cnt", {}, fr=people.utility)).rsc == DENIED, "only below an AE, which this is not"
    assert (await cse.create(people.place, "sub", {"nu": ["http://127.0.0.1:9"]}, fr=people.utility)).rsc == DENIED
    assert (await cse.retrieve(people.place, people.utility)).rsc == RSC.OK, "acod is looked at for CREATE only"


OPEN, SHUT, BROKEN = "* * * * * * *", "* * * * * * 2001", "* * 31 2 * * *"


@pytest.mark.parametrize(
    ("contexts", "granted"),
    [
        ([{"actw": [OPEN]}], True),
        ([{"actw": [SHUT]}], False),
        ([{"actw": [SHUT, OPEN]}], True),
        ([{"actw": ["* * * 30 2 * *"]}], False),
        ([{"acip": {"ipv4": ["127.0.0.1"]}}], True),
        ([{"acip": {"ipv4": ["127.0.0.0/8"]}}], True),
        ([{"acip": {"ipv4": ["10.0.0.0/8"]}}], False),
        ([{"acip": {"ipv4": ["10.0.0.0/8", "127.0.0.1"]}}], True),
        ([{"acip": {"ipv6": ["::1"]}}], False),
        ([{"actw": [OPEN], "acip": {"ipv4": ["10.0.0.1"]}}], False),
        ([{"actw": [SHUT], "acip": {"ipv4": ["127.0.0.1"]}}], False),
        ([{"actw": [SHUT]}, {"acip": {"ipv4": ["127.0.0.1"]}}], True),
        ([{"aclr": {"accr": [52.3, 9.7, 1000.0]}}], False),
        ([{"aclr": {"accc": ["DE"]}}], False),
        ([{"acui": ["somebody"]}], False),
    ],
    ids=str,
)
async def test_a_rule_may_be_bound_to_time_address_and_place(people: People, contexts: list[dict[str, Any]], granted: bool) -> None:
    """accessControlContexts: entries are alternatives, everything within one must hold; what cannot be evaluated denies."""
    await people.shared({"acor": [people.utility], "acop": RETRIEVE, "acco": contexts})
    assert await people.can(people.utility) == (READ if granted else 0)


async def test_a_rule_may_ask_for_an_authenticated_originator(people: People) -> None:
    """accessControlAuthenticationFlag: plain HTTP and CoAP authenticate nobody."""
    await people.shared({"acor": [people.utility], "acop": RETRIEVE, "acaf": True})
    assert await people.can(people.utility) == 0


async def test_a_rule_may_be_about_some_attributes(people: People) -> None:
    """accessControlAttributes (R4): only these are shown, and only these may be changed."""
    await people.shared({"acor": [people.utility], "acop": RETRIEVE | UPDATE, "aca": ["lbl", "cni"]})
    cse = people.cse
    assert set(await cse.seen(people.place, people.utility)) <= {"lbl", "cni"}
    assert (await cse.update(people.place, "cnt", {"mni": 3}, people.utility)).rsc == DENIED
    assert (await cse.update(people.place, "cnt", {"lbl": ["u"]}, people.utility)).rsc == RSC.UPDATED
    assert (await cse.seen(people.place, ADMIN))["lbl"] == ["u"]


async def test_links_to_policies_are_changed_by_those_the_linked_ones_name(people: People) -> None:
    """acpi stands alone in its UPDATE, judged by selfPrivileges of the policies linked now (TS-0004 7.3.3.4)."""
    cse, place = people.cse, people.place
    await people.shared({"acor": [people.utility, people.meter], "acop": ALL}, own=[{"acor": [people.other], "acop": ALL}])
    spare = await people.policy({"acor": ["all"], "acop": ALL})
    assert (await cse.update(place, "cnt", {"acpi": [spare]}, people.utility)).rsc == DENIED, "pv does not count for acpi"
    assert (await cse.update(place, "cnt", {"acpi": [spare]}, people.meter)).rsc == DENIED, "the creator neither, while a policy is linked"
    answer = await cse.update(place, "cnt", {"acpi": [spare], "lbl": ["x"]}, people.other)
    assert answer.rsc == RSC.BAD_REQUEST
    assert (await cse.update(place, "cnt", {"acpi": ["cse-in/nowhere"]}, people.other)).rsc == RSC.BAD_REQUEST
    assert (await cse.update(place, "cnt", {"acpi": []}, people.other)).rsc == RSC.BAD_REQUEST
    assert (await cse.seen(place, ADMIN))["acpi"] != [spare]
    assert (await cse.update(place, "cnt", {"acpi": [spare]}, people.other)).rsc == RSC.UPDATED
    assert await people.can(people.utility) == EVERYTHING


async def test_a_policy_changes_at_once_and_grants_nothing_when_it_has_gone(people: People) -> None:
    cse = people.cse
    policy = await people.shared({"acor": [people.utility], "acop": RETRIEVE})
    assert await people.can(people.utility) == READ
    await cse.changed(policy, "acp", {"pv": {"acr": [{"acor": [people.other], "acop": RETRIEVE}]}}, people.meter)
    assert [await people.can(who) for who in (people.utility, people.other)] == [0, READ]
    await cse.changed(policy, "acp", {"pv": {"acr": []}}, people.meter)
    assert [await people.can(who) for who in (people.utility, people.other)] == [0, 0]
    assert (await cse.update(policy, "acp", {"pvs": {"acr": []}}, people.meter)).rsc == RSC.BAD_REQUEST, "pvs needs a rule (procedures 4)"
    await cse.changed(policy, "acp", {"pv": {"acr": [{"acor": [people.utility], "acop": ALL}]}}, people.meter)
    assert (await cse.update(policy, "acp", {"lbl": ["x"]}, people.utility)).rsc == DENIED, "a policy is under its own pvs"
    assert (await cse.delete(policy, people.meter)).rsc == RSC.DELETED
    assert [await people.can(who) for who in (people.meter, people.utility, ADMIN)] == [0, 0, EVERYTHING]


async def test_the_rules_of_all_linked_policies_count(people: People) -> None:
    one = await people.policy({"acor": [people.utility], "acop": RETRIEVE})
    two = await people.policy({"acor": [people.utility], "acop": UPDATE}, {"acor": [people.other], "acop": DISCOVERY})
    await people.cse.changed(people.place, "cnt", {"acpi": [one, two]}, people.meter)
    assert [await people.can(who) for who in (people.utility, people.other)] == [READ | CHANGE, FIND]


async def test_permissions_are_told(people: People) -> None:
    """resultContent 12 (R4)."""
    await people.shared({"acor": [people.utility], "acop": RETRIEVE | DISCOVERY})
    answer = await people.cse.retrieve(people.place, people.utility, rcn=12)
    assert answer.rsc == RSC.OK
    assert answer.pc["m2m:cnt"]["acop"] == RETRIEVE | DISCOVERY


async def test_children_that_may_not_be_read_are_left_out(people: People) -> None:
    """TS-0004 7.3.3.6: a descendant without privilege is no error."""
    cse = people.cse
    policy = await people.shared({"acor": [people.utility, people.meter], "acop": RETRIEVE | CREATE})
    await cse.made(people.place, "cnt", {"rn": "shut"}, fr=people.meter)
    await cse.made(people.place, "cnt", {"rn": "open", "acpi": [policy]}, fr=people.meter)
    await cse.made(people.place, "cin", {"con": "1"}, fr=people.meter)
    answer = await cse.retrieve(people.place, people.utility, rcn=4)
    found = answer.pc["m2m:cnt"]
    assert [each["rn"] for each in found["m2m:cnt"]] == ["open"]
    assert [each["con"] for each in found["m2m:cin"]] == ["1"]


async def test_nobody_but_registered_ones_may_look_at_the_base(cse: Client) -> None:
    """procedures 4: CSEBase without policy."""
    stranger = name("C")
    assert (await cse.retrieve("cse-in", stranger)).rsc == DENIED
    for kind, attributes in (("cnt", {}), ("acp", {"pv": {"acr": []}, "pvs": {"acr": [{"acor": ["all"], "acop": ALL}]}}), ("grp", {"mnm": 1, "mid": []})):
        assert (await cse.create("cse-in", kind, attributes, fr=stranger)).rsc == DENIED


async def test_a_custodian_stands_in_the_place_of_the_creator(people: People) -> None:
    """custodian (R4): set, it alone has all rights where no policy is linked."""
    await people.cse.changed(people.place, "cnt", {"cstn": people.utility}, people.meter)
    assert [await people.can(who) for who in (people.meter, people.utility)] == [0, EVERYTHING]
