"""Recorded files row by row: what is understood, what is refused and named, and where reading goes on."""

import gzip
import math
import os
import time
import tracemalloc
from pathlib import Path

import pytest

from edge.sources.replay_reader import FileReader
from edge.sources.replay_recording import Mark
from edge.sources.replay_settings import ReplaySettings
from edge.timestamps import is_sane
from twin.errors import ConfigError, Retryable
from twin.wire.reading import Quality

SECOND_NS = 1_000_000_000
HEADER = "ts,load,state,note\n"
SIGNALS = {
    "load": {"unit": "%"},
    "state": {"kind": "state", "words": {"IDLE": 0, "ACTIVE": 1}},
    "note": {"kind": "text"},
}
PATHS = {f"factory/turning/lathe-1/{name}": handle for handle, name in enumerate(SIGNALS)}


def settings(**changes: object) -> ReplaySettings:
    document = {
        "kind": "replay", "name": "lathe", "files": "*.csv", "time_column": "ts",
        "asset": "factory/turning/lathe-1", "signals": SIGNALS,
    }  # fmt: skip
    return ReplaySettings.model_validate({**document, **changes})


def opened(path: Path, mark: Mark | None = None, *, marks: bool = False, **changes: object) -> FileReader:
    of = settings(**changes)
    handles = {signal: handle for handle, (signal, _) in enumerate(of.feeds())}
    return FileReader(path, of, handles, mark or Mark(), believed=is_sane, marks=marks, clock=time.time_ns)


def all_of(reader: FileReader) -> tuple[list[tuple[int, int, float | str, int]], list[str], Mark]:
    values, letters, more, mark = [], [], True, Mark()
    while more:
        chunk = reader.chunk()
        for row in chunk.rows:
            values += [(row.named.time_ns // SECOND_NS, *value) for value in row.named.values]
        letters += [letter.detail for letter in chunk.letters]
        more, mark = chunk.more, chunk.mark
        if chunk.problem:
            letters.append(chunk.problem)
    reader.close()
    return values, letters, mark


def written(path: Path, text: str | bytes, *, settled: bool = True) -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    if settled:
        os.utime(path, (time.time() - 60, time.time() - 60))
    return path


def test_columns_become_signals_and_empty_cells_nothing(tmp_path):
    path = written(
        tmp_path / "a.csv",
        "\ufeff"
        + HEADER
        + '2020-01-01T00:00:01Z,1.5,ACTIVE,"a, b"\n2020-01-01T00:00:02Z,,,\n\n2020-01-01T00:00:03Z,NaN,0,x',
    )
    values, letters, mark = all_of(opened(path))
    assert letters == []
    assert values[:3] == [(1577836801, 0, 1.5, 0), (1577836801, 1, 1.0, 0), (1577836801, 2, "a, b", 0)]
    assert math.isnan(values[3][2])
    assert [value[0::3] for value in values[3:]] == [(1577836803, Quality.BAD), (1577836803, 0), (1577836803, 0)]
    assert (mark.rows, mark.line, mark.offset, mark.ended) == (3, 5, path.stat().st_size, True)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("yesterday,1,ACTIVE,x", "a.csv:2: 'yesterday' is not an ISO 8601 time"),
        ("1999-12-31T23:59:59Z,1,ACTIVE,x", "a.csv:2: its time lies before 2000"),
        ("2020-01-01T00:00:01Z,1,ACTIVE", "a.csv:2: 3 cells where there are 4 columns"),
        ("2020-01-01T00:00:01Z,1,ACTIVE,x,y", "a.csv:2: 5 cells where there are 4 columns"),
        ('2020-01-01T00:00:01Z,1,ACTIVE,"x', "a.csv:2: not a row of cells: unexpected end of data"),
        ("2020-01-01T00:00:01Z,1,ACTIVE," + "x" * 2_000_000, "a.csv:2: a line of more than 1,048,576 octets"),
    ],
)
def test_a_bad_row_is_named_and_the_next_is_read(tmp_path, line, why):
    path = written(tmp_path / "a.csv", f"{HEADER}{line}\n2020-01-01T00:00:02Z,1,IDLE,y\n")
    values, letters, mark = all_of(opened(path))
    assert [value[0] for value in values] == [1577836802] * 3
    assert len(letters) == 1
    assert why in letters[0]
    assert (mark.rows, mark.rejected, mark.offset) == (2, 1, path.stat().st_size)


