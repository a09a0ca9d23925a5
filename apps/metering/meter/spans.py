"""Spans of time that commands ask about: ``from`` and ``to`` of their parameters, both inclusive, both optional."""

from collections.abc import Mapping
from typing import Any

from apps.metering.meter.records import Rejected
from apps.metering.vocabulary import stamp
from cse.datatypes import seconds_of


def check(params: Mapping[str, Any]) -> None:
    """Raise Rejected when a span ends before it begins."""
    since, until = span(params)
    if since > until:
        raise Rejected("requestInvalid", f"params.from: {params['from']} is later than params.to {params['to']}")


def span(params: Mapping[str, Any]) -> tuple[str, str]:
    """Give begin and end as texts that can be compared with times in contents; an end that is not given is later than every time."""
    since, until = (stamp(seconds_of(params[name])) if name in params else "" for name in ("from", "to"))
    return since, until or "~"
