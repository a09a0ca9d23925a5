"""What an answer contains: resultContent and the forms of a tree (TS-0004 7.5.2, TS-0001 8.1.2)."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cse.codes import AccessControlOperation as Right
from cse.codes import ContentStatus, DesIdResType, Operation, ResultContent
from cse.criteria import RELATIVES, Predicate, Relatives, compile_conditions
from cse.errors import BadRequest
from cse.primitives import Request
from cse.record import Record
from cse.schema import Host
from cse.storage.contract import Reader

ALLOWED: Mapping[Operation, frozenset[int]] = {
    Operation.CREATE: frozenset({0, 1, 2, 3, 9}),
    Operation.RETRIEVE: frozenset({1, 4, 5, 6, 7, 8, 10, 11, 12}),
    Operation.UPDATE: frozenset({0, 1, 9}),
    Operation.DELETE: frozenset({0, 1, 4, 5, 6, 8}),
    Operation.NOTIFY: frozenset({0, 1}),
}
"""Values of resultContent for each operation (TS-0001 Table 8.1.2-1)."""

_REFERENCES = frozenset({ResultContent.ATTRIBUTES_AND_CHILD_RESOURCE_REFERENCES, ResultContent.CHILD_RESOURCE_REFERENCES})
_WITH_ATTRIBUTES = frozenset({ResultContent.ATTRIBUTES_AND_CHILD_RESOURCES, ResultContent.ATTRIBUTES_AND_CHILD_RESOURCE_REFERENCES})
CHILDREN = _REFERENCES | _WITH_ATTRIBUTES | {ResultContent.CHILD_RESOURCES}
"""Values of resultContent that show what is below the target."""


@dataclass(frozen=True, slots=True)
class Result:
    """Primitive content with contentStatus and contentOffset where it may be one part of several."""

    pc: Any
    status: int | None = None
    offset: int | None = None


@dataclass(frozen=True, slots=True)
class _Seen:
    """The resources of which an originator may know: conditions on others would tell what is in them. What is hidden or has expired is not there."""

    host: Host
    reader: Reader
    request: Request

    def get(self, ri: str) -> Record | None:
        record = self.reader.get(ri)
        return complete(self.host, record) if record is not None and self._may(record) else None

    def children(self, pi: str) -> Iterator[Record]:
        return (complete(self.host, record) for record in self.reader.children(pi) if self._may(record))

    def _may(self, record: Record) -> bool:
        may = self.host.may
        if self.host.expired(record) or hidden(self.host, self.reader, record):
            return False
        return may(self.reader, self.request, Right.DISCOVERY, record) or may(self.reader, self.request, Right.RETRIEVE, record)


def conditions(host: Host, reader: Reader, request: Request) -> Callable[[Record], bool] | None:
    """Give the test of a request's filter criteria, None when they have no conditions. What its originator may not see is not looked at (TS-0004 7.3.3.14)."""
    test: Predicate | None = compile_conditions(request.fc or {})
    if test is None:
        return None
    known = test
    relatives: Relatives = reader if RELATIVES.isdisjoint(request.fc or {}) else _Seen(host, reader, request)
    return lambda record: known(relatives, complete(host, record))


def complete(host: Host, record: Record) -> Record:
    """Give a resource with the attributes that are known just at the moment of a RETRIEVE."""
    live = host.type_of(record).on_retrieve
    return record if live is None else record.with_attributes(live(host, record))


def representation(host: Host, record: Record, only: frozenset[str] | None = None) -> dict[str, Any]:
    """Give the attributes of a resource, all or ``only`` some, with those that are known just at the moment of a RETRIEVE."""
    found = complete(host, record).attributes
    return dict(found) if only is None else {name: value for name, value in found.items() if name in only}


def wrapped(host: Host, record: Record, only: frozenset[str] | None = None) -> dict[str, Any]:
    """Give a resource as primitive content: ``{"m2m:cnt": {...}}``."""
    return {host.type_of(record).short: representation(host, record, only)}


def created(host: Host, request: Request, record: Record, given: Mapping[str, Any]) -> Any:
    """Shape the answer to a CREATE; ``given`` are the attributes as the originator sent them."""
    match request.rcn:
        case None | ResultContent.ATTRIBUTES:
            return wrapped(host, record)
        case ResultContent.NOTHING:
            return None
        case ResultContent.HIERARCHICAL_ADDRESS:
            return {"m2m:uri": record.path}
        case ResultContent.HIERARCHICAL_ADDRESS_AND_ATTRIBUTES:
            return {"m2m:rce": {"uri": record.path, **wrapped(host, record)}}
        case _:
            changed = {name: value for name, value in record.attributes.items() if name not in given or given[name] != value}
            return _modified(host, record, changed, given, {})


def updated(host: Host, request: Request, record: Record, before: Record, given: Mapping[str, Any]) -> Any:
    """Shape the answer to an UPDATE: with rcn 9 only what the CSE itself changed, added or removed (null)."""
    if request.rcn == ResultContent.NOTHING:
        return None
    if request.rcn != ResultContent.MODIFIED_ATTRIBUTES:
        return wrapped(host, record)
    changed = {name: value for name, value in record.attributes.items() if before.attributes.get(name) != value and (name not in given or given[name] != value)}
    return _modified(host, record, changed, given, before.attributes)


