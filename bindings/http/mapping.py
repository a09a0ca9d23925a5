"""HTTP messages to primitives and back, as pure functions of texts and bytes (TS-0009 6)."""

import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import quote, unquote_to_bytes, urlsplit

from multidict import MultiMapping

from bindings import query
from bindings.query import quoted
from bindings.serialization import Media, choose, decode, encode, media_of, name_for
from cse.codes import Operation, ResponseStatusCode
from cse.errors import BadRequest, CSEError, NotAcceptable, OperationNotAllowed, TargetNotReachable, UnsupportedMediaType
from cse.primitives import Peer, Request, Response

STATUS: Mapping[int, int] = {
    code: status
    for status, codes in {
        202: (1000, 1001, 1002),
        200: (2000, 2002, 2004),
        201: (2001,),
        400: (4000, 4102, 4110, 4120, 4122, 4123, 4131, 4133, 4134, 4137, 4142, 4143, 6010, 6022, 6023, 6024),
        403: (4101, 4103, *range(4106, 4110), *range(4111, 4118), *range(4126, 4129), 4135, 4136, 4138, 4139, 4141,
              5105, 5203, 5205, 5208, 5214, 5215, 5218, 5222, 6034),
        404: (4004, 4118, 4119, 4121, 4130, 4132, 5103, 5107, 6003, 6005),
        405: (4005,),
        406: (5207,),
        409: (4104, 4105, 4124, 4140, 5106, 5219, 5220, 6028, 6029),
        415: (4015,),
        500: (5000, 5204, 5209, 5210, 5211, 5212, 5216, 5217, 5221, 5230, 5231, 5232, 6020, 6021, 6025, 6026, 6033),
        501: (4001, 4125, 5001, 5206),
        504: (4008, 6030, 6031),
    }.items()
    for code in codes
}  # fmt: skip
"""HTTP status of every response status code (TS-0009 6.3.2)."""

_CODES = {str(code): ResponseStatusCode(code) for code in STATUS}
_ANSWERS = {code: (status, ("X-M2M-RSC", str(code))) for code, status in STATUS.items()}
_OVERLOADED = 503
"""HTTP status of a refusal for want of capacity: what Retry-After belongs to (RFC 9110 15.6.4), where TS-0009 has 500 for every 5000."""
_GUESSES = {401: 4106, 403: 4103, 404: 4004, 405: 4005, 406: 5207, 408: 4008, 409: 4105, 415: 4015, 501: 5001, 504: 4008}
"""Response status code for an HTTP error status that comes without one."""

_OPERATIONS = {"GET": Operation.RETRIEVE, "POST": Operation.CREATE, "PUT": Operation.UPDATE, "DELETE": Operation.DELETE}
METHODS = tuple(_OPERATIONS)
_METHODS = {Operation.RETRIEVE: "GET", Operation.UPDATE: "PUT", Operation.DELETE: "DELETE", Operation.CREATE: "POST", Operation.NOTIFY: "POST"}

_UNUSUAL_PATH = re.compile(r"[^!-$&-~]|//").search
_NOT_IN_PATH = re.compile(r"[^A-Za-z0-9/._~!$&'()*+,;=:@-]").search
_NOT_IN_SEGMENT = re.compile(r"[\x00-\x1f\x7f/]").search
_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})").search


class _Slot(NamedTuple):
    """Where a header goes: ``place`` is "" for a parameter of the request, else ``rt`` or ``more``; ``separator`` is None for a single value."""

    place: str
    name: str
    convert: Callable[[str, str], Any]
    separator: str | None = None


