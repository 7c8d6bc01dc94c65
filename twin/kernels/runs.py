"""Runs of one signal after the other, as the store admits a batch: sixteen runs advance side by side.

In: rows of signals of one block, each signal's rows together and in the order of time. Out: as if every row had been
taken by itself. Rows with nothing to explain go through the packed rule; from the first row of a signal that needs a
closer look (bad, out of range, settling, an episode) the rest of its run is taken one by one, in the batch's order.
"""

import math

import numpy as np
from numpy.typing import NDArray

from twin.kernels.compiled import compiled, inlined
from twin.kernels.layout import LANES, MEASUREMENT, WIDE, WIDTH, Blocks, Columns, Record, Records
from twin.kernels.packed import (
    S_CUSUM,
    S_DT_S,
    S_EXCEEDED,
    S_GAP_S,
    S_PRESENT,
    S_SAME,
    S_X,
    S_Z,
    step_block,
)
from twin.kernels.sample import (
    BAD,
    EPISODE_BITS,
    SEVERITY,
    is_good,
    note,
    report_episodes,
    scaled,
    seconds_between,
)
from twin.kernels.univariate import ONE, ZERO, Hot

NONE = -1
WORTH_PACKING = 3  # fewer samples in a block are faster one by one

L_ROW, L_END, L_TAKEN, L_BEFORE_NS, L_SETTLE_NS = (np.uint64(LANES * row) for row in range(5))
V_BEFORE, V_LOW, V_HIGH, V_ORIGIN = (np.uint64(LANES * row) for row in range(4))


@compiled
def no_runs() -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Room for what is known of each lane's run: rows and times [5 * LANES], values [4 * LANES]."""
    return np.zeros(5 * LANES, np.int64), np.zeros(4 * LANES, np.float64)


@compiled
def repeats(signal: NDArray[np.int32]) -> int:
    """How many samples follow one of their own signal."""
    found = 0
    for e in range(1, signal.shape[0]):
        found += signal[e] == signal[e - 1]
    return found


@compiled
def lay_out(
    begin: int,
    most: int,
    signal: NDArray[np.int32],
    config: Records,
    rows: NDArray[np.int64],
) -> int:
    """Find the runs from row `begin` on, each in the lane of its signal; returns where they end.

    They end before another block, a signal that stood before, a machine state (it changes the baselines of others),
    and at row `most`. The run of a lane is rows[L_ROW]:rows[L_END].
    """
    for lane in range(WIDTH):
        rows[L_ROW + lane] = rows[L_END + lane] = 0
        rows[L_TAKEN + lane] = NONE
    e = begin
    block = signal[begin] // LANES
    while e < most:
        i = signal[e]
        lane = np.uint64(i) % WIDTH
        if i // LANES != block or rows[L_END + lane] != 0 or int(config[i]["machine_state"]) == 1:
            break
        first = e
        while e < most and signal[e] == i:
            e += 1
        rows[L_ROW + lane] = first
        rows[L_END + lane] = e
    return e


@compiled
def begin_runs(
    block: int,
    rows: NDArray[np.int64],
    values: NDArray[np.float64],
    samples: Hot,
    exact: Records,
    config: Records,
) -> int:
    """Load what is known of each lane's signal; returns the bits of the lanes that may advance together."""
    going = 0
    count = 0
    for k in range(LANES):
        lane = np.uint64(k)
        if rows[L_END + lane] == 0:
            continue
        exact_i = exact[block * LANES + k]
        config_i = config[block * LANES + k]
        origin = float(exact_i["origin"])
        is_open = (int(exact_i["flags"]) & EPISODE_BITS) != 0
        if int(config_i["kind"]) != MEASUREMENT or math.isnan(origin) or is_open:
            continue
        before_bad = (int(exact_i["quality"]) & SEVERITY) >= BAD
        rows[L_BEFORE_NS + lane] = exact_i["time"]
        rows[L_SETTLE_NS + lane] = exact_i["settle_until"]
        values[V_BEFORE + lane] = np.nan if before_bad else float(exact_i["value"])
        values[V_LOW + lane] = config_i["low"]
        values[V_HIGH + lane] = config_i["high"]
        values[V_ORIGIN + lane] = origin
        samples[S_GAP_S + lane] = config_i["gap_s"]
        going |= 1 << k
        count += 1
    return going if count >= WORTH_PACKING else 0


