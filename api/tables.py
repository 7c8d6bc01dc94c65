"""A table of columns → JSON, CSV, an Arrow IPC stream, Parquet or an Excel workbook: what planners take into a
spreadsheet or a DataFrame.

In: an Arrow table (times as timestamp[us, UTC], lists as lists) and what stands above it. Out: a response. JSON
has one array per column, so that it is a DataFrame in one call; in CSV and Excel a list takes one column per element.
"""

import io
from collections.abc import Mapping
from typing import Annotated, Any, cast

import orjson
import pyarrow
import pyarrow.csv  # pyright: ignore[reportUnusedImport] – attributes of pyarrow from here on
import pyarrow.parquet  # pyright: ignore[reportUnusedImport]
import xlsxwriter
from fastapi import Query, Request
from fastapi.responses import Response

from api.conditional import FRESH
from api.errors import not_acceptable
from api.media import TableFormat, negotiate
from api.window import rfc3339

pa = cast("Any", pyarrow)  # it has no types
xlsx = cast("Any", xlsxwriter)  # nor has this one

FormatParameter = Annotated[TableFormat | None, Query(alias="format", description="Overrides the Accept header")]
TABLE_CONTENT: dict[str, dict[str, Any]] = {
    TableFormat.CSV.media_type: {"schema": {"type": "string"}},
    TableFormat.ARROW.media_type: {"schema": {"type": "string", "contentMediaType": TableFormat.ARROW.media_type}},
    TableFormat.PARQUET.media_type: {"schema": {"type": "string", "contentMediaType": TableFormat.PARQUET.media_type}},
    TableFormat.XLSX.media_type: {"schema": {"type": "string", "contentMediaType": TableFormat.XLSX.media_type}},
}
"""For a route's `responses`: what its table can be beside JSON."""


def chosen(request: Request, wanted: TableFormat | None) -> TableFormat:
    """The representation of the answer; a 406 problem when none is accepted."""
    found = wanted or negotiate(request.headers.get("accept", ""))
    if found is None:
        raise not_acceptable()
    return found


def times(instants_ns: list[int]) -> Any:  # noqa: ANN401 – a pyarrow array
    """A column of instants, ns UTC, to the microsecond."""
    return pa.array([instant // 1_000 for instant in instants_ns], pa.timestamp("us", "UTC"))


def numbers(values: list[float | None]) -> Any:  # noqa: ANN401 – a pyarrow array
    """A column of numbers, float64 even where all of it is missing."""
    return pa.array(values, pa.float64())


def table(columns: Mapping[str, Any]) -> Any:  # noqa: ANN401 – a pyarrow table
    """A table of columns, each a list or an Arrow array."""
    return pa.table(dict(columns))


def respond(rows: Any, head: Mapping[str, Any], form: TableFormat, name: str) -> Response:  # noqa: ANN401
    """The table in the chosen representation; `head` stands above the JSON and in the metadata of Arrow and
    Parquet.
    """
    headers = dict(FRESH)
    if form is not TableFormat.JSON:
        headers["Content-Disposition"] = f'attachment; filename="{name}.{form.value}"'
    return Response(_bytes(rows, head, form), media_type=form.media_type, headers=headers)


def _bytes(rows: Any, head: Mapping[str, Any], form: TableFormat) -> bytes:  # noqa: ANN401
    if form is TableFormat.JSON:
        columns = {field.name: _plain(rows.column(field.name), field.type) for field in rows.schema}
        return orjson.dumps({**head, "rows": rows.num_rows, **columns}, option=orjson.OPT_SERIALIZE_NUMPY)
    sink = pa.BufferOutputStream()
    if form is TableFormat.CSV:
        pa.csv.write_csv(_flat(rows), sink, pa.csv.WriteOptions(quoting_style="needed"))
        return sink.getvalue().to_pybytes()
    if form is TableFormat.XLSX:
        return _workbook(rows, head)
    rows = rows.replace_schema_metadata({key: _text(value) for key, value in head.items()})
    if form is TableFormat.ARROW:
        with pa.ipc.new_stream(sink, rows.schema) as writer:
            writer.write_table(rows)
    else:
        pa.parquet.write_table(rows, sink, compression="zstd")
    return sink.getvalue().to_pybytes()


def _workbook(rows: Any, head: Mapping[str, Any]) -> bytes:  # noqa: ANN401
    """One sheet with the table, its times as Excel's own (UTC), and one that says what it is; texts stay texts."""
    sink = io.BytesIO()
    settings = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "remove_timezone": True}
    with xlsx.Workbook(sink, {**settings, "nan_inf_to_errors": True}) as book:
        bold = book.add_format({"bold": True})
        instant = book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        sheet, about = book.add_worksheet("data"), book.add_worksheet("about")
        flat = _flat(rows, as_text=False)
        for place, field in enumerate(flat.schema):
            timed = pa.types.is_timestamp(field.type)
            sheet.write(0, place, f"{field.name} [UTC]" if timed else field.name, bold)
            sheet.set_column(place, place, max(12, len(field.name) + 2), instant if timed else None)
            sheet.write_column(1, place, flat.column(field.name).to_pylist())
        sheet.freeze_panes(1, 0)
        about.write_column(0, 0, list(head), bold)
        about.write_column(0, 1, [_text(value) for value in head.values()])
    return sink.getvalue()


def _text(value: Any) -> str:  # noqa: ANN401
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _plain(column: Any, kind: Any) -> list[Any]:  # noqa: ANN401
    if pa.types.is_timestamp(kind):
        return [None if at is None else rfc3339(at * 1_000) for at in column.cast(pa.int64()).to_pylist()]
    return column.to_pylist()


def _flat(rows: Any, *, as_text: bool = True) -> Any:  # noqa: ANN401
    """Lists become columns `name_1`, `name_2` …; times become RFC 3339 text where that is wanted."""
    columns: dict[str, Any] = {}
    for field in rows.schema:
        column = rows.column(field.name)
        if pa.types.is_list(field.type) or pa.types.is_fixed_size_list(field.type):
            lists = column.to_pylist()
            longest = max((len(one) for one in lists if one), default=0)
            for place in range(longest):
                values = [one[place] if one and place < len(one) else None for one in lists]
                columns[f"{field.name}_{place + 1}"] = pa.array(values, field.type.value_type)
        elif pa.types.is_timestamp(field.type) and as_text:
            columns[field.name] = pa.array(_plain(column, field.type), pa.string())
        else:
            columns[field.name] = column
    return pa.table(columns)
