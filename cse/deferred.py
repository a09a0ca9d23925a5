"""Non-blocking communication: a request is acknowledged, carried out beside the others, and its result kept or sent (TS-0004 7.3.2.2-7.3.2.5, 7.4.12)."""

from collections.abc import Generator
from functools import partial
from typing import Any

from msgspec.structs import replace

from cse.codes import Operation, RequestStatus, ResourceTypeID, ResponseType
from cse.codes import ResponseStatusCode as RSC
from cse.criteria import listed
from cse.datatypes import seconds_of, timestamp
from cse.errors import BadRequest, InternalServerError, RequestTimeout
from cse.primitives import Ask, Effect, Notice, Pause, Peer, Request, Response, Steps, Turn, Work, request_from_dict, request_to_dict, response_to_dict
from cse.record import Record
from cse.schema import Change, Host
from cse.storage.contract import Reader
from cse.structures import META_INFORMATION

_ACKNOWLEDGED = {
    ResponseType.NON_BLOCKING_REQUEST_SYNCH: RSC.ACCEPTED_FOR_NONBLOCKINGREQUESTSYNCH,
    ResponseType.NON_BLOCKING_REQUEST_ASYNCH: RSC.ACCEPTED_FOR_NONBLOCKINGREQUESTASYNCH,
    ResponseType.NO_RESPONSE: RSC.ACCEPTED,
}
_OF_REQUEST = {"op": "op", "to": "tg", "fr": "org", "rqi": "rid", "pc": "pc"}
"""Parameters that are attributes of a <request>; all others are in its metaInformation."""

_RESULT = ("rsc", "rqi", "pc", "to", "fr", "ot", "rset", "ec", "cnst", "cnot")
"""Members of operationResult (TS-0004 6.3.5.32)."""

_REQUESTS = frozenset({int(ResourceTypeID.REQUEST)})
_UNDER_WAY = frozenset({RequestStatus.PENDING, RequestStatus.FORWARDED})
_LONGEST_PAUSE = 3600.0
"""Clocks are set: what waits long looks again from time to time."""


def mode_of(host: Host, request: Request) -> ResponseType:
    """Choose how a request is answered: as its response type says, a flexBlocking one by target and load. Raises BadRequest (TS-0004 7.4.12)."""
    kind = request.rt or {}
    try:
        mode = ResponseType(kind.get("rtv", ResponseType.BLOCKING_REQUEST))
    except ValueError:
        raise BadRequest(f"there is no response type {kind['rtv']}") from None
    if "nu" in kind and mode not in (ResponseType.NON_BLOCKING_REQUEST_ASYNCH, ResponseType.FLEX_BLOCKING):
        raise BadRequest(f"notification targets (nu of rt) do not go with response type {int(mode)}")
    if mode in (ResponseType.BLOCKING_REQUEST, ResponseType.NO_RESPONSE):
        return mode
    target = None if host.remote(request.to) else host.resolve(host.reader, request.to)
    if target is not None and target.ty == ResourceTypeID.REQUEST and request.op != Operation.NOTIFY:
        if mode != ResponseType.FLEX_BLOCKING:
            raise BadRequest(f"{request.to} is a request itself: it is only served blocking, not with response type {int(mode)}")
        return ResponseType.BLOCKING_REQUEST
    if mode != ResponseType.FLEX_BLOCKING:
        return mode
    slow = _spreads(host, request.to) or (request.op == Operation.NOTIFY and target is not None and "channel" in target.state)
    if not slow and not host.busy():
        return ResponseType.BLOCKING_REQUEST
    return ResponseType.NON_BLOCKING_REQUEST_ASYNCH if "nu" in kind else ResponseType.NON_BLOCKING_REQUEST_SYNCH


def wait(host: Host, request: Request) -> Steps:
    """Let the operation execution time of a blocking request come. Raises RequestTimeout when the request does not live so long."""
    start = _start(request)
    if start > host.now() + host.remaining(request):
        raise RequestTimeout(f"the request is to be executed at {request.oet}, when it has expired; a non-blocking one may wait")
    while (pause := start - host.now()) > 0:
        yield Pause(min(pause, _LONGEST_PAUSE))
    return Response(RSC.OK)


