"""Jobs `risk-train` and `risk-score`: each type of machine is fitted once a day, each machine is assessed every hour.

In: what is stored up to the turn's instant. Out: versions of models, and a statement per machine.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from twin.learn.job import Job
from twin.learn.model_port import Models
from twin.learn.risk_history import (
    HOUR_NS,
    Classes,
    MaintenanceLog,
    RiskEvents,
    detectors_of,
    load_events,
    make_classes,
)
from twin.learn.risk_settings import RiskSettings
from twin.plant.tree import Plant
from twin.risk.assess import ClassModel, assess
from twin.risk.features import History, features, select
from twin.risk.rul import RulModel
from twin.risk.statement import Basis, RemainingLife, Statement
from twin.risk.train import HORIZONS_H, Trained, train

RISK, LIFE = "risk", "remaining-life"  # kinds of models; their subject is a type of assets
_DAY_NS = 24 * HOUR_NS


class FittedModel(Protocol):
    """A version that is stored."""

    @property
    def subject(self) -> str: ...  # noqa: D102
    @property
    def version(self) -> int: ...  # noqa: D102
    @property
    def params(self) -> bytes: ...  # noqa: D102


class RiskModels(Models, Protocol):
    """Also the versions that were in use, or shall not be."""

    async def dismiss(self, kind: str, subject: str, version: int) -> None: ...  # noqa: D102
    async def champions(self, kind: str) -> Sequence[FittedModel]: ...  # noqa: D102


class Statements(RiskEvents, Protocol):
    """The events behind the risk, and what is said."""

    async def write(self, statements: Sequence[Statement]) -> None: ...  # noqa: D102
    async def forget(self, before_ns: int) -> None: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class RiskStore:
    """What the jobs read and write."""

    risks: Statements
    maintenance: MaintenanceLog
    models: RiskModels
    signal_ids: Mapping[str, int]


def risk_train(plant: Plant, store: RiskStore, settings: RiskSettings, *, period_s: float = 86_400.0) -> Job:
    """Fit every type of machine; a challenger that wins on the newest period becomes the champion."""

    async def run(now_ns: int) -> str:
        classes = await _classes(plant, store, settings, now_ns)
        champions = {one.subject: one for one in await store.models.champions(RISK)}
        said: list[str] = []
        for name, members in classes.items():
            champion = champions.get(name)
            before = None if champion is None else ClassModel.from_bytes(champion.params)
            mtbf_h = settings.mtbf_h.get(name)
            trained = await asyncio.to_thread(
                train, list(members.values()), detectors_of(classes), now_ns / HOUR_NS, before, mtbf_h=mtbf_h
            )
            await _keep(store.models, name, trained, members, now_ns)
            promoted = ", promoted" if trained.promoted else ""
            said.append(f"{name}: {trained.model.basis} on {trained.model.failures} failures{promoted}")
        return "; ".join(said) or "no machine has told its state yet"

    return Job("risk-train", period_s, run)


def risk_score(plant: Plant, store: RiskStore, settings: RiskSettings, *, period_s: float = 3_600.0) -> Job:
    """Say of every machine what its risk is, with the champions."""

    async def run(now_ns: int) -> str:
        classes = await _classes(plant, store, settings, now_ns)
        models = {
            one.subject: (one.version, ClassModel.from_bytes(one.params)) for one in await store.models.champions(RISK)
        }
        lives = {
            one.subject: (one.version, RulModel.from_bytes(one.params)) for one in await store.models.champions(LIFE)
        }
        statements = await asyncio.to_thread(_score, classes, models, lives, now_ns)
        await store.risks.write(statements)
        await store.risks.forget(now_ns - round(settings.keep_days * _DAY_NS))
        numbers = sum(one.risks[0].p is not None for one in statements)
        return f"{len(statements)} machines, {numbers} with a probability"

    return Job("risk-score", period_s, run)


async def _classes(plant: Plant, store: RiskStore, settings: RiskSettings, now_ns: int) -> Classes:
    span_ns = (now_ns - round(settings.lookback_days * _DAY_NS), now_ns)
    events = await load_events(store.risks, store.maintenance, plant, store.signal_ids, span_ns)
    return make_classes(plant, events, now_ns / HOUR_NS)


async def _keep(models: RiskModels, name: str, trained: Trained, members: Mapping[str, History], now_ns: int) -> None:
    if trained.model.basis is Basis.INSUFFICIENT:
        return
    begin_ns = round(min(float(one.entered[0]) for one in members.values()) * HOUR_NS)
    span_ns = (min(begin_ns, now_ns), now_ns)
    version = await models.save(
        RISK, name, trained.model.to_bytes(), report=trained.report, fitted_ns=now_ns, trained_ns=span_ns
    )
    if not trained.promoted:
        await models.dismiss(RISK, name, version)
        return
    await models.promote(RISK, name, version)
    if trained.life is not None:
        told = {"failures": trained.life.failures, "cap_h": trained.life.cap, "risk_version": version}
        version = await models.save(
            LIFE, name, trained.life.to_bytes(), report=told, fitted_ns=now_ns, trained_ns=span_ns
        )
        await models.promote(LIFE, name, version)


def _score(
    classes: Classes,
    models: Mapping[str, tuple[int, ClassModel]],
    lives: Mapping[str, tuple[int, RulModel]],
    now_ns: int,
) -> list[Statement]:
    now, detectors = now_ns / HOUR_NS, detectors_of(classes)
    statements: list[Statement] = []
    for name, members in classes.items():
        failures = sum(len(one.life.failures) for one in members.values())
        version, model = models.get(name, (None, ClassModel(None, None, failures)))
        for path, history in members.items():
            risks = tuple(assess(model, history, now, HORIZONS_H, detectors))
            life = None
            if name in lives and risks[0].basis is Basis.CALIBRATED:
                life = _life(*lives[name], history, now, detectors)
            statements.append(Statement(path, now_ns, risks, version, life))
    return statements


def _life(version: int, model: RulModel, history: History, now: float, detectors: Sequence[str]) -> RemainingLife:
    values, names = features(history, np.array([now]), detectors)
    hours, low, high = (float(one[0]) for one in model.predict(select(values, names, model.names)))
    return RemainingLife(hours, low, high, model.cap, model.failures, version)
