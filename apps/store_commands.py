"""The commands about a store: check it, back it up, put a backup into its place."""

from pathlib import Path
from typing import Annotated

import typer

from bindings.serve import TYPES
from cse.consistency import check
from cse.registry import Registry
from cse.storage import StoreError, StoreRefused, copies, open_store

_URL = "sqlite:///path or tinydb:///path.json"
_Store = Annotated[str, typer.Argument(metavar="URL", help=f"The store: {_URL}")]


def check_store(url: _Store, repair: Annotated[bool, typer.Option("--repair", help="Mend what can be derived: indexes and counters.")] = False) -> None:
    """Check a store that is not in use. Exit code 0: all is well, or mended; 1: something is wrong; 2: it cannot be checked."""
    registry = Registry(TYPES)
    found = left = 0
    try:
        _, path = copies.located(url)
        if not path.is_file() or not path.stat().st_size:
            raise StoreRefused(f"there is no store {path}")
        store = open_store(url, registry.instances)
        try:
            for finding in check(store, registry, repair):
                found += 1
                left += not finding.mended
                typer.echo(f"{finding}{' (mended)' if finding.mended else ''}")
            number = store.count()
        finally:
            store.close()
    except StoreRefused as error:
        raise _refused(error) from error
    except StoreError as error:
        raise _refused(StoreError(f"{url} cannot be checked further: {error}")) from error
    typer.echo(f"{url}: {number} resources, {_number(found)} wrong" + (f", {found - left} mended" if found and repair else ""))
    raise typer.Exit(1 if left else 0)


def backup(url: _Store, file: Annotated[Path, typer.Argument(metavar="FILE", help="The file to be made; it must not exist.")]) -> None:
    """Copy a store, as it is at one moment, while its CSE runs or not. Exit code 2 when that cannot be done."""
    try:
        size = copies.backup(url, file)
    except (StoreRefused, StoreError) as error:
        raise _refused(error) from error
    typer.echo(f"{file}: {size} bytes")


def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `cse backup` made.")],
    url: _Store,
    replace: Annotated[bool, typer.Option("--replace", help="Put it in the place of a store that is there, which is kept beside as NAME.replaced.")] = False,
) -> None:
    """Put a backup into the place of a store whose CSE is stopped. Exit code 2 when that cannot be done."""
    try:
        aside = copies.restore(file, url, replace)
    except (StoreRefused, StoreError) as error:
        raise _refused(error) from error
    typer.echo(f"{url}: restored from {file}" + (f"; the store before it is kept as {aside}" if aside else ""))


def _number(found: int) -> str:
    return "nothing is" if not found else "1 thing is" if found == 1 else f"{found} things are"


def _refused(error: Exception) -> typer.Exit:
    typer.echo(f"cse: {error}", err=True)
    return typer.Exit(2)
