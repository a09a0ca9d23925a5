"""Records and notices as rows of the SQLite store, and back."""

from collections.abc import Callable, Mapping
from operator import itemgetter
from typing import Any, Final, NamedTuple

import orjson

from cse.primitives import Notice
from cse.record import Record
from cse.storage.matching import LAST, generation, moment, timestamp

Kept = tuple[Record, int, int]
"""A resource with its number and that of its parent."""

Row = tuple[Any, ...]

RESOURCE = "number, parent, ty, ri, pi, rn, path, originator, attributes, state"
INSTANCE = "number, parent, ty, ri, rn, ct, lt, et, shape, body"
NOTICE = "id, target, subscription, held, body"

_RAW, _SECONDS, _MICROSECONDS = 0, 1, 2
_GENERIC = 0
_MOST_SHAPES = 4096
_OWN: Final = ("ty", "ri", "pi", "rn")
"""Attributes that a record has twice: they are not stored when they are what they should be."""


class Shape(NamedTuple):
    """What the bodies of similar instances have in common: names of the attributes in order, and where ct, et and lt come from.

    ct, et: from their column without or with decimals, or as they are in the body. lt_is_ct: lt is not stored. state: the body has one.
    """

    names: tuple[str, ...]
    ct: int
    et: int
    lt_is_ct: bool
    state: bool

    @property
    def stored(self) -> tuple[str, ...]:
        """Names of the attributes in the body."""
        left_out = {*_OWN, *(("ct",) if self.ct else ()), *(("et",) if self.et else ()), *(("lt",) if self.lt_is_ct else ())}
        return tuple(name for name in self.names if name not in left_out)


class Codec:
    """Rows of one store. It learns the shapes of instances and the prefixes of their identifiers; both are saved beside the rows.

    ``shapes`` and ``prefixes`` only grow.
    """

    def __init__(self, instances: frozenset[int]) -> None:
        self.instances = instances
        self.prefixes: dict[int, str] = {}
        self.shapes: list[Shape] = []
        self._numbers: dict[tuple[Any, ...], int] = {}
        self._stored: list[tuple[str, ...]] = []
        self._values: list[Callable[[Mapping[str, Any]], tuple[Any, ...]]] = []

    def learn(self, shape: Shape) -> int:
        """Give the number of a shape, from 1."""
        self.shapes.append(shape)
        stored = shape.stored
        self._stored.append(stored)
        self._values.append(itemgetter(*stored) if len(stored) > 1 else lambda attributes: tuple(attributes[name] for name in stored))
        self._numbers[shape] = len(self.shapes)
        return len(self.shapes)

    def learn_saved(self, content: str) -> None:
        """Take over a shape that an earlier process learned; they come in order."""
        names, *rest = orjson.loads(content)
        self.learn(Shape(tuple(names), *rest))

    def saved(self, number: int) -> str:
        """Give a shape as it is saved."""
        return orjson.dumps(list(self.shapes[number - 1])).decode()

    def derived(self, ty: int, parent: int, number: int) -> str:
        """Give the identifier of an instance that has none of its own: ``cin12-345``."""
        return f"{self.prefixes[ty]}{parent}-{number}"

    def parse(self, ri: str) -> tuple[int, int] | None:
        """Give parent and number of the instance whose derived identifier this may be."""
        head, dash, number = ri.rpartition("-")
        if not dash or not number.isdecimal() or len(number) > 18:
            return None
        for ty, prefix in self.prefixes.items():
            parent = head[len(prefix) :]
            if head.startswith(prefix) and parent.isdecimal() and len(parent) <= 18 and self.derived(ty, int(parent), int(number)) == ri:
                return int(parent), int(number)
        return None

    # ── instances ──

    def encode(self, kept: Kept) -> Row:
        """Give the row of an instance in the order of INSTANCE, then generated. Raises TypeError for values that JSON cannot have."""
        record, number, parent = kept
        attributes, ty, ri, rn = record.attributes, record.ty, record.ri, record.rn
        get = attributes.get
        ct, lt, et = get("ct"), get("lt"), get("et")
        ct_number, et_number = moment(ct), moment(et)
        shape = _GENERIC
        if get("ty") == ty and get("ri") == ri and get("pi") == record.pi and get("rn") == rn:
            kind = (tuple(attributes), _form(ct, ct_number), _form(et, et_number), ct is not None and lt == ct, bool(record.state))
            shape = self._numbers.get(kind) or (self.learn(Shape(*kind)) if len(self.shapes) < _MOST_SHAPES else _GENERIC)
        if shape:
            values = self._values[shape - 1](attributes)
            body = [record.originator, record.state, *values] if record.state else [record.originator, *values]
        else:
            body = [record.originator, record.state, attributes]
        own_ri = None if ty in self.prefixes and ri == self.derived(ty, parent, number) else ri
        own_rn = None if rn == ri else rn
        changed = None if lt == ct else moment(lt)
        return (number, parent, ty, own_ri, own_rn, ct_number, changed, et_number, shape, orjson.dumps(body).decode(), generation(record))

    def decode(self, row: Row, parent: Record) -> Kept:
        """Give the instance of a row whose parent this is."""
        number, parent_number, ty, ri, rn, ct, _, et, shape_number, body = row
        values = orjson.loads(body)
        if ri is None:
            ri = self.derived(ty, parent_number, number)
        if rn is None:
            rn = ri
        path = f"{parent.path}/{rn}"
        if shape_number == _GENERIC:
            originator, state, attributes = values
            return Record(ty, ri, parent.ri, rn, path, attributes, originator, state), number, parent_number
        shape = self.shapes[shape_number - 1]
        attributes = dict.fromkeys(shape.names)
        attributes["ty"], attributes["ri"], attributes["pi"], attributes["rn"] = ty, ri, parent.ri, rn
        if shape.ct:
            attributes["ct"] = timestamp(ct, shape.ct == _MICROSECONDS)
        if shape.et:
            attributes["et"] = timestamp(et, shape.et == _MICROSECONDS)
        attributes.update(zip(self._stored[shape_number - 1], values[2 if shape.state else 1 :], strict=True))
        if shape.lt_is_ct:
            attributes["lt"] = attributes["ct"]
        return Record(ty, ri, parent.ri, rn, path, attributes, values[0], values[1] if shape.state else {}), number, parent_number


