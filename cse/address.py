"""Where a request goes and who it comes from: addressing forms of resources, identifiers of entities (TS-0001 7.1, 7.2; TS-0004 6.2.3, 7.3.2.6)."""

import re
from collections.abc import Callable, Container
from dataclasses import dataclass
from functools import lru_cache

from cse.errors import BadRequest
from cse.record import Record
from cse.storage.contract import Reader

LIMIT = 2048
"""Characters of an address; longer ones are refused before anything looks at them."""

FAN_OUT = frozenset({"fopt", "sfop"})
"""Virtual resources that take the rest of the path as theirs (TS-0004 7.4.14)."""

# RFC 3986 unreserved characters: wider than the names this CSE makes (identifiers: charSets), as TS-0001 6.2.3 lets peers send them.
_SEGMENT = r"[A-Za-z0-9._~-]+"
_plain = re.compile(rf"{_SEGMENT}(?:/{_SEGMENT})*").fullmatch
_host = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*").fullmatch
_attribute = re.compile(r"[A-Za-z][A-Za-z0-9_.:-]*").fullmatch


@dataclass(frozen=True, slots=True)
class Address:
    """A parsed ``to``.

    segments: what is relative to the CSE, () for its CSEBase. csi: "" when it is this CSE, else the CSE-ID (``/id-mn``).
    sp: "" for the own service provider, else the M2M-SP-ID (``//other.example``). attribute: the short name after ``#``.
    """

    segments: tuple[str, ...]
    csi: str = ""
    sp: str = ""
    attribute: str | None = None

    @property
    def local(self) -> bool:
        """True when this CSE hosts the resource."""
        return not self.csi

    @property
    def stem(self) -> str:
        """The AE-ID stem of a bare ``/Sxxx``, "" for anything else. It may be the CSE-ID of a CSE with that name too, and ``csi`` says so."""
        return self.csi[1:] if not self.segments and self.csi.startswith("/S") else ""


@dataclass(frozen=True, slots=True)
class Located:
    """A resource that was found. virtual: name of its virtual child that is meant, "" for itself. rest: relative path below a fan-out point."""

    record: Record
    virtual: str = ""
    rest: tuple[str, ...] = ()


def parse(to: str, cse_id: str, sp_id: str) -> Address:
    """Take an address apart: CSE-relative (``cse-in/ae``, ``-/ae``, ``cnt1/la``), SP-relative (``/id-in/-/ae``) or absolute (``//sp.example/id-in/cnt1``).

    ``cse_id`` is ``/id-in``, ``sp_id`` ``//sp.example``. Raises BadRequest naming ``to`` when it is empty, too long or ill-formed.
    """
    # the same few addresses come again and again; the long ones are left out so that the memory this takes stays small
    return _remembered(to, cse_id, sp_id) if len(to) <= 128 else _parse(to, cse_id, sp_id)


def _parse(to: str, cse_id: str, sp_id: str) -> Address:
    if len(to) <= LIMIT and _plain(to):
        return Address(tuple(to.split("/")))
    if not to:
        raise BadRequest("to is empty")
    if len(to) > LIMIT:
        raise BadRequest(f"to has {len(to)} characters, at most {LIMIT} are allowed: {to[:40]!r}...")
    path, mark, name = to.partition("#")
    if mark and not _attribute(name):
        raise BadRequest(f"to {_shown(to)} has no attribute name after '#'")
    attribute = name if mark else None
    sp, csi = "", ""
    rest = path
    if path.startswith("//"):
        host, _, rest = path[2:].partition("/")
        if not _host(host):
            raise BadRequest(f"to {_shown(to)} has no lower-case domain name after '//'")
        if not rest:
            raise BadRequest(f"to {_shown(to)} names a service provider, but no CSE")
        sp = "" if "//" + host == sp_id else "//" + host
        path = "/" + rest
    if path.startswith("/"):
        rest = path[1:]
    if not _plain(rest):
        raise BadRequest(f"to {_shown(to)} {_fault(rest)}")
    segments = tuple(rest.split("/"))
    if rest is not path:
        csi, segments = "/" + segments[0], segments[1:]
        if not sp and csi == cse_id:
            csi = ""
    return Address(segments, csi, sp, attribute)


_remembered = lru_cache(maxsize=1024)(_parse)


def _shown(to: str) -> str:
    return repr(to) if len(to) <= 100 else repr(to[:100]) + "..."


def _fault(path: str) -> str:
    """Say what is wrong with a path whose segments do not fit."""
    for segment in path.split("/"):
        if not segment:
            return "has an empty segment"
        if wrong := re.search(r"[^A-Za-z0-9._~-]", segment):
            return f"has a character that is not allowed: {wrong.group()!r}"
    return "is not an address"


def locate(reader: Reader, segments: tuple[str, ...], base: str, name: str, virtual: Callable[[Record], Container[str]]) -> Located | None:
    """Find the local resource that ``segments`` denote, None when there is none.

    The first segment is ``-`` or the name of the CSEBase, or else an ri; those that follow are names of children (hybrid addresses too).
    ``base`` is the ri and ``name`` the resourceName of the CSEBase; ``virtual`` gives the names of the virtual children of a record's type.
    """
    if not segments or segments[0] == name or segments[0] == "-":
        record = reader.get(base)
    else:
        record = reader.get(segments[0])
    for position in range(1, len(segments)):
        if record is None:
            return None
        segment = segments[position]
        # virtual names are reserved below their parents, so that asking for them first spares a look into the store
        if segment in virtual(record):
            rest = segments[position + 1 :]
            return None if rest and segment not in FAN_OUT else Located(record, segment, rest)
        record = reader.child(record.ri, segment)
    return None if record is None else Located(record)


def sp_relative(identifier: str, cse_id: str, sp_id: str = "") -> str:
    """Give the SP-relative form of an AE-ID, CSE-ID or resource identifier; "" stays "", an identifier of another provider stays absolute.

    ``Cxxx`` -> ``/id-in/Cxxx``, ``Sxxx`` -> ``/Sxxx``, ``//own.sp/id-mn`` -> ``/id-mn``. What is bare belongs to this CSE; the AE-ID of an S stem
    has no CSE-ID, so ``/id-in/Sxxx`` (the address of its resource here) becomes ``/Sxxx`` too.
    """
    if not identifier:
        return ""
    if sp_id and identifier.startswith(sp_id + "/"):
        identifier = identifier[len(sp_id) :]
    if identifier[0] != "/":
        return "/" + identifier if identifier[0] == "S" and "/" not in identifier else f"{cse_id}/{identifier}"
    own = len(cse_id) + 1
    if identifier.startswith(cse_id + "/S") and "/" not in identifier[own:]:
        return identifier[own - 1 :]
    return identifier


def absolute(identifier: str, cse_id: str, sp_id: str) -> str:
    """Give the absolute form of an identifier in any form: ``Cxxx`` -> ``//sp.example/id-in/Cxxx``. "" stays ""."""
    if not identifier or identifier.startswith("//"):
        return identifier
    return sp_id + sp_relative(identifier, cse_id, sp_id)


def same_entity(a: str | None, b: str | None, cse_id: str, sp_id: str = "") -> bool:
    """Whether two identifiers, each in any form, denote the same entity or resource. Nobody (None, "") is the same as nobody else."""
    if not a or not b:
        return False
    return a == b or sp_relative(a, cse_id, sp_id) == sp_relative(b, cse_id, sp_id)
