"""Requests and responses of oneM2M to and from CoAP methods, options and payloads (TS-0008 6). Pure: no sockets, no time."""

import re
from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any, NamedTuple
from urllib.parse import unquote_to_bytes, urlsplit

from bindings import query
from bindings.coap import options as numbers
from bindings.coap.message import Answer, Code, uint
from bindings.coap.options import ACCEPT, CONTENT_FORMAT, LOCATION_PATH, MAX_AGE, URI_PATH, URI_QUERY, Found
from bindings.serialization import Media, decode, encode
from cse.codes import Operation, ResponseType
from cse.codes import ResponseStatusCode as RSC
from cse.errors import BadRequest, CSEError, NotAcceptable, OperationNotAllowed, TargetNotReachable, UnsupportedMediaType
from cse.primitives import Peer, Request, Response

MEDIA: Mapping[int, Media] = dict.fromkeys((50, 10001, 10003, 10007, 10009, 10015), Media.JSON) | dict.fromkeys((60, *range(10010, 10014)), Media.CBOR)
"""Content-Formats that are served. 10001 is vnd.onem2m-res+json here, as TS-0008 has it; IANA gave the number to OSCORE, which never comes here unwrapped."""
FORMATS: Mapping[Media, int] = {Media.JSON: 50, Media.CBOR: 60}

METHODS: Mapping[int, Operation] = {
    Code.GET: Operation.RETRIEVE, Code.POST: Operation.CREATE, Code.PUT: Operation.UPDATE, Code.DELETE: Operation.DELETE
}  # fmt: skip
_OPERATIONS: Mapping[Operation, Code] = {operation: Code(code) for code, operation in METHODS.items()} | {Operation.NOTIFY: Code.POST}

_CODES: Mapping[Code, frozenset[int]] = {
    Code.CREATED: frozenset({1001, 1002, 2001}),
    Code.DELETED: frozenset({2002}),
    Code.CHANGED: frozenset({1000, 2004}),
    Code.CONTENT: frozenset({2000}),
    Code.BAD_OPTION: frozenset({4120, 4122}),
    Code.FORBIDDEN: frozenset(
        {4101, 4103, 4105, 4106, 4107, 4108, 4109, *range(4111, 4118), 4126, 4127, 4128, 4135, 4136, 4138, 4139, 4140, 4141}
        | {5105, 5203, 5205, 5208, 5214, 5215, 5218, 5222, 6034}
    ),
    Code.NOT_FOUND: frozenset({4004, 4118, 4119, 4121, 4130, 4132, 5103, 5107, 6003, 6005}),
    Code.METHOD_NOT_ALLOWED: frozenset({4005}),
    Code.NOT_ACCEPTABLE: frozenset({5207}),
    Code.UNSUPPORTED_CONTENT_FORMAT: frozenset({4015}),
    Code.INTERNAL_SERVER_ERROR: frozenset({5000, 5204, 5209, 5210, 5211, 5212, 5216, 5217, 5221, 5230, 5231, 5232, 6020, 6021, 6025, 6026}),
    Code.NOT_IMPLEMENTED: frozenset({4001, 4125, 5001, 5206}),
    Code.SERVICE_UNAVAILABLE: frozenset({6033}),
    Code.GATEWAY_TIMEOUT: frozenset({4008, 6030, 6031}),
}
CODES: Mapping[int, Code] = dict.fromkeys(RSC, Code.BAD_REQUEST) | {rsc: code for code, found in _CODES.items() for rsc in found}
"""CoAP code of every response status code (TS-0008 6.2.4); 4.00 is that of most."""
_GUESSES: Mapping[int, RSC] = {
    Code.FORBIDDEN: RSC.ORIGINATOR_HAS_NO_PRIVILEGE, Code.NOT_FOUND: RSC.NOT_FOUND, Code.METHOD_NOT_ALLOWED: RSC.OPERATION_NOT_ALLOWED,
    Code.NOT_ACCEPTABLE: RSC.NOT_ACCEPTABLE, Code.UNSUPPORTED_CONTENT_FORMAT: RSC.UNSUPPORTED_MEDIA_TYPE,
    Code.NOT_IMPLEMENTED: RSC.NOT_IMPLEMENTED, Code.GATEWAY_TIMEOUT: RSC.REQUEST_TIMEOUT,
}  # fmt: skip
"""Response status code of an answer that names none."""

