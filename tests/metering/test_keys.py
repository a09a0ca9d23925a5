"""Keys are kept from others, and equal values have one signed form."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from apps.metering.keys import KeyFault, canonical, public_key, public_text, sign, signed, signing_key

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


def test_a_key_is_made_once_and_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "ledger.pem"
    before = os.umask(0)
    try:
        made = signing_key(path)
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o600
    assert public_text(signing_key(path)) == public_text(made)
    assert os.listdir(tmp_path) == ["ledger.pem"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_a_key_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "ledger.pem"
    signing_key(path)
    path.chmod(mode)
    with pytest.raises(KeyFault, match=f"ledger.pem: others may use this key .mode {mode:o}"):
        signing_key(path)


def test_files_that_hold_no_ed25519_key(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.touch(0o600)
    with pytest.raises(KeyFault, match="holds no private key in PEM"):
        signing_key(path)
    path.write_bytes(generate_private_key(SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with pytest.raises(KeyFault, match="holds no Ed25519 key"):
        signing_key(path)
    with pytest.raises(KeyFault, match="No such file or directory"):
        signing_key(tmp_path / "nowhere" / "key.pem")


@pytest.mark.parametrize("text", ["", "ab", "g" * 64, "a" * 63, "a" * 65])
def test_texts_that_are_no_public_key(text: str) -> None:
    with pytest.raises(KeyFault, match="64 hexadecimal digits"):
        public_key(text)


def test_the_canonical_form() -> None:
    assert canonical({"b": [1, 2.0, -0.0, 0.1], "a": {"ä": None, "z": True}}) == '{"a":{"z":true,"ä":null},"b":[1,2,0,0.1]}'.encode()


@given(JSON)
def test_the_canonical_form_is_the_value_and_the_same_after_every_journey(value: Any) -> None:
    try:
        form = canonical(value)
    except ValueError:
        assert any(0xD800 <= ord(char) <= 0xDFFF for char in json.dumps(value, ensure_ascii=False))
        return
    assert json.loads(form) == value
    assert canonical(json.loads(json.dumps(value, indent=2))) == form
    assert canonical(json.loads(form)) == form


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1: 2}, object(), b"x", {"a": {1, 2}}])
def test_what_is_no_json_has_no_canonical_form(value: Any) -> None:
    with pytest.raises(ValueError, match=r"JSON|name of a member|not JSON compliant|Out of range"):
        canonical(value)


def test_what_is_nested_too_deeply() -> None:
    value: Any = []
    for _ in range(100_000):
        value = [value]
    with pytest.raises(ValueError, match="nested too deeply"):
        canonical(value)


@given(JSON.filter(lambda value: "\\ud" not in json.dumps(value)), JSON.filter(lambda value: "\\ud" not in json.dumps(value)))
def test_a_signature_is_good_for_its_value_and_key_alone(value: Any, other: Any) -> None:
    key, stranger = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    signature = sign(key, value)
    assert signed(key.public_key(), value, signature)
    assert not signed(stranger.public_key(), value, signature)
    assert signed(key.public_key(), other, signature) == (canonical(other) == canonical(value))


@pytest.mark.parametrize("signature", [None, 1, "", "00" * 64, "g" * 128, ["00"]])
def test_what_is_no_signature(signature: Any) -> None:
    assert not signed(Ed25519PrivateKey.generate().public_key(), {}, signature)
