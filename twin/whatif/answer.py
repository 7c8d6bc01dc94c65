"""A scenario and its base case, run with the same luck → what the planner reads. Pure.

Throughput quantiles over the horizon and as a fan in time, the paired difference with its 95 % interval, who is the
bottleneck and what a faster one would bring, when each asset runs dry and is back, who takes over, how late orders are.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from twin.errors import ConfigError
from twin.plant.tree import Plant
from twin.whatif.analytic import bounds
from twin.whatif.back_test import Trust
from twin.whatif.build import Setting, build
from twin.whatif.model import Flow
from twin.whatif.outcome import quantiles_of, site_of
from twin.whatif.scenario import Closed, Down, ScenarioText, changed_flow, changed_setting, resources_of
from twin.whatif.sensitivity import MOST_TRIED, confirmed, replications_for, sensitivities
from twin.whatif.simulate import Milestone, Plan, Runs, simulate
from twin.whatif.statement import Answer, AssetAnswer, Fan, OrderAnswer, Output
from twin.whatif.takeover import takeovers

_STARVED, _RECOVERED = 0.5, 0.95  # of the base case's output
_SMOOTH = 3  # buckets


def answer(
    plant: Plant,
    scenario: ScenarioText,
    setting: Setting,
    *,
    trust: Trust | None = None,
    progress: Callable[[int, int], None] | None = None,
    threads: int | None = None,
) -> Answer:
    """Simulate the base case and the scenario; `progress(done, all)` counts replications of all cases.

    Raises:
        ConfigError: the scenario names something that the plant does not have.
    """
    base_flow = build(plant, scenario.under, setting)
    flow = changed_case(plant, scenario, setting)
    milestones = tuple(Milestone(counted(flow, one.asset), one.things) for one in scenario.orders)
    plan = Plan(
        scenario.horizon_s,
        scenario.replications,
        scenario.seed,
        scenario.buckets,
        milestones=milestones,
        threads=threads,
        # On one engine both: the difference is then of the scenario alone.
        engine="calendar" if scenario.orders else "auto",
    )
    trust = trust or Trust()
    few = replace(plan, replications=replications_for(scenario.replications))
    done, total = 0, replications_of(scenario)

    def count(more: int) -> None:
        nonlocal done
        done += more
        if progress:
            progress(min(done, total), total)

    base = simulate(base_flow, plan, count)
    changed = simulate(flow, plan, count)
    tried = _likely(changed) if scenario.sensitivity else []
    gains = sensitivities(changed, flow, few, tried, count)
    if progress:
        progress(total, total)  # fewer resources may have been worth a trial than were counted on
    sites = list(dict.fromkeys(site_of(name) for name in base.flow.outputs))
    return Answer(
        scenario.title,
        scenario.under,
        base.horizon_s,
        scenario.replications,
        changed.engine,
        [_output(site, base, changed) for site in sites],
        [_fan(site, base, changed) for site in sites],
        _assets(base, changed),
        [_order(one.asset, one.things, one.due_s, at, base, changed) for at, one in enumerate(scenario.orders)],
        gains,
        {site: confirmed([one for one in gains if site_of(one.asset) == site]) for site in sites} if tried else {},
        takeovers(plant, _closed(plant, flow, scenario), base, changed),
        trust.words,
        list(trust.tests),
    )


def replications_of(scenario: ScenarioText) -> int:
    """Of all cases together, at the most: what progress counts on."""
    tried = MOST_TRIED if scenario.sensitivity else 0
    return 2 * scenario.replications + tried * replications_for(scenario.replications)


def _likely(runs: Runs) -> list[str]:
    """The resources that may be the bottleneck, of every site the busiest ones."""
    likeness = _likeness(runs)
    works = {one.resource for one in runs.flow.operations if not one.idle}
    order: list[int] = np.argsort(-likeness).tolist()
    names = [runs.flow.resources[at].name for at in order if runs.spent[at, 0] > 0]
    return [name for name in names if name in works][:MOST_TRIED]


def _closed(plant: Plant, flow: Flow, scenario: ScenarioText) -> frozenset[str]:
    """Every resource that is down or closed for some time."""
    found: frozenset[str] = frozenset()
    for at, change in enumerate(scenario.changes):
        if isinstance(change, Down | Closed):
            found |= resources_of(plant, flow, change.asset, at)
    return found


def changed_case(plant: Plant, scenario: ScenarioText, setting: Setting) -> Flow:
    """The flow as the scenario makes it.

    Raises:
        ConfigError: the scenario names something that the plant, or the simulated part of it, does not have.
    """
    changed = changed_setting(plant, setting, scenario.changes)
    flow = changed_flow(plant, build(plant, scenario.under, changed), scenario.changes)
    makers = {one.resource for one in flow.operations}
    strange = [one.asset for one in scenario.orders if one.asset not in makers]
    if strange:
        raise ConfigError(f"orders: {strange[0]!r} makes nothing in the simulated part; name a machine in it")
    return flow


def counted(flow: Flow, asset: str) -> str:
    """The operation that counts an asset's things: its own, or for a crane its last."""
    names = [one.name for one in flow.operations if one.resource == asset and not one.idle]
    return names[-1] if names else asset


