"""onem2m-mcp, an application of strangers, as it comes from the package index: every one of its tools but the semantic ones, on a CSE with default settings.

Its server runs in a process of its own and is driven by the MCP client over streamable HTTP, the transport that it speaks.
"""

import asyncio
import json
import os
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from mcp.client import ClientSession
from mcp.client.streamable_http import streamable_http_client
from mcp.types import TextContent

from apps.client import Client
from apps.demo.process import Running, running_cse
from tests.scenarios.bed import PATIENCE, Receiver, Wire, receiving

pytestmark = pytest.mark.asyncio(loop_scope="module")

Call = Callable[..., Awaitable[dict[str, Any]]]
SEMANTIC = {"annotate_resource", "get_semantic_description", "semantic_query"}
WORKSPACE = "cse-in/mcpAgent"
SOURCE = Path(__file__).read_text("utf-8")


@dataclass(frozen=True)
class Gateway:
    """The MCP server of onem2m-mcp in front of a CSE."""

    cse: Running
    url: str
    log: Path

    def words(self) -> str:
        """Give what it has printed."""
        return self.log.read_text("utf-8")


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


async def _listens(process: asyncio.subprocess.Process, port: int, gateway: Gateway) -> None:
    """Wait until the gateway listens, which it does not tell."""
    async with asyncio.timeout(60):
        while True:
            assert process.returncode is None, gateway.words()
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except ConnectionRefusedError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gateway]:
    """A CSE that keeps to the standard, and the gateway, told by its own options where that is."""
    port, log = _free_port(), tmp_path_factory.mktemp("mcp") / "log"
    async with running_cse("memory:") as cse:
        environment = {**os.environ, "ACME_MCP_CSE_URL": cse.http, "ACME_MCP_PORT": str(port)}
        with log.open("w") as output:
            process = await asyncio.create_subprocess_exec(sys.executable, "-m", "onem2m_mcp.gateway", env=environment, stdout=output, stderr=output)
        running = Gateway(cse, f"http://127.0.0.1:{port}", log)
        try:
            await _listens(process, port, running)
            yield running
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()


@asynccontextmanager
async def session(gateway: Gateway) -> AsyncIterator[tuple[ClientSession, Call]]:
    """Run an MCP client; its function calls a tool that must not fail as a tool, and gives the JSON it answers."""
    async with streamable_http_client(f"{gateway.url}/mcp") as (reading, writing), ClientSession(reading, writing) as connected:
        await connected.initialize()

        async def call(tool: str, **arguments: Any) -> dict[str, Any]:
            answer = await connected.call_tool(tool, arguments)
            (content,) = answer.content
            assert isinstance(content, TextContent)
            assert not answer.is_error, content.text
            found: dict[str, Any] = json.loads(content.text)
            return found

        yield connected, call


def made(answer: dict[str, Any], kind: str) -> dict[str, Any]:
    """Give the attributes of what a tool has made."""
    assert (answer["rsc"], answer["rscName"]) == (2001, "CREATED"), answer
    found: dict[str, Any] = answer["result"][f"m2m:{kind}"]
    return found


def read(answer: dict[str, Any], kind: str) -> Any:
    """Give what a tool has retrieved."""
    assert (answer["rsc"], answer["rscName"]) == (2000, "OK"), answer
    return answer["result"][f"m2m:{kind}"]


async def test_it_finds_the_cse_and_gives_its_agent_a_workspace(gateway: Gateway) -> None:
    log = gateway.words()
    assert f'connected to CSE "cse-in" (CSE-ID /id-in) at {gateway.cse.http}' in log
    assert 'provisioned agent identity <AE> "mcpAgent" (originator CmcpAgent) with <ACP> "acpMCPAgent"' in log
    async with Client.connect(gateway.cse.http, originator="CAdmin") as admin:
        assert (await admin.retrieve("cse-in/acpMCPAgent"))["pv"] == {"acr": [{"acor": ["CmcpAgent"], "acop": 63}]}
        assert (await admin.retrieve(WORKSPACE))["aei"] == "CmcpAgent"


async def test_its_tools_are_those_that_are_tried_here(gateway: Gateway) -> None:
    async with session(gateway) as (connected, _):
        names = {tool.name for tool in (await connected.list_tools()).tools}
    assert names - SEMANTIC == {name for name in names if f'"{name}"' in SOURCE} - SEMANTIC
    assert len(names) == 17


async def test_orientation(gateway: Gateway) -> None:
    async with session(gateway) as (_, call):
        assert await call("agent_identity") == {"originator": "CmcpAgent", "workspace": WORKSPACE, "authenticated_as": None}
        base = read(await call("cse_info"), "cb")
        assert (base["csi"], base["rn"], base["poa"]) == ("/id-in", "cse-in", [gateway.cse.http, gateway.cse.coap])
        assert {1, 2, 3, 4, 5, 23} <= set(base["srt"])


async def test_data(gateway: Gateway) -> None:
    place = f"{WORKSPACE}/temperature"
    async with session(gateway) as (_, call):
        container = made(await call("create_container", parent_id=WORKSPACE, name="temperature", max_instances=2), "cnt")
        assert (container["rn"], container["mni"]) == ("temperature", 2)
        for value in ("20.5", '{"celsius": 21}', "21.5"):
            assert made(await call("add_content", container_id=place, content=value), "cin")["con"] == value
        assert read(await call("get_latest_content", container_id=place), "cin")["con"] == "21.5"
        seen = read(await call("retrieve_resource", resource_id=place), "cnt")
        assert (seen["ri"], seen["cni"]) == (container["ri"], 2)
        assert read(await call("retrieve_resource", resource_id=container["ri"]), "cnt") == seen, "unstructured too"
        missing = await call("retrieve_resource", resource_id=f"{WORKSPACE}/nowhere")
        assert missing == {"rsc": 4004, "rscName": "NOT_FOUND", "debug": f"{WORKSPACE}/nowhere does not exist"}
        assert (await call("create_container", parent_id=WORKSPACE, name="temperature"))["rsc"] == 4105
        assert await call("delete_resource", resource_id=place) == {"rsc": 2002, "rscName": "DELETED"}
        assert (await call("get_latest_content", container_id=place))["rsc"] == 4004