_TIMES = frozenset({"rqet", "rset", "oet"})
_MORE = ("aus", "omr", "ppi", "msu")
_LISTS = frozenset({"aus", "omr"})
_ELSEWHERE = frozenset({*_MORE, "rsc", "cnot", "cnst", "ati", "asri"})
"""Options that are no fields of a Request: parameters in ``more``, and options of answers, which say nothing in a request."""
_RARE = _TIMES | _ELSEWHERE | {"nu", "grtm"}
_ANSWER = frozenset({"rqi", "fr", "rvi", "ot", "ec", "rset", "cnst", "cnot", "vsi"})
_PREFIXES = {"~": "/", "_": "//"}
_OPS = frozenset(str(int(each)) for each in Operation)
_ASKED: Mapping[bytes, Operation] = {b"op=%d" % each: each for each in Operation}
_UNFIT = re.compile(r"[\x00-\x1f\x7f]|//|^/").search


class BadOption(BadRequest):
    """A critical option that is not understood, too long, or there too often: 4.02 (RFC 7252 5.4.1)."""


class Reply(NamedTuple):
    """What an answer needs of its request: the numbering, the serialisation and its format number, request identifier, release version, and what was asked."""

    numbers: Mapping[str, int]
    media: Media
    content_format: int
    rqi: str | None
    rvi: str | None
    operation: Operation


def reply(code: int, found: Found) -> Reply:
    """Say how to answer a message, be it a good request or not: in its numbering, in the format that it accepts or has itself, JSON in doubt."""
    accept = found.accept if found.accept in MEDIA else None
    media = MEDIA[accept] if accept is not None else MEDIA.get(found.content_format or 0, Media.JSON)
    operation = METHODS.get(code, Operation.RETRIEVE)
    if operation is Operation.CREATE:
        usual = Operation.CREATE if "ty" in found.parameters else Operation.NOTIFY
        operation = next((_ASKED[part] for part in found.query if part in _ASKED), usual)
    rqi, rvi = (found.parameters.get(name, b"").decode(errors="ignore") or None for name in ("rqi", "rvi"))
    return Reply(found.numbers, media, accept or FORMATS[media], rqi, rvi, operation)


def request(code: int, found: Found, payload: bytes, peer: Peer) -> Request:
    """Read a request. Raises CSEError: BadOption and BadRequest name the option, query or segment; UnsupportedMediaType and NotAcceptable the format."""
    if found.refused is not None:
        raise BadOption(f"the option {numbers.named(found.refused)} is critical and not understood, too long, or there more than once")
    if code not in METHODS:
        raise OperationNotAllowed(f"no oneM2M operation has the CoAP method 0.{code:02}")
    if found.accept is not None and found.accept not in MEDIA:
        raise NotAcceptable(f"the content format {found.accept} of Accept is not served; use 50 (JSON) or 60 (CBOR)")
    given = numbers.values(found.parameters)
    asked = _query(found.query) if found.query else {}
    op = _operation(code, given, asked.pop("op", None))
    if not _RARE.isdisjoint(given):
        _sort_rare(given, asked)
    pc = asked.pop("pc", None)
    if pc is not None and (op is not Operation.RETRIEVE or payload):
        raise BadRequest("the query parameter atrl goes with RETRIEVE without a payload only")
    if payload:
        pc = _content(found, payload)
    return Request(op, target(found.path), pc=pc, peer=peer, **given, **asked)


def _sort_rare(given: dict[str, Any], asked: dict[str, Any]) -> None:
    """Bring options to where a Request has them when that is not in a text or number of its own."""
    if "nu" in given:
        targets = given.pop("nu")
        asked["rt"] = {**asked.get("rt", {}), "nu": targets.split("&") if targets else []}
    if "grtm" in given:
        given["grtm"] = tuple(given["grtm"].split("+"))
    for name in _TIMES & given.keys():
        given[name] = query.moment(f"the option oneM2M-{name.upper()}", given[name])
    for name in _ELSEWHERE & given.keys():
        value = given.pop(name)
        if name in _MORE:
            asked["more"] = {**asked.get("more", {}), name: value.split("+") if name in _LISTS else value}


def _query(options: Sequence[bytes]) -> dict[str, Any]:
    """Read Uri-Query options ``key=value+value``; ``op`` is CoAP's own (TS-0008 6.2.3)."""
    pairs: list[tuple[str, list[str]]] = []
    op: int | None = None
    for option in options:
        key, equals, value = numbers.text(option, "a Uri-Query option").partition("=")
        if not equals:
            raise BadRequest(f"the query parameter {key[:60]!r} has no value")
        if key != "op":
            pairs.append((key, value.split("+")))
        elif op is not None or value not in _OPS:
            raise BadRequest(f"the query parameter op={value[:60]} is there twice or no operation")
        else:
            op = int(value)
    found = query.read(pairs)
    return found if op is None else {**found, "op": op}


