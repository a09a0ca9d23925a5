"""What a store has acknowledged is there after its process was killed at any moment."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cse.storage import open_store
from tests.storage.samples import INSTANCES

WRITER = """
import sys
from cse.storage import commit, open_store
from tests.storage.samples import INSTANCES, add, notice, planted
store = open_store(sys.argv[1], INSTANCES)
top, container = planted(store)
sys.stdout.write(container.ri + "\\n")
total = 0
while True:
    acknowledged = []
    for _ in range(5):
        with store.transaction() as transaction:
            container = transaction.get(container.ri)
            made = add(transaction, 4, container, con="x" * 200, lbl=["l"])
            total += 1
            transaction.replace(container.with_attributes({"cni": total}))
            transaction.enqueue(notice(made.ri))
            acknowledged.append(made.ri)
    commit(store)
    sys.stdout.write("".join(ri + "\\n" for ri in acknowledged))
    sys.stdout.flush()
"""


@pytest.mark.parametrize(("scheme", "after"), [("sqlite", 7), ("sqlite", 333), ("sqlite", 1250), ("tinydb", 40)])
def test_kill(tmp_path: Path, scheme: str, after: int) -> None:
    url = f"{scheme}:///{tmp_path}/store"
    root = Path(__file__).parents[2]
    with subprocess.Popen([sys.executable, "-c", WRITER, url], stdout=subprocess.PIPE, text=True, cwd=root) as writer:
        assert writer.stdout is not None
        parent = writer.stdout.readline().strip()
        acknowledged = [writer.stdout.readline().strip() for _ in range(after)]
        writer.send_signal(signal.SIGKILL)
        acknowledged += writer.stdout.read().split("\n")[:-1]
    assert writer.returncode == -signal.SIGKILL
    store = open_store(url, INSTANCES)
    container = store.get(parent)
    assert container is not None
    there = [found.ri for found in store.children(parent)]
    assert there[: len(acknowledged)] == acknowledged
    assert container.get("cni") == len(there) == store.count() - 2
    assert [notice.rqi for notice in store.notices(limit=10**6)] == there
    store.close()
