"""How large a run is, and what it gives: the values that the other modules pass around."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from statistics import fmean

import orjson

CONNECTIONS = 16
"""Connections, or outstanding CoAP requests, of every workload; also the rows a commit of the SQLite ceiling."""

READING = '{"meter":"1EMH0011223344","obis":"1-0:1.8.0","value":148213.407,"unit":"kWh","at":"20240612T101500"}'
"""Content of every instance: a reading of 100 bytes."""

QUANTILES = (*(i / 100 for i in range(100)), 0.995, 0.998, 0.999, 0.9995, 0.9999)

INSTANCE = orjson.dumps({"m2m:cin": {"con": READING}}).decode()
"""Body of every CREATE that is measured."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Sizes of a run.

    seconds: length of each measurement; warm: of the load before it that is not counted. width: containers a branch of the discovery tree has; trees: number of
    labelled containers at which discovery is measured, ascending multiples of ten times width. instances: how many one container gets before W1 is repeated.
    containers: of W1b; members: of the group in W5. wrk: path of wrk, None for the client of this package. sizes: contentInstances that are there in G1M,
    ascending; many: AEs of GAE, and containers of GSUB; limit: mni in GMNI; tree: containers of GMEM. meters, endpoints: of D1 and D2, each with so many
    readings; pace: seconds between two readings of an endpoint.
    """

    name: str
    seconds: float
    warm: float
    width: int
    trees: tuple[int, ...]
    instances: int
    containers: int = 100
    members: int = 50
    wrk: str | None = None
    sizes: tuple[int, ...] = (1_000, 10_000, 100_000, 1_000_000)
    many: int = 10_000
    limit: int = 1_000
    tree: int = 100_000
    meters: int = 10_000
    endpoints: int = 1_000
    readings: int = 96
    pace: float = 1.0


FULL = Plan("full", seconds=10, warm=1, width=100, trees=(1_000, 10_000, 100_000), instances=100_000)
QUICK = replace(FULL, name="quick", seconds=2, warm=0.5, trees=(1_000, 4_000, 10_000), instances=20_000, readings=4)
TINY = Plan("tiny", 0.3, 0, 10, (100, 200), 200, 4, 4, sizes=(100, 200), many=20, limit=10, tree=50, meters=10, endpoints=10, readings=3, pace=0.1)


@dataclass(frozen=True, slots=True)
class Load:
    """What a load generator saw: answered requests, how many of them (or of those without an answer) were errors, seconds, latencies in seconds."""

    requests: int
    errors: int
    seconds: float
    p50: float
    p99: float
    complaint: str = ""
    """The first bad answer, or what else went wrong; "" when nothing did."""
    distribution: tuple[float, ...] = ()
    """The latencies below which each of ``QUANTILES`` lie; () when wrk made the load."""

    @property
    def rate(self) -> float:
        """Good answers a second."""
        return (self.requests - self.errors) / self.seconds if self.seconds else 0.0


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured line. ``units`` is what the rate counts for each request (members of a fan-out), ``cpu`` server CPU seconds a request.

    against: which ceiling it is compared with, ``post`` or ``get``. writes: whether the SQLite ceiling means something for it. more: further numbers by name.
    """

    name: str
    what: str
    load: Load
    cpu: float
    against: str
    writes: bool = False
    units: int = 1
    more: Mapping[str, float] = field(default_factory=dict)
    sample: int = 0
    """Which ceilings were measured just before it; the next ones were measured after it."""

    @property
    def rate(self) -> float:
        """Units a second."""
        return self.load.rate * self.units


@dataclass(frozen=True, slots=True)
class Ceilings:
    """What the foundations do here: the bare aiohttp application for POST and GET, rows a second of bare SQLite."""

    post: Figure
    get: Figure
    sqlite: float


@dataclass(frozen=True, slots=True)
class Results:
    """A whole run. ``ceilings`` were measured around each workload; ``growth`` has bytes of disk and memory an instance and what they come from."""

    plan: Plan
    machine: Mapping[str, str]
    ceilings: tuple[Ceilings, ...]
    figures: tuple[Figure, ...]
    growth: Mapping[str, float]

    def ceilings_of(self, name: str) -> list[float]:
        """Give what a ceiling (``post``, ``get``, ``sqlite``) was in units a second, in the order measured."""
        return [c.sqlite if name == "sqlite" else c.get.rate if name == "get" else c.post.rate for c in self.ceilings]

    def part(self, figure: Figure, rate: float, name: str) -> float:
        """Give ``rate`` as a part of a ceiling: of the mean of what it was just before and just after the figure."""
        return rate / fmean(self.ceilings_of(name)[figure.sample : figure.sample + 2])
