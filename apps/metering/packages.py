"""Firmware and software packages: made and signed by who issues them, checked by the device before anything is applied (requirement R17)."""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from apps.metering.keys import sign, signed

KINDS = ("firmwareUpdate", "softwareUpdate")
INLINE = "data:application/octet-stream;base64,"
"""Beginning of an URL that carries the content of a package itself (RFC 2397)."""

_HASH = re.compile(r"[0-9a-fA-F]{64}").fullmatch
_PARTS = re.compile(r"[0-9]+|[^0-9.]+").findall


class PackageRefused(Exception):
    """A package that must not be applied. code: form, content, hash, signature or version; the message says precisely what is wrong."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True, slots=True)
class Manifest:
    """What is signed: kind of update, name, version, and the SHA-256 of the content. Where the content lies is not, it may move."""

    type: str
    name: str
    version: str
    sha256: str


def pack(kind: str, name: str, version: str, content: bytes, key: Ed25519PrivateKey, url: str = "") -> dict[str, Any]:
    """Make a package and give the ``params`` of the command that orders it. url: where the content is fetched; without one it stands in the URL itself."""
    if kind not in KINDS:
        raise PackageRefused("form", f"type: {kind!r} is none of {', '.join(KINDS)}")
    manifest = Manifest(kind, name, version, hashlib.sha256(content).hexdigest())
    url = url or INLINE + base64.b64encode(content).decode()
    return {"name": name, "version": version, "url": url, "sha256": manifest.sha256, "signature": sign(key, asdict(manifest))}


def check(kind: str, params: Mapping[str, Any], content: bytes, trusted: Iterable[Ed25519PublicKey], *, running: str = "", least: str = "") -> Manifest:
    """Check a package as its command describes it and as its content came; give what may be applied. Raises PackageRefused.

    running: version that is installed, which is not installed again. least: the lowest version that the device takes, so that a fixed flaw does not return.
    """
    manifest = _manifest(kind, params)
    found = hashlib.sha256(content).hexdigest()
    if found != manifest.sha256:
        raise PackageRefused("hash", f"sha256: the content of {manifest.name} {manifest.version} has {found}, not {manifest.sha256}")
    if not any(signed(key, asdict(manifest), params["signature"]) for key in trusted):
        raise PackageRefused("signature", f"signature: is not that of a trusted issuer over {manifest.type} {manifest.name} {manifest.version}")
    if manifest.version == running:
        raise PackageRefused("version", f"version: {running} is installed already")
    if least and order(manifest.version) < order(least):
        raise PackageRefused("version", f"version: {manifest.version} is older than {least}, the lowest that is taken")
    return manifest


def _manifest(kind: str, params: Mapping[str, Any]) -> Manifest:
    if kind not in KINDS:
        raise PackageRefused("form", f"type: {kind!r} is none of {', '.join(KINDS)}")
    for name in ("name", "version", "sha256", "signature"):
        value = params.get(name)
        if not isinstance(value, str) or not value:
            raise PackageRefused("form", f"{name}: must be a text, not {value!r}")
    if not _HASH(params["sha256"]):
        raise PackageRefused("form", f"sha256: must be 64 hexadecimal digits, not {params['sha256'][:80]!r}")
    return Manifest(kind, params["name"], params["version"], params["sha256"].lower())


def carried(url: str) -> bytes | None:
    """Give the content that an URL carries itself, None when it lies elsewhere. Raises PackageRefused when it cannot be read."""
    if not url.startswith("data:"):
        return None
    if not url.startswith(INLINE):
        raise PackageRefused("content", f"url: a package is carried as {INLINE}…, not as {url[:60]!r}")
    try:
        return base64.b64decode(url.removeprefix(INLINE), validate=True)
    except (binascii.Error, ValueError) as error:
        raise PackageRefused("content", f"url: what it carries is no base64: {error}") from error


def order(version: str) -> tuple[tuple[int, int, str], ...]:
    """Give a version as what it is ordered by: numbers as numbers, and before a text that follows them: 1.9 < 1.10-beta < 1.10 < 1.10.1."""
    parts = [(1, int(part), "") if part.isdecimal() else (-1, 0, part) for part in _PARTS(version)]
    return (*parts, (0, 0, ""))
