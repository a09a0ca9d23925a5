"""The configuration: a TOML file and flags into frozen dataclasses; every mistake is named, with the key that was probably meant."""

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from difflib import SequenceMatcher
from ipaddress import ip_address
from json import dumps
from math import isfinite
from pathlib import Path
from typing import Any, get_type_hints

from bindings.compat import Profile, alias_table
from bindings.courier import Policy
from bindings.credentials import Credentials
from bindings.ops import Ops, clash
from cse.config import Settings, setting


class ConfigError(Exception):
    """The configuration cannot be used; the message names its source and the key."""


@dataclass(frozen=True, slots=True)
class Http:
    """The HTTP listener; times in seconds, sizes in bytes."""

    listen: str = setting("127.0.0.1:8080", "Where HTTP requests are taken: host:port, port 0 for any free one, empty for not at all.")
    cors_origins: tuple[str, ...] = setting((), "Origins whose web pages may use this CSE, such as 'https://app.example.com'; '*' for all.")
    body_limit: int = setting(1 << 20, "Longest body of a request or of another's answer.")
    line_limit: int = setting(8190, "Longest request line.")
    header_limit: int = setting(8190, "Longest header field.")
    header_count: int = setting(100, "Most header fields of a request.")
    clients: int = setting(50_000, "Most connections of clients, and never more than three quarters of the file descriptors left; others get 503.")
    idle_timeout: float = setting(75.0, "A connection without a complete request head, or whose peer takes nothing, for so long is closed.")
    body_timeout: float = setting(30.0, "Time a client has to send the body of a request.")
    credentials: tuple[str, ...] = setting((), "Secrets, each 'ORIGINATOR SECRET': sent as 'Authorization: Bearer SECRET'; who has one is refused without it.")
    connections: int = setting(256, "Most connections to other servers at the same time.")


@dataclass(frozen=True, slots=True)
class Coap:
    """The CoAP listener."""

    listen: str = setting("127.0.0.1:5683", "Where CoAP requests are taken: host:port, port 0 for any free one, empty for not at all.")
    body_limit: int = setting(1 << 20, "Longest body of a request in bytes, over all its blocks.")
    requests: int = setting(8000, "Requests in progress; beyond them the answer is 5.03.")
    observers: int = setting(10_000, "Observers (RFC 7641) at the same time; beyond them a request is answered once, as without Observe.")


@dataclass(frozen=True, slots=True)
class Storage:
    """Where the tree is kept."""

    url: str = setting("sqlite:///cse-in.db", "memory:, sqlite:///path or tinydb:///path.json; a fourth slash makes the path absolute.")
    cache: int = setting(50_000, "Resources held in memory beside the store, instances not counted.")


@dataclass(frozen=True, slots=True)
class Models:
    """Which data the CSE knows the form of."""

    flexcontainers: str = setting("", "Directory whose files *.json define classes of flexContainer, beside those that are shipped; empty for none.")


@dataclass(frozen=True, slots=True)
class Running:
    """What the process does at the same time, and how it stops."""

    batch: int = setting(256, "Most writing requests of one commit.", "limits")
    waiting: int = setting(20_000, "Most writing requests that wait for a commit; beyond them the answer is 5000.", "limits")
    patience: float = setting(1.0, "Seconds that a request may be expected to wait; those that would wait longer are refused at once with 5000.", "limits")
    calls: int = setting(256, "Requests on their way to other CSEs and to AEs at the same time.", "limits")
    flexible: int = setting(512, "Requests in progress from which on flexBlocking ones are answered later.", "limits")
    shutdown_grace: float = setting(10.0, "Seconds for requests and notifications under way when the CSE is stopped.", "limits")


@dataclass(frozen=True, slots=True)
class Log:
    """What is written to standard error."""

    level: str = setting("info", "debug, info, warning or error.")
    format: str = setting("text", "text or json (one object a line).")
    requests: bool = setting(False, "One line for each request: operation, target, originator, response status code, milliseconds.")
    refusals: bool = setting(False, "One line for each request whose originator had no privilege, with the path of what it was about.")
    deliveries: bool = setting(False, "One line for each notification that was delivered; those given up are always told.")


