"""The two ways into the hot path: a batch of events in any order of signals, and one dense tick of all signals.

In: columns of a committed batch. Out: the blocks of `twin.kernels.layout`, changed in place, and sparse reports.
Both run the same rule, `univariate.infer`, and it does not matter which samples it advances together.
"""

import numpy as np
from numpy.typing import NDArray

from twin.kernels.blocks import end_block, tail_row
from twin.kernels.compiled import compiled
from twin.kernels.layout import (
    DETECTORS,
    LANES,
    MEASUREMENT,
    WIDE,
    WIDTH,
    Blocks,
    Columns,
    Float,
    Model,
    Records,
)
from twin.kernels.packed import (
    S_DT_S,
    S_EXCEEDED,
    S_GAP_S,
    S_PRESENT,
    S_SAME,
    S_X,
    S_Z,
    no_samples,
    step_block,
)
from twin.kernels.regimes import place
from twin.kernels.runs import (
    CHUNK,
    L_END,
    L_ROW,
    WORTH_PACKING,
    advance_together,
    lay_out,
    no_runs,
    packed_verdict,
    repeats,
)
from twin.kernels.sample import (
    is_good,
    is_plain,
    note,
    relative,
    repeats_last,
    report_episodes,
    seconds_between,
    take,
)
from twin.kernels.tails import p_value
from twin.kernels.univariate import BLOCK_BIT, ONE, ZERO, Hot, step

ONE_LANE = np.uint64(1)
FIRST = np.uint64(0)  # instant


