"""Buckets: which new samples touch, their remaking in one transaction, their sums, and what people say of intervals.

In: remade `Buckets`, questions. Out: rows of sums. Everything is set-based: one statement per question.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
from psycopg.types.json import Jsonb

from twin.access.grants import By
from twin.store.database import Database
from twin.store.pool import Connection
from twin.store.queries import load_queries
from twin.store.times import to_datetime, to_datetime_up, to_ns
from twin.store.units import Memory
from twin.throughput.asked import Period, Question, Row
from twin.throughput.buckets import AMOUNTS, QUANTITIES, Buckets
from twin.throughput.counting import memory_hash
from twin.throughput.kpis import Sums

_QUERIES = load_queries("kpis")
_DAY_ONE = date(1970, 1, 1)
_MEMORY_DAYS = 8
_LEARNT_DAYS = 30  # of buckets that say what the best cycle is
_SHORT_NS = 40 * 86_400_000_000_000  # up to here a total is added up from buckets, beyond it from shifts


@dataclass(frozen=True, slots=True)
class Touched:
    """The samples of a signal that are new, and the stretch that they touch."""

    signal: int
    first_ns: int  # the first new sample
    start_ns: int  # the sample before it
    end_ns: int  # the sample after the last new one


@dataclass(frozen=True, slots=True)
class Remade:
    """What a stretch of one unit has become."""

    asset: str
    start_ns: int
    end_ns: int
    buckets: Buckets


@dataclass(frozen=True, slots=True)
class Said:
    """What a person has said of an interval; a row of the audit."""

    id: int
    asset: str
    start_ns: int
    end_ns: int
    was: Mapping[str, float]  # seconds per element before
    reason: str
    who: str
    why: str
    at_ns: int


class KpiBuckets:
    """The buckets of one database."""

    def __init__(self, database: Database) -> None:
        self._database: Database = database

    async def touched(self, after_seq: int, upto_seq: int, signals: Sequence[int]) -> list[Touched]:
        """What the batches behind `after_seq` up to `upto_seq` touch."""
        values = {"after": after_seq, "upto": upto_seq, "signals": list(signals)}
        async with self._database.connection() as connection:
            rows = await (await connection.execute(_QUERIES["touched"], values)).fetchall()
        return [
            Touched(signal, to_ns(first), to_ns(min(before, first)), to_ns(max(behind, last)))
            for signal, first, last, before, behind in rows
        ]

    async def ends(self, since_ns: int) -> dict[str, int]:
        """How far the buckets of each unit reach that has some behind `since_ns`."""
        async with self._database.connection() as connection:
            rows = await (await connection.execute(_QUERIES["ends"], {"since": to_datetime(since_ns)})).fetchall()
        return {asset: to_ns(end) for asset, end in rows}

    async def forget_memories(self, late: Sequence[Touched]) -> None:
        """Counters are counted anew from before their new samples."""
        values = {"signals": [one.signal for one in late], "times": [to_datetime(one.first_ns) for one in late]}
        async with self._database.connection() as connection:
            await connection.execute(_QUERIES["forget_memory"], values)

    async def replace(self, remade: Sequence[Remade], memories: Sequence[Memory]) -> None:
        """Put the remade buckets in the place of what was there, and add up their shifts, in one transaction."""
        spans = {
            "assets": [one.asset for one in remade],
            "starts": [to_datetime(one.start_ns) for one in remade],
            "ends": [to_datetime(one.end_ns) for one in remade],
        }
        async with self._database.transaction() as connection:
            gone = await (await connection.execute(_QUERIES["delete_buckets"], spans)).fetchall()
            await connection.execute(_QUERIES["add_buckets"], _columns(remade))
            shifts = {(asset, at) for asset, at in gone}
            shifts |= {(one.asset, to_datetime(int(at))) for one in remade for at in one.buckets.shift_start}
            touched = {"assets": [asset for asset, _ in shifts], "shifts": [at for _, at in shifts]}
            await connection.execute(_QUERIES["delete_shifts"], touched)
            await connection.execute(_QUERIES["add_shifts"], touched)
            await _save_memories(connection, memories)

    async def thin_memories(self, now_ns: int) -> None:
        """Beyond a week one memory of each counter a day is enough."""
        before = to_datetime(now_ns) - timedelta(days=_MEMORY_DAYS)
        async with self._database.connection() as connection:
            await connection.execute(_QUERIES["thin_memory"], {"before": before})

    async def best_cycles(self, assets: Sequence[str]) -> dict[str, float]:
        """The best-demonstrated cycle of each unit, seconds per part, over its newest month."""
        async with self._database.connection() as connection:
            newest = await (await connection.execute(_QUERIES["newest"], {"assets": list(assets)})).fetchone()
            if newest is None or newest[0] is None:
                return {}
            values = {"assets": list(assets), "since": newest[0] - timedelta(days=_LEARNT_DAYS)}
            rows = await (await connection.execute(_QUERIES["best_cycles"], values)).fetchall()
        return {asset: best_s for asset, best_s in rows if best_s}

    async def sums(self, asked: Question, by: Period, start_ns: int, end_ns: int, limit: int) -> list[Row]:
        """One row per group and period whose beginning lies in [start, end), at most `limit`."""
        span = {"start": to_datetime_up(start_ns), "end": to_datetime_up(end_ns)}
        values = {
            "units": list(asked.units),
            "places": list(asked.places),
            "outputs": list(asked.outputs),
            "ideals": list(asked.ideals),
            "limit": limit,
        }
        name = "by_part" if by is Period.TOTAL and end_ns - start_ns <= _SHORT_NS else f"by_{by.value}"
        async with self._database.connection() as connection:
            # Half a million numbers for a year of hours: as text they take longer to write and to read than to add up.
            rows = await (await connection.execute(_QUERIES[name], values | span, binary=True)).fetchall()
            calls = await _by_group(connection, "calls", asked.cranes, by, span)
            turns = await _by_group(connection, "turns", asked.turning, by, span)
        return [_row(asked, row, calls, turns) for row in rows]

    async def reclassify(self, said: Said, by: By | None = None) -> Said:
        """Keep what a person says; earlier words stay."""
        values = {
            "asset": said.asset,
            "start": to_datetime(said.start_ns),
            "end": to_datetime_up(said.end_ns),
            "was": Jsonb(dict(said.was)),
            "reason": said.reason,
            "who": said.who,
            "why": said.why,
        }
        async with self._database.transaction(by) as connection:
            row = await (await connection.execute(_QUERIES["reclassify"], values)).fetchone()
        number, at = row if row is not None else (0, datetime.now(UTC))
        return Said(
            number, said.asset, said.start_ns, said.end_ns, said.was, said.reason, said.who, said.why, to_ns(at)
        )

    async def said_after(self, number: int) -> list[tuple[int, str, int, int]]:
        """What people have said since row `number`: row, asset, start and end in ns."""
        async with self._database.connection() as connection:
            rows = await (await connection.execute(_QUERIES["said_after"], {"after": number})).fetchall()
        return [(one, asset, to_ns(start), to_ns(end)) for one, asset, start, end in rows]

    async def reclassified(self, asset: str, start_ns: int, end_ns: int) -> list[Said]:
        """The audit of an asset for [start, end), earlier words first."""
        values = {"asset": asset, "start": to_datetime(start_ns), "end": to_datetime_up(end_ns)}
        async with self._database.connection() as connection:
            rows = await (await connection.execute(_QUERIES["reclassified"], values)).fetchall()
        return [
            Said(number, asset, to_ns(start), to_ns(end), was, reason, who, why, to_ns(at))
            for number, start, end, was, reason, who, why, at in rows
        ]


def _columns(remade: Sequence[Remade]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {
        "asset": [one.asset for one in remade for _ in range(len(one.buckets))],
        "day": [_DAY_ONE + timedelta(days=int(day)) for one in remade for day in one.buckets.day],
        "shift": [name for one in remade for name in one.buckets.shift],
        "order_name": [name for one in remade for name in one.buckets.order],
        "turn_times_s": [
            "{" + ",".join(f"{turn:.3f}" for turn in turns) + "}"
            for one in remade
            for turns in one.buckets.turn_times_s
        ],
    }
    for name, attribute in (("start_at", "start"), ("end_at", "end"), ("hour_at", "hour"), ("shift_at", "shift_start")):
        found[name] = [to_datetime(int(at)) for one in remade for at in getattr(one.buckets, attribute)]
    amounts = np.concatenate([one.buckets.amount for one in remade]) if remade else np.zeros((0, len(AMOUNTS)))
    found |= {name: amounts[:, place].tolist() for place, name in enumerate(AMOUNTS)}
    for name in ("cycle_p10_s", "cycle_median_s"):
        found[name] = [float(value) for one in remade for value in getattr(one.buckets, name)]
    return found


async def _save_memories(connection: Connection, memories: Sequence[Memory]) -> None:
    if memories:
        rows = [
            {"signal": one.signal, "at": to_datetime(one.at_ns), "hash": memory_hash(), "memory": one.memory}
            for one in memories
        ]
        async with connection.cursor() as cursor:
            await cursor.executemany(_QUERIES["save_memory"], rows)


async def _by_group(
    connection: Connection,
    query: str,
    units: Sequence[tuple[str, int]],
    by: Period,
    span: Mapping[str, datetime],
) -> dict[tuple[int, datetime], tuple[float, ...]]:
    if not units or by is Period.ORDER:
        return {}
    values = {"units": [path for path, _ in units], "places": [place for _, place in units], "by": by.value}
    rows = await (await connection.execute(_QUERIES[query], values | dict(span))).fetchall()
    return {(place, period): tuple(figures) for place, period, *figures in rows}


def _row(
    asked: Question,
    row: tuple[Any, ...],
    calls: Mapping[tuple[int, datetime], tuple[float, ...]],
    turns: Mapping[tuple[int, datetime], tuple[float, ...]],
) -> Row:
    place: int = row[0]
    _, period, label, start, end, *figures = row
    amounts, rest = figures[: len(AMOUNTS)], figures[len(AMOUNTS) :]
    names: list[str] = [*QUANTITIES, "worked_s"]
    output = dict(zip(names, rest, strict=False))
    ideal_s, ideal_production_s = rest[len(QUANTITIES) + 1 :]
    median, p90 = turns.get((place, period), (None, None))
    sums = Sums(
        amount=dict(zip(AMOUNTS, amounts, strict=True)),
        output=output,
        ideal_s=ideal_s,
        ideal_production_s=ideal_production_s,
        calls_s=calls.get((place, period), (0.0,))[0],
    )
    return Row(asked.groups[place], to_ns(start), to_ns(end), label, sums, median, p90)