def test_a_bad_cell_costs_only_itself(tmp_path):
    path = written(tmp_path / "a.csv", HEADER.encode() + b"2020-01-01T00:00:01Z,much,DREAMING,x\n\xff\n")
    values, letters, _ = all_of(opened(path))
    assert values == [(1577836801, 2, "x", 0)]
    assert ["load: 'much' is neither" in letters[0], "state: 'DREAMING' is neither" in letters[1]] == [True, True]
    assert "not utf-8 text" in letters[2]


def test_german_exports_are_read(tmp_path):
    text = "Messprotokoll\nDatum;Zeit;Temp (°C)\n24.12.2023;18:00:00;21,5\n"
    path = written(tmp_path / "a.csv", text.encode("cp1252"))
    values, letters, _ = all_of(
        opened(
            path, separator=";", decimal=",", encoding="cp1252", skip_lines=1, time_column=["Datum", "Zeit"],
            time_format="%d.%m.%Y %H:%M:%S", timezone="Europe/Berlin",
            signals={"t": {"called": "Temp (°C)", "source_unit": "°C", "unit": "K"}},
        )
    )  # fmt: skip
    assert letters == []
    assert values == [(1703437200, 0, 294.65, 0)]


def test_the_long_form_has_a_signal_and_a_value_per_row(tmp_path):
    text = "\ufeff1577836801,spindle,5\n1577836802,door,OPEN\n1577836803,nobody-asks,1\n1577836804,spindle,\n"
    reader = opened(
        written(tmp_path / "a.csv", text), columns=["t", "signal", "value"], time_column="t", time_format="s", long={},
        signals={"speed": {"called": "spindle"}, "door": {"kind": "state", "words": {"OPEN": 1}}},
    )  # fmt: skip
    values, letters, _ = all_of(reader)
    assert letters == []
    assert values[:2] == [(1577836801, 0, 5.0, 0), (1577836802, 1, 1.0, 0)]
    assert [(value[0], value[3]) for value in values[2:]] == [(1577836804, Quality.BAD)]
    assert reader.table.others == 1


def rows(count: int, first: int = 0) -> str:
    return "".join(f"{1577836800 + i},{i},IDLE,n{i}\n" for i in range(first, first + count))


@pytest.mark.parametrize("packed", [False, True])
def test_reading_goes_on_behind_the_last_mark_and_a_longer_file_is_the_same_file(tmp_path, packed):
    path = tmp_path / "a.csv"

    def write(text: str) -> None:
        written(path, gzip.compress(text.encode()) if packed else text)

    write(HEADER + rows(4000))
    first = opened(path, time_format="s")
    chunk = first.chunk()
    first.close()
    assert chunk.more
    second = opened(path, chunk.mark, time_format="s")
    values, _, mark = all_of(second)
    assert not second.changed
    assert len(chunk.rows) + len(values) // 3 == 4000
    assert values[0][0] == 1577836800 + len(chunk.rows)
    write(HEADER + rows(4010))
    third = opened(path, mark, time_format="s")
    assert [value[0] for value in all_of(third)[0][::3]] == [1577836800 + i for i in range(4000, 4010)]
    assert not third.changed
    write(HEADER + rows(4010, first=1))
    fourth = opened(path, mark, time_format="s")
    assert len(all_of(fourth)[0]) == 3 * 4010
    assert fourth.changed


def test_every_row_can_have_its_mark(tmp_path):
    path = written(tmp_path / "a.csv", HEADER + rows(3) + "bad\n" + rows(3, first=3))
    reader = opened(path, marks=True, time_format="s")
    marks = [row.mark for row in reader.chunk().rows]
    reader.close()
    for read, mark in enumerate(marks, start=1):
        assert len(all_of(opened(path, mark, time_format="s"))[0]) == 3 * (6 - read)


