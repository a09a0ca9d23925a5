"""Where an entity without a point of access fetches the requests for it, and answers them (TS-0001 9.6.21, 10.2.5.14; TS-0004 7.4.21, 7.4.22)."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from msgspec.structs import replace

from cse.address import same_entity
from cse.codes import Operation
from cse.codes import ResponseStatusCode as RSC
from cse.datatypes import BOOLEAN
from cse.errors import BadRequest, Conflict, NotFound, OperationNotAllowed, OriginatorHasNoPrivilege
from cse.primitives import POLL, Ask, Call, Request, Response, Steps
from cse.record import Record
from cse.schema import Attribute, Change, Host, ResourceType
from cse.storage.contract import Reader
from resources._common import EXPIRES, LABELS, UNIVERSAL, unannounced

_MOST = 100
"""Requests that one answer of a channel with requestAggregation holds at most."""


def _owned(host: Host, request: Request, parent: Record) -> bool:
    """Tell whether the entity that a channel is for asks itself: policies have no say in it."""
    owner = parent.attributes.get("aei", parent.attributes.get("csi"))
    return same_entity(owner, request.fr, host.settings.cse_id, host.settings.sp_id)


def _authorize(host: Host, _: Reader, request: Request, parent: Record) -> bool:
    return _owned(host, request, parent)


def _on_create(_: Change, draft: dict[str, Any], parent: Record, __: Any) -> None:
    if "channel" in parent.state:
        raise Conflict(f"{parent.path} has a pollingChannel already")


def _on_created(change: Change, record: Record) -> None:
    _link(change, record, record.ri)


def _on_delete(change: Change, record: Record) -> None:
    """Let nobody wait for a channel that is no more."""
    _link(change, record, None)
    change.begin(partial(_close, record.ri))


def _link(change: Change, record: Record, channel: str | None) -> None:
    """Remember at the entity that it is reached by its channel."""
    parent = change.transaction.get(record.pi)
    if parent is not None:
        state = {name: value for name, value in parent.state.items() if name != "channel"}
        change.replace(replace(parent, state={**state, "channel": channel} if channel else state))


def _close(ri: str) -> Steps:
    request = Request(Operation.DELETE, ri)
    yield Ask((Call(request, (f"{POLL}:{ri}:0",)),), 1.0)
    return Response(RSC.DELETED)


def _pcu(host: Host, request: Request, channel: Record, rest: str) -> Steps:
    """Serve the pollingChannelURI: a RETRIEVE waits for something to do, a NOTIFY brings its result."""
    if rest:
        raise NotFound(f"there is nothing below {channel.path}/pcu")
    parent = host.reader.get(channel.pi)
    if parent is None or not _owned(host, request, parent):
        raise OriginatorHasNoPrivilege(f"only the entity that {request.to} is for may use it, not {request.fr or 'nobody'}")
    if request.op not in (Operation.RETRIEVE, Operation.NOTIFY):
        raise OperationNotAllowed(f"{request.op.name} is not possible on {channel.path}/pcu")
    if request.op == Operation.NOTIFY and not (isinstance(request.pc, Mapping) and len(request.pc) == 1 and request.pc.keys() <= {"m2m:rsp", "m2m:agr"}):
        raise BadRequest(f"the NOTIFY to {channel.path}/pcu needs the response to a request that was fetched, m2m:rsp or m2m:agr")
    most = _MOST if channel.attributes.get("rqag") else 1
    (told,) = yield Ask((Call(request, (f"{POLL}:{channel.ri}:{most}",)),), host.remaining(request))
    return replace(told, rqi=request.rqi, rvi=request.rvi)


TYPE = ResourceType(
    ty=15,
    short="m2m:pch",
    name="pollingChannel",
    spec="TS-0001 9.6.21",
    attributes=(
        *UNIVERSAL,
        *unannounced(EXPIRES, LABELS),
        #         short   long                  type     card    create update announce
        Attribute("rqag", "requestAggregation", BOOLEAN, "0..1", "O",   "O",   "NA"),
    ),
    parents=frozenset({"ae", "csr"}),
    virtual={"pcu": _pcu},
    authorize=_authorize,
    on_create=_on_create,
    on_created=_on_created,
    on_delete=_on_delete,
)
