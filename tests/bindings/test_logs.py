"""The log: each line by itself, what a program reads is JSON, and no secret is ever in it."""

import json
import logging
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest

from bindings.config import ConfigError, load
from bindings.logs import Json
from tests.faults.server import serving

SECRET = "sesame-9f8e7d"
HEADERS = {"X-M2M-Origin": "CAdmin", "X-M2M-RI": "r1", "X-M2M-RVI": "4"}


def failed() -> logging.LogRecord:
    try:
        raise ValueError("two\nlines")
    except ValueError:
        return logging.LogRecord("a.b", logging.ERROR, __file__, 1, "it %s", ("broke",), sys.exc_info())


def test_a_line_of_json_has_everything() -> None:
    text = Json().format(failed())
    assert len(text.splitlines()) == 1
    found = json.loads(text)
    assert (found["level"], found["logger"], found["message"]) == ("error", "a.b", "it broke")
    assert "ValueError: two\nlines" in found["trace"]
    assert abs(datetime.fromisoformat(found["time"]) - datetime.now(UTC)) < timedelta(minutes=5)


def test_what_json_has_no_form_for_is_written_as_text() -> None:
    record = logging.makeLogRecord({"msg": "x", "fields": {"path": Path("/a"), "text": "\ud800"}})
    assert json.loads(Json().format(record))["path"] == "/a"


@pytest.mark.parametrize("form", ["json", "text"])
async def test_every_line_of_a_server_is_whole_and_no_secret_is_in_any(tmp_path: Path, form: str) -> None:
    settings = (f"log.format={form}", "log.requests=true", "log.refusals=true", "log.deliveries=true", "log.level=debug")
    credentials = ("--set", f'http.credentials=["CAdmin {SECRET}"]')
    async with serving(tmp_path / "s.db", *credentials, *(part for each in settings for part in ("--set", each))) as server:
        async with aiohttp.ClientSession() as session:
            for authorization in (f"Bearer {SECRET}", f"Bearer wrong-{SECRET}", f"Basic {SECRET}", SECRET):
                for method, path in (("GET", "/cse-in"), ("GET", "/cse-in/none%0Aline"), ("POST", "/cse-in"), ("PATCH", "/cse-in"), ("GET", "/cse-in?x")):
                    async with session.request(method, server.http + path, headers=HEADERS | {"Authorization": authorization}) as answer:
                        assert SECRET not in await answer.text()
        assert await server.stop() == 0
    assert SECRET not in server.log
    lines = server.log.splitlines()
    assert len(lines) >= 10
    for line in lines:
        if form == "json":
            assert {"time", "level", "logger", "message"} <= json.loads(line).keys()
        else:
            assert line[4] == line[7] == "-", line


@pytest.mark.parametrize(
    "text",
    [
        f'[http]\ncredentials = "CAdmin {SECRET}"\n',
        f'[http]\ncredentials = ["{SECRET}"]\n',
        f'[http]\ncredentials = [["CAdmin", "{SECRET}"]]\n',
        f'[http]\ncredentials = ["CAdmin {SECRET}\n',
        f'[http]\ncredentials = {{CAdmin = "{SECRET}"}}\n',
    ],
)
def test_a_wrong_configuration_does_not_tell_secrets(tmp_path: Path, text: str) -> None:
    (tmp_path / "c.toml").write_text(text, "utf-8")
    with pytest.raises(ConfigError) as error:
        load(tmp_path / "c.toml")
    assert SECRET not in str(error.value)


@pytest.mark.parametrize("text", [f"http.credentials={SECRET}", f"http.credentials=['{SECRET}']", f"http.credentials=[['{SECRET}']]"])
def test_a_wrong_flag_does_not_tell_secrets(text: str) -> None:
    with pytest.raises(ConfigError) as error:
        load(sets=[text])
    assert SECRET not in str(error.value)
    assert "http.credentials" in str(error.value)