def test_a_last_line_without_its_end_waits_until_nobody_writes(tmp_path):
    path = written(tmp_path / "a.csv", HEADER + rows(2) + "1577836802,1", settled=False)
    values, letters, mark = all_of(opened(path, time_format="s"))
    assert (len(values), letters, mark.ended, mark.rows) == (6, [], False, 2)
    written(path, HEADER + rows(2) + "1577836802,17,IDLE,n2")
    values, letters, mark = all_of(opened(path, mark, time_format="s"))
    assert (values[0], letters, mark.ended) == ((1577836802, 0, 17.0, 0), [], True)


def test_of_a_cut_gzip_file_everything_before_the_cut_is_read(tmp_path):
    whole = gzip.compress((HEADER + rows(20_000)).encode())
    path = written(tmp_path / "a.csv.gz", whole[: len(whole) // 2])
    values, letters, mark = all_of(opened(path, time_format="s"))
    assert 1000 < len(values) / 3 < 20_000
    assert "cut off or damaged behind line" in letters[0]
    written(path, whole)
    rest, letters, mark = all_of(opened(path, mark, time_format="s"))
    assert (len(values) + len(rest), letters, mark.ended) == (60_000, [], True)
    with pytest.raises(Retryable, match="cut off or damaged"):
        opened(written(path, whole[:12]))


def test_a_column_that_is_not_there_is_a_mistake_that_names_those_that_are(tmp_path):
    path = written(tmp_path / "a.csv", "ts,Load,state,note,state\n")
    with pytest.raises(ConfigError, match=r"a\.csv: 'load' is not a column of it; it has ts, Load, state, note, state"):
        opened(path)
    with pytest.raises(ConfigError, match="'state' stands twice in its header"):
        opened(path, signals={"state": {"kind": "state"}})


def test_speed_and_repeat_need_shifted_times():
    with pytest.raises(ValueError, match="speed and repeat are for time: shifted"):
        settings(repeat=True)


def test_memory_does_not_grow_with_the_file(tmp_path):
    def peak(count: int) -> int:
        path = written(tmp_path / f"{count}.csv", HEADER + rows(count))
        tracemalloc.start()
        reader, more = opened(path, time_format="s"), True
        while more:
            more = reader.chunk().more
        reader.close()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    assert peak(40_000) < 1.3 * peak(5_000)


def test_parquet_is_read_like_csv_and_goes_on_in_the_middle(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = tmp_path / "a.parquet"
    table = pa.table(
        {
            "ts": pa.array([1577836800_123456789 + i * SECOND_NS for i in range(9000)], pa.timestamp("ns", "UTC")),
            "load": pa.array([None if i == 3 else math.nan if i == 4 else i / 7 for i in range(9000)]),
            "state": pa.array(["IDLE" if i % 2 else "ACTIVE" for i in range(9000)]).dictionary_encode(),
            "note": pa.array([f"n{i}" for i in range(9000)]),
        }
    )
    pq.write_table(table, path, row_group_size=1000)
    reader = opened(path, marks=True)
    chunk = reader.chunk()
    reader.close()
    assert chunk.rows[0].named.time_ns == 1577836800_123456789
    assert [len(row.named.values) for row in chunk.rows[:6]] == [3, 3, 3, 2, 3, 3]
    assert chunk.rows[4].named.values[0][2] == Quality.BAD
    for at in (0, 999, 1000, 1660):
        values, letters, mark = all_of(opened(path, chunk.rows[at].mark))
        assert (values[0][0], letters, mark.ended) == (1577836800 + at + 1, [], True)
        assert {value[0] for value in values} == {1577836800 + i for i in range(at + 1, 9000)}
    os.utime(path, (1, 1))
    assert not opened(path, chunk.mark).changed
    pq.write_table(table.slice(1), path)
    assert opened(path, chunk.mark).changed
    with pytest.raises(Retryable, match="not a whole Parquet file"):
        opened(written(path, path.read_bytes()[:-5]))


def test_without_pyarrow_a_parquet_file_is_a_mistake_that_says_what_to_install(tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ConfigError, match="pip install pyarrow"):
        opened(written(tmp_path / "a.parquet", b"PAR1"))
