"""Recordings through store and `kpi-buckets`: signals' samples are committed, the job takes its turns, sums are asked."""

import asyncio
import tempfile
from pathlib import Path

import numpy as np

from tests import servers
from tests.contract.api_samples import commit
from twin.commands.kpi_store import KpiStore
from twin.learn.kpi_buckets import kpi_buckets
from twin.plant.load import load_plant
from twin.plant.tree import Level
from twin.store.connect import open_store
from twin.throughput.asked import Period, Row, question

HEAD = """\
format: 1
enterprise: recording
title: A recording
calendars:
  always: { timezone: UTC, shifts: { day: { hours: "00:00-24:00" } } }
"""


def rows_of(plant_yaml: str, samples: dict[str, tuple[np.ndarray, np.ndarray]], by: Period, now_ns: int) -> list[Row]:
    """samples: path → (time ns ascending, value); the sums of every unit per period."""
    with tempfile.TemporaryDirectory() as folder, servers.postgres() as server:
        path = Path(folder) / "plant.yaml"
        path.write_text(HEAD + plant_yaml)
        return asyncio.run(_rows(server.dsn, load_plant(path), samples, by, now_ns))


async def _rows(dsn, plant, samples, by, now_ns):
    async with open_store(dsn) as store:
        ids = await store.plants.register(plant)
        for path, (time, value) in samples.items():
            await commit(store, ids[path], time, value)
        job = kpi_buckets(plant, KpiStore(store))
        said = await job.run(now_ns)
        while "wait" in said:
            said = await job.run(now_ns)
        site = plant.assets[0].path
        return await store.kpis.sums(question(plant, site, Level.UNIT, {}), by, 0, now_ns, 10_000_000)
