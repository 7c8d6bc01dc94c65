"""The twin's belief about one asset at one instant: what the page shows.

In: `TwinState`, the present instant, what the gateways say. Out: `AssetState`. Pure: asking changes nothing.
"""

import math

from twin.kernels.layout import NEVER_NS, Record
from twin.plant.tree import Asset, Kind, Level, Signal
from twin.state.freshness import Gateways, clock_time, freshness
from twin.state.model import (
    AssetState,
    Detector,
    Finding,
    Freshness,
    FreshnessReason,
    Health,
    Production,
    ShiftNow,
    SignalValue,
    Transition,
    finding_id,
)
from twin.state.rollup import roll_up
from twin.state.twin import TwinState
from twin.throughput.production import in_shift, rate_per_h
from twin.throughput.shifts import from_ns, to_ns

SEVERITY = 3  # mask of twin.wire.reading.Quality
_QUALITIES = ("good", "uncertain", "bad", "bad")
PRODUCED = {"good-count": "parts", "move-count": "moves"}
STALE_FACTOR = 2.0  # a single silent signal becomes a finding after this many times its allowed silence


def view(state: TwinState, path: str, now_ns: int, gateways: Gateways) -> AssetState:
    """The state of the asset at `path`; an asset with assets below it is the roll-up of its units."""
    asset = state.plant.asset(path)
    if asset.level != Level.UNIT and state.plant.children(path):
        units = [unit_view(state, unit, now_ns, gateways) for unit in units_below(state, path)]
        return roll_up(state.plant, asset, units, now_ns, state.seq)
    return unit_view(state, asset, now_ns, gateways)


def units_below(state: TwinState, path: str) -> list[Asset]:
    """Every asset below `path` that has none below itself, in the order of the plant model."""
    prefix = path + "/"
    below = (asset for asset in state.plant.assets if asset.path.startswith(prefix))
    return [asset for asset in below if not state.plant.children(asset.path)]


def unit_view(state: TwinState, asset: Asset, now_ns: int, gateways: Gateways) -> AssetState:
    """The state of one machine, crane or buffer."""
    signals = [state.plant.signal(path) for path in asset.signals]
    values: dict[str, SignalValue] = {}
    nodes: dict[str, None] = {}  # in order, without doubles
    for signal in signals:
        found = _last(state, signal, now_ns)
        if found is not None:
            values[signal.name], node = found
            if 0 <= node < len(state.nodes):
                nodes[state.nodes[node]] = None
    newest_ns = max((value.time_ns for value in values.values()), default=None)
    live_s = max((signal.stale_after_s for signal in signals if is_fresh(values, signal)), default=0.0)
    allowed_s = live_s or min((signal.stale_after_s for signal in signals), default=0.0)
    fresh = freshness(newest_ns, allowed_s, now_ns, list(nodes), gateways)
    findings = [*_open_findings(state, asset), *silent_signals(signals, values, fresh, now_ns)]
    machine = state.machines.get(asset.path)
    return AssetState(
        path=asset.path,
        at_ns=now_ns,
        seq=state.seq,
        machine_state=machine,
        throughput=_throughput(state, asset, signals, now_ns),
        health=health_of(machine, findings, fresh),
        freshness=fresh,
        findings=tuple(findings),
        signals=values,
        gateways=tuple(nodes),
    )


def _last(state: TwinState, signal: Signal, now_ns: int) -> tuple[SignalValue, int] | None:
    """The last value of a signal and the place of the node that brought it."""
    number = state.signal_ids.get(signal.path)
    if number is None:
        return None
    if signal.kind == Kind.TEXT:
        text = state.texts.get(number)
        if text is None:
            return None
        return signal_value(signal, text.text, text.time_ns, text.received_ns, text.quality, now_ns), text.node
    exact: Record = state.blocks.exact[number]
    if int(exact["time"]) == NEVER_NS:
        return None
    value, time_ns, received_ns = float(exact["value"]), int(exact["time"]), int(exact["received"])
    return signal_value(signal, value, time_ns, received_ns, int(exact["quality"]), now_ns), int(exact["node"])


