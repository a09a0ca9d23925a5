"""One resource as a frozen value."""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec.structs import replace


class Record(msgspec.Struct, frozen=True):
    """A resource as the store keeps it. Nothing in it is ever mutated; a change makes a new Record.

    ty: resource type number. ri: unstructured resource identifier. pi: ri of the parent, "" for the CSEBase. rn: resource name.
    path: structured CSE-relative address (``cse-in/ae/cnt``); a resource never moves, so it never changes.
    attributes: the representation by short names, complete: ty, ri, pi, rn, ct, lt and et are in it too.
    originator: who created it, known even where the type has no ``cr`` (TS-0001 9.6.2: rights without accessControlPolicyIDs).
    state: what the CSE must remember of it and never shows (JSON values only); by ``due``, a moment in seconds since the epoch, the store finds what waits.
    """

    ty: int
    ri: str
    pi: str
    rn: str
    path: str
    attributes: Mapping[str, Any]
    originator: str = ""
    state: Mapping[str, Any] = msgspec.field(default_factory=dict)

    def get(self, name: str, default: Any = None) -> Any:
        """Give the value of an attribute by its short name."""
        return self.attributes.get(name, default)

    def with_attributes(self, changes: Mapping[str, Any]) -> "Record":
        """Give the record after changes; a value of None removes its attribute."""
        merged = {**self.attributes, **changes}
        if None in changes.values():
            merged = {name: value for name, value in merged.items() if value is not None}
        return replace(self, attributes=merged)