@dataclass(frozen=True, slots=True)
class Testing:
    """For testers, never for a system in use."""

    control: bool = setting(False, "Serve POST /__ut__, which resets the CSE and changes its timing; needs http.listen on loopback.")


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that can be set."""

    settings: Settings = field(default_factory=Settings)
    http: Http = field(default_factory=Http)
    coap: Coap = field(default_factory=Coap)
    storage: Storage = field(default_factory=Storage)
    models: Models = field(default_factory=Models)
    compat: Profile = field(default_factory=Profile)
    notification: Policy = field(default_factory=Policy)
    running: Running = field(default_factory=Running)
    ops: Ops = field(default_factory=Ops)
    log: Log = field(default_factory=Log)
    testing: Testing = field(default_factory=Testing)


SECTIONS = {
    "cse": "Who this CSE is.",
    "http": "The HTTP binding. Times in seconds, sizes in bytes.",
    "coap": "The CoAP binding.",
    "store": "Where the tree is kept.",
    "models": "Which data the CSE knows the form of.",
    "registration": "Who may register.",
    "limits": "Limits. Times in seconds.",
    "notification": "How notifications are delivered. Times in seconds.",
    "compat": "The compatibility profile: clients of other platforms, see docs/compat.md.",
    "ops": "What an operator can ask over HTTP, see docs/operations.md.",
    "log": "What is written to standard error.",
    "testing": "For testers, never for a system in use.",
}

_SECRET = frozenset({"http.credentials"})
"""Settings whose values no message shows."""

_HOME = {"settings": "cse", "storage": "store"}
_TYPES = {str: "a text", int: "a whole number", float: "a number", bool: "true or false", tuple[str, ...]: "a list of texts"}


@dataclass(frozen=True, slots=True)
class Row:
    """One setting: ``section.key`` in the file, ``part.key`` in Config."""

    section: str
    key: str
    part: str
    type: Any
    default: Any
    doc: str

    @property
    def name(self) -> str:
        """The name that messages and ``--set`` use."""
        return f"{self.section}.{self.key}"


def rows() -> tuple[Row, ...]:
    """Give every setting there is, by section as the file has them."""
    found = list(_rows())
    return tuple(row for section in SECTIONS for row in found if row.section == section)


def _rows() -> Iterator[Row]:
    for part in fields(Config):
        cls = type(getattr(Config(), part.name))
        types = get_type_hints(cls)
        for each in fields(cls):
            section = each.metadata["section"] or _HOME.get(part.name, part.name)
            yield Row(section, each.name, part.name, types[each.name], each.default, each.metadata["doc"])


def load(path: Path | None = None, flags: Mapping[str, Any] | None = None, sets: Sequence[str] = ()) -> Config:
    """Read the file, then put flags (``section.key`` to value) and ``section.key=value`` texts over it. Raises ConfigError."""
    table = {row.name: row for row in rows()}
    given: dict[str, Any] = {}
    if path is not None:
        given |= {name: _typed(table[name], value, str(path)) for name, value in _read(path, table)}
    given |= {name: _typed(table[name], value, "command line") for name, value in (flags or {}).items()}
    for text in sets:
        name, equals, value = text.partition("=")
        name = name.strip()
        if not equals:
            raise ConfigError(f"--set {next(iter(name.split()), '')}: it has to be section.key=value")
        if name not in table:
            raise ConfigError(f"--set {name}: there is no setting {name}{_nearest(name, table)}")
        given[name] = _typed(table[name], _parsed(table[name], value.strip()), f"--set {name}" if name in _SECRET else f"--set {text}")
    changes: dict[str, dict[str, Any]] = {}
    for name, value in given.items():
        changes.setdefault(table[name].part, {})[table[name].key] = value
    config = Config()
    config = replace(config, **{part: replace(getattr(config, part), **values) for part, values in changes.items()})
    _verify(config, "" if path is None else f"{path}: ")
    return config


def _read(path: Path, table: Mapping[str, Row]) -> Iterator[tuple[str, Any]]:
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: is no TOML: {error}") from error
    except RecursionError as error:
        raise ConfigError(f"{path}: is nested too deep") from error
    for section, content in document.items():
        if not isinstance(content, dict):
            raise ConfigError(f"{path}: {section} stands outside a section{_nearest(section, table)}")
        if section not in SECTIONS:
            hint = _nearest(section, SECTIONS) or "; there are " + ", ".join(SECTIONS)
            raise ConfigError(f"{path}: there is no section [{section}]{hint}")
        for key, value in content.items():
            name = f"{section}.{key}"
            if name not in table:
                raise ConfigError(f"{path}: there is no setting {name}{_nearest(name, table)}")
            yield name, value


def _nearest(name: str, known: Iterable[str]) -> str:
    """Give the end of a sentence that names the known word nearest to ``name``, or nearest to its key where the section is another."""

    def likeness(each: str) -> float:
        return max(SequenceMatcher(None, name, each).ratio(), SequenceMatcher(None, name.rpartition(".")[2], each.rpartition(".")[2]).ratio())

    near = max(known, key=likeness)
    return f"; did you mean {near}?" if likeness(near) >= 0.6 else ""


def _parsed(row: Row, text: str) -> Any:
    """Take the text of ``--set`` as TOML where it is such, and as it stands for a text."""
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
    return value if row.type is not str or isinstance(value, str) else text


def _typed(row: Row, value: Any, source: str) -> Any:
    if row.type == tuple[str, ...] and isinstance(value, list | tuple) and all(isinstance(each, str) for each in value):
        return tuple(value)
    if row.type is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if row.type in (str, int, bool) and type(value) is row.type:
        return value
    got = "what it is (not shown, it may be a secret)" if row.name in _SECRET else repr(value)
    raise ConfigError(f"{source}: {row.name} has to be {_TYPES[row.type]}, not {got}")


def address(listen: str) -> tuple[str, int]:
    """Take ``host:port`` or ``[address]:port`` apart. Raises ValueError."""
    host, _, port = listen.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535 or (":" in host and not host.startswith("[")):
        raise ValueError(f"{listen!r} is not host:port")
    return host.strip("[]"), int(port)


def is_loopback(host: str) -> bool:
    """Tell whether only this machine reaches a host."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


