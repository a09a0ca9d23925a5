"""The commands ``cse metering …``."""

import asyncio
import json
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer

from apps.client import Client, Resource, ResourceTypeID
from apps.metering.keys import KeyFault, public_key, public_text, signing_key
from apps.metering.ledger import LABEL, LedgerFault, entries_in, verify
from cse.errors import CSEError

app = typer.Typer(no_args_is_help=True, help="Smart metering.")

AT_ONCE = 16
"""Entries that are read from a CSE at the same time."""


@app.callback()
def metering() -> None:
    """Smart metering."""


@app.command()
def verify_ledger(
    source: Annotated[
        str, typer.Argument(help="File with a JSON array or one entry a line, or URL of a container: http://127.0.0.1:8080/cse-in/sm-settle/ledger")
    ],
    originator: Annotated[str, typer.Option(metavar="AE-ID", help="Who reads the container.")] = "Cbill",
    key: Annotated[str | None, typer.Option(metavar="HEX|FILE", help="Public key, or file of the signing key; a container tells its own.")] = None,
    head: Annotated[str, typer.Option(metavar="HEX", help="Hash of the newest entry, when it is known: shows that none is missing at the end.")] = "",
) -> None:
    """Check that no entry of a signed ledger was changed, taken out or moved: exit code 0 when it is good, 1 when not, 2 when it cannot be checked."""
    try:
        entries, told = asyncio.run(_fetch(source, originator)) if "://" in source else (entries_in(Path(source).read_text("utf-8")), "")
        chosen = _public(key or told)
    except (KeyFault, LedgerFault, ValueError) as error:
        raise _stop(f"{source}: {error}") from error
    except OSError as error:
        raise _stop(f"{source}: {error.strerror or error}") from error
    except CSEError as error:
        raise _stop(f"{source}: {error} ({int(error.code)})") from error
    faults = verify(entries, chosen, head)
    for fault in faults:
        typer.echo(str(fault))
    own = "" if key or not told else ", the key that the container tells; --key checks against one that you know"
    typer.echo(f"{source}: {len(entries)} entries, {f'{len(faults)} faults' if faults else 'good'} (key {public_text(chosen)[:16]}…{own})")
    raise typer.Exit(1 if faults else 0)


def _stop(text: str) -> typer.Exit:
    typer.echo(f"cse: {text}", err=True)
    return typer.Exit(2)


def _public(key: str) -> Any:
    if not key:
        raise KeyFault("no public key is known; name it with --key")
    path = Path(key)
    return signing_key(path).public_key() if path.is_file() else public_key(key)


async def _fetch(url: str, originator: str) -> tuple[list[Any], str]:
    """Read all entries of a container, in the order in which the CSE has them, and the public key of its labels."""
    parts = urlsplit(url)
    path = parts.path.strip("/")
    async with Client.connect(f"{parts.scheme}://{parts.netloc}", originator, path.partition("/")[0]) as cse:
        container = await cse.retrieve(path)
        addresses = await cse.discover(path, types=[ResourceTypeID.CONTENT_INSTANCE], lvl=1)
        found: list[Resource] = []
        for first in range(0, len(addresses), AT_ONCE):
            found += await asyncio.gather(*(cse.retrieve(address) for address in addresses[first : first + AT_ONCE]))
    told = [label.removeprefix(LABEL) for label in container.get("lbl") or () if label.startswith(LABEL)]
    return [_content(entry) for entry in found], told[0] if told else ""


def _content(entry: Resource) -> Any:
    try:
        content = entry.content
        return json.loads(content) if isinstance(content, str) else content
    except (ValueError, RecursionError):
        return None  # what is no JSON is no entry, and reported as changed
