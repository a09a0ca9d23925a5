"""HTTP to primitives and back, without a socket."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from bindings.http import mapping
from bindings.serialization import Media, encode
from cse.codes import Operation, ResponseStatusCode
from cse.errors import BadRequest, CSEError, NotAcceptable, OperationNotAllowed, TargetNotReachable, UnsupportedMediaType
from cse.primitives import NOBODY, Peer, Request, Response

CIN = b'{"m2m:cin":{"con":"1"}}'
PEER = Peer(address="192.0.2.1", listener="http")


def read(method: str = "GET", path: str = "/x", query: str = "", body: bytes = b"", **headers: str) -> Request:
    return mapping.request(method, path, query, CIMultiDict({name.replace("_", "-"): value for name, value in headers.items()}), body, PEER)


@pytest.mark.parametrize(
    ("path", "to"),
    [
        ("/cse-in", "cse-in"),
        ("/cse-in/ae1/c1", "cse-in/ae1/c1"),
        ("/cse-in/ae1/", "cse-in/ae1"),
        ("/c7f3", "c7f3"),
        ("/-/reader", "-/reader"),
        ("/~/id-in/c7f3", "/id-in/c7f3"),
        ("/~/id-in", "/id-in"),
        ("/~/id-in/", "/id-in"),
        ("/_/sp.example/id-in/-/ae", "//sp.example/id-in/-/ae"),
        ("/~name/x", "~name/x"),
        ("/cse-in/a%20b%C3%A4", "cse-in/a bä"),
        ("/c7f3%23lbl", "c7f3#lbl"),
        ("/a+b", "a+b"),
        ("/%7e/id-in/x", "/id-in/x"),
    ],
)
def test_paths_are_addresses(path: str, to: str) -> None:
    assert read(path=path).to == to


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/a%2Fb", "slash or control"),
        ("/a%00", "slash or control"),
        ("/a%0d%0aX", "slash or control"),
        ("/a\x07", "slash or control"),
        ("/a//b", "empty segment"),
        ("//sp.example/x", "empty segment"),
        ("/a%", "two hexadecimal digits"),
        ("/a%zz", "two hexadecimal digits"),
        ("/a%ff", "not valid UTF-8"),
        ("/a\udcff", "not valid UTF-8"),
        ("/~", "names no CSE"),
        ("/~/", "names no CSE"),
        ("/_/", "names no CSE"),
        ("a", "start with a slash"),
        ("*", "start with a slash"),
        ("", "start with a slash"),
    ],
)
def test_paths_that_are_no_address_are_refused(path: str, reason: str) -> None:
    with pytest.raises(BadRequest, match=reason):
        read(path=path)


def test_methods_are_operations() -> None:
    assert read("GET").op is Operation.RETRIEVE
    assert read("DELETE").op is Operation.DELETE
    assert read("PUT", body=CIN, Content_Type="application/json").op is Operation.UPDATE
    assert read("POST", body=CIN, Content_Type="application/json").op is Operation.NOTIFY
    assert read("POST").op is Operation.NOTIFY
    create = read("POST", body=CIN, Content_Type="application/vnd.onem2m-res+json; ty=4")
    assert (create.op, create.ty, create.pc) == (Operation.CREATE, 4, {"m2m:cin": {"con": "1"}})


@pytest.mark.parametrize("method", ["PATCH", "HEAD", "OPTIONS", "BREW", "get"])
def test_other_methods_are_no_operations(method: str) -> None:
    with pytest.raises(OperationNotAllowed, match=method):
        read(method)


def test_headers_are_parameters() -> None:
    request = read(
        X_M2M_Origin="CAE", x_m2m_ri="r1", X_M2M_RVI="3", X_M2M_GID="g", X_M2M_OT="20260101T000000", X_M2M_VSI="v", X_M2M_RET="5000",
        X_M2M_RST="20270101T000000", X_M2M_OET="7", X_M2M_EC="4", X_M2M_GTM="a+b", X_M2M_AS="s1+s2", X_M2M_OMR="o", X_M2M_PRPI="p", X_M2M_MSU="u",
        X_M2M_Unknown="ignored", Authorization="t1+t2",
    )  # fmt: skip
    assert request == Request(
        op=Operation.RETRIEVE, to="x", fr="CAE", rqi="r1", rvi="3", gid="g", ot="20260101T000000", vsi="v", rqet=5000, rset="20270101T000000", oet=7, ec=4,
        grtm=("a", "b"), more={"aus": ["s1", "s2"], "omr": ["o"], "ppi": "p", "msu": "u", "tkns": ["t1", "t2"]}, peer=PEER,
    )  # fmt: skip


def test_credentials_are_no_tokens() -> None:
    assert read(Authorization="Basic Y29vbDpiZWFucw==").more == {}


def test_an_empty_header_is_an_absent_one() -> None:
    assert read(X_M2M_Origin="", X_M2M_RI="").fr is None


def test_response_type_comes_from_query_and_header() -> None:
    assert read(query="rt=2", X_M2M_RTU="http://a/x&/id-in/CAE").rt == {"rtv": 2, "nu": ["http://a/x", "/id-in/CAE"]}
    assert read(query="rt=3").rt == {"rtv": 3}
    assert read(query="rt=2", X_M2M_RTU="").rt == {"rtv": 2, "nu": []}, "nobody is to be notified"


def test_header_mistakes_are_named() -> None:
    with pytest.raises(BadRequest, match="X-M2M-EC is 'soon'"):
        read(X_M2M_EC="soon")
    with pytest.raises(BadRequest, match="X-M2M-Origin is not valid UTF-8"):
        read(X_M2M_Origin="C\udcff")
    with pytest.raises(BadRequest, match="X-M2M-GTM has an empty value"):
        read(X_M2M_GTM="a++b")
    for twice in ("X-M2M-Origin", "X-M2M-RI", "Content-Type"):
        with pytest.raises(BadRequest, match=f"{twice} occurs more than once"):
            mapping.request("GET", "/x", "", CIMultiDict([(twice, "application/json"), (twice.lower(), "text/plain")]), b"", NOBODY)
    for content_type in ("application/json;ty=four", "application/json;ty=4;ty=3", "application/json;ty="):
        with pytest.raises(BadRequest, match="ty"):
            read("POST", body=CIN, Content_Type=content_type)


def test_query_texts_get_the_type_of_their_parameter() -> None:
    request = read(query="rcn=4&drt=2&gstn=1&da=true&sqi=0&rp=1000&rids=a+b&tqi=1&atrl=lbl+ct")
    assert (request.rcn, request.drt, request.gstn, request.da, request.sqi, request.rp) == (4, 2, 1, True, False, 1000)
    assert request.more == {"rids": ["a", "b"], "tqi": True}
    assert request.pc == {"m2m:atrl": ["lbl", "ct"]}
    assert request.fc is None
    assert read(query="rp=20270101T000000").rp == "20270101T000000"


def test_filter_keys_are_filter_criteria() -> None:
    query = "fu=1&lbl=a+b%2Bc&lbl=d&ty=3+4&lim=10&crb=20260101T000000&cty=text%2Fplain&con=x*&con=y&c.rn=k&p.cni=7&pi=%2B&&lbq=k%20EQ%20v&arp=la&geom=%5B1,2%5D"
    assert read(query=query).fc == {
        "fu": 1, "lbl": ["a", "b+c", "d"], "ty": [3, 4], "lim": 10, "crb": "20260101T000000", "cty": ["text/plain"],
        "atr": {"con": ["x*", "y"], "pi": ["+"]}, "catr": {"rn": ["k"]}, "patr": {"cni": ["7"]}, "lbq": "k EQ v", "arp": "la", "geom": "[1,2]",
    }  # fmt: skip


def test_ty_in_the_query_is_a_condition_even_for_create() -> None:
    request = read("POST", query="ty=3", body=CIN, Content_Type="application/json;ty=4")
    assert (request.ty, request.fc) == (4, {"ty": [3]})


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("rcn=abc", "rcn"),
        ("rcn=-1", "rcn"),
        ("rcn=", "rcn"),
        ("rcn", "rcn"),
        ("rcn=1&rcn=1", "rcn"),
        ("lim=" + "9" * 30, "lim"),
        ("lim=%D9%A1", "lim"),
        ("fu=1&fu=2", "fu"),
        ("rt=2&rt=3", "rt"),
        ("da=yes", "da"),
        ("ty=3+x", "ty"),
        ("lbl=a++b", "lbl"),
        ("lbl=%ff", "lbl"),
        ("lbl=%4", "lbl"),
        ("%ff=1", "name of a query parameter"),
        ("atr=x", "atr"),
        ("no-name=x", "no-name"),
        ("a.b=x", "a.b"),
        ("c.=x", "c."),
        ("=x", "''"),
        ("=", "''"),
    ],
)
def test_query_mistakes_name_the_parameter(query: str, named: str) -> None:
    with pytest.raises(BadRequest, match=named):
        read(query=query)


def test_an_attribute_list_goes_with_retrieve_alone() -> None:
    with pytest.raises(BadRequest, match="RETRIEVE only"):
        read("DELETE", query="atrl=lbl")
    with pytest.raises(BadRequest, match="exclude"):
        read("GET", query="atrl=lbl", body=CIN, Content_Type="application/json")


def test_content_needs_a_media_type_that_is_served() -> None:
    for method in ("POST", "PUT"):
        with pytest.raises(UnsupportedMediaType, match="without Content-Type"):
            read(method, body=CIN)
    for method in ("POST", "PUT", "GET", "DELETE"):
        with pytest.raises(UnsupportedMediaType, match="application/xml"):
            read(method, body=CIN, Content_Type="application/xml;ty=4")
    assert read("GET", body=b'{"m2m:atrl":["lbl"]}', Content_Type="application/json").pc == {"m2m:atrl": ["lbl"]}
    assert read("GET", body=b"whatever").pc is None
    assert read("POST", body=encode({"m2m:cin": {"con": "1"}}, Media.CBOR), Content_Type="application/cbor;ty=4").pc == {"m2m:cin": {"con": "1"}}


@given(st.text(), st.text(), st.dictionaries(st.sampled_from([*mapping.REQUEST_HEADERS, "Content-Type", "Accept"]), st.text()), st.binary())
def test_whatever_comes_is_a_request_or_refused(path: str, query: str, headers: dict[str, str], body: bytes) -> None:
    fields = CIMultiDict(headers)
    try:
        mapping.accepted(fields)
        mapping.request("POST", "/" + path, query, fields, body, PEER)
    except CSEError as error:
        status, _, content = mapping.response(mapping.refusal(error, fields), Media.JSON)
        assert status in (400, 406, 415)
        assert json.loads(content)["m2m:dbg"]


def test_accept_decides_the_serialisation_of_the_answer() -> None:
    assert mapping.accepted(CIMultiDict()) is Media.JSON
    assert mapping.accepted(CIMultiDict({"Content-Type": "application/cbor;ty=4"})) is Media.CBOR
    assert mapping.accepted(CIMultiDict({"Content-Type": "application/cbor", "accept": "application/json"})) is Media.JSON
    with pytest.raises(NotAcceptable, match="application/xml"):
        mapping.accepted(CIMultiDict({"Accept": "application/xml"}))


def test_accept_may_come_in_several_lines() -> None:
    lines = CIMultiDict([("Accept", "application/xml"), ("accept", "application/cbor")])
    assert mapping.accepted(lines) is Media.CBOR
    assert mapping.accepted(CIMultiDict([*lines.items(), ("Accept", "application/cbor;q=0")])) is Media.CBOR
    with pytest.raises(NotAcceptable, match="application/xml, text/plain"):
        mapping.accepted(CIMultiDict([("Accept", "application/xml"), ("Accept", "text/plain")]))


@pytest.mark.parametrize(
    ("accept", "name"),
    [
        (None, "application/json"),
        ("application/vnd.onem2m-res+json", "application/vnd.onem2m-res+json"),
        ("application/vnd.onem2m-res+json;q=0.3, application/vnd.onem2m-ntfy+json", "application/vnd.onem2m-ntfy+json"),
        ("application/vnd.onem2m-res+json, application/json;q=0.1", "application/json"),
        ("application/vnd.onem2m-res+json, */*;q=0.1", "application/json"),
        ("application/vnd.onem2m-res+json, application/json;q=0", "application/vnd.onem2m-res+json"),
        ("application/vnd.onem2m-res+xml, application/vnd.onem2m-res+cbor", "application/vnd.onem2m-res+cbor"),
    ],
)
def test_the_answer_has_a_media_type_that_was_asked_for(accept: str | None, name: str) -> None:
    headers = CIMultiDict({} if accept is None else {"Accept": accept})
    media = mapping.accepted(headers)
    answer = Response(ResponseStatusCode.OK, pc={"m2m:cnt": {}})
    assert dict(mapping.response(answer, media, mapping.content_type(headers, media))[1])["Content-Type"] == name


def test_every_response_status_code_has_its_http_status() -> None:
    assert set(mapping.STATUS) == set(ResponseStatusCode)
    some = {2000: 200, 2001: 201, 2002: 200, 2004: 200, 4000: 400, 4001: 501, 4004: 404, 4005: 405, 4008: 504, 4015: 415, 4103: 403, 4105: 409, 5207: 406}
    assert {code: mapping.STATUS[code] for code in some} == some


def test_a_response_is_status_headers_and_content() -> None:
    answer = Response(
        ResponseStatusCode.OK, "r1", {"m2m:cin": {"con": "ä"}}, rvi="3", ot="20260101T000000", rset="5", ec=2, cnst=1, cnot=10, vsi="v", fr="/id-in"
    )
    status, headers, body = mapping.response(answer, Media.JSON)
    assert status == 200
    assert dict(headers) == {
        "X-M2M-RSC": "2000", "X-M2M-RI": "r1", "X-M2M-RVI": "3", "X-M2M-OT": "20260101T000000", "X-M2M-RST": "5", "X-M2M-EC": "2", "X-M2M-CTS": "1",
        "X-M2M-CTO": "10", "X-M2M-VSI": "v", "X-M2M-Origin": "/id-in", "Content-Type": "application/json",
    }  # fmt: skip
    assert json.loads(body) == {"m2m:cin": {"con": "ä"}}


def test_a_response_without_content_has_no_body() -> None:
    assert mapping.response(Response(ResponseStatusCode.DELETED), Media.CBOR) == (200, [("X-M2M-RSC", "2002")], b"")


def test_a_response_cannot_smuggle_headers() -> None:
    _, headers, _ = mapping.response(Response(ResponseStatusCode.OK, "r\r\nSet-Cookie: x"), Media.JSON)
    assert all(value.isprintable() for _, value in headers)


@pytest.mark.parametrize(
    ("pc", "location"),
    [
        ({"m2m:cnt": {"ri": "c7f3", "rn": "x"}}, "/c7f3"),
        ({"m2m:uri": "cse-in/ae/x"}, "/cse-in/ae/x"),
        ({"m2m:uri": "/id-in/cse-in/x"}, "/~/id-in/cse-in/x"),
        ({"m2m:rce": {"uri": "cse-in/x", "m2m:cnt": {}}}, "/cse-in/x"),
        ({"m2m:cnt": {"st": 0}}, None),
    ],
)
def test_content_location_tells_where_the_new_resource_is(pc: dict[str, Any], location: str | None) -> None:
    assert dict(mapping.response(Response(ResponseStatusCode.CREATED, pc=pc), Media.JSON)[1]).get("Content-Location") == location
    assert "Content-Location" not in dict(mapping.response(Response(ResponseStatusCode.OK, pc=pc), Media.JSON)[1])


def arrive(sent: mapping.Outgoing) -> Request:
    path, _, query = sent.url.removeprefix("http://h").partition("?")
    return mapping.request(sent.method, path, query, CIMultiDict(sent.headers), sent.body, NOBODY)


WORD = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1)
NAME = WORD.filter(lambda text: "/" not in text and text not in "~_")
SHORT = st.from_regex(r"z[a-z]{1,4}", fullmatch=True)
HEADER = st.text("abcXYZ019-_./:", min_size=1)
FILTER = st.fixed_dictionaries(
    {},
    optional={
        "fu": st.integers(1, 3), "lim": st.integers(0, 99), "lbl": st.lists(WORD, min_size=1), "ty": st.lists(st.integers(1, 99), min_size=1), "crb": WORD,
        "arp": WORD, "lbq": WORD, "atr": st.dictionaries(SHORT, st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1), min_size=1),
        "catr": st.dictionaries(SHORT, st.lists(WORD, min_size=1), min_size=1), "patr": st.dictionaries(SHORT, st.lists(WORD, min_size=1), min_size=1),
    },
).filter(bool)  # fmt: skip


@given(
    st.sampled_from([Operation.RETRIEVE, Operation.UPDATE, Operation.DELETE, Operation.CREATE, Operation.NOTIFY]),
    st.tuples(st.sampled_from(["", "/id-in/", "//sp.example/id-in/"]), st.lists(NAME, min_size=1)).map(lambda parts: parts[0] + "/".join(parts[1])),
    st.fixed_dictionaries(
        {},
        optional={
            "fr": HEADER, "rqi": HEADER, "rvi": HEADER, "vsi": HEADER, "ot": HEADER.map("T".__add__), "rqet": st.integers(0, 10**9),
            "ec": st.integers(0, 9), "rcn": st.integers(0, 12), "fc": FILTER,
            "drt": st.integers(1, 2), "da": st.booleans(), "rp": st.integers(0, 999), "gid": HEADER, "grtm": st.lists(HEADER, min_size=1).map(tuple),
            "rt": st.sampled_from([{"rtv": 3}, {"rtv": 2, "nu": ["http://a/b", "/id-in/C"]}]),
            "more": st.fixed_dictionaries({"rids": st.lists(WORD, min_size=1), "tqi": st.booleans(), "msu": HEADER}),
        },
    ),
    st.sampled_from(["http://h", "http://h/", "http://h?ct=json", "http://h/?ct=cbor"]),
)  # fmt: skip
def test_what_the_client_writes_the_server_reads(op: Operation, to: str, parameters: dict[str, Any], url: str) -> None:
    content: dict[str, Any] = {"ty": 4, "pc": {"m2m:cin": {"con": "ä"}}} if op is Operation.CREATE else {}
    if op in (Operation.UPDATE, Operation.NOTIFY):
        content = {"pc": {"m2m:sgn": {"vrq": True}}}
    request = Request(op=op, to=to, **parameters, **content)
    assert arrive(mapping.outgoing(request, url)) == request


def test_a_partial_retrieve_goes_into_the_query() -> None:
    request = Request(op=Operation.RETRIEVE, to="x", pc={"m2m:atrl": ["lbl", "ct"]})
    sent = mapping.outgoing(request, "http://h")
    assert (sent.url, sent.body) == ("http://h/x?atrl=lbl+ct", b"")
    assert arrive(sent) == request


def test_a_notification_goes_to_exactly_its_url() -> None:
    request = Request(op=Operation.NOTIFY, to="http://h/n?x=%2F&ct=cbor", fr="/id-in", rqi="n1", rvi="3", pc={"m2m:sgn": {}})
    sent = mapping.outgoing(request, "http://h/n?x=%2F&ct=cbor")
    assert (sent.method, sent.url) == ("POST", "http://h/n?x=%2F")
    assert sent.headers == {"Accept": "application/cbor", "Content-Type": "application/cbor", "X-M2M-Origin": "/id-in", "X-M2M-RI": "n1", "X-M2M-RVI": "3"}
    assert mapping.outgoing(request, "http://h/n?ct=xml").url == "http://h/n?ct=xml"
    assert mapping.outgoing(request, "http://h/n?act=json").url == "http://h/n?act=json"


def test_other_requests_go_below_the_point_of_access() -> None:
    request = Request(op=Operation.CREATE, to="/id-mn/cse-mn", ty=4, pc={"m2m:cin": {}}, rcn=0)
    assert mapping.outgoing(request, "https://h:8443/base/?k=v").url == "https://h:8443/base/~/id-mn/cse-mn?k=v&rcn=0"


@pytest.mark.parametrize("url", ["", "h:1", "http://", "coap://h/x", "http://[::1", "http://h:99999", "http://h/\r\nX: y", "http://h/a b"])
def test_what_is_no_url_cannot_be_reached(url: str) -> None:
    with pytest.raises(TargetNotReachable, match="no URL"):
        mapping.outgoing(Request(op=Operation.RETRIEVE, to="x"), url)


def test_what_http_cannot_carry_is_refused() -> None:
    with pytest.raises(BadRequest, match="rqi"):
        mapping.outgoing(Request(op=Operation.RETRIEVE, to="x", rqi="a\r\nX: b"), "http://h")
    with pytest.raises(BadRequest, match="zzz"):
        mapping.outgoing(Request(op=Operation.RETRIEVE, to="x", fc={"zzz": 1}), "http://h")


@given(
    st.sampled_from(ResponseStatusCode),
    st.none() | HEADER,
    st.sampled_from([None, {"m2m:cin": {"con": "ä"}}]),
    st.none() | st.integers(1, 2),
    st.sampled_from(Media),
)
def test_the_answer_the_server_writes_the_client_reads(
    code: ResponseStatusCode, rqi: str | None, pc: dict[str, Any] | None, number: int | None, media: Media
) -> None:
    answer = Response(code, rqi, pc, rvi=rqi, cnst=number, cnot=number, ec=number, fr=rqi)
    status, headers, body = mapping.response(answer, media)
    assert mapping.incoming(status, CIMultiDict(headers), body) == answer


@pytest.mark.parametrize(
    ("status", "code"), [(200, 2000), (204, 2000), (202, 2000), (404, 4004), (403, 4103), (418, 4000), (500, 5000), (503, 5000), (504, 4008)]
)
def test_a_plain_web_server_answers_with_its_status(status: int, code: int) -> None:
    answer = mapping.incoming(status, CIMultiDict({"Content-Type": "text/html"}), b"<html>")
    assert answer.rsc == code
    assert answer.pc is None or str(status) in answer.pc["m2m:dbg"]


@pytest.mark.parametrize(
    ("status", "headers", "body", "reason"),
    [
        (301, {"Location": "http://elsewhere"}, b"", "301"),
        (200, {"X-M2M-RSC": "9999"}, b"", "9999"),
        (200, {"X-M2M-RSC": "ok"}, b"", "ok"),
        (200, {"X-M2M-RSC": "2000"}, b"{}", "media type"),
        (200, {"X-M2M-RSC": "2000", "Content-Type": "application/json"}, b"{", "broken"),
        (200, {"X-M2M-RSC": "2000", "X-M2M-CTO": "far"}, b"", "X-M2M-CTO"),
        (200, {"X-M2M-RSC": "2000", "X-M2M-RI": "\udcff"}, b"", "X-M2M-RI"),
    ],
)
def test_nonsense_is_no_answer(status: int, headers: dict[str, str], body: bytes, reason: str) -> None:
    with pytest.raises(BadRequest, match=reason):
        mapping.incoming(status, CIMultiDict(headers), body)