def _operation(code: int, given: Mapping[str, Any], op: int | None) -> Operation:
    """Give the operation of a method; POST may name another one in the query ``op``, as non-blocking and flexible requests do (TS-0008 6.2.1)."""
    usual = METHODS[code] if code != Code.POST or "ty" in given else Operation.NOTIFY
    if op is None or op == usual:
        return usual
    if code != Code.POST:
        raise BadRequest(f"the query parameter op={op} does not go with the CoAP method 0.{code:02}")
    return Operation(op)


def target(path: Sequence[bytes]) -> str:
    """Give To for Uri-Path: ``~`` first is SP-relative, ``_`` absolute (TS-0008 6.2.3). Raises BadRequest, naming a segment that cannot be one.

    An empty segment at the end, which a slash at the end of a URL makes, is left out.
    """
    if path and not path[-1]:
        path = path[:-1]
    text = numbers.text(b"/".join(path), "Uri-Path")
    if path and (not text or text[-1] == "/" or _UNFIT(text) or text.count("/") >= len(path)):
        raise BadRequest(f"a segment of the Uri-Path {text[:120]!r} is empty or has a slash or a control character")
    if text[:1] in _PREFIXES and text[1:2] in ("", "/"):
        if len(text) < 3:
            raise BadRequest(f"there is nothing behind {text} in Uri-Path")
        return _PREFIXES[text[0]] + text[2:]
    return text


def path(to: str) -> list[bytes]:
    """Give Uri-Path or Location-Path for To, the inverse of `target`."""
    text = f"_/{to[2:]}" if to.startswith("//") else f"~{to}" if to.startswith("/") else to
    return [segment.encode() for segment in text.split("/")] if text else []


def _content(found: Found, payload: bytes) -> Any:
    media = MEDIA.get(found.content_format) if found.content_format is not None else Media.JSON
    if media is None:
        raise UnsupportedMediaType(f"the content format {found.content_format} is not served; use 50 (JSON) or 60 (CBOR)")
    return decode(payload, media)


def response(answer: Response, to: Reply) -> Answer:
    """Write the answer to a request. Raises CSEError for what the serialisation or an option has no room for."""
    code: int = CODES[answer.rsc]
    where: list[bytes] = []
    if code == Code.CREATED:
        where = _location(answer)
        if answer.rsc != RSC.CREATED and not where:
            code = Code.CHANGED
    elif code == Code.CONTENT and to.operation is Operation.NOTIFY:
        code = Code.CHANGED
    found = numbers.write({
        "ot": answer.ot, "rvi": answer.rvi or to.rvi, "fr": answer.fr, "rqi": answer.rqi or to.rqi, "rset": answer.rset, "ec": answer.ec, "rsc": answer.rsc,
        "cnot": answer.cnot, "cnst": answer.cnst, "vsi": answer.vsi,
    }, to.numbers)  # fmt: skip
    payload = b""
    if answer.pc:
        payload = encode(answer.pc, to.media)
        found.append((CONTENT_FORMAT, uint(to.content_format)))
    if answer.retry is not None:
        code = Code.SERVICE_UNAVAILABLE  # where TS-0008 has 5.00 for every 5000: Max-Age then tells when to ask again (RFC 7252 5.9.3.4)
        found.append((MAX_AGE, uint(answer.retry)))
    elif code == Code.CONTENT or code >= Code.BAD_REQUEST:
        found.append((MAX_AGE, b""))  # 0: what is there now, or is not, may be otherwise a moment later, and there is no ETag to ask with
    found.extend((LOCATION_PATH, segment) for segment in where)
    found.sort(key=itemgetter(0))
    return Answer(code, tuple(found), payload)


def failure(error: CSEError, to: Reply) -> Answer:
    """Write the answer to a request that cannot be served."""
    answer = response(Response(error.code, to.rqi, {"m2m:dbg": str(error)}), to)
    return answer._replace(code=Code.BAD_OPTION) if isinstance(error, BadOption) else answer


def _location(answer: Response) -> list[bytes]:
    """Give the path of the resource that a content tells the address of; nothing when it tells none or one that no option has room for."""
    content = answer.pc
    if not isinstance(content, Mapping) or len(content) != 1:
        return []
    ((name, value),) = content.items()
    if isinstance(value, Mapping):
        value = value.get("uri") if name == "m2m:rce" else value.get("ri") if answer.rsc == RSC.CREATED else None
    elif name != "m2m:uri":
        return []
    segments = path(value) if isinstance(value, str) else []
    return segments if all(0 < len(segment) <= 255 for segment in segments) else []


