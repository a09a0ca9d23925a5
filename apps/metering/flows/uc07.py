"""Facilitate distributed generation."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

from apps.client import Inbox
from apps.metering import money
from apps.metering.equipment import RATED
from apps.metering.flows.points import point, points
from apps.metering.flows.stage import PATIENCE, Order, Stage, Unobserved
from apps.metering.vocabulary import State, ae_id
from cse.datatypes import seconds_of

GENERATOR = "gen-P1-1"
SERIES = ("readings/net", "readings/export", "generation/output", "generation/quality")
"""What the operator, the efficiency entity and the bill entity are sent (section 12)."""

RECIPIENTS = ("dno", "eff", "bill")
PRICE = Decimal(2)
"""What a kilowatt-hour of generation is worth."""


async def _asked(stage: Stage, params: Mapping[str, Any], **more: Any) -> Order:
    """Play the first three steps: the operator sees what is lacking, works out what can be added, asks for it."""
    before = await point(stage, "dno", "mtr-M1/generation/output", lambda moment, content: True)
    given = before[max(before)]["value"]
    stage.step("UC07-P1", f"lost generation elsewhere; M1 gives {given} kWh an interval")
    level = RATED / 2
    stage.step("UC07-P2", f"{GENERATOR} can give {level:g} kW")
    wanted = {"quantity": "generation", "direction": "increase", "level": level, "unit": "kW", "start": stage.at(0), "end": stage.at(25), **params}
    order = await stage.command("dno", "gen", "adjust", wanted, **more)
    stage.step("UC07-P3", order.id)
    return order


async def _generated(stage: Stage, **more: Any) -> tuple[Order, Decimal]:
    """Play the first nine steps, and give the command and what was generated in an interval."""
    interval = next(meter.interval for meter in stage.world.plan.meters if meter.name == "M1")
    order = await _asked(stage, {}, **more)
    await stage.status(order, State.VALIDATED)
    stage.step("UC07-P4", "validated")
    ack = await stage.see("dno", "mtr-M1/generation/setpoint", "the acknowledgement", lambda one: one.get("cmdId") == order.id and "ackBy" in one)
    told = await stage.status(order, State.ACCEPTED)
    if ack["ackBy"] != ae_id(GENERATOR) or ack["level"] != order.envelope["params"]["level"]:
        raise Unobserved(f"the setpoint is {ack}")
    stage.step("UC07-P5", f"{ack['ackBy']} at {ack['ts']}, accepted at {told['ts']}")
    start = seconds_of(str(ack["ts"]))
    output = await point(stage, "dno", "mtr-M1/generation/output", lambda moment, content: start <= moment - interval)
    moment = next(name for name in sorted(output) if start <= seconds_of(name) - interval)
    recorded = [moment in await points(stage, "eff", f"mtr-M1/{series}") for series in ("readings/profile", "readings/export", "readings/net")]
    if not all(recorded):
        raise Unobserved(f"of {moment} there is no point in every series: {recorded}")
    stage.step("UC07-P6", f"{output[moment]['value']} kWh generated until {moment}")
    screen = await stage.latest("consumer-P1", "ihd-P1/screen", "generated energy", lambda one: {"generated", "consumed"} <= one["figures"].keys())
    stage.step("UC07-P7", f"generated {screen['figures']['generated']}, consumed {screen['figures']['consumed']}")
    quality = (await points(stage, "dno", "mtr-M1/generation/quality")).get(moment)
    if quality is None or not {"voltage", "frequency"} <= quality.keys():
        raise Unobserved(f"the quality at {moment} is {quality}")
    stage.step("UC07-P8", f"{quality['voltage']} V, {quality['frequency']} Hz")
    return order, Decimal(str(output[moment]["value"]))


@asynccontextmanager
async def _recipients(stage: Stage) -> AsyncIterator[Inbox]:
    """Have all recipients notified of new points of all series."""
    base = f"{stage.world.plan.base}/mtr-M1"
    async with Inbox.http() as inbox:
        for name in RECIPIENTS:
            for series in SERIES:
                await stage.client(name).subscribe(f"{base}/{series}", f"{inbox.url}/{name}/{series}", name=f"sub-{name}-points", pn=2)
        yield inbox
        for name in RECIPIENTS:
            for series in SERIES:
                await stage.client(name).delete(f"{base}/{series}/sub-{name}-points")


async def _notified(stage: Stage, inbox: Inbox) -> None:
    """See that points of all series come to all recipients."""
    missing = {f"{name}/{series}" for name in RECIPIENTS for series in SERIES}
    try:
        async with asyncio.timeout(PATIENCE):
            while missing:
                missing.discard((await inbox.next()).path.strip("/"))
    except TimeoutError:
        raise Unobserved(f"there was no notification to {', '.join(sorted(missing))}") from None
    stage.step("UC07-P9", f"notifications of {', '.join(SERIES)} to {', '.join(RECIPIENTS)}")


async def generated(stage: Stage) -> None:
    """The operator asks for more; it is generated, recorded, shown, sent and credited."""
    async with _recipients(stage) as inbox:
        order, energy = await _generated(stage, ackRequired=True)
        await _notified(stage, inbox)
    done = await stage.status(order, State.EXECUTED)
    await stage.client("dno").put(f"{stage.world.plan.base}/dno/acks", {"cmdId": order.id, "state": done["state"]})
    amount = money.text(round(energy * PRICE, 4))
    credit = await stage.command("bill", "credit", "addCredit", {"amount": amount, "currency": "EUR", "token": f"G-{stage.at(0)}"})
    entry = await stage.see("bill", "mtr-M1/payment/ledger", "the credit entry", lambda one: one.get("cmdId") == credit.id)
    stage.step("UC07-P10", f"acknowledged; {entry['amount']} {entry['currency']} credited as {entry['entryId']}")


async def invalid(stage: Stage) -> None:
    """More than is fitted is refused; the operator corrects the request."""
    order = await _asked(stage, {"level": 10 * RATED})
    refused = await stage.status(order, State.REJECTED, error="requestInvalid")
    await stage.gone(order)
    stage.step("UC07-P4-A1.1", refused["error"]["text"])
    found = await stage.event("requestInvalid", command=order)
    for name in RECIPIENTS:
        await stage.alert(name, "error", event=found["evtId"])
    stage.step("UC07-P4-A1.2", f"rejected at {refused['ts']}, alerts with {found['evtId']}")
    again = await stage.command("dno", "gen", "adjust", {**order.envelope["params"], "level": 1, "end": stage.at(5)})
    await stage.status(again, State.ACCEPTED)
    stage.step("UC07-P4-A1.3", f"corrected as {again.id}, accepted")


async def not_received(stage: Stage) -> None:
    """The operator does not receive what was generated, and does not acknowledge it; all who should have had it are alerted."""
    async with _recipients(stage) as inbox:
        order, _ = await _generated(stage, ackRequired=True)
        await _notified(stage, inbox)
    acknowledged = [one for one in await stage.instances("dno", "dno/acks") if one.get("cmdId") == order.id]
    if acknowledged:
        raise Unobserved(f"{order.id} was acknowledged")
    stage.step("UC07-P10-A2.1", "no acknowledgement")
    for name in RECIPIENTS:
        alert = await stage.alert(name, "notReceived", command=order)
    stage.step("UC07-P10-A2.2", f"notReceived at {alert['ts']}")


FLOWS = {"UC07-P": generated, "UC07-P4-A1": invalid, "UC07-P10-A2": not_received}
