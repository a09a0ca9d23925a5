"""The parameters of a request, checked before anything else is looked at (TS-0004 7.3.2.2, procedures 1.1)."""

from collections.abc import Mapping

from msgspec.structs import replace

from cse import criteria, results
from cse.address import same_entity, sp_relative
from cse.codes import FilterUsage, Operation, ResourceTypeID
from cse.config import Settings
from cse.datatypes import EVENT_CAT, LAST_SECOND, TIMESTAMP, seconds_of, timestamp
from cse.errors import BadRequest, OriginatorNotAuthenticated, ReleaseVersionNotSupported, RequestTimeout
from cse.primitives import Request
from cse.structures import FILTER_CRITERIA

_ABSENT: Mapping[Operation, tuple[str, ...]] = {
    Operation.CREATE: ("sqi",),
    Operation.UPDATE: ("sqi",),
    Operation.DELETE: ("pc", "sqi"),
    Operation.NOTIFY: ("rp", "grtm", "gstn", "sqi"),
}
_NOT_NOTIFIED = frozenset({"asi", "aus", "auri"})


def check(request: Request, settings: Settings, authenticated: frozenset[str]) -> None:
    """Check the parameters of a request before anything else is looked at; ``authenticated`` are originators that must be. Raises CSEError."""
    if not request.rqi:
        raise BadRequest("the request identifier (rqi) is missing")
    if not request.to:
        raise BadRequest("the target (to) is missing")
    creating = request.op == Operation.CREATE
    if request.fr is None or request.fr == "":
        if not (creating and request.ty == ResourceTypeID.AE):
            raise BadRequest("the originator (fr) is missing; only the registration of an AE may leave it out")
    elif not _is_identifier(request.fr):
        raise BadRequest(f"the originator (fr) {request.fr[:80]!r} is no identifier")
    if authenticated or request.peer.identity is not None:
        _check_identity(request, settings, authenticated)
    if request.rvi not in settings.supported_releases:
        said = f"release version {request.rvi!r} is" if request.rvi else "a request without release version indicator (rvi) is of release 1, which is"
        raise ReleaseVersionNotSupported(f"{said} not supported; supported are {', '.join(settings.supported_releases)}")
    if creating != (request.ty is not None):
        raise BadRequest("a CREATE needs the resource type (ty)" if creating else "the resource type (ty) may only be given in a CREATE")
    if request.rcn is not None and request.rcn not in results.ALLOWED[request.op]:
        raise BadRequest(f"rcn {request.rcn} is not allowed for {request.op.name}")
    if request.op != Operation.RETRIEVE:
        _check_presence(request)
    if request.ot is not None or request.ec is not None:
        _check_values(request)
    if request.fc is not None:
        _check_filter(request)
    if request.drt is not None and (request.drt not in (1, 2) or request.op != Operation.RETRIEVE):
        raise BadRequest(f"drt {request.drt} is not allowed here: 1 or 2, in a RETRIEVE")
    if "#" in request.to and request.op != Operation.RETRIEVE:
        raise BadRequest(f"to {request.to!r} names an attribute, which only a RETRIEVE may")


def _check_identity(request: Request, settings: Settings, authenticated: frozenset[str]) -> None:
    """Hold the originator against what the transport has authenticated (TS-0003 8.2)."""
    who = request.fr or ""
    identity = request.peer.identity
    if identity is not None and not same_entity(identity, who, settings.cse_id, settings.sp_id):
        raise OriginatorNotAuthenticated(f"{identity} is authenticated, not {who or 'nobody'}")
    if identity is None and not request.peer.internal and sp_relative(who, settings.cse_id, settings.sp_id) in authenticated:
        raise OriginatorNotAuthenticated(f"{who} must be authenticated")


def _check_presence(request: Request) -> None:
    """Refuse what the columns of TS-0004 7.2.1.1 have as not present (NP), and a NOTIFY without content."""
    op = request.op
    for name in _ABSENT[op]:
        if getattr(request, name) is not None:
            raise BadRequest(f"{name} is not allowed in a {op.name}")
    if op == Operation.NOTIFY:
        if request.pc is None:
            raise BadRequest("a NOTIFY needs content (pc), such as m2m:sgn")
        if wrong := sorted(_NOT_NOTIFIED & request.more.keys()):
            raise BadRequest(f"{wrong[0]} is not allowed in a NOTIFY")


def _check_values(request: Request) -> None:
    """Hold parameters against their data types that nothing else looks at before they are kept or sent on (TS-0004 6.4.1)."""
    for name, kind, value in (("ot", TIMESTAMP, request.ot), ("ec", EVENT_CAT, None if request.ec is None else int(request.ec))):
        if value is not None:
            try:
                kind.check(value)
            except ValueError as error:
                raise BadRequest(f"{name} {error}") from error


def _check_filter(request: Request) -> None:
    if request.op in (Operation.CREATE, Operation.NOTIFY):
        raise BadRequest(f"filter criteria (fc) are not allowed in a {request.op.name}")
    try:
        FILTER_CRITERIA.check(criteria.listed(request.fc or {}))
    except ValueError as error:
        raise BadRequest(f"the filter criteria (fc) are not valid: {error}") from error
    if request.op != Operation.RETRIEVE and request.fc is not None and request.fc.get("fu", 2) != FilterUsage.CONDITIONAL_OPERATION:
        raise BadRequest(f"filterUsage {request.fc['fu']} is not allowed in a {request.op.name}")


def moment(value: str | int, name: str, now: float) -> float:
    """Give an absRelTimestamp as seconds since the epoch; a relative one counts from now. Raises BadRequest."""
    try:
        return min(now + value / 1000, LAST_SECOND) if isinstance(value, int) else seconds_of(value)
    except ValueError as error:
        raise BadRequest(f"{name} {value!r} is no timestamp: {error}") from error


def timed(request: Request, now: float) -> Request:
    """Check the times of a request and give it with absolute ones: relative ones count from now (TS-0004 6.3.3). Raises RequestTimeout, BadRequest."""
    moments = {name: moment(value, name, now) for name in ("rqet", "rset", "oet") if (value := getattr(request, name)) is not None}
    if moments.get("rqet", now + 1) <= now:
        raise RequestTimeout(f"the request expired at {request.rqet}")
    if moments.get("rset", now) < now:
        raise RequestTimeout(f"the result expired at {request.rset}")
    if "rset" in moments and moments["rset"] < moments.get("rqet", now):
        raise BadRequest(f"the result expires (rset {request.rset}) before the request does (rqet {request.rqet})")
    if request.rp is not None:
        moment(request.rp, "rp", now)
    return replace(request, **{name: timestamp(found) for name, found in moments.items()})


def _is_identifier(text: str) -> bool:
    return len(text) <= 255 and text.isprintable() and " " not in text