_HEADERS: Mapping[str, _Slot] = {
    "X-M2M-Origin": _Slot("", "fr", query.text_of),
    "X-M2M-RI": _Slot("", "rqi", query.text_of),
    "X-M2M-RVI": _Slot("", "rvi", query.text_of),
    "X-M2M-GID": _Slot("", "gid", query.text_of),
    "X-M2M-OT": _Slot("", "ot", query.text_of),
    "X-M2M-VSI": _Slot("", "vsi", query.text_of),
    "X-M2M-RET": _Slot("", "rqet", query.moment),
    "X-M2M-RST": _Slot("", "rset", query.moment),
    "X-M2M-OET": _Slot("", "oet", query.moment),
    "X-M2M-EC": _Slot("", "ec", query.number_of),
    "X-M2M-GTM": _Slot("", "grtm", query.text_of, "+"),
    "X-M2M-RTU": _Slot("rt", "nu", query.text_of, "&"),
    "X-M2M-AS": _Slot("more", "aus", query.text_of, "+"),
    "X-M2M-OMR": _Slot("more", "omr", query.text_of, "+"),
    "X-M2M-PRPI": _Slot("more", "ppi", query.text_of),
    "X-M2M-MSU": _Slot("more", "msu", query.text_of),
    "Authorization": _Slot("more", "tkns", query.text_of, "+"),
}
_HEADER_SLOTS = {spelling: (name, slot) for name, slot in (*_HEADERS.items(), ("Content-Type", None)) for spelling in (name, name.lower())}
_TARGETS = _HEADERS["X-M2M-RTU"]
"""The one header that says something without a value: that nobody is to be notified (TS-0004 6.3.5.30)."""
_SENT = tuple((name, slot.place, slot.name, slot.separator) for name, slot in _HEADERS.items())
_SENT_PLAIN = tuple(sent for sent in _SENT if not sent[1])
_TEXT_HEADERS = (("rqi", "X-M2M-RI"), ("rvi", "X-M2M-RVI"), ("fr", "X-M2M-Origin"), ("ot", "X-M2M-OT"), ("rset", "X-M2M-RST"), ("vsi", "X-M2M-VSI"))
_NUMBER_HEADERS = (("ec", "X-M2M-EC"), ("cnst", "X-M2M-CTS"), ("cnot", "X-M2M-CTO"))
REQUEST_HEADERS = tuple(_HEADERS)
RESPONSE_HEADERS = ("X-M2M-RSC", *(header for _, header in (*_TEXT_HEADERS, *_NUMBER_HEADERS)))


def request(method: str, raw_path: str, query_string: str, headers: Mapping[str, str], body: bytes, peer: Peer) -> Request:
    """Read a request. ``raw_path`` and ``query_string`` are still percent-encoded; the body is complete.

    Raises BadRequest, OperationNotAllowed (method) or UnsupportedMediaType, with a sentence that names the part.
    """
    op = _OPERATIONS.get(method)
    if op is None:
        raise OperationNotAllowed(f"the method {quoted(method)} is no operation of oneM2M")
    content_type = ""
    found: dict[str, Any] = {}
    places: dict[str, dict[str, Any]] = {}
    for spelling, value in headers.items():
        known = _HEADER_SLOTS.get(spelling) or _HEADER_SLOTS.get(spelling.lower())
        if known is None or (not value and known[1] is not _TARGETS):
            continue
        name, slot = known
        if slot is None:
            if content_type:
                raise BadRequest("the header Content-Type occurs more than once")
            content_type = value
            continue
        if not value.isascii():
            _check_utf8(name, value)
        target = found if not slot.place else places.setdefault(slot.place, {})
        if slot.name in target:
            raise BadRequest(f"the header {name} occurs more than once")
        target[slot.name] = value if slot.convert is query.text_of and slot.separator is None else _header_value(name, slot, value)
    if query_string:
        _merge(query.read(_pairs(query_string)), found, places)
    media, ty = _content_type(content_type) if content_type else (None, None)
    if op is Operation.CREATE and ty is None:
        op = Operation.NOTIFY
    pc = places.pop("pc", None)
    if pc and op is not Operation.RETRIEVE:
        raise BadRequest("atrl goes with RETRIEVE only")
    if body and (content_type or method in ("POST", "PUT")):
        if pc:
            raise BadRequest("atrl and a body exclude each other")
        if media is None:
            raise UnsupportedMediaType(f"the media type {quoted(content_type)} is not served" if content_type else "a body came without Content-Type")
        pc = decode(body, media)
    if ty is not None:
        found["ty"] = ty
    if places:
        found.update(places)
        if "tkns" in places.get("more", ()):
            found["more"] = _without_credentials(places["more"])
    return Request(op=op, to=_address(raw_path), pc=pc, peer=peer, **found)