class PointOfAccess(NamedTuple):
    """A ``coap:`` URL taken apart; path and query as options."""

    host: str
    port: int
    path: list[bytes]
    query: list[bytes]
    media: Media


def point_of_access(url: str) -> PointOfAccess:
    """Read a URL and take ``ct=json|cbor`` off its end (bindings.ports.Sender). Raises TargetNotReachable for a URL that is none of CoAP."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise TargetNotReachable(f"{url[:60]!r} is no URL: {error}") from error
    if parts.scheme != "coap" or not parts.hostname or port == 0 or not url.isprintable():
        raise TargetNotReachable(f"{url[:60]!r} is no coap URL")
    asked = parts.query.split("&") if parts.query else []
    media = {"ct=json": Media.JSON, "ct=cbor": Media.CBOR}.get(asked[-1]) if asked else None
    names = parts.path.strip("/").split("/") if parts.path.strip("/") else []
    return PointOfAccess(
        parts.hostname,
        port or 5683,
        [unquote_to_bytes(name) for name in names],
        [unquote_to_bytes(each) for each in (asked[:-1] if media else asked)],
        media or Media.JSON,
    )


def outgoing(request: Request, to: PointOfAccess) -> Answer:
    """Write a request for a point of access: method, options and payload. Raises BadRequest for what has no CoAP form, naming it."""
    where = list(to.path)
    if request.op is not Operation.NOTIFY or "://" not in request.to:
        where.extend(path(request.to))
    asked = [*to.query, *(f"{key}={'+'.join(values)}".encode() for key, values in query.write(request))]
    kind = request.rt or {}
    code = _OPERATIONS[request.op]
    if kind.get("rtv", ResponseType.BLOCKING_REQUEST) not in (ResponseType.BLOCKING_REQUEST, ResponseType.NO_RESPONSE):
        code = Code.POST
        asked.append(f"op={int(request.op)}".encode())
    found = numbers.write({
        "ot": request.ot, "nu": _joined(kind.get("nu"), "&"), "ty": request.ty, "rvi": request.rvi, "fr": request.fr, "rqi": request.rqi,
        "rqet": request.rqet, "rset": request.rset, "oet": request.oet, "ec": request.ec, "gid": request.gid, "vsi": request.vsi,
        "grtm": _joined(request.grtm, "+"), **{name: _joined(request.more.get(name), "+") for name in _MORE},
    }, numbers.NEW)  # fmt: skip
    payload = b""
    if request.pc is not None and query.attribute_list(request) is None:
        payload = encode(request.pc, to.media)
        found.append((CONTENT_FORMAT, uint(FORMATS[to.media])))
    found.append((ACCEPT, uint(FORMATS[to.media])))
    for number, parts in ((URI_PATH, where), (URI_QUERY, asked)):
        for part in parts:
            if len(part) > 255:
                raise BadRequest(f"{part[:60].decode(errors='replace')!r}... is too long for an option of CoAP")
            found.append((number, part))
    found.sort(key=itemgetter(0))
    return Answer(code, tuple(found), payload)


def _joined(value: Any, separator: str) -> Any:
    return separator.join(value) if isinstance(value, list | tuple) else value


def incoming(answer: Answer) -> Response:
    """Read the answer of a CoAP server, be it a CSE, an AE or a plain one. Raises BadRequest when it is no answer to a oneM2M request.

    Without oneM2M-RSC the CoAP code tells how it ended, and the content is left aside.
    """
    found = numbers.split(answer.options)
    given = numbers.values(found.parameters)
    code = given.get("rsc")
    if code is None:
        return _plain_answer(answer.code)
    if code not in CODES:
        raise BadRequest(f"the answer has the unknown response status code {code}")
    pc = None
    if answer.payload:
        media = MEDIA.get(found.content_format) if found.content_format is not None else Media.JSON
        if media is None:
            raise BadRequest(f"the answer has content of the format {found.content_format}, which is not served")
        pc = decode(answer.payload, media)
    return Response(RSC(code), pc=pc, **{name: given[name] for name in _ANSWER & given.keys()})


def _plain_answer(code: int) -> Response:
    family, detail = code >> 5, code & 31
    if family == 2:
        return Response(RSC.OK)
    if family not in (4, 5):
        raise BadRequest(f"the answer is no response: CoAP code {family}.{detail:02}")
    guess = _GUESSES.get(code, RSC.BAD_REQUEST if family == 4 else RSC.INTERNAL_SERVER_ERROR)
    return Response(guess, pc={"m2m:dbg": f"the target answered with the CoAP code {family}.{detail:02}"})
