"""`GET /v1/signals/{path}/series`: the samples of one signal, as JSON, CSV, Arrow, Parquet or a spreadsheet."""

import asyncio
import time
from collections.abc import AsyncGenerator
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response, StreamingResponse
from starlette.types import Send

from api.asked_times import TIME_RULES, TIME_TEXT, End, Start, asked_instant, asked_window
from api.conditional import FRESH, NO_STORE
from api.deps import Parts, PartsDep
from api.documents import SeriesModel
from api.encode import ArrowEncoder, CsvEncoder, ParquetEncoder, bins_table, chunk_table, json_bins, json_columns
from api.errors import ProblemError, unavailable
from api.media import TableFormat
from api.openapi import problems
from api.series import Chunk, Reader, coverage
from api.tables import TABLE_CONTENT, FormatParameter, chosen, respond
from api.window import Window, rfc3339
from twin.plant.tree import Signal
from twin.store.gaps import LedgerGap
from twin.store.rollups import Bins

Encoder = CsvEncoder | ArrowEncoder | ParquetEncoder

router = APIRouter(prefix="/v1", tags=["series"])

MOST_POINTS = 20_000
FEWEST_POINTS = 4

SignalPathParameter = Annotated[
    str,
    Path(
        description="The signal's path; its slashes stand as they are",
        examples=["factory/machining/mill-1/spindle-current"],
    ),
]
Points = Annotated[
    int | None,
    Query(
        ge=FEWEST_POINTS,
        le=MOST_POINTS,
        description="At most so many samples; the first, last, lowest and highest of each bucket are kept",
        examples=[1000],
    ),
]
KnownAt = Annotated[
    str | None,
    Query(
        description="What was known then: without the samples that were committed later; " + TIME_TEXT,
        examples=["2026-03-02T12:00:00Z"],
        **TIME_RULES,
    ),
]
SERIES_CONTENT: dict[str, dict[str, Any]] = {
    **TABLE_CONTENT,
    TableFormat.CSV.media_type: {
        "schema": {"type": "string"},
        "example": "time,value,quality\n2026-03-02T10:15:00.250000Z,12.3,0\n",
    },
}


@router.get(
    "/signals/{path:path}/series",
    operation_id="getSeries",
    summary="The samples of one signal",
    response_class=Response,
    responses={
        200: {"model": SeriesModel, "description": "Samples with start ≤ time < end", "content": SERIES_CONTENT},
        **problems(404, 406, 422, 503),
    },
)
async def get_series(
    request: Request,
    path: SignalPathParameter,
    parts: PartsDep,
    start: Start = "-1h",
    end: End = "now",
    points: Points = None,
    known_at: KnownAt = None,
    format: FormatParameter = None,  # noqa: A002 – the name in the URL
) -> Response:
    """Raw samples, or reduced to `points`: of a long window, or where samples are no longer kept, from roll-ups.

    JSON and spreadsheets hold up to 100,000 rows; CSV, Arrow and Parquet stream windows of any size.
    """
    signal = parts.signal(path)
    form = chosen(request, format)
    span = asked_window(start, end)
    known = None if known_at is None else await parts.link.store.samples.known_by(asked_instant("known_at", known_at))
    reader = Reader(parts.link.store, signal, await parts.link.signal_id(path), known)
    if reader.textual and points is not None:
        raise ProblemError(422, "points-of-text", f"{path} holds texts, which have no extremes", do="leave points out")
    bins = None if points is None else await reader.bins(span, points, time.time_ns())
    if bins is not None and form is not TableFormat.JSON:
        name = signal.path.replace("/", ".")
        return respond(bins_table(bins), {**_head(signal, span), "bin_s": bins.width_s}, form, name)
    if form is TableFormat.JSON:
        return await _json(parts, signal, reader, span, bins or points)
    if form is TableFormat.XLSX:
        rows = chunk_table(await _chunk(parts, reader, span, points))
        return respond(rows, _head(signal, span), form, signal.path.replace("/", "."))
    return await _stream(parts, signal, reader, span, points, form)


