"""Signing keys in files, and the one form of JSON that is signed: what ledgers and packages have in common."""

import json
import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

_PUBLIC = re.compile(r"[0-9a-fA-F]{64}").fullmatch
_SIGNATURE = re.compile(r"[0-9a-fA-F]{128}").fullmatch


class KeyFault(Exception):
    """A key that cannot be used; the message names the file or the text, and says why."""


def canonical(value: Any) -> bytes:
    """Give the one form of a JSON value that is hashed and signed: UTF-8, members in order of their names, no white space, ``2.0`` as ``2``.

    A store or a serialisation on the way may write an equal number in another way, so equal numbers have one form. Raises ValueError for what is no JSON.
    """
    try:
        return json.dumps(_plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
    except RecursionError:
        raise ValueError("the value is nested too deeply") from None


def _plain(value: Any) -> Any:
    match value:
        case Mapping():
            if strange := [name for name in value if not isinstance(name, str)]:
                raise ValueError(f"{strange[0]!r} is no name of a member")
            return {name: _plain(member) for name, member in value.items()}
        case list() | tuple():
            return [_plain(member) for member in value]
        case float() if value.is_integer():
            return int(value)
        case str() | bool() | int() | float() | None:
            return value
    raise ValueError(f"{value!r} is no JSON")


def sign(key: Ed25519PrivateKey, value: Any) -> str:
    """Sign the canonical form of a JSON value; the signature is 128 hexadecimal digits."""
    return key.sign(canonical(value)).hex()


def signed(key: Ed25519PublicKey, value: Any, signature: Any) -> bool:
    """Tell whether a signature is that of the key over the value; False for whatever is no signature."""
    if not isinstance(signature, str) or not _SIGNATURE(signature):
        return False
    try:
        key.verify(bytes.fromhex(signature), canonical(value))
    except (InvalidSignature, ValueError):
        return False
    return True


def public_text(key: Ed25519PrivateKey | Ed25519PublicKey) -> str:
    """Give the public key as text: 64 hexadecimal digits."""
    return (key.public_key() if isinstance(key, Ed25519PrivateKey) else key).public_bytes_raw().hex()


def public_key(text: str) -> Ed25519PublicKey:
    """Read what ``public_text`` wrote. Raises KeyFault."""
    if not _PUBLIC(text):
        raise KeyFault(f"{text[:80]!r} is no public key, which is 64 hexadecimal digits")
    return Ed25519PublicKey.from_public_bytes(bytes.fromhex(text))


def signing_key(path: Path) -> Ed25519PrivateKey:
    """Give the key kept in a file (PEM); a new one is made, readable by its owner alone (mode 600), when there is no file.

    Raises KeyFault when the file holds no Ed25519 key, or when others may read it.
    """
    try:
        if not path.exists():
            _make(path)
        if (mode := path.stat().st_mode & 0o777) & 0o077:
            raise KeyFault(f"{path}: others may use this key (mode {mode:o}); it must be its owner's alone (mode 600)")
        key = load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        raise KeyFault(f"{path}: {error.strerror}") from error
    except (ValueError, TypeError) as error:
        raise KeyFault(f"{path}: holds no private key in PEM") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyFault(f"{path}: holds no Ed25519 key")
    return key


def _make(path: Path) -> None:
    """Put a whole new key into a file, or leave the one that somebody else put there meanwhile."""
    descriptor, part = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")  # mode 600 from its first moment
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
            file.flush()
            os.fsync(descriptor)
        try:
            os.link(part, path)
        except FileExistsError:
            return
    finally:
        os.unlink(part)
