"""Hop *commit*: admitted batches → one transaction (rows, texts, gaps, rejections, batch numbers) → `Committed`.

The fast way is one sorted binary COPY within a savepoint. Where a key is there already, the same rows go through a
temporary stage and only the new ones enter. What is handed out is what was inserted, so a replay is the same.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, LiteralString, ParamSpec, TypeVar

from psycopg import errors
from psycopg.types.multirange import Multirange

from twin.ingest.admit import Admitted
from twin.samples import Committed, SampleBatch
from twin.store.binary import HEADER, TRAILER, int_array, time_array
from twin.store.database import Connection, the_row
from twin.store.incarnation import current
from twin.store.queries import load_queries
from twin.store.rows import Rows, collect, divide, emptied, has_key
from twin.store.text_rows import add_texts, printable
from twin.store.times import to_datetime, to_datetime_up
from twin.wire.receipt import Receipt

P = ParamSpec("P")
T = TypeVar("T")
LOCK = 0x46425143  # "FBQC"
_THREAD_ROWS = 50_000  # numpy work on more rows than that leaves the event loop
_PIECE_BYTES = 1 << 20
_QUERIES = load_queries("commit")

Epoch = tuple[str, str]  # node, epoch


@dataclass(slots=True)
class _Fresh:
    """An admitted batch whose number is new."""

    at: int  # its place among the admitted
    seq: int
    admitted: Admitted

    @property
    def batch(self) -> SampleBatch:
        return self.admitted.batch


async def commit(connection: Connection, admitted: Sequence[Admitted]) -> list[Committed]:
    """Write everything within the caller's transaction; one `Committed` per admitted batch, in the same order."""
    await connection.execute(_QUERIES["lock"], {"lock": LOCK})
    known = await _known_numbers(connection, admitted)
    fresh = await _number(connection, _new_ones(admitted, known))
    stored = await _store(connection, [(item.seq, item.batch) for item in fresh]) if fresh else []
    await _add_ledger(connection, fresh, stored)
    receipts = await _receipts(connection, admitted, fresh, known)
    done = [Committed(0, emptied(item.batch), receipts.get(_epoch(item.batch))) for item in admitted]
    for item, batch in zip(fresh, stored, strict=True):
        done[item.at] = Committed(item.seq, batch, receipts.get(_epoch(batch)))
    return done


async def _store(connection: Connection, seqs: Sequence[tuple[int, SampleBatch]]) -> list[SampleBatch]:
    """Insert the samples and texts of numbered batches; the same batches with what entered."""
    rows = await _aside(sum(len(batch) for _, batch in seqs), collect, seqs)
    rows = await _insert(connection, rows)
    return await add_texts(connection, seqs, await _aside(len(rows), divide, rows, seqs))


def _epoch(batch: SampleBatch) -> Epoch:
    return batch.node, batch.epoch


async def _known_numbers(connection: Connection, admitted: Sequence[Admitted]) -> dict[Epoch, "Multirange[int]"]:
    wanted = sorted({_epoch(item.batch) for item in admitted if item.batch.number})
    if not wanted:
        return {}
    values = {"nodes": [node for node, _ in wanted], "epochs": [epoch for _, epoch in wanted]}
    rows = await (await connection.execute(_QUERIES["committed"], values)).fetchall()
    return {(node, epoch): committed for node, epoch, committed in rows}


def _new_ones(admitted: Sequence[Admitted], known: Mapping[Epoch, "Multirange[int]"]) -> list[_Fresh]:
    seen: set[tuple[Epoch, int]] = set()
    fresh: list[_Fresh] = []
    for at, item in enumerate(admitted):
        batch = item.batch
        key = (_epoch(batch), batch.number)
        if batch.number:
            if key in seen or any(batch.number in numbers for numbers in known.get(key[0], ())):
                continue
            seen.add(key)
        fresh.append(_Fresh(at, 0, item))
    return fresh


async def _number(connection: Connection, fresh: list[_Fresh]) -> list[_Fresh]:
    if fresh:
        rows = await (await connection.execute(_QUERIES["next_seqs"], {"count": len(fresh)})).fetchall()
        for item, (seq,) in zip(fresh, rows, strict=True):
            item.seq = seq
    return fresh


async def _insert(connection: Connection, rows: Rows) -> Rows:
    """The rows that entered the table."""
    if not len(rows):
        return rows
    encoded = await _aside(len(rows), rows.encode)
    try:
        async with connection.transaction():
            await _copy(connection, _QUERIES["copy"], encoded)
    except errors.UniqueViolation:
        return await _merge(connection, rows, encoded)
    return rows


