"""config/constraints.txt: a pin for everything that is installed, which what needs it admits."""

from importlib.metadata import requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PINS = Path(__file__).parents[2] / "config/constraints.txt"


def pins() -> dict[str, str]:
    parsed = [Requirement(line) for line in PINS.read_text("utf-8").splitlines() if not line.startswith("#")]
    found: dict[str, str] = {}
    for pin in parsed:
        (exactly,) = pin.specifier
        assert exactly.operator == "==", str(pin)
        assert found.setdefault(canonicalize_name(pin.name), exactly.version) == exactly.version, f"two pins for {pin.name}"
    return found


def test_everything_that_is_installed_has_a_pin_that_fits() -> None:
    known, seen = pins(), set()
    wanted = [Requirement("onem2m-cse[test]")]
    while wanted:
        found = wanted.pop()
        name = canonicalize_name(found.name)
        if (name, *sorted(found.extras)) in seen:
            continue
        seen.add((name, *sorted(found.extras)))
        for text in requires(name) or ():
            needed = Requirement(text)
            if needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in (*found.extras, "")):
                wanted.append(needed)
                own = canonicalize_name(needed.name)
                if own not in ("onem2m-cse", "pip"):  # pip is there before anything else
                    assert own in known, f"{found} needs {needed}, which has no pin"
                    assert needed.specifier.contains(known[own], prereleases=True), f"{found} needs {needed}, the pin is {known[own]}"
