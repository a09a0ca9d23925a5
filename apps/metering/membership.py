"""Who belongs to the groups of meters: one that is swapped out leaves, the one in its place joins, and so does one that is put in again (use case 2)."""

import asyncio
from collections.abc import Mapping, Sequence

from apps.client import Client
from apps.metering.memory import Kept
from cse.errors import CSEError, NotFound, RequestTimeout, TargetNotReachable

_AGAIN = 0.5
"""Seconds until it is tried again when the CSE was not reached."""


class Membership:
    """The groups of a head-end: in the CSE, and ``groups``, who has to agree on a tariff. What is to be changed is remembered until it is.

    A group is changed member by member, so that what its owner has put into it stays. A meter joins once it has started: its first reading tells it.
    """

    def __init__(self, kept: Kept, groups: Mapping[str, Sequence[str]], base: str) -> None:
        self._kept, self._base = kept, base
        self.groups: dict[str, list[str]] = {name: list(members) for name, members in groups.items()} | dict(kept.all("group"))
        self._new = asyncio.Event()

    def look(self) -> None:
        """Look whether somebody who is to join is there now."""
        self._new.set()

    def swapped(self, old: str, new: str, now: float) -> None:
        """Have a meter in the place of another one in all of its groups."""
        names = [name for name, members in self.groups.items() if old in members]
        if not names:
            return
        self._kept.put("home", old, names)
        for name in names:
            self._kept.put("move", f"{name}\n{old}", {"joins": False, "at": now})
            self._kept.put("move", f"{name}\n{new}", {"joins": True, "at": now})
        self.look()

    def started(self, meter: str, now: float) -> None:
        """Let a meter that was swapped out and has started again back into its groups."""
        for name in self._kept.get("home", meter, []):
            self._kept.put("move", f"{name}\n{meter}", {"joins": True, "at": now})
        self._kept.drop("home", meter)
        self.look()

    async def run(self, client: Client) -> None:
        """Change the groups as it is wanted."""
        while True:
            self._new.clear()
            try:
                for key, move in sorted(self._kept.all("move").items(), key=lambda one: bool(one[1]["joins"])):
                    name, _, meter = key.partition("\n")
                    if await self._move(client, name, meter, move["joins"]):
                        self._moved(name, meter, move["joins"])
            except (TargetNotReachable, RequestTimeout):
                await asyncio.sleep(_AGAIN)
                continue
            await self._new.wait()

    async def _move(self, client: Client, name: str, meter: str, joins: bool) -> bool:
        """Change one group; whether it is as wanted now, or cannot be."""
        address = f"{self._base}/mtr-{meter}"
        try:
            if joins and (await client.latest(f"{address}/readings/registers")).content["reason"] == "final":
                return False
            listed = [str(member) for member in (await client.retrieve(f"{self._base}/{name}"))["mid"]]
            others = [member for member in listed if member.rpartition("/")[2] not in (f"mtr-{meter}", f"Cmtr-{meter}")]
            wanted = [*others, address] if joins else others
            if len(wanted) != len(listed):
                await client.update(f"{self._base}/{name}", {"mid": wanted}, root="m2m:grp")
        except NotFound:
            return not joins
        except (TargetNotReachable, RequestTimeout):
            raise
        except CSEError:
            return True  # the group belongs to somebody who does not want it changed
        return True

    def _moved(self, name: str, meter: str, joins: bool) -> None:
        with self._kept.turn():
            self._kept.drop("move", f"{name}\n{meter}")
            others = [member for member in self.groups.get(name, []) if member != meter]
            self.groups[name] = [*others, meter] if joins else others
            self._kept.put("group", name, self.groups[name])
