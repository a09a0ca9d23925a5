"""The trusted environment of a meter: it keeps a key that nobody sees, and computes with it (requirement R33)."""

from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from apps.metering.keys import public_text, sign
from apps.metering.memory import Kept


class SecureEnvironment:
    """A key of the meter's own, made where it is kept; it never leaves. Nonces are good once, so that evidence cannot be had in advance."""

    def __init__(self, kept: Kept) -> None:
        self._kept = kept

    def _key(self) -> Ed25519PrivateKey:
        found = self._kept.get("secure", "key")
        if found is None:
            made = Ed25519PrivateKey.generate()
            self._kept.put("secure", "key", made.private_bytes_raw().hex())
            return made
        return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(found))

    @property
    def public(self) -> str:
        """The public key, 64 hexadecimal digits."""
        return public_text(self._key())

    def sign(self, facts: Mapping[str, Any]) -> str:
        """Sign the canonical form of facts."""
        return sign(self._key(), facts)

    def used(self, nonce: str) -> bool:
        """Tell whether a nonce was used before."""
        return self._kept.get("nonce", nonce) is not None

    def use(self, nonce: str) -> None:
        """Use a nonce."""
        self._kept.put("nonce", nonce, True)
