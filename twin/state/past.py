"""The state of the whole tree at a past instant, made of what the store keeps: playback.

In: newest values, machine states, open findings, gaps and counters at that instant. Out: `AssetState` per asset, as
`view` makes them for now. It says what is known of that instant today: what came late counts as if it had come at once.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from twin.plant.tree import Asset, Level, Plant, Signal
from twin.state.freshness import clock_time
from twin.state.model import (
    AssetState,
    Finding,
    Freshness,
    FreshnessReason,
    Production,
    ShiftNow,
    SignalValue,
    Transition,
)
from twin.state.rollup import roll_up
from twin.state.view import PRODUCED, health_of, is_fresh, signal_value, silent_signals
from twin.throughput.counting import count_series, new_counter
from twin.throughput.production import WINDOW_NS, rate_per_h
from twin.throughput.shifts import from_ns, to_ns
from twin.throughput.unit import Column, gap_ns


@dataclass(frozen=True, slots=True)
class StoredValue:
    """A value as it is kept."""

    time_ns: int
    value: float | str
    quality: int  # octet, see twin.wire.reading.Quality
    received_ns: int


@dataclass(frozen=True, slots=True)
class Past:
    """What the store knows of one instant; everything is keyed by path."""

    at_ns: int
    seq: int  # the last batch that is in it
    values: Mapping[str, StoredValue] = field(default_factory=dict[str, StoredValue])  # by signal
    machines: Mapping[str, Transition] = field(default_factory=dict[str, Transition])  # by asset
    findings: Sequence[Finding] = ()  # open at that instant
    gaps: Mapping[str, str] = field(default_factory=dict[str, str])  # signal → why nothing came just then
    counted: Mapping[str, Column] = field(default_factory=dict[str, Column])  # counter signal → samples since its shift


def counters(plant: Plant, at_ns: int) -> dict[str, tuple[int, int]]:
    """The counters that tell production, each with the span of samples that is needed for an instant."""
    found: dict[str, tuple[int, int]] = {}
    for signal in plant.signals:
        if signal.role in PRODUCED:
            shift = plant.calendar_of(signal.asset).shift_at(from_ns(at_ns))
            begin_ns = at_ns - WINDOW_NS
            found[signal.path] = (min(to_ns(shift.started_at), begin_ns) if shift else begin_ns, at_ns + 1)
    return found


def states_at(plant: Plant, past: Past) -> Iterator[AssetState]:
    """The state of every asset of the plant, in its order."""
    units: dict[str, AssetState] = {}
    for asset in plant.assets:
        if asset.level == Level.UNIT or not plant.children(asset.path):
            units[asset.path] = _unit(plant, asset, past)
    for asset in plant.assets:
        if asset.path in units:
            yield units[asset.path]
        else:
            below = [state for path, state in units.items() if path.startswith(asset.path + "/")]
            yield roll_up(plant, asset, below, past.at_ns, past.seq)


def _unit(plant: Plant, asset: Asset, past: Past) -> AssetState:
    signals = [plant.signal(path) for path in asset.signals]
    values: dict[str, SignalValue] = {}
    for signal in signals:
        kept = past.values.get(signal.path)
        if kept is not None:
            times = kept.time_ns, kept.received_ns
            values[signal.name] = signal_value(signal, kept.value, *times, kept.quality, past.at_ns)
    fresh = _freshness(signals, values, past)
    own = [finding for finding in past.findings if finding.asset == asset.path]
    findings = [*own, *silent_signals(signals, values, fresh, past.at_ns)]
    machine = past.machines.get(asset.path)
    return AssetState(
        path=asset.path,
        at_ns=past.at_ns,
        seq=past.seq,
        machine_state=machine,
        throughput=_production(plant, asset, signals, past),
        health=health_of(machine, findings, fresh),
        freshness=fresh,
        findings=tuple(findings),
        signals=values,
    )


def _freshness(signals: Sequence[Signal], values: dict[str, SignalValue], past: Past) -> Freshness:
    """As `twin.state.freshness`, but what gateways said then is not kept: the gap ledger gives the reason."""
    newest_ns = max((value.time_ns for value in values.values()), default=None)
    if newest_ns is None:
        return Freshness(None, None, FreshnessReason.NEVER, "No value had come from this asset by then.")
    age_s = max(0.0, (past.at_ns - newest_ns) / 1e9)
    live_s = max((signal.stale_after_s for signal in signals if is_fresh(values, signal)), default=0.0)
    if age_s <= live_s:
        return Freshness(newest_ns, age_s, FreshnessReason.LIVE, "Values arrive as expected.")
    why = next((past.gaps[signal.path] for signal in signals if signal.path in past.gaps), "no gap was recorded")
    return Freshness(newest_ns, age_s, FreshnessReason.STALE, f"Silent since {clock_time(newest_ns)}: {why}.")


def _production(plant: Plant, asset: Asset, signals: Sequence[Signal], past: Past) -> Production | None:
    """Counted by the rules of the live counters, from the last sample before the shift on."""
    produced = [signal for signal in signals if signal.role in PRODUCED]
    if not produced:
        return None
    shift = plant.calendar_of(asset.path).shift_at(from_ns(past.at_ns))
    started_ns = to_ns(shift.started_at) if shift else past.at_ns
    rates: list[float] = []
    total = estimated = 0
    for signal in produced:
        column = past.counted.get(signal.path)
        if column is None:
            continue
        memory = new_counter()
        made = count_series(memory, column.time, column.value, column.good, gap_ns(signal), signal.parts_per_count)
        inside = (made.at >= started_ns) & (made.at <= past.at_ns)
        total += int(made.parts[inside].sum())
        estimated += int(made.parts[inside & made.estimated].sum())
        rate = rate_per_h(memory[0], past.at_ns)
        if rate is not None:
            rates.append(rate)
    return Production(
        unit=PRODUCED[produced[0].role or ""],
        now_per_h=sum(rates) if rates else None,
        this_shift=total,
        estimated=estimated,
        shift=shift and ShiftNow(shift.name, to_ns(shift.started_at), to_ns(shift.ends_at)),
    )
