"""The subscriptions that a crossResourceSubscription draws its events from, here and at other CSEs (TS-0001 10.2.16, TS-0004 7.4.58).

A source is ``{"at": SP-relative identifier of the subscription, "own": whether it was made for this purpose}``, a value of JSON. Those of this CSE are made
and taken back in the transaction of the crossResourceSubscription itself. Those of other CSEs are asked for before it, and left by an errand afterwards; an
errand put into the outbox before the first of them is asked leaves them all when the crossResourceSubscription has not come into being, whatever happens.
"""

from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from msgspec.structs import replace

from cse.address import sp_relative
from cse.codes import Operation, ResourceTypeID
from cse.codes import ResponseStatusCode as RSC
from cse.datatypes import timestamp
from cse.errors import CrossResourceOperationFailure, CSEError, NotFound, TargetNotReachable
from cse.primitives import Ask, Call, Effect, Notice, Request, Response, Steps, Turn
from cse.record import Record
from cse.schema import Change, Host

Source = Mapping[str, Any]
Answers = Generator[Effect, tuple[Response, ...], Any]

_SUBSCRIPTION = int(ResourceTypeID.SUBSCRIPTION)


class Target(NamedTuple):
    """One entry of rrat, with the criteria of its subscription, or of srat, without."""

    address: str
    criteria: Mapping[str, Any] | None

    @property
    def own(self) -> bool:
        """True when a subscription is to be made there."""
        return self.criteria is not None


def targets(attributes: Mapping[str, Any]) -> list[Target]:
    """Give the targets in the order of rrat and srat."""
    regular = attributes.get("rrat", ())
    given = attributes.get("encs", {})
    criteria = given.get("encn") or given.get("enc") or []
    if len(criteria) == 1:
        criteria = criteria * len(regular)
    return [*map(Target, regular, criteria), *(Target(address, None) for address in dict.fromkeys(attributes.get("srat", ())))]


def check(host: Host, wanted: Sequence[Target]) -> None:
    """Refuse what is no address. Raises BadRequest."""
    for target in wanted:
        host.remote(target.address)


def identifier(host: Host, ri: str, peer: str = "") -> str:
    """Give the address of a crossResourceSubscription, as it is valid for ``peer``."""
    settings = host.settings
    return f"{settings.sp_id if peer.startswith('//') else ''}{settings.cse_id}/{ri}"


def canonical(host: Host, address: str) -> str:
    """Give the form in which a source is remembered."""
    return sp_relative(address, host.settings.cse_id, host.settings.sp_id)


# --- at this CSE, in the transaction ------------------------------------------------------------------------------------------------------------------------


def join_here(change: Change, ri: str, target: Target, until: str) -> Source:
    """Make or extend the subscription of a target of this CSE, with the rights of the originator. Raises CrossResourceOperationFailure."""
    host, reference = change.host, identifier(change.host, ri)
    try:
        record = host.resolve(change.transaction, target.address)
        if record is None or host.expired(record):
            raise NotFound(f"{target.address} does not exist")
        if target.own:
            content = {"nu": [reference], "acrs": [reference], "enc": target.criteria, "et": until}
            request = _request(change.request, Operation.CREATE, record.ri, {"m2m:sub": content})
            made = host.create(change, request, record, change.transaction.identify("sub", record.ri, _SUBSCRIPTION))
            return {"at": canonical(host, made.ri), "own": True}
        if record.ty != _SUBSCRIPTION:
            raise NotFound(f"{target.address} is no subscription")
        host.update(change, _request(change.request, Operation.UPDATE, record.ri, {"m2m:sub": _with(record.attributes, reference)}), record)
        return {"at": canonical(host, record.ri), "own": False}
    except CrossResourceOperationFailure:
        raise
    except CSEError as error:
        raise _failure(target, int(error.code), str(error)) from error


def _request(request: Request, op: Operation, to: str, pc: Any) -> Request:
    """Give a request of the same originator for something else."""
    ty = _SUBSCRIPTION if op == Operation.CREATE else None
    return Request(op, to, request.fr, request.rqi, request.rvi, ty=ty, pc=pc, peer=request.peer)


def _failure(target: Target, code: int, why: str) -> CrossResourceOperationFailure:
    return CrossResourceOperationFailure(f"{'rrat' if target.own else 'srat'} {target.address!r} could not be subscribed to ({code}): {why}")


def _with(attributes: Mapping[str, Any], reference: str) -> dict[str, Any]:
    return {name: [*(each for each in attributes.get(name, ()) if each != reference), reference] for name in ("nu", "acrs")}