def signal_value(
    signal: Signal, value: float | str, time_ns: int, received_ns: int, quality: int, now_ns: int
) -> SignalValue:
    """A value as people read it: whole where it counts or names a state, None where it is no number."""
    if isinstance(value, float):
        whole = signal.kind != Kind.MEASUREMENT and value.is_integer()
        shown = None if not math.isfinite(value) else int(value) if whole else value
    else:
        shown = value
    return SignalValue(
        value=shown,
        time_ns=time_ns,
        received_ns=received_ns,
        quality=_QUALITIES[quality & SEVERITY],
        fresh=now_ns - time_ns <= signal.stale_after_s * 1e9,
    )


def is_fresh(values: dict[str, SignalValue], signal: Signal) -> bool:
    """Whether the signal has a value that is not too old."""
    return signal.name in values and values[signal.name].fresh


def _open_findings(state: TwinState, asset: Asset) -> list[Finding]:
    numbers = {state.signal_ids[path] for path in asset.signals if path in state.signal_ids}
    return [finding for (number, _), finding in sorted(state.findings.items()) if number in numbers]


def silent_signals(
    signals: list[Signal], values: dict[str, SignalValue], fresh: Freshness, now_ns: int
) -> list[Finding]:
    """Measurements that are silent while the asset speaks; when all of it is silent, `freshness` says so once."""
    if fresh.reason != FreshnessReason.LIVE:
        return []
    found: list[Finding] = []
    for signal in signals:
        value = values.get(signal.name)
        if value is None or signal.kind != Kind.MEASUREMENT:
            continue
        silent_s = (now_ns - value.time_ns) / 1e9
        if silent_s > STALE_FACTOR * signal.stale_after_s:
            message = f"{signal.title or signal.name} is silent since {clock_time(value.time_ns)}; the rest arrives"
            found.append(
                Finding(
                    id=finding_id(signal.path, Detector.STALE, value.time_ns),
                    asset=signal.asset,
                    signal=signal.path,
                    detector=Detector.STALE.value,
                    since_ns=value.time_ns,
                    until_ns=None,
                    score=signal.stale_after_s,
                    message=message,
                )
            )
    return found


def _throughput(state: TwinState, asset: Asset, signals: list[Signal], now_ns: int) -> Production | None:
    produced = [signal for signal in signals if signal.role in PRODUCED]
    slots = [state.slots[state.signal_ids[s.path]] for s in produced if s.path in state.signal_ids]
    if not slots:
        return None
    shift = state.plant.calendar_of(asset.path).shift_at(from_ns(now_ns))
    records: list[Record] = [state.blocks.counters[slot] for slot in slots]
    rates = [rate for rate in (rate_per_h(record, now_ns) for record in records) if rate is not None]
    totals = [in_shift(record, to_ns(shift.started_at)) for record in records] if shift else []
    return Production(
        unit=PRODUCED[produced[0].role or ""],
        now_per_h=sum(rates) if rates else None,
        this_shift=sum(total for total, _ in totals),
        estimated=sum(estimated for _, estimated in totals),
        shift=shift and ShiftNow(shift.name, to_ns(shift.started_at), to_ns(shift.ends_at)),
    )


def health_of(machine: Transition | None, findings: list[Finding], fresh: Freshness) -> Health:
    """The worst that is known of a unit."""
    if any(finding.detector in {Detector.RANGE, Detector.QUALITY} for finding in findings):
        return Health.BAD
    if fresh.reason in {FreshnessReason.NEVER, FreshnessReason.STALE, FreshnessReason.GATEWAY_OFFLINE}:
        return Health.UNKNOWN
    if machine is not None and machine.category == "OutOfService":
        return Health.BAD
    if findings or fresh.reason == FreshnessReason.LATE:
        return Health.WARNING
    return Health.GOOD
