"""NEM12 files and P1 streams are imported without loss: held against the field's own parsers, which read the same files."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from importlib.resources import files
from typing import Any

import pytest
from dsmr_parser.parsers import TelegramParser
from hypothesis import given
from hypothesis import strategies as st
from nemreader import NEMFile

from apps.demo.readings import TELEGRAMS, telegram
from apps.metering.importers import AEST, Channel, ImportFault, Telegram, nem12, p1
from apps.metering.intervals import Quality, exact_sum

DATA = files("apps") / "data"
NEM12 = sorted(entry.name for entry in (DATA / "nem12").iterdir())
CHANNEL = "200,NMI1,E1,1,E1,N1,SER1,kWh,720,20260601\n"
HEAD = "100,NEM12,202601010000,MDP,RETAILER\n"


def imported(lines: str, head: str = HEAD + CHANNEL, end: str = "900") -> Any:
    """Import a NEM12 file of these lines, the first of which is line 3."""
    return nem12((head + lines + end).encode())


def refused(lines: str, **parts: str) -> list[str]:
    """Give what is refused."""
    return [str(each) for each in imported(lines, **parts).refused]


def test_there_are_files() -> None:
    assert len(NEM12) == 3
    assert len(TELEGRAMS) == 13


@pytest.mark.parametrize("name", NEM12)
def test_a_nem12_file_is_what_the_fields_parser_reads(name: str) -> None:
    found = nem12((DATA / "nem12" / name).read_bytes())
    wanted = NEMFile(name).parse_nem_file((DATA / "nem12" / name).read_text().splitlines()).readings
    assert found.refused == ()
    assert {(channel.nmi, channel.suffix) for channel in found.series()} == {(nmi, suffix) for nmi, channels in wanted.items() for suffix in channels}
    for channel, series in found.series().items():
        readings = wanted[channel.nmi][channel.suffix]
        assert [(each.start.astimezone(AEST).replace(tzinfo=None), float(each.value), each.flag) for each in series] == [
            (each.t_start, each.read_value, each.quality_method) for each in sorted(readings, key=lambda each: each.t_start)
        ]
        assert {channel.serial} == {each.meter_serial_number for each in readings}
        assert {channel.unit} == {each.uom for each in readings}


@pytest.mark.parametrize("name", NEM12)
def test_a_nem12_file_can_be_written_again_from_what_was_read(name: str) -> None:
    raw = (DATA / "nem12" / name).read_text()
    found = nem12(raw.encode())
    fields = [line.rstrip(",").split(",") for line in raw.splitlines() if line.startswith("300,")]
    again = []
    for day in found.days:
        method, code, reason = day.flags[0]
        assert set(day.flags) == {day.flags[0]}
        times = [f"{each.astimezone(AEST):%Y%m%d%H%M%S}" if each else "" for each in (day.updated, day.loaded)]
        again.append(",".join(["300", f"{day.date:%Y%m%d}", *map(str, day.values), method, code, reason, *times]).rstrip(",").split(","))
    assert again == fields
    channels = [line.rstrip(",") for line in raw.splitlines() if line.startswith("200,")]
    mine = [
        f"200,{each.nmi},{each.configuration},{each.register},{each.suffix},{each.stream},{each.serial},{each.unit},"
        f"{each.length // timedelta(minutes=1)},{each.next_read}".rstrip(",")
        for each in dict.fromkeys(day.channel for day in found.days)
    ]
    assert set(mine) == set(channels)
    assert [f"100,NEM12,{each.created},{each.sender},{each.receiver}" for each in found.headers] == raw.splitlines()[:1]


def test_a_nem12_file_says_what_it_says() -> None:
    found = nem12((DATA / "nem12" / "nem12-scenario2-uniteddp-nemmco.csv").read_bytes())
    [channel] = [each for each in found.series() if each.suffix == "E1"]
    assert channel == Channel("NEM1202029", "E1B1Q1K1", "1", "E1", "N1", "02029", "kWh", timedelta(minutes=30))
    assert channel.next_read == "20050610"
    series = found.series()[channel]
    first = next(iter(series))
    assert (first.start, str(first.value), first.quality, first.flag) == (datetime(2005, 2, 28, 14, tzinfo=UTC), "0.100", Quality.MEASURED, "A")
    assert first.written == datetime(2005, 3, 10, 2, 10, 4, tzinfo=UTC)
    assert found.days[0].loaded == datetime(2005, 3, 10, 8, 22, 4, tzinfo=UTC)


@given(st.lists(st.decimals(0, 10**12, places=5), min_size=48, max_size=48))
def test_values_are_exact(values: list[Decimal]) -> None:
    head = HEAD + CHANNEL.replace("720", "30")
    found = imported(f"300,20260101,{','.join(map(str, values))},A,,,20260102000000,\n", head=head)
    [day] = found.days
    assert list(map(str, day.values)) == list(map(str, values))
    [series] = found.series().values()
    assert series.total(datetime(2026, 1, 1, tzinfo=AEST), datetime(2026, 1, 2, tzinfo=AEST)).value == exact_sum(values)


@pytest.mark.parametrize(("method", "quality"), [("A", Quality.MEASURED), ("E14", Quality.ESTIMATED), ("S14", Quality.ESTIMATED), ("F16", Quality.EDITED)])
def test_qualities_methods_and_reasons_are_kept(method: str, quality: Quality) -> None:
    [day] = imported(f"300,20260101,1.5,2,{method},32,comms fault,20260102010203,20260102040506\n").days
    assert [(point.value, point.quality, point.flag) for point in day.points] == [
        (Decimal("1.5"), quality, f"{method} 32 comms fault"),
        (Decimal(2), quality, f"{method} 32 comms fault"),
    ]
    assert day.updated == datetime(2026, 1, 1, 15, 2, 3, tzinfo=UTC)


def test_every_interval_has_the_quality_of_its_record_400() -> None:
    [day] = imported("300,20260101,1,2,V,,,20260102000000,\n400,1,1,A,,\n400,2,2,S14,32,\n").days
    assert day.flags == (("A", "", ""), ("S14", "32", ""))
    assert [point.quality for point in day.points] == [Quality.MEASURED, Quality.ESTIMATED]


def test_null_data_is_a_gap() -> None:
    found = imported("300,20260101,,,N,,,,\n300,20260102,0,5,V,,,,\n400,1,1,N\n400,2,2,A\n")
    assert [day.values for day in found.days] == [(None, None), (Decimal(0), Decimal(5))]
    [series] = found.series().values()
    [point] = series
    assert point.value == 5
    [gap] = series.gaps(datetime(2026, 1, 1, tzinfo=AEST), datetime(2026, 1, 3, tzinfo=AEST))
    assert gap.count == 3


def test_of_a_day_that_comes_twice_the_later_counts_and_a_measured_value_is_not_replaced_by_an_estimate() -> None:
    late = "300,20260101,3,4,A,,,20260105000000,\n"
    early = "300,20260101,1,2,A,,,20260102000000,\n"
    guess = "300,20260101,8,9,E14,,,20260109000000,\n"
    for lines in (late + early + guess, guess + early + late):
        found = imported(lines)
        [series] = found.series().values()
        assert [each.value for each in series] == [3, 4]
        assert len(found.days) == 3


def test_service_orders_are_kept() -> None:
    [order] = imported("500,S,RETNSRVCEORD1,20031220154500,001123.5\n").orders
    assert (order.line, order.code, order.order, order.time, order.index) == (3, "S", "RETNSRVCEORD1", "20031220154500", "001123.5")
    assert order.channel.serial == "SER1"


def test_channels_of_exchanged_meters_stay_apart() -> None:
    day = "300,20260101,1,2,A,,,,\n"
    found = imported(
        day + CHANNEL.replace("SER1", "SER2") + day.replace("0101", "0102") + CHANNEL.replace("20260601", "20260901") + day.replace("0101", "0103")
    )
    assert [(channel.serial, len(series)) for channel, series in found.series().items()] == [("SER1", 4), ("SER2", 2)]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("300,20260101,1,A,,,,\n", "line 3: interval 2: 'A' is no number"),
        ("300,20260101,1,2,3,A,,,,\n", "line 3: '3' is no quality and method"),
        ("300,20260101,1\n", "line 3: has 3 fields, a record 300 with 2 intervals has 5 to 9"),
        ("300,20260101,1,x,A,,,,\n", "line 3: interval 2: 'x' is no number"),
        ("300,20260101,1,NaN,A,,,,\n", "line 3: interval 2: 'NaN' is no number"),
        ("300,20260101,1,,A,,,,\n", "line 3: interval 2 has quality A but no value"),
        ("300,20260101,1,2,Z,,,,\n", "line 3: 'Z' is no quality and method"),
        ("300,20260101,1,2,A14,,,,\n", "line 3: 'A14' is no quality and method"),
        ("300,20261301,1,2,A,,,,\n", "line 3: '20261301' is no date of 8 digits"),
        ("300,,1,2,A,,,,\n", "line 3: has no date"),
        ("300,20260101,1,2,A,,,2026010200000x,\n", "line 3: '2026010200000x' is no time of 14 digits"),
        ("300,20260101,1,2,A,,,20260102000000,20260102\n", "line 3: '20260102' is no time of 14 digits"),
        ("300,20260101,1,2,V,,,,\n400,1,1,A,,\n", "line 3: no record 400 tells the quality of interval 2"),
        ('300,20260101,1,2,A,,"reason,,\n', "line 3: unexpected end of data"),
        ("400,1,1,A,,\n", "line 3: no record 300 that was taken stands before this record 400"),
        ("777,1\n", "line 3: '777' is no record of NEM12"),
        ("500,S\n", "line 3: has 2 fields, a record 500 has 5"),
    ],
)
def test_a_line_that_is_refused_is_named_and_the_others_are_taken(lines: str, said: str) -> None:
    found = imported(lines + "300,20260109,1,2,A,,,,\n")
    assert [f"line {each.line}: {each.why}" for each in found.refused] == [said]
    assert [day.date for day in found.days] == [date(2026, 1, 9)]
    assert found.refused[0].text == lines.split("\n")[0]


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ("400,0,1,A,,", "'0' to '1' are no intervals of a day that has 2"),
        ("400,1,3,A,,", "'1' to '3' are no intervals of a day that has 2"),
        ("400,2,1,A,,", "'2' to '1' are no intervals of a day that has 2"),
        ("400,a,1,A,,", "'a' to '1' are no intervals of a day that has 2"),
        ("400,1,1,V,,", "'V' is no quality of an interval"),
        ("400,1,1,S,,", "'S' is no quality of an interval"),
        ("400,1", "has 2 fields, a record 400 has 4 to 6"),
    ],
)
def test_a_record_400_that_is_refused_leaves_its_day_without_quality(event: str, said: str) -> None:
    found = refused(f"300,20260101,1,2,V,,,,\n{event}\n")
    assert found[0].startswith("line 3: no record 400 tells the quality of interval 1")
    assert found[1].startswith(f"line 4: {said}")


def test_a_quality_is_told_once() -> None:
    assert refused("300,20260101,1,2,A,,,,\n400,1,1,S14,32,\n") == ["line 4: interval 1 has quality A already: 400,1,1,S14,32,"]


@pytest.mark.parametrize(
    ("channel", "said"),
    [
        ("200,NMI1,E1,1,E1,N1,SER1,kWh,7,", "'7' is no interval length"),
        ("200,NMI1,E1,1,E1,N1,SER1,kWh,x,", "'x' is no interval length"),
        ("200,NMI1,E1,1,E1,N1,SER1,,30,", "has no unit"),
        ("200,,E1,1,E1,N1,SER1,kWh,30,", "has no NMI"),
        ("200,NMI1", "has 2 fields, a record 200 has 9 to 10"),
    ],
)
def test_what_belongs_to_a_refused_channel_is_refused_too(channel: str, said: str) -> None:
    found = refused("300,20260101,1,2,A,,,,\n", head=f"{HEAD}{CHANNEL}{channel}\n")
    assert len(found) == 2
    assert found[0].startswith(f"line 3: {said}")
    assert found[1].startswith("line 4: no record 200 says what this record 300 is about")


def test_the_end_of_a_file() -> None:
    day = "300,20260101,1,2,A,,,,\n"
    assert refused(day, end="") == ["line 4: the file ends without its record 900, so lines may be missing: "]
    assert refused(day + "900\n" + day, end="") == ["line 5: stands after record 900, the end of the data: 300,20260101,1,2,A,,,,"]
    assert len(imported(day + "900\n" + HEAD + CHANNEL + day).headers) == 2


@pytest.mark.parametrize("data", [b"", b"\n\n", b"200,NMI1", b"100,NEM13,1,a,b\n", b"\xff\xfe\x00", b"PK\x03\x04"])
def test_what_is_no_nem12_file(data: bytes) -> None:
    with pytest.raises(ImportFault, match="a NEM12 file begins with 100,NEM12, not with"):
        nem12(data)


@given(st.binary(max_size=300))
def test_no_bytes_break_the_readers(data: bytes) -> None:
    assert nem12(HEAD.encode() + data).headers
    assert p1(data).telegrams == ()
    lines = [line for line in data.split(b"\n") if line.strip(b"\r\0 ")]
    assert p1(data).refused or not lines


# P1


def raw(name: str) -> bytes:
    """Give a telegram of the data as the meter printed it."""
    return (DATA / "telegrams" / f"{name}.p1").read_bytes()


def read(name: str) -> Telegram:
    """Import the only telegram of a file."""
    [found] = p1(raw(name)).telegrams
    return found


def _values(parsed: Any) -> Iterator[tuple[Decimal, str]]:
    """Give what the field's parser found that has a unit."""
    devices = [parsed, *getattr(parsed, "MBUS_DEVICES", [])]
    for device in devices:
        for _, item in device:
            if not isinstance(item, list) and hasattr(item, "unit") and isinstance(item.value, int | Decimal) and item.unit:
                yield Decimal(item.value), item.unit


