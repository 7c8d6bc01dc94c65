"""One table in five forms says the same."""

import io
import json
import zipfile
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest

from api.media import TableFormat
from api.tables import respond, table, times

AT_NS = 1_772_446_500_250_000_000  # 2026-03-02T10:15:00.25Z
SHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
HEAD = {"unit": "parts", "levels": [0.1, 0.9]}


@pytest.fixture
def rows():
    return table(
        {
            "start": times([AT_NS, AT_NS + 10**9]),
            "name": ["early, local", None],
            "value": [1.5, None],
            "quantiles": [[1.0, 2.0], [3.0, 4.0]],
        }
    )


def test_json_has_one_array_per_column_below_the_head(rows):
    body = json.loads(respond(rows, HEAD, TableFormat.JSON, "x").body)
    assert body == {
        "unit": "parts",
        "levels": [0.1, 0.9],
        "rows": 2,
        "start": ["2026-03-02T10:15:00.250000Z", "2026-03-02T10:15:01.250000Z"],
        "name": ["early, local", None],
        "value": [1.5, None],
        "quantiles": [[1.0, 2.0], [3.0, 4.0]],
    }


def test_csv_has_a_column_per_element_of_a_list(rows):
    answer = respond(rows, HEAD, TableFormat.CSV, "x")
    assert answer.headers["content-disposition"] == 'attachment; filename="x.csv"'
    assert answer.body.decode().splitlines() == [
        '"start","name","value","quantiles_1","quantiles_2"',
        '"2026-03-02T10:15:00.250000Z","early, local",1.5,1,2',
        '"2026-03-02T10:15:01.250000Z",,,3,4',
    ]


def test_arrow_and_parquet_are_the_table_itself_with_the_head_as_metadata(rows):
    arrow = pa.ipc.open_stream(respond(rows, HEAD, TableFormat.ARROW, "x").body).read_all()
    parquet = pa.parquet.read_table(io.BytesIO(respond(rows, HEAD, TableFormat.PARQUET, "x").body))
    assert arrow.equals(rows)
    assert parquet.equals(rows)
    assert arrow.schema.metadata[b"levels"] == b"[0.1,0.9]"
    assert parquet.schema.metadata[b"unit"] == b"parts"


def test_a_table_without_rows_keeps_its_columns():
    empty = table({"start": times([]), "quantiles": pa.array([], pa.list_(pa.float64()))})
    assert json.loads(respond(empty, {}, TableFormat.JSON, "x").body) == {"rows": 0, "start": [], "quantiles": []}
    assert respond(empty, {}, TableFormat.CSV, "x").body.decode() == '"start"\n'


def test_a_workbook_has_numbers_as_numbers_times_as_times_and_no_formulas():
    rows = table({"start": times([AT_NS]), "name": ["=1+1"], "value": [1.5], "quantiles": [[1.0, 2.0]]})
    answer = respond(rows, HEAD, TableFormat.XLSX, "x")
    assert answer.headers["content-disposition"] == 'attachment; filename="x.xlsx"'
    with zipfile.ZipFile(io.BytesIO(answer.body)) as book:
        texts = [one.text for one in ElementTree.fromstring(book.read("xl/sharedStrings.xml")).iter(f"{SHEET}t")]
        sheet = ElementTree.fromstring(book.read("xl/worksheets/sheet1.xml"))
    cells = {one.get("r"): (one.get("t"), one.findtext(f"{SHEET}v")) for one in sheet.iter(f"{SHEET}c")}
    assert not list(sheet.iter(f"{SHEET}f"))
    assert [texts[int(cells[f"{column}1"][1])] for column in "ABCDE"] == [
        "start [UTC]",
        "name",
        "value",
        "quantiles_1",
        "quantiles_2",
    ]
    assert texts[int(cells["B2"][1])] == "=1+1"
    assert [float(cells[f"{column}2"][1]) for column in "CDE"] == [1.5, 1.0, 2.0]
    shown = datetime(1899, 12, 30, tzinfo=UTC) + timedelta(days=float(cells["A2"][1]))
    assert abs(shown - datetime.fromtimestamp(AT_NS / 1e9, UTC)) < timedelta(milliseconds=2)
    assert {"unit", "parts", "[0.1,0.9]"} <= set(texts)
