"""``cse check-store``: a store that is broken on purpose, in each way, is found broken and mended where that can be done."""

import json
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from apps.cli import app
from cse.primitives import Notice
from cse.storage import Store, commit, open_store
from tests.drive import TYPES, Driven

INSTANCES = frozenset(kind.ty for kind in TYPES if kind.instance)


@contextmanager
def opened(url: str) -> Iterator[Store]:
    with closing(open_store(url, INSTANCES)) as store:
        yield store


def planted(url: str) -> str:
    """Make a tree with something of everything that can break; give the ri of its container."""
    with opened(url) as store:
        driven = Driven(store=store)
        assert driven.create("cse-in", 2, {"m2m:ae": {"rn": "ae", "api": "Nx", "rr": False, "srv": ["3"], "lbl": ["one", "two"]}}, "Cae").ok
        made = driven.create("cse-in/ae", 3, {"m2m:cnt": {"rn": "cnt", "mni": 5}}, "Cae")
        for number in range(7):
            assert driven.create("cse-in/ae/cnt", 4, {"m2m:cin": {"con": "x" * number, "lbl": [f"l{number}"]}}, "Cae").ok
        assert driven.create("cse-in/ae", 29, {"m2m:ts": {"rn": "ts", "cnf": "text/plain:0"}}, "Cae").ok
        assert driven.create("cse-in/ae/ts", 30, {"m2m:tsi": {"dgt": "20260101T000000", "con": "7"}}, "Cae").ok
        assert driven.create("cse-in/ae/cnt", 23, {"m2m:sub": {"rn": "sub", "nu": ["http://192.0.2.1/"], "enc": {"net": [3]}}}, "Cae").ok
        assert driven.create("cse-in", 9, {"m2m:grp": {"rn": "grp", "mnm": 9, "mid": ["cse-in/ae", "cse-in/ae/cnt"]}}).ok
        with store.transaction() as transaction:
            sub = store.child(made.pc["m2m:cnt"]["ri"], "sub")
            assert sub is not None
            transaction.enqueue(Notice("http://192.0.2.1/", "q1", "/id-in", {"m2m:sgn": {}}, sub.ri, created=1.0))
            transaction.enqueue(Notice("http://192.0.2.1/", "q2", "/id-in", {"m2m:sgn": {}}, sub.ri, created=2.0, held=True))
        commit(store)
        ri: str = made.pc["m2m:cnt"]["ri"]
        return ri


def run(*arguments: str) -> tuple[int, str]:
    found = CliRunner().invoke(app, ["check-store", *arguments])
    return found.exit_code, found.output


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "s.db"