def _modified(host: Host, record: Record, changed: dict[str, Any], given: Mapping[str, Any], before: Mapping[str, Any]) -> Any:
    """Add what the CSE removed, as null: of what was there before or was given, unless the originator itself removed it."""
    removed = {name: None for name in {**before, **given} if name not in record.attributes and not (name in given and given[name] is None)}
    return {host.type_of(record).short: {**changed, **removed}} if changed or removed else None


def tree(host: Host, reader: Reader, request: Request, target: Record) -> Result:
    """Shape the target with its descendants (rcn 4, 5, 6, 8).

    Descendants that the originator may not RETRIEVE, or that are hidden, are left out with what is below them. Filter conditions choose among the others;
    a descendant whose parent was not chosen appears below the nearest ancestor that was. ``lvl`` bounds the depth, ``lim`` and ``ofst`` the number.
    """
    rcn = ResultContent(request.rcn or 0)
    criteria = request.fc or {}
    test = conditions(host, reader, request)
    first = criteria.get("ofst", 1) - 1
    most = min(criteria.get("lim", host.settings.discovery_limit), host.settings.discovery_limit)
    root: dict[str, Any] = {}
    if rcn in _WITH_ATTRIBUTES:
        deleting = request.op == Operation.DELETE
        root = representation(host, target, None if deleting else host.granted_attributes(reader, request, Right.RETRIEVE, target))
    references: list[dict[str, Any]] = []
    shown: dict[str, dict[str, Any]] = {target.ri: root}
    counted, cut = 0, False
    for record, above in _descend(host, reader, request, target, criteria.get("lvl"), ()):
        if test is not None and not test(record):
            continue
        counted += 1
        if counted <= first:
            continue
        if counted > first + most:
            cut = True
            break
        if rcn in _REFERENCES:
            references.append(reference(host, request, record))
            continue
        shown[record.ri] = attributes = representation(host, record, host.granted_attributes(reader, request, Right.RETRIEVE, record))
        nearest = next(shown[ri] for ri in reversed(above) if ri in shown)
        nearest.setdefault(host.type_of(record).short, []).append(attributes)
    pc: Any
    if rcn == ResultContent.CHILD_RESOURCE_REFERENCES:
        pc = {"m2m:rrl": {"rrf": references}}
    else:
        pc = {host.type_of(target).short: {**root, "ch": references} if rcn in _REFERENCES else root}
    return Result(pc, ContentStatus.PARTIAL_CONTENT, first + most + 1) if cut else Result(pc)


def _descend(
    host: Host, reader: Reader, request: Request, target: Record, levels: int | None, above: tuple[str, ...]
) -> Iterator[tuple[Record, tuple[str, ...]]]:
    """Walk the descendants that may be shown, each with the ri of its ancestors up to the target."""
    if levels == 0:
        return
    above = (*above, target.ri)
    for record in reader.children(target.ri):
        if host.expired(record) or hidden(host, reader, record) or not host.may(reader, request, Right.RETRIEVE, record):
            continue
        yield record, above
        if not host.type_of(record).instance:
            yield from _descend(host, reader, request, record, None if levels is None else levels - 1, above)


def hidden(host: Host, reader: Reader, record: Record) -> bool:
    """Tell whether a resource must not be shown, such as instances of a container with disableRetrieval."""
    test = host.type_of(record).hidden
    return test is not None and test(reader, record)


def address(request: Request, record: Record) -> str:
    """Give the CSE-relative identifier in the desired form: structured, or unstructured with drt 2."""
    return record.ri if request.drt == DesIdResType.UNSTRUCTURED else record.path


def reference(host: Host, request: Request, record: Record) -> dict[str, Any]:
    """Give a childResourceRef (TS-0004 6.3.5.29)."""
    found = {"val": address(request, record), "nm": record.rn, "typ": record.ty}
    special = record.attributes.get("cnd", record.attributes.get("mgd"))
    return found if special is None else {**found, "spty": special}


def selected(request: Request, attribute: str | None = None) -> frozenset[str] | None:
    """Give the attributes that a partial RETRIEVE asks for: ``attribute`` from its ``to``, or ``pc`` = attributeList; None for all. Raises BadRequest."""
    if request.pc is None and attribute is None:
        return None
    names: Any = [attribute]
    if attribute is None:
        names = request.pc.get("m2m:atrl") if isinstance(request.pc, Mapping) and len(request.pc) == 1 else None
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise BadRequest('the content of a RETRIEVE must be an attribute list such as {"m2m:atrl": ["lbl"]}')
    if request.rcn not in (None, ResultContent.ATTRIBUTES, ResultContent.ORIGINAL_RESOURCE):
        raise BadRequest(f"rcn {request.rcn} cannot be combined with a choice of attributes")
    return frozenset(names)
