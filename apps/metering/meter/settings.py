"""The settings of a meter: in its own memory, and shown in ``config`` (section 3)."""

from collections.abc import Callable, Mapping
from typing import Any

from apps.metering.memory import Kept
from apps.metering.outbox import Outbox
from apps.metering.tree import Identity, label, reports
from cse.datatypes import seconds_of


class Settings:
    """General parameters, timers and reports of one meter."""

    def __init__(self, identity: Identity, kept: Kept, outbox: Outbox, place: Callable[[str], str]) -> None:
        self._identity, self._kept, self._outbox, self._place = identity, kept, outbox, place

    def timer(self, name: str) -> float:
        """Give a deadline in seconds."""
        return float(self._kept.get("config", "timers", {}).get(name, self._identity.timers[name]))

    def set_timers(self, changes: Mapping[str, float]) -> None:
        """Change deadlines."""
        self._kept.put("config", "timers", {**self._kept.get("config", "timers", {}), **changes})
        self._outbox.update(self._place("config/timers"), "mtr:timers", changes)

    @property
    def version(self) -> int:
        """The number of the general parameters, one more with each change."""
        return int(self._kept.get("config", "settings", {}).get("version", 1))

    @property
    def parameters(self) -> Mapping[str, Any]:
        """The general parameters by name, but for label and version."""
        found: Mapping[str, Any] = self._kept.get("config", "settings", {}).get("parameters", {})
        return found

    def apply(self, changes: Mapping[str, Any]) -> int:
        """Change general parameters and give the new version."""
        before = self._kept.get("config", "settings", {})
        parameters = {**self.parameters, **{name: value for name, value in changes.items() if name != "label"}}
        after = {**before, "version": self.version + 1, "parameters": parameters, **({"label": changes["label"]} if "label" in changes else {})}
        self._kept.put("config", "settings", after)
        self._outbox.update(self._place("config/settings"), "mtr:settings", after if parameters else {k: v for k, v in after.items() if k != "parameters"})
        return self.version

    @property
    def reports(self) -> list[dict[str, Any]]:
        """What is reported to whom and how often."""
        found: list[dict[str, Any]] = self._kept.get("config", "reports", reports(self._identity))
        return found

    def set_report(self, recipient: str, what: list[str], period: float, start: str | None = None) -> None:
        """Have a recipient's report made every ``period`` seconds, or no more when that is 0."""
        others = [report for report in self.reports if report["recipient"] != recipient]
        new = [{"recipient": recipient, "what": what, "period": period, **({"start": start} if start else {})}] if period else []
        self._kept.put("config", "reports", [*others, *new])
        self._outbox.update(self._place("config/reporting"), "mtr:reporting", {"reports": [*others, *new]})

    def reset(self) -> None:
        """Have everything again as it came from the factory; the version counts on."""
        version, parameters = self.version + 1, self.parameters
        self._kept.put("config", "settings", {"version": version})
        self._kept.drop("config", "timers")
        self._kept.drop("config", "reports")
        facts = {"label": label(self._identity), "version": version, **({"parameters": None} if parameters else {})}
        self._outbox.update(self._place("config/settings"), "mtr:settings", facts)
        self._outbox.update(self._place("config/timers"), "mtr:timers", self._identity.timers)
        self._outbox.update(self._place("config/reporting"), "mtr:reporting", {"reports": self.reports})

    @property
    def recipients(self) -> tuple[str, ...]:
        """AE-IDs of everybody who gets reports."""
        return tuple(dict.fromkeys(str(report["recipient"]) for report in self.reports))

    def period(self, at: float) -> float:
        """Give the seconds between two scheduled register readings: the shortest of the reports that have begun by a time."""
        begun = [report for report in self.reports if "start" not in report or seconds_of(report["start"]) <= at]
        return min((float(report["period"]) for report in begun if "registers" in report["what"]), default=self._identity.period)
