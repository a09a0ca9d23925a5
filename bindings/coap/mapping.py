"""Requests and responses of oneM2M to and from CoAP methods, options and payloads (TS-0008 6). Pure: no sockets, no time."""

import re
from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

from bindings.coap import options as numbers
from bindings.coap.message import Answer, Code, uint
from bindings.coap.options import CONTENT_FORMAT, LOCATION_PATH, MAX_AGE, Found
from bindings.serialization import Media, decode, encode
from cse.codes import Operation
from cse.codes import ResponseStatusCode as RSC
from cse.errors import BadRequest, CSEError, NotAcceptable, OperationNotAllowed, UnsupportedMediaType
from cse.primitives import Peer, Request, Response

_JSON_FORMATS = (50, 10001, 10003, 10007, 10009, 10015)
_CBOR_FORMATS = (60, 10010, 10011, 10012, 10013)
MEDIA: Mapping[int, Media] = dict.fromkeys(_JSON_FORMATS, Media.JSON) | dict.fromkeys(_CBOR_FORMATS, Media.CBOR)
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
"""TS-0008 6.2.4; every other response status code is 4.00."""
CODES: Mapping[int, Code] = dict.fromkeys(RSC, Code.BAD_REQUEST) | {rsc: code for code, found in _CODES.items() for rsc in found}


class BadOption(BadRequest):
    """A critical option that is not understood, or is there too often: 4.02 (RFC 7252 5.4.1)."""


class Reply(NamedTuple):
    """What an answer needs of its request: the numbering, the serialisation and its format number, the request identifier and what was asked."""

    numbers: Mapping[str, int]
    media: Media
    content_format: int
    rqi: str | None
    operation: Operation


def reply(code: int, found: Found) -> Reply:
    """Say how to answer a message, be it a good request or not: in its numbering, in the format that it accepts or has itself, JSON in doubt."""
    accept = found.accept if found.accept in MEDIA else None
    media = MEDIA[accept] if accept is not None else MEDIA.get(found.content_format or 0, Media.JSON)
    rqi = found.parameters.get("rqi", b"")
    operation = METHODS.get(code, Operation.RETRIEVE)
    if operation is Operation.CREATE and "ty" not in found.parameters:
        operation = Operation.NOTIFY
    identifier = rqi.decode(errors="replace") if 0 < len(rqi) <= 85 or (rqi.isascii() and 0 < len(rqi) <= 255) else None
    return Reply(found.numbers, media, accept or FORMATS[media], identifier, operation)


def request(code: int, found: Found, payload: bytes, peer: Peer) -> Request:
    """Read a request. Raises CSEError: BadOption and BadRequest name the option, query or segment; UnsupportedMediaType and NotAcceptable the format."""
    if found.refused is not None:
        raise BadOption(f"the option {found.refused} is critical and not understood, or there more than once")
    if code not in METHODS:
        raise OperationNotAllowed(f"no oneM2M operation has the CoAP method 0.{code:02}")
    if found.accept is not None and found.accept not in MEDIA:
        raise NotAcceptable(f"the content format {found.accept} of Accept is not served; use 50 (JSON) or 60 (CBOR)")
    given = numbers.values(found.parameters)
    asked = _query(found.query) if found.query else {}
    if "nu" in given or "rt" in asked:
        asked["rt"] = _response_type(asked.get("rt"), given.pop("nu", None))
    more = {name: given.pop(name) for name in _MORE & given.keys()}
    for name in _TIMES & given.keys():
        given[name] = _moment(given[name])
    if "grtm" in given:
        given["grtm"] = tuple(given["grtm"].split("+"))
    for name in _ONLY_ANSWERS & given.keys():
        del given[name]
    pc = _content(found, payload)
    return Request(_operation(code, given, asked), target(found.path), pc=pc, more=more, peer=peer, **given, **asked)


