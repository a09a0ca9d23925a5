"""Requests for resources of other CSEs: the next hop, and the form in which they leave (TS-0004 7.3.2.6, 7.3.2.8)."""

from msgspec.structs import replace

from cse import reachability
from cse.address import Address, absolute, sp_relative
from cse.codes import Operation, ResourceTypeID
from cse.codes import ResponseStatusCode as RSC
from cse.errors import BadRequest, NotFound, RequestTimeout, TargetNotReachable
from cse.primitives import Ask, Call, Request, Steps
from cse.schema import Host


def forward(host: Host, request: Request, address: Address) -> Steps:
    """Send a transit request to its next hop and give the answer back unchanged but for the request identifier."""
    if request.op == Operation.CREATE and request.ty in (ResourceTypeID.AE, ResourceTypeID.REMOTE_CSE):
        raise BadRequest(f"a registration cannot be forwarded to {request.to}")
    call = outgoing(host, request, address)
    (told,) = yield Ask((call,), host.remaining(request))
    if told.rsc == RSC.TARGET_NOT_REACHABLE and not told.rvi:
        raise TargetNotReachable(f"{address.csi} cannot be reached at {', '.join(call.urls)}")
    if told.rsc == RSC.REQUEST_TIMEOUT and not told.rvi:
        raise RequestTimeout(f"{address.csi} did not answer in time")
    return replace(told, rqi=request.rqi, rvi=told.rvi or request.rvi)


def outgoing(host: Host, request: Request, address: Address) -> Call:
    """Make the request as it leaves this CSE: identifiers valid outside, and where the next hop is.

    Raises NotFound when no route leads there, TargetNotReachable when the next hop is closed by its schedule.
    """
    settings = host.settings
    if refusal := reachability.target_closed(host, host.reader, address.sp + address.csi):
        raise TargetNotReachable(refusal)
    urls = host.routes(address.sp + address.csi)
    if not urls:
        raise NotFound(f"no route leads to {address.sp}{address.csi}")
    originator = sp_relative(request.fr or "", settings.cse_id, settings.sp_id)
    to = "/".join((address.csi, *address.segments))
    if address.sp:
        originator, to = absolute(originator, settings.cse_id, settings.sp_id), address.sp + to
    if address.attribute is not None:
        to = f"{to}#{address.attribute}"
    return Call(replace(request, to=to, fr=originator, rqi=host.fresh()), urls)
