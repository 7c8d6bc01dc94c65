"""The two ways into the hot path: a batch of events in any order of signals, and one dense tick of all signals.

In: columns of a committed batch. Out: the blocks of `twin.kernels.layout`, changed in place, and sparse reports.
Both run the same `univariate.step`.
"""

import math

import numpy as np
from numpy.typing import NDArray

from twin.kernels.compiled import compiled, inlined
from twin.kernels.counters import count
from twin.kernels.episodes import advance
from twin.kernels.layout import (
    COUNTER,
    DETECTORS,
    ENTERED,
    MEASUREMENT,
    NEVER_NS,
    NO_KIND,
    QUALITY,
    RANGE,
    STATE,
    UNKNOWN_REGIME,
    Float,
    Record,
    Records,
)
from twin.kernels.univariate import ONE, SETTLE_NS, ZERO, F, enter_regime, step

SEVERITY = 3  # mask of twin.wire.reading.Quality
BAD = 2
ABSURD = 1.0e16  # no sensor says this; beyond it float32 moments overflow
EXCEEDS_QUALITY = 1 << QUALITY
EXCEEDS_RANGE = 1 << RANGE
EPISODE_BITS = 0x3FF  # open or pending


@compiled
def enter_state(
    code: float,
    time: int,
    asset: int,
    members: NDArray[np.int32],
    member_start: NDArray[np.int32],
    exact: Records,
    hot: Records,
    regimes: Records,
) -> None:
    """A machine enters a state: each of its measurements takes out the baseline of that state and settles."""
    number = int(code) if 0.0 <= code < UNKNOWN_REGIME else UNKNOWN_REGIME
    for m in range(member_start[asset], member_start[asset + 1]):
        j = members[m]
        enter_regime(hot[j], regimes[j], number)
        exact[j]["settle_until"] = time + SETTLE_NS


@inlined
def judge(
    exact_i: Record, hot_i: Record, config_i: Record, time: int, value: float, same: bool, dt_s: Float
) -> tuple[int, int, Float, Float]:
    """One good sample of a measurement; results as `univariate.step`. While settling only the range is judged."""
    low = float(config_i["low"])
    high = float(config_i["high"])
    if time < int(exact_i["settle_until"]):
        outside = EXCEEDS_RANGE if value < low or value > high else 0
        return outside, outside, ZERO, ZERO
    origin = float(exact_i["origin"])
    if math.isnan(origin):
        origin = value
        exact_i["origin"] = value
    return step(hot_i, low, high, config_i["gap_s"], origin, value, same, dt_s)


@compiled
def report_episodes(
    exact_i: Record,
    hot_i: Record,
    config_i: Record,
    episodes_i: Records,
    verdict: tuple[int, int, Float, Float],
    signal: int,
    reports: Records,
    used: int,
) -> int:
    """Advance the episodes of a signal that has something to say; returns how many `reports` are used now."""
    exceeded, doubtful, z, cusum = verdict
    time = int(exact_i["time"])
    value = float(exact_i["value"])
    centre = float(exact_i["origin"])
    scale = float(hot_i["inv_scale"])
    centre += float(hot_i["base"]) + float(hot_i["mean"]) / scale
    resolution = float(hot_i["step"])
    spread = math.sqrt(max(float(hot_i["var"]), resolution * resolution)) / scale
    beyond = 0.0
    if exceeded & EXCEEDS_RANGE:
        beyond = max(float(config_i["low"]) - value, value - float(config_i["high"]))
    scores = (ONE, F(beyond), abs(z), F(hot_i["run"]), cusum)
    off_ns = int(config_i["gap_ns"])
    return advance(
        hot_i, episodes_i, exceeded, doubtful, scores, time, off_ns, signal, value, centre, spread, reports, used
    )


