"""Logging: lines of text or of JSON on standard error, and one line for each request where that is wanted."""

import asyncio
import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime

from bindings.config import Log
from bindings.ports import Handler
from cse.primitives import Request, Response

log = logging.getLogger(__name__)

_CONTROL = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))}
"""Control characters in what others sent must not make lines of their own, nor steer a terminal."""


_LONGEST = 4096
"""Characters of one message, or one field of it: what others sent must not fill the disk with a few lines."""


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} ... and {len(text) - _LONGEST} characters more"


class Text(logging.Formatter):
    """One readable line a record, and the trace below it."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:
        return _cut(super().formatMessage(record)).translate(_CONTROL)


class Json(logging.Formatter):
    """One JSON object a record."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _cut(record.getMessage()),
            **{name: _cut(value) if isinstance(value, str) else value for name, value in getattr(record, "fields", {}).items()},
        }
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def configure(options: Log) -> None:
    """Set up the logging of this process."""
    handler = logging.StreamHandler()
    handler.setFormatter(Json() if options.format == "json" else Text())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(options.level.upper())
    logging.getLogger("bindings.courier").setLevel(logging.NOTSET if options.deliveries else max(logging.WARNING, root.level))
    logging.getLogger("asyncio").setLevel(max(logging.WARNING, root.level))


def refused(request: Request, path: str) -> None:
    """Write one line for a request whose originator had no privilege."""
    fields = {"refused": path, "op": request.op.name, "ty": request.ty, "fr": request.fr, "rqi": request.rqi}
    log.warning("refused %s: %s of resource type %s by %s in %s", *fields.values(), extra={"fields": fields})


def logged(handler: Handler, clock: Callable[[], float]) -> Handler:
    """Give a handler that writes one line for each answer; ``clock`` counts seconds."""

    def tell(request: Request, response: Response, started: float) -> None:
        spent = round((clock() - started) * 1000, 2)
        fields = {"op": request.op.name, "to": request.to, "fr": request.fr, "rsc": int(response.rsc), "ms": spent}
        log.info("%s %s from %s: %d in %.2f ms", *fields.values(), extra={"fields": fields})

    def answer(request: Request) -> Response | asyncio.Future[Response]:
        started = clock()
        found = handler(request)
        if isinstance(found, Response):
            tell(request, found, started)
            return found
        future = asyncio.ensure_future(found)
        future.add_done_callback(lambda done: None if done.cancelled() or done.exception() else tell(request, done.result(), started))
        return future

    return answer
