"""NEM12, the file of interval data of the Australian electricity market."""

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

from apps.metering.importers.lines import COUNTED, ImportFault, Refused, Wrong, numbered
from apps.metering.intervals import Point, Quality, Series

AEST = timezone(timedelta(hours=10))
"""The clock of NEM12: the Australian electricity market knows no summer time."""

_UNITS = {unit.lower(): unit for unit in COUNTED}
_DIGITS = re.compile(r"[0-9]+").fullmatch
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?").fullmatch
_METHOD = re.compile(r"[AN]|V|[EFS][0-9]{2}").fullmatch


@dataclass(frozen=True, slots=True)
class Header:
    """Who wrote a file for whom (record 100). created: the time as it stands there."""

    created: str
    sender: str
    receiver: str


@dataclass(frozen=True, slots=True)
class Channel:
    """One register of one meter (record 200), everything as it stands there. Channels are equal when only the next reading date differs."""

    nmi: str
    configuration: str
    register: str
    suffix: str
    stream: str
    serial: str
    unit: str
    length: timedelta
    next_read: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Day:
    """The values of a channel's day (record 300, with the qualities of its 400s). flags: one a value: method, reason code, reason.

    updated, loaded: when the values came about, and into the market's system; UTC, None where the file does not say.
    """

    line: int
    channel: Channel
    date: date
    values: tuple[Decimal | None, ...]
    flags: tuple[tuple[str, str, str], ...]
    updated: datetime | None
    loaded: datetime | None

    @property
    def points(self) -> tuple[Point, ...]:
        """The values that there are; null data (N) is none."""
        start = datetime(self.date.year, self.date.month, self.date.day, tzinfo=AEST)
        return tuple(
            Point(start + number * self.channel.length, value, _quality(flag[0]), " ".join(filter(None, flag)), self.updated)
            for number, (value, flag) in enumerate(zip(self.values, self.flags, strict=True))
            if value is not None and not flag[0].startswith("N")
        )


@dataclass(frozen=True, slots=True)
class ServiceOrder:
    """What was done at the meter (record 500). index: the register's reading then, as text. time: as it stands there."""

    line: int
    channel: Channel
    code: str
    order: str
    time: str
    index: str


@dataclass(frozen=True, slots=True)
class Nem12:
    """A NEM12 file. Several headers when files were put together."""

    headers: tuple[Header, ...]
    days: tuple[Day, ...]
    orders: tuple[ServiceOrder, ...]
    refused: tuple[Refused, ...]

    def series(self) -> Mapping[Channel, Series]:
        """Give the interval series of every channel; of a day that is there twice the better, then the later values count."""
        points: dict[Channel, list[Point]] = {}
        for day in self.days:
            points.setdefault(day.channel, []).extend(day.points)
        origin = datetime(2000, 1, 1, tzinfo=AEST)
        return {channel: Series(channel.length, _UNITS.get(channel.unit.lower(), channel.unit), origin).add(found)[0] for channel, found in points.items()}


def _quality(method: str) -> Quality:
    """A is actual; E and S stand in for a value that may still come; F is the final word of a person."""
    return {"A": Quality.MEASURED, "F": Quality.EDITED}.get(method[:1], Quality.ESTIMATED)


def _lines(data: bytes) -> Iterator[tuple[int, str]]:
    data = data.removeprefix(b"\xef\xbb\xbf")
    try:
        return numbered(data.decode())
    except UnicodeDecodeError:
        return numbered(data.decode("latin-1"))


def nem12(data: bytes) -> Nem12:
    """Read a NEM12 file. Raises ImportFault when it is none."""
    first = next((line for _, line in _lines(data) if line.strip()), "")
    if first.split(",")[:2] != ["100", "NEM12"]:
        raise ImportFault(f"a NEM12 file begins with 100,NEM12, not with {first[:40]!r}")
    return _Nem12Reader(data).read()