@pytest.mark.parametrize("name", TELEGRAMS)
def test_a_telegram_has_all_that_the_fields_parser_reads(name: str) -> None:
    parsed = TelegramParser(TELEGRAMS[name]).parse(raw(name).decode("latin-1"), throw_ex=True)
    found = read(name)
    mine = [(item.value, item.unit) for item in found.items]
    wanted = list(_values(parsed))
    assert wanted
    assert [pair for pair in wanted if pair not in mine] == []
    stamp = getattr(parsed, "P1_MESSAGE_TIMESTAMP", None)
    assert found.time == (stamp.value if stamp is not None else None)


@pytest.mark.parametrize("name", TELEGRAMS)
def test_every_line_of_a_telegram_is_kept_or_named(name: str) -> None:
    found = p1(raw(name))
    text = raw(name).decode("latin-1").replace("\r", "")
    kept = "".join(item.code + "".join(f"({value})" for value in item.values) for item in found.telegrams[0].items)
    body, _, after = text.partition("\n!")
    assert kept == "".join(body.split("\n")[1:])
    assert found.telegrams[0].header == body.split("\n")[0][1:]
    assert found.telegrams[0].checked == bool(after.split("\n")[0])
    assert [each.text for each in found.refused] == [line for line in after.split("\n")[1:] if line.strip()]


