"""A thermometer: registers, makes a container that everybody may read, and sends a temperature every second.

python -m apps.samples.thermometer http://127.0.0.1:8080 [NAME [READINGS]]      (or coap://127.0.0.1)
"""

import asyncio
import random
import sys
from contextlib import suppress
from itertools import count

from apps.client import AccessControlOperation as May
from apps.client import Client, ResourceTypeID, allow

EVERYBODY = (allow(["all"], May.RETRIEVE | May.DISCOVERY), allow(["all"], May.CREATE, children=[ResourceTypeID.SUBSCRIPTION]))


async def main(url: str, name: str = "kitchen", readings: str = "") -> None:
    """Send ``readings`` temperatures, or go on until Ctrl-C."""
    async with Client.connect(url, originator=f"Cthermometer-{name}") as cse:
        ae = await cse.register(f"thermometer-{name}", "N.sample.thermometer", labels=["thermometer"])
        policy = await cse.access_policy(ae, "acp", [allow([f"Cthermometer-{name}"]), *EVERYBODY])
        container = await cse.container(ae, "temperature", mni=100, lbl=["temperature"], acpi=[policy.ri])
        celsius = 21.0
        for number in range(int(readings)) if readings else count():
            celsius += random.uniform(-0.3, 0.3)
            await cse.put(container, {"celsius": round(celsius, 1)})
            print(f"{name}: {celsius:.1f} °C in {container.address} ({number + 1})", flush=True)
            await asyncio.sleep(0 if readings else 1)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(main(*sys.argv[1:]))
