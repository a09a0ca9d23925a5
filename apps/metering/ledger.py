"""A ledger that shows what was done to it: every entry carries the hash of the one before, and a signature (data model, section 12)."""

import hashlib
import json
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from apps.metering.keys import canonical, public_text, sign, signed

GENESIS = "0" * 64
"""What the first entry has for the hash of the one before."""

LABEL = "ed25519:"
"""Beginning of the label with which the container of a ledger tells its public key."""


class LedgerFault(Exception):
    """A ledger that cannot be read or written; the message names the place and says why."""


def digest(entry: Mapping[str, Any]) -> str:
    """Give the hash of a whole entry, its signature included: SHA-256 of its canonical form, 64 hexadecimal digits."""
    return hashlib.sha256(canonical(entry)).hexdigest()


def seal(content: Mapping[str, Any], prev: str, key: Ed25519PrivateKey) -> dict[str, Any]:
    """Give the entry that follows the one whose hash is ``prev``: the content, ``prev``, and the signature over both. Raises LedgerFault."""
    if taken := {"prev", "signature"} & set(content):
        raise LedgerFault(f"{min(taken)}: the ledger itself sets it")
    try:
        body = {**content, "prev": prev}
        return {**body, "signature": sign(key, body)}
    except ValueError as wrong:
        raise LedgerFault(f"an entry must be JSON: {wrong}") from wrong


