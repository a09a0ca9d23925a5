"""The composition root: the one place where store, resource types, core, driver, courier and bindings meet."""

import asyncio
import gc
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from itertools import count
from random import random
from secrets import token_hex
from socket import gaierror, gethostname
from typing import Any

from bindings import logs, metrics, ops, polling
from bindings.coap.client import CoapSender
from bindings.coap.observe import Observing
from bindings.coap.server import Limits
from bindings.coap.server import serve as serve_coap
from bindings.compat import Compat, Facts, alias_table, tables_of
from bindings.config import Config, address, is_loopback
from bindings.control import PATH, Control
from bindings.courier import Courier
from bindings.credentials import Credentials
from bindings.definitions import DefinitionError
from bindings.definitions import load as load_definitions
from bindings.driver import Driver
from bindings.health import Health
from bindings.http.client import HttpSender
from bindings.http.openapi import document
from bindings.http.server import Extra, HttpListener
from bindings.http.server import serve as serve_http
from bindings.ports import Handler, Listener, Sender
from cse import __version__
from cse.core import CSE
from cse.schema import Definition, ResourceType
from cse.storage import Store, StoreError, StoreRefused, open_store
from resources import (
    access_control_policy,
    ae,
    container,
    content_instance,
    cross_resource_subscription,
    cse_base,
    exec_instance,
    flex_container,
    flex_container_instance,
    group,
    mgmt_cmd,
    mgmt_obj,
    node,
    notification_target_mgmt_policy_ref,
    notification_target_policy,
    policy_deletion_rules,
    polling_channel,
    request,
    schedule,
    subscription,
    time_series,
    time_series_instance,
)

if sys.platform != "win32":
    import resource

log = logging.getLogger(__name__)

TYPES = (
    cse_base.TYPE,
    ae.TYPE,
    access_control_policy.TYPE,
    container.TYPE,
    content_instance.TYPE,
    subscription.TYPE,
    group.TYPE,
    flex_container.TYPE,
    flex_container_instance.TYPE,
    time_series.TYPE,
    time_series_instance.TYPE,
    node.TYPE,
    mgmt_obj.TYPE,
    mgmt_cmd.TYPE,
    exec_instance.TYPE,
    schedule.TYPE,
    request.TYPE,
    polling_channel.TYPE,
    cross_resource_subscription.TYPE,
    notification_target_mgmt_policy_ref.TYPE,
    notification_target_policy.TYPE,
    policy_deletion_rules.TYPE,
)
"""The resource types of this CSE; those that definitions specialise have no specialisations yet."""


def resource_types(definitions: Iterable[Definition]) -> tuple[ResourceType, ...]:
    """Give the resource types of this CSE with the classes of flexContainer that ``definitions`` make."""
    found = tuple(definitions)
    special = {each.TYPE: each.defined(found) for each in (flex_container, flex_container_instance)}
    return tuple(special.get(kind, kind) for kind in TYPES)


class StartError(Exception):
    """The server cannot start; the message says why."""


def configured_types(config: Config) -> tuple[ResourceType, ...]:
    """Give the resource types of this CSE with the classes that are shipped and those of the configuration. Raises StartError naming file, line and key."""
    reserved = flex_container.TYPE.names | flex_container_instance.TYPE.names
    try:
        return resource_types(load_definitions(config.models.flexcontainers, reserved))
    except DefinitionError as error:
        raise StartError(str(error)) from error


def _compat(config: Config, core: CSE) -> Compat:
    """Make the compatibility profile with what it needs to know of the CSE."""
    settings = core.settings
    facts = Facts(
        cse_id=settings.cse_id,
        cse_name=settings.cse_name,
        release=settings.release,
        tables=tables_of(core.registry.forms),
        fresh=core.fresh,
        exists=lambda address: core.resolve(core.reader, address) is not None,
        aliases=alias_table(config.compat.aliases),
    )
    return Compat(config.compat, facts)


