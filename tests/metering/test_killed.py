"""Commands in the middle when everything is killed: the CSE, and the process of meters, display and head-end (issue: alive across restarts)."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from apps.client import Client
from apps.metering import flows
from apps.metering.flows.stage import Stage
from apps.metering.keys import public_key
from apps.metering.ledger import LABEL, verify
from apps.metering.vocabulary import State, stamp
from apps.metering.world import World
from cse.errors import NotFound
from tests.metering.bench import PATIENCE, until

pytestmark = pytest.mark.asyncio(loop_scope="module")

FACTS = flows.FACTS["UC03-P"]
"""Any flow: a stage needs one."""


async def test_the_cse_is_killed_in_the_middle_and_nothing_is_lost_or_done_twice(world: World) -> None:
    async with Stage(world, FACTS) as stage:
        order = await stage.command("bill", "message", "show", {}, consent="required", message={"text": "Killed?"}, consumerDeadline=50)
        item = await stage.item(order)
        top_up = await stage.command("bill", "credit", "addCredit", {"amount": "7", "currency": "EUR", "token": "before the kill"})
        os.kill(world.cse.pid, signal.SIGKILL)
        await world.cse.ended
        await world.stop_cse()
        await world.start_cse()
        await stage.act(item, "accept")
        await stage.status(order, State.EXECUTED)
        await stage.status(top_up, State.EXECUTED)
        await stage.client("bill").put("cse-in/mtr-M1/cmd/credit/in", top_up.envelope)
        await stage.status(await stage.command("bill", "payment", "status", {}), State.EXECUTED)
        booked = await stage.instances("bill", "mtr-M1/payment/ledger")
        assert [entry["amount"] for entry in booked if entry.get("cmdId") == top_up.id] == ["7"]


@asynccontextmanager
async def _held(directory: Path, http: str = "127.0.0.1:0", coap: str = "127.0.0.1:0") -> AsyncIterator[tuple[str, str]]:
    """Hold a world up in a process, and kill that and its CSE at the end; give the addresses."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "tests.metering.held", str(directory), http, coap, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    pid = 0
    try:
        async with asyncio.timeout(2 * PATIENCE):
            ready, http, coap, number = (await process.stdout.readline()).decode().split()
        assert ready == "READY"
        pid = int(number)
        yield http, coap
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        if pid:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            await until(lambda: _gone(pid))


async def _gone(pid: int) -> bool:
    """Tell whether a process is gone, or waits to be forgotten."""
    try:
        status = (Path("/proc") / str(pid) / "stat").read_text()
    except OSError:
        return True
    return status.rpartition(") ")[2].startswith("Z")


class Outside:
    """Who commands the world from outside."""

    def __init__(self, url: str) -> None:
        self.url = url

    async def command(self, kind: str, name: str, params: dict[str, Any], consent: str = "none", **more: Any) -> None:
        """Issue a command as bill, with the name of its type as cmdId."""
        envelope = {"cmdId": name, "type": name, "issuer": "Cbill", "issuedAt": "20260101T000000", "validUntil": "20991231T000000", "consent": consent}
        async with Client.connect(self.url, "Cbill") as bill:
            await bill.put(f"cse-in/mtr-M1/cmd/{kind}/in", {**envelope, "params": params, **more})

    async def contents(self, path: str, by: str = "Cbill") -> list[Any]:
        """Give the contents of a container, oldest first."""
        async with Client.connect(self.url, by) as client:
            addresses = await client.discover(f"cse-in/{path}", types=[4], lvl=1)
            return [(await client.retrieve(address)).content for address in addresses]

    async def states(self, kind: str, identifier: str) -> list[str]:
        """Give the states of a command."""
        return [one["state"] for one in await self.contents(f"mtr-M1/cmd/{kind}/out") if one["cmdId"] == identifier]

    async def reached(self, kind: str, identifier: str, state: str) -> None:
        """Wait for a state of a command."""

        async def look() -> bool:
            return state in await self.states(kind, identifier)

        await until(look)

    async def item(self, identifier: str) -> str:
        """Give the msgId of a command on the screen."""
        async with Client.connect(self.url, "Cconsumer-P1") as consumer:
            found: list[str] = []

            async def look() -> bool:
                with suppress(NotFound):
                    screen = (await consumer.latest("cse-in/ihd-P1/screen")).content
                    found.extend(item["msgId"] for item in screen["items"] if item["cmdId"] == identifier)
                return bool(found)

            await until(look)
            return found[0]

    async def act(self, item: str, action: str) -> None:
        """Let the consumer do something."""
        async with Client.connect(self.url, "Cconsumer-P1") as consumer:
            await consumer.put("cse-in/ihd-P1/actions", {"msgId": item, "action": action, "ts": "20260101T000000"})


async def test_everybody_is_killed_in_the_middle_and_every_command_ends_once(tmp_path: Path) -> None:
    flat = {"tariffId": "T1", "scheme": "single", "rates": [{"rateId": "flat", "price": "0.3", "currency": "EUR", "unit": "kWh"}]}
    top_up = {"amount": "7", "currency": "EUR", "token": "t"}
    async with _held(tmp_path) as (http, coap):
        outside = Outside(http)
        await outside.command("message", "show", {}, "required", message={"text": "Killed?"}, consumerDeadline=300)
        item = await outside.item("show")
        await outside.command("credit", "addCredit", top_up)
        await outside.reached("credit", "addCredit", "executed")
        await outside.command("tariff", "setTariff", {**flat, "effective": stamp(time.time() + 8)})
        await outside.reached("tariff", "setTariff", "accepted")
        await outside.command("payment", "status", {})
    async with _held(tmp_path, http.rpartition("/")[2], coap.rpartition("/")[2]) as (http, _):
        outside = Outside(http)
        await outside.command("credit", "addCredit", top_up)
        await outside.act(item, "accept")
        await outside.reached("message", "show", "executed")
        await outside.reached("tariff", "setTariff", "executed")
        await outside.reached("payment", "status", "executed")
        assert await outside.states("message", "show") == ["validated", "displayed", "accepted", "executed"]
        assert await outside.states("credit", "addCredit") == ["validated", "executed"]
        assert await outside.states("tariff", "setTariff") == ["validated", "accepted", "executed"]
        assert await outside.states("payment", "status") == ["validated", "executed"]
        assert [entry["amount"] for entry in await outside.contents("mtr-M1/payment/ledger")] == ["7"]
        async with Client.connect(http, "Cbill") as bill:
            labels = (await bill.retrieve("cse-in/sm-settle/ledger"))["lbl"]
        key = public_key(next(label.removeprefix(LABEL) for label in labels if label.startswith(LABEL)))

        async def settled() -> bool:
            return bool(await outside.contents("sm-settle/ledger"))

        await until(settled)
        assert not verify(await outside.contents("sm-settle/ledger"), key)
