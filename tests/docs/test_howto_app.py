"""docs/howto-app.md: its application raises an alarm, and its policy lets the dashboard in and nobody else."""

import asyncio

import pytest

from apps.client import Client, Resource
from apps.demo.process import Running
from cse.errors import NotFound, OriginatorHasNoPrivilege
from tests.docs.pages import DOCS, program

PAGE = DOCS / "howto-app.md"


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("protocol", ["http", "coap"])
async def test_the_watch_raises_an_alarm(cse: Running, protocol: str) -> None:
    url = cse.http if protocol == "http" else cse.coap
    name = f"Croom-{protocol}"
    async with Client.connect(url, originator=name) as room, Client.connect(url, originator="CAdmin") as admin:
        ae = await room.register(f"room-{protocol}", "N.x")
        shared = await room.access_policy(ae, "acp", [{"acor": ["all"], "acop": 63}])
        container = await room.container(ae, "temperature", lbl=["temperature"], acpi=[shared.ri])
        watch = asyncio.create_task(program(PAGE, "watch.py").watch(url, 25.0))
        try:
            async with asyncio.timeout(30):
                while not await admin.discover(container.address, types=[23]):
                    assert not watch.done(), watch.exception()
                await room.put(container, {"celsius": 20.5})
                await room.put(container, {"celsius": 31.5})
                alarm: Resource | None = None
                while alarm is None or not alarm.content["where"].endswith(container.address):
                    assert not watch.done(), watch.exception()
                    alarm = await latest(admin, "cse-in/watch/alarms")
        finally:
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)
    assert alarm is not None
    assert alarm.content["celsius"] == 31.5


async def latest(cse: Client, container: str) -> Resource | None:
    try:
        return await cse.latest(container)
    except NotFound:
        return None


@pytest.mark.asyncio(loop_scope="module")
async def test_the_policy_lets_the_dashboard_in_and_nobody_else(cse: Running) -> None:
    async with (
        Client.connect(cse.http, originator="Cowner") as owner,
        Client.connect(cse.http, originator="Cdashboard") as dashboard,
        Client.connect(cse.http, originator="Cstranger") as stranger,
    ):
        container = await program(PAGE, "policy.py").share(owner, await owner.register("owner", "N.x"))
        await owner.put(container, {"celsius": 20.0})
        assert (await dashboard.latest(container)).content == {"celsius": 20.0}
        with pytest.raises(OriginatorHasNoPrivilege):
            await dashboard.put(container, {"celsius": 99.0})
        with pytest.raises(OriginatorHasNoPrivilege):
            await stranger.latest(container)
