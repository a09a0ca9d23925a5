"""What stores share: a Query held against a Record, timestamps as numbers, identifiers of removed resources."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from cse.datatypes import microseconds_of
from cse.record import Record
from cse.storage.contract import TIME_SERIES_INSTANCE, Query

_GENERATED = re.compile(r"[A-Za-z]+(?:[0-9]+-)?([0-9]{1,18})", re.ASCII)

_EPOCH = 1900_00_00_00_00_00_000000

LAST = 2**63 - 1
"""The moment of every time after the year 2800: what fits 64 bits, so that ``99991231T235959`` is later than all that matters."""


def moment(timestamp: object) -> int | None:
    """Give a timestamp (``20260131T235959`` with up to six decimals after a comma) as a number that sorts as time does; None for anything else.

    The digits are kept (1900 is taken from the year), so that no calendar is needed to go back.
    """
    if not isinstance(timestamp, str) or timestamp[8:9] != "T":
        return None
    length = len(timestamp)
    if length == 15:
        digits = f"{timestamp[:8]}{timestamp[9:]}000000"
    elif 16 < length < 23 and timestamp[15] == ",":
        digits = f"{timestamp[:8]}{timestamp[9:15]}{timestamp[16:]:0<6}"
    else:
        return None
    if not (digits.isdecimal() and digits.isascii()):
        return None
    number = int(digits) - _EPOCH
    return number if number < LAST else LAST


def timestamp(number: int, decimals: bool) -> str:
    """Give the text of a ``moment`` before LAST with six decimals or without any."""
    whole, fraction = divmod(number, 1_000_000)
    digits = str(whole + _EPOCH // 1_000_000).rjust(14, "0")
    return f"{digits[:8]}T{digits[8:]},{fraction:06}" if decimals else f"{digits[:8]}T{digits[8:]}"


def generation(record: Record) -> int | None:
    """Give what tells a timeSeriesInstance from its siblings: dataGenerationTime in microseconds since the epoch; None for anything else."""
    if record.ty != TIME_SERIES_INSTANCE:
        return None
    try:
        return microseconds_of(record.attributes["dgt"])
    except (KeyError, TypeError, ValueError):
        return None


def may_be_generated(name: str, number: int) -> bool:
    """Tell whether a store that has counted to ``number`` could give this identifier by itself one day: prefix and number (``cnt7``, ``cin3-8``)."""
    found = _GENERATED.fullmatch(name)
    return found is not None and int(found[1]) > number


def matcher(query: Query) -> Callable[[Mapping[str, Any]], bool]:
    """Give the test of everything in a query that is in the attributes themselves: all members but ``under`` and ``depth``."""
    tests: list[Callable[[Mapping[str, Any]], bool]] = []
    if query.types is not None:
        types = query.types
        tests.append(lambda attributes: attributes.get("ty") in types)
    if query.labels is not None:
        labels = query.labels
        tests.append(lambda attributes: not labels.isdisjoint(attributes.get("lbl") or ()))
    if query.label_prefixes is not None:
        prefixes = tuple(query.label_prefixes)
        tests.append(lambda attributes: any(label.startswith(prefixes) for label in attributes.get("lbl") or ()))
    if query.equals:
        wanted = dict(query.equals)
        tests.append(lambda attributes: len(wanted) == len(set(query.equals)) and all(attributes.get(name) == value for name, value in wanted.items()))
    for name, (low, high) in (("ct", query.created), ("lt", query.modified), ("et", query.expires)):
        if low is not None or high is not None:
            tests.append(_between(name, low, high, str))
    if query.size != (None, None):
        tests.append(_between("cs", *query.size, int))
    return lambda attributes: all(test(attributes) for test in tests)


def _between(name: str, low: Any, high: Any, kind: type) -> Callable[[Mapping[str, Any]], bool]:
    def test(attributes: Mapping[str, Any]) -> bool:
        value = attributes.get(name)
        return isinstance(value, kind) and (low is None or value >= low) and (high is None or value < high)

    return test
