"""A ledger shows which entry was changed, taken out, moved, doubled or put in."""

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from apps.metering.keys import public_key
from apps.metering.ledger import GENESIS, LABEL, Ledger, LedgerFault, digest, entries_in, seal, verify

KEY = Ed25519PrivateKey.generate()
PUBLIC = KEY.public_key()


def written(count: int) -> list[Any]:
    """Write a ledger of settlement entries."""
    ledger = Ledger(KEY)
    return [ledger.append({"ts": f"20260101T{number:06}", "meter": "M1", "quantity": f"{number}.25", "parties": ["bill", "dno"]}) for number in range(count)]


def found(entries: list[Any], **known: Any) -> list[tuple[str, int]]:
    """Verify and give kind and place of every fault."""
    return [(fault.kind, fault.place) for fault in verify(entries, PUBLIC, **known)]


def test_an_entry_carries_the_hash_of_the_one_before_and_a_signature() -> None:
    first, second = written(2)
    assert first["prev"] == GENESIS
    assert second["prev"] == digest(first)
    assert set(second) == {"ts", "meter", "quantity", "parties", "prev", "signature"}
    assert found([first, second]) == []


def test_a_ledger_goes_on_where_it_was_left() -> None:
    before = Ledger(KEY)
    first = before.append({"n": 1})
    after = Ledger(KEY, before.head, before.count)
    second = after.append({"n": 2})
    assert found([first, second], head=after.head, count=after.count) == []


@given(st.integers(0, 12))
def test_an_untouched_ledger_is_good(count: int) -> None:
    entries = written(count)
    assert found(entries, head=digest(entries[-1]) if entries else GENESIS, count=count) == []
    assert found(json.loads(json.dumps(entries, indent=1))) == []


@given(st.integers(1, 12), st.data())
def test_a_changed_entry_is_named(count: int, data: st.DataObject) -> None:
    entries = written(count)
    place = data.draw(st.integers(0, count - 1))
    member = data.draw(st.sampled_from(sorted(entries[place])))
    entries[place] = {**entries[place], member: data.draw(st.sampled_from(["0", "f" * 64, "f" * 128, None, 5]))}
    assert found(entries) == [("changed", place + 1)]


@given(st.integers(2, 12), st.data())
def test_a_member_more_or_less_is_a_change(count: int, data: st.DataObject) -> None:
    entries = written(count)
    place = data.draw(st.integers(0, count - 1))
    entries[place] = {**entries[place], "more": 1} if data.draw(st.booleans()) else {name: value for name, value in entries[place].items() if name != "ts"}
    assert found(entries) == [("changed", place + 1)]


@given(st.integers(2, 12), st.data())
def test_a_gap_is_named(count: int, data: st.DataObject) -> None:
    entries = written(count)
    first = data.draw(st.integers(0, count - 2))
    last = data.draw(st.integers(first, count - 2))
    del entries[first : last + 1]
    assert found(entries) == [("missing", first + 1)]
    assert found(entries, count=count) == [("missing", first + 1)]


@given(st.integers(1, 12), st.data())
def test_what_is_missing_at_the_end_is_seen_by_who_knows_the_head_or_the_count(count: int, data: st.DataObject) -> None:
    entries = written(count)
    left = entries[: data.draw(st.integers(0, count - 1))]
    assert found(left) == []
    assert found(left, head=digest(entries[-1])) == [("missing", len(left) + 1)]
    assert found(left, count=count) == [("missing", len(left) + 1)]


@given(st.integers(3, 12), st.data())
def test_a_moved_entry_is_named(count: int, data: st.DataObject) -> None:
    entries = written(count)
    since, to = data.draw(st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)).filter(lambda pair: abs(pair[0] - pair[1]) >= 2))
    moved = entries.pop(since)
    entries.insert(to, moved)
    [fault] = verify(entries, PUBLIC)
    assert (fault.kind, fault.place) == ("reordered", to + 1)
    before = "the beginning" if since == 0 else f"entry {since if to > since else since + 1}"
    assert fault.text == f"belongs directly after {before}"


