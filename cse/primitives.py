"""Request and response primitives, the effects of the core, and notifications on their way (TS-0004 6.4).

The values are msgspec structs: as immutable as frozen dataclasses, and made in a tenth of the time, which every request pays several times over.
"""

from collections.abc import Callable, Generator, Mapping
from enum import Enum, StrEnum
from typing import Any

import msgspec

from cse.codes import Operation, ResponseStatusCode

Content = Mapping[str, Any]
"""Primitive content: a JSON object with exactly one root member, such as ``{"m2m:cnt": {...}}``."""


class Waivable(StrEnum):
    """Checks that the standard makes and a listener may waive for those it serves."""

    APP_ID = "app-id"
    """The App-ID of an AE begins with N or R."""
    VERIFICATION = "verification"
    """A notification target answers its verification."""


def _nothing(check: Waivable) -> bool:
    return False


class Peer(msgspec.Struct, frozen=True):
    """What the transport knows about the sender of a request; never taken from the primitive itself.

    address: source IP address as text, None when the request was made inside this process.
    identity: the entity (AE-ID or CSE-ID) that the transport authenticated, None when it authenticated nobody.
    listener: which listener took the request, such as ``http`` or ``coap``.
    internal: True for requests that this CSE makes itself.
    waives: asked when a check fails, tells whether the request passes nevertheless.
    """

    address: str | None = None
    identity: str | None = None
    listener: str = ""
    internal: bool = False
    waives: Callable[[Waivable], bool] = _nothing

    @property
    def lenient(self) -> bool:
        """Whether it may waive anything; asking for this uses nothing."""
        return self.waives is not _nothing


NOBODY = Peer()


class Request(msgspec.Struct, frozen=True):
    """One request primitive (TS-0004 6.4.1). Parameters have their short names; absent ones are None.

    A binding has decoded the protocol and nothing else: values are as the originator sent them, with texts of queries, headers and options
    converted to the type of their parameter. ``fc`` keys are short names, its values lists where the standard has a list. ``to`` is any addressing form
    (``cse-in/ae``, ``/id-in/cnt1``, ``//sp.example/id-in/-/ae``); in a request that leaves this CSE it may be a URL.
    """

    op: Operation
    to: str
    fr: str | None = None
    rqi: str | None = None
    rvi: str | None = None
    ty: int | None = None
    pc: Any = None
    rcn: int | None = None
    fc: Mapping[str, Any] | None = None
    drt: int | None = None
    rt: Mapping[str, Any] | None = None
    rp: str | int | None = None
    ot: str | None = None
    rqet: str | int | None = None
    rset: str | int | None = None
    oet: str | int | None = None
    ec: int | None = None
    da: bool | None = None
    gid: str | None = None
    grtm: tuple[str, ...] | None = None
    gstn: int | None = None
    sqi: bool | None = None
    vsi: str | None = None
    more: Mapping[str, Any] = msgspec.field(default_factory=dict)
    """Parameters of the standard that the core only hands on or refuses: rids, tkns, tids, ltids, tqi, asi, aus, auri, omr, msu, ppi."""
    peer: Peer = NOBODY
    nesting: int = 0
    """Groups through which this CSE has fanned it out; stays inside."""


class Response(msgspec.Struct, frozen=True):
    """One response primitive (TS-0004 6.4.2). ``pc`` is None or an object with one root member; an error has ``{"m2m:dbg": sentence}``."""

    rsc: ResponseStatusCode
    rqi: str | None = None
    pc: Any = None
    to: str | None = None
    fr: str | None = None
    rvi: str | None = None
    ot: str | None = None
    ec: int | None = None
    rset: str | None = None
    cnst: int | None = None
    cnot: int | None = None
    vsi: str | None = None
    retry: int | None = None
    """Seconds after which the request may come again, of a CSE that has too much to do; no parameter, bindings have their own word for it."""

    @property
    def ok(self) -> bool:
        """True for 2xxx and the acknowledgements 1xxx."""
        return self.rsc < 3000


def refused(response: Response) -> bool:
    """Tell whether a request would be answered in the same way again: 4xxx, but for a time-out."""
    return 4000 <= response.rsc < 5000 and response.rsc != ResponseStatusCode.REQUEST_TIMEOUT


CHANNEL, POLL = "pch", "poll"
"""Schemes of URLs inside this CSE: ``pch:RI`` leads into the polling channel RI, ``poll:RI:MOST`` is where its owner fetches and answers requests."""


