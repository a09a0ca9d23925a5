"""The words of the metering data model: names of entities and places, command classes and types, states, events, timers (docs/metering/data-model.md)."""

from collections.abc import Mapping
from enum import StrEnum

from cse.datatypes import timestamp

CLASSES = (
    "read", "config", "maint", "payment", "credit", "pq", "outage", "dr", "gen", "log", "tariff", "supply", "device", "efficiency", "message",
)  # fmt: skip
"""Command classes: one container each, since access control acts on resources and not on fields."""


class State(StrEnum):
    """States of a command, in the order in which they may follow each other (section 5)."""

    SENT = "sent"
    VALIDATED = "validated"
    REJECTED = "rejected"
    DISPLAYED = "displayed"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    OVERRIDDEN = "overridden"
    EXECUTED = "executed"
    FAILED = "failed"
    EXPIRED = "expired"


END = frozenset({State.REJECTED, State.DECLINED, State.OVERRIDDEN, State.EXECUTED, State.FAILED, State.EXPIRED})
"""After these no record of the same command follows."""

AFTER: Mapping[State, frozenset[State]] = {
    State.VALIDATED: frozenset({State.SENT}),
    State.REJECTED: frozenset({State.SENT}),
    State.DISPLAYED: frozenset({State.SENT, State.VALIDATED}),
    State.ACCEPTED: frozenset({State.DISPLAYED, State.VALIDATED}),
    State.DECLINED: frozenset({State.DISPLAYED}),
    State.OVERRIDDEN: frozenset({State.DISPLAYED, State.ACCEPTED}),
    State.EXECUTED: frozenset({State.VALIDATED, State.DISPLAYED, State.ACCEPTED}),
    State.FAILED: frozenset({State.SENT, State.VALIDATED, State.DISPLAYED, State.ACCEPTED}),
    State.EXPIRED: frozenset({State.SENT, State.VALIDATED, State.DISPLAYED, State.ACCEPTED}),
}
"""Which state may follow which. A second life cycle (``#info``) begins with ``displayed``, or with ``failed`` when nothing could be shown."""

TOLD = frozenset({State.ACCEPTED, State.DECLINED, State.OVERRIDDEN, State.EXECUTED, State.FAILED, State.EXPIRED})
"""States that tell a result or the consumer's answer: what the fault ``confirm`` keeps from being written."""

CONFIRMED = END | {State.ACCEPTED}
"""States that count as confirmation (section 7)."""


REMOVALS = frozenset({"delete", "clear"})
"""What the consumer does to have an item off the screen; one that may not be removed stays there until its validUntil (section 8)."""


class Consent(StrEnum):
    """What the consumer has to do with a command."""

    NONE = "none"
    INFORMED = "informed"
    REQUIRED = "required"


EVENTS: Mapping[str, tuple[str, ...]] = {
    "error": (
        "readingNotRegistered", "readingNotStored", "readingNotSent", "requestInvalid", "requestUnauthorised", "requestStale", "requestDuplicate",
        "requestUnsupported", "settingsRejected", "applyFailed", "paymentModeNotChanged", "displayFailed", "notRead", "notActed", "confirmationNotSent",
        "retrievalFailed", "sendFailed", "notReceived", "notAccepted", "interactionNotStarted", "dataInvalid",
    ),
    "security": (
        "tamper", "coverOpened", "magneticField", "meterReversed", "bypass", "fraudSuspected", "unauthorisedConfig", "accessRefused", "integrityFailed",
    ),
    "malfunction": (
        "battery", "memory", "clock", "communication", "display", "valve", "switch", "metrology", "leakSuspected", "blockedOrWrongSize", "endOfLife",
        "diagnosticFailed",
    ),
    "state": (
        "startup", "updateRequested", "installed", "diagnosticPassed", "hardwareReplaced", "noAccess", "swapped", "restored", "timeSet", "supplyChanged",
        "modeChanged",
    ),
}  # fmt: skip
"""Types of events, by the container below ``events`` in which they are recorded (section 6)."""

CONTAINER_OF: Mapping[str, str] = {name: container for container, names in EVENTS.items() for name in names}

TIMERS: Mapping[str, float] = {
    "validateWithin": 2.0,
    "displayWithin": 2.0,
    "consumerDeadline": 10.0,
    "confirmWithin": 15.0,
    "ackWithin": 5.0,
    "reportGrace": 5.0,
    "alertWithin": 3.0,
}
"""Deadlines in seconds, as the held world has them (section 11)."""

KINDS = ("electricity", "gas", "water", "heat")

ORGANISATIONS: Mapping[str, str] = {
    "asset": "Nsm.asset",
    "bill": "Nsm.bill",
    "dno": "Nsm.dno",
    "eff": "Nsm.efficiency",
    "esp": "Nsm.esp",
    "rdr-1": "Nsm.rdr",
}
"""App-IDs of the organisations that have alerts and acks, by the name of their AE; the AE-ID is that name with a C before it."""

HEAD_END: Mapping[str, str] = {"sm-watch": "Nsm.watch", "sm-collect": "Nsm.collect", "sm-settle": "Nsm.settle"}

CONCERNED: Mapping[str, tuple[str, ...]] = {
    "payment": ("Casset", "Cbill"),
    "credit": ("Casset", "Cbill"),
    "device": ("Casset", "Cbill"),
    "supply": ("Casset", "Cbill"),
    "pq": ("Casset", "Cdno"),
    "dr": ("Cdno", "Ceff", "Cbill"),
    "gen": ("Cdno", "Ceff", "Cbill"),
    "message": ("Cbill", "Ceff", "Cesp"),
}
"""Who learns of failures of a class beside the issuer and those whom ``notify`` names (use cases 3, 11 and 12: asset and bill, also where the consumer has
acted; use case 4: asset and network operator; use cases 6 and 7: whoever buys, sells or carries what is drawn and given; use case 14:
whoever may send messages).
"""


def ae_id(name: str) -> str:
    """Give the AE-ID of an AE by its resource name: ``mtr-M1`` is ``Cmtr-M1``."""
    return f"C{name}"


def organisation(aei: str) -> str:
    """Give the resource name of an organisation's AE, "" for who has no alerts (the consumer, a stranger)."""
    name = aei.removeprefix("C")
    return name if aei.startswith("C") and (name in ORGANISATIONS or name.startswith("rdr-")) else ""


def stamp(seconds: float) -> str:
    """Give a time as it stands in contents: UTC, basic format, microseconds."""
    return timestamp(seconds)


def spoken(moment: str) -> str:
    """Give a time of contents as people read it, without seconds when there are none: 2026-03-01 10:30."""
    seconds = moment[13:15]
    return f"{moment[:4]}-{moment[4:6]}-{moment[6:8]} {moment[9:11]}:{moment[11:13]}" + (f":{seconds}" if seconds != "00" else "")
