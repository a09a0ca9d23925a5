"""Whether the quality of supply is within its tolerance (use case 4): what leaves it is recorded in ``pq/events`` when that begins and when it ends."""

from collections.abc import Iterable, Mapping
from typing import Any

from apps.metering.meter.body import Body
from apps.metering.tree import LIMITS

KEPT = 10_000
"""Events of quality that the meter itself remembers."""

_OF_VOLTAGE = {"low": "sag", "high": "swell"}


def limits(meter: Body) -> Mapping[str, Mapping[str, float]]:
    """Give the tolerance of each quantity that has one: ``low``, ``high`` or both."""
    return {**LIMITS, **meter.kept.get("pq", "limits", {})}


def set_limits(meter: Body, changes: Mapping[str, Mapping[str, float]]) -> None:
    """Change bounds, those that are not named stay; and look at once what that means."""
    changed = {name: {**limits(meter).get(name, {}), **bounds} for name, bounds in changes.items()}
    meter.kept.put("pq", "limits", {**meter.kept.get("pq", "limits", {}), **changed})
    meter.outbox.update(meter.place("pq/limits"), "mtr:limits", changed)
    judge(meter)


def reset(meter: Body) -> None:
    """Have the tolerance again that the meter came with."""
    changed = meter.kept.get("pq", "limits", {})
    meter.kept.drop("pq", "limits")
    if changed:
        meter.outbox.update(meter.place("pq/limits"), "mtr:limits", {name: LIMITS.get(name) for name in changed})
    judge(meter)


def judge(meter: Body) -> None:
    """Compare what is measured now with the tolerance. While there is no supply nothing is measured: outages are not a matter of quality."""
    if not meter.identity.electric:
        return
    measured = meter.plant.quality(meter.now()) if meter.plant.sensed.supply else {}
    before: Mapping[str, Mapping[str, Any]] = meter.kept.get("pq", "open", {})
    after = {}
    for name, bounds in limits(meter).items():
        value, was = measured.get(name), before.get(name)
        side = _side(value, bounds)
        if was and was["side"] != side:
            _end(meter, name, value, was)
        if was and was["side"] == side:
            after[name] = was
        elif side and value is not None:
            after[name] = _begin(meter, name, value, side, bounds)
    if after != before:
        meter.kept.put("pq", "open", after)


def events(meter: Body, quantities: Iterable[str], since: str, until: str) -> list[str]:
    """Give the evtIds of what happened to some quantities in a span, in the order of their times."""
    wanted = frozenset(quantities)
    found = [event for event in meter.kept.all("quality").values() if event["quantity"] in wanted and since <= event["ts"] <= until]
    return [str(event["evtId"]) for event in sorted(found, key=lambda event: str(event["ts"]))]


def _side(value: float | None, bounds: Mapping[str, float]) -> str:
    if value is None:
        return ""
    if "low" in bounds and value < bounds["low"]:
        return "low"
    return "high" if "high" in bounds and value > bounds["high"] else ""


def _begin(meter: Body, quantity: str, value: float, side: str, bounds: Mapping[str, float]) -> Mapping[str, Any]:
    detail = f"{quantity} is {value:g}, {'below' if side == 'low' else 'above'} {bounds[side]:g}"
    facts = {"quantity": quantity, "value": value, "limit": dict(bounds), "detail": detail}
    event = _record(meter, "outOfToleranceStart", "warning", facts)
    if quantity == "voltage":
        _record(meter, _OF_VOLTAGE[side], "warning", {**facts, "of": event["evtId"]})
    return {"side": side, "evtId": event["evtId"], "start": event["ts"]}


def _end(meter: Body, quantity: str, value: float | None, was: Mapping[str, Any]) -> None:
    said = f"{quantity} is not measured" if value is None else f"{quantity} is {value:g}"
    facts = {"quantity": quantity, "of": was["evtId"], "start": was["start"], **({} if value is None else {"value": value})}
    _record(meter, "outOfToleranceEnd", "info", {**facts, "detail": f"{said}; it was too {was['side']} since {was['start']}"})


def _record(meter: Body, kind: str, severity: str, facts: Mapping[str, Any]) -> Mapping[str, Any]:
    number = meter.kept.number("quality")
    event = {"evtId": f"{meter.identity.name}-Q{number}", "type": kind, "ts": meter.ts(), "severity": severity, **facts}
    meter.outbox.put(meter.place("pq/events"), event)
    meter.kept.put("quality", f"{number:012}", {name: event[name] for name in ("evtId", "ts", "quantity")})
    meter.kept.prune("quality", f"{max(0, number - KEPT):012}")
    return event