def _per_bucket(runs: Runs, site: str) -> NDArray[np.float64]:
    """[N, B] things per bucket of one site."""
    mine = [at for at, name in enumerate(runs.flow.outputs) if site_of(name) == site]
    total = runs.done[:, mine, :].sum(axis=1)
    return np.diff(total, axis=1, prepend=0).astype(np.float64)


def _output(site: str, base: Runs, changed: Runs) -> Output:
    before, after = (_per_bucket(runs, site).sum(axis=1) for runs in (base, changed))
    gap = after - before
    error = float(1.96 * gap.std(ddof=1) / np.sqrt(len(gap)))
    mean = float(gap.mean())
    outputs = tuple(name for name in changed.flow.outputs if site_of(name) == site)
    operations = tuple(one for one in changed.flow.operations if site_of(one.resource) == site)
    resources = tuple(one for one in changed.flow.resources if site_of(one.name) == site)
    alone = replace(changed.flow, outputs=outputs, operations=operations, resources=resources)
    most = bounds(alone).most_per_h
    return Output(site, quantiles_of(before), quantiles_of(after), mean, mean - error, mean + error, most)


def _fan(site: str, base: Runs, changed: Runs) -> Fan:
    ends = [(at + 1) * base.bucket_s for at in range(base.done.shape[2])]

    def levels(runs: Runs) -> dict[str, list[float]]:
        found = np.quantile(_per_bucket(runs, site), (0.05, 0.5, 0.95), axis=0)
        return dict(zip(("q05", "q50", "q95"), found.tolist(), strict=True))

    return Fan(site, ends, levels(base), levels(changed))


def _assets(base: Runs, changed: Runs) -> list[AssetAnswer]:
    found: list[AssetAnswer] = []
    likeness = {id(runs): _likeness(runs) for runs in (base, changed)}
    before_at = {one.name: at for at, one in enumerate(base.flow.resources)}
    for at, one in enumerate(changed.flow.resources):
        if any(work.resource == one.name and not work.idle for work in changed.flow.operations):
            was = before_at[one.name]
            starves, recovers = _dry(one.name, base, changed)
            work, down, blocked, _ = (float(share) for share in changed.spent[at])
            found.append(AssetAnswer(
                one.name, float(base.spent[was, 0]), work, down, blocked, float(likeness[id(base)][was]),
                float(likeness[id(changed)][at]), starves, recovers))  # fmt: skip
    return found


def _likeness(runs: Runs) -> NDArray[np.float64]:
    """Work, repairs and setups of each resource over those of the busiest of its site."""
    active = runs.spent[:, [0, 1, 3]].sum(axis=1)
    sites = [site_of(one.name) for one in runs.flow.resources]
    most = {
        site: max(float(value) for value, mine in zip(active, sites, strict=True) if mine == site) for site in sites
    }
    return np.array([value / (most[site] or 1.0) for value, site in zip(active, sites, strict=True)])


def _dry(resource: str, base: Runs, changed: Runs) -> tuple[float | None, float | None]:
    """When the resource's mean output falls below half of the base case, and from when it is back."""
    before, after = (_mean_output(resource, runs) for runs in (base, changed))
    usual = np.maximum(before, 1e-9)
    low = (after < _STARVED * usual) & (before > 0)
    if not low.any():
        return None, None
    first = int(np.argmax(low))
    weak = np.flatnonzero((after < _RECOVERED * usual) & (before > 0))
    weak = weak[weak >= first]
    gaps = np.flatnonzero(np.diff(weak) > _SMOOTH)
    last = int(weak[gaps[0]] if len(gaps) else weak[-1])
    recovered = None if last >= len(before) - 1 else (last + 1) * base.bucket_s
    return first * base.bucket_s, recovered


def _mean_output(resource: str, runs: Runs) -> NDArray[np.float64]:
    mine = [at for at, one in enumerate(runs.flow.operations) if one.resource == resource and not one.idle]
    each = np.diff(runs.total[mine].sum(axis=0), prepend=0.0)
    return np.asarray(np.convolve(each, np.ones(_SMOOTH) / _SMOOTH, mode="same"), np.float64)


def _order(asset: str, things: int, due_s: float, at: int, base: Runs, changed: Runs) -> OrderAnswer:
    before, after = base.reached_s[:, at], changed.reached_s[:, at]
    ended = after[np.isfinite(after)]
    late = quantiles_of(np.maximum(ended - due_s, 0.0)) if len(ended) else None
    return OrderAnswer(asset, things, due_s, float((before <= due_s).mean()), float((after <= due_s).mean()), late)
