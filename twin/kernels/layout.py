"""The memory of the hot path, and the hash by which a snapshot knows it again.

Blocks are indexed by signal id, counters by slot. Nothing here may change its meaning without a new `VERSION`:
a snapshot of another layout is refused, and the monitor replays from the store.
"""

import hashlib
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

VERSION = 2

Record: TypeAlias = Any  # one record of a block; numpy has no static type for its fields
Records: TypeAlias = Any  # a block
Float: TypeAlias = Any  # a float32 scalar
Scalar: TypeAlias = Any  # an element of a column

NEVER_NS = np.iinfo(np.int64).min
LANES = 16  # signals whose hot memory lies side by side, so that one instruction advances all of them
REGIMES = 12  # baselines per signal: the first eleven regimes of its asset have one each, all else shares the last
UNKNOWN_REGIME = REGIMES - 1
SLOTS = 168  # hours of a week, in the calendar's time zone
TAIL_BINS = 32  # of a score's histogram
RECENT = 32  # increments kept per counter for the present rate

# Kinds, as the kernels know them. A signal id that the plant does not have is NO_KIND and is passed over.
NO_KIND, MEASUREMENT, COUNTER, STATE, TEXT = range(5)

# Detectors of an episode, in the order of their bits: hard rules, then those whose scores are calibrated.
QUALITY, RANGE, FLATLINE, SPIKE, DRIFT, JUMP, CREEP, NOISE = range(8)
DETECTORS = 8
FIRST_SCORED = SPIKE
SCORED = DETECTORS - FIRST_SCORED

# What the event kernel reports. RAISED: an open episode has become clearly worse.
OPENED, CLOSED, ENTERED, RAISED = 1, 2, 3, 4

EXACT = np.dtype(
    [  # what was said last, exactly
        ("time", np.int64),  # source time, ns UTC
        ("value", np.float64),
        ("received", np.int64),  # ns UTC
        ("origin", np.float64),  # first good value; everything learnt is relative to it, so that float32 suffices
        ("settle_until", np.int64),  # ns UTC; a regime has just begun, nothing is judged or learnt
        ("slot_until", np.int64),  # ns UTC; then the hour of the week, and with it the seasonal base, is another one
        ("oddest", np.float64),  # the smallest p-value of the detectors in the last block; NaN until one is known
        ("late", np.int32),  # at or before `time`: stored, but not judged
        ("bad", np.int32),
        ("quality", np.uint8),
        ("kind", np.int8),
        ("node", np.int16),  # place in the engine's list of nodes
        ("regime", np.int16),  # whose baseline is in the hot memory
        ("slot", np.int16),  # hour of the week whose base is in the hot memory; -1: none yet
        ("flags", np.int32),  # episodes: bits 0-7 open, 8-15 pending, 16 thawed
        ("spare", np.int32),
    ]
)

# The hot memory: 32 float32 = 2 cache lines per signal, the baseline of the present regime. 16 signals lie side by
# side, row after row, so that one packed instruction advances all of them: value `row` of signal i stands at
# (i // LANES) * BLOCK + row * LANES + i % LANES.
ROWS = (
    "mean",
    "var",
    "cov1",  # lag-1 autocovariance
    "slow_mean",
    "cusum_up",  # in standard deviations of the innovation
    "cusum_down",
    "last",
    "base",  # seasonal baseline of the present slot
    "inv_scale",
    "step",  # smallest change ever seen: the resolution of a quantised sensor
    "run_ceiling",  # longest run of one value that was normal
    "run",
    "n",  # samples learnt from; whole, saturates
    "commissioned",  # the slow mean when the signal was new
    "move",  # mean size of a change
    "noise",  # mean size of an innovation, lately
    "usual_noise",  # and for long
    "up_s",  # since the CUSUM left zero
    "down_s",
    "block_s",  # observed in the running block
    "blocks",  # that have ended
    "max_spike",  # greatest scores of the running block
    "max_drift",
    "max_jump",
    "max_creep",
    "max_noise",
    "limit_spike",  # scores from which an episode may begin
    "limit_drift",
    "limit_jump",
    "limit_creep",
    "limit_noise",
    "spare",
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
    RUN_CEILING,
    RUN,
    N,
    COMMISSIONED,
    MOVE,
    NOISE_NOW,
    USUAL_NOISE,
    UP_S,
    DOWN_S,
    BLOCK_S,
    BLOCKS,
    MAX_SPIKE,
    MAX_DRIFT,
    MAX_JUMP,
    MAX_CREEP,
    MAX_NOISE,
    LIMIT_SPIKE,
    LIMIT_DRIFT,
    LIMIT_JUMP,
    LIMIT_CREEP,
    LIMIT_NOISE,
) = (np.uint64(LANES * row) for row in range(len(ROWS) - 1))  # unsigned: a signed index is checked for wrap-around

