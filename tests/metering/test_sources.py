"""What real meters have told as the source of a simulated one: exact to the last digit, at its own times, with its own quality."""

from decimal import Decimal
from pathlib import Path

import pytest

from apps.demo.readings import DATA
from apps.metering.importers import ImportFault, nem12
from apps.metering.sources import SourceFault, source
from apps.metering.tree import Identity
from apps.metering.vocabulary import stamp
from tests.metering.bench import Bench

FILE = "nem12-scenario02nem1202023-electdsm-nemmco.csv"


def _streams(name: str) -> dict[str, dict[str, Decimal]]:
    """Give the values of a file by channel and end of the interval, read apart from what is tested."""
    data = nem12(Path(str(DATA / "nem12" / name)).read_bytes())
    return {
        channel.suffix: {stamp(point.start.timestamp() + channel.length.total_seconds()): point.value for point in series}
        for channel, series in data.series().items()
    }


def _replay(identity: Identity, start: float, seconds: float) -> Bench:
    bench = Bench(identity, now=start)
    bench.later(seconds)
    bench.write()
    return bench


def test_a_meter_that_is_fed_by_a_file_has_its_very_values_at_their_times() -> None:
    found = source(f"nem12:{FILE}")
    assert found.length == 900
    start = found.ends[0] - 900
    bench = _replay(Identity("M1", source=f"nem12:{FILE}", interval=900, period=3600), start, 4 * 86_400)
    streams = _streams(FILE)
    for place, suffix in (("readings/profile", "E1"), ("readings/export", "B1")):
        told = {point["ts"]: Decimal(str(point["value"])) for point in bench.at_place(place)}
        assert told == streams[suffix]
    net = {point["ts"]: Decimal(str(point["value"])) for point in bench.at_place("readings/net")}
    assert net == {at: value - streams["B1"][at] for at, value in streams["E1"].items()}
    last = {register["id"]: Decimal(str(register["value"])) for register in bench.at_place("readings/registers")[-1]["registers"]}
    assert last["1.8.1"] == sum(streams["E1"].values())
    assert last["2.8.0"] == sum(streams["B1"].values())


def _file(path: Path, *days: str) -> str:
    rows = ["100,NEM12,200501011200,A,B", "200,N1,E1,E1,E1,N1,S1,kWh,30,", *days, "900"]
    path.write_text("\n".join(rows) + "\n")
    return f"nem12:{path}"


def test_quality_is_kept_and_a_missing_interval_stays_missing(tmp_path: Path) -> None:
    values = ",".join(f"{number}.125" for number in range(48))
    events = ["400,1,10,A,,", "400,11,20,S14,32,comms fault", "400,21,30,F14,53,", "400,31,48,N,,"]
    name = _file(tmp_path / "a.csv", f"300,20050301,{values},V,,,20050302000000,20050302000000", *events)
    found = source(name)
    bench = _replay(Identity("M1", source=name, interval=1800, period=86_400), found.ends[0] - 1800, 86_400)
    points = bench.at_place("readings/profile")
    assert [point["quality"] for point in points] == ["measured"] * 10 + ["estimated"] * 10 + ["edited"] * 10
    assert points[10]["flag"] == "S14 32 comms fault"
    assert [point["value"] for point in points] == [number + 0.125 for number in range(30)]
    assert len(bench.at_place("pq/samples")) >= 47


def test_a_meter_with_other_intervals_draws_what_the_file_says_and_begins_anew_at_its_end() -> None:
    found = source(f"nem12:{FILE}")
    first, last = found.ends[0] - 900, found.ends[-1]
    assert found.load(first) == pytest.approx(found.intervals[found.ends[0]].imported / 1e6 * 4)
    assert found.load(last) == found.load(first)
    assert found.load(last + 950) == found.load(first + 950)
    bench = _replay(Identity("M1", source=f"nem12:{FILE}"), first, 900)
    assert sum(point["value"] for point in bench.at_place("readings/profile")) == pytest.approx(found.intervals[found.ends[0]].imported / 1e6, abs=1e-4)


def test_a_meter_begins_with_the_registers_of_a_telegram_and_draws_its_power() -> None:
    bench = _replay(Identity("M1", source="p1:v5.p1"), 1_760_000_000, 3600)
    first, last = (reading["registers"] for reading in (bench.at_place("readings/registers")[0], bench.at_place("readings/registers")[-1]))
    assert {register["id"]: register["value"] for register in first} == {"1.8.1": 4.426, "1.8.2": 2.399, "2.8.0": 2.444}
    assert last[0]["value"] - first[0]["value"] == pytest.approx(0.244, abs=0.001)


@pytest.mark.parametrize("file", sorted(path.name for path in Path(str(DATA / "telegrams")).iterdir()))
def test_every_telegram_that_tells_its_power_feeds_a_meter(file: str) -> None:
    if file == "unpadded_crc.p1":
        with pytest.raises(SourceFault, match=r"1\.7\.0"):
            source(f"p1:{file}")
    else:
        assert source(f"p1:{file}").load(0) >= 0
        assert source(f"p1:{file}").registers["1.8.1"] > 0


@pytest.mark.parametrize(("name", "named"), [("csv:a", "csv"), ("nem12:nowhere.csv", "nowhere.csv"), ("p1:nowhere.p1", "nowhere.p1")])
def test_what_cannot_feed_a_meter_is_named(name: str, named: str) -> None:
    with pytest.raises(SourceFault, match=named):
        source(name)


def test_a_file_of_another_kind_or_without_consumption_is_refused(tmp_path: Path) -> None:
    (tmp_path / "b.csv").write_text("time,kWh\n")
    with pytest.raises(ImportFault):
        source(f"nem12:{tmp_path / 'b.csv'}")
    rows = "100,NEM12,200501011200,A,B\n200,N1,B1,B1,B1,N1,S1,kWh,30,\n300,20050301," + ",".join(["1"] * 48) + ",A,,,,\n900\n"
    (tmp_path / "c.csv").write_text(rows)
    with pytest.raises(SourceFault, match="no channel E"):
        source(f"nem12:{tmp_path / 'c.csv'}")
