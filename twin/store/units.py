"""What is stored of one unit around a window: samples by role, counted parts, orders, gaps, what people have said.

In: a unit and a window. Out: `UnitSeries` for the pure core. Counting begins at the last memory before the window.
"""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.kernels.layout import COUNT
from twin.plant.elements import StopReason
from twin.plant.tree import Signal
from twin.store.binary import float_array, int_array, time_array
from twin.store.database import Database
from twin.store.pool import Connection
from twin.store.queries import load_queries
from twin.store.times import to_datetime, to_datetime_up, to_ns
from twin.throughput.counting import Made, count_series, joined, memory_hash, new_counter
from twin.throughput.elements import Reclassified
from twin.throughput.schedule import hours_between
from twin.throughput.unit import COLUMNS, COUNTERS, LIFT_MARGIN_NS, NO_COLUMN, Column, Unit, UnitSeries, gap_ns, reach
from twin.wire.reading import Quality

_QUERIES = load_queries("kpis")
_AHEAD = 8  # samples of a counter behind the window: they decide what a jump at its end was


@dataclass(frozen=True, slots=True)
class Memory:
    """What the counter rules know of a counter at the beginning of an hour."""

    signal: int
    at_ns: int
    memory: bytes


@dataclass(frozen=True, slots=True)
class Window:
    """[start, end) of one unit, ns UTC; `signal_ids` by path."""

    unit: Unit
    start_ns: int
    end_ns: int


class Units:
    """The series of units in one database."""

    def __init__(self, database: Database) -> None:
        self._database: Database = database

    async def read(self, window: Window, signal_ids: Mapping[str, int]) -> tuple[Window, UnitSeries, list[Memory]]:
        """The series, the window extended over estimates that reach into it, and the counters' memories within it."""
        async with self._database.connection() as connection:
            made, memories = await _count(connection, window, signal_ids)
            first, last = reach(UnitSeries({}, made), window.start_ns, window.end_ns)
            window = replace(window, start_ns=first, end_ns=last)
            series = UnitSeries(
                columns=await _columns(connection, window, signal_ids),
                made=made,
                orders=await _orders(connection, window, signal_ids),
                unheard=await _unheard(connection, window, signal_ids),
                reclassified=await _reclassified(connection, window),
            )
        return window, series, memories


async def _count(
    connection: Connection, window: Window, signal_ids: Mapping[str, int]
) -> tuple[dict[str, Made], list[Memory]]:
    made: dict[str, Made] = {}
    memories: list[Memory] = []
    for role, quantity in COUNTERS.items():
        signal = window.unit.signals.get(role)
        if signal is None or signal.path not in signal_ids:
            continue
        number = signal_ids[signal.path]
        known = {"signal": number, "at": to_datetime(window.start_ns), "hash": memory_hash()}
        row = await (await connection.execute(_QUERIES["memory"], known)).fetchone()
        memory = new_counter() if row is None else _unpacked(row[1])
        since_ns = 0 if row is None else to_ns(row[0])
        found = await columns_of(connection, {number: (since_ns, window.end_ns)}, _AHEAD)
        column = found.get(number, NO_COLUMN)
        if row is not None:  # the sample before is in the memory already
            column = _from(column, since_ns)
        hours = hours_between(window.unit.calendar, window.start_ns, window.end_ns)
        made[quantity], kept = _counted(memory, column, signal, np.append(window.start_ns, hours))
        memories += [Memory(number, at_ns, packed) for at_ns, packed in kept]
    return made, memories


def _counted(
    memory: NDArray[np.void], column: Column, signal: Signal, hours: NDArray[np.int64]
) -> tuple[Made, list[tuple[int, bytes]]]:
    """Increments, and the memory at each hour that lies behind a sample and before another."""
    pieces: list[Made] = []
    kept: list[tuple[int, bytes]] = []
    edges = np.searchsorted(column.time, hours, side="left")
    begin = 0
    for at_ns, end in zip(hours.tolist(), edges.tolist(), strict=True):
        pieces.append(_piece(memory, column, signal, begin, end))
        if 0 < end < len(column.time):
            kept.append((at_ns, zlib.compress(memory.tobytes(), 1)))
        begin = end
    pieces.append(_piece(memory, column, signal, begin, len(column.time)))
    return joined(pieces), kept


