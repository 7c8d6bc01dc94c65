"""Which representation the client gets: by ``?format=``, else by the Accept header.

Pure. In: the header, what can be made. Out: one of it, or None when the client accepts none of it.
"""

from collections.abc import Iterable
from enum import StrEnum


class TableFormat(StrEnum):
    """The representations of a table or a series."""

    JSON = "json"
    CSV = "csv"
    ARROW = "arrow"
    PARQUET = "parquet"
    XLSX = "xlsx"

    @property
    def media_type(self) -> str:
        """The Content-Type."""
        return MEDIA_TYPES[self]


MEDIA_TYPES = {
    "json": "application/json",
    "csv": "text/csv",
    "arrow": "application/vnd.apache.arrow.stream",
    "parquet": "application/vnd.apache.parquet",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


def negotiate(accept: str, choices: Iterable[TableFormat] = TableFormat) -> TableFormat | None:
    """The accepted choice with the greatest weight; of equals, the first one."""
    ranges = [_range(part) for part in (accept.strip() or "*/*").split(",") if part.strip()]
    best: tuple[float, TableFormat] | None = None
    for choice in choices:
        weight = _weight(choice.media_type, ranges)
        if weight > 0 and (best is None or weight > best[0]):
            best = weight, choice
    return best[1] if best else None


def _weight(media_type: str, ranges: list[tuple[str, float]]) -> float:
    """RFC 9110 section 12.5.1: the most specific range that matches decides."""
    family = media_type.partition("/")[0]
    for wanted in (media_type, f"{family}/*", "*/*"):
        weights = [weight for name, weight in ranges if name == wanted]
        if weights:
            return max(weights)
    return 0.0


def _range(part: str) -> tuple[str, float]:
    name, *parameters = (piece.strip() for piece in part.split(";"))
    weight = 1.0
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip().lower() == "q":
            try:
                weight = min(max(float(value), 0.0), 1.0)
            except ValueError:
                weight = 0.0
    return name.lower(), weight
