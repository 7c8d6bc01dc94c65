import pytest

from api.media import TableFormat, negotiate


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("", TableFormat.JSON),
        ("*/*", TableFormat.JSON),
        ("application/json", TableFormat.JSON),
        ("text/csv", TableFormat.CSV),
        ("text/*", TableFormat.CSV),
        ("TEXT/CSV", TableFormat.CSV),
        ("application/vnd.apache.arrow.stream", TableFormat.ARROW),
        ("text/html, application/xhtml+xml, */*;q=0.8", TableFormat.JSON),
        ("application/json;q=0.2, text/csv;q=0.9", TableFormat.CSV),
        ("*/*, application/json;q=0", TableFormat.CSV),
        ("application/*;q=0.5, text/csv;q=0.4", TableFormat.JSON),
        ("text/csv;q=0", None),
        ("image/png", None),
        ("text/csv;q=nonsense", None),
    ],
)
def test_the_greatest_weight_decides_and_equals_prefer_json(accept: str, chosen: TableFormat | None) -> None:
    assert negotiate(accept) is chosen


def test_a_table_comes_as_parquet_too() -> None:
    assert negotiate("application/vnd.apache.parquet") is TableFormat.PARQUET
