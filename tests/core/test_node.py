"""Nodes, and the links between them and what they host (TS-0001 9.6.18; procedures 13)."""

import pytest

from cse.codes import ResponseStatusCode as RSC
from cse.primitives import Response
from tests.core.tree import AE, ME, OTHER, of, register, seen, world
from tests.drive import Driven


def node(cse: Driven, rn: str = "gateway", **attributes: object) -> str:
    """Create a node and give its ri."""
    made: str = of(cse.create("cse-in", 14, {"m2m:nod": {"rn": rn, "ni": f"urn:dev:{rn}", **attributes}}))["ri"]
    return made


def test_a_node_is_below_the_csebase_only() -> None:
    cse = world()
    assert seen(cse, node(cse))["ni"] == "urn:dev:gateway"
    assert cse.create(AE, 14, {"m2m:nod": {"ni": "urn:dev:x"}}, ME).rsc == RSC.INVALID_CHILD_RESOURCE_TYPE


def test_the_node_id_is_mandatory_and_stays() -> None:
    cse = world()
    refused = cse.create("cse-in", 14, {"m2m:nod": {}})
    assert refused.rsc == RSC.BAD_REQUEST
    assert "ni (nodeID)" in refused.pc["m2m:dbg"]
    assert cse.update(node(cse), {"m2m:nod": {"ni": None}}).rsc == RSC.BAD_REQUEST
    assert of(cse.update("cse-in/gateway", {"m2m:nod": {"ni": "urn:dev:new"}}))["ni"] == "urn:dev:new"


@pytest.mark.parametrize(("short", "value"), [("rms", True), ("nid", "net-1")])
def test_what_only_the_cse_knows_is_refused(short: str, value: object) -> None:
    cse = world()
    assert cse.create("cse-in", 14, {"m2m:nod": {"ni": "urn:dev:x", short: value}}).rsc == RSC.BAD_REQUEST
    assert cse.update(node(cse), {"m2m:nod": {short: value}}).rsc == RSC.BAD_REQUEST


# --- setting the link on one side sets it on the other --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("link", ["ri", "cse-in/gateway", "/id-in/cse-in/gateway", "-/gateway"])
def test_an_ae_that_names_a_node_is_hosted_there(link: str) -> None:
    cse = world()
    ri = node(cse)
    nl = ri if link == "ri" else link
    of(register(cse, "Cnew", nl=nl))
    assert seen(cse, "Cnew")["nl"] == nl
    assert seen(cse, ri)["hael"] == ["Cnew"]
    of(cse.update(AE, {"m2m:ae": {"nl": nl}}, ME))
    assert seen(cse, ri)["hael"] == ["Cnew", ME]


@pytest.mark.parametrize("link", [ME, AE, f"/id-in/{ME}"])
def test_a_node_that_names_an_ae_is_linked_there(link: str) -> None:
    cse = world()
    ri = node(cse, hael=[link])
    assert seen(cse, AE)["nl"] == ri
    of(cse.update(ri, {"m2m:nod": {"hael": [link, OTHER]}}))
    assert seen(cse, OTHER)["nl"] == ri
    of(cse.update(ri, {"m2m:nod": {"hael": [OTHER]}}))
    assert "nl" not in seen(cse, AE)
    of(cse.update(ri, {"m2m:nod": {"hael": None}}))
    assert "nl" not in seen(cse, OTHER)


def test_an_ae_that_names_another_node_moves() -> None:
    cse = world()
    first, second = node(cse, "first"), node(cse, "second")
    of(cse.update(AE, {"m2m:ae": {"nl": first}}, ME))
    of(cse.update(AE, {"m2m:ae": {"nl": second}}, ME))
    assert "hael" not in seen(cse, first)
    assert seen(cse, second)["hael"] == [ME]
    of(cse.update(AE, {"m2m:ae": {"nl": None}}, ME))
    assert "hael" not in seen(cse, second)


def test_a_node_that_names_the_ae_of_another_takes_it() -> None:
    cse = world()
    first = node(cse, "first", hael=[ME, OTHER])
    second = node(cse, "second", hael=[AE])
    assert seen(cse, first)["hael"] == [OTHER]
    assert seen(cse, AE)["nl"] == second