_PATTERNS = {
    "cse.cse_id": (r"/[A-Za-z0-9._~-]+", "a slash and letters, digits, '-', '.', '_' or '~', such as /id-in"),
    "cse.cse_name": (r"[A-Za-z0-9._~-]+", "letters, digits, '-', '.', '_' or '~', such as cse-in"),
    "cse.sp_id": (r"//[A-Za-z0-9._~-]+", "two slashes and a domain name, such as //acme.example.com"),
    "cse.admin": (r"\S+", "an originator, such as CAdmin"),
    "registration.default_ae_stem": (r"[CS]", "C or S"),
    "log.level": (r"debug|info|warning|error", "debug, info, warning or error"),
    "log.format": (r"text|json", "text or json"),
    "store.url": (r"memory:|(sqlite|tinydb):///.+", "memory:, sqlite:///path or tinydb:///path.json"),
}
_MAY_BE_ZERO = {"notification.max_attempts", "notification.max_stored", "notification.jitter", "notification.settle_delay", "limits.shutdown_grace"}


def _verify(config: Config, source: str) -> None:
    """Check values beyond their type. Raises ConfigError."""
    for row in rows():
        value = getattr(getattr(config, row.part), row.key)
        if row.name in _PATTERNS:
            pattern, wanted = _PATTERNS[row.name]
            if not re.fullmatch(pattern, value):
                raise ConfigError(f"{source}{row.name} has to be {wanted}, not {value!r}")
        elif row.key == "listen" and value:
            try:
                address(value)
            except ValueError as error:
                raise ConfigError(f"{source}{row.name} has to be host:port: {error}") from error
        elif row.type in (int, float) and not (isfinite(value) and (value > 0 or (value == 0 and row.name in _MAY_BE_ZERO))):
            raise ConfigError(f"{source}{row.name} has to be {'at least 0' if row.name in _MAY_BE_ZERO else 'more than 0'}, not {value!r}")
    if config.settings.cse_type not in (1, 2, 3):
        raise ConfigError(f"{source}cse.cse_type has to be 1, 2 or 3, not {config.settings.cse_type}")
    if config.settings.release not in config.settings.supported_releases:
        raise ConfigError(f"{source}cse.release {config.settings.release!r} is not among cse.supported_releases")
    try:
        Credentials(config.http.credentials)
    except ValueError as error:
        raise ConfigError(f"{source}http.credentials: {error}") from error
    try:
        alias_table(config.compat.aliases)
    except ValueError as error:
        raise ConfigError(f"{source}compat.aliases: {error}") from error
    if config.compat.aliases and not (config.compat.http or config.compat.coap or config.compat.originators):
        raise ConfigError(f"{source}compat.aliases needs compat.http, compat.coap or compat.originators: the profile is on for nobody")
    if not (config.http.listen or config.coap.listen):
        raise ConfigError(f"{source}http.listen and coap.listen are both empty: nobody could reach this CSE")
    if config.http.listen and (why := clash(config.ops, config.settings.cse_id, config.settings.cse_name)):
        raise ConfigError(f"{source}{why}")
    if config.testing.control and not (config.http.listen and is_loopback(address(config.http.listen)[0])):
        raise ConfigError(f"{source}testing.control resets the CSE for anybody: it needs http.listen on loopback, not {config.http.listen!r}")


def example() -> str:
    """Give the text of a configuration file with every setting at its default (config/in-cse.toml)."""
    lines = ["# An IN-CSE with every setting there is, at its default. Leave out what you do not change; flags of `cse serve` win over this file."]
    for section, doc in SECTIONS.items():
        lines += ["", "", f"[{section}]", f"# {doc}"]
        for row in rows():
            if row.section == section:
                lines += ["", f"# {row.doc}", f"{row.key} = {_written(row.default)}"]
    return "\n".join(lines) + "\n"


def _written(value: Any) -> str:
    return "[" + ", ".join(dumps(each) for each in value) + "]" if isinstance(value, tuple) else dumps(value)