@pytest.mark.parametrize("name", TELEGRAMS)
def test_a_reading_has_the_registers_that_the_demo_has(name: str) -> None:
    content = read(name).content("R1", "startup")
    assert {(each["value"], each["unit"]) for each in content["registers"]} == {(value, unit) for _, value, unit in telegram(name).registers}
    assert len({each["id"] for each in content["registers"]}) == len(content["registers"])


def test_a_telegram_says_what_its_file_says() -> None:
    found = read("v5_two_mbus")
    assert found.serial() == "E0044007382246019"
    assert found.serial(2) == "G0039001936990619"
    assert found.content("R7") == {
        "readId": "R7",
        "ts": "20200426T203325",
        "reason": "scheduled",
        "registers": [
            {"id": "1.8.1", "value": 2130.115, "unit": "kWh", "serial": "E0044007382246019"},
            {"id": "1.8.2", "value": 245.467, "unit": "kWh", "serial": "E0044007382246019"},
            {"id": "2.8.1", "value": 0.0, "unit": "kWh", "serial": "E0044007382246019"},
            {"id": "2.8.2", "value": 0.0, "unit": "kWh", "serial": "E0044007382246019"},
            {"id": "0-2:24.2.1", "value": 246.138, "unit": "m3", "ts": "20200426T203001", "serial": "G0039001936990619"},
        ],
        "quality": "measured",
    }


