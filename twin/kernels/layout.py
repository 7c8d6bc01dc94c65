"""The memory of the hot path, and the hash by which a snapshot knows it again.

Blocks are indexed by signal id, counters by slot. Nothing here may change its meaning without a new `VERSION`:
a snapshot of another layout is refused, and the monitor replays from the store.
"""

import hashlib
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

VERSION = 1

Record: TypeAlias = Any  # one record of a block; numpy has no static type for its fields
Records: TypeAlias = Any  # a block
Float: TypeAlias = Any  # a float32 scalar
Scalar: TypeAlias = Any  # an element of a column

NEVER_NS = np.iinfo(np.int64).min
LANES = 16  # signals whose hot memory lies side by side, so that one instruction advances all of them
REGIMES = 8  # machine-state codes 0 to 6 have a baseline each, everything else shares the last
UNKNOWN_REGIME = REGIMES - 1
TAIL_BINS = 32  # of a score's histogram
RECENT = 32  # increments kept per counter for the present rate

# Kinds, as the kernels know them. A signal id that the plant does not have is NO_KIND and is passed over.
NO_KIND, MEASUREMENT, COUNTER, STATE, TEXT = range(5)

# Detectors of an episode, in the order of their bits.
QUALITY, RANGE, SPIKE, FLATLINE, DRIFT = range(5)
DETECTORS = 5

# What the event kernel reports.
OPENED, CLOSED, ENTERED = 1, 2, 3

EXACT = np.dtype(
    [  # 64 bytes: what was said last, exactly
        ("time", np.int64),  # source time, ns UTC
        ("value", np.float64),
        ("received", np.int64),  # ns UTC
        ("origin", np.float64),  # first good value; everything learnt is relative to it, so that float32 suffices
        ("settle_until", np.int64),  # ns UTC; a machine state has just begun, nothing is judged or learnt
        ("spare", np.int64),
        ("late", np.int32),  # at or before `time`: stored, but not judged
        ("bad", np.int32),
        ("quality", np.uint8),
        ("kind", np.int8),
        ("node", np.int16),  # place in the engine's list of nodes
        ("flags", np.int16),  # episodes: bits 0-4 open, 5-9 pending, 14 thawed
        ("regime", np.int16),  # the machine state whose baseline is in the hot memory
    ]
)

# The hot memory: 16 float32 = 64 bytes per signal, the baseline of the present machine state. 16 signals lie side by
# side, row after row, so that one packed instruction advances all of them: value `row` of signal i stands at
# (i // LANES) * BLOCK + row * LANES + i % LANES.
ROWS = (
    "mean",
    "var",
    "cov1",  # lag-1 autocovariance
    "slow_mean",
    "cusum_up",  # in standard deviations of the whitened residual
    "cusum_down",
    "last",
    "base",  # seasonal baseline of the present slot
    "inv_scale",
    "step",  # smallest change ever seen: the resolution of a quantised sensor
    "cusum_ceiling",  # greatest CUSUM while learning
    "run_ceiling",  # longest run of one value that was normal
    "run",
    "n",  # samples learnt from; whole, saturates
    "age_s",  # time spent learning
    "z_ceiling",  # greatest |z| while learning, in eighths
)
BLOCK = LANES * len(ROWS)
WIDTH, WIDE = np.uint64(LANES), np.uint64(BLOCK)  # for indexing: a signed index is checked for wrap-around
(
    MEAN,
    VAR,
    COV1,
    SLOW_MEAN,
    CUSUM_UP,
    CUSUM_DOWN,
    LAST,
    BASE,
    INV_SCALE,
    STEP,
    CUSUM_CEILING,
    RUN_CEILING,
    RUN,
    N,
    AGE_S,
    Z_CEILING,
) = (np.uint64(LANES * row) for row in range(len(ROWS)))  # unsigned: a signed index is checked for wrap-around

REGIME = np.dtype(
    [  # the baselines of the machine states that are not present
        ("mean", np.float32),
        ("var", np.float32),
        ("cov1", np.float32),
        ("slow_mean", np.float32),
        ("step", np.float32),
        ("cusum_ceiling", np.float32),
        ("age_s", np.float32),
        ("run_ceiling", np.float32),
        ("n", np.float32),
        ("z_ceiling", np.float32),
    ]
)

TAIL = np.dtype(
    [  # block maxima of one score (signal, regime, detector) without a fault; see `twin.kernels.tails`
        ("unit", np.float32),  # mean of the first maxima; edges of the bins are multiples of it
        ("scale", np.float32),  # of the generalised-Pareto tail, in units
        ("shape", np.float32),
        ("blocks", np.int32),  # ever seen
        ("n", np.uint16),  # in the histogram, with forgetting
        ("threshold", np.uint16),  # bin at whose edge the tail begins
        ("above", np.uint16, (TAIL_BINS,)),  # maxima at or above the edge of each bin
    ]
)

EPISODE = np.dtype(
    [  # touched only while something is wrong
        ("since", np.int64),
        ("last_bad", np.int64),
        ("peak", np.float32),
        ("streak", np.int32),
    ]
)

