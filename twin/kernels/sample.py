"""One sample of one signal: the last value, then judged, counted or entered as a state, then its episodes.

In: a row of a batch. Out: the blocks of `twin.kernels.layout`, changed in place, and sparse reports.
"""

import math

import numpy as np

from twin.kernels.compiled import compiled, inlined
from twin.kernels.counters import count as count_parts
from twin.kernels.episodes import advance
from twin.kernels.layout import (
    BASE,
    COUNTER,
    ENTERED,
    INV_SCALE,
    MEAN,
    MEASUREMENT,
    NEVER_NS,
    NO_KIND,
    QUALITY,
    RANGE,
    RUN,
    STATE,
    STEP,
    VAR,
    Blocks,
    Columns,
    Float,
    Model,
    Record,
    Records,
    Scalar,
)
from twin.kernels.regimes import enter_state, place
from twin.kernels.univariate import ONE, ZERO, F, Hot, step

SEVERITY = 3  # mask of twin.wire.reading.Quality
BAD = 2
ABSURD = 1.0e16  # no sensor says this; beyond it float32 moments overflow
EXCEEDS_QUALITY = 1 << QUALITY
EXCEEDS_RANGE = 1 << RANGE
EPISODE_BITS = 0x3FF  # open or pending


@inlined
def is_good(quality: int, value: float) -> bool:
    """Whether the sample says something about its signal."""
    return (quality & SEVERITY) < BAD and abs(value) < ABSURD


@inlined
def seconds_between(before_ns: int, time: int) -> Float:
    """Seconds since the value before; 0 for the first one."""
    return ZERO if before_ns == NEVER_NS else F((time - before_ns) * 1e-9)


@inlined
def note(exact_i: Record, time: Scalar, value: Scalar, quality: Scalar, received: Scalar, node: int) -> None:
    """This is the last sample of its signal."""
    exact_i["time"] = time
    exact_i["value"] = value
    exact_i["received"] = received
    exact_i["quality"] = quality
    exact_i["node"] = node


@inlined
def repeats_last(exact_i: Record, value: float) -> bool:
    """Whether the last sample was a good one of the same value."""
    return value == float(exact_i["value"]) and (int(exact_i["quality"]) & SEVERITY) < BAD


@inlined
def scaled(value: float, origin: float, base: Float, inv_scale: Float) -> Float:
    """The value as the baseline knows it."""
    return (F(value - origin) - base) * inv_scale


@inlined
def relative(exact_i: Record, hot: Hot, at: np.uint64, value: float) -> Float:
    """The value relative to what the signal was first; the first good value becomes the origin."""
    if math.isnan(float(exact_i["origin"])):
        exact_i["origin"] = value
    return scaled(value, float(exact_i["origin"]), hot[at + BASE], hot[at + INV_SCALE])


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
def take(e: int, columns: Columns, blocks: Blocks, model: Model, reports: Records, used: int) -> int:
    """Sample `e` of a batch by itself; returns how many `reports` are used now."""
    i = columns.signal[e]
    t = columns.time[e]
    exact_i = blocks.exact[i]
    config_i = model.config[i]
    kind = int(config_i["kind"])
    if kind == NO_KIND:
        return used
    before_ns = int(exact_i["time"])
    if t <= before_ns:
        exact_i["late"] = int(exact_i["late"]) + 1
        return used
    v = float(columns.value[e])
    same = repeats_last(exact_i, v)
    note(exact_i, t, v, columns.quality[e], columns.received[e], columns.node)
    verdict = (0, 0, ZERO, ZERO)
    if not is_good(int(columns.quality[e]), v):
        exact_i["bad"] = int(exact_i["bad"]) + 1
        verdict = (EXCEEDS_QUALITY, EXCEEDS_QUALITY, ZERO, ZERO)
    elif kind == MEASUREMENT:
        verdict = judge(exact_i, blocks.hot, place(i), config_i, t, v, same, seconds_between(before_ns, t))
    elif kind == COUNTER:
        c = int(config_i["calendar"])
        begin, end = int(model.bound_start[c]), int(model.bound_start[c + 1])
        count_parts(blocks.counters[int(config_i["slot"])], t, v, int(config_i["gap_ns"]), model.bounds, begin, end)
    elif kind == STATE and int(config_i["machine_state"]) == 1 and not same:
        enter_state(v, t, int(config_i["asset"]), blocks, model)
        report = reports[used]
        report["what"] = ENTERED
        report["signal"] = i
        report["time"] = t
        report["value"] = v
        used += 1
    if verdict[0] != 0 or (int(exact_i["flags"]) & EPISODE_BITS) != 0:
        used = report_episodes(exact_i, blocks.hot, config_i, blocks.episodes[i], verdict, i, reports, used)
    return used
