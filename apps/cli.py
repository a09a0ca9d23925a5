"""The command ``cse``: run a CSE, check its configuration, see it at work."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from apps.demo import run as run_demo
from apps.metering.campaign_command import campaign
from apps.metering.commands import app as metering
from apps.metering.day import run as run_day
from apps.metering.main import run as run_metering
from apps.metering.scale.main import run as run_fleet
from apps.store_commands import backup, check_store, restore
from bindings.config import Config, ConfigError, load
from bindings.serve import StartError, configured_types, run
from cse import __version__

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help="A oneM2M common service entity.")
app.add_typer(metering, name="metering")
metering.command()(campaign)
for command in (check_store, backup, restore):
    app.command()(command)

_FLAGS = {"http": "http.listen", "coap": "coap.listen", "store": "store.url", "cse_id": "cse.cse_id", "cse_name": "cse.cse_name", "admin": "cse.admin"}


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"onem2m-cse {__version__}")
        raise typer.Exit


def _load(path: Path | None, flags: dict[str, str | None], sets: list[str]) -> Config:
    try:
        return load(path, {_FLAGS[name]: value for name, value in flags.items() if value is not None}, sets)
    except ConfigError as error:
        typer.echo(f"cse: {error}", err=True)
        raise typer.Exit(2) from error


@app.callback()
def root(version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False) -> None:
    """A oneM2M common service entity."""


@app.command()
def serve(
    config: Annotated[Path | None, typer.Option(help="TOML file; config/in-cse.toml shows every setting.")] = None,
    http: Annotated[str | None, typer.Option(metavar="HOST:PORT", help="Where HTTP requests are taken; empty for not at all.")] = None,
    coap: Annotated[str | None, typer.Option(metavar="HOST:PORT", help="Where CoAP requests are taken; empty for not at all.")] = None,
    store: Annotated[str | None, typer.Option(metavar="URL", help="memory:, sqlite:///path or tinydb:///path.json")] = None,
    cse_id: Annotated[str | None, typer.Option(metavar="/ID", help="CSE-ID.")] = None,
    cse_name: Annotated[str | None, typer.Option(metavar="NAME", help="Resource name of the CSEBase.")] = None,
    admin: Annotated[str | None, typer.Option(metavar="ORIGINATOR", help="Who may do everything.")] = None,
    sets: Annotated[list[str] | None, typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Any other setting; may be repeated.")] = None,
) -> None:
    """Run a CSE until SIGTERM or Ctrl-C. Flags win over the file."""
    flags = {"http": http, "coap": coap, "store": store, "cse_id": cse_id, "cse_name": cse_name, "admin": admin}
    raise typer.Exit(run(_load(config, flags, sets or [])))


@app.command()
def check_config(file: Annotated[Path, typer.Argument(help="TOML file to be checked.")]) -> None:
    """Check a configuration file and the definitions it names; exit code 2 when they cannot be used."""
    try:
        configured_types(_load(file, {}, []))
    except StartError as error:
        typer.echo(f"cse: {error}", err=True)
        raise typer.Exit(2) from error
    typer.echo(f"{file}: good")


@app.command()
def demo(
    store: Annotated[str | None, typer.Option(metavar="URL", help="Where the tree is kept; a temporary SQLite file otherwise.")] = None,
    once: Annotated[bool, typer.Option("--once", help="End by itself: exit code 0 when all counts are as they must be, else 1.")] = False,
    http: Annotated[str, typer.Option(metavar="HOST:PORT", help="Where HTTP requests are taken.")] = "127.0.0.1:0",
    coap: Annotated[str, typer.Option(metavar="HOST:PORT", help="Where CoAP requests are taken.")] = "127.0.0.1:0",
    meters: Annotated[int | None, typer.Option(help="Meters in the street, else 14, half of them over CoAP; with --metering: so many at once.")] = None,
    days: Annotated[int, typer.Option(help="Days of half-hours that each meter sends.")] = 2,
    metering: Annotated[bool, typer.Option("--metering", help="The smart-metering use cases, in place of the street.")] = False,
    flow: Annotated[str | None, typer.Option(metavar="ID", help="With --metering: play one flow, such as UC03-P6-A4.")] = None,
    all_flows: Annotated[bool, typer.Option("--all-flows", help="With --metering: play every flow, and end with a table.")] = False,
    hold: Annotated[bool, typer.Option("--hold", help="With --metering: keep the world up for others, after a line READY.")] = False,
    day: Annotated[str | None, typer.Option(metavar="YYYY-MM-DD", help="With --metering: play a day to come in seconds, half-hour by half-hour.")] = None,
    zone: Annotated[str, typer.Option(metavar="NAME", help="With --metering --day: the time zone of the day.")] = "Europe/London",
    period: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="With --metering --meters: time between two readings of a meter, else 10 or more for many.")
    ] = None,
    periods: Annotated[int, typer.Option(help="With --metering --meters: after so many periods the play ends.")] = 6,
) -> None:
    """Watch a street of meters at work against a real CSE, or the world of the smart-metering use cases."""
    named = {"--flow": flow, "--all-flows": all_flows, "--hold": hold, "--day": day, "--period": period}
    if not metering and (about := next((name for name, value in named.items() if value), None)):
        typer.echo(f"cse: {about} is about the smart-metering use cases: add --metering", err=True)
        raise typer.Exit(2)
    if flow and all_flows:
        typer.echo("cse: --flow plays one, --all-flows all of them", err=True)
        raise typer.Exit(2)
    if metering and meters is not None:
        if flow or all_flows or hold or day:
            typer.echo("cse: --meters plays a fleet; flows are played and held in a world of their own, without it", err=True)
            raise typer.Exit(2)
        raise typer.Exit(run_fleet(http, coap, store, meters, period, periods, Console()))
    if metering and day is not None:
        if flow or all_flows or hold:
            typer.echo("cse: --day plays a day in a world of its own, without --flow, --all-flows and --hold", err=True)
            raise typer.Exit(2)
        raise typer.Exit(run_day(http, coap, store, day, zone, Console()))
    if metering:
        raise typer.Exit(run_metering(http, coap, store, flow, all_flows, hold, Console()))
    raise typer.Exit(run_demo(store, once, http, coap, 14 if meters is None else meters, days, Console()))


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
