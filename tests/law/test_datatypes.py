"""Data types: what each takes and refuses, and the arithmetic of times."""

from typing import Any

import pytest

from cse import datatypes as dt
from cse import structures
from cse.datatypes import DataType

RIGHT: list[tuple[DataType, list[Any]]] = [
    (dt.STRING, ["", "any text\n"]),
    (dt.LABEL, ["key", "key:value", "two words"]),
    (dt.ANY_URI, ["cse-in/ae", "//sp.example/id-in/x", "http://host:80/a?b=c#d", "*"]),
    (dt.NH_URI, ["", "cnt1"]),
    (dt.RESOURCE_NAME, ["a", "1a", "A-b._c", "x" * 255]),
    (dt.BOOLEAN, [True, False]),
    (dt.NON_NEG_INT, [0, 1, 2**63 - 1]),
    (dt.POSITIVE_INT, [1]),
    (dt.UNSIGNED_INT, [0, 2**32 - 1]),
    (dt.FLOAT, [1, 1.5, -2]),
    (dt.TIMESTAMP, ["20260517T081500", "20240229T235959,1", "20260517T081500,123456"]),
    (dt.ABS_REL_TIMESTAMP, ["20260517T081500", 5000, "5000", "-1"]),
    (dt.DURATION, ["PT10S", "P1DT2H", "P2W", "PT0.5S", "P1Y2M3DT4H5M6S"]),
    (dt.SCHEDULE_ENTRY, ["* * * * * * *", "0 */15 8-17/2 1,15 * 0-6 2026-2030"]),
    (dt.ANY_SIMPLE, ["", 0, -1.5, False, {"a": [1, None]}, []]),
    (dt.CONTENT_INFO, ["text/plain", "application/json:0", "application/vnd.onem2m-res+json:1:3", "text/plain;charset=utf-8:0"]),
    (dt.POA, ["http://127.0.0.1:8080", "coap://[::1]", "mqtt://broker"]),
    (dt.RELEASE_VERSION, ["2a", "3", "5"]),
    (dt.SERIALIZATION, ["json", "application/cbor"]),
    (dt.EVENT_CAT, [2, 3, 4, 100, 999]),
    (dt.IPV4, ["10.0.0.1", "10.0.0.1/8"]),
    (dt.IPV6, ["::1", "2001:db8::/32"]),
    (dt.COUNTRY_CODE, ["AT"]),
    (dt.EXTERNAL_ID, ["meter7@operator.example"]),
    (dt.MEDIA_CAPABILITY, ["audio:RTP/AVP"]),
    (dt.GEO_JSON_COORDINATE, ["[16.37, 48.2]", "[[[0,0],[1,0],[1,1],[0,0]]]"]),
    (structures.SET_OF_ACRS, [{}, {"acr": []}, {"acr": [{"acor": ["all"], "acop": 63}]}]),
    (structures.OPERATION_MONITOR, [{"ops": 4}, {"or": "Cae"}, {"org": "Cae"}]),
    (structures.ACTIVITY_PATTERN_ELEMENTS, [{"ape": [{"se": [{"sce": ["* * * * * * *"]}]}]}, [{"se": [{"sce": ["* * * * * * *"]}]}]]),
    (structures.RESPONSE_TYPE_INFO, [{"rtv": 2, "nu": []}]),
    (structures.FILTER_CRITERIA, [{}, {"fu": 1, "lbl": ["a:*"], "ty": [3, 4], "lim": 0, "atr": [{"nm": "con", "val": "2*"}]}]),
    (structures.EVENT_NOTIFICATION_CRITERIA, [{"net": [1, 3], "om": [{"ops": 2, "org": "C1"}]}]),
    (dt.list_of(dt.ID, 0), [[]]),
]

