"""The control endpoint for testers, through a whole server."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest

from bindings.config import load
from bindings.serve import Server

HEADERS = {"X-M2M-Origin": "CAdmin", "X-M2M-RI": "r1", "X-M2M-RVI": "4"}


@dataclass
class Bench:
    """A tester at the HTTP port of a server."""

    server: Server
    session: aiohttp.ClientSession

    async def command(self, text: str | None, method: str = "POST") -> tuple[int, str, str]:
        """Give a command; status, response status code and answer."""
        headers = {} if text is None else {"X-M2M-UTCMD": text}
        async with self.session.request(method, f"{self.server.urls[0]}/__ut__", headers=headers) as found:
            return found.status, found.headers.get("X-M2M-RSC", ""), found.headers.get("X-M2M-UTRSP", "")

    async def request(self, method: str, path: str, ty: int | None = None, pc: Any = None) -> int:
        """Send a request; its response status code."""
        more = {} if ty is None else {"Content-Type": f"application/json;ty={ty}"}
        async with self.session.request(method, f"{self.server.urls[0]}/{path}", headers=HEADERS | more, json=pc) as found:
            return int(found.headers["X-M2M-RSC"])


@pytest.fixture(params=[True, False], ids=["on", "off"])
def control(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
async def tester(control: bool) -> AsyncIterator[Bench]:
    config = load(sets=["store.url=memory:", "http.listen=127.0.0.1:0", "coap.listen=", f"testing.control={str(control).lower()}"])
    async with Server(config) as server, aiohttp.ClientSession() as session:
        yield Bench(server, session)


@pytest.mark.parametrize("control", [False], indirect=True)
async def test_it_is_not_there_unless_it_is_configured(tester: Bench) -> None:
    assert (await tester.command("Status"))[0] != 200
    assert (await tester.command("Reset"))[1] != "2000"


@pytest.mark.parametrize("control", [True], indirect=True)
class TestCommands:
    async def test_status(self, tester: Bench) -> None:
        assert await tester.command("Status") == (200, "2000", "RUNNING")

    async def test_reset_leaves_a_new_base_alone(self, tester: Bench) -> None:
        assert await tester.request("POST", "cse-in", 3, {"m2m:cnt": {"rn": "c"}}) == 2001
        assert await tester.request("GET", "cse-in/c") == 2000
        assert await tester.command("Reset") == (200, "2000", "")
        assert await tester.request("GET", "cse-in/c") == 4004
        assert await tester.request("GET", "cse-in") == 2000
        assert await tester.request("POST", "cse-in", 3, {"m2m:cnt": {"rn": "c"}}) == 2001

    async def test_resource_expiration_is_checked_more_often_and_as_before(self, tester: Bench) -> None:
        interval = (await tester.command("GetConfig limits.expiration_check_interval"))[2]
        longest = (await tester.command("GetConfig limits.max_expiration"))[2]
        assert await tester.command("enableShortResourceExpiration 2") == (200, "2000", f"{interval},{longest}")
        assert (await tester.command("GetConfig limits.expiration_check_interval"))[2] == "2"
        assert await tester.command("disableShortResourceExpiration") == (200, "2000", "")
        assert (await tester.command("GetConfig limits.expiration_check_interval"))[2] == interval

    async def test_requests_expire_sooner_and_as_before(self, tester: Bench) -> None:
        normal = (await tester.command("GetConfig limits.request_timeout"))[2]
        assert await tester.command("enableShortRequestExpiration 1.5") == (200, "2000", normal)
        assert await tester.command("enableShortRequestExpiration 3") == (200, "2000", "1.5")
        assert await tester.command("disableShortRequestExpiration") == (200, "2000", "")
        assert (await tester.command("GetConfig limits.request_timeout"))[2] == normal

    async def test_test_cases_are_announced(self, tester: Bench) -> None:
        assert await tester.command("testCaseStart TP_1") == (200, "2000", "")
        assert await tester.command("testCaseEnd TP_1") == (200, "2000", "")

    async def test_settings_are_written_plainly(self, tester: Bench) -> None:
        assert (await tester.command("GetConfig cse.cse_id"))[2] == "/id-in"
        assert (await tester.command("GetConfig testing.control"))[2] == "true"
        assert (await tester.command("GetConfig registration.allowed_app_ids"))[2] == '["*"]'

    @pytest.mark.parametrize(
        "text", [None, "", "Explode", "GetConfig", "GetConfig cse.nothing", "enableShortResourceExpiration", "enableShortRequestExpiration -1",
                 "enableShortRequestExpiration nan", "enableShortRequestExpiration soon"]
    )  # fmt: skip
    async def test_what_is_no_command_is_a_bad_request(self, tester: Bench, text: str | None) -> None:
        status, code, answer = await tester.command(text)
        assert (status, code, answer) == (400, "4000", "")

    async def test_only_post_is_served(self, tester: Bench) -> None:
        assert (await tester.command("Reset", "GET"))[0] == 405