_TIMES = frozenset({"rqet", "rset", "oet"})
_MORE = frozenset({"aus", "omr", "ppi", "msu"})
_ONLY_ANSWERS = frozenset({"rsc", "cnot", "cnst", "ati", "asri"})
_UNFIT = re.compile(r"[\x00-\x1f\x7f/]").search


def _moment(text: Any) -> Any:
    """Give a duration in milliseconds as a number, a timestamp as it is (TS-0004 6.3.3)."""
    return int(text) if text.isascii() and text.isdigit() else text


def _response_type(value: Any, uris: Any) -> dict[str, Any]:
    if value is None:
        raise BadRequest("the option oneM2M-RTURI needs the query rt")
    return {"rtv": value} if uris is None else {"rtv": value, "nu": uris.split("&") if uris else []}


def _operation(code: int, given: Mapping[str, Any], asked: dict[str, Any]) -> Operation:
    """Give the operation of a method; POST may name another one in the query ``op``, as non-blocking and flexible requests do (TS-0008 6.2.1)."""
    usual = METHODS[code] if code != Code.POST or "ty" in given else Operation.NOTIFY
    op = asked.pop("op", None)
    if op is None or op == usual:
        return usual
    if code != Code.POST or op not in tuple(Operation):
        raise BadRequest(f"the query op={op} does not go with the CoAP method 0.{code:02}")
    return Operation(op)


def target(path: Sequence[bytes]) -> str:
    """Give To for Uri-Path: ``~`` first is SP-relative, ``_`` absolute (TS-0008 6.2.3). Raises BadRequest, naming a segment that cannot be one."""
    names = [numbers.text(segment, "a Uri-Path segment") for segment in path]
    for name in names:
        if not name or _UNFIT(name):
            raise BadRequest(f"the Uri-Path segment {name!r} is empty or has a slash or a control character")
    if not names:
        raise BadRequest("the request names no target: it has no Uri-Path")
    if names[0] in _PREFIXES:
        if len(names) == 1:
            raise BadRequest(f"there is nothing behind {names[0]} in Uri-Path")
        return _PREFIXES[names[0]] + "/".join(names[1:])
    return "/".join(names)


_PREFIXES = {"~": "/", "_": "//"}


def path(to: str) -> list[bytes]:
    """Give Uri-Path or Location-Path for To, the inverse of `target`."""
    text = f"_/{to[2:]}" if to.startswith("//") else f"~{to}" if to.startswith("/") else to
    return [segment.encode() for segment in text.split("/")]


def _content(found: Found, payload: bytes) -> Any:
    if not payload:
        return None
    media = MEDIA.get(found.content_format) if found.content_format is not None else Media.JSON
    if media is None:
        raise UnsupportedMediaType(f"the content format {found.content_format} is not served; use 50 (JSON) or 60 (CBOR)")
    return decode(payload, media)


def response(answer: Response, to: Reply) -> Answer:
    """Write the answer to a request. Raises InternalServerError for content that the serialisation cannot carry."""
    code: int = CODES[answer.rsc]
    where = _location(answer) if code == Code.CREATED else []
    if (answer.rsc != RSC.CREATED and code == Code.CREATED and not where) or (code == Code.CONTENT and to.operation is Operation.NOTIFY):
        code = Code.CHANGED
    found = numbers.write({
        "ot": answer.ot, "rvi": answer.rvi, "fr": answer.fr, "rqi": answer.rqi or to.rqi, "rset": answer.rset, "ec": answer.ec, "rsc": answer.rsc,
        "cnot": answer.cnot, "cnst": answer.cnst, "vsi": answer.vsi,
    }, to.numbers)  # fmt: skip
    payload = b""
    if answer.pc is not None:
        payload = encode(answer.pc, to.media)
        found.append((CONTENT_FORMAT, uint(to.content_format)))
    if code == Code.CONTENT:
        found.append((MAX_AGE, b""))  # 0: what is a representation now may be none a moment later, and there is no ETag to ask with
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
    segments = path(value) if isinstance(value, str) and value else []
    return segments if all(0 < len(segment) <= 255 for segment in segments) else []
