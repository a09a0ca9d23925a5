"""The compatibility profile: requests in the dialects of other platforms are made what the standard wants, and each leniency is told and counted.

A leniency is a pure function from a request as it came to one as it should be. What only the core can find out stands in the peer of the request, as a check
that is waived (cse.primitives.Waivable). Requests that the profile is not on for are never looked at.
"""

import logging
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import Any

from msgspec.structs import replace

from bindings.ports import Lenient
from cse.codes import Operation, ResourceTypeID
from cse.config import setting
from cse.criteria import text_test
from cse.datatypes import DataType
from cse.primitives import Request, Waivable
from cse.schema import Attribute, ResourceType

log = logging.getLogger(__name__)

_TRUTHS = {"true": True, "1": True, "false": False, "0": False}
_whole = re.compile(r"-?[0-9]{1,20}").fullmatch
_decimal = re.compile(r"-?[0-9]{1,40}(?:\.[0-9]{1,40})?(?:[eE][+-]?[0-9]{1,3})?").fullmatch
_user_and_password = re.compile(r"([^/:*\s]+):[^/:*\s]+").fullmatch
_NOT_IN_STEM = re.compile(r"[^A-Za-z0-9._-]")


@dataclass(frozen=True, slots=True)
class Profile:
    """For whom the compatibility profile is on."""

    http: bool = setting(False, "Serve the dialects of other platforms to everybody over HTTP.")
    coap: bool = setting(False, "Serve the dialects of other platforms to everybody over CoAP.")
    originators: tuple[str, ...] = setting((), "Originators that are served so over every listener, as they write themselves; * stands for any text.")
    aliases: tuple[str, ...] = setting((), "Who they are here, each 'ORIGINATOR NAME', such as 'admin:admin CAdmin'; it is no authentication.")


def alias_table(entries: Iterable[str]) -> dict[str, str]:
    """Read entries of the form ``ORIGINATOR NAME``. Raises ValueError naming the position of one that is not, never its text: it may hold a password."""
    found = {}
    for position, entry in enumerate(entries, 1):
        words = entry.split(" ")
        if len(words) != 2 or not all(words):
            raise ValueError(f"entry {position} of the aliases is not of the form 'ORIGINATOR NAME'")
        found[words[0]] = words[1]
    return found


@dataclass(frozen=True, slots=True)
class Facts:
    """What the leniencies know of the CSE.

    tables: the attributes of every resource type by its root name. fresh: gives a unique request identifier. exists: whether a local resource has an address.
    """

    cse_id: str
    cse_name: str
    release: str
    tables: Mapping[str, Mapping[str, Attribute]]
    fresh: Callable[[], str]
    exists: Callable[[str], bool]
    aliases: Mapping[str, str]


def tables_of(types: Iterable[ResourceType]) -> dict[str, dict[str, Attribute]]:
    """Give the attributes of resource types by root name; of two with the same root, of the one that requests create."""
    return {kind.short: {row.short: row for row in kind.attributes} for kind in sorted(types, key=lambda kind: kind.api_create)}


def entity(originator: str, aliases: Mapping[str, str]) -> str:
    """Give who an originator is here: its alias, and for ``user:password``, which can be no AE-ID, ``Cuser-`` and 16 digits of the SHA-256 of the whole.

    Other users and other passwords are other entities, and no password shows in the tree.
    """
    known = aliases.get(originator)
    if known is not None:
        return known
    found = _user_and_password(originator)
    return f"C{_NOT_IN_STEM.sub('', found[1])}-{sha256(originator.encode()).hexdigest()[:16]}" if found else originator


# --- the leniencies -----------------------------------------------------------------------------------------------------------------------------------------


def _identifier(request: Request, facts: Facts) -> Request:
    return request if request.rqi else replace(request, rqi=facts.fresh())


def _release(request: Request, facts: Facts) -> Request:
    return request if request.rvi else replace(request, rvi=facts.release)


def _originator(request: Request, facts: Facts) -> Request:
    found = _walked(request, facts, partial(_entities, facts.aliases))
    who = request.fr and entity(request.fr, facts.aliases)
    return found if who == request.fr else replace(found, fr=who)


def _entities(aliases: Mapping[str, str], kind: DataType, long: str, value: Any) -> Any:
    return entity(value, aliases) if type(value) is str and (kind.name == "ID" or long == "accessControlOriginators") else value


def _address(request: Request, facts: Facts) -> Request:
    """Read what stands behind the CSE-ID as a path from the CSEBase or as an identifier, whichever is there, and a CSEBase behind ``/~/`` as such."""
    to, own = request.to, facts.cse_id[1:]
    head, _, rest = to.removeprefix("/").partition("/")
    if to[:1] == "/" and head in (facts.cse_name, "-") and head != own:
        return replace(request, to=to[1:])
    if head != own or not rest:
        return request
    first = rest.partition("/")[0]
    prefixes = (to[: -len(rest)], f"/{own}/", "-/")
    chosen = next((prefix for prefix in prefixes if facts.exists(prefix + first)), prefixes[0])
    return request if chosen == prefixes[0] else replace(request, to=chosen + rest)


def _name(request: Request, facts: Facts) -> Request:
    name = request.more.get("nm")
    body = _content(request) if request.op is Operation.CREATE and name is not None else None
    return request if body is None or "rn" in body[1] else replace(request, pc={body[0]: {**body[1], "rn": name}})


