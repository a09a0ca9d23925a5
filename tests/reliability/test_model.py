"""The core agrees with the model of the standard's rules, step by step, over random requests; and the machine sees when it does not."""

import pytest
from msgspec.structs import replace

from cse.codes import Operation, ResponseStatusCode
from cse.primitives import Request, Response
from tests.reliability.machine import InProcess, Machine, OnDisk
from tests.reliability.model import play

EXAMPLES = 15


@pytest.mark.parametrize("machine", [InProcess, OnDisk])
def test_the_core_agrees_with_the_model(machine: type[Machine]) -> None:
    play(machine, EXAMPLES, repeatable=True)


class Careless(InProcess):
    """Lets everybody change the policies of a resource."""

    def __init__(self) -> None:
        super().__init__()
        self.cse.cse.may_change_policies = lambda reader, request, target: True


class Forgetful(InProcess):
    """Loses an UPDATE now and then, though it says that it is done."""

    def send(self, request: Request) -> Response:
        if request.op is Operation.UPDATE and self.count % 3 == 0:
            request = replace(request, op=Operation.RETRIEVE, pc=None)
            answer = super().send(request)
            return replace(answer, rsc=ResponseStatusCode.UPDATED) if answer.ok else answer
        return super().send(request)


@pytest.mark.parametrize("machine", [Careless, Forgetful])
def test_the_machine_sees_a_cse_that_breaks_the_rules(machine: type[Machine]) -> None:
    with pytest.raises(AssertionError):
        play(machine, 200, repeatable=True, shortest=False)


def test_the_model_is_not_played_with_refusals_alone() -> None:
    codes: dict[int, int] = {}

    class Counting(InProcess):
        def send(self, request: Request) -> Response:
            answer = super().send(request)
            codes[int(answer.rsc)] = codes.get(int(answer.rsc), 0) + 1
            return answer

    play(Counting, 30, repeatable=True)
    assert sum(count for code, count in codes.items() if code < 3000) > sum(codes.values()) / 4
    assert {2000, 2001, 2002, 2004, 4000, 4004, 4005, 4103, 4105, 4108, 4117} <= codes.keys()
