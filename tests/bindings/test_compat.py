"""The compatibility profile: requests as other platforms' clients send them, on a lenient server and on a strict one."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import pytest_asyncio

from bindings.compat import LENIENCIES, Compat, Facts, Profile, alias_table, entity, tables_of
from bindings.config import Config, ConfigError, load
from bindings.serve import Server
from cse.codes import Operation
from cse.primitives import NOBODY, Request, Waivable
from tests.drive import TYPES
from tests.scenarios.bed import config

pytestmark = pytest.mark.asyncio(loop_scope="module")

RECORDED = Path(__file__).parents[1] / "data" / "compat"
HEAD = "X-M2M-RI: 1\r\nX-M2M-RVI: 4\r\n"


class Answer(NamedTuple):
    """What came back: response status code, headers in small letters, content."""

    rsc: int
    headers: dict[str, str]
    content: Any


async def replayed(server: Server, message: bytes) -> Answer:
    """Send the bytes of a request over a socket of their own, and read its answer."""
    assert server.http is not None
    reader, writer = await asyncio.open_connection(*server.http)
    writer.write(message)
    async with asyncio.timeout(20):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head.split("\r\n")[1:] if line)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
    writer.close()
    await writer.wait_closed()
    return Answer(int(headers["x-m2m-rsc"]), headers, json.loads(body) if body else None)


async def posted(server: Server, path: str, fr: str, ty: int, content: dict[str, Any], method: str = "POST") -> Answer:
    """Send a request as the standard has it."""
    body = json.dumps(content)
    kind = f"application/json;ty={ty}" if ty else "application/json"
    head = f"{method} {path} HTTP/1.1\r\nHost: cse\r\n{HEAD}X-M2M-Origin: {fr}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return await replayed(server, (head + body).encode())


async def got(server: Server, path: str, fr: str = "CAdmin") -> Answer:
    """Send a RETRIEVE as the standard has it."""
    return await replayed(server, f"GET {path} HTTP/1.1\r\nHost: cse\r\n{HEAD}X-M2M-Origin: {fr}\r\n\r\n".encode())


async def furnish(server: Server) -> None:
    """Make the AE Cdevice, as cse-in/device, with the container data: what the recorded requests start from."""
    assert (await posted(server, "/cse-in", "Cdevice", 2, {"m2m:ae": {"rn": "device", "api": "N.device", "rr": True, "srv": ["4"]}})).rsc == 2001
    assert (await posted(server, "/cse-in/device", "Cdevice", 3, {"m2m:cnt": {"rn": "data"}})).rsc == 2001


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def strict() -> AsyncIterator[Server]:
    """A server as it is by default."""
    async with Server(config("memory:")) as running:
        await furnish(running)
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lenient() -> AsyncIterator[Server]:
    """A server with the profile on for everybody over HTTP."""
    async with Server(config("memory:", compat__http=True)) as running:
        await furnish(running)
        yield running


class Case(NamedTuple):
    """A recorded request: what the strict server says, the code of the lenient one, the leniencies it needs, and attributes in its answer.

    said: the sentence of the refusal, "" when it is no fault for the strict server either.
    """

    file: str
    strict: int
    said: str
    lenient: int
    used: set[str]
    made: dict[str, Any]


USER = "Csensor-804e737205892e25"
ADMIN = "Cadmin-8da193366e1554c0"
RELEASE_1 = "a request without release version indicator (rvi) is of release 1, which is not supported; supported are 2a, 3, 4, 5"
CASES = (
    Case("release", 4001, RELEASE_1, 2000, {"release"}, {"rn": "device"}),
    Case("request-identifier", 4000, "the request identifier (rqi) is missing", 2000, {"request-identifier"}, {"rn": "device"}),
    Case("srv", 4000, "m2m:ae lacks the mandatory attribute srv (supportedReleaseVersions)", 2001, {"srv"}, {"rn": "thyme", "srv": ["2a"]}),
    Case("list-labels", 4000, "attribute lbl (labels) of m2m:cnt must be a list of label, not 'ae-test'",
         2001, {"list"}, {"rn": "labelled", "lbl": ["ae-test"]}),
    Case("list-points-of-access", 4000, "attribute poa (pointOfAccess) of m2m:ae must be a list of poa, not 'http://127.0.0.1:1337/monitor'",
         2004, {"list"}, {"poa": ["http://127.0.0.1:1337/monitor"]}),
    Case("list-event-types", 4000,
         "attribute enc (eventNotificationCriteria) of m2m:sub has member net, which must be a list of enum:notificationEventType, not 3",
         2001, {"list"}, {"rn": "listed", "nu": ["Cdevice"], "enc": {"net": [3]}}),
    Case("text-truth-value", 4000, "attribute rr (requestReachability) of m2m:ae must be true or false, not 'true'",
         2001, {"text"}, {"rn": "python", "rr": True}),
    Case("text-number", 4000, "attribute mni (maxNrOfInstances) of m2m:cnt must be a whole number >= 0 (at most 2^63-1), not '2'",
         2001, {"text"}, {"rn": "counted", "mni": 2, "mbs": 10000}),
    Case("text-rights", 4000, "attribute pv (privileges) of m2m:acp has member acr, which must be a list of complex:accessControlRule, not an object",
         2001, {"text", "list"}, {"rn": "rights", "pv": {"acr": [{"acor": ["Cdevice"], "acop": 63}]}}),
    Case("name-header", 2001, "", 2001, {"name-header"}, {"rn": "named"}),
    Case("address-name", 4004, "no route leads to /cse-in", 2000, {"address"}, {"rn": "device"}),
    Case("address-cse-id", 4004, "id-in/cse-in/device/data does not exist", 2000, {"address"}, {"rn": "data"}),
    Case("address-identifier", 4004, "id-in/Cdevice does not exist", 2000, {"address"}, {"rn": "device"}),
    Case("address-without-name", 4004, "/id-in/device/data does not exist", 2000, {"address"}, {"rn": "data"}),
    Case("address-sp-relative", 2000, "", 2000, set(), {"rn": "data"}),
    Case("address-base", 2000, "", 2000, set(), {"rn": "cse-in"}),
    Case("content-type", 2001, "", 2001, set(), {"rn": "blanks"}),
    Case("app-id", 4000, "api 'app-sensor' must start with N (not registered) or R (registered)", 2001, {"app-id"}, {"rn": "sensor", "api": "app-sensor"}),
    Case("originator", 4126, "the originator 'sensor:secret' may not register here", 2001, {"originator"}, {"rn": "users", "aei": USER, "ri": USER}),
    Case("verification", 5204, "the notification target 'http://127.0.0.1:1/monitor' answered its verification with 5103",
         2001, {"verification"}, {"rn": "silent", "nu": ["http://127.0.0.1:1/monitor"]}),
    Case("everything", 4000, "the request identifier (rqi) is missing", 2001,
         {"request-identifier", "release", "originator", "name-header", "srv", "list", "text", "app-id"},
         {"rn": "MY_SENSOR", "api": "app-sensor", "rr": False, "lbl": ["Type/sensor"], "srv": ["4"], "aei": ADMIN}),
)  # fmt: skip
"""Three need no leniency, since the standard has them; to the strict server X-M2M-NM is a header that later releases no longer have, and names nothing."""


async def below(server: Server) -> list[str]:
    """Give the addresses of everything there is."""
    found: list[str] = (await got(server, "/cse-in?fu=1")).content["m2m:uril"]
    return found


async def test_every_recording_is_replayed_and_every_leniency_is_needed_by_one() -> None:
    assert sorted(case.file for case in CASES) == sorted(path.stem for path in RECORDED.glob("*.http"))
    assert set().union(*(case.used for case in CASES)) == {leniency.name for leniency in LENIENCIES}


@pytest.mark.parametrize("case", CASES, ids=[case.file for case in CASES])
async def test_a_recorded_request_on_the_strict_server(strict: Server, case: Case) -> None:
    """With a sentence that names what is wrong, and nothing is made."""
    before = await below(strict)
    answer = await replayed(strict, (RECORDED / f"{case.file}.http").read_bytes())
    assert answer.rsc == case.strict, answer
    if case.said:
        assert answer.content == {"m2m:dbg": case.said}
        assert await below(strict) == before
    elif case.file == "name-header":
        assert answer.content["m2m:cnt"]["rn"] != "named"
    assert not any(strict.leniencies.values())


@pytest.mark.parametrize("case", CASES, ids=[case.file for case in CASES])
async def test_a_recorded_request_on_the_lenient_server(lenient: Server, case: Case) -> None:
    """With the leniencies it needs and no other, each counted once."""
    before = dict(lenient.leniencies)
    answer = await replayed(lenient, (RECORDED / f"{case.file}.http").read_bytes())
    assert answer.rsc == case.lenient, answer
    ((_, attributes),) = answer.content.items()
    assert {name: attributes[name] for name in case.made} == case.made
    assert {name for name, count in lenient.leniencies.items() if count - before[name] == 1} == case.used
    assert {name for name, count in lenient.leniencies.items() if count != before[name]} == case.used
    if case.lenient == 2001:
        assert (await got(lenient, answer.headers["content-location"])).content == answer.content, "what was made is stored as it was answered"


async def test_a_request_that_is_wrong_is_refused_by_the_lenient_server_too(lenient: Server) -> None:
    """In the client's own words."""
    before = await below(lenient)
    for content, words in (
        ({"m2m:cnt": {"rn": "bad", "mni": "many"}}, "mni (maxNrOfInstances) of m2m:cnt must be a whole number >= 0 (at most 2^63-1), not 'many'"),
        ({"m2m:cnt": {"rn": "bad", "mni": "-3"}}, "mni"),
        ({"m2m:cnt": {"rn": "bad", "disr": "maybe"}}, "disr"),
        ({"m2m:cnt": {"rn": "bad", "lbl": 3}}, "lbl"),
        ({"m2m:cnt": {"rn": "bad", "lbl": {"a": "b"}}}, "lbl"),
        ({"m2m:cnt": {"rn": "bad", "lbl": None}}, "lbl"),
        ({"m2m:cnt": {"rn": "bad", "colour": "2"}}, "colour"),
        ({"m2m:cnt": "bad"}, "m2m:cnt"),
        ({"cnt": {"rn": "bad"}}, "cnt"),
    ):
        answer = await posted(lenient, "/cse-in/device", "Cdevice", 3, content)
        assert answer.rsc == 4000, answer
        assert words in answer.content["m2m:dbg"]
    assert (await posted(lenient, "/id-in/nowhere", "Cdevice", 3, {"m2m:cnt": {}})).rsc == 4004
    assert (await posted(lenient, "/~/id-other/cse-in", "Cdevice", 3, {"m2m:cnt": {}})).rsc == 4004
    assert await below(lenient) == before