COUNT = np.dtype(
    [  # one counter
        ("signal", np.int32),
        ("samples", np.int32),
        ("last", np.int64),  # last value that was believed
        ("last_time", np.int64),
        ("modulus", np.int64),  # 0 until known
        ("highest", np.int64),
        ("max_rate", np.float64),  # 1/s
        ("total", np.int64),  # parts since the first sample
        ("estimated", np.int64),  # of these, counted across a gap
        ("shift_start", np.int64),  # ns UTC
        ("shift_end", np.int64),
        ("shift_total", np.int64),
        ("shift_estimated", np.int64),
        ("held_first", np.int64),  # values that do not follow from `last`, waiting for a second witness
        ("held_first_time", np.int64),
        ("held", np.int64),
        ("held_time", np.int64),
        ("held_streak", np.int32),
        ("rollovers", np.int32),
        ("resets", np.int32),
        ("glitches", np.int32),
        ("head", np.int32),  # increments ever pushed to the two rings
        ("unsure", np.int32),  # parts that resets may have swallowed, at most
        ("recent_time", np.int64, (RECENT,)),
        ("recent_count", np.int64, (RECENT,)),
    ]
)

CONFIG = np.dtype(
    [  # from the plant model; not part of a snapshot
        ("low", np.float64),
        ("high", np.float64),
        ("gap_ns", np.int64),  # more silence than this breaks a series
        ("gap_s", np.float32),  # the same in seconds
        ("asset", np.int32),
        ("slot", np.int32),  # of a counter
        ("calendar", np.int32),
        ("kind", np.int8),
        ("machine_state", np.int8),  # 1: its value chooses the regime of the asset's measurements
    ],
    align=True,
)

REPORT = np.dtype(
    [  # what the event kernel has to say; sparse
        ("what", np.int32),
        ("detector", np.int32),
        ("signal", np.int32),
        ("spare", np.int32),
        ("time", np.int64),
        ("since", np.int64),
        ("score", np.float64),
        ("value", np.float64),
        ("centre", np.float64),  # the learnt baseline, in the signal's unit
        ("spread", np.float64),
    ]
)


def schema_hash() -> str:
    """16 hex digits that change with the layout of any block of the state."""
    described = [str(dtype.descr) for dtype in (EXACT, REGIME, EPISODE, COUNT)] + [str(ROWS)]
    return hashlib.sha256("\n".join([str(VERSION), *described]).encode()).hexdigest()[:16]


def exact_block(size: int) -> NDArray[np.void]:
    """Shape [size]; nothing was ever said."""
    block = np.zeros(size, EXACT)
    block["time"] = NEVER_NS
    block["settle_until"] = NEVER_NS
    block["value"] = np.nan
    block["origin"] = np.nan
    block["node"] = -1
    block["regime"] = UNKNOWN_REGIME
    return block


def hot_blocks(size: int) -> NDArray[np.float32]:
    """Shape [ceil(size / LANES) * BLOCK]; nothing was learnt yet."""
    blocks = np.zeros((-(-size // LANES), len(ROWS), LANES), np.float32)
    blocks[:, ROWS.index("inv_scale")] = 1.0
    return blocks.reshape(-1)


def hot_records(hot: NDArray[np.float32]) -> NDArray[np.float32]:
    """The hot memory as [signal, row]: a copy."""
    return hot.reshape(-1, len(ROWS), LANES).transpose(0, 2, 1).reshape(-1, len(ROWS))


def hot_memory(records: NDArray[np.float32]) -> NDArray[np.float32]:
    """The inverse of `hot_records`; the number of signals must be a multiple of LANES."""
    return np.ascontiguousarray(records.reshape(-1, LANES, len(ROWS)).transpose(0, 2, 1)).reshape(-1)


def count_block(signals: NDArray[np.int32]) -> NDArray[np.void]:
    """Shape [slots]; one for each counter of `signals`."""
    block = np.zeros(len(signals), COUNT)
    block["signal"] = signals
    block["max_rate"] = 10.0
    block["shift_start"] = NEVER_NS
    block["shift_end"] = NEVER_NS
    return block


class Blocks(NamedTuple):
    """The whole numeric state of the hot path; indexed by signal id, counters by slot."""

    exact: NDArray[np.void]  # [S] EXACT
    hot: NDArray[np.float32]  # [ceil(S / LANES) * BLOCK]
    regimes: NDArray[np.void]  # [S, REGIMES] REGIME
    episodes: NDArray[np.void]  # [S, DETECTORS] EPISODE
    counters: NDArray[np.void]  # [slots] COUNT


class Columns(NamedTuple):
    """One batch of n samples."""

    signal: NDArray[np.int32]  # [n] ids within the blocks
    time: NDArray[np.int64]  # [n] ns UTC
    value: NDArray[np.float64]  # [n] in the plant's unit; NaN counts as bad
    quality: NDArray[np.uint8]  # [n] twin.wire.reading.Quality
    received: NDArray[np.int64]  # [n] ns UTC
    node: int  # its place in the engine's list of nodes


class Model(NamedTuple):
    """The plant, as the kernels see it."""

    config: NDArray[np.void]  # [S] CONFIG
    members: NDArray[np.int32]
    member_start: NDArray[np.int32]  # members[member_start[a]:member_start[a+1]]: the measurements of asset a
    bounds: NDArray[np.int64]  # ns UTC
    bound_start: NDArray[np.int32]  # bounds[bound_start[c]:bound_start[c+1]]: where shifts of calendar c begin and end


def empty_blocks(size: int, counters: NDArray[np.int32]) -> Blocks:
    """Blocks for signal ids below `size`, with a counter for each of these signals."""
    return Blocks(
        exact=exact_block(size),
        hot=hot_blocks(size),
        regimes=np.zeros((size, REGIMES), REGIME),
        episodes=np.zeros((size, DETECTORS), EPISODE),
        counters=count_block(counters),
    )