def test_an_old_gas_meter_has_its_value_in_the_next_line() -> None:
    [item] = [each for each in read("v3").items if each.unit == "m3"]
    assert (item.code, item.value, item.time) == ("0-1:24.3.0", Decimal("1.001"), datetime(2009, 2, 12, 15, tzinfo=UTC))
    assert "ts" not in read("v3").content("R1")


def test_a_stream_of_all_telegrams_cut_anywhere_else() -> None:
    names = list(TELEGRAMS)
    whole = p1(b"".join(map(raw, names)))
    assert [each.header for each in whole.telegrams] == [read(name).header for name in names]
    cut = p1(raw("v5")[100:] + raw("v4_2"))
    assert len(cut.telegrams) == 1
    assert cut.refused
    assert {each.why for each in cut.refused} == {"stands outside of a telegram"}
    assert len(cut.refused) == raw("v5")[100:].count(b"\n")


@given(st.integers(0, 888), st.integers(1, 255))
def test_a_flipped_byte_never_passes(place: int, mask: int) -> None:
    data = bytearray(raw("v5"))
    data[place % len(data)] ^= mask
    found = p1(bytes(data))
    good = read("v5")
    assert found.refused or not found.telegrams or all(item in good.items for item in found.telegrams[0].items)


def test_a_wrong_checksum_refuses_the_telegram() -> None:
    found = p1(raw("v5").replace(b"004426", b"004427").replace(b"1-0:1.8.1(000004", b"1-0:1.8.1(000005"))
    assert found.telegrams == ()
    [wrong] = found.refused
    assert wrong.line == 1
    assert wrong.why.startswith("the checksum ")
    assert "is not that of the telegram that begins here (lines 1 to " in wrong.why