@compiled
def events(
    signal: NDArray[np.int32],
    time: NDArray[np.int64],
    value: NDArray[np.float64],
    quality: NDArray[np.uint8],
    received: NDArray[np.int64],
    begin: int,
    node: int,
    exact: Records,
    hot: Records,
    regimes: Records,
    episodes: Records,
    counters: Records,
    config: Records,
    members: NDArray[np.int32],
    member_start: NDArray[np.int32],
    bounds: NDArray[np.int64],
    bound_start: NDArray[np.int32],
    reports: Records,
) -> tuple[int, int]:
    """Judge samples begin, begin+1, … of a batch, one after the other.

    signal [n] signal ids within the blocks; time [n] ns UTC; value [n] in the plant's unit, NaN counts as bad;
    quality [n] `Quality`; received [n] ns UTC; node: the batch's place in the engine's list of nodes.
    exact, hot [S]; regimes [S, REGIMES]; episodes [S, DETECTORS]; counters [slots]; config [S].
    members[member_start[a]:member_start[a+1]]: the measurements of asset a.
    bounds[bound_start[c]:bound_start[c+1]]: where the shifts of calendar c begin and end, ns UTC.

    Returns:
        where it stopped (n, or earlier when `reports` is nearly full: call again from there), and the reports used.
        A sample at or before the last one of its signal is counted as late and changes nothing else.
    """
    used = 0
    room = reports.shape[0] - DETECTORS
    for e in range(begin, signal.shape[0]):
        if used >= room:
            return e, used
        i = signal[e]
        t = time[e]
        exact_i = exact[i]
        config_i = config[i]
        kind = int(config_i["kind"])
        if kind == NO_KIND:
            continue
        before_ns = int(exact_i["time"])
        if t <= before_ns:
            exact_i["late"] = int(exact_i["late"]) + 1
            continue
        v = float(value[e])
        dt_s = ZERO if before_ns == NEVER_NS else F((t - before_ns) * 1e-9)
        before_bad = (int(exact_i["quality"]) & SEVERITY) >= BAD
        same = v == float(exact_i["value"]) and not before_bad
        exact_i["time"] = t
        exact_i["value"] = v
        exact_i["received"] = received[e]
        exact_i["quality"] = quality[e]
        exact_i["node"] = node
        hot_i = hot[i]
        verdict = (0, 0, ZERO, ZERO)
        if (int(quality[e]) & SEVERITY) >= BAD or not abs(v) < ABSURD:
            exact_i["bad"] = int(exact_i["bad"]) + 1
            verdict = (EXCEEDS_QUALITY, EXCEEDS_QUALITY, ZERO, ZERO)
        elif kind == MEASUREMENT:
            verdict = judge(exact_i, hot_i, config_i, t, v, same, dt_s)
        elif kind == COUNTER:
            c = int(config_i["calendar"])
            gap_ns = int(config_i["gap_ns"])
            count(counters[int(config_i["slot"])], t, v, gap_ns, bounds, int(bound_start[c]), int(bound_start[c + 1]))
        elif kind == STATE and int(config_i["machine_state"]) == 1 and not same:
            enter_state(v, t, int(config_i["asset"]), members, member_start, exact, hot, regimes)
            report = reports[used]
            report["what"] = ENTERED
            report["signal"] = i
            report["time"] = t
            report["value"] = v
            used += 1
        if verdict[0] != 0 or (int(hot_i["flags"]) & EPISODE_BITS) != 0:
            used = report_episodes(exact_i, hot_i, config_i, episodes[i], verdict, i, reports, used)
    return signal.shape[0], used


@compiled
def tick(
    value: NDArray[np.float64],
    before: NDArray[np.float64],
    origin: NDArray[np.float64],
    dt_s: Float,
    hot: Records,
    config: Records,
    z: NDArray[np.float32],
    exceeded: NDArray[np.uint8],
) -> None:
    """One value of every signal at one instant, dt_s after the one before.

    value [S] in the plant's unit, NaN = none; before [S]: the values of the last tick, changed in place;
    origin [S]; hot, config [S]; out: z [S] standard deviations, exceeded [S] bits of the detectors.
    """
    for i in range(value.shape[0]):
        v = float(value[i])
        if not abs(v) < ABSURD:
            z[i] = ZERO
            exceeded[i] = EXCEEDS_QUALITY
            continue
        c = config[i]
        same = v == float(before[i])
        bits, _, score, _ = step(
            hot[i], float(c["low"]), float(c["high"]), c["gap_s"], float(origin[i]), v, same, F(dt_s)
        )
        before[i] = v
        z[i] = score
        exceeded[i] = bits
