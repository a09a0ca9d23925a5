"""``cse metering campaign``: the asset organisation brings a package to the meters of a group."""

import asyncio
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer

from apps.client import Client
from apps.metering.campaign import Campaign, CampaignFault, Phase, Plan, Stage
from apps.metering.clock import RealClock
from apps.metering.rollout import Rollout, Runner, members
from cse.errors import CSEError

BAD = (Stage.FAILED, Stage.ROLLED_BACK)


def campaign(
    group: Annotated[str, typer.Argument(help="URL of the group: http://127.0.0.1:8080/cse-in/grp-P1")],
    state: Annotated[Path, typer.Option(metavar="FILE", help="Where the campaign is kept; one that is there goes on.")],
    package: Annotated[Path | None, typer.Option(metavar="FILE", help='For a new one: {"type": "softwareUpdate", "params": {…}}.')] = None,
    originator: Annotated[str, typer.Option(metavar="AE-ID", help="Who commands.")] = "Casset",
    canary: Annotated[float, typer.Option(help="Share of the meters that go first; one at least.")] = 0.05,
    rate: Annotated[int, typer.Option(help="Updates that are begun within a minute at most.")] = 60,
    abort: Annotated[float, typer.Option(help="Share that may fail before the campaign is stopped.")] = 0.1,
    patience: Annotated[float, typer.Option(help="Seconds that a meter may say nothing.")] = 600.0,
    go_on: Annotated[bool, typer.Option("--go-on", help="Let a campaign go on that was stopped.")] = False,
) -> None:
    """Bring a firmware or software package to a group of meters: exit code 0 when all run it, 1 when some do not, 2 when it cannot be begun."""
    try:
        known = Rollout.load(state) if state.exists() else None
        if known is None and package is None:
            raise CampaignFault(f"{state}: there is no campaign to go on with; --package begins a new one")
        offer = json.loads(package.read_text("utf-8")) if known is None and package is not None else {}
        limits = {"canary": canary, "rate": rate, "abort": abort, "patience": patience}
        ended = asyncio.run(_run(group, originator, state, known.resumed() if known and go_on else known, offer, limits))
    except (CampaignFault, CSEError, OSError, ValueError) as error:
        typer.echo(f"cse: {error}", err=True)
        raise typer.Exit(2) from error
    counts = ", ".join(f"{count} {stage}" for stage, count in ended.counts().items() if count)
    typer.echo(f"campaign {ended.plan.id} is {ended.phase}: {counts}")
    good = ended.phase is Phase.FINISHED and not any(ended.counts()[stage] for stage in BAD)
    raise typer.Exit(0 if good else 1)


async def _run(group: str, originator: str, state: Path, known: Rollout | None, offer: Any, limits: Mapping[str, Any]) -> Campaign:
    parts = urlsplit(group)
    path = parts.path.strip("/")
    async with Client.connect(f"{parts.scheme}://{parts.netloc}", originator, path.partition("/")[0]) as client:
        rollout = known or Rollout.plan(Plan(f"campaign-{int(time.time())}", await members(client, path), **limits), offer)
        return await Runner(client, rollout, state, RealClock(), typer.echo).run()
