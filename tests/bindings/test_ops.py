"""What an operator asks: /health really writes and reads, /metrics counts what happened, and neither stands in the way of resources."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from bindings.config import ConfigError, load
from bindings.health import Health
from bindings.serve import Server
from cse.storage import Store, StoreError, open_store
from tests.docs.pages import DOCS

FREE = {"http.listen": "127.0.0.1:0", "coap.listen": "127.0.0.1:0", "store.url": "memory:"}
HEADERS = {"X-M2M-Origin": "CAdmin", "X-M2M-RI": "r1", "X-M2M-RVI": "4"}


@asynccontextmanager
async def served(**flags: Any) -> AsyncIterator[tuple[Server, aiohttp.ClientSession]]:
    config = load(flags=FREE | {name.replace("__", "."): value for name, value in flags.items()})
    async with Server(config) as server, aiohttp.ClientSession() as session:
        yield server, session


async def get(session: aiohttp.ClientSession, url: str, method: str = "GET") -> tuple[int, str]:
    async with session.request(method, url, headers=HEADERS) as answer:
        return answer.status, await answer.text()


async def scraped(session: aiohttp.ClientSession, server: Server) -> dict[str, float]:
    """Give all samples, written as Prometheus does: ``name{label=value,...}``."""
    assert server.http is not None
    status, text = await get(session, f"http://127.0.0.1:{server.http[1]}/metrics")
    assert status == 200
    return {
        sample.name + ("{" + ",".join(f"{key}={value}" for key, value in sorted(sample.labels.items())) + "}" if sample.labels else ""): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.mark.parametrize("url", ["memory:", "sqlite:///{}/s.db", "tinydb:///{}/s.json"])
async def test_health_of_a_good_store(tmp_path: Path, url: str) -> None:
    async with served(store__url=url.format(tmp_path)) as (server, session), session.get(f"{server.urls[0]}/health") as answer:
        assert answer.status == 200
        assert answer.headers["Cache-Control"] == "no-store"
        found = await answer.json()
        assert (found["status"], set(found["checks"])) == ("pass", {"write", "read"})
        assert all(check["status"] == "pass" and check["ms"] >= 0 for check in found["checks"].values())
        _, tree = await get(session, f"{server.urls[0]}/cse-in?rcn=4")
        assert "probe" not in tree


async def test_health_takes_no_other_method() -> None:
    async with served() as (server, session):
        assert (await get(session, f"{server.urls[0]}/health", "POST"))[0] == 405
        assert (await get(session, f"{server.urls[0]}/health", "HEAD"))[0] == 200


class Disk:
    """The write turn of a CSE whose disk fails or hangs as a test says."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.free = asyncio.Event()
        self.broken = False
        self.writes = 0

    async def write(self, work: Any) -> None:
        self.writes += 1
        await self.free.wait()
        if self.broken:
            raise StoreError("the store could not be written: database or disk is full")
        work()
        self.store.flush()
        self.store.sync()
        self.store.publish()


@pytest.fixture
def disk() -> Iterator[Disk]:
    store = open_store("memory:", frozenset())
    yield Disk(store)
    store.close()


async def test_many_probes_are_one_write_and_a_hanging_one_is_not_waited_for(disk: Disk) -> None:
    health = Health(disk.store, disk.write, lambda: "token", 0.05)
    reports = await asyncio.gather(*(health.report() for _ in range(20)))
    assert [well for well, _ in reports] == [False] * 20
    assert "within 0.05 seconds" in reports[0][1]["checks"]["write"]["error"]
    assert (await health.report())[0] is False
    assert disk.writes == 1, "a hanging disk is not given more to do"
    disk.free.set()
    await asyncio.sleep(0.05)
    well, report = await health.report()
    assert (well, report["status"]) == (True, "pass")
    await health.close()


async def test_a_full_disk_is_told(disk: Disk) -> None:
    disk.free.set()
    disk.broken = True
    well, report = await Health(disk.store, disk.write, lambda: "token", 5).report()
    assert not well
    assert report["checks"].keys() == {"write"}, "what was not written is not read"
    assert report["checks"]["write"]["error"] == "the store could not be written: database or disk is full"