def _merge(read: dict[str, Any], found: dict[str, Any], places: dict[str, dict[str, Any]]) -> None:
    """Add what the query holds: parameters of the request, and parts of rt, more, fc and pc."""
    for name, value in read.items():
        if isinstance(value, dict):
            places.setdefault(name, {}).update(value)
        else:
            found[name] = value


def _check_utf8(name: str, value: str) -> None:
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise BadRequest(f"the header {name} is not valid UTF-8: {quoted(value)}") from error


def _header_value(name: str, slot: _Slot, value: str) -> Any:
    if not value:
        return []
    if slot.separator is None:
        return slot.convert(f"the header {name}", value)
    values = [slot.convert(f"the header {name}", piece) for piece in value.split(slot.separator)]
    return tuple(values) if slot.name == "grtm" else values


def _without_credentials(more: dict[str, Any]) -> dict[str, Any]:
    """Leave out an Authorization header with a scheme such as ``Basic``: it is for the transport, while oneM2M tokens stand alone."""
    return {name: value for name, value in more.items() if name != "tkns" or not any(" " in token for token in value)}


@lru_cache(maxsize=256)
def _content_type(text: str) -> tuple[Media | None, int | None]:
    """Give the serialisation and the ty of a Content-Type."""
    ty = None
    for parameter in text.split(";")[1:]:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "ty":
            if ty is not None:
                raise BadRequest("Content-Type has ty more than once")
            ty = query.number_of("ty in Content-Type", value.strip().strip('"'))
    return media_of(text), ty


def _address(raw_path: str) -> str:
    """Give the To of a path: /X is CSE-relative, /~/CSE/X SP-relative, /_/FQDN/CSE/X absolute (TS-0009 6.2.2)."""
    if raw_path[:1] != "/":
        raise BadRequest(f"the path {quoted(raw_path)} does not start with a slash")
    path = raw_path[1:-1] if raw_path[-1] == "/" else raw_path[1:]
    if _UNUSUAL_PATH(raw_path):
        if "//" in raw_path:
            raise BadRequest(f"the path {quoted(raw_path)} has an empty segment")
        path = "/".join([_segment(segment) for segment in path.split("/")])
    if path[:1] == "~" and path[1:2] in ("", "/"):
        path = path[1:]
    elif path[:1] == "_" and path[1:2] in ("", "/"):
        path = "/" + path[1:]
    else:
        return path
    if not path.strip("/"):
        raise BadRequest(f"the path {quoted(raw_path)} names no CSE")
    return path


def _segment(raw: str) -> str:
    segment = _decoded("the path", raw)
    if _NOT_IN_SEGMENT(segment):
        raise BadRequest(f"the path segment {quoted(segment)} has a slash or control character in it")
    return segment


def _decoded(name: str, raw: str) -> str:
    if "%" not in raw and raw.isascii():
        return raw
    if _BROKEN_ESCAPE(raw):
        raise BadRequest(f"{name} has a % without two hexadecimal digits behind it: {quoted(raw)}")
    try:
        return unquote_to_bytes(raw.encode("utf-8", "surrogateescape")).decode()
    except UnicodeDecodeError as error:
        raise BadRequest(f"{name} is not valid UTF-8: {quoted(raw)}") from error


def _pairs(query_string: str) -> Iterable[tuple[str, list[str]]]:
    """Split a query into keys and the values that ``+`` joins; only then the percent-encoding is undone, so that %2B is a plus."""
    for piece in query_string.split("&"):
        if not piece:
            continue
        raw_key, equals, raw = piece.partition("=")
        key = _decoded("the name of a query parameter", raw_key)
        name = f"the query parameter {quoted(key)}"
        if not equals:
            raise BadRequest(f"{name} has no value")
        yield key, [_decoded(name, part) for part in raw.split("+")]