@compiled
def neighbours(signal: NDArray[np.int32]) -> int:
    """How many samples follow one of another signal in the same block: these can be judged together."""
    found = 0
    for e in range(1, signal.shape[0]):
        found += (signal[e] > signal[e - 1]) & (signal[e] // LANES == signal[e - 1] // LANES)
    return found


@compiled
def settle(samples: Hot, block: int, count: int, blocks: Blocks, config: Records, reports: Records, used: int) -> int:
    """Judge the `count` samples that wait for each other in `block`; returns the reports used.

    An episode never opens with its first sample, so nothing is reported here, and the order of reports does not
    depend on when a block is settled.
    """
    if count == 0:
        return used
    begin = np.uint64(block) * WIDE
    if count >= WORTH_PACKING:
        step_block(blocks.hot, begin, samples, FIRST)
    for lane in range(WIDTH):
        if samples[S_PRESENT + lane] == ZERO:
            continue
        if count < WORTH_PACKING:
            verdict = step(
                blocks.hot,
                begin + lane,
                0,
                samples[S_X + lane],
                samples[S_SAME + lane] != ZERO,
                samples[S_DT_S + lane],
                samples[S_GAP_S + lane],
            )
        else:
            verdict = packed_verdict(samples, FIRST + lane)
        samples[S_PRESENT + lane] = ZERO
        if verdict[0] != 0:
            i = block * LANES + int(lane)
            used = report_episodes(i, verdict, blocks, config[i], reports, used)
    return used


@compiled
def sorted_events(columns: Columns, begin: int, blocks: Blocks, model: Model, reports: Records) -> tuple[int, int]:
    """`events` for batches that are sorted by signal, or nearly."""
    used = 0
    samples = no_samples(CHUNK)
    rows, values = no_runs()
    size = columns.signal.shape[0]
    e = begin
    while e < size:
        room = (reports.shape[0] - used) // DETECTORS  # a sample has no more than so many reports
        if room < min(size - e, reports.shape[0] // (2 * DETECTORS)):
            return e, used
        end = lay_out(e, min(size, e + room), columns.signal, model.config, rows)
        if end > e:
            block = columns.signal[e] // LANES
            advance_together(block, rows, values, samples, columns, blocks, model.config, reports, used)
        else:
            end = e + 1
        while e < end:
            lane = np.uint64(columns.signal[e]) % WIDTH
            run_end = max(rows[L_END + lane], e + 1)
            for row in range(max(rows[L_ROW + lane], e), run_end):
                used = take(row, columns, blocks, model, reports, used)
            e = run_end
    return e, used


@compiled
def mixed_events(columns: Columns, begin: int, blocks: Blocks, model: Model, reports: Records) -> tuple[int, int]:
    """`events` for batches in any order: neighbours of one block are judged together."""
    used = 0
    room = reports.shape[0] - DETECTORS
    samples = no_samples(1)
    block = 0
    count = 0
    signal, time, value, quality, received, node = columns
    exact, hot, config = blocks.exact, blocks.hot, model.config
    size = signal.shape[0]
    packing = 2 * neighbours(signal) > size
    for e in range(begin, size):
        if used >= room:
            return e, settle(samples, block, count, blocks, config, reports, used)
        i = signal[e]
        t = time[e]
        v = float(value[e])
        exact_i = exact[i]
        config_i = config[i]
        lane = np.uint64(i) % WIDTH
        alone = int(config_i["chooses"]) != 0  # it changes the baselines of others
        if count > 0 and (alone or i // LANES != block or samples[S_PRESENT + lane] != ZERO):
            used = settle(samples, block, count, blocks, config, reports, used)
            count = 0
        before_ns = int(exact_i["time"])
        measured = packing and not alone and int(config_i["kind"]) == MEASUREMENT and t > before_ns
        if measured and is_good(int(quality[e]), v) and is_plain(exact_i, config_i, t, v):
            samples[S_SAME + lane] = ONE if repeats_last(exact_i, v) else ZERO
            note(exact_i, t, v, quality[e], received[e], node)
            samples[S_X + lane] = relative(exact_i, hot, place(i), v)
            samples[S_DT_S + lane] = seconds_between(before_ns, t)
            samples[S_GAP_S + lane] = config_i["gap_s"]
            samples[S_PRESENT + lane] = ONE
            block = i // LANES
            count += 1
            continue
        used = take(e, columns, blocks, model, reports, used)
    return size, settle(samples, block, count, blocks, config, reports, used)


@compiled
def events(columns: Columns, begin: int, blocks: Blocks, model: Model, reports: Records) -> tuple[int, int]:
    """Judge samples begin, begin+1, … of a batch: the result is that of one after the other.

    Returns:
        where it stopped (n, or earlier when `reports` is nearly full: call again from there), and the reports used.
        A sample at or before the last one of its signal is counted as late and changes nothing else.
    """
    if 2 * repeats(columns.signal) > columns.signal.shape[0]:
        return sorted_events(columns, begin, blocks, model, reports)
    return mixed_events(columns, begin, blocks, model, reports)


@compiled
def end_blocks(exceeded: NDArray[np.uint16], blocks: Blocks, config: Records) -> None:
    """After a `tick`: the blocks of ten minutes that it has filled end."""
    for i in range(exceeded.shape[0]):
        if exceeded[i] & BLOCK_BIT:
            exact_i, config_i = blocks.exact[i], config[i]
            end_block(exact_i, blocks.hot, place(i), config_i, blocks.tails[tail_row(exact_i, config_i)])


@compiled
def chances(z: NDArray[np.float32], blocks: Blocks, config: Records, p: NDArray[np.float32]) -> None:
    """After a `tick`: the chance p [S] that a block without a fault reaches each signal's z [S]."""
    for i in range(z.shape[0]):
        tails = blocks.tails[tail_row(blocks.exact[i], config[i])]
        p[i] = p_value(tails[0], abs(z[i]))


@compiled
def tick(
    x: NDArray[np.float32],
    same: NDArray[np.bool_],
    dt_s: Float,
    gap_s: Float,
    hot: Hot,
    z: NDArray[np.float32],
    exceeded: NDArray[np.uint16],
) -> None:
    """One value of every signal at one instant, dt_s after the one before; nothing is open, all within their range.

    x [S] relative to the signal's origin; same [S] equal to the value before; gap_s: see `univariate.infer`;
    hot [ceil(S / LANES) * BLOCK], changed in place; out: z [S] standard deviations, exceeded [S] bits of the detectors.
    """
    samples = no_samples(1)
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
        step_block(hot, block * WIDE, samples, FIRST)
        for lane in range(count):
            z[start + lane] = samples[S_Z + lane]
            exceeded[start + lane] = int(samples[S_EXCEEDED + lane])
