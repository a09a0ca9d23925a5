"""Sends what the core asks others: at the same time, under a deadline, and always with an answer."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence

from bindings.ports import Sender
from cse.codes import ResponseStatusCode as RSC
from cse.errors import CSEError, RequestTimeout, TargetNotReachable
from cse.primitives import INSIDE, Call, Request, Response
from cse.storage import StoreError

log = logging.getLogger(__name__)


_QUIET = 60.0
"""Seconds for which the log is not told again that the store fails requests."""


class Calls:
    """Requests on their way to others, at most ``most`` at the same time.

    senders: the client of each URL scheme. inside: answers what this CSE hosts itself. unbounded: schemes of senders inside this process, whose requests are
    not counted and which keep the time themselves.
    """

    def __init__(
        self, senders: Mapping[str, Sender], inside: Callable[[Request], Response | asyncio.Future[Response]], most: int, unbounded: frozenset[str]
    ) -> None:
        self._senders = senders
        self._inside = inside
        self._places = asyncio.Semaphore(most)
        self._unbounded = unbounded
        self._loop = asyncio.get_running_loop()
        self._told = -_QUIET
        """When the log was last told that the store has failed a request."""

    async def ask(self, calls: Sequence[Call], deadline: float) -> tuple[Response, ...]:
        """Send calls at the same time; give their answers in order. ``deadline`` is a time of the loop."""
        if len(calls) == 1:
            return (await self._bounded(calls[0], deadline),)
        return tuple(await asyncio.gather(*(self._bounded(call, deadline) for call in calls)))

    async def _bounded(self, call: Call, deadline: float) -> Response:
        if call.urls and (scheme := call.urls[0].partition(":")[0]) in self._unbounded:
            try:
                return await self._senders[scheme].send(call.urls[0], call.request, deadline - self._loop.time())
            except Exception as error:
                return self.failed(call.request, error)
        if call.urls[:1] == (INSIDE,):  # what is handled inside may ask in turn, and must not wait for those that wait for it
            return await self.send(call, deadline - self._loop.time())
        try:
            async with asyncio.timeout_at(deadline):
                await self._places.acquire()
        except TimeoutError:
            return refusal(call.request, RequestTimeout(f"{call.request.to} was not asked in time"))
        try:
            return await self.send(call, deadline - self._loop.time())
        finally:
            self._places.release()

    async def send(self, call: Call, seconds: float) -> Response:
        """Send a request to the first of its URLs that can be reached. Never raises: every failure is a Response (5103, 4008)."""
        request, reasons = call.request, list[str]()
        deadline = self._loop.time() + seconds
        try:
            async with asyncio.timeout_at(deadline):
                for url in call.urls:
                    if url == INSIDE:
                        answer = self._inside(request)
                        return answer if isinstance(answer, Response) else await answer
                    sender = self._senders.get(url.partition(":")[0].lower())
                    if sender is None:
                        reasons.append(f"{url}: no client for this scheme")
                        continue
                    try:
                        return await sender.send(url, request, max(deadline - self._loop.time(), 0.001))
                    except (RequestTimeout, TimeoutError):
                        raise TimeoutError from None
                    except CSEError as error:
                        reasons.append(f"{url}: {error}")
                    except Exception:
                        log.exception("sending to %s failed", url)
                        reasons.append(f"{url}: cannot be sent to")
        except TimeoutError:
            return refusal(request, RequestTimeout(f"{request.to} did not answer in time"))
        why = "; ".join(reasons) or "it has no point of access"
        return refusal(request, TargetNotReachable(f"{request.to} cannot be reached: {why}"))

    def failed(self, request: Request, error: Exception) -> Response:
        """Give the answer to a request that failed on its way, before any commit: of a store that cannot be read nobody else would tell the log."""
        if isinstance(error, StoreError) and self._loop.time() - self._told >= _QUIET:
            self._told = self._loop.time()
            log.error("%s %s failed, others within %d s are not told: %s", request.op.name, request.to, _QUIET, error)
        return refusal(request, error)


def refusal(request: Request, error: Exception) -> Response:
    """Give the answer to a request that failed; what is not meant for its originator goes to the log alone."""
    if isinstance(error, CSEError):
        code, text = error.code, str(error)
    elif isinstance(error, StoreError):
        code, text = RSC.INTERNAL_SERVER_ERROR, f"the store refused the change: {error}"
    else:
        code, text = RSC.INTERNAL_SERVER_ERROR, "the CSE failed to serve this request; its log says why"
        log.error("%s %s of %s failed", request.op.name, request.to, request.fr, exc_info=error)
    return Response(code, request.rqi, {"m2m:dbg": text}, rvi=request.rvi)