async def test_metrics_count_what_happened(tmp_path: Path) -> None:
    async with served(store__url=f"sqlite:///{tmp_path}/s.db") as (server, session):
        url = server.urls[0]
        body = HEADERS | {"Content-Type": "application/json;ty=3"}
        for number in range(3):
            async with session.post(f"{url}/cse-in", headers=body, json={"m2m:cnt": {"rn": f"c{number}"}}) as made:
                assert made.status == 201
        for path in ("cse-in/c0", "cse-in/none"):
            await get(session, f"{url}/{path}")
        subscription = {"m2m:sub": {"nu": ["http://127.0.0.1:1/"], "enc": {"net": [1]}}}
        async with session.post(f"{url}/cse-in/c0", headers=body | {"Content-Type": "application/json;ty=23"}, json=subscription) as refused:
            assert refused.status == 500, "the verification of a target that is not there fails"
        found = await scraped(session, server)
    assert found["cse_requests_total{binding=http,operation=CREATE,rsc=2001}"] == 3
    assert found["cse_requests_total{binding=http,operation=RETRIEVE,rsc=2000}"] == 1
    assert found["cse_requests_total{binding=http,operation=RETRIEVE,rsc=4004}"] == 1
    assert found["cse_request_seconds_count{binding=http,operation=RETRIEVE}"] == 2
    assert found["cse_request_seconds_bucket{binding=http,le=+Inf,operation=CREATE}"] == found["cse_request_seconds_count{binding=http,operation=CREATE}"] == 4
    assert found["cse_commits_total{outcome=ok}"] >= 3
    assert found["cse_commit_requests_sum"] >= 3
    assert found["cse_resources"] == 4
    assert found["cse_connections{binding=http}"] >= 1
    assert found["cse_outbox_notifications"] == found["cse_outbox_oldest_seconds"] == 0
    assert found["cse_store_cache_hits_total"] > 0
    assert found["process_open_fds"] > 0


async def test_the_outbox_and_its_outcomes(tmp_path: Path) -> None:
    async with served(store__url=f"sqlite:///{tmp_path}/s.db", notification__first_retry=30.0) as (server, session):
        target = aiohttp.web.Application()

        async def answer(request: aiohttp.web.Request) -> aiohttp.web.Response:
            vrq = (await request.json())["m2m:sgn"].get("vrq")
            return aiohttp.web.Response(status=200 if vrq else 503, headers={"X-M2M-RSC": "2000"} if vrq else {})

        target.router.add_post("/", answer)
        runner = aiohttp.web.AppRunner(target)
        await runner.setup()
        await aiohttp.web.TCPSite(runner, "127.0.0.1", 0).start()
        port = runner.addresses[0][1]
        url, body = server.urls[0], {"m2m:sub": {"nu": [f"http://127.0.0.1:{port}/"], "enc": {"net": [3]}}}
        async with session.post(f"{url}/cse-in", headers=HEADERS | {"Content-Type": "application/json;ty=23"}, json=body) as made:
            assert made.status == 201
        async with session.post(f"{url}/cse-in", headers=HEADERS | {"Content-Type": "application/json;ty=3"}, json={"m2m:cnt": {}}) as made:
            assert made.status == 201
        async with asyncio.timeout(30):
            while not (found := await scraped(session, server))["cse_notifications_total{outcome=failed}"]:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert found["cse_outbox_notifications"] == found["cse_notification_targets_failing"] == 1
        assert found["cse_outbox_oldest_seconds"] >= 0
        await runner.cleanup()


async def test_operations_has_every_metric_and_no_other() -> None:
    async with served() as (server, session):
        await get(session, f"{server.urls[0]}/cse-in")
        _, text = await get(session, f"{server.urls[0]}/metrics")
    told = set(re.findall(r"^# TYPE (\S+)", text, re.MULTILINE))
    page = (DOCS / "operations.md").read_text("utf-8")
    assert set(re.findall(r"^\| `((?:cse|process)_\w+)", page, re.MULTILINE)) == {name for name in told if name.startswith(("cse_", "process_"))}


async def test_a_listener_of_its_own() -> None:
    async with served(ops__listen="127.0.0.1:0") as (server, session):
        assert server.ops is not None
        own, public = f"http://127.0.0.1:{server.ops[1]}", server.urls[0]
        for path in ("/health", "/metrics"):
            assert (await get(session, own + path))[0] == 200
            assert (await get(session, public + path))[0] == 404, "it is an address of a resource there"
        assert (await get(session, own + "/cse-in"))[0] == 404
        assert (await get(session, public + "/openapi.json"))[0] == 200
        assert own not in server.urls


async def test_each_can_be_switched_off() -> None:
    async with served(ops__health=False, ops__metrics=False, ops__openapi=False) as (server, session):
        for path in ("/health", "/metrics", "/openapi.json"):
            assert (await get(session, server.urls[0] + path))[0] == 404


@pytest.mark.parametrize(("setting", "value"), [("cse.cse_name", "metrics"), ("cse.cse_id", "/health"), ("cse.cse_name", "openapi.json")])
def test_a_csebase_that_nobody_could_reach_is_refused(setting: str, value: str) -> None:
    with pytest.raises(ConfigError, match=rf"{setting} cannot be '{value.strip('/')}', because .* is served for operators"):
        load(flags={setting: value})


async def test_with_a_listener_of_its_own_a_csebase_may_be_called_so() -> None:
    async with served(cse__cse_name="metrics", ops__listen="127.0.0.1:0") as (server, session):
        status, text = await get(session, f"{server.urls[0]}/metrics")
        assert (status, "m2m:cb" in text) == (200, True)