class Ledger:
    """The end at which entries are added. head: hash of the newest entry; whoever keeps the ledger keeps it, with count, and goes on from there."""

    def __init__(self, key: Ed25519PrivateKey, head: str = GENESIS, count: int = 0) -> None:
        self._key = key
        self.head, self.count = head, count

    def append(self, content: Mapping[str, Any]) -> dict[str, Any]:
        """Give the next entry, sealed. It counts from now on, so it must be stored before another is appended."""
        entry = seal(content, self.head, self._key)
        self.head, self.count = digest(entry), self.count + 1
        return entry

    @property
    def label(self) -> str:
        """The label that tells readers of the ledger with which key it is verified."""
        return LABEL + public_text(self._key)


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a ledger. kind: changed, missing, reordered, repeated or forked.

    place: number of the entry, from 1; one more than there are for the end.
    """

    kind: str
    place: int
    text: str

    def __str__(self) -> str:
        return f"entry {self.place}: {self.kind}: {self.text}"


def verify(entries: Sequence[Any], key: Ed25519PublicKey, head: str = "", count: int | None = None) -> tuple[Fault, ...]:
    """Give all that is wrong with a ledger, in order of the places.

    head, count: hash of the newest entry, and how many there are, when they are known from elsewhere; without them nobody sees that the last ones are gone.
    """
    faults = [Fault("changed", place, "its signature is not that of its content") for place, entry in enumerate(entries, 1) if not _good(entry, key)]
    chain = _Chain(entries, frozenset(fault.place - 1 for fault in faults))
    found = [*faults, *chain.repeated(), *chain.forked(), *chain.missing(), *chain.reordered()]
    if head and not chain.has(head):
        found.append(Fault("missing", len(entries) + 1, f"the newest entry that was written is not here: the one with hash {head[:16]}"))
    elif count is not None and count > len(entries) and not any(fault.kind == "missing" for fault in found):
        found.append(Fault("missing", len(entries) + 1, f"{count} entries were written, {len(entries)} are here"))
    return tuple(sorted(found, key=lambda fault: fault.place))


def _good(entry: Any, key: Ed25519PublicKey) -> bool:
    if not isinstance(entry, Mapping) or not isinstance(entry.get("prev"), str):
        return False
    return signed(key, {name: value for name, value in entry.items() if name != "signature"}, entry.get("signature"))


class _Chain:
    """Which entry follows which, as their hashes say. Entries are numbered from 0; -1 is what is before the first, None is an entry that is not here."""

    def __init__(self, entries: Sequence[Any], changed: frozenset[int]) -> None:
        self._changed = changed
        self._hashes = [digest(entry) if number not in changed else "" for number, entry in enumerate(entries)]
        self._first: dict[str, int] = {GENESIS: -1}
        self._again: dict[int, int] = {}
        for number, own in enumerate(self._hashes):
            if own and own in self._first:
                self._again[number] = self._first[own]
            elif own:
                self._first[own] = number
        self._prev = [entry["prev"] if number not in changed else "" for number, entry in enumerate(entries)]
        self._before = {number: self._predecessor(number) for number in range(len(entries)) if number not in self._again}

    def _predecessor(self, number: int) -> int | None:
        if number in self._changed:  # nothing it says can be believed, so it is taken for what belongs where it stands
            return number - 1
        if (known := self._first.get(self._prev[number])) is not None:
            return known
        return number - 1 if number - 1 in self._changed else None

    def has(self, head: str) -> bool:
        """Tell whether the entry with a hash is here; a last one that was changed may have been it."""
        return head in self._first or len(self._hashes) - 1 in self._changed

    def repeated(self) -> Iterator[Fault]:
        """Find entries that are there twice."""
        return (Fault("repeated", number + 1, f"is entry {first + 1} once more") for number, first in self._again.items())

    def forked(self) -> Iterator[Fault]:
        """Find entries of which each claims to be the next after the same one."""
        taken: dict[int, int] = {}
        for number, before in self._before.items():
            if before is None or number in self._changed:
                continue
            if before in taken:
                yield Fault("forked", number + 1, f"follows {_name(before)}, as entry {taken[before] + 1} does")
            taken.setdefault(before, number)

    def missing(self) -> Iterator[Fault]:
        """Find places where entries are gone."""
        for number, before in self._before.items():
            if before is None:
                yield Fault("missing", number + 1, f"what was before it is not here: the entry with hash {self._prev[number][:16]}")

    def reordered(self) -> Iterator[Fault]:
        """Find entries that stand elsewhere than the chain has them: as few as, put back, bring all into order."""
        order = self._order()
        astray = set(self._before) - _longest_rising(order)
        for number in sorted(astray):
            if number not in self._changed and self._prev[number] in self._first:
                yield Fault("reordered", number + 1, f"belongs directly after {_name(self._first[self._prev[number]])}")

    def _order(self) -> list[int]:
        """Give the numbers of the entries in the order of the chain; pieces between which entries are missing stay in the order they stand in."""
        after: dict[int | None, list[int]] = {}
        for number, before in self._before.items():
            after.setdefault(before, []).append(number)
        order: list[int] = []
        waiting = [*reversed(after.get(None, [])), *reversed(after.get(-1, []))]
        while waiting:
            order.append(number := waiting.pop())
            waiting += reversed(after.get(number, []))
        return order


def _name(number: int) -> str:
    return f"entry {number + 1}" if number >= 0 else "the beginning"


def _longest_rising(numbers: Sequence[int]) -> set[int]:
    """Give a longest part of different numbers that rises."""
    tails: list[int] = []
    before: dict[int, int | None] = {}
    for number in numbers:
        at = bisect_left(tails, number)
        before[number] = tails[at - 1] if at else None
        tails[at : at + 1] = [number]
    found: set[int] = set()
    step = tails[-1] if tails else None
    while step is not None:
        found.add(step)
        step = before[step]
    return found


def entries_in(text: str) -> list[Any]:
    """Read the entries of a ledger's copy: a JSON array, or one JSON object a line. Raises LedgerFault with the number of the line."""
    if text.lstrip().startswith("["):
        return list(_json(text, "the array"))
    return [_json(line, f"line {number}") for number, line in enumerate(text.split("\n"), 1) if line.strip()]


def _json(text: str, place: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise LedgerFault(f"{place}: is no JSON: {error}") from error
