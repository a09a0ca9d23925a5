"""Commands that run beside the server: in this process, which is not that of the server."""

import asyncio

from typer.testing import CliRunner

from apps.cli import app


async def cse(*arguments: str) -> tuple[int, str]:
    """Run ``cse`` with arguments; exit code and all that it printed."""
    found = await asyncio.to_thread(CliRunner().invoke, app, list(arguments))
    if found.exception is not None and not isinstance(found.exception, SystemExit):
        raise found.exception
    return found.exit_code, found.output
