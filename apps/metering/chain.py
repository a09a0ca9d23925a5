"""A ledger that an entity keeps in a container of its own: its end is remembered, so that it goes on after a restart where it was."""

from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from apps.client import ResourceTypeID as Ty
from apps.metering.ledger import GENESIS, Ledger
from apps.metering.memory import Kept
from apps.metering.outbox import Outbox


class Chain:
    """One ledger. An entry is sealed, put into the outbox and remembered as the end in one turn of the memory: none is lost, and none forks."""

    def __init__(self, name: str, key: Ed25519PrivateKey, kept: Kept, outbox: Outbox, address: str) -> None:
        self._name, self._kept, self._outbox, self._address = name, kept, outbox, address
        end = kept.get("ledger", name, {"head": GENESIS, "count": 0})
        self._ledger = Ledger(key, end["head"], end["count"])

    def forget(self, before: float) -> None:
        """Forget which entries were added before a time: nobody tells of them again."""
        self._kept.age(f"entered {self._name}", before)

    def add(self, once: str, content: Mapping[str, Any], at: float) -> bool:
        """Add an entry at a time unless there is one of that name; whether there was none."""
        if self._kept.get(f"entered {self._name}", once) is not None:
            return False
        self._kept.put(f"entered {self._name}", once, at)
        self._outbox.put(self._address, self._ledger.append(content))
        self._kept.put("ledger", self._name, {"head": self._ledger.head, "count": self._ledger.count})
        return True

    def container(self, policy: str) -> tuple[str, int, str, Mapping[str, Any], str]:
        """Give the container for ``Entity.own``: it forgets nothing, and tells the key by which it is verified."""
        return self._name, Ty.CONTAINER, "m2m:cnt", {"lbl": [self._ledger.label]}, policy