WRONG: list[tuple[DataType, list[Any]]] = [
    (dt.STRING, [1, None, True, []]),
    (dt.LABEL, ["", " a", "a ", "a  b", "a\tb", "a\n", 1]),
    (dt.ANY_URI, ["", "a b", "a\n", 7]),
    (dt.RESOURCE_NAME, ["", "a/b", "-a", "a b", "a\x00", "é", "a\n", "x" * 256, "x" * 10_000]),
    (dt.BOOLEAN, [0, 1, "true", None]),
    (dt.NON_NEG_INT, [-1, 1.0, True, "1", None, 2**63]),
    (dt.POSITIVE_INT, [0, "1", True]),
    (dt.UNSIGNED_INT, [-1, 2**32]),
    (dt.FLOAT, ["1.5", True, float("nan"), float("inf")]),
    (dt.TIMESTAMP, ["20260230T000000", "2026-05-17T08:15:00", "20260517T081500Z", "20260517T081560", "20260517", 20260517, "20260517T081500,1234567"]),
    (dt.ABS_REL_TIMESTAMP, ["soon", 1.5, "1.5", True]),
    (dt.DURATION, ["P", "PT", "10S", "-PT1S", "PT1.S", 10]),
    (dt.SCHEDULE_ENTRY, ["* * * * * *", "* * * 0 * * *", "* * * * 13 * *", "* * * * * 7 *", "5-1 * * * * * *", "*/0 * * * * * *"]),
    (dt.SCHEDULE_ENTRY, ["60 * * * * * *", "* * 24 * * * *"]),
    (dt.ANY_SIMPLE, [None, b"bytes", float("nan"), 2**64, {1: 2}, {"a": float("inf")}]),
    (dt.CONTENT_INFO, ["", "text", "text/plain:9", "text/plain:0:9", "text/plain:0:1:2"]),
    (dt.POA, ["127.0.0.1:80", "http://", "http:// host", "/path"]),
    (dt.RELEASE_VERSION, ["6", 3]),
    (dt.EVENT_CAT, [0, 1, 99, 1000, True]),
    (dt.IPV4, ["256.0.0.1", "10.0.0.1/33", "::1"]),
    (dt.IPV6, ["10.0.0.1", "::1/129"]),
    (dt.COUNTRY_CODE, ["at", "AUT"]),
    (dt.GEO_JSON_COORDINATE, ["[1]", "[]", "1,2", [1, 2], "[1,2", "[" * 50_000 + "]", "[1e999,0]"]),
    (dt.PRIMITIVE_CONTENT, [{}, {"a": 1, "b": 2}, []]),
    (structures.SELF_PRIVILEGES, [{}, {"acr": []}]),
    (structures.SET_OF_ACRS, [{"acr": [{"acor": [], "acop": 1}]}, {"acr": [{"acor": ["all"], "acop": 64}]}, {"acr": [{"acor": ["all"]}]}]),
    (structures.OPERATION_MONITOR, [{}, {"originator": "C"}]),
    (structures.CONTENT_REF, [{"urir": []}, {"urir": [{"nm": "a", "uri": "x"}, {"nm": "a", "uri": "y"}]}]),
    (structures.FILTER_CRITERIA, [{"lim": -1}, {"ty": 4}, {"ofst": 0}, {"nosuch": 1}, []]),
    (dt.list_of(dt.ID), [[], "a", [1], None]),
]


@pytest.mark.parametrize(("kind", "value"), [pytest.param(kind, value, id=kind.name) for kind, found in RIGHT for value in found])
def test_takes(kind: DataType, value: Any) -> None:
    kind.check(value)


@pytest.mark.parametrize(("kind", "value"), [pytest.param(kind, value, id=kind.name) for kind, found in WRONG for value in found])
def test_refuses_with_the_end_of_a_sentence(kind: DataType, value: Any) -> None:
    with pytest.raises(ValueError, match=r"^(must|has) ") as refused:
        kind.check(value)
    assert len(str(refused.value)) < 400


@pytest.mark.parametrize("kind", [value for value in vars(dt).values() if isinstance(value, DataType)], ids=lambda kind: kind.name)
def test_null_is_never_a_value(kind: DataType) -> None:
    with pytest.raises(ValueError, match=r"^must "):
        kind.check(None)


def test_deep_nesting_is_refused_not_suffered() -> None:
    value: Any = "x"
    for _ in range(5000):
        value = [value]
    with pytest.raises(ValueError, match=r"deeper than 100"):
        dt.ANY_SIMPLE.check(value)


def test_errors_name_the_member_and_the_entry() -> None:
    with pytest.raises(ValueError, match=r"^has member acr, which has entry 2, which has member acop, which must be .* defines, not 64$"):
        structures.SET_OF_ACRS.check({"acr": [{"acor": ["a"], "acop": 1}, {"acor": ["a"], "acop": 64}]})
    with pytest.raises(ValueError, match=r"^has the member 'dru', which batchNotify does not know"):
        structures.BATCH_NOTIFY.check({"dru": "PT1S"})
    with pytest.raises(ValueError, match=r"^must have the mandatory member tww of rateLimit$"):
        structures.RATE_LIMIT.check({"mnn": 1})


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "19700101T000000,000000"),
        (1_779_005_700.25, "20260517T081500,250000"),
        (1_779_005_699.999_999_9, "20260517T081500,000000"),
        (951_782_400, "20000229T000000,000000"),
    ],
)
def test_timestamp_is_utc_with_microseconds(seconds: float, text: str) -> None:
    assert dt.timestamp(seconds) == text
    assert dt.seconds_of(text) == pytest.approx(seconds, abs=1e-6)


def test_seconds_of_reads_fractions_as_fractions() -> None:
    assert dt.seconds_of("19700101T000001,5") == 1.5
    assert dt.seconds_of("19700101T000001") == 1.0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("PT10S", 10), ("PT1M", 60), ("P1DT1H", 90_000), ("P1W", 604_800), ("P1M", 2_592_000), ("P1Y", 31_536_000), ("PT0.25S", 0.25)],
)
def test_duration_seconds(text: str, seconds: float) -> None:
    assert dt.duration_seconds(text) == seconds


def test_schedule_fields_give_the_ranges() -> None:
    fields = dt.schedule_fields("0 */30 8-17 1,15 * 1-5 2026")
    assert [list(part) for part in fields[1]] == [[0, 30]]
    assert [list(part) for part in fields[3]] == [[1], [15]]
    assert list(fields[2][0]) == list(range(8, 18))
    assert list(fields[6][0]) == [2026]