@given(st.integers(2, 12), st.data())
def test_two_neighbours_exchanged(count: int, data: st.DataObject) -> None:
    entries = written(count)
    place = data.draw(st.integers(0, count - 2))
    entries[place], entries[place + 1] = entries[place + 1], entries[place]
    [(kind, number)] = found(entries)
    assert kind == "reordered"
    assert number in (place + 1, place + 2)


@given(st.permutations(range(8)))
def test_no_order_but_the_right_one_is_good(order: list[int]) -> None:
    entries = written(8)
    faults = found([entries[number] for number in order])
    assert (faults == []) == (order == sorted(order))
    assert {kind for kind, _ in faults} <= {"reordered"}


@given(st.lists(st.tuples(st.sampled_from(["drop", "swap", "change", "double"]), st.integers(0, 9), st.integers(0, 9)), max_size=4))
def test_only_a_beginning_of_what_was_written_is_good(deeds: list[tuple[str, int, int]]) -> None:
    entries = written(10)
    original = list(entries)
    for deed, one, other in deeds:
        one, other = one % len(entries), other % len(entries)
        match deed:
            case "drop":
                del entries[one]
            case "swap":
                entries[one], entries[other] = entries[other], entries[one]
            case "change":
                entries[one] = {**entries[one], "quantity": f"9{entries[one]['quantity']}"}
            case "double":
                entries.insert(other, entries[one])
    assert (found(entries) == []) == (entries == original[: len(entries)])


def test_a_doubled_entry_is_named() -> None:
    entries = written(4)
    assert found([*entries[:3], entries[1], entries[3]]) == [("repeated", 4)]


def test_an_entry_of_a_stranger_is_named() -> None:
    entries = written(3)
    strange = seal({"quantity": "1000"}, digest(entries[0]), Ed25519PrivateKey.generate())
    assert found([entries[0], strange, *entries[1:]]) == [("changed", 2)]


def test_two_that_follow_the_same_entry_are_named() -> None:
    entries = written(3)
    other = seal({"quantity": "7"}, digest(entries[0]), KEY)
    assert found([*entries, other])[:1] == [("forked", 4)]


@pytest.mark.parametrize("strange", [None, 5, "text", [], {}, {"prev": 5, "signature": ""}])
def test_what_is_no_entry_is_named(strange: Any) -> None:
    entries = written(2)
    assert found([entries[0], strange, entries[1]]) == [("changed", 2)]


def test_the_end_may_be_known_but_changed() -> None:
    entries = written(3)
    head = digest(entries[-1])
    entries[-1] = {**entries[-1], "quantity": "0"}
    assert found(entries, head=head, count=3) == [("changed", 3)]


def test_what_the_ledger_sets_is_not_given() -> None:
    with pytest.raises(LedgerFault, match="prev: the ledger itself sets it"):
        seal({"prev": "", "a": 1}, GENESIS, KEY)
    with pytest.raises(LedgerFault, match="an entry must be JSON"):
        seal({"a": object()}, GENESIS, KEY)


def test_the_label_tells_the_key() -> None:
    assert found(written(1)) == []
    assert verify(written(1), public_key(Ledger(KEY).label.removeprefix(LABEL))) == ()


def test_copies_are_read() -> None:
    entries = written(2)
    entries[1] = {"text": "a\u2028b"}
    assert entries_in(json.dumps(entries)) == entries
    assert entries_in("\n".join(json.dumps(entry, ensure_ascii=False) for entry in entries) + "\n\n") == entries
    assert entries_in("") == []
    with pytest.raises(LedgerFault, match="line 2: is no JSON"):
        entries_in('{"a":1}\n{"a":\n')
    with pytest.raises(LedgerFault, match="the array: is no JSON"):
        entries_in("[1,")
