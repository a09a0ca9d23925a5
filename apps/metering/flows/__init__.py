"""The flows of the use cases, played and observed from outside: one file a use case, one function a flow."""

import json
from collections.abc import Awaitable, Callable, Mapping
from importlib.resources import files

from apps.metering.flows import uc01, uc02, uc03, uc04, uc05, uc06, uc07, uc08, uc09, uc10, uc11, uc12, uc13, uc14
from apps.metering.flows.stage import Facts, Stage

Flow = Callable[[Stage], Awaitable[None]]
"""Makes a flow happen, and names each step (``stage.step``) once it has seen it on the resources of the data model."""


def _facts() -> Mapping[str, Facts]:
    document = json.loads((files("apps") / "data" / "metering" / "use-cases.json").read_text("utf-8"))
    found = {}
    for case in document["use_cases"]:
        texts = {step["id"]: f"{step['who']}: {step['does']}" for flow in case["basic_flows"] for step in flow["steps"]}
        for flow in (*case["basic_flows"], *case["alternative_flows"]):
            texts |= {step["id"]: f"{step['who']}: {step['does']}" for step in flow["steps"]}
            steps = (*flow.get("prefix_steps", ()), *(step["id"] for step in flow["steps"]))
            found[flow["id"]] = Facts(flow["id"], flow["name"], {step: texts[step] for step in steps})
    return found


FACTS = _facts()
"""All 66 flows: what they are called, and their steps with those before the branch."""

CASES = (uc01, uc02, uc03, uc04, uc05, uc06, uc07, uc08, uc09, uc10, uc11, uc12, uc13, uc14)

FLOWS: Mapping[str, Flow] = {name: flow for case in CASES for name, flow in case.FLOWS.items()}
"""The flows that can be played, by ID."""


def missing() -> tuple[str, ...]:
    """Give the flows without a function."""
    return tuple(identifier for identifier in FACTS if identifier not in FLOWS)