async def test_a_user_with_a_password_is_one_entity_and_nobody_else(lenient: Server) -> None:
    """What it makes is its own, also when it writes a policy that names itself; another password is another entity, and none shows."""
    await posted(lenient, "/cse-in", "user:one", 2, {"m2m:ae": {"rn": "own", "api": "N.own", "rr": False, "srv": ["4"]}})
    assert (await posted(lenient, "/cse-in/own", "user:one", 3, {"m2m:cnt": {"rn": "box", "cr": None}})).rsc == 2001
    seen = (await got(lenient, "/cse-in/own/box", "user:one")).content["m2m:cnt"]
    assert seen["cr"] == entity("user:one", {}) != entity("user:two", {})
    assert (await got(lenient, "/cse-in/own/box", "user:two")).rsc == 4103
    rules = [{"acor": ["user:one"], "acop": 63}, {"acor": "guest:guest", "acop": 2}]
    policy = {"m2m:acp": {"rn": "acp", "pv": {"acr": rules}, "pvs": {"acr": rules[:1]}}}
    made = await posted(lenient, "/cse-in/own", "user:one", 1, policy)
    assert made.rsc == 2001
    assert "user:one" not in json.dumps(made.content)
    assert (await posted(lenient, "/cse-in/own/box", "user:one", 0, {"m2m:cnt": {"acpi": ["cse-in/own/acp"]}}, "PUT")).rsc == 2004
    assert (await got(lenient, "/cse-in/own/box", "guest:guest")).rsc == 2000
    assert (await got(lenient, "/cse-in/own/box", "user:one")).rsc == 2000
    assert (await got(lenient, "/cse-in/own/box", "user:two")).rsc == 4103


