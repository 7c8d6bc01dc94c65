"""`twin learn`: the slow loop in one process. Here, and only here, its jobs are joined with the store."""

import dataclasses
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from twin.commands.kpi_store import KpiStore
from twin.commands.settings import TwinSettings
from twin.errors import ConfigError
from twin.forecast.adjust import FaultOutlook
from twin.learn.banks import fit_banks
from twin.learn.forecasts import Outlook, forecast_jobs
from twin.learn.housekeeping import models_trim
from twin.learn.job import Job, Outcome, Turn
from twin.learn.kpi_buckets import kpi_buckets
from twin.learn.outlook import outlook_of
from twin.learn.retention import retention
from twin.learn.risk_jobs import RiskStore, risk_score, risk_train
from twin.learn.rollups import rollups
from twin.learn.run import chosen, run_learn, run_once
from twin.learn.stretches import fit_all_stretches
from twin.plant.load import load_plant
from twin.plant.tree import Plant
from twin.store.connect import Store, open_store
from twin.store.times import to_datetime

_log = logging.getLogger(__name__)
_FAILURES_NS = 8 * 7 * 86_400_000_000_000
_HEAD = ("job", "last turn", "outcome", "next turn", "what was done")


def make_jobs(plant: Plant, signal_ids: Mapping[str, int], store: Store, settings: TwinSettings) -> list[Job]:
    """Every job, in the order in which `--once` runs them.

    Raises:
        ConfigError: `learn.period_s` names a job that does not exist.
    """
    risk = RiskStore(store.risks, store.maintenance, store.models, signal_ids)
    jobs = [
        kpi_buckets(plant, KpiStore(store)),
        rollups(plant, signal_ids, store.rollups),
        fit_banks(plant, signal_ids, store),
        fit_all_stretches(plant, signal_ids, store),
        risk_train(plant, risk, settings.risk),
        risk_score(plant, risk, settings.risk),
        *forecast_jobs(plant, store.production, _faults(store), store.forecasts),
        models_trim(store.models),
        retention(store.retention, settings.store.retention),
    ]
    periods = settings.learn.period_s
    if unknown := sorted(set(periods) - {job.name for job in jobs}):
        known = ", ".join(job.name for job in jobs)
        raise ConfigError(f"learn.period_s: no job {', '.join(unknown)}; there are: {known}")
    return [dataclasses.replace(job, period_s=periods.get(job.name, job.period_s)) for job in jobs]


def _faults(store: Store) -> Outlook:
    """What the newest statements of risk and the failures of the last weeks say of units."""

    async def outlook(units: Sequence[str], now_ns: int) -> FaultOutlook:
        statements = {one.asset: one for one in await store.risks.latest()}
        failures = await store.production.failures(units, now_ns - _FAILURES_NS, now_ns)
        return outlook_of(units, statements, failures)

    return outlook


async def learn(settings: TwinSettings, names: Sequence[str] = ()) -> None:
    """Run the jobs, or the named ones, in their rhythm until cancelled."""
    plant = load_plant(settings.plant)
    async with open_store(settings.database) as store:
        jobs = chosen(make_jobs(plant, await store.plants.register(plant), store, settings), names)
        _log.info("jobs: %s", ", ".join(f"{job.name} every {job.period_s:g} s" for job in jobs))
        await run_learn(jobs, store.jobs)


async def learn_once(
    settings: TwinSettings, names: Sequence[str] = (), *, clock: Callable[[], int] = time.time_ns
) -> list[Turn]:
    """One turn of each job, or of the named ones, now."""
    plant = load_plant(settings.plant)
    async with open_store(settings.database) as store:
        jobs = chosen(make_jobs(plant, await store.plants.register(plant), store, settings), names)
        return await run_once(jobs, store.jobs, clock=clock)


async def last_turns(settings: TwinSettings) -> list[Turn]:
    """What the journal says."""
    async with open_store(settings.database) as store:
        return await store.jobs.list()


def turn_lines(turns: Sequence[Turn]) -> list[str]:
    """The turns as a table for people."""
    rows = [_HEAD, *(_row(turn) for turn in turns)]
    widths = [max(len(row[at]) for row in rows) for at in range(len(_HEAD) - 1)]
    return [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]]) for row in rows
    ]


def well(turns: Sequence[Turn]) -> bool:
    """Whether each turn has done what it should."""
    return all(turn.outcome is Outcome.DONE for turn in turns)


def _row(turn: Turn) -> tuple[str, str, str, str, str]:
    return (turn.job, _clock(turn.started_ns), turn.outcome.value, _clock(turn.next_ns), turn.detail)


def _clock(time_ns: int) -> str:
    at: datetime = to_datetime(time_ns)
    return at.strftime("%Y-%m-%d %H:%M:%SZ")
