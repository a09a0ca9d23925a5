"""What requirements.json asks of a world as a whole, and no use case shows by itself."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from apps.client import ResourceTypeID as Ty
from apps.metering import access, tree
from apps.metering.flows import FACTS
from apps.metering.flows.stage import Stage
from apps.metering.tree import Identity
from apps.metering.vocabulary import State, ae_id
from apps.metering.world import ADMIN, Plan, World, standing
from cse.errors import OriginatorHasNoPrivilege

pytestmark = pytest.mark.asyncio(loop_scope="module")

METERS = (Identity("M1", "electricity"), Identity("M3", "water", switch=False), Identity("M5", "heat", premise="P2"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """Two premises."""
    async with standing(Plan(Path(tmp_path_factory.mktemp("world")), METERS, frozenset())) as found:
        yield found


async def _capability(world: World, meter: str) -> bool:
    found: bool = (await world.client("Casset").retrieve(f"cse-in/nod-{meter}/supplySwitch"))["att"]
    return found


async def test_devices_are_found_by_what_they_are_also_after_a_restart(world: World) -> None:
    """R15: by label, and by the capability of the node."""

    async def found(*labels: str) -> set[str]:
        return {address.rpartition("/")[2] for address in await world.client("Casset").discover(labels=labels, types=[Ty.AE])}

    for restarted in (False, True):
        if restarted:
            await world.stop_cse()
            await world.start_cse()
        assert await found("electricity") == {"mtr-M1"}
        assert await found("meter") == {"mtr-M1", "mtr-M3", "mtr-M5"}
        assert await found("P2") == {"mtr-M5"}
        assert (await _capability(world, "M1"), await _capability(world, "M3")) == (True, False)


async def test_the_switch_serves_supply_control_in_credit_mode_and_what_has_none_says_so(world: World) -> None:
    """R21, R26: without prepayment, told by state and capability; a repeat does nothing."""
    async with Stage(world, FACTS["UC11-P"]) as stage:
        assert (await stage.client("bill").latest("cse-in/mtr-M1/payment/state")).content["mode"] == "credit"
        for name, state in (("disable", "disabled"), ("disable", "disabled"), ("enable", "enabled")):
            await stage.status(await stage.command("bill", "supply", name, {}), State.EXECUTED)
            await stage.see("bill", "mtr-M1/supply/state", state, lambda one, state=state: one["state"] == state)  # type: ignore[misc]
            await stage.attributes("asset", "nod-M1/supplySwitch", state, lambda one, state=state: one["cus"] is (state == "enabled"))  # type: ignore[misc]
        await stage.status(await stage.command("bill", "supply", "disable", {}, meter="M3"), State.REJECTED, error="requestUnsupported")


async def test_consumers_see_their_own_premise_only(world: World) -> None:
    """R29."""
    for consumer, own, other in (("consumer-P1", "M1", "M5"), ("consumer-P2", "M5", "M1")):
        client = world.client(ae_id(consumer))
        assert await client.retrieve(f"cse-in/mtr-{own}/live")
        for place in (f"mtr-{other}/live", f"mtr-{other}/readings/registers", f"ihd-{'P2' if other == 'M5' else 'P1'}/screen"):
            with pytest.raises(OriginatorHasNoPrivilege):
                await client.retrieve(f"cse-in/{place}")
        with pytest.raises(OriginatorHasNoPrivilege):
            await client.put(f"cse-in/mtr-{other}/cmd/credit/in", {"cmdId": "x"})


async def test_provisioning_again_changes_nothing(world: World) -> None:
    """R22, R23: what is there is as it was, before the device has come and after it."""
    admin = world.client(ADMIN)

    async def provisioned(meter: Identity) -> dict[str, object]:
        shared = [access.shared(meter.recipients, place) for place in access.shared_policies(meter.recipients)]
        names = [access.meter_policy(meter.name)[0], *shared, *(name for name, _ in access.premise_policies(meter.premise))]
        rules = {name: (await admin.retrieve(f"cse-in/{name}"))["pv"] for name in names}
        node = await admin.retrieve(f"cse-in/nod-{meter.name}")
        return {**rules, "node": (node["ni"], node.get("hael"))}

    new = Identity("M7", "gas")
    await tree.provision(admin, new)
    for meter in (METERS[0], new):
        before = await provisioned(meter)
        await tree.provision_parties(admin, meter.recipients)
        await tree.provision_premise(admin, meter.premise, ["M1", "M2", "M3", "M4"])
        await tree.provision(admin, meter)
        assert await provisioned(meter) == before
