"""A server that is stopped and started again on its store: everything is as it was, and what was under way goes on (issue: durability)."""

import pytest

from bindings.serve import Server
from cse.codes import ResponseStatusCode as RSC
from tests.scenarios.bed import Client, Receiver, Said, Wire, client, config, content, name, receiving

pytestmark = pytest.mark.asyncio(loop_scope="module")

READINGS = {"net": [3], "chty": [4]}


async def snapshot(cse: Client) -> object:
    """Give everything there is."""
    answer = await cse.retrieve("cse-in", rcn=8)
    assert answer.rsc == RSC.OK
    return answer.pc


async def test_the_tree_its_counters_and_its_order_are_as_before(durable: str, wire: Wire) -> None:
    async with Server(config(durable)) as server, client(wire, server) as cse:
        stem = await cse.ae(lbl=["ä€𝄞"])
        own = {"pv": {"acr": [{"acor": [stem], "acop": 63}]}, "pvs": {"acr": [{"acor": [stem], "acop": 63}]}}
        policy = await cse.made("cse-in", "acp", {"rn": "acp", **own})
        place = (await cse.made("cse-in", "cnt", {"rn": "c", "acpi": [policy["ri"]], "mni": 5}, fr="CAdmin"))["path"]
        for number in range(7):
            await cse.made(place, "cin", {"con": f"r{number}", "lbl": [f"n:{number}"]}, fr=stem)
        await cse.made("cse-in", "grp", {"rn": "g", "mnm": 3, "mid": [place]})
        before = await snapshot(cse)
    async with Server(config(durable)) as server, client(wire, server) as cse:
        assert await snapshot(cse) == before
        found = await cse.seen(place, stem)
        assert (found["cni"], found["cbs"], found["st"]) == (5, 10, 7)
        assert (await cse.seen(f"{place}/ol", stem))["con"] == "r2"
        assert (await cse.seen(f"{place}/la", stem))["con"] == "r6"
        assert (await cse.retrieve(place, name("C"))).rsc == RSC.ORIGINATOR_HAS_NO_PRIVILEGE
        assert len(await cse.discovered(place, stem, lbl=["n:*"])) == 5
        assert (await cse.create("cse-in", "cnt", {"rn": "c"})).rsc == RSC.CONFLICT
        assert (await cse.create("cse-in", "ae", {"api": "N.x", "rr": True, "srv": ["4"]}, fr=stem)).rsc == RSC.ORIGINATOR_HAS_ALREADY_REGISTERED


async def test_identifiers_are_never_given_twice_and_counting_goes_on(durable: str, wire: Wire) -> None:
    given: list[str] = []
    for turn in range(3):
        async with Server(config(durable)) as server, client(wire, server) as cse:
            if not turn:
                await cse.made("cse-in", "cnt", {"rn": "c", "mni": 4})
            made = [await cse.made("cse-in/c", "cin", {"con": "x"}) for _ in range(3)]
            made.append(await cse.made("cse-in", "cnt"))
            assert (await cse.delete(made[-1]["ri"])).rsc == RSC.DELETED
            given += [each["ri"] for each in made]
            assert [each["st"] for each in made[:3]] == [3 * turn + 1, 3 * turn + 2, 3 * turn + 3]
    assert len(set(given)) == len(given), "those of deleted resources are not given again either"


async def test_subscriptions_go_on_without_being_verified_again(durable: str, wire: Wire, receiver: Receiver) -> None:
    async with Server(config(durable)) as server, client(wire, server) as cse:
        await cse.made("cse-in", "cnt", {"rn": "c"})
        await cse.made("cse-in/c", "sub", {"rn": "s", "nu": [receiver.url], "enc": READINGS, "exc": 2, "su": receiver.url})
        await receiver.verification()
        await cse.made("cse-in/c", "cin", {"con": "a"})
        assert content(await receiver.next())["con"] == "a"
    async with Server(config(durable)) as server, client(wire, server) as cse:
        await cse.made("cse-in/c", "cin", {"con": "b"})
        assert content(await receiver.next())["con"] == "b", "nothing that was delivered comes again"
        assert (await receiver.next())["sud"] is True, "and exc has counted on"
        assert receiver.verifications.empty()


async def test_notifications_that_wait_are_delivered_after_the_restart_in_order(durable: str, wire: Wire, receiver: Receiver) -> None:
    async with receiving(wire) as lively:
        async with Server(config(durable)) as server, client(wire, server) as cse:
            for place, target in (("c", receiver), ("d", lively)):
                await cse.made("cse-in", "cnt", {"rn": place})
                await cse.made(f"cse-in/{place}", "sub", {"rn": "s", "nu": [target.url], "enc": READINGS})
                await target.verification()
            with Said("bindings.courier", "wait:") as log:
                await receiver.close()
                for text in "abc":
                    await cse.made("cse-in/c", "cin", {"con": text})
                await log.heard()
            await cse.made("cse-in/d", "cin", {"con": "x"})
            assert content(await lively.next())["con"] == "x"
            await cse.made("cse-in/c", "cin", {"con": "d"})
        await receiver.open()
        async with Server(config(durable)) as server, client(wire, server) as cse:
            await cse.made("cse-in/c", "cin", {"con": "e"})
            requests = [await receiver.request() for _ in range(5)]
            assert "".join(content(each.pc["m2m:sgn"])["con"] for each in requests) == "abcde"
            assert len({each.rqi for each in requests}) == 5
            assert lively.rest() == []


async def test_a_batch_that_is_being_collected_is_collected_further(durable: str, wire: Wire, receiver: Receiver) -> None:
    async with Server(config(durable)) as server, client(wire, server) as cse:
        await cse.made("cse-in", "cnt", {"rn": "c"})
        await cse.made("cse-in/c", "sub", {"rn": "s", "nu": [receiver.url], "enc": READINGS, "bn": {"num": 3, "dur": "PT1H"}})
        for text in "ab":
            await cse.made("cse-in/c", "cin", {"con": text})
    async with Server(config(durable)) as server, client(wire, server) as cse:
        assert receiver.rest() == []
        await cse.made("cse-in/c", "cin", {"con": "c"})
        batch = (await receiver.request()).pc["m2m:agn"]["m2m:sgn"]
        assert "".join(content(each)["con"] for each in batch) == "abc"


async def test_what_expires_while_it_is_stopped_is_gone(durable: str, wire: Wire) -> None:
    """A resource whose time has passed does not exist, whether it was removed yet or not (procedures 1.8)."""
    never = 1e6
    async with Server(config(durable, limits__expiration_check_interval=never)) as server, client(wire, server) as cse:
        await cse.made("cse-in", "cnt", {"rn": "c"})
        brief = await cse.made("cse-in/c", "cin", {"con": "brief"})
        await cse.changed("cse-in/c", "cnt", {"mia": 1})
        assert (await cse.seen(brief["ri"]))["et"] > brief["ct"]
    async with Server(config(durable, limits__expiration_check_interval=never)) as server, client(wire, server) as cse, receiving(wire) as receiver:
        await cse.made("cse-in/c", "sub", {"nu": [receiver.url], "enc": {"net": [4]}})
        await receiver.verification()
        while (await cse.retrieve(brief["ri"])).ok:
            pass
        assert (await cse.retrieve(f"{'cse-in/c'}/la")).rsc == RSC.NOT_FOUND