def accepted(headers: MultiMapping[str]) -> Media:
    """Choose the serialisation of the answer: what Accept likes best, without one that of the request. Raises NotAcceptable."""
    accept = _accept(headers)
    content_type = headers.get("Content-Type")
    default = (media_of(content_type) if content_type else None) or Media.JSON
    media = choose(accept, default)
    if media is None:
        raise NotAcceptable(f"none of the media types in Accept can be served: {quoted(accept or '')}")
    return media


def content_type(headers: MultiMapping[str], media: Media) -> str:
    """Give the media type of an answer in the serialisation that was chosen for it, such as application/vnd.onem2m-res+json where only that is accepted."""
    return name_for(_accept(headers), media)


def _accept(headers: MultiMapping[str]) -> str | None:
    """Give Accept, whose list may be spread over several lines (RFC 9110 5.3)."""
    return ", ".join(headers.getall("Accept")) if "Accept" in headers else None


def allowed(method: str) -> str:
    """Give Allow (RFC 9110 15.5.6) for a refused method: the others, and POST, since the refusal of one of its operations tells nothing of the other."""
    return ", ".join(each for each in METHODS if each != method or each == "POST")


def refusal(error: CSEError, headers: Mapping[str, str]) -> Response:
    """Give the response to a request that could not be read, with its identifier and release version where these can be read."""
    rqi, rvi = headers.get("X-M2M-RI"), headers.get("X-M2M-RVI")
    echo = {"rqi": rqi if rqi and _is_utf8(rqi) else None, "rvi": rvi if rvi and _is_utf8(rvi) else None}
    return Response(error.code, echo["rqi"], {"m2m:dbg": str(error)}, rvi=echo["rvi"])


def _is_utf8(value: str) -> bool:
    return value.isascii() or not any("\ud800" <= character <= "\udfff" for character in value)


def response(answer: Response, media: Media, media_type: str = "") -> tuple[int, list[tuple[str, str]], bytes]:
    """Write a response: status, headers (Content-Length is the server's business) and body. Raises InternalServerError as ``encode`` does.

    ``media_type`` is another name of the serialisation than the plain one.
    """
    status, code = _ANSWERS[answer.rsc]
    headers = [code]
    if answer.retry is not None:
        status = _OVERLOADED
        headers.append(("Retry-After", str(answer.retry)))
    for name, header in _TEXT_HEADERS:
        value = getattr(answer, name)
        if value is not None:
            headers.append((header, value if value.isprintable() else quote(value, safe=" /:;,+=@")))
    for name, header in _NUMBER_HEADERS:
        value = getattr(answer, name)
        if value is not None:
            headers.append((header, str(int(value))))
    pc = answer.pc
    if not pc:
        return status, headers, b""
    headers.append(("Content-Type", media_type or media.value))
    if status == 201 and (made := _made(pc)):
        headers.append(("Content-Location", path_of(made)))
    return status, headers, encode(pc, media)


def _made(pc: Mapping[str, Any]) -> str | None:
    """Give the address of a new resource where the content of a CREATE response tells it."""
    for root, value in pc.items():
        if root == "m2m:uri":
            return value if isinstance(value, str) else None
        if isinstance(value, Mapping):
            address = value.get("uri") if root == "m2m:rce" else value.get("ri")
            return address if isinstance(address, str) else None
    return None


def path_of(to: str) -> str:
    """Give the path of an address in any form, percent-encoded (TS-0009 6.2.2)."""
    path = f"/_/{to[2:]}" if to.startswith("//") else f"/~{to}" if to.startswith("/") else f"/{to}"
    return quote(path, safe="/-._~!$&'()*+,;=:@") if _NOT_IN_PATH(path) else path


