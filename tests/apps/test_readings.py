"""The real data of the demo: all of it is there, credited, and parsed."""

from datetime import UTC, datetime
from importlib.resources import files

import pytest

from apps.demo.readings import COUNTED, TELEGRAMS, half_hours, house, household, telegram

DATA = files("apps") / "data"


def test_every_telegram_of_the_data_is_parsed() -> None:
    assert {entry.name for entry in (DATA / "telegrams").iterdir()} == {f"{name}.p1" for name in TELEGRAMS}


@pytest.mark.parametrize("name", TELEGRAMS)
def test_a_telegram_gives_registers_that_count(name: str) -> None:
    content = telegram(name).content()
    assert content["readId"] == f"p1-{name}"
    assert content["registers"]
    assert {register["unit"] for register in content["registers"]} <= COUNTED
    assert datetime.strptime(content["ts"], "%Y%m%dT%H%M%S").year >= 2013


def test_a_telegram_says_what_its_file_says() -> None:
    read = telegram("v5")
    assert read.time == datetime(2017, 1, 2, 18, 20, 2, tzinfo=UTC)
    assert ("ELECTRICITY_USED_TARIFF_1", 4.426, "kWh") in read.registers
    assert any(name.startswith("MBUS1.") and (value, unit) == (0.107, "m3") for name, value, unit in read.registers)


def test_the_household_has_every_row_of_its_source() -> None:
    rows = household()
    assert len(rows) == 17_520
    assert rows[0] == (datetime(2013, 1, 1), 0.31)
    assert rows[-1] == (datetime(2013, 12, 31, 23, 30), 0.207)


def test_times_are_universal() -> None:
    winter, summer = next(half_hours(0, 1)), next(half_hours(180, 1))
    assert winter.time == datetime(2013, 1, 1, 0, 30, tzinfo=UTC)
    assert summer.time == datetime(2013, 6, 29, 23, 30, tzinfo=UTC)


@pytest.mark.parametrize("houses", [2, 12, 14, 40])
def test_a_street_uses_every_telegram_and_no_reading_twice_in_a_house(houses: int) -> None:
    street = [house(number, houses, 2) for number in range(houses)]
    sent = [reading.id for readings in street for reading in readings]
    assert {f"p1-{name}" for name in TELEGRAMS} <= set(sent)
    assert all(len({reading.id for reading in readings}) == len(readings) for readings in street)


def test_the_data_is_credited() -> None:
    text = (DATA / "README.md").read_text()
    assert "CC BY 4.0" in text
    assert "UK Power Networks" in text
    assert "MIT" in text
    assert "dsmr-parser" in text
    assert all(entry.name in text or f"{folder.name}/*.p1" in text for folder in DATA.iterdir() if folder.is_dir() for entry in folder.iterdir())
