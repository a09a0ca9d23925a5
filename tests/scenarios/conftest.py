"""Servers, one for each store and module, and the wires to them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

import pytest
import pytest_asyncio
import uvloop

from bindings.serve import Server
from tests.scenarios.bed import Client, Receiver, Wire, client, config, receiving, url_of

STORES = ("memory", "sqlite", "tinydb")
WIRES = tuple(Wire(binding, media) for binding in ("http", "coap") for media in ("json", "cbor"))
COMBINATIONS = tuple((store, wire) for store in STORES for wire in WIRES if store == "memory" or (wire.binding == "http") == (wire.media == "json"))
"""Every store over both bindings; both serialisations over both bindings where the store costs nothing."""


def _id(store: str, wire: Wire) -> str:
    return f"{store}-{wire.binding}-{wire.media}"


@pytest.hookimpl(optionalhook=True)
def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run on the event loop that the server runs on."""
    return {"uvloop": uvloop.new_event_loop}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run every story that has a store over all combinations, with a ``durable`` one not in memory, and one with a ``wire`` alone over all wires."""
    if "kind" in metafunc.fixturenames:
        chosen = [(store, wire) for store, wire in COMBINATIONS if store != "memory" or "durable" not in metafunc.fixturenames]
        metafunc.parametrize(("kind", "wire"), chosen, ids=[_id(*each) for each in chosen], indirect=True, scope="module")
    elif "wire" in metafunc.fixturenames:
        metafunc.parametrize("wire", WIRES, ids=[f"{wire.binding}-{wire.media}" for wire in WIRES], indirect=True, scope="module")


@pytest.fixture(scope="module")
def kind(request: pytest.FixtureRequest) -> str:
    """The scheme of the store."""
    return str(request.param)


@pytest.fixture(scope="module")
def wire(request: pytest.FixtureRequest) -> Wire:
    """The binding and the serialisation."""
    assert isinstance(request.param, Wire)
    return request.param


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(kind: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    """A server on an empty store of each kind."""
    async with Server(config(url_of(kind, tmp_path_factory.mktemp(kind)))) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cse(server: Server, wire: Wire) -> AsyncIterator[Client]:
    """A client of the server over each wire."""
    async with client(wire, server) as connected:
        yield connected


@pytest_asyncio.fixture(loop_scope="module")
async def receiver(wire: Wire) -> AsyncIterator[Receiver]:
    """Someone to be notified over the same wire."""
    async with receiving(wire) as listening:
        yield listening


@pytest.fixture
def url(kind: str, tmp_path: Path) -> str:
    """The URL of a store for this test alone."""
    return url_of(kind, tmp_path)


@pytest.fixture
def durable(url: str) -> str:
    """The URL of a store for this test alone that outlives its server."""
    return url
