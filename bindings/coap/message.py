"""CoAP messages to and from datagrams (RFC 7252 section 3).

aiocoap's codec is not used here: it takes four times as long, keeps an enumeration member for every unknown number it ever met, and takes token lengths
that RFC 7252 forbids.
"""

import struct
from enum import IntEnum
from typing import NamedTuple

Options = tuple[tuple[int, bytes], ...]
"""Option numbers with their values as they were on the wire, numbers ascending."""


class Type(IntEnum):
    """Message types (RFC 7252 3)."""

    CON = 0
    NON = 1
    ACK = 2
    RST = 3


class Code(IntEnum):
    """Method and response codes: the class in the upper three bits, the detail in the lower five (RFC 7252 12.1, RFC 7959 2.9)."""

    EMPTY = 0
    GET = 1
    POST = 2
    PUT = 3
    DELETE = 4
    CREATED = 2 << 5 | 1
    DELETED = 2 << 5 | 2
    CHANGED = 2 << 5 | 4
    CONTENT = 2 << 5 | 5
    CONTINUE = 2 << 5 | 31
    BAD_REQUEST = 4 << 5
    BAD_OPTION = 4 << 5 | 2
    FORBIDDEN = 4 << 5 | 3
    NOT_FOUND = 4 << 5 | 4
    METHOD_NOT_ALLOWED = 4 << 5 | 5
    NOT_ACCEPTABLE = 4 << 5 | 6
    REQUEST_ENTITY_INCOMPLETE = 4 << 5 | 8
    REQUEST_ENTITY_TOO_LARGE = 4 << 5 | 13
    UNSUPPORTED_CONTENT_FORMAT = 4 << 5 | 15
    INTERNAL_SERVER_ERROR = 5 << 5
    NOT_IMPLEMENTED = 5 << 5 | 1
    SERVICE_UNAVAILABLE = 5 << 5 | 3
    GATEWAY_TIMEOUT = 5 << 5 | 4
    PROXYING_NOT_SUPPORTED = 5 << 5 | 5


class Message(NamedTuple):
    """One datagram. A named tuple, since building one takes a third of the time of a frozen dataclass, and every request builds one."""

    type: int
    code: int
    mid: int
    token: bytes
    options: Options
    payload: bytes


class Answer(NamedTuple):
    """What a request or response says, without the fields of the message layer. Options are in ascending order."""

    code: int
    options: Options
    payload: bytes = b""


class MessageFormatError(Exception):
    """A datagram of CoAP's version whose rest is not a message; a confirmable one is answered with Reset (RFC 7252 4.2)."""

    def __init__(self, type: int, mid: int) -> None:
        super().__init__(f"message {mid} is malformed")
        self.type = type
        self.mid = mid


def decode(data: bytes) -> Message | None:
    """Read a datagram; None when it is not CoAP version 1 and has to be ignored (RFC 7252 3). Raises MessageFormatError."""
    if len(data) < 4 or data[0] >> 6 != 1:
        return None
    type, length, code, mid = data[0] >> 4 & 3, data[0] & 15, data[1], data[2] << 8 | data[3]
    start = 4 + length
    if length > 8 or start > len(data) or (code == 0 and len(data) > 4):
        raise MessageFormatError(type, mid)
    try:
        options, end = _options(data, start)
    except (IndexError, ValueError) as error:
        raise MessageFormatError(type, mid) from error
    return Message(type, code, mid, data[4:start], options, data[end:])


def _options(data: bytes, at: int) -> tuple[Options, int]:
    """Read the options that start at ``at``; give them and where the payload starts. Raises IndexError or ValueError (RFC 7252 3.1)."""
    options: list[tuple[int, bytes]] = []
    number, size = 0, len(data)
    while at < size:
        first = data[at]
        at += 1
        if first == 0xFF:
            if at == size:
                raise ValueError("payload marker without a payload")
            break
        delta, length = first >> 4, first & 15
        if delta == 13:
            delta, at = data[at] + 13, at + 1
        elif delta == 14:
            delta, at = (data[at] << 8 | data[at + 1]) + 269, at + 2
        if length == 13:
            length, at = data[at] + 13, at + 1
        elif length == 14:
            length, at = (data[at] << 8 | data[at + 1]) + 269, at + 2
        number += delta
        if first >> 4 == 15 or first & 15 == 15 or number > 65535 or at + length > size:
            raise ValueError("bad option")
        options.append((number, data[at : at + length]))
        at += length
    return tuple(options), at


def encode(message: Message) -> bytes:
    """Write a datagram. Raises ValueError for options that are not in ascending order."""
    type, code, mid, token, options, payload = message
    parts = [struct.pack("!BBH", 0x40 | type << 4 | len(token), code, mid), token]
    last = 0
    for number, value in options:
        delta, length = number - last, len(value)
        if 0 <= delta < 13 and length < 13:
            parts.append(bytes((delta << 4 | length,)))
        else:
            (low, more), (high, rest) = _extended(delta), _extended(length)
            parts.append(bytes((low << 4 | high,)) + more + rest)
        parts.append(value)
        last = number
    if payload:
        parts.append(b"\xff")
        parts.append(payload)
    return b"".join(parts)


def _extended(value: int) -> tuple[int, bytes]:
    """Give the nibble and the extension bytes of an option delta or length."""
    if value < 0:
        raise ValueError("options are not in ascending order")
    if value < 13:
        return value, b""
    if value < 269:
        return 13, bytes((value - 13,))
    return 14, struct.pack("!H", value - 269)


def uint(value: int) -> bytes:
    """Write a number as an option value: big-endian without leading zeros (RFC 7252 3.2)."""
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


def empty(type: Type, mid: int) -> bytes:
    """Write an empty Acknowledgement or a Reset."""
    return struct.pack("!BBH", 0x40 | type << 4, 0, mid)
