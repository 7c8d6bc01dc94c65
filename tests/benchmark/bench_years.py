"""Years: a trend over a year of roll-ups worth a billion samples, and what roll-ups cost.

Others may use this machine, so each figure is processor time: of this process and of its session's server process.
"""

import asyncio
import random

import numpy as np

from tests.benchmark.processor import cost_s
from tests.benchmark.record import Result
from tests.servers import postgres
from tests.store.batches import T0, S, admitted
from twin.store.connect import Store, open_store
from twin.store.embedded import SETTINGS

SUITE = "scale"
SIGNALS, DAYS, PERIOD_S = 320, 366, 10  # 1.01 billion samples
YEAR_NS = DAYS * 86_400 * S
POINTS, TRENDS = 2_000, 40
COLUMNS, ROWS_EACH = 500, 2_000  # a million samples at one a second
HOURS = """
INSERT INTO rollup_hour (start_at, low, high, mean, first, last, covered_s, signal, samples, good)
SELECT at, 10 * random(), 20 + 10 * random(), 15 + 5 * random(), 15, 15, 3600, signal, 3600 / %s, 3600 / %s
  FROM generate_series(1, %s) AS signal, generate_series(to_timestamp(%s), to_timestamp(%s), interval '1 hour') AS at
"""


async def _year(store: Store) -> float:
    async with store.database.connection() as connection:
        await connection.execute("SET statement_timeout = 0")
        begin_s = T0 // S
        values = [PERIOD_S, PERIOD_S, SIGNALS, begin_s, begin_s + DAYS * 86_400 - 3_600]
        await connection.execute(HOURS, values)
        await connection.execute("VACUUM ANALYZE rollup_hour")
        ((samples,),) = await (await connection.execute("SELECT sum(samples)::int8 FROM rollup_hour")).fetchall()
    assert samples >= 1_000_000_000, samples
    chance = random.Random(1)

    async def trends() -> None:
        for _ in range(TRENDS):
            bins = await store.rollups.series(chance.randrange(SIGNALS) + 1, T0, T0 + YEAR_NS, POINTS)
            assert 1_700 < len(bins) <= POINTS

    return await cost_s(store, trends) / TRENDS


async def _rollups(store: Store) -> float:
    at = T0 + np.arange(ROWS_EACH) * S
    for start in range(0, COLUMNS, 50):
        signal = np.repeat(np.arange(start, start + 50), ROWS_EACH)
        value = np.random.default_rng(start).normal(20, 1, len(signal))
        await store.samples.commit([admitted(signal, np.tile(at, 50), value, number=start + 1)])

    async def remake() -> None:
        while await store.rollups.remake(dict.fromkeys(range(COLUMNS), 5.0)):
            pass

    return await cost_s(store, remake)


async def _measure(dsn: str) -> tuple[float, float]:
    async with open_store(dsn) as store:
        return await _year(store), await _rollups(store)


def measure() -> list[Result]:
    """Both on one new server."""
    with postgres(settings=SETTINGS) as server:
        year_s, rollup_s = asyncio.run(_measure(server.dsn))
    return [
        Result(
            "S7-year-trend", f"a year at {POINTS:,} points, roll-ups worth 1.01 billion samples, processor time",
            year_s * 1e3, "ms", "< 200", year_s < 0.2,
        ),
        Result(
            "S7-rollup-cost", "minutes, hours and days of a million samples (500 signals, one a second), processor time",
            rollup_s, "s", "< 10", rollup_s < 10,
        ),
    ]  # fmt: skip