async def test_it_is_on_for_originators_over_every_listener_and_for_nobody_else() -> None:
    message = (RECORDED / "everything.http").read_bytes()
    plain = b"GET /cse-in HTTP/1.1\r\nHost: cse\r\nX-M2M-Origin: %s\r\n\r\n"
    async with Server(config("memory:", compat__originators=["admin:*", "Cold"], compat__aliases=["admin:root CAdmin"])) as server:
        assert (await replayed(server, message)).rsc == 2001
        assert (await replayed(server, plain % b"admin:root")).rsc == 2000, "the alias is the administrator"
        assert (await replayed(server, plain % b"admin:other")).rsc == 4103
        assert (await replayed(server, plain % b"Cold")).rsc == 4103, "its request is understood, and it has no privilege"
        assert (await replayed(server, plain % b"CAdmin")).rsc == 4000
        assert (await replayed(server, message.replace(b"X-M2M-Origin: admin:admin\r\n", b""))).rsc == 4000, "who says no name is nobody's client"


async def test_an_alias_is_no_authentication() -> None:
    """Who has a secret must show it, whatever name it comes under."""
    settings: dict[str, Any] = {"compat__http": True, "compat__aliases": ["admin:admin CAdmin"], "http__credentials": ["CAdmin long-secret"]}
    async with Server(config("memory:", **settings)) as server:
        assert (await got(server, "/cse-in", "admin:admin")).rsc == 4106


