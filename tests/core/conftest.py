"""Every tree that a test of the service layer leaves behind is sound."""

from collections.abc import Iterator

import pytest

from cse.consistency import check
from tests.drive import Driven


@pytest.fixture(autouse=True)
def sound(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Check the stores of all CSEs of a test as ``cse check-store`` does; one that the test has closed is not looked at."""
    made: list[Driven] = []
    begin = Driven.__post_init__

    def remembered(driven: Driven) -> None:
        begin(driven)
        made.append(driven)

    monkeypatch.setattr(Driven, "__post_init__", remembered)
    yield
    for driven in made:
        found = [str(finding) for finding in check(driven.store, driven.cse.registry, repair=False)]
        assert not [finding for finding in found if "closed database" not in finding]