# What of it belongs to the regime and is put away with it; the rest is of the moment.
KEPT = tuple(
    row
    for row, name in enumerate(ROWS)
    if name not in {"last", "base", "inv_scale", "cusum_up", "cusum_down", "up_s", "down_s", "run", "spare"}
)
NEVER_LIMIT = np.float32(3.0e38)  # of a score that is not judged yet

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
        ("since", np.int64),  # of a drift: when its CUSUM left zero
        ("began", np.int64),  # to exceed
        ("last_bad", np.int64),
        ("peak", np.float32),
        ("told", np.float32),  # the score that was reported last
        ("streak", np.int32),
        ("spare", np.int32),
    ]
)

MACHINE = np.dtype(
    [  # what chooses the regime of an asset's measurements
        ("state", np.int32),  # code of the machine state, -1 unknown
        ("band", np.int32),  # of the commanded speed, 0 to 2
        ("product", np.int64),  # fingerprint of order or program, 0 none
        ("keys", np.int64, (UNKNOWN_REGIME,)),  # of the regimes in the order in which they were met; 0 free
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
        ("regime_start", np.int32),  # where its baselines and tails begin: rows of `Blocks.regimes` and `Blocks.tails`
        ("regimes", np.int32),  # how many it has: 1, or REGIMES when its asset has something that chooses
        ("season", np.int32),  # row of `Blocks.seasons`, -1 none
        ("level", np.float32),  # p-value of a block at which an episode may begin
        ("kind", np.int8),
        ("chooses", np.int8),  # its value chooses the regime of the asset's measurements: 1 as state, 2 as speed
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
        ("p", np.float64),  # of a calibrated score; 1 while its tail is not known
        ("side", np.int32),  # +1 above the baseline, -1 below, 0 neither
        ("regime", np.int32),
    ]
)


def schema_hash() -> str:
    """16 hex digits that change with the layout of any block of the state."""
    described = [str(dtype.descr) for dtype in (EXACT, TAIL, EPISODE, MACHINE, COUNT)] + [str(ROWS), str(KEPT)]
    return hashlib.sha256("\n".join([str(VERSION), *described]).encode()).hexdigest()[:16]


def exact_block(size: int) -> NDArray[np.void]:
    """Shape [size]; nothing was ever said."""
    block = np.zeros(size, EXACT)
    block["time"] = NEVER_NS
    block["settle_until"] = NEVER_NS
    block["slot_until"] = NEVER_NS
    block["slot"] = -1
    block["oddest"] = np.nan
    block["value"] = np.nan
    block["origin"] = np.nan
    block["node"] = -1
    block["regime"] = UNKNOWN_REGIME
    return block


def hot_blocks(size: int) -> NDArray[np.float32]:
    """Shape [ceil(size / LANES) * BLOCK]; nothing was learnt yet."""
    blocks = np.zeros((-(-size // LANES), len(ROWS), LANES), np.float32)
    blocks[:, ROWS.index("inv_scale")] = 1.0
    blocks[:, ROWS.index("limit_spike") : ROWS.index("limit_noise") + 1] = NEVER_LIMIT
    return blocks.reshape(-1)


def new_regimes(rows: int) -> NDArray[np.float32]:
    """Shape [rows, KEPT]: baselines that nobody has learnt yet."""
    regimes = np.zeros((rows, len(KEPT)), np.float32)
    first = KEPT.index(ROWS.index("limit_spike"))
    regimes[:, first : first + SCORED] = NEVER_LIMIT
    return regimes


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
    """The whole numeric state of the hot path; indexed by signal id, counters by slot, machines by asset."""

    exact: NDArray[np.void]  # [S] EXACT
    hot: NDArray[np.float32]  # [ceil(S / LANES) * BLOCK]
    regimes: NDArray[np.float32]  # [rows, KEPT]: rows of a signal begin at CONFIG.regime_start
    tails: NDArray[np.void]  # [rows, SCORED] TAIL
    seasons: NDArray[np.float32]  # [seasonal signals, SLOTS]; NaN unknown
    episodes: NDArray[np.void]  # [S, DETECTORS] EPISODE
    machines: NDArray[np.void]  # [assets] MACHINE
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
    executing: NDArray[
        np.int64
    ]  # by asset: bit c is set when state code c (below 63) means that it works on its product
    hours: NDArray[np.int64]  # ns UTC at which an hour of the week begins
    hour_slot: NDArray[np.int16]  # which one
    hour_start: NDArray[np.int32]  # hours[hour_start[c]:hour_start[c+1]]: of calendar c


def empty_blocks(config: NDArray[np.void], assets: int, counters: NDArray[np.int32]) -> Blocks:
    """Blocks for the signals of `config`, with a counter for each of these signals."""
    size = len(config)
    rows = int(np.max(config["regime_start"] + config["regimes"], initial=0))
    machines = np.zeros(assets, MACHINE)
    machines["state"] = -1
    return Blocks(
        exact=exact_block(size),
        hot=hot_blocks(size),
        regimes=new_regimes(rows),
        tails=np.zeros((rows, SCORED), TAIL),
        seasons=np.full((int(np.max(config["season"], initial=-1)) + 1, SLOTS), np.nan, np.float32),
        episodes=np.zeros((size, DETECTORS), EPISODE),
        machines=machines,
        counters=count_block(counters),
    )