async def test_the_first_use_of_each_is_told_and_at_the_end_how_often(caplog: pytest.LogCaptureFixture) -> None:
    message = (RECORDED / "everything.http").read_bytes()
    with caplog.at_level(logging.INFO, "bindings.compat"):
        async with Server(config("memory:", compat__http=True)) as server:
            for _ in range(3):
                await replayed(server, message)
        told = [record.getMessage() for record in caplog.records if record.name == "bindings.compat"]
    assert [text for text in told if text.startswith("leniency release is used: A request without release version")] == told[1:2]
    assert len(told) == 9
    assert told[-1].startswith("leniencies used: request-identifier 3, release 3, originator 3, ")
    assert not any("admin:admin" in text for text in told)


async def test_a_server_whose_leniencies_were_not_used_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "bindings.compat"):
        async with Server(config("memory:", compat__http=True, compat__coap=True)) as server:
            assert (await got(server, "/cse-in")).rsc == 2000
            assert set(server.leniencies.values()) == {0}
    assert [record for record in caplog.records if record.name == "bindings.compat"] == []


# Pure


def facts(**more: Any) -> Facts:
    known = {"-/ae", "id-in/ae", "/id-in/cnt7", "/id-in/cse-in", "/id-in/-"}
    given: dict[str, Any] = {
        "cse_id": "/id-in", "cse_name": "cse-in", "release": "4", "tables": tables_of(FORMS),
        "fresh": lambda: "fresh", "exists": known.__contains__, "aliases": {},
    }  # fmt: skip
    return Facts(**{**given, **more})


