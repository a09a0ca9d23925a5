"""A dashboard: finds every temperature, subscribes to it, and prints what arrives.

python -m apps.samples.dashboard http://127.0.0.1:8080 [NOTIFICATIONS]      (or coap://127.0.0.1)
"""

import asyncio
import sys
from contextlib import suppress

from apps.client import Client, Inbox, ResourceTypeID


async def main(url: str, notifications: str = "") -> None:
    """Print ``notifications`` readings, or go on until Ctrl-C."""
    async with (
        Inbox.coap() if url.startswith("coap") else Inbox.http() as inbox,
        Client.connect(url, originator="Cdashboard") as cse,
    ):
        await cse.register("dashboard", "N.sample.dashboard")
        containers = await cse.discover(labels=["temperature"], types=[ResourceTypeID.CONTAINER])
        for container in containers:
            await cse.subscribe(container, f"{inbox.url}/{container}")
        print(f"watching {len(containers)} temperatures", flush=True)
        seen = 0
        async for notification in inbox:
            if notification.resource is not None:
                print(f"{notification.path}: {notification.resource.content['celsius']} °C", flush=True)
                seen += 1
            if notifications and seen >= int(notifications):
                return


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(main(*sys.argv[1:]))
