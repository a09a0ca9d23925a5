"""Resources as the core would write them, for tests of stores."""

from collections.abc import Mapping
from typing import Any

from cse.primitives import Notice
from cse.record import Record
from cse.storage import Store, Transaction, commit

INSTANCES = frozenset({4, 30, 58})
CREATED = "20260101T120000"
EXPIRES = "20990101T000000"


def record(ty: int, ri: str, parent: Record | None, rn: str | None = None, /, **attributes: Any) -> Record:
    """Give a resource with its universal attributes; ``originator`` and ``state`` go beside them, None leaves an attribute out."""
    originator, state = attributes.pop("originator", "Cme"), attributes.pop("state", {})
    name, pi = rn or ri, parent.ri if parent else ""
    path = f"{parent.path}/{name}" if parent else name
    universal = {"ty": ty, "ri": ri, "pi": pi, "rn": name, "ct": CREATED, "lt": CREATED, "et": EXPIRES}
    complete = {key: value for key, value in (universal | attributes).items() if value is not None}
    return Record(ty, ri, pi, name, path, complete, originator, state)


def base() -> Record:
    """Give a CSEBase, which has no et."""
    return record(5, "id-in", None, "cse-in", et=None, csi="/id-in", srt=[1, 2, 3, 4, 5, 9, 23])


def add(transaction: Transaction, ty: int, parent: Record, rn: str | None = None, /, **attributes: Any) -> Record:
    """Insert a child with a generated identifier, which is its name too unless there is ``rn``."""
    prefix = {2: "ae", 3: "cnt", 4: "cin", 9: "grp", 23: "sub", 30: "tsi", 58: "fci"}[ty]
    made = record(ty, transaction.identify(prefix, parent.ri, ty), parent, rn, **attributes)
    transaction.insert(made)
    return made


def planted(store: Store) -> tuple[Record, Record]:
    """Commit a CSEBase with a container and give both."""
    with store.transaction() as transaction:
        top = base()
        transaction.insert(top)
        container = add(transaction, 3, top, "cnt", cni=0, cbs=0, st=0)
    commit(store)
    return top, container


def notice(rqi: str, target: str = "http://sink.example/", **more: Any) -> Notice:
    """Give a notification for the outbox."""
    content: Mapping[str, Any] = {"m2m:sgn": {"nev": {"net": 3, "rep": {"m2m:cin": {"con": "ä€😀", "x": 0.1}}}, "sur": "/id-in/sub1"}}
    return Notice(target=target, rqi=rqi, fr="/id-in", content=content, **more)
