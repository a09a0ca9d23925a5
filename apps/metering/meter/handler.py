"""How a meter handles one type of command: the protocol that every file in ``handlers`` follows."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from apps.metering.meter.body import Body
from apps.metering.meter.records import Command, Failed, Outcome
from apps.metering.vocabulary import Consent

NONE = frozenset({Consent.NONE})
INFORMED = frozenset({Consent.INFORMED})
REQUIRED = frozenset({Consent.REQUIRED})


def _nothing(meter: Body, command: Command) -> None:
    """Accept what the schema accepts."""


def _no_more(meter: Body, command: Command, occasion: str) -> Outcome:
    raise Failed("applyFailed", f"{command.type} has nothing to go on with at {occasion}")


def _is_informed(command: Command) -> bool:
    return bool(command.envelope["consent"] == Consent.INFORMED)


def _no_details(command: Command) -> Mapping[str, Any]:
    return {}


@dataclass(frozen=True, slots=True)
class Handler:
    """How one type is handled.

    apply: makes the effect and says so, or raises Failed. It is called once for a command, in the turn of the memory in which its status is written too: both
    are remembered, or neither. check: raises Rejected for what the schema cannot know. resume: goes on after Later; ``occasion`` is ``time`` or one of ``on``.

    consents: what the envelope may ask for. item: the kind of the display's item. first: the effect comes before the notice, which is ``#info``.
    ends: the consumer's actions that end the notice; empty when the view itself does. acts: occasions that do so too, once it was viewed, such as
    ``consumer:credit``. details: members that the display's item has more.

    stuck: an effect that does not take is sensed by the handler itself (the fault ``apply`` is its own).
    unsent: the effect is the answer itself, and this is the code when it cannot be sent; "" otherwise. failure: the code when an effect does not take.
    refused: type of the error event when the consumer declines, "" for none. unread: the same for silence, "" for notRead or notActed.
    rejection: type of the error event of a ``rejected``, "" for its code. banner: failures of its class are shown too. override: the consumer may.
    silence: called in the place of expiry when the consumer says nothing; None, or an Outcome, as ``apply`` gives it.
    stays: the item stays on the screen when the consumer's time has passed, and viewing is told apart from what else is done with it (tariffs, appointments).
    begin: raises Failed when the command cannot be begun at its time; nothing was shown yet.
    informs: whether the consumer has only to read this command, such as a price notice; with consent ``informed`` unless a type says more.
    """

    apply: Callable[[Body, Command], Outcome]
    check: Callable[[Body, Command], None] = _nothing
    resume: Callable[[Body, Command, str], Outcome] = _no_more
    consents: frozenset[Consent] = NONE
    item: str = ""
    first: bool = False
    ends: frozenset[str] = frozenset()
    acts: frozenset[str] = frozenset()
    details: Callable[[Command], Mapping[str, Any]] = _no_details
    unsent: str = ""
    stuck: bool = False
    failure: str = "applyFailed"
    refused: str = ""
    unread: str = ""
    rejection: str = ""
    banner: bool = False
    override: bool = False
    stays: bool = False
    silence: Callable[[Body, Command], Outcome | None] | None = None
    begin: Callable[[Body, Command], None] = _nothing
    informs: Callable[[Command], bool] = _is_informed


Job = Callable[[Body, Mapping[str, Any]], None]
"""What is done at a time, once: it sets its next time itself (``Body.jobs``)."""
