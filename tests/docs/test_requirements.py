"""docs/metering/requirements.md: every requirement of the source has its row, and names tests and flows that are there."""

import re

import pytest

from apps.metering import flows
from tests.docs.pages import DOCS, ROOT

PAGE = (DOCS / "metering" / "requirements.md").read_text(encoding="utf-8")
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if re.match(r"\| R\d", line)]
NAMED = sorted(set(re.findall(r"`([\w/]+\.py)(?:::(\w+))?`", PAGE)))


def test_all_requirements_are_there_in_their_order() -> None:
    assert [row[0] for row in ROWS] == [f"R{number:02}" for number in range(1, 35)]


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_a_row_is_complete(row: list[str]) -> None:
    _, says, met, test, later = row
    assert says
    assert met
    assert re.search(r"`[\w/]+\.py::\w+`", test)
    assert re.fullmatch(r"(|.*(transport security|several CSEs|in the CSE|tried|timeSyncBeacon).*)", later), "only what is known to come is left for later"


@pytest.mark.parametrize(("file", "function"), NAMED)
def test_the_test_exists(file: str, function: str) -> None:
    source = (ROOT / "tests" / file).read_text(encoding="utf-8")
    assert not function or re.search(rf"^(async )?def {function}\(", source, re.MULTILINE)


def test_flows_that_are_named_are_played() -> None:
    named = set(re.findall(r"UC\d\d-\w+", PAGE))
    assert named
    assert named <= set(flows.FLOWS)