class Server:
    """A whole CSE in the running event loop: ``async with Server(config) as server``, or ``start`` and ``stop``.

    Starting raises StoreRefused when the store cannot be had and StartError when an address or a definition cannot; then nothing is left open.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.http: tuple[str, int] | None = None
        self.coap: tuple[str, int] | None = None
        """Where it listens, with the real ports; None when it does not."""
        self.ops: tuple[str, int] | None = None
        """Where it tells operators how it is, when that is a listener of its own."""
        self.leniencies: Mapping[str, int] = {}
        """How often each leniency of the compatibility profile was used."""
        self._parts = AsyncExitStack()
        self._listeners: list[Listener] = []
        self._meter = metrics.Meter()
        self._deadline = 0.0

    @property
    def urls(self) -> tuple[str, ...]:
        """Where it listens, as URLs."""
        return tuple(f"{scheme}://{_host(found[0])}:{found[1]}" for scheme, found in (("http", self.http), ("coap", self.coap)) if found)

    async def __aenter__(self) -> "Server":
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Open the store and listen."""
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Answer the requests under way, let deliveries end, write everything down and close; what has not ended in the grace of the configuration is cut."""
        self._deadline = asyncio.get_running_loop().time() + self.config.running.shutdown_grace
        await self._parts.aclose()

    def _left(self) -> float:
        """Give the seconds of the grace that are left, and always a moment for what is as good as done."""
        return max(self._deadline - asyncio.get_running_loop().time(), 0.1)

    async def _deafen(self) -> None:
        await asyncio.gather(*(listener.close(self._left()) for listener in self._listeners))

    async def _start(self) -> None:
        """Put the parts together; what is opened later is closed earlier."""
        config, parts = self.config, self._parts
        types = configured_types(config)
        store = open_store(config.storage.url, frozenset(kind.ty for kind in types if kind.instance), config.storage.cache)
        parts.callback(store.close)
        credentials = Credentials(config.http.credentials)
        settings = replace(config.settings, authenticated=(*config.settings.authenticated, *credentials.originators))
        refused = {"refused": logs.refused} if config.log.refusals else {}
        core = CSE(store, types, settings, time.time, _fresh(), lambda: driver.busy(), log.warning, **refused)
        core.bootstrap()
        compat = _compat(config, core)
        self.leniencies = compat.counts
        parts.callback(compat.tell)
        driver, courier, channels = self._engine(core, store)
        await courier.load()
        for work in core.resumed():
            driver.begin(work)
        timers = asyncio.create_task(driver.timers())
        parts.push_async_callback(_cancelled, timers)
        parts.push_async_callback(self._deafen)
        parts.push_async_callback(channels.close)
        extra = self._routes(core, store, driver, courier)
        if control := self._control(core, store, driver, courier):
            extra[PATH] = control.answer
        await self._listen(core, driver, credentials, extra, compat)
        if not config.settings.points_of_access:
            core.settings = replace(core.settings, points_of_access=self.urls)

    def _engine(self, core: CSE, store: Store) -> tuple[Driver, Courier, polling.Channels]:
        """Make what runs the core and carries its requests and notifications."""
        config, parts = self.config, self._parts
        web, constrained = HttpSender(response_limit=config.http.body_limit, connections=config.http.connections), CoapSender()
        parts.push_async_callback(web.close)
        parts.push_async_callback(constrained.close)
        senders: dict[str, Sender] = {"http": web, "https": web, "coap": constrained}
        driver = Driver(
            core,
            store,
            senders,
            deliver=lambda notices: courier.offer(notices),
            clock=time.time,
            batch=config.running.batch,
            waiting=config.running.waiting,
            patience=config.running.patience,
            calls=config.running.calls,
            flexible=config.running.flexible,
            unbounded=polling.SCHEMES,
            **self._counting(),
        )
        courier = Courier(
            store,
            route=core.route,
            opens=core.opens,
            rescheduled=core.rescheduled,
            missed=partial(_miss, driver, core),
            send=driver.send,
            settle=driver.settle,
            policy=config.notification,
            release=config.settings.release,
            clock=time.time,
            random=random,
            park=lambda url, target: channels.park(url, target),
            inside=lambda notice, request: None if (steps := core.inside(notice)) is None else driver.run(steps, request),
        )
        channels = polling.Channels(
            store,
            settle=driver.settle,
            recheck=courier.recheck,
            resume=courier.resume,
            opens=core.opens,
            release=config.settings.release,
            patience=config.notification.timeout,
            clock=time.time,
        )
        senders |= dict.fromkeys(polling.SCHEMES, channels)
        parts.push_async_callback(driver.close)
        parts.push_async_callback(lambda: courier.close(self._left()))
        parts.push_async_callback(lambda: driver.drain(self._left()))
        return driver, courier, channels

    async def _listen(self, core: CSE, driver: Driver, credentials: Credentials, extra: Mapping[str, Extra], compat: Compat) -> None:
        config = self.config
        handler: Handler = logs.logged(driver.submit, time.perf_counter) if config.log.requests else driver.submit
        if config.ops.listen and (config.ops.health or config.ops.metrics):
            await self._listen_for_operators(extra)
        reserved = {*config.ops.reserved, PATH}
        if config.http.listen:
            limits = config.http
            try:
                web: Listener = await serve_http(
                    handler,
                    *address(limits.listen),
                    body_limit=limits.body_limit,
                    line_limit=limits.line_limit,
                    field_limit=limits.header_limit,
                    header_count=limits.header_count,
                    clients=limits.clients,
                    idle_timeout=limits.idle_timeout,
                    body_timeout=limits.body_timeout,
                    cors=limits.cors_origins,
                    credentials=credentials,
                    extra={path: route for path, route in extra.items() if path in reserved},
                    lenient=compat.listener(config.compat.http),
                )
            except OSError as error:
                raise StartError(f"HTTP cannot listen at {limits.listen}: {_why(error)}") from error
            self._listeners.append(web)
            self.http = web.address
        if config.coap.listen:
            links = f'</{core.settings.cse_name}>;rt="onem2m.cb";ct="50 60"'.encode()
            bounds = Limits(body=config.coap.body_limit, requests=config.coap.requests, observers=config.coap.observers)
            lenient = compat.listener(config.compat.coap)
            try:
                where, observing = address(config.coap.listen), Observing(core, lambda: driver.write(lambda: None))
                constrained: Listener = await serve_coap(handler, *where, limits=bounds, links=links, lenient=lenient, observing=observing)
            except OSError as error:
                raise StartError(f"CoAP cannot listen at {config.coap.listen}: {_why(error)}") from error
            self._listeners.append(constrained)
            self.coap = constrained.address

    def _counting(self) -> dict[str, Any]:
        """Give who hears of requests and commits, where there are metrics."""
        return {"answered": self._meter.answered, "committed": self._meter.committed} if self.config.ops.metrics else {}

    async def _listen_for_operators(self, extra: Mapping[str, Extra]) -> None:
        listen = self.config.ops.listen
        routes = {path: extra[path] for path in (ops.HEALTH, ops.METRICS) if path in extra}
        try:
            listener = await serve_http(ops.nothing_else, *address(listen), extra=routes)
        except OSError as error:
            raise StartError(f"ops cannot listen at {listen}: {_why(error)}") from error
        self._listeners.append(listener)
        self.ops = listener.address

    def _routes(self, core: CSE, store: Store, driver: Driver, courier: Courier) -> dict[str, Extra]:
        """Make what operators ask."""
        config, found = self.config.ops, dict[str, Extra]()
        settings = self.config.settings
        if config.health:
            health = Health(store, driver.write, core.fresh, config.health_timeout)
            self._parts.push_async_callback(health.close)
            found[ops.HEALTH] = ops.health(health)
        if config.metrics:
            found[ops.METRICS] = ops.metrics(metrics.exposition(self._meter, self._gauges(store, driver, courier)))
        if config.openapi:
            found[ops.OPENAPI] = ops.openapi(
                lambda: document(core.registry.forms, settings.cse_id, settings.cse_name, settings.supported_releases, __version__)
            )
        return found

    def _gauges(self, store: Store, driver: Driver, courier: Courier) -> metrics.Gauges:
        def outbox() -> tuple[int, float]:
            depth, created = store.outbox()
            return depth, max(time.time() - created, 0.0) if depth else 0.0

        return metrics.Gauges(
            info={"version": __version__, "cse_id": self.config.settings.cse_id},
            outbox=outbox,
            notifications=courier.outcomes,
            failing=lambda: courier.failing,
            cache=lambda: (store.hits, store.misses),
            resources=store.count,
            connections=lambda: {"http": sum(listener.open for listener in self._listeners if isinstance(listener, HttpListener))},
            waiting=lambda: driver.queued,
            progress=lambda: driver.progress,
        )

    def _control(self, core: CSE, store: Store, driver: Driver, courier: Courier) -> Control | None:
        config = self.config
        if not config.testing.control:
            return None
        if not (config.http.listen and is_loopback(address(config.http.listen)[0])):
            raise StartError(f"testing.control resets the CSE for anybody: it needs http.listen on loopback, not {config.http.listen!r}")

        def empty() -> None:
            courier.forget()
            store.reset()
            core.bootstrap()

        async def reset() -> None:
            await driver.exclusive(empty)

        return Control(config, core, reset, driver.wake)


def run(config: Config) -> int:
    """Serve until SIGTERM or SIGINT; give the exit code: 0, or 2 when it cannot start, with the reason on standard error."""
    logs.configure(config.log)
    # The commit thread has to take the interpreter back from a busy loop after every fsync; the default of 5 ms would be most of a commit's time.
    sys.setswitchinterval(0.0005)
    _allow_connections()
    try:
        with asyncio.Runner(loop_factory=_loops()) as runner:
            runner.run(_serve(config))
    except (StoreRefused, StartError) as error:
        print(f"cse: {error}", file=sys.stderr)
        return 2
    except StoreError as error:
        print(f"cse: {config.storage.url} cannot be served: {error}; cse check-store may tell more", file=sys.stderr)
        return 2
    return 0


async def _serve(config: Config) -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with Server(config) as server:
        gc.collect()
        gc.freeze()
        print(f"cse {__version__} serves {config.settings.cse_id} at {' '.join(server.urls)}", flush=True)
        if server.ops:
            print(f"cse tells operators at http://{_host(server.ops[0])}:{server.ops[1]}", flush=True)
        await stop.wait()


def _allow_connections() -> None:
    """Take as many file descriptors as the system grants: each connection needs one."""
    if sys.platform != "win32":
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _loops() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Give the factory of the fastest event loop of this platform."""
    if sys.platform == "win32":
        return None
    import uvloop

    return uvloop.new_event_loop


def _fresh() -> Callable[[], str]:
    """Give a source of identifiers that never repeat, not even after a restart."""
    prefix, numbers = token_hex(6), count(1)
    return lambda: f"{prefix}-{next(numbers):x}"


def _host(host: str) -> str:
    """Write a bound address as the host of a URL; one that stands for all interfaces becomes the name of this machine."""
    if host in ("0.0.0.0", "::"):
        return gethostname()
    return f"[{host}]" if ":" in host else host


def _why(error: OSError) -> str:
    """Say what the system says; event loops put sentences of their own around it."""
    return os.strerror(error.errno) if error.errno and not isinstance(error, gaierror) else str(error.strerror or error)


async def _miss(driver: Driver, core: CSE, target: str) -> None:
    """Let the core keep what is wanted of what waits for a target that cannot be reached; what the store refuses is tried again the next time."""
    try:
        await driver.write(lambda: core.miss(target))
    except StoreError as error:
        log.warning("what waits for %s could not be reduced: %s", target, error)


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
