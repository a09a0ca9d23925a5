"""What a person sees of the demo: a live table in a terminal, plain lines elsewhere, and the summary with lines to try."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import which

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from apps.demo.street import OPERATOR, Meter, Street

WIDTH = 80
PHASE = {"done": "green"}


def _row(meter: Meter) -> tuple[RenderableType, ...]:
    total = len(meter.readings)
    bar = ProgressBar(total=total, completed=meter.sent, width=18)
    value = "" if meter.last is None else f"{meter.last.time:%d %b %H:%M}  {meter.last}"
    return meter.name, meter.protocol, bar, f"{meter.sent}/{total}", str(meter.notified.total()), Text(value, overflow="ellipsis", no_wrap=True)


def picture(street: Street) -> RenderableType:
    """Draw the street as it is now."""
    table = Table(box=None, pad_edge=False, width=WIDTH - 2, header_style="bold")
    for title, justify, wide in (("meter", "left", 5), ("over", "left", 4), ("", "left", 18), ("sent", "right", 8), ("notified", "right", 8)):
        table.add_column(title, justify=justify, min_width=wide, no_wrap=True)  # type: ignore[arg-type]
    table.add_column("last reading (UTC)", ratio=1, no_wrap=True)
    for meter in street.meters:
        table.add_row(*_row(meter))
    state = Text.assemble((street.phase, PHASE.get(street.phase, "yellow")), f"   {street.sent} of {street.expected} sent, {street.notified} notified")
    return Group(table, Text(), state)


@contextmanager
def shown(console: Console, street: Street) -> Iterator[None]:
    """Show the street while the block runs: redrawn in a terminal, at its end in plain lines elsewhere."""
    if console.is_terminal:
        with Live(get_renderable=lambda: picture(street), console=console, refresh_per_second=10):
            yield
        return
    yield
    for meter in street.meters:
        console.print(f"{meter.name:4} {meter.protocol}  sent {meter.sent}/{len(meter.readings)}, notified {meter.notified.total()}, last {meter.last}")


def summary(console: Console, street: Street) -> None:
    """Print the counts, and what is not as it must be."""
    answered = sum(one.error is None for one in street.fan_out)
    rows = (
        ("readings sent", f"{street.sent} of {street.expected}"),
        ("notifications received", f"{street.notified} of {street.expected}"),
        ("fan-out members answered", f"{answered} of {len(street.meters)}"),
        ("refused to pry", f"{sum(street.refused.values())} of {len(street.refused)}"),
        ("operations", f"{street.operations} in {street.seconds:.1f} s, {street.operations / max(street.seconds, 1e-9):,.0f} a second"),
    )
    console.print()
    for name, value in rows:
        console.print(f"{name:26}{value}", highlight=False)
    for difference in street.differences():
        console.print(f"differs: {difference}", style="red", highlight=False)


def lines_to_try(http: str, coap: str) -> str:
    """Give commands, each ready to be pasted, that look around in the CSE while it is up."""
    headers = f"-H 'X-M2M-Origin: C{OPERATOR}' -H 'X-M2M-RI: 1' -H 'X-M2M-RVI: 4'"
    return f"""\
# the latest reading of a meter, over HTTP
curl {headers} \\
  {http}/cse-in/mtr-M1/readings/registers/la
# everything labelled as readings
curl {headers} \\
  '{http}/cse-in?fu=1&lbl=readings'
# all meters at once
curl {headers} \\
  {http}/cse-in/{OPERATOR}/grp-street/fopt/la
# a neighbour is refused
curl -i -H 'X-M2M-Origin: Cmtr-M2' -H 'X-M2M-RI: 1' -H 'X-M2M-RVI: 4' \\
  {http}/cse-in/mtr-M1/readings/registers/la
# over CoAP: what is offered, and a reading (aiocoap-client has no option for
# the originator that oneM2M asks for, the client library has)
{beside("aiocoap-client")} {coap}/.well-known/core
{beside("python")} -m apps.client {coap} C{OPERATOR} \\
  cse-in/mtr-M2/readings/registers/la"""


def beside(tool: str) -> str:
    """Give the shortest way to write a tool of this Python's environment."""
    path = Path(sys.executable).parent / tool
    if which(tool) == str(path) or not path.exists():
        return tool
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