def test_a_telegram_without_end() -> None:
    begun = raw("v5").partition(b"!")[0]
    found = p1(begun + raw("v4_2") + begun)
    assert len(found.telegrams) == 1
    assert [each.why.partition(" (")[0] for each in found.refused] == ["the telegram that begins here has no end"] * 2
    assert found.refused[0].line == 1


def test_a_new_meter_that_sends_no_checksum() -> None:
    found = p1(raw("v5").partition(b"!")[0] + b"!\r\n")
    assert found.telegrams == ()
    assert "is of version 50 and has no checksum" in found.refused[0].why
    assert "ends with '!WXYZ', which is no checksum" in p1(raw("v5").partition(b"!")[0] + b"!WXYZ\r\n").refused[0].why


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("garbage", "line 2: is no object of a telegram: garbage"),
        ("1-0:1.8.1", "line 2: is no object of a telegram: 1-0:1.8.1"),
        ("(00001.001)", "line 2: is no object of a telegram: (00001.001)"),
        ("0-0:1.0.0(209901000000W)", "line 2: '209901000000W' is no time of a meter: 0-0:1.0.0(209901000000W)"),
        ("0-1:24.2.1(209901000000W)(1*m3)", "line 2: '209901000000W' is no time of a meter: 0-1:24.2.1(209901000000W)(1*m3)"),
    ],
)
def test_a_line_of_a_telegram_that_is_no_object_is_named(line: str, said: str) -> None:
    found = p1(f"/ABC\r\n{line}\r\n1-0:1.8.1(1.5*kWh)\r\n!\r\n".encode())
    assert [str(each) for each in found.refused] == [said]
    assert [(item.line, item.value) for item in found.telegrams[0].items] == [(3, Decimal("1.5"))]


def test_the_hour_that_autumn_repeats() -> None:
    def time(text: str, zone: str = "Europe/Amsterdam") -> datetime | None:
        return p1(f"/ABC\n0-0:1.0.0({text})\n!\n".encode(), zone).telegrams[0].time

    assert time("261025023000S") == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert time("261025023000W") == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    assert time("260701120000S", "Europe/Dublin") == datetime(2026, 7, 1, 11, tzinfo=UTC)
    assert time("260101120000") == datetime(2026, 1, 1, 11, tzinfo=UTC)


def test_a_value_that_no_number_of_json_holds_is_text() -> None:
    found = p1(b"/ABC\n1-0:1.8.1(12345678901234567.123*kWh)\n1-0:1.8.2(00012.500*kWh)\n!\n").telegrams[0].content("R1")
    assert [each["value"] for each in found["registers"]] == ["12345678901234567.123", 12.5]
