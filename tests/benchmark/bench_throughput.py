"""Throughput: the active-period bottleneck against a peer in the same run; key figures over a year from the store."""

import asyncio
import math
import random
import time
import warnings
from pathlib import Path

import numpy as np

from tests import servers
from tests.benchmark.record import Result
from twin.kernels.periods import bottleneck_chain, bottleneck_shares
from twin.plant.load import load_plant
from twin.plant.tree import Level
from twin.store.connect import Store, open_store
from twin.store.kpis import Remade
from twin.throughput.asked import Period, question
from twin.throughput.buckets import AMOUNTS, Buckets
from twin.throughput.kpis import kpis
from twin.throughput.unit import units_of

SUITE = "throughput"
MACHINES = 10
PEER_PERIODS = 400  # per machine
OWN_PERIODS = 200_000


def _line(periods: int, seed: int) -> list[list[tuple[int, int]]]:
    """Active periods of ten machines, seconds; all lengths differ, so that no tie is decided by taste."""
    rng = random.Random(seed)
    machines = []
    for _ in range(MACHINES):
        at, own = rng.randrange(1, 1000), []
        for _ in range(periods):
            length = rng.randrange(10_000, 900_000)
            own.append((at, at + length))
            at += length + rng.randrange(1_000, 200_000)
        machines.append(own)
    return machines


def _columns(machines):
    flat = [one for own in machines for one in own]
    start, stop = np.array([a for a, _ in flat], np.int64), np.array([b for _, b in flat], np.int64)
    first = np.cumsum([0, *map(len, machines)], dtype=np.int64)
    return start, stop, first, np.repeat(np.arange(len(machines)), [len(own) for own in machines]).astype(np.int64)


def _own(columns, begin, end):
    start, stop, first, machine = columns
    chain = np.zeros(len(start) + 1, np.int64)
    found = bottleneck_chain(start, stop, first, begin, end, chain)
    sole, shifting = np.zeros(MACHINES, np.int64), np.zeros(MACHINES, np.int64)
    bottleneck_shares(start, stop, machine, chain[:found], begin, end, sole, shifting)
    return chain[:found], sole, shifting


def measure() -> list[Result]:
    """The bottleneck kernel, then the store."""
    return [*active_periods(), *year_queries()]


def active_periods() -> list[Result]:
    """S9: events (state changes) per second of processor time, and equality with the peer."""
    import pandas as pd
    from active_period_method import ActivePeriodMethod

    small = _line(PEER_PERIODS, 1)
    rows = [
        (f"M{number}", at, state)
        for number, own in enumerate(small)
        for pair in own
        for at, state in zip(pair, (1, 0), strict=True)
    ]
    frame = pd.DataFrame(rows, columns=["station", "timestamp", "status"])
    frame["timestamp"] = pd.to_datetime(frame["timestamp"], unit="ms")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        began = time.thread_time()
        peer = ActivePeriodMethod(frame)
        momentary = peer.calculate_momentary_bottlenecks()
        peer_s = time.thread_time() - began
    _own(_columns(_line(10, 2)), 0, 10**9)
    columns = _columns(_line(OWN_PERIODS, 3))
    end = int(columns[1].max())
    took = []
    for _ in range(5):
        began = time.thread_time()
        _own(columns, 0, end)
        took.append(time.thread_time() - began)
    rate = 2 * MACHINES * OWN_PERIODS / min(took)
    peer_rate = len(rows) / peer_s
    apart = _difference(peer, momentary, small)
    return [
        Result(
            "S9-active-period-rate",
            "active-period bottleneck, ten machines",
            rate / 1e6,
            "M events/s",
            "≥ 5 M events/s",
            rate >= 5e6,
            "active-period-method 0.9",
            rate / peer_rate,
        ),
        Result(
            "S9-active-period-equality",
            "largest difference of a machine's sole or shifting share from the peer's",
            apart,
            "share",
            "≤ 1e-6",
            apart <= 1e-6,
        ),
    ]


def _difference(peer, momentary, machines) -> float:
    """Over the chain of the peer without its last link, whose end the peer does not know."""
    begin = min(own[0][0] for own in machines)
    raw = peer.raw_bottlenecks
    end = round(raw[-1].stop.timestamp() * 1000)
    chain, sole, shifting = _own(_columns(machines), begin, end)
    start = _columns(machines)[0]
    assert [round(one.start.timestamp() * 1000) for one in raw] == start[chain].tolist()
    totals = momentary.groupby(["station", "bottleneck_type"])["duration"].sum()
    worst = 0.0
    for number in range(MACHINES):
        for kind, own in (("sole", sole), ("shifting", shifting)):
            theirs = totals.get((f"M{number}", kind))
            theirs_ms = 0.0 if theirs is None else theirs.total_seconds() * 1000
            worst = max(worst, abs(theirs_ms - float(own[number])) / (end - begin))
    return worst