def _supported_releases(request: Request, facts: Facts) -> Request:
    body = _content(request) if request.op is Operation.CREATE and request.ty == ResourceTypeID.AE else None
    return request if body is None or body[0] != "m2m:ae" or "srv" in body[1] else replace(request, pc={body[0]: {**body[1], "srv": [request.rvi]}})


def _lists(request: Request, facts: Facts) -> Request:
    def listed(kind: DataType, long: str, value: Any) -> Any:
        return value if kind.item is None or value is None or type(value) is list else [value]

    return _walked(request, facts, listed)


def _values(request: Request, facts: Facts) -> Request:
    def valued(kind: DataType, long: str, value: Any) -> Any:
        if type(value) is str:
            wanted = kind.schema.get("type")
            if wanted == "boolean":
                return _TRUTHS.get(value.lower(), value)
            if wanted in ("integer", "number") and _whole(value):
                return int(value)
            if wanted == "number" and _decimal(value):
                return float(value)
        return value

    return _walked(request, facts, valued)


def _content(request: Request) -> tuple[str, dict[str, Any]] | None:
    """Give root and attributes of a request with content, None for one that has none of that form."""
    if type(request.pc) is dict and len(request.pc) == 1:
        ((root, attributes),) = request.pc.items()
        if type(attributes) is dict:
            return root, attributes
    return None


def _walked(request: Request, facts: Facts, change: Callable[[DataType, str, Any], Any]) -> Request:
    """Replace the values of a CREATE or UPDATE by what ``change`` makes of data type, long name and value; the very request when they stay as they are."""
    body = _content(request) if request.op in (Operation.CREATE, Operation.UPDATE) else None
    table = facts.tables.get(body[0]) if body else None
    if body is None or table is None:
        return request
    root, given = body
    made = {name: _walk(row.type, row.long, value, change) if (row := table.get(name)) else value for name, value in given.items()}
    return request if made == given else replace(request, pc={root: made})


def _walk(kind: DataType, long: str, value: Any, change: Callable[[DataType, str, Any], Any]) -> Any:
    value = change(kind, long, value)
    if type(value) is list and kind.item is not None:
        return [_walk(kind.item, long, each, change) for each in value]
    if type(value) is dict and kind.members:
        rows = {row.short: row for row in kind.members}
        return {name: _walk(rows[name].type, rows[name].long, each, change) if name in rows else each for name, each in value.items()}
    return value


@dataclass(frozen=True, slots=True)
class Leniency:
    """One thing that strict requests do not do. ``apply`` gives the very request when there is nothing to forgive, None is for the core's own checks."""

    name: str
    doc: str
    apply: Callable[[Request, Facts], Request] | None = None


LENIENCIES = (
    Leniency("request-identifier", "A request without identifier (X-M2M-RI) is given a fresh one.", _identifier),
    Leniency("release", "A request without release version (X-M2M-RVI) is of the release that this CSE speaks itself.", _release),
    Leniency("originator", "An originator such as `user:password` is an AE-ID of its own, or its alias.", _originator),
    Leniency("address", "`/~/` stands before the name of the CSEBase; the CSE-ID stands without `/~` or before a path that lacks this name.", _address),
    Leniency("name-header", "The header `X-M2M-NM` (CoAP option 258) names a new resource that has no `rn`.", _name),
    Leniency("srv", "An AE that registers without `srv` supports the release of its request.", _supported_releases),
    Leniency("list", "A single value stands where a list is due.", _lists),
    Leniency("text", 'A number or truth value is written as text: `"2"`, `"true"`.', _values),
    Leniency(Waivable.APP_ID.value, "The App-ID (`api`) of an AE begins with any letter."),
    Leniency(Waivable.VERIFICATION.value, "A subscription is made although a target did not answer its verification; one that refuses is still respected."),
)
"""In the order in which they are applied."""


class Compat:
    """The profile at work. ``counts`` has how often each leniency was used since the start, by its name."""

    def __init__(self, profile: Profile, facts: Facts) -> None:
        self.counts = {leniency.name: 0 for leniency in LENIENCIES}
        self._facts = facts
        self._some = bool(profile.originators)
        self._served = text_test(profile.originators)
        self._docs = {leniency.name: leniency.doc for leniency in LENIENCIES}

    def listener(self, everybody: bool) -> Lenient | None:
        """Give what a listener passes its requests through, None where the profile is on for nobody."""
        return partial(self._adapt, everybody) if everybody or self._some else None

    def tell(self) -> None:
        """Log the counts of those that were used."""
        used = ", ".join(f"{name} {count}" for name, count in self.counts.items() if count)
        if used:
            log.info("leniencies used: %s", used)

    def _adapt(self, everybody: bool, request: Request, name: str | None) -> Request:
        if not everybody and not self._served(request.fr or ""):
            return request
        more = request.more
        if name:
            request = replace(request, more={**more, "nm": name})
        for leniency in LENIENCIES:
            if leniency.apply is not None:
                changed = leniency.apply(request, self._facts)
                if changed is not request:
                    self._count(leniency.name)
                    request = changed
        return replace(request, more=more, peer=replace(request.peer, waives=self._waive))

    def _waive(self, check: Waivable) -> bool:
        self._count(check.value)
        return True

    def _count(self, name: str) -> None:
        self.counts[name] += 1
        if self.counts[name] == 1:
            log.info("leniency %s is used: %s", name, self._docs[name])