class Outgoing(NamedTuple):
    """A request as an HTTP client sends it."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes


def outgoing(request: Request, url: str) -> Outgoing:
    """Write a request for a point of access, as ``bindings.ports.Sender`` says.

    Raises TargetNotReachable for a URL that is none, BadRequest for what has no HTTP form.
    """
    target, media = _point_of_access(url)
    base, _, extra = target.partition("?")
    fields = [f"{quote(key)}={'+'.join([quote(text, safe='*/:,;@()') for text in texts])}" for key, texts in query.write(request)]
    if request.op is not Operation.NOTIFY or "://" not in request.to:
        base = base.rstrip("/") + path_of(request.to)
    joined = "&".join([*([extra] if extra else []), *fields])
    headers = {"Accept": media.value}
    for name, place, parameter, separator in _SENT if request.more or request.rt else _SENT_PLAIN:
        value = getattr(request, parameter) if not place else request.more.get(parameter) if place == "more" else (request.rt or {}).get("nu")
        if value is not None:
            text = query.one_text(value) if separator is None else separator.join([str(part) for part in value])
            if not text.isprintable():
                raise BadRequest(f"{parameter} cannot be sent as an HTTP header: {quoted(text)}")
            headers[name] = text
    body = b"" if request.pc is None or query.attribute_list(request) else encode(request.pc, media)
    if body or request.ty is not None:
        headers["Content-Type"] = media.value if request.ty is None else f"{media.value};ty={int(request.ty)}"
    return Outgoing(_METHODS[request.op], f"{base}?{joined}" if joined else base, headers, body)


@lru_cache(maxsize=4096)
def _point_of_access(url: str) -> tuple[str, Media]:
    """Check a URL and take ``ct=json|cbor`` off its end."""
    base, mark, last = url.partition("#")[0].rpartition("ct=")
    media = {"json": Media.JSON, "cbor": Media.CBOR}.get(last) if mark and base[-1:] in ("?", "&") else None
    target = base[:-1] if media else url.partition("#")[0]
    try:
        parts = urlsplit(target)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError as error:
        raise TargetNotReachable(f"{quoted(url)} is no URL: {error}") from error
    if not valid or not target.isprintable() or " " in target:
        raise TargetNotReachable(f"{quoted(url)} is no URL of an HTTP server")
    return target, media or Media.JSON


def incoming(status: int, headers: Mapping[str, str], body: bytes) -> Response:
    """Read the answer of an HTTP server, be it a CSE, an AE or a plain web server. Raises BadRequest when it is no answer to a oneM2M request.

    Without X-M2M-RSC the HTTP status tells how it ended, and the content is left aside.
    """
    code = headers.get("X-M2M-RSC")
    if code is None:
        return _plain_answer(status)
    rsc = _CODES.get(code.strip())
    if rsc is None:
        raise BadRequest(f"the answer has an unknown response status code {quoted(code)}")
    found: dict[str, Any] = {}
    for name, header in _TEXT_HEADERS:
        if text := headers.get(header):
            _check_utf8(f"{header} of the answer", text)
            found[name] = text
    for name, header in _NUMBER_HEADERS:
        if text := headers.get(header):
            found[name] = query.number_of(f"the header {header} of the answer", text)
    pc = None
    if body:
        content_type = headers.get("Content-Type", "")
        media = media_of(content_type)
        if media is None:
            raise BadRequest(f"the answer has content of the media type {quoted(content_type)}, which is not served")
        pc = decode(body, media)
    return Response(rsc, pc=pc, **found)


def _plain_answer(status: int) -> Response:
    if 200 <= status < 300:
        return Response(ResponseStatusCode.OK)
    if status < 400:
        raise BadRequest(f"the answer is no oneM2M response: HTTP status {status} without X-M2M-RSC")
    code = _GUESSES.get(status, 4000 if status < 500 else 5000)
    return Response(ResponseStatusCode(code), pc={"m2m:dbg": f"the target answered with HTTP status {status}"})
