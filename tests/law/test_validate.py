"""Bodies against tables: what is refused, and that the sentence names it."""

from typing import Any

import pytest

from cse.errors import BadRequest
from cse.validate import compile_table
from resources.access_control_policy import TYPE as ACP
from resources.ae import TYPE as AE
from resources.container import TYPE as CONTAINER
from resources.content_instance import TYPE as INSTANCE
from resources.group import TYPE as GROUP
from resources.subscription import TYPE as SUBSCRIPTION

CNT = compile_table(CONTAINER)
RULE = {"acor": ["CAdmin"], "acop": 63}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (None, "no content"),
        ([], "must be an object with the root m2m:cnt, not a list"),
        ("text", "not 'text'"),
        ({}, "exactly one root, m2m:cnt, not 0"),
        ({"m2m:cnt": {}, "m2m:ae": {}}, "exactly one root, m2m:cnt, not 2"),
        ({"m2m:ae": {}}, r"^m2m:ae does not fit resource type 3 \(m2m:cnt\)$"),
        ({"cnt": {}}, r"^cnt does not fit resource type 3 \(m2m:cnt\)$"),
        ({7: {}}, "^7 does not fit"),
        ({"m2m:cnt": None}, "m2m:cnt must be an object with attributes, not null"),
        ({"m2m:cnt": {"nmi": 1}}, r"m2m:cnt has no attribute 'nmi'; the nearest it has is mni \(maxNrOfInstances\)"),
        ({"m2m:cnt": {"maxNrOfInstances": 1}}, r"no attribute 'maxNrOfInstances'; the nearest it has is mni"),
        ({"m2m:cnt": {"zzzzzzzz": 1}}, "has no attribute 'zzzzzzzz'$"),
        ({"m2m:cnt": {"x" * 10_000: 1}}, r"has no attribute 'x+\.\.\.$"),
        ({"m2m:cnt": {5: 1}}, "has no attribute 5$"),
        ({"m2m:cnt": {"cni": 1}}, r"attribute cni \(currentNrOfInstances\) of m2m:cnt is not permitted in CREATE: it is kept by the CSE"),
        ({"m2m:cnt": {"mni": "10"}}, r"attribute mni \(maxNrOfInstances\) of m2m:cnt must be a whole number >= 0 .*, not '10'$"),
        ({"m2m:cnt": {"mni": 1.0}}, "not 1.0$"),
        ({"m2m:cnt": {"mni": True}}, "not true$"),
        ({"m2m:cnt": {"mni": None}}, "mni .* not null$"),
        ({"m2m:cnt": {"acpi": []}}, r"acpi \(accessControlPolicyIDs\) of m2m:cnt must not be an empty list"),
        ({"m2m:cnt": {"lbl": ["a", 3]}}, "lbl .* has entry 2, which must be a label"),
        ({"m2m:cnt": {"loc": {"typ": 1}}}, "loc .* must have the mandatory member crd"),
    ],
)
def test_create_refuses(body: Any, words: str) -> None:
    with pytest.raises(BadRequest, match=words):
        CNT.create(body)


def test_create_names_all_missing_attributes_at_once() -> None:
    with pytest.raises(BadRequest, match=r"^m2m:ae lacks the mandatory attributes api \(App-ID\), rr \(requestReach.*\), srv \(supported.*\)$"):
        compile_table(AE).create({"m2m:ae": {"apn": "meter"}})
    with pytest.raises(BadRequest, match=r"^m2m:cin lacks the mandatory attribute con \(content\)$"):
        compile_table(INSTANCE).create({"m2m:cin": {}})


def test_create_gives_the_attributes_and_leaves_the_body_alone() -> None:
    body = {"m2m:cnt": {"rn": "data", "mni": 10, "cr": None, "lbl": []}}
    found = CNT.create(body)
    assert found == {"rn": "data", "mni": 10, "cr": None, "lbl": []}
    found["mni"] = 11
    assert body["m2m:cnt"]["mni"] == 10


@pytest.mark.parametrize("content", ["", "21.5", 21.5, 0, True, {"kWh": 1.5}, [1, 2]])
def test_content_is_any_simple_value_or_json(content: Any) -> None:
    assert compile_table(INSTANCE).create({"m2m:cin": {"con": content}}) == {"con": content}


def test_policy_may_be_empty_but_not_its_self_privileges() -> None:
    policy = compile_table(ACP)
    policy.create({"m2m:acp": {"pv": {}, "pvs": {"acr": [RULE]}}})
    nothing: list[dict[str, Any]] = [{}, {"acr": []}]
    for empty in nothing:
        with pytest.raises(BadRequest, match=r"pvs"):
            policy.create({"m2m:acp": {"pv": {"acr": [RULE]}, "pvs": empty}})
        with pytest.raises(BadRequest, match=r"pvs"):
            policy.update({"m2m:acp": {"pvs": empty}})


def test_group_may_be_empty_but_a_subscription_needs_a_target() -> None:
    compile_table(GROUP).create({"m2m:grp": {"mnm": 5, "mid": []}})
    with pytest.raises(BadRequest, match=r"nu"):
        compile_table(SUBSCRIPTION).create({"m2m:sub": {"nu": []}})


def test_update_removes_by_null_what_may_be_absent() -> None:
    assert CNT.update({"m2m:cnt": {"mni": None, "et": None, "lbl": None}}) == {"mni": None, "et": None, "lbl": None}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"m2m:ae": {"rr": None}}, r"attribute rr \(requestReachability\) of m2m:ae cannot be removed by null"),
        ({"m2m:ae": {"api": "Nother"}}, r"attribute api \(App-ID\) of m2m:ae is not permitted in UPDATE: it cannot be changed"),
        ({"m2m:ae": {"aei": None}}, "aei .* is not permitted in UPDATE: it is kept by the CSE"),
        ({"m2m:ae": {"poa": ["host"]}}, "poa .* has entry 1, which must be a point of access"),
        ({"m2m:cnt": {}}, "m2m:cnt does not fit resource type 2"),
    ],
)
def test_update_refuses(body: Any, words: str) -> None:
    with pytest.raises(BadRequest, match=words):
        compile_table(AE).update(body)


def test_instances_are_never_updated() -> None:
    with pytest.raises(BadRequest, match=r"con .* is not permitted in UPDATE"):
        compile_table(INSTANCE).update({"m2m:cin": {"con": "x"}})
