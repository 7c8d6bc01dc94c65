"""Hop *judge*, after a restart: the committed batches behind a watermark, exactly as they were handed out.

In: a seq. Out: (seq, SampleBatch) in the order of commits, with the same columns, rows and order as at the commit.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np
from psycopg.rows import class_row

from twin.samples import SampleBatch
from twin.store.binary import float_array, int_array, time_array
from twin.store.database import Connection, Database, the_row
from twin.store.queries import load_queries
from twin.store.rows import Rows, divide, no_texts
from twin.store.text_rows import TextRow, columns
from twin.store.times import to_ns
from twin.wire.reading import Lane

_ROWS_AT_ONCE = 200_000  # rows of one page unless a single batch has more: bounds the memory
_QUERIES = load_queries("samples")


@dataclass(frozen=True, slots=True)
class _BatchRow:
    seq: int
    node: str
    epoch: str
    number: int
    lane: int
    rows: int
    texts: int
    first_at: datetime | None
    last_at: datetime | None

    def bare(self) -> SampleBatch:
        """The batch without its rows."""
        return SampleBatch(
            self.node,
            self.epoch,
            self.number,
            Lane(self.lane),
            signal=np.empty(0, np.int32),
            time=np.empty(0, np.int64),
            value=np.empty(0, np.float64),
            quality=np.empty(0, np.uint8),
            server=np.empty(0, np.int64),
            received=np.empty(0, np.int64),
            texts=no_texts(),
        )


async def since(database: Database, seq: int, limit_batches: int) -> AsyncIterator[tuple[int, SampleBatch]]:
    """Every batch behind `seq`; no connection is held while the caller works on a batch."""
    while True:
        async with database.connection() as connection:
            page = await _page(connection, seq, limit_batches)
            batches = await _load(connection, page)
        for row, batch in zip(page, batches, strict=True):
            seq = row.seq
            yield seq, batch
        if not page:
            return


async def _page(connection: Connection, seq: int, limit: int) -> list[_BatchRow]:
    async with connection.cursor(row_factory=class_row(_BatchRow)) as cursor:
        await cursor.execute(_QUERIES["batches"], {"seq": seq, "limit": limit})
        found = await cursor.fetchall()
    total = 0
    for at, row in enumerate(found):
        total += row.rows
        if total > _ROWS_AT_ONCE and at:
            return found[:at]
    return found


async def _load(connection: Connection, page: Sequence[_BatchRow]) -> list[SampleBatch]:
    if not page:
        return []
    bounds: dict[str, Any] = {"first": page[0].seq, "last": page[-1].seq}
    numbered = [(row.seq, row.bare()) for row in page]
    firsts = [row.first_at for row in page if row.first_at]
    lasts = [row.last_at for row in page if row.last_at]
    rows = _rows((None,) * 7)
    if any(row.rows for row in page):
        span = {"first_at": min(firsts), "last_at": max(lasts)}
        rows = _rows(await the_row(connection, _QUERIES["replay"], {**bounds, **span}, binary=True))
    batches = divide(rows, numbered)
    if not any(row.texts for row in page):
        return batches
    found = await (await connection.execute(_QUERIES["replay_texts"], bounds)).fetchall()
    texts = [text_row(*row) for row in found]
    return [
        replace(batch, texts=columns([text for text in texts if text.batch == row.seq]))
        for row, batch in zip(page, batches, strict=True)
    ]


def _rows(sent: tuple[Any, ...]) -> Rows:
    batch, signal, time, value, quality, server, received = sent
    return Rows(
        int_array(signal, 4).astype(np.int32),
        time_array(time) // 1000,
        float_array(value),
        int_array(quality, 2).astype(np.uint8),
        time_array(server) // 1000,
        time_array(received) // 1000,
        int_array(batch, 8),
    )


def text_row(
    batch: int, signal: int, time: datetime, text: str, quality: int, server_at: datetime | None, received_at: datetime
) -> TextRow:
    """One row of sample_text in our own terms."""
    return TextRow(signal, to_ns(time), batch, text, quality, to_ns(server_at) if server_at else 0, to_ns(received_at))
