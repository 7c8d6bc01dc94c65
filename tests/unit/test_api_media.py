import pytest

from api.media import Format, TableFormat, negotiate


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("", Format.JSON),
        ("*/*", Format.JSON),
        ("application/json", Format.JSON),
        ("text/csv", Format.CSV),
        ("text/*", Format.CSV),
        ("TEXT/CSV", Format.CSV),
        ("application/vnd.apache.arrow.stream", Format.ARROW),
        ("text/html, application/xhtml+xml, */*;q=0.8", Format.JSON),
        ("application/json;q=0.2, text/csv;q=0.9", Format.CSV),
        ("*/*, application/json;q=0", Format.CSV),
        ("application/*;q=0.5, text/csv;q=0.4", Format.JSON),
        ("text/csv;q=0", None),
        ("image/png", None),
        ("text/csv;q=nonsense", None),
    ],
)
def test_the_greatest_weight_decides_and_equals_prefer_json(accept: str, chosen: Format | None) -> None:
    assert negotiate(accept, Format) is chosen


def test_a_table_comes_as_parquet_too() -> None:
    assert negotiate("application/vnd.apache.parquet", TableFormat) is TableFormat.PARQUET
    assert negotiate("application/vnd.apache.parquet", Format) is None
