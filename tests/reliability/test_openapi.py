"""The server's own OpenAPI description: valid, complete, and true of what the server answers to requests that a machine makes of it."""

import asyncio
import os
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from openapi_spec_validator import OpenAPIV31SpecValidator
from schemathesis import GenerationMode
from schemathesis.checks import CheckFunction
from schemathesis.specs.openapi.checks import content_type_conformance, response_headers_conformance, response_schema_conformance, status_code_conformance

from bindings import query
from bindings.http import mapping, openapi
from bindings.serve import TYPES
from cse.registry import Registry
from tests.faults.server import serving

EXAMPLES = int(os.environ.get("OPENAPI_EXAMPLES", "2"))
"""Right, and as many wrong, requests to each operation: ``OPENAPI_EXAMPLES=300 pytest tests/reliability/test_openapi.py --timeout 0`` is the long form."""

ALWAYS: list[CheckFunction] = [status_code_conformance, response_headers_conformance]
WITH_BODY: list[CheckFunction] = [*ALWAYS, content_type_conformance, response_schema_conformance]
RIGHT = {"X-M2M-Origin": "CAdmin", "X-M2M-RI": "r1", "X-M2M-RVI": "4"}


def described() -> dict[str, Any]:
    return openapi.document(Registry(TYPES).forms, "/id-in", "cse-in", ("2a", "3", "4"), "1.0")


def test_is_valid() -> None:
    assert [error.message for error in OpenAPIV31SpecValidator(described()).iter_errors()] == []


def test_knows_every_header_parameter_and_type() -> None:
    assert set(openapi.HEADERS) == set(mapping.REQUEST_HEADERS)
    assert set(openapi.PARAMETERS) == {name for name, _, _ in query.parameters()}
    found = described()
    contents = found["paths"]["/{ri}"]["post"]["requestBody"]["content"]
    assert set(contents) == {"application/json", *(f"application/json;ty={kind.ty}" for kind in TYPES if kind.api_create)}
    shown = set(found["components"]["schemas"]["result"]["properties"])
    assert {kind.short for kind in Registry(TYPES).forms} <= shown


def test_answers_tell_every_status() -> None:
    told = described()["paths"]["/{ri}"]["get"]["responses"]
    assert {str(status) for status in mapping.STATUS.values()} <= {*told, "201"}
    assert 4004 in told["404"]["headers"]["X-M2M-RSC"]["schema"]["enum"]


async def test_is_served_and_kept(tmp_path: Path) -> None:
    async with serving(tmp_path / "s.db") as server, aiohttp.ClientSession() as session:
        async with session.get(f"{server.http}/openapi.json") as first:
            assert first.status == 200
            assert first.content_type == "application/json"
            found = await first.json()
        assert found["openapi"] == "3.1.0"
        assert "hd.switch" in " ".join(found["components"]["schemas"]) or len(found["components"]["schemas"]) > 100, "the classes that are shipped are in it"
        async with session.head(f"{server.http}/openapi.json") as head:
            assert head.status == 200
        async with session.post(f"{server.http}/openapi.json") as post:
            assert (post.status, post.headers["Allow"]) == (405, "GET, HEAD")
    async with (
        serving(tmp_path / "s.db", "--set", "ops.openapi=false") as server,
        aiohttp.ClientSession() as session,
        session.get(f"{server.http}/openapi.json", headers=RIGHT) as absent,
    ):
        assert (absent.status, absent.headers["X-M2M-RSC"]) == (404, "4004")


async def test_what_is_made_of_it_is_answered_as_it_says(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    """Right and wrong requests for every operation: no 5000, no hang, and every answer is one that the description has."""
    async with serving(tmp_path / "s.db") as server:
        await asyncio.to_thread(play, server.http, EXAMPLES)
        assert "Traceback" not in server.log
        async with aiohttp.ClientSession() as session, session.get(f"{server.http}/cse-in", headers=RIGHT) as alive:
            assert alive.status == 200


PLAYED = ("/cse-in", "/{ri}", "/{ri}/la", "/{ri}/fopt")
"""The other paths lead to the same procedures."""

PLACES = {"/{ri}/fopt": "group", "/{ri}/la": "container"}


def play(url: str, examples: int) -> None:
    schema = schemathesis.openapi.from_dict(described())
    with requests.Session() as session:
        for found in schema.get_all_operations():
            operation: Any = found.ok()  # type: ignore[union-attr]
            if operation.path in PLAYED:
                play_one(operation, url, session, examples, places(url, session))


def places(url: str, session: requests.Session) -> dict[str, str]:
    """Make a container and a group where they are not there any more; give the identifiers of what is there, by kind."""
    group = {"rn": "group", "mnm": 5, "mid": ["cse-in"]}
    wanted: dict[str, tuple[int, Any]] = {"container": (3, {"m2m:cnt": {"rn": "container"}}), "group": (9, {"m2m:grp": group})}
    for ty, body in wanted.values():
        session.post(f"{url}/cse-in", json=body, headers={**RIGHT, "Content-Type": f"application/json;ty={ty}"}, timeout=30)
    answers = {name: session.get(f"{url}/cse-in/{name}", headers=RIGHT, timeout=30).json() for name in wanted}
    return {name: next(iter(answer.values()))["ri"] for name, answer in answers.items()}


def play_one(operation: Any, url: str, session: requests.Session, examples: int, known: dict[str, str]) -> None:
    right, wrong = (operation.as_strategy(generation_mode=mode) for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE))

    @settings(max_examples=examples * 2, deadline=None, derandomize=True, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(right | wrong)
    def ask(case: Any) -> None:
        for originator in (RIGHT, {}):
            if originator and "ri" in case.path_parameters:
                case.path_parameters["ri"] = known[PLACES.get(operation.path, "container")]
            answer = case.call(base_url=url, session=session, headers=dict(originator), timeout=30)
            assert answer.status_code != 500, case.as_curl_command()
            assert answer.headers["x-m2m-rsc"] != ["5000"], case.as_curl_command()
            case.validate_response(answer, checks=WITH_BODY if answer.content else ALWAYS)

    ask()