def accept(host: Host, request: Request, mode: ResponseType) -> Steps:
    """Keep a request durably as a <request> and acknowledge it with its address. Raises InternalServerError when too many are under way."""
    if host.deferred >= host.settings.deferred_requests:
        raise InternalServerError(f"{host.deferred} non-blocking requests are under way, try again later")
    yield Turn.WRITE
    with host.write(request) as change:
        base = host.settings.cse_id.removeprefix("/")
        parent = change.transaction.get(base)
        assert parent is not None, "a CSE has a CSEBase"
        record = _kept(change, request, parent)
        change.insert(record, parent)
        change.begin(partial(_run, host, record.ri))
    uri = None if mode == ResponseType.NO_RESPONSE else {"m2m:uri": record.ri}
    return Response(_ACKNOWLEDGED[mode], request.rqi, uri, rvi=request.rvi)


def resumed(host: Host, reader: Reader) -> list[Work]:
    """Give the work that an earlier process has accepted and not ended."""
    base = host.settings.cse_id.removeprefix("/")
    return [partial(_run, host, record.ri) for record in reader.children(base, _REQUESTS) if record.attributes["rs"] in _UNDER_WAY]


def _start(request: Request) -> float:
    return 0.0 if request.oet is None else seconds_of(str(request.oet))


def _spreads(host: Host, to: str) -> bool:
    """Tell whether a request concerns other CSEs, or may: it is for one of them or for the members of a group."""
    return host.remote(to) or "/fopt" in to


def _meta(found: dict[str, Any]) -> dict[str, Any]:
    """Give the metaInformation of a <request>, which has no place for a primitive profile. Raises BadRequest naming a parameter that is not well formed."""
    found.pop("ppi", None)
    try:
        META_INFORMATION.check(found)
    except ValueError as error:
        raise BadRequest(f"the parameters of the request are not valid: {error}") from error
    return found


def _kept(change: Change, request: Request, parent: Record) -> Record:
    ri = change.transaction.identify("req", parent.ri, ResourceTypeID.REQUEST)
    found = request_to_dict(request)
    if "fc" in found:
        found["fc"] = listed(found["fc"])
    originator = request.fr or ""
    until = timestamp(_end(change.host, request, change.seconds))
    attributes = {"ty": int(ResourceTypeID.REQUEST), "ri": ri, "rn": ri, "pi": parent.ri, "ct": change.time, "lt": change.time, "et": until}
    attributes |= {"lbl": [originator]} if originator else {}
    attributes |= {"org": originator, **{name: found[short] for short, name in _OF_REQUEST.items() if short in found}}
    attributes |= {"mi": _meta({name: value for name, value in found.items() if name not in _OF_REQUEST})}
    attributes |= {"rs": int(RequestStatus.PENDING), "ors": {"rsc": int(RSC.ACCEPTED), "rqi": request.rqi}}
    peer = {"address": request.peer.address, "identity": request.peer.identity, "listener": request.peer.listener}
    return Record(ResourceTypeID.REQUEST, ri, parent.ri, ri, f"{parent.path}/{ri}", attributes, originator, {"peer": peer})


def _end(host: Host, request: Request, now: float) -> float:
    """Choose when a <request> goes: with its result, as long after its execution as is wished, or as this CSE keeps results."""
    most = now + host.settings.max_expiration
    if request.rset is not None:
        return min(seconds_of(str(request.rset)), most)
    last = max(now, _start(request), 0.0 if request.rqet is None else seconds_of(str(request.rqet)))
    if isinstance(request.rp, int):
        return min(last + request.rp / 1000, most)
    return min(last + host.settings.result_lifetime if request.rp is None else max(last, seconds_of(request.rp)), most)


def _stored(record: Record) -> Request:
    """Give the request as it was accepted."""
    attributes = record.attributes
    found = request_from_dict({**attributes["mi"], **{short: attributes[name] for short, name in _OF_REQUEST.items() if name in attributes}})
    return replace(found, fr=found.fr or None, peer=Peer(**record.state["peer"]))


