"""The conformance document names tests that are there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
NAMED = sorted(set(re.findall(r"`([\w/]+\.py)(?:::(\w+))?`", (ROOT.parent / "docs" / "conformance.md").read_text(encoding="utf-8"))))


def test_every_row_has_a_test() -> None:
    rows = [line for line in (ROOT.parent / "docs" / "conformance.md").read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    without = [row for row in rows if not row.startswith("| clause |") and not re.search(r"`[\w/]+\.py(::\w+)?`", row)]
    assert len(rows) > 50
    assert without == []


@pytest.mark.parametrize(("file", "function"), NAMED)
def test_the_test_exists(file: str, function: str) -> None:
    source = (ROOT / file).read_text(encoding="utf-8")
    assert not function or re.search(rf"^(async )?def {function}\(", source, re.MULTILINE)
