"""Discovery: which descendants match the filter criteria and may be discovered (TS-0001 10.2.6, TS-0004 7.3.3.14)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from cse.codes import AccessControlOperation as Right
from cse.codes import AERegistrationStatus, ContentStatus, FilterOperation, ResultContent
from cse.criteria import HANDLING, attribute_pairs, least
from cse.errors import BadRequest
from cse.primitives import Request
from cse.record import Record
from cse.results import Result, address, conditions, hidden, reference
from cse.schema import Host
from cse.storage.contract import Query, Reader


@dataclass(frozen=True, slots=True)
class Found:
    """One hit: the resource, and when ``arp`` led to a virtual child of it the name of that, with the type of the instance behind ``la`` and ``ol``."""

    record: Record
    virtual: str = ""
    instance: int | None = None


def discover(host: Host, reader: Reader, request: Request, target: Record) -> Result:
    """Answer a RETRIEVE with filterUsage 1: m2m:uril, or m2m:rrl with rcn 6, at most ``lim`` and the CSE's own limit of hits from ``ofst`` on."""
    if request.rcn not in (None, ResultContent.CHILD_RESOURCE_REFERENCES, ResultContent.DISCOVERY_RESULT_REFERENCES):
        raise BadRequest(f"rcn {request.rcn} is not allowed for discovery; use 6, 11 or none")
    criteria = request.fc or {}
    first = criteria.get("ofst", 1) - 1
    most = min(criteria.get("lim", host.settings.discovery_limit), host.settings.discovery_limit)
    hits: list[Found] = []
    cut = False
    for counted, hit in enumerate(_hits(host, reader, request, target, criteria)):
        if counted < first:
            continue
        if len(hits) == most:
            cut = True
            break
        hits.append(hit)
    pc: Any
    if request.rcn == ResultContent.CHILD_RESOURCE_REFERENCES:
        pc = {"m2m:rrl": {"rrf": [_reference(host, request, hit) for hit in hits]}}
    else:
        pc = {"m2m:uril": [_address(request, hit) for hit in hits]}
    return Result(pc, ContentStatus.PARTIAL_CONTENT, first + most + 1) if cut else Result(pc)


def _address(request: Request, hit: Found) -> str:
    found = address(request, hit.record)
    return f"{found}/{hit.virtual}" if hit.virtual else found


def _reference(host: Host, request: Request, hit: Found) -> dict[str, Any]:
    found = reference(host, request, hit.record)
    if hit.virtual:
        found |= {"val": _address(request, hit), "nm": hit.virtual}
    return found if hit.instance is None else {"val": found["val"], "nm": found["nm"], "typ": hit.instance}


def _hits(host: Host, reader: Reader, request: Request, target: Record, criteria: Mapping[str, Any]) -> Iterator[Found]:
    test = conditions(host, reader, request)
    relative = criteria.get("arp")
    alive = {target.ri}
    for record in candidates(reader, target, criteria):
        if test is not None and not test(record):
            continue
        hit: Found | None = Found(record) if relative is None else _apply(host, reader, record, relative)
        if hit is None or hidden(host, reader, hit.record) or _gone(host, reader, hit.record, alive):
            continue
        if host.may(reader, request, Right.DISCOVERY, hit.record):
            yield hit


def _apply(host: Host, reader: Reader, record: Record, relative: str) -> Found | None:
    """Follow applyRelativePath from a hit; a path that leads nowhere drops it."""
    *above, last = relative.strip("/").split("/")
    place: Record | None = record
    for name in above:
        place = None if place is None else reader.child(place.ri, name)
    if place is None:
        return None
    if last not in host.type_of(place).virtual:
        child = reader.child(place.ri, last)
        return None if child is None else Found(child)
    if last not in _EDGES:
        return Found(place, last)
    newest = _newest(host, reader, place)
    return None if newest is None else Found(place, last, newest.ty)


_EDGES = frozenset({"la", "ol"})


def _newest(host: Host, reader: Reader, record: Record) -> Record | None:
    """Give an instance that ``la`` or ``ol`` of a container may lead to, None when there is none that may be shown."""
    instances = frozenset(ty for ty in host.numbers if (kind := host.type_named(ty)) is not None and kind.instance)
    newest = next((found for found in reader.children(record.ri, instances) if not host.expired(found)), None)
    return None if newest is None or hidden(host, reader, newest) else newest


def _gone(host: Host, reader: Reader, record: Record, alive: set[str]) -> bool:
    """Tell whether the resource, or what it is below, has expired or is an AE whose registrationStatus is INACTIVE.

    alive: ri of the target of the request and of what was found below it and not gone; parents of a resource that is not are added.
    """
    place: Record | None = record
    above: list[str] = []
    while place is not None and place.ri not in alive:
        if place.attributes.get("regs") == AERegistrationStatus.INACTIVE or host.expired(place):
            return True
        above.append(place.pi)
        place = reader.get(place.pi)
    alive.update(above)
    return False


def candidates(reader: Reader, target: Record, criteria: Mapping[str, Any]) -> Iterator[Record]:
    """Give what can match, by what stores have indexed; with OR the union over the conditions, without repetition."""
    base = Query(under=target.path, depth=criteria.get("lvl"))
    if criteria.get("fo", FilterOperation.AND) == FilterOperation.AND:
        yield from reader.find(narrowed(base, criteria))
        return
    queries = [narrowed(base, condition) for name, value in criteria.items() if name not in HANDLING for condition in _single(name, value)]
    if not queries or base in queries or criteria["fo"] == FilterOperation.XOR:
        yield from reader.find(base)
        return
    seen: set[str] = set()
    for query in queries:
        for record in reader.find(query):
            if record.ri not in seen:
                seen.add(record.ri)
                yield record


def _single(name: str, value: Any) -> Iterator[dict[str, Any]]:
    """Give each condition by itself: attributes that are matched are one condition each."""
    if name == "atr":
        yield from ({name: {short: values}} for short, values in attribute_pairs(value).items())
    else:
        yield {name: value}


def narrowed(query: Query, criteria: Mapping[str, Any]) -> Query:
    """Add to a query what a set of conditions, all of which must hold, asks of indexed attributes."""
    if "ty" in criteria:
        query = replace(query, types=frozenset(criteria["ty"]))
    if labels := criteria.get("lbl"):
        if any("*" in label for label in labels):
            prefixes = frozenset(label.partition("*")[0] for label in labels)
            query = query if "" in prefixes else replace(query, label_prefixes=prefixes)
        else:
            query = replace(query, labels=frozenset(labels))
    equals = tuple(
        (name, values[0])
        for name, values in attribute_pairs(criteria.get("atr", {})).items()
        if len(values) == 1 and isinstance(values[0], str) and "*" not in values[0] and name in _TEXTS
    )
    return replace(
        query,
        equals=equals,
        created=(least(criteria.get("cra")), least(criteria.get("crb"))),
        modified=(least(criteria.get("ms")), least(criteria.get("us"))),
        expires=(least(criteria.get("exa")), least(criteria.get("exb"))),
        size=(criteria.get("sza"), criteria.get("szb")),
    )


_TEXTS = frozenset({"rn", "ri", "pi", "cr", "api", "aei", "apn", "cnd"})
"""Attributes that are always one text, so that equality in a store means what it means here."""
