"""The data types of oneM2M attributes: one checker each (TS-0004 6.3)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class DataType:
    """A named type: ``check(value)`` raises ValueError with the end of a sentence ("must be ..."); ``schema`` is the same as JSON Schema."""

    name: str
    check: Callable[[Any], None]
    schema: Mapping[str, Any]
