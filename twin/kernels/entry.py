"""The two ways into the hot path: a batch of events in any order of signals, and one dense tick of all signals.

In: columns of a committed batch. Out: the blocks of `twin.kernels.layout`, changed in place, and sparse reports.
Both run the same `univariate.step`.
"""

import math

import numpy as np
from numpy.typing import NDArray

from twin.kernels.compiled import compiled, inlined
from twin.kernels.counters import count as count_parts
from twin.kernels.episodes import advance
from twin.kernels.layout import (
    BASE,
    BLOCK,
    COUNTER,
    DETECTORS,
    ENTERED,
    INV_SCALE,
    LANES,
    MEAN,
    MEASUREMENT,
    NEVER_NS,
    NO_KIND,
    QUALITY,
    RANGE,
    RUN,
    STATE,
    STEP,
    UNKNOWN_REGIME,
    VAR,
    Float,
    Record,
    Records,
)
from twin.kernels.univariate import (
    ONE,
    S_CUSUM,
    S_DT_S,
    S_EXCEEDED,
    S_GAP_S,
    S_PRESENT,
    S_SAME,
    S_X,
    S_Z,
    SETTLE_NS,
    WIDTH,
    ZERO,
    F,
    Hot,
    enter_regime,
    no_samples,
    step,
    step_block,
)

WIDE = np.uint64(BLOCK)
ONE_LANE = np.uint64(1)
SEVERITY = 3  # mask of twin.wire.reading.Quality
BAD = 2
ABSURD = 1.0e16  # no sensor says this; beyond it float32 moments overflow
EXCEEDS_QUALITY = 1 << QUALITY
EXCEEDS_RANGE = 1 << RANGE
EPISODE_BITS = 0x3FF  # open or pending
WORTH_PACKING = 3  # fewer samples in a block are faster one by one


@compiled
def enter_state(
    code: float,
    time: int,
    asset: int,
    members: NDArray[np.int32],
    member_start: NDArray[np.int32],
    exact: Records,
    hot: Hot,
    regimes: Records,
) -> None:
    """A machine enters a state: each of its measurements takes out the baseline of that state and settles."""
    number = int(code) if 0.0 <= code < UNKNOWN_REGIME else UNKNOWN_REGIME
    for m in range(member_start[asset], member_start[asset + 1]):
        j = members[m]
        enter_regime(exact[j], hot, place(j), regimes[j], number)
        exact[j]["settle_until"] = time + SETTLE_NS


@inlined
def place(signal: int) -> np.uint64:
    """Where the first row of a signal stands in the hot memory."""
    i = np.uint64(signal)
    return i // WIDTH * WIDE + i % WIDTH


@inlined
def relative(exact_i: Record, hot: Hot, at: np.uint64, value: float) -> Float:
    """The value relative to what the signal was first; the first good value becomes the origin."""
    if math.isnan(float(exact_i["origin"])):
        exact_i["origin"] = value
    return (F(value - float(exact_i["origin"])) - hot[at + BASE]) * hot[at + INV_SCALE]


@inlined
def is_plain(exact_i: Record, config_i: Record, time: int, value: float) -> bool:
    """Whether the sample may wait for its neighbours: nothing open, nothing settling, within the range."""
    inside = float(config_i["low"]) <= value <= float(config_i["high"])
    return inside and (int(exact_i["flags"]) & EPISODE_BITS) == 0 and time >= int(exact_i["settle_until"])


@compiled
def judge(
    exact_i: Record, hot: Hot, at: np.uint64, config_i: Record, time: int, value: float, same: bool, dt_s: Float
) -> tuple[int, int, Float, Float]:
    """One good sample of a measurement; results as `univariate.step`. While settling only the range is judged."""
    if value < float(config_i["low"]) or value > float(config_i["high"]):
        return EXCEEDS_RANGE, EXCEEDS_RANGE, ZERO, ZERO
    if time < int(exact_i["settle_until"]):
        return 0, 0, ZERO, ZERO
    return step(hot, at, int(exact_i["flags"]), relative(exact_i, hot, at, value), same, dt_s, config_i["gap_s"])


