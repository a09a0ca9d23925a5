"""The server as a process: what it prints, how it stops, and how it says that it cannot start."""

import asyncio
import json
import logging
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from errno import EADDRINUSE
from pathlib import Path
from socket import SOCK_DGRAM, SOCK_STREAM, socket
from typing import Any

import aiohttp
import pytest

from bindings.coap.client import CoapSender
from bindings.config import load
from bindings.logs import Json, Text
from bindings.serve import Server, StartError
from cse.codes import Operation
from cse.primitives import Request
from cse.storage import StoreRefused

ROOT = Path(__file__).parents[2]
FREE = ("--http", "127.0.0.1:0", "--coap", "127.0.0.1:0")
HEADERS = {"X-M2M-Origin": "CAdmin", "X-M2M-RI": "r1", "X-M2M-RVI": "4"}


@dataclass
class Process:
    """A ``cse`` command."""

    child: asyncio.subprocess.Process
    urls: dict[str, str]

    async def end(self) -> tuple[int, str, str]:
        """Wait for the end; exit code and what is left of standard output and error."""
        async with asyncio.timeout(60):
            out, err = await self.child.communicate()
        assert self.child.returncode is not None
        return self.child.returncode, out.decode(), err.decode()


@asynccontextmanager
async def command(*arguments: str, cwd: Path = ROOT) -> AsyncIterator[Process]:
    """Run ``cse`` with arguments; it is killed at the end of the block at the latest."""
    pipe = asyncio.subprocess.PIPE
    program = "import sys; sys.path.insert(0, sys.argv.pop(1)); from apps.cli import main; main()"
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", program, str(ROOT), *arguments, cwd=cwd, stdout=pipe, stderr=pipe)
    try:
        yield Process(child, {})
    finally:
        if child.returncode is None:
            child.kill()
        await child.communicate()


@asynccontextmanager
async def serving(*arguments: str) -> AsyncIterator[Process]:
    """Run ``cse serve`` and wait until it has printed its addresses."""
    async with command("serve", *FREE, *arguments) as process:
        assert process.child.stdout is not None
        async with asyncio.timeout(60):
            line = (await process.child.stdout.readline()).decode()
        process.urls = {scheme: url for url, scheme in re.findall(r"\b((http|coap)://[\d.]+:\d+)", line)}
        assert process.urls.keys() == {"http", "coap"}, line
        yield process


async def ask(url: str, method: str = "GET", ty: int | None = None, pc: Any = None) -> tuple[int, Any]:
    more = {} if ty is None else {"Content-Type": f"application/json;ty={ty}"}
    async with aiohttp.ClientSession() as session, session.request(method, url, headers=HEADERS | more, json=pc) as found:
        return int(found.headers["X-M2M-RSC"]), await found.json()


async def test_it_serves_http_and_coap_until_sigterm_and_keeps_what_it_acknowledged(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path / 'cse.db'}"
    async with serving("--store", store) as process:
        assert (await ask(f"{process.urls['http']}/cse-in", "POST", 3, {"m2m:cnt": {"rn": "c"}}))[0] == 2001
        sender = CoapSender()
        found = await sender.send(process.urls["coap"], Request(Operation.RETRIEVE, "cse-in/c", "CAdmin", "r2", "4"), 20)
        await sender.close()
        assert found.pc["m2m:cnt"]["rn"] == "c"
        process.child.send_signal(signal.SIGTERM)
        assert await process.end() == (0, "", "")
    async with serving("--store", store) as process:
        assert (await ask(f"{process.urls['http']}/cse-in/c"))[0] == 2000
        process.child.send_signal(signal.SIGINT)
        assert (await process.end())[0] == 0