def _without(attributes: Mapping[str, Any], reference: str) -> dict[str, Any]:
    return {name: [each for each in attributes.get(name, ()) if each != reference] or None for name in ("nu", "acrs")}


def leave_here(change: Change, ri: str, source: Source) -> None:
    """Take back what ``join_here`` did; an extended subscription that has no other target any more goes too."""
    record = change.transaction.get(local(change.host, source))
    if record is None:
        return
    changes = _without(record.attributes, identifier(change.host, ri))
    if source["own"] or changes["nu"] is None:
        change.remove(record)
        return
    if "nsi" in record.attributes:
        changes["nsi"] = [each for each in record.attributes["nsi"] if each["tg"] in changes["nu"]]
    change.replace(record.with_attributes({**changes, "lt": change.time}))


def local(host: Host, source: Source) -> str:
    """Give the ri of a source of this CSE, "" for one of another."""
    own = host.settings.cse_id + "/"
    at: str = source["at"]
    return at.removeprefix(own) if at.startswith(own) else ""


# --- at other CSEs ------------------------------------------------------------------------------------------------------------------------------------------


class Journey(NamedTuple):
    """What was asked of other CSEs for one crossResourceSubscription: its ri, the sources by their place among the targets, the errand that would undo it."""

    ri: str
    sources: dict[int, Source]
    journal: Notice | None = None


def _name(ri: str, place: int) -> str:
    return f"{ri}-{place}"


def _errand(change: Change, ri: str, originator: str, sources: list[Source], why: str, patience: float = 0.0) -> Notice:
    """Give the notice of an errand. Its target is no address, only a queue of its own, so that nothing else waits for it."""
    content = {"m2m:crs": {"ri": ri, "fr": originator, "sources": sources}}
    fr = change.host.settings.cse_id
    return Notice(f"{ri}/{why}", change.host.fresh(), fr, content, created=change.seconds, due=change.seconds + patience if patience else 0.0)


def join_there(host: Host, request: Request, ri: str, wanted: Sequence[Target], until: str | None) -> Answers:
    """Make or extend the subscriptions at other CSEs, all at the same time; give the Journey. Raises CrossResourceOperationFailure."""
    places = [place for place, target in enumerate(wanted) if host.remote(target.address)]
    if not places:
        return Journey(ri, {})
    until = until or timestamp(host.now() + host.settings.default_expiration)
    sources = {place: _expected(ri, place, wanted[place]) for place in places}
    yield Turn.WRITE
    with host.write(request) as change:
        errand = _errand(change, ri, request.fr or "", list(sources.values()), "joining", 4 * host.settings.request_timeout)
        journey = Journey(ri, sources, change.transaction.enqueue(errand))
    with host.expecting(ri, request.fr or ""):
        try:
            questions = [_question(host, request, ri, place, wanted[place], until) for place in places]
            told = yield from _asked(host, questions, host.remaining(request))
            found = {place: _found(host, wanted[place], answer) for place, answer in zip(places, told, strict=True)}
            extended = [place for place in places if not wanted[place].own]
            pages = [{"m2m:sub": _with(found[place], identifier(host, ri, wanted[place].address))} for place in extended]
            changes = [_request(request, Operation.UPDATE, wanted[place].address, page) for place, page in zip(extended, pages, strict=True)]
            for place, answer in zip(extended, (yield from _asked(host, changes, host.remaining(request))), strict=True):
                _found(host, wanted[place], answer)
        except CrossResourceOperationFailure:
            yield from undo(host, request, journey)
            raise
    return journey._replace(sources={place: {**sources[place], "at": _at(host, sources[place]["at"], found[place])} for place in places})


def _expected(ri: str, place: int, target: Target) -> Source:
    return {"at": f"{target.address}/{_name(ri, place)}" if target.own else target.address, "own": target.own}


def _question(host: Host, request: Request, ri: str, place: int, target: Target, until: str) -> Request:
    if not target.own:
        return _request(request, Operation.RETRIEVE, target.address, None)
    reference = identifier(host, ri, target.address)
    content = {"rn": _name(ri, place), "nu": [reference], "acrs": [reference], "enc": target.criteria, "et": until}
    return _request(request, Operation.CREATE, target.address, {"m2m:sub": content})


