"""The server's own OpenAPI description: valid, complete, and true of what the server answers to requests that a machine makes of it."""

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from openapi_spec_validator import OpenAPIV31SpecValidator
from schemathesis.checks import CheckFunction
from schemathesis.specs.openapi.checks import content_type_conformance, response_headers_conformance, response_schema_conformance, status_code_conformance

from bindings import query
from bindings.http import mapping, openapi
from bindings.serve import TYPES
from cse.registry import Registry
from tests.faults.server import serving

EXAMPLES = 12
"""Requests to each operation; ``python -m pytest tests/reliability/test_openapi.py --openapi-examples 1000`` makes more."""

ALWAYS: list[CheckFunction] = [status_code_conformance, response_headers_conformance]
WITH_BODY: list[CheckFunction] = [*ALWAYS, content_type_conformance, response_schema_conformance]
RIGHT = {"X-M2M-Origin": "CAdmin", "X-M2M-RI": "r1", "X-M2M-RVI": "4"}


def described() -> dict[str, Any]:
    return openapi.document(Registry(TYPES).forms, "/id-in", "cse-in", ("2a", "3", "4"), "1.0")


def test_is_valid() -> None:
    assert [] == [error.message for error in OpenAPIV31SpecValidator(described()).iter_errors()]


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
    async with serving(tmp_path / "s.db", "--set", "ops.openapi=false") as server, aiohttp.ClientSession() as session:
        async with session.get(f"{server.http}/openapi.json", headers=RIGHT) as absent:
            assert (absent.status, absent.headers["X-M2M-RSC"]) == (404, "4004")


async def test_what_is_made_of_it_is_answered_as_it_says(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    """Right and wrong requests for every operation: no 5000, no hang, and every answer is one that the description has."""
    async with serving(tmp_path / "s.db") as server:
        await asyncio.to_thread(play, server.http, EXAMPLES)
        assert "Traceback" not in server.log
        async with aiohttp.ClientSession() as session, session.get(f"{server.http}/cse-in", headers=RIGHT) as alive:
            assert alive.status == 200


def play(url: str, examples: int) -> None:
    schema = schemathesis.openapi.from_dict(described())
    with requests.Session() as session:
        for found in schema.get_all_operations():
            play_one(found.ok(), url, session, examples)


def play_one(operation: Any, url: str, session: requests.Session, examples: int) -> None:
    modes = [schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE]

    for mode in modes:

        @settings(
            max_examples=examples, deadline=None, derandomize=True, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
        )
        @given(operation.as_strategy(generation_mode=mode))
        def ask(case: schemathesis.Case) -> None:
            for originator in ({}, RIGHT):
                answer = case.call(base_url=url, session=session, headers=originator, timeout=30)
                assert answer.status_code != 500, case.as_curl_command()
                assert answer.headers["x-m2m-rsc"] != ["5000"], case.as_curl_command()
                case.validate_response(answer, checks=WITH_BODY if answer.content else ALWAYS)

        ask()