def _form(text: Any, number: int | None) -> int:
    if number is None or number == LAST:
        return _RAW
    length = len(text)
    return _MICROSECONDS if length == 22 else _SECONDS if length == 15 else _RAW


def resource_row(kept: Kept) -> Row:
    """Give the row of any other resource in the order of RESOURCE, then due, ct, lt and et."""
    record, number, parent = kept
    attributes = record.attributes
    times = (moment(attributes.get("ct")), moment(attributes.get("lt")), moment(attributes.get("et")))
    return (number, parent, record.ty, record.ri, record.pi, record.rn, record.path, record.originator, _json(attributes), *_state(record), *times)


def resource_change(kept: Kept) -> Row:
    """Give what a replaced resource may have new, beside its times: originator, attributes, state, due; then its number."""
    record, number, _ = kept
    return (record.originator, _json(record.attributes), *_state(record), number)


def resource_of(row: Row) -> Kept:
    """Give the resource of a row."""
    number, parent, ty, ri, pi, rn, path, originator, attributes, state = row
    return Record(ty, ri, pi, rn, path, orjson.loads(attributes), originator, orjson.loads(state) if state else {}), number, parent


def notice_row(notice: Notice) -> Row:
    """Give the row of an outbox entry in the order of NOTICE."""
    body = [notice.rqi, notice.fr, notice.content, notice.ec, notice.created, notice.due]
    return (notice.id, notice.target, notice.subscription, notice.held, orjson.dumps(body).decode())


def notice_of(row: Row) -> Notice:
    """Give the outbox entry of a row."""
    id_, target, subscription, held, body = row
    rqi, fr, content, ec, created, due = orjson.loads(body)
    return Notice(target, rqi, fr, content, subscription, ec, created, due, bool(held), id_)


def _json(value: Mapping[str, Any]) -> str:
    return orjson.dumps(value).decode()


def _state(record: Record) -> tuple[str | None, float | None]:
    return (_json(record.state), record.state.get("due")) if record.state else (None, None)
