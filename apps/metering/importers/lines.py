"""Lines of a file from the field, by their numbers, and what becomes of those that are not taken."""

from collections.abc import Iterator
from dataclasses import dataclass

COUNTED = frozenset({"kWh", "Wh", "kvarh", "varh", "kVAh", "VAh", "m3", "dm3", "GJ", "MJ"})
"""Units of registers that count; power, voltage and current are measured, but no register readings."""


class ImportFault(Exception):
    """A file that is not of the kind it was taken for; the message says what it is instead."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A line that was not taken. line: its number, from 1. text: the line as it stands."""

    line: int
    why: str
    text: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.why}: {self.text if len(self.text) <= 80 else self.text[:77] + '...'}"


class Wrong(Exception):
    """Why a line, or what begins there, is refused."""


def numbered(text: str) -> Iterator[tuple[int, str]]:
    """Give the lines by their numbers, from 1, without their ends."""
    return enumerate((line.removesuffix("\r") for line in text.split("\n")), 1)