FORMS = [form for kind in TYPES for form in (kind, *(kind.special.kinds.values() if kind.special else ()))]
ROWS = [(form, row) for form in FORMS for row in form.attributes]


def passed(request: Request, **more: Any) -> Request:
    """Give a request after the profile."""
    pass_through = Compat(Profile(), facts(**more)).listener(True)
    assert pass_through is not None
    return pass_through(request, None)


async def test_every_list_of_every_type_may_be_written_as_its_only_entry() -> None:
    lists = [(form, row) for form, row in ROWS if row.type.item is not None]
    assert len(lists) > 100
    assert {"lbl", "poa", "acpi", "nu", "mid", "srv"} <= {row.short for _, row in lists}
    for form, row in lists:
        for value, read in (("a", ["a"]), (["a", "b"], ["a", "b"]), (None, None), ([], [])):
            body = {form.short: {row.short: value}}
            assert passed(Request(Operation.UPDATE, "x", "C", "1", "4", pc=body)).pc == {form.short: {row.short: read}}, (form.name, row.short)


async def test_every_number_and_truth_value_of_every_type_may_be_written_as_text() -> None:
    scalars = [(form, row, row.type.schema.get("type")) for form, row in ROWS if row.type.schema.get("type") in ("integer", "boolean", "number")]
    assert len(scalars) > 100
    for form, row, kind in scalars:
        truth = kind == "boolean"
        for value, read in (("1", True if truth else 1), ("true", True if truth else "true"), ("False", False if truth else "False"), ("x", "x"), (7, 7)):
            body = {form.short: {row.short: value}}
            made = passed(Request(Operation.UPDATE, "x", "C", "1", "4", pc=body)).pc[form.short][row.short]
            assert (made, type(made)) == (read, type(read)), (form.name, row.short)


async def test_what_is_text_stays_text() -> None:
    body = {"m2m:cin": {"con": "2", "lbl": ["true"], "cnf": "text/plain:0"}}
    assert passed(Request(Operation.CREATE, "x", "C", "1", "4", 4, body)).pc == body


async def test_a_request_as_the_standard_has_it_is_the_same_afterwards() -> None:
    bodies: tuple[Any, ...] = (
        {"m2m:ae": {"api": "N.x", "rr": True, "srv": ["4"], "poa": ["http://x"], "lbl": ["a"]}},
        {"m2m:acp": {"pv": {"acr": [{"acor": ["Cx", "*", "S:a/b"], "acop": 63}]}, "pvs": {"acr": []}}},
        {"m2m:sub": {"nu": ["http://a:b"], "enc": {"net": [1], "om": [{"ops": 2, "or": "Cx"}]}, "cr": None}},
        {"odd": {"x": "true"}},
        {"m2m:ae": []},
        {"a": {}, "b": {}},
        [],
        None,
    )
    for body in bodies:
        request = Request(Operation.CREATE, "cse-in", "Cx", "1", "4", 2, body)
        compat = Compat(Profile(), facts())
        pass_through = compat.listener(True)
        assert pass_through is not None
        made = pass_through(request, None)
        assert made.pc is body
        assert (made.fr, made.to, made.rqi, made.rvi, made.more) == ("Cx", "cse-in", "1", "4", {})
        assert not any(compat.counts.values())


