"""The inbox, spoken to by the real clients of both bindings."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from apps.client import Inbox, NotificationEventType
from bindings.coap.client import CoapSender
from bindings.http.client import HttpSender
from bindings.ports import Sender
from cse.codes import Operation
from cse.codes import ResponseStatusCode as RSC
from cse.primitives import Request, Response


class Wire:
    """An inbox and a CSE's sender that knows where it is."""

    def __init__(self, inbox: Inbox, sender: Sender) -> None:
        self.inbox = inbox
        self.sender = sender

    async def notify(self, content: Any, rqi: str, path: str = "", op: Operation = Operation.NOTIFY) -> Response:
        """Send as a CSE does."""
        url = f"{self.inbox.url}/{path}"
        if op is Operation.NOTIFY:
            return await self.sender.send(url, Request(op, url, "/id-in", rqi, "4", pc=content), 10.0)
        return await self.sender.send(self.inbox.url, Request(op, path, "/id-in", rqi, "4", pc=content), 10.0)


@pytest.fixture(params=["http", "coap"])
async def wire(request: pytest.FixtureRequest) -> AsyncIterator[Wire]:
    """One for each protocol."""
    sender: Sender = HttpSender() if request.param == "http" else CoapSender()
    async with Inbox.http() if request.param == "http" else Inbox.coap() as inbox, asyncio.timeout(20):
        yield Wire(inbox, sender)
    await sender.close()


def event(number: int) -> dict[str, Any]:
    """Give a notification of a new content instance."""
    return {"sur": "cse-in/ae/cnt/sub", "nev": {"net": 3, "rep": {"m2m:cin": {"ri": f"cin{number}", "con": f'{{"n":{number}}}', "cnf": "application/json:0"}}}}


async def test_a_notification_is_answered_and_handed_out(wire: Wire) -> None:
    assert (await wire.notify({"m2m:sgn": event(1)}, "r1", "M1")).rsc is RSC.OK
    one = await wire.inbox.next()
    assert one.subscription == "cse-in/ae/cnt/sub"
    assert one.event is NotificationEventType.CREATE_OF_DIRECT_CHILD_RESOURCE
    assert one.resource is not None
    assert one.resource.content == {"n": 1}
    assert (one.originator, one.identifier, one.path) == ("/id-in", "r1", "M1")


async def test_a_verification_is_answered_and_not_handed_out(wire: Wire) -> None:
    assert (await wire.notify({"m2m:sgn": {"vrq": True, "sur": "cse-in/ae/cnt/sub", "cr": "Cae"}}, "v1")).rsc is RSC.OK
    await wire.notify({"m2m:sgn": event(1)}, "r1")
    assert (await wire.inbox.next()).identifier == "r1"


async def test_a_repetition_is_answered_and_not_handed_out_again(wire: Wire) -> None:
    for _ in range(3):
        assert (await wire.notify({"m2m:sgn": event(1)}, "r1")).rsc is RSC.OK
    await wire.notify({"m2m:sgn": event(2)}, "r2")
    assert [(await wire.inbox.next()).identifier for _ in range(2)] == ["r1", "r2"]


async def test_a_batch_is_handed_out_one_by_one(wire: Wire) -> None:
    assert (await wire.notify({"m2m:agn": {"m2m:sgn": [event(1), event(2)]}}, "b1")).rsc is RSC.OK
    assert [(await wire.inbox.next()).resource.ri for _ in range(2)] == ["cin1", "cin2"]  # type: ignore[union-attr]


async def test_a_deletion_notice_is_marked(wire: Wire) -> None:
    await wire.notify({"m2m:sgn": {"sud": True, "sur": "cse-in/ae/cnt/sub"}}, "d1")
    notice = await wire.inbox.next()
    assert notice.deleted
    assert notice.event is None
    assert notice.resource is None


async def test_a_resource_identifier_alone_is_an_address(wire: Wire) -> None:
    await wire.notify({"m2m:sgn": {"sur": "s", "nev": {"net": 3, "rep": {"m2m:uri": "cse-in/ae/cnt/cin7"}}}}, "u1")
    notice = await wire.inbox.next()
    assert notice.resource is not None
    assert notice.resource.address == "cse-in/ae/cnt/cin7"


@pytest.mark.parametrize(
    "content", [None, {"m2m:cnt": {}}, {"m2m:sgn": {"sur": "s", "nev": {"net": 99}}}, {"m2m:agn": {"m2m:sgn": [1]}}, {"m2m:sgn": {"nev": []}}]
)
async def test_what_is_no_notification_is_refused(wire: Wire, content: Any) -> None:
    assert (await wire.notify(content, "x1")).rsc is RSC.BAD_REQUEST


async def test_other_operations_are_refused(wire: Wire) -> None:
    assert (await wire.notify(None, "x1", "M1", Operation.RETRIEVE)).rsc is RSC.OPERATION_NOT_ALLOWED


async def test_iteration_ends_with_the_inbox() -> None:
    async with Inbox.http() as inbox:
        pass
    assert [one async for one in inbox] == []
    with pytest.raises(EOFError):
        await inbox.next()
