"""Configured secrets by which an originator is authenticated; later transports bring certificates and keys to the same place (TS-0003 6.1)."""

from collections.abc import Iterable
from hashlib import sha256

from cse.errors import OriginatorNotAuthenticated


class Credentials:
    """Who holds which secret. Kept as digests, so that a look-up tells nothing by its time and no secret stands in memory dumps or logs."""

    def __init__(self, entries: Iterable[str]) -> None:
        """Take entries of the form ``ORIGINATOR SECRET``. Raises ValueError naming the position of one that is not, never its text."""
        self._holders: dict[bytes, str] = {}
        for position, entry in enumerate(entries, 1):
            originator, blank, secret = entry.partition(" ")
            if not originator or not blank or not secret.strip() or " " in secret:
                raise ValueError(f"entry {position} of the credentials is not of the form 'ORIGINATOR SECRET'")
            self._holders[_digest(secret)] = originator

    @property
    def originators(self) -> tuple[str, ...]:
        """Everybody who has a secret."""
        return tuple(dict.fromkeys(self._holders.values()))

    def holder(self, authorization: str) -> str | None:
        """Give who sends an Authorization header with a Bearer secret, None for another kind of header. Raises OriginatorNotAuthenticated."""
        scheme, _, secret = authorization.partition(" ")
        if scheme.lower() != "bearer" or not self._holders:
            return None
        found = self._holders.get(_digest(secret.strip()))
        if found is None:
            raise OriginatorNotAuthenticated("the secret in the Authorization header is nobody's")
        return found


def _digest(secret: str) -> bytes:
    return sha256(secret.encode()).digest()
