"""Who may do what: the access control matrix as data, and the policies that say it to the CSE (docs/metering/actors.json)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from apps.client import AccessControlOperation as May
from apps.client import ResourceTypeID as Ty
from apps.client import allow
from apps.metering.vocabulary import CLASSES, HEAD_END, ORGANISATIONS, ae_id

COLUMNS = ("asset", "bill", "dno", "eff", "esp", "rdr", "consumer")

READ = May.RETRIEVE | May.DISCOVERY
ALL = May(63)


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the matrix. cells: in the order of COLUMNS; R read and subscribe, C create, W write, g only if granted, ? off by default, - nothing.

    classes: the command classes whose ``in`` C is about, and whose ``out`` R is about. places: the other containers of the row below the meter's AE.
    """

    label: str
    cells: tuple[str, str, str, str, str, str, str]
    classes: tuple[str, ...] = ()
    places: tuple[str, ...] = ()


READINGS = ("readings/registers", "readings/profile", "readings/export", "readings/net")

#       label                                            asset     bill     dno    eff      esp      rdr    consumer
MATRIX = (
    Row("readings/* (incl. export, net)",              ("g R",    "g R",   "R",   "g R",   "g R",   "g R",  "R"), (), READINGS),
    Row("live",                                        ("-",      "-",     "-",   "-",     "-",     "-",    "R"), (), ("live",)),
    Row("cmd/read",                                    ("g C R",  "g C R", "C R", "g C R", "g C R", "C R",  "-"), ("read",)),
    Row("cmd/config, config/*",                        ("C R",    "-",     "-",   "-",     "-",     "-",    "-"), ("config",), ("config",)),
    Row("cmd/maint, node/*",                           ("C R W",  "-",     "-",   "-",     "-",     "-",    "-"), ("maint",), ("node",)),
    Row("cmd/payment, payment/*",                      ("C R",    "C R",   "-",   "-",     "-",     "-",    "R"), ("payment",), ("payment",)),
    Row("cmd/credit",                                  ("-",      "C R",   "-",   "-",     "-",     "-",    "C R"), ("credit",)),
    Row("cmd/pq, pq/*",                                ("C R",    "-",     "C R", "-",     "-",     "-",    "R"), ("pq",), ("pq",)),
    Row("cmd/outage",                                  ("-",      "-",     "C R", "-",     "-",     "-",    "-"), ("outage",)),
    Row("outage/*",                                    ("-",      "R",     "R",   "-",     "-",     "-",    "R"), (), ("outage",)),
    Row("cmd/dr",                                      ("-",      "C? R",  "C R", "C R",   "C? R",  "-",    "-"), ("dr",)),
    Row("cmd/gen, generation/*",                       ("-",      "R C?",  "C R", "R C?",  "-",     "-",    "R"),
        ("gen",), ("generation", "generation/setpoint")),
    Row("cmd/log, events/security, events/malfunction", ("C R",   "?",     "-",   "-",     "-",     "-",    "-"),
        ("log",), ("events/security", "events/malfunction", "events/state")),
    Row("cmd/tariff, tariff/*",                        ("-",      "C R",   "-",   "-",     "-",     "-",    "R"), ("tariff",), ("tariff",)),
    Row("cmd/supply",                                  ("C R",    "C R",   "-",   "-",     "-",     "-",    "-"), ("supply",)),
    Row("supply/state",                                ("R",      "R",     "-",   "-",     "-",     "-",    "R"), (), ("supply",)),
    Row("cmd/device",                                  ("C R",    "C R",   "?",   "-",     "?",     "-",    "-"), ("device",)),
    Row("cmd/efficiency",                              ("-",      "-",     "-",   "C R",   "-",     "-",    "-"), ("efficiency",)),
    Row("cmd/message",                                 ("-",      "C R",   "-",   "C R",   "C R",   "-",    "-"), ("message",)),
    Row("events/error (others get copies in own alerts)", ("R",   "-",     "-",   "-",     "-",     "-",    "-"), (), ("events/error",)),
    Row("attest",                                      ("C R",    "-",     "-",   "-",     "-",     "-",    "-"), (), ("attest",)),
)  # fmt: skip
"""The matrix for what is below a meter's AE. The device's own rows (``ihd screen`` and so on) are in ``display_rules``, those of alerts and acks in
``organisation_rules``. cmd/device W of the consumer is about the own devices: ``device_rules``."""

