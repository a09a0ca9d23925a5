"""The query of a request, which HTTP and CoAP share: parameters and filter criteria as key and values (TS-0009 6.2.2.2, TS-0008 6.2.3).

A binding splits its query into keys and values and undoes its own encoding; here the texts get the types of their parameters, and back.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from cse.codes import Operation
from cse.errors import BadRequest
from cse.primitives import Request

_SHORT_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,31}").fullmatch
_TRUTHS = {"true": True, "1": True, "false": False, "0": False}
_CONDITIONS = {"c.": "catr", "p.": "patr"}
_NEVER = frozenset({"atr", "catr", "patr", "fc"})
"""Filter criteria whose own names stand in no query: that of the attribute does."""


def quoted(text: str) -> str:
    """Give a text of the sender for an error sentence, shortened."""
    return repr(text) if len(text) <= 60 else repr(text[:60]) + "..."


def text_of(name: str, text: str) -> str:
    """Give a text that is not empty. Raises BadRequest naming ``name``."""
    if not text:
        raise BadRequest(f"{name} has an empty value")
    return text


def number_of(name: str, text: str) -> int:
    """Read a whole number below 10^18. Raises BadRequest naming ``name``."""
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise BadRequest(f"{name} is {quoted(text)}, which is no whole number")
    return int(text)


def truth_of(name: str, text: str) -> bool:
    """Read true, false, 1 or 0. Raises BadRequest naming ``name``."""
    if text not in _TRUTHS:
        raise BadRequest(f"{name} is {quoted(text)}, neither true nor false")
    return _TRUTHS[text]


def moment(name: str, text: str) -> str | int:
    """Read an absRelTimestamp: digits are milliseconds, anything else a timestamp that the core judges (TS-0004 6.3.3). Raises BadRequest when empty."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else text_of(name, text)


class _Slot(NamedTuple):
    """Where a value goes: ``place`` is "" for a parameter of the request, else the parameter it is a member of."""

    place: str
    name: str
    convert: Callable[[str, str], Any]
    many: bool


_SLOTS: Mapping[str, _Slot] = {
    name: _Slot(place, {"rt": "rtv", "atrl": "m2m:atrl"}.get(name, name), convert, many)
    for place, convert, many, names in (
        ("", number_of, False, "rcn drt gstn"),
        ("", truth_of, False, "da sqi"),
        ("", moment, False, "rp"),
        ("rt", number_of, False, "rt"),
        ("pc", text_of, True, "atrl"),
        ("more", text_of, True, "rids tids ltids tkns"),
        ("more", truth_of, False, "tqi asi auri"),
        ("fc", text_of, False, "crb cra ms us exb exa cfq lbq arp geom"),
        ("fc", number_of, False, "sts stb sza szb fu lim fo cfs lvl ofst ops gmty gsf"),
        ("fc", text_of, True, "lbl clbl palb cty smf"),
        ("fc", number_of, True, "ty chty pty"),
    )
    for name in names.split()
}


def parameters() -> Iterator[tuple[str, Callable[[str, str], Any], bool]]:
    """Give every parameter that a query may hold beside attributes to match: its name, what reads one value of it, and whether there may be many."""
    for name, slot in _SLOTS.items():
        yield name, slot.convert, slot.many


def read(pairs: Iterable[tuple[str, list[str]]]) -> dict[str, Any]:
    """Give the fields of a Request that a query holds: its parameters, and ``fc``, ``rt``, ``more`` and ``pc`` (m2m:atrl) where it has parts of them.

    A pair is a key and the texts that ``+`` joined behind it; keys may come again where there may be many values. A key that is no parameter is the short
    name of an attribute to match, with ``c.`` or ``p.`` before it one of a child or of the parent. Raises BadRequest that names the key.
    """
    found: dict[str, Any] = {}
    for key, texts in pairs:
        name = f"the query parameter {quoted(key)}"
        slot = _SLOTS.get(key)
        if slot is None:
            _read_condition(key, texts, found)
            continue
        fields = found.setdefault(slot.place, {}) if slot.place else found
        if slot.many:
            fields.setdefault(slot.name, []).extend(slot.convert(name, text) for text in texts)
        elif slot.name in fields:
            raise BadRequest(f"{name} occurs more than once")
        else:
            fields[slot.name] = slot.convert(name, "+".join(texts))
    return found


def _read_condition(key: str, texts: list[str], found: dict[str, Any]) -> None:
    kind = _CONDITIONS.get(key[:2], "atr")
    short = key if kind == "atr" else key[2:]
    if not _SHORT_NAME(short) or key in _NEVER:
        raise BadRequest(f"{quoted(key)} is no query parameter and no short name of an attribute")
    found.setdefault("fc", {}).setdefault(kind, {}).setdefault(short, []).extend(texts)


_WRITTEN = tuple((key, slot.place, slot.name) for key, slot in _SLOTS.items() if slot.place != "fc")
_PLAIN = tuple(written for written in _WRITTEN if not written[1])
"""What notifications have, and most other requests: parameters that are no parts of others."""


def write(request: Request) -> Iterator[tuple[str, list[str]]]:
    """Give key and values of every parameter of a request that stands in its query. Raises BadRequest for a filter criterion that has no form there."""
    names = attribute_list(request)
    places: dict[str, Mapping[str, Any]] = {"rt": request.rt or {}, "more": request.more, "pc": {"m2m:atrl": names} if names is not None else {}}
    for key, place, name in _WRITTEN if any(places.values()) else _PLAIN:
        value = places[place].get(name) if place else getattr(request, name)
        if value is not None:
            yield key, _texts(value)
    for name, value in (request.fc or {}).items():
        if name in ("atr", "catr", "patr"):
            conditions = value.items() if isinstance(value, Mapping) else ((each["nm"], each["val"]) for each in value)
            for short, values in conditions:
                yield ("" if name == "atr" else f"{name[0]}.") + short, _texts(values)
        elif name in _SLOTS and _SLOTS[name].place == "fc":
            yield name, _texts(value)
        else:
            raise BadRequest(f"the filter criterion {name!r} has no form in a query")


def attribute_list(request: Request) -> list[str] | None:
    """Give the names of a partial RETRIEVE, which stand in the query and not in the payload; None for any other request."""
    if request.op is Operation.RETRIEVE and isinstance(request.pc, Mapping) and list(request.pc) == ["m2m:atrl"]:
        return list(request.pc["m2m:atrl"])
    return None


def _texts(value: Any) -> list[str]:
    return [one_text(part) for part in (value if isinstance(value, list | tuple) else (value,))]


def one_text(value: Any) -> str:
    """Write one value of a parameter as text: true and false for truth values, numbers in digits."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else str(int(value) if isinstance(value, int) else value)
