"""What the store takes on disk, as it is measured and as it is told."""

import pytest

from tests.store.batches import DAY, T0, S, admitted, grid
from tests.unit.test_demo_world import PLANT
from twin.commands.store_size import tiers
from twin.learn.store_settings import Retention, SampleDays
from twin.store.sizes import TableSize

KEPT = Retention(samples=SampleDays(measurement=366))


async def test_rows_and_bytes_of_a_table_are_those_of_all_its_parts(store):
    for day in range(3):
        await store.samples.commit([grid(10, 500, start=T0 + day * DAY, number=day + 1)])
    await store.samples.commit([admitted(number=9, texts=[(1, T0, "order")])])
    async with store.database.connection() as connection:
        await connection.execute("ANALYZE sample")
        ((heap,),) = await (await connection.execute("SELECT count(*) * 60 FROM sample")).fetchall()
    found = await store.sizes.tables()
    assert found["sample"].rows == 15_000
    assert heap < found["sample"].bytes < 10_000_000
    assert found["rollup_minute"].rows == 0
    assert await store.sizes.database_bytes() > found["sample"].bytes
    brought = await store.sizes.brought(T0)
    assert (brought.samples, brought.texts) == (15_000, 1)
    assert (await store.sizes.brought(2_000_000_000 * S)).first_ns is None


def test_the_estimate_is_what_the_plant_model_allows_times_measured_rows():
    found = {one.name: one for one in tiers(PLANT, KEPT, {"sample": TableSize(1_000_000, 90_000_000)})}
    numbers = [one for one in PLANT.signals if one.kind.value != "text"]
    rate = sum(86_400 / one.period_s for one in numbers if one.kind.value == "measurement")
    samples = found["measurement samples"]
    assert (samples.rows_per_day, samples.row_bytes, samples.is_measured) == (pytest.approx(rate), 90.0, True)
    assert samples.kept_bytes == pytest.approx(rate * 366 * 90)
    minutes = found["minutes of roll-ups"]
    assert (minutes.rows_per_day, minutes.is_measured) == (1_440 * len(numbers), False)
    assert found["hours of roll-ups"].days is None