@compiled
def report_episodes(
    exact_i: Record,
    hot: Hot,
    config_i: Record,
    episodes_i: Records,
    verdict: tuple[int, int, Float, Float],
    signal: int,
    reports: Records,
    used: int,
) -> int:
    """Advance the episodes of a signal that has something to say; returns how many `reports` are used now."""
    exceeded, doubtful, z, cusum = verdict
    at = place(signal)
    time = int(exact_i["time"])
    value = float(exact_i["value"])
    scale = float(hot[at + INV_SCALE])
    centre = float(exact_i["origin"]) + float(hot[at + BASE]) + float(hot[at + MEAN]) / scale
    resolution = float(hot[at + STEP])
    spread = math.sqrt(max(float(hot[at + VAR]), resolution * resolution)) / scale
    beyond = 0.0
    if exceeded & EXCEEDS_RANGE:
        beyond = max(float(config_i["low"]) - value, value - float(config_i["high"]))
    scores = (ONE, F(beyond), abs(z), hot[at + RUN], cusum)
    off_ns = int(config_i["gap_ns"])
    return advance(
        exact_i, episodes_i, exceeded, doubtful, scores, time, off_ns, signal, value, centre, spread, reports, used
    )


@compiled
def neighbours(signal: NDArray[np.int32]) -> int:
    """How many samples follow one of another signal in the same block: these can be judged together."""
    found = 0
    for e in range(1, signal.shape[0]):
        found += (signal[e] > signal[e - 1]) & (signal[e] // LANES == signal[e - 1] // LANES)
    return found


@compiled
def settle(
    samples: Hot,
    block: int,
    count: int,
    exact: Records,
    hot: Hot,
    config: Records,
    episodes: Records,
    reports: Records,
    used: int,
) -> int:
    """Judge the `count` samples that wait for each other in `block`; returns the reports used.

    An episode never opens with its first sample, so nothing is reported here, and the order of reports does not
    depend on when a block is settled.
    """
    if count == 0:
        return used
    begin = np.uint64(block) * WIDE
    if count >= WORTH_PACKING:
        step_block(hot, begin, samples)
    for lane in range(WIDTH):
        if samples[S_PRESENT + lane] == ZERO:
            continue
        if count < WORTH_PACKING:
            exceeded, _, z, cusum = step(
                hot,
                begin + lane,
                0,
                samples[S_X + lane],
                samples[S_SAME + lane] != ZERO,
                samples[S_DT_S + lane],
                samples[S_GAP_S + lane],
            )
        else:
            exceeded, z, cusum = int(samples[S_EXCEEDED + lane]), samples[S_Z + lane], samples[S_CUSUM + lane]
        samples[S_PRESENT + lane] = ZERO
        if exceeded != 0:
            i = block * LANES + int(lane)
            verdict = (exceeded, exceeded, z, cusum)
            used = report_episodes(exact[i], hot, config[i], episodes[i], verdict, i, reports, used)
    return used


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
    hot: Hot,
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
    exact, config [S]; hot [ceil(S / LANES) * BLOCK]; regimes [S, REGIMES]; episodes [S, DETECTORS]; counters [slots].
    members[member_start[a]:member_start[a+1]]: the measurements of asset a.
    bounds[bound_start[c]:bound_start[c+1]]: where the shifts of calendar c begin and end, ns UTC.

    Returns:
        where it stopped (n, or earlier when `reports` is nearly full: call again from there), and the reports used.
        A sample at or before the last one of its signal is counted as late and changes nothing else.
    """
    used = 0
    room = reports.shape[0] - DETECTORS
    samples = no_samples()
    block = 0
    count = 0
    packing = 2 * neighbours(signal) > signal.shape[0]
    for e in range(begin, signal.shape[0]):
        if used >= room:
            return e, settle(samples, block, count, exact, hot, config, episodes, reports, used)
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
        lane = np.uint64(i) % WIDTH
        if count > 0 and (i // LANES != block or samples[S_PRESENT + lane] != ZERO):
            used = settle(samples, block, count, exact, hot, config, episodes, reports, used)
            count = 0
        at = place(i)
        v = float(value[e])
        dt_s = ZERO if before_ns == NEVER_NS else F((t - before_ns) * 1e-9)
        before_bad = (int(exact_i["quality"]) & SEVERITY) >= BAD
        same = v == float(exact_i["value"]) and not before_bad
        exact_i["time"] = t
        exact_i["value"] = v
        exact_i["received"] = received[e]
        exact_i["quality"] = quality[e]
        exact_i["node"] = node
        verdict = (0, 0, ZERO, ZERO)
        if (int(quality[e]) & SEVERITY) >= BAD or not abs(v) < ABSURD:
            exact_i["bad"] = int(exact_i["bad"]) + 1
            verdict = (EXCEEDS_QUALITY, EXCEEDS_QUALITY, ZERO, ZERO)
        elif kind == MEASUREMENT:
            if packing and is_plain(exact_i, config_i, t, v):
                samples[S_X + lane] = relative(exact_i, hot, at, v)
                samples[S_SAME + lane] = ONE if same else ZERO
                samples[S_DT_S + lane] = dt_s
                samples[S_GAP_S + lane] = config_i["gap_s"]
                samples[S_PRESENT + lane] = ONE
                block = i // LANES
                count += 1
                continue
            verdict = judge(exact_i, hot, at, config_i, t, v, same, dt_s)
        elif kind == COUNTER:
            c = int(config_i["calendar"])
            gap_ns = int(config_i["gap_ns"])
            count_parts(
                counters[int(config_i["slot"])], t, v, gap_ns, bounds, int(bound_start[c]), int(bound_start[c + 1])
            )
        elif kind == STATE and int(config_i["machine_state"]) == 1 and not same:
            used = settle(samples, block, count, exact, hot, config, episodes, reports, used)
            count = 0
            enter_state(v, t, int(config_i["asset"]), members, member_start, exact, hot, regimes)
            report = reports[used]
            report["what"] = ENTERED
            report["signal"] = i
            report["time"] = t
            report["value"] = v
            used += 1
        if verdict[0] != 0 or (int(exact_i["flags"]) & EPISODE_BITS) != 0:
            used = report_episodes(exact_i, hot, config_i, episodes[i], verdict, i, reports, used)
    return signal.shape[0], settle(samples, block, count, exact, hot, config, episodes, reports, used)


@compiled
def tick(
    x: NDArray[np.float32],
    same: NDArray[np.bool_],
    dt_s: Float,
    gap_s: Float,
    hot: Hot,
    z: NDArray[np.float32],
    exceeded: NDArray[np.uint8],
) -> None:
    """One value of every signal at one instant, dt_s after the one before; nothing is open, all within their range.

    x [S] relative to the signal's origin; same [S] equal to the value before; gap_s: see `univariate.infer`;
    hot [ceil(S / LANES) * BLOCK], changed in place; out: z [S] standard deviations, exceeded [S] bits of the detectors.
    """
    samples = no_samples()
    size = np.uint64(x.shape[0])
    for lane in range(WIDTH):
        samples[S_DT_S + lane] = dt_s
        samples[S_GAP_S + lane] = gap_s
    for block in range((size + WIDTH - ONE_LANE) // WIDTH):
        start = block * WIDTH
        count = min(WIDTH, size - start)
        for lane in range(WIDTH):
            samples[S_PRESENT + lane] = ONE if lane < count else ZERO
        for lane in range(count):
            samples[S_X + lane] = x[start + lane]
            samples[S_SAME + lane] = ONE if same[start + lane] else ZERO
        step_block(hot, block * WIDE, samples)
        for lane in range(count):
            z[start + lane] = samples[S_Z + lane]
            exceeded[start + lane] = int(samples[S_EXCEEDED + lane])
