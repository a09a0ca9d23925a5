"""The organisations and the consumer of the held world: registered, with a place for alerts and one for acknowledgements, and otherwise silent (section 11)."""

from apps.client import Client
from apps.metering.access import organisation_policies
from apps.metering.vocabulary import ORGANISATIONS, ae_id

_KEPT = 10_000


async def provision(admin: Client) -> None:
    """Make the policies of every organisation."""
    for name in ORGANISATIONS:
        for policy, rules in organisation_policies(name):
            await admin.access_policy(admin.base, policy, rules)


async def settle_in(url: str, base: str, premises: tuple[str, ...]) -> None:
    """Register organisations and consumers over a protocol, each as itself; what is there stays. They issue and answer nothing."""
    for name, app in ORGANISATIONS.items():
        async with Client.connect(url, ae_id(name), base) as client:
            ae = await client.register(name, app)
            for place in ("alerts", "acks"):
                await client.container(ae, place, mni=_KEPT, acpi=[f"{base}/acp-{name}-{place}"])
    for premise in premises:
        name = f"consumer-{premise}"
        async with Client.connect(url, ae_id(name), base) as client:
            await client.register(name, "Nsm.consumer")
