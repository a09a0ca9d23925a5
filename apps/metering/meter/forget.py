"""What a meter forgets, so that its memory stays as small in its tenth year as in its second month."""

from collections.abc import Mapping
from typing import Any

from apps.metering.memory import DAY, KEPT, Kept
from apps.metering.meter.body import Body
from apps.metering.meter.records import DIGITS, fingerprint
from apps.metering.vocabulary import END

OUTAGES = 1_000
"""Outages that the meter itself remembers, as many as ``outage/log`` has."""

JOB = "forget"


def begin(meter: Body) -> None:
    """See to it that the meter forgets once a day."""
    if not meter.jobs.has(JOB):
        meter.jobs.set(JOB, meter.now() + DAY)


def forget(meter: Body, job: Mapping[str, Any]) -> None:
    """Forget what is old. Of a command remains that it was there, in 60 bytes: its cmdId is never executed again. Tokens and nonces are good once for ever."""
    kept, before = meter.kept, meter.now() - KEPT
    _commands(kept, before)
    for kind in ("duplicate", "adopted"):
        kept.age(kind, before)
    for kind in ("kind", "accord", "appointment"):
        kept.age(kind, before, "at")
    kept.age("fired", before, "fired")
    kept.age("planned", before, "until")
    outages = sorted(kept.all("outages").items(), key=lambda one: str(one[1]["start"]))
    for name, _ in outages[:-OUTAGES]:
        kept.drop("outages", name)
    meter.jobs.set(JOB, float(job["now"]) + DAY)


def _commands(kept: Kept, before: float) -> None:
    for key, known in kept.past("command", before, "until").items():
        if known["state"] in END:
            kept.drop("command", key)
            kept.put("spent", fingerprint(key), known["digest"][:DIGITS])