PLACES = tuple(place for row in MATRIX for place in row.places)
"""The containers, and ``node``, that have a policy of their own beside the command classes."""

_SYSTEM: Mapping[str, Mapping[str, May]] = {
    "readings/registers": {"sm-watch": READ, "sm-collect": READ, "sm-settle": READ},
    "readings/profile": {"sm-watch": READ, "sm-collect": READ, "sm-settle": READ},
    "readings/export": {"sm-watch": READ, "sm-collect": READ, "sm-settle": READ},
    "readings/net": {"sm-watch": READ, "sm-collect": READ, "sm-settle": READ},
    "config": {"sm-watch": READ},
    "events/error": {"sm-watch": READ, "sm-test": READ},
    "events/security": {"sm-watch": READ},
    "events/malfunction": {"sm-watch": READ},
    "events/state": {"sm-watch": READ},
}
"""What the parts of the head-end may read; they are the metering system itself, and in no column."""


_NOTICED = ("events/error", "events/security")
"""Where the watcher records what only the head-end can notice: an answer not acknowledged, an access refused by the CSE."""


GRANTS: Mapping[str, frozenset[str]] = {
    "asset": frozenset({"readings/registers"}),
    "bill": frozenset({"readings/export", "readings/net"}),
    "eff": frozenset({"readings/export", "readings/net", "readings/profile"}),
    "rdr": frozenset(READINGS),
}
"""What is granted where the matrix leaves it open, by actor: containers of readings, and ``read`` for commands to read (sections 11 and 12); asset has
registers for the start-up reading (use case 2)."""


def _ids(column: str, recipients: Sequence[str]) -> Sequence[str]:
    """Give who stands in a column; the consumer belongs to a premise (``premise_policies``)."""
    return recipients if column == "rdr" else () if column == "consumer" else (ae_id(column),)


def entitled(row: Row, column: str, letter: str, place: str) -> bool:
    """Tell whether an actor has the right of a letter (R, C, W) on a place of a row, or on a class of it.

    ``C?`` and ``?`` give none, what begins with g does when it is granted.
    """
    parts = row.cells[COLUMNS.index(column)].split()
    return letter in parts and ("g" not in parts or place in GRANTS.get(column, frozenset()))


def _holders(row: Row, letter: str, place: str, recipients: Sequence[str]) -> list[str]:
    return [aei for column in COLUMNS if entitled(row, column, letter, place) for aei in _ids(column, recipients)]


def reading(originators: Iterable[str]) -> list[Mapping[str, Any]]:
    """Give the rules that let originators read and subscribe."""
    found = list(originators)
    return [allow(found, READ), allow(found, May.CREATE, children=[Ty.SUBSCRIPTION])] if found else []


def _adding(originators: Sequence[str]) -> list[Mapping[str, Any]]:
    return [allow(originators, May.CREATE, children=[Ty.CONTENT_INSTANCE])] if originators else []


def _system(place: str) -> list[str]:
    return [ae_id(name) for name in _SYSTEM.get(place, {})]


@cache
def shared_policies(recipients: tuple[str, ...]) -> Mapping[str, Sequence[Mapping[str, Any]]]:
    """Give the rules for everybody but a meter and its premise, by place: one for each subject, two for each command class.

    Meters with the same read data recipients (AE-IDs) share them. A place where nobody else has a right has none.
    """
    everybody = sorted({aei for column in COLUMNS for aei in _ids(column, recipients)} | {ae_id(name) for name in HEAD_END})
    found: dict[str, list[Mapping[str, Any]]] = {"ae": [allow(everybody, READ)]}
    for row in MATRIX:
        for place in row.places:
            rules = reading([*_holders(row, "R", place, recipients), *_system(place)])
            rules += _adding(_holders(row, "C", place, recipients)) if place == "attest" else []
            rules += [allow(writers, READ | May.UPDATE) for writers in [_holders(row, "W", place, recipients)] if writers]
            found[place] = [*rules, *(_adding([ae_id("sm-watch")]) if place in _NOTICED else [])]
        for kind in row.classes:
            collecting = [ae_id("sm-collect")] if kind in ("read", "pq") else []
            found[f"cmd/{kind}/in"] = [*_adding([*_holders(row, "C", kind, recipients), *collecting]), *reading([ae_id("sm-watch")])]
            found[f"cmd/{kind}/out"] = reading([*_holders(row, "R", kind, recipients), ae_id("sm-watch"), *collecting])
    return {place: rules for place, rules in found.items() if rules}


