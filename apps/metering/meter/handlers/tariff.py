"""Tariffs: the one in force, those that wait for their time, and the rate that the calendar names (use case 10)."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from apps.metering import money
from apps.metering.meter import account
from apps.metering.meter.body import Body
from apps.metering.meter.handler import INFORMED, NONE, Handler
from apps.metering.meter.physics import UNITS
from apps.metering.meter.records import Command, Done, Failed, Later, Outcome, Rejected
from apps.metering.outbox import DOCUMENT, document
from apps.metering.vocabulary import State
from cse.datatypes import seconds_of

EXPORT = "2.8.0"
"""The register of what is fed into the network: its rate is in force beside that of consumption, and in no calendar."""

_UNIT = "unit"
"""A unit of whatever the registers count."""

LATE = 60.0
"""Seconds that ``effective`` may have passed when the command comes; it is meant to be at once then."""

_RATES: Mapping[str, int] = {"single": 1, "dual": 2}
"""Schemes that have an exact number of rates for consumption."""


# --- what is valid -------------------------------------------------------------------------------------------------------------------------------------------


def _check(meter: Body, command: Command) -> None:
    params = command.params
    for number, rate in enumerate(params["rates"]):
        if rate.get("register", meter.plant.register) not in meter.plant.registers:
            has = ", ".join(meter.plant.registers)
            raise Rejected("requestInvalid", f"params.rates[{number}].register: {meter.identity.name} has no register {rate['register']}, it has {has}")
    try:
        consumption = _consumption(params)
        _check_fed(params, consumption)
    except money.MoneyFault as wrong:
        raise Rejected("requestInvalid", f"params.{wrong}") from wrong
    _check_units(meter, params)
    count = _RATES.get(params["scheme"])
    if count is not None and len(consumption.rates) != count:
        raise Rejected("requestInvalid", f"params.rates: scheme {params['scheme']} has {count} for what is consumed, not {len(consumption.rates)}")
    paid = account.payment(meter)
    if paid.ahead and paid.currency != consumption.currency:
        raise Rejected("requestInvalid", f"params.rates[0].currency: the account is in {paid.currency}, not in {consumption.currency}")
    if "effective" in params and seconds_of(params["effective"]) < meter.now() - LATE:
        raise Rejected("requestInvalid", f"params.effective: {params['effective']} has passed")


def _check_units(meter: Body, params: Mapping[str, Any]) -> None:
    """Check that prices are for what the registers count. One document may be for unlike meters of a group: there the unit of another medium stands for that
    of each.
    """
    takes = {_UNIT, meter.plant.unit, *(UNITS.values() if meter.identity.group else ())}
    for number, rate in enumerate(params["rates"]):
        if rate["unit"].casefold().replace("³", "3") not in {unit.casefold() for unit in takes}:
            said = f"{meter.identity.name} counts {meter.plant.unit}, no {rate['unit']}"
            raise Rejected("requestInvalid", f"params.rates[{number}].unit: {said}; prices are for one of {', '.join(sorted(takes))}")


def _check_fed(params: Mapping[str, Any], consumption: money.Tariff) -> None:
    """Check the rate of what is fed in, which is in force beside those of consumption. Raises MoneyFault."""
    fed = [rate for rate in params["rates"] if rate.get("register") == EXPORT]
    if not fed:
        return
    found = money.tariff({**params, "rates": fed, "calendar": []})
    if found.currency != consumption.currency:
        raise money.MoneyFault(f"rates: one tariff has one currency, not {consumption.currency} and {found.currency}")
    if found.rates[0].id in [rate.id for rate in consumption.rates]:
        raise money.MoneyFault(f"rates: rateId {found.rates[0].id!r} is there twice")


def _consumed(params: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [rate for rate in params["rates"] if rate.get("register") != EXPORT]


def _consumption(params: Mapping[str, Any]) -> money.Tariff:
    """Give what a tariff says of consumption, which is all that its calendar is about. Raises MoneyFault."""
    return money.tariff({**params, "rates": _consumed(params)})


# --- the rate in force ---------------------------------------------------------------------------------------------------------------------------------------


def in_force(params: Mapping[str, Any], moment: float) -> tuple[money.Rate, float | None]:
    """Give the rate of consumption at a moment, and when the calendar has another one; without a calendar it is the first for ever."""
    tariff, at = _consumption(params), datetime.fromtimestamp(moment, UTC)
    change = tariff.next_change(at)
    return tariff.rate_at(at), None if change is None else change.timestamp()


def _switch(meter: Body, moment: float) -> None:
    """Count on the register of the rate that is in force from a moment, and let the display show it; what was used until now is for the one before."""
    tariff = meter.kept.get("tariff", "active")
    rate, following = in_force(tariff, moment)
    account.price(meter, rate.price)
    meter.plant.register = rate.register or next(iter(meter.plant.registers))
    meter.plant.keep()
    meter.readings.figure(rate=rate.id, price=money.text(rate.price))
    if following is None:
        meter.jobs.drop("tariff")
    else:
        meter.jobs.set("tariff", following, {"moment": following})


def _turn(meter: Body, job: Mapping[str, Any]) -> None:
    """Go over to the next rate: what was used until that very moment counts for the one before."""
    meter.plant.advance(job["moment"])
    _switch(meter, job["now"])


def _by_register(meter: Body, tariff: Mapping[str, Any]) -> dict[str, str]:
    """Give the rate that each register counts, where it counts one only."""
    first, found = next(iter(meter.plant.registers)), dict[str, list[str]]()
    for rate in tariff["rates"]:
        found.setdefault(rate.get("register", first), []).append(rate["rateId"])
    return {register: names[0] for register, names in found.items() if len(names) == 1}


# --- the command ---------------------------------------------------------------------------------------------------------------------------------------------


def _set(meter: Body, command: Command) -> Outcome:
    """Make a tariff the one in force; a member of a group first waits until all members have agreed, so that all of them do it or none."""
    if not meter.identity.group:
        return _agreed(meter, command)
    vote = {"ts": meter.ts(), "cmdId": command.id, "issuer": command.issuer, "meter": meter.identity.name}
    meter.outbox.put(f"{meter.base}/sm-watch/votes", vote)
    return Later(on=(f"agreed:{command.key}", f"refused:{command.key}"))


def _agreed(meter: Body, command: Command) -> Outcome:
    effective = seconds_of(command.params["effective"]) if "effective" in command.params else 0.0
    if effective <= meter.now():
        return _put_in_force(meter, command)
    name = f"pending-{meter.kept.number('tariff')}"
    attributes = {"con": document({"ts": meter.ts(), **_document(command)}), "cnf": DOCUMENT}
    meter.outbox.make(meter.place("tariff/pending"), 4, name, "m2m:cin", attributes)
    return Later(at=effective, state=State.ACCEPTED, kept={"pending": name})


def _resume(meter: Body, command: Command, occasion: str) -> Outcome:
    """Go on with what all members have agreed on, or whose time has come; what is in force waits no longer."""
    if occasion.startswith("agreed:"):
        return _agreed(meter, command)
    if occasion.startswith("refused:"):
        why = meter.kept.get("accord", command.key)["detail"]
        raise Failed("applyFailed", f"{command.params['tariffId']} is for all of {meter.identity.group} or none: {why}")
    meter.outbox.delete(meter.place(f"tariff/pending/{command.kept['pending']}"))
    return _put_in_force(meter, command)


def _put_in_force(meter: Body, command: Command) -> Outcome:
    tariff = _document(command)
    meter.kept.put("tariff", "active", tariff)
    meter.kept.put("tariff", "rates", _by_register(meter, tariff))
    meter.outbox.put(meter.place("tariff/active"), {"ts": meter.ts(), **tariff})
    meter.plant.advance(meter.now())
    _switch(meter, meter.now())
    return Done({"tariffId": tariff["tariffId"]})


def _document(command: Command) -> dict[str, Any]:
    return {"calendar": [], **command.params, "cmdId": command.id}


def _details(command: Command) -> Mapping[str, Any]:
    """Tell the prices where the issuer has said nothing."""
    params = command.params
    start = {"start": params["effective"]} if "effective" in params else {}
    if "message" in command.envelope:
        return start
    prices = "; ".join(f"{rate['rateId']} {rate['price']} {rate['currency']}/{rate['unit']}" for rate in params["rates"])
    return {**start, "text": f"Tariff {params['tariffId']}: {prices}"}


HANDLERS = {
    "setTariff": Handler(
        _set,
        check=_check,
        resume=_resume,
        consents=NONE | INFORMED,
        item="tariff",
        first=True,
        ends=frozenset({"save", "delete"}),
        stays=True,
        details=_details,
    )
}

JOBS = {"tariff": _turn}
