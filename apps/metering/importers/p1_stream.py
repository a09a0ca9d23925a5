"""P1, what a meter prints at its customer's interface: telegrams of OBIS objects (DSMR and its relatives)."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from dsmr_parser.exceptions import InvalidChecksumError, ParseError
from dsmr_parser.parsers import TelegramParser

from apps.metering.importers.lines import COUNTED, Refused, Wrong, numbered

_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?").fullmatch
_ITEM = re.compile(r"([0-9]+-[0-9]+:[0-9]+\.[0-9]+\.[0-9]+(?:[.*][0-9]+)?)((?:\([^()]*\))+)").fullmatch
_MORE = re.compile(r"(?:\([^()]*\))+").fullmatch
_QUANTITY = re.compile(r"(-?[0-9]+(?:\.[0-9]+)?)\*(\S+)").fullmatch
_CLOCK = re.compile(r"[0-9]{12}[SW]?").fullmatch
_CHECKSUM = re.compile(r"![0-9A-F]{1,4}").fullmatch


@dataclass(frozen=True, slots=True)
class Item:
    """One object of a telegram. code: OBIS. values: what stands in its parentheses, as it stands there.

    value, unit: what was counted or measured, None and "" when it is something else. time: when, if that is not the time of the telegram; UTC.
    """

    line: int
    code: str
    values: tuple[str, ...]
    value: Decimal | None = None
    unit: str = ""
    time: datetime | None = None

    @property
    def channel(self) -> int:
        """0 for the meter itself, else the number of the meter that is connected to it (M-Bus)."""
        medium, _, rest = self.code.partition("-")
        return int(rest.partition(":")[0]) if medium == "0" else 0

    @property
    def object(self) -> str:
        """The OBIS code without medium and channel, such as ``1.8.1``."""
        return self.code.partition(":")[2].partition("*")[0]


@dataclass(frozen=True, slots=True)
class Telegram:
    """What a meter says of itself. line: where it begins. header: its make. time: UTC, None for meters too old to tell.

    checked: it had a checksum, a right one.
    """

    line: int
    header: str
    items: tuple[Item, ...]
    time: datetime | None
    checked: bool

    def serial(self, channel: int = 0) -> str:
        """Give the serial number of the meter, or of one connected to it, "" when it is not told."""
        for wanted in ("96.1.1", "96.1.0", "96.1.255", "0.0.0"):
            for item in self.items:
                if item.channel == channel and item.object == wanted and item.values[0]:
                    return _decoded(item.values[0])
        return ""

    @property
    def registers(self) -> tuple[Item, ...]:
        """The objects that count."""
        return tuple(item for item in self.items if item.value is not None and item.unit in COUNTED)

    def content(self, identifier: str, reason: str = "scheduled") -> dict[str, Any]:
        """Give the content for ``readings/registers``; a register with a time or serial number of its own says so. ts is left out when nobody knows it."""
        registers = []
        for item in self.registers:
            register: dict[str, Any] = {"id": item.object if item.channel == 0 else item.code, "value": _number(item.value or Decimal(0)), "unit": item.unit}
            if item.time is not None:
                register["ts"] = f"{item.time:%Y%m%dT%H%M%S}"
            if serial := self.serial(item.channel):
                register["serial"] = serial
            registers.append(register)
        when = {"ts": f"{self.time:%Y%m%dT%H%M%S}"} if self.time is not None else {}
        return {"readId": identifier, **when, "reason": reason, "registers": registers, "quality": "measured"}


@dataclass(frozen=True, slots=True)
class P1:
    """A P1 stream: its telegrams, and the lines that were not taken."""

    telegrams: tuple[Telegram, ...]
    refused: tuple[Refused, ...]


def p1(data: bytes, zone: str = "Europe/Amsterdam") -> P1:
    """Read a P1 stream of any dialect (DSMR, e-MUCS, ...). zone: that of the meters' clocks.

    A telegram whose checksum is wrong, or that does not end, is refused as a whole; a line that is no object is refused alone.
    """
    clock = ZoneInfo(zone)
    telegrams: list[Telegram] = []
    refused: list[Refused] = []
    lines: list[tuple[int, str]] = []
    for number, line in numbered(data.decode("latin-1")):
        if line.startswith("/"):
            refused += _unfinished(lines)
            lines = [(number, line)]
        elif lines:
            lines.append((number, line))
            if line.startswith("!"):
                telegram, wrong = _telegram(lines, data, clock)
                telegrams += [telegram] if telegram is not None else []
                refused += wrong
                lines = []
        elif line.strip("\0 "):
            refused.append(Refused(number, "stands outside of a telegram", line))
    refused += _unfinished(lines)
    return P1(tuple(telegrams), tuple(sorted(refused, key=lambda each: each.line)))


def _unfinished(lines: Sequence[tuple[int, str]]) -> Iterator[Refused]:
    if lines:
        (first, header), (last, _) = lines[0], lines[-1]
        yield Refused(first, f"the telegram that begins here has no end (lines {first} to {last})", header)


def _telegram(lines: Sequence[tuple[int, str]], data: bytes, clock: ZoneInfo) -> tuple[Telegram | None, list[Refused]]:
    (first, header), *middle, (last, end) = lines
    end = end.rstrip("\0 ")
    try:
        if end != "!":
            _check_sum(end, data, first, last)
        items, refused = _items(middle, clock)
        version = next((item.values[0] for item in items if item.code == "1-3:0.2.8"), "")
        if end == "!" and version:
            raise Wrong(f"the telegram that begins here is of version {version} and has no checksum (lines {first} to {last})")
    except Wrong as wrong:
        return None, [Refused(first, str(wrong), header)]
    time = next((_clock_time(item.values[0], clock) for item in items if item.code == "0-0:1.0.0"), None)
    return Telegram(first, header.removeprefix("/"), tuple(items), time, end != "!"), refused


def _check_sum(end: str, data: bytes, first: int, last: int) -> None:
    """Hold the checksum against the bytes as they came, line ends included."""
    if not _CHECKSUM(end):
        raise Wrong(f"the telegram that begins here ends with {end!r}, which is no checksum (lines {first} to {last})")
    raw = b"\n".join(data.split(b"\n")[first - 1 : last]).decode("latin-1")
    try:
        TelegramParser.validate_checksum(raw)
    except (InvalidChecksumError, ParseError, ValueError):
        raise Wrong(f"the checksum {end[1:]} is not that of the telegram that begins here (lines {first} to {last})") from None


def _items(lines: Sequence[tuple[int, str]], clock: ZoneInfo) -> tuple[list[Item], list[Refused]]:
    found: list[tuple[int, str, str]] = []
    refused: list[Refused] = []
    whole = False
    for number, line in lines:
        text = line.strip()
        if not text:
            continue
        if (match := _ITEM(text)) is not None:
            found.append((number, match[1], match[2]))
            whole = True
        elif whole and _MORE(text):  # up to DSMR 3 the value of a gas meter stands in a line of its own
            before, code, values = found.pop()
            found.append((before, code, values + text))
        else:
            whole = False
            refused.append(Refused(number, "is no object of a telegram", line))
    items: list[Item] = []
    for number, code, values in found:
        try:
            items.append(_item(number, code, tuple(values[1:-1].split(")(")), clock))
        except Wrong as wrong:
            refused.append(Refused(number, str(wrong), code + values))
    return items, refused


def _item(line: int, code: str, values: tuple[str, ...], clock: ZoneInfo) -> Item:
    match values:
        case (single,) if quantity := _QUANTITY(single):
            return Item(line, code, values, Decimal(quantity[1]), quantity[2])
        case (stamp, single) if _CLOCK(stamp) and (quantity := _QUANTITY(single)):
            return Item(line, code, values, Decimal(quantity[1]), quantity[2], _clock_time(stamp, clock))
        case (stamp, _, _, "1", _, unit, value) if _CLOCK(stamp) and _NUMBER(value):
            return Item(line, code, values, Decimal(value), unit, _clock_time(stamp, clock))
    if code == "0-0:1.0.0":
        _clock_time(values[0], clock)
    return Item(line, code, values)


def _clock_time(text: str, clock: ZoneInfo) -> datetime:
    """Read a meter's time; S and W tell which of the two passes of the hour that autumn repeats."""
    try:
        if not _CLOCK(text):
            raise ValueError
        local = datetime.strptime(text[:12], "%y%m%d%H%M%S")
    except ValueError:
        raise Wrong(f"{text!r} is no time of a meter") from None
    return local.replace(tzinfo=clock, fold=int(text.endswith("W"))).astimezone(UTC)


def _decoded(text: str) -> str:
    """Give an identifier that is written in hexadecimal digits of its characters as those characters, any other as it is."""
    try:
        found = bytes.fromhex(text).decode("ascii")
    except ValueError:
        return text
    return found if found.isprintable() else text


def _number(value: Decimal) -> float | str:
    """Give a value as a number of JSON; as text where a number could not hold it exactly."""
    return float(value) if Decimal(repr(float(value))) == value else f"{value:f}"
