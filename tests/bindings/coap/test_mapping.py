"""Primitives to and from CoAP as TS-0008 has it, in both numberings of its options."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from bindings.coap import mapping
from bindings.coap.mapping import BadOption
from bindings.coap.message import Answer, Code, Options
from bindings.coap.options import NEW, OLD, TABLE, split
from bindings.serialization import Media
from cse.codes import Operation
from cse.codes import ResponseStatusCode as RSC
from cse.errors import BadRequest, CSEError, NotAcceptable, OperationNotAllowed, TargetNotReachable, UnsupportedMediaType
from cse.primitives import Peer, Request, Response

PEER = Peer("192.0.2.1", listener="coap")
WHO: Options = ((279, b"CAdmin"), (283, b"r1"))


def read(code: int, *options: tuple[int, bytes], payload: bytes = b"", path: str = "cse-in") -> Request:
    """Read a request with these options in its path, in order."""
    found = [*((11, name.encode()) for name in path.split("/") if path), *options]
    return mapping.request(code, split(tuple(sorted(found, key=lambda each: each[0]))), payload, PEER)


def write(answer: Response, code: int = Code.GET, options: Options = WHO) -> Answer:
    """Answer a request that had these options."""
    return mapping.response(answer, mapping.reply(code, split(options)))


@pytest.mark.parametrize(
    ("code", "options", "op"),
    [
        (Code.GET, (), Operation.RETRIEVE),
        (Code.PUT, (), Operation.UPDATE),
        (Code.DELETE, (), Operation.DELETE),
        (Code.POST, ((267, b"\x04"),), Operation.CREATE),
        (Code.POST, (), Operation.NOTIFY),
        (Code.POST, ((15, b"rt=1"), (15, b"op=2")), Operation.RETRIEVE),
        (Code.POST, ((15, b"rt=4"), (15, b"op=4")), Operation.DELETE),
        (Code.POST, ((15, b"op=1"), (267, b"\x03")), Operation.CREATE),
    ],
)
def test_the_method_and_op_say_the_operation(code: int, options: Options, op: Operation) -> None:
    assert read(code, *options).op is op


@pytest.mark.parametrize(
    ("segments", "to"),
    [
        ([b"cse-in", b"ae1"], "cse-in/ae1"),
        ([b"c7f3"], "c7f3"),
        ([b"~", b"mn1", b"cse", b"x"], "/mn1/cse/x"),
        ([b"_", b"sp.example", b"mn1", b"x"], "//sp.example/mn1/x"),
        ([b"-", b"x"], "-/x"),
        (["Zähler".encode(), b"la"], "Zähler/la"),
        ([b"~x", b"y"], "~x/y"),
        ([b"%2F", b"a+b"], "%2F/a+b"),
        ([b"cse-in", b""], "cse-in"),
        ([], ""),
    ],
)
def test_uri_path_is_the_target(segments: list[bytes], to: str) -> None:
    assert mapping.target(segments) == to
    if not segments or segments[-1]:
        assert mapping.path(to) == segments


@pytest.mark.parametrize(
    "segments",
    [[b"a/b"], [b"/"], [b"a/"], [b"", b"a"], [b"a", b"", b"b"], [b"", b""], [b"a", b"", b""], [b"a\0"], [b"a\nb"], [b"\x7f"], [b"~"], [b"_"],
     [b"~", b""], [b"\xff"]],
)  # fmt: skip
def test_segments_that_cannot_be_names(segments: list[bytes]) -> None:
    with pytest.raises(BadRequest, match="Uri-Path"):
        mapping.target(segments)


def test_every_option_is_read_in_release_3_numbers() -> None:
    request = read(
        Code.POST, (259, b"20260101T000000"), (263, b"http://a/&http://b/"), (15, b"rt=2"), (267, b"\x27\x13"), (271, b"2a"), *WHO, (291, b"5000"),
        (295, b"20260101T000001"), (299, b"20260101T000002"), (303, b"\x02"), (311, b"g1"), (331, b"vendor"), (335, b"a+b"), (339, b"s+t"), (343, b"o"),
        (347, b"p"), (351, b"u"),
    )  # fmt: skip
    assert request == Request(
        Operation.CREATE, "cse-in", fr="CAdmin", rqi="r1", rvi="2a", ty=10003, rt={"rtv": 2, "nu": ["http://a/", "http://b/"]}, ot="20260101T000000",
        rqet=5000, rset="20260101T000001", oet="20260101T000002", ec=2, gid="g1", vsi="vendor", grtm=("a", "b"), peer=PEER,
        more={"aus": ["s", "t"], "omr": ["o"], "ppi": "p", "msu": "u"},
    )  # fmt: skip


def test_every_option_is_read_in_the_old_numbers() -> None:
    request = read(
        Code.POST, (256, b"CAdmin"), (257, b"r1"), (259, b"20260101T000000"), (260, b"20260101T000003"), (261, b"20260101T000001"), (262, b"20260101T000002"),
        (264, b"\x02"), (266, b"g1"), (267, b"\x03"),
    )  # fmt: skip
    assert request == Request(
        Operation.CREATE, "cse-in", fr="CAdmin", rqi="r1", ty=3, ot="20260101T000000", rqet="20260101T000003", rset="20260101T000001",
        oet="20260101T000002", ec=2, gid="g1", peer=PEER,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("options", "numbers"),
    [
        (((256, b"C"), (257, b"r")), OLD),
        (((257, b"r"), (271, b"3")), OLD),
        (((256, b"C"), (283, b"r")), NEW),
        (((257, b"r"), (279, b"C")), NEW),
        (((279, b"C"), (283, b"r")), NEW),
        (((266, b"g"),), OLD),
        (((267, b"\x03"),), NEW),
        ((), NEW),
    ],
)
def test_the_answer_has_the_numbers_of_the_request(options: Options, numbers: dict[str, int]) -> None:
    answer = dict(write(Response(RSC.OK, "r", rvi="3"), options=options).options)
    assert answer[numbers["rsc"]] == b"\x07\xd0"
    assert answer[numbers["rqi"]] == b"r"
    assert (271 in answer) is (numbers is NEW), "the old numbering has no RVI"


def test_a_number_of_the_old_set_has_one_of_the_new() -> None:
    assert OLD.keys() < NEW.keys()
    assert len({*OLD.values()}) == len(OLD)
    assert all(each.number & 3 == 3 for each in TABLE), "critical and unsafe"


@pytest.mark.parametrize("option", [each for each in TABLE if each.text and each.longest > 20], ids=lambda each: each.name)
def test_options_that_are_too_long_are_refused_by_name(option: Any) -> None:
    with pytest.raises(BadOption, match=f"oneM2M-{option.name} "):
        read(Code.GET, (option.number, b"x" * (option.longest + 1)))


@pytest.mark.parametrize(("number", "name"), [(267, "TY"), (271, "RVI"), (303, "EC"), (291, "RQET"), (259, "OT")])
def test_short_options_are_bounded_too(number: int, name: str) -> None:
    with pytest.raises(BadOption, match=f"oneM2M-{name} "):
        read(Code.GET, (number, b"1" * 23))


def test_a_timestamp_with_its_fraction_is_taken_though_the_table_has_no_room_for_it() -> None:
    assert read(Code.GET, (259, b"20260101T000000,123456")).ot == "20260101T000000,123456"


def test_an_event_category_of_the_provider_is_carried_though_the_table_has_no_room_for_it() -> None:
    request = Request(Operation.NOTIFY, "coap://h", fr="/in", rqi="1", pc={"m2m:sgn": {}}, ec=999)
    sent = mapping.outgoing(request, mapping.point_of_access("coap://h"))
    assert mapping.request(sent.code, split(sent.options), sent.payload, PEER).ec == 999


@pytest.mark.parametrize("number", [279, 283, 311, 331, 15])
def test_invalid_utf8_is_refused(number: int) -> None:
    with pytest.raises(BadRequest, match="UTF-8"):
        read(Code.GET, (number, b"a=\xff\xfe"))


@pytest.mark.parametrize(
    "options",
    [((1, b""),), ((5, b""),), ((9, b""),), ((65001, b"x"),), ((353, b""),), ((17, b"\x32"), (17, b"\x32")), ((283, b"a"), (283, b"b")),
     ((271, b"3"), (271, b"3")), ((17, b"\0\0\x32"),), ((15, b"lbl=" + b"x" * 252),), ((11, b"x" * 256),), ((23, b"\0\0\0\x01"),), ((279, b"C" * 256),)],
)  # fmt: skip
def test_critical_options_that_are_unknown_or_repeated_or_too_long(options: Options) -> None:
    with pytest.raises(BadOption, match=str(options[0][0])):
        read(Code.GET, *options)


@pytest.mark.parametrize("number", [4, 6, 14, 16, 60, 252, 258, 292, 65000])
def test_elective_options_are_ignored(number: int) -> None:
    assert read(Code.GET, (number, b"\x01")) == read(Code.GET)


def test_of_elective_options_the_first_counts_and_one_that_is_too_long_does_not() -> None:
    content = b'{"m2m:cnt":{}}'
    assert read(Code.PUT, (12, b"\x32"), (12, b"\x29"), payload=content).pc == {"m2m:cnt": {}}
    assert read(Code.PUT, (12, b"\0\0\x29"), payload=content).pc == {"m2m:cnt": {}}
    assert read(Code.GET, (256, b"Cone"), (256, b"Ctwo"), (257, b"r1")).fr == "Cone"
    assert read(Code.GET, (256, b"C" * 256), (257, b"r1")).fr is None


def test_an_empty_from_is_none() -> None:
    assert read(Code.POST, (267, b"\x02"), (279, b"")).fr is None


def test_an_empty_list_of_notification_targets_is_one() -> None:
    assert read(Code.POST, (263, b""), (15, b"rt=2"), (15, b"op=2")).rt == {"rtv": 2, "nu": []}


def test_query_values_are_taken_as_they_are() -> None:
    request = read(Code.GET, (15, b"fu=1"), (15, b"lbl=a%2Bb+c&d"), (15, b"ty=3+4"), (15, b"rcn=6"), (15, b"cr=C=1"))
    assert request.fc == {"fu": 1, "lbl": ["a%2Bb", "c&d"], "ty": [3, 4], "atr": {"cr": ["C=1"]}}
    assert request.rcn == 6


@pytest.mark.parametrize("part", [b"rcn", b"rcn=x", b"op=9", b"op=2", b"=1", b"rcn=1=2"])
def test_queries_that_say_nothing_are_refused(part: bytes) -> None:
    with pytest.raises(BadRequest):
        read(Code.PUT, (15, part))


def test_a_partial_retrieve() -> None:
    assert read(Code.GET, (15, b"atrl=lbl+et")).pc == {"m2m:atrl": ["lbl", "et"]}
    with pytest.raises(BadRequest, match="atrl"):
        read(Code.PUT, (15, b"atrl=lbl"))


@pytest.mark.parametrize("number", [50, 10001, 10003, 10007, 10009, 10015])
def test_json_formats(number: int) -> None:
    assert read(Code.PUT, (12, number.to_bytes(2, "big")), payload=b'{"m2m:cnt":{}}').pc == {"m2m:cnt": {}}


@pytest.mark.parametrize("number", [60, 10010, 10011, 10012, 10013])
def test_cbor_formats(number: int) -> None:
    assert read(Code.PUT, (12, number.to_bytes(2, "big")), payload=b"\xa1\x67m2m:cnt\xa0").pc == {"m2m:cnt": {}}


def test_content_without_a_format_is_json() -> None:
    assert read(Code.PUT, payload=b'{"m2m:cnt":{}}').pc == {"m2m:cnt": {}}


@pytest.mark.parametrize("number", [0, 41, 42, 10002, 10014, 65535])
def test_other_formats_are_not_supported_nor_acceptable(number: int) -> None:
    value = number.to_bytes(2, "big").lstrip(b"\0")
    with pytest.raises(UnsupportedMediaType, match=str(number)):
        read(Code.PUT, (12, value), payload=b"<a/>")
    with pytest.raises(NotAcceptable, match=str(number)):
        read(Code.GET, (17, value))


@pytest.mark.parametrize("code", [5, 6, 7, 31])
def test_other_methods_are_not_allowed(code: int) -> None:
    with pytest.raises(OperationNotAllowed):
        read(code)


@pytest.mark.parametrize(
    ("options", "number", "payload"),
    [
        ((), 50, b'{"a":1}'),
        (((12, b"\x3c"),), 60, b"\xa1\x61a\x01"),
        (((12, b"\x3c"), (17, b"\x32")), 50, b'{"a":1}'),
        (((12, b"\x32"), (17, b"\x3c")), 60, b"\xa1\x61a\x01"),
        (((17, b"\x27\x1f"),), 10015, b'{"a":1}'),
    ],
)
def test_the_answer_is_in_the_format_that_was_asked_for(options: Options, number: int, payload: bytes) -> None:
    answer = write(Response(RSC.OK, pc={"a": 1}), options=options)
    assert (dict(answer.options)[12], answer.payload) == (number.to_bytes(1 + (number > 255), "big"), payload)


@pytest.mark.parametrize(
    ("rsc", "method", "code"),
    [
        (2000, Code.GET, "2.05"), (2000, Code.POST, "2.04"), (2000, Code.PUT, "2.05"), (2001, Code.POST, "2.01"), (2002, Code.DELETE, "2.02"),
        (2004, Code.PUT, "2.04"), (1000, Code.POST, "2.04"), (1002, Code.POST, "2.04"), (4000, Code.GET, "4.00"), (4001, Code.GET, "5.01"),
        (4004, Code.GET, "4.04"), (4005, Code.GET, "4.05"), (4008, Code.GET, "5.04"), (4015, Code.GET, "4.15"), (4102, Code.GET, "4.00"),
        (4103, Code.GET, "4.03"), (4105, Code.POST, "4.03"), (4120, Code.POST, "4.02"), (4128, Code.POST, "4.03"), (5000, Code.GET, "5.00"),
        (5103, Code.GET, "4.04"), (5106, Code.GET, "4.00"), (5204, Code.GET, "5.00"), (5206, Code.GET, "5.01"), (5207, Code.GET, "4.06"),
        (6028, Code.GET, "4.00"), (6033, Code.GET, "5.03"), (6034, Code.GET, "4.03"),
    ],
)  # fmt: skip
def test_response_codes(rsc: int, method: int, code: str) -> None:
    written = write(Response(RSC(rsc)), method).code
    assert f"{written >> 5}.{written & 31:02}" == code


@pytest.mark.parametrize(("op", "code"), [(1, Code.CONTENT), (2, Code.CONTENT), (5, Code.CHANGED)])
def test_the_code_of_a_post_goes_by_its_op(op: int, code: Code) -> None:
    assert write(Response(RSC.OK, pc={"a": 1}), Code.POST, ((15, b"rt=4"), (15, b"op=%d" % op), *WHO)).code == code


def test_every_response_status_code_has_a_code_and_is_told() -> None:
    for rsc in RSC:
        answer = write(Response(rsc))
        assert answer.code >> 5 in (2, 4, 5)
        assert int.from_bytes(dict(answer.options)[307], "big") == rsc


@pytest.mark.parametrize(
    ("rsc", "pc", "path"),
    [
        (2001, {"m2m:cnt": {"ri": "cnt1", "rn": "c"}}, [b"cnt1"]),
        (2001, {"m2m:uri": "cse-in/c"}, [b"cse-in", b"c"]),
        (2001, {"m2m:rce": {"uri": "/in/cse-in/c", "m2m:cnt": {}}}, [b"~", b"in", b"cse-in", b"c"]),
        (2001, None, []),
        (2001, {"m2m:uri": "a" * 300}, []),
        (1002, {"m2m:uri": "req1"}, [b"req1"]),
        (2000, {"m2m:uri": "cse-in/c"}, []),
    ],
)
def test_location_path_tells_where_the_new_resource_is(rsc: int, pc: Any, path: list[bytes]) -> None:
    answer = write(Response(RSC(rsc), pc=pc), Code.POST)
    assert [value for number, value in answer.options if number == 8] == path
    assert (answer.code == Code.CREATED) is (rsc == 2001 or bool(path))


@pytest.mark.parametrize("rsc", [RSC.OK, RSC.NOT_FOUND, RSC.ORIGINATOR_HAS_NO_PRIVILEGE, RSC.INTERNAL_SERVER_ERROR])
def test_what_was_read_may_not_be_cached_nor_that_there_was_nothing(rsc: RSC) -> None:
    assert dict(write(Response(rsc, pc={"a": 1})).options)[14] == b""
    assert 4 not in dict(write(Response(RSC.OK, pc={"a": 1})).options)


def test_an_answer_has_its_parameters() -> None:
    answer = write(Response(RSC.OK, "r9", fr="/in", rvi="3", ot="20260101T000000,123456", ec=2, rset="20260101T000001", cnst=1, cnot=300, vsi="v"))
    assert dict(answer.options) == {
        14: b"", 259: b"20260101T000000", 271: b"3", 279: b"/in", 283: b"r9", 295: b"20260101T000001", 303: b"\x02", 307: b"\x07\xd0", 319: b"\x01\x2c",
        323: b"\x01", 331: b"v",
    }  # fmt: skip
    assert [number for number, _ in answer.options] == sorted(number for number, _ in answer.options)


@pytest.mark.parametrize(("error", "code", "rsc"), [(BadOption("x"), Code.BAD_OPTION, 4000), (NotAcceptable("x"), Code.NOT_ACCEPTABLE, 5207)])
def test_failures_tell_why(error: CSEError, code: Code, rsc: int) -> None:
    answer = mapping.failure(error, mapping.reply(Code.GET, split(WHO)))
    assert (answer.code, answer.payload) == (code, b'{"m2m:dbg":"x"}')
    assert dict(answer.options) == {12: b"\x32", 14: b"", 283: b"r1", 307: rsc.to_bytes(2, "big")}


@pytest.mark.parametrize(("given", "told"), [(b"3", b"3"), (b"2a", b"2a"), (b"333", None), (b"\xff", None), (b"", None)])
def test_a_failure_keeps_the_release_version_where_it_is_one(given: bytes, told: bytes | None) -> None:
    answer = mapping.failure(BadRequest("x"), mapping.reply(Code.GET, split(((271, given), *WHO))))
    assert dict(answer.options).get(271) == told


@pytest.mark.parametrize("identifier", [b"\xff" * 255, b"x" * 256, b""])
def test_a_request_identifier_that_is_none_can_be_answered(identifier: bytes) -> None:
    mapping.failure(BadRequest("x"), mapping.reply(Code.GET, split(((283, identifier),))))


REQUESTS = [
    Request(Operation.CREATE, "cse-in/ae", fr="C1", rqi="1", rvi="3", ty=3, pc={"m2m:cnt": {"rn": "c"}}, rcn=3),
    Request(Operation.RETRIEVE, "/mn1/cse/x", fr="/in", rqi="1", fc={"fu": 1, "lbl": ["a", "b"], "ty": [3], "atr": {"rn": ["x*"]}}, drt=2),
    Request(Operation.RETRIEVE, "//sp.example/mn1/x", fr="/in", rqi="1", pc={"m2m:atrl": ["lbl", "et"]}),
    Request(Operation.UPDATE, "a", fr="/in", rqi="1", pc={"m2m:cnt": {"lbl": None}}, rqet=5000, rset="20260101T000000", oet=1, ec=2, gid="g", vsi="v"),
    Request(Operation.DELETE, "a", fr="/in", rqi="1", rt={"rtv": 2, "nu": ["http://a/"]}, rp=1000, da=True, sqi=False, grtm=("a", "b"), gstn=2),
    Request(Operation.NOTIFY, "cse-in/ae", fr="/in", rqi="1", pc={"m2m:sgn": {"vrq": True}}, more={"msu": "u", "rids": ["r@x"], "tqi": True}),
]


@pytest.mark.parametrize("media", ["json", "cbor"])
@pytest.mark.parametrize("request_", REQUESTS, ids=lambda request: request.op.name)
def test_a_request_arrives_as_it_was_sent(request_: Request, media: str) -> None:
    to = mapping.point_of_access(f"coap://host/?ct={media}")
    code, options, payload = mapping.outgoing(request_, to)
    assert mapping.request(code, split(options), payload, PEER) == replace(request_, peer=PEER)
    assert [number for number, _ in options] == sorted(number for number, _ in options)


@given(st.builds(Response, st.sampled_from(RSC), st.text(min_size=1, max_size=20), st.sampled_from([None, {"m2m:cin": {"con": "x"}}])))
def test_an_answer_arrives_as_it_was_sent(answer: Response) -> None:
    assert mapping.incoming(write(answer)) == answer


def test_a_notification_goes_to_its_url_and_nowhere_else() -> None:
    request = Request(Operation.NOTIFY, "coap://host:5555/a%20b/c?x=y&ct=cbor", fr="/in", rqi="1", pc={"m2m:sgn": {}})
    to = mapping.point_of_access(request.to)
    code, options, payload = mapping.outgoing(request, to)
    assert (to.host, to.port, to.media, code) == ("host", 5555, Media.CBOR, Code.POST)
    assert [value for number, value in options if number in (11, 15)] == [b"a b", b"c", b"x=y"]
    assert 267 not in dict(options)
    assert payload == b"\xa1\x67m2m:sgn\xa0"


@pytest.mark.parametrize("url", ["http://host/", "coap://", "coap://host:99999/", "coap://host:0/", "coap://[::1/", "coap://ho\nst/", "host"])
def test_urls_that_are_none(url: str) -> None:
    with pytest.raises(TargetNotReachable):
        mapping.point_of_access(url)


def test_what_is_too_long_for_coap_is_refused_by_name() -> None:
    to = mapping.point_of_access("coap://host")
    with pytest.raises(BadRequest, match="oneM2M-FR"):
        mapping.outgoing(Request(Operation.RETRIEVE, "a", fr="x" * 256), to)
    with pytest.raises(BadRequest, match="too long"):
        mapping.outgoing(Request(Operation.RETRIEVE, "x" * 256), to)


@pytest.mark.parametrize(("code", "rsc"), [(Code.CHANGED, 2000), (Code.CONTENT, 2000), (Code.NOT_FOUND, 4004), (Code.FORBIDDEN, 4103), (191, 5000)])
def test_plain_servers_answer_too(code: int, rsc: int) -> None:
    assert mapping.incoming(Answer(code, (), b"hello")).rsc == rsc


@pytest.mark.parametrize(
    "answer",
    [
        Answer(0x7F, ()),
        Answer(Code.CONTENT, ((307, b"\x01"),)),
        Answer(Code.CONTENT, ((307, b"\x07\xd0"),), b"{broken"),
        Answer(Code.CONTENT, ((12, b"\x28"), (307, b"\x07\xd0")), b"<x>"),
        Answer(Code.CONTENT, ((283, b"\xff"), (307, b"\x07\xd0"))),
    ],
)
def test_nonsense_is_a_bad_request(answer: Answer) -> None:
    with pytest.raises(BadRequest):
        mapping.incoming(answer)


SOME = st.sampled_from([*NEW.values(), *OLD.values(), 3, 6, 11, 12, 15, 17, 23, 27, 60, 999])


@given(st.integers(0, 31), st.lists(st.tuples(SOME, st.binary(max_size=20))), st.binary(max_size=30))
def test_any_options_are_a_request_or_refused_and_can_be_answered(code: int, options: list[tuple[int, bytes]], payload: bytes) -> None:
    found = split(tuple(sorted(options, key=lambda each: each[0])))
    try:
        mapping.request(code, found, payload, PEER)
    except CSEError as error:
        mapping.failure(error, mapping.reply(code, found))