def _asked(host: Host, requests: Sequence[Request], seconds: float) -> Answers:
    """Send requests to other CSEs at the same time; one that no route leads to, or whose CSE is closed, is answered with 5103."""
    calls: list[Call | None] = []
    for request in requests:
        try:
            calls.append(host.outgoing(request))
        except (NotFound, TargetNotReachable):
            calls.append(None)
    sent = tuple(call for call in calls if call is not None)
    told: Iterator[Response] = iter((yield Ask(sent, seconds)) if sent else ())
    return [Response(RSC.TARGET_NOT_REACHABLE) if call is None else next(told) for call in calls]


def _found(host: Host, target: Target, answer: Response) -> Mapping[str, Any]:
    """Give the attributes of the subscription in an answer. Raises CrossResourceOperationFailure."""
    content = answer.pc if isinstance(answer.pc, Mapping) else {}
    if not answer.ok:
        raise _failure(target, int(answer.rsc), str(content.get("m2m:dbg", "its CSE refused it or cannot be reached")))
    found = content.get("m2m:sub", {})
    if not isinstance(found, Mapping) or (not target.own and "nu" not in found):
        raise _failure(target, int(answer.rsc), "it is no subscription")
    return found


def _at(host: Host, address: str, found: Mapping[str, Any]) -> str:
    """Give the identifier of a subscription at another CSE: its ri, or the address it was asked for at when the answer does not tell."""
    there = found.get("ri")
    if not isinstance(there, str) or not there or there.startswith("/"):
        there = there or address
        return canonical(host, str(there))
    return canonical(host, "/".join([*address.split("/")[: 4 if address.startswith("//") else 2], there]))


def undo(host: Host, request: Request, journey: Journey) -> Answers:
    """Take back at other CSEs what ``join_there`` did; what cannot be reached now is left to its errand."""
    if journey.journal is None:
        return
    told = yield from leave_there(host, journey.ri, request.fr or "", list(journey.sources.values()))
    if told.ok:
        yield Turn.WRITE
        with host.write(request) as change:
            change.transaction.drop([journey.journal.id])


def errand(host: Host, content: Mapping[str, Any]) -> Steps:
    """Leave the sources at other CSEs, unless the crossResourceSubscription is there."""
    if host.reader.get(content["ri"]) is not None:
        return Response(RSC.OK)
    return (yield from leave_there(host, content["ri"], content["fr"], content["sources"]))


def depart(change: Change, record: Record) -> None:
    """Leave all sources of a crossResourceSubscription that is deleted."""
    sources = record.state["sources"]
    there = [source for source in sources if not local(change.host, source)]
    for source in sources:
        if source not in there:
            leave_here(change, record.ri, source)
    if there:
        change.transaction.enqueue(_errand(change, record.ri, record.originator, there, "leaving"))


def leave_there(host: Host, ri: str, originator: str, sources: Sequence[Source]) -> Steps:
    """Take back what ``join_there`` did, all at the same time; may be done again. Give the worst answer, 2000 when nothing is left to do."""

    def request(op: Operation, source: Source, pc: Any = None) -> Request:
        return Request(op, source["at"], originator, host.fresh(), host.settings.release, pc=pc)

    seconds = host.settings.request_timeout
    told = yield from _asked(host, [request(Operation.DELETE if source["own"] else Operation.RETRIEVE, source) for source in sources], seconds)
    answers: list[Response] = list(told)
    changes: list[Request] = []
    for source, answer in zip(sources, told, strict=True):
        found = answer.pc.get("m2m:sub") if isinstance(answer.pc, Mapping) else None
        if source["own"] or not answer.ok or not isinstance(found, Mapping):
            continue
        reference = identifier(host, ri, source["at"])
        if reference in (*found.get("nu", ()), *found.get("acrs", ())):
            left = _without(found, reference)
            changes.append(request(Operation.UPDATE, source, {"m2m:sub": left}) if left["nu"] else request(Operation.DELETE, source))
    answers += yield from _asked(host, changes, seconds)
    failed = [answer for answer in answers if not answer.ok and answer.rsc != RSC.NOT_FOUND]
    return failed[0] if failed else Response(RSC.OK)


def extend(host: Host, request: Request, record: Record, until: str | None) -> Answers:
    """Let the subscriptions made at other CSEs live as long as the crossResourceSubscription. Raises CrossResourceOperationFailure."""
    own = [source for source in record.state["sources"] if source["own"] and not local(host, source)]
    if own:
        asking = replace(request, fr=record.originator)
        pages = [_request(asking, Operation.UPDATE, source["at"], {"m2m:sub": {"et": until}}) for source in own]
        for source, answer in zip(own, (yield from _asked(host, pages, host.remaining(request))), strict=True):
            _found(host, Target(source["at"], {}), answer)
