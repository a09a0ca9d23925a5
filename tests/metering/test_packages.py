"""Packages are applied as their issuer signed them, or not at all, and the reason is said."""

from itertools import pairwise
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from apps.metering.packages import INLINE, PackageRefused, carried, check, order, pack

KEY, STRANGER = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
TRUSTED = [KEY.public_key()]
CONTENT = b"\x7fELF and so on"


def params(**changes: Any) -> dict[str, Any]:
    """Describe a good package, or one with changes."""
    return {**pack("firmwareUpdate", "meter", "1.2.0", CONTENT, KEY, "coap://127.0.0.1/meter.bin"), **changes}


def reason(
    kind: str = "firmwareUpdate", content: bytes = CONTENT, trusted: Any = TRUSTED, running: str = "", least: str = "", **changes: Any
) -> tuple[str, str]:
    """Have a package refused and give code and text."""
    with pytest.raises(PackageRefused) as refused:
        check(kind, params(**changes), content, trusted, running=running, least=least)
    return refused.value.code, str(refused.value)


@given(st.binary(max_size=200), st.text(), st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_a_package_that_was_packed_is_good_and_carries_its_content(content: bytes, name: str, version: str) -> None:
    name = "n" + name.encode("utf-8", "replace").decode()
    made = pack("softwareUpdate", name, version, content, KEY)
    assert carried(made["url"]) == content
    manifest = check("softwareUpdate", made, content, [STRANGER.public_key(), KEY.public_key()], running=f"{version}.1")
    assert (manifest.name, manifest.version) == (name, version)


def test_hash_digits_may_be_capitals() -> None:
    assert check("firmwareUpdate", params(sha256=params()["sha256"].upper()), CONTENT, TRUSTED).version == "1.2.0"


@given(st.binary())
def test_other_content_is_refused(content: bytes) -> None:
    if content != CONTENT:
        code, text = reason(content=content)
        assert code == "hash"
        assert text.startswith("sha256: the content of meter 1.2.0 has ")
        assert text.endswith(f", not {params()['sha256']}")


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "other"},
        {"version": "1.3.0"},
        {"signature": "00" * 64},
        {"signature": "base64=="},
        {"signature": pack("softwareUpdate", "meter", "1.2.0", CONTENT, KEY)["signature"]},
        {"signature": pack("firmwareUpdate", "meter", "1.2.0", CONTENT, STRANGER)["signature"]},
    ],
)
def test_what_the_issuer_did_not_sign_is_refused(changes: dict[str, Any]) -> None:
    code, text = reason(**changes)
    assert code == "signature"
    assert text.startswith("signature: is not that of a trusted issuer over firmwareUpdate")


def test_content_that_was_replaced_together_with_its_hash_is_refused() -> None:
    evil = pack("firmwareUpdate", "meter", "1.2.0", b"evil", STRANGER)
    assert reason(content=b"evil", sha256=evil["sha256"])[0] == "signature"
    assert reason(trusted=[])[0] == "signature"


def test_software_is_no_firmware() -> None:
    assert reason(kind="softwareUpdate")[0] == "signature"
    assert reason(kind="setTime") == ("form", "type: 'setTime' is none of firmwareUpdate, softwareUpdate")
    with pytest.raises(PackageRefused, match="type: 'other' is none of"):
        pack("other", "a", "1", b"", KEY)


@pytest.mark.parametrize("name", ["name", "version", "sha256", "signature"])
@pytest.mark.parametrize("value", [None, "", 5, ["a"]])
def test_a_form_that_is_wrong_is_named(name: str, value: Any) -> None:
    assert reason(**{name: value}) == ("form", f"{name}: must be a text, not {value!r}")
    assert reason(sha256="12")[1] == "sha256: must be 64 hexadecimal digits, not '12'"


def test_versions() -> None:
    assert reason(running="1.2.0") == ("version", "version: 1.2.0 is installed already")
    assert reason(least="1.10") == ("version", "version: 1.2.0 is older than 1.10, the lowest that is taken")
    assert check("firmwareUpdate", params(), CONTENT, TRUSTED, running="1.3.0", least="1.2.0").version == "1.2.0"


def test_the_order_of_versions() -> None:
    versions = ["0.9", "1.0-alpha", "1.0-beta", "1.0", "1.0.1", "1.9", "1.10-rc1", "1.10-rc2", "1.10", "2"]
    assert all(order(lower) < order(higher) for lower, higher in pairwise(versions))


def test_what_an_url_carries() -> None:
    assert carried("http://127.0.0.1/a.bin") is None
    for url, said in (("data:text/plain,abc", "a package is carried as"), (INLINE + "a", "is no base64"), (INLINE + "äöü=", "is no base64")):
        with pytest.raises(PackageRefused, match=said) as refused:
            carried(url)
        assert refused.value.code == "content"
