"""A year of key figures is read from the sums per shift, by the key, of the asked unit only."""

import json
import re
from datetime import UTC, datetime

from twin.store.queries import load_queries

UNITS, SHIFTS = 150, 365 * 3


async def a_year(connection):
    found = await connection.execute(
        """SELECT column_name FROM information_schema.columns
            WHERE table_name = 'kpi_shift' AND data_type = 'double precision'"""
    )
    names = [name for (name,) in await found.fetchall()]
    await connection.execute(
        f"""INSERT INTO kpi_shift (asset, shift_at, start_at, end_at, day, shift, {", ".join(names)})
            SELECT 'unit-' || unit, at, at, at + interval '8 hours', at::date, 'early', {", ".join("1" for _ in names)}
              FROM generate_series(1, {UNITS}) AS unit,
                   generate_series('2026-01-01'::timestamptz, '2026-12-31 16:00', '8 hours') AS at"""
    )
    await connection.execute("ANALYZE kpi_shift")


async def test_a_year_of_a_unit_reads_its_shifts_by_the_key(store):
    values = {
        "units": ["unit-3"],
        "places": [0],
        "outputs": [True],
        "ideals": [10.0],
        "start": datetime(2026, 1, 1, tzinfo=UTC),
        "end": datetime(2027, 1, 1, tzinfo=UTC),
        "limit": 10_000,
    }
    async with store.database.connection() as connection:
        await a_year(connection)
        for name in ("by_day", "by_shift", "by_total"):
            query = "EXPLAIN (ANALYZE, FORMAT json) " + load_queries("kpis")[name]
            (row,) = await (await connection.execute(query, values)).fetchall()
            plan = json.dumps(row[0])
            assert '"Node Type": "Seq Scan"' not in plan, name
            assert "kpi_shift_pkey" in plan, name
            assert max(int(float(one)) for one in re.findall(r'"Actual Rows": ([0-9.]+)', plan)) <= SHIFTS, name