async def test_a_request_in_flight_is_answered_after_sigterm(tmp_path: Path) -> None:
    asked, stopping = asyncio.Event(), asyncio.Event()

    async def verify(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        await stopping.wait()
        writer.write(b"HTTP/1.1 200 OK\r\nX-M2M-RSC: 2000\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    store = f"sqlite:///{tmp_path / 'cse.db'}"
    subscriber = await asyncio.start_server(verify, "127.0.0.1", 0)
    async with subscriber, serving("--store", store) as process:
        url = process.urls["http"]
        assert (await ask(f"{url}/cse-in", "POST", 3, {"m2m:cnt": {"rn": "c"}}))[0] == 2001
        target = f"http://127.0.0.1:{subscriber.sockets[0].getsockname()[1]}/"
        slow = asyncio.create_task(ask(f"{url}/cse-in/c", "POST", 23, {"m2m:sub": {"rn": "s", "nu": [target]}}))
        await asked.wait()
        process.child.send_signal(signal.SIGTERM)
        await refused(*url.removeprefix("http://").split(":"))
        stopping.set()
        assert (await slow)[0] == 2001
        assert (await process.end())[0] == 0
    async with serving("--store", store) as process:
        assert (await ask(f"{process.urls['http']}/cse-in/c/s"))[0] == 2000


async def refused(host: str, port: str) -> None:
    """Wait until nobody listens there any more."""
    async with asyncio.timeout(60):
        while True:
            try:
                _, writer = await asyncio.open_connection(host, port)
            except OSError:
                return
            writer.close()


async def test_a_second_one_on_the_same_store_is_refused(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path / 'cse.db'}"
    async with serving("--store", store), command("serve", *FREE, "--store", store) as second:
        code, out, err = await second.end()
        assert (code, out) == (2, "")
        assert str(tmp_path / "cse.db") in err
        assert len(err.splitlines()) == 1


async def test_a_store_of_another_cse_is_refused(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path / 'cse.db'}"
    async with serving("--store", store) as first:
        first.child.terminate()
        await first.end()
    async with command("serve", *FREE, "--store", store, "--cse-id", "/other") as second:
        code, _, err = await second.end()
        assert code == 2
        assert "/id-in" in err
        assert "/other" in err


@pytest.mark.parametrize(("flag", "kind", "name"), [("--http", SOCK_STREAM, "HTTP"), ("--coap", SOCK_DGRAM, "CoAP")])
async def test_a_port_that_is_taken_is_named(flag: str, kind: int, name: str) -> None:
    with socket(type=kind) as taken:
        taken.bind(("127.0.0.1", 0))
        if kind == SOCK_STREAM:
            taken.listen()
        port = taken.getsockname()[1]
        async with command("serve", *FREE, flag, f"127.0.0.1:{port}", "--store", "memory:") as process:
            code, out, err = await process.end()
    assert (code, out) == (2, "")
    assert err == f"cse: {name} cannot listen at 127.0.0.1:{port}: {os.strerror(EADDRINUSE)}\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--set", "cse.cse_nam=x"), "did you mean cse.cse_name?"),
        (("--config", "none.toml"), "none.toml: cannot be read"),
        (("--store", "mongo://x"), "store.url has to be memory:"),
        (("--http", "0.0.0.0:0", "--set", "testing.control=true"), "it needs http.listen on loopback"),
    ],
)
async def test_a_configuration_that_cannot_be_used_ends_it(arguments: tuple[str, ...], words: str) -> None:
    async with command("serve", *FREE, *arguments) as process:
        code, out, err = await process.end()
    assert (code, out) == (2, "")
    assert words in err
    assert "Traceback" not in err


async def test_a_configuration_can_be_checked(tmp_path: Path) -> None:
    async with command("check-config", str(ROOT / "config" / "in-cse.toml")) as process:
        assert (await process.end())[0] == 0
    bad = tmp_path / "bad.toml"
    bad.write_text("[cse]\nadmn = 'x'\n")
    async with command("check-config", str(bad)) as process:
        code, _, err = await process.end()
    assert code == 2
    assert f"{bad}: there is no setting cse.admn; did you mean cse.admin?" in err


