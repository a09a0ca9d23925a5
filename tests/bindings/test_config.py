"""The configuration: complete, strict, and helpful about mistakes."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from bindings.config import Config, ConfigError, address, example, is_loopback, load, rows

FILES = Path(__file__).parents[2] / "config"


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "cse.toml"
    path.write_text(text)
    return path


def test_the_example_has_every_setting_with_its_default_and_no_other() -> None:
    document = tomllib.loads((FILES / "in-cse.toml").read_text())
    shown = {f"{section}.{key}": value for section, content in document.items() for key, value in content.items()}
    assert shown == {row.name: list(row.default) if isinstance(row.default, tuple) else row.default for row in rows()}
    assert load(FILES / "in-cse.toml") == Config()


def test_the_example_says_what_every_setting_means() -> None:
    text = (FILES / "in-cse.toml").read_text()
    assert text == example(), "config/in-cse.toml is written by bindings.config.example()"
    for row in rows():
        assert re.search(rf"^# {re.escape(row.doc)}\n{row.key} = ", text, re.MULTILINE), row.name


def test_the_conformance_configuration_is_the_one_that_testers_expect() -> None:
    config = load(FILES / "conformance.toml")
    settings = config.settings
    assert (settings.cse_id, settings.cse_name, settings.cse_type, settings.admin) == ("/id-in", "cse-in", 1, "CAdmin")
    assert (settings.sp_id, settings.release, settings.supported_releases) == ("//acme.example.com", "4", ("2a", "3", "4", "5"))
    assert settings.allowed_ae_originators == ("C*", "S*")
    assert settings.allowed_cse_originators == ("/id-cse1", "/id-mn", "/Ctest")
    assert settings.acp_create_open
    assert config.testing.control
    assert is_loopback(address(config.http.listen)[0])


def test_the_control_endpoint_is_off_by_default_and_only_on_loopback() -> None:
    assert not Config().testing.control
    assert load(sets=["testing.control=true", "http.listen=[::1]:0"]).testing.control
    for listen in ("0.0.0.0:8080", "192.0.2.7:8080", "cse.example.com:80", ""):
        with pytest.raises(ConfigError, match=r"testing\.control.*loopback"):
            load(sets=["testing.control=true"], flags={"http.listen": listen})


def test_flags_win_over_the_file_and_set_over_flags(tmp_path: Path) -> None:
    path = written(tmp_path, '[cse]\ncse_name = "file"\nadmin = "Cfile"\ncse_id = "/file"\n')
    config = load(path, {"cse.cse_name": "flag", "cse.admin": "Cflag"}, ["cse.admin=Cset"])
    assert (config.settings.cse_id, config.settings.cse_name, config.settings.admin) == ("/file", "flag", "Cset")


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("log.level=debug", "log.level", "debug"),
        ('log.level="debug"', "log.level", "debug"),
        ("cse.cse_name=5", "cse.cse_name", "5"),
        ("notification.max_age=60", "notification.max_age", 60.0),
        ("limits.batch = 7", "limits.batch", 7),
        ("registration.acp_create_open=true", "registration.acp_create_open", True),
        ('http.cors_origins=["https://a.example"]', "http.cors_origins", ("https://a.example",)),
        ("cse.points_of_access=[]", "cse.points_of_access", ()),
    ],
)
def test_values_of_set_are_read_by_the_type_of_their_setting(text: str, name: str, value: Any) -> None:
    row = next(row for row in rows() if row.name == name)
    found = getattr(getattr(load(sets=[text]), row.part), row.key)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[cse]\ncse_nam = "x"', "there is no setting cse.cse_nam; did you mean cse.cse_name?"),
        ('[htp]\nlisten = "x"', "there is no section [htp]; did you mean http?"),
        ("[zzz]\na = 1", "there is no section [zzz]; there are cse, http,"),
        ("[limits]\nlisten = 1", "there is no setting limits.listen; did you mean http.listen?"),
        ("[limits]\nqqqqqq = 1", "there is no setting limits.qqqqqq"),
        ('cse_id = "/x"', "cse_id stands outside a section; did you mean cse.cse_id?"),
        ("[cse]\ncse_id = 5", "cse.cse_id has to be a text, not 5"),
        ('[limits]\nbatch = "many"', "limits.batch has to be a whole number, not 'many'"),
        ("[limits]\nbatch = true", "limits.batch has to be a whole number, not True"),
        ("[limits]\nbatch = 1.5", "limits.batch has to be a whole number, not 1.5"),
        ("[limits]\nbatch = 0", "limits.batch has to be more than 0, not 0"),
        ("[notification]\nmax_attempts = -1", "notification.max_attempts has to be at least 0, not -1"),
        ("[notification]\ntimeout = inf", "notification.timeout has to be more than 0, not inf"),
        ("[testing]\ncontrol = 1", "testing.control has to be true or false, not 1"),
        ('[http]\ncors_origins = "*"', "http.cors_origins has to be a list of texts, not '*'"),
        ("[http]\ncors_origins = [1]", "http.cors_origins has to be a list of texts, not [1]"),
        ('[http]\nlisten = "8080"', "http.listen has to be host:port: '8080' is not host:port"),
        ('[coap]\nlisten = "::1:5683"', "coap.listen has to be host:port"),
        ('[http]\nlisten = "localhost:70000"', "http.listen has to be host:port"),
        ('[cse]\ncse_id = "id-in"', "cse.cse_id has to be a slash and"),
        ('[cse]\ncse_name = "a/b"', "cse.cse_name has to be letters"),
        ('[cse]\nsp_id = "acme"', "cse.sp_id has to be two slashes"),
        ("[cse]\ncse_type = 4", "cse.cse_type has to be 1, 2 or 3"),
        ('[cse]\nrelease = "9"', "cse.release '9' is not among cse.supported_releases"),
        ('[store]\nurl = "mongo://x"', "store.url has to be memory:, sqlite"),
        ('[log]\nlevel = "loud"', "log.level has to be debug, info, warning or error, not 'loud'"),
        ('[http]\nlisten = ""\n[coap]\nlisten = ""', "nobody could reach this CSE"),
        ("[cse\n", "is no TOML"),
    ],
)
def test_a_mistake_is_named_with_its_file_and_key(tmp_path: Path, text: str, words: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ConfigError) as error:
        load(path)
    assert str(error.value).startswith(f"{path}: ")
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("limits.bath=1", "--set limits.bath: there is no setting limits.bath; did you mean limits.batch?"),
        ("limits.batch", "--set limits.batch: it has to be section.key=value"),
        ("limits.batch=x", "--set limits.batch=x: limits.batch has to be a whole number, not 'x'"),
    ],
)
def test_a_mistake_in_set_is_named_too(text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(words)):
        load(sets=[text])


@pytest.mark.parametrize("text", ["http.credentials CAdmin hush", "http.credential=['CAdmin hush']", "http.credentials=['CAdmin  hush', 3]"])
def test_a_mistake_in_set_does_not_tell_a_secret(text: str) -> None:
    with pytest.raises(ConfigError, match=r"--set http\.credential") as error:
        load(sets=[text])
    assert "hush" not in str(error.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=re.escape(f"{tmp_path / 'none.toml'}: cannot be read: No such file")):
        load(tmp_path / "none.toml")


def test_an_address_is_a_host_and_a_port() -> None:
    assert address("[::1]:8080") == ("::1", 8080)
    assert address("localhost:0") == ("localhost", 0)
