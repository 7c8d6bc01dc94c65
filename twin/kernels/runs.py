"""Runs of one signal after the other, as the store admits a batch: sixteen runs advance side by side.

In: rows of signals of one block, each signal's rows together and in the order of time. Out: as if every row had been
taken by itself. Rows with nothing to explain go through the packed rule; from the first row of a signal that needs a
closer look (bad, out of range, settling, an episode) the rest of its run is taken one by one, in the batch's order.
"""

import math

import numpy as np
from numpy.typing import NDArray

from twin.kernels.compiled import compiled, inlined
from twin.kernels.layout import (
    BASE,
    INV_SCALE,
    LANES,
    MEASUREMENT,
    WIDE,
    WIDTH,
    Blocks,
    Columns,
    Record,
    Records,
)
from twin.kernels.packed import (
    INSTANT,
    S_CREEP,
    S_DT_S,
    S_EXCEEDED,
    S_GAP_S,
    S_JUMP,
    S_LEVEL,
    S_PRESENT,
    S_RATIO,
    S_SAME,
    S_X,
    S_Z,
    step_block,
)
from twin.kernels.sample import (
    BAD,
    EPISODE_BITS,
    SEVERITY,
    Verdict,
    is_good,
    note,
    report_episodes,
    scaled,
    seconds_between,
)
from twin.kernels.univariate import BLOCK_BIT, ONE, ZERO, F, Hot

NONE = -1
WORTH_PACKING = 3  # fewer samples in a block are faster one by one

CHUNK = 32  # instants that are laid out at once
NEXT = np.uint64(1)  # row

LANE_ROWS, LANE_VALUES = 7, 5
L_ROW, L_END, L_TAKEN, L_BEFORE_NS, L_SETTLE_NS, L_SLOT_NS, L_FIRST = (
    np.uint64(LANES * row) for row in range(LANE_ROWS)
)
V_BEFORE, V_LOW, V_HIGH, V_ORIGIN, V_GAP_S = (np.uint64(LANES * row) for row in range(LANE_VALUES))


@compiled
def no_runs() -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Room for what is known of each lane's run: rows and times [LANE_ROWS * LANES], values [LANE_VALUES * LANES]."""
    return np.zeros(LANE_ROWS * LANES, np.int64), np.zeros(LANE_VALUES * LANES, np.float64)


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
        if i // LANES != block or rows[L_END + lane] != 0 or int(config[i]["chooses"]) != 0:
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
        rows[L_SLOT_NS + lane] = exact_i["slot_until"]
        values[V_BEFORE + lane] = np.nan if before_bad else float(exact_i["value"])
        values[V_LOW + lane] = config_i["low"]
        values[V_HIGH + lane] = config_i["high"]
        values[V_ORIGIN + lane] = origin
        values[V_GAP_S + lane] = config_i["gap_s"]
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


@inlined
def lay_lane(
    lane: np.uint64,
    block: int,
    rows: NDArray[np.int64],
    values: NDArray[np.float64],
    samples: Hot,
    columns: Columns,
    blocks: Blocks,
) -> tuple[int, bool]:
    """Lay out the next plain samples of one lane, one per instant, at most CHUNK of them.

    Returns how many, and whether the run may go on with another plain one.
    """
    _, time, value, quality, _, _ = columns
    hot = blocks.hot
    own = np.uint64(block) * WIDE + lane
    base, inv_scale = hot[own + BASE], hot[own + INV_SCALE]
    low, high, origin = values[V_LOW + lane], values[V_HIGH + lane], values[V_ORIGIN + lane]
    before, before_ns = values[V_BEFORE + lane], rows[L_BEFORE_NS + lane]
    settle_ns, slot_ns = rows[L_SETTLE_NS + lane], rows[L_SLOT_NS + lane]
    gap_s = F(values[V_GAP_S + lane])
    end = rows[L_END + lane]
    first = skip_late(rows[L_ROW + lane], end, before_ns, time, blocks.exact[block * LANES + int(lane)])
    rows[L_FIRST + lane] = first
    most = min(end - first, CHUNK)
    plain = True
    count = 0
    at = lane
    row = np.uint64(first)
    while count < most:
        v = float(value[row])
        t = time[row]
        if t <= before_ns:
            break
        plain = (low <= v) & (v <= high) & is_good(int(quality[row]), v) & (settle_ns <= t < slot_ns)
        if not plain:
            break
        samples[at + S_X] = scaled(v, origin, base, inv_scale)
        samples[at + S_SAME] = ONE if v == before else ZERO
        samples[at + S_DT_S] = seconds_between(before_ns, t)
        samples[at + S_GAP_S] = gap_s
        samples[at + S_PRESENT] = ONE
        before = v
        before_ns = t
        at += INSTANT
        row += NEXT
        count += 1
    values[V_BEFORE + lane] = before
    rows[L_BEFORE_NS + lane] = before_ns
    rows[L_ROW + lane] = first + count
    return count, plain and first + count < end