@pytest.fixture(params=["sqlite", "tinydb"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return f"{request.param}:///{tmp_path}/store"


def test_a_sound_store(url: str) -> None:
    planted(url)
    code, text = run(url)
    assert (code, text.strip()) == (0, f"{url}: 12 resources, nothing is wrong")


def broken(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            assert connection.execute(statement).rowcount, statement


DERIVED = {
    "counter": ("UPDATE resource SET attributes = json_set(attributes, '$.cni', 99) WHERE rn = 'cnt'", r"cse-in/ae/cnt: cni .* is 99, .* 5"),
    "bytes": ("UPDATE resource SET attributes = json_set(attributes, '$.cbs', 1) WHERE rn = 'cnt'", r"cse-in/ae/cnt: cbs .* is 1, .* 20"),
    "state tag": ("UPDATE resource SET attributes = json_set(attributes, '$.st', 0) WHERE rn = 'cnt'", r"cse-in/ae/cnt: st .* is 0"),
    "lost instance": ("DELETE FROM instance WHERE number = (SELECT min(number) FROM instance WHERE ty = 4)", r"cse-in/ae/cnt: cni .* is 5, .* 4"),
    "time series": ("UPDATE resource SET attributes = json_set(attributes, '$.cni', 3) WHERE rn = 'ts'", r"cse-in/ae/ts: cni .* is 3, .* 1"),
    "members": ("UPDATE resource SET attributes = json_set(attributes, '$.cnm', 5) WHERE rn = 'grp'", r"cse-in/grp: cnm .* is 5, mid has 2"),
    "label missing": ("DELETE FROM label WHERE label = 'one'", r"cse-in/ae: its labels .*'one', 'two'.* indexed as \['two'\]"),
    "label of an instance": ("DELETE FROM label WHERE label = 'l6'", r"cse-in/ae/cnt/cin\S+: its labels \['l6'\] are indexed as \[\]"),
    "label too many": ("INSERT INTO label VALUES ('ghost', 0, 99999)", r"label 'ghost' is indexed for a resource that does not exist"),
    "expiry": ("UPDATE resource SET et = 5 WHERE rn = 'ae'", r"cse-in/ae: the index of et"),
    "creation": ("UPDATE resource SET ct = NULL WHERE rn = 'cnt'", r"cse-in/ae/cnt: the index of ct"),
    "modification": ("UPDATE instance SET lt = 77 WHERE number = (SELECT max(number) FROM instance WHERE ty = 4)", r"cse-in/ae/cnt/cin\S+: the index of lt"),
    "due": ("UPDATE resource SET due = 5.0 WHERE rn = 'ae'", r"cse-in/ae: the index of due"),
    "generation": ("UPDATE instance SET generated = 5 WHERE ty = 30", r"cse-in/ae/ts/tsi\S+: the index of generated"),
    "path": ("UPDATE resource SET path = 'cse-in/other' WHERE rn = 'cnt'", r"cse-in/other: its path is not cse-in/ae/cnt"),
    "parent's number": ("UPDATE resource SET parent = 1 WHERE rn = 'cnt'", r"cse-in/ae/cnt: is not stored below its parent"),
    "own attribute": ("UPDATE resource SET attributes = json_set(attributes, '$.rn', 'x') WHERE rn = 'cnt'", r"cse-in/ae/cnt: its attribute rn is 'x'"),
    "numbers": ("UPDATE mark SET number = 3 WHERE name = 'next'", r"the next number to be given is 3, but \d+ is taken"),
    "held for nobody": ("UPDATE notice SET subscription = 'sub999' WHERE held = 1", r"outbox entry \d+: for http://192.0.2.1/ is held back by sub999"),
}


@pytest.mark.parametrize("case", DERIVED)
def test_what_can_be_derived_is_found_and_mended(path: Path, case: str) -> None:
    url, (statement, sentence) = f"sqlite:///{path}", DERIVED[case]
    planted(url)
    broken(path, statement)
    code, text = run(url)
    assert code == 1, text
    assert re.search(sentence, text), text
    assert "mended" not in text
    code, text = run(url, "--repair")
    assert code == 0, text
    assert re.search(rf"{sentence}.*\(mended\)", text), text
    assert run(url)[0] == 0


def test_what_was_held_for_nobody_is_delivered(path: Path) -> None:
    url = f"sqlite:///{path}"
    planted(url)
    broken(path, DERIVED["held for nobody"][0])
    run(url, "--repair")
    with opened(url) as store:
        assert [notice.rqi for notice in store.notices()] == ["q1", "q2"]


def test_an_index_of_the_file_is_made_anew(path: Path) -> None:
    url = f"sqlite:///{path}"
    planted(url)
    _swap_index(path)
    code, text = run(url)
    assert (code, "the file is damaged" in text) == (1, True), text
    code, text = run(url, "--repair")
    assert (code, "(mended)" in text) == (0, True), text
    assert run(url)[0] == 0


def _swap_index(path: Path) -> None:
    """Take an entry out of an index behind SQLite's back: the index is not there while the row goes in."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA writable_schema=ON")
        row = connection.execute("SELECT type, name, tbl_name, rootpage, sql FROM sqlite_master WHERE name = 'resource_ct'").fetchone()
        connection.execute("DELETE FROM sqlite_master WHERE name = 'resource_ct'")
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE resource SET ct = ct + 0, lt = lt WHERE rn = 'ae'")
        connection.execute("UPDATE resource SET ct = 1 WHERE rn = 'ae'")
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA writable_schema=ON")
        connection.execute("INSERT INTO sqlite_master (type, name, tbl_name, rootpage, sql) VALUES (?, ?, ?, ?, ?)", row)


def _assigned(rn: str, name: str, value: str) -> str:
    return f"UPDATE resource SET attributes = json_set(attributes, '$.{name}', {value}) WHERE rn = '{rn}'"


LOST = {
    "parent": (["DELETE FROM resource WHERE rn = 'ts'"], r"instance \d+: its parent, number \d+, does not exist"),
    "attributes": (["UPDATE resource SET attributes = '{\"ty\":' WHERE rn = 'grp'"], r"cse-in/grp: its attributes cannot be read"),
    "body": (["UPDATE instance SET body = '[]' WHERE ty = 30"], r"cse-in/ae/ts/\d+: cannot be read"),
    "notice": (["UPDATE notice SET body = 'x' WHERE held = 0"], r"outbox entry \d+: for http://192.0.2.1/ cannot be read"),
    "ancestor": (["DELETE FROM label WHERE label IN ('one', 'two')", "DELETE FROM resource WHERE rn = 'ae'"], r"cse-in/ae/cnt: its parent Cae does not exist"),
    "type": (["UPDATE resource SET ty = 999 WHERE rn = 'grp'"], r"cse-in/grp: is of resource type 999"),
    "data type": ([_assigned("ae", "rr", "'yes'")], r"cse-in/ae: its attribute rr \(requestReachability\) .*'yes'"),
    "data type of an instance": (["UPDATE instance SET body = json_set(body, '$[3]', 'one') WHERE ty = 30"], r"cse-in/ae/ts/tsi\S+: its attribute cs .*'one'"),
    "number of a container": ([_assigned("cnt", "mni", "'many'"), _assigned("cnt", "st", "'x'")], r"cse-in/ae/cnt: its attribute mni .*'many'"),
    "list of a group": ([_assigned("grp", "mid", "7")], r"cse-in/grp: its attribute mid .*7"),
    "unknown attribute": ([_assigned("grp", "color", "'red'")], r"cse-in/grp: has the attribute color, which m2m:grp does not have"),
    "missing attribute": (["UPDATE resource SET attributes = json_remove(attributes, '$.mt') WHERE rn = 'grp'"], r"cse-in/grp: lacks .* mt \(memberType\)"),
    "number of instances": ([_assigned("cnt", "mni", "4")], r"cse-in/ae/cnt: mni \(maxNrOfInstances\) is 4, its instances make 5"),
    "bytes of instances": ([_assigned("cnt", "mbs", "19")], r"cse-in/ae/cnt: mbs \(maxByteSize\) is 19, its instances make 20"),
}


@pytest.mark.parametrize("case", LOST)
def test_what_is_lost_is_told_and_left_alone(path: Path, case: str) -> None:
    url, (statements, sentence) = f"sqlite:///{path}", LOST[case]
    planted(url)
    broken(path, *statements)
    before = _rows(path)
    for more in ((), ("--repair",)):
        code, text = run(url, *more)
        assert code == 1, text
        assert re.search(sentence, text), text
    assert _rows(path) == before


def _rows(path: Path) -> list[int]:
    with closing(sqlite3.connect(path)) as connection:
        return [connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("resource", "instance", "notice")]


def _edited(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    tables = json.loads(path.read_text("utf-8"))
    change(tables)
    path.write_text(json.dumps(tables), "utf-8")


def _by_name(tables: dict[str, Any], rn: str) -> dict[str, Any]:
    found: dict[str, Any] = next(record for record in tables["resource"].values() if record["rn"] == rn)
    return found


def test_a_readable_file_is_checked_too(tmp_path: Path) -> None:
    path = tmp_path / "s.json"
    url = f"tinydb:///{path}"
    planted(url)
    _edited(path, lambda tables: _by_name(tables, "cnt")["attributes"].update(cni=40))
    code, text = run(url)
    assert (code, "cse-in/ae/cnt: cni (currentNrOfInstances) is 40, its instances make it 5" in text) == (1, True), text
    assert run(url, "--repair")[0] == 0
    assert run(url)[0] == 0
    _edited(path, lambda tables: _by_name(tables, "cnt").update(pi="gone"))
    code, text = run(url, "--repair")
    assert (code, "cse-in/ae/cnt: its parent gone does not exist" in text) == (1, True), text
    _edited(path, lambda tables: _by_name(tables, "cnt").update(pi="Cae", rn="ts"))
    code, text = run(url)
    assert (code, "is not found by its name below its parent" in text) == (1, True), text


def test_what_cannot_be_checked(tmp_path: Path) -> None:
    for url, sentence in (
        ("memory:", "memory: is no store in a file"),
        (f"sqlite:///{tmp_path}/none.db", "there is no store"),
        (f"postgres:///{tmp_path}/none.db", "is no store in a file"),
    ):
        code, text = run(url)
        assert (code, sentence in text) == (2, True), text
    (tmp_path / "text.db").write_text("some text that is no database", "utf-8")
    assert run(f"sqlite:///{tmp_path}/text.db")[0] == 2
    planted(f"sqlite:///{tmp_path}/s.db")
    with opened(f"sqlite:///{tmp_path}/s.db"):
        code, text = run(f"sqlite:///{tmp_path}/s.db")
        assert (code, "is in use by another process" in text) == (2, True), text
    _newer(tmp_path / "s.db")
    code, text = run(f"sqlite:///{tmp_path}/s.db")
    assert (code, "schema version 99" in text) == (2, True), text


def _newer(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA user_version=99")
