"""In which order and at which times meters are read: the strategies of collection (R08), as functions of what is to be visited."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random


@dataclass(frozen=True, slots=True)
class Visit:
    """One meter to be read at a time. group: the group in whose turn it is, "" for none. start, end: the window in which its answer is expected to begin."""

    meter: str
    at: float
    start: float
    end: float
    group: str = ""


Members = Sequence[tuple[str, Sequence[str]]]
"""Groups with their meters, in their order; meters that are named one by one are in a group called ""."""

Strategy = Callable[[Members, float, float, Random], list[Visit]]
"""Plans the visits of one cycle that begins at a time, in a window of so many seconds."""


def _flat(members: Members) -> list[tuple[str, str]]:
    """Give group and meter of each, a meter once."""
    first: dict[str, str] = {}
    for group, meters in members:
        for meter in meters:
            first.setdefault(meter, group)
    return [(group, meter) for meter, group in first.items()]


def round_robin(members: Members, start: float, window: float, random: Random) -> list[Visit]:
    """Visit each once, in their order, evenly spread over the window."""
    found = _flat(members)
    return [Visit(meter, start + window * number / len(found), start, start + window, group) for number, (group, meter) in enumerate(found)]


def random_window(members: Members, start: float, window: float, random: Random) -> list[Visit]:
    """Visit each once, at a time of its own at random inside the window."""
    found = [Visit(meter, start + random.random() * window, start, start + window, group) for group, meter in _flat(members)]
    return sorted(found, key=lambda visit: visit.at)


def group_round_robin(members: Members, start: float, window: float, random: Random) -> list[Visit]:
    """Take the groups in turn, each for a window; visit its meters at random inside that."""
    found: list[Visit] = []
    flat = _flat(members)
    for number, (group, _) in enumerate(members):
        found += random_window([(group, [meter for named, meter in flat if named == group])], start + number * window, window, random)
    return found


STRATEGIES: Mapping[str, Strategy] = {"roundRobin": round_robin, "randomWindow": random_window, "groupRoundRobin": group_round_robin}
"""The strategies by the names that policies use."""


def length(strategy: str, groups: int, window: float) -> float:
    """Give how many seconds a cycle takes until its last window ends."""
    return window * max(groups, 1) if strategy == "groupRoundRobin" else window