class Call(msgspec.Struct, frozen=True):
    """One request that leaves this CSE, and where it may be delivered: points of access in their order of preference."""

    request: Request
    urls: tuple[str, ...]


INSIDE = "cse:"
"""The point of access of what this CSE hosts itself: a request that goes there is handled inside, as one of this CSE, and never leaves it."""


class Ask(msgspec.Struct, frozen=True):
    """Effect: send these calls at the same time and resume with one Response each, in order.

    A call that fails is answered too: 5103 when no URL could be reached, 4008 when the deadline (``seconds``) passed.
    """

    calls: tuple[Call, ...]
    seconds: float


class Turn(Enum):
    """Effect: resume when the store takes writes. Until the generator ends or yields again it may open write transactions."""

    WRITE = "write"


class Hold(msgspec.Struct, frozen=True):
    """Effect: resume when no other request holds ``key``, and hold it until the generator ends (TS-0004 7.5.1.2.19: a held UPDATE)."""

    key: str


class Pause(msgspec.Struct, frozen=True):
    """Effect: resume after some seconds. Not after a write of the same turn."""

    seconds: float


Effect = Ask | Turn | Hold | Pause
Steps = Generator[Effect, tuple[Response, ...], Response]
"""How the core answers a request: resumed with () after a Turn, Hold or Pause and with the responses after an Ask."""

Work = Callable[[], Steps]
"""Steps that run beside the requests, for nobody who waits; made anew when what they wrote could not be committed."""


class Notice(msgspec.Struct, frozen=True):
    """A notification in the outbox: written in the transaction of the change that caused it, removed when it is settled.

    target: entry of notificationURI as the subscriber wrote it (URL or resource identifier); order is kept per target.
    rqi: stable over every retry and restart, so that a receiver can recognise a repetition.
    content: ``{"m2m:sgn": {...}}`` or ``{"m2m:agn": {...}}``.
    subscription: ri of the subscription, "" when none is meant.
    created: seconds since the epoch. due: not to be delivered before this time (0: now).
    held: True while batch, rate limit or schedule hold the notice back (cse.notify), and it must not be delivered by itself.
    id: given by the store, ascending in the order of the events; 0 before.
    """

    target: str
    rqi: str
    fr: str
    content: Content
    subscription: str = ""
    ec: int | None = None
    created: float = 0.0
    due: float = 0.0
    held: bool = False
    id: int = 0


_NUMBERS = {"op", "ty", "rcn", "drt", "ec", "gstn"}
_REQUEST = (
    *("op", "to", "fr", "rqi", "rvi", "ty", "pc", "rcn", "fc", "drt", "rt", "rp"),
    *("ot", "rqet", "rset", "oet", "ec", "da", "gid", "grtm", "gstn", "sqi", "vsi"),
)
_RESPONSE = ("rsc", "rqi", "pc", "to", "fr", "rvi", "ot", "ec", "rset", "cnst", "cnot", "vsi")


def request_to_dict(request: Request) -> dict[str, Any]:
    """Give the short-name object of a request (m2m:rqp), as CoAP, MQTT, WebSocket and <request> resources share it."""
    found: dict[str, Any] = {}
    for name in _REQUEST:
        value = getattr(request, name)
        if value is not None:
            found[name] = int(value) if name in _NUMBERS else list(value) if name == "grtm" else value
    return found | dict(request.more)


def request_from_dict(found: Mapping[str, Any]) -> Request:
    """Make the request of a short-name object that ``request_to_dict`` gave."""
    given = {name: value for name, value in found.items() if name in _REQUEST}
    given["op"] = Operation(given["op"])
    if "grtm" in given:
        given["grtm"] = tuple(given["grtm"])
    return Request(**given, more={name: value for name, value in found.items() if name not in given})


def response_to_dict(response: Response) -> dict[str, Any]:
    """Give the short-name object of a response (m2m:rsp), as aggregated responses and the message bindings use it."""
    return {name: int(value) if name == "rsc" else value for name in _RESPONSE if (value := getattr(response, name)) is not None}


def response_from_dict(found: Any) -> Response:
    """Make the response of a short-name object that somebody sent. Raises ValueError saying what is wrong with it."""
    if not isinstance(found, Mapping):
        raise ValueError("m2m:rsp is no object")
    given = {name: value for name, value in found.items() if name in _RESPONSE}
    try:
        return msgspec.convert(given, Response)
    except msgspec.ValidationError as error:
        raise ValueError(f"m2m:rsp is no response: {error}") from error
