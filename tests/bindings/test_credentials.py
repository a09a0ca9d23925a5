"""Configured secrets: who has one must show it, on every binding; nobody else's secret helps."""

import pytest

from bindings.config import Config, ConfigError, load
from bindings.credentials import Credentials
from cse.codes import Operation
from cse.config import Settings
from cse.errors import OriginatorNotAuthenticated
from cse.primitives import Peer, Request
from tests.drive import Driven


def test_a_secret_tells_its_holder() -> None:
    credentials = Credentials(["Cmeter1 abc", "Cmeter2 def", "Cmeter1 ghi"])
    assert credentials.originators == ("Cmeter1", "Cmeter2")
    assert credentials.holder("Bearer abc") == credentials.holder("bearer ghi") == "Cmeter1"
    assert credentials.holder("Basic abc") is None
    with pytest.raises(OriginatorNotAuthenticated):
        credentials.holder("Bearer xyz")


@pytest.mark.parametrize("entry", ["Cmeter1", "Cmeter1 ", " abc", "Cmeter1 a b"])
def test_a_broken_entry_is_named_by_its_place_and_its_text_is_kept_secret(entry: str) -> None:
    with pytest.raises(ConfigError, match="entry 2") as caught:
        load(None, {}, [f'http.credentials=["Cok fine", "{entry}"]'])
    assert "abc" not in str(caught.value)


@pytest.mark.parametrize(
    ("identity", "fr", "code"),
    [
        (None, "Cmeter1", 4106),
        (None, "/id-in/Cmeter1", 4106),
        (None, "//acme.example.com/id-in/Cmeter1", 4106),
        ("Cmeter1", "Cmeter1", 2000),
        ("Cmeter1", "/id-in/Cmeter1", 2000),
        ("Cmeter1", "CAdmin", 4106),
        ("Cmeter2", "Cmeter1", 4106),
        (None, "CAdmin", 2000),
    ],
)
def test_the_originator_is_held_against_what_the_transport_knows(identity: str | None, fr: str, code: int) -> None:
    driven = Driven(settings=Settings(authenticated=("Cmeter1",)))
    body = {"m2m:ae": {"api": "Nmeter", "rr": False, "srv": ["4"]}}
    assert driven.create("cse-in", 2, body, "Cmeter1", peer=Peer(identity="Cmeter1")).rsc == 2001
    assert driven.request(Request(Operation.RETRIEVE, "cse-in/Cmeter1", fr, "1", "4", peer=Peer(identity=identity))).rsc == code


def test_without_credentials_nobody_is_asked_for_one() -> None:
    assert Config().http.credentials == ()
    assert Credentials(()).holder("Bearer anything") is None
