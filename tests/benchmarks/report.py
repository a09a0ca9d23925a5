"""What a run is told as: tables for people, one object for JSON; the goals, and whether they were reached."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from rich.console import Group
from rich.table import Table

from tests.benchmarks.plan import Figure, Results


@dataclass(frozen=True, slots=True)
class Goal:
    """Something to reach: ``found`` is None when the run did not measure it; at least ``limit``, or at most when ``most``."""

    text: str
    limit: float
    found: Callable[[Results], float | None]
    most: bool = False

    def reached(self, results: Results) -> bool | None:
        """Tell whether it was reached, None when it was not measured."""
        value = self.found(results)
        return None if value is None else value <= self.limit if self.most else value >= self.limit


def figures(results: Results, name: str) -> list[Figure]:
    """Give the figures of a workload in the order in which they were measured."""
    return [figure for figure in results.figures if figure.name == name]


def ratio(name: str, rate: Callable[[Figure], float] = lambda figure: figure.rate) -> Callable[[Results], float | None]:
    """Give what finds a workload's rate as a part of the aiohttp ceiling for its method."""

    def find(results: Results) -> float | None:
        found = figures(results, name)
        return results.part(found[0], rate(found[0]), found[0].against) if found else None

    return find


def slowdown(first: str, last: str) -> Callable[[Results], float | None]:
    """Give what finds how many times slower the last figure is than the first."""

    def find(results: Results) -> float | None:
        few, many = figures(results, first), figures(results, last)
        return few[0].rate / many[-1].rate if few and many and many[-1].rate else None

    return find


def tail(*names: str) -> Callable[[Results], float | None]:
    """Give what finds how many times as long as the median the 99th percentile is, in the worst of these workloads."""

    def find(results: Results) -> float | None:
        loads = [figure.load for name in names for figure in figures(results, name) if figure.load.p50]
        return max((load.p99 / load.p50 for load in loads), default=None)

    return find


def start(results: Results) -> float | None:
    """Give the seconds that the start with the largest store took."""
    found = figures(results, "G1M start")
    return found[-1].load.p50 if found else None


GOALS = (
    Goal("W0 of the aiohttp ceiling", 0.6, ratio("W0")),
    Goal("W2 of the aiohttp ceiling", 0.6, ratio("W2")),
    Goal("W3 of the aiohttp ceiling", 0.6, ratio("W3")),
    Goal("W1 of the aiohttp ceiling", 0.4, ratio("W1")),
    Goal("W1b of the aiohttp ceiling", 0.3, ratio("W1b")),
    Goal("W5 members of the aiohttp ceiling (10,000 of 20,000)", 0.5, ratio("W5")),
    Goal("W6 creates of the aiohttp ceiling", 0.2, ratio("W6")),
    Goal("W6 notifications of the aiohttp ceiling", 0.2, ratio("W6", lambda figure: figure.more["notified"])),
    Goal("W7 of the aiohttp ceiling (5,000 of 20,000)", 0.25, ratio("W7")),
    Goal("p99 in medians, W0 to W3", 4, tail("W0", "W1", "W1b", "W2", "W3"), most=True),
    Goal("W4 times slower in the largest tree", 1.5, slowdown("W4", "W4"), most=True),
    Goal("W1 times slower after many instances", 1.5, slowdown("W1 few", "W1 many"), most=True),
    Goal("bytes of disk an instance", 400, lambda results: results.growth.get("disk"), most=True),
    Goal("bytes of memory an instance", 100, lambda results: results.growth.get("memory"), most=True),
    *(Goal(f"{name} times slower in the largest store", 1.5, slowdown(name, name), most=True) for name in ("G1M W1", "G1M W1b", "G1M W2", "G1M W3", "G1M W4")),
    Goal("W1 times slower from many AEs", 1.5, slowdown("GAE W1 few", "GAE W1 many"), most=True),
    Goal("W6 times slower over many containers", 1.5, slowdown("GSUB few", "GSUB many"), most=True),
    Goal("W1 times slower at the limit of a container", 1.5, slowdown("GMNI free", "GMNI full"), most=True),
    Goal("seconds to start with the largest store", 3, start, most=True),
)


def unrest(results: Results) -> float:
    """Give how far the lowest aiohttp ceiling lies below the highest, as a part of it: what the machine itself varies."""
    return max(1 - min(rates) / max(rates) for rates in (results.ceilings_of("post"), results.ceilings_of("get")))