@pytest.mark.parametrize("link", [ME, AE])
def test_an_ae_that_is_gone_is_hosted_nowhere(link: str) -> None:
    cse = world()
    ri = node(cse, hael=[link, OTHER])
    assert cse.delete(AE, ME).rsc == RSC.DELETED
    assert seen(cse, ri)["hael"] == [OTHER]


def test_an_ae_that_expires_is_hosted_nowhere() -> None:
    cse = world()
    ri = node(cse)
    of(register(cse, "Cbrief", nl=ri, et="20250701T000000"))
    cse.pass_time(60 * 86400)
    assert "hael" not in seen(cse, ri)


def test_what_a_node_that_is_gone_has_hosted_links_nowhere() -> None:
    cse = world()
    ri = node(cse, hael=[ME], hcl="id-in")
    assert cse.delete(ri).rsc == RSC.DELETED
    assert "nl" not in seen(cse, AE)
    assert "nl" not in seen(cse, "cse-in")


@pytest.mark.parametrize("link", ["id-in", "/id-in", "cse-in"])
def test_a_node_that_hosts_this_cse_is_linked_to_its_base(link: str) -> None:
    cse = world()
    first = node(cse, "first", hcl=link)
    assert seen(cse, "cse-in")["nl"] == first
    second = node(cse, "second", hcl=link)
    assert seen(cse, "cse-in")["nl"] == second
    assert "hcl" not in seen(cse, first)
    of(cse.update(second, {"m2m:nod": {"hcl": None}}))
    assert "nl" not in seen(cse, "cse-in")


def test_links_to_other_cses_are_kept_as_they_are() -> None:
    cse = world()
    ri = node(cse, hael=["/id-mn/Cfar"], hcl="/id-mn")
    assert (seen(cse, ri)["hael"], seen(cse, ri)["hcl"]) == (["/id-mn/Cfar"], "/id-mn")
    assert of(cse.update(AE, {"m2m:ae": {"nl": "/id-mn/nod1"}}, ME))["nl"] == "/id-mn/nod1"
    assert of(cse.update(ri, {"m2m:nod": {"lbl": ["moved"]}}))["hael"] == ["/id-mn/Cfar"]


@pytest.mark.parametrize(("short", "value"), [("hael", ["Cnobody"]), ("hael", [f"{AE}/power"]), ("hael", ["id-in"]), ("hcl", AE), ("hcl", "nothing")])
def test_a_link_to_what_is_no_ae_or_cse_is_refused_and_changes_nothing(short: str, value: object) -> None:
    cse = world()
    refused = cse.create("cse-in", 14, {"m2m:nod": {"rn": "bad", "ni": "urn:dev:x", short: value}})
    assert refused.rsc == RSC.BAD_REQUEST
    assert short in refused.pc["m2m:dbg"]
    assert cse.retrieve("cse-in/bad").rsc == RSC.NOT_FOUND
    ri = node(cse, hael=[ME])
    assert cse.update(ri, {"m2m:nod": {"hael": [OTHER, "Cnobody"]}}).rsc == RSC.BAD_REQUEST
    assert seen(cse, ri)["hael"] == [ME]
    assert "nl" not in seen(cse, OTHER)


def test_subscribers_hear_of_the_other_side() -> None:
    cse = world()
    ri = node(cse)
    of(cse.create(ri, 23, {"m2m:sub": {"nu": ["http://sink:80"], "enc": {"net": [1], "atr": ["hael"]}}}))
    of(cse.update(AE, {"m2m:ae": {"nl": ri}}, ME))
    (notice,) = cse.taken()
    assert notice.content["m2m:sgn"]["nev"]["rep"]["m2m:nod"]["hael"] == [ME]


def test_a_link_that_leads_nowhere_is_kept() -> None:
    """The text asks for a node only where the link leads to one."""
    cse = world()
    answer: Response = cse.update(AE, {"m2m:ae": {"nl": "nod999"}}, ME)
    assert of(answer)["nl"] == "nod999"
    assert of(cse.update(AE, {"m2m:ae": {"nl": None}}, ME)).get("nl") is None