@pytest.mark.parametrize(
    ("to", "read"),
    [
        ("/cse-in/ae", "cse-in/ae"),
        ("/-/ae", "-/ae"),
        ("/cse-in", "cse-in"),
        ("id-in/cse-in/ae/la", "/id-in/cse-in/ae/la"),
        ("id-in/-/ae", "/id-in/-/ae"),
        ("id-in/cnt7/la", "/id-in/cnt7/la"),
        ("/id-in/ae/box", "-/ae/box"),
        ("id-in/ae/box", "id-in/ae/box"),
        ("/id-in/cse-in", "/id-in/cse-in"),
        ("/id-in", "/id-in"),
        ("id-in", "id-in"),
        ("/id-in/nowhere", "/id-in/nowhere"),
        ("id-in/nowhere/x", "id-in/nowhere/x"),
        ("/id-mn/cse-in", "/id-mn/cse-in"),
        ("//other.example/id-in/ae", "//other.example/id-in/ae"),
        ("cse-in/id-in/ae", "cse-in/id-in/ae"),
        ("", ""),
    ],
)
async def test_addresses(to: str, read: str) -> None:
    assert passed(Request(Operation.RETRIEVE, to, "C", "1", "4")).to == read


@pytest.mark.parametrize(
    ("originator", "who"),
    [
        ("admin:admin", ADMIN),
        ("a b:c", "a b:c"),
        ("Cmeter", "Cmeter"),
        ("nodered", "nodered"),
        ("/id-in/Cmeter", "/id-in/Cmeter"),
        ("//acme.example.com/id-in/Cmeter", "//acme.example.com/id-in/Cmeter"),
        ("http://x:1", "http://x:1"),
        ("a:b:c", "a:b:c"),
        (":x", ":x"),
        ("x:", "x:"),
        ("*:*", "*:*"),
        ("*", "*"),
        ("old", "Cnew"),
        ("kept:as-is", "kept:as-is"),
    ],
)
async def test_who_an_originator_is(originator: str, who: str) -> None:
    aliases = {"old": "Cnew", "kept:as-is": "kept:as-is"}
    assert entity(originator, aliases) == who
    assert passed(Request(Operation.RETRIEVE, "cse-in", originator, "1", "4"), aliases=aliases).fr == who


async def test_users_that_look_alike_are_not_the_same() -> None:
    texts = ("a:b", "a:c", "b:b", "a!:b", "a:b!", "ä:b", "A:b")
    assert len({entity(text, {}) for text in texts}) == len(texts)


async def test_a_name_that_the_content_has_wins_over_the_header() -> None:
    pass_through = Compat(Profile(), facts()).listener(True)
    assert pass_through is not None
    for op, content, made in (
        (Operation.CREATE, {"m2m:cnt": {"rn": "own"}}, {"m2m:cnt": {"rn": "own"}}),
        (Operation.CREATE, {"m2m:cnt": {}}, {"m2m:cnt": {"rn": "header"}}),
        (Operation.UPDATE, {"m2m:cnt": {"mni": 1}}, {"m2m:cnt": {"mni": 1}}),
        (Operation.RETRIEVE, None, None),
    ):
        read = pass_through(Request(op, "x", "C", "1", "4", pc=content, more={"omr": ["x"]}), "header")
        assert (read.pc, read.more) == (made, {"omr": ["x"]})


async def test_the_profile_is_off_by_default_and_its_settings_are_checked() -> None:
    assert Config().compat == Profile(False, False, (), ())
    assert Compat(Profile(), facts()).listener(False) is None
    assert Compat(Profile(originators=("Cx",)), facts()).listener(False) is not None
    assert not any(NOBODY.waives(check) for check in Waivable)
    assert alias_table(["a:b CAdmin", "c Cx"]) == {"a:b": "CAdmin", "c": "Cx"}
    for wrong in ("a:secret", "a:secret  CAdmin", " CAdmin", "a:secret CAdmin x"):
        with pytest.raises(ConfigError, match=r"compat\.aliases: entry 2") as caught:
            load(None, {"compat.http": True, "compat.aliases": ["ok CAdmin", wrong]})
        assert "secret" not in str(caught.value)
    with pytest.raises(ConfigError, match=r"compat\.aliases needs compat\.http"):
        load(None, {"compat.aliases": ["a:b CAdmin"]})
