"""The values that the parts of a meter pass to each other: commands under way, and what a handler says of them."""

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from apps.metering.memory import Kept
from apps.metering.vocabulary import State


class Rejected(Exception):
    """A command that is wrong: the code of its ``rejected``, and a sentence that names what is wrong. event: type of the error event, the code when empty."""

    def __init__(self, code: str, text: str, event: str = "") -> None:
        super().__init__(text)
        self.code, self.text, self.event = code, text, event or code


class Failed(Exception):
    """A command that was attempted and did not succeed: code of its ``failed`` and type of the error event, and a sentence."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code, self.text = code, text


@dataclass(frozen=True, slots=True)
class Command:
    """A command as the meter remembers it.

    kind: its class. arrived: when it came. state: the last status, also when nobody could be told. step: what it waits for (see commands.Commands). wake: when
    it goes on by itself, None for never. waits: occasions that let it go on. item: msgId on the display. due: end of the consumer's time. viewed: when the
    consumer has read it. answer: the consumer's action. muted: its results are not written (fault ``confirm``). applied: when its effect came.
    info: the notice of another command (``#info``). kept: what its handler remembers.
    """

    key: str
    id: str
    kind: str
    issuer: str
    envelope: Mapping[str, Any]
    digest: str
    arrived: float
    state: str = State.SENT
    step: str = ""
    wake: float | None = None
    waits: tuple[str, ...] = ()
    item: str = ""
    due: float | None = None
    viewed: str = ""
    answer: str = ""
    muted: bool = False
    applied: str = ""
    info: bool = False
    kept: Mapping[str, Any] = field(default_factory=dict)

    @property
    def type(self) -> str:
        """The type of the envelope."""
        return str(self.envelope.get("type", ""))

    @property
    def params(self) -> Mapping[str, Any]:
        """The parameters of the envelope."""
        found: Mapping[str, Any] = self.envelope.get("params", {})
        return found

    @property
    def concerned(self) -> tuple[str, ...]:
        """AE-IDs that the envelope itself names: the issuer, and those to be notified."""
        named = self.envelope.get("notify")
        return (self.issuer, *(aei for aei in named if isinstance(aei, str))) if isinstance(named, list) else (self.issuer,)


def key_of(issuer: str, identifier: str) -> str:
    """Give the name under which a command is remembered: identifiers are unique for an issuer."""
    return f"{issuer}\n{identifier}"


INFO = "#info"
"""What is behind the cmdId of a command in that of its notice, the second life cycle (section 5)."""


def name_of(content: Any, instance: str) -> str:
    """Give the cmdId of a command; the ri of its instance when it has none, or one that would be taken for that of a notice."""
    found = content.get("cmdId") if isinstance(content, Mapping) else None
    return found if isinstance(found, str) and found and not found.endswith(INFO) else instance


def digest_of(kind: str, content: Any) -> str:
    """Give what tells two commands apart: class and content, whatever the order of members and blanks."""
    return hashlib.sha256(f"{kind}\n{json.dumps(content, sort_keys=True, default=str)}".encode()).hexdigest()


DIGITS = 16
"""Digits of a digest that are kept of a command which was long ago."""


def fingerprint(key: str) -> str:
    """Give the name under which it is remembered that there was a command, when everything else of it is forgotten."""
    return base64.b64encode(hashlib.sha256(key.encode()).digest()[:12]).decode()


def known(kept: Kept, key: str) -> str | None:
    """Give the digest of a command that was there, or how it begins when that was long ago; None for a new one."""
    found = kept.get("command", key)
    told: str | None = found["digest"] if found is not None else kept.get("spent", fingerprint(key))
    return told


@dataclass(frozen=True, slots=True)
class Done:
    """The effect is there. result: what its ``executed`` tells, references and codes only."""

    result: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Later:
    """The handler goes on at a time, or when one of the occasions comes, such as ``delivered:reading:R7``; ``resume`` is called then.

    state: a status to be written now, ``accepted`` when a device has agreed. kept: what the handler wants to remember.
    """

    at: float | None = None
    on: tuple[str, ...] = ()
    state: State | None = None
    kept: Mapping[str, Any] = field(default_factory=dict)


Outcome = Done | Later