def shared(recipients: Sequence[str], place: str) -> str:
    """Give the resource name of the policy of a place that meters with the same recipients share."""
    return "-".join(["acp-sm", *(aei.removeprefix("C") for aei in recipients), place.replace("/", "-")])


def meter_policy(meter: str) -> tuple[str, Sequence[Mapping[str, Any]]]:
    """Give the policy of a meter: it may do everything with what is its own."""
    return f"acp-mtr-{meter}", [allow([ae_id(f"mtr-{meter}")], ALL)]


def premise_policies(premise: str) -> Iterator[tuple[str, Sequence[Mapping[str, Any]]]]:
    """Give the policies of those who live with the meters of a premise: ``known`` lets the consumer see that they are there, ``seen`` read and subscribe,
    ``orders`` command; ``shown`` lets the display read; with ``setpoint`` equipment reads and acknowledges setpoints, and the consumer adds a programme.
    """
    consumer, equipment = ae_id(f"consumer-{premise}"), [ae_id(f"{kind}-{premise}-*") for kind in ("gen", "dev")]
    yield f"acp-{premise}-known", [allow([consumer], READ)]
    yield f"acp-{premise}-seen", reading([consumer])
    yield f"acp-{premise}-orders", _adding([consumer])
    yield f"acp-{premise}-shown", reading([ae_id(f"ihd-{premise}")])
    yield f"acp-{premise}-setpoint", [*reading(equipment), *_adding([*equipment, consumer])]


_SHOWN = frozenset({"live", "payment", "tariff", "outage", "supply"})
"""What the display shows of itself."""


def _of_premise(row: Row) -> Iterator[tuple[str, str]]:
    """Give the places of a row, each with a policy of the premise that it has."""
    for place in row.places:
        if entitled(row, "consumer", "R", place):
            yield place, "seen"
        if place in _SHOWN:
            yield place, "shown"
    for kind in row.classes:
        if entitled(row, "consumer", "C", kind):
            yield f"cmd/{kind}/in", "orders"
        if entitled(row, "consumer", "R", kind):
            yield f"cmd/{kind}/out", "seen"


_PREMISE: Sequence[tuple[str, str]] = [("ae", "known"), ("generation/setpoint", "setpoint"), *(found for row in MATRIX for found in _of_premise(row))]


def policies(meter: str, premise: str, recipients: tuple[str, ...], place: str) -> list[str]:
    """Give the resource names of the policies of a place below a meter's AE, or of ``node``."""
    others = [shared(recipients, place)] if place in shared_policies(recipients) else []
    return [meter_policy(meter)[0], *others, *(f"acp-{premise}-{name}" for where, name in _PREMISE if where == place)]


def display_policies(premise: str, meters: Sequence[str]) -> Iterator[tuple[str, Sequence[Mapping[str, Any]]]]:
    """Give the policies of a premise's display: ``in`` for what meters write, ``shown`` for what it shows, ``actions`` for what the consumer does."""
    own, mine = allow([ae_id(f"ihd-{premise}")], ALL), [ae_id(f"mtr-{meter}") for meter in meters]
    consumer = [ae_id(f"consumer-{premise}")]
    yield f"acp-ihd-{premise}-in", [own, allow(mine, May.CREATE, children=[Ty.CONTENT_INSTANCE])]
    yield f"acp-ihd-{premise}-shown", [own, *reading([*consumer, *mine, ae_id("sm-test")])]
    yield f"acp-ihd-{premise}-actions", [own, allow(consumer, May.CREATE, children=[Ty.CONTENT_INSTANCE]), *reading(mine)]