def _piece(memory: NDArray[np.void], column: Column, signal: Signal, begin: int, end: int) -> Made:
    return count_series(
        memory,
        column.time[begin:end],
        column.value[begin:end],
        column.good[begin:end],
        gap_ns(signal),
        signal.parts_per_count,
    )


async def _columns(connection: Connection, window: Window, signal_ids: Mapping[str, int]) -> dict[str, Column]:
    margin_ns = window.unit.margin_ns + (LIFT_MARGIN_NS if "twist-lock" in window.unit.signals else 0)
    span = window.start_ns - margin_ns, window.end_ns + margin_ns
    roles = {
        signal_ids[signal.path]: role
        for role, signal in window.unit.signals.items()
        if role in COLUMNS and signal.path in signal_ids
    }
    found = await columns_of(connection, dict.fromkeys(roles, span), 0)
    return {roles[number]: column for number, column in found.items()}


async def columns_of(connection: Connection, spans: Mapping[int, tuple[int, int]], ahead: int) -> dict[int, Column]:
    """Per signal the samples of its span, from the last one before on, with `ahead` of them behind it."""
    if not spans:
        return {}
    values: dict[str, Any] = {
        "signals": list(spans),
        "starts": [to_datetime(start) for start, _ in spans.values()],
        "ends": [to_datetime_up(end) for _, end in spans.values()],
        "ahead": ahead,
    }
    cursor = await connection.execute(_QUERIES["columns"], values, binary=True)
    found: dict[int, Column] = {}
    async for signal, time, value, quality in cursor:
        numbers = float_array(value)
        good = ((int_array(quality, 2) & Quality.SEVERITY) < Quality.BAD) & np.isfinite(numbers)
        found[signal] = Column(time_array(time), numbers, good)
    return found


async def _orders(connection: Connection, window: Window, signal_ids: Mapping[str, int]) -> Sequence[tuple[int, str]]:
    signal = window.unit.signals.get("order")
    if signal is None or signal.path not in signal_ids:
        return ()
    values = {
        "signal": signal_ids[signal.path],
        "start": to_datetime(window.start_ns - window.unit.margin_ns),
        "end": to_datetime_up(window.end_ns + window.unit.margin_ns),
    }
    rows = await (await connection.execute(_QUERIES["orders"], values)).fetchall()
    found: list[tuple[int, str]] = []
    for at, text in rows:
        if not found or found[-1][1] != text:
            found.append((to_ns(at), text))
    return found


async def _unheard(connection: Connection, window: Window, signal_ids: Mapping[str, int]) -> Sequence[tuple[int, int]]:
    signal = window.unit.signals.get("machine-state")
    if signal is None or signal.path not in signal_ids:
        return ()
    values = {
        "signal": signal_ids[signal.path],
        "start": to_datetime(window.start_ns - window.unit.margin_ns),
        "end": to_datetime_up(window.end_ns + window.unit.margin_ns),
    }
    rows = await (await connection.execute(_QUERIES["unheard"], values)).fetchall()
    return [(to_ns(start), to_ns(end)) for start, end in rows]


async def _reclassified(connection: Connection, window: Window) -> Sequence[Reclassified]:
    values = {
        "asset": window.unit.asset.path,
        "start": to_datetime(window.start_ns - window.unit.margin_ns),
        "end": to_datetime_up(window.end_ns + window.unit.margin_ns),
    }
    rows = await (await connection.execute(_QUERIES["reclassified"], values)).fetchall()
    return [Reclassified(to_ns(start), to_ns(end), StopReason(reason)) for _, start, end, _, reason, *_ in rows]


def _from(column: Column, since_ns: int) -> Column:
    here = column.time >= since_ns
    return Column(column.time[here], column.value[here], column.good[here])


def _unpacked(packed: bytes) -> NDArray[np.void]:
    return np.frombuffer(zlib.decompress(packed), COUNT).copy()