def _run(host: Host, ri: str) -> Steps:
    """Carry out an accepted request when its time has come; what it changes here and its result become durable together."""
    record = host.reader.get(ri)
    if record is None:
        return Response(RSC.NOT_FOUND)
    request = _stored(record)
    host.deferred += 1
    try:
        if record.attributes["rs"] == RequestStatus.FORWARDED and request.op != Operation.RETRIEVE:
            told = _refused(request, RSC.TARGET_NOT_REACHABLE, "this CSE was restarted before the answer came, so whether it was carried out is not known")
        else:
            while (pause := _start(request) - host.now()) > 0:
                yield Pause(min(pause, _LONGEST_PAUSE))
            if host.reader.get(ri) is None:
                return Response(RSC.NOT_FOUND)
            try:
                told = yield from _carried_out(host, ri, request, record.attributes["et"])
            except Exception:  # nobody would ever be told otherwise
                told = _refused(request, RSC.INTERNAL_SERVER_ERROR, "it failed inside this CSE, whose log tells why")
                yield from _concluded(host, ri, request, told)
                raise
        yield from _concluded(host, ri, request, told)
    finally:
        host.deferred -= 1
    return told


def _refused(request: Request, rsc: RSC, why: str) -> Response:
    return Response(rsc, request.rqi, {"m2m:dbg": why}, rvi=request.rvi)


def _carried_out(host: Host, ri: str, request: Request, until: str) -> Steps:
    """Serve a request as a blocking one. Before it leaves this CSE it is noted as forwarded: from then on it cannot be recalled, nor done again."""
    steps = host.handle(replace(request, rt=None, rp=None, oet=None, rset=None, rqet=request.rqet or until), accepted=True)
    told: tuple[Response, ...] = ()
    noted = not _spreads(host, request.to)
    try:
        while True:
            try:
                effect = steps.send(told or None)  # type: ignore[arg-type]
            except StopIteration as end:
                found: Response = end.value
                return found
            if isinstance(effect, Ask) and not noted:
                noted = True
                yield Turn.WRITE
                with host.write(request) as change:
                    _note(change, ri, {"rs": int(RequestStatus.FORWARDED)})
            told = yield effect
    finally:
        steps.close()


def _note(change: Change, ri: str, modified: dict[str, Any]) -> Record | None:
    record = change.transaction.get(ri)
    if record is None:
        return None
    modified = {**modified, "lt": change.time}
    noted = record.with_attributes(modified)
    change.replace(noted, modified)
    return noted


def _concluded(host: Host, ri: str, request: Request, told: Response) -> Generator[Effect, tuple[Response, ...], None]:
    yield Turn.WRITE
    with host.write(request) as change:
        _conclude(change, ri, request, told)


def _conclude(change: Change, ri: str, request: Request, told: Response) -> None:
    """Keep the result and send it to whom the request names (TS-0004 7.3.2.4); a <request> that was deleted or has expired has none.

    What has a Result Expiration Timestamp is sent in the name of its <request>, with whose end it is dropped.
    """
    settings = change.host.settings
    told = replace(told, rqi=request.rqi, to=told.to or request.fr, fr=told.fr or settings.cse_id)
    result = {name: value for name, value in response_to_dict(told).items() if name in _RESULT}
    status = RequestStatus.COMPLETED if told.ok else RequestStatus.FAILED
    record = _note(change, ri, {"rs": int(status), "ors": result})
    if record is None:
        return
    kind = request.rt or {}
    registered = told.pc.get("m2m:ae", {}).get("aei") if request.ty == ResourceTypeID.AE and told.ok and isinstance(told.pc, dict) else None
    if kind.get("rtv") == ResponseType.NO_RESPONSE:
        change.remove(record)
    elif registered:
        change.replace(replace(record, originator=registered))
    if "nu" in kind or kind.get("rtv") == ResponseType.NON_BLOCKING_REQUEST_ASYNCH:
        content, ends = {"m2m:rsp": response_to_dict(told)}, record.ri if request.rset is not None else ""
        for target in dict.fromkeys(kind.get("nu", [registered or request.fr] if registered or request.fr else [])):
            change.transaction.enqueue(Notice(target, change.host.fresh(), settings.cse_id, content, ends, created=change.seconds))
