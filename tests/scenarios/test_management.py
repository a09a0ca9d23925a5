"""A device is managed: its AE drives what a manager asks for (TS-0001 annex D, 9.6.15 to 9.6.18; procedures 13)."""

from typing import Any

import pytest

from cse.codes import ResponseStatusCode as RSC
from tests.scenarios.bed import Client, Receiver, content, name
from tests.scenarios.test_subscriptions import subscribed

pytestmark = pytest.mark.asyncio(loop_scope="module")

FIRMWARE = {"mgd": 1001, "vr": "1.0", "fwn": "meter", "url": "http://files/1.0", "ud": False}


async def gateway(cse: Client, **attributes: Any) -> str:
    """Make a node with a firmware object; the address of the node."""
    node = await cse.made("cse-in", "nod", {"rn": name("nod"), "ni": name("urn:dev:"), **attributes})
    await cse.made(node["path"], "fwr", {"rn": "firmware", **FIRMWARE})
    return str(node["path"])


async def test_a_device_updates_its_firmware(cse: Client, receiver: Receiver) -> None:
    ae = await cse.ae()
    node = await gateway(cse, hael=[ae])
    assert (await cse.seen(ae))["nl"] == (await cse.seen(node))["ri"]
    firmware = f"{node}/firmware"
    await subscribed(cse, firmware, receiver, enc={"net": [1], "atr": ["ud"]})
    started = await cse.changed(firmware, "fwr", {"vr": "2.0", "url": "http://files/2.0", "ud": True})
    assert started["uds"] == {"acn": "update", "sus": 3}
    asked = content(await receiver.next(), "fwr")
    assert (asked["ud"], asked["url"]) == (True, "http://files/2.0")
    assert (await cse.update(firmware, "fwr", {"ud": True, "uds": {"sus": 1}, "mgd": 1001})).rsc == RSC.BAD_REQUEST
    ended = await cse.changed(firmware, "fwr", {"uds": {"acn": "update", "sus": 1}})
    assert (ended["ud"], ended["uds"]["sus"], ended["vr"]) == (False, 1, "2.0")
    await cse.delete(ae)
    assert "hael" not in await cse.seen(node)


async def test_a_command_waits_is_carried_out_and_has_a_result(cse: Client, receiver: Receiver) -> None:
    node = await gateway(cse)
    firmware = f"{node}/firmware"
    await subscribed(cse, firmware, receiver, enc={"net": [1], "atr": ["ud"]})
    arguments = {"ftyp": "1", "url": "http://files/1.0", "unm": "me", "pwd": "x", "fsi": 1000, "tgf": "image", "dss": 1, "surl": "http://done"}
    arguments |= {"stt": "20260101T000000", "cpt": "20260101T010000"}
    command = await cse.made("cse-in", "mgc", {"rn": name("mgc"), "cmt": 4, "ext": node, "exra": {"dld": [arguments]}, "exy": "PT0.1S"})
    await cse.changed(command["path"], "mgc", {"exe": True})
    ((made,),) = (await cse.seen(command["path"], rcn=8)).values()
    assert content(await receiver.next(), "fwr")["ud"] is True
    assert (await cse.seen(made["ri"]))["exs"] == 2
    await cse.changed(firmware, "fwr", {"uds": {"acn": "update", "sus": 1}})
    ended = await cse.seen(made["ri"])
    assert (ended["exs"], ended["exr"]) == (3, 0)
    assert (await cse.update(made["ri"], "exin", {"exd": True})).rsc == RSC.ALREADY_COMPLETE
