"""The options of TS-0008 in both of their numberings, and what else a request's options say.

Release 3 renumbered the options (256 became 279 and so on). Both are understood in every request; an answer has the numbers that the request had.
The values of oneM2M options are bytes up to here and in aiocoap's messages alike (its default for numbers it does not know), so that nothing has to be
registered with it.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from bindings.coap.message import Options
from cse.errors import BadRequest

URI_HOST, URI_PORT, LOCATION_PATH, URI_PATH, CONTENT_FORMAT, MAX_AGE, URI_QUERY, ACCEPT = 3, 7, 8, 11, 12, 14, 15, 17
NAME = 258
"""oneM2M-NM of Release 1, which named new resources; later releases have it no more."""
OBSERVE, BLOCK2, BLOCK1, SIZE2, PROXY_URI, PROXY_SCHEME, SIZE1 = 6, 23, 27, 28, 35, 39, 60


class Option(NamedTuple):
    """One row of TS-0008 6.2.2: ``name`` follows ``oneM2M-``, ``longest`` in bytes, ``old`` is the number of releases 1 and 2."""

    name: str
    parameter: str
    number: int
    old: int | None
    text: bool
    longest: int


TABLE = (
    Option("OT", "ot", 259, 259, True, 15),
    Option("RTURI", "nu", 263, 263, True, 255),
    Option("TY", "ty", 267, 267, False, 2),
    Option("RVI", "rvi", 271, None, True, 2),
    Option("ASRI", "asri", 275, None, True, 255),
    Option("FR", "fr", 279, 256, True, 255),
    Option("RQI", "rqi", 283, 257, True, 255),
    Option("RQET", "rqet", 291, 260, True, 15),
    Option("RSET", "rset", 295, 261, True, 15),
    Option("OET", "oet", 299, 262, True, 15),
    Option("EC", "ec", 303, 264, False, 1),
    Option("RSC", "rsc", 307, 265, False, 2),
    Option("GID", "gid", 311, 266, True, 255),
    Option("CTO", "cnot", 319, 268, False, 2),
    Option("CTS", "cnst", 323, 269, False, 2),
    Option("ATI", "ati", 327, 270, True, 255),
    Option("VSI", "vsi", 331, None, True, 255),
    Option("GTM", "grtm", 335, None, True, 512),
    Option("AUS", "aus", 339, None, True, 255),
    Option("OMR", "omr", 343, None, True, 255),
    Option("PRPI", "ppi", 347, None, True, 255),
    Option("MSU", "msu", 351, None, True, 255),
)

NEW: Mapping[str, int] = {each.parameter: each.number for each in TABLE}
OLD: Mapping[str, int] = {each.parameter: each.old for each in TABLE if each.old is not None}
"""Parameter to option number: of Release 3 and later, and of Releases 1 and 2, which have no RVI, ASRI, VSI and younger ones."""

_BY_PARAMETER = {each.parameter: each for each in TABLE}
_PARAMETERS = {each.old: each.parameter for each in TABLE if each.old is not None} | {each.number: each.parameter for each in TABLE}
_OLD_ONLY = frozenset(OLD.values()) - frozenset(NEW.values())
_NEW_ORIGINATOR = frozenset({NEW["fr"], NEW["rqi"]})
_PLAIN = frozenset({CONTENT_FORMAT, ACCEPT, BLOCK1, BLOCK2, OBSERVE, SIZE1, URI_HOST, URI_PORT})
_MANY = frozenset({URI_PATH, URI_QUERY, LOCATION_PATH})
"""Options that may be there more than once."""
_TIMES = frozenset({"ot", "rqet", "rset", "oet"})
_LONGER: Mapping[str, int] = {**dict.fromkeys(_TIMES, 22), "ec": 2}
"""Parameters for which the table has too little room: TS-0004 6.3.3 allows a fraction in timestamps, which peers send, and event categories up to 999."""
_LONGEST: Mapping[int, int] = {
    URI_HOST: 255, URI_PORT: 2, LOCATION_PATH: 255, URI_PATH: 255, URI_QUERY: 255, CONTENT_FORMAT: 2, ACCEPT: 2, OBSERVE: 3, BLOCK1: 3, BLOCK2: 3, SIZE1: 4,
    **{number: _LONGER.get(parameter, _BY_PARAMETER[parameter].longest) for number, parameter in _PARAMETERS.items()},
}  # fmt: skip
"""Bytes that the value of an option may have (RFC 7252 5.10, RFC 7641 2, RFC 7959 2.2 and 4, TS-0008 6.2.2)."""
_ANY = 65_804
"""Bytes of the longest value that a message can hold."""


class Found(NamedTuple):
    """What the options of a message say; values are bytes as they came. ``refused`` is the first option that has to be refused with 4.02, else None."""

    path: list[bytes]
    query: list[bytes]
    location: list[bytes]
    parameters: dict[str, bytes]
    numbers: Mapping[str, int]
    content_format: int | None
    accept: int | None
    block1: bytes | None
    block2: bytes | None
    size1: int
    refused: int | None
    observe: int | None = None


def split(options: Options) -> Found:
    """Sort a message's options by what they are for; nothing is judged but which have to be refused.

    These are the critical ones that nobody here understands, that occur more often than they may or are too long (RFC 7252 5.4.1, 5.4.3, 5.4.5); elective
    ones of this kind are left aside. The numbering is that of Release 3 when its From or Request Identifier is there; else the old one when there is a number
    which only that one has.
    """
    path: list[bytes] = []
    query: list[bytes] = []
    location: list[bytes] = []
    parameters: dict[str, bytes] = {}
    plain: dict[int, bytes] = {}
    refused: int | None = None
    old = new = False
    last = 0
    for number, value in options:
        if len(value) > _LONGEST.get(number, _ANY) or (number == last and number not in _MANY):
            if number & 1:
                refused = refused or number
            continue
        last = number
        if number == URI_PATH:
            path.append(value)
            continue
        parameter = _PARAMETERS.get(number)
        if parameter is not None:
            old = old or number in _OLD_ONLY
            new = new or number in _NEW_ORIGINATOR
            parameters[parameter] = value
        elif number == URI_QUERY:
            query.append(value)
        elif number in _PLAIN:
            plain[number] = value
        elif number == LOCATION_PATH:
            location.append(value)
        elif number & 1:
            refused = refused or number
    return Found(
        path, query, location, parameters, OLD if old and not new else NEW, _uint(plain.get(CONTENT_FORMAT)), _uint(plain.get(ACCEPT)),
        plain.get(BLOCK1), plain.get(BLOCK2), _uint(plain.get(SIZE1)) or 0, refused, _uint(plain.get(OBSERVE)),
    )  # fmt: skip


def _uint(value: bytes | None) -> int | None:
    return None if value is None else int.from_bytes(value, "big")


def values(parameters: Mapping[str, bytes]) -> dict[str, Any]:
    """Read the oneM2M options by parameter name, empty texts left out, but for RTURI: an empty list says that nobody is to be notified (TS-0004 6.3.5.30).

    Raises BadRequest naming the option when it is not UTF-8.
    """
    found: dict[str, Any] = {}
    for parameter, value in parameters.items():
        option = _BY_PARAMETER[parameter]
        if option.text and not value and parameter != "nu":
            continue
        found[parameter] = text(value, f"the option oneM2M-{option.name}") if option.text else int.from_bytes(value, "big")
    return found


def named(number: int) -> str:
    """Give the name of an option with its number, the number alone for one that is not of oneM2M."""
    parameter = _PARAMETERS.get(number)
    return f"{number}" if parameter is None else f"oneM2M-{_BY_PARAMETER[parameter].name} ({number})"


def text(value: bytes, name: str) -> str:
    """Read UTF-8. Raises BadRequest that names what it is."""
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise BadRequest(f"{name} is not valid UTF-8") from error


def write(parameters: Mapping[str, str | int | None], numbers: Mapping[str, int]) -> list[tuple[int, bytes]]:
    """Write oneM2M options in a numbering, leaving out what is None or has no number there. Raises BadRequest naming the option when a value is too long.

    Timestamps lose their fraction, for which the option has no room.
    """
    found: list[tuple[int, bytes]] = []
    for parameter, value in parameters.items():
        number = numbers.get(parameter)
        if value is None or number is None:
            continue
        option = _BY_PARAMETER[parameter]
        if isinstance(value, str):
            data = value.partition(",")[0].encode() if parameter in _TIMES else value.encode()
        else:
            data = str(value).encode() if option.text else value.to_bytes((value.bit_length() + 7) // 8, "big")
        if len(data) > _LONGEST[option.number]:
            raise BadRequest(f"oneM2M-{option.name} would have {len(data)} bytes, more than the {option.longest} of its option")
        found.append((number, data))
    return found
