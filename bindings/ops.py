"""What an operator asks over HTTP, beside oneM2M: /health, /metrics and /openapi.json."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import orjson
from prometheus_client import CONTENT_TYPE_LATEST

from bindings.health import Health
from cse.codes import ResponseStatusCode as RSC
from cse.config import setting
from cse.primitives import Peer, Request, Response

HEALTH, METRICS, OPENAPI = "/health", "/metrics", "/openapi.json"

Answer = tuple[int, list[tuple[str, str]], bytes]
Route = Callable[[str, Mapping[str, str], bytes, Peer], Awaitable[Answer]]
"""A route of bindings.http.server.Extra."""

_JSON = ("Content-Type", "application/json")


@dataclass(frozen=True, slots=True)
class Ops:
    """What an operator can ask over HTTP."""

    listen: str = setting("", "Where /health and /metrics are served: host:port of a listener of their own, port 0 for any; empty for that of [http].")
    health: bool = setting(True, "Serve /health: writes and reads through the store, 200 when that works and 503 when it does not.")
    health_timeout: float = setting(5.0, "Seconds that /health waits for its write to be durable before it answers 503.")
    metrics: bool = setting(True, "Serve /metrics for Prometheus.")
    openapi: bool = setting(True, "Serve /openapi.json, the OpenAPI description of the HTTP binding, at the listener of [http].")

    @property
    def reserved(self) -> frozenset[str]:
        """The paths that are served at the listener of [http], and are no addresses of resources there."""
        apart = bool(self.listen)
        wanted = {HEALTH: self.health and not apart, METRICS: self.metrics and not apart, OPENAPI: self.openapi}
        return frozenset(path for path, served in wanted.items() if served)


def clash(options: Ops, cse_id: str, cse_name: str) -> str:
    """Give the sentence why a CSE cannot have these names: requests to its CSEBase would get another answer; "" when it can."""
    for setting_name, name in (("cse.cse_name", cse_name), ("cse.cse_id", cse_id.removeprefix("/"))):
        if f"/{name}" in options.reserved:
            switch = "ops.openapi = false" if f"/{name}" == OPENAPI else f"ops.listen, or ops.{name} = false"
            return f"{setting_name} cannot be {name!r}, because /{name} is served for operators at http.listen: choose another name or set {switch}"
    return ""


def health(probe: Health) -> Route:
    """Give the route of /health."""

    async def answer() -> Answer:
        well, report = await probe.report()
        return 200 if well else 503, [_JSON, ("Cache-Control", "no-store")], orjson.dumps(report, option=orjson.OPT_APPEND_NEWLINE)

    return _reading(answer)


def metrics(write: Callable[[], bytes]) -> Route:
    """Give the route of /metrics."""

    async def answer() -> Answer:
        return 200, [("Content-Type", CONTENT_TYPE_LATEST), ("Cache-Control", "no-store")], write()

    return _reading(answer)


def openapi(make: Callable[[], object]) -> Route:
    """Give the route of /openapi.json; the description is made at the first request, beside the event loop, and kept."""
    made: asyncio.Future[bytes] | None = None

    async def answer() -> Answer:
        nonlocal made
        if made is None:
            made = asyncio.ensure_future(asyncio.to_thread(lambda: orjson.dumps(make())))
        return 200, [_JSON], await asyncio.shield(made)

    return _reading(answer)


def nothing_else(request: Request) -> Response:
    """Answer a request of oneM2M at the listener that serves none."""
    return Response(RSC.NOT_FOUND, request.rqi, {"m2m:dbg": f"this listener serves {HEALTH} and {METRICS} alone"}, rvi=request.rvi)


def _reading(answer: Callable[[], Awaitable[Answer]]) -> Route:
    async def route(method: str, headers: Mapping[str, str], body: bytes, peer: Peer) -> Answer:
        if method not in ("GET", "HEAD"):
            return 405, [("Allow", "GET, HEAD")], b""
        return await answer()

    return route