HOUR_NS = 3_600_000_000_000
YEAR_HOURS = 8_760
START_NS = 1_767_225_600_000_000_000  # 2026-01-01


def year_queries() -> list[Result]:
    """A year of the whole demo plant in hours: what a planner asks for, best of five, wall clock with the database."""
    with servers.postgres() as server:
        took = asyncio.run(_year(server.dsn))
    return [
        Result(f"S-kpi-year-{name}", f"a year in the store, {what}", best_s * 1e3, "ms", "< 200 ms", best_s < 0.2)
        for name, (what, best_s) in took.items()
    ]


async def _year(dsn: str) -> dict[str, tuple[str, float]]:
    plant = load_plant(Path(__file__).parents[2] / "configs" / "plant.yaml")
    units = list(units_of(plant))
    took: dict[str, tuple[str, float]] = {}
    async with open_store(dsn) as store:
        for number, path in enumerate(units):
            made = _hours(number)
            end_ns = START_NS + YEAR_HOURS * HOUR_NS
            await store.kpis.replace([Remade(path, START_NS, end_ns, made)], [])
        async with store.database.connection() as connection:
            await connection.execute("ANALYZE kpi_bucket, kpi_shift")
        for name, what, under, level, by in (
            ("site", "one sum for the factory", "factory", None, Period.TOTAL),
            ("days", "the factory per day", "factory", None, Period.DAY),
            ("units", "every unit of the factory per day", "factory", Level.UNIT, Period.DAY),
            ("hours", "one machine per hour", "factory/machining/mill-1", None, Period.HOUR),
        ):
            best = math.inf
            for _ in range(5):
                began = time.perf_counter()
                asked = question(plant, under, level, await store.kpis.best_cycles([under]))
                rows = await store.kpis.sums(asked, by, START_NS, START_NS + YEAR_HOURS * HOUR_NS, 100_000)
                figures = [kpis(row.sums) for row in rows]
                best = min(best, time.perf_counter() - began)
            took[name] = f"{what} ({len(figures)} rows)", best
        took["forecast"] = await _forecasts(store)
    return took


async def _forecasts(store: Store) -> tuple[str, float]:
    """The newest forecast of 25 assets among those of a year, issued every hour for eight days."""
    async with store.database.connection() as connection:
        await connection.execute(
            """INSERT INTO forecast
               SELECT 'unit-' || unit, 'day', at, at + make_interval(days => ahead), at + make_interval(days => ahead + 1),
                      '', 'parts', 5, array_fill(5::float8, ARRAY[9]), 5, array_fill(5::float8, ARRAY[9]), 1, 'mature', 5
                 FROM generate_series(1, 25) AS unit,
                      generate_series('2026-01-01'::timestamptz, '2026-12-31', '1 hour') AS at,
                      generate_series(0, 7) AS ahead"""
        )
        await connection.execute("ANALYZE forecast")
    assets, best = [f"unit-{unit}" for unit in range(1, 26)], math.inf
    for _ in range(5):
        began = time.perf_counter()
        found = await store.forecasts.latest(assets, "day", START_NS + YEAR_HOURS * HOUR_NS)
        best = min(best, time.perf_counter() - began)
    return f"the newest forecast of 25 assets ({len(found)} rows of 1.7 million)", best


def _hours(seed: int) -> Buckets:
    """A year of one unit; shifts of eight hours."""
    rng = np.random.default_rng(seed)
    start = START_NS + np.arange(YEAR_HOURS, dtype=np.int64) * HOUR_NS
    amount = rng.random((YEAR_HOURS, len(AMOUNTS))) * 100
    return Buckets(
        start=start,
        end=start + HOUR_NS,
        hour=start,
        shift_start=start // (8 * HOUR_NS) * (8 * HOUR_NS),
        day=(start // (24 * HOUR_NS)).astype(np.int32),
        shift=tuple(("early", "late", "night")[hour // 8 % 3] for hour in range(YEAR_HOURS)),
        order=("",) * YEAR_HOURS,
        amount=amount,
        cycle_p10_s=np.full(YEAR_HOURS, 20.0),
        cycle_median_s=np.full(YEAR_HOURS, 22.0),
        turn_times_s=((),) * YEAR_HOURS,
    )