def row(results: Results, figure: Figure) -> tuple[str, ...]:
    """Give the cells of one figure."""
    load = figure.load
    parts = [f"{results.part(figure, figure.rate, figure.against):.2f}", f"{results.part(figure, figure.rate, 'sqlite'):.2f}" if figure.writes else "-"]
    what = figure.what
    sizes = [f"{figure.more[key] / 1e6:,.0f} MB{of}" for key, of in (("bytes", ""), ("disk", " of disk")) if key in figure.more]
    if sizes:
        what += f" ({', '.join(sizes)})"
    if "notified" in figure.more:
        what += f" ({figure.more['notified']:,.0f}/s notified, {figure.more['repeated']:,.0f} repeated)"
    times = [f"{load.p50 * 1e3:.2f}", f"{load.p99 * 1e3:.2f}", f"{figure.cpu * 1e6:.0f}"]
    return (figure.name, what, f"{load.requests:,}", f"{load.errors:,}", f"{figure.rate:,.0f}", *times, *parts)


def span(rates: list[float]) -> str:
    """Give the lowest and the highest."""
    return f"{min(rates):,.0f}–{max(rates):,.0f}"


def tables(results: Results) -> Group:
    """Give everything for a terminal."""
    measured = Table(title=f"Speed ({results.plan.name} run)", title_justify="left")
    for heading in ("", "workload"):
        measured.add_column(heading, overflow="fold")
    for heading in ("requests", "errors", "rate /s", "p50 ms", "p99 ms", "CPU µs", "of aiohttp", "of SQLite"):
        measured.add_column(heading, justify="right", no_wrap=True)
    for samples in ([c.post for c in results.ceilings], [c.get for c in results.ceilings]):
        middle = sorted(samples, key=lambda figure: figure.rate)[len(samples) // 2]
        measured.add_row(*row(results, middle)[:8], "", "")
        measured.add_row("", "lowest to highest", "", "", span([figure.rate for figure in samples]), "", "", "", "", "")
    rows = results.ceilings_of("sqlite")
    measured.add_row("SQLite", "rows, WAL and FULL, a commit for 16", "", "", f"{median(rows):,.0f}", "", "", "", "", "")
    measured.add_row("", "lowest to highest", "", "", span(rows), "", "", "", "", "")
    measured.add_section()
    for figure in results.figures:
        measured.add_row(*row(results, figure))
    goals = Table(title="Goals", title_justify="left")
    for heading in ("goal", "wanted", "found", "reached"):
        goals.add_column(heading)
    for goal in GOALS:
        value, reached = goal.found(results), goal.reached(results)
        words = {None: "not measured", True: "[green]yes[/]", False: "[red]no[/]"}[reached]
        goals.add_row(goal.text, f"{'≤' if goal.most else '≥'} {goal.limit:g}", "" if value is None else f"{value:.3g}", words)
    place = Table(title="Machine", title_justify="left", show_header=False)
    for name, text in results.machine.items():
        place.add_row(name, text)
    complaints = [f"{figure.name}: {figure.load.complaint}" for figure in results.figures if figure.load.errors]
    noise = unrest(results)
    warning = ": the machine is not quiet, read the figures with that in mind" if noise > 0.1 else ""
    remark = f"The ceilings were measured around every workload and varied by {noise:.0%}{warning}."
    return Group(place, measured, goals, remark, *complaints)


def as_json(results: Results) -> dict[str, Any]:
    """Give everything for a file: rates a second, times in seconds, sizes in bytes."""
    return {
        "plan": asdict(results.plan),
        "machine": dict(results.machine),
        "unrest": unrest(results),
        "ceilings": [{"post": entry(c.post), "get": entry(c.get), "sqlite": c.sqlite} for c in results.ceilings],
        "figures": [entry(figure, results) for figure in results.figures],
        "growth": dict(results.growth),
        "goals": [{"goal": g.text, "limit": g.limit, "most": g.most, "found": g.found(results), "reached": g.reached(results)} for g in GOALS],
    }


def entry(figure: Figure, results: Results | None = None) -> dict[str, Any]:
    """Give one figure for JSON, with its parts of the ceilings when ``results`` has them."""
    parts = {}
    if results is not None:
        parts["of_aiohttp"] = results.part(figure, figure.rate, figure.against)
        if figure.writes:
            parts["of_sqlite"] = results.part(figure, figure.rate, "sqlite")
    return asdict(figure) | {"rate": figure.rate} | parts
