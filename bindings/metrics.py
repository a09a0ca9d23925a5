"""What the process counts, as Prometheus reads it. Counting is a few list items on the way of a request; everything else is asked when it is scraped."""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from time import perf_counter

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from cse.codes import Operation
from cse.primitives import Request, Response
from cse.storage import StoreError

SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
SIZES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0)

_OPERATIONS = 8
"""A key of the table of requests is ``rsc * 8 + op``: one small number, since hashing an enumeration's member takes longer than all the rest."""


class Histogram:
    """Counts by upper bounds, which belong to their bucket; ``total`` is the sum of what was counted."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, value: float) -> None:
        """Count a value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def merged(self, others: Iterable["Histogram"]) -> "Histogram":
        """Give the sum of this one and others with the same bounds."""
        found = Histogram(self.bounds)
        for each in (self, *others):
            found.counts = [mine + theirs for mine, theirs in zip(found.counts, each.counts, strict=True)]
            found.total += each.total
        return found

    def cumulated(self) -> list[tuple[str, float]]:
        """Give the buckets as Prometheus has them, each with all that is below it."""
        found, below = [], 0
        for bound, count in zip((*map(str, self.bounds), "+Inf"), self.counts, strict=True):
            below += count
            found.append((bound, float(below)))
        return found


class Meter:
    """What is counted while it happens: requests of each binding, and commits."""

    def __init__(self) -> None:
        self.requests: dict[str, dict[int, Histogram]] = {}
        """binding -> rsc and operation -> seconds."""
        self.sizes = Histogram(SIZES)
        self.commits = {True: Histogram(SECONDS), False: Histogram(SECONDS)}
        """Whether they succeeded -> seconds."""

    def answered(self, request: Request, response: Response, since: float) -> None:
        """Count a request that came at ``since``; one that this CSE makes itself came through no listener, and is not counted."""
        binding = request.peer.listener
        if binding:
            seconds = perf_counter() - since
            key = response.rsc * _OPERATIONS + request.op
            table = self.requests.get(binding)
            if table is None:
                table = self.requests[binding] = {}
            found = table.get(key)
            if found is None:
                found = table[key] = Histogram(SECONDS)
            found.counts[bisect_left(SECONDS, seconds)] += 1
            found.total += seconds

    def committed(self, requests: int, since: float, well: bool) -> None:
        """Count a commit that made the changes of some requests durable, or failed to."""
        self.sizes.add(requests)
        self.commits[well].add(perf_counter() - since)


@dataclass(frozen=True, slots=True)
class Gauges:
    """What is asked when it is scraped.

    info: labels that tell which CSE this is. outbox: number of notices, and seconds since the oldest was written. notifications: outcome -> number so far.
    failing: targets that are waited with after a failure. cache: hits and misses so far. resources: in the tree. connections: binding -> open connections.
    waiting: writers that wait for their turn. progress: requests that are not answered yet.
    """

    info: Mapping[str, str]
    outbox: Callable[[], tuple[int, float]]
    notifications: Mapping[str, int]
    failing: Callable[[], int]
    cache: Callable[[], tuple[int, int]]
    resources: Callable[[], int]
    connections: Callable[[], Mapping[str, int]]
    waiting: Callable[[], int]
    progress: Callable[[], int]


class _Collector(Collector):
    def __init__(self, meter: Meter, gauges: Gauges) -> None:
        self._meter = meter
        self._gauges = gauges

    def collect(self) -> Iterator[Metric]:
        gauges = self._gauges
        yield InfoMetricFamily("cse", "Which CSE this is.", dict(gauges.info))
        yield from self._requests()
        yield from self._commits()
        yield GaugeMetricFamily("cse_waiting_writers", "Requests that wait for their turn to write.", gauges.waiting())
        yield GaugeMetricFamily("cse_requests_in_progress", "Requests that are not answered yet.", gauges.progress())
        yield from self._stored()
        outcomes = CounterMetricFamily("cse_notifications", "Deliveries by outcome: delivered, failed (to be tried again), given_up.", labels=["outcome"])
        for outcome, number in gauges.notifications.items():
            outcomes.add_metric([outcome], number)
        yield outcomes
        yield GaugeMetricFamily("cse_notification_targets_failing", "Targets whose last delivery failed and will be tried again.", gauges.failing())
        hits, misses = gauges.cache()
        yield CounterMetricFamily("cse_store_cache_hits", "Resources that were found in memory.", hits)
        yield CounterMetricFamily("cse_store_cache_misses", "Resources that were looked for in the file.", misses)
        connections = GaugeMetricFamily("cse_connections", "Open connections of clients.", labels=["binding"])
        for binding, number in gauges.connections().items():
            connections.add_metric([binding], number)
        yield connections

    def _stored(self) -> Iterator[Metric]:
        """Tell what the store is asked for; when it cannot be read that is left out, and all the rest is told."""
        with suppress(StoreError):
            depth, age = self._gauges.outbox()
            yield GaugeMetricFamily("cse_outbox_notifications", "Notifications in the outbox, those that batches hold back counted too.", depth)
            yield GaugeMetricFamily("cse_outbox_oldest_seconds", "Age of the oldest notification in the outbox, 0 when it is empty.", age)
        with suppress(StoreError):
            yield GaugeMetricFamily("cse_resources", "Resources in the tree.", self._gauges.resources())

    def _requests(self) -> Iterator[Metric]:
        counts = CounterMetricFamily("cse_requests", "Requests by operation and response status code.", labels=["binding", "operation", "rsc"])
        text = "Time from a request to its answer, without what the binding takes to read and write them."
        times = HistogramMetricFamily("cse_request_seconds", text, labels=["binding", "operation"])
        for binding, table in self._meter.requests.items():
            by_operation: dict[str, Histogram] = {}
            for key, found in sorted(table.items()):
                rsc, op = divmod(key, _OPERATIONS)
                name = Operation(op).name
                counts.add_metric([binding, name, str(rsc)], sum(found.counts))
                by_operation[name] = found.merged([by_operation[name]] if name in by_operation else [])
            for name, found in by_operation.items():
                times.add_metric([binding, name], found.cumulated(), found.total)
        yield counts
        yield times

    def _commits(self) -> Iterator[Metric]:
        meter = self._meter
        counts = CounterMetricFamily("cse_commits", "Commits by outcome: ok, failed.", labels=["outcome"])
        for well, outcome in ((True, "ok"), (False, "failed")):
            counts.add_metric([outcome], sum(meter.commits[well].counts))
        yield counts
        times, sizes = meter.commits[True].merged([meter.commits[False]]), meter.sizes
        for name, text, found in (
            ("cse_commit_seconds", "Time of a commit until it is on the disk.", times),
            ("cse_commit_requests", "Requests that shared a commit.", sizes),
        ):
            family = HistogramMetricFamily(name, text)
            family.add_metric([], found.cumulated(), found.total)
            yield family


def exposition(meter: Meter, gauges: Gauges) -> Callable[[], bytes]:
    """Give what writes all metrics in the text format of Prometheus, with memory, descriptors and processor time of the process."""
    registry = CollectorRegistry()
    registry.register(_Collector(meter, gauges))
    ProcessCollector(registry=registry)
    return lambda: generate_latest(registry)