async def _json(parts: Parts, signal: Signal, reader: Reader, span: Window, told: Bins | int | None) -> Response:
    """`told`: roll-ups, or the number of points, or None for every sample."""
    gaps = await parts.link.store.gaps.between(await parts.link.signal_id(signal.path), span.start_ns, span.end_ns)
    kept_ns = await reader.kept_from_ns()
    tail = {
        "gaps": [_gap(gap) for gap in gaps],
        "coverage": coverage(gaps, span, time.time_ns()),
        "kept_from": None if kept_ns is None or kept_ns <= span.start_ns else rfc3339(kept_ns),
    }
    if isinstance(told, Bins):
        body = json_bins(_head(signal, span), told, tail)
    else:
        body = json_columns(_head(signal, span), await _chunk(parts, reader, span, told), tail)
    return Response(body, media_type=TableFormat.JSON.media_type, headers=FRESH)


async def _chunk(parts: Parts, reader: Reader, span: Window, points: int | None) -> Chunk:
    limit = parts.settings.series.max_json_rows
    chunk = await reader.whole(span, limit) if points is None else await reader.reduced(span, points)
    if chunk is None:
        raise ProblemError(
            422,
            "too-many-rows",
            f"the window holds more than {limit} samples",
            do="ask for points=2000 or a shorter window, or for format=csv, arrow or parquet, which stream",
        )
    return chunk


async def _stream(
    parts: Parts, signal: Signal, reader: Reader, span: Window, points: int | None, form: TableFormat
) -> Response:
    if parts.streams.locked():
        raise unavailable("every place for a download is taken")
    head = {key: str(value) for key, value in _head(signal, span).items()}
    metadata = {**head, "reduced": str(points is not None).lower()}
    encoder: Encoder = CsvEncoder()
    if form is TableFormat.ARROW:
        encoder = ArrowEncoder(textual=reader.textual, metadata=metadata)
    elif form is TableFormat.PARQUET:
        encoder = ParquetEncoder(textual=reader.textual, metadata=metadata)
    chunks = _one(reader, span, points) if points else reader.chunks(span, parts.settings.series.chunk_rows)
    first = await anext(chunks, None)  # an absent store shows here, while there can still be a problem document
    name = f"{signal.path.replace('/', '.')}.{form.value}"
    return _Stream(
        _pieces(parts.streams, encoder, first, chunks),
        media_type=form.media_type,
        headers={**NO_STORE, "Vary": "Accept", "Content-Disposition": f'attachment; filename="{name}"'},
    )


async def _one(reader: Reader, span: Window, points: int) -> AsyncGenerator[Chunk]:
    yield await reader.reduced(span, points)


async def _pieces(
    places: asyncio.Semaphore,
    encoder: Encoder,
    first: Chunk | None,
    rest: AsyncGenerator[Chunk],
) -> AsyncGenerator[bytes]:
    async with places:
        yield encoder.begin()
        if first is not None:
            yield await asyncio.to_thread(encoder.encode, first)
        async for chunk in rest:
            yield await asyncio.to_thread(encoder.encode, chunk)
        if last := encoder.end():
            yield last


class _Stream(StreamingResponse):
    """A stream whose generator ends with the response, also when the client leaves early."""

    def __init__(self, body: AsyncGenerator[bytes], media_type: str, headers: dict[str, str]) -> None:
        super().__init__(body, media_type=media_type, headers=headers)
        self._body: AsyncGenerator[bytes] = body

    async def stream_response(self, send: Send) -> None:
        """Send all of it."""
        try:
            await super().stream_response(send)
        finally:
            await self._body.aclose()


def _head(signal: Signal, span: Window) -> dict[str, Any]:
    return {
        "signal": signal.path,
        "title": signal.title,
        "kind": signal.kind.value,
        "unit": signal.unit,
        "start": rfc3339(span.start_ns),
        "end": rfc3339(span.end_ns),
    }


def _gap(gap: LedgerGap) -> dict[str, Any]:
    return {
        "start": rfc3339(gap.from_ns),
        "end": rfc3339(gap.to_ns),
        "cause": gap.cause,
        "detail": gap.detail,
        "state": gap.state,
    }