def device_policies(premise: str, meters: Sequence[str], device: str) -> Iterator[tuple[str, Sequence[Mapping[str, Any]]]]:
    """Give the policy of a device at the premise: its consumer and its meters may read and set it (F5)."""
    others = [ae_id(f"consumer-{premise}"), *(ae_id(f"mtr-{meter}") for meter in meters)]
    yield f"acp-{device}", [allow([ae_id(device)], ALL), allow(others, READ | May.UPDATE), allow(others, May.CREATE, children=[Ty.SUBSCRIPTION])]


def organisation_policies(name: str) -> Iterator[tuple[str, Sequence[Mapping[str, Any]]]]:
    """Give the policies of an organisation: its alerts come from meters and the watcher, its acks are its own and read by the watcher."""
    own = allow([ae_id(name)], ALL)
    yield f"acp-{name}-alerts", [own, allow(["Cmtr-*", ae_id("sm-watch"), ae_id("sm-collect")], May.CREATE, children=[Ty.CONTENT_INSTANCE])]
    yield f"acp-{name}-acks", [own, *reading([ae_id("sm-watch")])]


def accord_policies(meters: Sequence[str]) -> Iterator[tuple[str, Sequence[Mapping[str, Any]]]]:
    """Give the policies of what the watcher decides for groups: meters vote, and hear the decision (apps.metering.accord)."""
    own, members = allow([ae_id("sm-watch")], ALL), [ae_id(f"mtr-{meter}") for meter in meters]
    yield "acp-sm-watch-votes", [own, allow(members, May.CREATE, children=[Ty.CONTENT_INSTANCE])]
    yield "acp-sm-watch-accord", [own, *reading(members)]


def ledger_policies() -> Iterator[tuple[str, Sequence[Mapping[str, Any]]]]:
    """Give the policies of the ledgers: they are added to, and nobody but the operator of the CSE changes them. bill reads that of settlement (section 12);
    that of commands is read by who keeps it, since it is about the classes of all organisations.
    """
    for keeper, place, readers in (("sm-settle", "ledger", ["bill"]), ("sm-watch", "commands", [])):
        own = allow([ae_id(keeper)], READ | May.CREATE)
        yield f"acp-{keeper}-{place}", [own, *reading([ae_id(name) for name in readers])]


def collection_policies() -> Iterator[tuple[str, Sequence[Mapping[str, Any]]]]:
    """Give the policies of the collection scheduler: asset and network operator say what is collected, and read what was (section 4)."""
    own, users = allow([ae_id("sm-collect")], ALL), [ae_id("asset"), ae_id("dno")]
    yield "acp-sm-collect-policies", [own, *reading(users), allow(users, May.CREATE, children=[Ty.CONTENT_INSTANCE])]
    yield "acp-sm-collect-runs", [own, *reading(users)]


def base_rules() -> Sequence[Mapping[str, Any]]:
    """Give the rules of the CSEBase: those of the system may look at it, asset may subscribe to new entities (section 12)."""
    known = [ae_id(name) for name in (*ORGANISATIONS, *HEAD_END, "sm-test")]
    patterns = [ae_id(f"{kind}-*") for kind in ("mtr", "ihd", "dev", "gen", "consumer", "rdr")]
    return [allow([*known, *patterns], READ), allow([ae_id(name) for name in ("asset", "sm-watch", "sm-settle")], May.CREATE, children=[Ty.SUBSCRIPTION])]


def group_rules() -> Sequence[Mapping[str, Any]]:
    """Give the rules of a group of meters: every organisation may use it, its members decide what it may do there; the watcher keeps it up."""
    return [allow([ae_id(name) for name in (*ORGANISATIONS, *HEAD_END)], READ | May.CREATE), allow([ae_id("sm-watch")], May.UPDATE)]


assert {kind for row in MATRIX for kind in row.classes} == set(CLASSES)
