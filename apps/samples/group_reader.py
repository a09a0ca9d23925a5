"""A group reader: makes a group of every temperature and asks all of them for their latest reading in one request.

python -m apps.samples.group_reader http://127.0.0.1:8080      (or coap://127.0.0.1)
"""

import asyncio
import sys

from apps.client import Client, ResourceTypeID


async def main(url: str) -> None:
    """Ask once and print every member's answer."""
    async with Client.connect(url, originator="Cgroup-reader") as cse:
        ae = await cse.register("group-reader", "N.sample.reader")
        containers = await cse.discover(labels=["temperature"], types=[ResourceTypeID.CONTAINER])
        group = await cse.group(ae, "temperatures", containers)
        for answer in await cse.fan_out(group, "la") if containers else ():
            text = f"{answer.resource.content['celsius']} °C" if answer.resource else f"no reading: {answer.error}"
            print(f"{answer.member}: {text}")
        print(f"{len(containers)} temperatures")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
