"""Figures as drawings: growth curves and latency distributions, written as SVG by hand, since axes, lines and a legend are all that they need."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10
from pathlib import Path
from xml.sax.saxutils import escape

from tests.benchmarks.plan import QUANTILES, Figure, Results

_WIDTH, _HEIGHT = 720, 400
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 190, 40, 50
_COLOURS = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#17becf", "#8c564b", "#7f7f7f", "#bcbd22", "#e377c2")
_PARTS = (0.0, 0.5, 0.9, 0.99, 0.999, 0.9999)
_DASHES = ("", "6 3", "2 3")

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Axis:
    """One direction of a chart: ``scale`` brings a value to a length, ``ticks`` are values with what is written at them."""

    title: str
    scale: Callable[[float], float]
    ticks: Sequence[tuple[float, str]]

    def place(self, value: float) -> float:
        """Give where a value lies between the first and the last tick, from 0 to 1."""
        first, last = self.scale(self.ticks[0][0]), self.scale(self.ticks[-1][0])
        return (self.scale(value) - first) / (last - first)


def decades(title: str, values: Sequence[float]) -> Axis:
    """Give a logarithmic axis for these values, all above zero, from one power of ten to another."""
    low, high = floor(log10(min(values))), ceil(log10(max(values)))
    ticks = [(10.0**power, f"{10.0**power:,.{max(0, -power)}f}") for power in range(low, max(high, low + 1) + 1)]
    return Axis(title, log10, ticks)


def from_zero(title: str, values: Sequence[float]) -> Axis:
    """Give a linear axis from zero, with four to ten ticks."""
    most = max(*values, 1e-9)
    step = next(size for power in range(-9, 12) for size in (10.0**power, 2 * 10.0**power, 5 * 10.0**power) if most / size <= 8)
    return Axis(title, float, [(step * n, f"{step * n:,.10g}") for n in range(ceil(most / step) + 1)])


def chart(title: str, x: Axis, y: Axis, lines: Mapping[str, Points]) -> str:
    """Draw lines as an SVG document, each with its name in the legend; colours repeat with other dashes."""
    wide, high = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM

    def across(value: float) -> str:
        return f"{_LEFT + wide * x.place(value):.1f}"

    def up(value: float) -> str:
        return f"{_TOP + high * (1 - y.place(value)):.1f}"

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" font-size="12">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
        f'<text x="{_LEFT}" y="22" font-size="15">{escape(title)}</text>',
        f'<text x="{_LEFT + wide / 2}" y="{_HEIGHT - 10}" text-anchor="middle">{escape(x.title)}</text>',
        f'<text transform="translate(16 {_TOP + high / 2}) rotate(-90)" text-anchor="middle">{escape(y.title)}</text>',
    ]
    for value, text in x.ticks:
        parts.append(f'<path d="M{across(value)} {_TOP}V{_TOP + high}" stroke="#ddd"/>')
        parts.append(f'<text x="{across(value)}" y="{_TOP + high + 16}" text-anchor="middle">{escape(text)}</text>')
    for value, text in y.ticks:
        parts.append(f'<path d="M{_LEFT} {up(value)}H{_LEFT + wide}" stroke="#ddd"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{float(up(value)) + 4}" text-anchor="end">{escape(text)}</text>')
    for number, (name, points) in enumerate(lines.items()):
        style = f'stroke="{_COLOURS[number % len(_COLOURS)]}" stroke-width="2" stroke-dasharray="{_DASHES[number // len(_COLOURS) % len(_DASHES)]}" fill="none"'
        legend = _TOP + 10 + 18 * number
        parts.append(f'<polyline points="{" ".join(f"{across(a)},{up(b)}" for a, b in points)}" {style}/>')
        parts.append(f'<path d="M{_WIDTH - _RIGHT + 12} {legend}h24" {style}/>')
        parts.append(f'<text x="{_WIDTH - _RIGHT + 42}" y="{legend + 4}">{escape(name)}</text>')
    return "\n".join([*parts, "</svg>", ""])


def growth(figures: Sequence[Figure], title: str, unit: str, value: Callable[[Figure], float]) -> str | None:
    """Draw ``value`` of every workload that was measured at several sizes; None when none was."""
    lines: dict[str, list[tuple[float, float]]] = {}
    for figure in figures:
        if "size" in figure.more and figure.load.requests > 1 and value(figure) > 0 and not figure.load.errors:
            lines.setdefault(figure.name, []).append((figure.more["size"], value(figure)))
    lines = {name: points for name, points in lines.items() if len(points) > 1}
    if not lines:
        return None
    points = [point for line in lines.values() for point in line]
    return chart(title, decades("resources", [size for size, _ in points]), from_zero(unit, [height for _, height in points]), lines)


def latencies(figures: Sequence[Figure]) -> str | None:
    """Draw the latency distribution of every workload, of those measured more than once the last; None when none has one."""
    lines = {
        figure.name: [(part, seconds * 1e3) for part, seconds in zip(QUANTILES, figure.load.distribution, strict=True) if seconds > 0]
        for figure in figures
        if figure.load.distribution
    }
    lines = {name: points for name, points in lines.items() if points}
    if not lines:
        return None
    x = Axis("part of the requests that were answered in this time", lambda part: -log10(1 - part), [(part, f"{part:.4g}") for part in _PARTS])
    return chart("Latency distributions", x, decades("milliseconds", [height for line in lines.values() for _, height in line]), lines)


def write(results: Results, directory: Path) -> list[Path]:
    """Write what there is to draw, and give the files."""
    figures = results.figures
    drawings = {
        "growth-rate.svg": growth(figures, "Requests a second while the store grows", "requests a second", lambda figure: figure.rate),
        "growth-cpu.svg": growth(figures, "Processor time while the store grows", "µs of server CPU a request", lambda figure: figure.cpu * 1e6),
        "growth-memory.svg": growth(figures, "Memory of the server while the store grows", "MB resident", lambda figure: figure.more.get("bytes", 0) / 1e6),
        "latency.svg": latencies(figures),
    }
    directory.mkdir(parents=True, exist_ok=True)
    made = []
    for name, drawing in drawings.items():
        if drawing is not None:
            (directory / name).write_text(drawing)
            made.append(directory / name)
    return made