class _Nem12Reader:
    """Reads line after line. A day is kept open as long as records 400 may follow it."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._headers: list[Header] = []
        self._days: list[Day] = []
        self._orders: list[ServiceOrder] = []
        self._refused: list[Refused] = []
        self._channel: Channel | None = None
        self._open: Day | None = None
        self._text = ""
        self._ended = False

    def read(self) -> Nem12:
        """Read all."""
        number, line = 0, ""
        for number, line in _lines(self._data):
            if not line.strip():
                continue
            try:
                row = next(csv.reader([line], strict=True))
                if row[0].strip() != "400":
                    self._close()
                self._record(number, row, line)
            except (Wrong, csv.Error) as wrong:
                self._refused.append(Refused(number, str(wrong), line))
        self._close()
        if not self._ended:
            self._refused.append(Refused(number, "the file ends without its record 900, so lines may be missing", ""))
        refused = tuple(sorted(self._refused, key=lambda each: each.line))
        return Nem12(tuple(self._headers), tuple(self._days), tuple(self._orders), refused)

    def _record(self, number: int, row: Sequence[str], line: str) -> None:
        kind = row[0].strip()
        if self._ended and kind != "100":
            raise Wrong("stands after record 900, the end of the data")
        match kind:
            case "100":
                self._channel, self._ended = None, False
                self._headers.append(_header(row))
            case "200":
                self._channel = None
                self._channel = _channel(row)
            case "300":
                self._open, self._text = _day(number, row, self._current(kind)), line
            case "400":
                self._event(row)
            case "500":
                fields = _fields(row, 5, "500", most=5)
                self._orders.append(ServiceOrder(number, self._current(kind), *fields[1:]))
            case "900":
                _fields(row, 1, "900", most=1)
                self._ended = True
            case _:
                raise Wrong(f"{kind!r} is no record of NEM12")

    def _current(self, kind: str) -> Channel:
        if self._channel is None:
            raise Wrong(f"no record 200 says what this record {kind} is about")
        return self._channel

    def _event(self, row: Sequence[str]) -> None:
        """Give some intervals of the open day the quality that a record 400 tells."""
        day = self._open
        if day is None:
            raise Wrong("no record 300 that was taken stands before this record 400")
        first, last, *flag = _fields(row, 4, "400", most=6)[1:]
        flag += [""] * (3 - len(flag))
        count = len(day.flags)
        if not (_DIGITS(first) and _DIGITS(last) and 1 <= int(first) <= int(last) <= count):
            raise Wrong(f"{first!r} to {last!r} are no intervals of a day that has {count}")
        if not _METHOD(flag[0]) or flag[0] == "V":
            raise Wrong(f"{flag[0]!r} is no quality of an interval")
        span = range(int(first) - 1, int(last))
        if taken := [number + 1 for number in span if day.flags[number][0] != "V"]:
            raise Wrong(f"interval {taken[0]} has quality {day.flags[taken[0] - 1][0]} already")
        told = (flag[0], flag[1], flag[2])
        self._open = replace(day, flags=tuple(told if number in span else each for number, each in enumerate(day.flags)))

    def _close(self) -> None:
        """Take the open day, unless the quality of some of its intervals was never told."""
        day, self._open = self._open, None
        if day is None:
            return
        if vague := [number for number, flag in enumerate(day.flags, 1) if flag[0] == "V"]:
            self._refused.append(Refused(day.line, f"no record 400 tells the quality of interval {vague[0]}", self._text))
            return
        try:
            _check_values(day)
        except Wrong as wrong:
            self._refused.append(Refused(day.line, str(wrong), self._text))
        else:
            self._days.append(day)


def _check_values(day: Day) -> None:
    for number, (value, flag) in enumerate(zip(day.values, day.flags, strict=True), 1):
        if value is None and flag[0] != "N":
            raise Wrong(f"interval {number} has quality {flag[0]} but no value")


def _fields(row: Sequence[str], least: int, kind: str, most: int) -> list[str]:
    """Give the fields, without empty ones beyond ``most``."""
    fields = [each.strip() for each in row]
    while len(fields) > most and not fields[-1]:
        fields.pop()
    if not least <= len(fields) <= most:
        raise Wrong(f"has {len(fields)} fields, a record {kind} has {least if least == most else f'{least} to {most}'}")
    return fields


def _header(row: Sequence[str]) -> Header:
    _, version, created, sender, receiver = _fields(row, 5, "100", most=5)
    if version != "NEM12":
        raise Wrong(f"{version!r} is not NEM12")
    return Header(created, sender, receiver)


def _channel(row: Sequence[str]) -> Channel:
    fields = _fields(row, 9, "200", most=10)
    _, nmi, configuration, register, suffix, stream, serial, unit, length = fields[:9]
    for name, value in (("NMI", nmi), ("NMI suffix", suffix), ("unit", unit)):
        if not value:
            raise Wrong(f"has no {name}")
    if not _DIGITS(length) or not int(length) or 1440 % int(length):
        raise Wrong(f"{length!r} is no interval length, which are minutes that divide a day")
    return Channel(nmi, configuration, register, suffix, stream, serial, unit, timedelta(minutes=int(length)), "".join(fields[9:]))


def _day(number: int, row: Sequence[str], channel: Channel) -> Day:
    count = timedelta(days=1) // channel.length
    fields = _fields(row, count + 3, f"300 with {count} intervals", most=count + 7)
    values, (method, *told) = fields[2 : count + 2], fields[count + 2 :]
    code, reason, updated, loaded = (told + [""] * 4)[:4]
    for place, value in enumerate(values, 1):
        if value and not _NUMBER(value):
            raise Wrong(f"interval {place}: {value!r} is no number")
    if not _METHOD(method):
        raise Wrong(f"{method!r} is no quality and method")
    when = _market_time(fields[1], "%Y%m%d", 8)
    if when is None:
        raise Wrong("has no date")
    flags = ((method, code, reason),) * count
    decimals = tuple(Decimal(value) if value else None for value in values)
    times = (_market_time(text, "%Y%m%d%H%M%S", 14) for text in (updated, loaded))
    return Day(number, channel, when.astimezone(AEST).date(), decimals, flags, *times)


def _market_time(text: str, form: str, length: int) -> datetime | None:
    if not text:
        return None
    try:
        if len(text) != length or not _DIGITS(text):
            raise ValueError
        return datetime.strptime(text, form).replace(tzinfo=AEST).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Wrong(f"{text!r} is no {'date' if length == 8 else 'time'} of {length} digits") from None
