"""Reads one resource and prints it: ``python -m apps.client coap://127.0.0.1:5683 Cdno cse-in/mtr-M2/readings/registers/la``."""

import asyncio
import json
import sys

from apps.client.client import Client
from cse.errors import CSEError


async def main(url: str, originator: str, target: str) -> int:
    """Print the resource as JSON, or why not; give the exit code."""
    async with Client.connect(url, originator, timeout=10.0) as cse:
        try:
            found = await cse.retrieve(target)
        except CSEError as refused:
            print(f"{int(refused.code)}: {refused}", file=sys.stderr)
            return 1
    print(json.dumps({found.root: dict(found.attributes)}, indent=2, ensure_ascii=False))
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit("usage: python -m apps.client URL ORIGINATOR TARGET")
    sys.exit(asyncio.run(main(*sys.argv[1:])))