async def _merge(connection: Connection, rows: Rows, encoded: memoryview) -> Rows:
    await connection.execute(_QUERIES["make_stage"])
    await _copy(connection, _QUERIES["copy_stage"], encoded)
    signals, times = await the_row(connection, _QUERIES["merge_stage"], binary=True)
    inserted = has_key(rows, int_array(signals, 4), time_array(times) // 1000)
    return rows.take(inserted)


async def _copy(connection: Connection, query: LiteralString, encoded: memoryview) -> None:
    async with connection.cursor() as cursor, cursor.copy(query) as copy:
        await copy.write(HEADER)
        for start in range(0, len(encoded), _PIECE_BYTES):
            await copy.write(encoded[start : start + _PIECE_BYTES])
        await copy.write(TRAILER)


async def _add_ledger(connection: Connection, fresh: Sequence[_Fresh], stored: Sequence[SampleBatch]) -> None:
    """The rows beside the samples: one per batch, gap and rejection."""
    batches = [_batch_row(item.seq, batch) for item, batch in zip(fresh, stored, strict=True)]
    gaps = [
        {
            "signal": gap.signal_id,
            "from_at": to_datetime(gap.from_ns),
            "to_at": to_datetime_up(max(gap.to_ns, gap.from_ns + 1000)),
            "cause": gap.cause,
            "detail": _printable(gap.detail),
            "state": gap.state,
            "batch": item.seq,
        }
        for item in fresh
        for gap in item.admitted.gaps
    ]
    rejected = [
        {
            "node": item.batch.node,
            "reason": rejection.reason,
            "detail": _printable(rejection.detail),
            "signal_path": _printable(rejection.signal_path),
            "time": None if rejection.time_ns is None else to_datetime(rejection.time_ns),
            "value_text": _printable(rejection.value_text),
        }
        for item in fresh
        for rejection in item.admitted.rejections
    ]
    async with connection.cursor() as cursor:
        for name, values in (("add_batch", batches), ("add_gap", gaps), ("add_rejected", rejected)):
            if values:
                await cursor.executemany(_QUERIES[name], values)


def _batch_row(seq: int, batch: SampleBatch) -> dict[str, Any]:
    times = [int(column.min()) for column in (batch.time, batch.texts.time) if len(column)]
    lasts = [int(column.max()) for column in (batch.time, batch.texts.time) if len(column)]
    return {
        "seq": seq,
        "node": batch.node,
        "epoch": batch.epoch if batch.number else None,
        "number": batch.number,
        "lane": int(batch.lane),
        "rows": len(batch),
        "texts": len(batch.texts),
        "first_at": to_datetime(min(times)) if times else None,
        "last_at": to_datetime(max(lasts)) if lasts else None,
    }


async def _receipts(
    connection: Connection,
    admitted: Sequence[Admitted],
    fresh: Sequence[_Fresh],
    known: Mapping[Epoch, "Multirange[int]"],
) -> dict[Epoch, Receipt]:
    """What is committed of every epoch that was touched, this transaction included."""
    numbers: defaultdict[Epoch, list[int]] = defaultdict(list)
    for item in fresh:
        if item.batch.number:
            numbers[_epoch(item.batch)].append(item.batch.number)
    incarnation = await current(connection)
    receipts = {epoch: to_receipt(epoch[1], committed, incarnation) for epoch, committed in known.items()}
    for (node, epoch), new in sorted(numbers.items()):
        values = {"node": node, "epoch": epoch, "numbers": _multirange(new)}
        (committed,) = await the_row(connection, _QUERIES["add_numbers"], values)
        receipts[node, epoch] = to_receipt(epoch, committed, incarnation)
    return receipts


def to_receipt(epoch: str, committed: "Multirange[int]", incarnation: int) -> Receipt:
    """The receipt that says the same as the committed numbers."""
    ranges = [(one.lower or 0, (one.upper or 0) - 1) for one in committed]
    if ranges and ranges[0][0] <= 1:
        return Receipt(epoch, ranges[0][1], tuple(ranges[1:]), incarnation)
    return Receipt(epoch, 0, tuple(ranges), incarnation)


def _multirange(numbers: Sequence[int]) -> str:
    return "{" + ",".join(f"[{number},{number}]" for number in sorted(numbers)) + "}"


def _printable(text: str | None) -> str | None:
    return None if text is None else printable(text)


async def _aside(size: int, work: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    """Run numpy work, in a thread when it would hold the event loop for long."""
    if size > _THREAD_ROWS:
        return await asyncio.to_thread(work, *arguments, **named)
    return work(*arguments, **named)
