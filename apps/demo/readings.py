"""Readings of real meters: P1 telegrams and a London household's half-hours, as contents of ``readings/registers``."""

import csv
import gzip
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Any

from dsmr_parser import telegram_specifications as specifications
from dsmr_parser.parsers import TelegramParser

DATA = files("apps") / "data"
HOUSEHOLD = "interval/lcl-MAC000060-2013.csv.gz"

# The Austrian meter encrypts its telegram; the file has it as it is after decryption.
PLAIN_T210 = {**specifications.SAGEMCOM_T210_D_R, "general_global_cipher": False}

TELEGRAMS: Mapping[str, Mapping[str, Any]] = {
    "v2_2": specifications.V2_2,
    "v3": specifications.V3,
    "v4_2": specifications.V4,
    "v5": specifications.V5,
    "v5_two_mbus": specifications.V5,
    "unpadded_crc": specifications.V5,
    "fluvius_v171": specifications.BELGIUM_FLUVIUS,
    "fluvius_v171_alt": specifications.BELGIUM_FLUVIUS,
    "iskra_ie": specifications.ISKRA_IE,
    "v5_eon_hu": specifications.EON_HUNGARY,
    "sagemcom_t210_d_r": PLAIN_T210,
    "esy5q3da1004_v304": specifications.Q3D,
    "esy5q3db1024_v304": specifications.Q3D,
}
"""Every telegram of the data, and the dialect of DSMR that its meter speaks."""

COUNTED = frozenset({"kWh", "Wh", "kvarh", "varh", "m3", "GJ"})
"""Units of registers that count; power, voltage and current are no register readings."""

# The United Kingdom's summer time of 2013; the household's clock is local.
SUMMER = (datetime(2013, 3, 31, 1), datetime(2013, 10, 27, 2))


@dataclass(frozen=True, slots=True)
class Reading:
    """One register reading. id: unique for the meter. time: UTC. reason: ``startup`` or ``scheduled``. registers: (identifier, value, unit)."""

    id: str
    time: datetime
    reason: str
    registers: tuple[tuple[str, float, str], ...]

    def content(self) -> dict[str, Any]:
        """Give the content that goes into ``readings/registers``."""
        registers = [{"id": name, "value": value, "unit": unit} for name, value, unit in self.registers]
        return {"readId": self.id, "ts": f"{self.time:%Y%m%dT%H%M%S}", "reason": self.reason, "registers": registers, "quality": "measured"}

    def __str__(self) -> str:
        _, value, unit = self.registers[0]
        return f"{value:g} {unit}"


def telegram(name: str) -> Reading:
    """Parse one telegram; a meter too old to send the time gets the start of 2013."""
    raw = (DATA / "telegrams" / f"{name}.p1").read_bytes().decode("latin-1")
    parsed = TelegramParser(TELEGRAMS[name]).parse(raw, throw_ex=True)
    stamp = getattr(parsed, "P1_MESSAGE_TIMESTAMP", None)
    time = stamp.value if stamp is not None else datetime(2013, 1, 1, tzinfo=UTC)
    return Reading(f"p1-{name}", time.astimezone(UTC), "startup", tuple(_registers(parsed)))


def _registers(parsed: Any) -> Iterator[tuple[str, float, str]]:
    devices = [("", parsed)] + [(f"MBUS{device.channel_id}.", device) for device in getattr(parsed, "MBUS_DEVICES", [])]
    for prefix, device in devices:
        for name, item in device:
            if not isinstance(item, list) and isinstance(item.value, int | Decimal) and item.unit in COUNTED:
                yield f"{prefix}{name}", float(item.value), item.unit


@cache
def household() -> tuple[tuple[datetime, float], ...]:
    """Give every half hour of 2013 in the order of the file: its start by the local clock (the file has the hour that spring left out), and kWh."""
    rows = csv.DictReader(gzip.decompress((DATA / HOUSEHOLD).read_bytes()).decode("ascii").splitlines())
    return tuple((datetime.fromisoformat(row["interval_start_local"]), float(row["kwh_half_hour"])) for row in rows)


def _utc(local: datetime) -> datetime:
    return (local - timedelta(hours=SUMMER[0] <= local < SUMMER[1])).replace(tzinfo=UTC)


def half_hours(first: int, days: int) -> Iterator[Reading]:
    """Read the household's meter after each half hour of some days; ``first`` counts days from 0, the year begins again after its end."""
    year = household()
    for number in range(first * 48, (first + days) * 48):
        start, energy = year[number % len(year)]
        yield Reading(f"lcl-{start:%Y%m%dT%H%M}", _utc(start) + timedelta(minutes=30), "scheduled", (("1-0:1.29.0", energy, "kWh"),))


def house(number: int, houses: int, days: int) -> tuple[Reading, ...]:
    """Give what the meter of house ``number`` (from 0) sends: its P1 telegrams, then the half-hours of its own days of the year."""
    telegrams = [telegram(name) for name in list(TELEGRAMS)[number::houses]]
    return (*telegrams, *half_hours(number * 365 // houses, days))
