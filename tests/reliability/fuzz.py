"""Fuzz every parser for minutes."""

import asyncio
from collections import Counter
from typing import Any

from hypothesis import HealthCheck, given, settings

from tests.reliability.garbage import PARSERS, feed
from tests.reliability.plan import Plan


def fuzz(name: str, examples: int, *, repeatable: bool = False) -> int:
    """Give a parser some random values; give how many. Raises what the parser raised and should not have, with the shortest value found."""
    fed = 0

    @settings(max_examples=examples, deadline=None, derandomize=repeatable, database=None, suppress_health_check=list(HealthCheck))
    @given(PARSERS[name].given)
    def one(found: Any) -> None:
        nonlocal fed
        fed += 1
        feed(name, found)

    one()
    return fed


async def long(plan: Plan) -> str:
    """Feed all parsers in turn."""
    fed: Counter[str] = Counter()
    for _ in plan.turns():
        for name in PARSERS:
            fed[name] += await asyncio.to_thread(fuzz, name, 500)
    return f"{fed.total()} values for {len(fed)} parsers, {min(fed.values())} at least for each: none raised but what it documents"