@inlined
def skip_late(row: int, end: int, before_ns: int, time: NDArray[np.int64], exact_i: Record) -> int:
    """The first row that is younger than the one before; the others are counted."""
    while row < end and time[row] <= before_ns:
        exact_i["late"] = int(exact_i["late"]) + 1
        row += 1
    return row


@compiled
def next_samples(
    going: int,
    block: int,
    rows: NDArray[np.int64],
    values: NDArray[np.float64],
    samples: Hot,
    columns: Columns,
    blocks: Blocks,
) -> int:
    """Lay out one sample of each lane in `going`; returns the bits of the lanes that have a plain one."""
    begin = np.uint64(block) * WIDE
    _, time, value, quality, _, _ = columns
    exact, hot = blocks.exact, blocks.hot
    present = 0
    for k in range(LANES):
        if (going >> k) & 1 == 0:
            continue
        lane = np.uint64(k)
        end = rows[L_END + lane]
        before_ns = rows[L_BEFORE_NS + lane]
        row = skip_late(rows[L_ROW + lane], end, before_ns, time, exact[block * LANES + k])
        rows[L_ROW + lane] = row
        if row == end:
            continue
        v = float(value[row])
        t = time[row]
        inside = values[V_LOW + lane] <= v <= values[V_HIGH + lane]
        if not (inside and is_good(int(quality[row]), v) and t >= rows[L_SETTLE_NS + lane]):
            continue
        samples[S_X + lane] = scaled(v, values[V_ORIGIN + lane], hot, begin + lane)
        samples[S_SAME + lane] = ONE if v == values[V_BEFORE + lane] else ZERO
        samples[S_DT_S + lane] = seconds_between(before_ns, t)
        samples[S_PRESENT + lane] = ONE
        values[V_BEFORE + lane] = v
        rows[L_BEFORE_NS + lane] = t
        rows[L_TAKEN + lane] = row
        rows[L_ROW + lane] = row + 1
        present |= 1 << k
    return present


@compiled
def advance_together(
    block: int,
    rows: NDArray[np.int64],
    values: NDArray[np.float64],
    samples: Hot,
    columns: Columns,
    blocks: Blocks,
    config: Records,
    reports: Records,
    used: int,
) -> None:
    """Advance every run of `block` until its end or its first row that needs a closer look: then rows[L_ROW].

    rows, values: see `no_runs`, laid out; samples: see `packed.no_samples`. An episode never opens with its first
    sample: nothing is reported here.
    """
    _, time, value, quality, received, node = columns
    exact, hot, episodes = blocks.exact, blocks.hot, blocks.episodes
    going = begin_runs(block, rows, values, samples, exact, config)
    while going != 0:
        going = next_samples(going, block, rows, values, samples, columns, blocks)
        if going == 0:
            break
        step_block(hot, np.uint64(block) * WIDE, samples)
        for k in range(LANES):
            lane = np.uint64(k)
            exceeded = int(samples[S_EXCEEDED + lane]) if samples[S_PRESENT + lane] != ZERO else 0
            samples[S_PRESENT + lane] = ZERO
            if exceeded != 0:
                i = block * LANES + k
                exact_i = exact[i]
                row = rows[L_TAKEN + lane]
                note(exact_i, time[row], value[row], quality[row], received[row], node)
                verdict = (exceeded, exceeded, samples[S_Z + lane], samples[S_CUSUM + lane])
                report_episodes(exact_i, hot, config[i], episodes[i], verdict, i, reports, used)
                going &= ~(1 << k)
    for k in range(LANES):
        row = rows[L_TAKEN + np.uint64(k)]
        if row != NONE:
            note(exact[block * LANES + k], time[row], value[row], quality[row], received[row], node)
