"""Tier B over the real store: learnt from history, taken up by the monitor, a fault found and explained, kills survived."""

import asyncio
from contextlib import asynccontextmanager, suppress

import numpy as np
import pytest

from tests.store.test_monitor_replay import publish_nothing, until
from tests.unit.monitor_plant import SECOND, START_NS, batch
from tests.unit.test_monitor_banks import PATH, PLANT, faulty, rows, values
from twin.ingest.admit import Admitted
from twin.learn.banks import fit_banks
from twin.learn.stretches import fit_all_stretches
from twin.monitor.engine import Engine
from twin.monitor.run import Monitor, MonitorSettings
from twin.state.model import Health

SETTINGS = MonitorSettings(snapshot_every_s=0.05, tick_s=0.05, models_every_s=0.05)
EVER = (0, 4_000_000_000 * 10**9)


@pytest.fixture(scope="module", autouse=True)
def compiled():
    """Compiling is not what is waited for."""
    Engine(PLANT, {signal.path: number for number, signal in enumerate(PLANT.signals)}).warm_up()


def admitted(samples, ids, number):
    named = {10 + n: ids[signal.path] for n, signal in enumerate(PLANT.signals)}
    mine = sorted((named[signal], time, value, quality) for signal, time, value, quality in samples)
    return Admitted(batch=batch(mine, number=number), gaps=(), rejections=())


async def committed(store, ids, samples, first, size=600):
    parts = [samples[at : at + size] for at in range(0, len(samples), size)]
    found = []
    for number, part in enumerate(parts, start=first):
        found += await store.samples.commit([admitted(part, ids, number)])
    return found


@asynccontextmanager
async def monitored(store, ids):
    monitor = Monitor(PLANT, ids, store, publish_nothing, settings=SETTINGS, clock=lambda: START_NS)
    task = asyncio.create_task(monitor.run())
    try:
        await until(monitor.ready.is_set, "replay")
        yield monitor
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_a_fault_after_a_learnt_history_is_found_explained_and_survives_kills(store):
    ids = await store.plants.register(PLANT)
    history = values(2_400, 1)
    await committed(store, ids, rows(history), 1)
    job = fit_banks(PLANT, ids, store)
    assert "fitted 1 assets" in await job.run(START_NS + 2_500 * SECOND)
    (model,) = await store.models.champions("mspc")
    assert (model.subject, model.version) == (PATH, 1)
    assert model.report["regimes"]["1"]["frames"] > 2_000

    broken = await committed(store, ids, rows(faulty(), begin_s=2_600), 100)
    whole = [one.seq for one in broken][-1]
    async with monitored(store, ids) as monitor:
        await until(lambda: monitor.engine.state.seq == whole, "the replay's end")
        looked = await monitor.look(PATH)
        assert [one.detector for one in looked.findings if one.detector == "multivariate"] == ["multivariate"]
        assert looked.health is not Health.GOOD
        await monitor.save()
        state = monitor.judges.snapshot()
    async with monitored(store, ids) as monitor:  # killed and restored
        assert monitor.judges.snapshot() == state
        healthy = await committed(store, ids, rows(values(300, 6), begin_s=2_840), 200)
        await monitor.judge(healthy)
        await until(lambda: monitor.judges.banks.open(PATH) == [], "the end of the finding")
        await monitor.save()
    (finding,) = [one for one in await store.findings.between(*EVER) if one.detector == "multivariate"]
    assert finding.until_ns is not None
    assert finding.evidence.contributions[0].signal == f"{PATH}/flow"
    assert finding.evidence.model == "mspc 1"


async def test_what_is_flagged_or_too_short_is_not_learnt(store):
    ids = await store.plants.register(PLANT)
    await committed(store, ids, rows(values(1_000, 2)), 1)
    told = await fit_banks(PLANT, ids, store).run(START_NS + 1_100 * SECOND)
    assert "fitted 0 assets; 1 have not been seen long enough" in told
    assert await store.models.champions("mspc") == []


async def test_a_newly_fitted_bank_is_taken_up_while_the_monitor_runs(store):
    ids = await store.plants.register(PLANT)
    async with monitored(store, ids) as monitor:
        await committed(store, ids, rows(values(2_400, 3)), 1)
        await fit_banks(PLANT, ids, store).run(START_NS + 2_500 * SECOND)
        await until(lambda: monitor.judges.banks.versions() == {PATH: 1}, "the model in use")


async def test_a_choice_of_stretches_is_kept_with_its_reasons_and_taken_up_and_a_restart_goes_on(store):
    ids = await store.plants.register(PLANT)
    wave = np.sin(2 * np.pi * np.arange(4_200) / 25)
    noise = 0.05 * np.random.default_rng(1).standard_normal((4_200, 4))
    frames = 10.0 + noise
    frames[:, 0] += wave + 0.4 * np.sin(4 * np.pi * np.arange(4_200) / 25)
    await committed(store, ids, rows(frames), 1)
    told = await fit_all_stretches(PLANT, ids, store).run(START_NS + 4_300 * SECOND)
    assert told.startswith("1 signals have detectors, 3 none"), told
    (model,) = [one for one in await store.models.champions("stretch") if one.report["chosen"]]
    assert model.subject == f"{PATH}/current"
    assert model.report["by"] == "trial"
    assert set(model.report["reasons"]) == {"sub-pca", "codebook", "left-profile"}
    async with monitored(store, ids) as monitor:
        assert monitor.judges.stretches.versions() == {model.subject: 1}
        await monitor.save()
        state = monitor.judges.snapshot()
    async with monitored(store, ids) as monitor:  # killed and restored
        assert monitor.judges.snapshot() == state
