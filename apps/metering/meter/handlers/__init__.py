"""What each type of command means: one file a class, one function a type (see apps.metering.meter.handler)."""

from collections.abc import Mapping

from apps.metering.meter.body import Body
from apps.metering.meter.handler import Handler, Job
from apps.metering.meter.handlers import config, credit, device, dr, efficiency, gen, log, maint, message, outage, payment, pq, read, supply, tariff

_CLASSES = {
    "read": read.HANDLERS,
    "config": config.HANDLERS,
    "maint": maint.HANDLERS,
    "payment": payment.HANDLERS,
    "credit": credit.HANDLERS,
    "dr": dr.HANDLERS,
    "gen": gen.HANDLERS,
    "outage": outage.HANDLERS,
    "log": log.HANDLERS,
    "pq": pq.HANDLERS,
    "supply": supply.HANDLERS,
    "efficiency": efficiency.HANDLERS,
    "message": message.HANDLERS,
    "tariff": tariff.HANDLERS,
    "device": device.HANDLERS,
}

ALL: Mapping[tuple[str, str], Handler] = {(kind, name): handler for kind, handlers in _CLASSES.items() for name, handler in handlers.items()}
"""Every handler by class and type; what is not here is ``rejected`` as ``requestUnsupported``."""

JOBS: Mapping[str, Job] = {**payment.JOBS, **maint.JOBS, **tariff.JOBS, **device.JOBS}
"""What is done at times that handlers set, by the first part of the name."""


def install(body: Body) -> None:
    """Write the first states of a meter that is switched on for the first time."""
    supply.install(body)
    payment.install(body)


def start(body: Body, first: bool) -> None:
    """Do what belongs to each start of a meter; first: when it is put in."""
    maint.start(body, first)
