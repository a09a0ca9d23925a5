"""What several flows look at beside commands: samples of a series, banners of the display, acknowledgements."""

import json
from collections.abc import Mapping
from typing import Any

from apps.metering.flows.stage import Order, Stage, Unobserved


async def samples(stage: Stage, actor: str, path: str) -> Mapping[str, Mapping[str, Any]]:
    """Give the points of a time series that came since the flow began, by their times, as soon as there is one."""
    await stage.latest(actor, path, "a point", lambda one: str(_point(one)["ts"]) >= stage.began)
    found = await stage.client(actor).retrieve(f"{stage.world.plan.base}/{path}", rcn=8, fc={"cra": stage.cra(stage.began), "ty": [30]})
    listed: list[Mapping[str, Any]] = found.get("m2m:tsi", [])
    return {str(one["dgt"]): one for one in listed}


def _point(content: Any) -> Mapping[str, Any]:
    """Give the content of a point: those of a series bear no content info, and are text."""
    found: Mapping[str, Any] = json.loads(content) if isinstance(content, str) else content
    return found


async def banner(stage: Stage, event: Mapping[str, Any], premise: str = "P1") -> Mapping[str, Any]:
    """Give the banner of an event on the consumer's screen, as soon as it is there."""

    def of(screen: Mapping[str, Any]) -> Mapping[str, Any] | None:
        return next((one for one in screen["banners"] if (one["type"], one["text"]) == (event["type"], event["detail"])), None)

    screen = await stage.latest(f"consumer-{premise}", f"ihd-{premise}/screen", f"banner {event['type']}", lambda one: of(one) is not None)
    found = of(screen)
    assert found is not None
    return found


async def acknowledge(stage: Stage, order: Order, state: str) -> None:
    """Let the issuer say that it knows how its command has ended, and see that this is stored."""
    await stage.client(order.actor).put(f"{stage.world.plan.base}/{order.actor}/acks", {"cmdId": order.id, "state": state})
    await stage.see(order.actor, f"{order.actor}/acks", "the acknowledgement", lambda one: one["cmdId"] == order.id)


def demand(right: bool, said: str) -> None:
    """Raise Unobserved with a sentence unless something is right."""
    if not right:
        raise Unobserved(said)
