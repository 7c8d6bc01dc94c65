"""One table in four forms says the same."""

import io
import json

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest

from api.media import TableFormat
from api.tables import respond, table, times

AT_NS = 1_772_446_500_250_000_000  # 2026-03-02T10:15:00.25Z
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
