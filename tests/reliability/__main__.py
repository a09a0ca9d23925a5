"""The long forms: ``python -m tests.reliability NAME [--minutes M] [--rounds N]``."""

import argparse
import asyncio
import sys
from collections.abc import Callable, Coroutine, Mapping

import uvloop

from tests.reliability import crash, observing, overload, soak

FORMS: Mapping[str, Callable[[argparse.Namespace], Coroutine[None, None, None]]] = {
    "crash": crash.long,
    "overload": overload.long,
    "idle": soak.idle,
    "soak": soak.long,
    "coap": soak.coap,
    "observe": observing.long,
}


def main(arguments: list[str]) -> None:
    """Run one of them; it prints its figures, and ends with an error when something is not as it must be."""
    parser = argparse.ArgumentParser(prog="python -m tests.reliability", description=__doc__)
    parser.add_argument("name", choices=sorted(FORMS))
    parser.add_argument("--minutes", type=float, default=10.0, help="how long those take that take as long as one likes")
    parser.add_argument("--rounds", type=int, default=100, help="rounds of those that go by rounds")
    given = parser.parse_args(arguments)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(FORMS[given.name](given))


if __name__ == "__main__":
    main(sys.argv[1:])