async def test_it_tells_its_version() -> None:
    async with command("--version") as process:
        code, out, _ = await process.end()
    assert code == 0
    assert re.fullmatch(r"onem2m-cse \d+\.\d+\.\d+\S*\n", out)


async def test_requests_are_logged_as_json_where_that_is_wanted() -> None:
    async with serving("--store", "memory:", "--set", "log.requests=true", "--set", "log.format=json") as process:
        await ask(f"{process.urls['http']}/cse-in/none")
        process.child.terminate()
        _, _, err = await process.end()
    line = json.loads(err)
    assert (line["op"], line["to"], line["fr"], line["rsc"], line["level"]) == ("RETRIEVE", "cse-in/none", "CAdmin", 4004, "info")
    assert line["ms"] >= 0


def test_what_others_send_makes_no_lines_of_its_own_in_the_log() -> None:
    record = logging.makeLogRecord({"name": "x", "levelname": "INFO", "msg": "from %s", "args": ("a\nb\x1b[2J\x9bc",)})
    assert Text().format(record).endswith("from a\\x0ab\\x1b[2J\\x9bc")
    assert json.loads(Json().format(record))["message"] == "from a\nb\x1b[2J\x9bc"
    assert len(Json().format(record).splitlines()) == 1


async def test_in_process_a_server_tells_where_it_listens_and_leaves_nothing_open(tmp_path: Path) -> None:
    config = load(flags={"http.listen": "127.0.0.1:0", "coap.listen": "127.0.0.1:0", "store.url": f"sqlite:///{tmp_path / 'cse.db'}"})
    for _ in range(2):
        async with Server(config) as server:
            code, found = await ask(f"{server.urls[0]}/cse-in")
            assert code == 2000
            assert found["m2m:cb"]["poa"] == list(server.urls)
            with pytest.raises(StoreRefused):
                await Server(config).start()


async def test_a_start_that_fails_gives_the_store_back(tmp_path: Path) -> None:
    with socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        flags = {"coap.listen": "", "store.url": f"sqlite:///{tmp_path / 'cse.db'}"}
        with pytest.raises(StartError, match="HTTP cannot listen"):
            await Server(load(flags={"http.listen": f"127.0.0.1:{taken.getsockname()[1]}", **flags})).start()
    async with Server(load(flags={"http.listen": "127.0.0.1:0", **flags})) as server:
        assert server.coap is None


async def test_a_notification_reaches_a_subscriber_at_another_server() -> None:
    flags = {"http.listen": "127.0.0.1:0", "coap.listen": "127.0.0.1:0", "store.url": "memory:"}
    got: asyncio.Queue[Any] = asyncio.Queue()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            length = re.search(rb"content-length: (\d+)", head.lower())
            got.put_nowait(json.loads(await reader.readexactly(int(length[1]) if length else 0)))
            writer.write(b"HTTP/1.1 200 OK\r\nX-M2M-RSC: 2000\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            break
        writer.close()

    sink = await asyncio.start_server(take, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{sink.sockets[0].getsockname()[1]}/"
    async with sink, Server(load(flags=flags)) as server:
        base = server.urls[0]
        assert (await ask(f"{base}/cse-in", "POST", 3, {"m2m:cnt": {"rn": "c"}}))[0] == 2001
        assert (await ask(f"{base}/cse-in/c", "POST", 23, {"m2m:sub": {"rn": "s", "nu": [url], "nct": 1, "enc": {"net": [3]}}}))[0] == 2001
        async with asyncio.timeout(20):
            assert (await got.get())["m2m:sgn"]["vrq"] is True
            assert (await ask(f"{base}/cse-in/c", "POST", 4, {"m2m:cin": {"con": "21"}}))[0] == 2001
            notification = await got.get()
        assert notification["m2m:sgn"]["nev"]["rep"]["m2m:cin"]["con"] == "21"
