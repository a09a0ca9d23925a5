"""Timestamps as numbers."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cse.storage.matching import LAST, moment, timestamp

TIMES = st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(2799, 12, 31))


@given(TIMES, st.booleans())
def test_there_and_back(time: datetime, decimals: bool) -> None:
    text = time.strftime("%Y%m%dT%H%M%S,%f" if decimals else "%Y%m%dT%H%M%S")
    number = moment(text)
    assert number is not None
    assert 0 <= number < 2**63
    assert timestamp(number, decimals) == text


@given(TIMES, TIMES)
def test_order_is_that_of_time(one: datetime, other: datetime) -> None:
    numbers = [moment(time.strftime("%Y%m%dT%H%M%S,%f")) or 0 for time in (one, other)]
    assert (numbers[0] < numbers[1]) == (one < other)


def test_decimals_count_from_the_left() -> None:
    assert moment("20260101T120000,5") == moment("20260101T120000,500000")
    assert moment("20260101T120000,000000") == moment("20260101T120000")


def test_times_far_away_are_the_last() -> None:
    assert moment("99991231T235959") == moment("30000101T000000,5") == LAST


@pytest.mark.parametrize("text", ["", "never", "20260101", "20260101T1200", "20260101T120000,", "20260101T120000,1234567", "20260101T120000Z", None, 20260101])
def test_anything_else_has_none(text: object) -> None:
    assert moment(text) is None
