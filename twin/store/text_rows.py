"""Text samples of one transaction: rare, so they go as arrays, not as COPY; the same rules of keys as for numbers."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from twin.samples import SampleBatch, TextColumns
from twin.store.database import Connection
from twin.store.queries import load_queries
from twin.store.times import to_datetime, to_ns

_ADD = load_queries("commit")["add_texts"]


class TextRow(NamedTuple):
    """One text sample; times in ns, whole µs. Sorts by key."""

    signal: int
    time: int
    batch: int
    text: str
    quality: int
    server: int
    received: int


async def add_texts(
    connection: Connection, seqs: Sequence[tuple[int, SampleBatch]], stored: Sequence[SampleBatch]
) -> list[SampleBatch]:
    """Insert the texts of the numbered batches; the `stored` batches with those texts that entered."""
    rows: dict[tuple[int, int], TextRow] = {}
    for seq, batch in seqs:
        for row in _rows(seq, batch.texts):
            rows.setdefault((row.signal, row.time), row)
    new = [rows[key] for key in sorted(await _insert(connection, sorted(rows.values())))] if rows else []
    return [
        replace(batch, texts=columns([row for row in new if row.batch == seq]))
        for (seq, _), batch in zip(seqs, stored, strict=True)
    ]


def columns(rows: Sequence[TextRow]) -> TextColumns:
    """Rows as columns, in the same order."""
    return TextColumns(
        np.array([row.signal for row in rows], np.int32),
        np.array([row.time for row in rows], np.int64),
        tuple(row.text for row in rows),
        np.array([row.quality for row in rows], np.uint8),
        np.array([row.server for row in rows], np.int64),
        np.array([row.received for row in rows], np.int64),
    )


def _rows(seq: int, texts: TextColumns) -> list[TextRow]:
    return [
        TextRow(
            signal,
            _whole(time),
            seq,
            printable(text),
            quality,
            _whole(server),
            _whole(received),
        )
        for signal, time, text, quality, server, received in zip(
            texts.signal.tolist(),
            texts.time.tolist(),
            texts.text,
            texts.quality.tolist(),
            texts.server.tolist(),
            texts.received.tolist(),
            strict=True,
        )
    ]


async def _insert(connection: Connection, rows: Sequence[TextRow]) -> set[tuple[int, int]]:
    values = {
        "time": [to_datetime(row.time) for row in rows],
        "server_at": [to_datetime(row.server) if row.server else None for row in rows],
        "received_at": [to_datetime(row.received) for row in rows],
        "batch": [row.batch for row in rows],
        "signal": [row.signal for row in rows],
        "quality": [row.quality for row in rows],
        "text": [row.text for row in rows],
    }
    found = await (await connection.execute(_ADD, values)).fetchall()
    return {(signal, to_ns(time)) for signal, time in found}


def printable(text: str) -> str:
    """PostgreSQL's text cannot hold a zero character."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")


def _whole(time_ns: int) -> int:
    return time_ns // 1000 * 1000
