"""What waits in polling channels until its entity fetches and answers it (TS-0001 10.2.5.14, TS-0004 7.4.21, 7.4.22)."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence, Set
from typing import Any

from cse.codes import Operation
from cse.codes import ResponseStatusCode as RSC
from cse.errors import BadRequest, CSEError, NotFound, RequestTimeout, TargetNotReachable
from cse.primitives import CHANNEL, POLL, Notice, Request, Response, refused, request_to_dict, response_from_dict
from cse.storage import Reader

log = logging.getLogger(__name__)

SCHEMES = frozenset({CHANNEL, POLL})
"""Schemes of the URLs that lead to polling channels."""

Outcomes = Sequence[tuple[Notice, bool]]


class _Waiting:
    """A request that somebody waits for. ``until``: it was fetched, and is not given out again before this time of the loop."""

    __slots__ = ("answer", "request", "until")

    def __init__(self, request: Request, answer: asyncio.Future[Response]) -> None:
        self.request = request
        self.answer = answer
        self.until = 0.0


class _Channel:
    """``targets``: under which names notices wait for it in the outbox. ``fetched``: those that were given out, with the time until they are again."""

    __slots__ = ("fetched", "pollers", "requests", "targets")

    def __init__(self) -> None:
        self.requests: dict[str, _Waiting] = {}
        self.targets: dict[str, None] = {}
        self.fetched: dict[str, tuple[Notice, float]] = {}
        self.pollers: list[asyncio.Future[None]] = []

    def wake(self) -> None:
        """Let the newest of those that poll look again: an older one may have gone without a word."""
        while self.pollers:
            poller = self.pollers.pop()
            if not poller.done():
                poller.set_result(None)
                return


class Channels:
    """The polling channels of this CSE, as a Sender for the schemes of SCHEMES.

    Notices stay in the outbox until their entity has answered them; requests that somebody waits for are held here as long as he does. What was fetched and
    not answered within ``patience`` seconds is given out again, under the same request identifier. Of the notices for one target only the oldest are out.
    settle: takes outcomes out of the outbox, False when it could not. release: the release version of notifications. clock: seconds since the epoch.
    recheck: called with a URL before a poller has to wait, for notices that wait elsewhere though their target is reached there by now.
    resume: called with a target whose channel is no more, or that is closed by its schedule. opens: when it can be reached by that, 0.0 when it can now.
    """

    def __init__(
        self,
        reader: Reader,
        *,
        settle: Callable[[Outcomes], Awaitable[bool]],
        recheck: Callable[[str], None],
        resume: Callable[[str], None],
        opens: Callable[[str], float],
        release: str,
        patience: float,
        clock: Callable[[], float],
    ) -> None:
        self._reader = reader
        self._settle = settle
        self._recheck = recheck
        self._resume = resume
        self._opens = opens
        self._release = release
        self._patience = patience
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._channels: dict[str, _Channel] = {}
        self._closing = False

    def park(self, url: str, target: str) -> None:
        """Have the notices for a target wait for those who poll a channel."""
        channel = self._channel(url.split(":")[1])
        channel.targets[target] = None
        channel.wake()

    async def send(self, url: str, request: Request, timeout: float) -> Response:  # noqa: ASYNC109 - the port says so
        """Put a request into a channel and give its answer, or fetch from it; a failure is an answer too, since it is of this CSE."""
        try:
            return await self._send(url, request, timeout)
        except CSEError as error:
            return Response(error.code, request.rqi, {"m2m:dbg": str(error)})

    async def _send(self, url: str, request: Request, seconds: float) -> Response:
        scheme, ri, *most = url.split(":")
        channel = self._channel(ri)
        if scheme == CHANNEL:
            return await self._ask(channel, request, seconds)
        if request.op is Operation.RETRIEVE:
            return await self._fetch(channel, f"{CHANNEL}:{ri}", int(most[0]), request, seconds)
        if request.op is Operation.NOTIFY:
            return await self._answer(channel, request)
        self._remove(ri)
        return Response(RSC.DELETED, request.rqi)

    async def close(self) -> None:
        """Let nobody wait any longer."""
        self._closing = True
        for channel in self._channels.values():
            while channel.pollers:
                channel.wake()

    def _channel(self, ri: str) -> _Channel:
        return self._channels.setdefault(ri, _Channel())

    def _remove(self, ri: str) -> None:
        channel = self._channels.pop(ri, _Channel())
        for waiting in channel.requests.values():
            if not waiting.answer.done():
                waiting.answer.set_exception(TargetNotReachable(f"the polling channel of {waiting.request.to} was deleted"))
        for poller in channel.pollers:
            if not poller.done():
                poller.set_exception(NotFound("the polling channel was deleted"))
        for target in channel.targets:
            self._resume(target)

    async def _ask(self, channel: _Channel, request: Request, seconds: float) -> Response:
        waiting = _Waiting(request, self._loop.create_future())
        channel.requests[request.rqi or ""] = waiting
        channel.wake()
        try:
            async with asyncio.timeout(seconds):
                return await waiting.answer
        except TimeoutError as error:
            fetched = "has not answered it" if waiting.until else "has not fetched it"
            raise RequestTimeout(f"{request.to} {fetched} from its polling channel in time") from error
        finally:
            del channel.requests[request.rqi or ""]

    async def _fetch(self, channel: _Channel, url: str, most: int, request: Request, seconds: float) -> Response:
        """Give what waits as soon as something does: one request, or several of them aggregated."""
        deadline = self._loop.time() + seconds
        while True:
            found = self._take(channel, most)
            if not found:
                self._recheck(url)
                found = self._take(channel, most)
            if found:
                pc: dict[str, Any] = {"m2m:rqp": found[0]} if len(found) == 1 else {"m2m:agrp": {"m2m:rqp": found}}
                return Response(RSC.OK, request.rqi, pc)
            if self._closing or self._loop.time() >= deadline:
                raise RequestTimeout("no request has come in time")
            poller = self._loop.create_future()
            channel.pollers.append(poller)
            try:
                async with asyncio.timeout_at(min(deadline, self._again(channel))):
                    await poller
            except TimeoutError:
                pass
            finally:
                if poller in channel.pollers:
                    channel.pollers.remove(poller)

    def _again(self, channel: _Channel) -> float:
        """Give the time of the loop at which something fetched may be given out again."""
        now = self._loop.time()
        times = [waiting.until for waiting in channel.requests.values()] + [until for _, until in channel.fetched.values()]
        return min((until for until in times if until > now), default=now + 3600.0)

    def _take(self, channel: _Channel, most: int) -> list[dict[str, Any]]:
        """Give out up to ``most`` requests: those that somebody waits for first, then notices in the order of their events."""
        now = self._loop.time()
        found: list[dict[str, Any]] = []
        for waiting in channel.requests.values():
            if len(found) < most and waiting.until <= now and not waiting.answer.done():
                waiting.until = now + self._patience
                found.append(request_to_dict(waiting.request))
        channel.fetched = {rqi: (notice, until) for rqi, (notice, until) in channel.fetched.items() if until > now}
        out = {notice.target for notice, _ in channel.fetched.values()}
        if len(found) < most:
            notices = [notice for target in list(channel.targets) if target not in out for notice in self._waiting(channel, target, most)]
            for notice in sorted(notices, key=lambda each: each.id)[: most - len(found)]:
                channel.fetched[notice.rqi] = notice, now + self._patience
                found.append(request_to_dict(self._request(notice)))
        return found

    def _waiting(self, channel: _Channel, target: str, most: int) -> list[Notice]:
        """Give the oldest notices for a target; one that is closed by its schedule, or has none, is not cared for here any longer."""
        if self._opens(target) > self._clock():
            del channel.targets[target]
            self._resume(target)
            return []
        stored = self._reader.notices(0, most, target=target)
        if not stored:
            del channel.targets[target]
        return [notice for notice in stored if notice.due <= self._clock()]

    def _request(self, notice: Notice) -> Request:
        return Request(Operation.NOTIFY, notice.target, notice.fr, notice.rqi, self._release, pc=notice.content, ec=notice.ec)

    async def _answer(self, channel: _Channel, request: Request) -> Response:
        """Match what an entity answers with what it has fetched. Raises BadRequest, and then takes nothing, when it answers what nobody has asked."""
        answers = [_response(each) for each in _listed(request.pc)]
        fetched = self._fetched(channel, {told.rqi or "" for told in answers} - channel.requests.keys())
        notices = [fetched.get(told.rqi or "") for told in answers]
        for told, notice in zip(answers, notices, strict=True):
            if notice is None and told.rqi not in channel.requests:
                raise BadRequest(f"no request with the identifier {told.rqi!r} waits for an answer in this polling channel")
        outcomes: list[tuple[Notice, bool]] = []
        for told, notice in zip(answers, notices, strict=True):
            if notice is None:
                answer = channel.requests[told.rqi or ""].answer
                if not answer.done():
                    answer.set_result(told)
            elif told.ok or refused(told):
                outcomes.append((notice, True))
                if not told.ok:
                    log.warning("gave up notifying %s for %s: it answered %d", notice.target, notice.subscription or "no subscription", told.rsc)
            else:
                channel.fetched.pop(notice.rqi, None)
        if outcomes and await self._settle(outcomes):
            for notice, _ in outcomes:
                channel.fetched.pop(notice.rqi, None)
        channel.wake()
        return Response(RSC.OK, request.rqi)

    def _fetched(self, channel: _Channel, identifiers: Set[str]) -> dict[str, Notice]:
        """Give the notices of request identifiers; what was fetched before a restart, or is to be given out again, is still in the outbox."""
        found = {rqi: channel.fetched[rqi][0] for rqi in identifiers & channel.fetched.keys()}
        if len(found) < len(identifiers):  # the outbox may be long: it is read once for all of them
            stored = (notice for target in channel.targets for notice in self._reader.notices(0, target=target))
            found = {notice.rqi: notice for notice in stored if notice.rqi in identifiers} | found
        return found


def _listed(pc: Mapping[str, Any]) -> Iterator[Any]:
    """Give the responses of a NOTIFY to a channel: one, or several of them aggregated."""
    if "m2m:rsp" in pc:
        yield pc["m2m:rsp"]
        return
    inner = pc["m2m:agr"].get("m2m:rsp") if isinstance(pc["m2m:agr"], Mapping) else None
    if not isinstance(inner, list) or not inner:
        raise BadRequest("m2m:agr holds no list of responses (m2m:rsp)")
    yield from inner


def _response(found: Any) -> Response:
    try:
        told = response_from_dict(found)
    except ValueError as error:
        raise BadRequest(str(error)) from error
    if not told.rqi:
        raise BadRequest("m2m:rsp has no request identifier (rqi)")
    return told
