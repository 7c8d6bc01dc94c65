"""One sample of one signal: the last value, then judged, counted or entered as a state, then its episodes.

In: a row of a batch. Out: the blocks of `twin.kernels.layout`, changed in place, and sparse reports.
"""

import math

import numpy as np

from twin.kernels.blocks import end_block, tail_row
from twin.kernels.compiled import compiled, inlined
from twin.kernels.counters import count as count_parts
from twin.kernels.episodes import advance
from twin.kernels.layout import (
    BASE,
    COUNTER,
    CUSUM_DOWN,
    CUSUM_UP,
    DOWN_S,
    ENTERED,
    INV_SCALE,
    MEAN,
    MEASUREMENT,
    NEVER_NS,
    NO_KIND,
    NOISE_NOW,
    QUALITY,
    RANGE,
    RUN,
    SLOW_MEAN,
    STEP,
    UP_S,
    USUAL_NOISE,
    VAR,
    Blocks,
    Columns,
    Float,
    Model,
    Record,
    Records,
    Scalar,
)
from twin.kernels.regimes import enter_speed, enter_state, place
from twin.kernels.seasons import enter_hour
from twin.kernels.univariate import BLOCK_BIT, OPEN, PENDING, ZERO, F, Hot, step

SEVERITY = 3  # mask of twin.wire.reading.Quality
BAD = 2
ABSURD = 1.0e16  # no sensor says this; beyond it float32 moments overflow
EXCEEDS_QUALITY = 1 << QUALITY
EXCEEDS_RANGE = 1 << RANGE
EPISODE_BITS = OPEN | PENDING
STATE_CHOOSES, SPEED_CHOOSES = 1, 2  # values of CONFIG.chooses

Verdict = tuple[int, int, Float, Float, Float, Float, Float]  # as `univariate.step` gives it


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
    settled = int(exact_i["settle_until"]) <= time < int(exact_i["slot_until"])
    return inside and settled and (int(exact_i["flags"]) & EPISODE_BITS) == 0


@inlined
def silent() -> Verdict:
    """Nothing to say."""
    return 0, 0, ZERO, ZERO, ZERO, ZERO, ZERO


@compiled
def judge(signal: int, time: int, value: float, same: bool, dt_s: Float, blocks: Blocks, model: Model) -> Verdict:
    """One good sample of a measurement. While settling only the range is judged."""
    exact_i, config_i, at, hot = blocks.exact[signal], model.config[signal], place(signal), blocks.hot
    if value < float(config_i["low"]) or value > float(config_i["high"]):
        return EXCEEDS_RANGE, EXCEEDS_RANGE, ZERO, ZERO, ZERO, ZERO, ZERO
    if time < int(exact_i["settle_until"]):
        return silent()
    x = relative(exact_i, hot, at, value)
    if time >= int(exact_i["slot_until"]):
        enter_hour(signal, at, time, dt_s, blocks, model)
        x = relative(exact_i, hot, at, value)
    return step(hot, at, int(exact_i["flags"]), x, same, dt_s, config_i["gap_s"])


@compiled
def report_episodes(
    signal: int, verdict: Verdict, blocks: Blocks, config_i: Record, reports: Records, used: int
) -> int:
    """Advance the episodes of a signal that has something to say; returns how many `reports` are used now."""
    exceeded, doubtful, z, level, jump, creep, ratio = verdict
    exact_i, hot, at = blocks.exact[signal], blocks.hot, place(signal)
    value = float(exact_i["value"])
    if exceeded & OPEN or int(exact_i["flags"]) & EPISODE_BITS:
        scale = float(hot[at + INV_SCALE])
        centre = float(exact_i["origin"]) + float(hot[at + BASE]) + float(hot[at + MEAN]) / scale
        resolution = float(hot[at + STEP])
        spread = math.sqrt(max(float(hot[at + VAR]), resolution * resolution)) / scale
        beyond = 0.0
        if exceeded & EXCEEDS_RANGE:
            beyond = max(float(config_i["low"]) - value, value - float(config_i["high"]))
        scores = (ZERO, F(beyond), hot[at + RUN], abs(z), level, jump, creep, ratio)
        rises = hot[at + CUSUM_UP] >= hot[at + CUSUM_DOWN]
        rising_ns = int(float(hot[at + UP_S] if rises else hot[at + DOWN_S]) * 1e9)
        higher = 1 if hot[at + MEAN] >= hot[at + SLOW_MEAN] else -1
        noisier = 1 if hot[at + NOISE_NOW] >= hot[at + USUAL_NOISE] else -1
        above = 1 if z > ZERO else -1
        side = (above, 1 if rises else -1, above, higher, noisier)
        used = advance(
            exact_i,
            config_i,
            blocks,
            exceeded,
            doubtful,
            scores,
            signal,
            side,
            (centre, spread),
            rising_ns,
            reports,
            used,
        )
    if exceeded & BLOCK_BIT:
        end_block(exact_i, hot, at, config_i, blocks.tails[tail_row(exact_i, config_i)])
    return used


@compiled
def choose_regime(signal: int, time: int, value: float, blocks: Blocks, model: Model) -> bool:
    """Whether this sample is a machine's state; a state or a commanded speed chooses the regime of its asset."""
    config_i = model.config[signal]
    asset = int(config_i["asset"])
    if int(config_i["chooses"]) == SPEED_CHOOSES:
        enter_speed(value, float(config_i["low"]), float(config_i["high"]), time, asset, blocks, model)
        return False
    enter_state(value, time, asset, blocks, model)
    return True


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
    verdict = silent()
    if not is_good(int(columns.quality[e]), v):
        exact_i["bad"] = int(exact_i["bad"]) + 1
        verdict = (EXCEEDS_QUALITY, EXCEEDS_QUALITY, ZERO, ZERO, ZERO, ZERO, ZERO)
    elif kind == MEASUREMENT:
        verdict = judge(i, t, v, same, seconds_between(before_ns, t), blocks, model)
    elif kind == COUNTER:
        c = int(config_i["calendar"])
        begin, end = int(model.bound_start[c]), int(model.bound_start[c + 1])
        count_parts(blocks.counters[int(config_i["slot"])], t, v, int(config_i["gap_ns"]), model.bounds, begin, end)
    chooses = int(config_i["chooses"]) != 0 and verdict[0] & EXCEEDS_QUALITY == 0 and not same
    if chooses and choose_regime(i, t, v, blocks, model):
        report = reports[used]
        report["what"] = ENTERED
        report["signal"] = i
        report["time"] = t
        report["value"] = v
        used += 1
    if verdict[0] != 0 or (int(exact_i["flags"]) & EPISODE_BITS) != 0:
        used = report_episodes(i, verdict, blocks, config_i, reports, used)
    return used
