"""A held world as a process that a test may kill: ``python -m tests.metering.held DIRECTORY HTTP COAP``; it prints the addresses and the CSE's pid."""

import asyncio
import sys
from pathlib import Path

from apps.metering.world import Plan, standing


async def _hold(directory: str, http: str, coap: str) -> None:
    async with standing(Plan(Path(directory), http=http, coap=coap)) as world:
        print("READY", world.cse.http, world.cse.coap, world.cse.pid, flush=True)
        await world.cse.ended


if __name__ == "__main__":
    asyncio.run(_hold(*sys.argv[1:4]))
