"""Every flow of the use cases, played in the held world and observed from outside, under its ID."""

import pytest

from apps.metering import flows
from apps.metering.flows.stage import Stage, Unobserved
from apps.metering.world import World

BUILT = ("UC01", "UC02", "UC03", "UC04", "UC05", "UC06", "UC07", "UC08", "UC09", "UC10", "UC11", "UC12", "UC13", "UC14")
"""The use cases that are complete; a new one is added here, and then none of its flows may be missing."""


@pytest.mark.parametrize("identifier", flows.FLOWS)
@pytest.mark.asyncio(loop_scope="module")
async def test_flow(world: World, identifier: str) -> None:
    async with Stage(world, flows.FACTS[identifier]) as stage:
        await flows.FLOWS[identifier](stage)
        stage.complete()


def test_there_are_sixty_six_flows() -> None:
    assert len(flows.FACTS) == 66


@pytest.mark.parametrize("case", BUILT)
def test_no_flow_of_a_use_case_is_missing(case: str) -> None:
    assert not [identifier for identifier in flows.missing() if identifier.startswith(case)]


def test_no_flow_is_unknown() -> None:
    assert set(flows.FLOWS) <= set(flows.FACTS)


@pytest.mark.asyncio(loop_scope="module")
async def test_a_flow_that_leaves_a_step_out_is_not_complete(world: World) -> None:
    stage = Stage(world, flows.FACTS["UC01-S"])
    stage.step("UC01-S2")
    with pytest.raises(Unobserved, match="UC01-S1"):
        stage.complete()
    with pytest.raises(Unobserved, match="UC03-P1"):
        stage.step("UC03-P1")