@inlined
def any_exceeded(samples: Hot, instant: np.uint64) -> bool:
    """Whether any of the sixteen has something to say."""
    found = np.int32(0)
    for k in range(WIDTH):
        found |= np.int32(samples[instant + S_EXCEEDED + k])
    return found != 0


@inlined
def packed_verdict(samples: Hot, place: np.uint64) -> Verdict:
    """What `packed.step_block` said of one lane, as `univariate.step` says it; nothing is open there."""
    exceeded = int(samples[place + S_EXCEEDED])
    return (
        exceeded,
        exceeded,
        samples[place + S_Z],
        samples[place + S_LEVEL],
        samples[place + S_JUMP],
        samples[place + S_CREEP],
        samples[place + S_RATIO],
    )


@compiled
def report_lane(
    lane: np.uint64,
    at: int,
    laid: int,
    block: int,
    rows: NDArray[np.int64],
    samples: Hot,
    columns: Columns,
    blocks: Blocks,
    config: Records,
    reports: Records,
    used: int,
) -> None:
    """The sample of this lane at instant `at` speaks: from the next one on its run is taken row by row."""
    _, time, value, quality, received, node = columns
    i = block * LANES + int(lane)
    exact_i = blocks.exact[i]
    row = rows[L_FIRST + lane] + at
    rows[L_ROW + lane] = row + 1
    place = np.uint64(at) * INSTANT + lane
    note(exact_i, time[row], value[row], quality[row], received[row], node)
    report_episodes(i, packed_verdict(samples, place), blocks, config[i], reports, used)
    for later in range(at + 1, laid):
        samples[np.uint64(later) * INSTANT + S_PRESENT + lane] = ZERO


@compiled
def lay_samples(
    going: int,
    block: int,
    rows: NDArray[np.int64],
    values: NDArray[np.float64],
    samples: Hot,
    columns: Columns,
    blocks: Blocks,
) -> tuple[int, int]:
    """Lay out the next samples of each lane in `going`; returns how many instants, and the lanes that may go on."""
    for at in range(np.uint64(CHUNK)):
        for k in range(WIDTH):
            samples[at * INSTANT + S_PRESENT + k] = ZERO
    laid = 0
    for k in range(LANES):
        if (going >> k) & 1 == 0:
            continue
        lane = np.uint64(k)
        count, goes_on = lay_lane(lane, block, rows, values, samples, columns, blocks)
        laid = max(laid, count)
        if count > 0:
            rows[L_TAKEN + lane] = rows[L_ROW + lane] - 1
        if not goes_on:
            going &= ~(1 << k)
    return laid, going


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

    rows, values: see `no_runs`, laid out; samples: CHUNK instants, see `packed.no_samples`. An episode never opens with
    its first sample: nothing is reported here.
    """
    _, time, value, quality, received, node = columns
    begin = np.uint64(block) * WIDE
    going = begin_runs(block, rows, values, blocks.exact, config)
    while going != 0:
        laid, going = lay_samples(going, block, rows, values, samples, columns, blocks)
        for at in range(laid):
            instant = np.uint64(at) * INSTANT
            step_block(blocks.hot, begin, samples, instant)
            if not any_exceeded(samples, instant):
                continue
            for k in range(LANES):
                lane = np.uint64(k)
                exceeded = int(samples[instant + S_EXCEEDED + lane])
                if exceeded == BLOCK_BIT:
                    i = block * LANES + k
                    report_episodes(i, packed_verdict(samples, instant + lane), blocks, config[i], reports, used)
                elif exceeded != 0:
                    report_lane(lane, at, laid, block, rows, samples, columns, blocks, config, reports, used)
                    rows[L_TAKEN + lane] = NONE
                    going &= ~(1 << k)
    for k in range(LANES):
        row = rows[L_TAKEN + np.uint64(k)]
        if row != NONE:
            note(blocks.exact[block * LANES + k], time[row], value[row], quality[row], received[row], node)
