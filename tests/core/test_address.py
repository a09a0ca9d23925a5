"""Addresses and identifiers in all their forms (TS-0001 7.2, TS-0004 7.3.2.6)."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cse.address import Address, Located, absolute, locate, parse, same_entity, sp_relative
from cse.errors import BadRequest
from cse.record import Record
from cse.storage.contract import commit
from cse.storage.memory import MemoryStore

CSE, SP = "/id-in", "//sp.example"

SEGMENT = st.text(string.ascii_letters + string.digits + "._-~", min_size=1, max_size=12)
PATH = st.lists(SEGMENT, min_size=1, max_size=5).map(tuple)


@pytest.mark.parametrize(
    ("to", "wanted"),
    [
        ("cse-in/ae/cnt", Address(("cse-in", "ae", "cnt"))),
        ("-/ae", Address(("-", "ae"))),
        ("-", Address(("-",))),
        ("cnt1/la", Address(("cnt1", "la"))),
        ("/id-in", Address(())),
        ("/id-in/cnt1", Address(("cnt1",))),
        ("/id-in/-/ae", Address(("-", "ae"))),
        ("//sp.example/id-in", Address(())),
        ("//sp.example/id-in/cse-in/ae", Address(("cse-in", "ae"))),
        ("/id-mn", Address((), "/id-mn")),
        ("/id-mn/cse-mn/ae", Address(("cse-mn", "ae"), "/id-mn")),
        ("//sp.example/id-mn/x", Address(("x",), "/id-mn")),
        ("//other.example/id-in/x", Address(("x",), "/id-in", "//other.example")),
        ("//other.example/id-in", Address((), "/id-in", "//other.example")),
        ("/Sdash02", Address((), "/Sdash02")),
        ("cnt1#lbl", Address(("cnt1",), attribute="lbl")),
        ("/id-in#lbl", Address((), attribute="lbl")),
        ("/id-mn/c#cni", Address(("c",), "/id-mn", attribute="cni")),
    ],
)
def test_every_form_of_to(to: str, wanted: Address) -> None:
    assert parse(to, CSE, SP) == wanted


def test_only_a_bare_s_stem_is_one() -> None:
    assert parse("/Sdash02", CSE, SP).stem == "Sdash02"
    assert not parse("/Sdash02", CSE, SP).local
    for to in ("/id-mn", "/id-in/Sdash02", "Sdash02", "/Sdash02/x"):
        assert parse(to, CSE, SP).stem == ""


@pytest.mark.parametrize(
    ("to", "reason"),
    [
        ("", "to is empty"),
        ("/", "empty segment"),
        ("//", "domain name"),
        ("a//b", "empty segment"),
        ("a/", "empty segment"),
        ("/id-in/", "empty segment"),
        ("/id-in//a", "empty segment"),
        ("//sp.example", "no CSE"),
        ("//SP.example/id-in", "lower-case domain name"),
        ("//-sp/id-in", "domain name"),
        ("a b", "' '"),
        ("a\x00b", "'\\x00'"),
        ("a\n", "'\\n'"),
        ("caf\u00e9", "'\u00e9'"),
        ("http://host/x", "':'"),
        ("a#", "attribute"),
        ("a#b#c", "attribute"),
        ("#lbl", "empty segment"),
        ("x" * 2049, "2049 characters, at most 2048"),
    ],
)
def test_ill_formed_addresses_are_refused_with_the_reason(to: str, reason: str) -> None:
    with pytest.raises(BadRequest) as refused:
        parse(to, CSE, SP)
    assert reason in str(refused.value)
    assert len(str(refused.value)) < 300


def test_the_longest_address_is_accepted() -> None:
    assert parse("x" * 2048, CSE, SP).segments == ("x" * 2048,)


@given(PATH, st.sampled_from(["", "/id-in/", "//sp.example/id-in/"]))
def test_all_local_forms_name_the_same_resource(path: tuple[str, ...], prefix: str) -> None:
    assert parse(prefix + "/".join(path), CSE, SP) == Address(path)


@given(PATH, st.sampled_from(["/id-mn", "/id-x.7"]), st.sampled_from(["", "//other.example"]))
def test_remote_addresses_come_back_from_their_parts(path: tuple[str, ...], csi: str, sp: str) -> None:
    address = parse(f"{sp}{csi}/{'/'.join(path)}", CSE, SP)
    assert not address.local
    assert address == Address(path, csi, sp)


@given(st.text(max_size=40))
def test_any_text_is_an_address_or_a_bad_request(to: str) -> None:
    try:
        address = parse(to, CSE, SP)
    except BadRequest:
        return
    assert all(address.segments)
    assert not any("/" in segment or "#" in segment for segment in address.segments)


@pytest.fixture
def tree() -> MemoryStore:
    """cse-in > ae (Cae) > cnt (cnt1) > la-like names; cse-in > grp (grp1)."""
    store = MemoryStore(frozenset({4}))
    with store.transaction() as transaction:
        for ty, ri, pi, path in (
            (5, "id-in", "", "cse-in"),
            (2, "Cae", "id-in", "cse-in/ae"),
            (3, "cnt1", "Cae", "cse-in/ae/cnt"),
            (3, "cnt2", "cnt1", "cse-in/ae/cnt/sub"),
            (9, "grp1", "id-in", "cse-in/grp"),
            (3, "cnt3", "id-in", "cse-in/Cae"),
        ):
            rn = path.rpartition("/")[2]
            transaction.insert(Record(ty, ri, pi, rn, path, {"ty": ty, "ri": ri, "pi": pi, "rn": rn}))
    commit(store)
    return store


def virtual(record: Record) -> tuple[str, ...]:
    return {3: ("la", "ol"), 9: ("fopt",)}.get(record.ty, ())


@pytest.mark.parametrize(
    ("address", "wanted"),
    [
        ("cse-in", ("id-in", "", ())),
        ("-", ("id-in", "", ())),
        ("id-in", ("id-in", "", ())),
        ("/id-in", ("id-in", "", ())),
        ("cse-in/ae", ("Cae", "", ())),
        ("-/ae/cnt/sub", ("cnt2", "", ())),
        ("cnt1", ("cnt1", "", ())),
        ("cnt1/sub", ("cnt2", "", ())),
        ("Cae/cnt/sub", ("cnt2", "", ())),
        ("id-in/ae", ("Cae", "", ())),
        ("cnt1/la", ("cnt1", "la", ())),
        ("cse-in/ae/cnt/ol", ("cnt1", "ol", ())),
        ("grp1/fopt", ("grp1", "fopt", ())),
        ("-/grp/fopt/cnt/la", ("grp1", "fopt", ("cnt", "la"))),
        ("Cae", ("Cae", "", ())),
        ("-/Cae", ("cnt3", "", ())),
        ("nothing", None),
        ("ae", None),
        ("cse-in/none/x", None),
        ("cnt1/la/x", None),
        ("Cae/la", None),
        ("cse-in/-", None),
    ],
)
def test_resources_are_found_by_every_local_form(tree: MemoryStore, address: str, wanted: tuple[str, str, tuple[str, ...]] | None) -> None:
    found = locate(tree, parse(address, CSE, SP).segments, "id-in", "cse-in", virtual)
    if wanted is None:
        assert found is None
    else:
        record = tree.get(wanted[0])
        assert record is not None
        assert found == Located(record, *wanted[1:])


@pytest.mark.parametrize(
    ("identifier", "relative", "whole"),
    [
        ("Cmeter", "/id-in/Cmeter", "//sp.example/id-in/Cmeter"),
        ("/id-in/Cmeter", "/id-in/Cmeter", "//sp.example/id-in/Cmeter"),
        ("//sp.example/id-in/Cmeter", "/id-in/Cmeter", "//sp.example/id-in/Cmeter"),
        ("Sdash", "/Sdash", "//sp.example/Sdash"),
        ("/Sdash", "/Sdash", "//sp.example/Sdash"),
        ("/id-in/Sdash", "/Sdash", "//sp.example/Sdash"),
        ("//sp.example/Sdash", "/Sdash", "//sp.example/Sdash"),
        ("/id-mn", "/id-mn", "//sp.example/id-mn"),
        ("//sp.example/id-mn", "/id-mn", "//sp.example/id-mn"),
        ("/id-mn/Cx", "/id-mn/Cx", "//sp.example/id-mn/Cx"),
        ("//other.example/id-in/Cmeter", "//other.example/id-in/Cmeter", "//other.example/id-in/Cmeter"),
        ("cse-in/Shed", "/id-in/cse-in/Shed", "//sp.example/id-in/cse-in/Shed"),
        ("", "", ""),
    ],
)
def test_forms_of_an_identifier(identifier: str, relative: str, whole: str) -> None:
    assert sp_relative(identifier, CSE, SP) == relative
    assert absolute(identifier, CSE, SP) == whole
    assert same_entity(identifier, relative, CSE, SP) == same_entity(whole, identifier, CSE, SP) == bool(identifier)


@pytest.mark.parametrize(
    ("a", "b"), [("Cmeter", "/id-mn/Cmeter"), ("Cmeter", "Sdash"), ("/id-in", "/id-mn"), ("Cm", "//other.example/id-in/Cm"), ("", ""), (None, ""), (None, None)]
)
def test_others_are_not_the_same(a: str | None, b: str | None) -> None:
    assert not same_entity(a, b, CSE, SP)


@given(st.one_of(SEGMENT.map("C{}".format), SEGMENT.map("S{}".format), SEGMENT.map("/id-mn/C{}".format), SEGMENT.map("/x{}".format)))
def test_forms_are_stable(identifier: str) -> None:
    relative, whole = sp_relative(identifier, CSE, SP), absolute(identifier, CSE, SP)
    assert sp_relative(relative, CSE, SP) == sp_relative(whole, CSE, SP) == relative
    assert absolute(relative, CSE, SP) == absolute(whole, CSE, SP) == whole
