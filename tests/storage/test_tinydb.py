"""The TinyDB store keeps the contract, and its file is readable and never half written."""

import os
from pathlib import Path

import orjson
import pytest
from tinydb import TinyDB

from cse.storage import StoreError, StoreRefused, commit, open_store
from tests.storage.contract_suite import StoreContract
from tests.storage.samples import INSTANCES, add, notice, planted


class TestTinyDB(StoreContract):
    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        return f"tinydb:///{tmp_path}/store.json"


def test_file_is_readable(tmp_path: Path) -> None:
    path = tmp_path / "store.json"
    store = open_store(f"tinydb:///{path}", INSTANCES)
    _, container = planted(store)
    with store.transaction() as transaction:
        instance = add(transaction, 4, container, con="21.5")
        transaction.enqueue(notice("r1"))
        transaction.remember("identity", "x")
    commit(store)
    store.close()
    tables = orjson.loads(path.read_bytes())
    assert [resource["rn"] for resource in tables["resource"].values()] == ["cse-in", "cnt", instance.rn]
    assert path.read_text().count("\n") > 50
    with TinyDB(path, access_mode="r") as opened:
        assert [dict(value) for value in opened.table("value")] == [{"key": "identity", "value": "x"}]
        assert [one["rqi"] for one in opened.table("notice")] == ["r1"]


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"resource": {}}', b'{"store": {"1": {}}}', b'{"store": 1}', b'{"other": {}}', b"\xff\xfe", b"7"])
def test_file_that_is_no_store(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "store.json"
    path.write_bytes(content)
    with pytest.raises(StoreRefused, match=r"store\.json"):
        open_store(f"tinydb:///{path}", INSTANCES)
    assert path.read_bytes() == content
    path.unlink()
    open_store(f"tinydb:///{path}", INSTANCES).close()


def test_newer_version(tmp_path: Path) -> None:
    path = tmp_path / "store.json"
    path.write_bytes(b'{"store": {"1": {"version": 2, "number": 1, "retired": []}}}')
    with pytest.raises(StoreRefused, match="version 2"):
        open_store(f"tinydb:///{path}", INSTANCES)


def test_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "store.json"
    store = open_store(f"tinydb:///{path}", INSTANCES)
    _, container = planted(store)
    before = path.read_bytes()
    beside = tmp_path / ".store.json.new"
    beside.mkdir()
    with store.transaction() as transaction:
        add(transaction, 4, container)
    with pytest.raises(StoreError, match="could not be written"):
        commit(store)
    assert path.read_bytes() == before
    assert store.count() == 2
    beside.rmdir()
    with store.transaction() as transaction:
        kept = add(transaction, 4, container)
    commit(store)
    store.close()
    assert sorted(os.listdir(tmp_path)) == ["store.json", "store.json-lock"]
    again = open_store(f"tinydb:///{path}", INSTANCES)
    assert again.get(kept.ri) == kept
    assert again.count() == 3
    again.close()