async def test_discovery(gateway: Gateway) -> None:
    async with session(gateway) as (_, call), Client.connect(gateway.cse.http, originator="CmcpAgent") as agent:
        container = (await agent.container(WORKSPACE, "labelled", lbl=["room:kitchen", "a b"])).address
        for label in ("room:kitchen", "a b"):
            assert read(await call("discover_resources", resource_type="container", label=label), "uril") == [container]
        assert container in read(await call("discover_resources", root=WORKSPACE), "uril")
        assert read(await call("discover_resources", resource_type="group", root=WORKSPACE), "uril") == []
        assert "Valid: accessControlPolicy" in (await call("discover_resources", resource_type="nonsense"))["error"]


async def test_an_ae_of_its_own_is_none_of_the_agents_business(gateway: Gateway) -> None:
    async with session(gateway) as (_, call):
        ae = made(await call("register_ae", name="weather", app_id="Nweather"), "ae")
        assert (ae["rn"], ae["api"], ae["aei"], ae["srv"]) == ("weather", "Nweather", "Cweather", ["4"])
        denied = await call("create_container", parent_id="cse-in/weather", name="mine")
        assert denied == {
            "rsc": 4103, "rscName": "ORIGINATOR_HAS_NO_PRIVILEGE", "debug": "CmcpAgent has no CREATE privilege for container on cse-in/weather",
        }  # fmt: skip
        wrong = await call("register_ae", name="wrong", app_id="wrong")
        assert wrong["rsc"] == 4000
        assert wrong["debug"] == "api 'wrong' must start with N (not registered) or R (registered)"


async def test_a_watched_resource_tells_of_its_changes(gateway: Gateway) -> None:
    """The gateway answers the verification and turns notifications into an answer of a tool."""
    place = f"{WORKSPACE}/watched"
    async with session(gateway) as (_, call):
        made(await call("create_container", parent_id=WORKSPACE, name="watched"), "cnt")
        watch = await call("watch_resource", resource_id=place)
        subscription = made(watch, "sub")
        assert (watch["watching"], watch["subscription_id"]) == (place, subscription["ri"])
        assert subscription["enc"] == {"net": [3, 1]}
        made(await call("add_content", container_id=place, content="hot"), "cin")
        async with asyncio.timeout(PATIENCE):
            while not (told := (await call("get_notifications"))["notifications"]):
                pass
        (first,) = told
        assert (first["subscription"], first["resource"], first["eventType"]) == (subscription["ri"], place, 3)
        assert first["content"]["m2m:cin"]["con"] == "hot"
        assert await call("get_notifications") == {"notifications": [], "returned": 0, "remaining": 0}
        assert (await call("stop_watching", subscription_id=subscription["ri"]))["rsc"] == 2002
        assert (await call("retrieve_resource", resource_id=subscription["ri"]))["rsc"] == 4004


@pytest_asyncio.fixture(loop_scope="module")
async def receiver() -> AsyncIterator[Receiver]:
    """Someone at an address outside of MCP."""
    async with receiving(Wire("http", "json")) as listening:
        yield listening


async def test_a_subscription_for_another_address(gateway: Gateway, receiver: Receiver) -> None:
    target = f"http://127.0.0.1:{receiver.port}/changes"
    async with session(gateway) as (_, call), Client.connect(gateway.cse.http, originator="CmcpAgent") as agent:
        place = (await agent.container(WORKSPACE, "told")).address
        made(await call("create_subscription", target_id=place, notification_uri=target), "sub")
        assert (await receiver.verification())["vrq"]
        await agent.update(place, {"lbl": ["new"]}, root="m2m:cnt")
        assert (await receiver.next())["nev"]["rep"]["m2m:cnt"]["lbl"] == ["new"]
        refused = await call("create_subscription", target_id=place, notification_uri="http://127.0.0.1:1/nobody", name="other")
        assert refused["rsc"] == 5204
        assert "http://127.0.0.1:1/nobody" in refused["debug"]


async def test_primitives_of_any_kind(gateway: Gateway) -> None:
    """Without content: the MCP library reads ``content_json`` before the tool does, and refuses what it has read, so that no request leaves the gateway."""
    async with session(gateway) as (_, call), Client.connect(gateway.cse.http, originator="CmcpAgent") as agent:
        place = (await agent.container(WORKSPACE, "raw")).address
        assert read(await call("send_onem2m_primitive", operation="retrieve", to=place), "cnt")["rn"] == "raw"
        denied = await call("send_onem2m_primitive", operation="RETRIEVE", to=place, originator="Cstranger")
        assert denied["debug"] == f"Cstranger has no RETRIEVE privilege on {place}"
        empty = await call("send_onem2m_primitive", operation="CREATE", to=place, resource_type=3)
        assert (empty["rsc"], empty["debug"]) == (4000, "the content must have exactly one root, m2m:cnt, not 0")
        assert (await call("send_onem2m_primitive", operation="DELETE", to=place))["rsc"] == 2002
        assert "unknown operation" in (await call("send_onem2m_primitive", operation="NOTIFY", to=place))["error"]
