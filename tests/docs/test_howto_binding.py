"""docs/howto-binding.md: its binding serves a CSE, reaches another, and refuses what is no request."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from types import ModuleType
from typing import Any

import pytest

from bindings.driver import Driver
from bindings.ports import Listener, Sender
from bindings.serve import TYPES
from cse.codes import Operation
from cse.codes import ResponseStatusCode as RSC
from cse.config import Settings
from cse.core import CSE
from cse.errors import BadRequest, RequestTimeout, TargetNotReachable
from cse.primitives import Request
from cse.storage import open_store
from tests.docs.pages import DOCS, blocks

PARTS = ("bindings/lines/mapping.py", "bindings/lines/server.py", "bindings/lines/client.py")


@pytest.fixture(scope="module")
def lines() -> ModuleType:
    """The three files of the page in one namespace, in their order."""
    found = {block.name: block.text for block in blocks(DOCS / "howto-binding.md", "python")}
    made = ModuleType("lines")
    for part in PARTS:
        exec(compile(found[part], part, "exec"), made.__dict__)
    return made


@pytest.fixture
async def listener(lines: ModuleType) -> AsyncIterator[Listener]:
    """A CSE behind the binding."""
    store = open_store("memory:", frozenset({4}))
    numbers = iter(range(1, 1000))
    core = CSE(store, TYPES, Settings(), time.time, lambda: f"r{next(numbers)}")
    core.bootstrap()
    driver = Driver(core, store, {}, deliver=lambda notices: None, clock=time.time)
    found: Listener = await lines.serve(driver.submit, "127.0.0.1", 0, limit=4096)
    yield found
    await found.close(5.0)
    await driver.close()


async def exchange(listener: Listener, *sent: bytes) -> list[Any]:
    """Send lines over one connection and give the answers, None where it was closed."""
    reader, writer = await asyncio.open_connection(*listener.address)
    answers: list[Any] = []
    for line in sent:
        writer.write(line + b"\n")
        answer = await reader.readline()
        answers.append(json.loads(answer) if answer else None)
    writer.close()
    return answers


async def test_requests_over_one_connection(listener: Listener) -> None:
    registration = {"op": 1, "to": "cse-in", "fr": "Cline", "rqi": "1", "rvi": "4", "ty": 2, "pc": {"m2m:ae": {"api": "N.x", "rr": False, "srv": ["4"]}}}
    made, read = await exchange(listener, json.dumps(registration).encode(), b'{"op":2,"to":"Cline","fr":"Cline","rqi":"2","rvi":"4"}')
    assert (made["rsc"], made["rqi"], made["pc"]["m2m:ae"]["aei"]) == (2001, "1", "Cline")
    assert (read["rsc"], read["rqi"], read["pc"]["m2m:ae"]["api"]) == (2000, "2", "N.x")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"no json", "JSON content is broken"),
        (b'{"op":2,"too":"cse-in"}', "there is no parameter 'too'"),
        (b'{"op":2,"to":"cse-in","peer":{"internal":true}}', "there is no parameter 'peer'"),
        (b'{"op":9,"to":"cse-in"}', "the line is no request"),
        (b'{"op":2}', "`to`"),
    ],
)
async def test_what_is_no_request_is_refused_by_name(listener: Listener, line: bytes, words: str) -> None:
    (answer,) = await exchange(listener, line)
    assert answer["rsc"] == 4000
    assert words in answer["pc"]["m2m:dbg"]


async def test_a_line_over_the_limit_ends_the_connection(listener: Listener) -> None:
    assert await exchange(listener, b"x" * 5000) == [None]


async def test_the_client_reaches_the_server(lines: ModuleType, listener: Listener) -> None:
    sender: Sender = lines.LinesSender()
    url = f"lines://127.0.0.1:{listener.address[1]}"
    answer = await sender.send(url, Request(Operation.RETRIEVE, "cse-in", "CAdmin", "1", "4"), 10.0)
    assert answer.rsc == RSC.OK
    assert answer.pc["m2m:cb"]["csi"] == "/id-in"
    refused = await sender.send(url, Request(Operation.RETRIEVE, "cse-in/none", "CAdmin", "2", "4"), 10.0)
    assert refused.rsc == RSC.NOT_FOUND


async def test_the_client_tells_why_it_failed(lines: ModuleType) -> None:
    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello\n")
        writer.close()

    sender: Sender = lines.LinesSender()
    question = Request(Operation.RETRIEVE, "cse-in", "CAdmin", "1", "4")
    for behave, error in ((hang, RequestTimeout), (babble, BadRequest)):
        server = await asyncio.start_server(behave, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(error):
            await sender.send(f"lines://127.0.0.1:{port}", question, 0.2)
        server.close()
    with pytest.raises(TargetNotReachable):
        await sender.send(f"lines://127.0.0.1:{port}", question, 10.0)
