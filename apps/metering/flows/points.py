"""Points of time series as an actor sees them, and notices of new ones."""

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any

from apps.client import Resource
from apps.metering.flows.stage import GLANCE, PATIENCE, Stage, Unobserved
from cse.datatypes import seconds_of

SINCE = 600.0
"""Seconds that points are looked back for."""


async def points(stage: Stage, actor: str, path: str) -> Mapping[str, Mapping[str, Any]]:
    """Give the contents of the points of a series that are not older than ten minutes, by their times."""
    criteria = {"cra": stage.cra(stage.at(-SINCE)), "ty": [30]}
    found = await stage.client(actor).retrieve(f"{stage.world.plan.base}/{path}", rcn=8, fc=criteria)
    return {str(one["dgt"]): _content(Resource("", "m2m:tsi", one)) for one in found.get("m2m:tsi", [])}


def _content(resource: Resource) -> Mapping[str, Any]:
    found = resource.get("con")
    content = json.loads(found) if isinstance(found, str) else found
    return content if isinstance(content, Mapping) else {}


async def point(stage: Stage, actor: str, path: str, want: Callable[[float, Mapping[str, Any]], bool]) -> Mapping[str, Mapping[str, Any]]:
    """Give the points of a series as soon as one is as wanted (its time in seconds, its content)."""
    try:
        async with asyncio.timeout(PATIENCE):
            while True:
                found = await points(stage, actor, path)
                if any(want(seconds_of(moment), content) for moment, content in found.items()):
                    return found
                await asyncio.sleep(GLANCE)
    except TimeoutError:
        raise Unobserved(f"no such point was seen in {path} within {PATIENCE:g} seconds") from None


async def until(stage: Stage, look: Callable[[], Any], what: str) -> Any:
    """Give what a look gives, as soon as it gives anything."""
    try:
        async with asyncio.timeout(PATIENCE):
            found = await look()
            while found is None:
                await asyncio.sleep(GLANCE)
                found = await look()
            return found
    except TimeoutError:
        raise Unobserved(f"{what} was not seen within {PATIENCE:g} seconds") from None
