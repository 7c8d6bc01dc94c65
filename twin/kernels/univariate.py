"""One sample of one measurement: every detector of tier A against the baseline of the present regime.

Shared by the dense and the event entry (`twin.kernels.entry`). All in float32 relative to the signal's origin, no
exponentials: the weight of a sample after dt seconds is dt/(tau+dt), the implicit Euler form of 1-exp(-dt/tau).
Sources: Huber clipping of the exponentially weighted moments; two-sided CUSUM (Page 1954,
doi:10.1093/biomet/41.1-2.100) of residuals whitened by an AR(1) model, because on autocorrelated data a plain
CUSUM alarms thousands of times a day.
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from twin.kernels.compiled import compiled, inlined
from twin.kernels.layout import (
    BLOCK_S,
    COMMISSIONED,
    COV1,
    CREEP,
    CUSUM_DOWN,
    CUSUM_UP,
    DETECTORS,
    DOWN_S,
    DRIFT,
    FLATLINE,
    JUMP,
    LAST,
    LIMIT_CREEP,
    LIMIT_DRIFT,
    LIMIT_JUMP,
    LIMIT_NOISE,
    LIMIT_SPIKE,
    MAX_CREEP,
    MAX_DRIFT,
    MAX_JUMP,
    MAX_NOISE,
    MAX_SPIKE,
    MEAN,
    MOVE,
    NEVER_LIMIT,
    NOISE,
    NOISE_NOW,
    RANGE,
    RUN,
    RUN_CEILING,
    SLOW_MEAN,
    SPIKE,
    STEP,
    UP_S,
    USUAL_NOISE,
    VAR,
    Float,
    N,
)

F = np.float32
ZERO, ONE, TWO, HALF = F(0), F(1), F(2), F(0.5)  # a plain literal would widen the arithmetic

TAU_S = F(3600)  # memory of mean and variance, or WARM_N samples where these take longer
SLOW = F(0.1)  # the slow mean and the usual noise move this much slower
FAST = F(12)  # the present noise this much faster
WARM_N = F(100)  # samples of this regime before anything is judged
CLIP = F(4)  # standard deviations; beyond it a sample teaches no more than this
CLIP_MOVE = F(8)  # mean changes
QUIET = F(2) / F(3)  # of the limit
CUSUM_SLACK = F(0.5)
CUSUM_MOST = F(1000)
PHI_MAX = F(0.98)
NORMAL = F(1.2533141)  # standard deviation of normal noise by its mean size: sqrt(pi / 2)
TINY = F(1e-30)
FLAT_MIN = F(60)  # samples
FLAT_FACTOR = F(3)
BLOCK_LENGTH_S = F(600)
SETTLE_NS = 5_000_000_000
N_MAX = F(1.0e7)  # a float32 counts exactly that far
TIME_MAX_S = F(1.0e7)

RANGE_BIT, FLATLINE_BIT = 1 << RANGE, 1 << FLATLINE
SPIKE_BIT, DRIFT_BIT, JUMP_BIT, CREEP_BIT, NOISE_BIT = 1 << SPIKE, 1 << DRIFT, 1 << JUMP, 1 << CREEP, 1 << NOISE
BLOCK_BIT = 1 << DETECTORS  # not a detector: the running block is full
FLATLINE_F, SPIKE_F, DRIFT_F, JUMP_F, CREEP_F, NOISE_F, BLOCK_F = (
    F(bit) for bit in (FLATLINE_BIT, SPIKE_BIT, DRIFT_BIT, JUMP_BIT, CREEP_BIT, NOISE_BIT, BLOCK_BIT)
)
OPEN = (1 << DETECTORS) - 1
FREEZING = OPEN & ~1  # never learn while one of these is open; bad values teach nothing anyway
PENDING = OPEN << DETECTORS
THAWED = 1 << (2 * DETECTORS)

Hot: TypeAlias = NDArray[np.float32]

Inferred: TypeAlias = tuple[Float, ...]


@inlined
def clip(value: Float, most: Float) -> Float:
    """`value` within ± `most`."""
    return min(max(value, -most), most)


@inlined
def cusum(level: Float, residual: Float, slack: Float) -> Float:
    """One side of a CUSUM, one residual [standard deviations] further."""
    return min(max(level + residual - slack, ZERO), CUSUM_MOST)


@inlined
def infer(
    mean: Float,
    var: Float,
    cov1: Float,
    slow_mean: Float,
    cusum_up: Float,
    cusum_down: Float,
    last: Float,
    resolution: Float,
    run_ceiling: Float,
    run: Float,
    n: Float,
    commissioned: Float,
    move: Float,
    noise: Float,
    usual: Float,
    up_s: Float,
    down_s: Float,
    block_s: Float,
    max_spike: Float,
    max_drift: Float,
    max_jump: Float,
    max_creep: Float,
    max_noise: Float,
    limit_spike: Float,
    limit_drift: Float,
    limit_jump: Float,
    limit_creep: Float,
    limit_noise: Float,
    x: Float,
    same: bool,
    dt_s: Float,
    gap_s: Float,
    frozen: bool,
    spiking: bool,
) -> Inferred:
    """The rule itself, on float32 scalars and without branches, so that sixteen signals fit into one register.

    The first 28 are rows of the hot memory (`layout.ROWS`); x: the value relative to the signal's origin;
    same: equal to the value before; dt_s: seconds since that value; frozen: learn nothing; spiking: a spike is open.

    Returns:
        exceeded, doubtful (sums of bits), the five scores (z with its sign), then the rows as they are now, in the same
        order without `last`, `commissioned` and the limits.
    """
    known = n > ZERO
    old = dt_s > TAU_S  # the baseline has grown old: prove it again before judging by it
    n0 = min(n, HALF * WARM_N) if old else n
    var = TWO * var if old else var
    joined = known & (dt_s <= gap_s)
    grown = n0 >= WARM_N
    warm = grown & (limit_spike < NEVER_LIMIT)
    moves = same == False  # noqa: E712 - `not` would branch
    still = frozen & known

    # a quantised sensor is never surer than its smallest step
    change = abs(x - last)
    change = change if joined else ZERO
    finer = (change > ZERO) & ((resolution == ZERO) | (change < resolution))
    resolution = change if finer else resolution
    s2 = max(var, resolution * resolution)
    certain = s2 <= ZERO
    sd = np.sqrt(s2)
    inv_sd = ONE / (ONE if certain else sd)
    inv_sd = ZERO if certain else inv_sd
    deviation = x - mean
    before = last - mean if joined else ZERO
    z = deviation * inv_sd
    size = abs(z)
    spikes = warm & (size >= limit_spike)

    typical = max(move, resolution)
    jump = change / max(typical, TINY)
    jump = jump if typical > ZERO else ZERO

    runs = joined & same
    longer = min(run + ONE, N_MAX)
    run_limit = max(FLAT_MIN, FLAT_FACTOR * run_ceiling)
    flat = runs & warm & (longer > run_limit) & (resolution > ZERO)
    risen = run_ceiling if warm else max(run_ceiling, longer)
    ended = max(run_ceiling, run) if run <= run_limit else run_ceiling
    run_ceiling = risen if runs else ended
    run = longer if runs else ZERO

    # what the last value does not explain; a repeated value is no new evidence
    phi = min(max(cov1 * inv_sd * inv_sd, ZERO), PHI_MAX)
    innovation = deviation - phi * before
    usual_sd = NORMAL * usual
    residual = clip(innovation / max(usual_sd, TINY), CLIP)
    residual = residual if usual > ZERO else ZERO
    up = cusum(cusum_up, residual, CUSUM_SLACK)
    down = cusum(cusum_down, -residual, CUSUM_SLACK)
    up = cusum_up if same else up
    down = cusum_down if same else down
    counts = joined & grown & (spikes == False) & (spiking == False)  # noqa: E712 - one cause, one finding
    up = up if counts else ZERO
    down = down if counts else ZERO
    level = max(up, down)
    up_s = min(up_s + dt_s, TIME_MAX_S) if up > ZERO else ZERO
    down_s = min(down_s + dt_s, TIME_MAX_S) if down > ZERO else ZERO

    # at first the plain mean of all samples
    n1 = n0 + ONE
    memory_s = max(TAU_S, WARM_N * dt_s) + dt_s
    forgets = dt_s * n1 > memory_s
    a = (dt_s if forgets else ONE) / (memory_s if forgets else n1)
    slowly = SLOW * a if grown else a

    strange = abs(innovation)
    bounded = min(strange, CLIP * usual_sd)
    strange = bounded if grown else strange
    fresh = joined & moves
    noise = noise + min(FAST * a, HALF) * (strange - noise) if fresh else noise
    ratio = max(noise, usual) / max(min(noise, usual), TINY) - ONE
    ratio = ratio if min(noise, usual) > ZERO else ZERO
    creep = max(abs(mean - slow_mean), HALF * abs(slow_mean - commissioned)) * inv_sd

    exceeded = SPIKE_F if spikes else ZERO
    exceeded += FLATLINE_F if flat else ZERO
    exceeded += DRIFT_F if warm & moves & (level >= limit_drift) else ZERO
    exceeded += JUMP_F if warm & (jump >= limit_jump) else ZERO
    exceeded += CREEP_F if warm & moves & (creep >= limit_creep) else ZERO
    exceeded += NOISE_F if warm & moves & (ratio >= limit_noise) else ZERO
    doubtful = SPIKE_F if warm & (size >= QUIET * limit_spike) else ZERO
    doubtful += FLATLINE_F if flat else ZERO
    doubtful += DRIFT_F if warm & (level >= QUIET * limit_drift) else ZERO
    doubtful += JUMP_F if warm & (jump >= QUIET * limit_jump) else ZERO
    doubtful += CREEP_F if warm & (creep >= QUIET * limit_creep) else ZERO
    doubtful += NOISE_F if warm & (ratio >= QUIET * limit_noise) else ZERO

    # the block: what is flagged is not counted
    calm = grown & joined & (still == False)  # noqa: E712
    block_s = block_s + dt_s if calm else block_s
    exceeded += BLOCK_F if block_s >= BLOCK_LENGTH_S else ZERO

    # learn
    bound = CLIP * sd
    bounded = clip(deviation, bound)
    deviation = bounded if grown else deviation
    bounded = clip(before, bound)
    before = bounded if grown else before
    kept = ONE - a
    gained = a * deviation
    bounded = min(change, CLIP_MOVE * typical)
    change = bounded if grown else change
    learns = fresh & (still == False)  # noqa: E712
    return (
        exceeded,
        doubtful,
        z,
        level,
        jump,
        creep,
        ratio,
        mean if still else mean + gained,
        var if still else kept * (var + gained * deviation),
        cov1 if still else kept * (cov1 + gained * before),
        slow_mean if still else slow_mean + slowly * (mean + deviation - slow_mean),
        up,
        down,
        resolution,
        run_ceiling,
        run,
        n if still else min(n1, N_MAX),
        move + a * (change - move) if learns else move,
        noise,
        usual + slowly * (strange - usual) if learns else usual,
        up_s,
        down_s,
        block_s,
        max(max_spike, size) if calm else max_spike,
        max(max_drift, level) if calm else max_drift,
        max(max_jump, jump) if calm else max_jump,
        max(max_creep, creep) if calm else max_creep,
        max(max_noise, ratio) if calm else max_noise,
    )


@compiled
def step(
    hot: Hot, at: np.uint64, flags: int, x: Float, same: bool, dt_s: Float, gap_s: Float
) -> tuple[int, int, Float, Float, Float, Float, Float]:
    """Judge `x` and learn from it, unless the signal is flagged.

    hot: the hot memory, at: place of the signal in it, changed in place; flags: of its episodes; the rest as `infer`.

    Returns:
        exceeded: bits of the detectors that speak against this sample, and BLOCK_BIT when the block is full;
        doubtful: bits of those that are not quiet (hysteresis; includes the exceeded ones);
        z [standard deviations], CUSUM [standard deviations of the innovation], jump [mean changes], creep [standard
        deviations], noise [by how much its size differs from the usual one, as a ratio - 1].
    """
    frozen = (flags & FREEZING) != 0 and (flags & THAWED) == 0
    spiking = (flags & SPIKE_BIT) != 0
    (
        exceeded,
        doubtful,
        z,
        level,
        jump,
        creep,
        ratio,
        hot[at + MEAN],
        hot[at + VAR],
        hot[at + COV1],
        hot[at + SLOW_MEAN],
        hot[at + CUSUM_UP],
        hot[at + CUSUM_DOWN],
        hot[at + STEP],
        hot[at + RUN_CEILING],
        hot[at + RUN],
        hot[at + N],
        hot[at + MOVE],
        hot[at + NOISE_NOW],
        hot[at + USUAL_NOISE],
        hot[at + UP_S],
        hot[at + DOWN_S],
        hot[at + BLOCK_S],
        hot[at + MAX_SPIKE],
        hot[at + MAX_DRIFT],
        hot[at + MAX_JUMP],
        hot[at + MAX_CREEP],
        hot[at + MAX_NOISE],
    ) = infer(
        hot[at + MEAN],
        hot[at + VAR],
        hot[at + COV1],
        hot[at + SLOW_MEAN],
        hot[at + CUSUM_UP],
        hot[at + CUSUM_DOWN],
        hot[at + LAST],
        hot[at + STEP],
        hot[at + RUN_CEILING],
        hot[at + RUN],
        hot[at + N],
        hot[at + COMMISSIONED],
        hot[at + MOVE],
        hot[at + NOISE_NOW],
        hot[at + USUAL_NOISE],
        hot[at + UP_S],
        hot[at + DOWN_S],
        hot[at + BLOCK_S],
        hot[at + MAX_SPIKE],
        hot[at + MAX_DRIFT],
        hot[at + MAX_JUMP],
        hot[at + MAX_CREEP],
        hot[at + MAX_NOISE],
        hot[at + LIMIT_SPIKE],
        hot[at + LIMIT_DRIFT],
        hot[at + LIMIT_JUMP],
        hot[at + LIMIT_CREEP],
        hot[at + LIMIT_NOISE],
        x,
        same,
        dt_s,
        gap_s,
        frozen,
        spiking,
    )
    hot[at + LAST] = x
    return int(exceeded), int(doubtful), z, level, jump, creep, ratio
